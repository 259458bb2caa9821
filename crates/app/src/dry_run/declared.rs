//! What `[dry_run]` declares, as a digest, and what flags ask less than it: both stand in a run's first record, so that a sign-off counts
//! for those who declare the same and for nobody else.
//!
//! Invariant: what a project says of how a run is judged is in the digest; what only says where results go and how they are kept is not.

use gonogo_core::{Digest, canonical};
use gonogo_dryrun::spec::RunSpec;
use serde_json::Value;

use super::flags::Flags;
use super::settings::{self, RunPlace};
use crate::config::DryRunFile;

/// Keys of the section by which nothing is judged.
const APART: [&str; 10] = [
    "audit_cache",
    "ballast",
    "compression",
    "member_size",
    "metadata",
    "output_root",
    "progress_every",
    "rotate_every",
    "rotate_size",
    "views",
];

/// What a run was judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Of the section, by [`digest`].
    pub declared: Digest,
    /// What was asked less than the section does, in words; empty if nothing.
    pub weaker: Vec<String>,
}

impl Judged {
    /// Of a run's specification, that flags and the section made.
    pub fn of(flags: &Flags, file: &DryRunFile, at: &RunPlace, used: &RunSpec) -> Self {
        let weaker = match settings::resolve(&bare(flags, file), file, at) {
            Ok(mut declared) => {
                declared.capture = used.capture.clone();
                gonogo_dryrun::declared::weaker(&declared, used)
            }
            Err(e) => vec![format!("`[dry_run]` alone makes no run: {e}")],
        };
        Self {
            declared: digest(file),
            weaker,
        }
    }
}

/// Flags that say what the section leaves open. Without a word of a diary or of performance in it, neither is demanded; without a
/// duration, the gate's own counts.
fn bare(flags: &Flags, file: &DryRunFile) -> Flags {
    let mut bare = Flags {
        wired: flags.wired.clone(),
        strict_intervals: flags.strict_intervals,
        ..Flags::default()
    };
    if file.command.is_none() {
        bare.command = flags.command.clone();
    }
    if file.duration.is_none() {
        bare.duration = flags.duration;
        if file.required_duration.is_none() {
            bare.required_duration = flags.required_duration;
        }
    }
    if file.diary.name.is_empty() {
        bare.diary = flags.diary.clone();
        bare.no_diary_required = flags.no_diary_required;
        bare.diary_stale_warn = flags.diary_stale_warn;
        bare.diary_stale_fail = flags.diary_stale_fail;
    } else if file.diary.path.is_none() {
        bare.diary = flags.diary.clone();
    }
    if file.performance.name.is_empty() && file.minimum_sharpe.is_none() {
        bare.performance = flags.performance.clone();
        bare.no_performance_required = flags.no_performance_required;
        bare.performance_stale_warn = flags.performance_stale_warn;
        bare.performance_stale_fail = flags.performance_stale_fail;
    } else if file.performance.path.is_none() {
        bare.performance = flags.performance.clone();
    }
    bare
}

/// Of what a section says of how a run is judged: the same for the same words, in any place and any order of keys.
pub fn digest(file: &DryRunFile) -> Digest {
    let mut said = serde_json::to_value(file).unwrap_or_default();
    if let Value::Object(map) = &mut said {
        map.retain(|key, _| !APART.contains(&key.as_str()));
    }
    let said = plain(said);
    let bytes = canonical::to_vec(&said);
    // Texts, whole numbers and lists have a canonical form; what has none is no other section's digest all the same.
    Digest::of(&bytes.unwrap_or_else(|_| said.to_string().into_bytes()))
}

/// Without what says nothing, so that a key that a later version knows changes no digest; fractions as texts, because they have no canonical
/// form.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().map(|(key, value)| (key, plain(value)));
            Value::Object(kept.filter(|(_, value)| !is_nothing(value)).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        Value::Number(n) if n.is_f64() => Value::String(format!("{n}")),
        other => other,
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn of(section: &str) -> Digest {
        let text = format!("[suites.lint]\nclass = \"lint\"\ncommand = [\"true\"]\n{section}");
        digest(
            &Config::parse(Path::new("gonogo.toml"), text.as_bytes())
                .unwrap()
                .dry_run,
        )
    }

    #[test]
    fn a_digest_is_of_what_is_judged_by_and_of_nothing_else() {
        let none = of("");
        for same in [
            "[dry_run]\n",
            "[dry_run]\ncompression = \"zstd\"\nviews = false\noutput_root = \"elsewhere\"\nmetadata = { who = \"dana\" }\n",
        ] {
            assert_eq!(of(same), none, "{same}");
        }
        let mut seen = vec![none];
        for other in [
            "[dry_run]\nstderr = \"info\"\n",
            "[dry_run]\nallow_warnings = true\n",
            "[dry_run]\nminimum_uptime = \"50%\"\n",
            "[dry_run]\nminimum_sharpe = 0.5\n",
            "[dry_run]\nminimum_sharpe = 0.25\n",
            "[dry_run]\ncommand = [\"./bin/app\"]\n",
            "[dry_run.diary]\nrequired = false\n",
            "[dry_run]\ngap_fail = \"30d\"\n",
            "[dry_run]\nheartbeat = { period = \"5s\" }\n",
            "[dry_run]\nresources = { max_memory_mb = 64 }\n",
            "[dry_run]\nexplained = { suspended = \"x\" }\n",
            "[[dry_run.allow]]\nname = \"n\"\npattern = \"ERROR.*\"\nowner = \"me\"\nexpires = \"2027-01-31T00:00:00Z\"\n",
        ] {
            let digest = of(other);
            assert!(!seen.contains(&digest), "{other}");
            seen.push(digest);
        }
    }
}

//! What a project declares, as the gate sees it: targets, profiles, budgets, recordings, now and at the base of the change.

use std::path::Path;

use gonogo_core::{Digest, canonical};
use gonogo_gate::inputs::{Declared, Manifest, ManifestBase, Target};

use super::base::{At, Base};
use crate::config::{Config, FILE, SuiteFile};
use crate::recorded;
use crate::suite::source::Tree;

/// The declaration of a configuration.
pub fn of(config: &Config) -> Declared {
    let file = &config.suites;
    let targets = file
        .suites
        .iter()
        .map(|(name, suite)| {
            let target = Target {
                class: suite.class,
                blocking: suite.blocking,
                format: suite.format.to_owned(),
                command: suite.command.clone(),
                how: how(suite),
                min_tests: suite.min_tests,
                min_duration_ms: suite.min_duration.map(gonogo_core::Span::as_millis),
                owner: suite.owner.clone(),
            };
            (name.clone(), target)
        })
        .collect();
    Declared {
        targets,
        profiles: file.profiles.clone(),
        budgets: crate::perf::evidence::budgets(config),
        apart: file.ignore_changes.clone(),
        dry_run: Some(crate::dry_run::declared::digest(&config.dry_run)),
        redact: file.redact.clone(),
        records: config
            .records
            .iter()
            .map(|(name, file)| (name.clone(), recorded::declared::digest(file)))
            .collect(),
    }
}

/// The declaration now, and what the base has.
pub fn manifest(config: &Config, tree: &Tree, base: &Base) -> Manifest {
    let declared = of(config);
    let digest = digest(&declared);
    let name = config.path.file_name().unwrap_or_default();
    let at_base = match base.file(tree, Path::new(name)) {
        At::Absent => match base.named(tree, FILE) {
            Ok(files) if files.is_empty() => ManifestBase::Absent,
            Ok(files) => ManifestBase::Unknown {
                why: format!(
                    "it has no `{}`, and declares in {}",
                    name.to_string_lossy(),
                    files.join(", ")
                ),
            },
            Err(e) => ManifestBase::Unknown { why: e.to_string() },
        },
        At::Unknown(why) => ManifestBase::Unknown { why },
        At::Text(text) => match Config::parse(&config.path, text.as_bytes()) {
            Err(e) => ManifestBase::Unknown {
                why: format!(
                    "the configuration of the base cannot be read: {}",
                    e.first()
                ),
            },
            Ok(before) => {
                let before = of(&before);
                let own = self::digest(&before);
                // The declarations themselves: a digest that could not be made would be the same for both.
                match before == declared {
                    true => ManifestBase::Same,
                    false => ManifestBase::Other {
                        digest: own,
                        declared: before,
                    },
                }
            }
        },
    };
    Manifest {
        digest,
        declared,
        base: at_base,
    }
}

/// Of what a commit declares; `None` if it declares nothing that can be read.
pub(super) fn at(config: &Config, tree: &Tree, commit: &str) -> Option<Digest> {
    config_at(config, tree, commit).map(|config| digest_of(&config))
}

/// The configuration as a commit has it; `None` if it has none that can be read.
pub(crate) fn config_at(config: &Config, tree: &Tree, commit: &str) -> Option<Config> {
    let name = config.path.file_name().unwrap_or_default();
    let commit = Base::of(commit.to_owned(), commit.to_owned());
    match commit.file(tree, Path::new(name)) {
        At::Text(text) => Config::parse(&config.path, text.as_bytes()).ok(),
        At::Absent | At::Unknown(_) => None,
    }
}

/// Of the declaration of a configuration.
pub fn digest_of(config: &Config) -> Digest {
    digest(&of(config))
}

fn digest(declared: &Declared) -> Digest {
    let bytes = canonical::to_vec(declared);
    // Names, words and whole numbers have a canonical form; what has none is no other declaration's digest all the same.
    Digest::of(&bytes.unwrap_or_else(|_| format!("{declared:?}").into_bytes()))
}

/// Of what decides, beside the command, what a suite's evidence is about.
fn how(suite: &SuiteFile) -> Digest {
    let said = (&suite.dir, &suite.env, &suite.seed_env, &suite.reports);
    let bytes = canonical::to_vec(&said);
    Digest::of(&bytes.unwrap_or_else(|_| format!("{said:?}").into_bytes()))
}

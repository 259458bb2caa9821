//! The behaviour file: what one version of the shop does, and the rules for reading it.
//!
//! Flat TOML, every key but `version` optional. Reading fails closed: an unknown key, a share
//! outside 0..=1, a non-finite number or a key that could have no effect is an error that names the
//! key, so that a version never behaves better than its file says.

use crate::latency::Latency;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the service warms up before it is ready, when the file gives no `slow_start`.
const WARM_UP: Duration = Duration::from_millis(150);
/// Where a leak stops growing when the file gives no `leak_limit`: a demonstration should not take
/// the machine down with it.
const LEAK_LIMIT: u64 = 1 << 30;

const KEYS: &[&str] = &[
    "version",
    "error_rate",
    "error_status",
    "errors_after",
    "p50_ms",
    "p99_ms",
    "latency_tail",
    "crash_at_start",
    "crash_after",
    "never_ready",
    "slow_start",
    "leak_per_request",
    "leak_limit",
    "hang_on_sigterm",
];

/// What one version of the shop does.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// The version's name, sent as `x-version`. Visible ASCII, not empty.
    pub version: String,
    /// Share of shop requests answered with an error, drawn independently for each request; 0..=1.
    pub error_rate: f64,
    /// The error's status, 400..=599; 500 if not given.
    pub error_status: u16,
    /// Uptime before which no error is injected.
    pub errors_after: Duration,
    /// How long a shop request takes.
    pub latency: Latency,
    /// Exits with an error before it listens.
    pub crash_at_start: bool,
    /// Uptime at which the process stops at once, connections cut.
    pub crash_after: Option<Duration>,
    /// `/readyz` answers 503 for ever.
    pub never_ready: bool,
    /// Time from the start until `/readyz` answers 200.
    pub warm_up: Duration,
    /// Bytes that each shop request allocates, touches and never gives back.
    pub leak_per_request: u64,
    /// Bytes at which the leak stops growing.
    pub leak_limit: u64,
    /// SIGTERM is ignored and serving goes on.
    pub hang_on_sigterm: bool,
}

/// A behaviour file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BehaviourError {
    /// The file could not be read.
    #[error("cannot read behaviour file {path}: {cause}; check the path given to --behaviour")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// No file of that name ships with the program.
    #[error(
        "no behaviour file named `{name}` ships with the program{suggestion}; there are: {known}"
    )]
    NotShipped {
        /// The name that was asked for.
        name: String,
        /// `, did you mean …?` or empty.
        suggestion: String,
        /// The names there are.
        known: String,
    },
    /// Not TOML, or a value of the wrong type.
    #[error("behaviour file {origin} is malformed: {cause}")]
    Malformed {
        /// The file, or the shipped name.
        origin: String,
        /// What the TOML reader says.
        cause: toml::de::Error,
    },
    /// A key that the service does not know.
    #[error("behaviour file {origin}: unknown key `{key}`{suggestion}; known keys: {known}")]
    UnknownKey {
        /// The file, or the shipped name.
        origin: String,
        /// The key.
        key: String,
        /// `, did you mean …?` or empty.
        suggestion: String,
        /// All known keys.
        known: String,
    },
    /// A value that the service cannot follow.
    #[error("behaviour file {origin}: {key} = {value} {problem}")]
    BadValue {
        /// The file, or the shipped name.
        origin: String,
        /// The key.
        key: &'static str,
        /// Its value as TOML.
        value: String,
        /// What is wrong with it and what would do.
        problem: &'static str,
    },
}

/// The file as written.
#[derive(Deserialize)]
struct Wire {
    version: String,
    #[serde(default)]
    error_rate: f64,
    error_status: Option<u16>,
    errors_after: Option<String>,
    #[serde(default = "default_p50")]
    p50_ms: f64,
    #[serde(default = "default_p99")]
    p99_ms: f64,
    #[serde(default = "default_tail")]
    latency_tail: f64,
    #[serde(default)]
    crash_at_start: bool,
    crash_after: Option<String>,
    #[serde(default)]
    never_ready: bool,
    slow_start: Option<String>,
    leak_per_request: Option<String>,
    leak_limit: Option<String>,
    #[serde(default)]
    hang_on_sigterm: bool,
}

fn default_p50() -> f64 {
    1.0
}

fn default_p99() -> f64 {
    10.0
}

fn default_tail() -> f64 {
    1.0
}

impl Behaviour {
    /// Reads a behaviour file's `text`; `origin` names it in errors.
    pub fn parse(origin: &str, text: &str) -> Result<Self, BehaviourError> {
        let malformed = |cause| BehaviourError::Malformed {
            origin: origin.to_owned(),
            cause,
        };
        let table: toml::Table = text.parse().map_err(malformed)?;
        if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(BehaviourError::UnknownKey {
                origin: origin.to_owned(),
                suggestion: suggest(key, KEYS.iter().copied()),
                key: key.clone(),
                known: KEYS.join(", "),
            });
        }
        let bad = |key: &'static str, problem| BehaviourError::BadValue {
            origin: origin.to_owned(),
            key,
            value: table
                .get(key)
                .map_or_else(|| "(absent)".to_owned(), ToString::to_string),
            problem,
        };
        let wire: Wire = toml::from_str(text).map_err(malformed)?;
        let time = |key, value: &Option<String>| match value {
            None => Ok(None),
            Some(value) => duration(value).map(Some).ok_or_else(|| {
                bad(
                    key,
                    "is not a duration; write for example \"2s\" or \"150ms\"",
                )
            }),
        };
        let bytes = |key, value: &Option<String>| match value {
            None => Ok(None),
            Some(value) => size(value).map(Some).ok_or_else(|| {
                bad(
                    key,
                    "is not a size; write for example \"64KiB\" or \"4MiB\"",
                )
            }),
        };

        let visible = |c: char| c.is_ascii_graphic();
        if wire.version.is_empty() || !wire.version.chars().all(visible) {
            return Err(bad(
                "version",
                "must be visible ASCII without spaces: it is sent as a header",
            ));
        }
        if !(0.0..=1.0).contains(&wire.error_rate) {
            return Err(bad(
                "error_rate",
                "must lie between 0 and 1; 0.05 is five requests in a hundred",
            ));
        }
        let status = wire.error_status.unwrap_or(500);
        if !(400..=599).contains(&status) {
            return Err(bad("error_status", "must lie between 400 and 599"));
        }
        if wire.errors_after.is_some() && wire.error_rate == 0.0 {
            return Err(bad(
                "errors_after",
                "has no effect without error_rate; give the share of failing requests",
            ));
        }
        if !(wire.p50_ms.is_finite() && wire.p50_ms > 0.0) {
            return Err(bad("p50_ms", "must be a number of milliseconds above 0"));
        }
        if !(wire.p99_ms.is_finite() && wire.p99_ms >= wire.p50_ms) {
            return Err(bad(
                "p99_ms",
                "must be a number of milliseconds, at least p50_ms",
            ));
        }
        if !(wire.latency_tail.is_finite() && wire.latency_tail >= 1.0) {
            return Err(bad(
                "latency_tail",
                "must be a factor of at least 1; 3.0 makes the 99th percentile three times slower",
            ));
        }
        if wire.leak_limit.is_some() && wire.leak_per_request.is_none() {
            return Err(bad("leak_limit", "has no effect without leak_per_request"));
        }
        if wire.never_ready && wire.slow_start.is_some() {
            return Err(bad("slow_start", "has no effect beside never_ready"));
        }
        Ok(Self {
            error_rate: wire.error_rate,
            error_status: status,
            errors_after: time("errors_after", &wire.errors_after)?.unwrap_or_default(),
            latency: Latency::new(wire.p50_ms, wire.p99_ms, wire.latency_tail),
            crash_at_start: wire.crash_at_start,
            crash_after: time("crash_after", &wire.crash_after)?,
            never_ready: wire.never_ready,
            warm_up: time("slow_start", &wire.slow_start)?.unwrap_or(WARM_UP),
            leak_per_request: bytes("leak_per_request", &wire.leak_per_request)?.unwrap_or(0),
            leak_limit: bytes("leak_limit", &wire.leak_limit)?.unwrap_or(LEAK_LIMIT),
            hang_on_sigterm: wire.hang_on_sigterm,
            version: wire.version,
        })
    }

    /// Reads the behaviour file at `path`.
    pub fn load(path: &Path) -> Result<Self, BehaviourError> {
        let text = std::fs::read_to_string(path).map_err(|cause| BehaviourError::Read {
            path: path.to_owned(),
            cause,
        })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Reads the shipped behaviour file called `name`, see [`crate::VERSIONS`].
    pub fn shipped(name: &str) -> Result<Self, BehaviourError> {
        let names = || crate::VERSIONS.iter().map(|(name, _)| *name);
        match crate::VERSIONS.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::parse(name, text),
            None => Err(BehaviourError::NotShipped {
                name: name.to_owned(),
                suggestion: suggest(name, names()),
                known: names().collect::<Vec<_>>().join(", "),
            }),
        }
    }
}

/// Where the behaviour comes from.
pub(crate) enum Source {
    File(PathBuf),
    Shipped(String),
}

impl Source {
    pub(crate) fn read(&self) -> Result<Behaviour, BehaviourError> {
        match self {
            Self::File(path) => Behaviour::load(path),
            Self::Shipped(name) => Behaviour::shipped(name),
        }
    }
}

/// `2s`, `150ms`, `1m30s`; negative durations are not durations here.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    text.parse::<jiff::SignedDuration>().ok()?.try_into().ok()
}

/// `64KiB`, `4MiB`, `1GiB`, `512B`: bytes in powers of 1024, as in the rest of the project.
fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// `, did you mean …?` for the nearest of `known`, or nothing when none is near.
fn suggest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(nearness, _)| *nearness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| format!(", did you mean `{candidate}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_file_reads_and_the_good_ones_are_good() {
        for (name, _) in crate::VERSIONS {
            let behaviour = Behaviour::shipped(name).unwrap();
            assert!(!behaviour.version.is_empty(), "{name}");
        }
        let good = Behaviour::shipped("1.0.0").unwrap();
        assert_eq!(good.error_rate, 0.0);
        assert_eq!(good.warm_up, WARM_UP);
        assert_eq!(
            Behaviour {
                version: "2.0.0".to_owned(),
                ..good
            },
            Behaviour::shipped("2.0.0").unwrap()
        );
        assert_eq!(Behaviour::shipped("3.0.0").unwrap().error_rate, 0.05);
        assert_eq!(Behaviour::shipped("leak").unwrap().leak_per_request, 65536);
    }

    #[test]
    fn the_versions_folder_and_the_constant_list_the_same_files() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("versions");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
            .collect();
        let mut known: Vec<_> = crate::VERSIONS
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        files.sort();
        known.sort();
        assert_eq!(files, known);
    }

    #[test]
    fn a_file_that_cannot_be_followed_is_refused_with_its_key() {
        let cases = [
            (
                "error_rat = 0.1",
                "unknown key `error_rat`, did you mean `error_rate`?",
            ),
            (
                "zebra = 1",
                "unknown key `zebra`; known keys: version, error_rate",
            ),
            (
                "error_rate = 1.5",
                "error_rate = 1.5 must lie between 0 and 1",
            ),
            (
                "error_rate = nan",
                "error_rate = nan must lie between 0 and 1",
            ),
            (
                "errors_after = \"2s\"",
                "errors_after = \"2s\" has no effect without error_rate",
            ),
            (
                "p50_ms = 20.0",
                "p99_ms = (absent) must be a number of milliseconds, at least p50_ms",
            ),
            (
                "latency_tail = 0.5",
                "latency_tail = 0.5 must be a factor of at least 1",
            ),
            (
                "latency_tail = inf",
                "latency_tail = inf must be a factor of at least 1",
            ),
            (
                "slow_start = \"soon\"",
                "slow_start = \"soon\" is not a duration",
            ),
            (
                "crash_after = \"-2s\"",
                "crash_after = \"-2s\" is not a duration",
            ),
            (
                "leak_per_request = \"64kb\"",
                "leak_per_request = \"64kb\" is not a size",
            ),
            (
                "leak_limit = \"1MiB\"",
                "leak_limit = \"1MiB\" has no effect without leak_per_request",
            ),
            ("never_ready = 1", "malformed"),
            ("version = \"2\"", "malformed"),
        ];
        for (line, expected) in cases {
            let text = format!("version = \"9.9.9\"\n{line}\n");
            let error = Behaviour::parse("v.toml", &text).unwrap_err().to_string();
            assert!(
                error.starts_with("behaviour file v.toml"),
                "{line}: {error}"
            );
            assert!(error.contains(expected), "{line}: {error}");
        }
        let error = Behaviour::parse("v.toml", "error_rate = 0.1").unwrap_err();
        assert!(
            error.to_string().contains("missing field `version`"),
            "{error}"
        );
        let error = Behaviour::parse("v.toml", "version = \"a b\"").unwrap_err();
        assert!(
            error.to_string().contains("must be visible ASCII"),
            "{error}"
        );
        let error = Behaviour::shipped("slow-tale").unwrap_err();
        assert!(
            error.to_string().contains("did you mean `slow-tail`?"),
            "{error}"
        );
    }
}

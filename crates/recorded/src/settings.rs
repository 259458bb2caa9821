//! What a run of the recorder is told: everything is an argument, nothing is read from the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use gonogo_core::Span;

use crate::error::Error;
use crate::redact::RedactionRules;

/// What the caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Ask the real services and write a cassette.
    Record,
    /// Play a cassette.
    Playback,
    /// Play the cassette if it is there, record it if not; in CI never record.
    #[default]
    Auto,
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.to_ascii_lowercase().as_str() {
            "record" => Ok(Self::Record),
            "playback" => Ok(Self::Playback),
            "auto" => Ok(Self::Auto),
            _ => Err(Error::setting(
                format!("mode `{}`", text.chars().take(40).collect::<String>()),
                "expected `record`, `playback` or `auto`",
            )),
        }
    }
}

/// What is done, once it is known whether a cassette is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Recording.
    Record,
    /// Playing.
    Playback,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Record => "record",
            Self::Playback => "playback",
        })
    }
}

/// Whether the text of a variable like `CI` means yes: anything but nothing, `0`, `false`, `no` and `off`.
#[must_use]
pub fn truthy(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    !matches!(text.as_str(), "" | "0" | "false" | "no" | "off")
}

/// How a run of the recorder is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The cassette's file; large bodies lie beside it, in the folder with `.blobs` in place of `.json`.
    pub cassette: PathBuf,
    /// What to do.
    pub mode: Mode,
    /// Whether this is CI (see [`truthy`]): there the automatic mode does not record.
    pub ci: bool,
    /// Whether a recording may replace a cassette that is there.
    pub replace: bool,
    /// Named services, each with its base URL; each gets a port of its own and the variable `GONOGO_RECORDED_<NAME>`.
    pub upstreams: BTreeMap<String, String>,
    /// Whether there is a forward proxy too, for what takes its proxy from the environment.
    pub forward: bool,
    /// Whether requests to this machine itself go through the forward proxy as well.
    pub loopback: bool,
    /// Host names that are looked up here and not in the DNS. The port holds for URLs that name none.
    pub resolve: BTreeMap<String, SocketAddr>,
    /// A file of PEM certificates that upstreams may be signed by, beside the system's.
    pub upstream_roots: Option<PathBuf>,
    /// What makes two requests the same.
    pub matching: MatchRules,
    /// What is replaced before anything is kept.
    pub redaction: RedactionRules,
    /// Whether playback keeps the recorded pauses between chunks.
    pub timing: bool,
    /// Whether exchanges that nobody asked for are no reason to hold: for runs of a part of the tests.
    pub allow_unused: bool,
    /// How old a cassette may be.
    pub max_age: Span,
    /// Time and size limits.
    pub limits: Limits,
}

impl Settings {
    /// Settings with defaults: automatic mode, no service, no forward proxy, 90 days.
    #[must_use]
    pub fn new(cassette: impl Into<PathBuf>) -> Self {
        Self {
            cassette: cassette.into(),
            mode: Mode::Auto,
            ci: false,
            replace: false,
            upstreams: BTreeMap::new(),
            forward: false,
            loopback: false,
            resolve: BTreeMap::new(),
            upstream_roots: None,
            matching: MatchRules::default(),
            redaction: RedactionRules::default(),
            timing: false,
            allow_unused: false,
            max_age: Span::from_secs(90 * 86_400),
            limits: Limits::default(),
        }
    }

    /// Decides what is done.
    pub(crate) fn action(&self) -> Result<Action, Error> {
        let there = std::fs::symlink_metadata(&self.cassette).is_ok();
        let path = || self.cassette.clone();
        match (self.mode, there) {
            (Mode::Playback | Mode::Auto, true) => Ok(Action::Playback),
            (Mode::Playback, false) => Err(Error::Missing { path: path() }),
            (Mode::Auto, false) if self.ci => Err(Error::MissingInCi { path: path() }),
            (Mode::Record, true) if !self.replace => Err(Error::Exists { path: path() }),
            (Mode::Auto | Mode::Record, _) => Ok(Action::Record),
        }
    }
}

/// What makes two requests the same, beside method and URL, which are always compared.
#[derive(Debug, Clone, Default)]
pub struct MatchRules {
    /// JSON bodies: keys that were not recorded are ignored, and a recorded `null` stands for an absent key too.
    pub template: bool,
    /// JSON pointers (RFC 6901) to what is not compared in JSON bodies; a segment `*` stands for any key or index.
    pub volatile: Vec<String>,
    /// Request headers that are compared too.
    pub headers: Vec<String>,
    /// Requests that may come any number of times: `METHOD URL`, where the URL may end in `*`. Noted in the cassette when it is
    /// recorded.
    pub repeat: Vec<String>,
}

/// Time and size limits.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For a new connection to an upstream.
    pub connect: Span,
    /// For silence of an upstream that has the request and gives no answer.
    pub response: Span,
    /// For silence inside a body, in either direction.
    pub idle: Span,
    /// From accept, or from the first byte of a later request, to the end of its head.
    pub head: Span,
    /// For exchanges under way when the run ends.
    pub drain: Span,
    /// Largest body that is recorded or compared, bytes, decoded. Larger ones still pass, and the recording is not saved.
    pub body: u64,
    /// Bodies over this lie in files of their own, bytes.
    pub inline: u64,
    /// Exchanges in one cassette.
    pub interactions: usize,
    /// A cassette's file without its blobs, bytes.
    pub cassette: u64,
    /// Connections at one time; more wait.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Span::from_secs(10),
            response: Span::from_secs(60),
            idle: Span::from_secs(60),
            head: Span::from_secs(30),
            drain: Span::from_secs(5),
            body: 64 << 20,
            inline: 64 << 10,
            interactions: 10_000,
            cassette: 128 << 20,
            connections: 1_024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_without_case_and_nothing_else_is_one() {
        assert_eq!("ReCord".parse::<Mode>().unwrap(), Mode::Record);
        assert_eq!("PLAYBACK".parse::<Mode>().unwrap(), Mode::Playback);
        for bad in ["", "rec", "passthrough", "auto ", "none"] {
            assert!(bad.parse::<Mode>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_ci_says_is_read_as_people_mean_it() {
        for yes in ["1", "true", "yes", "github", "TRUE"] {
            assert!(truthy(yes), "{yes}");
        }
        for no in ["", "0", "false", "False", "no", "off", " "] {
            assert!(!truthy(no), "{no}");
        }
    }

    #[test]
    fn the_mode_is_decided_by_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(dir.path().join("c.json"));
        assert_eq!(settings.action().unwrap(), Action::Record);
        settings.ci = true;
        assert!(matches!(settings.action(), Err(Error::MissingInCi { .. })));
        settings.mode = Mode::Record;
        assert_eq!(settings.action().unwrap(), Action::Record);
        settings.mode = Mode::Playback;
        assert!(matches!(settings.action(), Err(Error::Missing { .. })));
        std::fs::write(&settings.cassette, "{}").unwrap();
        assert_eq!(settings.action().unwrap(), Action::Playback);
        settings.mode = Mode::Record;
        assert!(matches!(settings.action(), Err(Error::Exists { .. })));
        settings.replace = true;
        assert_eq!(settings.action().unwrap(), Action::Record);
        settings.mode = Mode::Auto;
        assert_eq!(settings.action().unwrap(), Action::Playback);
    }
}

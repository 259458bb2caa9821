//! What a failure that does not last says of the machine: words in its text that people know.
//!
//! A pattern is a hint for people and for reports. It makes nothing a flake and excuses nothing: only a pass on the same tree does the first,
//! and only a gate the second.

use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::cause::Cause;

/// A pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// A port that somebody else has.
    PortConflict,
    /// A directory for temporary files that came or went meanwhile.
    TmpdirRace,
    /// Files that two hold at once.
    FsContention,
    /// Memory, disk, handles, processes.
    ResourceExhaustion,
    /// A collector that ran at a bad time, or had too little.
    GcPressure,
    /// Something that was waited for too long.
    Timeout,
    /// A network or a service that did not answer as it should.
    Network,
    /// Nothing in the text says.
    Unknown,
}

/// Words of each, in small letters; the first that is found counts.
const WORDS: [(Pattern, &[&str]); 5] = [
    (
        Pattern::PortConflict,
        &[
            "address already in use",
            "eaddrinuse",
            "port is already allocated",
            "addrinuse",
        ],
    ),
    (
        Pattern::GcPressure,
        &[
            "gc overhead limit",
            "javascript heap out of memory",
            "allocation failed - javascript",
        ],
    ),
    (
        Pattern::FsContention,
        &[
            "text file busy",
            "etxtbsy",
            "resource busy",
            "database is locked",
            "could not acquire lock",
            "ebusy",
        ],
    ),
    (
        Pattern::ResourceExhaustion,
        &[
            "too many open files",
            "emfile",
            "enfile",
            "cannot allocate memory",
            "no space left on device",
            "resource temporarily unavailable",
        ],
    ),
    (
        Pattern::Timeout,
        &["timed out", "deadline exceeded", "timeout"],
    ),
];

impl Pattern {
    /// The pattern of a failure, by its class and message and then by its cause.
    pub fn of(failure: &Failure, cause: Option<&Cause>) -> Self {
        let text = format!("{}\n{}", failure.class, failure.message).to_lowercase();
        let gone = text.contains("no such file or directory") || text.contains("enoent");
        if gone
            && (text.contains("/tmp") || text.contains("tempdir") || text.contains("/var/folders"))
        {
            return Self::TmpdirRace;
        }
        let found = WORDS
            .iter()
            .find(|(_, words)| words.iter().any(|word| text.contains(word)));
        match (found, cause) {
            (Some((pattern, _)), _) => *pattern,
            (None, Some(Cause::OutOfMemory | Cause::DiskFull)) => Self::ResourceExhaustion,
            (None, Some(Cause::Timeout)) => Self::Timeout,
            (None, Some(Cause::NetworkIo)) => Self::Network,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_tell_patterns_and_silence_tells_none() {
        for (message, cause, pattern) in [
            (
                "bind: Address already in use (os error 98)",
                None,
                Pattern::PortConflict,
            ),
            (
                "open /tmp/x1/db: No such file or directory",
                None,
                Pattern::TmpdirRace,
            ),
            (
                "open data/db: No such file or directory",
                Some(Cause::MissingFile),
                Pattern::Unknown,
            ),
            (
                "fork: Resource temporarily unavailable",
                None,
                Pattern::ResourceExhaustion,
            ),
            ("Text file busy (os error 26)", None, Pattern::FsContention),
            ("waited 5 s: timed out", None, Pattern::Timeout),
            ("reset by peer", Some(Cause::NetworkIo), Pattern::Network),
            (
                "expected 1, got 2",
                Some(Cause::AssertionFailure),
                Pattern::Unknown,
            ),
        ] {
            let failure = Failure {
                message: message.into(),
                ..Failure::default()
            };
            assert_eq!(Pattern::of(&failure, cause.as_ref()), pattern, "{message}");
        }
    }
}

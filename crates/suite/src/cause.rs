//! The class of a failure's cause, told from the failure itself and never from a whole log, where any passing test may mention a timeout.
//!
//! A user's rules come first. Then what is said by its place: the kind that the runner reports, the exception's type, how an expectation
//! begins (`kinds`), how the process ended. Only then words of the message, and of those lines of the trace that are an error's own: an
//! expectation about the text "connection refused" is an expectation. What no rule knows is [`Cause::Unclassified`], and that counts.

mod kinds;
pub(crate) mod network;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::{Failure, FailureKind};

/// Classes of causes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A rule of the user's own.
    Own(String),
    /// It was never built.
    CompileError,
    /// Memory ran out.
    OutOfMemory,
    /// The disk, or a quota, was full.
    DiskFull,
    /// A signal ended it.
    Signal,
    /// A recorded answer was not there or did not fit.
    RecordingMismatch,
    /// It took too long.
    Timeout,
    /// A connection failed in a way that may not last: reset, refused, a name not found, 429, 503.
    NetworkIo,
    /// It may not.
    PermissionDenied,
    /// A linter or formatter.
    LintFailure,
    /// A file is not there.
    MissingFile,
    /// An expectation did not hold.
    AssertionFailure,
    /// A panic or an uncaught exception.
    Panic,
    /// No rule knows it.
    Unclassified,
}

impl Cause {
    /// The classes that are ours, in the order of their priority.
    pub const OURS: [Self; 13] = [
        Self::CompileError,
        Self::OutOfMemory,
        Self::DiskFull,
        Self::Signal,
        Self::RecordingMismatch,
        Self::Timeout,
        Self::NetworkIo,
        Self::PermissionDenied,
        Self::LintFailure,
        Self::MissingFile,
        Self::AssertionFailure,
        Self::Panic,
        Self::Unclassified,
    ];

    /// The class that a word names: one of ours, or the user's own.
    pub fn named(word: &str) -> Self {
        let ours = Self::OURS.into_iter().find(|cause| cause.word() == word);
        ours.unwrap_or_else(|| Self::Own(word.to_owned()))
    }

    /// The word in reports.
    pub fn word(&self) -> &str {
        match self {
            Self::Own(name) => name,
            Self::CompileError => "compile_error",
            Self::OutOfMemory => "out_of_memory",
            Self::DiskFull => "disk_full",
            Self::Signal => "signal",
            Self::RecordingMismatch => "recording_mismatch",
            Self::Timeout => "timeout",
            Self::NetworkIo => "network_io",
            Self::PermissionDenied => "permission_denied",
            Self::LintFailure => "lint_failure",
            Self::MissingFile => "missing_file",
            Self::AssertionFailure => "assertion_failure",
            Self::Panic => "panic",
            Self::Unclassified => "unclassified",
        }
    }

    /// Whether it says something of the test: what was never built or found no disk does not.
    pub const fn is_of_the_test(&self) -> bool {
        !matches!(self, Self::CompileError | Self::DiskFull)
    }

    /// What to do about it, one sentence.
    pub const fn remediation(&self) -> &'static str {
        match self {
            Self::Own(_) => "Follow the rule's own entry in the runbook.",
            Self::CompileError => "Build it; the first error is the one to mend.",
            Self::OutOfMemory => {
                "Run fewer tests at once, or find what grows; the resource samples say when."
            }
            Self::DiskFull => {
                "Free space; the run says how much was left, and nothing that it wrote afterwards can be believed."
            }
            Self::Signal => "Run the one test under a debugger; a core or a sanitizer says where.",
            Self::RecordingMismatch => {
                "Compare the request with the recorded one; record again if it was meant to change."
            }
            Self::Timeout => "Look at what it waited for: the last lines before the end say so.",
            Self::NetworkIo => {
                "Replay it; if it passes, it depends on something outside that the test should not need."
            }
            Self::PermissionDenied => {
                "Compare the user, the mode and the mount with those of a run that passed."
            }
            Self::LintFailure => "Run the linter; its first finding is printed.",
            Self::MissingFile => "Make the file where the test looks for it, or say where it is.",
            Self::AssertionFailure => "Replay the one test and compare expected with actual.",
            Self::Panic => "Replay the one test; the first frame of its own code is where to look.",
            Self::Unclassified => {
                "Read the excerpt; add a rule to the runbook when the cause is known."
            }
        }
    }
}

/// A rule of the user's own: what a pattern finds is of its class.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Names it.
    pub id: String,
    /// Looked for in class, message and trace, each by itself.
    pub pattern: Regex,
    /// What its failures are of: a class of ours, or [`Cause::Own`].
    pub class: Cause,
    /// What to do; empty if it does not say.
    pub remediation: String,
}

/// Two rules are the same if they are written the same.
impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        let of = |rule: &Self| {
            (
                rule.id.clone(),
                rule.class.clone(),
                rule.remediation.clone(),
            )
        };
        of(self) == of(other) && self.pattern.as_str() == other.pattern.as_str()
    }
}

impl Rule {
    /// Whether it knows a failure.
    pub fn knows(&self, failure: &Failure) -> bool {
        let parts = [&failure.class, &failure.message, &failure.trace];
        parts.iter().any(|part| self.pattern.is_match(part))
    }
}

/// The rule of the user's own that decides on a failure: the first that knows it.
pub fn ruled<'a>(failure: &Failure, own: &'a [Rule]) -> Option<&'a Rule> {
    own.iter().find(|rule| rule.knows(failure))
}

/// What to do about a failure: what the user's own rule says, or else what its class says.
pub fn remediation<'a>(failure: &Failure, cause: &Cause, own: &'a [Rule]) -> &'a str {
    match ruled(failure, own).map(|rule| rule.remediation.as_str()) {
        Some(text) if !text.is_empty() => text,
        _ => cause.remediation(),
    }
}

/// Tells the cause.
pub fn cause(failure: &Failure, own: &[Rule]) -> Cause {
    if let Some(rule) = ruled(failure, own) {
        return rule.class.clone();
    }
    // What the runner itself says needs no guess.
    match failure.kind {
        FailureKind::Compile => return Cause::CompileError,
        FailureKind::OutOfMemory => return Cause::OutOfMemory,
        FailureKind::Timeout => return Cause::Timeout,
        // What ends a process may say why.
        FailureKind::Crash => {
            let why = by_words(&failure.message).or_else(|| by_words(&failure.trace));
            let ended = [Cause::OutOfMemory, Cause::DiskFull];
            return why
                .filter(|why| ended.contains(why))
                .unwrap_or(Cause::Signal);
        }
        _ => {}
    }
    if let Some(cause) = kinds::of(failure) {
        return cause;
    }
    let of_kind = match failure.kind {
        FailureKind::Assertion => return Cause::AssertionFailure,
        FailureKind::Panic => Some(Cause::Panic),
        _ => None,
    };
    // The last lines of a log: what was tried again is not why it failed.
    let (told, is_log) = match failure.message.split_once('\n') {
        Some((first, lines)) if first.starts_with("it ended with ") => (lines, true),
        _ => (failure.message.as_str(), false),
    };
    let said = match by_words(told) {
        Some(Cause::NetworkIo | Cause::Timeout) if is_log && network::is_overtaken(told) => {
            return Cause::Unclassified;
        }
        None if is_log && told.lines().any(network::is_told) => {
            return match network::is_overtaken(told) {
                true => Cause::Unclassified,
                false => Cause::NetworkIo,
            };
        }
        Some(Cause::Timeout) if is_log && told.lines().any(network::is_told) => {
            Some(Cause::NetworkIo)
        }
        said => said.or_else(|| by_lines(failure)),
    };
    said.or(of_kind).unwrap_or(Cause::Unclassified)
}

/// Words of causes, in the order in which they are looked for: the more a word explains, the earlier.
const WORDS: [(Cause, &[&str]); 11] = [
    (
        Cause::CompileError,
        &[
            "could not compile",
            "error[e0",
            "syntaxerror:",
            "cannot find symbol",
            "build failed",
            "importerror while importing",
            "error ts",
        ],
    ),
    (
        Cause::OutOfMemory,
        &[
            "out of memory",
            "outofmemoryerror",
            "memory allocation of",
            "cannot allocate memory",
            "heap out of memory",
            "std::bad_alloc",
            "oom-kill",
        ],
    ),
    (
        Cause::DiskFull,
        &[
            "no space left on device",
            "enospc",
            "disk quota exceeded",
            "database or disk is full",
        ],
    ),
    (
        Cause::Signal,
        &[
            "sigsegv",
            "sigabrt",
            "sigbus",
            "sigill",
            "sigkill",
            "segmentation fault",
            "core dumped",
            "signal: ",
            "killed by signal",
        ],
    ),
    (
        Cause::RecordingMismatch,
        &[
            "no matching interaction",
            "no recorded interaction",
            "cassette",
        ],
    ),
    (
        Cause::Timeout,
        &[
            "timed out",
            "timeout exceeded",
            "timeouterror",
            "timeoutexception",
            "deadline exceeded",
            "exceeded timeout",
            "etimedout",
        ],
    ),
    (
        Cause::NetworkIo,
        &[
            "connection refused",
            "connection reset",
            "econnrefused",
            "econnreset",
            "broken pipe",
            "name or service not known",
            "getaddrinfo",
            "temporary failure in name resolution",
            "temporary failure resolving",
            "could not resolve host",
            "failed to connect to ",
            "couldn't connect to server",
            "no such host",
            "no route to host",
            "tls handshake timeout",
            "enotfound",
            "eai_again",
            "network is unreachable",
            "429 too many requests",
            "503 service unavailable",
        ],
    ),
    (
        Cause::PermissionDenied,
        &[
            "permission denied",
            "operation not permitted",
            "eacces",
            "permissionerror",
        ],
    ),
    (
        Cause::LintFailure,
        &["clippy::", "eslint", "rustfmt", "diff in ", "ruff check"],
    ),
    (
        Cause::MissingFile,
        &[
            "no such file or directory",
            "enoent",
            "filenotfounderror",
            "file not found",
            "cannot find module",
            "modulenotfounderror",
            "no module named",
            "file or directory not found: ",
        ],
    ),
    (
        Cause::AssertionFailure,
        &[
            "assertion",
            "expected",
            "to equal",
            "assert_eq",
            "comparisonfailure",
        ],
    ),
];

/// The cause that words of a text tell.
fn by_words(text: &str) -> Option<Cause> {
    let text = text.to_lowercase();
    let found = WORDS
        .iter()
        .find(|(_, words)| words.iter().any(|word| is_said(&text, word)));
    if let Some((cause, _)) = found {
        return Some(cause.clone());
    }
    let panicked = text.contains("panicked at") || text.contains("panic:");
    panicked.then_some(Cause::Panic)
}

/// Codes that count as whole words alone: `ModuleNotFoundError` has `enotfound` in it.
const CODES: [&str; 13] = [
    "enospc",
    "sigsegv",
    "sigabrt",
    "sigbus",
    "sigill",
    "sigkill",
    "etimedout",
    "getaddrinfo",
    "econnrefused",
    "econnreset",
    "enotfound",
    "eai_again",
    "eacces",
];

/// Whether a text, in small letters, has a word of [`WORDS`].
fn is_said(text: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + word.len()..]);
        match word {
            // node says so of every file that failed: `signal: null`, `signal: ~`.
            "signal: " => !["null", "~", "none", "undefined", "0"].iter().any(|none| {
                behind
                    .strip_prefix(none)
                    .is_some_and(|rest| !rest.starts_with(is_word))
            }),
            _ if CODES.contains(&word) => {
                !before.ends_with(is_word) && !behind.starts_with(is_word)
            }
            _ => true,
        }
    })
}

/// The cause that a trace tells: in the lines that are an error's own, or in all of it where there is no message.
fn by_lines(failure: &Failure) -> Option<Cause> {
    const STARTS: [&str; 10] = [
        "e ",
        "importerror while",
        "error",
        "fatal",
        "panic",
        "caused by",
        "curl: ",
        "npm err",
        "npm error",
        "fatal error",
    ];
    let own = |line: &&str| {
        let line = line.trim_start().to_lowercase();
        STARTS.iter().any(|start| line.starts_with(start))
    };
    let lines: Vec<&str> = failure.trace.lines().filter(own).collect();
    // node of a file that a signal ended, beside its `exitCode`.
    if failure.trace.contains("exitCode: ") && failure.trace.contains("signal: 'SIG") {
        return Some(Cause::Signal);
    }
    by_words(&lines.join("\n")).or_else(|| match failure.message.is_empty() {
        true => by_words(&failure.trace),
        false => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: FailureKind, message: &str, trace: &str) -> Cause {
        let failure = Failure {
            kind,
            message: message.into(),
            trace: trace.into(),
            ..Failure::default()
        };
        cause(&failure, &[])
    }

    #[test]
    fn a_code_is_a_whole_word_and_no_signal_is_none() {
        let of = |message: &str| of(FailureKind::Other, message, "");
        for text in [
            "ModuleNotFoundError: No module named 'x'",
            "FileNotFoundError: x",
            "urllib3.exceptions.HostNotFoundError",
        ] {
            assert_ne!(of(text), Cause::NetworkIo, "{text}");
        }
        assert_eq!(of("getaddrinfo ENOTFOUND db.test"), Cause::NetworkIo);
        assert_eq!(of("Error: code=ENOTFOUND, host"), Cause::NetworkIo);
        for text in ["exitCode: 1, signal: null }", "signal: ~", "signal: None"] {
            assert_ne!(of(text), Cause::Signal, "{text}");
        }
        for text in [
            "signal: killed",
            "exitCode: null, signal: 'SIGKILL' }",
            "signal: 9, it ended",
        ] {
            assert_eq!(of(text), Cause::Signal, "{text}");
        }
        let node = "duration_ms: 81\nexitCode: ~\nsignal: 'SIGKILL'\nerror: 'test failed'";
        let failure = Failure {
            message: "test failed".into(),
            trace: node.into(),
            ..Failure::default()
        };
        assert_eq!(cause(&failure, &[]), Cause::Signal);
        let failure = Failure {
            trace: node.replace("'SIGKILL'", "~"),
            ..failure
        };
        assert_eq!(cause(&failure, &[]), Cause::Unclassified);
    }

    #[test]
    fn causes_are_told_from_the_failure() {
        use FailureKind::{Assertion, Compile, Crash, Other, Panic, Timeout};
        for (kind, message, trace, expected) in [
            (Compile, "x", "", Cause::CompileError),
            (
                Other,
                "error[E0308]: mismatched types",
                "",
                Cause::CompileError,
            ),
            (
                Other,
                "java.lang.OutOfMemoryError: Java heap space",
                "",
                Cause::OutOfMemory,
            ),
            (
                Panic,
                "write: No space left on device (os error 28)",
                "",
                Cause::DiskFull,
            ),
            (Crash, "it ended", "", Cause::Signal),
            (
                Crash,
                "memory allocation of 800 bytes failed",
                "",
                Cause::OutOfMemory,
            ),
            (Other, "process: signal: 11, SIGSEGV", "", Cause::Signal),
            (
                Timeout,
                "assertion `left == right` failed",
                "",
                Cause::Timeout,
            ),
            (Other, "operation timed out after 5 s", "", Cause::Timeout),
            (
                Panic,
                "connect: Connection refused (os error 111)",
                "",
                Cause::NetworkIo,
            ),
            (
                Other,
                "PermissionError: [Errno 13]",
                "",
                Cause::PermissionDenied,
            ),
            (Other, "FileNotFoundError: x.json", "", Cause::MissingFile),
            (Assertion, "left: 1, right: 2", "", Cause::AssertionFailure),
            (
                Other,
                "assertion `left == right` failed",
                "in wait_for_timeout\ntimed out",
                Cause::AssertionFailure,
            ),
            (
                Other,
                "",
                "thread 'x' panicked at src/a.rs:1:2:\nboom",
                Cause::Panic,
            ),
            (Panic, "boom", "", Cause::Panic),
            (Other, "boom", "", Cause::Unclassified),
            // By kind and place, whatever the words are.
            (
                Assertion,
                "assert 'connection refused' in 'x'",
                "",
                Cause::AssertionFailure,
            ),
            (
                Assertion,
                "AssertionError: expected timed out",
                "",
                Cause::AssertionFailure,
            ),
            (
                Other,
                "AssertionError: assert 'timed out' == 'No space left on device'",
                "",
                Cause::AssertionFailure,
            ),
            (
                Panic,
                "assertion failed: text.contains(\"Connection refused\")",
                "",
                Cause::AssertionFailure,
            ),
            (
                Other,
                "expect(received).toBe(expected)",
                "timed out",
                Cause::AssertionFailure,
            ),
            (
                Other,
                "expected 'ECONNREFUSED' to equal 'x'",
                "",
                Cause::AssertionFailure,
            ),
            (
                Assertion,
                "assert 2 == 3",
                "    # retried on \"connection reset\" or \"timed out\"\n    return 2",
                Cause::AssertionFailure,
            ),
            (
                Assertion,
                "ConnectionRefusedError: [Errno 111] Connection refused",
                "",
                Cause::NetworkIo,
            ),
            (
                Assertion,
                "java.net.SocketTimeoutException: Read timed out",
                "",
                Cause::Timeout,
            ),
            (
                Other,
                "TimeoutError: deadline of the lease",
                "",
                Cause::Timeout,
            ),
            (
                Other,
                "ModuleNotFoundError: No module named 'x'",
                "",
                Cause::MissingFile,
            ),
            (Other, "MemoryError", "", Cause::OutOfMemory),
            (Other, "it ended with 137", "", Cause::Signal),
            (Other, "it ended with 124", "", Cause::Timeout),
            (
                Other,
                "it ended with 127\nsh: 1: foo: not found",
                "",
                Cause::MissingFile,
            ),
            (
                Other,
                "it ended with 126\nbash: ./run.sh: Permission denied",
                "",
                Cause::PermissionDenied,
            ),
            (
                Other,
                "it ended with 1\nnot good: total is 3",
                "ok 1 - connection refused is retried\nok 2 - timed out",
                Cause::Unclassified,
            ),
            (
                Other,
                "it ended with 1\ncurl: (28) Operation timed out",
                "",
                Cause::NetworkIo,
            ),
            (
                Other,
                "it failed",
                "x = f(timeout)  # timed out\nE   OSError: [Errno 28] No space left on device",
                Cause::DiskFull,
            ),
            (
                Other,
                "it failed",
                "Caused by: java.net.ConnectException: Connection refused",
                Cause::NetworkIo,
            ),
            (
                Panic,
                "called `Result::unwrap()` on an `Err` value: Os { code: 13, kind: PermissionDenied, message: \"Permission denied\" }",
                "",
                Cause::PermissionDenied,
            ),
            (
                Crash,
                "signal 11 ended it",
                "test timeout ... ok",
                Cause::Signal,
            ),
            (
                Other,
                "the timeout of 5 s is not read from the file",
                "",
                Cause::Unclassified,
            ),
        ] {
            assert_eq!(of(kind, message, trace), expected, "{message} {trace}");
        }
    }

    #[test]
    fn a_users_rule_comes_first() {
        let rule = |id: &str, pattern: &str, class: &str, remediation: &str| Rule {
            id: id.into(),
            pattern: Regex::new(pattern).unwrap(),
            class: Cause::named(class),
            remediation: remediation.into(),
        };
        let rules = [
            rule(
                "broker",
                "broker .* refused",
                "broker_down",
                "Start the broker.",
            ),
            rule("other", "broker", "timeout", ""),
        ];
        let failure = Failure {
            message: "broker b1: connection refused".into(),
            ..Failure::default()
        };
        let found = cause(&failure, &rules);
        assert_eq!(found, Cause::Own("broker_down".into()));
        assert_eq!(remediation(&failure, &found, &rules), "Start the broker.");
        // The first that knows it decides; a class of ours keeps its own advice where the rule has none.
        let found = cause(&failure, &rules[1..]);
        assert_eq!(found, Cause::Timeout);
        let said = remediation(&failure, &found, &rules[1..]);
        assert_eq!(said, Cause::Timeout.remediation());
        assert_eq!(cause(&failure, &[]), Cause::NetworkIo);
    }
}

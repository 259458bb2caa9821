//! The first failure that a target's log shows: for plain commands, and for runners that failed without a failed test.
//!
//! What the process itself came to is not overruled: a command that a signal or the clock ended says so first, and what its log shows explains
//! it. Nothing is found where the log shows nothing; then the end of the log is all there is.

use serde::{Deserialize, Serialize};

use super::{End, Row};
use crate::cause::{self, Cause, Rule};
use crate::first_failure::{Found, Runner};
use crate::{Failure, FailureKind, Location, Signature, TestId, TestVerdict};

/// A failure in the log of a target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogFailure {
    /// The log, relative to the run's directory; [`Found::line`] is a line of it, and 0 if it is empty.
    pub log: String,
    /// What was found there.
    pub found: Found,
    /// Of its failure.
    pub signature: Signature,
    /// Of its failure.
    pub cause: Cause,
}

impl LogFailure {
    /// What follows from what was found.
    pub fn new(log: &str, found: Found, rules: &[Rule]) -> Self {
        Self {
            log: log.to_owned(),
            signature: Signature::of(&found.failure),
            cause: cause::cause(&found.failure, rules),
            found,
        }
    }

    /// It as a test of its target, for what asks about tests.
    pub fn row(&self, target: &str, test: &str) -> Row {
        Row {
            target: target.to_owned(),
            test: TestId::new(target, "", test),
            verdict: TestVerdict::Failed,
            attempts: 1,
            seconds: None,
            cached: false,
            skip: None,
            skipped: None,
            file: None,
            signature: Some(self.signature.clone()),
            cause: Some(self.cause.clone()),
            failure: Some(self.found.failure.clone()),
            output: String::new(),
            owner: None,
        }
    }

    /// Where it stands, as people write it: `path:line`.
    pub fn place(&self) -> String {
        match self.found.line {
            0 => self.log.clone(),
            line => format!("{}:{line}", self.log),
        }
    }

    /// Why a target failed of which no test is known to have: what its log shows (`shown`) and how its process ended, as for a plain
    /// command. `log` is its log, relative to the run's directory, of `lines` lines, which ends with `tail`. A process that ended well, was not
    /// started, or was cancelled adds nothing.
    pub fn of_end(
        end: &End,
        shown: Option<Self>,
        (log, lines, tail): (&str, u64, String),
        rules: &[Rule],
    ) -> Option<Self> {
        let ended = match end {
            End::Exited { code } | End::Read { code: Some(code) } => *code != 0,
            End::Signalled { .. } | End::TimedOut { .. } => true,
            End::Cancelled | End::NotStarted { .. } | End::Read { code: None } => false,
        };
        if !ended {
            return shown;
        }
        let (below, header) = last(&tail);
        let failure = command_failure(end, shown.as_ref(), tail);
        let found = match shown {
            Some(shown) => {
                return Some(Self::new(
                    &shown.log,
                    Found {
                        failure,
                        ..shown.found
                    },
                    rules,
                ));
            }
            None => Found {
                runner: Runner::System,
                rule: ENDED.to_owned(),
                line: lines.saturating_sub(below),
                header: header.unwrap_or_else(|| {
                    let first = failure.message.lines().next();
                    first.unwrap_or_default().to_owned()
                }),
                test: None,
                failure,
            },
        };
        Some(Self::new(log, found, rules))
    }
}

/// The rule of a failure that nothing but the end of a process and of its log tells.
pub const ENDED: &str = "process.end";

/// Why a plain command is not good: the failure that its log shows, or how it ended and the `tail` of its log.
pub fn command_failure(end: &End, shown: Option<&LogFailure>, tail: String) -> Failure {
    let (kind, message) = match end {
        End::Exited { code } | End::Read { code: Some(code) } => match shown {
            Some(shown) => return shown.found.failure.clone(),
            None => (
                FailureKind::Other,
                with_lines(format!("it ended with {code}"), &tail),
            ),
        },
        End::Signalled { signal } => {
            let message = format!("signal {signal} ended it");
            if let Some(shown) = shown {
                return Failure {
                    kind: FailureKind::Crash,
                    message: format!("{message}: {}", shown.found.failure.message),
                    ..shown.found.failure.clone()
                };
            }
            (FailureKind::Crash, with_lines(message, &tail))
        }
        // What it waited for stands at the end of the log, whatever went wrong before.
        End::TimedOut { after_ms } => (
            FailureKind::Timeout,
            format!("it took more than {after_ms} ms"),
        ),
        End::Cancelled => (FailureKind::Other, "the run was cancelled".into()),
        End::NotStarted { why } => (FailureKind::Setup, why.clone()),
        End::Read { code: None } => (FailureKind::Other, "nobody says how it ended".into()),
    };
    Failure {
        kind,
        message,
        trace: tail,
        ..Failure::default()
    }
}

/// Most lines of a log that tell two failures apart, and most bytes of one.
const TELLING: usize = 3;
const LONGEST: usize = 300;

/// A message with the last lines of a log that say something: those of errors, and where there are none the last ones. Without them all
/// failures of a command that nobody understands would be one.
fn with_lines(message: String, tail: &str) -> String {
    let mut text = message;
    for line in telling(tail) {
        text.push('\n');
        text.push_str(&line);
    }
    text
}

/// Most changed lines of a snapshot that are kept.
const CHANGED: usize = 40;

/// A snapshot of insta's: what differs, and of which line of the test it is, stands in what was printed before the panic.
fn tell_snapshot(failure: &mut Failure, output: &str) {
    let is_changed = |line: &&str| line.contains("│-") || line.contains("│+");
    for line in output.lines().filter(is_changed).take(CHANGED) {
        if !failure.trace.contains(line) {
            failure.trace.push('\n');
            failure.trace.push_str(line);
        }
    }
    let source = output
        .lines()
        .find_map(|line| line.strip_prefix("Source: "))
        .and_then(|place| place.trim().rsplit_once(':'));
    if let Some((file, line)) = source
        && let Ok(line) = line.parse()
    {
        failure.location = Some(Location {
            file: file.to_owned(),
            line: Some(line),
            column: None,
        });
    }
}

/// Lets a failure that says nothing of why say what its test printed last.
pub(super) fn tell(failure: &mut Failure, output: &str) {
    if failure.message.starts_with("snapshot assertion for ") {
        tell_snapshot(failure, output);
    }
    if output.is_empty() || !crate::signature::is_mute(failure) {
        return;
    }
    let lines = telling(output).join("\n");
    if failure.message.trim().is_empty() {
        failure.message = lines;
    } else if !lines.is_empty() {
        if !failure.trace.is_empty() {
            failure.trace.push('\n');
        }
        failure.trace.push_str(&lines);
    }
}

/// The last line of a log that tells of an error, and how many stand below it.
fn last(tail: &str) -> (u64, Option<String>) {
    let lines = tail.lines().rev().zip(0..);
    let mut told =
        lines.map(|(line, below)| (below, crate::first_failure::clean(line).trim().to_owned()));
    let found = told.find(|(_, line)| says(line) && tells(line));
    found.map_or((0, None), |(below, line)| {
        (
            below,
            Some(line[..crate::signature::floor(&line, LONGEST)].to_owned()),
        )
    })
}

/// Whether a line says something, and not that something is well.
fn says(line: &str) -> bool {
    let small = line.to_lowercase();
    let good = ["ok ", "pass", "✓", "✔", "--- pass", "[info]"]
        .iter()
        .any(|start| small.starts_with(start));
    let good = good
        || ["... ok", " passed", " 0 failed"]
            .iter()
            .any(|end| small.ends_with(end));
    !good && line.chars().any(char::is_alphanumeric)
}

/// Whether a line has a word of errors.
fn tells(line: &str) -> bool {
    const WORDS: [&str; 20] = [
        "error",
        "fail",
        "fatal",
        "panic",
        "exception",
        "cannot",
        "can't",
        "could not",
        "denied",
        "undefined",
        "not found",
        "no such",
        "abort",
        "killed",
        "refused",
        "timed out",
        "unable",
        "invalid",
        "✗",
        "✖",
    ];
    let small = line.to_lowercase();
    WORDS.iter().any(|word| small.contains(word))
}

/// The last [`TELLING`] lines of a log that say something: those of errors, and where there are none the last ones.
fn telling(tail: &str) -> Vec<String> {
    let lines: Vec<String> = tail
        .lines()
        .map(|line| crate::first_failure::clean(line).trim().to_owned())
        .collect();
    let all: Vec<&String> = lines.iter().filter(|line| says(line)).collect();
    let told: Vec<&String> = all.iter().copied().filter(|line| tells(line)).collect();
    let told = if told.is_empty() { all } else { told };
    told[told.len().saturating_sub(TELLING)..]
        .iter()
        .map(|line| line[..crate::signature::floor(line, LONGEST)].to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::first_failure::{Limits, scan};

    const LOG: &str = "   Compiling shop v0.1.0\nerror[E0308]: mismatched types\n --> src/lib.rs:3:5\n  |\n3 |     \"a\"\n  |     ^^^ expected `u32`, found `&str`\n\nerror: could not compile `shop` (lib) due to 1 previous error\n";

    fn shown(log: &str) -> Option<LogFailure> {
        let scan = scan(&mut log.as_bytes(), &Limits::default()).unwrap();
        scan.first()
            .map(|found| LogFailure::new("build/b/output.log", found.clone(), &[]))
    }

    #[test]
    fn a_command_fails_as_its_log_shows() {
        let shown = shown(LOG).unwrap();
        assert_eq!(shown.place(), "build/b/output.log:2");
        assert_eq!(shown.cause, Cause::CompileError);
        let failure = command_failure(&End::Exited { code: 101 }, Some(&shown), "tail".into());
        let place = failure.location.as_ref().unwrap();
        assert_eq!(
            (place.file.as_str(), place.line, place.column),
            ("src/lib.rs", Some(3), Some(5))
        );
        assert_eq!(Signature::of(&failure), shown.signature);
        assert!(!failure.trace.contains("tail"));
    }

    #[test]
    fn how_a_command_ended_is_not_overruled() {
        let shown = shown(LOG).unwrap();
        let of = |end: End| command_failure(&end, Some(&shown), "the tail".into());
        let killed = of(End::Signalled { signal: 9 });
        assert_eq!(killed.kind, FailureKind::Crash);
        assert!(killed.message.starts_with("signal 9 ended it: "));
        let late = of(End::TimedOut { after_ms: 5 });
        assert_eq!(
            (late.kind, late.trace.as_str()),
            (FailureKind::Timeout, "the tail")
        );
    }

    #[test]
    fn where_a_log_shows_nothing_its_end_is_told() {
        assert_eq!(shown("all is well\n"), None);
        let failure = command_failure(&End::Exited { code: 3 }, None, "all is well".into());
        assert_eq!(
            (failure.message.as_str(), failure.trace.as_str()),
            ("it ended with 3\nall is well", "all is well")
        );
    }

    #[test]
    fn a_target_without_a_report_fails_as_its_process_ended() {
        let of = |end: End, log: &str| {
            let lines = log.lines().count() as u64;
            LogFailure::of_end(&end, shown(log), ("u/x/output.log", lines, log.into()), &[])
        };
        let exited = |code| End::Exited { code };
        let said = of(exited(3), "begin\nno licence: cannot open the shop\nbye\n").unwrap();
        assert_eq!(
            (
                said.place().as_str(),
                said.found.header.as_str(),
                said.found.rule.as_str()
            ),
            (
                "u/x/output.log:2",
                "no licence: cannot open the shop",
                ENDED
            )
        );
        let other = of(exited(3), "begin\nthe shop is shut: access denied\nbye\n").unwrap();
        assert_ne!(said.signature, other.signature);
        // What the log shows comes first, and the signal before it.
        assert_eq!(
            of(exited(101), LOG).map(|f| f.found),
            shown(LOG).map(|f| f.found)
        );
        let killed = of(End::Signalled { signal: 11 }, LOG).unwrap();
        assert_eq!((killed.cause, killed.found.line), (Cause::Signal, 2));
        // Nothing was printed: the end is all there is.
        let mute = of(exited(137), "").unwrap();
        assert_eq!(
            (
                mute.cause.clone(),
                mute.place().as_str(),
                mute.found.header.as_str()
            ),
            (Cause::Signal, "u/x/output.log", "it ended with 137")
        );
        assert_eq!(
            of(End::TimedOut { after_ms: 9 }, "x\n").unwrap().cause,
            Cause::Timeout
        );
        for end in [
            exited(0),
            End::Cancelled,
            End::NotStarted { why: "no".into() },
        ] {
            assert_eq!(of(end, "error: it is not well\n"), None);
        }
    }

    #[test]
    fn logs_that_nobody_understands_are_told_apart() {
        let of = |code: i32, log: &str| {
            Signature::of(&command_failure(
                &End::Exited { code },
                None,
                log.to_owned(),
            ))
        };
        let log = "2026-11-22 10:00:01 begin\nwidget count is 3, want 4\ndone in 12 ms\n";
        // Another run in another place.
        let again = "2026-11-23 11:11:01 begin\nwidget count is 3, want 4\ndone in 99 ms\n";
        assert_eq!(of(1, log), of(1, again));
        assert_ne!(of(1, log), of(2, log));
        assert_ne!(of(1, log), of(1, "begin\nno licence for widgets\n"));
        // Where it says what went wrong, this counts and not what came behind it.
        let failed = of(1, "loading\nFATAL: no shard answers\nbye 1\n");
        assert_eq!(failed, of(1, "waiting\nFATAL: no shard answers\nsee you\n"));
        // What passed says nothing of it.
        let passed = "FATAL: x\nok 3 - refuses an error\ntest fatal ... ok\n";
        assert_eq!(of(1, passed), of(1, "FATAL: x\n"));
        assert_eq!(of(3, ""), of(3, "\n\n"));
    }
}

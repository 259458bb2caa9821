//! What a replay showed, held against what it was to show.

use gonogo_core::Reason;
use serde::{Deserialize, Serialize};

use super::{Expects, Replay, Sign};
use crate::run::{COMMAND, End, LogFailure, Problem, Row};
use crate::{Failure, FailureKind, Signature, SkipKind, TestId, TestVerdict};

/// The schema of a [`ReplayResult`].
pub const RESULT: &str = "gonogo.suite.replay-result.v1";

/// Most tests that ran beside the one that was meant, and are named.
const BESIDE: usize = 20;

/// What was seen when a replay's command had been run.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// How the process ended.
    pub end: &'a End,
    /// All tests of its reports, as they were gathered.
    pub rows: &'a [Row],
    /// What is wrong with the reports as evidence.
    pub problems: &'a [Problem],
    /// What the log shows of a target that failed without a failed test.
    pub shown: Option<&'a LogFailure>,
    /// The end of what it printed: only to say why nothing ran.
    pub log: &'a str,
    /// The absolute directory in which it ran, and the one in which the failure was: names of files are compared below them.
    pub roots: (&'a str, &'a str),
}

/// What a replay showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict", deny_unknown_fields)]
pub enum Verdict {
    /// The same failure.
    Reproduced {
        /// Its signature; absent where nothing failed: the process ended well, and its evidence was wrong in the same way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<Signature>,
    },
    /// It failed in another way.
    DifferentSignature {
        /// What was to be shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<Signature>,
        /// What was shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        found: Option<Signature>,
        /// The new failure in a line.
        text: String,
    },
    /// The test ran and passed.
    Passed,
    /// Nothing can be said: it did not run, or not so that it could be believed.
    CannotRun {
        /// Why.
        why: String,
    },
}

impl Verdict {
    /// The word in reports.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Reproduced { .. } => "reproduced",
            Self::DifferentSignature { .. } => "different_signature",
            Self::Passed => "passed",
            Self::CannotRun { .. } => "cannot_run",
        }
    }
}

/// A replay's result, to be recorded. Unknown fields are told by the verdict within, which has the rest of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayResult {
    /// [`RESULT`].
    pub schema: String,
    /// The replay.
    pub replay: Replay,
    /// What it showed.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How the process ended.
    pub end: End,
    /// How many tests ran.
    pub ran: u64,
    /// Others that ran beside the one that was meant, the first few: the selection was wider than a test.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<TestId>,
}

/// Compares. Nothing that ran is never a pass, and neither is a process that contradicts its report.
pub fn compare(replay: &Replay, observed: Observed<'_>) -> ReplayResult {
    let ran: Vec<&Row> = observed.rows.iter().filter(|row| has_run(row)).collect();
    let is_it = |row: &&Row| {
        replay
            .test
            .as_ref()
            .is_some_and(|test| same(test, &row.test, observed.roots))
    };
    let beside = ran
        .iter()
        .filter(|row| !is_it(row))
        .map(|row| row.test.clone());
    ReplayResult {
        schema: RESULT.to_owned(),
        beside: if replay.test.is_some() {
            beside.take(BESIDE).collect()
        } else {
            Vec::new()
        },
        verdict: verdict(replay, &observed, &ran, observed.rows.iter().find(is_it)),
        replay: replay.clone(),
        end: observed.end.clone(),
        ran: ran.len() as u64,
    }
}

fn has_run(row: &Row) -> bool {
    let body = row.verdict == TestVerdict::Skipped && row.skip == Some(SkipKind::Body);
    let is = matches!(
        row.verdict,
        TestVerdict::Passed
            | TestVerdict::Failed
            | TestVerdict::Errored
            | TestVerdict::Flaky
            | TestVerdict::UnexpectedPass
    );
    is && !body && !row.cached
}

/// One test, wherever its tree lies: names of files are compared below the roots.
fn same(expected: &TestId, found: &TestId, (root, before): (&str, &str)) -> bool {
    let below = |text: &str, root: &str| -> String {
        let root = root.trim_end_matches('/');
        let inner = (!root.is_empty())
            .then(|| text.strip_prefix(root))
            .flatten();
        inner
            .and_then(|inner| inner.strip_prefix('/'))
            .unwrap_or(text)
            .to_owned()
    };
    expected.name == found.name
        && below(&expected.suite, before) == below(&found.suite, root)
        && below(&expected.class, before) == below(&found.class, root)
}

fn cannot(why: impl Into<String>) -> Verdict {
    Verdict::CannotRun { why: why.into() }
}

fn verdict(replay: &Replay, observed: &Observed<'_>, ran: &[&Row], row: Option<&Row>) -> Verdict {
    let expects = &replay.expects;
    match observed.end {
        End::NotStarted { why } => return cannot(format!("it could not be started: {why}")),
        End::Cancelled => return cannot("it was cancelled"),
        _ => {}
    }
    if replay.proves_selection.format == COMMAND || is_whole(replay) {
        return whole(replay, observed, ran);
    }
    // A test without a failure of its own may be what a crash or a time-out of the process leaves.
    if let Some(row) = row.filter(|row| has_run(row)) {
        if let Some(lost) = lost(observed, expects.kind, row) {
            return cannot(lost);
        }
        return of_row(replay, observed, row);
    }
    if let Some(text) = ended(observed.end) {
        return cannot(format!("{text} before the test had a result"));
    }
    if let Some(row) = row {
        let why = if row.cached {
            "its result comes from a cache".to_owned()
        } else {
            format!("it is {}", row.verdict.word())
        };
        return cannot(format!("the test did not run: {why}"));
    }
    let said = replay
        .proves_selection
        .nothing_ran
        .iter()
        .find_map(|sign| match sign {
            Sign::Exit(code) if observed.end.code() == Some(*code) => {
                Some(format!("it ended with {code}"))
            }
            Sign::Says(text) => observed
                .log
                .contains(text)
                .then(|| format!("it says `{text}`")),
            Sign::Exit(_) => None,
        });
    let said = said.map_or_else(String::new, |said| format!(": {said}"));
    if let Some(problem) = observed.problems.first()
        && ran.is_empty()
    {
        return cannot(format!(
            "no test ran ({}: {}){said}",
            problem.reason.code(),
            problem.text
        ));
    }
    match ran.len() {
        0 => cannot(format!("no test ran{said}")),
        n => cannot(format!("the test is not among the {n} that ran")),
    }
}

/// Whether it is about a target and no test of it.
const fn is_whole(replay: &Replay) -> bool {
    replay.test.is_none()
}

fn ended(end: &End) -> Option<String> {
    match end {
        End::Signalled { signal } => Some(format!("signal {signal} ended it")),
        End::TimedOut { after_ms } => Some(format!("it was ended after {after_ms} ms")),
        _ => None,
    }
}

/// Why a row cannot be believed although its test ran.
fn lost(observed: &Observed<'_>, expected: Option<FailureKind>, row: &Row) -> Option<String> {
    let is_green = row.verdict == TestVerdict::Passed;
    if let Some(text) = ended(observed.end) {
        let kind = row.failure.as_ref().map(|f| f.kind);
        let by_it = matches!(
            kind,
            Some(FailureKind::Crash | FailureKind::Timeout | FailureKind::OutOfMemory)
        ) && kind == expected;
        if is_green || !by_it {
            return Some(text);
        }
    }
    let untrue = observed.problems.iter().find(|p| {
        matches!(
            p.reason,
            Reason::EvidenceUnparsable
                | Reason::EvidenceTruncated
                | Reason::EvidenceCountMismatch
                | Reason::EvidenceStale
                | Reason::EvidenceCachedOnly
                | Reason::IdCollision
                | Reason::TreeChanged
        ) || (is_green && p.reason == Reason::RunIncomplete)
    });
    untrue.map(|p| {
        format!(
            "its report cannot be believed ({}: {})",
            p.reason.code(),
            p.text
        )
    })
}

fn of_row(replay: &Replay, observed: &Observed<'_>, row: &Row) -> Verdict {
    let expects = &replay.expects;
    let code = observed.end.code();
    let contradicts = |text: String| {
        if expects.reasons.contains(&Reason::ExitCodeConflict) {
            None
        } else {
            Some(cannot(text))
        }
    };
    let others = observed
        .rows
        .iter()
        .any(|r| !r.verdict.is_good() && r.test != row.test);
    match row.verdict {
        TestVerdict::Passed => {
            if code != Some(0) && !others {
                let shown =
                    code.map_or_else(|| "no exit code".to_owned(), |code| format!("{code}"));
                return cannot(format!(
                    "the report says that it passed, and the process ended with {shown}"
                ));
            }
            return Verdict::Passed;
        }
        TestVerdict::UnexpectedPass if expects.verdict == Some(TestVerdict::UnexpectedPass) => {
            return Verdict::Reproduced { signature: None };
        }
        _ => {}
    }
    if code == Some(0)
        && let Some(verdict) =
            contradicts("the report says that it failed, and the process ended with 0".to_owned())
    {
        return verdict;
    }
    let found = row.signature.clone();
    if let (Some(expected), Some(found)) = (&expects.signature, &found)
        && expected.algorithm != found.algorithm
    {
        return cannot(format!(
            "the failure is known by `{}`, and was compared by `{}`",
            expected.algorithm, found.algorithm
        ));
    }
    let is_same = match (&expects.signature, &found) {
        (Some(expected), Some(found)) => expected == found,
        (None, None) => expects.verdict == Some(row.verdict),
        _ => false,
    };
    if is_same {
        return Verdict::Reproduced { signature: found };
    }
    let said = row
        .failure
        .as_ref()
        .map(line)
        .filter(|line| !line.is_empty());
    Verdict::DifferentSignature {
        expected: expects.signature.clone(),
        found,
        text: said
            .unwrap_or(row.verdict.word())
            .chars()
            .take(300)
            .collect(),
    }
}

/// A target as a whole: its end, and what is wrong with it as evidence.
fn whole(replay: &Replay, observed: &Observed<'_>, ran: &[&Row]) -> Verdict {
    let expects = &replay.expects;
    let is_plain = replay.proves_selection.format == COMMAND;
    if let Some(expected) = &expects.end {
        if same_end(expected, observed.end) && observed.end.code() != Some(0) {
            return match observed.rows {
                // The one test of a plain command is the command.
                [row] if is_plain => of_row(replay, observed, row),
                _ => of_log(replay, observed),
            };
        }
        // It ended well, and what it printed is wrong as evidence in the same way.
        if is_plain && same_end(expected, observed.end) && has_reasons(expects, observed) {
            return of_log(replay, observed);
        }
    } else if !is_plain && has_reasons(expects, observed) {
        return of_log(replay, observed);
    }
    if let Some(text) = ended(observed.end) {
        return cannot(text);
    }
    let least = replay.proves_selection.min_tests;
    let count = ran.len() as u64;
    if !is_plain && count < least {
        return cannot(format!("{count} tests ran, and {least} must"));
    }
    let bad = observed.rows.iter().find(|row| !row.verdict.is_good());
    let code = observed.end.code();
    let green = code == Some(0) && bad.is_none() && observed.problems.is_empty();
    if green {
        return Verdict::Passed;
    }
    if code.is_none() {
        return cannot("nobody says how it ended");
    }
    // 126 and 127 are a shell's: there was nothing to run.
    if is_plain && matches!(code, Some(126 | 127)) {
        return cannot(format!(
            "the command cannot be run here: it ended with {}",
            code.unwrap_or_default()
        ));
    }
    // The one test of a plain command is the command.
    if let (true, [row], Some(_)) = (is_plain, observed.rows, bad)
        && replay.test.as_ref().is_some_and(|test| *test == row.test)
    {
        return of_row(replay, observed, row);
    }
    let text = match (bad, observed.problems.first()) {
        (_, Some(problem)) => format!("{}: {}", problem.reason.code(), problem.text),
        (Some(row), None) => format!("`{}` is {}", row.test, row.verdict.word()),
        (None, None) => format!("it ended with {}", code.unwrap_or_default()),
    };
    Verdict::DifferentSignature {
        expected: expects.signature.clone(),
        found: found(observed),
        text,
    }
}

/// Whether all that was wrong is wrong again.
fn has_reasons(expects: &Expects, observed: &Observed<'_>) -> bool {
    let is_there = |reason: &Reason| observed.problems.iter().any(|p| p.reason == *reason);
    !expects.reasons.is_empty() && expects.reasons.iter().all(is_there)
}

/// The signature of what a target failed by: of its first bad test, or of what its log shows.
fn found(observed: &Observed<'_>) -> Option<Signature> {
    let bad = observed.rows.iter().find(|row| !row.verdict.is_good());
    match bad {
        Some(row) => row.signature.clone(),
        None => observed.shown.map(|shown| shown.signature.clone()),
    }
}

/// A target that ended in the same way, and whose evidence is wrong in the same way: the same failure only if its signature is. An exit code
/// and a report that is not there are those of any failure.
fn of_log(replay: &Replay, observed: &Observed<'_>) -> Verdict {
    let bad = observed.rows.iter().find(|row| !row.verdict.is_good());
    match (&replay.expects.signature, found(observed)) {
        (Some(expected), Some(found)) if expected.algorithm != found.algorithm => cannot(format!(
            "the failure is known by `{}`, and was compared by `{}`",
            expected.algorithm, found.algorithm
        )),
        (Some(expected), Some(found)) if *expected == found => Verdict::Reproduced {
            signature: Some(found),
        },
        (Some(expected), found) => {
            let text = match (bad, observed.shown) {
                (Some(row), _) => format!("`{}` is {}", row.test, row.verdict.word()),
                (None, Some(shown)) => line(&shown.found.failure).to_owned(),
                (None, None) => "its log shows no failure".to_owned(),
            };
            Verdict::DifferentSignature {
                expected: Some(expected.clone()),
                found,
                text: text.chars().take(300).collect(),
            }
        }
        // Nothing failed but the evidence, and that did again.
        (None, None) if observed.end.code() == Some(0) && bad.is_none() => {
            Verdict::Reproduced { signature: None }
        }
        (None, _) => cannot(
            "it ended in the same way, and nothing is known of the first failure that would tell whether this is the same one",
        ),
    }
}

/// The first line of what a failure says.
fn line(failure: &Failure) -> &str {
    let text = match failure.message.is_empty() {
        true => &failure.trace,
        false => &failure.message,
    };
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| !line.is_empty()).unwrap_or_default()
}

/// Whether two processes ended in the same way. How long a time-out was does not matter.
fn same_end(a: &End, b: &End) -> bool {
    match (a, b) {
        (End::TimedOut { .. }, End::TimedOut { .. }) => true,
        (End::Exited { .. } | End::Read { .. }, End::Exited { .. }) => {
            a.code().is_some() && a.code() == b.code()
        }
        (a, b) => a == b,
    }
}

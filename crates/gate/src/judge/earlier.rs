//! Earlier runs of the same tree: what went wrong in one and is well in the run that counts went both ways on one tree.
//!
//! Invariants: no run of the tree is too old to count, or waiting would be an excuse; a test that was errored counts as one that failed,
//! since reports write an exception that is no assertion so; what was never built, found no disk, or was ended from outside says nothing of
//! the test, and neither does a run in which nothing ran.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use gonogo_core::Reason;
use gonogo_suite::run::{End, Row, TargetResult};
use gonogo_suite::{TestId, TestVerdict};

use super::Court;
use super::obligation::Open;
use super::suite::Seen;
use super::target::excuse;
use crate::quarantine::Cover;
use crate::verdict::Excuse;

/// Signals by which somebody else ends a process: hang up, interrupt, quit, kill, terminate.
const FROM_OUTSIDE: [i32; 5] = [1, 2, 3, 9, 15];

/// What is added to a signal's number by a shell that tells of it.
const BY_SHELL: i32 = 128;

/// Exit codes by which a shell tells that a signal ended a command.
const SIGNALS: RangeInclusive<i32> = BY_SHELL + 1..=BY_SHELL + 64;

/// Looks at the earlier runs of target `name`; `seen` are those that count.
pub(super) fn judge(
    court: &Court<'_>,
    name: &str,
    seen: &[Seen<'_>],
    open: &mut Open,
    excuses: &mut Vec<Excuse>,
) {
    let now: BTreeSet<&TestId> = seen
        .iter()
        .flat_map(|s| s.result.bad.iter().map(|row| &row.test))
        .collect();
    let is_well = seen
        .iter()
        .all(|s| s.result.end.code() == Some(0) && s.result.tests.bad() == 0);
    let used: BTreeSet<&str> = seen.iter().map(|s| s.run.summary.run_id.as_str()).collect();
    let variant = seen.first().map(|s| &s.run.summary.variant);
    let mut told: BTreeSet<&TestId> = BTreeSet::new();
    for run in &court.inputs.runs {
        let s = &run.summary;
        if s.source.tree != court.inputs.subject.tree
            || used.contains(s.run_id.as_str())
            || Some(&s.variant) != variant
        {
            continue;
        }
        for result in s.targets().filter(|t| t.target == name) {
            let cite =
                |open: &mut Open| open.cite(format!("run {}", s.run_id), run.digest, run.record);
            let wrong: Vec<&Row> = result
                .bad
                .iter()
                .filter(|r| went_wrong(r, result))
                .collect();
            if wrong.is_empty() || result.bad_omitted > 0 {
                let why = match wrong.is_empty() {
                    true => ended_badly(result),
                    false => Some(format!(
                        "{} more of its tests did not pass",
                        result.bad_omitted
                    )),
                };
                if let Some(why) = why.filter(|_| is_well) {
                    cite(open);
                    let text = format!(
                        "{why} in run `{}` on this tree, and nothing is bad in the one that counts",
                        s.run_id
                    );
                    open.tell_of(Reason::FlakyBlocking, text, Some(name), None);
                }
            }
            for row in wrong {
                if now.contains(&row.test) || !told.insert(&row.test) {
                    continue;
                }
                cite(open);
                let test = Some(row.test.to_string());
                if let Cover::By(entry) = court.quarantines.cover(row, &s.variant) {
                    excuses.push(excuse(entry, &row.test));
                    open.until(entry.expires);
                    let text = format!("it failed in run `{}` on this tree", s.run_id);
                    open.tell_of(Reason::QuarantineApplied, text, Some(name), test);
                    continue;
                }
                let text = format!(
                    "it failed in run `{}` on this tree, and is not bad in the one that counts",
                    s.run_id
                );
                open.tell_of(Reason::FlakyBlocking, text, Some(name), test);
            }
        }
    }
}

/// Whether a row says that its test went wrong by itself.
fn went_wrong(row: &Row, result: &TargetResult) -> bool {
    match row.verdict {
        TestVerdict::Failed | TestVerdict::Flaky | TestVerdict::UnexpectedPass => true,
        TestVerdict::Errored => match &row.cause {
            Some(cause) => cause.is_of_the_test(),
            None => row.failure.is_some() || is_own(&result.end),
        },
        TestVerdict::Passed
        | TestVerdict::Skipped
        | TestVerdict::Precluded
        | TestVerdict::Missing => false,
    }
}

/// Whether a target's end came from what it ran.
fn is_own(end: &End) -> bool {
    match end {
        End::Exited { code } | End::Read { code: Some(code) } => {
            !FROM_OUTSIDE.contains(&(code - BY_SHELL))
        }
        End::Read { code: None } | End::TimedOut { .. } => true,
        End::Signalled { signal } => !FROM_OUTSIDE.contains(signal),
        End::Cancelled | End::NotStarted { .. } => false,
    }
}

/// How a target ended that ended badly although no test of its own says so; `None` if it did not, or if nobody can say that it ran.
fn ended_badly(result: &TargetResult) -> Option<String> {
    if !is_own(&result.end) || result.tests.bad() > 0 {
        return None;
    }
    let ran = result.tests.ran() > 0;
    match &result.end {
        End::TimedOut { after_ms } => Some(format!("it took more than {after_ms} ms")),
        End::Signalled { signal } => Some(format!("signal {signal} ended it")),
        End::Exited { code } | End::Read { code: Some(code) }
            if SIGNALS.contains(code) || (*code != 0 && ran) =>
        {
            Some(format!("it ended with {code}"))
        }
        _ => None,
    }
}

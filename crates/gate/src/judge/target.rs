//! One target's result, judged: its evidence, its tests, what is excused, and what changed since its baseline.

use std::collections::BTreeSet;

use gonogo_core::{Reason, Verdict as Status};
use gonogo_suite::TestVerdict;
use gonogo_suite::diff::{Change, Status as DiffStatus};
use gonogo_suite::redact::PREFIX;
use gonogo_suite::run::{COMMAND, End, Row, TargetResult, Tests};
use gonogo_suite::{Parse, TestId};

use super::obligation::Open;
use super::suite::Seen;
use super::{Court, compares, short};
use crate::inputs::{Compared, Target};
use crate::policy::{Baseline, SuiteCheck};
use crate::quarantine::{Cover, Quarantine};
use crate::verdict::Excuse;

const fn reason_of(verdict: TestVerdict) -> Option<Reason> {
    Some(match verdict {
        TestVerdict::Passed | TestVerdict::Skipped => return None,
        TestVerdict::UnexpectedPass => Reason::UnexpectedPass,
        TestVerdict::Flaky => Reason::FlakyBlocking,
        TestVerdict::Precluded => Reason::TestPrecluded,
        TestVerdict::Errored => Reason::TestErrored,
        TestVerdict::Missing => Reason::TestMissing,
        TestVerdict::Failed => Reason::TestFailed,
    })
}

pub(super) fn judge(
    court: &Court<'_>,
    check: &SuiteCheck,
    seen: &Seen<'_>,
    open: &mut Open,
    excuses: &mut Vec<Excuse>,
) {
    let (run, result) = (seen.run, seen.result);
    let name = result.target.as_str();
    open.cite(
        format!("run {}", run.summary.run_id),
        run.digest,
        run.record,
    );
    let what = format!("run `{}`", run.summary.run_id);
    open.age(court, &what, run.summary.timestamp, check.max_age);
    for problem in &result.problems {
        open.tell_of(problem.reason, &problem.text, Some(name), None);
    }
    let declared = court.inputs.manifest.declared.targets.get(name);
    of_evidence(result, declared, open);
    let covered = tests(court, seen, open, excuses);
    if compares(check.baseline) {
        baseline(court, check, seen, &covered, open);
    }
    let is_green = result.problems.is_empty() && result.tests.bad() == 0;
    if is_green {
        speed(court, result, declared, open);
    }
}

/// What must hold of any result, also of one that its maker found nothing wrong with.
fn of_evidence(result: &TargetResult, declared: Option<&Target>, open: &mut Open) {
    let name = result.target.as_str();
    let is_plain = result.format == COMMAND;
    let mut tell = |code, text: String| {
        // The maker of the result has told it already.
        if !result.problems.iter().any(|p| p.reason == code) {
            open.tell_of(code, text, Some(name), None);
        }
    };
    if !matches!(result.end, End::Exited { .. } | End::Read { .. }) {
        tell(
            Reason::RunIncomplete,
            "its process did not end by itself".into(),
        );
    }
    if result.inputs.is_empty() && !is_plain {
        tell(Reason::EvidenceMissing, "there is no report".into());
    }
    for input in &result.inputs {
        if input.parse != Parse::Whole {
            tell(
                Reason::EvidenceTruncated,
                format!("`{}` was not read to its end", input.path),
            );
        }
    }
    let has_red = result
        .problems
        .iter()
        .any(|p| p.reason.verdict() > Status::Excused);
    match result.end.code() {
        Some(code) if code != 0 && result.tests.bad() == 0 && !has_red => tell(
            Reason::ExitCodeConflict,
            format!("it ended with {code}, and nothing of it is bad"),
        ),
        Some(0) if result.tests.failed + result.tests.errored > 0 => tell(
            Reason::ExitCodeConflict,
            "it ended with 0, and some of its tests failed".into(),
        ),
        None if matches!(result.end, End::Read { .. }) => {
            tell(
                Reason::ExitCodeMissing,
                "nobody says how its runner ended".into(),
            );
        }
        _ => {}
    }
    if result.tests.cached > 0 {
        tell(
            Reason::EvidenceCachedOnly,
            format!("{} of its results come from a cache", result.tests.cached),
        );
    }
    let least = declared.map_or(result.min_tests, |t| t.min_tests.max(result.min_tests));
    if result.tests.ran() < least {
        let code = match result.tests.ran() {
            0 => Reason::ZeroTests,
            _ => Reason::TestMissing,
        };
        tell(
            code,
            format!("{} tests ran, and {least} must", result.tests.ran()),
        );
    }
    if let Some(declared) = declared {
        if declared.format != result.format {
            tell(
                Reason::EvidenceUnparsable,
                format!(
                    "it was read as `{}`, and `{}` is declared",
                    result.format, declared.format
                ),
            );
        }
        if !is_same_command(&declared.command, &result.command) {
            tell(
                Reason::EvidenceUnparsable,
                "it was run by another command than is declared".to_owned(),
            );
        }
        if declared.class != result.class {
            tell(
                Reason::EvidenceUnparsable,
                format!(
                    "it was run as `{}`, and `{}` is declared",
                    result.class.word(),
                    declared.class.word()
                ),
            );
        }
    }
}

/// Whether its process ended as a shell tells of one that a signal ended: 128 and the signal's number.
fn is_crash(result: &TargetResult) -> bool {
    result
        .exit_code
        .is_some_and(|code| (129..=159).contains(&code))
}

pub(super) fn excuse(entry: &Quarantine, test: &TestId) -> Excuse {
    Excuse {
        kind: "quarantine".into(),
        id: short(&format!("{}: {test}", entry.target)),
        digest: entry.digest,
        expires: entry.expires,
    }
}

/// Whether the run retried a quarantined test, and it failed in a way that is not one of these.
fn fails_otherwise(seen: &Seen<'_>, row: &Row, signatures: &[String]) -> bool {
    let quarantined = seen.run.summary.quarantined.as_ref();
    let retried = quarantined.and_then(|q| q.of(&row.target, &row.test));
    retried.is_some_and(|r| r.retry.is_other_than(signatures))
}

/// Tells the bad tests; gives those that a quarantine covers.
fn tests<'a>(
    court: &Court<'_>,
    seen: &Seen<'a>,
    open: &mut Open,
    excuses: &mut Vec<Excuse>,
) -> BTreeSet<&'a TestId> {
    let (run, result) = (seen.run, seen.result);
    let name = result.target.as_str();
    let mut covered = BTreeSet::new();
    let mut told = Tests::default();
    for row in &result.bad {
        told.add(row.verdict, row.cached);
        let Some(code) = reason_of(row.verdict) else {
            continue;
        };
        let test = Some(row.test.to_string());
        match court.quarantines.cover(row, &run.summary.variant) {
            // Tried again, it failed in a way that nobody has quarantined.
            Cover::By(entry) if fails_otherwise(seen, row, &entry.signatures) => {
                let text =
                    "when it was retried it failed in another way than it is quarantined for";
                open.tell_of(
                    Reason::QuarantineSignatureMismatch,
                    text,
                    Some(name),
                    test.clone(),
                );
            }
            // Of a process that died nobody knows what else it would have said.
            Cover::By(_) if is_crash(result) => {
                let code = result.exit_code.unwrap_or_default();
                let text = format!(
                    "its process ended with {code}, as one does that a signal ended: no quarantine covers that"
                );
                open.tell_of(Reason::RunIncomplete, text, Some(name), test.clone());
            }
            // Nor of one that did not go on behind the failure.
            Cover::By(_) if result.stopped.is_some() => {
                let why = result.stopped.as_deref().unwrap_or_default();
                let text = format!(
                    "what stands behind it may not have run: {why}: no quarantine covers that"
                );
                open.tell_of(Reason::RunIncomplete, text, Some(name), test.clone());
            }
            Cover::By(entry) => {
                covered.insert(&row.test);
                excuses.push(excuse(entry, &row.test));
                open.until(entry.expires);
                open.tell_of(
                    Reason::QuarantineApplied,
                    format!(
                        "{}: quarantined until {}",
                        row.verdict.word(),
                        entry.expires
                    ),
                    Some(name),
                    test,
                );
                continue;
            }
            Cover::OtherSignature(_) => {
                let text = "it is quarantined for another failure";
                open.tell_of(
                    Reason::QuarantineSignatureMismatch,
                    text,
                    Some(name),
                    test.clone(),
                );
            }
            Cover::Lapsed(entry) => {
                let text = format!("its quarantine is {}", entry.status.word());
                let code = match entry.status {
                    crate::verdict::ExcuseStatus::Unapproved => Reason::ExcuseUnapproved,
                    _ => Reason::QuarantineExpired,
                };
                open.tell_of(code, text, Some(name), test.clone());
            }
            Cover::None => {}
        }
        let text = row
            .failure
            .as_ref()
            .map(|f| first_line(&f.message))
            .filter(|line| !line.is_empty());
        let text = text.unwrap_or_else(|| row.verdict.word().to_owned());
        open.tell_of(code, text, Some(name), test.clone());
        if row.owner.is_none() && result.owner.is_none() {
            open.tell_of(Reason::OwnerMissing, "nobody owns it", Some(name), test);
        }
    }
    // Those that are counted and not listed. No quarantine is known to cover them.
    let left = [
        (TestVerdict::Failed, result.tests.failed, told.failed),
        (TestVerdict::Errored, result.tests.errored, told.errored),
        (
            TestVerdict::Precluded,
            result.tests.precluded,
            told.precluded,
        ),
        (TestVerdict::Missing, result.tests.missing, told.missing),
        (TestVerdict::Flaky, result.tests.flaky, told.flaky),
        (
            TestVerdict::UnexpectedPass,
            result.tests.unexpected_pass,
            told.unexpected_pass,
        ),
    ];
    for (verdict, all, told) in left {
        let count = all.saturating_sub(told);
        if let Some(code) = reason_of(verdict)
            && count > 0
        {
            let text = format!("{count} more tests are {}", verdict.word());
            open.tell_of(code, text, Some(name), None);
            open.omit(code, count - 1);
        }
    }
    let most = court.policy.defaults.flaky_per_target;
    if result.tests.flaky > most {
        let text = format!(
            "{} of its tests are flaky, and {most} are admitted",
            result.tests.flaky
        );
        open.tell_of(Reason::FlakeBudgetExceeded, text, Some(name), None);
    }
    if court.quarantines.of_target(name) as u64 > court.policy.defaults.quarantine_per_target {
        let text = "more of its tests are in quarantine than admitted";
        open.tell_of(Reason::QuarantineBudget, text, Some(name), None);
    }
    covered
}

fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|l| !l.is_empty());
    line.unwrap_or_default().chars().take(200).collect()
}

fn baseline(
    court: &Court<'_>,
    check: &SuiteCheck,
    seen: &Seen<'_>,
    covered: &BTreeSet<&TestId>,
    open: &mut Open,
) {
    let name = seen.result.target.as_str();
    let mut tell = |code, text: String, test| open.tell_of(code, text, Some(name), test);
    let diff = match seen.run.baselines.get(name) {
        None => {
            let text = "nobody says what it was compared with";
            return tell(Reason::BaselineMissing, text.into(), None);
        }
        Some(Compared::Nothing) => {
            if check.baseline == Baseline::Required {
                let text = "no earlier run of it is recorded, and a comparison is required";
                tell(Reason::BaselineMissing, text.into(), None);
            } else if court
                .inputs
                .history
                .get(name)
                .is_some_and(|h| h.green_runs > 0)
            {
                let text = "it is said that no earlier run is recorded, and green ones are counted";
                tell(Reason::BaselineMissing, text.into(), None);
            }
            return;
        }
        Some(Compared::Missing { why }) => {
            return tell(Reason::BaselineMissing, why.clone(), None);
        }
        Some(Compared::Incomparable { why }) => {
            return tell(Reason::BaselineIncomparable, why.clone(), None);
        }
        Some(Compared::With {
            run_id,
            digest,
            diff,
        }) => {
            if *run_id == seen.run.summary.run_id {
                let text = "it was compared with itself";
                tell(Reason::BaselineIncomparable, text.into(), None);
            }
            open.cite(format!("baseline {run_id}"), *digest, None);
            diff
        }
    };
    let mut tell = |code, text: String, test| open.tell_of(code, text, Some(name), test);
    let listed = diff.changed.len() as u64;
    let counted: u64 = diff
        .counts
        .iter()
        .filter(|(change, _)| **change != Change::Same)
        .map(|(_, count)| *count)
        .fold(0, u64::saturating_add);
    if counted != listed {
        let text = format!("the comparison counts {counted} changes and lists {listed}");
        tell(Reason::EvidenceCountMismatch, text, None);
    }
    if diff.status == DiffStatus::Incomparable || diff.incomparable.is_some() {
        let why = diff.incomparable.clone();
        let text = why.unwrap_or_else(|| "the two cannot be compared".into());
        tell(Reason::BaselineIncomparable, text, None);
    }
    for changed in &diff.changed {
        if covered.contains(&changed.test) {
            continue;
        }
        let code = match changed.change {
            Change::Regressed => Reason::Regression,
            Change::Removed => Reason::TestRemoved,
            Change::NewlySkipped => Reason::NewlySkipped,
            // The tests themselves have told it.
            _ => continue,
        };
        tell(
            code,
            format!(
                "{} since the baseline",
                changed.change.word().replace('_', " ")
            ),
            Some(changed.test.to_string()),
        );
    }
}

fn speed(court: &Court<'_>, result: &TargetResult, declared: Option<&Target>, open: &mut Open) {
    let took = result.duration_ms;
    let name = result.target.as_str();
    if result
        .problems
        .iter()
        .any(|p| p.reason == Reason::RunTooFast)
    {
        return;
    }
    let declared = declared.and_then(|t| t.min_duration_ms);
    let least = declared.max(result.min_duration_ms);
    if let Some(least) = least
        && took < least
    {
        let text = format!("it was green after {took} ms, and takes {least} ms at least");
        return open.tell_of(Reason::RunTooFast, text, Some(name), None);
    }
    let d = &court.policy.defaults;
    let Some(history) = court.inputs.history.get(name) else {
        return;
    };
    let is_fast =
        u128::from(took) * 100 < u128::from(history.median_ms) * u128::from(d.too_fast_percent);
    if history.green_runs >= d.too_fast_runs && is_fast {
        let text = format!(
            "it was green after {took} ms, and the median of {} green runs is {} ms",
            history.green_runs, history.median_ms
        );
        open.tell_of(Reason::RunTooFast, text, Some(name), None);
    }
}

/// Whether a run's command is the declared one. A run keeps it without its secrets.
fn is_same_command(declared: &[String], ran: &[String]) -> bool {
    declared.len() == ran.len()
        && declared
            .iter()
            .zip(ran)
            .all(|(declared, ran)| declared == ran || ran.contains(PREFIX))
}

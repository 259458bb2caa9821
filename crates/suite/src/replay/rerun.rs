//! What of a run is to be run again: every kind of failure, and an answer of its own where there is none.

use gonogo_core::{Reason, Verdict};
use serde::{Deserialize, Serialize};

use super::bundle::FailedGate;
use crate::run::{Class, End, Problem, State, Summary, TargetResult};
use crate::{TestId, TestVerdict};

/// A target that is run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// Its name.
    pub target: String,
    /// What it is for.
    pub class: Class,
    /// Tests that failed, in order of their ids; empty if the target runs again as a whole.
    pub tests: Vec<TestId>,
    /// Why it is here, every reason once.
    pub reasons: Vec<Reason>,
    /// Why as a whole, or that tests are enough.
    pub why: String,
}

/// What is to be run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result", deny_unknown_fields)]
pub enum Selection {
    /// The run was whole and good: there is nothing. It is a result of its own and no pass.
    NothingToRerun,
    /// These, in the order of the phases.
    Rerun {
        /// Targets.
        targets: Vec<Again>,
        /// Gates that failed.
        gates: Vec<FailedGate>,
        /// What is wrong with the run as a whole, so that all of it runs again.
        problems: Vec<Problem>,
    },
}

/// A summary from which nothing can be selected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the summary of `{run_id}` contradicts itself ({}): nothing is selected from it; run the profile again", .problems.iter().map(|p| p.text.as_str()).collect::<Vec<_>>().join("; "))]
pub struct Refused {
    /// The run.
    pub run_id: String,
    /// Where it does.
    pub problems: Vec<Problem>,
}

/// Selects. `gates` are those that failed by this run.
///
/// # Errors
/// [`Refused`] if the summary contradicts itself.
pub fn rerun(summary: &Summary, gates: &[FailedGate]) -> Result<Selection, Refused> {
    let problems = summary.check();
    if !problems.is_empty() {
        return Err(Refused {
            run_id: summary.run_id.clone(),
            problems,
        });
    }
    // What is wrong with all of it (a tree that changed, a runner that was ended) is wrong with what passed as well.
    let is_whole = !summary.problems.is_empty() || matches!(summary.state, State::Crashed);
    let mut targets = Vec::new();
    for target in summary.targets() {
        if is_whole {
            targets.push(again(
                target,
                Some("the run as a whole cannot be believed".to_owned()),
            ));
        } else if target.status != Verdict::Pass
            || target.tests.bad() > 0
            || !target.problems.is_empty()
        {
            targets.push(again(target, None));
        }
    }
    targets.sort_by_key(|a| a.class);
    let unfinished = summary.state != State::Complete || summary.status != Verdict::Pass;
    if targets.is_empty() && unfinished {
        // It says that it is not good and not why: everything, rather than nothing.
        targets = summary
            .targets()
            .map(|t| {
                again(
                    t,
                    Some("the run is not good, and no target says why".to_owned()),
                )
            })
            .collect();
    }
    if targets.is_empty() && summary.selected.is_empty() {
        return Err(Refused {
            run_id: summary.run_id.clone(),
            problems: vec![Problem::new(
                Reason::EvidenceMissing,
                "no target was selected in it",
            )],
        });
    }
    if targets.is_empty() && gates.is_empty() {
        return Ok(Selection::NothingToRerun);
    }
    Ok(Selection::Rerun {
        targets,
        gates: gates.to_vec(),
        problems: summary.problems.clone(),
    })
}

fn again(target: &TargetResult, whole: Option<String>) -> Again {
    let mut reasons: Vec<Reason> = target.problems.iter().map(|p| p.reason).collect();
    let of_tests = target.bad.iter().filter_map(|row| match row.verdict {
        TestVerdict::Failed => Some(Reason::TestFailed),
        TestVerdict::Errored => Some(Reason::TestErrored),
        TestVerdict::Precluded => Some(Reason::TestPrecluded),
        TestVerdict::Missing => Some(Reason::TestMissing),
        TestVerdict::Flaky => Some(Reason::FlakyBlocking),
        TestVerdict::UnexpectedPass => Some(Reason::UnexpectedPass),
        TestVerdict::Passed | TestVerdict::Skipped => None,
    });
    reasons.extend(of_tests);
    reasons.sort_unstable();
    reasons.dedup();
    let whole = whole.or_else(|| why_whole(target));
    let mut tests: Vec<TestId> = target.bad.iter().map(|row| row.test.clone()).collect();
    tests.sort();
    if whole.is_some() {
        tests.clear();
    }
    Again {
        target: target.target.clone(),
        class: target.class,
        why: whole.unwrap_or_else(|| {
            format!("{} of its tests, and nothing else, went wrong", tests.len())
        }),
        tests,
        reasons,
    }
}

/// Why single tests are not enough.
fn why_whole(target: &TargetResult) -> Option<String> {
    if matches!(target.class, Class::Build | Class::Lint) || target.format == crate::run::COMMAND {
        return Some("it has no tests to select".to_owned());
    }
    if let Some(problem) = target.problems.first() {
        return Some(format!("{}: {}", problem.reason.code(), problem.text));
    }
    if !matches!(target.end, End::Exited { .. } | End::Read { .. }) {
        return Some("it did not end by itself".to_owned());
    }
    if target.bad_omitted > 0 {
        return Some(format!(
            "{} more tests than are told went wrong",
            target.bad_omitted
        ));
    }
    let lost = |row: &crate::Row| {
        matches!(row.verdict, TestVerdict::Missing | TestVerdict::Precluded)
            || super::is_ours(&row.test.name)
    };
    if let Some(row) = target.bad.iter().find(|row| lost(row)) {
        return Some(format!(
            "`{}` is {} and cannot be run alone",
            row.test,
            row.verdict.word()
        ));
    }
    target
        .bad
        .is_empty()
        .then(|| "it is not good, and no test of it says why".to_owned())
}

//! A run as people and other tools see it: terminal, Markdown, one HTML file, annotations of GitHub, reports of GitLab, JUnit and CTRF.
//!
//! All are functions of one [`Report`] and of the run's rows, which are read once and never all kept: an [`Outline`] holds what a page
//! shows, and the two exchange formats are written as the rows come. Invariants: nothing is better in a report than in the run (a
//! summary that contradicts itself, a run of nothing, a target without a result are told as problems everywhere); every foreign text is
//! made harmless for its format; the same inputs give the same bytes; every output is bounded, and says what it leaves out.

pub mod ctrf;
pub mod github;
pub mod gitlab;
mod group;
pub mod html;
pub mod junit;
mod linted;
pub mod markdown;
mod outline;
mod quarantined;
pub mod terminal;
mod text;

use std::collections::HashSet;
use std::fmt;

use gonogo_core::{Reason, Verdict};

pub use group::{Group, Item};
pub use outline::{Bounds, Outline, Slow};
pub use text::visible;

use crate::diff::Diff;
use crate::run::{Problem, State, Summary};
use crate::{Row, TestVerdict};

/// How a failure is replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The words, unquoted.
    pub argv: Vec<String>,
    /// The line that people copy, quoted for a shell.
    pub command: String,
}

/// What a runbook says of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// The entry.
    pub id: String,
    /// What to do, one line.
    pub text: String,
}

/// A gate's verdict on the run, as far as a report shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The verdict.
    pub verdict: Verdict,
    /// Its reasons, as codes, the worst first.
    pub reasons: Vec<String>,
    /// A row for each obligation.
    pub rows: Vec<GateRow>,
}

/// An obligation of a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateRow {
    /// Its id.
    pub id: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// What was found, one line.
    pub detail: String,
    /// The command that shows it again.
    pub command: Option<String>,
}

/// What a flaky test is in a format that only knows good and bad.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Flaky {
    /// A failure that is marked as flaky.
    #[default]
    Fail,
    /// A pass that is marked as flaky: who reads the file must look for the mark.
    Pass,
}

/// Looks up something for a test that did not pass.
pub type Ask<'a, T> = &'a dyn Fn(&Row) -> T;

/// A run and what is known beside it.
#[derive(Clone, Copy)]
pub struct Report<'a> {
    /// The run.
    pub summary: &'a Summary,
    /// What changed since its baseline.
    pub diff: Option<&'a Diff>,
    /// What a gate says of it.
    pub gate: Option<&'a Gate>,
    /// How a failing test is replayed; `None` where nobody knows.
    pub replay: Ask<'a, Option<Replay>>,
    /// Who owns a test, where its row does not say; its target's owner comes last.
    pub owner: Ask<'a, Option<String>>,
    /// What the runbook says.
    pub advice: Ask<'a, Vec<Advice>>,
    /// What a target printed, with the absolute directory of the project in which it did: for the findings of linters. `None` where it was not kept.
    pub log: &'a dyn Fn(&str) -> Option<(String, String)>,
    /// Commands that make sense next, the best first.
    pub next: &'a [String],
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("run", &self.summary.run_id)
            .finish_non_exhaustive()
    }
}

/// A problem and whose it is; nobody's if it is the run's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The target.
    pub target: Option<String>,
    /// The problem.
    pub problem: Problem,
}

impl<'a> Report<'a> {
    /// A run alone.
    pub fn of(summary: &'a Summary) -> Self {
        Self {
            summary,
            diff: None,
            gate: None,
            replay: &|_| None,
            owner: &|_| None,
            advice: &|_| Vec::new(),
            log: &|_| None,
            next: &[],
        }
    }

    /// Everything that is wrong with the run as evidence: its own problems, where it contradicts itself, those of its targets, and that
    /// nothing ran or not all was tried, where nobody else says so.
    pub fn problems(&self) -> Vec<Told> {
        let summary = self.summary;
        let mut all: Vec<Told> = Vec::new();
        let mut seen = HashSet::new();
        let mut tell = |target: Option<&str>, problem: Problem| {
            let target = target.map(str::to_owned);
            let is_new = seen.insert((target.clone(), problem.reason, problem.text.clone()));
            // What carries no harm is no problem of the evidence.
            if is_new && problem.reason.verdict() != Verdict::Pass {
                all.push(Told { target, problem });
            }
        };
        for problem in summary.problems.iter().cloned().chain(summary.check()) {
            tell(None, problem);
        }
        for target in summary.targets() {
            for problem in &target.problems {
                tell(Some(&target.target), problem.clone());
            }
            let is_explained = !target.problems.is_empty() || target.tests.bad() > 0;
            if target.status != Verdict::Pass && !is_explained {
                let text = format!("its status is {}, and nothing says why", target.status);
                tell(
                    Some(&target.target),
                    Problem::new(Reason::EvidenceCountMismatch, text),
                );
            }
        }
        let is_told = |reason| all.iter().any(|told| told.problem.reason == reason);
        let mut more = Vec::new();
        let state = match summary.state {
            State::Complete => None,
            State::Cancelled => Some("somebody ended the run"),
            State::Crashed => Some("the runner itself was ended"),
            State::Partial => Some("a phase failed, and what comes after it was not tried"),
        };
        if let Some(text) = state.filter(|_| !is_told(Reason::RunIncomplete)) {
            more.push(Problem::new(Reason::RunIncomplete, text));
        }
        if summary.tests.total == 0 && !is_told(Reason::ZeroTests) && all.is_empty() {
            let text = match summary.targets().next() {
                None => "no target ran: nothing was tested",
                Some(_) => "no test ran",
            };
            more.push(Problem::new(Reason::ZeroTests, text));
        }
        all.extend(more.into_iter().map(|problem| Told {
            target: None,
            problem,
        }));
        all
    }

    /// The run's verdict: the worst of what its summary says and of [`Report::problems`].
    pub fn verdict(&self) -> Verdict {
        self.problems()
            .iter()
            .map(|told| told.problem.reason.verdict())
            .fold(self.summary.status, Verdict::max)
    }

    /// Who owns a row.
    pub fn owner_of(&self, row: &Row) -> Option<String> {
        let target = || {
            let mut targets = self.summary.targets();
            targets.find(|t| t.target == row.target)?.owner.clone()
        };
        row.owner
            .clone()
            .or_else(|| (self.owner)(row))
            .or_else(target)
    }
}

/// Mark and word of a verdict. Never colour alone.
pub(crate) const fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✔ PASS",
        Verdict::Excused => "✔ EXCUSED",
        Verdict::Hold => "▲ HOLD",
        Verdict::Fail => "✖ FAIL",
        Verdict::Invalid => "? INVALID",
    }
}

/// What a verdict on a test says in the place of a message that is not there.
pub(crate) const fn says(verdict: TestVerdict) -> &'static str {
    match verdict {
        TestVerdict::Passed => "it passed",
        TestVerdict::Skipped => "it was skipped",
        TestVerdict::UnexpectedPass => "it passed although it was said to fail",
        TestVerdict::Flaky => "it went wrong and passed on the same tree",
        TestVerdict::Precluded => "it was planned and could not run",
        TestVerdict::Errored => "it could not be carried out, or nobody knows what it came to",
        TestVerdict::Missing => "it was planned, and nothing is said of it",
        TestVerdict::Failed => "it failed; the report does not say why",
    }
}

/// The word for people.
pub(crate) const fn word(verdict: TestVerdict) -> &'static str {
    match verdict {
        TestVerdict::UnexpectedPass => "unexpected pass",
        other => other.word(),
    }
}

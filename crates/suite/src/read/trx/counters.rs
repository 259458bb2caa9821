//! The counters of a TRX report against its results.
//!
//! Writers count rows of data-driven tests, the tests that hold them, or both. What passed and what failed must be as many as are there in
//! one of these ways. Of the other outcomes no more may be declared than there are; fewer may, because VSTest writes `0` for all of them, for
//! `notExecuted` too where tests were skipped.

use crate::read::Limits;
use crate::read::xml::{Notes, Tag};
use crate::{IssueKind, Outcome};

/// Outcomes beside passes and failures, by their counters.
const OTHERS: [(&str, &str); 6] = [
    ("inconclusive", "inconclusive"),
    ("notExecuted", "notexecuted"),
    ("warning", "warning"),
    ("completed", "completed"),
    ("inProgress", "inprogress"),
    ("pending", "pending"),
];

#[derive(Debug, Default)]
pub(super) struct Declared {
    pub(super) total: Option<u64>,
    executed: Option<u64>,
    passed: Option<u64>,
    failed: Option<u64>,
    /// As [`OTHERS`].
    others: [Option<u64>; 6],
    pub(super) at: u64,
}

/// Results: those without rows, those that have some, and those on the first level.
#[derive(Debug, Default)]
pub(super) struct Tally {
    all: [u64; 3],
    passed: [u64; 3],
    failed: [u64; 3],
    /// All of them, as [`OTHERS`].
    others: [u64; 6],
}

impl Tally {
    pub(super) fn add(&mut self, outcome: Outcome, word: &str, is_first: bool, has_rows: bool) {
        let way = [!has_rows, has_rows, is_first];
        for (index, _) in way.iter().enumerate().filter(|(_, is_so)| **is_so) {
            self.all[index] += 1;
            self.passed[index] += u64::from(outcome.is_green());
            self.failed[index] += u64::from(outcome.is_bad());
        }
        let word = word.trim();
        let index = OTHERS
            .iter()
            .position(|(_, own)| own.eq_ignore_ascii_case(word));
        if let Some(index) = index {
            self.others[index] += 1;
        }
    }
}

/// The ways to count: rows, rows and what holds them, and the first level.
const fn ways([leaves, holders, first]: [u64; 3]) -> [u64; 3] {
    [leaves, leaves + holders, first]
}

impl Declared {
    /// Reads `<Counters>`.
    pub(super) fn read(tag: &Tag<'_>, limits: &Limits, notes: &mut Notes) -> Self {
        let at = tag.place.from;
        let mut declared = Self {
            at,
            ..Self::default()
        };
        tag.attributes(limits, notes, |notes, name, raw| {
            let other = OTHERS.iter().position(|(own, _)| *own == name);
            let slot = match (name, other) {
                (_, Some(index)) => &mut declared.others[index],
                ("total", _) => &mut declared.total,
                ("executed", _) => &mut declared.executed,
                ("passed", _) => &mut declared.passed,
                (
                    "failed"
                    | "error"
                    | "timeout"
                    | "aborted"
                    | "disconnected"
                    | "notRunnable"
                    | "passedButRunAborted",
                    _,
                ) => &mut declared.failed,
                _ => return,
            };
            match raw.trim().parse::<u64>() {
                Ok(n) => *slot = Some(slot.unwrap_or(0).saturating_add(n)),
                Err(_) => {
                    let raw: String = raw.chars().take(60).collect();
                    let text = format!("{name}=\"{raw}\" of the counters is no number");
                    notes.tell(IssueKind::CountMismatch, at, text);
                }
            }
        });
        declared
    }

    /// What does not agree, in words. `unrun` tests are planned and have no result: a writer may count them among all.
    pub(super) fn against(&self, tally: &Tally, unrun: u64) -> Option<String> {
        let mut wrong = Vec::new();
        let mut check = |declared: Option<u64>, seen: &[u64], what: &str| {
            if let Some(declared) = declared
                && !seen.contains(&declared)
            {
                wrong.push(format!("{declared} {what}, there are {}", seen[0]));
            }
        };
        let all = ways(tally.all);
        let [a, b, c] = all.map(|n| n + unrun);
        check(self.total, &[all[0], all[1], all[2], a, b, c], "tests");
        check(self.passed, &ways(tally.passed), "passed");
        // What has begun and did not end, and what may have gone wrong, is bad here and has counters of its own.
        let [_, _, warning, completed, running, pending] =
            self.others.map(|declared| declared.unwrap_or(0));
        let apart = warning
            .saturating_add(completed)
            .saturating_add(running)
            .saturating_add(pending);
        let failed = ways(tally.failed);
        let [a, b, c] = failed.map(|n| n.saturating_sub(apart));
        let mut seen = vec![failed[0], failed[1], failed[2]];
        if apart > 0 {
            seen.extend([a, b, c]);
        }
        check(self.failed, &seen, "failed");
        let most = all[1];
        if let Some(executed) = self.executed {
            let least = self.passed.unwrap_or(0);
            if executed > most || executed < least {
                wrong.push(format!(
                    "{executed} executed, there are {most} results, and {least} passed"
                ));
            }
        }
        for (index, (name, _)) in OTHERS.iter().enumerate() {
            // Tests without a result were not executed.
            let more = if *name == "notExecuted" { unrun } else { 0 };
            let seen = tally.others[index] + more;
            if let Some(declared) = self.others[index].filter(|n| *n > seen) {
                wrong.push(format!("{declared} {name}, there are {seen}"));
            }
        }
        (!wrong.is_empty()).then(|| format!("the counters declare {}", wrong.join("; ")))
    }
}

//! What a report says of each file, merged by line.

use std::collections::BTreeMap;

use gonogo_core::{Reason, Timestamp};
use gonogo_suite::run::Problem;

use super::Format;
use crate::inputs::{Covered, Part};

/// Most notes that are kept.
const NOTES: usize = 50;

/// Parts of lines, functions and branches.
pub(super) type Parts = [Part; 3];

const NONE: Part = Part {
    covered: 0,
    total: 0,
};

/// The words for [`Parts`].
const WORDS: [&str; 3] = ["lines", "functions", "branches"];

/// A file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Whether a line ran.
    pub(super) lines: BTreeMap<u64, bool>,
    /// Whether a function ran: by its line, and its name where that is needed.
    pub(super) functions: BTreeMap<(u64, String), bool>,
    /// Whether a branch was taken: by its line, block and name.
    pub(super) branches: BTreeMap<(u64, u64, String), bool>,
    /// What has no lines to merge by.
    pub(super) fixed: Option<Parts>,
    /// What is declared and not shown, and what is shown as covered and declared as not: taken off.
    pub(super) unshown: [u64; 3],
    pub(super) overstated: [u64; 3],
}

fn count<K>(map: &BTreeMap<K, bool>) -> Part {
    Part {
        covered: map.values().filter(|ran| **ran).count() as u64,
        total: map.len() as u64,
    }
}

impl Tally {
    pub(super) fn line(&mut self, number: u64, ran: bool) {
        *self.lines.entry(number).or_default() |= ran;
    }

    pub(super) fn function(&mut self, line: u64, name: &str, ran: bool) {
        *self.functions.entry((line, name.to_owned())).or_default() |= ran;
    }

    pub(super) fn branch(&mut self, line: u64, block: u64, name: &str, taken: bool) {
        let key = (line, block, name.to_owned());
        *self.branches.entry(key).or_default() |= taken;
    }

    /// The last line that something is said of; 0 if nothing is said by line.
    pub(super) fn last_line(&self) -> u64 {
        let lines = self.lines.keys().next_back().copied();
        let functions = self.functions.keys().next_back().map(|(line, _)| *line);
        let branches = self.branches.keys().next_back().map(|(line, ..)| *line);
        lines.max(functions).max(branches).unwrap_or(0)
    }

    /// What is shown.
    pub(super) fn shown(&self) -> Parts {
        [
            count(&self.lines),
            count(&self.functions),
            count(&self.branches),
        ]
    }

    /// Compares what one record shows with what it declares.
    pub(super) fn reconcile(&mut self, which: usize, declared: Part, shown: Part) -> bool {
        let unshown = declared.total.saturating_sub(shown.total);
        let overstated = shown.covered.saturating_sub(declared.covered);
        self.unshown[which] = self.unshown[which].max(unshown);
        self.overstated[which] = self.overstated[which].max(overstated);
        unshown == 0 && overstated == 0
    }

    /// Takes what another record says of the same file.
    pub(super) fn join(&mut self, other: Self) {
        for (line, ran) in other.lines {
            self.line(line, ran);
        }
        for (key, ran) in other.functions {
            *self.functions.entry(key).or_default() |= ran;
        }
        for (key, taken) in other.branches {
            *self.branches.entry(key).or_default() |= taken;
        }
        for which in 0..3 {
            self.unshown[which] = self.unshown[which].max(other.unshown[which]);
            self.overstated[which] = self.overstated[which].max(other.overstated[which]);
        }
        self.fixed = match (self.fixed, other.fixed) {
            (Some(a), Some(b)) => Some([0, 1, 2].map(|i| worse(a[i], b[i]))),
            (a, b) => a.or(b),
        };
    }

    /// What counts.
    pub(super) fn parts(&self) -> Parts {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        let shown = self.shown();
        [0, 1, 2].map(|i| Part {
            covered: shown[i].covered.saturating_sub(self.overstated[i]),
            total: shown[i].total.saturating_add(self.unshown[i]),
        })
    }
}

/// The smaller share; what has no whole says nothing.
pub(super) fn worse(a: Part, b: Part) -> Part {
    let (x, y) = (
        u128::from(a.covered) * u128::from(b.total),
        u128::from(b.covered) * u128::from(a.total),
    );
    match (a.total, b.total) {
        (0, _) => b,
        (_, 0) => a,
        _ if y < x => b,
        _ => a,
    }
}

/// What a coverage report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its format.
    pub format: Format,
    /// When it was written, if it says so with a time zone.
    pub at: Option<Timestamp>,
    /// Where its files lie, if it says so.
    pub sources: Vec<String>,
    /// Where it contradicts itself, at most 50. The worse figure counts.
    pub notes: Vec<Problem>,
    /// How many more.
    pub notes_omitted: u64,
    pub(super) files: BTreeMap<String, Tally>,
    /// What it says of the whole.
    pub(super) declared: Option<Parts>,
}

impl Report {
    pub(super) const fn new(format: Format) -> Self {
        Self {
            format,
            at: None,
            sources: Vec::new(),
            notes: Vec::new(),
            notes_omitted: 0,
            files: BTreeMap::new(),
            declared: None,
        }
    }

    /// Whether it is about no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Its files, as it names them, and what of each is covered.
    pub fn files(&self) -> impl Iterator<Item = (&str, Covered)> {
        let files = self.files.iter();
        files.map(|(name, tally)| (name.as_str(), covered(tally.parts())))
    }

    /// The file's record; another one of the same name is merged.
    pub(super) fn take(&mut self, name: &str, tally: Tally) {
        match self.files.get_mut(name) {
            Some(known) => known.join(tally),
            None => {
                self.files.insert(name.to_owned(), tally);
            }
        }
    }

    pub(super) fn note(&mut self, reason: Reason, text: String) {
        if self.notes.len() < NOTES {
            self.notes.push(Problem::new(reason, text));
        } else {
            self.notes_omitted += 1;
        }
    }

    /// Notes what a file declares and does not show.
    pub(super) fn reconcile(
        &mut self,
        file: &str,
        tally: &mut Tally,
        which: usize,
        declared: Part,
    ) {
        let shown = tally.shown()[which];
        if !tally.reconcile(which, declared, shown) {
            let text = format!(
                "`{file}` declares {} of {} {} and shows {} of {}",
                declared.covered, declared.total, WORDS[which], shown.covered, shown.total
            );
            self.note(Reason::EvidenceCountMismatch, text);
        }
    }

    /// Compares the sum of the files with what is declared of the whole.
    pub(super) fn reconcile_whole(&mut self) {
        let Some(declared) = self.declared else {
            return;
        };
        let mut sum = [NONE; 3];
        for tally in self.files.values() {
            add(&mut sum, tally.parts());
        }
        for which in 0..3 {
            let (said, seen) = (declared[which], sum[which]);
            if said.total > 0 && worse(seen, said) != seen {
                let text = format!(
                    "the report declares {} of {} {} and its files have {} of {}",
                    said.covered, said.total, WORDS[which], seen.covered, seen.total
                );
                self.note(Reason::EvidenceCountMismatch, text);
            }
        }
    }
}

/// Adds parts up.
pub(super) fn add(sum: &mut Parts, parts: Parts) {
    for (sum, part) in sum.iter_mut().zip(parts) {
        sum.covered = sum.covered.saturating_add(part.covered);
        sum.total = sum.total.saturating_add(part.total);
    }
}

/// Parts as a gate sees them: what has no whole is absent, and no part is larger than its whole.
pub(super) fn covered(parts: Parts) -> Covered {
    let [lines, functions, branches] = parts.map(|part| {
        (part.total > 0).then_some(Part {
            covered: part.covered.min(part.total),
            total: part.total,
        })
    });
    Covered {
        lines,
        functions,
        branches,
    }
}

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
    /// Whether its format says everything once: what is said twice and differently is a contradiction then, and did not run.
    pub(super) is_strict: bool,
    /// How often it was.
    pub(super) twice: u64,
    /// The last line that is spoken of beside [`Self::lines`].
    pub(super) last: u64,
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

/// Puts in whether something ran; says whether it was said before, and differently.
fn put<K: Ord>(map: &mut BTreeMap<K, bool>, key: K, ran: bool, is_strict: bool) -> bool {
    use std::collections::btree_map::Entry;
    match map.entry(key) {
        Entry::Vacant(place) => {
            place.insert(ran);
            false
        }
        Entry::Occupied(mut place) => {
            let known = *place.get();
            *place.get_mut() = if is_strict {
                known && ran
            } else {
                known || ran
            };
            is_strict && known != ran
        }
    }
}

impl Tally {
    /// Of a format that says everything once.
    pub(super) fn strict() -> Self {
        Self {
            is_strict: true,
            ..Self::default()
        }
    }

    pub(super) fn line(&mut self, number: u64, ran: bool) {
        self.twice += u64::from(put(&mut self.lines, number, ran, self.is_strict));
    }

    pub(super) fn function(&mut self, line: u64, name: &str, ran: bool) {
        let key = (line, name.to_owned());
        self.twice += u64::from(put(&mut self.functions, key, ran, self.is_strict));
    }

    pub(super) fn branch(&mut self, line: u64, block: u64, name: &str, taken: bool) {
        let key = (line, block, name.to_owned());
        self.twice += u64::from(put(&mut self.branches, key, taken, self.is_strict));
    }

    /// Takes a declared share for the most that is covered; says whether more is shown. A share that was cut to two digits is granted.
    pub(super) fn at_most(&mut self, which: usize, share: f64) -> bool {
        let shown = self.shown()[which];
        let Some(most) = capped(shown, share) else {
            return false;
        };
        let over = shown.covered.saturating_sub(most.covered);
        self.overstated[which] = self.overstated[which].max(over);
        true
    }

    /// The last line that something is said of; 0 if nothing is said by line.
    pub(super) fn last_line(&self) -> u64 {
        let lines = self.lines.keys().next_back().copied();
        let functions = self.functions.keys().next_back().map(|(line, _)| *line);
        let branches = self.branches.keys().next_back().map(|(line, ..)| *line);
        let last = lines.max(functions).max(branches).unwrap_or(0);
        last.max(self.last)
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
        self.is_strict |= other.is_strict;
        self.twice += other.twice;
        self.last = self.last.max(other.last);
        for (line, ran) in other.lines {
            self.line(line, ran);
        }
        for ((line, name), ran) in other.functions {
            self.function(line, &name, ran);
        }
        for ((line, block, name), taken) in other.branches {
            self.branch(line, block, &name, taken);
        }
        // Records that say everything once are parts of a file, and others are of all of it.
        let both = |a: u64, b: u64| match self.is_strict {
            true => a.saturating_add(b),
            false => a.max(b),
        };
        for which in 0..3 {
            self.unshown[which] = both(self.unshown[which], other.unshown[which]);
            self.overstated[which] = both(self.overstated[which], other.overstated[which]);
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

/// A part of which at most this share is covered, if more of it is said to be.
pub(super) fn capped(part: Part, share: f64) -> Option<Part> {
    const ROUNDED: f64 = 0.01;
    let (covered, total) = (part.covered as f64, part.total as f64);
    let is_more = share.is_finite() && covered > (share.max(0.0) + ROUNDED) * total;
    is_more.then(|| Part {
        covered: (share.max(0.0) * total).floor() as u64,
        total: part.total,
    })
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
    /// When it was written at the earliest and at the latest, by its own word: a time without a zone is of any.
    pub made: Option<(Timestamp, Timestamp)>,
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
            made: None,
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

    /// Notes where a file that is declared to be covered by this share at most shows more.
    pub(super) fn cap(&mut self, file: &str, tally: &mut Tally, which: usize, share: f64) {
        let shown = tally.shown()[which];
        if tally.at_most(which, share) {
            let text = format!(
                "`{file}` declares a share of {share} of its {} and shows {} of {}",
                WORDS[which], shown.covered, shown.total
            );
            self.note(Reason::EvidenceCountMismatch, text);
        }
    }

    /// Takes a declared share of all files, lines or branches, for what is declared of the whole.
    pub(super) fn cap_whole(&mut self, which: usize, share: f64) {
        let mut sum = [NONE; 3];
        for tally in self.files.values() {
            add(&mut sum, tally.parts());
        }
        if let Some(most) = capped(sum[which], share) {
            let mut declared = self.declared.unwrap_or([NONE; 3]);
            declared[which] = worse(declared[which], most);
            self.declared = Some(declared);
        }
    }

    /// Compares the sum of the files with what is declared of the whole, and notes where a file says one thing twice and differently.
    pub(super) fn reconcile_whole(&mut self) {
        let twice = self.files.iter().filter(|(_, tally)| tally.twice > 0);
        let told: Vec<String> = twice
            .map(|(file, tally)| {
                let count = tally.twice;
                format!("`{file}`: {count} lines or branches stand twice, covered and not covered")
            })
            .collect();
        for text in told {
            self.note(Reason::EvidenceCountMismatch, text);
        }
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

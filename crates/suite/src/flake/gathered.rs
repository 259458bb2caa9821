//! A long history in a few bytes a verdict, so that every test of many runs can be looked at.
//!
//! Invariants: a run and a test are named once; a verdict is four bytes, and only what is not good has more; at most as many tests are
//! kept as asked for, and those beyond are counted; the statistics come out sorted, whatever the order in which the verdicts came in.

use std::collections::{BTreeMap, HashMap};

use gonogo_core::Timestamp;

use super::{FlakeStat, Loads, Row, Rules, stat, weighs};
use crate::cause::Cause;
use crate::{Signature, TestId, TestVerdict};

/// Bits of a word that are a verdict.
const BITS: u32 = 4;

/// Most runs: what is left of the word.
const RUNS: usize = 1 << (u32::BITS - BITS);

/// Every verdict, by the number that stands for it.
const VERDICTS: [TestVerdict; 8] = [
    TestVerdict::Passed,
    TestVerdict::Skipped,
    TestVerdict::UnexpectedPass,
    TestVerdict::Flaky,
    TestVerdict::Precluded,
    TestVerdict::Errored,
    TestVerdict::Missing,
    TestVerdict::Failed,
];

/// A run of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunMark {
    /// Its id.
    pub id: String,
    /// The tree that it ran on; empty if it is not known.
    pub tree: String,
    /// What else makes its results its own.
    pub variant: String,
    /// When it began.
    pub at: Timestamp,
}

/// A verdict on a test, and how it failed.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The verdict.
    pub verdict: TestVerdict,
    /// Of the worst failure.
    pub signature: Option<&'a Signature>,
    /// Of the worst failure.
    pub cause: Option<&'a Cause>,
}

#[derive(Debug, Default)]
struct Target {
    tests: HashMap<TestId, u32>,
}

/// Verdicts of a history.
#[derive(Debug)]
pub struct Gathered {
    most: usize,
    runs: Vec<RunMark>,
    /// Failed and all of each run.
    loads: Vec<(u64, u64)>,
    targets: BTreeMap<String, Target>,
    /// By test: run and verdict in a word.
    words: Vec<Vec<u32>>,
    /// By test and place among its words.
    told: HashMap<(u32, u32), (Option<Signature>, Option<Cause>)>,
    beyond: u64,
}

impl Gathered {
    /// Nothing yet; at most so many tests are kept.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            runs: Vec::new(),
            loads: Vec::new(),
            targets: BTreeMap::new(),
            words: Vec::new(),
            told: HashMap::new(),
            beyond: 0,
        }
    }

    /// Begins a run. `None` beyond 268 million of them.
    pub fn run(&mut self, mark: RunMark) -> Option<usize> {
        if self.runs.len() >= RUNS {
            return None;
        }
        self.runs.push(mark);
        self.loads.push((0, 0));
        Some(self.runs.len() - 1)
    }

    /// Adds the verdict of a run on a test of a target.
    pub fn add(&mut self, run: usize, target: &str, test: &TestId, said: Said<'_>) {
        if let (Some(failed), Some(load)) = (weighs(said.verdict), self.loads.get_mut(run)) {
            load.0 += failed;
            load.1 += 1;
        }
        self.again(run, target, test, said);
    }

    /// Adds a further attempt of a run at a test: it says something of the test, and nothing of how much of the run failed.
    pub fn again(&mut self, run: usize, target: &str, test: &TestId, said: Said<'_>) {
        if run >= self.runs.len() {
            return;
        }
        if !self.targets.contains_key(target) {
            self.targets.insert(target.to_owned(), Target::default());
        }
        let Some(own) = self.targets.get_mut(target) else {
            return;
        };
        let id = match own.tests.get(test) {
            Some(id) => *id,
            None if self.words.len() >= self.most => {
                self.beyond += 1;
                return;
            }
            None => {
                let id = self.words.len() as u32;
                own.tests.insert(test.clone(), id);
                self.words.push(Vec::new());
                id
            }
        };
        let words = &mut self.words[id as usize];
        if said.signature.is_some() || said.cause.is_some() {
            let told = (said.signature.cloned(), said.cause.cloned());
            self.told.insert((id, words.len() as u32), told);
        }
        words.push((run as u32) << BITS | said.verdict as u32);
    }

    /// Runs, in the order in which they were begun.
    pub fn runs(&self) -> &[RunMark] {
        &self.runs
    }

    /// Tests that are kept, of all targets.
    pub fn tests(&self) -> usize {
        self.words.len()
    }

    /// Verdicts on tests that are not kept.
    pub fn beyond(&self) -> u64 {
        self.beyond
    }

    /// Runs in which nearly everything failed: they say nothing of any one test.
    pub fn storms(&self, rules: &Rules) -> Vec<&RunMark> {
        let loads = self.loads();
        let all = self.runs.iter();
        all.filter(|run| loads.is_storm(&run.id, rules)).collect()
    }

    fn loads(&self) -> Loads {
        let mut loads = Loads::default();
        for (run, (failed, all)) in self.runs.iter().zip(&self.loads) {
            loads.note(&run.id, *failed, *all);
        }
        loads
    }

    /// The statistics of every test and variant, one after the other, by target, test and variant. `now` ends the window.
    pub fn each(&self, now: Timestamp, rules: &Rules, mut take: impl FnMut(&str, FlakeStat)) {
        let loads = self.loads();
        for (name, target) in &self.targets {
            let mut tests: Vec<(&TestId, &u32)> = target.tests.iter().collect();
            tests.sort_unstable();
            for (test, id) in tests {
                let mut by_variant: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
                for (n, word) in (0u32..).zip(&self.words[*id as usize]) {
                    let run = &self.runs[(word >> BITS) as usize];
                    let (signature, cause) = self.told.get(&(*id, n)).cloned().unwrap_or_default();
                    let row = Row {
                        test: test.clone(),
                        variant: run.variant.clone(),
                        tree: run.tree.clone(),
                        run: run.id.clone(),
                        verdict: VERDICTS[(word & ((1 << BITS) - 1)) as usize],
                        at: run.at,
                        signature,
                        cause,
                        stress: false,
                    };
                    by_variant.entry(&run.variant).or_default().push(row);
                }
                for rows in by_variant.into_values() {
                    let rows: Vec<&Row> = rows.iter().collect();
                    if let Some(stat) = stat(&rows, &loads, now, rules) {
                        take(name, stat);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stats;
    use super::*;

    #[test]
    fn a_number_stands_for_each_verdict() {
        for (n, verdict) in (0u32..).zip(VERDICTS) {
            assert_eq!(verdict as u32, n);
        }
        assert!(VERDICTS.len() <= 1 << BITS);
    }

    /// What is gathered in words says the same as the rows themselves, retries and two targets with one name of a test included.
    #[test]
    fn gathered_is_what_the_rows_say() {
        let at = |n: i64| Timestamp::from_millis(1_800_000_000_000 + n * 3_600_000);
        let rules = Rules::default();
        let failure = crate::Failure {
            message: "boom".into(),
            ..crate::Failure::default()
        };
        let signature = Signature::of(&failure);
        let mut gathered = Gathered::new(100);
        let mut rows: Vec<Row> = Vec::new();
        for run in 0..12i64 {
            let mark = RunMark {
                id: format!("run-{run:02}"),
                tree: format!("tree-{}", run / 3),
                variant: if run == 7 {
                    "os=x".into()
                } else {
                    String::new()
                },
                at: at(run),
            };
            let number = gathered.run(mark.clone()).unwrap();
            for test in 0..6i64 {
                let id = TestId::new("s", "c", &format!("t{test}"));
                let verdict = match (run, test) {
                    (4, _) => TestVerdict::Failed,
                    (n, 0) if n % 3 == 1 => TestVerdict::Failed,
                    (_, 1) => TestVerdict::Flaky,
                    (n, 2) if n > 6 => TestVerdict::Failed,
                    (n, 3) if n % 2 == 0 => TestVerdict::Skipped,
                    _ => TestVerdict::Passed,
                };
                let bad = !verdict.is_good();
                let said = Said {
                    verdict,
                    signature: bad.then_some(&signature),
                    cause: bad.then_some(&Cause::Timeout),
                };
                gathered.add(number, "one", &id, said);
                rows.push(Row {
                    test: id.clone(),
                    variant: mark.variant.clone(),
                    tree: mark.tree.clone(),
                    run: mark.id.clone(),
                    verdict,
                    at: mark.at,
                    signature: bad.then(|| signature.clone()),
                    cause: bad.then_some(Cause::Timeout),
                    stress: false,
                });
                // Another target has tests of the same names, which always pass.
                let said = Said {
                    verdict: TestVerdict::Passed,
                    signature: None,
                    cause: None,
                };
                if run != 4 {
                    gathered.add(number, "two", &id, said);
                }
            }
        }
        let storms: Vec<&str> = gathered
            .storms(&rules)
            .iter()
            .map(|r| r.id.as_str())
            .collect();
        assert_eq!(storms, ["run-04"]);
        let mut found = Vec::new();
        gathered.each(at(20), &rules, |target, stat| {
            if target == "one" {
                found.push(stat);
            } else {
                assert_eq!((stat.fails, stat.mixed), (0, 0), "{stat:?}");
            }
        });
        assert_eq!(found, stats(&rows, at(20), &rules));
        assert!(found.iter().any(|s| s.mixed > 0), "{found:?}");
        assert_eq!(gathered.tests(), 12);
        let mut few = Gathered::new(1);
        let run = few.run(gathered.runs()[0].clone()).unwrap();
        for name in ["a", "b", "a"] {
            let said = Said {
                verdict: TestVerdict::Passed,
                signature: None,
                cause: None,
            };
            few.add(run, "one", &TestId::new("", "", name), said);
        }
        assert_eq!((few.tests(), few.beyond()), (1, 1));
    }
}

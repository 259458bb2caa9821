//! What all attempts at one test together say of it.
//!
//! A retry buys a label and never a pass: a test that failed and then passed on one tree is [`TestVerdict::Flaky`]. The rule is a function
//! of the *set* of outcomes, so neither order nor repetition of attempts changes it.

use serde::{Deserialize, Serialize};

use crate::Outcome;

/// The verdict on one test of a run, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestVerdict {
    /// It ran and did what was expected.
    Passed,
    /// It did not run, as its author or a filter said.
    Skipped,
    /// It passed although it was said to fail.
    UnexpectedPass,
    /// It went wrong and passed.
    Flaky,
    /// It was planned and could not run.
    Precluded,
    /// It could not be carried out, or nobody knows what it came to.
    Errored,
    /// It was planned, or the baseline has it, and nothing is said of it.
    Missing,
    /// It failed and never passed.
    Failed,
}

impl TestVerdict {
    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::UnexpectedPass => "unexpected_pass",
            Self::Flaky => "flaky",
            Self::Precluded => "precluded",
            Self::Errored => "errored",
            Self::Missing => "missing",
            Self::Failed => "failed",
        }
    }

    /// Whether a gate that knows of no excuse lets it through.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Passed | Self::Skipped)
    }
}

/// A set of outcomes, filled as attempts come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes(u8);

impl Outcomes {
    /// Adds an outcome.
    pub const fn add(&mut self, outcome: Outcome) {
        self.0 |= 1 << outcome.rank();
    }

    /// Adds all of another set.
    pub const fn join(&mut self, other: Self) {
        self.0 |= other.0;
    }

    const fn has(self, rank: u8) -> bool {
        self.0 & (1 << rank) != 0
    }

    /// The verdict. Without any attempt it is missing.
    pub const fn verdict(self) -> TestVerdict {
        const PASS: u8 = Outcome::Pass.rank();
        const XFAIL: u8 = Outcome::ExpectedFailure.rank();
        const XPASS: u8 = Outcome::UnexpectedPass.rank();
        let green = self.has(PASS) || self.has(XFAIL);
        let failed = self.has(Outcome::Fail.rank());
        let errored = self.has(Outcome::Error.rank()) || self.has(Outcome::Unknown.rank());
        let precluded = self.has(Outcome::Precluded.rank());
        if failed || errored || precluded {
            return match (green || self.has(XPASS), failed, errored) {
                (true, _, _) => TestVerdict::Flaky,
                (false, true, _) => TestVerdict::Failed,
                (false, false, true) => TestVerdict::Errored,
                (false, false, false) => TestVerdict::Precluded,
            };
        }
        if self.has(XPASS) {
            TestVerdict::UnexpectedPass
        } else if green {
            TestVerdict::Passed
        } else if self.0 == 0 {
            TestVerdict::Missing
        } else {
            TestVerdict::Skipped
        }
    }
}

impl FromIterator<Outcome> for Outcomes {
    fn from_iter<T: IntoIterator<Item = Outcome>>(outcomes: T) -> Self {
        let mut set = Self::default();
        outcomes.into_iter().for_each(|o| set.add(o));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SkipKind;

    const ALL: [Outcome; 8] = [
        Outcome::Pass,
        Outcome::ExpectedFailure,
        Outcome::Skip(SkipKind::Other),
        Outcome::UnexpectedPass,
        Outcome::Precluded,
        Outcome::Unknown,
        Outcome::Error,
        Outcome::Fail,
    ];

    /// Every set of outcomes there is, against laws that are said in other words than the rule.
    #[test]
    fn every_set_of_outcomes_has_its_verdict() {
        for bits in 0u16..256 {
            let set: Vec<Outcome> = ALL
                .into_iter()
                .enumerate()
                .filter(|(n, _)| bits & (1 << n) != 0)
                .map(|(_, o)| o)
                .collect();
            let verdict: TestVerdict = set.iter().copied().collect::<Outcomes>().verdict();
            let bad = set.iter().any(|o| {
                matches!(
                    o,
                    Outcome::Fail | Outcome::Error | Outcome::Unknown | Outcome::Precluded
                )
            });
            let ran_well = set
                .iter()
                .any(|o| o.is_green() || *o == Outcome::UnexpectedPass);
            assert_eq!(set.is_empty(), verdict == TestVerdict::Missing, "{set:?}");
            assert_eq!(bad && ran_well, verdict == TestVerdict::Flaky, "{set:?}");
            let fails = set.contains(&Outcome::Fail) && !ran_well;
            assert_eq!(fails, verdict == TestVerdict::Failed, "{set:?}");
            // Only what ran and was never bad passes.
            if verdict == TestVerdict::Passed {
                assert!(!bad && set.iter().any(|o| o.is_green()), "{set:?}");
                assert!(!set.contains(&Outcome::UnexpectedPass), "{set:?}");
            }
            if verdict == TestVerdict::Skipped {
                assert!(set.iter().all(|o| matches!(o, Outcome::Skip(_))), "{set:?}");
            }
            // One bad attempt more never makes it good.
            let mut worse: Outcomes = set.iter().copied().collect();
            worse.add(Outcome::Error);
            assert!(!worse.verdict().is_good(), "{set:?}");
        }
    }
}

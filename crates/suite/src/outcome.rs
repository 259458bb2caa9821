//! What one attempt at one test came to.

use serde::{Deserialize, Serialize};

/// The outcome of an attempt. Only [`Outcome::Pass`] and [`Outcome::ExpectedFailure`] can be green.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It ran and passed.
    Pass,
    /// It failed as its author said that it would.
    ExpectedFailure,
    /// It did not run, or its body said that it need not.
    Skip(SkipKind),
    /// It passed although its author said that it would fail.
    UnexpectedPass,
    /// It was planned and never ran, because of something above it: a build, a fixture, a bail-out.
    Precluded,
    /// Something other than the test failed while it ran: the runner, the machine, a set-up.
    Error,
    /// It failed.
    Fail,
    /// The report says something that no reader knows. Never green.
    Unknown,
}

/// Why a test was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipKind {
    /// Where it is declared: an ignored one of Rust, `@Disabled`, `it.skip`, `@pytest.mark.skip`.
    Declared,
    /// Its body did, at run time.
    Body,
    /// A filter of the runner left it out.
    Filtered,
    /// A later entry stands for it: a todo.
    Todo,
    /// The report does not say.
    Other,
}

impl Outcome {
    /// How bad it is; of several statements about one attempt the worst counts.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::ExpectedFailure => 1,
            Self::Skip(_) => 2,
            Self::UnexpectedPass => 3,
            Self::Precluded => 4,
            Self::Unknown => 5,
            Self::Error => 6,
            Self::Fail => 7,
        }
    }

    /// The worse of two.
    #[must_use]
    pub const fn worse(self, other: Self) -> Self {
        if other.rank() > self.rank() {
            other
        } else {
            self
        }
    }

    /// Whether the test ran and did what was expected of it.
    pub const fn is_green(self) -> bool {
        matches!(self, Self::Pass | Self::ExpectedFailure)
    }

    /// Whether it says that something is wrong: a failure, an error, a pass that should not be, nothing that is known, or a test
    /// that could not run.
    pub const fn is_bad(self) -> bool {
        !matches!(self, Self::Pass | Self::ExpectedFailure | Self::Skip(_))
    }

    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::ExpectedFailure => "expected_failure",
            Self::Skip(_) => "skip",
            Self::UnexpectedPass => "unexpected_pass",
            Self::Precluded => "precluded",
            Self::Error => "error",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Outcome; 9] = [
        Outcome::Pass,
        Outcome::ExpectedFailure,
        Outcome::Skip(SkipKind::Declared),
        Outcome::Skip(SkipKind::Other),
        Outcome::UnexpectedPass,
        Outcome::Precluded,
        Outcome::Unknown,
        Outcome::Error,
        Outcome::Fail,
    ];

    #[test]
    fn the_worst_counts_whatever_the_order() {
        for a in ALL {
            for b in ALL {
                assert_eq!(a.worse(b).rank(), b.worse(a).rank());
                assert_eq!(a.worse(b).rank(), a.rank().max(b.rank()));
                assert!(!a.worse(b).is_green() || a.is_green() && b.is_green());
            }
            assert!(!(a.is_green() && a.is_bad()));
        }
        assert!(Outcome::Unknown.is_bad());
    }
}

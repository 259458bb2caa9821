//! The words for how good something is.

use std::fmt;

use gonogo_core::Exit;
use serde::{Deserialize, Serialize};

/// How a run, a part of it or a finding stands. Ordered: the worst wins with `max`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Positive evidence that all is well.
    #[default]
    Pass,
    /// Something that a person must look at.
    Warn,
    /// Positive evidence that something is wrong.
    Fail,
    /// The evidence cannot be used: it is missing, broken, or was made on a simulated clock.
    Invalid,
}

impl Status {
    /// Returns the exit code of a command that ends so: 0, 1, 2, 3.
    pub const fn exit(self) -> Exit {
        match self {
            Self::Pass => Exit::Done,
            Self::Warn => Exit::Hold,
            Self::Fail => Exit::Fail,
            Self::Invalid => Exit::Unjudged,
        }
    }

    /// Returns the word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Invalid => "invalid",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

//! What a driver tells while it works. For people and screens; nothing is decided from it.

use gonogo_core::{Reason, Span, Timestamp};
use gonogo_release::{Act, Effect, Input, Phase, Terminal};

/// Where an operation stands, and what just happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress<'a> {
    /// Machine time.
    pub at: Timestamp,
    /// Number of the last event.
    pub seq: u64,
    /// Where the operation stands.
    pub phase: Phase,
    /// The act that has been waiting longest for its outcome: the first thing to look at when nothing moves.
    pub oldest: Option<OpenAct>,
    /// What just happened.
    pub notice: Notice<'a>,
}

/// An act that was sent and not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAct {
    /// Its number.
    pub id: u64,
    /// Its key.
    pub key: String,
    /// For how long.
    pub age: Span,
    /// How long it may take.
    pub deadline: Span,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice<'a> {
    /// The driver has the lease and knows where the operation stood.
    Resumed {
        /// The lease's epoch.
        epoch: u64,
        /// Acts that may have been sent by an earlier driver.
        doubtful: usize,
    },
    /// A transition is durable.
    Stepped {
        /// What came in.
        input: &'a Input,
        /// What the machine answered.
        effects: &'a [Effect],
    },
    /// An act is about to be sent.
    Sent {
        /// The act.
        act: &'a Act,
        /// The epoch that it carries.
        epoch: u64,
    },
    /// The operation does not advance, and nothing acknowledged is lost.
    Stalled {
        /// Why.
        reason: Reason,
        /// Why, in words.
        text: String,
        /// When the driver tries again.
        again_in: Span,
    },
    /// The operation advances again.
    Recovered,
    /// The wall clock moved against the monotonic one by this many milliseconds. Machine time did not follow.
    ClockJumped {
        /// Forward is positive.
        by_ms: i64,
    },
    /// Nothing new; said about once a second.
    Waiting,
    /// The operation has ended, and all its evidence is kept.
    Ended(&'a Terminal),
}

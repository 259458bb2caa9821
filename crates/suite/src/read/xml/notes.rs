//! Issues of one document, few of each kind, so that a thousand odd times do not hide a missing end.

use super::times::Moment;
use crate::read::{Limits, Parse, Reading};
use crate::{IssueKind, Outcome};

/// Most issues of one kind.
const MOST: u32 = 20;

/// The reading under work.
pub(in crate::read) struct Notes {
    pub(in crate::read) reading: Reading,
    limits: Limits,
    told: [u32; 11],
    /// A test's time that cannot be read: where it is, and what to say if no other time of the report can be.
    odd_time: Option<(u64, String)>,
}

impl Notes {
    pub(in crate::read) const fn new(reading: Reading, limits: Limits) -> Self {
        Self {
            reading,
            limits,
            told: [0; 11],
            odd_time: None,
        }
    }

    /// Notes an issue. Of one kind at most 20 are kept; further ones are counted as omitted, but for odd values, which only say
    /// that there are more.
    pub(in crate::read) fn tell(&mut self, kind: IssueKind, at: u64, text: impl Into<String>) {
        let told = &mut self.told[slot(kind)];
        *told = told.saturating_add(1);
        if *told <= MOST {
            self.reading.tell(&self.limits, kind, at, text);
        } else if kind != IssueKind::OddValue {
            self.reading.issues_omitted += 1;
        }
    }

    /// Whether another issue of the kind would be kept: its text need not be made otherwise.
    pub(in crate::read) const fn is_full(&self, kind: IssueKind) -> bool {
        self.told[slot(kind)] >= MOST
    }

    /// Notes that a test began then.
    pub(in crate::read) fn began(&mut self, moment: Moment) -> Moment {
        self.reading.at_the_latest(between(moment).1);
        moment
    }

    /// Notes that a suite began then.
    pub(in crate::read) fn suite_began(&mut self, moment: Moment) -> Moment {
        let (early, late) = between(moment);
        self.reading.part_began_between(early, late);
        moment
    }

    /// Notes that a suite's time cannot be read, so that nobody knows whether it is of this run. An empty one says nothing.
    pub(in crate::read) fn suite_undated(&mut self, at: u64, key: &str, raw: &str) {
        let kind = match raw.trim() {
            "" => IssueKind::OddValue,
            _ => IssueKind::OddTime,
        };
        if !self.is_full(kind) {
            self.tell(kind, at, no_time(key, raw));
        }
    }

    /// Notes that a test's time cannot be read. What it tests may have told it another time, so it only counts as a suite's where the
    /// report has no other.
    pub(in crate::read) fn undated(&mut self, at: u64, key: &str, raw: &str) {
        if !self.is_full(IssueKind::OddValue) {
            self.tell(IssueKind::OddValue, at, no_time(key, raw));
        }
        if self.odd_time.is_none() && !raw.trim().is_empty() {
            self.odd_time = Some((at, no_time(key, raw)));
        }
    }

    /// Tells, at the end of the report, of times that cannot be read where there is no other.
    pub(in crate::read) fn settle_times(&mut self) {
        if let Some((at, text)) = self.odd_time.take()
            && self.reading.began_ms.is_none()
        {
            self.tell(IssueKind::OddTime, at, text);
        }
    }

    pub(in crate::read) const fn count(&mut self, outcome: Outcome) {
        self.reading.seen.add(outcome);
    }

    /// Whether an issue of the kind was told.
    pub(in crate::read) const fn has(&self, kind: IssueKind) -> bool {
        self.told[slot(kind)] > 0
    }

    /// Says that nothing of the format was there.
    pub(in crate::read) fn reject(&mut self, text: impl Into<String>) {
        self.tell(IssueKind::Unparsable, 0, text);
        self.reading.parse = Parse::Rejected;
    }
}

fn no_time(key: &str, raw: &str) -> String {
    let raw: String = raw.chars().take(60).collect();
    format!("{key}=\"{raw}\" is no time that can be read")
}

/// When that was at the earliest and at the latest: a time without a zone may be of one that is fourteen hours ahead of UTC or twelve behind.
const fn between(moment: Moment) -> (i64, i64) {
    const HOUR: i64 = 3_600_000;
    if moment.is_absolute {
        (moment.ms, moment.ms)
    } else {
        (
            moment.ms.saturating_sub(14 * HOUR),
            moment.ms.saturating_add(12 * HOUR),
        )
    }
}

const fn slot(kind: IssueKind) -> usize {
    match kind {
        IssueKind::Unparsable => 0,
        IssueKind::Truncated => 1,
        IssueKind::CountMismatch => 2,
        IssueKind::Collision => 3,
        IssueKind::NoTests => 4,
        IssueKind::UnknownOutcome => 5,
        IssueKind::OddValue => 6,
        IssueKind::Limit => 7,
        IssueKind::Incomplete => 8,
        IssueKind::Ahead => 9,
        IssueKind::OddTime => 10,
    }
}

//! To be written.

use std::io::BufRead;

use super::{Format, Limits, Reading, Sink};

pub(super) fn read(_: &mut dyn BufRead, limits: &Limits, _: &mut dyn Sink) -> Reading {
    let mut reading = Reading::of(Format::Go);
    reading.tell(
        limits,
        crate::IssueKind::Unparsable,
        0,
        "there is no reader for this format yet",
    );
    reading
}

//! What a run shows while it goes on: counts, incidents, progress. The pump feeds it and may die at any moment: [`Live::save`] and
//! [`Live::restore`] carry it over to the next one, which reads again from [`Live::position`].

use crate::journal::Event;
use crate::progress::Progress;
use crate::spec::RunSpec;
use crate::{Moment, Stream};

/// The state of a run that goes on.
#[derive(Debug)]
pub struct Live {
    spec: RunSpec,
}

impl Live {
    /// Begins.
    ///
    /// # Errors
    /// A pattern of the allow-list that is no regular expression.
    pub fn new(spec: &RunSpec) -> Result<Self, String> {
        Ok(Self { spec: spec.clone() })
    }

    /// Goes on from what [`Live::save`] returned; none if that cannot be read or belongs to another run.
    pub fn restore(_spec: &RunSpec, _saved: &[u8]) -> Option<Self> {
        None
    }

    /// Returns the state: at most 16 MiB.
    pub fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Returns how many bytes of `stream` need not be read again after [`Live::restore`]: an open line or trace begins there.
    pub fn position(&self, _stream: Stream) -> u64 {
        0
    }

    /// The stream's next bytes arrived. What the views show of them is appended to `views`.
    pub fn bytes(
        &mut self,
        _stream: Stream,
        _at: Moment,
        _bytes: &[u8],
        _views: Option<&mut Views>,
    ) {
    }

    /// Something happened that the journals hold.
    pub fn event(&mut self, _at: Moment, _event: &Event) {}

    /// Time goes by: silences and stale evidence are noticed here.
    pub fn tick(&mut self, _at: Moment) {}

    /// Both streams are at their end: a last line without a line feed is a line, an open trace ends.
    pub fn finish(&mut self, _at: Moment, _views: Option<&mut Views>) {}

    /// Returns whether there is an incident that progress has not shown yet, and takes note that it will.
    pub fn take_urgent(&mut self) -> bool {
        false
    }

    /// Returns the progress, `sequence` not filled in.
    pub fn progress(&self, at: Moment) -> Progress {
        let _ = (&self.spec, at);
        unreachable!("replaced")
    }
}

/// What the derived views get: bytes to append.
#[derive(Debug, Default)]
pub struct Views {
    /// For `.log`: whole lines of both streams in order of arrival.
    pub log: Vec<u8>,
    /// For `.jsonl`.
    pub jsonl: Vec<u8>,
}

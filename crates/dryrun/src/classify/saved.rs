//! A classifier's state between two feeds: kept as it is, or told by where one that knows nothing must begin to find the same.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::block::Block;
use super::trace::{Entry, Traces};
use super::{Back, Classifier, Counts};
use crate::Stream;
use crate::spec::Lines;

/// A classifier's state, without the open line: what [`Classifier::restore`] needs besides the bytes from
/// [`Saved::offset`] on. Bounded: 2 MiB and a little, whatever was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Saved {
    stream: Stream,
    offset: u64,
    number: u64,
    back: VecDeque<Back>,
    pending: Option<Entry>,
    traces: Traces,
    #[serde(default)]
    block: Option<Box<Block>>,
    counts: Counts,
}

impl Saved {
    /// Returns where the open line begins: the bytes from there on must be fed again, and none before.
    pub const fn offset(&self) -> u64 {
        self.offset
    }
}

impl Classifier {
    /// Goes on from what [`Self::save`] returned; the next bytes to feed are those from [`Saved::offset`] on.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn restore(lines: &Lines, saved: Saved) -> Result<Self, String> {
        let mut classifier = Self::resume(saved.stream, lines, saved.offset, saved.number)?;
        classifier.back = saved.back;
        classifier.pending = saved.pending;
        classifier.traces = saved.traces;
        classifier.block = saved.block;
        classifier.counts = saved.counts;
        Ok(classifier)
    }

    /// Returns the whole state but for the open line, which is read again from [`Saved::offset`]: no line is told twice, and open
    /// traces go on.
    pub fn save(&self) -> Saved {
        Saved {
            stream: self.stream,
            offset: self.offset,
            number: self.number,
            back: self.back.clone(),
            pending: self.pending.clone(),
            traces: self.traces.clone(),
            block: self.block.clone(),
            counts: self.counts.clone(),
        }
    }

    /// Returns the offset in the stream from which bytes must be read again by a classifier that knows nothing: the start of the
    /// oldest open trace, of the line before, or of the open line. Lines from there on are told twice; [`Self::save`] avoids that.
    pub fn open_line_start(&self) -> u64 {
        let back = self.back.front().map_or(self.offset, |back| back.start);
        let block = self.block.as_ref().map_or(back, |block| block.start);
        self.traces.start().unwrap_or(back).min(back).min(block)
    }

    /// Returns how many lines are before [`Self::open_line_start`].
    pub fn open_line_number(&self) -> u64 {
        let back = self
            .back
            .front()
            .map_or(self.number, |back| back.number - 1);
        let block = self.block.as_ref().map_or(back, |block| block.number - 1);
        self.traces
            .first_line()
            .map_or(back, |line| (line - 1).min(back))
            .min(block)
    }
}

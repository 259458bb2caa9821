//! A member that is compressed beside the indexing: its place is final when its record is, and until then its bytes are in the tail.
//!
//! Invariant: at most one member is under way. Whoever closes, rotates or finishes settles it first, so that members come into the
//! index in their order; batches that arrived meanwhile stand before its record.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use gonogo_core::Digest;
use gonogo_dryrun::Stream;
use gonogo_dryrun::index::{Member, Record, Sum};
use gonogo_dryrun::spec::Compression;

use super::{Close, Store, number};
use crate::codec::compress;
use crate::space::is_full;

/// Bytes that are worth a thread.
const WORTH: u64 = 256 << 10;

/// The member that is under way.
pub(super) struct Closing {
    stream: Stream,
    bytes: Arc<Vec<u8>>,
    length: u64,
    digest: Digest,
    recovered: bool,
    open_end: bool,
    work: JoinHandle<io::Result<Vec<u8>>>,
}

impl Store {
    /// Begins to close the open member. Returns whether it did: a small member, or one that cannot have a thread, is closed at once by
    /// the caller.
    pub(super) fn begin_close(&mut self, stream: Stream) -> bool {
        let compression = self.capture.compression;
        let open = &mut self.streams[number(stream)];
        if compression == Compression::None || open.length < WORTH {
            return false;
        }
        let bytes = Arc::new(std::mem::take(&mut open.bytes));
        let theirs = Arc::clone(&bytes);
        let work = thread::Builder::new()
            .name("closer".to_owned())
            .spawn(move || compress(compression, &theirs));
        let Ok(work) = work else {
            open.bytes = Arc::unwrap_or_clone(bytes);
            return false;
        };
        open.closed_in_segment += open.length;
        self.closing = Some(Closing {
            stream,
            bytes,
            length: std::mem::take(&mut open.length),
            digest: std::mem::take(&mut open.sum).take(),
            recovered: std::mem::take(&mut open.recovered),
            open_end: open.open_end,
            work,
        });
        true
    }

    /// Settles the member that is under way if that takes no waiting.
    pub(super) fn settle_if_done(&mut self) -> io::Result<()> {
        match &self.closing {
            Some(closing) if closing.work.is_finished() => self.settle(),
            _ => Ok(()),
        }
    }

    /// Waits for the member that is under way, and makes its place final. If there is no space for it, it is open again, with what
    /// arrived meanwhile, and closed in pieces.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        let Some(closing) = self.closing.take() else {
            return Ok(());
        };
        let stream = closing.stream;
        let compressed = closing
            .work
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the compression panicked")));
        let (segment, file_offset) = self.chain.place(stream);
        let closed = compressed
            .and_then(|stored| self.put(stream, &stored))
            .and_then(|stored| {
                self.record(Record::Member(Member {
                    seq: self.chain.next_seq(),
                    stream,
                    offset: self.chain.closed(stream),
                    length: closing.length,
                    segment,
                    file_offset,
                    stored,
                    compression: self.capture.compression,
                    recovered: closing.recovered,
                    open_end: closing.open_end,
                    ends_segment: false,
                    digest: closing.digest,
                }))
            });
        let open = &mut self.streams[number(stream)];
        let Err(e) = closed else {
            // The allocation is of use again.
            if open.bytes.is_empty()
                && let Ok(mut bytes) = Arc::try_unwrap(closing.bytes)
            {
                bytes.clear();
                open.bytes = bytes;
            }
            self.closed(stream, segment, Close::Member);
            return Ok(());
        };
        let mut bytes = Arc::unwrap_or_clone(closing.bytes);
        bytes.append(&mut open.bytes);
        open.bytes = bytes;
        open.length += closing.length;
        open.closed_in_segment -= closing.length;
        open.recovered |= closing.recovered;
        let sum = self.sum(stream)?;
        self.streams[number(stream)].sum = sum;
        if is_full(&e) {
            return self.close_in_pieces(stream, Close::Member);
        }
        Err(e)
    }

    /// The digest of all that is indexed and in no member.
    fn sum(&self, stream: Stream) -> io::Result<Sum> {
        let mut sum = Sum::default();
        for piece in self.pieces(stream)? {
            piece.digests().iter().for_each(|digest| sum.push(digest));
        }
        Ok(sum)
    }
}

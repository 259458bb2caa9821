//! Where a stream's bytes go as they arrive, and how they become durable.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard};

use gonogo_dryrun::Stream;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::pipe::{SpliceFlags, splice};

use super::lock;

/// A stream's place in arrays.
pub(crate) const fn number(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}

/// The end of a stream's raw bytes.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(super) file: Arc<File>,
    /// Offset in the stream of the file's first byte.
    pub(super) base: u64,
    /// How many bytes of the stream arrived.
    pub(super) end: u64,
}

impl Sink {
    /// Moves at most `limit` bytes from a pipe to the file's end: they are in the one or in the other at any moment. 0 is the pipe's
    /// end.
    ///
    /// # Errors
    /// `WouldBlock` if the pipe is empty; what the file system says.
    pub(crate) fn splice(&mut self, pipe: impl AsFd, limit: usize) -> io::Result<usize> {
        let mut at = self.end - self.base;
        let count = splice(
            pipe,
            None,
            &*self.file,
            Some(&mut at),
            limit,
            SpliceFlags::NONBLOCK | SpliceFlags::MOVE,
        )?;
        self.end += count as u64;
        Ok(count)
    }
}

/// Both streams' sinks. The reader locks one for a splice, the indexer to begin a new file.
#[derive(Debug)]
pub(crate) struct Sinks(pub(super) [Mutex<Sink>; 2]);

impl Sinks {
    pub(crate) fn lock(&self, stream: Stream) -> MutexGuard<'_, Sink> {
        lock(&self.0[number(stream)])
    }
}

/// What must be made durable each second. Held by the indexer, which says what is open, and by the thread that waits for the disk.
#[derive(Debug)]
pub(crate) struct Syncing {
    index: Arc<File>,
    open: Mutex<Opened>,
}

#[derive(Debug, Default)]
struct Opened {
    raw: Option<[Arc<File>; 2]>,
    out: [Option<Arc<File>>; 2],
    /// Files that nothing more is written to.
    retired: Vec<Arc<File>>,
    /// How many bytes of each stream are in members, if the raw files are tails.
    closed: Option<[u64; 2]>,
    punched: [u64; 2],
}

impl Syncing {
    pub(super) fn new(index: Arc<File>) -> Self {
        Self {
            index,
            open: Mutex::default(),
        }
    }

    pub(super) fn publish(
        &self,
        raw: [Arc<File>; 2],
        out: [Option<Arc<File>>; 2],
        closed: Option<[u64; 2]>,
    ) {
        let mut open = lock(&self.open);
        open.raw = Some(raw);
        open.out = out;
        open.closed = closed;
    }

    pub(super) fn retire(&self, file: Arc<File>) {
        lock(&self.open).retired.push(file);
    }

    /// Makes durable what was written until now; then gives back the space of what the tails need not hold any more.
    ///
    /// # Errors
    /// What the file system says. What was not synced is tried again with the next call.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let (raw, out, retired, closed, punched) = {
            let mut open = lock(&self.open);
            let Some(raw) = open.raw.clone() else {
                return Ok(());
            };
            let retired = std::mem::take(&mut open.retired);
            (raw, open.out.clone(), retired, open.closed, open.punched)
        };
        let synced = out
            .iter()
            .flatten()
            .chain(&retired)
            .chain(&raw)
            .chain([&self.index])
            .try_for_each(|file| file.sync_data());
        if synced.is_err() {
            lock(&self.open).retired.extend(retired);
            return synced;
        }
        let Some(closed) = closed else { return Ok(()) };
        for n in 0..2 {
            if closed[n] > punched[n] {
                let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                // Where holes cannot be made the tail takes its full space until the run's end.
                let _ = fallocate(&raw[n], flags, punched[n], closed[n] - punched[n]);
                lock(&self.open).punched[n] = closed[n];
            }
        }
        Ok(())
    }
}

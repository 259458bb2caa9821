//! The reader: splices both pipes to their files and says how much came when. It never waits for anything but the disk and a full
//! backlog.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, SyncSender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use gonogo_dryrun::index::BATCH_LIMIT;
use gonogo_dryrun::spec::Capture;
use gonogo_dryrun::{Moment, Stream};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use super::News;
use crate::clock::Clock;
use crate::space::Space;
use crate::store::{Sinks, number};
use crate::tree::pause;

/// Most bytes that are on disk and not indexed yet.
const BACKLOG: u64 = 32 << 20;

/// A read that finds less than this is followed by a millisecond of rest, so that a child that writes a few bytes at a time does not
/// fill the index with records.
const SMALL: usize = 128 << 10;

/// Bytes that arrived.
pub(crate) struct Arrived {
    pub(crate) stream: Stream,
    pub(crate) length: u32,
    pub(crate) at: Moment,
}

/// Keeps the backlog bounded.
pub(crate) struct Flow {
    pending: Mutex<u64>,
    room: Condvar,
    limit: u64,
    /// Most bytes of one read.
    chunk: usize,
}

impl Flow {
    /// A segment that ends soon is not overtaken by much: what is behind its border is copied.
    pub(crate) fn new(capture: &Capture) -> Self {
        let quarter = capture.rotate_bytes.map_or(u64::MAX, |bytes| bytes / 4);
        Self {
            pending: Mutex::new(0),
            room: Condvar::new(),
            limit: quarter.clamp(1 << 20, BACKLOG),
            chunk: quarter.clamp(1 << 16, BATCH_LIMIT.into()) as usize,
        }
    }

    fn enter(&self, bytes: u64) {
        *self.pending.lock().unwrap_or_else(PoisonError::into_inner) += bytes;
    }

    /// Waits until there is room.
    fn wait(&self) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        while *pending >= self.limit {
            pending = self
                .room
                .wait(pending)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn leave(&self, bytes: u64) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        *pending = pending.saturating_sub(bytes);
        self.room.notify_all();
    }
}

/// Asks the reader to take what is in the pipes now, and to end.
pub(crate) struct Stop {
    asked: AtomicBool,
    event: OwnedFd,
}

impl Stop {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            asked: AtomicBool::new(false),
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }
}

/// The reader.
pub(crate) struct Reader {
    pub(crate) pipes: [Option<OwnedFd>; 2],
    pub(crate) sinks: Arc<Sinks>,
    pub(crate) flow: Arc<Flow>,
    pub(crate) space: Arc<Space>,
    pub(crate) stop: Arc<Stop>,
    pub(crate) clock: Clock,
    pub(crate) out: SyncSender<Arrived>,
    pub(crate) news: Sender<News>,
}

impl Reader {
    /// Reads until both pipes end, or it is asked to stop.
    pub(crate) fn work(mut self) -> io::Result<()> {
        while self.pipes.iter().any(Option::is_some) {
            let stopping = self.stop.asked.load(Ordering::SeqCst);
            let ready = if stopping { [true; 2] } else { self.ready()? };
            let mut most = 0;
            for stream in Stream::ALL {
                if ready[number(stream)] {
                    most = most.max(self.read(stream)?);
                }
            }
            if stopping && most == 0 {
                break;
            }
            if !stopping && (1..SMALL).contains(&most) {
                pause(1);
            }
        }
        Ok(())
    }

    fn ready(&self) -> io::Result<[bool; 2]> {
        let mut fds = vec![PollFd::new(&self.stop.event, PollFlags::IN)];
        let mut order = Vec::new();
        for stream in Stream::ALL {
            if let Some(pipe) = &self.pipes[number(stream)] {
                fds.push(PollFd::new(pipe, PollFlags::IN));
                order.push(number(stream));
            }
        }
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let mut ready = [false; 2];
        for (fd, n) in fds[1..].iter().zip(order) {
            ready[n] = !fd.revents().is_empty();
        }
        Ok(ready)
    }

    /// Moves once. Returns how many bytes; 0 if there are none, or the stream has ended.
    fn read(&mut self, stream: Stream) -> io::Result<usize> {
        let Some(pipe) = &self.pipes[number(stream)] else {
            return Ok(0);
        };
        self.flow.wait();
        let chunk = self.flow.chunk;
        let moved = self.space.persist(stream.word(), || {
            self.sinks.lock(stream).splice(pipe, chunk)
        });
        let at = self.clock.look();
        match moved {
            Ok(0) => {
                self.pipes[number(stream)] = None;
                let _ = self.news.send(News::Eof(stream));
                self.space.wake();
                Ok(0)
            }
            Ok(count) => {
                self.flow.enter(count as u64);
                let arrived = Arrived {
                    stream,
                    length: count as u32,
                    at,
                };
                self.out
                    .send(arrived)
                    .map_err(|_| io::Error::other("the indexer is gone"))?;
                Ok(count)
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(e) => Err(e),
        }
    }
}

//! The pump: moves what the child prints from the pipes to disk, indexes it, judges it live, and watches resources, evidence and the
//! disk. It may be killed at any moment; the keeper starts another, which goes on where the files end.
//!
//! Threads: the first one (here) listens to the keeper and to timers and writes the journal; the *reader* splices; the *indexer* reads
//! back, hashes, closes members; the *judge* keeps the live state, views and progress; the *syncer* waits for the disk. Between them
//! are bounded queues, so memory is bounded, and the child waits if it prints more than can be written.

mod disk;
mod evidence;
mod indexer;
mod judge;
mod reader;
mod resources;
mod scribe;
mod view;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel,
};
use std::sync::{Arc, atomic::AtomicBool, atomic::Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use gonogo_dryrun::journal::Event;
use gonogo_dryrun::spec::RunSpec;
use gonogo_dryrun::{Moment, Stream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};

use crate::CaptureError;
use crate::clock::{Clock, SECOND, boot, nanos};
use crate::files::Files;
use crate::journal::{Entries, Journal};
use crate::pulse::{BEAT, Pulse};
use crate::space::{Ballast, Mode, Space, crumb, free_bytes, is_full, verdict_bytes};
use crate::store::Store;
use crate::tree::{Cgroup, Remains, pause};
use crate::wire::{self, Heard, Hello};

pub(crate) use judge::close_views;

/// How many chunks wait for the judge: at most so many MiB.
const QUEUE: usize = 16;

/// How long a pump whose keeper died waits for the pipes' end.
const ORPHAN_DRAIN: u64 = 5 * SECOND;

/// Free space beyond the ballast at which a full disk is tried again; at a tenth of that every second all the same.
const MARGIN: u64 = 1 << 20;

/// How often space is looked at while what was captured before is read again.
const REPLAY_LOOK: Duration = Duration::from_millis(50);

/// What the other threads tell the first.
pub(crate) enum News {
    /// A stream is at its end.
    Eof(Stream),
    /// Something that the journal must hold.
    Event(Event),
}

/// What the judge gets.
pub(crate) enum Item {
    /// Bytes of a stream.
    Bytes(Chunk),
    /// An entry of a journal.
    Event {
        /// When.
        at: Moment,
        /// What.
        event: Event,
        /// Whose.
        source: Source,
    },
    /// Segments begin anew: views too.
    Rotate,
}

/// Whose journal an entry is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Keeper,
    Pump,
}

/// Bytes that arrived together.
pub(crate) struct Chunk {
    pub(crate) stream: Stream,
    pub(crate) at: Moment,
    pub(crate) bytes: Vec<u8>,
}

/// Plays the pump, with the keeper's socket as standard input. Returns the exit code.
pub fn main(directory: &Path) -> i32 {
    match run(directory) {
        Ok(()) => 0,
        Err(e) => {
            // Standard error is the capture's internal.log.
            let _ = io::Write::write_all(&mut io::stderr(), format!("pump: {e}\n").as_bytes());
            70
        }
    }
}

fn run(directory: &Path) -> Result<(), CaptureError> {
    let files = Files::new(directory);
    let socket = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(CaptureError::system("the keeper's socket"))?;
    let (hello, pipes) = wire::receive_hello(socket.as_fd())
        .map_err(CaptureError::system("the keeper's first message"))?;
    let spec = files.read_spec()?;
    let _lock = hold(&files)?;
    if is_over(&files) {
        // Its keeper died before it began, and somebody has put the run in order since: what was judged must not change.
        return Ok(());
    }
    Pump::begin(files, spec, &hello, socket, pipes)?.work()
}

/// Whether the run was ended while this pump waited for its turn.
fn is_over(files: &Files) -> bool {
    Entries::open(&files.keeper_journal()).is_ok_and(|entries| {
        entries
            .map_while(Result::ok)
            .any(|entry| matches!(entry.event, Event::Recovered { .. } | Event::Ended { .. }))
    })
}

/// One pump at a time; the one before may be ending just now.
fn hold(files: &Files) -> Result<File, CaptureError> {
    let path = files.pump_lock();
    let lock = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(CaptureError::write(&path))?;
    flock(&lock, FlockOperation::LockExclusive)
        .map_err(|e| CaptureError::write(&path)(e.into()))?;
    // On a full disk nobody learns who holds it; it is held all the same.
    let _ = lock
        .set_len(0)
        .and_then(|()| io::Write::write_all(&mut &lock, crate::tree::holder().as_bytes()));
    Ok(lock)
}

struct Pump {
    files: Files,
    spec: RunSpec,
    clock: Clock,
    socket: Option<OwnedFd>,
    /// The keeper, as far as it answers.
    keeper: Pulse,
    /// When the next word is said to it.
    beat: u64,
    space: Arc<Space>,
    ballast: Ballast,
    journal: Journal,
    keeper_journal: Entries,
    /// Entries of the keeper's journal that were read.
    keeper_entries: u64,
    /// Entries of the keeper's journal that the judge has had already.
    keeper_known: u64,
    session: Option<u32>,
    cgroup: Option<Cgroup>,
    /// The cgroup that was to be made; it may hold nobody.
    leaf: Option<Cgroup>,
    child_started: Option<Moment>,
    reason: &'static str,
    rotate: Arc<AtomicBool>,
    stop: Arc<reader::Stop>,
    news: Receiver<News>,
    judge: SyncSender<Item>,
    waiting: VecDeque<Item>,
    work: Option<JoinHandle<io::Result<()>>>,
    /// Whether the indexer is at its end.
    done: Arc<AtomicBool>,
    judging: Option<JoinHandle<()>>,
    blocked: Option<Blocked>,
    finish_by: Option<u64>,
    timers: Timers,
}

/// A time in which nothing could be written.
struct Blocked {
    since: Moment,
    told: bool,
    retry: u64,
}

struct Timers {
    resources: Option<(u64, resources::Sampler)>,
    evidence: Option<(u64, evidence::Looker)>,
    disk: (u64, disk::Forecast),
    journal: u64,
}

impl Pump {
    fn begin(
        files: Files,
        spec: RunSpec,
        hello: &Hello,
        socket: OwnedFd,
        pipes: [OwnedFd; 2],
    ) -> Result<Self, CaptureError> {
        let clock = Clock::resume(spec.clock_scale, hello.origin);
        let space = Arc::new(Space::new().map_err(CaptureError::system("an event"))?);
        let mut ballast = Ballast::new(
            files.ballast(),
            spec.capture.ballast_bytes - verdict_bytes(&spec.capture),
        );
        let journal = Journal::open(&files.pump_journal())?;
        let keeper_journal = Entries::open(&files.keeper_journal())?;
        // Without: the disk is nearly full already, which is found soon enough.
        let _ = ballast.reserve();

        let mut store = Store::open(&files, &spec.run_id, &spec.capture, Arc::clone(&space))?;
        let (mut judge, known) = judge::Judge::begin(&files, &spec, clock, Arc::clone(&space));
        // Entries that the judge has not had: written since the state was saved.
        let mut waiting = VecDeque::new();
        for entry in Entries::open(&files.pump_journal())? {
            let entry = entry?;
            if entry.seq >= known.pump {
                waiting.push_back(Item::Event {
                    at: entry.at,
                    event: entry.event,
                    source: Source::Pump,
                });
            }
        }

        let (news_out, news) = channel();
        let (items_out, items) = sync_channel(QUEUE);
        let (empty_out, empty) = channel();
        let rotate = Arc::new(AtomicBool::new(false));
        let stop = Arc::new(reader::Stop::new().map_err(CaptureError::system("an event"))?);
        let now = boot();
        let keeper =
            rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().cast_unsigned());

        let (again, records) = (files.clone(), store.records());
        let (told, replayed) = channel::<()>();
        let judging = spawn("judge", move || {
            judge.replay(&again, records);
            drop(told);
            judge.work(&items, &empty_out);
        })?;
        // Nothing may be moved while it is read again. On a full disk nobody waits for that: the views are made later.
        while replayed.recv_timeout(REPLAY_LOOK) == Err(RecvTimeoutError::Timeout) {
            if space.mode() == Mode::Blocked {
                space.spare();
            }
        }
        let (arrived_out, arrived) = sync_channel(4096);
        let flow = Arc::new(reader::Flow::new(&spec.capture));
        let reader = reader::Reader {
            pipes: pipes.map(Some),
            sinks: store.sinks(),
            flow: Arc::clone(&flow),
            space: Arc::clone(&space),
            stop: Arc::clone(&stop),
            clock,
            out: arrived_out,
            news: news_out.clone(),
        };
        let indexer = indexer::Indexer {
            clock,
            flow,
            arrived,
            items: items_out.clone(),
            empty,
            news: news_out,
            space: Arc::clone(&space),
            rotate: Arc::clone(&rotate),
        };
        let done = Arc::new(AtomicBool::new(false));
        let leaving = Leaving {
            done: Arc::clone(&done),
            space: Arc::clone(&space),
        };
        let work = spawn("indexer", move || {
            let _leaving = leaving;
            indexer.work(&mut store, reader)
        })?;
        let timers = Timers {
            resources: spec
                .resources
                .interval_seconds
                .map(|_| (now, resources::Sampler::new(keeper))),
            evidence: spec
                .evidence_interval_seconds
                .filter(|_| !spec.evidence.is_empty())
                .map(|_| (u64::MAX, evidence::Looker::new(&spec.evidence))),
            disk: (now, disk::Forecast::default()),
            journal: now + SECOND,
        };
        Ok(Self {
            files,
            spec,
            clock,
            socket: Some(socket),
            keeper: Pulse::of(keeper),
            beat: 0,
            space,
            ballast,
            journal,
            keeper_journal,
            keeper_entries: 0,
            keeper_known: known.keeper,
            session: None,
            cgroup: None,
            leaf: None,
            child_started: None,
            reason: "child_exited",
            rotate,
            stop,
            news,
            judge: items_out,
            waiting,
            work: Some(work),
            done,
            judging: Some(judging),
            blocked: None,
            finish_by: None,
            timers,
        })
    }

    fn work(mut self) -> Result<(), CaptureError> {
        let ended = loop {
            self.listen();
            self.read_keeper_journal();
            self.hear_news();
            self.watch_space();
            self.run_timers();
            self.hand_over();
            if self.done.load(Ordering::SeqCst) || self.work.is_none() {
                break self.work.take().map(JoinHandle::join);
            }
            self.wait();
        };
        let result = match ended {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the indexer panicked")),
            None => Ok(()),
        };
        self.hear_news();
        if let Err(e) = &result
            && !(self.space.mode() == Mode::Last && is_full(e))
        {
            // The next pump tries again, from what is on disk.
            return Err(CaptureError::system("the raw bytes")(io::Error::new(
                e.kind(),
                e.to_string(),
            )));
        }
        self.end();
        Ok(())
    }

    /// All bytes are on disk: the last words.
    fn end(&mut self) {
        self.read_keeper_journal();
        self.note(Event::Ended {
            reason: self.reason.to_owned(),
        });
        // The judge ends when nobody can send any more.
        while let Some(item) = self.waiting.pop_front() {
            if self.judge.send(item).is_err() {
                break;
            }
        }
        let (closed, _) = sync_channel(0);
        self.judge = closed;
        let by = boot() + 20 * SECOND;
        while let Some(judging) = &self.judging {
            if judging.is_finished() || boot() > by {
                break;
            }
            self.watch_space();
            pause(2);
        }
        self.ballast.release();
        while let Err(e) = self.journal.sync()
            && is_full(&e)
            && crumb(&self.files)
        {}
        if let Some(socket) = &self.socket {
            wire::say(socket, wire::DONE);
        }
    }

    fn wait(&self) {
        let now = boot();
        let mut next = now + SECOND;
        let timers = &self.timers;
        for due in [
            timers.resources.as_ref().map(|(at, _)| *at),
            timers.evidence.as_ref().map(|(at, _)| *at),
            Some(timers.disk.0),
            self.finish_by,
        ]
        .into_iter()
        .flatten()
        {
            next = next.min(due);
        }
        if self.blocked.is_some() || !self.waiting.is_empty() {
            next = next.min(now + SECOND / 10);
        }
        let left = next.saturating_sub(now);
        let timeout = Timespec {
            tv_sec: (left / SECOND).cast_signed(),
            tv_nsec: (left % SECOND).cast_signed(),
        };
        let waker = self.space.waker();
        let mut fds = vec![PollFd::new(&waker, PollFlags::IN)];
        if let Some(socket) = &self.socket {
            fds.push(PollFd::new(socket, PollFlags::IN));
        }
        let _ = poll(&mut fds, Some(&timeout));
        self.space.drain();
    }

    /// Hears what the keeper says.
    fn listen(&mut self) {
        while let Some(socket) = &self.socket {
            let heard = wire::hear(socket);
            if matches!(heard, Heard::Word(_)) {
                self.keeper.hear();
            }
            match heard {
                Heard::Nothing => return self.watch_keeper(),
                Heard::Word(wire::ROTATE) => {
                    self.rotate.store(true, Ordering::SeqCst);
                    self.waiting.push_back(Item::Rotate);
                }
                Heard::Word(wire::FINISH) => self.finish_now(),
                Heard::Word(_) => {}
                Heard::End => self.lose_keeper(),
            }
        }
    }

    /// Tells it that we work, and notes when it does not.
    fn watch_keeper(&mut self) {
        let now = boot();
        if now >= self.beat {
            self.beat = now + BEAT;
            if let Some(socket) = &self.socket {
                wire::say(socket, wire::ALIVE);
            }
        }
        if let Some(change) = self.keeper.look() {
            self.note(change.event("keeper", self.keeper.pid()));
        }
    }

    /// Nobody waits for the pipes any more: what is in them is taken, with the ballast's space if it must be.
    fn finish_now(&mut self) {
        self.stop.ask();
        self.finish_by = None;
        let short = self.blocked.is_some() || self.space.mode() != Mode::Open;
        if short {
            self.ballast.release();
        }
        self.space.last_resort(short);
    }

    /// The keeper is gone: what it owned is ended by us.
    fn lose_keeper(&mut self) {
        self.socket = None;
        self.read_keeper_journal();
        self.reason = "keeper_lost";
        let remains = Remains {
            run_id: self.spec.run_id.clone(),
            session: self.session,
            cgroup: self.leaf.clone(),
        };
        let processes = remains.kill();
        if let Some(cgroup) = &self.leaf {
            cgroup.remove();
        }
        self.note(Event::Signalled {
            signal: "KILL".to_owned(),
            processes,
        });
        self.finish_by = Some(boot() + ORPHAN_DRAIN);
    }

    fn read_keeper_journal(&mut self) {
        self.keeper_journal.resume();
        while let Some(Ok(entry)) = self.keeper_journal.next() {
            match &entry.event {
                Event::Begun { cgroup, .. } => {
                    self.leaf = cgroup.as_deref().and_then(Cgroup::at);
                }
                Event::ChildStarted { pid, cgroup } => {
                    self.session = Some(*pid);
                    self.cgroup = cgroup.as_deref().and_then(Cgroup::at);
                    self.child_started = Some(entry.at);
                    if let Some((at, _)) = &mut self.timers.evidence {
                        *at = boot() + self.clock.real_nanos(self.spec.evidence_grace_seconds);
                    }
                }
                Event::TimeOver => self.reason = "time_over",
                Event::Interrupted { .. } => self.reason = "interrupted",
                Event::HarnessLost => self.reason = "harness_lost",
                Event::CaptureLost { .. } => self.reason = "capture_lost",
                Event::StartFailed { .. } => self.reason = "start_failed",
                _ => {}
            }
            let known = self.keeper_entries < self.keeper_known;
            self.keeper_entries += 1;
            if !known {
                self.waiting.push_back(Item::Event {
                    at: entry.at,
                    event: entry.event,
                    source: Source::Keeper,
                });
            }
        }
    }

    fn hear_news(&mut self) {
        while let Ok(news) = self.news.try_recv() {
            match news {
                News::Eof(stream) => {
                    if let Some(socket) = &self.socket {
                        wire::say(
                            socket,
                            match stream {
                                Stream::Stdout => wire::EOF_STDOUT,
                                Stream::Stderr => wire::EOF_STDERR,
                            },
                        );
                    }
                }
                News::Event(event) => self.note(event),
            }
        }
    }

    /// Writes an entry and hands it to the judge.
    fn note(&mut self, event: Event) {
        let entry = self.journal.append(self.clock.look(), event);
        self.waiting.push_back(Item::Event {
            at: entry.at,
            event: entry.event,
            source: Source::Pump,
        });
        self.flush_journal();
    }

    /// Writes what the journal holds back; with the ballast's space if there is no other.
    fn flush_journal(&mut self) {
        if let Err(e) = self.journal.flush()
            && is_full(&e)
            && self.ballast.bytes_held()
        {
            self.ballast.release();
            let _ = self.journal.flush();
        }
    }

    fn hand_over(&mut self) {
        while let Some(item) = self.waiting.pop_front() {
            match self.judge.try_send(item) {
                Ok(()) => {}
                Err(TrySendError::Full(item)) => {
                    self.waiting.push_front(item);
                    return;
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }

    /// Tells when nothing can be written, and lets the writers try again when that may help.
    fn watch_space(&mut self) {
        let now = boot();
        match self.space.mode() {
            Mode::Blocked => {
                let at = self.clock.look();
                let blocked = self.blocked.get_or_insert(Blocked {
                    since: at,
                    told: false,
                    retry: now + SECOND,
                });
                if !std::mem::replace(&mut blocked.told, true) {
                    let reason = self.space.reason();
                    self.note(Event::Blocked { reason });
                    let _ = self.journal.sync();
                    return;
                }
                let due = now >= blocked.retry;
                let free = free_bytes(self.files.directory()).unwrap_or(0);
                // First the ballast, so that the child's bytes never eat what the verdict needs.
                if (free >= MARGIN || due) && self.ballast.reserve().is_ok() {
                    let free = free_bytes(self.files.directory()).unwrap_or(0);
                    if free >= MARGIN || due {
                        blocked.retry = now + SECOND;
                        self.space.retry();
                    }
                }
            }
            Mode::Open => {
                if let Some(blocked) = self.blocked.take() {
                    let ms = self.clock.look().since(blocked.since) / 1_000_000;
                    self.note(Event::Unblocked { ms });
                }
            }
            Mode::Trial | Mode::Last => {}
        }
    }

    fn run_timers(&mut self) {
        let now = boot();
        if self.finish_by.is_some_and(|by| now >= by) {
            self.finish_now();
        }
        if now >= self.timers.journal {
            let _ = self.journal.sync();
            self.timers.journal = now + SECOND;
        }
        let interval = self.spec.resources.interval_seconds.unwrap_or(60.0);
        if let Some((at, sampler)) = &mut self.timers.resources
            && now >= *at
            && self.child_started.is_some()
        {
            *at = now + self.clock.real_nanos(interval).max(SECOND / 20);
            let event = sampler.sample(self.clock.look(), self.cgroup.as_ref());
            if let Some(event) = event {
                self.note(event);
            }
        }
        if let Some((at, looker)) = &mut self.timers.evidence
            && now >= *at
        {
            let seconds = self.spec.evidence_interval_seconds.unwrap_or(60.0);
            *at = now + self.clock.real_nanos(seconds).max(SECOND / 20);
            for event in looker.look() {
                self.note(event);
            }
        }
        if now >= self.timers.disk.0 {
            self.timers.disk.0 = now
                + self
                    .clock
                    .real_nanos(interval)
                    .clamp(nanos(1.0), nanos(60.0));
            if let Some(free) = free_bytes(self.files.directory()) {
                let needs = disk::end_needs(self.files.directory(), &self.spec);
                let event = self.timers.disk.1.push(self.clock.look(), free, needs);
                self.note(event);
            }
        }
    }
}

/// Says that a thread ends, whatever ends it, and wakes the first thread: one that is told before that would find it alive and
/// sleep on.
struct Leaving {
    done: Arc<AtomicBool>,
    space: Arc<Space>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
        self.space.wake();
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, CaptureError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(1 << 20)
        .spawn(work)
        .map_err(CaptureError::system("a thread"))
}

//! The keeper: owns the child's tree, holds the pipes, keeps a pump at work, and ends the run.
//!
//! One thread, no async. It leads its own session (a terminal's Ctrl-C reaches the harness only), adopts what the child leaves behind
//! (subreaper), and writes each step to its journal before the next. Its standard input is the harness: when that ends, the run is
//! ended, never left running. If the keeper itself is killed the child dies with it (PDEATHSIG), and the pump ends the rest.

mod ending;
mod start;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gonogo_dryrun::Moment;
use gonogo_dryrun::journal::Event;
use gonogo_dryrun::spec::RunSpec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use signal_hook::consts::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGTERM};

use crate::CaptureError;
use crate::clock::{Clock, SECOND, awake, boot, real};
use crate::files::Files;
use crate::journal::Journal;
use crate::pulse::{BEAT, Change};
use crate::space::{crumb, is_full};
use crate::store::boot_id_text;
use crate::tree::Cgroup;
use crate::wire::{self, Heard};

use ending::{Drain, Ladder};
use start::Pump;

/// A step of the wall clock, or a sleep of the machine, that is told.
const CLOCK_STEP: u64 = SECOND;

/// How long a pump may take for its last words after both pipes ended.
const LAST_WORDS: u64 = 60 * SECOND;

/// Pumps wait this long before they are started again, at first and at most.
const BACK_OFF: (u64, u64) = (SECOND / 20, 5 * SECOND);

/// A pump that lived this long begins with the shortest back-off again.
const SETTLED: u64 = 30 * SECOND;

/// Plays the keeper, with the harness as standard input. Returns the exit code.
pub fn main(directory: &Path) -> i32 {
    match Keeper::begin(directory).map(Keeper::work) {
        Ok(()) => 0,
        Err(e) => {
            let _ = io::stderr().write_all(format!("keeper: {e}\n").as_bytes());
            70
        }
    }
}

struct Keeper {
    files: Files,
    spec: RunSpec,
    clock: Clock,
    journal: Journal,
    lock: File,
    harness: Option<OwnedFd>,
    signals: Signals,
    timer: OwnedFd,
    pipes: [OwnedFd; 2],
    pump: Option<Pump>,
    pump_restarts: u32,
    /// When the next pump is to be started; none while one works, or all is done.
    pump_due: Option<u64>,
    back_off: u64,
    pump_done: bool,
    child: Option<(Child, OwnedFd)>,
    cgroup: Option<Cgroup>,
    /// When the run's time is over (boot clock, real).
    over_at: Option<u64>,
    eof: [bool; 2],
    reason: Option<&'static str>,
    ladder: Option<Ladder>,
    drain: Option<Drain>,
    /// Until when the pump's last words are waited for.
    last_words: Option<u64>,
    /// From when on the pump does not wait for space any more: nothing will arrive.
    finish_at: Option<u64>,
    /// When the next word is said to the others.
    beat: u64,
    looked: Looked,
    /// Whether files of the capture were removed: no pump can go on then.
    lost: bool,
}

/// The clocks, when they were last compared.
#[derive(Clone, Copy)]
struct Looked {
    at: Moment,
    awake: u64,
    next: u64,
}

impl Looked {
    fn begin(now: Moment, awake: u64) -> Self {
        Self {
            at: now,
            awake,
            next: now.boot + SECOND,
        }
    }

    /// Compares the clocks again: what the wall clock and the awake clock did otherwise than the boot clock.
    fn again(&mut self, now: Moment, awake: u64) -> [Option<Event>; 2] {
        let passed = now.boot.saturating_sub(self.at.boot);
        let step = now
            .wall
            .saturating_sub(self.at.wall)
            .saturating_sub(passed.cast_signed());
        let slept = passed.saturating_sub(awake.saturating_sub(self.awake));
        *self = Self::begin(now, awake);
        [
            (step.unsigned_abs() > CLOCK_STEP).then_some(Event::ClockStep { ns: step }),
            (slept > CLOCK_STEP).then_some(Event::Suspended { ns: slept }),
        ]
    }
}

/// Signals that were sent to the keeper.
struct Signals {
    wake: UnixStream,
    interrupt: Arc<AtomicBool>,
    terminate: Arc<AtomicBool>,
    hang_up: Arc<AtomicBool>,
    alarm: Arc<AtomicBool>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let (wake, end) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        end.set_nonblocking(true)?;
        let flag = |signal| {
            let flag = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
            signal_hook::low_level::pipe::register(signal, end.try_clone()?)?;
            Ok::<_, io::Error>(flag)
        };
        flag(SIGCHLD)?;
        Ok(Self {
            interrupt: flag(SIGINT)?,
            terminate: flag(SIGTERM)?,
            hang_up: flag(SIGHUP)?,
            alarm: flag(SIGALRM)?,
            wake,
        })
    }

    fn drain(&self) {
        let mut bytes = [0; 64];
        while matches!(io::Read::read(&mut &self.wake, &mut bytes), Ok(1..)) {}
    }
}

impl Keeper {
    fn begin(directory: &Path) -> Result<Self, CaptureError> {
        let files = Files::new(directory);
        // Whoever started us may have made us a leader already.
        let _ = rustix::process::setsid();
        let own = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(own))
            .map_err(|e| CaptureError::system("adopting the child's orphans")(e.into()))?;
        let signals = Signals::listen().map_err(CaptureError::system("signals"))?;
        let harness = io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .map_err(CaptureError::system("the harness's socket"))?;
        let spec = files.read_spec()?;
        let clock = Clock::begin(spec.clock_scale);
        let lock = lock(&files)?;
        let mut journal = Journal::open(&files.keeper_journal())?;
        if journal.entries() > 0 {
            // The harness died before we began, and somebody has put the run in order since.
            return Err(CaptureError::Exists(files.keeper_journal()));
        }
        let boot_id = boot_id_text();
        Cgroup::sweep(real().wall);
        // Its name is known before it is made: whoever comes after a crash finds it.
        let cgroup = Cgroup::plan(&spec.run_id);
        journal.append(
            clock.origin(),
            Event::Begun {
                run_id: spec.run_id.clone(),
                pid: std::process::id(),
                boot_id,
                clock_scale: spec.clock_scale,
                cgroup: cgroup.as_ref().map(|c| c.path().display().to_string()),
            },
        );
        journal
            .sync()
            .map_err(CaptureError::write(&files.keeper_journal()))?;
        let timer = timerfd_create(
            TimerfdClockId::Boottime,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )
        .map_err(|e| CaptureError::system("a timer")(e.into()))?;
        let (pipes, ends) = start::pipes().map_err(CaptureError::system("pipes"))?;
        let mut keeper = Self {
            cgroup: cgroup.filter(Cgroup::make),
            files,
            spec,
            clock,
            journal,
            lock,
            harness: Some(harness),
            signals,
            timer,
            pipes,
            pump: None,
            pump_restarts: 0,
            pump_due: None,
            back_off: BACK_OFF.0,
            pump_done: false,
            child: None,
            over_at: None,
            eof: [false; 2],
            reason: None,
            ladder: None,
            drain: None,
            last_words: None,
            finish_at: None,
            beat: 0,
            looked: Looked::begin(real(), awake()),
            lost: false,
        };
        keeper.start_pump();
        keeper.start_child(ends);
        Ok(keeper)
    }

    fn work(mut self) {
        loop {
            self.hear_harness();
            self.take_signals();
            self.hear_pump();
            self.reap();
            self.look_at_files();
            self.look_at_clocks();
            self.run_timers();
            if self.is_done() {
                break;
            }
            self.wait();
        }
        if let Some(cgroup) = &self.cgroup {
            cgroup.remove();
        }
        let reason = self.reason.unwrap_or("child_exited").to_owned();
        self.note(Event::Ended { reason });
        // The pump has said its last word; its end is waited for, so that nothing of the run outlives its keeper.
        for _ in 0..500 {
            let Some(pump) = &mut self.pump else { break };
            match pump.child.try_wait() {
                Ok(None) => crate::tree::pause(2),
                _ => break,
            }
        }
        // On a disk that stays full the last words wait a while for space.
        for _ in 0..50 {
            match self.journal.sync() {
                Ok(()) => break,
                Err(e) if is_full(&e) && crumb(&self.files) => {}
                Err(_) => crate::tree::pause(20),
            }
        }
    }

    fn is_done(&self) -> bool {
        self.child.is_none()
            && self.drain.is_none()
            && (self.pump_done
                || (self.lost || self.last_words.is_some_and(|by| boot() >= by))
                    && self.pump.is_none())
    }

    /// Writes an entry, makes it durable, and tells the pump.
    fn note(&mut self, event: Event) {
        self.journal.append(self.clock.look(), event);
        // On a full disk it is kept, and written when there is space: the pump gives up the ballast for that.
        let _ = self.journal.sync();
        if let Some(pump) = &self.pump {
            wire::say(&pump.socket, wire::GREW);
        }
    }

    fn hear_harness(&mut self) {
        while let Some(harness) = &self.harness {
            match wire::hear(harness) {
                Heard::Nothing => return,
                Heard::Word(wire::INTERRUPT) => self.interrupt("INT"),
                Heard::Word(wire::TERMINATE) => self.interrupt("TERM"),
                Heard::Word(wire::HANG_UP) => self.interrupt("HUP"),
                Heard::Word(wire::ROTATE) => self.rotate(),
                Heard::Word(_) => {}
                Heard::End => {
                    self.harness = None;
                    if self.child.is_some() {
                        self.end_run("harness_lost", Event::HarnessLost);
                    } else {
                        self.hurry();
                    }
                }
            }
        }
    }

    fn take_signals(&mut self) {
        self.signals.drain();
        let took = |flag: &AtomicBool| flag.swap(false, Ordering::SeqCst);
        let (interrupt, terminate, hang_up, alarm) = (
            took(&self.signals.interrupt),
            took(&self.signals.terminate),
            took(&self.signals.hang_up),
            took(&self.signals.alarm),
        );
        for (asked, name) in [(interrupt, "INT"), (terminate, "TERM"), (hang_up, "HUP")] {
            if asked {
                self.interrupt(name);
            }
        }
        if alarm {
            self.rotate();
        }
    }

    fn rotate(&self) {
        if let Some(pump) = &self.pump {
            wire::say(&pump.socket, wire::ROTATE);
        }
    }

    /// The operator asks for the end; who asks again does not want to wait.
    fn interrupt(&mut self, signal: &str) {
        let event = Event::Interrupted {
            signal: signal.to_owned(),
        };
        if self.child.is_none() || self.ladder.is_some() {
            self.note(event);
            self.hurry();
        } else {
            self.end_run("interrupted", event);
        }
    }

    /// Tells of steps of the wall clock and of sleep.
    fn look_at_clocks(&mut self) {
        let (now, awake) = (real(), awake());
        if now.boot < self.looked.next {
            return;
        }
        for event in self.looked.again(now, awake).into_iter().flatten() {
            self.note(event);
        }
    }

    /// Ends a run whose capture directory somebody takes away, once a second.
    fn look_at_files(&mut self) {
        if self.lost || boot() < self.looked.next {
            return;
        }
        let Some(reason) = self.missing() else { return };
        self.lost = true;
        self.reason = Some("capture_lost");
        // A pump that dies now finds nothing to go on with.
        self.pump_due = None;
        let event = Event::CaptureLost { reason };
        if self.child.is_some() {
            self.end_run("capture_lost", event);
        } else {
            self.note(event);
        }
    }

    /// What of the files that last for the whole run is not there any more.
    fn missing(&self) -> Option<String> {
        use std::os::unix::fs::MetadataExt;
        let identity = |meta: io::Result<std::fs::Metadata>| meta.ok().map(|m| (m.dev(), m.ino()));
        let lock = self.files.lock();
        let own = identity(self.lock.metadata());
        let gone = |path: &Path| matches!(std::fs::symlink_metadata(path), Err(e) if e.kind() == io::ErrorKind::NotFound);
        let all = [self.files.run(), self.files.keeper_journal()];
        if let Some(path) = all.iter().find(|path| gone(path)) {
            return Some(format!("{} is not there any more", path.display()));
        }
        (own != identity(std::fs::metadata(&lock)))
            .then(|| format!("{} was removed or replaced", lock.display()))
    }

    fn run_timers(&mut self) {
        let now = boot();
        if self.over_at.is_some_and(|at| now >= at) && self.child.is_some() {
            self.over_at = None;
            self.end_run("time_over", Event::TimeOver);
        }
        if self.pump_due.is_some_and(|at| now >= at) {
            self.start_pump();
        }
        self.climb(now);
        self.drain(now);
        self.beat(now);
        if let Some(at) = &mut self.finish_at
            && now >= *at
            && let Some(pump) = &self.pump
        {
            // Again each second: a pump that was started since has not heard it.
            *at = now + SECOND;
            wire::say(&pump.socket, wire::FINISH);
        }
        if self.last_words.is_some_and(|by| now >= by)
            && let Some(pump) = &mut self.pump
        {
            // It hangs. What it has not written is found by whoever finalizes.
            let _ = pump.child.kill();
        }
    }

    /// Tells the others that we work, and replaces a pump that somebody stopped: what it was about to move is in the pipes.
    fn beat(&mut self, now: u64) {
        if now >= self.beat {
            self.beat = now + BEAT;
            let pump = self.pump.as_ref().map(|pump| &pump.socket);
            for socket in self.harness.iter().chain(pump) {
                wire::say(socket, wire::ALIVE);
            }
        }
        let Some(pump) = &mut self.pump else { return };
        let Some(change) = pump.pulse.look() else {
            return;
        };
        if matches!(change, Change::Missed('T', _)) {
            let _ = pump.child.kill();
        }
        let event = change.event("pump", pump.pulse.pid());
        self.note(event);
    }

    fn wait(&self) {
        let now = boot();
        let mut next = self.looked.next.min(self.beat);
        for due in [
            self.finish_at.filter(|_| self.pump.is_some()),
            self.over_at.filter(|_| self.child.is_some()),
            self.pump_due,
            self.ladder.as_ref().map(|ladder| ladder.next),
            self.drain.as_ref().map(|drain| drain.next),
            self.last_words,
        ]
        .into_iter()
        .flatten()
        {
            next = next.min(due);
        }
        // A timer on the boot clock: it also ends a wait that the machine slept through.
        let left = next.saturating_sub(now).max(1);
        let spec = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec {
                tv_sec: (left / SECOND).cast_signed(),
                tv_nsec: (left % SECOND).cast_signed(),
            },
        };
        let _ = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec);
        let mut fds = vec![
            PollFd::new(&self.timer, PollFlags::IN),
            PollFd::new(&self.signals.wake, PollFlags::IN),
        ];
        if let Some(harness) = &self.harness {
            fds.push(PollFd::new(harness, PollFlags::IN));
        }
        if let Some((_, pidfd)) = &self.child {
            fds.push(PollFd::new(pidfd, PollFlags::IN));
        }
        if let Some(pump) = &self.pump {
            fds.push(PollFd::new(&pump.pidfd, PollFlags::IN));
            if !pump.silent {
                fds.push(PollFd::new(&pump.socket, PollFlags::IN));
            }
        }
        let _ = poll(&mut fds, None);
    }
}

/// Takes the run's lock for as long as this process lives.
fn lock(files: &Files) -> Result<File, CaptureError> {
    let path = files.lock();
    let mut file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(CaptureError::write(&path))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| CaptureError::Running {
        directory: files.directory().to_owned(),
        holder: "another keeper".to_owned(),
    })?;
    file.set_len(0).map_err(CaptureError::write(&path))?;
    file.write_all(crate::tree::holder().as_bytes())
        .map_err(CaptureError::write(&path))?;
    Ok(file)
}

#[cfg(test)]
mod tests;

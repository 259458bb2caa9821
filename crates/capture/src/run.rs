//! The harness's side: begins a run and speaks to its keeper.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gonogo_dryrun::journal::Event;
use gonogo_dryrun::spec::RunSpec;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::clock::{Clock, SECOND, awake, boot, nanos};
use crate::files::{Files, sync_directory, write_atomic};
use crate::journal::{Entries, Journal};
use crate::pulse::{Change, Pulse};
use crate::wire::Heard;
use crate::{CaptureError, ENTRY, wire};

/// What ends a run before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// SIGINT arrived.
    Interrupt,
    /// SIGTERM arrived.
    Terminate,
    /// SIGHUP arrived.
    HangUp,
}

/// A keeper that was woken and asked to end, and does not answer for so long, is killed.
const DEAF: u64 = 10 * SECOND;

/// Begins runs.
#[derive(Debug)]
pub struct Run;

/// A run that goes on. If it is dropped the keeper ends the run.
#[derive(Debug)]
pub struct Running {
    files: Files,
    keeper: Child,
    pidfd: OwnedFd,
    socket: OwnedFd,
    /// The keeper, as far as it answers.
    pulse: Pulse,
    /// What is to be told about that.
    news: Option<String>,
    /// When it should have ended by itself (awake clock).
    over: u64,
    /// Since when it has been asked to end and could not hear it (awake clock).
    asked: Option<u64>,
    /// Whether it was asked to end at all: one that heard it can be stopped again before it has ended.
    ending: bool,
}

/// How a keeper ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// As its journal says it: `child_exited`, `time_over`, …; none if it ended before its journal: then [`crate::finalize`] has work.
    pub reason: Option<String>,
    /// How the process ended, if not well.
    pub fault: Option<String>,
}

impl Run {
    /// Makes the capture directory, writes `run.json`, and starts `program`'s keeper, which starts the pump and the child.
    ///
    /// # Errors
    /// [`CaptureError::Exists`] if the directory is there; then nothing was changed.
    pub fn start(program: &Path, spec: &RunSpec) -> Result<Running, CaptureError> {
        Self::start_beside(program, spec, &[])
    }

    /// As [`Run::start`]; before `run.json`, by which a run is found, these files are written into its directory: name and bytes.
    ///
    /// # Errors
    /// As [`Run::start`]; no space for the ballast.
    pub fn start_beside(
        program: &Path,
        spec: &RunSpec,
        beside: &[(&str, &[u8])],
    ) -> Result<Running, CaptureError> {
        let files = Files::of(spec);
        let log_dir = Path::new(&spec.log_dir);
        std::fs::create_dir_all(log_dir).map_err(CaptureError::write(log_dir))?;
        // Views of an earlier run of the same name must not be overwritten either.
        for extension in [".log", ".jsonl"] {
            for compressed in [false, true] {
                let path = files.view(extension, 0, compressed);
                if path.exists() {
                    return Err(CaptureError::Exists(path));
                }
            }
        }
        let directory = files.directory();
        std::fs::create_dir(directory).map_err(|source| {
            if source.kind() == io::ErrorKind::AlreadyExists {
                CaptureError::Exists(directory.to_owned())
            } else {
                CaptureError::write(directory)(source)
            }
        })?;
        let furnished = crate::space::reserve(&files, &spec.capture)
            .and_then(|()| furnish(&files, spec, beside));
        if let Err(e) = furnished {
            // Nothing was started: what there is of it must not keep its name, nor space.
            let _ = std::fs::remove_dir_all(directory);
            return Err(e);
        }
        sync_directory(log_dir).map_err(CaptureError::write(log_dir))?;
        let internal = files.internal();
        let log = File::create_new(&internal).map_err(CaptureError::write(&internal))?;
        let (socket, end) = wire::pair().map_err(CaptureError::system("a socket"))?;
        let keeper = Command::new(program)
            .arg(ENTRY)
            .arg("keeper")
            .arg(directory)
            .stdin(end)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|source| CaptureError::Start {
                program: program.to_owned(),
                source,
            })?;
        let pid = Pid::from_raw(keeper.id().cast_signed())
            .expect("invariant: a process that was started has a number");
        let pidfd = pidfd_open(pid, PidfdFlags::empty())
            .map_err(|e| CaptureError::system("the keeper cannot be watched")(e.into()))?;
        let whole = [
            spec.target_seconds / spec.clock_scale.max(f64::MIN_POSITIVE),
            spec.grace_seconds.interrupt,
            spec.grace_seconds.terminate,
            spec.drain_seconds,
        ];
        let whole = whole.into_iter().map(nanos).fold(0, u64::saturating_add);
        Ok(Running {
            pulse: Pulse::of(keeper.id()),
            news: None,
            over: awake().saturating_add(whole),
            asked: None,
            ending: false,
            files,
            keeper,
            pidfd,
            socket,
        })
    }
}

/// Writes what must be there before anything is started.
fn furnish(files: &Files, spec: &RunSpec, beside: &[(&str, &[u8])]) -> Result<(), CaptureError> {
    for (name, bytes) in beside {
        let path = files.path(name);
        write_atomic(&path, bytes, true).map_err(CaptureError::write(&path))?;
    }
    let text = serde_json::to_vec_pretty(spec).map_err(|source| CaptureError::Spec {
        path: files.run(),
        source,
    })?;
    write_atomic(&files.run(), &text, true).map_err(CaptureError::write(&files.run()))
}

/// Puts the files back by which a run is found and judged, if somebody removed them while it went on. Call it when the keeper has
/// ended. Returns whether something was missing; what was captured is not brought back, and the new journal says so.
///
/// # Errors
/// They cannot be written.
pub fn restore(spec: &RunSpec, beside: &[(&str, &[u8])]) -> Result<bool, CaptureError> {
    let files = Files::of(spec);
    // A keeper that was killed at once made no journal; then there is nothing else either.
    let began = files.keeper_journal().exists() || !files.index().exists();
    if files.run().exists() && began {
        return Ok(false);
    }
    let directory = files.directory();
    std::fs::create_dir_all(directory).map_err(CaptureError::write(directory))?;
    let mut journal = Journal::open(&files.keeper_journal())?;
    let reason = format!("{} was emptied or removed", directory.display());
    journal.append(
        Clock::begin(spec.clock_scale).look(),
        Event::CaptureLost { reason },
    );
    journal
        .sync()
        .map_err(CaptureError::write(&files.keeper_journal()))?;
    furnish(&files, spec, beside)?;
    Ok(true)
}

impl Running {
    /// Returns the names of the run's files.
    pub const fn files(&self) -> &Files {
        &self.files
    }

    /// Returns the keeper's process number.
    pub fn keeper(&self) -> u32 {
        self.keeper.id()
    }

    /// Asks for the run's end; a second time: quickly.
    pub fn interrupt(&mut self, ask: Ask) {
        let word = match ask {
            Ask::Interrupt => wire::INTERRUPT,
            Ask::Terminate => wire::TERMINATE,
            Ask::HangUp => wire::HANG_UP,
        };
        wire::say(&self.socket, word);
        self.ending = true;
        if self.pulse.is_stopped() || self.pulse.missed().is_some() {
            self.wake();
        }
    }

    /// Lets a keeper go on that somebody stopped, so that it hears what it is asked.
    fn wake(&mut self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::CONT);
        self.asked.get_or_insert(awake());
    }

    /// What the operator should know: once.
    pub fn news(&mut self) -> Option<String> {
        self.news.take()
    }

    /// Looks whether the keeper still answers, and ends one that does not although it should end.
    fn watch(&mut self) {
        while let Heard::Word(_) = wire::hear(&self.socket) {
            self.pulse.hear();
        }
        let pid = self.pulse.pid();
        match self.pulse.look() {
            Some(Change::Missed(state, ns)) => {
                let how = if state == 'T' {
                    "is stopped".to_owned()
                } else {
                    format!("does not answer (state {state})")
                };
                self.news = Some(format!(
                    "the keeper (process {pid}) {how} for {} s: nobody watches the command; `kill -CONT {pid}` lets it go on, Ctrl-C ends the run",
                    ns / SECOND
                ));
            }
            Some(Change::Back(ns)) => {
                // Whatever it was asked, it hears now.
                self.asked = None;
                self.news = Some(format!(
                    "the keeper (process {pid}) answers again, after {} s",
                    ns / SECOND
                ));
            }
            None => {}
        }
        let Some(missed) = self.pulse.missed() else {
            return;
        };
        let now = awake();
        if (self.ending || now >= self.over) && self.asked.is_none() {
            self.wake();
        }
        let waited = self
            .asked
            .map_or(0, |at| now.saturating_sub(at))
            .min(missed);
        if waited >= DEAF {
            // The child dies with it, and the pump ends what is left.
            let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        }
    }

    /// Asks for new segments.
    pub fn rotate(&self) {
        wire::say(&self.socket, wire::ROTATE);
    }

    /// Waits at most `limit` for the keeper's end; none if it still lives then. A signal that arrives ends the waiting early.
    pub fn wait(&mut self, limit: Duration) -> Option<Ended> {
        let by = boot().saturating_add(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
        loop {
            self.watch();
            if let Ok(Some(status)) = self.keeper.try_wait() {
                let fault = match (status.code(), status.signal()) {
                    (Some(0), _) => None,
                    (Some(code), _) => Some(format!(
                        "the keeper ended with exit code {code}; see {}",
                        self.files.internal().display()
                    )),
                    (None, signal) => Some(format!(
                        "the keeper was killed by signal {}",
                        signal.unwrap_or(0)
                    )),
                };
                return Some(Ended {
                    reason: ended(&self.files),
                    fault,
                });
            }
            let left = by.saturating_sub(boot());
            let timeout = Timespec {
                tv_sec: (left / 1_000_000_000).cast_signed(),
                tv_nsec: (left % 1_000_000_000).cast_signed(),
            };
            match poll(
                &mut [PollFd::new(&self.pidfd, PollFlags::IN)],
                Some(&timeout),
            ) {
                Ok(0) | Err(rustix::io::Errno::INTR) => return None,
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }
}

/// The reason in the keeper's last entry, if it is `ended`.
pub(crate) fn ended(files: &Files) -> Option<String> {
    let mut last = None;
    for entry in Entries::open(&files.keeper_journal()).ok()? {
        last = entry.ok();
    }
    match last?.event {
        Event::Ended { reason } => Some(reason),
        _ => None,
    }
}

//! Ending a process with everything it started: ask, wait, kill, wait until nothing is left.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use gonogo_core::Clock;
use gonogo_core::clock::SystemClock;
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open,
    pidfd_send_signal, waitid,
};

use crate::procfs::{self, Mark, Stat};
use crate::{ExecError, Process};

/// How often the members are counted while they are waited for.
const LOOK: Duration = Duration::from_millis(5);
/// How long the members may take to disappear after SIGKILL.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// A signal that asks a process to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGTERM.
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGHUP.
    Hup,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
}

impl StopSignal {
    const ALL: [(Self, &'static str, Signal); 6] = [
        (Self::Term, "TERM", Signal::TERM),
        (Self::Int, "INT", Signal::INT),
        (Self::Quit, "QUIT", Signal::QUIT),
        (Self::Hup, "HUP", Signal::HUP),
        (Self::Usr1, "USR1", Signal::USR1),
        (Self::Usr2, "USR2", Signal::USR2),
    ];

    fn row(self) -> (&'static str, Signal) {
        let row = Self::ALL.iter().find(|row| row.0 == self);
        row.map_or(("TERM", Signal::TERM), |row| (row.1, row.2))
    }
}

impl FromStr for StopSignal {
    type Err = ExecError;

    fn from_str(text: &str) -> Result<Self, ExecError> {
        let row = Self::ALL.iter().find(|row| row.1 == text);
        row.map(|row| row.0)
            .ok_or_else(|| ExecError::UnknownSignal(text.chars().take(40).collect()))
    }
}

impl fmt::Display for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().0)
    }
}

/// The steps of ending.
#[derive(Debug, Clone, Copy)]
pub struct Ladder {
    /// What asks first; none kills at once.
    pub ask: Option<StopSignal>,
    /// How long the whole group may take to end by itself.
    pub within: Duration,
}

impl Ladder {
    /// Kill at once.
    pub const KILL: Self = Self {
        ask: None,
        within: Duration::ZERO,
    };
}

/// How an end was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Nothing ran any more.
    Already,
    /// Everything ended when asked.
    Asked,
    /// Something had to be killed.
    Killed,
}

/// Ends `process`, its group, and whatever carries its mark outside of the group; then reaps it if it is our child.
///
/// # Errors
/// [`ExecError::Survived`] if something is still alive 5 s after SIGKILL; [`ExecError::Signal`] if the system refuses to signal it.
pub fn end(process: &Process, ladder: Ladder) -> Result<Ended, ExecError> {
    let mut left = members(process)?;
    if left.is_empty() {
        reap(process);
        return Ok(Ended::Already);
    }
    if let Some(ask) = ladder.ask {
        let (name, signal) = ask.row();
        send(process, &left, name, signal)?;
        left = wait_empty(process, ladder.within)?;
        if left.is_empty() {
            reap(process);
            return Ok(Ended::Asked);
        }
    }
    // Again on each round: a process forked between the look and the kill is caught by the next one.
    let rounds = AFTER_KILL.as_millis() / (10 * LOOK.as_millis());
    for _ in 0..rounds {
        send(process, &left, "KILL", Signal::KILL)?;
        left = wait_empty(process, LOOK * 10)?;
        if left.is_empty() {
            reap(process);
            return Ok(Ended::Killed);
        }
    }
    Err(ExecError::Survived {
        pid: process.pid,
        left: left.len(),
    })
}

/// Kills everything that carries exactly `mark`, wherever it is; for what was started and never recorded.
///
/// # Errors
/// As [`end`].
pub fn sweep(mark: &str) -> Result<Ended, ExecError> {
    // No process has this number, so that only the mark counts.
    let nobody = Process {
        pid: u32::MAX,
        started: 0,
        boot: procfs::boot()?,
        mark: mark.to_owned(),
    };
    end(&nobody, Ladder::KILL)
}

/// Takes the status of a dead child so that its number becomes free. Harmless for others.
pub fn reap(process: &Process) {
    if let Some(stat) = process.stat()
        && !stat.is_alive()
    {
        // An error means that it is not our child; its parent reaps it.
        let _ = waitid(
            WaitId::Pid(process.raw()),
            WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
        );
    }
}

/// A living process that must end.
struct Member {
    pid: u32,
    in_group: bool,
}

/// Finds what is alive of a process: its group if that is still ours, and everything with its mark.
fn members(process: &Process) -> Result<Vec<Member>, ExecError> {
    if procfs::boot()? != process.boot {
        return Ok(Vec::new());
    }
    let mut ours = process.stat().is_some();
    let mut found = Vec::new();
    for pid in procfs::pids()? {
        let Some(stat) = Stat::of(pid).filter(|s| s.is_alive() && !s.is_kernel()) else {
            continue;
        };
        let in_group = stat.group == process.pid;
        let marked = procfs::mark_of(pid) == Mark::Is(process.mark.clone());
        // A group number is not given away while the group has members, so one marked member proves the whole group.
        ours |= in_group && marked;
        if in_group || marked {
            found.push((Member { pid, in_group }, marked));
        }
    }
    Ok(found
        .into_iter()
        .filter(|(m, marked)| *marked || (m.in_group && ours))
        .map(|(m, _)| m)
        .collect())
}

fn wait_empty(process: &Process, limit: Duration) -> Result<Vec<Member>, ExecError> {
    let clock = SystemClock::default();
    loop {
        let left = limit.saturating_sub(Duration::from_millis(clock.now().mono_ms));
        // While the leader lives the group is not empty, and the kernel tells when it ends. Then the others are counted.
        if process.is_alive() {
            process.wait(left.min(LOOK * 20))?;
        }
        let members = if process.is_alive() {
            Vec::new()
        } else {
            members(process)?
        };
        let empty = members.is_empty() && !process.is_alive();
        if empty {
            return Ok(members);
        }
        if left.is_zero() {
            return self::members(process);
        }
        if !process.is_alive() {
            std::thread::sleep(LOOK.min(left));
        }
    }
}

fn send(
    process: &Process,
    members: &[Member],
    name: &'static str,
    signal: Signal,
) -> Result<(), ExecError> {
    let failed = |pid, e: Errno| ExecError::Signal {
        signal: name,
        pid,
        source: e.into(),
    };
    if members.iter().any(|m| m.in_group) {
        match kill_process_group(process.raw(), signal) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(e) => return Err(failed(process.pid, e)),
        }
    }
    for member in members.iter().filter(|m| !m.in_group) {
        let Some(raw) = i32::try_from(member.pid).ok().and_then(Pid::from_raw) else {
            continue;
        };
        let Ok(fd) = pidfd_open(raw, PidfdFlags::empty()) else {
            continue;
        };
        // Looked at again through the open handle: the number may have changed hands since it was found.
        if procfs::mark_of(member.pid) == Mark::Is(process.mark.clone()) {
            match pidfd_send_signal(&fd, signal) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(e) => return Err(failed(member.pid, e)),
            }
        }
    }
    Ok(())
}

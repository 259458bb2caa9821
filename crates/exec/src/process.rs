//! A process as it is remembered: enough to know it again in another life of the one who started it.

use std::fmt;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};
use serde::{Deserialize, Serialize};

use crate::ExecError;
use crate::procfs::{self, Mark, Stat};

/// A process and the group that it leads. This is a stored format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Process number, which is also the number of its group.
    pub pid: u32,
    /// Start time in clock ticks since boot (`/proc/<pid>/stat`, field 22).
    pub started: u64,
    /// The boot in which it was started (`/proc/sys/kernel/random/boot_id`).
    pub boot: String,
    /// The value of [`crate::MARK`] in its environment.
    pub mark: String,
}

impl Process {
    /// Looks at process `pid`; none if it is not alive, does not lead its group or does not carry `mark`.
    ///
    /// # Errors
    /// [`ExecError::Proc`] if the boot's name cannot be read.
    pub fn find(pid: u32, mark: &str) -> Result<Option<Self>, ExecError> {
        let boot = procfs::boot()?;
        // The start time is read on both sides of the mark: between them the pid cannot have changed hands.
        let Some(before) = Stat::of(pid).filter(|stat| stat.is_alive() && stat.group == pid) else {
            return Ok(None);
        };
        let same = procfs::mark_of(pid) == Mark::Is(mark.to_owned())
            && Stat::of(pid).is_some_and(|after| after.started == before.started);
        Ok(same.then(|| Self {
            pid,
            started: before.started,
            boot,
            mark: mark.to_owned(),
        }))
    }

    /// Whether exactly this process runs. A zombie does not.
    pub fn is_alive(&self) -> bool {
        self.stat().is_some_and(|stat| stat.is_alive())
    }

    /// Whether the number still belongs to this process, dead and unreaped included.
    pub(crate) fn stat(&self) -> Option<Stat> {
        let boot = procfs::boot().ok()?;
        Stat::of(self.pid).filter(|stat| boot == self.boot && stat.started == self.started)
    }

    /// Whether it was started in another boot of this machine.
    ///
    /// # Errors
    /// [`ExecError::Proc`] if the boot's name cannot be read.
    pub fn is_of_another_boot(&self) -> Result<bool, ExecError> {
        Ok(procfs::boot()? != self.boot)
    }

    /// Waits up to `limit` for the end; none if it still runs then. Does not reap.
    ///
    /// # Errors
    /// [`ExecError::Wait`] if the system cannot tell.
    pub fn wait(&self, limit: Duration) -> Result<Option<Exit>, ExecError> {
        let failed = |e: Errno| ExecError::Wait {
            pid: self.pid,
            source: e.into(),
        };
        let Some(fd) = self.pidfd()? else {
            return Ok(Some(Exit::Gone));
        };
        let limit = Timespec::try_from(limit).unwrap_or(Timespec {
            tv_sec: i64::MAX,
            tv_nsec: 0,
        });
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        match poll(&mut fds, Some(&limit)) {
            Ok(0) | Err(Errno::INTR) => Ok(None),
            Ok(_) => Ok(Some(exit_of(&fd))),
            Err(e) => Err(failed(e)),
        }
    }

    /// A handle that cannot come to mean another process; none if this one is gone.
    fn pidfd(&self) -> Result<Option<OwnedFd>, ExecError> {
        let fd = match pidfd_open(self.raw(), PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(Errno::SRCH) => return Ok(None),
            Err(e) => {
                return Err(ExecError::Wait {
                    pid: self.pid,
                    source: e.into(),
                });
            }
        };
        // Looked at after opening: if the number is still ours now, the handle is ours.
        Ok(self.stat().map(|_| fd))
    }

    pub(crate) fn raw(&self) -> Pid {
        // 0 cannot come from a spawn; init stands in and never passes the identity check.
        i32::try_from(self.pid)
            .ok()
            .and_then(Pid::from_raw)
            .unwrap_or(Pid::INIT)
    }

    /// Resident memory in bytes; none if it is gone.
    pub fn resident(&self) -> Option<u64> {
        self.stat()?;
        let pages = procfs::resident_pages(self.pid)?;
        Some(pages.saturating_mul(rustix::param::page_size() as u64))
    }
}

/// Reads how a process ended and leaves it unreaped.
fn exit_of(fd: &OwnedFd) -> Exit {
    use std::os::fd::AsFd;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    match waitid(WaitId::PidFd(fd.as_fd()), options) {
        Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Status(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Gone,
        },
        // Not our child: its parent has the status.
        Ok(None) | Err(_) => Exit::Gone,
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// With this status.
    Status(i32),
    /// By this signal's number.
    Signal(i32),
    /// Nobody told us: it was not our child.
    Gone,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(code) => write!(f, "exited with status {code}"),
            Self::Signal(signal) => write!(f, "was ended by signal {signal}"),
            Self::Gone => f.write_str("is gone"),
        }
    }
}

//! What left its group, its session and its environment behind: a process whose parent has ended becomes a child of the nearest process
//! that adopts (prctl(2), `PR_SET_CHILD_SUBREAPER`), and so it is found by its parent, which it cannot choose.

use std::time::Duration;

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpgrp, getpid, pidfd_open, pidfd_send_signal,
    set_child_subreaper, waitid,
};

use crate::procfs::{self, Stat};
use crate::{ExecError, Process};

/// How long one round waits for what was killed.
const ROUND: Duration = Duration::from_millis(10);

/// How many rounds: each frees the children of what it killed, and 500 take 5 s.
const ROUNDS: usize = 500;

/// Has every process that loses its parent below this one become a child of this one, from now on.
///
/// # Errors
/// [`ExecError::Adopt`] if the system refuses.
pub fn adopt() -> Result<(), ExecError> {
    set_child_subreaper(Some(getpid())).map_err(|e| ExecError::Adopt(e.into()))
}

/// Kills what this process adopted since `process` was started, and everything below, and says how many there were. Needs [`adopt`]
/// before. Whatever runs in this process's own group is its own work and stays, as does `process` itself.
///
/// # Errors
/// [`ExecError::Survived`] if something is still alive after 5 s; [`ExecError::Proc`].
pub fn end_adopted(process: &Process) -> Result<usize, ExecError> {
    let mut ended = 0;
    for round in 0..ROUNDS {
        let mut alive = 0;
        for pid in adopted(process)? {
            let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
                continue;
            };
            // A child of ours keeps its number until we take its status.
            if Stat::of(pid).is_some_and(|stat| stat.is_alive()) {
                alive += 1;
                if let Ok(fd) = pidfd_open(raw, PidfdFlags::empty()) {
                    let _ = pidfd_send_signal(&fd, Signal::KILL);
                }
            } else {
                let flags = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
                let _ = waitid(WaitId::Pid(raw), flags);
            }
        }
        if round == 0 {
            ended = alive;
        } else {
            ended = ended.max(alive);
        }
        if alive == 0 {
            return Ok(ended);
        }
        std::thread::sleep(ROUND);
    }
    Err(ExecError::Survived {
        pid: process.pid,
        left: adopted(process)?.len(),
    })
}

/// Children of ours that began after `process` did, in other groups than ours.
fn adopted(process: &Process) -> Result<Vec<u32>, ExecError> {
    let (own, group) = (number(getpid()), number(getpgrp()));
    let mut found = Vec::new();
    for pid in procfs::pids()? {
        let is_ours = Stat::of(pid).is_some_and(|stat| {
            stat.parent == own
                && stat.group != group
                && stat.started >= process.started
                && pid != process.pid
        });
        if is_ours {
            found.push(pid);
        }
    }
    Ok(found)
}

fn number(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}

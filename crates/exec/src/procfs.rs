//! The few fields of `/proc` that this crate needs (proc_pid_stat(5), proc_pid_environ(5)).

use std::fs;
use std::path::{Path, PathBuf};

use crate::{ExecError, MARK};

/// Kernel threads carry this flag (`PF_KTHREAD`, include/linux/sched.h).
const KERNEL_THREAD: u64 = 0x0020_0000;

/// One line of `/proc/<pid>/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) state: char,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) flags: u64,
    pub(crate) threads: u64,
    /// Clock ticks since boot.
    pub(crate) started: u64,
}

impl Stat {
    /// Reads it; none if there is no such process.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name in parentheses may hold anything, so fields are counted from the last `)`.
    fn parse(line: &str) -> Option<Self> {
        let rest = &line[line.rfind(')')? + 1..];
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |n: usize| fields.get(n - 3)?.parse::<u64>().ok();
        Some(Self {
            state: fields.first()?.chars().next()?,
            parent: u32::try_from(number(4)?).ok()?,
            group: u32::try_from(number(5)?).ok()?,
            flags: number(9)?,
            threads: number(20)?,
            started: number(22)?,
        })
    }

    /// A zombie whose other threads still run is alive: only its first thread has ended.
    pub(crate) fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x') || self.threads > 1
    }

    pub(crate) fn is_kernel(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }
}

/// What a look at a process's environment showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mark {
    /// This mark.
    Is(String),
    /// None, or the environment may not be read, so the process is not ours.
    None,
    /// The environment is empty; it may be in the middle of `execve`.
    Empty,
}

/// Reads the mark of a process.
pub(crate) fn mark_of(pid: u32) -> Mark {
    let Ok(bytes) = fs::read(format!("/proc/{pid}/environ")) else {
        return Mark::None;
    };
    if bytes.is_empty() {
        return Mark::Empty;
    }
    bytes
        .split(|b| *b == 0)
        .find_map(|pair| pair.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="))
        .map_or(Mark::None, |value| {
            Mark::Is(String::from_utf8_lossy(value).into_owned())
        })
}

/// Resident pages of a process; none if it is gone.
pub(crate) fn resident_pages(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Numbers of all processes.
pub(crate) fn pids() -> Result<Vec<u32>, ExecError> {
    let failed = |source| ExecError::Proc {
        path: PathBuf::from("/proc"),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").map_err(failed)? {
        if let Some(pid) = entry
            .map_err(failed)?
            .file_name()
            .to_str()
            .and_then(|n| n.parse().ok())
        {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Name of this boot: start times of processes compare within one boot only.
pub(crate) fn boot() -> Result<String, ExecError> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .map_err(|source| ExecError::Proc {
            path: path.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_process_name_does_not_shift_the_fields() {
        let line =
            "7 (a) Z 1 (b) S 1 77 7 0 -1 4194304 97 0 0 0 0 0 0 0 20 0 3 0 172125 3133440 360";
        let stat = Stat::parse(line).unwrap();
        assert_eq!(
            (stat.state, stat.group, stat.threads, stat.started),
            ('S', 77, 3, 172_125)
        );
        assert!(stat.is_alive());
        assert_eq!(Stat::parse("7 (a"), None);
    }

    #[test]
    fn a_zombie_is_dead_unless_other_threads_run() {
        let zombie = Stat {
            state: 'Z',
            parent: 1,
            group: 1,
            flags: 0,
            threads: 1,
            started: 1,
        };
        assert!(!zombie.is_alive());
        assert!(
            Stat {
                threads: 2,
                ..zombie
            }
            .is_alive()
        );
    }
}

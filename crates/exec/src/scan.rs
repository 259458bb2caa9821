//! Finding processes by mark, for those that were started and never recorded.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ExecError;
use crate::procfs::{self, Mark, Stat};

/// How long a process with an empty environment is given to finish `execve`.
const SETTLE: Duration = Duration::from_millis(20);

/// Finds all living processes whose mark starts with `prefix`: process number to whole mark.
///
/// # Errors
/// [`ExecError::Proc`] if the process table cannot be read.
pub fn marked(prefix: &str) -> Result<BTreeMap<u32, String>, ExecError> {
    let mut found = BTreeMap::new();
    let mut unsettled = Vec::new();
    for pid in procfs::pids()? {
        match procfs::mark_of(pid) {
            Mark::Is(mark) if mark.starts_with(prefix) && alive(pid) => {
                found.insert(pid, mark);
            }
            Mark::Empty if Stat::of(pid).is_some_and(|s| s.is_alive() && !s.is_kernel()) => {
                unsettled.push(pid);
            }
            Mark::Is(_) | Mark::None | Mark::Empty => {}
        }
    }
    if !unsettled.is_empty() {
        std::thread::sleep(SETTLE);
        for pid in unsettled {
            if let Mark::Is(mark) = procfs::mark_of(pid)
                && mark.starts_with(prefix)
                && alive(pid)
            {
                found.insert(pid, mark);
            }
        }
    }
    Ok(found)
}

fn alive(pid: u32) -> bool {
    Stat::of(pid).is_some_and(|stat| stat.is_alive())
}

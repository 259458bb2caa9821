//! How much memory a process and everything that it started hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::procfs::{self, Mark, Stat};
use crate::{ExecError, Process};

/// Resident memory in bytes of `process`, its group, whatever carries its mark, and all descendants of these; none if nothing of it is
/// alive. The sum of what `/proc/<pid>/statm` tells: pages that several of them share count for each.
///
/// # Errors
/// [`ExecError::Proc`] if the process table cannot be read.
pub fn resident(process: &Process) -> Result<Option<u64>, ExecError> {
    if procfs::boot()? != process.boot {
        return Ok(None);
    }
    let mut alive = BTreeMap::new();
    for pid in procfs::pids()? {
        if let Some(stat) = Stat::of(pid).filter(|s| s.is_alive() && !s.is_kernel()) {
            alive.insert(pid, stat);
        }
    }
    // A group's number is not given away while somebody is in it; its leader's start time says that it is still ours.
    let leads = process.stat().is_some();
    let is_own = |pid: u32, stat: &Stat| {
        let in_group = stat.group == process.pid && leads;
        in_group || procfs::mark_of(pid) == Mark::Is(process.mark.clone())
    };
    let own = alive.iter().filter(|(pid, stat)| is_own(**pid, stat));
    let mut ours: BTreeSet<u32> = own.map(|(pid, _)| *pid).collect();
    loop {
        let below = alive.iter().filter(|(_, stat)| ours.contains(&stat.parent));
        let more: BTreeSet<u32> = below.map(|(pid, _)| *pid).collect();
        let before = ours.len();
        ours.extend(more);
        if ours.len() == before {
            break;
        }
    }
    let pages = ours.iter().filter_map(|pid| procfs::resident_pages(*pid));
    let sum = pages.fold(0u64, u64::saturating_add);
    let bytes = sum.saturating_mul(rustix::param::page_size() as u64);
    Ok((bytes > 0).then_some(bytes))
}

//! One core for each worker, where there are as many of both.
//!
//! Two workers that the scheduler puts on one core wait for each other by the timer tick, milliseconds at a time, while other
//! threads keep the other core; that is most of the 99th percentile on a full machine. Whatever else runs stays free to move.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores that this process may use, if they are as many as `workers`. Fewer workers than cores go where there is room, and more
/// have to share.
pub(super) fn of(workers: usize) -> Option<Vec<usize>> {
    let allowed = sched_getaffinity(None).ok()?;
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|core| allowed.is_set(*core))
        .collect();
    (cores.len() == workers).then_some(cores)
}

/// Binds the calling thread to a core. A system that refuses costs speed and nothing else.
pub(super) fn take(core: usize) {
    let mut one = CpuSet::new();
    one.set(core);
    let _ = sched_setaffinity(None, &one);
}

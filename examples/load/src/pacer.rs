//! The thread that keeps the schedule.
//!
//! A thread of its own, because the kernel wakes a sleeping thread within some 0.1 ms, a tokio timer
//! only on whole milliseconds, and because the runtime being busy must not delay the schedule. When it
//! wakes late it sends all that is due with the intended times, so its lateness shows up as latency.

use crate::schedule::{Due, Schedule};
use crate::time;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// A running pacer; dropping the handle does not stop it.
pub(crate) struct Pacer {
    thread: JoinHandle<()>,
    stop: Stop,
}

/// Stops the pacer from another thread.
#[derive(Clone)]
pub(crate) struct Stop {
    asked: Arc<AtomicBool>,
    thread: Thread,
}

impl Stop {
    pub(crate) fn stop(&self) {
        self.asked.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Pacer {
    /// Starts sending the dues of `schedule`, counted from `start`, into `dues`.
    ///
    /// The channel is unbounded because a full one would make the load closed-loop; what is in it is
    /// bounded by rate × the time for which the runtime does not run.
    pub(crate) fn start(
        start: Instant,
        schedule: Schedule,
        dues: UnboundedSender<Due>,
    ) -> std::io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        let seen = asked.clone();
        let thread = std::thread::Builder::new()
            .name("load-pacer".to_owned())
            .spawn(move || {
                for due in schedule {
                    // A closed channel means that the load is over.
                    if !wait_until(start + due.at, &seen) || dues.send(due).is_err() {
                        return;
                    }
                }
            })?;
        let stop = Stop {
            asked,
            thread: thread.thread().clone(),
        };
        Ok(Self { thread, stop })
    }

    pub(crate) fn stop_switch(&self) -> Stop {
        self.stop.clone()
    }

    /// Waits for the end of the schedule or of a stop. The pacer does not panic.
    pub(crate) fn join(self) {
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Sleeps until `when`; `false` if the stop was asked for.
fn wait_until(when: Instant, stop: &AtomicBool) -> bool {
    loop {
        if stop.load(Ordering::Acquire) {
            return false;
        }
        match when.checked_duration_since(time::now()) {
            None | Some(Duration::ZERO) => return true,
            Some(left) => std::thread::park_timeout(left),
        }
    }
}

//! A few threads that work on numbered jobs, and results that come back in the order of the jobs. How many jobs are under
//! way is the caller's choice, so memory is bounded by it.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Jobs on their way and results to come.
pub(super) struct Pool<J, R> {
    jobs: Sender<(u64, J)>,
    done: Receiver<Option<(u64, R)>>,
    early: BTreeMap<u64, R>,
    sent: u64,
    taken: u64,
}

impl<J, R> Pool<J, R> {
    pub(super) fn submit(&mut self, job: J) {
        // A send fails only if every worker has panicked; `next` then sees that too.
        let _ = self.jobs.send((self.sent, job));
        self.sent += 1;
    }

    /// Returns the next result in order, if it is there; waits for it as long as more than `room` jobs are under way.
    pub(super) fn next(&mut self, room: u64) -> Option<R> {
        loop {
            if let Some(result) = self.early.remove(&self.taken) {
                self.taken += 1;
                return Some(result);
            }
            let message = if self.sent - self.taken > room {
                self.done.recv().ok()
            } else {
                self.done.try_recv().ok()
            };
            match message {
                Some(Some((number, result))) => {
                    self.early.insert(number, result);
                }
                // A worker has panicked: its panic goes on in the caller of `run`.
                Some(None) => self.taken = self.sent,
                None => return None,
            }
        }
    }
}

/// Runs `body` with a pool of `workers` threads that do `work`.
pub(super) fn run<J: Send, R: Send, T>(
    workers: usize,
    work: impl Fn(J) -> R + Sync,
    body: impl FnOnce(&mut Pool<J, R>) -> T,
) -> T {
    let (jobs, inbox) = channel::<(u64, J)>();
    let (outbox, done) = channel();
    let inbox = Mutex::new(inbox);
    thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            let (outbox, inbox, work) = (Panics(outbox.clone()), &inbox, &work);
            scope.spawn(move || {
                loop {
                    let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((number, job)) = next else { return };
                    if outbox.0.send(Some((number, work(job)))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(outbox);
        let mut pool = Pool {
            jobs,
            done,
            early: BTreeMap::new(),
            sent: 0,
            taken: 0,
        };
        body(&mut pool)
    })
}

/// Tells the caller of a panic, so that nobody waits for a result that does not come.
struct Panics<T>(Sender<Option<T>>);

impl<T> Drop for Panics<T> {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.0.send(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let results = run(
            4,
            |n: u64| {
                // Uneven work, so that workers overtake each other.
                for turn in 0..(n % 7) * 1000 {
                    std::hint::black_box(turn);
                }
                n
            },
            |pool| {
                let mut results = Vec::new();
                for n in 0..500 {
                    pool.submit(n);
                    while let Some(r) = pool.next(8) {
                        results.push(r);
                    }
                    assert!(pool.sent - pool.taken <= 8);
                }
                while let Some(r) = pool.next(0) {
                    results.push(r);
                }
                results
            },
        );
        assert!(results.into_iter().eq(0..500));
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_is_passed_on_and_nobody_waits() {
        run(
            2,
            |n: u64| assert!(n != 3, "three"),
            |pool| {
                for n in 0..10 {
                    pool.submit(n);
                }
                while pool.next(0).is_some() {}
            },
        );
    }
}

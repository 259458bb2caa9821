//! Work on parts in parallel, results taken in order, with no more of them waiting than there are threads and one.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

struct State<T> {
    next: usize,
    taken: usize,
    done: BTreeMap<usize, T>,
    /// Set when one side is gone: the other must not wait for it.
    over: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that a side is gone, whatever made it go.
struct Leaving<'a, T>(&'a Shared<T>);

impl<T> Drop for Leaving<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().over = true;
        }
        self.0.changed.notify_all();
    }
}

/// Does `work` on 0 to `count` − 1 with `threads` threads, each with memory of its own, and gives the results to `take` in order.
pub(crate) fn in_order<T: Send, M: Default>(
    count: usize,
    threads: usize,
    work: impl Fn(usize, &mut M) -> T + Sync,
    mut take: impl FnMut(usize, T),
) {
    let threads = threads.clamp(1, 64).min(count.max(1));
    if threads == 1 {
        let mut memory = M::default();
        for index in 0..count {
            take(index, work(index, &mut memory));
        }
        return;
    }
    let shared = Shared {
        state: Mutex::new(State {
            next: 0,
            taken: 0,
            done: BTreeMap::new(),
            over: false,
        }),
        changed: Condvar::new(),
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let _leaving = Leaving(&shared);
                let mut memory = M::default();
                loop {
                    let mut state = shared.lock();
                    while !state.over && state.next < count && state.next > state.taken + threads {
                        state = shared
                            .changed
                            .wait(state)
                            .unwrap_or_else(PoisonError::into_inner);
                    }
                    if state.over || state.next >= count {
                        return;
                    }
                    let index = state.next;
                    state.next += 1;
                    drop(state);
                    let result = work(index, &mut memory);
                    shared.lock().done.insert(index, result);
                    shared.changed.notify_all();
                }
            });
        }
        let _leaving = Leaving(&shared);
        for index in 0..count {
            let mut state = shared.lock();
            let result = loop {
                if let Some(result) = state.done.remove(&index) {
                    break result;
                }
                if state.over {
                    return;
                }
                state = shared
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            };
            state.taken = index + 1;
            drop(state);
            shared.changed.notify_all();
            take(index, result);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_whatever_takes_long() {
        for threads in [1, 2, 5] {
            let mut seen = Vec::new();
            in_order::<_, u64>(
                100,
                threads,
                |i, memory| {
                    *memory += 1;
                    (0..(100 - i) * 500)
                        .fold(i as u64, |a, b| a.wrapping_mul(31).wrapping_add(b as u64));
                    i * 2
                },
                |i, r| seen.push((i, r)),
            );
            assert_eq!(seen, (0..100).map(|i| (i, i * 2)).collect::<Vec<_>>());
        }
        in_order::<usize, ()>(0, 3, |i, ()| i, |_, _| panic!("nothing to do"));
    }
}

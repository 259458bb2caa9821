//! Samples at the machine's period, each on its own thread, and misses when they do not come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use gonogo_core::Span;
use gonogo_release::{Input, Sample};

use super::{Run, Signal};
use crate::core::Core;

/// Threads that may hang in a target that does not keep its deadline.
const THREADS_MAX: usize = 4;
/// After so many misses in a row they are told less often.
const MISSES_TOLD: u64 = 3;
/// How often then, in milliseconds.
const MISS_EVERY: u64 = 5_000;
/// A sample may be this late, in milliseconds.
const GRACE: u64 = 50;

/// See the module.
#[derive(Default)]
pub(super) struct Sampling {
    /// When the next one is due; none while nothing is watched.
    next: Option<u64>,
    count: u64,
    /// Under way, by number: when each is given up.
    running: BTreeMap<u64, u64>,
    threads: Arc<AtomicUsize>,
    /// Misses in a row.
    misses: u64,
    told_at: u64,
}

impl Sampling {
    pub(super) fn wake(&self) -> Option<u64> {
        let given_up = self.running.values().min().copied();
        self.next.into_iter().chain(given_up).min()
    }

    /// Counts a miss; says whether it is one to tell.
    fn missed(&mut self, now: u64) -> bool {
        self.misses += 1;
        let tell = self.misses <= MISSES_TOLD || now >= self.told_at.saturating_add(MISS_EVERY);
        if tell {
            self.told_at = now;
        }
        tell
    }
}

impl<C: Core> Run<'_, C> {
    /// Begins a sample if one is due.
    pub(super) fn sample_when_due(&mut self) {
        let Some(period) = self.core.sampling() else {
            self.sampling.next = None;
            self.sampling.running.clear();
            return;
        };
        let now = self.mono();
        let due = *self.sampling.next.get_or_insert(now);
        if due > now {
            return;
        }
        let every = period.as_millis().max(1);
        let s = &mut self.sampling;
        // After a pause the missed beats are left out: counts are cumulative, nothing is lost.
        let next = due + every;
        s.next = Some(if next > now { next } else { now + every });
        s.count += 1;
        let n = s.count;
        s.running.insert(n, now + every + GRACE);
        if s.threads.load(Ordering::Acquire) >= THREADS_MAX {
            return;
        }
        s.threads.fetch_add(1, Ordering::AcqRel);
        let threads = s.threads.clone();
        let (target, sender) = (self.driver.target.clone(), self.sender.clone());
        let begun = thread::Builder::new()
            .name(format!("sample {n}"))
            .spawn(move || {
                let result = target.sample(period);
                threads.fetch_sub(1, Ordering::AcqRel);
                drop(sender.send(Signal::Sampled { n, result }));
            });
        if begun.is_err() {
            // It will be missed in time, which says all there is to say.
            self.sampling.threads.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Takes a sample that came back. One that was given up is left out.
    pub(super) fn sampled(&mut self, n: u64, result: Result<Sample, String>) -> Option<Input> {
        self.sampling.running.remove(&n)?;
        match result {
            Ok(sample) => {
                self.sampling.misses = 0;
                Some(Input::Sample { sample })
            }
            Err(text) => {
                let now = self.mono();
                self.sampling
                    .missed(now)
                    .then_some(Input::SampleMissed { text })
            }
        }
    }

    /// Gives up samples that take longer than their period.
    pub(super) fn sample_overdue(&mut self, now: u64) -> Option<Input> {
        let period = self.core.sampling().unwrap_or(Span::ZERO);
        while let Some((&n, _)) = self
            .sampling
            .running
            .iter()
            .find(|(_, until)| **until <= now)
        {
            self.sampling.running.remove(&n);
            if self.sampling.missed(now) {
                return Some(Input::SampleMissed {
                    text: format!("no sample within {period}"),
                });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_are_told_three_times_and_then_every_five_seconds() {
        let mut s = Sampling::default();
        let told: Vec<u64> = (0..40)
            .map(|i| i * 500)
            .filter(|now| s.missed(*now))
            .collect();
        assert_eq!(told, [0, 500, 1000, 6000, 11_000, 16_000]);
    }
}

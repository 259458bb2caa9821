//! Latency histogram: fixed log-linear buckets, the layout of HdrHistogram with 32 buckets to an octave.
//!
//! A bucket is at most 1/32 of its lower bound wide, so a quantile read as the upper bound of its bucket is at most 3.2 % too high (never
//! too low) between 8.192 µs and 68.7 s. Shorter and longer times each have one bucket. No allocation while recording.

use std::time::Duration;

const SUB_BITS: u32 = 5;
const FIRST_OCTAVE: u32 = 13;
const LAST_OCTAVE: u32 = 35;

/// Number of buckets, the two outer ones included.
pub(super) const BUCKETS: usize = ((LAST_OCTAVE - FIRST_OCTAVE + 1) << SUB_BITS) as usize + 2;

/// Bucket of a time in nanoseconds.
pub(super) fn bucket_of(nanos: u64) -> usize {
    if nanos < 1 << FIRST_OCTAVE {
        return 0;
    }
    let octave = 63 - nanos.leading_zeros();
    if octave > LAST_OCTAVE {
        return BUCKETS - 1;
    }
    let sub = (nanos >> (octave - SUB_BITS)) & ((1 << SUB_BITS) - 1);
    1 + (((octave - FIRST_OCTAVE) as usize) << SUB_BITS) + sub as usize
}

/// First nanosecond that lies above a bucket.
fn end_of(bucket: usize) -> u64 {
    if bucket == 0 {
        return 1 << FIRST_OCTAVE;
    }
    if bucket >= BUCKETS - 1 {
        return u64::MAX;
    }
    let octave = FIRST_OCTAVE + ((bucket - 1) >> SUB_BITS) as u32;
    let sub = ((bucket - 1) & ((1 << SUB_BITS) - 1)) as u64;
    (1 << octave) + ((sub + 1) << (octave - SUB_BITS))
}

/// A snapshot of recorded times.
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram {
    pub(super) buckets: Box<[u64]>,
    pub(super) sum_nanos: u64,
    pub(super) max_nanos: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: vec![0; BUCKETS].into_boxed_slice(),
            sum_nanos: 0,
            max_nanos: 0,
        }
    }
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count())
            .field("p50", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .field("max", &self.max())
            .finish()
    }
}

impl Histogram {
    /// Number of recorded times.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Sum of the recorded times, exact.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum_nanos)
    }

    /// Longest recorded time, exact; zero when nothing was recorded.
    #[must_use]
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max_nanos)
    }

    /// The time that a share `q` (0 to 1) of requests did not exceed; `None` without data or with `q` out of range.
    ///
    /// It is the upper bound of the bucket that holds the nearest-rank sample, and never more than [`Histogram::max`].
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = ((q * count as f64).ceil() as u64).clamp(1, count);
        let mut seen = 0;
        for (bucket, n) in self.buckets.iter().enumerate() {
            seen += n;
            if seen >= rank {
                return Some(Duration::from_nanos(
                    (end_of(bucket) - 1).min(self.max_nanos),
                ));
            }
        }
        None
    }

    /// The buckets that hold something: first time above the bucket, and count; the last bucket ends at `Duration::MAX`.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.buckets
            .iter()
            .enumerate()
            .filter(|(_, n)| **n > 0)
            .map(|(bucket, n)| {
                let end = end_of(bucket);
                (
                    if end == u64::MAX {
                        Duration::MAX
                    } else {
                        Duration::from_nanos(end)
                    },
                    *n,
                )
            })
    }

    /// Adds another histogram to this one.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets.iter()) {
            *mine += theirs;
        }
        self.sum_nanos = self.sum_nanos.saturating_add(other.sum_nanos);
        self.max_nanos = self.max_nanos.max(other.max_nanos);
    }

    /// What was recorded since an earlier snapshot of the same histogram; the maximum stays that of the whole.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut out = self.clone();
        for (mine, theirs) in out.buckets.iter_mut().zip(earlier.buckets.iter()) {
            *mine = mine.saturating_sub(*theirs);
        }
        out.sum_nanos = out.sum_nanos.saturating_sub(earlier.sum_nanos);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_tile_the_range_without_gap_or_overlap() {
        for bucket in 1..BUCKETS - 1 {
            let (start, end) = (end_of(bucket - 1), end_of(bucket));
            assert_eq!(bucket_of(start), bucket);
            assert_eq!(bucket_of(end - 1), bucket);
            assert_eq!(bucket_of(end), bucket + 1);
            assert!(
                (end - start) as f64 / start as f64 <= 0.0322,
                "bucket {bucket} is too wide"
            );
        }
    }

    proptest! {
        #[test]
        fn a_quantile_is_never_low_and_at_most_five_per_cent_high(
            mut times in proptest::collection::vec(10_000u64..60_000_000_000, 1..200), q in 0.0f64..=1.0
        ) {
            let mut h = Histogram::default();
            for t in &times {
                h.buckets[bucket_of(*t)] += 1;
                h.max_nanos = h.max_nanos.max(*t);
            }
            times.sort_unstable();
            let exact = times[((q * times.len() as f64).ceil() as usize).clamp(1, times.len()) - 1] as f64;
            let read = h.quantile(q).expect("data was recorded").as_nanos() as f64;
            prop_assert!(read >= exact && read <= exact * 1.05, "read {} for {}", read, exact);
        }
    }

    #[test]
    fn no_data_has_no_quantile() {
        assert_eq!(Histogram::default().quantile(0.99), None);
    }
}

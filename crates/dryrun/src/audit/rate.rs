//! Lines over time for charts: buckets of a second that double when there are too many. The result depends on the set of lines only,
//! not on their order or on cuts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::summary::RatePoint;

/// Most points.
const POINTS: usize = 5000;
const SECOND: i64 = 1_000_000_000;

/// How many lines, warnings and errors.
type Counts = [u64; 3];

/// Lines over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Nanoseconds a bucket.
    width: i64,
    buckets: BTreeMap<i64, Counts>,
    /// The bucket that is being filled: number and counts that are not in `buckets` yet.
    open: Option<(i64, Counts)>,
    /// From when to before when that bucket is.
    #[serde(skip)]
    range: (i64, i64),
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            width: SECOND,
            buckets: BTreeMap::new(),
            open: None,
            range: (0, 0),
        }
    }
}

impl Rate {
    /// Counts lines at `at` (wall clock, nanoseconds): all, warnings, errors and above.
    #[inline]
    pub fn add(&mut self, at: i64, counts: Counts) {
        if let Some((_, sums)) = &mut self.open
            && at >= self.range.0
            && at < self.range.1
        {
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
            return;
        }
        self.close();
        let bucket = at.div_euclid(self.width);
        self.range = bucket
            .checked_mul(self.width)
            .map_or((0, 0), |from| (from, from.saturating_add(self.width)));
        self.open = Some((bucket, counts));
    }

    fn close(&mut self) {
        if let Some((bucket, counts)) = self.open.take() {
            self.put(bucket, counts);
            self.shrink();
        }
    }

    fn put(&mut self, bucket: i64, counts: Counts) {
        let sums = self.buckets.entry(bucket).or_default();
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
    }

    fn shrink(&mut self) {
        while self.buckets.len() > POINTS {
            self.widen();
        }
    }

    fn widen(&mut self) {
        self.width = self.width.saturating_mul(2);
        for (bucket, counts) in std::mem::take(&mut self.buckets) {
            self.put(bucket.div_euclid(2), counts);
        }
    }

    /// Puts another in.
    pub fn merge(&mut self, other: &Self) {
        self.close();
        let mut other = other.clone();
        other.close();
        while self.width < other.width {
            self.widen();
        }
        while other.width < self.width {
            other.widen();
        }
        for (bucket, counts) in other.buckets {
            self.put(bucket, counts);
        }
        self.shrink();
    }

    /// Returns the points, in order.
    pub fn points(&self) -> Vec<RatePoint> {
        let mut done = self.clone();
        done.close();
        let (width, seconds) = (done.width, done.width as f64 / 1e9);
        done.buckets
            .into_iter()
            .map(|(bucket, [lines, warnings, errors])| RatePoint {
                at: bucket.saturating_mul(width).div_euclid(1_000_000),
                seconds,
                lines,
                warnings,
                errors,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn cuts_and_order_do_not_matter(
            mut times in proptest::collection::vec(0i64..2_000_000, 6000..7000), cut in 0usize..6000,
        ) {
            times.iter_mut().for_each(|t| *t *= SECOND * 60 / 7);
            let of = |times: &[i64]| {
                let mut rate = Rate::default();
                times.iter().for_each(|t| rate.add(*t, [1, (*t % 2) as u64, 0]));
                rate
            };
            let whole = of(&times).points();
            proptest::prop_assert!(whole.len() <= POINTS);
            proptest::prop_assert_eq!(whole.iter().map(|p| p.lines).sum::<u64>(), times.len() as u64);
            let (a, b) = (of(&times[..cut]), of(&times[cut..]));
            let (mut ab, mut ba) = (a.clone(), b.clone());
            ab.merge(&b);
            ba.merge(&a);
            proptest::prop_assert_eq!(&ab.points(), &whole);
            proptest::prop_assert_eq!(&ba.points(), &whole);
        }
    }
}

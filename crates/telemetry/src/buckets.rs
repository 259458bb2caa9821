//! Durations in fixed buckets, so that counts of any two processes and any two hours can be added.
//!
//! Bounds grow by about a tenth, from 100 µs to 100 s, and 2 s and 5 s are among them: whether 95 of 100 calls took at most that is known
//! exactly. A quantile between bounds is told as the bound above it: it is never told better than it was.

/// Upper bounds of the buckets, in microseconds; what takes longer than the last one is in one bucket more.
pub const BOUNDS: [u64; 151] = bounds();

/// Steps of one decade, in hundredths: a tenth apart, with 2 and 5 among them.
const STEPS: [u64; 25] = [
    100, 110, 120, 130, 145, 160, 180, 200, 220, 240, 265, 290, 320, 350, 385, 420, 460, 500, 550,
    600, 660, 720, 790, 860, 930,
];

const fn bounds() -> [u64; 151] {
    let mut all = [0; 151];
    let (mut n, mut unit) = (0, 1);
    while n < 150 {
        all[n] = STEPS[n % 25] * unit;
        n += 1;
        if n % 25 == 0 {
            unit *= 10;
        }
    }
    all[150] = 100_000_000;
    all
}

/// How many calls fell into each bucket, sparse: bucket and count, in the buckets' order.
pub type Counts = std::collections::BTreeMap<u16, u64>;

/// The bucket of a duration.
pub fn bucket(micros: u64) -> u16 {
    let at = BOUNDS.partition_point(|bound| *bound < micros);
    u16::try_from(at).unwrap_or(u16::MAX)
}

/// How many took at most `micros`, for certain: what shares a bucket with longer ones is not counted.
pub fn at_most(counts: &Counts, micros: u64) -> u64 {
    let within = counts.iter().filter(|(bucket, _)| {
        let bound = BOUNDS.get(usize::from(**bucket));
        bound.is_some_and(|bound| *bound <= micros)
    });
    within.map(|(_, n)| n).sum()
}

/// The smallest bound that at least `permille` of 1000 calls took at most, in microseconds; none without calls. `longest` is the
/// longest that was seen: no quantile is above it.
pub fn quantile(counts: &Counts, permille: u64, longest: u64) -> Option<u64> {
    let all: u64 = counts.values().sum();
    if all == 0 {
        return None;
    }
    let wanted = (all * permille).div_ceil(1000).max(1);
    let mut so_far = 0;
    for (bucket, n) in counts {
        so_far += n;
        if so_far >= wanted {
            let bound = BOUNDS.get(usize::from(*bucket)).copied();
            return Some(bound.unwrap_or(longest).min(longest));
        }
    }
    Some(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_grow_by_a_tenth_and_have_the_objectives_among_them() {
        for pair in BOUNDS.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
            assert!(pair[1] * 100 <= pair[0] * 114, "{pair:?}");
        }
        for exact in [100, 1_000_000, 2_000_000, 5_000_000, 100_000_000] {
            assert!(BOUNDS.contains(&exact), "{exact}");
        }
    }

    #[test]
    fn a_duration_of_exactly_a_bound_is_within_it() {
        assert_eq!(BOUNDS[usize::from(bucket(2_000_000))], 2_000_000);
        assert!(BOUNDS[usize::from(bucket(2_000_001))] > 2_000_000);
        assert_eq!(bucket(0), 0);
        assert_eq!(usize::from(bucket(u64::MAX)), BOUNDS.len());
    }

    fn counts(micros: &[u64]) -> Counts {
        let mut all = Counts::new();
        for m in micros {
            *all.entry(bucket(*m)).or_default() += 1;
        }
        all
    }

    #[test]
    fn quantiles_are_never_better_than_what_was_measured() {
        assert_eq!(quantile(&Counts::new(), 950, 0), None);
        let mut all = vec![1_000; 94];
        all.extend([3_000_000; 6]);
        // 94 of 100 are fast: the 95th is not.
        let told = quantile(&counts(&all), 950, 3_000_000);
        assert_eq!(told, Some(3_000_000));
        all[94] = 2_000_000;
        assert_eq!(quantile(&counts(&all), 950, 3_000_000), Some(2_000_000));
        assert_eq!(at_most(&counts(&all), 2_000_000), 95);
        assert_eq!(at_most(&counts(&all), 1_999_999), 94);
        let beyond = counts(&[200_000_000]);
        assert_eq!(quantile(&beyond, 500, 200_000_000), Some(200_000_000));
        assert_eq!(at_most(&beyond, u64::MAX), 0, "no bound is above it");
        for (n, q) in [(1, 950), (7, 500), (19, 950), (100, 990)] {
            let all: Vec<u64> = (1..=n).map(|i| i * 777).collect();
            let exact = all[(n * q).div_ceil(1000) as usize - 1];
            let told = quantile(&counts(&all), q, n * 777);
            assert!(told.is_some_and(|t| t >= exact), "{n} {q}");
        }
    }
}

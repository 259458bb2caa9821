//! A robust slope: what memory does after warm-up, whatever single samples say.
//!
//! Source: H. Theil 1950, P. K. Sen 1968: the median of the slopes of all pairs; up to 29 % of the samples may be anything.

/// Most points whose pairs are looked at; longer series are thinned by medians first.
const POINTS: usize = 720;

/// Returns the median slope over all pairs of `points` (x, y), or `None` with fewer than three finite points or a single x.
///
/// More than 720 points are thinned: consecutive points are replaced by the medians of their coordinates.
pub fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    let mut kept: Vec<(f64, f64)> = points
        .iter()
        .copied()
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .collect();
    kept.sort_by(|a, b| a.0.total_cmp(&b.0));
    if kept.len() > POINTS {
        let width = kept.len().div_ceil(POINTS);
        kept = kept
            .chunks(width)
            .filter_map(|chunk| {
                let x = median(&mut chunk.iter().map(|p| p.0).collect::<Vec<_>>())?;
                let y = median(&mut chunk.iter().map(|p| p.1).collect::<Vec<_>>())?;
                Some((x, y))
            })
            .collect();
    }
    if kept.len() < 3 {
        return None;
    }
    let mut slopes = Vec::with_capacity(kept.len() * (kept.len() - 1) / 2);
    for (i, a) in kept.iter().enumerate() {
        for b in &kept[i + 1..] {
            if b.0 > a.0 {
                slopes.push((b.1 - a.1) / (b.0 - a.0));
            }
        }
    }
    median(&mut slopes)
}

fn median(values: &mut [f64]) -> Option<f64> {
    let half = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let upper = *upper;
    if !even {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some((lower + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_do_not_move_it() {
        let mut points: Vec<(f64, f64)> = (0..100)
            .map(|i| (f64::from(i), 5.0 + 2.0 * f64::from(i)))
            .collect();
        assert_eq!(theil_sen(&points), Some(2.0));
        for p in points.iter_mut().take(25) {
            p.1 = 1e9;
        }
        let slope = theil_sen(&points).unwrap();
        assert!((slope - 2.0).abs() < 0.5, "{slope}");
    }

    #[test]
    fn long_series_are_thinned_and_keep_their_slope() {
        let points: Vec<(f64, f64)> = (0..50_000)
            .map(|i| (f64::from(i), 0.25 * f64::from(i)))
            .collect();
        assert!((theil_sen(&points).unwrap() - 0.25).abs() < 1e-9);
    }

    #[test]
    fn too_little_has_no_slope() {
        assert_eq!(theil_sen(&[]), None);
        assert_eq!(theil_sen(&[(0.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(theil_sen(&[(0.0, 1.0), (0.0, 2.0), (0.0, 3.0)]), None);
        assert_eq!(theil_sen(&[(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)]), None);
    }
}

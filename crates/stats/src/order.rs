//! Order statistics of a plain list.

/// The value that the share `q` of `values` reaches at most (nearest rank: always one that was measured). None of no values, of a value
/// that is no finite number, or unless 0 ≤ `q` ≤ 1.
pub fn percentile(values: &[f64], q: f64) -> Option<f64> {
    if !(0.0..=1.0).contains(&q) || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    // A share like 0.95 is a little more than its text says: 0.95 × 20 must be rank 19.
    let exact = q * sorted.len() as f64;
    let near = libm::round(exact);
    let rank = if (exact - near).abs() < 1e-9 {
        near
    } else {
        libm::ceil(exact)
    };
    sorted.get((rank as usize).max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_nearest() {
        let values: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        for (q, expected) in [
            (0.0, 1.0),
            (0.5, 10.0),
            (0.95, 19.0),
            (0.99, 20.0),
            (1.0, 20.0),
        ] {
            assert_eq!(percentile(&values, q), Some(expected), "{q}");
        }
        assert_eq!(percentile(&[3.0], 0.5), Some(3.0));
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&[1.0, f64::NAN], 0.5), None);
        assert_eq!(percentile(&[1.0], f64::NAN), None);
    }
}

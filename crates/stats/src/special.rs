//! Numerics shared by the bounds: likelihoods and beta functions written so
//! that nothing large is subtracted from something large.
//!
//! Invariant: relative precision holds from one exposure to 1e12 and degrades
//! gently up to `u64::MAX`.

use libm::{lgamma, log, log1p};

/// ½·ln 2π.
const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_8;

/// `ln Γ(x)` minus Stirling's formula, for x > 0 (Loader 2000; Abramowitz &
/// Stegun 6.1.41).
fn stirling_error(x: f64) -> f64 {
    if x < 12.0 {
        return lgamma(x) - ((x - 0.5) * log(x) - x + HALF_LOG_TAU);
    }
    let square = 1.0 / (x * x);
    (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0))) / x
}

/// `ln B(k + a, m + b) − k·ln(k/n) − m·ln(m/n)` with `n = k + m`: the log of a
/// beta mixture's likelihood relative to the largest likelihood.
///
/// Needs `k + a > 0` and `m + b > 0`.
pub(crate) fn log_beta_at_peak((n, k, m): (f64, f64, f64), a: f64, b: f64) -> f64 {
    let (x, y, s) = (k + a, m + b, n + a + b);
    // x·n/(s·k) − 1, times k; the limit for k = 0 is 0.
    let part = |count: f64, prior: f64| {
        if count > 0.0 {
            count * log1p((prior * n - (a + b) * count) / (s * count))
        } else {
            0.0
        }
    };
    part(k, a) + part(m, b) + a * log(x / s) + b * log(y / s) - 0.5 * (log(x / s) + log(y))
        + HALF_LOG_TAU
        + stirling_error(x)
        + stirling_error(y)
        - stirling_error(s)
}

/// Log-likelihood lost by moving the rate `d` away from its estimate: `gain`
/// events whose estimated share `p` grows to `p + d`, `loss` events whose
/// share `q = 1 − p` shrinks to `q − d`. Equals `n·KL`, and is ≥ 0.
pub(crate) fn deviance(gain: f64, p: f64, loss: f64, q: f64, d: f64) -> f64 {
    let grown = if gain > 0.0 { gain * log1p(d / p) } else { 0.0 };
    let shrunk = if loss > 0.0 {
        loss * log1p(-d / q)
    } else {
        0.0
    };
    (-grown - shrunk).max(0.0)
}

/// The smallest distance in `(0, end]` at which `excess(d)`, a function that
/// rises through zero once, has become non-negative, to 1e-10 relative, never
/// short of it. `excess` returns its value and a slope estimate; a NaN counts
/// as negative, so what cannot be computed is never excluded.
pub(crate) fn reach(end: f64, guess: f64, excess: impl Fn(f64) -> (f64, f64)) -> f64 {
    const PRECISION: f64 = 1e-10;
    let (mut short, mut far) = (0.0, end);
    let mut d = guess;
    // Bisection alone needs under 120 rounds; Newton usually under 10.
    for _ in 0..160 {
        if !(d > short && d < far) {
            d = short + 0.5 * (far - short);
        }
        let (value, slope) = excess(d);
        // Step a little past the root, so that the bracket closes from both sides.
        let past = 0.4 * PRECISION * d;
        let newton = d - value / slope;
        if value >= 0.0 {
            far = d;
            d = newton - past;
        } else {
            short = d;
            d = newton + past;
        }
        if far - short <= PRECISION * far {
            break;
        }
    }
    far
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_beta_matches_lgamma_where_lgamma_is_exact_enough() {
        for (k, m) in [
            (0.0, 1.0),
            (1.0, 0.0),
            (3.0, 4.0),
            (0.0, 900.0),
            (11.0, 2000.0),
        ] {
            for (a, b) in [(0.5, 1.0), (-0.5, 1.0), (1.0, 1.0)] {
                if k + a <= 0.0 {
                    continue;
                }
                let n = k + m;
                let plain = |v: f64| if v > 0.0 { v * log(v / n) } else { 0.0 };
                let expected =
                    lgamma(k + a) + lgamma(m + b) - lgamma(n + a + b) - plain(k) - plain(m);
                let found = log_beta_at_peak((n, k, m), a, b);
                assert!(
                    (found - expected).abs() < 1e-10,
                    "{k} {m} {a}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn reach_never_stops_short() {
        for root in [1e-12, 1e-3, 0.3, 0.999] {
            let found = reach(1.0, 0.5, |d| (d * d - root * root, 2.0 * d));
            assert!(
                found >= root && found <= root * (1.0 + 1e-9),
                "{root}: {found}"
            );
        }
    }
}

//! Did traffic go where it was sent, and the score interval for display.
//!
//! A commanded weight says nothing until the served share agrees with it: a
//! route that was never programmed serves 100 % stable and looks healthy.
//!
//! Invariant: weight 0 agrees only with no canary request at all, weight 1
//! only with no other.

use libm::{log, sqrt};

use crate::bounds::{Bounds, half};
use crate::special::{deviance, reach};
use crate::{Count, Error};

/// What [`share_agrees`] found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShareCheck {
    /// Canary requests over all requests; 0 without requests.
    pub observed: f64,
    /// Smallest weight that the counts agree with.
    pub lower: f64,
    /// Largest weight that the counts agree with.
    pub upper: f64,
    /// Whether the commanded weight is within `lower..=upper`.
    pub agrees: bool,
    /// Whether there were enough requests for `agrees` to mean anything:
    /// at least [`share_minimum`].
    pub enough: bool,
}

/// Whether `canary_n` canary requests among `total_n` agree with the commanded
/// `weight` (a fraction), when each request is routed by chance.
///
/// Chernoff's bound inverted: weights with `n·KL(observed, weight) ≤ ln(2/α)`.
/// It holds for every `n` (false alarm at most `alpha` a check), contains the
/// Clopper–Pearson interval and is about 15 % wider at `alpha` = 1e-4. Routers
/// that spread evenly deviate less than chance, so the check holds for them
/// too. Use a tiny `alpha` and the requests since the weight was applied.
///
/// # Errors
/// [`Error::EventsExceedExposures`] if `canary_n > total_n`, [`Error::Weight`],
/// [`Error::NotBetweenZeroAndOne`] for `alpha`.
pub fn share_agrees(
    canary_n: u64,
    total_n: u64,
    weight: f64,
    alpha: f64,
) -> Result<ShareCheck, Error> {
    let count = Count::new(total_n, canary_n)?;
    let minimum = share_minimum(weight, alpha)?;
    let threshold = -log(half(alpha)?);
    let (n, k, m) = count.floats();
    let Some(observed) = count.rate() else {
        return Ok(ShareCheck {
            observed: 0.0,
            lower: 0.0,
            upper: 1.0,
            agrees: weight > 0.0 || canary_n == 0,
            enough: false,
        });
    };
    let rest = m / n;
    let distance = |gain: f64, p: f64, loss: f64, q: f64| {
        if gain <= 0.0 && loss <= 0.0 {
            return 0.0;
        }
        let start = sqrt(2.0 * threshold * p * q / n) + threshold / n;
        reach(q, start.min(0.9 * q), |d| {
            let value = deviance(gain, p, loss, q, d) - threshold;
            (value, n * d / ((p + d) * (q - d)))
        })
    };
    let upper = if m > 0.0 {
        (observed + distance(k, observed, m, rest)).min(1.0)
    } else {
        1.0
    };
    let lower = if k > 0.0 {
        (observed - distance(m, rest, k, observed)).max(0.0)
    } else {
        0.0
    };
    let agrees = if weight == 0.0 {
        canary_n == 0
    } else if weight == 1.0 {
        canary_n == total_n
    } else {
        lower <= weight && weight <= upper
    };
    Ok(ShareCheck {
        observed,
        lower,
        upper,
        agrees,
        enough: total_n >= minimum,
    })
}

/// Requests from which [`share_agrees`] has teeth: with this many, a served
/// share of twice the rarer side's weight, or of none of it, disagrees.
///
/// At `alpha` = 1e-4: 224 requests for 10 %, 2,531 for 1 %. One request for
/// weights 0 and 1, which a single stray request refutes.
///
/// # Errors
/// [`Error::Weight`] unless 0 ≤ `weight` ≤ 1; [`Error::NotBetweenZeroAndOne`]
/// for `alpha`.
pub fn share_minimum(weight: f64, alpha: f64) -> Result<u64, Error> {
    if !(0.0..=1.0).contains(&weight) {
        return Err(Error::Weight { value: weight });
    }
    let threshold = -log(half(alpha)?);
    let rare = weight.min(1.0 - weight);
    if rare <= 0.0 {
        return Ok(1);
    }
    // Per request, the deviance of an observed share 2·rare from rare.
    let (p, q) = (2.0 * rare, 1.0 - 2.0 * rare);
    let each = deviance(q, q, p, p, rare);
    // A float above u64::MAX saturates; zero deviance gives infinity, so too.
    Ok(((threshold / each) as u64).saturating_add(1))
}

/// Wilson's score interval (1927) for one fixed-size sample: for display, not
/// for decisions taken at many looks. `None` without exposures.
///
/// # Errors
/// [`Error::Level`] unless 0 < `z` ≤ 40.
pub fn wilson(count: Count, z: f64) -> Result<Option<Bounds>, Error> {
    if !(z > 0.0 && z <= 40.0) {
        return Err(Error::Level { z });
    }
    let (n, k, m) = count.floats();
    let Some(rate) = count.rate() else {
        return Ok(None);
    };
    let square = z * z / n;
    let centre = (rate + square / 2.0) / (1.0 + square);
    let half = sqrt(square * (rate * (m / n) + square / 4.0)) / (1.0 + square);
    Ok(Some(Bounds {
        lower: if k > 0.0 {
            (centre - half).clamp(0.0, rate)
        } else {
            0.0
        },
        upper: if m > 0.0 {
            (centre + half).clamp(rate, 1.0)
        } else {
            1.0
        },
    }))
}

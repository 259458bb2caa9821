//! Quantiles of cumulative histograms, without inventing precision.
//!
//! Invariant: the answer is never below the true quantile.

use crate::Error;
use crate::error::open_unit;

/// The upper edge of the bucket that holds quantile `q`; `None` if the
/// histogram is empty.
///
/// `edges` rise strictly and the last may be +∞ (Prometheus `le`);
/// `cumulative[i]` counts observations ≤ `edges[i]`. No interpolation inside a
/// bucket: the edge is what the data prove. Beyond the last finite edge the
/// answer is +∞, which is over every limit (Prometheus would answer with the
/// last finite edge, which is under the true value).
///
/// # Errors
/// [`Error::Buckets`] for malformed buckets, [`Error::NotBetweenZeroAndOne`]
/// for `q`.
pub fn quantile(edges: &[f64], cumulative: &[u64], q: f64) -> Result<Option<f64>, Error> {
    let q = open_unit("quantile", q)?;
    let refuse = |why| Err(Error::Buckets { why });
    if edges.len() != cumulative.len() {
        return refuse("edges and counts differ in number");
    }
    let Some(&total) = cumulative.last() else {
        return refuse("there are no buckets");
    };
    if edges.iter().any(|edge| edge.is_nan()) || edges[0] == f64::NEG_INFINITY {
        return refuse("an edge is not a number");
    }
    if edges.windows(2).any(|pair| pair[0] >= pair[1]) {
        return refuse("edges do not rise strictly");
    }
    if cumulative.windows(2).any(|pair| pair[0] > pair[1]) {
        return refuse("cumulative counts fall (a counter reset?)");
    }
    if total == 0 {
        return Ok(None);
    }
    // The rank of the quantile, 1 at least; rounding may lift it past the total.
    let rank = libm::ceil(q * total as f64).max(1.0);
    let found = edges
        .iter()
        .zip(cumulative)
        .find(|(_, count)| **count as f64 >= rank)
        .map_or(edges[edges.len() - 1], |(edge, _)| *edge);
    Ok(Some(found))
}

//! One worker's copy of the routing table, and the weighted choice.

use std::rc::Rc;
use std::sync::Arc;

use http::header::HeaderValue;
use http::uri::Authority;

use super::counters::SlotStats;
use super::upstream::Pool;
use super::{FULL_WEIGHT, ProxyError, Routes, SlotRoute};

/// A slot as one worker sees it.
pub(super) struct Slot {
    pub(super) route: SlotRoute,
    /// This worker's counts.
    pub(super) stats: Arc<SlotStats>,
    /// This worker's connections to the upstream.
    pub(super) pool: Rc<Pool>,
    /// Cookie value that names slot and version.
    pub(super) token: String,
    /// Ready `Set-Cookie` value when affinity is on.
    pub(super) set_cookie: Option<HeaderValue>,
    /// Used when a request came without a host.
    pub(super) authority: Authority,
}

impl Slot {
    pub(super) fn eligible(&self) -> bool {
        self.route.ready && self.route.weight > 0
    }
}

/// A routing table as one worker uses it.
pub(super) struct Table {
    pub(super) slots: Vec<Rc<Slot>>,
    /// Eligible slots with the running sum of their weights.
    draw: Vec<(u32, Rc<Slot>)>,
}

impl Table {
    pub(super) fn new(slots: Vec<Rc<Slot>>) -> Self {
        let mut sum = 0;
        let draw = slots
            .iter()
            .filter(|s| s.eligible())
            .map(|s| {
                sum += s.route.weight;
                (sum, Rc::clone(s))
            })
            .collect();
        Self { slots, draw }
    }

    /// The slot a new request goes to; `None` when nothing is eligible.
    pub(super) fn draw(&self, rng: &mut fastrand::Rng) -> Option<Rc<Slot>> {
        let (sum, last) = self.draw.last()?;
        if self.draw.len() == 1 {
            return Some(Rc::clone(last));
        }
        let ticket = rng.u32(0..*sum);
        self.draw
            .iter()
            .find(|(upto, _)| ticket < *upto)
            .map(|(_, slot)| Rc::clone(slot))
    }

    /// The eligible slot that an affinity token names.
    pub(super) fn by_token(&self, token: &str) -> Option<Rc<Slot>> {
        self.draw
            .iter()
            .find(|(_, s)| s.token == token)
            .map(|(_, s)| Rc::clone(s))
    }
}

/// Refuses a table that could not mean what it says.
pub(super) fn check(routes: &Routes, current: Option<u64>) -> Result<(), ProxyError> {
    let generation = routes.generation;
    if let Some(current) = current.filter(|c| generation < *c) {
        return Err(ProxyError::Stale {
            offered: generation,
            current,
        });
    }
    let sum: u64 = routes.slots.iter().map(|s| u64::from(s.weight)).sum();
    if sum != 0 && sum != u64::from(FULL_WEIGHT) {
        return Err(ProxyError::Weights { generation, sum });
    }
    for (i, route) in routes.slots.iter().enumerate() {
        if routes.slots[..i].iter().any(|r| r.slot == route.slot) {
            return Err(ProxyError::DuplicateSlot {
                generation,
                slot: route.slot.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::Upstream;
    use proptest::prelude::*;
    use std::time::Duration;

    const DRAWS: u32 = 20_000;

    fn table(weights: &[(u32, bool)]) -> Table {
        let slot = |(i, (weight, ready)): (usize, &(u32, bool))| {
            let upstream = ([127, 0, 0, 1], 1).into();
            let route = SlotRoute {
                slot: i.to_string(),
                version: String::new(),
                upstream,
                protocol: Upstream::Http1,
                weight: *weight,
                ready: *ready,
                slow_over: Duration::ZERO,
            };
            Rc::new(Slot {
                token: i.to_string(),
                route,
                stats: Arc::default(),
                pool: Pool::new(upstream, Upstream::Http1),
                set_cookie: None,
                authority: Authority::from_static("x"),
            })
        };
        Table::new(weights.iter().enumerate().map(slot).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn draws_stay_within_binomial_bounds(
            cuts in proptest::collection::btree_set(1u32..FULL_WEIGHT, 0..5),
            ready in proptest::collection::vec(any::<bool>(), 6),
            seed in any::<u64>(),
        ) {
            let mut edges: Vec<u32> = cuts.into_iter().collect();
            edges.extend([0, FULL_WEIGHT]);
            edges.sort_unstable();
            let weights: Vec<(u32, bool)> = edges.windows(2).zip(ready).map(|(e, ready)| (e[1] - e[0], ready)).collect();
            let table = table(&weights);
            let total: u32 = weights.iter().filter(|(_, ready)| *ready).map(|(w, _)| w).sum();
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut drawn = vec![0u32; weights.len()];
            for _ in 0..DRAWS {
                match table.draw(&mut rng) {
                    Some(slot) => drawn[slot.token.parse::<usize>().unwrap()] += 1,
                    None => prop_assert_eq!(total, 0),
                }
            }
            for ((weight, ready), drawn) in weights.iter().zip(drawn) {
                let p = if *ready { f64::from(*weight) / f64::from(total) } else { 0.0 };
                let (mean, sd) = (f64::from(DRAWS) * p, (f64::from(DRAWS) * p * (1.0 - p)).sqrt());
                // The constant covers the skew of very small shares.
                let bound = if p == 0.0 { 0.0 } else { 6.0 * sd + 6.0 };
                prop_assert!((f64::from(drawn) - mean).abs() <= bound, "{} drawn, {} expected", drawn, mean);
            }
        }
    }
}

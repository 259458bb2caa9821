//! One worker's copy of the routing table, and the weighted choice.
//!
//! The slots with weight lie side by side over the buckets, the newest first. So a growing newest slot takes buckets from the others and
//! loses none, and a shrinking one only gives back: among two slots a client changes sides only in the direction of the weights.

use std::cmp::Reverse;
use std::rc::Rc;
use std::sync::Arc;

use http::uri::Authority;

use super::counters::SlotStats;
use super::sticky::Bucket;
use super::upstream::Pool;
use super::{FULL_WEIGHT, ProxyError, Routes, SlotRoute};

/// A slot as one worker sees it.
pub(super) struct Slot {
    pub(super) route: SlotRoute,
    /// This worker's counts.
    pub(super) stats: Arc<SlotStats>,
    /// This worker's connections to the upstream.
    pub(super) pool: Rc<Pool>,
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
    /// Slots with weight, the newest first, each with the end of its range of buckets.
    ranges: Vec<(u32, Rc<Slot>)>,
    /// Sum of the weights of eligible slots.
    eligible: u32,
}

impl Table {
    pub(super) fn new(slots: Vec<Rc<Slot>>) -> Self {
        let mut weighted: Vec<&Rc<Slot>> = slots.iter().filter(|s| s.route.weight > 0).collect();
        // By name among slots of one instance, so that the order in the table never matters.
        weighted.sort_by_key(|s| (Reverse(s.route.instance), &s.route.slot));
        let mut end = 0;
        let ranges: Vec<_> = weighted
            .into_iter()
            .map(|s| {
                end += s.route.weight;
                (end, Rc::clone(s))
            })
            .collect();
        let eligible = ranges.iter().filter(|(_, s)| s.eligible());
        Self {
            eligible: eligible.map(|(_, s)| s.route.weight).sum(),
            slots,
            ranges,
        }
    }

    /// The slot that a bucket falls to; `None` when nothing is eligible.
    ///
    /// The range of a slot that is not ready is shared out among the eligible ones by weight. Whoever is elsewhere stays there.
    pub(super) fn at(&self, bucket: Bucket) -> Option<Rc<Slot>> {
        let bucket = bucket.number();
        let (end, owner) = self.ranges.iter().find(|(end, _)| bucket < *end)?;
        if owner.eligible() {
            return Some(Rc::clone(owner));
        }
        let width = owner.route.weight;
        let offset = bucket + width - end;
        // The middle of the bucket, so that a narrow range is not pulled to one side; both factors are at most 20 000.
        let mut ticket = (2 * offset + 1) * self.eligible / (2 * width);
        let mut eligible = self.ranges.iter().filter(|(_, s)| s.eligible());
        eligible
            .find(|(_, s)| match ticket.checked_sub(s.route.weight) {
                Some(rest) => {
                    ticket = rest;
                    false
                }
                None => true,
            })
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
                // The later in the list, the newer.
                instance: i as u64,
                upstream,
                protocol: Upstream::Http1,
                weight: *weight,
                ready: *ready,
                slow_over: Duration::ZERO,
            };
            Rc::new(Slot {
                route,
                stats: Arc::default(),
                pool: Pool::new(upstream, Upstream::Http1),
                authority: Authority::from_static("x"),
            })
        };
        Table::new(weights.iter().enumerate().map(slot).collect())
    }

    /// Index of the slot that each bucket falls to.
    fn owners(table: &Table) -> Vec<Option<usize>> {
        (0..FULL_WEIGHT)
            .map(|n| {
                let bucket = Bucket::parse(&n.to_string()).unwrap();
                table.at(bucket).map(|s| s.route.slot.parse().unwrap())
            })
            .collect()
    }

    #[test]
    fn a_newer_slot_grows_and_shrinks_without_moving_anybody_else() {
        let at = |w| owners(&table(&[(FULL_WEIGHT - w, true), (w, true)]));
        for (less, more) in [
            (0, 1),
            (1, 500),
            (500, 2_500),
            (2_500, 9_999),
            (9_999, 10_000),
        ] {
            let (before, after) = (at(less), at(more));
            let on = |owners: &[Option<usize>]| owners.iter().filter(|o| **o == Some(1)).count();
            assert_eq!((on(&before), on(&after)), (less as usize, more as usize));
            for (n, (old, new)) in before.iter().zip(&after).enumerate() {
                assert!(
                    old == new || new == &Some(1),
                    "bucket {n} left the growing slot"
                );
            }
        }
    }

    #[test]
    fn only_the_clients_of_a_slot_that_is_not_ready_move_and_to_all_others() {
        let all = owners(&table(&[(5_000, true), (3_000, true), (2_000, true)]));
        for down in 0..3 {
            let weights = [5_000, 3_000, 2_000];
            let mut slots = weights.map(|w| (w, true));
            slots[down].1 = false;
            let mut moved = [0u32; 3];
            for (n, (old, new)) in all.iter().zip(owners(&table(&slots))).enumerate() {
                if *old == Some(down) {
                    moved[new.unwrap()] += 1;
                } else {
                    assert_eq!(*old, new, "bucket {n} moved without need");
                }
            }
            for other in (0..3).filter(|o| *o != down) {
                let share = weights[down] * weights[other] / (FULL_WEIGHT - weights[down]);
                assert!(
                    moved[other].abs_diff(share) <= 1,
                    "{moved:?}, expected {share}"
                );
            }
            assert_eq!(moved[down], 0);
        }
    }

    #[test]
    fn the_order_of_a_table_does_not_matter() {
        let one = table(&[(5_000, true), (3_000, true), (2_000, false)]);
        let mut turned: Vec<_> = one.slots.iter().map(Rc::clone).collect();
        turned.reverse();
        assert_eq!(owners(&one), owners(&Table::new(turned)));
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
                match table.at(Bucket::draw(&mut rng)) {
                    Some(slot) => drawn[slot.route.slot.parse::<usize>().unwrap()] += 1,
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

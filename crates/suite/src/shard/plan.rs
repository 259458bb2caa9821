//! How a list is cut, as data with a digest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use gonogo_core::Digest;
use gonogo_core::canonical;
use serde::{Deserialize, Serialize};

/// The schema of a plan.
pub const SCHEMA: &str = "gonogo.suite.shard-plan.v1";

/// Most shards of a plan.
pub const MOST_SHARDS: u32 = 10_000;

/// Most items of a plan.
pub const MOST_ITEMS: usize = 5_000_000;

/// How a list is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Item *i* of the list, sorted by bytes, goes to shard *i* modulo the number of shards.
    Index,
    /// The first eight bytes of SHA-256 over the item's name, big-endian, modulo the number of shards: items that come or go move no other.
    Hash,
    /// The longest first, each to the shard that has the least so far (Graham 1969); what has no duration is taken for the median.
    Durations,
}

/// What is to be cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name, one of its kind in the list.
    pub name: String,
    /// How long it took before, milliseconds; for [`Cut::Durations`] alone.
    pub millis: Option<u64>,
}

/// An item and its shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// From 0.
    pub shard: u32,
    /// What the plan was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millis: Option<u64>,
}

/// A list, cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`SCHEMA`].
    pub schema: String,
    /// How it was cut.
    pub cut: Cut,
    /// How many shards.
    pub total: u32,
    /// Every item, sorted by its name's bytes.
    pub items: Vec<Planned>,
    /// Over schema, cut, number of shards, and every name with its duration, in canonical JSON.
    pub hash: Digest,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A number of shards that nobody can run.
    #[error("{0} shards cannot be planned: give 1 to {MOST_SHARDS}")]
    Total(u32),
    /// A plan of nothing would be complete with nothing.
    #[error("there is no item to cut: check the filter that made the list")]
    Nothing,
    /// Too many items.
    #[error(
        "{0} items are more than a plan may have ({MOST_ITEMS}): cut by target and not by test"
    )]
    TooMany(usize),
    /// A name stands twice.
    #[error(
        "`{0}` stands twice in the list: two items of one name cannot be told apart; give them different names"
    )]
    Twice(String),
    /// A name is empty.
    #[error("an item of the list has no name: take it out or name it")]
    Nameless,
    /// The plan is of another version.
    #[error("the plan's schema is `{0}` and not {SCHEMA}: plan again with this version")]
    Schema(String),
    /// The plan is not what its own rule gives.
    #[error("the plan contradicts itself: {0}; it was changed by hand or damaged: plan again")]
    Altered(String),
}

impl Plan {
    /// Cuts `items` into `total` shards.
    ///
    /// # Errors
    /// No items, too many, two of one name, or a number of shards outside 1 to [`MOST_SHARDS`]. More shards than items are
    /// allowed; the last ones are empty, and [`Plan::of_shard`] says so.
    pub fn new(
        items: impl IntoIterator<Item = Item>,
        cut: Cut,
        total: u32,
    ) -> Result<Self, PlanError> {
        if !(1..=MOST_SHARDS).contains(&total) {
            return Err(PlanError::Total(total));
        }
        let mut planned: Vec<Planned> = Vec::new();
        for item in items {
            if item.name.is_empty() {
                return Err(PlanError::Nameless);
            }
            planned.push(Planned {
                name: item.name,
                shard: 0,
                // Durations that a cut does not use would change its digest for nothing.
                millis: item.millis.filter(|_| cut == Cut::Durations),
            });
            if planned.len() > MOST_ITEMS {
                return Err(PlanError::TooMany(planned.len()));
            }
        }
        if planned.is_empty() {
            return Err(PlanError::Nothing);
        }
        planned.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        if let Some(twice) = planned.windows(2).find(|w| w[0].name == w[1].name) {
            return Err(PlanError::Twice(twice[0].name.chars().take(200).collect()));
        }
        assign(&mut planned, cut, total);
        let hash = digest(cut, total, &planned)?;
        Ok(Self {
            schema: SCHEMA.to_owned(),
            cut,
            total,
            items: planned,
            hash,
        })
    }

    /// Whether a plan that was read is one: cut again, it is the same.
    ///
    /// # Errors
    /// It is of another schema, or is not what its items, cut and number of shards give.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.schema != SCHEMA {
            return Err(PlanError::Schema(self.schema.chars().take(80).collect()));
        }
        let items = self.items.iter().map(|p| Item {
            name: p.name.clone(),
            millis: p.millis,
        });
        let again = Self::new(items, self.cut, self.total)?;
        if again.hash != self.hash {
            return Err(PlanError::Altered(
                "its digest is not that of its list".into(),
            ));
        }
        if again.items != self.items {
            return Err(PlanError::Altered(
                "an item is in another shard, or in another order, than its rule says".into(),
            ));
        }
        Ok(())
    }

    /// The names of a shard, sorted by bytes; none for an index that the plan does not have.
    pub fn of_shard(&self, index: u32) -> impl Iterator<Item = &str> {
        self.items
            .iter()
            .filter(move |p| p.shard == index)
            .map(|p| p.name.as_str())
    }

    /// What each shard is expected to take, milliseconds, with the median for items of unknown duration; zeros without any duration.
    pub fn expected(&self) -> Vec<u64> {
        let unknown = median(&self.items).unwrap_or(0);
        let mut loads = vec![0u64; self.total as usize];
        for item in &self.items {
            if let Some(load) = loads.get_mut(item.shard as usize) {
                *load = load.saturating_add(item.millis.unwrap_or(unknown));
            }
        }
        loads
    }
}

fn assign(items: &mut [Planned], cut: Cut, total: u32) {
    match cut {
        Cut::Index => {
            for (item, shard) in items.iter_mut().zip((0..total).cycle()) {
                item.shard = shard;
            }
        }
        Cut::Hash => {
            for item in items {
                let digest = Digest::of(item.name.as_bytes());
                let head = digest.as_bytes()[..8]
                    .iter()
                    .fold(0u64, |n, b| n << 8 | u64::from(*b));
                item.shard = (head % u64::from(total)) as u32;
            }
        }
        Cut::Durations => {
            // With nothing known, all are alike.
            let unknown = median(items).unwrap_or(1);
            let mut order: Vec<(Reverse<u64>, usize)> = items
                .iter()
                .enumerate()
                .map(|(n, item)| (Reverse(item.millis.unwrap_or(unknown)), n))
                .collect();
            order.sort_unstable();
            // Of shards with one load, the one with fewer items and then the lower index: items of no duration are spread too.
            let mut loads: BinaryHeap<Reverse<(u64, u64, u32)>> =
                (0..total).map(|shard| Reverse((0, 0, shard))).collect();
            for (Reverse(millis), n) in order {
                let Some(Reverse((load, held, shard))) = loads.pop() else {
                    break;
                };
                items[n].shard = shard;
                loads.push(Reverse((load.saturating_add(millis), held + 1, shard)));
            }
        }
    }
}

/// The lower middle of the known durations.
fn median(items: &[Planned]) -> Option<u64> {
    let mut known: Vec<u64> = items.iter().filter_map(|i| i.millis).collect();
    known.sort_unstable();
    known.get(known.len().checked_sub(1)? / 2).copied()
}

fn digest(cut: Cut, total: u32, items: &[Planned]) -> Result<Digest, PlanError> {
    #[derive(Serialize)]
    struct Body<'a> {
        schema: &'a str,
        cut: Cut,
        total: u32,
        // Texts: a duration may be beyond what JSON numbers keep.
        items: Vec<(&'a str, Option<String>)>,
    }
    let body = Body {
        schema: SCHEMA,
        cut,
        total,
        items: items
            .iter()
            .map(|i| (i.name.as_str(), i.millis.map(|ms| ms.to_string())))
            .collect(),
    };
    let bytes = canonical::to_vec(&body).map_err(|e| PlanError::Altered(e.to_string()))?;
    Ok(Digest::of(&bytes))
}

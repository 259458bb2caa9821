//! Results of shards, put together: complete, or reasons why not.

use std::collections::{BTreeMap, HashMap};

use gonogo_core::{Digest, Reason};
use serde::{Deserialize, Serialize};

use super::Plan;

/// Most faults that are kept; further ones are counted.
pub const MOST_FAULTS: usize = 200;

/// What a shard says it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardResult {
    /// The plan that it ran by.
    pub plan: Digest,
    /// Which shard, from 0.
    pub index: u32,
    /// Of how many.
    pub total: u32,
    /// The tree that it ran on.
    pub tree: String,
    /// The variant: operating system, toolchain, features.
    pub variant: String,
    /// Items that have a result, good or bad.
    pub ran: Vec<String>,
    /// How long it took, milliseconds.
    pub millis: Option<u64>,
}

/// Why results are not the whole of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Its code.
    pub reason: Reason,
    /// The shard, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<u32>,
    /// The item, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// One line: what is there, and what should be.
    pub text: String,
}

/// What the results together are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// The plan.
    pub plan: Digest,
    /// Whether every shard of the plan ran exactly what was planned for it, once, on the tree and variant that were asked for.
    pub complete: bool,
    /// Why not: shards first, by index, then items by name; at most [`MOST_FAULTS`].
    pub faults: Vec<Fault>,
    /// Faults that were not kept.
    pub faults_omitted: u64,
    /// Items with a result, over those that are planned.
    pub items: u64,
    /// Items that are planned.
    pub planned: u64,
    /// How long each shard took, milliseconds, by index.
    pub millis: BTreeMap<u32, u64>,
    /// The slowest shard, if any says how long it took; of equals the lowest index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowest: Option<u32>,
    /// Shards for which nothing was planned.
    pub idle: Vec<u32>,
}

#[derive(Default)]
struct Faults {
    kept: Vec<Fault>,
    omitted: u64,
}

impl Faults {
    fn tell(&mut self, reason: Reason, shard: Option<u32>, item: Option<&str>, text: String) {
        if self.kept.len() < MOST_FAULTS {
            self.kept.push(Fault {
                reason,
                shard,
                item: item.map(short),
                text,
            });
        } else {
            self.omitted += 1;
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(512).collect()
}

/// Puts results together. `tree` and `variant` are those under judgement, not those of the first result.
pub fn merge(plan: &Plan, tree: &str, variant: &str, results: &[ShardResult]) -> Merged {
    let mut faults = Faults::default();
    if let Err(e) = plan.check() {
        faults.tell(Reason::ShardPlanMismatch, None, None, e.to_string());
    }
    if tree.is_empty() {
        // Two empty texts are equal and say nothing.
        let text = "no tree is named that the results should be about".to_owned();
        faults.tell(Reason::EvidenceWrongTree, None, None, text);
    }
    let mut order: Vec<&ShardResult> = results.iter().collect();
    order.sort_by(|a, b| (a.index, &a.ran).cmp(&(b.index, &b.ran)));
    let mut present: BTreeMap<u32, u32> = BTreeMap::new();
    let mut millis: BTreeMap<u32, u64> = BTreeMap::new();
    // Which shard has a result of an item; only of shards that belong.
    let mut ran: HashMap<&str, u32> = HashMap::new();
    let place: HashMap<&str, u32> = plan
        .items
        .iter()
        .map(|p| (p.name.as_str(), p.shard))
        .collect();
    let mut strays: Vec<(Option<u32>, &str, String)> = Vec::new();
    for result in order {
        let at = Some(result.index);
        if !belongs(plan, tree, variant, result, &mut faults) {
            continue;
        }
        let times = present.entry(result.index).or_default();
        *times += 1;
        if *times > 1 {
            let text = format!(
                "shard {} has more than one result; which of them counts nobody can say",
                result.index
            );
            faults.tell(Reason::ShardPlanMismatch, at, None, text);
            continue;
        }
        if let Some(ms) = result.millis {
            millis.insert(result.index, ms);
        }
        for name in &result.ran {
            let text = match place.get(name.as_str()) {
                None => format!(
                    "shard {} ran it, and the plan does not have it",
                    result.index
                ),
                Some(shard) if *shard != result.index => format!(
                    "shard {} ran it, and it is planned for shard {shard}",
                    result.index
                ),
                Some(_) => match ran.insert(name, result.index) {
                    None => continue,
                    Some(_) => format!("shard {} has two results of it", result.index),
                },
            };
            strays.push((at, name, text));
        }
    }
    for index in (0..plan.total).filter(|index| !present.contains_key(index)) {
        let text = format!("shard {index} of {} has no result", plan.total);
        faults.tell(Reason::ShardMissing, Some(index), None, text);
    }
    strays.sort_by(|a, b| (a.1, a.0).cmp(&(b.1, b.0)));
    for (shard, name, text) in strays {
        faults.tell(Reason::ShardPlanMismatch, shard, Some(name), text);
    }
    // An item of a shard that is missing is told with the shard.
    for item in plan.items.iter().filter(|i| present.contains_key(&i.shard)) {
        if !ran.contains_key(item.name.as_str()) {
            let text = format!("planned for shard {}, and it has no result", item.shard);
            faults.tell(
                Reason::TestMissing,
                Some(item.shard),
                Some(&item.name),
                text,
            );
        }
    }
    let mut used = vec![false; plan.total.min(super::MOST_SHARDS) as usize];
    for item in &plan.items {
        if let Some(used) = used.get_mut(item.shard as usize) {
            *used = true;
        }
    }
    let slowest = millis
        .iter()
        .max_by_key(|(index, ms)| (**ms, std::cmp::Reverse(**index)))
        .map(|(index, _)| *index);
    Merged {
        plan: plan.hash,
        complete: faults.kept.is_empty(),
        faults: faults.kept,
        faults_omitted: faults.omitted,
        items: ran.len() as u64,
        planned: plan.items.len() as u64,
        slowest,
        millis,
        idle: (0..)
            .zip(used)
            .filter(|(_, u)| !u)
            .map(|(n, _)| n)
            .collect(),
    }
}

/// Whether a result is of this plan, tree and variant; what is not is told and left out.
fn belongs(
    plan: &Plan,
    tree: &str,
    variant: &str,
    result: &ShardResult,
    faults: &mut Faults,
) -> bool {
    let at = Some(result.index);
    let mut belongs = true;
    let mut refuse = |reason: Reason, text: String| {
        faults.tell(reason, at, None, text);
        belongs = false;
    };
    let index = result.index;
    if result.plan != plan.hash {
        let text = format!(
            "shard {index} ran by the plan {}, not by {}",
            result.plan, plan.hash
        );
        refuse(Reason::ShardPlanMismatch, text);
    }
    if result.total != plan.total {
        let text = format!(
            "shard {index} is one of {}, and the plan has {}",
            result.total, plan.total
        );
        refuse(Reason::ShardPlanMismatch, text);
    }
    if index >= plan.total {
        let text = format!("there is no shard {index} among {}", plan.total);
        refuse(Reason::ShardPlanMismatch, text);
    }
    if result.tree != tree {
        let text = format!(
            "shard {index} ran on the tree `{}`, not on `{}`",
            short(&result.tree),
            short(tree)
        );
        refuse(Reason::EvidenceWrongTree, text);
    }
    if result.variant != variant {
        let text = format!(
            "shard {index} ran the variant `{}`, not `{}`",
            short(&result.variant),
            short(variant)
        );
        refuse(Reason::ShardPlanMismatch, text);
    }
    belongs
}

//! Shards of a run: which suites belong to which, and what else runs beside them.
//!
//! What is cut is the list of suites. A build, and what another suite needs, is no item of a plan: it runs in every shard that has use for
//! it, because a test without its build proves nothing. The plan is a file, and its digest stands in every run of it. Durations come from
//! this project's ledger, so a plan by durations is made once and handed to every shard; the other two cuts give every machine the same plan.
//!
//! Tests within a suite are cut by its command alone: `GONOGO_SHARD_INDEX`, `GONOGO_SHARD_TOTAL` and `GONOGO_SHARD_PLAN` (the plan's file)
//! tell it which shard it runs in. A suite is in one shard only, so a suite that is to be spread is declared as several, one a part.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use gonogo_core::Reason;
use gonogo_suite::run::{Class, Shard};
use gonogo_suite::shard::{Cut, Item, Plan};

use super::running::{self, Request};
use crate::AppError;
use crate::config::SuitesFile;
use crate::gates::compared;
use crate::home::Home;

/// The plan in the directory of a shard's run.
pub const PLAN: &str = "shard_plan.json";

/// Most bytes of a plan.
const LARGEST: u64 = 64 << 20;

/// Which part of a run is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// By a plan that is made on the spot.
    Of {
        /// From 0.
        index: u32,
        /// How many.
        total: u32,
        /// How it is cut; not by durations, which differ from machine to machine.
        cut: Cut,
    },
    /// By a plan that was made before.
    By {
        /// From 0.
        index: u32,
        /// The plan's file.
        plan: PathBuf,
    },
}

/// A plan as it was made.
#[derive(Debug)]
pub struct Planned {
    /// The profile.
    pub profile: String,
    /// The plan.
    pub plan: Plan,
    /// What runs in every shard that needs it, and is no item.
    pub common: Vec<String>,
    /// How many items have a duration on record.
    pub measured: usize,
}

/// A shard of a list of suites.
pub(super) struct Cutting<'a> {
    pub(super) shard: Shard,
    pub(super) plan: Plan,
    /// What runs, in the list's order; empty if nothing is planned for the shard.
    pub(super) own: Vec<&'a str>,
}

/// Makes a plan of what `request` selects.
///
/// # Errors
/// Configuration, an unknown profile, a number of shards that cannot be; the ledger's, for durations.
pub fn plan(home: &Home, request: &Request, cut: Cut, total: u32) -> Result<Planned, AppError> {
    let config = running::configured(home)?;
    let file = &config.suites;
    let profile = request
        .profile
        .clone()
        .unwrap_or_else(|| file.profile.clone());
    let names = running::chosen(file, &profile, request)?;
    let spent = match cut {
        Cut::Durations => durations(home, file)?,
        Cut::Index | Cut::Hash => BTreeMap::new(),
    };
    let plan = make(file, &names, cut, total, &spent)?;
    let common = common(file, &names);
    Ok(Planned {
        profile,
        measured: plan.items.iter().filter(|i| i.millis.is_some()).count(),
        plan,
        common: common.into_iter().map(str::to_owned).collect(),
    })
}

/// The median of each suite's green runs of this variant, milliseconds.
fn durations(home: &Home, file: &SuitesFile) -> Result<BTreeMap<String, u64>, AppError> {
    let mut all = running::earlier(home)?;
    all.retain(|run| run.summary.variant == file.variant);
    let history = compared::history(&all, u64::MAX);
    let medians = history.into_iter().map(|(name, h)| (name, h.median_ms));
    Ok(medians.collect())
}

fn make(
    file: &SuitesFile,
    names: &[&str],
    cut: Cut,
    total: u32,
    spent: &BTreeMap<String, u64>,
) -> Result<Plan, AppError> {
    let common = common(file, names);
    let items = names.iter().filter(|name| !common.contains(*name));
    let items = items.map(|name| Item {
        name: (*name).to_owned(),
        millis: spent.get(*name).copied(),
    });
    Plan::new(items, cut, total).map_err(|e| AppError::new(Reason::ArgumentInvalid, e.to_string()))
}

/// Finds the suites of a shard. `names` are all that are selected.
///
/// # Errors
/// An index that the plan does not have; a plan that cannot be read, or is of other suites.
pub(super) fn cut<'a>(
    home: &Home,
    file: &SuitesFile,
    names: &[&'a str],
    part: &Part,
    name: Option<&str>,
) -> Result<Cutting<'a>, AppError> {
    let (index, plan) = match part {
        Part::Of { index, total, cut } => {
            (*index, make(file, names, *cut, *total, &BTreeMap::new())?)
        }
        Part::By { index, plan } => {
            let plan = read(&home.here.join(plan))?;
            fits(file, names, &plan)?;
            (*index, plan)
        }
    };
    let total = plan.total;
    if index >= total {
        let text = format!("shard {index} of {total}: the index is 0 to one less than the total");
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    let items: BTreeSet<&str> = plan.of_shard(index).collect();
    let own = with_needs(file, names, &items);
    let shard = Shard {
        kind: "suite".into(),
        name: name.map_or_else(|| format!("suite-{index}-of-{total}"), str::to_owned),
        index,
        total,
        plan: plan.hash.to_string(),
    };
    Ok(Cutting { shard, plan, own })
}

/// Reads a plan and proves that it is one.
///
/// # Errors
/// It is not there, is none, or contradicts itself.
pub fn read(path: &Path) -> Result<Plan, AppError> {
    let fault = |e: std::io::Error| AppError::io("read", path, &e);
    let malformed = |why: String| {
        let text = format!("`{}` is no plan of shards: {why}", path.display());
        AppError::new(Reason::InputMalformed, text)
            .hint("make one: `gonogo suite plan --shards N --out FILE`")
    };
    let file = std::fs::File::open(path).map_err(fault)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(fault)?;
    if bytes.len() as u64 > LARGEST {
        return Err(malformed(format!("it has more than {LARGEST} bytes")));
    }
    let value = gonogo_core::canonical::parse(&bytes).map_err(|e| malformed(e.to_string()))?;
    let plan: Plan = serde_json::from_value(value).map_err(|e| malformed(e.to_string()))?;
    plan.check().map_err(|e| malformed(e.to_string()))?;
    Ok(plan)
}

/// Refuses a plan of other suites: what it lacks would run in no shard, and nobody would miss it.
fn fits(file: &SuitesFile, names: &[&str], plan: &Plan) -> Result<(), AppError> {
    let common = common(file, names);
    let wanted: BTreeSet<&str> = names
        .iter()
        .copied()
        .filter(|name| !common.contains(name))
        .collect();
    let planned: BTreeSet<&str> = plan.items.iter().map(|i| i.name.as_str()).collect();
    if wanted == planned {
        return Ok(());
    }
    let list = |names: Vec<&&str>| {
        let shown: Vec<&str> = names.iter().take(10).map(|n| **n).collect();
        match shown.is_empty() {
            true => "none".to_owned(),
            false => shown.join(", "),
        }
    };
    let text = format!(
        "the plan is not of the suites that are selected: it lacks {}, and has beside them {}",
        list(wanted.difference(&planned).collect()),
        list(planned.difference(&wanted).collect()),
    );
    Err(AppError::new(Reason::ShardPlanMismatch, text)
        .hint("plan again with the same profile and the same suites"))
}

/// What is no item of a plan: builds, if there is anything to build for, and what others need.
pub(super) fn common<'a>(file: &SuitesFile, names: &[&'a str]) -> BTreeSet<&'a str> {
    let is_build = |name: &str| {
        let suite = file.suites.get(name);
        suite.is_some_and(|s| s.class == Class::Build)
    };
    let is_built_for = names.iter().any(|name| !is_build(name));
    let needed: BTreeSet<&str> = names
        .iter()
        .filter_map(|name| file.suites.get(*name))
        .flat_map(|suite| suite.needs.iter().map(String::as_str))
        .collect();
    names
        .iter()
        .copied()
        .filter(|name| (is_built_for && is_build(name)) || needed.contains(name))
        .collect()
}

/// Items with the builds and all that they need, in the order of `names`; nothing for no items.
pub(super) fn with_needs<'a>(
    file: &SuitesFile,
    names: &[&'a str],
    items: &BTreeSet<&str>,
) -> Vec<&'a str> {
    let mut own: BTreeSet<&str> = names
        .iter()
        .copied()
        .filter(|name| items.contains(name))
        .collect();
    if own.is_empty() {
        return Vec::new();
    }
    let common = common(file, names);
    let builds = common.iter().filter(|name| {
        let suite = file.suites.get(**name);
        suite.is_some_and(|s| s.class == Class::Build)
    });
    own.extend(builds.copied());
    loop {
        let needed: Vec<&str> = own
            .iter()
            .filter_map(|name| file.suites.get(*name))
            .flat_map(|suite| &suite.needs)
            .filter_map(|need| names.iter().copied().find(|name| name == need))
            .filter(|need| !own.contains(need))
            .collect();
        if needed.is_empty() {
            break;
        }
        own.extend(needed);
    }
    names
        .iter()
        .copied()
        .filter(|name| own.contains(name))
        .collect()
}

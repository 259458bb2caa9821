//! `[perf.NAME]`: what a figure may be, and how it is measured.
//!
//! Invariants: a budget demands something, a threshold or a comparison; what it demands means something to the rules that judge it.

use std::collections::BTreeMap;

use gonogo_core::{Share, Span};
use gonogo_suite::perf::budget::Budget;
use gonogo_suite::perf::{Direction, Protocol, Statistic};
use serde::Serialize;

use super::check_names;
use super::keys::{COMPARE, DIRECTIONS, FIGURES, PERF, PERF_KINDS, STATISTICS, Section};
use super::policy::defaulted;
use super::reader::{Found, Table};

/// Opens the sections of a kind of `[perf]` and checks their names.
pub(super) fn named_in<'a, 'i>(
    root: &Table<'a, 'i>,
    kind: &str,
    what: &str,
    section: &'static Section,
) -> Vec<(String, Table<'a, 'i>)> {
    let tables = root.map_in("perf", kind, section);
    check_names(root, what, &tables);
    tables
}

/// From which a shown slowdown fails where neither a budget nor a threshold is given.
const PRACTICAL: Share = Share::from_percent(2);

/// What is read of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// User and system time, microseconds.
    CpuTime,
    /// Time on the clock, microseconds.
    WallTime,
    /// Highest resident memory, bytes.
    MaxRss,
}

impl Figure {
    /// The unit of its samples.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::CpuTime | Self::WallTime => "us",
            Self::MaxRss => "bytes",
        }
    }
}

/// `[perf.NAME]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "each field is the key of that name, which the key table explains"
)]
pub struct PerfFile {
    pub command: Vec<String>,
    pub dir: String,
    pub prepare: Vec<String>,
    pub env_from: Vec<String>,
    pub timeout: Span,
    pub warm_up: u32,
    pub figure: Figure,
    pub metric: String,
    pub category: String,
    pub unit: String,
    pub threshold: Option<f64>,
    pub direction: Direction,
    pub statistic: Statistic,
    pub fewest: Option<usize>,
    pub tolerance: Option<Share>,
    pub freshness: Span,
    pub host_class: Option<String>,
    pub methodology: String,
    pub blocking: bool,
    pub compare: Option<CompareFile>,
}

/// `compare` of `[perf.NAME]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct CompareFile {
    pub base: Option<String>,
    pub budget: Share,
    pub practical: Share,
}

impl CompareFile {
    /// The rules of the comparison.
    pub fn protocol(&self) -> Protocol {
        Protocol {
            budget: self.budget.fraction(),
            practical: self.practical.fraction(),
            ..Protocol::default()
        }
    }
}

impl PerfFile {
    /// The class of host on which it holds; `here` is that of this host.
    pub fn host_class<'a>(&'a self, here: &'a str) -> &'a str {
        self.host_class.as_deref().unwrap_or(here)
    }

    /// The limit, if it has one.
    pub fn budget(&self, name: &str, here: &str) -> Option<Budget> {
        Some(Budget {
            name: name.to_owned(),
            category: self.category.clone(),
            metric: self.metric.clone(),
            unit: self.unit.clone(),
            statistic: self.statistic,
            direction: self.direction,
            threshold: self.threshold?,
            enforced: self.blocking,
            freshness: self.freshness,
            tolerance: self.tolerance,
            methodology: self.methodology.clone(),
            host_class: self.host_class(here).to_owned(),
            fewest: self.fewest,
        })
    }
}

/// Reads the sections.
pub(super) fn read(root: &Table<'_, '_>) -> BTreeMap<String, PerfFile> {
    let tables = root.map_beside("perf", &PERF, &PERF_KINDS);
    check_names(root, "a budget's name", &tables);
    tables
        .iter()
        .filter_map(|(name, table)| Some((name.clone(), read_one(name, table)?)))
        .collect()
}

fn read_one(name: &str, t: &Table<'_, '_>) -> Option<PerfFile> {
    let figure = match t.choice("figure", FIGURES).map(|f| f.value) {
        None | Some("cpu_time") => Figure::CpuTime,
        Some("wall_time") => Figure::WallTime,
        Some(_) => Figure::MaxRss,
    };
    let text = |key: &str| t.text(key).map(|f| f.value).filter(|v| !v.is_empty());
    let compare = t.table("compare", &COMPARE).map(|c| compare(&c));
    let threshold = t.number("threshold");
    let command = words(t, "command");
    if let Some(dir) = t.text("dir").filter(|d| leaves(&d.value)) {
        dir.refuse(t.faults, "expected a directory below this file");
    }
    let timeout: Found<Span> = defaulted(t, "timeout");
    if timeout.value == Span::ZERO {
        timeout.refuse(t.faults, "must be longer than nothing");
    }
    let freshness: Found<Span> = defaulted(t, "freshness");
    let unit = t.text("unit").filter(|f| !f.value.is_empty());
    if let Some(unit) = unit
        .as_ref()
        .filter(|unit| !command.is_empty() && unit.value != figure.unit())
    {
        let text = format!("`figure` is measured in `{}`", figure.unit());
        unit.refuse(t.faults, text);
    }
    let warm_up = t.count("warm_up");
    if let Some(many) = warm_up.as_ref().filter(|w| w.value > 1000) {
        many.refuse(t.faults, "1000 is the most");
    }
    let file = PerfFile {
        command,
        dir: text("dir").unwrap_or_else(|| ".".into()),
        prepare: words(t, "prepare"),
        env_from: words(t, "env_from"),
        timeout: timeout.value,
        warm_up: warm_up.map_or(1, |w| u32::try_from(w.value).unwrap_or(1)),
        figure,
        metric: text("metric").unwrap_or_else(|| name.to_owned()),
        category: text("category").unwrap_or_else(|| "performance".into()),
        unit: unit.map_or_else(|| figure.unit().into(), |f| f.value),
        threshold: threshold.as_ref().map(|f| f.value),
        direction: match t.choice("direction", DIRECTIONS).map(|f| f.value) {
            Some(">=") => Direction::AtLeast,
            _ => Direction::AtMost,
        },
        statistic: match t.choice("statistic", STATISTICS).map(|f| f.value) {
            Some("p95") => Statistic::P95,
            Some("p99") => Statistic::P99,
            Some("min") => Statistic::Min,
            Some("max") => Statistic::Max,
            _ => Statistic::P50,
        },
        fewest: t
            .count("fewest")
            .map(|f| usize::try_from(f.value).unwrap_or(usize::MAX)),
        tolerance: t.parsed("tolerance", "a share").map(|f| f.value),
        freshness: freshness.value,
        host_class: text("host_class"),
        methodology: text("methodology").unwrap_or_else(|| "gonogo perf run".into()),
        blocking: t.flag("blocking").is_none_or(|f| f.value),
        compare: compare.flatten(),
    };
    let whole = Found {
        value: (),
        span: t.span.clone(),
        key: t.key.clone(),
    };
    if file.compare.is_none() && file.threshold.is_none() {
        whole.refuse(
            t.faults,
            "it demands nothing: give `threshold`, `compare` or both",
        );
    }
    if file.compare.is_some() && file.command.is_empty() {
        whole.refuse(t.faults, "`compare` needs a `command` to measure");
    }
    if let Some(Err(e)) = file.budget(name, "any").map(|b| b.check()) {
        whole.refuse(t.faults, e.to_string());
    }
    Some(file)
}

fn compare(t: &Table<'_, '_>) -> Option<CompareFile> {
    let base = t.text("base").map(|f| f.value).filter(|b| !b.is_empty());
    let budget: Found<Share> = defaulted(t, "budget");
    // A budget that somebody gave is the limit; only where nobody gave one does the usual smaller threshold fail.
    let usual = match t.has("budget") {
        true => budget.value,
        false => PRACTICAL,
    };
    let practical = t.parsed("practical", "a share").map_or(usual, |f| f.value);
    let file = CompareFile {
        base,
        budget: budget.value,
        practical,
    };
    if let Err(e) = file.protocol().check() {
        budget.refuse(t.faults, e.to_string());
        return None;
    }
    Some(file)
}

pub(super) fn words(t: &Table<'_, '_>, key: &str) -> Vec<String> {
    let found = t.texts(key).into_iter().flat_map(|f| f.value);
    found
        .filter(|word| {
            if word.value.is_empty() {
                word.refuse(t.faults, "must not be empty");
            }
            !word.value.is_empty()
        })
        .map(|word| word.value)
        .collect()
}

/// Whether a relative path would leave where it starts from.
pub(super) fn leaves(path: &str) -> bool {
    path.starts_with('/') || path.split('/').any(|part| part == "..")
}

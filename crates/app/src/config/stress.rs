//! `[perf.stress.NAME]`: a load, and what it may leave.
//!
//! Invariants: a load lasts and has events; none has the name of a budget, so that gates can name either.

use std::collections::BTreeMap;

use gonogo_core::{Share, Span};
use gonogo_suite::perf::stress::{MOST_READINGS, StressLimits};
use serde::Serialize;

use super::keys::STRESS;
use super::perf::{leaves, named_in, words};
use super::policy::defaulted;
use super::reader::{Found, Table};

/// How long a command may take beyond its load.
const GRACE: Span = Span::from_secs(60);

/// `[perf.stress.NAME]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "each field is the key of that name, which the key table explains"
)]
pub struct StressFile {
    pub command: Vec<String>,
    pub dir: String,
    pub prepare: Vec<String>,
    pub env_from: Vec<String>,
    pub duration: Span,
    pub timeout: Span,
    pub events_per_sec: f64,
    pub interval: Span,
    pub warm_up: Span,
    pub rss_growth: Share,
    pub latency_times: f64,
    pub latency_below: Span,
    pub errors: u64,
    pub freshness: Span,
    pub blocking: bool,
}

impl StressFile {
    /// What is allowed.
    pub fn limits(&self) -> StressLimits {
        StressLimits {
            rss_growth_pct: 100.0 * self.rss_growth.fraction(),
            p99_times: self.latency_times,
            p99_us: 1e3 * self.latency_below.as_millis() as f64,
            errors: self.errors,
        }
    }
}

impl Default for StressFile {
    /// What holds where nothing is declared; there is no command.
    fn default() -> Self {
        let (duration, interval) = (Span::from_secs(30), Span::from_secs(5));
        Self {
            command: Vec::new(),
            dir: ".".into(),
            prepare: Vec::new(),
            env_from: Vec::new(),
            duration,
            timeout: after(duration),
            events_per_sec: 50.0,
            interval,
            warm_up: interval,
            rss_growth: Share::from_percent(10),
            latency_times: 2.0,
            latency_below: Span::from_millis(25),
            errors: 0,
            freshness: Span::from_secs(24 * 3600),
            blocking: true,
        }
    }
}

/// How long the command may take if nobody says.
fn after(duration: Span) -> Span {
    Span::from_millis(duration.as_millis().saturating_add(GRACE.as_millis()))
}

/// Reads the sections.
pub(super) fn read(root: &Table<'_, '_>) -> BTreeMap<String, StressFile> {
    let tables = named_in(root, "stress", "a load test's name", &STRESS);
    let mut all = BTreeMap::new();
    for (name, table) in &tables {
        if root.table_has("perf", name) {
            table
                .whole()
                .refuse(table.faults, "a budget has the same name; give it another");
        }
        all.insert(name.clone(), read_one(table));
    }
    all
}

fn read_one(t: &Table<'_, '_>) -> StressFile {
    let command = words(t, "command");
    if t.require("command") && command.is_empty() {
        t.whole().refuse(t.faults, "`command` names no program");
    }
    let dir = t.text("dir").filter(|d| !d.value.is_empty());
    if let Some(dir) = dir.as_ref().filter(|d| leaves(&d.value)) {
        dir.refuse(t.faults, "expected a directory below this file");
    }
    let long = |key: &str| -> Span {
        let found: Found<Span> = defaulted(t, key);
        if found.value == Span::ZERO {
            found.refuse(t.faults, "must be longer than nothing");
        }
        found.value
    };
    let above = |key: &str, usual: f64| -> f64 {
        let Some(found) = t.number(key) else {
            return usual;
        };
        if !(found.value.is_finite() && found.value > 0.0) {
            found.refuse(t.faults, "must be a number above 0");
        }
        found.value
    };
    let (duration, interval) = (long("duration"), long("interval"));
    let optional = |key: &str, usual: Span| -> Span {
        t.parsed(key, "a duration such as `\"10s\"`")
            .map_or(usual, |f| f.value)
    };
    let warm_up = optional("warm_up", interval);
    let timeout = optional("timeout", after(duration));
    if timeout <= duration {
        t.whole()
            .refuse(t.faults, "`timeout` must be longer than `duration`");
    }
    // Growth is between two readings at least.
    let second = warm_up.as_millis().saturating_add(interval.as_millis());
    if second > duration.as_millis() {
        t.whole().refuse(
            t.faults,
            "`warm_up` and one `interval` must fit into `duration`, or memory is read only once",
        );
    }
    if interval > Span::ZERO && timeout.as_millis() / interval.as_millis() > MOST_READINGS as u64 {
        t.whole().refuse(
            t.faults,
            "`interval` is too short for `timeout`: 10000 readings are the most",
        );
    }
    StressFile {
        command,
        dir: dir.map_or_else(|| ".".into(), |d| d.value),
        prepare: words(t, "prepare"),
        env_from: words(t, "env_from"),
        duration,
        timeout,
        events_per_sec: above("events_per_sec", 50.0),
        interval,
        warm_up,
        rss_growth: {
            let found: Found<Share> = defaulted(t, "rss_growth");
            found.value
        },
        latency_times: above("latency_times", 2.0),
        latency_below: {
            let found: Found<Span> = defaulted(t, "latency_below");
            found.value
        },
        errors: t.count("errors").map_or(0, |f| f.value),
        freshness: long("freshness"),
        blocking: t.flag("blocking").is_none_or(|f| f.value),
    }
}

//! Triage of a load test: did memory grow, did latency drift, were there errors?
//!
//! What was not measured is not well: a run without latency, without memory or without a single event is held, never passed. A command
//! that fails under load is an error of it; one that was cut or never began has shown nothing.

mod events;

use gonogo_core::reason::Verdict;
use gonogo_core::{Reason, Timestamp};
use serde::{Deserialize, Serialize};

use super::PerfError;
use super::metric::ROUNDING;

/// What is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StressLimits {
    /// Most growth of resident memory, in per cent of the first reading.
    pub rss_growth_pct: f64,
    /// Most times the first p99 that the last may be.
    pub p99_times: f64,
    /// A last p99 up to this is well whatever the first was, in microseconds.
    pub p99_us: f64,
    /// Most errors.
    pub errors: u64,
}

impl Default for StressLimits {
    fn default() -> Self {
        Self {
            rss_growth_pct: 10.0,
            p99_times: 2.0,
            p99_us: 25_000.0,
            errors: 0,
        }
    }
}

pub use events::{EVENTS_OF_A_WINDOW, Events};

/// Most readings of memory.
pub const MOST_READINGS: usize = 10_000;

/// How the command that put the load on ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// By itself, with status 0.
    Well,
    /// With another status, or by a signal.
    Failed,
    /// It took too long and was killed.
    Cut,
    /// It was not started, or what it needs could not be made.
    NotStarted,
}

/// What a load test left. Read as `gonogo.suite.stress-run.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StressRun {
    /// [`StressRun::SCHEMA`].
    pub schema: String,
    /// The run.
    pub run_id: String,
    /// What ties it to other artifacts.
    pub correlation_id: String,
    /// The tree that was loaded.
    pub tree: String,
    /// On which class of host.
    pub host_class: String,
    /// What was run.
    pub command: Vec<String>,
    /// How that ended.
    pub ended: Ending,
    /// The same for people.
    pub ended_detail: String,
    /// Its end.
    pub generated_at: Timestamp,
    /// How long it was meant to last.
    pub duration_secs: f64,
    /// How long it lasted.
    pub lasted_secs: f64,
    /// Events asked for in a second.
    pub events_per_sec: f64,
    /// Events that were sent.
    pub event_count: u64,
    /// Events that went wrong.
    pub error_count: u64,
    /// How often memory was to be read.
    pub rss_interval_secs: f64,
    /// Readings of resident memory in KiB, of everything that the command started, in the order of time. Pages that several processes
    /// share count for each.
    pub rss_kib: Vec<f64>,
    /// p99 of the first quarter of events; none if that is too few.
    pub p99_first_us: Option<f64>,
    /// p99 of the last quarter of events.
    pub p99_last_us: Option<f64>,
}

impl StressRun {
    /// The stored format's name.
    pub const SCHEMA: &'static str = "gonogo.suite.stress-run.v1";

    /// Reads a run.
    ///
    /// # Errors
    /// [`PerfError::Unreadable`] for anything but one such object.
    pub fn parse(bytes: &[u8]) -> Result<Self, PerfError> {
        super::read("the stress run", Self::SCHEMA, bytes)
    }
}

/// Latency, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Whether it is shown to be well.
    pub ok: bool,
    /// p99 of the first window.
    pub p99_first_us: Option<f64>,
    /// p99 of the last window.
    pub p99_last_us: Option<f64>,
    /// One line for people.
    pub summary: String,
}

/// Memory, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Whether it is shown to be well.
    pub ok: bool,
    /// From the first reading to the highest.
    pub growth_pct: Option<f64>,
    /// The first reading.
    pub initial_kb: Option<f64>,
    /// The highest reading.
    pub max_kb: Option<f64>,
}

/// The triage. Stored as `gonogo.suite.stress-triage.v1`; it carries all that it was derived from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StressTriage {
    /// [`StressTriage::SCHEMA`].
    pub schema: String,
    /// The run.
    pub run_id: String,
    /// What ties it to other artifacts.
    pub correlation_id: String,
    /// The run's end.
    pub generated_at: Timestamp,
    /// Whether everything is shown to be well.
    pub pass: bool,
    /// The verdict.
    pub verdict: Verdict,
    /// Why; never empty.
    pub reasons: Vec<Reason>,
    /// What was allowed.
    pub limits: StressLimits,
    /// Events that were sent.
    pub event_count: u64,
    /// Events that went wrong.
    pub error_count: u64,
    /// Latency.
    pub latency: Latency,
    /// Memory.
    pub rss: Memory,
    /// What it was judged from.
    pub run: StressRun,
}

impl StressTriage {
    /// The stored format's name.
    pub const SCHEMA: &'static str = "gonogo.suite.stress-triage.v1";

    /// The bytes that are stored: canonical JSON.
    ///
    /// # Errors
    /// [`PerfError::Unreadable`] if a figure is no finite number: JSON has no word for it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PerfError> {
        gonogo_core::canonical::to_vec(self).map_err(|e| PerfError::Unreadable {
            what: "the triage",
            why: e.to_string(),
        })
    }

    /// Derives a stored triage again and compares it byte by byte.
    ///
    /// # Errors
    /// [`PerfError::Unreadable`] for bytes that are no triage, or are not those that follow from what they hold.
    pub fn rederive(bytes: &[u8]) -> Result<Self, PerfError> {
        let stored: Self = super::read("the triage", Self::SCHEMA, bytes)?;
        let again = triage(&stored.run, &stored.limits)?;
        if again.to_bytes()? == bytes {
            return Ok(again);
        }
        Err(PerfError::Unreadable {
            what: "the triage",
            why: format!(
                "its own run gives `{}`, in other bytes than are stored",
                again.verdict
            ),
        })
    }

    /// One line for people.
    pub fn detail(&self) -> String {
        let memory = match (self.rss.growth_pct, self.rss.initial_kb, self.rss.max_kb) {
            (Some(growth), Some(initial), Some(max)) => format!(
                "memory {growth:+.1} % (from {initial:.0} to {max:.0} KiB), up to {} % is allowed",
                self.limits.rss_growth_pct
            ),
            _ => "memory was not read often enough".to_owned(),
        };
        format!(
            "{} events, {} errors; {}; {memory}; the command {}",
            self.event_count, self.error_count, self.latency.summary, self.run.ended_detail
        )
    }
}

/// Judges a run.
///
/// # Errors
/// [`PerfError::Rule`] for limits that are no numbers or below zero.
pub fn triage(run: &StressRun, limits: &StressLimits) -> Result<StressTriage, PerfError> {
    for (field, value) in [
        ("rss_growth_pct", limits.rss_growth_pct),
        ("p99_times", limits.p99_times),
        ("p99_us", limits.p99_us),
    ] {
        if !(value.is_finite() && value >= 0.0) {
            return Err(PerfError::Rule {
                field,
                of: "the stress limits".to_owned(),
                why: "it is no finite number from 0 on",
            });
        }
    }
    let mut reasons = Vec::new();
    let figure = |v: f64| v.is_finite() && v >= 0.0;
    let times = [
        run.duration_secs,
        run.lasted_secs,
        run.events_per_sec,
        run.rss_interval_secs,
    ];
    let read = run
        .rss_kib
        .iter()
        .chain(&run.p99_first_us)
        .chain(&run.p99_last_us);
    if !times.iter().chain(read).all(|v| figure(*v)) || run.error_count > run.event_count {
        reasons.push(Reason::PerfSampleInvalid);
    }
    // A tenth of what was asked for is no load, and a run that ended early has not shown its end.
    let asked = run.duration_secs * run.events_per_sec;
    let loaded = run.event_count > 0 && asked > 0.0 && run.event_count as f64 >= 0.9 * asked;
    if run.schema != StressRun::SCHEMA {
        reasons.push(Reason::SchemaUnknown);
    }
    if !loaded || run.lasted_secs < 0.9 * run.duration_secs {
        reasons.push(Reason::PerfInsufficient);
    }
    match run.ended {
        Ending::Well => {}
        Ending::Failed => reasons.push(Reason::PerfErrors),
        Ending::Cut | Ending::NotStarted => reasons.push(Reason::PerfInsufficient),
    }
    // Of no tree it is evidence about nothing.
    if run.tree.trim().is_empty() || run.host_class.trim().is_empty() {
        reasons.push(Reason::EvidenceWrongTree);
    }
    if run.error_count > limits.errors {
        reasons.push(Reason::PerfErrors);
    }
    let latency = latency(run, limits, &mut reasons);
    let rss = memory(run, limits, &mut reasons);
    reasons.sort_unstable();
    reasons.dedup();
    if reasons.is_empty() {
        reasons.push(Reason::PerfWithinBudget);
    }
    let verdict = reasons
        .iter()
        .map(|r| r.verdict())
        .max()
        .unwrap_or(Verdict::Invalid);
    Ok(StressTriage {
        schema: StressTriage::SCHEMA.into(),
        run_id: run.run_id.clone(),
        correlation_id: run.correlation_id.clone(),
        generated_at: run.generated_at,
        pass: verdict == Verdict::Pass,
        verdict,
        reasons,
        limits: *limits,
        event_count: run.event_count,
        error_count: run.error_count,
        latency,
        rss,
        run: run.clone(),
    })
}

fn latency(run: &StressRun, limits: &StressLimits, reasons: &mut Vec<Reason>) -> Latency {
    let (ok, summary) = match (run.p99_first_us, run.p99_last_us) {
        (Some(first), Some(last)) => {
            let ok = last <= limits.p99_us || (first > 0.0 && last <= limits.p99_times * first);
            if !ok {
                reasons.push(Reason::PerfLatencyDrift);
            }
            (ok, format!("p99 from {first} us to {last} us"))
        }
        (first, last) => {
            reasons.push(Reason::PerfInsufficient);
            let which = match (first, last) {
                (None, None) => "p99 was not measured",
                (None, _) => "p99 of the first window was not measured",
                _ => "p99 of the last window was not measured",
            };
            (false, which.to_owned())
        }
    };
    Latency {
        ok,
        p99_first_us: run.p99_first_us,
        p99_last_us: run.p99_last_us,
        summary,
    }
}

fn memory(run: &StressRun, limits: &StressLimits, reasons: &mut Vec<Reason>) -> Memory {
    let initial = run.rss_kib.first().copied();
    let max = run.rss_kib.iter().copied().reduce(f64::max);
    // A reader that slept through most of the load has not seen what memory did.
    let planned = run.duration_secs / run.rss_interval_secs;
    let enough = run.rss_kib.len() >= 2 && run.rss_kib.len() as f64 >= 0.5 * planned.floor();
    let growth = match (initial, max) {
        (Some(a), Some(b)) if a > 0.0 && enough => Some(100.0 * (b / a - 1.0)),
        _ => None,
    };
    let ok = growth.is_some_and(|g| g <= limits.rss_growth_pct + 100.0 * ROUNDING);
    match growth {
        None => reasons.push(Reason::PerfInsufficient),
        Some(_) if !ok => reasons.push(Reason::PerfMemoryGrowth),
        Some(_) => {}
    }
    Memory {
        ok,
        growth_pct: growth,
        initial_kb: initial,
        max_kb: max,
    }
}

//! What can go wrong beside the lines themselves: silence, evidence that grows old, limits, the disk, the clocks, the harness, the end.
//!
//! Fed with the journals' events and the arrival of lines, in the order of the boot clock; the same while the run goes on and when
//! it is judged. Invariant: nothing depends on when somebody looked ([`Conditions::tick`] only makes known earlier what the next
//! event or line would make known with the same time and words).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::{Cause, Engine, NotKept, SavedEngine};
use crate::journal::Event;
use crate::spec::RunSpec;
use crate::watch::duration::trimmed;
use crate::{IncidentKind, Moment, Status};

mod ending;
mod evidence_age;
mod resources;

pub use ending::{Life, signal_name};
pub use resources::Usage;

use evidence_age::Ages;

/// The reason of time that is not seen because this part of the capture does not answer.
fn unseen_by(part: &str) -> &'static str {
    match part {
        "pump" => "pump_down",
        _ => "keeper_stopped",
    }
}

/// Most stretches of blindness that are kept; more count as one that goes on.
const BLIND: usize = 10_000;

/// A clock step below this is adjustment, not a step.
const STEP: u64 = 1_000_000_000;

/// A time that we could not see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlindSpan {
    /// From.
    pub from: Moment,
    /// To; the same as `from` while it goes on.
    pub to: Moment,
    /// `pump_down`, `clock_step`, `suspend`, `capture_blocked`, `keeper_lost`, `keeper_stopped`.
    pub reason: String,
    /// Whether it goes on.
    pub open: bool,
}

/// The state of all of them.
#[derive(Debug, Clone)]
pub struct Conditions {
    spec: RunSpec,
    engine: Engine,
    state: State,
}

/// What is stored of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    life: Life,
    silence: Silence,
    usage: Usage,
    ages: Ages,
    blind: Vec<BlindSpan>,
    disk: BTreeMap<String, f64>,
    clock_scale: Option<f64>,
    boot_id: Option<String>,
}

/// The child's silence.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Silence {
    /// The child's start, or the last line.
    since: Option<Moment>,
    longest: u64,
    lines: u64,
}

/// [`Conditions`] as they are stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SavedConditions {
    engine: SavedEngine,
    state: State,
}

const SILENCE: &str = "silence";

impl Conditions {
    /// Begins.
    pub fn new(spec: &RunSpec) -> Self {
        Self {
            spec: spec.clone(),
            engine: Engine::default(),
            state: State::default(),
        }
    }

    /// Goes on from what [`Conditions::saved`] returned.
    pub fn restored(spec: &RunSpec, saved: SavedConditions) -> Self {
        Self {
            spec: spec.clone(),
            engine: Engine::restored(saved.engine),
            state: saved.state,
        }
    }

    /// Returns the state.
    pub fn saved(&self) -> SavedConditions {
        SavedConditions {
            engine: self.engine.saved(),
            state: self.state.clone(),
        }
    }

    /// Something happened that the journals hold.
    pub fn event(&mut self, at: Moment, event: &Event) {
        match event {
            Event::Begun {
                clock_scale,
                boot_id,
                ..
            } => {
                self.state.clock_scale = Some(*clock_scale);
                self.state.boot_id = Some(boot_id.clone());
            }
            Event::ChildStarted { .. } => {
                self.state.life.started = Some(at);
                if self.state.silence.since.is_none() {
                    self.state.silence.since = Some(at);
                }
            }
            Event::Resources { .. } | Event::ResourcesUnavailable { .. } => {
                self.state
                    .usage
                    .event(&self.spec.resources, &mut self.engine, at, event);
            }
            Event::EvidenceSeen { .. } if !self.state.life.is_over(at) => {
                let started = self.state.life.started;
                self.state
                    .ages
                    .seen(&self.spec, &mut self.engine, started, at, event);
            }
            Event::Disk {
                free_bytes,
                full_in_seconds,
                end_bytes,
            } => self.disk(at, *free_bytes, *full_in_seconds, *end_bytes),
            Event::ClockStep { ns } => self.clock_step(at, *ns),
            Event::Suspended { ns } => {
                let from = Moment {
                    boot: at.boot.saturating_sub(*ns),
                    wall: at.wall.saturating_sub_unsigned(*ns),
                };
                self.blind(from, "suspend", Some(at));
                let text = format!(
                    "the machine slept for {:.1} s: what the child did then is not known",
                    *ns as f64 / 1e9
                );
                let cause = Cause::new(IncidentKind::Clock, Status::Warn, "suspend", at, text);
                self.engine
                    .sighting(cause.with("seconds", *ns as f64 / 1e9));
            }
            Event::Blocked { reason } => {
                self.blind(at, "capture_blocked", None);
                let text = format!("nothing could be written, the child waits: {reason}");
                let mut cause = Cause::new(
                    IncidentKind::CaptureBlocked,
                    Status::Warn,
                    "blocked",
                    at,
                    text,
                );
                cause.open = true;
                self.engine.sighting(cause);
            }
            Event::Unblocked { ms } => {
                self.seen_again(at, "capture_blocked");
                self.engine.recovered("blocked", at);
                self.engine.update("blocked", |c| {
                    c.metadata.insert("blocked_ms".to_owned(), (*ms).into());
                });
            }
            Event::PumpStarted { .. } => {
                self.seen_again(at, "pump_down");
                self.engine.recovered("unanswered-pump", at);
            }
            Event::Unanswered {
                part,
                pid,
                state,
                ms,
            } => self.unanswered(at, (part, *pid), state, *ms),
            Event::Answered { part, ms } => {
                self.seen_again(at, unseen_by(part));
                let key = format!("unanswered-{part}");
                self.engine.recovered(&key, at);
                self.engine.update(&key, |c| {
                    c.metadata.insert("unanswered_ms".to_owned(), (*ms).into());
                });
            }
            Event::PumpLost { pid, status } => {
                self.blind(at, "pump_down", None);
                let text = format!(
                    "the pump ended before its work was done ({status}); another is started, no byte is lost"
                );
                let cause = Cause::new(IncidentKind::PumpRestart, Status::Warn, "pump", at, text);
                self.engine.sighting(cause.with("pid", *pid));
            }
            Event::EvidenceSeen { .. } | Event::Rotated { .. } | Event::Recovered { .. } => {}
            other => self.ending(at, other),
        }
    }

    /// Lines ended at `at`. Never call it for bytes that end no line.
    pub fn lines(&mut self, at: Moment, count: u64) {
        if self.state.life.is_over(at) {
            return;
        }
        self.tick(at);
        let silence = &mut self.state.silence;
        if let Some(since) = silence.since {
            let gap = at.since(since);
            silence.longest = silence.longest.max(gap);
            if self.engine.is_open(SILENCE) {
                self.engine.recovered(SILENCE, at);
                self.engine.update(SILENCE, |c| {
                    let known = c
                        .metadata
                        .get("gap_seconds")
                        .and_then(serde_json::Value::as_f64);
                    let longest = known.unwrap_or(0.0).max(gap as f64 / 1e9);
                    c.metadata.insert("gap_seconds".to_owned(), longest.into());
                });
            }
        }
        silence.lines += count;
        silence.since = Some(silence.since.map_or(at, |s| s.max(at)));
    }

    /// Time goes by.
    pub fn tick(&mut self, at: Moment) {
        let (Some(limit), Some(since)) = (self.spec.gaps.live_seconds, self.state.silence.since)
        else {
            return;
        };
        if !(limit.is_finite() && limit >= 0.0) || self.state.life.started.is_none() {
            return;
        }
        // Until its first line a child may take the time that it was given to start, and the limit after that.
        let limit = match self.state.silence.lines {
            0 => limit + self.spec.gaps.startup_seconds.max(0.0),
            _ => limit,
        };
        let limit_ns = (limit * 1e9) as u64;
        let until = self.state.life.ended.map_or(at, |e| at.min(e));
        if until.since(since) <= limit_ns || self.engine.is_open(SILENCE) {
            return;
        }
        // Dated to when it became too long, whenever that was noticed.
        let crossed = Moment {
            boot: since.boot.saturating_add(limit_ns),
            wall: since.wall.saturating_add_unsigned(limit_ns),
        };
        let text = if self.state.silence.lines == 0 {
            format!(
                "no line since the start for more than {} s",
                trimmed(limit, 3)
            )
        } else {
            format!("no line for more than {} s", trimmed(limit, 3))
        };
        let mut cause = Cause::new(
            IncidentKind::LogGap,
            self.spec.gaps.live_severity,
            SILENCE,
            crossed,
            text,
        )
        .with("threshold_seconds", limit)
        .with("last_line_at", since.timestamp().to_string());
        cause.open = true;
        self.engine.sighting(cause);
    }

    fn disk(&mut self, at: Moment, free: u64, full_in: Option<f64>, end: u64) {
        self.state.disk = BTreeMap::from([("disk_free_bytes".to_owned(), free as f64)]);
        if let Some(seconds) = full_in {
            self.state
                .disk
                .insert("disk_full_in_seconds".to_owned(), seconds);
        }
        let needed = match end {
            0 => String::new(),
            end => {
                let known = &mut self.state.disk;
                known.insert("disk_end_bytes".to_owned(), end as f64);
                format!(", the end needs {end} of them")
            }
        };
        let elapsed = self.state.life.started.map_or(0, |s| at.since(s)) as f64 / 1e9;
        let left = self.spec.target_seconds - elapsed;
        let over = self.state.life.is_over(at);
        match full_in {
            Some(seconds) if seconds < left && !over => {
                let mut cause = Cause::new(
                    IncidentKind::Disk,
                    Status::Warn,
                    "disk",
                    at,
                    format!("the disk will be full in {seconds:.0} s at this rate, and the run has {left:.0} s left ({free} bytes are free{needed})"),
                )
                .with("free_bytes", free);
                cause.open = true;
                // As long as it goes on it is one forecast.
                if !self.engine.is_open("disk") {
                    self.engine.sighting(cause);
                }
            }
            _ => self.engine.recovered("disk", at),
        }
    }

    /// A part of the capture was stopped, or hangs.
    fn unanswered(&mut self, at: Moment, (part, pid): (&str, u32), state: &str, ms: u64) {
        let ns = ms.saturating_mul(1_000_000);
        let from = Moment {
            boot: at.boot.saturating_sub(ns),
            wall: at.wall.saturating_sub_unsigned(ns),
        };
        self.blind(from, unseen_by(part), None);
        let how = if state == "T" {
            "was stopped".to_owned()
        } else {
            format!("does not answer (state {state})")
        };
        let text = format!(
            "the {part} (process {pid}) {how}: what it watches is not seen meanwhile; no byte is lost"
        );
        let key = format!("unanswered-{part}");
        let mut cause = Cause::new(IncidentKind::Other, Status::Warn, &key, from, text);
        cause.open = true;
        self.engine
            .sighting(cause.with("pid", pid).with("state", state));
    }

    fn clock_step(&mut self, at: Moment, ns: i64) {
        self.blind(at, "clock_step", Some(at));
        if ns.unsigned_abs() < STEP {
            return;
        }
        let seconds = ns as f64 / 1e9;
        let text = format!(
            "the wall clock stepped by {seconds:+.3} s; durations and order do not depend on it"
        );
        let cause = Cause::new(IncidentKind::Clock, Status::Warn, "clock_step", at, text);
        self.engine.sighting(cause.with("seconds", seconds));
    }

    fn blind(&mut self, from: Moment, reason: &str, to: Option<Moment>) {
        let blind = &mut self.state.blind;
        if blind.iter().any(|b| b.open && b.reason == reason) {
            return;
        }
        if blind.len() < BLIND {
            blind.push(BlindSpan {
                from,
                to: to.unwrap_or(from),
                reason: reason.to_owned(),
                open: to.is_none(),
            });
        } else if let Some(last) = blind.last_mut() {
            last.to = last.to.max(to.unwrap_or(from));
        }
    }

    fn seen_again(&mut self, at: Moment, reason: &str) {
        for span in self
            .state
            .blind
            .iter_mut()
            .filter(|b| b.open && b.reason == reason)
        {
            span.open = false;
            span.to = span.to.max(at);
        }
    }

    /// Returns the causes, worst first.
    pub fn causes(&self) -> Vec<&Cause> {
        self.engine.causes()
    }

    /// Returns what is not kept one by one.
    pub fn not_kept(&self) -> Vec<NotKept> {
        self.engine.not_kept()
    }

    /// Returns the worst.
    pub fn status(&self) -> Status {
        self.engine.status()
    }

    /// Returns whether there is something new, once.
    pub const fn take_urgent(&mut self) -> bool {
        self.engine.take_urgent()
    }

    /// Returns what is known of the child's life.
    pub const fn life(&self) -> &Life {
        &self.state.life
    }

    /// Returns the resources.
    pub const fn usage(&self) -> &Usage {
        &self.state.usage
    }

    /// Returns how old an evidence file was at `end`, in seconds, by its growth: all that is known of one whose content names no time.
    pub fn evidence_age(&self, spec: &RunSpec, name: &str, end: Moment) -> Option<f64> {
        let started = self.state.life.started?;
        self.state.ages.at_end(spec, name, started, end)
    }

    /// Returns free space and forecast, as last seen.
    pub const fn disk_facts(&self) -> &BTreeMap<String, f64> {
        &self.state.disk
    }

    /// Returns how much faster than real the clocks went, if the journal says so.
    pub const fn clock_scale(&self) -> Option<f64> {
        self.state.clock_scale
    }

    /// Returns the times that we could not see; what goes on ends at `end`.
    pub fn blind_spans(&self, end: Moment) -> Vec<BlindSpan> {
        let mut spans = self.state.blind.clone();
        for span in &mut spans {
            if span.open {
                span.to = span.to.max(end);
            }
        }
        spans
    }

    /// Returns the longest silence, nanoseconds, the present one at `at` included.
    pub fn longest_gap(&self, at: Moment) -> u64 {
        let until = self.state.life.ended.map_or(at, |e| at.min(e));
        let now = self.state.silence.since.map_or(0, |s| until.since(s));
        match self.state.life.started {
            Some(_) => self.state.silence.longest.max(now),
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests;

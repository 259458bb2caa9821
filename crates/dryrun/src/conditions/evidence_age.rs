//! How old evidence is while the run goes on: by its newest content, else by its modification time, and never younger than its last
//! growth. A file that is only touched grows old; one whose content is from the future is told and aged by its growth.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::{Cause, Engine};
use crate::journal::Event;
use crate::spec::{EvidenceSpec, RunSpec};
use crate::{IncidentKind, Moment, Status};

/// How far ahead content may be, milliseconds: clocks of other machines.
const AHEAD: i64 = 60_000;

/// What was seen of each file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Ages {
    files: BTreeMap<String, Seen>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Seen {
    size: Option<u64>,
    entries: Option<u64>,
    newest_ms: Option<i64>,
    /// When one of those changed, as far as we saw.
    grew: Option<Moment>,
}

impl Ages {
    pub(super) fn seen(
        &mut self,
        spec: &RunSpec,
        engine: &mut Engine,
        started: Option<Moment>,
        at: Moment,
        event: &Event,
    ) {
        let Event::EvidenceSeen {
            name,
            size,
            mtime_ms,
            newest_ms,
            entries,
            error,
        } = event
        else {
            return;
        };
        let Some(declared) = spec.evidence.iter().find(|e| e.name == *name) else {
            return;
        };
        let before = self.files.entry(name.clone()).or_default();
        let known = before.grew.is_some();
        let grew = (before.size, before.entries, before.newest_ms) != (*size, *entries, *newest_ms);
        if grew || !known {
            (before.size, before.entries, before.newest_ms) = (*size, *entries, *newest_ms);
            before.grew = Some(at);
        }
        let (Some(grew_at), Some(started)) = (before.grew, started) else {
            return;
        };
        if (at.since(started) as f64) < spec.evidence_grace_seconds * 1e9 {
            return;
        }
        let now_ms = at.timestamp().as_millis();
        let future = newest_ms.is_some_and(|n| n > now_ms.saturating_add(AHEAD));
        Self::future_dated(
            engine,
            declared,
            at,
            future.then_some(newest_ms.unwrap_or(0)),
        );
        Self::unreadable(engine, declared, at, error.as_deref());
        // Seconds by the boot clock since it grew; of a file that was there at our first look its own times say more.
        let since_growth = at.since(grew_at) as f64 / 1e9;
        let by_file = |ms: i64| (now_ms.saturating_sub(ms)) as f64 / 1e3;
        let (state, age) = match (size, newest_ms.filter(|_| !future)) {
            (None, _) => ("missing", at.since(started) as f64 / 1e9),
            (Some(0), _) => ("empty", at.since(started) as f64 / 1e9),
            (_, Some(newest)) => ("stale", by_file(newest)),
            (_, None) if known && mtime_ms.is_some_and(|m| by_file(m) + 1.0 < since_growth) => {
                ("touched but not grown", since_growth)
            }
            (_, None) => {
                let touched = mtime_ms
                    .filter(|m| *m <= now_ms.saturating_add(AHEAD))
                    .map_or(0.0, by_file);
                ("stale", touched.max(since_growth))
            }
        };
        let over = |limit: Option<f64>| limit.is_some_and(|l| age > l);
        let severity = match (
            over(declared.stale_fail_seconds),
            over(declared.stale_warn_seconds),
        ) {
            (true, _) => Some(Status::Fail),
            (false, true) => Some(Status::Warn),
            (false, false) => None,
        };
        let key = format!("evidence/{name}");
        let Some(severity) = severity else {
            engine.recovered(&key, at);
            return;
        };
        let text = format!(
            "{} ({}) is {state}: {age:.0} s old",
            label(declared),
            declared.path
        );
        if engine.is_open(&key) {
            engine.update(&key, |c| {
                if severity > c.severity {
                    c.severity = severity;
                    c.message = text;
                }
                c.last = at;
                c.metadata.insert("age_seconds".to_owned(), age.into());
            });
            return;
        }
        let mut cause = Cause::new(IncidentKind::Evidence, severity, key, at, text)
            .with("name", name.clone())
            .with("path", declared.path.clone())
            .with("state", state)
            .with("age_seconds", age);
        cause.open = true;
        engine.sighting(cause);
    }

    /// How old a file was at `end`, seconds: since we saw it grow, or since the run began if nobody ever looked. None while the run is
    /// not older than its grace.
    pub(super) fn at_end(
        &self,
        spec: &RunSpec,
        name: &str,
        started: Moment,
        end: Moment,
    ) -> Option<f64> {
        if (end.since(started) as f64) < spec.evidence_grace_seconds * 1e9 {
            return None;
        }
        let grew = self.files.get(name).and_then(|seen| seen.grew);
        Some(end.since(grew.unwrap_or(started)) as f64 / 1e9)
    }

    fn future_dated(engine: &mut Engine, declared: &EvidenceSpec, at: Moment, newest: Option<i64>) {
        let key = format!("evidence_future/{}", declared.name);
        match newest {
            Some(newest) if !engine.is_open(&key) => {
                let ahead = (newest - at.timestamp().as_millis()) as f64 / 1e3;
                let text = format!(
                    "{} ({}) is dated {ahead:.0} s in the future",
                    label(declared),
                    declared.path
                );
                let mut cause = Cause::new(IncidentKind::Evidence, Status::Warn, key, at, text)
                    .with("name", declared.name.clone())
                    .with("state", "future_dated")
                    .with("ahead_seconds", ahead);
                cause.open = true;
                engine.sighting(cause);
            }
            Some(_) => {}
            None => engine.recovered(&key, at),
        }
    }

    fn unreadable(engine: &mut Engine, declared: &EvidenceSpec, at: Moment, error: Option<&str>) {
        let key = format!("evidence_error/{}", declared.name);
        match error {
            Some(error) if !engine.is_open(&key) => {
                let text = format!(
                    "{} ({}) cannot be read: {error}",
                    label(declared),
                    declared.path
                );
                let mut cause = Cause::new(IncidentKind::Evidence, Status::Warn, key, at, text)
                    .with("name", declared.name.clone())
                    .with("state", "unreadable");
                cause.open = true;
                engine.sighting(cause);
            }
            Some(_) => {}
            None => engine.recovered(&key, at),
        }
    }
}

/// What people call it.
fn label(declared: &EvidenceSpec) -> String {
    match declared.name.as_str() {
        "diary" => "Decision diary".to_owned(),
        "performance" => "Performance telemetry".to_owned(),
        other => format!("Evidence `{other}`"),
    }
}

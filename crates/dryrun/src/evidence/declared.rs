//! Evidence that the configuration declares: its freshness, how much there is, and what its values must be.

use gonogo_core::Timestamp;
use serde_json::Value;

use super::strict::Strict;
use super::{AHEAD, Input, Window, entry_time, finding, scan, unreadable};
use crate::Status;
use crate::spec::{EvidenceFormat, EvidenceSpec, Threshold};
use crate::summary::Evidence;

/// Most bytes of one JSON value.
const BYTES: u64 = 64 << 20;

/// Judges a declared file at the end of the window, or at `judged_at` without one. Text names no time: its age at the end, in seconds,
/// is `grown`, as far as anybody saw.
pub fn declared(
    input: Input<'_>,
    spec: &EvidenceSpec,
    window: Option<Window>,
    judged_at: Option<Timestamp>,
    grown: Option<f64>,
) -> Evidence {
    let format = match spec.format {
        EvidenceFormat::Diary => "diary",
        EvidenceFormat::Performance => "performance",
        EvidenceFormat::Json => "json",
        EvidenceFormat::Jsonl => "jsonl",
        EvidenceFormat::Text => "text",
    };
    let mut evidence = Evidence {
        name: spec.name.clone(),
        path: spec.path.clone(),
        format: format.to_owned(),
        status: Status::Pass,
        findings: Vec::new(),
        values: std::collections::BTreeMap::new(),
        newest_at: None,
        entries: 0,
        bytes: 0,
    };
    let missing = if spec.required {
        Status::Fail
    } else {
        Status::Warn
    };
    let newest = match input.source {
        None => {
            let text = format!("evidence `{}` ({}) is missing", spec.name, spec.path);
            evidence
                .findings
                .push(finding(missing, "evidence_missing", &spec.path, text));
            return done(evidence);
        }
        Some(source) => match spec.format {
            EvidenceFormat::Text => {
                text(source, &mut evidence);
                None
            }
            EvidenceFormat::Json => json(source, spec, &mut evidence),
            _ => jsonl(source, spec, &mut evidence),
        },
    };
    if evidence.bytes == 0 {
        let text = format!("evidence `{}` ({}) is empty", spec.name, spec.path);
        evidence
            .findings
            .push(finding(missing, "evidence_empty", &spec.path, text));
        return done(evidence);
    }
    if let Some(least) = spec.min_entries.filter(|least| evidence.entries < *least) {
        let text = format!(
            "evidence `{}` has {} entries, and {least} are required",
            spec.name, evidence.entries
        );
        evidence
            .findings
            .push(finding(Status::Fail, "too_few_entries", &spec.path, text));
    }
    for threshold in &spec.thresholds {
        hold(threshold, newest.as_ref(), &mut evidence);
    }
    match spec.format {
        EvidenceFormat::Text => {
            if let Some(age) = grown {
                grow_old(spec, age, &mut evidence);
            }
        }
        _ => freshness(spec, window, judged_at, &mut evidence),
    }
    done(evidence)
}

fn done(mut evidence: Evidence) -> Evidence {
    evidence.status = evidence
        .findings
        .iter()
        .map(|f| f.severity)
        .max()
        .unwrap_or_default();
    evidence
}

fn text(mut source: impl std::io::Read, evidence: &mut Evidence) {
    let mut buffer = vec![0; 64 << 10];
    let mut open = false;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                evidence.bytes += count as u64;
                evidence.entries += memchr::memchr_iter(b'\n', &buffer[..count]).count() as u64;
                open = buffer[count - 1] != b'\n';
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => {
                let problem = scan::Problem {
                    at: evidence.bytes,
                    line: 0,
                    reason: e.to_string(),
                };
                let found = unreadable(
                    &format!("evidence `{}`", evidence.name),
                    &evidence.path,
                    &problem,
                );
                evidence.findings.push(found);
                break;
            }
        }
    }
    evidence.entries += u64::from(open);
}

fn json(source: impl std::io::Read, spec: &EvidenceSpec, evidence: &mut Evidence) -> Option<Value> {
    let label = format!("evidence `{}`", spec.name);
    let parsed = scan::whole(source, BYTES).and_then(|bytes| {
        evidence.bytes = bytes.len() as u64;
        if bytes.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice::<Strict>(&bytes)
            .map(|Strict(value)| Some(value))
            .map_err(|e| scan::Problem {
                at: 0,
                line: e.line() as u64,
                reason: e.to_string(),
            })
    });
    match parsed {
        Ok(Some(value)) => {
            let list = value
                .as_array()
                .or_else(|| value.get("entries").and_then(Value::as_array));
            evidence.entries = list.map_or(1, |l| l.len() as u64);
            let pointer = spec.time_pointer.as_deref();
            let times = list
                .into_iter()
                .flatten()
                .filter_map(|e| entry_time(e, pointer));
            evidence.newest_at = times.chain(entry_time(&value, pointer)).max();
            Some(value)
        }
        Ok(None) => None,
        Err(problem) => {
            evidence.bytes = evidence.bytes.max(1);
            evidence
                .findings
                .push(unreadable(&label, &spec.path, &problem));
            None
        }
    }
}

/// Thresholds are held against the newest entry: by its time, or the last one.
fn jsonl(
    source: impl std::io::Read,
    spec: &EvidenceSpec,
    evidence: &mut Evidence,
) -> Option<Value> {
    let mut newest: Option<(Option<Timestamp>, Value)> = None;
    let mut entries = 0;
    let outcome = scan::entries(source, |_, value| {
        entries += 1;
        let at = entry_time(&value, spec.time_pointer.as_deref());
        if newest.as_ref().is_none_or(|(then, _)| at >= *then) {
            newest = Some((at, value));
        }
    });
    (evidence.entries, evidence.bytes) = (entries, outcome.bytes);
    let label = format!("evidence `{}`", spec.name);
    evidence.findings.extend(
        outcome
            .problems
            .iter()
            .map(|p| unreadable(&label, &spec.path, p)),
    );
    let (at, value) = newest?;
    evidence.newest_at = at;
    Some(value)
}

fn hold(threshold: &Threshold, newest: Option<&Value>, evidence: &mut Evidence) {
    let value = newest.and_then(|v| v.pointer(&threshold.pointer));
    if let Some(value) = value {
        evidence
            .values
            .insert(threshold.pointer.clone(), value.clone());
    }
    let (name, pointer) = (&evidence.name, &threshold.pointer);
    let broken = match value {
        None => Some((
            "threshold_missing",
            format!("evidence `{name}` has no value at `{pointer}`"),
        )),
        Some(value) => {
            let number = value.as_f64().filter(|n| n.is_finite());
            let bounded = threshold.min.is_some() || threshold.max.is_some();
            let same = |want: &Value| {
                want == value || (want.as_f64().is_some() && want.as_f64() == number)
            };
            if bounded && number.is_none() {
                Some((
                    "threshold_not_a_number",
                    format!("`{pointer}` in evidence `{name}` is {value}, and no number"),
                ))
            } else if let Some((min, n)) = threshold.min.zip(number).filter(|(min, n)| n < min) {
                Some((
                    "threshold_below",
                    format!("`{pointer}` in evidence `{name}` is {n}, and {min} is the least"),
                ))
            } else if let Some((max, n)) = threshold.max.zip(number).filter(|(max, n)| n > max) {
                Some((
                    "threshold_above",
                    format!("`{pointer}` in evidence `{name}` is {n}, and {max} is the greatest"),
                ))
            } else {
                let want = threshold.equals.as_ref().filter(|want| !same(want));
                want.map(|want| {
                    (
                        "threshold_differs",
                        format!(
                            "`{pointer}` in evidence `{name}` is {value}, and {want} is demanded"
                        ),
                    )
                })
            }
        }
    };
    if let Some((code, text)) = broken {
        let mut found = finding(threshold.severity, code, &evidence.path, text);
        found
            .metadata
            .insert("pointer".to_owned(), threshold.pointer.clone().into());
        evidence.findings.push(found);
    }
}

fn freshness(
    spec: &EvidenceSpec,
    window: Option<Window>,
    judged_at: Option<Timestamp>,
    evidence: &mut Evidence,
) {
    if spec.stale_warn_seconds.is_none() && spec.stale_fail_seconds.is_none() {
        return;
    }
    let Some(newest) = evidence.newest_at else {
        let text = format!(
            "evidence `{}` ({}) names no time, and must be fresh",
            spec.name, spec.path
        );
        evidence
            .findings
            .push(finding(Status::Fail, "evidence_no_time", &spec.path, text));
        return;
    };
    let Some(end) = window.map(|w| w.to).or(judged_at) else {
        return;
    };
    let ahead = judged_at.unwrap_or(end).as_millis().max(end.as_millis());
    if newest.as_millis() > ahead.saturating_add(AHEAD) {
        let text = format!(
            "evidence `{}` ({}) is dated {newest}, which is in the future",
            spec.name, spec.path
        );
        evidence
            .findings
            .push(finding(Status::Warn, "future_dated", &spec.path, text));
    }
    let age = end.as_millis().saturating_sub(newest.as_millis()) as f64 / 1e3;
    grow_old(spec, age, evidence);
}

/// Holds an age at the run's end against the limits.
fn grow_old(spec: &EvidenceSpec, age: f64, evidence: &mut Evidence) {
    let over = |limit: Option<f64>| limit.filter(|l| age > *l);
    let broken = over(spec.stale_fail_seconds)
        .map(|l| (Status::Fail, l))
        .or_else(|| over(spec.stale_warn_seconds).map(|l| (Status::Warn, l)));
    if let Some((severity, limit)) = broken {
        let text = format!(
            "evidence `{}` ({}) was {age:.0} s old at the run's end, and {limit} s is the limit",
            spec.name, spec.path
        );
        evidence
            .findings
            .push(finding(severity, "evidence_stale", &spec.path, text));
    }
}

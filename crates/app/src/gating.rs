//! Gates before an operation: the evidence is looked up in the ledger, the rule is `gonogo_release::gate`.

use gonogo_core::{Digest, Timestamp};
use gonogo_ledger::key_event::CONTROLLER;
use gonogo_ledger::verify::VerifiedRecord;
use gonogo_release::gate::{self, SignedOff};
use gonogo_release::plan::{Gates, Plan, PlanBody};
use gonogo_store::ledger::RecordView;
use serde_json::{Value, json};

use crate::dry_run::recording::{BEGUN, SIGN_OFF};
use crate::{AppError, Workspace};

/// How many verdicts about one artifact are looked at; the newest count.
const MOST: u32 = 256;

/// The status of a run that has no verdict.
const UNJUDGED: &str = "unjudged";

/// The streams of dry runs.
const RUNS: &str = "run/dry-run/";

/// Judges the plan's gates as of now. What comes back stands in the operation's first record: nothing if no gate is demanded.
///
/// # Errors
/// The gate's reason; nothing was changed.
pub(crate) fn judge(ws: &Workspace, plan: &Plan, now: Timestamp) -> Result<Value, AppError> {
    let Gates::DryRun { max_age } = plan.body.gates else {
        return Ok(Value::Null);
    };
    let wanted = wanted(&plan.body);
    let seen = seen(ws, &wanted)?;
    let found = gate::dry_run(&wanted, max_age, &seen, now)
        .map_err(|closed| AppError::new(closed.reason, closed.text))?;
    Ok(json!({"signOff": found.index, "stream": found.stream, "at": found.at}))
}

/// What the evidence must be about.
fn wanted(plan: &PlanBody) -> Vec<Digest> {
    plan.to.artifacts.iter().map(|a| a.sha256).collect()
}

/// The stream of the dry run that a plan's gate would rest on now, so that packets hold it.
pub(crate) fn streams(ws: &Workspace, plan: &PlanBody) -> Result<Vec<String>, AppError> {
    if plan.gates == Gates::None {
        return Ok(Vec::new());
    }
    let mut streams: Vec<String> = seen(ws, &wanted(plan))?
        .into_iter()
        .map(|s| s.stream)
        .collect();
    streams.sort_unstable();
    streams.dedup();
    Ok(streams)
}

/// Verdicts about any of the artifacts that a controller of this ledger signed.
fn seen(ws: &Workspace, wanted: &[Digest]) -> Result<Vec<SignedOff>, AppError> {
    let controllers: Vec<_> = ws
        .ledger
        .enrolled_keys()?
        .into_iter()
        .filter(|k| k.role == CONTROLLER)
        .map(|k| k.key.id())
        .collect();
    let mut all: Vec<SignedOff> = Vec::new();
    for (kind, artifact) in [BEGUN, SIGN_OFF]
        .into_iter()
        .flat_map(|kind| wanted.iter().map(move |artifact| (kind, artifact)))
    {
        for index in ws.ledger.about(artifact, kind, MOST)? {
            if all.iter().any(|s| s.index == index) {
                continue;
            }
            let record = ws.ledger.record_at(index)?;
            if controllers.contains(&record.signer) {
                all.extend(of_view(&record));
            }
        }
    }
    Ok(newest_of_each(all))
}

/// Of each run what was recorded last: its verdict, or that it has none yet. A run that nobody has judged is no pass, and a verdict that
/// is about less than its beginning was says nothing about the rest.
fn newest_of_each(mut all: Vec<SignedOff>) -> Vec<SignedOff> {
    all.sort_by_key(|s| s.index);
    let ends: Vec<(String, u64)> = all
        .iter()
        .filter(|s| s.status != UNJUDGED)
        .map(|s| (s.stream.clone(), s.index))
        .collect();
    all.retain(|s| {
        s.status != UNJUDGED
            || !ends
                .iter()
                .any(|(stream, index)| *stream == s.stream && *index > s.index)
    });
    all
}

fn of_view(record: &RecordView) -> Option<SignedOff> {
    let subjects = record.subject.iter().map(|s| s.digest).collect();
    signed_off(
        record.index,
        &record.stream,
        &record.body,
        subjects,
        record.time,
    )
}

fn signed_off(
    index: u64,
    stream: &str,
    body: &Value,
    subjects: Vec<Digest>,
    at: Timestamp,
) -> Option<SignedOff> {
    let said = body.get("status").and_then(Value::as_str);
    stream.starts_with(RUNS).then(|| SignedOff {
        index,
        stream: stream.to_owned(),
        status: said.unwrap_or(UNJUDGED).to_owned(),
        subjects,
        at,
    })
}

/// Judges an operation's gate again from a packet's records.
///
/// # Errors
/// Why the operation should not have begun.
pub(crate) fn check(
    records: &[VerifiedRecord],
    begin: &VerifiedRecord,
    plan: &Plan,
) -> Result<(), String> {
    let Gates::DryRun { max_age } = plan.body.gates else {
        return Ok(());
    };
    let seen: Vec<SignedOff> = records
        .iter()
        .filter(|r| [BEGUN, SIGN_OFF].contains(&r.kind.as_str()))
        .filter(|r| r.signer.role == CONTROLLER && r.index < begin.index)
        .filter_map(|r| {
            let subjects = r.subject.iter().map(|s| s.digest).collect();
            signed_off(r.index, &r.stream, &r.body, subjects, r.time)
        })
        .collect();
    let seen = newest_of_each(seen);
    let found = gate::dry_run(&wanted(&plan.body), max_age, &seen, begin.time)
        .map_err(|closed| closed.text)?;
    let named = begin.body.pointer("/gate/signOff").and_then(Value::as_u64);
    match named == Some(found.index) {
        true => Ok(()),
        false => Err(format!(
            "record {} does not rest on the dry run of record {}",
            begin.index, found.index
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(index: u64, run: &str, status: Option<&str>) -> SignedOff {
        let body = status.map_or_else(|| json!({}), |s| json!({ "status": s }));
        let at = Timestamp::from_millis(index as i64);
        signed_off(index, &format!("{RUNS}{run}"), &body, Vec::new(), at).unwrap()
    }

    #[test]
    fn of_each_run_its_last_word_counts_and_none_is_no_pass() {
        let of = |all: Vec<SignedOff>| -> Vec<(u64, String)> {
            let kept = newest_of_each(all).into_iter();
            kept.map(|s| (s.index, s.status)).collect()
        };
        let pass = || vec![seen(1, "a", None), seen(2, "a", Some("pass"))];
        assert_eq!(of(pass()), [(2, "pass".to_owned())]);
        // A run that began later and has no verdict stands, and is the newest.
        let mut later = pass();
        later.push(seen(3, "b", None));
        assert_eq!(of(later)[1], (3, UNJUDGED.to_owned()));
        // A stream that is no dry run's is none.
        let body = json!({"status": "pass"});
        let at = Timestamp::from_millis(0);
        assert_eq!(signed_off(1, "run/outside/x", &body, Vec::new(), at), None);
    }
}

//! Gates before an operation: the evidence is looked up in the ledger, the rules are `gonogo_release::gate`.

mod verdicts;

use gonogo_core::{Digest, Reason, Share, Span, Timestamp};
use gonogo_ledger::key_event::CONTROLLER;
use gonogo_ledger::verify::VerifiedRecord;
use gonogo_release::gate::{self, SignedOff};
use gonogo_release::plan::{DryRunGate, Gates, Plan, PlanBody};
use gonogo_store::ledger::{Ledger, RecordView};
use serde_json::{Value, json};

use crate::config::Config;
use crate::dry_run::recording::{
    ACCEPTED, BEGUN, COUNTED, DECLARED, EXECUTED, SIGN_OFF, UPTIME, WEAKER,
};
use crate::{AppError, Workspace};

/// The status of a run that has no verdict.
const UNJUDGED: &str = "unjudged";

/// The streams of dry runs.
const RUNS: &str = "run/dry-run/";

/// Judges the plan's gates as of now. What comes back stands in the operation's first record: nothing if no gate is demanded.
///
/// # Errors
/// The gate's reason; nothing was changed.
pub(crate) fn judge(ws: &Workspace, plan: &Plan, now: Timestamp) -> Result<Value, AppError> {
    judge_of(ws, plan.body.gates, &wanted(&plan.body), now)
}

/// Judges gates for files with these digests as of now: what `apply` asks, whoever asks it.
///
/// # Errors
/// The gate's reason.
pub(crate) fn judge_of(
    ws: &Workspace,
    gates: Gates,
    wanted: &[Digest],
    now: Timestamp,
) -> Result<Value, AppError> {
    let closed = |closed: gate::Closed| AppError::new(closed.reason, closed.text);
    let demanded = match gates {
        Gates::None => return Ok(Value::Null),
        Gates::DryRun(demanded) if demanded.declared.is_none() => {
            let text = "the plan does not say by what a dry run must have been judged: it was made by an earlier version";
            return Err(AppError::new(Reason::GateEvidenceMissing, text)
                .hint("make the plan again: `gonogo plan`"));
        }
        Gates::DryRun(demanded) => demanded,
        Gates::Verdict(demanded) => {
            let seen = verdicts::seen(ws, wanted)?;
            let (judged, built) = seen.judge(wanted, &demanded, now).map_err(|e| {
                closed(e)
                    .hint("judge the tree that is released: `gonogo suite run`, then `gonogo gate check`")
                    .hint("what is released must be among the `outputs` of a suite of that run")
            })?;
            return Ok(verdicts::named(judged, built));
        }
    };
    let seen = seen(&ws.ledger, wanted)?;
    let found = gate::dry_run(wanted, &demanded, &seen, now).map_err(closed)?;
    Ok(json!({"signOff": found.index, "stream": found.stream, "at": found.at}))
}

/// What an environment demands of a plan that is made now: a dry run must have been judged by what is declared now.
pub(crate) fn demanded(config: &Config, gates: Gates) -> Gates {
    match gates {
        Gates::DryRun(gate) => Gates::DryRun(DryRunGate {
            declared: Some(crate::dry_run::declared::digest(&config.dry_run)),
            ..gate
        }),
        other => other,
    }
}

/// What the evidence must be about.
fn wanted(plan: &PlanBody) -> Vec<Digest> {
    plan.to.artifacts.iter().map(|a| a.sha256).collect()
}

/// The stream of the dry run that a plan's gate would rest on now, so that packets hold it.
pub(crate) fn streams(ws: &Workspace, plan: &PlanBody) -> Result<Vec<String>, AppError> {
    let wanted = wanted(plan);
    let mut streams: Vec<String> = match plan.gates {
        Gates::None => return Ok(Vec::new()),
        Gates::DryRun(_) => seen(&ws.ledger, &wanted)?
            .into_iter()
            .map(|s| s.stream)
            .collect(),
        Gates::Verdict(_) => {
            let seen = verdicts::seen(ws, &wanted)?;
            let runs = seen
                .built
                .iter()
                .filter(|b| wanted.iter().all(|w| b.outputs.contains(w)));
            let trees: Vec<&str> = runs.clone().map(|b| b.tree.as_str()).collect();
            let judged = seen
                .judged
                .iter()
                .filter(|j| trees.contains(&j.tree.as_str()));
            let of_verdicts = judged.map(|j| j.stream.clone());
            runs.map(|b| b.stream.clone()).chain(of_verdicts).collect()
        }
    };
    streams.sort_unstable();
    streams.dedup();
    Ok(streams)
}

/// Verdicts about any of the artifacts that a controller of this ledger signed.
pub(crate) fn seen(ledger: &Ledger, wanted: &[Digest]) -> Result<Vec<SignedOff>, AppError> {
    let controllers: Vec<_> = ledger
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
        for index in ledger.about(artifact, kind, u32::MAX)? {
            if all.iter().any(|s| s.index == index) {
                continue;
            }
            let record = ledger.record_at(index)?;
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
    // What was run stands in the beginning, which was signed before anything ran.
    let begun: Vec<SignedOff> = all
        .iter()
        .filter(|s| s.status == UNJUDGED)
        .cloned()
        .collect();
    for end in all.iter_mut().filter(|s| s.status != UNJUDGED) {
        let own = begun
            .iter()
            .find(|b| b.stream == end.stream && b.index < end.index);
        // What was changed meanwhile is no subject of the end any more.
        end.executed = own.map_or_else(Vec::new, |begun| {
            let kept = begun.executed.iter().filter(|d| end.subjects.contains(d));
            kept.copied().collect()
        });
        // By what a run is judged was settled before it.
        end.declared = own.and_then(|begun| begun.declared);
        end.weaker = own.map_or_else(Vec::new, |begun| begun.weaker.clone());
    }
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
        executed: digests(body.get(EXECUTED)),
        declared: body
            .get(DECLARED)
            .and_then(Value::as_str)
            .and_then(|d| d.parse().ok())
            // Without a list of what was asked less nobody knows that nothing was.
            .filter(|_| body.get(WEAKER).is_some_and(Value::is_array)),
        weaker: words(body.get(WEAKER)),
        counted: body
            .get(COUNTED)
            .and_then(Value::as_u64)
            .map(Span::from_millis),
        uptime: body
            .get(UPTIME)
            .and_then(Value::as_u64)
            .and_then(|ppm| u32::try_from(ppm).ok())
            .filter(|ppm| *ppm <= Share::FULL.ppm())
            .map(Share::from_ppm),
        accepted_warnings: body.get(ACCEPTED).and_then(Value::as_u64),
        at,
    })
}

fn words(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    // What is no word still says that something was.
    list.map(|w| w.as_str().map_or_else(|| w.to_string(), str::to_owned))
        .collect()
}

fn digests(list: Option<&Value>) -> Vec<Digest> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|d| d.as_str()?.parse().ok()).collect()
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
    let demanded = match plan.body.gates {
        Gates::None => return Ok(()),
        Gates::DryRun(demanded) => demanded,
        Gates::Verdict(demanded) => {
            let seen = verdicts::of_packet(records, begin.index);
            let (judged, built) = seen
                .judge(&wanted(&plan.body), &demanded, begin.time)
                .map_err(|closed| closed.text)?;
            let said = |key: &str| begin.body.pointer(key).and_then(Value::as_u64);
            let same = said("/gate/verdict") == Some(judged.index)
                && said("/gate/built") == Some(built.index);
            return match same {
                true => Ok(()),
                false => Err(format!(
                    "record {} does not rest on the verdict of record {} and the run of record {}",
                    begin.index, judged.index, built.index
                )),
            };
        }
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
    let found = gate::dry_run(&wanted(&plan.body), &demanded, &seen, begin.time)
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
        // What ran is what the beginning says, if it is still a subject at the end.
        let digest = |text: &str| Digest::of(text.as_bytes());
        let began = json!({"executed": [digest("a"), digest("b"), "nonsense"], "declared": digest("d"), "weaker": ["less"]});
        let claimed = json!({"status": "pass", "executed": [digest("c")], "declared": digest("e"), "weaker": [], "countedMs": 5, "uptimePpm": 990_000, "acceptedWarnings": 0});
        let of_body = |index: u64, body: &Value, subjects: &[&str]| {
            let subjects = subjects.iter().map(|s| digest(s)).collect();
            let at = Timestamp::from_millis(0);
            signed_off(index, "run/dry-run/c", body, subjects, at).unwrap()
        };
        let kept = newest_of_each(vec![
            of_body(5, &claimed, &["a", "c"]),
            of_body(4, &began, &["a", "b", "c"]),
        ]);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].executed, [digest("a")]);
        // So is what it was judged by; a record that does not say whether anything was asked less says nothing of it.
        assert_eq!(kept[0].declared, Some(digest("d")));
        assert_eq!(kept[0].weaker, ["less"]);
        let silent = of_body(6, &json!({"declared": digest("d")}), &[]);
        assert_eq!(silent.declared, None);
        assert_eq!(kept[0].counted, Some(Span::from_millis(5)));
        assert_eq!(kept[0].uptime, Some(Share::from_ppm(990_000)));
        assert_eq!(kept[0].accepted_warnings, Some(0));
        // A stream that is no dry run's is none.
        let body = json!({"status": "pass"});
        let at = Timestamp::from_millis(0);
        assert_eq!(signed_off(1, "run/outside/x", &body, Vec::new(), at), None);
    }
}

//! A verdict in the shapes of older reports: JSON documents, event lines, Markdown.
//!
//! Views say nothing that the verdict does not. Their words are `pass`, `warn`, `fail`, `skip`; a gate that is excused keeps its own word
//! and is marked as waived.

mod dossier;
mod markdown;

use gonogo_core::{Reason, Verdict as Status};
use serde_json::{Value, json};

pub use dossier::dossier_markdown;
pub use markdown::markdown;

use crate::policy::Lane;
use crate::verdict::{Asked, ExcuseStatus, GateResult, Verdict};

/// Schema of [`full_suite_verdict`].
pub const FULL: &str = "gonogo.gate.full_suite.v1";
/// Schema of a line of [`events`].
pub const EVENT: &str = "gonogo.gate.event.v1";
/// Schema of [`preflight_verdict`].
pub const PREFLIGHT: &str = "gonogo.gate.preflight.v1";
/// Schema of [`certification_lane`].
pub const CERTIFICATION: &str = "gonogo.gate.certification.v1";
/// Schema of [`waiver_audit`].
pub const WAIVERS: &str = "gonogo.gate.waiver_audit.v1";
/// Schema of [`quarantine_report`].
pub const QUARANTINES: &str = "gonogo.gate.quarantine_report.v1";
/// Schema of [`promotion`].
pub const PROMOTION: &str = "gonogo.gate.promotion.v1";

/// The word of a verdict: excused is a warning, and nothing but a pass is a pass.
pub const fn word(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Excused => "warn",
        Status::Hold | Status::Fail | Status::Invalid => "fail",
    }
}

fn gate(gate: &GateResult) -> Value {
    let first = gate.reasons.first();
    json!({
        "id": gate.id,
        "name": gate.title,
        "owner": gate.owner,
        "severity": gate.severity,
        "status": blocking_word(gate),
        "waived": gate.is_excused(),
        "verdict": gate.status,
        "blocking": gate.blocking,
        "artifact_path": gate.evidence().first().map(|e| &e.what),
        "evidence": gate.evidence(),
        "detail": first.map(|told| format!("{}: {}", told.code, told.text)),
        "reasons": gate.reasons,
        "reasons_omitted": gate.reasons_omitted,
        "reproduce_command": gate.reproduce,
        "remediation": gate.remediation,
    })
}

/// A blocking gate that was left out because the lane had stopped is told as skipped; one that is skipped for any other reason fails.
fn blocking_word(gate: &GateResult) -> &'static str {
    match gate.asked {
        Asked::Judged => gate.word(),
        Asked::NotReached | Asked::NotDeclared => "skip",
    }
}

fn head(verdict: &Verdict, schema: &str) -> Value {
    json!({
        "schema": schema,
        "generated_at": verdict.judged_at,
        "lane": verdict.gate_id,
        "verdict": word(verdict.verdict),
        "status": verdict.verdict,
        "exit_code": verdict.exit_code,
        "tree": verdict.tree,
        "commit": verdict.commit,
        "policy": {"digest": verdict.policy_digest, "built_in": verdict.policy_is_default},
        "expires_at": verdict.expires_at,
        "inputs_digest": verdict.inputs_digest,
        "verdict_digest": verdict.self_digest,
    })
}

fn with(mut head: Value, rest: Value) -> Value {
    if let (Value::Object(head), Value::Object(rest)) = (&mut head, rest) {
        head.extend(rest);
    }
    head
}

fn judged(verdict: &Verdict) -> impl Iterator<Item = &GateResult> {
    verdict.gates.iter().filter(|g| g.asked == Asked::Judged)
}

fn blocking(verdict: &Verdict) -> impl Iterator<Item = &GateResult> {
    judged(verdict).filter(|g| g.blocking)
}

fn count(of: impl Iterator<Item = bool>) -> usize {
    of.filter(|yes| *yes).count()
}

fn summary(verdict: &Verdict) -> Value {
    let words: Vec<&str> = verdict.gates.iter().map(blocking_word).collect();
    let is = |word: &str| count(words.iter().map(|w| *w == word));
    let total = blocking(verdict).count();
    let good = count(blocking(verdict).map(|g| g.status <= Status::Excused));
    json!({
        "total_gates": verdict.gates.len(),
        "passed": is("pass"),
        "failed": is("fail"),
        "warned": is("warn"),
        "skipped": is("skip"),
        "waived": count(verdict.gates.iter().map(GateResult::is_excused)),
        "blocking_pass": good,
        "blocking_total": total,
        "all_blocking_pass": total > 0 && good == total,
    })
}

/// `full_suite_verdict.json`.
pub fn full_suite_verdict(verdict: &Verdict) -> Value {
    let gates: Vec<Value> = verdict.gates.iter().map(gate).collect();
    let rest = json!({"gates": gates, "summary": summary(verdict)});
    with(head(verdict, FULL), rest)
}

/// `full_suite_events.jsonl`, and the certification's events: one line a gate.
pub fn events(verdict: &Verdict) -> String {
    let mut out = String::new();
    for g in &verdict.gates {
        let line = json!({
            "schema": EVENT,
            "ts": verdict.judged_at,
            "lane": verdict.gate_id,
            "gate_id": g.id,
            "gate_name": g.title,
            "owner": g.owner,
            "status": blocking_word(g),
            "verdict": g.status,
            "waived": g.is_excused(),
            "blocking": g.blocking,
            "reasons": g.reasons.iter().map(|told| told.code).collect::<Vec<_>>(),
            "artifact_path": g.evidence().first().map(|e| &e.what),
        });
        out.push_str(&line.to_string());
        out.push('\n');
    }
    out
}

fn applied(verdict: &Verdict) -> Vec<Value> {
    let all = verdict.gates.iter();
    all.flat_map(|g| {
        g.excuses.iter().map(|e| {
            json!({"gate_id": g.id, "kind": e.kind, "id": e.id, "digest": e.digest, "expires": e.expires})
        })
    })
    .collect()
}

/// `preflight_verdict.json`.
pub fn preflight_verdict(verdict: &Verdict) -> Value {
    let first = blocking(verdict).find(|g| g.status > Status::Excused);
    let gates: Vec<Value> = verdict
        .gates
        .iter()
        .filter(|g| g.blocking)
        .map(gate)
        .collect();
    let not_reached = count(verdict.gates.iter().map(|g| g.asked == Asked::NotReached));
    let skipped = count(verdict.gates.iter().map(|g| g.asked != Asked::Judged));
    let rest = json!({
        "gates_evaluated": blocking(verdict).count(),
        "first_failure": first.map(|g| &g.id),
        "blocking_gates": gates,
        "waivers_applied": applied(verdict),
        "summary": {
            "blocking_pass": count(blocking(verdict).map(|g| g.status <= Status::Excused && !g.is_excused())),
            "blocking_fail": count(blocking(verdict).map(|g| g.status > Status::Excused)),
            "blocking_skip": skipped,
            "blocking_waived": count(blocking(verdict).map(GateResult::is_excused)),
            "blocking_total": verdict.gates.iter().filter(|g| g.blocking).count(),
            "fail_fast_triggered": not_reached > 0,
        },
    });
    with(head(verdict, PREFLIGHT), rest)
}

/// `waiver_audit.json`.
pub fn waiver_audit(verdict: &Verdict) -> Value {
    let is = |status: ExcuseStatus| count(verdict.waivers.iter().map(|w| w.status == status));
    let waivers: Vec<Value> = verdict
        .waivers
        .iter()
        .map(|w| {
            json!({
                "gate_id": w.gate_id,
                "status": w.status,
                "detail": w.detail,
                "days_remaining": w.days_remaining,
                "digest": w.digest,
                "raw": w.fields,
            })
        })
        .collect();
    let gate = verdict.gate(crate::policy::WAIVERS);
    json!({
        "schema": WAIVERS,
        "generated_at": verdict.judged_at,
        "verdict": gate.map(|g| g.status),
        "reasons": gate.map(|g| &g.reasons),
        "total_waivers": verdict.waivers.len(),
        "active": is(ExcuseStatus::Active),
        "expiring_soon": is(ExcuseStatus::ExpiringSoon),
        "unapproved": is(ExcuseStatus::Unapproved),
        "expired": is(ExcuseStatus::Expired),
        "invalid": is(ExcuseStatus::Invalid),
        "waivers": waivers,
    })
}

/// `quarantine_report.json`.
pub fn quarantine_report(verdict: &Verdict) -> Value {
    let all = &verdict.quarantines;
    let is = |status: ExcuseStatus| count(all.iter().map(|q| q.status == status));
    let mut categories = std::collections::BTreeMap::<&str, u64>::new();
    for q in all {
        let category = q.fields.get("category").map_or("unknown", String::as_str);
        *categories.entry(category).or_default() += 1;
    }
    let escalations: Vec<Value> = all
        .iter()
        .filter(|q| q.status != ExcuseStatus::Active)
        .map(|q| {
            let level = match q.status {
                ExcuseStatus::Active | ExcuseStatus::ExpiringSoon => "warning",
                _ => "critical",
            };
            json!({"id": q.id, "level": level, "status": q.status, "detail": q.detail})
        })
        .collect();
    let gate = verdict.gate(crate::policy::QUARANTINES);
    json!({
        "schema": QUARANTINES,
        "generated_at": verdict.judged_at,
        "verdict": gate.map(|g| g.status),
        "reasons": gate.map(|g| &g.reasons),
        "active_count": is(ExcuseStatus::Active),
        "expiring_soon_count": is(ExcuseStatus::ExpiringSoon),
        "unapproved_count": is(ExcuseStatus::Unapproved),
        "expired_count": is(ExcuseStatus::Expired),
        "invalid_count": is(ExcuseStatus::Invalid),
        "category_counts": categories,
        "entries": all,
        "escalations": escalations,
        "notes": gate.map(|g| &g.notes),
    })
}

/// Whether it can be promoted, and what stands against it.
pub fn promotion(verdict: &Verdict) -> Value {
    let blockers: Vec<&str> = blocking(verdict)
        .filter(|g| g.status > Status::Excused)
        .map(|g| g.id.as_str())
        .collect();
    let not_reached: Vec<&str> = verdict
        .gates
        .iter()
        .filter(|g| g.blocking && g.asked == Asked::NotReached)
        .map(|g| g.id.as_str())
        .collect();
    let excused: Vec<&str> = verdict
        .gates
        .iter()
        .filter(|g| g.is_excused())
        .map(|g| g.id.as_str())
        .collect();
    let has = |status: ExcuseStatus| {
        verdict.waivers.iter().any(|w| w.status == status)
            || verdict.quarantines.iter().any(|q| q.status == status)
    };
    let conditions = json!([
        {"condition": "every blocking gate passes or is excused", "ok": blockers.is_empty() && not_reached.is_empty()},
        {"condition": "no excuse has expired", "ok": !has(ExcuseStatus::Expired)},
        {"condition": "every excuse can be read and keeps the rules", "ok": !has(ExcuseStatus::Invalid)},
        {"condition": "every excuse that the change brings is approved", "ok": !has(ExcuseStatus::Unapproved)},
        {"condition": "it is the certification's lane", "ok": verdict.gate_id == Lane::Certification.word()},
    ]);
    let can = verdict.verdict <= Status::Excused
        && conditions
            .as_array()
            .is_some_and(|all| all.iter().all(|c| c["ok"] == json!(true)));
    json!({
        "schema": PROMOTION,
        "mode": if verdict.reasons.contains(&Reason::RollbackModeActive) { "rollback" } else { "strict" },
        "can_promote": can,
        "blocker_gates": blockers,
        "waiver_gates": excused,
        "conditions": conditions,
        "expires_at": verdict.expires_at,
    })
}

/// `certification_lane.json`: the lane's verdict. The certification verdict itself follows from a contract's hard gates.
pub fn certification_lane(verdict: &Verdict) -> Value {
    let gates: Vec<Value> = verdict.gates.iter().map(gate).collect();
    let rest = json!({
        "gates": gates,
        "summary": summary(verdict),
        "waiver_audit": waiver_audit(verdict),
        "quarantine_report": quarantine_report(verdict),
        "waivers_applied": applied(verdict),
        "promotion_rules": promotion(verdict),
        "rerun_guidance": {
            "preflight_command": "gonogo gate check --lane preflight",
            "full_command": "gonogo gate check --lane full",
            "certification_command": "gonogo gate check --lane certification",
            "single_gate_template": "gonogo gate explain GATE",
        },
    });
    with(head(verdict, CERTIFICATION), rest)
}

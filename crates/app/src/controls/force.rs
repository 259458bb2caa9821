//! What an environment is held to, whichever file is asked: the policy and the gates of its last operations, as store and ledger know them.
//!
//! A file can be named with `--config`, or edited and taken back, and asks then for whatever its writer likes. What an operation was held
//! to was approved by people. So a control asks both, as an approval does (`approvalBefore` of a plan), until people have approved a plan
//! that was made with the file as it is.

use gonogo_core::id::OperationId;
use gonogo_core::{Digest, Reason, canonical};
use gonogo_gate::inputs::FileState;
use gonogo_release::approval::ApprovalPolicy;
use gonogo_release::plan::{Gates, Plan, PlanKind};
use gonogo_store::Operation;
use serde_json::Value;

use crate::approving::superseding;
use crate::config::Environment;
use crate::gates::{declared, gathering};
use crate::{AppError, Workspace, applying, approving, gating};

/// Most operations of an environment that are looked at, newest first.
const LOOKED_AT: u32 = 500;
/// Most plans of an environment that are looked at, newest first.
const PLANS: u32 = 50;

/// The approval policy that the environment's newest operation was held to. None before the first.
pub(crate) fn policy(
    ws: &Workspace,
    environment: &str,
) -> Result<Option<ApprovalPolicy>, AppError> {
    let newest = ws.store.operations("", Some(environment), 1)?;
    match newest.first() {
        Some(last) => Ok(Some(applying::plan_of(ws, &last.plan)?.body.approval)),
        None => Ok(None),
    }
}

/// The environment's operations by which it is told what was in force at a moment, newest first.
pub(super) fn operations(ws: &Workspace, environment: &str) -> Result<Vec<Operation>, AppError> {
    Ok(ws.store.operations("", Some(environment), LOOKED_AT)?)
}

/// A policy's digest, as records name it.
pub(crate) fn digest(policy: &impl serde::Serialize) -> Result<Digest, AppError> {
    Ok(Digest::of(&canonical::to_vec(policy)?))
}

/// The gates that the environment's newest release was held to.
pub(crate) struct Held {
    /// The operation.
    pub(crate) operation: OperationId,
    /// What it demanded.
    pub(crate) gates: Gates,
    /// The record of the verdict that it rested on, where it did on one.
    verdict: Option<u64>,
}

/// The gates in force in an environment beside those of the file; none before the first release, and none where `accepts` names a plan.
pub(crate) fn gates(ws: &Workspace, environment: &str) -> Result<Option<Held>, AppError> {
    for operation in operations(ws, environment)? {
        let plan = applying::plan_of(ws, &operation.plan)?;
        if plan.body.kind != PlanKind::Release {
            continue;
        }
        let begun = ws.every(format!("operation/{}", operation.id), "operation")?;
        let begun = begun.first();
        return Ok(Some(Held {
            gates: plan.body.gates,
            verdict: begun.and_then(|r| r.body.pointer("/gate/verdict")?.as_u64()),
            operation: operation.id,
        }));
    }
    Ok(None)
}

/// The plan that people have approved for what comes next: it stands, and was not carried out yet.
pub(super) fn approved(ws: &Workspace, environment: &str) -> Result<Option<Plan>, AppError> {
    let last = ws.store.operations("", Some(environment), LOOKED_AT)?;
    for plan in ws.store.plans(Some(environment), None, PLANS)? {
        let stands = plan.body.kind == PlanKind::Release
            && superseding::by(ws, &plan)?.is_none()
            && !last.iter().any(|o| o.plan == plan.id);
        if stands && approving::voices(ws, &plan).is_ok_and(|v| v.missing.is_empty()) {
            return Ok(Some(plan));
        }
    }
    Ok(None)
}

/// That plan, if it was made with the file as it is: by it people have accepted the file.
pub(super) fn accepts(ws: &Workspace, environment: &Environment) -> Result<Option<Plan>, AppError> {
    let now = gating::demanded(&ws.config, environment.gates);
    let plan = approved(ws, &environment.name)?;
    Ok(plan.filter(|p| p.body.config == ws.config.digest && p.body.gates == now))
}

/// Refuses a verdict that was judged by another policy, or of another declaration, than the project has now, or than the environment's
/// last release rested on. `evidence` is what judging gave.
pub(crate) fn same_rules(
    ws: &Workspace,
    environment: &str,
    evidence: &Value,
    held: Option<&Held>,
) -> Result<(), AppError> {
    let Some(index) = evidence.get("verdict").and_then(Value::as_u64) else {
        return Ok(());
    };
    let judged = ws.ledger.record_at(index)?.body;
    let refused = |what: String| {
        let text = format!("the verdict of record {index} was judged by {what}");
        Err(AppError::new(Reason::GateEvidenceMissing, text)
            .hint("judge again as the project is: `gonogo suite run`, then `gonogo gate check`")
            .hint("where the rules were changed since: have a plan approved that was made with the file as it is"))
    };
    let word = |body: &Value, key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    if let Err(what) = rules_of(&judged, &rules_now(ws)) {
        return refused(what);
    }
    let Some(held) = held else {
        return Ok(());
    };
    let Some(earlier) = held.verdict else {
        return Ok(());
    };
    let earlier = ws.ledger.record_at(earlier)?.body;
    for key in ["policy", "declared"] {
        if word(&judged, key) != word(&earlier, key) {
            let operation = &held.operation;
            return refused(format!(
                "another policy or declaration than `{operation}`, the last release of `{environment}`, was held to"
            ));
        }
    }
    Ok(())
}

/// By what verdicts are judged: the policy's digest, none where its file cannot be read, and that of what is declared.
pub(crate) struct Rules {
    policy: Option<Digest>,
    declared: Digest,
}

/// Those that the project has now.
pub(crate) fn rules_now(ws: &Workspace) -> Rules {
    let policy = match gathering::file(&ws.config.root().join(gathering::POLICY)) {
        FileState::Absent => Some(gonogo_gate::policy::DEFAULT.to_owned()),
        FileState::Text { text } => Some(text),
        FileState::Unreadable { .. } => None,
    };
    Rules {
        policy: policy.map(|text| Digest::of(text.as_bytes())),
        declared: declared::digest_of(&ws.config),
    }
}

/// Whether a verdict, by its record's body, was judged by these.
///
/// # Errors
/// By what else, in words.
pub(crate) fn rules_of(verdict: &Value, rules: &Rules) -> Result<(), String> {
    let says = |key: &str| -> Option<Digest> { verdict.get(key)?.as_str()?.parse().ok() };
    if rules.policy.is_none() || says("policy") != rules.policy {
        return Err(format!(
            "another policy than `{}` has now",
            gathering::POLICY
        ));
    }
    match says("declared") == Some(rules.declared) {
        true => Ok(()),
        false => Err("other suites and budgets than are declared now".into()),
    }
}

//! Supersession: of the plans that release something in one environment, the newest stands. What was approved before dies with the older
//! one, and stays dead when that is planned again. A plan that goes back supersedes nothing and is never superseded: nothing may stand in
//! its way, and the target's state says whether it still fits.

use gonogo_core::{Reason, Timestamp};
use gonogo_release::plan::{Plan, PlanKind};
use gonogo_store::ledger::Draft;
use serde_json::json;

use super::facts::{Live, superseded_by};
use crate::{AppError, Workspace, planning};

/// Kind of the record that a plan is superseded by.
pub const KIND: &str = "plan-superseded";

/// How many earlier plans are looked at. Of those that stood before, all but one were superseded when the next one was made.
const LOOKED_AT: u32 = 50;

/// Who superseded a plan, if it does not stand.
pub(crate) fn by(ws: &Workspace, plan: &Plan) -> Result<Option<String>, AppError> {
    let live = Live::of(ws, plan)?;
    Ok(superseded_by(&live.said()).map(str::to_owned))
}

/// Refuses a plan that a newer one superseded.
pub(crate) fn check(ws: &Workspace, plan: &Plan) -> Result<(), AppError> {
    match by(ws, plan)? {
        None => Ok(()),
        Some(newer) => {
            let text = format!(
                "plan `{}` was superseded by `{newer}`; nothing was changed",
                plan.id
            );
            Err(AppError::new(Reason::PlanSuperseded, text)
                .with("supersededBy", newer.as_str())
                .hint(format!("look at the newer one: `gonogo plan show {newer}`"))
                .hint("or plan this change again; earlier approvals do not carry over"))
        }
    }
}

/// A refusal for want of approvals of a plan that was superseded, with by which.
pub(super) fn naming(mut error: AppError, plan: &Plan, newer: &str) -> AppError {
    error.message = format!(
        "{}\nplan `{}` was superseded by `{newer}`",
        error.message, plan.id
    );
    error.hints = vec![
        format!("look at the newer one: `gonogo plan show {newer}`"),
        "or plan this change again; earlier approvals do not carry over".into(),
    ];
    error.with("supersededBy", newer)
}

/// As [`check`], where somebody decides: the refusal is recorded.
pub(crate) fn refuse(ws: &Workspace, plan: &Plan, actor: &str) -> Result<(), AppError> {
    check(ws, plan).map_err(|e| ws.refused(&planning::stream(&plan.id), actor, e))
}

/// Says of every other release's plan of the environment that this one supersedes it.
pub(crate) fn supersede(ws: &Workspace, newer: &Plan, now: Timestamp) -> Result<(), AppError> {
    if newer.body.kind == PlanKind::Rollback {
        return Ok(());
    }
    let environment = newer.body.environment.as_str();
    let mut drafts = Vec::new();
    for plan in ws.store.plans(Some(environment), None, LOOKED_AT)? {
        if plan.id == newer.id || plan.body.kind != newer.body.kind || by(ws, &plan)?.is_some() {
            continue;
        }
        drafts.push(Draft {
            stream: planning::stream(&plan.id),
            key: format!("superseded/{}/{now}", newer.id),
            kind: KIND.into(),
            subject: vec![gonogo_ledger::Subject {
                name: plan.id.to_string(),
                digest: plan.fingerprint.digest(),
            }],
            time: now,
            actor: newer.requester.clone(),
            body: json!({"plan": plan.id, "by": newer.id, "fingerprint": newer.fingerprint}),
            signer: None,
        });
    }
    ws.ledger.append(drafts)?;
    Ok(())
}

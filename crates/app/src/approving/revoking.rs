//! Taking an approval back before it is used: its giver may, and the person for whom it was given, and an admin who says that they are one.
//!
//! Invariant: an approval is used or taken back, never both. Both records have the same key in the plan's stream, so the ledger lets one in.

use gonogo_core::Reason;
use gonogo_core::id::{ApprovalId, PlanId};
use gonogo_release::approval::Presented;
use gonogo_release::plan::Plan;
use gonogo_store::ledger::{Draft, Filter, LedgerError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{KIND as GIVEN, demand, facts, login, presented};
use crate::access::{Principal, Scope};
use crate::identity::Identity;
use crate::{AppError, Workspace, planning};

/// Kind of the record that an approval is taken back by.
pub const KIND: &str = "approval-revocation";

/// An approval that was taken back.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// The approval.
    pub approval: ApprovalId,
    /// The plan that it was for.
    pub plan: PlanId,
    /// Who took it back.
    pub by: String,
    /// In which right: `giver`, `delegator` or `admin`.
    pub right: String,
    /// Why.
    pub why: String,
}

/// Takes an approval back.
///
/// # Errors
/// Nobody knows it; it is a rejection; [`Reason::ApprovalUsed`]; [`Reason::ApprovalNotYours`], which is recorded.
pub fn revoke(
    ws: &Workspace,
    wanted: &str,
    why: &str,
    as_admin: bool,
    principal: &Principal,
) -> Result<Revoked, AppError> {
    principal.must_be_a_person()?;
    crate::access::tokens::must_be_a_person(ws, &principal.name)?;
    if let Some(revoked) = ws.left_as(KIND, "")? {
        return Ok(revoked);
    }
    let now = ws.now()?;
    let (id, plan) = find(ws, wanted)?;
    let stream = planning::stream(&plan.id);
    let means = login::means(principal);
    let me = match means.is_empty() {
        true => Some(Identity::claimed(ws)?),
        false => None,
    };
    let all: Vec<Presented> = presented(ws, &plan)?
        .into_iter()
        .filter(|p| p.approval.approval_id == id.as_str())
        .collect();
    if all.iter().all(|p| p.approval.decision == "rejected") {
        let text =
            format!("`{id}` is a rejection, and only its giver's own later approval takes it back");
        return Err(AppError::new(Reason::RejectionStands, text)
            .hint(format!("`gonogo approve {}`", plan.id)));
    }
    let right = match right(&all, me.as_ref(), principal) {
        Some(right) => right,
        None if as_admin => {
            principal.must_have(Scope::Admin)?;
            "admin"
        }
        None => {
            let text = format!("approval `{id}` is not `{}`'s to take back", principal.name);
            let error = AppError::new(Reason::ApprovalNotYours, text)
                .hint("an admin says so: `gonogo approval revoke APPROVAL --as-admin`");
            let actor =
                me.map_or_else(|| principal.name.clone(), |m| format!("key:{}", m.key_id()));
            return Err(ws.refused(&stream, &actor, error));
        }
    };
    let signer = match me {
        Some(me) => {
            me.enrol(ws)?;
            me.key.clone()
        }
        None => None,
    };
    let mut body =
        json!({"approval": id, "plan": plan.id, "by": principal.name, "right": right, "why": why});
    if let (false, Some(map)) = (means.is_empty(), body.as_object_mut()) {
        map.insert("means".into(), json!(means));
    }
    let draft = Draft {
        stream,
        key: format!("use/{id}"),
        kind: KIND.into(),
        subject: vec![gonogo_ledger::Subject {
            name: plan.id.to_string(),
            digest: plan.fingerprint.digest(),
        }],
        time: now,
        actor: principal.name.clone(),
        body,
        signer,
    };
    append(ws, &plan, &id, draft)?;
    Ok(Revoked {
        approval: id,
        plan: plan.id,
        by: principal.name.clone(),
        right: right.into(),
        why: why.into(),
    })
}

/// Appends a revocation, unless the approval was used or taken back first.
pub(super) fn append(
    ws: &Workspace,
    plan: &Plan,
    id: &ApprovalId,
    draft: Draft,
) -> Result<(), AppError> {
    let taken = |used: bool| match used {
        true => AppError::new(
            Reason::ApprovalUsed,
            format!("approval `{id}` was used for plan `{}` already", plan.id),
        )
        .hint("the operations of the environment: `gonogo ops list`"),
        false => AppError::new(
            Reason::ApprovalRevoked,
            format!("approval `{id}` was taken back already"),
        ),
    };
    if ws.store.approval_user(id)?.is_some() {
        return Err(taken(true));
    }
    match ws.append(vec![draft]) {
        Err(LedgerError::KeyReused { index, .. }) => {
            Err(taken(ws.ledger.record_at(index)?.kind != KIND))
        }
        other => Ok(other.map(drop)?),
    }
}

/// In which right somebody takes it back; none if in none.
fn right(all: &[Presented], me: Option<&Identity>, principal: &Principal) -> Option<&'static str> {
    let name = principal.name.as_str();
    let key = me.map(Identity::key_id);
    for one in all {
        let a = &one.approval;
        let proven = |signed: Option<&String>| match &key {
            Some(key) => signed == Some(key),
            None => true,
        };
        if a.approver_id == name && proven(one.key.as_ref()) {
            return Some("giver");
        }
        let from = one.delegation.as_ref();
        if a.delegated_by == name && from.is_some_and(|d| proven(d.key.as_ref())) {
            return Some("delegator");
        }
    }
    None
}

/// The plan of an approval with this id that was given by who it says, if there is one. A forged one does not keep the true one out.
pub(super) fn genuine(ws: &Workspace, id: &str) -> Result<Option<PlanId>, AppError> {
    for (_, plan) in named(ws, |known| known == id)? {
        if is_genuine(ws, id, &plan)? {
            return Ok(Some(plan));
        }
    }
    Ok(None)
}

fn is_genuine(ws: &Workspace, id: &str, plan: &PlanId) -> Result<bool, AppError> {
    let now = ws.now()?;
    let (plan, recorded) = planning::read_recorded(ws, plan)?;
    let demanded = demand(&plan, &recorded, now);
    let of_another = |token: &String| {
        [
            "approval.signature",
            "approval.approverId.listed",
            "approval.delegation.known",
            "approval.delegation.from.listed",
            "approval.delegation.to.match",
        ]
        .contains(&token.as_str())
    };
    let all = presented(ws, &plan)?;
    let mut same = all.iter().filter(|p| p.approval.approval_id == id);
    Ok(same.any(
        |one| match gonogo_release::approval::check_alone(one, &demanded) {
            Ok(()) => true,
            Err(refusal) => !refusal.missing_fields.iter().any(of_another),
        },
    ))
}

/// The approvals whose id is wanted, each with its plan.
fn named(
    ws: &Workspace,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<(ApprovalId, PlanId)>, AppError> {
    let records = ws.ledger.every(Filter {
        kind: Some(GIVEN.into()),
        ..Filter::default()
    })?;
    let mut found: Vec<(ApprovalId, PlanId)> = Vec::new();
    for record in &records {
        let id = record
            .body
            .get("approval")
            .map(|a| facts::text(a, "approvalId"));
        let plan = record.stream.strip_prefix("plan/");
        let (Some(Ok(id)), Some(Ok(plan))) = (
            id.filter(|id| wanted(id)).map(str::parse),
            plan.map(str::parse),
        ) else {
            continue;
        };
        if !found.contains(&(ApprovalId::clone(&id), PlanId::clone(&plan))) {
            found.push((id, plan));
        }
    }
    Ok(found)
}

/// Finds the one approval whose id starts with `wanted`, and its plan.
fn find(ws: &Workspace, wanted: &str) -> Result<(ApprovalId, Plan), AppError> {
    let begin = match wanted.starts_with(ApprovalId::PREFIX) {
        true => wanted.to_owned(),
        false => format!("{}{wanted}", ApprovalId::PREFIX),
    };
    let mut found = named(ws, |id| id.starts_with(&begin))?;
    if let [(first, _), others @ ..] = found.as_slice()
        && !others.is_empty()
        && others.iter().all(|(id, _)| id == first)
    {
        // One id for several plans: what somebody else wrote under it names nothing.
        let mut true_ones = Vec::new();
        for (id, plan) in &found {
            if is_genuine(ws, id.as_str(), plan)? {
                true_ones.push((id.clone(), plan.clone()));
            }
        }
        if !true_ones.is_empty() {
            found = true_ones;
        }
    }
    match found.as_slice() {
        [(id, plan)] => Ok((id.clone(), planning::read(ws, plan)?)),
        [] => {
            let text = format!("no approval's id starts with `{begin}`");
            Err(AppError::new(Reason::InputNotFound, text)
                .hint("`gonogo approval show PLAN` lists a plan's"))
        }
        many => {
            let told: Vec<&str> = many.iter().map(|(id, _)| id.as_str()).collect();
            let text = format!("`{wanted}` may be {}", told.join(" or "));
            Err(AppError::new(Reason::IdAmbiguous, text))
        }
    }
}

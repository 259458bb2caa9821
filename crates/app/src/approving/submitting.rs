//! Bringing an approval that was signed on another machine. Who brings it proves nothing: the approver's signature does.

use gonogo_core::Reason;
use gonogo_core::id::PlanId;
use gonogo_release::approval;

use super::{
    Given, Signed, Untaken, demand, facts, presented, refused, superseding, take_in, told,
};
use crate::access::Principal;
use crate::{AppError, Workspace, planning, secrets};

/// Takes a signed approval in, if it breaks no rule by itself.
///
/// # Errors
/// It is none, or breaks a rule: of another plan or environment, expired, given by who asked, used, taken back, not by a listed approver.
/// The refusal is recorded.
pub fn submit(
    ws: &Workspace,
    id: &PlanId,
    signed: &Signed,
    principal: &Principal,
) -> Result<Given, AppError> {
    principal.must_be_a_person()?;
    let now = ws.now()?;
    let (plan, recorded) = planning::read_recorded(ws, id)?;
    if let Some(given) = super::left(ws, &plan, &recorded, now)? {
        return Ok(given);
    }
    let stream = planning::stream(id);
    let none = |why: String| {
        AppError::new(Reason::ApprovalInvalid, format!("the approval: {why}"))
            .hint("it is what `gonogo approve PLAN --out FILE` wrote, unchanged")
    };
    let (approval, key) = signed.open().map_err(none)?;
    secrets::refuse(&approval.note, "$.approval.note")?;
    if approval.decision != "rejected" {
        superseding::refuse(ws, &plan, &principal.name)?;
    }
    let demanded = demand(&plan, &recorded, now);
    // What is known of it already: it may have been used or taken back.
    let known = presented(ws, &plan)?
        .into_iter()
        .find(|p| p.approval == approval && p.key.as_ref() == Some(&key));
    let one = match known {
        Some(known) => known,
        None => approval::Presented {
            superseded: facts::Live::of(ws, &plan)?.stands_after(&approval),
            delegation: super::delegating::named(ws, &approval)?,
            key: Some(key.clone()),
            revoked_by: facts::Live::of(ws, &plan)?.revoked(&approval.approval_id),
            approval: approval.clone(),
            ..approval::Presented::default()
        },
    };
    let checked = match approval.decision.as_str() {
        "rejected" => approval::check_rejection(&one, &demanded),
        _ => approval::check_alone(&one, &demanded),
    };
    if let Err(refusal) = checked {
        return Err(ws.refused(&stream, &principal.name, refused(&plan, &refusal)));
    }
    take_in(ws, &plan, signed, &principal.name, now).map_err(|why| match why {
        Untaken::Malformed(why) => none(why),
        Untaken::Failed(e) => *e,
    })?;
    let own = recorded.asked(&plan, &approval.approver_id, &key);
    told(ws, &plan, approval, key, own, &demanded)
}

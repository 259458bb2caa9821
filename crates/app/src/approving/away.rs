//! Deciding where the approver's key is, about a plan that another machine keeps: what is signed is what was looked at here. The plan is
//! believed in nothing but what its fingerprint, computed again, covers.

use std::path::Path;

use gonogo_core::clock::Clock;
use gonogo_core::id::ApprovalId;
use gonogo_core::{Reason, Timestamp};
use gonogo_release::approval::Approval;
use gonogo_release::plan::Plan;

use super::delegating::DelegationView;
use super::{Say, Signed, role_of};
use crate::identity::{Identity, caller_name, random};
use crate::{AppError, secrets};

/// Refuses a plan that is not what its fingerprint says, or not the one that was asked for.
///
/// # Errors
/// [`Reason::FingerprintMismatch`].
pub fn check(plan: &Plan, asked: &str) -> Result<(), AppError> {
    let refuse = |text: String| {
        Err(AppError::new(Reason::FingerprintMismatch, text)
            .hint("nothing was signed; ask whoever runs that server"))
    };
    if !plan.is_intact() {
        return refuse(format!(
            "the server answered a plan `{}` whose content is another than its fingerprint says",
            plan.id
        ));
    }
    let id = plan.id.as_str();
    let bare = id.split_once('_').map_or(id, |(_, bare)| bare);
    if !id.starts_with(asked) && !bare.starts_with(asked) {
        return refuse(format!(
            "the server answered plan `{id}`, which is not `{asked}`"
        ));
    }
    Ok(())
}

/// Signs a decision about a plan that was checked ([`check`]), with the key in `file`. Without a name it is the approver's that the plan
/// lists with this key. `lent` are the delegations that there are, where somebody speaks for another.
///
/// # Errors
/// The key cannot be read; nobody delegated their voice; the envelope cannot be written where it was asked for.
pub fn sign(
    plan: &Plan,
    name: Option<&str>,
    file: &Path,
    say: &Say,
    lent: &[DelegationView],
    clock: &dyn Clock,
) -> Result<Signed, AppError> {
    let key = crate::identity::read_key(file)?;
    let id = key.public().id().to_string();
    let policies = std::iter::once(&plan.body.approval).chain(&plan.body.approval_before);
    let mut listed = policies.flat_map(|p| &p.approvers).filter(|a| a.key == id);
    let name = match (name, listed.next()) {
        (None, Some(approver)) => approver.id.clone(),
        (given, _) => caller_name(given)?,
    };
    let me = Identity::with(name, key);
    let approval = words(plan, &me.name, say, lent, clock.now().wall)?;
    let signed = Signed::sign(&approval, &me)?;
    if let Some(path) = &say.out {
        signed.write(path)?;
    }
    Ok(signed)
}

fn words(
    plan: &Plan,
    me: &str,
    say: &Say,
    lent: &[DelegationView],
    now: Timestamp,
) -> Result<Approval, AppError> {
    secrets::refuse(say.note.as_deref().unwrap_or_default(), "$.note")?;
    let role = |of: &str| say.role.clone().unwrap_or_else(|| role_of(plan, of));
    let approval = Approval {
        approval_id: ApprovalId::mint(random()).to_string(),
        approver_id: me.to_owned(),
        approver_role: role(me),
        decision: if say.reject { "rejected" } else { "approved" }.into(),
        decided_at: now.to_string(),
        sla_minutes: say
            .sla_minutes
            .unwrap_or(plan.body.approval.max_sla.as_millis() / 60_000),
        environment: plan.body.environment.clone(),
        plan_fingerprint: plan.fingerprint.to_string(),
        note: say.note.clone().unwrap_or_default(),
        ..Approval::default()
    };
    let Some(person) = &say.on_behalf_of else {
        return Ok(approval);
    };
    let environment = &plan.body.environment;
    let mut fitting = lent.iter().filter(|d| {
        let said = &d.delegation;
        let fits = said.from == *person && said.to == me;
        d.state == "in_force" && fits && said.environments.contains(environment)
    });
    let Some(found) = fitting.next() else {
        let text = format!(
            "`{person}` has delegated no voice in `{environment}` to `{me}` that holds now"
        );
        return Err(AppError::new(Reason::DelegationInvalid, text)
            .hint("delegations: `gonogo approval delegations`"));
    };
    Ok(Approval {
        approver_role: role(person),
        delegation: found.delegation.delegation_id.clone(),
        delegated_by: person.clone(),
        ..approval
    })
}

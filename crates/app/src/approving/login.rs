//! Deciding by login: at a server, a person who showed who they are speaks without a key of their own, where the environment lets them. The
//! record is the server's word, says by which means they showed it, and is signed by the server's key.

use gonogo_core::Reason;
use gonogo_core::id::{ApprovalId, PlanId};
use gonogo_release::approval::{self, Approval, Presented};
use gonogo_release::plan::Plan;
use serde_json::json;

use super::{Given, KIND, Say, delegating, demand, refused, role_of, superseding, told};
use crate::access::{Means, Principal};
use crate::identity::random;
use crate::{AppError, Workspace, planning};

/// How a principal showed who they are, as records say it; empty for the user of this machine, who signs.
pub(crate) fn means(principal: &Principal) -> String {
    match &principal.means {
        Means::Local => String::new(),
        Means::Token(id) => format!("token:{id}"),
        Means::Session(id) => format!("session:{id}"),
        Means::Issuer(id) => format!("issuer:{}", id.as_deref().unwrap_or("-")),
    }
}

/// Gives an approval, or a rejection, in the name of `principal`: with the key that lies here for the user of this machine, and for who asked
/// where they may approve themselves (it signed their plan, too); else by login.
///
/// # Errors
/// [`Reason::ApprovalKeyRequired`] where the environment takes no login; as [`super::approve`].
pub fn decide(
    ws: &Workspace,
    id: &PlanId,
    say: &Say,
    principal: &Principal,
) -> Result<Given, AppError> {
    principal.must_be_a_person()?;
    let means = means(principal);
    let (plan, recorded) = planning::read_recorded(ws, id)?;
    let asked =
        plan.requester == principal.name || recorded.also.iter().any(|a| a.id == principal.name);
    let signs = plan.body.approval.own && asked && ws.key_file(&principal.name).exists();
    if means.is_empty() || signs {
        return super::approve(ws, id, say);
    }
    let now = ws.now()?;
    if let Some(given) = super::left(ws, &plan, &recorded, now)? {
        return Ok(given);
    }
    if !say.reject {
        superseding::refuse(ws, &plan, &principal.name)?;
    }
    let name = principal.name.as_str();
    let stream = planning::stream(id);
    let max = plan.body.approval.max_sla.as_millis() / 60_000;
    let approval = Approval {
        approval_id: ApprovalId::mint(random()).to_string(),
        approver_id: name.to_owned(),
        approver_role: say.role.clone().unwrap_or_else(|| role_of(&plan, name)),
        decision: if say.reject { "rejected" } else { "approved" }.into(),
        decided_at: now.to_string(),
        sla_minutes: say.sla_minutes.unwrap_or(max),
        environment: plan.body.environment.clone(),
        plan_fingerprint: plan.fingerprint.to_string(),
        note: say.note.clone().unwrap_or_default(),
        means,
        ..Approval::default()
    };
    let approval = delegating::on_behalf(ws, &plan, approval, say)?;
    if !takes_login(&plan) {
        return Err(ws.refused(&stream, name, key_required(&plan)));
    }
    let given = Presented {
        delegation: delegating::named(ws, &approval)?,
        approval: approval.clone(),
        by_server: true,
        ..Presented::default()
    };
    let demanded = demand(&plan, &recorded, now);
    let checked = match say.reject {
        true => approval::check_rejection(&given, &demanded),
        false => approval::check_alone(&given, &demanded),
    };
    checked.map_err(|refusal| ws.refused(&stream, name, refused(&plan, &refusal)))?;
    let draft = gonogo_store::ledger::Draft {
        stream,
        key: format!("approval/{}", approval.approval_id),
        kind: KIND.into(),
        subject: vec![gonogo_ledger::Subject {
            name: plan.id.to_string(),
            digest: plan.fingerprint.digest(),
        }],
        time: now,
        actor: name.to_owned(),
        body: json!({ "approval": approval }),
        signer: None,
    };
    ws.append(vec![draft])?;
    told(
        ws,
        &plan,
        approval,
        String::new(),
        recorded.asked(&plan, name, ""),
        &demanded,
    )
}

/// Whether every policy that the plan must hold under takes a login.
fn takes_login(plan: &Plan) -> bool {
    let before = plan.body.approval_before.as_ref();
    plan.body.approval.login && before.is_none_or(|b| b.login)
}

fn key_required(plan: &Plan) -> AppError {
    let text = format!(
        "`{}` takes no decision by login: it must be signed with the approver's own key",
        plan.body.environment
    );
    AppError::new(Reason::ApprovalKeyRequired, text)
        .hint(format!(
            "sign it where your key is, and bring it here: `gonogo approve {} --server URL --key FILE`",
            plan.id
        ))
        .hint(format!(
            "or beside the project: `gonogo approve {} --key FILE --out FILE`, then `gonogo approval submit FILE`",
            plan.id
        ))
        .with("missingFields", json!(["approval.login.allowed"]))
}

//! Delegating a voice: an approver lets a named person speak for them, in named environments, until a named time. Whoever speaks so is told
//! beside whose voice it was, and the voice counts once, whoever carried it.

use gonogo_core::id::{ApprovalId, DelegationId};
use gonogo_core::{Reason, Timestamp};
use gonogo_release::approval::{Approval, Delegated, Delegation};
use gonogo_release::plan::Plan;
use gonogo_store::ledger::{Draft, Filter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{KIND as GIVEN, Say, Signed, facts, login, revoking, role_of};
use crate::access::{Principal, Scope, tokens};
use crate::identity::random;
use crate::{AppError, Workspace, planning};

/// Kind of the record that holds a delegation.
pub const KIND: &str = "delegation";

/// Kind of the record that a delegation is withdrawn by.
pub const WITHDRAWN: &str = "delegation-revocation";

/// Type of what is signed.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.gonogo.delegation.v1+json";

/// Stream that holds a delegation and its end.
pub(crate) fn stream(id: &str) -> String {
    format!("delegation/{id}")
}

/// A delegation to be given.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// To whom.
    pub to: String,
    /// Their key's id; the one that the configuration lists for them if absent.
    pub to_key: Option<String>,
    /// Where.
    pub environments: Vec<String>,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub note: String,
}

/// A delegation, and how it stands.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DelegationView {
    /// What was said.
    pub delegation: Delegation,
    /// `in_force`, `ended` or `withdrawn`.
    pub state: String,
    /// Who withdrew it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn_by: Option<String>,
    /// Approvals given under it that its end took back.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub revoked: Vec<ApprovalId>,
}

fn refuse(text: String) -> AppError {
    AppError::new(Reason::DelegationRefused, text)
}

/// Lets somebody else speak for the caller.
///
/// # Errors
/// [`Reason::DelegationRefused`] for what an environment does not admit; [`Reason::AgentMayNotDecide`] if either is an agent;
/// [`Reason::ApprovalKeyRequired`] by login where an environment takes none.
pub fn give(
    ws: &Workspace,
    wanted: &Wanted,
    principal: &Principal,
) -> Result<DelegationView, AppError> {
    principal.must_be_a_person()?;
    if let Some(delegation) = ws.left_as(KIND, "/delegation")? {
        return Ok(in_force(delegation));
    }
    let now = ws.now()?;
    let means = login::means(principal);
    let me = match means.is_empty() {
        true => Some(ws.identity()?),
        false => None,
    };
    let key = me.as_ref().map(crate::identity::Identity::key_id);
    let from = principal.name.as_str();
    let to_key = check(ws, wanted, from, key.as_deref(), now)?;
    let id = DelegationId::mint(random());
    let delegation = Delegation {
        delegation_id: id.to_string(),
        from: from.to_owned(),
        to: wanted.to.clone(),
        to_key,
        environments: wanted.environments.clone(),
        given_at: now.to_string(),
        until: wanted.until.to_string(),
        note: wanted.note.clone(),
        means,
    };
    let mut body = json!({ "delegation": delegation });
    if let (Some(me), Some(map)) = (&me, body.as_object_mut()) {
        let signed = Signed::sign_as(PAYLOAD_TYPE, &delegation, me)?;
        map.insert("signed".into(), json!(signed));
    }
    ws.append(vec![Draft {
        stream: stream(id.as_str()),
        key: "given".into(),
        kind: KIND.into(),
        subject: vec![],
        time: now,
        actor: from.to_owned(),
        body,
        signer: me.and_then(|m| m.key),
    }])?;
    Ok(in_force(delegation))
}

fn in_force(delegation: Delegation) -> DelegationView {
    DelegationView {
        delegation,
        state: "in_force".into(),
        withdrawn_by: None,
        revoked: Vec::new(),
    }
}

/// Checks what is wanted; returns the delegate's key.
fn check(
    ws: &Workspace,
    wanted: &Wanted,
    from: &str,
    key: Option<&str>,
    now: Timestamp,
) -> Result<String, AppError> {
    let to = wanted.to.as_str();
    if !crate::config::is_person_name(to) || to == from {
        let text = format!("`{from}` cannot delegate to `{}`", to.escape_debug());
        return Err(refuse(text).hint("name another person"));
    }
    for name in [from, to] {
        tokens::must_be_a_person(ws, name)?;
    }
    if wanted.until <= now {
        return Err(refuse(format!("`{}` is over already", wanted.until)));
    }
    if wanted.environments.is_empty() {
        return Err(refuse("no environment is named".into()));
    }
    let mut logins = true;
    for name in &wanted.environments {
        let policy = &ws.config.environment(Some(name))?.approval;
        let Some(most) = policy.delegation else {
            let text = format!("`{name}` lets nobody delegate");
            return Err(refuse(text).hint("its `approval` would say `delegation = \"8h\"`"));
        };
        if wanted.until > now.after(most) {
            let text = format!("`{name}` admits delegations of at most {most}");
            return Err(refuse(text).hint(format!("until {} at most", now.after(most))));
        }
        if key.is_none() && !policy.login {
            let text =
                format!("`{name}` takes no login: a delegation must be signed with your key");
            return Err(AppError::new(Reason::ApprovalKeyRequired, text));
        }
        let mut listed = policy.approvers.iter();
        if !listed.any(|a| a.id == from && key.is_none_or(|k| k == a.key)) {
            let text =
                format!("`{from}` is no approver of `{name}`, so there is no voice to delegate");
            return Err(refuse(text));
        }
        logins &= policy.login;
    }
    let listed = || {
        ws.config
            .people()
            .find(|(id, _)| *id == to)
            .map(|(_, k)| k.to_owned())
    };
    let to_key = wanted.to_key.clone().or_else(listed).unwrap_or_default();
    let form = to_key.len() == 64
        && to_key
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if to_key.is_empty() && logins {
        return Ok(to_key);
    }
    if !form {
        let text = format!("the key of `{to}` must be named by its id");
        return Err(
            refuse(text).hint("they print it with `gonogo key show`; give it with --to-key")
        );
    }
    let another = ws.config.people().any(|(id, k)| k == to_key && id != to);
    if another || key == Some(to_key.as_str()) {
        return Err(refuse(format!(
            "the key named for `{to}` belongs to somebody else"
        )));
    }
    Ok(to_key)
}

/// Every delegation, newest first.
///
/// # Errors
/// The ledger cannot be read.
pub fn list(ws: &Workspace) -> Result<Vec<DelegationView>, AppError> {
    let now = ws.clock.now().wall;
    let records = ws.ledger.every(Filter {
        kind: Some(KIND.into()),
        ..Filter::default()
    })?;
    let mut all = Vec::new();
    for record in records.iter().rev() {
        let id = record
            .stream
            .strip_prefix("delegation/")
            .unwrap_or_default();
        let Some(known) = of(ws, id)? else { continue };
        let state = match &known.withdrawn_by {
            Some(_) => "withdrawn",
            None if known.delegation.holds(now) => "in_force",
            None => "ended",
        };
        all.push(DelegationView {
            delegation: known.delegation,
            state: state.into(),
            withdrawn_by: known.withdrawn_by,
            revoked: Vec::new(),
        });
    }
    Ok(all)
}

/// Withdraws a delegation, and takes back what was given under it and not used.
///
/// # Errors
/// Nobody knows it; [`Reason::ApprovalNotYours`], which is recorded.
pub fn withdraw(
    ws: &Workspace,
    id: &DelegationId,
    why: &str,
    as_admin: bool,
    principal: &Principal,
) -> Result<DelegationView, AppError> {
    principal.must_be_a_person()?;
    tokens::must_be_a_person(ws, &principal.name)?;
    let now = ws.now()?;
    let known = of(ws, id.as_str())?.ok_or_else(|| {
        let text = format!("no delegation has the id `{id}`");
        AppError::new(Reason::InputNotFound, text).hint("`gonogo approval delegations` lists them")
    })?;
    let means = login::means(principal);
    let me = match means.is_empty() {
        true => Some(crate::identity::Identity::claimed(ws)?),
        false => None,
    };
    let mine = known.delegation.from == principal.name
        && me
            .as_ref()
            .is_none_or(|m| known.key.as_ref() == Some(&m.key_id()));
    if !mine {
        if !as_admin {
            let text = format!(
                "delegation `{id}` is not `{}`'s to withdraw",
                principal.name
            );
            return Err(AppError::new(Reason::ApprovalNotYours, text)
                .hint("an admin says so with --as-admin"));
        }
        principal.must_have(Scope::Admin)?;
    }
    let signer = match me {
        Some(me) => {
            me.enrol(ws)?;
            me.key
        }
        None => None,
    };
    let draft = |stream: String, key: String, kind: &str, body| Draft {
        stream,
        key,
        kind: kind.into(),
        subject: vec![],
        time: now,
        actor: principal.name.clone(),
        body,
        signer: signer.clone(),
    };
    if known.withdrawn_by.is_none() {
        let right = if mine { "giver" } else { "admin" };
        let body = json!({"delegation": id, "by": principal.name, "right": right, "why": why, "means": means});
        ws.append(vec![draft(
            stream(id.as_str()),
            "withdrawn".into(),
            WITHDRAWN,
            body,
        )])?;
    }
    // What was given under it is taken back in the plans' own streams, where nobody can leave it out.
    let before = ws.all_left()?.into_iter();
    let before = before.filter(|r| r.kind == revoking::KIND);
    let before: Vec<serde_json::Value> = before.map(|r| r.body["approval"].clone()).collect();
    let mut revoked = Vec::new();
    for (plan, approval) in under(ws, id)? {
        let body = json!({"approval": approval, "plan": plan.id, "by": principal.name,
            "right": "delegator", "why": format!("delegation {id} was withdrawn"), "means": means});
        let key = format!("use/{approval}");
        let one = draft(planning::stream(&plan.id), key, revoking::KIND, body);
        match revoking::append(ws, &plan, &approval, one) {
            Ok(()) => revoked.push(approval),
            // By this request, before it was cut off.
            Err(_) if before.contains(&json!(approval)) => revoked.push(approval),
            Err(e) if matches!(e.reason, Reason::ApprovalUsed | Reason::ApprovalRevoked) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(DelegationView {
        delegation: known.delegation,
        state: "withdrawn".into(),
        withdrawn_by: known.withdrawn_by.or_else(|| Some(principal.name.clone())),
        revoked,
    })
}

/// Approvals that were given under a delegation, with their plans.
fn under(ws: &Workspace, id: &DelegationId) -> Result<Vec<(Plan, ApprovalId)>, AppError> {
    let records = ws.ledger.every(Filter {
        kind: Some(GIVEN.into()),
        ..Filter::default()
    })?;
    let mut all = Vec::new();
    for record in &records {
        let Some(said) = record.body.get("approval") else {
            continue;
        };
        let plan = record.stream.strip_prefix("plan/").map(str::parse);
        if facts::text(said, "delegation") == id.as_str()
            && let Some(Ok(plan)) = plan
            && let Ok(approval) = facts::text(said, "approvalId").parse()
        {
            all.push((ws.store.plan(&plan)?, approval));
        }
    }
    Ok(all)
}

/// A delegation as the ledger has it.
pub(crate) fn of(ws: &Workspace, id: &str) -> Result<Option<Delegated>, AppError> {
    if id.parse::<DelegationId>().is_err() {
        return Ok(None);
    }
    let live = facts::Live::stream(ws, stream(id))?;
    let approval = Approval {
        delegation: id.to_owned(),
        ..Approval::default()
    };
    Ok(facts::delegation(&live.said(), &approval))
}

/// The delegation that an approval names, if it names one.
pub(crate) fn named(ws: &Workspace, approval: &Approval) -> Result<Option<Delegated>, AppError> {
    match approval.delegation.is_empty() {
        true => Ok(None),
        false => of(ws, &approval.delegation),
    }
}

/// The approval as one on somebody's behalf, where the caller says so.
pub(super) fn on_behalf(
    ws: &Workspace,
    plan: &Plan,
    approval: Approval,
    say: &Say,
) -> Result<Approval, AppError> {
    let Some(person) = &say.on_behalf_of else {
        return Ok(approval);
    };
    let (me, environment) = (&approval.approver_id, &plan.body.environment);
    let fits =
        |d: &Delegation| d.from == *person && d.to == *me && d.environments.contains(environment);
    let found = list(ws)?
        .into_iter()
        .find(|d| d.state == "in_force" && fits(&d.delegation));
    let Some(found) = found else {
        let text = format!(
            "`{person}` has delegated no voice in `{environment}` to `{me}` that holds now"
        );
        let error = AppError::new(Reason::DelegationInvalid, text)
            .hint("delegations: `gonogo approval delegations`");
        return Err(ws.refused(
            &planning::stream(&plan.id),
            "unproven",
            error.with("claimed", me.as_str()),
        ));
    };
    Ok(Approval {
        approver_role: say.role.clone().unwrap_or_else(|| role_of(plan, person)),
        delegation: found.delegation.delegation_id,
        delegated_by: person.clone(),
        ..approval
    })
}

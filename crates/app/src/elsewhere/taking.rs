//! The other end: this gonogo carries out what another one, or anybody with a token for it, sends.
//!
//! Nothing of what is sent is believed. The plan must be sealed and signed by its requester, who must be one that the environment
//! here knows; the approvals are the signed ones, checked against the plan's policy, which must be the one of the configuration here;
//! artifacts, configuration, gates, freezes and the target are looked at as for any application.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use gonogo_core::id::OperationId;
use gonogo_core::{Fingerprint, Reason, Timestamp};
use gonogo_ledger::dsse::Envelope;
use gonogo_ledger::key::PublicKey;
use gonogo_ledger::statement::Statement;
use gonogo_release::approval::Asker;
use gonogo_release::plan::{Plan, plan_id};
use serde_json::{Value, json};

use super::is_elsewhere;
use crate::applying::{self, Apply, Handle};
use crate::{AppError, Workspace, approving, planning};

/// Kind of the record that says where a plan came from.
pub(crate) const ORIGIN: &str = "plan-origin";

/// What was sent.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// The id that the sender gave it.
    pub(crate) operation: OperationId,
    /// The fingerprint that is to be applied.
    pub(crate) fingerprint: Fingerprint,
    /// The sender's key.
    pub(crate) key: String,
    /// The plan, where it was sent along.
    pub(crate) plan: Option<Value>,
    /// Its record, signed by who asked for it, and their key.
    pub(crate) record: Option<(String, String)>,
    /// Everybody else who asked the sender for the plan.
    pub(crate) also: Vec<Asker>,
    /// Approvals as they were signed.
    pub(crate) approvals: Vec<Value>,
    /// Where, if the sender says it beside the plan.
    pub(crate) environment: Option<String>,
    /// Which version, if the sender says it beside the plan.
    pub(crate) version: Option<String>,
}

/// What is said beside a plan must be what the plan says.
fn agrees(order: &Order, plan: &Plan) -> Result<(), AppError> {
    let body = &plan.body;
    for (path, said, planned) in [
        ("$.input.environment", &order.environment, &body.environment),
        ("$.input.version", &order.version, &body.to.version),
    ] {
        if let Some(said) = said.as_ref().filter(|said| *said != planned) {
            let text = format!("it says `{said}`, and the plan `{planned}`; nothing was changed");
            return Err(AppError::new(Reason::FingerprintMismatch, text).with("path", path));
        }
    }
    Ok(())
}

/// Begins what was sent, or returns what the same order began before.
///
/// # Errors
/// As for any application; what was sent is not what it says; the environment is carried out elsewhere from here, too.
pub(crate) fn take(ws: &Workspace, order: &Order, by: &str) -> Result<Handle, AppError> {
    let now = ws.now()?;
    let id = plan_id(order.fingerprint);
    // Before anything is kept; what is no plan is told as that.
    let sent = order.plan.clone().map(serde_json::from_value::<Plan>);
    if let Some(Ok(sent)) = sent
        && sent.is_intact()
    {
        agrees(order, &sent)?;
    }
    let plan = match planning::read(ws, &id) {
        Ok(plan) => plan,
        Err(e) if e.reason == Reason::PlanNotFound => match &order.plan {
            Some(sent) => import(ws, sent, order, by, now)?,
            None => return Err(e),
        },
        Err(e) => return Err(e),
    };
    agrees(order, &plan)?;
    let environment = ws.config.environment(Some(&plan.body.environment))?;
    if is_elsewhere(environment)? {
        let text = format!(
            "`{}` is carried out by a workflow service from here, too; what was sent here is not sent on",
            environment.name
        );
        return Err(AppError::new(Reason::ApplyDisabled, text)
            .hint("carry it out here: start this server with `GONOGO_APPLY_BY=here`"));
    }
    let known = approving::recorded(ws, &plan)?.also;
    for asker in order.also.iter().filter(|a| !known.contains(a)) {
        // The sender's word, and enough to bar somebody from approving.
        let there = json!({"id": asker.id, "key": asker.key, "onBehalfOf": asker.on_behalf_of.as_deref().unwrap_or_default()});
        ws.record(
            &planning::stream(&id),
            &format!(
                "asked/there/{}/{now}",
                gonogo_core::Digest::of(there.to_string().as_bytes()).hex()
            ),
            planning::ASKED,
            now,
            by,
            Some((plan.id.to_string(), plan.fingerprint.digest())),
            json!({"plan": plan.id, "there": there}),
        )?;
    }
    for signed in &order.approvals {
        approving::import_sent(ws, &plan, signed, by, now)?;
    }
    let same = ws.store.by_key(&plan.body.environment, &order.key)?;
    if same.is_none() {
        // The contract's order: approval before everything that is compared.
        let approved = approving::approved(ws, &plan, &[], by, now);
        if let Err(e) = approved
            && ws
                .store
                .by_key(&plan.body.environment, &order.key)?
                .is_none()
        {
            return Err(e);
        }
        let taken = ws.store.operation(&order.operation);
        if taken.is_ok_and(|known| known.key != order.key) {
            let text = format!(
                "operation `{}` is here already, begun with another key",
                order.operation
            );
            return Err(AppError::new(Reason::IdempotencyConflict, text));
        }
    }
    if plan.fingerprint != order.fingerprint {
        let text = format!(
            "plan `{id}` has the fingerprint {}, not {}",
            plan.fingerprint, order.fingerprint
        );
        return Err(AppError::new(Reason::FingerprintMismatch, text));
    }
    let how = Apply {
        key: Some(order.key.clone()),
        operation: Some(order.operation.clone()),
        ..Apply::default()
    };
    applying::apply(ws, &id, &how)
}

/// Takes in a plan that was made elsewhere.
fn import(
    ws: &Workspace,
    sent: &Value,
    order: &Order,
    by: &str,
    now: Timestamp,
) -> Result<Plan, AppError> {
    let malformed = |why: String| {
        AppError::new(
            Reason::InputMalformed,
            format!("the plan that was sent: {why}"),
        )
    };
    // What was approved is asked before anything of it is read.
    let said = sent.get("fingerprint").and_then(Value::as_str);
    if said != Some(order.fingerprint.to_string().as_str()) {
        let text = format!(
            "the plan that was sent says {} of its fingerprint, and {} is to be applied",
            said.map_or_else(|| "nothing".into(), |s| format!("`{}`", s.escape_debug())),
            order.fingerprint
        );
        return Err(AppError::new(Reason::FingerprintMismatch, text));
    }
    let plan: Plan = serde_json::from_value(sent.clone()).map_err(|e| malformed(e.to_string()))?;
    if !plan.is_intact() {
        return Err(malformed(
            "its content does not match its fingerprint".into(),
        ));
    }
    let environment = ws.config.environment(Some(&plan.body.environment))?;
    let Some((record, public)) = &order.record else {
        return Err(malformed(
            "its record, signed by who asked for it, is missing".into(),
        ));
    };
    let key = signed_by(&plan, record, public).map_err(malformed)?;
    if !environment.approval.may_ask(&plan.requester, &key) {
        let text = format!(
            "`{}` asked for the plan, and `{}` does not know that name with that key, so approver and requester could be one",
            plan.requester, environment.name
        );
        return Err(AppError::new(Reason::RequesterUnlisted, text));
    }
    // What could not be applied is not kept either.
    planning::staleness(ws, &plan)?;
    ws.record(
        &planning::stream(&plan.id),
        &format!("origin/{key}"),
        ORIGIN,
        now,
        by,
        Some((plan.id.to_string(), plan.fingerprint.digest())),
        json!({"plan": plan.id, "requester": plan.requester, "requesterKey": key, "publicKey": public, "record": record}),
    )?;
    planning::keep_sent(ws, &plan, by, now)?;
    Ok(plan)
}

/// The key of who asked for a plan that was made elsewhere, out of the record that says so. Its words are not believed either.
pub(crate) fn origin_of(plan: &Plan, body: &Value) -> Result<String, String> {
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    let key = signed_by(plan, text("record"), text("publicKey"))?;
    if key != text("requesterKey") || !plan.body.approval.may_ask(&plan.requester, &key) {
        return Err("the record of where it came from names another key".into());
    }
    Ok(key)
}

/// The id of the key that signed the plan's record, which must hold exactly this plan.
fn signed_by(plan: &Plan, record: &str, key: &str) -> Result<String, String> {
    let bytes = BASE64.decode(record).map_err(|e| e.to_string())?;
    let envelope = Envelope::parse(&bytes).map_err(|e| e.to_string())?;
    let key = PublicKey::from_base64(key).map_err(|e| e.to_string())?;
    envelope.verify(&key).map_err(|e| e.to_string())?;
    let said = Statement::parse(envelope.payload()).map_err(|e| e.to_string())?;
    let stored = serde_json::to_value(plan).map_err(|e| e.to_string())?;
    if said.kind != "plan" || said.actor != plan.requester || said.body != stored {
        return Err("its signed record says something else".into());
    }
    Ok(key.id().to_string())
}

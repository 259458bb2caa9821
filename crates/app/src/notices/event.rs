//! What is told of a record: its event's name and a thin body. Whoever wants more asks a door, in their own name.

use gonogo_core::{Digest, Timestamp};
use gonogo_store::ledger::RecordView;
use serde_json::{Value, json};

use crate::config::WebhookFile;
use crate::identity::random;
use crate::{AppError, Workspace};

/// A kind of event, and the kind of record that it comes from.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// Its name: `type` of the notice.
    pub name: &'static str,
    /// The records' kind.
    pub kind: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

const fn event(name: &'static str, kind: &'static str, meaning: &'static str) -> Event {
    Event {
        name,
        kind,
        meaning,
    }
}

/// Every event.
pub const EVENTS: &[Event] = &[
    event(
        "approval.decided",
        "approval",
        "somebody approved or rejected a plan",
    ),
    event(
        "approval.delegated",
        "delegation",
        "somebody let another person decide",
    ),
    event(
        "approval.requested",
        "approval-request",
        "a plan waits for somebody to decide",
    ),
    event(
        "approval.revoked",
        "approval-revocation",
        "an approval was taken back",
    ),
    event(
        "approval.undelegated",
        "delegation-revocation",
        "somebody no longer lets another person decide",
    ),
    event(
        "break_glass.used",
        "break-glass",
        "a plan was let through without its approvals",
    ),
    event("freeze.declared", "freeze", "a freeze was declared"),
    event("freeze.ended", "freeze-end", "a freeze was ended"),
    event(
        "incident.changed",
        "incident",
        "an incident was opened or closed",
    ),
    event(
        "known_good.changed",
        "known-good",
        "a version was said to be known-good",
    ),
    event("operation.began", "operation", "a plan is being applied"),
    event("operation.ended", "result", "an operation has ended"),
    event("pin.removed", "pin-end", "a pin was removed"),
    event("pin.set", "pin", "a service was pinned to a version"),
    event("plan.created", "plan", "a plan was made"),
    event(
        "plan.superseded",
        "plan-superseded",
        "a newer plan took another one's place",
    ),
    event("request.refused", "refusal", "something was refused"),
];

/// Every event, where a list of events is asked for.
pub const EVERYTHING: &str = "*";

/// The event of an emergency, which pages somebody.
pub const GLASS: &str = "break_glass.used";

/// What is told unless the configuration says otherwise.
pub const USUAL: [&str; 4] = [
    "approval.requested",
    "approval.decided",
    "break_glass.used",
    "incident.changed",
];

/// What is sent, before it is signed.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    /// Its id: the same whenever it is sent.
    pub(super) id: String,
    /// Its body.
    pub(super) body: Vec<u8>,
}

/// Whether a webhook wants to hear of records of this kind; the event's name.
pub(super) fn wanted(webhook: &WebhookFile, kind: &str) -> Option<&'static str> {
    let event = EVENTS.iter().find(|e| e.kind == kind)?;
    let all = webhook.events.iter();
    all.clone()
        .any(|e| e == EVERYTHING || e == event.name)
        .then_some(event.name)
}

/// The notice of a record; none if the webhook does not want to hear of it.
pub(super) fn of_record(
    ws: &Workspace,
    webhook_name: &str,
    webhook: &WebhookFile,
    index: u64,
) -> Result<Option<Notice>, AppError> {
    let record = ws.ledger.record_at(index)?;
    let Some(name) = wanted(webhook, &record.kind) else {
        return Ok(None);
    };
    let about = About::of(ws, &record);
    let environments = &webhook.environments;
    if !environments.is_empty()
        && !about
            .environment
            .as_ref()
            .is_some_and(|e| environments.contains(e))
    {
        return Ok(None);
    }
    let link = webhook
        .link
        .as_ref()
        .map(|base| match (&about.plan, &about.operation) {
            (_, Some(operation)) => format!("{base}/v1/operations/{operation}"),
            (Some(plan), None) => format!("{base}/v1/plans/{plan}"),
            (None, None) => format!("{base}/v1/evidence/{index}"),
        });
    let data = json!({
        "service": ws.config.service,
        "record": {
            "index": record.index, "digest": record.digest, "stream": record.stream, "kind": record.kind,
            "actor": record.actor, "at": record.time,
        },
        "plan": about.plan,
        "fingerprint": about.fingerprint,
        "operation": about.operation,
        "environment": about.environment,
        "outcome": about.outcome,
        "command": about.command(),
        "link": link,
    });
    // The log's name and the record make it one; the webhook's name keeps two that lead to one receiver apart.
    let id = Digest::of(
        format!(
            "{}\n{webhook_name}\n{}",
            ws.ledger.log_vkey(),
            record.digest
        )
        .as_bytes(),
    );
    Ok(Some(Notice {
        id: format!("msg_{}", &id.hex()[..32]),
        body: body(name, record.time, &data),
    }))
}

/// A notice that says nothing.
pub(super) fn test(ws: &Workspace, now: Timestamp) -> Notice {
    let id = Digest::of(&[random(), random()].concat());
    Notice {
        id: format!("msg_{}", &id.hex()[..32]),
        body: body("webhook.test", now, &json!({"service": ws.config.service})),
    }
}

fn body(name: &str, at: Timestamp, data: &Value) -> Vec<u8> {
    json!({"type": name, "timestamp": at, "data": data})
        .to_string()
        .into_bytes()
}

/// What a record is about, as far as it can be told.
#[derive(Debug, Default)]
struct About {
    plan: Option<String>,
    fingerprint: Option<String>,
    operation: Option<String>,
    environment: Option<String>,
    outcome: Option<String>,
}

impl About {
    fn of(ws: &Workspace, record: &RecordView) -> Self {
        let mut about = Self::default();
        let (kind, id) = record.stream.split_once('/').unwrap_or_default();
        if kind == "operation" {
            about.operation = Some(id.to_owned());
            if let Ok(id) = id.parse()
                && let Ok(operation) = ws.store.operation(&id)
            {
                about.plan = Some(operation.plan.to_string());
                about.fingerprint = Some(operation.fingerprint.to_string());
                about.environment = Some(operation.environment);
            }
        }
        let text = |pointer: &str| {
            let found = record.body.pointer(pointer).and_then(Value::as_str);
            found.map(|text| text.chars().take(200).collect::<String>())
        };
        if kind == "plan" {
            about.plan = Some(id.to_owned());
            // A plan that the store lacks is still one that was decided about.
            if let Ok(id) = id.parse()
                && let Ok(plan) = ws.store.plan(&id)
            {
                about.fingerprint = Some(plan.fingerprint.to_string());
                about.environment = Some(plan.body.environment);
            }
        }
        let told = ["/environment", "/body/environment", "/approval/environment"];
        about.environment = about
            .environment
            .or_else(|| told.iter().find_map(|pointer| text(pointer)));
        about.outcome = ["/approval/decision", "/result/result", "/event", "/state"]
            .iter()
            .find_map(|pointer| text(pointer));
        about
    }

    /// The command that shows more.
    fn command(&self) -> Option<String> {
        match (&self.operation, &self.plan) {
            (Some(operation), _) => Some(format!("gonogo ops show {operation}")),
            (None, Some(plan)) => Some(format!("gonogo plan show {plan}")),
            (None, None) => None,
        }
    }
}

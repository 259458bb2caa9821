//! Whether anybody was paged for a broken glass: what came of the notice that its policy names, as a record of the incident.
//!
//! Whoever sends the notice records what came of it, once for a page that was taken and once for the first that was not. Invariant: a page
//! that no record tells of was none.

use gonogo_core::{Reason, Timestamp};
use gonogo_store::ledger::LedgerError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::approving::facts::text;
use crate::{AppError, Workspace};

/// Kind of the record of what came of a page, in the incident's stream.
pub const PAGE: &str = "incident-page";

/// What came of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Paged {
    /// The notice that pages somebody.
    pub webhook: String,
    /// Whether its receiver took it.
    pub taken: bool,
    /// When.
    pub at: Timestamp,
    /// Why it was not taken; none if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

impl Paged {
    pub(super) fn read(body: &Value, at: Timestamp) -> Self {
        let said = text(body, "said");
        Self {
            webhook: text(body, "webhook").to_owned(),
            // A word that is not known is no page.
            taken: text(body, "state") == "paged",
            at,
            said: Some(said.to_owned()).filter(|s| !s.is_empty()),
        }
    }
}

/// Records what came of a page: `said` is why it was not taken. A failure is recorded once, a page that was taken once.
///
/// # Errors
/// The ledger cannot be written.
pub(super) fn record(
    ws: &Workspace,
    incident: &str,
    webhook: &str,
    said: Option<&str>,
) -> Result<(), AppError> {
    let (state, key) = match said {
        None => ("paged", "paged"),
        Some(_) => ("not-paged", "not-paged"),
    };
    let body = json!({"state": state, "incident": incident, "webhook": webhook, "said": said.unwrap_or_default()});
    let stream = super::stream(incident);
    let time = ws.clock.now().wall;
    let draft = gonogo_store::ledger::Draft {
        stream,
        key: key.into(),
        kind: PAGE.into(),
        subject: Vec::new(),
        time,
        actor: "gonogo".into(),
        body,
        signer: None,
    };
    match ws.ledger.append(vec![draft]) {
        // It was told before.
        Err(LedgerError::KeyReused { .. }) => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

/// As `record`, where a notice was sent: only if it is of a broken glass, and this webhook is the one that its policy pages.
///
/// # Errors
/// The ledger cannot be read or written.
pub(crate) fn sent(
    ws: &Workspace,
    webhook: &str,
    index: u64,
    said: Option<&str>,
) -> Result<(), AppError> {
    let glass = ws.ledger.record_at(index)?;
    let of_it = glass.kind == super::GLASS && text(&glass.body, "pages") == webhook;
    match of_it {
        true => record(ws, text(&glass.body, "incident"), webhook, said),
        false => Ok(()),
    }
}

/// Records at once that nobody is paged, where nothing will be sent.
pub(super) fn begin(ws: &Workspace, incident: &str, webhook: &str) -> Result<(), AppError> {
    match crate::notices::silent(ws, webhook) {
        Ok(None) => Ok(()),
        Ok(Some(why)) => record(ws, incident, webhook, Some(&why)),
        Err(e) if e.reason == Reason::WebhookUnknown => {
            record(ws, incident, webhook, Some(&e.message))
        }
        Err(e) => Err(e),
    }
}

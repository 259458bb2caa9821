//! Approvals of what a change brings itself: an excuse, another policy, another declaration. Signed with the approver's own key.
//!
//! What is approved is a digest: another word in the entry is another entry, which nobody has approved. Whether the signer may approve it
//! (not the author, not the owner, the one that the entry names) is judged with everything else.

use gonogo_core::{Digest, Reason};
use gonogo_gate::inputs::{Base, FileState, Inputs};
use gonogo_ledger::Subject;
use gonogo_store::ledger::Draft;
use serde_json::json;

use super::gathering::{self, APPROVAL, APPROVALS, Asked, Place};
use crate::AppError;
use crate::home::Home;

/// What is approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The waiver of this gate.
    Waiver(String),
    /// The quarantine of this id.
    Quarantine(String),
    /// The policy, as it is here.
    Policy,
    /// What the project declares, as it is here.
    Suites,
}

/// An approval that was recorded.
#[derive(Debug, Clone)]
pub struct Approved {
    /// Over what.
    pub over: Digest,
    /// Who signed.
    pub signer: String,
    /// In words.
    pub what: String,
    /// Its record.
    pub record: Option<u64>,
}

/// Approves.
///
/// # Errors
/// Something that is not there; no key; the ledger's faults.
pub fn approve(
    home: &Home,
    asked: &Asked,
    what: &What,
    note: Option<&str>,
) -> Result<Approved, AppError> {
    let place = Place::find(home)?;
    let inputs = gathering::gather(&place, asked)?;
    let verdict = gonogo_gate::judge(&inputs);
    let unknown = |kind: &str, id: &str, known: Vec<&str>| {
        let text = format!("there is no {kind} `{id}`");
        let error = AppError::new(Reason::ArgumentInvalid, text);
        match known.is_empty() {
            true => error.hint(format!("there is no {kind} at all")),
            false => error.hint(format!("known: {}", known.join(", "))),
        }
    };
    let (over, shown) = match what {
        What::Waiver(id) => {
            let found = verdict.waivers.iter().find(|w| w.gate_id == *id);
            let known = verdict.waivers.iter().map(|w| w.gate_id.as_str()).collect();
            let found = found.ok_or_else(|| unknown("waiver", id, known))?;
            (found.digest, format!("the waiver of `{id}`"))
        }
        What::Quarantine(id) => {
            let found = verdict.quarantines.iter().find(|q| q.id == *id);
            let known = verdict.quarantines.iter().map(|q| q.id.as_str()).collect();
            let found = found.ok_or_else(|| unknown("quarantine", id, known))?;
            (found.digest, format!("the quarantine of `{id}`"))
        }
        What::Policy => (verdict.policy_digest, "the policy".to_owned()),
        What::Suites => (
            inputs.manifest.digest,
            "what the project declares".to_owned(),
        ),
    };
    let book = home.open(&home.here)?;
    let Some(ws) = &book.workspace else {
        let text = "an approval needs a project with a ledger";
        return Err(AppError::new(Reason::ConfigNotFound, text));
    };
    let me = ws.identity()?;
    let time = ws.now()?;
    let draft = |over: Digest, shown: &str| Draft {
        stream: APPROVALS.to_owned(),
        key: format!("{over}/{}", me.key_id()),
        kind: APPROVAL.to_owned(),
        subject: vec![Subject {
            name: shown.to_owned(),
            digest: over,
        }],
        time,
        actor: me.name.clone(),
        body: json!({"over": over, "what": shown, "note": note, "tree": inputs.subject.tree}),
        signer: Some(me.key.clone()),
    };
    let mut drafts = vec![draft(over, &shown)];
    if *what == What::Policy {
        drafts.extend(rules(&inputs).map(|(name, over)| draft(over, name)));
    }
    let rules = drafts.len() - 1;
    let receipts = ws.ledger.append(drafts)?;
    Ok(Approved {
        over,
        signer: me.name,
        what: match rules {
            0 => shown,
            1 => format!("{shown} and a file of rules"),
            n => format!("{shown} and {n} files of rules"),
        },
        record: receipts.first().map(|r| r.index),
    })
}

/// Files of rules beside the policy that are not what the base of the change has.
fn rules(inputs: &Inputs) -> impl Iterator<Item = (&str, Digest)> {
    inputs.rules.iter().filter_map(|(name, file)| {
        let FileState::Text { text } = &file.state else {
            return None;
        };
        (file.base != Base::Same).then(|| (name.as_str(), Digest::of(text.as_bytes())))
    })
}

//! Approvals of what a change brings itself: an excuse, another policy, another declaration. Signed with the approver's own key.
//!
//! What is approved is a digest: another word in the entry is another entry, which nobody has approved. Whether the signer may approve it
//! (not the author, not the owner, the one that the entry names, one that the base's policy lists) is judged with everything else, by the
//! same rule by which an approval that would count for nothing is refused here.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Reason};
use gonogo_gate::inputs::{Approval, Base, FileState, Inputs};
use gonogo_ledger::Subject;
use gonogo_store::ledger::Draft;
use serde_json::json;

use super::gathering::{self, APPROVAL, APPROVALS, Asked, Place};
use crate::AppError;
use crate::access::tokens;
use crate::home::Home;
use crate::identity::Identity;

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
    let field = |fields: &BTreeMap<String, String>, name: &str| fields.get(name).cloned();
    let (over, shown, owner, approver) = match what {
        What::Waiver(id) => {
            let found = verdict.waivers.iter().find(|w| w.gate_id == *id);
            let known = verdict.waivers.iter().map(|w| w.gate_id.as_str()).collect();
            let found = found.ok_or_else(|| unknown("waiver", id, known))?;
            let (owner, approver) = (
                field(&found.fields, "owner"),
                field(&found.fields, "approver"),
            );
            (
                found.digest,
                format!("the waiver of `{id}`"),
                owner,
                approver,
            )
        }
        What::Quarantine(id) => {
            let found = verdict.quarantines.iter().find(|q| q.id == *id);
            let known = verdict.quarantines.iter().map(|q| q.id.as_str()).collect();
            let found = found.ok_or_else(|| unknown("quarantine", id, known))?;
            let owner = field(&found.fields, "owner");
            (
                found.digest,
                format!("the quarantine of `{id}`"),
                owner,
                None,
            )
        }
        What::Policy => (verdict.policy_digest, "the policy".to_owned(), None, None),
        What::Suites => (
            inputs.manifest.digest,
            "what the project declares".to_owned(),
            None,
            None,
        ),
    };
    let book = home.open(&home.here)?;
    let Some(ws) = &book.workspace else {
        let text = "an approval needs a project with a ledger";
        return Err(AppError::new(Reason::ConfigNotFound, text));
    };
    let (name, key) = Identity::would_be(ws)?;
    let time = ws.now()?;
    // Whoever gives no name and no key of their own is whoever commits here.
    let also = match (&home.caller.name, &home.caller.key) {
        (None, None) => place.tree.commits_as(),
        _ => Vec::new(),
    };
    let candidate = Approval {
        over,
        signer: name,
        key,
        also: also.clone(),
        base: inputs.subject.base_commit.clone(),
        at: time,
        record: 0,
    };
    let inputs = Inputs {
        now: inputs.now.max(time),
        ..inputs
    };
    if let Some(why) =
        gonogo_gate::refusal(&inputs, &candidate, owner.as_deref(), approver.as_deref())
    {
        let text = format!("your approval of {shown} would count for nothing: {why}");
        return Err(AppError::new(Reason::ApproverNotEntitled, text)
            .hint("ask somebody else; they sign with their own key: --as NAME --key FILE"));
    }
    let me = ws.identity()?;
    tokens::must_be_a_person(ws, &me.name)?;
    let draft = |over: Digest, shown: &str| Draft {
        stream: APPROVALS.to_owned(),
        // Another change, another approval; another word to the same is none.
        key: {
            let base = inputs.subject.base_commit.as_deref().unwrap_or("-");
            let said = note.unwrap_or_default();
            let all = format!("{over}\n{}\n{base}\n{said}", me.key_id());
            Digest::of(all.as_bytes()).hex()
        },
        kind: APPROVAL.to_owned(),
        subject: vec![Subject {
            name: shown.to_owned(),
            digest: over,
        }],
        time,
        actor: me.name.clone(),
        body: json!({"over": over, "what": shown, "note": note, "also": also, "base": inputs.subject.base_commit, "tree": inputs.subject.tree}),
        signer: me.key.clone(),
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

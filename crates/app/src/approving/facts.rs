//! What the records say about a plan's approvals, as facts for the rules in `release::approval`. The same reading serves a live ledger and
//! a packet: both give records as [`Said`].

use gonogo_core::Timestamp;
use gonogo_ledger::key::KeyId;
use gonogo_ledger::key_event::CONTROLLER;
use gonogo_release::approval::{Approval, Asker, Break, Broken, Delegated, Delegation, Presented};
use gonogo_release::plan::Plan;
use gonogo_store::ledger::{Filter, RecordView};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{KIND, Signed, delegating, read_record, revoking, superseding};
use crate::{AppError, Workspace, incidents, planning};

/// A record, as the rules look at one.
#[derive(Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) index: u64,
    pub(crate) time: Timestamp,
    pub(crate) stream: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) actor: &'a str,
    pub(crate) signer: KeyId,
    /// Whether a controller's key signed it.
    pub(crate) by_server: bool,
    pub(crate) body: &'a Value,
}

/// The approvals in a plan's stream, oldest first, each with its record. `beside` holds the delegations' streams.
pub(crate) fn presented<'a>(said: &[Said<'a>], beside: &[Said<'_>]) -> Vec<(Said<'a>, Presented)> {
    let stands = Stands::of(said);
    said.iter()
        .filter(|s| s.kind == KIND)
        .map(|s| {
            let (approval, key) = read_record(s.body);
            let revoked = said.iter().find(|r| {
                r.kind == revoking::KIND && text(r.body, "approval") == approval.approval_id
            });
            let given = Presented {
                by_server: s.by_server && s.body.get("signed").is_none(),
                revoked_by: revoked.map(|r| r.actor.to_owned()),
                superseded: stands.is_after(s.index, &approval.decided_at),
                delegation: delegation(beside, &approval),
                used_by: None,
                approval,
                key,
            };
            (*s, given)
        })
        .collect()
}

/// The glasses that were broken for a plan, oldest first. How many incidents count, and whether its own was closed, is for the caller to say.
pub(crate) fn broken<'a>(said: &[Said<'a>]) -> Vec<(Said<'a>, Broken)> {
    let stands = Stands::of(said);
    let all = said.iter().filter(|s| s.kind == incidents::GLASS);
    all.map(|s| {
        let (words, key) = signed::<Break>(s.body, "breakGlass", incidents::GLASS_TYPE);
        let broken = Broken {
            superseded: stands.is_after(s.index, &words.at),
            said: words,
            key,
            by_server: s.by_server && s.body.get("signed").is_none(),
            ..Broken::default()
        };
        (*s, broken)
    })
    .collect()
}

/// The plan that superseded this one and that it was not made again after, as its record names it.
pub(crate) fn superseded_by<'a>(said: &[Said<'a>]) -> Option<&'a str> {
    let mut all = said.iter().rev();
    let last = all.find(|s| s.kind == superseding::KIND || s.kind == "plan")?;
    (last.kind == superseding::KIND).then(|| text(last.body, "by"))
}

/// Since when a plan stands.
enum Stands {
    /// Since it was made.
    Ever,
    /// Since it was made again, after a newer one: the record's index, and its time.
    Since(u64, Timestamp),
    /// It does not.
    NotAnyMore,
}

impl Stands {
    fn of(said: &[Said<'_>]) -> Self {
        let Some(last) = said.iter().rposition(|s| s.kind == superseding::KIND) else {
            return Self::Ever;
        };
        let again = said.iter().skip(last).find(|s| s.kind == "plan");
        again.map_or(Self::NotAnyMore, |s| Self::Since(s.index, s.time))
    }

    /// Whether it stands only since after something was said: by its place in the ledger, and by its own time, for what was signed
    /// elsewhere may be brought later.
    fn is_after(&self, place: u64, at: &str) -> bool {
        match self {
            Self::Ever => false,
            Self::NotAnyMore => true,
            Self::Since(index, time) => {
                // A time that cannot be read is no later one.
                place < *index || at.parse::<Timestamp>().map_or(true, |at| at < *time)
            }
        }
    }
}

/// Who asked for a plan beside its requester, as its stream says it, oldest first: they have a record of their own, or recorded the plan
/// again. A plan that was sent here was recorded by who sent it, who asked for nothing.
pub(crate) fn askers(said: &[Said<'_>], plan: &Plan, key: &str) -> Vec<Asker> {
    let mut all: Vec<Asker> = Vec::new();
    let mut add = |id: &str, key: &str, person: &str| {
        let asker = Asker {
            id: id.to_owned(),
            key: key.to_owned(),
            on_behalf_of: Some(person.to_owned()).filter(|p| !p.is_empty()),
        };
        if !id.is_empty() && !all.contains(&asker) {
            all.push(asker);
        }
    };
    for s in said {
        let signer = match s.by_server {
            true => String::new(),
            false => s.signer.to_string(),
        };
        match s.kind {
            "plan" => {
                let named = text(s.body, "requester");
                if named == s.actor || !s.by_server {
                    add(s.actor, &signer, "");
                }
                if named != s.actor {
                    add(named, "", "");
                }
                let person = text(s.body, "on_behalf_of");
                if !person.is_empty() {
                    add(named, "", person);
                }
            }
            // Asked where the plan came from: who sent it says so, and asked for nothing. It bars people, and lets nobody in.
            planning::ASKED if s.body.get("there").is_some() => {
                let there = s.body.get("there").unwrap_or(&Value::Null);
                add(
                    text(there, "id"),
                    text(there, "key"),
                    text(there, "onBehalfOf"),
                );
            }
            planning::ASKED => add(s.actor, &signer, text(s.body, "onBehalfOf")),
            _ => {}
        }
    }
    // What says nothing beyond who asked first, and for whom.
    let first = |id: &str| id == plan.requester || plan.on_behalf_of.as_deref() == Some(id);
    all.retain(|a| {
        let same_key = a.key.is_empty() || a.key == key;
        let same_person = a.on_behalf_of.as_deref().is_none_or(first);
        !(first(&a.id) && same_key && same_person)
    });
    all
}

/// The delegation that an approval names, as its records stand.
pub(crate) fn delegation(beside: &[Said<'_>], approval: &Approval) -> Option<Delegated> {
    let stream = delegating::stream(&approval.delegation);
    let of_it = || beside.iter().filter(|s| s.stream == stream);
    let given = of_it().find(|s| s.kind == delegating::KIND)?;
    let (delegation, key) =
        signed::<Delegation>(given.body, "delegation", delegating::PAYLOAD_TYPE);
    let withdrawn = of_it().find(|s| s.kind == delegating::WITHDRAWN);
    Some(Delegated {
        delegation,
        key,
        by_server: given.by_server && given.body.get("signed").is_none(),
        withdrawn_by: withdrawn.map(|s| s.actor.to_owned()),
    })
}

/// What a record says in the field `field`, and whose signature over it verifies. What cannot be read is empty, and fails rule by rule.
pub(crate) fn signed<T>(body: &Value, field: &str, kind: &str) -> (T, Option<String>)
where
    T: DeserializeOwned + Default + PartialEq,
{
    let stated: T = body
        .get(field)
        .cloned()
        .and_then(|v| serde_json::from_value(v).ok())
        .unwrap_or_default();
    let envelope = body
        .get("signed")
        .cloned()
        .and_then(|v| serde_json::from_value::<Signed>(v).ok());
    match envelope.map(|s| s.open_as::<T>(kind)) {
        Some(Ok((said, key))) if said == stated => (stated, Some(key)),
        _ => (stated, None),
    }
}

pub(crate) fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The records of a plan's stream in the project's own ledger.
pub(crate) struct Live {
    records: Vec<RecordView>,
    controllers: Vec<gonogo_ledger::key::KeyId>,
}

impl Live {
    pub(crate) fn of(ws: &Workspace, plan: &Plan) -> Result<Self, AppError> {
        Self::stream(ws, planning::stream(&plan.id))
    }

    pub(crate) fn stream(ws: &Workspace, stream: String) -> Result<Self, AppError> {
        let records = ws.ledger.every(Filter {
            stream: Some(stream),
            ..Filter::default()
        })?;
        let keys = ws.ledger.enrolled_keys()?.into_iter();
        Ok(Self {
            records,
            controllers: keys
                .filter(|k| k.role == CONTROLLER)
                .map(|k| k.key.id())
                .collect(),
        })
    }

    pub(crate) fn said(&self) -> Vec<Said<'_>> {
        let all = self.records.iter().map(|r| Said {
            index: r.index,
            time: r.time,
            stream: &r.stream,
            kind: &r.kind,
            actor: &r.actor,
            signer: r.signer,
            by_server: self.controllers.contains(&r.signer),
            body: &r.body,
        });
        all.collect()
    }

    pub(crate) fn presented(&self, ws: &Workspace) -> Result<Vec<Presented>, AppError> {
        let said = self.said();
        let mut out = Vec::new();
        for (_, mut one) in presented(&said, &[]) {
            one.delegation = delegating::named(ws, &one.approval)?;
            one.used_by = match one.approval.approval_id.parse() {
                Ok(id) => ws.store.approval_user(&id)?,
                Err(_) => None,
            };
            out.push(one);
        }
        Ok(out)
    }

    /// Whether the plan stands only since after an approval was given that nobody has brought yet.
    pub(crate) fn stands_after(&self, approval: &Approval) -> bool {
        Stands::of(&self.said()).is_after(u64::MAX, &approval.decided_at)
    }

    /// Who took an approval back, if somebody did.
    pub(crate) fn revoked(&self, approval: &str) -> Option<String> {
        let mut all = self.records.iter();
        let found = all.find(|r| r.kind == revoking::KIND && text(&r.body, "approval") == approval);
        found.map(|r| r.actor.clone())
    }

    pub(crate) fn broken(&self, ws: &Workspace, plan: &Plan) -> Result<Vec<Broken>, AppError> {
        let said = self.said();
        let mut out = Vec::new();
        let all = broken(&said);
        if all.is_empty() {
            return Ok(out);
        }
        let incidents = incidents::list(ws, false)?;
        for (record, mut one) in all {
            let within = incidents::within(plan, &one.said.policy);
            one.open = incidents::counting(&incidents, within, &one.said, record.index);
            one.closed = incidents::is_closed(&incidents, &one.said);
            out.push(one);
        }
        Ok(out)
    }
}

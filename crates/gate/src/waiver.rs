//! Waivers: `waivers.toml`, one entry a gate, each with owner, approver, reason, issue and an end.
//!
//! An entry that breaks a rule is told and excuses nothing; it is never dropped. The gate of the waivers themselves, that of the
//! quarantines and that of the policy cannot be waived, and evidence that cannot be used is not covered by any waiver.

use std::collections::BTreeSet;

use gonogo_core::{Digest, Reason, Timestamp};

use crate::excuse::{self, Law, told};
use crate::inputs::ExcuseFile;
use crate::policy::{BUILT_IN, Lane};
use crate::strict::{Faults, Item, Node, Table};
use crate::verdict::{ExcuseStatus, Told, WaiverState};

/// The schema.
pub const SCHEMA: &str = "gonogo.gate.waivers.v1";

/// Most entries.
const MOST: usize = 1_000;

/// A waiver that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// The gate that it is for.
    pub gate_id: String,
    /// The lanes that it is for.
    pub lanes: Vec<Lane>,
    /// Until when.
    pub expires: Timestamp,
    /// Of its entry.
    pub digest: Digest,
    /// How it stands.
    pub status: ExcuseStatus,
}

/// The waivers of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waivers {
    /// Those that could be read, whether they hold or not.
    pub read: Vec<Waiver>,
    /// All entries, as they stand.
    pub states: Vec<WaiverState>,
    /// What the lifecycle gate says.
    pub reasons: Vec<Told>,
}

impl Waivers {
    /// The waiver that covers a gate in a lane.
    pub(crate) fn of(&self, gate: &str, lane: Lane) -> Option<&Waiver> {
        self.read
            .iter()
            .find(|w| w.gate_id == gate && w.status.holds() && w.lanes.contains(&lane))
    }
}

fn entries(root: &Node) -> Vec<(String, &Node)> {
    let Item::Table(top) = &root.item else {
        return Vec::new();
    };
    let Some((_, waivers)) = top.iter().find(|(key, _)| key == "waiver") else {
        return Vec::new();
    };
    match &waivers.item {
        Item::Table(all) => all.iter().map(|(id, node)| (id.clone(), node)).collect(),
        _ => Vec::new(),
    }
}

/// Reads and judges a file of waivers. `gates` are the ids that can be waived.
pub(crate) fn read(file: &ExcuseFile, law: &Law<'_>, gates: &BTreeSet<&str>) -> Waivers {
    let parsed = excuse::read(&file.state, &file.base, entries);
    let mut found = Waivers::default();
    for fault in &parsed.faults {
        found
            .reasons
            .push(told(Reason::WaiverInvalid, format!("waivers: {fault}")));
    }
    let Some(root) = &parsed.root else {
        return found;
    };
    let faults = Faults::default();
    if let Some(table) = Table::open(&faults, "", root) {
        if let Some(schema) = table.need("schema", table.text("schema"))
            && schema != SCHEMA
        {
            table.refuse("schema", format!("expected `{SCHEMA}`, found `{schema}`"));
        }
        if let Some(inner) = table.table("waiver")
            && inner.entries().len() > MOST
        {
            table.refuse("waiver", format!("there are more than {MOST}"));
        }
        table.finish();
    }
    for fault in faults.into_vec() {
        found
            .reasons
            .push(told(Reason::WaiverInvalid, format!("waivers: {fault}")));
    }
    for (id, node) in entries(root).into_iter().take(MOST) {
        let writers = excuse::writers(file, node);
        let base = parsed.base.as_deref();
        entry(&id, node, law, gates, base, &writers, &mut found);
    }
    found
}

/// What an entry must have.
struct Entry {
    owner: String,
    approver: String,
    created: Timestamp,
    expires: Timestamp,
    lanes: Vec<Lane>,
}

fn entry(
    id: &str,
    node: &Node,
    law: &Law<'_>,
    gates: &BTreeSet<&str>,
    base: Option<&[Digest]>,
    writers: &[&str],
    found: &mut Waivers,
) {
    let digest = excuse::digest(id, node);
    let faults = Faults::default();
    let path = format!("waiver.{id}");
    let entry = Table::open(&faults, &path, node).and_then(fields);
    let mut problems: Vec<(Reason, String)> = faults
        .into_vec()
        .into_iter()
        .map(|fault| (Reason::WaiverInvalid, fault.to_string()))
        .collect();
    let mut tell = |reason, text: String| problems.push((reason, text));
    if BUILT_IN.contains(&id) {
        tell(Reason::WaiverInvalid, format!("`{id}` cannot be waived"));
    } else if !gates.contains(id) {
        let near = gonogo_core::near::nearest(id, gates.iter().copied());
        let hint = near.map_or(String::new(), |n| format!("; did you mean `{n}`?"));
        tell(
            Reason::WaiverInvalid,
            format!("the policy has no gate `{id}`{hint}"),
        );
    }
    let mut state = WaiverState {
        gate_id: id.to_owned(),
        status: ExcuseStatus::Invalid,
        detail: String::new(),
        days_remaining: None,
        digest,
        fields: excuse::fields(node),
    };
    let mut waiver = None;
    if let Some(entry) = entry {
        if law.people.are_one(&entry.owner, &entry.approver) {
            let text = format!("`{}` approves what is their own", entry.approver);
            tell(Reason::WaiverSelfApproved, text);
        }
        let is_known = base.is_some_and(|known| known.contains(&digest));
        if !is_known && law.is_author(&entry.approver) {
            let text = format!(
                "`{}` made the change and approves its excuse",
                entry.approver
            );
            tell(Reason::WaiverSelfApproved, text);
        }
        if writers.contains(&excuse::UNKNOWN) {
            let text = "nobody knows who wrote the entry: the repository's history is cut off; fetch all of it";
            tell(Reason::ExcuseUnapproved, text.to_owned());
        }
        if let Some(writer) = writers
            .iter()
            .find(|w| law.people.are_one(w, &entry.approver))
        {
            let text = format!("`{writer}` wrote the entry and approves it");
            tell(Reason::WaiverSelfApproved, text);
        }
        match law.term(entry.created, entry.expires, law.defaults.waiver_max) {
            Err(text) => tell(Reason::WaiverInvalid, text),
            Ok(term) => {
                let signed = law.approval(digest, Some(&entry.owner), Some(&entry.approver));
                let status = excuse::status(
                    &term,
                    law.defaults.waiver_soon,
                    is_known || signed.is_some(),
                );
                state.days_remaining = Some(term.days);
                if problems.is_empty() {
                    state.status = status;
                    waiver = Some(Waiver {
                        gate_id: id.to_owned(),
                        lanes: entry.lanes,
                        expires: entry.expires,
                        digest,
                        status,
                    });
                }
            }
        }
    }
    if problems.is_empty() {
        let expires = waiver.as_ref().map(|w| w.expires.to_string());
        let until = expires.unwrap_or_default();
        let (reason, detail) = match state.status {
            ExcuseStatus::Active => (None, format!("until {until}")),
            ExcuseStatus::ExpiringSoon => (
                Some(Reason::WaiverExpiring),
                format!("it ends soon, at {until}"),
            ),
            ExcuseStatus::Unapproved => (
                Some(Reason::ExcuseUnapproved),
                "the change brings it, and its approver has not signed it".to_owned(),
            ),
            ExcuseStatus::Expired => (Some(Reason::WaiverExpired), format!("it ended at {until}")),
            ExcuseStatus::Invalid => (Some(Reason::WaiverInvalid), "it cannot be read".to_owned()),
        };
        if let Some(reason) = reason {
            found
                .reasons
                .push(told(reason, format!("waiver of `{id}`: {detail}")));
        }
        state.detail = detail;
    } else {
        let texts: Vec<&str> = problems.iter().map(|(_, text)| text.as_str()).collect();
        state.detail = texts.join("; ");
        for (reason, text) in &problems {
            found
                .reasons
                .push(told(*reason, format!("waiver of `{id}`: {text}")));
        }
    }
    found.states.push(state);
    found.read.extend(waiver);
}

fn fields(table: Table<'_>) -> Option<Entry> {
    let owner = table.need("owner", table.somebody("owner"));
    let approver = table.need("approver", table.somebody("approver"));
    let created = table.need("created", table.time("created"));
    let expires = table.need("expires", table.time("expires"));
    let issue = table.need("issue", table.said("issue"));
    let reason = table.need("reason", table.said("reason"));
    let remove_when = table.need("remove_when", table.said("remove_when"));
    table.text("risk");
    let lanes = table.need("scope", scope(&table));
    table.finish();
    issue?;
    reason?;
    remove_when?;
    Some(Entry {
        owner: owner?,
        approver: approver?,
        created: created?,
        expires: expires?,
        lanes: lanes?,
    })
}

fn scope(table: &Table<'_>) -> Option<Vec<Lane>> {
    let words = match &table.node("scope")?.item {
        Item::Text(_) => vec![table.text("scope")?],
        _ => table.texts("scope")?,
    };
    let mut lanes = BTreeSet::new();
    for word in &words {
        match word.as_str() {
            "both" => lanes.extend([Lane::Preflight, Lane::Full]),
            word => match Lane::parse(word) {
                Some(lane) => {
                    lanes.insert(lane);
                }
                None => {
                    table.refuse(
                        "scope",
                        format!(
                            "`{word}` is no scope; known: full, preflight, both, certification"
                        ),
                    );
                    return None;
                }
            },
        }
    }
    if lanes.is_empty() {
        table.refuse("scope", "it is empty");
        return None;
    }
    Some(lanes.into_iter().collect())
}

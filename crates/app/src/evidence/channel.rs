//! Approvals in a packet, checked from its records alone: whose voices counted when the operation began, what was taken back, delegated or
//! superseded before, and which glass was broken.
//!
//! Requests, approvals, revocations, uses and supersessions stand in the plan's stream, which a packet holds without gaps: one that is left
//! out is noticed before anything is asked here.

use std::collections::BTreeSet;

use gonogo_core::id::OperationId;
use gonogo_ledger::key_event::CONTROLLER;
use gonogo_ledger::verify::{Report, VerifiedRecord};
use gonogo_release::approval::{self, Broken, Demand};
use gonogo_release::plan::Plan;
use serde_json::Value;

use crate::approving::facts::{self, Said, text};
use crate::approving::{self, Recorded, delegating, revoking, superseding};
use crate::incidents::{self, Incident};
use crate::{AppError, Workspace, planning};

/// Kinds of records that approvals are checked by, beside the approvals themselves.
pub(super) const CHANNEL: [&str; 8] = [
    planning::ASKED,
    revoking::KIND,
    superseding::KIND,
    delegating::KIND,
    delegating::WITHDRAWN,
    incidents::KIND,
    incidents::PAGE,
    incidents::GLASS,
];

/// The incident that the operation says it began by.
pub(super) fn glass(report: &Report) -> Option<String> {
    let begin = begin(report)?;
    Some(begin.body.get("breakGlass")?.as_str()?.to_owned())
}

/// Every incident that the packet tells of.
pub(super) fn incidents(report: &Report) -> Vec<Incident> {
    of_incidents(&report.records)
}

fn begin(report: &Report) -> Option<&VerifiedRecord> {
    let about = report.about.as_deref();
    let mut all = report.records.iter();
    all.find(|r| r.kind == "operation" && Some(r.stream.as_str()) == about)
}

fn of_incidents(records: &[VerifiedRecord]) -> Vec<Incident> {
    let kinds = [incidents::KIND, incidents::PAGE];
    let all = records.iter().filter(|r| kinds.contains(&r.kind.as_str()));
    incidents::read(all.map(|r| (r.index, r.stream.as_str(), r.time, &r.body)))
}

/// What the operation says of incidents must be there: the one that its glass opened, and those that were open.
pub(super) fn check_incidents(
    records: &[VerifiedRecord],
    begin: &VerifiedRecord,
    glass: Option<&str>,
) -> Result<(), String> {
    let told = begin.body.get("openIncidents");
    let told: Vec<String> = match told {
        None => Vec::new(),
        Some(told) => serde_json::from_value(told.clone())
            .map_err(|_| "the operation does not say which incidents were open".to_owned())?,
    };
    let here = of_incidents(records);
    for id in told.iter().map(String::as_str).chain(glass) {
        let known = here.iter().find(|i| i.incident.as_str() == id);
        if known.is_none_or(|i| i.opened_index >= begin.index) {
            return Err(format!(
                "the operation names incident `{id}`, and no record before it opens that"
            ));
        }
    }
    Ok(())
}

/// Who had asked for the plan when the operation began. Whoever asked after the beginning came too late to be barred.
pub(super) fn recorded(
    records: &[VerifiedRecord],
    begin: &VerifiedRecord,
    planned: &VerifiedRecord,
    plan: &Plan,
    key: String,
) -> Recorded {
    let before: Vec<Said<'_>> = records
        .iter()
        .filter(|r| r.stream == planned.stream && r.index < begin.index && r.time <= begin.time)
        .map(said)
        .collect();
    Recorded {
        also: facts::askers(&before, plan, &key),
        key,
    }
}

/// Checks that the plan was approved when the operation began, by `named` and nothing else; says how many voices counted.
pub(super) fn check(
    records: &[VerifiedRecord],
    begin: &VerifiedRecord,
    planned: &VerifiedRecord,
    named: &[String],
    operation: &OperationId,
    demand: &Demand<'_>,
) -> Result<usize, String> {
    let is_named = |id: &str| named.iter().any(|n| n == id);
    // Used and taken back: one of both is not true, whichever was recorded first.
    let mut beside = records.iter().filter(|r| r.stream == planned.stream);
    if let Some(back) =
        beside.find(|r| r.kind == revoking::KIND && is_named(text(&r.body, "approval")))
    {
        return Err(format!(
            "the operation used an approval that was taken back, says record {}",
            back.index
        ));
    }
    let said: Vec<Said<'_>> = records
        .iter()
        .filter(|r| r.stream == planned.stream && r.index < begin.index)
        // The record of the beginning may have been written late; a newer plan after the beginning came too late.
        .filter(|r| r.kind != superseding::KIND || r.time <= begin.time)
        .map(said)
        .collect();
    if let Some(newer) = facts::superseded_by(&said) {
        return Err(format!(
            "plan `{newer}` had superseded the plan when the operation began"
        ));
    }
    let lent: Vec<Said<'_>> = records
        .iter()
        .filter(|r| r.stream.starts_with("delegation/") && r.index < begin.index)
        .map(self::said)
        .collect();
    let presented: Vec<_> = facts::presented(&said, &lent)
        .into_iter()
        // So did a rejection.
        .filter(|(s, p)| p.approval.decision != "rejected" || s.time <= begin.time)
        // What the operation does not name is not counted for it; it may still be a rejection, or take one back.
        .map(|(_, mut p)| {
            p.used_by = (!is_named(&p.approval.approval_id)).then(|| operation.clone());
            p
        })
        .collect();
    // An incident that was closed after the beginning was closed too late to end its glass.
    let before = records
        .iter()
        .filter(|r| r.kind == incidents::KIND && r.index < begin.index && r.time <= begin.time);
    let known = incidents::read(before.map(|r| (r.index, r.stream.as_str(), r.time, &r.body)));
    let broken: Vec<_> = facts::broken(&said)
        .into_iter()
        .map(|(_, broken)| broken)
        .filter(|b| is_named(&b.said.incident_id))
        .map(|b| Broken {
            closed: incidents::is_closed(&known, &b.said),
            ..b
        })
        .collect();
    approval::check_with(&presented, &broken, demand)
        .map(|approved| approved.approvals.len())
        .map_err(|e| e.to_string())
}

fn said(record: &VerifiedRecord) -> Said<'_> {
    Said {
        index: record.index,
        time: record.time,
        stream: &record.stream,
        kind: &record.kind,
        actor: &record.actor,
        signer: record.signer.key,
        by_server: record.signer.role == CONTROLLER,
        body: &record.body,
    }
}

/// Streams that a packet of the operation needs beside the plan's: the delegations by which somebody spoke, and incidents that were open
/// when it began or are now.
pub(super) fn streams(
    ws: &Workspace,
    operation: &OperationId,
    plan: &Plan,
) -> Result<BTreeSet<String>, AppError> {
    let mut all = BTreeSet::new();
    for one in approving::presented(ws, plan)? {
        if one.delegation.is_some() {
            all.insert(delegating::stream(&one.approval.delegation));
        }
    }
    for record in ws.every(format!("operation/{operation}"), "operation")? {
        let list = record.body.get("openIncidents").and_then(Value::as_array);
        let named = list
            .into_iter()
            .flatten()
            .chain(record.body.get("breakGlass"));
        all.extend(named.filter_map(Value::as_str).map(incidents::stream));
    }
    let open = incidents::open(ws, &plan.body.environment)?;
    all.extend(open.iter().map(|i| incidents::stream(i.incident.as_str())));
    Ok(all)
}

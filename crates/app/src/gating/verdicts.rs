//! The gate `verdict = { … }`: runs that kept what is released among their outputs, and verdicts over the tree that they were of.

use gonogo_core::{Digest, Timestamp, Verdict};
use gonogo_ledger::key_event::CONTROLLER;
use gonogo_ledger::verify::VerifiedRecord;
use gonogo_release::gate::{self, Built, Closed, Judged};
use gonogo_release::plan::VerdictGate;
use gonogo_store::ledger::Filter;
use serde_json::{Value, json};

use crate::gates::checking::VERDICT;
use crate::suite::artifacts::FILES;
use crate::suite::running::RESULT;
use crate::{AppError, Workspace};

/// The streams of runs of suites, and of verdicts.
const RUNS: &str = "run/suite/";
const VERDICTS: &str = "run/gate/";

/// What a record says, whichever way it came here.
pub(super) struct Said<'a> {
    pub(super) index: u64,
    pub(super) stream: &'a str,
    pub(super) kind: &'a str,
    pub(super) at: Timestamp,
    pub(super) body: &'a Value,
    pub(super) subjects: Vec<(&'a str, Digest)>,
}

/// Runs and verdicts.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) built: Vec<Built>,
    pub(super) judged: Vec<Judged>,
}

impl Seen {
    /// Takes a record, if it is one of either.
    pub(super) fn add(&mut self, said: &Said<'_>) {
        let word = |key: &str| said.body.get(key).and_then(Value::as_str);
        if said.kind == RESULT && said.stream.starts_with(RUNS) {
            let status = said.body.get("status").cloned().unwrap_or_default();
            let status: Option<Verdict> = serde_json::from_value(status).ok();
            let outputs = said.subjects.iter().filter(|(name, _)| *name != FILES);
            self.built.push(Built {
                index: said.index,
                stream: said.stream.to_owned(),
                tree: word("tree").unwrap_or_default().to_owned(),
                good: status == Some(Verdict::Pass),
                declared: word("declared").map(str::to_owned),
                outputs: outputs.map(|(_, digest)| *digest).collect(),
            });
        } else if said.kind == VERDICT && said.stream.starts_with(VERDICTS) {
            self.judged.push(Judged {
                index: said.index,
                stream: said.stream.to_owned(),
                lane: word("lane").unwrap_or_default().to_owned(),
                verdict: word("verdict").unwrap_or_default().to_owned(),
                tree: word("tree").unwrap_or_default().to_owned(),
                declared: word("declared").map(str::to_owned),
                at: said.at,
                // An end that cannot be read has come already.
                expires_at: match said.body.get("expiresAt") {
                    None | Some(Value::Null) => None,
                    Some(end) => {
                        let end = end.as_str().and_then(|e| e.parse().ok());
                        Some(end.unwrap_or(Timestamp::from_millis(0)))
                    }
                },
            });
        }
    }

    /// The rule.
    pub(super) fn judge(
        &self,
        wanted: &[Digest],
        demanded: &VerdictGate,
        now: Timestamp,
    ) -> Result<(&Judged, &Built), Closed> {
        gate::verdict(wanted, demanded, &self.built, &self.judged, now)
    }
}

/// What the ledger has about these artifacts, signed by a controller.
pub(super) fn seen(ws: &Workspace, wanted: &[Digest]) -> Result<Seen, AppError> {
    let controllers: Vec<_> = ws
        .ledger
        .enrolled_keys()?
        .into_iter()
        .filter(|k| k.role == CONTROLLER)
        .map(|k| k.key.id())
        .collect();
    let mut seen = Seen::default();
    let mut indexes: Vec<u64> = Vec::new();
    for artifact in wanted {
        indexes.extend(ws.ledger.about(artifact, RESULT, u32::MAX)?);
    }
    indexes.sort_unstable();
    indexes.dedup();
    let mut records = Vec::new();
    for index in indexes {
        records.push(ws.ledger.record_at(index)?);
    }
    records.extend(ws.ledger.every(Filter {
        kind: Some(VERDICT.into()),
        ..Filter::default()
    })?);
    for record in records.iter().filter(|r| controllers.contains(&r.signer)) {
        seen.add(&Said {
            index: record.index,
            stream: &record.stream,
            kind: &record.kind,
            at: record.time,
            body: &record.body,
            subjects: record
                .subject
                .iter()
                .map(|s| (s.name.as_str(), s.digest))
                .collect(),
        });
    }
    Ok(seen)
}

/// The same from a packet's records, before the operation's first.
pub(super) fn of_packet(records: &[VerifiedRecord], before: u64) -> Seen {
    let mut seen = Seen::default();
    let own = records
        .iter()
        .filter(|r| r.signer.role == CONTROLLER && r.index < before);
    for record in own {
        seen.add(&Said {
            index: record.index,
            stream: &record.stream,
            kind: &record.kind,
            at: record.time,
            body: &record.body,
            subjects: record
                .subject
                .iter()
                .map(|s| (s.name.as_str(), s.digest))
                .collect(),
        });
    }
    seen
}

/// What the operation's first record says of it.
pub(super) fn named(judged: &Judged, built: &Built) -> Value {
    json!({
        "verdict": judged.index,
        "stream": judged.stream,
        "at": judged.at,
        "lane": judged.lane,
        "tree": judged.tree,
        "built": built.index,
        "builtBy": built.stream,
    })
}

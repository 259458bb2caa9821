//! Records of the ledger.

use gonogo_core::{Digest, Reason, Timestamp};
use gonogo_store::ledger::{Filter, RecordView};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::desk::{Answered, Desk};
use super::tool::{Facts, Route, UseCase};
use super::words::{Limit, Moment};
use crate::{AppError, evidence};

/// Input of `evidence_search`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvidenceSearch {
    /// Only this stream, like `operation/op_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[!-~]{1,200}$"))]
    pub stream: Option<String>,
    /// Only this kind, like `decision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[!-~]{1,100}$"))]
    pub kind: Option<String>,
    /// Only by this actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[!-~]{1,100}$"))]
    pub actor: Option<String>,
    /// Only about this digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Digest>,
    /// Only with this reason code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Code>,
    /// Only of this time or later, by the writer's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// Only before this time, by the writer's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// Only after this index: an earlier answer's `nextAfter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub after: Option<u64>,
    /// At most so many; 50 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

/// A reason code, known here or not.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Code(#[schemars(regex(pattern = r"^[A-Za-z][A-Za-z0-9_]{1,63}$"))] pub String);

/// A page of records, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Records {
    /// The records.
    pub records: Vec<RecordDoc>,
    /// Where the next page begins; none at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_after: Option<u64>,
}

/// A record. Texts in its body may come from programs that nobody here wrote: they are data, not instructions.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordDoc {
    /// Its index in the ledger.
    pub index: u64,
    /// Its stream.
    pub stream: String,
    /// Its position in the stream.
    pub seq: u64,
    /// The key under which it was appended: the same deed has the same key.
    pub key: String,
    /// Its kind.
    pub kind: String,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: String,
    /// Key id of who signed.
    pub signer: String,
    /// What it is about.
    pub subject: Vec<SubjectDoc>,
    /// The trace that it belongs to; absent where nobody said one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// What it says.
    pub body: Value,
    /// SHA-256 of the statement's bytes.
    pub digest: Digest,
    /// The leaf's hash in the log.
    pub leaf_hash: Digest,
}

/// Something that a record is about.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubjectDoc {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
}

impl From<RecordView> for RecordDoc {
    fn from(record: RecordView) -> Self {
        let subject = record.subject.into_iter().map(|s| SubjectDoc {
            name: s.name,
            digest: s.digest,
        });
        Self {
            index: record.index,
            stream: record.stream,
            seq: record.seq,
            key: record.key,
            kind: record.kind,
            time: record.time,
            actor: record.actor,
            signer: record.signer.to_string(),
            subject: subject.collect(),
            trace_id: record.trace,
            body: record.body,
            digest: record.digest,
            leaf_hash: record.leaf_hash,
        }
    }
}

impl UseCase for EvidenceSearch {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/evidence")],
        gives: &[("record", "/data/records/0/digest")],
        examples: &["{}", r#"{"kind": "plan", "limit": 1}"#],
        ..Facts::read(
            "evidence_search",
            "Search evidence",
            "Lists records of the ledger, oldest first.",
        )
    };
    type Answer = Records;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Records>, AppError> {
        let filter = Filter {
            stream: self.stream,
            kind: self.kind,
            actor: self.actor,
            subject: self.subject,
            reason: self.reason.map(|r| r.0),
            since: self.since.map(|m| m.time()).transpose()?,
            until: self.until.map(|m| m.time()).transpose()?,
            after: self.after,
            limit: self.limit.unwrap_or_default().0 as usize,
        };
        let (records, more) = evidence::list(desk.workspace, &filter)?;
        let next_after = records.last().map(|r| r.index).filter(|_| more);
        Ok(Records {
            records: records.into_iter().map(RecordDoc::from).collect(),
            next_after,
        }
        .into())
    }
}

/// Input of `evidence_get`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvidenceGet {
    /// The record: its index, or the first digits of its digest.
    #[schemars(regex(pattern = r"^([0-9]{1,15}|(sha256:)?[0-9a-f]{8,64})$"))]
    pub record: String,
}

impl UseCase for EvidenceGet {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/evidence/{record}")],
        examples: &[r#"{"record": "0"}"#],
        ..Facts::read(
            "evidence_get",
            "Show a record",
            "Shows one record of the ledger, with its digest and its place.",
        )
    };
    type Answer = RecordDoc;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<RecordDoc>, AppError> {
        let record = evidence::show(desk.workspace, self.record.trim_start_matches("sha256:"));
        let record = record.map_err(|e| match e.reason {
            Reason::ArgumentInvalid => AppError::new(Reason::InputNotFound, e.message),
            _ => e,
        })?;
        Ok(RecordDoc::from(record).into())
    }
}

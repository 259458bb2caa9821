//! Controls over what may be applied: freezes, pins, and which versions are known-good.
//!
//! The rules are `gonogo_release::{freeze,pin,known_good}`; here are the ledger, the configuration and who asks. Nothing of it is kept
//! beside the ledger: what holds is what its records say. Invariants: a control that cannot be read keeps everything from being
//! applied, and never anybody from going back; a freeze ends by its time, or by gates that pass again, and by no flag; what loosens is
//! judged by what is in force (`force`), and not by whichever file is named.

pub(crate) mod force;
pub mod freezing;
pub mod goodness;
mod guarding;
mod passing;
pub mod pinning;
pub mod posture;
mod words;

pub(crate) use guarding::{Guard, may_apply};

use gonogo_core::Reason;
use gonogo_store::ledger::Filter;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::identity::Identity;
use crate::{AppError, Workspace, secrets};

/// The streams of controls.
pub(crate) const STREAMS: [&str; 4] = [
    freezing::STREAM,
    pinning::STREAM,
    goodness::STREAM,
    posture::STREAM,
];

/// The streams of controls that have records, so that packets hold them.
pub(crate) fn streams(ws: &Workspace) -> Result<Vec<String>, AppError> {
    let mut all = Vec::new();
    for stream in STREAMS {
        let begins = Filter {
            stream: Some(stream.into()),
            limit: 1,
            ..Filter::default()
        };
        if !ws.ledger.records(&begins)?.is_empty() {
            all.push(stream.to_owned());
        }
    }
    Ok(all)
}

/// Keeps a control as a record that who asks has signed, or the server for a login.
fn keep(
    ws: &Workspace,
    me: &Identity,
    stream: &str,
    key: String,
    kind: &str,
    subject: Option<(String, gonogo_core::Digest)>,
    body: Value,
) -> Result<u64, AppError> {
    let draft = gonogo_store::ledger::Draft {
        stream: stream.into(),
        key,
        kind: kind.into(),
        subject: subject
            .into_iter()
            .map(|(name, digest)| gonogo_ledger::Subject { name, digest })
            .collect(),
        time: ws.now()?,
        actor: me.name.clone(),
        body,
        signer: me.key.clone(),
    };
    let receipts = ws.append(me.vouched(vec![draft]))?;
    receipts
        .first()
        .map(|r| r.index)
        .ok_or_else(|| AppError::new(Reason::Internal, "the ledger gave no receipt"))
}

/// As [`keep`], where the key says what there is one of: none if somebody else has written that one.
fn kept_once(
    ws: &Workspace,
    me: &Identity,
    stream: &str,
    key: String,
    kind: &str,
    subject: Option<(String, gonogo_core::Digest)>,
    body: Value,
) -> Result<Option<u64>, AppError> {
    match keep(ws, me, stream, key, kind, subject, body) {
        Err(e) if e.reason == Reason::IdempotencyConflict => Ok(None),
        other => other.map(Some),
    }
}

/// A control out of its record. One that cannot be understood is no absent one.
fn read<T: DeserializeOwned>(index: u64, body: Value) -> Result<T, AppError> {
    serde_json::from_value(body).map_err(|e| {
        let text =
            format!("record {index} of the ledger holds a control that cannot be understood: {e}");
        AppError::new(Reason::LedgerCorrupt, text)
            .hint("use the gonogo that wrote it; until then nothing is applied")
    })
}

/// A reason in one line, as somebody gave it.
fn said(why: &str) -> Result<String, AppError> {
    let why = why.trim();
    secrets::refuse(why, "$.why")?;
    let sound = (1..=500).contains(&why.chars().count()) && !why.chars().any(char::is_control);
    match sound {
        true => Ok(why.to_owned()),
        false => Err(AppError::new(
            Reason::ArgumentInvalid,
            "a reason has 1 to 500 characters in one line",
        )
        .hint("give it with `--why TEXT`")),
    }
}

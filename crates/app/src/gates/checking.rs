//! Judging: gather, judge, keep, record. And what follows from a kept verdict: explain, judge again, judge at another time.

use std::path::{Path, PathBuf};

use gonogo_core::id::RunId;
use gonogo_core::{Digest, Reason, Timestamp};
use gonogo_gate::{Inputs, Verdict};
use serde_json::json;

use super::gathering::{self, Asked, Place};
use crate::AppError;
use crate::home::Home;
use crate::identity;
use crate::workspace::{STATE_DIR, make_dir, write_atomic};

/// The record that a verdict is.
pub const VERDICT: &str = "verdict";

/// Most bytes of kept inputs.
const LARGEST: u64 = 1 << 30;

/// A verdict that was kept.
#[derive(Debug)]
pub struct Checked {
    /// Names it.
    pub id: String,
    /// It.
    pub verdict: Verdict,
    /// What it was made of.
    pub inputs: Inputs,
    /// Where both are.
    pub dir: PathBuf,
    /// The record.
    pub record: Option<u64>,
}

/// The stream of a verdict.
pub fn stream(id: &str) -> String {
    format!("run/gate/{id}")
}

/// Judges what is there now, keeps and records it.
///
/// # Errors
/// Configuration, the ledger's and git's faults, files that cannot be written. A gate that is closed is a verdict.
pub fn check(home: &Home, asked: &Asked) -> Result<Checked, AppError> {
    let place = Place::find(home)?;
    let inputs = gathering::gather(&place, asked)?;
    let verdict = gonogo_gate::judge(&inputs);
    keep(home, &place, inputs, verdict)
}

/// Judges as it would be at another time; nothing is kept.
///
/// # Errors
/// As [`check`].
pub fn simulate(home: &Home, asked: &Asked, at: Timestamp) -> Result<(Verdict, Verdict), AppError> {
    let place = Place::find(home)?;
    let mut inputs = gathering::gather(&place, asked)?;
    let now = gonogo_gate::judge(&inputs);
    inputs.now = at;
    Ok((now, gonogo_gate::judge(&inputs)))
}

fn keep(
    home: &Home,
    place: &Place<'_>,
    inputs: Inputs,
    verdict: Verdict,
) -> Result<Checked, AppError> {
    let id = RunId::mint(identity::random()).to_string();
    let dir = place.root.join(STATE_DIR).join("runs/gate").join(&id);
    make_dir(&dir)?;
    let canonical = |e: gonogo_core::canonical::CanonicalError| {
        AppError::new(
            Reason::EvidenceUnparsable,
            format!("the inputs have no canonical form: {e}"),
        )
    };
    let bytes = gonogo_core::canonical::to_vec(&inputs).map_err(canonical)?;
    write_atomic(&dir.join("inputs.json"), &bytes)?;
    let said = verdict.to_bytes().map_err(canonical)?;
    write_atomic(&dir.join("verdict.json"), &said)?;
    let record = {
        let book = home.open(&home.here)?;
        let kept = book.ledger.put_blob(&bytes)?;
        let blob = book.ledger.put_blob(&said)?;
        let body = json!({
            "lane": verdict.gate_id,
            "verdict": verdict.verdict,
            "exit": verdict.exit_code,
            "tree": verdict.tree,
            "commit": verdict.commit,
            "policy": verdict.policy_digest,
            "reasons": verdict.reasons,
            "expiresAt": verdict.expires_at,
            "inputs": kept,
            "blob": blob,
        });
        let subject = vec![("verdict.json".to_owned(), blob)];
        let time = home.clock.now().wall;
        let receipt = book.append(&stream(&id), VERDICT, time, &home.actor()?, subject, body)?;
        receipt.index
    };
    Ok(Checked {
        id,
        verdict,
        inputs,
        dir,
        record: Some(record),
    })
}

/// A kept verdict: the newest, or that of an id.
///
/// # Errors
/// [`Reason::RunUnknown`]; files that cannot be read, or are not what was recorded.
pub fn find(home: &Home, id: Option<&str>) -> Result<Checked, AppError> {
    let book = home.open(&home.here)?;
    let mut filter = gonogo_store::ledger::Filter {
        kind: Some(VERDICT.into()),
        limit: 1000,
        ..gonogo_store::ledger::Filter::default()
    };
    let mut found = None;
    loop {
        let page = book.ledger.records(&filter)?;
        let Some(last) = page.last() else { break };
        filter.after = Some(last.index);
        for record in page {
            let own = record.stream.strip_prefix(&stream("")).map(str::to_owned);
            if let Some(own) = own.filter(|own| id.is_none_or(|id| own.starts_with(id))) {
                found = Some((own, record));
            }
        }
    }
    let Some((id, record)) = found else {
        let text = match id {
            None => "no gate was judged yet".to_owned(),
            Some(id) => format!("no verdict has the id `{id}`"),
        };
        return Err(AppError::new(Reason::RunUnknown, text).hint("`gonogo gate check` makes one"));
    };
    let digest = |key: &str| -> Result<Digest, AppError> {
        let word = record.body.get(key).and_then(|v| v.as_str());
        word.and_then(|w| w.parse().ok()).ok_or_else(|| {
            let text = format!("record {} names no `{key}`", record.index);
            AppError::new(Reason::InputMalformed, text)
        })
    };
    let inputs = book.ledger.read_blob(&digest("inputs")?, LARGEST)?;
    let verdict = book.ledger.read_blob(&digest("blob")?, LARGEST)?;
    let malformed = |e: serde_json::Error| AppError::new(Reason::InputMalformed, e.to_string());
    let dir = home.root().join(STATE_DIR).join("runs/gate").join(&id);
    Ok(Checked {
        id,
        verdict: serde_json::from_slice(&verdict).map_err(malformed)?,
        inputs: serde_json::from_slice(&inputs).map_err(malformed)?,
        dir,
        record: Some(record.index),
    })
}

/// Judges kept inputs again and says whether the bytes are the same.
///
/// # Errors
/// Files that cannot be read.
pub fn again(inputs: &Path, verdict: &Path) -> Result<(Verdict, bool), AppError> {
    let read = |path: &Path| -> Result<Vec<u8>, AppError> {
        std::fs::read(path).map_err(|e| AppError::io("read", path, &e))
    };
    let malformed = |e: serde_json::Error| AppError::new(Reason::InputMalformed, e.to_string());
    let parsed: Inputs = serde_json::from_slice(&read(inputs)?).map_err(malformed)?;
    let made = gonogo_gate::judge(&parsed);
    let bytes = made
        .to_bytes()
        .map_err(|e| AppError::new(Reason::InputMalformed, e.to_string()))?;
    let same = bytes == read(verdict)?;
    Ok((made, same))
}

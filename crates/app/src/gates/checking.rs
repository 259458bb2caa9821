//! Judging: gather, judge, keep, record. And what follows from a kept verdict: explain, judge again, judge at another time.

use std::path::{Path, PathBuf};

use gonogo_core::id::RunId;
use gonogo_core::{Digest, Reason};
use gonogo_gate::artifacts::CERTIFICATION;
use gonogo_gate::policy::Lane;
use gonogo_gate::simulate::Simulation;
use gonogo_gate::{Artifacts, Inputs, Selftest, Suppose, Verdict, view};
use gonogo_store::ledger::{Filter, RecordView};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::gathering::{self, Asked, Place};
use crate::AppError;
use crate::home::{Book, Home};
use crate::identity;
use crate::suite::artifacts::{FILES, Kept};
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
    /// What was computed on the way, and what follows from it.
    pub made: Artifacts,
}

/// The files of a verdict: [`FILES`]. Its own digest is what the ledger records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// [`Listed::SCHEMA`].
    pub schema: String,
    /// The verdict.
    pub verdict_id: String,
    /// By path.
    pub files: Vec<Kept>,
}

impl Listed {
    /// The schema.
    pub const SCHEMA: &'static str = "gonogo.gate.files.v1";
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

/// Judges as it would be if something else were so; nothing is kept.
///
/// # Errors
/// As [`check`]; a supposition that names what is not there.
pub fn simulate(home: &Home, asked: &Asked, suppose: &Suppose) -> Result<Simulation, AppError> {
    let place = Place::find(home)?;
    let inputs = gathering::gather(&place, asked)?;
    gonogo_gate::simulate(&inputs, suppose)
        .map_err(|e| AppError::new(Reason::ArgumentInvalid, e.to_string()))
}

/// Tries the project's policy on poisoned evidence.
///
/// # Errors
/// No configuration.
pub fn selftest(home: &Home, lane: Lane) -> Result<Selftest, AppError> {
    let config = super::configured(home)?;
    let policy = gathering::file(&home.root().join(gathering::POLICY));
    let declared = super::declared::of(config);
    let now = home.clock.now().wall;
    Ok(gonogo_gate::selftest(&policy, &declared, lane, now))
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
    views(&dir, &verdict)?;
    let made = gonogo_gate::artifacts(&inputs, &verdict);
    for (name, bytes) in &made.files {
        write_atomic(&dir.join(name), bytes)?;
    }
    let files = list(&dir, &id)?;
    let record = {
        let book = home.open(&home.here)?;
        let kept = book.ledger.put_blob(&bytes)?;
        let blob = book.ledger.put_blob(&said)?;
        let certificate = made.files.get(CERTIFICATION);
        let certificate = certificate.map(|c| book.ledger.put_blob(c)).transpose()?;
        let body = json!({
            "lane": verdict.gate_id,
            "verdict": verdict.verdict,
            "exit": verdict.exit_code,
            "tree": verdict.tree,
            "commit": verdict.commit,
            "policy": verdict.policy_digest,
            "declared": inputs.manifest.digest,
            "reasons": verdict.reasons,
            "expiresAt": verdict.expires_at,
            "inputs": kept,
            "blob": blob,
            "files": files,
            "certification": certificate,
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
        made,
    })
}

/// Writes the list of a verdict's files, and gives its digest.
fn list(dir: &Path, id: &str) -> Result<Digest, AppError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| AppError::io("read", dir, &e))? {
        let path = entry.map_err(|e| AppError::io("read", dir, &e))?.path();
        let (size, sha256) = crate::dry_run::keeping::digest(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        files.push(Kept {
            path: name.into_owned(),
            size,
            sha256,
        });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let listed = Listed {
        schema: Listed::SCHEMA.to_owned(),
        verdict_id: id.to_owned(),
        files,
    };
    let mut bytes = serde_json::to_vec_pretty(&listed)
        .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
    bytes.push(b'\n');
    write_atomic(&dir.join(FILES), &bytes)?;
    Ok(Digest::of(&bytes))
}

/// The verdict in the shapes of older tools, and as a page.
fn views(dir: &Path, verdict: &Verdict) -> Result<(), AppError> {
    let write = |name: &str, value: &serde_json::Value| {
        let text = serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
        write_atomic(&dir.join(name), text.as_bytes())
    };
    write(
        "full_suite_verdict.json",
        &view::full_suite_verdict(verdict),
    )?;
    write("waiver_audit.json", &view::waiver_audit(verdict))?;
    write("quarantine_report.json", &view::quarantine_report(verdict))?;
    write("promotion.json", &view::promotion(verdict))?;
    match Lane::parse(&verdict.gate_id) {
        Some(Lane::Preflight) => {
            write("preflight_verdict.json", &view::preflight_verdict(verdict))?
        }
        Some(Lane::Certification) => {
            write(
                "certification_lane.json",
                &view::certification_lane(verdict),
            )?;
        }
        _ => {}
    }
    write_atomic(
        &dir.join("full_suite_events.jsonl"),
        view::events(verdict).as_bytes(),
    )?;
    write_atomic(
        &dir.join("full_suite_report.md"),
        view::markdown(verdict).as_bytes(),
    )
}

/// A kept verdict: the newest, or that of an id.
///
/// # Errors
/// [`Reason::RunUnknown`]; files that cannot be read, or are not what was recorded.
pub fn find(home: &Home, id: Option<&str>) -> Result<Checked, AppError> {
    let none = || {
        AppError::new(Reason::RunUnknown, "no gate was judged yet")
            .hint("`gonogo gate check` makes a verdict")
    };
    let book = crate::suite::reading::book(home)?.ok_or_else(none)?;
    let mut found = None;
    for record in verdicts(&book)? {
        let own = record.stream.strip_prefix(&stream("")).map(str::to_owned);
        if let Some(own) = own.filter(|own| id.is_none_or(|id| own.starts_with(id))) {
            found = Some((own, record));
        }
    }
    let Some((id, record)) = found else {
        let Some(id) = id else {
            return Err(none());
        };
        let text = format!("no verdict has the id `{id}`");
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
    let verdict = serde_json::from_slice(&verdict).map_err(malformed)?;
    let inputs = serde_json::from_slice(&inputs).map_err(malformed)?;
    Ok(Checked {
        made: gonogo_gate::artifacts(&inputs, &verdict),
        id,
        verdict,
        inputs,
        dir,
        record: Some(record.index),
    })
}

/// Every verdict that the ledger has, the oldest first.
pub(super) fn verdicts(book: &Book) -> Result<Vec<RecordView>, AppError> {
    Ok(book.ledger.every(Filter {
        kind: Some(VERDICT.into()),
        ..Filter::default()
    })?)
}

/// Whether a record of this project's ledger is of these files: its verdict's id; `None` if no record is.
///
/// # Errors
/// Files that cannot be read; the ledger's faults.
pub fn recorded(home: &Home, inputs: &Path, verdict: &Path) -> Result<Option<String>, AppError> {
    let Some(book) = crate::suite::reading::book(home)? else {
        return Ok(None);
    };
    let digest = |path| crate::dry_run::keeping::digest(path).map(|(_, digest)| digest.to_string());
    let (inputs, verdict) = (digest(inputs)?, digest(verdict)?);
    let found = verdicts(&book)?.into_iter().rev().find(|record| {
        let is = |key: &str, of: &str| record.body.get(key).and_then(|v| v.as_str()) == Some(of);
        is("inputs", &inputs) && is("blob", &verdict)
    });
    Ok(found.and_then(|r| r.stream.strip_prefix(&stream("")).map(str::to_owned)))
}

/// Whose directory this is, where the project keeps its verdicts: the id.
pub fn kept(home: &Home, dir: &Path) -> Option<String> {
    let all = home.root().join(STATE_DIR).join("runs/gate");
    let (all, dir) = (all.canonicalize().ok()?, dir.canonicalize().ok()?);
    let id = dir.strip_prefix(all).ok()?.iter().next()?;
    Some(id.to_string_lossy().into_owned())
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

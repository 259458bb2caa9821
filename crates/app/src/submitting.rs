//! Evidence from outside: attestations and reports of other tools, taken into the ledger with their signatures checked.
//!
//! The exact bytes become a blob, what they say becomes a record signed by whoever submits them. A packet about an artifact
//! brings along what was submitted about it, so that readers check the signatures again with keys of their own.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Reason};
use gonogo_ledger::attestation::{
    self, Error, Key, MAX_SUBMISSION, NamedKey, Outside, RECORD_KIND, Signing,
};
use gonogo_ledger::{Subject, attestation::Submitted as Read};
use gonogo_release::plan::PlanBody;
use gonogo_store::ledger::Draft;
use serde::Serialize;

use crate::{AppError, Workspace};

/// What is submitted, and how it is checked.
#[derive(Debug, Clone, Default)]
pub struct Submission {
    /// The attestation or report.
    pub file: PathBuf,
    /// Public keys that must have signed it: `NAME=FILE`, or a file whose stem is the name.
    pub signers: Vec<String>,
    /// How many of them must have signed; all, if not said.
    pub threshold: Option<usize>,
    /// What it must be about; what a report is about, which cannot say so itself.
    pub about: Option<Digest>,
}

/// What was recorded of one claim.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Submitted {
    /// The record.
    pub index: u64,
    /// Whether this call recorded it.
    pub fresh: bool,
    /// The blob with its exact bytes.
    pub blob: Digest,
    /// What it is.
    pub kind: &'static str,
    /// What it is about.
    pub subjects: Vec<Digest>,
    /// Whose signatures hold.
    pub signers: Vec<String>,
    /// Whether any signature was checked.
    pub verified: bool,
    /// Why none was, if none was.
    pub why: Option<&'static str>,
    /// What the claim says of how it went, in words.
    pub outcome: Option<String>,
    /// Whether that is good: something passed, and nothing failed.
    pub good: Option<bool>,
}

/// Checks and records evidence from outside.
///
/// # Errors
/// It cannot be read, is of no known form, its signatures do not hold, or it is about something else; nothing is recorded
/// then.
pub fn submit(ws: &Workspace, submission: &Submission) -> Result<Vec<Submitted>, AppError> {
    let now = ws.now()?;
    let bytes = read_file(&submission.file)?;
    let keys = submission
        .signers
        .iter()
        .map(|text| read_key(text))
        .collect::<Result<Vec<_>, _>>()?;
    let threshold = submission.threshold.unwrap_or(keys.len());
    let claims =
        attestation::read(&bytes, &keys, threshold).map_err(|e| refused(&submission.file, &e))?;
    let mut drafts = Vec::new();
    let me = ws.identity()?;
    for claim in &claims {
        drafts.push((claim, subjects(claim, submission, &me.name)?));
    }
    let mut all = Vec::new();
    for (claim, subject) in drafts {
        let outside = &claim.outside;
        ws.ledger.put_blob(claim.bytes)?;
        let body = outside.to_body();
        let said = gonogo_core::canonical::to_vec(&body)
            .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
        let about = subject.iter().map(|s| s.digest).collect();
        // The same bytes checked with other keys, or claimed about something else, are another statement.
        let key = Digest::of(&[said, format!("{about:?}").into_bytes()].concat());
        let receipt = ws.ledger.append(vec![Draft {
            stream: format!("run/outside/{}", &outside.digest.hex()[..16]),
            key: format!("submitted/{}", key.hex()),
            kind: RECORD_KIND.to_owned(),
            subject,
            time: now,
            actor: me.name.clone(),
            body,
            signer: me.key.clone(),
        }])?[0];
        all.push(told(outside, receipt.index, receipt.fresh, about));
    }
    Ok(all)
}

fn told(outside: &Outside, index: u64, fresh: bool, subjects: Vec<Digest>) -> Submitted {
    let (signers, why) = match &outside.signing {
        Signing::Verified { signers, .. } => {
            (signers.iter().map(|s| s.name.clone()).collect(), None)
        }
        Signing::NoKey => (
            Vec::new(),
            Some("no key was given to check its signatures with"),
        ),
        Signing::NoSignature => (Vec::new(), Some("it carries no signature")),
    };
    let (outcome, good) = outside.outcome().unzip();
    Submitted {
        outcome,
        good,
        index,
        fresh,
        blob: outside.digest,
        kind: outside.kind.name(),
        subjects,
        signers,
        verified: outside.is_verified(),
        why,
    }
}

/// What the record is about: what the claim says, or what the submitter says of a report that cannot.
fn subjects(
    claim: &Read<'_>,
    submission: &Submission,
    name: &str,
) -> Result<Vec<Subject>, AppError> {
    let outside = &claim.outside;
    if let Some(about) = &submission.about {
        if outside.is_about(about) {
            return Ok(list(outside));
        }
        if !outside.subjects.is_empty() {
            let text = format!(
                "`{}` is about something else than {about}; nothing was recorded",
                submission.file.display()
            );
            return Err(AppError::new(Reason::ArtifactMismatch, text));
        }
        return Ok(vec![Subject {
            name: format!("claimed by {name}"),
            digest: *about,
        }]);
    }
    let mut found = list(outside);
    if found.is_empty() {
        found.push(Subject {
            name: "blob".into(),
            digest: outside.digest,
        });
    }
    Ok(found)
}

fn list(outside: &Outside) -> Vec<Subject> {
    let mut seen = BTreeSet::new();
    outside
        .subjects
        .iter()
        .filter_map(|s| {
            let digest = s.sha256()?;
            let name = s.name.clone().unwrap_or_else(|| "unnamed".into());
            seen.insert(digest).then_some(Subject { name, digest })
        })
        .collect()
}

fn read_file(path: &Path) -> Result<Vec<u8>, AppError> {
    let file = std::fs::File::open(path).map_err(|e| AppError::io("read", path, &e))?;
    let mut bytes = Vec::new();
    file.take(MAX_SUBMISSION as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| AppError::io("read", path, &e))?;
    Ok(bytes)
}

/// Reads `NAME=FILE`, or a file under the name of its stem.
fn read_key(text: &str) -> Result<NamedKey, AppError> {
    let (name, path) = match text.split_once('=') {
        Some((name, path)) => (name.to_owned(), Path::new(path)),
        None => {
            let path = Path::new(text);
            let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned());
            (stem.unwrap_or_default(), path)
        }
    };
    let unusable = |e: &Error| {
        AppError::new(
            Reason::KeyUnreadable,
            format!("key `{}`: {e}", path.display()),
        )
    };
    let pem = std::fs::read_to_string(path).map_err(|e| AppError::io("read", path, &e))?;
    let key = Key::from_pem(&name, pem.as_bytes()).map_err(|e| unusable(&e))?;
    NamedKey::new(&name, key).map_err(|e| unusable(&e))
}

fn refused(path: &Path, error: &Error) -> AppError {
    let mut cause = error;
    while let Error::Line { source, .. } = cause {
        cause = source;
    }
    let reason = match cause {
        Error::Signatures { .. } => Reason::SignatureInvalid,
        Error::Threshold { .. } | Error::Unsigned { .. } => Reason::ArgumentInvalid,
        Error::Key { .. } => Reason::KeyUnreadable,
        _ => Reason::InputMalformed,
    };
    AppError::new(
        reason,
        format!("`{}`: {error}; nothing was recorded", path.display()),
    )
}

/// The streams and blobs of what was submitted about a plan's artifacts.
pub(crate) fn about(
    ws: &Workspace,
    plan: &PlanBody,
) -> Result<(Vec<String>, Vec<Digest>), AppError> {
    /// More than anybody submits about one artifact; the newest count.
    const MOST: u32 = 256;
    let (mut streams, mut blobs) = (BTreeSet::new(), BTreeSet::new());
    for artifact in &plan.to.artifacts {
        for index in ws.ledger.about(&artifact.sha256, RECORD_KIND, MOST)? {
            let record = ws.ledger.record_at(index)?;
            if let Ok(outside) = Outside::from_body(&record.body) {
                blobs.insert(outside.digest);
            }
            streams.insert(record.stream);
        }
    }
    Ok((streams.into_iter().collect(), blobs.into_iter().collect()))
}

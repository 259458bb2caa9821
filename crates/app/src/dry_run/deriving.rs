//! The verdict of a run, derived again from a packet's raw bytes and compared with the one that was signed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Reason};
use gonogo_dryrun::audit::ReadAt;
use gonogo_dryrun::audit::captured::RunFiles;
use gonogo_dryrun::judge;
use gonogo_dryrun::spec::RunSpec;
use gonogo_dryrun::summary::Report as Verdict;
use gonogo_dryrun::{Status, classify};
use gonogo_ledger::key_event::CONTROLLER;
use gonogo_ledger::packet::blob_member;
use gonogo_ledger::verify::{Report, VerifiedRecord};
use serde_json::Value;

use super::keeping::{Files, SCHEMA, SPEC, VERDICT};
use super::recording::{BEGUN, SIGN_OFF};
use crate::home::stream;

/// The largest list, specification or verdict that is read.
const LARGEST: u64 = 64 << 20;

/// What deriving showed.
#[derive(Debug, Clone)]
pub struct Derived {
    /// The run.
    pub run_id: String,
    /// How it was signed off.
    pub status: Status,
    /// Files whose bytes were judged again.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Whether a packet is about a run.
pub fn is_about_run(report: &Report) -> bool {
    let about = report.about.as_deref();
    about.is_some_and(|a| a.starts_with("run/dry-run/"))
}

/// Derives the verdict again.
///
/// # Errors
/// Why the packet proves no verdict, with its reason.
pub fn derive(path: &Path, report: &Report) -> Result<Derived, (Reason, String)> {
    let corrupt = |text: &str| (Reason::PacketCorrupt, text.to_owned());
    let about = report.about.as_deref().unwrap_or_default();
    let of_run = |kind: &str| {
        let records = report.records.iter();
        records
            .filter(|r| r.stream == about && r.kind == kind)
            .collect::<Vec<&VerifiedRecord>>()
    };
    let begun = match of_run(BEGUN)[..] {
        [one] if one.seq == 0 => one,
        _ => return Err(corrupt("the packet's stream does not begin a run")),
    };
    let signed = match of_run(SIGN_OFF)[..] {
        [] => {
            let text = "the run had no verdict when it was packed";
            return Err((Reason::RunUnfinished, text.to_owned()));
        }
        [one] if one.index > begun.index => one,
        _ => return Err(corrupt("the packet holds several verdicts of one run")),
    };
    let foreign = report
        .signers
        .iter()
        .find(|s| s.stream == about && s.signer.role != CONTROLLER);
    if let Some(s) = foreign {
        let text = format!(
            "record {} of the run is signed by `{}`, not by a controller",
            s.first, s.signer.who
        );
        return Err((Reason::SignerUnknown, text));
    }
    let run_id = text(begun, "run").ok_or_else(|| corrupt("the run has no id"))?;
    if about != stream(&run_id) || text(signed, "run").as_ref() != Some(&run_id) {
        return Err(corrupt(
            "the records are of another run than their stream says",
        ));
    }
    let blobs = Blobs::open(path).map_err(|e| (Reason::PacketCorrupt, e.to_string()))?;
    let list_digest =
        digest(signed, "blob").ok_or_else(|| corrupt("the verdict names no files"))?;
    let list = blobs.small(&list_digest)?;
    let files: Files = serde_json::from_slice(&list)
        .map_err(|e| (Reason::PacketCorrupt, format!("the list of files: {e}")))?;
    if files.schema != SCHEMA || files.run_id != run_id {
        return Err(corrupt("the list of files is of another run"));
    }
    let by_name: BTreeMap<&str, Digest> = files
        .files
        .iter()
        .map(|f| (f.name.as_str(), f.sha256))
        .collect();
    if by_name.len() != files.files.len() {
        return Err(corrupt("the list of files names one twice"));
    }
    let spec_digest = by_name.get(SPEC).copied();
    if spec_digest.is_none() || spec_digest != digest(begun, "blob") {
        return Err(corrupt(
            "the run was judged by another specification than it began with",
        ));
    }
    let verdict_digest = by_name.get(VERDICT).copied();
    if verdict_digest.is_none() || verdict_digest != digest(signed, "verdict") {
        return Err(corrupt("the signed verdict is not among the run's files"));
    }
    let left_out: Vec<&str> = files
        .files
        .iter()
        .filter(|f| !blobs.has(&f.sha256))
        .map(|f| f.name.as_str())
        .collect();
    if let Some(first) = left_out.first() {
        let text = format!(
            "{} of the run's {} files are not in the packet, `{first}` among them",
            left_out.len(),
            files.files.len()
        );
        return Err((Reason::VerdictUnderivable, text));
    }
    let said = blobs.small(&verdict_digest.unwrap_or(list_digest))?;
    let versions = [("classifier", classify::VERSION), ("judge", judge::VERSION)];
    for (key, ours) in versions {
        let theirs = text(signed, key).unwrap_or_default();
        if theirs != ours {
            let text = format!("it was judged by {key} `{theirs}`, and this program has `{ours}`");
            return Err((Reason::VerdictUnderivable, text));
        }
    }
    let spec: RunSpec = serde_json::from_slice(&blobs.small(&spec_digest.unwrap_or(list_digest))?)
        .map_err(|e| (Reason::PacketCorrupt, format!("the specification: {e}")))?;
    let signed_verdict: Verdict = serde_json::from_slice(&said)
        .map_err(|e| (Reason::PacketCorrupt, format!("the verdict: {e}")))?;
    let at = signed_verdict
        .generated_at
        .ok_or_else(|| corrupt("the verdict does not say when it was given"))?;
    let packed = Packed {
        blobs: &blobs,
        by_name: &by_name,
    };
    let verdict = judge::judge(&spec, &packed, &super::judgement(at));
    let bytes = judge::to_bytes(&verdict);
    if bytes != said {
        let text = format!(
            "signed: {}; what follows from the bytes: {}",
            signed_verdict.status, verdict.status
        );
        return Err((Reason::VerdictDiffers, text));
    }
    if text(signed, "status").as_deref() != Some(verdict.status.word()) {
        let text = format!(
            "the record says {}, and the bytes say {}",
            text(signed, "status").unwrap_or_default(),
            verdict.status
        );
        return Err((Reason::VerdictDiffers, text));
    }
    Ok(Derived {
        run_id,
        status: verdict.status,
        files: files.files.len(),
        bytes: files.files.iter().map(|f| f.size).sum(),
    })
}

/// The run must be about the artifact, unchanged from before the run until its end, and have been signed off.
///
/// # Errors
/// It is not.
pub fn check_artifact(report: &Report, artifact: &Digest) -> Result<(), String> {
    let about = report.about.as_deref().unwrap_or_default();
    let says = |kind: &str| {
        report.records.iter().any(|r| {
            r.stream == about && r.kind == kind && r.subject.iter().any(|s| s.digest == *artifact)
        })
    };
    match says(BEGUN) && says(SIGN_OFF) {
        true => Ok(()),
        false => Err(format!("the run is not about {artifact}")),
    }
}

/// The reason that a status is, in a sign-off.
pub const fn reason(status: Status) -> Reason {
    match status {
        Status::Pass => Reason::RunPassed,
        Status::Warn => Reason::RunWarned,
        Status::Fail => Reason::RunFailed,
        Status::Invalid => Reason::RunUnjudged,
    }
}

fn text(record: &VerifiedRecord, key: &str) -> Option<String> {
    record
        .body
        .get(key)
        .and_then(Value::as_str)
        .map(str::to_owned)
}

fn digest(record: &VerifiedRecord, key: &str) -> Option<Digest> {
    text(record, key)?.parse().ok()
}

/// A packet's blobs, found by digest without reading the packet again for each.
enum Blobs {
    Directory(PathBuf),
    Archive {
        path: PathBuf,
        places: BTreeMap<String, (u64, u64)>,
    },
}

const BLOCK: u64 = 512;

impl Blobs {
    /// The archive's form was checked before; only names, sizes and places are read here.
    fn open(path: &Path) -> io::Result<Self> {
        if path.is_dir() {
            return Ok(Self::Directory(path.to_owned()));
        }
        let mut file = File::open(path)?;
        let end = file.metadata()?.len();
        let mut places = BTreeMap::new();
        let mut at = 0;
        while at + BLOCK <= end {
            let mut header = [0; BLOCK as usize];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut header)?;
            let name = header[..100].split(|b| *b == 0).next().unwrap_or_default();
            if name.is_empty() {
                break;
            }
            let octal = |b: &[u8]| {
                let text = std::str::from_utf8(b).ok()?;
                u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
            };
            let size = octal(&header[124..136])
                .ok_or_else(|| io::Error::other("a member of the packet has no size"))?;
            let name = String::from_utf8_lossy(name).into_owned();
            places.insert(name, (at + BLOCK, size));
            at += BLOCK + size.div_ceil(BLOCK) * BLOCK;
        }
        Ok(Self::Archive {
            path: path.to_owned(),
            places,
        })
    }

    fn has(&self, digest: &Digest) -> bool {
        let name = blob_member(digest);
        match self {
            Self::Directory(root) => root.join(name).is_file(),
            Self::Archive { places, .. } => places.contains_key(&name),
        }
    }

    fn read(&self, digest: &Digest) -> io::Result<Option<Stretch>> {
        let name = blob_member(digest);
        match self {
            Self::Directory(root) => match File::open(root.join(name)) {
                Ok(file) => {
                    let size = file.metadata()?.len();
                    Ok(Some(Stretch { file, at: 0, size }))
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(e) => Err(e),
            },
            Self::Archive { path, places } => {
                let Some((at, size)) = places.get(&name) else {
                    return Ok(None);
                };
                let file = File::open(path)?;
                Ok(Some(Stretch {
                    file,
                    at: *at,
                    size: *size,
                }))
            }
        }
    }

    fn small(&self, digest: &Digest) -> Result<Vec<u8>, (Reason, String)> {
        let fault = |text: String| (Reason::PacketCorrupt, text);
        let reader = self.read(digest).map_err(|e| fault(e.to_string()))?;
        let reader = reader.ok_or_else(|| {
            (
                Reason::PacketIncomplete,
                format!("the packet does not hold the blob {digest}"),
            )
        })?;
        if reader.size > LARGEST {
            return Err(fault(format!(
                "the blob {digest} is larger than any such file"
            )));
        }
        let mut bytes = vec![0; reader.size as usize];
        reader
            .file
            .read_exact_at(&mut bytes, reader.at)
            .map_err(|e| fault(e.to_string()))?;
        // The ledger's checks compared all blobs with their digests, on the packet as it was then.
        if Digest::of(&bytes) != *digest {
            return Err(fault(format!("the blob {digest} has other bytes")));
        }
        Ok(bytes)
    }
}

/// A run's files as the judge reads them.
struct Packed<'a> {
    blobs: &'a Blobs,
    by_name: &'a BTreeMap<&'a str, Digest>,
}

impl RunFiles for Packed<'_> {
    fn open(&self, name: &str) -> io::Result<Option<Box<dyn ReadAt>>> {
        let found = self.by_name.get(name).map(|digest| self.blobs.read(digest));
        let stretch = found.transpose()?.flatten();
        Ok(stretch.map(|s| Box::new(s) as Box<dyn ReadAt>))
    }
}

/// A file's stretch: a member of the archive, or a whole file.
struct Stretch {
    file: File,
    at: u64,
    size: u64,
}

impl ReadAt for Stretch {
    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let left = self.size.saturating_sub(offset);
        let most = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        FileExt::read_at(&self.file, &mut into[..most], self.at + offset)
    }
}

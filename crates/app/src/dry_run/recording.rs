//! A run in the ledger, and its packet: the stream `run/dry-run/<id>` holds what was to be run before anything runs, and what it
//! came to. A packet is a packet of the ledger; the run's files are its blobs.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use gonogo_core::{Digest, Timestamp};
use gonogo_dryrun::Status;
use gonogo_dryrun::spec::{Artifact, RunSpec};
use gonogo_dryrun::summary::Report;
use gonogo_store::ledger::{Filter, PacketRequest, Receipt};
use serde::Serialize;
use serde_json::{Value, json};

use super::declared::Judged;
use super::keeping::{Files, LIST, SPEC, VERDICT};
use crate::AppError;
use crate::home::{Book, stream};
use crate::workspace::{can_be_written, parent};

/// The record that begins a run's stream.
pub const BEGUN: &str = "run";

/// The record that a run's verdict is.
pub const SIGN_OFF: &str = "sign-off";

/// In the beginning's body: digests of the artifacts that the command runs.
pub const EXECUTED: &str = "executed";

/// In the beginning's body: of the `[dry_run]` that was declared, by [`super::declared::digest`].
pub const DECLARED: &str = "declared";

/// In the beginning's body: what was asked less of the run than is declared, in words.
pub const WEAKER: &str = "weaker";

/// In the verdict's body: run time that counts, milliseconds.
pub const COUNTED: &str = "countedMs";

/// In the verdict's body: the uptime that gated, parts per million, rounded down.
pub const UPTIME: &str = "uptimePpm";

/// In the verdict's body: how many warnings were accepted wholesale.
pub const ACCEPTED: &str = "acceptedWarnings";

/// Records what is about to be run.
///
/// # Errors
/// As [`gonogo_store::ledger::Ledger::append`].
pub fn begin(
    book: &Book,
    spec: &RunSpec,
    judged: &Judged,
    bytes: &[u8],
    actor: &str,
) -> Result<Receipt, AppError> {
    let blob = book.ledger.put_blob(bytes)?;
    let body = json!({
        "run": spec.run_id,
        "label": spec.slug,
        "command": spec.command,
        "targetMs": ms(spec.target_seconds),
        "requiredMs": spec.criteria.minimum_duration_seconds.map(ms),
        EXECUTED: super::binding::executed(spec),
        DECLARED: judged.declared,
        WEAKER: judged.weaker,
        "blob": blob,
    });
    book.record(
        &spec.run_id,
        BEGUN,
        spec.created_at,
        actor,
        about((SPEC, blob), &spec.artifacts),
        body,
    )
}

/// What the ledger holds of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Of the specification with which it began.
    pub begun: Option<Digest>,
    /// Of the verdict that was signed.
    pub signed: Option<Digest>,
    /// Of the list of files that it was signed with.
    pub files: Option<Digest>,
    /// By which classifier and which judge it was judged.
    pub versions: Option<(String, String)>,
}

/// Looks a run up in the ledger: what lies in its directory was in the child's reach, what stands there was not.
///
/// # Errors
/// As [`gonogo_store::ledger::Ledger::records`].
pub fn known(book: &Book, run_id: &str) -> Result<Known, AppError> {
    let records = book.ledger.records(&Filter {
        stream: Some(stream(run_id)),
        ..Filter::default()
    })?;
    let digest = |kind: &str, key: &str| {
        let record = records.iter().find(|r| r.kind == kind)?;
        record.body.get(key)?.as_str()?.parse().ok()
    };
    let word = |key: &str| {
        let record = records.iter().find(|r| r.kind == SIGN_OFF)?;
        record.body.get(key)?.as_str().map(str::to_owned)
    };
    Ok(Known {
        begun: digest(BEGUN, "blob"),
        signed: digest(SIGN_OFF, "verdict"),
        files: digest(SIGN_OFF, "blob"),
        versions: word("classifier").zip(word("judge")),
    })
}

/// What a record is about: a file of the run, and the artifacts that the run was about.
fn about(own: (&str, Digest), artifacts: &[Artifact]) -> Vec<(String, Digest)> {
    let own = (own.0.to_owned(), own.1);
    let others = artifacts.iter().map(|a| (a.path.clone(), a.sha256));
    std::iter::once(own).chain(others).collect()
}

/// What a run came to, for its record.
pub struct Outcome<'a> {
    /// Its specification.
    pub spec: &'a RunSpec,
    /// The verdict.
    pub report: &'a Report,
    /// The verdict's bytes.
    pub verdict: Digest,
    /// All files.
    pub files: &'a Files,
    /// Files that the run was about, as they were before it and are now.
    pub artifacts: &'a [Artifact],
    /// When.
    pub time: Timestamp,
    /// Who asked.
    pub actor: &'a str,
}

/// Records what a run came to.
///
/// # Errors
/// As [`gonogo_store::ledger::Ledger::append`].
pub fn conclude(book: &Book, outcome: &Outcome<'_>) -> Result<Receipt, AppError> {
    let blob = book.ledger.put_blob(&outcome.files.to_bytes())?;
    let sign_off = outcome.report.sign_off.as_ref();
    let codes: Vec<&str> = sign_off
        .map(|s| &s.findings[..])
        .unwrap_or_default()
        .iter()
        .filter(|f| f.accepted.is_none() && f.severity > Status::Pass)
        .map(|f| f.code.as_str())
        .filter(|c| !c.is_empty())
        .take(64)
        .collect();
    let body = json!({
        "run": outcome.spec.run_id,
        "status": outcome.report.status,
        "signOff": sign_off.map(|s| s.status),
        "evaluatedAt": sign_off.map(|s| s.evaluated_at),
        "findings": codes,
        COUNTED: counted(outcome.spec, outcome.report),
        UPTIME: uptime(outcome.report),
        ACCEPTED: accepted(outcome.report),
        "verdict": outcome.verdict,
        "classifier": gonogo_dryrun::classify::VERSION,
        "judge": gonogo_dryrun::judge::VERSION,
        "blob": blob,
    });
    book.record(
        &outcome.spec.run_id,
        SIGN_OFF,
        outcome.time,
        outcome.actor,
        about((VERDICT, outcome.verdict), outcome.artifacts),
        body,
    )
}

/// Run time that counts: what the child lived, at most what was declared, without what nobody saw and nobody explained. A step of the
/// wall clock adds nothing, because life is measured on the boot clock.
fn counted(spec: &RunSpec, report: &Report) -> Option<u64> {
    let logs = report.summary.logs.as_ref()?;
    let lived = report.summary.metadata.actual_duration_seconds?;
    let unseen = logs.heartbeat.as_ref().map_or(logs.unknown_seconds, |h| {
        h.unknown_seconds.max(logs.unknown_seconds)
    });
    let seconds = lived.min(spec.target_seconds) - unseen.max(0.0);
    seconds
        .is_finite()
        .then_some((seconds.max(0.0) * 1000.0) as u64)
}

fn uptime(report: &Report) -> Option<u64> {
    let logs = report.summary.logs.as_ref()?;
    let ratio = gonogo_dryrun::sign_off::gating_uptime(logs)?;
    ratio
        .is_finite()
        .then_some((ratio.clamp(0.0, 1.0) * 1e6) as u64)
}

/// Warnings that nobody looked at one by one. What a rule of the allow-list accepts has an owner and an end, and is none of them.
fn accepted(report: &Report) -> Option<u64> {
    let wholesale =
        |a: &Option<String>| a.as_deref() == Some(gonogo_dryrun::sign_off::ALLOW_WARNINGS);
    let sign_off = report.sign_off.as_ref()?;
    let found = sign_off.findings.iter().filter(|f| wholesale(&f.accepted));
    Some(found.count() as u64)
}

/// A packet that was written.
#[derive(Debug, Clone, Serialize)]
pub struct Packed {
    /// The directory for people, if one was asked for.
    pub directory: Option<PathBuf>,
    /// The archive that `gonogo verify` takes.
    pub archive: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// Their digest.
    pub sha256: Digest,
    /// The key that its reader needs to trust.
    pub log_key: String,
    /// Whether the raw bytes are in it.
    pub raw: bool,
}

/// Writes the packet of a run: `archive` ends with `.gz` to be compressed.
///
/// # Errors
/// The ledger's; the archive cannot be written.
pub fn pack(
    book: &Book,
    dir: &Path,
    spec: &RunSpec,
    files: &Files,
    raw: bool,
    archive: &Path,
    time: Timestamp,
) -> Result<Packed, AppError> {
    can_be_written(archive)?;
    let list = files.to_bytes();
    let mut blobs = vec![book.ledger.put_blob(&list)?];
    // The run's files go from where they lie into the packet: days of output must not need their space again and again.
    let mut outside = BTreeMap::new();
    for file in &files.files {
        blobs.push(file.sha256);
        // What is left out is listed as left out: such a packet proves what was signed, not what was judged.
        if raw || !is_raw(&file.name) {
            outside.insert(file.sha256, dir.join(&file.name));
        }
    }
    blobs.sort_unstable();
    blobs.dedup();
    let is_gzip = archive.extension().is_some_and(|e| e == "gz" || e == "tgz");
    let name = stream(&spec.run_id);
    let request = PacketRequest {
        stream: &name,
        extra_streams: &[],
        blobs: &blobs,
        outside: Some(&outside),
        verdict: "dry-run",
        since: &[],
        policy: None,
        seals: None,
        stamps: None,
        out: archive,
        actor: "gonogo",
        time,
    };
    if is_gzip {
        squeeze(book, &request, archive)?;
    } else {
        book.ledger.write_packet(&request)?;
    }
    let (bytes, sha256) = super::keeping::digest(archive)?;
    Ok(Packed {
        directory: None,
        archive: archive.to_owned(),
        bytes,
        sha256,
        log_key: book.ledger.log_vkey().to_string(),
        raw,
    })
}

/// Whether a file holds the child's own bytes.
pub fn is_raw(name: &str) -> bool {
    name.starts_with("stdout.") || name.starts_with("stderr.")
}

/// Writes a packet compressed, with no name and no time, so that the same packet has the same bytes.
fn squeeze(book: &Book, request: &PacketRequest<'_>, to: &Path) -> Result<(), AppError> {
    let fault = |e: io::Error| AppError::io("write", to, &e);
    let fresh = tempfile::Builder::new()
        .prefix(".packet-")
        .tempfile_in(parent(to))
        .map_err(fault)?;
    let mut encoder = GzEncoder::new(io::BufWriter::new(fresh), Compression::fast());
    book.ledger.write_packet_into(request, &mut encoder)?;
    let inner = encoder.finish().map_err(fault)?;
    let fresh = inner.into_inner().map_err(|e| fault(e.into_error()))?;
    fresh.as_file().sync_all().map_err(fault)?;
    fresh.persist(to).map(drop).map_err(|e| fault(e.error))
}

fn ms(seconds: f64) -> u64 {
    // Durations are checked to be at most ten years.
    (seconds * 1000.0).round() as u64
}

/// The directory for people: reports, and the run's files under `raw/`, each with its digest in `manifest.json`. Files are linked
/// where that is possible, copied where it is not.
///
/// # Errors
/// The directory cannot be written, or is there already with something else in it.
pub fn lay_out(
    into: &Path,
    dir: &Path,
    spec: &RunSpec,
    files: &Files,
    named: &[(&str, Vec<u8>)],
    views: &[PathBuf],
    raw: bool,
) -> Result<(), AppError> {
    let mut entries: Vec<Value> = Vec::new();
    let mut missing: Vec<Value> = Vec::new();
    let raw_dir = into.join("raw");
    crate::workspace::make_dir(&raw_dir)?;
    for (name, bytes) in named {
        crate::workspace::write_atomic(&into.join(name), bytes)?;
        entries.push(json!({"name": name, "size": bytes.len(), "sha256": Digest::of(bytes)}));
    }
    let kept = files
        .files
        .iter()
        .map(|f| (f.name.clone(), dir.join(&f.name)));
    let seen = views.iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?;
        Some((format!("logs/{name}"), path.clone()))
    });
    for (name, from) in kept.chain(seen) {
        let is_view = name.starts_with("logs/");
        let relative = format!("raw/{name}");
        if !raw && (is_view || is_raw(&name)) {
            missing.push(json!({"name": relative, "reason": "left out as asked"}));
            continue;
        }
        let to = into.join(&relative);
        crate::workspace::make_dir(parent(&to))?;
        match link(&from, &to) {
            Ok(()) => {
                let (size, sha256) = super::keeping::digest(&to)?;
                entries.push(json!({"name": relative, "size": size, "sha256": sha256}));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                missing.push(json!({"name": relative, "reason": "it does not exist"}));
            }
            Err(e) => return Err(AppError::io("write", &to, &e)),
        }
    }
    for evidence in &spec.evidence {
        let name = format!("{}/{}", super::keeping::EVIDENCE, evidence.name);
        if !files.files.iter().any(|f| f.name == name) {
            missing.push(json!({"name": format!("raw/{name}"), "reason": format!("`{}` was not there at the end of the run", evidence.path)}));
        }
    }
    entries.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    let manifest = json!({
        "schema": "gonogo.dry-run.packet.v1",
        "run": spec.run_id,
        "stream": stream(&spec.run_id),
        "summary": "dry_run_summary.json",
        "summary_markdown": "dry_run_summary.md",
        "sign_off": "dry_run_sign_off.json",
        "files": entries,
        "missing": missing,
        "list": {"name": LIST, "sha256": Digest::of(&files.to_bytes())},
    });
    let mut bytes = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    bytes.push(b'\n');
    crate::workspace::write_atomic(&into.join("manifest.json"), &bytes)
}

/// Links `from` under a second name, or copies it.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::remove_file(to) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    match std::fs::hard_link(from, to) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(e),
        Ok(()) => Ok(()),
        Err(_) => std::fs::copy(from, to).map(drop),
    }
}

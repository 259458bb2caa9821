//! Verifying a packet: what a reader brings along, the ledger's checks, and what they mean for a release.
//!
//! The packet may be larger than memory: of its records only those are held that the approvals, the result and, if asked for,
//! the replay need.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gonogo_core::digest::Hasher;
use gonogo_core::id::OperationId;
use gonogo_core::{Digest, Exit, Reason, Timestamp};
use gonogo_dryrun::Status;
use gonogo_ledger::attestation::RECORD_KIND;
use gonogo_ledger::key_event::CONTROLLER;
use gonogo_ledger::note::{KeyKind, Vkey};
use gonogo_ledger::packet::archive::ArchiveError;
use gonogo_ledger::verify::{
    Limits, Remembered, Report, Request, State, TimestampCheck, Trust, VerifiedRecord,
    verify as verify_packet,
};
use gonogo_ledger::{Policy, trusted_root};
use gonogo_release::plan::Plan;
use gonogo_release::replay::{Replayed, replay};
use serde_json::Value;

use super::controlled;
use super::outside::{self, Claim, Stands};
use super::{channel, unpacked};
use crate::dry_run::deriving::{self, Derived};
use crate::dry_run::recording;
use crate::gates::checking::VERDICT;
use crate::incidents::Incident;
use crate::memory::{Memory, Seen};
use crate::{AppError, approving, elsewhere, gating, planning, timestamping};

/// The largest policy, trusted root or checkpoint that is read.
const LARGEST: u64 = 1 << 20;

/// How many bytes of statements a replay may hold.
const REPLAYED: u64 = 128 << 20;

/// What an operation's machine is fed and answers.
const OF_MACHINE: [&str; 6] = ["input", "outcome", "sample", "intent", "decision", "result"];

/// What to trust, what is remembered, and how far to look.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// The log's key, as `gonogo packet` prints it.
    pub log_key: Option<String>,
    /// A C2SP tlog-policy: logs, witnesses, quorum.
    pub policy: Option<PathBuf>,
    /// A Sigstore trusted root that names the log.
    pub trusted_root: Option<PathBuf>,
    /// Believe the packet's own policy.
    pub trust_packet: bool,
    /// Checkpoints of the log that were seen before.
    pub since: Vec<PathBuf>,
    /// Root certificates of time-stamping authorities.
    pub tsa_root: Option<PathBuf>,
    /// What this reader has seen of logs.
    pub memory: Memory,
    /// A file that the release must be about.
    pub artifact: Option<PathBuf>,
    /// Decide again from the recorded samples.
    pub replay: bool,
    /// Now, which a trusted root needs: it trusts keys for a time.
    pub now: Option<Timestamp>,
}

/// What a verification showed.
#[derive(Debug)]
pub struct Verified {
    /// Every check.
    pub report: Report,
    /// How the packet stands to those of its log that this reader verified before, if the reader trusts its log and every
    /// check passed.
    pub seen: Option<Seen>,
    /// The evidence from outside that the packet holds, checked again; empty if any check before failed.
    pub outside: Vec<Claim>,
    /// The approvals checked again as of the operation's beginning, if every check before passed: how many counted.
    pub approvals: Option<Result<usize, String>>,
    /// The incident by which the operation began without approvals that it lacked.
    pub glass: Option<String>,
    /// Incidents that the packet tells of: that of a broken glass, and those that nobody had reviewed when the operation began.
    pub incidents: Vec<Incident>,
    /// The freezes and the pin that held when the operation began, in words; why it should not have begun under them. None if a check
    /// before failed.
    pub controls: Option<Result<Vec<String>, String>>,
    /// The replay, if it was asked for and every check before it passed.
    pub replayed: Option<Result<Replayed, String>>,
    /// How the operation that the packet is about ended, as recorded.
    pub result: Option<String>,
    /// Of a packet about a dry run: its verdict, derived again from the raw bytes.
    pub derived: Option<Result<Derived, String>>,
    /// Whether the records were looked at: no check failed before.
    pub looked: bool,
    /// How the command ends.
    pub exit: Exit,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// Verifies a packet, a file or the directory that it was unpacked into. Reads nothing but the packet and the files that
/// `look` names, and never the network.
///
/// # Errors
/// A file cannot be read, or what is to be trusted cannot be understood. A packet that fails is a result and no error.
pub fn verify(path: &Path, look: &Look) -> Result<Verified, AppError> {
    let trust = trust(look)?;
    let since = look
        .since
        .iter()
        .map(|file| {
            // What is no text is no checkpoint; that is for the check to say.
            let note = String::from_utf8_lossy(&small_bytes(file)?).into_owned();
            Ok(Remembered { note, path: None })
        })
        .collect::<Result<Vec<_>, AppError>>()?;
    let artifact = look.artifact.as_deref().map(digest_of).transpose()?;
    let keep = |_: &str, kind: &str| {
        matches!(kind, "operation" | "plan" | "result")
            || matches!(kind, recording::BEGUN | recording::SIGN_OFF | VERDICT)
            || kind == approving::KIND
            || kind == approving::USE_KIND
            || channel::CHANNEL.contains(&kind)
            || kind == elsewhere::ORIGIN
            || kind == RECORD_KIND
            || controlled::KINDS.contains(&kind)
            || (look.replay && OF_MACHINE.contains(&kind))
    };
    let mut request = Request {
        since: &since,
        artifact,
        keep: &keep,
        ..Request::new(&trust)
    };
    if look.replay {
        request.limits = Limits {
            kept: REPLAYED,
            ..request.limits
        };
    }
    let roots = look
        .tsa_root
        .as_deref()
        .map(timestamping::roots)
        .transpose()?;
    let roots = roots.map(timestamping::Roots);
    request.timestamps = roots.as_ref().map(|r| r as &dyn TimestampCheck);
    request.workers = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8));
    if path.join("manifest.json").is_file() && path.join("dry_run_summary.json").is_file() {
        let text = format!(
            "`{}` is a run's packet laid out for reading",
            path.display()
        );
        return Err(AppError::new(Reason::ArgumentInvalid, text).hint(
            "give its archive: packet.tar.gz in it or beside it, or what --packet-archive named",
        ));
    }
    // A packet that was compressed on its way is one; what is read twice is read from a copy without the compression.
    let inflated = inflate(path)?;
    let (given, path) = (path, inflated.as_deref().unwrap_or(path));
    let file = File::open(path).map_err(|e| AppError::io("read", path, &e))?;
    let is_dir = file.metadata().is_ok_and(|m| m.is_dir());
    let report = if is_dir {
        verify_packet(unpacked::open(path)?, &request)
    } else {
        verify_packet(file, &request)
    };
    let report = report.map_err(|e| unreadable(given, &e))?;
    conclude(path, report, artifact.as_ref(), look)
}

/// The most that a compressed packet may become: what eleven octal digits of a tar header can say, for one member.
const INFLATED: u64 = 8 << 30;

/// Writes a gzip packet without its compression to a temporary file; none if it is not compressed.
fn inflate(path: &Path) -> Result<Option<tempfile::TempPath>, AppError> {
    let fault = |e: std::io::Error| AppError::io("read", path, &e);
    let mut file = File::open(path).map_err(fault)?;
    if !file.metadata().map_err(fault)?.is_file() {
        return Ok(None);
    }
    let mut magic = [0; 2];
    if file.read_exact(&mut magic).is_err() || magic != [0x1f, 0x8b] {
        return Ok(None);
    }
    let file = File::open(path).map_err(fault)?;
    let mut from = flate2::read::MultiGzDecoder::new(file).take(INFLATED + 1);
    let mut to = tempfile::NamedTempFile::new().map_err(fault)?;
    match std::io::copy(&mut from, &mut to) {
        Ok(n) if n > INFLATED => Err(malformed(
            path,
            "is larger than any packet without its compression",
        )),
        Ok(_) => Ok(Some(to.into_temp_path())),
        Err(e) if matches!(e.kind(), std::io::ErrorKind::StorageFull) => Err(fault(e)),
        Err(e) => {
            let text = format!(
                "packet `{}`: its compression is broken: {e}",
                path.display()
            );
            Err(AppError::new(Reason::PacketCorrupt, text))
        }
    }
}

fn unreadable(path: &Path, e: &ArchiveError) -> AppError {
    let text = format!("packet `{}`: {e}", path.display());
    AppError::new(Reason::PacketCorrupt, text)
}

/// Adds what the records mean to what the ledger's checks found.
fn conclude(
    path: &Path,
    mut report: Report,
    artifact: Option<&Digest>,
    look: &Look,
) -> Result<Verified, AppError> {
    let replayed = look.replay;
    let mut reasons: Vec<Reason> = report
        .checks
        .iter()
        .filter(|c| c.state == State::Failed)
        .map(|c| c.reason)
        .collect();
    let open = [
        Reason::TrustMissing,
        Reason::QuorumUnmet,
        Reason::HistoryUnproven,
        // Of blobs or a time-stamp; records that are not here for want of room make the report not whole.
        Reason::PacketIncomplete,
    ];
    let sound = report.whole && reasons.iter().all(|r| open.contains(r));
    let vouched = sound && !look.trust_packet && !reasons.contains(&Reason::TrustMissing);
    let seen = match (&report.log, vouched) {
        (Some(shown), true) => Some(look.memory.compare_packet(shown, reasons.is_empty())?),
        _ => None,
    };
    match seen {
        Some(Seen::Conflict { .. }) => reasons.insert(0, Reason::SplitView),
        Some(Seen::Unproven { .. }) => reasons.push(Reason::HistoryUnproven),
        _ => {}
    }
    let outside = if sound {
        let plan = begun(&report).map(|(_, _, plan)| plan.body.to.artifacts);
        let released: Vec<Digest> = plan.into_iter().flatten().map(|a| a.sha256).collect();
        outside::check(path, &report, &released)
    } else {
        Vec::new()
    };
    let any = |is: fn(&Stands) -> bool| outside.iter().any(|c| is(&c.standing));
    if any(|s| matches!(s, Stands::Broken(_))) {
        reasons.insert(0, Reason::SignatureInvalid);
    }
    if any(|s| matches!(s, Stands::Absent)) && !reasons.contains(&Reason::PacketIncomplete) {
        reasons.push(Reason::PacketIncomplete);
    }
    if deriving::is_about_run(&report) {
        return conclude_run(path, report, seen, outside, artifact, sound, reasons, look);
    }
    let result = sound.then(|| recorded_result(&report)).flatten();
    // What a workflow service decided was not decided here.
    let elsewhere = begun(&report).is_ok_and(|(b, ..)| b.body.get("elsewhere").is_some());
    let again = (replayed && sound && !elsewhere).then(|| replay_records(&report));
    let approvals = sound.then(|| check_approvals(&report));
    let (glass, incidents) = match sound {
        true => (channel::glass(&report), channel::incidents(&report)),
        false => (None, Vec::new()),
    };
    if matches!(approvals, Some(Err(_))) {
        reasons.insert(0, Reason::ApprovalInvalid);
    }
    let controls = sound.then(|| match begun(&report) {
        Ok((begin, _, plan)) => {
            controlled::check(&report.records, begin, &plan.body, result.as_deref())
        }
        // Why there is none is told beside the approvals.
        Err(_) => Ok(Vec::new()),
    });
    if let Some(Err((reason, _))) = &controls {
        reasons.insert(0, *reason);
    }
    if let Some(digest) = artifact.filter(|_| sound)
        && let Err(text) = check_artifact(&report, digest)
    {
        refuse_artifact(&mut report, text);
        reasons.insert(0, Reason::ArtifactMismatch);
    }
    // An operation that had not ended when it was packed proves no release.
    if sound && result.is_none() {
        reasons.push(Reason::OperationUnfinished);
    }
    match &again {
        Some(Err(_)) => reasons.insert(0, Reason::ReplayDiffers),
        // Asked for and not possible is not passed.
        None if replayed && reasons.is_empty() => reasons.push(Reason::PacketIncomplete),
        _ => {}
    }
    let exit = reasons.iter().map(|r| shown(*r)).fold(Exit::Done, worst);
    if reasons.is_empty() {
        reasons.push(Reason::PacketVerified);
    }
    Ok(Verified {
        report,
        seen,
        outside,
        approvals,
        glass,
        incidents,
        controls: controls.map(|c| c.map_err(|(_, text)| text)),
        replayed: again,
        result,
        derived: None,
        looked: sound,
        exit,
        reasons,
    })
}

/// Of a packet about a dry run: no operation and no approval is asked for, but the verdict must follow from the bytes.
#[expect(
    clippy::too_many_arguments,
    reason = "what was found so far, each from another check"
)]
fn conclude_run(
    path: &Path,
    mut report: Report,
    seen: Option<Seen>,
    outside: Vec<Claim>,
    artifact: Option<&Digest>,
    sound: bool,
    mut reasons: Vec<Reason>,
    look: &Look,
) -> Result<Verified, AppError> {
    if look.replay {
        let text =
            "--replay decides an operation again; a dry run's verdict is always derived again";
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    let derived = sound.then(|| deriving::derive(path, &report));
    match &derived {
        Some(Err((reason, _))) if !reasons.contains(reason) => reasons.insert(0, *reason),
        Some(Ok(derived)) if derived.status != Status::Pass => {
            reasons.push(deriving::reason(derived.status));
        }
        _ => {}
    }
    if let Some(digest) = artifact.filter(|_| sound)
        && let Err(text) = deriving::check_artifact(&report, digest)
    {
        refuse_artifact(&mut report, text);
        reasons.insert(0, Reason::ArtifactMismatch);
    }
    let exit = reasons.iter().map(|r| shown(*r)).fold(Exit::Done, worst);
    if reasons.is_empty() {
        reasons.push(Reason::PacketVerified);
    }
    Ok(Verified {
        report,
        seen,
        outside,
        approvals: None,
        glass: None,
        incidents: Vec::new(),
        controls: None,
        replayed: None,
        result: None,
        derived: derived.map(|d| d.map_err(|(_, text)| text)),
        looked: sound,
        exit,
        reasons,
    })
}

/// What the reader brought to trust by; at most one of the three.
fn trust(look: &Look) -> Result<Trust, AppError> {
    let given = [
        look.log_key.is_some(),
        look.policy.is_some(),
        look.trusted_root.is_some(),
    ];
    if given.iter().filter(|g| **g).count() > 1 {
        let text = "--log-key, --policy and --trusted-root each say what to trust; give one";
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    let bad = |path: &Path, e: gonogo_ledger::Error| malformed(path, &format!("is of no use: {e}"));
    let policy = if let Some(text) = &look.log_key {
        let vkey: Vkey = text
            .parse()
            .map_err(|e| AppError::new(Reason::ArgumentInvalid, format!("--log-key: {e}")))?;
        if vkey.kind() != KeyKind::Ed25519 {
            let text = format!("--log-key: `{vkey}` is a witness's key, not a log's");
            return Err(AppError::new(Reason::ArgumentInvalid, text));
        }
        Some(Policy::log_only(vkey))
    } else if let Some(path) = &look.policy {
        Some(Policy::parse(&small(path)?).map_err(|e| bad(path, e))?)
    } else if let Some(path) = &look.trusted_root {
        let now = look.now.ok_or_else(|| {
            malformed(
                path,
                "trusts keys for a time, and nobody says what time it is",
            )
        })?;
        let logs = trusted_root::logs(small(path)?.as_bytes(), now).map_err(|e| bad(path, e))?;
        let lines: String = logs.iter().map(|log| format!("log {log}\n")).collect();
        let policy = Policy::parse(&format!("{lines}quorum none\n"));
        Some(policy.map_err(|e| bad(path, e))?)
    } else {
        None
    };
    Ok(Trust {
        policy,
        packet: look.trust_packet,
    })
}

/// Reads a small text file.
fn small(path: &Path) -> Result<String, AppError> {
    String::from_utf8(small_bytes(path)?).map_err(|_| malformed(path, "is not UTF-8"))
}

fn small_bytes(path: &Path) -> Result<Vec<u8>, AppError> {
    let file = File::open(path).map_err(|e| AppError::io("read", path, &e))?;
    let mut bytes = Vec::new();
    match file.take(LARGEST + 1).read_to_end(&mut bytes) {
        Ok(n) if n as u64 > LARGEST => Err(malformed(path, "is larger than any such file")),
        Ok(_) => Ok(bytes),
        Err(e) => Err(AppError::io("read", path, &e)),
    }
}

fn malformed(path: &Path, why: &str) -> AppError {
    AppError::new(
        Reason::InputMalformed,
        format!("`{}` {why}", path.display()),
    )
}

fn digest_of(path: &Path) -> Result<Digest, AppError> {
    let fault = |e: std::io::Error| AppError::io("read", path, &e);
    let mut file = File::open(path).map_err(fault)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer).map_err(fault)? {
            0 => return Ok(hasher.finish()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

/// Exit that a reason gives here: a packet whose approval does not hold is a no, and not a matter of permission.
fn shown(reason: Reason) -> Exit {
    if matches!(
        reason,
        Reason::ApprovalInvalid | Reason::FreezeActive | Reason::PinActive
    ) {
        Exit::Fail
    } else {
        reason.exit()
    }
}

/// A failure outweighs what could not be judged, and that outweighs a missing trust.
fn worst(a: Exit, b: Exit) -> Exit {
    let weight = |e: Exit| match e {
        Exit::Done => 0,
        Exit::Hold => 1,
        Exit::Unjudged => 2,
        _ => 3,
    };
    if weight(b) > weight(a) { b } else { a }
}

/// How the operation that the packet is about ended. What a packet holds of other operations is not looked at.
fn recorded_result(report: &Report) -> Option<String> {
    let about = report.about.as_deref()?;
    let of_it = |r: &&VerifiedRecord| r.kind == "result" && r.stream == about;
    let last = report.records.iter().rfind(of_it)?;
    operation_of(last).ok()?;
    Some(last.body.get("result")?.get("result")?.as_str()?.to_owned())
}

/// The release must be about the artifact by its plan's content, which the plan's fingerprint covers, or by its own beginning.
fn check_artifact(report: &Report, artifact: &Digest) -> Result<(), String> {
    let (begin, record, plan) = begun(report)?;
    let mut said = begin.subject.iter();
    if said.any(|s| s.digest == *artifact)
        || plan.body.to.artifacts.iter().any(|a| a.sha256 == *artifact)
    {
        return Ok(());
    }
    Err(format!(
        "the plan in record {} does not release {artifact}",
        record.index
    ))
}

fn refuse_artifact(report: &mut Report, text: String) {
    if let Some(check) = report.checks.iter_mut().find(|c| c.name == "artifact") {
        check.state = State::Failed;
        check.reason = Reason::ArtifactMismatch;
        check.text = text;
    }
}

/// Finds the beginning of the operation that the packet is about, and the plan that it names, intact.
fn begun(report: &Report) -> Result<(&VerifiedRecord, &VerifiedRecord, Plan), String> {
    let records = &report.records[..];
    let about = report.about.as_deref();
    let mut all = records
        .iter()
        .filter(|r| r.kind == "operation" && Some(r.stream.as_str()) == about);
    let begin = all
        .next()
        .filter(|r| r.seq == 0)
        .ok_or("the packet's stream does not begin an operation")?;
    if let Some(other) = all.next() {
        return Err(format!(
            "records {} and {} both begin the operation",
            begin.index, other.index
        ));
    }
    let fingerprint = begin
        .body
        .get("fingerprint")
        .cloned()
        .ok_or("the operation names no plan")?;
    let (record, plan) = records
        .iter()
        .filter(|r| r.kind == "plan")
        .filter_map(|r| Some((r, serde_json::from_value::<Plan>(r.body.clone()).ok()?)))
        .find(|(_, p)| serde_json::to_value(p.fingerprint).is_ok_and(|f| f == fingerprint))
        .ok_or("the packet holds no record of the plan that the operation names")?;
    if !plan.is_intact() {
        return Err("the recorded plan does not match its fingerprint".into());
    }
    let says = |key: &str| begin.body.get(key).and_then(Value::as_str);
    // What stands beside a plan, approvals and their uses, is looked for in the plan's own stream.
    if record.stream != planning::stream(&plan.id) {
        return Err(format!(
            "record {} holds plan `{}` in another plan's stream",
            record.index, plan.id
        ));
    }
    let wanted = [
        ("plan", plan.id.as_str()),
        ("environment", plan.body.environment.as_str()),
        ("requester", begin.actor.as_str()),
    ];
    match wanted.iter().find(|(key, value)| says(key) != Some(value)) {
        Some((key, value)) => Err(format!(
            "record {} begins the operation with another `{key}` than `{value}`",
            begin.index
        )),
        None => Ok((begin, record, plan)),
    }
}

/// The operation in whose stream a record stands.
fn operation_of(record: &VerifiedRecord) -> Result<OperationId, String> {
    let id = record
        .stream
        .strip_prefix("operation/")
        .ok_or("the operation's stream has another name")?;
    id.parse().map_err(|e| format!("{e}"))
}

/// Checks again, from the records alone, that the plan was approved when the operation began.
fn check_approvals(report: &Report) -> Result<usize, String> {
    let records = &report.records[..];
    let (begin, planned, plan) = begun(report)?;
    // A person's key may sign plans and approvals; what an operation did is for its controller to say.
    let foreign = report
        .signers
        .iter()
        .find(|s| s.stream == begin.stream && s.signer.role != CONTROLLER);
    if let Some(s) = foreign {
        return Err(format!(
            "record {} of the operation is signed by `{}`, not by a controller",
            s.first, s.signer.who
        ));
    }
    let mut named: Vec<String> = begin
        .body
        .get("approvals")
        .and_then(|a| serde_json::from_value(a.clone()).ok())
        .ok_or("the operation does not say which approvals it used")?;
    let glass = channel::glass(report);
    named.extend(glass.clone());
    gating::check(records, begin, &plan)?;
    check_uses(records, begin, planned, &named)?;
    check_times(records, begin, planned, &named)?;
    channel::check_incidents(records, begin, glass.as_deref())?;
    let operation: OperationId = operation_of(begin)?;
    // A plan that was sent here was signed where it was made, and that signature is beside it.
    let origin = records
        .iter()
        .find(|r| r.kind == elsewhere::ORIGIN && r.stream == planned.stream);
    let key = match origin {
        Some(origin) => elsewhere::origin_of(&plan, &origin.body)?,
        None => {
            let by_server = planned.signer.role == CONTROLLER;
            approving::asked_with(&plan, &planned.signer.key.to_string(), by_server)
        }
    };
    let recorded = channel::recorded(records, begin, planned, &plan, key);
    let demand = approving::demand(&plan, &recorded, begin.time);
    channel::check(records, begin, planned, &named, &operation, &demand)
}

/// What an operation began with was there before, by the times in the records as well: whether an approval had expired is
/// asked for the time at which the operation says that it began.
fn check_times(
    records: &[VerifiedRecord],
    begin: &VerifiedRecord,
    planned: &VerifiedRecord,
    named: &[String],
) -> Result<(), String> {
    let is_named = |r: &VerifiedRecord| {
        let field = |name: &str| r.body.get(name);
        let id = if r.kind == approving::USE_KIND {
            field("approval")
        } else {
            field("approval").and_then(|a| a.get("approvalId"))
        };
        let id = id.and_then(Value::as_str);
        (r.kind == approving::USE_KIND || r.kind == approving::KIND)
            && id.is_some_and(|id| named.iter().any(|name| name == id))
    };
    let beside = records
        .iter()
        .filter(|r| r.stream == planned.stream && r.index < begin.index);
    let late = beside
        .filter(|r| r.index == planned.index || is_named(r))
        .find(|r| r.time > begin.time);
    match late {
        Some(late) => Err(format!(
            "record {} says that it was {} when the operation began, and record {} before it says {}",
            begin.index, begin.time, late.index, late.time
        )),
        None => Ok(()),
    }
}

/// Each approval was used up for this operation's request before it began, and for no other.
fn check_uses(
    records: &[VerifiedRecord],
    begin: &VerifiedRecord,
    planned: &VerifiedRecord,
    named: &[String],
) -> Result<(), String> {
    let request = begin.body.get("idempotencyKey");
    for id in named {
        let mut uses = records.iter().filter(|r| {
            r.kind == approving::USE_KIND
                && r.stream == planned.stream
                && r.body.get("approval").and_then(Value::as_str) == Some(id)
        });
        let of_it = uses.next().filter(|r| {
            r.index < begin.index
                && r.signer.role == CONTROLLER
                && request.is_some()
                && r.body.get("idempotencyKey") == request
        });
        if of_it.is_none() {
            return Err(format!(
                "no record says that approval `{id}` was used for this operation before it began"
            ));
        }
        if let Some(other) = uses.next() {
            return Err(format!(
                "approval `{id}` was used twice, says record {}",
                other.index
            ));
        }
    }
    Ok(())
}

fn replay_records(report: &Report) -> Result<Replayed, String> {
    let (begin, _, plan) = begun(report)?;
    let id = operation_of(begin)?;
    let stream = &begin.stream;
    let entries = report
        .records
        .iter()
        .filter(|r| r.stream == *stream && OF_MACHINE.contains(&r.kind.as_str()))
        .map(|r| (r.kind.as_str(), &r.body));
    replay(id, Arc::new(plan.body), entries).map_err(|e| e.to_string())
}

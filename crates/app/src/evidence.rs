//! Evidence: listing and showing records, packing an operation's records for others, and verifying a packet offline.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gonogo_core::id::OperationId;
use gonogo_core::{Exit, Reason};
use gonogo_ledger::key_event::CONTROLLER;
use gonogo_ledger::note::Vkey;
use gonogo_ledger::verify::{Limits, Report, Trust, VerifiedRecord, verify as verify_packet};
use gonogo_release::approval::{self, Presented};
use gonogo_release::plan::Plan;
use gonogo_release::replay::{Replayed, replay};
use gonogo_store::ledger::{Filter, PacketRequest, RecordView};
use serde::Serialize;
use serde_json::Value;

use crate::workspace::{can_be_written, make_dir, parent};
use crate::{AppError, Workspace, approving, following, planning};

/// A packet that was written.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Packed {
    /// Where.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
    /// The key that the reader needs to trust.
    pub log_key: String,
}

/// Lists records, oldest first.
///
/// # Errors
/// The ledger cannot be read.
pub fn list(ws: &Workspace, filter: &Filter) -> Result<Vec<RecordView>, AppError> {
    Ok(ws.ledger.records(filter)?)
}

/// Shows one record, by index or by the first digits of its digest.
///
/// # Errors
/// [`Reason::InputNotFound`].
pub fn show(ws: &Workspace, name: &str) -> Result<RecordView, AppError> {
    Ok(ws.ledger.record(name)?)
}

/// Writes the packet of an operation.
///
/// # Errors
/// The operation is not known, or the packet cannot be written.
pub fn write_packet(ws: &Workspace, operation: &OperationId) -> Result<Packed, AppError> {
    let path = ws.packet_path(operation);
    make_dir(parent(&path))?;
    pack(ws, operation, &path)
}

/// Writes the packet of the operation whose id starts with `prefix`, to `out` or to its usual place.
///
/// # Errors
/// As [`write_packet`].
pub fn packet(ws: &Workspace, prefix: &str, out: Option<&Path>) -> Result<Packed, AppError> {
    let known = following::find(ws, prefix)?;
    match out {
        Some(path) => can_be_written(path)
            .and_then(|()| pack(ws, &known.id, path))
            .map_err(|e| match e.reason {
                Reason::InputNotFound | Reason::PermissionDenied | Reason::StoreFailed => {
                    AppError::new(Reason::OutputFailed, e.message)
                }
                _ => e,
            }),
        None => write_packet(ws, &known.id),
    }
}

fn pack(ws: &Workspace, operation: &OperationId, out: &Path) -> Result<Packed, AppError> {
    let known = ws.store.operation(operation)?;
    let request = PacketRequest {
        stream: &format!("operation/{operation}"),
        extra_streams: &[planning::stream(&known.plan)],
        blobs: &[],
        out,
        actor: "gonogo",
        time: ws.clock.now().wall,
    };
    let info = ws.ledger.write_packet(&request)?;
    let log_key = ws.ledger.log_vkey().to_string();
    Ok(Packed {
        path: out.to_path_buf(),
        bytes: info.size,
        records: info.records,
        log_key,
    })
}

/// What to trust, and how far to look.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// The log's key, as `gonogo packet` prints it.
    pub log_key: Option<String>,
    /// Decide again from the recorded samples.
    pub replay: bool,
}

/// What a verification showed.
#[derive(Debug)]
pub struct Verified {
    /// Every check.
    pub report: Report,
    /// The approvals checked again as of the operation's beginning, if every check before passed: how many counted.
    pub approvals: Option<Result<usize, String>>,
    /// The replay, if it was asked for and every check before it passed.
    pub replayed: Option<Result<Replayed, String>>,
    /// How the operation in the packet ended, as recorded.
    pub result: Option<String>,
    /// How the command ends.
    pub exit: Exit,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// Verifies a packet. Reads nothing but the packet and never the network.
///
/// # Errors
/// The file cannot be read, or the key given cannot be understood. A packet that fails is a result and no error.
pub fn verify(path: &Path, look: &Look) -> Result<Verified, AppError> {
    let file = std::fs::File::open(path).map_err(|e| AppError::io("read", path, &e))?;
    if file.metadata().is_ok_and(|m| m.is_dir()) {
        let text = format!(
            "`{}` is a directory, and a packet is one file",
            path.display()
        );
        return Err(AppError::new(Reason::InputMalformed, text));
    }
    let log_vkey = look
        .log_key
        .as_deref()
        .map(|text| text.parse::<Vkey>())
        .transpose()
        .map_err(|e| AppError::new(Reason::ArgumentInvalid, format!("--log-key: {e}")))?;
    let report = verify_packet(
        BufReader::new(file),
        &Trust { log_vkey },
        &Limits::default(),
    )
    .map_err(|e| {
        AppError::new(
            Reason::PacketCorrupt,
            format!("packet `{}`: {e}", path.display()),
        )
    })?;
    let mut reasons: Vec<Reason> = report
        .checks
        .iter()
        .filter(|c| !c.ok)
        .map(|c| c.reason)
        .collect();
    let sound = reasons.iter().all(|r| *r == Reason::TrustMissing);
    let result = sound.then(|| recorded_result(&report.records)).flatten();
    let replayed = (look.replay && sound).then(|| replay_records(&report.records));
    let approvals = sound.then(|| check_approvals(&report.records));
    if matches!(approvals, Some(Err(_))) {
        reasons.insert(0, Reason::ApprovalInvalid);
    }
    // An operation that had not ended when it was packed proves no release.
    if sound && result.is_none() {
        reasons.push(Reason::OperationUnfinished);
    }
    match &replayed {
        Some(Err(_)) => reasons.insert(0, Reason::ReplayDiffers),
        // Asked for and not possible is not passed.
        None if look.replay => reasons.push(Reason::PacketIncomplete),
        _ => {}
    }
    let exit = reasons.iter().map(|r| shown(*r)).fold(Exit::Done, worst);
    if reasons.is_empty() {
        reasons.push(Reason::PacketVerified);
    }
    Ok(Verified {
        report,
        approvals,
        replayed,
        result,
        exit,
        reasons,
    })
}

/// Exit that a reason gives here: a packet whose approval does not hold is a no, and not a matter of permission.
fn shown(reason: Reason) -> Exit {
    if reason == Reason::ApprovalInvalid {
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

fn recorded_result(records: &[VerifiedRecord]) -> Option<String> {
    let of_operation = |r: &&VerifiedRecord| r.kind == "result" && operation_of(r).is_ok();
    let last = records.iter().rfind(of_operation)?;
    Some(last.body.get("result")?.get("result")?.as_str()?.to_owned())
}

/// Finds the operation in a packet and the plan that it names, intact.
fn begun(records: &[VerifiedRecord]) -> Result<(&VerifiedRecord, &VerifiedRecord, Plan), String> {
    let mut all = records.iter().filter(|r| r.kind == "operation");
    let begin = all.next().ok_or("the packet holds no operation")?;
    if let Some(other) = all.next() {
        return Err(format!(
            "records {} and {} both begin an operation, and a packet is about one",
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
fn check_approvals(records: &[VerifiedRecord]) -> Result<usize, String> {
    let (begin, planned, plan) = begun(records)?;
    // A person's key may sign plans and approvals; what an operation did is for its controller to say.
    let foreign = records
        .iter()
        .find(|r| r.stream == begin.stream && r.signer.role != CONTROLLER);
    if let Some(r) = foreign {
        return Err(format!(
            "record {} of the operation is signed by `{}`, not by a controller",
            r.index, r.signer.who
        ));
    }
    let named: Vec<String> = begin
        .body
        .get("approvals")
        .and_then(|a| serde_json::from_value(a.clone()).ok())
        .ok_or("the operation does not say which approvals it used")?;
    let operation: OperationId = operation_of(begin)?;
    let presented: Vec<Presented> = records
        .iter()
        .filter(|r| {
            r.kind == approving::KIND && r.stream == planned.stream && r.index < begin.index
        })
        .map(|r| (r.time, approving::read_record(&r.body)))
        // The record of the beginning may have been written late; a rejection after the beginning came too late.
        .filter(|(time, (a, _))| a.decision != "rejected" || *time <= begin.time)
        // What the operation does not name is not counted for it; it may still be a rejection, or take one back.
        .map(|(_, (approval, key))| Presented {
            used_by: (!named.contains(&approval.approval_id)).then(|| operation.clone()),
            approval,
            key,
        })
        .collect();
    let key = planned.signer.key.to_string();
    let demand = approving::demand(&plan, &key, begin.time);
    approval::check(&presented, &demand)
        .map(|a| a.approvals.len())
        .map_err(|e| e.to_string())
}

fn replay_records(records: &[VerifiedRecord]) -> Result<Replayed, String> {
    let (begin, _, plan) = begun(records)?;
    let id = operation_of(begin)?;
    let stream = &begin.stream;
    let of_machine = ["input", "outcome", "sample", "intent", "decision", "result"];
    let entries = records
        .iter()
        .filter(|r| r.stream == *stream && of_machine.contains(&r.kind.as_str()))
        .map(|r| (r.kind.as_str(), &r.body));
    replay(id, Arc::new(plan.body), entries).map_err(|e| e.to_string())
}

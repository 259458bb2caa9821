//! Evidence: listing and showing records, packing an operation's records for others, and verifying a packet offline.

mod channel;
mod controlled;
mod outside;
mod unpacked;
mod verifying;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use gonogo_core::Reason;
use gonogo_core::id::OperationId;
use gonogo_store::ledger::{Filter, PacketRequest, RecordView, Stamps};
use serde::Serialize;

use crate::workspace::{can_be_written, make_dir, parent};
use crate::{
    AppError, Workspace, applying, controls, following, gating, planning, submitting, timestamping,
    witnessing,
};
pub use gonogo_ledger::verify::State;
pub use outside::{Claim, Stands};
pub use verifying::{Look, Verified, verify};

/// What the packet of an operation that goes on says that it shows.
const UNFINISHED: &str = "unfinished";

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
    /// Leaves of the checkpoint in it.
    pub tree_size: u64,
    /// Whether enough witnesses have cosigned that checkpoint.
    pub cosigned: bool,
    /// Why they have not, where the configuration names witnesses.
    pub unwitnessed: Option<String>,
    /// Blobs that its records name and that it does not hold.
    pub omitted: usize,
}

/// Lists at most `filter.limit` records, oldest first, and says whether there are more.
///
/// # Errors
/// The ledger cannot be read.
pub fn list(ws: &Workspace, filter: &Filter) -> Result<(Vec<RecordView>, bool), AppError> {
    let mut all: Vec<RecordView> = Vec::new();
    while all.len() <= filter.limit {
        let page = ws.ledger.records(&Filter {
            after: all.last().map(|r| r.index).or(filter.after),
            limit: (filter.limit - all.len()).saturating_add(1),
            ..filter.clone()
        })?;
        if page.is_empty() {
            return Ok((all, false));
        }
        all.extend(page);
    }
    all.truncate(filter.limit);
    Ok((all, true))
}

/// The digest that a text names: a digest as it is, or that of a file's bytes.
///
/// # Errors
/// It is no digest and no file that can be read.
pub fn subject(text: &str) -> Result<gonogo_core::Digest, AppError> {
    use gonogo_core::Digest;
    if let Ok(digest) = text.parse().or_else(|_| Digest::from_hex(text)) {
        return Ok(digest);
    }
    let path = Path::new(text);
    let mut file = std::fs::File::open(path).map_err(|e| {
        AppError::io("read", path, &e).hint("give a digest, `sha256:` and 64 hex digits, or a file")
    })?;
    let mut hasher = gonogo_core::digest::Hasher::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let got = std::io::Read::read(&mut file, &mut buffer)
            .map_err(|e| AppError::io("read", path, &e))?;
        if got == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..got]);
    }
}

/// Shows one record, by index or by the first digits of its digest.
///
/// # Errors
/// [`Reason::InputNotFound`].
pub fn show(ws: &Workspace, name: &str) -> Result<RecordView, AppError> {
    Ok(ws.ledger.record(name)?)
}

/// How a packet is written.
#[derive(Debug, Clone, Default)]
pub struct Packing {
    /// Where to; to its usual place if not said.
    pub out: Option<PathBuf>,
    /// Tree sizes that readers remember, and want to be linked from.
    pub since: Vec<u64>,
    /// The address of a time-stamping authority (RFC 3161), and the file with the root that its answer is checked under.
    pub timestamp: Option<(String, PathBuf)>,
}

/// Writes the packet of an operation to its usual place.
///
/// # Errors
/// The operation is not known, or the packet cannot be written.
pub fn write_packet(ws: &Workspace, operation: &OperationId) -> Result<Packed, AppError> {
    let path = ws.packet_path(operation);
    make_dir(parent(&path))?;
    pack(ws, operation, &path, &Packing::default())
}

/// Writes the packet of the operation whose id starts with `prefix`.
///
/// # Errors
/// As [`write_packet`]; a size that readers cannot remember; a time-stamp that was asked for and did not come.
pub fn packet(ws: &Workspace, prefix: &str, how: &Packing) -> Result<Packed, AppError> {
    let known = following::find(ws, prefix)?;
    match &how.out {
        Some(path) => ws
            .keeps_its_own(path)
            .and_then(|()| can_be_written(path))
            .and_then(|()| pack(ws, &known.id, path, how))
            .map_err(|e| match e.reason {
                Reason::InputNotFound | Reason::PermissionDenied | Reason::StoreFailed => {
                    AppError::new(Reason::OutputFailed, e.message)
                }
                _ => e,
            }),
        None => {
            let path = ws.packet_path(&known.id);
            make_dir(parent(&path))?;
            pack(ws, &known.id, &path, how)
        }
    }
}

fn pack(
    ws: &Workspace,
    operation: &OperationId,
    out: &Path,
    how: &Packing,
) -> Result<Packed, AppError> {
    let size = ws.ledger.size()?;
    if let Some(asked) = how.since.iter().find(|asked| **asked > size) {
        let text = format!("the ledger has {size} records, and a tree of {asked} is asked for");
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    let known = ws.store.operation(operation)?;
    let plan = applying::plan_of(ws, &known.plan)?;
    let (outside, blobs) = submitting::about(ws, &plan.body)?;
    let mut streams = vec![planning::stream(&known.plan)];
    streams.extend(outside);
    streams.extend(gating::streams(ws, &plan.body)?);
    streams.extend(channel::streams(ws, operation, &plan)?);
    streams.extend(controls::streams(ws)?);
    // A policy that cannot be read keeps nobody from a packet, and is told as the reason why it is not cosigned.
    let (witnesses, trouble) = match witnessing::of(ws) {
        Ok(witnesses) => (witnesses, None),
        Err(e) => (None, Some(e.to_string())),
    };
    let missing = RefCell::new(trouble);
    let seals = || {
        let witnesses = witnesses.as_ref()?;
        match witnesses.cover() {
            Ok(()) => ws
                .ledger
                .witnessed_note()
                .ok()
                .flatten()
                .map(|(_, note)| note),
            Err(e) => {
                missing.replace(Some(e.to_string()));
                None
            }
        }
    };
    let stamps = how
        .timestamp
        .as_ref()
        .map(|(url, root)| move |note: &str| timestamping::stamp(url, root, note));
    let request = PacketRequest {
        stream: &format!("operation/{operation}"),
        extra_streams: &streams,
        blobs: &blobs,
        outside: None,
        verdict: known
            .terminal
            .as_ref()
            .map_or(UNFINISHED, |t| t.result.name()),
        since: &how.since,
        policy: witnesses.as_ref().map(|w| w.text.as_str()),
        seals: Some(&seals),
        stamps: stamps.as_ref().map(|s| s as Stamps<'_>),
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
        tree_size: info.tree_size,
        cosigned: info.cosigned,
        unwitnessed: missing.into_inner(),
        omitted: info.omitted.len(),
    })
}

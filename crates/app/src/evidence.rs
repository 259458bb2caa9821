//! Evidence: listing and showing records, packing an operation's records for others, and verifying a packet offline.

mod unpacked;
mod verifying;

use std::path::{Path, PathBuf};

use gonogo_core::Reason;
use gonogo_core::id::OperationId;
use gonogo_store::ledger::{Filter, PacketRequest, RecordView};
use serde::Serialize;

use crate::workspace::{can_be_written, make_dir, parent};
use crate::{AppError, Workspace, following, planning};
pub use gonogo_ledger::verify::State;
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
}

/// Lists records, oldest first.
///
/// # Errors
/// The ledger cannot be read.
pub fn list(ws: &Workspace, filter: &Filter) -> Result<Vec<RecordView>, AppError> {
    Ok(ws.ledger.records(filter)?)
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
        verdict: known
            .terminal
            .as_ref()
            .map_or(UNFINISHED, |t| t.result.name()),
        since: &[],
        policy: None,
        timestamp: None,
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

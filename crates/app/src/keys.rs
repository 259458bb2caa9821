//! Keys of the ledger, and erasing: each change is a record that everybody can read.

use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Reason};
use gonogo_ledger::packet::holds_blob;
use gonogo_ledger::{CONTROLLER, KeyId, PublicKey};
use gonogo_store::ledger::EnrolledKey;

use crate::{AppError, Workspace};

/// Enrols a public key; returns its id.
///
/// # Errors
/// The file holds no P-256 public key; the key is enrolled for somebody else; the role is reserved.
pub fn enrol(ws: &Workspace, public: &Path, who: &str, role: &str) -> Result<String, AppError> {
    let now = ws.now()?;
    let me = ws.identity()?;
    if !crate::config::is_person_name(who) {
        return Err(AppError::new(
            Reason::ArgumentInvalid,
            format!("`{}` cannot be used as a name", who.escape_debug()),
        ));
    }
    if role == CONTROLLER || !crate::config::is_plain_name(role) {
        let text = format!(
            "`{}` is no role that a key can be enrolled in",
            role.escape_debug()
        );
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint("the controller's key is changed with `gonogo ledger keys rotate`"));
    }
    let is_controllers = |k: &EnrolledKey| k.role == CONTROLLER && k.who == who;
    if ws.ledger.enrolled_keys()?.iter().any(is_controllers) {
        let text = format!("`{who}` is the controller's name; a person needs another");
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    let pem = std::fs::read_to_string(public).map_err(|e| AppError::io("read", public, &e))?;
    let key = PublicKey::from_pem(&pem).map_err(|e| {
        let text = format!("`{}`: {e}", public.display());
        AppError::new(Reason::KeyUnreadable, text)
            .hint("give the PEM file of a P-256 public key: `openssl pkey -pubout`")
    })?;
    let known = ws.ledger.enrolled_keys()?;
    if let Some(known) = known.iter().find(|k| k.key == key)
        && let Some(record) = known.revoked
    {
        let text = format!(
            "key {} was revoked by record {record}, and is never enrolled again",
            key.id()
        );
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint("make a new key: `gonogo key new --out FILE`"));
    }
    ws.ledger.enrol(key, who, role, &me.name, now)?;
    Ok(key.id().to_string())
}

/// Gives the controller a new key; returns its id.
///
/// # Errors
/// [`Reason::OperationOpen`] while an operation runs: its controller signs with the key that would be revoked.
pub fn rotate(ws: &Workspace, why: &str) -> Result<String, AppError> {
    let now = ws.now()?;
    let me = ws.identity()?;
    reason_given(why)?;
    if let Some(open) = ws.store.open_operations()?.first() {
        let text = format!(
            "operation `{}` runs, and its controller signs with the key that would be revoked",
            open.operation.id
        );
        return Err(AppError::new(Reason::OperationOpen, text));
    }
    Ok(ws.ledger.rotate_controller(why, &me.name, now)?.to_string())
}

/// Revokes the key whose id begins with `prefix`; returns its id.
///
/// # Errors
/// No or several keys begin so; the key is revoked already; it is the controller's own.
pub fn revoke(ws: &Workspace, prefix: &str, why: &str) -> Result<String, AppError> {
    let now = ws.now()?;
    let me = ws.identity()?;
    reason_given(why)?;
    let fits = |id: &KeyId| prefix.len() >= 8 && id.to_string().starts_with(prefix);
    let all = ws.ledger.enrolled_keys()?;
    let found: Vec<KeyId> = all.iter().map(|k| k.key.id()).filter(fits).collect();
    let (reason, what) = match found[..] {
        [key] => {
            let revoked = all
                .iter()
                .find(|k| k.key.id() == key)
                .and_then(|k| k.revoked);
            if let Some(record) = revoked {
                let text = format!(
                    "key {key} is revoked already, by record {record}; nothing was changed"
                );
                return Err(AppError::new(Reason::ArgumentInvalid, text));
            }
            ws.ledger.revoke(key, why, &me.name, now)?;
            return Ok(key.to_string());
        }
        [] => (Reason::InputNotFound, "no key's id begins"),
        _ => (Reason::IdAmbiguous, "several keys' ids begin"),
    };
    let text = format!("{what} with `{}`", prefix.escape_debug());
    Err(AppError::new(reason, text).hint("at least 8 digits; see `gonogo ledger keys list --json`"))
}

/// What erasing a blob did.
#[derive(Debug)]
pub struct Erased {
    /// The record that says so.
    pub record: u64,
    /// The packets of this project that held it, and were removed.
    pub packets: Vec<PathBuf>,
    /// Files beside these packets that cannot be read as packets: they were left alone, and may hold it.
    pub unread: Vec<PathBuf>,
}

/// Erases a blob, from the ledger and from the packets that lie in the state directory: these can be written again, without it.
///
/// # Errors
/// The ledger does not have it; a packet cannot be read or removed.
pub fn erase(ws: &Workspace, blob: &str, why: &str) -> Result<Erased, AppError> {
    let now = ws.now()?;
    let me = ws.identity()?;
    reason_given(why)?;
    let hex = blob.strip_prefix("sha256:").unwrap_or(blob);
    let digest = Digest::from_hex(hex).map_err(|e| {
        AppError::new(
            Reason::ArgumentInvalid,
            format!("`{}`: {e}", blob.escape_debug()),
        )
    })?;
    let record = ws.ledger.erase_blob(&digest, why, &me.name, now)?.index;
    let (mut packets, mut unread) = (Vec::new(), Vec::new());
    for path in ws.packets()? {
        let file = std::fs::File::open(&path).map_err(|e| AppError::io("read", &path, &e))?;
        match holds_blob(file, &digest) {
            Ok(false) => {}
            Ok(true) => {
                std::fs::remove_file(&path).map_err(|e| AppError::io("remove", &path, &e))?;
                packets.push(path);
            }
            Err(_) => unread.push(path),
        }
    }
    Ok(Erased {
        record,
        packets,
        unread,
    })
}

fn reason_given(why: &str) -> Result<(), AppError> {
    if why.trim().is_empty() || why.len() > 500 || why.chars().any(char::is_control) {
        return Err(AppError::new(
            Reason::ArgumentInvalid,
            "--why needs a text of 1 to 500 printable characters",
        ));
    }
    Ok(())
}

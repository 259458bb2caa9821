//! Space that is kept for going back. On a full disk nothing can be recorded, so a release does not advance; it must still be able
//! to retreat, and that is recorded, too.
//!
//! Invariant: the reserve is given up only for a retreat: one that a person asks for, one whose step's time is over, or one that
//! begins because the disk stayed full.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use gonogo_core::Span;
use rustix::fs::{FallocateFlags, fallocate};

use crate::Workspace;

/// Bytes kept: many times what the records of a rollback take.
const KEPT: u64 = 2 << 20;
/// A disk with less free space than this has none to spare.
const FREE: u64 = 3 * KEPT;
/// A disk that stays full for longer sends a release back.
pub(crate) const PATIENCE: Span = Span::from_secs(60);

fn place(ws: &Workspace) -> PathBuf {
    ws.state.join("reserve")
}

/// Sets space aside, if there is none yet and the disk has it. Without it everything works but going back on a full disk.
pub(crate) fn lay_by(ws: &Workspace) {
    let path = place(ws);
    if path.exists() || space_left(&ws.state).is_none_or(|left| left < FREE) {
        return;
    }
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .is_ok_and(|file| fallocate(&file, FallocateFlags::empty(), 0, KEPT).is_ok());
    if !made {
        // A file system that cannot allocate gives no reserve; an empty file would only look like one.
        drop(std::fs::remove_file(&path));
    }
}

/// Gives the reserve up; says whether there was one.
pub(crate) fn give_up(ws: &Workspace) -> bool {
    std::fs::remove_file(place(ws)).is_ok()
}

/// Bytes that the caller may still write beside `path`; none if the system does not say.
pub(crate) fn space_left(path: &Path) -> Option<u64> {
    let told = rustix::fs::statvfs(path).ok()?;
    Some(told.f_bavail.saturating_mul(told.f_frsize))
}

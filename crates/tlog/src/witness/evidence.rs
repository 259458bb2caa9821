//! Pairs of checkpoints that contradict each other, kept for people: what the witness had cosigned, and what it was shown.
//!
//! A pair is named by its digest, so the same one is kept once. Anybody may replay a log's true checkpoints with a false proof;
//! such pairs prove nothing by themselves and only the first few are kept.

use std::fs;
use std::path::{Path, PathBuf};

use gonogo_core::Digest;

use crate::disk;
use crate::error::Error;

/// Pairs kept for a log whose signatures contradict each other.
const MOST_PROVEN: usize = 1000;
/// Pairs kept where only the proof was bad.
const MOST_UNPROVEN: usize = 32;

/// Writes `<dir>/<kind>-<digest>/cosigned` and `…/refused`; `None` if the pair is there, or the bound is reached.
pub(super) fn keep(
    dir: &Path,
    cosigned: &str,
    refused: &str,
    proven: bool,
) -> Result<Option<PathBuf>, Error> {
    let (kind, most) = if proven {
        ("split-view", MOST_PROVEN)
    } else {
        ("bad-proof", MOST_UNPROVEN)
    };
    // What the note says, without our own cosignature, whose time changes.
    let said = |note: &str| note.split("\n\n").next().unwrap_or_default().to_owned();
    let pair = format!("{}\n\n{}", said(cosigned), said(refused));
    let name = format!("{kind}-{}", &Digest::of(pair.as_bytes()).hex()[..16]);
    let target = dir.join(&name);
    disk::make_dirs(dir)?;
    if target.join("refused").is_file() {
        return Ok(None);
    }
    let held = fs::read_dir(dir)
        .map_err(Error::io("list", dir))?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(kind))
        .count();
    if held >= most {
        return Ok(None);
    }
    disk::make_dirs(&target)?;
    disk::write_synced(&target.join("cosigned"), cosigned.as_bytes(), 0o644)?;
    disk::write_synced(&target.join("refused"), refused.as_bytes(), 0o644)?;
    disk::sync_dir(&target)?;
    Ok(Some(target))
}

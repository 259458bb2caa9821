//! A packet that was unpacked into a directory, read as the archive that it came from.
//!
//! Only names and sizes are held. What is no regular file or directory is refused and never opened, so nothing outside of the
//! directory is read. Empty directories are passed over: an archive has none.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use gonogo_core::Reason;
use gonogo_ledger::packet::archive::{Listed, Member};

use crate::AppError;

/// How deep a packet's names go: `blobs/sha256/<hex>`.
const DEPTH: usize = 3;

/// How many files are listed.
const MOST: usize = 2_100_000;

/// Lists the files below `root`; they are opened as they are read.
pub(super) fn open(root: &Path) -> Result<impl Read + use<>, AppError> {
    let mut members = Vec::new();
    list(root, "", DEPTH, &mut members)?;
    let root = root.to_path_buf();
    Ok(Listed::new(members, move |member: &Member| {
        File::open(root.join(&member.name)).map(|file| Box::new(file) as Box<dyn Read>)
    }))
}

fn list(dir: &Path, prefix: &str, depth: usize, members: &mut Vec<Member>) -> Result<(), AppError> {
    let fault = |e: std::io::Error| AppError::io("read", dir, &e);
    for entry in fs::read_dir(dir).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let path = entry.path();
        let refuse = |why: &str| {
            let text = format!("`{}` {why}", path.display());
            AppError::new(Reason::PacketCorrupt, text)
        };
        let name = entry.file_name();
        let name = name
            .to_str()
            .ok_or_else(|| refuse("is no name of a member"))?;
        let name = format!("{prefix}{name}");
        let meta = entry.metadata().map_err(fault)?;
        if meta.is_dir() && depth > 1 {
            list(&path, &format!("{name}/"), depth - 1, members)?;
        } else if meta.is_file() && members.len() < MOST {
            members.push(Member {
                name,
                size: meta.len(),
            });
        } else {
            return Err(refuse("is no file of a packet"));
        }
    }
    Ok(())
}

//! What is kept of a run: copies of its evidence files, and the list of all its files with their digests.
//!
//! The list is what a sign-off is bound to. It names every file that the verdict is computed from, and none that is not: derived
//! views, progress and the pump's own state can be made again.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Reason, digest::Hasher};
use gonogo_dryrun::spec::{ARTIFACTS, Artifact, RunSpec};
use serde::{Deserialize, Serialize};

use crate::AppError;
use crate::workspace::{make_dir, write_atomic};

/// The `schema` of the list.
pub const SCHEMA: &str = "gonogo.dry-run.files.v1";

/// The list's name in the capture directory.
pub const LIST: &str = "files.json";

/// The verdict's name: what judging gave, byte for byte.
pub const VERDICT: &str = "verdict.json";

/// The specification's name.
pub const SPEC: &str = "run.json";

/// Where copies of the evidence lie.
pub const EVIDENCE: &str = "evidence";

/// The largest evidence file that is kept, bytes.
const LARGEST_EVIDENCE: u64 = 8 << 30;

/// What is no evidence: it can be made again, or is about processes.
const PASSING: [&str; 9] = [
    "lock",
    "pump.lock",
    "internal.log",
    "state.json",
    "ballast",
    "reserve",
    "views.cut",
    super::wanted::FILE,
    LIST,
];

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Path in the capture directory, with `/`.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Of these bytes.
    pub sha256: Digest,
}

/// The files of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// [`SCHEMA`].
    pub schema: String,
    /// The run.
    pub run_id: String,
    /// By name, ascending.
    pub files: Vec<Kept>,
}

impl Files {
    /// Lists what lies in the capture directory.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn of(dir: &Path, run_id: &str) -> Result<Self, AppError> {
        let mut files = Vec::new();
        list(dir, "", &mut files)?;
        files.sort_unstable_by(|a: &Kept, b: &Kept| a.name.cmp(&b.name));
        Ok(Self {
            schema: SCHEMA.to_owned(),
            run_id: run_id.to_owned(),
            files,
        })
    }

    /// The one spelling.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A structure of texts and numbers always serialises.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

fn list(dir: &Path, prefix: &str, files: &mut Vec<Kept>) -> Result<(), AppError> {
    let fault = |e: io::Error| AppError::io("read", dir, &e);
    for entry in fs::read_dir(dir).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let kind = entry.file_type().map_err(fault)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let whole = format!("{prefix}{name}");
        if prefix.is_empty() && (PASSING.contains(&name) || name.starts_with('.')) {
            continue;
        }
        if kind.is_dir() && whole == EVIDENCE {
            list(&entry.path(), &format!("{whole}/"), files)?;
        } else if kind.is_file() {
            let (size, sha256) = digest(&entry.path())?;
            files.push(Kept {
                name: whole,
                size,
                sha256,
            });
        }
    }
    Ok(())
}

/// A file that a run is about, as it is now.
///
/// # Errors
/// It cannot be read.
pub fn artifact(path: &Path, name: String) -> Result<Artifact, AppError> {
    use std::os::unix::fs::MetadataExt as _;
    let state = || -> io::Result<String> {
        let of = |m: fs::Metadata| {
            format!(
                "{}:{}:{}.{:09}:{}.{:09}",
                m.ino(),
                m.size(),
                m.mtime(),
                m.mtime_nsec(),
                m.ctime(),
                m.ctime_nsec()
            )
        };
        Ok(format!(
            "{} {}",
            of(fs::metadata(path)?),
            of(fs::symlink_metadata(path)?)
        ))
    };
    let before = state().map_err(|e| AppError::io("look at", path, &e))?;
    let (_, sha256) = digest(path)?;
    Ok(Artifact {
        path: name,
        sha256,
        state: Some(before),
    })
}

/// Size and digest of a file.
///
/// # Errors
/// It cannot be read.
pub fn digest(path: &Path) -> Result<(u64, Digest), AppError> {
    let fault = |e: io::Error| AppError::io("read", path, &e);
    let mut file = File::open(path).map_err(fault)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((size, hasher.finish())),
            Ok(n) => {
                size += n as u64;
                hasher.update(&buffer[..n]);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(fault(e)),
        }
    }
}

/// Copies the evidence files as they are now, so that what is judged is what is kept. A file that is not there has no copy; one that
/// cannot be read has its reason beside (`<name>.unreadable`).
///
/// # Errors
/// The copy cannot be written.
pub fn copy_evidence(dir: &Path, spec: &RunSpec) -> Result<(), AppError> {
    if !spec.artifacts.is_empty() {
        // One that is gone or cannot be read is not among them, and so not what it was.
        let now: Vec<Artifact> = spec
            .artifacts
            .iter()
            .filter_map(|a| artifact(Path::new(&a.path), a.path.clone()).ok())
            .collect();
        let bytes = serde_json::to_vec_pretty(&now).unwrap_or_default();
        write_atomic(&dir.join(ARTIFACTS), &bytes)?;
    }
    let kept_back = gonogo_capture::verdict_bytes(&spec.capture);
    let into = dir.join(EVIDENCE);
    make_dir(&into)?;
    for evidence in &spec.evidence {
        let to = into.join(&evidence.name);
        let from = Path::new(&evidence.path);
        match copy(from, &to, kept_back) {
            Ok(()) => {}
            Err(Copying::Reading(e)) if e.kind() == io::ErrorKind::NotFound => {}
            Err(Copying::Reading(e)) => {
                let why = into.join(format!("{}.unreadable", evidence.name));
                write_atomic(&why, format!("{e}\n").as_bytes())?;
            }
            Err(Copying::Writing(e)) => return Err(AppError::io("write", &to, &e)),
        }
    }
    Ok(())
}

/// Opens a file of somebody else's to read it. Anything but a regular file is refused with what it is; a pipe does not hold the
/// reader up, because it is opened without waiting for a writer.
///
/// # Errors
/// There is no such file; it cannot be opened; it is something else.
pub fn open_file(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    // Without a reader in sight a pipe would be waited for, and a terminal could become ours.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        // A socket cannot be opened, which says nothing to its reader.
        Err(rustix::io::Errno::NXIO) => return Err(io::Error::other(kind(&fs::metadata(path)?))),
        Err(rustix::io::Errno::LOOP) => {
            return Err(io::Error::other("it is a loop of symbolic links"));
        }
        Err(e) => return Err(e.into()),
    };
    let meta = file.metadata()?;
    match meta.is_file() {
        true => Ok(file),
        false => Err(io::Error::other(kind(&meta))),
    }
}

fn kind(meta: &fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = meta.file_type();
    if kind.is_dir() {
        "it is a directory"
    } else if kind.is_fifo() {
        "it is a named pipe"
    } else if kind.is_socket() {
        "it is a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "it is a device"
    } else {
        "it is no regular file"
    }
}

enum Copying {
    Reading(io::Error),
    Writing(io::Error),
}

fn copy(from: &Path, to: &Path, kept_back: u64) -> Result<(), Copying> {
    let mut source = open_file(from).map_err(Copying::Reading)?;
    let meta = source.metadata().map_err(Copying::Reading)?;
    // A verdict must fit beside it: a file that would fill the disk is told, not kept.
    let free = rustix::fs::statvfs(to.parent().unwrap_or(Path::new(".")))
        .map_or(u64::MAX, |s| s.f_bavail.saturating_mul(s.f_frsize));
    if meta.len() > LARGEST_EVIDENCE || meta.len() > free.saturating_sub(kept_back) / 2 {
        let text = format!(
            "it has {} bytes, more than can be kept here ({} bytes are free)",
            meta.len(),
            free
        );
        return Err(Copying::Reading(io::Error::other(text)));
    }
    let dir = to.parent().unwrap_or(Path::new("."));
    let mut fresh = tempfile::Builder::new()
        .prefix(".copy-")
        .tempfile_in(dir)
        .map_err(Copying::Writing)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => fresh.write_all(&buffer[..n]).map_err(Copying::Writing)?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Copying::Reading(e)),
        }
    }
    fresh.as_file().sync_all().map_err(Copying::Writing)?;
    fresh
        .persist(to)
        .map(drop)
        .map_err(|e| Copying::Writing(e.error))
}

/// Finds the capture directory of a run: given itself, its log directory, or the directory of an orchestrated run.
///
/// # Errors
/// There is none, or there are several.
pub fn find(dir: &Path) -> Result<PathBuf, AppError> {
    // A run is also one whose specification somebody replaced or removed.
    let is_one = |path: &Path| {
        [SPEC, "keeper.jsonl"]
            .iter()
            .any(|name| path.join(name).symlink_metadata().is_ok())
    };
    if is_one(dir) {
        return Ok(dir.to_path_buf());
    }
    let mut found = Vec::new();
    for place in [dir.to_path_buf(), dir.join("logs")] {
        let Ok(entries) = fs::read_dir(&place) else {
            continue;
        };
        found.extend(
            entries
                .filter_map(Result::ok)
                .map(|e| e.path())
                .filter(|p| is_one(p)),
        );
    }
    found.sort();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            let text = format!("`{}` holds no run", dir.display());
            Err(AppError::new(Reason::InputNotFound, text)
                .hint("give the directory of `orchestrate`, the log directory of `run`, or the directory with run.json"))
        }
        _ => {
            let names: Vec<String> = found.iter().map(|p| p.display().to_string()).collect();
            let text = format!("`{}` holds {} runs", dir.display(), names.len());
            Err(AppError::new(Reason::ArgumentInvalid, text)
                .hint(format!("give one of them: {}", names.join(", "))))
        }
    }
}

/// Refuses a capture directory with anything but plain files in it: reading a pipe would wait for ever.
///
/// # Errors
/// What is there.
pub fn plain(dir: &Path) -> Result<(), AppError> {
    for place in [dir.to_owned(), dir.join(EVIDENCE)] {
        let Ok(entries) = fs::read_dir(&place) else {
            continue;
        };
        for entry in entries.filter_map(Result::ok) {
            let is_fine = entry
                .file_type()
                .is_ok_and(|t| t.is_file() || (t.is_dir() && entry.file_name() == EVIDENCE));
            if !is_fine {
                let text = format!("`{}` is no plain file", entry.path().display());
                return Err(AppError::new(Reason::InputMalformed, text)
                    .hint("a run's directory holds files of the run alone"));
            }
        }
    }
    Ok(())
}

/// Reads a run's specification.
///
/// # Errors
/// It is absent or broken.
pub fn spec(dir: &Path) -> Result<RunSpec, AppError> {
    let path = dir.join(SPEC);
    let file = File::open(&path).map_err(|e| AppError::io("read", &path, &e))?;
    let mut bytes = Vec::new();
    file.take(16 << 20)
        .read_to_end(&mut bytes)
        .map_err(|e| AppError::io("read", &path, &e))?;
    serde_json::from_slice(&bytes).map_err(|e| {
        let text = format!("`{}` is no specification of a run: {e}", path.display());
        AppError::new(Reason::InputMalformed, text)
    })
}

#[cfg(test)]
mod tests;

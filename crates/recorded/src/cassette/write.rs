//! Writes a cassette: everything into a folder beside it first, then looked through for secrets, then moved into place.
//!
//! Invariants: until the last rename the old cassette and its blobs are as they were. A blob is never written over.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Timestamp};
use tempfile::TempDir;

use super::{Blob, Body, Chunk, Interaction, SCHEMA, blobs_of};
use crate::error::Error;
use crate::leak;
use crate::redact::Secrets;
use crate::settings::Limits;

/// A cassette that is being written.
pub(crate) struct Draft {
    path: PathBuf,
    dir: TempDir,
    file: BufWriter<File>,
    written: u64,
    limit: u64,
    inline: u64,
    first: bool,
    blobs: Vec<Digest>,
    /// What looks like a secret in a body.
    found: Vec<String>,
}

const FILE: &str = "cassette.json";

impl Draft {
    pub(crate) fn new(path: &Path, at: Timestamp, limits: &Limits) -> Result<Self, Error> {
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let what = format!("make a folder in {}", parent.display());
        fs::create_dir_all(parent).map_err(Error::io(&what))?;
        let dir = tempfile::Builder::new()
            .prefix(".recording-")
            .tempdir_in(parent)
            .map_err(Error::io(&what))?;
        let file = File::create(dir.path().join(FILE)).map_err(Error::io(what))?;
        let mut draft = Self {
            path: path.to_owned(),
            dir,
            file: BufWriter::new(file),
            written: 0,
            limit: limits.cassette,
            inline: limits.inline,
            first: true,
            blobs: Vec::new(),
            found: Vec::new(),
        };
        let head = format!(
            "{{\n  \"schema\": \"{SCHEMA}\",\n  \"recorded_at\": \"{at}\",\n  \"interactions\": ["
        );
        draft.put(&head)?;
        Ok(draft)
    }

    fn put(&mut self, text: &str) -> Result<(), Error> {
        self.written += text.len() as u64;
        if self.written > self.limit {
            let e = io::Error::other(format!("larger than {} bytes", self.limit));
            return Err(self.failed()(e));
        }
        let failed = self.failed();
        self.file.write_all(text.as_bytes()).map_err(failed)
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> Error + use<> {
        Error::io(format!("write cassette {}", self.path.display()))
    }

    /// Stores a body; `ends` are the ends of its pieces with their pauses.
    pub(crate) fn body(
        &mut self,
        bytes: &[u8],
        ends: &[(usize, u64)],
        secrets: &Secrets,
    ) -> Result<Option<Body>, Error> {
        if bytes.is_empty() {
            return Ok(None);
        }
        for text in leak::scan(bytes, secrets) {
            if !self.found.contains(&text) {
                self.found.push(text);
            }
        }
        if bytes.len() as u64 > self.inline {
            return Ok(Some(Body {
                chunks: None,
                blob: Some(self.blob(bytes, ends)?),
            }));
        }
        let (mut at, mut chunks) = (0, Vec::with_capacity(ends.len()));
        for (end, after_ms) in ends {
            chunks.push(Chunk::of(&bytes[at..*end], *after_ms));
            at = *end;
        }
        Ok(Some(Body {
            chunks: Some(chunks),
            blob: None,
        }))
    }

    fn blob(&mut self, bytes: &[u8], ends: &[(usize, u64)]) -> Result<Blob, Error> {
        let digest = Digest::of(bytes);
        let path = self.dir.path().join(digest.hex());
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(self.failed())?;
        self.blobs.push(digest);
        let chunks = match ends {
            [(_, 0)] => Vec::new(),
            _ => ends.iter().map(|(end, ms)| (*end as u64, *ms)).collect(),
        };
        Ok(Blob {
            digest,
            bytes: bytes.len() as u64,
            chunks,
        })
    }

    /// Adds an exchange.
    pub(crate) fn add(&mut self, interaction: &Interaction) -> Result<(), Error> {
        let failed = self.failed();
        let text = serde_json::to_string_pretty(interaction).map_err(|e| failed(e.into()))?;
        let comma = if self.first { "\n" } else { ",\n" };
        self.first = false;
        let indented: String = text.lines().map(|line| format!("    {line}\n")).collect();
        self.put(&format!("{comma}{}", indented.trim_end_matches('\n')))
    }
}

/// What a cassette would give away.
pub(crate) type Found = Vec<String>;

/// Looks through what was written and moves it into place. Answers with the digest of the cassette, or with what looks like a secret;
/// then nothing was changed.
pub(crate) fn write(
    mut draft: Draft,
    replace: bool,
    secrets: &Secrets,
) -> Result<Result<Digest, Found>, Error> {
    draft.put("\n  ]\n}\n")?;
    let failed = || Error::io(format!("write cassette {}", draft.path.display()));
    draft.file.flush().map_err(failed())?;
    draft.file.get_ref().sync_all().map_err(failed())?;
    let fresh = draft.dir.path().join(FILE);
    let mut names = vec![FILE.to_owned()];
    names.extend(draft.blobs.iter().map(Digest::hex));
    for name in names {
        let file = File::open(draft.dir.path().join(name)).map_err(failed())?;
        for text in leak::scan_stream(file, secrets).map_err(failed())? {
            if !draft.found.contains(&text) {
                draft.found.push(text);
            }
        }
    }
    if !draft.found.is_empty() {
        return Ok(Err(draft.found));
    }
    // What cannot be read again is not put in the place of what could.
    let bytes = fs::read(&fresh).map_err(failed())?;
    let digest = Digest::of(&bytes);
    drop(bytes);
    if !replace && fs::symlink_metadata(&draft.path).is_ok() {
        return Err(Error::Exists { path: draft.path });
    }
    let blobs = blobs_of(&draft.path);
    if !draft.blobs.is_empty() {
        fs::create_dir_all(&blobs).map_err(failed())?;
        for digest in &draft.blobs {
            let (from, to) = (
                draft.dir.path().join(digest.hex()),
                blobs.join(digest.hex()),
            );
            // The same body may have come twice.
            if from.exists() {
                fs::rename(&from, &to).map_err(failed())?;
            }
        }
        sync_dir(&blobs).map_err(failed())?;
    }
    fs::rename(&fresh, &draft.path).map_err(failed())?;
    if let Some(parent) = draft.dir.path().parent() {
        sync_dir(parent).map_err(failed())?;
    }
    sweep(&blobs, &draft.blobs);
    Ok(Ok(digest))
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Removes blobs that the new cassette does not name. What cannot be removed is found by `lint`.
fn sweep(blobs: &Path, kept: &[Digest]) {
    let Ok(entries) = fs::read_dir(blobs) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let digest = name.to_str().and_then(|n| Digest::from_hex(n).ok());
        if digest.is_some_and(|d| !kept.contains(&d)) {
            let _ = fs::remove_file(entry.path());
        }
    }
    // Only an empty folder can be removed so.
    let _ = fs::remove_dir(blobs);
}

//! Where a run's files lie.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use gonogo_dryrun::spec::{Compression, RunSpec};
use gonogo_dryrun::{PREFIX, Stream};

use crate::CaptureError;

/// Most bytes of a `run.json` that is read.
const SPEC_LIMIT: u64 = 16 << 20;

/// The capture directory.
#[derive(Debug, Clone)]
pub struct Files {
    directory: PathBuf,
}

impl Files {
    /// Names the files of a capture directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// Names the capture directory of a run.
    pub fn of(spec: &RunSpec) -> Self {
        Self::new(Path::new(&spec.log_dir).join(format!("{PREFIX}_{}", spec.slug)))
    }

    /// Returns the directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The specification.
    pub fn run(&self) -> PathBuf {
        self.path("run.json")
    }

    /// Held by the keeper, then by whoever recovers the run.
    pub fn lock(&self) -> PathBuf {
        self.path("lock")
    }

    /// Held by the pump.
    pub fn pump_lock(&self) -> PathBuf {
        self.path("pump.lock")
    }

    /// The keeper's journal.
    pub fn keeper_journal(&self) -> PathBuf {
        self.path("keeper.jsonl")
    }

    /// The pump's journal.
    pub fn pump_journal(&self) -> PathBuf {
        self.path("pump.jsonl")
    }

    /// The index.
    pub fn index(&self) -> PathBuf {
        self.path("index")
    }

    /// The live state.
    pub fn state(&self) -> PathBuf {
        self.path("state.json")
    }

    /// Space kept back for the pump's last words.
    pub fn ballast(&self) -> PathBuf {
        self.path("ballast")
    }

    /// Space kept back for the verdict.
    pub fn reserve(&self) -> PathBuf {
        self.path("reserve")
    }

    /// Written by whoever judges: once it is there nothing that it rests on changes any more.
    pub fn verdict(&self) -> PathBuf {
        self.path("verdict.json")
    }

    /// Is there while the views lack something: there was no space for it.
    pub fn views_cut(&self) -> PathBuf {
        self.path("views.cut")
    }

    /// What the keeper and the pump say if they fail themselves.
    pub fn internal(&self) -> PathBuf {
        self.path("internal.log")
    }

    /// Raw bytes that are in no member yet, of a run that compresses. An offset in it is an offset in the stream; what is in members
    /// is a hole.
    pub fn tail(&self, stream: Stream) -> PathBuf {
        self.path(&format!("{stream}.tail"))
    }

    /// A segment's file.
    pub fn segment(&self, stream: Stream, number: u32, compression: Compression) -> PathBuf {
        let suffix = match compression {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        };
        self.path(&format!("{stream}.{number:06}{suffix}"))
    }

    /// A view's part: the first without a number, those after a rotation `_p001`, `_p002`, ….
    pub fn view(&self, extension: &str, part: u32, compressed: bool) -> PathBuf {
        let mut name = self
            .directory
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if part > 0 {
            name.push_str(&format!("_p{part:03}"));
        }
        name.push_str(extension);
        if compressed {
            name.push_str(".gz");
        }
        self.directory.with_file_name(name)
    }

    /// Reads the specification.
    ///
    /// # Errors
    /// [`CaptureError::Read`], [`CaptureError::Spec`].
    pub fn read_spec(&self) -> Result<RunSpec, CaptureError> {
        let path = self.run();
        let bytes = read_bounded(&path, SPEC_LIMIT).map_err(|source| CaptureError::Read {
            path: path.clone(),
            source,
        })?;
        serde_json::from_slice(&bytes).map_err(|source| CaptureError::Spec { path, source })
    }
}

/// Opens a plain file to read. The child can reach the files of its run: a pipe in the place of one would be waited for without end.
pub(crate) fn open_plain(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    Ok(file)
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    open_plain(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("more than {limit} bytes"),
        ));
    }
    Ok(bytes)
}

/// Writes a file so that a reader sees the old one or the new one, never a part.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = (|| {
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        if durable {
            file.sync_all()?;
        }
        std::fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // A part that nobody reads must not take space on a full disk.
        let _ = std::fs::remove_file(&temporary);
    }
    written?;
    if durable && let Some(parent) = path.parent() {
        sync_directory(parent)?;
    }
    Ok(())
}

/// Makes new names of a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}

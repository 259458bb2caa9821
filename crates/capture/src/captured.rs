//! A capture, read: by whoever judges it, while it is made or years after.
//!
//! Invariant: what is missing is told with its place, and never filled up.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use gonogo_dryrun::Stream;
use gonogo_dryrun::index::{Cut, Member, Reader, Record};
use gonogo_dryrun::spec::{Compression, RunSpec};

use crate::CaptureError;
use crate::codec::expand;
use crate::files::Files;
use crate::journal::Entries;
use crate::store::number;

/// A capture directory.
#[derive(Debug, Clone)]
pub struct Captured {
    files: Files,
    spec: RunSpec,
    streams: [Known; 2],
    cut: Option<Cut>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    members: Vec<Member>,
    indexed: u64,
}

impl Known {
    fn closed(&self) -> u64 {
        self.members.last().map_or(0, |m| m.offset + m.length)
    }
}

/// Where a stream's bytes are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The first byte that is missing, in the stream.
    pub at: u64,
    /// The file that should hold it.
    pub path: String,
    /// Why it cannot be read.
    pub reason: String,
}

impl Captured {
    /// Opens a capture directory and reads its index once.
    ///
    /// # Errors
    /// [`CaptureError`] if `run.json` or the index cannot be read. A directory without an index (nothing was started) is empty.
    pub fn open(directory: &Path) -> Result<Self, CaptureError> {
        let files = Files::new(directory);
        let spec = files.read_spec()?;
        let mut captured = Self {
            files,
            spec,
            streams: [Known::default(), Known::default()],
            cut: None,
        };
        let Some(mut index) = captured.index()? else {
            return Ok(captured);
        };
        while let Some(record) = index.read().map_err(|e| captured.failed(e))? {
            let known = &mut captured.streams[number(record.stream())];
            match record {
                Record::Batch(batch) => known.indexed = batch.offset + u64::from(batch.length),
                Record::Member(member) => known.members.push(member),
            }
        }
        captured.cut = index.cut().cloned();
        Ok(captured)
    }

    fn failed(&self, source: gonogo_dryrun::index::IndexError) -> CaptureError {
        CaptureError::Index {
            path: self.files.index(),
            source,
        }
    }

    /// Returns the names of its files.
    pub const fn files(&self) -> &Files {
        &self.files
    }

    /// Returns the specification.
    pub const fn spec(&self) -> &RunSpec {
        &self.spec
    }

    /// Opens the index again, from its beginning; none if there is none.
    ///
    /// # Errors
    /// [`CaptureError::Read`], [`CaptureError::Index`].
    pub fn index(&self) -> Result<Option<Reader<BufReader<File>>>, CaptureError> {
        let path = self.files.index();
        match File::open(&path) {
            Ok(file) => Reader::new(BufReader::with_capacity(1 << 16, file))
                .map(Some)
                .map_err(|e| self.failed(e)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(CaptureError::read(&path)(e)),
        }
    }

    /// Returns what a crash tore off the index's end.
    pub const fn index_cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// Opens the keeper's journal.
    ///
    /// # Errors
    /// [`CaptureError::Read`].
    pub fn keeper_journal(&self) -> Result<Entries, CaptureError> {
        Entries::open(&self.files.keeper_journal())
    }

    /// Opens the pump's journal.
    ///
    /// # Errors
    /// [`CaptureError::Read`].
    pub fn pump_journal(&self) -> Result<Entries, CaptureError> {
        Entries::open(&self.files.pump_journal())
    }

    /// Returns a stream's closed members, in order.
    pub fn members(&self, stream: Stream) -> &[Member] {
        &self.streams[number(stream)].members
    }

    /// Returns how many bytes of a stream are indexed.
    pub const fn indexed(&self, stream: Stream) -> u64 {
        self.streams[number(stream)].indexed
    }

    /// Reads the bytes of a member, opened.
    ///
    /// # Errors
    /// What the file system or the codec says; bytes that are not there are `UnexpectedEof`.
    pub fn member(&self, member: &Member) -> io::Result<Vec<u8>> {
        let path = self
            .files
            .segment(member.stream, member.segment, member.compression);
        let mut stored = vec![0; usize::try_from(member.stored).map_err(io::Error::other)?];
        File::open(path)?.read_exact_at(&mut stored, member.file_offset)?;
        match member.compression {
            Compression::None => Ok(stored),
            compression => expand(compression, &stored, member.length),
        }
    }

    /// Reads a stream's bytes as they were printed, from its beginning.
    pub fn rebuild(&self, stream: Stream) -> Bytes<'_> {
        self.bytes(stream, 0)
    }

    /// Reads a stream's bytes from an offset on: members, then what is in none yet (also what is not indexed yet).
    pub fn bytes(&self, stream: Stream, from: u64) -> Bytes<'_> {
        Bytes {
            captured: self,
            stream,
            at: from,
            member: Vec::new(),
            member_at: 0,
            open: None,
            missing: None,
        }
    }

    /// The file of what is in no member yet, and the offset in the stream of its first byte.
    fn open_end(&self, stream: Stream) -> (std::path::PathBuf, u64) {
        let known = &self.streams[number(stream)];
        if self.spec.capture.compression != Compression::None {
            return (self.files.tail(stream), 0);
        }
        let (segment, base) = match known.members.last() {
            None => (1, 0),
            Some(m) if m.ends_segment => (m.segment + 1, m.offset + m.length),
            Some(m) => (m.segment, m.offset - m.file_offset),
        };
        (self.files.segment(stream, segment, Compression::None), base)
    }
}

/// A stream's bytes.
#[derive(Debug)]
pub struct Bytes<'a> {
    captured: &'a Captured,
    stream: Stream,
    at: u64,
    /// The member that is being read, and where it begins in the stream.
    member: Vec<u8>,
    member_at: u64,
    /// The open file.
    open: Option<(File, u64)>,
    missing: Option<Missing>,
}

impl Bytes<'_> {
    /// Returns where the next byte lies in the stream.
    pub const fn position(&self) -> u64 {
        self.at
    }

    /// Returns where bytes are missing, once the end was reached: it came too early.
    pub const fn missing(&self) -> Option<&Missing> {
        self.missing.as_ref()
    }

    fn miss(&mut self, path: &Path, reason: &str) -> usize {
        self.missing = Some(Missing {
            at: self.at,
            path: path.display().to_string(),
            reason: reason.to_owned(),
        });
        0
    }

    /// Loads the member that holds the next byte.
    fn load(&mut self) -> usize {
        let known = &self.captured.streams[number(self.stream)];
        let n = known
            .members
            .partition_point(|m| m.offset + m.length <= self.at);
        let Some(member) = known.members.get(n) else {
            return 0;
        };
        match self.captured.member(member) {
            Ok(bytes) => {
                self.member = bytes;
                self.member_at = member.offset;
                1
            }
            Err(e) => {
                let path =
                    self.captured
                        .files
                        .segment(member.stream, member.segment, member.compression);
                self.miss(&path, &format!("its member cannot be read: {e}"))
            }
        }
    }
}

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.missing.is_some() {
            return Ok(0);
        }
        let known = &self.captured.streams[number(self.stream)];
        if self.at < known.closed() {
            let end = self.member_at + self.member.len() as u64;
            if !(self.member_at..end).contains(&self.at) && self.load() == 0 {
                return Ok(0);
            }
            let from = (self.at - self.member_at) as usize;
            let count = (self.member.len() - from).min(buffer.len());
            buffer[..count].copy_from_slice(&self.member[from..from + count]);
            self.at += count as u64;
            return Ok(count);
        }
        if self.open.is_none() {
            let (path, base) = self.captured.open_end(self.stream);
            match File::open(&path) {
                Ok(file) => self.open = Some((file, base)),
                Err(_) if self.at >= known.indexed => return Ok(0),
                Err(e) => return Ok(self.miss(&path, &e.to_string())),
            }
        }
        let Some((file, base)) = &self.open else {
            return Ok(0);
        };
        let count = file.read_at(buffer, self.at - base)?;
        if count == 0 && self.at < known.indexed {
            let (path, _) = self.captured.open_end(self.stream);
            let reason = format!("it ends before byte {} that the index names", known.indexed);
            return Ok(self.miss(&path, &reason));
        }
        self.at += count as u64;
        Ok(count)
    }
}

//! The journal's segments: reading frames in order, reading one frame at a place, and writing a batch at the end.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use super::disk::{self, Layout};
use super::error::LedgerError;
use super::frame::{Frame, HEADER, Header, RecordFrame};

/// A segment is closed once it is longer than this.
pub(super) const SEGMENT_LIMIT: u64 = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// A place in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) segment: u32,
    pub(super) offset: u64,
}

impl Place {
    pub(super) const START: Self = Self {
        segment: 0,
        offset: 0,
    };
}

/// Reads a segment's frames from a place on.
#[derive(Debug)]
pub(super) struct Frames {
    from: BufReader<File>,
    path: PathBuf,
    offset: u64,
    length: u64,
}

/// What comes next in a segment.
#[derive(Debug)]
pub(super) enum Next {
    /// A good frame; the offset after it.
    Frame(Frame, u64),
    /// The end, right after the last good frame.
    End,
    /// Bytes that are no good frame begin here.
    Bad,
}

impl Frames {
    /// Opens a segment at `place`; `None` if it does not exist.
    pub(super) fn open(layout: &Layout, place: Place) -> Result<Option<Self>, LedgerError> {
        let path = layout.segment(place.segment);
        let mut file = match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|e| LedgerError::io("open", &path, &e))?,
        };
        let length = file
            .metadata()
            .and_then(|m| file.seek(SeekFrom::Start(place.offset)).map(|_| m.len()))
            .map_err(|e| LedgerError::io("read", &path, &e))?;
        Ok(Some(Self {
            from: BufReader::with_capacity(256 * 1024, file),
            path,
            offset: place.offset,
            length,
        }))
    }

    /// Returns the segment's length when it was opened.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn next(&mut self) -> Result<Next, LedgerError> {
        if self.offset >= self.length {
            return Ok(Next::End);
        }
        let mut header = [0; HEADER];
        if !self.fill(&mut header)? {
            return Ok(Next::Bad);
        }
        let Some(header) = Header::read(&header) else {
            return Ok(Next::Bad);
        };
        let end = self.offset + (HEADER + header.body_length()) as u64;
        if end > self.length {
            return Ok(Next::Bad);
        }
        let mut body = vec![0; header.body_length()];
        if !self.fill(&mut body)? {
            return Ok(Next::Bad);
        }
        match header.decode(&body) {
            Some(frame) => {
                self.offset = end;
                Ok(Next::Frame(frame, end))
            }
            None => Ok(Next::Bad),
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<bool, LedgerError> {
        match self.from.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(e) => Err(LedgerError::io("read", &self.path, &e)),
        }
    }
}

/// Returns whether a good checkpoint frame begins after `place`, at any byte: a sign that a later batch was written, so
/// that what is damaged before it had been acknowledged.
pub(super) fn has_later_batch(layout: &Layout, place: Place) -> Result<bool, LedgerError> {
    const WINDOW: usize = 1 << 20;
    const LARGEST: usize = 4096;
    let path = layout.segment(place.segment);
    let file = File::open(&path).map_err(|e| LedgerError::io("open", &path, &e))?;
    let mut at = place.offset + 1;
    let mut window = vec![0; WINDOW + LARGEST];
    loop {
        let got =
            read_up_to(&file, &mut window, at).map_err(|e| LedgerError::io("read", &path, &e))?;
        for start in 0..got.saturating_sub(HEADER).min(WINDOW) {
            let Some(head) = window[start..].first_chunk::<HEADER>() else {
                break;
            };
            let Some(header) = Header::read(head).filter(Header::is_checkpoint) else {
                continue;
            };
            let end = start + HEADER + header.body_length();
            if header.body_length() <= LARGEST - HEADER
                && end <= got
                && header.fits(&window[start + HEADER..end])
            {
                return Ok(true);
            }
        }
        if got < window.len() {
            return Ok(false);
        }
        at += WINDOW as u64;
    }
}

fn read_up_to(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read_at(&mut buffer[got..], at + got as u64) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}

/// Reads the record frame that begins at `place`.
pub(super) fn read_record(layout: &Layout, place: Place) -> Result<RecordFrame, LedgerError> {
    let path = layout.segment(place.segment);
    let file = File::open(&path).map_err(|e| LedgerError::io("open", &path, &e))?;
    let damaged =
        || LedgerError::corrupt(&path, format!("no good record at byte {}", place.offset));
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, place.offset)
        .map_err(|_| damaged())?;
    let header = Header::read(&header).ok_or_else(damaged)?;
    let mut body = vec![0; header.body_length()];
    file.read_exact_at(&mut body, place.offset + HEADER as u64)
        .map_err(|_| damaged())?;
    match header.decode(&body) {
        Some(Frame::Record(record)) => Ok(record),
        _ => Err(damaged()),
    }
}

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Tail {
    file: File,
    path: PathBuf,
    place: Place,
}

impl Tail {
    /// Opens the segment of `place` to write at its offset; makes it if it does not exist.
    pub(super) fn open(layout: &Layout, place: Place) -> Result<Self, LedgerError> {
        let path = layout.segment(place.segment);
        let open = |create| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(create)
                .mode(0o644)
                .open(&path)
        };
        let file = match open(false) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let file = open(true).map_err(|e| LedgerError::io("create", &path, &e))?;
                disk::sync_dir(&layout.journal())?;
                file
            }
            other => other.map_err(|e| LedgerError::io("open", &path, &e))?,
        };
        Ok(Self { file, path, place })
    }

    /// Writes all bytes, or cuts the segment back to where it was.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), LedgerError> {
        self.file
            .write_all_at(bytes, self.place.offset)
            .map_err(|e| {
                self.cut();
                LedgerError::io("write", &self.path, &e)
            })
    }

    /// Takes back what was written. If even that fails, the next append finds an unfinished tail and cuts it.
    pub(super) fn cut(&self) {
        let _ = self.file.set_len(self.place.offset);
    }

    pub(super) fn sync(&self, door: fn(&File) -> io::Result<()>) -> Result<(), LedgerError> {
        door(&self.file).map_err(|e| disk::sync_error(&self.path, &e))
    }

    pub(super) fn read_back(&self, length: usize) -> Result<Vec<u8>, LedgerError> {
        let mut bytes = vec![0; length];
        self.file
            .read_exact_at(&mut bytes, self.place.offset)
            .map_err(|e| LedgerError::io("read back", &self.path, &e))?;
        Ok(bytes)
    }

    pub(super) fn path(&self) -> &std::path::Path {
        &self.path
    }
}

/// Cuts a segment and makes the cut durable.
pub(super) fn truncate(layout: &Layout, place: Place) -> Result<(), LedgerError> {
    let path = layout.segment(place.segment);
    let file = OpenOptions::new()
        .write(true)
        .open(&path)
        .map_err(|e| LedgerError::io("open", &path, &e))?;
    file.set_len(place.offset)
        .map_err(|e| LedgerError::io("cut", &path, &e))?;
    file.sync_all().map_err(|e| disk::sync_error(&path, &e))
}

/// Writes a segment anew up to `place`, into a new file with the old name.
pub(super) fn rewrite(layout: &Layout, place: Place) -> Result<(), LedgerError> {
    let path = layout.segment(place.segment);
    let file = File::open(&path).map_err(|e| LedgerError::io("open", &path, &e))?;
    let mut fresh = disk::Fresh::create(&layout.journal(), 0o644)?;
    let copied = io::copy(&mut file.take(place.offset), fresh.file())
        .map_err(|e| LedgerError::io("copy", &path, &e))?;
    if copied != place.offset {
        return Err(LedgerError::corrupt(
            &path,
            format!("it has {copied} bytes, {} were acknowledged", place.offset),
        ));
    }
    fresh.sync()?;
    fresh.publish(&path)?;
    disk::sync_dir(&layout.journal())
}

//! The journal's segments: reading frames in order, reading one frame at a place, and writing a batch at the end.

use std::path::PathBuf;

use super::disk::{self, DiskFile, Layout, Open};
use super::error::LedgerError;
use super::frame::{Frame, HEADER, Header, RecordFrame};

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
    file: Box<dyn DiskFile>,
    path: PathBuf,
    offset: u64,
    length: u64,
    /// Bytes of the segment that begin at `ahead_at`.
    ahead: Vec<u8>,
    ahead_at: u64,
}

/// How much is read at a time.
const AHEAD: usize = 256 * 1024;

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
        let Some(file) = layout.open(&path, Open::Read)? else {
            return Ok(None);
        };
        let length = file
            .length()
            .map_err(|e| LedgerError::io("read", &path, &e))?;
        Ok(Some(Self {
            file,
            path,
            offset: place.offset,
            length,
            ahead: Vec::new(),
            ahead_at: place.offset,
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
        let Some(header) = self
            .window(HEADER)?
            .and_then(|bytes| bytes.first_chunk::<HEADER>().copied())
        else {
            return Ok(Next::Bad);
        };
        let Some(header) = Header::read(&header) else {
            return Ok(Next::Bad);
        };
        let whole = HEADER + header.body_length();
        let end = self.offset + whole as u64;
        let Some(bytes) = self.window(whole)? else {
            return Ok(Next::Bad);
        };
        match header.decode(&bytes[HEADER..]) {
            Some(frame) => {
                self.offset = end;
                Ok(Next::Frame(frame, end))
            }
            None => Ok(Next::Bad),
        }
    }

    /// Returns the next `count` bytes without taking them; `None` if the segment had fewer when it was opened.
    fn window(&mut self, count: usize) -> Result<Option<&[u8]>, LedgerError> {
        if self.offset + count as u64 > self.length {
            return Ok(None);
        }
        let skip = usize::try_from(self.offset - self.ahead_at).unwrap_or(usize::MAX);
        if self.ahead.len() < skip.saturating_add(count) {
            let left = usize::try_from(self.length - self.offset).unwrap_or(usize::MAX);
            self.ahead.resize(count.max(AHEAD).min(left), 0);
            self.ahead_at = self.offset;
            let got = disk::read_up_to(&*self.file, &mut self.ahead, self.offset)
                .map_err(|e| LedgerError::io("read", &self.path, &e))?;
            self.ahead.truncate(got);
            return Ok(self.ahead.get(..count));
        }
        Ok(self.ahead.get(skip..skip + count))
    }
}

/// Returns whether a good checkpoint frame begins after `place`, at any byte: a sign that a later batch was written, so
/// that what is damaged before it had been acknowledged.
pub(super) fn has_later_batch(layout: &Layout, place: Place) -> Result<bool, LedgerError> {
    const WINDOW: usize = 1 << 20;
    const LARGEST: usize = 4096;
    let path = layout.segment(place.segment);
    let Some(file) = layout.open(&path, Open::Read)? else {
        return Ok(false);
    };
    let mut at = place.offset + 1;
    let mut window = vec![0; WINDOW + LARGEST];
    loop {
        let got = disk::read_up_to(&*file, &mut window, at)
            .map_err(|e| LedgerError::io("read", &path, &e))?;
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

/// Counts the records before a place; `None` if no frame ends there.
pub(super) fn records_before(layout: &Layout, place: Place) -> Result<Option<u64>, LedgerError> {
    let mut records = 0;
    for segment in 0..=place.segment {
        let Some(mut frames) = Frames::open(layout, Place { segment, offset: 0 })? else {
            return Ok(None);
        };
        loop {
            if segment == place.segment && frames.offset() >= place.offset {
                return Ok((frames.offset() == place.offset).then_some(records));
            }
            match frames.next()? {
                Next::Frame(Frame::Record(_), _) => records += 1,
                Next::Frame(Frame::Checkpoint(_), _) => {}
                Next::End if segment < place.segment => break,
                Next::End | Next::Bad => return Ok(None),
            }
        }
    }
    Ok(None)
}

/// Reads the record frame that begins at `place`.
pub(super) fn read_record(layout: &Layout, place: Place) -> Result<RecordFrame, LedgerError> {
    let path = layout.segment(place.segment);
    let damaged =
        || LedgerError::corrupt(&path, format!("no good record at byte {}", place.offset));
    let file = layout.open(&path, Open::Read)?.ok_or_else(damaged)?;
    let mut header = [0; HEADER];
    disk::read_exact_at(&*file, &mut header, place.offset).map_err(|_| damaged())?;
    let header = Header::read(&header).ok_or_else(damaged)?;
    let mut body = vec![0; header.body_length()];
    disk::read_exact_at(&*file, &mut body, place.offset + HEADER as u64).map_err(|_| damaged())?;
    match header.decode(&body) {
        Some(Frame::Record(record)) => Ok(record),
        _ => Err(damaged()),
    }
}

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Tail {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    place: Place,
}

impl Tail {
    /// Opens the segment of `place` to write at its offset; makes it if it does not exist.
    pub(super) fn open(layout: &Layout, place: Place) -> Result<Self, LedgerError> {
        let path = layout.segment(place.segment);
        let file = match layout.open(&path, Open::Write)? {
            Some(file) => file,
            None => layout
                .disk()
                .open(&path, Open::New(0o644))
                .map_err(|e| LedgerError::io("create", &path, &e))?,
        };
        if place.offset == 0 {
            // Also for a file that is there: whoever made it may have died before its name was durable.
            layout.sync_dir(&layout.journal())?;
        }
        Ok(Self { file, path, place })
    }

    /// Writes all bytes, or cuts the segment back to where it was.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), LedgerError> {
        self.file.write_at(bytes, self.place.offset).map_err(|e| {
            self.cut();
            LedgerError::io("write", &self.path, &e)
        })
    }

    /// Takes back what was written. If even that fails, the next append finds an unfinished tail and cuts it.
    pub(super) fn cut(&self) {
        let _ = self.file.set_len(self.place.offset);
    }

    pub(super) fn sync(&self) -> Result<(), LedgerError> {
        self.file
            .sync()
            .map_err(|e| disk::sync_error(&self.path, &e))
    }

    pub(super) fn read_back(&self, length: usize) -> Result<Vec<u8>, LedgerError> {
        let mut bytes = vec![0; length];
        disk::read_exact_at(&*self.file, &mut bytes, self.place.offset)
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
    let Some(file) = layout.open(&path, Open::Write)? else {
        return Err(LedgerError::corrupt(&path, "it is gone"));
    };
    file.set_len(place.offset)
        .map_err(|e| LedgerError::io("cut", &path, &e))?;
    file.sync().map_err(|e| disk::sync_error(&path, &e))
}

/// Writes a segment anew up to `end`, into a new file with the old name, so that nothing in it rests on a page that the
/// system holds in memory and a failed sync may have left out of the disk.
pub(super) fn rewrite(layout: &Layout, end: Place) -> Result<(), LedgerError> {
    let path = layout.segment(end.segment);
    let Some(file) = layout.open(&path, Open::Read)? else {
        return Err(LedgerError::corrupt(&path, "it is gone"));
    };
    let mut fresh = layout.fresh(&layout.journal(), 0o644)?;
    let mut buffer = vec![0; AHEAD];
    let mut at = 0;
    while at < end.offset {
        let want = buffer
            .len()
            .min(usize::try_from(end.offset - at).unwrap_or(usize::MAX));
        disk::read_exact_at(&*file, &mut buffer[..want], at).map_err(|e| {
            LedgerError::corrupt(
                &path,
                format!("{e} before byte {}, which was acknowledged", end.offset),
            )
        })?;
        fresh.append(&buffer[..want])?;
        at += want as u64;
    }
    fresh.sync()?;
    fresh.publish(&path)?;
    layout.sync_dir(&layout.journal())
}

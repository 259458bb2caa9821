//! A journal's file: one JSON object a line, each naming the digest of the line before.
//!
//! Meets `gonogo_dryrun::journal`, which says what the entries are. Invariants: an entry is appended whole or cut by the next writer;
//! what cannot be written (a full disk) is kept and written first when there is space.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use gonogo_core::Digest;
use gonogo_dryrun::Moment;
use gonogo_dryrun::journal::{Entry, Event};

use crate::CaptureError;
use crate::files::open_plain;

/// Most bytes of a line.
const LINE_LIMIT: u64 = 1 << 20;

/// Most bytes that wait for space; more than that is a disk that is full for months.
const PENDING_LIMIT: usize = 8 << 20;

/// Writes a journal.
#[derive(Debug)]
pub struct Journal {
    file: File,
    length: u64,
    seq: u64,
    prev: String,
    pending: Vec<u8>,
    unsynced: bool,
}

impl Journal {
    /// Opens a journal and goes on behind its last whole line; what is behind that is cut.
    ///
    /// # Errors
    /// [`CaptureError`] if it cannot be read, or is damaged before its last line.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let failed = |source| CaptureError::Write {
            path: path.to_owned(),
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let mut entries = Entries::open(path)?;
        for entry in entries.by_ref() {
            entry?;
        }
        file.set_len(entries.length).map_err(failed)?;
        Ok(Self {
            file,
            length: entries.length,
            seq: entries.seq,
            prev: entries.prev,
            pending: Vec::new(),
            unsynced: false,
        })
    }

    /// Returns how many entries there are.
    pub const fn entries(&self) -> u64 {
        self.seq
    }

    /// Appends an entry. It is kept if it cannot be written now.
    pub fn append(&mut self, at: Moment, event: Event) -> Entry {
        let entry = Entry {
            seq: self.seq,
            prev: self.prev.clone(),
            at,
            event,
        };
        let line = serde_json::to_vec(&entry).expect("invariant: an entry is JSON");
        if self.pending.len() + line.len() < PENDING_LIMIT {
            self.prev = Digest::of(&line).hex();
            self.seq += 1;
            self.pending.extend_from_slice(&line);
            self.pending.push(b'\n');
        }
        entry
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// Why it cannot be; it is tried again with the next call.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.file.write_all_at(&self.pending, self.length)?;
        self.length += self.pending.len() as u64;
        self.pending.clear();
        self.unsynced = true;
        Ok(())
    }

    /// Writes what waits and makes it durable.
    ///
    /// # Errors
    /// As [`Journal::flush`].
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        if self.unsynced {
            self.file.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }
}

/// Reads a journal.
#[derive(Debug)]
pub struct Entries {
    source: BufReader<File>,
    path: PathBuf,
    length: u64,
    seq: u64,
    prev: String,
    torn: u64,
    done: bool,
    seek: bool,
}

impl Entries {
    /// Opens a journal.
    ///
    /// # Errors
    /// [`CaptureError::Read`].
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let file = open_plain(path).map_err(|source| CaptureError::Read {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            source: BufReader::new(file),
            path: path.to_owned(),
            length: 0,
            seq: 0,
            prev: Digest::of(b"").hex(),
            torn: 0,
            done: false,
            seek: false,
        })
    }

    /// Returns how many bytes at the end are no whole line, once the end was reached. More may come if the writer lives.
    pub const fn torn(&self) -> u64 {
        self.torn
    }

    /// Goes on at the end that was reached: a writer that lives has written more since.
    pub fn resume(&mut self) {
        self.done = false;
        self.torn = 0;
        self.seek = true;
    }

    fn step(&mut self) -> Result<Option<Entry>, CaptureError> {
        let read = |source| CaptureError::Read {
            path: self.path.clone(),
            source,
        };
        if std::mem::take(&mut self.seek) {
            self.source
                .seek(SeekFrom::Start(self.length))
                .map_err(read)?;
        }
        let mut line = Vec::new();
        (&mut self.source)
            .take(LINE_LIMIT)
            .read_until(b'\n', &mut line)
            .map_err(read)?;
        let damaged = |reason: String| CaptureError::Damaged {
            path: self.path.clone(),
            at: self.length,
            reason,
        };
        if line.last() != Some(&b'\n') {
            if line.len() as u64 >= LINE_LIMIT {
                return Err(damaged(format!("a line has more than {LINE_LIMIT} bytes")));
            }
            self.torn = line.len() as u64;
            return Ok(None);
        }
        let text = &line[..line.len() - 1];
        let entry: Entry = match serde_json::from_slice(text) {
            Ok(entry) => entry,
            Err(e) => {
                // A power cut may leave the last blocks as zeros, line feeds and all that was written in one go.
                if self.source.fill_buf().map_err(read)?.is_empty() {
                    self.torn = line.len() as u64;
                    return Ok(None);
                }
                return Err(damaged(format!("the line is no entry: {e}")));
            }
        };
        if entry.seq != self.seq || entry.prev != self.prev {
            return Err(damaged(format!(
                "the line is entry {}, and {} that names the digest of the one before comes next",
                entry.seq, self.seq
            )));
        }
        self.prev = Digest::of(text).hex();
        self.length += line.len() as u64;
        self.seq += 1;
        Ok(Some(entry))
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.step();
        self.done = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, count: u64) {
        let mut journal = Journal::open(path).unwrap();
        for _ in 0..count {
            journal.append(Moment::default(), Event::TimeOver);
        }
        journal.sync().unwrap();
    }

    #[test]
    fn a_torn_line_is_cut_and_the_chain_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        write(&path, 3);
        let whole = std::fs::read(&path).unwrap();
        let second = whole.len() / 3;
        for cut in second * 2..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            write(&path, 2);
            let mut entries = Entries::open(&path).unwrap();
            assert_eq!(entries.by_ref().map(Result::unwrap).count(), 4, "{cut}");
            assert_eq!(entries.torn(), 0);
        }
    }

    #[test]
    fn a_changed_line_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        write(&path, 3);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("\"boot\":0", "\"boot\":1", 1)).unwrap();
        let bad: Vec<_> = Entries::open(&path).unwrap().collect();
        assert!(bad.last().unwrap().is_err(), "{bad:?}");
        assert!(Journal::open(&path).is_err());
        let lines: Vec<&str> = text.lines().collect();
        std::fs::write(&path, format!("{}\n{}\n", lines[0], lines[2])).unwrap();
        assert!(Journal::open(&path).is_err());
    }
}

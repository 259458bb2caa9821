//! One derived view (`.log` or `.jsonl`), plain or gzip, made as the run goes and made again from a recorded point after a crash.
//!
//! A gzip view is flushed each second (what was flushed can be read from a file that is cut there) and closed in members of 1–4 MiB.
//! Invariant: what lies behind a recorded [`Mark`] is cut and made again, so no line is there twice or missing.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use serde::{Deserialize, Serialize};

use crate::files::Files;
use crate::space::Space;

/// Bytes of a member, before compression, after which it is closed.
const MEMBER: u64 = 2 << 20;

/// Plain bytes that wait for a write.
const BUFFER: usize = 256 << 10;

/// The beginning of a gzip member (RFC 1952): deflate, no name, no time, unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// How far a view is, as the state holds it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Number of the part.
    part: u32,
    /// Bytes of the file that count.
    length: u64,
    /// Where the open gzip member begins; the length itself if none is open.
    member: u64,
    /// Bytes of the part before compression.
    raw: u64,
}

/// A view that is written.
pub(crate) struct View {
    files: Files,
    extension: &'static str,
    space: Arc<Space>,
    file: File,
    mark: Mark,
    buffer: Vec<u8>,
    gzip: Option<Gzip>,
}

/// An encoder that can be flushed without being closed.
struct Gzip {
    deflate: Compress,
    crc: Crc,
    /// Whether a member is open.
    open: bool,
    /// Whether the encoder holds bytes back.
    unflushed: bool,
}

impl View {
    /// Opens a view at a mark; what lies behind it is cut.
    pub(crate) fn open(
        files: &Files,
        extension: &'static str,
        compressed: bool,
        mark: Mark,
        space: Arc<Space>,
    ) -> io::Result<Self> {
        let path = files.view(extension, mark.part, compressed);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        // Later parts were begun after the mark.
        for part in mark.part + 1.. {
            if std::fs::remove_file(files.view(extension, part, compressed)).is_err() {
                break;
            }
        }
        let mut view = Self {
            files: files.clone(),
            extension,
            space,
            file,
            mark,
            buffer: Vec::new(),
            gzip: compressed.then(Gzip::new),
        };
        if view.file.metadata()?.len() < mark.length {
            // Somebody cut it. What is left stays.
            view.mark.length = view.file.metadata()?.len();
            view.mark.member = view.mark.member.min(view.mark.length);
        }
        view.file.set_len(view.mark.length)?;
        view.close_orphan()?;
        Ok(view)
    }

    /// Closes the member that was open: what was flushed ends at a whole byte, so an empty last block and the trailer (RFC 1951, 1952)
    /// can follow. What the mark counts is not touched: after another crash the same mark is good once more.
    fn close_orphan(&mut self) -> io::Result<()> {
        let Mark { length, member, .. } = self.mark;
        if self.gzip.is_none() || member >= length {
            return Ok(());
        }
        let mut stored = vec![0; usize::try_from(length - member).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut stored, member)?;
        let mut crc = Crc::new();
        let mut decoder = flate2::read::GzDecoder::new(&stored[..]);
        let mut block = [0; 1 << 14];
        // It ends without its trailer: what can be read before that is all that was flushed.
        while let Ok(count @ 1..) = decoder.read(&mut block) {
            crc.update(&block[..count]);
        }
        let mut end = vec![3, 0];
        end.extend_from_slice(&crc.sum().to_le_bytes());
        end.extend_from_slice(&crc.amount().to_le_bytes());
        // Not waited for: who opens is who lets the waiting go on.
        self.file.write_all_at(&end, length)?;
        self.mark.length += end.len() as u64;
        self.mark.member = self.mark.length;
        Ok(())
    }

    /// Appends lines.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.mark.raw += bytes.len() as u64;
        if self.gzip.is_none() {
            if self.buffer.is_empty() && bytes.len() >= BUFFER {
                return self.put(bytes);
            }
            self.buffer.extend_from_slice(bytes);
            return if self.buffer.len() >= BUFFER {
                self.flush()
            } else {
                Ok(())
            };
        }
        for piece in bytes.chunks(MEMBER as usize) {
            let Some(gzip) = &mut self.gzip else {
                return Ok(());
            };
            gzip.write(piece, &mut self.buffer)?;
            if gzip.crc.amount() as u64 >= MEMBER {
                self.close_member()?;
            } else if self.buffer.len() >= BUFFER {
                self.put_buffer()?;
            }
        }
        Ok(())
    }

    /// Makes readable what was written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if let Some(gzip) = &mut self.gzip
            && gzip.open
            && gzip.unflushed
        {
            gzip.run(&[], FlushCompress::Sync, &mut self.buffer)?;
            gzip.unflushed = false;
        }
        self.put_buffer()
    }

    /// Returns the point that is reached; call it after [`View::flush`].
    pub(crate) const fn mark(&self) -> Mark {
        self.mark
    }

    /// How many bytes the part has, before compression.
    pub(crate) const fn raw(&self) -> u64 {
        self.mark.raw
    }

    /// Begins the next part.
    pub(crate) fn rotate(&mut self) -> io::Result<()> {
        self.finish()?;
        let part = self.mark.part + 1;
        let path = self.files.view(self.extension, part, self.gzip.is_some());
        self.file = self
            .space
            .persist_if_ample("view", || File::create(&path))?;
        self.mark = Mark {
            part,
            ..Mark::default()
        };
        Ok(())
    }

    /// Closes what is open.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.close_member()?;
        self.put_buffer()?;
        self.file.sync_data()
    }

    fn close_member(&mut self) -> io::Result<()> {
        if let Some(gzip) = &mut self.gzip
            && gzip.open
        {
            gzip.close(&mut self.buffer)?;
            self.put_buffer()?;
            self.mark.member = self.mark.length;
        }
        Ok(())
    }

    fn put_buffer(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let buffer = std::mem::take(&mut self.buffer);
        let result = self.put(&buffer);
        self.buffer = buffer;
        self.buffer.clear();
        result
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (file, at) = (&self.file, self.mark.length);
        self.space
            .persist_if_ample("view", || file.write_all_at(bytes, at))?;
        self.mark.length += bytes.len() as u64;
        if self.gzip.is_none() {
            self.mark.member = self.mark.length;
        }
        Ok(())
    }
}

impl Gzip {
    fn new() -> Self {
        Self {
            deflate: Compress::new(Compression::new(1), false),
            crc: Crc::new(),
            open: false,
            unflushed: false,
        }
    }

    fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if !self.open {
            out.extend_from_slice(&GZIP_HEADER);
            self.open = true;
        }
        self.crc.update(bytes);
        self.unflushed = true;
        self.run(bytes, FlushCompress::None, out)
    }

    fn close(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.run(&[], FlushCompress::Finish, out)?;
        out.extend_from_slice(&self.crc.sum().to_le_bytes());
        out.extend_from_slice(&self.crc.amount().to_le_bytes());
        self.crc = Crc::new();
        self.open = false;
        self.unflushed = false;
        // Kept: its tables are what costs.
        self.deflate.reset();
        Ok(())
    }

    /// Feeds the encoder until it took all of `bytes` and gave all that the flush asks for.
    fn run(&mut self, mut bytes: &[u8], flush: FlushCompress, out: &mut Vec<u8>) -> io::Result<()> {
        loop {
            out.reserve(bytes.len() / 2 + 4096);
            let before = self.deflate.total_in();
            let status = self
                .deflate
                .compress_vec(bytes, out, flush)
                .map_err(io::Error::other)?;
            bytes = &bytes[(self.deflate.total_in() - before) as usize..];
            let room = out.capacity() > out.len();
            let done = match flush {
                FlushCompress::Finish => status == Status::StreamEnd,
                // There was room left, so nothing more is to come.
                _ => bytes.is_empty() && room,
            };
            if done {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &std::path::Path) -> Vec<u8> {
        let mut out = Vec::new();
        let file = File::open(path).unwrap();
        let mut decoder = flate2::read::MultiGzDecoder::new(file);
        let mut block = [0; 999];
        while let Ok(count @ 1..) = decoder.read(&mut block) {
            out.extend_from_slice(&block[..count]);
        }
        out
    }

    fn space() -> Arc<Space> {
        Arc::new(Space::impatient().unwrap())
    }

    #[test]
    fn a_gzip_view_goes_on_at_its_mark() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path().join("final_dry_run_x"));
        let path = files.view(".log", 0, true);
        let mut view = View::open(&files, ".log", true, Mark::default(), space()).unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        let mut all = Vec::new();
        for _ in 0..20 {
            let line: Vec<u8> = (0..random.usize(1..400_000))
                .map(|_| random.u8(..64))
                .collect();
            view.write(&line).unwrap();
            all.extend_from_slice(&line);
            view.flush().unwrap();
            let mark = view.mark();
            assert_eq!(read(&path).len(), all.len());
            // What follows is lost by a crash, and written again.
            view.write(&vec![b'x'; random.usize(1..3_000_000)]).unwrap();
            view.flush().unwrap();
            for _ in 0..2 {
                // A second crash before the next mark.
                view = View::open(&files, ".log", true, mark, space()).unwrap();
                view.write(b"lost").unwrap();
                view.flush().unwrap();
            }
            view = View::open(&files, ".log", true, mark, space()).unwrap();
        }
        view.finish().unwrap();
        assert!(read(&path) == all);
        view.rotate().unwrap();
        view.write(b"next\n").unwrap();
        view.finish().unwrap();
        assert_eq!(read(&files.view(".log", 1, true)), b"next\n");
        assert!(read(&path) == all);
    }

    #[test]
    fn a_plain_view_goes_on_at_its_mark_and_later_parts_are_gone() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path().join("final_dry_run_x"));
        let mut view = View::open(&files, ".jsonl", false, Mark::default(), space()).unwrap();
        view.write(b"1\n").unwrap();
        view.flush().unwrap();
        let mark = view.mark();
        view.write(b"2\n").unwrap();
        view.rotate().unwrap();
        view.write(b"3\n").unwrap();
        view.finish().unwrap();
        assert!(files.view(".jsonl", 1, false).exists());
        let view = View::open(&files, ".jsonl", false, mark, space()).unwrap();
        assert_eq!(view.mark(), mark);
        assert_eq!(
            std::fs::read(files.view(".jsonl", 0, false)).unwrap(),
            b"1\n"
        );
        assert!(!files.view(".jsonl", 1, false).exists());
    }
}

//! The raw bytes on disk: segments, members, tails and the index over them; how they are written and how they are found again.
//!
//! Two threads meet here: the reader splices bytes to the end of a stream's [`Sink`], the indexer reads them back, hashes them and
//! closes members ([`Store`]). Whatever moment is the last one, [`Store::open`] finds the same bytes again: a file's length says how
//! many arrived, the index says what of them is known, and a member's record is the moment at which its place is final.

mod pieces;
mod sink;

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gonogo_core::Digest;
use gonogo_dryrun::index::{
    BATCH_LIMIT, Batch, Chain, HEADER_BYTES, Header, MEMBER_LIMIT, Member, Reader, Record, Sum,
};
use gonogo_dryrun::journal::Event;
use gonogo_dryrun::spec::{Capture, Compression};
use gonogo_dryrun::{Moment, Stream};

pub(crate) use sink::{Sink, Sinks, Syncing, number};

use crate::CaptureError;
use crate::clock::nanos;
use crate::codec::compress;
use crate::files::{Files, sync_directory};
use crate::space::{Space, crumb, is_full};

/// How often a record of the index may take from what is kept back for the verdict: hundreds of records each time.
const CRUMBS: u8 = 2;

/// The raw bytes of a run, for the one who writes them.
pub(crate) struct Store {
    files: Files,
    capture: Capture,
    space: Arc<Space>,
    index: Arc<File>,
    index_at: u64,
    chain: Chain,
    sinks: Arc<Sinks>,
    syncing: Arc<Syncing>,
    streams: [Open; 2],
    /// Whether a member could not be closed because the disk stays full: its bytes stay where they are until the end.
    stuck: bool,
    /// How often the index may still take from the verdict's reserve.
    crumbs: u8,
    /// What happened that a journal must hold.
    pub(crate) events: Vec<Event>,
}

/// What is open of a stream.
struct Open {
    raw: Arc<File>,
    /// Offset in the stream of the raw file's first byte.
    base: u64,
    /// The segment's file, if it is compressed.
    out: Option<Arc<File>>,
    sum: Sum,
    /// Bytes of the open member, if it will be compressed.
    bytes: Vec<u8>,
    /// How many bytes the open member has.
    length: u64,
    /// How many bytes of the open segment are in members.
    closed_in_segment: u64,
    /// When the open segment's first byte arrived (boot clock).
    began: Option<u64>,
    /// Whether a new segment was asked for.
    rotate: bool,
    /// Whether the last byte is no line feed.
    open_end: bool,
    /// Whether the open member has bytes that were recovered.
    recovered: bool,
}

/// What a member's end means for its segment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    Member,
    Segment,
    Stream,
}

impl Store {
    /// Opens the raw bytes of a run and finds what is there: nothing, or all that an earlier pump left.
    ///
    /// # Errors
    /// An index that is damaged, or files that cannot be opened.
    pub(crate) fn open(
        files: &Files,
        run_id: &str,
        capture: &Capture,
        space: Arc<Space>,
    ) -> Result<Self, CaptureError> {
        let path = files.index();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let index = options.open(&path).map_err(CaptureError::write(&path))?;
        let length = index.metadata().map_err(CaptureError::read(&path))?.len();
        if length < HEADER_BYTES as u64 {
            let header = Header::new(run_id, boot_id()).encode();
            // Not waited for: who opens is who lets the waiting go on.
            while let Err(e) = index.write_all_at(&header, 0) {
                if !(is_full(&e) && crumb(files)) {
                    return Err(CaptureError::write(&path)(e));
                }
            }
        }
        let source = BufReader::with_capacity(
            1 << 16,
            File::open(&path).map_err(CaptureError::read(&path))?,
        );
        let failed = |source| CaptureError::Index {
            path: path.clone(),
            source,
        };
        let mut reader = Reader::new(source).map_err(failed)?;
        let mut segments = [Segment::default(), Segment::default()];
        while let Some(record) = reader.read().map_err(failed)? {
            segments[number(record.stream())].push(&record);
        }
        let index_at = reader.position();
        index
            .set_len(index_at)
            .map_err(CaptureError::write(&path))?;
        let chain = reader.state().clone();
        let mut streams = Vec::new();
        let mut sinks = Vec::new();
        for stream in Stream::ALL {
            let (open, sink) =
                Self::open_stream(files, capture, &chain, stream, &segments[number(stream)])?;
            streams.push(open);
            sinks.push(Mutex::new(sink));
        }
        let streams: [Open; 2] = streams
            .try_into()
            .unwrap_or_else(|_| unreachable!("invariant: there are two streams"));
        let sinks: [Mutex<Sink>; 2] = sinks
            .try_into()
            .unwrap_or_else(|_| unreachable!("invariant: there are two streams"));
        let index = Arc::new(index);
        let mut store = Self {
            syncing: Arc::new(Syncing::new(Arc::clone(&index))),
            files: files.clone(),
            capture: capture.clone(),
            space,
            index,
            index_at,
            chain,
            sinks: Arc::new(Sinks(sinks)),
            streams,
            stuck: false,
            crumbs: CRUMBS,
            events: Vec::new(),
        };
        sync_directory(files.directory()).map_err(CaptureError::write(files.directory()))?;
        store
            .reload()
            .map_err(CaptureError::read(files.directory()))?;
        store.publish();
        Ok(store)
    }

    fn open_stream(
        files: &Files,
        capture: &Capture,
        chain: &Chain,
        stream: Stream,
        segment: &Segment,
    ) -> Result<(Open, Sink), CaptureError> {
        let (place, file_offset) = chain.place(stream);
        let closed = chain.closed(stream);
        let plain = capture.compression == Compression::None;
        let (raw_path, base) = if plain {
            // A crash may have left what a rotation had copied already (before its record) or not yet cut (after it).
            let next = files.segment(stream, place + 1, Compression::None);
            let _ = std::fs::remove_file(next);
            if let Some(last) = chain.last_member(stream)
                && last.ends_segment
            {
                let path = files.segment(stream, last.segment, Compression::None);
                shorten(&path, last.file_offset + last.stored)?;
            }
            (
                files.segment(stream, place, Compression::None),
                closed - file_offset,
            )
        } else {
            (files.tail(stream), 0)
        };
        let raw = create(&raw_path)?;
        let length = raw.metadata().map_err(CaptureError::read(&raw_path))?.len();
        // A file that is shorter than what the index knows lost its end; what is missing stays missing.
        let end = (base + length).max(chain.indexed(stream));
        let out = if plain || file_offset == 0 {
            None
        } else {
            let path = files.segment(stream, place, capture.compression);
            shorten(&path, file_offset)?;
            Some(Arc::new(create(&path)?))
        };
        let raw = Arc::new(raw);
        let open = Open {
            raw: Arc::clone(&raw),
            base,
            out,
            sum: segment.sum.clone(),
            bytes: Vec::new(),
            length: chain.indexed(stream) - closed,
            closed_in_segment: segment.closed,
            began: segment.began,
            rotate: false,
            open_end: segment.open_end,
            recovered: false,
        };
        Ok((
            open,
            Sink {
                file: raw,
                base,
                end,
            },
        ))
    }

    /// Reads what is indexed and in no member yet, if it will be compressed: the open member goes on with it.
    fn reload(&mut self) -> io::Result<()> {
        if self.capture.compression == Compression::None {
            return Ok(());
        }
        for stream in Stream::ALL {
            let closed = self.chain.closed(stream);
            let open = &mut self.streams[number(stream)];
            let length = open.length as usize;
            open.bytes.resize(length, 0);
            let mut have = 0;
            while have < length {
                match open
                    .raw
                    .read_at(&mut open.bytes[have..], closed + have as u64)?
                {
                    // Its end is lost. The member then holds zeros, and its digest tells so.
                    0 => break,
                    count => have += count,
                }
            }
        }
        Ok(())
    }

    pub(crate) fn sinks(&self) -> Arc<Sinks> {
        Arc::clone(&self.sinks)
    }

    pub(crate) fn syncing(&self) -> Arc<Syncing> {
        Arc::clone(&self.syncing)
    }

    /// Returns how many records are in the index.
    pub(crate) const fn records(&self) -> u64 {
        self.chain.next_seq()
    }

    /// Returns how many bytes of the stream are indexed.
    pub(crate) const fn indexed(&self, stream: Stream) -> u64 {
        self.chain.indexed(stream)
    }

    /// Asks for new segments at the next line borders.
    pub(crate) fn rotate(&mut self) {
        for open in &mut self.streams {
            open.rotate = true;
        }
    }

    /// Indexes what is in the files beyond the index: it arrived before an earlier pump's death.
    /// `each` gets them too.
    pub(crate) fn recover(
        &mut self,
        at: Moment,
        mut each: impl FnMut(Stream, &[u8]),
    ) -> io::Result<u64> {
        let mut found = 0;
        let mut buffer = Vec::new();
        for stream in Stream::ALL {
            let end = self.sinks.lock(stream).end;
            while self.indexed(stream) < end {
                let length = (end - self.indexed(stream)).min(BATCH_LIMIT.into());
                self.load(stream, length as usize, &mut buffer)?;
                self.take(stream, at, &buffer, true)?;
                each(stream, &buffer);
                found += length;
            }
        }
        self.publish();
        Ok(found)
    }

    /// Reads the next bytes of a stream that are not indexed yet.
    pub(crate) fn load(
        &self,
        stream: Stream,
        length: usize,
        buffer: &mut Vec<u8>,
    ) -> io::Result<()> {
        let open = &self.streams[number(stream)];
        buffer.resize(length, 0);
        open.raw
            .read_exact_at(buffer, self.indexed(stream) - open.base)
    }

    /// Indexes bytes, and closes members and segments where they are due.
    pub(crate) fn take(
        &mut self,
        stream: Stream,
        at: Moment,
        bytes: &[u8],
        recovered: bool,
    ) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some((count, close)) = self.border(stream, rest, at) else {
                return self.batch(stream, at, rest, recovered);
            };
            let (head, tail) = rest.split_at(count);
            if !head.is_empty() {
                self.batch(stream, at, head, recovered)?;
            }
            self.try_close(stream, close)?;
            rest = tail;
        }
        Ok(())
    }

    /// Ends segments whose time is over, where a line has just ended.
    pub(crate) fn tick(&mut self, now: u64) -> io::Result<()> {
        for stream in Stream::ALL {
            let open = &self.streams[number(stream)];
            if !self.stuck && open.length > 0 && !open.open_end && self.is_due(stream, now) {
                self.try_close(stream, Close::Segment)?;
            }
        }
        Ok(())
    }

    fn is_due(&self, stream: Stream, now: u64) -> bool {
        let open = &self.streams[number(stream)];
        let old = match (self.capture.rotate_seconds, open.began) {
            (Some(seconds), Some(began)) => now.saturating_sub(began) >= nanos(seconds),
            _ => false,
        };
        old || (open.rotate && open.length + open.closed_in_segment > 0)
    }

    /// Where the next border lies in `bytes`: how many of them are before it, and what ends there.
    fn border(&self, stream: Stream, bytes: &[u8], at: Moment) -> Option<(usize, Close)> {
        if self.stuck {
            return None;
        }
        let open = &self.streams[number(stream)];
        let line = |from: usize| memchr::memchr(b'\n', bytes.get(from..)?).map(|n| from + n + 1);
        if self.is_due(stream, at.boot) {
            // Between two lines: before the bytes, if a member is there that can end the segment.
            if !open.open_end && open.length > 0 {
                return Some((0, Close::Segment));
            }
            if let Some(count) = line(0) {
                return Some((count, Close::Segment));
            }
        }
        if let Some(limit) = self.capture.rotate_bytes {
            let have = open.closed_in_segment + open.length;
            if have + bytes.len() as u64 >= limit {
                let from = limit.saturating_sub(have).saturating_sub(1) as usize;
                if let Some(count) = line(from) {
                    return Some((count, Close::Segment));
                }
            }
        }
        let member = self.member_bytes();
        let full = open.length + bytes.len() as u64;
        if full < member {
            return None;
        }
        if let Some(last) = memchr::memrchr(b'\n', bytes) {
            return Some((last + 1, Close::Member));
        }
        // A line that is longer than two members is cut.
        (full >= 2 * member).then_some((bytes.len(), Close::Member))
    }

    fn member_bytes(&self) -> u64 {
        self.capture
            .member_bytes
            .clamp(1 << 12, MEMBER_LIMIT / 2 - u64::from(BATCH_LIMIT))
    }

    fn batch(
        &mut self,
        stream: Stream,
        at: Moment,
        bytes: &[u8],
        recovered: bool,
    ) -> io::Result<()> {
        let open_end = bytes.last() != Some(&b'\n');
        let digest = Digest::of(bytes);
        self.record(Record::Batch(Batch {
            seq: self.chain.next_seq(),
            stream,
            offset: self.chain.indexed(stream),
            at,
            length: bytes.len() as u32,
            newlines: memchr::memchr_iter(b'\n', bytes).count() as u32,
            recovered,
            open_end,
            digest,
        }))?;
        let open = &mut self.streams[number(stream)];
        open.began.get_or_insert(at.boot);
        open.open_end = open_end;
        open.recovered |= recovered;
        open.sum.push(&digest);
        open.length += bytes.len() as u64;
        if self.capture.compression != Compression::None {
            open.bytes.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Closes the open member where a border is. If there is no space for that, and no more is waited for, its bytes stay where they
    /// are: they are indexed on, and [`Store::finish`] tries once more.
    fn try_close(&mut self, stream: Stream, close: Close) -> io::Result<()> {
        match self.close(stream, close) {
            Err(e) if is_full(&e) => {
                self.stuck = true;
                Ok(())
            }
            done => done,
        }
    }

    /// Closes the open member. If it fails nothing of it is lost, and it can be tried again.
    fn close(&mut self, stream: Stream, close: Close) -> io::Result<()> {
        let plain = self.capture.compression == Compression::None;
        if !plain && self.streams[number(stream)].length > MEMBER_LIMIT {
            return self.close_in_pieces(stream, close);
        }
        match self.close_whole(stream, close) {
            Err(e) if is_full(&e) && !plain => self.close_in_pieces(stream, close),
            done => done,
        }
    }

    fn close_whole(&mut self, stream: Stream, close: Close) -> io::Result<()> {
        let compression = self.capture.compression;
        let open = &mut self.streams[number(stream)];
        let (length, digest) = (open.length, open.sum.clone().take());
        let (recovered, open_end) = (open.recovered, open.open_end);
        let stored = if compression == Compression::None {
            length
        } else {
            let bytes = std::mem::take(&mut open.bytes);
            let stored = self.put(stream, &bytes);
            // What was not put is still here.
            self.streams[number(stream)].bytes = bytes;
            stored?
        };
        let (segment, file_offset) = self.chain.place(stream);
        let member = Member {
            seq: self.chain.next_seq(),
            stream,
            offset: self.chain.closed(stream),
            length,
            segment,
            file_offset,
            stored,
            compression,
            recovered,
            open_end,
            ends_segment: close != Close::Member,
            digest,
        };
        if close == Close::Segment && compression == Compression::None {
            self.split(stream, member)?;
        } else {
            self.record(Record::Member(member))?;
        }
        let open = &mut self.streams[number(stream)];
        open.sum = Sum::default();
        open.bytes.clear();
        open.length = 0;
        open.recovered = false;
        open.closed_in_segment += length;
        self.closed(stream, segment, close);
        Ok(())
    }

    /// What follows from a member that is in the index.
    fn closed(&mut self, stream: Stream, segment: u32, close: Close) {
        if close != Close::Member {
            let open = &mut self.streams[number(stream)];
            if let Some(out) = open.out.take() {
                self.syncing.retire(out);
            }
            open.closed_in_segment = 0;
            open.began = None;
            open.rotate = false;
            if close == Close::Segment {
                self.events.push(Event::Rotated {
                    stream: stream.word().to_owned(),
                    segment: segment + 1,
                });
            }
        }
        self.publish();
    }

    /// Writes bytes compressed to where the stream's next member begins. Returns how many they are there.
    fn put(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<u64> {
        let compression = self.capture.compression;
        let (segment, file_offset) = self.chain.place(stream);
        let bytes = compress(compression, bytes)?;
        let open = &mut self.streams[number(stream)];
        let out = match &open.out {
            Some(out) => Arc::clone(out),
            None => {
                let path = self.files.segment(stream, segment, compression);
                let out = Arc::new(self.space.persist("segment", || fresh(&path))?);
                open.out = Some(Arc::clone(&out));
                out
            }
        };
        let put = self
            .space
            .persist("segment", || out.write_all_at(&bytes, file_offset));
        if put.is_err() {
            // Half of a member takes space and serves nobody.
            let _ = out.set_len(file_offset);
        }
        put.map(|()| bytes.len() as u64)
    }

    /// Ends an uncompressed segment: what the reader has put behind its border already is copied to the next file, then the member's
    /// record makes that final, then the copied bytes are cut off. The reader waits meanwhile.
    fn split(&mut self, stream: Stream, member: Member) -> io::Result<()> {
        let path = self
            .files
            .segment(stream, member.segment + 1, Compression::None);
        let split = self.split_to(&path, stream, member);
        if split.is_err() && self.chain.closed(stream) == member.offset {
            // What was copied is still where it was.
            let _ = std::fs::remove_file(&path);
        }
        split
    }

    fn split_to(&mut self, path: &Path, stream: Stream, member: Member) -> io::Result<()> {
        let sinks = Arc::clone(&self.sinks);
        let mut sink = sinks.lock(stream);
        let border = member.offset + member.length;
        let next = Arc::new(self.space.persist("segment", || fresh(path))?);
        let mut buffer = vec![0; 1 << 18];
        let mut at = border;
        while at < sink.end {
            let want = (sink.end - at).min(buffer.len() as u64) as usize;
            sink.file
                .read_exact_at(&mut buffer[..want], at - sink.base)?;
            self.space.persist("segment", || {
                next.write_all_at(&buffer[..want], at - border)
            })?;
            at += want as u64;
        }
        self.space.persist("segment", || next.sync_data())?;
        self.space.persist("segment", || sink.file.sync_data())?;
        sync_directory(self.files.directory())?;
        self.record(Record::Member(member))?;
        sink.file.set_len(border - sink.base)?;
        let old = std::mem::replace(&mut sink.file, Arc::clone(&next));
        self.syncing.retire(old);
        sink.base = border;
        let open = &mut self.streams[number(stream)];
        open.raw = next;
        open.base = border;
        Ok(())
    }

    fn record(&mut self, record: Record) -> io::Result<()> {
        let bytes = record.encode();
        let (index, at) = (&self.index, self.index_at);
        while let Err(e) = self
            .space
            .persist("index", || index.write_all_at(&bytes, at))
        {
            // What is not in the index is not judged: it may have a little of what is kept back for the verdict.
            if !(is_full(&e) && self.crumbs > 0 && crumb(&self.files)) {
                return Err(e);
            }
            self.crumbs -= 1;
        }
        self.index_at = at + bytes.len() as u64;
        self.chain
            .push(&record)
            .expect("invariant: the store writes records in order");
        Ok(())
    }

    /// Tells the syncing thread what is open now.
    fn publish(&self) {
        let tails = (self.capture.compression != Compression::None).then(|| {
            [
                self.chain.closed(Stream::Stdout),
                self.chain.closed(Stream::Stderr),
            ]
        });
        self.syncing.publish(
            [
                Arc::clone(&self.streams[0].raw),
                Arc::clone(&self.streams[1].raw),
            ],
            [self.streams[0].out.clone(), self.streams[1].out.clone()],
            tails,
        );
    }

    /// Closes all that is open: nothing more will arrive. Can be called again. On a disk that stays full what cannot be closed stays
    /// in its tail, and that is the error.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        for stream in Stream::ALL {
            if self.streams[number(stream)].length > 0 {
                result = result.and(self.close(stream, Close::Stream));
            }
        }
        self.syncing.sync()?;
        for stream in Stream::ALL {
            let (segment, file_offset) = self.chain.place(stream);
            if self.capture.compression == Compression::None {
                let path = self.files.segment(stream, segment, Compression::None);
                if segment > 1 && file_offset == 0 && is_empty(&path) {
                    std::fs::remove_file(path)?;
                }
            } else if self.chain.closed(stream) == self.sinks.lock(stream).end {
                match std::fs::remove_file(self.files.tail(stream)) {
                    Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                    _ => {}
                }
            }
        }
        result.and(sync_directory(self.files.directory()))
    }
}

/// What an index says about a stream's open segment.
#[derive(Default)]
struct Segment {
    closed: u64,
    began: Option<u64>,
    open_end: bool,
    /// Of the open member's batches.
    sum: Sum,
}

impl Segment {
    fn push(&mut self, record: &Record) {
        match record {
            Record::Batch(batch) => {
                self.began.get_or_insert(batch.at.boot);
                self.open_end = batch.open_end;
                self.sum.push(&batch.digest);
            }
            Record::Member(member) => {
                self.sum.take();
                self.closed += member.length;
                if member.ends_segment {
                    self.closed = 0;
                    self.began = None;
                }
            }
        }
    }
}

fn create(path: &Path) -> Result<File, CaptureError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(CaptureError::write(path))
}

fn fresh(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
}

/// Cuts a file that is longer than it should be; a shorter one is left as it is.
fn shorten(path: &Path, length: u64) -> Result<(), CaptureError> {
    let file = create(path)?;
    let now = file.metadata().map_err(CaptureError::read(path))?.len();
    if now > length {
        file.set_len(length).map_err(CaptureError::write(path))?;
    }
    Ok(())
}

fn is_empty(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.len() == 0)
}

/// The machine's boot id; zeros where there is none.
fn boot_id() -> [u8; 16] {
    let text = boot_id_text();
    let digits: Vec<u8> = text
        .bytes()
        .filter_map(|b| (b as char).to_digit(16))
        .map(|d| d as u8)
        .collect();
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    id
}

/// The machine's boot id, as the kernel writes it.
pub(crate) fn boot_id_text() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// Locks, also after a panic of another thread: what is behind these locks is whole at any moment.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

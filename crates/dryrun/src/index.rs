//! The index beside the raw bytes: which bytes arrived when, and where closed bytes lie. Written by the capture, read by the audit
//! and by verifiers on other machines.
//!
//! A file is a header of [`HEADER_BYTES`] and records of [`RECORD_BYTES`], little endian, each closed by the CRC32C (Castagnoli,
//! RFC 3720) of what is before it in the header or record. Records are appended only.
//!
//! Header: 0 magic `gonogoIX`, 8 u32 version, 12 `[u8; 32]` SHA-256 of the run's id, 44 `[u8; 16]` boot id, 60 u32 CRC32C.
//!
//! | at | batch (kind 0 standard output, 1 standard error) | member (kind 2) |
//! |---|---|---|
//! | 0 | u64 sequence, from 0 over all records | the same |
//! | 8 | u64 offset in the stream since the run's beginning, uncompressed | the same |
//! | 16 | i64 wall clock, ns since 1970 | u64 offset in the segment's file |
//! | 24 | u64 boot clock, ns | u64 length, uncompressed |
//! | 32 | u32 length | u32 stored length; 0 if it is not compressed: it is stored as it is |
//! | 36 | u32 line feeds in it | u32 segment's number, from 1 |
//! | 40 | u8 kind | u8 kind |
//! | 41 | u8 flags: 1 recovered, 2 last byte is no line feed | u8 flags: the same, and 4 the segment ends with it |
//! | 42 | u16 0 | u8 stream (0, 1), u8 compression (0 none, 1 gzip, 2 zstd) |
//! | 44 | SHA-256 of the bytes | SHA-256 over the digests of its batches ([`Sum`]) |
//! | 76 | u32 CRC32C of the 76 bytes before | the same |
//!
//! A batch is what one read found; a member is what was closed: its place does not change any more. Uncompressed segments have
//! members too, so that an audit can go over them in parallel. A border of a member is always a border of two batches, and a member's
//! digest is taken over its batches' digests: each byte is hashed once, by the writer and by whoever checks both.
//!
//! Invariants: the batches of a stream follow each other without a hole, and so do its members; a member lies within batches that
//! are before it. [`Reader`] refuses what breaks this. A damaged end with nothing valid behind it was torn by a crash: it is cut.

use std::io::Read;

use gonogo_core::Digest;
use gonogo_core::digest::Hasher;

use crate::spec::Compression;
use crate::{Moment, Stream};

/// First bytes of an index.
pub const MAGIC: [u8; 8] = *b"gonogoIX";

/// Version of the layout.
pub const VERSION: u32 = 1;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 64;

/// Bytes of a record.
pub const RECORD_BYTES: usize = 80;

/// Most bytes of a batch.
pub const BATCH_LIMIT: u32 = 1 << 20;

/// Most bytes of a member before it is compressed.
pub const MEMBER_LIMIT: u64 = 16 << 20;

const KIND_MEMBER: u8 = 2;
const RECOVERED: u8 = 1;
const OPEN_END: u8 = 2;
const ENDS_SEGMENT: u8 = 4;

/// Whose index it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// SHA-256 of the run's id.
    pub run: Digest,
    /// The machine's boot id.
    pub boot_id: [u8; 16],
}

/// Bytes that arrived together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Number of the record.
    pub seq: u64,
    /// The stream.
    pub stream: Stream,
    /// Where they begin in the stream.
    pub offset: u64,
    /// When they arrived; of recovered bytes: when they were found.
    pub at: Moment,
    /// How many, 1 to [`BATCH_LIMIT`].
    pub length: u32,
    /// Line feeds among them.
    pub newlines: u32,
    /// Whether they were found after a pump's death: they arrived between the record before and `at`.
    pub recovered: bool,
    /// Whether the last of them is no line feed.
    pub open_end: bool,
    /// SHA-256 of them.
    pub digest: Digest,
}

/// Bytes whose place is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Number of the record.
    pub seq: u64,
    /// The stream.
    pub stream: Stream,
    /// Where they begin in the stream.
    pub offset: u64,
    /// How many before compression, 1 to [`MEMBER_LIMIT`].
    pub length: u64,
    /// Number of the segment, from 1.
    pub segment: u32,
    /// Where they begin in the segment's file.
    pub file_offset: u64,
    /// How many are stored there.
    pub stored: u64,
    /// How they are compressed.
    pub compression: Compression,
    /// Whether it was closed after a crash.
    pub recovered: bool,
    /// Whether the last byte is no line feed.
    pub open_end: bool,
    /// Whether the segment ends with it.
    pub ends_segment: bool,
    /// SHA-256 over the digests of its batches, in order ([`Sum`]).
    pub digest: Digest,
}

/// Adds up a member's digest: SHA-256 of its batches' digests (32 bytes each), in their order.
#[derive(Clone, Default)]
pub struct Sum(Hasher);

impl Sum {
    /// Adds the next batch's digest.
    pub fn push(&mut self, batch: &Digest) {
        self.0.update(batch.as_bytes());
    }

    /// Returns the member's digest, and begins the next one's.
    pub fn take(&mut self) -> Digest {
        std::mem::take(&mut self.0).finish()
    }
}

impl std::fmt::Debug for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sum")
    }
}

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// Bytes arrived.
    Batch(Batch),
    /// Bytes were closed.
    Member(Member),
}

/// Why an index cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The file cannot be read.
    #[error("the index cannot be read at byte {at}: {source}")]
    Read {
        /// Where.
        at: u64,
        /// Why.
        source: std::io::Error,
    },
    /// It is shorter than its header.
    #[error("the index ends within its header ({bytes} of {HEADER_BYTES} bytes)")]
    NoHeader {
        /// How many there are.
        bytes: usize,
    },
    /// Its header is not one.
    #[error("this is no index that can be read here: {reason}")]
    Header {
        /// Why.
        reason: String,
    },
    /// A record in its middle is damaged, or does not fit to those before it.
    #[error(
        "the index is damaged at byte {at} (record {record}): {reason}; what follows cannot be trusted"
    )]
    Damaged {
        /// Where.
        at: u64,
        /// Number of the record.
        record: u64,
        /// Why.
        reason: String,
    },
}

/// What was cut off at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Where: a writer goes on here.
    pub at: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Why.
    pub reason: String,
}

impl Header {
    /// Names a run and a boot.
    pub fn new(run_id: &str, boot_id: [u8; 16]) -> Self {
        Self {
            run: Digest::of(run_id.as_bytes()),
            boot_id,
        }
    }

    /// Writes it.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[12..44].copy_from_slice(self.run.as_bytes());
        out[44..60].copy_from_slice(&self.boot_id);
        let crc = crc32c::crc32c(&out[..60]);
        out[60..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`IndexError::NoHeader`], [`IndexError::Header`].
    pub fn decode(bytes: &[u8]) -> Result<Self, IndexError> {
        let Some(bytes) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(IndexError::NoHeader { bytes: bytes.len() });
        };
        let refuse = |reason: String| Err(IndexError::Header { reason });
        if bytes[..8] != MAGIC {
            return refuse("it does not begin with `gonogoIX`".to_owned());
        }
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return refuse(format!(
                "its version is {version}, and {VERSION} is known here"
            ));
        }
        if u32_at(bytes, 60) != crc32c::crc32c(&bytes[..60]) {
            return refuse("the checksum of its header is wrong".to_owned());
        }
        Ok(Self {
            run: digest_at(bytes, 12),
            boot_id: array_at(bytes, 44),
        })
    }
}

impl Record {
    /// Returns its number.
    pub const fn seq(&self) -> u64 {
        match self {
            Self::Batch(batch) => batch.seq,
            Self::Member(member) => member.seq,
        }
    }

    /// Returns its stream.
    pub const fn stream(&self) -> Stream {
        match self {
            Self::Batch(batch) => batch.stream,
            Self::Member(member) => member.stream,
        }
    }

    /// Writes it.
    pub fn encode(&self) -> [u8; RECORD_BYTES] {
        let mut out = [0; RECORD_BYTES];
        match self {
            Self::Batch(b) => {
                put(&mut out, 0, b.seq.to_le_bytes());
                put(&mut out, 8, b.offset.to_le_bytes());
                put(&mut out, 16, b.at.wall.to_le_bytes());
                put(&mut out, 24, b.at.boot.to_le_bytes());
                put(&mut out, 32, b.length.to_le_bytes());
                put(&mut out, 36, b.newlines.to_le_bytes());
                out[40] = number(b.stream);
                out[41] = flag(b.recovered, RECOVERED) | flag(b.open_end, OPEN_END);
                put(&mut out, 44, *b.digest.as_bytes());
            }
            Self::Member(m) => {
                let stored = match m.compression {
                    Compression::None => 0,
                    // A member is at most 16 MiB, and no codec adds more than a few bytes a block to that.
                    _ => u32::try_from(m.stored).unwrap_or(u32::MAX),
                };
                put(&mut out, 0, m.seq.to_le_bytes());
                put(&mut out, 8, m.offset.to_le_bytes());
                put(&mut out, 16, m.file_offset.to_le_bytes());
                put(&mut out, 24, m.length.to_le_bytes());
                put(&mut out, 32, stored.to_le_bytes());
                put(&mut out, 36, m.segment.to_le_bytes());
                out[40] = KIND_MEMBER;
                out[41] = flag(m.recovered, RECOVERED)
                    | flag(m.open_end, OPEN_END)
                    | flag(m.ends_segment, ENDS_SEGMENT);
                out[42] = number(m.stream);
                out[43] = match m.compression {
                    Compression::None => 0,
                    Compression::Gzip => 1,
                    Compression::Zstd => 2,
                };
                put(&mut out, 44, *m.digest.as_bytes());
            }
        }
        let crc = crc32c::crc32c(&out[..76]);
        put(&mut out, 76, crc.to_le_bytes());
        out
    }

    /// Reads it.
    ///
    /// # Errors
    /// Why it is none: its checksum, or a value that cannot be.
    pub fn decode(bytes: &[u8; RECORD_BYTES]) -> Result<Self, String> {
        if u32_at(bytes, 76) != crc32c::crc32c(&bytes[..76]) {
            return Err("its checksum is wrong".to_owned());
        }
        let flags = bytes[41];
        if bytes[40] == KIND_MEMBER {
            Self::decode_member(bytes, flags)
        } else {
            Self::decode_batch(bytes, flags)
        }
    }

    fn decode_batch(bytes: &[u8; RECORD_BYTES], flags: u8) -> Result<Self, String> {
        let length = u32_at(bytes, 32);
        let newlines = u32_at(bytes, 36);
        if flags & !(RECOVERED | OPEN_END) != 0 || bytes[42..44] != [0, 0] {
            return Err(format!("its flags are not known ({flags})"));
        }
        if length == 0 || length > BATCH_LIMIT {
            return Err(format!(
                "it names {length} bytes; a batch has 1 to {BATCH_LIMIT}"
            ));
        }
        if newlines > length {
            return Err(format!("{newlines} line feeds in {length} bytes"));
        }
        let offset = u64_at(bytes, 8);
        if offset.checked_add(length.into()).is_none() {
            return Err("its end is beyond any stream".to_owned());
        }
        Ok(Self::Batch(Batch {
            seq: u64_at(bytes, 0),
            stream: stream_of(bytes[40])?,
            offset,
            at: Moment {
                wall: i64::from_le_bytes(array_at(bytes, 16)),
                boot: u64_at(bytes, 24),
            },
            length,
            newlines,
            recovered: flags & RECOVERED != 0,
            open_end: flags & OPEN_END != 0,
            digest: digest_at(bytes, 44),
        }))
    }

    fn decode_member(bytes: &[u8; RECORD_BYTES], flags: u8) -> Result<Self, String> {
        if flags & !(RECOVERED | OPEN_END | ENDS_SEGMENT) != 0 {
            return Err(format!("its flags are not known ({flags})"));
        }
        let (offset, length) = (u64_at(bytes, 8), u64_at(bytes, 24));
        if length == 0 || length > MEMBER_LIMIT || offset.checked_add(length).is_none() {
            return Err(format!(
                "it names {length} bytes; a member has 1 to {MEMBER_LIMIT}"
            ));
        }
        let compression = match bytes[43] {
            0 => Compression::None,
            1 => Compression::Gzip,
            2 => Compression::Zstd,
            other => return Err(format!("compression {other} is not known")),
        };
        let stored = match (compression, u32_at(bytes, 32)) {
            (Compression::None, 0) => length,
            (Compression::None, _) | (_, 0) => return Err("its stored length is wrong".to_owned()),
            (_, stored) => stored.into(),
        };
        let file_offset = u64_at(bytes, 16);
        let segment = u32_at(bytes, 36);
        if segment == 0 || file_offset.checked_add(stored).is_none() {
            return Err("its place is none".to_owned());
        }
        Ok(Self::Member(Member {
            seq: u64_at(bytes, 0),
            stream: stream_of(bytes[42])?,
            offset,
            length,
            segment,
            file_offset,
            stored,
            compression,
            recovered: flags & RECOVERED != 0,
            open_end: flags & OPEN_END != 0,
            ends_segment: flags & ENDS_SEGMENT != 0,
            digest: digest_at(bytes, 44),
        }))
    }
}

/// What follows from the records so far: what the next one must begin with.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    records: u64,
    batches: [u64; 2],
    members: [Option<Member>; 2],
}

impl Chain {
    /// Returns the next record's number.
    pub const fn next_seq(&self) -> u64 {
        self.records
    }

    /// Returns how many bytes of the stream are indexed.
    pub const fn indexed(&self, stream: Stream) -> u64 {
        self.batches[number(stream) as usize]
    }

    /// Returns the stream's last member.
    pub const fn last_member(&self, stream: Stream) -> Option<Member> {
        self.members[number(stream) as usize]
    }

    /// Returns how many bytes of the stream are in members.
    pub fn closed(&self, stream: Stream) -> u64 {
        self.last_member(stream).map_or(0, |m| m.offset + m.length)
    }

    /// Returns where the stream's next member begins: segment, offset in its file.
    pub fn place(&self, stream: Stream) -> (u32, u64) {
        match self.last_member(stream) {
            None => (1, 0),
            Some(m) if m.ends_segment => (m.segment.saturating_add(1), 0),
            Some(m) => (m.segment, m.file_offset + m.stored),
        }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// Why it does not follow; then nothing is changed.
    pub fn push(&mut self, record: &Record) -> Result<(), String> {
        if record.seq() != self.records {
            return Err(format!(
                "its number is {}, and {} comes next",
                record.seq(),
                self.records
            ));
        }
        let stream = record.stream();
        match record {
            Record::Batch(b) => {
                let at = self.indexed(stream);
                if b.offset != at {
                    return Err(format!(
                        "it begins at byte {} of {stream}, and the one before ended at {at}",
                        b.offset
                    ));
                }
                self.batches[number(stream) as usize] = at + u64::from(b.length);
            }
            Record::Member(m) => {
                let (closed, place) = (self.closed(stream), self.place(stream));
                if m.offset != closed || (m.segment, m.file_offset) != place {
                    return Err(format!(
                        "the member begins at byte {} of {stream} (segment {}, byte {}), and byte {closed} (segment {}, byte {}) comes next",
                        m.offset, m.segment, m.file_offset, place.0, place.1
                    ));
                }
                if m.offset + m.length > self.indexed(stream) {
                    return Err(format!(
                        "the member ends at byte {} of {stream}, and only {} are indexed",
                        m.offset + m.length,
                        self.indexed(stream)
                    ));
                }
                self.members[number(stream) as usize] = Some(*m);
            }
        }
        self.records += 1;
        Ok(())
    }
}

/// Reads an index from its beginning, a record at a time.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    header: Header,
    chain: Chain,
    at: u64,
    cut: Option<Cut>,
    done: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the header. Give it a buffered source.
    ///
    /// # Errors
    /// [`IndexError`] except [`IndexError::Damaged`].
    pub fn new(mut source: R) -> Result<Self, IndexError> {
        let mut bytes = [0; HEADER_BYTES];
        let count = fill(&mut source, &mut bytes, 0)?;
        let header = Header::decode(&bytes[..count])?;
        Ok(Self {
            source,
            header,
            chain: Chain::default(),
            at: HEADER_BYTES as u64,
            cut: None,
            done: false,
        })
    }

    /// Returns the header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Returns what follows from the records read so far.
    pub const fn state(&self) -> &Chain {
        &self.chain
    }

    /// Returns where the next record begins.
    pub const fn position(&self) -> u64 {
        self.at
    }

    /// Returns what was cut off, once the end was reached.
    pub const fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// Reads the next record; none at the end.
    ///
    /// # Errors
    /// [`IndexError::Damaged`], [`IndexError::Read`]. After an error there is nothing more.
    pub fn read(&mut self) -> Result<Option<Record>, IndexError> {
        if self.done {
            return Ok(None);
        }
        let next = self.step();
        self.done = !matches!(next, Ok(Some(_)));
        next
    }

    fn step(&mut self) -> Result<Option<Record>, IndexError> {
        let mut bytes = [0; RECORD_BYTES];
        let count = fill(&mut self.source, &mut bytes, self.at)?;
        if count == 0 {
            return Ok(None);
        }
        let damaged = |at, record, reason| IndexError::Damaged { at, record, reason };
        if count < RECORD_BYTES {
            self.cut = Some(Cut {
                at: self.at,
                bytes: count as u64,
                reason: "the last record is not whole".to_owned(),
            });
            return Ok(None);
        }
        let record = match Record::decode(&bytes) {
            Ok(record) => record,
            Err(reason) => {
                let (rest, valid) = self.rest()?;
                if valid {
                    return Err(damaged(self.at, self.chain.records, reason));
                }
                self.cut = Some(Cut {
                    at: self.at,
                    bytes: RECORD_BYTES as u64 + rest,
                    reason,
                });
                return Ok(None);
            }
        };
        if let Err(reason) = self.chain.push(&record) {
            return Err(damaged(self.at, self.chain.records, reason));
        }
        self.at += RECORD_BYTES as u64;
        Ok(Some(record))
    }

    /// Reads to the end: how many bytes there are, and whether a valid record is among them.
    fn rest(&mut self) -> Result<(u64, bool), IndexError> {
        let mut rest = 0;
        loop {
            let mut bytes = [0; RECORD_BYTES];
            let count = fill(&mut self.source, &mut bytes, self.at + rest)?;
            rest += count as u64;
            if count < RECORD_BYTES {
                return Ok((rest, false));
            }
            if Record::decode(&bytes).is_ok() {
                return Ok((rest, true));
            }
        }
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Record, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn fill(source: &mut impl Read, bytes: &mut [u8], at: u64) -> Result<usize, IndexError> {
    let mut count = 0;
    while count < bytes.len() {
        match source.read(&mut bytes[count..]) {
            Ok(0) => break,
            Ok(n) => count += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(IndexError::Read { at, source }),
        }
    }
    Ok(count)
}

const fn number(stream: Stream) -> u8 {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}

fn stream_of(number: u8) -> Result<Stream, String> {
    match number {
        0 => Ok(Stream::Stdout),
        1 => Ok(Stream::Stderr),
        other => Err(format!("kind {other} is not known")),
    }
}

const fn flag(on: bool, bit: u8) -> u8 {
    if on { bit } else { 0 }
}

fn put<const N: usize>(out: &mut [u8; RECORD_BYTES], at: usize, bytes: [u8; N]) {
    out[at..at + N].copy_from_slice(&bytes);
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

fn digest_at(bytes: &[u8], at: usize) -> Digest {
    Digest::from_bytes(array_at(bytes, at))
}

#[cfg(test)]
mod tests;

//! The audit of a captured run: its raw bytes by their index. Every batch's digest is verified; what is missing, torn or different
//! makes the evidence invalid, with its place.
//!
//! First pass: the index alone, in order (`Plan`). Second pass: the bytes, in parallel, put together as [`super::logs`] does it.

use std::io;

use gonogo_core::Digest;

use super::parallel::in_order;
use super::reader::{Kind, Reader, Rules, Times};
use super::source::{From, ReadAt, fill_at};
use super::tally::Tally;
use super::{Format, join};
use crate::classify::{Classifier, LOOKS_BACK};
use crate::engine::Engine;
use crate::evidence::finding;
use crate::index::{self, Batch, HEADER_BYTES, Member, RECORD_BYTES, Record};
use crate::sign_off::Finding;
use crate::spec::{Compression, RunSpec};
use crate::{Moment, Status, Stream};

/// The files of a capture directory by their names there, and evidence files as `evidence/<name>`.
pub trait RunFiles: Sync {
    /// Opens a file; none if there is none.
    ///
    /// # Errors
    /// What the system says.
    fn open(&self, name: &str) -> io::Result<Option<Box<dyn ReadAt>>>;
}

/// Bytes of a unit of work.
const UNIT: u64 = 8 << 20;

/// Longest head of a unit.
const HEAD: usize = 256 << 10;

/// Most problems that are told one by one.
const PROBLEMS: usize = 100;

/// A stretch of a stream, and where its records are in the index.
#[derive(Debug, Clone, Copy)]
struct Unit {
    stream: Stream,
    length: u64,
    record: u64,
    records: u64,
}

/// What the index says.
pub(crate) struct Plan {
    units: Vec<Unit>,
    open: [Option<usize>; 2],
    members: [Vec<Member>; 2],
    indexed: [u64; 2],
    records: u64,
    /// The last batch of each stream.
    pub(crate) last: [Option<Batch>; 2],
    /// The wall clock against the boot clock: from when on, and by how much.
    offsets: Vec<(u64, i64)>,
}

impl Plan {
    pub(crate) fn new() -> Self {
        Self {
            units: Vec::new(),
            open: [None; 2],
            members: [Vec::new(), Vec::new()],
            indexed: [0; 2],
            records: 0,
            last: [None; 2],
            offsets: Vec::new(),
        }
    }

    /// Takes the next record.
    pub(crate) fn take(&mut self, record: &Record) {
        let number = record.stream() as usize;
        match record {
            Record::Member(member) => self.members[number].push(*member),
            Record::Batch(batch) => {
                self.indexed[number] = batch.offset + u64::from(batch.length);
                self.last[number] = Some(*batch);
                self.note(batch.at);
                let fits = self.open[number].filter(|u| self.units[*u].length < UNIT);
                let place = match fits {
                    Some(place) => place,
                    None => {
                        self.units.push(Unit {
                            stream: batch.stream,
                            length: 0,
                            record: self.records,
                            records: 0,
                        });
                        self.open[number] = Some(self.units.len() - 1);
                        self.units.len() - 1
                    }
                };
                let unit = &mut self.units[place];
                unit.length += u64::from(batch.length);
                unit.records = self.records + 1 - unit.record;
            }
        }
        self.records += 1;
    }

    /// Notes what both clocks said.
    pub(crate) fn note(&mut self, at: Moment) {
        let offset = at.wall.saturating_sub_unsigned(at.boot);
        let moved = self
            .offsets
            .last()
            .is_none_or(|(_, known)| offset.abs_diff(*known) > 1_000_000);
        if moved && self.offsets.len() < 100_000 {
            self.offsets.push((at.boot, offset));
        }
    }

    /// Returns what the wall clock said at a time of the boot clock.
    pub(crate) fn wall(&self, boot: i64) -> i64 {
        let boot = u64::try_from(boot).unwrap_or(0);
        let place = self.offsets.partition_point(|(from, _)| *from <= boot);
        let offset = self
            .offsets
            .get(place.saturating_sub(1))
            .map_or(0, |(_, o)| *o);
        offset.saturating_add_unsigned(boot)
    }
}

/// What the bytes showed.
pub(crate) struct Read {
    pub(crate) total: Tally,
    pub(crate) engines: [Engine; 2],
    /// Lines of each stream.
    pub(crate) lines: [u64; 2],
    pub(crate) problems: Vec<Finding>,
}

fn broken(code: &str, path: &str, text: String) -> Finding {
    finding(Status::Invalid, code, path, text)
}

/// Reads the bytes that `plan` names.
///
/// # Errors
/// A pattern of the allow-list that is no regular expression.
pub(crate) fn read(
    spec: &RunSpec,
    files: &dyn RunFiles,
    plan: &Plan,
    threads: usize,
) -> Result<Read, String> {
    let rules = Rules {
        lines: spec.lines.clone(),
        heartbeat: spec.heartbeat.clone(),
        year: None,
        join: join(&spec.gaps, spec.heartbeat.as_ref()),
    };
    Classifier::new(Stream::Stdout, &rules.lines)?;
    let mut fold = Fold {
        total: rules.tally(),
        engines: [Engine::default(), Engine::default()],
        carried: [None, None],
        lines: [0; 2],
        problems: Vec::new(),
        rules: &rules,
    };
    in_order(
        plan.units.len(),
        threads,
        |i, scratch: &mut Scratch| read_unit(spec, &rules, files, plan, plan.units[i], scratch),
        |i, done| fold.take(spec, files, plan, plan.units[i], done),
    );
    fold.finish(plan);
    beyond(spec, files, plan, &mut fold.problems);
    fold.problems.truncate(PROBLEMS);
    Ok(Read {
        total: fold.total,
        engines: fold.engines,
        lines: fold.lines,
        problems: fold.problems,
    })
}

/// Memory of a thread.
#[derive(Default)]
struct Scratch {
    bytes: Vec<u8>,
    member: Option<(Stream, u64, Vec<u8>)>,
    stored: Vec<u8>,
}

/// A unit that was read as if nothing had been before.
struct Done<'r> {
    head: Vec<(Moment, Vec<u8>)>,
    head_tally: Tally,
    looks_back: bool,
    rest: Tally,
    end: Option<Reader<'r>>,
    again: bool,
    problem: Option<Finding>,
}

fn reader<'r>(rules: &'r Rules, stream: Stream) -> Reader<'r> {
    Reader::new(rules, Kind::Lines(Format::Auto), Times::Arrival, stream)
        .expect("invariant: the patterns were compiled before")
}

fn read_unit<'r>(
    spec: &RunSpec,
    rules: &'r Rules,
    files: &dyn RunFiles,
    plan: &Plan,
    unit: Unit,
    scratch: &mut Scratch,
) -> Done<'r> {
    let mut reader = reader(rules, unit.stream);
    let mut head: Vec<(Moment, Vec<u8>)> = Vec::new();
    let (mut head_bytes, mut head_tally, mut looks_back, mut again) = (0, None, false, false);
    let (mut lines, mut open) = (0, Vec::new());
    let result = batches(spec, files, plan, unit, scratch, &mut |at, bytes| {
        let mut rest = bytes;
        while head_tally.is_none() && !again && !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
            let (line, more) = rest.split_at(end);
            if lines < LOOKS_BACK {
                open.extend_from_slice(line);
                looks_back |= Classifier::looks_back(&open);
            }
            if line.ends_with(b"\n") {
                lines += 1;
                open.clear();
            }
            head.push((at, line.to_vec()));
            head_bytes += line.len();
            reader.feed(at, line);
            rest = more;
            if lines >= LOOKS_BACK && line.ends_with(b"\n") && reader.is_clear() {
                head_tally = Some(reader.take());
            } else if head_bytes > HEAD {
                again = true;
            }
        }
        if !again && !reader.is_spilled() {
            reader.feed(at, rest);
        }
    });
    again |= head_tally.is_none() || reader.is_spilled();
    Done {
        head,
        head_tally: head_tally.unwrap_or_else(|| rules.tally()),
        looks_back,
        rest: reader.take(),
        end: Some(reader),
        again,
        problem: result.err(),
    }
}

/// Hands on the unit's batches, each verified.
fn batches(
    spec: &RunSpec,
    files: &dyn RunFiles,
    plan: &Plan,
    unit: Unit,
    scratch: &mut Scratch,
    take: &mut dyn FnMut(Moment, &[u8]),
) -> Result<(), Finding> {
    let missing = |e: &dyn std::fmt::Display| {
        broken(
            "index_unreadable",
            "index",
            format!("the index cannot be read again: {e}"),
        )
    };
    let source = match files.open("index") {
        Ok(Some(source)) => source,
        Ok(None) => return Err(missing(&"it is gone")),
        Err(e) => return Err(missing(&e)),
    };
    let from = HEADER_BYTES as u64 + unit.record * RECORD_BYTES as u64;
    let mut bytes = vec![0; 512 * RECORD_BYTES];
    let mut done = 0;
    while done < unit.records {
        let count = (unit.records - done).min(512) as usize;
        let part = &mut bytes[..count * RECORD_BYTES];
        let there =
            fill_at(&source, from + done * RECORD_BYTES as u64, part).map_err(|e| missing(&e))?;
        if there < part.len() {
            return Err(missing(&"it became shorter"));
        }
        for record in part.chunks_exact(RECORD_BYTES) {
            let record: &[u8; RECORD_BYTES] = record.try_into().map_err(|e| missing(&e))?;
            let Record::Batch(batch) = Record::decode(record).map_err(|e| missing(&e))? else {
                continue;
            };
            if batch.stream != unit.stream {
                continue;
            }
            load(spec, files, plan, &batch, scratch)?;
            if Digest::of(&scratch.bytes) != batch.digest {
                let text = format!(
                    "bytes {} to {} of {} are not those that were captured: their SHA-256 differs from the index (record {})",
                    batch.offset,
                    batch.offset + u64::from(batch.length),
                    batch.stream,
                    batch.seq
                );
                return Err(broken("bytes_differ", batch.stream.word(), text));
            }
            if memchr::memchr_iter(b'\n', &scratch.bytes).count() as u64
                != u64::from(batch.newlines)
            {
                let text = format!(
                    "record {} of the index counts {} line feeds, and there are others",
                    batch.seq, batch.newlines
                );
                return Err(broken("index_differs", "index", text));
            }
            take(batch.at, &scratch.bytes);
        }
        done += count as u64;
    }
    Ok(())
}

/// Brings the batch's bytes into `scratch.bytes`.
fn load(
    spec: &RunSpec,
    files: &dyn RunFiles,
    plan: &Plan,
    batch: &Batch,
    scratch: &mut Scratch,
) -> Result<(), Finding> {
    let stream = batch.stream;
    let mut at = batch.offset;
    let end = batch.offset + u64::from(batch.length);
    scratch.bytes.clear();
    while at < end {
        let members = &plan.members[stream as usize];
        let next = members.partition_point(|m| m.offset + m.length <= at);
        match members.get(next) {
            Some(member) if member.offset <= at => {
                let known = scratch
                    .member
                    .as_ref()
                    .is_some_and(|(s, o, _)| (*s, *o) == (stream, member.offset));
                if !known {
                    let bytes = open_member(files, member, &mut scratch.stored)?;
                    scratch.member = Some((stream, member.offset, bytes));
                }
                let Some((_, _, bytes)) = &scratch.member else {
                    continue;
                };
                let from = (at - member.offset) as usize;
                let count = (bytes.len() - from).min((end - at) as usize);
                scratch.bytes.extend_from_slice(&bytes[from..from + count]);
                at += count as u64;
            }
            _ => {
                let (name, base) = open_end(spec, members, stream);
                let source = opened(files, &name, stream, at)?;
                let from = scratch.bytes.len();
                scratch.bytes.resize(from + (end - at) as usize, 0);
                let count = fill_at(&source, at - base, &mut scratch.bytes[from..])
                    .map_err(|e| lost(&name, stream, at, &e))?;
                if from + count < scratch.bytes.len() {
                    return Err(lost(
                        &name,
                        stream,
                        at + count as u64,
                        &"the file ends there, and the index names more",
                    ));
                }
                at = end;
            }
        }
    }
    Ok(())
}

fn lost(name: &str, stream: Stream, at: u64, why: &dyn std::fmt::Display) -> Finding {
    let mut found = broken(
        "bytes_missing",
        name,
        format!("byte {at} of {stream} is missing (file {name}): {why}"),
    );
    found.metadata.insert("byte".to_owned(), at.into());
    found
}

fn opened(
    files: &dyn RunFiles,
    name: &str,
    stream: Stream,
    at: u64,
) -> Result<Box<dyn ReadAt>, Finding> {
    match files.open(name) {
        Ok(Some(source)) => Ok(source),
        Ok(None) => Err(lost(name, stream, at, &"there is no such file")),
        Err(e) => Err(lost(name, stream, at, &e)),
    }
}

fn segment(stream: Stream, segment: u32, compression: Compression) -> String {
    let end = match compression {
        Compression::None => "",
        Compression::Gzip => ".gz",
        Compression::Zstd => ".zst",
    };
    format!("{stream}.{segment:06}{end}")
}

/// The file of what is in no member, and the offset in the stream of its first byte.
fn open_end(spec: &RunSpec, members: &[Member], stream: Stream) -> (String, u64) {
    if spec.capture.compression != Compression::None {
        return (format!("{stream}.tail"), 0);
    }
    let (number, base) = match members.last() {
        None => (1, 0),
        Some(m) if m.ends_segment => (m.segment.saturating_add(1), m.offset + m.length),
        Some(m) => (m.segment, m.offset.saturating_sub(m.file_offset)),
    };
    (segment(stream, number, Compression::None), base)
}

fn open_member(
    files: &dyn RunFiles,
    member: &Member,
    stored: &mut Vec<u8>,
) -> Result<Vec<u8>, Finding> {
    let name = segment(member.stream, member.segment, member.compression);
    let bad = |why: &dyn std::fmt::Display| lost(&name, member.stream, member.offset, why);
    let source = opened(files, &name, member.stream, member.offset)?;
    let length = usize::try_from(member.length).map_err(|e| bad(&e))?;
    let size = usize::try_from(member.stored).map_err(|e| bad(&e))?;
    // A stored length that lies is found by what the file has.
    if source.size().map_err(|e| bad(&e))? < member.file_offset + member.stored {
        return Err(bad(&"the file ends before the member does"));
    }
    stored.resize(size, 0);
    if fill_at(&source, member.file_offset, stored).map_err(|e| bad(&e))? < size {
        return Err(bad(&"the file became shorter"));
    }
    let mut raw = vec![0; length];
    let count = match member.compression {
        Compression::None => return Ok(stored.clone()),
        Compression::Gzip => libdeflater::Decompressor::new()
            .gzip_decompress(stored, &mut raw)
            .map_err(|e| bad(&e))?,
        Compression::Zstd => {
            zstd::bulk::decompress_to_buffer(stored, &mut raw).map_err(|e| bad(&e))?
        }
    };
    if count != length {
        return Err(bad(&format!(
            "the member has {count} bytes, and the index says {length}"
        )));
    }
    Ok(raw)
}

/// Bytes behind those that the index names were never judged.
fn beyond(spec: &RunSpec, files: &dyn RunFiles, plan: &Plan, problems: &mut Vec<Finding>) {
    for stream in Stream::ALL {
        let number = stream as usize;
        let (name, base) = open_end(spec, &plan.members[number], stream);
        let size = match files.open(&name) {
            Ok(Some(source)) => source.size().unwrap_or(0),
            _ => 0,
        };
        let known = plan.indexed[number].saturating_sub(base);
        if size > known {
            let text = format!(
                "{} bytes of {stream} (file {name}) are not in the index and were not judged; `finalize` takes them up",
                size - known
            );
            problems.push(finding(Status::Fail, "bytes_not_indexed", &name, text));
        }
    }
}

/// Puts units together, each stream by itself.
struct Fold<'r> {
    rules: &'r Rules,
    total: Tally,
    engines: [Engine; 2],
    carried: [Option<(Reader<'r>, u64)>; 2],
    lines: [u64; 2],
    problems: Vec<Finding>,
}

impl<'r> Fold<'r> {
    fn take(
        &mut self,
        spec: &RunSpec,
        files: &dyn RunFiles,
        plan: &Plan,
        unit: Unit,
        done: Done<'r>,
    ) {
        let number = unit.stream as usize;
        let base = self.lines[number];
        if done.again {
            self.in_turn(spec, files, plan, unit, 0);
            return;
        }
        self.problems.extend(done.problem);
        let goes_on = self.carried[number]
            .as_ref()
            .is_some_and(|(r, _)| !r.is_clear() || done.looks_back);
        if goes_on {
            let Some((mut reader, began)) = self.carried[number].take() else {
                return;
            };
            for (at, bytes) in &done.head {
                reader.feed(*at, bytes);
            }
            let clear = reader.is_clear();
            let tally = reader.take();
            self.absorb(number, tally, began);
            self.carried[number] = Some((reader, began));
            if !clear {
                let skip = done.head.iter().map(|(_, b)| b.len()).sum();
                self.in_turn(spec, files, plan, unit, skip);
                return;
            }
        } else {
            self.absorb(number, done.head_tally, base);
        }
        self.absorb(number, done.rest, base);
        self.carried[number] = done.end.map(|end| (end, base));
    }

    fn in_turn(
        &mut self,
        spec: &RunSpec,
        files: &dyn RunFiles,
        plan: &Plan,
        unit: Unit,
        mut skip: usize,
    ) {
        let number = unit.stream as usize;
        let (mut reader, began) = match self.carried[number].take() {
            Some(carried) => carried,
            None => (reader(self.rules, unit.stream), self.lines[number]),
        };
        reader.unbounded();
        let result = batches(
            spec,
            files,
            plan,
            unit,
            &mut Scratch::default(),
            &mut |at, bytes| {
                let passed = skip.min(bytes.len());
                skip -= passed;
                reader.feed(at, &bytes[passed..]);
                if !reader.tally_mut().sightings.is_empty() {
                    let tally = reader.take();
                    self.absorb(number, tally, began);
                    reader.unbounded();
                }
            },
        );
        self.problems.extend(result.err());
        let tally = reader.take();
        self.absorb(number, tally, began);
        self.carried[number] = Some((reader, began));
    }

    fn absorb(&mut self, number: usize, mut tally: Tally, began: u64) {
        tally.sightings.each(|cause| {
            if let Some(line) = cause
                .metadata
                .get("line")
                .and_then(serde_json::Value::as_u64)
            {
                cause
                    .metadata
                    .insert("line".to_owned(), (line + began).into());
            }
        });
        self.total.shapes[number].append(&tally.shapes[number], began);
        self.lines[number] += tally.counts.lines;
        self.total.append(&tally);
        self.engines[number].absorb(tally.sightings);
    }

    fn finish(&mut self, plan: &Plan) {
        for number in 0..2 {
            if let Some((mut reader, began)) = self.carried[number].take() {
                reader.finish(plan.last[number].map_or_else(Moment::default, |b| b.at));
                let tally = reader.take();
                self.absorb(number, tally, began);
            }
        }
    }
}

/// Opens the index.
pub(crate) fn open_index(
    source: &dyn ReadAt,
) -> Result<index::Reader<From<'_, dyn ReadAt + '_>>, Finding> {
    let bad = |e: &dyn std::fmt::Display| {
        broken(
            "index_unreadable",
            "index",
            format!("the index cannot be read: {e}"),
        )
    };
    let size = source.size().map_err(|e| bad(&e))?;
    index::Reader::new(From::new(source, 0, size)).map_err(|e| bad(&e))
}

//! The audit of somebody's logs: any number of files, in the order of time or not, packed or not, read in parallel.
//!
//! Each part is read as if nothing had been before it. Where a part ends with nothing open that is what one reader would have found;
//! where a line or a trace is open, the reader of the part before goes on over the first lines of the next one until nothing is
//! open any more, and only what is behind that is taken from the one that read in parallel. So cuts change nothing.

use std::collections::BTreeMap;
use std::io::Read;

use super::kept::Kept;
use super::parallel::in_order;
use super::reader::{Kind, Reader, Rules, Times};
use super::records::Records;
use super::report;
use super::source::{From, ReadAt};
use super::tally::{INHERITED, Tally};
use super::unpack::{self, Packing, Part, Scratch, Unpacked};
use super::{Cache, Format, LogFile, LogRules, wrapper};
use crate::classify::{Classifier, LINE_LIMIT, LOOKS_BACK};
use crate::engine::Engine;
use crate::evidence::finding;
use crate::sign_off::Finding;
use crate::summary::Logs;
use crate::{Moment, Status, Stream};

/// Longest head of a part: nothing may be open for longer.
const HEAD: usize = 256 << 10;

/// What the lines of a file are read as, and its parts.
struct Planned<'a> {
    file: &'a LogFile<'a>,
    kind: Kind,
}

/// A part that was read as if nothing had been before.
pub(super) struct Done<'r> {
    pub(super) unpacked: Unpacked,
    pub(super) head: Vec<u8>,
    pub(super) head_tally: Tally,
    /// Whether one of its first lines looks back at those before it.
    pub(super) looks_back: bool,
    pub(super) rest: Tally,
    pub(super) end: Reader<'r>,
    /// What is behind the last line feed.
    pub(super) tail: Vec<u8>,
    /// Whether it must be read again in its turn: something was open all along, or there were too many causes.
    pub(super) again: bool,
}

/// Audits logs on `threads` threads; parts that `cache` knows are not read again.
///
/// # Errors
/// A pattern of the allow-list that is no regular expression.
pub fn logs(
    files: &[LogFile<'_>],
    rules: &LogRules,
    threads: usize,
    cache: Option<&dyn Cache>,
) -> Result<Logs, String> {
    let kept = cache.map(|cache| Kept::new(cache, rules));
    let reading = rules.reading();
    // What is wrong with a pattern is said once, before anything is read.
    Classifier::new(Stream::Stdout, &reading.lines)?;
    let mut problems = Vec::new();
    let mut plan: Vec<Planned<'_>> = Vec::new();
    let mut parts: Vec<(usize, Part)> = Vec::new();
    for file in files {
        match plan_file(file, rules.format) {
            Ok((planned, own)) => {
                parts.extend(own.into_iter().map(|p| (plan.len(), p)));
                plan.push(planned);
            }
            Err(e) => {
                let text = format!("the log {} cannot be read: {e}", file.name);
                problems.push(finding(Status::Fail, "log_unreadable", &file.name, text));
            }
        }
    }
    let mut fold = Fold {
        rules: &reading,
        plan: &plan,
        total: reading.tally(),
        engine: Engine::default(),
        carried: None,
        file: None,
        place: 0,
        stopped: false,
        scratch: Scratch::default(),
        records: (0..plan.len()).map(|_| Records::default()).collect(),
        began: 0,
        problems,
    };
    in_order(
        parts.len(),
        threads,
        |i, scratch: &mut Scratch| {
            let (planned, part) = (&plan[parts[i].0], parts[i].1);
            match &kept {
                Some(kept) => kept.part(&reading, planned.file.source, planned.kind, part, || {
                    read_part(&reading, planned, part, scratch)
                }),
                None => read_part(&reading, planned, part, scratch),
            }
        },
        |i, done| fold.take(parts[i].0, parts[i].1, done),
    );
    fold.end_file();
    fold.finish();
    let Fold {
        mut total,
        engine,
        mut problems,
        records,
        ..
    } = fold;
    for (planned, records) in plan.iter().zip(&records) {
        if planned.kind == Kind::Lines(Format::Text) {
            continue;
        }
        let said = planned.kind == Kind::Lines(Format::Jsonl);
        let (broken, ignored) = records.problems(&planned.file.name, said, false);
        problems.extend(broken);
        // Whoever says that all are records had the others counted already.
        total.ignored += if said { 0 } else { ignored };
    }
    if total.coverage.folded() > 0 {
        let text = format!(
            "the times of {} lines leave more silences than can be kept: they cannot be believed",
            total.coverage.folded()
        );
        problems.push(finding(Status::Invalid, "times_not_believable", "", text));
    }
    let clock = report::Clock {
        window: total.coverage.span(),
        wall: &|t| t,
        edges: false,
    };
    Ok(report::logs(
        &total,
        &[&engine],
        (&rules.gaps, rules.heartbeat.as_ref()),
        &clock,
        Vec::new(),
        problems,
    ))
}

fn plan_file<'a>(
    file: &'a LogFile<'a>,
    format: Format,
) -> std::io::Result<(Planned<'a>, Vec<Part>)> {
    let size = file.source.size()?;
    let packing = unpack::packing(file.source)?;
    let kind = match format {
        Format::Text => Kind::Lines(Format::Text),
        other => match is_view(file.source, packing, size) {
            true => Kind::View,
            false => Kind::Lines(other),
        },
    };
    Ok((Planned { file, kind }, unpack::parts(packing, size)))
}

/// Whether the first line with something in it is one of a view. What cannot be unpacked shows itself later.
fn is_view(source: &dyn ReadAt, packing: Packing, size: u64) -> bool {
    let from = From::new(source, 0, size);
    let mut head = Vec::new();
    let limit = 8 << 20;
    let reader: Box<dyn Read + '_> = match packing {
        Packing::Plain => Box::new(from),
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(from)),
        Packing::Zstd => match zstd::stream::read::Decoder::with_buffer(from) {
            Ok(decoder) => Box::new(decoder),
            Err(_) => return false,
        },
        Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(from)),
        Packing::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(from, true, 72 << 10)),
    };
    let mut reader = reader.take(limit);
    let mut block = [0; 16 << 10];
    loop {
        let begin = head
            .iter()
            .position(|b: &u8| !b.is_ascii_whitespace())
            .unwrap_or(head.len());
        let line = &head[begin..];
        if let Some(end) = memchr::memchr(b'\n', line) {
            return wrapper::unwrap(&line[..end]).is_some();
        }
        if line.first().is_some_and(|b| *b != b'{') {
            return false;
        }
        match reader.read(&mut block) {
            Ok(0) | Err(_) => return wrapper::unwrap(line).is_some(),
            Ok(count) => head.extend_from_slice(&block[..count]),
        }
    }
}

pub(super) fn times(kind: Kind) -> Times {
    match kind {
        Kind::View => Times::Arrival,
        Kind::Lines(_) => Times::Lines,
    }
}

fn fresh<'r>(rules: &'r Rules, kind: Kind) -> Reader<'r> {
    Reader::new(rules, kind, times(kind), Stream::Stdout)
        .expect("invariant: the patterns were compiled before")
}

fn read_part<'r>(
    rules: &'r Rules,
    planned: &Planned<'_>,
    part: Part,
    scratch: &mut Scratch,
) -> Done<'r> {
    let mut reader = fresh(rules, planned.kind);
    let mut head = Vec::new();
    let mut head_tally = None;
    let mut looks_back = false;
    let mut again = false;
    let mut tail = Vec::new();
    let mut lines = 0;
    let unpacked = unpack::unpack(planned.file.source, part, None, scratch, &mut |block| {
        match memchr::memrchr(b'\n', block) {
            Some(end) => {
                tail.clear();
                tail.extend_from_slice(&block[end + 1..]);
            }
            None if tail.len() <= LINE_LIMIT => tail.extend_from_slice(block),
            None => {}
        }
        let mut rest = block;
        while head_tally.is_none() && !again && !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
            let (line, more) = rest.split_at(end);
            let begin = head.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
            head.extend_from_slice(line);
            if lines < LOOKS_BACK {
                looks_back |= Classifier::looks_back(&head[begin..]);
            }
            lines += usize::from(line.ends_with(b"\n"));
            reader.feed(Moment::default(), line);
            rest = more;
            if lines >= LOOKS_BACK && line.ends_with(b"\n") && reader.is_clear() {
                head_tally = Some(reader.take());
            } else if head.len() > HEAD {
                again = true;
            }
        }
        if !again && !reader.is_spilled() {
            reader.feed(Moment::default(), rest);
        }
    });
    again |= head_tally.is_none() || reader.is_spilled();
    Done {
        unpacked,
        head,
        head_tally: head_tally.unwrap_or_else(|| rules.tally()),
        looks_back,
        rest: reader.take(),
        end: reader,
        tail,
        again,
    }
}

/// Puts the parts together.
struct Fold<'r> {
    rules: &'r Rules,
    plan: &'r [Planned<'r>],
    total: Tally,
    engine: Engine,
    /// The reader of what was before, and how many lines were before it began.
    carried: Option<(Reader<'r>, u64)>,
    file: Option<usize>,
    /// Where the next member of the file must begin.
    place: u64,
    /// Whether the file could not be read on.
    stopped: bool,
    scratch: Scratch,
    /// Of each file, what of it is records, and how many lines were before the one that is read.
    records: Vec<Records>,
    began: u64,
    problems: Vec<Finding>,
}

impl<'r> Fold<'r> {
    fn take(&mut self, file: usize, part: Part, done: Done<'r>) {
        if self.file != Some(file) {
            self.end_file();
            self.file = Some(file);
            self.began = self.total.counts.lines;
            (self.place, self.stopped) = (0, false);
        }
        if self.stopped {
            return;
        }
        let kind = self.plan[file].kind;
        let packed = matches!(part.packing, Packing::Gzip | Packing::Zstd);
        if packed && self.place >= part.to {
            return;
        }
        let unpacked = done.unpacked.clone();
        if packed && unpacked.from != Some(self.place) {
            let known = Some(self.place);
            self.in_turn(file, part, known, 0);
            return;
        }
        if done.again {
            self.in_turn(file, part, unpacked.from, 0);
            return;
        }
        let base = self.total.counts.lines;
        let goes_on = self
            .carried
            .as_ref()
            .is_some_and(|(r, _)| !r.is_clear() || done.looks_back || kind == Kind::View);
        if goes_on {
            let Some((mut reader, began)) = self.carried.take() else {
                return;
            };
            reader.feed(Moment::default(), &done.head);
            let clear = reader.is_clear();
            let tally = reader.take();
            self.carried = Some((reader, began));
            self.absorb(tally, began);
            if !clear {
                self.in_turn(file, part, unpacked.from, done.head.len());
                return;
            }
        } else {
            self.absorb(done.head_tally, base);
        }
        self.absorb(done.rest, base);
        let mut end = done.end;
        if let Some((before, _)) = &self.carried {
            end.inherit(before.now());
        }
        self.carried = Some((end, base));
        self.place = unpacked.to;
        self.trouble(file, &unpacked);
    }

    /// Reads a part after all that was before it, but for its first `skip` bytes.
    fn in_turn(&mut self, file: usize, part: Part, known: Option<u64>, mut skip: usize) {
        let planned = &self.plan[file];
        let (mut reader, began) = match self.carried.take() {
            Some(carried) => carried,
            None => (fresh(self.rules, planned.kind), self.total.counts.lines),
        };
        reader.unbounded();
        let mut scratch = std::mem::take(&mut self.scratch);
        let unpacked = unpack::unpack(
            planned.file.source,
            part,
            known,
            &mut scratch,
            &mut |block| {
                let passed = skip.min(block.len());
                skip -= passed;
                reader.feed(Moment::default(), &block[passed..]);
                if !reader.tally_mut().sightings.is_empty() {
                    let tally = reader.take();
                    self.absorb(tally, began);
                    reader.unbounded();
                }
            },
        );
        self.scratch = scratch;
        let tally = reader.take();
        self.absorb(tally, began);
        self.carried = Some((reader, began));
        self.place = unpacked.to;
        self.trouble(file, &unpacked);
    }

    fn absorb(&mut self, mut tally: Tally, began: u64) {
        let before = self.total.edges.map_or(0, |(_, last)| last);
        let known = self.total.edges.is_some();
        let right = |moment: &mut Moment| {
            if moment.wall == INHERITED {
                *moment = Moment {
                    boot: u64::try_from(before).unwrap_or(0),
                    wall: before,
                };
            }
        };
        tally.sightings.each(|cause| {
            if cause.first.wall == INHERITED && !known {
                cause
                    .metadata
                    .insert("time_unknown".to_owned(), true.into());
            }
            right(&mut cause.first);
            right(&mut cause.last);
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
        if let Some(records) = self.file.and_then(|file| self.records.get_mut(file)) {
            let lines = began.saturating_sub(self.began);
            for stream in &tally.shapes {
                records.append(stream, lines);
            }
        }
        self.total.append(&tally);
        self.engine.absorb(tally.sightings);
    }

    fn trouble(&mut self, file: usize, unpacked: &Unpacked) {
        let Some(trouble) = &unpacked.trouble else {
            return;
        };
        self.stopped = true;
        self.records[file].torn = true;
        let name = &self.plan[file].file.name;
        let (severity, code, word) = if trouble.cut {
            (Status::Warn, "log_truncated", "is cut")
        } else {
            (Status::Invalid, "log_damaged", "is damaged")
        };
        let text = format!(
            "the log {name} {word} after byte {}: {}; what is before that was read",
            trouble.at, trouble.reason
        );
        let mut found = finding(severity, code, name, text);
        found.metadata = BTreeMap::from([
            ("path".to_owned(), name.as_str().into()),
            ("byte".to_owned(), trouble.at.into()),
        ]);
        self.problems.push(found);
    }

    /// A line that is open at a file's end ends there. A trace may go on in the next file: logs are rotated at lines.
    fn end_file(&mut self) {
        if let (Some(file), Some((reader, _))) = (self.file, &self.carried) {
            let next_differs = self
                .plan
                .get(file + 1)
                .is_none_or(|next| next.kind != self.plan[file].kind);
            if reader.has_open_line() || next_differs || self.stopped {
                self.finish();
            }
        }
    }

    fn finish(&mut self) {
        if let Some((mut reader, began)) = self.carried.take() {
            reader.finish(Moment::default());
            let tally = reader.take();
            self.absorb(tally, began);
        }
    }
}

//! The one classifier, for live and afterwards: splits a stream's bytes into lines, reads their level and fields, and puts stack
//! traces together.
//!
//! One [`Classifier`] a stream. Bytes come in any portions; the findings do not depend on how they were cut. Nothing is held back
//! for ever: an open trace ends with the next record, with two quiet seconds, or with the stream.
//!
//! # Levels
//!
//! A line that is a JSON object states its level in `level`, `severity` or one of their kin ([`Line::level_word`] is that text in
//! lower case, or the number). Plain text states it where loggers put it (`level`). A line that states none has the
//! stream's: `info` on stdout, on stderr what the policy says. A record that a container runtime,
//! a shipper or the journal made of a line is opened (`wrapped`): the line's level counts, and the stream it names. Blank lines count by that too, but are no findings.
//!
//! A line that is neither one record nor one text may state more inside (`within`): the worst of it is its level. A record on several
//! lines is one (`block`): its last line states its level.
//!
//! Lines of two or four bytes a character (UTF-16, UTF-32) are read as the text they are, and told in UTF-8 ([`Line::bytes`]); offsets,
//! lengths and counts of bytes stay those of the stream.
//!
//! # What begins and what ends a trace
//!
//! A trace begins with a word of a runtime (`Traceback (most recent call last):`, `panic: `, `thread '…' panicked at`, …), with an
//! exception's name before frames, or with the line before frames that nobody announced. Names inside sentences begin nothing
//! unless frames follow. Whatever stands before it (a time, a service, a pod, a thread) is learnt as the prefix of its source
//! (`learnt`): lines with that prefix go on with it, lines with another one are another source's. A trace goes on as its language's grammar says (`trace`); lines of other sources, and up to a few dozen
//! records of the same stream in between, do not break it. It ends
//!
//! 1. where its grammar ends (`exit status 2`, `note: run with …`, `==1==ABORTING`),
//! 2. with the start of another trace of the same source,
//! 3. when records or other lines have followed it without any continuation,
//! 4. after two seconds on the boot clock without a line of its own, or
//! 5. with the stream.
//!
//! With frames it is a failure. A start word alone is a warning. Anything less is no finding.
//!
//! # One cause, one finding
//!
//! A line that belongs to a trace has no finding of its own, whatever its level: the trace stands for it (a traceback on stderr is
//! one failure, not twenty). Its level still counts. If the trace turns out to be milder than the line (a lone start word on
//! stderr: a warning), the line's finding is told as well, so that nothing is softened. A record that merely precedes a trace
//! (`ERROR request failed`, then the traceback) keeps its own: it is another statement of the program. A JSON record that carries its
//! trace in a field is one line, therefore one finding: the trace.

use std::borrow::Cow;
use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::spec::{Lines, StderrPolicy};
use crate::{Moment, Status, Stream};

mod allow;
mod behind;
mod block;
mod counts;
mod cuts;
mod express;
mod gate;
mod json;
mod learnt;
mod level;
mod mask;
mod prefix;
mod record;
mod saved;
mod shape;
mod stated;
mod structured;
mod told;
mod trace;
mod wide;
mod within;
mod wrapped;

use allow::Rules;
use behind::Behind;
use block::Block;
pub use counts::{Broken, Counts};
use cuts::{cut, lossy, one_line};
use express::Moulds;
use json::{End, Scan, Slot};
use record::{fields, said, spoken, structured, suspicious};
pub use saved::Saved;
use shape::Shapes;
pub use told::{Fields, Finding, Level, Line, Sink, What};
use trace::{Entry, Told, Traces};

/// Version of the rules. Any change that can change a finding changes it.
pub const VERSION: &str = "gonogo.classify.v3";

/// How many bytes of a line the classifier looks at; the rest is counted.
pub const LINE_LIMIT: usize = 1 << 20;

/// Longest sample, bytes.
pub const SAMPLE_LIMIT: usize = 256 << 10;

/// How many lines are kept to look back at: the head of a trace may be separated from its frames by other sources' lines.
const BACK: usize = 4;
/// How many lines before a line it may look back at.
pub(crate) const LOOKS_BACK: usize = BACK;

/// How much of a line is kept to look back at.
const BACK_LIMIT: usize = 4 << 10;

/// Reads one stream.
#[derive(Debug, Clone)]
pub struct Classifier {
    /// Which stream.
    pub stream: Stream,
    lines: Lines,
    rules: Rules,
    /// The open line, up to the limit, and how many of its bytes are beyond.
    carry: Vec<u8>,
    beyond: u64,
    /// Bytes and lines before the open line.
    offset: u64,
    number: u64,
    /// The lines before, the last one last, up to a limit: those that belong to no trace.
    back: VecDeque<Back>,
    /// The finding of the line before: the next line may make it the head of a trace.
    pending: Option<Entry>,
    traces: Traces,
    /// A record of several lines that is open.
    block: Option<Box<Block>>,
    counts: Counts,
    shapes: Shapes,
    moulds: Moulds,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Back {
    text: Vec<u8>,
    at: Moment,
    /// Where it begins in the stream.
    start: u64,
    number: u64,
}

impl Back {
    /// Returns it as text.
    fn text(&self) -> String {
        let wide = if wide::likely(&self.text) {
            wide::text(&self.text)
        } else {
            None
        };
        let text = wide.as_deref().unwrap_or(&self.text);
        lossy(text.strip_suffix(b"\r").unwrap_or(text), BACK_LIMIT)
    }
}

impl Classifier {
    /// Makes a classifier.
    ///
    /// # Errors
    /// A pattern of the allow-list that is no regular expression, by name.
    pub fn new(stream: Stream, lines: &Lines) -> Result<Self, String> {
        Self::resume(stream, lines, 0, 0)
    }

    /// Makes a classifier that begins at `offset` of the stream, where a line begins, after `line_number` lines. It knows nothing
    /// of what was before: begin at [`Self::open_line_start`], or keep the whole state with [`Self::save`].
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn resume(
        stream: Stream,
        lines: &Lines,
        offset: u64,
        line_number: u64,
    ) -> Result<Self, String> {
        Ok(Self {
            stream,
            lines: lines.clone(),
            rules: Rules::new(&lines.allow)?,
            carry: Vec::new(),
            beyond: 0,
            offset,
            number: line_number,
            back: VecDeque::new(),
            pending: None,
            traces: Traces::default(),
            block: None,
            counts: Counts::default(),
            shapes: Shapes::default(),
            moulds: Moulds::default(),
        })
    }

    /// Returns where the open line begins.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns whether nothing is open: neither a line nor a record nor a trace nor a finding that the next line may change. A classifier that
    /// begins here finds the same as this one does, unless one of the next `LOOKS_BACK` lines looks back ([`Self::looks_back`]).
    pub fn is_clear(&self) -> bool {
        self.carry.is_empty() && self.is_between()
    }

    /// Returns whether no earlier line matters to the next one.
    #[inline]
    fn is_between(&self) -> bool {
        self.pending.is_none() && self.traces.is_empty() && self.block.is_none()
    }

    /// Returns whether a line is open.
    pub const fn has_open_line(&self) -> bool {
        !self.carry.is_empty()
    }

    /// Returns whether `line` may belong to a trace, so that the lines before it matter.
    pub fn looks_back(line: &[u8]) -> bool {
        let line = line.get(..LINE_LIMIT).unwrap_or(line);
        match wide::likely(line).then(|| wide::text(line)).flatten() {
            Some(text) => gate::hits(&text),
            None => gate::hits(line),
        }
    }

    /// Returns how many lines were read.
    pub const fn line_number(&self) -> u64 {
        self.number
    }

    /// Returns what was counted so far.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns what was counted, and begins anew.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// Reads the stream's next bytes, which arrived at `at`.
    pub fn feed<S: Sink>(&mut self, at: Moment, bytes: &[u8], sink: &mut S) {
        self.quiet(at, sink);
        let mut rest = bytes;
        if !self.carry.is_empty() {
            let Some(end) = memchr::memchr(b'\n', rest) else {
                self.keep(rest);
                return;
            };
            self.keep(&rest[..end]);
            rest = &rest[end + 1..];
            self.carried(at, true, sink);
        }
        let mut from = 0;
        let mut behind = Behind {
            portion: rest,
            ..Behind::default()
        };
        loop {
            // Nothing is open, so a harmless record has nothing to end.
            if self.is_between() {
                while let Some(length) = self.express(at, &rest[from..], sink) {
                    behind.add(from, from + length, self.number);
                    from += length + 1;
                }
            }
            let Some(length) = memchr::memchr(b'\n', &rest[from..]) else {
                break;
            };
            let end = from + length;
            let mut line = &rest[from..end];
            let mut beyond = 0;
            if line.len() > LINE_LIMIT {
                beyond = (line.len() - LINE_LIMIT) as u64;
                line = &line[..LINE_LIMIT];
            }
            // What is said in JSON is looked at when it has been read.
            let suspect = !structured(line) && gate::hits(line);
            behind.from = from;
            if self.line(at, line, beyond, true, suspect, &mut behind, sink) {
                behind.add(from, end, self.number);
            }
            from = end + 1;
        }
        behind.from = from;
        self.look_back(&mut behind, self.offset, at);
        self.keep(&rest[from..]);
    }

    /// Keeps the lines behind `offset` of the stream, to look back at.
    fn look_back(&mut self, behind: &mut Behind<'_>, offset: u64, at: Moment) {
        let known = std::mem::take(&mut behind.known);
        let count = known.min(BACK);
        let first = if known > BACK { known % BACK } else { 0 };
        for place in 0..count {
            let (start, end, number) = behind.ring[(first + place) % count];
            let start_offset = offset - (behind.from - start) as u64;
            self.keep_back(&behind.portion[start..end], number, at, start_offset);
        }
    }

    /// Keeps one line, and no more than the last few.
    fn keep_back(&mut self, line: &[u8], number: u64, at: Moment, start: u64) {
        let mut back = if self.back.len() == BACK {
            self.back.pop_front()
        } else {
            None
        }
        .unwrap_or(Back {
            text: Vec::new(),
            at,
            start,
            number,
        });
        back.text.clear();
        back.text
            .extend_from_slice(line.get(..BACK_LIMIT).unwrap_or(line));
        back.at = at;
        back.start = start;
        back.number = number;
        self.back.push_back(back);
    }

    /// Adds to the open line.
    fn keep(&mut self, bytes: &[u8]) {
        let room = (LINE_LIMIT - self.carry.len()).min(bytes.len());
        self.carry.extend_from_slice(&bytes[..room]);
        self.beyond += (bytes.len() - room) as u64;
    }

    /// The open line is whole.
    fn carried<S: Sink>(&mut self, at: Moment, ended: bool, sink: &mut S) {
        let line = std::mem::take(&mut self.carry);
        let beyond = std::mem::take(&mut self.beyond);
        let suspect = !structured(&line) && gate::hits(&line);
        let start = self.offset;
        if self.line(
            at,
            &line,
            beyond,
            ended,
            suspect,
            &mut Behind::default(),
            sink,
        ) {
            self.keep_back(&line, self.number, at, start);
        }
        self.carry = line;
        self.carry.clear();
        // One long line must not cost its memory for ever.
        self.carry.shrink_to(64 << 10);
    }

    /// Says what time it is, so that a trace that nothing follows is not held back.
    pub fn quiet<S: Sink>(&mut self, now: Moment, sink: &mut S) {
        if self.traces.is_empty() && self.pending.is_none() {
            return;
        }
        let mut told = Vec::new();
        if self
            .pending
            .as_ref()
            .is_some_and(|entry| now.since(entry.at) > trace::QUIET)
        {
            told.extend(self.pending.take().map(Told::Line));
        }
        self.traces.expire(now, &mut told);
        self.tell(told, sink);
    }

    /// The stream is at its end.
    pub fn finish<S: Sink>(&mut self, now: Moment, sink: &mut S) {
        self.quiet(now, sink);
        if !self.carry.is_empty() {
            self.carried(now, false, sink);
        }
        let mut told: Vec<Told> = self.pending.take().map(Told::Line).into_iter().collect();
        self.traces.finish(&mut told);
        self.tell(told, sink);
        self.block = None;
        self.back.clear();
    }

    /// Reads a whole line that is like many before; returns its length without its line feed.
    #[inline]
    fn express<S: Sink>(&mut self, at: Moment, rest: &[u8], sink: &mut S) -> Option<usize> {
        let fit = self.moulds.fit(rest)?;
        let length = fit.line.len();
        self.offset += length as u64 + 1;
        self.number += 1;
        self.counts.lines += 1;
        self.counts.bytes += length as u64 + 1;
        self.counts.structured += 1;
        self.counts.count(fit.word, 1);
        if S::LINES {
            sink.line(&Line {
                number: self.number,
                at,
                bytes: fit.line,
                beyond: 0,
                ended: true,
                level: fit.level,
                level_word: Cow::Borrowed(fit.word),
                fields: Some(fit.fields),
            });
        }
        Some(length)
    }

    /// Reads one line; returns whether the next may look back at it.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "the first half of one function")]
    fn line<S: Sink>(
        &mut self,
        at: Moment,
        bytes: &[u8],
        beyond: u64,
        ended: bool,
        suspect: bool,
        behind: &mut Behind<'_>,
        sink: &mut S,
    ) -> bool {
        let start = self.offset;
        let length = bytes.len() as u64 + beyond + u64::from(ended);
        self.offset += length;
        self.number += 1;
        self.counts.lines += 1;
        self.counts.bytes += length;

        let wide = if wide::likely(bytes) {
            wide::text(bytes)
        } else {
            None
        };
        let suspect = match &wide {
            Some(text) => !structured(text) && gate::hits(text),
            None => suspect,
        };
        let bytes = wide.as_deref().unwrap_or(bytes);

        let mut blank = false;
        let mut scan = None;
        // What is said where the level is stated, if that is not the whole line.
        let mut inner = None;
        // Whether a line that it wraps states one.
        let mut wraps = false;
        let numeric = self.lines.numeric;
        let whole = if self.block.is_some() || block::begins(bytes) {
            self.block(bytes, start)
        } else {
            None
        };
        let stated = match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => {
                blank = true;
                self.counts.blank += 1;
                None
            }
            Some(b'{') => {
                let found = self.shapes.scan(
                    bytes,
                    self.lines.source_field.as_ref().map(String::as_bytes),
                );
                let mut stated = level::of_fields(&found, bytes, numeric);
                if found.end == End::Object && beyond == 0 {
                    self.counts.structured += 1;
                    if let Some(raw) = wrapped::text(&found, bytes) {
                        let known = stated.as_ref().and_then(|(level, _)| *level);
                        if let Some(more) = wrapped::read(raw, numeric) {
                            wraps = true;
                            if known.is_none_or(|known| more.level > known) {
                                stated = Some((Some(more.level), Cow::Borrowed(more.word())));
                                inner = Some(more.message);
                            }
                        } else if stated.is_none() && wrapped::on_stderr(&found, bytes, raw) {
                            let (level, word) = self.usual_of(Stream::Stderr);
                            stated = Some((Some(level), Cow::Borrowed(word)));
                        }
                    }
                    scan = Some(found);
                } else {
                    let (more, all) = within::of_glued(bytes, numeric);
                    let known = stated.as_ref().and_then(|(level, _)| *level);
                    if let Some(more) =
                        more.filter(|more| known.is_none_or(|known| more.level > known))
                    {
                        stated = Some((Some(more.level), Cow::Borrowed(more.word())));
                        inner = Some(more.message);
                    }
                    if beyond == 0 && (!all || found.end == End::Lenient) && self.block.is_none() {
                        self.counts.broken(bytes, self.number, ended, found.end);
                    }
                }
                stated
            }
            Some(_) => stated::of_text(bytes, suspect, numeric).map(|found| {
                inner = found.inner;
                (Some(found.level), Cow::Borrowed(found.word))
            }),
        };
        let stated = match &whole {
            Some(whole) => Some((Some(whole.level), Cow::Owned(whole.word.clone()))),
            None => stated,
        };
        let (usual, usual_word) = self.usual();
        let (level, word) = match stated {
            Some((level, word)) => (level.unwrap_or(usual), word),
            None => (usual, Cow::Borrowed(usual_word)),
        };
        self.counts.count(&word, 1);
        match level {
            Level::Error | Level::Critical => self.counts.errors += 1,
            Level::Warning => self.counts.warnings += 1,
            _ => {}
        }
        if S::LINES {
            sink.line(&Line {
                number: self.number,
                at,
                bytes,
                beyond,
                ended,
                level,
                level_word: Cow::Borrowed(&word),
                fields: scan.as_ref().map(|scan| fields(scan, bytes)),
            });
        }
        let counts = level >= Level::Warning && !blank;
        let suspect = suspect
            || match &scan {
                Some(scan) => {
                    scan.deep
                        || structured::threw(scan, bytes)
                        || spoken(scan, bytes).is_some_and(suspicious)
                }
                // Not quite JSON: text after all.
                None => !blank && structured(bytes) && gate::hits(bytes),
            };
        if let Some(whole) = whole.filter(|_| counts) {
            self.of_block(at, level, *whole, sink);
            return true;
        }
        if !suspect && !counts && beyond == 0 && self.pending.is_none() && self.traces.is_empty() {
            if let Some(scan) = scan.filter(|_| ended && !wraps) {
                self.moulds.learn(bytes, &scan, level, &word);
            }
            return true;
        }
        self.slowly(
            at,
            bytes,
            beyond,
            start,
            suspect,
            counts.then_some((level, inner)),
            scan,
            behind,
            sink,
        )
    }

    /// A line that counts, may belong to a trace, or comes after one that did.
    #[cold]
    #[expect(clippy::too_many_arguments, reason = "the second half of one function")]
    fn slowly<S: Sink>(
        &mut self,
        at: Moment,
        bytes: &[u8],
        beyond: u64,
        start: u64,
        suspect: bool,
        level: Option<(Level, Option<String>)>,
        scan: Option<Scan>,
        behind: &mut Behind<'_>,
        sink: &mut S,
    ) -> bool {
        let mut told = Vec::new();
        let bare = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let entry = |level, message: String| Entry {
            level,
            number: self.number,
            at,
            offset: start,
            message,
            text: lossy(bare, SAMPLE_LIMIT),
        };
        let own = level.map(|(level, inner)| {
            let message = inner
                .or_else(|| said(scan.as_ref()?, bytes))
                .unwrap_or_else(|| lossy(bare, 2_000));
            entry(level, one_line(&message))
        });
        let here = trace::Here {
            number: self.number,
            at,
            offset: start,
        };
        let mut taken = false;
        let own = if let Some(scan) = &scan {
            told.extend(self.pending.take().map(Told::Line));
            let mut found = if scan.deep {
                structured::traces(bytes, here)
            } else {
                Vec::new()
            };
            if found.is_empty() && own.is_none() {
                found.extend(structured::thrown(scan, bytes, here));
            }
            if found.is_empty() {
                self.said_by(scan, bytes, here, own, &mut taken, &mut told)
            } else {
                let worst = found.iter().any(|open| open.severity() == Status::Fail);
                told.extend(found.into_iter().map(|open| Told::Trace(Box::new(open))));
                taken = true;
                own.filter(|own| !worst && own.level.status() == Status::Fail)
            }
        } else {
            let text = lossy(bare, LINE_LIMIT);
            let before = if suspect {
                self.look_back(behind, start, at);
                self.back
                    .iter()
                    .rev()
                    .map(|back| trace::Before {
                        text: back.text(),
                        here: trace::Here {
                            number: back.number,
                            at: back.at,
                            offset: back.start,
                        },
                    })
                    .collect()
            } else {
                Vec::new()
            };
            let line = trace::Input {
                channel: "",
                text: &text,
                here,
                suspect,
                before,
            };
            let found = if suspect {
                structured::in_text(&text, here)
            } else {
                Vec::new()
            };
            let mut pending = self.pending.take();
            let own = if found.is_empty() {
                self.traces
                    .line(line, own, &mut pending, &mut taken, &mut told)
            } else {
                told.extend(found.into_iter().map(|open| Told::Trace(Box::new(open))));
                taken = true;
                None
            };
            // Before anything of this line: the line before was not its head.
            if let Some(pending) = pending {
                told.insert(0, Told::Line(pending));
            }
            own
        };
        // A record is no head of a trace; a line of text may be, if frames follow.
        match own {
            Some(own) if scan.is_none() && !taken => self.pending = Some(own),
            Some(own) => told.push(Told::Line(own)),
            None => {}
        }
        self.tell(told, sink);
        if beyond > 0 {
            let bytes = bytes.len() as u64 + beyond;
            sink.finding(Finding {
                severity: Status::Warn,
                what: What::LongLine { bytes },
                stream: self.stream,
                line: self.number,
                at,
                key: "v1:long-line".to_owned(),
                message: format!(
                    "a line of {bytes} bytes: only the first {LINE_LIMIT} were looked at"
                ),
                sample: lossy(bare, 4 << 10),
                accepted: None,
            });
        }
        !taken
    }

    /// The message of a JSON record may be a line of a trace (`{"log":"Traceback …\n"}`), each source by itself.
    fn said_by(
        &mut self,
        scan: &Scan,
        bytes: &[u8],
        here: trace::Here,
        own: Option<Entry>,
        taken: &mut bool,
        told: &mut Vec<Told>,
    ) -> Option<Entry> {
        let raw = spoken(scan, bytes);
        let source = scan
            .value(bytes, Slot::Source)
            .map(|raw| json::text(raw).unwrap_or_else(|| lossy(raw, 256)));
        let channel = format!("json:{}", source.as_deref().unwrap_or(""));
        let mut own = own;
        if let Some(message) = raw.and_then(json::text) {
            let suspect = gate::hits(message.as_bytes());
            let text = message.trim_end_matches(['\n', '\r']);
            if (suspect || self.traces.has(&channel)) && !text.contains('\n') {
                let line = trace::Input {
                    channel: &channel,
                    text,
                    here,
                    suspect,
                    before: Vec::new(),
                };
                own = self.traces.line(line, own, &mut None, taken, told);
            }
        }
        if !*taken {
            self.traces.record("", told);
        }
        own
    }

    /// Takes a line of a record of several lines; returns the record at its end.
    #[cold]
    fn block(&mut self, bytes: &[u8], start: u64) -> Option<Box<block::Whole>> {
        let step = self
            .block
            .as_mut()
            .map(|block| block.step(bytes, self.lines.numeric));
        match step {
            Some(block::Step::Takes) => return None,
            // Another may begin inside what has no end.
            None | Some(block::Step::Over | block::Step::Stray) if block::begins(bytes) => {
                self.block = Some(Box::new(Block::new(bytes, self.number, start)));
            }
            None | Some(block::Step::Stray) => {}
            Some(block::Step::Over) => self.block = None,
            Some(block::Step::Ends(whole)) => {
                self.block = None;
                return whole;
            }
        }
        None
    }

    /// Tells what a record of several lines states.
    fn of_block<S: Sink>(&mut self, at: Moment, level: Level, whole: block::Whole, sink: &mut S) {
        let mut told: Vec<Told> = self.pending.take().map(Told::Line).into_iter().collect();
        let text = lossy(&whole.text, SAMPLE_LIMIT);
        let message = whole.message.unwrap_or_else(|| text.clone());
        told.push(Told::Line(Entry {
            level,
            number: whole.number,
            at,
            offset: whole.start,
            message: one_line(&message),
            text,
        }));
        self.tell(told, sink);
    }

    /// Hands findings on.
    fn tell<S: Sink>(&self, told: Vec<Told>, sink: &mut S) {
        for told in told {
            let mut finding = match told {
                Told::Trace(open) => open.finding(self.stream),
                Told::Line(entry) => entry.finding(self.stream),
            };
            finding.accepted = self.rules.accept(&finding.sample, finding.at);
            sink.finding(finding);
        }
    }

    /// The level of a line that states none.
    #[inline]
    const fn usual(&self) -> (Level, &'static str) {
        self.usual_of(self.stream)
    }

    /// The level of a line of `stream` that states none.
    #[inline]
    const fn usual_of(&self, stream: Stream) -> (Level, &'static str) {
        match (stream, self.lines.stderr) {
            (Stream::Stdout, _) | (_, StderrPolicy::Info) => (Level::Info, "info"),
            (_, StderrPolicy::Warn) => (Level::Warning, "warn"),
            (_, StderrPolicy::Error) => (Level::Error, "error"),
        }
    }
}

/// Returns the text of a raw JSON string, lone surrogates replaced; none if it is no string.
pub(crate) fn text(raw: &[u8]) -> Option<String> {
    json::text(raw)
}

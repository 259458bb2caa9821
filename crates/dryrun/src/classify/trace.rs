//! Puts stack traces together: one machine for each open trace, each following the grammar of its language.
//!
//! A machine belongs to a channel (the stream's text, or the messages of the JSON records of one source), to a source that the
//! lines name (`web_1  | `), and to the prefix its first line had, whatever that is (`learnt`). A line goes to the machine whose
//! prefix it has and whose grammar takes it; lines of other prefixes between do not end it. Lines that no machine takes may begin
//! another trace.
//!
//! Invariants: samples are bounded, line and frame counts are exact; at most [`MACHINES`] traces are open; what a trace does not
//! take in the end is told as what it was.

use serde::{Deserialize, Serialize};

use super::learnt::{Fit, Learnt};
use super::{Finding, Level, SAMPLE_LIMIT, What, cut, mask, one_line, prefix};
use crate::{Moment, Status, Stream};

mod apple;
mod begin;
mod boxed;
mod go;
mod jvm;
mod kernel;
mod lang;
mod native;
mod others;
mod python;
mod rarer;
mod ruby;
mod rust;
mod script;
mod start;

pub(crate) use begin::exception;
pub(crate) use lang::Lang;

/// Nanoseconds of the boot clock after which a trace that does not go on is told.
pub(crate) const QUIET: u64 = 2_000_000_000;
/// Lines of a sample.
const SAMPLE_LINES: u64 = 2_000;
/// Traces that may be open at once.
const MACHINES: usize = 32;
/// Bytes of samples of all open traces together.
const SAMPLES: usize = 2 << 20;
/// Lines that may be held until it shows whether they belong.
const HELD: usize = 64;
/// Records that may come between two lines of a trace.
const RECORDS: u32 = 48;
/// Other lines that may.
const STRAYS: u32 = 6;
/// Lines of other sources that may.
const OTHERS: u32 = 256;
/// Traces that began inside a sentence, and have no frames yet, that may be open at once.
const LOOSE: usize = 4;
/// In-app frames that make the key.
const TOP: usize = 5;

/// Returns whose frame a line is that stands in a field for frames, and its function if the same line says it.
pub(crate) fn frame_of(line: &str) -> Option<(Lang, String)> {
    use std::sync::LazyLock;

    use regex::Regex;
    static GO: LazyLock<Regex> =
        LazyLock::new(|| begin::regex(r"^\s+\S+\.(?:go|s):\d+(?: \+0x[0-9a-f]+)?$"));
    static PYTHON: LazyLock<Regex> =
        LazyLock::new(|| begin::regex(r#"^\s*File "([^"]+)", line \d+, in (.*)$"#));
    static RUST: LazyLock<Regex> = LazyLock::new(|| begin::regex(r"^\s+\d+: (.+)$"));
    static BROWSER: LazyLock<Regex> = LazyLock::new(|| begin::regex(r"^([\w$.<>/]*)@\S+:\d+:\d+$"));
    static BARE: LazyLock<Regex> = LazyLock::new(|| {
        begin::regex(
            r"^(?:at )?([\w$./<>]+)\((?:[\w$-]+\.(?:java|kt|scala|groovy|clj):\d+|Native Method|Unknown Source)\)$",
        )
    });
    if let Some(found) = begin::frame(line) {
        return Some(found);
    }
    if GO.is_match(line) {
        return Some((Lang::Go, String::new()));
    }
    if let Some(found) = PYTHON.captures(line) {
        return Some((Lang::Python, format!("{}:{}", &found[1], &found[2])));
    }
    if let Some(found) = BROWSER.captures(line) {
        return Some((Lang::Node, found[1].to_owned()));
    }
    if let Some(found) = BARE.captures(line.trim()) {
        return Some((Lang::Java, found[1].to_owned()));
    }
    RUST.captures(line)
        .map(|found| (Lang::Rust, found[1].to_owned()))
}

/// What a grammar says of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It belongs, and so do lines that were held.
    Take,
    /// It belongs and is the last.
    End,
    /// It belongs if a later one does.
    Hold,
    /// It does not belong.
    Refuse,
}

/// Where a line is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Here {
    pub(crate) number: u64,
    pub(crate) at: Moment,
    pub(crate) offset: u64,
}

/// The line before.
#[derive(Debug, Clone)]
pub(crate) struct Before {
    pub(crate) text: String,
    pub(crate) here: Here,
}

/// A line, and what is left of it without the name of its source.
pub(crate) struct Split<'a> {
    pub(crate) text: &'a str,
    pub(crate) source: &'a str,
    pub(crate) rest: &'a str,
}

/// A line of a channel.
pub(crate) struct Input<'a> {
    pub(crate) channel: &'a str,
    pub(crate) text: &'a str,
    pub(crate) here: Here,
    /// Whether the gate let it through.
    pub(crate) suspect: bool,
    /// Lines before it that belong to no trace, the last one first.
    pub(crate) before: Vec<Before>,
}

/// A line's own finding, kept back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) level: Level,
    pub(crate) number: u64,
    pub(crate) at: Moment,
    pub(crate) offset: u64,
    pub(crate) message: String,
    pub(crate) text: String,
}

impl Entry {
    /// Returns it as a finding.
    pub(crate) fn finding(self, stream: Stream) -> Finding {
        let level = super::level::word_of(self.level);
        // What stands before the message (a time, a number) is blanked with the rest.
        let key = format!("v1:{level}:{}", mask::mask(&self.message));
        Finding {
            severity: self.level.status(),
            what: What::Line { level: self.level },
            stream,
            line: self.number,
            at: self.at,
            key,
            message: self.message,
            sample: self.text,
            accepted: None,
        }
    }
}

/// What is to be told.
pub(crate) enum Told {
    Trace(Box<Open>),
    Line(Entry),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Held {
    text: String,
    own: Option<Entry>,
}

/// A trace that may go on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(crate) lang: Lang,
    /// The grammar's.
    pub(crate) state: u8,
    pub(crate) kind: String,
    pub(crate) message: String,
    /// Whether the start alone is worth a warning.
    pub(crate) strong: bool,
    /// Whether a place in the source was told, which counts as a frame where no other does.
    pub(crate) located: bool,
    pub(crate) frames: u64,
    pub(crate) lines: u64,
    /// The grammar's: a function's name before its place.
    pub(crate) note: String,
    /// Whether it began inside a sentence: what begins a trace properly is not part of it.
    loose: bool,
    /// In-app frames, module and function.
    top: Vec<String>,
    sample: String,
    first: u64,
    start: u64,
    at: Moment,
    last: Moment,
    channel: String,
    source: String,
    learnt: Learnt,
    /// Whether a line with the prefix was taken, so that those without are none of it.
    prefixed: bool,
    /// Whether a line without it was.
    bare: bool,
    /// Whether it is strong, and located, once its prefix proves to be one.
    proved: (bool, bool),
    held: Vec<Held>,
    own: Vec<Entry>,
    /// Number of its last line.
    latest: u64,
    records: u32,
    strays: u32,
    others: u32,
}

impl Open {
    pub(crate) fn new(lang: Lang, state: u8, kind: &str, message: &str) -> Self {
        Self {
            lang,
            state,
            kind: cut(kind, 200).to_owned(),
            message: cut(message, 2_000).to_owned(),
            strong: false,
            located: false,
            frames: 0,
            lines: 0,
            note: String::new(),
            loose: false,
            top: Vec::new(),
            sample: String::new(),
            first: 0,
            start: 0,
            at: Moment::default(),
            last: Moment::default(),
            channel: String::new(),
            source: String::new(),
            learnt: Learnt::default(),
            prefixed: false,
            bare: false,
            proved: (false, false),
            held: Vec::new(),
            own: Vec::new(),
            latest: 0,
            records: 0,
            strays: 0,
            others: 0,
        }
    }

    pub(crate) fn strong(mut self) -> Self {
        self.strong = true;
        self
    }

    pub(crate) fn located(mut self) -> Self {
        self.located = true;
        self
    }

    /// Counts a frame; `name` is its module and function.
    pub(crate) fn frame(&mut self, name: &str) {
        self.frames += 1;
        let name = cut(name.trim(), 160);
        if name.is_empty() || !begin::in_app(name) {
            return;
        }
        let name = name.to_owned();
        // Python tells the most recent call last.
        if self.lang == Lang::Python {
            if self.top.len() == TOP {
                self.top.remove(0);
            }
            self.top.push(name);
        } else if self.top.len() < TOP {
            self.top.push(name);
        }
    }

    /// Says where it is, and its text, if it was not read line by line.
    pub(crate) fn here(&mut self, here: Here, text: &str) {
        self.first = here.number;
        self.start = here.offset;
        self.at = here.at;
        self.last = here.at;
        for line in text.lines() {
            self.add(line);
        }
    }

    pub(crate) fn has_frames(&self) -> bool {
        self.frames > 0 || self.located
    }

    pub(crate) fn is_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Adds a line's text to the sample.
    fn add(&mut self, text: &str) {
        self.lines += 1;
        if self.lines <= SAMPLE_LINES && self.sample.len() < SAMPLE_LIMIT {
            if self.lines > 1 {
                self.sample.push('\n');
            }
            let room = SAMPLE_LIMIT - self.sample.len();
            self.sample.push_str(cut(text, room));
        }
    }

    /// Follows the grammar.
    fn step(&mut self, line: &str) -> Step {
        match self.lang {
            Lang::Unknown => begin::step(self, line),
            Lang::Python => python::step(self, line),
            Lang::Java | Lang::Clojure => jvm::step(self, line),
            Lang::Dotnet => jvm::dotnet(self, line),
            Lang::Go => go::step(self, line),
            Lang::Rust => rust::step(self, line),
            Lang::Node => script::step(self, line),
            Lang::Ruby => ruby::step(self, line),
            Lang::Cpp => native::step(self, line),
            Lang::Sanitizer => native::sanitizer(self, line),
            Lang::Swift | Lang::Objc => apple::step(self, line),
            Lang::Kernel => kernel::step(self, line),
            Lang::Zig | Lang::Fortran | Lang::Powershell | Lang::Crystal => rarer::step(self, line),
            _ => others::step(self, line),
        }
    }

    /// Takes a line of which `content` is without prefix; returns whether it was taken (or held), and whether it was the last.
    fn offer(
        &mut self,
        raw: &str,
        content: &str,
        starts: &dyn Fn(bool) -> bool,
        at: Moment,
        own: &mut Option<Entry>,
    ) -> Step {
        let step = if self.records_refused() && prefix::record(content) {
            Step::Refuse
        } else {
            self.step(content)
        };
        // What begins a trace by itself is not held as part of another's message.
        let step = if step == Step::Hold && starts(self.loose) {
            Step::Refuse
        } else {
            step
        };
        match step {
            Step::Take | Step::End => {
                for held in std::mem::take(&mut self.held) {
                    self.add(&held.text);
                    self.own.extend(held.own);
                }
                self.add(raw);
                self.own.extend(own.take());
                // Findings of its own lines are needed only until the trace has frames.
                if self.has_frames() {
                    self.own.clear();
                } else {
                    self.own.truncate(HELD);
                }
                self.last = at;
                self.records = 0;
                self.strays = 0;
                self.others = 0;
            }
            Step::Hold => {
                if self.held.len() >= HELD {
                    return Step::Refuse;
                }
                self.held.push(Held {
                    text: cut(raw, 8 << 10).to_owned(),
                    own: own.take(),
                });
            }
            Step::Refuse => {}
        }
        step
    }

    /// Whether a line that begins a record is not even offered to the grammar.
    fn records_refused(&self) -> bool {
        !(self.lang == Lang::Dotnet || (self.lang == Lang::Node && self.state == script::SOURCE))
    }

    /// Its prefix is one that lines have: what begins after it is no part of a sentence.
    fn prove(&mut self) {
        self.strong |= self.proved.0;
        self.located |= self.proved.1;
        self.proved = (false, false);
    }

    /// How a line of `source` fits: the order in which it is offered, and what of it.
    fn fits<'a>(&self, line: &Split<'a>, number: u64) -> Option<((u8, u8), &'a str)> {
        let (rank, content) = match (self.source == line.source, line.source.is_empty()) {
            (true, _) => (0, line.rest),
            (false, true) => (1, line.rest),
            (false, false) if self.source.is_empty() => (2, line.text),
            _ => return None,
        };
        match self.learnt.fit(content) {
            Fit::Own(rest) => Some(((0, rank), rest)),
            _ if self.prefixed => None,
            Fit::Bare => Some(((1, rank), content)),
            Fit::Other | Fit::Counted(_) | Fit::Head(..) if self.bare => Some(((1, rank), content)),
            Fit::Head(head, rest) => Some(((3 + head as u8, rank), rest)),
            // Numbers that count: only at once, for its neighbours' differ too.
            Fit::Counted(rest) if number == self.latest + 1 && self.lines == 1 => {
                Some(((2, rank), rest))
            }
            Fit::Other | Fit::Counted(_) => None,
        }
    }

    /// Whether it is worth telling.
    fn tells(&self) -> bool {
        self.has_frames() || self.strong
    }

    /// Ends it: what is told, and the findings of lines that are none of its.
    fn close(mut self, told: &mut Vec<Told>) {
        let held: Vec<Entry> = std::mem::take(&mut self.held)
            .into_iter()
            .filter_map(|held| held.own)
            .collect();
        let own = std::mem::take(&mut self.own);
        if self.tells() {
            // A warning must not hide a failure.
            let softened = self.severity() != Status::Fail;
            told.push(Told::Trace(Box::new(self)));
            if softened {
                told.extend(
                    own.into_iter()
                        .filter(|own| own.level.status() == Status::Fail)
                        .map(Told::Line),
                );
            }
        } else {
            told.extend(own.into_iter().map(Told::Line));
        }
        told.extend(held.into_iter().map(Told::Line));
    }

    /// How bad it is. One line that looks like a frame, under a line that names no fault, may as well be a sentence.
    pub(crate) fn severity(&self) -> Status {
        let frames = self.frames + u64::from(self.frames == 0 && self.located);
        let doubtful = frames == 1 && self.kind == "unknown" && !self.strong;
        if frames > 0 && !doubtful {
            Status::Fail
        } else {
            Status::Warn
        }
    }

    /// Returns it as a finding.
    pub(crate) fn finding(self, stream: Stream) -> Finding {
        let severity = self.severity();
        let frames = if self.frames == 0 && self.located {
            1
        } else {
            self.frames
        };
        let message = match (self.kind.as_str(), one_line(&self.message)) {
            (kind, message) if message.is_empty() => kind.to_owned(),
            (kind, message) => format!("{kind}: {message}"),
        };
        let key = format!(
            "v1:{}:{}:{}:{}",
            self.lang.word(),
            self.kind,
            self.top.join(","),
            mask::mask(&self.message)
        );
        Finding {
            severity,
            what: What::Trace {
                language: self.lang.word(),
                kind: self.kind,
                lines: self.lines,
                frames,
            },
            stream,
            line: self.first,
            at: self.at,
            key,
            message: one_line(&message),
            sample: self.sample,
            accepted: None,
        }
    }
}

/// The open traces of a stream.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Traces {
    open: Vec<Open>,
}

impl Traces {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(crate) fn has(&self, channel: &str) -> bool {
        self.open.iter().any(|open| open.channel == channel)
    }

    /// Where the oldest begins in the stream.
    pub(crate) fn start(&self) -> Option<u64> {
        self.open.iter().map(|open| open.start).min()
    }

    /// The first line of the oldest.
    pub(crate) fn first_line(&self) -> Option<u64> {
        self.open.iter().map(|open| open.first).min()
    }

    /// Ends those that have been quiet for too long.
    pub(crate) fn expire(&mut self, now: Moment, told: &mut Vec<Told>) {
        self.end(told, |open| now.since(open.last) > QUIET);
    }

    /// Ends all.
    pub(crate) fn finish(&mut self, told: &mut Vec<Told>) {
        self.end(told, |_| true);
    }

    fn end(&mut self, told: &mut Vec<Told>, over: impl Fn(&Open) -> bool) {
        if !self.open.iter().any(&over) {
            return;
        }
        for open in std::mem::take(&mut self.open) {
            if over(&open) {
                open.close(told);
            } else {
                self.open.push(open);
            }
        }
    }

    /// A record of `channel` came that belongs to no trace.
    pub(crate) fn record(&mut self, channel: &str, told: &mut Vec<Told>) {
        for open in &mut self.open {
            if open.channel == channel {
                open.records += 1;
            }
        }
        self.end(told, |open| open.records > RECORDS);
    }

    /// Reads a line. Returns the line's own finding if no trace took it; `taken` says whether one did.
    pub(crate) fn line(
        &mut self,
        line: Input<'_>,
        own: Option<Entry>,
        pending: &mut Option<Entry>,
        taken: &mut bool,
        told: &mut Vec<Told>,
    ) -> Option<Entry> {
        let mut own = own;
        let plain = prefix::uncoloured(line.text);
        let text: &str = &plain;
        if !self.has(line.channel) && !line.suspect {
            return own;
        }
        let (source, rest) = prefix::split(text);
        let split = Split { text, source, rest };
        // Those whose prefix it has first, of its own source before those that go on without one; the youngest first.
        let mut order: Vec<((u8, u8), usize, &str)> = self
            .open
            .iter()
            .enumerate()
            .filter(|(_, open)| open.channel == line.channel)
            .filter_map(|(place, open)| {
                let (rank, content) = open.fits(&split, line.here.number)?;
                Some((rank, place, content))
            })
            .collect();
        order.sort_by_key(|(rank, place, _)| (*rank, usize::MAX - place));
        let begin = || {
            line.suspect
                .then(|| start::find(&split, line.here.number, &line.before))
                .flatten()
        };
        for (rank, place, content) in &order {
            let open = &mut self.open[*place];
            let has_prefix = rank.0 != 1;
            let starts = |loose: bool| {
                line.suspect
                    && if has_prefix {
                        begin::begin(content, None).is_some_and(|begun| begun.open.strong)
                    } else {
                        begin().is_some_and(|start| {
                            start.begun.open.strong || loose && start.begun.decor
                        })
                    }
            };
            // What begins a trace by itself is the neighbour's whose number is the next.
            if rank.0 == 2 && starts(false) {
                continue;
            }
            let step = if rank.0 >= 2 {
                let mut tried = open.clone();
                let mut of_line = own.clone();
                let step = tried.offer(line.text, content, &starts, line.here.at, &mut of_line);
                let takes = matches!(step, Step::Take | Step::End);
                match rank.0 {
                    _ if step == Step::Refuse => continue,
                    // A frame, or it is the neighbour's.
                    2 if !takes || tried.frames == open.frames => continue,
                    2 => tried.learnt.counts(),
                    head if takes => tried.learnt.shorten(usize::from(head) - 3),
                    _ => {}
                }
                *open = tried;
                own = of_line;
                step
            } else {
                open.offer(line.text, content, &starts, line.here.at, &mut own)
            };
            if matches!(step, Step::Take | Step::End) {
                open.latest = line.here.number;
                if has_prefix {
                    open.prefixed = true;
                    if open.learnt.is_tag() || open.learnt.is_numbered() {
                        open.prove();
                    }
                } else {
                    open.bare = true;
                }
            }
            match step {
                Step::Take | Step::Hold => {
                    *taken = true;
                    self.bound(told);
                    return None;
                }
                Step::End => {
                    *taken = true;
                    self.open.remove(*place).close(told);
                    return None;
                }
                Step::Refuse => {}
            }
        }
        let Some(start) = begin() else {
            self.stray(&line, &split, told);
            return own;
        };
        let start::Start {
            begun,
            source,
            learnt,
            before,
        } = start;
        // Another of the same source: the one before is over.
        let channel = line.channel;
        self.end(told, |open| {
            open.channel == channel
                && open.source == source
                && (open.learnt == learnt || learnt.is_empty() && open.loose && !open.prefixed)
        });
        let mut open = begun.open;
        open.channel = channel.to_owned();
        open.source = source.to_owned();
        open.learnt = learnt;
        open.loose = !begun.decor;
        open.proved = begun.proved;
        open.first = line.here.number;
        open.start = line.here.offset;
        open.at = line.here.at;
        open.last = line.here.at;
        open.latest = line.here.number;
        if begun.with_before
            && let Some(before) = before
        {
            open.first = before.here.number;
            open.start = before.here.offset;
            open.at = before.here.at;
            open.add(&before.text);
            if pending
                .as_ref()
                .is_some_and(|pending| pending.number == before.here.number)
            {
                open.own.extend(pending.take());
            }
        }
        open.add(line.text);
        open.own.extend(own.take());
        *taken = true;
        if begun.over {
            open.close(told);
        } else {
            self.open.push(open);
            self.bound(told);
        }
        None
    }

    /// A line that is none of any trace.
    fn stray(&mut self, line: &Input<'_>, split: &Split<'_>, told: &mut Vec<Told>) {
        let record = prefix::record(split.rest);
        for open in &mut self.open {
            if open.channel != line.channel {
                continue;
            }
            let fit = open.fits(split, line.here.number);
            match fit {
                // Of another source.
                None => open.others += 1,
                Some(((kind, rank), _)) if kind == 2 || rank == 2 => open.others += 1,
                Some(((kind, _), content)) => {
                    if kind == 0 && open.learnt.is_tag() && !line.suspect {
                        open.prove();
                    }
                    if record || kind != 1 && prefix::record(content) {
                        open.records += 1;
                    } else if !content.trim().is_empty() {
                        open.strays += 1;
                    }
                }
            }
        }
        self.end(told, |open| {
            open.records > RECORDS || open.strays > STRAYS || open.others > OTHERS
        });
    }

    /// Ends the oldest while there are too many, or they hold too much.
    fn bound(&mut self, told: &mut Vec<Told>) {
        while self.open.len() > MACHINES
            || (self.open.len() > 1
                && self
                    .open
                    .iter()
                    .map(|open| {
                        open.sample.len()
                            + open.held.iter().map(|held| held.text.len()).sum::<usize>()
                    })
                    .sum::<usize>()
                    > SAMPLES)
        {
            self.open.remove(0).close(told);
        }
        let loose = |open: &Open| open.loose && !open.has_frames() && !open.prefixed;
        while self.open.iter().filter(|open| loose(open)).count() > LOOSE {
            let Some(oldest) = self.open.iter().position(loose) else {
                break;
            };
            self.open.remove(oldest).close(told);
        }
    }
}

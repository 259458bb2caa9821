//! Visual Studio's TRX (`dotnet test --logger trx`, MSTest).
//!
//! Results name their tests, classes stand in definitions that follow (or precede, in older ones). Results are held back for them, at
//! most 16 MiB; beyond that tests are given without their class, and an issue says so. Invariants: only `Passed` is a pass; a row of
//! a data-driven test is a test of its own; a test that is defined or entered and has no result did not run; what the run itself says went wrong is a failed test.

mod counters;
mod planned;
mod words;

use std::collections::HashMap;
use std::io::BufRead;

use self::counters::{Declared, Tally};
use self::planned::{Planned, Test};
use super::xml::ids::{self, Ids, Seen};
use super::xml::times;
use super::xml::{self, End, Flow, Handler, Head, Notes, Tag, Tail};
use super::{Format, Limits, Reading, Sink, text};
use crate::{Attempt, Failure, FailureKind, IssueKind, Name, Outcome, Place, SkipKind, TestId};

/// Bytes of results that are held back.
const HELD: usize = 16 << 20;
/// Definitions that are kept.
const DEFINITIONS: usize = 229_376;

pub(super) fn read(source: &mut dyn BufRead, limits: &Limits, sink: &mut dyn Sink) -> Reading {
    let mut trx = Trx {
        notes: Notes::new(Reading::of(Format::Trx), *limits),
        limits: *limits,
        sink,
        frames: Vec::new(),
        results: Vec::new(),
        held: Vec::new(),
        held_bytes: 0,
        is_full: false,
        definitions: HashMap::new(),
        unit: None,
        run: None,
        summary: None,
        planned: Planned::default(),
        declared: Declared::default(),
        tally: Tally::default(),
        ids: Ids::default(),
        value: String::new(),
        root: None,
        outside: None,
        is_trx: false,
    };
    let bytes = xml::drive(source, limits, &mut trx);
    trx.finish(bytes)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Result,
    UnitTest,
    RunInfo,
    Message,
    Trace,
    Output,
    Summary,
    Other,
}

/// A result whose element is open.
#[derive(Debug, Default)]
struct Open {
    test: u64,
    name: String,
    outcome: Option<Outcome>,
    kind: FailureKind,
    raw: String,
    seconds: Option<f64>,
    started: Option<i64>,
    ended: Option<i64>,
    message: Head,
    trace: Head,
    output: Tail,
    /// How many results are within it, and the worst of them.
    rows: u64,
    worst: Option<Outcome>,
}

struct Held {
    test: u64,
    attempt: Attempt,
    span: Option<(i64, i64)>,
}

/// A definition that is being read.
#[derive(Debug, Default)]
struct Unit {
    id: u64,
    suite: Name,
    class: Name,
    name: String,
}

struct Trx<'s> {
    notes: Notes,
    limits: Limits,
    sink: &'s mut dyn Sink,
    frames: Vec<(Kind, u64)>,
    results: Vec<Open>,
    held: Vec<Held>,
    held_bytes: usize,
    is_full: bool,
    definitions: HashMap<u64, (Name, Name)>,
    unit: Option<Unit>,
    /// The run's own complaint that is being read.
    run: Option<Open>,
    summary: Option<(String, u64)>,
    planned: Planned,
    declared: Declared,
    tally: Tally,
    ids: Ids,
    value: String,
    root: Option<String>,
    outside: Option<String>,
    is_trx: bool,
}

impl Handler for Trx<'_> {
    fn start(&mut self, tag: &Tag<'_>) -> Flow {
        let name = tag.name();
        if tag.depth == 0 && self.root.is_none() {
            self.root = Some(name.chars().take(60).collect());
            if name.eq_ignore_ascii_case("html") {
                return Flow::Stop;
            }
        }
        if tag.depth == 0 && self.is_trx {
            let name: String = name.chars().take(60).collect();
            let text = format!("<{name}> behind the report's end");
            self.notes.tell(IssueKind::Unparsable, tag.place.from, text);
        }
        if name == "TestRun" {
            self.is_trx = true;
        }
        let kind = match name {
            "UnitTestResult"
            | "TestResult"
            | "GenericTestResult"
            | "WebTestResult"
            | "LoadTestResult"
            | "ManualTestResult"
            | "TestResultAggregation"
                if self.is_trx =>
            {
                self.open_result(tag);
                Kind::Result
            }
            "UnitTest" => {
                self.open_definition(tag);
                Kind::UnitTest
            }
            "TestMethod" => {
                self.method(tag);
                Kind::Other
            }
            "TestEntry" => {
                self.entry(tag);
                Kind::Other
            }
            "RunInfo" => {
                self.open_run(tag);
                Kind::RunInfo
            }
            "ResultSummary" => {
                self.summary(tag);
                Kind::Summary
            }
            "Counters" => {
                let value = Declared::read(tag, &self.limits, &mut self.notes);
                self.declared = value;
                Kind::Other
            }
            "Message" | "Text" => Kind::Message,
            "StackTrace" => Kind::Trace,
            "StdOut" | "StdErr" | "DebugTrace" => Kind::Output,
            _ => Kind::Other,
        };
        self.frames.push((kind, tag.place.from));
        Flow::On
    }

    fn end(&mut self, place: Place, end: End) -> Flow {
        let Some((kind, from)) = self.frames.pop() else {
            return Flow::On;
        };
        let place = Place { from, to: place.to };
        match kind {
            Kind::Result => self.close_result(place, end),
            Kind::UnitTest => {
                if let Some(unit) = self.unit.take() {
                    self.planned.defined(Test {
                        id: unit.id,
                        name: unit.name,
                        place,
                    });
                    if self.definitions.len() < DEFINITIONS {
                        self.definitions.insert(unit.id, (unit.suite, unit.class));
                    }
                }
            }
            Kind::RunInfo => self.close_run(place),
            _ => {}
        }
        if self.notes.reading.seen.attempts + self.held.len() as u64 >= self.limits.attempts {
            let text = format!(
                "there are {} attempts: the rest was not read",
                self.limits.attempts
            );
            self.notes.tell(IssueKind::Limit, place.to, text);
            return Flow::Stop;
        }
        Flow::On
    }

    fn text(&mut self, piece: &str, at: u64) {
        let Some((kind, _)) = self.frames.last() else {
            if self.is_trx {
                if !piece.trim().is_empty() && !self.notes.has(IssueKind::Unparsable) {
                    let piece: String = piece.trim().chars().take(60).collect();
                    let text = format!("text behind the report's end: {piece}");
                    self.notes.tell(IssueKind::Unparsable, at, text);
                }
            } else if self.outside.is_none() {
                self.outside = Some(piece.trim_start().chars().take(60).collect());
            }
            return;
        };
        let Some(open) = self.run.as_mut().or_else(|| self.results.last_mut()) else {
            return;
        };
        match kind {
            Kind::Message => open.message.push(piece, self.limits.message),
            Kind::Trace => open.trace.push(piece, self.limits.trace),
            Kind::Output => open.output.push(piece, self.limits.output),
            _ => {}
        }
    }

    fn doctype(&mut self, _: &str, at: u64) -> Flow {
        self.notes.tell(
            IssueKind::Unparsable,
            at,
            "a document type: it is not read, and TRX has none",
        );
        Flow::On
    }

    fn notes(&mut self) -> &mut Notes {
        &mut self.notes
    }
}

/// A hash of an id within the report.
fn key(text: &str) -> u64 {
    ids::hash(&TestId {
        name: text.trim().to_ascii_lowercase(),
        ..TestId::default()
    })
}

impl Trx<'_> {
    fn open_result(&mut self, tag: &Tag<'_>) {
        let mut open = Open::default();
        let at = tag.place.from;
        let value = &mut self.value;
        tag.attributes(&self.limits, &mut self.notes, |notes, name, raw| {
            xml::plain(raw, value);
            match name {
                "testId" => open.test = key(value),
                "testName" => open.name.clone_from(value),
                "duration" => match words::duration(value) {
                    Some(seconds) => open.seconds = Some(seconds),
                    None => odd(notes, at, name, value),
                },
                "startTime" | "endTime" => match times::moment(value) {
                    Some(m) if m.is_absolute && name == "startTime" => {
                        notes.reading.began(m.ms);
                        open.started = Some(m.ms);
                    }
                    Some(m) if m.is_absolute => open.ended = Some(m.ms),
                    // Without a zone it is no time of a record, and still tells whether it may be of this run.
                    Some(m) if name == "startTime" => {
                        notes.began(m);
                    }
                    Some(_) => {}
                    None => notes.undated(at, name, value),
                },
                "outcome" => {
                    let said = words::outcome(value);
                    let (outcome, kind) = said.unwrap_or((Outcome::Unknown, FailureKind::Other));
                    if said.is_none() {
                        let word: String = value.chars().take(60).collect();
                        let text = format!("outcome=\"{word}\": nobody knows this outcome");
                        notes.tell(IssueKind::UnknownOutcome, at, text);
                    }
                    if words::is_unfinished(value) {
                        let text = format!("outcome=\"{value}\": the run did not end");
                        notes.tell(IssueKind::Incomplete, at, text);
                    }
                    // Said twice: the worse counts.
                    if open.outcome.is_none_or(|o| outcome.rank() > o.rank()) {
                        open.outcome = Some(outcome);
                        open.kind = kind;
                        open.raw = value.chars().take(60).collect();
                    }
                }
                _ => {}
            }
        });
        if tag.is_cut {
            open.outcome = Some(Outcome::Unknown.worse(open.outcome.unwrap_or(Outcome::Pass)));
        }
        if open.outcome.is_none() {
            self.notes
                .tell(IssueKind::UnknownOutcome, at, "a result without an outcome");
        }
        if let (0, Some(outer)) = (open.test, self.results.last()) {
            open.test = outer.test;
        }
        self.planned.has_result(open.test);
        self.results.push(open);
    }

    fn close_result(&mut self, place: Place, end: End) {
        let Some(mut open) = self.results.pop() else {
            return;
        };
        let mut outcome = open.outcome.unwrap_or(Outcome::Unknown);
        if end == End::Cut {
            outcome = outcome.worse(Outcome::Unknown);
        }
        // An error that is told of a test that passed.
        let (message, cut) = open.message.take(self.limits.message);
        let (trace, longer) = open.trace.take(self.limits.trace);
        let is_first = self.results.is_empty();
        self.tally.add(outcome, &open.raw, is_first, open.rows > 0);
        let worst = open.worst.map_or(outcome, |worst| worst.worse(outcome));
        if let Some(outer) = self.results.last_mut() {
            outer.rows += 1;
            outer.worst = Some(outer.worst.map_or(worst, |w| w.worse(worst)));
        }
        // What holds rows is told by them, unless it is worse than they are.
        if open
            .worst
            .is_some_and(|rows| !outcome.is_bad() || rows.is_bad())
        {
            return;
        }
        let (message, skipped) = if matches!(outcome, Outcome::Skip(_)) {
            (String::new(), Some(message))
        } else {
            (message, None)
        };
        let mut failures = Vec::new();
        if outcome.is_bad() {
            let kind = words::kind(open.kind, &message);
            failures.push(Failure {
                kind,
                class: words::class(&message),
                message: if message.is_empty() && trace.is_empty() {
                    format!("the report says `{}`", super::gather::short(&open.raw, 60))
                } else {
                    message
                },
                trace,
                location: None,
                truncated: cut || longer,
            });
        }
        let span = match (open.started, open.ended) {
            (Some(from), Some(to)) if to >= from => Some((from, to)),
            _ => None,
        };
        let attempt = Attempt {
            test: TestId::new("", "", &open.name),
            file: None,
            number: 1,
            outcome,
            raw: open.raw,
            started_ms: open.started,
            seconds: open.seconds,
            cached: false,
            failures,
            skipped,
            output: open.output.take(self.limits.output),
            place,
        };
        self.hold(Held {
            test: open.test,
            attempt,
            span,
        });
    }

    fn hold(&mut self, held: Held) {
        if self.is_full || self.definitions.contains_key(&held.test) {
            self.give(held);
            return;
        }
        let attempt = &held.attempt;
        self.held_bytes += std::mem::size_of::<Held>()
            + attempt.output.len()
            + attempt.test.name.len()
            + attempt
                .failures
                .iter()
                .map(|f| f.message.len() + f.trace.len() + 200)
                .sum::<usize>();
        let at = attempt.place.from;
        self.held.push(held);
        if self.held_bytes > HELD {
            self.is_full = true;
            self.notes.tell(
                IssueKind::OddValue,
                at,
                "too many results before their definitions: they are given without their class",
            );
            for held in std::mem::take(&mut self.held) {
                self.give(held);
            }
        }
    }

    fn give(&mut self, held: Held) {
        let mut attempt = held.attempt;
        if let Some((suite, class)) = self.definitions.get(&held.test) {
            attempt.test.suite.clone_from(suite);
            attempt.test.class.clone_from(class);
            // Most adapters name a test with its class.
            if let Some(name) = attempt.test.name.strip_prefix(class.as_str())
                && let Some(name) = name.strip_prefix('.')
                && !name.is_empty()
            {
                attempt.test.name = name.to_owned();
            }
        }
        if attempt.test.name.is_empty() {
            "(unnamed)".clone_into(&mut attempt.test.name);
            self.notes.tell(
                IssueKind::OddValue,
                attempt.place.from,
                "a result without a name",
            );
        }
        let hash = ids::hash(&attempt.test);
        match self.ids.see(hash, hash, held.span) {
            Seen::First | Seen::Unchecked => {}
            Seen::Again(n) => attempt.number = n,
            Seen::Before => {
                let text = format!("{}: there are two tests of this name", attempt.test);
                self.notes
                    .tell(IssueKind::Collision, attempt.place.from, text);
            }
        }
        self.notes.count(attempt.outcome);
        self.sink.attempt(attempt);
    }

    fn open_definition(&mut self, tag: &Tag<'_>) {
        let mut unit = Unit::default();
        let value = &mut self.value;
        tag.attributes(&self.limits, &mut self.notes, |_, name, raw| {
            xml::plain(raw, value);
            match name {
                "id" => unit.id = key(value),
                "name" => unit.name.clone_from(value),
                "storage" => unit.suite = words::leaf(value),
                _ => {}
            }
        });
        self.unit = Some(unit);
    }

    /// A test that is to be run.
    fn entry(&mut self, tag: &Tag<'_>) {
        let value = &mut self.value;
        let mut test = None;
        tag.attributes(&self.limits, &mut self.notes, |_, name, raw| {
            if name == "testId" {
                xml::plain(raw, value);
                test = Some(Test {
                    id: key(value),
                    name: value.clone(),
                    place: tag.place,
                });
            }
        });
        if let Some(test) = test {
            self.planned.entered(test);
        }
    }

    fn method(&mut self, tag: &Tag<'_>) {
        let Some(unit) = &mut self.unit else {
            return;
        };
        let value = &mut self.value;
        tag.attributes(&self.limits, &mut self.notes, |_, name, raw| {
            xml::plain(raw, value);
            match name {
                // With the assembly's name behind a comma, in older ones.
                "className" => {
                    let class = value.split(',').next().unwrap_or("");
                    unit.class = Name::new(class);
                }
                "codeBase" => unit.suite = words::leaf(value),
                _ => {}
            }
        });
    }

    fn open_run(&mut self, tag: &Tag<'_>) {
        let mut run = Open::default();
        let value = &mut self.value;
        tag.attributes(&self.limits, &mut self.notes, |_, name, raw| {
            if name == "outcome" {
                xml::plain(raw, value);
                run.raw = value.chars().take(60).collect();
            }
        });
        self.run = Some(run);
    }

    fn close_run(&mut self, place: Place) {
        let Some(mut run) = self.run.take() else {
            return;
        };
        let (message, cut) = run.message.take(self.limits.message);
        if matches!(words::outcome(&run.raw), Some((Outcome::Pass, _)))
            || run.raw.eq_ignore_ascii_case("Warning")
            || run.raw.eq_ignore_ascii_case("Completed")
        {
            let text: String = message.chars().take(120).collect();
            let text = format!("the run says: {text}");
            self.notes.tell(IssueKind::OddValue, place.from, text);
            return;
        }
        if words::is_unfinished(&run.raw) {
            let text = format!("the run says `{}`", run.raw);
            self.notes.tell(IssueKind::Incomplete, place.from, text);
        }
        self.itself(run.raw, message, cut, place);
    }

    /// Gives what the run itself complains of as a failed test.
    fn itself(&mut self, raw: String, message: String, truncated: bool, place: Place) {
        let kind = match words::kind(FailureKind::Other, &message) {
            FailureKind::Other => FailureKind::Setup,
            kind => kind,
        };
        let attempt = Attempt {
            test: TestId::new("", "", "(run)"),
            file: None,
            number: 1,
            outcome: Outcome::Error,
            raw,
            started_ms: None,
            seconds: None,
            cached: false,
            failures: vec![Failure {
                kind,
                class: String::new(),
                message,
                trace: String::new(),
                location: None,
                truncated,
            }],
            skipped: None,
            output: String::new(),
            place,
        };
        self.notes.count(attempt.outcome);
        self.sink.attempt(attempt);
    }

    fn summary(&mut self, tag: &Tag<'_>) {
        let value = &mut self.value;
        let mut outcome = String::new();
        tag.attributes(&self.limits, &mut self.notes, |_, name, raw| {
            if name == "outcome" {
                xml::plain(raw, value);
                outcome = value.chars().take(60).collect();
            }
        });
        self.summary = Some((outcome, tag.place.from));
    }

    fn finish(mut self, bytes: u64) -> Reading {
        for held in std::mem::take(&mut self.held) {
            self.give(held);
        }
        self.notes.reading.bytes = bytes;
        self.notes.reading.declared = self.declared.total;
        if !self.is_trx {
            let found = match (self.root.as_deref(), self.outside.as_deref()) {
                _ if bytes == 0 => "it is empty".to_owned(),
                (Some(root), _) if root.eq_ignore_ascii_case("html") => {
                    "it is an HTML page".to_owned()
                }
                (Some(root), _) => format!("its root is <{root}>"),
                (None, Some(text)) if text.starts_with(['{', '[']) => "it is JSON".to_owned(),
                (None, Some(text)) => format!("it begins with text: {text}"),
                (None, None) => "it has no element".to_owned(),
            };
            self.notes.reject(format!("no TRX report: {found}"));
            return self.notes.reading;
        }
        self.notes.settle_times();
        let unrun = self.unrun();
        self.reconcile(unrun);
        if let Some((outcome, at)) = self.summary.take() {
            self.conclude(outcome, at);
        } else if !self.notes.has(IssueKind::Truncated) {
            self.notes.tell(
                IssueKind::Incomplete,
                bytes,
                "the report has no summary of its run",
            );
        }
        if self.notes.reading.seen.attempts == 0 {
            self.notes
                .tell(IssueKind::NoTests, 0, "there is no test in the report");
        }
        self.notes.reading
    }

    /// Compares the counters with what is there.
    fn reconcile(&mut self, unrun: u64) {
        if let Some(text) = self.declared.against(&self.tally, unrun)
            && !self.notes.has(IssueKind::Truncated)
        {
            self.notes
                .tell(IssueKind::CountMismatch, self.declared.at, text);
        }
    }

    /// Gives the tests that the run has and of which it has no result. A report that was not read to its end may have one.
    fn unrun(&mut self) -> u64 {
        let planned = std::mem::take(&mut self.planned);
        if self.notes.has(IssueKind::Truncated) || self.notes.has(IssueKind::Limit) {
            return 0;
        }
        if planned.is_full() {
            let text = "too many tests to see whether each of them has a result";
            self.notes.tell(IssueKind::Limit, 0, text);
        }
        let unrun = planned.without_result();
        let count = unrun.len() as u64;
        for planned in unrun {
            let attempt = planned.attempt();
            let test = planned.id;
            self.give(Held {
                test,
                attempt,
                span: None,
            });
        }
        count
    }

    /// What the summary says of the whole run.
    fn conclude(&mut self, outcome: String, at: u64) {
        let seen = self.notes.reading.seen;
        let is_bad = seen.failed + seen.errors > 0;
        let said = words::outcome(&outcome);
        if words::is_unfinished(&outcome) || outcome == "Aborted" || outcome == "Timeout" {
            let text = format!("the run's outcome is {outcome}");
            self.notes.tell(IssueKind::Incomplete, at, text);
        }
        match said {
            _ if outcome == "Completed" || outcome == "Warning" => {}
            None => {
                let text = format!("the run's outcome is {outcome}, which nobody knows");
                self.notes.tell(IssueKind::UnknownOutcome, at, text);
            }
            Some((said, _)) if said.is_bad() && !is_bad => {
                let (message, _) = text::head(
                    format!("the run's outcome is {outcome}, no test's is").as_bytes(),
                    self.limits.message,
                );
                self.itself(outcome, message, false, Place { from: at, to: at });
            }
            Some((Outcome::Skip(SkipKind::Body | SkipKind::Other), _) | _) => {}
        }
    }
}

fn odd(notes: &mut Notes, at: u64, name: &str, value: &str) {
    if !notes.is_full(IssueKind::OddValue) {
        let value: String = value.chars().take(60).collect();
        let text = format!("{name}=\"{value}\" cannot be read");
        notes.tell(IssueKind::OddValue, at, text);
    }
}

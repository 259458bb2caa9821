//! What happened on the way to a failure, in order: events out of a log, a test log and attempts.
//!
//! Pure: text and attempts in, events out, bounded. An event says where it comes from and in which line it stands; a line that should be
//! JSON and is not is an event too, never passed over. The last event always says that all was looked at, or how much was left out.

mod twin;
mod twin_json;

use std::io::{self, BufRead};

use gonogo_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Attempt;
use crate::first_failure::clean;
use crate::run::LogFailure;

pub use twin::twin;
pub use twin_json::twin_json;

/// The schema of an event.
pub const SCHEMA: &str = "gonogo.suite.failure-timeline-event.v1";

/// The name of the run as a whole, where events name a suite.
pub const RUN: &str = "__run__";

/// Most bytes of a message and of a context.
const TEXT: usize = 1 << 10;

/// Most bytes of a line that are looked at.
const LINE: u64 = 64 << 10;

/// Where an event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The runner itself.
    Runner,
    /// A result: an attempt at a test.
    Result,
    /// What the command printed.
    Output,
    /// The structured log of tests, JSON lines.
    TestLog,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The run's own summary.
    RunSummary,
    /// A target failed, with its counts.
    SuiteFailureSummary,
    /// A test did not pass.
    TestResult,
    /// A list of failures begins.
    FailureListStart,
    /// One of its items.
    FailureListItem,
    /// What one test printed begins.
    FailureSection,
    /// A panic or an assertion.
    PanicAssertion,
    /// The runner says how to run it again.
    RerunHint,
    /// A line that should be JSON is none.
    InvalidJson,
    /// All was looked at.
    DiagnosticsComplete,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// [`SCHEMA`].
    pub schema: String,
    /// Of the run.
    pub correlation_id: String,
    /// The target, or [`RUN`].
    pub suite: String,
    /// From 1, without gaps.
    pub ordinal: u64,
    /// Where it comes from.
    pub source: Source,
    /// What happened.
    pub event_type: EventKind,
    /// Its line in the source, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_no: Option<u64>,
    /// The test, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// When, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<Timestamp>,
    /// Milliseconds since the run began, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub t_ms: Option<u64>,
    /// One line.
    pub message: String,
    /// More of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub context: String,
}

/// What a timeline is of.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Of the run.
    pub correlation_id: &'a str,
    /// The target, or [`RUN`].
    pub suite: &'a str,
    /// When it began.
    pub began: Option<Timestamp>,
    /// Most events; at least 2 are given.
    pub most: usize,
}

/// Gathers a timeline. Sources are given in the order in which they are to be told.
#[derive(Debug)]
pub struct Timeline<'a> {
    about: About<'a>,
    events: Vec<Event>,
    omitted: u64,
}

impl<'a> Timeline<'a> {
    /// Begins one.
    pub const fn new(about: About<'a>) -> Self {
        Self {
            about,
            events: Vec::new(),
            omitted: 0,
        }
    }

    /// Notes what the runner says of the whole.
    pub fn summary(&mut self, kind: EventKind, message: &str, at: Option<Timestamp>) {
        self.note(Source::Runner, kind, None, None, at, message, "");
    }

    /// Reads what the command printed.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn output(&mut self, source: &mut dyn BufRead) -> io::Result<()> {
        let mut test: Option<String> = None;
        // In a list of failures, which lines that say nothing more end.
        let mut in_list = false;
        each_line(source, |number, text| {
            let text = clean(text);
            let trimmed = text.trim();
            let found = event_of(trimmed, in_list);
            if let Some((kind, name)) = found {
                if kind == EventKind::FailureSection {
                    test = name.map(str::to_owned);
                }
                let is_own = !matches!(kind, EventKind::FailureListStart | EventKind::RerunHint);
                let about = name
                    .map(str::to_owned)
                    .or_else(|| test.clone().filter(|_| is_own));
                self.note(Source::Output, kind, Some(number), about, None, trimmed, "");
            }
            in_list = match found {
                Some((EventKind::FailureListStart, _)) => true,
                Some((EventKind::FailureListItem, _)) => true,
                Some(_) => false,
                None => in_list && trimmed.is_empty(),
            };
        })
    }

    /// Puts the first failure of a log among the events of the output, where its line stands; `is_output` says whether it is that log's line.
    /// Called behind [`Timeline::output`].
    pub fn found(&mut self, shown: &LogFailure, is_output: bool) {
        let found = &shown.found;
        let text = match is_output {
            true => found.header.clone(),
            false => format!("{}: {}", shown.place(), found.header),
        };
        let event = Event {
            line_no: is_output.then_some(found.line),
            test: found.test.as_deref().map(cut),
            context: cut(&found.failure.message),
            ..self.event(Source::Output, EventKind::PanicAssertion, &text)
        };
        let of_output = |e: &Event| e.source == Source::Output;
        let same = |e: &&mut Event| is_output && of_output(e) && e.line_no == Some(found.line);
        // A line that was told already says more now.
        if let Some(known) = self.events.iter_mut().find(same) {
            known.test = known.test.take().or(event.test);
            known.context = event.context;
            return;
        }
        let behind = |e: &Event| {
            !of_output(e) || (is_output && e.line_no.is_some_and(|line| line < found.line))
        };
        let mut at = self.events.iter().rposition(behind).map_or(0, |at| at + 1);
        // One is kept for the end.
        if self.events.len() + 1 >= self.about.most.max(2) && self.events.len() > 1 {
            self.events.pop();
            self.omitted += 1;
            at = at.min(self.events.len());
        }
        self.events.insert(at, event);
    }

    /// Reads a structured test log: JSON lines with `ts`, `level`, `category` and `message`. Only what went wrong becomes an event.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn test_log(&mut self, source: &mut dyn BufRead) -> io::Result<()> {
        #[derive(Deserialize)]
        struct Entry {
            #[serde(default)]
            ts: Option<String>,
            #[serde(default)]
            t_ms: Option<u64>,
            #[serde(default)]
            level: String,
            #[serde(default)]
            category: String,
            #[serde(default)]
            message: String,
            #[serde(default)]
            test: Option<String>,
        }
        each_line(source, |number, text| {
            if text.trim().is_empty() {
                return;
            }
            match serde_json::from_str::<Entry>(text) {
                Ok(entry) => {
                    let bad = ["error", "fatal", "critical"]
                        .contains(&entry.level.to_ascii_lowercase().as_str());
                    if bad {
                        let at = entry.ts.and_then(|ts| ts.parse().ok());
                        self.note(
                            Source::TestLog,
                            EventKind::PanicAssertion,
                            Some(number),
                            entry.test,
                            at,
                            &entry.message,
                            &entry.category,
                        );
                        if let (Some(last), Some(ms)) = (self.events.last_mut(), entry.t_ms)
                            && last.line_no == Some(number)
                            && last.source == Source::TestLog
                        {
                            last.t_ms = Some(ms);
                        }
                    }
                }
                Err(e) => {
                    let message = format!("line {number} is no entry of a test log: {e}");
                    self.note(
                        Source::TestLog,
                        EventKind::InvalidJson,
                        Some(number),
                        None,
                        None,
                        &message,
                        text,
                    );
                }
            }
        })
    }

    /// Adds the attempts that went wrong, by their time and then by their place in the report.
    pub fn attempts<'b>(&mut self, attempts: impl IntoIterator<Item = &'b Attempt>) {
        // What is beyond the limit is counted and not kept, so the sort is bounded too.
        let mut bad: Vec<&Attempt> = Vec::new();
        for attempt in attempts.into_iter().filter(|a| a.outcome.is_bad()) {
            bad.push(attempt);
        }
        bad.sort_by_key(|a| (a.started_ms.unwrap_or(i64::MAX), a.place.from, a.number));
        for attempt in bad {
            let failure = attempt.failures.first();
            let message = failure.map_or("", |f| {
                if f.message.is_empty() {
                    &f.trace
                } else {
                    &f.message
                }
            });
            let message = format!("{}: {message}", attempt.outcome.word());
            let at = attempt.started_ms.map(Timestamp::from_millis);
            let context = failure.map_or("", |f| f.trace.as_str());
            self.note(
                Source::Result,
                EventKind::TestResult,
                None,
                Some(attempt.test.to_string()),
                at,
                &message,
                context,
            );
        }
    }

    /// Ends it: all events, numbered, and as the last one that all was looked at.
    pub fn end(mut self) -> Vec<Event> {
        let message = match self.omitted {
            0 => format!("{} events", self.events.len()),
            n => format!("{} events; {n} more were left out", self.events.len()),
        };
        let last = self.event(Source::Runner, EventKind::DiagnosticsComplete, &message);
        self.events.push(last);
        for (ordinal, event) in (1..).zip(&mut self.events) {
            event.ordinal = ordinal;
        }
        self.events
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of an event, and it is private"
    )]
    fn note(
        &mut self,
        source: Source,
        kind: EventKind,
        line: Option<u64>,
        test: Option<String>,
        at: Option<Timestamp>,
        message: &str,
        context: &str,
    ) {
        // One is kept for the end.
        if self.events.len() + 1 >= self.about.most.max(2) {
            self.omitted += 1;
            return;
        }
        let event = self.event(source, kind, message.lines().next().unwrap_or_default());
        self.events.push(Event {
            line_no: line,
            test: test.map(|t| cut(&t)).filter(|t| !t.is_empty()),
            ts: at,
            t_ms: at
                .zip(self.about.began)
                .map(|(at, began)| at.since(began).as_millis()),
            context: cut(context),
            ..event
        });
    }

    fn event(&self, source: Source, event_type: EventKind, message: &str) -> Event {
        Event {
            schema: SCHEMA.to_owned(),
            correlation_id: self.about.correlation_id.to_owned(),
            suite: self.about.suite.to_owned(),
            ordinal: 0,
            source,
            event_type,
            line_no: None,
            test: None,
            ts: None,
            t_ms: None,
            message: cut(message),
            context: String::new(),
        }
    }
}

/// The event that a line of output is, and the test that it names.
fn event_of(text: &str, in_list: bool) -> Option<(EventKind, Option<&str>)> {
    use EventKind::{
        FailureListItem, FailureListStart, FailureSection, PanicAssertion, RerunHint, TestResult,
    };
    let rest = |mark: &str| text.strip_prefix(mark);
    if text.is_empty() {
        return None;
    }
    if let Some(rest) = rest("test ")
        && let Some(name) = rest.strip_suffix(" ... FAILED")
    {
        return Some((TestResult, Some(name)));
    }
    if let Some(name) = rest("--- FAIL: ") {
        return Some((TestResult, name.split(" (").next()));
    }
    if text == "failures:"
        || text == "Failed Tests:"
        || (text.starts_with("==")
            && (text.contains(" FAILURES ")
                || text.contains(" ERRORS ")
                || text.contains(" short test summary info ")))
    {
        return Some((FailureListStart, None));
    }
    if let Some(name) = rest("---- ").and_then(|r| r.strip_suffix(" stdout ----")) {
        return Some((FailureSection, Some(name)));
    }
    if text.len() > 8 && text.starts_with("____") && text.ends_with("____") {
        return Some((FailureSection, Some(text.trim_matches('_').trim())));
    }
    if let Some(name) = rest("● ").filter(|n| *n != "Console") {
        return Some((FailureSection, Some(name)));
    }
    if let Some(name) = rest("FAIL: ").or_else(|| rest("FAIL  ")) {
        return Some((FailureSection, Some(name.trim())));
    }
    if let Some(rest) = rest("FAILED ").filter(|r| r.contains("::")) {
        return Some((FailureListItem, rest.split(" - ").next()));
    }
    if text.contains("' panicked at ")
        || (text.starts_with("thread '") && text.contains(") panicked at "))
    {
        return Some((PanicAssertion, None));
    }
    let asserts = [
        "E   ",
        "AssertionError",
        "panic: ",
        "assertion `",
        "assertion failed",
    ];
    if asserts.iter().any(|mark| text.starts_with(mark))
        || text.contains("<<< FAILURE!")
        || text.contains("<<< ERROR!")
    {
        return Some((PanicAssertion, None));
    }
    if text.contains("to rerun pass `") || text.starts_with("note: run with `RUST_BACKTRACE") {
        return Some((RerunHint, None));
    }
    // libtest's list: one name a line.
    let is_name = text.contains("::") && !text.contains(' ');
    (in_list && is_name).then_some((FailureListItem, Some(text)))
}

/// Lines of a source, bounded.
fn each_line(source: &mut dyn BufRead, mut take: impl FnMut(u64, &str)) -> io::Result<()> {
    let mut number = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = io::Read::take(&mut *source, LINE);
        if limited.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        number += 1;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() as u64 == LINE {
            // The rest of it.
            source.skip_until(b'\n')?;
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        take(number, &String::from_utf8_lossy(&line));
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

//! libtest's JSON lines: `--format json` of a nightly toolchain, and those of nextest, plain and with its additions.
//!
//! The stream has no names of binaries, only where each begins and ends; nextest puts them into the tests' names
//! (`crate::binary$test`, a further attempt with `#2` behind it), and cargo's own lines may stand between. Invariants: a test that
//! began and did not end is an error; the counts at the end of a binary are held against what was read.

use std::collections::BTreeMap;
use std::io::BufRead;

use super::gather::{self, Gather};
use super::json::{Broken, Json, Kind, Value};
use super::lines::{self, Line, Log};
use super::{Format, Limits, Parse, Reading, Sink, text};
use crate::{FailureKind, IssueKind, Outcome, Place, SkipKind, TestId};

/// Tests that run at one time, at most.
const RUNNING: usize = 16_384;

/// What every event has.
const MARK: &str = "\"type\"";

/// One event.
#[derive(Default)]
struct Event {
    kind: String,
    event: String,
    name: String,
    stdout: String,
    message: String,
    reason: String,
    seconds: Option<f64>,
    odd: bool,
    test_count: Option<u64>,
    passed: Option<u64>,
    failed: Option<u64>,
    ignored: Option<u64>,
    measured: Option<u64>,
    suite: String,
}

#[derive(Default)]
struct Suite {
    name: String,
    /// The file that is run, of cargo's own line.
    open: bool,
    declared: Option<u64>,
    passed: u64,
    failed: u64,
    ignored: u64,
    measured: u64,
    place: Place,
}

struct Stream<'a> {
    gather: Gather<'a>,
    suite: Suite,
    /// Of cargo's line, for the binary that begins next.
    next: String,
    running: BTreeMap<String, Place>,
    any: bool,
}

pub(super) fn read(source: &mut dyn BufRead, limits: &Limits, sink: &mut dyn Sink) -> Reading {
    let mut stream = Stream {
        gather: Gather::new(Format::LibtestJson, limits, sink),
        suite: Suite::default(),
        next: String::new(),
        running: BTreeMap::new(),
        any: false,
    };
    let ended = lines::each(source, limits, &mut stream);
    let at = ended.at;
    stream.close(at);
    if !stream.any {
        let found = gather::found(&ended.head);
        let text = format!("no event of libtest is in it: it is {found}");
        stream.gather.tell(IssueKind::Unparsable, 0, text);
        stream.gather.reading.parse = Parse::Rejected;
    }
    stream.gather.finish(at)
}

impl<'a> Log<'a> for Stream<'a> {
    fn gather(&mut self) -> &mut Gather<'a> {
        &mut self.gather
    }

    fn line(&mut self, line: &Line<'_>) {
        let Some(from) = memchr::memchr(b'{', line.bytes) else {
            self.other(line.bytes, line.place);
            return;
        };
        let mut rest = &line.bytes[from..];
        match event(&mut rest, self.gather.limits) {
            Ok(event) if matches!(event.kind.as_str(), "suite" | "test" | "bench" | "report") => {
                self.any = true;
                self.event(event, line.place);
            }
            // Something else's JSON.
            Ok(_) => {}
            Err(broken) => {
                self.any |= memchr::memmem::find(line.bytes, MARK.as_bytes()).is_some();
                line.broken(&mut self.gather, &[MARK], &broken);
            }
        }
    }
}

impl Stream<'_> {
    /// A line of cargo, or of a test.
    fn other(&mut self, line: &[u8], place: Place) {
        let plain = text::plain(line);
        let rest = plain.trim_start();
        if let Some(rest) = rest.strip_prefix("Running ") {
            // Its name without the hash and the directory.
            let file = rest.rsplit_once(" (").map_or(rest, |(_, file)| file);
            let file = file.trim_end_matches(')');
            let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
            name.rsplit_once('-')
                .map_or(name, |(stem, _)| stem)
                .clone_into(&mut self.next);
        } else if rest.contains("process didn't exit successfully: ")
            || rest.starts_with("error: could not compile")
        {
            let test = TestId::new(&self.suite.name, "", "(process)");
            let mut attempt = gather::attempt(test, Outcome::Error, "", place);
            attempt.number = self.gather.next_number(&attempt.test);
            let kind = if rest.contains("(signal: ") {
                FailureKind::Crash
            } else if rest.starts_with("error: could not compile") {
                FailureKind::Compile
            } else {
                FailureKind::Other
            };
            attempt
                .failures
                .push(gather::failure(self.gather.limits, kind, rest, ""));
            self.gather.add(attempt);
        }
    }

    fn event(&mut self, event: Event, place: Place) {
        match (event.kind.as_str(), event.event.as_str()) {
            ("suite", "started") => {
                self.close(place.from);
                let mut name = std::mem::take(&mut self.next);
                if !event.suite.is_empty() {
                    name = event.suite;
                }
                self.suite = Suite {
                    name,
                    open: true,
                    declared: event.test_count,
                    place,
                    ..Suite::default()
                };
                let declared = self.gather.reading.declared.unwrap_or(0);
                self.gather.reading.declared =
                    Some(declared.saturating_add(event.test_count.unwrap_or(0)));
            }
            ("suite", "ok" | "failed") => self.ended(&event, place),
            ("test" | "bench", "started") => {
                if self.running.len() < RUNNING {
                    self.running.insert(event.name, place);
                } else {
                    let text = format!("more than {RUNNING} tests run at one time");
                    self.gather.tell(IssueKind::Limit, place.from, text);
                }
            }
            ("test", "timeout") => {
                // Only that it runs longer than a minute; how it ends is told later.
            }
            ("test" | "bench", _) => self.test(event, place),
            ("report", _) => {}
            _ => {
                let text = format!("no event is known as `{}`", event.event);
                self.gather
                    .tell(IssueKind::UnknownOutcome, place.from, text);
            }
        }
    }

    fn id(&self, name: &str) -> (TestId, u32) {
        let Some((binary, test)) = name.split_once('$') else {
            return (TestId::new(&self.suite.name, "", name), 1);
        };
        let (test, number) = match test.rsplit_once('#') {
            Some((name, number)) => match number.parse() {
                Ok(number) => (name, number),
                Err(_) => (test, 1),
            },
            None => (test, 1),
        };
        (TestId::new(binary, "", test), number)
    }

    fn test(&mut self, event: Event, place: Place) {
        let began = self.running.remove(&event.name);
        let (test, number) = self.id(&event.name);
        let limits = self.gather.limits;
        let outcome = if event.kind == "bench" {
            self.suite.measured += 1;
            Outcome::Pass
        } else {
            match event.event.as_str() {
                "ok" => {
                    self.suite.passed += 1;
                    Outcome::Pass
                }
                "failed" => {
                    self.suite.failed += 1;
                    Outcome::Fail
                }
                "ignored" => {
                    self.suite.ignored += 1;
                    Outcome::Skip(SkipKind::Declared)
                }
                "allowed_failure" => {
                    self.suite.passed += 1;
                    Outcome::ExpectedFailure
                }
                word => {
                    let text = format!("no outcome is known as `{word}`");
                    self.gather
                        .tell(IssueKind::UnknownOutcome, place.from, text);
                    Outcome::Unknown
                }
            }
        };
        if event.odd {
            self.gather.tell(
                IssueKind::OddValue,
                place.from,
                format!("the time of `{test}` cannot be read"),
            );
        }
        let raw = if event.kind == "bench" {
            "bench"
        } else {
            &event.event
        };
        let mut attempt = gather::attempt(
            test,
            outcome,
            raw,
            Place {
                from: began.map_or(place.from, |began| began.from),
                to: place.to,
            },
        );
        attempt.number = number;
        attempt.seconds = event.seconds;
        attempt.output = text::tail(event.stdout.as_bytes(), limits.output);
        if matches!(outcome, Outcome::Skip(_)) {
            attempt.skipped = (!event.message.is_empty()).then_some(event.message);
        } else if outcome == Outcome::Fail {
            attempt.failures.push(panic_of(
                limits,
                &event.stdout,
                &event.message,
                &event.reason,
            ));
        }
        self.gather.add(attempt);
    }

    fn ended(&mut self, event: &Event, place: Place) {
        self.unended(place.from);
        let suite = std::mem::take(&mut self.suite);
        let seen = [suite.passed, suite.failed, suite.ignored, suite.measured];
        let told = [event.passed, event.failed, event.ignored, event.measured];
        let differ = seen
            .iter()
            .zip(told)
            .any(|(seen, told)| told.is_some_and(|told| told != *seen));
        let total: u64 = seen.iter().sum();
        if !suite.open {
            self.gather.tell(
                IssueKind::Incomplete,
                place.from,
                "a binary ends that did not begin: the beginning is missing",
            );
        } else if differ
            || suite.declared.is_some_and(|declared| declared != total)
            || (event.event == "ok") != (suite.failed == 0)
        {
            let text = format!(
                "`{}` declares {:?} tests, {told:?} passed, failed, ignored, measured, and `{}`; there are {seen:?}",
                suite.name, suite.declared, event.event
            );
            self.gather.tell(IssueKind::CountMismatch, place.from, text);
        }
    }

    /// Tests that began and did not end.
    fn unended(&mut self, at: u64) {
        for (name, place) in std::mem::take(&mut self.running) {
            let (test, number) = self.id(&name);
            let mut attempt = gather::attempt(
                test,
                Outcome::Error,
                "started",
                Place {
                    from: place.from,
                    to: at,
                },
            );
            attempt.number = number;
            attempt.failures.push(gather::failure(
                self.gather.limits,
                FailureKind::Other,
                "it began and has no result",
                "",
            ));
            self.gather.add(attempt);
        }
    }

    fn close(&mut self, at: u64) {
        self.unended(at);
        if self.suite.open {
            let suite = std::mem::take(&mut self.suite);
            let seen = suite.passed + suite.failed + suite.ignored + suite.measured;
            let text = format!(
                "the tests of `{}` have no end: {seen} of {:?} ended",
                suite.name, suite.declared
            );
            self.gather
                .tell(IssueKind::Incomplete, suite.place.from, text);
        }
    }
}

/// The failure in what a test printed.
fn panic_of(limits: &Limits, stdout: &str, message: &str, reason: &str) -> crate::Failure {
    let mut kind = FailureKind::Other;
    let mut location = None;
    let mut said = message.to_owned();
    let mut trace = "";
    if let Some(at) = stdout.find("panicked at ") {
        kind = FailureKind::Panic;
        let rest = &stdout[at + "panicked at ".len()..];
        trace = &stdout[stdout[..at].rfind('\n').map_or(0, |line| line + 1)..];
        let (first, more) = rest.split_once('\n').unwrap_or((rest, ""));
        if let Some((quoted, place)) = first
            .strip_prefix('\'')
            .and_then(|quoted| quoted.rsplit_once("', "))
        {
            quoted.clone_into(&mut said);
            location = gather::location(place);
        } else {
            location = gather::location(first);
            said = more
                .lines()
                .take_while(|line| {
                    !line.is_empty()
                        && !line.starts_with("stack backtrace:")
                        && !line.starts_with("note: ")
                })
                .collect::<Vec<_>>()
                .join("\n");
        }
        if said.starts_with("assertion ") {
            kind = FailureKind::Assertion;
        }
    } else if said.is_empty() {
        said = stdout
            .lines()
            .rfind(|line| line.starts_with("Error: "))
            .unwrap_or_default()
            .to_owned();
    } else if said.starts_with("test did not panic") {
        kind = FailureKind::Assertion;
    }
    if reason.contains("time limit exceeded") {
        kind = FailureKind::Timeout;
        if said.is_empty() {
            reason.clone_into(&mut said);
        }
    }
    crate::Failure {
        location,
        ..gather::failure(limits, kind, &said, trace)
    }
}

fn event(line: &mut &[u8], limits: &Limits) -> Result<Event, Broken> {
    let mut json = Json::new(line);
    let mut event = Event::default();
    if !json.enter(Kind::Object)? {
        return Ok(event);
    }
    while let Some(key) = json.key()? {
        if key == "nextest" {
            nextest(&mut json, &mut event)?;
            continue;
        }
        let most = match key.as_str() {
            "stdout" => limits.token,
            "name" => 4096,
            _ => limits.message * 4,
        };
        let value = json.value(most)?;
        match key.as_str() {
            "type" => event.kind = value.text().unwrap_or_default(),
            "event" => event.event = value.text().unwrap_or_default(),
            "name" => event.name = value.text().unwrap_or_default(),
            "stdout" => event.stdout = value.text().unwrap_or_default(),
            "message" => event.message = value.text().unwrap_or_default(),
            "reason" => event.reason = value.text().unwrap_or_default(),
            "exec_time" => match value {
                Value::Number(seconds) if seconds >= 0.0 && seconds.is_finite() => {
                    event.seconds = Some(seconds);
                }
                // Until 2022: `0.001s`.
                Value::Text(text, _) => {
                    event.seconds = text.trim_end_matches('s').parse().ok();
                    event.odd = event.seconds.is_none();
                }
                _ => event.odd = true,
            },
            "test_count" => event.test_count = value.count(),
            "passed" => event.passed = value.count(),
            "failed" => event.failed = value.count(),
            "ignored" => event.ignored = value.count(),
            "measured" => event.measured = value.count(),
            _ => {}
        }
    }
    Ok(event)
}

/// `"nextest": {"crate": …, "test_binary": …, "kind": …}`
fn nextest(json: &mut Json<'_, &[u8]>, event: &mut Event) -> Result<(), Broken> {
    let (mut package, mut binary) = (String::new(), String::new());
    if json.enter(Kind::Object)? {
        while let Some(key) = json.key()? {
            let value = json.value(1024)?;
            match key.as_str() {
                "crate" => package = value.text().unwrap_or_default(),
                "test_binary" => binary = value.text().unwrap_or_default(),
                _ => {}
            }
        }
    }
    event.suite = if package.is_empty() || binary.is_empty() {
        format!("{package}{binary}")
    } else {
        format!("{package}::{binary}")
    };
    Ok(())
}

//! libtest's JSON lines: `--format json` of a nightly toolchain, and those of nextest, plain and with its additions.
//!
//! The stream has no names of binaries, only where each begins and ends; nextest puts them into the tests' names ([`nextest`]), and
//! cargo's own lines may stand between. Invariants: a test that began and did not end is an error; the counts of a binary are held
//! against what was read.

mod nextest;

use std::collections::BTreeMap;
use std::io::BufRead;

use self::nextest::Binaries;
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
    /// A count that is none.
    odd_count: bool,
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
    /// Whether its tests are named as nextest names them.
    is_nextest: bool,
    place: Place,
}

struct Stream<'a> {
    gather: Gather<'a>,
    suite: Suite,
    /// Of cargo's line, for the binary that begins next.
    next: String,
    running: BTreeMap<String, Place>,
    /// Of nextest.
    binaries: Binaries,
    /// Whether a block has no end.
    is_cut: bool,
    /// Whether tests were told that are in no block.
    is_headless: bool,
    any: bool,
}

pub(super) fn read(source: &mut dyn BufRead, limits: &Limits, sink: &mut dyn Sink) -> Reading {
    let mut stream = Stream {
        gather: Gather::new(Format::LibtestJson, limits, sink),
        suite: Suite::default(),
        next: String::new(),
        running: BTreeMap::new(),
        binaries: Binaries::default(),
        is_cut: false,
        is_headless: false,
        any: false,
    };
    let ended = lines::each(source, limits, &mut stream);
    let at = ended.at;
    stream.close(at);
    stream.binaries_end(at);
    if !stream.any {
        let found = gather::found(&ended.head);
        let text = format!("no event of libtest is in it: it is {found}");
        stream.gather.tell(IssueKind::Unparsable, 0, text);
        stream.gather.reading.parse = Parse::Rejected;
    }
    stream.gather.finish(at)
}

impl<'a> Log<'a> for Stream<'a> {
    const TOKENS: usize = 32;

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
        if event.odd_count {
            let text = format!("a count of `{} {}` is no number", event.kind, event.event);
            self.gather.tell(IssueKind::CountMismatch, place.from, text);
        }
        let is_test = matches!(event.kind.as_str(), "test" | "bench");
        // Behind a block that has no end, that was told.
        if is_test && !self.suite.open && !self.is_headless && !self.is_cut {
            self.is_headless = true;
            let text =
                "tests of no binary: their beginning is missing, and how many there should be";
            self.gather.tell(IssueKind::Incomplete, place.from, text);
        }
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
                self.name(&event.name);
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

    /// A test of the block is named so.
    fn name(&mut self, name: &str) {
        let Some((binary, _)) = nextest::parts(name) else {
            return;
        };
        if self.suite.is_nextest {
            return;
        }
        self.suite.is_nextest = true;
        if self.binaries.is_known(binary) {
            // A further block declares the same tests.
            let reading = &mut self.gather.reading;
            reading.declared = match (reading.declared, self.suite.declared) {
                (Some(all), Some(own)) => Some(all.saturating_sub(own)),
                (all, _) => all,
            };
        }
        binary.clone_into(&mut self.suite.name);
    }

    fn id(&self, name: &str) -> TestId {
        match nextest::parts(name) {
            Some((binary, test)) => TestId::new(binary, "", test),
            None => TestId::new(&self.suite.name, "", name),
        }
    }

    /// The test that ended under a name: which, the number of its attempt, and where it began.
    fn ended_as(&mut self, name: &str) -> (TestId, u32, Option<Place>) {
        if let Some(began) = self.running.remove(name) {
            return (self.id(name), 1, Some(began));
        }
        match nextest::attempt(name) {
            Some((plain, number)) => (self.id(plain), number, self.running.remove(plain)),
            None => (self.id(name), 1, None),
        }
    }

    fn test(&mut self, event: Event, place: Place) {
        self.name(&event.name);
        let (test, number, began) = self.ended_as(&event.name);
        if let Some((name, _)) = nextest::parts(&event.name) {
            if let Some(binary) = self.binaries.of(name, self.suite.place.from) {
                binary.ended += 1;
                binary.told += u64::from(event.event == "ignored");
            } else {
                let text = format!("too many binaries to count the tests of `{name}`");
                self.gather.tell(IssueKind::Limit, place.from, text);
            }
        }
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
                &attempt.test.name,
                &event.stdout,
                &event.message,
                &event.reason,
            ));
        }
        if number > 1 {
            // nextest runs again what failed.
            let mut first =
                gather::attempt(attempt.test.clone(), Outcome::Fail, "rerun", attempt.place);
            let said = "it was run again; the report does not say why";
            let failure = gather::failure(limits, FailureKind::Other, said, "");
            first.failures.push(failure);
            self.gather.add(first);
        }
        self.gather.add(attempt);
    }

    fn ended(&mut self, event: &Event, place: Place) {
        self.unended(place.from);
        let suite = std::mem::take(&mut self.suite);
        let seen = [suite.passed, suite.failed, suite.ignored, suite.measured];
        let told = [event.passed, event.failed, event.ignored, event.measured];
        // How many are ignored, nextest says of all blocks of a binary at once.
        let ignored = if suite.is_nextest { None } else { told[2] };
        let compared = [told[0], told[1], ignored, told[3]];
        let differ = seen
            .iter()
            .zip(compared)
            .any(|(seen, told)| told.is_some_and(|told| told != *seen));
        let total: u64 = seen.iter().sum();
        let declared = suite.declared.filter(|_| !suite.is_nextest);
        if suite.is_nextest
            && let Some(binary) = self.binaries.of(&suite.name, suite.place.from)
        {
            binary.ignored = binary.ignored.max(told[2].unwrap_or(0));
            binary.declared = match binary.declared {
                Some(before) if before != suite.declared => Some(None),
                _ => Some(suite.declared),
            };
        }
        let is_uncounted = suite.declared.is_none() && told.iter().all(Option::is_none);
        if suite.open && is_uncounted {
            let text = format!("nothing says how many tests `{}` has", suite.name);
            self.gather.tell(IssueKind::Incomplete, place.from, text);
        }
        if !suite.open {
            self.gather.tell(
                IssueKind::Incomplete,
                place.from,
                "a binary ends that did not begin: the beginning is missing",
            );
        } else if differ
            || declared.is_some_and(|declared| declared != total)
            || (event.event == "ok") != (suite.failed == 0)
        {
            let told: Vec<String> = told.iter().map(|n| number(*n)).collect();
            let seen: Vec<String> = seen.iter().map(u64::to_string).collect();
            let text = format!(
                "`{}` declares {} tests, {} passed, failed, ignored, measured, and `{}`; there are {}",
                suite.name,
                number(suite.declared),
                told.join(", "),
                event.event,
                seen.join(", ")
            );
            self.gather.tell(IssueKind::CountMismatch, place.from, text);
        }
    }

    /// Tests that began and did not end, but those of nextest.
    fn unended(&mut self, at: u64) {
        let (later, now) = std::mem::take(&mut self.running)
            .into_iter()
            .partition(|(name, _)| nextest::parts(name).is_some());
        self.running = later;
        for (name, place) in now {
            let test = self.id(&name);
            self.without_end(test, place.from, at);
        }
    }

    fn without_end(&mut self, test: TestId, from: u64, to: u64) {
        let place = Place { from, to };
        let mut attempt = gather::attempt(test, Outcome::Error, "started", place);
        attempt.failures.push(gather::failure(
            self.gather.limits,
            FailureKind::Other,
            "it began and has no result",
            "",
        ));
        self.gather.add(attempt);
    }

    /// The end of all binaries of nextest.
    fn binaries_end(&mut self, at: u64) {
        let mut running: BTreeMap<String, Vec<(TestId, u64)>> = BTreeMap::new();
        for (name, place) in std::mem::take(&mut self.running) {
            let test = self.id(&name);
            let binary = nextest::parts(&name).map_or("", |(binary, _)| binary);
            let of_it = running.entry(binary.to_owned()).or_default();
            of_it.push((test, place.from));
        }
        let mut binaries = self.binaries.take();
        for name in running.keys() {
            binaries.entry(name.clone()).or_default();
        }
        for (name, binary) in binaries {
            let open = running.remove(&name).unwrap_or_default();
            let count = open.len() as u64;
            let are_ignored = !self.is_cut && binary.are_ignored(count);
            // A block that has no end is told as that.
            let is_told = self.is_cut && binary.declared.is_none();
            if !is_told && !binary.is_whole(count) {
                let text = format!(
                    "`{name}` declares {} tests, there are {}",
                    number(binary.declared.flatten()),
                    binary.ended + count
                );
                self.gather
                    .tell(IssueKind::CountMismatch, binary.from, text);
            }
            for (test, from) in open {
                if are_ignored {
                    let place = Place { from, to: from };
                    let skip = Outcome::Skip(SkipKind::Declared);
                    self.gather
                        .add(gather::attempt(test, skip, "started", place));
                } else {
                    self.without_end(test, from, at);
                }
            }
        }
    }

    fn close(&mut self, at: u64) {
        self.unended(at);
        if self.suite.open {
            self.is_cut = true;
            let suite = std::mem::take(&mut self.suite);
            let seen = suite.passed + suite.failed + suite.ignored + suite.measured;
            let text = format!(
                "the tests of `{}` have no end: {seen} of {} ended",
                suite.name,
                number(suite.declared)
            );
            self.gather
                .tell(IssueKind::Incomplete, suite.place.from, text);
        }
    }
}

/// A number that may not be told.
fn number(n: Option<u64>) -> String {
    n.map_or("unknown".to_owned(), |n| n.to_string())
}

/// The failure in what a test printed.
fn panic_of(
    limits: &Limits,
    test: &str,
    stdout: &str,
    message: &str,
    reason: &str,
) -> crate::Failure {
    let mut kind = FailureKind::Other;
    let mut location = None;
    let mut said = message.to_owned();
    let mut trace = "";
    if let Some(panicked) = gather::panicked(stdout, test) {
        (kind, said, location, trace) = panicked;
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
            additions(&mut json, &mut event)?;
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
            "test_count" | "passed" | "failed" | "ignored" | "measured" => {
                let count = value.count();
                event.odd_count |= count.is_none();
                let field = match key.as_str() {
                    "test_count" => &mut event.test_count,
                    "passed" => &mut event.passed,
                    "failed" => &mut event.failed,
                    "ignored" => &mut event.ignored,
                    _ => &mut event.measured,
                };
                *field = count;
            }
            _ => {}
        }
    }
    Ok(event)
}

/// `"nextest": {"crate": …, "test_binary": …, "kind": …}`
fn additions(json: &mut Json<'_, &[u8]>, event: &mut Event) -> Result<(), Broken> {
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

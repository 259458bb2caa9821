//! pytest's report log: `--report-log` of pytest-reportlog, one JSON object a line.
//!
//! Set-up, call and tear-down of a test are three reports of one attempt: the worst counts, all are kept. Reruns are attempts.
//! Invariants: a test is green only if its call was reported and passed; what began and was not torn down is an error; the exit
//! status at the end is held against what was read; without it the report is incomplete.

use std::collections::{HashMap, HashSet};
use std::io::BufRead;

use super::gather::{self, Gather};
use super::json::{Broken, Json, Kind, Value};
use super::lines::{self, Line, Log};
use super::{Format, Limits, Parse, Reading, Sink, text};
use crate::located::is_library;
use crate::{
    Attempt, Failure, FailureKind, IssueKind, Location, Name, Outcome, Place, SkipKind, TestId,
};

/// Tests that are between set-up and tear-down at one time, at most.
const OPEN: usize = 4096;

#[derive(Default)]
struct Report {
    kind: String,
    node: String,
    when: String,
    outcome: String,
    xfail: Option<String>,
    repr: Repr,
    seconds: Option<f64>,
    start: Option<f64>,
    rerun: Option<u64>,
    output: String,
    file: Option<String>,
    exit: Option<u64>,
    has_exit: bool,
    odd: bool,
}

/// `longrepr`: a text, `[file, line, reason]`, or an object.
#[derive(Default)]
struct Repr {
    message: String,
    trace: String,
    location: Option<Location>,
    /// The innermost entry that is in no library.
    own: Option<Location>,
}

struct Open {
    outcome: Option<Outcome>,
    raw: String,
    failures: Vec<(u8, Failure)>,
    skipped: Option<String>,
    output: String,
    file: Option<String>,
    seconds: Option<f64>,
    started_ms: Option<i64>,
    rerun: Option<u64>,
    has_call: bool,
    place: Place,
}

struct Stream<'a> {
    gather: Gather<'a>,
    open: HashMap<String, Open>,
    reran: HashSet<TestId>,
    bad: bool,
    exit: Option<Option<u64>>,
    any: bool,
}

pub(super) fn read(source: &mut dyn BufRead, limits: &Limits, sink: &mut dyn Sink) -> Reading {
    let mut stream = Stream {
        gather: Gather::new(Format::PytestLog, limits, sink),
        open: HashMap::new(),
        reran: HashSet::new(),
        bad: false,
        exit: None,
        any: false,
    };
    let ended = lines::each(source, limits, &mut stream);
    stream.end(ended.at, &ended.head)
}

impl<'a> Log<'a> for Stream<'a> {
    const TOKENS: usize = 32;

    fn gather(&mut self) -> &mut Gather<'a> {
        &mut self.gather
    }

    fn line(&mut self, line: &Line<'_>) {
        let Some(from) = memchr::memchr(b'{', line.bytes) else {
            return;
        };
        let mut report = Report::default();
        match parse(&line.bytes[from..], self.gather.limits, &mut report) {
            Ok(()) if report.kind.is_empty() => {}
            Ok(()) => {
                self.any = true;
                self.report(report, line.place);
            }
            Err(broken) => {
                line.broken(
                    &mut self.gather,
                    &["\"nodeid\"", "\"$report_type\""],
                    &broken,
                );
            }
        }
    }
}

impl Stream<'_> {
    fn report(&mut self, report: Report, place: Place) {
        if report.odd {
            let text = format!("a time of `{}` cannot be read", report.node);
            self.gather.tell(IssueKind::OddValue, place.from, text);
        }
        match report.kind.as_str() {
            "TestReport" | "SubTestReport" | "SubtestReport" => self.test(report, place),
            "CollectReport" => self.collected(report, place),
            "SessionFinish" if report.has_exit => self.exit = Some(report.exit),
            // Reports of plugins that have an outcome are not passed over in silence.
            "SessionStart" | "SessionFinish" | "WarningMessage" => {}
            kind if !report.outcome.is_empty() => {
                let text = format!("no report is known as `{kind}`");
                self.gather
                    .tell(IssueKind::UnknownOutcome, place.from, text);
            }
            _ => {}
        }
    }

    fn collected(&mut self, report: Report, place: Place) {
        let limits = self.gather.limits;
        let outcome = match report.outcome.as_str() {
            "passed" => return,
            "skipped" => Outcome::Skip(SkipKind::Body),
            "failed" => Outcome::Error,
            word => {
                let text = format!("no outcome of a collection is known as `{word}`");
                self.gather
                    .tell(IssueKind::UnknownOutcome, place.from, text);
                Outcome::Unknown
            }
        };
        let mut test = id(&report.node);
        if test.suite.is_empty() {
            test.suite = std::mem::take(&mut test.name).into();
        } else if !test.name.is_empty() {
            test.class = Name::new(&format!("{} {}", test.class, test.name));
        }
        "(collection)".clone_into(&mut test.name);
        let mut attempt = gather::attempt(test, outcome, &report.outcome, place);
        attempt.number = self.gather.next_number(&attempt.test);
        if outcome == Outcome::Skip(SkipKind::Body) {
            attempt.skipped = Some(text::head(report.repr.message.as_bytes(), limits.message).0);
        } else {
            attempt
                .failures
                .push(failure(limits, FailureKind::Setup, report.repr));
            self.bad = true;
        }
        self.gather.add(attempt);
    }

    fn test(&mut self, report: Report, place: Place) {
        if self.open.len() >= OPEN && !self.open.contains_key(&report.node) {
            let text = format!("more than {OPEN} tests are set up at one time");
            self.gather.tell(IssueKind::Limit, place.from, text);
            self.abandon(place.from);
        }
        // A new set-up of a test that was not torn down.
        if report.when == "setup"
            && let Some(open) = self.open.remove(&report.node)
        {
            self.give(&report.node, open, false, place.from);
        }
        let limits = self.gather.limits;
        let open = self
            .open
            .entry(report.node.clone())
            .or_insert_with(|| Open {
                outcome: None,
                raw: String::new(),
                failures: Vec::new(),
                skipped: None,
                output: String::new(),
                file: None,
                seconds: None,
                started_ms: None,
                rerun: None,
                has_call: false,
                place,
            });
        open.place.to = place.to;
        open.file = open.file.take().or(report.file);
        open.rerun = open.rerun.or(report.rerun);
        if let Some(seconds) = report.seconds {
            open.seconds = Some(open.seconds.unwrap_or(0.0) + seconds);
        }
        open.started_ms = open
            .started_ms
            .or(report.start.map(|start| (start * 1000.0) as i64));
        if !report.output.is_empty() {
            open.output = report.output;
        }
        let is_call = report.when == "call";
        open.has_call |= is_call;
        let mut unknown = None;
        let outcome = match report.outcome.as_str() {
            "passed" if is_call && report.xfail.is_some() => Some(Outcome::UnexpectedPass),
            "passed" if is_call => Some(Outcome::Pass),
            "passed" => None,
            "skipped" => Some(match &report.xfail {
                Some(reason) if reason.starts_with("[NOTRUN]") => Outcome::Skip(SkipKind::Declared),
                Some(_) => Outcome::ExpectedFailure,
                None if is_call => Outcome::Skip(SkipKind::Body),
                None => Outcome::Skip(SkipKind::Declared),
            }),
            "failed" | "rerun" if is_call => Some(Outcome::Fail),
            "failed" | "rerun" => Some(Outcome::Error),
            word => {
                unknown = Some(word.to_owned());
                Some(Outcome::Unknown)
            }
        };
        let is_teardown = report.when == "teardown";
        if let Some(outcome) = outcome {
            let is_worse = open
                .outcome
                .is_none_or(|before| outcome.rank() > before.rank());
            if is_worse {
                open.outcome = Some(outcome);
            }
            if is_worse && open.raw != "rerun" {
                report.outcome.clone_into(&mut open.raw);
            }
            match outcome {
                Outcome::Pass | Outcome::UnexpectedPass => {
                    open.skipped = report.xfail.clone().or(open.skipped.take());
                }
                Outcome::Skip(_) | Outcome::ExpectedFailure => {
                    let said = report.xfail.clone().unwrap_or_else(|| {
                        report
                            .repr
                            .message
                            .strip_prefix("Skipped: ")
                            .unwrap_or(&report.repr.message)
                            .to_owned()
                    });
                    open.skipped = Some(text::head(said.as_bytes(), limits.message).0);
                }
                _ if open.failures.len() < limits.failures => {
                    let kind = match report.when.as_str() {
                        "setup" => FailureKind::Setup,
                        "teardown" => FailureKind::Teardown,
                        _ => FailureKind::Other,
                    };
                    open.failures
                        .push((outcome.rank(), failure(limits, kind, report.repr)));
                }
                _ => {}
            }
        }
        if let Some(word) = unknown {
            let text = format!("no outcome is known as `{word}`");
            self.gather
                .tell(IssueKind::UnknownOutcome, place.from, text);
        }
        if is_teardown && let Some(open) = self.open.remove(&report.node) {
            self.give(&report.node, open, true, place.to);
        }
    }

    fn give(&mut self, node: &str, open: Open, has_ended: bool, at: u64) {
        let test = id(node);
        let mut outcome = open.outcome.unwrap_or(Outcome::Unknown);
        let mut failures: Vec<(u8, Failure)> = open.failures;
        failures.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        let mut failures: Vec<Failure> = failures.into_iter().map(|(_, failure)| failure).collect();
        if !has_ended {
            outcome = outcome.worse(Outcome::Error);
            let text = "it began and was not torn down";
            failures.push(gather::failure(
                self.gather.limits,
                FailureKind::Other,
                text,
                "",
            ));
        } else if open.outcome.is_none() {
            let text = format!("`{test}` was set up and torn down, and never called");
            self.gather
                .tell(IssueKind::Incomplete, open.place.from, text);
        }
        let number = match open.rerun {
            Some(rerun) => u32::try_from(rerun).unwrap_or(u32::MAX).saturating_add(1),
            None if self.reran.contains(&test) => self.gather.next_number(&test),
            None => 1,
        };
        let is_rerun = open.raw == "rerun";
        if is_rerun && self.reran.len() < 10_000 {
            self.reran.insert(test.clone());
        }
        self.bad |= !is_rerun && matches!(outcome, Outcome::Fail | Outcome::Error);
        let attempt = Attempt {
            file: open.file,
            number,
            seconds: open.seconds,
            started_ms: open.started_ms,
            failures,
            skipped: open.skipped,
            output: open.output,
            ..gather::attempt(
                test,
                outcome,
                &open.raw,
                Place {
                    from: open.place.from,
                    to: open.place.to.min(at).max(open.place.from),
                },
            )
        };
        self.gather.add(attempt);
    }

    fn abandon(&mut self, at: u64) {
        let mut open: Vec<(String, Open)> = self.open.drain().collect();
        open.sort_by(|a, b| a.0.cmp(&b.0));
        for (node, open) in open {
            self.give(&node, open, false, at);
        }
    }

    fn end(mut self, at: u64, head: &[u8]) -> Reading {
        self.abandon(at);
        if !self.any {
            let found = gather::found(head);
            let text = format!("no report of pytest is in it: it is {found}");
            self.gather.tell(IssueKind::Unparsable, 0, text);
            self.gather.reading.parse = Parse::Rejected;
            return self.gather.finish(at);
        }
        let bad = self.bad;
        match self.exit {
            None => self.gather.tell(
                IssueKind::Incomplete,
                at,
                "there is no end of the session: it was cut off",
            ),
            Some(Some(0)) if bad => self.gather.tell(
                IssueKind::CountMismatch,
                at,
                "the session ended with 0, and there are failures",
            ),
            Some(Some(0)) => {}
            Some(Some(1)) if bad => {}
            Some(Some(1)) => self.gather.tell(
                IssueKind::CountMismatch,
                at,
                "the session ended with 1, and no failure is there",
            ),
            Some(Some(5)) => {
                self.gather
                    .tell(IssueKind::NoTests, at, "the session found no test (5)")
            }
            Some(status) => {
                let what = match status {
                    Some(2) => "interrupted",
                    Some(3) => "an internal error",
                    Some(4) => "wrong usage",
                    Some(6) => "too many warnings",
                    _ => "nobody knows what",
                };
                let code = status.map_or("no exit code".to_owned(), |n| n.to_string());
                let text = format!("the session ended with {code}: {what}");
                self.gather.tell(IssueKind::Incomplete, at, text);
            }
        }
        self.gather.finish(at)
    }
}

fn failure(limits: &Limits, kind: FailureKind, repr: Repr) -> Failure {
    let message = if repr.message.is_empty() {
        repr.trace.lines().last().unwrap_or_default().to_owned()
    } else {
        repr.message
    };
    let class = message
        .split_once(':')
        .map(|(class, _)| class)
        .filter(|class| {
            !class.is_empty()
                && class
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
        })
        .unwrap_or_default()
        .to_owned();
    let kind = match kind {
        FailureKind::Other => {
            let first = message.lines().next().unwrap_or_default();
            if first.starts_with("Failed: Timeout") || first.contains("Timeout (>") {
                FailureKind::Timeout
            } else if ["assert ", "AssertionError", "[XPASS(strict)]"]
                .iter()
                .any(|start| first.starts_with(start))
            {
                FailureKind::Assertion
            } else if first.starts_with("MemoryError") {
                FailureKind::OutOfMemory
            } else if class.is_empty() || class == "Failed" {
                FailureKind::Other
            } else {
                FailureKind::Panic
            }
        }
        kind => kind,
    };
    // What unittest or a package raised is mended where it was called.
    let location = match repr.location {
        Some(place) if is_library(&place.file) => repr.own,
        place => place,
    };
    Failure {
        class,
        location,
        ..gather::failure(limits, kind, &message, &repr.trace)
    }
}

/// `dir/test_a.py::TestGroup::test_b[x::y]`: file, class, name. Parameters may hold anything.
fn id(node: &str) -> TestId {
    let bracket = node.find('[').unwrap_or(node.len());
    let (path, parameters) = node.split_at(bracket);
    let mut parts = path.splitn(2, "::");
    let file = parts.next().unwrap_or_default();
    let Some(rest) = parts.next() else {
        return TestId::new("", "", node);
    };
    let (class, name) = rest.rsplit_once("::").unwrap_or(("", rest));
    TestId::new(file, class, &format!("{name}{parameters}"))
}

fn parse(line: &[u8], limits: &Limits, report: &mut Report) -> Result<(), Broken> {
    let mut source = line;
    let mut json = Json::new(&mut source);
    if !json.enter(Kind::Object)? {
        return Ok(());
    }
    while let Some(key) = json.key()? {
        match key.as_str() {
            "longrepr" => repr(&mut json, limits, &mut report.repr)?,
            "sections" => sections(&mut json, limits, &mut report.output)?,
            "location" => {
                if json.enter(Kind::Array)? {
                    let mut first = true;
                    while json.item()? {
                        let value = json.value(1024)?;
                        if std::mem::take(&mut first) {
                            report.file = value.text();
                        }
                    }
                }
            }
            "$report_type" => report.kind = json.value(256)?.text().unwrap_or_default(),
            "nodeid" => report.node = json.value(16_384)?.text().unwrap_or_default(),
            "when" => report.when = json.value(64)?.text().unwrap_or_default(),
            "outcome" => report.outcome = json.value(64)?.text().unwrap_or_default(),
            "wasxfail" => report.xfail = json.value(limits.message)?.text(),
            "duration" => {
                let value = json.value(64)?;
                report.seconds = value.number().filter(|s| s.is_finite() && *s >= 0.0);
                report.odd |= report.seconds.is_none();
            }
            "start" => {
                report.start = json.value(64)?.number().filter(|s| s.is_finite());
            }
            "rerun" => report.rerun = json.value(64)?.count(),
            "exitstatus" => {
                report.has_exit = true;
                report.exit = json.value(64)?.count();
            }
            _ => json.skip()?,
        }
    }
    Ok(())
}

fn repr(json: &mut Json<'_, &[u8]>, limits: &Limits, out: &mut Repr) -> Result<(), Broken> {
    match json.kind()? {
        Kind::Text => {
            let said = json.value(limits.trace * 2)?.text().unwrap_or_default();
            // The error's own lines begin with an E.
            out.message = said
                .lines()
                .find_map(|line| line.strip_prefix("E "))
                .unwrap_or_else(|| said.lines().next().unwrap_or_default())
                .trim()
                .to_owned();
            out.trace = said;
        }
        Kind::Array => {
            json.enter(Kind::Array)?;
            let mut location = Location::default();
            while json.item()? {
                match json.value(limits.message * 2)? {
                    Value::Text(text, _) if location.file.is_empty() => location.file = text,
                    Value::Text(text, _) => out.message = text,
                    Value::Number(line) if (1.0..4e9).contains(&line) => {
                        location.line = Some(line as u32);
                    }
                    _ => {}
                }
            }
            out.location = Some(location);
        }
        Kind::Object => {
            json.enter(Kind::Object)?;
            while let Some(key) = json.key()? {
                match key.as_str() {
                    "reprcrash" => crash(json, limits, out)?,
                    "reprtraceback" => traceback(json, limits, out)?,
                    "longrepr" => out.trace = json.texts(limits.trace * 2)?,
                    _ => json.skip()?,
                }
            }
        }
        _ => json.skip()?,
    }
    Ok(())
}

fn crash(json: &mut Json<'_, &[u8]>, limits: &Limits, out: &mut Repr) -> Result<(), Broken> {
    if !json.enter(Kind::Object)? {
        return Ok(());
    }
    let mut location = Location::default();
    while let Some(key) = json.key()? {
        let value = json.value(limits.message * 2)?;
        match key.as_str() {
            "path" => location.file = value.text().unwrap_or_default(),
            "lineno" => {
                location.line = value.count().and_then(|line| u32::try_from(line).ok());
            }
            "message" => out.message = value.text().unwrap_or_default(),
            _ => {}
        }
    }
    if !location.file.is_empty() {
        out.location = Some(location);
    }
    Ok(())
}

/// `{"reprentries": [{"data": {"lines": […]}}]}`
fn traceback(json: &mut Json<'_, &[u8]>, limits: &Limits, out: &mut Repr) -> Result<(), Broken> {
    if !json.enter(Kind::Object)? {
        return Ok(());
    }
    while let Some(key) = json.key()? {
        if key != "reprentries" || !json.enter(Kind::Array)? {
            if key != "reprentries" {
                json.skip()?;
            }
            continue;
        }
        while json.item()? {
            if !json.enter(Kind::Object)? {
                continue;
            }
            while let Some(key) = json.key()? {
                if key != "data" {
                    json.skip()?;
                } else if json.enter(Kind::Object)? {
                    while let Some(key) = json.key()? {
                        if key == "reprfileloc" {
                            entry(json, limits, out)?;
                        } else if key == "lines" {
                            let room = limits
                                .trace
                                .saturating_mul(2)
                                .saturating_sub(out.trace.len());
                            let lines = json.texts(room)?;
                            out.trace.push_str(&lines);
                            out.trace.push('\n');
                        } else {
                            json.skip()?;
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// `{"path": "test_a.py", "lineno": 3, "message": "AssertionError"}`: where an entry stands.
fn entry(json: &mut Json<'_, &[u8]>, limits: &Limits, out: &mut Repr) -> Result<(), Broken> {
    if !json.enter(Kind::Object)? {
        return Ok(());
    }
    let mut location = Location::default();
    while let Some(key) = json.key()? {
        match key.as_str() {
            "path" => location.file = json.value(limits.message)?.text().unwrap_or_default(),
            "lineno" => {
                let line = json.value(64)?.count();
                location.line = line.and_then(|line| u32::try_from(line).ok());
            }
            _ => json.skip()?,
        }
    }
    if !location.file.is_empty() && !is_library(&location.file) {
        out.own = Some(location);
    }
    Ok(())
}

/// `[["Captured stdout call", "…"], …]`
fn sections(json: &mut Json<'_, &[u8]>, limits: &Limits, out: &mut String) -> Result<(), Broken> {
    if !json.enter(Kind::Array)? {
        return Ok(());
    }
    while json.item()? {
        if !json.enter(Kind::Array)? {
            continue;
        }
        let mut first = true;
        while json.item()? {
            let said = json.value(limits.token)?.text().unwrap_or_default();
            if !std::mem::take(&mut first) {
                out.push_str(&said);
            }
        }
        if out.len() > limits.output {
            *out = text::tail(out.as_bytes(), limits.output);
        }
    }
    *out = text::tail(out.as_bytes(), limits.output);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_split_outside_of_parameters() {
        let of = |node| id(node).to_string();
        assert_eq!(of("a/t.py::test"), "a/t.py > test");
        assert_eq!(
            of("t.py::A::B::test[x::y[z]]"),
            "t.py > A::B > test[x::y[z]]"
        );
        assert_eq!(of("t.py"), "t.py");
    }
}

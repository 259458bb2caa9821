//! Jest's and Vitest's JSON: one object, its test files in an array.
//!
//! The name of a file stands behind its tests, so those of one file are kept until it has been read, and no others. Invariants: a
//! file that failed and has no failed test is an error of its own; what was tried again is told as attempts; the counts of the
//! report are held against what was read; a run that says that it failed, and shows no test that did, is no pass.

use std::io::BufRead;

use super::gather::{self, Gather};
use super::json::{Broken, Json, Kind, Value};
use super::{Format, Limits, Parse, Reading, Sink};
use crate::{Attempt, Failure, FailureKind, IssueKind, Location, Outcome, Place, SkipKind, TestId};

/// Bytes of one file's tests that are kept.
const KEPT: usize = 64 << 20;

type Source<'a, 'b> = Json<'a, dyn BufRead + 'b>;

/// What the report says of itself.
#[derive(Default)]
struct Told {
    total: Option<u64>,
    passed: Option<u64>,
    failed: Option<u64>,
    pending: Option<u64>,
    todo: Option<u64>,
    failed_suites: Option<u64>,
    runtime_errors: Option<u64>,
    suites: Option<u64>,
    success: Option<bool>,
    interrupted: bool,
    has_results: bool,
    snapshots: Snapshots,
    /// Errors that belong to no test.
    unhandled: Vec<String>,
}

/// What it says of stored snapshots.
#[derive(Default)]
struct Snapshots {
    has_failed: bool,
    unmatched: u64,
    unchecked: u64,
    files_removed: u64,
}

impl Snapshots {
    /// Why the run failed because of them; empty if it did not.
    fn complaint(&self) -> String {
        if !self.has_failed && self.unmatched == 0 {
            return String::new();
        }
        format!(
            "snapshots: {} do not match, {} are obsolete, {} files are obsolete",
            self.unmatched, self.unchecked, self.files_removed
        )
    }
}

/// What was read, by the runner's own words.
#[derive(Default)]
struct Seen {
    total: u64,
    passed: u64,
    failed: u64,
    pending: u64,
    /// Of these, tests of Vitest's that never began.
    unbegun: u64,
    todo: u64,
    files: u64,
    failed_files: u64,
    /// Failures of the run, of no file.
    itself: u64,
}

pub(super) fn read(source: &mut dyn BufRead, limits: &Limits, sink: &mut dyn Sink) -> Reading {
    let mut gather = Gather::new(Format::Jest, limits, sink);
    let mut head = Vec::new();
    let mut source = super::wide::Decoded::new(source);
    let mut json = Json::new(&mut source as &mut dyn BufRead);
    let (mut told, mut seen) = (Told::default(), Seen::default());
    let result = json.seek_object(&mut head).and_then(|found| {
        if !found {
            return Ok(false);
        }
        report(&mut json, &mut gather, &mut told, &mut seen)?;
        Ok(true)
    });
    let is_ours = told.has_results || told.total.is_some();
    end(
        &mut json,
        &mut gather,
        &result,
        is_ours,
        &head,
        "Jest's or Vitest's",
    );
    if matches!(result, Ok(true)) && is_ours {
        let at = json.at();
        itself(&mut gather, &told, &mut seen, at);
        reconcile(&mut gather, &told, &seen, at);
    }
    gather.reading.declared = told.total;
    let at = json.at();
    gather.finish(at)
}

/// Whether it is the line that yarn and pnpm end with, whatever came of the run: `Done in 1.24s.`
fn is_farewell(line: &str) -> bool {
    let line = line.trim().trim_start_matches('\u{2728}').trim_start();
    let took = line.strip_prefix("Done in ").map(|rest| {
        let took = rest.split(' ').next().unwrap_or_default();
        took.trim_end_matches('.')
            .trim_end_matches('s')
            .trim_end_matches('m')
    });
    line.is_empty() || took.is_some_and(|took| took.parse::<f64>().is_ok())
}

/// What is told where reading a whole object has ended.
pub(super) fn end(
    json: &mut Source<'_, '_>,
    gather: &mut Gather<'_>,
    result: &Result<bool, Broken>,
    is_ours: bool,
    head: &[u8],
    whose: &str,
) {
    let reject = |gather: &mut Gather<'_>| {
        let found = gather::found(head);
        let text = format!("no report of {whose} JSON is in it: it is {found}");
        gather.tell(IssueKind::Unparsable, 0, text);
        gather.reading.parse = Parse::Rejected;
    };
    match result {
        Ok(true) if is_ours => {
            let at = json.at();
            let (rest, more) = json.rest();
            let text = rest.trim();
            if text.starts_with(['{', '[']) {
                let text = "further JSON follows the report: it was not read";
                gather.tell(IssueKind::Unparsable, at, text);
            } else if more || !text.lines().all(is_farewell) {
                let text = format!("text behind the report's end: {}", gather::short(text, 60));
                gather.tell(IssueKind::Unparsable, at, text);
            }
        }
        Ok(_) => {
            json.drain();
            reject(gather);
        }
        Err(Broken::End(at)) => {
            gather.tell(IssueKind::Truncated, *at, "it ends inside the report");
        }
        Err(Broken::Source(at, text)) => gather.tell(
            IssueKind::Truncated,
            *at,
            format!("the report cannot be read further: {text}"),
        ),
        Err(Broken::Syntax(at, text)) => {
            if is_ours || gather.reading.seen.attempts > 0 {
                gather.tell(IssueKind::Unparsable, *at, text.clone());
            } else {
                reject(gather);
            }
            json.drain();
        }
    }
}

fn report(
    json: &mut Source<'_, '_>,
    gather: &mut Gather<'_>,
    told: &mut Told,
    seen: &mut Seen,
) -> Result<(), Broken> {
    while let Some(key) = json.key()? {
        if key == "testResults" {
            told.has_results = true;
            if json.enter(Kind::Array)? {
                while json.item()? {
                    file(json, gather, seen)?;
                }
            }
            continue;
        }
        if key == "snapshot" {
            snapshots(json, &mut told.snapshots)?;
            continue;
        }
        if key == "startTime" {
            began(json, gather)?;
            continue;
        }
        if key == "unhandledErrors" {
            told.unhandled = list(json, gather.limits.failures, gather.limits.trace)?.0;
            continue;
        }
        let at = json.at();
        let value = json.value(64)?;
        let field = match key.as_str() {
            "numTotalTests" => &mut told.total,
            "numPassedTests" => &mut told.passed,
            "numFailedTests" => &mut told.failed,
            "numPendingTests" => &mut told.pending,
            "numTodoTests" => &mut told.todo,
            "numFailedTestSuites" => &mut told.failed_suites,
            "numRuntimeErrorTestSuites" => &mut told.runtime_errors,
            "numTotalTestSuites" => &mut told.suites,
            "success" | "wasInterrupted" => {
                let said = value.bool();
                if key == "success" {
                    told.success = said;
                } else {
                    told.interrupted = said == Some(true);
                }
                if said.is_none() {
                    let text = format!("`{key}` is neither true nor false");
                    gather.tell(IssueKind::CountMismatch, at, text);
                }
                continue;
            }
            _ => continue,
        };
        *field = value.count();
        if field.is_none() {
            let text = format!("`{key}` is no count");
            gather.tell(IssueKind::CountMismatch, at, text);
        }
    }
    Ok(())
}

fn snapshots(json: &mut Source<'_, '_>, told: &mut Snapshots) -> Result<(), Broken> {
    if !json.enter(Kind::Object)? {
        return Ok(());
    }
    while let Some(key) = json.key()? {
        let value = json.value(64)?;
        match key.as_str() {
            // What is neither yes nor no, and a number that is none, is no word for good.
            "failure" => {
                told.has_failed |= !matches!(value, Value::Bool(false) | Value::Null);
            }
            "unmatched" => {
                told.has_failed |= value.count().is_none() && !matches!(value, Value::Null);
                told.unmatched = value.count().unwrap_or_default();
            }
            "unchecked" => told.unchecked = value.count().unwrap_or_default(),
            "filesRemoved" => told.files_removed = value.count().unwrap_or_default(),
            _ => {}
        }
    }
    Ok(())
}

/// What the run complains of by itself, as failed tests.
fn itself(gather: &mut Gather<'_>, told: &Told, seen: &mut Seen, at: u64) {
    let place = Place { from: at, to: at };
    let complaint = told.snapshots.complaint();
    if !complaint.is_empty() && seen.failed == 0 && seen.failed_files == 0 {
        let test = TestId::new("", "", "(snapshots)");
        let mut attempt = gather::attempt(test, Outcome::Fail, "failure", place);
        let kind = FailureKind::Assertion;
        let failure = gather::failure(gather.limits, kind, &complaint, "");
        attempt.failures.push(failure);
        gather.add(attempt);
        seen.itself += 1;
    }
    if !told.unhandled.is_empty() {
        let test = TestId::new("", "", "(run)");
        let mut attempt = gather::attempt(test, Outcome::Error, "unhandledErrors", place);
        let failures = told
            .unhandled
            .iter()
            .map(|said| thrown(gather.limits, said));
        attempt.failures.extend(failures);
        gather.add(attempt);
        seen.itself += 1;
    }
}

fn reconcile(gather: &mut Gather<'_>, told: &Told, seen: &Seen, at: u64) {
    if told.interrupted {
        gather.tell(IssueKind::Incomplete, at, "the run was interrupted");
    }
    if told.total.is_none() {
        gather.tell(
            IssueKind::Incomplete,
            at,
            "it does not say how many tests there are",
        );
    }
    if !told.has_results {
        gather.tell(IssueKind::Incomplete, at, "it has no `testResults`");
    }
    let mut pairs = vec![
        ("numTotalTests", told.total, seen.total),
        ("numPassedTests", told.passed, seen.passed),
        ("numFailedTests", told.failed, seen.failed),
        ("numTodoTests", told.todo, seen.todo),
    ];
    // Vitest counts its groups as suites, Jest its files.
    if told.runtime_errors.is_some() {
        pairs.push(("numTotalTestSuites", told.suites, seen.files));
        if seen.failed_files > 0 {
            pairs.push(("numFailedTestSuites", told.failed_suites, seen.failed_files));
        }
    }
    // Vitest counts as pending what was skipped or had begun, and not what never began, which it writes as pending all the same.
    if told.pending != Some(seen.pending - seen.unbegun) {
        pairs.push(("numPendingTests", told.pending, seen.pending));
    }
    for (name, told, seen) in pairs {
        if told.is_some_and(|told| told != seen) {
            let text = format!("`{name}` is {}, and there are {seen}", told.unwrap_or(0));
            gather.tell(IssueKind::CountMismatch, at, text);
        }
    }
    let bad = seen.failed > 0 || seen.failed_files > 0 || seen.itself > 0;
    // Vitest's groups that failed cannot be told from what is there, but that there are some.
    let told_bad = [
        ("numFailedTestSuites", told.failed_suites, seen.failed_files),
        (
            "numRuntimeErrorTestSuites",
            told.runtime_errors,
            seen.failed_files,
        ),
    ];
    for (name, told, _) in told_bad
        .into_iter()
        .filter(|(_, told, seen)| *seen == 0 && told.is_some_and(|told| told > 0))
    {
        let text = format!("`{name}` is {}, and no file failed", told.unwrap_or(0));
        gather.tell(IssueKind::CountMismatch, at, text);
    }
    if told.success == Some(true) && bad {
        gather.tell(
            IssueKind::CountMismatch,
            at,
            "it says that all went well, and there are failures",
        );
    }
    if told.success == Some(false) && !bad && seen.total > 0 {
        gather.tell(
            IssueKind::CountMismatch,
            at,
            "it says that the run failed, and no failure is there",
        );
    }
}

/// One test of a file.
#[derive(Default)]
struct Test {
    class: String,
    title: String,
    full: String,
    status: String,
    seconds: Option<f64>,
    odd: bool,
    started: Option<i64>,
    messages: Vec<String>,
    cut: bool,
    invocations: Option<u64>,
    reasons: Vec<String>,
    /// It has what only Vitest writes.
    is_vitest: bool,
    place: Place,
}

/// When a run or a file began.
fn began(json: &mut Source<'_, '_>, gather: &mut Gather<'_>) -> Result<(), Broken> {
    let at = json.at();
    let value = json.value(64)?;
    if let Some(ms) = gather.time("startTime", &value, at) {
        gather.reading.part_began(ms);
    }
    Ok(())
}

fn file(json: &mut Source<'_, '_>, gather: &mut Gather<'_>, seen: &mut Seen) -> Result<(), Broken> {
    json.next_byte()?;
    let from = json.at();
    let (mut name, mut status, mut message) = (String::new(), String::new(), String::new());
    let mut has_error = false;
    let mut tests = Vec::new();
    let mut size = 0;
    let mut walk = || -> Result<(), Broken> {
        if !json.enter(Kind::Object)? {
            return Ok(());
        }
        while let Some(key) = json.key()? {
            match key.as_str() {
                "startTime" => began(json, gather)?,
                "assertionResults" => {
                    if json.enter(Kind::Array)? {
                        while json.item()? {
                            let one = test(json, gather.limits)?;
                            size += one.size();
                            if size <= KEPT {
                                tests.push(one);
                            } else if size - one.size() <= KEPT {
                                let text = format!("a file has tests of more than {KEPT} bytes");
                                gather.tell(IssueKind::Limit, from, text);
                            }
                        }
                    }
                }
                "name" | "testFilePath" => name = json.value(4096)?.text().unwrap_or_default(),
                "status" => status = json.value(64)?.text().unwrap_or_default(),
                "message" | "failureMessage" => {
                    message = json.value(gather.limits.trace)?.text().unwrap_or_default();
                }
                "testExecError" => {
                    let said = json.texts(gather.limits.trace)?;
                    // `null` where there was none.
                    has_error = !said.is_empty();
                    if message.is_empty() {
                        message = said;
                    }
                }
                _ => json.skip()?,
            }
        }
        Ok(())
    };
    let result = walk();
    if has_error {
        "failed".clone_into(&mut status);
    }
    seen.files += 1;
    let failed_before = seen.failed;
    for one in tests {
        give(gather, seen, &name, one);
    }
    let to = json.at();
    if result.is_ok() {
        let has_failed = seen.failed > failed_before;
        if status == "failed" || has_failed {
            seen.failed_files += 1;
        }
        if status == "failed" && !has_failed {
            let test = TestId::new(&name, "", "(file)");
            let mut attempt = gather::attempt(test, Outcome::Error, &status, Place { from, to });
            attempt.file = Some(name.clone()).filter(|name| !name.is_empty());
            let said = message
                .lines()
                .map(str::trim)
                .find(|line| !line.is_empty() && !line.contains("Test suite failed to run"))
                .unwrap_or("the file failed, and no test of it");
            attempt.failures.push(Failure {
                location: place_of(&message),
                ..gather::failure(gather.limits, FailureKind::Setup, said, &message)
            });
            gather.add(attempt);
        } else if !matches!(
            status.as_str(),
            "passed" | "failed" | "skipped" | "pending" | "focused" | "todo" | "disabled"
        ) {
            let text = format!("no outcome of a file is known as `{status}`");
            gather.tell(IssueKind::UnknownOutcome, from, text);
        }
    }
    result
}

fn test(json: &mut Source<'_, '_>, limits: &Limits) -> Result<Test, Broken> {
    json.next_byte()?;
    let mut test = Test {
        place: Place {
            from: json.at(),
            to: 0,
        },
        ..Test::default()
    };
    if json.enter(Kind::Object)? {
        while let Some(key) = json.key()? {
            match key.as_str() {
                "ancestorTitles" => {
                    for title in list(json, limits.depth, 512)?.0 {
                        if !test.class.is_empty() {
                            test.class.push_str(" > ");
                        }
                        test.class.push_str(&title);
                    }
                }
                "title" => test.title = json.value(4096)?.text().unwrap_or_default(),
                "fullName" => test.full = json.value(4096)?.text().unwrap_or_default(),
                "status" => test.status = json.value(64)?.text().unwrap_or_default(),
                "duration" => match json.value(64)? {
                    Value::Number(ms) if ms >= 0.0 && ms.is_finite() => {
                        test.seconds = Some(ms / 1000.0);
                    }
                    Value::Null => {}
                    _ => test.odd = true,
                },
                "startAt" | "startTime" => {
                    test.started = json
                        .value(64)?
                        .number()
                        .filter(|n| n.is_finite())
                        .map(|n| n as i64);
                }
                "failureMessages" => {
                    (test.messages, test.cut) =
                        list(json, limits.failures, limits.trace + limits.message)?;
                }
                "meta" => {
                    test.is_vitest = true;
                    json.skip()?;
                }
                "invocations" => test.invocations = json.value(64)?.count(),
                "retryReasons" => {
                    test.reasons = list(json, limits.failures, limits.trace + limits.message)?.0;
                }
                _ => json.skip()?,
            }
        }
    }
    test.place.to = json.at();
    Ok(test)
}

/// Texts of an array, so many of them, and whether there are more.
pub(super) fn list(
    json: &mut Source<'_, '_>,
    most: usize,
    limit: usize,
) -> Result<(Vec<String>, bool), Broken> {
    let (mut texts, mut cut) = (Vec::new(), false);
    if json.kind()? != Kind::Array {
        let text = json.texts(limit)?;
        return Ok((if text.is_empty() { texts } else { vec![text] }, false));
    }
    json.enter(Kind::Array)?;
    while json.item()? {
        if texts.len() < most {
            texts.push(json.texts(limit)?);
        } else {
            cut = true;
            json.skip()?;
        }
    }
    Ok((texts, cut))
}

impl Test {
    fn size(&self) -> usize {
        let texts: usize = self
            .messages
            .iter()
            .chain(&self.reasons)
            .map(String::len)
            .sum();
        256 + texts + self.class.len() + self.title.len() + self.full.len()
    }
}

fn give(gather: &mut Gather<'_>, seen: &mut Seen, file: &str, test: Test) {
    let limits = gather.limits;
    let name = if test.title.is_empty() {
        &test.full
    } else {
        &test.title
    };
    let id = TestId::exact(file, &test.class, name);
    seen.total += 1;
    let outcome = match test.status.as_str() {
        "passed" => {
            seen.passed += 1;
            Outcome::Pass
        }
        "failed" => {
            seen.failed += 1;
            Outcome::Fail
        }
        // Vitest: a `bail` ended the run before it began, or it was not over when the run was.
        "pending" if test.is_vitest => {
            seen.pending += 1;
            seen.unbegun += u64::from(test.seconds.is_none());
            Outcome::Precluded
        }
        "pending" | "skipped" | "disabled" => {
            seen.pending += 1;
            Outcome::Skip(SkipKind::Other)
        }
        "todo" => {
            seen.todo += 1;
            Outcome::Skip(SkipKind::Todo)
        }
        word => {
            let text = format!("no outcome is known as `{word}`");
            gather.tell(IssueKind::UnknownOutcome, test.place.from, text);
            Outcome::Unknown
        }
    };
    if test.odd {
        let text = format!("the duration of `{id}` cannot be read");
        gather.tell(IssueKind::OddValue, test.place.from, text);
    }
    // Jest says how often it was tried, Vitest keeps the messages of what failed before it passed.
    let mut before = test.reasons;
    if outcome == Outcome::Pass && !test.messages.is_empty() {
        before.extend(test.messages.iter().cloned());
    }
    let retries = test
        .invocations
        .map_or(0, |times| times.saturating_sub(1))
        .max(before.len() as u64);
    let shown = retries.min(limits.failures as u64) as usize;
    if retries > shown as u64 {
        let text = format!("`{id}` was tried {retries} times more: {shown} are told");
        gather.tell(IssueKind::OddValue, test.place.from, text);
    }
    let attempt = |number: usize, outcome, raw: &str| Attempt {
        file: Some(file.to_owned()).filter(|file| !file.is_empty()),
        number: u32::try_from(number).unwrap_or(u32::MAX),
        ..gather::attempt(id.clone(), outcome, raw, test.place)
    };
    for index in 0..shown {
        let mut earlier = attempt(index + 1, Outcome::Fail, "retried");
        let said = before.get(index).map_or("", String::as_str);
        earlier.failures.push(thrown(limits, said));
        gather.add(earlier);
    }
    let mut last = attempt(shown + 1, outcome, &test.status);
    last.seconds = test.seconds;
    last.started_ms = test.started;
    if outcome == Outcome::Precluded && test.messages.is_empty() {
        let said = "it did not run: Vitest writes so of tests behind a failure that ended the run (`bail`)";
        last.failures
            .push(gather::failure(limits, FailureKind::Other, said, ""));
    }
    if outcome.is_bad() {
        for said in &test.messages {
            last.failures.push(thrown(limits, said));
        }
        if let Some(failure) = last.failures.last_mut() {
            failure.truncated |= test.cut;
        }
    }
    gather.add(last);
}

/// An error of JavaScript: its message, and its stack behind it.
pub(super) fn thrown(limits: &Limits, said: &str) -> Failure {
    let said = &super::text::plain(said.as_bytes());
    let message = said
        .find("\n    at ")
        .map_or(said.as_str(), |stack| &said[..stack]);
    let first = message.lines().next().unwrap_or_default();
    let kind = if first.contains("Exceeded timeout of")
        || first.contains("timed out in ")
        || first.contains(": Timeout (>")
    {
        FailureKind::Timeout
    } else if first.starts_with("AssertionError")
        || first.starts_with("assert ")
        || first.contains("expect(")
        || first.contains("Expected ")
        || message.contains("\nExpected")
    {
        FailureKind::Assertion
    } else if first.contains("heap out of memory") {
        FailureKind::OutOfMemory
    } else if first.is_empty() {
        FailureKind::Other
    } else {
        FailureKind::Panic
    };
    let class = first
        .split_once(':')
        .map(|(class, _)| class.split(' ').next().unwrap_or_default())
        .filter(|class| class.ends_with("Error") || class.ends_with("Exception"))
        .unwrap_or_default()
        .to_owned();
    Failure {
        class,
        location: place_of(said),
        ..gather::failure(limits, kind, message.trim_end(), said)
    }
}

/// The first place of a stack that is not a library's.
fn place_of(stack: &str) -> Option<Location> {
    stack
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("at "))
        .filter(|line| !line.contains("node_modules") && !line.contains("node:"))
        .find_map(|line| {
            let place = line
                .rsplit_once('(')
                .map_or(line, |(_, place)| place)
                .trim_start_matches("async ")
                .trim_start_matches("file://");
            gather::location(place)
        })
}

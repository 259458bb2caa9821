//! Common Test Report Format: one object, its tests in an array, read one at a time.
//!
//! Source: the schema of ctrf.io, `specVersion` 0.0.0. Invariants: `other` and what nobody knows are never green; what was tried
//! again is told as attempts, also where the report only says how often; the counts of the summary are held against what was read;
//! the runner's own word for a failure beside `passed` is a failure.

use std::io::BufRead;

use super::gather::{self, Gather};
use super::jest;
use super::json::{Broken, Json, Kind, Value};
use super::{Format, Limits, Reading, Sink, text};
use crate::{Attempt, Failure, FailureKind, IssueKind, Location, Outcome, Place, SkipKind, TestId};

type Source<'a, 'b> = Json<'a, dyn BufRead + 'b>;

const WORDS: [&str; 5] = ["passed", "failed", "skipped", "pending", "other"];

#[derive(Default)]
struct Told {
    tests: Option<u64>,
    /// As [`WORDS`].
    counts: [Option<u64>; 5],
    has_summary: bool,
    /// Counts of the summary that are none.
    odd: Vec<String>,
    flaky: u64,
    /// When the run began, as it stands there.
    began: Value,
    has_tests: bool,
    has_tool: bool,
    is_named: bool,
}

#[derive(Default)]
struct Seen {
    tests: u64,
    counts: [u64; 5],
    /// Whether any was tried more than once.
    is_flaky: bool,
}

pub(super) fn read(source: &mut dyn BufRead, limits: &Limits, sink: &mut dyn Sink) -> Reading {
    let mut gather = Gather::new(Format::Ctrf, limits, sink);
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
    let is_ours = told.is_named || told.has_tests || (told.has_summary && told.has_tool);
    jest::end(&mut json, &mut gather, &result, is_ours, &head, "CTRF");
    if matches!(result, Ok(true)) && is_ours {
        reconcile(&mut gather, &told, &seen, json.at());
    }
    gather.reading.declared = told.tests;
    let at = json.at();
    gather.finish(at)
}

fn report(
    json: &mut Source<'_, '_>,
    gather: &mut Gather<'_>,
    told: &mut Told,
    seen: &mut Seen,
) -> Result<(), Broken> {
    while let Some(key) = json.key()? {
        match key.as_str() {
            "reportFormat" => {
                told.is_named = json.value(64)?.text().as_deref() == Some("CTRF");
            }
            "results" => {
                if !json.enter(Kind::Object)? {
                    continue;
                }
                while let Some(key) = json.key()? {
                    match key.as_str() {
                        "summary" => summary(json, told)?,
                        "tool" => {
                            told.has_tool = true;
                            json.skip()?;
                        }
                        "tests" => {
                            if json.enter(Kind::Array)? {
                                told.has_tests = true;
                                while json.item()? {
                                    test(json, gather, seen)?;
                                }
                            }
                        }
                        _ => json.skip()?,
                    }
                }
            }
            _ => json.skip()?,
        }
    }
    Ok(())
}

fn summary(json: &mut Source<'_, '_>, told: &mut Told) -> Result<(), Broken> {
    if !json.enter(Kind::Object)? {
        return Ok(());
    }
    told.has_summary = true;
    while let Some(key) = json.key()? {
        let value = json.value(64)?;
        if key == "start" {
            told.began = value;
            continue;
        }
        if key == "flaky" {
            told.flaky = value.count().unwrap_or_default();
            if value.count().is_none() && !matches!(value, Value::Null) {
                told.odd.push(key.clone());
            }
        }
        let field = match WORDS.iter().position(|word| *word == key) {
            Some(index) => &mut told.counts[index],
            None if key == "tests" => &mut told.tests,
            None => continue,
        };
        *field = value.count();
        if field.is_none() && !matches!(value, Value::Null) {
            told.odd.push(key);
        }
    }
    Ok(())
}

/// A time in milliseconds; some writers give seconds.
fn in_millis(time: f64) -> i64 {
    let ms = if time < 1e11 { time * 1000.0 } else { time };
    ms as i64
}

fn reconcile(gather: &mut Gather<'_>, told: &Told, seen: &Seen, at: u64) {
    if let Some(ms) = gather.time("start", &told.began, at) {
        gather.reading.part_began(in_millis(ms as f64));
    }
    if !told.has_tests {
        gather.tell(IssueKind::Incomplete, at, "it has no `tests`");
    }
    if !told.has_summary || told.tests.is_none() {
        gather.tell(
            IssueKind::Incomplete,
            at,
            "it has no `summary` that says how many tests there are",
        );
    }
    for name in told.odd.iter().take(WORDS.len()) {
        let text = format!("the summary has no count as `{name}`");
        gather.tell(IssueKind::CountMismatch, at, text);
    }
    if told.flaky > 0 && !seen.is_flaky {
        let text = format!("the summary has {} as `flaky`, and no test is", told.flaky);
        gather.tell(IssueKind::CountMismatch, at, text);
    }
    let pairs = std::iter::once(("tests", told.tests, seen.tests)).chain(
        (0..WORDS.len()).map(|index| (WORDS[index], told.counts[index], seen.counts[index])),
    );
    for (name, told, seen) in pairs {
        if let Some(told) = told.filter(|told| *told != seen) {
            let text = format!("the summary has {told} as `{name}`, and there are {seen}");
            gather.tell(IssueKind::CountMismatch, at, text);
        }
    }
}

/// A test, or one attempt at it.
#[derive(Default)]
struct Test {
    name: String,
    suite: String,
    file: Option<String>,
    line: Option<u32>,
    status: String,
    raw: String,
    seconds: Option<f64>,
    odd: bool,
    /// Whether it is told to have ended before it began: nobody saw it end.
    endless: bool,
    started: Option<i64>,
    message: String,
    trace: String,
    output: String,
    flaky: bool,
    retries: u64,
    number: Option<u64>,
    earlier: Vec<Test>,
    earlier_cut: bool,
}

fn test(json: &mut Source<'_, '_>, gather: &mut Gather<'_>, seen: &mut Seen) -> Result<(), Broken> {
    json.next_byte()?;
    let from = json.at();
    let limits = gather.limits;
    let mut one = Test::default();
    if !json.enter(Kind::Object)? {
        gather.tell(
            IssueKind::Unparsable,
            from,
            "an item of `tests` is no object",
        );
        return Ok(());
    }
    while let Some(key) = json.key()? {
        if key == "retryAttempts" {
            if json.enter(Kind::Array)? {
                while json.item()? {
                    if !json.enter(Kind::Object)? {
                        continue;
                    }
                    let mut earlier = Test::default();
                    while let Some(key) = json.key()? {
                        field(json, limits, &mut earlier, &key)?;
                    }
                    if one.earlier.len() < limits.failures {
                        one.earlier.push(earlier);
                    } else {
                        one.earlier_cut = true;
                    }
                }
            }
        } else {
            field(json, limits, &mut one, &key)?;
        }
    }
    give(
        gather,
        seen,
        one,
        Place {
            from,
            to: json.at(),
        },
    );
    Ok(())
}

fn field(
    json: &mut Source<'_, '_>,
    limits: &Limits,
    one: &mut Test,
    key: &str,
) -> Result<(), Broken> {
    match key {
        "name" => one.name = json.value(4096)?.text().unwrap_or_default(),
        // One text in version 0, an array of names later.
        "suite" => one.suite = jest::list(json, limits.depth, 1024)?.0.join(" > "),
        "filePath" => one.file = json.value(4096)?.text(),
        "line" => {
            let line = json.value(64)?.count();
            one.line = line.and_then(|line| u32::try_from(line).ok());
        }
        "status" => one.status = json.value(64)?.text().unwrap_or_default(),
        "rawStatus" => one.raw = json.value(64)?.text().unwrap_or_default(),
        "duration" => match json.value(64)? {
            Value::Number(ms) if ms >= 0.0 && ms.is_finite() => one.seconds = Some(ms / 1000.0),
            Value::Null => {}
            value => {
                one.odd = true;
                one.endless = value.number().is_some_and(|ms| ms < 0.0);
            }
        },
        "start" => {
            let start = json.value(64)?.number().filter(|n| n.is_finite());
            one.started = start.map(in_millis);
        }
        "message" => one.message = json.texts(limits.message + 1)?,
        "trace" => one.trace = json.texts(limits.trace + 1)?,
        "stdout" | "stderr" => {
            let said = json.texts(limits.token)?;
            one.output.push_str(&said);
            one.output = text::tail(one.output.as_bytes(), limits.output);
        }
        "flaky" => one.flaky = json.value(64)?.bool().unwrap_or_default(),
        "retries" => one.retries = json.value(64)?.count().unwrap_or_default(),
        "attempt" => one.number = json.value(64)?.count(),
        _ => json.skip()?,
    }
    Ok(())
}

fn outcome(word: &str) -> Option<Outcome> {
    Some(match word {
        "passed" => Outcome::Pass,
        "failed" => Outcome::Fail,
        "skipped" | "pending" => Outcome::Skip(SkipKind::Other),
        // A hole of the format: whatever its writer had no word for.
        "other" => Outcome::Unknown,
        _ => return None,
    })
}

/// Whether a runner's own word says that a test failed. Words that are not known say nothing: each runner has its own.
fn is_failure(raw: &str) -> bool {
    let mut word = raw.to_ascii_lowercase();
    word.retain(|c| c.is_ascii_alphabetic());
    matches!(
        word.as_str(),
        "failed"
            | "fail"
            | "failure"
            | "error"
            | "errored"
            | "broken"
            | "crashed"
            | "timedout"
            | "timeout"
            | "aborted"
            | "interrupted"
            | "unexpected"
    )
}

fn give(gather: &mut Gather<'_>, seen: &mut Seen, mut one: Test, place: Place) {
    seen.tests += 1;
    if let Some(index) = WORDS.iter().position(|word| *word == one.status) {
        seen.counts[index] += 1;
    }
    let id = TestId::new(
        one.file.as_deref().unwrap_or_default(),
        if one.file.as_ref() == Some(&one.suite) {
            ""
        } else {
            &one.suite
        },
        &one.name,
    );
    let limits = gather.limits;
    if one.earlier_cut {
        let text = format!("`{id}` has more than {} attempts", limits.failures);
        gather.tell(IssueKind::OddValue, place.from, text);
    }
    let mut earlier = std::mem::take(&mut one.earlier);
    earlier.sort_by_key(|one| one.number.unwrap_or(u64::MAX));
    let told = earlier.len() as u64;
    // Without particulars, what was tried again had failed.
    let untold = if told > 0 {
        0
    } else {
        one.retries
            .max(u64::from(one.flaky))
            .min(limits.failures as u64)
    };
    for _ in 0..untold {
        earlier.push(Test {
            status: "failed".to_owned(),
            raw: "retried".to_owned(),
            ..Test::default()
        });
    }
    seen.is_flaky |= !earlier.is_empty();
    let (file, line) = (one.file.clone(), one.line);
    for (index, mut one) in earlier.into_iter().chain(std::iter::once(one)).enumerate() {
        let mut outcome = outcome(&one.status).unwrap_or_else(|| {
            let text = format!("no outcome is known as `{}`", one.status);
            gather.tell(IssueKind::UnknownOutcome, place.from, text);
            Outcome::Unknown
        });
        // jest-ctrf-json-reporter has no other word for what is to be done.
        if one.status == "other" && one.raw == "todo" {
            outcome = Outcome::Skip(SkipKind::Todo);
        }
        if !outcome.is_bad() && is_failure(&one.raw) {
            if one.message.is_empty() {
                one.message = format!(
                    "it is told as `{}`, and by the runner as `{}`",
                    one.status, one.raw
                );
            }
            outcome = Outcome::Fail;
        }
        if one.endless && outcome == Outcome::Pass {
            // pytest-json-ctrf of a test that the session was ended in.
            let text = format!("`{id}` began and has no end");
            gather.tell(IssueKind::Incomplete, place.from, text);
            outcome = Outcome::Unknown;
        }
        if one.odd {
            let text = format!("the duration of `{id}` cannot be read");
            gather.tell(IssueKind::OddValue, place.from, text);
        }
        let raw = if one.raw.is_empty() {
            &one.status
        } else {
            &one.raw
        };
        let mut attempt = Attempt {
            file: file.clone(),
            number: u32::try_from(index + 1).unwrap_or(u32::MAX),
            seconds: one.seconds,
            started_ms: one.started,
            output: one.output,
            ..gather::attempt(id.clone(), outcome, raw, place)
        };
        if outcome.is_bad() {
            attempt
                .failures
                .push(failure(limits, &one.message, &one.trace, &file, line));
        } else if matches!(outcome, Outcome::Skip(_)) && !one.message.is_empty() {
            attempt.skipped = Some(one.message);
        }
        gather.add(attempt);
    }
}

fn failure(
    limits: &Limits,
    message: &str,
    trace: &str,
    file: &Option<String>,
    line: Option<u32>,
) -> Failure {
    // Most writers are runners of JavaScript; of others the words of the message are as good.
    let known = jest::thrown(limits, message);
    let behind = jest::thrown(limits, &format!("\n    {}", trace.replace('\n', "\n    ")));
    let location = known.location.or(behind.location).or_else(|| {
        let file = file.clone()?;
        Some(Location {
            file,
            line: Some(line?),
            column: None,
        })
    });
    let kind = match known.kind {
        FailureKind::Panic if known.class.is_empty() => FailureKind::Other,
        kind => kind,
    };
    Failure {
        class: known.class,
        location,
        ..gather::failure(limits, kind, message, trace)
    }
}

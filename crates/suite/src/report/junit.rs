//! JUnit XML out: one dialect, written as the rows come.
//!
//! The dialect is the one that Jenkins and Surefire describe: `testsuites`, one `testsuite` a target, never nested (readers are known to
//! drop inner suites). `classname` is the test's suite and class, ` > ` between them; [`id`] says what a reader of the file calls a test.
//!
//! Who reads only this file must not see a better run than there is. So `failure` is a test that failed, passed although it should not,
//! or is flaky ([`Flaky::Pass`] makes the last a pass that is marked by `flakyFailure`); `error` is everything that could not be carried
//! out or is missing; each problem of a target, and of the run, is a test of the class `gonogo` that is an error; a run of nothing has
//! one such test; and rows that are others than the summary counted have one too. [`as_read`] says what each verdict becomes.
//!
//! Earlier attempts are marked, not told: a row keeps the worst of them. Characters that XML cannot hold are written as `\x1b`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use gonogo_core::Reason;

use super::{Flaky, Report, says};
use crate::run::{TargetResult, Tests};
use crate::{Row, TestId, TestVerdict};

/// The class of tests that stand for problems.
pub const CLASS: &str = "gonogo";

/// The suite of problems that are the run's own.
pub const RUN: &str = "(run)";

/// Most markers of earlier attempts at a test.
const MARKERS: u32 = 10;

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Tests, those that stand for problems included.
    pub tests: u64,
    /// Those of them that are failures.
    pub failures: u64,
    /// Those of them that are errors.
    pub errors: u64,
    /// Those of them that are skipped.
    pub skipped: u64,
}

impl Written {
    fn of(tests: &Tests, problems: u64, flaky: Flaky) -> Self {
        let flaky = match flaky {
            Flaky::Fail => tests.flaky,
            Flaky::Pass => 0,
        };
        Self {
            tests: tests.total + problems,
            failures: tests.failed + tests.unexpected_pass + flaky,
            errors: tests.errored + tests.precluded + tests.missing + problems,
            skipped: tests.skipped,
        }
    }

    const fn join(&mut self, other: &Self) {
        self.tests += other.tests;
        self.failures += other.failures;
        self.errors += other.errors;
        self.skipped += other.skipped;
    }
}

/// What a reader of the file calls a test.
pub fn id(target: &str, test: &TestId) -> TestId {
    let (class, name) = names(target, test);
    TestId::new(&clean(target), &clean(&class), &clean(&name))
}

/// What a reader of the file makes of a verdict: never a better one.
pub const fn as_read(verdict: TestVerdict, flaky: Flaky) -> TestVerdict {
    match verdict {
        TestVerdict::Missing | TestVerdict::Precluded => TestVerdict::Errored,
        TestVerdict::Flaky if matches!(flaky, Flaky::Fail) => TestVerdict::Failed,
        other => other,
    }
}

fn names(target: &str, test: &TestId) -> (String, String) {
    let class = match (test.suite.trim(), test.class.trim()) {
        ("", "") => target.to_owned(),
        (one, "") | ("", one) => one.to_owned(),
        (suite, class) => format!("{suite} > {class}"),
    };
    let name = match test.name.trim() {
        "" => "(unnamed)".to_owned(),
        name => name.to_owned(),
    };
    (class, name)
}

/// Writes a run. Rows of one target follow each other, in the order of their ids, as they stand in its list of tests.
///
/// # Errors
///
/// Whatever the writer says.
pub fn write(
    out: &mut dyn Write,
    report: &Report<'_>,
    rows: impl IntoIterator<Item = Row>,
    flaky: Flaky,
) -> io::Result<Written> {
    let summary = report.summary;
    let mut of_run = Vec::new();
    let mut of_target: BTreeMap<&str, Vec<(Reason, &str)>> = BTreeMap::new();
    let problems = report.problems();
    for told in &problems {
        let one = (told.problem.reason, told.problem.text.as_str());
        match &told.target {
            Some(target) => of_target.entry(target).or_default().push(one),
            None => of_run.push(one),
        }
    }
    let all = Written::of(&summary.tests, problems.len() as u64, flaky);
    out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites")?;
    let mut tag = String::new();
    attribute(&mut tag, "name", &summary.project);
    counts(&mut tag, &all, Some(summary.duration_ms as f64 / 1000.0));
    writeln!(out, "{tag}>")?;
    let mut writer = Writer {
        out,
        flaky,
        of_target: &of_target,
        open: None,
        seen: BTreeMap::new(),
        written: Written::default(),
        extra: Vec::new(),
        text: String::new(),
    };
    let targets: BTreeMap<&str, &TargetResult> =
        summary.targets().map(|t| (t.target.as_str(), t)).collect();
    for row in rows {
        if writer.open.as_deref() != Some(&row.target) {
            writer.close()?;
            writer.open(&row.target, targets.get(row.target.as_str()).copied())?;
        }
        writer.row(&row)?;
    }
    writer.close()?;
    // Targets without a row: what is wrong with them still has to be said.
    for target in summary.targets() {
        if !writer.seen.contains_key(&target.target) {
            writer.open(&target.target, Some(target))?;
            writer.close()?;
        }
    }
    for (name, seen) in std::mem::take(&mut writer.seen) {
        let expected = targets.get(name.as_str()).map(|t| t.tests);
        if expected != Some(seen) {
            let text = match expected {
                Some(expected) => format!(
                    "`{name}`: the summary has {} tests of which {} are bad, and its rows are {} and {}",
                    expected.total,
                    expected.bad(),
                    seen.total,
                    seen.bad()
                ),
                None => format!("`{name}`: there are rows and no result"),
            };
            writer.extra.push(text);
        }
    }
    let extra = std::mem::take(&mut writer.extra);
    of_run.extend(
        extra
            .iter()
            .map(|text| (Reason::EvidenceCountMismatch, text.as_str())),
    );
    writer.run(&of_run)?;
    let written = writer.written;
    out.write_all(b"</testsuites>\n")?;
    out.flush()?;
    Ok(written)
}

struct Writer<'w> {
    out: &'w mut dyn Write,
    flaky: Flaky,
    of_target: &'w BTreeMap<&'w str, Vec<(Reason, &'w str)>>,
    /// The target whose suite is open.
    open: Option<String>,
    /// What was seen of each target.
    seen: BTreeMap<String, Tests>,
    written: Written,
    /// What else is wrong.
    extra: Vec<String>,
    text: String,
}

impl Writer<'_> {
    fn open(&mut self, name: &str, target: Option<&TargetResult>) -> io::Result<()> {
        let is_new = !self.seen.contains_key(name);
        self.seen.entry(name.to_owned()).or_default();
        self.open = Some(name.to_owned());
        let mut tag = String::from("<testsuite");
        attribute(&mut tag, "name", name);
        let problems = match is_new {
            true => self.of_target.get(name).map_or(&[][..], Vec::as_slice),
            false => &[],
        };
        if let Some(target) = target.filter(|_| is_new) {
            let counted = Written::of(&target.tests, problems.len() as u64, self.flaky);
            counts(&mut tag, &counted, Some(target.duration_ms as f64 / 1000.0));
            let took = i64::try_from(target.duration_ms).unwrap_or(i64::MAX);
            let began = target.timestamp.as_millis().saturating_sub(took);
            let began = gonogo_core::Timestamp::from_millis(began).to_string();
            attribute(&mut tag, "timestamp", &began);
        }
        tag.push_str(">\n");
        if let Some(target) = target.filter(|_| is_new) {
            tag.push_str("<properties>");
            let owner = target.owner.as_deref();
            let status = target.status.to_string();
            for (key, value) in [
                ("gonogo.class", Some(target.class.word())),
                ("gonogo.status", Some(status.as_str())),
                ("gonogo.owner", owner),
            ] {
                if let Some(value) = value {
                    tag.push_str("<property");
                    attribute(&mut tag, "name", key);
                    attribute(&mut tag, "value", value);
                    tag.push_str("/>");
                }
            }
            tag.push_str("</properties>\n");
        }
        self.out.write_all(tag.as_bytes())?;
        self.problems(problems)
    }

    fn close(&mut self) -> io::Result<()> {
        match self.open.take() {
            Some(_) => self.out.write_all(b"</testsuite>\n"),
            None => Ok(()),
        }
    }

    /// The suite of the run's own problems.
    fn run(&mut self, problems: &[(Reason, &str)]) -> io::Result<()> {
        if problems.is_empty() {
            return Ok(());
        }
        let count = problems.len() as u64;
        let mut tag = String::from("<testsuite");
        attribute(&mut tag, "name", RUN);
        counts(
            &mut tag,
            &Written::of(&Tests::default(), count, self.flaky),
            None,
        );
        tag.push_str(">\n");
        self.out.write_all(tag.as_bytes())?;
        self.problems(problems)?;
        self.out.write_all(b"</testsuite>\n")
    }

    /// Tests that stand for problems: the code is the name, so that its history is one.
    fn problems(&mut self, problems: &[(Reason, &str)]) -> io::Result<()> {
        let mut times: BTreeMap<Reason, u32> = BTreeMap::new();
        for (reason, text) in problems {
            let n = times.entry(*reason).or_default();
            *n += 1;
            let name = match n {
                1 => reason.code().to_owned(),
                n => format!("{} {n}", reason.code()),
            };
            let out = &mut self.text;
            out.clear();
            out.push_str("<testcase");
            attribute(out, "name", &name);
            attribute(out, "classname", CLASS);
            out.push_str("><error");
            attribute(out, "message", text);
            attribute(out, "type", reason.code());
            out.push('>');
            content(
                out,
                &format!("{} {}", reason.meaning(), reason.next_action()),
            );
            out.push_str("</error></testcase>\n");
            self.written.tests += 1;
            self.written.errors += 1;
            self.out.write_all(self.text.as_bytes())?;
        }
        Ok(())
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        if let Some(seen) = self.seen.get_mut(&row.target) {
            seen.add(row.verdict, row.cached);
        }
        let mut one = Tests::default();
        one.add(row.verdict, false);
        self.written.join(&Written::of(&one, 0, self.flaky));
        let (class, name) = names(&row.target, &row.test);
        let out = &mut self.text;
        out.clear();
        out.push_str("<testcase");
        attribute(out, "name", &name);
        attribute(out, "classname", &class);
        // Beyond it there are only odd numbers.
        if let Some(seconds) = row.seconds.filter(|s| (0.0..1e12).contains(s)) {
            attribute(out, "time", &format!("{seconds:.3}"));
        }
        let location = row.failure.as_ref().and_then(|f| f.location.as_ref());
        if let Some(file) = row.file.as_ref().or(location.map(|l| &l.file)) {
            attribute(out, "file", file);
        }
        if let Some(line) = location.and_then(|l| l.line) {
            attribute(out, "line", &line.to_string());
        }
        if row.cached {
            attribute(out, "cached", "true");
        }
        if row.verdict == TestVerdict::Passed {
            out.push_str("/>\n");
            return self.out.write_all(self.text.as_bytes());
        }
        out.push('>');
        if let Some(owner) = row.owner.as_ref().filter(|_| !row.verdict.is_good()) {
            out.push_str("<properties><property name=\"gonogo.owner\"");
            attribute(out, "value", owner);
            out.push_str("/></properties>");
        }
        says_of(out, row, self.flaky);
        if !row.output.is_empty() {
            out.push_str("<system-out>");
            content(out, &row.output);
            out.push_str("</system-out>");
        }
        out.push_str("</testcase>\n");
        self.out.write_all(self.text.as_bytes())
    }
}

/// What a test that did not simply pass came to.
fn says_of(out: &mut String, row: &Row, flaky: Flaky) {
    // One marker for each earlier attempt.
    let earlier = row.attempts.saturating_sub(1).min(MARKERS);
    let again = |out: &mut String, element: &str, times: u32| {
        for n in 1..=times {
            let text = format!("attempt {n} of {}: it did not pass", row.attempts.max(2));
            let _ = write!(out, "<{element}");
            attribute(out, "message", &text);
            out.push_str("/>");
        }
    };
    match row.verdict {
        TestVerdict::Passed => {}
        TestVerdict::Skipped => {
            out.push_str("<skipped");
            if let Some(why) = row.skipped.as_deref().filter(|why| !why.is_empty()) {
                attribute(out, "message", why);
            }
            out.push_str("/>");
        }
        TestVerdict::Flaky => match flaky {
            Flaky::Pass => {
                failure(out, "flakyFailure", row);
                again(out, "flakyFailure", earlier.saturating_sub(1));
            }
            Flaky::Fail => {
                failure(out, "failure", row);
                again(out, "flakyFailure", earlier.max(1));
            }
        },
        TestVerdict::Failed | TestVerdict::UnexpectedPass => {
            failure(out, "failure", row);
            if row.verdict == TestVerdict::Failed {
                again(out, "rerunFailure", earlier);
            }
        }
        TestVerdict::Errored | TestVerdict::Precluded | TestVerdict::Missing => {
            failure(out, "error", row);
            if row.verdict == TestVerdict::Errored {
                again(out, "rerunError", earlier);
            }
        }
    }
}

fn failure(out: &mut String, element: &str, row: &Row) {
    let told = row.failure.as_ref();
    let is_xpass = row.verdict == TestVerdict::UnexpectedPass;
    let mut class = match told.map_or("", |f| f.class.trim()) {
        // What readers know an unexpected pass by is not left to a test's own words.
        _ if is_xpass => "UnexpectedSuccess",
        "UnexpectedSuccess" => "(UnexpectedSuccess)",
        class => class,
    };
    if class.is_empty() && told.is_none() {
        class = row.verdict.word();
    }
    let message = told.map_or("", |f| f.message.trim());
    let trace = told.map_or("", |f| f.trace.as_str());
    let mut text = String::new();
    if message.is_empty() && trace.is_empty() {
        text.push_str(says(row.verdict));
    } else if message.starts_with("[XPASS(strict)]") && !is_xpass {
        let _ = write!(text, "failed: {message}");
    } else {
        text.push_str(message);
    }
    if row.verdict == TestVerdict::Flaky && !message.is_empty() {
        text = format!("flaky, {}: {text}", says(row.verdict));
    }
    let _ = write!(out, "<{element}");
    if !text.is_empty() {
        attribute(out, "message", &text);
    }
    if !class.is_empty() {
        attribute(out, "type", class);
    }
    if trace.is_empty() {
        out.push_str("/>");
    } else {
        out.push('>');
        content(out, trace);
        let _ = write!(out, "</{element}>");
    }
}

fn counts(tag: &mut String, counted: &Written, seconds: Option<f64>) {
    let _ = write!(
        tag,
        " tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        counted.tests, counted.failures, counted.errors, counted.skipped
    );
    if let Some(seconds) = seconds {
        let _ = write!(tag, " time=\"{seconds:.3}\"");
    }
}

/// Whether XML 1.0 (section 2.2) can hold it, and it is no control character.
const fn is_allowed(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

fn push_odd(out: &mut String, c: char) {
    let code = c as u32;
    if code < 0x100 {
        let _ = write!(out, "\\x{code:02x}");
    } else {
        let _ = write!(out, "\\u{{{code:x}}}");
    }
}

/// A name as it is written.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_allowed(c) {
            out.push(c);
        } else {
            push_odd(&mut out, c);
        }
    }
    out
}

fn attribute(out: &mut String, key: &str, value: &str) {
    let _ = write!(out, " {key}=\"");
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Readers make spaces of what is written as it is (XML 1.0, 3.3.3).
            '\n' | '\r' | '\t' => {
                let _ = write!(out, "&#{};", c as u32);
            }
            c if is_allowed(c) => out.push(c),
            c => push_odd(out, c),
        }
    }
    out.push('"');
}

fn content(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Readers make a line feed of it (XML 1.0, 2.11).
            '\r' => out.push_str("&#13;"),
            c if is_allowed(c) => out.push(c),
            c => push_odd(out, c),
        }
    }
}

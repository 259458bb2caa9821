//! The first failure in a plain log: what a person scrolls up to find.
//!
//! A log of any command is read once, in bounded memory; for each runner that it knows, the first failing assertion, error or crash is
//! given with its line, its rule and its test, and what the log's own summary counts. Invariants: a word is no failure: each rule wants
//! the shape that its runner prints, and what a test merely printed loses to the runner's own verdict on it; a mention without a verdict
//! counts only if nothing green follows; if nothing is found the answer is nothing. The counts are for reconciliation and prove nothing.

mod build;
mod clean;
mod counts;
mod early;
mod go;
mod js;
mod jvm;
mod lint;
mod node;
mod python;
mod rust;
mod spec;
mod system;

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};

use crate::{Failure, FailureKind, Location};

pub use clean::clean;
pub use counts::{Counted, Tally};
pub(crate) use counts::{ran, summary};

/// What printed a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runner {
    /// rustc, clippy, cargo, libtest, nextest, rustfmt.
    Rust,
    /// pytest.
    Pytest,
    /// Python's unittest.
    Unittest,
    /// A Python program that ended in a traceback.
    Python,
    /// Jest.
    Jest,
    /// Vitest.
    Vitest,
    /// Mocha.
    Mocha,
    /// Anything that prints TAP.
    Tap,
    /// go test, go build, go vet.
    Go,
    /// Surefire, Gradle, javac.
    Jvm,
    /// GoogleTest.
    Gtest,
    /// gcc, clang, ld, make.
    Native,
    /// ruff, flake8, pylint, formatters.
    Lint,
    /// A program of node's that ended with an error that nobody caught.
    Node,
    /// npm.
    Npm,
    /// RSpec.
    Rspec,
    /// PHPUnit.
    Phpunit,
    /// CTest.
    Ctest,
    /// tsc.
    Typescript,
    /// ESLint.
    Eslint,
    /// AddressSanitizer and its kin.
    Sanitizer,
    /// The shell, the kernel, the file system.
    System,
}

/// How much of a log is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a failure's message.
    pub message: usize,
    /// Bytes of a failure's trace.
    pub trace: usize,
    /// Bytes of a line; what is behind is not looked at.
    pub line: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 1 << 10,
            trace: 4 << 10,
            line: 16 << 10,
        }
    }
}

/// A failure in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What printed it.
    pub runner: Runner,
    /// The rule that found it, like `pytest.section`.
    pub rule: String,
    /// Its line, from 1.
    pub line: u64,
    /// That line, cleaned.
    pub header: String,
    /// The test, as the runner names it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// What failed.
    pub failure: Failure,
}

/// What a log says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// The first failure of each runner, by line; what was proved comes before what is only mentioned.
    pub found: Vec<Found>,
    /// What the log's own summaries count, by runner.
    pub counts: BTreeMap<Runner, Counted>,
    /// Lines of the log.
    pub lines: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Lines that were longer than the limit.
    pub cut_lines: u64,
}

impl Scan {
    /// The first failure of all; `None` if the log shows none.
    pub fn first(&self) -> Option<&Found> {
        self.found.first()
    }
}

/// How sure a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Proof {
    /// The runner itself says that it failed.
    Sure,
    /// The shape is the runner's; nothing green may follow.
    Shape,
    /// Only words, of the system and the like; nothing green may follow, and anything better comes first.
    Mention,
}

/// What may be a failure.
#[derive(Debug, Clone)]
struct Candidate {
    runner: Runner,
    rule: &'static str,
    line: u64,
    header: String,
    test: Option<String>,
    kind: FailureKind,
    class: String,
    message: String,
    trace: String,
    location: Option<Location>,
    proof: Proof,
}

impl Candidate {
    fn new(runner: Runner, rule: &'static str, at: &Line<'_>, kind: FailureKind) -> Self {
        Self {
            runner,
            rule,
            line: at.number,
            header: at.text.to_owned(),
            test: None,
            kind,
            class: String::new(),
            message: String::new(),
            trace: String::new(),
            location: None,
            proof: Proof::Sure,
        }
    }

    fn test(mut self, test: impl Into<String>) -> Self {
        self.test = Some(test.into());
        self
    }

    fn message(mut self, message: &str) -> Self {
        self.message = message.trim().to_owned();
        self
    }

    fn class(mut self, class: &str) -> Self {
        self.class = class.trim().to_owned();
        self
    }

    fn at(mut self, location: Option<Location>) -> Self {
        self.location = location;
        self
    }

    const fn proof(mut self, proof: Proof) -> Self {
        self.proof = proof;
        self
    }

    /// Adds a line to the message; the limit cuts it in the end.
    fn say(&mut self, line: &str) {
        if self.message.len() < MOST {
            if !self.message.is_empty() {
                self.message.push('\n');
            }
            self.message.push_str(line.trim_end());
        }
    }

    /// Adds a line to the trace.
    fn show(&mut self, line: &str) {
        if self.trace.len() < MOST {
            self.trace.push_str(line.trim_end());
            self.trace.push('\n');
        }
    }

    fn found(self, limits: &Limits) -> Found {
        let (message, message_is_cut) = cut(self.message.trim(), limits.message);
        let (trace, trace_is_cut) = cut(self.trace.trim_end(), limits.trace);
        let message = if message.is_empty() {
            cut(self.header.trim(), limits.message).0
        } else {
            message
        };
        Found {
            runner: self.runner,
            rule: self.rule.to_owned(),
            line: self.line,
            header: cut(&self.header, limits.message).0,
            test: self
                .test
                .map(|t| cut(t.trim(), 512).0)
                .filter(|t| !t.is_empty()),
            failure: Failure {
                kind: self.kind,
                class: cut(&self.class, 512).0,
                message,
                trace,
                location: self.location,
                truncated: message_is_cut || trace_is_cut,
            },
        }
    }
}

/// Bytes from which nothing more is gathered.
const MOST: usize = 64 << 10;

fn cut(text: &str, most: usize) -> (String, bool) {
    if text.len() <= most {
        return (text.to_owned(), false);
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (text[..end].to_owned(), true)
}

/// A line of the log, cleaned.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    number: u64,
    text: &'a str,
}

/// What follows one kind of runner through a log.
trait Tracker {
    /// Takes a line.
    fn line(&mut self, line: &Line<'_>);

    /// What may have failed. `verdicts` are those of the whole log.
    fn end(&mut self, verdicts: &Verdicts) -> Vec<Candidate>;
}

/// Where summaries say that all is well, and that it is not.
#[derive(Debug, Default)]
struct Verdicts {
    counts: BTreeMap<Runner, Counted>,
    last_green: u64,
    last_red: u64,
    /// What unittest said that it ran; its result stands two lines below.
    ran: Option<u64>,
}

impl Verdicts {
    fn line(&mut self, line: &Line<'_>) {
        if let Some(n) = counts::ran(line.text) {
            self.ran = Some(n);
        }
        if let Some((runner, mut tally)) = counts::summary(line.text) {
            if runner == Runner::Unittest {
                // `OK` alone is a word that anything may print.
                let Some(ran) = self.ran.take() else { return };
                tally.passed = ran
                    .saturating_sub(tally.failed)
                    .saturating_sub(tally.skipped);
            }
            let counted = self.counts.entry(runner).or_default();
            counted.add(tally);
            if tally.failed > 0 {
                self.last_red = line.number;
            } else {
                self.last_green = line.number;
            }
        }
    }

    /// Whether all summaries of a runner are green, and there is one.
    fn is_green(&self, runner: Runner) -> bool {
        self.counts
            .get(&runner)
            .is_some_and(|c| c.total.failed == 0 && c.summaries > 0)
    }

    /// Whether the log says behind a line that all is well, and nothing else.
    fn green_follows(&self, line: u64) -> bool {
        self.last_green > line && self.last_red < line
    }
}

/// Reads a log.
///
/// # Errors
/// The source cannot be read.
pub fn scan(source: &mut dyn BufRead, limits: &Limits) -> io::Result<Scan> {
    let mut lines = clean::Lines::new(source, limits.line.max(64));
    let mut verdicts = Verdicts::default();
    let mut trackers: [Box<dyn Tracker>; 11] = [
        // Of one line, what the system says of it is more than who repeats it.
        Box::<system::System>::default(),
        Box::<rust::Rust>::default(),
        Box::<python::Python>::default(),
        Box::<early::Early>::default(),
        Box::<js::Js>::default(),
        Box::<go::Go>::default(),
        Box::<jvm::Jvm>::default(),
        Box::<build::Build>::default(),
        Box::<lint::Lint>::default(),
        Box::<node::Node>::default(),
        Box::<spec::Spec>::default(),
    ];
    let mut number = 0;
    while let Some(text) = lines.next()? {
        number += 1;
        let line = Line { number, text };
        verdicts.line(&line);
        for tracker in &mut trackers {
            tracker.line(&line);
        }
    }
    let mut all: Vec<Candidate> = trackers.iter_mut().flat_map(|t| t.end(&verdicts)).collect();
    all.retain(|c| c.proof == Proof::Sure || !verdicts.green_follows(c.line));
    // What was only printed does not come before what the runner said; of both the earlier.
    all.sort_by_key(|c| (c.proof, c.line));
    let sure = all.first().is_some_and(|c| c.proof == Proof::Sure);
    all.retain(|c| !sure || c.proof == Proof::Sure);
    let mut found: Vec<Found> = Vec::new();
    for candidate in all {
        if !found.iter().any(|f| f.runner == candidate.runner) {
            found.push(candidate.found(limits));
        }
    }
    // Go counts packages and no tests.
    verdicts.counts.remove(&Runner::Go);
    Ok(Scan {
        found,
        counts: verdicts.counts,
        lines: number,
        bytes: lines.bytes(),
        cut_lines: lines.cut(),
    })
}

/// `file:line:column`, `file:line`.
fn place(text: &str) -> Option<Location> {
    let mut parts = text.trim().rsplitn(3, ':');
    let (last, middle, rest) = (parts.next()?, parts.next(), parts.next());
    let number = |text: &str| text.parse::<u32>().ok();
    let of = |file: &str, line, column| {
        (!file.is_empty()).then(|| Location {
            file: cut(file, 512).0,
            line,
            column,
        })
    };
    match (rest, middle, number(last)) {
        (Some(file), Some(line), Some(column)) if number(line).is_some() => {
            of(file, number(line), Some(column))
        }
        (file, Some(middle), Some(line)) => {
            let file = file.map_or_else(|| middle.to_owned(), |f| format!("{f}:{middle}"));
            of(&file, Some(line), None)
        }
        _ => None,
    }
}

/// A pattern that is built once.
macro_rules! pattern {
    ($text:literal) => {{
        static PATTERN: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
            regex::Regex::new($text).expect("invariant: a pattern in the source is one")
        });
        &*PATTERN
    }};
}
use pattern;

//! Lines of a stream that begin as records do and are none: in a stream that is mostly records they are lost to whoever counts
//! them, so they are told once, with their count and the first of them.
//!
//! Invariants: what is told does not depend on cuts; a log of text, and text between records, is told nothing about.

use serde::{Deserialize, Serialize};

use crate::classify::{Broken, Counts};
use crate::evidence::finding;
use crate::sign_off::Finding;
use crate::{Status, Stream};

/// What was counted of one stream, or one file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Records {
    /// Lines with something in them.
    lines: u64,
    structured: u64,
    broken: u64,
    first: Option<Broken>,
    cut: Option<Broken>,
    /// Whether it is known to be cut anyway.
    pub(crate) torn: bool,
}

impl Records {
    /// Takes in what a classifier counted.
    pub(crate) fn add(&mut self, counts: &Counts) {
        self.lines += counts.lines - counts.blank;
        self.structured += counts.structured;
        self.broken += counts.broken;
        self.examples(counts.first_broken.as_ref(), counts.cut.as_ref());
    }

    /// Puts what followed behind it; `began` lines were before its first.
    pub(crate) fn append(&mut self, later: &Self, began: u64) {
        self.lines += later.lines;
        self.structured += later.structured;
        self.broken += later.broken;
        let moved = |broken: &Broken| Broken {
            line: broken.line + began,
            ..broken.clone()
        };
        self.examples(
            later.first.as_ref().map(moved).as_ref(),
            later.cut.as_ref().map(moved).as_ref(),
        );
    }

    fn examples(&mut self, first: Option<&Broken>, cut: Option<&Broken>) {
        if self.first.is_none() {
            self.first = first.cloned();
        }
        if cut.is_some() {
            self.cut = cut.cloned();
        }
    }

    /// Whether most lines are records, or were meant to be.
    fn is_structured(&self) -> bool {
        let cut = u64::from(self.cut.is_some());
        (self.structured + self.broken + cut) * 2 > self.lines
    }

    /// Returns what is wrong with the records of `path`, and how many lines are none; `said` is whether somebody says that they
    /// all are, `killed` whether the writer was stopped from outside: what it was writing then is cut, and nothing else is wrong.
    pub(crate) fn problems(&self, path: &str, said: bool, killed: bool) -> (Vec<Finding>, u64) {
        if !said && !self.is_structured() {
            return (Vec::new(), 0);
        }
        let mut problems = Vec::new();
        if let Some(first) = &self.first {
            let lines = if self.broken == 1 { "line" } else { "lines" };
            let text = format!(
                "{} {lines} of {path} begin like JSON records and are none; the first is line {}: {}",
                self.broken, first.line, first.reason
            );
            problems.push(told(
                Status::Warn,
                "log_records_broken",
                path,
                text,
                first,
                self.broken,
            ));
        }
        if let Some(cut) = self.cut.as_ref().filter(|_| !self.torn) {
            let (severity, why) = if killed {
                (Status::Pass, "its writer was stopped")
            } else {
                (Status::Warn, "nothing says that its writer was stopped")
            };
            let text = format!(
                "the last line of {path} ({}) is a JSON record that is cut, and {why}: {}",
                cut.line, cut.reason
            );
            problems.push(told(severity, "log_record_cut", path, text, cut, 1));
        }
        (problems, self.broken + u64::from(self.cut.is_some()))
    }
}

fn told(
    severity: Status,
    code: &str,
    path: &str,
    text: String,
    example: &Broken,
    count: u64,
) -> Finding {
    let mut found = finding(severity, code, path, text);
    found.metadata = [
        ("path".to_owned(), path.into()),
        ("line".to_owned(), example.line.into()),
        ("reason".to_owned(), example.reason.as_str().into()),
        ("sample".to_owned(), example.sample.as_str().into()),
        ("count".to_owned(), count.into()),
    ]
    .into();
    found
}

/// Returns what is wrong with the records of a run's streams, and how many lines are none.
pub(crate) fn of_streams(records: &[Records; 2], killed: bool) -> (Vec<Finding>, u64) {
    let mut problems = Vec::new();
    let mut ignored = 0;
    for stream in Stream::ALL {
        let (found, lines) = records[stream as usize].problems(stream.word(), false, killed);
        problems.extend(found);
        ignored += lines;
    }
    (problems, ignored)
}

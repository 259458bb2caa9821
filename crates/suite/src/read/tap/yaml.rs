//! The block of YAML behind a point: what failed, and where. Only a few of its keys are of interest, and no more than that is read.

use std::fmt::Write as _;

use super::super::junit::words::is_exceeded;
use super::super::{Limits, gather, text};
use crate::{Attempt, Failure, FailureKind, Location};

pub(super) struct Yaml {
    indent: usize,
    text: String,
    cut: bool,
    done: bool,
}

/// A failure of which only the lines behind it speak; `is_below` if they are mocha's, the message and then the error with its frames.
pub(super) fn said(limits: &Limits, lines: &str, is_below: bool) -> Failure {
    let failure = comments(limits, lines);
    let is_assertion = lines.lines().any(|line| line.starts_with("AssertionError"));
    let kind = if is_exceeded(&failure.message) {
        FailureKind::Timeout
    } else if is_below && !is_assertion {
        FailureKind::Other
    } else {
        FailureKind::Assertion
    };
    Failure { kind, ..failure }
}

/// A failure of which only comments speak: perl's `at FILE line N.`, bats' `(in test file FILE, line N)`.
pub(super) fn comments(limits: &Limits, comments: &str) -> Failure {
    let location = comments.lines().find_map(|line| {
        let (file, line) = match line.split_once("in test file ") {
            Some((_, rest)) => rest.split_once(", line ")?,
            None => line.trim().strip_prefix("at ")?.split_once(" line ")?,
        };
        let digits = line.bytes().position(|b| !b.is_ascii_digit());
        Some(Location {
            file: file.to_owned(),
            line: Some(line[..digits.unwrap_or(line.len())].parse().ok()?),
            column: None,
        })
    });
    let message = comments
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("(in test file") && !line.starts_with("at "))
        .collect::<Vec<_>>()
        .join("\n");
    Failure {
        location,
        ..gather::failure(limits, FailureKind::Assertion, message.trim(), comments)
    }
}

impl Yaml {
    pub(super) fn new(indent: usize) -> Self {
        Self {
            indent,
            text: String::new(),
            cut: false,
            done: false,
        }
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// Takes a line. Returns whether more may follow.
    pub(super) fn take(&mut self, limits: &Limits, indent: usize, line: &str, text: &str) -> bool {
        if text == "..." && indent == self.indent {
            self.done = true;
            return false;
        }
        if self.text.len() < limits.trace * 4 {
            // The block's own indentation is not of the text.
            let white = line.len() - text.len();
            self.text.push_str(&line[white.min(self.indent)..]);
            self.text.push('\n');
        } else {
            self.cut = true;
        }
        true
    }

    /// Whether it says that the point only holds tests: node's `type: 'suite'`.
    pub(super) fn is_suite(&self) -> bool {
        self.value("type").as_deref() == Some("suite")
    }

    pub(super) fn give(mut self, limits: &Limits, attempt: &mut Attempt) {
        let is_json = self.unfold();
        if let Some(ms) = self
            .value("duration_ms")
            .and_then(|ms| ms.parse::<f64>().ok())
            && ms.is_finite()
            && ms >= 0.0
        {
            attempt.seconds = Some(ms / 1000.0);
        }
        if !attempt.outcome.is_bad() {
            return;
        }
        let mut message = self
            .value("message")
            .or_else(|| self.value("error"))
            .unwrap_or_default();
        if is_json {
            message = without_source(&message);
        }
        let kind = match self.value("failureType").as_deref() {
            Some("testTimeoutFailure") => FailureKind::Timeout,
            Some("hookFailed") => FailureKind::Setup,
            Some("uncaughtException" | "unhandledRejection") => FailureKind::Panic,
            _ if message.contains("timed out") || is_exceeded(&message) => FailureKind::Timeout,
            _ if self.value("operator").is_some()
                || self.value("code").as_deref() == Some("ERR_ASSERTION")
                || self.value("name").as_deref() == Some("AssertionError") =>
            {
                FailureKind::Assertion
            }
            _ => FailureKind::Other,
        };
        let location = self
            .value("at")
            .or_else(|| self.value("location"))
            .and_then(|at| {
                let at = at.rsplit_once('(').map_or(at.as_str(), |(_, at)| at);
                gather::location(at)
            })
            .or_else(|| comments(limits, &message).location)
            .or_else(|| {
                // Perl: `at:` with `file:` and `line:` inside.
                Some(Location {
                    file: self.value("file")?,
                    line: Some(self.value("line")?.parse().ok()?),
                    column: None,
                })
            });
        let mut failure = gather::failure(limits, kind, &message, &self.text);
        failure.truncated |= self.cut;
        attempt.failures.push(Failure {
            class: self.value("name").unwrap_or_default(),
            location,
            ..failure
        });
    }

    /// Writes a mapping in JSON, which is YAML too (Deno), with a line for each key. Returns whether it was one.
    fn unfold(&mut self) -> bool {
        if !self.text.trim_start().starts_with('{') {
            return false;
        }
        let Ok(serde_json::Value::Object(map)) = serde_json::from_str(&self.text) else {
            return false;
        };
        let mut out = String::new();
        write(&mut out, &map, 0);
        self.text = text::plain(out.as_bytes());
        true
    }

    /// The value of a key, wherever it stands: the rest of its line, or the lines behind `|-` and `>`.
    fn value(&self, key: &str) -> Option<String> {
        let mut lines = self.text.lines();
        let (white, value) = lines.by_ref().find_map(|line| {
            let text = line.trim_start();
            let value = text.strip_prefix(key)?.strip_prefix(':')?;
            Some((line.len() - text.len(), value.trim()))
        })?;
        if matches!(value, "|" | "|-" | "|+" | ">" | ">-") {
            let block: Vec<&str> = lines
                .take_while(|line| {
                    line.trim().is_empty() || line.len() - line.trim_start().len() > white
                })
                .map(str::trim)
                .collect();
            return Some(block.join("\n").trim().to_owned());
        }
        let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let plain = match quote {
            Some(quote) => {
                let inner = &value[1..];
                inner.strip_suffix(quote).unwrap_or(inner)
            }
            None => value,
        };
        (!plain.is_empty()).then(|| plain.to_owned())
    }
}

/// Writes a mapping as YAML: texts of several lines as blocks, mappings inside of it indented. What else there may be is left as JSON.
fn write(out: &mut String, map: &serde_json::Map<String, serde_json::Value>, depth: usize) {
    let white = "  ".repeat(depth);
    for (key, value) in map {
        match value {
            serde_json::Value::String(text) if text.contains('\n') => {
                let _ = writeln!(out, "{white}{key}: |-");
                for line in text.lines() {
                    let _ = writeln!(out, "{white}  {line}");
                }
            }
            serde_json::Value::String(text) => {
                let _ = writeln!(out, "{white}{key}: {text}");
            }
            serde_json::Value::Object(inner) if depth < 4 => {
                let _ = writeln!(out, "{white}{key}:");
                write(out, inner, depth + 1);
            }
            other => {
                let _ = writeln!(out, "{white}{key}: {other}");
            }
        }
    }
}

/// What Deno says of an error, without the line of source that it marks and the frames behind it.
fn without_source(message: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for line in message.lines() {
        let text = line.trim();
        if text.starts_with("at ") {
            break;
        }
        if !text.is_empty() && text.bytes().all(|b| b == b'^') {
            kept.pop();
            continue;
        }
        kept.push(line);
    }
    kept.join("\n").trim().to_owned()
}

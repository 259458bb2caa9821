//! rustc, clippy, cargo, libtest, nextest, rustfmt.
//!
//! A panic counts if it stands in the section of a failed test, or if the runner says that the test of its thread failed: a test that should
//! panic prints the same line and passes.

use std::collections::BTreeSet;

use super::{Candidate, Line, Proof, Runner, Tracker, Verdicts, pattern, place};
use crate::FailureKind;

/// Most panics and failed tests that are remembered.
const MOST: usize = 500;

#[derive(Default)]
pub(super) struct Rust {
    open: Option<(Candidate, Open)>,
    panics: Vec<Candidate>,
    errors: Vec<Candidate>,
    others: Vec<Candidate>,
    failed: BTreeSet<String>,
    first_failed: Option<Candidate>,
    in_failures: bool,
    section: Option<String>,
    current: Option<String>,
    has_tests: bool,
    /// Where a compiler last said that it stops.
    closing: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Panic,
    Error,
    Diff,
}

impl Tracker for Rust {
    fn line(&mut self, line: &Line<'_>) {
        let text = line.text;
        if !self.gather(line) {
            self.close();
        }
        if let Some(rest) = text.strip_prefix("test ")
            && let Some((name, result)) = rest.split_once(" ... ")
        {
            self.has_tests = true;
            self.result(name.trim_end_matches(" - should panic"), result, line);
            return;
        }
        match text {
            "failures:" => self.in_failures = true,
            "FAILED" => {
                if let Some(name) = self.current.take() {
                    self.fail(&name, "libtest.failed", line);
                }
            }
            "ok" => self.current = None,
            _ => {}
        }
        if text.starts_with("running ") && (text.ends_with(" tests") || text.ends_with(" test")) {
            (self.has_tests, self.in_failures) = (true, false);
            (self.section, self.current) = (None, None);
        }
        if let Some(name) = section(text) {
            self.section = Some(name.to_owned());
        } else if text.starts_with("test result: ") {
            (self.in_failures, self.section) = (false, None);
        }
        self.nextest(line);
        self.begin(line);
    }

    fn end(&mut self, verdicts: &Verdicts) -> Vec<Candidate> {
        self.close();
        let mut out = Vec::new();
        let green = verdicts.is_green(Runner::Rust);
        for mut panic in std::mem::take(&mut self.panics) {
            let name = panic.test.clone().unwrap_or_default();
            let failed = self.failed.contains(&name);
            panic.proof = match (failed, self.has_tests) {
                (true, _) => Proof::Sure,
                // A test that passed, or one that nobody speaks of.
                (false, true) => continue,
                (false, false) => Proof::Mention,
            };
            if !green {
                out.push(panic);
            }
        }
        let tests_are_green = green && self.failed.is_empty();
        for mut error in std::mem::take(&mut self.errors) {
            if self.closing > error.line {
                error.proof = Proof::Sure;
            } else if tests_are_green {
                continue;
            }
            out.push(error);
        }
        out.append(&mut self.others);
        if let Some(first) = self.first_failed.take().filter(|_| !green) {
            // A panic of the very test says more than that it failed.
            let explained = out.iter().any(|c| {
                c.proof == Proof::Sure && c.rule.starts_with("rust.panic") && c.test == first.test
            });
            if !explained {
                out.push(first);
            }
        }
        out
    }
}

/// `---- NAME stdout ----`.
fn section(text: &str) -> Option<&str> {
    let name = text.strip_prefix("---- ")?.strip_suffix(" ----")?;
    name.strip_suffix(" stdout")
        .or_else(|| name.strip_suffix(" stderr"))
}

impl Rust {
    fn fail(&mut self, name: &str, rule: &'static str, line: &Line<'_>) {
        if self.failed.len() < MOST {
            self.failed.insert(name.to_owned());
        }
        if self.first_failed.is_none() {
            let found = Candidate::new(Runner::Rust, rule, line, FailureKind::Other).test(name);
            self.first_failed = Some(found.message(&format!("the test {name} failed")));
        }
    }

    fn result(&mut self, name: &str, result: &str, line: &Line<'_>) {
        match result {
            "FAILED" => self.fail(name, "libtest.failed", line),
            "ok" => {}
            _ if result.starts_with("ignored")
                || result.starts_with("ok ")
                || result.starts_with("bench:") => {}
            _ if result.starts_with("FAILED") => self.fail(name, "libtest.failed", line),
            // The test prints; its result follows on a line of its own.
            _ => {
                self.current = Some(name.to_owned());
                self.begin(&Line {
                    text: result,
                    ..*line
                });
            }
        }
    }

    /// `        FAIL [   0.005s] (1/3) crate::binary test::name`
    fn nextest(&mut self, line: &Line<'_>) {
        let text = line.text.trim_start();
        let Some((head, rest)) = text.split_once(" [") else {
            return;
        };
        let kind = match head.rsplit(' ').next() {
            Some("FAIL") => Some(FailureKind::Other),
            Some("TIMEOUT") => Some(FailureKind::Timeout),
            // It passed when it was tried again.
            Some("PASS") => None,
            Some("SIGSEGV" | "SIGABRT" | "SIGKILL" | "SIGBUS" | "SIGILL" | "SIGTERM" | "ABORT") => {
                Some(FailureKind::Crash)
            }
            _ => return,
        };
        if !pattern!(r"^(TRY \d+ )?[A-Z]+$").is_match(head) {
            return;
        }
        let Some((seconds, rest)) = rest.split_once(']') else {
            return;
        };
        if !seconds.trim().ends_with('s') {
            return;
        }
        self.has_tests = true;
        let name = rest.split_whitespace().last().unwrap_or_default();
        let Some(kind) = kind else {
            self.failed.remove(name);
            self.first_failed
                .take_if(|f| f.test.as_deref() == Some(name));
            self.others.retain(|f| f.test.as_deref() != Some(name));
            return;
        };
        if kind == FailureKind::Other {
            self.fail(name, "nextest.fail", line);
            return;
        }
        if self.failed.len() < MOST {
            self.failed.insert(name.to_owned());
        }
        let found = Candidate::new(Runner::Rust, "nextest.signal", line, kind).test(name);
        self.keep(found.message(text));
    }

    fn keep(&mut self, found: Candidate) {
        if self.others.len() < MOST {
            self.others.push(found);
        }
    }

    fn begin(&mut self, line: &Line<'_>) {
        let text = line.text;
        if let Some(rest) = text.strip_prefix("thread '")
            && let Some((name, rest)) = rest.split_once("' ")
            && let Some((before, rest)) = rest.split_once("panicked at ")
            && (before.is_empty() || before.starts_with('('))
        {
            let section = if self.in_failures {
                self.section.clone()
            } else {
                None
            };
            let test = section
                .or_else(|| self.current.clone().filter(|_| name == "main"))
                .unwrap_or_else(|| name.to_owned());
            let found =
                Candidate::new(Runner::Rust, "rust.panic", line, FailureKind::Panic).test(test);
            // Before 1.73 the message stood in this line, quoted.
            let old = rest.strip_prefix('\'').and_then(|r| r.rsplit_once("', "));
            let found = match old {
                Some((message, at)) => found.message(message).at(place(at)),
                None => found.at(place(rest.trim_end_matches(':'))),
            };
            self.open = Some((found, Open::Panic));
        } else if self.in_failures && self.section.is_some() && text.starts_with("Error: ") {
            // A test that returns an error does not panic.
            let test = self.section.clone().unwrap_or_default();
            let found = Candidate::new(Runner::Rust, "rust.panic.error", line, FailureKind::Other);
            let found = found.test(test).message(text);
            if self.panics.len() < MOST {
                self.panics.push(found);
            }
        } else if text.starts_with("error") {
            self.error(line);
        } else if let Some(rest) = text.strip_prefix("Diff in ") {
            let at = rest.trim_end_matches(':').replace(" at line ", ":");
            if let Some(location) = place(&at) {
                let found = Candidate::new(Runner::Rust, "rustfmt.diff", line, FailureKind::Other);
                self.open = Some((
                    found.class("rustfmt").message(text).at(Some(location)),
                    Open::Diff,
                ));
            }
        } else if text.contains("(signal: ") && text.contains("process didn't exit successfully") {
            let found = Candidate::new(Runner::Rust, "cargo.signal", line, FailureKind::Crash);
            let message = text.rfind("(signal: ").map_or(text, |at| &text[at..]);
            self.keep(found.message(message.trim_matches(['(', ')'])));
        }
    }

    fn error(&mut self, line: &Line<'_>) {
        let Some(parts) = pattern!(r"^error(?:\[([A-Z]\d{4})\])?: (.+)$").captures(line.text)
        else {
            return;
        };
        let (code, message) = (parts.get(1), &parts[2]);
        if message.starts_with("could not compile")
            || message.starts_with("aborting due to")
            || message.starts_with("could not document")
        {
            self.closing = line.number;
            if self.errors.is_empty() && message.starts_with("could not") {
                let found =
                    Candidate::new(Runner::Rust, "cargo.compile", line, FailureKind::Compile);
                self.keep(found.message(message));
            }
            return;
        }
        if message.starts_with("test failed, to rerun")
            || message.starts_with("process didn't exit")
        {
            return;
        }
        let found = Candidate::new(Runner::Rust, "rustc.error", line, FailureKind::Compile)
            .message(message)
            .class(code.map_or("", |c| c.as_str()))
            .proof(Proof::Mention);
        self.open = Some((found, Open::Error));
    }

    /// Whether the line belongs to what is open.
    fn gather(&mut self, line: &Line<'_>) -> bool {
        let Some((found, open)) = &mut self.open else {
            return true;
        };
        let text = line.text;
        match open {
            Open::Panic => {
                let ends = text.is_empty() && !found.message.is_empty()
                    || text.starts_with("note: ")
                    || text.starts_with("stack backtrace:")
                    || text.starts_with("thread '")
                    || text.starts_with("test ")
                    || text.starts_with("---")
                    || text.starts_with("failures:")
                    || line.number > found.line + 60;
                if !ends {
                    found.say(text);
                    found.show(text);
                }
                !ends
            }
            Open::Error => {
                let trimmed = text.trim_start();
                if let Some(at) = trimmed.strip_prefix("--> ")
                    && found.location.is_none()
                {
                    found.location = place(at);
                    // The arrow is the compiler's own.
                    found.proof = Proof::Shape;
                }
                if let Some(lint) = pattern!(r"clippy::[a-z_]+|index\.html#[a-z_]+").find(trimmed)
                    && found.class.is_empty()
                {
                    found.class = lint.as_str().replace("index.html#", "clippy::");
                    found.kind = FailureKind::Other;
                    found.rule = "clippy.error";
                }
                if trimmed.starts_with("Caused by:") && found.message.starts_with("failed to ") {
                    found.proof = Proof::Shape;
                }
                let ends = text.is_empty() && found.location.is_some()
                    || text.starts_with("error")
                    || text.starts_with("warning: ")
                    || line.number > found.line + 60;
                if !ends {
                    found.show(text);
                }
                !ends
            }
            Open::Diff => {
                let ends = !text.starts_with([' ', '+', '-']) && !text.is_empty();
                if !ends {
                    found.show(text);
                }
                !ends
            }
        }
    }

    fn close(&mut self) {
        let Some((found, open)) = self.open.take() else {
            return;
        };
        match open {
            Open::Panic if self.panics.len() < MOST => self.panics.push(found),
            Open::Error => {
                let linking = found.message.starts_with("linking with ");
                // `error: ` and no place: any program's word.
                let is_ours = found.proof == Proof::Shape || !found.class.is_empty() || linking;
                if is_ours && self.errors.len() < MOST {
                    self.errors.push(found.proof(Proof::Shape));
                }
            }
            Open::Diff => self.keep(found),
            Open::Panic => {}
        }
    }
}

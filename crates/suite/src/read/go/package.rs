//! The tests of one Go package, until it has ended.

use std::collections::HashMap;

use super::super::gather::{self, Gather};
use super::super::{Limits, text};
use super::event::Event;
use super::said::Said;
use crate::{Attempt, FailureKind, IssueKind, Location, Outcome, Place, SkipKind, TestId};

/// Most bytes of a message that the test above repeats, and most such messages.
const BELOW: usize = 200;
const ALL_BELOW: usize = 64;

pub(super) struct Package {
    pub(super) name: String,
    from: u64,
    running: HashMap<String, Running>,
    ended: Vec<Attempt>,
    /// By test: what failed directly below it, and why.
    below: HashMap<String, Vec<String>>,
    size: usize,
    output: String,
    is_cached: bool,
    failed: u64,
    any: bool,
}

/// A test that has begun.
struct Running {
    started_ms: Option<i64>,
    from: u64,
    output: String,
    /// The first lines of a panic or of a race.
    trace: String,
    /// Of a panic or a race: it counts before all that was said.
    message: String,
    said: Said,
    location: Option<Location>,
    kind: FailureKind,
    is_bench: bool,
}

impl Package {
    pub(super) fn new(name: &str, from: u64) -> Self {
        Self {
            name: name.to_owned(),
            from,
            running: HashMap::new(),
            ended: Vec::new(),
            below: HashMap::new(),
            size: 0,
            output: String::new(),
            is_cached: false,
            failed: 0,
            any: false,
        }
    }

    /// Bytes that it holds, about.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// Takes an event. Returns whether the package has ended.
    pub(super) fn take(&mut self, gather: &mut Gather<'_>, event: &Event, place: Place) -> bool {
        if event.test.is_empty() {
            return self.take_own(gather, event, place);
        }
        self.any = true;
        match event.action.as_str() {
            "run" => {
                if let Some(before) = self.running.remove(&event.test) {
                    // It begins again before it has ended.
                    self.unended(gather, &event.test, before, place.from);
                }
                self.begin(&event.test, event.time_ms, place);
            }
            "pause" | "cont" | "attr" | "artifacts" => {}
            "output" => {
                if !self.running.contains_key(&event.test) {
                    // Output of a test that has ended; a failing one's panic may come so late.
                    self.own_output(gather.limits, &event.output);
                    return false;
                }
                if let Some(running) = self.running.get_mut(&event.test) {
                    let before = running.size();
                    running.print(gather.limits, &event.output);
                    self.size = (self.size + running.size()).saturating_sub(before);
                }
            }
            "pass" | "fail" | "skip" | "bench" => {
                let outcome = match event.action.as_str() {
                    "pass" | "bench" => Outcome::Pass,
                    "fail" => Outcome::Fail,
                    _ => Outcome::Skip(SkipKind::Body),
                };
                self.end_test(gather, event, outcome, place);
            }
            word => {
                let text = format!("no action is known as `{word}`");
                gather.tell(IssueKind::UnknownOutcome, place.from, text);
                if event.elapsed.is_some() {
                    self.end_test(gather, event, Outcome::Unknown, place);
                }
            }
        }
        false
    }

    fn begin(&mut self, test: &str, started_ms: Option<i64>, place: Place) {
        self.size += test.len() + 256;
        self.running.insert(
            test.to_owned(),
            Running {
                started_ms,
                from: place.from,
                output: String::new(),
                trace: String::new(),
                message: String::new(),
                said: Said::default(),
                location: None,
                kind: FailureKind::Other,
                is_bench: false,
            },
        );
    }

    fn take_own(&mut self, gather: &mut Gather<'_>, event: &Event, place: Place) -> bool {
        match event.action.as_str() {
            "pass" | "fail" | "skip" => return true,
            "output" => self.own_output(gather.limits, &event.output),
            "start" | "run" | "pause" | "cont" | "bench" | "attr" | "artifacts" => {}
            word => {
                let text = format!("no action is known as `{word}`");
                gather.tell(IssueKind::UnknownOutcome, place.from, text);
            }
        }
        false
    }

    fn own_output(&mut self, limits: &Limits, output: &str) {
        if output.starts_with("ok  \t") && output.trim_end().contains("\t(cached)") {
            self.is_cached = true;
        }
        let before = self.output.len();
        push(&mut self.output, output, limits.output.saturating_mul(4));
        self.size = (self.size + self.output.len()).saturating_sub(before);
    }

    fn end_test(&mut self, gather: &mut Gather<'_>, event: &Event, outcome: Outcome, place: Place) {
        let running = self.running.remove(&event.test);
        let limits = gather.limits;
        let test = TestId::new(&self.name, "", &event.test);
        let has_begun = running.is_some();
        let mut attempt = gather::attempt(test, outcome, &event.action, place);
        attempt.seconds = event.elapsed;
        if let Some(running) = running {
            self.size = self
                .size
                .saturating_sub(running.size() + event.test.len() + 256);
            running.give(limits, &mut attempt);
        }
        self.tell_above(limits, &mut attempt);
        // It ran again after it had ended: a further attempt. Two ends of one beginning are two tests.
        attempt.number = if has_begun { 0 } else { 1 };
        if outcome == Outcome::Fail {
            self.failed += 1;
        }
        self.push(attempt);
    }

    /// A test that says nothing itself failed because of those below it, and says what they say: else all such failures would be one.
    fn tell_above(&mut self, limits: &Limits, attempt: &mut Attempt) {
        let below = self.below.remove(&attempt.test.name);
        if attempt.outcome != Outcome::Fail {
            return;
        }
        if let (Some(mut below), Some(failure)) = (below, attempt.failures.first_mut())
            && failure.message.is_empty()
        {
            // Those that run at one time end in any order.
            below.sort();
            failure.message = text::head(below.join("\n").as_bytes(), limits.message).0;
        }
        // A name may have a slash of its own.
        let test = &attempt.test.name;
        let above = test
            .rmatch_indices('/')
            .map(|(at, _)| at)
            .find(|at| self.running.contains_key(&test[..*at]));
        let Some(at) = above else {
            return;
        };
        let message = attempt.failures.first().map_or("", |f| &f.message);
        let said = format!("{}: {}", &test[at + 1..], gather::short(message, BELOW));
        let all = self.below.entry(test[..at].to_owned()).or_default();
        if all.len() < ALL_BELOW {
            all.push(said);
        }
    }

    fn push(&mut self, attempt: Attempt) {
        self.size += 256 + attempt.output.len() + attempt.test.name.len();
        self.ended.push(attempt);
    }

    /// Hands on what has ended.
    pub(super) fn flush(&mut self, gather: &mut Gather<'_>, is_cached: bool) {
        for mut attempt in self.ended.drain(..) {
            attempt.cached = is_cached;
            if attempt.number == 0 {
                attempt.number = gather.next_number(&attempt.test);
            }
            gather.add(attempt);
        }
        self.size = self.output.len();
        for (name, running) in &self.running {
            self.size += name.len() + 256 + running.size();
        }
    }

    /// A test that began and has no last event.
    fn unended(&mut self, gather: &Gather<'_>, name: &str, running: Running, at: u64) {
        let test = TestId::new(&self.name, "", name);
        let place = Place {
            from: running.from,
            to: at,
        };
        let mut attempt = gather::attempt(test, Outcome::Error, "run", place);
        attempt.number = 0;
        let kind = running.kind;
        let is_silent = running.message.is_empty() && running.said.is_empty();
        running.give(gather.limits, &mut attempt);
        if is_silent {
            attempt.failures.clear();
            attempt.failures.push(gather::failure(
                gather.limits,
                kind,
                "it began and has no result",
                "",
            ));
        }
        self.failed += 1;
        self.push(attempt);
    }

    fn close(&mut self, gather: &mut Gather<'_>, has_passed: bool, at: u64) {
        let mut running: Vec<(String, Running)> = self.running.drain().collect();
        running.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, running) in running {
            if has_passed && running.is_bench {
                // A benchmark's figures are its last event where none is written.
                let test = TestId::new(&self.name, "", &name);
                let place = Place {
                    from: running.from,
                    to: at,
                };
                let mut attempt = gather::attempt(test, Outcome::Pass, "bench", place);
                attempt.number = 0;
                running.give(gather.limits, &mut attempt);
                self.push(attempt);
            } else {
                self.unended(gather, &name, running, at);
            }
        }
        let is_cached = self.is_cached;
        self.flush(gather, is_cached);
    }

    /// The package has ended with this action.
    pub(super) fn finish(
        mut self,
        gather: &mut Gather<'_>,
        action: &str,
        elapsed: Option<f64>,
        was_built: bool,
        place: Place,
    ) {
        self.close(gather, action == "pass", place.from);
        if action != "fail" {
            if self.failed > 0 {
                let text = format!(
                    "the package `{}` ended with `{action}`, with {} tests that failed or did not end",
                    self.name, self.failed
                );
                gather.tell(IssueKind::CountMismatch, place.from, text);
            }
            return;
        }
        if self.failed == 0 && was_built {
            let output = std::mem::take(&mut self.output);
            let test = TestId::new(&self.name, "", "(package)");
            let mut attempt = gather::attempt(
                test,
                Outcome::Fail,
                action,
                Place {
                    from: self.from,
                    to: place.to,
                },
            );
            attempt.seconds = elapsed;
            attempt.number = 0;
            let mut running = Running {
                started_ms: None,
                from: self.from,
                output: String::new(),
                trace: String::new(),
                message: String::new(),
                said: Said::default(),
                location: None,
                kind: FailureKind::Other,
                is_bench: false,
            };
            for line in output.split_inclusive('\n') {
                running.print(gather.limits, line);
            }
            if output.contains("[build failed]") || output.contains("[setup failed]") {
                running.kind = FailureKind::Compile;
            }
            if running.message.is_empty() && running.said.is_empty() {
                running.message = text::tail(output.trim_end().as_bytes(), 300);
            }
            running.give(gather.limits, &mut attempt);
            attempt.number = gather.next_number(&attempt.test);
            gather.add(attempt);
        }
    }

    /// The report ends before the package does.
    pub(super) fn abandon(mut self, gather: &mut Gather<'_>, at: u64) {
        self.close(gather, false, at);
        if self.any || self.failed > 0 {
            return;
        }
        let place = Place {
            from: self.from,
            to: at,
        };
        let test = TestId::new(&self.name, "", "(package)");
        let mut attempt = gather::attempt(test, Outcome::Error, "", place);
        attempt.number = gather.next_number(&attempt.test);
        attempt.failures.push(gather::failure(
            gather.limits,
            FailureKind::Other,
            "the package began and has no result",
            "",
        ));
        gather.add(attempt);
    }
}

impl Running {
    fn size(&self) -> usize {
        self.output.len() + self.trace.len() + self.message.len() + self.said.size()
    }

    fn print(&mut self, limits: &Limits, output: &str) {
        let output = gather::short(output, limits.trace.max(1 << 10) * 2);
        let line = output.trim_end_matches('\n');
        let framed = ["=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME "]
            .iter()
            .any(|start| line.starts_with(start));
        let ends = ["--- FAIL: ", "--- PASS: ", "--- SKIP: ", "--- BENCH: "]
            .iter()
            .any(|start| line.trim_start().starts_with(start));
        if ends {
            self.said.end();
        } else if framed {
            self.said.close();
        }
        if framed || ends {
            return;
        }
        push(&mut self.output, output, limits.output.saturating_mul(2));
        if line.contains(" ns/op") {
            self.is_bench = true;
        }
        let trimmed = line.trim_start();
        let panics = trimmed.starts_with("panic: ") || trimmed.starts_with("fatal error: ");
        let is_strong = self.kind != FailureKind::Other;
        if panics && !is_strong {
            self.kind = if trimmed.starts_with("panic: test timed out") {
                FailureKind::Timeout
            } else if trimmed.contains("out of memory") {
                FailureKind::OutOfMemory
            } else {
                FailureKind::Panic
            };
            trimmed.clone_into(&mut self.message);
            self.location = None;
            self.trace.clear();
        } else if trimmed.starts_with("WARNING: DATA RACE") && !is_strong {
            trimmed.clone_into(&mut self.message);
            self.location = None;
            self.trace.clear();
        } else if self.message.is_empty() {
            // `    calc_test.go:12: message`
            self.said.line(line);
        }
        if self.location.is_none() && !self.message.is_empty() {
            // The first place of a trace that is a test's.
            self.location =
                gather::location(trimmed).filter(|place| place.file.ends_with("_test.go"));
        }
        let is_told = !self.message.is_empty() || !self.said.is_empty();
        if is_told && self.trace.len() <= limits.trace {
            self.trace.push_str(output);
        }
    }

    fn give(self, limits: &Limits, attempt: &mut Attempt) {
        attempt.started_ms = self.started_ms;
        attempt.place.from = self.from.min(attempt.place.from);
        match attempt.outcome {
            Outcome::Pass => {}
            Outcome::Skip(_) => {
                let said = self.said.last().map_or("", |(_, text)| text);
                let said = text::head(said.as_bytes(), limits.message).0;
                attempt.skipped = (!said.is_empty()).then_some(said);
            }
            _ => {
                let (message, location) = match self.message.is_empty() {
                    true => (
                        self.said.message(),
                        self.said.last().map(|(place, _)| place.clone()),
                    ),
                    false => (self.message.clone(), None),
                };
                let mut failure = gather::failure(limits, self.kind, &message, &self.trace);
                if self.message.starts_with("WARNING: DATA RACE") {
                    "data race".clone_into(&mut failure.class);
                }
                failure.location = self.location.or(location);
                attempt.failures.push(failure);
            }
        }
        attempt.output = text::tail(self.output.as_bytes(), limits.output);
    }
}

/// Appends, and keeps the end.
fn push(to: &mut String, text: &str, limit: usize) {
    to.push_str(text);
    if to.len() > limit.max(1 << 10) * 2 {
        let keep = text::tail(to.as_bytes(), limit);
        *to = keep;
    }
}

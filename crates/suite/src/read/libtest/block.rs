//! The tests of one binary: from `running N tests` to `test result:`, or to where it died.

use std::collections::HashMap;

use super::super::gather::{self, Gather};
use super::super::text;
use super::line::{self, Counts, Ending, Line};
use crate::{Attempt, Failure, FailureKind, IssueKind, Limits, Location, Outcome, Place, TestId};

/// Failures of a binary that are kept until it ends, bytes of text. Further ones are handed on without what they printed.
const KEPT: usize = 32 << 20;

/// Where in its output a binary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Tests,
    /// What tests printed. Anything can stand here, lines that look like results among them.
    Captured,
    /// The names of those that failed.
    List,
}

/// A test whose name was printed and whose result was not, or not in the same line.
struct Open {
    name: String,
    place: Place,
    /// A line that is nothing but a result: the last such line counts.
    bare: Option<Ending>,
    /// The last line with anything in it: a result may be at its end.
    last: String,
}

pub(super) struct Block {
    suite: String,
    run: u32,
    declared: Option<u64>,
    place: Place,
    seen: Counts,
    /// Failures that have a name, wherever it stood.
    named: u64,
    failed: Vec<Attempt>,
    names: HashMap<String, usize>,
    kept: usize,
    sections: Vec<Section>,
    open: Option<Open>,
    phase: Phase,
    current: Option<usize>,
    listed: Vec<String>,
    /// How many names the list has, those among them that were not kept.
    names_listed: u64,
    dots: bool,
    slow: Vec<String>,
    overflowed: Option<String>,
    result: Option<Counts>,
    is_dead: bool,
    death: Option<(String, bool)>,
    done: bool,
}

/// What a failed test printed.
#[derive(Default)]
struct Section {
    output: String,
    trace: String,
    message: String,
    location: Option<Location>,
    kind: FailureKind,
    state: Panic,
    cut: bool,
    /// Of the test: its own thread has it too.
    name: String,
    /// Whether what was taken is of its own thread.
    is_own: bool,
}

#[derive(Default, PartialEq, Eq)]
enum Panic {
    #[default]
    None,
    Message,
    Done,
}

impl Block {
    pub(super) fn new(suite: String, run: u32, declared: Option<u64>, place: Place) -> Self {
        Self {
            suite,
            run,
            declared,
            place,
            seen: Counts::default(),
            named: 0,
            failed: Vec::new(),
            names: HashMap::new(),
            kept: 0,
            sections: Vec::new(),
            open: None,
            phase: Phase::Tests,
            current: None,
            listed: Vec::new(),
            names_listed: 0,
            dots: false,
            slow: Vec::new(),
            overflowed: None,
            result: None,
            is_dead: false,
            death: None,
            done: false,
        }
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// Whether as many tests have been named as there are.
    fn is_full(&self) -> bool {
        let open = u64::from(self.open.is_some());
        self.dots
            || self
                .declared
                .is_none_or(|declared| self.seen.total() + open >= declared)
    }

    /// Takes a line. Returns whether it was one of this binary's.
    pub(super) fn take(
        &mut self,
        gather: &mut Gather<'_>,
        line: &Line<'_>,
        text: &str,
        place: Place,
    ) -> bool {
        match self.phase {
            Phase::Tests => self.take_test(gather, line, text, place),
            Phase::Captured => {
                self.take_captured(gather.limits, line, text, place);
                true
            }
            Phase::List => {
                self.take_listed(gather.limits, line, text, place);
                true
            }
        }
    }

    fn take_test(
        &mut self,
        gather: &mut Gather<'_>,
        line: &Line<'_>,
        text: &str,
        place: Place,
    ) -> bool {
        match line {
            Line::Header(_) | Line::Running(_) | Line::NotCompiled(_) => return false,
            Line::Test {
                name,
                word,
                before,
                after,
            } => {
                if !before.is_empty() {
                    self.print(before);
                }
                self.settle(gather);
                if let Some(ending) = word.and_then(line::outcome) {
                    self.record(gather, name, ending, place);
                } else if self.open.is_none() {
                    self.is_dead |= line::is_rerun_hint(after);
                    let last = if self.is_dead { "" } else { *after };
                    self.open = Some(Open {
                        name: plain_name(name).to_owned(),
                        place,
                        bare: None,
                        last: last.to_owned(),
                    });
                }
            }
            Line::ShortFailed(name) => {
                self.dots = true;
                let ending = Ending {
                    outcome: Outcome::Fail,
                    reason: None,
                    seconds: None,
                    is_late: false,
                    raw: "FAILED".to_owned(),
                };
                self.record(gather, name, ending, place);
            }
            Line::Dots if self.open.is_none() && self.seen.passed + self.seen.ignored == 0 => {
                self.dots = true;
            }
            Line::Slow(name) => {
                if self.kept < KEPT {
                    self.kept += name.len() + 64;
                    self.slow.push(plain_name(name).to_owned());
                }
            }
            Line::Failures | Line::Successes if self.is_full() => {
                self.settle(gather);
                self.phase = Phase::Captured;
            }
            Line::Result(counts)
                if self
                    .declared
                    .is_none_or(|declared| declared == counts.total()) =>
            {
                self.settle(gather);
                self.result = Some(*counts);
                self.done = true;
            }
            Line::TestFailed => self.is_dead = true,
            Line::Died { how, signal } => {
                self.is_dead = true;
                self.death = Some(((*how).to_owned(), *signal));
                self.done = true;
            }
            Line::Garbled => {
                let what =
                    "what may be a test's result stands in the middle of a line and is garbled";
                gather.tell(IssueKind::Incomplete, place.from, what);
                self.print(text);
            }
            _ => self.print(text),
        }
        true
    }

    /// A line that some test printed.
    fn print(&mut self, text: &str) {
        if let Some(name) = text
            .strip_prefix("thread '")
            .and_then(|rest| rest.split_once("' "))
            .filter(|(_, rest)| rest.contains("has overflowed its stack"))
        {
            self.overflowed = Some(name.0.to_owned());
        }
        if let Some(open) = &mut self.open {
            let trimmed = text.trim_end();
            if let Some(ending) = line::outcome(trimmed) {
                open.bare = Some(ending);
            }
            if !trimmed.is_empty() {
                open.last.clear();
                // Only its end is of interest.
                let from = trimmed.len().saturating_sub(256);
                let from = (from..=trimmed.len())
                    .find(|at| trimmed.is_char_boundary(*at))
                    .unwrap_or(trimmed.len());
                open.last.push_str(&trimmed[from..]);
            }
        }
    }

    /// The test whose name stands open has ended: another name, or the end of all, follows.
    fn settle(&mut self, gather: &mut Gather<'_>) {
        let Some(open) = self.open.take() else {
            return;
        };
        let last = open.last.trim_end();
        let at_end = ["ok", "FAILED", "ignored"]
            .iter()
            .find(|word| last.ends_with(**word))
            .and_then(|word| line::outcome(word));
        if let Some(ending) = open.bare.clone().or(at_end) {
            self.record(gather, &open.name, ending, open.place);
        } else {
            self.open = Some(open);
            self.unsettled(gather);
        }
    }

    /// The test whose name stands open never had a result.
    fn unsettled(&mut self, gather: &mut Gather<'_>) {
        if let Some(open) = self.open.take() {
            let text = "it began and has no result";
            self.error(gather, &open.name, FailureKind::Other, text, open.place);
        }
    }

    fn error(
        &mut self,
        gather: &mut Gather<'_>,
        name: &str,
        kind: FailureKind,
        message: &str,
        place: Place,
    ) {
        let mut attempt = self.attempt(name, Outcome::Error, "", place);
        attempt
            .failures
            .push(gather::failure(gather.limits, kind, message, ""));
        gather.add(attempt);
    }

    fn attempt(&self, name: &str, outcome: Outcome, raw: &str, place: Place) -> Attempt {
        Attempt {
            number: self.run,
            ..gather::attempt(
                TestId::new(&self.suite, "", plain_name(name)),
                outcome,
                raw,
                place,
            )
        }
    }

    /// A result.
    pub(super) fn record(
        &mut self,
        gather: &mut Gather<'_>,
        name: &str,
        ending: Ending,
        place: Place,
    ) {
        let mut attempt = self.attempt(name, ending.outcome, &ending.raw, place);
        attempt.seconds = ending.seconds;
        attempt.skipped = ending.reason;
        match ending.outcome {
            Outcome::Fail => {
                self.seen.failed += 1;
                self.named += 1;
            }
            Outcome::Skip(_) => self.seen.ignored += 1,
            _ if ending.raw == "bench" => self.seen.measured += 1,
            _ => self.seen.passed += 1,
        }
        if ending.outcome != Outcome::Fail {
            gather.add(attempt);
            return;
        }
        if ending.is_late {
            attempt.failures.push(gather::failure(
                gather.limits,
                FailureKind::Timeout,
                "time limit exceeded",
                "",
            ));
        }
        if self.kept >= KEPT {
            gather.add(attempt);
            return;
        }
        self.kept += 512 + name.len() * 2;
        self.names
            .insert(plain_name(name).to_owned(), self.failed.len());
        self.failed.push(attempt);
        self.sections.push(Section::new(plain_name(name)));
    }

    fn take_captured(&mut self, limits: &Limits, line: &Line<'_>, text: &str, place: Place) {
        match line {
            Line::Section(name) => {
                let name = plain_name(name);
                if let Some(index) = self.names.get(name) {
                    self.current = Some(*index);
                    return;
                }
                if self.dots && self.kept < KEPT {
                    // The short form names those that failed here only.
                    self.fail_unseen(name, place);
                    self.current = Some(self.failed.len() - 1);
                    return;
                }
            }
            Line::Failures => {
                self.listed.clear();
                self.names_listed = 0;
                self.phase = Phase::List;
                return;
            }
            Line::Result(counts)
                if counts.is_ok
                    && counts.failed == 0
                    && self.failed.is_empty()
                    && self.declared == Some(counts.total()) =>
            {
                // What those that passed printed, asked for by a flag.
                self.result = Some(*counts);
                self.done = true;
                return;
            }
            _ => {}
        }
        self.output(limits, text);
    }

    fn fail_unseen(&mut self, name: &str, place: Place) {
        let attempt = self.attempt(name, Outcome::Fail, "FAILED", place);
        self.names.insert(name.to_owned(), self.failed.len());
        self.failed.push(attempt);
        self.sections.push(Section::new(plain_name(name)));
        self.seen.failed += 1;
        self.named += 1;
        self.kept += 512 + name.len() * 2;
    }

    fn take_listed(&mut self, limits: &Limits, line: &Line<'_>, text: &str, place: Place) {
        if let Line::Result(counts) = line {
            let is_listed = |name: &String| self.listed.iter().any(|listed| listed == name);
            // Of many names, or where not all were kept, the count must do.
            let all = self.names.len() > 64
                || self.listed.len() as u64 != self.names_listed
                || self.names.keys().all(is_listed);
            if self.declared.is_none_or(|d| d == counts.total())
                && self.names_listed == counts.failed
                && all
            {
                let listed = std::mem::take(&mut self.listed);
                for name in listed {
                    if !self.names.contains_key(&name) && self.kept < KEPT {
                        self.fail_unseen(&name, place);
                        if !self.dots {
                            // It had another result, or none: what it failed by counts.
                            self.seen.failed -= 1;
                        }
                    }
                }
                self.result = Some(*counts);
                self.done = true;
                return;
            }
        } else if text.trim().is_empty() {
            return;
        } else if let Some(name) = text.strip_prefix("    ") {
            self.names_listed += 1;
            if self.kept < KEPT {
                self.kept += name.len() + 64;
                self.listed.push(plain_name(name.trim_end()).to_owned());
            }
            return;
        }
        // It was no list: some test printed the word.
        self.phase = Phase::Captured;
        if !matches!(line, Line::Result(_)) {
            self.take_captured(limits, line, text, place);
        }
    }

    fn output(&mut self, limits: &Limits, text: &str) {
        if self.kept >= KEPT {
            return;
        }
        let text = gather::short(text, 8192);
        let Some(section) = self.current.and_then(|index| self.sections.get_mut(index)) else {
            return;
        };
        let before = section.output.len() + section.trace.len() + section.message.len();
        section.line(limits, text);
        let after = section.output.len() + section.trace.len() + section.message.len();
        self.kept = (self.kept + after).saturating_sub(before);
    }

    /// Ends it and hands on what was kept. Returns whether anything failed.
    pub(super) fn finish(mut self, gather: &mut Gather<'_>, at: u64) -> bool {
        if self.is_dead || self.result.is_none() {
            // A result at the end of the last line may be what the test printed: without a result line it is not believed.
            if let Some(open) = &self.open
                && open.bare.is_none()
            {
                self.unsettled(gather);
            }
        }
        self.settle(gather);
        let failed = std::mem::take(&mut self.failed);
        let sections = std::mem::take(&mut self.sections);
        for (mut attempt, section) in failed.into_iter().zip(sections) {
            section.give(gather.limits, &mut attempt);
            gather.add(attempt);
        }
        match self.result {
            Some(result) => self.reconcile(gather, result, at),
            None => self.died(gather, at),
        }
    }

    fn reconcile(&self, gather: &mut Gather<'_>, result: Counts, at: u64) -> bool {
        let bad = result.failed > 0 || !result.is_ok || self.seen.failed > 0;
        let name = if self.suite.is_empty() {
            "a binary"
        } else {
            &self.suite
        };
        if self.dots && result.total() > self.seen.failed {
            let counts = format!("{} passed; {} ignored", result.passed, result.ignored);
            let text = format!("the names of the tests of `{name}` are absent: {counts}");
            gather.tell(IssueKind::Incomplete, self.place.from, text);
            let mut attempt = self.attempt(
                "(tests without names)",
                Outcome::Unknown,
                &counts,
                Place {
                    from: self.place.from,
                    to: at,
                },
            );
            attempt.number = gather.next_number(&attempt.test);
            gather.add(attempt);
        }
        if result.failed > self.named {
            let text = format!(
                "{} of {} failures",
                result.failed - self.named,
                result.failed
            );
            let mut attempt = self.attempt(
                "(failures without names)",
                Outcome::Fail,
                &text,
                Place {
                    from: self.place.from,
                    to: at,
                },
            );
            attempt.number = gather.next_number(&attempt.test);
            gather.add_with_empty_failure(attempt);
        }
        let seen = self.seen;
        let same = if self.dots {
            seen.failed == result.failed
        } else {
            (seen.passed, seen.failed, seen.ignored, seen.measured)
                == (
                    result.passed,
                    result.failed,
                    result.ignored,
                    result.measured,
                )
        };
        if !same {
            let text = format!(
                "`{name}` declares {} passed, {} failed, {} ignored, {} measured; there are {}, {}, {}, {}",
                result.passed,
                result.failed,
                result.ignored,
                result.measured,
                seen.passed,
                seen.failed,
                seen.ignored,
                seen.measured
            );
            gather.tell(IssueKind::CountMismatch, at, text);
        } else if result.is_ok == (result.failed > 0) {
            let text = format!(
                "the result of `{name}` and its {} failures do not agree",
                result.failed
            );
            gather.tell(IssueKind::CountMismatch, at, text);
        }
        bad
    }

    /// There is no result line.
    fn died(&mut self, gather: &mut Gather<'_>, at: u64) -> bool {
        let declared = self
            .declared
            .map_or_else(|| "?".to_owned(), |d| d.to_string());
        let text = format!(
            "the tests of `{}` have no result line: {} of {declared} were seen to end",
            self.suite,
            self.seen.total()
        );
        gather.tell(IssueKind::Incomplete, at, text);
        let place = Place {
            from: self.place.from,
            to: at,
        };
        let (how, signal) = self.death.take().unwrap_or_default();
        let kind = if signal {
            FailureKind::Crash
        } else {
            FailureKind::Other
        };
        let mut names = std::mem::take(&mut self.slow);
        names.extend(self.overflowed.take());
        let mut before = String::new();
        names.sort();
        for name in names {
            let id = TestId::new(&self.suite, "", &name);
            if name != before && gather.next_number(&id) <= self.run {
                self.error(gather, &name, kind, &how, place);
            }
            before = name;
        }
        if self.is_dead {
            let message = if how.is_empty() {
                "the process ended before its tests had"
            } else {
                &how
            };
            let id = TestId::new(&self.suite, "", "(process)");
            let mut attempt = self.attempt("(process)", Outcome::Error, "", place);
            attempt.number = gather.next_number(&id);
            attempt
                .failures
                .push(gather::failure(gather.limits, kind, message, ""));
            gather.add(attempt);
        }
        true
    }
}

impl Section {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    fn line(&mut self, limits: &Limits, text: &str) {
        self.output.push_str(text);
        self.output.push('\n');
        if self.output.len() > limits.output.saturating_mul(2).max(1 << 12) {
            self.output = text::tail(self.output.as_bytes(), limits.output);
        }
        let is_own = gather::thread(text).is_some_and(|(name, _)| name == self.name);
        if is_own && !self.is_own {
            // What other threads said before it is not why.
            self.message.clear();
            self.trace.clear();
            (self.location, self.cut) = (None, false);
            (self.is_own, self.state) = (true, Panic::None);
        }
        match self.state {
            Panic::None => self.look(text),
            Panic::Message => {
                // What another thread says ends with an empty line: behind it the test goes on.
                if gather::ends_panic(text) || !self.is_own && text.trim().is_empty() {
                    self.state = Panic::Done;
                } else if self.message.len() <= limits.message {
                    if !self.message.is_empty() {
                        self.message.push('\n');
                    }
                    self.message.push_str(text);
                }
            }
            Panic::Done => {}
        }
        if self.state != Panic::None {
            if self.trace.len() < limits.trace {
                self.trace.push_str(text);
                self.trace.push('\n');
            } else {
                self.cut = true;
            }
        }
    }

    fn look(&mut self, text: &str) {
        let panic = text
            .strip_prefix("thread '")
            .and_then(|rest| rest.split_once("panicked at "));
        if let Some((_, rest)) = panic {
            self.kind = FailureKind::Panic;
            self.state = Panic::Message;
            self.is_own |= text.starts_with("thread 'main'");
            if let Some(quoted) = rest.strip_prefix('\'') {
                // Until Rust 1.72: the message in quotes, then the place.
                if let Some((message, place)) = quoted.rsplit_once("', ") {
                    message.clone_into(&mut self.message);
                    self.location = gather::location(place);
                    self.state = Panic::Done;
                } else {
                    quoted.clone_into(&mut self.message);
                }
            } else {
                self.location = gather::location(rest);
            }
        } else if text.starts_with("Error: ") {
            text.clone_into(&mut self.message);
            self.state = Panic::Done;
        } else if text.starts_with("note: test did not panic as expected") {
            self.kind = FailureKind::Assertion;
            text["note: ".len()..].clone_into(&mut self.message);
            self.location = text
                .rsplit_once(" at ")
                .and_then(|(_, place)| gather::location(place));
            self.state = Panic::Done;
        } else if line::is_compiler_error(text) {
            self.kind = FailureKind::Compile;
            text.clone_into(&mut self.message);
            self.state = Panic::Done;
        }
    }

    fn give(self, limits: &Limits, attempt: &mut Attempt) {
        attempt.output = text::tail(self.output.as_bytes(), limits.output);
        let mut kind = self.kind;
        let is_assertion = ["assertion ", "assertion failed", "test did not panic"]
            .iter()
            .any(|start| self.message.starts_with(start));
        if is_assertion {
            kind = FailureKind::Assertion;
        }
        // Another harness, another hook for panics: what was said is all that is known.
        let is_plain = self.message.is_empty() && self.trace.is_empty();
        let mut failure = if is_plain {
            gather::failure(limits, kind, attempt.output.trim(), attempt.output.trim())
        } else {
            gather::failure(limits, kind, self.message.trim_end(), &self.trace)
        };
        failure.truncated |= self.cut;
        let is_empty = failure.message.is_empty() && failure.trace.is_empty();
        if !is_empty || attempt.failures.is_empty() {
            attempt.failures.push(Failure {
                location: self.location,
                ..failure
            });
        }
    }
}

/// The name without what libtest and rustdoc put behind it.
fn plain_name(name: &str) -> &str {
    let mut name = name.trim();
    for mark in [" - should panic", " - compile fail", " - compile"] {
        name = name.strip_suffix(mark).unwrap_or(name);
    }
    name
}

//! Test Anything Protocol 13 and 14, in the forms that perl, prove, node, tape, bats and Vitest write.
//!
//! Levels of subtests are told by indentation. Invariants: a level without a plan, or with fewer or more points than planned, is
//! told; what has a TODO is skipped and told, `ok` or `not ok`: it neither fails nor proves anything; a point of which all subtests were
//! skipped passed nothing, and what only holds tests (node's suites) is none, unless it failed; a bail-out is an error and the run incomplete; what
//! stands in a block of YAML is no test. Meets `point` (a line that is a test, and its directive) and `summed` (what the writer counted).

mod point;
mod summed;
mod yaml;

use std::collections::HashMap;
use std::io::BufRead;

use point::{Directive, Point};
use summed::{Seen, Told};
use yaml::Yaml;

use super::gather::{self, Gather};
use super::lines::{self, Line, Log};
use super::{Format, Limits, Parse, Reading, Sink, text};
use crate::{Attempt, FailureKind, IssueKind, Outcome, Place, SkipKind, TestId};

/// Descriptions of a document that are told apart when they come again.
const NAMES: usize = 1 << 20;

pub(super) fn read(source: &mut dyn BufRead, limits: &Limits, sink: &mut dyn Sink) -> Reading {
    let mut stream = Stream {
        gather: Gather::new(Format::Tap, limits, sink),
        suite: String::new(),
        levels: vec![Level::new(0, String::new())],
        last: None,
        told: Told::default(),
        all: Seen::default(),
        suites: 0,
        names: HashMap::new(),
        bad: 0,
        all_bad: 0,
        harness: false,
        bailed: false,
        result: false,
        any: false,
    };
    let ended = lines::each(source, limits, &mut stream);
    stream.end(ended.at, ended.is_whole, &ended.head)
}

impl<'a> Log<'a> for Stream<'a> {
    fn gather(&mut self) -> &mut Gather<'a> {
        &mut self.gather
    }

    fn line(&mut self, line: &Line<'_>) {
        for part in text::plain(line.bytes).split('\n') {
            self.part(part.trim_end(), line.place);
        }
    }
}

/// One level of subtests.
struct Level {
    indent: usize,
    /// What the tests of it are inside of.
    class: String,
    plan: Option<u64>,
    seen: u64,
    last: u64,
    /// Whether the number of the last one may come again.
    hook: bool,
    /// Whether there are subtests in it.
    inner: bool,
    /// The name that a comment gave to the subtests that come next.
    named: Option<String>,
    /// Whether the level is ended by a brace.
    braced: bool,
    /// The point that its subtests stand behind, in braces.
    own: Option<Attempt>,
    /// What its points came to.
    points: Seen,
    /// What the subtests came to that its next point is of.
    subtests: Seen,
}

impl Level {
    fn new(indent: usize, class: String) -> Self {
        Self {
            indent,
            class,
            plan: None,
            seen: 0,
            last: 0,
            hook: false,
            inner: false,
            named: None,
            braced: false,
            own: None,
            points: Seen::default(),
            subtests: Seen::default(),
        }
    }
}

/// A point that is kept until it is known that no YAML belongs to it.
struct Last {
    attempt: Attempt,
    indent: usize,
    yaml: Option<Yaml>,
    /// Comments behind it, and what else is indented below it.
    comments: String,
    /// Whether any of that is no comment.
    is_below: bool,
    /// What its subtests came to, which stand before it.
    subtests: Seen,
}

impl Last {
    /// Takes a line that is said of a failure.
    fn say(&mut self, text: &str, limits: &Limits, place: Place) {
        if self.attempt.outcome.is_bad() && self.comments.len() < limits.trace {
            self.comments.push_str(text);
            self.comments.push('\n');
            self.attempt.place.to = place.to;
        }
    }
}

struct Stream<'a> {
    gather: Gather<'a>,
    suite: String,
    levels: Vec<Level>,
    last: Option<Last>,
    /// What the document says at its end that it has.
    told: Told,
    /// What is in it.
    all: Seen,
    /// Points that only hold tests.
    suites: u64,
    names: HashMap<u64, u32>,
    bad: u64,
    all_bad: u64,
    /// Whether prove's own lines stand between.
    harness: bool,
    bailed: bool,
    /// Whether prove said what came of all.
    result: bool,
    any: bool,
}

impl Stream<'_> {
    fn part(&mut self, line: &str, place: Place) {
        let text = line.trim_start_matches([' ', '\t']);
        let indent = width(&line[..line.len() - text.len()]);
        if let Some(last) = &mut self.last {
            if let Some(yaml) = &mut last.yaml {
                last.attempt.place.to = place.to;
                if yaml.take(self.gather.limits, indent, line, text) {
                    return;
                }
                self.give();
                return;
            }
            if text == "---" && indent > last.indent {
                last.yaml = Some(Yaml::new(indent));
                return;
            }
        }
        if text.is_empty() {
            return;
        }
        if let Some(rest) = text.strip_prefix("Bail out!") {
            self.give();
            self.bail(rest.trim(), place);
        } else if let Some(comment) = text.strip_prefix('#') {
            self.comment(comment.trim(), indent, place);
        } else if let Some((count, reason)) = point::plan(text) {
            self.plan(count, reason, indent, place);
        } else if text.starts_with("TAP version ") {
            self.give();
            self.any = true;
            if indent == 0
                && (self.levels.len() > 1
                    || self.levels[0].plan.is_some()
                    || self.levels[0].seen > 0)
            {
                self.document(String::new(), place.from);
            }
        } else if text == "}" {
            self.give();
            // A brace ends its level, and those without one inside of it.
            while self.levels.len() > 1
                && self
                    .levels
                    .last()
                    .is_some_and(|level| !level.braced && level.indent > indent)
            {
                self.close(place.from);
            }
            if let Some(level) = self.levels.last_mut().filter(|level| level.braced) {
                level.braced = false;
                self.close(place.from);
            }
        } else if self.harness && indent == 0 && text == "ok" {
            // prove's word for the whole file.
            self.give();
        } else if let Some(point) = point::parse(text) {
            self.give();
            self.point(&point, indent, place);
        } else if let Some(number) = point::warning(text).filter(|_| !self.harness) {
            if let Some(level) = self.levels.last_mut()
                && number == level.last.saturating_add(1)
            {
                level.last = number;
            }
        } else if indent == 0 {
            self.harness_line(text, place);
        } else if let Some(last) = &mut self.last
            && indent > last.indent
        {
            // mocha writes the error so.
            last.is_below = true;
            last.say(text, self.gather.limits, place);
        }
    }

    /// Goes to the level of this indentation, ending those that are deeper.
    fn level(&mut self, indent: usize, place: Place) -> bool {
        while self.levels.len() > 1
            && self
                .levels
                .last()
                .is_some_and(|level| level.indent > indent)
        {
            self.close(place.from);
        }
        let depth = self.levels.len();
        let Some(top) = self.levels.last_mut() else {
            return false;
        };
        if indent <= top.indent {
            return true;
        }
        let is_fresh = top.seen == 0 && top.plan.is_none() && top.named.is_none();
        if is_fresh && (depth == 1 || top.braced) {
            // A document that is indented as a whole, or what stands in braces.
            top.indent = indent;
            return true;
        }
        if depth >= self.gather.limits.depth {
            let text = format!(
                "subtests are nested deeper than {}",
                self.gather.limits.depth
            );
            self.gather.tell(IssueKind::Limit, place.from, text);
            return false;
        }
        top.inner = true;
        let beyond = top.plan.is_some_and(|plan| top.seen >= plan);
        let name = top
            .named
            .take()
            .unwrap_or_else(|| format!("subtest {}", top.last.saturating_add(1)));
        let class = if top.class.is_empty() {
            name
        } else {
            format!("{} > {name}", top.class)
        };
        if beyond {
            let text = format!("`{class}` stands behind the last test that is planned");
            self.gather.tell(IssueKind::CountMismatch, place.from, text);
        }
        self.levels
            .push(Level::new(indent, text::head(class.as_bytes(), 4096).0));
        true
    }

    fn plan(&mut self, count: u64, reason: Option<&str>, indent: usize, place: Place) {
        self.give();
        self.any = true;
        let is_second = indent == 0
            && self.levels[0]
                .plan
                .is_some_and(|plan| plan == self.levels[0].seen);
        if is_second {
            self.document(String::new(), place.from);
        }
        if !self.level(indent, place) {
            return;
        }
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        if level.plan.is_some_and(|plan| plan != count) {
            let text = format!("a second plan, of {count} tests");
            self.gather.tell(IssueKind::CountMismatch, place.from, text);
            return;
        }
        level.plan = Some(count);
        if self.levels.len() == 1 {
            let declared = self.gather.reading.declared.unwrap_or(0);
            self.gather.reading.declared = Some(declared.saturating_add(count));
        }
        if count == 0
            && let Some(reason) = reason
        {
            let class = self.levels.last().map_or("", |level| &level.class);
            let test = TestId::new(&self.suite, class, "(all)");
            let outcome = Outcome::Skip(SkipKind::Declared);
            let mut attempt = gather::attempt(test, outcome, "1..0", place);
            attempt.skipped = Some(reason.to_owned());
            self.count(&attempt, false);
            self.gather.add(attempt);
        }
    }

    fn comment(&mut self, comment: &str, indent: usize, place: Place) {
        if let Some(name) = comment.strip_prefix("Subtest: ") {
            self.give();
            self.any = true;
            if !self.level(indent, place) {
                return;
            }
            if let Some(level) = self.levels.last_mut() {
                level.named = Some(point::unescape(gather::short(name, 4096)));
            }
            return;
        }
        let is_over = self.levels[0]
            .plan
            .is_some_and(|plan| self.levels[0].seen >= plan);
        if indent == 0 && self.told.take(comment, is_over, place.from) {
            return;
        }
        if let Some(last) = &mut self.last {
            // What perl and bats say of a failure.
            last.say(comment, self.gather.limits, place);
        }
    }

    fn bail(&mut self, reason: &str, place: Place) {
        self.any = true;
        self.bailed = true;
        let text = format!("it bailed out: {reason}");
        self.gather.tell(IssueKind::Incomplete, place.from, text);
        let test = TestId::new(&self.suite, "", "(bail out)");
        let mut attempt = gather::attempt(test, Outcome::Error, "Bail out!", place);
        attempt.number = self.gather.next_number(&attempt.test);
        attempt.failures.push(gather::failure(
            self.gather.limits,
            FailureKind::Other,
            reason,
            "",
        ));
        self.bad += 1;
        self.gather.add(attempt);
    }

    fn point(&mut self, point: &Point, indent: usize, place: Place) {
        self.any = true;
        self.told.forget();
        if !self.level(indent, place) {
            return;
        }
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        let subtests = std::mem::take(&mut level.subtests);
        let named = level.named.take();
        level.seen += 1;
        let expected = level.last.saturating_add(1);
        let number = match point.number {
            // node: a file that could not be run, with the file's own number.
            Some(_)
                if !point.ok
                    && named.as_ref() == Some(&point.name)
                    && point::is_script(&point.name) =>
            {
                expected
            }
            number => number.unwrap_or(expected),
        };
        let again = std::mem::replace(&mut level.hook, !point.ok && point::is_hook(&point.name));
        let wrong = if number == expected || (again && number == level.last) {
            None
        } else if number <= level.last {
            Some((IssueKind::Collision, "a number that was before"))
        } else {
            Some((IssueKind::CountMismatch, "numbers are left out before it"))
        };
        level.last = level.last.max(number);
        if level.plan.is_some_and(|plan| number > plan) {
            let text = format!("test {number} is not in the plan");
            self.gather.tell(IssueKind::CountMismatch, place.from, text);
        }
        if let Some((kind, text)) = wrong {
            let text = format!("test {number} where {expected} should be: {text}");
            self.gather.tell(kind, place.from, text);
        }
        let class = level.class.clone();
        let name = if point.name.is_empty() {
            format!("#{number}")
        } else {
            point.name.clone()
        };
        let test = self.named(TestId::new(&self.suite, &class, &name));
        let outcome = match (point.ok, &point.directive) {
            (true, None) => Outcome::Pass,
            (false, None) => Outcome::Fail,
            // Also behind `not ok`: bats writes so of what it skips, and it is no pass either way.
            (_, Some(Directive::Skip(_))) => Outcome::Skip(SkipKind::Other),
            // node and Vitest write so of what is yet to be written and did not run, AVA as `not ok`, and a harness takes one that passes
            // for a bonus (TAP 14, "TODO tests"): no failure either way, and no proof.
            (_, Some(Directive::Todo(_))) => Outcome::Skip(SkipKind::Todo),
        };
        let raw = if point.ok { "ok" } else { "not ok" };
        let mut attempt = gather::attempt(test, outcome, raw, place);
        attempt.seconds = point.seconds;
        if let Some(Directive::Skip(reason) | Directive::Todo(reason)) = &point.directive {
            attempt.skipped = Some(match outcome {
                Outcome::Skip(SkipKind::Todo) if !point.ok => match reason.as_str() {
                    "" => "TODO".to_owned(),
                    reason => format!("TODO: {reason}"),
                },
                Outcome::Skip(SkipKind::Todo) if reason.is_empty() => {
                    "TODO that did not fail".to_owned()
                }
                Outcome::Skip(SkipKind::Todo) => format!("TODO that did not fail: {reason}"),
                _ => reason.clone(),
            });
        }
        if outcome.is_bad() {
            self.bad += 1;
        }
        if point.opens && self.levels.len() < self.gather.limits.depth {
            // Its subtests follow in braces.
            let class = if class.is_empty() {
                name
            } else {
                format!("{class} > {name}")
            };
            let mut level = Level::new(indent + 1, class);
            level.braced = true;
            level.own = Some(attempt);
            self.levels.push(level);
            return;
        }
        self.last = Some(Last {
            attempt,
            indent,
            yaml: None,
            comments: String::new(),
            is_below: false,
            subtests,
        });
    }

    /// Counts an attempt for its level and for the document.
    fn count(&mut self, attempt: &Attempt, is_suite: bool) {
        self.suites += u64::from(is_suite);
        if !is_suite {
            self.all.add(attempt);
        }
        if let Some(level) = self.levels.last_mut() {
            level.points.add(attempt);
        }
    }

    /// Hands a point on, of which these are the subtests.
    fn hand_on(&mut self, mut attempt: Attempt, subtests: &Seen, is_suite: bool) {
        if attempt.outcome == Outcome::Pass && subtests.is_nothing() {
            attempt.outcome = Outcome::Skip(SkipKind::Other);
            attempt.skipped = Some("all of its subtests were skipped".to_owned());
        }
        self.count(&attempt, is_suite);
        if let Some(level) = self.levels.last_mut() {
            level.points.add_all(subtests);
        }
        // What only holds tests is none; one that failed may have failed by itself.
        if !is_suite || attempt.outcome.is_bad() {
            self.gather.add_with_empty_failure(attempt);
        }
    }

    /// Descriptions are for people and come again; those of a document are told apart by how often they came.
    fn named(&mut self, test: TestId) -> TestId {
        if self.names.len() >= NAMES {
            return test;
        }
        let count = self.names.entry(gather::hash(&test)).or_insert(0);
        *count += 1;
        if *count == 1 {
            return test;
        }
        TestId::new(
            &test.suite,
            &test.class,
            &format!("{} ({count})", test.name),
        )
    }

    /// Hands the last point on.
    fn give(&mut self) {
        let Some(mut last) = self.last.take() else {
            return;
        };
        let mut is_suite = false;
        if let Some(yaml) = last.yaml.take() {
            is_suite = yaml.is_suite();
            yaml.give(self.gather.limits, &mut last.attempt);
        } else if last.attempt.outcome == Outcome::Fail && !last.comments.is_empty() {
            last.attempt.failures.push(yaml::said(
                self.gather.limits,
                &last.comments,
                last.is_below,
            ));
        }
        self.hand_on(last.attempt, &last.subtests, is_suite);
    }

    /// Ends the deepest level.
    fn close(&mut self, at: u64) {
        self.give();
        let Some(mut level) = self.levels.pop() else {
            return;
        };
        if let Some(mut own) = level.own.take() {
            // More of its subtests may be missing.
            if level.braced && own.outcome == Outcome::Pass {
                own.outcome = Outcome::Unknown;
            }
            self.hand_on(own, &level.points, false);
        } else if let Some(outer) = self.levels.last_mut() {
            outer.subtests.add_all(&level.points);
        }
        let what = if level.class.is_empty() {
            self.suite.as_str()
        } else {
            &level.class
        };
        if level.braced {
            let text = format!("the subtests of `{what}` have no end");
            self.gather.tell(IssueKind::Incomplete, at, text);
        }
        match level.plan {
            // Also where the subtests are there, and the report ends before what they are of.
            None if level.seen > 0 || level.inner => {
                let text =
                    format!("`{what}` has no plan: how many tests there should be is not known");
                self.gather.tell(IssueKind::Incomplete, at, text);
            }
            Some(plan) if plan != level.seen => {
                let text = format!(
                    "`{what}` has a plan of {plan} tests, and {} are there",
                    level.seen
                );
                self.gather.tell(IssueKind::CountMismatch, at, text);
            }
            _ => {}
        }
    }

    /// A new document begins.
    fn document(&mut self, suite: String, at: u64) {
        self.give();
        let top = self.levels.first().map(|level| level.points);
        while !self.levels.is_empty() {
            self.close(at);
        }
        let told = std::mem::take(&mut self.told);
        let all = std::mem::take(&mut self.all);
        let suites = std::mem::take(&mut self.suites);
        if let Some(wrong) = told.against(&all, &top.unwrap_or_default(), suites) {
            self.gather.tell(IssueKind::CountMismatch, told.at, wrong);
        }
        self.levels.push(Level::new(0, String::new()));
        self.names.clear();
        self.suite = suite;
        self.all_bad += std::mem::take(&mut self.bad);
    }

    /// What prove prints between and after the documents.
    fn harness_line(&mut self, text: &str, place: Place) {
        self.give();
        if let Some(file) = point::file(text) {
            self.harness = true;
            self.document(file.to_owned(), place.from);
        } else if let Some(reason) = text.strip_prefix("Bailout called.") {
            if !self.bailed {
                self.any = true;
                self.bail(reason.trim(), place);
            }
        } else if text.starts_with("Dubious, test returned ") && self.harness {
            if self.bad == 0 {
                let test = TestId::new(&self.suite, "", "(process)");
                let mut attempt = gather::attempt(test, Outcome::Error, "Dubious", place);
                attempt.number = self.gather.next_number(&attempt.test);
                attempt.failures.push(gather::failure(
                    self.gather.limits,
                    FailureKind::Other,
                    text,
                    "",
                ));
                self.bad += 1;
                self.gather.add(attempt);
            }
        } else if text.starts_with("Result: ") && self.harness {
            self.result = true;
            let bad = self.all_bad + self.bad > 0;
            let is_pass = text == "Result: PASS";
            if (is_pass && self.gather.reading.seen.failed > 0) || (!is_pass && !bad) {
                let text = format!("`{text}` and what was read do not agree");
                self.gather.tell(IssueKind::CountMismatch, place.from, text);
            }
        }
    }

    fn end(mut self, at: u64, whole: bool, head: &[u8]) -> Reading {
        let is_open = self
            .last
            .as_ref()
            .is_some_and(|last| last.yaml.as_ref().is_some_and(|yaml| !yaml.is_done()));
        let is_over = self.levels[0].plan.is_some() && !is_open;
        if let Some(last) = self.last.as_mut().filter(|last| {
            // That it only holds tests may stand behind it.
            !is_over && last.subtests.any() && last.attempt.outcome == Outcome::Pass
        }) {
            last.attempt.outcome = Outcome::Unknown;
        }
        if let Some(last) = self.last.as_mut().filter(|_| !whole) {
            // A directive may have stood behind it.
            if last.attempt.outcome == Outcome::Pass
                && last.yaml.is_none()
                && last.attempt.place.to == at
            {
                last.attempt.outcome = Outcome::Unknown;
            }
        }
        self.document(String::new(), at);
        if !self.any {
            let found = gather::found(head);
            let text = format!("no plan and no test of TAP is in it: it is {found}");
            self.gather.tell(IssueKind::Unparsable, 0, text);
            self.gather.reading.parse = Parse::Rejected;
        } else if self.harness && !self.result {
            self.gather
                .tell(IssueKind::Incomplete, at, "prove's own result is not there");
        } else if is_open {
            self.gather
                .tell(IssueKind::Truncated, at, "it ends inside a block of YAML");
        } else if !whole {
            self.gather
                .tell(IssueKind::Truncated, at, "its last line has no end");
        }
        self.gather.finish(at)
    }
}

fn width(white: &str) -> usize {
    white.bytes().map(|b| if b == b'\t' { 4 } else { 1 }).sum()
}

/// Whether a line is a plan, and whether it is a test with its number: what tells TAP from other text.
pub(super) fn shape(text: &str) -> (bool, bool) {
    let is_point = point::parse(text).is_some_and(|point| point.number.is_some());
    (point::plan(text).is_some(), is_point)
}

//! JUnit XML, in whatever dialect.
//!
//! There is no one format: this reads test elements wherever they stand, at any depth, under any root. Invariants: the worst of all
//! that is said of a test counts (attributes, children, its own end that is missing) and all is kept; a suite that failed itself is a
//! failed test; what a suite declares is compared with what is in it; a test is given when its element ends, and nothing of it is
//! kept but a hash of its id: of the first 229,376 for the whole report, of as many more for each suite.

mod body;
mod case;
mod child;
mod closing;
mod counts;
mod dialect;
mod refused;
mod suite;
mod waiting;
pub(super) mod words;

use std::io::BufRead;

use self::case::{Case, Classes};
use self::child::{Child, Role};
use self::dialect::Dialect;
use self::suite::Suite;
use self::waiting::Waiting;
use self::words::{Element, Says};
use super::xml::ids::{self, Again, Ids, Seen};
use super::xml::times::Marks;
use super::xml::{self, End, Flow, Handler, Notes, Tag};
use super::{Format, Limits, Reading, Sink};
use crate::{Attempt, Failure, FailureKind, IssueKind, Name, Outcome, Place, TestId};

pub(super) fn read(source: &mut dyn BufRead, limits: &Limits, sink: &mut dyn Sink) -> Reading {
    let mut junit = Junit {
        notes: Notes::new(Reading::of(Format::Junit), *limits),
        limits: *limits,
        sink,
        frames: Vec::new(),
        suites: Vec::new(),
        cases: Vec::new(),
        open: 0,
        child: None,
        spare: Child::default(),
        target: Target::Nothing,
        ids: Ids::default(),
        marks: Marks::default(),
        held: None,
        again: Again::default(),
        put_off: Vec::new(),
        lacking: 0,
        far: Vec::new(),
        waiting: Waiting::default(),
        value: String::new(),
        root: None,
        outside: None,
        is_followed: false,
        is_junit: false,
        is_page: false,
        unchecked: false,
        declared: Sum::default(),
        is_fine: false,
        of_class: (0, Name::default(), ids::joined(0, "")),
        classes: Classes::default(),
    };
    let bytes = xml::drive(source, limits, &mut junit);
    junit.finish(bytes)
}

/// What an open element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Suite,
    Case,
    /// The element of [`Junit::child`].
    Child,
    /// Anything else.
    Other,
    /// Around everything.
    Wrapper,
}

/// Where text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Nothing,
    Trace,
    ChildOutput,
    CaseOutput,
    SuiteOutput,
}

struct Frame {
    kind: Kind,
    /// Where text went before.
    before: Target,
    /// Where it begins.
    from: u64,
}

/// A test that the next element may say more of.
struct Held {
    /// Of its id.
    hash: u64,
    attempt: Attempt,
    /// pytest wrote it and says nothing of how it ended.
    is_bare: bool,
}

/// Declared numbers of tests, added up.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    tests: u64,
    any: bool,
    missing: bool,
}

impl Sum {
    const fn add(&mut self, tests: Option<u64>) {
        match tests {
            Some(tests) => {
                self.tests = self.tests.saturating_add(tests);
                self.any = true;
            }
            None => self.missing = true,
        }
    }

    fn whole(&self) -> Option<u64> {
        (self.any && !self.missing).then_some(self.tests)
    }
}

struct Junit<'s> {
    notes: Notes,
    limits: Limits,
    sink: &'s mut dyn Sink,
    frames: Vec<Frame>,
    suites: Vec<Suite>,
    /// The first `open` of them are open, the others are kept for their memory.
    cases: Vec<Case>,
    open: usize,
    /// The statement that is being read.
    child: Option<Child>,
    spare: Child,
    target: Target,
    ids: Ids,
    marks: Marks,
    held: Option<Held>,
    /// How often tests of Go came again.
    again: Again,
    /// What does not agree in suites of mocha's, and how many tests they lack.
    put_off: Vec<(u64, String)>,
    lacking: u64,
    /// pytest: tests that are there again, and not right behind the first one. Where they are, and what to say if they are no reruns.
    far: Vec<(u64, String)>,
    waiting: Waiting,
    value: String,
    root: Option<String>,
    /// Text before the document.
    outside: Option<String>,
    /// Whether text behind its end was told.
    is_followed: bool,
    is_junit: bool,
    is_page: bool,
    unchecked: bool,
    declared: Sum,
    /// Whether a test of Vitest took time that is told in parts of a millisecond.
    is_fine: bool,
    /// A suite's hash, the class of the last test, and the hash of both.
    of_class: (u64, Name, u64),
    classes: Classes,
}

impl Handler for Junit<'_> {
    fn start(&mut self, tag: &Tag<'_>) -> Flow {
        let element = words::element(tag.name());
        if tag.depth == 0 && self.root.is_none() {
            self.root = Some(tag.name().chars().take(60).collect());
            if element == Element::Page {
                self.is_page = true;
                return Flow::Stop;
            }
        } else if tag.depth == 0
            && self.is_junit
            && !matches!(element, Element::Suites | Element::Suite | Element::Case)
        {
            // Whole documents one behind the other are read; of anything else nobody knows what it says.
            let text = format!(
                "<{}> behind the report's end: it was not read",
                shown(tag.name())
            );
            self.notes.tell(IssueKind::Unparsable, tag.place.from, text);
        }
        let inner = self.frames.last().map_or(Kind::Wrapper, |f| f.kind);
        let before = self.target;
        let kind = match element {
            Element::Suites | Element::Suite => {
                self.open_suite(tag, element == Element::Suites);
                self.target = Target::Nothing;
                Kind::Suite
            }
            Element::Case => {
                self.open_case(tag);
                self.target = Target::Nothing;
                Kind::Case
            }
            Element::Says(says) if !self.suites.is_empty() || self.open > 0 => {
                self.open_child(tag, Role::Says(says))
            }
            Element::Attempt { passed, outcome } if self.open > 0 => {
                self.open_child(tag, Role::Attempt { passed, outcome })
            }
            Element::Output => {
                self.target = match &self.child {
                    Some(_) => Target::ChildOutput,
                    None if self.open > 0 => Target::CaseOutput,
                    None if self.is_in(Dialect::Newman) => Target::SuiteOutput,
                    None => Target::Nothing,
                };
                Kind::Other
            }
            Element::Unknown if inner == Kind::Case && tag.prefix().is_empty() => {
                self.unknown_child(tag);
                Kind::Other
            }
            Element::Aside if self.open == 0 && tag.name() == "property" => {
                self.property(tag);
                Kind::Other
            }
            _ if inner == Kind::Wrapper => Kind::Wrapper,
            Element::Unknown if inner == Kind::Suite && tag.prefix().is_empty() => {
                let text = format!("<{}> in a suite means nothing here", shown(tag.name()));
                self.notes.tell(IssueKind::OddValue, tag.place.from, text);
                Kind::Other
            }
            _ => Kind::Other,
        };
        self.frames.push(Frame {
            kind,
            before,
            from: tag.place.from,
        });
        Flow::On
    }

    fn end(&mut self, place: Place, end: End) -> Flow {
        let Some(frame) = self.frames.pop() else {
            return Flow::On;
        };
        self.target = frame.before;
        let place = Place {
            from: frame.from,
            to: place.to,
        };
        match frame.kind {
            Kind::Case => self.close_case(place, end),
            Kind::Child => self.close_child(place),
            Kind::Suite => self.close_suite(place, end),
            Kind::Other | Kind::Wrapper => {}
        }
        if self.notes.reading.seen.attempts >= self.limits.attempts {
            let text = format!(
                "there are {} attempts: the rest was not read",
                self.limits.attempts
            );
            self.notes.tell(IssueKind::Limit, place.to, text);
            return Flow::Stop;
        }
        Flow::On
    }

    fn text(&mut self, piece: &str, at: u64) {
        let limits = &self.limits;
        match self.target {
            Target::Nothing => {
                if self.frames.is_empty() && self.is_junit {
                    if !self.is_followed && !piece.trim().is_empty() {
                        self.is_followed = true;
                        let text = format!("text behind the report's end: {}", shown(piece.trim()));
                        self.notes.tell(IssueKind::Unparsable, at, text);
                    }
                } else if self.frames.is_empty() && self.outside.is_none() {
                    let text: String = piece.trim_start().chars().take(60).collect();
                    self.outside = (!text.is_empty()).then_some(text);
                }
            }
            Target::Trace => {
                if let Some(child) = &mut self.child {
                    child.trace.push(piece, limits.trace);
                }
            }
            Target::ChildOutput => {
                if let Some(child) = &mut self.child {
                    child.output.push(piece, limits.output);
                }
            }
            Target::SuiteOutput => {
                if let Some(suite) = self.suites.last_mut() {
                    suite.said.push(piece, limits.trace);
                }
            }
            Target::CaseOutput => {
                if let Some(case) = self.open.checked_sub(1).and_then(|i| self.cases.get_mut(i)) {
                    case.output.push(piece, limits.output);
                }
            }
        }
    }

    fn doctype(&mut self, text: &str, at: u64) -> Flow {
        let name = text.trim_start().get(..4).unwrap_or("");
        if name.eq_ignore_ascii_case("html") && self.root.is_none() {
            self.is_page = true;
            return Flow::Stop;
        }
        if text.contains('[') {
            // It may say what attributes are if they are absent: what was read may not be what is meant.
            self.notes.tell(
                IssueKind::Unparsable,
                at,
                "a document type with declarations: they are not read, entities are not replaced",
            );
        } else {
            self.notes
                .tell(IssueKind::OddValue, at, "a document type: it is not read");
        }
        Flow::On
    }

    fn notes(&mut self) -> &mut Notes {
        &mut self.notes
    }
}

impl Junit<'_> {
    fn open_suite(&mut self, tag: &Tag<'_>, is_all: bool) {
        self.is_junit = true;
        self.flush();
        let suite = Suite::of(
            tag,
            is_all,
            self.suites.last(),
            &self.limits,
            &mut self.notes,
            &mut self.marks,
            &mut self.value,
        );
        if suite.dialect == Dialect::Newman
            && let Some(all) = self.suites.last_mut()
        {
            all.dialect = Dialect::Newman;
        }
        self.suites.push(suite);
    }

    fn open_case(&mut self, tag: &Tag<'_>) {
        self.is_junit = true;
        if self.open == self.cases.len() {
            self.cases.push(Case::default());
        }
        let case = &mut self.cases[self.open];
        self.open += 1;
        case.read(
            tag,
            &self.limits,
            &mut self.notes,
            &mut self.marks,
            &mut self.classes,
            &mut self.value,
        );
    }

    /// Opens a statement; within another one it only counts.
    fn open_child(&mut self, tag: &Tag<'_>, role: Role) -> Kind {
        if self.child.is_some() {
            if let Role::Says(says) = role {
                if let Some(case) = self.open.checked_sub(1).and_then(|i| self.cases.get_mut(i)) {
                    case.count(says.outcome);
                    case.say(says, tag.name());
                } else if let Some(child) = &mut self.child {
                    child.worsen(says);
                }
            }
            return Kind::Other;
        }
        let mut child = std::mem::take(&mut self.spare);
        child.read(
            tag,
            role,
            &self.limits,
            &mut self.notes,
            &mut self.marks,
            &mut self.value,
        );
        self.child = Some(child);
        self.target = Target::Trace;
        Kind::Child
    }

    /// Reads the first property of a suite, which may tell who wrote it.
    fn property(&mut self, tag: &Tag<'_>) {
        let Some(suite) = self.suites.last_mut().filter(|suite| !suite.is_told) else {
            return;
        };
        suite.is_told = true;
        let mut told = Dialect::Plain;
        tag.attributes(&self.limits, &mut self.notes, |_, key, raw| {
            match (key, raw) {
                ("name", "go.version") => told = Dialect::Go,
                ("name", "SuiteSucceeded") => told = Dialect::Ginkgo,
                _ => {}
            }
        });
        if told != Dialect::Plain && suite.dialect == Dialect::Plain {
            // What holds all of its suites counts in the same way.
            for suite in &mut self.suites {
                suite.dialect = told;
            }
        }
    }

    fn unknown_child(&mut self, tag: &Tag<'_>) {
        let name = shown(tag.name());
        if let Some(case) = self.open.checked_sub(1).and_then(|i| self.cases.get_mut(i)) {
            case.say(
                Says {
                    outcome: Outcome::Unknown,
                    kind: FailureKind::Other,
                },
                tag.name(),
            );
        }
        if !self.notes.is_full(IssueKind::UnknownOutcome) {
            let text = format!("<{name}> in a test may say what it came to: nobody knows it");
            self.notes
                .tell(IssueKind::UnknownOutcome, tag.place.from, text);
        }
    }

    fn close_child(&mut self, place: Place) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        if self.open > 0 {
            let case = &mut self.cases[self.open - 1];
            match child.role {
                Role::Says(says) => case.add(says, &mut child, &self.limits),
                Role::Attempt { passed, outcome } => {
                    let attempt = case.attempt(passed, outcome, &mut child, place, &self.limits);
                    if let Some(mut attempt) = attempt {
                        attempt.test = id(&self.suites, case.names());
                        if attempt.test.name.is_empty() {
                            UNNAMED.clone_into(&mut attempt.test.name);
                        }
                        self.flush();
                        self.give(attempt);
                    }
                }
            }
        } else if let (Role::Says(says), Some(suite)) = (child.role, self.suites.last_mut()) {
            // The suite itself: set-up failed, the process died, nothing could be loaded.
            let attempt = suite.itself(says, &mut child, place, &self.limits);
            self.flush();
            self.give(attempt);
        }
        self.spare = child;
    }

    fn close_case(&mut self, place: Place, end: End) {
        let Some(index) = self.open.checked_sub(1) else {
            return;
        };
        self.open = index;
        let is_eslint = self.is_in(Dialect::Eslint);
        let is_linter = is_eslint || self.is_in(Dialect::Stylelint);
        let case = &mut self.cases[index];
        let mut test = id(&self.suites, case.take_names(self.suites.last()));
        if end == End::Cut {
            case.cut();
        }
        if test.name.is_empty() {
            UNNAMED.clone_into(&mut test.name);
            let (kind, text) = match case.is_unended {
                true => (
                    IssueKind::Incomplete,
                    "a test without name and class: it had begun, and nothing says how it ended",
                ),
                false => (IssueKind::OddValue, "a test without a name"),
            };
            self.notes.tell(kind, place.from, text);
        }
        // Tests of one suite mostly are of one class too.
        let mut suite = self.suites.last().map_or(0, |suite| suite.hash);
        if let Some(file) = case.file()
            && is_by_file(&self.suites, &test.class)
        {
            test.suite = Name::new(&match &*test.suite {
                "" => file.to_owned(),
                path => format!("{file} > {path}"),
            });
            suite = ids::part(&test.suite);
        }
        if self.of_class.0 != suite || self.of_class.1 != test.class {
            self.of_class = (suite, test.class.clone(), ids::joined(suite, &test.class));
        }
        let hash = ids::joined(self.of_class.2, &test.name);
        let suite_span = self.suites.last().and_then(|suite| suite.span);
        let seen = self
            .ids
            .see(self.of_class.2, hash, case.span().or(suite_span));
        if seen == Seen::First && case.is_bare() {
            return self.close_bare(index, test, hash, place);
        }
        if let Some(suite) = self.suites.last_mut()
            && suite.dialect == Dialect::Ginkgo
            && case.is_passed_hook(&test.name)
        {
            case.tally(&mut suite.direct, false);
            return;
        }
        let (mut is_double, mut is_rerun, mut is_far) = (false, false, false);
        let mut number = 1;
        let is_same = |held: &Option<Held>| {
            held.as_ref()
                .is_some_and(|held| held.hash == hash && held.attempt.test == test)
        };
        match seen {
            Seen::First => {}
            Seen::Again(n) => number = n,
            // pytest: the test failed, and so did what cleans up behind it.
            Seen::Before if case.is_only_teardown() => is_double = true,
            // pytest again: it was run once more, which is only done after a failure, and only the last run says how it ended.
            Seen::Before
                if is_same(&self.held) && self.held.as_ref().is_some_and(|h| h.is_bare) =>
            {
                if let Some(held) = &mut self.held {
                    again(&mut held.attempt);
                }
                number = self.again.get(hash);
                is_rerun = true;
            }
            Seen::Before if is_same(&self.held) && case.is_unloaded => is_double = true,
            // In a package of Go a name is that of one test.
            Seen::Before if self.suites.last().is_some_and(|s| s.dialect == Dialect::Go) => {
                number = self.again.get(hash);
            }
            // A rule that found more in the same file.
            Seen::Before if is_linter => {
                number = self.again.get(hash);
            }
            // pytest with processes: others stand between. Whether it was run again, what the suite declares tells at its end.
            Seen::Before if case.is_bare() && self.suites.last().is_some_and(|s| s.is_pytest) => {
                number = self.again.get(hash);
                self.far_again(&test, place);
                (is_rerun, is_far) = (true, true);
            }
            // One test, and what failed in it one by one.
            Seen::Before
                if is_same(&self.held)
                    && self.is_in(Dialect::Surefire)
                    && self.cases[index].is_bad()
                    && self
                        .held
                        .as_ref()
                        .is_some_and(|h| h.attempt.outcome.is_bad()) =>
            {
                is_double = true;
            }
            Seen::Before => {
                if self.notes.is_full(IssueKind::Collision) {
                    self.notes.tell(IssueKind::Collision, place.from, "");
                } else {
                    let text = format!("{test}: there are two tests of this name");
                    self.notes.tell(IssueKind::Collision, place.from, text);
                }
            }
            Seen::Unchecked => {
                if !self.unchecked {
                    self.unchecked = true;
                    self.notes.tell(
                        IssueKind::Limit,
                        place.from,
                        "too many tests to compare the names of some from here on",
                    );
                }
            }
        }
        self.is_fine |= self.is_in(Dialect::Vitest) && self.cases[index].is_finely_timed();
        let case = &mut self.cases[index];
        if is_eslint {
            case.warned();
        }
        let is_bare = case.is_bare() && self.suites.last().is_some_and(|s| s.is_pytest);
        if let Some(suite) = self.suites.last_mut() {
            case.tally(&mut suite.direct, is_double || is_rerun);
            suite.direct.again += u64::from(number > 1 || is_rerun);
        } else {
            self.declared.missing = true;
        }
        let suite_file = self.suites.last().and_then(|suite| suite.file.as_ref());
        let attempts = case.attempts(test, number, suite_file, place, &self.limits);
        let (mut main, later) = attempts;
        if is_far {
            // That it is there again says that one of them failed; which, nothing does.
            again(&mut main);
        }
        if is_double
            && let Some(Held {
                hash: held,
                attempt: first,
                ..
            }) = &mut self.held
            && *held == hash
            && first.test == main.test
        {
            first.outcome = first.outcome.worse(main.outcome);
            first.failures.extend(main.failures);
            first.failures.truncate(self.limits.failures);
            first.place.to = main.place.to;
            if first.output.is_empty() {
                first.output = main.output;
            }
            return;
        }
        self.flush();
        let is_bare = is_bare && main.outcome == Outcome::Pass;
        if later.is_empty() && (is_bare || main.outcome.is_bad()) {
            self.held = Some(Held {
                hash,
                attempt: main,
                is_bare,
            });
            return;
        }
        self.give(main);
        for attempt in later {
            self.give(attempt);
        }
    }

    /// Closes a test of which nothing is said, as of most: it passed.
    fn close_bare(&mut self, index: usize, test: TestId, hash: u64, place: Place) {
        self.flush();
        let may_wait = self.is_in(Dialect::Jest);
        let unrun = self.unrun(index);
        let case = &mut self.cases[index];
        let mut is_bare = false;
        let mut file = None;
        if let Some(suite) = self.suites.last_mut() {
            case.tally(&mut suite.direct, false);
            is_bare = suite.is_pytest;
            file = suite.file.as_ref();
        } else {
            self.declared.missing = true;
        }
        if is_bare {
            self.held = Some(Held {
                hash,
                attempt: case.bare(test, file, place, &self.limits),
                is_bare,
            });
        } else if may_wait && case.is_instant() {
            let attempt = case.bare(test, file, place, &self.limits);
            if let Some(attempt) = self.waiting.keep(attempt, &mut self.notes) {
                self.give(attempt);
            }
        } else if let Some(outcome) = unrun {
            let mut attempt = case.bare(test, file, place, &self.limits);
            attempt.outcome = outcome;
            attempt.failures.push(Failure {
                message: UNRUN.to_owned(),
                ..Failure::default()
            });
            self.give(attempt);
        } else {
            self.notes.count(Outcome::Pass);
            // Made where the sink takes it: moving it first waits for all of it to be written.
            self.sink
                .attempt(case.bare(test, file, place, &self.limits));
        }
    }

    /// What a test of which nothing is said came to, where Vitest may not have run it: it took no time, it printed nothing, and the whole report
    /// declares failures, after which Vitest stops if it is told to (`bail`). Vitest times what ran in parts of a millisecond; where the
    /// clock of a browser is coarser, nobody can tell.
    fn unrun(&mut self, index: usize) -> Option<Outcome> {
        if !self.is_in(Dialect::Vitest) {
            return None;
        }
        let case = &self.cases[index];
        self.is_fine |= case.is_finely_timed();
        let all = self.suites.first()?;
        if !case.is_instant() || !case.output.is_empty() || all.declared.failures == Some(0) {
            return None;
        }
        Some(match self.is_fine {
            true => Outcome::Precluded,
            false => Outcome::Unknown,
        })
    }

    /// Whether the open suite is of this writer.
    fn is_in(&self, dialect: Dialect) -> bool {
        self.suites.last().is_some_and(|s| s.dialect == dialect)
    }

    /// Gives the test that was held back.
    fn flush(&mut self) {
        if let Some(held) = self.held.take() {
            self.give(held.attempt);
        }
    }

    fn give(&mut self, attempt: Attempt) {
        self.notes.count(attempt.outcome);
        self.sink.attempt(attempt);
    }

    fn finish(mut self, bytes: u64) -> Reading {
        self.flush();
        self.notes.reading.bytes = bytes;
        self.notes.reading.declared = self.declared.whole();
        if !self.is_junit {
            let found = if self.is_page && bytes > 0 {
                "it is an HTML page".to_owned()
            } else {
                let is_cut = self.notes.has(IssueKind::Truncated);
                refused::found(bytes, self.root.as_deref(), self.outside.as_deref(), is_cut)
            };
            self.notes.reject(format!("no JUnit report: {found}"));
            return self.notes.reading;
        }
        self.notes.settle_times();
        if let Some(text) = &self.outside {
            let text = format!("text before the document: {text}");
            self.notes.tell(IssueKind::OddValue, 0, text);
        }
        if self.notes.reading.seen.attempts == 0 {
            self.notes
                .tell(IssueKind::NoTests, 0, "there is no test in the report");
        }
        self.notes.reading
    }
}

/// Makes an attempt one that failed: the test was run again, which is only done after a failure.
fn again(attempt: &mut Attempt) {
    attempt.outcome = Outcome::Fail;
    "rerun".clone_into(&mut attempt.raw);
    attempt.failures.push(Failure {
        message: "it was run again; the report does not say why".to_owned(),
        ..Failure::default()
    });
}

/// Why a test of Vitest's is none that passed (`bail`). As every failure's text of our own, it has at most 80 bytes.
const UNRUN: &str =
    "it took no time, and others failed: Vitest writes so of tests that did not run";

/// The name of a test that has none.
const UNNAMED: &str = "(unnamed)";

/// A test's id within the open suites.
fn id(suites: &[Suite], (class, name): (Name, String)) -> TestId {
    TestId {
        suite: suites.last().map_or_else(Name::default, |s| s.path.clone()),
        class,
        name,
    }
}

/// Whether the tests of the open suite are told apart by their files: node's.
fn is_by_file(suites: &[Suite], class: &str) -> bool {
    match suites {
        [all] if all.is_all => class == "test",
        [.., suite] => suite.dialect == Dialect::Node,
        [] => false,
    }
}

fn shown(name: &str) -> String {
    super::gather::short(name, 60).to_owned()
}

/// A failure that only an attribute tells of.
fn bare(says: Says, raw: &str) -> Failure {
    Failure {
        kind: says.kind,
        message: format!("the report says `{}`", shown(raw)),
        ..Failure::default()
    }
}

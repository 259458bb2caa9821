//! Runners of Python that end before they have written a report: what they could not load, wrong usage, and a crash or a time-out that tells
//! the stack itself.
//!
//! Such a line may stand behind the dots of what ran before. Of a stack, the place is the frame nearest to the failure that is in no library.

use super::python::{exception, frame, kind};
use super::{Candidate, Line, Proof, Runner, Tracker, Verdicts, pattern};
use crate::located::is_library;
use crate::{FailureKind, Location};

/// Lines of a stack, or of a message about usage, that are looked at.
const MOST: u64 = 600;

#[derive(Default)]
pub(super) struct Early {
    found: Vec<Candidate>,
    open: Option<(Candidate, State)>,
}

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// `ImportError while loading conftest`: frames and `E` lines.
    Loading,
    /// The lines of a usage, up to what was wrong.
    Usage,
    /// The interpreter's own stacks, the innermost frame first; whether this is the thread that crashed.
    Fatal(bool),
    /// pytest-timeout's stacks, the innermost frame last; whether this is the thread of the tests.
    Late(bool),
}

impl Tracker for Early {
    fn line(&mut self, line: &Line<'_>) {
        if let Some((mut item, state)) = self.open.take() {
            match go_on(&mut item, state, line) {
                Some(state) if line.number < item.line + MOST => self.open = Some((item, state)),
                _ => self.keep(item),
            }
            if self.open.is_some() {
                return;
            }
        }
        if let Some((item, state)) = begins(line) {
            match state {
                Some(state) => self.open = Some((item, state)),
                None => self.keep(item),
            }
        }
    }

    fn end(&mut self, _verdicts: &Verdicts) -> Vec<Candidate> {
        if let Some((item, _)) = self.open.take() {
            self.keep(item);
        }
        std::mem::take(&mut self.found)
    }
}

impl Early {
    fn keep(&mut self, mut item: Candidate) {
        // A usage without what was wrong is a help text.
        if item.rule.ends_with(".usage") && item.message.is_empty() {
            return;
        }
        if item.rule == "pytest.conftest" {
            loaded(&mut item);
        }
        if let Some(test) = &item.test {
            item.message = format!("{} in {test}", item.message);
        }
        if self.found.len() < 20 {
            self.found.push(item);
        }
    }
}

/// What a line begins, and what is to be read behind it.
fn begins(line: &Line<'_>) -> Option<(Candidate, Option<State>)> {
    let text = line.text;
    let of = |runner, rule, kind| Candidate::new(runner, rule, line, kind).proof(Proof::Shape);
    if let Some(rest) = text.strip_prefix("ImportError while loading conftest '") {
        let file = rest.trim_end_matches(['.', '\'']).to_owned();
        let item = of(Runner::Pytest, "pytest.conftest", FailureKind::Compile);
        let at = Location {
            file,
            line: None,
            column: None,
        };
        return Some((item.at(Some(at)), Some(State::Loading)));
    }
    if text.starts_with("ERROR: usage: ") {
        let item = of(Runner::Pytest, "pytest.usage", FailureKind::Setup);
        return Some((item, Some(State::Usage)));
    }
    if text.starts_with("usage: ") {
        let item = of(Runner::Python, "python.usage", FailureKind::Setup).proof(Proof::Mention);
        return Some((item, Some(State::Usage)));
    }
    let wrong = pattern!(
        r"^ERROR: ((?:file or directory not found|not found|found no collectors for|Error importing plugin|Wrong expression passed to)\b.*)$"
    );
    if text.starts_with("ERROR: ")
        && let Some(parts) = wrong.captures(text)
    {
        let item = of(Runner::Pytest, "pytest.usage", FailureKind::Setup);
        return Some((item.message(&parts[1]), None));
    }
    if let Some(at) = text.find("Fatal Python error: ")
        && is_progress(&text[..at])
    {
        let item = of(Runner::Python, "python.fatal", FailureKind::Crash);
        return Some((item.message(&text[at..]), Some(State::Fatal(false))));
    }
    if text.ends_with("+++")
        && let Some(at) = text.find("+++")
        && is_progress(&text[..at])
        && text[at..].trim_matches('+') == " Timeout "
    {
        let item = of(Runner::Pytest, "pytest.timeout", FailureKind::Timeout);
        let item = item.message("pytest-timeout ended it: it took too long");
        return Some((item, Some(State::Late(false))));
    }
    None
}

/// What runners print on a line before a test has its result: nothing, a mark for each test that had one, the test's name.
fn is_progress(before: &str) -> bool {
    before.bytes().all(|b| b".FEsxXR".contains(&b))
        || before.ends_with(' ') && before.trim_end().contains("::")
        || before.ends_with(" ... ")
}

/// Takes a line of what is open. `None` where it ends.
fn go_on(item: &mut Candidate, state: State, line: &Line<'_>) -> Option<State> {
    let text = line.text;
    match state {
        State::Loading => {
            let place = pattern!(r"^(\S[^:]*\.py):(\d+): in ").captures(text);
            if place.is_none() && !text.starts_with([' ', 'E']) {
                return None;
            }
            item.show(text);
            let at = place.map(|parts| Location {
                file: parts[1].to_owned(),
                line: parts[2].parse().ok(),
                column: None,
            });
            if at.as_ref().is_some_and(|at| !is_library(&at.file)) {
                item.location = at;
            }
            Some(state)
        }
        State::Usage => match pattern!(r"^\S.*?: error: (.+)$").captures(text) {
            Some(parts) => {
                item.say(&parts[1]);
                None
            }
            None => (line.number < item.line + 40).then_some(state),
        },
        State::Fatal(is_it) => {
            if text.is_empty() {
                return (!is_it || item.trace.is_empty()).then_some(state);
            }
            if text.ends_with("(most recent call first):") {
                return Some(State::Fatal(text.starts_with("Current thread ")));
            }
            if is_it {
                item.show(text);
                innermost(item, text, |item| item.location.is_none());
            }
            Some(state)
        }
        State::Late(is_it) => {
            if text.ends_with("+++") && text.trim_matches('+') == " Timeout " {
                return None;
            }
            if text.starts_with('~') && text.ends_with('~') {
                return Some(State::Late(text.contains(" Stack of MainThread ")));
            }
            if is_it {
                item.show(text);
                innermost(item, text, |_| true);
            }
            Some(state)
        }
    }
}

/// Takes place and test of a frame that is in no library, if that is `nearer`.
fn innermost(item: &mut Candidate, text: &str, nearer: impl Fn(&Candidate) -> bool) {
    let Some(at) = frame(text).filter(|at| !is_library(&at.file)) else {
        return;
    };
    if nearer(item) {
        item.location = Some(at);
    }
    let name = text.rsplit_once(" in ").map_or("", |(_, name)| name);
    if name.starts_with("test") && item.test.is_none() {
        item.test = Some(name.to_owned());
    }
}

/// The message of what could not be loaded: the exception and what it said. A broken line of source stands before it.
fn loaded(item: &mut Candidate) {
    let said: Vec<String> = item
        .trace
        .lines()
        .filter_map(|line| Some(line.strip_prefix('E')?.trim().to_owned()))
        .collect();
    let from = said.iter().position(|line| exception(line).is_some());
    let from = from.unwrap_or_default();
    for line in &said[from..] {
        item.say(line);
    }
    if let Some(first) = said.get(from) {
        item.kind = kind(first);
        if let Some((class, _)) = exception(first) {
            item.class = class.to_owned();
        }
    }
}

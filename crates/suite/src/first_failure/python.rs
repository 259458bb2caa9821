//! pytest, unittest, and programs that end in a traceback.

use super::{Candidate, Line, Proof, Runner, Tracker, Verdicts, pattern, place};
use crate::located::is_library;
use crate::{FailureKind, Location};

#[derive(Default)]
pub(super) struct Python {
    /// In pytest's failures or errors.
    in_section: bool,
    item: Option<Candidate>,
    /// What a test printed is no assertion of pytest's.
    in_capture: bool,
    saw_message: bool,
    pytest: Option<Candidate>,
    summary: Option<Candidate>,
    in_summary: bool,
    is_rule: bool,
    unittest: Option<(Candidate, u8)>,
    first_unittest: Option<Candidate>,
    traceback: Option<(Candidate, bool)>,
    /// Lines that say something, behind the traceback.
    behind: u32,
}

/// Lines that may follow the traceback that ended a program.
const EPILOGUE: u32 = 8;

impl Tracker for Python {
    fn line(&mut self, line: &Line<'_>) {
        self.pytest(line);
        self.unittest(line);
        self.plain(line);
        self.is_rule = line.text.len() >= 70 && line.text.bytes().all(|b| b == b'=');
    }

    fn end(&mut self, verdicts: &Verdicts) -> Vec<Candidate> {
        self.close_item();
        self.close_unittest();
        let mut out = Vec::new();
        if !verdicts.is_green(Runner::Pytest) {
            let found = self.pytest.take().or_else(|| self.summary.take());
            out.extend(found);
        }
        if !verdicts.is_green(Runner::Unittest) {
            out.extend(self.first_unittest.take());
        }
        if let Some((found, true)) = self.traceback.take()
            && self.behind <= EPILOGUE
        {
            out.push(found.proof(Proof::Mention));
        }
        out
    }
}

/// `===== TITLE =====`.
fn title(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("==")?.strip_suffix("==")?;
    let inner = inner.trim_matches('=');
    inner.strip_prefix(' ')?.strip_suffix(' ')
}

/// `ValueError: text`, `pkg.Error`, `AssertionError`.
pub(super) fn exception(text: &str) -> Option<(&str, &str)> {
    let (class, message) = text
        .split_once(": ")
        .unwrap_or((text.trim_end_matches(':'), ""));
    let last = class.rsplit('.').next()?;
    let plain = !class.is_empty()
        && class
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'));
    let named = last.starts_with(|c: char| c.is_ascii_uppercase() || c == '_');
    (plain && named).then_some((class, message))
}

impl Candidate {
    /// A frame nearer to the failure than those before; the last that is in no library is its place.
    fn near(&mut self, at: Location) {
        if !is_library(&at.file) {
            self.location = Some(at);
        }
    }
}

impl Python {
    fn pytest(&mut self, line: &Line<'_>) {
        let text = line.text;
        if let Some(title) = title(text) {
            self.close_item();
            self.in_section = matches!(title, "FAILURES" | "ERRORS");
            self.in_summary = title == "short test summary info";
            return;
        }
        if text.starts_with("INTERNALERROR> ") && self.pytest.is_none() {
            let inner = text["INTERNALERROR> ".len()..].trim_end();
            if !inner.starts_with(' ')
                && let Some((class, message)) = exception(inner)
                && !message.is_empty()
            {
                let found =
                    Candidate::new(Runner::Pytest, "pytest.internal", line, FailureKind::Other);
                self.pytest = Some(found.class(class).message(inner));
            }
            return;
        }
        if self.in_summary && self.summary.is_none() {
            let rest = text
                .strip_prefix("FAILED ")
                .or_else(|| text.strip_prefix("ERROR "));
            if let Some(rest) = rest {
                let (test, message) = rest.split_once(" - ").unwrap_or((rest, text));
                let found = Candidate::new(Runner::Pytest, "pytest.summary", line, kind(message));
                self.summary = Some(found.test(test).message(message));
            }
            return;
        }
        if !self.in_section || self.pytest.is_some() {
            return;
        }
        if text.starts_with("___") && text.ends_with("___") {
            self.close_item();
            if self.pytest.is_none() {
                let name = text.trim_matches('_').trim();
                let found =
                    Candidate::new(Runner::Pytest, "pytest.section", line, FailureKind::Other);
                self.item = Some(found.test(name));
                (self.in_capture, self.saw_message) = (false, false);
            }
            return;
        }
        match &mut self.item {
            Some(item) => {
                self.in_capture |= text.starts_with("---") && text.contains(" Captured ");
                if self.in_capture {
                    return;
                }
                item.show(text);
                let said = text.strip_prefix("E ").or((text == "E").then_some(""));
                match said {
                    Some(said) if !self.saw_message => {
                        item.say(said.trim());
                    }
                    Some(_) => {}
                    None if !item.message.is_empty() => self.saw_message = true,
                    None => {}
                }
                if let Some(parts) =
                    pattern!(r"^(\S[^:]*\.\w+):(\d+): ").captures(&format!("{text} "))
                {
                    // The last place before the message's end is where it was raised.
                    if !self.saw_message || item.location.is_none() || !text.contains(": in ") {
                        item.near(Location {
                            file: parts[1].to_owned(),
                            line: parts[2].parse().ok(),
                            column: None,
                        });
                    }
                } else if let Some(at) = frame(text) {
                    item.near(at);
                } else if item.message.is_empty()
                    && !text.starts_with([' ', '>'])
                    && frames_before(item)
                    && let Some((class, _)) = exception(text)
                {
                    // `--tb=native` has no `E`.
                    let class = class.to_owned();
                    item.say(text);
                    item.class = class;
                }
            }
            // `--tb=line`: one line a failure.
            None => {
                if let Some(parts) = pattern!(r"^(/?\S+\.py):(\d+): (.+)$").captures(text) {
                    let location = Location {
                        file: parts[1].to_owned(),
                        line: parts[2].parse().ok(),
                        column: None,
                    };
                    let found =
                        Candidate::new(Runner::Pytest, "pytest.line", line, kind(&parts[3]));
                    self.pytest = Some(found.message(&parts[3]).at(Some(location)));
                }
            }
        }
    }

    fn close_item(&mut self) {
        let Some(mut item) = self.item.take() else {
            return;
        };
        if self.pytest.is_some() {
            return;
        }
        let first = item.message.lines().next().unwrap_or_default().to_owned();
        if item.class.is_empty()
            && let Some((class, _)) = exception(&first)
        {
            item.class = class.to_owned();
        }
        item.kind = kind(&first);
        self.pytest = Some(item);
    }

    fn unittest(&mut self, line: &Line<'_>) {
        let text = line.text;
        if self.is_rule {
            let head = text
                .strip_prefix("FAIL: ")
                .map(|t| (t, FailureKind::Assertion));
            if let Some((name, kind)) = head.or_else(|| {
                text.strip_prefix("ERROR: ")
                    .map(|t| (t, FailureKind::Other))
            }) {
                self.close_unittest();
                if self.first_unittest.is_none() {
                    let found = Candidate::new(Runner::Unittest, "unittest.section", line, kind);
                    self.unittest = Some((found.test(name), 0));
                }
                return;
            }
        }
        let is_dashes = text.len() >= 70 && text.bytes().all(|b| b == b'-');
        let is_rule = text.len() >= 70 && text.bytes().all(|b| b == b'=');
        let Some((found, rules)) = &mut self.unittest else {
            return;
        };
        if is_dashes || is_rule {
            *rules += 1;
            if *rules >= 2 || is_rule {
                self.close_unittest();
            }
            return;
        }
        if *rules == 0 {
            // A doc string's first line may stand between.
            return;
        }
        found.show(text);
        if let Some(at) = frame(text) {
            found.near(at);
        } else if found.message.is_empty()
            && !text.starts_with(' ')
            && !text.starts_with("Traceback")
        {
            if let Some((class, _)) = exception(text) {
                found.class = class.to_owned();
                found.say(text);
            }
        } else if !found.message.is_empty() && !text.is_empty() {
            found.say(text);
        }
    }

    fn close_unittest(&mut self) {
        if let Some((found, rules)) = self.unittest.take()
            && rules > 0
            && self.first_unittest.is_none()
        {
            self.first_unittest = Some(found);
        }
    }

    /// Keeps the last traceback: only the one at the end of a log ended its program.
    fn plain(&mut self, line: &Line<'_>) {
        let text = line.text;
        if text.starts_with("Traceback (most recent call last):") {
            let found =
                Candidate::new(Runner::Python, "python.traceback", line, FailureKind::Other);
            (self.traceback, self.behind) = (Some((found, false)), 0);
            return;
        }
        let Some((found, is_done)) = &mut self.traceback else {
            return;
        };
        if *is_done {
            self.behind += u32::from(!text.is_empty());
            return;
        }
        found.show(text);
        if let Some(at) = frame(text) {
            found.near(at);
        } else if !text.starts_with(' ') && !text.is_empty() {
            match exception(text) {
                Some((class, _)) => {
                    found.class = class.to_owned();
                    found.kind = kind(text);
                    found.say(text);
                    *is_done = true;
                }
                // Something else was printed: no end of a program.
                None => self.traceback = None,
            }
        }
    }
}

fn frames_before(item: &Candidate) -> bool {
    item.trace.contains("Traceback (most recent call last):")
}

/// `  File "x.py", line 3, in f`, and without the comma as the interpreter tells of a crash.
pub(super) fn frame(text: &str) -> Option<Location> {
    let rest = text.trim_start().strip_prefix("File \"")?;
    let (file, rest) = rest.split_once("\", line ")?;
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    place(&format!("{file}:{}", &rest[..digits]))
}

pub(super) fn kind(message: &str) -> FailureKind {
    let class = message.split([':', ' ']).next().unwrap_or_default();
    match class.rsplit('.').next().unwrap_or_default() {
        "AssertionError" | "assert" => FailureKind::Assertion,
        "MemoryError" => FailureKind::OutOfMemory,
        "TimeoutError" | "Timeout" => FailureKind::Timeout,
        "SyntaxError" | "IndentationError" | "ImportError" | "ModuleNotFoundError" => {
            FailureKind::Compile
        }
        c if c.ends_with("Error") || c.ends_with("Exception") => FailureKind::Panic,
        _ => FailureKind::Other,
    }
}

//! Jest, Vitest, Mocha, TAP.

use super::{Candidate, Line, Runner, Tracker, Verdicts, pattern, place};
use crate::{FailureKind, Location};

#[derive(Default)]
pub(super) struct Js {
    jest_file: bool,
    /// Vitest tells its failures below a head.
    vitest_head: bool,
    open: Option<Candidate>,
    found: Vec<Candidate>,
    in_failing: bool,
}

impl Tracker for Js {
    fn line(&mut self, line: &Line<'_>) {
        let text = line.text;
        if self.open.is_some() && !self.gather(line) {
            self.close();
        }
        let trimmed = text.trim_start();
        if text.starts_with("FAIL ") && !text.starts_with("FAIL  ") {
            self.jest_file = true;
        } else if trimmed.starts_with("⎯⎯")
            && (trimmed.contains(" Failed Tests ") || trimmed.contains(" Failed Suites "))
        {
            self.vitest_head = true;
        } else if self.vitest_head
            && trimmed.starts_with("FAIL  ")
            && text.len() - trimmed.len() <= 1
        {
            let title = trimmed["FAIL  ".len()..].trim();
            // `file > suite > test`, or `file [ file ]` for one that could not be loaded.
            if title.contains(" > ") || title.ends_with(']') {
                let kind = if title.contains(" > ") {
                    FailureKind::Other
                } else {
                    FailureKind::Setup
                };
                self.begin(Candidate::new(Runner::Vitest, "vitest.fail", line, kind).test(title));
            }
        } else if let Some(title) = trimmed.strip_prefix("● ") {
            let is_title = text.len() - trimmed.len() <= 2
                && title != "Console"
                && !title.starts_with("Console ");
            if is_title && self.jest_file {
                let setup = title.contains("Test suite failed to run");
                let kind = if setup {
                    FailureKind::Setup
                } else {
                    FailureKind::Other
                };
                let found = Candidate::new(Runner::Jest, "jest.section", line, kind);
                self.begin(if setup { found } else { found.test(title) });
            }
        } else if text.starts_with("  ") && pattern!(r"^\s+\d+ failing$").is_match(text) {
            self.in_failing = true;
        } else if self.in_failing && text.starts_with("  1) ") {
            let found = Candidate::new(Runner::Mocha, "mocha.section", line, FailureKind::Other);
            self.begin(found.test(trimmed["1) ".len()..].trim_end_matches(':')));
        } else if let Some(rest) = trimmed.strip_prefix("not ok ") {
            let lower = rest.to_ascii_lowercase();
            let number = rest.split(' ').next().unwrap_or_default();
            if number.parse::<u64>().is_ok()
                && !lower.contains("# todo")
                && !lower.contains("# skip")
            {
                let title = rest[number.len()..].trim().trim_start_matches("- ");
                self.begin(
                    Candidate::new(Runner::Tap, "tap.not_ok", line, FailureKind::Other).test(title),
                );
            }
        }
    }

    fn end(&mut self, verdicts: &Verdicts) -> Vec<Candidate> {
        self.close();
        let mut found = std::mem::take(&mut self.found);
        found.retain(|c| !verdicts.is_green(c.runner));
        found
    }
}

impl Js {
    fn begin(&mut self, found: Candidate) {
        self.close();
        // The first of each runner is enough.
        if !self.found.iter().any(|c| c.runner == found.runner) {
            self.open = Some(found);
        }
    }

    fn close(&mut self) {
        if let Some(mut found) = self.open.take() {
            let first = found.message.lines().next().unwrap_or_default();
            if found.kind == FailureKind::Other {
                found.kind = kind(first);
            }
            if let Some((class, _)) = first.split_once(": ")
                && class.ends_with("Error")
                && !class.contains(' ')
            {
                found.class = class.to_owned();
            }
            self.found.push(found);
        }
    }

    fn gather(&mut self, line: &Line<'_>) -> bool {
        let Some(found) = &mut self.open else {
            return false;
        };
        let text = line.text;
        let trimmed = text.trim();
        let ends = match found.runner {
            Runner::Jest => {
                let indent = text.len() - text.trim_start().len();
                trimmed.starts_with("● ") && indent <= 2
                    || ["FAIL ", "PASS ", "Test Suites:", "Tests:"]
                        .iter()
                        .any(|w| text.starts_with(w))
            }
            Runner::Vitest => trimmed.starts_with("⎯⎯⎯") || trimmed.starts_with("FAIL  "),
            Runner::Mocha => pattern!(r"^\s+\d+\) ").is_match(text),
            Runner::Tap => ["ok ", "not ok ", "# ", "..."]
                .iter()
                .any(|w| trimmed.starts_with(w)),
            _ => true,
        } || line.number > found.line + 200;
        if ends {
            return false;
        }
        found.show(text);
        if let Some(at) = location(trimmed) {
            if found.location.is_none() {
                found.location = Some(at);
            }
        } else if (found.location.is_none() || found.runner == Runner::Tap) && !is_frame(trimmed) {
            let told = found.message.lines().count();
            let is_yaml = found.runner == Runner::Tap
                && ["---", "duration_ms", "failureType", "type:", "code:"]
                    .iter()
                    .any(|w| trimmed.starts_with(w));
            if !trimmed.is_empty() && told < 12 && !is_yaml {
                let value = if found.runner == Runner::Tap {
                    trimmed
                        .strip_prefix("error: ")
                        .unwrap_or(trimmed)
                        .trim_matches('\'')
                } else {
                    trimmed
                };
                if value != "|-" {
                    found.say(value);
                }
            }
        }
        true
    }
}

/// A line of a code frame: `> 3 | expect(…)`, `    | ^`.
fn is_frame(text: &str) -> bool {
    pattern!(r"^(> ?)?\d* ?\|").is_match(text) || text.starts_with("at ")
}

/// `at f (file:3:5)`, `at file:3:5`, `❯ file:3:5`, `location: 'file:3:5'`; not in a dependency or the runtime.
pub(super) fn location(text: &str) -> Option<Location> {
    let rest = text
        .strip_prefix("at ")
        .or_else(|| text.strip_prefix("❯ "))
        .or_else(|| text.strip_prefix("location: "))?;
    let at = rest.rsplit_once('(').map_or(rest, |(_, at)| at);
    let at = at.trim_matches([')', '\'', '"', ' ']);
    let at = at.rsplit(' ').next().unwrap_or(at);
    let own =
        !at.contains("node_modules") && !at.starts_with("node:") && !at.starts_with("internal/");
    place(at.strip_prefix("file://").unwrap_or(at)).filter(|l| own && l.file.contains('.'))
}

fn kind(message: &str) -> FailureKind {
    if message.starts_with("AssertionError")
        || message.starts_with("expect(")
        || message.contains("Expected")
    {
        FailureKind::Assertion
    } else if message.contains("xceeded timeout")
        || message.contains("timed out")
        || message.starts_with("Timeout")
    {
        FailureKind::Timeout
    } else if message.contains("Error: ") {
        FailureKind::Panic
    } else {
        FailureKind::Other
    }
}

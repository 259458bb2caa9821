//! RSpec, PHPUnit, CTest.

use super::{Candidate, Line, Proof, Runner, Tracker, Verdicts, pattern, place};
use crate::FailureKind;

/// Lines of a failure that are looked at.
const LINES: u64 = 60;

#[derive(Default)]
pub(super) struct Spec {
    rspec: Open,
    phpunit: Open,
    ctest: Option<Candidate>,
}

/// A numbered failure below a head.
#[derive(Default)]
struct Open {
    is_headed: bool,
    found: Option<Candidate>,
    is_closed: bool,
    /// Whether the runner's own shape was seen in it.
    is_shown: bool,
}

impl Tracker for Spec {
    fn line(&mut self, line: &Line<'_>) {
        self.rspec(line);
        self.phpunit(line);
        self.ctest(line);
    }

    fn end(&mut self, verdicts: &Verdicts) -> Vec<Candidate> {
        let opens = [&mut self.rspec, &mut self.phpunit];
        let mut found: Vec<Candidate> = opens
            .into_iter()
            .filter(|open| open.is_shown)
            .filter_map(|open| open.found.take())
            .collect();
        // Its output follows, and may say more.
        found.extend(self.ctest.take());
        found.retain(|c| !verdicts.is_green(c.runner));
        for found in &mut found {
            let is_counted = verdicts.counts.contains_key(&found.runner);
            if is_counted && found.runner != Runner::Ctest {
                found.proof = Proof::Sure;
            }
        }
        found
    }
}

impl Spec {
    /// `Failures:`, `  1) Cart sums`, `     Failure/Error: …`, what was expected, `     # ./spec/cart_spec.rb:7:in …`.
    fn rspec(&mut self, line: &Line<'_>) {
        let (text, open) = (line.text, &mut self.rspec);
        if text == "Failures:" || text.starts_with("An error occurred while loading ") {
            open.is_headed = true;
            if text != "Failures:" && open.found.is_none() {
                let found = Candidate::new(Runner::Rspec, "rspec.load", line, FailureKind::Setup);
                open.found = Some(found.proof(Proof::Shape));
            }
            return;
        }
        if !open.is_headed || open.is_closed {
            return;
        }
        let trimmed = text.trim();
        let Some(found) = &mut open.found else {
            if let Some(title) = trimmed
                .strip_prefix("1) ")
                .filter(|_| text.starts_with("  1) "))
            {
                let found =
                    Candidate::new(Runner::Rspec, "rspec.failure", line, FailureKind::Other);
                open.found = Some(found.test(title).proof(Proof::Shape));
            }
            return;
        };
        if line.number > found.line + LINES
            || trimmed.starts_with("2) ")
            || text.starts_with("Finished in ")
        {
            open.is_closed = true;
            return;
        }
        found.show(text);
        if let Some(said) = trimmed.strip_prefix("Failure/Error:") {
            open.is_shown = true;
            let said = said.trim();
            if said.contains("expect") || said.contains(".should") {
                found.kind = FailureKind::Assertion;
            }
            found.say(said);
        } else if let Some(at) = trimmed.strip_prefix("# ") {
            if found.location.is_none() {
                let at = at.split(":in ").next().unwrap_or(at);
                found.location = place(at.trim_start_matches("./"));
            }
            open.is_closed = found.location.is_some();
        } else if open.is_shown && !trimmed.is_empty() && trimmed != "(compared using ==)" {
            if trimmed.ends_with("Error:") && !trimmed.contains(' ') {
                found.class = trimmed.trim_end_matches(':').to_owned();
                if found.kind == FailureKind::Other {
                    found.kind = FailureKind::Panic;
                }
            }
            found.say(trimmed);
        }
    }

    /// `There was 1 failure:`, `1) CartTest::testSum`, what was said, a line that is the place.
    fn phpunit(&mut self, line: &Line<'_>) {
        let (text, open) = (line.text, &mut self.phpunit);
        if pattern!(r"^There (?:was|were) \d+ (?:failure|error|warning|risky test|PHPUnit .*)s?:$")
            .is_match(text)
        {
            open.is_headed = true;
            return;
        }
        if !open.is_headed || open.is_closed {
            return;
        }
        let Some(found) = &mut open.found else {
            if let Some(title) = text.strip_prefix("1) ") {
                let found =
                    Candidate::new(Runner::Phpunit, "phpunit.failure", line, FailureKind::Other);
                open.found = Some(found.test(title).proof(Proof::Shape));
                open.is_shown = true;
            }
            return;
        };
        if line.number > found.line + LINES || text == "--" || text.starts_with("2) ") {
            open.is_closed = true;
            return;
        }
        found.show(text);
        if let Some(at) =
            place(text).filter(|at| at.file.ends_with(".php") && !at.file.contains(' '))
        {
            let is_own = !at.file.contains("/vendor/");
            if found.location.is_none() && is_own {
                found.location = Some(at);
                open.is_closed = true;
            }
        } else if !text.is_empty() {
            if found.message.is_empty() {
                let class = text
                    .split(": ")
                    .next()
                    .filter(|c| c.ends_with("Exception") || c.ends_with("Error"));
                if let Some(class) = class.filter(|c| !c.contains(' ')) {
                    found.class = class.to_owned();
                    found.kind = FailureKind::Panic;
                } else if text.starts_with("Failed asserting") {
                    found.kind = FailureKind::Assertion;
                }
            }
            found.say(text);
        }
    }

    /// `2/3 Test #2: beta ......***Timeout   1.00 sec`, and what it printed below it.
    fn ctest(&mut self, line: &Line<'_>) {
        let text = line.text;
        if let Some(found) = &mut self.ctest {
            let ends = text.starts_with("    Start ")
                || pattern!(r"^\s*\d+/\d+ Test ").is_match(text)
                || text.contains("% tests passed, ");
            if ends {
                found.trace.push('\n');
            } else if !found.trace.ends_with("\n\n") && line.number <= found.line + LINES {
                found.show(text);
            }
            return;
        }
        if !text.contains("***") {
            return;
        }
        let shape = pattern!(r"^\s*\d+/\d+ Test\s+#\d+: (\S.*?) \.*\s*\*\*\*(\S.*?)\s+[\d.]+ sec");
        if let Some(parts) = shape.captures(text) {
            let kind = match &parts[2] {
                "Timeout" => FailureKind::Timeout,
                "Not Run" => FailureKind::Setup,
                what if what.starts_with("Exception") || what.contains("SegFault") => {
                    FailureKind::Crash
                }
                _ => FailureKind::Other,
            };
            if matches!(&parts[2], "Skipped" | "Not Run (Disabled)") {
                return;
            }
            let found = Candidate::new(Runner::Ctest, "ctest.test", line, kind).test(&parts[1]);
            let message = format!("{}: {}", &parts[1], &parts[2]);
            self.ctest = Some(found.message(&message).proof(Proof::Shape));
        }
    }
}

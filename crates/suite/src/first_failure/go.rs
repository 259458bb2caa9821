//! go test, go build, go vet.

use std::collections::VecDeque;

use super::{Candidate, Line, Proof, Runner, Tracker, Verdicts, pattern, place};
use crate::FailureKind;

/// Lines before a failure that are kept: with `-v` a test's output comes before its result.
const BEFORE: usize = 30;

#[derive(Default)]
pub(super) struct Go {
    before: VecDeque<(String, String)>,
    running: String,
    /// Every test that was said to run, with `-v`.
    ran: std::collections::BTreeSet<String>,
    package: bool,
    open: Option<Candidate>,
    found: Vec<Candidate>,
    panic: Option<(Candidate, bool)>,
    has_failed: bool,
}

impl Tracker for Go {
    fn line(&mut self, line: &Line<'_>) {
        let text = line.text;
        self.has_failed |= text == "FAIL" || text.starts_with("FAIL\t");
        self.panic(line);
        if self.open.is_some() && !self.gather(line) {
            self.close();
        }
        if let Some(rest) = text.strip_prefix("=== ") {
            let mut words = rest.split_whitespace();
            if matches!(words.next(), Some("RUN" | "CONT" | "NAME")) {
                self.running = words.next().unwrap_or_default().to_owned();
                if self.ran.len() < 100_000 {
                    self.ran.insert(self.running.clone());
                }
            }
        } else if let Some(rest) = failed(text) {
            let name = rest.split(" (").next().unwrap_or(rest);
            if !self.ran.is_empty() && !self.ran.contains(name) {
                return;
            }
            let mut found =
                Candidate::new(Runner::Go, "go.fail", line, FailureKind::Other).test(name);
            // What it printed before, if it did.
            let own = |test: &str| {
                test == name || test.strip_prefix(name).is_some_and(|t| t.starts_with('/'))
            };
            let said: Vec<(String, String)> = self
                .before
                .iter()
                .filter(|(test, _)| own(test))
                .cloned()
                .collect();
            for (test, text) in said {
                if found.message.is_empty() && test != name {
                    found.test = Some(test);
                }
                tell(&mut found, &text);
            }
            self.before.clear();
            self.open = Some(found);
        } else if !self.running.is_empty() && (text.starts_with("    ") || logged(text).is_some()) {
            if self.before.len() == BEFORE {
                self.before.pop_front();
            }
            let kept: String = logged(text).unwrap_or(text).chars().take(500).collect();
            self.before.push_back((self.running.clone(), kept));
        } else if let Some(rest) = text.strip_prefix("# ") {
            self.package = rest
                .split(' ')
                .next()
                .is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_graphic()));
            return;
        } else if let Some(parts) =
            pattern!(r"^(?:vet: )?((?:\.{0,2}/)?[^\s:]+\.go:\d+(?::\d+)?): (.+)$").captures(text)
        {
            // Under `# package` it is the compiler's; alone it may be a log line.
            if self.package || text.starts_with("vet: ") {
                let rule = if text.starts_with("vet: ") {
                    "go.vet"
                } else {
                    "go.build"
                };
                let found = Candidate::new(Runner::Go, rule, line, FailureKind::Compile);
                self.keep(
                    found
                        .message(&parts[2])
                        .at(place(&parts[1]))
                        .proof(Proof::Shape),
                );
            }
            return;
        }
        self.package = false;
    }

    fn end(&mut self, verdicts: &Verdicts) -> Vec<Candidate> {
        self.close();
        let mut out = std::mem::take(&mut self.found);
        for found in &mut out {
            if self.has_failed {
                found.proof = Proof::Sure;
            }
        }
        // Without the package's own verdict a test that printed such a line decides nothing.
        out.retain(|c| c.rule != "go.fail" || self.has_failed || !verdicts.is_green(Runner::Go));
        if let Some((mut found, true)) = self.panic.take() {
            // A test that panics is said to fail in the line before, and no more.
            out.retain(|c| {
                let same = c.line + 1 == found.line && c.message.is_empty();
                if same {
                    found.test.clone_from(&c.test);
                }
                !same
            });
            let proof = if self.has_failed {
                Proof::Sure
            } else {
                Proof::Mention
            };
            out.push(found.proof(proof));
        }
        out
    }
}

impl Go {
    fn keep(&mut self, found: Candidate) {
        if self.found.len() < 50 {
            self.found.push(found);
        }
    }

    fn close(&mut self) {
        if let Some(mut found) = self.open.take() {
            if found.message.contains("Error Trace:") || found.message.contains("Not equal") {
                found.kind = FailureKind::Assertion;
            }
            self.keep(found);
        }
    }

    fn gather(&mut self, line: &Line<'_>) -> bool {
        let Some(found) = &mut self.open else {
            return false;
        };
        let text = line.text;
        let ends = !text.starts_with(' ') && !text.is_empty() || line.number > found.line + 200;
        if ends {
            return false;
        }
        let trimmed = text.trim_start();
        if let Some(rest) = trimmed.strip_prefix("--- FAIL: ") {
            // The innermost test says where.
            if found.message.is_empty() {
                found.test = Some(rest.split(" (").next().unwrap_or(rest).to_owned());
            }
        } else if !trimmed.starts_with("--- ") {
            tell(found, text);
        }
        true
    }

    /// `panic: …` and the goroutine below it.
    fn panic(&mut self, line: &Line<'_>) {
        let text = line.text;
        let begins = text.starts_with("panic: ") || text.starts_with("fatal error: ");
        match &mut self.panic {
            // What was only printed does not hide the next one.
            Some((_, confirmed)) if begins && !*confirmed => {
                self.panic = None;
                self.panic(line);
            }
            None => {
                let message = text
                    .strip_prefix("panic: ")
                    .or_else(|| text.strip_prefix("fatal error: "));
                let Some(message) = message else { return };
                let kind = if message.starts_with("test timed out") {
                    FailureKind::Timeout
                } else if message.contains("out of memory") {
                    FailureKind::OutOfMemory
                } else {
                    FailureKind::Panic
                };
                let found = Candidate::new(Runner::Go, "go.panic", line, kind);
                let found = found.message(message.trim_end_matches(" [recovered]"));
                let found = if self.running.is_empty() {
                    found
                } else {
                    found.test(self.running.clone())
                };
                self.panic = Some((found, false));
            }
            Some((found, confirmed)) => {
                if text.starts_with("goroutine ") && text.contains(" [") {
                    *confirmed = true;
                }
                if !*confirmed && line.number > found.line + 20 {
                    self.panic = None;
                    return;
                }
                if line.number > found.line + 80 {
                    return;
                }
                found.show(text);
                if *confirmed && found.location.is_none() && text.starts_with('\t') {
                    let at = text.trim().split(' ').next().unwrap_or_default();
                    let own = !["/src/runtime/", "/src/testing/", "/src/sync/"]
                        .iter()
                        .any(|p| at.contains(p));
                    found.location = place(at).filter(|_| own);
                }
            }
        }
    }
}

/// What follows `--- FAIL: `. Behind what a test printed without ending its line it is as `testing` prints it, to the end.
fn failed(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix("--- FAIL: ") {
        return Some(rest);
    }
    let at = text.find("--- FAIL: ").filter(|_| !text.starts_with(' '))?;
    let rest = &text[at + "--- FAIL: ".len()..];
    pattern!(r"^\S+ \(\d+\.\d\ds\)$")
        .is_match(rest)
        .then_some(rest)
}

/// `    x_test.go:12: message` behind what a test printed without ending its line.
fn logged(text: &str) -> Option<&str> {
    if !text.contains(".go:") || text.starts_with(' ') {
        return None;
    }
    let found = pattern!(r"    ([\w.-]+\.go:\d+: .*)$").captures(text)?;
    found.get(1).map(|found| found.as_str())
}

/// A line of a test's output: `x_test.go:12: message`, or more of the message.
fn tell(found: &mut Candidate, text: &str) {
    found.show(text);
    let trimmed = logged(text).unwrap_or(text).trim();
    match pattern!(r"^([^\s:]+\.go:\d+): (.*)$").captures(trimmed) {
        Some(parts) if found.location.is_none() => {
            found.location = place(&parts[1]);
            found.message.clear();
            found.say(&parts[2]);
        }
        // A log line looks like an error's: all are told, the place is the first one's.
        _ if !trimmed.is_empty() && found.message.lines().count() < 12 => found.say(trimmed),
        _ => {}
    }
}

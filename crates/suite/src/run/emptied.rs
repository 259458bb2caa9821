//! Whether what a plain command prints says that it ran no test.
//!
//! A plain command passes by its exit code, and many runners end with 0 when they found nothing to run. Their own words tell: the summaries that
//! [`crate::first_failure`] counts, and the lines here. Sources: what unittest before Python 3.12, `go test`, `cargo test`, mocha, `node --test`, Jest
//! and Vitest (`--passWithNoTests`), bats, minitest, PHPUnit, ctest, dotnet, Surefire, Gradle and XCTest print. Invariants: one line by which a test ran
//! settles it; a log in which no runner is known says nothing; a test that was skipped has not run.

use crate::first_failure::Runner;
use crate::first_failure::{clean, ran, summary};

/// Most bytes of a line that are looked at: what is looked for is short.
const LONGEST: usize = 400;

/// Parts of lines by which a runner says that there is nothing to run.
const NOTHING: [&str; 14] = [
    "[no test files]",
    "[no tests to run]",
    "testing: warning: no tests to run",
    "No tests found, exiting with code 0",
    "No test files found, exiting with code 0",
    "No tests executed!",
    "No tests were found!!!",
    "No test is available in ",
    "No test matches the given testcase filter",
    "No tests to run.",
    "collected 0 items",
    "no tests ran in ",
    "0 tests, 0 failures",
    "Executed 0 tests, with 0 failures",
];

/// What the lines of a log say of it, one after the other.
#[derive(Debug, Default)]
pub struct Emptied {
    /// The first line that says so.
    told: Option<String>,
    has_run: bool,
    /// What unittest ran; how much of it was skipped stands in its next word.
    unittest: Option<(u64, String)>,
    /// cargo started a binary that has not said how many tests it has: one with a harness of its own.
    binary: bool,
}

impl Emptied {
    /// The next line.
    pub fn line(&mut self, line: &str) {
        if self.has_run || line.len() > LONGEST {
            return;
        }
        let line = clean(line);
        let line = line.trim_end();
        let trimmed = line.trim_start();
        if trimmed.is_empty() {
            return;
        }
        if trimmed.starts_with("Running ") && trimmed.ends_with(')')
            || trimmed.starts_with("Doc-tests ")
        {
            self.has_run |= self.binary;
            self.binary = trimmed.starts_with("Running ");
        } else if trimmed.starts_with("running ")
            && (trimmed.ends_with(" tests") || trimmed.ends_with(" test"))
        {
            self.binary = false;
        } else if let Some(n) = ran(trimmed) {
            self.unittest = Some((n, trimmed.to_owned()));
        } else if NOTHING.iter().any(|part| trimmed.contains(part)) {
            self.tell(trimmed);
        } else if let Some(n) = counted(trimmed) {
            self.count(n, trimmed);
        } else if let Some((runner, tally)) = summary(line) {
            match runner {
                Runner::Unittest => self.unittest_ends(skipped(trimmed)),
                // node's and others' numbers are read above, each by its own word.
                Runner::Tap => {}
                _ if trimmed.contains("xpassed") || trimmed.contains("subtests passed") => {
                    self.has_run = true
                }
                _ => self.count(tally.passed + tally.failed, trimmed),
            }
        }
    }

    /// Whether nothing that follows can change it.
    pub const fn is_settled(&self) -> bool {
        self.has_run
    }

    /// The line by which no test ran; `None` if one ran, or if no runner said anything.
    pub fn told(mut self) -> Option<String> {
        self.unittest_ends(0);
        match self.has_run || self.binary {
            true => None,
            false => self.told,
        }
    }

    fn unittest_ends(&mut self, skipped: u64) {
        if let Some((n, line)) = self.unittest.take() {
            self.count(n.saturating_sub(skipped), &line);
        }
    }

    fn count(&mut self, n: u64, line: &str) {
        match n {
            0 => self.tell(line),
            _ => self.has_run = true,
        }
    }

    fn tell(&mut self, line: &str) {
        self.told
            .get_or_insert_with(|| line.chars().take(160).collect());
    }
}

/// `OK (skipped=2, expected failures=1)`.
fn skipped(line: &str) -> u64 {
    let rest = line.split("skipped=").nth(1).unwrap_or_default();
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().unwrap_or(0)
}

/// How many tests ran by a line of a runner that nothing else here counts.
fn counted(line: &str) -> Option<u64> {
    let first = |text: &str| -> Option<u64> {
        let text = text.trim_start();
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        text[..end].parse().ok()
    };
    // `node --test`: as TAP and as its own text; `# pass` of tape and others.
    for sign in ["# pass ", "\u{2139} pass ", "# tests ", "\u{2139} tests "] {
        if let Some(rest) = line.strip_prefix(sign) {
            let n: u64 = rest.parse().ok()?;
            // How many there are is not yet how many ran.
            return (sign.ends_with("pass ") || n == 0).then_some(n);
        }
    }
    if line == "1..0" || line.starts_with("1..0 ") {
        return Some(0);
    }
    if let Some(rest) = line.strip_prefix("ok ")
        && first(rest).is_some()
    {
        let word = rest.to_ascii_lowercase();
        return Some(u64::from(
            !word.contains("# skip") && !word.contains("# todo"),
        ));
    }
    // minitest and test-unit: `3 runs, 4 assertions, 0 failures, 0 errors, 1 skips`.
    if line.contains(" assertions, ") && line.contains(" failures, ") {
        let skips = line
            .rsplit(", ")
            .find_map(|part| part.strip_suffix(" skips")?.parse().ok());
        return Some(first(line)?.saturating_sub(skips.unwrap_or(0)));
    }
    // bats: `3 tests, 0 failures, 1 skipped`.
    if line.contains(" tests, ") && line.contains(" failures") && !line.starts_with("Executed") {
        let skipped = line
            .rsplit(", ")
            .find_map(|part| part.strip_suffix(" skipped")?.parse().ok());
        return Some(first(line)?.saturating_sub(skipped.unwrap_or(0)));
    }
    if let Some(rest) = line
        .strip_prefix("Executed ")
        .filter(|rest| rest.contains(" test"))
    {
        return first(rest);
    }
    // dotnet: `Passed!  - Failed:     0, Passed:     3, Skipped:     0, Total:     3`.
    if line.starts_with("Passed!") || line.starts_with("Skipped!") {
        return first(line.split("Passed: ").nth(1)?);
    }
    // deno: `ok | 3 passed | 0 failed (5ms)`.
    if let Some(rest) = line.strip_prefix("ok | ") {
        return first(rest).filter(|_| rest.contains(" passed "));
    }
    if let Some(rest) = line.strip_prefix("> Task ")
        && let Some((task, word)) = rest.split_once(' ').or(Some((rest, "")))
        && task.ends_with(":test")
    {
        // A result of an earlier build is no test that ran.
        return Some(u64::from(word.is_empty()));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(log: &str) -> Option<String> {
        let mut emptied = Emptied::default();
        log.lines().for_each(|line| emptied.line(line));
        emptied.told()
    }

    #[test]
    fn runners_that_ran_nothing_are_known_by_their_own_words() {
        for log in [
            "\n----------------------------------------------------------------------\nRan 0 tests in 0.000s\n\nOK",
            "Ran 2 tests in 0.000s\n\nOK (skipped=2)",
            "collected 0 items\n\n============ no tests ran in 0.01s ============",
            "3 skipped in 0.01s",
            "TAP version 13\n1..0\n# tests 0\n# suites 0\n# pass 0\n# fail 0",
            "\u{2139} tests 0\n\u{2139} pass 0\n\u{2139} fail 0",
            "# tests 2\n# pass 0\n# skipped 2",
            "\n\n  0 passing (1ms)\n",
            "     Running unittests src/lib.rs (target/debug/deps/a-1)\n\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n   Doc-tests a\n\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "?   \te.com/a\t[no test files]\n?   \te.com/b\t[no test files]",
            "testing: warning: no tests to run\nPASS\nok  \te.com/a\t0.002s [no tests to run]",
            "\u{1b}[1mNo tests found, exiting with code 0\u{1b}[0m",
            "No test files found, exiting with code 0",
            "Tests:       2 skipped, 2 total",
            "0 examples, 0 failures",
            "0 runs, 0 assertions, 0 failures, 0 errors, 0 skips",
            "1..2\nok 1 a # skip\nok 2 b # SKIP no network",
            "> Task :a:test NO-SOURCE\n> Task :b:test UP-TO-DATE",
            "[INFO] Tests run: 0, Failures: 0, Errors: 0, Skipped: 0",
            "[  PASSED  ] 0 tests.",
        ] {
            assert!(told(log).is_some(), "{log}");
        }
    }

    #[test]
    fn one_test_that_ran_and_a_log_that_says_nothing_are_not_told() {
        for log in [
            "",
            "all is well\nOK",
            "Ran 0 tests in 0.000s\n\nOK\nRan 1 test in 0.000s\n\nOK",
            "Ran 3 tests in 0.000s\n\nOK (skipped=2)",
            "Ran 3 tests in 0.000s",
            "no tests ran in 0.01s\n2 passed in 0.20s",
            "1 xpassed in 0.01s",
            "  0 passing (1ms)\n  3 passing (4ms)",
            "# tests 0\n# pass 0\n# tests 3\n# pass 3",
            "\u{2139} tests 2\n\u{2139} pass 1",
            "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\nrunning 1 test\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
            // A harness of its own says nothing of how many.
            "     Running tests/own.rs (target/debug/deps/own-1)\nfine\n   Doc-tests a\n\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
            "?   \te.com/a\t[no test files]\nok  \te.com/b\t0.1s",
            "1..2\nok 1 a # skip\nok 2 b",
            "> Task :a:test NO-SOURCE\n> Task :b:test",
            "Passed!  - Failed:     0, Passed:     3, Skipped:     0, Total:     3",
            "3 tests, 0 failures, 1 skipped",
        ] {
            assert_eq!(told(log), None, "{log}");
        }
    }
}

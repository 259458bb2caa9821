//! Whether what a plain command prints says that tests of it failed, although it ended well.
//!
//! A plain command passes by its exit code, and that is easily lost: `pytest | tee log`, `npm test; true`, a build tool that was told to go on. The closing
//! lines of runners tell: those that [`super::Emptied`] knows. Invariants: a word in a log is no closing line; of each runner, and of each binary,
//! package or module where it closes each, the last counts, since what a test prints of a runner of its own stands before the end of the one that ran
//! it; an indented line is what a runner shows of a test, unless the runner indents its own.

use crate::first_failure::{Runner, clean, ran, summary};

/// Most bytes of a line that are looked at: what is looked for is short.
const LONGEST: usize = 400;

/// Most parts of a run that are remembered as failed.
const MOST: usize = 1_000;

/// Who closes: a runner's word, and its binary, package or module.
type Key = (&'static str, String);

/// What the lines of a log say of it, one after the other.
#[derive(Debug, Default)]
pub struct Conceded {
    /// What was closed with failures, and not without since, in the order of the log.
    failed: Vec<(Key, String)>,
    /// What cargo, Maven or Gradle does now.
    part: String,
    /// unittest said how many it ran; how they came out stands in its next word.
    unittest: bool,
}

impl Conceded {
    /// The next line.
    pub fn line(&mut self, line: &str) {
        if line.len() > LONGEST {
            return;
        }
        let line = clean(line);
        let line = line.trim_end();
        let trimmed = line.trim_start();
        if trimmed.is_empty() {
            return;
        }
        if is_part(trimmed) {
            trimmed.clone_into(&mut self.part);
        } else if ran(line).is_some() {
            self.unittest = true;
        } else if let Some((key, failed)) = self.closing(line, trimmed) {
            let at = self.failed.iter().position(|(known, _)| *known == key);
            if let Some(at) = at {
                self.failed.remove(at);
            }
            if failed > 0 && self.failed.len() < MOST {
                let text = trimmed.chars().take(160).collect();
                self.failed.push((key, text));
            }
        }
    }

    /// The last line by which tests failed; `None` if no runner said so.
    pub fn told(mut self) -> Option<String> {
        self.failed.pop().map(|(_, line)| line)
    }

    /// Who closes with this line, and how many failed.
    fn closing(&mut self, line: &str, trimmed: &str) -> Option<(Key, u64)> {
        let is_own = line.len() == trimmed.len();
        let of = |word, failed| Some(((word, String::new()), failed));
        // These indent their own.
        if let Some(rest) = trimmed.strip_prefix("Test Files  ") {
            return of("vitest files", before(rest, " failed").unwrap_or(0));
        }
        if let Some(rest) = trimmed
            .strip_prefix("Executed ")
            .filter(|rest| rest.contains(" test"))
        {
            return of("xctest", before(rest, " failure")?);
        }
        if let Some((runner, tally)) = summary(line) {
            let word = match runner {
                Runner::Mocha => "mocha",
                Runner::Vitest => "vitest",
                Runner::Rust if is_own || trimmed.starts_with("Summary [") => {
                    return Some((("rust", self.part.clone()), tally.failed));
                }
                _ if !is_own => return None,
                Runner::Jvm => return Some((("jvm", self.part.clone()), tally.failed)),
                Runner::Go => {
                    let package = line.split('\t').nth(1).unwrap_or_default();
                    return Some((("go", package.trim().to_owned()), tally.failed));
                }
                Runner::Unittest => match std::mem::take(&mut self.unittest) {
                    true => "unittest",
                    // A word that many print.
                    false => return None,
                },
                Runner::Pytest => "pytest",
                Runner::Jest => "jest",
                Runner::Tap => "tap",
                Runner::Gtest => "gtest",
                Runner::Rspec => "rspec",
                Runner::Phpunit => "phpunit",
                Runner::Ctest => "ctest",
                _ => return None,
            };
            return of(word, tally.failed);
        }
        if !is_own {
            return None;
        }
        if let Some(rest) = line.strip_prefix("\u{2139} fail ") {
            return of("tap", rest.parse().ok()?);
        }
        if let Some(rest) = line.strip_prefix("Test Suites: ") {
            return of("jest suites", before(rest, " failed").unwrap_or(0));
        }
        // minitest and test-unit: `3 runs, 4 assertions, 1 failures, 1 errors, 1 skips`.
        if line.contains(" assertions, ") && line.contains(" failures, ") {
            let failures = before(line, " failures")?;
            return of(
                "minitest",
                failures.saturating_add(before(line, " errors")?),
            );
        }
        // bats: `3 tests, 1 failure, 1 skipped`.
        if line.contains(" tests, ") || line.contains(" test, ") {
            let (all, rest) = line.split_once(" test")?;
            all.parse::<u64>().ok()?;
            return of("bats", before(rest, " failure")?);
        }
        // dotnet: `Failed!  - Failed:     1, Passed:     2, Skipped:     0, Total:     3, Duration: 5 ms - shop.dll (net8.0)`.
        if line.starts_with("Failed!") || line.starts_with("Passed!") {
            let rest = line.split("- Failed:").nth(1)?.trim_start();
            let name = rest.rsplit_once(" - ").map_or("", |(_, name)| name);
            return Some((("dotnet", name.to_owned()), leading(rest)?));
        }
        // deno: `FAILED | 1 passed | 1 failed (5ms)`.
        if line.starts_with("ok | ") || line.starts_with("FAILED | ") {
            return of("deno", before(line, " failed")?);
        }
        None
    }
}

/// What begins a binary of cargo's, a module of Maven's, a task of Gradle's: each is closed for itself.
fn is_part(line: &str) -> bool {
    (line.starts_with("Running ") && line.ends_with(')'))
        || line.starts_with("Doc-tests ")
        || line.starts_with("[INFO] Building ")
        || line.starts_with("> Task ")
}

/// The number right before these words.
fn before(text: &str, words: &str) -> Option<u64> {
    let head = &text[..text.find(words)?];
    let digits = head.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    head[digits..].parse().ok()
}

/// The number that a text begins with.
fn leading(text: &str) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(log: &str) -> Option<String> {
        let mut conceded = Conceded::default();
        log.lines().for_each(|line| conceded.line(line));
        conceded.told()
    }

    #[test]
    fn runners_concede_failures_by_their_closing_lines() {
        for (log, line) in [
            ("1 failed, 1 passed in 0.02s", "1 failed, 1 passed in 0.02s"),
            ("1 error in 0.02s", "1 error in 0.02s"),
            (
                "\u{1b}[31m=== \u{1b}[1m1 failed\u{1b}[0m, 1 passed in 0.02s ===",
                "=== 1 failed, 1 passed in 0.02s ===",
            ),
            (
                "Ran 2 tests in 0.001s\n\nFAILED (errors=1)",
                "FAILED (errors=1)",
            ),
            // What follows is not unittest's.
            (
                "Ran 2 tests in 0.001s\n\nFAILED (failures=1)\nOK",
                "FAILED (failures=1)",
            ),
            // Of several binaries, packages and modules each counts.
            (
                "     Running unittests src/lib.rs (target/debug/deps/a-1)\ntest result: FAILED. 1 passed; 1 failed; 0 ignored\n     Running tests/b.rs (target/debug/deps/b-2)\ntest result: ok. 2 passed; 0 failed; 0 ignored",
                "test result: FAILED. 1 passed; 1 failed; 0 ignored",
            ),
            (
                "FAIL\te.com/a\t0.2s\nok  \te.com/b\t0.1s\nFAIL",
                "FAIL\te.com/a\t0.2s",
            ),
            (
                "[INFO] Building a 1.0 [1/2]\n[ERROR] Tests run: 5, Failures: 1, Errors: 0, Skipped: 0\n[INFO] Building b 1.0 [2/2]\n[INFO] Tests run: 2, Failures: 0, Errors: 0, Skipped: 0\n[INFO] BUILD SUCCESS",
                "[ERROR] Tests run: 5, Failures: 1, Errors: 0, Skipped: 0",
            ),
            (
                "> Task :a:test\n3 tests completed, 1 failed\n> Task :b:test",
                "3 tests completed, 1 failed",
            ),
            (
                "     Summary [   0.5s] 3 tests run: 2 passed, 1 failed, 0 skipped",
                "Summary [   0.5s] 3 tests run: 2 passed, 1 failed, 0 skipped",
            ),
            (
                "Test Suites: 1 failed, 1 total\nTests:       1 passed, 1 total",
                "Test Suites: 1 failed, 1 total",
            ),
            (
                "Tests:       1 failed, 1 total",
                "Tests:       1 failed, 1 total",
            ),
            (
                " Test Files  1 failed (1)\n      Tests  no tests",
                "Test Files  1 failed (1)",
            ),
            (
                "      Tests  1 failed | 2 passed (3)",
                "Tests  1 failed | 2 passed (3)",
            ),
            ("  2 passing (4ms)\n  1 failing", "1 failing"),
            ("# tests 2\n# pass 1\n# fail 1", "# fail 1"),
            ("\u{2139} pass 1\n\u{2139} fail 1", "\u{2139} fail 1"),
            (
                "[  PASSED  ] 2 tests.\n[  FAILED  ] 1 test, listed below:",
                "[  FAILED  ] 1 test, listed below:",
            ),
            ("3 examples, 1 failure", "3 examples, 1 failure"),
            (
                "Tests: 3, Assertions: 3, Failures: 1.",
                "Tests: 3, Assertions: 3, Failures: 1.",
            ),
            (
                "67% tests passed, 1 tests failed out of 3",
                "67% tests passed, 1 tests failed out of 3",
            ),
            (
                "3 runs, 4 assertions, 0 failures, 1 errors, 0 skips",
                "3 runs, 4 assertions, 0 failures, 1 errors, 0 skips",
            ),
            (
                "3 tests, 1 failure, 1 skipped",
                "3 tests, 1 failure, 1 skipped",
            ),
            (
                "\t Executed 2 tests, with 1 failure (0 unexpected) in 0.1 (0.1) seconds",
                "Executed 2 tests, with 1 failure (0 unexpected) in 0.1 (0.1) seconds",
            ),
            (
                "Failed!  - Failed:     1, Passed:     2, Skipped:     0, Total:     3, Duration: 5 ms - a.dll (net8.0)\nPassed!  - Failed:     0, Passed:     2, Skipped:     0, Total:     2, Duration: 5 ms - b.dll (net8.0)",
                "Failed!  - Failed:     1, Passed:     2, Skipped:     0, Total:     3, Duration: 5 ms - a.dll (net8.0)",
            ),
            (
                "FAILED | 1 passed | 1 failed (5ms)",
                "FAILED | 1 passed | 1 failed (5ms)",
            ),
            // Another runner's good end takes nothing back.
            (
                "1 failed in 0.02s\nTests:       3 passed, 3 total",
                "1 failed in 0.02s",
            ),
        ] {
            assert_eq!(told(log).as_deref(), Some(line), "{log}");
        }
    }

    #[test]
    fn good_ends_words_and_what_tests_print_concede_nothing() {
        for log in [
            "",
            "2 passed in 0.02s",
            "1 failed",
            "we had 1 failed, 1 passed in 0.02s once",
            "sh: 1: pytestt: command not found",
            "FAILED (errors=1)",
            "Ran 2 tests in 0.001s\n\nOK (expected failures=1)",
            "2 passed, 1 xfailed, 1 warning in 0.02s",
            // A runner that a test starts, and the one that ran the test; what a runner shows of it is indented.
            "1 failed in 0.02s\n3 passed in 0.20s",
            "    1 failed in 0.02s\nTests:       3 passed, 3 total",
            "Ran 1 test in 0.001s\n\nFAILED (failures=1)\nRan 2 tests in 0.010s\n\nOK",
            "     Running tests/b.rs (target/debug/deps/b-2)\ntest result: FAILED. 0 passed; 1 failed; 0 ignored\ntest result: ok. 2 passed; 0 failed; 0 ignored",
            "FAIL\te.com/a\t0.2s\nok  \te.com/a\t0.1s",
            "[ERROR] Tests run: 1, Failures: 1, Errors: 0, Skipped: 0, Time elapsed: 0.1 s\n[WARNING] Tests run: 1, Failures: 0, Errors: 0, Skipped: 0, Flakes: 1",
            "    # fail 1\n# fail 0",
            "Test Suites: 1 passed, 1 total\nTests:       1 passed, 1 total",
            "3 tests, 0 failures",
            "ok | 3 passed | 0 failed (5ms)",
        ] {
            assert_eq!(told(log), None, "{log}");
        }
    }
}

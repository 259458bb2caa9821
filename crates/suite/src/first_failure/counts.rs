//! What a log's own summaries count.

use serde::{Deserialize, Serialize};

use super::{Runner, pattern};

/// The numbers of one summary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Passed.
    pub passed: u64,
    /// Failed, errors among them.
    pub failed: u64,
    /// Skipped.
    pub skipped: u64,
}

/// All summaries of a runner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The last one.
    pub last: Tally,
    /// The sum of all: a runner may print one a binary.
    pub total: Tally,
    /// How many there are.
    pub summaries: u64,
}

impl Counted {
    pub(super) fn add(&mut self, tally: Tally) {
        self.last = tally;
        self.summaries += 1;
        self.total.passed = self.total.passed.saturating_add(tally.passed);
        self.total.failed = self.total.failed.saturating_add(tally.failed);
        self.total.skipped = self.total.skipped.saturating_add(tally.skipped);
    }
}

/// unittest's number of tests: `Ran 3 tests in 0.001s`.
pub(crate) fn ran(line: &str) -> Option<u64> {
    let (n, rest) = line.strip_prefix("Ran ")?.split_once(' ')?;
    rest.starts_with("test").then(|| n.parse().ok())?
}

/// The summary that a line is, if it is one.
pub(crate) fn summary(line: &str) -> Option<(Runner, Tally)> {
    // Every summary has a number, or is one of unittest's or PHPUnit's words.
    let trimmed = line.trim();
    if trimmed.len() > 300 || trimmed.is_empty() {
        return None;
    }
    if let Some(rest) = line.strip_prefix("test result: ") {
        return Some((Runner::Rust, listed(rest)));
    }
    if trimmed.starts_with("Summary [") && trimmed.contains(" run:") {
        return Some((Runner::Rust, listed(trimmed.split("run:").nth(1)?)));
    }
    if trimmed == "OK" || (trimmed.starts_with("OK (") && trimmed.contains('=')) {
        return Some((Runner::Unittest, Tally::default()));
    }
    if trimmed.starts_with("FAILED (") && trimmed.ends_with(')') && trimmed.contains('=') {
        let mut tally = Tally::default();
        for part in trimmed["FAILED (".len()..trimmed.len() - 1].split(", ") {
            let (word, n) = part.split_once('=')?;
            let n = n.parse::<u64>().ok()?;
            match word {
                "failures" | "errors" | "unexpected successes" => tally.failed += n,
                "skipped" => tally.skipped += n,
                _ => {}
            }
        }
        return Some((Runner::Unittest, tally));
    }
    if let Some(rest) = line.strip_prefix("Tests:") {
        if rest.contains(", Assertions: ") {
            return phpunit(line);
        }
        return rest.contains("total").then(|| (Runner::Jest, listed(rest)));
    }
    if trimmed.starts_with("Tests  ") && trimmed.ends_with(')') {
        return Some((Runner::Vitest, listed(trimmed)));
    }
    if trimmed.contains("Tests run: ") && trimmed.contains("Failures: ") {
        // With a time it is of one class, and the sum comes at the end.
        if trimmed.contains("Time elapsed") {
            return None;
        }
        let number = |word: &str| -> u64 {
            let rest = trimmed.split(word).nth(1).unwrap_or_default();
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest[..digits].parse().unwrap_or(0)
        };
        let (failed, skipped) = (
            number("Failures: ").saturating_add(number("Errors: ")),
            number("Skipped: "),
        );
        let passed = number("Tests run: ")
            .saturating_sub(failed)
            .saturating_sub(skipped);
        return Some((
            Runner::Jvm,
            Tally {
                passed,
                failed,
                skipped,
            },
        ));
    }
    if trimmed.contains(" tests completed, ") || trimmed.contains(" test completed, ") {
        let all: u64 = trimmed.split(' ').next()?.parse().ok()?;
        let failed = listed(trimmed).failed;
        return Some((
            Runner::Jvm,
            Tally {
                passed: all.saturating_sub(failed),
                failed,
                skipped: 0,
            },
        ));
    }
    if let Some(rest) = line.strip_prefix("[  PASSED  ] ") {
        let passed = rest.split(' ').next()?.parse().ok()?;
        return Some((
            Runner::Gtest,
            Tally {
                passed,
                ..Tally::default()
            },
        ));
    }
    if let Some(rest) = line.strip_prefix("[  FAILED  ] ") {
        let failed = rest.split(' ').next()?.parse().ok()?;
        return rest.contains("listed below").then_some((
            Runner::Gtest,
            Tally {
                failed,
                ..Tally::default()
            },
        ));
    }
    if let Some(rest) = line.strip_prefix("# fail ") {
        let failed = rest.parse().ok()?;
        return Some((
            Runner::Tap,
            Tally {
                failed,
                ..Tally::default()
            },
        ));
    }
    if trimmed.contains(" failure") && trimmed.contains(" example") {
        // RSpec: `3 examples, 2 failures, 1 pending`, `0 examples, 0 failures, 1 error occurred outside of examples`.
        let parts = pattern!(
            r"^(\d+) examples?, (\d+) failures?(?:, (\d+) pending)?(?:, (\d+) errors? occurred outside of examples)?$"
        )
        .captures(trimmed)?;
        let number = |n: usize| -> u64 {
            parts
                .get(n)
                .and_then(|n| n.as_str().parse().ok())
                .unwrap_or(0)
        };
        let (failed, skipped) = (number(2).saturating_add(number(4)), number(3));
        let passed = number(1).saturating_sub(number(2)).saturating_sub(skipped);
        let tally = Tally {
            passed,
            failed,
            skipped,
        };
        return Some((Runner::Rspec, tally));
    }
    if trimmed.contains("% tests passed, ") {
        let parts =
            pattern!(r"^\d+% tests passed, (\d+) tests? failed out of (\d+)$").captures(trimmed)?;
        let (failed, all): (u64, u64) = (parts[1].parse().ok()?, parts[2].parse().ok()?);
        let tally = Tally {
            passed: all.saturating_sub(failed),
            failed,
            skipped: 0,
        };
        return Some((Runner::Ctest, tally));
    }
    if line.starts_with("OK (") {
        return phpunit(line);
    }
    if line.starts_with("ok  \t") && !line.contains("[no test files]") {
        return Some((
            Runner::Go,
            Tally {
                passed: 1,
                ..Tally::default()
            },
        ));
    }
    if line.starts_with("FAIL\t") {
        return Some((
            Runner::Go,
            Tally {
                failed: 1,
                ..Tally::default()
            },
        ));
    }
    if trimmed.contains(" in ") && pattern!(r"^(=+ )?(no tests ran|\d+ (passed|failed|errors?|skipped|xfailed|xpassed|deselected|warnings?|rerun|subtests passed)(, \d+ [a-z ]+)*) in \d+(\.\d+)?s( \([\d:]+\))?( =+)?$").is_match(trimmed) {
        return Some((Runner::Pytest, listed(trimmed)));
    }
    if pattern!(r"^\d+ (passing|failing)( \(\d+m?s\))?$").is_match(trimmed)
        && line.starts_with("  ")
    {
        return Some((Runner::Mocha, listed(trimmed)));
    }
    None
}

/// PHPUnit's: `OK (3 tests, 4 assertions)`, `Tests: 3, Assertions: 2, Errors: 1, Failures: 1.`
fn phpunit(line: &str) -> Option<(Runner, Tally)> {
    let number = |name: &str| -> u64 {
        let rest = line.split(&format!("{name}: ")).nth(1).unwrap_or_default();
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        rest[..end].parse().unwrap_or(0)
    };
    let (all, failed) = match pattern!(r"^OK \((\d+) tests?, \d+ assertions?\)$").captures(line) {
        Some(parts) => (parts[1].parse().ok()?, 0),
        None if line.starts_with("OK (") => return None,
        None => (
            number("Tests"),
            number("Errors").saturating_add(number("Failures")),
        ),
    };
    let skipped = number("Skipped").saturating_add(number("Incomplete"));
    let tally = Tally {
        passed: all.saturating_sub(failed).saturating_sub(skipped),
        failed,
        skipped,
    };
    Some((Runner::Phpunit, tally))
}

/// Numbers and the words behind them: `5 passed; 1 failed`, `1 failed | 2 passed (3)`.
fn listed(text: &str) -> Tally {
    let mut tally = Tally::default();
    let mut number: Option<u64> = None;
    for word in text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
    {
        if let Ok(n) = word.parse::<u64>() {
            number = Some(n);
            continue;
        }
        let Some(n) = number.take() else { continue };
        let slot = match word {
            "passed" | "passing" | "xfailed" => &mut tally.passed,
            "failed" | "failing" | "error" | "errors" | "timed" => &mut tally.failed,
            "skipped" | "ignored" | "todo" => &mut tally.skipped,
            _ => continue,
        };
        *slot = slot.saturating_add(n);
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_each_runner() {
        let of = |passed, failed, skipped| Tally {
            passed,
            failed,
            skipped,
        };
        for (line, runner, tally) in [
            (
                "test result: FAILED. 5 passed; 1 failed; 2 ignored; 0 measured; 3 filtered out; finished in 0.00s",
                Runner::Rust,
                of(5, 1, 2),
            ),
            (
                "     Summary [   0.512s] 10 tests run: 8 passed (1 slow), 1 failed, 1 timed out, 3 skipped",
                Runner::Rust,
                of(8, 2, 3),
            ),
            (
                "======= 1 failed, 2 passed, 1 skipped, 1 error in 0.12s =======",
                Runner::Pytest,
                of(2, 2, 1),
            ),
            ("3 passed in 61.20s (0:01:01)", Runner::Pytest, of(3, 0, 0)),
            (
                "FAILED (failures=1, errors=2, skipped=1)",
                Runner::Unittest,
                of(0, 3, 1),
            ),
            ("OK", Runner::Unittest, of(0, 0, 0)),
            (
                "Tests:       1 failed, 1 skipped, 2 passed, 4 total",
                Runner::Jest,
                of(2, 1, 1),
            ),
            (
                "      Tests  1 failed | 2 passed (3)",
                Runner::Vitest,
                of(2, 1, 0),
            ),
            (
                "[ERROR] Tests run: 5, Failures: 1, Errors: 1, Skipped: 1",
                Runner::Jvm,
                of(2, 2, 1),
            ),
            ("3 tests completed, 1 failed", Runner::Jvm, of(2, 1, 0)),
            ("[  PASSED  ] 3 tests.", Runner::Gtest, of(3, 0, 0)),
            (
                "[  FAILED  ] 2 tests, listed below:",
                Runner::Gtest,
                of(0, 2, 0),
            ),
            ("  5 passing (12ms)", Runner::Mocha, of(5, 0, 0)),
        ] {
            assert_eq!(summary(line), Some((runner, tally)), "{line}");
        }
        for line in [
            "",
            "5 passed",
            "it says OK",
            "Tests: none",
            "we passed 3 of 4 in 5s",
            "Tests run: 1, Failures: 1, Time elapsed: 1 s",
        ] {
            assert_eq!(summary(line), None, "{line}");
        }
    }
}

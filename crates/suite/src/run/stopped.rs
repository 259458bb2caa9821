//! Whether a runner that tells of failed tests tried the others at all.
//!
//! A quarantine covers a failure and not what was never run behind it. What is looked at: the exit code, options that end a run at its first
//! failure, and the lines in which runners say that they stopped. Sources: pytest's `ExitCode`; `cargo test` (101, and the line that
//! `--no-fail-fast` alone prints at the end); nextest's `NextestExitCode`; the manuals of ctest (8), Bazel (3), xcodebuild (65), Boost.Test
//! (201), make (2). Mocha, Catch2 and Robot end with the number of failures. Invariant: a code that no runner is known to mean failed tests by is none.
//! One code has many causes: what a runner says that made it fail besides tests (`aside`) is covered as little as what it broke off before (`go`).

mod aside;
mod go;

use super::TargetResult;

/// Codes by which runners say that tests failed and nothing else.
const FAILED: [i32; 9] = [1, 2, 3, 8, 32, 65, 100, 101, 201];

/// Options that end a run before its end, whichever runner has them.
const OPTIONS: [&str; 13] = [
    "--bail",
    "-bail",
    "--exitfirst",
    "--fail-fast",
    "--failfast",
    "-failfast",
    "-test.failfast",
    "--maxfail",
    "--max-fail",
    "--max-failures",
    "--stop-on-failure",
    "--stop-on-error",
    "--stop-on-defect",
];

/// Beginnings of lines, without blanks before them, in which a runner says that it stopped.
const LINES: [&str; 9] = [
    "Bail out!",
    "Canceling due to",
    "Cancelling due to",
    "Error: Aborting after",
    "FATAL: INTERRUPTED",
    "Stopping after",
    "Testing stopped early",
    "Testing failed: Maximum number of failures",
    "error: test run failed: cancelled",
];

/// What the lines of a log say of it, one after the other.
#[derive(Debug, Default)]
pub struct Stops {
    told: Option<String>,
    /// `cargo test` said that a binary failed; whether it went on behind it, it says at its end.
    cargo: Option<String>,
    go: go::Packages,
}

impl Stops {
    /// The next line.
    pub fn line(&mut self, line: &str) {
        if let Some(why) = self.go.line(line.trim_end()) {
            self.tell(&why);
        }
        let line = crate::first_failure::clean(line.trim());
        let line = line.trim();
        if aside::is_told(line) {
            self.tell(line);
        }
        let bangs = line.len() - line.trim_start_matches('!').len();
        if bangs >= 3 && line.ends_with("!!!") && line.len() > bangs {
            self.tell(line.trim_matches(['!', ' ']));
        } else if LINES.iter().any(|begin| line.starts_with(begin)) {
            self.tell(line);
        } else if line.starts_with("error: test failed, to rerun pass") {
            self.cargo.get_or_insert_with(|| {
                "`cargo test` ends at the first binary that fails, without `--no-fail-fast`".into()
            });
        } else if is_whole_cargo(line) {
            self.cargo = None;
        }
    }

    fn tell(&mut self, text: &str) {
        self.told
            .get_or_insert_with(|| text.chars().take(160).collect());
    }

    /// Why a result with failed tests is not of a run to the end; `None` if nothing says so.
    pub fn of(self, result: &TargetResult) -> Option<String> {
        let bad = result.tests.bad();
        let code = result.exit_code?;
        // A plain command is all that it ran.
        if bad == 0 || result.format == super::COMMAND {
            return None;
        }
        if let Some(text) = self.told.or(self.cargo) {
            return Some(text);
        }
        let is_panic = |row: &super::Row| row.failure.as_ref().is_some_and(go::is_panic);
        if let Some(row) = result.bad.iter().find(|row| is_panic(row)) {
            return Some(format!(
                "`{}` ended the process of its Go package",
                row.test
            ));
        }
        if let Some(option) = option(result) {
            return Some(format!("`{option}` ends it at a failure"));
        }
        let is_count = i64::from(code) == i64::try_from(bad.min(255)).unwrap_or(255);
        let is_known = match is_pytest(result) {
            true => code == 1,
            false => is_count || FAILED.contains(&code),
        };
        (code != 0 && !is_known)
            .then(|| format!("it ended with {code}, by which no runner says that tests failed"))
    }
}

/// `error: 2 targets failed:`, which `cargo test --no-fail-fast` prints when all are done.
fn is_whole_cargo(line: &str) -> bool {
    let inner = line
        .strip_prefix("error: ")
        .and_then(|rest| rest.strip_suffix(" failed:"));
    let words = inner.and_then(|inner| inner.split_once(' '));
    words.is_some_and(|(n, what)| n.parse::<u32>().is_ok() && matches!(what, "target" | "targets"))
}

fn is_pytest(result: &TargetResult) -> bool {
    let is = |word: &String| {
        let name = word.rsplit('/').next().unwrap_or(word);
        name.starts_with("pytest") || name == "py.test"
    };
    let by_test = |row: &super::Row| row.test.suite.split(" > ").next() == Some("pytest");
    result.command.iter().any(is) || result.format == "pytest-log" || result.bad.iter().any(by_test)
}

/// The option of the command that ends it before its end.
fn option(result: &TargetResult) -> Option<&str> {
    let is_pytest = is_pytest(result);
    result.command.iter().find_map(|word| {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let is_off = matches!(value, "0" | "false");
        let is_one = OPTIONS.contains(&name) && !is_off || is_pytest && word == "-x";
        is_one.then_some(word.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Attempted, Class, Collisions, End, judge};
    use crate::{Attempt, Failure, Outcome, Place, Sink, Tally, TestId};

    fn of(command: &str, format: &str, suite: &str, (failed, code): (usize, i32)) -> TargetResult {
        let mut tally = Tally::default();
        for n in 0..failed {
            tally.attempt(Attempt {
                test: TestId::new(suite, "", &format!("t{n}")),
                file: None,
                number: 1,
                outcome: Outcome::Fail,
                raw: String::new(),
                started_ms: None,
                seconds: None,
                cached: false,
                failures: vec![Failure::default()],
                skipped: None,
                output: String::new(),
                place: Place::default(),
            });
        }
        let attempted = Attempted {
            target: "unit".into(),
            class: Class::Unit,
            correlation_id: "c".into(),
            blocking: true,
            owner: None,
            command: command.split(' ').map(str::to_owned).collect(),
            dir: String::new(),
            format: format.into(),
            min_tests: 1,
            min_duration_ms: None,
            end: End::Exited { code },
            duration_ms: 1,
            ended_at: gonogo_core::Timestamp::from_millis(0),
            inputs: Vec::new(),
            problems: Vec::new(),
            home: "unit/unit".into(),
        };
        judge(
            attempted,
            &Collisions::default(),
            &tally.into_rows("unit", &[]),
        )
    }

    #[test]
    fn codes_and_options_tell_a_run_to_the_end_from_others() {
        for (command, suite, tests, is_whole) in [
            ("sh t.sh", "", (1, 1), true),
            ("make test", "", (1, 2), true),
            ("cargo test --no-fail-fast", "", (1, 101), true),
            ("ctest", "", (2, 8), true),
            ("mocha", "", (7, 7), true),
            ("mocha", "", (300, 255), true),
            ("mocha", "", (7, 6), false),
            ("mocha --bail", "", (1, 1), false),
            ("vitest run --bail=1", "", (1, 1), false),
            ("vitest run --bail=0", "", (1, 1), true),
            ("go test -failfast ./...", "", (1, 1), false),
            ("pytest", "", (1, 1), true),
            ("python3 -m pytest -q", "", (1, 2), false),
            ("sh t.sh", "pytest > tests", (1, 2), false),
            ("python3 -m pytest -x", "", (1, 1), false),
            ("pytest --maxfail=1", "", (1, 1), false),
            ("bash -x t.sh", "", (1, 1), true),
            ("sh t.sh", "", (1, 4), false),
            ("sh t.sh", "", (1, 127), false),
            ("sh t.sh", "", (1, 137), false),
            ("sh t.sh", "", (1, 255), false),
            ("sh t.sh", "", (1, 0), true),
            ("sh t.sh", "", (0, 3), true),
        ] {
            let result = of(command, "junit", suite, tests);
            let told = Stops::default().of(&result);
            assert_eq!(told.is_none(), is_whole, "{command} {tests:?}: {told:?}");
            assert_eq!(result.stopped, told);
        }
        assert_eq!(of("sh t.sh", "command", "", (1, 127)).stopped, None);
        let log = of("sh t.sh", "pytest-log", "", (1, 2));
        assert!(Stops::default().of(&log).is_some());
    }

    #[test]
    fn a_panic_of_go_ends_its_package_in_any_report() {
        let mut result = of("gotestsum", "junit", "", (1, 1));
        let mut with = |trace: &str| {
            let failure = result.bad[0].failure.get_or_insert_default();
            trace.clone_into(&mut failure.trace);
            Stops::default().of(&result)
        };
        let panic = "=== RUN   TestA\npanic: boom [recovered, repanicked]\n\ngoroutine 19 [running]:\ntesting.tRunner.func1.2()";
        assert!(with(panic).is_some_and(|why| why.contains("ended the process")));
        assert!(
            with(
                "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:"
            )
            .is_some()
        );
        assert_eq!(with("thread 'a' panicked at src/lib.rs:3:5:\nboom"), None);
        assert_eq!(
            with("    a_test.go:3: panic: boom\n        goroutine 7 [running]:"),
            None
        );
    }

    #[test]
    fn lines_of_runners_that_stopped_are_known() {
        let result = of("sh t.sh", "junit", "", (1, 1));
        let told = |log: &str| {
            let mut stops = Stops::default();
            log.lines().for_each(|line| stops.line(line));
            stops.of(&result)
        };
        for stopped in [
            "!!!!!!!!!!!! stopping after 1 failures !!!!!!!!!!!!",
            "!!!!!!!! KeyboardInterrupt !!!!!!!!",
            "!!! _pytest.outcomes.Exit: database is gone !!!",
            "  Canceling due to test failure",
            "Bail out!  database is gone",
            "error: test failed, to rerun pass `--lib`",
            "error: test failed, to rerun pass `--lib`\nerror: could not compile",
            "\u{1b}[31m⎯⎯⎯⎯⎯⎯\u{1b}[39m\u{1b}[1m\u{1b}[41m Unhandled Errors \u{1b}[49m\u{1b}[22m\u{1b}[31m⎯⎯⎯⎯⎯⎯\u{1b}[39m",
            "Vitest caught 1 unhandled error during the test run.",
            "     Errors  1 error",
            "  1 error was not a part of any test, see above for details",
            "FAIL Required test coverage of 80% not reached. Total coverage: 33.33%",
            "ERROR: Coverage failure: total of 33 is less than fail-under=80",
            "Jest: \"global\" coverage threshold for statements (80%) not met: 33.33%",
            "ERROR: Coverage for lines (50%) does not meet global threshold (80%)",
            "# Error: 50.00% line coverage does not meet threshold of 80%.",
            "FAIL\te.com/g\t0.006s",
            "{\"Action\":\"output\",\"Package\":\"e.com/g\",\"Output\":\"FAIL\\te.com/g\\t0.006s\\n\"}",
        ] {
            assert!(told(stopped).is_some(), "{stopped}");
        }
        for whole in [
            "FAILED tests/test_a.py::test - assert 1 == 2\n1 failed, 3 passed in 0.1s",
            "error: test failed, to rerun pass `--lib`\nerror: test failed, to rerun pass `--test a`\nerror: 2 targets failed:",
            "error: test failed, to rerun pass `--lib`\nerror: 1 target failed:\n    `--lib`",
            "FAIL\nFAIL\te.com/g\t0.006s\nFAIL",
            "Required test coverage of 80% reached. Total coverage: 100.00%",
            "Errors: 1 of them is expected",
            "it failed!!!",
            "!!!",
            "the word Bail out! within",
        ] {
            assert_eq!(told(whole), None, "{whole}");
        }
    }
}

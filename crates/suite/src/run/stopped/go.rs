//! Packages of Go whose process ended before their tests did: a panic, `fatal error`, a time-out, `os.Exit` in a test.
//!
//! Where all tests of a package were run, testing itself prints `FAIL` or `PASS` by itself before `go test` tells how the package ended
//! (`FAIL\te.com/g\t0.006s`); where the process ended before, nobody does. Source: `testing.(*M).Run`, `cmd/go/internal/test`. The lines stand in a
//! log as they are, or in the events of `go test -json`.

use std::collections::HashSet;

use serde::Deserialize;

use crate::Failure;

/// Most packages that are told apart.
const MOST: usize = 100_000;

/// What was said of packages.
#[derive(Debug, Default)]
pub(super) struct Packages {
    /// Whose tests were all run, of the events; the empty name is that of the log itself.
    whole: HashSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event<'e> {
    #[serde(borrow)]
    action: std::borrow::Cow<'e, str>,
    #[serde(borrow, default)]
    package: std::borrow::Cow<'e, str>,
    #[serde(borrow, default)]
    test: std::borrow::Cow<'e, str>,
    #[serde(borrow, default)]
    output: std::borrow::Cow<'e, str>,
}

impl Packages {
    /// Takes a line as it stands in the log. Returns why a package was not run to its end, if it says so.
    pub(super) fn line(&mut self, line: &str) -> Option<String> {
        if !line.starts_with('{') {
            return self.said("", line);
        }
        if !line.contains("\"Action\":\"output\"") {
            return None;
        }
        let event: Event<'_> = serde_json::from_str(line).ok()?;
        let is_own = event.action == "output" && event.test.is_empty();
        is_own
            .then(|| self.said(&event.package, event.output.trim_end()))
            .flatten()
    }

    fn said(&mut self, package: &str, line: &str) -> Option<String> {
        if matches!(line, "FAIL" | "PASS") {
            if self.whole.len() < MOST {
                self.whole.insert(package.to_owned());
            }
            return None;
        }
        let is_good = line.starts_with("ok  \t");
        let ended = line.strip_prefix("FAIL\t").and_then(of_package);
        if !is_good && ended.is_none() {
            return None;
        }
        // The next one of a plain log says it anew.
        let was_whole = self.whole.remove(package);
        let ended = ended.filter(|_| !was_whole)?;
        Some(format!(
            "the process of the Go package {ended} ended before its tests did (a panic, a time-out, an exit)"
        ))
    }
}

/// Whether a failure is a panic or a fatal error that ended its process: Go prints the stack of what ran.
pub(super) fn is_panic(failure: &Failure) -> bool {
    let mut lines = failure.trace.lines();
    let is_end = |line: &str| line.starts_with("panic: ") || line.starts_with("fatal error: ");
    lines.any(is_end) && lines.any(|line| line.starts_with("goroutine ") && line.ends_with("]:"))
}

/// The package of `e.com/g\t0.006s`; what was not built has no time.
fn of_package(rest: &str) -> Option<&str> {
    let (package, took) = rest.split_once('\t')?;
    let seconds = took.split(['\t', ' ']).next()?.strip_suffix('s')?;
    seconds.parse::<f64>().is_ok().then_some(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(log: &str) -> Vec<String> {
        let mut packages = Packages::default();
        log.lines().filter_map(|line| packages.line(line)).collect()
    }

    #[test]
    fn a_package_that_did_not_come_to_its_end_is_told() {
        // go 1.26, `go test ./...` and `go test -json ./...`.
        let whole = "--- FAIL: TestA (0.00s)\n    a_test.go:3: lost\nFAIL\nFAIL\te.com/g\t0.003s\nok  \te.com/h\t0.002s\nFAIL\n";
        assert_eq!(told(whole), Vec::<String>::new());
        let built = "# e.com/g\n./a.go:3:1: syntax error\nFAIL\te.com/g [build failed]\nFAIL\n";
        assert_eq!(told(built), Vec::<String>::new());
        let panics = "--- FAIL: TestA (0.00s)\npanic: boom [recovered, repanicked]\n\ngoroutine 19 [running]:\nFAIL\te.com/g\t0.006s\nFAIL\n";
        assert_eq!(told(panics).len(), 1);
        assert!(told(panics)[0].contains("e.com/g"));
        // The first one's `FAIL` is none of the second one's.
        let second = format!("{}{panics}", whole.trim_end_matches("FAIL\n"));
        assert_eq!(told(&second).len(), 1);
        let event = |package: &str, test: &str, output: &str| {
            format!(
                "{{\"Time\":\"2026-11-22T15:43:20Z\",\"Action\":\"output\",\"Package\":\"{package}\",{test}\"Output\":\"{output}\"}}\n"
            )
        };
        let end = event("g", "", "FAIL\\tg\\t0.004s\\n");
        let own = event("g", "", "FAIL\\n");
        let others = event("h", "", "FAIL\\n");
        let of_test = event("g", "\"Test\":\"TestA\",", "FAIL\\n");
        assert_eq!(told(&format!("{own}{others}{end}")).len(), 0);
        assert_eq!(told(&format!("{others}{end}")).len(), 1);
        assert_eq!(told(&format!("{of_test}{end}")).len(), 1);
    }
}

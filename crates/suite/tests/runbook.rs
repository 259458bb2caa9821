//! The runbook's file, its lint, what comes with gonogo, and looking a failure up.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_suite::runbook::{
    BUILT_IN, By, Existing, Level, Limits, Matcher, MatcherError, Matches, PLACEHOLDERS, Runbook,
    Severity, lint, read,
};
use gonogo_suite::{Failure, FailureKind, Signature};

fn file(entries: &str) -> String {
    format!("schema = \"gonogo.suite.runbook.v1\"\n{entries}")
}

/// An entry with what is in `body`.
fn entry(id: &str, body: &str) -> String {
    format!(
        "[[entry]]\nid = \"{id}\"\ntitle = \"T\"\nmeans = \"M\"\nseverity = \"sev2\"\nremediation = \"R\"\n{body}\n"
    )
}

fn of(entries: &str) -> Matcher {
    Matcher::new(Runbook::parse(&file(entries)).expect("a good file")).expect("good patterns")
}

fn ids(matches: &Matches) -> Vec<&str> {
    matches.entries.iter().map(|m| m.entry.as_str()).collect()
}

#[test]
fn every_fault_is_told_with_its_line() {
    let text = file(
        "colour = 1\n\
         [[entry]]\nid = \"a b\"\ntitle = \"T\"\nmeans = 3\nseverity = \"sev4\"\ncause = \"disk_ful\"\nremediaton = \"x\"\nreplay = [\"gonogo\", \"{tset}\"]\nartifacts = [\"../x\"]\n\
         [[entry.match]]\nany = [\"\"]\nregx = \"x\"\n\
         [[entry.match]]\nregex = \"(\"\n",
    );
    let faults = Runbook::parse(&text).unwrap_err();
    let told: Vec<String> = faults.0.iter().map(ToString::to_string).collect();
    for (line, part) in [
        (2, "`colour` is no known key"),
        (4, "an id has small letters"),
        (6, "`means` is not text"),
        (7, "`sev4` is no known severity"),
        (8, "did you mean `disk_full`?"),
        (9, "did you mean `remediation`?"),
        (3, "`remediation` is missing"),
        (10, "did you mean `{test}`?"),
        (11, "leads outside with `..`"),
        (13, "`any` is empty"),
        (14, "did you mean `regex`?"),
        (16, "the expression is broken"),
    ] {
        let at = format!("line {line}: ");
        assert!(
            told.iter().any(|t| t.starts_with(&at) && t.contains(part)),
            "line {line}: {part}\n{}",
            told.join("\n")
        );
    }
    let mut sorted = faults.0.clone();
    sorted.sort_by_key(|f| (f.line, f.column));
    assert_eq!(sorted, faults.0);
}

#[test]
fn files_that_are_no_runbooks_are_refused() {
    let good = entry("a", "cause = \"timeout\"");
    assert!(Runbook::parse(&file(&good)).is_ok());
    for (text, part) in [
        (String::new(), "the schema is missing"),
        (good.clone(), "the schema is missing"),
        (file(""), "there is no entry"),
        (
            file(&good).replace(".v1", ".v2"),
            "this reads `gonogo.suite.runbook.v1`",
        ),
        (
            file(&(good.clone() + &good)),
            "the id stands twice, first in line 2",
        ),
        (file("entry = 3"), "write `[[entry]]`"),
        (file("[[entry]\n"), "this is not TOML"),
        (file(&entry("a", "")), "nothing tells when it applies"),
        (
            file(&entry("a", "signatures = []")),
            "nothing tells when it applies",
        ),
        (
            file(&entry("a", "match = []")),
            "nothing tells when it applies",
        ),
        (
            file(&entry("a", "signatures = [\"reason.v2:12\"]")),
            "is no signature",
        ),
        (file(&entry("a", "match = [{}]")), "asks for nothing"),
        (
            file(&entry("a", "match = [{ any = [] }]")),
            "asks for nothing",
        ),
        (
            file(&entry("a", "match = [{ all = [\"x\"], any = [] }]")),
            "`any` is empty",
        ),
        (
            file(&entry("a", "match = [{ any = [\"a\\nb\"] }]")),
            "a line's end",
        ),
        (
            file(&entry("a", "match = [{ regex = \"a*\" }]")),
            "finds something in every line",
        ),
        (
            file(&entry("a", "match = [{ regex = \"(a{900}){900}\" }]")),
            "too large",
        ),
        (
            file(&entry("a", "match = [{ any = [\"x\"], ignore_case = 1 }]")),
            "not true or false",
        ),
        (
            file(&entry(
                "a",
                &format!("match = [{{ any = [\"{}\"] }}]", "x".repeat(2_000)),
            )),
            "1024 are allowed",
        ),
    ] {
        let faults = Runbook::parse(&text).unwrap_err().to_string();
        assert!(faults.contains(part), "{part}: {faults}\n{text}");
    }
}

#[test]
fn a_line_is_told_by_its_number_whatever_ends_lines() {
    let runbook = of(&entry("full", "match = [{ any = [\"No space left\"] }]"));
    for (log, line, offset) in [
        ("a\r\nb\r\nx: No space left\r\n", 3, 9),
        ("a\nb\nx: No space left", 3, 7),
        ("10 %\r20 %\rNo space left\r30 %\n", 1, 10),
        ("\u{1b}[31mNo\u{1b}[0m \u{1b}[1mspace left\u{1b}[0m\n", 1, 5),
        ("10 %\u{1b}[2K\u{1b}[1GNo space left\n", 1, 12),
        ("\u{feff}No space left", 1, 3),
    ] {
        let found = runbook.matches(log.as_bytes());
        let first = &found.entries[0].first;
        assert_eq!((first.line, first.offset), (line, offset), "{log:?}");
        assert!(first.text.contains("No space left"), "{first:?}");
        assert!(!first.text.contains(char::is_control), "{first:?}");
    }
    assert!(runbook.matches(b"No space\nleft").entries.is_empty());
}

#[test]
fn ends_of_lines_are_those_of_an_expression_and_a_time_before_the_line_is_no_hindrance() {
    let runbook = of(&entry(
        "e",
        "match = [{ regex = '^error\\[E\\d+\\]: .*types$' }]",
    ));
    for (log, expected) in [
        ("error[E0308]: mismatched types\r\n", true),
        (
            "2026-03-01T10:00:00.1234567Z error[E0308]: mismatched types\n",
            true,
        ),
        ("50 %\rerror[E0308]: mismatched types\n", true),
        (
            "\u{1b}[1m\u{1b}[31merror[E0308]\u{1b}[0m: mismatched types",
            true,
        ),
        ("an error[E0308]: mismatched types\n", false),
        ("error[E0308]: mismatched types here\n", false),
        ("error[Exyz]: mismatched types\n", false),
    ] {
        assert_eq!(
            !runbook.matches(log.as_bytes()).entries.is_empty(),
            expected,
            "{log}"
        );
    }
}

#[test]
fn the_most_severe_comes_first_then_the_most_specific_then_the_first() {
    let runbook = of(&[
        entry("low", "match = [{ any = [\"connection refused\"] }]").replace("sev2", "sev3"),
        entry("b-late", "match = [{ any = [\"beta line\"] }]"),
        entry("a-early", "match = [{ any = [\"alph line\"] }]"),
        entry(
            "exact",
            "match = [{ all = [\"connection refused\", \"broker\"] }]",
        ),
        entry("worst", "match = [{ any = [\"zzzz\"] }]").replace("sev2", "sev1"),
    ]
    .concat());
    let log = "connection refused by broker\nbeta line\nalph line\nzzzz\nbeta line\n";
    let found = runbook.matches(log.as_bytes());
    assert_eq!(ids(&found), ["worst", "exact", "b-late", "a-early", "low"]);
    let late = &found.entries[2];
    assert_eq!((late.hits, late.first.line, late.last.line), (2, 2, 5));
    assert_eq!(found.entries[0].severity, Severity::One);
}

#[test]
fn what_could_not_be_looked_at_is_not_whole() {
    let runbook = of(&entry("full", "match = [{ any = [\"No space left\"] }]"));
    let utf16: Vec<u8> = "\u{feff}No space left"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for log in [&b""[..], &utf16, &utf16[2..]] {
        let found = runbook.matches(log);
        assert!(!found.whole && found.issues.len() == 1, "{found:?}");
    }
    let found = runbook.matches(b"\xff\x00\xfe No space left \x80\n");
    assert!(found.whole && found.entries[0].first.text.contains("No space left"));
}

#[test]
fn a_line_with_tricks_is_shown_tamed() {
    let runbook = of(&entry("full", "match = [{ any = [\"No space left\"] }]"));
    let long = format!(
        "{}\u{202e}\u{7}No space left{}",
        "ä".repeat(5_000),
        "ö".repeat(5_000)
    );
    let text = &runbook.matches(long.as_bytes()).entries[0].first.text;
    assert!(text.starts_with('…') && text.ends_with('…'), "{text}");
    assert!(text.chars().count() < 340 && text.contains("No space left"));
    assert!(!text.contains(['\u{202e}', '\u{7}']), "{text:?}");
}

#[test]
fn expressions_without_a_text_are_tried_on_every_line_and_are_bounded() {
    let few = of(&entry("digits", "match = [{ regex = '^\\d+:\\d+$' }]"));
    let found = few.matches(b"a\n12:3\nb\r\n4:5\r\n");
    assert_eq!((found.entries[0].first.line, found.entries[0].hits), (2, 2));
    let many: String = (0..65)
        .map(|n| entry(&format!("e{n}"), "match = [{ regex = '^\\d+:\\d+$' }]"))
        .collect();
    let runbook = Runbook::parse(&file(&many)).unwrap();
    assert_eq!(
        Matcher::new(runbook).unwrap_err(),
        MatcherError::Unanchored(65)
    );
}

#[test]
fn own_entries_come_before_those_of_the_same_id() {
    let own = Runbook::parse(&file(&entry("disk-full", "cause = \"own:quota\""))).unwrap();
    let count = Runbook::parse(BUILT_IN).unwrap().entries.len();
    let both = own.over(Runbook::parse(BUILT_IN).unwrap());
    assert_eq!(both.entries.len(), count);
    assert_eq!(both.entry("disk-full").unwrap().title, "T");
}

/// A line that each entry of ours is for, and lines that none is for.
#[test]
fn what_comes_with_gonogo_knows_its_failures() {
    let runbook = Matcher::new(Runbook::parse(BUILT_IN).unwrap()).unwrap();
    let mut left: BTreeSet<&str> = runbook
        .runbook()
        .entries
        .iter()
        .map(|e| e.id.as_str())
        .collect();
    for (line, expected) in [
        ("  \"regression_count\": 2,", "triage-regression"),
        ("gate unit: REGRESSION: 2 tests", "triage-regression"),
        ("  \"all_blocking_pass\" : false", "gate-blocked"),
        (
            "{\"overall_verdict\":\"NOT_CERTIFIED\"}",
            "certification-refused",
        ),
        (
            "report.xml: EVIDENCE_TRUNCATED: it ends before its end",
            "evidence-refused",
        ),
        (
            "Error: No matching interaction for GET /v1",
            "recording-mismatch",
        ),
        (
            "2026-03-01T10:00:00Z the operation \"get\" timed out after 5 s",
            "timed-out",
        ),
        ("context deadline exceeded", "timed-out"),
        ("error[E0308]: mismatched types", "compile-error"),
        ("src/a.ts(3,5): error TS2345: Argument of", "compile-error"),
        ("main.cpp:10:5: error: expected ';'", "compile-error"),
        ("[ERROR] COMPILATION ERROR :", "compile-error"),
        ("write: No space left on device (os error 28)", "disk-full"),
        ("Error: ENOSPC: no space", "disk-full"),
        (
            "FATAL ERROR: Reached heap limit - JavaScript heap out of memory",
            "out-of-memory",
        ),
        ("memory allocation of 800 bytes failed", "out-of-memory"),
        ("waiver w1: WAIVER_EXPIRED", "excuse-expired"),
        ("merge: SHARD_MISSING: 3 of 4", "shards-incomplete"),
        (
            "startup_p95: PERF_REGRESSED by 12 %",
            "perf-budget-exceeded",
        ),
        (
            "{\"budget_name\":\"idle\",\"status\":\"FAIL\"}",
            "perf-budget-exceeded",
        ),
        (
            "{\"budget_name\":\"idle\",\"status\":\"NO_DATA\"}",
            "perf-evidence-missing",
        ),
        ("--- FAIL: TestSum (0.00s)", "test-failed"),
        ("a.py:12: error: Bad return  [return-value]", "type-error"),
        ("a.c:12: undefined reference to `foo'", "link-error"),
        (
            "==1==ERROR: AddressSanitizer: heap-use-after-free",
            "sanitizer",
        ),
        ("bash: line 1: 12345 Segmentation fault ./app", "crashed"),
        ("panic: assignment to entry in nil map", "panicked"),
        ("curl: (6) Could not resolve host: a.example", "network"),
        ("bash: ./run.sh: Permission denied", "permission-denied"),
        ("sh: 1: foocmd: not found", "missing-file"),
        ("would reformat a.py", "lint-failed"),
    ] {
        assert_eq!(ids(&runbook.matches(line.as_bytes())), [expected], "{line}");
        left.remove(expected);
    }
    assert_eq!(left, BTreeSet::new());
    for line in [
        "test timeouts::connect_timeout_is_read ... ok",
        "test errors::out_of_memory_is_told ... ok",
        "  \"regression_count\": 0,",
        "{\"status\":\"FAIL\"}",
        "compiling error-chain v0.1",
        "0 regressions, all blocking gates passed",
    ] {
        assert_eq!(ids(&runbook.matches(line.as_bytes())), [""; 0], "{line}");
    }
}

fn existing() -> Existing {
    let set = |words: &[&str]| {
        words
            .iter()
            .map(|w| (*w).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let command = |name: &str, flags: &[&str]| (name.to_owned(), set(flags));
    Existing {
        artifacts: set(&["summary.json", "*/*/output.log"]),
        paths: set(&["scripts/check.sh"]),
        programs: set(&["cargo", "sh"]),
        commands: BTreeMap::from([
            command("suite replay", &["--run", "--json"]),
            command("gate check", &["--lane"]),
        ]),
        ..Existing::default()
    }
}

#[test]
fn lint_proves_that_what_is_named_exists() {
    let pattern = "match = [{ any = [\"No space left\"] }]\n";
    for (body, expected) in [
        (
            "artifacts = [\"summary.json\", \"{class}/{target}/output.log\"]",
            None,
        ),
        ("artifacts = [\"unit/core/output.log\"]", None),
        (
            "artifacts = [\"sumary.json\"]",
            Some("did you mean `summary.json`?"),
        ),
        (
            "artifacts = [\"{class}/{target}/output.txt\"]",
            Some("no run leaves"),
        ),
        ("artifacts = [\"{target}\"]", Some("names no file")),
        ("artifacts = [\"{class}/{target}\"]", Some("names no file")),
        (
            "replay = [\"gonogo\", \"suite\", \"replay\", \"{test}\", \"--run={run}\"]",
            None,
        ),
        (
            "replay = [\"gonogo\", \"suite\", \"replay\", \"a::b\", \"--json\"]",
            None,
        ),
        (
            "replay = [\"gonogo\", \"suite\", \"repla\"]",
            Some("did you mean `gonogo suite replay`?"),
        ),
        ("replay = [\"gonogo\"]", Some("gonogo has no command")),
        (
            "replay = [\"gonogo\", \"gate\", \"check\", \"--lan\", \"x\"]",
            Some("did you mean `--lane`?"),
        ),
        ("replay = [\"scripts/check.sh\"]", None),
        (
            "replay = [\"./scripts/chek.sh\"]",
            Some("there is no program"),
        ),
        ("replay = [\"cargo\", \"test\", \"{test}\"]", None),
        (
            "replay = [\"cargp\", \"test\"]",
            Some("did you mean `cargo`?"),
        ),
        (
            "replay = [\"cargo\", \"test\", \"&&\", \"ls\"]",
            Some("no shell reads it"),
        ),
        (
            "replay = [\"{target}\"]",
            Some("nobody can tell that it exists"),
        ),
    ] {
        let runbook = Runbook::parse(&file(&entry("a", &format!("{body}\n{pattern}")))).unwrap();
        let lint = lint(&runbook, &existing());
        match expected {
            None => assert!(
                lint.is_clean() && lint.findings.is_empty(),
                "{body}: {lint:?}"
            ),
            Some(part) => {
                assert!(!lint.is_clean(), "{body}");
                assert!(
                    lint.findings[0].to_string().contains(part),
                    "{body}: {lint:?}"
                );
            }
        }
    }
    // Nothing is known to exist: nothing exists.
    let runbook = Runbook::parse(BUILT_IN).unwrap();
    assert!(lint(&runbook, &Existing::default()).errors >= runbook.entries.len());
    assert!(!lint(&Runbook::default(), &existing()).is_clean());
}

#[test]
fn lint_tells_patterns_that_find_too_much_or_twice() {
    let where_to = "replay = [\"cargo\"]\n";
    for (body, level, part) in [
        (
            "match = [{ any = [\"abc\"] }]",
            Level::Error,
            "shorter than 4 bytes",
        ),
        (
            "match = [{ any = [\"No space left\", \"x\"] }]",
            Level::Error,
            "shorter than 4 bytes",
        ),
        (
            "match = [{ any = [\"error\"] }]",
            Level::Error,
            "a single word",
        ),
        (
            "match = [{ all = [\"FAILED:\"] }]",
            Level::Error,
            "a single word",
        ),
        (
            "match = [{ regex = '\\d+:\\d+' }]",
            Level::Warning,
            "tried on every line",
        ),
        (
            "match = [{ any = [\"no space\", \"no space left\"] }]",
            Level::Warning,
            "adds nothing",
        ),
        (
            "match = [{ any = [\"abcd\", \"efgh\"] }, { any = [\"efgh\", \"abcd\"] }]",
            Level::Error,
            "has the same pattern",
        ),
    ] {
        let runbook = Runbook::parse(&file(&entry("a", &format!("{where_to}{body}")))).unwrap();
        let lint = lint(&runbook, &existing());
        let found = lint.findings.iter().find(|f| f.text.contains(part));
        assert_eq!(found.map(|f| f.level), Some(level), "{body}: {lint:?}");
        assert_eq!(found.map(|f| f.line), Some(9), "{body}");
    }
    let hash = "0".repeat(32);
    let body = format!("{where_to}signatures = [\"reason.v2:{hash}\"]");
    let two = file(&(entry("a", &body) + &entry("b", &body)));
    let lint = lint(&Runbook::parse(&two).unwrap(), &existing());
    assert_eq!((lint.errors, lint.findings[0].entry.as_str()), (1, "b"));
    let bare = Runbook::parse(&file(&entry("a", "cause = \"timeout\""))).unwrap();
    let lint = gonogo_suite::runbook::lint(&bare, &existing());
    assert!(
        lint.is_clean()
            && lint.findings[0]
                .text
                .contains("neither artifacts nor a replay")
    );
}

/// The built-in entries have no pattern that lint would complain of; whether files and commands exist is for who knows them.
#[test]
fn what_comes_with_gonogo_is_clean_but_for_what_exists() {
    let runbook = Runbook::parse(BUILT_IN).unwrap();
    let commands = [
        "suite run",
        "suite replay",
        "suite rerun",
        "gate check",
        "gate explain",
        "explain",
        "record",
    ];
    let flags: BTreeSet<String> = ["--from", "--lane", "--profile", "--target", "--test"]
        .map(String::from)
        .into();
    let known = Existing {
        artifacts: runbook
            .entries
            .iter()
            .flat_map(|e| &e.artifacts)
            .map(|path| path.replace("{class}", "*").replace("{target}", "*"))
            .chain(["environment.json".to_owned()])
            .collect(),
        commands: commands.map(|c| (c.to_owned(), flags.clone())).into(),
        ..Existing::default()
    };
    let lint = lint(&runbook, &known);
    assert_eq!(lint.findings, [], "{lint:?}");
    assert!(PLACEHOLDERS.iter().any(|(name, _)| *name == "class"));
}

#[test]
fn a_failure_is_looked_up_by_signature_then_text_then_cause() {
    let failure = Failure {
        kind: FailureKind::Timeout,
        class: "Elapsed".into(),
        message: "broker worker7 did not answer".into(),
        trace: "at main.rs:3\nwaited for broker worker7".into(),
        ..Failure::default()
    };
    let signature = Signature::of(&failure);
    let runbook = of(&[
        entry("c-cause", "cause = \"timeout\"").replace("sev2", "sev1"),
        entry("b-text", "match = [{ all = [\"waited for broker\"] }]").replace("sev2", "sev1"),
        entry(
            "a-named",
            &format!("signatures = [\"{signature}\"]\nmatch = [{{ any = [\"did not answer\"] }}]"),
        ),
        entry(
            "other",
            "match = [{ any = [\"did not answer at all\"] }]\ncause = \"panic\"",
        ),
    ]
    .concat());
    let found = runbook.match_failure(&failure);
    let told: Vec<(&str, By)> = found
        .entries
        .iter()
        .map(|m| (m.entry.as_str(), m.by))
        .collect();
    assert_eq!(
        told,
        [
            ("a-named", By::Signature),
            ("b-text", By::Text),
            ("c-cause", By::Cause)
        ]
    );
    assert_eq!(found.cause, "timeout");
    assert_eq!(found.signature, signature.to_string());
    assert_eq!(found.entries[1].first.as_ref().map(|s| s.line), Some(3));
    // Another number, the same failure.
    let again = Failure {
        message: "broker worker9 did not answer".into(),
        ..failure
    };
    assert_eq!(runbook.match_failure(&again).entries[0].by, By::Signature);
}

#[test]
fn answers_are_the_same_bytes_each_time_and_are_read_back() {
    let runbook = Matcher::new(Runbook::parse(BUILT_IN).unwrap()).unwrap();
    let log =
        "x\nNo space left on device\nNOT_CERTIFIED\nENOSPC\nmemory allocation of 8 bytes failed\n";
    let found = read(&runbook, &mut log.as_bytes(), Limits::default()).unwrap();
    let text = serde_json::to_string(&found).unwrap();
    assert!(text.starts_with("{\"schema\":\"gonogo.suite.runbook-match.v1\""));
    assert_eq!(
        text,
        serde_json::to_string(&runbook.matches(log.as_bytes())).unwrap()
    );
    assert_eq!(serde_json::from_str::<Matches>(&text).unwrap(), found);
    assert_eq!((found.lines, found.entries.len()), (5, 3));
    assert_eq!(
        found
            .entries
            .iter()
            .find(|m| m.entry == "disk-full")
            .unwrap()
            .hits,
        2
    );
}

/// The entries of the built-in runbook that a log shows.
fn built_in(log: &str) -> Vec<String> {
    let matcher =
        Matcher::new(Runbook::parse(BUILT_IN).expect("a good file")).expect("good patterns");
    let found = matcher.matches(log.as_bytes());
    found.entries.into_iter().map(|m| m.entry).collect()
}

#[test]
fn plain_logs_of_well_known_tools_are_recognised() {
    for (log, expected) in [
        (
            "=== RUN   TestSum\n    sum_test.go:7: got 3, want 4\n--- FAIL: TestSum (0.00s)\nFAIL\nFAIL\texample.com/g\t0.002s\n",
            "test-failed",
        ),
        ("running 1 test\ntest sums ... FAILED\n", "test-failed"),
        (
            "E       AssertionError: assert 1 == 2\nFAILED tests/test_a.py::test_x - assert 1 == 2\n",
            "test-failed",
        ),
        ("FAIL: test_x (tests.test_a.TestA.test_x)\n", "test-failed"),
        ("  ● cart › sums\n", "test-failed"),
        (
            "prog: main.c:6: main: Assertion `x == 2' failed.\n",
            "test-failed",
        ),
        (
            "src/a.py:12: error: Incompatible return value type (got \"str\", expected \"int\")  [return-value]\nFound 1 error in 1 file (checked 3 source files)\n",
            "type-error",
        ),
        (
            "/usr/bin/ld: a.o: in function `main':\n/src/a.c:12: undefined reference to `foo'\ncollect2: error: ld returned 1 exit status\n",
            "link-error",
        ),
        (
            "==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010\n",
            "sanitizer",
        ),
        (
            "a.c:5:9: runtime error: signed integer overflow: 2147483647 + 1\n",
            "sanitizer",
        ),
        (
            "bash: line 1: 12345 Segmentation fault      (core dumped) ./app\n",
            "crashed",
        ),
        (
            "panic: runtime error: index out of range [5] with length 3\n",
            "panicked",
        ),
        (
            "curl: (6) Could not resolve host: api.example.com\n",
            "network",
        ),
        ("bash: ./run.sh: Permission denied\n", "permission-denied"),
        ("sh: 1: foocmd: not found\n", "missing-file"),
        ("would reformat /app/a.py\n", "lint-failed"),
    ] {
        assert!(
            built_in(log).iter().any(|id| id == expected),
            "{expected}: {log}{:?}",
            built_in(log)
        );
    }
    // What passes, and what only speaks of failures, is none.
    for log in [
        "test timeout_is_respected ... ok\ntest permission_denied_is_reported ... ok\n",
        "--- PASS: TestFail (0.00s)\nok  \texample.com/g\t0.002s\n",
        "ok 1 - connection refused is retried\n",
        "tests/test_a.py::test_segmentation PASSED\n0 errors, 0 failures\n",
        "note: error handling docs at docs/error.md\nwarning: error budget left 3\n",
        "Success: no issues found in 3 source files\n",
    ] {
        assert_eq!(built_in(log), Vec::<String>::new(), "{log}");
    }
}

#[test]
fn the_example_of_the_documentation_is_a_runbook() {
    let page = include_str!("../../../docs/runbook.md");
    let example = page
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let runbook = Runbook::parse(example).unwrap();
    let found = lint(
        &runbook,
        &Existing {
            artifacts: ["*/*/output.log".to_owned()].into(),
            paths: ["tools/broker.sh".to_owned()].into(),
            commands: [("suite replay".to_owned(), BTreeSet::new())].into(),
            ..Existing::default()
        },
    );
    assert_eq!((found.errors, found.findings.len()), (0, 0), "{found:?}");
    let matcher = Matcher::new(runbook).unwrap();
    let shown = page
        .split("```text\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    assert_eq!(ids(&matcher.matches(shown.as_bytes())), ["broker-gone"]);
    // Every key and every placeholder is told.
    for key in [
        "id",
        "title",
        "means",
        "severity",
        "cause",
        "signatures",
        "artifacts",
        "replay",
        "remediation",
        "links",
        "owner",
        "all",
        "any",
        "regex",
        "ignore_case",
    ] {
        assert!(page.contains(&format!("| `{key}` |")), "{key}");
    }
    for (name, _) in PLACEHOLDERS {
        assert!(page.contains(&format!("`{{{name}}}`")), "{name}");
    }
}

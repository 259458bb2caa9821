//! Reports in TAP that node, tape, bats, perl, prove and Vitest wrote.

#[path = "reports/check.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod check;

use gonogo_suite::Format;

/// Between two files that prove runs, and before the point whose subtests have just ended, nothing is lost unseen but itself.
fn between(cut: &[u8]) -> bool {
    String::from_utf8_lossy(cut)
        .lines()
        .last()
        .is_some_and(|l| l == "ok")
}

#[test]
fn tap_node() {
    let bytes = check::fixture("tap/node.txt");
    check::known(Format::Tap, &bytes);
    insta::assert_snapshot!(check::table(Format::Tap, &bytes));
    check::cuts(Format::Tap, &bytes, between);
    check::noise(Format::Tap, &bytes);
}

#[test]
fn tap_tape() {
    let bytes = check::fixture("tap/tape.txt");
    check::known(Format::Tap, &bytes);
    insta::assert_snapshot!(check::table(Format::Tap, &bytes));
    check::cuts(Format::Tap, &bytes, between);
    check::noise(Format::Tap, &bytes);
}

#[test]
fn tap_bats() {
    let bytes = check::fixture("tap/bats.txt");
    check::known(Format::Tap, &bytes);
    insta::assert_snapshot!(check::table(Format::Tap, &bytes));
    check::cuts(Format::Tap, &bytes, between);
    check::noise(Format::Tap, &bytes);
}

#[test]
fn tap_bats13() {
    let bytes = check::fixture("tap/bats13.txt");
    check::known(Format::Tap, &bytes);
    insta::assert_snapshot!(check::table(Format::Tap, &bytes));
    check::cuts(Format::Tap, &bytes, between);
    check::noise(Format::Tap, &bytes);
}

/// A run that node ends with 0 is green, and what is to be done is skipped and told, as in node's own JUnit.
#[test]
fn tap_node_todo() {
    let bytes = check::fixture("tap/node-todo.txt");
    check::known(Format::Tap, &bytes);
    insta::assert_snapshot!(check::table(Format::Tap, &bytes));
    check::cuts(Format::Tap, &bytes, |_| false);
}

#[test]
fn tap_node_broken() {
    let bytes = check::fixture("tap/node-broken.txt");
    check::known(Format::Tap, &bytes);
    assert!(check::read(Format::Tap, &bytes).0.is_whole());
    insta::assert_snapshot!(check::table(Format::Tap, &bytes));
    check::cuts(Format::Tap, &bytes, between);
    check::noise(Format::Tap, &bytes);
}

#[test]
fn tap_mocha_hooks() {
    let bytes = check::fixture("tap/mocha-hooks.txt");
    check::known(Format::Tap, &bytes);
    assert!(check::read(Format::Tap, &bytes).0.is_whole());
    insta::assert_snapshot!(check::table(Format::Tap, &bytes));
    check::cuts(Format::Tap, &bytes, between);
    check::noise(Format::Tap, &bytes);
}

#[test]
fn tap_catch2() {
    let bytes = check::fixture("tap/catch2.txt");
    check::known(Format::Tap, &bytes);
    assert!(check::read(Format::Tap, &bytes).0.is_whole());
    insta::assert_snapshot!(check::table(Format::Tap, &bytes));
    check::cuts(Format::Tap, &bytes, between);
    check::noise(Format::Tap, &bytes);
}

#[test]
fn tap_perl() {
    let bytes = check::fixture("tap/perl.txt");
    check::known(Format::Tap, &bytes);
    insta::assert_snapshot!(check::table(Format::Tap, &bytes));
    check::cuts(Format::Tap, &bytes, between);
    check::noise(Format::Tap, &bytes);
}

#[test]
fn tap_prove() {
    let bytes = check::fixture("tap/prove.txt");
    check::known(Format::Tap, &bytes);
    insta::assert_snapshot!(check::table(Format::Tap, &bytes));
    check::cuts(Format::Tap, &bytes, between);
    check::noise(Format::Tap, &bytes);
}

#[test]
fn tap_prove2() {
    let bytes = check::fixture("tap/prove2.txt");
    check::known(Format::Tap, &bytes);
    insta::assert_snapshot!(check::table(Format::Tap, &bytes));
    check::cuts(Format::Tap, &bytes, between);
    check::noise(Format::Tap, &bytes);
}

#[test]
fn tap_prove_green() {
    let bytes = check::fixture("tap/prove-green.txt");
    check::known(Format::Tap, &bytes);
    insta::assert_snapshot!(check::table(Format::Tap, &bytes));
    check::cuts(Format::Tap, &bytes, between);
    check::noise(Format::Tap, &bytes);
}

#[test]
fn tap_bail() {
    let bytes = check::fixture("tap/bail.txt");
    check::known(Format::Tap, &bytes);
    insta::assert_snapshot!(check::table(Format::Tap, &bytes));
    check::cuts(Format::Tap, &bytes, between);
    check::noise(Format::Tap, &bytes);
}

#[test]
fn tap_vitest() {
    let bytes = check::fixture("tap/vitest.txt");
    check::known(Format::Tap, &bytes);
    insta::assert_snapshot!(check::table(Format::Tap, &bytes));
    check::cuts(Format::Tap, &bytes, between);
    check::noise(Format::Tap, &bytes);
}

#[test]
fn tap_vitest_green() {
    let bytes = check::fixture("tap/vitest-green.txt");
    check::known(Format::Tap, &bytes);
    insta::assert_snapshot!(check::table(Format::Tap, &bytes));
    check::cuts(Format::Tap, &bytes, between);
    check::noise(Format::Tap, &bytes);
}

/// What ended with 0 and ran no test: passed, failed and in error, skipped; and that the writer's own counts agree.
#[test]
fn what_is_to_be_done_and_what_only_holds_tests_is_no_pass() {
    for (name, expected) in [
        ("node-suite", [0, 0, 2]),
        ("tape-todo", [0, 0, 1]),
        ("qunit-todo", [0, 0, 1]),
        ("ava-todo", [1, 0, 1]),
        ("node-tap", [0, 0, 3]),
        ("lab", [1, 0, 2]),
        ("node-todo", [1, 0, 2]),
    ] {
        let bytes = check::fixture(&format!("tap/{name}.txt"));
        check::known(Format::Tap, &bytes);
        let (reading, _) = check::read(Format::Tap, &bytes);
        assert!(reading.is_whole(), "{name}: {:?}", reading.issues);
        let seen = reading.seen;
        let found = [seen.passed, seen.failed + seen.errors, seen.skipped];
        assert_eq!(found, expected, "{name}");
        check::cuts(Format::Tap, &bytes, |_| false);
    }
}

/// Each count of each writer changed by one: it agrees with the tests no more.
#[test]
fn what_the_writer_counted_is_what_is_there() {
    for name in [
        "node",
        "node-broken",
        "node-todo",
        "tape",
        "lab",
        "mocha-last",
        "mocha-hooks",
    ] {
        let text = String::from_utf8(check::fixture(&format!("tap/{name}.txt"))).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let mut words = line.split_whitespace();
            let counted = (words.next(), words.next(), words.next());
            let (Some("#"), Some(word @ ("pass" | "fail" | "tests")), Some(n)) = counted else {
                continue;
            };
            let n: u64 = n.parse().expect("a count");
            for wrong in [n + 7, n.saturating_sub(1)] {
                // What is skipped or to be done may be among the tests or not; a higher count of them is of tests that are not there.
                let may_be = match word {
                    "tests" => wrong < n,
                    // tape counts what is to be done among what passed.
                    "pass" => wrong < n && name == "tape",
                    _ => false,
                };
                if wrong == n || may_be {
                    continue;
                }
                let mut lines = lines.clone();
                let changed = format!("# {word} {wrong}");
                lines[at] = &changed;
                let (reading, _) = check::read(Format::Tap, (lines.join("\n") + "\n").as_bytes());
                assert!(!reading.is_whole(), "{name}: {changed}");
            }
        }
    }
}

#[test]
fn the_closing_counts_are_of_no_failure() {
    let of = |text: &str| {
        let (_, attempts) = check::read(Format::Tap, text.as_bytes());
        let bad = attempts
            .into_iter()
            .find(|a| a.outcome.is_bad())
            .expect("a failure");
        bad.failures[0].clone()
    };
    let text = String::from_utf8(check::fixture("tap/mocha-last.txt")).expect("text");
    let more = text.replace("# tests 2\n# pass 1", "# tests 3\n# pass 2");
    assert_ne!(text, more);
    let failure = of(&text);
    assert_eq!(failure.message, "boom\nError: boom");
    assert!(failure.trace.contains("a.spec.js:2:28") && !failure.trace.contains("pass 1"));
    assert_eq!(failure.message, of(&more).message);
    let late = text.replace("boom", "Timeout of 20ms exceeded.");
    assert_eq!(of(&late).kind, gonogo_suite::FailureKind::Timeout);
}

#[test]
fn a_diagnosis_in_json_is_one_in_yaml() {
    use gonogo_suite::Signature;
    let text = String::from_utf8(check::fixture("tap/deno.txt")).expect("text");
    let of = |text: &str| {
        check::read(Format::Tap, text.as_bytes())
            .1
            .remove(0)
            .failures
            .remove(0)
    };
    let failure = of(&text);
    assert_eq!(failure.message, "Error: boo");
    let place = failure.location.clone().expect("a place");
    assert_eq!((place.file.as_str(), place.line), ("./x_test.ts", Some(1)));
    let moved = text
        .replace("/src/q1/", "/home/x/")
        .replace("\"line\":1", "\"line\":2")
        .replace("[33m1\\u001b", "[33m2\\u001b");
    assert_ne!(text, moved);
    assert_eq!(Signature::of(&failure), Signature::of(&of(&moved)));
    let other = text.replace("Error: boo", "Error: bar");
    assert_ne!(Signature::of(&failure), Signature::of(&of(&other)));
}

#[test]
fn what_is_no_tap_is_refused() {
    check::refusals(Format::Tap);
}

#[test]
fn reports_by_hand() {
    check::cases(
        Format::Tap,
        &[
            ("1..2\nok 1 - a\nok 2 - b\n", &["pass a", "pass b"], &[]),
            ("ok 1 - a\nok 2 - b\n1..2\n", &["pass a", "pass b"], &[]),
            (
                "1..3\nok 1 - a\nok 2 - b\n",
                &["pass a", "pass b"],
                &["CountMismatch"],
            ),
            (
                "1..1\nok 1 - a\nok 2 - b\n",
                &["pass a", "pass b"],
                &["CountMismatch", "CountMismatch"],
            ),
            ("ok 1 - a\n", &["pass a"], &["Incomplete"]),
            // Subtests of a test that nobody planned; before it, they are of the one that is.
            (
                "1..1\nok 1 - a\n    ok 1 - b\n    1..1\n",
                &["pass a", "pass b"],
                &["CountMismatch"],
            ),
            (
                "1..1\n    ok 1 - b\n    1..1\nok 1 - a\n",
                &["pass b", "pass a"],
                &[],
            ),
            ("1..0 # SKIP no database\n", &["skip (all)"], &[]),
            ("1..0\n", &[], &["NoTests"]),
            (
                "1..2\nok 1 - a\nok 1 - b\n",
                &["pass a", "pass b"],
                &["Collision"],
            ),
            (
                "1..2\nok 2 - a\nok 3 - b\n",
                &["pass a", "pass b"],
                &["CountMismatch", "CountMismatch"],
            ),
            // The same words twice are two tests.
            (
                "1..2\nok 1 - a\nnot ok 2 - a\n",
                &["pass a", "fail a (2)"],
                &[],
            ),
            ("1..2\nok\nnot ok\n", &["pass #1", "fail #2"], &[]),
            // YAML that looks like tests.
            (
                "1..2\nnot ok 1 - a\n  ---\n  message: |\n    ok 2 - b\n    Bail out!\n  ...\nok 2 - b\n",
                &["fail a", "pass b"],
                &[],
            ),
            (
                "1..1\nok 1 - a\n  ---\n  x: 1\n",
                &["pass a"],
                &["Truncated"],
            ),
            // Subtests: short by one, and without a plan.
            (
                "# Subtest: o\n    1..2\n    ok 1 - i\nok 1 - o\n1..1\n",
                &["pass i", "pass o"],
                &["CountMismatch"],
            ),
            (
                "# Subtest: o\n    ok 1 - i\nok 1 - o\n1..1\n",
                &["pass i", "pass o"],
                &["Incomplete"],
            ),
            (
                "1..2\nok 1 - a\nBail out! gone\n",
                &["pass a", "error (bail out)"],
                &["Incomplete", "CountMismatch"],
            ),
            // A point of which no subtest ran; in braces too, and one of which one did.
            (
                "# Subtest: o\n    ok 1 - i # SKIP\n    1..1\nok 1 - o\n1..1\n",
                &["skip i", "skip o"],
                &[],
            ),
            (
                "1..1\nok 1 - o {\n    ok 1 - i # TODO\n    1..1\n}\n",
                &["skip i", "skip o"],
                &[],
            ),
            (
                "1..1\nok 1 - o {\n    ok 1 - i {\n        ok 1 - a\n        1..1\n    }\n    ok 2 - b # SKIP\n    1..2\n}\n",
                &["pass a", "pass i", "skip b", "pass o"],
                &[],
            ),
            // AVA counts an uncaught error and the exit code that it led to.
            (
                "ok 1 - pass\nnot ok 2 - Error: late\nnot ok 3 - d.test.js exited with a non-zero exit code: 1\n\n1..3\n# tests 2\n# pass 1\n# fail 3\n",
                &[
                    "pass pass",
                    "fail Error: late",
                    "fail d.test.js exited with a non-zero exit code: 1",
                ],
                &[],
            ),
            // Counts that nothing is there for, and a comment that only looks like one.
            (
                "ok 1 a\nok 2 b\n1..2\n# tests 9\n# pass 0\n# fail 0\n",
                &["pass a", "pass b"],
                &["CountMismatch"],
            ),
            (
                "# fail 3\nok 1 a\n# pass 7\n# fail 0\nok 2 b\n1..2\n",
                &["pass a", "pass b"],
                &[],
            ),
            // A summary that knows of a failure.
            (
                "1..1\nok 1 - a\n# tests 1\n# fail 1\n",
                &["pass a"],
                &["CountMismatch"],
            ),
            ("1..1\nok 1 - a", &["unknown a"], &["Truncated"]),
            // Other text between, and a process that ended badly.
            (
                "t/a.t .. \n1..1\nnoise\nok 1 - a\nok\nt/b.t .. \n1..1\nok 1 - b\nDubious, test returned 3 (wstat 768, 0x300)\nResult: FAIL\n",
                &["pass a", "pass b", "error (process)"],
                &[],
            ),
        ],
    );
}

#[test]
fn subtests_of_any_depth_are_bounded() {
    let mut text = String::new();
    for depth in 0..2000 {
        text.push_str(&" ".repeat(depth * 4));
        text.push_str("ok 1 - a\n");
    }
    let (reading, _) = check::read(Format::Tap, text.as_bytes());
    assert!(
        reading
            .issues
            .iter()
            .any(|i| i.kind == gonogo_suite::IssueKind::Limit)
            || reading.issues_omitted > 0
    );
}

#[test]
fn the_largest_number_of_all_is_followed_by_a_subtest() {
    let report = "1..2\nok 18446744073709551615 - a\n    1..1\n    ok 1 - b\nok 2 - c\n";
    let mut attempts: Vec<gonogo_suite::Attempt> = Vec::new();
    let mut source = report.as_bytes();
    let limits = gonogo_suite::Limits::default();
    let reading = gonogo_suite::read::read(
        gonogo_suite::Format::Tap,
        &mut source,
        &limits,
        &mut attempts,
    );
    // A number beyond the plan is told.
    assert!(!reading.issues.is_empty());
    let names: Vec<String> = attempts.iter().map(|a| a.test.to_string()).collect();
    assert!(names.iter().any(|name| name.ends_with("b")), "{names:?}");
}

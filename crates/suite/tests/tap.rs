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

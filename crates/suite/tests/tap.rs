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

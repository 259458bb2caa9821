//! Reports that Jest and Vitest wrote.

#[path = "reports/check.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod check;

use gonogo_suite::Format;

#[test]
fn jest_all() {
    let bytes = check::fixture("jest/all.json");
    check::known(Format::Jest, &bytes);
    insta::assert_snapshot!(check::table(Format::Jest, &bytes));
    check::cuts(Format::Jest, &bytes, |_| false);
    check::noise(Format::Jest, &bytes);
}

#[test]
fn jest_green() {
    let bytes = check::fixture("jest/green.json");
    check::known(Format::Jest, &bytes);
    insta::assert_snapshot!(check::table(Format::Jest, &bytes));
    check::cuts(Format::Jest, &bytes, |_| false);
    check::noise(Format::Jest, &bytes);
}

#[test]
fn jest_filter() {
    let bytes = check::fixture("jest/filter.json");
    check::known(Format::Jest, &bytes);
    insta::assert_snapshot!(check::table(Format::Jest, &bytes));
    check::cuts(Format::Jest, &bytes, |_| false);
    check::noise(Format::Jest, &bytes);
}

#[test]
fn vitest_all() {
    let bytes = check::fixture("vitest/all.json");
    check::known(Format::Jest, &bytes);
    insta::assert_snapshot!(check::table(Format::Jest, &bytes));
    check::cuts(Format::Jest, &bytes, |_| false);
    check::noise(Format::Jest, &bytes);
}

#[test]
fn vitest_green() {
    let bytes = check::fixture("vitest/green.json");
    check::known(Format::Jest, &bytes);
    insta::assert_snapshot!(check::table(Format::Jest, &bytes));
    check::cuts(Format::Jest, &bytes, |_| false);
    check::noise(Format::Jest, &bytes);
}

#[test]
fn vitest_unhandled() {
    let bytes = check::fixture("vitest/unhandled.json");
    check::known(Format::Jest, &bytes);
    insta::assert_snapshot!(check::table(Format::Jest, &bytes));
    check::cuts(Format::Jest, &bytes, |_| false);
    check::noise(Format::Jest, &bytes);
}

#[test]
fn what_is_no_report_of_them_is_refused() {
    check::refusals(Format::Jest);
}

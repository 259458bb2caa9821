//! Reports in CTRF that its reporters wrote.

#[path = "reports/check.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod check;

use gonogo_suite::Format;

#[test]
fn ctrf_jest() {
    let bytes = check::fixture("ctrf/jest.json");
    check::known(Format::Ctrf, &bytes);
    insta::assert_snapshot!(check::table(Format::Ctrf, &bytes));
    check::cuts(Format::Ctrf, &bytes, |_| false);
    check::noise(Format::Ctrf, &bytes);
}

#[test]
fn ctrf_pytest() {
    let bytes = check::fixture("ctrf/pytest.json");
    check::known(Format::Ctrf, &bytes);
    insta::assert_snapshot!(check::table(Format::Ctrf, &bytes));
    check::cuts(Format::Ctrf, &bytes, |_| false);
    check::noise(Format::Ctrf, &bytes);
}

#[test]
fn what_is_no_ctrf_is_refused() {
    check::refusals(Format::Ctrf);
}

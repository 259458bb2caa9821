//! Who wrote a suite, where that changes what its numbers and its names mean.
//!
//! Told by what only that writer writes. Whoever is not known is held to the letter: [`Dialect::Plain`].

use super::suite::Suite;

/// A writer that counts or names in a way of its own.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    #[default]
    Plain,
    /// Boost.Test: `tests` are those that ran.
    Boost,
    /// ESLint: each finding is written as a test, and the same rule may find more in one file. Warnings are written as failures.
    Eslint,
    /// gotestsum, go-junit-report: a test that is there again was run again; names in a package are unique. `errors` counts lines.
    Go,
    /// Ginkgo: what is run before and behind all tests is written and counted as one.
    Ginkgo,
    /// jest-junit: what is to be done is written and not counted.
    Jest,
    /// doctest, nose2: parts of tests, and what is set up for a class, are written and not counted.
    Loose,
    /// mocha-junit-reporter: what is pending is counted and not written; tests that a hook kept from running are counted too.
    Mocha,
    /// newman: what holds all of them counts its suites, which are requests.
    Newman,
    /// node: an inner suite counts as one test of the outer one, and the same names may be in two files.
    Node,
    /// Playwright: a suite's host is the project.
    Playwright,
    /// stylelint-junit-formatter: findings, as ESLint's. Each is counted as a failure and as an error, also where all are warnings, which are
    /// written as one test that passed.
    Stylelint,
    /// Surefire: of JUnit 4 it writes a test once for each thing that failed in it, as the test and what cleans up behind it.
    Surefire,
    /// Vitest: a test that did not run is written as one that passed in no time.
    Vitest,
}

/// Attributes of a suite that tell its writer.
#[derive(Debug, Default)]
pub(super) struct Marked {
    pub(super) host: bool,
    pub(super) id: Option<String>,
    pub(super) package: Option<String>,
    pub(super) doctest: bool,
    pub(super) surefire: bool,
    /// Whether it has a time.
    pub(super) dated: bool,
}

impl Marked {
    /// Who wrote a suite with these attributes.
    pub(super) fn dialect(&self, suite: &Suite, is_all: bool, outer: Option<&Suite>) -> Dialect {
        let declared = &suite.declared;
        let inherited = outer.map_or(Dialect::Plain, |outer| outer.dialect);
        if inherited != Dialect::Plain {
            return inherited;
        }
        let id = self.id.as_deref();
        if is_all && outer.is_none() {
            return if suite.is_named("jest tests") {
                Dialect::Jest
            } else if suite.is_named("vitest tests") {
                Dialect::Vitest
            } else if self.package.as_deref() == Some("stylelint.rules") {
                Dialect::Stylelint
            } else if id == Some("") && suite.is_named("") && declared.errors.is_some() {
                Dialect::Playwright
            } else if declared.tests.is_some()
                && declared.skipped.is_some()
                && declared.errors.is_none()
                && declared.disabled.is_none()
                && !self.dated
            {
                Dialect::Mocha
            } else {
                Dialect::Plain
            };
        }
        if self.surefire {
            Dialect::Surefire
        } else if self.package.as_deref() == Some("org.eslint") {
            Dialect::Eslint
        } else if self.dated
            && id.is_some_and(is_uuid)
            && outer.is_some_and(|o| o.declared.is_requests())
        {
            Dialect::Newman
        } else if self.doctest || (outer.is_none() && suite.is_named("nose2-junit")) {
            Dialect::Loose
        } else if outer.is_none() && id == Some("0") && !self.dated && !self.host {
            Dialect::Boost
        } else if declared.disabled.is_some() && self.host {
            Dialect::Node
        } else {
            Dialect::Plain
        }
    }
}

/// `fb9abed0-05a7-45ea-8c23-e5c4836c8733`.
fn is_uuid(id: &str) -> bool {
    let is_part = |(at, b): (usize, u8)| match at {
        8 | 13 | 18 | 23 => b == b'-',
        _ => b.is_ascii_hexdigit(),
    };
    id.len() == 36 && id.bytes().enumerate().all(is_part)
}

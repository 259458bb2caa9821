//! What a suite declares against what is in it.
//!
//! Writers count differently: tests or reports of tests, failures or failed tests, with those of inner suites or without. A
//! declaration agrees if it is right in one of the ways that real writers count; a test that is missing agrees in none, but for
//! those that mocha's reporter counts as skipped and does not write.

use super::dialect::Dialect;

/// What is in a suite.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Test elements.
    pub(super) nodes: u64,
    /// Of those, the second ones of tests that are there twice: failed, and then failed to be torn down.
    pub(super) doubles: u64,
    /// Tests that are told to have passed and then failed to be torn down, in one element.
    pub(super) tails: u64,
    /// Elements that their writer does not count as tests: a package or a file that could not be built or loaded.
    pub(super) uncounted: u64,
    /// Tests that were run again and never passed, and those that passed in the end.
    pub(super) reran: u64,
    pub(super) flaky: u64,
    /// Other attempts at tests, written inside of them.
    pub(super) attempts: u64,
    /// Tests that are there again, because they were run again.
    pub(super) again: u64,
    /// Hooks that failed, where tests should be.
    pub(super) hooks: u64,
    /// Tests of which nothing is said but that they took no time.
    pub(super) instant: u64,
    /// Suites right inside, those with failures, and those with skipped tests.
    pub(super) suites: u64,
    pub(super) bad_suites: u64,
    pub(super) skipped_suites: u64,
    /// Tests that did not do what they should.
    pub(super) bad: u64,
    /// Elements that say so, by their kind.
    pub(super) failures: u64,
    pub(super) errors: u64,
    /// Tests with such elements.
    pub(super) with_failures: u64,
    pub(super) with_errors: u64,
    /// Skipped tests, and elements that say so.
    pub(super) skipped: u64,
    pub(super) skips: u64,
    /// Of the elements, those of expected failures.
    pub(super) expected: u64,
    /// Failures, errors and skips of the suite itself.
    pub(super) own_failures: u64,
    pub(super) own_skips: u64,
}

impl Tally {
    pub(super) const fn add(&mut self, other: &Self) {
        self.nodes += other.nodes;
        self.doubles += other.doubles;
        self.tails += other.tails;
        self.uncounted += other.uncounted;
        self.reran += other.reran;
        self.flaky += other.flaky;
        self.attempts += other.attempts;
        self.again += other.again;
        self.hooks += other.hooks;
        self.instant += other.instant;
        self.bad += other.bad;
        self.failures += other.failures;
        self.errors += other.errors;
        self.with_failures += other.with_failures;
        self.with_errors += other.with_errors;
        self.skipped += other.skipped;
        self.skips += other.skips;
        self.expected += other.expected;
        self.own_failures += other.own_failures;
        self.own_skips += other.own_skips;
    }

    const fn tests(&self) -> [u64; 7] {
        let once = self.nodes - self.doubles;
        [
            // Surefire with JUnit 4.
            self.nodes + self.attempts,
            // mocha's own reporter.
            self.nodes - self.hooks,
            once,
            self.nodes,
            once + self.tails,
            once.saturating_sub(self.uncounted),
            self.nodes + self.own_failures + self.own_skips,
        ]
    }

    const fn bad(&self) -> [u64; 10] {
        let told = self.failures + self.errors;
        let with = self.with_failures + self.with_errors;
        [
            self.bad,
            self.bad.saturating_sub(self.doubles),
            self.bad.saturating_sub(self.uncounted),
            self.bad + self.uncounted,
            told,
            with,
            self.bad + self.own_failures,
            told + self.own_failures,
            with + self.own_failures,
            told + self.attempts,
        ]
    }

    const fn skipped(&self) -> [u64; 5] {
        [
            self.skipped,
            self.skips,
            self.skips - self.expected,
            self.skipped + self.own_skips,
            self.skips + self.own_skips,
        ]
    }
}

/// What a suite declares.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Declared {
    pub(super) tests: Option<u64>,
    pub(super) failures: Option<u64>,
    pub(super) errors: Option<u64>,
    /// PHPUnit up to 9: classes without tests and the like. They are written as errors are.
    pub(super) warnings: Option<u64>,
    pub(super) skipped: Option<u64>,
    pub(super) disabled: Option<u64>,
    /// The most that it counts of what did not come to a good end, by any word: these are among what failed.
    pub(super) unended: Option<u64>,
    /// What it calls inconclusive: it is among what was skipped, or among what failed.
    pub(super) unsure: Option<u64>,
    /// Tests that passed when they were run again.
    pub(super) flaky: Option<u64>,
}

impl Declared {
    /// Whether it declares what the last round of reruns came to, as Surefire does, and all of those tests are there.
    fn is_last_round(&self, total: &Tally) -> bool {
        let again = total.reran + total.flaky;
        let Some(tests) = self.tests else {
            return false;
        };
        let bad = self
            .failures
            .unwrap_or(0)
            .saturating_add(self.errors.unwrap_or(0));
        again > 0
            && again < total.nodes
            && (tests == again || tests == total.reran)
            && bad == total.reran
            && self.skipped.unwrap_or(0) == 0
    }

    /// Whether it declares that it failed, and no test at all.
    pub(super) fn is_itself(&self, total: &Tally) -> bool {
        self.tests == Some(0)
            && total.nodes == 0
            && total.own_failures == 0
            && self.errors.unwrap_or(0) > 0
    }

    /// Whether it is what newman writes of all requests: how many, and nothing of what they came to.
    pub(super) const fn is_requests(&self) -> bool {
        self.tests.is_some()
            && self.failures.is_none()
            && self.errors.is_none()
            && self.skipped.is_none()
            && self.disabled.is_none()
    }

    /// How many of its tests did not run, of jest-junit, which counts those that did: what is to be done is written as if it had passed.
    pub(super) fn unrun(&self, total: &Tally) -> u64 {
        let counted = total.nodes - total.doubles - total.uncounted;
        self.tests.map_or(0, |tests| counted.saturating_sub(tests))
    }

    /// Whether tests that are there again were run again: each test is counted once.
    pub(super) fn is_each_once(&self, total: &Tally) -> bool {
        total.doubles > 0 && self.tests == Some(total.nodes - total.doubles)
    }

    /// Whether the number of tests alone does not agree, and may be because of what is not written.
    pub(super) fn is_but_lacking(&self, direct: &Tally, total: &Tally) -> bool {
        let rest = Self {
            tests: None,
            ..*self
        };
        (total.hooks > 0 || self.tests.is_some_and(|tests| tests > total.nodes))
            && rest.against(Dialect::Mocha, direct, total).is_none()
    }

    /// Whether that many tests are there, in the way of the dialect.
    fn is_so_many(&self, tests: u64, dialect: Dialect, direct: &Tally, total: &Tally) -> bool {
        let counted = total.nodes - total.doubles - total.uncounted;
        match dialect {
            Dialect::Boost => tests == total.nodes - total.skips.min(total.nodes),
            Dialect::Jest => {
                tests < counted
                    && counted - tests <= total.instant
                    && self.failures.is_some_and(|n| total.bad().contains(&n))
            }
            Dialect::Loose => tests <= total.nodes,
            Dialect::Mocha => total.skips == 0 && tests == total.nodes + self.skipped.unwrap_or(0),
            Dialect::Node => tests == direct.nodes + direct.suites,
            Dialect::Newman => direct.nodes == 0 && tests == direct.suites,
            Dialect::Stylelint => self.is_all_warnings(total),
            Dialect::Plain
            | Dialect::Eslint
            | Dialect::Ginkgo
            | Dialect::Go
            | Dialect::Playwright
            | Dialect::Surefire
            | Dialect::Vitest => false,
        }
    }

    /// stylelint-junit-formatter: all findings of a file are warnings, and one test stands for them, which passed.
    fn is_all_warnings(&self, total: &Tally) -> bool {
        total.nodes == 1
            && total.bad == 0
            && self.failures == self.tests
            && self.errors == self.tests
    }

    /// What it counts by other words than failures, errors and skips, and is not there at all.
    fn absent(&self, total: &Tally, wrong: &mut Vec<String>) {
        let most = |ways: &[u64]| ways.iter().copied().max().unwrap_or(0);
        let bad = most(&total.bad());
        // Where none failed, the suite itself did, and says why.
        if let Some(unended) = self.unended.filter(|n| *n > bad)
            && total.own_failures == 0
        {
            wrong.push(format!(
                "{unended} tests without a good end, there are {bad}"
            ));
        }
        let unsure = bad.saturating_add(most(&total.skipped()));
        if let Some(declared) = self.unsure.filter(|n| *n > unsure) {
            wrong.push(format!(
                "{declared} inconclusive, there are {unsure} that failed or were skipped"
            ));
        }
        if let Some(flaky) = self.flaky.filter(|n| *n > 0)
            && total.attempts + total.again == 0
        {
            wrong.push(format!("{flaky} flaky, and none was run again"));
        }
    }

    /// How many failures and errors it declares, of what is to be compared.
    fn bad(&self, dialect: Dialect, total: &Tally) -> (Option<u64>, Option<u64>) {
        match dialect {
            // `errors` are lines that the compiler wrote.
            Dialect::Go if total.uncounted > 0 && total.bad > 0 => (self.failures, None),
            Dialect::Stylelint if self.is_all_warnings(total) => (None, None),
            Dialect::Stylelint if self.failures == self.errors => (self.failures, None),
            _ => (self.failures, self.errors),
        }
    }

    /// What does not agree, in words; `None` if all does. `direct` is what is in the suite itself, `total` with inner suites.
    pub(super) fn against(
        &self,
        dialect: Dialect,
        direct: &Tally,
        total: &Tally,
    ) -> Option<String> {
        // A writer may leave inner suites to themselves, if there is something beside them.
        if self.is_last_round(total) {
            return None;
        }
        let ways = [Some(total), (direct.nodes > 0).then_some(direct)];
        let agrees = |seen: &dyn Fn(&Tally) -> bool| ways.into_iter().flatten().any(seen);
        let mut wrong = Vec::new();
        if let Some(tests) = self.tests
            && !agrees(&|t| t.tests().contains(&tests))
            && !self.is_so_many(tests, dialect, direct, total)
        {
            let seen = total.nodes - total.doubles;
            wrong.push(format!("{tests} tests, there are {seen}"));
        }
        self.absent(total, &mut wrong);
        let is_node = dialect == Dialect::Node;
        let bad = match self.bad(dialect, total) {
            (Some(failures), Some(errors)) => {
                let sum = failures.saturating_add(errors);
                let by_suite = is_node && sum == direct.bad + direct.bad_suites;
                let warned = sum.saturating_add(self.warnings.unwrap_or(0));
                let is_so = |t: &Tally| {
                    let ways = t.bad();
                    ways.contains(&sum) || ways.contains(&warned)
                };
                (!by_suite && !agrees(&is_so)).then_some(sum)
            }
            (Some(failures), None) => (!agrees(&|t| {
                t.bad().contains(&failures) || t.failures == failures || t.with_failures == failures
            }))
            .then_some(failures),
            (None, Some(errors)) => (!agrees(&|t| {
                t.bad().contains(&errors) || t.errors == errors || t.with_errors == errors
            }))
            .then_some(errors),
            (None, None) => None,
        };
        if let Some(bad) = bad {
            let seen = total.bad + total.own_failures;
            wrong.push(format!("{bad} failures and errors, there are {seen}"));
        }
        let skipped = match (self.skipped, self.disabled) {
            (Some(skipped), _)
                if (is_node && skipped == direct.skips + direct.skipped_suites)
                    || (dialect == Dialect::Mocha
                        && total.skips == 0
                        && self.tests == Some(total.nodes + skipped)) =>
            {
                None
            }
            (Some(skipped), Some(disabled)) => {
                let sum = skipped.saturating_add(disabled);
                (!agrees(&|t| {
                    let ways = t.skipped();
                    ways.contains(&sum) || ways.contains(&skipped)
                }))
                .then_some(sum)
            }
            (Some(one), None) | (None, Some(one)) => {
                // Alone, `disabled` does not count what is skipped otherwise.
                let is_part = self.skipped.is_none();
                (!agrees(&|t| t.skipped().contains(&one) || (is_part && one < t.skips)))
                    .then_some(one)
            }
            (None, None) => None,
        };
        if let Some(skipped) = skipped {
            let seen = total.skipped + total.own_skips;
            wrong.push(format!("{skipped} skipped, there are {seen}"));
        }
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }
}

/// What is declared of tests: a number, or `false` for none.
pub(super) fn declared(text: &str) -> Option<u64> {
    let is_none = text.trim().eq_ignore_ascii_case("false");
    count(text).or_else(|| is_none.then_some(0))
}

/// A number of tests: digits, maybe grouped, maybe with a fraction of zero.
pub(super) fn count(text: &str) -> Option<u64> {
    let text = text.trim();
    if text.is_empty() || text.len() > 32 {
        return None;
    }
    let whole = text.strip_suffix(".0").unwrap_or(text);
    let digits: String = whole
        .chars()
        .filter(|c| !matches!(c, ',' | ' ' | '\''))
        .collect();
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_tests() {
        for (text, expected) in [
            ("3", Some(3)),
            (" 12 ", Some(12)),
            ("1,234", Some(1234)),
            ("5.0", Some(5)),
            ("-1", None),
            ("", None),
            ("many", None),
            ("1e3", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(count(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_missing_never_agrees() {
        let seen = Tally {
            nodes: 5,
            bad: 2,
            failures: 3,
            with_failures: 2,
            skipped: 1,
            skips: 1,
            ..Tally::default()
        };
        let declared = Declared {
            tests: Some(5),
            failures: Some(2),
            errors: Some(0),
            warnings: None,
            skipped: Some(1),
            disabled: None,
            unended: Some(2),
            unsure: Some(1),
            flaky: Some(0),
        };
        assert_eq!(declared.against(Dialect::Plain, &seen, &seen), None);
        let elements = Declared {
            failures: Some(3),
            ..declared
        };
        assert_eq!(elements.against(Dialect::Plain, &seen, &seen), None);
        for wrong in [
            Declared {
                tests: Some(6),
                ..declared
            },
            Declared {
                tests: Some(4),
                ..declared
            },
            Declared {
                failures: Some(4),
                ..declared
            },
            Declared {
                errors: Some(2),
                ..declared
            },
            Declared {
                skipped: Some(2),
                ..declared
            },
            Declared {
                unended: Some(4),
                ..declared
            },
            Declared {
                unsure: Some(5),
                ..declared
            },
            Declared {
                flaky: Some(1),
                ..declared
            },
            Declared {
                disabled: Some(4),
                skipped: Some(3),
                ..declared
            },
        ] {
            assert!(
                wrong.against(Dialect::Plain, &seen, &seen).is_some(),
                "{wrong:?}"
            );
        }
    }
}

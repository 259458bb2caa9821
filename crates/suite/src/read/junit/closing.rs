//! The end of a suite: what it declares is held against what is in it.

use super::Junit;
use super::child::Child;
use super::counts::{Declared, Tally};
use super::dialect::Dialect;
use super::suite::Suite;
use super::words::Says;
use crate::read::xml::End;
use crate::{Failure, FailureKind, IssueKind, Outcome, Place, TestId};

impl Junit<'_> {
    pub(super) fn close_suite(&mut self, place: Place, end: End) {
        if end == End::Cut
            && let Some(held) = &mut self.held
            && held.is_bare
        {
            // The next element, which is missing, may be that of another run of it.
            held.attempt.outcome = Outcome::Unknown;
            held.attempt.failures.push(Failure {
                message: "the report ends where it may say more of this test".to_owned(),
                ..Failure::default()
            });
        }
        self.flush();
        let Some(mut suite) = self.suites.pop() else {
            return;
        };
        self.ids.end_suite();
        let mut total = suite.inner;
        total.add(&suite.direct);
        if let Some(says) = suite.status
            && says.outcome.is_bad()
            && total.bad + total.own_failures == 0
        {
            let mut child = Child::default();
            let attempt = suite.itself(says, &mut child, place, &self.limits);
            total.own_failures += 1;
            self.give(attempt);
        }
        self.settle_waiting(&suite.declared, &total, end);
        self.settle_far(&suite.declared, &total, end);
        if end == End::Whole
            && suite.dialect == Dialect::Newman
            && suite.declared.errors.unwrap_or(0) > total.errors
            && total.own_failures == 0
        {
            let says = Says {
                outcome: Outcome::Error,
                kind: FailureKind::Other,
            };
            let mut child = suite.request_error(&self.limits);
            let attempt = suite.itself(says, &mut child, place, &self.limits);
            total.own_failures += 1;
            self.give(attempt);
        }
        if end == End::Whole && suite.declared.is_itself(&total) {
            // cmocka: what its tests need failed, and none of them is there.
            let says = Says {
                outcome: Outcome::Error,
                kind: FailureKind::Setup,
            };
            let attempt = suite.itself(says, &mut Child::default(), place, &self.limits);
            total.own_failures += 1;
            self.give(attempt);
        }
        if end == End::Whole
            && let Some(wrong) = suite.declared.against(suite.dialect, &suite.direct, &total)
        {
            let mut text = format!("{} declares {wrong}", suite.shown());
            if suite.is_pytest
                && suite
                    .declared
                    .tests
                    .is_some_and(|tests| tests > total.nodes)
            {
                // From 9 on.
                text.push_str(
                    " (pytest counts subtests and does not write them: its report log has them)",
                );
            }
            // mocha's inner suites are held against the whole, which alone says how many are not written.
            match (suite.dialect, self.suites.is_empty()) {
                (Dialect::Mocha, false) if suite.declared.is_but_lacking(&suite.direct, &total) => {
                    self.put_off(&suite, &total, place, text);
                }
                _ => self.notes.tell(IssueKind::CountMismatch, place.from, text),
            }
        }
        if suite.dialect == Dialect::Mocha && self.suites.is_empty() {
            self.settle(&suite.declared);
        }
        let is_requests = suite.dialect == Dialect::Newman && suite.is_all;
        let declared = suite.declared.tests.filter(|_| !is_requests).or_else(|| {
            (suite.direct.nodes == 0)
                .then(|| suite.below.whole())
                .flatten()
        });
        let is_empty = total.nodes == 0;
        match self.suites.last_mut() {
            Some(outer) => {
                outer.inner.add(&total);
                outer.direct.suites += 1;
                outer.direct.bad_suites += u64::from(total.bad > 0);
                outer.direct.skipped_suites += u64::from(total.skips > 0);
                if declared.is_some() || !is_empty {
                    outer.below.add(declared);
                }
            }
            None if declared.is_some() || !is_empty => self.declared.add(declared),
            None => {}
        }
    }

    /// Keeps what does not agree in a suite of mocha's until it is known how many of its tests are not written.
    fn put_off(&mut self, suite: &Suite, total: &Tally, place: Place, text: String) {
        if total.hooks > 0 {
            // Which tests the hook kept from running is not told.
            return;
        }
        let tests = suite.declared.tests.unwrap_or(0);
        self.lacking = self
            .lacking
            .saturating_add(tests.saturating_sub(total.nodes));
        if self.put_off.len() < self.limits.issues {
            self.put_off.push((place.from, text));
        }
    }

    /// Tells what was kept, if more tests are lacking than are pending.
    fn settle(&mut self, declared: &Declared) {
        let told = std::mem::take(&mut self.put_off);
        if std::mem::take(&mut self.lacking) > declared.skipped.unwrap_or(0) {
            for (at, text) in told {
                self.notes.tell(IssueKind::CountMismatch, at, text);
            }
        }
    }

    /// Gives the tests of jest-junit that waited for what their suite counts.
    fn settle_waiting(&mut self, declared: &Declared, total: &Tally, end: End) {
        if self.waiting.is_empty() {
            return;
        }
        let lacking = match end {
            End::Whole => declared.unrun(total),
            End::Cut => u64::MAX,
        };
        for attempt in self.waiting.settle(lacking, end == End::Cut) {
            self.give(attempt);
        }
    }

    /// A test of pytest's is there again, and not right behind the first one.
    pub(super) fn far_again(&mut self, test: &TestId, place: Place) {
        let text = match self.far.len() < self.limits.issues {
            true => format!("{test}: there are two tests of this name"),
            false => String::new(),
        };
        self.far.push((place.from, text));
    }

    /// Tells of tests that are there again, if the suite does not count each of them once: then they were not run again.
    fn settle_far(&mut self, declared: &Declared, total: &Tally, end: End) {
        let far = std::mem::take(&mut self.far);
        if end == End::Whole && declared.is_each_once(total) {
            return;
        }
        for (at, text) in far {
            self.notes.tell(IssueKind::Collision, at, text);
        }
    }
}

//! How much flakiness is allowed: mixed verdicts of a target in the window, and the share of flaky tests of all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FlakeStat, Rules, State};
use crate::TestId;

/// What a target has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Mixed verdicts in the window.
    pub used: u64,
    /// How many are allowed.
    pub allowed: u64,
    /// Whether more are used than allowed.
    pub is_exceeded: bool,
}

/// What is used of all budgets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Budgets {
    /// By target: what contains the tests. Targets without any test that ran are not there.
    pub targets: BTreeMap<String, Budget>,
    /// Tests that ran in the window, a test on two variants counted once.
    pub tests: u64,
    /// Of them, tests with a mixed verdict that have not recovered.
    pub flaky: u64,
    /// Their share; absent without tests, and then nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// The share that must not be reached.
    pub allowed_share: f64,
    /// Whether it is reached, or nothing is known.
    pub is_exceeded: bool,
}

/// Adds up what [`super::stats`] found.
pub fn budgets(stats: &[FlakeStat], rules: &Rules) -> Budgets {
    let mut counting = Counting::default();
    for stat in stats {
        let suite: &str = &stat.test.suite;
        counting.add(suite, stat);
    }
    counting.done(rules)
}

/// Adds up statistics as they come.
#[derive(Debug, Clone, Default)]
pub struct Counting {
    used: BTreeMap<String, u64>,
    /// By target and test: whether it is flaky on any variant.
    tests: BTreeMap<(String, TestId), bool>,
}

impl Counting {
    /// Adds the statistics of a test of a target. One without runs in the window does not count.
    pub fn add(&mut self, target: &str, stat: &FlakeStat) {
        if stat.runs == 0 {
            return;
        }
        *self.used.entry(target.to_owned()).or_default() += stat.mixed;
        let flaky = stat.mixed > 0 && stat.state != State::Recovered;
        let key = (target.to_owned(), stat.test.clone());
        *self.tests.entry(key).or_default() |= flaky;
    }

    /// What was used of all budgets.
    pub fn done(self, rules: &Rules) -> Budgets {
        let allowed = rules.target_budget;
        let budget = |used: u64| Budget {
            used,
            allowed,
            is_exceeded: used > allowed,
        };
        let flaky = self.tests.values().filter(|f| **f).count() as u64;
        let share = (!self.tests.is_empty()).then(|| flaky as f64 / self.tests.len() as f64);
        let targets = self.used.into_iter();
        Budgets {
            targets: targets.map(|(t, n)| (t, budget(n))).collect(),
            tests: self.tests.len() as u64,
            flaky,
            share,
            allowed_share: rules.global_budget,
            // A share that cannot be compared is no proof of being below.
            is_exceeded: !share.is_some_and(|s| s < rules.global_budget),
        }
    }
}

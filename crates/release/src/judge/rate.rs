//! One rate (errors, or slow requests) of the new version and of stable, with its tests.
//!
//! The tests' state is kept as plain numbers so that a snapshot is exact.

use gonogo_core::canonical::MAX_SAFE_INTEGER;
use gonogo_stats::{Count, LimitTest, Parts, RateRatioTest};
use serde::{Deserialize, Serialize};

/// Requests and the events among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Requests.
    pub n: u64,
    /// Events among them.
    pub events: u64,
}

impl Tally {
    pub(crate) const fn add(self, other: Self) -> Self {
        Self {
            n: kept(self.n.saturating_add(other.n)),
            events: kept(self.events.saturating_add(other.events)),
        }
    }

    pub(crate) const fn times(self, factor: u64) -> Self {
        Self {
            n: self.n.saturating_mul(factor),
            events: self.events.saturating_mul(factor),
        }
    }

    /// The tally for the tests. Callers keep `events ≤ n`; should they not, the request count is raised to it, which can
    /// only look worse.
    pub(crate) fn count(self) -> Count {
        Count::new(self.n.max(self.events), self.events).unwrap_or(Count::ZERO)
    }
}

/// Stops a sum where canonical JSON stops.
const fn kept(n: u64) -> u64 {
    if n > MAX_SAFE_INTEGER {
        MAX_SAFE_INTEGER
    } else {
        n
    }
}

/// A test's state. Reals are kept as the hex digits of their bits: exact, and of any size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TestState {
    accounts: Vec<String>,
    age: String,
    peak: String,
}

impl TestState {
    fn of(parts: Parts) -> Self {
        Self {
            accounts: parts.accounts.iter().map(bits).collect(),
            age: bits(&parts.age),
            peak: bits(&parts.peak_log_e),
        }
    }

    fn parts(&self) -> Option<Parts> {
        let accounts: Vec<f64> = self
            .accounts
            .iter()
            .map(|a| real(a))
            .collect::<Option<_>>()?;
        let accounts = accounts.as_slice().try_into().ok()?;
        Some(Parts {
            accounts,
            age: real(&self.age)?,
            peak_log_e: real(&self.peak)?,
        })
    }
}

fn bits(value: &f64) -> String {
    format!("{:016x}", value.to_bits())
}

fn real(text: &str) -> Option<f64> {
    (text.len() == 16)
        .then(|| u64::from_str_radix(text, 16).ok().map(f64::from_bits))
        .flatten()
}

/// A rate under watch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rate {
    ratio: RateRatioTest,
    limit: LimitTest,
    pub(crate) canary: Tally,
    pub(crate) stable: Tally,
    // Counts of windows that lacked one side. They wait until both sides have requests; that depends on exposures alone,
    // so the test stays valid, and at low traffic nothing is lost.
    waiting: (Tally, Tally),
}

impl Rate {
    /// A rate with nothing counted; `limit` is a fraction in (0, 1).
    pub(crate) fn new(limit: f64) -> Option<Self> {
        Some(Self {
            ratio: RateRatioTest::new(),
            limit: LimitTest::new(limit).ok()?,
            canary: Tally::default(),
            stable: Tally::default(),
            waiting: Default::default(),
        })
    }

    pub(crate) fn observe(&mut self, canary: Tally, stable: Tally) {
        self.canary = self.canary.add(canary);
        self.stable = self.stable.add(stable);
        self.limit.observe(canary.count());
        let (c, s) = (self.waiting.0.add(canary), self.waiting.1.add(stable));
        if c.n > 0 && s.n > 0 {
            self.ratio.observe(c.count(), s.count());
            self.waiting = Default::default();
        } else {
            self.waiting = (c, s);
        }
    }

    /// Whether the new version is shown to be worse than stable. A setting that cannot be used counts as shown.
    pub(crate) fn is_worse(&self, alpha: f64) -> bool {
        self.ratio.rejects(alpha).unwrap_or(true)
    }

    /// Whether the rate is shown to be over its limit. A setting that cannot be used counts as shown.
    pub(crate) fn is_over(&self, alpha: f64) -> bool {
        self.limit.rejects(alpha).unwrap_or(true)
    }

    pub(crate) fn p_worse(&self) -> f64 {
        self.ratio.p_value()
    }

    pub(crate) fn p_over(&self) -> f64 {
        self.limit.p_value()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    ratio: TestState,
    limit: TestState,
    bound: f64,
    canary: Tally,
    stable: Tally,
    waiting: (Tally, Tally),
}

impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Stored {
            ratio: TestState::of(self.ratio.parts()),
            limit: TestState::of(self.limit.parts()),
            bound: self.limit.limit(),
            canary: self.canary,
            stable: self.stable,
            waiting: self.waiting,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        let bad = || {
            serde::de::Error::custom("a stored test's state is not one that this version writes")
        };
        let ratio = stored.ratio.parts().ok_or_else(bad)?;
        let limit = stored.limit.parts().ok_or_else(bad)?;
        Ok(Self {
            ratio: RateRatioTest::from_parts(ratio).map_err(serde::de::Error::custom)?,
            limit: LimitTest::from_parts(stored.bound, limit).map_err(serde::de::Error::custom)?,
            canary: stored.canary,
            stable: stored.stable,
            waiting: stored.waiting,
        })
    }
}

//! Seeded simulations of releases under the tests: the source of the
//! published false-alarm and detection figures, for tests and benches.
//!
//! Requests are Bernoulli, routed by chance, looked at after every window.
//! Invariant: a figure depends on its arguments only, on every machine.

use crate::{Count, LimitTest, RateRatioTest};

/// splitmix64 (Steele, Lea & Flood 2014): small, seedable, good enough to
/// simulate with, never for secrets.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// A generator whose stream depends on `seed` only.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Binomial(n, p), by inversion in chunks of about 100 expected hits.
    pub fn binomial(&mut self, n: u64, p: f64) -> u64 {
        if p <= 0.0 || p.is_nan() {
            return 0;
        }
        if p >= 1.0 {
            return n;
        }
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        let odds = p / (1.0 - p);
        // Few enough that the chance of no hit, where the sum starts, is a float.
        let chunk = (100.0 / p) as u64;
        let (mut left, mut hits) = (n, 0);
        while left > 0 {
            let trials = left.min(chunk);
            left -= trials;
            let mut term = libm::exp(trials as f64 * libm::log1p(-p));
            let mut u = self.unit() - term;
            let mut k = 0;
            while u >= 0.0 && k < trials {
                term *= odds * (trials - k) as f64 / (k + 1) as f64;
                u -= term;
                k += 1;
            }
            hits += k;
        }
        hits
    }
}

/// A release to simulate: functions of the second since its start.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Name for the figure.
    pub name: &'static str,
    /// Length in seconds.
    pub seconds: u32,
    /// Windows (and looks) a second, at least 1.
    pub looks: u32,
    /// Requests a second, both versions together.
    pub rps: fn(f64) -> f64,
    /// Fraction of them sent to the canary.
    pub weight: fn(f64) -> f64,
    /// Stable's event rate.
    pub stable: fn(f64) -> f64,
    /// The canary's event rate.
    pub canary: fn(f64) -> f64,
}

/// What a number of simulated releases gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The scenario's name.
    pub name: &'static str,
    /// Releases simulated.
    pub runs: u32,
    /// Releases that the test rejected.
    pub rejected: u32,
    /// Canary requests served up to and including the look that rejected, sorted.
    pub requests: Vec<u64>,
    /// Seconds from the start to that look, sorted.
    pub seconds: Vec<f64>,
}

impl Figure {
    /// Rejected releases over all; 0 without runs.
    #[must_use]
    pub fn share(&self) -> f64 {
        f64::from(self.rejected) / f64::from(self.runs.max(1))
    }

    /// Canary requests by which the fraction `q` of all runs was rejected;
    /// `None` if fewer were.
    #[must_use]
    pub fn requests_by(&self, q: f64) -> Option<u64> {
        self.requests.get(self.rank(q)).copied()
    }

    /// Seconds by which the fraction `q` of all runs was rejected; `None` if
    /// fewer were.
    #[must_use]
    pub fn seconds_by(&self, q: f64) -> Option<f64> {
        self.seconds.get(self.rank(q)).copied()
    }

    fn rank(&self, q: f64) -> usize {
        (libm::ceil(q * f64::from(self.runs)).max(1.0) as usize) - 1
    }
}

/// Runs `scenario` under the rate-ratio test.
#[must_use]
pub fn rate_ratio(scenario: &Scenario, alpha: f64, runs: u32, seed: u64) -> Figure {
    simulate(
        scenario,
        runs,
        seed,
        RateRatioTest::new,
        |test, canary, stable| {
            test.observe(canary, stable);
            test.rejects(alpha).unwrap_or(false)
        },
    )
}

/// Runs `scenario` under the limit test, on the canary's requests only; no
/// rejection for a `limit` that [`LimitTest::new`] refuses.
#[must_use]
pub fn limit(scenario: &Scenario, limit: f64, alpha: f64, runs: u32, seed: u64) -> Figure {
    let fresh = || LimitTest::new(limit).ok();
    simulate(scenario, runs, seed, fresh, |test, canary, _| {
        test.as_mut().is_some_and(|test| {
            test.observe(canary);
            test.rejects(alpha).unwrap_or(false)
        })
    })
}

/// A/A: both versions at 1 % errors, 200 requests a second, five stages of a
/// minute (5, 10, 25, 50, 75 %), a look every second, α = 0.005.
#[must_use]
pub fn a_a(runs: u32, seed: u64) -> Figure {
    rate_ratio(&A_A, 0.005, runs, seed)
}

/// Errors doubled from 1 % to 2 % at 25 % weight, 200 requests a second, a
/// look every second up to 6,000 canary requests, α = 0.005.
#[must_use]
pub fn doubled(runs: u32, seed: u64) -> Figure {
    rate_ratio(&DOUBLED, 0.005, runs, seed)
}

/// Half of the canary's requests fail at 10 % weight, none of stable's; 200
/// requests a second, a look every 250 ms for 10 s, α = 0.005.
#[must_use]
pub fn broken(runs: u32, seed: u64) -> Figure {
    rate_ratio(&BROKEN, 0.005, runs, seed)
}

/// The scenario of [`a_a`].
pub const A_A: Scenario = Scenario {
    name: "a/a, five stages",
    seconds: 300,
    looks: 1,
    rps: |_| 200.0,
    weight: stages,
    stable: |_| 0.01,
    canary: |_| 0.01,
};

/// The scenario of [`doubled`].
pub const DOUBLED: Scenario = Scenario {
    name: "errors doubled, 1 % to 2 % at 25 %",
    seconds: 120,
    looks: 1,
    rps: |_| 200.0,
    weight: |_| 0.25,
    stable: |_| 0.01,
    canary: |_| 0.02,
};

/// The scenario of [`broken`].
pub const BROKEN: Scenario = Scenario {
    name: "canary half broken at 10 %",
    seconds: 10,
    looks: 4,
    rps: |_| 200.0,
    weight: |_| 0.1,
    stable: |_| 0.0,
    canary: |_| 0.5,
};

/// Weight at second `t`: 5, 10, 25, 50, 75 %, a minute each.
#[must_use]
pub fn stages(t: f64) -> f64 {
    match t {
        t if t < 60.0 => 0.05,
        t if t < 120.0 => 0.10,
        t if t < 180.0 => 0.25,
        t if t < 240.0 => 0.50,
        _ => 0.75,
    }
}

fn simulate<T>(
    scenario: &Scenario,
    runs: u32,
    seed: u64,
    fresh: impl Fn() -> T,
    mut look: impl FnMut(&mut T, Count, Count) -> bool,
) -> Figure {
    let mut seeds = Rng::new(seed);
    let mut stopped = Vec::new();
    for _ in 0..runs {
        let mut rng = Rng::new(seeds.next_u64());
        let mut test = fresh();
        if let Some(stop) = release(scenario, &mut rng, |canary, stable| {
            look(&mut test, canary, stable)
        }) {
            stopped.push(stop);
        }
    }
    let mut requests: Vec<u64> = stopped.iter().map(|stop| stop.0).collect();
    let mut seconds: Vec<f64> = stopped.iter().map(|stop| stop.1).collect();
    requests.sort_unstable();
    seconds.sort_unstable_by(f64::total_cmp);
    Figure {
        name: scenario.name,
        runs,
        rejected: stopped.len() as u32,
        requests,
        seconds,
    }
}

/// One release; where it was rejected: (canary requests, seconds).
fn release(
    scenario: &Scenario,
    rng: &mut Rng,
    mut look: impl FnMut(Count, Count) -> bool,
) -> Option<(u64, f64)> {
    let looks = scenario.looks.max(1);
    let span = 1.0 / f64::from(looks);
    let (mut served, mut owed) = (0, 0.0);
    for window in 0..scenario.seconds.saturating_mul(looks) {
        let t = f64::from(window) * span;
        owed += (scenario.rps)(t) * span;
        let total = owed as u64;
        owed -= total as f64;
        let canary_n = rng.binomial(total, (scenario.weight)(t));
        let canary = drawn(rng, canary_n, (scenario.canary)(t));
        let stable = drawn(rng, total - canary_n, (scenario.stable)(t));
        served += canary_n;
        if look(canary, stable) {
            return Some((served, t + span));
        }
    }
    None
}

fn drawn(rng: &mut Rng, n: u64, rate: f64) -> Count {
    Count::new(n, rng.binomial(n, rate)).unwrap_or(Count::ZERO)
}

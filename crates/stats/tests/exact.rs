//! Guarantees checked by summing over every outcome, not by simulation: an
//! e-process has mean one under the null, and a bound misses with probability
//! at most alpha over all looks.

use gonogo_stats::{Count, LimitTest, RateRatioTest, lower, upper};

fn count(n: u64, events: u64) -> Count {
    Count::new(n, events).expect("the table is right")
}

fn choose(n: u64, k: u64) -> f64 {
    (0..k).fold(1.0, |product, i| product * (n - i) as f64 / (i + 1) as f64)
}

fn binomial(n: u64, k: u64, p: f64) -> f64 {
    choose(n, k) * p.powf(k as f64) * (1.0 - p).powf((n - k) as f64)
}

/// Windows `(canary exposures, stable exposures, events)`, of changing share.
const WINDOWS: [(u64, u64, u64); 4] = [(5, 95, 3), (40, 60, 4), (90, 10, 2), (7, 7, 5)];

/// Mean e-value after `windows`, given `chance(n_c, n_s, k, k_c)`.
fn mean_ratio_e(
    windows: &[(u64, u64, u64)],
    test: RateRatioTest,
    chance: &dyn Fn(u64, u64, u64, u64) -> f64,
) -> f64 {
    let Some((&(n_c, n_s, k), rest)) = windows.split_first() else {
        return test.log_e().exp();
    };
    (0..=k.min(n_c))
        .filter(|k_c| k - k_c <= n_s)
        .map(|k_c| {
            let mut next = test;
            next.observe(count(n_c, k_c), count(n_s, k - k_c));
            chance(n_c, n_s, k, k_c) * mean_ratio_e(rest, next, chance)
        })
        .sum()
}

#[test]
fn ratio_e_has_mean_one_for_equal_poisson_rates() {
    let mean = mean_ratio_e(&WINDOWS, RateRatioTest::new(), &|n_c, n_s, k, k_c| {
        binomial(k, k_c, n_c as f64 / (n_c + n_s) as f64)
    });
    // Every window leaves every split possible, so the sum is whole.
    assert!((mean - 1.0).abs() < 1e-12, "{mean}");
}

#[test]
fn ratio_e_has_mean_at_most_one_for_equal_bernoulli_rates() {
    let hypergeometric =
        |n_c, n_s, k, k_c| choose(n_c, k_c) * choose(n_s, k - k_c) / choose(n_c + n_s, k);
    let mean = mean_ratio_e(&WINDOWS, RateRatioTest::new(), &hypergeometric);
    assert!(mean < 1.0 && mean > 0.3, "{mean}");
    // Few events among many requests: Bernoulli is all but Poisson.
    let large = [(5_000, 95_000, 2), (40_000, 60_000, 3)];
    let mean = mean_ratio_e(&large, RateRatioTest::new(), &hypergeometric);
    assert!(mean <= 1.0 && mean > 0.999, "{mean}");
}

#[test]
fn ratio_e_has_mean_below_one_for_a_better_canary() {
    for theta in [0.2, 0.7, 0.95] {
        let mean = mean_ratio_e(&WINDOWS, RateRatioTest::new(), &|n_c, n_s, k, k_c| {
            let odds = theta * n_c as f64;
            binomial(k, k_c, odds / (odds + n_s as f64))
        });
        assert!(mean < 1.0, "{theta}: {mean}");
    }
}

#[test]
fn ratio_e_has_mean_above_one_for_a_worse_canary() {
    let mean = mean_ratio_e(&WINDOWS, RateRatioTest::new(), &|n_c, n_s, k, k_c| {
        let odds = 3.0 * n_c as f64;
        binomial(k, k_c, odds / (odds + n_s as f64))
    });
    assert!(mean > 2.0, "{mean}");
}

fn mean_limit_e(windows: &[(u64, f64)], test: LimitTest) -> f64 {
    let Some((&(n, rate), rest)) = windows.split_first() else {
        return test.log_e().exp();
    };
    (0..=n)
        .map(|k| {
            let mut next = test;
            next.observe(count(n, k));
            binomial(n, k, rate) * mean_limit_e(rest, next)
        })
        .sum()
}

#[test]
fn limit_e_has_mean_one_at_the_limit_and_less_below() {
    for limit in [0.01, 0.3, 0.9] {
        let mean = |path: [f64; 4]| {
            let windows = [(1, path[0]), (6, path[1]), (3, path[2]), (10, path[3])];
            mean_limit_e(&windows, LimitTest::new(limit).unwrap())
        };
        let at = mean([limit; 4]);
        assert!((at - 1.0).abs() < 1e-11, "{limit}: {at}");
        let below = mean([limit, limit / 2.0, limit, 0.0]);
        assert!(below < 1.0, "{limit}: {below}");
        let above = mean([limit, 0.5 + limit / 2.0, 0.5 + limit / 2.0, limit]);
        assert!(above > 1.0, "{limit}: {above}");
    }
}

/// Probability that `misses(n, k)` at some n up to `looks`, for rate `p`,
/// looking after every single exposure.
fn ever(looks: u64, p: f64, misses: impl Fn(u64, u64) -> bool) -> f64 {
    // alive[k]: probability of k events so far without a miss.
    let mut alive = vec![1.0];
    let mut missed = 0.0;
    for n in 1..=looks {
        let mut next = vec![0.0; n as usize + 1];
        for (k, mass) in alive.iter().enumerate() {
            next[k] += mass * (1.0 - p);
            next[k + 1] += mass * p;
        }
        for (k, mass) in next.iter_mut().enumerate() {
            // What is too unlikely to matter is counted as a miss, not skipped.
            if *mass > 0.0 && (*mass < 1e-12 || misses(n, k as u64)) {
                missed += *mass;
                *mass = 0.0;
            }
        }
        alive = next;
    }
    missed
}

#[test]
fn bounds_miss_with_probability_at_most_alpha_over_all_looks() {
    let alpha = 0.05;
    for p in [0.003, 0.02, 0.2, 0.7] {
        let over = ever(400, p, |n, k| {
            upper(count(n, k), alpha).unwrap().unwrap() < p
        });
        let under = ever(400, p, |n, k| {
            lower(count(n, k), alpha).unwrap().unwrap() > p
        });
        // Not vacuous: looking on would raise these towards alpha.
        assert!(over <= alpha && (over > 0.005 || p < 0.01), "{p}: {over}");
        assert!(under <= alpha && under > 0.005, "{p}: {under}");
    }
}

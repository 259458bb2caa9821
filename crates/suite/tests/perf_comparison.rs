//! Base against head: error rates under noise like that of a shared host, and everything that must not pass.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use gonogo_core::reason::Verdict;
use gonogo_core::{Reason, Span, Timestamp};
use gonogo_stats::sim::Rng;
use gonogo_suite::perf::{
    Demand, Direction, Measurement, Next, Outcome, PerfVerdict, Protocol, Sample, Side, Stage,
    judge, next, rederive,
};

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn empty(direction: Direction, seed: u64) -> Measurement {
    Measurement {
        schema: Measurement::SCHEMA.into(),
        metric: "cpu_time".into(),
        unit: "us".into(),
        direction,
        host_class: "x86_64 x2".into(),
        job: "job-1".into(),
        base_tree: "base".into(),
        head_tree: "head".into(),
        measured_at: NOW,
        seed,
        protocol: Protocol::default(),
        samples: Vec::new(),
    }
}

fn demand(direction: Direction) -> Demand {
    Demand {
        metric: "cpu_time".into(),
        direction,
        base_tree: "base".into(),
        head_tree: "head".into(),
        host_class: "x86_64 x2".into(),
        freshness: Span::from_secs(3600),
        judged_at: NOW.after(Span::from_secs(60)),
        protocol: Protocol::default(),
    }
}

/// Follows the protocol; `run` gives the figure of a run.
fn follow(mut m: Measurement, mut run: impl FnMut(Stage, Side) -> f64) -> Measurement {
    while let Next::Run { stage, order } = next(&m).unwrap() {
        let samples = order.into_iter().map(|side| Sample {
            stage,
            side,
            value: run(stage, side),
        });
        m.samples.extend(samples);
    }
    m
}

fn settled(m: &Measurement) -> PerfVerdict {
    judge(m, &demand(m.direction)).unwrap()
}

/// A host whose speed has two levels that change now and then, with jitter and bursts: what was seen on a virtual machine.
struct Host {
    rng: Rng,
    slow: bool,
    jitter: f64,
}

impl Host {
    fn new(seed: u64, jitter: f64) -> Self {
        Self {
            rng: Rng::new(seed),
            slow: false,
            jitter,
        }
    }

    fn run(&mut self, work: f64) -> f64 {
        if self.rng.unit() < 0.04 {
            self.slow = !self.slow;
        }
        let level = if self.slow { 1.12 } else { 1.0 };
        let noise: f64 = (0..12).map(|_| self.rng.unit()).sum::<f64>() - 6.0;
        let burst = if self.rng.unit() < 0.04 {
            1.0 + 0.5 * self.rng.unit()
        } else {
            1.0
        };
        work * level * (1.0 + self.jitter * noise).max(0.1) * burst
    }
}

/// Of `trials`, how many regressed, passed, and were held.
fn trials(trials: u64, ratio: f64, direction: Direction, jitter: f64) -> (u32, u32, u32) {
    let mut counts = (0, 0, 0);
    for n in 0..trials {
        let mut host = Host::new(9_000 + n, jitter);
        let m = follow(empty(direction, n), |_, side| {
            host.run(if side == Side::Head {
                10_000.0 * ratio
            } else {
                10_000.0
            })
        });
        let verdict = settled(&m);
        match verdict.verdict {
            Verdict::Fail => counts.0 += 1,
            Verdict::Pass => counts.1 += 1,
            _ => counts.2 += 1,
        }
    }
    counts
}

#[test]
fn error_rates_hold_on_a_noisy_host() {
    use Direction::{AtLeast, AtMost};
    let alike = trials(500, 1.0, AtMost, 0.02);
    assert!(
        alike.0 <= 1 && alike.1 >= 475,
        "(failed, passed, held) {alike:?}"
    );
    let slower = trials(300, 1.05, AtMost, 0.02);
    assert!(
        slower.0 >= 285 && slower.1 == 0,
        "(failed, passed, held) {slower:?}"
    );
    let faster = trials(100, 0.95, AtMost, 0.02);
    assert!(
        faster.0 == 0 && faster.1 >= 95,
        "(failed, passed, held) {faster:?}"
    );
    // Where more is better, the same figures mean the opposite.
    let less = trials(100, 0.95, AtLeast, 0.02);
    assert!(
        less.0 >= 95 && less.1 == 0,
        "(failed, passed, held) {less:?}"
    );
    let more = trials(100, 1.05, AtLeast, 0.02);
    assert!(
        more.0 == 0 && more.1 >= 95,
        "(failed, passed, held) {more:?}"
    );
}

#[test]
fn on_a_host_that_is_too_noisy_nothing_is_judged() {
    for ratio in [1.0, 1.05, 0.8] {
        let found = trials(30, ratio, Direction::AtMost, 0.25);
        assert!(found.2 >= 30, "{ratio}: (failed, passed, held) {found:?}");
    }
    let mut host = Host::new(1, 0.25);
    let verdict = settled(&follow(empty(Direction::AtMost, 1), |_, _| host.run(1e4)));
    assert_eq!(verdict.reasons, [Reason::PerfNoiseFloor]);
    assert_eq!(verdict.result, Outcome::Noise);
}

#[test]
fn a_cost_of_coming_first_is_seen_as_noise_and_not_as_a_change() {
    // The first run of each block takes 20 % more, whoever it is.
    let mut n = 0;
    let m = follow(empty(Direction::AtMost, 3), |_, _| {
        n += 1;
        if n % 4 == 1 { 1200.0 } else { 1000.0 }
    });
    let verdict = settled(&m);
    assert_eq!(verdict.verdict, Verdict::Hold, "{}", verdict.detail);
    assert_eq!(verdict.reasons, [Reason::PerfNoiseFloor]);
}

#[test]
fn a_steady_drift_is_no_change() {
    let mut t = 0.0;
    let m = follow(empty(Direction::AtMost, 4), |_, _| {
        t += 1.0;
        1000.0 * (1.0 + 0.002 * t)
    });
    let verdict = settled(&m);
    assert_eq!(verdict.result, Outcome::Same, "{}", verdict.detail);
}

#[test]
fn exact_figures_are_judged_exactly() {
    for (head, result) in [
        (1_000_000.0, Outcome::Same),
        (1_010_000.0, Outcome::Same),
        (1_030_000.0, Outcome::Regressed),
        (9_000_000.0, Outcome::Regressed),
        (990_000.0, Outcome::Same),
        (900_000.0, Outcome::Improved),
    ] {
        let m = follow(empty(Direction::AtMost, 5), |_, side| {
            if side == Side::Head {
                head
            } else {
                1_000_000.0
            }
        });
        let verdict = settled(&m);
        assert_eq!(verdict.result, result, "{head}: {}", verdict.detail);
        let blocks = if result == Outcome::Regressed { 20 } else { 10 };
        assert_eq!(m.samples.len(), 4 * blocks, "{head}");
    }
}

#[test]
fn a_regression_that_does_not_come_again_is_held_and_never_passed() {
    let m = follow(empty(Direction::AtMost, 6), |stage, side| {
        match (stage, side) {
            (Stage::First, Side::Head) => 1100.0,
            _ => 1000.0,
        }
    });
    let verdict = settled(&m);
    assert_eq!(verdict.reasons, [Reason::PerfUnconfirmed]);
    assert_eq!(
        (verdict.verdict, verdict.result),
        (Verdict::Hold, Outcome::Noise)
    );
    assert_eq!(verdict.stages.len(), 2);
}

#[test]
fn nothing_and_too_little_are_held() {
    let nothing = empty(Direction::AtMost, 7);
    let verdict = settled(&nothing);
    assert_eq!(verdict.reasons, [Reason::PerfInsufficient]);
    assert_eq!(
        (verdict.verdict, verdict.result),
        (Verdict::Hold, Outcome::Insufficient)
    );
    // Every whole number of blocks before the end; and a regression without its confirmation.
    let whole = follow(
        nothing,
        |_, side| if side == Side::Head { 1100.0 } else { 1000.0 },
    );
    assert_eq!(whole.samples.len(), 80);
    for blocks in 0..20 {
        let mut cut = whole.clone();
        cut.samples.truncate(4 * blocks);
        assert_eq!(
            settled(&cut).reasons,
            [Reason::PerfInsufficient],
            "{blocks}"
        );
        assert!(matches!(next(&cut), Ok(Next::Run { .. })), "{blocks}");
    }
}

#[test]
fn samples_that_the_protocol_did_not_ask_for_are_refused() {
    let good = follow(empty(Direction::AtMost, 8), |_, _| 1000.0);
    assert_eq!(settled(&good).verdict, Verdict::Pass);
    let broken = |change: &dyn Fn(&mut Measurement)| {
        let mut m = good.clone();
        change(&mut m);
        let verdict = settled(&m);
        assert_eq!(verdict.verdict, Verdict::Invalid, "{}", verdict.detail);
        assert_eq!(verdict.reasons, [Reason::PerfProtocolBroken]);
        assert_eq!(verdict.result, Outcome::Invalid);
    };
    // Measured on after the end, until it passes.
    broken(&|m| m.samples.extend_from_within(..4));
    broken(&|m| m.samples.extend_from_within(..));
    // Not interleaved: all of base, then all of head.
    broken(&|m| m.samples.sort_by_key(|s| s.side == Side::Head));
    broken(&|m| m.samples.swap(0, 1));
    broken(&|m| m.samples[3].stage = Stage::Confirm);
    broken(&|m| m.samples.truncate(7));
    broken(&|m| {
        m.samples.remove(0);
    });
    // Another seed has another order.
    broken(&|m| m.seed = 9);
    broken(&|m| m.seed = u64::MAX);
    // Laxer rules than those of the demand.
    broken(&|m| m.protocol.budget = 0.5);
    broken(&|m| m.protocol.looks = vec![10]);
    broken(&|m| {
        m.samples = m.samples.iter().copied().cycle().take(5000).collect();
    });
}

#[test]
fn figures_that_no_run_can_take_are_refused() {
    let good = follow(empty(Direction::AtMost, 9), |_, _| 1000.0);
    for bad in [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -1.0,
        0.0,
        -0.0,
        1e-310,
        1e300,
    ] {
        for at in [0, good.samples.len() - 1] {
            let mut m = good.clone();
            m.samples[at].value = bad;
            let verdict = settled(&m);
            assert_eq!(verdict.reasons, [Reason::PerfSampleInvalid], "{bad}");
            assert_eq!(verdict.verdict, Verdict::Invalid);
        }
    }
}

#[test]
fn what_is_stale_foreign_or_of_another_host_is_held() {
    let good = follow(empty(Direction::AtMost, 10), |_, _| 1000.0);
    let found = |change: &dyn Fn(&mut Demand)| {
        let mut d = demand(Direction::AtMost);
        change(&mut d);
        let verdict = judge(&good, &d).unwrap();
        assert_ne!(verdict.verdict, Verdict::Pass);
        assert!(verdict.stages.is_empty());
        verdict.reasons[0]
    };
    let late = NOW.after(Span::from_secs(3601));
    let early = Timestamp::from_millis(NOW.as_millis() - 301_000);
    assert_eq!(found(&|d| d.judged_at = late), Reason::EvidenceStale);
    assert_eq!(found(&|d| d.judged_at = early), Reason::EvidenceStale);
    assert_eq!(
        found(&|d| d.head_tree = "other".into()),
        Reason::EvidenceWrongTree
    );
    assert_eq!(
        found(&|d| d.base_tree = "other".into()),
        Reason::EvidenceWrongTree
    );
    assert_eq!(
        found(&|d| d.host_class = "arm64".into()),
        Reason::PerfHostMismatch
    );
    assert_eq!(
        found(&|d| d.metric = "wall".into()),
        Reason::EvidenceMissing
    );
    assert_eq!(
        found(&|d| d.direction = Direction::AtLeast),
        Reason::EvidenceMissing
    );
    let mut unnamed = good.clone();
    unnamed.head_tree.clear();
    let mut d = demand(Direction::AtMost);
    d.head_tree.clear();
    assert_eq!(
        judge(&unnamed, &d).unwrap().reasons,
        [Reason::EvidenceWrongTree]
    );
}

#[test]
fn a_tree_beside_itself_is_no_comparison() {
    let mut m = follow(empty(Direction::AtMost, 14), |_, _| 1000.0);
    m.head_tree = "base".into();
    let mut d = demand(Direction::AtMost);
    d.head_tree = "base".into();
    let verdict = judge(&m, &d).unwrap();
    assert_eq!(verdict.reasons, [Reason::BaselineIncomparable]);
    assert_eq!(verdict.verdict, Verdict::Hold);
    let unnamed = Measurement {
        job: String::new(),
        ..follow(empty(Direction::AtMost, 14), |_, _| 1000.0)
    };
    assert_eq!(settled(&unnamed).reasons, [Reason::PerfProtocolBroken]);
}

#[test]
fn the_same_samples_give_the_same_bytes_and_others_are_noticed() {
    let mut host = Host::new(77, 0.02);
    let m = follow(empty(Direction::AtMost, 11), |_, side| {
        host.run(if side == Side::Head { 1e4 } else { 1.05e4 })
    });
    let bytes = settled(&m).to_bytes().unwrap();
    for _ in 0..100 {
        assert_eq!(settled(&m).to_bytes().unwrap(), bytes);
    }
    let read = Measurement::parse(&gonogo_core::canonical::to_vec(&m).unwrap()).unwrap();
    assert_eq!(settled(&read).to_bytes().unwrap(), bytes);
    assert_eq!(rederive(&bytes).unwrap().to_bytes().unwrap(), bytes);
    let text = String::from_utf8(bytes).unwrap();
    for (from, to) in [
        ("\"verdict\":\"pass\"", "\"verdict\":\"excused\""),
        ("\"result\":\"improved\"", "\"result\":\"same\""),
        ("\"seed\":11", "\"seed\":12"),
        ("\"job\":\"job-1\"", "\"job\":\"job-1\",\"note\":1"),
        ("\"budget\":0.05", "\"budget\":0.06"),
    ] {
        assert!(text.contains(from), "{from}: {text}");
        let forged = text.replacen(from, to, 1);
        assert!(rederive(forged.as_bytes()).is_err(), "{from}");
    }
}

#[test]
fn stored_measurements_are_read_strictly() {
    let m = follow(empty(Direction::AtMost, 12), |_, _| 1000.5);
    let text = String::from_utf8(gonogo_core::canonical::to_vec(&m).unwrap()).unwrap();
    assert_eq!(Measurement::parse(text.as_bytes()), Ok(m));
    for (from, to) in [
        ("1000.5", "NaN"),
        ("1000.5", "null"),
        ("1000.5", "\"1000.5\""),
        ("1000.5", "1e999"),
        ("perf-samples.v1", "perf-samples.v2"),
        ("\"seed\":12", "\"seed\":12,\"seed\":13"),
        ("\"seed\":12", "\"seed\":9007199254740993"),
        ("\"seed\":12", "\"sead\":12"),
        ("\"side\":\"head\"", "\"side\":\"Head\""),
        ("\"direction\":\"<=\"", "\"direction\":\"<\""),
        ("\"metric\":\"cpu_time\",", ""),
    ] {
        assert!(text.contains(from), "{from}");
        let bad = text.replacen(from, to, 1);
        assert!(Measurement::parse(bad.as_bytes()).is_err(), "{from} {to}");
    }
    for bad in [
        &b""[..],
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        &text.as_bytes()[..200],
    ] {
        assert!(Measurement::parse(bad).is_err());
    }
}

#[test]
fn rules_that_mean_nothing_are_refused() {
    let good = Protocol::default;
    for bad in [
        Protocol {
            budget: 0.0,
            ..good()
        },
        Protocol {
            budget: f64::NAN,
            ..good()
        },
        Protocol {
            budget: 1.5,
            ..good()
        },
        Protocol {
            practical: 0.06,
            ..good()
        },
        Protocol {
            practical: f64::NAN,
            ..good()
        },
        Protocol {
            alpha: 0.0,
            ..good()
        },
        Protocol {
            alpha: 0.5,
            ..good()
        },
        Protocol {
            alpha: f64::NAN,
            ..good()
        },
        Protocol {
            looks: vec![],
            ..good()
        },
        Protocol {
            looks: vec![20, 10],
            ..good()
        },
        Protocol {
            looks: vec![20, 20],
            ..good()
        },
        // Four blocks have the probability 1/16 by chance alone.
        Protocol {
            looks: vec![4],
            ..good()
        },
        Protocol {
            looks: vec![10, 4_000_000_000],
            ..good()
        },
        Protocol {
            looks: (10..60).collect(),
            ..good()
        },
    ] {
        assert!(bad.check().is_err(), "{bad:?}");
        let mut m = empty(Direction::AtMost, 1);
        m.protocol = bad.clone();
        assert!(next(&m).is_err());
        let d = Demand {
            protocol: bad,
            ..demand(Direction::AtMost)
        };
        assert!(judge(&m, &d).is_err());
    }
    assert_eq!(good().check(), Ok(()));
}

#[test]
fn both_orders_occur_and_the_seed_fixes_them() {
    let order = |seed| match next(&empty(Direction::AtMost, seed)).unwrap() {
        Next::Run { order, .. } => order,
        Next::Judge => panic!("nothing is measured yet"),
    };
    assert_eq!(order(1), order(1));
    let first = |seed| order(seed).chunks(4).filter(|b| b[0] == Side::Base).count();
    let total: usize = (0..200).map(first).sum();
    assert!(
        (900..1100).contains(&total),
        "{total} of 2000 blocks begin with base"
    );
    let sound = |b: &[Side]| b[0] == b[3] && b[1] == b[2] && b[0] != b[1];
    assert!((0..50).all(|seed| order(seed).chunks(4).all(sound)));
}

#[test]
fn a_large_change_that_chance_explains_is_not_judged() {
    // Six blocks of ten are dearer, four a little cheaper: more than two per cent in the middle, and one time in twenty by chance.
    let mut m = empty(Direction::AtMost, 13);
    m.protocol.looks = vec![10];
    let mut runs = 0;
    let m = follow(m, |_, side| {
        runs += 1;
        match (side, (runs - 1) / 4 < 6) {
            (Side::Base, _) => 1000.0,
            (Side::Head, true) => 1060.0,
            (Side::Head, false) => 995.0,
        }
    });
    let mut d = demand(Direction::AtMost);
    d.protocol = m.protocol.clone();
    let verdict = judge(&m, &d).unwrap();
    let effect = verdict.stages[0].effect.unwrap();
    assert!(effect.change > 0.02 && effect.lower <= 0.0, "{effect:?}");
    assert!(effect.p_worse > 0.01 && effect.p_worse < 0.1, "{effect:?}");
    assert_eq!(verdict.reasons, [Reason::PerfUnproven]);
    assert_eq!(verdict.verdict, Verdict::Hold);
}

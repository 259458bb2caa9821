//! Judgements by table: counts in, verdict and reasons out.

use gonogo_core::{Reason, Share, Span, Timestamp, Verdict};
use gonogo_release::judge::{Mode, Unusable, Watch};
use gonogo_release::plan::PlanBody;
use gonogo_release::sample::{Sample, SlotCounts};
use gonogo_testkit::fixture;

use Reason::*;

const GENERATION: u64 = 9;

/// Requests, errors and slow requests of one side in a sample period.
type Side = (u64, u64, u64);

struct Feed {
    watch: Watch,
    plan: PlanBody,
    sample: Sample,
}

fn feed(from: Option<&str>) -> Feed {
    let plan = fixture::plan(from, "2.0.0", &[10]);
    let mut watch = Watch::new(&plan).expect("usable limits");
    watch.turn(GENERATION);
    let counts = |version: &str| SlotCounts {
        version: version.into(),
        ready: true,
        ..SlotCounts::default()
    };
    let mut sample = Sample {
        at: Timestamp::from_millis(0),
        boot: "b".into(),
        seq: 0,
        generation: GENERATION,
        slots: [(plan.slot.clone(), counts("2.0.0"))].into(),
        unrouted: 0,
    };
    if let Some(from) = from {
        sample.slots.insert("a".into(), counts(from));
    }
    Feed {
        watch,
        plan,
        sample,
    }
}

impl Feed {
    fn add(&mut self, canary: Side, stable: Side) -> Result<(), Unusable> {
        self.sample.seq += 1;
        let canary_slot = self.plan.slot.clone();
        for (slot, counts) in &mut self.sample.slots {
            let (n, errors, slow) = if *slot == canary_slot { canary } else { stable };
            counts.routed += n;
            counts.ok += n - errors;
            counts.server_errors += errors;
            counts.slow += slow;
        }
        self.watch.take(&self.sample, false)
    }

    fn canary(&mut self) -> &mut SlotCounts {
        self.sample
            .slots
            .get_mut(&self.plan.slot)
            .expect("the slot")
    }

    fn judge(&self, mode: Mode) -> (Verdict, Vec<Reason>) {
        let zero = Timestamp::from_millis(0);
        let judgement = self.watch.judge(&self.plan.checks, mode, zero, zero);
        (judgement.verdict, judgement.reasons)
    }
}

const TEN: Mode = Mode::Beside(Share::from_percent(10));

#[test]
fn beside_stable() {
    type Row = (
        &'static str,
        &'static [(Side, Side)],
        Verdict,
        &'static [Reason],
    );
    const GOOD: (Side, Side) = ((500, 1, 4), (4500, 9, 36));
    let rows: &[Row] = &[
        (
            "nothing",
            &[],
            Verdict::Hold,
            &[ShareUnproven, InsufficientSamples],
        ),
        (
            "a base line only",
            &[GOOD],
            Verdict::Hold,
            &[ShareUnproven, InsufficientSamples],
        ),
        (
            "zero traffic",
            &[((0, 0, 0), (0, 0, 0)); 9],
            Verdict::Hold,
            &[ShareUnproven, InsufficientSamples],
        ),
        (
            "good",
            &[GOOD; 4],
            Verdict::Pass,
            &[
                ShareAgrees,
                ErrorRateNonInferior,
                SlowShareNonInferior,
                ClientErrorsNonInferior,
            ],
        ),
        (
            "few",
            &[((9, 0, 0), (81, 0, 0)); 4],
            Verdict::Hold,
            &[InsufficientSamples],
        ),
        (
            "stable silent",
            &[((500, 0, 0), (0, 0, 0)); 4],
            Verdict::Hold,
            &[ShareMismatch, NotProven],
        ),
        (
            "canary silent",
            &[((0, 0, 0), (500, 0, 0)); 4],
            Verdict::Hold,
            &[ShareMismatch, InsufficientSamples],
        ),
        (
            "errors",
            &[GOOD, ((500, 60, 4), (4500, 9, 36))],
            Verdict::Fail,
            &[ErrorRateWorse, ErrorRateOverLimit],
        ),
        (
            "slow",
            &[GOOD, ((500, 1, 150), (4500, 9, 36))],
            Verdict::Fail,
            &[SlowShareWorse, SlowShareOverLimit],
        ),
        (
            "slow and never ending",
            &[GOOD, ((0, 0, 150), (4500, 9, 36))],
            Verdict::Fail,
            &[SlowShareWorse, SlowShareOverLimit],
        ),
        (
            "both bad",
            &[((500, 60, 4), (4500, 540, 36)); 3],
            Verdict::Fail,
            &[ErrorRateOverLimit],
        ),
        (
            "a little worse",
            &[
                ((60, 1, 0), (540, 0, 0)),
                ((60, 1, 0), (540, 0, 0)),
                ((60, 0, 0), (540, 0, 0)),
            ],
            Verdict::Hold,
            &[NotProven, InsufficientSamples],
        ),
        (
            "too much traffic",
            &[((1500, 3, 9), (3500, 7, 21)); 4],
            Verdict::Hold,
            &[ShareMismatch],
        ),
    ];
    for (name, samples, verdict, reasons) in rows {
        let mut feed = feed(Some("1.0.0"));
        for (canary, stable) in *samples {
            feed.add(*canary, *stable).unwrap();
        }
        assert_eq!(feed.judge(TEN), (*verdict, reasons.to_vec()), "{name}");
    }
}

/// Client errors of the canary and of stable among 1,000 and 9,000 requests, four times; as a version that answers 404, or
/// that clients leave because it does not answer.
#[test]
fn client_errors_are_compared_with_stable() {
    let judged = |from: Option<&str>, mode: Mode, canary: u64, stable: u64| {
        let mut feed = feed(from);
        for _ in 0..4 {
            let slot = feed.plan.slot.clone();
            for (name, counts) in &mut feed.sample.slots {
                let (n, blamed) = if *name == slot {
                    (1000, canary)
                } else {
                    (9000, stable)
                };
                counts.routed += n;
                counts.ok += n - blamed;
                counts.client_errors += blamed;
            }
            feed.sample.seq += 1;
            feed.watch.take(&feed.sample, false).unwrap();
        }
        feed.judge(mode)
    };
    let beside = |canary, stable| judged(Some("1.0.0"), TEN, canary, stable);
    assert_eq!(
        beside(1000, 0),
        (
            Verdict::Fail,
            vec![ClientErrorsWorse, ClientErrorsOverLimit]
        )
    );
    assert_eq!(beside(200, 450), (Verdict::Fail, vec![ClientErrorsWorse]));
    // What stable gets, too, is the clients' business.
    let (verdict, reasons) = beside(200, 1800);
    assert_eq!(verdict, Verdict::Pass, "{reasons:?}");
    assert!(reasons.contains(&ClientErrorsNonInferior));
    // From nothing and after promotion there is nobody to compare with.
    assert_eq!(
        judged(None, Mode::Alone, 900, 0),
        (Verdict::Fail, vec![ClientErrorsOverLimit])
    );
    assert_eq!(judged(None, Mode::Alone, 300, 0).0, Verdict::Pass);
}

#[test]
fn alone_and_at_promotion() {
    type Row = (
        &'static str,
        Mode,
        &'static [Side],
        Verdict,
        &'static [Reason],
    );
    let rows: &[Row] = &[
        (
            "promoted, no traffic",
            Mode::Promote,
            &[(0, 0, 0); 5],
            Verdict::Hold,
            &[ShareUnproven],
        ),
        (
            "promoted",
            Mode::Promote,
            &[(50, 0, 0); 2],
            Verdict::Pass,
            &[ShareAgrees],
        ),
        (
            "alone, no traffic",
            Mode::Alone,
            &[(0, 0, 0); 5],
            Verdict::Hold,
            &[InsufficientSamples],
        ),
        (
            "alone, good",
            Mode::Alone,
            &[(1000, 3, 9); 3],
            Verdict::Pass,
            &[
                ErrorRateWithinLimit,
                SlowShareWithinLimit,
                ClientErrorsWithinLimit,
            ],
        ),
        (
            "alone, at the limit",
            Mode::Alone,
            &[(1000, 20, 9); 3],
            Verdict::Hold,
            &[NotProven],
        ),
        (
            "alone, bad",
            Mode::Alone,
            &[(1000, 80, 9); 2],
            Verdict::Fail,
            &[ErrorRateOverLimit],
        ),
        (
            "alone, slow",
            Mode::Alone,
            &[(1000, 0, 300); 2],
            Verdict::Fail,
            &[SlowShareOverLimit],
        ),
    ];
    for (name, mode, samples, verdict, reasons) in rows {
        let mut feed = feed(None);
        for canary in *samples {
            feed.add(*canary, (0, 0, 0)).unwrap();
        }
        assert_eq!(feed.judge(*mode), (*verdict, reasons.to_vec()), "{name}");
    }
}

#[test]
fn bake_holds_a_pass_and_no_failure() {
    let mut feed = feed(None);
    feed.add((1000, 0, 0), (0, 0, 0)).unwrap();
    feed.add((1000, 0, 0), (0, 0, 0)).unwrap();
    let now = Timestamp::from_millis(0);
    let bake = now.after(Span::from_secs(1));
    let judgement = feed.watch.judge(&feed.plan.checks, Mode::Alone, now, bake);
    assert_eq!(
        (judgement.verdict, judgement.reasons),
        (Verdict::Hold, vec![BakeRunning])
    );
    feed.canary().exits = 1;
    feed.add((1, 0, 0), (0, 0, 0)).unwrap();
    let judgement = feed.watch.judge(&feed.plan.checks, Mode::Alone, now, bake);
    assert_eq!(
        (judgement.verdict, judgement.reasons),
        (Verdict::Fail, vec![VersionExited])
    );
}

#[test]
fn settings_that_cannot_judge_never_pass() {
    // The machine refuses such plans before it begins; the judge fails or holds on them all the same.
    type Spoil = fn(&mut PlanBody);
    let spoils: &[(&str, Spoil)] = &[
        ("alpha_abort 0", |p| p.checks.alpha_abort = Share::ZERO),
        ("alpha_abort 100", |p| p.checks.alpha_abort = Share::FULL),
        ("alpha_promote 0", |p| p.checks.alpha_promote = Share::ZERO),
        ("alpha_promote 100", |p| {
            p.checks.alpha_promote = Share::FULL
        }),
        ("margin 0", |p| p.checks.errors.margin = Share::ZERO),
        ("margin 100", |p| p.checks.slow.margin = Share::FULL),
    ];
    for (name, spoil) in spoils {
        let mut feed = feed(Some("1.0.0"));
        spoil(&mut feed.plan);
        for _ in 0..4 {
            feed.add((500, 0, 0), (4500, 0, 0)).unwrap();
        }
        if *name != "alpha_abort 100" {
            assert_ne!(feed.judge(TEN).0, Verdict::Pass, "{name}");
        }
        assert!(
            gonogo_release::plan::unsound(&feed.plan).is_some(),
            "{name}"
        );
    }
    for limit in [Share::ZERO, Share::FULL] {
        let mut plan = fixture::plan(Some("1.0.0"), "2.0.0", &[10]);
        plan.checks.errors.limit = limit;
        assert!(Watch::new(&plan).is_none());
        assert!(gonogo_release::plan::unsound(&plan).is_some());
    }
}

#[test]
fn unusable_samples_change_nothing() {
    type Spoil = fn(&mut Feed);
    let spoils: &[(&str, Spoil)] = &[
        ("the same reading", |f| f.sample.seq -= 1),
        ("counts went down", |f| f.canary().ok -= 1),
        ("exits went down", |f| f.canary().exits = 0),
        ("another version", |f| f.canary().version = "3".into()),
        ("another stable", |f| {
            f.sample.slots.get_mut("a").unwrap().version = "3".into()
        }),
        ("slot gone", |f| drop(f.sample.slots.remove("b"))),
        ("stable gone", |f| drop(f.sample.slots.remove("a"))),
        ("newer generation", |f| f.sample.generation += 1),
        ("older generation", |f| f.sample.generation -= 1),
        ("more ended than begun", |f| f.canary().ok += 9999),
        ("beyond 2^53", |f| f.canary().routed = 1 << 53),
        ("sums overflow", |f| f.canary().server_errors = u64::MAX),
        ("an old life", |f| f.sample.boot = "a".into()),
    ];
    for (name, spoil) in spoils {
        let mut feed = feed(Some("1.0.0"));
        feed.sample.boot = "a".into();
        feed.add((10, 0, 0), (90, 0, 0)).unwrap();
        feed.sample.boot = "b".into();
        feed.canary().exits = 1;
        feed.add((10, 0, 0), (90, 0, 0)).unwrap();
        let before = feed.watch.clone();
        feed.sample.seq += 1;
        spoil(&mut feed);
        let refused = feed.watch.take(&feed.sample, false);
        assert!(refused.is_err(), "{name}");
        assert_eq!(feed.watch, before, "{name}");
    }
}

#[test]
fn lost_counters_begin_again_and_count_once() {
    let mut feed = feed(Some("1.0.0"));
    for _ in 0..2 {
        feed.add((500, 1, 4), (4500, 9, 36)).unwrap();
    }
    feed.sample.boot = "c".into();
    for counts in feed.sample.slots.values_mut() {
        *counts = SlotCounts {
            version: counts.version.clone(),
            ready: true,
            ..SlotCounts::default()
        };
    }
    feed.sample.seq = 0;
    feed.add((300, 1, 2), (2700, 5, 20)).unwrap();
    let numbers = feed.watch.numbers(&feed.plan.checks, TEN);
    assert_eq!(numbers["canary"]["requests"], 1300);
    assert_eq!(numbers["canary"]["errors"], 3);
    // The first sample tells only where stable stands.
    assert_eq!(numbers["stable"]["requests"], 4500 + 2700);
    assert_eq!(numbers["counter_restarts"], 1);
}

//! The release machine itself under the driver, against the target in memory with traffic.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gonogo_core::clock::SystemClock;
use gonogo_core::{Clock, Span, Timestamp};
use gonogo_engine::{Driver, MemoryEvidence, Notice};
use gonogo_release::machine::Ending;
use gonogo_release::plan::PlanBody;
use gonogo_release::{Action, Input, Machine, Observed, Outcome, Plan, Sample, SlotCounts, replay};
use gonogo_store::Store;
use gonogo_target::memory::MemoryTarget;
use gonogo_target::{Call, Target};
use gonogo_testkit::fixture;

use crate::world::{check, driver, submit};

/// A target in memory with traffic: every sample finds new requests.
struct Busy {
    memory: MemoryTarget,
    /// Errors of slot `b` between two samples.
    errors: u64,
}

impl Target for Busy {
    fn call(&self, call: &Call) -> Outcome {
        self.memory.call(call)
    }

    fn sample(&self, deadline: Span) -> Result<Sample, String> {
        self.memory.set_now(SystemClock::default().now().wall);
        self.memory.spread(4_000);
        let weighed = self.memory.sample(deadline)?.slots;
        if weighed.get("b").is_some_and(|s| s.weight > 0) {
            let served = SlotCounts {
                routed: self.errors,
                server_errors: self.errors,
                ..SlotCounts::default()
            };
            self.memory.serve("b", &served);
        }
        self.memory.sample(deadline)
    }
}

/// A target that serves `1.0` from slot `a`, and a plan for `2.0` made against it.
fn world(errors: u64) -> (Driver, Arc<MemoryEvidence>, Plan) {
    let memory = MemoryTarget::new();
    let call = |key: &str, action| Call {
        key: key.into(),
        epoch: 0,
        deadline: Span::from_secs(1),
        action,
        version: Some(fixture::version("1.0")),
        slow_over: Some(Span::from_millis(250)),
    };
    let start = Action::Start {
        slot: "a".into(),
        version: "1.0".into(),
        content: fixture::version("1.0").content().unwrap(),
    };
    memory.call(&call("start", start));
    let weigh = Action::Weigh {
        weights: BTreeMap::from([("a".to_owned(), 10_000)]),
        expect: 1,
    };
    memory.call(&call("weigh", weigh));
    let Outcome::Applied {
        observed: Some(base),
        ..
    } = memory.call(&call("look", Action::Observe))
    else {
        panic!("the target does not say what it serves");
    };
    let plan = plan(base);
    let evidence = Arc::new(MemoryEvidence::default());
    let store = Store::in_memory().unwrap();
    let mut driver = driver(store, Busy { memory, errors }, MemoryEvidence::default());
    driver.evidence = evidence.clone();
    (driver, evidence, plan)
}

fn plan(base: Observed) -> Plan {
    let mut body: PlanBody = fixture::plan(Some("1.0"), "2.0", &[50]);
    body.base = base;
    body.strategy.sample_every = Span::from_millis(20);
    body.strategy.soak = Span::from_millis(60);
    for stage in &mut body.strategy.stages {
        stage.bake = Span::from_millis(60);
    }
    body.steps =
        gonogo_release::plan::resolve(body.from.as_ref(), &body.to, &body.slot, &body.strategy);
    body.budget = gonogo_release::plan::Budget::of(body.strategy.sample_every);
    Plan::seal(
        body,
        "ada".into(),
        Timestamp::from_millis(1_000),
        "gonogo.toml",
    )
    .unwrap()
}

fn replayed(evidence: &MemoryEvidence, plan: &Plan, id: &gonogo_core::id::OperationId) {
    let drafts = evidence.drafts();
    let records = drafts.iter().map(|d| (d.kind.as_str(), &d.body));
    let again = replay::replay(id.clone(), Arc::new(plan.body.clone()), records).unwrap();
    assert!(again.ended && again.answers > 0);
}

#[test]
fn a_healthy_version_is_promoted_and_the_evidence_replays() {
    let (driver, evidence, plan) = world(0);
    let id = submit(&driver.store, &plan, 1);
    let terminal = driver.drive(&id, &|_| {}).unwrap().unwrap();
    assert_eq!(terminal.result, Ending::Promoted, "{terminal:?}");
    check::<Machine>(&driver.store, &id, &evidence.drafts(), &[]);
    replayed(&evidence, &plan, &id);
    let good = driver.store.known_good("local", 10).unwrap();
    assert_eq!((good.len(), good[0].version.as_str()), (1, "2.0"));
    assert_eq!(good[0].content, plan.body.to.content().unwrap());
}

#[test]
fn a_failing_version_is_rolled_back_and_is_not_known_good() {
    let (driver, evidence, plan) = world(400);
    let id = submit(&driver.store, &plan, 1);
    let terminal = driver.drive(&id, &|_| {}).unwrap().unwrap();
    assert_eq!(terminal.result, Ending::RolledBack, "{terminal:?}");
    check::<Machine>(&driver.store, &id, &evidence.drafts(), &[]);
    replayed(&evidence, &plan, &id);
    assert_eq!(driver.store.known_good("local", 10).unwrap(), []);
    let sample = driver.target.sample(Span::from_secs(1)).unwrap();
    assert_eq!(sample.slots["a"].weight, 10_000);
}

#[test]
fn a_driver_that_ends_after_every_act_still_promotes() {
    let (driver, evidence, plan) = world(0);
    let id = submit(&driver.store, &plan, 1);
    let lives = Cell::new(0);
    let terminal = loop {
        driver.stop.store(false, Ordering::Relaxed);
        lives.set(lives.get() + 1);
        assert!(lives.get() < 1_000, "no progress over a thousand lives");
        let result = driver.drive(&id, &|p| {
            // In turn right after sending, so that the outcome is lost, and right after an outcome. A probe is let through:
            // a driver that ends at every probe never settles anything, and asks for a person.
            let end = match &p.notice {
                Notice::Sent { act, .. } => {
                    !matches!(act.action, Action::Probe { .. }) && lives.get() % 2 == 0
                }
                Notice::Stepped { input, .. } => {
                    let known = |r: &Outcome| !matches!(r, Outcome::Unknown { .. });
                    matches!(input, Input::Done { result, .. } if known(result))
                        && lives.get() % 2 == 1
                }
                _ => false,
            };
            if end {
                driver.stop.store(true, Ordering::Relaxed);
            }
        });
        if let Some(terminal) = result.unwrap() {
            break terminal;
        }
    };
    assert_eq!(terminal.result, Ending::Promoted, "{terminal:?}");
    assert!(lives.get() > 8, "{} lives", lives.get());
    check::<Machine>(&driver.store, &id, &evidence.drafts(), &[]);
    replayed(&evidence, &plan, &id);
}

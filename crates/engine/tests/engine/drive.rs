//! The driver's loop: stalls, deadlines, inputs of other processes, samples, clocks, refusals, and the real machine.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use gonogo_core::clock::SystemClock;
use gonogo_core::{Clock, Now, Reason, Span, Timestamp};
use gonogo_engine::{Draft, DriveError, Evidence, EvidenceError, MemoryEvidence, Notice};
use gonogo_release::machine::Ending;
use gonogo_release::{Action, Input, Outcome, Sample};
use gonogo_store::{OutboxState, Store, StoreError};
use gonogo_target::{Call, Target};

use crate::toy::Toy;
use crate::world::{
    FileEvidence, FileTarget, check, driver, evidence_log, operation, submit, target_log, toy_plan,
    until,
};

/// A target in memory that answers as told and remembers its calls.
struct Scripted<F> {
    calls: Mutex<Vec<Call>>,
    samples: AtomicU64,
    answer: F,
}

impl<F: Fn(&Call) -> Outcome + Send + Sync> Scripted<F> {
    fn new(answer: F) -> Self {
        Self {
            calls: Mutex::new(Vec::new()),
            samples: AtomicU64::new(0),
            answer,
        }
    }

    fn keys(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        calls.iter().map(|c| c.key.clone()).collect()
    }
}

impl<F: Fn(&Call) -> Outcome + Send + Sync> Target for Scripted<F> {
    fn call(&self, call: &Call) -> Outcome {
        self.calls.lock().unwrap().push(call.clone());
        (self.answer)(call)
    }

    /// Every second sample fails; the first holds a number that cannot be recorded.
    fn sample(&self, _deadline: Span) -> Result<Sample, String> {
        let n = self.samples.fetch_add(1, Ordering::SeqCst);
        if n % 2 == 1 {
            return Err("no answer".into());
        }
        Ok(Sample {
            at: Timestamp::from_millis(0),
            boot: "boot".into(),
            seq: if n == 0 { u64::MAX } else { n },
            generation: 1,
            slots: BTreeMap::new(),
            unrouted: 0,
        })
    }
}

fn applied() -> Outcome {
    Outcome::Applied {
        generation: 1,
        observed: None,
        cut: 0,
    }
}

/// Evidence that has no space until `space` is set.
struct Full {
    space: AtomicBool,
    kept: MemoryEvidence,
}

impl Evidence for Full {
    fn append(&self, drafts: Vec<Draft>) -> Result<(), EvidenceError> {
        if self.space.load(Ordering::SeqCst) {
            self.kept.append(drafts)
        } else {
            Err(EvidenceError::Full("evidence.log".into()))
        }
    }
}

#[test]
fn without_space_for_evidence_nothing_is_sent_and_nothing_is_lost() {
    let store = Store::in_memory().unwrap();
    let id = submit(&store, &toy_plan(2, |_| {}), 1);
    let target = Arc::new(Scripted::new(|_| applied()));
    let evidence = Arc::new(Full {
        space: AtomicBool::new(false),
        kept: MemoryEvidence::default(),
    });
    let mut driver = driver(
        store,
        FileTarget::new(std::path::Path::new("/")),
        MemoryEvidence::default(),
    );
    driver.target = target.clone();
    driver.evidence = evidence.clone();
    let stalls = Cell::new(0);
    let recovered = Cell::new(0);
    let terminal = driver.drive_core::<Toy>(&id, &|p| match &p.notice {
        Notice::Stalled { reason, .. } => {
            assert_eq!(*reason, Reason::StoreFull);
            assert!(target.keys().is_empty(), "sent without evidence");
            let row = &driver.store.outbox(&id).unwrap()[0];
            assert_eq!(row.state, OutboxState::Ready);
            stalls.set(stalls.get() + 1);
            if stalls.get() == 3 {
                evidence.space.store(true, Ordering::SeqCst);
            }
        }
        Notice::Recovered => recovered.set(recovered.get() + 1),
        _ => {}
    });
    assert!(terminal.unwrap().is_some());
    assert_eq!((stalls.get(), recovered.get()), (3, 1));
    check::<Toy>(&driver.store, &id, &evidence.kept.drafts(), &[]);
}

#[test]
fn evidence_that_fails_ends_the_drive_and_the_next_one_completes_it() {
    struct Broken;
    impl Evidence for Broken {
        fn append(&self, _: Vec<Draft>) -> Result<(), EvidenceError> {
            Err(EvidenceError::Failed("no such key".into()))
        }
    }
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let store = Store::open(dir).unwrap();
    let id = submit(&store, &toy_plan(2, |_| {}), 1);
    let mut driver = driver(store, FileTarget::new(dir), Broken);
    let failed = driver.drive_core::<Toy>(&id, &|_| {});
    assert!(
        matches!(failed, Err(DriveError::Evidence { .. })),
        "{failed:?}"
    );
    assert!(target_log(dir).is_empty());
    driver.evidence = Arc::new(FileEvidence::new(dir));
    assert!(driver.drive_core::<Toy>(&id, &|_| {}).unwrap().is_some());
    check::<Toy>(&driver.store, &id, &evidence_log(dir), &target_log(dir));
}

#[test]
fn an_ended_operation_without_its_evidence_is_not_finished() {
    struct UntilTheResult(MemoryEvidence);
    impl Evidence for UntilTheResult {
        fn append(&self, drafts: Vec<Draft>) -> Result<(), EvidenceError> {
            if drafts.iter().any(|d| d.kind == "result") {
                return Err(EvidenceError::SyncFailed("injected".into()));
            }
            self.0.append(drafts)
        }
    }
    let store = Store::in_memory().unwrap();
    let id = submit(&store, &toy_plan(2, |_| {}), 1);
    let broken = Arc::new(UntilTheResult(MemoryEvidence::default()));
    let mut driver = driver(
        store,
        Scripted::new(|_: &Call| applied()),
        MemoryEvidence::default(),
    );
    driver.evidence = broken.clone();
    let failed = driver.drive_core::<Toy>(&id, &|_| {}).unwrap_err();
    assert_eq!(failed.reason(), Reason::StoreSyncFailed);
    let open = driver.store.open_operations().unwrap();
    assert_eq!((open.len(), &open[0].operation.id), (1, &id));
    assert!(open[0].operation.terminal.is_some());
    let mut drafts = broken.0.drafts();
    let rest = Arc::new(MemoryEvidence::default());
    driver.evidence = rest.clone();
    assert!(driver.drive_core::<Toy>(&id, &|_| {}).unwrap().is_some());
    assert_eq!(driver.store.open_operations().unwrap(), []);
    drafts.extend(rest.drafts());
    check::<Toy>(&driver.store, &id, &drafts, &[]);
}

#[test]
fn a_call_that_outlives_its_deadline_is_unknown_and_its_late_answer_is_not_heard() {
    let store = Store::in_memory().unwrap();
    let plan = toy_plan(3, |p| p.strategy.promote_within = Span::from_millis(80));
    let id = submit(&store, &plan, 1);
    let (probed, wait) = channel();
    let (probed, wait) = (Mutex::new(Some(probed)), Mutex::new(wait));
    let first = format!("{id}/step/1");
    let epochs = Arc::new(Mutex::new(Vec::new()));
    let seen = epochs.clone();
    let target = Arc::new(Scripted::new(move |call: &Call| {
        let probe = matches!(call.action, Action::Probe { .. });
        seen.lock().unwrap().push((probe, call.epoch));
        if probe {
            // Lets the first call answer, too late, while the operation goes on.
            drop(probed.lock().unwrap().take());
        } else if call.key == first {
            let nothing: Result<(), _> = wait.lock().unwrap().recv();
            nothing.unwrap_err();
        }
        applied()
    }));
    let evidence = Arc::new(MemoryEvidence::default());
    let mut driver = driver(
        store,
        FileTarget::new(std::path::Path::new("/")),
        MemoryEvidence::default(),
    );
    driver.target = target.clone();
    driver.evidence = evidence.clone();
    let oldest = RefCell::new(None);
    let terminal = driver.drive_core::<Toy>(&id, &|p| {
        if matches!(p.notice, Notice::Sent { .. }) {
            oldest.borrow_mut().get_or_insert(p.oldest.clone().unwrap());
        }
    });
    assert_eq!(terminal.unwrap().unwrap().result, Ending::Promoted);
    let oldest = oldest.into_inner().unwrap();
    assert_eq!((oldest.id, oldest.deadline), (1, Span::from_millis(80)));
    let keys = target.keys();
    assert_eq!(keys.len(), 4, "three calls and one probe: {keys:?}");
    let events = driver.store.events(&id, 0, 100).unwrap();
    let unknown = |input: &Input| matches!(input, Input::Done { id: 1, result: Outcome::Unknown { text } } if text == "no answer within 80ms");
    let first = |input: &Input| matches!(input, Input::Done { id: 1, .. });
    assert_eq!(events.iter().filter(|e| unknown(&e.input)).count(), 1);
    assert_eq!(
        events.iter().filter(|e| first(&e.input)).count(),
        1,
        "one outcome for one act"
    );
    check::<Toy>(&driver.store, &id, &evidence.drafts(), &[]);
}

#[test]
fn another_process_can_cancel_and_not_after_the_end() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let store = Store::open(dir).unwrap();
    let id = submit(&store, &toy_plan(5, |_| {}), 1);
    let driver = driver(store, FileTarget::gated(dir), FileEvidence::new(dir));
    let other = Store::open(dir).unwrap();
    let cancel = Input::Cancel {
        by: "grace".into(),
        why: "wrong version".into(),
    };
    std::thread::scope(|scope| {
        let running = scope.spawn(|| driver.drive_core::<Toy>(&id, &|_| {}));
        until("the first call", || !target_log(dir).is_empty());
        other.post(&id, &cancel, Timestamp::from_millis(3)).unwrap();
        until("the cancel is journalled", || {
            let events = other.events(&id, 0, 100).unwrap();
            events.iter().any(|e| e.input == cancel)
        });
        std::fs::write(dir.join("gate"), "").unwrap();
        let terminal = running.join().unwrap().unwrap().unwrap();
        assert_eq!(terminal.result, Ending::Cancelled);
    });
    let by: Vec<_> = evidence_log(dir).into_iter().map(|d| d.actor).collect();
    assert_eq!(by.iter().filter(|a| *a == "grace").count(), 1);
    assert!(matches!(
        other.post(&id, &cancel, Timestamp::from_millis(4)),
        Err(StoreError::OperationEnded(op)) if op == id
    ));
    check::<Toy>(&other, &id, &evidence_log(dir), &target_log(dir));
}

#[test]
fn samples_come_at_the_period_and_bad_ones_are_misses() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let store = Store::open(dir).unwrap();
    let plan = toy_plan(1, |p| {
        p.strategy.name = "sampled".into();
        p.strategy.sample_every = Span::from_millis(10);
    });
    let id = submit(&store, &plan, 1);
    let gate = dir.join("gate");
    let target = Scripted::new(move |_: &Call| {
        until("the gate opens", || gate.exists());
        applied()
    });
    let evidence = Arc::new(MemoryEvidence::default());
    let mut driver = driver(store, target, MemoryEvidence::default());
    driver.evidence = evidence.clone();
    let good = Cell::new(0);
    let terminal = driver.drive_core::<Toy>(&id, &|p| {
        if let Notice::Stepped {
            input: Input::Sample { .. },
            ..
        } = p.notice
        {
            good.set(good.get() + 1);
            if good.get() == 5 {
                std::fs::write(dir.join("gate"), "").unwrap();
            }
        }
    });
    assert!(terminal.unwrap().is_some());
    let events = driver.store.events(&id, 0, 1000).unwrap();
    let texts: Vec<_> = events
        .iter()
        .filter_map(|e| match &e.input {
            Input::SampleMissed { text } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert!(texts[0].contains("cannot be recorded"), "{texts:?}");
    assert!(texts[1..].contains(&"no answer"), "{texts:?}");
    let at: Vec<_> = events
        .iter()
        .filter(|e| matches!(e.input, Input::Sample { .. }))
        .map(|e| e.at)
        .collect();
    let took = at[at.len() - 1].since(at[0]).as_millis();
    assert!(took >= 70, "4 times two periods took {took} ms");
    check::<Toy>(&driver.store, &id, &evidence.drafts(), &[]);
}

#[test]
fn a_wall_clock_that_jumps_is_told_and_not_followed() {
    struct Jumping {
        real: SystemClock,
        offset: Arc<AtomicI64>,
    }
    impl Clock for Jumping {
        fn now(&self) -> Now {
            let now = self.real.now();
            let wall = now.wall.as_millis() + self.offset.load(Ordering::SeqCst);
            Now {
                wall: Timestamp::from_millis(wall),
                ..now
            }
        }
    }
    let store = Store::in_memory().unwrap();
    let id = submit(&store, &toy_plan(6, |_| {}), 1);
    let offset = Arc::new(AtomicI64::new(0));
    let mut driver = driver(
        store,
        Scripted::new(|_: &Call| applied()),
        MemoryEvidence::default(),
    );
    driver.clock = Arc::new(Jumping {
        real: SystemClock::default(),
        offset: offset.clone(),
    });
    let jumps = RefCell::new(Vec::new());
    driver
        .drive_core::<Toy>(&id, &|p| match p.notice {
            Notice::Stepped { .. } if p.seq == 3 => offset.store(-3_600_000, Ordering::SeqCst),
            Notice::Stepped { .. } if p.seq == 6 => offset.store(0, Ordering::SeqCst),
            Notice::ClockJumped { by_ms } => jumps.borrow_mut().push(by_ms),
            _ => {}
        })
        .unwrap();
    let jumps = jumps.into_inner();
    assert_eq!(jumps.len(), 2, "{jumps:?}");
    assert!(jumps[0] < -3_590_000 && jumps[1] > 3_590_000, "{jumps:?}");
    let events = driver.store.events(&id, 0, 100).unwrap();
    let whole = events[events.len() - 1].at.since(events[0].at);
    assert!(whole < Span::from_secs(60), "{whole}");
    assert!(events.windows(2).all(|w| w[0].at <= w[1].at));
}

#[test]
fn stopped_it_leaves_the_operation_to_the_next_one() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let store = Store::open(dir).unwrap();
    let id = submit(&store, &toy_plan(3, |_| {}), 1);
    let driver = driver(store, FileTarget::new(dir), FileEvidence::new(dir));
    let stopped = driver.drive_core::<Toy>(&id, &|p| {
        if p.seq == 3 {
            driver.stop.store(true, Ordering::Relaxed);
        }
    });
    assert_eq!(stopped.unwrap(), None);
    assert_eq!(driver.store.open_operations().unwrap().len(), 1);
    driver.stop.store(false, Ordering::Relaxed);
    let epoch = Cell::new(0);
    let ended = driver.drive_core::<Toy>(&id, &|p| {
        if let Notice::Resumed { epoch: e, .. } = p.notice {
            epoch.set(e);
        }
    });
    assert!(ended.unwrap().is_some());
    assert_eq!(
        epoch.get(),
        2,
        "a lease given back is taken at once, under a new epoch"
    );
    check::<Toy>(&driver.store, &id, &evidence_log(dir), &target_log(dir));
    let good = driver.store.known_good("local", 10).unwrap();
    assert_eq!((good.len(), good[0].version.as_str()), (1, "2.0"));
    assert_eq!(good[0].operation, operation(1));
}

#[test]
fn an_edited_plan_or_state_is_not_driven() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let store = Store::open(dir).unwrap();
    let id = submit(&store, &toy_plan(3, |_| {}), 1);
    let driver = driver(store, FileTarget::new(dir), FileEvidence::new(dir));
    driver
        .drive_core::<Toy>(&id, &|p| {
            if p.seq == 2 {
                driver.stop.store(true, Ordering::Relaxed);
            }
        })
        .unwrap();
    driver.stop.store(false, Ordering::Relaxed);
    let sql = |sql: &str| {
        let changed = rusqlite::Connection::open(dir.join("state.db"))
            .unwrap()
            .execute(sql, [])
            .unwrap();
        assert_eq!(changed, 1, "{sql}");
    };
    let before = target_log(dir).len();
    sql("UPDATE operation SET snapshot = replace(snapshot, '\"step\":1', '\"step\":2')");
    let drive = || driver.drive_core::<Toy>(&id, &|_| {});
    assert!(matches!(drive(), Err(DriveError::DigestDiffers { .. })));
    sql("UPDATE operation SET snapshot = replace(snapshot, '\"step\":2', '\"step\":1')");
    sql("UPDATE plan SET body = replace(body, '\"1.0\"', '\"0.9\"')");
    assert!(matches!(drive(), Err(DriveError::PlanChanged { .. })));
    assert_eq!(target_log(dir).len(), before, "nothing was sent");
    sql("UPDATE plan SET body = replace(body, '\"0.9\"', '\"1.0\"')");
    assert!(drive().unwrap().is_some());
}

//! A target and an evidence store that live in files, so that they outlast a killed driver, and the checks that every
//! ended operation must pass.
//!
//! The target does *not* deduplicate: a blind retry shows as a second application.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gonogo_core::clock::SystemClock;
use gonogo_core::id::OperationId;
use gonogo_core::{Clock, Reason, Span, Timestamp};
use gonogo_engine::{Core, Draft, Driver, Evidence, EvidenceError, Settings};
use gonogo_release::{Action, Effect, Input, Outcome, Plan, Sample, replay};
use gonogo_store::{Store, Submission};
use gonogo_target::{Call, Target};

/// Waits until `f` says so; fails after ten seconds.
pub(crate) fn until(what: &str, mut f: impl FnMut() -> bool) {
    let clock = SystemClock::default();
    while !f() {
        assert!(clock.now().mono_ms < 10_000, "waited too long: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Appends to `target.log`: `called|applied|refused|probed KEY EPOCH`. The highest epoch in it is the fence.
pub(crate) struct FileTarget {
    path: PathBuf,
    /// While this file is absent, calls wait between `called` and `applied`.
    gate: Option<PathBuf>,
}

impl FileTarget {
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            path: dir.join("target.log"),
            gate: None,
        }
    }

    pub(crate) fn gated(dir: &Path) -> Self {
        Self {
            gate: Some(dir.join("gate")),
            ..Self::new(dir)
        }
    }

    /// Lets `f` see all lines and answer with a line to add.
    fn locked<T>(&self, f: impl FnOnce(&[String]) -> (String, T)) -> T {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&self.path)
            .unwrap();
        file.lock().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let (line, value) = f(&lines);
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
        value
    }

    fn enter(&self, what: &str, key: &str, epoch: u64) -> Result<bool, Outcome> {
        self.locked(|lines| {
            let fence = lines.iter().map(|l| epoch_of(l)).max().unwrap_or(0);
            if epoch < fence {
                let refused = Outcome::Refused {
                    reason: Reason::StaleEpoch,
                    text: format!("epoch {epoch} is older than {fence}"),
                };
                return (format!("refused {key} {epoch}"), Err(refused));
            }
            let applied = format!("applied {key} ");
            let known = lines.iter().any(|l| l.starts_with(&applied));
            (format!("{what} {key} {epoch}"), Ok(known))
        })
    }

    fn carry_out(&self, call: &Call) -> Result<Outcome, Outcome> {
        let generation = 1;
        let applied = Outcome::Applied {
            generation,
            observed: None,
            cut: 0,
        };
        if let Action::Probe { key } = &call.action {
            let known = self.enter("probed", key, call.epoch)?;
            return Ok(if known {
                applied
            } else {
                Outcome::NotApplied {
                    reason: Reason::EffectFailed,
                    text: "never seen".into(),
                }
            });
        }
        self.enter("called", &call.key, call.epoch)?;
        if let Some(gate) = &self.gate {
            until("the gate opens", || gate.exists());
        }
        self.enter("applied", &call.key, call.epoch)?;
        Ok(applied)
    }
}

fn epoch_of(line: &str) -> u64 {
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// What the target did so far.
pub(crate) fn target_log(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join("target.log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

impl Target for FileTarget {
    fn call(&self, call: &Call) -> Outcome {
        self.carry_out(call).unwrap_or_else(|refused| refused)
    }

    fn sample(&self, _deadline: Span) -> Result<Sample, String> {
        Ok(Sample {
            at: Timestamp::from_millis(0),
            boot: "boot".into(),
            seq: 1,
            generation: 1,
            slots: BTreeMap::new(),
            unrouted: 0,
        })
    }
}

/// Appends drafts as JSON lines to `evidence.log`, synced. Its tail may be torn by a crash.
pub(crate) struct FileEvidence {
    kept: Mutex<(File, BTreeSet<String>)>,
}

impl FileEvidence {
    pub(crate) fn new(dir: &Path) -> Self {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join("evidence.log"))
            .unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let whole = text.rfind('\n').map_or(0, |i| i + 1);
        file.set_len(whole as u64).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        let keys = drafts_of(&text[..whole]).into_iter().map(|d| d.key);
        Self {
            kept: Mutex::new((file, keys.collect())),
        }
    }
}

impl Evidence for FileEvidence {
    fn append(&self, drafts: Vec<Draft>) -> Result<(), EvidenceError> {
        let (file, keys) = &mut *self.kept.lock().unwrap();
        let mut text = Vec::new();
        for draft in drafts {
            if keys.insert(draft.key.clone()) {
                serde_json::to_writer(&mut text, &draft).unwrap();
                text.push(b'\n');
            }
        }
        file.write_all(&text)
            .and_then(|()| file.sync_data())
            .map_err(|e| EvidenceError::Failed(e.to_string()))
    }
}

fn drafts_of(text: &str) -> Vec<Draft> {
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

pub(crate) fn evidence_log(dir: &Path) -> Vec<Draft> {
    drafts_of(&std::fs::read_to_string(dir.join("evidence.log")).unwrap_or_default())
}

/// A plan for a toy of `steps` steps.
pub(crate) fn toy_plan(steps: u64, change: impl FnOnce(&mut gonogo_release::PlanBody)) -> Plan {
    let mut body = gonogo_testkit::fixture::plan(Some("1.0"), "2.0", &[10]);
    body.service = steps.to_string();
    body.strategy.promote_within = Span::from_secs(20);
    change(&mut body);
    Plan::seal(
        body,
        "ada".into(),
        Timestamp::from_millis(1_000),
        "gonogo.toml",
    )
    .unwrap()
}

pub(crate) fn operation(n: u8) -> OperationId {
    OperationId::mint([n; 8])
}

/// Stores `plan` and begins operation `n` of it.
pub(crate) fn submit(store: &Store, plan: &Plan, n: u8) -> OperationId {
    store.put_plan(plan).unwrap();
    let submission = Submission {
        operation: operation(n),
        plan: plan.id.clone(),
        fingerprint: plan.fingerprint,
        environment: plan.body.environment.clone(),
        key: format!("key-{n}"),
        requester: "ada".into(),
        at: Timestamp::from_millis(2_000),
        approvals: Vec::new(),
        trace: None,
        records: Vec::new(),
    };
    assert!(store.submit(&submission).unwrap().fresh);
    operation(n)
}

pub(crate) fn driver(
    store: Store,
    target: impl Target + 'static,
    evidence: impl Evidence + 'static,
) -> Driver {
    Driver {
        store: Arc::new(store),
        evidence: Arc::new(evidence),
        target: Arc::new(target),
        clock: Arc::new(SystemClock::default()),
        settings: Settings::default(),
        stop: Arc::new(AtomicBool::new(false)),
    }
}

/// A driver over the files in `dir`.
pub(crate) fn file_driver(dir: &Path) -> Driver {
    let store = Store::open(dir).unwrap();
    driver(store, FileTarget::new(dir), FileEvidence::new(dir))
}

/// Checks journal, evidence and target of an ended operation against each other.
pub(crate) fn check<C: Core>(
    store: &Store,
    id: &OperationId,
    evidence: &[Draft],
    target: &[String],
) {
    let stored = store.operation(id).unwrap();
    assert!(stored.terminal.is_some());
    let plan = Arc::new(store.plan(&stored.plan).unwrap().body);
    let events = store.events(id, 0, u32::MAX).unwrap();
    assert_eq!(events[0].input, Input::Start);
    let mut core = C::begin(id.clone(), plan);
    let mut expected = Vec::new();
    let mut last = Timestamp::from_millis(0);
    for (i, event) in events.iter().enumerate() {
        assert_eq!(event.seq, i as u64 + 1, "no event is lost");
        assert!(event.at >= last, "machine time never runs back");
        last = event.at;
        let effects = core.step(event.at, event.input.clone());
        assert_eq!(core.digest(), event.digest, "event {}", event.seq);
        expected.push(replay::question(event.seq, event.at, &event.input));
        expected.extend(replay::answers(event.seq, event.at, &effects));
        for effect in effects {
            if let Effect::Timer { due, .. } = effect {
                assert!(due >= event.at);
            }
        }
    }
    assert_eq!(stored.seq, events.len() as u64);
    assert_eq!(stored.digest, Some(core.digest()));
    let kept: Vec<_> = evidence
        .iter()
        .map(|d| (d.kind.clone(), d.body.clone()))
        .collect();
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(kind, body)| (kind.to_owned(), body))
        .collect();
    assert_eq!(kept, expected, "every record exactly once, in order");
    assert_eq!(store.pending(id, 1).unwrap(), []);
    let mut applied = BTreeMap::new();
    for line in target.iter().filter(|l| l.starts_with("applied ")) {
        *applied.entry(line.split(' ').nth(1).unwrap()).or_insert(0) += 1;
    }
    assert!(
        applied.values().all(|n| *n == 1),
        "applied twice: {applied:?}"
    );
    let intents: BTreeSet<&str> = evidence
        .iter()
        .filter(|d| d.kind == "intent")
        .map(|d| d.body["intent"]["key"].as_str().unwrap())
        .collect();
    let unannounced: Vec<_> = applied.keys().filter(|k| !intents.contains(*k)).collect();
    assert!(
        unannounced.is_empty(),
        "applied without an intent: {unannounced:?}"
    );
}

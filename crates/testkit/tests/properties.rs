//! What holds of the machine for every sequence of inputs, sensible or not. Seeded: a failure names its seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use gonogo_core::id::OperationId;
use gonogo_core::{Digest, Reason, Timestamp};
use gonogo_release::effect::{Act, Action, Effect, Input, Outcome};
use gonogo_release::machine::{Ending, Machine, Terminal};
use gonogo_release::plan::PlanBody;
use gonogo_release::replay;
use gonogo_release::sample::{Sample, SlotCounts};
use gonogo_testkit::fixture;
use gonogo_testkit::sim::{SimTarget, Traffic};

const RUNS: u64 = 2_000;
const STEPS: u32 = 120;

/// One run: a machine, a target that answers truthfully when it is asked, and noise.
struct Run {
    rng: Rng,
    plan: Arc<PlanBody>,
    machine: Machine,
    target: SimTarget,
    now: i64,
    open: Vec<Act>,
    timers: Vec<u64>,
    records: Vec<replay::Entry>,
    frozen: bool,
    failed: bool,
    terminal: Option<Terminal>,
    seen: BTreeMap<&'static str, u64>,
}

fn begin(seed: u64) -> Run {
    let mut rng = Rng::with_seed(seed);
    let from = (rng.u8(..) > 60).then_some("1.0.0");
    let plan = Arc::new(fixture::plan(from, "2.0.0", &[20, 50][..rng.usize(0..3)]));
    let traffic = Traffic {
        per_period: rng.u64(0..10_000),
        bad_permille: if rng.bool() { 0 } else { rng.u64(0..400) },
        crashes: rng.u8(..) < 10,
    };
    Run {
        machine: Machine::new(OperationId::mint(seed.to_be_bytes()), plan.clone()),
        target: SimTarget::new(&plan, traffic, true),
        plan,
        rng,
        now: 1_700_000_000_000,
        open: Vec::new(),
        timers: Vec::new(),
        records: Vec::new(),
        frozen: false,
        failed: false,
        terminal: None,
        seen: BTreeMap::new(),
    }
}

impl Run {
    fn input(&mut self, noise: u8) -> Input {
        if self.rng.u8(..) >= noise {
            return self.sensible();
        }
        let n = self.rng.u64(0..12);
        let (text, by) = (String::from("noise"), String::from("ann"));
        match self.rng.u8(0..9) {
            0 => Input::Start,
            1 => Input::Done {
                id: n,
                result: self.outcome(),
            },
            2 => {
                let id = self.open.last().map_or(n, |act| act.id);
                Input::Done {
                    id,
                    result: self.outcome(),
                }
            }
            3 => Input::Due { id: n },
            4 => Input::SampleMissed { text },
            5 if self.rng.u8(..) < 60 => Input::Cancel { by, why: text },
            8 if self.rng.u8(..) < 20 => Input::Refuse {
                reason: Reason::FreezeActive,
                text,
            },
            6 => {
                self.frozen = self.rng.bool();
                Input::Freeze {
                    on: self.frozen,
                    by,
                }
            }
            7 => {
                if self.rng.u8(..) < 30 {
                    let share = self.rng.u32(0..=10_000);
                    self.target.foreign(share);
                }
                self.sensible()
            }
            _ => Input::Sample {
                sample: self.odd_sample(),
            },
        }
    }

    fn sensible(&mut self) -> Input {
        if self.machine.inputs() == 0 {
            return Input::Start;
        }
        if let Some(act) = self.open.pop() {
            let result = self.target.call(&act.key, act.id, &act.action);
            return Input::Done { id: act.id, result };
        }
        if !self.timers.is_empty() && self.rng.u8(..) < 25 {
            let id = self
                .timers
                .swap_remove(self.rng.usize(0..self.timers.len()));
            return Input::Due { id };
        }
        let sample = self.target.sample(Timestamp::from_millis(self.now));
        Input::Sample { sample }
    }

    fn number(&mut self) -> u64 {
        match self.rng.u8(0..6) {
            0 => u64::MAX,
            1 => (1 << 53) - 1,
            2 => 0,
            3 => self.rng.u64(..),
            _ => self.rng.u64(0..1_000),
        }
    }

    fn outcome(&mut self) -> Outcome {
        let reason = Reason::ALL[self.rng.usize(0..Reason::ALL.len())];
        let text = String::from("noise");
        match self.rng.u8(0..5) {
            0 => Outcome::Applied {
                generation: self.number(),
                observed: None,
                cut: 0,
            },
            1 => Outcome::NotApplied { reason, text },
            2 => Outcome::Refused { reason, text },
            3 => Outcome::Unknown { text },
            _ => Outcome::Partial { text },
        }
    }

    fn odd_sample(&mut self) -> Sample {
        let mut sample = self.target.sample(Timestamp::from_millis(self.now));
        match self.rng.u8(0..5) {
            0 => sample.generation = self.number(),
            1 => sample.boot = format!("boot-{}", self.rng.u8(0..3)),
            2 => sample.seq = self.number(),
            3 => sample.slots.clear(),
            _ => {
                let counts = SlotCounts {
                    version: "2.0.0".into(),
                    ready: self.rng.bool(),
                    exits: self.number(),
                    routed: self.number(),
                    ok: self.number(),
                    server_errors: self.number(),
                    slow: self.number(),
                    ..SlotCounts::default()
                };
                sample.slots.insert(self.plan.slot.clone(), counts);
            }
        }
        sample
    }

    fn step(&mut self, noise: u8) {
        self.now += match self.rng.u8(..) {
            0..2 => -self.rng.i64(0..100_000),
            2..4 => self.rng.i64(0..100_000),
            _ => self.rng.i64(0..1_500),
        };
        let input = self.input(noise);
        if let Input::Due { id } = input {
            self.timers.retain(|t| *t != id);
        }
        if let Input::Done { id, .. } = input {
            self.open.retain(|act| act.id != id);
        }
        let now = Timestamp::from_millis(self.now);
        let effects = self.machine.step(now, input.clone());
        let seq = self.machine.inputs();
        self.records.push(replay::question(seq, now, &input));
        self.records.extend(replay::answers(seq, now, &effects));
        self.check(&effects);
    }

    fn check(&mut self, effects: &[Effect]) {
        if let Some(ended) = &self.terminal {
            assert!(
                effects.is_empty(),
                "said something after the end: {effects:?}"
            );
            assert_eq!(self.machine.terminal(), Some(ended), "the end changed");
            return;
        }
        let acts = effects
            .iter()
            .filter(|e| matches!(e, Effect::Act(_)))
            .count();
        assert!(acts <= 1, "two acts at once: {effects:?}");
        assert!(self.machine.open_acts().len() <= 1);
        for (i, effect) in effects.iter().enumerate() {
            match effect {
                Effect::Act(act) => self.check_act(act.clone(), effects),
                Effect::Timer { id, .. } => self.timers.push(*id),
                Effect::Decide(body) => {
                    let reasons = body["reasons"].as_array().expect("a list of reasons");
                    assert!(!reasons.is_empty(), "no reason: {body}");
                    let cancelled = reasons.iter().any(|r| r == "CANCELLED")
                        && body["numbers"]["ignored"].is_null();
                    self.failed |= body["verdict"] == "fail" || cancelled;
                }
                Effect::End(terminal) => {
                    assert_eq!(
                        i + 1,
                        effects.len(),
                        "something follows the end: {effects:?}"
                    );
                    assert!(!terminal.reasons.is_empty());
                    assert!(
                        terminal.result != Ending::Promoted || !self.failed,
                        "promoted after a failure: {terminal:?}"
                    );
                    self.terminal = Some(terminal.clone());
                    *self.seen.entry(terminal.result.name()).or_default() += 1;
                }
            }
        }
        assert_eq!(self.machine.terminal(), self.terminal.as_ref());
        if self.machine.inputs().is_multiple_of(8) || self.terminal.is_some() {
            assert_ne!(
                self.machine.digest(),
                Digest::of(b""),
                "the state has no canonical form"
            );
        }
    }

    fn check_act(&mut self, act: Act, effects: &[Effect]) {
        assert_eq!(self.machine.open_acts(), vec![act.id], "{effects:?}");
        let forward = match &act.action {
            Action::Start { .. } => true,
            Action::Weigh { weights, .. } => {
                assert!(weights.values().sum::<u32>() == 10_000 || self.plan.from.is_none());
                weights.get(&self.plan.slot).is_some_and(|w| *w > 0)
            }
            _ => false,
        };
        assert!(
            !(forward && self.failed),
            "forward after a failure: {act:?}"
        );
        assert!(!(forward && self.frozen), "forward in a freeze: {act:?}");
        self.open.push(act);
    }
}

#[test]
fn whatever_comes_in_the_machine_keeps_its_promises() {
    let mut endings: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in 0..RUNS {
        let noise = [8, 40, 120, 250][seed as usize % 4];
        let mut run = begin(seed);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..STEPS {
                run.step(noise);
            }
            let text = serde_json::to_string(run.machine.state()).unwrap();
            assert_eq!(
                &serde_json::from_str::<gonogo_release::machine::State>(&text).unwrap(),
                run.machine.state()
            );
            let records = run.records.iter().map(|(kind, body)| (*kind, body));
            let operation = OperationId::mint(seed.to_be_bytes());
            let again = replay::replay(operation, run.plan.clone(), records).unwrap();
            assert_eq!(again.inputs, run.machine.inputs());
        }));
        assert!(caught.is_ok(), "seed {seed}");
        for (name, n) in run.seen {
            *endings.entry(name).or_default() += n;
        }
    }
    // The noise must not hide the interesting runs.
    for name in [
        "promoted",
        "rolled_back",
        "cancelled",
        "refused",
        "needs_person",
    ] {
        assert!(
            endings.get(name).is_some_and(|n| *n > 20),
            "too few {name}: {endings:?}"
        );
    }
}

//! Simulates whole releases with chance in their counts and prints what the release machine made of them, as JSON.
//!
//! `aa_bench [RUNS] [SEED]`. Three figures, each over RUNS releases (default 1000) through [`Machine`], with every look, each
//! comparison and limit, the parts of `alpha_abort` that the judge really uses, and the rules for a pass:
//!
//! - `a_a`: both versions are the same. Default strategy (5, 25, 50 %) and default checks; requests a second (200 to 2,000),
//!   error rate (0.1 to 1 %, half of the default limit) and slow share (0.1 to 2 %) are drawn for each release, evenly on a
//!   logarithmic scale. A release that is not promoted is counted under its reasons and the weight at which it went wrong, and
//!   by the third of the range of error rates that it lay in. `failed_a_check` are false alarms, which `alpha_abort` bounds;
//!   `no_proof_in_time` are releases that nothing was held against, but whose traffic was not enough to prove them well
//!   before a step's deadline.
//! - `a_a_near_limit`: the same with error rates of 1 to 2 %. At the limit of 2 % no proof of being under it can come.
//! - `doubled`: the new version's error rate is 2 % where stable's is 1 %, at 25 % weight and 200 requests a second. Caught is
//!   a release with a failing comparison or limit within 6,000 of the new version's requests; one that passes is a miss.
//!
//! Requests of a sample period go to the versions by a binomial draw, and so do their errors and slow answers. The target
//! answers every act at once: only the judgement is measured here.
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::collections::BTreeMap;
use std::sync::Arc;

use gonogo_core::id::OperationId;
use gonogo_core::{Reason, Share, Span, Timestamp};
use gonogo_release::effect::{Effect, Input, Outcome};
use gonogo_release::machine::{Ending, Machine, Terminal};
use gonogo_release::plan::{Budget, PlanBody, Stage, Strategy, resolve};
use gonogo_release::sample::{Sample, SlotCounts};
use gonogo_stats::sim::Rng;
use gonogo_testkit::fixture;
use gonogo_testkit::sim::{SimTarget, Traffic};
use serde_json::{Value, json};

/// Canary requests within which a doubled error rate is to be caught.
const WITHIN: u64 = 6_000;
/// No release lasts longer than this; in milliseconds. The default strategy ends after forty minutes at most.
const HORIZON: u64 = 3_600_000;

/// Begin of every release.
const EPOCH: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// What the versions do.
#[derive(Debug, Clone, Copy)]
struct World {
    /// Requests a second, both versions together.
    rps: f64,
    /// Error rates of stable and of the new version.
    errors: [f64; 2],
    /// Share of slow requests of both.
    slow: f64,
}

/// How one release went.
struct Run {
    terminal: Terminal,
    /// Requests of the new version when a decision failed for the first time, if none had passed before.
    failed_at: Option<u64>,
    /// Weight of the new version at that decision, parts per ten thousand.
    failed_weight: u32,
    seconds: u64,
}

fn main() {
    let mut args = std::env::args().skip(1);
    let runs = args.next().and_then(|n| n.parse().ok()).unwrap_or(1_000);
    let seed = args.next().and_then(|n| n.parse().ok()).unwrap_or(1);
    println!(
        "{}",
        json!({
            "a_a": a_a(runs, seed, [0.001, 0.01]),
            "a_a_near_limit": a_a(runs, seed, [0.01, 0.02]),
            "doubled": doubled(runs, seed),
        })
    );
}

/// The built-in strategy `default` with these stages in per cent.
fn plan(weights: &[u32], bake: Span, within: Span) -> Arc<PlanBody> {
    let mut plan = fixture::plan(Some("1.0.0"), "2.0.0", weights);
    plan.strategy = Strategy {
        name: "default".into(),
        stages: weights
            .iter()
            .map(|w| Stage {
                weight: Share::from_percent(*w),
                bake,
                within,
            })
            .collect(),
        soak: Span::from_secs(30),
        promote_within: Span::from_secs(30),
        sample_every: Span::from_millis(500),
    };
    plan.budget = Budget::of(plan.strategy.sample_every);
    plan.steps = resolve(plan.from.as_ref(), &plan.to, &plan.slot, &plan.strategy);
    Arc::new(plan)
}

/// Releases of a version over itself, with error rates between `low` and `high`.
fn a_a(runs: u64, seed: u64, [low, high]: [f64; 2]) -> Value {
    let plan = plan(&[5, 25, 50], Span::from_secs(10), Span::from_secs(600));
    let mut seeds = Rng::new(seed);
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    let (mut promoted, mut failed, mut unproven) = (0_u64, 0_u64, 0_u64);
    let mut thirds = [[0_u64; 3]; 3]; // releases, failed a check, no proof in time
    let mut seconds = Vec::new();
    for _ in 0..runs {
        let mut rng = Rng::new(seeds.next_u64());
        let rate = drawn(&mut rng, low, high);
        let world = World {
            rps: drawn(&mut rng, 200.0, 2_000.0),
            errors: [rate; 2],
            slow: drawn(&mut rng, 0.001, 0.02),
        };
        let run = release(&plan, world, &mut rng, u64::MAX);
        let third = ((rate / low).ln() / (high / low).ln() * 3.0).min(2.0) as usize;
        thirds[third][0] += 1;
        if run.terminal.result == Ending::Promoted {
            promoted += 1;
            seconds.push(run.seconds);
            continue;
        }
        let codes: Vec<&str> = run.terminal.reasons.iter().map(|r| r.code()).collect();
        let weight = run.failed_weight / 100;
        *reasons
            .entry(format!("{} at {weight}%", codes.join("+")))
            .or_default() += 1;
        if run.terminal.reasons.contains(&Reason::StageDeadline) {
            unproven += 1;
            thirds[third][2] += 1;
        } else {
            failed += 1;
            thirds[third][1] += 1;
        }
    }
    seconds.sort_unstable();
    let third = |[n, failed, unproven]: [u64; 3]| json!({"releases": n, "failed_a_check": failed, "no_proof_in_time": unproven});
    json!({
        "releases": runs,
        "promoted": promoted,
        "rolled_back": failed + unproven,
        "failed_a_check": failed,
        "no_proof_in_time": unproven,
        "reasons": reasons,
        "error_rate": [low, high],
        "by_third_of_error_rates": thirds.map(third),
        "seconds_to_promoted": {"p50": at(&seconds, 0.5), "p95": at(&seconds, 0.95)},
    })
}

fn doubled(runs: u64, seed: u64) -> Value {
    let plan = plan(&[25], Span::from_secs(10), Span::from_secs(600));
    let world = World {
        rps: 200.0,
        errors: [0.01, 0.02],
        slow: 0.01,
    };
    let mut seeds = Rng::new(seed ^ 0xD0B1ED);
    let mut requests = Vec::new();
    let mut passed = 0_u64;
    for _ in 0..runs {
        let mut rng = Rng::new(seeds.next_u64());
        let run = release(&plan, world, &mut rng, WITHIN);
        match run.failed_at {
            Some(at) => requests.push(at),
            None if run.terminal.result == Ending::Promoted => passed += 1,
            None => {}
        }
    }
    requests.sort_unstable();
    let caught = requests.iter().filter(|n| **n <= WITHIN).count();
    json!({
        "releases": runs,
        "within_requests": WITHIN,
        "caught": caught,
        "passed": passed,
        "requests_when_caught": {"p50": at(&requests, 0.5), "p95": at(&requests, 0.95)},
    })
}

/// Runs one release to its end, or until the new version has served more than `most` requests without a failing decision.
fn release(plan: &Arc<PlanBody>, world: World, rng: &mut Rng, most: u64) -> Run {
    let quiet = Traffic {
        per_period: 0,
        bad_permille: 0,
        crashes: false,
    };
    let mut live = Live {
        machine: Machine::new(
            OperationId::mint(rng.next_u64().to_be_bytes()),
            plan.clone(),
        ),
        target: SimTarget::new(plan, quiet, true),
        generation: plan.base.generation,
        timers: BTreeMap::new(),
        counts: [SlotCounts::default(), SlotCounts::default()],
        passed: false,
        failed_at: None,
        failed_weight: 0,
    };
    let period = plan.strategy.sample_every.as_millis();
    let (mut now, mut seq, mut owed) = (0, 0, 0.0);
    live.take(now, Input::Start);
    loop {
        if let Some(terminal) = live.machine.terminal() {
            return Run {
                terminal: terminal.clone(),
                failed_at: live.failed_at,
                failed_weight: live.failed_weight,
                seconds: now / 1000,
            };
        }
        now += period;
        owed += world.rps * period as f64 / 1000.0;
        let total = owed as u64;
        owed -= total as f64;
        live.serve(plan, world, total, rng);
        while let Some((id, due)) = live.due(now) {
            live.timers.remove(&id);
            live.take(due, Input::Due { id });
        }
        if live.machine.sampling().is_some() {
            seq += 1;
            let sample = live.sample(plan, at_ms(now), seq);
            live.take(now, Input::Sample { sample });
        }
        let spent = live.failed_at.is_none() && live.counts[1].completed() > most;
        if live.machine.terminal().is_none() && (spent || now > HORIZON) {
            return Run {
                terminal: Terminal {
                    result: if live.passed {
                        Ending::Promoted
                    } else {
                        Ending::NeedsPerson
                    },
                    reasons: vec![Reason::TimeOut],
                    text: "the simulation ends here".into(),
                },
                failed_at: None,
                failed_weight: 0,
                seconds: now / 1000,
            };
        }
    }
}

/// One release under way.
struct Live {
    machine: Machine,
    target: SimTarget,
    generation: u64,
    timers: BTreeMap<u64, u64>,
    /// Of stable and of the new version.
    counts: [SlotCounts; 2],
    /// Whether the first stage passed.
    passed: bool,
    failed_at: Option<u64>,
    failed_weight: u32,
}

impl Live {
    /// Brings `input` and carries out what follows from it.
    fn take(&mut self, now: u64, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for effect in self.machine.step(at_ms(now), input) {
                match effect {
                    Effect::Act(act) => {
                        let result = self.target.call(&act.key, 1, &act.action);
                        if let Outcome::Applied { generation, .. } = &result {
                            self.generation = *generation;
                        }
                        inputs.push(Input::Done { id: act.id, result });
                    }
                    Effect::Timer { id, due } => {
                        self.timers.insert(id, due.since(EPOCH).as_millis());
                    }
                    Effect::Decide(decision) => self.decided(&decision),
                    Effect::End(_) => {}
                }
            }
        }
    }

    fn decided(&mut self, decision: &Value) {
        let served = self.counts[1].completed();
        match decision["verdict"].as_str() {
            Some("fail") if self.failed_weight == 0 => {
                self.failed_at = (!self.passed).then_some(served);
                // The act that takes the weight away comes after the decision.
                let weights = self.target.weights();
                self.failed_weight = weights
                    .get(self.machine.plan().slot.as_str())
                    .copied()
                    .unwrap_or(0);
            }
            Some("pass") if served > 0 => self.passed = true,
            _ => {}
        }
    }

    fn due(&self, now: u64) -> Option<(u64, u64)> {
        let due = self.timers.iter().filter(|(_, at)| **at <= now);
        due.min_by_key(|(_, at)| **at).map(|(id, at)| (*id, *at))
    }

    /// `total` requests come, and all of them end.
    fn serve(&mut self, plan: &PlanBody, world: World, total: u64, rng: &mut Rng) {
        let weight = self.target.weights().get(plan.slot.as_str()).copied();
        let canary = rng.binomial(total, f64::from(weight.unwrap_or(0)) / 1e4);
        for (i, n) in [total - canary, canary].into_iter().enumerate() {
            let bad = rng.binomial(n, world.errors[i]);
            let counts = &mut self.counts[i];
            counts.routed += n;
            counts.ok += n - bad;
            counts.server_errors += bad;
            counts.slow += rng.binomial(n, world.slow);
        }
    }

    fn sample(&self, plan: &PlanBody, at: Timestamp, seq: u64) -> Sample {
        let weights = self.target.weights();
        let slots = weights.iter().map(|(slot, weight)| {
            let new = *slot == plan.slot;
            let old = plan.from.as_ref().map_or("", |f| f.version.as_str());
            let version = if new { plan.to.version.as_str() } else { old };
            let counts = SlotCounts {
                version: version.to_owned(),
                weight: *weight,
                ready: true,
                ..self.counts[usize::from(new)].clone()
            };
            ((*slot).to_owned(), counts)
        });
        Sample {
            at,
            boot: "aa".into(),
            seq,
            generation: self.generation,
            slots: slots.collect(),
            unrouted: 0,
        }
    }
}

/// Between `low` and `high`, evenly on a logarithmic scale.
fn drawn(rng: &mut Rng, low: f64, high: f64) -> f64 {
    low * (high / low).powf(rng.unit())
}

fn at_ms(ms: u64) -> Timestamp {
    EPOCH.after(Span::from_millis(ms))
}

/// The value below or at which the share `q` of `sorted` lies.
fn at(sorted: &[u64], q: f64) -> Option<u64> {
    let rank = (q * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied()
}

//! The world around the machine: store, leases, drivers, network, time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, LazyLock};

use fastrand::Rng;
use gonogo_core::id::OperationId;
use gonogo_core::{Reason, Timestamp};
use gonogo_release::effect::{Act, Action, Effect, Input, Outcome as Answer};
use gonogo_release::machine::{Ending, Machine};
use gonogo_release::plan::PlanBody;

use super::target::{SimTarget, Traffic};
use super::{Mutant, Outcome};
use crate::fixture;

const LEASE_MS: u64 = 3_000;
const TICK_MS: u64 = 200;
/// Faults happen until here; then everything heals.
const FAULTS_UNTIL: u64 = 30_000;
const HORIZON: u64 = 400_000;

/// Plans over an earlier version and from nothing, each with two and with one stage.
static PLANS: LazyLock<[[Arc<PlanBody>; 2]; 2]> = LazyLock::new(|| {
    [Some("1.0.0"), None].map(|from| {
        [&[20, 50][..], &[50]].map(|weights| Arc::new(fixture::plan(from, "2.0.0", weights)))
    })
});

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Tick {
        driver: usize,
    },
    Restart {
        driver: usize,
    },
    /// A claimed call leaves its driver.
    Send {
        driver: usize,
        life: u64,
        act: u64,
        epoch: u64,
    },
    /// A call arrives at the target.
    Arrive {
        driver: usize,
        life: u64,
        act: u64,
        epoch: u64,
        lose_answer: bool,
    },
    /// An answer arrives at its driver, or its deadline passes there.
    Answer {
        driver: usize,
        life: u64,
        act: u64,
        answer: usize,
    },
    Deadline {
        driver: usize,
        life: u64,
        act: u64,
    },
    Sample,
    Cancel,
    /// The agent stops answering, for a while.
    AgentDown,
    /// Somebody else writes weights.
    Foreign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowState {
    Ready,
    Started,
    Done,
}

struct Driver {
    life: u64,
    alive: bool,
    paused_until: u64,
    /// The epoch under which it believes to lead.
    epoch: u64,
    leads: bool,
}

struct World {
    rng: Rng,
    mutant: Option<Mutant>,
    now: u64,
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    tie: u64,
    drivers: [Driver; 2],
    lease: (usize, u64, u64), // owner, epoch, until
    machine: Machine,
    rows: BTreeMap<u64, (Act, RowState)>,
    /// Rows that are not done, in order: a handful at most.
    open: Vec<u64>,
    timers: BTreeMap<u64, u64>,
    target: SimTarget,
    answers: Vec<Answer>,
    executions_at_end: Option<u64>,
    sampling: bool,
    clock_skew: i64,
    agent_down_until: u64,
}

/// Runs one release with the faults of `seed`.
pub fn run(seed: u64, mutant: Option<Mutant>) -> Outcome {
    let mut rng = Rng::with_seed(seed);
    let first = rng.u8(..) < 40;
    let plan = PLANS[usize::from(first)][usize::from(rng.bool())].clone();
    let traffic = Traffic {
        per_period: if rng.u8(..) < 12 { 0 } else { 8_000 },
        bad_permille: if rng.u8(..) < 90 { 300 } else { 0 },
        crashes: rng.u8(..) < 12,
    };
    let mut machine = Machine::new(OperationId::mint(seed.to_be_bytes()), plan.clone());
    if mutant == Some(Mutant::UndoBeforeSettle) {
        machine = machine.undo_before_settle();
    }
    let driver = || Driver {
        life: 0,
        alive: true,
        paused_until: 0,
        epoch: 0,
        leads: false,
    };
    let mut world = World {
        target: SimTarget::new(&plan, traffic, mutant != Some(Mutant::UnfencedProbe)),
        rng,
        mutant,
        now: 0,
        queue: BinaryHeap::new(),
        tie: 0,
        drivers: [driver(), driver()],
        lease: (0, 0, 0),
        machine,
        rows: BTreeMap::new(),
        open: Vec::new(),
        timers: BTreeMap::new(),
        answers: Vec::new(),
        executions_at_end: None,
        sampling: false,
        clock_skew: 0,
        agent_down_until: 0,
    };
    world.live();
    world.verdict(&plan, traffic)
}

impl World {
    fn at(&mut self, delay: u64, event: Event) {
        self.tie += 1;
        self.queue
            .push(Reverse((self.now + delay, self.tie, event)));
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.now < FAULTS_UNTIL && self.rng.u32(0..100) < percent
    }

    fn live(&mut self) {
        self.at(0, Event::Tick { driver: 0 });
        self.at(50, Event::Tick { driver: 1 });
        if self.rng.u8(..) < 50 {
            let when = self.rng.u64(0..20_000);
            self.at(when, Event::Cancel);
        }
        if self.rng.u8(..) < 60 {
            let when = self.rng.u64(0..20_000);
            self.at(when, Event::AgentDown);
        }
        if self.rng.u8(..) < 25 {
            let when = self.rng.u64(0..20_000);
            self.at(when, Event::Foreign);
        }
        self.transact(Input::Start);
        let mut settle = 0;
        while let Some(Reverse((time, _, event))) = self.queue.pop() {
            if time > HORIZON {
                break;
            }
            self.now = time;
            self.handle(event);
            if self.machine.terminal().is_some() {
                // Let everything that is still under way land before the end is judged.
                self.executions_at_end
                    .get_or_insert_with(|| self.target.executions());
                settle += 1;
                if settle > 200 {
                    break;
                }
            }
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Tick { driver } => self.tick(driver),
            Event::Restart { driver } => {
                self.drivers[driver].alive = true;
                self.drivers[driver].life += 1;
                self.drivers[driver].leads = false;
                self.at(1, Event::Tick { driver });
            }
            Event::Send {
                driver,
                life,
                act,
                epoch,
            } => self.dispatch(driver, life, act, epoch),
            Event::Arrive {
                driver,
                life,
                act,
                epoch,
                lose_answer,
            } => {
                let Some((body, _)) = self.rows.get(&act) else {
                    return;
                };
                let answer = if self.now < self.agent_down_until {
                    Answer::NotApplied {
                        reason: Reason::AgentUnreachable,
                        text: "connection refused".into(),
                    }
                } else {
                    self.target.call(&body.key, epoch, &body.action)
                };
                if !lose_answer {
                    self.answers.push(answer);
                    let delay = self.delay();
                    let answer = self.answers.len() - 1;
                    self.at(
                        delay,
                        Event::Answer {
                            driver,
                            life,
                            act,
                            answer,
                        },
                    );
                }
            }
            Event::Answer {
                driver,
                life,
                act,
                answer,
            } => {
                let result = self.answers[answer].clone();
                self.answered(driver, life, act, result);
            }
            Event::Deadline { driver, life, act } => {
                let result = Answer::Unknown {
                    text: "no answer in time".into(),
                };
                self.answered(driver, life, act, result);
            }
            Event::Sample => self.take_sample(),
            Event::AgentDown => {
                self.agent_down_until = self.now + self.rng.u64(200..12_000);
                // Most often it was ended and has lost its counters.
                if self.rng.u8(..) < 180 {
                    self.target.restart();
                }
                let again = self.rng.u64(1_000..30_000);
                if self.now + again < FAULTS_UNTIL / 2 {
                    self.at(again, Event::AgentDown);
                }
            }
            Event::Foreign => {
                let share = self.rng.u32(1..10_000);
                if self.machine.terminal().is_none() {
                    self.target.foreign(share);
                }
            }
            Event::Cancel => self.transact(Input::Cancel {
                by: "ann".into(),
                why: "drill".into(),
            }),
        }
    }

    fn tick(&mut self, i: usize) {
        if !self.drivers[i].alive {
            return;
        }
        if self.now < self.drivers[i].paused_until {
            let wake = self.drivers[i].paused_until - self.now;
            return self.at(wake, Event::Tick { driver: i });
        }
        if self.chance(1) {
            // Crash: everything in memory is gone; calls that left are under way.
            self.drivers[i].alive = false;
            let back = self.rng.u64(500..8_000);
            return self.at(back, Event::Restart { driver: i });
        }
        if self.chance(2) {
            self.drivers[i].paused_until = self.now + self.rng.u64(1_000..12_000);
        }
        if self.chance(2) {
            self.clock_skew = self.rng.i64(-20_000..20_000);
        }
        self.lead(i);
        if self.drivers[i].leads {
            self.drive(i);
        }
        self.at(TICK_MS, Event::Tick { driver: i });
    }

    /// Renews or takes the lease.
    fn lead(&mut self, i: usize) {
        let (owner, epoch, until) = self.lease;
        let mine = owner == i && epoch == self.drivers[i].epoch && self.drivers[i].leads;
        if mine && self.now < until {
            self.lease.2 = self.now + LEASE_MS;
        } else if self.now >= until {
            self.lease = (i, epoch + 1, self.now + LEASE_MS);
            self.drivers[i].epoch = epoch + 1;
            self.drivers[i].leads = true;
            self.recover();
        } else {
            self.drivers[i].leads = false;
        }
    }

    /// A new leader does not know what became of the calls of the old one.
    fn recover(&mut self) {
        for id in self.in_state(RowState::Started) {
            if self.mutant == Some(Mutant::BlindRetry) {
                self.set(id, RowState::Ready);
            } else {
                self.finish(
                    id,
                    Answer::Unknown {
                        text: "the driver was lost".into(),
                    },
                );
            }
        }
    }

    fn set(&mut self, id: u64, state: RowState) {
        if let Some((_, s)) = self.rows.get_mut(&id) {
            *s = state;
        }
        if state == RowState::Done {
            self.open.retain(|open| *open != id);
        }
    }

    fn in_state(&self, state: RowState) -> Vec<u64> {
        let open = self.open.iter().copied();
        open.filter(|id| self.rows.get(id).is_some_and(|(_, s)| *s == state))
            .collect()
    }

    fn finish(&mut self, id: u64, result: Answer) {
        self.set(id, RowState::Done);
        self.transact(Input::Done { id, result });
    }

    fn drive(&mut self, i: usize) {
        let due: Vec<u64> = self
            .timers
            .iter()
            .filter(|(_, at)| **at <= self.now)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.timers.remove(&id);
            self.transact(Input::Due { id });
        }
        for id in self.in_state(RowState::Ready) {
            // A probe gets an epoch of its own, so that it also fences off this driver's own late call.
            if self
                .rows
                .get(&id)
                .is_some_and(|(a, _)| matches!(a.action, Action::Probe { .. }))
            {
                self.lease.1 += 1;
                self.drivers[i].epoch = self.lease.1;
            }
            // Claimed with the epoch of this moment, durably, before it is sent.
            self.set(id, RowState::Started);
            let (life, epoch) = (self.drivers[i].life, self.drivers[i].epoch);
            let delay = if self.chance(5) {
                self.rng.u64(1_000..9_000)
            } else {
                0
            };
            self.at(
                delay,
                Event::Send {
                    driver: i,
                    life,
                    act: id,
                    epoch,
                },
            );
            let deadline = self
                .rows
                .get(&id)
                .map_or(0, |(a, _)| a.deadline.as_millis());
            self.at(
                deadline,
                Event::Deadline {
                    driver: i,
                    life,
                    act: id,
                },
            );
        }
        if !self.sampling && self.machine.sampling().is_some() {
            self.sampling = true;
            self.at(0, Event::Sample);
        }
    }

    fn dispatch(&mut self, i: usize, life: u64, act: u64, epoch: u64) {
        let driver = &self.drivers[i];
        if !driver.alive || driver.life != life {
            return;
        }
        if self.now < driver.paused_until {
            let wake = driver.paused_until - self.now;
            return self.at(
                wake,
                Event::Send {
                    driver: i,
                    life,
                    act,
                    epoch,
                },
            );
        }
        let epoch = if self.mutant == Some(Mutant::LateEpoch) {
            driver.epoch
        } else {
            epoch
        };
        if self.chance(4) {
            return; // lost on the way
        }
        let lose_answer = self.chance(6);
        let delay = self.delay();
        self.at(
            delay,
            Event::Arrive {
                driver: i,
                life,
                act,
                epoch,
                lose_answer,
            },
        );
    }

    fn delay(&mut self) -> u64 {
        if self.chance(5) {
            self.rng.u64(500..15_000)
        } else {
            self.rng.u64(1..20)
        }
    }

    fn answered(&mut self, i: usize, life: u64, act: u64, result: Answer) {
        let driver = &self.drivers[i];
        let listens =
            driver.alive && driver.life == life && driver.leads && self.lease.1 == driver.epoch;
        if !listens {
            return;
        }
        if self.now < driver.paused_until {
            let wake = driver.paused_until - self.now;
            self.answers.push(result);
            let answer = self.answers.len() - 1;
            return self.at(
                wake,
                Event::Answer {
                    driver: i,
                    life,
                    act,
                    answer,
                },
            );
        }
        if self
            .rows
            .get(&act)
            .is_some_and(|(_, s)| *s == RowState::Started)
        {
            if self.mutant == Some(Mutant::BlindRetry) && matches!(result, Answer::Unknown { .. }) {
                return self.set(act, RowState::Ready);
            }
            self.finish(act, result);
        }
    }

    fn take_sample(&mut self) {
        let Some(period) = self.machine.sampling() else {
            self.sampling = false;
            return;
        };
        // Requests are served whether somebody reads the counters or not.
        let sample = self.target.sample(Timestamp::from_millis(self.now as i64));
        let led = self
            .drivers
            .iter()
            .any(|d| d.alive && d.leads && self.now >= d.paused_until);
        if led && self.now < self.agent_down_until {
            let text = "connection refused".into();
            self.transact(Input::SampleMissed { text });
        } else if led && !self.chance(3) {
            self.transact(Input::Sample { sample });
        }
        self.at(period.as_millis(), Event::Sample);
    }

    /// One durable transaction: the machine takes an input, its effects become rows.
    fn transact(&mut self, input: Input) {
        let skewed = self.now as i64
            + if self.now < FAULTS_UNTIL {
                self.clock_skew
            } else {
                0
            };
        for effect in self
            .machine
            .step(Timestamp::from_millis(1_000_000 + skewed), input)
        {
            match effect {
                Effect::Act(act) => {
                    self.open.push(act.id);
                    self.rows.insert(act.id, (act, RowState::Ready));
                }
                Effect::Timer { id, due } => {
                    self.timers
                        .insert(id, (due.as_millis() - 1_000_000).max(0) as u64);
                }
                Effect::Decide(_) | Effect::End(_) => {}
            }
        }
    }

    fn verdict(&self, plan: &PlanBody, traffic: Traffic) -> Outcome {
        let mut wrong = Vec::new();
        let ending = self.machine.terminal().map(|t| t.result);
        let weights = self.target.weights();
        let old: BTreeMap<&str, u32> = plan
            .from
            .iter()
            .map(|d| (d.slot.as_str(), 10_000))
            .collect();
        let new = BTreeMap::from([(plan.slot.as_str(), 10_000)]);
        let bad = traffic.bad_permille > 0 || traffic.crashes || traffic.per_period == 0;
        let foreign = self.target.foreign_was_seen();
        // What somebody else does after the last look is no business of the operation any more.
        let disturbed = self.target.foreign_came_last();
        let state_is = |want: &BTreeMap<&str, u32>| weights == *want;
        match ending {
            None => wrong.push("it never ended".to_owned()),
            Some(Ending::Promoted) if foreign => {
                wrong.push("promoted over somebody else's weights".to_owned())
            }
            Some(Ending::Promoted) if bad => wrong.push("a bad version was promoted".to_owned()),
            Some(Ending::Promoted) if !state_is(&new) && !disturbed => {
                wrong.push(format!("promoted, but the target is {weights:?}"))
            }
            // Refused over somebody else's weights, it leaves them.
            Some(Ending::Refused) if foreign || disturbed => {}
            // Cancelled before it did anything, too.
            Some(Ending::Cancelled)
                if self.target.foreign_came() && self.target.executions() == 0 => {}
            Some(Ending::RolledBack | Ending::Cancelled | Ending::Refused)
                if !state_is(&old) && !disturbed =>
            {
                wrong.push(format!("{ending:?}, but the target is {weights:?}"));
            }
            Some(Ending::NeedsPerson) if !self.target.foreign_came() => {
                wrong.push("a person was asked though everything healed".to_owned())
            }
            Some(_) => {}
        }
        let repeated = self.target.repeated();
        if !repeated.is_empty() {
            wrong.push(format!("executed more than once: {}", repeated.join(", ")));
        }
        if self
            .executions_at_end
            .is_some_and(|n| n != self.target.executions())
        {
            wrong.push("something was executed after the end".to_owned());
        }
        let terminal = self.machine.terminal();
        if !wrong.is_empty()
            && let Some(t) = terminal
        {
            wrong.push(t.text.clone());
        }
        Outcome {
            ending,
            inputs: self.machine.inputs(),
            wrong,
        }
    }
}

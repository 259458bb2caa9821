//! Real releases whose controller is killed again and again, at random times, under load.

use std::time::Duration;

use gonogo_core::id::OperationId;
use gonogo_release::machine::Ending;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::audit::{self, Before, Expected};
use super::lab::{BAD, GOOD, LONGEST, Lab, OTHER, Running, alive, lost, now, signal, wait};

/// What a series of kills showed.
pub struct Kills {
    /// Kill points.
    pub kills: u64,
    /// Of those, how many were followed by nothing wrong.
    pub right: u64,
    /// Operations.
    pub operations: u64,
    /// In which phase the operation was when its controller was killed, as the journal says.
    pub phases: std::collections::BTreeMap<String, u64>,
    /// Everything that was wrong.
    pub wrong: Vec<String>,
    /// Requests sent from the first promoted version on, and of those without a version's answer.
    pub sent: u64,
    pub lost: u64,
    /// Time from a kill until a controller drove again, in milliseconds, sorted.
    pub takeover_ms: Vec<u64>,
    pub seconds: f64,
}

impl Kills {
    pub fn json(&self) -> Value {
        let at = |q: f64| {
            self.takeover_ms
                .get(((self.takeover_ms.len() as f64 - 1.0) * q) as usize)
        };
        json!({
            "killPoints": self.kills,
            "right": self.right,
            "operations": self.operations,
            "killedInPhase": self.phases,
            "requestsSent": self.sent,
            "requestsLost": self.lost,
            "takeoverMs": {"median": at(0.5), "p95": at(0.95), "worst": at(1.0)},
            "seconds": self.seconds,
            "wrong": self.wrong,
        })
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same seed kills at the same points of the same plan.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n.max(1)
    }
}

/// Who drives at this moment.
enum Controller {
    /// A command of ours.
    Child(Running),
    /// A process that `gonogo status` started; it is found by its lease.
    Detached,
}

/// Kills controllers until `runs` were killed. `tell` hears of each operation.
pub fn run(lab: &Lab, runs: u64, seed: u64, tell: &mut dyn FnMut(&str)) -> Kills {
    let began = now();
    let mut dice = Dice(seed);
    lab.found();
    let load = lab.load(200.0);
    let mut stable = GOOD;
    // How long a whole release and a whole rollback take: measured, not killed.
    let mut typical = [0; 2];
    let mut k = Kills {
        kills: 0,
        right: 0,
        operations: 0,
        phases: Default::default(),
        wrong: Vec::new(),
        sent: 0,
        lost: 0,
        takeover_ms: Vec::new(),
        seconds: 0.0,
    };
    while k.kills < runs {
        let n = k.operations;
        k.operations += 1;
        let bad = n % 4 == 3 || n == 1;
        let version = if bad {
            BAD
        } else if stable == GOOD {
            OTHER
        } else {
            GOOD
        };
        let ending = if bad {
            Ending::RolledBack
        } else {
            Ending::Promoted
        };
        let serves = if bad { stable } else { version };
        let plan = lab.approved(version);
        let before = Before::of(lab);
        let started = now();
        let allowed = if n < 2 { 0 } else { runs - k.kills };
        let kills_before = k.kills;
        let mut operation = Operation {
            lab,
            plan: &plan,
            typical: typical[usize::from(bad)],
            dice: &mut dice,
        };
        let id = operation.drive(allowed, &mut k);
        if n < 2 {
            typical[usize::from(bad)] = started.elapsed().as_millis() as u64;
        }
        let mut wrong = audit::wrong(lab, &id, &before, &Expected { ending, serves });
        let report = load.snapshot();
        if lost(&report) > k.lost {
            wrong.push(format!(
                "{} requests were lost by now: {:?}",
                lost(&report),
                report.failures
            ));
            k.lost = lost(&report);
        }
        tell(&format!(
            "{n}: {version} {ending:?} in {} ms, {} kills so far, {} wrong",
            started.elapsed().as_millis(),
            k.kills,
            wrong.len()
        ));
        if wrong.is_empty() {
            k.right += k.kills - kills_before;
        }
        k.wrong.extend(
            wrong
                .into_iter()
                .map(|w| format!("operation {n} ({id}, to {version}): {w}")),
        );
        stable = serves;
    }
    load.stop();
    let report = load.join();
    k.sent = report.sent;
    k.lost = lost(&report);
    k.takeover_ms.sort_unstable();
    k.seconds = began.elapsed().as_secs_f64();
    k
}

/// One operation on its way.
struct Operation<'a> {
    lab: &'a Lab,
    plan: &'a str,
    typical: u64,
    dice: &'a mut Dice,
}

impl Operation<'_> {
    /// Drives to the end, with kills on the way.
    fn drive(&mut self, allowed: u64, k: &mut Kills) -> OperationId {
        let mut controller = Controller::Child(self.lab.start(&["apply", self.plan]));
        let mut kills = 0;
        loop {
            let again = kills == 0 || self.dice.below(2) == 0;
            let kill = (kills < allowed && again)
                .then(|| Duration::from_millis(self.dice.below(self.typical)));
            let Some(_) = self.ended_or_killed(controller, kill) else {
                break;
            };
            kills += 1;
            k.kills += 1;
            let phase = self
                .lab
                .operation(self.plan)
                .map_or("not-begun", |o| match &o.terminal {
                    Some(_) => "ended",
                    None => o.phase.name(),
                });
            *k.phases.entry(phase.to_owned()).or_default() += 1;
            let since = now();
            controller = self.next();
            if phase != "ended" {
                let lab = self.lab;
                let driven = || {
                    lab.controller()
                        .map(drop)
                        .or_else(|| lab.operation(self.plan)?.terminal.map(drop))
                };
                wait("a controller drives again", LONGEST, driven);
                k.takeover_ms.push(since.elapsed().as_millis() as u64);
            }
        }
        let ended = self
            .lab
            .until(self.plan, "the operation ends", |o| o.terminal.is_some());
        self.lab.controller().into_iter().for_each(|pid| {
            wait("the controller ends", LONGEST, || {
                (!alive(pid)).then_some(())
            });
        });
        // A controller killed between end and packet: the next command sees to it.
        let packet = self.lab.path(&format!(".gonogo/packets/{}.tar", ended.id));
        wait("the packet is written", LONGEST, || {
            if !packet.exists() {
                self.lab.run(&["status"]);
            }
            packet.exists().then_some(())
        });
        ended.id
    }

    /// Brings the next controller, in one of the ways there are.
    fn next(&mut self) -> Controller {
        let Some(known) = self.lab.operation(self.plan) else {
            return Controller::Child(self.lab.start(&["apply", self.plan]));
        };
        match self.dice.below(3) {
            0 => Controller::Child(self.lab.start(&["watch", known.id.as_str()])),
            1 => Controller::Child(self.lab.start(&["apply", self.plan])),
            _ => {
                self.lab.run(&["status"]);
                Controller::Detached
            }
        }
    }

    /// Waits for the controller's end or kills it; `Some` if it was killed.
    fn ended_or_killed(&mut self, controller: Controller, kill: Option<Duration>) -> Option<()> {
        let began = now();
        let due = |limit: &Duration| began.elapsed() >= *limit;
        match controller {
            Controller::Child(mut child) => {
                wait("the command ends or is killed", LONGEST, || {
                    (child.ended().is_some() || kill.as_ref().is_some_and(due)).then_some(())
                });
                child.kill().then_some(())
            }
            Controller::Detached => wait(
                "the operation ends or its controller is killed",
                LONGEST,
                || {
                    if kill.as_ref().is_some_and(due)
                        && let Some(pid) = self.lab.controller()
                        && pid != std::process::id()
                        && signal(pid, Signal::KILL)
                    {
                        wait("the killed controller ends", LONGEST, || {
                            (!alive(pid)).then_some(())
                        });
                        return Some(Some(()));
                    }
                    self.lab
                        .operation(self.plan)?
                        .terminal
                        .is_some()
                        .then_some(None)
                },
            ),
        }
    }
}

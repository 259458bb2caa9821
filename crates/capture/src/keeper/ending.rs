//! How a run ends: the ladder of signals, then the drain of what outlived the child.

use gonogo_dryrun::journal::Event;
use rustix::process::Signal;

use super::{Keeper, LAST_WORDS};
use crate::clock::{SECOND, boot, nanos};
use crate::tree::{Process, descendants, signal, stragglers};

/// Processes that end with the child are given this long before they are told as stragglers.
const SETTLE: u64 = SECOND / 4;

/// After SIGKILL the kernel may take a while to free what a process held.
const AFTER_KILL: u64 = 2 * SECOND;

/// How often the killed are counted.
const AGAIN: u64 = SECOND / 20;

/// Where the ladder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Interrupted,
    Terminated,
    Killed,
}

/// SIGINT, then SIGTERM, then SIGKILL, each to the whole tree.
#[derive(Debug)]
pub(super) struct Ladder {
    step: Step,
    /// When the next step is due.
    pub(super) next: u64,
}

/// The child has ended; others may live and hold the pipes.
#[derive(Debug)]
pub(super) struct Drain {
    since: u64,
    /// When to look again.
    pub(super) next: u64,
    /// From when on nobody is waited for.
    by: u64,
    told: bool,
    killed: Option<u64>,
}

impl Keeper {
    /// Begins to end the run.
    pub(super) fn end_run(&mut self, reason: &'static str, event: Event) {
        self.reason.get_or_insert(reason);
        self.note(event);
        if self.ladder.is_none() {
            self.send(Signal::INT, "INT");
            self.ladder = Some(Ladder {
                step: Step::Interrupted,
                next: boot().saturating_add(nanos(self.spec.grace_seconds.interrupt)),
            });
        }
    }

    /// Somebody does not want to wait: the next step is due now.
    pub(super) fn hurry(&mut self) {
        let now = boot();
        if let Some(ladder) = &mut self.ladder {
            ladder.next = now;
        }
        if let Some(drain) = &mut self.drain {
            drain.by = now;
            drain.next = now;
        }
    }

    /// Takes the next step of the ladder, if it is due.
    pub(super) fn climb(&mut self, now: u64) {
        let Some(ladder) = &self.ladder else { return };
        if now < ladder.next || self.child.is_none() {
            return;
        }
        let (step, wait) = match ladder.step {
            Step::Interrupted => {
                self.send(Signal::TERM, "TERM");
                (Step::Terminated, nanos(self.spec.grace_seconds.terminate))
            }
            Step::Terminated => {
                self.kill();
                (Step::Killed, AGAIN)
            }
            Step::Killed => {
                self.kill_quietly();
                (Step::Killed, AGAIN)
            }
        };
        self.ladder = Some(Ladder {
            step,
            next: now.saturating_add(wait),
        });
    }

    /// All processes of the run.
    fn tree(&self) -> Vec<Process> {
        let pump = self.pump.as_ref().map(|pump| pump.child.id());
        descendants(std::process::id(), pump.as_slice())
    }

    fn send(&mut self, which: Signal, name: &str) {
        let tree = self.tree();
        let processes = tree.iter().filter(|p| signal(p, which)).count() as u32;
        self.note(Event::Signalled {
            signal: name.to_owned(),
            processes,
        });
    }

    fn kill(&mut self) {
        let processes = self.kill_quietly();
        self.note(Event::Signalled {
            signal: "KILL".to_owned(),
            processes,
        });
    }

    fn kill_quietly(&self) -> u32 {
        let tree = self.tree();
        if let Some(cgroup) = &self.cgroup {
            cgroup.kill();
        }
        for process in &tree {
            signal(process, Signal::KILL);
        }
        tree.len() as u32
    }

    /// The child has ended.
    pub(super) fn begin_drain(&mut self) {
        self.ladder = None;
        self.reason.get_or_insert("child_exited");
        let now = boot();
        self.drain = Some(Drain {
            since: now,
            next: now,
            by: now.saturating_add(nanos(self.spec.drain_seconds)),
            told: false,
            killed: None,
        });
    }

    /// Waits for what outlived the child, then ends it.
    pub(super) fn drain(&mut self, now: u64) {
        let Some(mut drain) = self.drain.take() else {
            return;
        };
        let tree = self.tree();
        let ended = self.eof == [true; 2];
        if tree.is_empty() && (ended || drain.killed.is_some_and(|at| now - at >= AFTER_KILL)) {
            self.drained(&drain, now, ended);
            return;
        }
        // Without processes the pipes end as soon as the pump has emptied them; if it cannot (a full disk), the deadline counts.
        let settled = now - drain.since >= SETTLE || now >= drain.by;
        if !tree.is_empty() && settled && !drain.told {
            drain.told = true;
            let hold_pipe = !ended;
            let processes = stragglers(&tree);
            self.note(Event::Stragglers {
                processes,
                hold_pipe,
            });
        }
        if !tree.is_empty() && drain.told && (ended || now >= drain.by) {
            if drain.killed.is_none() {
                drain.killed = Some(now);
                self.kill();
            } else {
                self.kill_quietly();
            }
        }
        if tree.is_empty() && now >= drain.by {
            drain.killed.get_or_insert(now);
        }
        drain.next = now + AGAIN;
        self.drain = Some(drain);
    }

    /// The pipes are empty, or given up.
    fn drained(&mut self, drain: &Drain, now: u64, complete: bool) {
        // A pump that has all and finds no space for the last of it waits as long as one that waits for the pipes.
        self.finish_at = Some(if complete { drain.by.max(now) } else { now });
        self.last_words = Some(now + LAST_WORDS);
        self.note(Event::Drained {
            complete,
            waited_ms: (now - drain.since) / 1_000_000,
        });
    }
}

//! Keeping versions: one thread for each slot in use watches its process, probes its readiness, and starts it again when it ends.
//!
//! A version that ends by itself is routed away at once and started again after a pause that doubles from 0.5 s to 30 s; a minute of life
//! resets it. Readiness is lost after three failed probes in a row and regained by one good one.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use gonogo_exec::{Exit, Ladder, Process, end};
use gonogo_release::plan::VersionSpec;

use super::live::Agent;
use super::start::kept_dir;
use super::{home, ready};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A process that lived so long did not fail at once.
const STEADY_MS: u64 = 60_000;
/// Failed probes in a row that take readiness away.
const MISSES: u32 = 3;
/// Longest wait in one piece, so that the thread sees the end of its tenancy.
const PIECE: Duration = Duration::from_millis(250);

/// Begins to watch a slot for as long as `tenancy` lasts.
pub(super) fn watch(agent: &Arc<Agent>, slot: &str, tenancy: u64) {
    let keeper = Keeper {
        agent: Arc::clone(agent),
        slot: slot.to_owned(),
        tenancy,
    };
    let spawned = thread::Builder::new()
        .name(format!("keep-{slot}"))
        .spawn(move || keeper.run());
    if let Err(e) = spawned {
        // The version serves; it is only not watched. That must be seen.
        agent.home.note(
            slot,
            &format!("no thread to watch the version: {e}; restart the agent"),
        );
    }
}

struct Keeper {
    agent: Arc<Agent>,
    slot: String,
    tenancy: u64,
}

/// A slot as its keeper sees it.
struct Watched {
    spec: VersionSpec,
    port: u16,
    process: Option<Process>,
    ready: bool,
}

impl Keeper {
    fn run(&self) {
        let (mut misses, mut pause) = (0, Duration::ZERO);
        let mut alive_since = self.now();
        while let Some(watched) = self.look() {
            let Some(process) = &watched.process else {
                if self.rest(pause) && self.start_again(&watched.spec) {
                    (misses, alive_since) = (0, self.now());
                }
                pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                continue;
            };
            match self.wait(process, watched.spec.ready.interval.to_std()) {
                Some(exit) => {
                    if self.now().saturating_sub(alive_since) >= STEADY_MS {
                        pause = Duration::ZERO;
                    }
                    pause = pause.max(FIRST_PAUSE);
                    self.ended(process, exit, pause);
                }
                None => {
                    let asked = ready::ask(
                        &watched.spec,
                        watched.port,
                        watched.spec.ready.timeout.to_std(),
                    );
                    misses = if asked.is_ok() { 0 } else { misses + 1 };
                    if asked.is_ok() != watched.ready && (asked.is_ok() || misses >= MISSES) {
                        self.set_ready(process, asked);
                    }
                }
            }
        }
    }

    fn now(&self) -> u64 {
        self.agent.now_ms()
    }

    /// The slot now; none when it is not ours any more.
    fn look(&self) -> Option<Watched> {
        let live = self.agent.lock();
        if !live.serves(&self.slot, self.tenancy) {
            return None;
        }
        let slot = live.stored.slots.get(&self.slot)?;
        Some(Watched {
            spec: slot.spec.clone(),
            port: slot.port,
            process: slot.process.clone(),
            ready: live.is_ready(&self.slot),
        })
    }

    /// Waits up to `interval` for the end of the process.
    fn wait(&self, process: &Process, interval: Duration) -> Option<Exit> {
        let end = self.now().saturating_add(interval.as_millis() as u64);
        loop {
            let left = self.agent.left(end);
            match process.wait(left.min(PIECE)) {
                Ok(Some(exit)) => return Some(exit),
                Ok(None)
                    if left <= PIECE || !self.agent.lock().serves(&self.slot, self.tenancy) =>
                {
                    return None;
                }
                Ok(None) => {}
                Err(e) => {
                    // Readiness still tells; the next round asks again.
                    self.agent.home.note(&self.slot, &e.to_string());
                    self.rest(interval);
                    return None;
                }
            }
        }
    }

    /// Pauses; says whether the slot is still ours.
    fn rest(&self, pause: Duration) -> bool {
        let end = self.now().saturating_add(pause.as_millis() as u64);
        let mut live = self.agent.lock();
        while live.serves(&self.slot, self.tenancy) {
            let left = self.agent.left(end);
            if left.is_zero() {
                return true;
            }
            live = self.agent.wait(live, left);
        }
        false
    }

    /// The process ended by itself: route away, count, end what it left behind.
    fn ended(&self, process: &Process, exit: Exit, pause: Duration) {
        {
            let mut live = self.agent.lock();
            if !live.serves(&self.slot, self.tenancy) {
                return;
            }
            if let Some(slot) = live
                .stored
                .slots
                .get_mut(&self.slot)
                .filter(|s| s.process.as_ref() == Some(process))
            {
                slot.exits += 1;
                slot.process = None;
            }
            if let Some(seen) = live.seen.get_mut(&self.slot) {
                seen.ready = false;
            }
            if let Err(e) = live.route() {
                self.agent.home.note(&self.slot, &e.to_string());
            }
            // If this write fails, the next agent finds a dead process and counts it then.
            let _ = self.agent.store(&mut live);
        }
        self.agent.home.note(
            &self.slot,
            &format!(
                "process {} {exit}; it is started again in {} ms",
                process.pid,
                pause.as_millis()
            ),
        );
        if let Err(e) = end(process, Ladder::KILL) {
            self.agent.home.note(&self.slot, &e.to_string());
        }
    }

    /// Starts the version again from its kept copy. A call that works on the slot goes first.
    fn start_again(&self, spec: &VersionSpec) -> bool {
        let agent = &self.agent;
        let Some(_turn) = agent.own_turn(&self.slot) else {
            return false;
        };
        let dir = {
            let live = agent.lock();
            match live
                .stored
                .slots
                .get(&self.slot)
                .filter(|_| live.serves(&self.slot, self.tenancy))
            {
                Some(slot) => kept_dir(agent, slot),
                None => return false,
            }
        };
        let note = |live: &mut super::live::Live, port, mark| {
            if let Some(slot) = live.stored.slots.get_mut(&self.slot) {
                slot.port = port;
                slot.mark = mark;
                slot.process = None;
            }
        };
        match agent.launch(&self.slot, spec, &dir, note) {
            Ok(process) => {
                agent
                    .home
                    .note(&self.slot, &format!("process {} is started", process.pid));
                true
            }
            Err((_, text)) => {
                agent
                    .home
                    .note(&self.slot, &format!("not started again: {text}"));
                false
            }
        }
    }

    /// Takes over what the probes say, if the same process still runs.
    fn set_ready(&self, process: &Process, asked: Result<(), String>) {
        let mut live = self.agent.lock();
        let same = live
            .stored
            .slots
            .get(&self.slot)
            .is_some_and(|s| s.process.as_ref() == Some(process));
        if !same || !live.serves(&self.slot, self.tenancy) || !process.is_alive() {
            return;
        }
        if let Some(seen) = live.seen.get_mut(&self.slot) {
            seen.ready = asked.is_ok();
        }
        let routed = live.route();
        drop(live);
        let text = match asked {
            Ok(()) => "ready".to_owned(),
            Err(why) => format!("not ready: {why}"),
        };
        self.agent.home.note(&self.slot, &text);
        if let Err(e) = routed {
            self.agent.home.note(&self.slot, &e.to_string());
        }
    }
}

/// Reads the last lines of a slot's log.
pub(super) fn last_lines(agent: &Agent, slot: &str, lines: usize) -> std::io::Result<Vec<String>> {
    home::tail(&agent.home.log(slot), lines, 0)
}

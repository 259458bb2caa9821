//! Whether another part of the capture still works: keeper, pump and harness look at each other.
//!
//! Who works says a word each second. Who was stopped (SIGSTOP) is told after a few seconds, by what the kernel shows; who is only
//! silent after half a minute, because a slow disk makes everybody wait. Times are of the awake clock: a machine that sleeps stops all.

use gonogo_dryrun::journal::Event;

use crate::clock::{SECOND, awake};
use crate::tree::Process;

/// Words are said so often.
pub(crate) const BEAT: u64 = SECOND;

/// A stop of a process that is told.
const STOPPED: u64 = 3 * SECOND;

/// A silence that is told.
const SILENT: u64 = 30 * SECOND;

/// How often it is looked.
const LOOK: u64 = SECOND / 2;

/// What a look showed that was not so before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It does not answer: its state as `/proc/<pid>/stat` has it, and since how many nanoseconds.
    Missed(char, u64),
    /// It answers again, after so many nanoseconds.
    Back(u64),
}

impl Change {
    /// What a journal says about it.
    pub(crate) fn event(self, part: &str, pid: u32) -> Event {
        let part = part.to_owned();
        match self {
            Self::Missed(state, ns) => Event::Unanswered {
                part,
                pid,
                state: state.to_string(),
                ms: ns / 1_000_000,
            },
            Self::Back(ns) => Event::Answered {
                part,
                ms: ns / 1_000_000,
            },
        }
    }
}

/// What is known of another part.
#[derive(Debug)]
pub(crate) struct Pulse {
    pid: u32,
    next: u64,
    heard: Option<u64>,
    stopped: Option<u64>,
    missed: Option<u64>,
}

impl Pulse {
    pub(crate) const fn of(pid: u32) -> Self {
        Self {
            pid,
            next: 0,
            heard: None,
            stopped: None,
            missed: None,
        }
    }

    pub(crate) const fn pid(&self) -> u32 {
        self.pid
    }

    /// It said something.
    pub(crate) fn hear(&mut self) {
        self.heard = Some(awake());
        if self.missed.is_some() {
            // That it is back is told at once.
            self.next = 0;
        }
    }

    /// Whether it does not answer, and how long it has not.
    pub(crate) fn missed(&self) -> Option<u64> {
        self.missed.map(|since| awake().saturating_sub(since))
    }

    /// Whether it is stopped now.
    pub(crate) fn is_stopped(&self) -> bool {
        Process::of(self.pid).is_some_and(|process| process.is_stopped())
    }

    /// Looks, a few times a second at most. First take what it said.
    pub(crate) fn look(&mut self) -> Option<Change> {
        let now = awake();
        if now < self.next {
            return None;
        }
        self.next = now + LOOK;
        // Who is gone is noticed by whoever waits for it.
        let process = Process::of(self.pid).filter(Process::is_alive)?;
        self.stopped = process.is_stopped().then(|| self.stopped.unwrap_or(now));
        let stopped = self.stopped.map(|since| now - since);
        let silent = self.heard.map(|at| now - at);
        let missed = stopped
            .filter(|ns| *ns >= STOPPED)
            .or(silent.filter(|ns| *ns >= SILENT));
        match (missed, self.missed) {
            (Some(ns), None) => {
                self.missed = Some(now - ns);
                Some(Change::Missed(process.state(), ns))
            }
            (None, Some(since)) if stopped.is_none() => {
                self.missed = None;
                Some(Change::Back(now - since))
            }
            _ => None,
        }
    }
}

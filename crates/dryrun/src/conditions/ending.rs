//! The child's life and end: exit status and signals as a detector of their own, the kill ladder, what outlived the child.

use serde::{Deserialize, Serialize};

use super::Conditions;
use crate::engine::Cause;
use crate::journal::Event;
use crate::{IncidentKind, Moment, Status};

/// What the journals say of the child's life.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Life {
    /// When it was started.
    pub started: Option<Moment>,
    /// When it ended.
    pub ended: Option<Moment>,
    /// Its exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Whether its time was over before it ended.
    pub timed_out: bool,
    /// Whether the operator asked for the end.
    pub interrupted: bool,
    /// Whether the harness was gone.
    pub harness_lost: bool,
    /// Signals that we sent before it ended: INT, TERM, KILL.
    pub signalled: Vec<String>,
    /// Why it could not be started.
    pub start_failed: Option<String>,
    /// Whether the pipes were read to their end.
    pub drained: Option<bool>,
    /// Why the writers were done, in order.
    pub endings: Vec<String>,
}

impl Life {
    /// Returns whether `at` is after the child's end.
    pub fn is_over(&self, at: Moment) -> bool {
        self.ended.is_some_and(|end| at.boot > end.boot)
    }

    /// Returns how long the child lived on the boot clock, nanoseconds.
    pub fn nanos(&self) -> Option<u64> {
        Some(self.ended?.since(self.started?))
    }

    /// Returns the exit status as reports show it: negative for a signal.
    pub const fn exit_code(&self) -> Option<i32> {
        match (self.code, self.signal) {
            (Some(code), _) => Some(code),
            (None, Some(signal)) => Some(-signal),
            (None, None) => None,
        }
    }

    /// Returns whether the child ended because we asked, in one of the ways that programs answer a signal.
    fn is_orderly(&self) -> bool {
        let asked = self.timed_out || self.interrupted || self.harness_lost;
        let sent = |name: &str| self.signalled.iter().any(|s| s == name);
        asked
            && match (self.code, self.signal) {
                (Some(0), _) => true,
                (Some(130), _) | (None, Some(2)) => sent("INT"),
                (Some(143), _) | (None, Some(15)) => sent("TERM"),
                _ => false,
            }
    }
}

/// Returns the name of a signal.
pub const fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}

impl Conditions {
    pub(super) fn ending(&mut self, at: Moment, event: &Event) {
        match event {
            Event::StartFailed { reason } => {
                self.state.life.start_failed = Some(reason.clone());
                self.once(
                    IncidentKind::Exit,
                    Status::Fail,
                    "start",
                    at,
                    format!("the child could not be started: {reason}"),
                );
            }
            Event::TimeOver => self.state.life.timed_out |= self.state.life.ended.is_none(),
            Event::Interrupted { signal } => {
                self.state.life.interrupted |= self.state.life.ended.is_none();
                self.once(
                    IncidentKind::Interrupted,
                    Status::Warn,
                    "interrupted",
                    at,
                    format!("the operator ended the run (SIG{signal})"),
                );
            }
            Event::HarnessLost => {
                self.state.life.harness_lost |= self.state.life.ended.is_none();
                self.once(
                    IncidentKind::HarnessLost,
                    Status::Warn,
                    "harness",
                    at,
                    "the harness died; the keeper ended the run".to_owned(),
                );
            }
            Event::CaptureLost { reason } => self.once(
                IncidentKind::Other,
                Status::Fail,
                "capture_lost",
                at,
                format!("files of the capture were removed while the run went on, which ended it: {reason}"),
            ),
            Event::Signalled { signal, processes } => self.signalled(at, signal, *processes),
            Event::ChildExited {
                code, signal, core, ..
            } => self.exited(at, *code, *signal, *core),
            Event::Stragglers {
                processes,
                hold_pipe,
            } => {
                let names: Vec<String> = processes
                    .iter()
                    .map(|p| format!("{} ({})", p.name, p.pid))
                    .collect();
                let held = if *hold_pipe {
                    ", and a pipe is still held open"
                } else {
                    ""
                };
                let text = format!(
                    "{} of the child's processes outlived it{held}: {}",
                    processes.len(),
                    names.join(", ")
                );
                let cause = Cause::new(
                    IncidentKind::Stragglers,
                    Status::Warn,
                    "stragglers",
                    at,
                    text,
                );
                self.engine
                    .sighting(cause.with("hold_pipe", *hold_pipe).with("processes", names));
            }
            Event::Drained {
                complete,
                waited_ms,
            } => {
                self.state.life.drained = Some(*complete);
                if !complete {
                    let text = format!(
                        "the pipes were not at their end {waited_ms} ms after the child's: somebody holds them; what is printed later is not captured"
                    );
                    self.once(IncidentKind::Stragglers, Status::Warn, "drain", at, text);
                }
            }
            Event::Ended { reason } => {
                if self.state.life.endings.len() < 16 {
                    self.state.life.endings.push(reason.clone());
                }
                if reason == "keeper_lost" {
                    self.blind(at, "keeper_lost", None);
                    self.once(
                        IncidentKind::KeeperLost,
                        Status::Fail,
                        "keeper",
                        at,
                        "the keeper died: how the child ended is not known".to_owned(),
                    );
                }
            }
            _ => {}
        }
    }

    fn once(&mut self, kind: IncidentKind, severity: Status, key: &str, at: Moment, text: String) {
        if self.engine.cause(key).is_none() {
            self.engine
                .sighting(Cause::new(kind, severity, key, at, text));
        }
    }

    fn signalled(&mut self, at: Moment, signal: &str, processes: u32) {
        let alive = self.state.life.ended.is_none();
        if alive && self.state.life.signalled.len() < 16 {
            self.state.life.signalled.push(signal.to_owned());
        }
        if signal != "KILL" {
            return;
        }
        let (severity, text) = if alive {
            (
                Status::Fail,
                format!(
                    "the child did not end when it was asked to: {processes} processes were killed"
                ),
            )
        } else {
            (
                Status::Warn,
                format!("{processes} processes that outlived the child were killed"),
            )
        };
        let key = if alive { "killed" } else { "killed_stragglers" };
        let cause = Cause::new(IncidentKind::Killed, severity, key, at, text);
        self.engine.sighting(cause.with("processes", processes));
    }

    fn exited(&mut self, at: Moment, code: Option<i32>, signal: Option<i32>, core: bool) {
        self.tick(at);
        let life = &mut self.state.life;
        if life.ended.is_some() {
            return;
        }
        (life.ended, life.code, life.signal) = (Some(at), code, signal);
        let orderly = life.is_orderly();
        let nanos = life.nanos();
        self.engine.recovered(super::SILENCE, at);
        self.engine.recovered("disk", at);
        let core_text = if core { ", and left a core" } else { "" };
        let named = |number: i32| {
            signal_name(number).map_or_else(|| format!("signal {number}"), str::to_owned)
        };
        let text = match (code, signal) {
            (Some(0), _) => None,
            (Some(code @ 129..=192), _) => {
                let oom = if code == 137 {
                    "; the out-of-memory killer does that"
                } else {
                    ""
                };
                Some(format!(
                    "the child exited with {code}, the status of one that {} ended{oom}",
                    named(code - 128)
                ))
            }
            (Some(code), _) => Some(format!("the child exited with {code}")),
            (None, Some(signal)) => Some(format!(
                "the child was ended by {}{core_text}",
                named(signal)
            )),
            (None, None) => Some("how the child ended is not known".to_owned()),
        };
        if let Some(text) = text.filter(|_| !orderly) {
            let mut cause = Cause::new(IncidentKind::Exit, Status::Fail, "exit", at, text);
            if let Some(code) = code {
                cause = cause.with("exit_code", code);
            }
            if let Some(signal) = signal {
                cause = cause.with("signal", signal);
            }
            self.engine.sighting(cause.with("core", core));
        }
        let criteria = &self.spec.criteria;
        if let (Some(required), Some(nanos)) = (criteria.minimum_duration_seconds, nanos) {
            let lasted = nanos as f64 / 1e9;
            if lasted + criteria.duration_tolerance_seconds < required {
                let text =
                    format!("the run ended after {lasted:.1} s, and {required:.1} s are required");
                let cause = Cause::new(
                    IncidentKind::EndedEarly,
                    Status::Fail,
                    "ended_early",
                    at,
                    text,
                );
                self.engine.sighting(
                    cause
                        .with("lasted_seconds", lasted)
                        .with("required_seconds", required),
                );
            }
        }
    }
}

//! Starting a version: check, keep, launch, wait until it is ready. And launching it again when it ended.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use gonogo_core::{Digest, Reason};
use gonogo_exec::{ExecError, Ladder, Launch, Process, StopSignal, end, sweep};
use gonogo_release::Outcome;
use gonogo_release::plan::VersionSpec;
use gonogo_target::Call;

use super::home::{fresh_id, tail};
use super::live::{Agent, Live, local};
use super::state::{Phase, Slot};
use super::{AgentError, keep, kept, ready};

/// Ports that versions get: below the range that the kernel gives to outgoing connections, so that none of those can take one first.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// How many ports are tried.
const PORT_TRIES: usize = 200;
/// Lines of a version's log that go with a failed start.
const LAST_WORDS: usize = 8;

impl Agent {
    /// Starts a version in a free slot.
    pub(super) fn start(
        self: &Arc<Self>,
        call: &Call,
        slot: &str,
        version: &str,
        content: Digest,
        limit: u64,
    ) -> Outcome {
        let checked = check(call, slot, version, content);
        let turn = match self.turn(slot, call.epoch, limit) {
            Ok(turn) => turn,
            Err(outcome) => return self.commit(&mut self.lock(), &call.key, outcome),
        };
        let outcome =
            checked.and_then(|spec| self.start_checked(call, slot, &spec, content, limit));
        let outcome = match outcome {
            Ok(()) => return self.begun(call, slot),
            Err(outcome) => {
                let mut live = self.lock();
                // Only what this call put there: a slot held by another version is left alone.
                if live
                    .stored
                    .slots
                    .get(slot)
                    .is_some_and(|s| s.phase == Phase::Starting && s.key == call.key)
                {
                    live.stored.slots.remove(slot);
                }
                self.commit(&mut live, &call.key, outcome)
            }
        };
        drop(turn);
        outcome
    }

    /// Everything up to readiness. On `Err` nothing of it runs any more.
    fn start_checked(
        &self,
        call: &Call,
        name: &str,
        spec: &VersionSpec,
        content: Digest,
        limit: u64,
    ) -> Result<(), Outcome> {
        if let Some(held) = self.lock().stored.slots.get(name) {
            let text = format!(
                "slot `{name}` holds version `{}`; nothing was done",
                held.spec.version
            );
            return Err(Outcome::Refused {
                reason: Reason::BaseStateMoved,
                text,
            });
        }
        let keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = kept::keep(&self.home.releases(), &self.settings.project, spec, content)
            .map_err(|e| match e.refused {
                true => Outcome::Refused {
                    reason: e.reason,
                    text: e.text,
                },
                false => not_applied(e.reason, e.text),
            })?;
        let begun = self.now_ms();
        let log_from = std::fs::metadata(self.home.log(name)).map_or(0, |m| m.len());
        let process = {
            let fresh = |live: &mut Live, port, mark| {
                let slow_over = call.slow_over.unwrap_or_default();
                let slot = Slot {
                    spec: spec.clone(),
                    content,
                    slow_over,
                    weight: 0,
                    phase: Phase::Starting,
                    key: call.key.clone(),
                    instance: 0,
                    port,
                    mark,
                    process: None,
                    exits: 0,
                };
                // One bound for all slots: versions that are compared are counted alike.
                for other in live.stored.slots.values_mut() {
                    other.slow_over = slow_over;
                }
                live.stored.slots.insert(name.to_owned(), slot);
            };
            self.launch(name, spec, &dir, fresh).map_err(|e| {
                not_applied(
                    e.0,
                    format!("version `{}` was not started: {}", spec.version, e.1),
                )
            })?
        };
        drop(keeping);
        let port = self.lock().stored.slots.get(name).map_or(0, |s| s.port);
        let within = begun
            .saturating_add(spec.ready.within.as_millis())
            .min(limit);
        self.until_ready(spec, &process, port, within)
            .map_err(|(reason, what)| {
                let killed = end(&process, Ladder::KILL);
                let words = tail(&self.home.log(name), LAST_WORDS, log_from)
                    .unwrap_or_default()
                    .join("\n");
                let words = if words.is_empty() {
                    "its log is empty".into()
                } else {
                    format!("its log ends:\n{words}")
                };
                let killed = killed.err().map(|e| format!("; {e}")).unwrap_or_default();
                not_applied(
                    reason,
                    format!("version `{}` {what}{killed}; {words}", spec.version),
                )
            })
    }

    /// Waits until the version is ready; `Err` says why it will not be.
    fn until_ready(
        &self,
        spec: &VersionSpec,
        process: &Process,
        port: u16,
        within: u64,
    ) -> Result<(), (Reason, String)> {
        let mut before = None;
        loop {
            // The last probe may have less time than an answer takes; then what was seen before says more.
            let hurried = self.left(within) < spec.ready.timeout.to_std();
            let seen = ready::ask(spec, port, self.left(within).max(Duration::from_millis(1)));
            // A probe that another process answered proves nothing: the version itself must be alive after it.
            let pause = if seen.is_ok() {
                Duration::ZERO
            } else {
                spec.ready.interval.to_std().min(self.left(within))
            };
            match process.wait(pause) {
                Ok(Some(exit)) => {
                    return Err((Reason::VersionExited, format!("{exit} before it was ready")));
                }
                Err(e) => return Err((Reason::VersionNotReady, e.to_string())),
                Ok(None) => match seen {
                    Ok(()) => return Ok(()),
                    Err(what) => {
                        let what = before.take().filter(|_| hurried).unwrap_or(what);
                        if self.left(within).is_zero() || self.lock().ending {
                            return Err((
                                Reason::VersionNotReady,
                                format!("was not ready in time ({what})"),
                            ));
                        }
                        before = Some(what);
                    }
                },
            }
        }
    }

    /// Notes that a start has succeeded and begins to watch the version.
    fn begun(self: &Arc<Self>, call: &Call, slot: &str) -> Outcome {
        let mut live = self.lock();
        live.stored.generation += 1;
        let generation = live.stored.generation;
        if let Some(held) = live.stored.slots.get_mut(slot) {
            held.phase = Phase::Serving;
            held.instance = generation;
        }
        let tenancy = live.settle_in(slot, true);
        let outcome = match live.route() {
            Ok(()) => Outcome::Applied {
                generation,
                observed: None,
                cut: 0,
            },
            // It runs and has no weight, so that no traffic is at stake.
            Err(e) => Outcome::Partial {
                text: format!(
                    "version runs in slot `{slot}` without traffic, but the proxy did not confirm: {e}"
                ),
            },
        };
        let outcome = self.commit(&mut live, &call.key, outcome);
        drop(live);
        self.prune();
        keep::watch(self, slot, tenancy);
        outcome
    }

    /// Launches a version's process: picks port and mark, makes them durable with what `note` does, starts, records.
    pub(super) fn launch(
        &self,
        name: &str,
        spec: &VersionSpec,
        dir: &std::path::Path,
        note: impl FnOnce(&mut Live, u16, String),
    ) -> Result<Process, (Reason, String)> {
        let failed = |e: AgentError| (e.reason(), e.to_string());
        let mut env = spec.env.clone();
        for wanted in &spec.env_from {
            let value = std::env::var(wanted).map_err(|_| {
                (Reason::AgentRefused, format!("the agent's environment holds no `{wanted}`; start the agent with it, or correct `env_from`"))
            })?;
            env.insert(wanted.clone(), value);
        }
        let uuid = fresh_id().map_err(failed)?;
        let (mark, port) = {
            let mut live = self.lock();
            let taken: BTreeSet<u16> = live.stored.slots.values().map(|s| s.port).collect();
            let port = free_port(&taken).ok_or((
                Reason::PortTaken,
                "no free loopback port was found".to_owned(),
            ))?;
            let mark = format!("{}/{uuid}", live.stored.id);
            note(&mut live, port, mark.clone());
            self.store(&mut live).map_err(failed)?;
            (mark, port)
        };
        env.insert(spec.port_env.clone(), port.to_string());
        let argv = kept::command(dir, spec, port).map_err(|e| (e.reason, e.text))?;
        let launch = Launch {
            argv,
            env,
            dir: dir.to_owned(),
            log: self.home.log(name),
            errors: None,
            mark: mark.clone(),
        };
        let process = launch.start().map_err(|e| (reason(&e), e.to_string()))?;
        let mut live = self.lock();
        if let Some(slot) = live.stored.slots.get_mut(name) {
            slot.process = Some(process.clone());
        }
        if let Err(e) = self.store(&mut live) {
            // Without its record the next agent would end it; better now than under traffic.
            drop(live);
            let swept = sweep(&mark)
                .err()
                .map(|e| format!("; {e}"))
                .unwrap_or_default();
            return Err((e.reason(), format!("{e}{swept}")));
        }
        Ok(process)
    }
}

/// Checks a call against itself.
fn check(call: &Call, slot: &str, version: &str, content: Digest) -> Result<VersionSpec, Outcome> {
    let refuse = |reason, text| Err(Outcome::Refused { reason, text });
    if !is_slot_name(slot) {
        return refuse(
            Reason::AgentRefused,
            format!("`{slot}` is no slot name: expected 1 to 32 of a-z, 0-9 and `-`"),
        );
    }
    let (Some(spec), Some(_)) = (&call.version, call.slow_over) else {
        return refuse(
            Reason::AgentRefused,
            "a start needs `version` and `slow_over`".into(),
        );
    };
    let found = match spec.content() {
        Ok(found) => found,
        Err(e) => {
            return refuse(
                Reason::AgentRefused,
                format!("the version's description has no canonical form: {e}"),
            );
        }
    };
    if found != content || spec.version != version {
        let text = format!(
            "the description is version `{}` {found}, the action says `{version}` {content}; plan again",
            spec.version
        );
        return refuse(Reason::PlanEdited, text);
    }
    if let Err(e) = spec.drain.signal.parse::<StopSignal>() {
        return refuse(Reason::AgentRefused, e.to_string());
    }
    Ok(spec.clone())
}

/// Slot names become file names.
pub(super) fn is_slot_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn not_applied(reason: Reason, text: String) -> Outcome {
    Outcome::NotApplied { reason, text }
}

fn reason(error: &ExecError) -> Reason {
    match error {
        ExecError::NotFound { .. } => Reason::ArtifactMissing,
        ExecError::Denied { .. } => Reason::PermissionDenied,
        ExecError::Log { .. } => Reason::StoreFailed,
        _ => Reason::EffectFailed,
    }
}

/// A loopback port that nothing listens on now.
fn free_port(taken: &BTreeSet<u16>) -> Option<u16> {
    let free = |port: &u16| !taken.contains(port) && TcpListener::bind(local(*port)).is_ok();
    (0..PORT_TRIES)
        .map(|_| fastrand::u16(PORTS))
        .find(free)
        .or_else(|| {
            TcpListener::bind(local(0))
                .and_then(|l| l.local_addr())
                .ok()
                .map(|addr| addr.port())
        })
}

/// Directories of kept copies by slot, for those that launch again.
pub(super) fn kept_dir(agent: &Agent, slot: &Slot) -> std::path::PathBuf {
    agent.home.releases().join(slot.content.hex())
}

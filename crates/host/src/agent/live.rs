//! The running agent: the state behind its one lock, the admission of calls, and the making durable of what they did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gonogo_core::clock::SystemClock;
use gonogo_core::{Clock, Reason, Span};
use gonogo_release::plan::{Protocol, VersionSpec};
use gonogo_release::{Action, Outcome};
use gonogo_target::Call;
use gonogo_target::calls::Admission;

use super::home::{Home, fresh_id};
use super::state::{Phase, Slot, State};
use super::{AgentError, Settings, kept};
use crate::proxy::{Config, Proxy, ProxyError, Routes, SlotRoute, Upstream};

/// A running agent.
pub(super) struct Agent {
    pub(super) settings: Settings,
    pub(super) home: Home,
    /// Names this life.
    pub(super) boot: String,
    pub(super) clock: SystemClock,
    /// Held while a kept copy is made or found and not yet noted in a slot, and while copies are removed.
    pub(super) keeping: Mutex<()>,
    live: Mutex<Live>,
    /// Told at every settled call, freed turn and changed slot.
    changed: Condvar,
}

/// Everything that changes.
pub(super) struct Live {
    pub(super) stored: State,
    /// The last write of `stored` failed.
    unsaved: bool,
    /// The data plane; none once the agent has ended it.
    pub(super) proxy: Option<Proxy>,
    pub(super) seen: BTreeMap<String, Seen>,
    /// Slots whose process is being started, drained or stopped.
    turns: BTreeSet<String>,
    /// Number of the last sample.
    pub(super) sampled: u64,
    /// Instance and answers without error as last reported, by slot (see `view`).
    pub(super) reported_ok: BTreeMap<String, (u64, u64)>,
    /// Numbers the tenancies.
    tenancies: u64,
    /// The agent ends.
    pub(super) ending: bool,
}

/// What is known of a slot in use only as long as the agent lives.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// The last probes say so.
    pub(super) ready: bool,
    /// Distinguishes this use of the slot from later ones.
    pub(super) tenancy: u64,
}

/// The right to start, drain or stop in a slot. Dropped without the lock held.
pub(super) struct Turn<'a> {
    agent: &'a Agent,
    slot: String,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.agent.lock().turns.remove(&self.slot);
        self.agent.changed.notify_all();
    }
}

impl Live {
    pub(super) fn is_ready(&self, slot: &str) -> bool {
        self.seen.get(slot).is_some_and(|seen| seen.ready)
    }

    /// Whether `tenancy` still uses `slot` and is not being ended.
    pub(super) fn serves(&self, slot: &str, tenancy: u64) -> bool {
        !self.ending
            && self
                .seen
                .get(slot)
                .is_some_and(|seen| seen.tenancy == tenancy)
            && self
                .stored
                .slots
                .get(slot)
                .is_some_and(|s| s.phase == Phase::Serving)
    }

    /// Begins a use of `slot`; returns its tenancy.
    pub(super) fn settle_in(&mut self, slot: &str, ready: bool) -> u64 {
        self.tenancies += 1;
        self.seen.insert(
            slot.to_owned(),
            Seen {
                ready,
                tenancy: self.tenancies,
            },
        );
        self.tenancies
    }

    pub(super) fn routes(&self) -> Routes {
        let slots = self.stored.shown().map(|(name, slot)| SlotRoute {
            slot: name.clone(),
            version: slot.spec.version.clone(),
            instance: slot.instance,
            upstream: local(slot.port),
            protocol: match slot.spec.protocol {
                Protocol::Http1 => Upstream::Http1,
                Protocol::H2c => Upstream::H2c,
            },
            weight: slot.weight,
            ready: self.is_ready(name),
            slow_over: slot.slow_over.to_std(),
        });
        Routes {
            generation: self.stored.generation,
            slots: slots.collect(),
        }
    }

    /// Puts the present slots and weights in use.
    pub(super) fn route(&self) -> Result<(), ProxyError> {
        self.proxy
            .as_ref()
            .map_or(Ok(()), |proxy| proxy.route(self.routes()))
    }
}

/// Address of a version's process.
pub(super) fn local(port: u16) -> std::net::SocketAddr {
    (std::net::Ipv4Addr::LOCALHOST, port).into()
}

impl Agent {
    /// Opens the traffic address with what runs now; nothing is changed yet but the address.
    pub(super) fn open(
        settings: Settings,
        home: Home,
        stored: State,
        config: Config,
    ) -> Result<Arc<Self>, AgentError> {
        let mut live = Live {
            stored,
            unsaved: false,
            proxy: None,
            seen: BTreeMap::new(),
            turns: BTreeSet::new(),
            sampled: 0,
            reported_ok: BTreeMap::new(),
            tenancies: 0,
            ending: false,
        };
        // What still runs was ready when it was last looked at; the next probes correct that.
        let slots: Vec<(String, bool)> = live
            .stored
            .shown()
            .map(|(name, slot)| (name.clone(), slot.phase == Phase::Serving && runs(slot)))
            .collect();
        for (name, ready) in slots {
            live.settle_in(&name, ready);
        }
        live.proxy = Some(Proxy::start(config, live.routes()).map_err(AgentError::proxy)?);
        Ok(Arc::new(Self {
            settings,
            home,
            boot: fresh_id()?,
            clock: SystemClock::default(),
            keeping: Mutex::new(()),
            live: Mutex::new(live),
            changed: Condvar::new(),
        }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Live> {
        // A panic under the lock leaves at worst an unsettled call, which a probe reports as under way.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes old kept copies, unless one is being made or found just now.
    pub(super) fn prune(&self) {
        if let Ok(_keeping) = self.keeping.try_lock() {
            let slots = &self.lock().stored.slots;
            let used = slots.values().map(|slot| slot.content).collect();
            kept::prune(&self.home.releases(), &used);
        }
    }

    /// Waits for a change, up to `limit`.
    pub(super) fn wait<'a>(
        &self,
        live: MutexGuard<'a, Live>,
        limit: Duration,
    ) -> MutexGuard<'a, Live> {
        self.changed
            .wait_timeout(live, limit)
            .map_or_else(|e| e.into_inner().0, |(live, _)| live)
    }

    pub(super) fn notify(&self) {
        self.changed.notify_all();
    }

    /// Carries out one call. `wanted` says whether the caller still listens.
    pub(super) fn call(self: &Arc<Self>, call: &Call, wanted: &dyn Fn() -> bool) -> Outcome {
        let limit = self.limit(call.deadline);
        match &call.action {
            Action::Observe => {
                let mut live = self.lock();
                self.raise(&mut live, call.epoch)
                    .unwrap_or_else(|()| Outcome::Applied {
                        generation: live.stored.generation,
                        observed: Some(live.stored.observed(|slot| live.is_ready(slot))),
                        cut: 0,
                    })
            }
            Action::Probe { key } => self.probe(call, key, limit),
            _ => {
                if let Err(answer) = self.admit(call, wanted) {
                    return answer;
                }
                match &call.action {
                    Action::Start {
                        slot,
                        version,
                        content,
                    } => self.start(call, slot, version, *content, limit),
                    Action::Weigh { weights, expect } => self.weigh(call, weights, *expect),
                    Action::Drain { slot } => self.drain(call, slot, limit),
                    Action::Stop { slot } => self.stop(call, slot, limit),
                    Action::Observe | Action::Probe { .. } => Outcome::Unknown {
                        text: "not a change".into(),
                    },
                }
            }
        }
    }

    /// Time on the agent's clock at which work for a call must be over: a tenth of its deadline, at most 1 s, is left for the answer.
    fn limit(&self, deadline: Span) -> u64 {
        let ms = deadline.as_millis();
        self.now_ms().saturating_add(ms - (ms / 10).min(1_000))
    }

    /// Monotonic milliseconds of this life.
    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now().mono_ms
    }

    /// How long it is until `limit`.
    pub(super) fn left(&self, limit: u64) -> Duration {
        Duration::from_millis(limit.saturating_sub(self.now_ms()))
    }

    /// Raises the fence durably. `Ok` holds what to answer instead of going on.
    fn raise(&self, live: &mut Live, epoch: u64) -> Result<Outcome, ()> {
        match live.stored.calls.raise(epoch) {
            Err(refusal) => Ok(refusal),
            Ok(false) => Err(()),
            Ok(true) => match self.store(live) {
                Ok(()) => Err(()),
                Err(e) => Ok(Outcome::Unknown {
                    text: format!("the fence could not be made durable: {e}"),
                }),
            },
        }
    }

    /// Admits a call that changes something and makes its intent durable. `Err` holds the answer of a call that is not to be done.
    fn admit(&self, call: &Call, wanted: &dyn Fn() -> bool) -> Result<(), Outcome> {
        let mut live = self.lock();
        // Under the lock: a caller that gave up and then probes is told "never" only if this call is dropped here or comes never.
        if !wanted() {
            return Err(Outcome::Unknown {
                text: "the caller has left; nothing was done".into(),
            });
        }
        if live.ending {
            let text = "the agent is ending; nothing was done, try again when it is back".into();
            return Err(Outcome::NotApplied {
                reason: Reason::AgentUnreachable,
                text,
            });
        }
        match live.stored.calls.admit(&call.key, call.epoch, &call.action) {
            Admission::Refused(outcome) => Err(outcome),
            Admission::Open => Err(Outcome::Unknown {
                text: format!("the call with key `{}` is under way", call.key),
            }),
            Admission::Known(outcome) => Err(self.saved(&mut live, outcome)),
            Admission::Begin => match self.store(&mut live) {
                Ok(()) => Ok(()),
                Err(e) => {
                    live.stored.calls.withdraw(&call.key);
                    let text =
                        format!("the intent could not be made durable, so nothing was done: {e}");
                    Err(Outcome::NotApplied {
                        reason: Reason::StoreFailed,
                        text,
                    })
                }
            },
        }
    }

    /// Settles a call together with whatever else changed, durably.
    pub(super) fn commit(&self, live: &mut Live, key: &str, outcome: Outcome) -> Outcome {
        live.stored.calls.settle(key, outcome.clone());
        self.changed.notify_all();
        live.unsaved = true;
        self.saved(live, outcome)
    }

    /// Makes the state durable.
    pub(super) fn store(&self, live: &mut Live) -> Result<(), AgentError> {
        let stored = self.home.store(&live.stored);
        live.unsaved = stored.is_err();
        stored
    }

    /// Returns `outcome` once everything known is durable. Until then a crash would lose it, so nobody is told.
    fn saved(&self, live: &mut Live, outcome: Outcome) -> Outcome {
        if !live.unsaved {
            return outcome;
        }
        match self.store(live) {
            Ok(()) => outcome,
            Err(e) => Outcome::Unknown {
                text: format!("the outcome could not be made durable: {e}"),
            },
        }
    }

    /// Waits for the right to work on a slot, then checks the epoch again: a newer controller may have come meanwhile.
    pub(super) fn turn(&self, slot: &str, epoch: u64, limit: u64) -> Result<Turn<'_>, Outcome> {
        let mut live = self.lock();
        loop {
            if epoch < live.stored.calls.fence() {
                let text = format!(
                    "a newer controller came before work on slot `{slot}` began; nothing was done"
                );
                return Err(Outcome::Refused {
                    reason: Reason::StaleEpoch,
                    text,
                });
            }
            if live.turns.insert(slot.to_owned()) {
                return Ok(Turn {
                    agent: self,
                    slot: slot.to_owned(),
                });
            }
            let left = self.left(limit);
            if left.is_zero() {
                let text = format!(
                    "slot `{slot}` was busy with another call until the deadline; nothing was done"
                );
                return Err(Outcome::NotApplied {
                    reason: Reason::EffectFailed,
                    text,
                });
            }
            live = self.wait(live, left);
        }
    }

    /// Takes the right to work on a slot for the agent itself, if it is free.
    pub(super) fn own_turn(&self, slot: &str) -> Option<Turn<'_>> {
        self.lock().turns.insert(slot.to_owned()).then(|| Turn {
            agent: self,
            slot: slot.to_owned(),
        })
    }

    fn probe(&self, call: &Call, key: &str, limit: u64) -> Outcome {
        let mut live = self.lock();
        if let Ok(answer) = self.raise(&mut live, call.epoch) {
            return answer;
        }
        loop {
            if let Some(answer) = live.stored.calls.answer(key) {
                return self.saved(&mut live, answer);
            }
            let left = self.left(limit);
            if left.is_zero() {
                return Outcome::Unknown {
                    text: format!("the call with key `{key}` is still under way"),
                };
            }
            live = self.wait(live, left);
        }
    }

    /// Ends the agent: no new calls, calls under way and requests in flight get a moment. Versions go on.
    pub(super) fn finish(self: &Arc<Self>, calls: Duration, requests: Duration) {
        let end = self.now_ms() + calls.as_millis() as u64;
        let mut live = self.lock();
        live.ending = true;
        self.changed.notify_all();
        while !live.turns.is_empty() && !self.left(end).is_zero() {
            live = self.wait(live, self.left(end));
        }
        let proxy = live.proxy.take();
        drop(live);
        if let Some(proxy) = proxy {
            proxy.stop(requests);
        }
        self.home.unbind();
    }
}

/// Whether the process of a slot runs.
pub(super) fn runs(slot: &Slot) -> bool {
    slot.process
        .as_ref()
        .is_some_and(gonogo_exec::Process::is_alive)
}

/// How long a version may take to drain or to stop.
pub(super) fn drain_time(spec: &VersionSpec) -> Duration {
    spec.drain.within.to_std()
}

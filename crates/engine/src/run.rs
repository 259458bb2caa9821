//! One drive of one operation: recovery, then inputs one after the other until the end.
//!
//! Order within a turn: the lease, then at most one transition, then sending what became ready. Nothing here waits longer
//! than the poll interval without looking at the stop flag and the lease.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use gonogo_core::id::OperationId;
use gonogo_core::{Reason, Span, Timestamp};
use gonogo_release::plan::PlanBody;
use gonogo_release::{Input, Outcome, Terminal};
use gonogo_store::{Draft, Lease, Operation, OutboxState, Owner, Posted, StoreError, Subject};

use crate::core::Core;
use crate::driver::{DriveError, Driver};
use crate::evidence::EvidenceError;
use crate::progress::{Notice, OpenAct, Progress};

mod flight;
mod sampling;
mod step;
mod time;

use flight::Flight;
use sampling::Sampling;
use time::MachineTime;

/// First pause after a failed write; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: u64 = 100;
/// Longest pause between two tries of a failed write.
const PAUSE_MAX: u64 = 2_000;
/// Evidence of so many records is appended at once, and never more is kept back.
const BATCH: usize = 256;
/// How often [`Notice::Waiting`] is said.
const WAITING_EVERY: u64 = 1_000;

/// What threads bring back.
enum Signal {
    Done {
        id: u64,
        outcome: Outcome,
    },
    Sampled {
        n: u64,
        result: Result<gonogo_release::Sample, String>,
    },
}

/// Why the loop ends without a result.
enum Halt {
    Stopped,
    Failed(DriveError),
}

impl<E: Into<DriveError>> From<E> for Halt {
    fn from(e: E) -> Self {
        Self::Failed(e.into())
    }
}

struct Run<'a, C> {
    driver: &'a Driver,
    see: &'a dyn Fn(&Progress<'_>),
    operation: OperationId,
    environment: String,
    stream: String,
    subject: Subject,
    plan: Arc<PlanBody>,
    core: C,
    seq: u64,
    time: MachineTime,
    lease: Lease,
    /// Acts whose intent is journalled and that nobody claimed.
    ready: Vec<u64>,
    /// A probe is among what is ready: it needs an epoch of its own.
    fence: bool,
    /// Acts sent by this run and not answered.
    flights: BTreeMap<u64, Flight>,
    timers: BTreeSet<(Timestamp, u64)>,
    inbox: VecDeque<Posted>,
    signals: VecDeque<Signal>,
    sampling: Sampling,
    /// Evidence that the ledger does not have.
    pending: Vec<Draft>,
    /// Evidence up to this event is in the ledger and still in the store.
    delivered: Option<u64>,
    poll_at: u64,
    waiting_at: u64,
    sender: Sender<Signal>,
    receiver: Receiver<Signal>,
}

/// Drives `operation` from where its journal stands.
pub(crate) fn run<C: Core>(
    driver: &Driver,
    operation: &OperationId,
    see: &dyn Fn(&Progress<'_>),
) -> Result<Option<Terminal>, DriveError> {
    let store = &driver.store;
    let stored = store.operation(operation)?;
    if let Some(terminal) = stored.terminal {
        deliver_rest(driver, operation)?;
        return Ok(Some(terminal));
    }
    let owner = Owner::new();
    let lease = store.take_lease(&stored.environment, &owner, driver.settings.lease)?;
    let result = under(
        driver,
        operation,
        see,
        lease.clone(),
        |run: &mut Run<'_, C>| {
            run.recover()?;
            run.go_on()
        },
    );
    if !matches!(result, Err(DriveError::LeaseLost(_))) {
        // Failing here costs the next driver a wait and nothing else.
        drop(store.release_lease(&lease));
    }
    result
}

fn under<C: Core>(
    driver: &Driver,
    operation: &OperationId,
    see: &dyn Fn(&Progress<'_>),
    lease: Lease,
    f: impl FnOnce(&mut Run<'_, C>) -> Result<Terminal, Halt>,
) -> Result<Option<Terminal>, DriveError> {
    // Read again: before the lease was ours another driver may have gone on.
    let stored = driver.store.operation(operation)?;
    if let Some(terminal) = stored.terminal {
        deliver_rest(driver, operation)?;
        return Ok(Some(terminal));
    }
    let mut run = Run::<C>::restore(driver, see, stored, lease)?;
    match f(&mut run) {
        Ok(terminal) => Ok(Some(terminal)),
        Err(Halt::Stopped) => Ok(None),
        Err(Halt::Failed(e)) => Err(e),
    }
}

/// Appends what an earlier driver left of an operation that has ended.
fn deliver_rest(driver: &Driver, operation: &OperationId) -> Result<(), DriveError> {
    let failed = |source| DriveError::Evidence {
        operation: operation.clone(),
        source,
    };
    let rest = driver.store.pending(operation, u32::MAX)?;
    let Some(last) = rest.last().map(|p| p.seq) else {
        return Ok(());
    };
    for part in rest.chunks(BATCH) {
        let drafts = part.iter().map(|p| p.draft.clone()).collect();
        driver.evidence.append(drafts).map_err(failed)?;
    }
    Ok(driver.store.delivered(operation, last)?)
}

impl<'a, C: Core> Run<'a, C> {
    fn restore(
        driver: &'a Driver,
        see: &'a dyn Fn(&Progress<'_>),
        stored: Operation,
        lease: Lease,
    ) -> Result<Self, DriveError> {
        let operation = stored.id.clone();
        let plan = driver.store.plan(&stored.plan)?;
        if !plan.is_intact() || plan.fingerprint != stored.fingerprint {
            return Err(DriveError::PlanChanged { operation });
        }
        let subject = Subject {
            name: plan.id.to_string(),
            digest: plan.fingerprint.digest(),
        };
        let plan = Arc::new(plan.body);
        let core = restored::<C>(&stored, plan.clone())?;
        let now = driver.clock.now();
        let last = if stored.seq == 0 {
            stored.created
        } else {
            stored.updated
        };
        let (sender, receiver) = channel();
        Ok(Self {
            driver,
            see,
            environment: stored.environment,
            stream: format!("operation/{operation}"),
            operation,
            subject,
            plan,
            core,
            seq: stored.seq,
            time: MachineTime::new(now, last),
            lease,
            ready: Vec::new(),
            fence: false,
            flights: BTreeMap::new(),
            timers: BTreeSet::new(),
            inbox: VecDeque::new(),
            signals: VecDeque::new(),
            sampling: Sampling::default(),
            pending: Vec::new(),
            delivered: None,
            poll_at: now.mono_ms,
            waiting_at: now.mono_ms + WAITING_EVERY,
            sender,
            receiver,
        })
    }

    /// Takes up what an earlier driver left: evidence first, then acts in doubt, acts never claimed, timers.
    fn recover(&mut self) -> Result<(), Halt> {
        let left = self.driver.store.pending(&self.operation, u32::MAX)?;
        self.pending = left.into_iter().map(|p| p.draft).collect();
        self.flush()?;
        self.timers = self
            .driver
            .store
            .timers(&self.operation)?
            .into_iter()
            .map(|(id, due)| (due, id))
            .collect();
        let mut doubtful = Vec::new();
        for row in self.driver.store.outbox(&self.operation)? {
            match row.state {
                OutboxState::Ready => self.ready.push(row.act.id),
                OutboxState::Started => doubtful.push(row.act.id),
                OutboxState::Done => {}
            }
        }
        self.tell(Notice::Resumed {
            epoch: self.lease.epoch,
            doubtful: doubtful.len(),
        });
        for id in doubtful {
            let result = Outcome::Unknown {
                text: "the controller ended while the call was under way".into(),
            };
            self.transact(Input::Done { id, result }, None)?;
        }
        Ok(())
    }

    fn go_on(&mut self) -> Result<Terminal, Halt> {
        loop {
            if let Some(terminal) = self.core.terminal().cloned() {
                self.flush()?;
                if let Some(seq) = self.delivered {
                    self.driver.store.delivered(&self.operation, seq)?;
                }
                self.tell(Notice::Ended(&terminal));
                return Ok(terminal);
            }
            self.stop_if_asked()?;
            self.keep_lease()?;
            self.watch_clock();
            self.sample_when_due();
            let next = self.next_input()?;
            let moved = next.is_some();
            if let Some((input, posted)) = next {
                self.transact(input, posted)?;
            }
            if !self.ready.is_empty() {
                self.flush()?;
                self.send_ready()?;
            } else if !moved {
                self.flush()?;
                self.wait();
            } else if self.pending.len() >= BATCH {
                self.flush()?;
            }
        }
    }

    /// The next input, if there is one: other processes first, then answers, then what ran out.
    fn next_input(&mut self) -> Result<Option<(Input, Option<i64>)>, Halt> {
        let now = self.mono();
        if self.inbox.is_empty() && now >= self.poll_at {
            self.poll_at = now + self.driver.settings.poll.as_millis();
            self.inbox = self.driver.store.inbox(&self.operation)?.into();
        }
        if let Some(Posted { id, input }) = self.inbox.pop_front() {
            return Ok(Some((input, Some(id))));
        }
        self.signals.extend(self.receiver.try_iter());
        while let Some(signal) = self.signals.pop_front() {
            if let Some(input) = self.heard(signal) {
                return Ok(Some((input, None)));
            }
        }
        let late = self.overdue(now).or_else(|| self.sample_overdue(now));
        Ok(late.or_else(|| self.due()).map(|input| (input, None)))
    }

    fn heard(&mut self, signal: Signal) -> Option<Input> {
        match signal {
            // The answer to a call that was given up: its outcome stays `Unknown`, and a probe asks about it.
            Signal::Done { id, .. } if self.flights.remove(&id).is_none() => None,
            Signal::Done { id, outcome } => Some(Input::Done {
                id,
                result: outcome,
            }),
            Signal::Sampled { n, result } => self.sampled(n, result),
        }
    }

    fn due(&mut self) -> Option<Input> {
        let (due, id) = *self.timers.first()?;
        (due <= self.now()).then_some(Input::Due { id })
    }

    /// Sleeps until something arrives or is due, at most for the poll interval.
    fn wait(&mut self) {
        let now = self.mono();
        if now >= self.waiting_at {
            self.waiting_at = now + WAITING_EVERY;
            self.tell(Notice::Waiting);
        }
        let machine = self.now();
        let timer = self.timers.first().map(|(due, _)| due.since(machine));
        let timer = timer.map_or(u64::MAX, |left| now.saturating_add(left.as_millis()));
        let flight = self.flights.values().map(|f| f.until).min();
        let wake = [
            Some(self.poll_at),
            Some(timer),
            flight,
            self.sampling.wake(),
        ];
        let wake = wake.into_iter().flatten().min().unwrap_or(now);
        let pause = Duration::from_millis(wake.saturating_sub(now));
        if let Ok(signal) = self.receiver.recv_timeout(pause) {
            self.signals.push_back(signal);
        }
    }

    /// Appends pending evidence and waits for space if there is none.
    fn flush(&mut self) -> Result<(), Halt> {
        let mut pause = PAUSE_MIN;
        while !self.pending.is_empty() {
            let part = self.pending.len().min(BATCH);
            match self.driver.evidence.append(self.pending[..part].to_vec()) {
                Ok(()) => {
                    self.pending.drain(..part);
                    if pause > PAUSE_MIN {
                        self.tell(Notice::Recovered);
                        pause = PAUSE_MIN;
                    }
                }
                Err(e @ (EvidenceError::Full(_) | EvidenceError::Busy(_))) => {
                    self.stall(e.reason(), e.to_string(), &mut pause)?;
                }
                Err(source) => {
                    return Err(DriveError::Evidence {
                        operation: self.operation.clone(),
                        source,
                    }
                    .into());
                }
            }
        }
        self.delivered = Some(self.seq);
        Ok(())
    }

    /// Says that nothing advances, and waits; keeps the lease meanwhile if the store lets it.
    fn stall(&mut self, reason: Reason, text: String, pause: &mut u64) -> Result<(), Halt> {
        self.tell(Notice::Stalled {
            reason,
            text,
            again_in: Span::from_millis(*pause),
        });
        let until = self.mono() + *pause;
        *pause = (*pause * 2).min(PAUSE_MAX);
        loop {
            self.stop_if_asked()?;
            self.keep_lease()?;
            let now = self.mono();
            if now >= until {
                return Ok(());
            }
            let slice = (until - now).min(self.driver.settings.poll.as_millis().max(1));
            if let Ok(signal) = self.receiver.recv_timeout(Duration::from_millis(slice)) {
                self.signals.push_back(signal);
            }
        }
    }

    fn stop_if_asked(&self) -> Result<(), Halt> {
        if self.driver.stop.load(Ordering::Relaxed) {
            return Err(Halt::Stopped);
        }
        Ok(())
    }

    /// Renews the lease when a third of it has passed. A store that is full or busy only costs lease time: sending asks
    /// again for what it needs.
    fn keep_lease(&mut self) -> Result<(), Halt> {
        if !self.lease.is_due() {
            return Ok(());
        }
        match self.driver.store.renew_lease(&mut self.lease) {
            Err(e) if !is_passing(&e) => Err(e.into()),
            _ => Ok(()),
        }
    }

    fn watch_clock(&mut self) {
        if let Some(by_ms) = self.time.jump(self.driver.clock.now()) {
            self.tell(Notice::ClockJumped { by_ms });
        }
    }

    fn mono(&self) -> u64 {
        self.driver.clock.now().mono_ms
    }

    fn now(&mut self) -> Timestamp {
        self.time.at(self.driver.clock.now())
    }

    fn tell(&mut self, notice: Notice<'_>) {
        let at = self.now();
        let mono = self.mono();
        let oldest = self.flights.iter().min_by_key(|(_, f)| f.since);
        let oldest = oldest.map(|(id, f)| OpenAct {
            id: *id,
            key: f.key.clone(),
            age: Span::from_millis(mono.saturating_sub(f.since)),
            deadline: f.deadline,
        });
        (self.see)(&Progress {
            at,
            seq: self.seq,
            phase: self.core.phase(),
            oldest,
            notice,
        });
    }
}

/// Whether waiting may help.
fn is_passing(e: &StoreError) -> bool {
    matches!(e, StoreError::Full { .. } | StoreError::Locked { .. })
}

fn restored<C: Core>(stored: &Operation, plan: Arc<PlanBody>) -> Result<C, DriveError> {
    let operation = || stored.id.clone();
    let (Some(snapshot), Some(digest)) = (&stored.snapshot, stored.digest) else {
        return Ok(C::begin(operation(), plan));
    };
    let core = C::restore(plan, snapshot).map_err(|text| DriveError::Snapshot {
        operation: operation(),
        text,
    })?;
    let found = core.digest();
    if found != digest {
        return Err(DriveError::DigestDiffers {
            operation: operation(),
            stored: digest,
            found,
        });
    }
    Ok(core)
}

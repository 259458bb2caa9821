//! Group commit: whoever comes while a batch is being made durable waits, and one of those who wait takes the next batch
//! for all of them. So a sync is shared by everybody who asked for it at the same time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use gonogo_ledger::Envelope;

use super::error::LedgerError;
use super::record::{Draft, Receipt};
use super::sequencer::Sequencer;
use super::{Ledger, lock, since, trace};

/// How many records a batch takes, unless one call alone brings more.
const BATCH: usize = 256;

/// One append call: recorded whole or not at all.
#[derive(Debug)]
pub(super) enum Job {
    Drafts {
        drafts: Vec<Draft>,
        trace: Option<Arc<str>>,
        /// How many records the ledger must have before them; none if any number will do.
        size: Option<u64>,
    },
    Signed(Box<Envelope>),
}

impl Job {
    /// A call of this thread, which belongs to the trace that the thread works for.
    pub(super) fn of(drafts: Vec<Draft>, size: Option<u64>) -> Self {
        Self::Drafts {
            drafts,
            trace: trace::current(),
            size,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Drafts { drafts, .. } => drafts.len(),
            Self::Signed(_) => 1,
        }
    }
}

pub(super) type Outcome = Result<Vec<Receipt>, LedgerError>;

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    next: u64,
    waiting: VecDeque<(u64, Job)>,
    done: HashMap<u64, Outcome>,
    led: bool,
}

impl Queue {
    /// Hands in a job and returns its outcome. The calling thread may do the work of others.
    fn run(&self, job: Job, sequencer: &Mutex<Sequencer>) -> Outcome {
        let mut state = lock(&self.state);
        let ticket = state.next;
        state.next += 1;
        state.waiting.push_back((ticket, job));
        loop {
            if let Some(outcome) = state.done.remove(&ticket) {
                return outcome;
            }
            if state.led {
                state = self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (tickets, jobs) = take_batch(&mut state.waiting);
            state.led = true;
            drop(state);
            let mut lead = Lead {
                queue: self,
                tickets,
                outcomes: Vec::new(),
            };
            lead.outcomes = lock(sequencer).commit(jobs);
            drop(lead);
            state = lock(&self.state);
        }
    }
}

/// Gives up the lead, hands out the outcomes and wakes everybody, also when the leader panics: then the jobs it had taken
/// fail instead of being waited for.
struct Lead<'a> {
    queue: &'a Queue,
    tickets: Vec<u64>,
    outcomes: Vec<Outcome>,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let lost = || {
            Err(LedgerError::Refused {
                stream: "*".into(),
                text: "the thread that wrote the batch panicked; look before you repeat".into(),
            })
        };
        let mut outcomes = self.outcomes.drain(..);
        let mut state = lock(&self.queue.state);
        for ticket in self.tickets.drain(..) {
            let outcome = outcomes.next().unwrap_or_else(lost);
            state.done.insert(ticket, outcome);
        }
        state.led = false;
        self.queue.wake.notify_all();
    }
}

fn take_batch(waiting: &mut VecDeque<(u64, Job)>) -> (Vec<u64>, Vec<Job>) {
    let mut records = 0;
    let mut batch = (Vec::new(), Vec::new());
    while let Some((_, job)) = waiting.front() {
        records += job.len();
        if records > BATCH && !batch.0.is_empty() {
            break;
        }
        if let Some((ticket, job)) = waiting.pop_front() {
            batch.0.push(ticket);
            batch.1.push(job);
        }
    }
    batch
}

impl Ledger {
    /// Records drafts, in order, all or none, and returns when they are durable. A draft whose stream and key are known
    /// already is not recorded again: the same kind, subject and body give the first record's receipt with `fresh` false.
    ///
    /// # Errors
    /// [`LedgerError::Moved`] if this thread decides on what it saw ([`since::unmoved`]) and the ledger has grown since;
    /// [`LedgerError::KeyReused`] for the same key with another content; [`LedgerError::Full`], after which the ledger is as
    /// before; [`LedgerError::Sync`], after which **the process must end**; [`LedgerError::Corrupt`]; [`LedgerError::Signer`];
    /// [`LedgerError::Refused`].
    pub fn append(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, LedgerError> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let size = since::expected(&drafts)?;
        let outcome = self.queue.run(Job::of(drafts, size), self.sequencer()?);
        since::told(size.is_some(), &outcome);
        let receipts = outcome?;
        self.publish_if_due();
        Ok(receipts)
    }

    /// Records an envelope that was signed elsewhere over the bytes of [`Ledger::prepare`].
    ///
    /// # Errors
    /// As [`Ledger::append`]; [`LedgerError::Moved`] if other records have come into the stream since it was prepared.
    pub fn append_signed(&self, envelope: &[u8]) -> Result<Receipt, LedgerError> {
        let envelope = Box::new(Envelope::import(envelope)?);
        let receipts = self.queue.run(Job::Signed(envelope), self.sequencer()?)?;
        self.publish_if_due();
        Ok(receipts[0])
    }

    pub(super) fn sequencer(&self) -> Result<&Mutex<Sequencer>, LedgerError> {
        self.writer.as_ref().ok_or_else(|| LedgerError::ReadOnly {
            path: self.layout.ledger(),
        })
    }
}

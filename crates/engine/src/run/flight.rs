//! Acts under way: claim, send, give up.

use std::thread;

use gonogo_core::{Reason, Span};
use gonogo_release::{Input, Outcome};
use gonogo_store::Claim;
use gonogo_target::Call;

use super::{Halt, PAUSE_MIN, Run, Signal, is_passing};
use crate::core::Core;
use crate::progress::Notice;

/// A target that answers at its deadline says more than "unknown", so its answer may be this late, in milliseconds.
const GRACE: u64 = 50;

/// A call under way, on the monotonic clock.
pub(super) struct Flight {
    pub(super) key: String,
    pub(super) since: u64,
    pub(super) until: u64,
    pub(super) deadline: Span,
}

impl<C: Core> Run<'_, C> {
    /// Claims and sends what is ready. Its intents are in the evidence already.
    pub(super) fn send_ready(&mut self) -> Result<(), Halt> {
        let acts = std::mem::take(&mut self.ready);
        self.hold_lease(self.lease.length)?;
        let at = self.now();
        let mut pause = PAUSE_MIN;
        // "Never seen" is only true for good if what this driver itself sent earlier can no longer arrive.
        while std::mem::take(&mut self.fence) {
            match self.driver.store.raise_epoch(&mut self.lease) {
                Ok(()) => {}
                Err(e) if is_passing(&e) => {
                    self.fence = true;
                    self.stall(e.reason(), e.to_string(), &mut pause)?;
                }
                Err(e) => return Err(e.into()),
            }
        }
        let claims = loop {
            let store = &self.driver.store;
            match store.claim(&self.lease, &self.operation, &acts, at) {
                Ok(claims) => break claims,
                Err(e) if is_passing(&e) => self.stall(e.reason(), e.to_string(), &mut pause)?,
                Err(e) => return Err(e.into()),
            }
        };
        for claim in claims {
            self.hold_lease(claim.act().deadline)?;
            self.send(claim);
        }
        Ok(())
    }

    /// Makes sure that enough of the lease is left to begin a call that may take `request`. Longer calls outlive a lease;
    /// the epoch that they carry is what protects the target then.
    fn hold_lease(&mut self, request: Span) -> Result<(), Halt> {
        let enough = request.as_millis().min(self.lease.length.as_millis() / 3);
        let mut pause = PAUSE_MIN;
        while self.lease.left().as_millis() < enough {
            match self.driver.store.renew_lease(&mut self.lease) {
                Ok(()) => return Ok(()),
                Err(e) if is_passing(&e) => self.stall(e.reason(), e.to_string(), &mut pause)?,
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn send(&mut self, claim: Claim) {
        let act = claim.act();
        let since = self.mono();
        let flight = Flight {
            key: act.key.clone(),
            since,
            until: since
                .saturating_add(act.deadline.as_millis())
                .saturating_add(GRACE),
            deadline: act.deadline,
        };
        let id = act.id;
        self.flights.insert(id, flight);
        self.tell(Notice::Sent {
            act,
            epoch: claim.epoch(),
        });
        let call = Call::of(act, claim.epoch(), &self.plan);
        let (target, sender) = (self.driver.target.clone(), self.sender.clone());
        let thread = thread::Builder::new().name(format!("act {id}"));
        let begun = thread.spawn(move || {
            let outcome = target.call(&call);
            // Nobody listens any more if the drive is over; the next one probes.
            drop(sender.send(Signal::Done { id, outcome }));
        });
        if let Err(e) = begun {
            let outcome = Outcome::NotApplied {
                reason: Reason::AgentUnreachable,
                text: format!("no thread could be started for the call: {e}"),
            };
            self.signals.push_back(Signal::Done { id, outcome });
        }
    }

    /// Gives up one call that outlived its deadline. Its thread goes on; its answer will not be heard.
    pub(super) fn overdue(&mut self, now: u64) -> Option<Input> {
        let (&id, _) = self.flights.iter().find(|(_, f)| f.until <= now)?;
        let flight = self.flights.remove(&id)?;
        Some(Input::Done {
            id,
            result: Outcome::Unknown {
                text: format!("no answer within {}", flight.deadline),
            },
        })
    }
}

//! What a target remembers of calls: the fence, and what became of each key. Every target keeps the same rules by keeping this value.
//!
//! Pure: the owner makes it durable, before it acts and before it answers. Invariants: the fence never falls; a key has one action and at
//! most one outcome; what is under way is never forgotten.

use std::collections::BTreeMap;

use gonogo_core::Reason;
use gonogo_release::{Action, Outcome};
use serde::{Deserialize, Serialize};

/// How many settled keys are remembered.
pub const KEPT: usize = 1_000;

/// The fence and the keys. This is a stored format.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    fence: u64,
    next: u64,
    seen: BTreeMap<String, Seen>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    /// Order of arrival.
    n: u64,
    epoch: u64,
    action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
}

/// What is to be done with a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// New: make this durable, then do it, then [`Calls::settle`] it.
    Begin,
    /// Seen before: answer this and do nothing.
    Known(Outcome),
    /// Seen before and still under way: do nothing.
    Open,
    /// Refused: answer this and do nothing.
    Refused(Outcome),
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// No call with it was admitted.
    Never,
    /// Under way.
    Open,
    /// It ended so.
    Settled(Outcome),
}

impl Calls {
    /// Returns the newest epoch seen.
    pub const fn fence(&self) -> u64 {
        self.fence
    }

    /// Raises the fence to `epoch`; says whether it moved.
    ///
    /// # Errors
    /// The refusal to answer, if `epoch` is older than the fence.
    pub fn raise(&mut self, epoch: u64) -> Result<bool, Outcome> {
        if epoch < self.fence {
            return Err(Outcome::Refused {
                reason: Reason::StaleEpoch,
                text: format!(
                    "epoch {epoch} is older than {}, the newest seen; nothing was done",
                    self.fence
                ),
            });
        }
        let moved = epoch > self.fence;
        self.fence = epoch;
        Ok(moved)
    }

    /// Admits a call that changes something: checks the epoch, then the key, and notes the intent of a new one.
    pub fn admit(&mut self, key: &str, epoch: u64, action: &Action) -> Admission {
        if let Err(refusal) = self.raise(epoch) {
            return Admission::Refused(refusal);
        }
        match self.seen.get(key) {
            Some(seen) if seen.action != *action => Admission::Refused(Outcome::Refused {
                reason: Reason::IdempotencyConflict,
                text: format!(
                    "key `{key}` belongs to another action; nothing was done, use a new key"
                ),
            }),
            Some(Seen {
                outcome: Some(outcome),
                ..
            }) => Admission::Known(outcome.clone()),
            Some(Seen { outcome: None, .. }) => Admission::Open,
            None => {
                self.next += 1;
                let seen = Seen {
                    n: self.next,
                    epoch,
                    action: action.clone(),
                    outcome: None,
                };
                self.seen.insert(key.to_owned(), seen);
                Admission::Begin
            }
        }
    }

    /// Notes what became of an admitted call, and forgets the oldest settled keys beyond [`KEPT`].
    pub fn settle(&mut self, key: &str, outcome: Outcome) {
        if let Some(seen) = self.seen.get_mut(key) {
            seen.outcome = Some(outcome);
        }
        let settled = self.seen.iter().filter(|(_, seen)| seen.outcome.is_some());
        let mut order: Vec<(u64, String)> =
            settled.map(|(key, seen)| (seen.n, key.clone())).collect();
        if order.len() > KEPT {
            order.sort_unstable();
            for (_, key) in &order[..order.len() - KEPT] {
                self.seen.remove(key);
            }
        }
    }

    /// Takes back the intent of a call that was not begun.
    pub fn withdraw(&mut self, key: &str) {
        if self
            .seen
            .get(key)
            .is_some_and(|seen| seen.outcome.is_none())
        {
            self.seen.remove(key);
        }
    }

    /// Tells what became of a key.
    pub fn fate(&self, key: &str) -> Fate {
        match self.seen.get(key) {
            None => Fate::Never,
            Some(Seen { outcome: None, .. }) => Fate::Open,
            Some(Seen {
                outcome: Some(outcome),
                ..
            }) => Fate::Settled(outcome.clone()),
        }
    }

    /// Answers a probe of `key`, whose fence was raised before. None while the call is under way.
    ///
    /// A refused call was certainly not done, so that a probe's own `Refused` only ever speaks of the probe.
    pub fn answer(&self, key: &str) -> Option<Outcome> {
        match self.fate(key) {
            Fate::Open => None,
            Fate::Settled(Outcome::Refused { reason, text }) => {
                Some(Outcome::NotApplied { reason, text })
            }
            Fate::Settled(outcome) => Some(outcome),
            Fate::Never => Some(Outcome::NotApplied {
                reason: Reason::EffectFailed,
                text: format!(
                    "no call with key `{key}` has arrived, and none of an epoch below {} will be accepted",
                    self.fence
                ),
            }),
        }
    }

    /// The calls under way, oldest first.
    pub fn open(&self) -> Vec<(String, Action)> {
        let open = self.seen.iter().filter(|(_, seen)| seen.outcome.is_none());
        let mut open: Vec<_> = open
            .map(|(key, seen)| (seen.n, key.clone(), seen.action.clone()))
            .collect();
        open.sort_by_key(|(n, ..)| *n);
        open.into_iter()
            .map(|(_, key, action)| (key, action))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(slot: &str) -> Action {
        Action::Stop { slot: slot.into() }
    }

    fn applied(generation: u64) -> Outcome {
        Outcome::Applied {
            generation,
            observed: None,
            cut: 0,
        }
    }

    #[test]
    fn a_key_is_done_once_and_means_one_action() {
        let mut calls = Calls::default();
        assert_eq!(calls.admit("k", 1, &stop("a")), Admission::Begin);
        assert_eq!(calls.admit("k", 1, &stop("a")), Admission::Open);
        assert_eq!(calls.answer("k"), None);
        calls.settle("k", applied(7));
        assert_eq!(
            calls.admit("k", 2, &stop("a")),
            Admission::Known(applied(7))
        );
        assert!(matches!(
            calls.admit("k", 2, &stop("b")),
            Admission::Refused(Outcome::Refused {
                reason: Reason::IdempotencyConflict,
                ..
            })
        ));
        assert!(matches!(
            calls.admit("new", 1, &stop("b")),
            Admission::Refused(Outcome::Refused {
                reason: Reason::StaleEpoch,
                ..
            })
        ));
        assert_eq!(calls.fate("new"), Fate::Never);
    }

    #[test]
    fn the_oldest_settled_keys_are_forgotten_and_open_ones_never() {
        let mut calls = Calls::default();
        calls.admit("open", 1, &stop("a"));
        for n in 0..=KEPT {
            let key = format!("k{n}");
            calls.admit(&key, 1, &stop("a"));
            calls.settle(&key, applied(1));
        }
        assert_eq!(calls.fate("open"), Fate::Open);
        assert_eq!(calls.fate("k0"), Fate::Never);
        assert_eq!(calls.fate("k1"), Fate::Settled(applied(1)));
        assert_eq!(calls.open(), vec![("open".into(), stop("a"))]);
    }

    #[test]
    fn a_refused_call_is_reported_as_not_done() {
        let mut calls = Calls::default();
        calls.admit("k", 3, &stop("a"));
        calls.settle(
            "k",
            Outcome::Refused {
                reason: Reason::AgentRefused,
                text: "no".into(),
            },
        );
        assert_eq!(
            calls.answer("k"),
            Some(Outcome::NotApplied {
                reason: Reason::AgentRefused,
                text: "no".into()
            })
        );
        let text = serde_json::to_string(&calls).unwrap();
        assert_eq!(serde_json::from_str::<Calls>(&text).unwrap(), calls);
    }
}

//! The contract of every [`Target`], as a check that runs against any of them.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Reason, Span};
use gonogo_release::plan::VersionSpec;
use gonogo_release::{Action, Observed, ObservedSlot, Outcome};

use crate::{Call, Target};

/// What the check works with: an empty target and versions that it can start.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// A version that becomes ready.
    pub first: VersionSpec,
    /// Another one.
    pub second: VersionSpec,
    /// One that does not, if there is one.
    pub broken: Option<VersionSpec>,
    /// Latency bound for starts.
    pub slow_over: Span,
    /// Deadline of each call.
    pub deadline: Span,
    /// First epoch to use; at least 2, and above all that the target has seen. The check uses the next two as well.
    pub epoch: u64,
}

/// A rule that a target broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {text}")]
pub struct Breach {
    /// The rule.
    pub rule: &'static str,
    /// What was seen.
    pub text: String,
}

/// Checks `target`, which must be empty, against the contract; leaves it empty.
///
/// # Errors
/// The first [`Breach`].
pub fn check_contract(target: &dyn Target, fixture: &Fixture) -> Result<(), Breach> {
    let mut check = Check {
        target,
        fixture,
        epoch: fixture.epoch,
    };
    check.starting()?;
    check.weighing()?;
    check.keeping_what_serves()?;
    check.fencing()?;
    check.ending()
}

struct Check<'a> {
    target: &'a dyn Target,
    fixture: &'a Fixture,
    epoch: u64,
}

type Checked<T = ()> = Result<T, Breach>;

impl Check<'_> {
    fn starting(&self) -> Checked {
        let fresh = self.observe()?;
        ensure(
            "an empty target reports no slots",
            fresh.slots.is_empty(),
            &fresh,
        )?;
        let started = self.applied(
            "a start is applied",
            self.start("s1", "blue", &self.fixture.first),
        )?;
        ensure(
            "a start makes the generation grow",
            started > fresh.generation,
            &started,
        )?;
        let seen = self.observe()?;
        let expected = vec![slot("blue", &self.fixture.first, 0)];
        ensure(
            "a started version is ready, without weight",
            seen.slots == expected && seen.generation == started,
            &seen,
        )?;
        let again = self.start("s1", "blue", &self.fixture.first);
        ensure(
            "a known key gets the same answer",
            again
                == Outcome::Applied {
                    generation: started,
                    observed: None,
                    cut: 0,
                },
            &again,
        )?;
        let other = self.call(
            "s1",
            Action::Stop {
                slot: "blue".into(),
            },
        );
        refused(
            "a known key with another action is refused",
            &other,
            Reason::IdempotencyConflict,
        )?;
        let held = self.start("s2", "blue", &self.fixture.second);
        refused(
            "a slot in use is not started into",
            &held,
            Reason::BaseStateMoved,
        )?;
        let lie = Action::Start {
            slot: "green".into(),
            version: self.fixture.second.version.clone(),
            content: content(&self.fixture.first)?,
        };
        refused(
            "a description that is not the approved one is refused",
            &self.call_with("s3", lie, &self.fixture.second),
            Reason::PlanEdited,
        )?;
        if let Some(broken) = &self.fixture.broken {
            let outcome = self.start("s4", "broken", broken);
            let told = matches!(
                outcome,
                Outcome::NotApplied {
                    reason: Reason::VersionExited | Reason::VersionNotReady,
                    ..
                }
            );
            ensure(
                "a version that does not become ready is not applied",
                told,
                &outcome,
            )?;
        }
        let after = self.observe()?;
        ensure(
            "what was refused or failed changed nothing",
            after == seen,
            &after,
        )
    }

    fn weighing(&self) -> Checked {
        let before = self.observe()?;
        let all = |slot: &str| BTreeMap::from([(slot.to_owned(), 10_000)]);
        refused(
            "a weighing expects the generation",
            &self.weigh("w1", all("blue"), before.generation + 1),
            Reason::BaseStateMoved,
        )?;
        refused(
            "an old generation is refused",
            &self.weigh("w2", all("blue"), before.generation - 1),
            Reason::BaseStateMoved,
        )?;
        refused(
            "an empty slot gets no weight",
            &self.weigh("w3", all("green"), before.generation),
            Reason::VersionNotReady,
        )?;
        let half = self.weigh(
            "w4",
            BTreeMap::from([("blue".into(), 5_000)]),
            before.generation,
        );
        ensure(
            "weights add up to all or nothing",
            matches!(half, Outcome::Refused { .. }),
            &half,
        )?;
        let now = self.observe()?;
        ensure("refused weights change nothing", now == before, &now)?;
        let weighed = self.applied(
            "a weighing is applied",
            self.weigh("w5", all("blue"), before.generation),
        )?;
        ensure(
            "a weighing makes the generation grow by one",
            weighed == before.generation + 1,
            &weighed,
        )?;
        let second = self.applied(
            "a start beside is applied",
            self.start("s5", "green", &self.fixture.second),
        )?;
        let split = BTreeMap::from([("blue".to_owned(), 9_000), ("green".to_owned(), 1_000)]);
        let split_at = self.applied(
            "a split is applied",
            self.weigh("w6", split.clone(), second),
        )?;
        let again = self.weigh("w6", split, second);
        ensure(
            "a repeated weighing is not refused by its own effect",
            again
                == Outcome::Applied {
                    generation: split_at,
                    observed: None,
                    cut: 0,
                },
            &again,
        )?;
        let seen = self.observe()?;
        let expected = vec![
            slot("blue", &self.fixture.first, 9_000),
            slot("green", &self.fixture.second, 1_000),
        ];
        ensure(
            "weights are as set",
            seen == Observed {
                generation: split_at,
                slots: expected,
            },
            &seen,
        )?;
        self.sampling(&seen)
    }

    fn sampling(&self, seen: &Observed) -> Checked {
        let take = || {
            self.target
                .sample(self.fixture.deadline)
                .map_err(|text| Breach {
                    rule: "a target can be sampled",
                    text,
                })
        };
        let (one, two) = (take()?, take()?);
        ensure(
            "samples of one life are numbered upwards",
            one.boot == two.boot && two.seq > one.seq,
            &(&one, &two),
        )?;
        ensure(
            "a sample names the generation",
            one.generation == seen.generation,
            &one,
        )?;
        let shown: Vec<_> = one
            .slots
            .iter()
            .map(|(name, c)| (name.clone(), c.version.clone(), c.weight, c.ready))
            .collect();
        let expected: Vec<_> = seen
            .slots
            .iter()
            .map(|s| (s.slot.clone(), s.version.clone(), s.weight, s.ready))
            .collect();
        ensure(
            "a sample shows the slots as observed",
            shown == expected,
            &one,
        )?;
        let adds_up = two
            .slots
            .values()
            .all(|c| c.completed() + c.in_flight <= c.routed);
        ensure("no more requests end than were routed", adds_up, &two)
    }

    fn keeping_what_serves(&self) -> Checked {
        let before = self.observe()?;
        for (key, action) in [
            (
                "k1",
                Action::Stop {
                    slot: "blue".into(),
                },
            ),
            (
                "k2",
                Action::Drain {
                    slot: "blue".into(),
                },
            ),
        ] {
            let outcome = self.call(key, action);
            ensure(
                "a slot with weight is neither stopped nor drained",
                matches!(outcome, Outcome::Refused { .. }),
                &outcome,
            )?;
        }
        let after = self.observe()?;
        ensure("what serves goes on", after == before, &after)
    }

    fn fencing(&mut self) -> Checked {
        let before = self.observe()?;
        let old = self.epoch;
        self.epoch = old + 1;
        let never = self.call(
            "p1",
            Action::Probe {
                key: self.key("lost"),
            },
        );
        ensure(
            "a call that never came was not done",
            matches!(never, Outcome::NotApplied { .. }),
            &never,
        )?;
        let late = [
            (
                "lost",
                Action::Stop {
                    slot: "green".into(),
                },
            ),
            (
                "new",
                Action::Weigh {
                    weights: BTreeMap::new(),
                    expect: before.generation,
                },
            ),
            ("look", Action::Observe),
            (
                "p2",
                Action::Probe {
                    key: self.key("s1"),
                },
            ),
        ];
        for (key, action) in late {
            let outcome = self.at(old, key, action);
            refused(
                "after a probe every call of an older epoch is refused",
                &outcome,
                Reason::StaleEpoch,
            )?;
        }
        let known = self.at(
            old,
            "w6",
            Action::Stop {
                slot: "green".into(),
            },
        );
        refused(
            "a stale call is refused before its key is looked at",
            &known,
            Reason::StaleEpoch,
        )?;
        let after = self.observe()?;
        ensure("refused calls change nothing", after == before, &after)?;
        let done = self.call(
            "p3",
            Action::Probe {
                key: self.key("w6"),
            },
        );
        ensure(
            "a probe tells what was done",
            done == Outcome::Applied {
                generation: before.generation,
                observed: None,
                cut: 0,
            },
            &done,
        )?;
        let refusal = self.call(
            "p4",
            Action::Probe {
                key: self.key("w1"),
            },
        );
        ensure(
            "a probe tells what was refused as not done",
            matches!(refusal, Outcome::NotApplied { .. }),
            &refusal,
        )?;
        self.epoch = old + 2;
        self.observe()?;
        let stale = self.at(
            old + 1,
            "late",
            Action::Stop {
                slot: "green".into(),
            },
        );
        refused(
            "any newer call raises the fence",
            &stale,
            Reason::StaleEpoch,
        )
    }

    fn ending(&self) -> Checked {
        let before = self.observe()?;
        let moved = self.weigh(
            "e1",
            BTreeMap::from([("green".into(), 10_000)]),
            before.generation,
        );
        let moved = self.applied("slots that are not named get no weight", moved)?;
        let drained = self.applied(
            "a slot without weight is drained",
            self.call(
                "e2",
                Action::Drain {
                    slot: "blue".into(),
                },
            ),
        )?;
        ensure(
            "draining changes no slot and no weight",
            drained == moved,
            &drained,
        )?;
        let stopped = self.applied(
            "a slot without weight is stopped",
            self.call(
                "e3",
                Action::Stop {
                    slot: "blue".into(),
                },
            ),
        )?;
        ensure(
            "stopping makes the generation grow",
            stopped > moved,
            &stopped,
        )?;
        let seen = self.observe()?;
        ensure(
            "a stopped slot is free",
            seen.slots == vec![slot("green", &self.fixture.second, 10_000)],
            &seen,
        )?;
        let again = self.applied(
            "stopping an empty slot is harmless",
            self.call(
                "e4",
                Action::Stop {
                    slot: "blue".into(),
                },
            ),
        )?;
        ensure(
            "stopping an empty slot changes nothing",
            again == stopped,
            &again,
        )?;
        let none = self.applied(
            "a target may serve nothing",
            self.weigh("e5", BTreeMap::new(), stopped),
        )?;
        let last = self.applied(
            "the last slot can be stopped",
            self.call(
                "e6",
                Action::Stop {
                    slot: "green".into(),
                },
            ),
        )?;
        let empty = self.observe()?;
        ensure(
            "an emptied target reports no slots",
            last > none
                && empty
                    == Observed {
                        generation: last,
                        slots: Vec::new(),
                    },
            &empty,
        )
    }

    fn key(&self, key: &str) -> String {
        format!("contract-{}-{key}", self.fixture.epoch)
    }

    fn at(&self, epoch: u64, key: &str, action: Action) -> Outcome {
        let deadline = self.fixture.deadline;
        self.target.call(&Call {
            key: self.key(key),
            epoch,
            deadline,
            action,
            version: None,
            slow_over: None,
        })
    }

    fn call(&self, key: &str, action: Action) -> Outcome {
        self.at(self.epoch, key, action)
    }

    fn call_with(&self, key: &str, action: Action, spec: &VersionSpec) -> Outcome {
        self.target.call(&Call {
            key: self.key(key),
            epoch: self.epoch,
            deadline: self.fixture.deadline,
            action,
            version: Some(spec.clone()),
            slow_over: Some(self.fixture.slow_over),
        })
    }

    fn start(&self, key: &str, slot: &str, spec: &VersionSpec) -> Outcome {
        match content(spec) {
            Ok(content) => self.call_with(
                key,
                Action::Start {
                    slot: slot.into(),
                    version: spec.version.clone(),
                    content,
                },
                spec,
            ),
            Err(e) => Outcome::Unknown {
                text: e.to_string(),
            },
        }
    }

    fn weigh(&self, key: &str, weights: BTreeMap<String, u32>, expect: u64) -> Outcome {
        self.call(key, Action::Weigh { weights, expect })
    }

    fn observe(&self) -> Checked<Observed> {
        match self.call("look", Action::Observe) {
            Outcome::Applied {
                generation,
                observed: Some(observed),
                cut: 0,
            } if observed.generation == generation => Ok(observed),
            other => Err(Breach {
                rule: "a target can be observed",
                text: format!("{other:?}"),
            }),
        }
    }

    fn applied(&self, rule: &'static str, outcome: Outcome) -> Checked<u64> {
        match outcome {
            Outcome::Applied { generation, .. } => Ok(generation),
            other => Err(Breach {
                rule,
                text: format!("{other:?}"),
            }),
        }
    }
}

fn slot(name: &str, spec: &VersionSpec, weight: u32) -> ObservedSlot {
    let content = spec.content().unwrap_or(Digest::from_bytes([0; 32]));
    ObservedSlot {
        slot: name.into(),
        version: spec.version.clone(),
        content,
        weight,
        ready: true,
    }
}

fn content(spec: &VersionSpec) -> Checked<Digest> {
    spec.content().map_err(|e| Breach {
        rule: "the fixture's versions have a canonical form",
        text: e.to_string(),
    })
}

fn ensure(rule: &'static str, holds: bool, seen: &impl std::fmt::Debug) -> Checked {
    if holds {
        Ok(())
    } else {
        Err(Breach {
            rule,
            text: format!("{seen:?}"),
        })
    }
}

fn refused(rule: &'static str, outcome: &Outcome, expected: Reason) -> Checked {
    let holds = matches!(outcome, Outcome::Refused { reason, .. } if *reason == expected);
    ensure(rule, holds, outcome)
}

//! One transition: step the machine on a copy, commit everything that follows in one transaction, then believe it.

use gonogo_core::canonical;
use gonogo_release::machine::Ending;
use gonogo_release::{Action, Effect, Input, Outcome, replay};
use gonogo_store::{Draft, KnownGood, Transition};

use super::{Halt, PAUSE_MIN, Run, is_passing};
use crate::core::Core;
use crate::driver::DriveError;
use crate::progress::Notice;

impl<C: Core> Run<'_, C> {
    /// Brings one input. When this returns it is durable; if it fails, the machine never saw the input.
    pub(super) fn transact(&mut self, input: Input, posted: Option<i64>) -> Result<(), Halt> {
        let input = admitted(input);
        let at = self.now();
        let seq = self.seq + 1;
        let mut core = self.core.clone();
        let effects = core.step(at, input.clone());
        let records = self.records(seq, at, &input, &effects);
        let operation = self.operation.clone();
        let snapshot = core.snapshot().map_err(|text| DriveError::Snapshot {
            operation: operation.clone(),
            text,
        })?;
        let acts = effects.iter().filter_map(|e| match e {
            Effect::Act(act) => Some(act),
            _ => None,
        });
        let timers = effects.iter().filter_map(|e| match e {
            Effect::Timer { id, due } => Some((*id, *due)),
            _ => None,
        });
        let transition = Transition {
            operation: &operation,
            seq,
            at,
            input: &input,
            snapshot,
            digest: core.digest(),
            phase: core.phase(),
            terminal: core.terminal(),
            known_good: self.known_good(&core, at)?,
            acts: acts.collect(),
            timers: timers.collect(),
            posted,
            records: &records,
            delivered: self.delivered,
        };
        let mut pause = PAUSE_MIN;
        while let Err(e) = self.driver.store.commit(&self.lease, &transition) {
            if !is_passing(&e) {
                return Err(e.into());
            }
            self.stall(e.reason(), e.to_string(), &mut pause)?;
        }
        self.ready.extend(transition.acts.iter().map(|a| a.id));
        self.fence |= transition
            .acts
            .iter()
            .any(|a| matches!(a.action, Action::Probe { .. }));
        if let Input::Due { id } = input {
            self.timers.retain(|(_, timer)| *timer != id);
        }
        for (id, due) in transition.timers {
            self.timers.retain(|(_, timer)| *timer != id);
            self.timers.insert((due, id));
        }
        self.core = core;
        self.seq = seq;
        self.delivered = None;
        self.pending.extend(records);
        if pause > PAUSE_MIN {
            self.tell(Notice::Recovered);
        }
        self.tell(Notice::Stepped {
            input: &input,
            effects: &effects,
        });
        Ok(())
    }

    /// Evidence of one transition, keyed `<seq>/<n>`: the same transition has the same keys.
    fn records(
        &self,
        seq: u64,
        at: gonogo_core::Timestamp,
        input: &Input,
        effects: &[Effect],
    ) -> Vec<Draft> {
        let question = replay::question(seq, at, input);
        let answers = replay::answers(seq, at, effects);
        let actor = match input {
            Input::Cancel { by, .. } | Input::Freeze { by, .. } => by,
            _ => &self.driver.settings.actor,
        };
        std::iter::once((question, actor))
            .chain(
                answers
                    .into_iter()
                    .map(|a| (a, &self.driver.settings.actor)),
            )
            .enumerate()
            .map(|(n, ((kind, body), actor))| Draft {
                stream: self.stream.clone(),
                key: format!("{seq}/{n}"),
                kind: kind.into(),
                time: at,
                actor: actor.clone(),
                subject: self.subject.clone(),
                body,
            })
            .collect()
    }

    fn known_good(
        &self,
        core: &C,
        at: gonogo_core::Timestamp,
    ) -> Result<Option<KnownGood>, DriveError> {
        if core.terminal().is_none_or(|t| t.result != Ending::Promoted) {
            return Ok(None);
        }
        let content = self.plan.to.content().map_err(|e| DriveError::Snapshot {
            operation: self.operation.clone(),
            text: e.to_string(),
        })?;
        Ok(Some(KnownGood {
            environment: self.environment.clone(),
            version: self.plan.to.version.clone(),
            content,
            operation: self.operation.clone(),
            at,
        }))
    }
}

/// What came from outside and cannot be recorded faithfully is doubt: the ledger would refuse it, and the operation would
/// wait for ever.
fn admitted(input: Input) -> Input {
    let Err(e) = canonical::to_vec(&input) else {
        return input;
    };
    match input {
        Input::Done { id, .. } => Input::Done {
            id,
            result: Outcome::Unknown {
                text: format!("the target's answer cannot be recorded: {e}"),
            },
        },
        Input::Sample { .. } => Input::SampleMissed {
            text: format!("the target's sample cannot be recorded: {e}"),
        },
        other => other,
    }
}

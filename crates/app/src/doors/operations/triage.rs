//! What an operation's state means: what is left open on the target, and what to do, in order.

use gonogo_core::{Reason, Timestamp};
use gonogo_release::machine::{Ending, Machine, Phase, State};
use gonogo_release::plan::{Plan, PlanKind};
use gonogo_store::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::controls::freezing;
use crate::{AppError, Workspace, driving, elsewhere};

/// What to do about an operation that has ended, or goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Triage {
    /// What it means.
    pub meaning: String,
    /// What is left of it on the target, oldest first; empty if nothing is open.
    pub open_effects: Vec<OpenEffect>,
    /// Whether a later operation of the environment ended well: what is left open here was settled by it.
    pub overtaken: bool,
    /// Whether a new request may help.
    pub retryable: bool,
    /// What to do, in order.
    pub next: Vec<String>,
}

/// An effect that was begun and whose outcome is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenEffect {
    /// Its key.
    pub key: String,
    /// Since when.
    pub since: Timestamp,
}

/// Whether a freeze holds an operation that goes forward.
fn held(ws: &Workspace, known: &Operation, of: &Plan) -> Result<bool, AppError> {
    let forward = of.body.kind == PlanKind::Release && known.phase != Phase::RollingBack;
    let frozen = || freezing::active(ws, &known.environment, ws.clock.now().wall);
    Ok(forward && !frozen()?.is_empty())
}

/// What its state means, and what to do about it.
///
/// # Errors
/// The store cannot be read, or holds what is no state.
pub(super) fn of(ws: &Workspace, known: &Operation, of: &Plan) -> Result<Triage, AppError> {
    let (id, plan, environment) = (&known.id, &known.plan, &known.environment);
    let good = ws.store.known_good(environment, 1)?;
    let overtaken = good.first().is_some_and(|g| g.at > known.updated);
    let orphan = driving::is_orphan(ws, known)?;
    if let Some(state) = elsewhere::state_of(known) {
        let (meaning, retryable, next) = elsewhere::triage(known, &state, orphan);
        return Ok(Triage {
            meaning,
            open_effects: elsewhere::open_effects(known, &state),
            overtaken,
            retryable,
            next,
        });
    }
    let open_effects = open_effects(known, of)?;
    let told = |meaning: &str, retryable: bool, next: Vec<String>| Triage {
        meaning: meaning.into(),
        open_effects,
        overtaken,
        retryable,
        next,
    };
    let packet = format!("keep the evidence: `gonogo packet {id}`");
    let again = format!(
        "plan again: `gonogo plan --env {environment} --to VERSION`; approvals do not carry over"
    );
    Ok(match known.terminal.as_ref().map(|t| t.result) {
        None if orphan => told(
            "Its controller is gone, and nothing goes on: what was begun stays as it is until a new one goes on with it, exactly where it was.",
            true,
            vec![
                format!(
                    "go on with it: `gonogo ops resume {id}`, or the same request with the same key"
                ),
                format!("or take it back: `gonogo cancel {id} --yes`"),
            ],
        ),
        None if held(ws, known, of)? => told(
            "A freeze holds it where it stands: it is watched, goes back if it does badly, and goes no further until the freeze ends.",
            false,
            vec![
                "see the freeze: `gonogo freeze list`; end it: `gonogo unfreeze FREEZE --why TEXT`"
                    .into(),
                format!("or take it back: `gonogo cancel {id} --yes`"),
            ],
        ),
        None => told(
            "It goes on; nothing has to be done.",
            false,
            vec![
                format!("follow it: `gonogo watch {id}`"),
                format!("or take it back: `gonogo cancel {id} --yes`"),
            ],
        ),
        Some(Ending::Promoted) => told(
            match of.body.kind {
                PlanKind::Release => "The new version serves everything and passed its soak.",
                PlanKind::Rollback => {
                    "It went back: the version that was known-good before serves everything again and passed its soak."
                }
            },
            false,
            vec![
                packet,
                format!("see what serves: `gonogo status --env {environment}`"),
            ],
        ),
        Some(Ending::RolledBack) => told(
            "It did not prove itself, and traffic is back on the version before.",
            true,
            vec![
                format!("read why: `gonogo status {id}`"),
                "mend the cause; the same version would be judged the same".into(),
                again,
            ],
        ),
        Some(Ending::Refused) => told(
            "It was refused before anything changed.",
            true,
            vec![
                format!("compare the plan with now: `gonogo plan diff {plan}`"),
                again,
            ],
        ),
        Some(Ending::Cancelled) => told(
            "Somebody ended it, and what it had done was undone.",
            true,
            vec![
                format!("see who and why: `gonogo evidence list --stream {id}`"),
                format!("see what serves: `gonogo status --env {environment}`"),
                again,
            ],
        ),
        // Only a workflow service says these two, and was asked above.
        Some(Ending::Failed | Ending::TimedOut) => {
            told("It did not succeed.", true, vec![packet, again])
        }
        Some(Ending::NeedsPerson) => told(
            "gonogo could not find out what became of an effect, and does not guess.",
            false,
            vec![
                format!("look at the target: `gonogo status --env {environment}`"),
                format!("read what is not known: `gonogo status {id}`"),
                format!(
                    "when the target is as it should be, go back: `gonogo rollback --env {environment} --yes`"
                ),
            ],
        ),
    })
}

/// What was sent and not answered, from the machine's state.
fn open_effects(known: &Operation, plan: &Plan) -> Result<Vec<OpenEffect>, AppError> {
    let settled = known
        .terminal
        .as_ref()
        .is_some_and(|t| t.result != Ending::NeedsPerson);
    let Some(snapshot) = known.snapshot.as_ref().filter(|_| !settled) else {
        return Ok(Vec::new());
    };
    let state: State = serde_json::from_str(snapshot)
        .map_err(|e| AppError::new(Reason::StoreFailed, e.to_string()))?;
    let body = std::sync::Arc::new(plan.body.clone());
    let progress = Machine::restore(body, state).progress();
    let open = progress.in_flight.into_iter();
    Ok(open.map(|(key, since)| OpenEffect { key, since }).collect())
}

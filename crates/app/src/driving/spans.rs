//! Spans of an operation and its effects, told by whoever drives it.
//!
//! Their ids are made from the operation's id and the effects' numbers, and what they are part of stands in the operation's first record:
//! a controller that goes on after a crash, or long after the request has ended, tells of the same trace. What an earlier controller may
//! have told nobody is told again at the end, from the ledger, under the same ids.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::Timestamp;
use gonogo_engine::{Notice, Progress};
use gonogo_release::effect::{Act, Action, Input, Outcome};
use gonogo_release::machine::{Ending, Terminal};
use gonogo_store::Operation;
use gonogo_telemetry::{Context, Kind, Span, SpanId, TraceId, Value, unix_nanos};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{AppError, Workspace};

/// Tells spans of one operation.
pub(super) struct Teller<'a> {
    ws: &'a Workspace,
    known: Operation,
    context: Context,
    own: SpanId,
    /// What this process sent and has no outcome of, and when it sent it.
    sent: RefCell<BTreeMap<u64, (Act, u64)>>,
    told: RefCell<BTreeSet<u64>>,
}

impl<'a> Teller<'a> {
    /// A teller; none where spans go nowhere, or the caller did not want the trace told.
    pub(super) fn of(ws: &'a Workspace, known: &Operation) -> Option<Self> {
        if !ws.tracer.is_on() {
            return None;
        }
        let context = context(ws, known);
        context.sampled.then(|| Self {
            ws,
            own: SpanId::of(&[known.id.as_str()]),
            known: known.clone(),
            context,
            sent: RefCell::default(),
            told: RefCell::default(),
        })
    }

    /// Looks at what happens, and tells of what has ended.
    pub(super) fn see(&self, progress: &Progress<'_>) {
        match &progress.notice {
            Notice::Sent { act, .. } => {
                let sent = ((*act).clone(), unix_nanos());
                self.sent.borrow_mut().insert(act.id, sent);
            }
            Notice::Stepped {
                input: Input::Done { id, result },
                ..
            } => {
                // What an earlier controller sent is told at the end.
                let sent = self.sent.borrow_mut().remove(id);
                if let Some((act, start)) = sent {
                    self.effect(&act, start, unix_nanos(), Some(result));
                }
            }
            Notice::Ended(terminal) => {
                // A ledger that cannot be read now costs spans and nothing else.
                drop(self.rest());
                self.operation(terminal, nanos(progress.at));
            }
            _ => {}
        }
    }

    fn effect(&self, act: &Act, start: u64, end: u64, result: Option<&Outcome>) {
        if !self.told.borrow_mut().insert(act.id) {
            return;
        }
        let (word, error) = outcome(result);
        let name = action(&act.action);
        self.tell(
            SpanId::of(&[self.known.id.as_str(), "effect", &act.id.to_string()]),
            Some(self.own),
            format!("effect {name}"),
            Kind::Client,
            (start, end),
            vec![
                ("gonogo.effect.key", act.key.clone().into()),
                ("gonogo.effect.action", name.into()),
                ("gonogo.effect.outcome", word.into()),
            ],
            error,
        );
    }

    fn operation(&self, terminal: &Terminal, end: u64) {
        let result = terminal.result.name();
        self.tell(
            self.own,
            self.context.parent,
            "operation".into(),
            Kind::Internal,
            (nanos(self.known.created), end),
            vec![
                ("gonogo.environment", self.known.environment.clone().into()),
                ("gonogo.plan_id", self.known.plan.to_string().into()),
                ("gonogo.result", result.into()),
            ],
            (terminal.result != Ending::Promoted).then(|| result.to_owned()),
        );
    }

    #[expect(clippy::too_many_arguments, reason = "a span has this many parts")]
    fn tell(
        &self,
        id: SpanId,
        parent: Option<SpanId>,
        name: String,
        kind: Kind,
        (start, end): (u64, u64),
        mut attributes: Vec<(&'static str, Value)>,
        error: Option<String>,
    ) {
        attributes.push(("gonogo.operation_id", self.known.id.to_string().into()));
        attributes.push(("gonogo.trace_id", self.context.trace.clone().into()));
        self.ws.tracer.tell(Span {
            trace: TraceId::named(&self.context.trace),
            id,
            parent,
            name,
            kind,
            start,
            end,
            attributes,
            error,
        });
    }

    /// Effects that this process has not told of, as the ledger has them.
    fn rest(&self) -> Result<(), AppError> {
        let stream = format!("operation/{}", self.known.id);
        let mut ends: BTreeMap<u64, (u64, Outcome)> = BTreeMap::new();
        for record in self.ws.every(stream.clone(), "outcome")? {
            let input = record.body.get("input").map(Input::deserialize);
            if let Some(Ok(Input::Done { id, result })) = input {
                ends.insert(id, (nanos(record.time), result));
            }
        }
        for record in self.ws.every(stream, "intent")? {
            let Some(Ok(act)) = record.body.get("intent").map(Act::deserialize) else {
                continue;
            };
            let start = nanos(record.time);
            match ends.get(&act.id) {
                Some((end, result)) => self.effect(&act, start, *end, Some(result)),
                None => self.effect(&act, start, start, None),
            }
        }
        Ok(())
    }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0) * 1_000_000
}

/// Where in its trace an operation is: what its first record says, which waits in the store or is in the ledger.
fn context(ws: &Workspace, known: &Operation) -> Context {
    let trace = known.trace.clone().unwrap_or_else(|| known.id.to_string());
    let said = |body: &Json| {
        let text = body.get("traceParent")?.as_str()?;
        Context::read(text)
    };
    let waiting = ws.store.pending(&known.id, 8).unwrap_or_default();
    let mut waiting = waiting.iter().filter(|p| p.draft.kind == "operation");
    let found = match waiting.next() {
        Some(first) => said(&first.draft.body),
        None => {
            let first = ws.every(format!("operation/{}", known.id), "operation");
            let first = first.unwrap_or_default();
            first.first().and_then(|r| said(&r.body))
        }
    };
    match found {
        Some(of_call) => Context { trace, ..of_call },
        None => Context::of(&trace),
    }
}

const fn action(action: &Action) -> &'static str {
    match action {
        Action::Observe => "observe",
        Action::Start { .. } => "start",
        Action::Weigh { .. } => "weigh",
        Action::Drain { .. } => "drain",
        Action::Stop { .. } => "stop",
        Action::Probe { .. } => "probe",
    }
}

/// A word for an outcome, and why it is none of the good ones.
fn outcome(result: Option<&Outcome>) -> (&'static str, Option<String>) {
    match result {
        Some(Outcome::Applied { .. }) => ("applied", None),
        Some(Outcome::NotApplied { reason, .. }) => ("not_applied", Some(reason.to_string())),
        Some(Outcome::Refused { reason, .. }) => ("refused", Some(reason.to_string())),
        Some(Outcome::Partial { .. }) => ("partial", Some("partial".into())),
        Some(Outcome::Unknown { .. }) | None => ("unknown", Some("unknown".into())),
    }
}

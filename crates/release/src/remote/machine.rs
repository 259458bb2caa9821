//! Where an operation stands that a workflow service carries out, as a plain value.
//!
//! A driver asks [`State::todo`] what to do, keeps the state that [`State::begin`] leaves before it does it, and brings back what it
//! heard. What is kept as *sending* when a driver takes over may have been sent: it is asked about. Only an answer that there is no such
//! operation lets the same request go out again, with the same ids, and only where somebody asks for that or its sender ended.
//!
//! Invariant: a request that may have arrived stays in doubt, whatever is heard afterwards, until the service says what became of the
//! operation. That it has none such says nothing: the request may still be under way. So it never ends as cancelled by itself, and a
//! wish to end it is told as soon as the service knows the operation.

use gonogo_core::id::OperationId;
use gonogo_core::{Reason, Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Asked, Dispatched, Ended, Receipt, Status, Told, Trouble};
use super::wiring::Endpoint;
use crate::effect::{Observed, ObservedSlot};
use crate::machine::{Ending, Phase, Terminal};
use crate::plan::PlanBody;

/// The first wait between two questions.
const FIRST: Span = Span::from_millis(250);
/// So often a request that was certainly not taken because its sender ended is sent anew by itself.
const RESENT: u32 = 3;

/// How far a dispatch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// To be sent.
    Waiting,
    /// It may have been sent.
    Sending,
    /// It was sent, and nobody knows whether it was taken: it is asked about.
    InDoubt,
    /// It was certainly not taken. The same request, made again, sends it again.
    Held,
    /// The service has it.
    Taken,
    /// It has ended.
    Ended,
}

/// How far a wish to end it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Telling {
    /// The service is to be told.
    Wanted,
    /// The service took it.
    Taken,
    /// The service does not end it.
    Refused,
}

/// Somebody's wish to end it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cancel {
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub at: Timestamp,
    /// How far it is.
    pub telling: Telling,
    /// What the service said, where it did not just take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Trouble that lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Lasting {
    since: Timestamp,
    trouble: Trouble,
}

/// Everything that is remembered. A stored format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// Always [`State::SCHEMA`]; no state of the release machine has it.
    schema: String,
    /// The operation, by the id that it has here.
    pub operation: OperationId,
    /// The service.
    pub endpoint: Endpoint,
    /// The workflow, by the id that it is sent with.
    pub workflow_id: String,
    /// When the operation began here; what is sent says so.
    pub submitted_at: Timestamp,
    /// The caller's key.
    pub key: String,
    /// How far it is.
    pub stage: Stage,
    /// So often it was sent.
    pub sent: u32,
    /// What the service said when it took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// When the service last said where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// What the target serves since it ended, as the service shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lasting: Option<Lasting>,
    /// A wish to end it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Cancel>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<Terminal>,
    /// Whether the doubt is this side's own: its sender ended.
    interrupted: bool,
    /// Whether the service said yes to the dispatch in a form that cannot be used.
    said_yes: bool,
    /// Whether a doubt is kept where there is one: earlier versions kept none.
    #[serde(default)]
    doubts: bool,
    /// Why nobody knows whether a request arrived; none where none is in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    doubt: Option<Trouble>,
    /// Whether somebody asked for a request in doubt to be sent again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    anew: bool,
    /// When the service is next told of a wish to end it; at once if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tell: Option<Timestamp>,
    /// How long the last wait before that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    telling: Option<Span>,
    /// So often it was asked about since it was last sent.
    asked: u32,
    /// Since when the service answers and says nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    useless: Option<Timestamp>,
    due: Timestamp,
    wait: Span,
}

/// What a driver does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Todo {
    /// Send it.
    Send,
    /// Ask where it stands.
    Ask,
    /// Tell the service that somebody wants it to end.
    Cancel,
    /// Nothing before this time.
    Wait(Timestamp),
    /// Nothing until somebody asks for it again.
    Rest,
    /// Nothing any more.
    Done,
}

/// A record to be: its kind and its body.
pub type Entry = (&'static str, Value);

impl State {
    /// What tells it from states of the release machine.
    pub const SCHEMA: &'static str = "gonogo.remote-state.v1";

    /// A state before anything was sent.
    pub fn new(operation: OperationId, endpoint: Endpoint, key: String, now: Timestamp) -> Self {
        Self {
            schema: Self::SCHEMA.into(),
            workflow_id: format!("{}-{operation}", endpoint.workflow_name),
            operation,
            endpoint,
            submitted_at: now,
            key,
            stage: Stage::Waiting,
            sent: 0,
            receipt: None,
            seen: None,
            observed: None,
            lasting: None,
            cancel: None,
            terminal: None,
            interrupted: false,
            said_yes: false,
            doubts: true,
            doubt: None,
            anew: false,
            tell: None,
            telling: None,
            asked: 0,
            useless: None,
            due: now,
            wait: FIRST,
        }
    }

    /// Reads a stored state; none if it is one of the release machine.
    pub fn read(snapshot: &str) -> Option<Self> {
        // Cheap first: most states are the release machine's, and large.
        snapshot.contains(Self::SCHEMA).then_some(())?;
        let mut state: Self = serde_json::from_str(snapshot).ok()?;
        (state.schema == Self::SCHEMA).then_some(())?;
        // Earlier versions kept no doubt: what was sent without an answer, or is to go out a second time, may have arrived.
        let lasting = state.lasting.as_ref().map(|l| l.trouble.clone());
        let doubted = match state.stage {
            _ if state.doubts => false,
            Stage::InDoubt => true,
            Stage::Waiting => state.sent > 0,
            Stage::Held => lasting.as_ref().is_some_and(|t| {
                matches!(t.reason, Reason::WorkflowTimeout | Reason::WorkflowFailed)
            }),
            _ => false,
        };
        if doubted && state.doubt.is_none() {
            state.doubt = Some(lasting.unwrap_or_else(interrupted));
        }
        state.doubts = true;
        Some(state)
    }

    /// The operation, by the id that the service knows.
    pub fn there(&self) -> &str {
        match &self.receipt {
            Some(receipt) => &receipt.operation_id,
            None => self.operation.as_str(),
        }
    }

    /// Whether it may have reached the service.
    pub const fn may_be_there(&self) -> bool {
        self.doubt.is_some() || self.sent > 0 && !matches!(self.stage, Stage::Held | Stage::Waiting)
    }

    /// Whether the service said yes to it, though in a form that cannot be used.
    pub const fn said_yes(&self) -> bool {
        self.said_yes
    }

    /// Whether the same request, made again, lets it go out again: it was not taken, or the service says that it has none such.
    pub const fn can_go_again(&self) -> bool {
        match self.stage {
            Stage::Held => true,
            Stage::InDoubt => self.cancel.is_none() && !self.said_yes,
            _ => false,
        }
    }

    /// What keeps it from going on, and since when.
    pub fn trouble(&self) -> Option<(&Trouble, Timestamp)> {
        self.lasting.as_ref().map(|l| (&l.trouble, l.since))
    }

    /// Where it stands, in the words of the release machine.
    pub const fn phase(&self) -> Phase {
        match self.stage {
            Stage::Waiting | Stage::Sending | Stage::InDoubt | Stage::Held => Phase::Preflight,
            Stage::Taken => Phase::Elsewhere,
            Stage::Ended => Phase::Done,
        }
    }

    /// Whether it is settled what became of the dispatch, or cannot be said for now.
    pub fn is_told(&self) -> bool {
        match self.stage {
            Stage::Waiting | Stage::Sending => false,
            // What was asked afterwards did not help either; or it is asked when the service wants that, and nobody waits so long here.
            Stage::InDoubt => self.asked > 0 && !self.anew || self.is_put_off(),
            Stage::Held | Stage::Taken | Stage::Ended => true,
        }
    }

    /// Whether the service named a time before which it wants no question.
    fn is_put_off(&self) -> bool {
        let lasting = self.lasting.as_ref();
        lasting.is_some_and(|l| l.trouble.after.is_some_and(|after| after > 0))
    }

    /// What to do at `now`.
    pub fn todo(&self, now: Timestamp) -> Todo {
        let wanted = |c: &Cancel| c.telling == Telling::Wanted;
        match self.stage {
            Stage::Ended => Todo::Done,
            Stage::Held => Todo::Rest,
            Stage::Waiting => Todo::Send,
            Stage::Taken if self.cancel.as_ref().is_some_and(wanted) => match self.tell {
                // Between two attempts to tell it, it is asked as ever: it may have ended by itself.
                Some(tell) if now < tell && now < self.due => Todo::Wait(tell.min(self.due)),
                Some(tell) if now < tell => Todo::Ask,
                _ => Todo::Cancel,
            },
            _ if now < self.due => Todo::Wait(self.due),
            Stage::Sending | Stage::InDoubt | Stage::Taken => Todo::Ask,
        }
    }

    /// Takes up what an earlier driver left.
    pub fn resume(&mut self, now: Timestamp) {
        self.due = now;
        if self.stage == Stage::Sending {
            self.stage = Stage::InDoubt;
            self.interrupted = true;
            self.doubt.get_or_insert_with(interrupted);
            self.wait = FIRST;
        }
    }

    /// Lets a request that was certainly not taken go out again; one in doubt, once the service has said again that it has none such.
    pub fn again(&mut self, now: Timestamp) -> Vec<Entry> {
        if !self.can_go_again() || self.anew {
            return Vec::new();
        }
        match self.stage {
            Stage::InDoubt => {
                self.anew = true;
                self.useless = None;
                // It is asked at once, whenever it wanted that; what it says now counts.
                if let Some(lasting) = &mut self.lasting {
                    lasting.trouble.after = None;
                }
            }
            _ => {
                self.stage = Stage::Waiting;
                self.lasting = None;
            }
        }
        self.due = now;
        vec![("remote-request", json!({"at": now, "again": true}))]
    }

    /// Begins a dispatch or a cancel: what is kept afterwards says that it may have been sent.
    pub fn begin(&mut self, todo: Todo, now: Timestamp) -> Vec<Entry> {
        match todo {
            Todo::Send => {
                self.stage = Stage::Sending;
                self.sent += 1;
                self.asked = 0;
                self.interrupted = false;
                self.anew = false;
                vec![(
                    "remote-intent",
                    json!({
                        "at": now, "do": "dispatch", "operationId": self.operation, "workflowId": self.workflow_id,
                        "to": self.endpoint.dispatch_url, "attempt": self.sent,
                    }),
                )]
            }
            Todo::Cancel => vec![(
                "remote-intent",
                json!({"at": now, "do": "cancel", "operationId": self.there()}),
            )],
            _ => Vec::new(),
        }
    }

    /// Keeps it from being sent: something forbids that by now. What may have arrived is asked about, and not sent again.
    pub fn forbid(&mut self, now: Timestamp, reason: Reason, text: String) -> Vec<Entry> {
        if self.stage != Stage::Waiting {
            return Vec::new();
        }
        if self.doubt.is_none() {
            return self.end(now, Ending::Refused, vec![reason], text);
        }
        self.stage = Stage::InDoubt;
        self.anew = false;
        let mut trouble = self.doubt.clone().unwrap_or_else(interrupted);
        trouble.text = format!("{}; it is not sent again: {text}", trouble.text);
        self.troubled(now, trouble)
    }

    /// Brings the answer to a dispatch.
    pub fn dispatched(&mut self, now: Timestamp, heard: Dispatched) -> Vec<Entry> {
        if self.stage != Stage::Sending {
            return Vec::new();
        }
        self.wait = FIRST;
        self.due = now;
        match heard {
            Dispatched::Accepted(receipt) => {
                self.stage = Stage::Taken;
                self.lasting = None;
                self.doubt = None;
                let entry =
                    json!({"at": now, "do": "dispatch", "outcome": "applied", "receipt": receipt});
                self.receipt = Some(receipt);
                self.due = now.after(FIRST);
                vec![("remote-outcome", entry)]
            }
            Dispatched::Unknown(trouble) => {
                let entry = outcome(now, "dispatch", "unknown", &trouble);
                self.stage = Stage::InDoubt;
                self.said_yes = trouble.reason == Reason::WorkflowAnswer;
                self.doubt = Some(trouble.clone());
                self.troubled(now, trouble);
                vec![entry]
            }
            Dispatched::NotAccepted(trouble) => {
                let mut all = vec![outcome(now, "dispatch", "not-applied", &trouble)];
                all.extend(self.not_taken(now, trouble));
                all
            }
        }
    }

    /// This request was not taken: it may be made again, or there is no use in that. One before it may have been, and then this one says
    /// nothing, least of all that there is such an operation already.
    fn not_taken(&mut self, now: Timestamp, trouble: Trouble) -> Vec<Entry> {
        if self.doubt.is_some() {
            self.stage = Stage::InDoubt;
            self.troubled(now, trouble);
            return Vec::new();
        }
        if let Some(cancel) = &self.cancel {
            let text = format!(
                "{} ended it before the workflow service took it: {}",
                cancel.by, cancel.why
            );
            return self.end(now, Ending::Cancelled, vec![Reason::Cancelled], text);
        }
        if trouble.retry().is_some() {
            self.stage = Stage::Held;
            self.troubled(now, trouble);
            return Vec::new();
        }
        let mut reasons = vec![trouble.reason];
        reasons.extend(trouble.told.iter().filter(|r| **r != trouble.reason));
        let text = format!("the workflow service did not take it: {}", trouble.text);
        self.troubled(now, trouble);
        self.end(now, Ending::Refused, reasons, text)
    }

    /// Brings what was learnt by asking.
    pub fn asked(&mut self, now: Timestamp, heard: Asked) -> Vec<Entry> {
        if !matches!(self.stage, Stage::InDoubt | Stage::Taken) {
            return Vec::new();
        }
        self.asked += 1;
        match heard {
            Asked::Told(told) => self.told(now, told),
            Asked::Missing if self.stage == Stage::InDoubt && !self.said_yes => self.absent(now),
            Asked::Missing => {
                let (reason, text) = if self.stage == Stage::InDoubt {
                    (
                        Reason::WorkflowAnswer,
                        "the service said yes in a form that cannot be used, and knows no operation of this id",
                    )
                } else {
                    (
                        Reason::WorkflowLost,
                        "the service has no such operation, and said before that it took it",
                    )
                };
                self.useless_answer(
                    now,
                    Trouble {
                        reason,
                        text: text.into(),
                        after: None,
                        told: Vec::new(),
                    },
                )
            }
            Asked::Trouble(trouble) if trouble.retry().is_none() => {
                self.useless_answer(now, trouble)
            }
            Asked::Trouble(trouble) => {
                self.useless = None;
                self.troubled(now, trouble)
            }
        }
    }

    /// The service has no such operation, and nobody knows whether the request is still on its way.
    fn absent(&mut self, now: Timestamp) -> Vec<Entry> {
        let mut all = Vec::new();
        if self.useless.is_none() {
            all.push((
                "remote-outcome",
                json!({"at": now, "do": "ask", "outcome": "unknown", "text": "the service has no such operation so far"}),
            ));
        }
        let since = *self.useless.get_or_insert(now);
        let anew = self.anew || self.interrupted && self.sent < RESENT;
        if anew && self.cancel.is_none() {
            // Somebody asks for it, or its sender ended. The service takes one id once, should both arrive.
            self.stage = Stage::Waiting;
            self.useless = None;
            return all;
        }
        let mut trouble = self.doubt.clone().unwrap_or_else(interrupted);
        if now.since(since) >= self.endpoint.limits.lost_after {
            let mut text = format!(
                "nobody knows whether operation `{}` was taken: {}; since {since} the workflow service says that it has none such, and it may yet take it",
                self.there(),
                trouble.text
            );
            if let Some(cancel) = &self.cancel {
                text = format!(
                    "{text}; {} asked for its end, and the service could not be told: {}",
                    cancel.by, cancel.why
                );
            }
            all.extend(self.end(now, Ending::NeedsPerson, vec![Reason::WorkflowLost], text));
            return all;
        }
        trouble.text = format!(
            "{}; the service says that it has no such operation so far",
            trouble.text
        );
        all.extend(self.troubled(now, trouble));
        all
    }

    fn useless_answer(&mut self, now: Timestamp, trouble: Trouble) -> Vec<Entry> {
        let since = *self.useless.get_or_insert(now);
        let text = trouble.text.clone();
        let mut all = self.troubled(now, trouble);
        if now.since(since) >= self.endpoint.limits.lost_after {
            let text = format!(
                "the workflow service has answered since {since} without saying what became of operation `{}`: {text}",
                self.there()
            );
            all.extend(self.end(now, Ending::NeedsPerson, vec![Reason::WorkflowLost], text));
        }
        all
    }

    /// Keeps a trouble, and waits longer; only a new kind of trouble is a record.
    fn troubled(&mut self, now: Timestamp, trouble: Trouble) -> Vec<Entry> {
        let asked = trouble.after.map(Span::from_secs).unwrap_or_default();
        let longest = self.endpoint.limits.every;
        let doubled = Span::from_millis(self.wait.as_millis() * 2).min(longest);
        self.due = now.after(self.wait.max(asked.min(Span::from_secs(60))));
        self.wait = doubled.max(Span::from_millis(FIRST.as_millis() + 1));
        match &mut self.lasting {
            Some(lasting) if lasting.trouble.reason == trouble.reason => {
                lasting.trouble = trouble;
                Vec::new()
            }
            lasting => {
                let entry = outcome(now, "ask", "unknown", &trouble);
                let since = lasting.as_ref().map_or(now, |l| l.since);
                *lasting = Some(Lasting { since, trouble });
                vec![entry]
            }
        }
    }

    fn told(&mut self, now: Timestamp, told: Told) -> Vec<Entry> {
        let mut all = Vec::new();
        if self.stage == Stage::InDoubt {
            // The service knows it by the id that it was sent with.
            all.push((
                "remote-outcome",
                json!({"at": now, "do": "dispatch", "outcome": "applied", "operationId": self.operation}),
            ));
            self.stage = Stage::Taken;
            self.doubt = None;
            self.anew = false;
            self.wait = FIRST;
        }
        if self.lasting.take().is_some() {
            all.push((
                "remote-outcome",
                json!({"at": now, "do": "ask", "outcome": "applied", "status": told.status}),
            ));
            self.wait = FIRST;
        }
        self.useless = None;
        self.seen = Some(now);
        let (ending, first, text) = match told.status {
            Status::Running => {
                self.due = now.after(self.wait);
                self.wait = Span::from_millis(self.wait.as_millis() * 3 / 2)
                    .min(self.endpoint.limits.every);
                return all;
            }
            Status::Succeeded => (
                Ending::Promoted,
                Reason::WorkflowSucceeded,
                "the workflow service says that it did what was planned",
            ),
            Status::Failed => {
                let ending = match told.result.as_deref() {
                    Some("rolled_back") => Ending::RolledBack,
                    Some("refused") => Ending::Refused,
                    Some("needs_person") => Ending::NeedsPerson,
                    // What it left is not known here.
                    _ => Ending::Failed,
                };
                (
                    ending,
                    Reason::WorkflowRunFailed,
                    "the workflow service says that it failed",
                )
            }
            Status::Cancelled => (
                Ending::Cancelled,
                Reason::Cancelled,
                "the workflow service says that it was ended before its end",
            ),
            Status::TimedOut => (
                Ending::TimedOut,
                Reason::WorkflowRunTimedOut,
                "the workflow service says that it took more time than it had",
            ),
        };
        let text = match &told.error {
            Some(error) => format!("{text}: {error}"),
            None => text.to_owned(),
        };
        let mut reasons = vec![first];
        for reason in told.reasons {
            // A pass beside an end that is none would be read as one.
            let fits = ending == Ending::Promoted || reason.exit() != gonogo_core::Exit::Done;
            if fits && !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        all.extend(self.end(now, ending, reasons, text));
        all
    }

    /// Brings somebody's wish to end it.
    pub fn wish(&mut self, now: Timestamp, by: &str, why: &str) -> Vec<Entry> {
        if self.stage == Stage::Ended {
            return Vec::new();
        }
        let mut all = vec![(
            "remote-request",
            json!({"at": now, "cancel": true, "by": by, "why": why}),
        )];
        self.cancel = Some(Cancel {
            by: by.into(),
            why: why.into(),
            at: now,
            telling: Telling::Wanted,
            text: None,
        });
        self.due = now;
        self.tell = None;
        self.telling = None;
        if !matches!(self.stage, Stage::Waiting | Stage::Held) {
            return all;
        }
        if self.doubt.is_some() {
            // It was to be sent a second time; the first one may have arrived.
            self.stage = Stage::InDoubt;
        } else {
            let text =
                format!("{by} ended it before the workflow service took anything of it: {why}");
            all.extend(self.end(now, Ending::Cancelled, vec![Reason::Cancelled], text));
        }
        all
    }

    /// Brings the answer to a cancel.
    pub fn cancel_told(&mut self, now: Timestamp, heard: Ended) -> Vec<Entry> {
        let Some(cancel) = &mut self.cancel else {
            return Vec::new();
        };
        match heard {
            Ended::Taken => {
                cancel.telling = Telling::Taken;
                self.due = now;
                vec![(
                    "remote-outcome",
                    json!({"at": now, "do": "cancel", "outcome": "applied"}),
                )]
            }
            Ended::Refused(trouble) => {
                cancel.telling = Telling::Refused;
                cancel.text = Some(trouble.text.clone());
                self.due = now;
                vec![outcome(now, "cancel", "refused", &trouble)]
            }
            Ended::Unknown(trouble) => {
                let asked = trouble.after.map(Span::from_secs).unwrap_or_default();
                let wait = self.telling.map_or(FIRST, |w| {
                    Span::from_millis(w.as_millis() * 2).min(self.endpoint.limits.every)
                });
                self.telling = Some(wait);
                self.tell = Some(now.after(wait.max(asked.min(Span::from_secs(60)))));
                // Its end is asked for meanwhile; the same trouble again is no news.
                self.due = now;
                if cancel.text.as_ref() == Some(&trouble.text) {
                    return Vec::new();
                }
                cancel.text = Some(trouble.text.clone());
                vec![outcome(now, "cancel", "unknown", &trouble)]
            }
        }
    }

    fn end(
        &mut self,
        now: Timestamp,
        result: Ending,
        reasons: Vec<Reason>,
        text: String,
    ) -> Vec<Entry> {
        if self.terminal.is_some() {
            return Vec::new();
        }
        let terminal = Terminal {
            result,
            reasons,
            text,
        };
        self.stage = Stage::Ended;
        let entry = json!({"at": now, "result": terminal, "elsewhere": true});
        self.terminal = Some(terminal);
        vec![("result", entry)]
    }
}

/// The doubt where the sender itself ended.
fn interrupted() -> Trouble {
    Trouble {
        reason: Reason::WorkflowUnreachable,
        text: "whoever sent it ended before it had an answer".into(),
        after: None,
        told: Vec::new(),
    }
}

fn outcome(now: Timestamp, what: &str, outcome: &str, trouble: &Trouble) -> Entry {
    (
        "remote-outcome",
        json!({"at": now, "do": what, "outcome": outcome, "reason": trouble.reason, "text": trouble.text, "told": trouble.told}),
    )
}

/// What the target serves after an operation that ended elsewhere: what the service shows, else what its word leads to.
pub fn after(plan: &PlanBody, state: &State) -> Observed {
    if let Some(observed) = &state.observed {
        return observed.clone();
    }
    let promoted = state
        .terminal
        .as_ref()
        .is_some_and(|t| t.result == Ending::Promoted);
    match plan.to.content() {
        Ok(content) if promoted => Observed {
            generation: plan.base.generation + 1,
            slots: vec![ObservedSlot {
                slot: plan.slot.clone(),
                version: plan.to.version.clone(),
                content,
                weight: 10_000,
                ready: true,
            }],
        },
        _ if is_unknown(state) => Observed {
            generation: plan.base.generation + 1,
            slots: Vec::new(),
        },
        _ => plan.base.clone(),
    }
}

/// Whether nobody knows what an operation that ended has left there: it was taken, and the service said no more than that it did not do
/// what was planned.
pub fn is_unknown(state: &State) -> bool {
    let ended = state.terminal.as_ref().map(|t| t.result);
    let nothing_left = matches!(
        ended,
        None | Some(Ending::Promoted | Ending::RolledBack | Ending::Refused)
    );
    let taken = state.receipt.is_some() || state.doubt.is_some() || state.seen.is_some();
    state.observed.is_none() && taken && !nothing_left
}

#[cfg(test)]
mod tests;

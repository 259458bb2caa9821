//! A use case's answer as the result of a tool's call: the envelope as structured content, and one short text.

use gonogo_app::AppError;
use gonogo_app::doors::{Done, Tool};
use gonogo_app::identity::nonce;
use gonogo_core::clock::{Clock, SystemClock};
use gonogo_core::envelope::{Class, Code, Frame};
use gonogo_core::{Exit, Reason};
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Value, json};

use super::points;
use super::text::{Text, is_token};

/// A message whose error has the contract's envelope beside it; none where it has one, or is no error.
pub(super) fn envelop(mut message: Value, trace: &str) -> Option<Value> {
    let error = message.get_mut("error").filter(|e| e.is_object())?;
    if error["data"].get("envelope").is_some() {
        return None;
    }
    let text = error["message"].as_str().unwrap_or_default();
    let reason = match error["code"].as_i64() {
        Some(-32_601) => Reason::MethodUnknown,
        Some(-32_603) => Reason::Internal,
        _ => Reason::InputMalformed,
    };
    let answer = Answer {
        tool: "mcp",
        class: Class::Read,
        trace,
        base: "",
    };
    let envelope = answer.failure(&AppError::new(reason, crate::http::short(text)));
    error["data"] = match error["data"].take() {
        Value::Object(mut data) => {
            data.insert("envelope".into(), envelope);
            data.into()
        }
        Value::Null => json!({ "envelope": envelope }),
        said => json!({"said": said, "envelope": envelope}),
    };
    Some(message)
}

/// How an answer ended, in a word or two.
const fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "done",
        Exit::Hold => "hold, a person must decide",
        Exit::Fail => "no",
        Exit::Unjudged => "could not be judged",
        Exit::Running => "it goes on",
        _ => "answered",
    }
}

/// An answer to be.
pub(super) struct Answer<'a> {
    /// The tool, or the door itself.
    pub(super) tool: &'a str,
    /// What it may do.
    pub(super) class: Class,
    /// The trace that the call belongs to.
    pub(super) trace: &'a str,
    /// Where people look; empty if nowhere.
    pub(super) base: &'a str,
}

impl<'a> Answer<'a> {
    /// The answer of a tool.
    pub(super) fn of(tool: &Tool, trace: &'a str, base: &'a str) -> Self {
        Self {
            tool: tool.facts.name,
            class: tool.facts.class,
            trace,
            base,
        }
    }

    fn frame(&self) -> Frame {
        Frame {
            tool_id: self.tool.to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").into(),
            class: self.class,
            trace_id: self.trace.to_owned(),
            timestamp: SystemClock::default().now().wall,
        }
    }

    /// What the use case answered or refused.
    pub(super) fn result(&self, answered: Result<Done, AppError>) -> CallToolResult {
        match answered {
            Ok(done) => self.done(done),
            Err(e) => self.refused(e),
        }
    }

    /// The envelope of a good answer.
    pub(super) fn envelope(&self, done: Done) -> Value {
        let mut envelope = self.frame().success(done.data);
        if let (Some(handle), Some(map)) = (done.handle, envelope.as_object_mut()) {
            map.insert("handle".into(), json!(handle));
        }
        envelope
    }

    fn done(&self, done: Done) -> CallToolResult {
        let mut text = Text::default();
        text.say(format!("{}: {}", self.tool, word(done.exit)));
        if let Some(handle) = &done.handle {
            let id = &handle.operation_id;
            text.say(format!("operation: {id} · ask operation_get now and then"));
        }
        let told = points::say(&mut text, self.tool, &done.data);
        text.tell(&done.data, told);
        let told = ContentBlock::text(text.told(&nonce()));
        let mut result = CallToolResult::success(vec![told]);
        result.structured_content = Some(self.envelope(done));
        result
    }

    /// The envelope of a refusal.
    pub(super) fn failure(&self, error: &AppError) -> Value {
        self.frame().failure(&error.failure())
    }

    fn refused(&self, mut error: AppError) -> CallToolResult {
        self.say_where(&mut error);
        let envelope = self.failure(&error);
        let told = ContentBlock::text(self.why(&error, &envelope["error"]));
        let mut result = CallToolResult::error(vec![told]);
        result.structured_content = Some(envelope);
        result
    }

    /// Says where people decide, of a refusal that waits for them.
    fn say_where(&self, error: &mut AppError) {
        let waits = error.details.get_mut("approvalRequired");
        if let Some(Value::Object(waits)) = waits
            && !self.base.is_empty()
            && let Some(plan) = waits.get("planId").and_then(Value::as_str)
        {
            let url = format!("{}/v1/plans/{plan}", self.base);
            waits.insert("url".into(), url.into());
        }
    }

    /// Why it was refused, and what to do: the catalogue's words, then the message, which may quote others.
    fn why(&self, error: &AppError, told: &Value) -> String {
        let mut text = Text::default();
        let code = told["code"].as_str().unwrap_or_default();
        text.say(format!("{}: refused, {code}", self.tool));
        text.say(match told["retriableReason"].as_str() {
            Some(reason) => format!("asking again later may help ({reason})"),
            None => "asking again unchanged does not help".into(),
        });
        for reason in std::iter::once(&error.reason).chain(&error.others).take(3) {
            text.say(format!("{reason}: {}", reason.meaning()));
        }
        if let Some(by) = error.details["rejectedBy"].as_array() {
            // Approvers, as the configuration names them.
            let by = by.iter().filter_map(Value::as_str).filter(|n| is_token(n));
            text.say(format!(
                "rejected by: {}",
                by.collect::<Vec<_>>().join(", ")
            ));
        }
        let waits = &error.details["approvalRequired"];
        if error.code() == Code::ApprovalRequired && waits.is_object() {
            let field = |name: &str| waits[name].as_str().unwrap_or_default();
            text.say(format!(
                "a person must approve plan {} (fingerprint {})",
                field("planId"),
                field("planFingerprint")
            ));
            if !field("url").is_empty() {
                text.say(format!("the plan: {}", field("url")));
            }
            text.say(format!("they run: {}", field("command")));
        } else {
            text.say(format!("next: {}", error.reason.next_action()));
        }
        text.quote("message", &error.message);
        for hint in &error.hints {
            text.quote("hint", hint);
        }
        text.told(&nonce())
    }
}

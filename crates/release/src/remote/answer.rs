//! What the answers of a workflow service mean.
//!
//! An answer is a plain document of the contract, or the same in a gonogo server's envelope. Whatever is neither says nothing: it is
//! told as what it is, and never as a state.

use gonogo_core::envelope::Retry;
use gonogo_core::{Exit, Reason, Span, Timestamp, canonical};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The most that an answer may have, in bytes.
pub const LONGEST: usize = 1 << 20;

/// So much of a foreign text is told.
const QUOTED: usize = 200;

/// So far may a service's clock go before ours.
const SKEW: Span = Span::from_secs(300);

/// What came back of a request.
#[derive(Debug, Clone, Copy)]
pub enum Heard<'a> {
    /// A whole answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// `Retry-After` in seconds, where it says so.
        retry_after: Option<u64>,
        /// The whole body.
        body: &'a [u8],
    },
    /// The status of one whose body did not come whole: what the status says holds all the same.
    Cut {
        /// HTTP status.
        status: u16,
        /// `Retry-After` in seconds, where it says so.
        retry_after: Option<u64>,
        /// How the rest stayed out.
        silence: Silence,
        /// In words.
        text: &'a str,
    },
    /// None.
    Silent {
        /// How.
        silence: Silence,
        /// In words.
        text: &'a str,
    },
}

/// How an answer stayed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The request did not leave.
    Unreachable,
    /// The time was over; the other side may have acted.
    TimedOut,
    /// The connection broke; the other side may have acted.
    Broken,
    /// The answer is larger than [`LONGEST`].
    TooLarge,
}

/// Why an answer is none that can be gone on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trouble {
    /// The catalogue's reason.
    pub reason: Reason,
    /// In words, with the service's own where it said some.
    pub text: String,
    /// After how many seconds it asked to be asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Reason codes that a gonogo server gave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Reason>,
}

impl Trouble {
    fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self {
            reason,
            text: text.into(),
            after: None,
            told: Vec::new(),
        }
    }

    /// Why it may help to ask again; none where it does not.
    pub const fn retry(&self) -> Option<Retry> {
        match self.reason {
            Reason::WorkflowBusy => Some(Retry::RateLimit),
            Reason::WorkflowTimeout => Some(Retry::UpstreamTimeout),
            Reason::WorkflowFailed => Some(Retry::Upstream5xx),
            Reason::WorkflowUnreachable => Some(Retry::TransportUnavailable),
            _ => None,
        }
    }
}

/// What a service said when it took an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receipt {
    /// The operation, by the service's id.
    pub operation_id: String,
    /// The workflow, by the service's id.
    pub workflow_id: String,
    /// When it was taken, as the service says.
    pub submitted_at: String,
    /// Where to look, as the service says.
    pub status_url: String,
    /// Where to ask for its end, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_url: Option<String>,
}

/// What became of a dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dispatched {
    /// The service took it.
    Accepted(Receipt),
    /// It certainly did not.
    NotAccepted(Trouble),
    /// Nobody knows.
    Unknown(Trouble),
}

/// Reads a time that the service says. How far its clock is behind nobody knows; ahead of ours by more than a little is none.
fn time(key: &str, text: &str, now: Timestamp) -> Result<Timestamp, String> {
    match text.parse::<Timestamp>() {
        Ok(time) if time > now.after(SKEW) => Err(format!(
            "its `{key}` is {time}, which has not come: it is {now}"
        )),
        Ok(time) => Ok(time),
        Err(_) => Err(format!("its `{key}` is no time of RFC 3339")),
    }
}

/// Reads the answer to a dispatch.
pub fn dispatched(heard: Heard<'_>, ours: &Ours<'_>) -> Dispatched {
    let (status, read) = match heard {
        Heard::Answer { status, body, .. } => (status, receipt(body, ours)),
        Heard::Cut { status, text, .. } => (status, Err(cut(text))),
        Heard::Silent { silence, text } => {
            let trouble = silent(silence, text);
            return match silence {
                Silence::Unreachable => Dispatched::NotAccepted(trouble),
                _ => Dispatched::Unknown(trouble),
            };
        }
    };
    match status {
        200..=299 => match read {
            Ok(receipt) => Dispatched::Accepted(receipt),
            // It said yes, and not to what.
            Err(why) => Dispatched::Unknown(Trouble::new(
                Reason::WorkflowAnswer,
                format!("it answered {status}, and {why}"),
            )),
        },
        // Something between may have failed behind a service that took it.
        500.. => Dispatched::Unknown(refusal(heard)),
        _ => Dispatched::NotAccepted(refusal(heard)),
    }
}

fn cut(text: &str) -> String {
    format!("the rest of its answer did not come: {}", short(text))
}

fn receipt(body: &[u8], ours: &Ours<'_>) -> Result<Receipt, String> {
    let mut document = document(body)?;
    says_yes(&document, ours)?;
    // An envelope's data say what was accepted; what began is beside them.
    if let Some(Value::Object(handle)) = document.remove("handle") {
        says_yes(&handle, ours)?;
        document = handle;
    }
    let mut text = |key: &str| match document.remove(key) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(_) => Err(format!("its `{key}` is no text, or an empty one")),
        None => Err(format!("it has no `{key}`")),
    };
    let receipt = Receipt {
        operation_id: text("operationId")?,
        workflow_id: text("workflowId")?,
        submitted_at: text("submittedAt")?,
        status_url: text("statusUrl")?,
        cancel_url: match document.remove("cancelUrl") {
            None | Some(Value::Null) => None,
            Some(Value::String(url)) if !url.is_empty() => Some(url),
            Some(_) => return Err("its `cancelUrl` is no text, or an empty one".into()),
        },
    };
    // The id becomes part of an address.
    if !is_id(&receipt.operation_id) {
        return Err(format!(
            "its `operationId` is none that can stand in an address: `{}`",
            short(&receipt.operation_id)
        ));
    }
    for (key, text) in [
        ("workflowId", &receipt.workflow_id),
        ("submittedAt", &receipt.submitted_at),
        ("statusUrl", &receipt.status_url),
    ] {
        if text.len() > 2_000 || text.chars().any(char::is_control) {
            return Err(format!("its `{key}` is none that can be kept"));
        }
    }
    time("submittedAt", &receipt.submitted_at, ours.now)?;
    let urls = [
        ("statusUrl", Some(&receipt.status_url)),
        ("cancelUrl", receipt.cancel_url.as_ref()),
    ];
    match urls.iter().find(|(_, url)| url.is_some_and(|u| !is_url(u))) {
        Some((key, _)) => Err(format!("its `{key}` is no address")),
        None => Ok(receipt),
    }
}

/// Whether what a service says of a request is a yes to it, as far as it says anything.
fn says_yes(document: &Map<String, Value>, ours: &Ours<'_>) -> Result<(), String> {
    for key in ["success", "accepted"] {
        match document.get(key) {
            None | Some(Value::Null | Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Err(format!("its `{key}` is false")),
            Some(_) => return Err(format!("its `{key}` is neither true nor false")),
        }
    }
    if let Some(error) = error(document)? {
        return Err(format!("it tells an `error`: {error}"));
    }
    // A service may say how it stands at once, in words of its own; these are a no.
    let no = [
        "failed",
        "rejected",
        "refused",
        "denied",
        "error",
        "cancelled",
        "timed_out",
    ];
    if let Some(Value::String(status)) = document.get("status")
        && no.contains(&status.to_ascii_lowercase().as_str())
    {
        return Err(format!("its `status` is `{status}`"));
    }
    agrees(document, ours, &["operationId", "workflowId"])
}

/// Whether a text can be an address: of HTTP, or of a path at the same place.
fn is_url(text: &str) -> bool {
    let rest = ["http://", "https://", "/"].iter();
    let mut rest = rest.filter_map(|begin| text.strip_prefix(begin));
    let visible = text.bytes().all(|b| b.is_ascii_graphic());
    visible && rest.next().is_some_and(|rest| !rest.is_empty())
}

/// What a document says went wrong, in one line.
fn error(document: &Map<String, Value>) -> Result<Option<String>, String> {
    match document.get("error") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(short(text))),
        Some(Value::Object(error)) => {
            let text = error.get("message").and_then(Value::as_str);
            let whole = || short(&Value::Object(error.clone()).to_string());
            Ok(Some(text.map_or_else(whole, short)))
        }
        Some(_) => Err("its `error` is neither a text nor an object".into()),
    }
}

fn is_id(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b':' | b'-');
    (1..=200).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('.')
}

/// The states that the contract knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It goes on.
    Running,
    /// It did what was asked for.
    Succeeded,
    /// It did not.
    Failed,
    /// Somebody ended it.
    Cancelled,
    /// It took more time than it had.
    TimedOut,
}

/// What a service says of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Where it stands.
    pub status: Status,
    /// Why it did not succeed, in the service's words.
    pub error: Option<String>,
    /// How it ended in gonogo's words, where a gonogo carries it out.
    pub result: Option<String>,
    /// Reason codes that a gonogo gave.
    pub reasons: Vec<Reason>,
}

/// What became of a question about an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It is known.
    Told(Told),
    /// The service has no such operation.
    Missing,
    /// Nothing was learnt.
    Trouble(Trouble),
}

/// What an answer must be about, and when it is heard.
#[derive(Debug, Clone, Copy)]
pub struct Ours<'a> {
    /// The operation, by the service's id.
    pub operation: &'a str,
    /// The caller's key.
    pub key: &'a str,
    /// The fingerprint of the plan that it applies.
    pub fingerprint: &'a str,
    /// Where.
    pub environment: &'a str,
    /// The version that it leads to.
    pub version: &'a str,
    /// Names of use cases that apply nothing.
    pub others: &'a [&'a str],
    /// The workflow, by the service's id, where it said one.
    pub workflow: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

/// Reads the answer to a question about an operation.
pub fn asked(heard: Heard<'_>, ours: &Ours<'_>) -> Asked {
    let (status, body) = match heard {
        Heard::Answer { status, body, .. } => (status, Ok(body)),
        Heard::Cut {
            status,
            silence,
            text,
            ..
        } => (status, Err(silent(silence, &cut(text)))),
        Heard::Silent { silence, text } => return Asked::Trouble(silent(silence, text)),
    };
    match status {
        200..=299 => match body.map(|body| told(body, ours)) {
            Ok(Ok(told)) => Asked::Told(told),
            Ok(Err(why)) => Asked::Trouble(Trouble::new(
                Reason::WorkflowAnswer,
                format!("it answered {status}, and {why}"),
            )),
            Err(trouble) => Asked::Trouble(trouble),
        },
        404 => Asked::Missing,
        _ => Asked::Trouble(refusal(heard)),
    }
}

fn told(body: &[u8], ours: &Ours<'_>) -> Result<Told, String> {
    let document = document(body)?;
    let status = match document.get("status") {
        Some(Value::String(word)) => word_of(word)?,
        Some(_) => return Err("its `status` is no text".into()),
        None => return Err("it has no `status`".into()),
    };
    for key in ["traceId", "toolId", "startedAt"] {
        match document.get(key) {
            Some(Value::String(text)) if !text.trim().is_empty() => {}
            Some(_) => return Err(format!("its `{key}` is no text, or an empty one")),
            None => return Err(format!("it has no `{key}`")),
        }
    }
    let completed = times(&document, ours.now)?;
    is_ours(&document, ours)?;
    let result = match document.get("result") {
        None | Some(Value::Null) => None,
        Some(Value::String(result)) => Some(result.clone()),
        Some(_) => return Err("its `result` is no text".into()),
    };
    let mut error = error(&document)?;
    // No word of the contract, and no success stands beside some.
    let errors = document.get("errors").filter(|e| !is_nothing(e));
    if let (None, Some(errors)) = (&error, errors) {
        error = Some(short(&errors.to_string()));
    }
    let reasons = texts(&document, "reasons")?;
    let told = Told {
        status,
        error,
        result,
        reasons: reasons.iter().filter_map(|r| r.parse().ok()).collect(),
    };
    let success = match document.get("success") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(success)) => Some(*success),
        Some(_) => return Err("its `success` is neither true nor false".into()),
    };
    match contradiction(&told, completed, success) {
        Some(why) => Err(why),
        None => Ok(told),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        Value::Bool(true) => false,
    }
}

/// The texts of a list; an empty one where there is none.
fn texts<'a>(document: &'a Map<String, Value>, key: &str) -> Result<Vec<&'a str>, String> {
    let none = || format!("its `{key}` is no list of texts");
    match document.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(all)) => {
            let all = all.iter().map(|one| one.as_str().ok_or_else(none));
            all.collect()
        }
        Some(_) => Err(none()),
    }
}

/// Reads the times; says whether it is completed. Where a clock may go wrong a little, only what no clock explains is a contradiction:
/// both are the service's own, so their order holds, and neither lies ahead.
fn times(document: &Map<String, Value>, now: Timestamp) -> Result<bool, String> {
    let time = |key: &str| match document.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => time(key, value.as_str().unwrap_or_default(), now).map(Some),
    };
    match (time("startedAt")?, time("completedAt")?) {
        (Some(started), Some(completed)) if completed < started => Err(format!(
            "its `completedAt` {completed} lies before its `startedAt` {started}"
        )),
        (_, completed) => Ok(completed.is_some()),
    }
}

/// What it says that it is about must be ours; it need not say it.
fn is_ours(document: &Map<String, Value>, ours: &Ours<'_>) -> Result<(), String> {
    agrees(document, ours, &[])
}

/// As [`is_ours`], without what a service says first in this answer.
fn agrees(
    document: &Map<String, Value>,
    ours: &Ours<'_>,
    first_said: &[&str],
) -> Result<(), String> {
    if let Some(Value::String(tool)) = document.get("toolId") {
        // A name may have its owner's before it, and a service may have words of its own.
        let name = tool.rsplit('.').next().unwrap_or_default();
        if ours.others.iter().any(|o| o.eq_ignore_ascii_case(name)) {
            return Err(format!(
                "it is about `{}`, and what was sent is to be applied",
                short(tool)
            ));
        }
    }
    // Which workflow it is the service has said itself, if its answer came.
    let said = |key: &str| document.get(key).and_then(Value::as_str);
    let workflow = ours.workflow.or_else(|| said("workflowId"));
    for (key, what, own) in [
        ("workflowId", "workflow", workflow.unwrap_or_default()),
        ("operationId", "operation", ours.operation),
        ("idempotencyKey", "the key", ours.key),
        ("planFingerprint", "the plan", ours.fingerprint),
        ("environment", "environment", ours.environment),
        ("version", "version", ours.version),
        ("to", "version", ours.version),
    ] {
        if first_said.contains(&key) {
            continue;
        }
        match document.get(key) {
            None => {}
            Some(Value::String(said)) if said == own => {}
            Some(Value::Null) if key != "operationId" => {}
            Some(other) => {
                let said = other.as_str().map_or_else(|| other.to_string(), short);
                let said = short(&said);
                return Err(format!("it is about {what} `{said}` and not `{own}`"));
            }
        }
    }
    Ok(())
}

/// What of a status record says the opposite of its state.
fn contradiction(told: &Told, completed: bool, success: Option<bool>) -> Option<String> {
    let beside = |what: &str| Some(format!("its `status` stands beside {what}"));
    let result = told.result.as_deref();
    // A foreign service's `result` may be anything; these words are ends.
    let ends: &[&str] = &[
        "promoted",
        "rolled_back",
        "refused",
        "needs_person",
        "failed",
        "cancelled",
        "timed_out",
    ];
    let own: &[&str] = match told.status {
        Status::Running => &[],
        Status::Succeeded => &["promoted"],
        Status::Failed => &["rolled_back", "refused", "needs_person", "failed"],
        Status::Cancelled => &["cancelled"],
        Status::TimedOut => &["timed_out"],
    };
    match result {
        Some(result) if ends.contains(&result) && !own.contains(&result) => {
            return beside(&format!("the `result` `{result}`, which is another end"));
        }
        _ => {}
    }
    match (told.status, success) {
        (Status::Succeeded, Some(false)) => return beside("a `success` that is false"),
        (Status::Failed | Status::Cancelled | Status::TimedOut, Some(true)) => {
            return beside("a `success` that is true");
        }
        _ => {}
    }
    match told.status {
        Status::Running if completed => beside("a `completedAt`"),
        Status::Succeeded => match &told.error {
            Some(error) => beside(&format!("an `error`: {error}")),
            None => {
                let bad = told.reasons.iter().find(|r| r.exit() != Exit::Done);
                bad.and_then(|r| beside(&format!("the reason {r}, which is none of a success")))
            }
        },
        _ => None,
    }
}

fn word_of(word: &str) -> Result<Status, String> {
    match word {
        "running" => Ok(Status::Running),
        "succeeded" => Ok(Status::Succeeded),
        "failed" => Ok(Status::Failed),
        "cancelled" => Ok(Status::Cancelled),
        "timed_out" => Ok(Status::TimedOut),
        other => Err(format!(
            "its `status` is `{}`, which is none of running, succeeded, failed, cancelled, timed_out",
            short(other)
        )),
    }
}

/// What became of a wish to end an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The service took the wish; the operation says itself when it has ended.
    Taken,
    /// The service does not end it.
    Refused(Trouble),
    /// Nobody knows; it does no harm to say it again.
    Unknown(Trouble),
}

/// Reads the answer to a wish to end an operation. A yes needs no body; one that says something else is none.
pub fn cancelled(heard: Heard<'_>, ours: &Ours<'_>) -> Ended {
    let status = match heard {
        Heard::Answer { status, .. } | Heard::Cut { status, .. } => status,
        Heard::Silent { silence, text } => return Ended::Unknown(silent(silence, text)),
    };
    match (status, heard) {
        (200..=299, Heard::Answer { body, .. }) => match no_to_a_cancel(body, ours) {
            None => Ended::Taken,
            Some(why) => Ended::Unknown(Trouble::new(
                Reason::WorkflowAnswer,
                format!("it answered {status}, and {why}"),
            )),
        },
        (200..=299, _) => Ended::Taken,
        // It was taken, so a service that does not know it may know it a little later.
        (404 | 429 | 500.., _) => Ended::Unknown(refusal(heard)),
        _ => Ended::Refused(refusal(heard)),
    }
}

/// What in a body says that the wish was not taken.
fn no_to_a_cancel(body: &[u8], ours: &Ours<'_>) -> Option<String> {
    // A page is what somebody before the service shows.
    if body.trim_ascii_start().starts_with(b"<") {
        return Some("what it said is a page".into());
    }
    let Ok(Value::Object(whole)) = canonical::parse(body) else {
        return None;
    };
    let ours = Ours {
        // What ends may be told in its use case's own name.
        others: &[],
        ..*ours
    };
    let of = |key: &str| whole.get(key).and_then(Value::as_object);
    let parts = [Some(&whole), of("data"), of("handle")];
    parts.into_iter().flatten().find_map(|part| {
        // That it is cancelled is what was asked for.
        let mut part = part.clone();
        part.remove("status");
        says_yes(&part, &ours).err().or_else(|| {
            let said = part.get("operationId").and_then(Value::as_str);
            let other = said.filter(|said| *said != ours.operation)?;
            Some(format!(
                "it is about operation `{}` and not `{}`",
                short(other),
                ours.operation
            ))
        })
    })
}

fn silent(silence: Silence, text: &str) -> Trouble {
    let reason = match silence {
        Silence::Unreachable | Silence::Broken => Reason::WorkflowUnreachable,
        Silence::TimedOut => Reason::WorkflowTimeout,
        Silence::TooLarge => Reason::WorkflowAnswer,
    };
    Trouble::new(reason, short(text))
}

/// An answer that says no.
fn refusal(heard: Heard<'_>) -> Trouble {
    let (status, retry_after, body) = match heard {
        Heard::Answer {
            status,
            retry_after,
            body,
        } => (status, retry_after, body),
        Heard::Cut {
            status,
            retry_after,
            ..
        } => (status, retry_after, &[][..]),
        Heard::Silent { .. } => return Trouble::new(Reason::Internal, "an answer that is none"),
    };
    let error = error_of(body);
    let reason = match status {
        429 => Reason::WorkflowBusy,
        500.. => Reason::WorkflowFailed,
        401 => Reason::WorkflowDenied,
        403 if error.is_none() => Reason::WorkflowDenied,
        _ => Reason::WorkflowRefused,
    };
    let mut trouble = Trouble::new(reason, format!("it answered {status}"));
    trouble.after = retry_after;
    match error {
        Some((text, told)) => {
            trouble.text = format!("{}: {text}", trouble.text);
            trouble.told = told;
        }
        None if (300..400).contains(&status) => {
            trouble
                .text
                .push_str(", which leads elsewhere, and nobody goes there");
        }
        None => {
            let said = short(&String::from_utf8_lossy(body));
            if !said.is_empty() {
                trouble.text = format!("{}: {said}", trouble.text);
            }
        }
    }
    trouble
}

/// The message and the reason codes of an error in a gonogo server's envelope.
fn error_of(body: &[u8]) -> Option<(String, Vec<Reason>)> {
    let Ok(Value::Object(envelope)) = canonical::parse(body) else {
        return None;
    };
    let error = envelope.get("error")?.as_object()?;
    let message = error.get("message")?.as_str()?;
    let code = error.get("code").and_then(Value::as_str)?;
    let codes = error.get("details").and_then(|d| d.get("reasonCodes"));
    let codes = codes.and_then(Value::as_array).into_iter().flatten();
    let codes = codes.filter_map(Value::as_str);
    Some((
        format!("{}: {}", short(code), short(message)),
        codes.filter_map(|c| c.parse().ok()).collect(),
    ))
}

/// The document that a body is, without a gonogo server's envelope around it.
fn document(body: &[u8]) -> Result<Map<String, Value>, String> {
    let value = canonical::parse(body)
        .map_err(|e| format!("what it said is no JSON that can be relied on: {e}"))?;
    let Value::Object(mut map) = value else {
        return Err("what it said is no JSON object".into());
    };
    let enveloped = map.contains_key("success") && map.contains_key("metadata");
    if !enveloped {
        return Ok(map);
    }
    if map.get("success") != Some(&Value::Bool(true)) {
        return Err("its envelope tells an error".into());
    }
    let handle = map.remove("handle");
    match map.remove("data") {
        Some(Value::Object(mut data)) => {
            if let Some(handle) = handle {
                data.insert("handle".into(), handle);
            }
            Ok(data)
        }
        _ => Err("its envelope has no data".into()),
    }
}

/// A foreign text, short enough to be told, on one line.
fn short(text: &str) -> String {
    let printable = text.trim().chars().take(QUOTED);
    printable
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests;

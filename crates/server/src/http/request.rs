//! What a request says: strict JSON, the query, the path.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::Response;
use gonogo_app::AppError;
use gonogo_app::doors::{self, LEAST_TIMEOUT_MS, LONGEST_WAIT, Tool};
use gonogo_core::envelope::Class;
use gonogo_core::{Reason, canonical};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::reply::{Reply, short};

/// Time for a whole body: whoever sends none keeps no place of others.
const BODY_WITHIN: Duration = Duration::from_secs(15);

/// The most that a body may have, in bytes.
pub(crate) const MOST: usize = 1 << 20;

/// The longest target of a request, in bytes.
const TARGET: usize = 8 << 10;

/// The most headers of a request.
const HEADERS: usize = 64;

/// The most that all headers of a request may have, in bytes.
const HEAD: usize = 32 << 10;

/// Before anything else: refuses a head that is larger than anything that is asked here. The limits of what reads the connection are wider
/// (`crowd`), and what is beyond those has no envelope.
pub(super) async fn bounded(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let size = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        name.as_str().len() + value.len()
    };
    let target = request
        .uri()
        .path_and_query()
        .map_or(0, |p| p.as_str().len());
    let error = if target > TARGET {
        let text = format!("the address has {target} bytes, and at most {TARGET} are read");
        AppError::new(Reason::UriTooLong, text)
    } else if headers.len() > HEADERS || headers.iter().map(size).sum::<usize>() > HEAD {
        let text = format!("at most {HEADERS} headers with {HEAD} bytes together are read");
        AppError::new(Reason::HeadTooLarge, text)
    } else {
        return next.run(request).await;
    };
    Reply::to(headers, "http", Class::Read).fail(&error)
}

/// Refuses who cannot read an answer of this kind.
pub(super) fn acceptable(headers: &HeaderMap, kind: &str) -> Result<(), AppError> {
    let mut all = headers.get_all(ACCEPT).iter().peekable();
    if all.peek().is_none() {
        return Ok(());
    }
    let family = kind.split('/').next().unwrap_or_default();
    let takes = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let fits = name == kind || name == "*/*" || name.strip_suffix("/*") == Some(family);
        let weight = parts.find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
        fits && weight.is_none_or(|q| q.parse().is_ok_and(|q: f32| q > 0.0))
    };
    if all.any(|v| v.to_str().unwrap_or_default().split(',').any(takes)) {
        return Ok(());
    }
    let text = format!("this is answered as `{kind}`, which the header `Accept` does not name");
    Err(AppError::new(Reason::NotAcceptable, text).hint(format!("accept `{kind}`")))
}

fn malformed(text: impl Into<String>) -> AppError {
    AppError::new(Reason::InputMalformed, text)
}

/// Reads a body as one JSON object.
pub(crate) async fn json(headers: &HeaderMap, body: Body) -> Result<Value, AppError> {
    content_type(headers)?;
    let limited = Limited::new(body, MOST);
    let collected = tokio::time::timeout(BODY_WITHIN, limited.collect()).await;
    let Ok(collected) = collected else {
        let text = format!("the body did not come within {} s", BODY_WITHIN.as_secs());
        return Err(AppError::new(Reason::BodyLate, text));
    };
    let bytes = match collected {
        Ok(all) => all.to_bytes(),
        Err(e) if e.downcast_ref::<LengthLimitError>().is_some() => {
            let text = format!("the body has more than {MOST} bytes");
            return Err(AppError::new(Reason::BodyTooLarge, text));
        }
        Err(e) => return Err(malformed(format!("the body could not be read: {e}"))),
    };
    if bytes.is_empty() {
        return Err(malformed("the body is empty; a JSON object is expected"));
    }
    // Doubled keys and bad UTF-8 are refused there; how large a number may be, the schema says.
    let value = canonical::parse_any(&bytes).map_err(|e| malformed(format!("the body: {e}")))?;
    match value {
        Value::Object(_) => Ok(value),
        // It was read, and its place is told: the whole.
        _ => Err(malformed("the body is no JSON object").with("path", "$")),
    }
}

fn content_type(headers: &HeaderMap) -> Result<(), AppError> {
    let refuse = |text: String| Err(AppError::new(Reason::MediaTypeRefused, text));
    if headers.get_all(CONTENT_TYPE).iter().nth(1).is_some() {
        return Err(malformed("the request has two headers `Content-Type`"));
    }
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    if !codings.all(|c| c.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity")) {
        return refuse("the body has a `Content-Encoding`, and is read as it is".into());
    }
    let Some(given) = headers.get(CONTENT_TYPE) else {
        return refuse("the request says no `Content-Type`".into());
    };
    let given = given.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = given.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let charset = parts.find_map(|p| p.strip_prefix("charset="));
    let utf8 = charset.is_none_or(|c| matches!(c.trim_matches('"'), "utf-8" | "utf8"));
    if kind == "application/json" && utf8 {
        return Ok(());
    }
    refuse(format!(
        "the body is `{}`, not JSON in UTF-8",
        short(&given)
    ))
}

/// What `POST /tools/invoke` asks for.
pub(super) struct Invocation {
    /// The use case.
    pub(super) id: String,
    /// The trace.
    pub(super) trace: Option<String>,
    /// Its input.
    pub(super) input: Value,
    /// Milliseconds that the caller gives it.
    pub(super) timeout_ms: Option<u64>,
}

/// The time that a caller gives a use case of this class, if the class admits it.
pub(super) fn within(class: Class, ms: Option<u64>) -> Result<Option<Duration>, AppError> {
    let most = class.policy().max_timeout_ms;
    match ms {
        None => Ok(None),
        Some(ms) if (LEAST_TIMEOUT_MS..=most).contains(&ms) => Ok(Some(Duration::from_millis(ms))),
        Some(_) => {
            let text =
                format!("`timeoutMs` must be {LEAST_TIMEOUT_MS} to {most} for this use case");
            Err(malformed(text).with("path", "$.timeoutMs"))
        }
    }
}

/// Reads what `POST /tools/invoke` asks for.
pub(super) fn invocation(asked: Value) -> Result<Invocation, AppError> {
    let Value::Object(mut asked) = asked else {
        return Err(malformed("the body is no JSON object"));
    };
    let id = match asked.remove("toolId") {
        Some(Value::String(id)) => id,
        _ => {
            return Err(malformed("`toolId` must be a text").with("path", "$.toolId"));
        }
    };
    let trace = match asked.remove("traceId") {
        None => None,
        Some(Value::String(trace)) if is_trace(&trace) => Some(trace),
        Some(Value::String(trace)) if doors::is_secret(&trace) => {
            return Err(secret_in("$.traceId"));
        }
        Some(_) => {
            let text = "`traceId` must be 1 to 128 of `A-Z a-z 0-9 . _ : -`";
            return Err(malformed(text).with("path", "$.traceId"));
        }
    };
    let input = asked
        .remove("input")
        .unwrap_or_else(|| Value::Object(Map::new()));
    let timeout_ms = match asked.remove("timeoutMs") {
        None => None,
        // To JSON Schema `900.0` is a whole number.
        Some(ms) => match doors::whole(ms).as_u64() {
            Some(ms) => Some(ms),
            None => {
                let text = "`timeoutMs` must be a whole number of milliseconds";
                return Err(malformed(text).with("path", "$.timeoutMs"));
            }
        },
    };
    match asked.keys().next() {
        None => Ok(Invocation {
            id,
            trace,
            input,
            timeout_ms,
        }),
        Some(key) => {
            let key = short(key);
            let text =
                format!("`{key}` is not known here; toolId, traceId, timeoutMs and input are");
            Err(malformed(text).with("path", format!("$.{key}")))
        }
    }
}

/// Whether a text can be a trace's id.
pub(super) fn is_trace(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    (1..=128).contains(&text.len()) && text.bytes().all(inner) && !doors::is_secret(text)
}

/// It would be kept with everything that the call begins.
fn secret_in(place: &str) -> AppError {
    let text =
        format!("`{place}` holds what looks like a token or another secret, and would be kept");
    AppError::new(Reason::SecretInInput, text).with("path", place)
}

/// The fields that a query gives, each as the type that the schema has for it.
pub(super) fn query(tool: &Tool, query: &str) -> Result<Value, AppError> {
    let mut input = Map::new();
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, text) = (decoded(name)?, decoded(text)?);
        let value = typed(&tool.input()["properties"][&name], text);
        if input.insert(name.clone(), value).is_some() {
            return Err(malformed(format!("`{}` is given twice", short(&name))));
        }
    }
    Ok(Value::Object(input))
}

fn decoded(text: &str) -> Result<String, AppError> {
    let text = text.replace('+', " ");
    let text = percent_decode_str(&text).decode_utf8();
    Ok(text
        .map_err(|_| malformed("the query is not UTF-8"))?
        .into_owned())
}

/// A query's text as the type that a schema names; what is none of that type stays a text, and the schema refuses it.
fn typed(schema: &Value, text: String) -> Value {
    let is = |word: &str| match &schema["type"] {
        Value::String(one) => one == word,
        Value::Array(several) => several.iter().any(|one| one == word),
        _ => false,
    };
    if is("integer")
        && let Ok(number) = text.parse::<u64>()
        && number.to_string() == text
    {
        return number.into();
    }
    match text.as_str() {
        "true" if is("boolean") => true.into(),
        "false" if is("boolean") => false.into(),
        _ => text.into(),
    }
}

/// Takes the time out of an input that a caller wants to wait for an end.
pub(super) fn wait(tool: &Tool, input: &mut Value) -> Result<Option<Duration>, AppError> {
    let Some(map) = input.as_object_mut().filter(|_| tool.facts.waits) else {
        return Ok(None);
    };
    let Some(wait) = map.remove("wait") else {
        return Ok(None);
    };
    let seconds = wait.as_str().and_then(|text| text.parse().ok());
    match seconds.filter(|s| *s <= LONGEST_WAIT) {
        Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
        None => {
            let text = format!("`wait` must be 0 to {LONGEST_WAIT} whole seconds");
            Err(malformed(text).with("path", "$.wait"))
        }
    }
}

/// Refuses a trace that cannot be one: the caller would look for it in vain.
pub(crate) fn trace(headers: &HeaderMap) -> Result<(), AppError> {
    let all = headers.get_all("x-trace-id");
    if all.iter().all(|v| v.to_str().is_ok_and(is_trace)) {
        return Ok(());
    }
    if all.iter().any(|v| v.to_str().is_ok_and(doors::is_secret)) {
        return Err(secret_in("X-Trace-Id"));
    }
    let text = "`X-Trace-Id` must be 1 to 128 of `A-Z a-z 0-9 . _ : -`";
    Err(malformed(text))
}

/// Adds the path's fields.
pub(super) fn with_path<'a>(
    input: &mut Value,
    path: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<(), AppError> {
    for (name, text) in path {
        let Some(map) = input.as_object_mut() else {
            return Err(malformed("the body is no JSON object"));
        };
        if map.insert(name.to_owned(), text.into()).is_some() {
            let text = format!("`{name}` stands in the path already");
            return Err(malformed(text).with("path", format!("$.{name}")));
        }
    }
    Ok(())
}

/// The key of the header `Idempotency-Key`, if there is one.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<&str>, AppError> {
    let mut all = headers.get_all("idempotency-key").iter();
    let (first, second) = (all.next(), all.next());
    if second.is_some() {
        return Err(malformed("the request has two headers `Idempotency-Key`"));
    }
    let sound =
        |text: &&str| (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    first
        .map(|value| {
            let text = value.to_str().ok().filter(sound);
            let text = text.ok_or_else(|| {
                malformed("`Idempotency-Key` must be 1 to 200 printable characters")
            })?;
            match doors::is_secret(text) {
                true => Err(secret_in("Idempotency-Key")),
                false => Ok(text),
            }
        })
        .transpose()
}

/// Adds the key of the header `Idempotency-Key`, where the use case takes one.
pub(super) fn with_key(
    tool: &Tool,
    input: &mut Value,
    headers: &HeaderMap,
) -> Result<(), AppError> {
    const FIELD: &str = "idempotencyKey";
    let Some(given) = key(headers)? else {
        return Ok(());
    };
    // A dispatch has it one deeper.
    let deeper = input
        .pointer("/input/idempotencyKey")
        .and_then(Value::as_str);
    if deeper.is_some_and(|other| other != given) {
        let text = "`Idempotency-Key` and `idempotencyKey` are two keys";
        return Err(malformed(text).with("path", format!("$.input.{FIELD}")));
    }
    let takes = tool.input()["properties"].get(FIELD).is_some();
    let Some(map) = input.as_object_mut().filter(|_| takes) else {
        return Ok(());
    };
    match map.insert(FIELD.to_owned(), given.into()) {
        Some(other) if other != given => {
            let text = "`Idempotency-Key` and `idempotencyKey` are two keys";
            Err(malformed(text).with("path", format!("$.{FIELD}")))
        }
        _ => Ok(()),
    }
}

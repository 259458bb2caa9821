//! The envelope as a response.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use gonogo_app::AppError;
use gonogo_app::doors::{Done, EXIT, Tool};
use gonogo_core::clock::{Clock, SystemClock};
use gonogo_core::envelope::{Class, Code, Frame};
use gonogo_core::{Digest, Exit, Reason};
use gonogo_telemetry::Context;
use serde_json::{Value, json};

use super::challenge;
use super::request::is_trace;
use crate::seen::{Around, Kept};

/// Seconds after which it is worth to come again.
const COME_AGAIN: HeaderValue = HeaderValue::from_static("1");

/// A reply to be.
pub(crate) struct Reply {
    tool: &'static str,
    class: Class,
    /// The trace that the reply belongs to.
    pub(crate) trace: String,
}

/// How an envelope begins: keys are in the order of the alphabet.
const BEGIN: &str = r#"{"data":"#;

impl Reply {
    /// A reply to a request with these headers.
    pub(crate) fn to(headers: &HeaderMap, tool: &'static str, class: Class) -> Self {
        Self {
            tool,
            class,
            trace: trace(headers),
        }
    }

    /// Makes it the reply of a use case.
    pub(crate) fn of(&mut self, tool: &'static Tool) {
        self.tool = tool.facts.name;
        self.class = tool.facts.class;
    }

    fn frame(&self) -> Frame {
        Frame {
            tool_id: self.tool.to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").into(),
            class: self.class,
            trace_id: self.trace.clone(),
            timestamp: SystemClock::default().now().wall,
        }
    }

    /// A resource that was found or made: the envelope, with what began beside it.
    pub(crate) fn done(&self, status: u16, done: Done) -> Response {
        let location = done.handle.as_ref().map(|h| h.status_url.clone());
        let mut body = self.frame().success(done.data);
        if let (Some(handle), Some(map)) = (done.handle, body.as_object_mut()) {
            map.insert("handle".into(), json!(handle));
        }
        let mut response = plain(status, &body);
        self.mark(&mut response);
        response
            .headers_mut()
            .insert(EXIT, u16::from(done.exit.code()).into());
        if let Some(location) = location.and_then(|l| HeaderValue::from_str(&l).ok()) {
            response.headers_mut().insert(LOCATION, location);
            response.headers_mut().insert(RETRY_AFTER, COME_AGAIN);
        }
        response
    }

    /// A resource that was looked at: with a tag of what it says, or nothing where the caller has just that.
    pub(crate) fn found(&self, headers: &HeaderMap, done: Done) -> Response {
        let tag = tag(&done);
        let known = names(headers.get_all(IF_NONE_MATCH).iter(), &tag);
        let mut response = match known {
            true => {
                let mut empty = Response::new(Body::empty());
                *empty.status_mut() = StatusCode::NOT_MODIFIED;
                self.mark(&mut empty);
                empty
            }
            false => self.done(200, done),
        };
        tagged(&mut response, &tag);
        response
    }

    /// An answer that was given before, in this caller's envelope.
    pub(crate) fn kept(&self, headers: &HeaderMap, kept: &Kept) -> Response {
        if names(headers.get_all(IF_NONE_MATCH).iter(), &kept.tag) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            self.mark(&mut response);
            tagged(&mut response, &kept.tag);
            return response;
        }
        let time = SystemClock::default().now().wall.to_string();
        let around = &*kept.around;
        let body = [
            BEGIN,
            &kept.data,
            &around.before,
            &time,
            &around.between,
            &self.trace,
            &around.behind,
        ]
        .concat();
        let mut response = Response::new(Body::from(body));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
            .headers_mut()
            .insert(EXIT, u16::from(kept.exit.code()).into());
        self.mark(&mut response);
        tagged(&mut response, &kept.tag);
        response
    }

    /// What stands around an answer; none if the envelope has another form than is known here.
    pub(crate) fn around(&self) -> Option<Around> {
        // A trace that nobody chose, so that it stands in one place.
        let frame = Frame {
            trace_id: gonogo_app::identity::new_trace(),
            ..self.frame()
        };
        let text = frame.success(Value::Null).to_string();
        let rest = text.strip_prefix(BEGIN)?.strip_prefix("null")?;
        let (before, rest) = rest.split_once(&frame.timestamp.to_string())?;
        let (between, behind) = rest.split_once(&frame.trace_id)?;
        Some(Around {
            before: before.to_owned(),
            between: between.to_owned(),
            behind: behind.to_owned(),
        })
    }

    /// The answer of `POST /tools/invoke`: `{envelope, handle?}`.
    pub(crate) fn wrapped(&self, status: u16, done: Done) -> Response {
        let mut body = json!({"envelope": self.frame().success(done.data)});
        if let (Some(handle), Some(map)) = (done.handle, body.as_object_mut()) {
            map.insert("handle".into(), json!(handle));
        }
        let mut response = plain(status, &body);
        self.mark(&mut response);
        response
            .headers_mut()
            .insert(EXIT, u16::from(done.exit.code()).into());
        response
    }

    /// An error of a resource.
    pub(crate) fn fail(&self, error: &AppError) -> Response {
        self.failed(error, |envelope| envelope)
    }

    /// An error of `POST /tools/invoke`.
    pub(crate) fn wrapped_fail(&self, error: &AppError) -> Response {
        self.failed(error, |envelope| json!({"envelope": envelope}))
    }

    fn failed(&self, error: &AppError, wrap: impl Fn(Value) -> Value) -> Response {
        let body = wrap(self.frame().failure(&error.failure()));
        let status = status(error);
        let mut response = plain(status, &body);
        self.mark(&mut response);
        let headers = response.headers_mut();
        headers.insert(EXIT, u16::from(error.exit().code()).into());
        if let Some(challenge) = challenge::of(error, status) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if matches!(status, 429 | 503) {
            let seconds = error.details["retryAfterSeconds"].as_u64();
            headers.insert(RETRY_AFTER, seconds.map_or(COME_AGAIN, HeaderValue::from));
        }
        response
    }

    fn mark(&self, response: &mut Response) {
        if let Ok(trace) = HeaderValue::from_str(&self.trace) {
            response.headers_mut().insert("x-trace-id", trace);
        }
    }
}

fn tagged(response: &mut Response, tag: &str) {
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

/// The strong tag of a resource. The envelope around it has its own time and trace, so the tag is of what was asked for.
pub(crate) fn tag(done: &Done) -> String {
    let digest = Digest::of(done.data.to_string().as_bytes()).hex();
    format!("\"{}\"", &digest[..32])
}

/// The tags of a header, which are strong or weak (RFC 9110, section 8.8.3): whether it is weak, and the tag in its quotes. What is no tag
/// is none. Commas within quotes part nothing.
fn tags<'a>(given: impl Iterator<Item = &'a HeaderValue>) -> impl Iterator<Item = (bool, &'a str)> {
    given.flat_map(|value| {
        let mut rest = value.to_str().unwrap_or_default();
        std::iter::from_fn(move || {
            loop {
                rest = rest.trim_start_matches([' ', '\t', ',']);
                let opaque = rest.strip_prefix("W/");
                let (weak, text) = (opaque.is_some(), opaque.unwrap_or(rest));
                let closed = text.strip_prefix('"').and_then(|t| t.find('"'));
                if let Some(at) = closed {
                    let (tag, behind) = text.split_at(at + 2);
                    rest = behind;
                    return Some((weak, tag));
                }
                // Up to the next comma it is no tag.
                rest = rest.split_once(',')?.1;
            }
        })
    })
}

/// Whether a header has the tag, weak or strong, or `*` alone: for `If-None-Match` (RFC 9110, section 13.1.2).
pub(crate) fn names<'a>(given: impl Iterator<Item = &'a HeaderValue>, tag: &str) -> bool {
    has(given, |_, t| t == tag)
}

/// Whether a header has the tag, and it is strong, or `*` alone: for `If-Match` (RFC 9110, section 13.1.1).
pub(crate) fn is<'a>(given: impl Iterator<Item = &'a HeaderValue>, tag: &str) -> bool {
    has(given, |weak, t| !weak && t == tag)
}

fn has<'a>(
    given: impl Iterator<Item = &'a HeaderValue>,
    fits: impl Fn(bool, &str) -> bool,
) -> bool {
    let given: Vec<&HeaderValue> = given.collect();
    let any = given.len() == 1 && given[0].as_bytes().trim_ascii() == b"*";
    any || tags(given.into_iter()).any(|(weak, tag)| fits(weak, tag))
}

/// JSON with a status.
pub(crate) fn plain(status: u16, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// The status of an error: by its reason where HTTP has a word for that, else by the contract's code.
fn status(error: &AppError) -> u16 {
    match error.reason {
        Reason::Unauthenticated | Reason::TokenAudience => 401,
        Reason::MethodRefused => 405,
        Reason::NotAcceptable => 406,
        Reason::ResourceChanged => 412,
        Reason::BodyLate => 408,
        Reason::BodyTooLarge => 413,
        Reason::UriTooLong => 414,
        Reason::MediaTypeRefused => 415,
        Reason::HeadTooLarge => 431,
        Reason::InputMalformed
        | Reason::SecretInInput
        | Reason::ArgumentInvalid
        | Reason::PinMoves
        | Reason::ToolUnknown => 400,
        Reason::EnvironmentUnknown | Reason::VersionUnknown => 404,
        _ => match error.code() {
            Code::Unauthorized | Code::ApprovalRequired | Code::AuthFailure => 403,
            Code::InputValidationFailed if error.exit() == Exit::NotFound => 404,
            // The input is well-formed; what it names does not fit what is there.
            Code::InputValidationFailed => 409,
            Code::Conflict => 409,
            Code::RateLimit => 429,
            Code::UpstreamTimeout => 504,
            Code::DependencyUnavailable | Code::UpstreamUnavailable => 503,
            // A decision that stands in the way is no fault of the server's.
            Code::RunnerError if error.exit() == Exit::Internal => 500,
            Code::RunnerError => 409,
        },
    }
}

/// The caller's trace: W3C's `traceparent`, `X-Trace-Id`, or a new one.
fn trace(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let parent = text("traceparent").and_then(Context::read);
    parent
        .map(|context| context.trace)
        .or_else(|| {
            text("x-trace-id")
                .filter(|id| is_trace(id))
                .map(str::to_owned)
        })
        .unwrap_or_else(gonogo_app::identity::new_trace)
}

/// The trace that a `traceparent` names (W3C Trace Context, section 3.2).
pub(crate) fn traced(parent: &str) -> Option<&str> {
    let hex = |id: &&str| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    parent.split('-').nth(1).filter(hex)
}

/// A foreign text, short enough to be told.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_a_kept_answer_is_the_envelope() {
        // A trace that occurs in the envelope's own words.
        let reply = Reply {
            tool: "operation_get",
            class: Class::Read,
            trace: "t".into(),
        };
        let (frame, around) = (reply.frame(), reply.around().unwrap());
        let data = json!({"status": "succeeded", "timestamp": "t"});
        let (text, time) = (data.to_string(), frame.timestamp.to_string());
        let around = [&around.before, &time, &around.between, "t", &around.behind];
        let kept = [BEGIN, &text, &around.concat()].concat();
        assert_eq!(kept, frame.success(data).to_string());
    }

    #[test]
    fn tags_are_compared_as_the_rule_says() {
        let tag = "\"ab,c\"";
        for (given, found, same) in [
            ("\"ab,c\"", true, true),
            ("W/\"ab,c\"", true, false),
            ("\"x\", W/\"y\" ,\t\"ab,c\"", true, true),
            ("*", true, true),
            ("\"x\", *", false, false),
            ("w/\"ab,c\"", false, false),
            ("ab,c", false, false),
            ("\"ab\", \"c\"", false, false),
            ("\"ab,c", false, false),
            ("", false, false),
        ] {
            let value = HeaderValue::from_str(given).expect("a header");
            let all = [value];
            assert_eq!(names(all.iter(), tag), found, "{given}");
            assert_eq!(is(all.iter(), tag), same, "{given}");
        }
        let two = [
            HeaderValue::from_static("\"x\""),
            HeaderValue::from_static("W/\"ab,c\""),
        ];
        assert!(names(two.iter(), tag));
        let stars = [HeaderValue::from_static("*"), HeaderValue::from_static("*")];
        assert!(!names(stars.iter(), tag));
    }
}

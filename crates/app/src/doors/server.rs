//! Asking another gonogo: the same use cases, answered by a server.
//!
//! Invariants: every call has the time-out of its class and a bound on the answer; only reads are tried again, and not before the time that
//! the answer names; what the server refused is
//! told as the server told it, with its reasons and its exit code; the token is sent in a header and told nobody else.

use std::time::Duration;

use gonogo_core::envelope::Class;
use gonogo_core::{Exit, Reason};
use gonogo_outbound::{NoAnswer, exchange};
use serde_json::{Map, Value, json};

use super::desk::{Answered, Done};
use super::registry;
use super::tool::UseCase;
use crate::AppError;

/// The header that carries a command's exit code, which the envelope does not have.
pub const EXIT: &str = "gonogo-exit";

/// The most that an answer may have, in bytes.
const MOST: usize = 64 << 20;

/// What an answer may take beyond the time that the server gives itself.
const BEYOND: Duration = Duration::from_secs(2);

/// A server that answers use cases.
pub struct Server {
    invoke: String,
    base: String,
    token: Option<String>,
}

impl Server {
    /// A server at `base`, like `http://127.0.0.1:8627`, and the token to show there.
    ///
    /// # Errors
    /// [`Reason::ArgumentInvalid`] for what is no address, or one with a name, a password, a query or a fragment in it.
    pub fn at(base: &str, token: Option<String>) -> Result<Self, AppError> {
        let refuse = |why: &str| {
            let text = format!("the server's address {why}");
            AppError::new(Reason::ArgumentInvalid, text)
                .hint("an address is like `http://127.0.0.1:8627` or `https://gonogo.example.org`")
        };
        let base = base.trim_end_matches('/');
        let rest = base
            .strip_prefix("http://")
            .or_else(|| base.strip_prefix("https://"))
            .ok_or_else(|| refuse("begins with neither `http://` nor `https://`"))?;
        // Where a secret could stand, none is sent and none is told.
        if rest.contains(['@', '?', '#']) {
            return Err(refuse("has more in it than a host, a port and a path"));
        }
        let invoke = format!("{base}/tools/invoke");
        if rest.is_empty() || invoke.parse::<http::Uri>().is_err() {
            return Err(refuse("names no host"));
        }
        let header = |t: &String| http::HeaderValue::from_str(&format!("Bearer {t}")).is_ok();
        if token.as_ref().is_some_and(|t| !header(t)) {
            let text = "the token has characters that no token has";
            return Err(AppError::new(Reason::Unauthenticated, text));
        }
        Ok(Self {
            invoke,
            base: base.to_owned(),
            token,
        })
    }

    /// Its address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Asks it to carry a use case out.
    ///
    /// # Errors
    /// What the server refused; [`Reason::ServerUnreachable`] and [`Reason::ServerAnswer`].
    pub fn ask<U: UseCase>(&self, input: &U, trace: &str) -> Result<Answered<U::Answer>, AppError> {
        let input = serde_json::to_value(input)
            .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
        let done = self.call(U::FACTS.name, U::FACTS.class, input, trace)?;
        let data = serde_json::from_value(done.data).map_err(|e| {
            let text = format!(
                "{} answered `{}` in another form: {e}",
                self.base,
                U::FACTS.name
            );
            AppError::new(Reason::ServerAnswer, text)
        })?;
        Ok(Answered {
            data,
            handle: done.handle,
            exit: done.exit,
        })
    }

    /// Asks it to carry out the use case `name`, whose input is not looked at here.
    ///
    /// # Errors
    /// As [`Server::ask`].
    pub fn call(
        &self,
        name: &str,
        class: Class,
        input: Value,
        trace: &str,
    ) -> Result<Done, AppError> {
        let policy = class.policy();
        let attempts = match class {
            Class::Read => policy.retry_policy.max_attempts,
            // What may have been done is not asked for a second time by itself.
            Class::Plan | Class::Apply => 1,
        };
        let within = Duration::from_millis(policy.default_timeout_ms) + BEYOND;
        let body = json!({"toolId": name, "traceId": trace, "input": input}).to_string();
        let most = Duration::from_millis(policy.max_timeout_ms);
        let mut wait = Duration::from_secs(policy.retry_policy.initial_interval_seconds.into());
        let mut tried = 1;
        loop {
            let mut after = None;
            let answered = self.once(&body, within, &mut after);
            let after = after.map(Duration::from_secs).unwrap_or_default();
            // Who asks for more time than the class has is not waited for.
            let again = matches!(&answered, Err((_, true))) && tried < attempts && after <= most;
            if !again {
                return answered.map_err(|(e, _)| match after.as_secs() {
                    0 => e,
                    seconds => e.with("retryAfterSeconds", seconds),
                });
            }
            std::thread::sleep(wait.max(after));
            wait *= policy.retry_policy.backoff_coefficient;
            tried += 1;
        }
    }

    /// One exchange; an error comes with whether it is worth a second one, and `after` how many seconds.
    fn once(
        &self,
        body: &str,
        within: Duration,
        after: &mut Option<u64>,
    ) -> Result<Done, (AppError, bool)> {
        let mut request = http::Request::post(&self.invoke)
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.header(http::header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request
            .body(bytes::Bytes::from(body.to_owned()))
            .map_err(|e| (AppError::new(Reason::Internal, e.to_string()), false))?;
        let answer = exchange(request, MOST, within).map_err(|e| self.silent(&e))?;
        let (parts, body) = answer.into_parts();
        let said = parts.headers.get(http::header::RETRY_AFTER);
        *after = said.and_then(|v| v.to_str().ok()?.trim().parse().ok());
        let exit = parts.headers.get(EXIT).and_then(|v| v.to_str().ok());
        let read = serde_json::from_slice::<Value>(&body).ok();
        let Some(Value::Object(mut read)) = read else {
            return Err(self.foreign(parts.status.as_u16()));
        };
        let Some(Value::Object(mut envelope)) = read.remove("envelope") else {
            return Err(self.foreign(parts.status.as_u16()));
        };
        let data = envelope.remove("data");
        match (envelope.get("success"), data) {
            (Some(Value::Bool(true)), Some(data)) => {
                let handle = read
                    .remove("handle")
                    .map(serde_json::from_value)
                    .transpose();
                let handle = handle.map_err(|_| self.foreign(parts.status.as_u16()))?;
                let exit = exit.and_then(|e| e.parse().ok()).and_then(Exit::of_code);
                Ok(Done {
                    data,
                    handle,
                    // A server that does not say how it ended has not said that it ended well.
                    exit: exit.unwrap_or(Exit::Unjudged),
                })
            }
            _ => Err(self.refusal(envelope.remove("error"), parts.status.as_u16())),
        }
    }

    fn silent(&self, why: &NoAnswer) -> (AppError, bool) {
        let text = format!("{}: {why}", self.base);
        let reason = match why {
            NoAnswer::TimedOut(_) => Reason::DeadlineExceeded,
            NoAnswer::TooLarge(_) => Reason::ServerAnswer,
            _ => Reason::ServerUnreachable,
        };
        (AppError::new(reason, text), reason != Reason::ServerAnswer)
    }

    /// An answer without an envelope, and whether it is worth a second try: what stands before a server refuses and fails in its stead.
    fn foreign(&self, status: u16) -> (AppError, bool) {
        let base = &self.base;
        let (reason, text) = match status {
            429 => (
                Reason::RateLimited,
                format!("{base}: too much was asked: status 429, and not by gonogo's own word"),
            ),
            504 => (
                Reason::DeadlineExceeded,
                format!("{base}: what stands before the server had no answer in time: status 504"),
            ),
            500.. => (
                Reason::ServerFailed,
                format!(
                    "{base} failed, or what stands before it: status {status}, and no word of gonogo's"
                ),
            ),
            _ => (
                Reason::ServerAnswer,
                format!("what answers at {base} is no gonogo: status {status}"),
            ),
        };
        (AppError::new(reason, text), reason != Reason::ServerAnswer)
    }

    /// The error that a server told, as it is here.
    fn refusal(&self, error: Option<Value>, status: u16) -> (AppError, bool) {
        let Some(Value::Object(error)) = error else {
            return self.foreign(status);
        };
        let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
        let details = error.get("details").and_then(Value::as_object);
        let mut details: Map<String, Value> = details.cloned().unwrap_or_default();
        let codes = details.remove("reasonCodes");
        let codes: Vec<String> = codes
            .and_then(|c| serde_json::from_value(c).ok())
            .unwrap_or_default();
        let reasons: Vec<Reason> = codes.iter().filter_map(|c| c.parse().ok()).collect();
        let hints = details.remove("hints");
        let hints: Vec<String> = hints
            .and_then(|h| serde_json::from_value(h).ok())
            .unwrap_or_default();
        let Some((first, others)) = reasons.split_first() else {
            let message = format!(
                "{} refused for a reason that this gonogo does not know ({}): {}",
                self.base,
                codes.join(", "),
                text("message")
            );
            return (AppError::new(Reason::ServerAnswer, message), false);
        };
        let mut told = AppError::new(*first, text("message")).and(others);
        for hint in hints {
            told = told.hint(hint);
        }
        told.details = Value::Object(details);
        let retriable = error.get("retriable").and_then(Value::as_bool);
        (told, retriable == Some(true))
    }
}

/// Class of the use case `name`, for callers that know it by name alone.
pub fn class_of(name: &str) -> Option<Class> {
    registry::find(name).map(|t| t.facts.class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_address_and_nothing_more() {
        for good in [
            "http://127.0.0.1:8627",
            "http://127.0.0.1:8627/",
            "https://gonogo.example.org/team",
            "http://[::1]:80",
        ] {
            assert!(Server::at(good, None).is_ok(), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:8627",
            "ftp://host",
            "http://",
            "http://ada:secret@host",
            "http://host?token=secret",
            "http://host#x",
            "http://ho st",
        ] {
            let e = Server::at(bad, None).err().map(|e| e.to_string());
            let e = e.unwrap_or_else(|| panic!("`{bad}` is no address"));
            assert!(!e.contains("secret"), "{e}");
        }
    }

    #[test]
    fn a_token_that_cannot_be_one_is_not_told() {
        let e = Server::at("http://127.0.0.1:1", Some("gng_\n".into()))
            .err()
            .unwrap();
        assert_eq!(e.reason, Reason::Unauthenticated);
    }
}

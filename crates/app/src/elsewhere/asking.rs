//! The requests to a workflow service. One function for each; each has its time and its bound, and none is sent again from here.

use bytes::Bytes;
use gonogo_core::{Digest, Span};
use gonogo_outbound::{NoAnswer, exchange_for_head};
use gonogo_release::effect::Observed;
use gonogo_release::plan::Plan;
use gonogo_release::remote::{
    Asked, Dispatched, Ended, Heard, LONGEST, Ours, Silence, State, asked, cancelled, dispatched,
};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{Method, Request};
use serde_json::{Value, json};

use super::wiring;
use crate::Workspace;

/// The service, as one operation asks it.
pub(super) struct Service<'a> {
    pub(super) state: &'a State,
    pub(super) trace: &'a str,
}

/// What came back, with its bytes.
enum Back {
    Answer {
        status: u16,
        retry_after: Option<u64>,
        body: Vec<u8>,
    },
    Cut {
        status: u16,
        retry_after: Option<u64>,
        silence: Silence,
        text: String,
    },
    Silent(Silence, String),
}

impl Back {
    fn heard(&self) -> Heard<'_> {
        match self {
            Self::Answer {
                status,
                retry_after,
                body,
            } => Heard::Answer {
                status: *status,
                retry_after: *retry_after,
                body,
            },
            Self::Cut {
                status,
                retry_after,
                silence,
                text,
            } => Heard::Cut {
                status: *status,
                retry_after: *retry_after,
                silence: *silence,
                text,
            },
            Self::Silent(silence, text) => Heard::Silent {
                silence: *silence,
                text,
            },
        }
    }
}

impl Service<'_> {
    /// Sends the operation.
    pub(super) fn dispatch(&self, ws: &Workspace, plan: &Plan, document: &Value) -> Dispatched {
        let endpoint = &self.state.endpoint;
        let within = endpoint.limits.dispatch;
        let back = self.once(Method::POST, &endpoint.dispatch_url, Some(document), within);
        self.ours(ws, plan, |ours| dispatched(back.heard(), ours))
    }

    /// Asks where it stands.
    pub(super) fn ask(&self, ws: &Workspace, plan: &Plan) -> Asked {
        let endpoint = &self.state.endpoint;
        let id = self.state.there();
        let within = endpoint.limits.status;
        let back = self.once(Method::GET, &endpoint.status_url(id), None, within);
        self.ours(ws, plan, |ours| asked(back.heard(), ours))
    }

    /// What its answers must be about.
    fn ours<T>(&self, ws: &Workspace, plan: &Plan, read: impl FnOnce(&Ours<'_>) -> T) -> T {
        let names = crate::doors::TOOLS.iter().map(|tool| tool.facts.name);
        let others: Vec<&str> = names
            .filter(|name| !matches!(*name, "apply_change" | "operation_dispatch"))
            .collect();
        read(&Ours {
            operation: self.state.there(),
            key: &self.state.key,
            fingerprint: &plan.fingerprint.to_string(),
            environment: &plan.body.environment,
            version: &plan.body.to.version,
            others: &others,
            workflow: self.state.receipt.as_ref().map(|r| &*r.workflow_id),
            now: ws.clock.now().wall,
        })
    }

    /// Tells it that somebody wants it to end.
    pub(super) fn cancel(&self, ws: &Workspace, plan: &Plan, why: &str) -> Ended {
        let endpoint = &self.state.endpoint;
        let said = self.state.receipt.as_ref();
        let said = said.and_then(|r| r.cancel_url.as_deref());
        let url = endpoint.cancel_url(self.state.there(), said);
        let body = json!({"why": why});
        let back = self.once(Method::POST, &url, Some(&body), endpoint.limits.dispatch);
        self.ours(ws, plan, |ours| cancelled(back.heard(), ours))
    }

    /// What the target serves, where the service is a gonogo that shows it.
    pub(super) fn observe(&self, environment: &str) -> Option<Observed> {
        let endpoint = &self.state.endpoint;
        let url = format!("{}/v1/status", endpoint.status_base_url);
        let back = self.once(Method::GET, &url, None, endpoint.limits.status);
        let Back::Answer {
            status: 200, body, ..
        } = back
        else {
            return None;
        };
        let read = gonogo_core::canonical::parse(&body).ok()?;
        let all = read.get("data")?.get("environments")?.as_array()?;
        let named = |e: &&Value| e.get("name").and_then(Value::as_str) == Some(environment);
        let observed = all.iter().find(named)?.get("observed")?;
        serde_json::from_value(observed.clone()).ok()
    }

    fn once(&self, method: Method, url: &str, body: Option<&Value>, within: Span) -> Back {
        let token = match wiring::token(&self.state.endpoint) {
            Ok(token) => token,
            Err(e) => return Back::Silent(Silence::Unreachable, e.message),
        };
        let hidden = |text: String| match &token {
            // A service that tells what it was sent must not have it written down.
            Some(token) => text.replace(token.as_str(), "[token]"),
            None => text,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(ACCEPT, "application/json")
            .header("traceparent", self.traceparent())
            .header("x-trace-id", self.trace);
        if let Some(token) = &token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .header("idempotency-key", self.state.key.as_str());
        }
        let bytes = body.map_or_else(Bytes::new, |b| Bytes::from(b.to_string()));
        let request = match request.body(bytes) {
            Ok(request) => request,
            Err(e) => return Back::Silent(Silence::Unreachable, e.to_string()),
        };
        let silent = |e: &NoAnswer| {
            let silence = match e {
                NoAnswer::Unreachable(_) | NoAnswer::Unsupported(_) | NoAnswer::OutOfReach(_) => {
                    Silence::Unreachable
                }
                NoAnswer::TimedOut(_) => Silence::TimedOut,
                NoAnswer::Broken(_) => Silence::Broken,
                NoAnswer::TooLarge(_) => Silence::TooLarge,
            };
            (silence, hidden(e.to_string()))
        };
        let (head, body) = match exchange_for_head(request, LONGEST, within.to_std()) {
            Ok(headed) => headed,
            Err(e) => {
                let (silence, text) = silent(&e);
                return Back::Silent(silence, text);
            }
        };
        let status = head.status.as_u16();
        let after = head.headers.get(RETRY_AFTER);
        let retry_after = after.and_then(|v| v.to_str().ok()?.trim().parse().ok());
        match body {
            Ok(body) => Back::Answer {
                status,
                retry_after,
                body: match &token {
                    Some(_) => hidden(String::from_utf8_lossy(&body).into_owned()).into_bytes(),
                    None => body.to_vec(),
                },
            },
            Err(e) => {
                let (silence, text) = silent(&e);
                Back::Cut {
                    status,
                    retry_after,
                    silence,
                    text,
                }
            }
        }
    }

    /// W3C's trace context: the trace's own id if it has that form, else one that follows from it.
    fn traceparent(&self) -> String {
        let hex = |t: &str| t.len() == 32 && t.bytes().all(|b| b.is_ascii_hexdigit());
        let trace = match hex(self.trace) {
            true => self.trace.to_ascii_lowercase(),
            false => Digest::of(self.trace.as_bytes()).hex()[..32].to_owned(),
        };
        let span = format!("{}/{}", self.state.operation, self.state.sent);
        format!("00-{trace}-{}-01", &Digest::of(span.as_bytes()).hex()[..16])
    }
}

//! The witness protocol's transport: `POST <prefix>/add-checkpoint` and `GET <prefix>/<origin hash>/checkpoint`.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};

use super::{Answer, MAX_REQUEST, Witness};
use gonogo_outbound::collect;

use crate::body::full;
use crate::serve::{FRESH, TEXT, plain, respond};
use crate::server::{Body, Handler, RequestBody};

/// For a request's body to arrive.
const BODY: Duration = Duration::from_secs(10);

/// A witness with the submission prefix that it is served under.
#[derive(Debug, Clone)]
pub struct WitnessSite {
    witness: Witness,
    prefix: String,
}

impl WitnessSite {
    /// Serves `witness` under `prefix`: `""` for the root, `"/witness"` for `/witness/add-checkpoint`.
    #[must_use]
    pub fn new(witness: Witness, prefix: &str) -> Self {
        Self {
            witness,
            prefix: prefix.trim_end_matches('/').to_owned(),
        }
    }

    /// Answers one request. A path outside the prefix is 404.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let path = request.uri().path();
        let Some(name) = path
            .strip_prefix(self.prefix.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
        else {
            return plain(StatusCode::NOT_FOUND, "not found\n");
        };
        if name == "add-checkpoint" {
            if request.method() != Method::POST {
                return not_allowed("POST");
            }
            return self.add(request.into_body()).await;
        }
        let Some(hash) = name.strip_suffix("/checkpoint") else {
            return plain(StatusCode::NOT_FOUND, "not found\n");
        };
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return not_allowed("GET, HEAD");
        }
        let (witness, hash) = (self.witness.clone(), hash.to_owned());
        let found = tokio::task::spawn_blocking(move || witness.checkpoint(&hash)).await;
        let mut response = match found {
            Ok(Some(note)) => text(StatusCode::OK, TEXT, note),
            Ok(None) => plain(StatusCode::NOT_FOUND, "no checkpoint of that log\n"),
            Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"),
        };
        if request.method() == Method::HEAD {
            *response.body_mut() = full("");
        }
        response
    }

    async fn add<B>(&self, body: B) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let body = match tokio::time::timeout(BODY, collect(body, MAX_REQUEST)).await {
            Ok(Ok(Some(body))) => body,
            Ok(Ok(None)) => {
                return plain(StatusCode::PAYLOAD_TOO_LARGE, "at most 65536 bytes\n");
            }
            Ok(Err(_)) => return plain(StatusCode::BAD_REQUEST, "the body broke off\n"),
            Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "the body took too long\n"),
        };
        let witness = self.witness.clone();
        let answer = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body)).await;
        match answer {
            Ok(Answer::Cosigned(line)) => text(StatusCode::OK, TEXT, line),
            Ok(Answer::Refused(refusal)) => {
                let status = StatusCode::from_u16(refusal.status())
                    .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                text(status, refusal.content_type(), refusal.body())
            }
            Ok(Answer::Unable(_)) | Err(_) => plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "this witness cannot cosign now; its operator knows why\n",
            ),
        }
    }
}

impl Handler for WitnessSite {
    async fn answer(&self, request: Request<RequestBody>) -> Response<Body> {
        self.handle(request).await
    }
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Body> {
    let length = Some(body.len() as u64);
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, FRESH)];
    respond(status, full(body), length, &headers)
}

fn not_allowed(methods: &'static str) -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    let allow = HeaderValue::from_static(methods);
    response.headers_mut().insert(ALLOW, allow);
    response
}

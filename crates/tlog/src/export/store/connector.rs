//! Joins `object_store` to this crate's HTTP client.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::uri::Scheme;
use http_body_util::BodyExt as _;
use object_store::ClientOptions;
use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest,
    HttpResponse, HttpService,
};

use crate::publication::MAX_BUNDLE;
use gonogo_outbound::{Client, NoAnswer};

/// The largest answer: a full bundle, and room for an error's text.
const MAX_ANSWER: usize = MAX_BUNDLE as usize + 64 * 1024;

#[derive(Debug)]
pub(super) struct Connector {
    deadline: Duration,
}

impl Connector {
    pub(super) const fn new(deadline: Duration) -> Self {
        Self { deadline }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let allow_http = options.get_config_value(&ClientConfigKey::AllowHttp);
        Ok(HttpClient::new(Service {
            client: Client::new(),
            allow_http: allow_http.as_deref() == Some("true"),
            deadline: self.deadline,
        }))
    }
}

#[derive(Debug)]
struct Service {
    client: Client,
    allow_http: bool,
    deadline: Duration,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if request.uri().scheme() == Some(&Scheme::HTTP) && !self.allow_http {
            let text = "a plain-text endpoint; say AWS_ALLOW_HTTP=true if it is meant";
            return Err(broken(NoAnswer::Unsupported(text.into())));
        }
        let (head, body) = request.into_parts();
        let body = match body.as_bytes() {
            Some(bytes) => bytes.clone(),
            None => body.collect().await?.to_bytes(),
        };
        let request = http::Request::from_parts(head, body);
        let response = self
            .client
            .send(request, MAX_ANSWER, self.deadline)
            .await
            .map_err(broken)?;
        Ok(response.map(Bytes::into))
    }
}

fn broken(e: NoAnswer) -> HttpError {
    let kind = match e {
        NoAnswer::Unreachable(_) => HttpErrorKind::Connect,
        NoAnswer::TimedOut(_) => HttpErrorKind::Timeout,
        NoAnswer::Broken(_) => HttpErrorKind::Interrupted,
        NoAnswer::TooLarge(_) => HttpErrorKind::Decode,
        NoAnswer::Unsupported(_) | NoAnswer::OutOfReach(_) => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, e)
}

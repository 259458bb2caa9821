//! The one HTTP client. HTTP/1.1 with pooled connections, TLS where the build has it.
//!
//! Invariants: every exchange has a deadline and a bound on the answer's size. Redirects are not followed, no proxy is asked,
//! nothing is sent a second time. Certificates are judged by the system's roots (or `SSL_CERT_FILE`).

use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::body::collect;
use crate::reach::{OUT_OF_REACH, Reach, Resolver};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(20);

/// The head of an answer, and its body or why that did not come whole.
pub type Headed = (http::response::Parts, Result<Bytes, NoAnswer>);

type Pooled<C> = legacy::Client<C, Full<Bytes>>;
#[cfg(feature = "tls")]
type Secured = hyper_rustls::HttpsConnector<HttpConnector<Resolver>>;

/// A client with its connections; clones share them.
#[derive(Clone, Debug)]
pub struct Client {
    plain: Pooled<HttpConnector<Resolver>>,
    #[cfg(feature = "tls")]
    tls: Result<Pooled<Secured>, std::sync::Arc<str>>,
    reach: Option<Reach>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The request did not leave: nobody listens, or no connection came about.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The deadline passed. The other side may have acted.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The connection broke after the request had begun to leave. The other side may have acted.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The answer is larger than allowed.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// This program cannot speak to that address.
    #[error("{0}")]
    Unsupported(String),
    /// The address is none that may be asked.
    #[error("`{0}` is not asked: {OUT_OF_REACH}")]
    OutOfReach(String),
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// Makes a client. Must be used inside a tokio runtime with IO and time.
    #[must_use]
    pub fn new() -> Self {
        Self::with(None)
    }

    /// Makes a client for addresses that others named: it connects to what `reach` admits alone. Must be used as [`Client::new`]'s.
    #[must_use]
    pub fn within(reach: Reach) -> Self {
        Self::with(Some(reach))
    }

    fn with(reach: Option<Reach>) -> Self {
        Self {
            plain: builder().build(connector(true, reach.clone())),
            #[cfg(feature = "tls")]
            tls: tls(reach.clone()),
            reach,
        }
    }

    /// Sends a request and reads the answer, at most `limit` bytes of it, within `deadline`. The URI must be absolute.
    ///
    /// # Errors
    /// [`NoAnswer`]; a status of any kind is an answer.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        limit: usize,
        deadline: Duration,
    ) -> Result<Response<Bytes>, NoAnswer> {
        let (head, body) = self.send_for_head(request, limit, deadline).await?;
        Ok(Response::from_parts(head, body?))
    }

    /// As [`Client::send`], and keeps the head of an answer whose body does not come whole.
    ///
    /// # Errors
    /// [`NoAnswer`]: not even a head came.
    pub async fn send_for_head(
        &self,
        request: Request<Bytes>,
        limit: usize,
        deadline: Duration,
    ) -> Result<Headed, NoAnswer> {
        let end = tokio::time::Instant::now() + deadline;
        let late = |_| NoAnswer::TimedOut(deadline);
        let begun = self.begin(request.map(Full::new));
        let response = tokio::time::timeout_at(end, begun).await.map_err(late)??;
        let (head, body) = response.into_parts();
        let body = match tokio::time::timeout_at(end, collect(body, limit)).await {
            Ok(Ok(Some(body))) => Ok(body),
            Ok(Ok(None)) => Err(NoAnswer::TooLarge(limit)),
            Ok(Err(text)) => Err(NoAnswer::Broken(text)),
            Err(over) => Err(late(over)),
        };
        Ok((head, body))
    }

    async fn begin(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, NoAnswer> {
        let refused = |reach: &Reach| reach.literal(request.uri().host()?).filter(|ok| !ok);
        if self.reach.as_ref().and_then(refused).is_some() {
            return Err(NoAnswer::OutOfReach(shown(request.uri())));
        }
        let address = shown(request.uri());
        let answer = self.begin_anywhere(request).await;
        answer.map_err(|e| match e {
            NoAnswer::Unreachable(text) if text.contains(OUT_OF_REACH) => {
                NoAnswer::OutOfReach(address)
            }
            other => other,
        })
    }

    async fn begin_anywhere(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, NoAnswer> {
        match request.uri().scheme() {
            Some(s) if *s == Scheme::HTTP => self.plain.request(request).await.map_err(no_answer),
            Some(s) if *s == Scheme::HTTPS => self.begin_tls(request).await,
            _ => Err(NoAnswer::Unsupported(format!(
                "`{}` is neither an http nor an https address",
                shown(request.uri())
            ))),
        }
    }

    #[cfg(feature = "tls")]
    async fn begin_tls(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, NoAnswer> {
        match &self.tls {
            Ok(client) => client.request(request).await.map_err(no_answer),
            Err(text) => Err(NoAnswer::Unsupported(format!(
                "`{}` needs TLS: {text}; install the system's CA certificates or name a file in SSL_CERT_FILE",
                shown(request.uri())
            ))),
        }
    }

    #[cfg(not(feature = "tls"))]
    async fn begin_tls(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, NoAnswer> {
        Err(NoAnswer::Unsupported(format!(
            "`{}` needs TLS, which this build leaves out; use a local forwarder and its http address",
            shown(request.uri())
        )))
    }
}

/// Sends one request from code that is not async, on a thread of its own; the answer's body has at most `limit` bytes.
///
/// # Errors
/// [`NoAnswer`]; a status of any kind is an answer.
pub fn exchange(
    request: Request<Bytes>,
    limit: usize,
    deadline: Duration,
) -> Result<Response<Bytes>, NoAnswer> {
    exchange_by(Client::new, request, limit, deadline)
}

/// As [`exchange`], and keeps the head of an answer whose body does not come whole.
///
/// # Errors
/// [`NoAnswer`]: not even a head came.
pub fn exchange_for_head(
    request: Request<Bytes>,
    limit: usize,
    deadline: Duration,
) -> Result<Headed, NoAnswer> {
    on_a_thread(async || Client::new().send_for_head(request, limit, deadline).await)
}

/// As [`exchange`], to what `reach` admits alone.
///
/// # Errors
/// [`NoAnswer`]; a status of any kind is an answer.
pub fn exchange_within(
    reach: Reach,
    request: Request<Bytes>,
    limit: usize,
    deadline: Duration,
) -> Result<Response<Bytes>, NoAnswer> {
    exchange_by(|| Client::within(reach), request, limit, deadline)
}

/// As [`exchange_within`], for the status and the headers alone: how the answer goes on is not waited for.
///
/// # Errors
/// [`NoAnswer`]; a status of any kind is an answer.
pub fn head_within(
    reach: Reach,
    request: Request<Bytes>,
    deadline: Duration,
) -> Result<Response<()>, NoAnswer> {
    on_a_thread(async move || {
        let client = Client::within(reach);
        let begun = client.begin(request.map(Full::new));
        let begun = tokio::time::timeout(deadline, begun).await;
        begun
            .unwrap_or(Err(NoAnswer::TimedOut(deadline)))
            .map(|answer| answer.map(drop))
    })
}

fn exchange_by(
    client: impl FnOnce() -> Client + Send,
    request: Request<Bytes>,
    limit: usize,
    deadline: Duration,
) -> Result<Response<Bytes>, NoAnswer> {
    on_a_thread(async || client().send(request, limit, deadline).await)
}

/// Waits for an exchange on a thread of its own.
fn on_a_thread<T: Send>(
    run: impl AsyncFnOnce() -> Result<T, NoAnswer> + Send,
) -> Result<T, NoAnswer> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| NoAnswer::Unsupported(e.to_string()))?;
        runtime.block_on(run())
    };
    std::thread::scope(|scope| match scope.spawn(run).join() {
        Ok(answer) => answer,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Posts a body and returns the body of a 200 answer, from code that is not async.
///
/// # Errors
/// In words: no answer, another status, or more than `limit` bytes.
pub fn post(
    url: &str,
    content_type: &str,
    body: Vec<u8>,
    limit: usize,
    deadline: Duration,
) -> Result<Vec<u8>, String> {
    let request = Request::post(url)
        .header(hyper::header::CONTENT_TYPE, content_type)
        .body(Bytes::from(body))
        .map_err(|e| e.to_string())?;
    let answer = exchange(request, limit, deadline).map_err(|e| e.to_string())?;
    if answer.status() == hyper::StatusCode::OK {
        Ok(answer.into_body().to_vec())
    } else {
        Err(format!("it answered with status {}", answer.status()))
    }
}

fn builder() -> legacy::Builder {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(16)
        // A pooled connection that the server closed meanwhile hands the request back unsent; only then is it sent anew.
        .retry_canceled_requests(true);
    builder
}

fn connector(enforce_http: bool, reach: Option<Reach>) -> HttpConnector<Resolver> {
    let mut connector = HttpConnector::new_with_resolver(Resolver::of(reach));
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_nodelay(true);
    connector.enforce_http(enforce_http);
    connector
}

#[cfg(feature = "tls")]
fn tls(reach: Option<Reach>) -> Result<Pooled<Secured>, std::sync::Arc<str>> {
    use hyper_rustls::HttpsConnectorBuilder;

    let https = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(|e| std::sync::Arc::from(e.to_string()))?
        .https_only()
        .enable_http1()
        .wrap_connector(connector(false, reach));
    Ok(builder().build(https))
}

fn no_answer(e: legacy::Error) -> NoAnswer {
    let mut text = e.to_string();
    let mut cause = std::error::Error::source(&e);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    if e.is_connect() {
        NoAnswer::Unreachable(text)
    } else {
        NoAnswer::Broken(text)
    }
}

/// An address without what may be secret in it.
fn shown(uri: &Uri) -> String {
    format!(
        "{}://{}",
        uri.scheme_str().unwrap_or("?"),
        uri.host().unwrap_or("?")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that leads to this machine is refused after it was resolved, and the same name is asked where it was admitted.
    #[tokio::test]
    async fn a_name_of_this_machine_is_refused_when_it_is_resolved() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let ask = async |client: &Client, host: &str| {
            let request = Request::get(format!("http://{host}:{port}/"))
                .body(Bytes::new())
                .unwrap();
            client.send(request, 10, Duration::from_millis(300)).await
        };
        let closed = Client::within(Reach::public_and(&[]).unwrap());
        for host in ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"] {
            let e = ask(&closed, host).await.unwrap_err();
            assert!(matches!(e, NoAnswer::OutOfReach(_)), "{host}: {e:?}");
        }
        let here = ["127.0.0.1".to_owned(), "::1".to_owned()];
        let open = Client::within(Reach::public_and(&here).unwrap());
        // Somebody listens and never answers: the request was let out.
        let e = ask(&open, "localhost").await.unwrap_err();
        assert!(matches!(e, NoAnswer::TimedOut(_)), "{e:?}");
    }
}

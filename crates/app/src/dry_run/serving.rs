//! `--serve`: the live page of a run, and its progress, over HTTP.
//!
//! Serves two things and nothing else: the page ([`gonogo_dryrun::page::live`]) and the bytes of the progress file as they are on disk, so that
//! what people see is what `watch` and scripts read. Connections, deadlines and the graceful end are those of [`gonogo_tlog::server`].
//!
//! Invariants: GET and HEAD only; no path names a file; nothing is written. A request whose `Host` is a foreign name is refused, so that no
//! web site can point its own name at this address and read along. The run goes on whatever happens here.

use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use gonogo_core::clock::{Clock, SystemClock};
use gonogo_dryrun::page::{self, Page};
use gonogo_tlog::server::{self, Body, Handler, Limits, RequestBody};
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName,
    HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};

/// Where the page is served unless somebody says otherwise: this machine only, a free port.
pub const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Largest progress file that is served, bytes.
pub const LIMIT: u64 = 32 << 20;

/// Age of what is served by this machine's clock, milliseconds.
const AGE: HeaderName = HeaderName::from_static("progress-age-ms");

/// Why the page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be used.
    #[error(
        "the live page cannot be served on {address}: {source}; choose another address or port 0"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// No thread.
    #[error("the live page has no thread to be served from: {0}")]
    Thread(#[source] io::Error),
}

/// Serves a run's page from a thread of its own until it is dropped.
#[derive(Debug)]
pub struct LiveServer {
    address: SocketAddr,
    /// Dropped: the end is asked for.
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LiveServer {
    /// Begins to serve the page of the run whose progress is written to `progress`. `names` are host names, beside `localhost` and any
    /// address in digits, under which people reach this machine.
    ///
    /// # Errors
    /// The address cannot be listened on, or no thread can be started.
    pub fn start(
        address: SocketAddr,
        progress: PathBuf,
        names: &[String],
    ) -> Result<Self, ServeError> {
        let listener =
            TcpListener::bind(address).map_err(|source| ServeError::Listen { address, source })?;
        let address = listener
            .local_addr()
            .map_err(|source| ServeError::Listen { address, source })?;
        let live = Live::new(progress, names);
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(4)
            .build()
            .map_err(ServeError::Thread)?;
        let thread = std::thread::Builder::new()
            .name("live-page".to_owned())
            .spawn(move || {
                let limits = Limits {
                    connections: 64,
                    share: 32,
                    grace: std::time::Duration::from_millis(500),
                    ..Limits::default()
                };
                // If it ends early, the page says so by itself: it cannot be reached. The run is not disturbed.
                let _ = runtime.block_on(server::run(listener, live, &limits, async {
                    let _ = ended.await;
                }));
                runtime.shutdown_background();
            })
            .map_err(ServeError::Thread)?;
        Ok(Self {
            address,
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// Returns where it listens; with the real port.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns what to open in a browser on this machine.
    pub fn url(&self) -> String {
        let mut shown = self.address;
        if shown.ip().is_unspecified() {
            shown.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{shown}/")
    }

    /// Returns whether others than this machine can reach it: whoever can may read what the run prints into its incidents.
    pub const fn is_public(&self) -> bool {
        !self.address.ip().is_loopback()
    }
}

impl Drop for LiveServer {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Answers requests.
#[derive(Debug, Clone)]
struct Live(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    progress: PathBuf,
    names: Vec<String>,
    page: Page,
}

impl Live {
    fn new(progress: PathBuf, names: &[String]) -> Self {
        Self(Arc::new(Shared {
            progress,
            names: names.iter().map(|name| name.to_ascii_lowercase()).collect(),
            page: page::live(),
        }))
    }

    async fn respond(&self, request: &Request<RequestBody>) -> Response<Body> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let mut hosts = request.headers().get_all(HOST).iter();
        let host = match (hosts.next().map(HeaderValue::to_str), hosts.next()) {
            (Some(Ok(host)), None) => host,
            _ => return text(StatusCode::BAD_REQUEST, "exactly one Host is needed\n"),
        };
        // An absolute URI in the request line would win over `Host` (RFC 9112, 3.2.2): it is held to the same rule.
        let named = request.uri().authority().map(http::uri::Authority::as_str);
        if !self.is_ours(host) || named.is_some_and(|name| !self.is_ours(name)) {
            return text(
                StatusCode::MISDIRECTED_REQUEST,
                "this name is not one of this page's; open it by its address, or name it when the run is started\n",
            );
        }
        match request.uri().path() {
            "/" => {
                let body = self.0.page.html.clone();
                let mut response = respond(StatusCode::OK, "text/html; charset=utf-8", body.into());
                if let Ok(policy) = HeaderValue::from_str(&self.0.page.policy) {
                    response
                        .headers_mut()
                        .insert(CONTENT_SECURITY_POLICY, policy);
                }
                response
            }
            "/progress.json" => self.progress().await,
            _ => text(StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    /// Whether a `Host` can be meant for us: an address in digits, which nobody can point elsewhere, `localhost`, or a name that was given.
    fn is_ours(&self, host: &str) -> bool {
        if host.parse::<SocketAddr>().is_ok() || host.parse::<IpAddr>().is_ok() {
            return true;
        }
        if let Some(inside) = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            return inside.parse::<std::net::Ipv6Addr>().is_ok();
        }
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() => name,
            Some(_) => return false,
            None => host,
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        name.parse::<Ipv4Addr>().is_ok() || name == "localhost" || self.0.names.contains(&name)
    }

    async fn progress(&self) -> Response<Body> {
        let shared = Arc::clone(&self.0);
        let read = tokio::task::spawn_blocking(move || read(&shared.progress)).await;
        match read {
            Ok(Ok((bytes, age))) => {
                let mut response = respond(StatusCode::OK, "application/json", bytes.into());
                response.headers_mut().insert(AGE, HeaderValue::from(age));
                response
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                text(StatusCode::NOT_FOUND, "no progress has been written yet\n")
            }
            // Why is the operator's, who finds it on the machine.
            _ => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the progress cannot be read\n",
            ),
        }
    }
}

impl Handler for Live {
    async fn answer(&self, request: Request<RequestBody>) -> Response<Body> {
        let mut response = self.respond(&request).await;
        if request.method() == Method::HEAD {
            *response.body_mut() = body(Bytes::new());
        }
        response
    }
}

/// Reads the file and tells how many milliseconds ago it was written.
fn read(path: &Path) -> io::Result<(Vec<u8>, u64)> {
    let file = super::keeping::open_file(path)?;
    let metadata = file.metadata()?;
    let written = metadata
        .modified()?
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        });
    let now = SystemClock::default().now().wall.as_millis();
    let mut bytes = Vec::new();
    let length = file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if length as u64 > LIMIT {
        return Err(io::Error::other("too large"));
    }
    Ok((
        bytes,
        u64::try_from(now.saturating_sub(written)).unwrap_or(0),
    ))
}

fn body(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    respond(
        status,
        "text/plain; charset=utf-8",
        Bytes::from_static(text.as_bytes()),
    )
}

fn respond(status: StatusCode, kind: &'static str, bytes: Bytes) -> Response<Body> {
    let length = bytes.len();
    let mut response = Response::new(body(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

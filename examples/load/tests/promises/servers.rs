//! Servers for the tests, each on its own thread and port.
//!
//! [`HttpServer`] is well-behaved HTTP with an async handler; [`RawServer`] writes bytes and closes
//! connections as told, for what a well-behaved server does not do.

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// An address on which nothing listens.
pub(crate) fn unused_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// An answer of [`HttpServer`].
pub(crate) struct Reply {
    status: StatusCode,
    version: &'static str,
}

impl Reply {
    pub(crate) fn ok(version: &'static str) -> Self {
        Self {
            status: StatusCode::OK,
            version,
        }
    }

    pub(crate) fn failed(version: &'static str) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            version,
        }
    }
}

/// What the handlers of one server share.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) stall_end: Mutex<Option<tokio::time::Instant>>,
    requests: AtomicU64,
}

/// HTTP with keep-alive; the handler gets the number of the request, from 0.
pub(crate) struct HttpServer {
    pub(crate) address: SocketAddr,
}

impl HttpServer {
    pub(crate) fn start<H, F>(handler: H) -> Self
    where
        H: Fn(u64, Arc<Shared>) -> F + Clone + Send + 'static,
        F: Future<Output = Reply> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(serve(listener, handler));
        });
        Self { address }
    }
}

async fn serve<H, F>(listener: TcpListener, handler: H)
where
    H: Fn(u64, Arc<Shared>) -> F + Clone + Send + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let shared = Arc::new(Shared::default());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (handler, shared) = (handler.clone(), shared.clone());
        let service = hyper::service::service_fn(move |_: Request<hyper::body::Incoming>| {
            let number = shared.requests.fetch_add(1, Ordering::SeqCst);
            let reply = handler(number, shared.clone());
            async move {
                let Reply { status, version } = reply.await;
                let mut response = Response::new(Full::new(Bytes::from_static(b"hello")));
                *response.status_mut() = status;
                response
                    .headers_mut()
                    .insert("x-version", version.parse().unwrap());
                Ok::<_, Infallible>(response)
            }
        });
        tokio::spawn(async move {
            let http = hyper::server::conn::http1::Builder::new();
            drop(http.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

/// Reads a request, answers with bytes and may close: `handler` returns them and whether to close, or
/// `None` never to answer.
pub(crate) struct RawServer {
    pub(crate) address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    open: AtomicU64,
    most_open: AtomicU64,
}

impl RawServer {
    pub(crate) fn start<H>(handler: H) -> Self
    where
        H: Fn(&str) -> Option<(&'static [u8], bool)> + Clone + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let kept = counts.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, handler, counts) = (stream.unwrap(), handler.clone(), counts.clone());
                let open = counts.open.fetch_add(1, Ordering::SeqCst) + 1;
                counts.most_open.fetch_max(open, Ordering::SeqCst);
                std::thread::spawn(move || {
                    // A connection that the client breaks is over, whatever it was about.
                    let _ = converse(stream, handler, &counts);
                    counts.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            address,
            counts: kept,
        }
    }

    /// Requests read so far.
    pub(crate) fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::SeqCst)
    }

    /// The most connections that were open at one time.
    pub(crate) fn most_open(&self) -> u64 {
        self.counts.most_open.load(Ordering::SeqCst)
    }
}

fn converse<H>(mut stream: TcpStream, handler: H, counts: &Counts) -> std::io::Result<()>
where
    H: Fn(&str) -> Option<(&'static [u8], bool)>,
{
    let mut buffer = [0; 4096];
    loop {
        // One write of the client is one request here: they are small and not pipelined.
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        counts.requests.fetch_add(1, Ordering::SeqCst);
        if let Some((bytes, close)) = handler(&String::from_utf8_lossy(&buffer[..length])) {
            stream.write_all(bytes)?;
            if close {
                return Ok(());
            }
        }
    }
}

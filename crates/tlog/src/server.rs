//! A small HTTP/1.1 server around one [`Handler`]: bounded connections, deadlines on both directions, graceful end.
//!
//! [`serve`](crate::serve) and [`witness`](crate::witness) answer through it; a larger server calls their `handle` itself and
//! mounts them under a prefix.
//!
//! Invariants: never more than [`Limits::connections`] are open; a client that neither sends its request's head nor reads
//! its response in time is closed.

mod stall;

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::error::Error;
use stall::Stall;

/// A response's body.
pub type Body = BoxBody<Bytes, io::Error>;

/// Answers requests.
pub trait Handler: Clone + Send + Sync + 'static {
    /// Answers one request. It has no way to fail: an error is a status.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send;
}

/// What a server allows.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at one time; more wait in the listening socket's queue.
    pub connections: usize,
    /// For a request's head, and between requests on one connection.
    pub head: Duration,
    /// For silence of a client that should read.
    pub stall: Duration,
    /// For responses under way when the server ends.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            head: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            grace: Duration::from_secs(5),
        }
    }
}

/// Serves `handler` on `listener` until `shutdown` ends; then requests under way get [`Limits::grace`]. Needs a tokio runtime with
/// IO and time.
///
/// # Errors
/// [`Error::Listen`] if the socket cannot be used. Trouble with one connection ends that connection only.
pub async fn run<H: Handler>(
    listener: TcpListener,
    handler: H,
    limits: &Limits,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let address = listener
        .local_addr()
        .map_or_else(|_| "an unknown address".into(), |a| a.to_string());
    let failed = |source| Error::Listen {
        address: address.clone(),
        source,
    };
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
    let permits = Arc::new(Semaphore::new(limits.connections.max(1)));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let next = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = &mut shutdown => break,
            next = next => next,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(e) if for_one_connection(&e) => continue,
            Err(_) => {
                // Out of descriptors or memory: an accept that fails at once, again and again, would take a whole core.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Small responses go out at once; a failure costs only time.
        let _ = stream.set_nodelay(true);
        let handler = handler.clone();
        let service = service_fn(move |request| {
            let handler = handler.clone();
            async move { Ok::<_, std::convert::Infallible>(handler.answer(request).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(16 * 1024)
            .serve_connection(TokioIo::new(Stall::new(stream, limits.stall)), service);
        let connection = graceful.watch(connection);
        // Those that ended are forgotten, so that the set holds what is open and little else.
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            // How a connection ended is the client's business; there is nobody to tell.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    // Whoever is not done by then is cut off.
    let _ = tokio::time::timeout(limits.grace, graceful.shutdown()).await;
    connections.shutdown().await;
    Ok(())
}

fn for_one_connection(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

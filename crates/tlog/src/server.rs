//! A small HTTP/1.1 server around one [`Handler`]: bounded connections, deadlines on both directions, graceful end.
//!
//! [`serve`](crate::serve) and [`witness`](crate::witness) answer through it; a larger server calls their `handle` itself and
//! mounts them under a prefix.
//!
//! Invariants: never more than [`Limits::connections`] are open, and of one address never more than [`Limits::share`]; a client that
//! neither sends its request's head nor reads its response in time is closed. Connections on which nothing happens keep nobody else
//! waiting: who comes when there is no room takes the place of one of them.

mod exchange;
mod places;
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
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::task::JoinSet;

use crate::error::Error;
pub use exchange::RequestBody;
use exchange::ResponseBody;
use places::Places;
use stall::Stall;

/// Connections that may wait to be accepted; the system may allow fewer. They cost the system some memory and this process none.
const QUEUE: i32 = 4096;

/// A response's body.
pub type Body = BoxBody<Bytes, io::Error>;

/// Answers requests.
pub trait Handler: Clone + Send + Sync + 'static {
    /// Answers one request. It has no way to fail: an error is a status.
    fn answer(&self, request: Request<RequestBody>) -> impl Future<Output = Response<Body>> + Send;
}

/// What a server allows.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at one time. A further one takes the place of the one that has waited longest for its client; if all are being
    /// answered, it waits.
    pub connections: usize,
    /// Of these, how many one address may have (for IPv6: one /64). A further one of it takes the place of one of its own; if all of
    /// them are being answered, it is closed. A proxy is one address.
    pub share: usize,
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
            share: 192,
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
    // Whoever finds the queue full tries again after a second: too late for a log that waits two seconds for its witness.
    rustix::net::listen(&listener, QUEUE).map_err(|e| failed(e.into()))?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
    let places = Places::new(limits.connections, limits.share);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let next = async {
            match listener.accept().await {
                Ok((stream, from)) => Ok((stream, places.take(from.ip()).await)),
                Err(e) => Err(e),
            }
        };
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = next => accepted,
        };
        let (stream, place, closed) = match accepted {
            Ok((stream, Some((place, closed)))) => (stream, Arc::new(place), closed),
            Ok((_, None)) => continue,
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
        let stream = Stall::new(stream, limits.stall, Arc::clone(&place));
        let seat = Arc::clone(&place);
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let (handler, place) = (handler.clone(), Arc::clone(&seat));
            async move {
                let request = request.map(|body| RequestBody::new(body, Arc::clone(&place)));
                let response = handler.answer(request).await;
                Ok::<_, std::convert::Infallible>(
                    response.map(|body| ResponseBody::new(body, place)),
                )
            }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(16 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        // Those that ended are forgotten, so that the set holds what is open and little else.
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            tokio::select! {
                // How a connection ended is the client's business; there is nobody to tell.
                _ = connection => {}
                // Its place is needed.
                _ = closed => {}
            }
            // The socket and all that knew of the place went first.
            drop(place);
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

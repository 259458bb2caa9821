//! Accepting callers: as many as this process may have files open, each for as long as it says something.
//!
//! Callers beyond that wait to be accepted, which costs nothing; to accept one and then have no file for what it asks would be worse. One
//! that says nothing is let go, so that silent callers cannot keep everybody else out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_service::Service;

/// Files that are left for the store, the ledger, agents' sockets and what use cases open.
const OWN: u64 = 256;

/// The most callers at once, however many files there may be.
const MOST: u64 = 8192;

/// How long a caller may take to say the head of a request, from the connection's begin or the last answer on.
const SILENT: Duration = Duration::from_secs(15);

/// Headers that are read before a request is looked at: more than it may have, so that it is told what is wrong.
const MOST_HEADERS: usize = 512;

/// How long to wait when nobody can be accepted, as when another part of the process has taken the last file.
const AGAIN: Duration = Duration::from_millis(50);

/// The address that a request came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// How many callers there can be: as this process's limit of open files admits; at least a quarter of that.
fn places() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let files = limit.current.unwrap_or(MOST + OWN);
    let places = files.saturating_sub(OWN).max(files / 4).clamp(1, MOST);
    usize::try_from(places).unwrap_or(1)
}

/// Answers callers until `ended` is, then lets what is under way end, for at most `drain`.
pub(crate) async fn answer(
    listener: TcpListener,
    router: Router,
    ended: impl Future<Output = ()>,
    drain: Duration,
) {
    let places = Arc::new(Semaphore::new(places()));
    let graceful = GracefulShutdown::new();
    tokio::pin!(ended);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = &mut ended => break,
            accepted = accepted => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        // Small answers are sent at once; where that cannot be set, they are sent a little later.
        drop(stream.set_nodelay(true));
        let (router, peer) = (router.clone(), Peer(peer.ip()));
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            // A router is always ready.
            router.clone().call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(SILENT)
            .max_headers(MOST_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A caller that goes away in the middle is its own affair.
            drop(connection.await);
            drop(place);
        });
    }
    drop(listener);
    // What takes longer is cut: what it began is recorded, and goes on.
    drop(tokio::time::timeout(drain, graceful.shutdown()).await);
}

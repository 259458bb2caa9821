//! Keep-alive connections to one address, at most so many at a time.
//!
//! A [`Lease`] is the right to use one connection. A new connection is made only when none is idle,
//! so open connections never exceed the leases. The most recently used idle connection is taken
//! first: surplus connections grow old and are closed by the server. A connection whose request timed
//! out is closed by its own task right after the lease is free, so that a server may see one more than
//! configured for that moment.

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A connection that takes requests.
pub(crate) type Sender = SendRequest<Full<Bytes>>;

pub(crate) struct Pool {
    address: SocketAddr,
    leases: Arc<Semaphore>,
    idle: Mutex<Vec<Sender>>,
}

/// The right to use one connection; given back on drop, also when the request is abandoned.
pub(crate) struct Lease {
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(crate) fn new(address: SocketAddr, connections: usize) -> Self {
        Self {
            address,
            leases: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))),
            idle: Mutex::default(),
        }
    }

    /// Waits for its turn, first come, first served.
    pub(crate) async fn lease(&self) -> Lease {
        let permit = Arc::clone(&self.leases)
            .acquire_owned()
            .await
            .expect("invariant: the semaphore is never closed");
        Lease { _permit: permit }
    }

    /// An idle connection that is still open as far as is known, if there is one.
    pub(crate) async fn reuse(&self, _lease: &Lease) -> Option<Sender> {
        loop {
            let mut sender = self
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop()?;
            // Fails when the server has closed the connection since.
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    /// A new connection; its driving task ends with the connection.
    pub(crate) async fn connect(&self, _lease: &Lease) -> Result<Sender, ConnectError> {
        let stream = TcpStream::connect(self.address)
            .await
            .map_err(ConnectError::Tcp)?;
        stream.set_nodelay(true).map_err(ConnectError::Tcp)?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(ConnectError::Http)?;
        // Its errors reach the request that is on it.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    /// Gives a connection back whose last answer was read to its end.
    pub(crate) fn put(&self, sender: Sender, _lease: &Lease) {
        if !sender.is_closed() {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(sender);
        }
    }
}

/// A connection that could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("cannot connect: {0}")]
    Tcp(std::io::Error),
    #[error("cannot start HTTP on the connection: {0}")]
    Http(hyper::Error),
}

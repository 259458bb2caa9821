//! One worker's connections to one upstream: an idle pool for HTTP/1.1, shared connections for HTTP/2.
//!
//! Every connection runs in a task of its own whose handle is kept, so that [`Pool::cut`] can end all of them, and with them whatever
//! request or tunnel uses them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::{Instant, timeout};

use super::body::RequestBody;
use super::wire::Trunk;
use super::worker::LocalExecutor;
use super::{Limits, Upstream};

/// Streams put on one HTTP/2 connection before another is opened; the least that RFC 9113 section 6.5.2 recommends servers to allow.
const STREAMS_PER_CONNECTION: u32 = 100;
/// Idle HTTP/1.1 connections kept; more are closed when they become idle.
const MAX_IDLE: usize = 512;
/// Unusable pooled connections looked at before a new one is opened.
const MAX_TRIES: usize = 16;

type H1 = http1::SendRequest<RequestBody>;
type H2 = http2::SendRequest<RequestBody>;
type Sent = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectFailure {
    Refused,
    TimedOut,
}

/// The connections of one worker to one upstream.
pub(super) struct Pool {
    pub(super) addr: SocketAddr,
    pub(super) protocol: Upstream,
    idle: RefCell<Vec<(H1, Instant)>>,
    shared: RefCell<Vec<(H2, Rc<Cell<u32>>)>>,
    /// Only one HTTP/2 connection is opened at a time; the others wait for its room.
    opening: tokio::sync::Mutex<()>,
    tasks: RefCell<HashMap<u64, AbortHandle>>,
    next_task: Cell<u64>,
}

/// The right to send one request on a connection.
pub(super) struct Lease {
    pool: Rc<Pool>,
    line: Line,
    /// Whether getting it took time in which routes may have changed.
    pub(super) waited: bool,
}

enum Line {
    H1(Option<H1>),
    H2(H2, Rc<Cell<u32>>),
}

impl Lease {
    /// Sends a request; the error hands it back if nothing of it was sent.
    pub(super) fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Sent> + use<> {
        enum Sending<A, B> {
            H1(A),
            H2(B),
        }
        let sending = match &mut self.line {
            Line::H1(sender) => Sending::H1(sender.as_mut().map(|s| s.try_send_request(request))),
            Line::H2(sender, _) => Sending::H2(sender.try_send_request(request)),
        };
        async move {
            match sending {
                Sending::H1(Some(response)) => response.await,
                Sending::H1(None) => {
                    unreachable!("a lease holds its sender until it is given back")
                }
                Sending::H2(response) => response.await,
            }
        }
    }

    pub(super) fn is_h2(&self) -> bool {
        matches!(self.line, Line::H2(..))
    }

    /// Returns a connection whose exchange is complete to the pool.
    pub(super) fn give_back(mut self) {
        if let Line::H1(sender) = &mut self.line
            && let Some(sender) = sender.take()
            && !sender.is_closed()
        {
            let mut idle = self.pool.idle.borrow_mut();
            if idle.len() < MAX_IDLE {
                idle.push((sender, Instant::now()));
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Line::H2(_, streams) = &self.line {
            streams.set(streams.get().saturating_sub(1));
        }
    }
}

impl Pool {
    pub(super) fn new(addr: SocketAddr, protocol: Upstream) -> Rc<Self> {
        Rc::new(Self {
            addr,
            protocol,
            idle: RefCell::default(),
            shared: RefCell::default(),
            opening: tokio::sync::Mutex::new(()),
            tasks: RefCell::default(),
            next_task: Cell::new(0),
        })
    }

    /// A connection to send a request on; `fresh` asks for one that carried nothing before.
    pub(super) async fn lease(
        self: &Rc<Self>,
        fresh: bool,
        limits: &Limits,
    ) -> Result<Lease, ConnectFailure> {
        match self.protocol {
            Upstream::Http1 => {
                if !fresh && let Some(sender) = self.idle_sender() {
                    return Ok(self.lease_of(Line::H1(Some(sender)), false));
                }
                let sender = self.open_h1(limits).await?;
                Ok(self.lease_of(Line::H1(Some(sender)), true))
            }
            Upstream::H2c => {
                if !fresh && let Some(line) = self.shared_line() {
                    return Ok(self.lease_of(line, false));
                }
                let _one_at_a_time = self.opening.lock().await;
                if !fresh && let Some(line) = self.shared_line() {
                    return Ok(self.lease_of(line, true));
                }
                let sender = self.open_h2(limits).await?;
                let streams = Rc::new(Cell::new(1));
                self.shared
                    .borrow_mut()
                    .push((sender.clone(), Rc::clone(&streams)));
                Ok(self.lease_of(Line::H2(sender, streams), true))
            }
        }
    }

    fn lease_of(self: &Rc<Self>, line: Line, waited: bool) -> Lease {
        Lease {
            pool: Rc::clone(self),
            line,
            waited,
        }
    }

    /// The most recently used connection that is ready now.
    fn idle_sender(&self) -> Option<H1> {
        let mut idle = self.idle.borrow_mut();
        let mut at = idle.len();
        for _ in 0..MAX_TRIES.min(at) {
            at -= 1;
            if idle[at].0.is_ready() {
                return Some(idle.swap_remove(at).0);
            }
            if idle[at].0.is_closed() {
                idle.swap_remove(at);
            }
        }
        None
    }

    fn shared_line(&self) -> Option<Line> {
        let mut shared = self.shared.borrow_mut();
        shared.retain(|(sender, _)| !sender.is_closed());
        let (sender, streams) = shared
            .iter()
            .find(|(_, streams)| streams.get() < STREAMS_PER_CONNECTION)?;
        streams.set(streams.get() + 1);
        Some(Line::H2(sender.clone(), Rc::clone(streams)))
    }

    async fn open(&self, limits: &Limits) -> Result<TcpStream, ConnectFailure> {
        let stream = match timeout(limits.connect_timeout, TcpStream::connect(self.addr)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) => return Err(ConnectFailure::Refused),
            Err(_) => return Err(ConnectFailure::TimedOut),
        };
        // On loopback a connect to a dead ephemeral port can meet itself (RFC 9293 section 3.5, simultaneous open).
        if stream.local_addr().ok() == Some(self.addr) {
            return Err(ConnectFailure::Refused);
        }
        stream
            .set_nodelay(true)
            .map_err(|_| ConnectFailure::Refused)?;
        Ok(stream)
    }

    async fn open_h1(self: &Rc<Self>, limits: &Limits) -> Result<H1, ConnectFailure> {
        let stream = self.open(limits).await?;
        let handshake = http1::Builder::new()
            .max_header_size(limits.max_header_bytes.max(8192))
            .handshake(TokioIo::new(Trunk(stream)));
        let (sender, connection) = handshake.await.map_err(|_| ConnectFailure::Refused)?;
        self.run(connection.with_upgrades());
        Ok(sender)
    }

    async fn open_h2(self: &Rc<Self>, limits: &Limits) -> Result<H2, ConnectFailure> {
        let opening = async {
            let stream = self.open(limits).await?;
            let mut builder = http2::Builder::new(LocalExecutor);
            builder
                .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX));
            builder
                .handshake(TokioIo::new(Trunk(stream)))
                .await
                .map_err(|_| ConnectFailure::Refused)
        };
        let (sender, connection) = timeout(limits.connect_timeout, opening)
            .await
            .map_err(|_| ConnectFailure::TimedOut)??;
        self.run(connection);
        Ok(sender)
    }

    /// Runs a task that [`Pool::cut`] ends.
    pub(super) fn run<F: Future + 'static>(self: &Rc<Self>, task: F) {
        let id = self.next_task.get();
        self.next_task.set(id + 1);
        // Strong, so that a cut finds tunnels of a pool that is in no table any more.
        let pool = Rc::clone(self);
        let handle = spawn_local(async move {
            // How a connection ended is told to the requests on it.
            let _ = task.await;
            pool.tasks.borrow_mut().remove(&id);
        });
        self.tasks.borrow_mut().insert(id, handle.abort_handle());
    }

    /// Closes every connection, used or not.
    pub(super) fn cut(&self) {
        self.idle.borrow_mut().clear();
        self.shared.borrow_mut().clear();
        let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        for task in tasks.values() {
            task.abort();
        }
    }

    /// Closes connections that were not used for `limit`.
    pub(super) fn sweep(&self, limit: Duration, now: Instant) {
        self.idle
            .borrow_mut()
            .retain(|(sender, since)| !sender.is_closed() && now.duration_since(*since) < limit);
    }

    /// Closes what is not in use; requests under way go on.
    pub(super) fn retire(&self) {
        self.idle.borrow_mut().clear();
        self.shared.borrow_mut().clear();
    }
}

//! One worker: a thread with its own event loop, client connections, routes and upstream pools.
//!
//! Commands arrive on one channel and are answered after they have taken effect. Time-outs of client connections are enforced by one
//! sweep per tick over all connections instead of a timer for each request.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream as StdTcpStream};
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::Sender as Ack;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::header::HeaderValue;
use http::uri::Authority;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_local;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::counters::{SlotStats, WorkerStats};
use super::forward;
use super::framing::Framing;
use super::sticky::Bucket;
use super::table::{Slot, Table};
use super::upstream::Pool;
use super::wire::{Notes, Wire};
use super::{Limits, Routes, Sticky};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the rest of the proxy asks of a worker.
pub(super) enum Command {
    Accept(StdTcpStream, SocketAddr),
    /// `stats` belong to the slots in order.
    Route {
        routes: Arc<Routes>,
        stats: Vec<Arc<SlotStats>>,
        ack: Ack<()>,
    },
    Cut {
        slot: String,
        ack: Ack<()>,
    },
    Stop {
        within: Duration,
    },
}

/// Runs the HTTP library's tasks on the worker's own thread.
#[derive(Clone, Copy)]
pub(super) struct LocalExecutor;

impl<F> Executor<F> for LocalExecutor
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, task: F) {
        spawn_local(task);
    }
}

/// A client connection as the worker knows it.
pub(super) struct Conn {
    pub(super) notes: Arc<Notes>,
    /// The client's address, as `X-Forwarded-For` wants it.
    pub(super) client: HeaderValue,
    heads: Cell<u64>,
    busy: Cell<u32>,
    idle_since: Cell<u64>,
    /// Whether the first bytes have come.
    begun: Cell<bool>,
    http2: Cell<bool>,
    killed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    stats: Arc<WorkerStats>,
    left: Rc<Notify>,
}

impl Conn {
    /// Numbers the next HTTP/1 request and says whether its framing must be refused.
    pub(super) fn refuses_next_head(&self) -> bool {
        let head = self.heads.get();
        self.heads.set(head + 1);
        self.notes.refuses(head)
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    fn kill(&self) {
        self.killed.set(true);
        self.wake();
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.stats.connections_open.down();
        self.left.notify_one();
    }
}

/// Marks a client connection as busy with one request.
pub(super) struct Active(Rc<Conn>);

impl Active {
    pub(super) fn begin(conn: &Rc<Conn>) -> Self {
        conn.busy.set(conn.busy.get() + 1);
        Self(Rc::clone(conn))
    }

    /// Makes an HTTP/1 connection end with a reset; HTTP/2 resets the one stream.
    pub(super) fn reset_connection(&self) {
        if !self.0.http2.get() {
            self.0.notes.reset_on_close();
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
        self.0.idle_since.set(self.0.notes.now());
    }
}

/// A connection's task, which the sweep can end.
struct Tended<F> {
    conn: Rc<Conn>,
    inner: F,
}

impl<F: Future<Output = ()> + Unpin> Future for Tended<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.conn.killed.get() {
            return Poll::Ready(());
        }
        if self.conn.waker.borrow().is_none() {
            *self.conn.waker.borrow_mut() = Some(cx.waker().clone());
        }
        Pin::new(&mut self.inner).poll(cx)
    }
}

/// What a worker is started with.
pub(super) struct Setup {
    pub(super) limits: Limits,
    pub(super) sticky: Option<Sticky>,
    pub(super) stats: Arc<WorkerStats>,
    pub(super) origin: Instant,
}

/// A worker's state; everything in it stays on the worker's thread.
pub(super) struct Worker {
    pub(super) limits: Limits,
    pub(super) sticky: Option<Sticky>,
    pub(super) stats: Arc<WorkerStats>,
    table: RefCell<Table>,
    rng: RefCell<fastrand::Rng>,
    /// Every pool that may still have connections, by slot name.
    pools: RefCell<Vec<(String, Weak<Pool>)>>,
    conns: RefCell<HashMap<u64, Rc<Conn>>>,
    next_conn: Cell<u64>,
    origin: Instant,
    /// Milliseconds since the start of the proxy, plus one; moved by the tick.
    clock: Arc<AtomicU64>,
    stopping: Cell<bool>,
    left: Rc<Notify>,
    http1: http1::Builder,
    http2: http2::Builder<LocalExecutor>,
}

impl Worker {
    fn new(setup: Setup) -> Rc<Self> {
        let head = setup.limits.max_header_bytes.max(8192);
        let mut http1 = http1::Builder::new();
        http1
            .max_header_size(head)
            .max_buf_size(head.max(128 * 1024));
        let mut http2 = http2::Builder::new(LocalExecutor);
        http2
            .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
            .max_concurrent_streams(200);
        Rc::new(Self {
            limits: setup.limits,
            sticky: setup.sticky,
            stats: setup.stats,
            table: RefCell::new(Table::new(Vec::new())),
            rng: RefCell::new(fastrand::Rng::new()),
            pools: RefCell::default(),
            conns: RefCell::default(),
            next_conn: Cell::new(0),
            origin: setup.origin,
            clock: Arc::new(AtomicU64::new(1)),
            stopping: Cell::new(false),
            left: Rc::new(Notify::new()),
            http1,
            http2,
        })
    }

    /// A bucket for a client that has none.
    pub(super) fn draw(&self) -> Bucket {
        Bucket::draw(&mut self.rng.borrow_mut())
    }

    /// The slot for a request with this bucket; `None` when nothing is eligible.
    pub(super) fn choose(&self, bucket: Bucket) -> Option<Rc<Slot>> {
        self.table.borrow().at(bucket)
    }

    /// Whether a slot, chosen before, may still get a request.
    pub(super) fn is_current(&self, slot: &Slot) -> bool {
        self.table
            .borrow()
            .slots
            .iter()
            .any(|s| s.eligible() && Rc::ptr_eq(&s.pool, &slot.pool))
    }

    fn route(&self, routes: &Routes, stats: Vec<Arc<SlotStats>>) {
        let mut pools = self.pools.borrow_mut();
        let mut table = self.table.borrow_mut();
        let slots = routes.slots.iter().zip(stats).map(|(route, stats)| {
            let same = |s: &&Rc<Slot>| {
                let old = &s.route;
                (&old.slot, &old.version, old.instance)
                    == (&route.slot, &route.version, route.instance)
                    && (old.upstream, old.protocol) == (route.upstream, route.protocol)
            };
            let pool = table
                .slots
                .iter()
                .find(same)
                .map(|s| Rc::clone(&s.pool))
                .unwrap_or_else(|| {
                    let pool = Pool::new(route.upstream, route.protocol);
                    pools.push((route.slot.clone(), Rc::downgrade(&pool)));
                    pool
                });
            Rc::new(Slot {
                route: route.clone(),
                stats,
                pool,
                authority: Authority::try_from(route.upstream.to_string())
                    .unwrap_or(Authority::from_static("localhost")),
            })
        });
        let new = Table::new(slots.collect());
        for old in &table.slots {
            if !new.slots.iter().any(|s| Rc::ptr_eq(&s.pool, &old.pool)) {
                old.pool.retire();
            }
        }
        *table = new;
        pools.retain(|(_, pool)| pool.strong_count() > 0);
    }

    fn cut(&self, slot: &str) {
        for (name, pool) in self.pools.borrow().iter() {
            if name == slot
                && let Some(pool) = pool.upgrade()
            {
                pool.cut();
            }
        }
    }

    fn accept(self: &Rc<Self>, stream: StdTcpStream, peer: SocketAddr) {
        self.stats.connections_open.up();
        self.stats.handed.fetch_sub(1, Relaxed);
        let address = match peer.ip() {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4),
            v4 => v4,
        };
        let conn = Rc::new(Conn {
            notes: Arc::new(Notes::new(Arc::clone(&self.clock))),
            client: HeaderValue::from_str(&address.to_string())
                .unwrap_or(HeaderValue::from_static("unknown")),
            heads: Cell::new(0),
            busy: Cell::new(0),
            idle_since: Cell::new(self.clock.load(Relaxed)),
            begun: Cell::new(false),
            http2: Cell::new(false),
            killed: Cell::new(self.stopping.get()),
            waker: RefCell::new(None),
            stats: Arc::clone(&self.stats),
            left: Rc::clone(&self.left),
        });
        let id = self.next_conn.get();
        self.next_conn.set(id + 1);
        self.conns.borrow_mut().insert(id, Rc::clone(&conn));
        let worker = Rc::clone(self);
        spawn_local(async move {
            let inner = Box::pin(drive(Rc::clone(&worker), Rc::clone(&conn), stream));
            Tended { conn, inner }.await;
            worker.conns.borrow_mut().remove(&id);
        });
    }

    /// Moves the clock, ends connections that wait too long and closes stale upstream connections.
    fn tick(&self) {
        let now = Instant::now();
        let ms =
            u64::try_from(now.duration_since(self.origin).as_millis()).unwrap_or(u64::MAX - 1) + 1;
        self.clock.store(ms, Relaxed);
        self.stats.beat.store(ms, Relaxed);
        let older =
            |since: u64, limit: Duration| u128::from(ms.saturating_sub(since)) >= limit.as_millis();
        for conn in self.conns.borrow().values() {
            let idle = conn.busy.get() == 0;
            let late = match conn.notes.head_since() {
                Some(since) => idle && older(since, self.limits.client_header_timeout),
                None => idle && older(conn.idle_since.get(), self.limits.client_idle_timeout),
            };
            if late
                || conn
                    .notes
                    .write_since()
                    .is_some_and(|since| older(since, self.limits.body_idle_timeout))
            {
                conn.kill();
            }
        }
        for slot in &self.table.borrow().slots {
            slot.pool.sweep(self.limits.upstream_idle_timeout, now);
        }
    }

    /// Ends what is idle; the rest ends after its current request.
    fn begin_stop(&self) {
        self.stopping.set(true);
        for conn in self.conns.borrow().values() {
            let waiting =
                conn.busy.get() == 0 && conn.notes.head_since().is_none() && !conn.http2.get();
            if waiting || !conn.begun.get() {
                conn.kill();
            } else {
                conn.wake();
            }
        }
    }
}

/// A worker's main loop; returns when it was stopped and its connections are gone or out of time.
pub(super) async fn run(setup: Setup, mut commands: UnboundedReceiver<Command>) {
    let worker = Worker::new(setup);
    let limits = &worker.limits;
    let shortest = limits
        .client_header_timeout
        .min(limits.client_idle_timeout)
        .min(limits.upstream_idle_timeout)
        .min(limits.body_idle_timeout);
    let mut tick =
        interval((shortest / 8).clamp(Duration::from_millis(5), Duration::from_millis(250)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let within = loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                Some(Command::Accept(stream, peer)) => worker.accept(stream, peer),
                Some(Command::Route { routes, stats, ack }) => {
                    worker.route(&routes, stats);
                    // Nobody waits any more if the caller gave up.
                    let _ = ack.send(());
                }
                Some(Command::Cut { slot, ack }) => {
                    worker.cut(&slot);
                    let _ = ack.send(());
                }
                Some(Command::Stop { within }) => break within,
                None => break Duration::ZERO,
            },
            _ = tick.tick() => worker.tick(),
        }
    };
    worker.begin_stop();
    let mut deadline = pin!(sleep_until(Instant::now() + within));
    while worker.stats.connections_open.read() > 0 {
        tokio::select! {
            biased;
            () = &mut deadline => break,
            () = worker.left.notified() => {}
            _ = tick.tick() => worker.tick(),
            Some(Command::Cut { slot, ack }) = commands.recv() => {
                worker.cut(&slot);
                let _ = ack.send(());
            }
        }
    }
}

/// Serves one client connection until it closes.
async fn drive(worker: Rc<Worker>, conn: Rc<Conn>, stream: StdTcpStream) {
    let Ok(stream) = TcpStream::from_std(stream) else {
        return;
    };
    // Without it the connection is only slower.
    let _ = stream.set_nodelay(true);
    let Ok((early, is_http2)) = sniff(&stream).await else {
        return;
    };
    conn.begun.set(true);
    conn.http2.set(is_http2);
    let service = service_fn({
        let (worker, conn) = (Rc::clone(&worker), Rc::clone(&conn));
        move |request| forward::serve(Rc::clone(&worker), Rc::clone(&conn), request)
    });
    let result = if is_http2 {
        conn.notes.forget_head();
        let wire = Wire::new(stream, early, None, Arc::clone(&conn.notes));
        let mut connection = pin!(worker.http2.serve_connection(TokioIo::new(wire), service));
        let mut told = false;
        poll_fn(|cx| {
            if worker.stopping.get() && !std::mem::replace(&mut told, true) {
                connection.as_mut().graceful_shutdown();
            }
            connection.as_mut().poll(cx)
        })
        .await
    } else {
        let framing = Framing::new(worker.limits.max_header_bytes.max(8192));
        let wire = Wire::new(stream, early, Some(framing), Arc::clone(&conn.notes));
        let mut connection = pin!(
            worker
                .http1
                .serve_connection(TokioIo::new(wire), service)
                .with_upgrades()
        );
        let mut told = false;
        poll_fn(|cx| {
            if worker.stopping.get() && !std::mem::replace(&mut told, true) {
                connection.as_mut().graceful_shutdown();
            }
            connection.as_mut().poll(cx)
        })
        .await
    };
    if result.is_err_and(|e| e.is_parse()) {
        worker.stats.bad_requests.up();
    }
}

/// Reads until it is clear whether the client speaks HTTP/2 with prior knowledge (RFC 9113 section 3.4).
async fn sniff(stream: &TcpStream) -> io::Result<(Vec<u8>, bool)> {
    let mut early = vec![0; 4096];
    let mut have = 0;
    loop {
        stream.readable().await?;
        match stream.try_read(&mut early[have..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => have += n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
            Err(e) => return Err(e),
        }
        let compared = have.min(PREFACE.len());
        if early[..compared] != PREFACE[..compared] || compared == PREFACE.len() {
            early.truncate(have);
            let is_http2 = early.starts_with(PREFACE);
            return Ok((early, is_http2));
        }
    }
}

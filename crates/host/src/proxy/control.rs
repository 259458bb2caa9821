//! The handle of a running proxy, and the thread that accepts.
//!
//! One thread accepts and hands each connection to the live worker with the fewest. A kernel that spreads connections over one socket per
//! worker would leave those of a stuck worker waiting, and splits few long-lived connections unevenly.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::runtime::{self, LocalOptions, LocalRuntime};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

use super::counters::{Counters, SlotCounters, SlotStats, WorkerStats};
use super::worker::{Command, Setup, run};
use super::{Config, ProxyError, Routes, SlotRoute, cores, sticky, table};

/// How long a worker may take to confirm a command.
const CONFIRM_WITHIN: Duration = Duration::from_secs(5);
/// A worker whose last tick is older gets no new connections while another is alive.
const STUCK_AFTER_MS: u64 = 1_500;
const BACKLOG: i32 = 4_096;
/// Slots that left the table and are idle are forgotten beyond this number.
const MAX_PAST_SLOTS: usize = 64;

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 21\r\ncontent-type: text/plain; charset=utf-8\r\n\
    retry-after: 1\r\nconnection: close\r\n\r\ntoo many connections\n";

/// A slot's counts, one set per worker.
struct Entry {
    version: String,
    instance: u64,
    listed: bool,
    stats: Vec<Arc<SlotStats>>,
}

#[derive(Default)]
struct Registry {
    generation: Option<u64>,
    slots: BTreeMap<String, Entry>,
}

/// One worker as seen from outside.
struct Seat {
    commands: UnboundedSender<Command>,
    stats: Arc<WorkerStats>,
}

/// A running proxy. Dropping it closes everything at once; [`Proxy::stop`] lets requests end.
pub struct Proxy {
    local: SocketAddr,
    seats: Arc<Vec<Seat>>,
    registry: Mutex<Registry>,
    refused: Arc<AtomicU64>,
    halt: Arc<Notify>,
    acceptor: Option<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy")
            .field("local", &self.local)
            .field("workers", &self.seats.len())
            .finish_non_exhaustive()
    }
}

impl Proxy {
    /// Opens the listener, starts the threads and puts the first table in use.
    ///
    /// # Errors
    /// The address cannot be bound, a thread cannot be started, or the table or cookie name is refused.
    pub fn start(config: Config, routes: Routes) -> Result<Self, ProxyError> {
        table::check(&routes, None)?;
        if let Some(sticky) = &config.sticky {
            sticky::check(sticky)?;
        }
        let listen = |source| ProxyError::Listen {
            addr: config.listen,
            source,
        };
        let listener = bind(config.listen).map_err(listen)?;
        let local = listener.local_addr().map_err(listen)?;
        let count = if config.workers > 0 {
            config.workers
        } else {
            std::thread::available_parallelism().map_or(1, usize::from)
        };
        let cores = cores::of(count);
        let origin = Instant::now();
        let mut seats = Vec::with_capacity(count);
        let mut workers = Vec::with_capacity(count);
        for index in 0..count {
            let (commands, inbox) = unbounded_channel();
            let stats = Arc::new(WorkerStats::default());
            let setup = Setup {
                limits: config.limits.clone(),
                sticky: config.sticky.clone(),
                stats: Arc::clone(&stats),
                origin,
            };
            // On failure the senders are dropped, and the workers started so far end.
            let core = cores.as_ref().map(|cores| cores[index]);
            workers.push(spawn(format!("proxy-{index}"), move |rt| {
                if let Some(core) = core {
                    cores::take(core);
                }
                rt.block_on(run(setup, inbox))
            })?);
            seats.push(Seat { commands, stats });
        }
        let mut proxy = Self {
            local,
            seats: Arc::new(seats),
            registry: Mutex::default(),
            refused: Arc::default(),
            halt: Arc::default(),
            acceptor: None,
            workers,
        };
        proxy.route(routes)?;
        let (seats, halt, refused) = (
            Arc::clone(&proxy.seats),
            Arc::clone(&proxy.halt),
            Arc::clone(&proxy.refused),
        );
        let limit = config.limits.max_connections as u64;
        proxy.acceptor = Some(spawn("proxy-accept".to_owned(), move |rt| {
            rt.block_on(async {
                tokio::select! {
                    biased;
                    () = halt.notified() => {}
                    () = accept(listener, &seats, limit, &refused, origin) => {}
                }
            });
        })?);
        Ok(proxy)
    }

    /// The address it listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Puts a table in use; returns when every worker has it, so that no later request goes by an older one.
    ///
    /// Requests under way keep their slot, but one that still waits for a connection is drawn again if its slot lost its share.
    ///
    /// # Errors
    /// A table that is older than the current one, or not consistent, is refused and changes nothing. [`ProxyError::Unconfirmed`] means
    /// that some workers may use it and some may not.
    pub fn route(&self, routes: Routes) -> Result<(), ProxyError> {
        let mut registry = self.registry();
        table::check(&routes, registry.generation)?;
        registry.list(&routes, self.seats.len());
        let generation = routes.generation;
        registry.generation = Some(generation);
        let routes = Arc::new(routes);
        let acks = self.seats.iter().enumerate().map(|(worker, seat)| {
            let stats = routes
                .slots
                .iter()
                .map(|r| Arc::clone(&registry.slots[&r.slot].stats[worker]))
                .collect();
            let (ack, done) = mpsc::channel();
            // A worker that is gone is noticed by the missing confirmation.
            let _ = seat.commands.send(Command::Route {
                routes: Arc::clone(&routes),
                stats,
                ack,
            });
            done
        });
        for (worker, done) in acks.collect::<Vec<_>>().into_iter().enumerate() {
            if done.recv_timeout(CONFIRM_WITHIN).is_err() {
                return Err(ProxyError::Unconfirmed {
                    worker,
                    generation,
                    waited: CONFIRM_WITHIN,
                });
            }
        }
        Ok(())
    }

    /// A snapshot of everything counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let registry = self.registry();
        let sum = |count: fn(&WorkerStats) -> u64| self.seats.iter().map(|s| count(&s.stats)).sum();
        Counters {
            generation: registry.generation.unwrap_or(0),
            slots: registry
                .slots
                .iter()
                .map(|(slot, entry)| {
                    (
                        slot.clone(),
                        SlotCounters {
                            version: entry.version.clone(),
                            instance: entry.instance,
                            ..SlotCounters::of(entry.stats.iter().map(AsRef::as_ref))
                        },
                    )
                })
                .collect(),
            unrouted: sum(|s| s.unrouted.read()),
            connections_open: sum(|s| s.connections_open.read()),
            connections_refused: self.refused.load(Relaxed),
            bad_requests: sum(|s| s.bad_requests.read()),
        }
    }

    /// Closes all connections to a slot's upstream: idle ones, tunnels, and requests under way, which count as aborted.
    ///
    /// It does not keep new requests away; take the slot's weight first. Unknown names are ignored.
    pub fn cut(&self, slot: &str) {
        let acks = self.seats.iter().map(|seat| {
            let (ack, done) = mpsc::channel();
            // A worker that is gone has no connections.
            let _ = seat.commands.send(Command::Cut {
                slot: slot.to_owned(),
                ack,
            });
            done
        });
        for done in acks.collect::<Vec<_>>() {
            let _ = done.recv_timeout(CONFIRM_WITHIN);
        }
    }

    /// Stops accepting, lets requests and tunnels end for at most `deadline`, closes the rest and waits for the threads.
    pub fn stop(mut self, deadline: Duration) {
        self.end(deadline);
    }

    fn end(&mut self, within: Duration) {
        self.halt.notify_one();
        let join = |thread: JoinHandle<()>| {
            // A panic was reported by its own thread.
            let _ = thread.join();
        };
        self.acceptor.take().into_iter().for_each(join);
        for seat in self.seats.iter() {
            let _ = seat.commands.send(Command::Stop { within });
        }
        self.workers.drain(..).for_each(join);
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

impl Registry {
    /// Enters the slots of a table, and forgets the oldest idle ones that are in no table any more.
    fn list(&mut self, routes: &Routes, workers: usize) {
        for entry in self.slots.values_mut() {
            entry.listed = false;
        }
        for route in &routes.slots {
            let entry = self
                .slots
                .entry(route.slot.clone())
                .or_insert_with(|| Entry::new(route, workers));
            if (&entry.version, entry.instance) != (&route.version, route.instance) {
                *entry = Entry::new(route, workers);
            }
            entry.listed = true;
        }
        let past = self.slots.values().filter(|e| !e.listed).count();
        if past > MAX_PAST_SLOTS {
            self.slots.retain(|_, e| {
                e.listed
                    || e.stats
                        .iter()
                        .any(|s| s.in_flight.read() + s.upgraded_open.read() > 0)
            });
        }
    }
}

impl Entry {
    fn new(route: &SlotRoute, workers: usize) -> Self {
        Self {
            version: route.version.clone(),
            instance: route.instance,
            listed: true,
            stats: (0..workers).map(|_| Arc::default()).collect(),
        }
    }
}

fn spawn(
    name: String,
    body: impl FnOnce(LocalRuntime) + Send + 'static,
) -> Result<JoinHandle<()>, ProxyError> {
    let (built, outcome) = mpsc::channel();
    let failed = |source| ProxyError::Thread {
        thread: name.clone(),
        source,
    };
    let thread = Builder::new()
        .name(name.clone())
        .spawn(move || {
            match runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default())
            {
                Ok(rt) => {
                    let _ = built.send(Ok(()));
                    body(rt);
                }
                Err(e) => {
                    let _ = built.send(Err(e));
                }
            }
        })
        .map_err(failed)?;
    match outcome.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(source)) => Err(failed(source)),
        Err(_) => Err(failed(io::Error::other(
            "the thread ended before its event loop was built",
        ))),
    }
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    // Not SO_REUSEPORT: a second agent on the same address must fail, not take a part of the traffic.
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

async fn accept(
    listener: TcpListener,
    seats: &[Seat],
    limit: u64,
    refused: &AtomicU64,
    origin: Instant,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    loop {
        match listener
            .accept()
            .await
            .and_then(|(stream, peer)| Ok((stream.into_std()?, peer)))
        {
            Ok((stream, peer)) => hand_over(stream, peer, seats, limit, refused, origin),
            Err(e)
                if e.kind() == io::ErrorKind::ConnectionAborted
                    || e.kind() == io::ErrorKind::Interrupted => {}
            // Out of descriptors or memory: what is open goes on, and closing connections makes room.
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

fn hand_over(
    mut stream: TcpStream,
    peer: SocketAddr,
    seats: &[Seat],
    limit: u64,
    refused: &AtomicU64,
    origin: Instant,
) {
    let load = |s: &Seat| s.stats.connections_open.read() + s.stats.handed.load(Relaxed);
    if seats.iter().map(load).sum::<u64>() >= limit {
        refused.fetch_add(1, Relaxed);
        // The buffer of a new socket takes it; if not, the client sees a closed connection.
        let _ = stream.write(FULL);
        return;
    }
    let now = u64::try_from(origin.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut order: Vec<&Seat> = seats.iter().collect();
    order.sort_by_key(|s| {
        (
            now.saturating_sub(s.stats.beat.load(Relaxed)) > STUCK_AFTER_MS,
            load(s),
        )
    });
    let mut command = Command::Accept(stream, peer);
    for seat in order {
        seat.stats.handed.fetch_add(1, Relaxed);
        match seat.commands.send(command) {
            Ok(()) => return,
            Err(back) => {
                // The worker is gone.
                seat.stats.handed.fetch_sub(1, Relaxed);
                command = back.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::UnboundedReceiver;

    fn seat(beat: u64) -> (Seat, UnboundedReceiver<Command>) {
        let (commands, inbox) = unbounded_channel();
        let stats = Arc::new(WorkerStats::default());
        stats.beat.store(beat, Relaxed);
        (Seat { commands, stats }, inbox)
    }

    fn proxy(seats: Vec<Seat>) -> Proxy {
        Proxy {
            local: ([127, 0, 0, 1], 0).into(),
            seats: Arc::new(seats),
            registry: Mutex::default(),
            refused: Arc::default(),
            halt: Arc::default(),
            acceptor: None,
            workers: Vec::new(),
        }
    }

    #[test]
    fn a_change_returns_only_when_every_worker_has_it() {
        let ((one, mut first), (two, mut second)) = (seat(0), seat(0));
        let proxy = proxy(vec![one, two]);
        let (returned, outcome) = mpsc::channel();
        let confirm = |inbox: &mut UnboundedReceiver<Command>| match inbox.blocking_recv() {
            Some(Command::Route { ack, .. }) => ack.send(()).unwrap(),
            _ => panic!("a worker was not told"),
        };
        std::thread::scope(|scope| {
            scope.spawn(|| returned.send(proxy.route(Routes::default()).is_ok()));
            confirm(&mut first);
            let early = outcome.recv_timeout(Duration::from_millis(100));
            assert_eq!(
                early,
                Err(mpsc::RecvTimeoutError::Timeout),
                "it returned without the second worker"
            );
            confirm(&mut second);
            assert_eq!(outcome.recv(), Ok(true));
        });
    }

    #[test]
    fn a_worker_that_is_gone_is_reported() {
        let (one, inbox) = seat(0);
        let proxy = proxy(vec![one]);
        drop(inbox);
        assert!(matches!(
            proxy.route(Routes::default()),
            Err(ProxyError::Unconfirmed { worker: 0, .. })
        ));
    }

    #[test]
    fn connections_avoid_dead_and_stuck_workers_and_go_to_the_least_loaded() {
        let origin = Instant::now() - Duration::from_secs(60);
        let (
            (dead, gone),
            (stuck, mut stuck_inbox),
            (busy, mut busy_inbox),
            (free, mut free_inbox),
        ) = (seat(60_000), seat(1), seat(60_000), seat(60_000));
        drop(gone);
        busy.stats.connections_open.up();
        busy.stats.connections_open.up();
        let seats = [dead, stuck, busy, free];
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        for _ in 0..6 {
            let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, peer) = listener.accept().unwrap();
            hand_over(stream, peer, &seats, 100, &AtomicU64::new(0), origin);
        }
        let count = |inbox: &mut UnboundedReceiver<Command>| {
            std::iter::from_fn(|| inbox.try_recv().ok()).count()
        };
        assert_eq!(
            (
                count(&mut stuck_inbox),
                count(&mut busy_inbox),
                count(&mut free_inbox)
            ),
            (0, 2, 4)
        );
    }
}

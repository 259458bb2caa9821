//! Listening, and ending in good order.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gonogo_app::AppError;
use gonogo_app::access::Principal;
use gonogo_app::access::admission::Admission;
use gonogo_app::calls::Meter;
use gonogo_app::project::Project;
use gonogo_core::Reason;
use gonogo_core::clock::{Clock, SystemClock};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use crate::crowd;
use crate::http::{self, Door, Feed, Looking};
use crate::lanes::{Lanes, THREADS};
use crate::notices;
use crate::seen::Seen;
use crate::service;

/// How long requests may take to end when the server is asked to.
const DRAIN: Duration = Duration::from_secs(30);

/// Threads for what the server itself looks at and keeps.
const OWN: usize = 4;

/// How often what was measured is kept: so much a crash can lose.
const KEEP: Duration = Duration::from_secs(2);

/// How long a server that ends waits for the collector of spans.
const FAREWELL: Duration = Duration::from_secs(2);

/// Callers that may wait to be accepted; the kernel's own limit, where it is lower, counts.
const BACKLOG: u32 = 4096;

/// Passwords that are checked at once: each takes 19 MiB and a processor.
const LOGINS: usize = 2;

/// Threads beside those of use cases: logins, an issuer's keys, sessions that are noted as used, the ledger's length.
const OWN_THREADS: usize = LOGINS + 4;

/// How a server is started.
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether anybody who reaches it is this user: only on loopback.
    pub dev: Option<String>,
    /// Whether its doors change targets.
    pub allow_apply: bool,
    /// Names under which it may be asked for, beside the address and loopback's.
    pub hosts: Vec<String>,
    /// Where metrics are told to everybody who reaches that, if anywhere.
    pub metrics: Option<SocketAddr>,
}

/// A server that listens and does not answer yet.
pub struct Bound {
    runtime: tokio::runtime::Runtime,
    listener: TcpListener,
    metrics: Option<TcpListener>,
    door: Arc<Door>,
    project: Arc<Project>,
    /// Ends what goes on by itself.
    end: watch::Sender<bool>,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Binds the address.
///
/// # Errors
/// [`Reason::ArgumentInvalid`] for development beyond loopback, and for sockets given by a service manager that are not one of TCP;
/// [`Reason::PortTaken`].
pub fn bind(project: Arc<Project>, settings: Settings) -> Result<Bound, AppError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(THREADS + OWN_THREADS + OWN)
        .enable_all()
        .build()
        .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
    let given = service::socket()?;
    let listener = runtime
        .block_on(async {
            match given {
                Some(given) => TcpListener::from_std(given),
                None => listen(settings.listen),
            }
        })
        .map_err(|e| {
            let text = format!("cannot listen on {}: {e}", settings.listen);
            AppError::new(Reason::PortTaken, text)
        })?;
    let metrics = match settings.metrics {
        None => None,
        Some(at) => {
            let bound = runtime.block_on(async { listen(at) });
            Some(bound.map_err(|e| {
                let text = format!("cannot listen on {at} for metrics: {e}");
                AppError::new(Reason::PortTaken, text)
            })?)
        }
    };
    let address = listener
        .local_addr()
        .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
    // The socket that listens counts, also one that was given.
    let ip: IpAddr = address.ip();
    if settings.dev.is_some() && !ip.is_loopback() {
        let text = format!("`--dev` lets everybody in, and {ip} is not loopback");
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint("listen on 127.0.0.1, or make tokens: `gonogo token create`"));
    }
    let config = project.config()?;
    let admission = Admission::new(&config.server, config.oidc.as_ref(), config.root());
    let hosts = [settings.hosts, config.server.hosts.clone()].concat();
    let lanes = Lanes::new(Arc::clone(&project), format!("http://{address}"));
    let (end, ended) = watch::channel(false);
    let door = Arc::new(Door {
        lanes,
        dev: settings.dev.map(Principal::local),
        allow_apply: settings.allow_apply,
        feed: Feed::new(ended),
        seen: Seen::default(),
        hosts: http::hosts(address, hosts),
        admission,
        reading_keys: tokio::sync::Mutex::new(()),
        logins: tokio::sync::Semaphore::new(LOGINS),
        looking: Looking::default(),
    });
    Ok(Bound {
        runtime,
        listener,
        metrics,
        door,
        project,
        end,
        address,
    })
}

/// Listens with room for many who come at once: the kernel ends connections that it has no room for.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As tokio's own `bind` does: a port whose last connections still linger is free.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Bound {
    /// Reads the keys of the issuer that the configuration names, so that the first token does not wait for them.
    ///
    /// # Errors
    /// They cannot be read now. The server can begin all the same: it asks again when a token comes.
    pub fn keys(&self) -> Result<(), AppError> {
        match &self.door.admission.issuer {
            Some(issuer) => issuer.refresh(self.door.lanes.project().root().clock.now()),
            None => Ok(()),
        }
    }

    /// Answers until SIGINT or SIGTERM, then lets what is under way end.
    pub fn run(self) {
        let router = http::router(Arc::clone(&self.door));
        let told = self.end.subscribe();
        let (end, meter) = (self.end, Arc::clone(self.door.lanes.meter()));
        let until = self.door.feed.ended();
        let asked = async move {
            ended().await;
            service::stopping();
            // Streams have no end of their own.
            end.send_replace(true);
        };
        self.runtime.block_on(async {
            if let Some(listener) = self.metrics {
                let router = http::metrics_router(Arc::clone(&self.door));
                let mut until = until.clone();
                let ended = async move { drop(until.wait_for(|ended| *ended).await) };
                tokio::spawn(crowd::answer(listener, router, ended, Duration::ZERO));
            }
            tokio::spawn(keep(Arc::clone(&meter), until));
            tokio::spawn(http::look(self.door));
            tokio::spawn(notices::send(self.project, told));
            service::ready();
            crowd::answer(self.listener, router, asked, DRAIN).await;
        });
        // What was measured last; what cannot be kept now is lost.
        meter.keep(SystemClock::default().now().wall);
        meter.tracer.finish(FAREWELL);
        // A use case that hangs is not waited for: what it began is recorded, and the next controller goes on with it.
        self.runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

/// Keeps what was measured, again and again until the server ends.
async fn keep(meter: Arc<Meter>, mut ended: watch::Receiver<bool>) {
    while !*ended.borrow_and_update() {
        tokio::select! {
            _ = ended.changed() => {}
            () = tokio::time::sleep(KEEP) => {}
        }
        let meter = Arc::clone(&meter);
        let keep = move || meter.keep(SystemClock::default().now().wall);
        // What cannot be kept now is kept the next time.
        drop(tokio::task::spawn_blocking(keep).await);
    }
}

/// Waits until somebody asks the server to end.
async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => (),
        _ = terminate.recv() => (),
    }
}

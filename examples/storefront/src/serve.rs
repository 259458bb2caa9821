//! Listening, connections, signals and the end of the process.
//!
//! One thread. SIGTERM and SIGINT close the listener, idle connections are closed, requests in flight
//! are finished, and then the service is done; a drain has a deadline. What has been connected but
//! not accepted when the listener closes is refused by the kernel: whoever sends traffic takes the
//! address out of use first.

use crate::args::Options;
use crate::behaviour::Behaviour;
use crate::exit;
use crate::say;
use crate::shop::{IncomingRequest, Shop};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// A service that could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error("cannot listen on {address}: {cause}; {advice}")]
    Listen {
        address: SocketAddr,
        cause: std::io::Error,
        advice: &'static str,
    },
    #[error("cannot set up the runtime: {0}; the process may be out of file descriptors")]
    Runtime(std::io::Error),
}

impl ServeError {
    pub(crate) fn code(&self) -> i32 {
        match self {
            Self::Listen { .. } => exit::CANNOT_LISTEN,
            Self::Runtime(_) => exit::INTERNAL,
        }
    }
}

/// Serves until a signal or the behaviour ends it; returns the exit code.
pub(crate) fn run(options: &Options, behaviour: Behaviour) -> Result<i32, ServeError> {
    if behaviour.crash_at_start {
        say(&format!(
            "version {} crashed at start: its behaviour file says crash_at_start",
            behaviour.version
        ));
        return Ok(exit::CRASHED);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)?;
    runtime.block_on(serve(options, behaviour))
}

async fn serve(options: &Options, behaviour: Behaviour) -> Result<i32, ServeError> {
    let started = Instant::now();
    // Signal handlers first: once the address answers, SIGTERM means drain.
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Runtime)?;
    let listener = listen(SocketAddr::new(options.bind, options.port)).await?;
    let address = listener.local_addr().map_err(ServeError::Runtime)?;
    say_listening(&behaviour.version, address);

    let crash_at = behaviour.crash_after.map(|after| started + after);
    let hang = behaviour.hang_on_sigterm;
    let version = behaviour.version.clone();
    let shop = Arc::new(Shop::new(behaviour, options.seed, started));
    let (drain, draining) = watch::channel(false);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, shop.clone(), draining.clone()));
                }
                Err(error) => {
                    // Out of descriptors, most likely: wait for some to come back, do not spin.
                    say(&format!("cannot accept a connection on {address}: {error}"));
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = sleep_until(crash_at.unwrap_or(started)), if crash_at.is_some() => {
                say(&format!("version {version} crashed: its behaviour file says crash_after"));
                return Ok(exit::CRASHED);
            }
            _ = terminate.recv() => {
                if !hang {
                    break;
                }
                say("SIGTERM ignored: the behaviour file says hang_on_sigterm");
            }
            _ = interrupt.recv() => break,
        }
    }
    drop(listener);
    // Fails only when no connection listens, and then there is nothing to drain.
    let _ = drain.send(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    if timeout(options.drain_timeout, finished).await.is_err() {
        say(&format!(
            "{} connections still had requests in flight {:?} after the signal; they are cut",
            connections.len(),
            options.drain_timeout
        ));
        return Ok(exit::DRAIN_TIMED_OUT);
    }
    say("drained");
    Ok(exit::DONE)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|cause| {
        let advice = match cause.kind() {
            std::io::ErrorKind::AddrInUse => {
                "another process holds the port: stop it, or choose another port with --port"
            }
            std::io::ErrorKind::PermissionDenied => {
                "ports below 1024 need a privilege: choose a higher one with --port"
            }
            _ => "check --bind and --port",
        };
        ServeError::Listen {
            address,
            cause,
            advice,
        }
    })
}

fn say_listening(version: &str, address: SocketAddr) {
    use std::io::Write as _;
    // Its own shape, without the program's prefix: scripts wait for this line.
    let _ = writeln!(
        std::io::stderr(),
        "storefront {version} listening on http://{address}"
    );
}

async fn connection(stream: TcpStream, shop: Arc<Shop>, mut draining: watch::Receiver<bool>) {
    // Small answers must not wait for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: IncomingRequest| {
        let shop = shop.clone();
        async move { shop.answer(request).await }
    });
    let mut serving = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service)
    );
    // A connection that breaks is the peer's business; it has no one to be reported to.
    tokio::select! {
        _ = serving.as_mut() => return,
        // An error says that the sender is gone, and then so is the service.
        _ = draining.changed() => {}
    }
    serving.as_mut().graceful_shutdown();
    let _ = serving.await;
}

//! The traffic data plane of the host agent: an L7 reverse proxy that splits one address over slots by weight.
//!
//! It meets the agent at [`Proxy`]: start it with a [`Config`] and [`Routes`], change the split with [`Proxy::route`], read what was
//! served with [`Proxy::counters`], end what is left of a drained slot with [`Proxy::cut`]. All of these are plain blocking calls; the
//! proxy owns its threads (one that accepts, `workers` that serve) and never runs on the caller's.
//!
//! Invariants:
//! - A worker shares nothing that locks with another: its routes, its connections to upstreams and its counters are its own. Counters are
//!   written by one thread and summed by readers.
//! - After [`Proxy::route`] has returned, no request that a client sends is routed by older weights.
//! - A request is sent a second time only when the HTTP library hands it back untouched.
//! - `in_flight` and `upgraded_open` are held by values with destructors: they return to zero when nothing is going on.
//! - A response that ended early at the upstream ends early (never cleanly) at the client.
//! - Framing is never forwarded: hop-by-hop fields are dropped and each hop is framed anew (RFC 9110 section 7.6.1, RFC 9112 section 6).

mod body;
mod control;
mod cores;
mod counters;
mod exchange;
mod forward;
mod framing;
mod headers;
mod histogram;
mod sticky;
mod table;
mod tunnel;
mod upstream;
mod wire;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

pub use control::Proxy;
pub use counters::{Counters, SlotCounters};
pub use histogram::Histogram;

/// The sum of the weights of a table that sends traffic: weights are parts of ten thousand.
pub const FULL_WEIGHT: u32 = 10_000;

/// How a proxy listens and what it allows.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address to accept on; port 0 takes a free one (see [`Proxy::local_addr`]).
    pub listen: SocketAddr,
    /// Worker threads; 0 means one per available core. As many as there are cores get one each and stay on it.
    pub workers: usize,
    /// Session affinity by cookie; `None` draws a slot anew for each request.
    pub sticky: Option<Sticky>,
    /// Time and size limits.
    pub limits: Limits,
}

impl Config {
    /// A configuration with one worker per core, no affinity and default limits.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            workers: 0,
            sticky: None,
            limits: Limits::default(),
        }
    }
}

/// Session affinity: a cookie gives each client a bucket, a random number under [`FULL_WEIGHT`] that it keeps as long as the cookie lives.
///
/// The weights divide the buckets, the newest slot (highest [`SlotRoute::instance`]) from 0 upwards. So the share of clients follows each
/// change of weights; growing the newest slot takes clients from the others and moves none of its own, shrinking it moves them back, and
/// a slot at weight 0 loses its clients at once. The clients of a slot that is not ready go to the others until it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sticky {
    /// Cookie name, an RFC 6265 token.
    pub cookie: String,
    /// `Max-Age` of the cookie, whole seconds.
    pub ttl: Duration,
}

/// Time and size limits. Time-outs of idle connections are enforced on a coarse tick, up to a quarter of a second late.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For a new connection to an upstream.
    pub connect_timeout: Duration,
    /// From the last request byte taken by the upstream to the response head; then 504.
    pub response_header_timeout: Duration,
    /// From accept, or from the first byte of a later request, to the end of its head; then the connection is closed.
    pub client_header_timeout: Duration,
    /// Between requests on a client connection.
    pub client_idle_timeout: Duration,
    /// For an unused pooled connection to an upstream.
    pub upstream_idle_timeout: Duration,
    /// For silence inside a body, in either direction, including a client that does not read.
    pub body_idle_timeout: Duration,
    /// For a request or response head, bytes; more is 431. Values under 8192 are raised to it.
    pub max_header_bytes: usize,
    /// Client connections at one time; more are answered 503 and closed.
    pub max_connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            response_header_timeout: Duration::from_secs(30),
            client_header_timeout: Duration::from_secs(10),
            client_idle_timeout: Duration::from_secs(75),
            upstream_idle_timeout: Duration::from_secs(30),
            body_idle_timeout: Duration::from_secs(30),
            max_header_bytes: 64 * 1024,
            max_connections: 16_384,
        }
    }
}

/// One complete routing table.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// Number of the table; a lower one than the current is refused.
    pub generation: u64,
    /// The slots; names are unique, weights add up to [`FULL_WEIGHT`] or are all zero.
    pub slots: Vec<SlotRoute>,
}

/// Where one slot's share goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRoute {
    /// Name of the slot, for example `blue`.
    pub slot: String,
    /// Version in the slot; another version in the same slot counts from zero.
    pub version: String,
    /// Number of this filling of the slot, higher than that of every earlier filling of any slot. A slot filled anew counts from zero,
    /// also with the same version; the highest is the newest (see [`Sticky`]).
    pub instance: u64,
    /// Address of the process.
    pub upstream: SocketAddr,
    /// Protocol spoken to it.
    pub protocol: Upstream,
    /// Share of new requests, parts of [`FULL_WEIGHT`].
    pub weight: u32,
    /// A slot that is not ready gets nothing; its share goes to the others in proportion.
    pub ready: bool,
    /// Requests slower than this are counted exactly in [`SlotCounters::over_bound`].
    pub slow_over: Duration,
}

/// Protocol spoken to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upstream {
    /// HTTP/1.1 with keep-alive.
    Http1,
    /// HTTP/2 with prior knowledge, in clear text (needed for gRPC).
    H2c,
}

/// Why the proxy could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The listening socket could not be opened.
    #[error("cannot listen on {addr}: {source}; free the port or choose another `listen` address")]
    Listen {
        /// The configured address.
        addr: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// A thread or its event loop could not be created.
    #[error(
        "cannot start proxy thread {thread}: {source}; raise the limit on threads or open files"
    )]
    Thread {
        /// Name of the thread.
        thread: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The cookie name is not a token.
    #[error(
        "sticky cookie name {name:?} is not an RFC 6265 token; use letters, digits, `-` and `_`"
    )]
    Cookie {
        /// The configured name.
        name: String,
    },
    /// Weights neither add up nor are all zero.
    #[error(
        "weights of generation {generation} add up to {sum}, not {FULL_WEIGHT} or all zero; nothing was changed"
    )]
    Weights {
        /// The refused table.
        generation: u64,
        /// What its weights add up to.
        sum: u64,
    },
    /// Two routes have the same slot name.
    #[error("slot {slot:?} appears twice in generation {generation}; nothing was changed")]
    DuplicateSlot {
        /// The refused table.
        generation: u64,
        /// The repeated name.
        slot: String,
    },
    /// The table is older than the one in use.
    #[error(
        "generation {offered} is older than generation {current} in use; nothing was changed, read the routes and try again"
    )]
    Stale {
        /// The refused table.
        offered: u64,
        /// The table in use.
        current: u64,
    },
    /// A worker did not confirm; some workers may use the new table already.
    #[error(
        "worker {worker} did not confirm generation {generation} within {waited:?}; treat the split as unknown and route again or restart"
    )]
    Unconfirmed {
        /// Index of the worker.
        worker: usize,
        /// The table sent to it.
        generation: u64,
        /// How long the call waited.
        waited: Duration,
    },
}

//! The traffic proxy over real sockets: raw HTTP/1 on both sides where bytes matter, the HTTP library where HTTP/2 is meant.
//!
//! Nothing here sleeps to synchronise: a test waits for a condition, with a deadline.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of the fixture fails the test"
)]

#[path = "proxy_suite/affinity.rs"]
mod affinity;
#[path = "proxy_suite/cores.rs"]
mod cores;
#[path = "proxy_suite/drain.rs"]
mod drain;
#[path = "proxy_suite/failures.rs"]
mod failures;
#[path = "proxy_suite/framing.rs"]
mod framing;
#[path = "proxy_suite/h2.rs"]
mod h2;
#[path = "proxy_suite/kit.rs"]
mod kit;
#[path = "proxy_suite/rfc.rs"]
mod rfc;
#[path = "proxy_suite/routing.rs"]
mod routing;
#[path = "proxy_suite/streams.rs"]
mod streams;

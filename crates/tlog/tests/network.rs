//! The log's public face over real sockets: static server, export, witness, and our log as a witness's client.
//!
//! Servers named *fake* or *lying* are this suite's own; nothing here leaves the loopback interface. One binary, because it starts
//! itself as the process to kill.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

#[path = "network/cosign.rs"]
mod cosign;
#[path = "network/crowd.rs"]
mod crowd;
#[path = "network/export.rs"]
mod export;
#[path = "network/fake_s3.rs"]
mod fake_s3;
#[path = "network/faults.rs"]
mod faults;
#[path = "network/serve.rs"]
mod serve;
#[path = "network/support.rs"]
mod support;
#[path = "network/tls.rs"]
mod tls;
#[path = "network/witness.rs"]
mod witness;

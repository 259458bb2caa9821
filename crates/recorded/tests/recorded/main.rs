//! The recorder with real sockets, a real upstream and real clients.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected"
)]

mod clients;
mod hostile;
mod playing;
mod recording;
mod support;
mod wire;

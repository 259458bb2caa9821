//! The host agent with real processes, sockets and kills. Agent and versions are the examples `host_agent` and `tiny_service`.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "agent/calls.rs"]
mod calls;
#[path = "agent/crash.rs"]
mod crash;
#[path = "agent/lifecycle.rs"]
mod lifecycle;
#[path = "agent/process.rs"]
mod process;
#[path = "agent/world.rs"]
mod world;

//! MCP as its clients meet it: the real program on standard input and output and on a socket of this machine, the example shop behind it;
//! clients of our own that say exactly what a test wants said, and clients that nobody here wrote.

#![expect(
    clippy::unwrap_used,
    reason = "a step of a test that fails is a failed test"
)]
#![allow(
    dead_code,
    reason = "the kit of the other end-to-end tests is shared, and not all of it is used here"
)]

#[path = "mcp/agent.rs"]
mod agent;
#[path = "served/client.rs"]
mod client;
#[path = "mcp/fence.rs"]
mod fence;
#[path = "mcp/foreign.rs"]
mod foreign;
#[path = "mcp/lines.rs"]
mod lines;
#[path = "e2e/project.rs"]
mod project;
#[path = "mcp/releases.rs"]
mod releases;
#[path = "e2e/screen.rs"]
mod screen;
#[path = "mcp/tasks.rs"]
mod tasks;
#[path = "mcp/web.rs"]
mod web;

//! The driver against real files, threads and processes. One binary, because it starts itself as the process to kill.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

#[path = "engine/crash.rs"]
mod crash;
#[path = "engine/drive.rs"]
mod drive;
#[path = "engine/real.rs"]
mod real;
#[path = "engine/toy.rs"]
mod toy;
#[path = "engine/world.rs"]
mod world;

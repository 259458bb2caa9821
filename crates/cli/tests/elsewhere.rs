//! Applications that a workflow service carries out: the real program against a service written here, which does everything wrong that
//! a service can, and against another gonogo.

#![expect(
    clippy::unwrap_used,
    reason = "a step of a test that fails is a failed test"
)]
#![allow(
    dead_code,
    reason = "the kit of the other end-to-end tests is shared, and not all of it is used here"
)]

#[path = "elsewhere/answers.rs"]
mod answers;
#[path = "served/client.rs"]
mod client;
#[path = "elsewhere/gonogos.rs"]
mod gonogos;
#[path = "elsewhere/kills.rs"]
mod kills;
#[path = "e2e/project.rs"]
mod project;
#[path = "elsewhere/quick.rs"]
mod quick;
#[path = "e2e/screen.rs"]
mod screen;
#[path = "elsewhere/service.rs"]
mod service;

//! `gonogo serve` as its callers meet it: the real program on a socket of this machine, the example shop behind it.

#![expect(
    clippy::unwrap_used,
    reason = "a step of a test that fails is a failed test"
)]
#![allow(
    dead_code,
    reason = "the kit of the other end-to-end tests is shared, and not all of it is used here"
)]

#[path = "served/approvals.rs"]
mod approvals;
#[path = "served/client.rs"]
mod client;
#[path = "served/collector.rs"]
mod collector;
#[path = "served/contract.rs"]
mod contract;
#[path = "served/controls.rs"]
mod controls;
#[path = "served/cut_off.rs"]
mod cut_off;
#[path = "served/edges.rs"]
mod edges;
#[path = "served/events.rs"]
mod events;
#[path = "served/identity.rs"]
mod identity;
#[path = "served/issuer.rs"]
mod issuer;
#[path = "served/judged.rs"]
mod judged;
#[path = "served/logins.rs"]
mod logins;
#[path = "served/matching.rs"]
mod matching;
#[path = "served/metered.rs"]
mod metered;
#[path = "served/people.rs"]
mod people;
#[path = "e2e/project.rs"]
mod project;
#[path = "served/releases.rs"]
mod releases;
#[path = "e2e/screen.rs"]
mod screen;
#[path = "served/service.rs"]
mod service;
#[path = "served/there.rs"]
mod there;
#[path = "served/traced.rs"]
mod traced;
#[path = "served/waiting.rs"]
mod waiting;
#[path = "served/webhooks.rs"]
mod webhooks;

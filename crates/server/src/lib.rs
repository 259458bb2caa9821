//! The network's doors: HTTP and MCP, and what comes with them. Each request is answered by a use case of `gonogo_app::doors`; nothing is decided
//! here.
//!
//! Floor 4. Invariants: every reply is the contract's envelope, also for addresses, methods and bodies that nobody serves; nobody is let in
//! without a token unless the server was started for development on loopback; a class of requests that waits cannot take another one's
//! threads ([`Lanes`]).

mod crowd;
mod http;
mod lanes;
pub mod mcp;
mod notices;
mod seen;
mod serve;
mod service;

pub use lanes::Lanes;
pub use serve::{Bound, Settings, bind};

//! Every use case of gonogo, each once. The only place where rules meet hands.
//!
//! Floor 3. Doors (command line, later HTTP, MCP and console) call these functions and render what comes back; they decide
//! nothing. [`catalogue`] lists the use cases, so that a door that lacks one is found.

pub mod access;
pub mod applying;
pub mod approving;
pub mod boards;
mod bond;
pub mod calls;
pub mod catalogue;
pub mod config;
pub mod controls;
pub mod doors;
pub mod driving;
pub mod dry_run;
pub mod elsewhere;
pub mod error;
pub mod evidence;
pub mod following;
pub mod gates;
pub mod gating;
pub mod going_back;
pub mod home;
pub mod hosting;
pub mod identity;
pub mod incidents;
pub mod keys;
pub mod log;
mod marks;
pub mod memory;
pub mod notices;
pub mod perf;
pub mod planning;
pub mod project;
pub mod proposing;
pub mod recorded;
pub mod reference;
mod reserve;
pub mod rolling_back;
pub mod runbook;
mod secrets;
pub mod slo;
pub mod submitting;
pub mod suite;
pub mod timestamping;
pub mod witnessing;
pub mod workspace;

pub use error::AppError;
pub use workspace::Workspace;

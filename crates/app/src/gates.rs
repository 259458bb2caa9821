//! Gates over recorded evidence: what is there is gathered, `gonogo_gate` judges it, the verdict is kept and recorded.
//!
//! Gathering says what was found and nothing about whether it is good enough. Everything that was gathered is stored with the verdict, so that
//! anybody can judge it again and get the same bytes.

pub mod approving;
pub mod base;
mod blame;
pub mod bundling;
pub mod checking;
pub mod commands;
pub mod compared;
pub mod computed;
pub mod coverage;
pub mod declared;
pub mod documents;
mod dry_runs;
pub mod excuses;
pub mod gathering;
mod looking;
mod matched;
mod scripts;
pub mod sources;

//! The gate from outside: policies, excuses, evidence, lanes, laws, and the catalogue of vacuous passes.
#![allow(clippy::unwrap_used)]

mod common;
mod computed;
mod documents;
mod excuses;
mod lanes;
mod laws;
mod policy;
mod runs;
mod selftest;

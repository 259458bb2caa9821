//! gonogo-host.

pub mod proxy;

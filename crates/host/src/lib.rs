//! gonogo-host.

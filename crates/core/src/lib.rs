//! gonogo-core.

//! gonogo-load.

//! gonogo-store.

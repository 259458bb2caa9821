//! gonogo-engine.

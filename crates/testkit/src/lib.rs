//! gonogo-testkit.

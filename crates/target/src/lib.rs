//! gonogo-target.

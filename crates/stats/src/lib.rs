//! gonogo-stats.

//! gonogo-exec.

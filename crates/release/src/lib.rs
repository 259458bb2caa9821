//! gonogo-release.

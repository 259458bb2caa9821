//! gonogo-cli.

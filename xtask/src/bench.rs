//! Benchmarks.
use anyhow::{Result, bail};

/// Runs a bench.
pub fn bench(_names: &[&str]) -> Result<()> {
    bail!("no bench yet")
}

//! The reference pages are made from code; this compares what is committed with what the code says now.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::run::{cargo, loud, root};

/// Compares, or writes.
pub fn drift(write: bool) -> Result<()> {
    let home = root().join("docs/reference");
    let fresh = root().join("target/reference");
    let out = if write { &home } else { &fresh };
    let mut make = cargo();
    make.args([
        "run",
        "--quiet",
        "--package",
        "gonogo-cli",
        "--bin",
        "gonogo",
        "--",
        "reference",
        "--out",
    ])
    .arg(out);
    make.stdout(std::process::Stdio::null());
    loud("reference pages", &mut make)?;
    if write {
        return Ok(());
    }
    let mut stale = Vec::new();
    for entry in std::fs::read_dir(&fresh).context("target/reference")? {
        let path = entry?.path();
        let name = path
            .file_name()
            .map(Path::new)
            .unwrap_or(Path::new(""))
            .display()
            .to_string();
        let committed = std::fs::read_to_string(home.join(&name)).unwrap_or_default();
        if committed != std::fs::read_to_string(&path)? {
            stale.push(name);
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    bail!(
        "docs/reference is not what the code says: {}; run `cargo xtask drift --write`",
        stale.join(", ")
    )
}

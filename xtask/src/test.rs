//! Everything that must hold before a change lands.

use std::process::Stdio;

use anyhow::Result;

use crate::run::{cargo, has, loud};
use crate::{conformance, deps, drift, tidy};

/// Runs every check and every test. `docs` builds the documentation, too. What cannot run here is said at the end.
pub fn test(docs: bool) -> Result<()> {
    let mut skipped: Vec<String> = Vec::new();
    if component("fmt") {
        loud("format", cargo().args(["fmt", "--all", "--check"]))?;
    } else {
        skipped.push("format: rustfmt is not installed".into());
    }
    deps::check()?;
    tidy::check()?;
    if component("clippy") {
        let strict = [
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        loud("lints", cargo().args(strict))?;
    } else {
        skipped.push("lints: clippy is not installed".into());
    }
    // The programs that tests start.
    loud(
        "programs",
        cargo().args(["build", "--quiet", "--workspace", "--bins", "--examples"]),
    )?;
    loud(
        "tests",
        cargo().args(["test", "--workspace", "--no-fail-fast"]),
    )?;
    drift::drift(false)?;
    if docs {
        let mut doc = cargo();
        doc.args(["doc", "--quiet", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings");
        loud("docs", &mut doc)?;
    }
    if has("cargo-deny") {
        loud(
            "licences and sources",
            cargo().args(["deny", "--offline", "check", "licenses", "bans", "sources"]),
        )?;
    } else {
        skipped.push("licences and sources: cargo-deny is not installed".into());
    }
    // Last: it may have to install tools first.
    skipped.extend(conformance::conformance(&[])?);
    for what in &skipped {
        println!("skipped  {what}");
    }
    println!(
        "every check that can run here passed; {} skipped",
        skipped.len()
    );
    Ok(())
}

fn component(name: &str) -> bool {
    let asked = cargo()
        .args([name, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

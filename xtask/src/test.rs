//! Everything that must hold before a change lands.
//!
//! Invariant: what was not checked here is said at the end, also a single test that lacked a program or a right; skipped never
//! reads as passed.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::bench::target;
use crate::run::{cargo, has, loud};
use crate::{conformance, deps, drift, tidy};

/// Names the file in which tests write down that they were skipped: `gonogo_testkit::LIST`.
const LIST: &str = "GONOGO_TEST_SKIPPED";

/// Runs every check and every test. `docs` builds the documentation, too. What cannot run here is said at the end.
pub fn test(docs: bool) -> Result<()> {
    let mut skipped: Vec<String> = Vec::new();
    if component("fmt") {
        loud("format", cargo().args(["fmt", "--all", "--check"]))?;
        let fuzz = ["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"];
        loud("format of the fuzzer", cargo().args(fuzz))?;
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
    // What takes seconds comes before what takes many minutes.
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
    let mut skipped_tests = tests(&["--workspace"])?;
    // Off by default, so the tests of the workspace leave out what it adds; these alone, so that each test has one result.
    let ml_dsa = ["-p", "gonogo-ledger", "--features", "ml-dsa", "--lib", "--"];
    let added = ["ml_dsa", "post_quantum"];
    skipped_tests.extend(tests(&[&ml_dsa[..], &added].concat())?);
    // Last: it may have to install tools first.
    skipped.extend(conformance::conformance(&[])?);
    show(&skipped_tests);
    for what in &skipped {
        println!("skipped  {what}");
    }
    println!(
        "every check that can run here passed; {} tests skipped, {} other checks skipped",
        skipped_tests.len(),
        skipped.len()
    );
    Ok(())
}

/// Runs only the tests that these arguments of `cargo test` choose, and tells which were skipped.
pub fn only(chosen: &[&str]) -> Result<()> {
    let tests = tests(chosen)?;
    show(&tests);
    println!(
        "every chosen test that can run here passed; {} tests skipped",
        tests.len()
    );
    Ok(())
}

/// Runs tests; returns those that were skipped, with the reasons.
fn tests(chosen: &[&str]) -> Result<Vec<String>> {
    let list = target().join("skipped-tests");
    match std::fs::remove_file(&list) {
        Err(e) if e.kind() != ErrorKind::NotFound => bail!("{}: {e}", list.display()),
        _ => {}
    }
    let ran = loud(
        "tests",
        cargo()
            .args(["test", "--no-fail-fast"])
            .args(chosen)
            .env(LIST, &list),
    );
    let skipped = listed(&list)?;
    if ran.is_err() {
        show(&skipped);
    }
    ran.map(|()| skipped)
}

/// The lines of a list that only a skipped test makes.
fn listed(list: &Path) -> Result<Vec<String>> {
    match std::fs::read_to_string(list) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e).with_context(|| list.display().to_string()),
    }
}

fn show(tests: &[String]) {
    for what in tests {
        println!("skipped  test: {what}");
    }
}

fn component(name: &str) -> bool {
    let asked = cargo()
        .args([name, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

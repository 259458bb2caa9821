//! Everything that must hold before a change lands.

use anyhow::Result;

use crate::run::{cargo, has, loud};
use crate::{deps, drift, tidy};

/// Runs every check and every test. `docs` builds the documentation, too.
pub fn test(docs: bool) -> Result<()> {
    loud("format", cargo().args(["fmt", "--all", "--check"]))?;
    deps::check()?;
    tidy::check()?;
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
            "licences and advisories",
            cargo().args(["deny", "--offline", "check", "licenses", "bans", "sources"]),
        )?;
    } else {
        println!("── licences and advisories: skipped, cargo-deny is not installed");
    }
    println!("all checks passed");
    Ok(())
}

//! Small rules that no compiler keeps: file headers, sizes, and words that do not belong into the product.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::root;

/// Longest file, in lines.
const LINES: usize = 800;

/// Fails on files without a header, too long files, stubs, and skipped tests.
pub fn check() -> Result<()> {
    println!("── tidiness");
    let mut wrong = Vec::new();
    for path in rust_files()? {
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let shown = path
            .strip_prefix(root())
            .unwrap_or(&path)
            .display()
            .to_string();
        if !text.starts_with("//!") {
            wrong.push(format!(
                "{shown}: the file does not say what it is for (`//!`)"
            ));
        }
        let lines = text.lines().count();
        if lines > LINES {
            wrong.push(format!(
                "{shown}: {lines} lines; split it, {LINES} is the most"
            ));
        }
        for (n, line) in text.lines().enumerate() {
            for word in [
                concat!("todo", "!("),
                concat!("unimplemented", "!("),
                concat!("#[ign", "ore"),
                concat!("FIX", "ME"),
            ] {
                if line.contains(word) {
                    wrong.push(format!("{shown}:{}: `{word}`", n + 1));
                }
            }
        }
        if path.file_name().is_some_and(|n| n == "mod.rs") {
            wrong.push(format!("{shown}: use `foo.rs` beside `foo/`"));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("untidy:\n  {}", wrong.join("\n  "))
}

fn rust_files() -> Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    for top in ["crates", "examples", "fuzz", "xtask"] {
        walk(&root().join(top), &mut out)?;
    }
    Ok(out)
}

fn walk(dir: &Path, out: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            // What printed a fixture stays as it was: the line numbers are in the fixture.
            let is_foreign = path.ends_with("tests/traces/make");
            if path.file_name().is_some_and(|n| n != "target") && !is_foreign {
                walk(&path, out)?;
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
    Ok(())
}

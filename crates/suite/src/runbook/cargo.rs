//! Whether cargo has a command: one of its own, an alias of the project, or a program `cargo-NAME`.

use std::collections::BTreeMap;

use super::places;
use super::prove::{Said, Tree};

/// Cargo's own commands and aliases ("The Cargo Book", commands).
const OWN: &[&str] = &[
    "add",
    "b",
    "bench",
    "build",
    "c",
    "check",
    "clean",
    "config",
    "d",
    "doc",
    "fetch",
    "fix",
    "generate-lockfile",
    "help",
    "info",
    "init",
    "install",
    "locate-project",
    "login",
    "logout",
    "metadata",
    "new",
    "owner",
    "package",
    "pkgid",
    "publish",
    "r",
    "remove",
    "report",
    "rm",
    "run",
    "rustc",
    "rustdoc",
    "search",
    "t",
    "test",
    "tree",
    "uninstall",
    "update",
    "vendor",
    "version",
    "yank",
];

/// Flags before the command whose value is the next word.
const VALUED: [&str; 5] = ["--config", "-Z", "-C", "--color", "--manifest-path"];

/// Flags of cargo's own commands that name a part of the project.
const PARTS: [&str; 7] = [
    "-p",
    "--package",
    "--bin",
    "--test",
    "--example",
    "--bench",
    "--manifest-path",
];

/// Looks at the words behind `cargo`.
pub(super) fn check(rest: &[&str], tree: Option<&dyn Tree>) -> Vec<Said> {
    let mut words = rest.iter().copied();
    let mut elsewhere = false;
    let command = loop {
        match words.next() {
            None => return Vec::new(),
            Some(word) if VALUED.contains(&word) => {
                elsewhere |= matches!(word, "-C" | "--config");
                words.next();
            }
            Some(word) if word.starts_with(['-', '+']) => {}
            Some(word) => break word,
        }
    };
    let words: Vec<&str> = words.collect();
    if places::is_open(command) {
        return vec![Said::open(format!("that cargo has a command `{command}`"))];
    }
    if OWN.contains(&command) {
        return parts(command, &words);
    }
    let aliases = match aliases(tree) {
        Ok(aliases) => aliases,
        Err(said) => return vec![said],
    };
    if let Some(first) = aliases.get(command) {
        let Some(first) = first else {
            return vec![Said::open(format!("what `cargo {command}` runs"))];
        };
        let plain = words.iter().any(|w| !w.starts_with('-'));
        // What an alias of cargo's own command does with further words is that command's.
        let is_told = matches!(first.as_str(), "run" | "r") || !OWN.contains(&first.as_str());
        return match plain && is_told {
            true => vec![Said::open(format!(
                "what `cargo {command}` does with `{}`",
                words.join(" ")
            ))],
            false => parts(command, &words),
        };
    }
    if tree.is_some_and(|t| t.is_program(&format!("cargo-{command}"))) {
        return Vec::new();
    }
    if elsewhere {
        return vec![Said::open(format!("that cargo has a command `{command}`"))];
    }
    let known = OWN
        .iter()
        .copied()
        .chain(aliases.keys().map(String::as_str));
    vec![Said::error(format!("cargo has no command `{command}`")).near(command, known)]
}

/// What a command of cargo's names of the project's packages, of which nothing is known here.
fn parts(command: &str, words: &[&str]) -> Vec<Said> {
    let own = words.iter().take_while(|w| **w != "--");
    let mut found = Vec::new();
    let mut own = own.peekable();
    while let Some(word) = own.next() {
        let (flag, joined) = word
            .split_once('=')
            .map_or((*word, None), |(f, v)| (f, Some(v)));
        if !PARTS.contains(&flag) {
            continue;
        }
        if let Some(name) = joined.or_else(|| own.next().copied()) {
            found.push(Said::open(format!(
                "that `cargo {command}` finds `{flag} {name}`"
            )));
        }
    }
    found
}

/// The project's aliases, each with the first word of what it stands for.
fn aliases(tree: Option<&dyn Tree>) -> Result<BTreeMap<String, Option<String>>, Said> {
    // Cargo reads the one without an ending first.
    let names = [".cargo/config", ".cargo/config.toml"];
    let Some((name, text)) = names
        .iter()
        .find_map(|name| Some((name, tree?.text(name)?)))
    else {
        return Ok(BTreeMap::new());
    };
    let table: toml::Table = text
        .parse()
        .map_err(|_| Said::error(format!("`{name}` cannot be read: it is no TOML")))?;
    let all = table.get("alias").and_then(toml::Value::as_table);
    let first = |value: &toml::Value| match value {
        toml::Value::String(text) => text.split_whitespace().next().map(str::to_owned),
        toml::Value::Array(words) => words.first()?.as_str().map(str::to_owned),
        _ => None,
    };
    Ok(all
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), first(value)))
        .collect())
}

//! Cargo.

use super::Found;
use crate::run::Class;

pub(super) fn look(found: &mut Found<'_>) {
    let Some(said) = found.text("Cargo.toml") else {
        return;
    };
    if found.is_within("cargo") {
        let own = said.lines().any(|line| line.trim() == "[workspace]");
        if own {
            found.note("a Cargo workspace of its own below another one is not proposed");
        }
        return;
    }
    if said.parse::<toml::Table>().is_err() {
        found.note("`Cargo.toml` cannot be read");
        return;
    }
    found.languages.push("cargo");
    let locked: &[&str] = if found.has("Cargo.lock") {
        &["--locked"]
    } else {
        &[]
    };
    let why = |what: &str| format!("`Cargo.toml`: {what}");
    found.add(
        "fmt",
        Class::Lint,
        &["cargo", "fmt", "--all", "--check"],
        "command",
        &why("formatting"),
    );
    let clippy = [
        &["cargo", "clippy", "--workspace", "--all-targets"],
        locked,
        &["--", "-D", "warnings"],
    ]
    .concat();
    found.add(
        "clippy",
        Class::Lint,
        &clippy,
        "command",
        &why("lints, warnings are errors"),
    );
    let with = |head: &[&'static str]| [head, locked].concat();
    match junit(found) {
        Some((profile, report)) => {
            let build = with(&["cargo", "nextest", "run", "--workspace", "--no-run"]);
            found.add(
                "build",
                Class::Build,
                &build,
                "command",
                &why("all tests are built"),
            );
            let run = [
                with(&["cargo", "nextest", "run", "--workspace", "--no-fail-fast"]),
                vec!["--profile", profile.as_str()],
            ]
            .concat();
            let why_run = format!("`.config/nextest.toml`: the profile `{profile}` writes JUnit");
            let target = found.add("nextest", Class::Unit, &run, "junit", &why_run);
            target.tools.push("cargo-nextest".to_owned());
            target.reports = vec![report];
            let doc = with(&["cargo", "test", "--workspace", "--doc", "--no-fail-fast"]);
            found.add(
                "doctest",
                Class::Unit,
                &doc,
                "libtest",
                &why("nextest runs no documentation tests"),
            );
            found.note("if no documentation test is there, `doctest` runs none and is no pass: take it out then");
        }
        None => {
            let build = with(&["cargo", "test", "--workspace", "--no-run"]);
            found.add(
                "build",
                Class::Build,
                &build,
                "command",
                &why("all tests are built"),
            );
            let test = with(&["cargo", "test", "--workspace", "--no-fail-fast"]);
            found.add("test", Class::Unit, &test, "libtest", &why("all tests"));
            if found.has(".config/nextest.toml") {
                found.note("`.config/nextest.toml` has no profile with a `junit` table, so nextest leaves no report: `cargo test` is proposed");
            }
        }
    }
}

/// nextest's profile that writes JUnit, and where.
fn junit(found: &Found<'_>) -> Option<(String, String)> {
    let config: toml::Table = found.text(".config/nextest.toml")?.parse().ok()?;
    let profiles = config.get("profile")?.as_table()?;
    let path = |name: &str| {
        Some(
            profiles
                .get(name)?
                .get("junit")?
                .get("path")?
                .as_str()?
                .to_owned(),
        )
    };
    let mut names: Vec<&str> = vec!["ci", "default"];
    names.extend(profiles.keys().map(String::as_str));
    let plain = |name: &&str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || "-_".contains(c))
    };
    let (name, path) = names
        .into_iter()
        .filter(plain)
        .find_map(|name| Some((name, path(name)?)))?;
    let report = super::join(&found.path("target/nextest"), &format!("{name}/{path}"))?;
    Some((name.to_owned(), report))
}

//! npm, pnpm, yarn: Jest, Vitest, and scripts.

use serde_json::Value;

use super::node_script::{Call, Runner, call, hands_on};
use super::{DEPTH, FOREIGN, Found};
use crate::run::Class;

/// Most directories that are looked at for a script.
const DIRS: usize = 2000;

pub(super) fn look(found: &mut Found<'_>) {
    let Some(said) = found.text("package.json") else {
        return;
    };
    let Ok(package) = serde_json::from_str::<Value>(&said) else {
        found.note("`package.json` cannot be read");
        return;
    };
    found.languages.push("node");
    let manager = manager(found);
    let needs = |name: &str| {
        ["dependencies", "devDependencies", "peerDependencies"]
            .iter()
            .any(|list| package.get(list).and_then(|list| list.get(name)).is_some())
    };
    let script = |name: &str| {
        package
            .get("scripts")
            .and_then(|s| s.get(name))
            .and_then(Value::as_str)
    };
    let run: &[&str] = match manager {
        "npm" => &["npx", "--no-install"],
        "pnpm" => &["pnpm", "exec"],
        _ => &["yarn", "run"],
    };
    let line = script("test").filter(|line| !line.contains("no test specified"));
    let mut is_known = false;
    for runner in Runner::ALL {
        let said = line.and_then(|line| call(line, runner));
        // A script that does more than to call it says at least that it is used.
        let word = runner.word();
        let in_line = line.is_some_and(|line| line.split_whitespace().any(|w| w == word));
        let is_set_up = has_config(found, word) || package.get(word).is_some() || line.is_none();
        let is_used = match runner {
            Runner::Jest | Runner::Vitest => in_line || needs(word) && is_set_up,
            Runner::Mocha | Runner::Node => said.is_some(),
        };
        if !is_used {
            continue;
        }
        is_known = true;
        if found.is_within(word) {
            found.note(format!(
                "{word} is not proposed here: what is proposed above runs it"
            ));
            continue;
        }
        let said = said.unwrap_or_default();
        if !said.is_narrowed() {
            found.languages.push(word);
        }
        if in_line
            && said == Call::default()
            && line.is_some_and(|l| l.split_whitespace().count() > 1)
        {
            found.note(format!(
                "the script `test` does more than to call {word}: what is proposed calls it alone"
            ));
        }
        propose(found, runner, &said, run);
    }
    if let Some(line) = line.filter(|_| !is_known) {
        if hands_on(line, "test") && below(found, "test") {
            found.note(format!(
                "the script `test` is not proposed: it runs those of the workspaces (`{line}`), each of which is proposed"
            ));
        } else {
            let why = format!("the script `test` of `package.json`, by its exit code: `{line}`");
            found
                .add("npm-test", Class::Unit, &[manager, "test"], "command", &why)
                .env
                .insert("CI".into(), "1".into());
            found.note(
                "`npm-test` leaves no report that is known, so failures in it cannot be told apart",
            );
        }
    }
    for (name, class) in [
        ("build", Class::Build),
        ("lint", Class::Lint),
        ("typecheck", Class::Lint),
        ("type-check", Class::Lint),
        ("format:check", Class::Lint),
        ("check-format", Class::Lint),
        ("test:integration", Class::E2e),
        ("test:e2e", Class::E2e),
        ("e2e", Class::E2e),
    ] {
        if let Some(line) = script(name) {
            if hands_on(line, name) && below(found, name) {
                found.note(format!(
                    "the script `{name}` is not proposed: it runs those of the workspaces (`{line}`), each of which is proposed"
                ));
                continue;
            }
            let why = format!("the script `{name}` of `package.json`: `{line}`");
            let command = [manager, "run", name];
            let target = found.add(&name.replace(':', "-"), class, &command, "command", &why);
            if class == Class::E2e {
                target.env.insert("CI".into(), "1".into());
            }
        }
    }
    if script("lint").is_some_and(|line| line.contains("--fix")) {
        found
            .note("the script `lint` mends what it finds: it would change the tree that is judged");
    }
}

fn has_config(found: &Found<'_>, name: &str) -> bool {
    ["js", "ts", "mjs", "cjs", "mts", "cts", "json"]
        .iter()
        .any(|end| found.has(&format!("{name}.config.{end}")))
}

/// Proposes a runner with a report. What would wait for a change of the files is told not to.
fn propose(found: &mut Found<'_>, runner: Runner, said: &Call, run: &[&str]) {
    let waits = [
        "watch",
        "dev",
        "--watch",
        "-w",
        "--watchAll",
        "--ui",
        "--standalone",
    ];
    let without = |names: &[&str]| -> Vec<String> {
        let mut kept = Vec::new();
        let mut args = said.args.iter();
        while let Some(word) = args.next() {
            let name = word.split('=').next().unwrap_or(word);
            if waits.contains(&name) || (word == "run" && runner == Runner::Vitest) {
                continue;
            }
            if names.contains(&name) {
                if !word.contains('=') {
                    args.next();
                }
                continue;
            }
            kept.push(word.clone());
        }
        kept
    };
    let words = |list: &[&str]| -> Vec<String> { list.iter().map(|w| (*w).to_owned()).collect() };
    let mut command = words(run);
    let mut reports = Vec::new();
    let (format, why) = match runner {
        Runner::Vitest => {
            // What its tests and its plugins print goes to the standard output too: the report has a file of its own.
            let report = Found::report("vitest.json");
            command.extend(words(&["vitest", "run"]));
            command.extend(without(&["--reporter", "--outputFile", "-o"]));
            command.extend(words(&["--reporter=default", "--reporter=json"]));
            command.push(format!("--outputFile.json={report}"));
            reports.push(report);
            ("jest", "`package.json` runs vitest; its report is a file")
        }
        Runner::Jest => {
            command.push("jest".into());
            command.extend(without(&["--json", "--outputFile"]));
            command.extend(words(&["--ci", "--json"]));
            (
                "jest",
                "`package.json` runs jest; it writes its report to the standard output",
            )
        }
        Runner::Mocha => {
            let report = Found::report("mocha.xml");
            command.push("mocha".into());
            command.extend(without(&[
                "--reporter",
                "-R",
                "--reporter-option",
                "--reporter-options",
                "-O",
            ]));
            command.extend(words(&["--reporter", "xunit", "--reporter-option"]));
            command.push(format!("output={report}"));
            reports.push(report);
            ("junit", "`package.json` runs mocha; its report is a file")
        }
        Runner::Node => {
            // Before its files: what stands behind these is theirs.
            command = words(&["node", "--test", "--test-reporter=tap"]);
            let reporter = ["--test-reporter", "--test-reporter-destination"];
            command.extend(
                without(&reporter)
                    .into_iter()
                    .filter(|word| word != "--test"),
            );
            (
                "tap",
                "`package.json` runs the tests of node; TAP on the standard output",
            )
        }
    };
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let target = found.add(runner.word(), Class::Unit, &command, format, why);
    target.reports = reports;
    target.env.extend(said.env.iter().cloned());
    target.env.insert("CI".into(), "1".into());
}

/// Whether a package below has a script of this name.
fn below(found: &Found<'_>, script: &str) -> bool {
    let mut open = vec![(found.dir.to_owned(), 0)];
    let mut looked = 0;
    while let Some((dir, depth)) = open.pop() {
        looked += 1;
        if looked > DIRS {
            return false;
        }
        if depth > 0
            && let Some(path) = super::join(&dir, "package.json")
            && let Some(said) = super::text(found.files, &path)
            && let Ok(package) = serde_json::from_str::<Value>(&said)
            && package
                .get("scripts")
                .is_some_and(|s| s.get(script).is_some())
        {
            return true;
        }
        // No deeper than what is proposed.
        let at = found.dir.split('/').filter(|part| !part.is_empty()).count();
        if at + depth >= usize::from(DEPTH) {
            continue;
        }
        let names = found.files.list(&dir);
        let names = names
            .iter()
            .filter(|name| !name.starts_with('.') && !FOREIGN.contains(&name.as_str()));
        open.extend(names.filter_map(|name| Some((super::join(&dir, name)?, depth + 1))));
    }
    false
}

/// By the lock file of the directory or of one above it.
fn manager(found: &Found<'_>) -> &'static str {
    let mut dir = found.dir;
    loop {
        for (lock, manager) in [
            ("pnpm-lock.yaml", "pnpm"),
            ("yarn.lock", "yarn"),
            ("package-lock.json", "npm"),
        ] {
            if super::join(dir, lock).is_some_and(|path| found.files.exists(&path)) {
                return manager;
            }
        }
        if dir.is_empty() {
            return "npm";
        }
        dir = dir.rsplit_once('/').map_or("", |(above, _)| above);
    }
}

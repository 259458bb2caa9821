//! npm, pnpm, yarn: Jest, Vitest, and scripts.

use serde_json::Value;

use super::Found;
use crate::run::Class;

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
    let config = |name: &str| {
        ["js", "ts", "mjs", "cjs", "mts", "cts", "json"]
            .iter()
            .any(|end| found.has(&format!("{name}.config.{end}")))
    };
    let in_script = |name: &str| {
        script("test").is_some_and(|line| line.split_whitespace().any(|word| word == name))
    };
    let jest = needs("jest")
        && (in_script("jest")
            || config("jest")
            || package.get("jest").is_some()
            || script("test").is_none());
    let vitest =
        needs("vitest") && (in_script("vitest") || config("vitest") || script("test").is_none());
    if vitest {
        // What its tests and its plugins print goes to the standard output too: the report has a file of its own.
        let report = Found::report("vitest.json");
        let file = format!("--outputFile.json={report}");
        let own = [
            "vitest",
            "run",
            "--reporter=default",
            "--reporter=json",
            &*file,
        ];
        let why = "`package.json` needs vitest; its report is a file";
        found
            .add("vitest", Class::Unit, &[run, &own].concat(), "jest", why)
            .reports = vec![report];
    }
    if jest {
        let command = [run, &["jest", "--ci", "--json"]].concat();
        found.add(
            "jest",
            Class::Unit,
            &command,
            "jest",
            "`package.json` needs jest; it writes its report to the standard output",
        );
    }
    let is_default = |line: &str| line.contains("no test specified");
    if let Some(line) = script("test").filter(|line| !jest && !vitest && !is_default(line)) {
        let why = format!("the script `test` of `package.json`, by its exit code: `{line}`");
        found.add("npm-test", Class::Unit, &[manager, "test"], "command", &why);
        found.note(
            "`npm-test` leaves no report that is known, so failures in it cannot be told apart",
        );
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
            let why = format!("the script `{name}` of `package.json`: `{line}`");
            found.add(
                &name.replace(':', "-"),
                class,
                &[manager, "run", name],
                "command",
                &why,
            );
        }
    }
    if script("lint").is_some_and(|line| line.contains("--fix")) {
        found
            .note("the script `lint` mends what it finds: it would change the tree that is judged");
    }
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

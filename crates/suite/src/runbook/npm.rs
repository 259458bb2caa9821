//! Whether `package.json` has a script.

use serde_json::Value;

use super::places;
use super::prove::{Said, Tree};

/// Commands of npm, pnpm and yarn that run nothing of the project's.
const OWN: &[&str] = &[
    "add", "audit", "ci", "config", "dedupe", "i", "info", "install", "link", "list", "ls",
    "outdated", "pack", "prune", "rebuild", "remove", "root", "update", "up", "upgrade", "version",
    "view", "why",
];

/// Scripts that have a command of their own.
const LIFECYCLE: &[&str] = &["test", "start", "stop", "restart"];

/// Looks at the words behind `npm`, `pnpm`, `yarn` or `bun`.
pub(super) fn check(program: &str, rest: &[&str], tree: Option<&dyn Tree>) -> Vec<Said> {
    // Flags before a script's name may say that it is another package's.
    let plain = |word: &&&str| !matches!(**word, "-s" | "--silent" | "-q" | "--if-present");
    let mut words = rest.iter().filter(plain).copied();
    let open = || {
        vec![Said::open(format!(
            "what `{program} {}` runs",
            rest.join(" ")
        ))]
    };
    let script = match words.next() {
        Some("run" | "run-script") => match words.next() {
            Some(name) if !name.starts_with('-') => name,
            Some(_) => return open(),
            None => return vec![Said::error(format!("`{program} run` names no script"))],
        },
        Some("t" | "tst") if program == "npm" => "test",
        Some(name) if LIFECYCLE.contains(&name) => name,
        Some(name) if OWN.contains(&name) => return Vec::new(),
        // pnpm and yarn run scripts without `run`, and other programs as well.
        Some(name) if program != "npm" && !name.starts_with('-') => {
            return match of(name, tree) {
                Ok(()) => Vec::new(),
                Err(_) => open(),
            };
        }
        None if program == "yarn" => return Vec::new(),
        _ => return open(),
    };
    if places::is_open(script) {
        return open();
    }
    of(script, tree).err().into_iter().collect()
}

fn of(script: &str, tree: Option<&dyn Tree>) -> Result<(), Said> {
    let text = tree.and_then(|t| t.text("package.json"));
    let Some(text) = text else {
        return Err(Said::error(format!(
            "there is no `package.json` with a script `{script}`"
        )));
    };
    let package: Value = serde_json::from_str(&text)
        .map_err(|e| Said::error(format!("`package.json` cannot be read: {e}")))?;
    let scripts = package.get("scripts").and_then(Value::as_object);
    if scripts.is_some_and(|all| all.get(script).is_some_and(Value::is_string)) {
        return Ok(());
    }
    let known = scripts.into_iter().flat_map(|all| all.keys());
    let said = Said::error(format!("`package.json` has no script `{script}`"));
    Err(said.near(script, known.map(String::as_str)))
}

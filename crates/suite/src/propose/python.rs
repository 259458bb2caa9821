//! Python: pytest, unittest, tox; ruff and mypy.

use super::Found;
use crate::run::Class;

pub(super) fn look(found: &mut Found<'_>) {
    let project = found.text("pyproject.toml").unwrap_or_default();
    let setup = found.text("setup.cfg").unwrap_or_default();
    let tox = found.text("tox.ini").unwrap_or_default();
    let names = found.files.list(found.dir);
    let requirements: String = names
        .iter()
        .filter(|name| {
            name.starts_with("requirements") && name.ends_with(".txt") || name.as_str() == "Pipfile"
        })
        .filter_map(|name| found.text(name))
        .collect::<Vec<_>>()
        .join("\n");
    let is_python = [
        "pyproject.toml",
        "setup.py",
        "setup.cfg",
        "pytest.ini",
        "tox.ini",
    ]
    .iter()
    .any(|name| found.has(name))
        || !requirements.is_empty();
    if !is_python || found.is_within("python") {
        return;
    }
    let table: toml::Table = match project.parse() {
        Ok(table) => table,
        Err(_) => {
            found.note("`pyproject.toml` cannot be read");
            return;
        }
    };
    let tool = |name: &str| table.get("tool").and_then(|t| t.get(name)).is_some();
    let in_requirements = |name: &str| {
        let all = [&project, &setup, &tox, &requirements];
        all.iter()
            .any(|said| said.lines().any(|line| mentions(line, name)))
    };
    let tests: Vec<String> = ["", "tests", "test"]
        .iter()
        .flat_map(|dir| {
            let dir = if dir.is_empty() {
                found.dir.to_owned()
            } else {
                found.path(dir)
            };
            found
                .files
                .list(&dir)
                .into_iter()
                .filter(|name| is_test(name))
                .map(move |name| match dir.as_str() {
                    "" => name,
                    dir => format!("{dir}/{name}"),
                })
        })
        .take(50)
        .collect();
    let reason = if found.has("pytest.ini") {
        Some("`pytest.ini`")
    } else if tool("pytest") {
        Some("`pyproject.toml` sets up pytest")
    } else if tox.contains("[pytest]") || setup.contains("[tool:pytest]") {
        Some("`tox.ini` or `setup.cfg` sets up pytest")
    } else if found.has("conftest.py") || found.has("tests/conftest.py") {
        Some("`conftest.py`")
    } else if in_requirements("pytest") {
        Some("pytest is among the requirements")
    } else {
        None
    };
    let runner: &[&str] = if found.has("uv.lock") {
        &["uv", "run"]
    } else if found.has("poetry.lock") {
        &["poetry", "run"]
    } else {
        &["python3", "-m"]
    };
    let ours = |module: &'static str| [runner, &[module]].concat();
    let mut is_ours = true;
    if let Some(reason) = reason {
        let log = in_requirements("pytest-reportlog");
        let (name, format) = if log {
            ("pytest.jsonl", "pytest-log")
        } else {
            ("pytest.xml", "junit")
        };
        let path = Found::report(name);
        let flag = if log {
            format!("--report-log={path}")
        } else {
            format!("--junitxml={path}")
        };
        let command = [&ours("pytest")[..], &[flag.as_str()]].concat();
        found
            .add("pytest", Class::Unit, &command, format, reason)
            .reports = vec![path];
        if tox.contains("[testenv") {
            found.note(
                "`tox.ini` has environments: what they set up beside the tests is not proposed",
            );
        }
    } else if tox.contains("[testenv") {
        found.add(
            "tox",
            Class::Unit,
            &["tox", "run"],
            "command",
            "`tox.ini`: its environments, by their exit code",
        );
        found.note("tox leaves no report here: hand `{posargs}` on to pytest and give it `--junitxml`, and failures can be told apart");
    } else if in_requirements("unittest-xml-reporting") {
        let reports = Found::report("unittest");
        let module = ours("xmlrunner");
        let module = if runner[0] == "python3" {
            module
        } else {
            [runner, &["python", "-m", "xmlrunner"]].concat()
        };
        let mut command: Vec<&str> = module;
        command.push("discover");
        command.extend(start(found, &tests));
        command.extend(["-o", reports.as_str()]);
        found
            .add(
                "unittest",
                Class::Unit,
                &command,
                "junit",
                "unittest-xml-reporting is among the requirements",
            )
            .reports = vec![format!("{reports}/*.xml")];
    } else if tests
        .iter()
        .any(|path| super::text(found.files, path).is_some_and(|said| said.contains("unittest")))
    {
        let command = [&ours("python")[..], &["-m", "unittest", "discover"]].concat();
        let command: Vec<&str> = if runner[0] == "python3" {
            vec!["python3", "-m", "unittest", "discover"]
        } else {
            command
        };
        let command = [command, start(found, &tests)].concat();
        found.add(
            "unittest",
            Class::Unit,
            &command,
            "command",
            "tests of unittest, by their exit code",
        );
        found.note("unittest leaves no report: with unittest-xml-reporting (`python -m xmlrunner`) failures can be told apart");
    } else {
        is_ours = !tests.is_empty();
        if is_ours {
            found.note("there are files of tests, and nothing says what runs them");
        }
    }
    if tool("ruff") || found.has("ruff.toml") || found.has(".ruff.toml") {
        is_ours = true;
        let command = if runner[0] == "python3" {
            vec!["ruff", "check", "."]
        } else {
            [&ours("ruff")[..], &["check", "."]].concat()
        };
        found.add("ruff", Class::Lint, &command, "command", "ruff is set up");
    }
    if tool("mypy") || found.has("mypy.ini") || setup.contains("[mypy]") {
        is_ours = true;
        let has_files = table
            .get("tool")
            .and_then(|t| t.get("mypy")?.get("files"))
            .is_some();
        let mut command = if runner[0] == "python3" {
            vec!["mypy"]
        } else {
            ours("mypy")
        };
        if !has_files {
            command.push(".");
        }
        found.add("mypy", Class::Lint, &command, "command", "mypy is set up");
    }
    if is_ours {
        found.languages.push("python");
    } else {
        found.note("Python, and nothing that tests it");
    }
}

/// Where unittest begins: it finds nothing in a directory that is no package, unless it begins there, and looks for `test*.py` alone.
fn start(found: &Found<'_>, tests: &[String]) -> Vec<&'static str> {
    let mut words = Vec::new();
    let inside = |dir: &str| {
        let below = format!("{}/", found.path(dir));
        tests.iter().all(|path| path.starts_with(&below))
    };
    for dir in ["tests", "test"] {
        if !tests.is_empty() && inside(dir) && !found.has(&format!("{dir}/__init__.py")) {
            words.extend(["-s", dir]);
        }
    }
    let name = |path: &String| {
        path.rsplit('/')
            .next()
            .unwrap_or_default()
            .starts_with("test")
    };
    if !tests.is_empty() && !tests.iter().any(name) {
        words.extend(["-p", "*_test.py"]);
    }
    words
}

fn is_test(name: &str) -> bool {
    name.ends_with(".py") && (name.starts_with("test_") || name.ends_with("_test.py"))
}

/// Whether a line names a package and no longer one that begins so.
fn mentions(line: &str, name: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default();
    line.match_indices(name).any(|(at, _)| {
        let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == '.';
        let before = line[..at].chars().next_back();
        let after = line[at + name.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

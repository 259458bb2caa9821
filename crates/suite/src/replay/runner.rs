//! Which runner a command starts, under whatever wraps it.

use serde::{Deserialize, Serialize};

use super::plan::Context;
use crate::propose::{join, text};

/// Test runners whose selection is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runner {
    /// `cargo test`.
    Cargo,
    /// `cargo nextest run`.
    Nextest,
    /// pytest.
    Pytest,
    /// Python's unittest, or unittest-xml-reporting.
    Unittest,
    /// Jest.
    Jest,
    /// Vitest.
    Vitest,
    /// `go test`.
    Go,
    /// `go test` under gotestsum.
    Gotestsum,
    /// Maven with Surefire.
    Maven,
    /// Gradle.
    Gradle,
    /// `dotnet test`.
    Dotnet,
    /// bats.
    Bats,
    /// Perl's prove.
    Prove,
    /// Any other command.
    Command,
}

/// A command, told apart: what stands before the runner's own words, and these.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub runner: Runner,
    /// The wrapper, the program, its subcommand.
    pub prefix: Vec<String>,
    /// The runner's own words.
    pub args: Vec<String>,
    /// Words that a script of the project puts before them.
    pub script: Vec<String>,
}

/// A program's name without directory and ending.
pub(super) fn stem(program: &str) -> &str {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    [".exe", ".cmd", ".bat", ".ps1"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name)
}

/// Finds the runner, or says why it is not known.
pub(super) fn recognise(context: &Context<'_>) -> Result<Known, String> {
    let mut known = find(&context.command, context, 0)?;
    known.prefix.retain(|word| !word.is_empty());
    Ok(known)
}

fn find(words: &[String], context: &Context<'_>, depth: u8) -> Result<Known, String> {
    let Some(program) = words.first() else {
        return Err("the command is empty".to_owned());
    };
    if depth > 8 {
        return Err("too many wrappers stand before the runner".to_owned());
    }
    let at = |n: usize| words.get(n).map(String::as_str).unwrap_or_default();
    let known = |runner, count: usize| {
        Ok(Known {
            runner,
            prefix: words[..count].to_vec(),
            args: words[count..].to_vec(),
            script: Vec::new(),
        })
    };
    let under = |count: usize| {
        let count = count.min(words.len());
        let mut inner = find(&words[count..], context, depth + 1)?;
        inner.prefix.splice(0..0, words[..count].iter().cloned());
        Ok(inner)
    };
    let flags = |from: usize| {
        words[from.min(words.len())..]
            .iter()
            .take_while(|w| w.starts_with('-'))
            .count()
    };
    match stem(program) {
        "env" | "cross-env" => {
            let set = words[1..]
                .iter()
                .take_while(|w| w.contains('=') && !w.starts_with('-'))
                .count();
            under(1 + set)
        }
        "nice" if at(1) == "-n" => under(3),
        "timeout" if !at(1).starts_with('-') => under(2),
        "nice" | "ionice" | "time" | "xvfb-run" | "stdbuf" | "nohup" => under(1 + flags(1)),
        "npx" | "bunx" | "pnpx" => under(1 + flags(1)),
        "uv" | "poetry" | "pipenv" | "pdm" | "hatch" | "rye" if at(1) == "run" => {
            under(2 + flags(2))
        }
        "pnpm" | "yarn" | "bun" if matches!(at(1), "exec" | "x" | "dlx") => under(2 + flags(2)),
        "npm" if at(1) == "exec" => under(2 + flags(2)),
        "node" => {
            let script = words[1..]
                .iter()
                .position(|w| !w.starts_with('-'))
                .map(|n| n + 1);
            match script {
                Some(n)
                    if stem(&words[n])
                        .trim_end_matches(".js")
                        .trim_end_matches(".mjs")
                        == "jest" =>
                {
                    known(Runner::Jest, n + 1)
                }
                Some(n) if stem(&words[n]).trim_end_matches(".mjs") == "vitest" => {
                    known(Runner::Vitest, n + 1)
                }
                _ => Err("`node` with another script than a runner's".to_owned()),
            }
        }
        "npm" | "pnpm" | "yarn" => script(words, context, depth),
        "cargo" => cargo(words).map_or_else(
            || Err(format!("`cargo {}` is no test run that is known", at(1))),
            |(runner, count)| known(runner, count),
        ),
        "cargo-nextest" if at(1) == "nextest" && at(2) == "run" => known(Runner::Nextest, 3),
        "pytest" | "py.test" => known(Runner::Pytest, 1),
        name if name == "py" || name.starts_with("python") || name == "pypy3" => {
            python(words, context, depth, &known)
        }
        "coverage" if at(1) == "run" => match words.iter().position(|w| w == "-m") {
            Some(n) if at(n + 1) == "pytest" => known(Runner::Pytest, n + 2),
            Some(n) if at(n + 1) == "unittest" => known(Runner::Unittest, n + 2),
            _ => Err("`coverage run` with another module than a runner's".to_owned()),
        },
        "tox" | "nox" => environments(words, context),
        "jest" => known(Runner::Jest, 1),
        "vitest" => known(
            Runner::Vitest,
            if matches!(at(1), "run" | "watch" | "dev") {
                2
            } else {
                1
            },
        ),
        "go" if at(1) == "test" => known(Runner::Go, 2),
        "gotestsum" => known(Runner::Gotestsum, 1),
        "mvn" | "mvnw" => known(Runner::Maven, 1),
        "gradle" | "gradlew" => known(Runner::Gradle, 1),
        "dotnet" if at(1) == "test" => known(Runner::Dotnet, 2),
        "bats" => known(Runner::Bats, 1),
        "prove" => known(Runner::Prove, 1),
        "sh" | "bash" | "zsh" | "dash" => {
            Err("a line of a shell is run: what it selects is not known".to_owned())
        }
        name => Err(format!("`{name}` is no runner whose selection is known")),
    }
}

fn cargo(words: &[String]) -> Option<(Runner, usize)> {
    let mut at = 1;
    while let Some(word) = words.get(at) {
        match word.as_str() {
            "--config" | "-C" | "-Z" | "--color" => at += 2,
            word if word.starts_with('-') || word.starts_with('+') => at += 1,
            "test" | "t" => return Some((Runner::Cargo, at + 1)),
            "nextest"
                if words
                    .get(at + 1)
                    .is_some_and(|w| matches!(w.as_str(), "run" | "r")) =>
            {
                return Some((Runner::Nextest, at + 2));
            }
            _ => return None,
        }
    }
    None
}

fn python(
    words: &[String],
    context: &Context<'_>,
    depth: u8,
    known: &dyn Fn(Runner, usize) -> Result<Known, String>,
) -> Result<Known, String> {
    let mut at = 1;
    while let Some(word) = words.get(at) {
        match word.as_str() {
            "-X" | "-W" => at += 2,
            "-m" => {
                let module = words.get(at + 1).map(String::as_str).unwrap_or_default();
                return match module {
                    "pytest" => known(Runner::Pytest, at + 2),
                    "unittest" | "xmlrunner" => known(Runner::Unittest, at + 2),
                    "coverage" | "tox" | "nox" => {
                        let mut inner = find(&words[at + 1..], context, depth + 1)?;
                        inner.prefix.splice(0..0, words[..=at].iter().cloned());
                        Ok(inner)
                    }
                    module => Err(format!(
                        "`python -m {module}` is no runner whose selection is known"
                    )),
                };
            }
            word if word.starts_with('-') => at += 1,
            _ => break,
        }
    }
    Err("a script of Python is run: what it selects is not known".to_owned())
}

/// tox and nox hand on what stands behind `--`, if the project's file says so.
fn environments(words: &[String], context: &Context<'_>) -> Result<Known, String> {
    let tool = stem(&words[0]);
    let names: &[&str] = match tool {
        "tox" => &["tox.ini", "tox.toml", "pyproject.toml", "setup.cfg"],
        _ => &["noxfile.py"],
    };
    let hands_on = names.iter().any(|name| {
        let path = join(&context.dir, name);
        let said = path
            .and_then(|path| text(context.files, &path))
            .unwrap_or_default();
        said.contains("posargs") && said.contains("pytest")
    });
    if !hands_on {
        return Err(format!(
            "`{tool}` does not hand selections on to pytest: no `posargs` is in its file"
        ));
    }
    let split = words.iter().position(|w| w == "--").unwrap_or(words.len());
    let mut prefix = words[..split].to_vec();
    prefix.push("--".to_owned());
    let args = words.get(split + 1..).unwrap_or_default().to_vec();
    Ok(Known {
        runner: Runner::Pytest,
        prefix,
        args,
        script: Vec::new(),
    })
}

/// `npm test`, `yarn run x`: what the script of `package.json` runs.
fn script(words: &[String], context: &Context<'_>, depth: u8) -> Result<Known, String> {
    let tool = stem(&words[0]);
    let mut at = 1;
    while words
        .get(at)
        .is_some_and(|w| matches!(w.as_str(), "--silent" | "-s" | "--no-color"))
    {
        at += 1;
    }
    let name = match words.get(at).map(String::as_str) {
        Some("test" | "t" | "tst") => {
            at += 1;
            "test"
        }
        Some("run" | "run-script") => {
            at += 1;
            while words
                .get(at)
                .is_some_and(|w| matches!(w.as_str(), "--silent" | "-s"))
            {
                at += 1;
            }
            let name = words.get(at).filter(|w| !w.starts_with('-'));
            at += 1;
            name.ok_or_else(|| format!("`{tool} run` names no script"))?
        }
        Some(name) if !name.starts_with('-') && tool != "npm" => {
            // `yarn jest`: a script of that name, or else a program.
            let name = name.to_owned();
            if of_package(context, &name).is_none() {
                let mut inner = find(&words[at..], context, depth + 1)?;
                inner.prefix.splice(0..0, words[..at].iter().cloned());
                return Ok(inner);
            }
            at += 1;
            words.get(at - 1).map(String::as_str).unwrap_or_default()
        }
        _ => return Err(format!("`{tool}` runs no script that is known")),
    };
    let line = of_package(context, name).ok_or_else(|| {
        format!(
            "`package.json` in `{}` has no script `{name}`",
            shown(&context.dir)
        )
    })?;
    if line.contains(['|', '&', ';', '<', '>', '$', '`', '(', '\n']) {
        return Err(format!(
            "the script `{name}` is a line of a shell: `{line}`"
        ));
    }
    let inner =
        unquoted(&line).ok_or_else(|| format!("the script `{name}` cannot be read: `{line}`"))?;
    let found = find(&inner, context, depth + 1)?;
    if !matches!(found.runner, Runner::Jest | Runner::Vitest) {
        return Err(format!(
            "the script `{name}` runs no runner of JavaScript that is known"
        ));
    }
    let mut prefix = words[..at.min(words.len())].to_vec();
    let mut args = words.get(at..).unwrap_or_default().to_vec();
    // npm takes flags for its own before `--`; pnpm and yarn hand everything on, `--` included.
    if tool == "npm" {
        match args.iter().position(|w| w == "--") {
            Some(0) => {
                args.remove(0);
            }
            None if args.is_empty() => {}
            _ => return Err("words stand before `--`: npm may take them for its own".to_owned()),
        }
        prefix.push("--".to_owned());
    }
    let mut inner_script = found.script;
    inner_script.extend(found.args);
    Ok(Known {
        runner: found.runner,
        prefix,
        args,
        script: inner_script,
    })
}

fn shown(dir: &str) -> &str {
    if dir.is_empty() { "." } else { dir }
}

fn of_package(context: &Context<'_>, script: &str) -> Option<String> {
    let path = join(&context.dir, "package.json")?;
    let value: serde_json::Value = serde_json::from_str(&text(context.files, &path)?).ok()?;
    let line = value.get("scripts")?.get(script)?.as_str()?;
    (line.len() <= 4096).then(|| line.to_owned())
}

/// The words of a line without operators: quotes taken off.
pub(crate) fn unquoted(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('"') | None, '\\') => word.push(chars.next()?),
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => (quote, any) = (Some(c), true),
            (None, c) if c.is_whitespace() => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            (None, c) => word.push(c),
        }
    }
    if quote.is_some() {
        return None;
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    Some(words)
}

//! Proves that what a command names exists: scripts behind interpreters, scripts of `package.json`, targets of a Makefile, commands of cargo and
//! gonogo's own.
//!
//! Pure: what is there is a [`Tree`]. Invariant: of each command something is said unless all that it names was found; what cannot be proved is a
//! warning.

use std::fmt;

use gonogo_core::near;

use super::lint::{Existing, Level};
use super::{cargo, makefile, npm, places};

/// What lies around a runbook, as far as lint asks for it. Paths are relative to the project, without `.` and `..`.
pub trait Tree: fmt::Debug + Send + Sync {
    /// Whether it is a file.
    fn is_file(&self, path: &str) -> bool;
    /// Whether a program can be called by this name alone.
    fn is_program(&self, name: &str) -> bool;
    /// The text of a file; `None` if there is none that can be read.
    fn text(&self, path: &str) -> Option<String>;
}

/// Reads the words behind `gonogo` as gonogo itself does.
pub type Parse = fn(&[String]) -> Result<(), Refusal>;

/// Why gonogo itself does not take a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In words.
    pub text: String,
    /// What kind of fault it is.
    pub kind: RefusalKind,
}

/// What is wrong with a command of gonogo's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// A command, flag or word that it does not know, or two that exclude each other.
    Unknown,
    /// Something has to be said that is not.
    Missing,
    /// A value is none of those that are admitted.
    Value,
}

/// A finding about a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) level: Level,
    pub(super) text: String,
    pub(super) hint: Option<String>,
}

impl Said {
    pub(super) fn error(text: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            text: text.into(),
            hint: None,
        }
    }

    /// What cannot be proved; `what` is a noun with its article, or a clause.
    pub(super) fn open(what: impl fmt::Display) -> Self {
        Self {
            level: Level::Warning,
            text: format!("{what} cannot be checked"),
            hint: None,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With the nearest of what there is.
    pub(super) fn near<'n>(self, name: &str, known: impl IntoIterator<Item = &'n str>) -> Self {
        match near::nearest(name, known) {
            Some(near) => self.hint(format!("did you mean `{near}`?")),
            None => self,
        }
    }
}

/// A path of the project, if it is one.
pub(super) fn within(path: &str) -> Option<&str> {
    let mut path = path;
    while let Some(rest) = path.strip_prefix("./") {
        path = rest;
    }
    let is_odd = path.is_empty()
        || path.starts_with(['/', '~'])
        || path.contains(['*', '?', '$', '\\', '\0'])
        || path.split('/').any(|part| part == "..");
    (!is_odd).then_some(path)
}

/// Looks at a command whose program is there. Nothing is said if all that it names was found.
pub(super) fn command(argv: &[String], existing: &Existing) -> Vec<Said> {
    let Some((program, rest)) = argv.split_first() else {
        return Vec::new();
    };
    let name = program.as_str();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let tree = existing.tree.as_deref();
    match name {
        "cargo" => cargo::check(&rest, tree),
        "make" | "gmake" => makefile::check(&rest, tree),
        "npm" | "pnpm" | "yarn" => npm::check(name, &rest, tree),
        "bun" if rest.first() == Some(&"run") => npm::check(name, &rest, tree),
        _ => match Interpreter::of(name) {
            Some(interpreter) => interpreter.check(name, &rest, tree),
            None if RUNNERS.contains(&name) => vec![Said::open(format!("what `{name}` runs"))],
            None => others(&rest, tree),
        },
    }
}

/// Programs that run another.
const RUNNERS: &[&str] = &[
    "env", "xargs", "sudo", "doas", "nice", "nohup", "time", "timeout", "npx", "uv", "uvx",
    "poetry", "pipenv", "pipx", "tox", "nox", "just", "task", "docker", "podman", "kubectl", "ssh",
    "nix", "bazel", "gradle", "gradlew", "mvn", "mvnw", "rake", "bundle", "deno", "bun", "dotnet",
    "parallel", "watch", "strace", "gdb", "cmake", "ninja", "eval", "exec",
];

/// Arguments of a program that nothing is known of: files among them are looked for.
fn others(rest: &[&str], tree: Option<&dyn Tree>) -> Vec<Said> {
    rest.iter()
        .filter(|word| word.contains('/') && !word.starts_with('-') && !word.contains("://"))
        .filter(|word| {
            let path = word.split("::").next().unwrap_or(word);
            let found = within(path).filter(|path| tree.is_some_and(|t| t.is_file(path)));
            found.is_none()
        })
        .map(|word| Said::open(format!("that there is a `{word}`")))
        .collect()
}

/// How an interpreter is told what to run.
struct Interpreter {
    /// Flags with the text that is run.
    inline: &'static [&'static str],
    /// Flags with a value of their own.
    valued: &'static [&'static str],
    /// Whether short flags are joined (`-euo`).
    is_shell: bool,
    /// What a script may be called beside its name.
    endings: &'static [&'static str],
}

impl Interpreter {
    fn of(name: &str) -> Option<Self> {
        let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let of = |inline, valued, is_shell, endings| {
            Some(Self {
                inline,
                valued,
                is_shell,
                endings,
            })
        };
        match base {
            "sh" | "bash" | "dash" | "zsh" | "ksh" | "fish" => of(
                &["-c"],
                &["-o", "-O", "+o", "--rcfile", "--init-file"],
                true,
                &[],
            ),
            "python" | "pypy" => of(
                &["-c"],
                &["-W", "-X", "--check-hash-based-pycs"],
                false,
                &["/__main__.py"],
            ),
            "node" | "nodejs" => of(
                &["-e", "--eval", "-p", "--print", "-pe"],
                &[
                    "-r",
                    "--require",
                    "--import",
                    "--loader",
                    "--env-file",
                    "-C",
                ],
                false,
                &[".js", ".mjs", ".cjs", "/index.js"],
            ),
            "ruby" => of(&["-e"], &["-r", "-I", "-C", "-E"], false, &[]),
            "perl" => of(&["-e", "-E"], &["-I"], false, &[]),
            "php" => of(&["-r"], &["-d", "-c"], false, &[]),
            "lua" => of(&["-e"], &["-l"], false, &[]),
            "Rscript" => of(&["-e"], &[], false, &[]),
            "tsx" | "ts-node" => of(&["-e", "-p"], &["-r", "-P"], false, &[]),
            _ => None,
        }
    }

    fn check(&self, name: &str, rest: &[&str], tree: Option<&dyn Tree>) -> Vec<Said> {
        let is_python = name.starts_with("py");
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            let cluster = |c: char| {
                self.is_shell && word.len() > 2 && !word.starts_with("--") && word.contains(c)
            };
            if self.inline.contains(word) || (word.starts_with('-') && cluster('c')) {
                return vec![
                    Said::open(format!("what `{name} {word}` runs"))
                        .hint("put it into a script, and name that"),
                ];
            }
            if is_python && (*word == "-m" || word.starts_with("-m")) {
                let module = match &word[2..] {
                    "" => words.next().copied().unwrap_or(""),
                    joined => joined,
                };
                return module_of(name, module, tree).into_iter().collect();
            }
            if self.valued.contains(word) || (word.starts_with('-') && cluster('o')) {
                words.next();
                continue;
            }
            if *word == "--test" {
                // Tests of node: files or patterns.
                let files: Vec<&str> = words.copied().filter(|w| !w.starts_with('-')).collect();
                if files.is_empty() {
                    return vec![Said::open("which tests `--test` finds")];
                }
                return files
                    .into_iter()
                    .filter_map(|file| self.script(name, file, tree))
                    .collect();
            }
            if *word == "--" {
                continue;
            }
            if word.starts_with('-') || word.starts_with('+') {
                continue;
            }
            return self.script(name, word, tree).into_iter().collect();
        }
        vec![Said::open(format!("what `{name}` runs"))]
    }

    fn script(&self, name: &str, word: &str, tree: Option<&dyn Tree>) -> Option<Said> {
        let Some(path) = within(word).filter(|_| !places::is_open(word)) else {
            return Some(Said::open(format!("that there is a `{word}`")));
        };
        let path = path.trim_end_matches('/');
        let is_there = |path: &str| tree.is_some_and(|t| t.is_file(path));
        let more = || {
            self.endings
                .iter()
                .any(|end| is_there(&format!("{path}{end}")))
        };
        (!is_there(path) && !more())
            .then(|| Said::error(format!("there is no `{word}` that `{name}` could run")))
    }
}

/// A module: of the tree, or installed, which nobody can tell here.
fn module_of(name: &str, module: &str, tree: Option<&dyn Tree>) -> Option<Said> {
    let path = module.replace('.', "/");
    let is_name = !path.is_empty()
        && path
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '/'));
    let is_there = |path: String| tree.is_some_and(|t| t.is_file(&path));
    let found = is_name
        && ["", "src/"].iter().any(|root| {
            [".py", "/__main__.py"]
                .iter()
                .any(|end| is_there(format!("{root}{path}{end}")))
        });
    (!found).then(|| Said::open(format!("that `{name}` has a module `{module}`")))
}

/// The commands and paths that a text for people names between backticks, and paths of scripts anywhere in it.
pub(super) fn named(text: &str) -> (Vec<Vec<String>>, Vec<String>) {
    let (mut commands, mut paths) = (Vec::new(), Vec::new());
    for (n, part) in text.split('`').enumerate() {
        let in_code = n % 2 == 1;
        if !in_code {
            let words = part.split_whitespace().map(|word| {
                word.trim_start_matches(['(', '[', '"', '\''])
                    .trim_end_matches([',', ';', ':', '!', '?', ')', ']', '"', '\'', '.'])
            });
            let script = |word: &&str| {
                let end = word.rsplit('.').next().unwrap_or_default();
                word.contains('/') && !word.contains("://") && SCRIPTS.contains(&end)
            };
            paths.extend(words.filter(script).map(str::to_owned));
            continue;
        }
        for words in split(part) {
            // `NAME=value` before a program is its environment.
            let is_set = |word: &String| {
                let name = word.split('=').next().unwrap_or_default();
                word.contains('=')
                    && !name.is_empty()
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            };
            let words: Vec<String> = words.into_iter().skip_while(is_set).collect();
            match words.as_slice() {
                [] => {}
                [one] if one != "gonogo" && one != "make" => paths.push(one.clone()),
                _ => commands.push(words),
            }
        }
    }
    (commands, paths)
}

/// Ends of names of files that are run.
const SCRIPTS: &[&str] = &[
    "sh", "bash", "py", "js", "mjs", "cjs", "ts", "rb", "pl", "php", "lua", "ps1",
];

/// A line of a shell: its commands, each its words. Quotes hold words together.
fn split(line: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let end = |word: &mut Option<String>, all: &mut Vec<Vec<String>>| {
        let Some(word) = word.take() else { return };
        match word.as_str() {
            "|" | "||" | "&&" | ";" | "&" => all.push(Vec::new()),
            _ => {
                if let Some(last) = all.last_mut() {
                    last.push(word);
                }
            }
        }
    };
    for c in line.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => end(&mut word, &mut all),
            (';', None) => {
                end(&mut word, &mut all);
                all.push(Vec::new());
            }
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    end(&mut word, &mut all);
    // What stands behind a redirection is a file that it makes, or reads.
    for words in &mut all {
        let at = words.iter().position(|w| {
            w.trim_start_matches(|c: char| c.is_ascii_digit())
                .starts_with(['>', '<'])
        });
        if let Some(at) = at {
            words.truncate(at);
        }
    }
    all.retain(|words| !words.is_empty());
    all
}

/// A lone word between backticks that may be a path: nothing is said of what is none.
pub(super) fn path(word: &str, existing: &Existing) -> Option<Said> {
    let tree = existing.tree.as_deref();
    let last = word.rsplit('/').next().unwrap_or(word);
    let end = last.rsplit_once('.').filter(|(stem, _)| !stem.is_empty());
    let is_script = end.is_some_and(|(_, end)| SCRIPTS.contains(&end));
    let is_name = end.is_some_and(|(_, end)| {
        end.len() <= 5 && !end.is_empty() && end.chars().all(|c| c.is_ascii_alphanumeric())
    });
    let is_flag = word.starts_with('-') || word.contains(['=', '(', '<', '>', ' ']);
    let is_path = word.contains('/') && !word.contains("://");
    if is_flag || !(is_path || is_name) {
        return None;
    }
    let name = word.split("::").next().unwrap_or(word);
    // With its line, as tools print it.
    let name = name.split(':').next().unwrap_or(name);
    let Some(path) = within(name).map(|p| p.trim_end_matches('/')) else {
        return Some(Said::open(format!("that there is a `{word}`")));
    };
    let is_there = tree.is_some_and(|t| t.is_file(path)) || existing.artifact(path);
    if is_there {
        return None;
    }
    let is_sure = !places::is_open(word) && is_path && (is_script || word.starts_with("./"));
    Some(match is_sure {
        true => Said::error(format!("there is no `{word}`")),
        false => Said::open(format!("that there is a `{word}`")),
    })
}

#[cfg(test)]
mod tests;

//! Which files a gate's command names: by its words, by words within words, and by programs that read a file of their own.
//!
//! What a command runs is a rule, in whatever spelling it is named. Invariant: only candidates are made here, too many rather than too few;
//! whoever gathers takes those that the tree or its base has. What a script calls in turn, and what a program finds by itself, is not here.

use std::collections::BTreeSet;

/// Most directories in which words may begin.
const DIRS: usize = 32;

/// Programs, and the files with commands in them that each reads by itself, by their own documentation.
const READ: [(&[&str], &[&str]); 11] = [
    (&["make", "gmake"], &["GNUmakefile", "makefile", "Makefile"]),
    (
        &["just"],
        &["justfile", "Justfile", ".justfile", "JUSTFILE"],
    ),
    (&["npm", "yarn", "pnpm", "bun"], &["package.json"]),
    (&["task", "go-task"], &["Taskfile.yml", "Taskfile.yaml"]),
    (&["rake"], &["Rakefile", "rakefile", "Rakefile.rb"]),
    (&["tox"], &["tox.ini", "tox.toml", "pyproject.toml"]),
    (&["nox"], &["noxfile.py"]),
    (&["invoke", "inv"], &["tasks.py", "tasks/__init__.py"]),
    (&["pre-commit"], &[".pre-commit-config.yaml"]),
    (&["composer"], &["composer.json"]),
    (&["cargo"], &[".cargo/config.toml", ".cargo/config"]),
];

/// Programs that find a module by a name without its end.
const NODE: [&str; 6] = ["node", "nodejs", "bun", "deno", "tsx", "ts-node"];

/// Ends that these try.
const ENDS: [&str; 10] = [
    ".js",
    ".cjs",
    ".mjs",
    ".ts",
    ".cts",
    ".mts",
    ".json",
    "/index.js",
    "/index.ts",
    "/package.json",
];

/// Where a command is run.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The project's directory, in every spelling that is known.
    pub roots: &'a [&'a str],
    /// How many directories of the repository lie above it.
    pub above: usize,
    /// Whether a path from the project's directory is a directory.
    pub is_dir: &'a dyn Fn(&str) -> bool,
}

/// Paths that a command may name, from the project's directory, without `.` and with `..` at the beginning alone.
pub fn candidates(argv: &[String], place: Place<'_>) -> BTreeSet<String> {
    let mut words: BTreeSet<String> = BTreeSet::new();
    // In their order: where one is a directory, those behind it may begin there.
    let mut dirs = vec![String::new()];
    for word in argv {
        for piece in pieces(word) {
            for spelled in spellings(&piece, place.roots) {
                for at in 0..dirs.len().min(DIRS) {
                    let dir = joined(&dirs[at], &spelled);
                    if dirs.len() < DIRS && !dirs.contains(&dir) && (place.is_dir)(&dir) {
                        dirs.push(dir);
                    }
                }
                words.insert(spelled);
            }
        }
    }
    let programs: BTreeSet<&str> = words
        .iter()
        .filter_map(|word| word.rsplit('/').next())
        .collect();
    let is_run = |names: &[&str]| names.iter().any(|name| programs.contains(name));
    let mut found: BTreeSet<String> = BTreeSet::new();
    for dir in &dirs {
        found.extend(words.iter().map(|word| joined(dir, word)));
        if is_run(&NODE) {
            let with = |word: &String| ENDS.map(|end| joined(dir, &format!("{word}{end}")));
            found.extend(words.iter().flat_map(with));
        }
        if programs
            .iter()
            .any(|name| name.starts_with("python") || name.starts_with("pypy"))
        {
            let modules = words.iter().flat_map(|word| module(word));
            found.extend(modules.map(|path| joined(dir, &path)));
        }
    }
    for dir in upwards(&dirs, place.above) {
        let read = READ.iter().filter(|(names, _)| is_run(names));
        let read = read.flat_map(|(_, files)| files.iter());
        found.extend(read.map(|file| joined(&dir, file)));
        if is_run(&["cargo"]) && words.contains("xtask") {
            found.insert(joined(&dir, "xtask/src/main.rs"));
        }
    }
    found.remove("");
    found
}

/// A word, and what a shell, an option or a program may make of it.
fn pieces(word: &str) -> BTreeSet<String> {
    let is_between = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '\'' | '"'
                    | '`'
                    | ';'
                    | '&'
                    | '|'
                    | '('
                    | ')'
                    | '<'
                    | '>'
                    | '{'
                    | '}'
                    | '['
                    | ']'
                    | ','
                    | '='
                    | ':'
            )
    };
    let bare: String = word
        .chars()
        .filter(|c| !matches!(c, '\'' | '"' | '\\'))
        .collect();
    let mut all = BTreeSet::from([word.to_owned()]);
    for text in [word, bare.as_str()] {
        let parts = text.split(is_between).filter(|part| !part.is_empty());
        all.extend(parts.map(str::to_owned));
    }
    all
}

/// What a piece may be as a path: behind a sign or a short option, behind a variable, within the project's directory.
fn spellings(piece: &str, roots: &[&str]) -> BTreeSet<String> {
    let mut all = BTreeSet::from([piece.to_owned()]);
    if let Some(rest) = piece.strip_prefix('@') {
        all.insert(rest.to_owned());
    }
    let mut chars = piece.chars();
    if chars.next() == Some('-') && chars.next().is_some_and(|c| c != '-') {
        all.insert(chars.as_str().to_owned());
    }
    if piece.starts_with('$')
        && let Some((_, rest)) = piece.split_once('/')
    {
        all.insert(rest.to_owned());
    }
    for root in roots {
        let inside = piece.strip_prefix(root);
        all.extend(inside.map(|rest| rest.trim_start_matches('/').to_owned()));
    }
    all.remove("");
    all
}

/// The files of a Python module of this name, and of the packages that it lies in.
fn module(name: &str) -> Vec<String> {
    let is_name = |part: &str| {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        !part.is_empty() && part.chars().all(is_word)
    };
    let parts: Vec<&str> = name.split('.').collect();
    if !parts.iter().all(|part| is_name(part)) {
        return Vec::new();
    }
    let path = parts.join("/");
    let mut all = vec![format!("{path}.py"), format!("{path}/__main__.py")];
    all.extend((1..=parts.len()).map(|n| format!("{}/__init__.py", parts[..n].join("/"))));
    all
}

/// These directories and all above them, up to the repository's top: many programs look there too.
fn upwards(dirs: &[String], above: usize) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for dir in dirs {
        let mut at = dir.as_str();
        while !at.is_empty() {
            all.insert(at.to_owned());
            at = at.rsplit_once('/').map_or("", |(up, _)| up);
        }
    }
    all.extend((0..=above).map(|n| vec![".."; n].join("/")));
    all
}

/// A path from a directory, without `.`, and with `..` at the beginning alone.
fn joined(dir: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in dir.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(argv: &[&str]) -> BTreeSet<String> {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        candidates(
            &argv,
            Place {
                roots: &["/home/ana/shop"],
                above: 1,
                is_dir: &|path| matches!(path, "quality" | "quality/sub" | "src" | "../tools"),
            },
        )
    }

    #[test]
    fn a_script_is_found_in_every_spelling() {
        for argv in [
            &["sh", "quality/check.sh"][..],
            &["sh", "./quality//check.sh"],
            &["sh", "quality/../quality/check.sh"],
            &["sh", "quality/sub/../check.sh"],
            &["sh", "/home/ana/shop/quality/check.sh"],
            &["sh", "-c", "quality/check.sh"],
            &["sh", "-ec", "set -x; sh quality/check.sh --all"],
            &["sh", "-c", ". quality/check.sh && true"],
            &["sh", "-c", "source 'quality/check.sh'"],
            &["sh", "-c", "qual''ity/check\\.sh"],
            &["sh", "-c", "exec \"$PWD/quality/check.sh\""],
            &["sh", "-c", "exec ${ROOT}/quality/check.sh"],
            &["sh", "-c", "sh<quality/check.sh"],
            &["sh", "-c", "echo $(sh quality/check.sh)"],
            &["sh", "-c", "cd quality && sh check.sh"],
            &["sh", "-c", "cd quality; cd sub; sh ../check.sh"],
            &["env", "-C", "quality", "sh", "check.sh"],
            &["env", "-Cquality", "sh", "check.sh"],
            &["tool", "--file=quality/check.sh"],
            &["tool", "-fquality/check.sh"],
            &["tool", "@quality/check.sh"],
            &["tool", "a=1,b=quality/check.sh"],
        ] {
            assert!(of(argv).contains("quality/check.sh"), "{argv:?}");
        }
        assert!(!of(&["sh", "check.sh"]).contains("quality/check.sh"));
        assert!(of(&["sh", "../tools/check.sh"]).contains("../tools/check.sh"));
        assert!(of(&["sh", "-c", "cd ../tools && ./check.sh"]).contains("../tools/check.sh"));
    }

    #[test]
    fn programs_read_files_of_their_own() {
        for (argv, file) in [
            (&["make", "lint"][..], "Makefile"),
            (
                &["/usr/bin/make", "-C", "quality", "lint"],
                "quality/GNUmakefile",
            ),
            (&["sh", "-c", "make lint"], "makefile"),
            (&["timeout", "10", "just", "lint"], "justfile"),
            (&["npm", "run", "lint"], "package.json"),
            (
                &["npm", "--prefix=quality", "run", "lint"],
                "quality/package.json",
            ),
            (&["pnpm", "lint"], "../package.json"),
            (&["cargo", "xtask", "lint"], "xtask/src/main.rs"),
            (&["cargo", "lint"], ".cargo/config.toml"),
            (&["python3", "-m", "quality.check"], "quality/check.py"),
            (&["python3", "-mquality.check"], "quality/__init__.py"),
            (&["python3.12", "-m", "quality"], "quality/__main__.py"),
            (
                &["env", "PYTHONPATH=src", "python", "-m", "check"],
                "src/check.py",
            ),
            (
                &["python", "-c", "import quality.check"],
                "quality/check.py",
            ),
            (&["node", "quality/check"], "quality/check.js"),
            (&["node", "-e", "require('./quality')"], "quality/index.js"),
        ] {
            assert!(of(argv).contains(file), "{argv:?}: {:?}", of(argv));
        }
        let none = of(&["sh", "lint.sh"]);
        assert_eq!(none.iter().filter(|f| f.ends_with("akefile")).count(), 0);
        assert!(!of(&["pnpm", "lint"]).contains("../../package.json"));
    }

    #[test]
    fn very_many_words_are_bounded() {
        let argv: Vec<String> = (0..2_000).map(|n| format!("d{n}/x")).collect();
        let place = Place {
            roots: &[],
            above: 0,
            is_dir: &|_| true,
        };
        assert!(candidates(&argv, place).len() <= 2_000 * (DIRS + 1));
    }
}

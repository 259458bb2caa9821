//! Commands that are there, that are not, and of which nobody can tell.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;

#[derive(Debug)]
struct Files(BTreeMap<&'static str, &'static str>);

impl Tree for Files {
    fn is_file(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }
    fn is_program(&self, name: &str) -> bool {
        name == "cargo-nextest"
    }
    fn text(&self, path: &str) -> Option<String> {
        self.0.get(path).map(|text| (*text).to_owned())
    }
}

fn existing() -> Existing {
    let files = Files(BTreeMap::from([
        ("t.sh", ""),
        ("tools/x.py", ""),
        ("tools/x.mjs", ""),
        ("app/__main__.py", ""),
        ("src/pkg/mod.py", ""),
        (
            "package.json",
            r#"{"scripts":{"lint":"eslint .","test":"vitest","broken":1}}"#,
        ),
        ("Makefile", "all: build\nbuild:\n\tcc x.c\n"),
        ("sub/Makefile", "include ../rules.mk\nhere:\n\ttrue\n"),
        (
            ".cargo/config.toml",
            "[alias]\nxtask = \"run --package xtask --\"\nlint = [\"clippy\", \"-q\"]\nci = \"test --all\"\n",
        ),
    ]));
    Existing {
        artifacts: ["*/*/output.log".to_owned()].into(),
        tree: Some(Arc::new(files)),
        ..Existing::default()
    }
}

fn said(existing: &Existing, line: &str) -> String {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let all = command(&words, existing);
    let all = all.iter().map(|said| match said.level {
        Level::Error => format!("error: {}", said.text),
        Level::Warning => format!("warning: {}", said.text),
    });
    all.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_there_is_proved_what_is_not_is_an_error_and_the_rest_is_told() {
    let existing = existing();
    for (line, expected) in [
        // Scripts behind interpreters.
        ("python3 tools/x.py --fast", ""),
        ("python3 ./tools/x.py", ""),
        ("python3 -u -X dev tools/x.py", ""),
        ("python3 app", ""),
        (
            "python3.12 tools/nope.py",
            "error: there is no `tools/nope.py`",
        ),
        (
            "python3 -u tools/nope.py",
            "error: there is no `tools/nope.py`",
        ),
        ("node --import ./hook.mjs tools/x.mjs", ""),
        ("node tools/x", ""),
        ("node tools/y.mjs", "error: there is no `tools/y.mjs`"),
        (
            "node --test tools/x.mjs tools/z.mjs",
            "error: there is no `tools/z.mjs`",
        ),
        ("node --test", "warning: which tests"),
        ("bash -euo pipefail t.sh", ""),
        ("sh t.sh", ""),
        ("bash u.sh", "error: there is no `u.sh`"),
        ("ruby tools/x.rb", "error: there is no `tools/x.rb`"),
        (
            "bash -ec ls",
            "warning: what `bash -ec` runs cannot be checked",
        ),
        ("sh -c ls", "warning: what `sh -c` runs"),
        ("python3 -c pass", "warning: what `python3 -c` runs"),
        ("node", "warning: what `node` runs"),
        ("python3 {test}", "warning: that there is a `{test}`"),
        ("python3 /opt/x.py", "warning: that there is a `/opt/x.py`"),
        ("python3 ../x.py", "warning: that there is a `../x.py`"),
        // Modules.
        ("python3 -m app", ""),
        ("python3 -m pkg.mod", ""),
        (
            "python3 -m nosuchmodule",
            "warning: that `python3` has a module `nosuchmodule` cannot be checked",
        ),
        ("python3 -m ../app", "warning: that `python3` has a module"),
        // Scripts of a package.
        ("npm run lint", ""),
        ("npm -s run lint", ""),
        ("npm test", ""),
        ("npm ci", ""),
        ("yarn lint", ""),
        ("npm run lin", "error: `package.json` has no script `lin`"),
        (
            "npm run broken",
            "error: `package.json` has no script `broken`",
        ),
        ("npm start", "error: `package.json` has no script `start`"),
        ("npm run", "error: `npm run` names no script"),
        ("bun run nope", "error: `package.json` has no script `nope`"),
        ("yarn eslint", "warning: what `yarn eslint` runs"),
        ("npm run --prefix web lint", "warning: what"),
        ("npm --prefix web run lint", "warning: what"),
        ("npx vitest", "warning: what `npx` runs"),
        // Targets.
        ("make", ""),
        ("make -j4 CC=clang build", ""),
        ("make biuld", "error: `Makefile` has no target `biuld`"),
        ("make -C sub here", ""),
        (
            "make -C sub there",
            "warning: whether `sub/Makefile` has a target `there`",
        ),
        ("make -C nope all", "error: there is no `nope/Makefile`"),
        ("make -f other.mk all", "error: there is no `other.mk`"),
        ("make {target}", "warning: that `Makefile` has a target"),
        // Cargo.
        ("cargo test -q", ""),
        ("cargo +nightly --color never test", ""),
        ("cargo nextest run", ""),
        ("cargo lint --workspace", ""),
        ("cargo lint", ""),
        ("cargo nosuch", "error: cargo has no command `nosuch`"),
        (
            "cargo xtask nosuch",
            "warning: what `cargo xtask` does with `nosuch` cannot be checked",
        ),
        (
            "cargo run -p nosuch",
            "warning: that `cargo run` finds `-p nosuch`",
        ),
        (
            "cargo test --test=nosuch",
            "warning: that `cargo test` finds `--test nosuch`",
        ),
        ("cargo test -- --test x", ""),
        // Others.
        ("pytest tools/x.py::test_a", ""),
        ("pytest tests/x.py", "warning: that there is a `tests/x.py`"),
        ("timeout 5 ls", "warning: what `timeout` runs"),
        ("ls", ""),
    ] {
        let text = said(&existing, line);
        match expected {
            "" => assert_eq!(text, "", "{line}"),
            part => assert!(text.starts_with(part), "{line}: {text}"),
        }
    }
}

#[test]
fn without_a_tree_nothing_is_there() {
    for line in [
        "python3 tools/x.py",
        "npm run lint",
        "make all",
        "cargo nextest",
        "sh t.sh",
    ] {
        let text = said(&Existing::default(), line);
        assert!(text.starts_with("error: "), "{line}: {text}");
    }
}

#[test]
fn a_broken_file_proves_nothing() {
    let files = Files(BTreeMap::from([
        ("package.json", "{"),
        (".cargo/config.toml", "[alias"),
        ("Makefile", "# nothing\n"),
    ]));
    let existing = Existing {
        tree: Some(Arc::new(files)),
        ..Existing::default()
    };
    for (line, part) in [
        ("npm run lint", "`package.json` cannot be read"),
        ("cargo xtask", "`.cargo/config.toml` cannot be read"),
        ("make", "`Makefile` has no target"),
    ] {
        let text = said(&existing, line);
        assert!(text.starts_with("error: ") && text.contains(part), "{text}");
    }
}

#[test]
fn texts_name_commands_between_backticks_and_scripts_anywhere() {
    let text = "Run `gonogo suite replay {run}`, then ./tools/a.sh or (web/b.mjs). See `output.log`, `--fix`, \
        `CI=1 make 'a b' > out.txt && cargo test; ls -l`, and https://h/x.py; this/that.";
    let (commands, paths) = named(text);
    let commands: Vec<String> = commands.iter().map(|w| w.join("·")).collect();
    assert_eq!(
        commands,
        [
            "gonogo·suite·replay·{run}",
            "make·a b",
            "cargo·test",
            "ls·-l"
        ]
    );
    assert_eq!(paths, ["./tools/a.sh", "web/b.mjs", "output.log", "--fix"]);
}

#[test]
fn paths_in_texts() {
    let existing = existing();
    for (word, expected) in [
        ("t.sh", None),
        ("tools/x.py:12", None),
        ("{class}/{target}/output.log", None),
        ("unit/core/output.log", None),
        ("--fix", None),
        ("token", None),
        ("tools/nope.sh", Some(Level::Error)),
        ("./nope", Some(Level::Error)),
        ("nope.sh", Some(Level::Warning)),
        ("origin/main", Some(Level::Warning)),
        ("/etc/hosts", Some(Level::Warning)),
        ("{target}/x.sh", Some(Level::Warning)),
    ] {
        let found = path(word, &existing).map(|said| said.level);
        assert_eq!(found, expected, "{word}");
    }
}

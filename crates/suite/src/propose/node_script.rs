//! What a script of `package.json` runs: a runner whose report can be had, the same script of the workspaces below, or something else.
//!
//! A line of a shell with operators is not taken apart: what stands before a runner may be needed by it.

use crate::replay::unquoted;

/// Runners whose reports can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runner {
    Jest,
    Vitest,
    Mocha,
    /// `node --test`.
    Node,
}

impl Runner {
    pub(super) const ALL: [Self; 4] = [Self::Jest, Self::Vitest, Self::Mocha, Self::Node];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Jest => "jest",
            Self::Vitest => "vitest",
            Self::Mocha => "mocha",
            Self::Node => "node-test",
        }
    }
}

/// A call of a runner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Call {
    /// Variables before it.
    pub env: Vec<(String, String)>,
    /// Its words behind its name; of node, those behind `node`.
    pub args: Vec<String>,
}

impl Call {
    /// Whether it says itself what is looked at: what is below it may be run elsewhere.
    pub(super) fn is_narrowed(&self) -> bool {
        let flags = [
            "--config",
            "-c",
            "--dir",
            "--root",
            "-r",
            "--rootDir",
            "--roots",
            "--project",
            "--projects",
            "--spec",
        ];
        self.args.iter().any(|word| {
            let name = word.split('=').next().unwrap_or(word);
            !(word.starts_with('-') || matches!(name, "run" | "watch" | "dev"))
                || flags.contains(&name)
        })
    }
}

/// The call of this runner that a line is, if it is one and nothing else.
pub(super) fn call(line: &str, runner: Runner) -> Option<Call> {
    if line.contains([
        '|', '&', ';', '<', '>', '$', '`', '(', '\n', '*', '?', '{', '[',
    ]) {
        return None;
    }
    let words = unquoted(line)?;
    let mut words = words.as_slice();
    if let Some(("cross-env" | "env", rest)) = words.split_first().map(|(w, r)| (w.as_str(), r)) {
        words = rest;
    }
    let mut call = Call::default();
    while let Some((name, value)) = words.first().and_then(|word| word.split_once('=')) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        call.env.push((name.to_owned(), value.to_owned()));
        words = &words[1..];
    }
    let (program, args) = words.split_first()?;
    let is_it = match runner {
        Runner::Node => program == "node" && args.iter().any(|word| word == "--test"),
        Runner::Mocha => matches!(program.as_str(), "mocha" | "_mocha"),
        runner => program == runner.word(),
    };
    if !is_it {
        return None;
    }
    call.args = args.to_vec();
    Some(call)
}

/// Whether a line runs a script of this name in the workspaces below.
pub(super) fn hands_on(line: &str, script: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let has = |word: &str| words.contains(&word);
    let names = has(script) || (script == "test" && (has("t") || has("tst")));
    let all = [
        "--workspaces",
        "-ws",
        "--ws",
        "-r",
        "--recursive",
        "workspaces",
        "run-many",
        "lerna",
        "turbo",
    ];
    names && all.iter().any(|word| has(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_all_that_its_line_is() {
        for (line, runner, expected) in [
            ("vitest", Runner::Vitest, Some("")),
            (
                "jest --config 'a b.js'",
                Runner::Jest,
                Some("--config a b.js"),
            ),
            ("NODE_ENV=test mocha test/**.js", Runner::Mocha, None),
            ("NODE_ENV=test mocha --exit", Runner::Mocha, Some("--exit")),
            (
                "cross-env TZ=UTC node --test test/",
                Runner::Node,
                Some("--test test/"),
            ),
            ("node test.js", Runner::Node, None),
            ("tsc && vitest", Runner::Vitest, None),
            ("echo vitest", Runner::Vitest, None),
        ] {
            let found = call(line, runner).map(|call| call.args.join(" "));
            assert_eq!(found.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn lines_that_run_the_workspaces_are_known() {
        for line in [
            "npm test --workspaces",
            "npm run test -ws",
            "pnpm -r test",
            "yarn workspaces foreach -A run test",
            "lerna run test",
            "turbo run test",
            "nx run-many -t test",
        ] {
            assert!(hands_on(line, "test"), "{line}");
        }
        for line in [
            "vitest",
            "npm run lint --workspaces",
            "pnpm test",
            "node --test -r ./setup.js",
        ] {
            assert!(!hands_on(line, "test"), "{line}");
        }
    }
}

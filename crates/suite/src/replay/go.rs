//! `go test`, by itself and under gotestsum.
//!
//! A test is selected by one regular expression for each part of its name, parted by `/` as the name is. A name of Go holds no space
//! (they are written as `_`), and the pattern is rewritten in the same way.

use super::plan::{Choice, Context, Found};
use super::runner::Known;
use super::words::{self, Grammar};
use super::{Sign, is_ours, quote};
use crate::run::Row;

const GRAMMAR: Grammar = Grammar {
    valued: &[
        "-asmflags",
        "-bench",
        "-benchtime",
        "-blockprofile",
        "-blockprofilerate",
        "-buildmode",
        "-C",
        "-compiler",
        "-count",
        "-coverpkg",
        "-covermode",
        "-coverprofile",
        "-cpu",
        "-cpuprofile",
        "-exec",
        "-fuzz",
        "-fuzzminimizetime",
        "-fuzztime",
        "-gccgoflags",
        "-gcflags",
        "-installsuffix",
        "-ldflags",
        "-list",
        "-memprofile",
        "-memprofilerate",
        "-mod",
        "-modfile",
        "-mutexprofile",
        "-mutexprofilefraction",
        "-o",
        "-outputdir",
        "-overlay",
        "-p",
        "-parallel",
        "-pgo",
        "-pkgdir",
        "-run",
        "-shuffle",
        "-skip",
        "-tags",
        "-test.*",
        "-timeout",
        "-toolexec",
        "-trace",
        "-vet",
    ],
    bare: &[
        "-a",
        "-asan",
        "-benchmem",
        "-c",
        "-cover",
        "-failfast",
        "-fullpath",
        "-json",
        "-linkshared",
        "-modcacherw",
        "-msan",
        "-n",
        "-race",
        "-short",
        "-trimpath",
        "-v",
        "-work",
        "-x",
        "-i",
    ],
    dropped: &[
        "-bench",
        "-benchtime",
        "-benchmem",
        "-blockprofile",
        "-count",
        "-cover",
        "-covermode",
        "-coverpkg",
        "-coverprofile",
        "-cpuprofile",
        "-failfast",
        "-fuzz",
        "-fuzzminimizetime",
        "-fuzztime",
        "-list",
        "-memprofile",
        "-mutexprofile",
        "-n",
        "-o",
        "-outputdir",
        "-run",
        "-skip",
        "-shuffle",
        "-trace",
        "-v",
        "-x",
        "-c",
        "-test.run",
        "-test.skip",
        "-test.count",
    ],
    single_dash: true,
};

/// gotestsum's own flags; its words behind `--` are those of `go test`.
const GOTESTSUM: Grammar = Grammar {
    valued: &[
        "--format",
        "-f",
        "--format-hide-empty-pkg",
        "--jsonfile",
        "--jsonfile-timing-events",
        "--junitfile",
        "--junitfile-project-name",
        "--junitfile-testcase-classname",
        "--junitfile-testsuite-name",
        "--max-fails",
        "--packages",
        "--post-run-command",
        "--rerun-fails-max-failures",
        "--rerun-fails-report",
        "--hide-summary",
        "--format-icons",
    ],
    bare: &[
        "--debug",
        "--ignore-non-json-output-lines",
        "--no-color",
        "--raw-command",
        "--rerun-fails",
        "--watch",
        "--watch-chdir",
    ],
    dropped: &[
        "--max-fails",
        "--packages",
        "--post-run-command",
        "--rerun-fails*",
        "--watch",
        "--watch-chdir",
        "--jsonfile*",
    ],
    single_dash: false,
};

pub(super) fn test(context: &Context<'_>, known: &Known, row: &Row) -> Found {
    select(context, &known.prefix, &known.args, row)
}

pub(super) fn gotestsum(context: &Context<'_>, known: &Known, row: &Row) -> Found {
    if known.args.iter().any(|w| w == "--raw-command") {
        return Found::none("gotestsum runs a command of its own here");
    }
    let split = words::split(&known.args, &GOTESTSUM, &|_| true);
    let mut prefix = known.prefix.clone();
    prefix.extend(split.kept);
    prefix.push("--".to_owned());
    select(context, &prefix, &split.rest.unwrap_or_default(), row)
}

fn select(context: &Context<'_>, prefix: &[String], args: &[String], row: &Row) -> Found {
    // What stands behind `-args` is the test binary's.
    let own = args
        .iter()
        .position(|w| w == "-args" || w == "--args")
        .unwrap_or(args.len());
    let split = words::split(&args[..own], &GRAMMAR, &|_| true);
    let seeded = split.values(&["-shuffle"]).any(|order| order != "off");
    let package = package(&row.test.suite).or_else(|| package(&row.test.class));
    let Some(package) = package else {
        return Found::none("the report names no package of Go");
    };
    let argv = |selected: &[String]| {
        let mut argv = prefix.to_vec();
        argv.extend(split.kept.iter().cloned());
        // A result of the cache would be no run.
        argv.push("-count=1".to_owned());
        if let Some(seed) = context.origin.seed.filter(|_| seeded) {
            argv.push(format!("-shuffle={seed}"));
        }
        argv.extend(selected.iter().cloned());
        argv.push(package.to_owned());
        argv.extend(args[own..].iter().cloned());
        argv
    };
    let name = &row.test.name;
    let pattern = pattern(name);
    let selected = if name.starts_with("Benchmark") {
        let tail = if split.had(&["-benchmem"]) {
            vec!["-benchmem".to_owned()]
        } else {
            Vec::new()
        };
        [
            vec!["-run=^$".to_owned(), format!("-bench={pattern}")],
            tail,
        ]
        .concat()
    } else {
        vec![format!("-run={pattern}")]
    };
    let is_go = ["Test", "Benchmark", "Example", "Fuzz"]
        .iter()
        .any(|start| name.starts_with(start));
    let test = if is_go && !is_ours(name) && name != "TestMain" {
        Ok(Choice {
            argv: argv(&selected),
            why: format!(
                "each part of the name is matched whole, in the package `{package}` alone"
            ),
        })
    } else {
        Err(format!("`{name}` is no test that `-run` can select"))
    };
    Found {
        test,
        suite: Ok(Choice {
            argv: argv(&[]),
            why: format!("the package `{package}`"),
        }),
        signs: vec![
            Sign::Says("no tests to run".to_owned()),
            Sign::Says("no test files".to_owned()),
            Sign::Says("matched no packages".to_owned()),
        ],
    }
}

/// One expression a part.
fn pattern(name: &str) -> String {
    let parts: Vec<String> = name
        .split('/')
        .map(|part| format!("^{}$", quote::regex(part)))
        .collect();
    parts.join("/")
}

/// An import path: no space, and nothing that `go` takes for a flag, a pattern or a file.
fn package(suite: &str) -> Option<&str> {
    let odd =
        |c: char| c.is_whitespace() || c.is_control() || "\"'`*?[]{}|<>@=:,;!$&()\\".contains(c);
    let is = !suite.is_empty()
        && !suite.starts_with(['-', '/', '.'])
        && !suite.contains(odd)
        && !suite.contains("...")
        && !suite.ends_with(".go");
    // A package whose tests are its own is listed as `p [p.test]` by some tools.
    is.then_some(suite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_part_by_part() {
        assert_eq!(pattern("TestX"), "^TestX$");
        assert_eq!(pattern("TestX/a_b/c.d#01"), r"^TestX$/^a_b$/^c\.d#01$");
        assert_eq!(pattern("TestX//[a]|b"), r"^TestX$/^$/^\[a\]\|b$");
        for (suite, is) in [
            ("example.com/m", true),
            ("m", true),
            ("./m", false),
            ("-m", false),
            ("a b", false),
            ("m/...", false),
        ] {
            assert_eq!(package(suite).is_some(), is, "{suite}");
        }
    }
}

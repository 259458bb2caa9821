//! bats and Perl's prove: both write TAP.

use super::plan::{Choice, Context, Found};
use super::runner::Known;
use super::words::{self, Grammar};
use super::{is_ours, quote};
use crate::run::Row;

const BATS: Grammar = Grammar {
    valued: &[
        "-f",
        "--filter",
        "--filter-tags",
        "--filter-status",
        "-F",
        "--formatter",
        "-j",
        "--jobs",
        "-o",
        "--output",
        "--report-formatter",
        "--gather-test-outputs-in",
        "--line-reference-format",
        "--code-quote-style",
        "--parallel-binary-name",
        "--negative-filter",
    ],
    bare: &[
        "-c",
        "--count",
        "-p",
        "--pretty",
        "-t",
        "--tap",
        "-T",
        "--timing",
        "-r",
        "--recursive",
        "--no-tempdir-cleanup",
        "--no-parallelize-across-files",
        "--no-parallelize-within-files",
        "--print-output-on-failure",
        "--show-output-of-passing-tests",
        "--trace",
        "-x",
        "--verbose-run",
        "--abort",
    ],
    dropped: &[
        "-f",
        "--filter",
        "--filter-tags",
        "--filter-status",
        "--negative-filter",
        "-c",
        "--count",
        "-j",
        "--jobs",
        "--abort",
        "--gather-test-outputs-in",
    ],
    single_dash: false,
};

pub(super) fn bats(context: &Context<'_>, known: &Known, row: &Row) -> Found {
    let split = words::split(&known.args, &BATS, &|word| context.is_file(word));
    let name = &row.test.name;
    let file = row
        .file
        .as_deref()
        .or(Some(&row.test.suite))
        .and_then(|file| context.known_file(file));
    let argv = |selected: &[String]| {
        let mut argv = known.prefix.clone();
        argv.extend(split.kept.iter().cloned());
        argv.extend(selected.iter().cloned());
        match &file {
            Some(file) => argv.push(context.here(file)),
            None => argv.extend(split.operands.iter().cloned()),
        }
        argv
    };
    // The reader tells names apart that come again by `(2)`; bats has no such name.
    let test = if is_ours(name) || name.starts_with('#') {
        Err(format!("`{name}` has no name of its own in the report"))
    } else {
        Ok(Choice {
            argv: argv(&["--filter".to_owned(), format!("^{}$", quote::regex(name))]),
            why: "the whole name is matched".to_owned(),
        })
    };
    let suite = match &file {
        Some(file) => Ok(Choice {
            argv: argv(&[]),
            why: format!("the file `{file}`"),
        }),
        None => Err("the report names no file".to_owned()),
    };
    Found {
        test,
        suite,
        signs: Vec::new(),
    }
}

const PROVE: Grammar = Grammar {
    valued: &[
        "-I",
        "-P",
        "-M",
        "-e",
        "--exec",
        "--ext",
        "--harness",
        "--formatter",
        "--source",
        "-a",
        "--archive",
        "-j",
        "--jobs",
        "--state",
        "--rc",
    ],
    bare: &[
        "-v",
        "--verbose",
        "-l",
        "--lib",
        "-b",
        "--blib",
        "-s",
        "--shuffle",
        "-c",
        "--color",
        "--nocolor",
        "--count",
        "--nocount",
        "-D",
        "--dry",
        "-f",
        "--failures",
        "-o",
        "--comments",
        "--ignore-exit",
        "-m",
        "--merge",
        "-r",
        "--recurse",
        "--reverse",
        "-q",
        "--quiet",
        "-Q",
        "--QUIET",
        "-p",
        "--parse",
        "--directives",
        "--timer",
        "--trap",
        "--normalize",
        "-T",
        "-t",
        "-W",
        "-w",
        "--norc",
    ],
    dropped: &[
        "-j",
        "--jobs",
        "--state",
        "-s",
        "--shuffle",
        "-D",
        "--dry",
        "-q",
        "--quiet",
        "-Q",
        "--QUIET",
        "--reverse",
        "-a",
        "--archive",
        "--ignore-exit",
    ],
    single_dash: false,
};

pub(super) fn prove(context: &Context<'_>, known: &Known, row: &Row) -> Found {
    let split = words::split(&known.args, &PROVE, &|word| context.is_file(word));
    let Some(file) = context.known_file(&row.test.suite) else {
        return Found::none(
            "a point of TAP cannot be selected, and the report names no file that is there",
        );
    };
    let mut argv = known.prefix.clone();
    argv.extend(split.kept);
    argv.push(context.here(&file));
    if let Some(rest) = split.rest {
        argv.push("--".to_owned());
        argv.extend(rest);
    }
    Found {
        test: Err("a point of TAP cannot be selected".to_owned()),
        suite: Ok(Choice {
            argv,
            why: format!("the file `{file}`"),
        }),
        signs: Vec::new(),
    }
}

//! pytest and unittest.
//!
//! pytest's own log gives node ids; its JUnit report gives a module's name with points, which is a file only if exactly one file of the
//! tree has it. Node ids are relative to pytest's root and not to where it runs.

use super::plan::{Choice, Context, Found};
use super::runner::Known;
use super::words::{self, Grammar};
use super::{Sign, is_ours};
use crate::propose::join;
use crate::run::Row;

const GRAMMAR: Grammar = Grammar {
    valued: &[
        "-k",
        "-m",
        "-c",
        "--config-file",
        "-o",
        "--override-ini",
        "-p",
        "-r",
        "-W",
        "--pythonwarnings",
        "-n",
        "--numprocesses",
        "--dist",
        "--tx",
        "--maxprocesses",
        "--maxfail",
        "--tb",
        "--capture",
        "--color",
        "--code-highlight",
        "--rootdir",
        "--confcutdir",
        "--basetemp",
        "--junitxml",
        "--junit-xml",
        "--junitprefix",
        "--junit-prefix",
        "--report-log",
        "--import-mode",
        "--ignore",
        "--ignore-glob",
        "--deselect",
        "--durations",
        "--durations-min",
        "--log-level",
        "--log-format",
        "--log-file",
        "--log-cli-level",
        "--doctest-glob",
        "--doctest-report",
        "--pastebin",
        "--timeout",
        "--timeout-method",
        "--session-timeout",
        "--reruns",
        "--reruns-delay",
        "--only-rerun",
        "--rerun-except",
        "--splits",
        "--group",
        "--splitting-algorithm",
        "--durations-path",
        "--shard-id",
        "--num-shards",
        "--count",
        "--randomly-seed",
        "--random-order-seed",
        "--random-order-bucket",
        "--ds",
        "--html",
        "--json-report-file",
        "--ctrf",
        "--max-worker-restart",
        "--cov",
        "--cov-report",
        "--cov-config",
        "--cov-fail-under",
        "--cov-context",
        "--lfnf",
        "--last-failed-no-failures",
        "--verbosity",
        "--hypothesis-seed",
        "--hypothesis-profile",
        "--asyncio-mode",
        "--test-group",
        "--test-group-count",
        "--stepwise-skip",
    ],
    bare: &[
        "-x",
        "--exitfirst",
        "-q",
        "--quiet",
        "-v",
        "--verbose",
        "-s",
        "-l",
        "--showlocals",
        "--no-showlocals",
        "--lf",
        "--last-failed",
        "--ff",
        "--failed-first",
        "--nf",
        "--new-first",
        "--sw",
        "--stepwise",
        "--sw-skip",
        "--sw-reset",
        "--cache-clear",
        "--co",
        "--collect-only",
        "--strict",
        "--strict-markers",
        "--strict-config",
        "--no-header",
        "--no-summary",
        "--full-trace",
        "--doctest-modules",
        "--pyargs",
        "--runxfail",
        "--disable-warnings",
        "--no-cov",
        "--setup-show",
        "--continue-on-collection-errors",
        "--noconftest",
        "--keep-duplicates",
        "--doctest-continue-on-failure",
        "--reuse-db",
        "--create-db",
        "--nomigrations",
        "--random-order",
        "--debug",
        "--trace",
        "--pdb",
    ],
    dropped: &[
        "-k",
        "-m",
        "-x",
        "--exitfirst",
        "--maxfail",
        "-q",
        "--quiet",
        "--lf",
        "--last-failed",
        "--ff",
        "--failed-first",
        "--nf",
        "--new-first",
        "--sw",
        "--sw-skip",
        "--sw-reset",
        "--stepwise",
        "--stepwise-skip",
        "--co",
        "--collect-only",
        "--lfnf",
        "--last-failed-no-failures",
        "-n",
        "--numprocesses",
        "--dist",
        "--tx",
        "--maxprocesses",
        "--max-worker-restart",
        "--deselect",
        "--ignore",
        "--ignore-glob",
        "--reruns",
        "--reruns-delay",
        "--only-rerun",
        "--rerun-except",
        "--splits",
        "--group",
        "--splitting-algorithm",
        "--durations-path",
        "--shard-id",
        "--num-shards",
        "--test-group",
        "--test-group-count",
        "--cov*",
        "--basetemp",
        "--pastebin",
        "--durations",
        "--durations-min",
        "--randomly-seed",
        "--random-order-seed",
        "--pyargs",
        "--pdb",
        "--trace",
    ],
    single_dash: false,
};

pub(super) fn pytest(context: &Context<'_>, known: &Known, row: &Row) -> Found {
    let split = words::split(&known.args, &GRAMMAR, &|word| {
        word.contains("::") || context.is_file(word)
    });
    let argv = |selected: String| {
        let mut argv = known.prefix.clone();
        argv.extend(split.kept.iter().cloned());
        if let Some(seed) = context.origin.seed {
            for name in ["--randomly-seed", "--random-order-seed"] {
                if split.had(&[name]) {
                    argv.push(format!("{name}={seed}"));
                }
            }
        }
        // A file whose name begins with a dash would be a flag.
        argv.push(if selected.starts_with('-') {
            format!("./{selected}")
        } else {
            selected
        });
        argv
    };
    let signs = vec![Sign::Exit(5), Sign::Says("no tests ran".to_owned())];
    if split.had(&["--pyargs"]) {
        return Found {
            signs,
            ..Found::none("packages and no files are selected (`--pyargs`)")
        };
    }
    let (file, group) = match place(context, row) {
        Ok(place) => place,
        Err(why) => {
            return Found {
                signs,
                ..Found::none(&why)
            };
        }
    };
    let here = context.here(&file);
    let whole_file = Ok(Choice {
        argv: argv(here.clone()),
        why: format!("the file `{file}`"),
    });
    let name = &row.test.name;
    // pytest parts an argument at the first bracket, and before it at `::`.
    let odd_file = here.contains(['[', ']']) || here.contains("::");
    let test = match group {
        Some(_) if name == "(collection)" => Err(format!(
            "`{file}` could not be collected, and no test of it is known"
        )),
        None => Err(format!(
            "`{file}` could not be collected, and no test of it is known"
        )),
        Some(_) if odd_file => Err(format!(
            "pytest reads the brackets of `{file}` as parameters"
        )),
        Some(_) if is_ours(name) => Err(format!("`{name}` is no test that can be selected")),
        Some(group) => Ok(Choice {
            argv: argv(
                [&[here][..], &group, std::slice::from_ref(name)]
                    .concat()
                    .join("::"),
            ),
            why: "the node id names it".to_owned(),
        }),
    };
    Found {
        test,
        suite: whole_file,
        signs,
    }
}

/// The file of a test, and the classes around it; no classes at all where the file itself is what failed.
fn place(context: &Context<'_>, row: &Row) -> Result<(String, Option<Vec<String>>), String> {
    let test = &row.test;
    let classes = |class: &str, by: &str| -> Vec<String> {
        class
            .split(by)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    };
    // The log: `dir/test_a.py`, `TestA::TestB`, `test[x]`.
    if test.suite.contains(".py")
        || (test.suite.contains('/') && context.known_file(&test.suite).is_some())
    {
        let file = context
            .known_file(&test.suite)
            .ok_or_else(|| format!("the file `{}` is not there", test.suite))?;
        return Ok((file, Some(classes(&test.class, "::"))));
    }
    if test.suite.is_empty() && test.class.is_empty() {
        if let Some(file) = context.known_file(&test.name) {
            return Ok((file, None));
        }
        return dotted(context, &test.name).and_then(|(file, rest)| match rest.is_empty() {
            true => Ok((file, None)),
            false => Err(format!("`{}` names no file", test.name)),
        });
    }
    // JUnit: the module with points, and the classes behind it.
    if let Some(file) = row
        .file
        .as_deref()
        .and_then(|file| context.known_file(file))
    {
        let module = file.trim_end_matches(".py").replace('/', ".");
        let class = test.class.as_str();
        // The root may be above or below the target's directory.
        let mut end = module.as_str();
        loop {
            if let Some(rest) = class
                .strip_prefix(end)
                .filter(|rest| rest.is_empty() || rest.starts_with('.'))
            {
                return Ok((file, Some(classes(rest, "."))));
            }
            match end.split_once('.') {
                Some((_, shorter)) => end = shorter,
                None => break,
            }
        }
    }
    if test.class.is_empty() {
        return dotted(context, &test.name).map(|(file, _)| (file, None));
    }
    let (file, rest) = dotted(context, &test.class)?;
    Ok((file, Some(classes(&rest, "."))))
}

/// The one file that a name with points can mean, and what is left of the name.
fn dotted(context: &Context<'_>, name: &str) -> Result<(String, String), String> {
    let mut dir = context.dir.as_str();
    loop {
        let mut found = Vec::new();
        let mut looks = 2000;
        walk(context, dir, name, &mut found, &mut looks);
        match found.as_slice() {
            [] if dir.is_empty() => {
                return Err(format!("no file of the tree is the module of `{name}`"));
            }
            [] => dir = dir.rsplit_once('/').map_or("", |(above, _)| above),
            [(file, rest)] if looks > 0 => return Ok((file.clone(), rest.clone())),
            _ => {
                return Err(format!(
                    "several files of the tree may be the module of `{name}`"
                ));
            }
        }
    }
}

fn walk(
    context: &Context<'_>,
    dir: &str,
    name: &str,
    found: &mut Vec<(String, String)>,
    looks: &mut u32,
) {
    if *looks == 0 || found.len() > 4 {
        return;
    }
    *looks -= 1;
    for entry in context.files.list(dir) {
        let Some(path) = join(dir, &entry) else {
            continue;
        };
        if let Some(stem) = entry.strip_suffix(".py") {
            if let Some(rest) = name
                .strip_prefix(stem)
                .filter(|rest| rest.is_empty() || rest.starts_with('.'))
            {
                found.push((path, rest.trim_start_matches('.').to_owned()));
            }
        } else if let Some(rest) = name
            .strip_prefix(&entry)
            .and_then(|rest| rest.strip_prefix('.'))
        {
            walk(context, &path, rest, found, looks);
        }
    }
}

pub(super) fn unittest(known: &Known, row: &Row) -> Found {
    // What is found by looking is selected by name instead; where it was looked for decides what names mean.
    if known.args.iter().any(|w| {
        matches!(
            w.as_str(),
            "-s" | "--start-directory" | "-t" | "--top-level-directory"
        )
    }) {
        return Found::none(
            "tests are looked for from another directory, and their names hang on it",
        );
    }
    let grammar = Grammar {
        valued: &[
            "-k",
            "-o",
            "--output",
            "--output-file",
            "--outsuffix",
            "-p",
            "--pattern",
            "--durations",
        ],
        bare: &[
            "-v",
            "--verbose",
            "-q",
            "--quiet",
            "-f",
            "--failfast",
            "-c",
            "--catch",
            "-b",
            "--buffer",
            "--locals",
        ],
        dropped: &["-k", "-f", "--failfast", "-q", "--quiet", "-p", "--pattern"],
        single_dash: false,
    };
    let split = words::split(&known.args, &grammar, &|_| true);
    let argv = |selected: String| {
        let mut argv = known.prefix.clone();
        argv.extend(split.kept.iter().cloned());
        argv.push(selected);
        argv
    };
    let is_name = |text: &str| {
        let is_word =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
        text.split('.').all(is_word)
    };
    let class = row.test.class.as_str();
    let signs = vec![
        Sign::Exit(5),
        Sign::Says("Ran 0 tests".to_owned()),
        Sign::Says("NO TESTS RAN".to_owned()),
    ];
    if !is_name(class) || class.starts_with("unittest.") {
        return Found {
            signs,
            ..Found::none("the report names no class of Python")
        };
    }
    let test = match is_name(&row.test.name) && !row.test.name.contains('.') {
        true => Ok(Choice {
            argv: argv(format!("{class}.{}", row.test.name)),
            why: "module, class and method name it".to_owned(),
        }),
        false => Err(format!("`{}` is no method's name", row.test.name)),
    };
    Found {
        test,
        suite: Ok(Choice {
            argv: argv(class.to_owned()),
            why: format!("the class `{class}`"),
        }),
        signs,
    }
}

//! Jest and Vitest: the file by its path, the test by a regular expression over its full name.
//!
//! Both end with 0 if the expression matches nothing, so their report alone shows whether a test ran. Jest compares without regard to
//! case; what else ran beside the test is told by the comparison.

use super::plan::{Choice, Context, Found};
use super::runner::{Known, Runner};
use super::words::{self, Grammar};
use super::{Sign, is_ours, quote};
use crate::id::PICTURES;
use crate::run::Row;

const JEST: Grammar = Grammar {
    valued: &[
        "-c",
        "--config",
        "--collectCoverageFrom",
        "--coverageDirectory",
        "--coverageProvider",
        "--coverageReporters",
        "--coverageThreshold",
        "--changedSince",
        "--env",
        "--filter",
        "--globals",
        "--globalSetup",
        "--globalTeardown",
        "--maxConcurrency",
        "-w",
        "--maxWorkers",
        "--moduleNameMapper",
        "--outputFile",
        "--preset",
        "--projects",
        "--reporters",
        "--rootDir",
        "--roots",
        "--seed",
        "--selectProjects",
        "--ignoreProjects",
        "--setupFiles",
        "--setupFilesAfterEnv",
        "--shard",
        "-t",
        "--testNamePattern",
        "--testEnvironment",
        "--testMatch",
        "--testPathPattern",
        "--testPathPatterns",
        "--testPathIgnorePatterns",
        "--testRegex",
        "--testResultsProcessor",
        "--testRunner",
        "--testSequencer",
        "--testTimeout",
        "--transform",
        "--workerIdleMemoryLimit",
        "--cacheDirectory",
    ],
    bare: &[
        "-b",
        "--bail",
        "--cache",
        "--no-cache",
        "--ci",
        "--clearCache",
        "--clearMocks",
        "--color",
        "--colors",
        "--coverage",
        "--collectCoverage",
        "--debug",
        "--detectLeaks",
        "--detectOpenHandles",
        "--errorOnDeprecated",
        "-e",
        "--expand",
        "--findRelatedTests",
        "--forceExit",
        "--injectGlobals",
        "--json",
        "--lastCommit",
        "--listTests",
        "--logHeapUsage",
        "--noStackTrace",
        "--notify",
        "-o",
        "--onlyChanged",
        "-f",
        "--onlyFailures",
        "--openHandlesTimeout",
        "--passWithNoTests",
        "--randomize",
        "--resetMocks",
        "--resetModules",
        "--restoreMocks",
        "-i",
        "--runInBand",
        "--runTestsByPath",
        "--showConfig",
        "--showSeed",
        "--silent",
        "-u",
        "--updateSnapshot",
        "--useStderr",
        "--verbose",
        "--watch",
        "--watchAll",
        "--waitForUnhandledRejections",
    ],
    dropped: &[
        "-b",
        "--bail",
        "--changedSince",
        "--changedFilesWithAncestor",
        "--coverage*",
        "--collectCoverage*",
        "--findRelatedTests",
        "--filter",
        "--lastCommit",
        "--listTests",
        "-o",
        "--onlyChanged",
        "-f",
        "--onlyFailures",
        "--passWithNoTests",
        "--randomize",
        "--runTestsByPath",
        "--seed",
        "--shard",
        "--silent",
        "-t",
        "--testNamePattern",
        "--testPathPattern",
        "--testPathPatterns",
        "--testPathIgnorePatterns",
        "--watch",
        "--watchAll",
        "--clearCache",
        "--showConfig",
        "-u",
        "--updateSnapshot",
        "--notify",
    ],
    single_dash: false,
};

const VITEST: Grammar = Grammar {
    valued: &[
        "-r",
        "--root",
        "-c",
        "--config",
        "--dir",
        "--reporter",
        "--outputFile*",
        "--mode",
        "-m",
        "--environment",
        "--pool",
        "--poolOptions*",
        "--project",
        "--shard",
        "-t",
        "--testNamePattern",
        "--testTimeout",
        "--hookTimeout",
        "--teardownTimeout",
        "--retry",
        "--bail",
        "--exclude",
        "--maxWorkers",
        "--minWorkers",
        "--maxConcurrency",
        "--sequence.seed",
        "--sequence.hooks",
        "--changed",
        "--configLoader",
        "--slowTestThreshold",
        "--attachmentsDir",
        "--tags-filter",
    ],
    bare: &[
        "--run",
        "-w",
        "--watch",
        "--no-watch",
        "-u",
        "--update",
        "--globals",
        "--dom",
        "--coverage",
        "--silent",
        "--hideSkippedTests",
        "--isolate",
        "--no-isolate",
        "--fileParallelism",
        "--no-file-parallelism",
        "--no-color",
        "--color",
        "--passWithNoTests",
        "--allowOnly",
        "--logHeapUsage",
        "--dangerouslyIgnoreUnhandledErrors",
        "--typecheck",
        "--inspect",
        "--sequence.shuffle",
        "--ui",
        "--browser",
        "--expandSnapshotDiff",
        "--disableConsoleIntercept",
        "--includeTaskLocation",
        "--no-cache",
        "--open",
    ],
    dropped: &[
        "--bail",
        "--shard",
        "-t",
        "--testNamePattern",
        "--retry",
        "--changed",
        "--coverage*",
        "--silent",
        "--passWithNoTests",
        "--run",
        "-w",
        "--watch",
        "-u",
        "--update",
        "--ui",
        "--open",
        "--sequence.seed",
        "--sequence.shuffle*",
        "--exclude",
        "--tags-filter",
        "--dangerouslyIgnoreUnhandledErrors",
    ],
    single_dash: false,
};

pub(super) fn javascript(context: &Context<'_>, known: &Known, row: &Row) -> Found {
    let is_jest = known.runner == Runner::Jest;
    let grammar = if is_jest { &JEST } else { &VITEST };
    let is_operand = |word: &str| context.is_file(word);
    let split = words::split(&known.args, grammar, &is_operand);
    // A script of the project stays as it is: what it selects cannot be taken out of it.
    let script = words::split(&known.script, grammar, &is_operand);
    let harmless = [
        "--coverage",
        "--silent",
        "--run",
        "--passWithNoTests",
        "--collectCoverage",
        "-u",
        "--update",
        "--watch",
        "-w",
        "--bail",
        "-b",
    ];
    let selects = script
        .dropped
        .iter()
        .find(|(name, _)| !harmless.contains(&name.as_str()));
    if !script.operands.is_empty() || script.rest.is_some() || selects.is_some() {
        let what = selects.map_or("files", |(name, _)| name.as_str());
        return Found::none(&format!("the project's script selects by itself ({what})"));
    }
    let shuffled = [
        "--randomize",
        "--sequence.shuffle",
        "--sequence.shuffle.tests",
        "--sequence.shuffle.files",
    ];
    let tests = &row.test;
    // Only the suite, or a class that is the suite again, is ever a file.
    let named = row
        .file
        .as_deref()
        .into_iter()
        .chain([tests.suite.as_str()]);
    let file = named
        .filter(|name| !name.is_empty())
        .find_map(|name| context.known_file(name));
    let argv = |pattern: Option<String>| {
        let mut argv = known.prefix.clone();
        // In a terminal it would wait for changes.
        let is_run = argv.last().is_some_and(|word| word == "run")
            || known.script.iter().any(|w| w == "--run");
        if !is_jest && !is_run {
            match argv.last_mut() {
                Some(last) if matches!(last.as_str(), "watch" | "dev") => "run".clone_into(last),
                _ => argv.push("--run".to_owned()),
            }
        }
        argv.extend(split.kept.iter().cloned());
        if let Some(seed) = context.origin.seed.filter(|_| split.had(&shuffled)) {
            if is_jest {
                argv.extend(["--randomize".to_owned(), format!("--seed={seed}")]);
            } else {
                argv.extend([
                    "--sequence.shuffle".to_owned(),
                    format!("--sequence.seed={seed}"),
                ]);
            }
        }
        if let Some(pattern) = pattern {
            argv.push(format!("--testNamePattern={pattern}"));
        }
        if let Some(file) = &file {
            let here = context.here(file);
            if is_jest {
                argv.push("--runTestsByPath".to_owned());
            }
            argv.push(if here.starts_with('-') {
                format!("./{here}")
            } else {
                here
            });
        }
        argv
    };
    let pattern = pattern(row, context.origin.format.as_str());
    let test = match pattern {
        _ if is_ours(&tests.name) => {
            Err(format!("`{}` is no test that can be selected", tests.name))
        }
        _ if *tests.name == *tests.suite && *tests.name == *tests.class => {
            Err("the file itself failed, and no test of it".to_owned())
        }
        Err(why) => Err(why),
        Ok(pattern) => {
            let why = match &file {
                Some(file) => format!("the whole name is matched, in `{file}` alone"),
                None => {
                    "the whole name is matched, in every file: the report names none that is there"
                        .to_owned()
                }
            };
            Ok(Choice {
                argv: argv(Some(pattern)),
                why,
            })
        }
    };
    let suite = match &file {
        Some(file) => Ok(Choice {
            argv: argv(None),
            why: format!("the file `{file}`"),
        }),
        None => Err("the report names no file that is there".to_owned()),
    };
    let says = if is_jest {
        "No tests found"
    } else {
        "No test files found"
    };
    Found {
        test,
        suite,
        signs: vec![Sign::Says(says.to_owned())],
    }
}

/// The expression for a test's full name: the names around it and its own, with spaces between. ` > ` within the names around it is
/// what the reader put there, or a part of one of them; the expression admits both.
fn pattern(row: &Row, format: &str) -> Result<String, String> {
    let test = &row.test;
    let loose = |text: &str| {
        let parts: Vec<String> = text.split(" > ").map(quote::regex).collect();
        parts.join("(?: >)? ")
    };
    let is_file = |text: &str| text == &*test.suite || Some(text) == row.file.as_deref();
    let full = match format {
        "jest" if test.class.is_empty() => quote::regex(&test.name),
        "jest" => format!("{} {}", loose(&test.class), quote::regex(&test.name)),
        // Vitest's JUnit: the file as class, the names around it within the name.
        _ if test.class.is_empty() || is_file(&test.class) => loose(&test.name),
        // jest-junit, unless it is told otherwise: both are the full name.
        _ if *test.class == *test.name => quote::regex(&test.name),
        _ if !test.class.contains('/') && !test.name.starts_with(test.class.as_str()) => {
            format!("(?:{} )?{}", loose(&test.class), loose(&test.name))
        }
        _ => return Err("the report does not say what the test's full name is".to_owned()),
    };
    // What a name shows as pictures is not in the test's own.
    let full = PICTURES
        .iter()
        .fold(full, |full, (picture, blank)| full.replace(*picture, blank));
    Ok(format!("^ ?{full}$"))
}

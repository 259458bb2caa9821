//! `cargo test` and `cargo nextest run`.
//!
//! libtest's report names a binary by its crate and source; which package that is, the manifests say. A name is selected only if one
//! package and one target of it can be meant.

mod project;

use super::plan::{Choice, Context, Found};
use super::runner::Known;
use super::words::{self, Grammar, Split};
use super::{Sign, is_ours, quote};
use crate::run::Row;
use project::{Kind, Member};

const CARGO: Grammar = Grammar {
    valued: &[
        "-p",
        "--package",
        "--exclude",
        "-F",
        "--features",
        "--profile",
        "--target",
        "--target-dir",
        "--manifest-path",
        "-j",
        "--jobs",
        "--color",
        "--message-format",
        "--config",
        "-Z",
        "--test",
        "--bin",
        "--example",
        "--bench",
        "--lockfile-path",
        "-C",
    ],
    bare: &[
        "--lib",
        "--bins",
        "--tests",
        "--examples",
        "--benches",
        "--doc",
        "--all-targets",
        "--workspace",
        "--all",
        "-r",
        "--release",
        "--all-features",
        "--no-default-features",
        "--no-run",
        "--no-fail-fast",
        "-q",
        "--quiet",
        "-v",
        "--verbose",
        "--frozen",
        "--locked",
        "--offline",
        "--ignore-rust-version",
        "--keep-going",
        "--timings",
        "--unit-graph",
        "--future-incompat-report",
    ],
    dropped: &[
        "-p",
        "--package",
        "--exclude",
        "--message-format",
        "--test",
        "--bin",
        "--example",
        "--bench",
        "--lib",
        "--bins",
        "--tests",
        "--examples",
        "--benches",
        "--doc",
        "--all-targets",
        "--workspace",
        "--all",
        "--no-run",
        "--no-fail-fast",
        "-q",
        "--quiet",
        "-v",
        "--verbose",
        "--keep-going",
        "--timings",
        "--unit-graph",
        "--future-incompat-report",
    ],
    single_dash: false,
};

/// Behind `--`: the binary's own.
const LIBTEST: Grammar = Grammar {
    valued: &[
        "--skip",
        "--test-threads",
        "--color",
        "--format",
        "-Z",
        "--logfile",
        "--shuffle-seed",
    ],
    bare: &[
        "--exact",
        "-q",
        "--quiet",
        "--list",
        "--nocapture",
        "--no-capture",
        "--include-ignored",
        "--ignored",
        "--show-output",
        "--shuffle",
        "--report-time",
        "--ensure-time",
        "--force-run-in-process",
        "--test",
        "--bench",
        "--fail-fast",
    ],
    dropped: &[
        "--skip",
        "--exact",
        "-q",
        "--quiet",
        "--list",
        "--logfile",
        "--fail-fast",
        "--shuffle-seed",
        "--shuffle",
    ],
    single_dash: false,
};

const NEXTEST: Grammar = Grammar {
    valued: &[
        "-p",
        "--package",
        "--exclude",
        "-F",
        "--features",
        "-P",
        "--profile",
        "--cargo-profile",
        "--target",
        "--target-dir",
        "--manifest-path",
        "--build-jobs",
        "-j",
        "--test-threads",
        "--jobs",
        "--color",
        "--message-format",
        "--message-format-version",
        "--config",
        "-Z",
        "--test",
        "--bin",
        "--example",
        "--bench",
        "-E",
        "--filterset",
        "--filter-expr",
        "--partition",
        "--retries",
        "--max-fail",
        "--flaky-result",
        "-R",
        "--rerun",
        "--run-ignored",
        "--no-tests",
        "--failure-output",
        "--success-output",
        "--status-level",
        "--final-status-level",
        "--stress-count",
        "--stress-duration",
        "--config-file",
        "--tool-config-file",
        "--binaries-metadata",
        "--cargo-metadata",
        "--archive-file",
        "--workspace-remap",
        "--target-dir-remap",
        "--show-progress",
        "--user-config-file",
    ],
    bare: &[
        "--lib",
        "--bins",
        "--tests",
        "--examples",
        "--benches",
        "--all-targets",
        "--workspace",
        "--all",
        "-r",
        "--release",
        "--all-features",
        "--no-default-features",
        "--no-run",
        "--no-fail-fast",
        "--nff",
        "--fail-fast",
        "--ff",
        "-v",
        "--verbose",
        "--frozen",
        "--locked",
        "--offline",
        "--no-capture",
        "--nocapture",
        "--ignore-default-filter",
        "--hide-progress-bar",
        "--cargo-quiet",
        "--cargo-verbose",
        "--ignore-rust-version",
        "--unit-graph",
        "--timings",
    ],
    dropped: &[
        "-E",
        "--filterset",
        "--filter-expr",
        "--partition",
        "--retries",
        "--max-fail",
        "--flaky-result",
        "-R",
        "--rerun",
        "--no-tests",
        "--no-fail-fast",
        "--nff",
        "--fail-fast",
        "--ff",
        "--stress-count",
        "--stress-duration",
        "--no-run",
        "-v",
        "--verbose",
        "--status-level",
        "--final-status-level",
        "--unit-graph",
        "--timings",
        "--hide-progress-bar",
        "--show-progress",
        "--cargo-quiet",
    ],
    single_dash: false,
};

pub(super) fn test(context: &Context<'_>, known: &Known, row: &Row) -> Found {
    let split = words::split(&known.args, &CARGO, &|_| true);
    if split.had(&["--no-run"]) {
        return Found::none("the command builds and runs nothing");
    }
    let own = words::split(split.rest.as_deref().unwrap_or_default(), &LIBTEST, &|_| {
        true
    });
    let places = match places(context, &split, &row.test.suite) {
        Ok(places) => places,
        Err(why) => return Found::none(&why),
    };
    let (kept, without) = match places.as_slice() {
        [(member, _)] => features(&split.kept, member),
        _ => (split.kept.clone(), Vec::new()),
    };
    let without = match without.as_slice() {
        [] => String::new(),
        names => format!("; without features of other packages: {}", names.join(", ")),
    };
    let argv = |place: &[String], name: Option<&str>| {
        let mut argv = known.prefix.clone();
        argv.extend(kept.iter().cloned());
        argv.extend(place.iter().cloned());
        argv.push("--".to_owned());
        argv.extend(own.kept.iter().cloned());
        if let Some(seed) = context
            .origin
            .seed
            .filter(|_| own.had(&["--shuffle", "--shuffle-seed"]))
        {
            argv.push(format!("--shuffle-seed={seed}"));
        }
        if let Some(name) = name {
            argv.push("--exact".to_owned());
            if name.starts_with('-') {
                argv.push("--".to_owned());
            }
            argv.push(name.to_owned());
        } else if argv.last().is_some_and(|word| word == "--") {
            argv.pop();
        }
        argv
    };
    let signs = vec![Sign::Says("running 0 tests".to_owned())];
    let name = row.test.name.as_str();
    if name.starts_with("(build of ")
        || row
            .failure
            .as_ref()
            .is_some_and(|f| f.kind == crate::FailureKind::Compile)
    {
        let [(member, _)] = places.as_slice() else {
            return Found::none(&format!(
                "`{}` is the crate of no single package",
                row.test.suite
            ));
        };
        return Found {
            test: Err("what does not compile has no tests".to_owned()),
            suite: Ok(Choice {
                argv: argv(
                    &["-p".to_owned(), member.name.clone(), "--no-run".to_owned()],
                    None,
                ),
                why: format!("the package `{}` is built", member.name),
            }),
            signs: Vec::new(),
        };
    }
    let (member, target) = match places.as_slice() {
        [(member, Some(target))] => (member, target),
        [] => {
            return Found::none(&format!(
                "no package of the workspace has `{}`",
                row.test.suite
            ));
        }
        _ => {
            let why = format!(
                "`{}` is a target of {} packages or more",
                row.test.suite,
                places.len()
            );
            return Found::none(&why);
        }
    };
    let place: Vec<String> = [vec!["-p".to_owned(), member.name.clone()], target.flags()].concat();
    let shown = place.join(" ");
    if target.kind == Kind::Doc {
        return documentation(name, &shown, &|filter| match filter {
            Some(filter) => [
                argv(&place, None),
                if own.kept.is_empty() {
                    vec!["--".to_owned()]
                } else {
                    Vec::new()
                },
                vec![filter],
            ]
            .concat(),
            None => argv(&place, None),
        });
    }
    let test = if is_ours(name) {
        Err(format!("`{name}` is no test that can be selected"))
    } else {
        Ok(Choice {
            argv: argv(&place, Some(name)),
            why: format!("the whole name is compared, in the one binary of `{shown}`{without}"),
        })
    };
    Found {
        test,
        suite: Ok(Choice {
            argv: argv(&place, None),
            why: format!("the binary of `{shown}`{without}"),
        }),
        signs,
    }
}

/// rustdoc parts what it is given at spaces, and every name of a documentation test has some: a word of it selects all that contain it.
fn documentation(name: &str, shown: &str, argv: &dyn Fn(Option<String>) -> Vec<String>) -> Found {
    let head = name.rsplit_once(" (line ").map_or(name, |(head, _)| head);
    let (path, item) = head
        .rsplit_once(" - ")
        .unwrap_or((head.trim_end_matches(" -"), ""));
    let is_word = |text: &&str| {
        !text.is_empty() && !text.contains(char::is_whitespace) && !text.starts_with('-')
    };
    let filter = [item.trim(), path.trim()]
        .into_iter()
        .find(is_word)
        .filter(|_| !is_ours(name));
    Found {
        test: Err(
            "rustdoc cannot select one documentation test: it parts names at spaces".to_owned(),
        ),
        suite: Ok(Choice {
            why: match filter {
                Some(word) => format!("those of `{shown}` whose name contains `{word}`"),
                None => format!("all of `{shown}`"),
            },
            argv: argv(filter.map(str::to_owned)),
        }),
        signs: Vec::new(),
    }
}

/// Flags without features that the one package does not have: cargo would refuse them. Also what was left out.
fn features(kept: &[String], member: &Member) -> (Vec<String>, Vec<String>) {
    let (mut out, mut without) = (Vec::new(), Vec::new());
    let mut words = kept.iter();
    while let Some(word) = words.next() {
        let value = match word.as_str() {
            "-F" | "--features" => words.next().cloned(),
            word => word
                .strip_prefix("--features=")
                .or_else(|| word.strip_prefix("-F"))
                .map(|v| v.trim_start_matches('=').to_owned()),
        };
        let Some(value) = value else {
            out.push(word.clone());
            continue;
        };
        let names = value
            .split([',', ' '])
            .filter(|name| !name.is_empty())
            .map(str::to_owned);
        let (own, others): (Vec<String>, Vec<String>) =
            names.partition(|name| member.has_feature(name));
        if !own.is_empty() {
            out.extend(["--features".to_owned(), own.join(",")]);
        }
        without.extend(others);
    }
    (out, without)
}

/// The packages and targets that a suite's name can mean.
fn places(
    context: &Context<'_>,
    split: &Split,
    suite: &str,
) -> Result<Vec<(Member, Option<project::Target>)>, String> {
    let at = |names: &[&str]| {
        let mut kept = split.kept.iter();
        let mut found = None;
        while let Some(word) = kept.next() {
            if names.contains(&word.as_str()) {
                found = kept.next().cloned();
            } else if let Some((name, value)) = word.split_once('=')
                && names.contains(&name)
            {
                found = Some(value.to_owned());
            }
        }
        found
    };
    if split.kept.iter().any(|w| w == "-C") {
        return Err("cargo changes the directory (`-C`)".to_owned());
    }
    let members = project::members(context, at(&["--manifest-path"]).as_deref())?;
    let named: Vec<&str> = split.values(&["-p", "--package"]).collect();
    let without: Vec<&str> = split.values(&["--exclude"]).collect();
    let all = split.had(&["--workspace", "--all"]);
    let selected = members.into_iter().filter(|member| {
        let is = |spec: &&str| project::is_of(spec, &member.name);
        (named.is_empty() || named.iter().any(is))
            && !without.iter().any(is)
            && (all || !named.is_empty() || member.is_default)
    });
    let mut found = Vec::new();
    for member in selected {
        if let Some(target) = member.target(suite) {
            found.push((member, Some(target)));
        } else if project::underscored(&member.name) == project::underscored(suite) {
            found.push((member, None));
        }
    }
    if found.iter().any(|(_, target)| target.is_some()) {
        found.retain(|(_, target)| target.is_some());
    }
    Ok(found)
}

pub(super) fn nextest(context: &Context<'_>, known: &Known, row: &Row) -> Found {
    let split = words::split(&known.args, &NEXTEST, &|_| true);
    if split.had(&["--no-run"]) {
        return Found::none("the command builds and runs nothing");
    }
    let suite = row.test.suite.as_str();
    if suite.is_empty() || suite.contains(char::is_whitespace) {
        return Found::none("the report names no binary of nextest");
    }
    let rest = words::split(split.rest.as_deref().unwrap_or_default(), &LIBTEST, &|_| {
        true
    });
    // Its JSON writes `package::binary`, its JUnit the binary's id.
    let place = match (context.origin.format.as_str(), suite.split_once("::")) {
        ("libtest-json", Some((package, binary))) => {
            format!(
                "package(={}) & binary(={})",
                quote::filterset(package),
                quote::filterset(binary)
            )
        }
        _ => format!("binary_id(={})", quote::filterset(suite)),
    };
    let argv = |expression: String| {
        let mut argv = known.prefix.clone();
        argv.extend(split.kept.iter().cloned());
        argv.extend(["-E".to_owned(), expression]);
        if !rest.kept.is_empty() {
            argv.push("--".to_owned());
            argv.extend(rest.kept.iter().cloned());
        }
        argv
    };
    // A repetition under stress has its number behind its name.
    let name = row.test.name.split("@stress-").next().unwrap_or_default();
    let test = if is_ours(name) || name.is_empty() {
        Err(format!("`{name}` is no test that can be selected"))
    } else {
        Ok(Choice {
            argv: argv(format!("{place} & test(={})", quote::filterset(name))),
            why: "binary and name are compared whole".to_owned(),
        })
    };
    Found {
        test,
        suite: Ok(Choice {
            argv: argv(place.clone()),
            why: format!("the binary `{suite}`"),
        }),
        signs: vec![Sign::Exit(4), Sign::Says("no tests to run".to_owned())],
    }
}

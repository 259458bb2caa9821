//! Maven with Surefire, and Gradle.

use super::plan::{Choice, Context, Found};
use super::runner::{Known, stem};
use super::{Sign, is_ours};
use crate::propose::{join, text};
use crate::run::Row;

/// A class as it may stand in a selection: letters, digits, points, `$`.
fn class(row: &Row) -> Option<&str> {
    let class = if row.test.class.is_empty() {
        &row.test.suite
    } else {
        &row.test.class
    };
    let is = !class.is_empty()
        && !class.starts_with('.')
        && class
            .chars()
            .all(|c| c.is_alphanumeric() || "._$".contains(c));
    is.then_some(class.as_str())
}

/// The method of a name; `None` where it is a case of several, or no method's name.
fn method(name: &str) -> (Option<&str>, bool) {
    let bare = name.strip_suffix("()").unwrap_or(name);
    let is_word = |t: &str| {
        !t.is_empty()
            && t.chars()
                .all(|c| c.is_alphanumeric() || c == '_' || c == '$')
    };
    if is_word(bare) {
        return (Some(bare), true);
    }
    // `adds(int)[1]`, `adds{int}[1]`, `adds[1]`.
    let head = bare.split(['(', '[', '{']).next().unwrap_or_default();
    (Some(head).filter(|head| is_word(head)), false)
}

pub(super) fn maven(context: &Context<'_>, known: &Known, row: &Row) -> Found {
    let dropped = |word: &String| {
        let selects = [
            "-Dtest=",
            "-Dit.test=",
            "-Dgroups=",
            "-DexcludedGroups=",
            "-DfailIfNoTests",
            "-Dsurefire.failIfNo",
        ];
        let fails = [
            "-Dmaven.test.failure.ignore",
            "-DtestFailureIgnore",
            "-Dsurefire.rerunFailingTestsCount",
            "-DskipTests",
            "-Dmaven.test.skip",
        ];
        matches!(
            word.as_str(),
            "-fae"
                | "-fn"
                | "-ff"
                | "--fail-at-end"
                | "--fail-never"
                | "--fail-fast"
                | "-q"
                | "--quiet"
        ) || selects
            .iter()
            .chain(&fails)
            .any(|start| word.starts_with(start))
    };
    let mut kept: Vec<String> = known.args.iter().filter(|w| !dropped(w)).cloned().collect();
    let Some(class) = class(row) else {
        return Found::none("the report names no class of Java");
    };
    let outer = class.split('$').next().unwrap_or(class);
    let path = outer.replace('.', "/");
    let mut modules = Vec::new();
    find_modules(context, &context.dir, &path, 0, &mut modules);
    match modules.as_slice() {
        [] => return Found::none("no module has a source of this class"),
        [one] if *one == context.dir => {}
        [one] => {
            let has = kept
                .iter()
                .any(|w| w == "-pl" || w.starts_with("--projects") || w.starts_with("-pl="));
            if !has {
                kept.extend(["-pl".to_owned(), context.here(one), "-am".to_owned()]);
            }
            // Other modules have no such test; that one ran is seen in the report.
            kept.push("-Dsurefire.failIfNoSpecifiedTests=false".to_owned());
        }
        _ => return Found::none("several modules have a source of this class"),
    }
    let argv = |selected: String| {
        let mut argv = known.prefix.clone();
        argv.extend(kept.iter().cloned());
        argv.push(selected);
        argv
    };
    let (name, whole) = method(&row.test.name);
    let suite = match name {
        Some(name) if !whole => Choice {
            argv: argv(format!("-Dtest={class}#{name}")),
            why: format!("all cases of `{class}#{name}`"),
        },
        _ => Choice {
            argv: argv(format!("-Dtest={class}")),
            why: format!("the class `{class}`"),
        },
    };
    let test = match name {
        Some(name) if whole && !is_ours(&row.test.name) => Ok(Choice {
            argv: argv(format!("-Dtest={class}#{name}")),
            why: "class and method are compared whole".to_owned(),
        }),
        _ => Err("a case of a test, or a shown name, cannot be selected by itself".to_owned()),
    };
    Found {
        test,
        suite: Ok(suite),
        signs: vec![
            Sign::Says("No tests were executed".to_owned()),
            Sign::Says("No tests matching pattern".to_owned()),
            Sign::Says("No tests to run.".to_owned()),
        ],
    }
}

/// Directories of modules that have a source of this class.
fn find_modules(context: &Context<'_>, dir: &str, class: &str, depth: u8, found: &mut Vec<String>) {
    let has = ["java", "kotlin", "groovy", "scala"]
        .iter()
        .any(|language| {
            let end = match *language {
                "kotlin" => "kt",
                language => language,
            };
            join(dir, &format!("src/test/{language}/{class}.{end}"))
                .is_some_and(|path| context.files.exists(&path))
        });
    if has {
        found.push(dir.to_owned());
    }
    if depth > 8 || found.len() > 8 {
        return;
    }
    let pom = join(dir, "pom.xml")
        .and_then(|path| text(context.files, &path))
        .unwrap_or_default();
    for part in pom.split("<module>").skip(1).take(500) {
        let Some((module, _)) = part.split_once("</module>") else {
            continue;
        };
        if let Some(below) = join(dir, module.trim()).filter(|below| below != dir) {
            find_modules(context, &below, class, depth + 1, found);
        }
    }
}

pub(super) fn gradle(context: &Context<'_>, known: &Known, row: &Row) -> Found {
    let Some(class) = class(row) else {
        return Found::none("the report names no class of Java");
    };
    let (mut kept, mut tasks) = (Vec::new(), Vec::new());
    let mut words = known.args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--tests" => {
                words.next();
            }
            "--continue" | "-q" | "--quiet" | "--fail-fast" => {}
            word if word.starts_with("--tests=") => {}
            "-b" | "-c" | "-p" | "-I" | "-x" | "-g" | "-D" | "-P" | "--project-dir"
            | "--exclude-task" | "--init-script" | "--max-workers" => {
                kept.push(word.clone());
                kept.extend(words.next().cloned());
            }
            flag if flag.starts_with('-') => kept.push(word.clone()),
            _ => tasks.push(word.clone()),
        }
    }
    let task: Vec<String> = tasks
        .iter()
        .filter(|t| t.to_ascii_lowercase().ends_with("test"))
        .cloned()
        .collect();
    let [task] = task.as_slice() else {
        return Found::none("no single task of the command is one of tests");
    };
    let settings = ["settings.gradle", "settings.gradle.kts"].iter();
    let has_more = settings
        .filter_map(|name| text(context.files, &join(&context.dir, name)?))
        .any(|said| said.contains("include"));
    if has_more && !task.contains(':') {
        return Found::none(
            "the task runs in several projects, and those without the test would fail",
        );
    }
    let program = stem(known.prefix.last().map_or("", String::as_str)).to_owned();
    let argv = |selected: &str| {
        let mut argv = known.prefix.clone();
        argv.extend(kept.iter().cloned());
        argv.push(task.clone());
        argv.extend(["--tests".to_owned(), selected.to_owned()]);
        // What has not changed would not be run again.
        argv.push("--rerun-tasks".to_owned());
        argv
    };
    let (name, whole) = method(&row.test.name);
    let test = match name {
        Some(name) if whole && !is_ours(&row.test.name) => Ok(Choice {
            argv: argv(&format!("{class}.{name}")),
            why: "class and method are compared whole".to_owned(),
        }),
        _ => Err(format!(
            "a case of a test, or a shown name, cannot be selected by {program}"
        )),
    };
    Found {
        test,
        suite: Ok(Choice {
            argv: argv(class),
            why: format!("the class `{class}`"),
        }),
        signs: vec![Sign::Says("No tests found for given includes".to_owned())],
    }
}

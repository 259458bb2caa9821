//! `dotnet test`, by its filter of fully qualified names.

use super::plan::{Choice, Context, Found};
use super::runner::Known;
use super::words::{self, Grammar};
use super::{Sign, is_ours};
use crate::run::Row;

const GRAMMAR: Grammar = Grammar {
    valued: &[
        "-a",
        "--arch",
        "--artifacts-path",
        "-c",
        "--configuration",
        "--collect",
        "-d",
        "--diag",
        "-e",
        "--environment",
        "-f",
        "--framework",
        "--filter",
        "-l",
        "--logger",
        "-o",
        "--output",
        "--os",
        "--results-directory",
        "-r",
        "--runtime",
        "-s",
        "--settings",
        "--test-adapter-path",
        "-v",
        "--verbosity",
        "--blame-hang-timeout",
        "--project",
        "--solution",
    ],
    bare: &[
        "--blame",
        "--blame-crash",
        "--blame-hang",
        "--no-build",
        "--no-restore",
        "--nologo",
        "-t",
        "--list-tests",
        "--interactive",
    ],
    dropped: &["--filter", "--collect", "-t", "--list-tests", "--blame*"],
    single_dash: false,
};

pub(super) fn dotnet(context: &Context<'_>, known: &Known, row: &Row) -> Found {
    let split = words::split(&known.args, &GRAMMAR, &|word| context.is_file(word));
    let class = row.test.class.trim();
    let name = row.test.name.as_str();
    let filter = |property: &str, operator: &str, value: &str| {
        let mut argv = known.prefix.clone();
        argv.extend(split.operands.iter().cloned());
        argv.extend(split.kept.iter().cloned());
        argv.push("--filter".to_owned());
        argv.push(format!("{property}{operator}{}", quoted(value)));
        if let Some(rest) = &split.rest {
            argv.push("--".to_owned());
            argv.extend(rest.iter().cloned());
        }
        argv
    };
    let method = name
        .strip_prefix(class)
        .and_then(|name| name.strip_prefix('.'))
        .unwrap_or(name);
    let is_plain = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_alphanumeric() || "_.+`".contains(c))
    };
    let signs = vec![Sign::Says(
        "No test matches the given testcase filter".to_owned(),
    )];
    if !is_plain(class) {
        return Found {
            signs,
            ..Found::none("the report names no class")
        };
    }
    let test = if is_ours(name) {
        Err(format!("`{name}` is no test that can be selected"))
    } else if is_plain(method) {
        Ok(Choice {
            argv: filter("FullyQualifiedName", "=", &format!("{class}.{method}")),
            why: "the fully qualified name is compared whole; cases of a theory that share it run together".to_owned(),
        })
    } else {
        Err("a case of a theory has no fully qualified name of its own".to_owned())
    };
    let bare = method.split('(').next().unwrap_or_default();
    let suite = if is_plain(bare) && bare != method {
        Choice {
            argv: filter("FullyQualifiedName", "=", &format!("{class}.{bare}")),
            why: format!("all cases of `{class}.{bare}`"),
        }
    } else {
        Choice {
            argv: filter("FullyQualifiedName", "~", &format!("{class}.")),
            why: format!("the class `{class}`"),
        }
    };
    Found {
        test,
        suite: Ok(suite),
        signs,
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if r"\()&|=!~".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

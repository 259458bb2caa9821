//! The keys of `[suite]`, `[suites.NAME]` and `[profiles.NAME]`.

use super::Kind::*;
use super::Need::{Default, Optional, Required};
use super::{Section, key};

/// Words of `class`.
pub(in crate::config) const CLASSES: &[&str] = &["build", "lint", "unit", "recorded", "e2e"];

/// Words of `format`.
pub const FORMATS: &[&str] = &[
    "command",
    "junit",
    "libtest",
    "libtest-json",
    "go",
    "pytest-log",
    "jest",
    "ctrf",
    "tap",
    "trx",
];

/// `[suite]`.
pub(in crate::config) static SUITE: Section = Section {
    keys: &[
        key(
            "artifacts",
            Text,
            Default("\".gonogo/runs/suite\""),
            "Where each run gets a directory of its own, relative to this file.",
        ),
        key(
            "profile",
            Text,
            Default("\"full\""),
            "The profile that runs if none is named.",
        ),
        key(
            "tools",
            Texts,
            Default("[]"),
            "Programs that must be found in `PATH` before anything runs.",
        ),
        key(
            "min_free",
            Size,
            Default("\"2048MiB\""),
            "Least free space for the project and the artifacts.",
        ),
        key(
            "min_free_temp",
            Size,
            Default("\"1024MiB\""),
            "Least free space for temporary files.",
        ),
        key(
            "min_free_inodes",
            Share,
            Default("\"5%\""),
            "Least share of inodes that are free.",
        ),
        key(
            "owners",
            Text,
            Optional,
            "A CODEOWNERS file, relative to this file; the usual places are looked at if absent.",
        ),
        key(
            "runbook",
            Text,
            Optional,
            "A runbook, relative to this file; `runbook.toml` if it is there.",
        ),
        key(
            "redact",
            Texts,
            Default("[]"),
            "Patterns whose matches are taken out of every artifact, besides the usual forms of secrets.",
        ),
        key(
            "variant",
            TextMap,
            Default("{}"),
            "What else makes results their own: an operating system, a feature set. Runs of different variants are not compared. An `os` or `arch` that this machine is not is refused.",
        ),
        key(
            "quarantine_retry_after",
            Span,
            Default("\"5s\""),
            "How long after the last suite a quarantined test that failed is tried once more. The retry is told apart and changes no verdict.",
        ),
        key(
            "ignore_changes",
            Texts,
            Default("[]"),
            "Paths below which a run may change files, relative to this file, besides what the repository ignores.",
        ),
        key(
            "causes",
            List(&CAUSE),
            Default("[]"),
            "Causes of failures that you know: the first whose pattern a failure has decides, before the rules that come with gonogo.",
        ),
    ],
};

/// `[[suite.causes]]`.
pub(in crate::config) static CAUSE: Section = Section {
    keys: &[
        key(
            "id",
            Text,
            Required,
            "Names the rule: 1 to 64 of `a-z 0-9 _ -`, a letter first.",
        ),
        key(
            "pattern",
            Text,
            Required,
            "A regular expression that is looked for in a failure's class, message and trace.",
        ),
        key(
            "class",
            Text,
            Optional,
            "The class of what it finds: a word of your own, or one of gonogo's such as `network_io`. The rule's id if absent.",
        ),
        key(
            "remediation",
            Text,
            Optional,
            "What to do about it, one line; what the class says if absent.",
        ),
    ],
};

/// `[suites.NAME]`.
pub(in crate::config) static TARGET: Section = Section {
    keys: &[
        key(
            "class",
            Choice(CLASSES),
            Required,
            "What it is for; the phases run in this order.",
        ),
        key("command", Texts, Required, "Program and arguments."),
        key(
            "dir",
            Text,
            Default("\".\""),
            "Where it runs, relative to this file.",
        ),
        key(
            "format",
            Choice(FORMATS),
            Default("\"command\""),
            "What its report is. `command` is an exit code and a log: one test.",
        ),
        key(
            "reports",
            Texts,
            Default("[]"),
            "Files that it writes its reports to, relative to `dir`, `*` and `**` allowed; each of these must mean a file, and `{a,b}` in one asks for either. Without any, what it prints is the report.",
        ),
        key(
            "outputs",
            Texts,
            Default("[]"),
            "Files that are kept with the run as evidence: coverage, benchmarks. Relative to `dir`, `*` and `**` allowed.",
        ),
        key(
            "owner",
            Text,
            Optional,
            "Who owns it, where no owner of a file is known.",
        ),
        key(
            "timeout",
            Span,
            Default("\"30m\""),
            "After this time it is ended and counts as incomplete.",
        ),
        key(
            "blocking",
            Flag,
            Default("true"),
            "Whether gates must see it good.",
        ),
        key(
            "min_tests",
            Count,
            Default("1"),
            "The fewest tests that must run.",
        ),
        key(
            "min_duration",
            Span,
            Optional,
            "The shortest time in which it can be green.",
        ),
        key(
            "env",
            TextMap,
            Default("{}"),
            "Variables added to the inherited environment. Never secrets: they are part of the evidence.",
        ),
        key(
            "replay_env",
            Texts,
            Default("[]"),
            "Names of inherited variables whose values are part of the evidence and are set again by a replay. Never secrets.",
        ),
        key(
            "seed_env",
            Text,
            Optional,
            "A variable that carries the seed of the run.",
        ),
        key(
            "tools",
            Texts,
            Default("[]"),
            "Programs that it needs; looked for before anything runs.",
        ),
        key(
            "needs",
            Texts,
            Default("[]"),
            "Suites that must be good before it runs.",
        ),
    ],
};

/// `[profiles.NAME]`.
pub(in crate::config) static PROFILE: Section = Section {
    keys: &[
        key(
            "classes",
            Texts,
            Default("[]"),
            "All suites of these classes.",
        ),
        key("suites", Texts, Default("[]"), "These suites."),
        key(
            "without",
            Texts,
            Default("[]"),
            "These suites are left out.",
        ),
    ],
};

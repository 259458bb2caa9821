//! The keys of `[perf.NAME]`.

use super::Kind::*;
use super::Need::{Default, Optional};
use super::{Section, key};

/// Words of `figure`.
pub(in crate::config) const FIGURES: &[&str] = &["cpu_time", "wall_time", "max_rss"];

/// Words of `statistic`.
pub(in crate::config) const STATISTICS: &[&str] = &["p50", "p95", "p99", "min", "max"];

/// Words of `direction`.
pub(in crate::config) const DIRECTIONS: &[&str] = &["<=", ">="];

/// `[perf.NAME]`.
pub(in crate::config) static PERF: Section = Section {
    keys: &[
        key(
            "command",
            Texts,
            Default("[]"),
            "Program and arguments that `gonogo perf run` measures. Without it the budget is judged by series of others alone.",
        ),
        key(
            "dir",
            Text,
            Default("\".\""),
            "Where `prepare` and `command` run, relative to this file.",
        ),
        key(
            "prepare",
            Texts,
            Default("[]"),
            "Program and arguments that run once in each tree before anything is measured: a build.",
        ),
        key(
            "env_from",
            Texts,
            Default("[]"),
            "Names of variables that the measured command gets besides `PATH` and `HOME`. Nothing else is inherited.",
        ),
        key(
            "timeout",
            Span,
            Default("\"60s\""),
            "How long one run may take. A run that is cut is no sample.",
        ),
        key(
            "warm_up",
            Count,
            Default("1"),
            "Runs of each side before the first that counts.",
        ),
        key(
            "figure",
            Choice(FIGURES),
            Default("\"cpu_time\""),
            "What is read of a run: times in microseconds, memory in bytes.",
        ),
        key(
            "metric",
            Text,
            Optional,
            "The series that it is about; the budget's name if absent.",
        ),
        key(
            "category",
            Text,
            Default("\"performance\""),
            "What it belongs to, for people.",
        ),
        key(
            "unit",
            Text,
            Optional,
            "The unit of `threshold` and of series; that of `figure` if absent. Never converted.",
        ),
        key(
            "threshold",
            Number,
            Optional,
            "What the figure may be on the tree alone. A budget has a threshold, a comparison or both.",
        ),
        key(
            "direction",
            Choice(DIRECTIONS),
            Default("\"<=\""),
            "Which side of the threshold is good.",
        ),
        key(
            "statistic",
            Choice(STATISTICS),
            Default("\"p50\""),
            "Which figure of several samples is held against the threshold.",
        ),
        key(
            "fewest",
            Count,
            Optional,
            "Fewest samples of a series; what the statistic needs if absent.",
        ),
        key(
            "tolerance",
            Share,
            Optional,
            "By how much the figure may be worse than that of a baseline series.",
        ),
        key(
            "freshness",
            Span,
            Default("\"24h\""),
            "How old a measurement may be.",
        ),
        key(
            "host_class",
            Text,
            Optional,
            "The class of host on which it holds; that of the host that judges if absent.",
        ),
        key(
            "methodology",
            Text,
            Default("\"gonogo perf run\""),
            "How it is measured, for people.",
        ),
        key(
            "blocking",
            Flag,
            Default("true"),
            "Whether gates must see it kept.",
        ),
        key(
            "compare",
            Table(&COMPARE),
            Optional,
            "Base and head beside each other, in turn, on one host.",
        ),
    ],
};

/// `compare` of `[perf.NAME]`.
pub(in crate::config) static COMPARE: Section = Section {
    keys: &[
        key(
            "base",
            Text,
            Optional,
            "Commit or branch that the change is for; the usual main branch if absent. Compared is the newest commit in common.",
        ),
        key(
            "budget",
            Share,
            Default("\"5%\""),
            "The most by which head may be worse: a pass excludes more. Given without `practical`, it is also the limit of a failure.",
        ),
        key(
            "practical",
            Share,
            Optional,
            "From which a slowdown that is shown is a failure; less is of no matter, however sure. The `budget` if that is given, else `2%`.",
        ),
    ],
};

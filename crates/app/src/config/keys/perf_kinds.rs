//! The keys of what stands beside budgets under `[perf]`.

use super::Kind::*;
use super::Need::{Default, Optional, Required};
use super::{Section, key};

/// Names under `[perf]` that are no budgets.
pub(in crate::config) static PERF_KINDS: Section = Section {
    keys: &[key(
        "stress",
        Map(&STRESS),
        Optional,
        "Load tests by name: does memory grow, does latency drift, are there errors? No budget has the name of one.",
    )],
};

/// `[perf.stress.NAME]`.
pub(in crate::config) static STRESS: Section = Section {
    keys: &[
        key(
            "command",
            Texts,
            Required,
            "Program and arguments that put the load on and end by themselves. They write each event to the file that `GONOGO_STRESS_EVENTS` names; `GONOGO_STRESS_DURATION_SECS` and `GONOGO_STRESS_EVENTS_PER_SEC` say what is asked.",
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
            "Program and arguments that run once before the load: a build.",
        ),
        key(
            "env_from",
            Texts,
            Default("[]"),
            "Names of variables that the command gets besides `PATH` and `HOME`. Nothing else is inherited.",
        ),
        key(
            "duration",
            Span,
            Default("\"30s\""),
            "How long the load lasts. A run that is shorter by more than a tenth shows nothing.",
        ),
        key(
            "timeout",
            Span,
            Optional,
            "After how long the command is killed, which is no pass; `duration` and a minute if absent.",
        ),
        key(
            "events_per_sec",
            Number,
            Default("50"),
            "Events in a second. A run with less than nine tenths of them is no load.",
        ),
        key(
            "interval",
            Span,
            Default("\"5s\""),
            "How often the resident memory of everything that the command started is read.",
        ),
        key(
            "warm_up",
            Span,
            Optional,
            "When memory is read first, which is what growth is counted from; one `interval` if absent.",
        ),
        key(
            "rss_growth",
            Share,
            Default("\"10%\""),
            "Most growth of resident memory from the first reading to the highest.",
        ),
        key(
            "latency_times",
            Number,
            Default("2"),
            "Most times the p99 of the first quarter of events that that of the last quarter may be.",
        ),
        key(
            "latency_below",
            Span,
            Default("\"25ms\""),
            "A p99 of the last quarter up to this is well whatever the first was.",
        ),
        key("errors", Count, Default("0"), "Most events that go wrong."),
        key(
            "freshness",
            Span,
            Default("\"24h\""),
            "How old a run may be.",
        ),
        key(
            "blocking",
            Flag,
            Default("true"),
            "Whether gates must see it well.",
        ),
    ],
};

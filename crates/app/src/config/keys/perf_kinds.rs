//! The keys of what stands beside budgets under `[perf]`.

use super::Kind::*;
use super::Need::{Default, Optional, Required};
use super::{Section, key};

/// Names under `[perf]` that are no budgets.
pub(in crate::config) static PERF_KINDS: Section = Section {
    keys: &[
        key(
            "stress",
            Map(&STRESS),
            Optional,
            "Load tests by name: does memory grow, does latency drift, are there errors? No budget has the name of one.",
        ),
        key(
            "sweep",
            Map(&SWEEP),
            Optional,
            "Sweeps by name: which value of a parameter is best.",
        ),
        key(
            "opportunity",
            Map(&OPPORTUNITY),
            Optional,
            "Matrices by name: what would be worth making better, by the recorded runs of budgets.",
        ),
    ],
};

/// `[perf.sweep.NAME]`.
pub(in crate::config) static SWEEP: Section = Section {
    keys: &[
        key(
            "budget",
            Text,
            Required,
            "The budget whose command is run with other values; its figure and direction say what is best.",
        ),
        key(
            "runs",
            Count,
            Default("5"),
            "Runs of each value; the median counts.",
        ),
        key(
            "dimensions",
            TextMap,
            Required,
            "Parameters, which are variables of the command, and the values that are tried: whole numbers above 0 with spaces between. The other parameters are left alone meanwhile.",
        ),
    ],
};

/// `[perf.opportunity.NAME]`.
pub(in crate::config) static OPPORTUNITY: Section = Section {
    keys: &[
        key(
            "whole",
            Text,
            Required,
            "The budget that stands for everything.",
        ),
        key(
            "stages",
            Map(&PART),
            Optional,
            "Its parts by name; at least one.",
        ),
    ],
};

/// `[perf.opportunity.NAME.stages.NAME]`.
pub(in crate::config) static PART: Section = Section {
    keys: &[
        key(
            "budget",
            Text,
            Required,
            "The budget that measures the part, in the unit of the whole.",
        ),
        key(
            "effort",
            Number,
            Default("1"),
            "What making it better costs, beside the others.",
        ),
    ],
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

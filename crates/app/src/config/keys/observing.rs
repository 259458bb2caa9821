//! The keys of `[telemetry]` and `[slo]`.

use super::Kind::*;
use super::Need::{Default, Optional};
use super::{Section, key};

/// `[telemetry]`.
pub(in crate::config) static TELEMETRY: Section = Section {
    keys: &[
        key(
            "endpoint",
            Text,
            Optional,
            "Where spans are sent by OTLP over HTTP, without `/v1/traces`. The variables `OTEL_*` count before it.",
        ),
        key(
            "metrics_open",
            Flag,
            Default("false"),
            "Whether `/metrics` of `gonogo serve` is for everybody who reaches the server. Else it asks for a token with the scope `read`.",
        ),
    ],
};

/// `[slo]`.
pub(in crate::config) static SLO: Section = Section {
    keys: &[
        key(
            "window",
            Span,
            Default("\"6h\""),
            "What `gonogo slo report` looks back on; at most 35d.",
        ),
        key(
            "validate_p95",
            Span,
            Default("\"2s\""),
            "95 of 100 calls of `validate_plan` take at most this. A longer time is told as looser than the contract.",
        ),
        key(
            "plan_p95",
            Span,
            Default("\"5s\""),
            "95 of 100 calls of `plan_change` take at most this. A longer time is told as looser than the contract.",
        ),
        key(
            "errors",
            Share,
            Default("\"1%\""),
            "At most this share of all calls fails; what is refused by design does not. More is told as looser.",
        ),
        key(
            "traces",
            Share,
            Default("\"100%\""),
            "At least this share of calls and operations has a trace. Less is told as looser.",
        ),
        key(
            "min_calls",
            Count,
            Default("20"),
            "With fewer calls an objective is not judged. Fewer than 20 is told as looser.",
        ),
    ],
};

//! The keys of `[dry_run]`.

use super::Kind::*;
use super::Need::{Default, Optional, Required};
use super::{Section, key};

/// `[dry_run]`.
pub(in crate::config) static DRY_RUN: Section = Section {
    keys: &[
        key(
            "command",
            Texts,
            Optional,
            "Program and arguments, if none follow `--` on the command line.",
        ),
        key(
            "artifacts",
            Texts,
            Default("[]"),
            "Files that the run is about, relative to this file; the command must name one of them. Their digests stand in the sign-off.",
        ),
        key(
            "env",
            TextMap,
            Default("{}"),
            "Variables added to the inherited environment. Never secrets: they are part of the evidence.",
        ),
        key(
            "metadata",
            TextMap,
            Default("{}"),
            "Said about the run in every report.",
        ),
        key(
            "output_root",
            Text,
            Default("\"artifacts/final_dry_run\""),
            "Where `orchestrate` makes a directory for each run, relative to this file.",
        ),
        key(
            "audit_cache",
            Text,
            Optional,
            "Where `audit --log` keeps what it read of logs, relative to this file, so that the same bytes are not read again. No sign-off uses it.",
        ),
        key(
            "duration",
            Span,
            Default("\"72h\""),
            "How long the run lasts.",
        ),
        key(
            "required_duration",
            Span,
            Optional,
            "How long it must last; `duration` if absent.",
        ),
        key(
            "duration_tolerance",
            Span,
            Default("\"100ms\""),
            "By how much it may be shorter.",
        ),
        key(
            "minimum_uptime",
            Share,
            Default("\"98%\""),
            "Least share of the time that it was up.",
        ),
        key(
            "allow_warnings",
            Flag,
            Default("false"),
            "Warnings are accepted and listed as accepted.",
        ),
        key(
            "minimum_sharpe",
            Number,
            Optional,
            "Least Sharpe ratio; demands performance evidence.",
        ),
        key(
            "grace_interrupt",
            Span,
            Default("\"60s\""),
            "Time to end after SIGINT, before SIGTERM.",
        ),
        key(
            "grace_terminate",
            Span,
            Default("\"10s\""),
            "Time to end after SIGTERM, before SIGKILL.",
        ),
        key(
            "drain",
            Span,
            Default("\"10s\""),
            "How long others may hold the pipes open after the child's end.",
        ),
        key(
            "compression",
            Choice(&["none", "gzip", "zstd"]),
            Default("\"none\""),
            "How closed pieces of the logs are compressed.",
        ),
        key(
            "views",
            Flag,
            Default("true"),
            "Make `.log` and `.jsonl` as the run goes.",
        ),
        key(
            "rotate_every",
            Span,
            Optional,
            "Begin a new log segment after this time.",
        ),
        key(
            "rotate_size",
            Size,
            Optional,
            "Begin a new log segment after so many bytes.",
        ),
        key(
            "member_size",
            Size,
            Default("\"4MiB\""),
            "Bytes of a compressed piece, 1MiB to 4MiB.",
        ),
        key(
            "ballast",
            Size,
            Default("\"64MiB\""),
            "Space kept back for the verdict, for a disk that fills; at least 4MiB. If it is not given, a small disk gives a quarter of what is free.",
        ),
        key(
            "progress_every",
            Span,
            Default("\"5m\""),
            "Time between two writings of progress.",
        ),
        key(
            "startup_grace",
            Span,
            Default("\"0s\""),
            "How long the command may take until its first line: that time is no gap and no downtime.",
        ),
        key(
            "gap_warn",
            Span,
            Default("\"60m\""),
            "A longer silence is a warning.",
        ),
        key(
            "gap_fail",
            Span,
            Default("\"6h\""),
            "A silence as long is a failure.",
        ),
        key(
            "gap_live",
            Span,
            Optional,
            "A longer silence is an incident while the run goes on.",
        ),
        key(
            "gap_live_severity",
            Choice(&["warn", "fail"]),
            Default("\"warn\""),
            "What that incident means.",
        ),
        key(
            "heartbeat",
            Table(&HEARTBEAT),
            Optional,
            "What the runtime says regularly; its uptime is then judged by the pessimistic bound.",
        ),
        key(
            "monitor",
            Flag,
            Default("true"),
            "Judge lines while the run goes on; they always are afterwards.",
        ),
        key(
            "stderr",
            Choice(&["error", "warn", "info"]),
            Default("\"error\""),
            "What a line on stderr means that states no level.",
        ),
        key(
            "numeric_levels",
            Choice(&["auto", "pino", "python", "syslog", "log4j"]),
            Default("\"auto\""),
            "How numbers are read as levels.",
        ),
        key(
            "source_field",
            Text,
            Optional,
            "Field of JSON lines that names their source; stack traces of different sources are kept apart.",
        ),
        key(
            "allow",
            List(&ALLOW),
            Default("[]"),
            "Lines and stack traces that are accepted, each with an owner and an expiry.",
        ),
        key("diary", Table(&DIARY), Optional, "The decision diary."),
        key(
            "performance",
            Table(&PERFORMANCE),
            Optional,
            "The performance telemetry.",
        ),
        key(
            "evidence",
            List(&EVIDENCE),
            Default("[]"),
            "Further files that must be there, fresh and within limits.",
        ),
        key(
            "evidence_every",
            Span,
            Optional,
            "Time between two looks at evidence; a quarter of the shortest limit if absent.",
        ),
        key(
            "evidence_grace",
            Span,
            Default("\"15m\""),
            "Time from the start before evidence is looked at.",
        ),
        key(
            "resources",
            Table(&RESOURCES),
            Default("{}"),
            "CPU and memory of the whole tree.",
        ),
        key(
            "explained",
            TextMap,
            Default("{}"),
            "Explanations for time that could not be seen, by reason: `pump_down`, `clock_step`, `suspend`, `capture_blocked`, `keeper_stopped`. Explained time does not count against.",
        ),
    ],
};

static HEARTBEAT: Section = Section {
    keys: &[
        key("period", Span, Required, "Time between two beats."),
        key(
            "tolerance",
            Number,
            Default("2"),
            "A gap longer than this many periods is an outage; at least 1.",
        ),
        key(
            "event",
            Text,
            Optional,
            "Only records with this `event` are beats; any line if absent.",
        ),
    ],
};

static ALLOW: Section = Section {
    keys: &[
        key("name", Text, Required, "Name of the rule."),
        key(
            "pattern",
            Text,
            Required,
            "Regular expression over the line, or over the whole stack trace.",
        ),
        key("owner", Text, Required, "Who answers for it."),
        key(
            "expires",
            Text,
            Required,
            "When it ends, such as `2027-01-31T00:00:00Z`.",
        ),
        key("reason", Text, Default("\"\""), "Why it is accepted."),
    ],
};

static DIARY: Section = Section {
    keys: &[
        key(
            "path",
            Text,
            Optional,
            "The file, relative to this file; `decision_diary.jsonl` in the run's directory if absent and `orchestrate` runs.",
        ),
        key("required", Flag, Default("true"), "A run without it fails."),
        key("stale_warn", Span, Optional, "Older: a warning."),
        key("stale_fail", Span, Optional, "Older: a failure."),
        key(
            "min_entries_per_day",
            Count,
            Default("0"),
            "Fewest entries of each UTC day.",
        ),
    ],
};

static PERFORMANCE: Section = Section {
    keys: &[
        key(
            "path",
            Text,
            Optional,
            "The file, relative to this file; `performance_metrics.json` in the run's directory if absent and `orchestrate` runs.",
        ),
        key("required", Flag, Default("true"), "A run without it fails."),
        key("stale_warn", Span, Optional, "Older: a warning."),
        key("stale_fail", Span, Optional, "Older: a failure."),
    ],
};

static EVIDENCE: Section = Section {
    keys: &[
        key("name", Text, Required, "Its name."),
        key("path", Text, Required, "The file, relative to this file."),
        key(
            "format",
            Choice(&["json", "jsonl", "text"]),
            Required,
            "What it holds.",
        ),
        key("required", Flag, Default("true"), "A run without it fails."),
        key("stale_warn", Span, Optional, "Older: a warning."),
        key("stale_fail", Span, Optional, "Older: a failure."),
        key(
            "time_pointer",
            Text,
            Optional,
            "JSON pointer of an entry's time; usual names are tried if absent.",
        ),
        key("min_entries", Count, Optional, "Fewest entries."),
        key(
            "thresholds",
            List(&THRESHOLD),
            Default("[]"),
            "What its values must be.",
        ),
    ],
};

static THRESHOLD: Section = Section {
    keys: &[
        key(
            "pointer",
            Text,
            Required,
            "JSON pointer of the value, in the newest entry of `jsonl`.",
        ),
        key("min", Number, Optional, "Least."),
        key("max", Number, Optional, "Greatest."),
        key("equals", Text, Optional, "Exactly this text."),
        key(
            "severity",
            Choice(&["warn", "fail"]),
            Default("\"fail\""),
            "What breaking it means.",
        ),
    ],
};

static RESOURCES: Section = Section {
    keys: &[
        key("enabled", Flag, Default("true"), "Watch them."),
        key(
            "every",
            Span,
            Default("\"1m\""),
            "Time between samples; in a run of less than 20 minutes a twentieth of it, at least a second.",
        ),
        key("max_cpu_percent", Number, Optional, "Percent of one core."),
        key("max_memory_mb", Number, Optional, "Resident memory, MiB."),
        key(
            "max_memory_percent",
            Number,
            Optional,
            "Percent of the machine's memory.",
        ),
        key(
            "severity",
            Choice(&["warn", "fail"]),
            Default("\"fail\""),
            "What a broken limit means.",
        ),
        key(
            "sustained",
            Span,
            Default("\"0s\""),
            "A limit is broken only after this time above it.",
        ),
    ],
};

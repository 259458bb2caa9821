//! Every key of the file, once: what the reader admits, what the reference page and the JSON schema say.
//!
//! The reader asks this table which keys a section knows, so a key that is not listed here cannot be read.

mod approval;
mod dry_run;
mod identity;
mod observing;
mod perf;
mod perf_kinds;
mod record;
mod suites;
mod webhooks;
mod workflow;

pub(super) use approval::{APPROVAL, APPROVER, BREAK_GLASS, FREEZE, REQUESTER};
pub(super) use dry_run::DRY_RUN;
pub(super) use identity::{ALGORITHMS, OIDC, SERVER};
pub(super) use observing::{SLO, TELEMETRY};
pub(super) use perf::{COMPARE, DIRECTIONS, FIGURES, PERF, STATISTICS};
pub(super) use perf_kinds::{OPPORTUNITY, PART, PERF_KINDS, STRESS, SWEEP};
pub(super) use record::{MATCH, MODES, RECORD, REDACT};
pub use suites::FORMATS;
pub(super) use suites::{CAUSE, CLASSES, PROFILE, SUITE, TARGET};
pub(super) use webhooks::WEBHOOK;
pub(super) use workflow::WORKFLOW;

/// What a key holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// A list of texts.
    Texts,
    /// Text to text.
    TextMap,
    /// A duration such as `10s`.
    Span,
    /// A share such as `5%`.
    Share,
    /// A whole number.
    Count,
    /// A number, with or without a fraction.
    Number,
    /// A number of bytes such as `64MiB`.
    Size,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A section.
    Table(&'static Section),
    /// Sections by name.
    Map(&'static Section),
    /// Sections by name, and beside them names with sections of other kinds by name.
    MapBeside(&'static Section, &'static Section),
    /// A list of sections.
    List(&'static Section),
    /// One of these words, or a section.
    Either(&'static [&'static str], &'static Section),
}

/// A section: a set of keys.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) need: Need,
    pub(super) doc: &'static str,
}

/// Whether a key may be left out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need {
    /// It may not.
    Required,
    /// It may; nothing takes its place.
    Optional,
    /// It may; this takes its place (as TOML).
    Default(&'static str),
}

const fn key(name: &'static str, kind: Kind, need: Need, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        need,
        doc,
    }
}

use Kind::*;
use Need::{Default, Optional, Required};

/// The file.
pub(super) static ROOT: Section = Section {
    keys: &[
        key(
            "requires",
            Text,
            Optional,
            "Versions of gonogo that may read the file, such as `>=0.1`.",
        ),
        key(
            "service",
            Text,
            Required,
            "Name of the service: 1 to 64 of `A-Z a-z 0-9 . _ + -`, a letter, digit or `_` first.",
        ),
        key(
            "version",
            Table(&VERSION),
            Optional,
            "Template of every version. With it, any well-formed version name is known.",
        ),
        key(
            "versions",
            Map(&VERSION),
            Optional,
            "Versions by name. A key given here replaces the template's whole key.",
        ),
        key(
            "environments",
            Map(&ENVIRONMENT),
            Required,
            "Environments by name; at least one.",
        ),
        key(
            "break_glass",
            Map(&BREAK_GLASS),
            Optional,
            "Policies by name: who may do without missing approvals in an emergency, and what that costs.",
        ),
        key(
            "freeze",
            List(&FREEZE),
            Default("[]"),
            "Times in which nothing new is applied: `[[freeze]]`. They never keep anybody from going back.",
        ),
        key(
            "ledger",
            Table(&LEDGER),
            Default("{}"),
            "How the evidence ledger is watched from outside.",
        ),
        key(
            "oidc",
            Table(&OIDC),
            Optional,
            "An issuer whose tokens `gonogo serve` accepts.",
        ),
        key(
            "server",
            Table(&SERVER),
            Default("{}"),
            "How often callers of `gonogo serve` may ask, and under which names.",
        ),
        key(
            "workflow",
            Table(&WORKFLOW),
            Default("{}"),
            "The workflow service that carries out what is applied where `apply_by` says so. Each key has a variable that wins over it: `GONOGO_WORKFLOW_` and the key in capitals.",
        ),
        key(
            "dry_run",
            Table(&DRY_RUN),
            Optional,
            "How dry runs are run and judged. A file may hold this section alone.",
        ),
        key("suite", Table(&SUITE), Default("{}"), "How suites are run."),
        key(
            "suites",
            Map(&TARGET),
            Optional,
            "Suites by name: what can be run, and what its report is. A file may hold suites without environments and versions.",
        ),
        key(
            "profiles",
            Map(&PROFILE),
            Optional,
            "Profiles by name: which suites run together. `quick` and `focused` (build, lint, unit), `ci` (these and recorded) and `full` (all) exist always and may be replaced.",
        ),
        key(
            "owners",
            TextMap,
            Default("{}"),
            "Who owns which files: patterns as in CODEOWNERS, relative to the repository's top, and owners with spaces between. The longest pattern decides; it comes before a CODEOWNERS file.",
        ),
        key(
            "record",
            Map(&RECORD),
            Optional,
            "Recordings by name: services that `gonogo record --name NAME -- …` records and plays. A file may hold recordings alone.",
        ),
        key(
            "perf",
            MapBeside(&PERF, &PERF_KINDS),
            Optional,
            "Performance budgets by name: what a figure may be, and how it is measured. A file may hold these alone.",
        ),
        key(
            "webhooks",
            Map(&WEBHOOK),
            Optional,
            "Webhooks by name: who is told what happens.",
        ),
        key(
            "slo",
            Table(&SLO),
            Default("{}"),
            "What gonogo is held to, as `gonogo slo report` judges it.",
        ),
        key(
            "telemetry",
            Table(&TELEMETRY),
            Default("{}"),
            "What gonogo tells of itself while it works.",
        ),
        key(
            "strategies",
            Map(&STRATEGY),
            Optional,
            "Strategies by name. `default` exists always and may be replaced.",
        ),
        key(
            "checks",
            Map(&CHECKS),
            Optional,
            "Checks by name. `default` exists always and may be replaced.",
        ),
    ],
};

/// `[version]` and `[versions."…"]`.
pub(super) static VERSION: Section = Section {
    keys: &[
        key(
            "run",
            Texts,
            Required,
            "Program and arguments. `{version}` and `{port}` are replaced; an argument equal to an artifact's path becomes the path of its kept copy. May stand in the template or in the version.",
        ),
        key(
            "artifacts",
            Texts,
            Default("[]"),
            "Files that make up the version, relative to this file or absolute. Their bytes are part of what is approved. `{version}` is replaced.",
        ),
        key(
            "env",
            TextMap,
            Default("{}"),
            "Environment by value. `{version}` is replaced. Never secrets.",
        ),
        key(
            "env_from",
            Texts,
            Default("[]"),
            "Names of variables taken over from the agent's environment; the place for secrets.",
        ),
        key(
            "port_env",
            Text,
            Default("\"PORT\""),
            "Variable that carries the port.",
        ),
        key(
            "protocol",
            Choice(&["http1", "h2c"]),
            Default("\"http1\""),
            "HTTP version spoken to the service; `h2c` is HTTP/2 without TLS, with prior knowledge.",
        ),
        key(
            "ready",
            Table(&READY),
            Default("{ tcp = true }"),
            "How the version says that it is ready.",
        ),
        key(
            "drain",
            Table(&DRAIN),
            Default("{}"),
            "How the version is stopped.",
        ),
    ],
};

/// `ready = { … }`.
pub(super) static READY: Section = Section {
    keys: &[
        key(
            "http",
            Text,
            Optional,
            "`GET` of this path must answer 2xx. Either this or `tcp = true`.",
        ),
        key("tcp", Flag, Optional, "The port must accept a connection."),
        key(
            "interval",
            Span,
            Default("\"100ms\""),
            "Time between probes, at least 10ms.",
        ),
        key("timeout", Span, Default("\"1s\""), "Time for one probe."),
        key(
            "within",
            Span,
            Default("\"15s\""),
            "Time to become ready; then the release rolls back.",
        ),
    ],
};

/// `drain = { … }`.
pub(super) static DRAIN: Section = Section {
    keys: &[
        key(
            "signal",
            Choice(&SIGNALS),
            Default("\"TERM\""),
            "Signal that asks the process to stop.",
        ),
        key(
            "within",
            Span,
            Default("\"10s\""),
            "Time for requests in flight, and then again for the process, before they are cut.",
        ),
    ],
};

/// Signals that ask a process to stop.
pub(super) const SIGNALS: [&str; 6] = ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"];

/// `[environments.NAME]`.
pub(super) static ENVIRONMENT: Section = Section {
    keys: &[
        key(
            "target",
            Choice(&["host"]),
            Required,
            "Where versions run: `host` is this machine, behind the traffic agent.",
        ),
        key(
            "listen",
            Text,
            Required,
            "IP address and port that the agent listens on, such as `127.0.0.1:8080`.",
        ),
        key(
            "sticky_cookie",
            Text,
            Optional,
            "Name of a cookie that keeps a client's place in the split, so that a growing canary only moves clients towards it. Without it every request is shared out anew.",
        ),
        key(
            "gates",
            Either(&["none"], &GATES),
            Required,
            "Gates that must pass first. `none` demands none; silence is an error.",
        ),
        key(
            "approval",
            Either(&["self"], &APPROVAL),
            Required,
            "Who must approve. `self` lets the requester's own key approve; silence is an error.",
        ),
        key(
            "evidence",
            Choice(&["durable", "witnessed"]),
            Default("\"durable\""),
            "What a record must be before traffic moves towards the new version: on this machine's disk, or also covered by a checkpoint that a quorum of the witnesses in `ledger.policy` cosigned. Going back never waits for witnesses.",
        ),
        key(
            "apply_by",
            Choice(&["here", "workflow"]),
            Default("\"here\""),
            "Who carries out what is applied: gonogo itself, or the service of `[workflow]`. The variable `GONOGO_APPLY_BY` wins over it.",
        ),
        key(
            "strategy",
            Text,
            Default("\"default\""),
            "Name of a strategy.",
        ),
        key(
            "checks",
            Text,
            Default("\"default\""),
            "Name of a set of checks.",
        ),
    ],
};

/// `[ledger]`.
pub(super) static LEDGER: Section = Section {
    keys: &[
        key(
            "policy",
            Text,
            Optional,
            "File with a C2SP tlog-policy, relative to this file or absolute: which witnesses cosign the ledger's checkpoints, where they are, and how many must.",
        ),
        key(
            "witness_within",
            Span,
            Default("\"1s\""),
            "Time for all witnesses together, 100ms to 2s.",
        ),
    ],
};

/// `[strategies.NAME]`.
pub(super) static STRATEGY: Section = Section {
    keys: &[
        key(
            "stages",
            List(&STAGE),
            Default("[{ weight = \"5%\" }, { weight = \"25%\" }, { weight = \"50%\" }]"),
            "Shares of traffic on the way; each greater than the one before, between 0% and 100%. Promotion to 100% follows by itself.",
        ),
        key(
            "soak",
            Span,
            Default("\"30s\""),
            "Time to watch after promotion while the old version is kept warm; at least two samples.",
        ),
        key(
            "promote_within",
            Span,
            Default("\"30s\""),
            "Time for promotion to be measured; at least two samples.",
        ),
        key(
            "sample_every",
            Span,
            Default("\"500ms\""),
            "Time between samples, 100ms to 60s. A fault shows at most this late.",
        ),
    ],
};

/// One of `stages`.
pub(super) static STAGE: Section = Section {
    keys: &[
        key(
            "weight",
            Share,
            Required,
            "Share of new requests, in steps of 0.01%.",
        ),
        key(
            "bake",
            Span,
            Default("\"10s\""),
            "Shortest time in the stage.",
        ),
        key(
            "within",
            Span,
            Default("\"10m\""),
            "Longest time in the stage; without proof by then the release rolls back.",
        ),
    ],
};

/// `gates = { … }`.
pub(super) static GATES: Section = Section {
    keys: &[
        key(
            "dry_run",
            Table(&DRY_RUN_GATE),
            Optional,
            "A dry run of exactly the version's artifacts must be signed off. Rollbacks do not wait for it.",
        ),
        key(
            "verdict",
            Table(&VERDICT_GATE),
            Optional,
            "The gates over the tree that the version's artifacts were built from must have been judged. Either this or `dry_run`; the policy can demand a dry run too. Rollbacks do not wait for it.",
        ),
    ],
};

/// `verdict = { … }`.
pub(super) static VERDICT_GATE: Section = Section {
    keys: &[
        key(
            "lane",
            Choice(&["full", "certification"]),
            Default("\"full\""),
            "Which question the verdict must answer.",
        ),
        key(
            "max_age",
            Span,
            Required,
            "How old the verdict may be when the plan is applied.",
        ),
        key(
            "allow_excused",
            Flag,
            Default("false"),
            "Whether a verdict counts that stands on waivers, quarantines or the rollback mode.",
        ),
    ],
};

/// `dry_run = { … }`.
pub(super) static DRY_RUN_GATE: Section = Section {
    keys: &[
        key(
            "max_age",
            Span,
            Required,
            "How old the sign-off may be when the plan is applied.",
        ),
        key(
            "min_duration",
            Span,
            Optional,
            "The least run time that counts: what the command lived, at most what was declared, without what nobody saw. Absent: any length.",
        ),
        key(
            "min_uptime",
            Share,
            Optional,
            "The least uptime of the run, by the bound that its sign-off was judged by. Absent: what the sign-off demanded.",
        ),
        key(
            "allow_warnings",
            Flag,
            Default("false"),
            "Whether a sign-off counts that passed because `allow_warnings` accepted its warnings. What a rule of `allow` accepts always counts.",
        ),
        key(
            "binding",
            Choice(&["executed", "mentioned"]),
            Default("\"executed\""),
            "`executed`: an artifact was the program, or the file that a known interpreter was told to run. `mentioned`: the command only had to name one.",
        ),
    ],
};

/// `[checks.NAME]`.
pub(super) static CHECKS: Section = Section {
    keys: &[
        key(
            "min_requests",
            Count,
            Default("100"),
            "Fewest requests of the new version in each stage before anything passes; at least 1.",
        ),
        key(
            "errors",
            Table(&ERRORS),
            Default("{}"),
            "The share of requests answered with 5xx or not at all.",
        ),
        key(
            "client_errors",
            Table(&CLIENT_ERRORS),
            Default("{}"),
            "The share of requests answered with 4xx, or left by the client before the answer was complete.",
        ),
        key(
            "slow",
            Table(&SLOW),
            Default("{}"),
            "The share of answers that are slow.",
        ),
        key(
            "alpha_abort",
            Share,
            Default("\"1%\""),
            "Chance that a healthy release is aborted, over all looks; above 0%, at most 50%.",
        ),
        key(
            "alpha_promote",
            Share,
            Default("\"5%\""),
            "Chance that a pass is wrong, per rate, over all looks; above 0%, at most 50%.",
        ),
    ],
};

/// `errors = { … }`.
pub(super) static ERRORS: Section = Section {
    keys: &[
        key(
            "margin",
            Share,
            Default("\"1%\""),
            "The new version's rate must be shown to exceed stable's by less than this.",
        ),
        key(
            "limit",
            Share,
            Default("\"2%\""),
            "The rate may not exceed this, whatever stable does.",
        ),
    ],
};

/// `client_errors = { … }`.
pub(super) static CLIENT_ERRORS: Section = Section {
    keys: &[
        key(
            "margin",
            Share,
            Default("\"5%\""),
            "The new version's share must be shown to exceed stable's by less than this.",
        ),
        key(
            "limit",
            Share,
            Default("\"50%\""),
            "The share may not exceed this, whatever stable does.",
        ),
    ],
};

/// `slow = { … }`.
pub(super) static SLOW: Section = Section {
    keys: &[
        key(
            "over",
            Span,
            Default("\"250ms\""),
            "An answer that takes longer is slow, from request head to the end of the answer.",
        ),
        key(
            "margin",
            Share,
            Default("\"2%\""),
            "The new version's share must be shown to exceed stable's by less than this.",
        ),
        key(
            "limit",
            Share,
            Default("\"10%\""),
            "The share may not exceed this, whatever stable does.",
        ),
    ],
};

impl Section {
    /// Returns the names of the section's keys.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|k| k.name)
    }

    /// Returns the default of `name` without TOML's quotes; `None` if it has none.
    pub(super) fn default_text(&self, name: &str) -> Option<&'static str> {
        self.keys
            .iter()
            .find(|k| k.name == name)
            .and_then(|k| match k.need {
                Default(toml) => Some(toml.trim_matches('"')),
                Required | Optional => None,
            })
    }
}

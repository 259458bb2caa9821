//! Reads `gates.toml`.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::Span;

use super::check::Budgets;
use super::read_check::check;
use super::{BUILT_IN, Check, Computed, Defaults, Gate, Lane, Mode, Policy, SCHEMA, Severity};
use crate::strict::{self, Fault, Faults, Item, Node, Table};

const DAY: u64 = 86_400;

/// Longest waiver and longest quarantine that a policy can admit.
const LONGEST: Span = Span::from_secs(30 * DAY);

/// Longest rollback mode.
const LONGEST_MODE: Span = Span::from_secs(14 * DAY);

/// Most gates.
const GATES: usize = 1_000;

pub(super) fn policy(text: &str) -> Result<Policy, Vec<Fault>> {
    let root = strict::parse(text).map_err(|fault| vec![fault])?;
    let faults = Faults::default();
    let policy = root_of(&faults, &root);
    let found = faults.into_vec();
    match policy {
        Some(policy) if found.is_empty() => Ok(policy),
        _ if found.is_empty() => Err(vec![Fault {
            line: 0,
            key: String::new(),
            text: "it cannot be read".into(),
        }]),
        _ => Err(found),
    }
}

fn root_of(faults: &Faults, node: &Node) -> Option<Policy> {
    let root = Table::open(faults, "", node)?;
    let schema = root.need("schema", root.text("schema"));
    if let Some(schema) = schema.filter(|s| s != SCHEMA) {
        root.refuse("schema", format!("expected `{SCHEMA}`, found `{schema}`"));
    }
    let defaults = match root.table("defaults") {
        Some(table) => defaults(table),
        None => DEFAULTS,
    };
    let mode = root.table("mode").and_then(mode).unwrap_or(Mode::Strict);
    let aliases = root.table("aliases").map(aliases).unwrap_or_default();
    let approvers = root.table("approvers").map(approvers);
    let mut gates = Vec::new();
    if let Some(table) = root.need("gates", root.table("gates")) {
        if table.entries().is_empty() {
            root.refuse("gates", "there is none, so nothing would be judged");
        }
        if table.entries().len() > GATES {
            root.refuse("gates", format!("there are more than {GATES}"));
        }
        for (id, node) in table.entries().iter().take(GATES) {
            gates.extend(gate(faults, id, node, &defaults));
        }
        if !gates.is_empty() && gates.iter().all(|g| !g.blocking) {
            root.refuse(
                "gates",
                "none of them blocks, so nothing would ever be held",
            );
        }
    }
    let contracts = gates
        .iter()
        .filter(|g| matches!(g.check, Check::Contract { .. }));
    if contracts.count() > 1 {
        root.refuse("gates", "a policy has one certification contract");
    }
    let bundle = root
        .table("bundle")
        .and_then(|table| super::read_bundle::bundle(table, &gates));
    root.finish();
    Some(Policy {
        defaults,
        mode,
        aliases,
        approvers,
        bundle,
        gates,
    })
}

const DEFAULTS: Defaults = Defaults {
    max_age: Span::from_secs(DAY),
    clock_skew: Span::from_secs(300),
    waiver_max: LONGEST,
    waiver_soon: Span::from_secs(3 * DAY),
    quarantine_max: Span::from_secs(14 * DAY),
    quarantine_soon: Span::from_secs(2 * DAY),
    quarantine_idle: Span::from_secs(7 * DAY),
    quarantine_per_target: 3,
    flaky_per_target: 3,
    flaky_percent: 5,
    too_fast_percent: 10,
    too_fast_runs: 5,
    excused_passes: true,
};

fn defaults(table: Table<'_>) -> Defaults {
    let d = DEFAULTS;
    let bounded = |key: &'static str, default: Span, most: Span| {
        let span: Span = table.parsed(key).unwrap_or(default);
        if span > most {
            table.refuse(key, format!("it is more than {most}"));
        }
        span
    };
    let positive = |key: &'static str, default: Span| {
        let span: Span = table.parsed(key).unwrap_or(default);
        if span == Span::ZERO {
            table.refuse(key, "it is nothing, so nothing could pass");
        }
        span
    };
    let percent = |key: &'static str, default: u64| {
        let n = table.count(key).unwrap_or(default);
        if n > 100 {
            table.refuse(key, "it is more than 100 per cent");
        }
        n
    };
    let made = Defaults {
        max_age: positive("max_age", d.max_age),
        clock_skew: bounded("clock_skew", d.clock_skew, Span::from_secs(3_600)),
        waiver_max: bounded("waiver_max", d.waiver_max, LONGEST),
        waiver_soon: bounded("waiver_soon", d.waiver_soon, LONGEST),
        quarantine_max: bounded("quarantine_max", d.quarantine_max, LONGEST),
        quarantine_soon: bounded("quarantine_soon", d.quarantine_soon, LONGEST),
        quarantine_idle: bounded("quarantine_idle", d.quarantine_idle, LONGEST),
        quarantine_per_target: table
            .count("quarantine_per_target")
            .unwrap_or(d.quarantine_per_target),
        flaky_per_target: table
            .count("flaky_per_target")
            .unwrap_or(d.flaky_per_target),
        flaky_percent: percent("flaky_percent", d.flaky_percent),
        too_fast_percent: percent("too_fast_percent", d.too_fast_percent),
        too_fast_runs: table.count("too_fast_runs").unwrap_or(d.too_fast_runs),
        excused_passes: table
            .word("excused", &[("pass", true), ("hold", false)])
            .unwrap_or(true),
    };
    if made.too_fast_runs == 0 {
        table.refuse("too_fast_runs", "no run makes no median");
    }
    table.finish();
    made
}

fn mode(table: Table<'_>) -> Option<Mode> {
    let rollback = table.need(
        "promotion",
        table.word("promotion", &[("strict", false), ("rollback", true)]),
    );
    let rationale = table.said("rationale");
    let since = table.time("since");
    let expires = table.time("expires");
    let thresholds = table.said("thresholds");
    if rollback == Some(true) {
        let found = (
            table.need("rationale", rationale),
            table.need("since", since),
            table.need("expires", expires),
            table.need("thresholds", thresholds),
        );
        if let (Some(since), Some(expires)) = (found.1, found.2) {
            if expires <= since {
                table.refuse("expires", "it does not lie after `since`");
            } else if expires.since(since) > LONGEST_MODE {
                table.refuse(
                    "expires",
                    format!("it lies more than {LONGEST_MODE} after `since`"),
                );
            }
        }
        table.finish();
        return match found {
            (Some(rationale), Some(since), Some(expires), Some(thresholds)) => {
                Some(Mode::Rollback {
                    rationale,
                    since,
                    expires,
                    thresholds,
                })
            }
            _ => None,
        };
    }
    if rationale.is_some() || since.is_some() || expires.is_some() || thresholds.is_some() {
        table.refuse(
            "promotion",
            "only the rollback mode has a rationale, times and thresholds",
        );
    }
    table.finish();
    Some(Mode::Strict)
}

fn aliases(table: Table<'_>) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for (name, node) in table.entries() {
        let path = table.path(name);
        let Item::List(items) = &node.item else {
            table.refuse(name, "expected a list of names");
            continue;
        };
        let mut names = Vec::new();
        for item in items {
            match &item.item {
                Item::Text(text) if !strict::is_blank(text) => names.push(text.clone()),
                _ => table.refuse(name, format!("`{path}` holds something that is no name")),
            }
        }
        found.insert(name.clone(), names);
    }
    found
}

fn approvers(table: Table<'_>) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    if table.entries().is_empty() {
        table.refuse("", "it lists nobody");
    }
    for (name, node) in table.entries() {
        let Item::List(items) = &node.item else {
            table.refuse(name, "expected a list of key ids");
            continue;
        };
        let mut keys = BTreeSet::new();
        for item in items {
            match &item.item {
                Item::Text(id) if is_key_id(id) => {
                    if found.values().any(|other| other.contains(id)) {
                        table.refuse(name, format!("the key {id} is listed for somebody else"));
                    }
                    keys.insert(id.clone());
                }
                _ => table.refuse(
                    name,
                    "expected ids of keys, 64 hex digits each; `gonogo key show FILE` tells one",
                ),
            }
        }
        if keys.is_empty() {
            table.refuse(name, "no key of theirs is listed");
        }
        found.insert(name.clone(), keys);
    }
    found
}

fn is_key_id(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Whether a text can be an id: lower-case letters, digits, `_`, `-`, `.`.
pub(crate) fn is_id(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.".contains(&b);
    !text.is_empty() && text.len() <= 100 && text.bytes().all(plain)
}

const LANES: [(&str, Lane); 3] = [
    ("preflight", Lane::Preflight),
    ("full", Lane::Full),
    ("certification", Lane::Certification),
];

const SEVERITIES: [(&str, Severity); 4] = [
    ("critical", Severity::Critical),
    ("high", Severity::High),
    ("medium", Severity::Medium),
    ("low", Severity::Low),
];

fn gate(faults: &Faults, id: &str, node: &Node, defaults: &Defaults) -> Option<Gate> {
    let table = Table::open(faults, &format!("gates.{id}"), node)?;
    if BUILT_IN.contains(&id) {
        faults.tell(
            node.line,
            format!("gates.{id}"),
            format!("`gates.{id}`: this gate is always there and is not set by a policy"),
        );
    } else if !is_id(id) {
        faults.tell(
            node.line,
            format!("gates.{id}"),
            format!(
                "`gates.{id}`: an id has lower-case letters, digits, `_`, `-` and `.`, at most 100"
            ),
        );
    }
    let title = table.need("title", table.text("title"));
    let owner = table.need("owner", table.text("owner"));
    // What a gate is for hangs on these two: neither has a default.
    let blocking = table.need("blocking", table.flag("blocking"));
    let lanes = table.need("lanes", table.texts("lanes"));
    let severity = table
        .word("severity", &SEVERITIES)
        .unwrap_or(Severity::High);
    let lanes = lanes.map(|words| lanes_of(&table, &words));
    let check = table
        .need("check", table.table("check"))
        .and_then(|t| check(faults, t, defaults));
    let reproduce = table.texts("reproduce");
    if reproduce.as_ref().is_some_and(Vec::is_empty) {
        table.refuse("reproduce", "it is empty");
    }
    let remediation = table.text("remediation");
    table.finish();
    let check = check?;
    Some(Gate {
        id: id.to_owned(),
        title: title?,
        owner: owner?,
        blocking: blocking?,
        lanes: lanes?,
        severity,
        reproduce: reproduce.unwrap_or_else(|| reproduce_of(id, &check)),
        remediation: remediation.unwrap_or_else(|| remediation_of(&check).to_owned()),
        check,
    })
}

fn lanes_of(table: &Table<'_>, words: &[String]) -> Vec<Lane> {
    let mut found = BTreeSet::new();
    for word in words {
        match LANES.iter().find(|(known, _)| known == word) {
            Some((_, lane)) => {
                if !found.insert(*lane) {
                    table.refuse("lanes", format!("`{word}` stands twice"));
                }
            }
            None => table.refuse(
                "lanes",
                format!("`{word}` is no lane; known: preflight, full, certification"),
            ),
        }
    }
    if words.is_empty() {
        table.refuse("lanes", "it is empty, so the gate would never be asked");
    }
    found.into_iter().collect()
}

fn reproduce_of(id: &str, check: &Check) -> Vec<String> {
    let kept_by = suites(check);
    let words: Vec<&str> = match check {
        Check::Suite(suite) => match &suite.profile {
            Some(profile) => vec!["gonogo", "suite", "run", "--profile", profile],
            None => {
                let mut words = vec!["gonogo", "suite", "run"];
                for target in &suite.targets {
                    words.extend(["--suite", target]);
                }
                words
            }
        },
        Check::Command { argv, .. } => argv.iter().map(String::as_str).collect(),
        Check::Platforms(check) => {
            let profiles = check.platforms.iter().map(|p| p.profile.as_str());
            let mut words = vec!["gonogo", "suite", "run"];
            words.extend(profiles.take(1).flat_map(|profile| ["--profile", profile]));
            words
        }
        Check::Perf { budgets, .. } => {
            let mut words = vec!["gonogo", "perf", "run"];
            if let Budgets::Named(names) = budgets {
                words.extend(names.iter().map(String::as_str));
            }
            words
        }
        // What a run kept, a run writes again.
        _ if !kept_by.is_empty() => {
            let mut words = vec!["gonogo", "suite", "run"];
            words.extend(kept_by.into_iter().flat_map(|suite| ["--suite", suite]));
            words
        }
        _ => vec!["gonogo", "gate", "explain", id],
    };
    words.into_iter().map(str::to_owned).collect()
}

/// The suites whose runs keep what a check reads.
fn suites(check: &Check) -> BTreeSet<&str> {
    let named = match check {
        Check::Coverage { report, .. } => vec![report.as_str()],
        Check::Rubric { check, .. } => vec![check.report.as_str()],
        Check::Computed(Computed::Tracker { export, .. }) => vec![export.as_str()],
        check => check.documents(),
    };
    let of_run = named
        .into_iter()
        .filter_map(|name| name.strip_prefix("run:"));
    of_run
        .filter_map(|name| name.split_once('/'))
        .map(|(suite, _)| suite)
        .collect()
}

const fn remediation_of(check: &Check) -> &'static str {
    match check {
        Check::Suite(_) => "Replay the first failure, mend it, and run the targets again.",
        Check::Schema { .. } | Check::Json { .. } | Check::Counts { .. } => {
            "Read the value that the reason names, mend its cause, and write the document again."
        }
        Check::Percentage { .. } | Check::Coverage { .. } => {
            "Raise what is below its floor; the floor is part of the policy."
        }
        Check::MaxAge { .. } => "Write the document again.",
        Check::Lineage { .. } => "Write all of these documents in one run.",
        Check::Command { .. } => "Run the command, read what it says, and mend that.",
        Check::DryRun { .. } => "Run a dry run of this artifact and have it signed off.",
        Check::Readiness { .. } => "Look at the surface that is not healthy.",
        Check::Drill { .. } => "Hold the drill on the real system.",
        Check::Perf { .. } => "Compare the two trees; mend what costs.",
        Check::Computed(Computed::Tracker { .. }) => {
            "Close the technical issues, or export every state of the tracker again."
        }
        Check::Computed(Computed::Wording { .. }) => {
            "Take the claim out of the text, or certify first: the lane of the contract."
        }
        Check::Computed(Computed::Classification { .. }) => {
            "Give each test file one class, and take out what its class does not admit."
        }
        Check::Computed(Computed::Doubles { .. }) => {
            "Replace the double by the real thing or a recording, or have an exception approved."
        }
        Check::Rubric { .. } => "Raise what is below its floor; the rubric is part of the policy.",
        Check::Platforms(_) => "Run the profile on that platform, on this tree.",
        Check::Contract { .. } => {
            "Close each problem of the hard gate with evidence, and judge again."
        }
    }
}

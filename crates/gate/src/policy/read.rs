//! Reads `gates.toml`.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Share, Span};
use serde_json::Value;

use super::check::{check_pointer, pattern};
use super::{
    Age, BUILT_IN, Baseline, Budgets, Check, Defaults, Floor, Floors, Gate, Lane, Mode, Op,
    Operand, Place, Policy, Rule, SCHEMA, Severity, SuiteCheck, Trees,
};
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
    root.finish();
    Some(Policy {
        defaults,
        mode,
        aliases,
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
    let rationale = table.text("rationale");
    let since = table.time("since");
    let expires = table.time("expires");
    let thresholds = table.text("thresholds");
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
    let words: Vec<&str> = match check {
        Check::Suite(suite) => match &suite.profile {
            Some(profile) => vec!["gonogo", "suite", "run", "--profile", profile],
            None => {
                let mut words = vec!["gonogo", "suite", "run"];
                for target in &suite.targets {
                    words.extend(["--target", target]);
                }
                words
            }
        },
        Check::Command { argv, .. } => argv.iter().map(String::as_str).collect(),
        _ => vec!["gonogo", "gate", "explain", id],
    };
    words.into_iter().map(str::to_owned).collect()
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
    }
}

const TREES: [(&str, Trees); 2] = [("same", Trees::Same), ("any", Trees::Any)];

struct Kind<'a, 'b> {
    table: Table<'a>,
    defaults: &'b Defaults,
}

impl Kind<'_, '_> {
    fn max_age(&self) -> Span {
        let age: Option<Span> = self.table.parsed("max_age");
        if age == Some(Span::ZERO) {
            self.table
                .refuse("max_age", "it is nothing, so nothing could pass");
        }
        age.unwrap_or(self.defaults.max_age)
    }

    fn tree(&self) -> Trees {
        self.table.word("tree", &TREES).unwrap_or(Trees::Same)
    }

    fn age(&self) -> Age {
        Age {
            max_age: self.max_age(),
            tree: self.tree(),
        }
    }

    fn needed(&self, key: &'static str) -> Option<String> {
        self.table.need(key, self.table.text(key))
    }

    fn pointer(&self, key: &'static str) -> Option<String> {
        // The whole document is the empty pointer, which `text` would refuse.
        let text = self.table.text(key)?;
        match check_pointer(&text) {
            Ok(()) => Some(text),
            Err(why) => {
                self.table.refuse(key, why);
                None
            }
        }
    }

    fn needed_pointer(&self, key: &'static str) -> Option<String> {
        self.table.need(key, self.pointer(key))
    }

    fn places(&self, key: &'static str) -> Option<Vec<Place>> {
        let texts = self.table.texts(key)?;
        let mut places = Vec::new();
        for text in texts {
            match Place::parse(&text) {
                Ok(place) => places.push(place),
                Err(why) => self.table.refuse(key, why),
            }
        }
        Some(places)
    }
}

const KINDS: [&str; 13] = [
    "suite",
    "schema",
    "json",
    "counts",
    "percentage",
    "max_age",
    "lineage",
    "command",
    "coverage",
    "dry_run",
    "readiness",
    "drill",
    "perf",
];

fn check(faults: &Faults, outer: Table<'_>, defaults: &Defaults) -> Option<Check> {
    let kinds: Vec<(&str, &Node)> = KINDS
        .into_iter()
        .filter_map(|kind| Some((kind, outer.node(kind)?)))
        .collect();
    let first = kinds.first().copied();
    let second = kinds.get(1);
    let path = outer.path("");
    let line = outer.line;
    if let Some((kind, _)) = second {
        outer.refuse(kind, "a gate has one check");
    } else if first.is_none() && outer.entries().is_empty() {
        faults.tell(line, path.trim_end_matches('.'), "the check is empty");
    }
    let table = first.and_then(|(kind, node)| Table::open(faults, &outer.path(kind), node));
    outer.finish();
    let kind = Kind {
        table: table?,
        defaults,
    };
    let made = match first?.0 {
        "suite" => suite(&kind).map(Check::Suite),
        "schema" => {
            let pointer = kind.pointer("pointer").unwrap_or_else(|| "/schema".into());
            let (document, schema) = (kind.needed("document"), kind.needed("schema"));
            let age = kind.age();
            document
                .zip(schema)
                .map(|(document, schema)| Check::Schema {
                    document,
                    pointer,
                    schema,
                    age,
                })
        }
        "json" => json(&kind),
        "counts" => counts(&kind),
        "percentage" => percentage(&kind),
        "max_age" => {
            let (document, pointer) = (kind.needed("document"), kind.needed_pointer("pointer"));
            let within: Option<Span> = kind.table.need("within", kind.table.parsed("within"));
            let tree = kind.tree();
            match (document, pointer, within) {
                (Some(document), Some(pointer), Some(within)) => Some(Check::MaxAge {
                    place: Place { document, pointer },
                    within,
                    tree,
                }),
                _ => None,
            }
        }
        "lineage" => lineage(&kind),
        "command" => {
            let argv = kind.table.need("argv", kind.table.texts("argv"));
            if argv.as_ref().is_some_and(Vec::is_empty) {
                kind.table.refuse("argv", "it is empty");
            }
            let expect = kind.table.count("expect").unwrap_or(0);
            if expect > 255 {
                kind.table.refuse("expect", "an exit code is at most 255");
            }
            let age = kind.age();
            argv.map(|argv| Check::Command {
                argv,
                expect: i32::try_from(expect).unwrap_or(i32::MAX),
                age,
            })
        }
        "coverage" => coverage(faults, &kind),
        "dry_run" => Some(Check::DryRun {
            min_duration: kind.table.parsed("min_duration").unwrap_or(Span::ZERO),
            min_uptime: kind.table.parsed("min_uptime").unwrap_or(Share::ZERO),
            max_age: kind.max_age(),
        }),
        "readiness" => Some(Check::Readiness {
            surfaces: kind.table.texts("surfaces").unwrap_or_default(),
            max_age: kind.max_age(),
        }),
        "drill" => {
            let (name, max_age) = (kind.needed("name"), kind.max_age());
            name.map(|name| Check::Drill { name, max_age })
        }
        _ => perf(&kind),
    };
    kind.table.finish();
    made
}

fn suite(kind: &Kind<'_, '_>) -> Option<SuiteCheck> {
    let table = &kind.table;
    let profile = table.text("profile");
    let targets = table.texts("targets");
    match (&profile, &targets) {
        (None, None) => {
            table.refuse("profile", "a profile or targets are needed");
            return None;
        }
        (Some(_), Some(_)) => table.refuse("targets", "either a profile or targets"),
        (None, Some(list)) if list.is_empty() => {
            table.refuse("targets", "it is empty, so nothing would be judged");
        }
        _ => {}
    }
    let words = [
        ("required", Baseline::Required),
        ("if_recorded", Baseline::IfRecorded),
        ("ignored", Baseline::Ignored),
    ];
    Some(SuiteCheck {
        profile,
        targets: targets.unwrap_or_default(),
        max_age: kind.max_age(),
        baseline: table
            .word("baseline", &words)
            .unwrap_or(Baseline::IfRecorded),
        min_tests: table.count("min_tests").unwrap_or(1),
    })
}

fn json(kind: &Kind<'_, '_>) -> Option<Check> {
    let document = kind.needed("document");
    let mut rules = Vec::new();
    let tables = kind.table.need("rules", kind.table.tables("rules"))?;
    if tables.is_empty() {
        kind.table
            .refuse("rules", "there is none, so nothing would be judged");
    }
    for table in tables {
        let pointer = table.need("pointer", table.text("pointer"));
        if let Some(Err(why)) = pointer.as_deref().map(check_pointer) {
            table.refuse("pointer", why);
        }
        let word = table.need("op", table.text("op"));
        let value = table
            .node("value")
            .and_then(|node| json_value(&table, node));
        let rule = word.and_then(|word| rule(&table, &word, value));
        table.finish();
        if let (Some(pointer), Some((op, value))) = (pointer, rule) {
            rules.push(Rule { pointer, op, value });
        }
    }
    let age = kind.age();
    Some(Check::Json {
        document: document?,
        rules,
        age,
    })
}

fn json_value(table: &Table<'_>, node: &Node) -> Option<Value> {
    match &node.item {
        Item::Text(text) => Some(Value::String(text.clone())),
        Item::Integer(n) => Some(Value::from(*n)),
        Item::Float(n) => serde_json::Number::from_f64(*n).map(Value::Number),
        Item::Flag(flag) => Some(Value::Bool(*flag)),
        other => {
            table.refuse(
                "value",
                format!(
                    "expected a text, a number or a flag, found {}",
                    other.kind()
                ),
            );
            None
        }
    }
}

fn rule(table: &Table<'_>, word: &str, value: Option<Value>) -> Option<(Op, Operand)> {
    let op = match word {
        "==" => Op::Eq,
        "!=" => Op::Ne,
        "<" => Op::Lt,
        "<=" => Op::Le,
        ">" => Op::Gt,
        ">=" => Op::Ge,
        "contains" => Op::Contains,
        "exists" => {
            if value.is_some() {
                table.refuse("value", "`exists` compares with nothing");
            }
            return Some((Op::Exists, Operand::None));
        }
        "matches" => {
            let Some(Value::String(text)) = value else {
                table.refuse("value", "`matches` needs a pattern");
                return None;
            };
            return match pattern(&text) {
                Ok(regex) => Some((Op::Matches(regex), Operand::Value(Value::String(text)))),
                Err(why) => {
                    table.refuse("value", why);
                    None
                }
            };
        }
        _ => {
            table.refuse(
                "op",
                format!(
                    "`{word}` is not known; known: ==, !=, <, <=, >, >=, contains, matches, exists"
                ),
            );
            return None;
        }
    };
    let value = table.need("value", value)?;
    if matches!(op, Op::Lt | Op::Le | Op::Gt | Op::Ge) && !value.is_number() {
        table.refuse("value", format!("`{word}` compares numbers"));
        return None;
    }
    Some((op, Operand::Value(value)))
}

fn counts(kind: &Kind<'_, '_>) -> Option<Check> {
    let (document, total) = (kind.needed("document"), kind.needed_pointer("total"));
    let parts = kind.table.need("parts", kind.table.texts("parts"))?;
    if parts.is_empty() {
        kind.table.refuse("parts", "there is none");
    }
    for part in &parts {
        if let Err(why) = check_pointer(part) {
            kind.table.refuse("parts", why);
        }
    }
    let age = kind.age();
    Some(Check::Counts {
        document: document?,
        total: total?,
        parts,
        age,
    })
}

fn percentage(kind: &Kind<'_, '_>) -> Option<Check> {
    let document = kind.needed("document");
    let one = kind.pointer("pointer");
    let numerator = kind.pointer("numerator");
    let denominator = kind.pointer("denominator");
    let at_least: Option<Share> = kind.table.need("at_least", kind.table.parsed("at_least"));
    if at_least == Some(Share::ZERO) {
        kind.table
            .refuse("at_least", "nothing would ever be below it");
    }
    let least = kind.table.count("min_denominator");
    let age = kind.age();
    let (numerator, denominator) = match (one, numerator, denominator) {
        (Some(one), None, None) => (one, None),
        (None, Some(part), Some(whole)) => (part, Some(whole)),
        _ => {
            kind.table.refuse(
                "pointer",
                "either `pointer`, or `numerator` and `denominator`",
            );
            return None;
        }
    };
    if denominator.is_none() && least.is_some() {
        kind.table
            .refuse("min_denominator", "there is no denominator");
    }
    Some(Check::Percentage {
        document: document?,
        numerator,
        denominator,
        floor: Floor {
            at_least: at_least?,
            min_denominator: least.unwrap_or(1).max(1),
        },
        age,
    })
}

fn lineage(kind: &Kind<'_, '_>) -> Option<Check> {
    let equal = kind.places("equal").unwrap_or_default();
    let contained = kind.places("contained").unwrap_or_default();
    let times = kind.places("times").unwrap_or_default();
    let within: Option<Span> = kind.table.parsed("within");
    if equal.len() == 1 {
        kind.table.refuse("equal", "one value is equal to itself");
    }
    if !contained.len().is_multiple_of(2) {
        kind.table.refuse(
            "contained",
            "expected pairs: the first is within the second",
        );
    }
    if times.len() == 1 {
        kind.table.refuse("times", "one time is close to itself");
    }
    if times.is_empty() != within.is_none() {
        kind.table
            .refuse("within", "`times` and `within` belong together");
    }
    if equal.is_empty() && contained.is_empty() && times.is_empty() {
        kind.table.refuse("equal", "nothing would be judged");
    }
    let age = kind.age();
    Some(Check::Lineage {
        equal,
        contained: contained
            .chunks_exact(2)
            .map(|pair| (pair[0].clone(), pair[1].clone()))
            .collect(),
        times,
        within: within.unwrap_or(Span::ZERO),
        age,
    })
}

fn coverage(faults: &Faults, kind: &Kind<'_, '_>) -> Option<Check> {
    let report = kind.needed("report");
    let table = kind.table.need("floors", kind.table.table("floors"))?;
    let mut floors = BTreeMap::new();
    for (module, node) in table.entries() {
        let Some(inner) = Table::open(faults, &table.path(module), node) else {
            continue;
        };
        let found = Floors {
            line: inner.parsed("line"),
            function: inner.parsed("function"),
            branch: inner.parsed("branch"),
        };
        if found == Floors::default() {
            inner.refuse("line", "a floor of lines, functions or branches is needed");
        }
        inner.finish();
        floors.insert(module.clone(), found);
    }
    if floors.is_empty() {
        kind.table
            .refuse("floors", "there is none, so nothing would be judged");
    }
    let age = kind.age();
    Some(Check::Coverage {
        report: report?,
        floors,
        age,
    })
}

fn perf(kind: &Kind<'_, '_>) -> Option<Check> {
    let node = kind.table.need("budgets", kind.table.node("budgets"))?;
    let budgets = match &node.item {
        Item::Text(text) if text == "declared" => Budgets::Declared,
        Item::List(_) => {
            let names = kind.table.texts("budgets")?;
            if names.is_empty() {
                kind.table
                    .refuse("budgets", "there is none, so nothing would be judged");
            }
            Budgets::Named(names)
        }
        _ => {
            kind.table
                .refuse("budgets", "expected `declared` or a list of names");
            return None;
        }
    };
    Some(Check::Perf {
        budgets,
        max_age: kind.max_age(),
    })
}

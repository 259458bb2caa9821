//! Reads the checks of gates: one kind each, its keys and nothing else.

use gonogo_core::{Share, Span};
use serde_json::Value;

use super::check::{check_pointer, pattern};
use super::{
    Age, Baseline, Budgets, Check, Defaults, Floor, Op, Operand, Place, Rule, SuiteCheck, Trees,
    read_computed,
};
use crate::strict::{Faults, Item, Node, Table};

const TREES: [(&str, Trees); 2] = [("same", Trees::Same), ("any", Trees::Any)];

pub(super) struct Kind<'a, 'b> {
    pub(super) table: Table<'a>,
    defaults: &'b Defaults,
}

impl Kind<'_, '_> {
    pub(super) fn max_age(&self) -> Span {
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

    pub(super) fn age(&self) -> Age {
        Age {
            max_age: self.max_age(),
            tree: self.tree(),
        }
    }

    pub(super) fn needed(&self, key: &'static str) -> Option<String> {
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

/// Reads the check of a gate.
pub(super) fn check(faults: &Faults, outer: Table<'_>, defaults: &Defaults) -> Option<Check> {
    let kinds: Vec<(&str, &Node)> = KINDS
        .into_iter()
        .chain(read_computed::KINDS)
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
        "coverage" => read_computed::coverage(faults, &kind),
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
        "perf" => perf(&kind),
        word => read_computed::check(word, faults, &kind),
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

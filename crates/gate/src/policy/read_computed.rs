//! Reads the checks over what is computed, and which files a coverage report is about.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Check;
use super::computed::{Computed, PlatformCheck, RubricCheck};
use super::read_check::Kind;
use super::{Age, Floors};
use crate::coverage::{Globs, Modules, Paths, WHOLE};
use crate::platforms::Platform;
use crate::strict::{Faults, Item, Node, Table};
use crate::tracker::Terms;

/// The words of these checks.
pub(super) const KINDS: [&str; 7] = [
    "tracker",
    "wording",
    "classification",
    "doubles",
    "rubric",
    "platforms",
    "contract",
];

pub(super) fn check(word: &str, faults: &Faults, kind: &Kind<'_, '_>) -> Option<Check> {
    match word {
        "tracker" => tracker(kind),
        "wording" => {
            let (texts, rules) = (globs(kind, "texts"), path(kind, "rules"));
            let max_age = kind.max_age();
            Some(Check::Computed(Computed::Wording {
                texts: texts?,
                rules,
                max_age,
            }))
        }
        "classification" => {
            let (files, classes) = (globs(kind, "files"), path(kind, "classes"));
            let classes = kind.table.need("classes", classes);
            let max_age = kind.max_age();
            Some(Check::Computed(Computed::Classification {
                files: files?,
                classes: classes?,
                max_age,
            }))
        }
        "doubles" => {
            let files = globs(kind, "files");
            let (classes, exceptions) = (path(kind, "classes"), path(kind, "exceptions"));
            let max_age = kind.max_age();
            Some(Check::Computed(Computed::Doubles {
                files: files?,
                classes,
                exceptions,
                max_age,
            }))
        }
        "rubric" => {
            let rubric = kind.table.need("rubric", path(kind, "rubric"));
            let report = kind.needed("report");
            let (paths, age) = (paths(kind), kind.age());
            let check = RubricCheck {
                rubric: rubric?,
                report: report?,
                paths,
            };
            Some(Check::Rubric { check, age })
        }
        "platforms" => platforms(faults, kind),
        _ => {
            let file = kind.table.need("file", path(kind, "file"));
            file.map(|file| Check::Contract { file })
        }
    }
}

/// A path of a rule file: in the project, and of the tree.
fn path(kind: &Kind<'_, '_>, key: &'static str) -> Option<String> {
    let text = kind.table.text(key)?;
    let is_inside = !text.starts_with('/')
        && !text.contains('\\')
        && !text.contains(':')
        && text.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !is_inside {
        kind.table
            .refuse(key, format!("`{text}` is no path below the project"));
        return None;
    }
    Some(text)
}

fn globs(kind: &Kind<'_, '_>, key: &'static str) -> Option<Globs> {
    let include = kind.table.need(key, kind.table.texts(key))?;
    let exclude = kind.table.texts("exclude").unwrap_or_default();
    let globs = Globs { include, exclude };
    check_globs(&kind.table, key, "files", &globs).then_some(globs)
}

fn check_globs(table: &Table<'_>, key: &str, module: &str, globs: &Globs) -> bool {
    let all = BTreeMap::from([(module.to_owned(), globs.clone())]);
    let found = Modules::new(&all);
    if let Err(e) = &found {
        table.refuse(key, e.to_string());
    }
    found.is_ok()
}

fn paths(kind: &Kind<'_, '_>) -> Paths {
    Paths {
        strip: kind.table.texts("strip").unwrap_or_default(),
        bases: kind.table.texts("bases").unwrap_or_default(),
    }
}

fn tracker(kind: &Kind<'_, '_>) -> Option<Check> {
    let table = &kind.table;
    let usual = Terms::default();
    let words = |key: &'static str, usual: BTreeSet<String>| -> BTreeSet<String> {
        let given = table.texts(key);
        given.map_or(usual, |all| all.iter().map(|w| w.to_lowercase()).collect())
    };
    let export = kind.needed("export");
    let terms = Terms {
        ends: words("ends", usual.ends),
        docs_types: words("docs_types", usual.docs_types),
        docs_labels: words("docs_labels", usual.docs_labels),
        docs_may_remain: table
            .flag("docs_may_remain")
            .unwrap_or(usual.docs_may_remain),
    };
    let max_age = kind.max_age();
    Some(Check::Computed(Computed::Tracker {
        export: export?,
        terms,
        max_age,
    }))
}

fn platforms(faults: &Faults, kind: &Kind<'_, '_>) -> Option<Check> {
    let profile = kind.needed("profile");
    let required = kind.table.need("required", kind.table.table("required"));
    let optional = kind.table.table("optional");
    let max_age = kind.max_age();
    let (profile, required) = (profile?, required?);
    if required.entries().is_empty() {
        kind.table
            .refuse("required", "there is none, so nothing would be judged");
    }
    let mut all: Vec<Platform> = Vec::new();
    for (table, is_required) in [(Some(&required), true), (optional.as_ref(), false)] {
        let Some(table) = table else { continue };
        for (name, node) in table.entries() {
            let variant = variant(faults, &table.path(name), node);
            if all.iter().any(|p| p.name == *name) {
                table.refuse(name, "it stands twice");
            }
            all.push(Platform {
                name: name.clone(),
                variant,
                required: is_required,
                profile: profile.clone(),
            });
        }
    }
    Some(Check::Platforms(PlatformCheck {
        platforms: all,
        max_age,
    }))
}

fn variant(faults: &Faults, path: &str, node: &Node) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let Some(table) = Table::open(faults, path, node) else {
        return found;
    };
    for (key, value) in table.entries() {
        match &value.item {
            Item::Text(text) if !crate::strict::is_blank(text) => {
                found.insert(key.clone(), text.clone());
            }
            other => table.refuse(
                key,
                format!("expected text in quotes, found {}", other.kind()),
            ),
        }
    }
    if found.is_empty() {
        faults.tell(
            node.line,
            path,
            format!("`{path}`: it says no variant, so any run would do"),
        );
    }
    found
}

pub(super) fn coverage(faults: &Faults, kind: &Kind<'_, '_>) -> Option<Check> {
    let report = kind.needed("report");
    let mut modules = modules(faults, kind);
    let floors = floors(faults, kind, "floors");
    let targets = floors_or_none(faults, kind);
    let floors = kind.table.need("floors", floors)?;
    if floors.is_empty() {
        kind.table
            .refuse("floors", "there is none, so nothing would be judged");
    }
    for (name, target) in &targets {
        let floor = floors.get(name);
        let pairs = floor.map(|f| {
            [
                (f.line, target.line),
                (f.function, target.function),
                (f.branch, target.branch),
            ]
        });
        match pairs {
            None => kind
                .table
                .refuse("targets", format!("`{name}` has a target and no floor")),
            Some(pairs) if pairs.iter().any(|(floor, t)| t.is_some() && t < floor) => {
                kind.table.refuse(
                    "targets",
                    format!("the target of `{name}` is below its floor"),
                )
            }
            Some(_) => {}
        }
    }
    for name in floors.keys() {
        if name == WHOLE || modules.contains_key(name) {
            continue;
        }
        // A name that is a pattern means the files that it matches.
        if !name.contains(['/', '*', '.']) {
            let text = format!(
                "`{name}` is no module: say which files it has under `modules`, or use a pattern such as `src/**/*.rs`"
            );
            kind.table.refuse("floors", text);
            continue;
        }
        let globs = Globs {
            include: vec![name.clone()],
            exclude: Vec::new(),
        };
        if check_globs(&kind.table, "floors", name, &globs) {
            modules.insert(name.clone(), globs);
        }
    }
    let (paths, age): (Paths, Age) = (paths(kind), kind.age());
    Some(Check::Coverage {
        report: report?,
        modules,
        paths,
        floors,
        targets,
        age,
    })
}

/// `modules = { core = ["crates/core/src/**/*.rs"] }`; `!` before a pattern takes files out.
fn modules(faults: &Faults, kind: &Kind<'_, '_>) -> BTreeMap<String, Globs> {
    let mut found = BTreeMap::new();
    let Some(table) = kind.table.table("modules") else {
        return found;
    };
    for (name, node) in table.entries() {
        let path = table.path(name);
        let Item::List(items) = &node.item else {
            let text = format!("`{path}`: expected a list of patterns");
            faults.tell(node.line, &path, text);
            continue;
        };
        let mut globs = Globs::default();
        for item in items {
            match &item.item {
                Item::Text(text) => match text.strip_prefix('!') {
                    Some(out) => globs.exclude.push(out.to_owned()),
                    None => globs.include.push(text.clone()),
                },
                other => table.refuse(name, format!("expected a pattern, found {}", other.kind())),
            }
        }
        if check_globs(&table, name, name, &globs) {
            found.insert(name.clone(), globs);
        }
    }
    found
}

fn floors_or_none(faults: &Faults, kind: &Kind<'_, '_>) -> BTreeMap<String, Floors> {
    floors(faults, kind, "targets").unwrap_or_default()
}

fn floors(
    faults: &Faults,
    kind: &Kind<'_, '_>,
    key: &'static str,
) -> Option<BTreeMap<String, Floors>> {
    let table = kind.table.table(key)?;
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
            inner.refuse("line", "a share of lines, functions or branches is needed");
        }
        inner.finish();
        floors.insert(module.clone(), found);
    }
    Some(floors)
}

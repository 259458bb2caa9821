//! Which packages a Cargo workspace has, and which targets they have: as Cargo finds them, from manifests and names of files.

use crate::propose::{join, text};
use crate::replay::plan::Context;

/// Most packages of a workspace that are looked at.
const MEMBERS: usize = 2000;

/// A package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub name: String,
    /// Whether a command without a selection means it.
    pub is_default: bool,
    targets: Vec<Target>,
    /// Its features, its optional dependencies among them.
    features: Vec<String>,
    /// What it depends on, by the names that it uses.
    dependencies: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Lib,
    Bin,
    Test,
    Example,
    Bench,
    Doc,
}

/// What is built and run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub kind: Kind,
    name: String,
    /// Relative to the package.
    path: String,
}

impl Target {
    /// The flags that select it.
    pub(super) fn flags(&self) -> Vec<String> {
        let named = |flag: &str| vec![flag.to_owned(), self.name.clone()];
        match self.kind {
            Kind::Lib => vec!["--lib".to_owned()],
            Kind::Doc => vec!["--doc".to_owned()],
            Kind::Bin => named("--bin"),
            Kind::Test => named("--test"),
            Kind::Example => named("--example"),
            Kind::Bench => named("--bench"),
        }
    }
}

impl Member {
    /// Whether a command that selects this package alone may name the feature: `feature`, `package/feature`.
    pub(super) fn has_feature(&self, feature: &str) -> bool {
        match feature.split_once('/') {
            Some((package, _)) => {
                let package = package.trim_end_matches('?');
                package == self.name || self.dependencies.iter().any(|known| known == package)
            }
            None => feature == "default" || self.features.iter().any(|known| known == feature),
        }
    }

    /// The target that a report means: `crate (src/lib.rs)`, `crate (doc-tests)`, or the crate alone if one target has that name.
    pub(super) fn target(&self, suite: &str) -> Option<Target> {
        let (name, source) = match suite
            .strip_suffix(')')
            .and_then(|suite| suite.rsplit_once(" ("))
        {
            Some((name, source)) => (name, Some(source)),
            None => (suite, None),
        };
        let same = |t: &&Target| underscored(&t.name) == underscored(name);
        let mut found = match source {
            Some("doc-tests") => {
                let lib = self
                    .targets
                    .iter()
                    .find(|t| t.kind == Kind::Lib && same(t))?;
                return Some(Target {
                    kind: Kind::Doc,
                    ..lib.clone()
                });
            }
            Some(source) => self
                .targets
                .iter()
                .filter(|t| t.path == source && same(t))
                .collect::<Vec<_>>(),
            None => self.targets.iter().filter(same).collect(),
        };
        let first = found.pop()?;
        found.is_empty().then(|| first.clone())
    }
}

pub(super) fn underscored(name: &str) -> String {
    name.replace('-', "_")
}

/// Whether a package spec (`name`, `name@1.0`, a pattern with `*`) means a package.
pub(super) fn is_of(spec: &str, name: &str) -> bool {
    let spec = spec.rsplit(['#', '/']).next().unwrap_or(spec);
    let spec = spec.split(['@', ':']).next().unwrap_or(spec);
    is_like(spec, name)
}

/// A pattern with `*` and `?`.
fn is_like(pattern: &str, text: &str) -> bool {
    let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut i, mut j, mut star, mut mark) = (0, 0, None, 0);
    while j < t.len() {
        if i < p.len() && (p[i] == '?' || p[i] == t[j]) && p[i] != '*' {
            (i, j) = (i + 1, j + 1);
        } else if i < p.len() && p[i] == '*' {
            (star, mark) = (Some(i), j);
            i += 1;
        } else if let Some(at) = star {
            mark += 1;
            (i, j) = (at + 1, mark);
        } else {
            return false;
        }
    }
    p[i..].iter().all(|c| *c == '*')
}

/// The packages of the workspace that a command in the target's directory is in.
pub(super) fn members(
    context: &Context<'_>,
    manifest: Option<&str>,
) -> Result<Vec<Member>, String> {
    let own = match manifest {
        Some(path) => join(&context.dir, path).filter(|path| context.files.exists(path)),
        None => above(context, &context.dir).find(|path| context.files.exists(path)),
    };
    let own = own.ok_or("no `Cargo.toml` is there")?;
    let table = table(context, &own)?;
    let dir = own
        .strip_suffix("Cargo.toml")
        .unwrap_or_default()
        .trim_end_matches('/')
        .to_owned();
    let is_root = table.contains_key("workspace");
    let mut root = (dir.clone(), table.clone());
    if !is_root {
        let outer = above(context, dir.rsplit_once('/').map_or("", |(up, _)| up))
            .filter(|_| !dir.is_empty());
        for path in outer {
            if let Ok(table) = self::table(context, &path)
                && table.contains_key("workspace")
            {
                root = (
                    path.strip_suffix("Cargo.toml")
                        .unwrap_or_default()
                        .trim_end_matches('/')
                        .to_owned(),
                    table,
                );
                break;
            }
        }
    }
    let (root_dir, root_table) = root;
    let workspace = root_table
        .get("workspace")
        .and_then(toml::Value::as_table)
        .cloned()
        .unwrap_or_default();
    let mut dirs = vec![root_dir.clone()];
    let listed = |key: &str| -> Vec<String> {
        let list = workspace.get(key).and_then(toml::Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect()
    };
    for pattern in listed("members") {
        expand(context, &root_dir, &pattern, &mut dirs);
    }
    let mut excluded = Vec::new();
    for pattern in listed("exclude") {
        expand(context, &root_dir, &pattern, &mut excluded);
    }
    let mut default = Vec::new();
    for pattern in listed("default-members") {
        expand(context, &root_dir, &pattern, &mut default);
    }
    if !dirs.contains(&dir) {
        dirs.push(dir.clone());
    }
    dirs.retain(|d| !excluded.contains(d) || *d == dir);
    dirs.sort();
    dirs.dedup();
    if dirs.len() > MEMBERS {
        return Err(format!("the workspace has more than {MEMBERS} packages"));
    }
    let has_own = table.contains_key("package");
    let mut members = Vec::new();
    for member in dirs {
        let path = join(&member, "Cargo.toml").unwrap_or_default();
        let Ok(table) = self::table(context, &path) else {
            continue;
        };
        let Some(mut package) = package(context, &member, &table) else {
            continue;
        };
        package.is_default = match (has_own && !is_root, default.is_empty()) {
            (true, _) => member == dir,
            (false, false) => default.contains(&member),
            (false, true) => !has_own || member == dir,
        };
        members.push(package);
    }
    Ok(members)
}

/// Manifests in a directory and above it.
fn above<'a>(context: &'a Context<'_>, dir: &str) -> impl Iterator<Item = String> + use<'a> {
    let _ = context;
    let mut next = Some(dir.to_owned());
    std::iter::from_fn(move || {
        let dir = next.take()?;
        next = match dir.rsplit_once('/') {
            Some((up, _)) => Some(up.to_owned()),
            None if dir.is_empty() => None,
            None => Some(String::new()),
        };
        join(&dir, "Cargo.toml")
    })
}

fn table(context: &Context<'_>, path: &str) -> Result<toml::Table, String> {
    let said = text(context.files, path).ok_or_else(|| format!("`{path}` cannot be read"))?;
    said.parse().map_err(|_| format!("`{path}` is no TOML"))
}

fn expand(context: &Context<'_>, root: &str, pattern: &str, found: &mut Vec<String>) {
    let mut dirs = vec![root.to_owned()];
    for part in pattern
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        let mut below = Vec::new();
        for dir in &dirs {
            if part.contains(['*', '?']) {
                let names = context
                    .files
                    .list(dir)
                    .into_iter()
                    .filter(|name| is_like(part, name) && !name.starts_with('.'));
                below.extend(names.filter_map(|name| join(dir, &name)));
            } else {
                below.extend(join(dir, part));
            }
        }
        below.truncate(MEMBERS + 1);
        dirs = below;
    }
    found.extend(dirs);
}

fn package(context: &Context<'_>, dir: &str, table: &toml::Table) -> Option<Member> {
    let package = table.get("package")?.as_table()?;
    let name = package.get("name")?.as_str()?.to_owned();
    let exists = |path: &str| join(dir, path).is_some_and(|path| context.files.exists(&path));
    let found = |key: &str| {
        package
            .get(key)
            .and_then(toml::Value::as_bool)
            .unwrap_or(true)
    };
    let mut targets = Vec::new();
    let lib = table.get("lib").and_then(toml::Value::as_table);
    let of = |table: Option<&toml::Table>, key: &str| Some(table?.get(key)?.as_str()?.to_owned());
    let lib_path = of(lib, "path").unwrap_or_else(|| "src/lib.rs".to_owned());
    if exists(&lib_path) {
        targets.push(Target {
            kind: Kind::Lib,
            name: of(lib, "name").unwrap_or_else(|| underscored(&name)),
            path: lib_path,
        });
    }
    let kinds = [
        (Kind::Bin, "bin", "src/bin", "autobins"),
        (Kind::Test, "test", "tests", "autotests"),
        (Kind::Example, "example", "examples", "autoexamples"),
        (Kind::Bench, "bench", "benches", "autobenches"),
    ];
    for (kind, key, home, auto) in kinds {
        let mut known: Vec<Target> = Vec::new();
        for entry in table
            .get(key)
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
        {
            let Some(entry) = entry.as_table() else {
                continue;
            };
            let Some(own) = of(Some(entry), "name") else {
                continue;
            };
            let mut usual = vec![format!("{home}/{own}.rs"), format!("{home}/{own}/main.rs")];
            if kind == Kind::Bin {
                usual.push("src/main.rs".to_owned());
            }
            let path =
                of(Some(entry), "path").or_else(|| usual.into_iter().find(|path| exists(path)));
            known.extend(path.map(|path| Target {
                kind,
                name: own,
                path,
            }));
        }
        if found(auto) {
            let mut auto = Vec::new();
            if kind == Kind::Bin && exists("src/main.rs") {
                auto.push((name.clone(), "src/main.rs".to_owned()));
            }
            for entry in join(dir, home)
                .map(|home| context.files.list(&home))
                .unwrap_or_default()
            {
                let main = format!("{home}/{entry}/main.rs");
                if let Some(stem) = entry.strip_suffix(".rs") {
                    auto.push((stem.to_owned(), format!("{home}/{entry}")));
                } else if exists(&main) {
                    auto.push((entry, main));
                }
            }
            for (name, path) in auto {
                if !known.iter().any(|t| t.name == name || t.path == path) {
                    known.push(Target { kind, name, path });
                }
            }
        }
        targets.extend(known);
    }
    let (mut features, mut dependencies) = (Vec::new(), Vec::new());
    features.extend(
        table
            .get("features")
            .and_then(toml::Value::as_table)
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone()),
    );
    for key in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (name, value) in table
            .get(key)
            .and_then(toml::Value::as_table)
            .into_iter()
            .flatten()
        {
            dependencies.push(name.clone());
            if value.get("optional").and_then(toml::Value::as_bool) == Some(true) {
                features.push(name.clone());
            }
        }
    }
    Some(Member {
        features,
        dependencies,
        name,
        is_default: false,
        targets,
    })
}

//! Arrows only go down: compares `cargo metadata` with `crates/edges.toml`, line by line.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::run::{cargo, output, root};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edges {
    floors: Vec<Floor>,
    /// Crates that rules and words may never pull in, directly.
    pure: Pure,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Floor {
    floor: u32,
    crates: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pure {
    floors: Vec<u32>,
    forbidden: Vec<String>,
}

/// Fails on an edge that is not listed, on a listed edge that is gone, and on an arrow that goes up.
pub fn check() -> Result<()> {
    println!("── edges");
    let path = root().join("crates/edges.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let edges: Edges = toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
    let found = found()?;
    let mut wrong = Vec::new();
    let floor_of: BTreeMap<&str, u32> = edges
        .floors
        .iter()
        .flat_map(|f| f.crates.keys().map(|c| (c.as_str(), f.floor)))
        .collect();
    for floor in &edges.floors {
        for (name, allowed) in &floor.crates {
            let Some((inside, outside)) = found.get(name) else {
                wrong.push(format!("`{name}` is listed and does not exist"));
                continue;
            };
            let allowed: BTreeSet<&str> = allowed.iter().map(String::as_str).collect();
            let inside: BTreeSet<&str> = inside.iter().map(String::as_str).collect();
            wrong.extend(
                inside
                    .difference(&allowed)
                    .map(|d| format!("`{name}` uses `{d}`, which is not listed")),
            );
            wrong.extend(
                allowed
                    .difference(&inside)
                    .map(|d| format!("`{name}` does not use `{d}`, which is listed")),
            );
            for d in &inside {
                if floor_of.get(d).is_some_and(|f| *f > floor.floor) {
                    wrong.push(format!(
                        "`{name}` (floor {}) uses `{d}` above it",
                        floor.floor
                    ));
                }
            }
            if edges.pure.floors.contains(&floor.floor) {
                wrong.extend(
                    edges
                        .pure
                        .forbidden
                        .iter()
                        .filter(|f| outside.contains(*f))
                        .map(|f| format!("`{name}` must stay pure and uses `{f}`")),
                );
            }
        }
    }
    wrong.extend(
        found
            .keys()
            .filter(|c| !floor_of.contains_key(c.as_str()))
            .map(|c| format!("`{c}` has no floor")),
    );
    if wrong.is_empty() {
        return Ok(());
    }
    bail!(
        "crates/edges.toml and the crates differ:\n  {}\nA new edge is a reviewed line there.",
        wrong.join("\n  ")
    )
}

type Uses = (BTreeSet<String>, BTreeSet<String>);

/// What each workspace crate uses: crates of the workspace, and others. Development dependencies do not count.
fn found() -> Result<BTreeMap<String, Uses>> {
    let text = output(cargo().args([
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
        "--offline",
    ]))?;
    let value: Value = serde_json::from_str(&text).context("cargo metadata")?;
    let packages = value["packages"]
        .as_array()
        .context("cargo metadata has no packages")?;
    let short = |name: &str| name.strip_prefix("gonogo-").unwrap_or(name).to_owned();
    let ours: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let mut out = BTreeMap::new();
    for package in packages {
        let name = package["name"]
            .as_str()
            .context("a package without a name")?;
        let (mut inside, mut outside) = (BTreeSet::new(), BTreeSet::new());
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            if !dependency["kind"].is_null() {
                continue;
            }
            let used = dependency["name"].as_str().unwrap_or_default();
            if ours.contains(used) {
                inside.insert(short(used));
            } else {
                outside.insert(used.to_owned());
            }
        }
        out.insert(short(name), (inside, outside));
    }
    Ok(out)
}

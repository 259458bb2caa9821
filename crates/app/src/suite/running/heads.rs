//! What is known before anything runs: `environment.json` and `ci_shard_manifest.json`.

use std::collections::BTreeMap;
use std::path::Path;

use gonogo_recorded::Mode;
use gonogo_suite::Summary;
use gonogo_suite::run::Class;
use serde_json::{Value, json};

use super::super::artifacts::RunDir;
use super::super::preflight;
use super::{Plan, Request, system};
use crate::AppError;

/// What is known before anything runs.
pub(super) fn write(
    plan: &Plan<'_>,
    dir: &RunDir,
    summary: &Summary,
    request: &Request,
    versions: &BTreeMap<String, String>,
) -> Result<(), AppError> {
    let of = |classes: &[Class]| -> Vec<&str> {
        let found = plan
            .chosen
            .iter()
            .filter(|(_, s)| classes.contains(&s.class));
        found.map(|(name, _)| *name).collect()
    };
    let (units, suites) = (of(&[Class::Unit, Class::Recorded]), of(&[Class::E2e]));
    let replay: BTreeMap<&str, Option<String>> = plan
        .chosen
        .iter()
        .flat_map(|(_, s)| &s.replay_env)
        .map(|name| (name.as_str(), std::env::var(name).ok()))
        .collect();
    let uname = rustix::system::uname();
    let word = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    dir.write(
        "environment.json",
        &json!({
            "schema": "gonogo.suite.environment.v1",
            "timestamp": plan.started,
            "profile": plan.profile,
            "rerun_from": request.rerun_from,
            "diff_from": summary.diff_from,
            "gonogo": env!("CARGO_PKG_VERSION"),
            "os": system(),
            "host": word(uname.nodename()),
            "cores": std::thread::available_parallelism().map_or(1, usize::from),
            "source": summary.source,
            "git_sha": summary.source.commit,
            "git_branch": summary.source.branch,
            "artifact_dir": summary.artifact_dir,
            "correlation_id": plan.correlation_id,
            "run_id": plan.run_id,
            "config": plan.config.digest,
            "shard": plan.shard,
            "seed": plan.seed,
            "variant": summary.variant,
            "replay_env": replay,
            "tools": tools(plan, versions),
            // One suite after the other; what a suite does itself is its own.
            "parallelism": 1,
            "log_level": std::env::var("RUST_LOG").ok(),
            "vcr_mode": recorded_http(plan),
            "build": of(&[Class::Build]),
            "lint": of(&[Class::Lint]),
            "unit_targets": units,
            "e2e_suites": suites,
        }),
    )?;
    dir.write(
        "ci_shard_manifest.json",
        &json!({
            "schema": "gonogo.suite.shard-manifest.v1",
            "generated_at": plan.started,
            "profile": plan.profile,
            "artifact_dir": summary.artifact_dir,
            "correlation_id": plan.correlation_id,
            "shard": plan.shard,
            "tree": summary.source.tree,
            "selection": {"unit_targets": units, "e2e_suites": suites, "all": summary.selected},
        }),
    )
}

/// The programs that targets begin with and need: where they are, and what version they say they are.
fn tools(plan: &Plan<'_>, versions: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
    let mut tools = BTreeMap::new();
    let mut note = |program: &str, dir: &Path| {
        let found = preflight::program(program, dir);
        let of = |path: &Path| {
            let size = std::fs::metadata(path).map_or(0, |m| m.len());
            json!({"path": path.display().to_string(), "size": size, "version": versions.get(program)})
        };
        let value = found.as_deref().map_or(Value::Null, of);
        tools.insert(program.to_owned(), value);
    };
    for program in versions.keys() {
        note(program, &plan.root);
    }
    for (_, suite) in &plan.chosen {
        if let Some(program) = suite.command.first() {
            note(program, &plan.root.join(&suite.dir));
        }
    }
    tools
}

/// How recorded answers are used by the suites that begin with `gonogo record`, by suite; empty without any.
pub(super) fn recorded_http(plan: &Plan<'_>) -> BTreeMap<String, String> {
    let mut modes = BTreeMap::new();
    for (name, suite) in &plan.chosen {
        let words = suite.command.split(|word| word == "--").next();
        let words = words.unwrap_or_default();
        let is_record =
            words.len() < suite.command.len() && words.iter().take(2).any(|word| word == "record");
        if !is_record {
            continue;
        }
        let option = |flag: &str| {
            let behind = |(n, word): (usize, &String)| match word.strip_prefix(flag)? {
                "" => words.get(n + 1).cloned(),
                value => value.strip_prefix('=').map(str::to_owned),
            };
            words.iter().enumerate().find_map(behind)
        };
        let declared = || {
            let record = plan.config.records.get(&option("--name")?)?;
            let word = match record.mode {
                Mode::Record => "record",
                Mode::Playback => "playback",
                Mode::Auto => "auto",
            };
            Some(word.to_owned())
        };
        if let Some(mode) = option("--mode").or_else(declared) {
            modes.insert((*name).to_owned(), mode);
        }
    }
    modes
}

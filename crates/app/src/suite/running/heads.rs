//! What is known before anything runs: `environment.json` and `ci_shard_manifest.json`.

use std::collections::BTreeMap;
use std::path::Path;

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
            "tools": tools(plan),
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

/// The programs that targets begin with, and where they are.
fn tools(plan: &Plan<'_>) -> BTreeMap<String, Value> {
    let mut tools = BTreeMap::new();
    for (_, suite) in &plan.chosen {
        let Some(program) = suite.command.first() else {
            continue;
        };
        let found = preflight::program(program, &plan.root.join(&suite.dir));
        let of = |path: &Path| {
            let size = std::fs::metadata(path).map_or(0, |m| m.len());
            json!({"path": path.display().to_string(), "size": size})
        };
        tools.insert(program.clone(), found.as_deref().map_or(Value::Null, of));
    }
    tools
}

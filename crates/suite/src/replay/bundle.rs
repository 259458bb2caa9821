//! All of a run's failures with their commands in one file: `replay_bundle.json`.
//!
//! Field names are those that tools of older bundles read. That every command is about something that exists is computed, from what
//! whoever asks knows to exist.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Timestamp, Verdict};
use serde::{Deserialize, Serialize};

use super::{Level, Replay, quote};
use crate::run::{Kind, Summary, TargetResult};

/// The schema.
pub const BUNDLE: &str = "gonogo.suite.replay-bundle.v1";

/// A gate that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedGate {
    /// Its id.
    pub gate_id: String,
    /// For people.
    pub gate_name: String,
    /// What shows it again.
    pub reproduce_command: Vec<String>,
}

/// Where the failures were.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The profile.
    pub profile: String,
    /// Of the shard, if it was one.
    pub shard_kind: Option<String>,
    /// Of the shard.
    pub shard_index: Option<u32>,
    /// Of the shard.
    pub shard_total: Option<u32>,
    /// Tools and their versions.
    pub tools: BTreeMap<String, String>,
    /// Values of the allow-list, secrets left out.
    pub env: BTreeMap<String, String>,
    /// How recorded answers were used, if they were.
    pub vcr_mode: Option<String>,
    /// The commit.
    pub git_sha: Option<String>,
    /// The branch.
    pub git_branch: Option<String>,
    /// The tree that was tested.
    pub tree: String,
    /// Whether the tree is another than the commit's: it cannot be checked out.
    pub dirty: bool,
    /// The system.
    pub os: String,
}

/// A failed target of the class `e2e`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedSuite {
    /// Its name.
    pub suite: String,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// The class of its first failure.
    pub root_cause_class: Option<String>,
    /// It alone, by the runner.
    pub runner_replay: String,
    /// Its own command, whatever its runner is.
    #[serde(alias = "cargo_replay")]
    pub target_replay: String,
    /// Its first failure alone.
    pub targeted_replay: String,
    /// Where its digest is.
    pub digest_path: Option<String>,
    /// Each failure with its command.
    pub replays: Vec<Replay>,
}

/// A failed target of any other class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedUnit {
    /// Its name.
    pub target: String,
    /// What it is for.
    pub class: crate::run::Class,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// The class of its first failure.
    pub root_cause_class: Option<String>,
    /// It alone, by the runner.
    pub runner_replay: String,
    /// Its own command, whatever its runner is.
    #[serde(alias = "cargo_replay")]
    pub target_replay: String,
    /// Its first failure alone.
    pub targeted_replay: String,
    /// Each failure with its command.
    pub replays: Vec<Replay>,
}

/// Counts, and whether the commands can be believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Failed targets of the class `e2e`.
    pub total_failed_suites: u64,
    /// Failed targets of all other classes.
    pub total_failed_units: u64,
    /// Failed gates.
    pub total_failed_gates: u64,
    /// Whether everything that a command names exists. False if there is nothing to name and something failed.
    pub all_commands_reference_valid_targets: bool,
    /// What does not.
    pub invalid_references: Vec<String>,
}

/// The bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`BUNDLE`].
    pub schema: String,
    /// When.
    pub generated_at: Timestamp,
    /// The run's.
    pub correlation_id: String,
    /// The summary that it is made from, relative to the project.
    pub source_summary_path: String,
    /// Runs all of it again.
    pub one_command_replay: String,
    /// Where the failures were.
    pub environment: Environment,
    /// Failed targets of the class `e2e`.
    pub failed_suites: Vec<FailedSuite>,
    /// Failed targets of all other classes.
    pub failed_unit_targets: Vec<FailedUnit>,
    /// Failed gates.
    pub failed_gates: Vec<FailedGate>,
    /// Counts.
    pub summary: Totals,
}

/// Something that a command names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference<'a> {
    /// A declared target.
    Target(&'a str),
    /// A gate of the policy.
    Gate(&'a str),
    /// A program, as the command names it.
    Program(&'a str),
    /// A directory of the project.
    Dir(&'a str),
    /// A file of the project: the summary.
    File(&'a str),
}

/// What a bundle is made from, beside the summary.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// When.
    pub at: Timestamp,
    /// The summary's path, relative to the project.
    pub summary_path: &'a str,
    /// Runs a summary's failures again, as words.
    pub one_command: &'a [String],
    /// Runs one target; its name follows.
    pub one_target: &'a [String],
    /// Each failure's replay, the narrowest of it; by target.
    pub replays: &'a BTreeMap<String, Vec<Replay>>,
    /// The replay of each failed target as a whole.
    pub targets: &'a BTreeMap<String, Replay>,
    /// Gates that failed.
    pub gates: &'a [FailedGate],
    /// Digests by target, as paths.
    pub digests: &'a BTreeMap<String, String>,
    /// What the summary does not say.
    pub environment: &'a Environment,
}

/// Makes it. `exists` says of everything that a command names whether it does.
pub fn bundle(
    summary: &Summary,
    source: Source<'_>,
    exists: &dyn Fn(Reference<'_>) -> bool,
) -> Bundle {
    let failed: Vec<&TargetResult> = summary
        .targets()
        .filter(|t| t.status != Verdict::Pass)
        .collect();
    let mut invalid = BTreeSet::new();
    let mut check = |reference: Reference<'_>| {
        if !exists(reference) {
            invalid.insert(match reference {
                Reference::Target(name) => format!("target {name}"),
                Reference::Gate(name) => format!("gate {name}"),
                Reference::Program(name) => format!("program {name}"),
                Reference::Dir(name) => format!("directory {name}"),
                Reference::File(name) => format!("file {name}"),
            });
        }
    };
    let program = |argv: &[String], check: &mut dyn FnMut(Reference<'_>)| match argv.first() {
        Some(word) => check(Reference::Program(word)),
        None => check(Reference::Program("")),
    };
    program(source.one_command, &mut check);
    check(Reference::File(source.summary_path));
    let (mut suites, mut units) = (Vec::new(), Vec::new());
    for target in &failed {
        let name = target.target.as_str();
        check(Reference::Target(name));
        let none = Vec::new();
        let replays = source.replays.get(name).unwrap_or(&none);
        let whole = source.targets.get(name);
        for replay in replays.iter().chain(whole) {
            program(&replay.argv, &mut check);
            check(Reference::Dir(&replay.dir));
        }
        let own = whole.map_or_else(
            || quote::shell(&target.command),
            |whole| whole.shell.clone(),
        );
        let targeted = replays
            .iter()
            .min_by_key(|r| r.level)
            .filter(|r| r.level < Level::Target);
        let targeted = targeted.map_or_else(|| own.clone(), |replay| replay.shell.clone());
        let by_runner: Vec<String> = source
            .one_target
            .iter()
            .cloned()
            .chain([name.to_owned()])
            .collect();
        program(&by_runner, &mut check);
        let class = target
            .bad
            .iter()
            .find_map(|row| row.cause.as_ref())
            .map(|cause| cause.word().to_owned());
        let runner_replay = quote::shell(&by_runner);
        if target.result_kind == Kind::Suite {
            suites.push(FailedSuite {
                suite: name.to_owned(),
                exit_code: target.exit_code,
                root_cause_class: class,
                runner_replay,
                target_replay: own,
                targeted_replay: targeted,
                digest_path: source.digests.get(name).cloned(),
                replays: replays.clone(),
            });
        } else {
            units.push(FailedUnit {
                target: name.to_owned(),
                class: target.class,
                exit_code: target.exit_code,
                root_cause_class: class,
                runner_replay,
                target_replay: own,
                targeted_replay: targeted,
                replays: replays.clone(),
            });
        }
    }
    for gate in source.gates {
        check(Reference::Gate(&gate.gate_id));
        program(&gate.reproduce_command, &mut check);
    }
    let nothing = failed.is_empty() && source.gates.is_empty();
    if nothing && summary.status != Verdict::Pass {
        invalid.insert("the run failed, and no target or gate of it".to_owned());
    }
    let shard = summary.shard.as_ref();
    Bundle {
        schema: BUNDLE.to_owned(),
        generated_at: source.at,
        correlation_id: summary.correlation_id.clone(),
        source_summary_path: source.summary_path.to_owned(),
        one_command_replay: quote::shell(source.one_command),
        environment: Environment {
            profile: summary.profile.clone(),
            shard_kind: shard.map(|s| s.kind.clone()),
            shard_index: shard.map(|s| s.index),
            shard_total: shard.map(|s| s.total),
            git_sha: summary.source.commit.clone(),
            git_branch: summary.source.branch.clone(),
            tree: summary.source.tree.clone(),
            dirty: summary.source.dirty,
            ..source.environment.clone()
        },
        summary: Totals {
            total_failed_suites: suites.len() as u64,
            total_failed_units: units.len() as u64,
            total_failed_gates: source.gates.len() as u64,
            all_commands_reference_valid_targets: invalid.is_empty(),
            invalid_references: invalid.into_iter().collect(),
        },
        failed_suites: suites,
        failed_unit_targets: units,
        failed_gates: source.gates.to_vec(),
    }
}

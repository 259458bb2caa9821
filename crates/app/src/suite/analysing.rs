//! What a run's failures are, how each is shown again, and what changed since the last good run: the artifacts that people and tools read
//! when something failed. All of it is derived from what the run kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gonogo_core::Verdict;
use gonogo_suite::diff::{self, Change, Diff, Entry, Side, Status};
use gonogo_suite::propose::Files;
use gonogo_suite::replay::{
    Environment, FailedGate, Origin, Reference, Replay, Replays, Source, bundle, replay,
    replay_target,
};
use gonogo_suite::run::Kind;
use gonogo_suite::timeline::{self, About, Timeline};
use gonogo_suite::{Row, Summary, TargetResult, TestId};
use serde_json::{Value, json};

use super::artifacts::RunDir;
use super::baseline::{Baseline, Baselines};
use super::digests;
use super::knowing::Known;
use super::lacking::Why;
use crate::AppError;
use crate::config::SuitesFile;

/// Most events of a timeline.
pub(super) const EVENTS: usize = 2_000;

/// Most tests that are ranked in a diff.
const RANKED: usize = 10_000;

/// Most commands of one target in a comparison.
const EACH: usize = 200;

/// Most replays of one target in the bundle.
const REPLAYS: usize = 500;

/// What analysing needs beside the run.
pub struct Beside<'a> {
    /// The project.
    pub root: &'a Path,
    /// What the configuration says of suites.
    pub file: &'a SuitesFile,
    /// The run's seed.
    pub seed: Option<u64>,
    /// Values of the allow-list.
    pub env: BTreeMap<String, String>,
    /// The system, for people.
    pub os: String,
    /// Versions of its tools.
    pub tools: BTreeMap<String, String>,
    /// How its suites use recorded answers, where all of them do it alike.
    pub vcr_mode: Option<String>,
    /// What it is compared with, where that is asked for.
    pub against: Option<&'a Baselines>,
    /// How this program is called with the project's configuration.
    pub program: Vec<String>,
}

/// Files of the project, for replays.
pub struct ProjectFiles<'a>(pub &'a Path);

impl Files for ProjectFiles<'_> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        const LARGEST: u64 = 4 << 20;
        let path = self.0.join(path);
        let meta = std::fs::metadata(&path).ok()?;
        if !meta.is_file() || meta.len() > LARGEST {
            return None;
        }
        std::fs::read(path).ok()
    }

    fn exists(&self, path: &str) -> bool {
        self.0.join(path).exists()
    }

    fn list(&self, dir: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.0.join(dir)) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .filter_map(|e| e.ok()?.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        names
    }
}

/// A target as replays need it.
pub fn origin(about: &Beside<'_>, summary: &Summary, target: &TargetResult) -> Origin {
    let suite = about.file.suites.get(&target.target);
    let mut env = about.env.clone();
    if let Some(suite) = suite {
        env.extend(suite.env.clone());
        if let (Some(name), Some(seed)) = (&suite.seed_env, about.seed) {
            env.insert(name.clone(), seed.to_string());
        }
    }
    // Who read a report does not know what wrote it; its declaration does.
    let mut of = Origin::of(target);
    if let Some(suite) = suite.filter(|_| of.command.is_empty()) {
        of.command.clone_from(&suite.command);
        of.dir.clone_from(&suite.dir);
        of.format = suite.format.to_owned();
        of.min_tests = suite.min_tests;
    }
    let dir = of.dir.clone();
    let below = |path: &String| match dir.as_str() {
        "" | "." => path.clone(),
        dir => format!("{dir}/{path}"),
    };
    Origin {
        reports: suite
            .map(|s| s.reports.iter().map(below).collect())
            .unwrap_or_default(),
        env,
        seed: about.seed,
        root: Some(about.root.display().to_string()),
        artifact_dir: summary.artifact_dir.clone(),
        ..of
    }
}

/// The replays of a failing test; `None` where nobody knows the command of its target: reports of it were read, and it is not declared.
pub fn replays(about: &Beside<'_>, summary: &Summary, row: &Row) -> Option<Replays> {
    let target = summary.targets().find(|t| t.target == row.target)?;
    let files = ProjectFiles(about.root);
    let origin = origin(about, summary, target);
    (!origin.command.is_empty()).then(|| replay(&origin, row, &files))
}

/// Writes digests, timelines, the replay bundle and the diff. Gives the diff of all targets.
///
/// # Errors
/// A file that cannot be written or read.
pub fn analyse(
    dir: &RunDir,
    summary: &Summary,
    rows: &[Row],
    about: &Beside<'_>,
    known: &Known,
) -> Result<Triage, AppError> {
    let files = ProjectFiles(about.root);
    let failed: Vec<&TargetResult> = summary
        .targets()
        .filter(|t| t.status != Verdict::Pass)
        .collect();
    let mut digests = BTreeMap::new();
    let mut all: BTreeMap<String, Vec<Replay>> = BTreeMap::new();
    let mut whole = BTreeMap::new();
    let mut index = Vec::new();
    for target in &failed {
        let origin = origin(about, summary, target);
        let own: Vec<Replays> = target
            .bad
            .iter()
            .take(REPLAYS)
            .map(|row| replay(&origin, row, &files))
            .collect();
        let of_target = replay_target(&origin, target, &files);
        let home = target.tests_file.trim_end_matches("tests.jsonl");
        let events = digests::events(dir, summary, target)?;
        let timeline = format!("{home}failure_timeline.jsonl");
        write_events(dir, &timeline, &events)?;
        let path = format!("{home}failure_digest.json");
        let replays = digests::Shown {
            own: &own,
            whole: &of_target,
        };
        let digest = digests::digest(summary, target, &replays, events.len(), about, known);
        dir.write(&path, &digest)?;
        index.push(json!({
            "suite": target.target,
            "class": target.class,
            "digest_path": path,
            "timeline_path": timeline,
            "root_cause_class": digest["root_cause_class"],
            "impacted_scenario_ids": digest["impacted_scenario_ids"],
            "first_failing_assertion": digest["first_failing_assertion"],
            "owner": digest["owner"],
        }));
        digests.insert(target.target.clone(), path);
        let best = own.iter().map(|r| r.best().clone()).collect();
        all.insert(target.target.clone(), best);
        whole.insert(target.target.clone(), of_target);
    }
    write_run_timeline(dir, summary)?;
    dir.write(
        "failure_diagnostics_index.json",
        &json!({
            "schema": "gonogo.suite.failure-diagnostics-index.v1",
            "generated_at": summary.timestamp,
            "correlation_id": summary.correlation_id,
            "artifact_dir": summary.artifact_dir,
            "failed_suite_count": index.len(),
            "suites": index,
            "owners_file": known.owners.source(),
            "owner_issues": known.owners.wrong(),
            "run_timeline_path": "failure_timeline.jsonl",
        }),
    )?;
    write_bundle(dir, summary, about, &all, &whole, &digests)?;
    let triage = triage(summary, rows, about, &all);
    dir.write("triage_diff.json", &triage.document)?;
    Ok(triage)
}

fn write_events(dir: &RunDir, name: &str, events: &[timeline::Event]) -> Result<(), AppError> {
    let lines = events.iter().map(|event| json!(event));
    dir.write_lines(name, lines)
}

fn write_run_timeline(dir: &RunDir, summary: &Summary) -> Result<(), AppError> {
    let mut timeline = Timeline::new(About {
        correlation_id: &summary.correlation_id,
        suite: timeline::RUN,
        began: Some(summary.started_at),
        most: EVENTS,
    });
    for target in summary.targets().filter(|t| t.status != Verdict::Pass) {
        let text = format!("{}: {}", target.target, target.status);
        timeline.summary(
            timeline::EventKind::SuiteFailureSummary,
            &text,
            Some(target.timestamp),
        );
    }
    let text = format!("{}: {}", summary.run_id, summary.status);
    timeline.summary(
        timeline::EventKind::RunSummary,
        &text,
        Some(summary.timestamp),
    );
    write_events(dir, "failure_timeline.jsonl", &timeline.end())
}

fn write_bundle(
    dir: &RunDir,
    summary: &Summary,
    about: &Beside<'_>,
    replays: &BTreeMap<String, Vec<Replay>>,
    targets: &BTreeMap<String, Replay>,
    digests: &BTreeMap<String, String>,
) -> Result<(), AppError> {
    let path = format!("{}/summary.json", summary.artifact_dir);
    let mut one_command = about.program.clone();
    one_command.extend(["suite", "rerun", "--from", &summary.run_id].map(str::to_owned));
    let mut one_target = about.program.clone();
    one_target.extend(["suite", "run", "--suite"].map(str::to_owned));
    let environment = Environment {
        profile: summary.profile.clone(),
        shard_kind: summary.shard.as_ref().map(|s| s.kind.clone()),
        shard_index: summary.shard.as_ref().map(|s| s.index),
        shard_total: summary.shard.as_ref().map(|s| s.total),
        tools: about.tools.clone(),
        env: about.env.clone(),
        vcr_mode: about.vcr_mode.clone(),
        git_sha: summary.source.commit.clone(),
        git_branch: summary.source.branch.clone(),
        tree: summary.source.tree.clone(),
        dirty: summary.source.dirty,
        os: about.os.clone(),
    };
    let gates: [FailedGate; 0] = [];
    let exists = |reference: Reference<'_>| match reference {
        Reference::Target(name) => about.file.suites.contains_key(name),
        Reference::Gate(_) => false,
        Reference::Program(name) => {
            name == about.program[0] || super::preflight::program(name, about.root).is_some()
        }
        Reference::Dir(name) => about.root.join(name).is_dir(),
        // The summary is written right after this.
        Reference::File(name) => name == path || about.root.join(name).is_file(),
    };
    let source = Source {
        at: summary.timestamp,
        summary_path: &path,
        one_command: &one_command,
        one_target: &one_target,
        replays,
        targets,
        gates: &gates,
        digests,
        environment: &environment,
    };
    dir.write("replay_bundle.json", &bundle(summary, source, &exists))
}

/// A run beside the last good one.
#[derive(Debug, Clone)]
pub struct Triage {
    /// The worst of all targets.
    pub status: Status,
    /// By target.
    pub diffs: BTreeMap<String, Diff>,
    /// Why the baseline of a target cannot be read, or says nothing of the run, by target.
    pub unread: BTreeMap<String, String>,
    /// Targets of the baseline that are declared no longer.
    pub removed: Vec<String>,
    /// Targets of the baseline that are declared and were not run.
    pub not_run: Vec<String>,
    /// `triage_diff.json`.
    pub document: Value,
}

/// Compares a run with its baselines.
fn triage(
    summary: &Summary,
    rows: &[Row],
    about: &Beside<'_>,
    replays: &BTreeMap<String, Vec<Replay>>,
) -> Triage {
    let mut own: BTreeMap<&str, Vec<(TestId, Entry)>> = BTreeMap::new();
    for row in rows {
        let tests = own.entry(&row.target).or_default();
        tests.push((row.test.clone(), row.entry()));
    }
    let against = Held::of(summary, about.against, &own);
    document(summary, against, &about.program, &|target, test| {
        let own = replays.get(target)?;
        let found = own.iter().find(|r| r.test.as_ref() == Some(test));
        found.map(|r| r.shell.clone())
    })
}

/// Targets beside their baselines.
#[derive(Debug, Default)]
pub struct Held {
    diffs: BTreeMap<String, Diff>,
    bases: BTreeMap<String, Baseline>,
    /// Why the baseline of a target cannot be read, or says nothing of the run.
    unread: BTreeMap<String, String>,
    /// Targets of the baseline that are declared no longer, and what they were.
    removed: BTreeMap<String, Kind>,
    /// Targets of the baseline that are declared and were not run.
    not_run: Vec<String>,
}

impl Held {
    /// Holds the tests of each target, by its name, against its baseline.
    pub fn of(
        summary: &Summary,
        baselines: Option<&Baselines>,
        own: &BTreeMap<&str, Vec<(TestId, Entry)>>,
    ) -> Self {
        let mut held = Self::default();
        let Some(baselines) = baselines else {
            return held;
        };
        let text = |variant: &BTreeMap<String, String>| format!("{variant:?}");
        let now = text(&summary.variant);
        let mut hold = |name: &str, base: Result<Option<Baseline>, String>| match base {
            Ok(None) => {}
            Err(why) => {
                held.unread.insert(name.to_owned(), why);
            }
            Ok(Some(base)) => {
                let own = own.get(name).map_or(&[][..], Vec::as_slice);
                let before = text(&base.variant);
                let side = |tests, variant| Side {
                    tests,
                    variant,
                    plan: None,
                };
                let diff = diff::compare(&side(&base.tests, &before), &side(own, &now));
                held.diffs.insert(name.to_owned(), diff);
                held.bases.insert(name.to_owned(), base);
            }
        };
        for target in summary.targets() {
            hold(&target.target, baselines.target(summary, &target.target));
        }
        for one in baselines.lacking(summary) {
            match one.why {
                Why::Removed(base) => {
                    hold(&one.target, base.map(Some));
                    held.removed.insert(one.target, one.kind);
                }
                Why::NotRun => held.not_run.push(one.target),
                Why::Unknown => {
                    let why = "nobody knows whether it was declared when the run began";
                    hold(&one.target, Err(why.to_owned()));
                }
            }
        }
        held
    }
}

/// Where the results of a target stand in documents.
const fn surface(kind: Kind) -> &'static str {
    match kind {
        Kind::Suite => "suites",
        Kind::Unit => "unit_targets",
        Kind::Build => "build",
        Kind::Lint => "lint",
    }
}

fn summary_path(base: &Baseline) -> String {
    format!("{}/summary.json", base.artifact_dir)
}

/// The document of a comparison.
pub fn document(
    summary: &Summary,
    held: Held,
    program: &[String],
    command: &dyn Fn(&str, &TestId) -> Option<String>,
) -> Triage {
    let Held {
        diffs,
        bases,
        unread,
        removed,
        not_run,
    } = held;
    let own = summary.targets().map(|t| (&t.target, t.result_kind));
    let all: Vec<(&String, &str)> = own
        .chain(removed.iter().map(|(name, kind)| (name, *kind)))
        .map(|(name, kind)| (name, surface(kind)))
        .collect();
    let mut wanted = all.iter().map(|(name, _)| *name).chain(unread.keys());
    let missing = wanted.any(|name| !diffs.contains_key(name));
    let worst = diffs.values().map(|d| d.status).max();
    let status = match worst {
        None => Status::Incomparable,
        Some(Status::Stable) if missing => Status::Incomparable,
        Some(status) => status,
    };
    let mut surfaces: BTreeMap<&str, serde_json::Map<String, Value>> = BTreeMap::new();
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    let mut ranked = Vec::new();
    let mut semantic = Vec::new();
    let mut focus = Vec::new();
    for &(target, surface) in &all {
        let Some(diff) = diffs.get(target) else {
            continue;
        };
        let view = diff.view(RANKED, |test| command(target, test));
        for (change, count) in &diff.counts {
            *totals.entry(change.category()).or_default() += count;
        }
        for changed in diff
            .changed
            .iter()
            .filter(|c| c.change == Change::SignatureChanged)
        {
            if focus.len() < EACH {
                focus.extend(command(target, &changed.test));
            }
            semantic.push(json!({"target": target, "test": changed.test, "base": changed.base, "now": changed.now}));
        }
        for diagnostic in &view.ranked_diagnostics {
            ranked.push((target.clone(), diagnostic.clone()));
        }
        let own = json!({
            "baseline": bases.get(target).map(|base| json!({
                "run_id": base.run_id, "digest": base.digest, "summary_path": summary_path(base)})),
            "status": diff.status,
            "baseline_total": view.baseline_total,
            "current_total": view.current_total,
            "counts": view.counts,
            "changes": diff.counts,
            "changed": diff.changed.iter().take(RANKED).collect::<Vec<_>>(),
            "changed_omitted": diff.changed.len().saturating_sub(RANKED),
        });
        surfaces
            .entry(surface)
            .or_default()
            .insert(target.clone(), own);
    }
    ranked.sort_by(|(a, x), (b, y)| {
        y.score
            .cmp(&x.score)
            .then(a.cmp(b))
            .then(x.rank.cmp(&y.rank))
    });
    let mut commands: Vec<String> = Vec::new();
    for (_, diagnostic) in &ranked {
        if let Some(command) = &diagnostic.command
            && !commands.contains(command)
            && commands.len() < 200
        {
            commands.push(command.clone());
        }
    }
    let count = |word: &str| totals.get(word).copied().unwrap_or(0);
    let is_bad = summary.targets().any(|t| t.status != Verdict::Pass);
    let mut rerun = program.to_vec();
    rerun.extend(["suite", "rerun", "--from", &summary.run_id].map(str::to_owned));
    // One run for all of them, or each has its own.
    let runs: BTreeSet<&str> = bases.values().map(|b| b.run_id.as_str()).collect();
    let one = bases.values().next().filter(|_| runs.len() == 1);
    let changed = |surface: &str| -> Vec<&String> {
        let targets = all.iter().filter(|(_, of)| *of == surface);
        let is_changed = |name: &&String| {
            diffs
                .get(*name)
                .is_some_and(|diff| diff.status != Status::Stable)
        };
        targets.map(|(name, _)| *name).filter(is_changed).collect()
    };
    let regressions = |surface: &str| -> u64 {
        let targets = all.iter().filter(|(_, of)| *of == surface);
        let counts = targets
            .filter_map(|(name, _)| diffs.get(*name))
            .flat_map(|d| &d.counts);
        counts
            .filter(|(change, _)| change.category() == "regression")
            .map(|(_, count)| count)
            .sum()
    };
    let of_target: BTreeMap<&str, Vec<&String>> = summary
        .targets()
        .map(|t| {
            let own = ranked.iter().filter(|(name, _)| *name == t.target);
            let mut own: Vec<&String> = own.filter_map(|(_, d)| d.command.as_ref()).collect();
            own.dedup();
            own.truncate(EACH);
            (t.target.as_str(), own)
        })
        .filter(|(_, own)| !own.is_empty())
        .collect();
    let rows: Vec<Value> = (1..)
        .zip(&ranked)
        .take(RANKED)
        .map(|(rank, (target, d))| {
            json!({"rank": rank, "score": d.score, "category": d.category, "change": d.change,
                "surface": target, "test": d.test, "command": d.command})
        })
        .collect();
    let document = json!({
        "schema": "gonogo.suite.triage-diff.v1",
        "generated_at": summary.timestamp,
        "correlation_id": summary.correlation_id,
        "status": status,
        "diff_from": summary.diff_from,
        "baseline_summary_path": one.map(summary_path),
        "baseline_artifact_dir": one.map(|base| &base.artifact_dir),
        "unread_baselines": unread,
        "removed_targets": removed.keys().collect::<Vec<_>>(),
        "not_run_targets": not_run,
        "current_summary_path": format!("{}/summary.json", summary.artifact_dir),
        "current_artifact_dir": summary.artifact_dir,
        "summary": {
            "regression_count": count("regression"),
            "new_failure_count": count("new_failure"),
            "unresolved_failure_count": count("unresolved_failure"),
            "fixed_count": count("fixed"),
            "removed_count": count("removed"),
            "added_pass_count": count("added_pass"),
            "stable_pass_count": count("stable_pass"),
            "unit_regression_count": regressions("unit_targets"),
            "suite_regression_count": regressions("suites"),
            "semantic_mismatch_count": semantic.len(),
        },
        "build": surfaces.get("build"),
        "lint": surfaces.get("lint"),
        "unit_targets": surfaces.get("unit_targets"),
        "suites": surfaces.get("suites"),
        "focus": {"unit_targets": changed("unit_targets"), "suites": changed("suites")},
        "semantic_diffs": semantic,
        "ranked_diagnostics": rows,
        "recommended_commands": {
            "runner_repro_command": is_bad.then(|| gonogo_suite::replay::shell(&rerun)),
            "ranked_repro_commands": commands,
            "target_commands": of_target,
            "semantic_focus_commands": focus,
        },
    });
    Triage {
        status,
        diffs,
        unread,
        removed: removed.into_keys().collect(),
        not_run,
        document,
    }
}

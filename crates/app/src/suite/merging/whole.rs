//! The merged run as it is written: every target's files at their usual place, all else of each shard below `shards/INDEX`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gonogo_core::id::RunId;
use gonogo_core::{Digest, Reason, Timestamp};
use gonogo_suite::contract::Of;
use gonogo_suite::run::{Problem, Quarantined, Retried, Retry, Source, State, Summary};
use gonogo_suite::shard::{Merged, Plan};
use gonogo_suite::{Row, TargetResult, TestVerdict};
use serde_json::{Value, json};

use super::{Ask, Given, MERGED, SHARD_SUMMARY, Whole, home_of, word};
use crate::AppError;
use crate::config::Config;
use crate::home::Home;
use crate::identity;
use crate::suite::analysing::{self, Beside};
use crate::suite::artifacts::{FILES, Kept, RunDir};
use crate::suite::baseline::Baselines;
use crate::suite::contract::{self, Terms};
use crate::suite::knowing::Known;
use crate::suite::reading;
use crate::suite::running;
use crate::suite::sharding::PLAN;
use crate::suite::twins;
use crate::workspace::make_dir;

/// How many signatures are ranked.
const RANKED: usize = 10;

/// How many tests stand for a signature.
const SAMPLES: usize = 3;

/// The result of a target that speaks for it, and whose it is.
struct Chosen<'a> {
    result: &'a TargetResult,
    of: u32,
}

/// A directory that goes unless the run in it is finished.
struct Unfinished(Option<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(dir) = &self.0 {
            // What cannot be taken away is no run: it has no list of files and no record.
            let _ = std::fs::remove_dir_all(dir);
        }
    }
}

/// Writes and records the merged run. The shards are proven to be the whole.
pub(super) fn write(
    home: &Home,
    config: &Config,
    ask: &Ask,
    plan: &Plan,
    proof: &Merged,
    given: &[Given],
) -> Result<Whole, AppError> {
    let file = &config.suites;
    let root = home.root();
    let run_id = RunId::mint(identity::random()).to_string();
    let place = match &ask.out {
        Some(dir) => home.here.join(dir),
        None => root.join(&file.artifacts).join(&run_id),
    };
    let now = home.clock.now().wall;
    let correlation_id = correlation(given, now);
    let dir = RunDir::create(&place, running::redactor(file)?)?;
    let mut unfinished = Unfinished(Some(place.clone()));
    let chosen = choose(given);
    for g in given {
        copy(g, &chosen, &place)?;
    }
    let mut summary = summarise(config, given, &run_id, &correlation_id, now);
    let shown = place.strip_prefix(&root).unwrap_or(&place);
    summary.artifact_dir = shown.display().to_string();
    let mut results = Vec::new();
    for name in &summary.selected {
        let Some(chosen) = chosen.get(name.as_str()) else {
            continue;
        };
        let mut result = chosen.result.clone();
        result.correlation_id.clone_from(&correlation_id);
        let path = format!("{}result.json", home_of(result.class, &result.target));
        dir.write(&path, &result)?;
        results.push(result);
    }
    summary.quarantined = quarantined(given, &chosen);
    summary.fill(results);
    let mut rows: Vec<Row> = Vec::new();
    reading::rows(&place, &summary, |row| rows.push(row))?;
    dir.write(PLAN, plan)?;
    dir.write("environment.json", &environment(&summary, given, now))?;
    let baselines = Baselines::of(home, None, &summary, None)?;
    let beside = Beside {
        root: &root,
        file,
        seed: None,
        env: BTreeMap::new(),
        os: running::system(),
        tools: BTreeMap::new(),
        vcr_mode: None,
        against: Some(&baselines),
        program: running::program(home),
    };
    let known = Known::load(home)?;
    analysing::analyse(&dir, &summary, &rows, &beside, &known)?;
    twins::write(&dir, &summary, &root)?;
    let shards: Vec<_> = given.iter().map(Given::seen).collect();
    dir.write(
        MERGED,
        &json!({
            "schema": "gonogo.suite.shard-merge.v1",
            "merged_at": now,
            "run_id": run_id,
            "correlation_id": correlation_id,
            "proof": proof,
            "shards": shards,
            "speaks_for": chosen.iter().map(|(name, c)| (*name, c.of)).collect::<BTreeMap<_, _>>(),
        }),
    )?;
    let shard_summary = shard_summary(&summary, plan, proof, given, now);
    dir.write(SHARD_SUMMARY, &shard_summary)?;
    let terms = Terms {
        of: Of::Merge,
        // That the shards are the whole of their plan is proven.
        declared: None,
        notes: known.notes(),
        empty: false,
    };
    contract::seal(&dir, &mut summary, &terms)?;
    let files = dir.list(&run_id, &correlation_id)?.to_bytes();
    crate::workspace::write_atomic(&dir.at(FILES), &files)?;
    running::conclude(&home.open(&place)?, &summary, &files, &home.actor()?)?;
    unfinished.0 = None;
    Ok(Whole {
        summary,
        dir: place,
        files: Digest::of(&files),
        shard_summary,
    })
}

/// The shards' own, if all have the same.
fn correlation(given: &[Given], now: Timestamp) -> String {
    let mut ids = given.iter().map(|g| g.summary.correlation_id.as_str());
    let first = ids.next().unwrap_or_default();
    match ids.all(|id| id == first) && !first.is_empty() {
        true => first.to_owned(),
        false => format!("{}-merged", crate::dry_run::running::slug(now)),
    }
}

/// The result that speaks for each target: the worst, for what ran in several shards.
fn choose(given: &[Given]) -> BTreeMap<&str, Chosen<'_>> {
    let mut chosen: BTreeMap<&str, Chosen<'_>> = BTreeMap::new();
    for g in given {
        let of = g.index().unwrap_or_default();
        for result in g.summary.targets() {
            let known = chosen.get(result.target.as_str());
            if known.is_none_or(|k| result.status > k.result.status) {
                chosen.insert(&result.target, Chosen { result, of });
            }
        }
    }
    chosen
}

/// What the shards say of quarantined tests: for each target the shard that speaks for it.
fn quarantined(given: &[Given], chosen: &BTreeMap<&str, Chosen<'_>>) -> Option<Quarantined> {
    let mut all: Option<Quarantined> = None;
    for g in given {
        let Some(own) = &g.summary.quarantined else {
            continue;
        };
        let index = g.index().unwrap_or_default();
        let all = all.get_or_insert_with(Quarantined::default);
        all.entries = all.entries.max(own.entries);
        all.retry_after_ms = all.retry_after_ms.max(own.retry_after_ms);
        all.omitted += own.omitted;
        if all.unusable.is_none() {
            all.unusable.clone_from(&own.unusable);
        }
        let speaks = |r: &&Retried| chosen.get(r.target.as_str()).is_some_and(|c| c.of == index);
        for retried in own.tests.iter().filter(speaks) {
            let mut retried = retried.clone();
            if let Retry::Passed { log } | Retry::Failed { log, .. } = &mut retried.retry {
                *log = format!("shards/{index}/{log}");
            }
            all.tests.push(retried);
        }
    }
    all
}

/// Copies a shard's files and proves that the copies are what was listed.
fn copy(g: &Given, chosen: &BTreeMap<&str, Chosen<'_>>, to: &Path) -> Result<(), AppError> {
    let index = g.index().unwrap_or_default();
    let own: Vec<String> = chosen
        .values()
        .filter(|c| c.of == index)
        .map(|c| home_of(c.result.class, &c.result.target))
        .collect();
    // Its list too: that is what a ledger recorded.
    let list = g.digest.map(|sha256| (FILES, sha256));
    let files = g
        .files
        .iter()
        .map(|Kept { path, sha256, .. }| (path.as_str(), *sha256));
    for (path, sha256) in files.chain(list) {
        let place = match own.iter().any(|home| path.starts_with(home)) {
            true => to.join(path),
            false => to.join("shards").join(index.to_string()).join(path),
        };
        make_dir(crate::workspace::parent(&place))?;
        let from = g.dir.join(path);
        std::fs::copy(&from, &place).map_err(|e| AppError::io("copy", &from, &e))?;
        let (_, copied) = crate::dry_run::keeping::digest(&place)?;
        if copied != sha256 {
            let text = format!("`{}` was changed while it was copied", from.display());
            return Err(AppError::new(Reason::ArtifactsChanged, text));
        }
    }
    Ok(())
}

/// The summary without results.
fn summarise(
    config: &Config,
    given: &[Given],
    run_id: &str,
    correlation_id: &str,
    now: Timestamp,
) -> Summary {
    let source = given.first().map(|g| g.summary.source.clone());
    let started = given.iter().map(|g| g.summary.started_at).min();
    let ended = given.iter().map(|g| g.summary.timestamp).min();
    let mut summary = running::blank(
        &config.service,
        run_id,
        correlation_id,
        Source {
            // Where two shards knew the branch by different names, none is told.
            branch: agreed(given, |s| s.source.branch.clone()),
            commit: agreed(given, |s| s.source.commit.clone()),
            dirty: given.iter().any(|g| g.summary.source.dirty),
            ..source.unwrap_or_default()
        },
        started.unwrap_or(now),
    );
    summary.timestamp = ended.unwrap_or(now);
    summary.profile = given
        .first()
        .map(|g| g.summary.profile.clone())
        .unwrap_or_default();
    summary.variant.clone_from(&config.suites.variant);
    summary.declared = Some(crate::gates::declared::digest_of(config));
    let partial = given.iter().any(|g| g.summary.state != State::Complete);
    if partial {
        summary.state = State::Partial;
    }
    // They ran beside each other.
    let durations = given.iter().map(|g| g.summary.duration_ms);
    summary.duration_ms = durations.max().unwrap_or_default();
    let mut selected: Vec<(gonogo_suite::run::Class, String)> = given
        .iter()
        .flat_map(|g| g.summary.targets())
        .map(|t| (t.class, t.target.clone()))
        .collect();
    selected.sort();
    selected.dedup();
    summary.selected = selected.into_iter().map(|(_, name)| name).collect();
    for g in given {
        let at = g.index().unwrap_or_default();
        let told = g.summary.problems.iter().map(|p| Problem {
            reason: p.reason,
            text: format!("shard {at}: {}", p.text),
        });
        summary.problems.extend(told);
    }
    summary
}

fn agreed(given: &[Given], of: impl Fn(&Summary) -> Option<String>) -> Option<String> {
    let mut all = given.iter().map(|g| of(&g.summary));
    let first = all.next()??;
    all.all(|other| other.as_ref() == Some(&first))
        .then_some(first)
}

/// What a replay needs to know. Seeds differ from shard to shard, so none is told here; each shard's own stands in `shards/INDEX`.
fn environment(summary: &Summary, given: &[Given], now: Timestamp) -> Value {
    let of = |g: &Given| -> Option<(Option<u32>, Value)> {
        let path = g.dir.join("environment.json");
        let listed = g
            .files
            .iter()
            .any(|k| k.path == "environment.json" && k.size < 16 << 20);
        let bytes = listed.then(|| std::fs::read(path).ok())??;
        Some((g.index(), serde_json::from_slice(&bytes).ok()?))
    };
    let all: Vec<(Option<u32>, Value)> = given.iter().filter_map(of).collect();
    let mut replay: BTreeMap<String, Value> = BTreeMap::new();
    let mut seeds: BTreeMap<String, Value> = BTreeMap::new();
    for (index, value) in &all {
        let env = value.get("replay_env").and_then(Value::as_object);
        for (name, value) in env.into_iter().flatten() {
            let first = replay.entry(name.clone()).or_insert_with(|| value.clone());
            if first != value {
                *first = Value::Null;
            }
        }
        if let (Some(index), Some(seed)) = (index, value.get("seed")) {
            seeds.insert(index.to_string(), seed.clone());
        }
    }
    json!({
        "schema": "gonogo.suite.environment.v1",
        "timestamp": now,
        "profile": summary.profile,
        "gonogo": env!("CARGO_PKG_VERSION"),
        "os": running::system(),
        "source": summary.source,
        "git_sha": summary.source.commit,
        "git_branch": summary.source.branch,
        "artifact_dir": summary.artifact_dir,
        "correlation_id": summary.correlation_id,
        "run_id": summary.run_id,
        "variant": summary.variant,
        "replay_env": replay,
        "seed": Value::Null,
        "seeds_of_shards": seeds,
    })
}

/// Who took how long, and what failed most.
fn shard_summary(
    summary: &Summary,
    plan: &Plan,
    proof: &Merged,
    given: &[Given],
    now: Timestamp,
) -> Value {
    let seconds = |ms: u64| ms as f64 / 1000.0;
    // A shard for which nothing was planned has no duration to compare.
    let busy: Vec<(u32, u64)> = proof
        .millis
        .iter()
        .filter(|(index, _)| !proof.idle.contains(index))
        .map(|(index, ms)| (*index, *ms))
        .collect();
    let named = |one: Option<&(u32, u64)>| {
        one.map(|(index, ms)| json!({"shard": index, "seconds": seconds(*ms)}))
    };
    let slowest = busy
        .iter()
        .max_by_key(|(index, ms)| (*ms, std::cmp::Reverse(*index)));
    let fastest = busy.iter().min_by_key(|(index, ms)| (*ms, *index));
    let (most, least) = (
        slowest.map_or(0, |(_, ms)| *ms),
        fastest.map_or(0, |(_, ms)| *ms),
    );
    let failed = given
        .iter()
        .filter(|g| !g.summary.selected.is_empty() && g.summary.exit() != gonogo_core::Exit::Done)
        .count();
    let mut ids: Vec<&str> = given
        .iter()
        .map(|g| g.summary.correlation_id.as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let bad = || summary.targets().flat_map(|t| &t.bad);
    let mut signatures: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in bad() {
        if let Some(signature) = &row.signature {
            signatures
                .entry(signature.to_string())
                .or_default()
                .push(row);
        }
    }
    let mut ranked: Vec<(String, Vec<&Row>)> = signatures.into_iter().collect();
    ranked.sort_by(|a, b| (b.1.len(), &a.0).cmp(&(a.1.len(), &b.0)));
    let top: Vec<Value> = ranked
        .iter()
        .take(RANKED)
        .map(|(signature, rows)| {
            let samples: Vec<String> = rows
                .iter()
                .take(SAMPLES)
                .map(|r| format!("{}: {}", r.target, r.test))
                .collect();
            json!({"signature": signature, "count": rows.len(), "samples": samples})
        })
        .collect();
    let flaky: Vec<String> = bad()
        .filter(|row| row.verdict == TestVerdict::Flaky)
        .take(100)
        .map(|r| format!("{}: {}", r.target, r.test))
        .collect();
    let shards: Vec<_> = given.iter().map(Given::seen).collect();
    json!({
        "schema": "gonogo.suite.shard-summary.v1",
        "generated_at": now,
        "run_id": summary.run_id,
        "correlation_id": summary.correlation_id,
        "profile": summary.profile,
        "tree": summary.source.tree,
        "plan": plan.hash,
        "cut": word(plan.cut),
        "total_shards": plan.total,
        "failed_shards": failed,
        "empty_shards": proof.idle,
        "lane_counts": {"suite": plan.total},
        "runtime": {
            "slowest": named(slowest),
            "fastest": named(fastest),
            "lane_duration_seconds": {"suite": seconds(proof.millis.values().sum())},
        },
        "balance": {"suite": {
            "count": busy.len(),
            "min": seconds(least),
            "max": seconds(most),
            "spread": seconds(most - least),
            "ratio_max_to_min": (least > 0).then(|| most as f64 / least as f64),
        }},
        "expected_ms": plan.expected(),
        "correlation_ids": ids,
        "top_failure_signatures": top,
        "flake_candidates": flaky,
        "shards": shards,
    })
}

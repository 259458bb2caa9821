//! Quarantined tests that failed, each tried once more by itself.
//!
//! Invariants: only a failure that an entry covers is tried again, once, and only where its runner can select exactly that test; the
//! verdicts of the run stay what they were, whatever the retry comes to; what was not tried says why; both attempts are kept. It happens in
//! the project's own tree before the tree is looked at again, so a retry that changes the tree spoils the run like any other process.

use std::collections::BTreeMap;
use std::time::Duration;

use gonogo_core::{Reason, Timestamp};
use gonogo_gate::quarantine::Quarantine;
use gonogo_suite::replay::{self, Replay, ReplayResult, Verdict};
use gonogo_suite::run::{COMMAND, End, Quarantined, Retried, Retry, Summary, TOLD};
use gonogo_suite::{Row, TargetResult, TestId, TestVerdict};
use serde_json::{Value, json};

use super::analysing::{Beside, ProjectFiles, origin};
use super::artifacts::RunDir;
use super::one::{Frame, Watcher};
use super::{replaying, running};
use crate::AppError;
use crate::gates::excuses;
use crate::gates::gathering::Place;
use crate::home::Home;

/// Where retries are kept, in the run's directory.
pub const DIR: &str = "quarantine";

/// The list of retries.
pub const MANIFEST: &str = "retry_manifest.json";

/// Most retries of a run.
const MOST: usize = 50;

/// How often a wait looks whether the run is to end.
const LOOK: Duration = Duration::from_millis(50);

/// What retrying needs of a run.
pub(super) struct Of<'a> {
    /// The run so far; its targets are not yet filled in.
    pub summary: &'a Summary,
    /// What its targets came to.
    pub results: &'a [TargetResult],
    /// All tests.
    pub rows: &'a [Row],
    /// What replays need.
    pub beside: &'a Beside<'a>,
}

/// What was retried, for the summary, and in full.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// For the summary; absent where there are no quarantines.
    pub block: Option<Quarantined>,
    results: Vec<ReplayResult>,
}

/// Tries the covered failures again.
///
/// # Errors
/// The run's directory cannot be written.
pub(super) fn retry(
    home: &Home,
    frame: &Frame<'_>,
    of: &Of<'_>,
    watcher: &mut dyn Watcher,
) -> Result<Done, AppError> {
    if !excuses::are_there(frame.root) {
        return Ok(Done::default());
    }
    let after = of.beside.file.quarantine_retry_after;
    let mut block = Quarantined {
        retry_after_ms: after.as_millis(),
        ..Quarantined::default()
    };
    let now = home.clock.now().wall;
    let place = Place::find(home);
    let standing = place.and_then(|p| excuses::standing(&p, &of.summary.source, now));
    let standing = match standing {
        Ok(standing) => standing,
        Err(e) => {
            watcher.told(&format!("no quarantined test is retried: {e}"));
            block.unusable = Some(frame.dir.clean(&e.to_string()));
            return Ok(Done {
                block: Some(block),
                results: Vec::new(),
            });
        }
    };
    let holds = |q: &&Quarantine| q.status.holds();
    block.entries = standing.read.iter().filter(holds).count() as u64;
    if let Some(told) = standing.reasons.iter().find(|r| {
        matches!(
            r.code,
            Reason::QuarantineInvalid | Reason::ExcuseUnapproved | Reason::QuarantineExpired
        )
    }) {
        watcher.told(&format!("quarantine: {}: {}", told.code, told.text));
    }
    let variant = &of.summary.variant;
    let covered: Vec<(&Row, &Quarantine)> = of
        .rows
        .iter()
        .filter_map(|row| Some((row, standing.covering(row, variant)?)))
        .collect();
    block.omitted = covered.len().saturating_sub(TOLD) as u64;
    let own = RunDir::reopen(&frame.dir.at(DIR), running::redactor(of.beside.file)?);
    let mut inner = Frame {
        root: frame.root,
        dir: &own,
        run_id: frame.run_id,
        correlation_id: frame.correlation_id,
        env: frame.env.clone(),
        seed: frame.seed,
        clock: std::sync::Arc::clone(&frame.clock),
        rules: frame.rules,
        owners: None,
    };
    let (mut results, mut tried) = (Vec::new(), 0);
    for (row, entry) in covered.into_iter().take(TOLD) {
        let planned = of
            .results
            .iter()
            .find(|t| t.target == row.target)
            .ok_or_else(|| "its target has no result".to_owned())
            .and_then(|target| Ok((target, plan(of, target, row, tried)?)));
        let retry = match planned {
            Err(why) => Retry::NotRun { why },
            Ok(_) if tried == 0 && !wait(&inner, of.results, after, &row.target, watcher) => {
                let why = "the run was cancelled".to_owned();
                Retry::NotRun { why }
            }
            Ok((target, replay)) => {
                tried += 1;
                let name = format!("{tried:03}-{}", row.target);
                watcher.began(&row.target, "retry", tried, tried);
                let file = of.beside.file;
                // A replay leaves out what looks like a secret; here it is the suite's own process that runs once more.
                inner.env.clone_from(&frame.env);
                if let Some(declared) = file.suites.get(&row.target) {
                    inner.env.extend(declared.env.clone());
                }
                let shown =
                    replaying::one(&inner, &name, &replay, target, file, frame.root, watcher)?;
                let log = format!("{DIR}/{}/{name}/output.log", target.class.word());
                let retry = came_to(&shown, log);
                results.push(shown);
                retry
            }
        };
        watcher.told(&format!(
            "quarantined: {}: {}: {}",
            row.target,
            row.test,
            retry.word()
        ));
        block.tests.push(Retried {
            target: row.target.clone(),
            test: row.test.clone(),
            entry: entry.digest,
            expires: entry.expires,
            verdict: row.verdict,
            signature: row.signature.clone(),
            retry,
        });
    }
    Ok(Done {
        block: Some(block),
        results,
    })
}

/// The command that runs this test and nothing else, or why there is none.
fn plan(of: &Of<'_>, target: &TargetResult, row: &Row, tried: usize) -> Result<Replay, String> {
    if row.verdict == TestVerdict::Flaky {
        return Err("its runner has tried it again itself".to_owned());
    }
    if tried >= MOST {
        return Err(format!("{MOST} tests were retried, and more are not"));
    }
    let origin = origin(of.beside, of.summary, target);
    let reports = origin.reports.clone();
    let replays = replay::replay(&origin, row, &ProjectFiles(of.beside.root));
    // The one test of a plain command is the command.
    let is_command =
        target.format == COMMAND && row.test == TestId::new(&target.target, "", "(command)");
    let chosen = match replays.test {
        Some(replay) => replay,
        None if is_command => replays.target,
        None => {
            return Err(format!(
                "it cannot be selected alone: {}",
                replays.target.why_this_level
            ));
        }
    };
    if !is_command && chosen.proves_selection.reports != reports {
        return Err("its report would be written into the project's tree".to_owned());
    }
    Ok(chosen)
}

/// Waits until the last suite has ended for so long. Says whether the run goes on.
fn wait(
    frame: &Frame<'_>,
    results: &[TargetResult],
    after: gonogo_core::Span,
    target: &str,
    watcher: &mut dyn Watcher,
) -> bool {
    let began = frame.clock.now();
    let last: Option<Timestamp> = results.iter().map(|r| r.timestamp).max();
    let gone = last.map_or(0, |last| began.wall.since(last).as_millis());
    let left = after.as_millis().saturating_sub(gone);
    loop {
        let waited = frame.clock.now().mono_ms.saturating_sub(began.mono_ms);
        if watcher.looked(target, waited as f64 / 1000.0, 0) {
            return false;
        }
        if waited >= left {
            return true;
        }
        std::thread::sleep(LOOK.min(Duration::from_millis(left - waited)));
    }
}

fn came_to(shown: &ReplayResult, log: String) -> Retry {
    match &shown.verdict {
        Verdict::Passed => Retry::Passed { log },
        Verdict::Reproduced { signature } => Retry::Failed {
            signature: signature.clone(),
            is_same: true,
            log,
        },
        Verdict::DifferentSignature { found, .. } => Retry::Failed {
            signature: found.clone(),
            is_same: false,
            log,
        },
        // It was carried out and did not end by itself: that is no failure that anybody has quarantined.
        Verdict::CannotRun { .. }
            if matches!(shown.end, End::Signalled { .. } | End::TimedOut { .. }) =>
        {
            Retry::Failed {
                signature: None,
                is_same: false,
                log,
            }
        }
        Verdict::CannotRun { why } => Retry::NotRun { why: why.clone() },
    }
}

/// Writes `retry_manifest.json`: what was retried, by which rule, and what came of it.
///
/// # Errors
/// It cannot be written.
pub(super) fn write(dir: &RunDir, summary: &Summary, done: &Done) -> Result<(), AppError> {
    let Some(block) = &done.block else {
        return dir.write(MANIFEST, &document(summary, &Quarantined::default(), &[]));
    };
    dir.write(MANIFEST, &document(summary, block, &done.results))
}

fn document(summary: &Summary, block: &Quarantined, results: &[ReplayResult]) -> Value {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for test in &block.tests {
        let word = test.retry.word().replace(' ', "_");
        *counts.entry(word).or_default() += 1;
    }
    let failed = summary.tests.failed + summary.tests.flaky;
    json!({
        "schema": "gonogo.suite.retry-manifest.v1",
        "generated_at": summary.timestamp,
        "correlation_id": summary.correlation_id,
        "run_id": summary.run_id,
        "tree": summary.source.tree,
        "retry_policy": {
            "eligible": "failures that an entry of the quarantine covers",
            "max_retries": 1,
            "after_ms": block.retry_after_ms,
            "selection": "the test alone, exactly",
            "changes_verdicts": false,
        },
        "entries": block.entries,
        "unusable": block.unusable,
        "failures": failed,
        "covered": block.tests.len() as u64 + block.omitted,
        "counts": counts,
        "tests": block.tests,
        "omitted": block.omitted,
        "replays": results,
    })
}

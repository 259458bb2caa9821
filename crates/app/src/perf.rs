//! Performance budgets: measured by the rules of `gonogo_suite::perf`, judged, kept, recorded, and derived again from what was kept.
//!
//! Invariants: head is the tree as it is now, changes that are not committed included; base is the newest commit in common with the branch
//! that the change is for; both are made anew in directories whose paths are of one length. A run that fails is no sample. Everything that
//! a verdict follows from is in the ledger, and only what follows from it reaches a gate.

pub mod checking;
pub mod comparing;
pub mod evidence;
pub mod history;
mod judging;
pub mod measuring;
pub mod stressing;
pub mod sweeping;
mod trees;
mod views;

use std::path::{Path, PathBuf};

use gonogo_core::id::RunId;
use gonogo_core::{Digest, Exit, Reason, Timestamp, Verdict};
use gonogo_gate::inputs::PerfResult;
use gonogo_suite::run::Source;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::AppError;
use crate::config::{Config, PerfFile};
use crate::home::Home;
use crate::identity;
use crate::suite::source::Tree;
use crate::workspace::{STATE_DIR, make_dir, write_atomic};

pub use judging::Limits;

/// The record of what was measured or checked.
pub const RECORD: &str = "perf";

/// What came of each budget, in the directory of a run.
pub const OUTCOMES: &str = "perf.json";

/// What came of all thresholds, in the directory of a run.
pub const LIMITS: &str = "budgets.json";

/// What a budget came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Which.
    pub budget: String,
    /// Whether gates must see it kept.
    pub blocking: bool,
    /// Whether it has a comparison of base and head.
    pub compares: bool,
    /// Whether it has a threshold.
    pub limits: bool,
    /// Whether it is a load test.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stresses: bool,
    /// Of its declaration.
    pub declared: Digest,
    /// In one word.
    pub result: PerfResult,
    /// The worst of its reasons.
    pub verdict: Verdict,
    /// Why; never empty.
    pub reasons: Vec<Reason>,
    /// One line for people.
    pub detail: String,
    /// Of the kept comparison: `NAME/verdict.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Digest>,
    /// The tree that it was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_tree: Option<String>,
    /// Of the kept triage: `NAME/stress_triage.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stressed: Option<Digest>,
    /// Why there are no more samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// All budgets of a run. Stored as `gonogo.suite.perf-run.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerfRun {
    /// [`PerfRun::SCHEMA`].
    pub schema: String,
    /// Its id.
    pub run_id: String,
    /// The tree under judgement.
    pub tree: String,
    /// Its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The class of the host.
    pub host_class: String,
    /// The end of it.
    pub at: Timestamp,
    /// By name.
    pub outcomes: Vec<Outcome>,
    /// Of [`LIMITS`], if a threshold was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Digest>,
}

impl PerfRun {
    /// The stored format's name.
    pub const SCHEMA: &'static str = "gonogo.suite.perf-run.v1";

    /// The exit code of a command that ends with this: budgets that do not block are told and decide nothing.
    pub fn exit(&self) -> Exit {
        let blocking = || self.outcomes.iter().filter(|o| o.blocking);
        match blocking().map(|o| o.verdict).max() {
            Some(Verdict::Pass | Verdict::Excused) => Exit::Done,
            Some(Verdict::Fail) => Exit::Fail,
            Some(Verdict::Invalid) => Exit::Unjudged,
            Some(Verdict::Hold) => {
                let mut reasons = blocking().flat_map(|o| &o.reasons);
                match reasons.any(|r| r.verdict() == Verdict::Hold && r.exit() == Exit::Unjudged) {
                    true => Exit::Unjudged,
                    false => Exit::Hold,
                }
            }
            // Nobody is held to anything, so nothing is shown.
            None => Exit::Hold,
        }
    }
}

/// A run that was kept.
#[derive(Debug)]
pub struct Kept {
    /// What came of it.
    pub run: PerfRun,
    /// Its directory.
    pub dir: PathBuf,
    /// Its record.
    pub record: u64,
}

/// The stream of a run.
pub fn stream(run_id: &str) -> String {
    format!("run/perf/{run_id}")
}

/// Of a budget's declaration.
pub fn declared<T: Serialize + std::fmt::Debug>(name: &str, file: &T) -> Digest {
    let bytes = gonogo_core::canonical::to_vec(&(name, file));
    // Words and finite numbers have a canonical form; what has none is no other declaration's digest all the same.
    Digest::of(&bytes.unwrap_or_else(|_| format!("{name} {file:?}").into_bytes()))
}

/// Budgets with their names.
type Named<'a> = Vec<(&'a str, &'a PerfFile)>;

/// Takes the secrets out of what a command printed. What cannot be cleaned is not kept.
fn redact(config: &Config, dir: &Path, name: &str) -> Result<(), AppError> {
    let log = dir.join(name);
    if !log.exists() {
        return Ok(());
    }
    let redactor = crate::suite::running::redactor(&config.suites)?;
    let cleaned = crate::suite::artifacts::RunDir::reopen(dir, redactor).copy(&log, name);
    if cleaned.is_err() {
        std::fs::remove_file(&log).map_err(|e| AppError::io("remove", &log, &e))?;
    }
    cleaned.map(drop)
}

/// The configuration.
///
/// # Errors
/// There is none.
pub(crate) fn configured(home: &Home) -> Result<&Config, AppError> {
    home.config.as_ref().ok_or_else(|| {
        let text = "there is no gonogo.toml here or above, so no budget is declared";
        AppError::new(Reason::ConfigNotFound, text)
            .hint("declare one with `[perf.NAME]`; `gonogo help config` shows the keys")
    })
}

/// The configuration and those of its budgets that are asked for.
///
/// # Errors
/// No configuration, no budget, an unknown name.
pub(crate) fn chosen<'a>(
    home: &'a Home,
    names: &[String],
) -> Result<(&'a Config, Named<'a>), AppError> {
    let config = configured(home)?;
    if config.perf.is_empty() {
        let text = format!("`{}` declares no budget", config.path.display());
        return Err(AppError::new(Reason::PolicyUndefined, text)
            .hint("begin one with `[perf.NAME]`; `gonogo help config` shows the keys"));
    }
    for name in names {
        if !config.perf.contains_key(name) {
            let text = format!("no budget has the name `{name}`");
            let known: Vec<&str> = config.perf.keys().map(String::as_str).collect();
            return Err(AppError::new(Reason::ArgumentInvalid, text)
                .hint(format!("known: {}", known.join(", "))));
        }
    }
    let all = config.perf.iter();
    let chosen = all.filter(|(name, _)| names.is_empty() || names.contains(name));
    Ok((config, chosen.map(|(n, f)| (n.as_str(), f)).collect()))
}

/// What of the project is its tree.
pub(crate) fn find_tree(home: &Home, config: &Config) -> Result<Tree, AppError> {
    let root = home.root();
    let state = root.join(STATE_DIR);
    make_dir(&state)?;
    let artifacts = root.join(&config.suites.artifacts);
    let apart = crate::suite::running::apart(&config.suites, &root, &artifacts);
    Tree::find(&root, &state, &apart)
}

/// The tree under judgement, left out of it what suites leave out too.
pub(crate) fn tree(home: &Home, config: &Config) -> Result<(Tree, Source), AppError> {
    let tree = find_tree(home, config)?;
    let source = tree.now()?;
    Ok((tree, source))
}

/// What every run that measures here begins with.
#[derive(Debug)]
pub(crate) struct Begun {
    /// The project's tree.
    pub tree: Tree,
    /// As it is now.
    pub head: Source,
    /// This host's class.
    pub host: String,
    /// Of the run.
    pub run_id: String,
    /// The run's, made.
    pub dir: PathBuf,
}

/// Begins a run.
///
/// # Errors
/// git's faults, a host whose class cannot be told, a directory that cannot be made.
pub(crate) fn begin(home: &Home, config: &Config) -> Result<Begun, AppError> {
    let (tree, head) = tree(home, config)?;
    let host = host_class()?;
    let run_id = RunId::mint(identity::random()).to_string();
    let dir = place(home, &run_id);
    make_dir(&dir)?;
    Ok(Begun {
        tree,
        head,
        host,
        run_id,
        dir,
    })
}

/// The directory of a run.
pub(crate) fn place(home: &Home, run_id: &str) -> PathBuf {
    home.root().join(STATE_DIR).join("runs/perf").join(run_id)
}

/// This host's class.
pub(crate) fn host_class() -> Result<String, AppError> {
    gonogo_exec::measure::host_class()
        .map_err(|e| AppError::new(Reason::EvidenceMissing, e.to_string()))
}

/// A document in the form in which it is kept.
pub(crate) fn bytes_of<T: Serialize>(what: &str, value: &T) -> Result<Vec<u8>, AppError> {
    gonogo_core::canonical::to_vec(value).map_err(|e| {
        let text = format!("{what} has no canonical form: {e}");
        AppError::new(Reason::PerfSampleInvalid, text)
    })
}

/// Keeps and records a run. `parts` are the bytes of everything that its outcomes follow from; `measured` says whether the figures were
/// measured here, and not handed in.
pub(crate) fn keep(
    home: &Home,
    run: PerfRun,
    dir: &Path,
    parts: &[&[u8]],
    measured: bool,
) -> Result<Kept, AppError> {
    let bytes = bytes_of("the run", &run)?;
    make_dir(dir)?;
    write_atomic(&dir.join(OUTCOMES), &bytes)?;
    let book = home.open(&home.here)?;
    let blob = book.ledger.put_blob(&bytes)?;
    for bytes in parts {
        book.ledger.put_blob(bytes)?;
    }
    let names: Vec<&str> = run.outcomes.iter().map(|o| o.budget.as_str()).collect();
    let worst = run.outcomes.iter().map(|o| o.verdict).max();
    let mut reasons: Vec<Reason> = run
        .outcomes
        .iter()
        .flat_map(|o| o.reasons.clone())
        .collect();
    reasons.sort_unstable();
    reasons.dedup();
    let root = home.root();
    let body = json!({
        "run": run.run_id,
        "tree": run.tree,
        "commit": run.commit,
        "budgets": names,
        "measured": measured,
        "verdict": worst,
        "reasons": reasons,
        "outcomes": blob,
        "directory": dir.strip_prefix(&root).unwrap_or(dir),
    });
    let subject = vec![(OUTCOMES.to_owned(), blob)];
    let actor = home.actor()?;
    let receipt = book.append(&stream(&run.run_id), RECORD, run.at, &actor, subject, body)?;
    Ok(Kept {
        run,
        dir: dir.to_owned(),
        record: receipt.index,
    })
}

//! What a run is compared with: of each target one earlier run.
//!
//! Named is a run or a branch; else it is as at the gate ([`compared::baselines`]): the newest good run of the base, or where nothing of it was run,
//! the first good one of the change that is of another tree. What the change itself ran is no baseline if there is one of the base: a test that
//! it took out would be missed once and never again. Invariant: a baseline whose tests are not those that were recorded is told, and never left out
//! in silence for an older one.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use gonogo_core::{Digest, Reason, Verdict};
use gonogo_store::ledger::RecordView;
use gonogo_suite::diff::Entry;
use gonogo_suite::run::READ;
use gonogo_suite::{Summary, TargetResult, TestId};
use serde_json::Value;

use super::lacking;
use super::reading::{self, Loaded};
use super::running::RESULT;
use super::source::{Tree, git};
use crate::AppError;
use crate::gates::base::Base;
use crate::gates::compared::{self, Recorded};
use crate::home::Home;
use crate::workspace::STATE_DIR;

/// Most runs of a branch that are looked at.
const MOST: usize = 2_000;

/// What somebody wants a run to be compared with.
#[derive(Debug, Clone)]
pub enum Against {
    /// This run, whatever it came to.
    Run(Box<Loaded>),
    /// Of each target the newest good run of a commit of this branch.
    Branch {
        /// As it was named.
        name: String,
        /// Its commits and their trees.
        ids: HashSet<String>,
    },
}

impl Against {
    /// A run, by `last`, a prefix of its id, its directory or its summary; or else a branch or commit.
    ///
    /// # Errors
    /// It is neither; several runs begin so.
    pub fn find(home: &Home, what: &str) -> Result<Self, AppError> {
        let path = home.here.join(what);
        let is_other = path.is_dir() && !path.join("summary.json").is_file();
        let found = match is_other {
            true => Err(AppError::new(
                Reason::RunUnknown,
                "a directory without a run",
            )),
            false => reading::find(home, what),
        };
        let unknown = match found {
            Ok(loaded) => return Ok(Self::Run(Box::new(loaded))),
            Err(e) if e.reason == Reason::RunUnknown && what != "last" => e,
            Err(e) => return Err(e),
        };
        let none = || {
            let text = format!("`{what}` is no run, no run's file, and no branch or commit");
            AppError::new(Reason::RunUnknown, text).hint("`gonogo suite list` shows the runs")
        };
        let tree = Tree::find(&home.root(), &home.root().join(STATE_DIR), &[])?;
        if !tree.has_repository() {
            return Err(unknown);
        }
        let commit = format!("{what}^{{commit}}");
        let args = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &commit,
        ];
        let commit = git(tree.top(), &[], &args).map_err(|_| none())?;
        let ids = git(tree.top(), &[], &["log", "--format=%H %T", &commit])?;
        Ok(Self::Branch {
            name: what.to_owned(),
            ids: ids.split_whitespace().map(str::to_owned).collect(),
        })
    }

    /// How a summary names it.
    pub fn name(&self) -> String {
        match self {
            Self::Run(loaded) => loaded.summary.run_id.clone(),
            Self::Branch { name, .. } => name.clone(),
        }
    }
}

/// A target's baseline.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// The run.
    pub run_id: String,
    /// Of its summary, or where that is not recorded, of its list of tests.
    pub digest: Digest,
    /// Its directory, relative to the project.
    pub artifact_dir: String,
    /// What it ran on.
    pub variant: BTreeMap<String, String>,
    /// Its tests.
    pub tests: Vec<(TestId, Entry)>,
}

/// The baselines of a run.
#[derive(Debug)]
pub struct Baselines {
    /// A run that was named.
    pub(super) run: Option<Box<Loaded>>,
    /// Recorded runs, the first that fits is taken.
    pub(super) runs: Vec<Recorded>,
    /// Names of the suites that were declared when the run began that is compared; `None` where nobody knows.
    pub(super) declared: Option<BTreeSet<String>>,
}

impl Baselines {
    /// Looks for the baselines of `summary`, whose record is `index` if it has one; `targets` are its targets.
    ///
    /// # Errors
    /// The ledger's and git's faults; a run beside itself.
    pub fn of(
        home: &Home,
        against: Option<&Against>,
        summary: &Summary,
        index: Option<u64>,
    ) -> Result<Self, AppError> {
        let declared = lacking::declared_then(home, summary)?;
        if let Some(Against::Run(loaded)) = against {
            if loaded.summary.run_id == summary.run_id {
                let text = "a run beside itself is no comparison";
                return Err(AppError::new(Reason::ArgumentInvalid, text));
            }
            return Ok(Self {
                run: Some(loaded.clone()),
                runs: Vec::new(),
                declared,
            });
        }
        let book = home.open(&home.here)?;
        let mut records = crate::gates::gathering::every_kind(&book, RESULT)?;
        records.reverse();
        records.retain(|r| index.is_none_or(|index| r.index < index));
        let load = |record: &RecordView| compared::these(home, &book, [record]).0.pop();
        let own = summary.source.tree.as_str();
        let mut looked = Looked::new(summary);
        if let Some(Against::Branch { ids, .. }) = against {
            for record in records.iter().filter(|r| is_of(r, ids)).take(MOST) {
                if looked.is_done() {
                    break;
                }
                looked.take(load(record), |_| true);
            }
            return Ok(Self {
                run: None,
                runs: looked.runs,
                declared,
            });
        }
        let state = home.root().join(STATE_DIR);
        let tree = Tree::find(&home.root(), &state, &[])?;
        let ids = Base::find(&tree, None)?.ancestors(&tree)?;
        let is_other = |run: &Recorded| run.summary.source.tree != own;
        let is_base = |run: &Recorded| is_other(run) && !run.summary.source.dirty;
        for record in records.iter().filter(|r| is_of(r, &ids)).take(MOST) {
            if looked.is_done() {
                break;
            }
            looked.take(load(record), is_base);
        }
        let mut runs = looked.runs;
        // Without a base the newest is the nearest; with one of which nothing was run, the first of the change.
        let near = records.iter().take(compared::LOOKED);
        let mut near: Vec<Recorded> = near.filter_map(load).collect();
        if !ids.is_empty() {
            near.reverse();
        }
        runs.extend(near.iter().filter(|run| is_other(run)).cloned());
        // Where only this tree was run, what it came to before is still worth to be held against.
        if !ids.is_empty() {
            near.reverse();
        }
        runs.extend(near.into_iter().filter(|run| !is_other(run)));
        Ok(Self {
            run: None,
            runs,
            declared,
        })
    }

    /// The baseline of a target of `summary`; none where no run fits.
    ///
    /// # Errors
    /// Why the one that fits cannot be read: its list of tests is gone or was changed.
    pub fn target(&self, summary: &Summary, target: &str) -> Result<Option<Baseline>, String> {
        if let Some(loaded) = &self.run {
            let base = &loaded.summary;
            let Some(result) = base.targets().find(|t| t.target == target) else {
                return Ok(None);
            };
            return of_loaded(loaded, result).map(Some);
        }
        let all: Vec<&Recorded> = self.runs.iter().collect();
        let good = compared::good(&all, summary, target);
        good.map(|run| of_recorded(run, target)).transpose()
    }
}

/// A target of a run that was named, as a baseline.
///
/// # Errors
/// Its list of tests cannot be read.
pub(super) fn of_loaded(loaded: &Loaded, result: &TargetResult) -> Result<Baseline, String> {
    let base = &loaded.summary;
    let mut tests = Vec::new();
    let path = loaded.dir.join(&result.tests_file);
    reading::rows_of(&path, |row| tests.push((row.test.clone(), row.entry())))
        .map_err(|e| e.to_string())?;
    Ok(Baseline {
        run_id: base.run_id.clone(),
        digest: result.tests_sha256.unwrap_or_else(|| Digest::of(b"")),
        artifact_dir: base.artifact_dir.clone(),
        variant: base.variant.clone(),
        tests,
    })
}

/// A target of a recorded run as a baseline.
///
/// # Errors
/// Its list of tests cannot be read, or is not the one that was recorded.
pub(super) fn of_recorded(run: &Recorded, target: &str) -> Result<Baseline, String> {
    let tests = compared::entries(run, target)
        .map_err(|e| format!("the tests of `{}` cannot be read: {e}", run.summary.run_id))?;
    Ok(Baseline {
        run_id: run.summary.run_id.clone(),
        digest: run.digest,
        artifact_dir: run.summary.artifact_dir.clone(),
        variant: run.summary.variant.clone(),
        tests,
    })
}

/// Whether a record is of one of these commits, or of a tree of theirs.
fn is_of(record: &RecordView, ids: &HashSet<String>) -> bool {
    let word = |key: &str| record.body.get(key).and_then(Value::as_str);
    let tree = word("tree").and_then(|tree| tree.strip_prefix("git:"));
    tree.is_some_and(|tree| ids.contains(tree)) || word("commit").is_some_and(|c| ids.contains(c))
}

/// Runs that were found, until every target has a good one, and until another declaration or enough runs were seen: only then is it known what the first
/// of them might have run.
struct Looked<'a> {
    summary: &'a Summary,
    wanted: BTreeSet<&'a str>,
    runs: Vec<Recorded>,
    looked: usize,
    is_other: bool,
}

impl<'a> Looked<'a> {
    fn new(summary: &'a Summary) -> Self {
        Self {
            summary,
            wanted: summary.targets().map(|t| t.target.as_str()).collect(),
            runs: Vec::new(),
            looked: 0,
            is_other: false,
        }
    }

    fn is_done(&self) -> bool {
        self.wanted.is_empty() && (self.is_other || self.looked >= compared::LOOKED)
    }

    fn take(&mut self, run: Option<Recorded>, fits: impl Fn(&Recorded) -> bool) {
        self.looked += 1;
        let Some(run) = run.filter(fits) else { return };
        if run.summary.variant != self.summary.variant || run.summary.shard != self.summary.shard {
            return;
        }
        for target in run.summary.targets().filter(|t| t.status == Verdict::Pass) {
            self.wanted.remove(target.target.as_str());
        }
        if run.summary.profile != READ {
            let first = self.runs.iter().find(|r| r.summary.profile != READ);
            self.is_other |= !lacking::is_alike(first.unwrap_or(&run), &run);
        }
        self.runs.push(run);
    }
}

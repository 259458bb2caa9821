//! The recorded runs of a project, one after the other: which there are, and what each says of its tests.
//!
//! The ledger names the runs; its own copy of each summary names the lists of tests by digest; the lists lie in the runs' directories and
//! are streamed. Invariants: a list that is gone or is not what was recorded is told and says nothing; a run whose tree was not the same
//! behind it as before has no tree; a run that was merged of shards that are here themselves is not counted twice; memory grows with the
//! number of runs and targets, and never with that of their tests.

mod clusters;
mod events;
mod flakes;
mod proposals;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Span, Timestamp};
use gonogo_suite::cause::Cause;
use gonogo_suite::run::{Retried, Summary};
use gonogo_suite::{Row, Signature, TestId, TestVerdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::artifacts::Files;
use super::merging::MERGED;
use super::reading;
use crate::AppError;
use crate::home::{Book, Home};

pub use clusters::{Clustered, Described, clusters};
pub use events::{EVENTS, write_events};
pub use flakes::{Flakes, Flaky, flakes};
pub use proposals::{Ask, Proposals, Proposed, propose};

/// Most bytes of a recorded summary.
const LARGEST: u64 = 256 << 20;

/// Most bytes of the list of what was merged.
const LIST: u64 = 16 << 20;

/// Most runs that are looked at where nobody says how many.
pub const RUNS: usize = 1_000;

/// Which runs are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Those that ended so long ago at most.
    pub since: Option<Span>,
    /// The newest so many.
    pub last: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            since: None,
            last: RUNS,
        }
    }
}

/// A target of a recorded run.
#[derive(Debug, Clone)]
pub struct PastTarget {
    /// Its name.
    pub target: String,
    /// Who owns it.
    pub owner: Option<String>,
    /// Its list of tests.
    pub tests: PathBuf,
    /// Of that list, as recorded.
    pub digest: Option<Digest>,
}

/// A recorded run.
#[derive(Debug, Clone)]
pub struct Past {
    /// Its id.
    pub run_id: String,
    /// The record of its result.
    pub record: u64,
    /// When it began.
    pub at: Timestamp,
    /// The tree; empty if it was not the same behind the run, or nobody looked.
    pub tree: String,
    /// What else makes its results its own.
    pub variant: BTreeMap<String, String>,
    /// Tests that were in quarantine and tried again: a pass on the same tree, or how it failed then.
    pub retries: Vec<Retried>,
    /// Its directory.
    pub dir: PathBuf,
    /// Its targets.
    pub targets: Vec<PastTarget>,
}

/// What cannot be used of a recorded run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unusable {
    /// The run.
    pub run_id: String,
    /// The record of its result.
    pub record: u64,
    /// The target; absent if it is the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether its directory or list is not there: removed, as people do to save space. Else it is not what was recorded.
    pub is_gone: bool,
    /// What is wrong.
    pub why: String,
}

/// The runs of a history.
#[derive(Debug, Default)]
pub struct History {
    /// The oldest first.
    pub runs: Vec<Past>,
    /// What cannot be used.
    pub unusable: Vec<Unusable>,
    /// Runs that are recorded and older than the window.
    pub older: usize,
    /// Runs that were merged of shards that are here themselves.
    pub merged: usize,
}

/// What a list says of a test, without its texts.
#[derive(Debug, Deserialize)]
pub struct Light {
    /// The test.
    pub test: TestId,
    /// The verdict.
    pub verdict: TestVerdict,
    /// Whether nothing of it ran.
    #[serde(default)]
    pub cached: bool,
    /// Of the worst failure.
    #[serde(default)]
    pub signature: Option<Signature>,
    /// Of the worst failure.
    #[serde(default)]
    pub cause: Option<Cause>,
}

/// A variant as one text.
pub fn variant_text(variant: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = variant.iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join(",")
}

impl History {
    /// Finds the recorded runs. What was cut off is written down first.
    ///
    /// # Errors
    /// The ledger's.
    pub fn find(home: &Home, window: &Window) -> Result<Self, AppError> {
        super::recovering::recover(home)?;
        match reading::book(home)? {
            Some(book) => Self::of(home, &book, window),
            None => Ok(Self::default()),
        }
    }

    /// The recorded runs of a ledger.
    ///
    /// # Errors
    /// The ledger's.
    pub fn of(home: &Home, book: &Book, window: &Window) -> Result<Self, AppError> {
        let records = crate::gates::gathering::every_kind(book, super::running::RESULT)?;
        let now = home.clock.now().wall;
        let mut found = Self::default();
        let mut parts = Vec::new();
        for record in records.iter().rev() {
            let is_old = window.since.is_some_and(|s| now.since(record.time) > s);
            if is_old || found.runs.len() + found.unusable.len() >= window.last {
                found.older += 1;
                continue;
            }
            let Some(run_id) = record.stream.strip_prefix(&super::running::stream("")) else {
                continue;
            };
            let word = |key: &str| record.body.get(key).and_then(Value::as_str);
            let dir = home.root().join(word("directory").unwrap_or_default());
            let digest = word("summary").and_then(|d| d.parse::<Digest>().ok());
            let mut refuse = |why: String| {
                found.unusable.push(Unusable {
                    run_id: run_id.to_owned(),
                    record: record.index,
                    target: None,
                    is_gone: false,
                    why,
                });
            };
            let Some(digest) = digest else {
                refuse("its record names no summary".into());
                continue;
            };
            let bytes = match book.ledger.read_blob(&digest, LARGEST) {
                Ok(bytes) => bytes,
                Err(e) => {
                    refuse(format!("its recorded summary cannot be read: {e}"));
                    continue;
                }
            };
            let summary: Summary = match serde_json::from_slice(&bytes) {
                Ok(summary) => summary,
                Err(e) => {
                    refuse(format!("its recorded summary cannot be read: {e}"));
                    continue;
                }
            };
            let parts_of = match merged_of(book, &dir, word("files")) {
                Ok(parts) => parts,
                Err(why) => {
                    refuse(why);
                    continue;
                }
            };
            parts.push(parts_of);
            found.runs.push(past(&summary, record.index, dir));
        }
        found.leave_merged(&parts);
        found.runs.reverse();
        found.unusable.reverse();
        Ok(found)
    }

    /// Leaves out runs all of whose parts are here.
    fn leave_merged(&mut self, parts: &[Vec<String>]) {
        let ids: BTreeSet<String> = self.runs.iter().map(|r| r.run_id.clone()).collect();
        let mut n = 0;
        let before = self.runs.len();
        self.runs.retain(|_| {
            let own = &parts[n];
            n += 1;
            own.is_empty() || !own.iter().all(|id| ids.contains(id))
        });
        self.merged = before - self.runs.len();
    }

    /// Hands over what every list of every run says, run by run and target by target. A list that is not what was recorded is told, and
    /// nothing of it is handed over.
    ///
    /// # Errors
    /// A list that is what was recorded and yet cannot be read.
    pub fn read(
        &mut self,
        mut take: impl FnMut(&Past, &PastTarget, Light),
    ) -> Result<(), AppError> {
        for run in &self.runs {
            for target in usable(run, &mut self.unusable) {
                reading::lines_of(&target.tests, |light| take(run, target, light))?;
            }
        }
        Ok(())
    }

    /// As [`Self::read`], whole rows, for one run.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_rows(&mut self, run: usize, mut take: impl FnMut(Row)) -> Result<(), AppError> {
        let Some(run) = self.runs.get(run) else {
            return Ok(());
        };
        for target in usable(run, &mut self.unusable) {
            reading::rows_of(&target.tests, &mut take)?;
        }
        Ok(())
    }
}

/// The targets of a run whose lists are what was recorded.
fn usable<'a>(run: &'a Past, unusable: &mut Vec<Unusable>) -> Vec<&'a PastTarget> {
    let mut tell = |target: Option<&PastTarget>, is_gone: bool, why: String| {
        unusable.push(Unusable {
            run_id: run.run_id.clone(),
            record: run.record,
            target: target.map(|t| t.target.clone()),
            is_gone,
            why,
        });
    };
    if !run.dir.is_dir() {
        tell(None, true, "its directory is gone".into());
        return Vec::new();
    }
    let mut found = Vec::new();
    for target in &run.targets {
        if !target.tests.is_file() {
            tell(Some(target), true, "its list of tests is gone".into());
            continue;
        }
        match crate::dry_run::keeping::digest(&target.tests) {
            Ok((_, digest)) if Some(digest) == target.digest => found.push(target),
            Ok(_) => tell(Some(target), false, "its list of tests was changed".into()),
            Err(e) => tell(Some(target), false, e.to_string()),
        }
    }
    found
}

fn past(summary: &Summary, record: u64, dir: PathBuf) -> Past {
    let source = &summary.source;
    let is_sure = source.tree_after.as_ref() == Some(&source.tree);
    let targets = summary.targets().map(|t| PastTarget {
        target: t.target.clone(),
        owner: t.owner.clone(),
        tests: dir.join(&t.tests_file),
        digest: t.tests_sha256,
    });
    Past {
        run_id: summary.run_id.clone(),
        record,
        at: summary.started_at,
        tree: if is_sure {
            source.tree.clone()
        } else {
            String::new()
        },
        variant: summary.variant.clone(),
        retries: summary
            .quarantined
            .iter()
            .flat_map(|q| q.tests.clone())
            .collect(),
        targets: targets.collect(),
        dir,
    }
}

/// The runs of which a run was merged; none if it was not. The list must be the one that was recorded.
fn merged_of(book: &Book, dir: &Path, files: Option<&str>) -> Result<Vec<String>, String> {
    let path = dir.join(MERGED);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let listed = || -> Option<Digest> {
        let digest = files?.parse::<Digest>().ok()?;
        let bytes = book.ledger.read_blob(&digest, LARGEST).ok()?;
        let files: Files = serde_json::from_slice(&bytes).ok()?;
        files
            .files
            .iter()
            .find(|f| f.path == MERGED)
            .map(|f| f.sha256)
    };
    let bytes = reading::read(&path, LIST).map_err(|e| e.to_string())?;
    if listed() != Some(Digest::of(&bytes)) {
        return Err(format!("its `{MERGED}` is not what was recorded"));
    }
    let list: Value = serde_json::from_slice(&bytes).map_err(|e| format!("`{MERGED}`: {e}"))?;
    let shards = list.get("shards").and_then(Value::as_array);
    let id = |shard: &Value| Some(shard.get("run_id")?.as_str()?.to_owned());
    Ok(shards.into_iter().flatten().filter_map(id).collect())
}

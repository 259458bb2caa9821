//! The failures of the recorded runs by signature: since when, how often, in which tests, and what is new.

use std::collections::BTreeMap;

use gonogo_core::Timestamp;
use gonogo_suite::cluster::{Cluster, Clusters, Limits, Near, Occurrence, Run, Suggestion};
use gonogo_suite::{Failure, TestId, cause};
use serde::Serialize;

use super::{History, Unusable, Window};
use crate::AppError;
use crate::home::Home;

/// The schema.
const SCHEMA: &str = "gonogo.suite.failure-clusters.v1";

/// Most bytes of the texts of one run's failures that are held at once.
const HELD: usize = 128 << 20;

/// Most clusters among which near ones are looked for: that work grows with their square.
const COMPARED: usize = 5_000;

/// A cluster, and what is said of it beside.
#[derive(Debug, Clone, Serialize)]
pub struct Described {
    /// The class of its cause.
    pub cause: String,
    /// Whether the newest run is the first that has it.
    pub is_new: bool,
    /// Whether the newest run has it.
    pub is_current: bool,
    /// The cluster.
    #[serde(flatten)]
    pub cluster: Cluster,
}

/// Failures by signature.
#[derive(Debug, Serialize)]
pub struct Clustered {
    /// `gonogo.suite.failure-clusters.v1`.
    pub schema: &'static str,
    /// When it was made.
    pub generated_at: Timestamp,
    /// Runs that were read.
    pub runs: usize,
    /// The newest of them.
    pub newest_run: Option<String>,
    /// Runs that are recorded and older than what was asked for.
    pub older_runs: usize,
    /// Runs that were merged of shards that are here themselves.
    pub merged_runs: usize,
    /// What could not be read, or was changed.
    pub unusable: Vec<Unusable>,
    /// Failures that were added.
    pub failures: u64,
    /// Failures beyond what is kept, of the clusters and of a single run.
    pub beyond: u64,
    /// Tests that did not pass and of which nothing is said that could be compared.
    pub without_failure: u64,
    /// The clusters with most failures first.
    pub clusters: Vec<Described>,
    /// Clusters that are there and not listed.
    pub omitted: usize,
    /// Pairs that look alike. Nothing is joined or excused by that.
    pub suggestions: Vec<Suggestion>,
    /// Why there are no suggestions, where they were not looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_suggestions: Option<String>,
}

struct Held {
    test: TestId,
    failure: Failure,
    owner: Option<String>,
}

/// Reads the history and puts its failures together; at most `most` clusters are listed.
///
/// # Errors
/// The ledger's; a list of tests that cannot be read.
pub fn clusters(home: &Home, window: &Window, most: usize) -> Result<Clustered, AppError> {
    let mut history = History::find(home, window)?;
    let mut state = Clusters::new(Limits::default());
    let (mut beyond, mut without_failure, mut runs) = (0u64, 0u64, 0usize);
    let mut newest = None;
    for n in 0..history.runs.len() {
        let mut held: Vec<Held> = Vec::new();
        let (mut size, mut seen) = (0usize, false);
        let before = history.unusable.len();
        let owners: BTreeMap<String, Option<String>> = history.runs[n]
            .targets
            .iter()
            .map(|t| (t.target.clone(), t.owner.clone()))
            .collect();
        history.read_rows(n, |row| {
            seen = true;
            if row.verdict.is_good() {
                return;
            }
            let Some(failure) = row.failure else {
                without_failure += 1;
                return;
            };
            size += failure.message.len() + failure.trace.len() + 256;
            if size > HELD {
                beyond += 1;
                return;
            }
            let owner = row.owner.or_else(|| owners.get(&row.target)?.clone());
            held.push(Held {
                test: row.test,
                failure,
                owner,
            });
        })?;
        // Of what cannot be read nobody knows whether anything failed.
        if !seen && history.unusable.len() > before {
            continue;
        }
        let past = &history.runs[n];
        let run = Run {
            id: &past.run_id,
            tree: &past.tree,
            at: past.at,
        };
        let all = held.iter().map(|h| Occurrence {
            test: &h.test,
            failure: &h.failure,
            owner: h.owner.as_deref(),
        });
        match state.add_run(&run, all) {
            Ok(_) => {
                runs += 1;
                newest = Some(past.run_id.clone());
            }
            Err(e) => history.unusable.push(Unusable {
                run_id: past.run_id.clone(),
                record: past.record,
                target: None,
                is_gone: false,
                why: e.to_string(),
            }),
        }
    }
    let suggested = state.len() <= COMPARED;
    let suggestions = match suggested {
        true => state.suggestions(&Near::default()),
        false => Vec::new(),
    };
    let listed = state.top(most);
    let omitted = state.len() - listed.len();
    let describe = |cluster: Cluster| {
        let first = cluster.examples.first();
        let cause = first.map_or(cause::Cause::Unclassified, |e| {
            cause::cause(&e.failure, &[])
        });
        Described {
            cause: cause.word().to_owned(),
            is_new: Some(&cluster.first.run) == newest.as_ref(),
            is_current: Some(&cluster.last.run) == newest.as_ref(),
            cluster,
        }
    };
    Ok(Clustered {
        schema: SCHEMA,
        generated_at: home.clock.now().wall,
        runs,
        older_runs: history.older,
        merged_runs: history.merged,
        failures: state.failures(),
        beyond: beyond + state.beyond(),
        without_failure,
        clusters: listed.into_iter().map(describe).collect(),
        omitted,
        suggestions,
        no_suggestions: (!suggested)
            .then(|| format!("more than {COMPARED} clusters are not compared with one another")),
        newest_run: newest,
        unusable: history.unusable,
    })
}

//! The recorded runs of a budget over the commits that lead to this one, and where the figure's level changed.
//!
//! Invariants: a point is a commit, measured as it was committed; all runs of a commit on one class of host count together, so measuring
//! once more makes no figure good; what is left out is counted by its reason; each run is derived again from the ledger's own copies.

use std::collections::BTreeMap;

use gonogo_core::{Reason, Timestamp};
use gonogo_suite::perf::Statistic;
use gonogo_suite::perf::history::{HistoryReport, Point, StepRules, history};
use serde::Serialize;

use super::evidence;
use crate::AppError;
use crate::config::PerfFile;
use crate::home::Home;
use crate::suite::source::{Tree, git};

/// Most runs that are read, the newest first.
pub const MOST_RUNS: usize = 2_000;

/// Most commits that are looked through, the newest first.
const MOST_COMMITS: usize = 100_000;

/// A budget over time. Written as `gonogo.suite.perf-history.v1`.
#[derive(Debug, Clone, Serialize)]
pub struct Past {
    /// Which.
    pub budget: String,
    /// When it was looked at.
    pub generated_at: Timestamp,
    /// The unit of the figures.
    pub unit: String,
    /// Which figure of a commit's samples.
    pub statistic: Statistic,
    /// Runs that were read.
    pub runs: usize,
    /// Runs that are no part of it, by reason.
    pub left_out: BTreeMap<String, usize>,
    /// What came of it.
    #[serde(flatten)]
    pub report: HistoryReport,
}

/// Looks through the history of a budget.
///
/// # Errors
/// Configuration, an unknown name; the ledger's and git's faults.
pub fn past(home: &Home, name: &str, host_class: Option<&str>) -> Result<Past, AppError> {
    let (config, chosen) = super::chosen(home, &[name.to_owned()])?;
    let Some((_, file)) = chosen.first() else {
        let text = format!("no budget has the name `{name}`");
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    };
    let host = match host_class {
        Some(class) => class.to_owned(),
        None => file.host_class(&super::host_class()?).to_owned(),
    };
    let tree = super::find_tree(home, config)?;
    let commits = Commits::of(&tree)?;
    let mut gathered = Gathered::default();
    let book = home.open(&home.here)?;
    let mut records = evidence::records(&book)?;
    records.retain(|r| evidence::names(r).iter().any(|n| n == name));
    let unread = records.len().saturating_sub(MOST_RUNS);
    gathered.leave_many("too old to be read", unread);
    for record in records.iter().skip(unread) {
        if !evidence::is_measured(record) && !file.command.is_empty() {
            gathered.leave("handed in, not measured");
            continue;
        }
        match evidence::read(&book, record) {
            Ok(read) => gathered.add(file, &commits, &read.derived),
            Err(_) => gathered.leave("cannot be read"),
        }
    }
    let statistic = file.statistic;
    let mut points = gathered.points(statistic);
    points.sort_by_key(|(place, _)| *place);
    let points: Vec<Point> = points.into_iter().map(|(_, point)| point).collect();
    let report = history(
        &file.metric,
        file.direction,
        &host,
        &points,
        &StepRules::default(),
    )
    .map_err(|e| AppError::new(Reason::PerfSampleInvalid, e.to_string()))?;
    Ok(Past {
        budget: name.to_owned(),
        generated_at: home.clock.now().wall,
        unit: file.unit.clone(),
        statistic,
        runs: gathered.runs,
        left_out: gathered.left_out,
        report,
    })
}

/// The commits that lead to this one, by id: their places in history and their trees.
struct Commits {
    by_id: Option<BTreeMap<String, (usize, String)>>,
}

impl Commits {
    fn of(tree: &Tree) -> Result<Self, AppError> {
        if !tree.has_repository() {
            return Ok(Self { by_id: None });
        }
        let most = format!("--max-count={MOST_COMMITS}");
        let args = ["log", "--topo-order", &most, "--format=%H %T", "HEAD"];
        let text = git(tree.top(), &[], &args)?;
        let newest_first: Vec<(&str, &str)> =
            text.lines().filter_map(|l| l.split_once(' ')).collect();
        let all = newest_first.iter().rev().enumerate();
        let by_id = all.map(|(at, (id, tree))| ((*id).to_owned(), (at, format!("git:{tree}"))));
        Ok(Self {
            by_id: Some(by_id.collect()),
        })
    }

    /// The place and name of what a run measured, or why it has none. `order` counts runs.
    fn place(&self, run: &super::PerfRun, order: usize) -> Result<(usize, String), &'static str> {
        let Some(by_id) = &self.by_id else {
            return Ok((order, run.tree.clone()));
        };
        let Some(commit) = &run.commit else {
            return Err("of no commit");
        };
        match by_id.get(commit) {
            None => Err("of a commit that does not lead to this one"),
            Some((_, tree)) if *tree != run.tree => Err("with changes that were not committed"),
            Some((at, _)) => Ok((*at, commit.clone())),
        }
    }
}

/// The samples of a place on a class of host.
struct Taken {
    place: usize,
    samples: Vec<f64>,
}

#[derive(Default)]
struct Gathered {
    runs: usize,
    left_out: BTreeMap<String, usize>,
    by_commit: BTreeMap<(String, String), Taken>,
}

impl Gathered {
    fn leave(&mut self, why: &str) {
        self.leave_many(why, 1);
    }

    fn leave_many(&mut self, why: &str, many: usize) {
        if many > 0 {
            *self.left_out.entry(why.to_owned()).or_default() += many;
        }
    }

    fn add(&mut self, file: &PerfFile, commits: &Commits, read: &super::judging::Derived) {
        let order = self.runs;
        self.runs += 1;
        let (place, commit) = match commits.place(&read.run, order) {
            Ok(found) => found,
            Err(why) => return self.leave(why),
        };
        let series = read.series();
        let mut mine = series
            .iter()
            .filter(|s| s.metric == file.metric && s.tree == read.run.tree)
            .peekable();
        if mine.peek().is_none() {
            return self.leave("without a sample");
        }
        for one in mine {
            if one.unit != file.unit {
                self.leave("in another unit");
                continue;
            }
            let key = (commit.clone(), one.host_class.clone());
            let taken = self.by_commit.entry(key).or_insert(Taken {
                place,
                samples: Vec::new(),
            });
            taken.samples.extend(&one.samples);
        }
    }

    fn points(&mut self, statistic: Statistic) -> Vec<(usize, Point)> {
        let mut points = Vec::new();
        for ((commit, host_class), taken) in std::mem::take(&mut self.by_commit) {
            let figure = statistic
                .of(&taken.samples)
                .filter(|v| taken.samples.len() >= statistic.fewest() && *v > 0.0);
            match figure {
                Some(value) => points.push((
                    taken.place,
                    Point {
                        commit,
                        host_class,
                        value,
                    },
                )),
                None => self.leave("of a commit with too few samples"),
            }
        }
        points
    }
}

//! Measuring: the trees made anew, prepared, and run in turn by the protocol; figures of head alone for thresholds.

use std::collections::BTreeMap;
use std::time::Duration;

use gonogo_core::{Digest, Reason};
use gonogo_exec::measure::{Subject, Taken, Terms, in_turn};
use gonogo_suite::perf::budget::{BudgetSummary, Series};
use gonogo_suite::perf::{
    Demand, Direction, Measurement, Next, PerfVerdict, Sample, Side, judge, next,
};
use gonogo_suite::run::Source;

use super::judging::{Limits, Shown};
use super::trees::{Trees, Way};
use super::{Begun, Kept, LIMITS, PerfRun, views};
use crate::AppError;
use crate::config::{Figure, PerfFile};
use crate::gates::base::Base;
use crate::home::Home;
use crate::identity;
use crate::suite::source::{Tree, git};
use crate::workspace::{make_dir, write_atomic};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// These budgets; all that have a command if empty.
    pub names: Vec<String>,
    /// What the change is a change of; what each budget says if absent.
    pub base: Option<String>,
}

/// A run that was measured.
#[derive(Debug)]
pub struct Measured {
    /// What came of it.
    pub kept: Kept,
    /// The comparisons, by budget.
    pub comparisons: BTreeMap<String, PerfVerdict>,
    /// Thresholds and comparisons beside each other.
    pub summary: BudgetSummary,
}

/// A comparison, its bytes, and why it has no more samples.
struct Compared {
    verdict: PerfVerdict,
    bytes: Vec<u8>,
    trouble: Option<String>,
}

/// Measures. `tell` is told what is done now.
///
/// # Errors
/// Configuration, a base that is none, trees that cannot be made, files that cannot be written; the ledger's and git's faults. A command or
/// a preparation that fails is a result without samples.
pub fn run(home: &Home, ask: &Ask, tell: &mut dyn FnMut(&str)) -> Result<Measured, AppError> {
    let (config, mut chosen) = super::chosen(home, &ask.names)?;
    if let Some((name, _)) = chosen
        .iter()
        .find(|(name, f)| f.command.is_empty() && ask.names.iter().any(|n| n == name))
    {
        let text = format!("the budget `{name}` has no command to measure");
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint("judge series of others: `gonogo perf check --series FILE`"));
    }
    chosen.retain(|(_, f)| !f.command.is_empty());
    if chosen.is_empty() {
        let text = "no budget has a command to measure";
        return Err(AppError::new(Reason::PolicyUndefined, text)
            .hint("judge series of others: `gonogo perf check --series FILE`"));
    }
    let Begun {
        tree,
        head,
        host,
        run_id,
        dir,
    } = super::begin(home, config)?;
    let mut trees = Trees::new(config, &tree, &dir);
    let mut found: BTreeMap<&str, Compared> = BTreeMap::new();
    let mut series = Vec::new();
    let mut troubles: BTreeMap<&str, String> = BTreeMap::new();
    for (name, file) in &chosen {
        if file.compare.is_some() {
            tell(&format!("{name}: base and head in turn"));
            let base = base(&tree, file, ask)?;
            let own = Own {
                name,
                file,
                run_id: &run_id,
                host: &host,
            };
            let compared = compare(home, &own, &base, &head, &mut trees)?;
            let at = dir.join(name);
            make_dir(&at)?;
            write_atomic(&at.join("verdict.json"), &compared.bytes)?;
            let samples = super::bytes_of("the samples", &compared.verdict.measurement)?;
            write_atomic(&at.join("samples.json"), &samples)?;
            if let Some(trouble) = &compared.trouble {
                troubles.insert(name, trouble.clone());
            }
            found.insert(name, compared);
        }
        if let Some(budget) = file.budget(name, &host) {
            let of_head = found.get(name).map(|c| {
                let samples = c.verdict.measurement.samples.iter();
                let head = samples.filter(|s| s.side == Side::Head);
                head.map(|s| s.value).collect::<Vec<f64>>()
            });
            let fewest = budget.fewest.unwrap_or(budget.statistic.fewest());
            let samples = match of_head {
                // What the comparison took is as good as samples of its own, if it is enough.
                Some(samples) if samples.len() >= fewest || troubles.contains_key(name) => samples,
                _ => {
                    tell(&format!("{name}: {fewest} runs of head"));
                    match alone(file, fewest, &head, &mut trees)? {
                        Ok(samples) => samples,
                        Err(why) => {
                            troubles.insert(name, why);
                            Vec::new()
                        }
                    }
                }
            };
            if !samples.is_empty() {
                series.push(Series {
                    metric: budget.metric.clone(),
                    unit: budget.unit.clone(),
                    tree: head.tree.clone(),
                    host_class: host.clone(),
                    measured_at: home.clock.now().wall,
                    source: format!("{run_id}/{name}"),
                    samples,
                });
            }
        }
    }
    drop(trees);
    let now = home.clock.now().wall;
    let budgets: Vec<_> = chosen
        .iter()
        .filter_map(|(n, f)| f.budget(n, &host))
        .collect();
    let limits = match budgets.is_empty() {
        true => None,
        false => Some(Limits::judge(budgets, series, Vec::new(), &head.tree, now)?),
    };
    let bytes = match &limits {
        None => None,
        Some(limits) => {
            let bytes = super::bytes_of("the series", limits)?;
            write_atomic(&dir.join(LIMITS), &bytes)?;
            Some(bytes)
        }
    };
    let outcomes = chosen
        .iter()
        .map(|(name, file)| {
            let compared = found.get(name);
            Shown {
                budget: name,
                blocking: file.blocking,
                compares: file.compare.is_some(),
                limits: file.threshold.is_some(),
                declared: super::declared(name, file),
                stresses: false,
                compared: compared.map(|c| (&c.verdict, Digest::of(&c.bytes))),
                limit: limits.as_ref(),
                stressed: None,
                trouble: troubles.get(name).cloned(),
            }
            .outcome()
        })
        .collect();
    let run = PerfRun {
        schema: PerfRun::SCHEMA.into(),
        run_id,
        tree: head.tree.clone(),
        commit: head.commit.clone(),
        host_class: host,
        at: now,
        outcomes,
        limits: bytes.as_deref().map(Digest::of),
    };
    let compared: BTreeMap<&str, &PerfVerdict> =
        found.iter().map(|(n, c)| (*n, &c.verdict)).collect();
    let summary = views::summary(&run, &chosen, limits.as_ref(), &compared);
    views::write(&dir, &summary)?;
    let parts = found.values().map(|c| c.bytes.as_slice());
    let parts: Vec<&[u8]> = parts.chain(bytes.as_deref()).collect();
    let kept = super::keep(home, run, &dir, &parts, true)?;
    Ok(Measured {
        kept,
        comparisons: found
            .into_iter()
            .map(|(name, c)| (name.to_owned(), c.verdict))
            .collect(),
        summary,
    })
}

/// The base of a comparison, as a tree that can be made.
///
/// # Errors
/// It is not known, or git's faults.
pub(super) fn base(tree: &Tree, file: &PerfFile, ask: &Ask) -> Result<Source, AppError> {
    let own = file.compare.as_ref().and_then(|c| c.base.as_deref());
    let base = Base::find(tree, ask.base.as_deref().or(own))?;
    let unknown =
        |text: String| AppError::new(Reason::BaselineMissing, text).hint("name it with --base REF");
    let commit = match base {
        Base::Unknown(why) => return Err(unknown(why)),
        Base::Commit { commit, also, .. } if also.is_empty() => commit,
        Base::Commit { commit, also, .. } => {
            let text = "several commits are in common, and none is the base alone";
            return Err(unknown(format!("{text}: {commit}, {}", also.join(", "))));
        }
    };
    let name = format!("{commit}^{{tree}}");
    let id = git(tree.top(), &[], &["rev-parse", "--verify", &name])?;
    Ok(Source {
        tree: format!("git:{id}"),
        tree_after: None,
        commit: Some(commit),
        branch: None,
        dirty: false,
    })
}

/// A budget under measurement.
struct Own<'a> {
    name: &'a str,
    file: &'a PerfFile,
    run_id: &'a str,
    host: &'a str,
}

fn compare(
    home: &Home,
    own: &Own<'_>,
    base: &Source,
    head: &Source,
    trees: &mut Trees<'_>,
) -> Result<Compared, AppError> {
    let file = own.file;
    let protocol = file.compare.as_ref().map(|c| c.protocol());
    let protocol = protocol.unwrap_or_default();
    let mut measurement = Measurement {
        schema: Measurement::SCHEMA.into(),
        metric: file.metric.clone(),
        unit: file.figure.unit().into(),
        // Time and memory: the less the better, whatever the threshold is about.
        direction: Direction::AtMost,
        host_class: own.host.to_owned(),
        job: own.run_id.to_owned(),
        base_tree: base.tree.clone(),
        head_tree: head.tree.clone(),
        measured_at: home.clock.now().wall,
        seed: u64::from_le_bytes(identity::random()) >> 11,
        protocol: protocol.clone(),
        samples: Vec::new(),
    };
    // A tree beside itself is no change; the judgement says so, and nothing needs to run for that.
    let trouble = match base.tree == head.tree {
        true => None,
        false => in_blocks(file, base, head, trees, &mut measurement)?,
    };
    measurement.measured_at = home.clock.now().wall;
    let demand = Demand {
        metric: file.metric.clone(),
        direction: Direction::AtMost,
        base_tree: base.tree.clone(),
        head_tree: head.tree.clone(),
        host_class: file.host_class(own.host).to_owned(),
        freshness: file.freshness,
        judged_at: measurement.measured_at,
        protocol,
    };
    let refused = |e: gonogo_suite::perf::PerfError| {
        AppError::new(Reason::PerfSampleInvalid, format!("`{}`: {e}", own.name))
    };
    let verdict = judge(&measurement, &demand).map_err(refused)?;
    let bytes = verdict.to_bytes().map_err(refused)?;
    Ok(Compared {
        verdict,
        bytes,
        trouble,
    })
}

/// Runs block after block until the protocol is at its end. Gives why it was not reached.
fn in_blocks(
    file: &PerfFile,
    base: &Source,
    head: &Source,
    trees: &mut Trees<'_>,
    measurement: &mut Measurement,
) -> Result<Option<String>, AppError> {
    let mut subjects = Vec::new();
    for (side, source) in [("base", base), ("head", head)] {
        match trees.ready(&Way::of(file), side, source)? {
            Ok(subject) => subjects.push(subject),
            Err(why) => return Ok(Some(why)),
        }
    }
    let subjects: Vec<&Subject> = subjects.iter().collect();
    let mut terms = terms(file);
    loop {
        let step =
            next(measurement).map_err(|e| AppError::new(Reason::ConfigValue, e.to_string()))?;
        let Next::Run { stage, order } = step else {
            return Ok(None);
        };
        let turns: Vec<usize> = order
            .iter()
            .map(|s| usize::from(*s == Side::Head))
            .collect();
        let taken = match in_turn(&subjects, &turns, &terms) {
            Ok(taken) => taken,
            // Blocks that were whole before stay; the one that failed is no sample.
            Err(e) => return Ok(Some(e.to_string())),
        };
        for (side, taken) in order.into_iter().zip(taken) {
            let Some(value) = figure(file.figure, &taken) else {
                return Ok(Some(NO_FIGURE.into()));
            };
            measurement.samples.push(Sample { stage, side, value });
        }
        // They are warm from now on.
        terms.warm_up = 0;
    }
}

/// Why a run that ended well has no figure.
pub(super) const NO_FIGURE: &str = "the system does not tell the figure of a run: its memory is not above what this program has itself, which hides it";

/// Figures of head alone, or why there are none.
fn alone(
    file: &PerfFile,
    runs: usize,
    head: &Source,
    trees: &mut Trees<'_>,
) -> Result<Result<Vec<f64>, String>, AppError> {
    let subject = match trees.ready(&Way::of(file), "head", head)? {
        Ok(subject) => subject,
        Err(why) => return Ok(Err(why)),
    };
    let taken = match gonogo_exec::measure::measure(&subject, runs, &terms(file)) {
        Ok(taken) => taken,
        Err(e) => return Ok(Err(e.to_string())),
    };
    let figures: Option<Vec<f64>> = taken.iter().map(|t| figure(file.figure, t)).collect();
    Ok(figures.ok_or_else(|| NO_FIGURE.into()))
}

/// How a budget's command is measured.
pub(super) fn terms(file: &PerfFile) -> Terms {
    Terms {
        timeout: file.timeout.to_std(),
        warm_up: file.warm_up,
        ..Terms::default()
    }
}

/// The figure of a run; none if the system does not tell it.
pub(super) fn figure(figure: Figure, taken: &Taken) -> Option<f64> {
    let us = |time: Duration| time.as_nanos() as f64 / 1e3;
    match figure {
        Figure::CpuTime => Some(us(taken.cpu())),
        Figure::WallTime => Some(us(taken.wall)),
        Figure::MaxRss => taken.max_rss.map(|bytes| bytes as f64),
    }
}

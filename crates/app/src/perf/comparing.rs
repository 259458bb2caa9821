//! Two recorded runs, or files of series, beside each other.
//!
//! Invariants: a run of this project is read from the ledger and derived again, one of another from its directory; what was compared is
//! kept and recorded with the digests of both sides.

use std::path::Path;

use gonogo_core::id::RunId;
use gonogo_core::{Digest, Exit, Reason, Share, Verdict};
use gonogo_suite::perf::budget::{Series, SeriesFile};
use gonogo_suite::perf::comparison::{Asked, BAND, Comparison, Named, Origin};
use gonogo_suite::perf::{Direction, Statistic};
use serde_json::json;

use super::judging::Derived;
use super::{OUTCOMES, checking, evidence, stream};
use crate::AppError;
use crate::config::Config;
use crate::home::Home;
use crate::identity;
use crate::workspace::{make_dir, write_atomic};

/// The record of a comparison.
pub const RECORD: &str = "perf-comparison";

/// The comparison, in the directory of its run.
pub const FILE: &str = "perf_comparison.json";

/// What is compared.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// A run's id or its beginning, a run's directory, or a file of series.
    pub base: String,
    /// The same.
    pub head: String,
    /// These metrics or budgets; all that either side has if empty.
    pub names: Vec<String>,
    /// Which way is better for metrics that no budget declares.
    pub direction: Option<Direction>,
    /// Within which share figures are alike; [`BAND`] if absent.
    pub band: Option<Share>,
    /// What ties it to other runs.
    pub correlation_id: Option<String>,
}

/// A comparison that was kept.
#[derive(Debug)]
pub struct Compared {
    /// What came of it.
    pub comparison: Comparison,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its directory.
    pub dir: std::path::PathBuf,
    /// Its record.
    pub record: u64,
}

/// How a command ends with a comparison: what is not shown to be well cannot be judged.
pub const fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Pass | Verdict::Excused => Exit::Done,
        Verdict::Fail => Exit::Fail,
        Verdict::Hold | Verdict::Invalid => Exit::Unjudged,
    }
}

/// Compares, keeps and records.
///
/// # Errors
/// Configuration, runs and files that are not there or cannot be read, names that neither side has, files that cannot be written; the
/// ledger's faults.
pub fn compare(home: &Home, ask: &Ask) -> Result<Compared, AppError> {
    let config = super::configured(home)?;
    let now = home.clock.now().wall;
    let usual = || format!("{}-compare", crate::dry_run::running::slug(now));
    let correlation_id = crate::suite::running::correlation_id(ask.correlation_id.clone(), usual)?;
    let base = side(home, &ask.base)?;
    let head = side(home, &ask.head)?;
    let mut asked = asked(config, ask.direction, &base.1, &head.1);
    if let Some(name) = ask
        .names
        .iter()
        .find(|n| asked.iter().all(|a| a.name != **n && a.metric != **n))
    {
        let known: Vec<&str> = asked.iter().map(|a| a.name.as_str()).collect();
        let text = format!("neither side has `{name}`");
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint(format!("known: {}", known.join(", "))));
    }
    asked.retain(|a| {
        ask.names.is_empty() || [&a.name, &a.metric].iter().any(|n| ask.names.contains(n))
    });
    let run_id = RunId::mint(identity::random()).to_string();
    let named = Named {
        run_id: run_id.clone(),
        correlation_id,
        at: now,
    };
    let band = ask.band.map_or(BAND, Share::fraction);
    let comparison = Comparison::of(named, &asked, (&base.0, &base.1), (&head.0, &head.1), band)
        .map_err(|e| AppError::new(Reason::ArgumentInvalid, e.to_string()))?;
    let bytes = super::bytes_of("the comparison", &comparison)?;
    let dir = super::place(home, &run_id);
    make_dir(&dir)?;
    write_atomic(&dir.join(FILE), &bytes)?;
    let book = home.open(&home.here)?;
    let blob = book.ledger.put_blob(&bytes)?;
    let root = home.root();
    let body = json!({
        "run": run_id,
        "base": comparison.base,
        "head": comparison.head,
        "verdict": comparison.verdict,
        "reasons": comparison.reasons,
        "comparison": blob,
        "directory": dir.strip_prefix(&root).unwrap_or(&dir),
    });
    let subject = vec![(FILE.to_owned(), blob)];
    let actor = home.actor()?;
    let receipt = book.append(&stream(&run_id), RECORD, now, &actor, subject, body)?;
    Ok(Compared {
        comparison,
        bytes,
        dir,
        record: receipt.index,
    })
}

type Side = (Origin, Vec<Series>);

fn side(home: &Home, word: &str) -> Result<Side, AppError> {
    let path = home.here.join(word);
    if word.is_empty() {
        return Err(AppError::new(Reason::ArgumentInvalid, "a side has no name"));
    }
    if path.is_dir() {
        return of_directory(word, &path);
    }
    if path.exists() {
        let bytes = checking::read(&path)?;
        let file = SeriesFile::parse(&bytes).map_err(|e| {
            let text = format!("`{}`: {e}", path.display());
            AppError::new(Reason::InputMalformed, text)
        })?;
        return Ok(origin(word, Digest::of(&bytes), file.series));
    }
    of_ledger(home, word)
}

fn origin(named: &str, digest: Digest, series: Vec<Series>) -> Side {
    let origin = Origin {
        named: named.to_owned(),
        digest,
        trees: series.iter().map(|s| s.tree.clone()).collect(),
    };
    (origin, series)
}

fn of_directory(word: &str, dir: &Path) -> Result<Side, AppError> {
    let bytes = checking::read(&dir.join(OUTCOMES))?;
    let derived = checking::derive(dir, &bytes).map_err(|why| {
        let text = format!(
            "`{}` does not follow from what it keeps: {why}",
            dir.display()
        );
        AppError::new(Reason::InputMalformed, text)
    })?;
    Ok(measured(word, Digest::of(&bytes), &derived))
}

fn of_ledger(home: &Home, word: &str) -> Result<Side, AppError> {
    let book = home.open(&home.here)?;
    let records = evidence::records(&book)?;
    let begins = stream(word);
    let mut found = records.iter().filter(|r| r.stream.starts_with(&begins));
    let record = match (found.next(), found.next()) {
        (Some(record), None) => record,
        (Some(_), Some(_)) => {
            let text = format!("several runs begin with `{word}`");
            return Err(AppError::new(Reason::RunUnknown, text).hint("give more of the id"));
        }
        (None, _) => {
            let text = format!("no run has the id `{word}`, and no file or directory is there");
            return Err(AppError::new(Reason::RunUnknown, text)
                .hint("`gonogo perf run` and `gonogo perf check` record runs; `gonogo evidence list --kind perf` shows them"));
        }
    };
    let read = evidence::read(&book, record).map_err(|(why, _)| {
        let text = format!("record {} cannot be read: {why}", record.index);
        AppError::new(Reason::EvidenceUnparsable, text)
    })?;
    Ok(measured(
        &read.derived.run.run_id,
        read.digest,
        &read.derived,
    ))
}

fn measured(named: &str, digest: Digest, derived: &Derived) -> Side {
    origin(named, digest, derived.series())
}

/// What is compared: each declared budget whose metric a side has, and each metric that no budget declares.
fn asked(
    config: &Config,
    direction: Option<Direction>,
    base: &[Series],
    head: &[Series],
) -> Vec<Asked> {
    let mut metrics: Vec<&str> = base.iter().chain(head).map(|s| s.metric.as_str()).collect();
    metrics.sort_unstable();
    metrics.dedup();
    let mut all = Vec::new();
    for metric in metrics {
        let declared = config.perf.iter().filter(|(_, f)| f.metric == metric);
        let before = all.len();
        all.extend(declared.map(|(name, file)| Asked {
            category: file.category.clone(),
            name: name.clone(),
            metric: metric.to_owned(),
            direction: Some(file.direction),
            statistic: file.statistic,
            fewest: file.fewest,
        }));
        if all.len() == before {
            all.push(Asked {
                category: "undeclared".into(),
                name: metric.to_owned(),
                metric: metric.to_owned(),
                direction,
                statistic: Statistic::P50,
                fewest: None,
            });
        }
    }
    all
}

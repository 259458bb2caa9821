//! Thresholds judged by series of others, and kept runs derived again.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use gonogo_core::id::RunId;
use gonogo_core::{Digest, Reason};
use gonogo_suite::perf::budget::{BudgetSummary, Series, SeriesFile};
use gonogo_suite::perf::{MOST_BYTES, Measurement, PerfVerdict};

use super::judging::{self, Derived, Limits, Part, Shown};
use super::stressing::TRIAGE;
use super::{Kept, LIMITS, OUTCOMES, PerfRun, views};
use crate::AppError;
use crate::home::Home;
use crate::identity;
use crate::workspace::{make_dir, write_atomic};

/// What is checked.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// These budgets; all with a threshold if empty.
    pub names: Vec<String>,
    /// Files of series.
    pub series: Vec<PathBuf>,
    /// Files of series that tolerances compare with.
    pub baseline: Vec<PathBuf>,
}

/// Judges thresholds by series, keeps and records what came of it.
///
/// # Errors
/// Configuration, files that are no series, files that cannot be written, the ledger's and git's faults.
pub fn check(home: &Home, ask: &Ask) -> Result<(Kept, BudgetSummary), AppError> {
    let (config, mut chosen) = super::chosen(home, &ask.names)?;
    if let Some((name, _)) = chosen
        .iter()
        .find(|(name, f)| f.threshold.is_none() && ask.names.iter().any(|n| n == name))
    {
        let text = format!("the budget `{name}` has no threshold");
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint(format!("compare base and head: `gonogo perf run {name}`")));
    }
    chosen.retain(|(_, f)| f.threshold.is_some());
    if chosen.is_empty() {
        let text = "no budget has a threshold, so no series can be judged";
        return Err(AppError::new(Reason::PolicyUndefined, text)
            .hint("give one `threshold`, or compare with `gonogo perf run`"));
    }
    let series = all(home, &ask.series)?;
    let baseline = all(home, &ask.baseline)?;
    let host = super::host_class()?;
    let (_, source) = super::tree(home, config)?;
    let now = home.clock.now().wall;
    let budgets = chosen.iter().filter_map(|(n, f)| f.budget(n, &host));
    let limits = Limits::judge(budgets.collect(), series, baseline, &source.tree, now)?;
    let bytes = super::bytes_of("the series", &limits)?;
    let outcomes = chosen
        .iter()
        .map(|(name, file)| {
            Shown {
                budget: name,
                blocking: file.blocking,
                compares: file.compare.is_some(),
                limits: true,
                stresses: false,
                declared: super::declared(name, file),
                compared: None,
                limit: Some(&limits),
                stressed: None,
                trouble: None,
            }
            .outcome()
        })
        .collect();
    let run_id = RunId::mint(identity::random()).to_string();
    let dir = super::place(home, &run_id);
    make_dir(&dir)?;
    write_atomic(&dir.join(LIMITS), &bytes)?;
    let run = PerfRun {
        schema: PerfRun::SCHEMA.into(),
        run_id,
        tree: source.tree,
        commit: source.commit,
        host_class: host,
        at: now,
        outcomes,
        limits: Some(Digest::of(&bytes)),
    };
    let summary = views::summary(&run, &chosen, Some(&limits), &BTreeMap::new());
    views::write(&dir, &summary)?;
    let kept = super::keep(home, run, &dir, &[&bytes], false)?;
    Ok((kept, summary))
}

/// The series of files.
pub(super) fn all(home: &Home, files: &[PathBuf]) -> Result<Vec<Series>, AppError> {
    let mut all = Vec::new();
    for file in files {
        let path = home.here.join(file);
        let bytes = read(&path)?;
        let read = SeriesFile::parse(&bytes).map_err(|e| {
            let text = format!("`{}`: {e}", path.display());
            AppError::new(Reason::InputMalformed, text)
        })?;
        all.extend(read.series);
    }
    Ok(all)
}

/// What came of deriving again.
#[derive(Debug)]
pub struct Again {
    /// The run, if it follows from what was kept.
    pub run: Option<PerfRun>,
    /// Why not.
    pub why: Option<String>,
}

/// Derives a kept run again, byte by byte. The ledger is not asked: what it has is what gates see.
///
/// # Errors
/// It is not there.
pub fn rejudge(dir: &Path) -> Result<Again, AppError> {
    let bytes = read(&dir.join(OUTCOMES))?;
    let found = derive(dir, &bytes).and_then(|derived| {
        samples(dir, &derived.run, &derived.verdicts)?;
        Ok(derived.run)
    });
    Ok(match found {
        Ok(run) => Again {
            run: Some(run),
            why: None,
        },
        Err(why) => Again {
            run: None,
            why: Some(why),
        },
    })
}

/// The run that a directory keeps, derived again; `bytes` are those of its outcomes.
pub(super) fn derive(dir: &Path, bytes: &[u8]) -> Result<Derived, String> {
    let told = |e: AppError| e.to_string();
    // A name comes from a file: it must not lead out of the directory.
    let inner = |name: &str, file: &str| match crate::config::is_plain_name(name) {
        true => read(&dir.join(name).join(file)).map_err(told),
        false => Err(format!("`{name}` is no name of a budget")),
    };
    judging::again(bytes, |part, _| match part {
        Part::Limits => read(&dir.join(LIMITS)).map_err(told),
        Part::Comparison(name) => inner(name, "verdict.json"),
        Part::Stress(name) => inner(name, TRIAGE),
    })
}

/// The samples beside a comparison are those that it was made of.
fn samples(dir: &Path, run: &PerfRun, verdicts: &[PerfVerdict]) -> Result<(), String> {
    let compared = run.outcomes.iter().filter(|o| o.compared.is_some());
    for (outcome, verdict) in compared.zip(verdicts) {
        let path = dir.join(&outcome.budget).join("samples.json");
        let bytes = read(&path).map_err(|e| e.to_string())?;
        let kept = Measurement::parse(&bytes).map_err(|e| e.to_string())?;
        if kept != verdict.measurement {
            return Err(format!(
                "`{}` does not hold the samples that were judged",
                path.display()
            ));
        }
    }
    Ok(())
}

/// A file of bounded size.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, AppError> {
    let file = std::fs::File::open(path).map_err(|e| AppError::io("read", path, &e))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| AppError::io("read", path, &e))?;
    if bytes.len() > MOST_BYTES {
        let text = format!("`{}` has more than {MOST_BYTES} bytes", path.display());
        return Err(AppError::new(Reason::InputMalformed, text));
    }
    Ok(bytes)
}

//! Judging what is there already: logs and evidence of anybody's, or the directory of a captured run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gonogo_core::{Reason, Timestamp};
use gonogo_dryrun::Status;
use gonogo_dryrun::audit::captured::RunFiles;
use gonogo_dryrun::audit::{self, Cache, Format, LogFile, LogRules, ReadAt};
use gonogo_dryrun::judge;
use gonogo_dryrun::sign_off::Criteria;
use gonogo_dryrun::spec::{EvidenceFormat, EvidenceSpec, RunSpec, StderrPolicy};
use gonogo_dryrun::summary::Report;
use serde_json::Value;

use super::caching::Parts;
use super::finishing::Directory;
use super::{comparing, keeping, settings};
use crate::AppError;
use crate::home::Home;

/// What is to be judged, and how.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Logs, plain or compressed.
    pub logs: Vec<PathBuf>,
    /// A captured run instead.
    pub run_dir: Option<PathBuf>,
    /// The diary.
    pub diary: Option<PathBuf>,
    /// The performance evidence.
    pub performance: Option<PathBuf>,
    /// A longer silence is a warning, seconds.
    pub warn_gap: f64,
    /// A silence as long is a failure, seconds.
    pub fail_gap: f64,
    /// What a line on stderr without a level means.
    pub stderr: Option<StderrPolicy>,
    /// Fewest diary entries of each UTC day.
    pub min_entries_per_day: u64,
    /// What fewer mean.
    pub daily_gap_severity: Status,
    /// How lines are read.
    pub lines: Format,
    /// What a sign-off demands; none is made without.
    pub criteria: Option<Criteria>,
    /// What the operator says.
    pub metadata: BTreeMap<String, Value>,
    /// Where what was read of logs is kept for the next time. A sign-off and a captured run are judged without it.
    pub cache: Option<PathBuf>,
}

/// Judges; answers with the specification that it was judged by.
///
/// # Errors
/// A log that cannot be opened, limits that make no sense. What is wrong inside of a file is a finding.
pub fn audit(home: &Home, asked: &Judged, now: Timestamp) -> Result<(RunSpec, Report), AppError> {
    let limits = [asked.warn_gap, asked.fail_gap];
    if limits.iter().any(|l| !l.is_finite() || *l <= 0.0) || asked.fail_gap < asked.warn_gap {
        let text = format!(
            "--warn-gap-minutes ({}) must be more than 0, and --fail-gap-minutes ({}) not less",
            asked.warn_gap / 60.0,
            asked.fail_gap / 60.0
        );
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    if let Some(criteria) = &asked.criteria {
        check(criteria)?;
    }
    match &asked.run_dir {
        Some(dir) => of_run(home, asked, dir, now),
        None => of_logs(home, asked, now),
    }
}

fn check(criteria: &Criteria) -> Result<(), AppError> {
    let refuse = |text: String| Err(AppError::new(Reason::ArgumentInvalid, text));
    match criteria {
        Criteria {
            minimum_duration_seconds: Some(s),
            ..
        } if !s.is_finite() || *s <= 0.0 => {
            refuse("--sign-off-min-duration-hours must be more than 0".into())
        }
        Criteria {
            minimum_uptime_ratio: Some(r),
            ..
        } if !(0.0..=1.0).contains(r) => refuse(format!(
            "--sign-off-min-uptime-ratio must be 0 to 1, not {r}"
        )),
        Criteria {
            minimum_sharpe_ratio: Some(s),
            ..
        } if !s.is_finite() => refuse("--sign-off-min-sharpe must be a number".into()),
        _ => Ok(()),
    }
}

/// A captured run, as it was specified, but for the criteria if others are given. What lies in its directory is compared with what
/// the ledger holds, and with the verdict that was signed: both could have been edited since.
fn of_run(
    home: &Home,
    asked: &Judged,
    dir: &Path,
    now: Timestamp,
) -> Result<(RunSpec, Report), AppError> {
    let dir = keeping::find(dir)?;
    keeping::plain(&dir)?;
    let mut spec = keeping::spec(&dir)?;
    let (found, signed) = comparing::compare(home, &dir, &spec)?;
    let asks_otherwise = asked.criteria.is_some() || !asked.metadata.is_empty();
    let derived = signed.map(|signed| {
        let report = judge::judge(&spec, &Directory(&dir), &super::judgement(signed.judged_at));
        (signed.differs(&report), report)
    });
    let (difference, report) = match derived {
        Some((difference, report)) => (difference, Some(report)),
        None => (None, None),
    };
    let mut report = match report {
        Some(report) if !asks_otherwise => report,
        _ => {
            if let Some(criteria) = &asked.criteria {
                spec.criteria = criteria.clone();
            }
            spec.metadata.extend(asked.metadata.clone());
            judge::judge(&spec, &Directory(&dir), &super::judgement(now))
        }
    };
    for finding in found.into_iter().chain(difference) {
        judge::tell(&mut report, finding);
    }
    Ok((spec, report))
}

fn of_logs(home: &Home, asked: &Judged, now: Timestamp) -> Result<(RunSpec, Report), AppError> {
    let file = home.file();
    let none = Criteria {
        minimum_duration_seconds: None,
        duration_tolerance_seconds: 0.0,
        minimum_uptime_ratio: None,
        require_diary: false,
        require_performance: false,
        allow_warnings: false,
        minimum_sharpe_ratio: None,
    };
    let mut spec = settings::of_logs(now, asked.criteria.clone().unwrap_or(none), &file);
    spec.gaps.warn_seconds = asked.warn_gap;
    spec.gaps.fail_seconds = asked.fail_gap;
    if let Some(policy) = asked.stderr {
        spec.lines.stderr = policy;
    }
    spec.metadata = asked.metadata.clone();
    let evidence = [
        ("diary", EvidenceFormat::Diary, &asked.diary),
        (
            "performance",
            EvidenceFormat::Performance,
            &asked.performance,
        ),
    ];
    for (name, format, path) in evidence {
        let Some(path) = path else { continue };
        let path = path.to_str().ok_or_else(|| {
            let text = format!("the path {} is not UTF-8", path.display());
            AppError::new(Reason::ArgumentInvalid, text)
        })?;
        spec.evidence.push(EvidenceSpec {
            name: name.to_owned(),
            path: path.to_owned(),
            format,
            required: true,
            stale_warn_seconds: None,
            stale_fail_seconds: None,
            time_pointer: None,
            min_entries: None,
            min_entries_per_day: asked.min_entries_per_day,
            daily_gap_severity: asked.daily_gap_severity,
            thresholds: Vec::new(),
        });
    }
    let opened = asked
        .logs
        .iter()
        .map(|path| {
            let file = keeping::open_file(path).map_err(|e| match e.kind() {
                std::io::ErrorKind::Other => {
                    let text = format!("the log `{}` cannot be read: {e}", path.display());
                    AppError::new(Reason::ArgumentInvalid, text)
                }
                _ => AppError::io("read", path, &e),
            })?;
            Ok((path.display().to_string(), file))
        })
        .collect::<Result<Vec<_>, AppError>>()?;
    let files: Vec<LogFile<'_>> = opened
        .iter()
        .map(|(name, file)| LogFile {
            name: name.clone(),
            source: file,
        })
        .collect();
    let rules = LogRules {
        lines: spec.lines.clone(),
        gaps: spec.gaps,
        heartbeat: spec.heartbeat.clone(),
        format: asked.lines,
        judged_at: Some(now),
    };
    let judgement = super::judgement(now);
    // A verdict rests on the bytes alone.
    let cache = match (&asked.cache, &asked.criteria) {
        (Some(dir), None) => Some(Parts::open(dir)?),
        _ => None,
    };
    let cache = cache.as_ref().map(|parts| parts as &dyn Cache);
    let logs = audit::logs(&files, &rules, judgement.threads, cache)
        .map_err(|e| AppError::new(Reason::ConfigValue, e))?;
    let names = opened.into_iter().map(|(name, _)| name).collect();
    let signs_off = asked.criteria.is_some();
    let report = judge::judge_logs(&spec, logs, names, &Named(&spec), &judgement, signs_off);
    Ok((spec, report))
}

/// Evidence files where they lie.
struct Named<'a>(&'a RunSpec);

impl RunFiles for Named<'_> {
    fn open(&self, name: &str) -> std::io::Result<Option<Box<dyn ReadAt>>> {
        let name = name.strip_prefix("evidence/").unwrap_or(name);
        let Some(evidence) = self.0.evidence.iter().find(|e| e.name == name) else {
            return Ok(None);
        };
        match keeping::open_file(Path::new(&evidence.path)) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}

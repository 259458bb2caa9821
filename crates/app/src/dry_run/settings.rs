//! From flags, the file and the defaults to a run's specification. Every fault is named before anything is started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gonogo_capture::LEAST_BALLAST;
use gonogo_core::{Reason, Span, Timestamp};
use gonogo_dryrun::spec::{
    Allow, Artifact, Capture, Compression, EvidenceFormat, EvidenceSpec, Gaps, Grace,
    HeartbeatSpec, Lines, NumericLevels, ResourceSpec, RunSpec, SCHEMA, StderrPolicy, Threshold,
};
use gonogo_dryrun::{PREFIX, Status, sign_off::Criteria};
use serde_json::Value;

use super::flags::{Flags, Place};
use crate::AppError;
use crate::config::{DryRunFile, EvidenceFile};

/// The longest duration that is believed: ten years.
const LONGEST: f64 = 10.0 * 366.0 * 86_400.0;

/// Where a run lives and what it is called.
#[derive(Debug, Clone)]
pub struct RunPlace {
    /// Its id.
    pub run_id: String,
    /// Names its files.
    pub slug: String,
    /// Where logs go, absolute.
    pub log_dir: PathBuf,
    /// Working directory of the child.
    pub directory: PathBuf,
    /// What relative paths of the file start from.
    pub root: PathBuf,
    /// When it was asked for.
    pub now: Timestamp,
    /// Files that the run is about.
    pub artifacts: Vec<Artifact>,
    /// Where diary and performance lie if nobody says, for `orchestrate`.
    pub run_dir: Option<PathBuf>,
}

/// A file that is written again and again by putting a new one in its place: what is there must be a file, or nothing. A device
/// would be gone.
fn replaceable<'p>(flag: &str, path: &'p Path) -> Result<&'p Path, AppError> {
    match std::fs::metadata(path) {
        Ok(meta) if !meta.is_file() => Err(refuse(format!(
            "--{flag} {}: there is something that is no file, and it would be replaced; name a file",
            path.display()
        ))),
        _ => Ok(path),
    }
}

fn refuse(text: impl Into<String>) -> AppError {
    AppError::new(Reason::ArgumentInvalid, text)
}

/// A number in the unit of its flag, from seconds: nobody knows the value again that he did not type.
fn as_typed(flag: &str, seconds: f64) -> f64 {
    match flag.rsplit('-').next() {
        Some("hours") => seconds / 3600.0,
        Some("minutes") => seconds / 60.0,
        _ => seconds,
    }
}

/// Checks a duration that must be longer than nothing.
fn positive(flag: &str, value: Option<f64>) -> Result<Option<f64>, AppError> {
    match value {
        Some(v) if !v.is_finite() || v <= 0.0 || v > LONGEST => Err(refuse(format!(
            "--{flag} must be more than 0 and at most ten years, not {}",
            as_typed(flag, v)
        ))),
        other => Ok(other),
    }
}

/// Checks a number that must not be negative.
fn natural(flag: &str, value: Option<f64>) -> Result<Option<f64>, AppError> {
    match value {
        Some(v) if !v.is_finite() || v < 0.0 => {
            let given = as_typed(flag, v);
            Err(refuse(format!("--{flag} must be 0 or more, not {given}")))
        }
        other => Ok(other),
    }
}

fn seconds(span: Option<Span>) -> Option<f64> {
    span.map(|s| s.as_millis() as f64 / 1000.0)
}

/// An interval that zero and less switch off, or that must be positive.
fn interval(
    flag: &str,
    value: Option<f64>,
    strict: bool,
    file: Option<Span>,
    usual: f64,
) -> Result<Option<f64>, AppError> {
    match value {
        Some(v) if v.is_finite() && v <= 0.0 && !strict => Ok(None),
        Some(_) => positive(flag, value),
        None => Ok(Some(seconds(file).unwrap_or(usual))),
    }
}

/// Lays flags over the file over the defaults.
///
/// # Errors
/// [`Reason::ArgumentInvalid`] with the flag and what it must be.
pub fn resolve(flags: &Flags, file: &DryRunFile, at: &RunPlace) -> Result<RunSpec, AppError> {
    let command = if flags.command.is_empty() {
        file.command.clone().unwrap_or_default()
    } else {
        flags.command.clone()
    };
    if command.is_empty() || command[0].is_empty() {
        return Err(refuse("nothing to run: no command was given")
            .hint("put it after `--`, or into `command` of `[dry_run]` in gonogo.toml"));
    }
    if let Some(bad) = command.iter().find(|a| a.contains('\0')) {
        return Err(refuse(format!("the argument {bad:?} holds a NUL")));
    }
    let target = positive("duration-hours", flags.duration)?
        .or(seconds(file.duration))
        .unwrap_or(72.0 * 3600.0);
    let required = positive("required-duration-hours", flags.required_duration)?
        .or(seconds(file.required_duration))
        .unwrap_or(target);
    let tolerance = natural("duration-tolerance-seconds", flags.duration_tolerance)?
        .or(seconds(file.duration_tolerance))
        .unwrap_or(0.1);
    if tolerance > 0.1 && tolerance > required / 10.0 {
        return Err(refuse(format!(
            "a tolerance of {tolerance} s is more than a tenth of the {required} s that are required"
        )));
    }
    let uptime = flags
        .minimum_uptime
        .or(file.minimum_uptime.map(|s| s.fraction()))
        .unwrap_or(0.98);
    if !(0.0..=1.0).contains(&uptime) {
        return Err(refuse(format!(
            "--minimum-uptime-ratio must be 0 to 1, not {uptime}"
        )));
    }
    let sharpe = flags.minimum_sharpe.or(file.minimum_sharpe);
    if sharpe.is_some_and(|s| !s.is_finite()) {
        return Err(refuse("--minimum-sharpe-ratio must be a number"));
    }
    let evidence = evidence(flags, file, at, sharpe.is_some())?;
    let required_evidence = |name: &str| evidence.iter().any(|e| e.name == name && e.required);
    let criteria = Criteria {
        minimum_duration_seconds: Some(required),
        duration_tolerance_seconds: tolerance,
        minimum_uptime_ratio: Some(uptime),
        require_diary: required_evidence("diary")
            || !has(&evidence, "diary") && wants(file.diary.required, flags.no_diary_required),
        require_performance: required_evidence("performance")
            || !has(&evidence, "performance")
                && (sharpe.is_some()
                    || wants(file.performance.required, flags.no_performance_required)),
        allow_warnings: flags.allow_warnings || file.allow_warnings.unwrap_or(false),
        minimum_sharpe_ratio: sharpe,
    };
    let log_dir = text_of(&at.log_dir)?;
    let progress_interval = interval(
        "progress-interval-minutes",
        flags.progress_interval,
        flags.strict_intervals,
        file.progress_every,
        300.0,
    )?;
    let usual_progress = at
        .log_dir
        .join(format!("{PREFIX}_{}_progress.json", at.slug));
    let progress_path = match &flags.progress {
        _ if progress_interval.is_none() => None,
        Place::Off => None,
        Place::Usual => Some(text_of(&usual_progress)?),
        Place::At(path) => Some(text_of(replaceable("progress-path", path)?)?),
    };
    let timeline_dir = match &flags.timeline {
        Place::At(path) if progress_path.is_some() => Some(text_of(path)?),
        _ => None,
    };
    let limits: Vec<f64> = evidence
        .iter()
        .flat_map(|e| [e.stale_warn_seconds, e.stale_fail_seconds])
        .flatten()
        .collect();
    let shortest = limits.iter().copied().fold(f64::INFINITY, f64::min);
    let evidence_interval =
        match positive("evidence-check-interval-minutes", flags.evidence_interval)?
            .or(seconds(file.evidence_every))
        {
            Some(given) => Some(given),
            None if limits.is_empty() => None,
            None => Some((shortest / 4.0).max(0.1)),
        };
    let spec = RunSpec {
        schema: SCHEMA.to_owned(),
        run_id: at.run_id.clone(),
        slug: at.slug.clone(),
        created_at: at.now,
        command,
        artifacts: at.artifacts.clone(),
        directory: text_of(&at.directory)?,
        environment: environment(flags, file)?,
        log_dir,
        progress_path,
        timeline_dir,
        target_seconds: target,
        criteria,
        // As the older harness has it, less than nothing is nothing.
        grace_seconds: Grace {
            interrupt: finite("shutdown-grace-seconds", flags.shutdown_grace)?
                .map(|g| g.max(0.0))
                .or(seconds(file.grace_interrupt))
                .unwrap_or(60.0),
            terminate: finite("terminate-grace-seconds", flags.terminate_grace)?
                .map(|g| g.max(0.0))
                .or(seconds(file.grace_terminate))
                .unwrap_or(10.0),
        },
        drain_seconds: natural("drain-seconds", flags.drain)?
            .or(seconds(file.drain))
            .unwrap_or(10.0),
        capture: capture(flags, file)?,
        lines: lines(flags, file),
        gaps: gaps(flags, file)?,
        heartbeat: heartbeat(flags, file)?,
        evidence,
        evidence_grace_seconds: natural("evidence-initial-grace-minutes", flags.evidence_grace)?
            .or(seconds(file.evidence_grace))
            .unwrap_or(900.0),
        evidence_interval_seconds: evidence_interval,
        resources: resources(flags, file, target)?,
        progress_interval_seconds: progress_interval,
        explained: file.explained.clone(),
        metadata: metadata(flags, file)?,
        clock_scale: match flags.clock_scale {
            Some(scale) if !(1.0..=100_000.0).contains(&scale) => {
                return Err(refuse("--simulated-clock must be 1 to 100000"));
            }
            scale => scale.unwrap_or(1.0),
        },
    };
    Ok(spec)
}

fn finite(flag: &str, value: Option<f64>) -> Result<Option<f64>, AppError> {
    match value {
        Some(v) if !v.is_finite() => Err(refuse(format!("--{flag} must be a number"))),
        other => Ok(other),
    }
}

fn has(evidence: &[EvidenceSpec], name: &str) -> bool {
    evidence.iter().any(|e| e.name == name)
}

fn wants(file: Option<bool>, waived: bool) -> bool {
    !waived && file.unwrap_or(true)
}

fn text_of(path: &Path) -> Result<String, AppError> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| refuse(format!("the path {path:?} is not UTF-8")))
}

fn capture(flags: &Flags, file: &DryRunFile) -> Result<Capture, AppError> {
    let compression = flags.compression.unwrap_or(match file.compression {
        Some("gzip") => Compression::Gzip,
        Some("zstd") => Compression::Zstd,
        _ => Compression::None,
    });
    if let Some(size) = flags.rotate_bytes.filter(|s| *s < 4096) {
        return Err(refuse(format!(
            "--log-rotate-size must be at least 4KiB, not {size} bytes"
        )));
    }
    let ballast = flags.ballast.or(file.ballast).unwrap_or(64 << 20);
    if ballast < LEAST_BALLAST {
        return Err(refuse(format!(
            "a ballast of {ballast} bytes is too small for a verdict on a full disk: at least {LEAST_BALLAST} (--ballast 4MiB)"
        )));
    }
    Ok(Capture {
        compression,
        views: !flags.no_views && file.views.unwrap_or(true),
        rotate_seconds: positive("log-rotate-hours", flags.rotate_seconds)?
            .or(seconds(file.rotate_every)),
        rotate_bytes: flags.rotate_bytes.or(file.rotate_size),
        ballast_bytes: ballast,
        packs_raw: false,
        member_bytes: file.member_size.unwrap_or(4 << 20),
    })
}

fn lines(flags: &Flags, file: &DryRunFile) -> Lines {
    Lines {
        monitor: !flags.no_log_monitor && file.monitor.unwrap_or(true),
        stderr: flags.stderr.unwrap_or(match file.stderr {
            Some("warn") => StderrPolicy::Warn,
            Some("info") => StderrPolicy::Info,
            _ => StderrPolicy::Error,
        }),
        allow: file
            .allow
            .iter()
            .map(|a| Allow {
                name: a.name.clone(),
                pattern: a.pattern.clone(),
                owner: a.owner.clone(),
                expires: a.expires,
                reason: a.reason.clone(),
            })
            .collect(),
        numeric: match file.numeric_levels {
            Some("pino") => NumericLevels::Pino,
            Some("python") => NumericLevels::Python,
            Some("syslog") => NumericLevels::Syslog,
            Some("log4j") => NumericLevels::Log4j,
            _ => NumericLevels::Auto,
        },
        source_field: file.source_field.clone(),
    }
}

fn gaps(flags: &Flags, file: &DryRunFile) -> Result<Gaps, AppError> {
    let warn = positive("warn-gap-minutes", flags.warn_gap)?
        .or(seconds(file.gap_warn))
        .unwrap_or(3600.0);
    let fail = positive("fail-gap-minutes", flags.fail_gap)?
        .or(seconds(file.gap_fail))
        .unwrap_or(6.0 * 3600.0);
    if fail < warn {
        return Err(refuse(format!(
            "--fail-gap-minutes ({}) must not be less than --warn-gap-minutes ({})",
            fail / 60.0,
            warn / 60.0
        )));
    }
    Ok(Gaps {
        warn_seconds: warn,
        fail_seconds: fail,
        startup_seconds: natural("startup-grace-seconds", flags.startup_grace)?
            .or(seconds(file.startup_grace))
            .unwrap_or(0.0),
        live_seconds: positive("live-gap-alert-minutes", flags.live_gap)?
            .or(seconds(file.gap_live)),
        live_severity: flags
            .live_gap_severity
            .unwrap_or_else(|| severity(file.gap_live_severity, Status::Warn)),
    })
}

fn severity(word: Option<&str>, usual: Status) -> Status {
    match word {
        Some("warn") => Status::Warn,
        Some("fail") => Status::Fail,
        _ => usual,
    }
}

fn heartbeat(flags: &Flags, file: &DryRunFile) -> Result<Option<HeartbeatSpec>, AppError> {
    let given = positive("heartbeat-seconds", flags.heartbeat)?;
    let from_file = file.heartbeat.as_ref();
    let period = given.or(from_file.and_then(|h| seconds(Some(h.period))));
    Ok(period.map(|period_seconds| HeartbeatSpec {
        period_seconds,
        tolerance: from_file.and_then(|h| h.tolerance).unwrap_or(2.0),
        event: from_file.and_then(|h| h.event.clone()),
    }))
}

/// `target`: how long the run shall be, seconds. A short one is looked at about twenty times.
fn resources(flags: &Flags, file: &DryRunFile, target: f64) -> Result<ResourceSpec, AppError> {
    let said = &file.resources;
    let off = flags.no_resource_monitor || said.enabled == Some(false);
    let every = interval(
        "resource-sample-interval-minutes",
        flags.resource_interval,
        flags.strict_intervals,
        said.every,
        (target / 20.0).clamp(1.0, 60.0),
    )?;
    let limits = [
        positive("resource-max-cpu-percent", flags.max_cpu_percent)?.or(said.max_cpu_percent),
        positive("resource-max-memory-mb", flags.max_memory_mb)?.or(said.max_memory_mb),
        positive("resource-max-memory-percent", flags.max_memory_percent)?
            .or(said.max_memory_percent),
    ];
    let interval_seconds = if off { None } else { every };
    if interval_seconds.is_none() && limits.iter().any(Option::is_some) {
        return Err(refuse(
            "a limit on resources is given, and the samples that would show a breach are switched off",
        )
        .hint("leave out --no-resource-monitor and the interval of 0, or the limit"));
    }
    Ok(ResourceSpec {
        interval_seconds,
        max_cpu_percent: limits[0],
        max_memory_mb: limits[1],
        max_memory_percent: limits[2],
        severity: flags
            .resource_severity
            .unwrap_or_else(|| severity(said.severity, Status::Fail)),
        sustained_seconds: natural("resource-sustained-seconds", flags.resource_sustained)?
            .or(seconds(said.sustained))
            .unwrap_or(0.0),
    })
}

/// Splits `KEY=VALUE`.
///
/// # Errors
/// There is no `=`, or nothing before it.
pub fn pair<'a>(flag: &str, text: &'a str) -> Result<(&'a str, &'a str), AppError> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !text.contains('\0') => Ok((key, value)),
        _ => Err(refuse(format!("--{flag} needs KEY=VALUE, not {text:?}"))),
    }
}

fn environment(flags: &Flags, file: &DryRunFile) -> Result<BTreeMap<String, String>, AppError> {
    let mut all = BTreeMap::new();
    for text in &flags.wired {
        let (key, value) = pair("env", text)?;
        all.insert(key.to_owned(), value.to_owned());
    }
    all.extend(file.env.clone());
    for text in &flags.env {
        let (key, value) = pair("env", text)?;
        all.insert(key.to_owned(), value.to_owned());
    }
    Ok(all)
}

/// What the operator says about the run.
///
/// # Errors
/// No `KEY=VALUE`.
fn metadata(flags: &Flags, file: &DryRunFile) -> Result<BTreeMap<String, Value>, AppError> {
    let from_file = file.metadata.iter();
    let mut all: BTreeMap<String, Value> = from_file
        .map(|(k, v)| (k.clone(), Value::from(v.clone())))
        .collect();
    for text in &flags.metadata {
        let (key, value) = pair("metadata", text)?;
        all.insert(key.to_owned(), value.into());
    }
    Ok(all)
}

fn evidence(
    flags: &Flags,
    file: &DryRunFile,
    at: &RunPlace,
    sharpe: bool,
) -> Result<Vec<EvidenceSpec>, AppError> {
    let mut all = Vec::new();
    let usual = |name: &str| at.run_dir.as_ref().map(|dir| dir.join(name));
    let named = [
        (
            "diary",
            EvidenceFormat::Diary,
            &flags.diary,
            &file.diary,
            usual("decision_diary.jsonl"),
            wants(file.diary.required, flags.no_diary_required),
            (flags.diary_stale_warn, flags.diary_stale_fail),
        ),
        (
            "performance",
            EvidenceFormat::Performance,
            &flags.performance,
            &file.performance,
            usual("performance_metrics.json"),
            wants(file.performance.required, flags.no_performance_required) || sharpe,
            (flags.performance_stale_warn, flags.performance_stale_fail),
        ),
    ];
    for (name, format, flag, from_file, usual, required, (warn, fail)) in named {
        let path = match flag {
            Place::At(path) => Some(path.clone()),
            Place::Off => None,
            Place::Usual => from_file.path.as_ref().map(|p| at.root.join(p)).or(usual),
        };
        let warn_flag = format!("{name}-stale-warn-minutes");
        let fail_flag = format!("{name}-stale-fail-minutes");
        let warn = positive(&warn_flag, warn)?.or(seconds(from_file.stale_warn));
        let fail = positive(&fail_flag, fail)?.or(seconds(from_file.stale_fail));
        if let (Some(w), Some(f)) = (warn, fail)
            && f < w
        {
            return Err(refuse(format!(
                "--{fail_flag} ({}) must not be less than --{warn_flag} ({})",
                f / 60.0,
                w / 60.0
            )));
        }
        let Some(path) = path else {
            if warn.or(fail).is_some() {
                return Err(refuse(format!(
                    "a limit on the age of the {name} is given, and no {name} is"
                )));
            }
            continue;
        };
        all.push(EvidenceSpec {
            min_entries_per_day: from_file.min_entries_per_day.unwrap_or(0),
            required,
            stale_warn_seconds: warn,
            stale_fail_seconds: fail,
            ..bare(name, &path, format)?
        });
    }
    for declared in &file.evidence {
        all.push(custom(declared, &at.root)?);
    }
    Ok(all)
}

fn bare(name: &str, path: &Path, format: EvidenceFormat) -> Result<EvidenceSpec, AppError> {
    Ok(EvidenceSpec {
        name: name.to_owned(),
        path: text_of(path)?,
        format,
        required: true,
        stale_warn_seconds: None,
        stale_fail_seconds: None,
        time_pointer: None,
        min_entries: None,
        min_entries_per_day: 0,
        daily_gap_severity: Status::Warn,
        thresholds: Vec::new(),
    })
}

fn custom(said: &EvidenceFile, root: &Path) -> Result<EvidenceSpec, AppError> {
    let format = match said.format {
        Some("jsonl") => EvidenceFormat::Jsonl,
        Some("text") => EvidenceFormat::Text,
        _ => EvidenceFormat::Json,
    };
    let path = root.join(said.path.as_deref().unwrap_or_default());
    Ok(EvidenceSpec {
        required: said.required.unwrap_or(true),
        stale_warn_seconds: seconds(said.stale_warn),
        stale_fail_seconds: seconds(said.stale_fail),
        time_pointer: said.time_pointer.clone(),
        min_entries: said.min_entries,
        thresholds: said
            .thresholds
            .iter()
            .map(|t| Threshold {
                pointer: t.pointer.clone(),
                min: t.min,
                max: t.max,
                equals: t.equals.clone().map(Value::from),
                severity: severity(t.severity, Status::Fail),
            })
            .collect(),
        ..bare(&said.name, &path, format)?
    })
}

/// Makes a specification for logs that somebody else captured: only what judging needs.
pub fn of_logs(now: Timestamp, criteria: Criteria, file: &DryRunFile) -> RunSpec {
    RunSpec {
        schema: SCHEMA.to_owned(),
        run_id: String::new(),
        slug: String::new(),
        created_at: now,
        command: Vec::new(),
        artifacts: Vec::new(),
        directory: String::new(),
        environment: BTreeMap::new(),
        log_dir: String::new(),
        progress_path: None,
        timeline_dir: None,
        target_seconds: criteria.minimum_duration_seconds.unwrap_or(0.0),
        criteria,
        grace_seconds: Grace {
            interrupt: 0.0,
            terminate: 0.0,
        },
        drain_seconds: 0.0,
        capture: Capture {
            compression: Compression::None,
            views: false,
            rotate_seconds: None,
            rotate_bytes: None,
            ballast_bytes: 0,
            packs_raw: false,
            member_bytes: 4 << 20,
        },
        lines: lines(&Flags::default(), file),
        gaps: Gaps {
            warn_seconds: 3600.0,
            fail_seconds: 6.0 * 3600.0,
            startup_seconds: 0.0,
            live_seconds: None,
            live_severity: Status::Warn,
        },
        heartbeat: heartbeat(&Flags::default(), file).ok().flatten(),
        evidence: Vec::new(),
        evidence_grace_seconds: 0.0,
        evidence_interval_seconds: None,
        resources: ResourceSpec {
            interval_seconds: None,
            max_cpu_percent: None,
            max_memory_mb: None,
            max_memory_percent: None,
            severity: Status::Fail,
            sustained_seconds: 0.0,
        },
        progress_interval_seconds: None,
        explained: BTreeMap::new(),
        metadata: BTreeMap::new(),
        clock_scale: 1.0,
    }
}

//! From command-line flags to what the use case takes: minutes and hours become seconds, words become their types.

use std::path::{Path, PathBuf};

use gonogo_app::AppError;
use gonogo_app::dry_run::flags::{Flags, Place};
use gonogo_app::dry_run::wanted::{self, Wanted};
use gonogo_core::Reason;
use gonogo_dryrun::Status;
use gonogo_dryrun::spec::{self, StderrPolicy};

use crate::args::dry_run::{Brief, Common, Compression, Orchestrate, Run, Severity, Stderr};

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3600.0;

pub(super) const fn status(severity: Severity) -> Status {
    match severity {
        Severity::Warn => Status::Warn,
        Severity::Fail => Status::Fail,
    }
}

pub(super) const fn stderr(policy: Stderr) -> StderrPolicy {
    match policy {
        Stderr::Error => StderrPolicy::Error,
        Stderr::Warn => StderrPolicy::Warn,
        Stderr::Info => StderrPolicy::Info,
    }
}

fn place(path: Option<&PathBuf>, here: &Path) -> Place {
    path.map_or(Place::Usual, |p| Place::At(here.join(p)))
}

fn common(c: &Common, here: &Path) -> Flags {
    Flags {
        artifacts: c.artifact.clone(),
        duration: c.duration_hours.map(|v| v * HOUR),
        required_duration: c.required_duration_hours.map(|v| v * HOUR),
        duration_tolerance: c.duration_tolerance_seconds,
        minimum_uptime: c.minimum_uptime_ratio,
        minimum_sharpe: c.minimum_sharpe_ratio,
        allow_warnings: c.allow_warnings,
        shutdown_grace: c.shutdown_grace_seconds,
        terminate_grace: c.terminate_grace_seconds,
        drain: c.drain_seconds,
        progress: place(c.progress_path.as_ref(), here),
        progress_interval: c.progress_interval_minutes.map(|v| v * MINUTE),
        timeline: place(c.progress_timeline_dir.as_ref(), here),
        rotate_seconds: c.log_rotate_hours.map(|v| v * HOUR),
        rotate_bytes: c.log_rotate_size.map(gonogo_core::Bytes::get),
        compression: match (c.compress_logs, c.compression) {
            (true, _) | (_, Some(Compression::Gzip)) => Some(spec::Compression::Gzip),
            (_, Some(Compression::Zstd)) => Some(spec::Compression::Zstd),
            (_, Some(Compression::None)) => Some(spec::Compression::None),
            (false, None) => None,
        },
        no_views: c.no_views,
        ballast: c.ballast.map(gonogo_core::Bytes::get),
        no_diary_required: c.no_diary_required,
        no_performance_required: c.no_performance_required,
        startup_grace: c.startup_grace_seconds,
        warn_gap: c.warn_gap_minutes.map(|v| v * MINUTE),
        fail_gap: c.fail_gap_minutes.map(|v| v * MINUTE),
        live_gap: c.live_gap_alert_minutes.map(|v| v * MINUTE),
        live_gap_severity: c.live_gap_alert_severity.map(status),
        heartbeat: c.heartbeat_seconds,
        diary_stale_warn: c.diary_stale_warn_minutes.map(|v| v * MINUTE),
        diary_stale_fail: c.diary_stale_fail_minutes.map(|v| v * MINUTE),
        performance_stale_warn: c.performance_stale_warn_minutes.map(|v| v * MINUTE),
        performance_stale_fail: c.performance_stale_fail_minutes.map(|v| v * MINUTE),
        evidence_interval: c.evidence_check_interval_minutes.map(|v| v * MINUTE),
        evidence_grace: c.evidence_initial_grace_minutes.map(|v| v * MINUTE),
        no_log_monitor: c.no_log_monitor,
        stderr: c.stderr_policy.map(stderr),
        resource_interval: c.resource_sample_interval_minutes.map(|v| v * MINUTE),
        max_cpu_percent: c.resource_max_cpu_percent,
        max_memory_mb: c.resource_max_memory_mb,
        max_memory_percent: c.resource_max_memory_percent,
        resource_severity: c.resource_violation_severity.map(status),
        resource_sustained: c.resource_sustained_seconds,
        no_resource_monitor: c.no_resource_monitor,
        clock_scale: c.simulated_clock,
        metadata: c.metadata.clone(),
        env: c.env.clone(),
        ..Flags::default()
    }
}

pub(super) fn of_run(a: &Run, here: &Path) -> Flags {
    Flags {
        command: a.command.clone(),
        diary: place(a.diary.as_ref(), here),
        performance: place(a.performance.as_ref(), here),
        ..common(&a.common, here)
    }
}

pub(super) fn of_orchestrate(a: &Orchestrate, here: &Path, run_dir: &Path) -> Flags {
    let flags = common(&a.common, here);
    let off = |skip: bool, path: Option<&PathBuf>| {
        if skip { Place::Off } else { place(path, here) }
    };
    let mut wired = vec![format!(
        "FINAL_DRY_RUN_LOG_DIR={}",
        run_dir.join("logs").display()
    )];
    let evidence = [
        (
            "FINAL_DRY_RUN_DIARY_PATH",
            a.skip_diary_evidence,
            a.diary_path.as_ref(),
            "decision_diary.jsonl",
        ),
        (
            "FINAL_DRY_RUN_PERFORMANCE_PATH",
            a.skip_performance_evidence,
            a.performance_path.as_ref(),
            "performance_metrics.json",
        ),
    ];
    for (name, skip, given, usual) in evidence {
        if !skip {
            let path = given.map_or_else(|| run_dir.join(usual), |p| here.join(p));
            wired.push(format!("{name}={}", path.display()));
        }
    }
    if let Some(label) = &a.run_label {
        wired.push(format!("FINAL_DRY_RUN_LABEL={label}"));
    }
    let timeline = if a.no_progress_timeline {
        Place::Off
    } else {
        match flags.timeline {
            Place::Usual => Place::At(run_dir.join("progress_timeline")),
            other => other,
        }
    };
    let progress = match flags.progress {
        Place::Usual => Place::At(run_dir.join("progress.json")),
        other => other,
    };
    let mut metadata = flags.metadata.clone();
    if let Some(label) = &a.run_label {
        metadata.push(format!("run_label={label}"));
    }
    Flags {
        command: a.command.clone(),
        diary: off(a.skip_diary_evidence, a.diary_path.as_ref()),
        performance: off(a.skip_performance_evidence, a.performance_path.as_ref()),
        no_diary_required: flags.no_diary_required || a.skip_diary_evidence,
        no_performance_required: flags.no_performance_required || a.skip_performance_evidence,
        wired,
        metadata,
        timeline,
        progress,
        strict_intervals: true,
        ..flags
    }
}

/// Notes of flags and files: one a line, blank ones left out; a file that is not there is passed over, as runbooks expect.
pub(super) fn brief(
    b: &Brief,
    label: Option<&String>,
    here: &Path,
) -> Result<wanted::Brief, AppError> {
    let mut notes = b.note.clone();
    for file in &b.notes_file {
        let path = here.join(file);
        match std::fs::read_to_string(&path) {
            Ok(text) => notes.extend(
                text.lines()
                    .map(str::trim)
                    .filter(|l| !l.is_empty())
                    .map(str::to_owned),
            ),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(AppError::io("read", &path, &e)),
        }
    }
    for text in &b.objective {
        text.parse::<gonogo_dryrun::review::Objective>()
            .map_err(|e| AppError::new(Reason::ArgumentInvalid, format!("--objective: {e}")))?;
    }
    Ok(wanted::Brief {
        label: b.review_run_label.clone().or_else(|| label.cloned()),
        attendees: b.attendee.clone(),
        notes,
        objectives: b.objective.clone(),
        skip_summary: b.review_skip_summary,
        skip_sign_off: b.review_skip_sign_off,
    })
}

pub(super) fn packet(c: &Common, here: &Path, usual: Option<&Path>) -> Option<wanted::Packet> {
    let directory = c
        .packet_dir
        .as_ref()
        .map(|p| here.join(p))
        .or_else(|| usual.map(|dir| dir.join("packet")));
    let archive = c
        .packet_archive
        .as_ref()
        .map(|p| here.join(p))
        .or_else(|| usual.map(|dir| dir.join("packet.tar.gz")));
    (directory.is_some() || archive.is_some()).then_some(wanted::Packet {
        directory,
        archive,
        skip_raw: c.packet_skip_raw,
    })
}

/// The reports of `run`. `review` says where the brief goes, if into a file.
pub(super) fn wanted_of_run(a: &Run, here: &Path) -> Result<Wanted, AppError> {
    let packet = packet(&a.common, here, None);
    if packet.as_ref().is_some_and(|p| p.directory.is_none()) && a.common.packet_dir.is_none() {
        let text = "--packet-archive needs --packet-dir";
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    if a.common.packet_skip_raw && packet.is_none() {
        let text = "--packet-skip-raw needs --packet-dir";
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    let review = a
        .review_output
        .as_ref()
        .filter(|p| p.as_os_str() != "-")
        .map(|p| here.join(p));
    use crate::args::dry_run::Form;
    let only = |form: Form| review.clone().filter(|_| a.review_format == form);
    Ok(Wanted {
        json_report: a.json_report.as_ref().map(|p| here.join(p)),
        markdown_report: a.markdown_report.as_ref().map(|p| here.join(p)),
        review_markdown: only(Form::Markdown),
        review_json: only(Form::Json),
        review_html: only(Form::Html),
        brief: brief(&a.common.brief, None, here)?,
        packet,
        beside: here.join(&a.log_dir),
        ..Wanted::default()
    })
}

pub(super) fn wanted_of_orchestrate(
    a: &Orchestrate,
    here: &Path,
    root: &Path,
    run_dir: &Path,
) -> Result<Wanted, AppError> {
    let at = |given: Option<&PathBuf>, usual: &str| {
        Some(given.map_or_else(|| run_dir.join(usual), |p| here.join(p)))
    };
    let tolerance = a.wrap_up_duration_tolerance_minutes;
    if !tolerance.is_finite() || tolerance < 0.0 {
        let text =
            format!("--wrap-up-duration-tolerance-minutes must be 0 or more, not {tolerance}");
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    let review = !a.no_review;
    Ok(Wanted {
        run_dir: Some(run_dir.to_owned()),
        review_markdown: review
            .then(|| at(a.review_markdown.as_ref(), "review.md"))
            .flatten(),
        review_json: review
            .then(|| at(a.review_json.as_ref(), "review.json"))
            .flatten(),
        review_html: review.then(|| run_dir.join("review.html")),
        brief: brief(&a.common.brief, a.run_label.as_ref(), here)?,
        wrap_up: (!a.no_wrap_up).then(|| wanted::WrapUp {
            json: at(a.wrap_up_json.as_ref(), "wrap_up.json"),
            markdown: at(a.wrap_up_markdown.as_ref(), "wrap_up.md"),
            tolerance: tolerance * MINUTE,
            treat_warn_as_failure: a.wrap_up_treat_warn_as_failure,
        }),
        packet: if a.no_packet {
            None
        } else {
            packet(&a.common, here, Some(run_dir))
        },
        beside: root.to_owned(),
        ..Wanted::default()
    })
}

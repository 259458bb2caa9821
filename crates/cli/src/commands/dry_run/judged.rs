//! What needs no child: `audit`, `review`, `wrap-up` and `backlog` of what is there already.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use gonogo_app::AppError;
use gonogo_app::dry_run::auditing::{self, Judged as Asked};
use gonogo_app::dry_run::finishing;
use gonogo_app::home::Home;
use gonogo_core::clock::{Clock, SystemClock};
use gonogo_core::{Exit, Reason};
use gonogo_dryrun::Status;
use gonogo_dryrun::audit::Format;
use gonogo_dryrun::backlog::{self, Source};
use gonogo_dryrun::review::Review;
use gonogo_dryrun::sign_off::Criteria;
use gonogo_dryrun::summary::Report;
use gonogo_dryrun::wrap_up::{self, Read, WrapUp as Minutes};
use serde_json::json;

use super::super::{Answer, here};
use super::flags;
use crate::args::Select;
use crate::args::dry_run::{Audit, Backlog, Brief, Form, Judged, LogFormat, ReviewOf, WrapUp};
use crate::screen::Screen;

/// The largest summary that is read.
const LARGEST: u64 = 256 << 20;

/// Length that `--sign-off` demands, seconds.
const SIGN_OFF_SECONDS: f64 = 72.0 * 3600.0;

pub(super) fn audit(select: &Select, a: &Audit, screen: &Screen) -> Answer {
    // A few buffers of some megabytes, used again and again: huge pages would only be half empty. Nothing depends on it.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let cache = |home: &Home| {
        let from_file = || home.file().audit_cache.map(|p| home.root().join(p));
        a.cache
            .as_ref()
            .map(|p| home.here.join(p))
            .or_else(from_file)
    };
    let (report, review, status) = judge(select, &a.judged, &Brief::default(), cache)?;
    finish("dry_run_audit", &a.judged, &report, &review, status, screen)
}

pub(super) fn review(select: &Select, a: &ReviewOf, screen: &Screen) -> Answer {
    let (report, review, status) = judge(select, &a.judged, &a.brief, |_| None)?;
    finish(
        "dry_run_review",
        &a.judged,
        &report,
        &review,
        status,
        screen,
    )
}

fn judge(
    select: &Select,
    a: &Judged,
    brief: &Brief,
    cache: impl Fn(&Home) -> Option<PathBuf>,
) -> Result<(Report, Review, Status), AppError> {
    let home = super::home(select)?;
    let now = SystemClock::default().now().wall;
    let asked = Asked {
        cache: cache(&home),
        ..asked(a, &home.here)?
    };
    let (spec, report) = auditing::audit(&home, &asked, now)?;
    let brief = flags::brief(brief, None, &home.here)?;
    let review = Review::of(&report, finishing::inputs(&brief, &spec, now)?);
    let status = report.status.max(review.status);
    Ok((report, review, status))
}

fn asked(a: &Judged, here: &Path) -> Result<Asked, AppError> {
    let any = a.sign_off
        || a.sign_off_min_duration_hours.is_some()
        || a.sign_off_min_uptime_ratio.is_some()
        || a.sign_off_min_sharpe.is_some()
        || a.sign_off_allow_warnings
        || a.sign_off_optional_diary
        || a.sign_off_optional_performance;
    let criteria = any.then(|| Criteria {
        minimum_duration_seconds: a
            .sign_off_min_duration_hours
            .map(|h| h * 3600.0)
            .or(a.sign_off.then_some(SIGN_OFF_SECONDS)),
        duration_tolerance_seconds: 0.1,
        minimum_uptime_ratio: a.sign_off_min_uptime_ratio.or(a.sign_off.then_some(0.98)),
        require_diary: !a.sign_off_optional_diary,
        require_performance: !a.sign_off_optional_performance || a.sign_off_min_sharpe.is_some(),
        allow_warnings: a.sign_off_allow_warnings,
        minimum_sharpe_ratio: a.sign_off_min_sharpe,
    });
    let metadata = a
        .metadata
        .iter()
        .map(|text| {
            gonogo_app::dry_run::settings::pair("metadata", text)
                .map(|(k, v)| (k.to_owned(), v.into()))
        })
        .collect::<Result<_, AppError>>()?;
    Ok(Asked {
        logs: a.log.iter().map(|p| here.join(p)).collect(),
        run_dir: a.run_dir.as_ref().map(|p| here.join(p)),
        diary: a.diary.as_ref().map(|p| here.join(p)),
        performance: a.performance.as_ref().map(|p| here.join(p)),
        warn_gap: a.warn_gap_minutes * 60.0,
        fail_gap: a.fail_gap_minutes * 60.0,
        stderr: a.stderr_policy.map(flags::stderr),
        min_entries_per_day: a.diary_min_entries_per_day,
        daily_gap_severity: flags::status(a.diary_daily_gap_severity),
        lines: match a.log_format {
            LogFormat::Auto => Format::Auto,
            LogFormat::Jsonl => Format::Jsonl,
            LogFormat::Text => Format::Text,
        },
        criteria,
        metadata,
        cache: None,
    })
}

fn finish(
    use_case: &str,
    a: &Judged,
    report: &Report,
    review: &Review,
    status: Status,
    screen: &Screen,
) -> Answer {
    let text = super::render(review, a.format)?;
    // An audit's JSON is the report itself, with the review in it.
    let text = match a.format {
        Form::Json if use_case == "dry_run_audit" => pretty(report)?,
        _ => text,
    };
    super::put(&text, a.output.as_ref(), screen)?;
    screen.answer(
        use_case,
        json!({"status": status, "report": report, "review": review}),
    );
    Ok(super::exit(status, a.treat_warn_as_error))
}

fn pretty(value: &impl serde::Serialize) -> Result<String, AppError> {
    let value = serde_json::to_value(value).and_then(|v| serde_json::to_string_pretty(&v));
    value.map_err(|e| AppError::new(Reason::StoreFailed, e.to_string()))
}

/// Reads a report: a file, or `summary.json` in a directory.
fn read(given: &Path) -> Result<Read, AppError> {
    let mut path: PathBuf = here()?.join(given);
    if path.is_dir() {
        path = path.join("summary.json");
    }
    let file = std::fs::File::open(&path).map_err(|e| AppError::io("read", &path, &e))?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| AppError::io("read", &path, &e))?;
    wrap_up::read(&bytes).map_err(|e| {
        AppError::new(Reason::InputMalformed, format!("`{}`: {e}", path.display()))
            .hint("give the summary.json of an orchestrated run, or the file of --json-report")
    })
}

pub(super) fn wrap_up(a: &WrapUp, screen: &Screen) -> Answer {
    let tolerance = a.duration_tolerance_minutes;
    if !tolerance.is_finite() || tolerance < 0.0 {
        let text = format!("--duration-tolerance-minutes must be 0 or more, not {tolerance}");
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    let mut read = read(&a.summary)?;
    if let Some(hours) = a.required_duration_hours {
        if !hours.is_finite() || hours <= 0.0 {
            let text = format!("--required-duration-hours must be more than 0, not {hours}");
            return Err(AppError::new(Reason::ArgumentInvalid, text));
        }
        if let Some(sign_off) = &mut read.report.sign_off {
            sign_off.criteria.minimum_duration_seconds = Some(hours * 3600.0);
        }
        read.report.summary.metadata.target_duration_seconds = Some(hours * 3600.0);
    }
    let minutes = Minutes::of(
        &read,
        wrap_up::Options {
            tolerance_seconds: tolerance * 60.0,
            treat_warn_as_failure: a.treat_warn_as_failure,
            notes: a.note.clone(),
            ..wrap_up::Options::at(SystemClock::default().now().wall)
        },
    );
    let text = match a.format {
        Form::Markdown => minutes.markdown(),
        Form::Json => pretty(&minutes)?,
        Form::Html => return Err(no_page("a wrap-up")),
    };
    super::put(&text, a.output.as_ref(), screen)?;
    screen.answer("dry_run_wrap_up", json!(minutes));
    Ok(minutes.status.exit())
}

fn no_page(what: &str) -> AppError {
    let text = format!("{what} is written as Markdown or JSON");
    AppError::new(Reason::ArgumentInvalid, text)
        .hint("the review has a page: `gonogo dry-run review --format html`")
}

pub(super) fn backlog(a: &Backlog, screen: &Screen) -> Answer {
    let sources = a
        .summary
        .iter()
        .map(|path| {
            Ok(Source {
                label: match a.summary.len() {
                    1 => String::new(),
                    _ => path.display().to_string(),
                },
                read: read(path)?,
                rules: Vec::new(),
            })
        })
        .collect::<Result<Vec<_>, AppError>>()?;
    let list = backlog::Backlog::of(&sources, SystemClock::default().now().wall);
    let text = match a.format {
        Form::Markdown => list.markdown(),
        Form::Json => pretty(&list)?,
        Form::Html => return Err(no_page("a backlog")),
    };
    super::put(&text, a.output.as_ref(), screen)?;
    screen.answer("dry_run_backlog", json!(list));
    let exit: Exit = list.exit(a.fail_on_warn, a.fail_on_fail);
    Ok(exit)
}

//! `dry-run …`: run, orchestrate and finalize here; what needs no child of its own in the modules beside.

mod flags;
mod follow;
mod judged;
mod smoke;
mod watching;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gonogo_app::AppError;
use gonogo_app::dry_run::finishing::{self, Finished};
use gonogo_app::dry_run::running::{self, Request};
use gonogo_app::dry_run::wanted;
use gonogo_app::home::Home;
use gonogo_app::workspace::Caller;
use gonogo_core::clock::{Clock, SystemClock};
use gonogo_core::{Exit, Reason};
use gonogo_dryrun::Status;
use gonogo_dryrun::review::escape::visible;
use gonogo_dryrun::review::{Review, html, markdown};
use gonogo_dryrun::watch::duration::humanised;

use super::Answer;
use crate::args::Select;
use crate::args::dry_run::{DryRunArgs, DryRunWhat, Finalize, Form, Orchestrate, Run};
use crate::screen::{Screen, Tone};

/// How many findings are told on the screen; all are in the reports.
const TOLD: usize = 12;

pub(super) fn dry_run(
    select: &Select,
    args: &DryRunArgs,
    screen: &Screen,
) -> (&'static str, Answer) {
    match &args.what {
        DryRunWhat::Run(a) => ("dry_run_run", run(select, a, screen)),
        DryRunWhat::Orchestrate(a) => ("dry_run_orchestrate", orchestrate(select, a, screen)),
        DryRunWhat::Smoke(a) => ("dry_run_smoke", smoke::smoke(select, a, screen)),
        DryRunWhat::Audit(a) => ("dry_run_audit", judged::audit(select, a, screen)),
        DryRunWhat::Review(a) => ("dry_run_review", judged::review(select, a, screen)),
        DryRunWhat::Watch(a) => ("dry_run_watch", watching::watch(a, screen)),
        DryRunWhat::WrapUp(a) => ("dry_run_wrap_up", judged::wrap_up(a, screen)),
        DryRunWhat::Backlog(a) => ("dry_run_backlog", judged::backlog(a, screen)),
        DryRunWhat::Finalize(a) => ("dry_run_finalize", finalize(select, a, screen)),
        DryRunWhat::Simulate(a) => ("dry_run_simulate", smoke::simulate(a)),
    }
}

pub(super) fn home(select: &Select) -> Result<Home, AppError> {
    let caller = Caller {
        name: select.name.clone(),
        key: select.key.clone(),
        ..Caller::default()
    };
    Home::find(
        super::here()?,
        super::overrides(select),
        caller,
        Arc::new(SystemClock::default()),
        super::memory(),
    )
}

fn run(select: &Select, a: &Run, screen: &Screen) -> Answer {
    let home = home(select)?;
    let request = Request {
        flags: flags::of_run(a, &home.here),
        log_dir: a.log_dir.clone(),
        slug: None,
        wanted: flags::wanted_of_run(a, &home.here)?,
    };
    let to_stdout = a.review_output.as_deref() == Some(Path::new("-"));
    if to_stdout && screen.json {
        let text = "--review-output - and --json both want standard output";
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    let finished = follow(&home, &request, a.common.serve, screen)?;
    if let (true, Some(review)) = (to_stdout, &finished.review) {
        screen.say(render(review, a.review_format)?.trim_end());
        return Ok(finished.status.exit());
    }
    Ok(tell(&finished, screen, "dry_run_run"))
}

fn orchestrate(select: &Select, a: &Orchestrate, screen: &Screen) -> Answer {
    let home = home(select)?;
    let file = home.file();
    let root = match (&a.output_root, &file.output_root) {
        (Some(path), _) => home.here.join(path),
        (None, Some(path)) => home.root().join(path),
        (None, None) => home.here.join("artifacts/final_dry_run"),
    };
    let slug = match &a.run_name {
        Some(name) if !gonogo_app::config::is_plain_name(name) => {
            let text = format!(
                "--run-name {name:?} cannot be a directory's name: 1 to 64 of `A-Z a-z 0-9 . _ + -`, a letter, digit or `_` first"
            );
            return Err(AppError::new(Reason::ArgumentInvalid, text));
        }
        Some(name) => name.clone(),
        None => running::slug(SystemClock::default().now().wall),
    };
    let run_dir = root.join(&slug);
    if run_dir.exists() {
        let text = format!(
            "`{}` is there already: it belongs to an earlier run",
            run_dir.display()
        );
        return Err(AppError::new(Reason::OutputFailed, text)
            .hint("give another --run-name")
            .hint(format!(
                "if that run was cut off: `{}`",
                home.finalize_command(&run_dir)
            )));
    }
    let request = Request {
        flags: flags::of_orchestrate(a, &home.here, &run_dir),
        log_dir: run_dir.join("logs"),
        slug: Some(slug),
        wanted: flags::wanted_of_orchestrate(a, &home.here, &root, &run_dir)?,
    };
    let finished = follow(&home, &request, a.common.serve, screen)?;
    Ok(tell(&finished, screen, "dry_run_orchestrate"))
}

fn follow(
    home: &Home,
    request: &Request,
    serve: Option<std::net::SocketAddr>,
    screen: &Screen,
) -> Result<Finished, AppError> {
    let mut foreground = follow::Foreground::new(screen, serve);
    running::run(home, request, &mut foreground)
}

fn finalize(select: &Select, a: &Finalize, screen: &Screen) -> Answer {
    if !a.within_seconds.is_finite() || !(0.0..=86_400.0).contains(&a.within_seconds) {
        let text = "--within-seconds must be 0 to 86400";
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    let home = home(select)?;
    let within = Duration::from_secs_f64(a.within_seconds);
    let finished = finishing::finalize(&home, &a.dir, within)?;
    Ok(tell(&finished, screen, "dry_run_finalize"))
}

/// A report in the asked form.
pub(super) fn render(review: &Review, form: Form) -> Result<String, AppError> {
    match form {
        Form::Markdown => Ok(markdown::render(review)),
        Form::Html => Ok(html::render(review)),
        Form::Json => review
            .json()
            .map_err(|e| AppError::new(Reason::StoreFailed, e.to_string())),
    }
}

/// Writes a report to its file, or says it.
pub(super) fn put(text: &str, to: Option<&PathBuf>, screen: &Screen) -> Result<(), AppError> {
    match to.filter(|p| p.as_os_str() != "-") {
        None => {
            screen.say(text.trim_end());
            Ok(())
        }
        Some(path) => {
            let path = super::here()?.join(path);
            gonogo_app::workspace::write_report(&path, text.as_bytes())?;
            screen.talk(&format!("written: {}", path.display()));
            Ok(())
        }
    }
}

pub(super) fn tone(status: Status) -> Tone {
    match status {
        Status::Pass => Tone::Good,
        Status::Warn => Tone::Wait,
        Status::Fail | Status::Invalid => Tone::Bad,
    }
}

/// Says how a run stands, why, and what comes next.
fn tell(finished: &Finished, screen: &Screen, use_case: &str) -> Exit {
    let report = &finished.report;
    let word = finished.status.word().to_uppercase();
    let lived = report.duration_seconds.map_or_else(
        || "the child never ran".to_owned(),
        |s| format!("ran {}", humanised(s)),
    );
    let lines = report.summary.logs.as_ref().map_or(0, |l| l.total_lines);
    let again = if finished.again {
        ", as judged before"
    } else {
        ""
    };
    screen.say(&format!(
        "{} {}  {lived}, {lines} lines{again}",
        screen.paint(tone(finished.status), &word),
        finished.spec.run_id,
    ));
    let findings = report.sign_off.iter().flat_map(|s| &s.findings);
    let mut told = 0;
    let mut more = 0;
    for finding in findings {
        if told == TOLD {
            more += 1;
            continue;
        }
        told += 1;
        let word = match &finding.accepted {
            Some(_) => "accepted".to_owned(),
            None => finding.severity.word().to_owned(),
        };
        screen.say(&format!("  {word:<8} {}", visible(&finding.message)));
    }
    let said = |message: &str| {
        let mut all = report.sign_off.iter().flat_map(|s| &s.findings);
        all.any(|f| f.message == message)
    };
    for incident in report.incidents.iter().filter(|i| !said(&i.message)) {
        if told == TOLD {
            more += 1;
            continue;
        }
        told += 1;
        let word = match &incident.accepted {
            Some(_) => "accepted".to_owned(),
            None => incident.severity.word().to_owned(),
        };
        let times = match incident.count {
            0 | 1 => String::new(),
            n => format!(" ({n} times)"),
        };
        screen.say(&format!(
            "  {word:<8} {}{times}",
            visible(&incident.message)
        ));
    }
    if more > 0 {
        screen.say(&format!("  … and {more} more in the reports"));
    }
    if let Some(dir) = &report.run_directory {
        screen.frame(&format!("reports   {dir}"));
    } else {
        screen.frame(&format!("evidence  {}", finished.dir.display()));
    }
    for left in &report.left_out {
        screen.say(&format!(
            "  left out {}: {}",
            visible(&left.what),
            visible(&left.reason)
        ));
    }
    if !report.left_out.is_empty() {
        screen.frame(&format!("next: free space, then {}", finished.next));
    }
    if let Some(packed) = &finished.packed {
        screen.frame(&format!("packet    {}", packed.archive.display()));
        screen.frame(&format!(
            "next: gonogo verify {} --log-key '{}'",
            packed.archive.display(),
            packed.log_key
        ));
    }
    screen.answer(use_case, finishing::answer(finished));
    finished.status.exit()
}

pub(super) fn exit(status: Status, treat_warn_as_error: bool) -> Exit {
    wanted::exit(status, treat_warn_as_error)
}

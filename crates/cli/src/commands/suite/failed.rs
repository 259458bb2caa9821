//! What is done with runs that are there: read, rerun, replay, compare, report.

use std::io::IsTerminal;

use gonogo_app::AppError;
use gonogo_app::suite::comparing;
use gonogo_app::suite::ingesting::{self, Reports};
use gonogo_app::suite::reading;
use gonogo_app::suite::replaying::{self, Ask};
use gonogo_app::suite::reporting::{self, Form};
use gonogo_app::suite::rerunning::{self, Rerun};
use gonogo_core::{Exit, Reason};
use gonogo_suite::Format;
use gonogo_suite::replay::{Level, Verdict};
use gonogo_suite::report::terminal::{Style, Tone as Colour};
use gonogo_suite::run::Class;
use serde_json::json;

use super::super::Answer;
use super::{Follower, brief, home, plain, tell, told};
use crate::args::Select;
use crate::args::suite::{
    ReplayLevel, ReportForm, ReportFormat, SuiteDiff, SuiteRead, SuiteReplay, SuiteReport,
    SuiteRerun,
};
use crate::screen::{Screen, Tone};

/// How many commands of a comparison are told.
const COMMANDS: usize = 10;

/// How many changes are told on the screen.
const TOLD: usize = 40;

pub(super) fn read(select: &Select, a: &SuiteRead, screen: &Screen) -> Answer {
    let home = home(select)?;
    let reports = Reports {
        files: a.reports.clone(),
        format: a.format.map(format),
        target: a.target.clone(),
        class: Class::Unit,
        exit_code: a.exit_code,
        correlation_id: a.correlation_id.clone(),
        keep: a.keep,
    };
    let found = ingesting::read(&home, &reports)?;
    tell(&found.summary, found.dir.as_deref(), screen);
    screen.answer(
        "suite_read",
        json!({"directory": found.dir, "summary": brief(&found.summary)}),
    );
    Ok(found.summary.exit())
}

const fn format(format: ReportFormat) -> Format {
    match format {
        ReportFormat::Junit => Format::Junit,
        ReportFormat::Libtest => Format::Libtest,
        ReportFormat::LibtestJson => Format::LibtestJson,
        ReportFormat::Go => Format::Go,
        ReportFormat::PytestLog => Format::PytestLog,
        ReportFormat::Jest => Format::Jest,
        ReportFormat::Ctrf => Format::Ctrf,
        ReportFormat::Tap => Format::Tap,
        ReportFormat::Trx => Format::Trx,
    }
}

pub(super) fn rerun(select: &Select, a: &SuiteRerun, screen: &Screen) -> Answer {
    let home = home(select)?;
    let mut follower = Follower::new(screen);
    match rerunning::rerun(&home, &a.from, a.diff_from.as_deref(), &mut follower)? {
        Rerun::Nothing { run_id } => {
            screen.say(&format!(
                "nothing to rerun: everything in {run_id} was good, so nothing was run"
            ));
            screen.answer(
                "suite_rerun",
                json!({"result": "nothing_to_rerun", "from": run_id}),
            );
            Ok(Exit::Done)
        }
        Rerun::Ran(finished) => {
            follower.clear();
            Ok(told("suite_rerun", &finished, screen))
        }
    }
}

pub(super) fn replay(select: &Select, a: &SuiteReplay, screen: &Screen) -> Answer {
    let home = home(select)?;
    let ask = Ask {
        run: a.run.clone(),
        target: a.target.clone(),
        test: a.test.clone(),
        level: a.level.map(|level| match level {
            ReplayLevel::Test => Level::Test,
            ReplayLevel::Suite => Level::Suite,
            ReplayLevel::Target => Level::Target,
        }),
        most: a.limit.max(1),
        keep: a.keep_tree,
    };
    if a.print {
        let (run_id, replays) = replaying::print(&home, &ask)?;
        for replay in &replays {
            screen.say(&replay.shell);
        }
        screen.answer("suite_replay", json!({"run": run_id, "replays": replays}));
        return Ok(Exit::Done);
    }
    let mut follower = Follower::new(screen);
    let found = replaying::replay(&home, &ask, &mut follower)?;
    follower.clear();
    for result in &found.results {
        let (tone, more) = match &result.verdict {
            Verdict::Reproduced { .. } => (Tone::Bad, String::new()),
            Verdict::DifferentSignature { text, .. } => (Tone::Bad, format!(": {text}")),
            Verdict::Passed => (Tone::Wait, String::new()),
            Verdict::CannotRun { why } => (Tone::Wait, format!(": {why}")),
        };
        let name = match &result.replay.test {
            Some(test) => test.to_string(),
            None => result.replay.target.clone(),
        };
        let word = result.verdict.word().replace('_', " ");
        screen.say(&format!(
            "  {} {}{}",
            screen.paint(tone, &format!("{word:<19}")),
            plain(&name),
            plain(&more)
        ));
        screen.frame(&format!("      {}", plain(&result.replay.shell)));
    }
    if found.left > 0 {
        screen.say(&format!(
            "  … and {} more that were not replayed; raise --limit",
            found.left
        ));
    }
    screen.frame(&format!("evidence  {}", found.dir.display()));
    if let Some(tree) = &found.tree {
        screen.frame(&format!("tree      {}", tree.display()));
    }
    screen.answer(
        "suite_replay",
        json!({"run": found.run_id, "results": found.results, "left": found.left,
            "directory": found.dir, "tree": found.tree}),
    );
    Ok(found.exit())
}

pub(super) fn diff(select: &Select, a: &SuiteDiff, screen: &Screen) -> Answer {
    let home = home(select)?;
    let (now, triage) = comparing::compare(&home, &a.run, a.against.as_deref())?;
    let status = serde_json::to_value(triage.status).unwrap_or_default();
    let status = status.as_str().unwrap_or_default().replace('_', " ");
    screen.say(&format!("{status}  {}", now.summary.run_id));
    let mut told = 0;
    let mut more = 0;
    for (target, diff) in &triage.diffs {
        if let Some(why) = &diff.incomparable {
            screen.say(&format!("  {target}: incomparable: {}", plain(why)));
        }
        for changed in &diff.changed {
            if told == TOLD {
                more += 1;
                continue;
            }
            told += 1;
            screen.say(&format!(
                "  {:<18} {target}: {}",
                changed.change.word().replace('_', " "),
                plain(&changed.test.to_string())
            ));
        }
    }
    for target in now.summary.targets() {
        let name = &target.target;
        if let Some(why) = triage.unread.get(name) {
            screen.say(&format!("  {name}: {}", plain(why)));
        } else if !triage.diffs.contains_key(name) {
            screen.say(&format!("  {name}: there is nothing to compare it with"));
        }
    }
    for name in &triage.removed {
        screen.say(&format!("  {name}: it is declared no longer"));
    }
    let is_own = |name: &String| now.summary.targets().any(|t| t.target == *name);
    for (name, why) in triage.unread.iter().filter(|(name, _)| !is_own(name)) {
        screen.say(&format!("  {name}: {}", plain(why)));
    }
    for name in &triage.not_run {
        screen.say(&format!("  {name}: it was not run"));
    }
    if more > 0 {
        screen.say(&format!("  … and {more} more changes"));
    }
    let listed = |key: &str| triage.document[key].as_str().map(str::to_owned);
    if let Some(path) = listed("baseline_summary_path") {
        screen.frame(&format!("compared with  {}", plain(&path)));
    }
    let commands = &triage.document["recommended_commands"]["ranked_repro_commands"];
    for command in commands.as_array().into_iter().flatten().take(COMMANDS) {
        let command = command.as_str().unwrap_or_default();
        screen.frame(&format!("replay         {}", plain(command)));
    }
    for difference in &now.differences {
        let text = format!("  not as recorded: {}", plain(difference));
        screen.say(&screen.paint(Tone::Bad, &text));
    }
    screen.answer("suite_diff", triage.document.clone());
    Ok(match now.differences.is_empty() {
        true => comparing::exit(triage.status),
        false => Exit::Unjudged,
    })
}

pub(super) fn report(select: &Select, a: &SuiteReport, screen: &Screen) -> Answer {
    let home = home(select)?;
    let loaded = reading::find(&home, &a.run)?;
    let form = match a.form {
        ReportForm::Terminal => Form::Terminal,
        ReportForm::Markdown => Form::Markdown,
        ReportForm::Comment => Form::Comment,
        ReportForm::Html => Form::Html,
        ReportForm::Github => Form::Github,
        ReportForm::GitlabQuality => Form::GitlabQuality,
        ReportForm::GitlabMetrics => Form::GitlabMetrics,
        ReportForm::Junit => Form::Junit,
        ReportForm::Ctrf => Form::Ctrf,
    };
    let paint = |tone: Colour, text: &str| match tone {
        Colour::Good => screen.paint(Tone::Good, text),
        Colour::Bad => screen.paint(Tone::Bad, text),
        Colour::Warn | Colour::Odd => screen.paint(Tone::Wait, text),
        Colour::Strong | Colour::Command => screen.paint(Tone::Strong, text),
        Colour::Quiet => text.to_owned(),
    };
    let style = Style {
        width: width(),
        paint: &paint,
        ..Style::default()
    };
    let bytes = reporting::report(&home, &loaded, form, &style)?;
    for difference in &loaded.differences {
        let text = format!("not as recorded: {}", plain(difference));
        screen.talk(&screen.paint(Tone::Bad, &text));
    }
    match &a.out {
        Some(path) => {
            let path = super::super::here()?.join(path);
            gonogo_app::workspace::write_report(&path, &bytes)?;
            screen.talk(&format!("written: {}", path.display()));
        }
        None => {
            let text = String::from_utf8(bytes)
                .map_err(|_| AppError::new(Reason::OutputFailed, "the report is no UTF-8"))?;
            screen.say(text.trim_end());
        }
    }
    screen.answer(
        "suite_report",
        json!({"run": loaded.summary.run_id, "out": a.out, "differences": loaded.differences}),
    );
    Ok(match loaded.differences.is_empty() {
        true => Exit::Done,
        false => Exit::Unjudged,
    })
}

fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    if !std::io::stdout().is_terminal() {
        return columns.unwrap_or(100);
    }
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    let own = size.map(|s| usize::from(s.ws_col)).filter(|c| *c > 0);
    own.or(columns).unwrap_or(100)
}

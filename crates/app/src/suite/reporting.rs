//! Reports of a run, in the forms in which people and their tools read them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use gonogo_core::{Reason, Verdict};
use gonogo_suite::report::{
    Bounds, Flaky, Outline, Replay, Report, ctrf, github, gitlab, html, junit, markdown,
    terminal::{self, Style},
};
use gonogo_suite::{Row, TargetResult};

use super::analysing::{self, Beside, replays};
use super::knowing::Known;
use super::reading::{self, Loaded};
use super::running;
use crate::AppError;
use crate::config::SuitesFile;
use crate::home::Home;

/// A form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For a terminal.
    Terminal,
    /// Markdown for a step summary.
    Markdown,
    /// Markdown for a comment.
    Comment,
    /// One HTML file.
    Html,
    /// Workflow commands of GitHub: annotations.
    Github,
    /// Code quality of GitLab.
    GitlabQuality,
    /// Metrics of GitLab.
    GitlabMetrics,
    /// JUnit XML.
    Junit,
    /// CTRF.
    Ctrf,
}

/// Makes a report of a run that is there.
///
/// # Errors
/// Lists of tests that cannot be read.
pub fn report(
    home: &Home,
    loaded: &Loaded,
    form: Form,
    style: &Style<'_>,
) -> Result<Vec<u8>, AppError> {
    let root = home.root();
    let empty = SuitesFile::default();
    let file = home.config.as_ref().map_or(&empty, |c| &c.suites);
    let beside = Beside {
        root: &root,
        file,
        seed: None,
        env: BTreeMap::new(),
        os: String::new(),
        tools: BTreeMap::new(),
        vcr_mode: None,
        against: None,
        program: running::program(home),
    };
    let replay = |row: &Row| {
        let found = replays(&beside, &loaded.summary, row)?;
        let best = found.best();
        Some(Replay {
            argv: best.argv.clone(),
            command: best.shell.clone(),
        })
    };
    let known = Known::load(home)?;
    let owner = |row: &Row| {
        let target = loaded.summary.targets().find(|t| t.target == row.target)?;
        known.owners.row(target, row)?.text()
    };
    let advice = |row: &Row| crate::runbook::advice(&known.runbook, &loaded.summary, row);
    let mut next = Vec::new();
    let is_known = |target: &TargetResult| {
        target.status != Verdict::Pass
            && !analysing::origin(&beside, &loaded.summary, target)
                .command
                .is_empty()
    };
    if loaded.summary.status > Verdict::Excused && loaded.summary.targets().any(is_known) {
        let mut argv = running::program(home);
        argv.extend(["suite", "replay", &loaded.summary.run_id].map(str::to_owned));
        next.push(gonogo_suite::replay::shell(&argv));
    }
    let here = root.display().to_string();
    let log = |target: &str| {
        let target = loaded.summary.targets().find(|t| t.target == target)?;
        let text = beginning(&loaded.dir.join(&target.log_file)).ok()?;
        Some((text, here.clone()))
    };
    let report = Report {
        log: &log,
        replay: &replay,
        owner: &owner,
        advice: &advice,
        next: &next,
        ..Report::of(&loaded.summary)
    };
    let mut rows = Vec::new();
    reading::rows(&loaded.dir, &loaded.summary, |row| rows.push(row))?;
    let io = |e: std::io::Error| AppError::new(Reason::OutputFailed, e.to_string());
    let outlined = |rows: Vec<Row>| Outline::of(report, rows, &Bounds::default());
    let text = match form {
        Form::Terminal => terminal::render(&outlined(rows), style),
        Form::Markdown => markdown::render(&outlined(rows), markdown::Room::StepSummary),
        Form::Comment => markdown::render(&outlined(rows), markdown::Room::Comment),
        Form::Html => html::render(&outlined(rows)),
        Form::Github => github::commands(&outlined(rows)),
        Form::GitlabQuality => gitlab::code_quality(&outlined(rows)),
        Form::GitlabMetrics => gitlab::metrics(&outlined(rows)),
        Form::Junit => {
            let mut out = Vec::new();
            junit::write(&mut out, &report, rows, Flaky::Fail).map_err(io)?;
            return Ok(out);
        }
        Form::Ctrf => {
            let mut out = Vec::new();
            ctrf::write(&mut out, &report, rows, Flaky::Fail).map_err(io)?;
            return Ok(out);
        }
    };
    Ok(text.into_bytes())
}

/// What is looked at of a log for the findings of a linter.
const LOG: u64 = 16 << 20;

fn beginning(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LOG).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

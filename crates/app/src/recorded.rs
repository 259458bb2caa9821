//! Recorded HTTP: a command is run behind the recorder, and a cassette is looked at without a run.
//!
//! The proxy is `gonogo_recorded`; here are the configuration, the environment, the child and the verdict on both together. Invariants: a
//! green child does not make up for a recording that is not good, nor the other way round; a child that was stopped, killed or never
//! started leaves the cassette as it was; nothing is recorded where a person must confirm it and did not.

mod child;
pub mod declared;
mod settings;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gonogo_core::{Clock, Exit, Reason, Span, Verdict};
use gonogo_recorded::{Because, End, Error, Lint, Report};
use serde::Serialize;

pub use child::Child;
pub use gonogo_recorded::{Action, Mode};

use crate::AppError;
use crate::home::Home;

/// Most bytes of a report that is read back.
const REPORT: u64 = 16 << 20;

/// What is asked for, beside what the file says of the name.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// `[record.NAME]` of the configuration.
    pub name: Option<String>,
    /// What to do.
    pub mode: Option<Mode>,
    /// The cassette, relative to the working directory.
    pub cassette: Option<PathBuf>,
    /// Services: names and base URLs.
    pub upstreams: Vec<(String, String)>,
    /// Whether there is a forward proxy too.
    pub forward: bool,
    /// Whether requests to this machine go through it as well.
    pub loopback: bool,
    /// Whether a recording may replace one that is there.
    pub replace: bool,
    /// Whether exchanges that nobody asked for are no reason to hold.
    pub allow_unused: bool,
    /// How old the cassette may be.
    pub max_age: Option<Span>,
    /// Where the report is written.
    pub report: Option<PathBuf>,
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// Whether the child writes its standard output to our standard error.
    pub apart: bool,
}

/// How the child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildEnd {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    /// The recorder's report.
    pub report: Report,
    /// How the child ended.
    pub child: ChildEnd,
    /// Whether a signal reached us meanwhile.
    pub stopped: bool,
    /// The worst of both.
    pub verdict: Verdict,
    /// Why: the recorder's reasons, and the child's.
    pub reasons: Vec<Because>,
    /// What a command ends with.
    pub exit: Exit,
}

/// Runs a command behind the recorder. `began` is told when the proxy is there, before the command starts; signals reach the child through
/// `child`.
///
/// # Errors
/// Settings that cannot be used, a cassette that is missing, invalid or in the way, a program that cannot be started, a file that cannot be
/// written. What is wrong with the run itself is in the answer.
pub fn run(
    home: Option<&Home>,
    here: &Path,
    asked: &Asked,
    clock: Arc<dyn Clock>,
    child: &Child,
    began: &mut dyn FnMut(&gonogo_recorded::Recorder),
) -> Result<Ran, AppError> {
    let settings = settings::of(home, here, asked)?;
    let named = asked.name.is_some();
    let cassette = settings.cassette.clone();
    let report = asked.report.as_ref().map(|path| here.join(path));
    if report
        .as_ref()
        .is_some_and(|report| *report == here.join(&cassette))
    {
        let text = "the report and the cassette are the same file";
        return Err(AppError::new(Reason::ArgumentInvalid, text).hint("name another --report"));
    }
    let recorder =
        gonogo_recorded::start(settings, clock).map_err(|e| told(&e, named, Some(&cassette)))?;
    began(&recorder);
    let ended = child.run(&asked.command, recorder.environment(), here, asked.apart);
    let (end, stopped) = match &ended {
        Ok((ChildEnd::Code(_), false)) => (End::Whole, false),
        Ok((_, stopped)) => (End::Interrupted, *stopped),
        Err(_) => (End::Interrupted, false),
    };
    let found = recorder.stop(end);
    // What could not be started says why before what follows from it.
    let (child, _) = ended?;
    let found = found.map_err(|e| told(&e, named, Some(&cassette)))?;
    if let Some(path) = &report {
        write(path, &found)?;
    }
    Ok(judged(found, child, stopped))
}

/// The worst of the recorder's verdict and the child's end.
fn judged(report: Report, child: ChildEnd, stopped: bool) -> Ran {
    let mut reasons = report.reasons.clone();
    let failed = match child {
        ChildEnd::Code(0) => None,
        ChildEnd::Code(code) => Some(format!("the command ended with {code}")),
        ChildEnd::Signal(signal) => Some(format!("the command was ended by signal {signal}")),
    };
    let own = report.worst();
    let recorder = own.map_or(Exit::Done, Reason::exit);
    let (mut verdict, mut exit) = (report.verdict, recorder);
    if let Some(text) = failed {
        let reason = Reason::CommandFailed;
        if verdict < reason.verdict() {
            (verdict, exit) = (reason.verdict(), reason.exit());
        }
        reasons.push(Because {
            code: reason.code().to_owned(),
            text,
        });
    }
    // A verdict that is not good never ends with 0, whatever became of its reasons.
    if verdict > Verdict::Excused && exit == Exit::Done {
        exit = Exit::Unjudged;
    }
    Ran {
        report,
        child,
        stopped,
        verdict,
        reasons,
        exit,
    }
}

fn write(path: &Path, report: &Report) -> Result<(), AppError> {
    let bytes = serde_json::to_vec_pretty(report)
        .map_err(|e| AppError::new(Reason::OutputFailed, e.to_string()))?;
    crate::workspace::write_report(path, &bytes)
        .map_err(|e| AppError::new(Reason::OutputFailed, e.message))
}

/// Looks through a cassette. With a report of this very cassette it also tells what was not asked for. What is a secret is said by
/// the `[record.NAME]` that names the cassette, if one does.
///
/// # Errors
/// A cassette or a report that is not there or cannot be read, or settings that cannot be used.
pub fn lint(
    home: &Home,
    cassette: &Path,
    report: Option<&Path>,
    max_age: Span,
    clock: &dyn Clock,
) -> Result<Lint, AppError> {
    if let Err(e) = std::fs::metadata(cassette) {
        return Err(AppError::io("read", cassette, &e).hint("name a cassette: a `.json` file"));
    }
    let report = report.map(read).transpose()?;
    let rules = settings::redaction_of(home, cassette)?;
    let now = clock.now().wall;
    gonogo_recorded::lint(cassette, now, max_age, &rules, report.as_ref())
        .map_err(|e| told(&e, true, None))
}

fn read(path: &Path) -> Result<Report, AppError> {
    let bytes = crate::proposing::bounded(path, REPORT)?;
    serde_json::from_slice(&bytes).map_err(|e| {
        let text = format!("`{}` is no report of a recording: {e}", path.display());
        AppError::new(Reason::InputMalformed, text).hint("`gonogo record --report FILE` writes one")
    })
}

/// An error of the recorder, with what to do at this door.
fn told(error: &Error, named: bool, cassette: Option<&Path>) -> AppError {
    let reason = match error {
        // It came from flags.
        Error::Setting { .. } if !named => Reason::ArgumentInvalid,
        _ => error.reason(),
    };
    let made = AppError::new(reason, error.to_string());
    let shown = cassette.map_or_else(String::new, |c| c.display().to_string());
    match error {
        Error::Setting { what, .. } if what == "upstreams" => made
            .hint("name a service: `--upstream api=https://api.example.com`")
            .hint("or `--forward`, for what takes its proxy from the environment"),
        Error::Missing { .. } | Error::MissingInCi { .. } => {
            made.hint("record it: `gonogo record --mode record … -- CMD`")
        }
        Error::Exists { .. } => made
            .hint(format!("`--yes` replaces `{shown}`"))
            .hint("`--mode playback` plays it"),
        _ => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gonogo_core::Timestamp;

    fn report(reason: Option<Reason>) -> Report {
        let at = Timestamp::from_millis(0);
        Report {
            schema: "gonogo.suite.recording-report.v1".into(),
            mode: "playback".into(),
            cassette: "c.json".into(),
            digest: None,
            recorded_at: None,
            age_days: None,
            started_at: at,
            ended_at: at,
            interactions: 0,
            requests: 0,
            used: 0,
            unused_count: 0,
            unused: Vec::new(),
            mismatch_count: 0,
            mismatches: Vec::new(),
            refused: Vec::new(),
            upstream_errors: Vec::new(),
            client_left: 0,
            redactions: std::collections::BTreeMap::new(),
            saved: false,
            verdict: reason.map_or(Verdict::Pass, |r| r.verdict()),
            reasons: reason
                .map(|r| Because {
                    code: r.code().into(),
                    text: String::new(),
                })
                .into_iter()
                .collect(),
        }
    }

    #[test]
    fn the_worst_of_recorder_and_child_is_what_a_run_came_to() {
        for (reason, child, verdict, exit) in [
            (None, ChildEnd::Code(0), Verdict::Pass, 0),
            (None, ChildEnd::Code(7), Verdict::Fail, 2),
            (None, ChildEnd::Signal(9), Verdict::Fail, 2),
            (
                Some(Reason::RecordingUnused),
                ChildEnd::Code(0),
                Verdict::Hold,
                1,
            ),
            (
                Some(Reason::RecordingUnused),
                ChildEnd::Code(1),
                Verdict::Fail,
                2,
            ),
            (
                Some(Reason::RecordingMismatch),
                ChildEnd::Code(0),
                Verdict::Fail,
                2,
            ),
            (
                Some(Reason::RecordingEmpty),
                ChildEnd::Code(0),
                Verdict::Invalid,
                3,
            ),
            (
                Some(Reason::RecordingEmpty),
                ChildEnd::Code(1),
                Verdict::Invalid,
                3,
            ),
        ] {
            let ran = judged(report(reason), child, false);
            assert_eq!(
                (ran.verdict, ran.exit.code()),
                (verdict, exit),
                "{reason:?} {child:?}"
            );
        }
        // A report whose reasons nobody knows is not good for that.
        let mut odd = report(Some(Reason::RecordingEmpty));
        odd.reasons.clear();
        assert_eq!(judged(odd, ChildEnd::Code(0), false).exit, Exit::Unjudged);
    }
}

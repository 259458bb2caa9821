//! `suite …`: run, list, show; what needs more is in the module beside.

mod failed;
mod history;
mod owner;
mod shards;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gonogo_app::AppError;
use gonogo_app::home::Home;
use gonogo_app::suite::one::Watcher;
use gonogo_app::suite::reading::{self, Loaded};
use gonogo_app::suite::running::{self, Finished, Request};
use gonogo_app::workspace::Caller;
use gonogo_core::clock::SystemClock;
use gonogo_core::{Exit, Verdict};
use gonogo_suite::run::{Class, LogFailure};
use gonogo_suite::{Row, Summary, TargetResult, TestVerdict};
use serde_json::json;

use super::Answer;
use crate::args::Select;
use crate::args::suite::{QuarantineWhat, SuiteArgs, SuiteList, SuiteRun, SuiteShow, SuiteWhat};
use crate::screen::{Screen, Tone};

/// How many failures are told on the screen; all are in the run's directory.
const TOLD: usize = 20;

pub(super) fn suite(select: &Select, args: &SuiteArgs, screen: &Screen) -> (&'static str, Answer) {
    match &args.what {
        SuiteWhat::Run(a) => ("suite_run", run(select, a, screen)),
        SuiteWhat::Read(a) => ("suite_read", failed::read(select, a, screen)),
        SuiteWhat::Rerun(a) => ("suite_rerun", failed::rerun(select, a, screen)),
        SuiteWhat::Replay(a) => ("suite_replay", failed::replay(select, a, screen)),
        SuiteWhat::Diff(a) => ("suite_diff", failed::diff(select, a, screen)),
        SuiteWhat::Report(a) => ("suite_report", failed::report(select, a, screen)),
        SuiteWhat::List(a) => ("suite_list", list(select, a, screen)),
        SuiteWhat::Owner(a) => ("suite_owner", owner::owner(select, a, screen)),
        SuiteWhat::Show(a) => ("suite_show", show(select, a, screen)),
        SuiteWhat::Flakes(a) => ("suite_flakes", history::flakes(select, a, screen)),
        SuiteWhat::Clusters(a) => ("suite_clusters", history::clusters(select, a, screen)),
        SuiteWhat::Quarantine(a) => match &a.what {
            QuarantineWhat::Propose(a) => (
                "suite_quarantine_propose",
                history::propose(select, a, screen),
            ),
        },
        SuiteWhat::Plan(a) => ("suite_plan", shards::plan(select, a, screen)),
        SuiteWhat::Merge(a) => ("suite_merge", shards::merge(select, a, screen)),
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

fn run(select: &Select, a: &SuiteRun, screen: &Screen) -> Answer {
    let home = home(select)?;
    let mut skip = Vec::new();
    if a.skip_lint {
        skip.push(Class::Lint);
    }
    if a.skip_unit {
        skip.extend([Class::Unit, Class::Recorded]);
    }
    if a.skip_e2e {
        skip.push(Class::E2e);
    }
    let request = Request {
        profile: a.profile.clone(),
        suites: a.suite.clone(),
        skip,
        shard: shards::part(a),
        shard_name: a.shard_name.clone(),
        correlation_id: a.correlation_id.clone(),
        artifacts: a.artifacts.clone(),
        rerun_from: None,
        diff_from: a.diff_from.clone(),
        seed: a.seed,
    };
    let mut follower = Follower::new(screen);
    let finished = running::run(&home, &request, &mut follower)?;
    follower.clear();
    Ok(told("suite_run", &finished, screen))
}

/// Says what a run came to.
fn told(use_case: &str, finished: &Finished, screen: &Screen) -> Exit {
    let exit = finished.exit();
    if finished.empty {
        let of = finished.summary.shard.as_ref();
        screen.say(&format!(
            "empty: nothing is planned for shard {} of {}, so nothing was run and nothing is proven",
            of.map_or(0, |s| s.index),
            of.map_or(0, |s| s.total)
        ));
        screen.frame(&format!("evidence  {}", finished.dir.display()));
    } else {
        tell(&finished.summary, Some(&finished.dir), screen);
    }
    if finished.summary.shard.is_some() {
        screen.frame("next: gonogo suite merge with the runs of all shards");
    } else if finished.summary.status > Verdict::Excused {
        screen.frame(&format!("next: gonogo {}", after_bad(finished)));
    } else {
        screen.frame("next: gonogo gate check");
    }
    screen.answer(
        use_case,
        json!({
            "run": finished.summary.run_id,
            "result": if finished.empty { "empty" } else { "ran" },
            "status": finished.summary.status,
            "reasons": finished.summary.reasons,
            "directory": finished.dir,
            "files": finished.files,
            "triage": finished.triage.status,
            "summary": brief(&finished.summary),
        }),
    );
    exit
}

/// What shows more of a run that is not good: a replay where a failure can be run again in its own tree, or what its reason means.
fn after_bad(finished: &Finished) -> String {
    let ran = |row: &Row| !row.verdict.is_good() && row.verdict != TestVerdict::Precluded;
    let summary = &finished.summary;
    match summary.reasons.first() {
        Some(reason)
            if !summary.source.tree.starts_with("git:") || !finished.rows.iter().any(ran) =>
        {
            format!("explain {reason}")
        }
        _ => format!("suite replay {}", summary.run_id),
    }
}

fn list(select: &Select, a: &SuiteList, screen: &Screen) -> Answer {
    let home = home(select)?;
    if a.profiles {
        return profiles(&home, screen);
    }
    let all = reading::list(&home, a.limit)?;
    if all.is_empty() {
        screen.say("no run yet");
        screen.frame("next: gonogo suite run");
    }
    for run in &all {
        let status = run.status.map_or_else(|| "?".into(), |s| s.to_string());
        screen.say(&format!(
            "{}  {}  {:<8} {:<8} {}",
            run.run_id,
            run.at,
            screen.paint(tone(run.status), &status),
            run.profile,
            run.tree,
        ));
    }
    screen.answer("suite_list", json!({ "runs": all }));
    Ok(Exit::Done)
}

fn profiles(home: &Home, screen: &Screen) -> Answer {
    let Some(config) = &home.config else {
        screen.say("there is no gonogo.toml here or above");
        screen.answer("suite_list", json!({ "profiles": {}, "suites": {} }));
        return Ok(Exit::Done);
    };
    let file = &config.suites;
    for (name, suites) in &file.profiles {
        let listed = match suites.is_empty() {
            true => "nothing".to_owned(),
            false => suites.join(", "),
        };
        screen.say(&format!("{name:<10} {listed}"));
    }
    let suites: serde_json::Map<String, serde_json::Value> = file
        .suites
        .iter()
        .map(|(name, s)| {
            let value =
                json!({"class": s.class, "command": s.command, "dir": s.dir, "format": s.format});
            (name.clone(), value)
        })
        .collect();
    screen.answer(
        "suite_list",
        json!({ "profiles": file.profiles, "suites": suites }),
    );
    Ok(Exit::Done)
}

fn show(select: &Select, a: &SuiteShow, screen: &Screen) -> Answer {
    let home = home(select)?;
    let loaded = reading::find(&home, &a.run)?;
    let broken = reading::contract(&home, &loaded)?;
    let Loaded {
        summary,
        dir,
        mut differences,
        record,
    } = loaded;
    differences.extend(broken);
    tell(&summary, Some(&dir), screen);
    for difference in &differences {
        screen.say(&screen.paint(Tone::Bad, &format!("  not as recorded: {difference}")));
    }
    screen.answer(
        "suite_show",
        json!({
            "summary": brief(&summary),
            "directory": dir,
            "record": record,
            "differences": differences,
        }),
    );
    Ok(match differences.is_empty() {
        true => summary.exit(),
        false => Exit::Unjudged,
    })
}

/// A summary as an answer, with the first failures only.
fn brief(summary: &Summary) -> serde_json::Value {
    let mut short = summary.clone();
    for list in [
        &mut short.build,
        &mut short.lint,
        &mut short.unit_targets,
        &mut short.suites,
    ] {
        for target in list.iter_mut() {
            let over = target.bad.len().saturating_sub(100);
            target.bad.truncate(100);
            target.bad_omitted += over as u64;
        }
    }
    serde_json::to_value(&short).unwrap_or_default()
}

pub(super) fn tone(status: Option<Verdict>) -> Tone {
    match status {
        Some(Verdict::Pass) => Tone::Good,
        Some(Verdict::Excused | Verdict::Hold) => Tone::Wait,
        _ => Tone::Bad,
    }
}

/// A text of somebody else's, with all that would move the cursor, turn the line around or not be seen shown as what it is.
pub(super) fn plain(text: &str) -> String {
    gonogo_suite::report::visible(text, usize::MAX)
}

/// Says how a run stands, what failed, and what comes next.
fn tell(summary: &Summary, dir: Option<&Path>, screen: &Screen) {
    let word = summary.status.to_string().to_uppercase();
    let tests = &summary.tests;
    screen.say(&format!(
        "{} {}  {} of {} tests passed, {} bad, {} skipped, in {:.1} s",
        screen.paint(tone(Some(summary.status)), &word),
        summary.run_id,
        tests.passed,
        tests.total,
        tests.bad(),
        tests.skipped,
        summary.duration_ms as f64 / 1000.0,
    ));
    for target in summary.targets() {
        screen.say(&line(target, screen));
        if let Some(shown) = &target.first_failure {
            screen.say(&format!(
                "      {}: {}",
                shown.place(),
                first_failure(shown)
            ));
        }
        for problem in target.problems.iter().take(5) {
            screen.say(&format!(
                "      {} {}",
                problem.reason,
                plain(&problem.text)
            ));
        }
    }
    for problem in &summary.problems {
        screen.say(&format!("  {} {}", problem.reason, plain(&problem.text)));
    }
    if let Some(contract) = summary
        .evidence_contract
        .as_ref()
        .filter(|c| c.warning_count > 0)
    {
        screen.frame(&format!(
            "  {} warnings in {}",
            contract.warning_count, contract.path
        ));
    }
    history::quarantined(summary, screen);
    let mut bad = summary.targets().flat_map(|t| &t.bad);
    for row in bad.by_ref().take(TOLD) {
        screen.say(&failure(row));
    }
    let more: u64 = bad.count() as u64 + summary.targets().map(|t| t.bad_omitted).sum::<u64>();
    if more > 0 {
        screen.say(&format!("  … and {more} more in the run's directory"));
    }
    if let Some(dir) = dir {
        screen.frame(&format!("evidence  {}", dir.display()));
    }
}

/// The line of a log at which a failure stands, and what it says where that line is but a heading.
fn first_failure(shown: &LogFailure) -> String {
    let cut = |text: &str| -> String { plain(text).chars().take(160).collect() };
    let header = &shown.found.header;
    let message = shown
        .found
        .failure
        .message
        .lines()
        .next()
        .unwrap_or_default();
    match message.is_empty() || header.contains(message) || message.contains(header.as_str()) {
        true => cut(header),
        false => format!("{} {}", cut(header), cut(message)),
    }
}

fn line(target: &TargetResult, screen: &Screen) -> String {
    let word = target.status.to_string();
    format!(
        "  {:<8} {:<8} {:<24} {:>6} passed {:>4} bad {:>4} skipped {:>8.1} s",
        screen.paint(tone(Some(target.status)), &format!("{word:<8}")),
        target.class.word(),
        target.target,
        target.passed,
        target.failed,
        target.ignored,
        target.duration_ms as f64 / 1000.0,
    )
}

fn failure(row: &Row) -> String {
    // What says most of it: the message, else what was thrown, else where it begins.
    let said = row
        .failure
        .iter()
        .flat_map(|f| [&f.message, &f.class, &f.trace]);
    let first = said
        .flat_map(|text| text.lines())
        .find(|l| !l.trim().is_empty());
    let first = first.unwrap_or("it says nothing of why");
    let first: String = plain(first).chars().take(160).collect();
    format!(
        "  {:<8} {}: {}\n           {first}",
        row.verdict.word(),
        row.target,
        plain(&row.test.to_string()),
    )
}

/// What is true once SIGINT, SIGTERM or SIGHUP came; none of them ends the program any more.
pub(super) fn interrupted() -> Arc<AtomicBool> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // Without the handler the signal ends the program; the next run then says that this one was cut off.
        let _ = signal_hook::flag::register(signal, Arc::clone(&ended));
    }
    ended
}

/// Shows a run while it goes on.
pub(super) struct Follower<'a> {
    screen: &'a Screen,
    ended: Arc<AtomicBool>,
    live: bool,
    drawn: bool,
}

impl<'a> Follower<'a> {
    /// From now on SIGINT, SIGTERM and SIGHUP end the run, and what it came to is kept.
    pub(super) fn new(screen: &'a Screen) -> Self {
        Self {
            screen,
            ended: interrupted(),
            live: std::io::stderr().is_terminal() && !screen.quiet && !screen.json,
            drawn: false,
        }
    }

    /// Takes the line that is drawn over itself away.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let mut err = std::io::stderr().lock();
            let _ = write!(err, "\r\x1b[K");
            let _ = err.flush();
        }
    }
}

impl Watcher for Follower<'_> {
    fn began(&mut self, target: &str, phase: &str, number: usize, of: usize) {
        self.clear();
        if !self.live {
            self.screen
                .talk(&format!("[{number}/{of}] {phase} {target}"));
        }
    }

    fn looked(&mut self, target: &str, seconds: f64, printed: u64) -> bool {
        if self.live {
            let mut err = std::io::stderr().lock();
            let _ = write!(
                err,
                "\r\x1b[K  {target}  {seconds:.0} s, {} KiB printed",
                printed >> 10
            );
            let _ = err.flush();
            self.drawn = true;
        }
        self.ended.load(Ordering::Relaxed)
    }

    fn ended(&mut self, result: &TargetResult) {
        self.clear();
        if self.live {
            self.screen.talk(&line(result, self.screen));
        }
    }

    fn told(&mut self, text: &str) {
        self.clear();
        self.screen
            .talk(&self.screen.paint(Tone::Wait, &plain(text)));
    }
}

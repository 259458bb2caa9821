//! Load tests: the command runs in a tree made anew, the memory of everything that it started is read by the clock, its events are read
//! when it has ended, and the triage is kept and recorded as budgets are.
//!
//! Invariants: the list of events lies in the run's own directory, so that none of another run is read; nothing that the command started
//! is left behind; a command that could not be run, and events that cannot be read, are results without figures and never a pass.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gonogo_core::{Clock, Digest, Reason};
use gonogo_exec::measure::Subject;
use gonogo_exec::{ExecError, Exit as Ended, Ladder, Launch, Process};
use gonogo_suite::perf::PerfError;
use gonogo_suite::perf::stress::{Ending, Events, StressRun, StressTriage, triage};

use super::judging::Shown;
use super::trees::{Trees, Way};
use super::{Begun, Kept, PerfRun};
use crate::AppError;
use crate::config::StressFile;
use crate::home::Home;
use crate::identity;
use crate::workspace::{make_dir, write_atomic};

/// The triage, in the directory of a load.
pub const TRIAGE: &str = "stress_triage.json";

/// Where the command writes its events; the variable names it.
const EVENTS: (&str, &str) = ("GONOGO_STRESS_EVENTS", "events.txt");

/// Name of a command that is declared nowhere.
pub const UNNAMED: &str = "command";

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// These loads; all that are declared if empty.
    pub names: Vec<String>,
    /// Run instead of the declared command. What comes of it is evidence about no declaration.
    pub command: Vec<String>,
    /// What ties it to other runs.
    pub correlation_id: Option<String>,
    /// Whether one triage is wanted, for one file.
    pub one: bool,
}

/// Loads that were run.
#[derive(Debug)]
pub struct Stressed {
    /// What came of it.
    pub kept: Kept,
    /// The triages by name, with their bytes.
    pub triages: BTreeMap<String, (StressTriage, Vec<u8>)>,
}

/// Runs loads. `tell` is told what is done now.
///
/// Where `is_ended` says so, the load that runs is ended, those behind it are not started, and both are recorded as not judged.
///
/// # Errors
/// Configuration, an unknown name, files that cannot be written, a process table that cannot be read; the ledger's and git's faults.
pub fn run(
    home: &Home,
    ask: &Ask,
    tell: &mut dyn FnMut(&str),
    is_ended: &dyn Fn() -> bool,
) -> Result<Stressed, AppError> {
    let chosen = chosen(home, ask)?;
    if ask.one && chosen.len() > 1 {
        let text = "one file cannot hold the triages of several load tests";
        return Err(AppError::new(Reason::ArgumentInvalid, text).hint("name one of them"));
    }
    let config = super::configured(home)?;
    let now = home.clock.now().wall;
    let usual = || format!("{}-stress", crate::dry_run::running::slug(now));
    let correlation_id = crate::suite::running::correlation_id(ask.correlation_id.clone(), usual)?;
    let Begun {
        tree,
        head,
        host,
        run_id,
        dir,
    } = super::begin(home, config)?;
    let mut trees = Trees::new(config, &tree, &dir);
    let mut triages = BTreeMap::new();
    let mut outcomes = Vec::new();
    for (name, file) in &chosen {
        tell(&format!("{name}: a load of {}", file.duration));
        let at = dir.join(name);
        make_dir(&at)?;
        let left = match trees.ready(&Way::of_load(file), "head", &head)? {
            _ if is_ended() => Left::nothing(format!("was not started: {INTERRUPTED}")),
            Ok(subject) => {
                let left = load(home.clock.as_ref(), file, subject, &at, is_ended)?;
                super::redact(config, &at, "output.log")?;
                left
            }
            Err(why) => Left::nothing(format!("was not started: {why}")),
        };
        let (events, trouble) = match events(&at.join(EVENTS.1)) {
            Ok(events) => (events, None),
            Err(why) => (Events::default(), Some(why)),
        };
        let windows = events.windows();
        let stressed = StressRun {
            schema: StressRun::SCHEMA.into(),
            run_id: run_id.clone(),
            correlation_id: correlation_id.clone(),
            tree: head.tree.clone(),
            host_class: host.clone(),
            command: file.command.clone(),
            ended: left.ended,
            ended_detail: left.detail,
            generated_at: home.clock.now().wall,
            duration_secs: file.duration.as_millis() as f64 / 1e3,
            lasted_secs: left.lasted.as_secs_f64(),
            events_per_sec: file.events_per_sec,
            event_count: events.count(),
            error_count: events.errors,
            rss_interval_secs: file.interval.as_millis() as f64 / 1e3,
            rss_kib: left.rss_kib,
            p99_first_us: windows.map(|w| w.0),
            p99_last_us: windows.map(|w| w.1),
        };
        let refused =
            |e: PerfError| AppError::new(Reason::PerfSampleInvalid, format!("`{name}`: {e}"));
        let found = triage(&stressed, &file.limits()).map_err(refused)?;
        let bytes = found.to_bytes().map_err(refused)?;
        write_atomic(&at.join(TRIAGE), &bytes)?;
        outcomes.push(
            Shown {
                budget: name,
                blocking: file.blocking,
                compares: false,
                limits: false,
                stresses: true,
                declared: super::declared(name, file),
                compared: None,
                limit: None,
                stressed: Some((&found, Digest::of(&bytes))),
                trouble,
            }
            .outcome(),
        );
        triages.insert(name.clone(), (found, bytes));
    }
    drop(trees);
    let run = PerfRun {
        schema: PerfRun::SCHEMA.into(),
        run_id,
        tree: head.tree.clone(),
        commit: head.commit.clone(),
        host_class: host,
        at: home.clock.now().wall,
        outcomes,
        limits: None,
    };
    let parts: Vec<&[u8]> = triages
        .values()
        .map(|(_, bytes)| bytes.as_slice())
        .collect();
    let kept = super::keep(home, run, &dir, &parts, true)?;
    Ok(Stressed { kept, triages })
}

/// The loads that are asked for.
fn chosen(home: &Home, ask: &Ask) -> Result<Vec<(String, StressFile)>, AppError> {
    let config = super::configured(home)?;
    let known = || {
        let known: Vec<&str> = config.stress.keys().map(String::as_str).collect();
        format!("known: {}", known.join(", "))
    };
    let mut chosen = Vec::new();
    for name in &ask.names {
        let Some(file) = config.stress.get(name) else {
            let text = format!("no load test has the name `{name}`");
            let hint = match config.stress.is_empty() {
                true => "declare it with `[perf.stress.NAME]`; `gonogo help config` shows the keys"
                    .into(),
                false => known(),
            };
            return Err(AppError::new(Reason::ArgumentInvalid, text).hint(hint));
        };
        if chosen.iter().all(|(n, _)| n != name) {
            chosen.push((name.clone(), file.clone()));
        }
    }
    if !ask.command.is_empty() {
        if chosen.len() > 1 {
            let text = "one command cannot stand for several load tests";
            return Err(AppError::new(Reason::ArgumentInvalid, text).hint("name one of them"));
        }
        if chosen.is_empty() {
            chosen.push((UNNAMED.to_owned(), StressFile::default()));
        }
        for (_, file) in &mut chosen {
            file.command = ask.command.clone();
        }
        return Ok(chosen);
    }
    if chosen.is_empty() {
        if config.stress.is_empty() {
            let text = format!("`{}` declares no load test", config.path.display());
            return Err(AppError::new(Reason::PolicyUndefined, text)
                .hint("begin one with `[perf.stress.NAME]`; `gonogo help config` shows the keys")
                .hint("or run a command by the usual limits: `gonogo perf stress -- COMMAND`"));
        }
        let all = config.stress.iter();
        chosen.extend(all.map(|(name, file)| (name.clone(), file.clone())));
    }
    Ok(chosen)
}

/// How often it is asked whether to end, in milliseconds.
const LOOK: u64 = 100;

/// Why a load ended that nobody let end.
const INTERRUPTED: &str = "was interrupted";

/// What a command left.
struct Left {
    ended: Ending,
    detail: String,
    lasted: Duration,
    rss_kib: Vec<f64>,
}

impl Left {
    fn nothing(detail: String) -> Self {
        Self {
            ended: Ending::NotStarted,
            detail,
            lasted: Duration::ZERO,
            rss_kib: Vec::new(),
        }
    }
}

/// Runs the command to its end and reads its memory meanwhile.
fn load(
    clock: &dyn Clock,
    file: &StressFile,
    subject: Subject,
    at: &Path,
    is_ended: &dyn Fn() -> bool,
) -> Result<Left, AppError> {
    let mut env = subject.env;
    let duration = file.duration.as_millis() as f64 / 1e3;
    let rate = file.events_per_sec;
    let list = at.join(EVENTS.1).to_string_lossy().into_owned();
    env.insert(EVENTS.0.into(), list);
    env.insert("GONOGO_STRESS_DURATION_SECS".into(), duration.to_string());
    env.insert("GONOGO_STRESS_EVENTS_PER_SEC".into(), rate.to_string());
    let launch = Launch {
        argv: subject.argv,
        env,
        dir: subject.dir,
        log: at.join("output.log"),
        errors: None,
        mark: format!("perf/{}", identity::nonce()),
    };
    let process = match launch.start() {
        Ok(process) => process,
        Err(e) => return Ok(Left::nothing(format!("was not started: {e}"))),
    };
    let watched = watch(clock, file, &process, is_ended);
    // Whatever came of it, nothing is left running.
    gonogo_exec::end(&process, Ladder::KILL).map_err(exec)?;
    watched.map_err(exec)
}

fn exec(e: ExecError) -> AppError {
    AppError::new(Reason::EvidenceMissing, e.to_string())
}

fn watch(
    clock: &dyn Clock,
    file: &StressFile,
    process: &Process,
    is_ended: &dyn Fn() -> bool,
) -> Result<Left, ExecError> {
    let (interval, timeout) = (file.interval.as_millis(), file.timeout.as_millis());
    let began = clock.now().mono_ms;
    let mut next = file.warm_up.as_millis();
    let mut rss_kib = Vec::new();
    loop {
        let now = clock.now().mono_ms.saturating_sub(began);
        if now >= next {
            // Gone since the last look: the wait below tells how.
            if let Some(bytes) = gonogo_exec::resident(process)? {
                rss_kib.push(bytes as f64 / 1024.0);
            }
            next = now.saturating_add(interval - (now - next) % interval);
        }
        let left = next.min(timeout).saturating_sub(now).min(LOOK);
        let ended = process.wait(Duration::from_millis(left))?;
        let lasted = clock.now().mono_ms.saturating_sub(began);
        let (ended, detail) = match ended {
            Some(Ended::Status(0)) => (Ending::Well, "ended well".to_owned()),
            Some(Ended::Status(code)) => (Ending::Failed, format!("ended with {code}")),
            Some(Ended::Signal(n)) => (Ending::Failed, format!("was ended by signal {n}")),
            Some(Ended::Gone) => (Ending::Cut, "is gone, and nobody knows how".to_owned()),
            None if is_ended() => (Ending::Cut, INTERRUPTED.to_owned()),
            None if lasted < timeout => continue,
            None => (Ending::Cut, format!("was killed after {}", file.timeout)),
        };
        return Ok(Left {
            ended,
            detail,
            lasted: Duration::from_millis(lasted),
            rss_kib,
        });
    }
}

/// The events that the command wrote; none if it wrote none. What cannot be read is the error.
fn events(path: &Path) -> Result<Events, String> {
    if !path.exists() {
        return Ok(Events::default());
    }
    let bytes = super::checking::read(path).map_err(|e| e.to_string())?;
    Events::read(&bytes).map_err(|e| e.to_string())
}

//! Failures of a run shown again: each in a clean tree of its own, held against what it was, and recorded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gonogo_core::id::RunId;
use gonogo_core::{Exit, Reason};
use gonogo_suite::replay::{
    Level, Observed, Replay, ReplayResult, Verdict, compare, replay_target,
};
use gonogo_suite::run::{COMMAND, End};
use gonogo_suite::{Row, TargetResult};
use serde_json::{Value, json};

use super::analysing::{Beside, ProjectFiles, origin, replays};
use super::artifacts::RunDir;
use super::checkout::{self, Checkout};
use super::marking;
use super::one::{self, Frame, Watcher};
use super::reading::{self, Loaded};
use super::running::{self, stream};
use super::source::Tree;
use crate::AppError;
use crate::config::{SuiteFile, SuitesFile};
use crate::home::Home;
use crate::identity;
use crate::workspace::STATE_DIR;

/// The record that a replay is.
pub const REPLAY: &str = "replay";

/// How much of a log's end is looked at to say why nothing ran.
const TAIL: usize = 16 << 10;

/// What is to be shown again.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The run.
    pub run: String,
    /// Only failures of this target.
    pub target: Option<String>,
    /// Only tests whose name contains this.
    pub test: Option<String>,
    /// How much is run; as little as can be if absent.
    pub level: Option<Level>,
    /// At most so many failures.
    pub most: usize,
    /// Whether the tree stays.
    pub keep: bool,
}

/// What was shown.
#[derive(Debug)]
pub struct Replayed {
    /// The run.
    pub run_id: String,
    /// One for each failure.
    pub results: Vec<ReplayResult>,
    /// Failures that were asked for and not shown, because of the limit.
    pub left: usize,
    /// Where the logs are.
    pub dir: PathBuf,
    /// The tree, if it stays.
    pub tree: Option<PathBuf>,
}

impl Replayed {
    /// The exit code: what fails again is a no-go, what passes now is a hold, what could not run proves nothing.
    pub fn exit(&self) -> Exit {
        let of = |result: &ReplayResult| match result.verdict {
            Verdict::Passed => Exit::Hold,
            Verdict::Reproduced { .. } | Verdict::DifferentSignature { .. } => Exit::Fail,
            Verdict::CannotRun { .. } => Exit::Unjudged,
        };
        self.results.iter().map(of).max().unwrap_or(Exit::Unjudged)
    }
}

/// Shows failures again.
///
/// # Errors
/// An unknown run, one whose files were changed, a tree that cannot be made; nothing that failed, which is no success.
pub fn replay(home: &Home, ask: &Ask, watcher: &mut dyn Watcher) -> Result<Replayed, AppError> {
    let loaded = reading::find(home, &ask.run)?;
    believed(&loaded)?;
    let summary = &loaded.summary;
    let root = home.root();
    let empty = SuitesFile::default();
    let file = home.config.as_ref().map_or(&empty, |c| &c.suites);
    let environment = environment(&loaded.dir)?;
    let beside = Beside {
        root: &root,
        file,
        seed: environment.get("seed").and_then(Value::as_u64),
        env: texts(environment.get("replay_env")),
        os: String::new(),
        tools: BTreeMap::new(),
        vcr_mode: None,
        against: None,
        program: running::program(home),
    };
    let (mut wanted, unknown) = wanted(&loaded, ask, &beside);
    if wanted.is_empty() {
        return Err(nothing(&loaded, &unknown));
    }
    for target in unknown {
        watcher.told(&format!("{target}: not replayed: nobody knows its command"));
    }
    let left = wanted.len().saturating_sub(ask.most);
    wanted.truncate(ask.most);
    let id = RunId::mint(identity::random()).to_string();
    let state = root.join(STATE_DIR);
    let tree = Tree::find(&root, &state, &[])?;
    let trees = state.join("replays");
    checkout::sweep(&trees)?;
    let mut checkout = Checkout::make(&tree, &summary.source, &trees.join(&id))?;
    let dir = RunDir::create(
        &state.join("runs/replay").join(&id),
        running::redactor(file)?.keyed(marking::key(home)?),
    )?;
    let rules = file.causes.clone();
    let frame = Frame {
        root: checkout.project(),
        dir: &dir,
        run_id: &id,
        correlation_id: &summary.correlation_id,
        env: BTreeMap::from([("GONOGO_REPLAY_OF".to_owned(), summary.run_id.clone())]),
        seed: beside.seed.unwrap_or_default(),
        clock: Arc::clone(&home.clock),
        rules: &rules,
        owners: None,
    };
    let mut results = Vec::new();
    for (n, (replay, target)) in wanted.iter().enumerate() {
        let name = format!("{:03}-{}", n + 1, target.target);
        watcher.began(&name, replay.level.word(), n + 1, wanted.len());
        let result = one(&frame, &name, replay, target, file, &root, watcher)?;
        results.push(result);
    }
    dir.write(
        "replay_results.json",
        &json!({
            "schema": "gonogo.suite.replay-results.v1",
            "run_id": summary.run_id,
            "replay_id": id,
            "tree": summary.source.tree,
            "results": results,
        }),
    )?;
    record(
        home,
        summary.run_id.as_str(),
        &id,
        &summary.source.tree,
        &results,
    )?;
    let kept = ask.keep.then(|| checkout.project().to_owned());
    if ask.keep {
        checkout.keep();
    }
    Ok(Replayed {
        run_id: summary.run_id.clone(),
        results,
        left,
        dir: dir.path.clone(),
        tree: kept,
    })
}

/// The commands that would show failures again; nothing is run.
///
/// # Errors
/// As [`replay`].
pub fn print(home: &Home, ask: &Ask) -> Result<(String, Vec<Replay>), AppError> {
    let loaded = reading::find(home, &ask.run)?;
    believed(&loaded)?;
    let root = home.root();
    let empty = SuitesFile::default();
    let file = home.config.as_ref().map_or(&empty, |c| &c.suites);
    let environment = environment(&loaded.dir)?;
    let beside = Beside {
        root: &root,
        file,
        seed: environment.get("seed").and_then(Value::as_u64),
        env: texts(environment.get("replay_env")),
        os: String::new(),
        tools: BTreeMap::new(),
        vcr_mode: None,
        against: None,
        program: running::program(home),
    };
    let (wanted, unknown) = wanted(&loaded, ask, &beside);
    if wanted.is_empty() {
        return Err(nothing(&loaded, &unknown));
    }
    let replays = wanted.into_iter().take(ask.most).map(|(r, _)| r).collect();
    Ok((loaded.summary.run_id, replays))
}

fn nothing(loaded: &Loaded, unknown: &[&str]) -> AppError {
    if let Some(target) = unknown.first() {
        let text = format!(
            "nobody knows what runs `{target}`: reports of it were read, and no suite of that name is declared"
        );
        return AppError::new(Reason::SuiteUnknown, text)
            .hint(format!("declare its command, format and reports: `[suites.{target}]` in gonogo.toml"))
            .hint("or read the reports as those of a suite that is declared: `gonogo suite read --keep --target NAME …`");
    }
    let text = format!(
        "nothing of `{}` that was asked for failed, so nothing was run",
        loaded.summary.run_id
    );
    AppError::new(Reason::ArgumentInvalid, text).hint("`gonogo suite show` lists what failed")
}

/// A run whose files are not those that were recorded proves nothing about what failed.
pub(super) fn believed(loaded: &Loaded) -> Result<(), AppError> {
    if loaded.differences.is_empty() {
        return Ok(());
    }
    let text = format!(
        "the run `{}` is not as it was recorded: {}",
        loaded.summary.run_id,
        loaded.differences.join("; ")
    );
    Err(AppError::new(Reason::ArtifactsChanged, text))
}

fn environment(dir: &Path) -> Result<Value, AppError> {
    let path = dir.join("environment.json");
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        // Reports that were read have none. One that was there and is gone was missed before.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Value::Null),
        Err(e) => return Err(AppError::io("read", &path, &e)),
    };
    serde_json::from_slice(&bytes)
        .map_err(|e| AppError::new(Reason::InputMalformed, format!("{}: {e}", path.display())))
}

fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let map = value.and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
        .collect()
}

/// What is to be shown again, and the targets of which nobody knows what runs them.
fn wanted<'a>(
    loaded: &'a Loaded,
    ask: &Ask,
    beside: &Beside<'_>,
) -> (Vec<(Replay, &'a TargetResult)>, Vec<&'a str>) {
    let mut all: Vec<(Replay, &TargetResult)> = Vec::new();
    let mut unknown = Vec::new();
    let files = ProjectFiles(beside.root);
    let summary = &loaded.summary;
    let began = |target: &TargetResult| !matches!(target.end, End::NotStarted { .. });
    let is_bad = |target: &&TargetResult| target.status != gonogo_core::Verdict::Pass;
    let has_begun = summary.targets().filter(is_bad).any(began);
    for target in summary.targets() {
        let is_it = ask.target.as_ref().is_none_or(|t| *t == target.target);
        if !is_it || target.status == gonogo_core::Verdict::Pass {
            continue;
        }
        let named = |row: &&Row| {
            let shown = row.test.to_string();
            ask.test
                .as_ref()
                .is_none_or(|part| shown.contains(part.as_str()))
        };
        // What another's failure kept from running failed in nothing of its own.
        if !began(target) && has_begun && ask.target.is_none() {
            continue;
        }
        if origin(beside, summary, target).command.is_empty() {
            unknown.push(target.target.as_str());
            continue;
        }
        let bad: Vec<&Row> = target.bad.iter().filter(named).collect();
        let whole = ask.level == Some(Level::Target) || (bad.is_empty() && ask.test.is_none());
        if whole {
            let origin = origin(beside, summary, target);
            all.push((replay_target(&origin, target, &files), target));
            continue;
        }
        for row in bad {
            let Some(replays) = replays(beside, summary, row) else {
                continue;
            };
            let chosen = match ask.level {
                Some(Level::Suite) => replays.suite.as_ref().unwrap_or(&replays.target),
                _ => replays.best(),
            };
            // One command that shows several failures is run once for each: each has its own answer.
            all.push((chosen.clone(), target));
        }
    }
    (all, unknown)
}

pub(super) fn one(
    frame: &Frame<'_>,
    name: &str,
    replay: &Replay,
    target: &TargetResult,
    file: &SuitesFile,
    root: &Path,
    watcher: &mut dyn Watcher,
) -> Result<ReplayResult, AppError> {
    let declared = file.suites.get(&target.target);
    let prefix = match replay.dir.as_str() {
        "" | "." => String::new(),
        dir => format!("{}/", dir.trim_end_matches('/')),
    };
    let below = |path: &String| path.strip_prefix(&prefix).unwrap_or(path).to_owned();
    let proof = &replay.proves_selection;
    let format = super::running::word(&proof.format).ok_or_else(|| {
        let text = format!(
            "the replay of `{}` is proven by a report of the format `{}`, which nobody here knows",
            replay.target, proof.format
        );
        AppError::new(Reason::InputMalformed, text)
    })?;
    let suite = SuiteFile {
        class: target.class,
        command: replay.argv.clone(),
        dir: replay.dir.clone(),
        format,
        reports: proof.reports.iter().map(below).collect(),
        outputs: Vec::new(),
        owner: None,
        timeout: declared.map_or(gonogo_core::Span::from_secs(1800), |d| d.timeout),
        blocking: true,
        // What is wrong with a plain command that ran no test is to be seen again.
        min_tests: match format {
            COMMAND => target.min_tests,
            _ => proof.min_tests,
        },
        min_duration: None,
        env: replay.env.clone(),
        replay_env: Vec::new(),
        seed_env: None,
        tools: Vec::new(),
        needs: Vec::new(),
    };
    let (result, mut rows) = one::run(frame, name, &suite, watcher)?;
    // The one test of a plain command is named after its target, and here after the replay's directory.
    for row in rows.iter_mut().filter(|row| row.test == one::command(name)) {
        row.test = one::command(&target.target);
    }
    let log = std::fs::read(frame.dir.at(&result.log_file)).unwrap_or_default();
    let tail = &log[log.len().saturating_sub(TAIL)..];
    let log = String::from_utf8_lossy(tail);
    let (here, before) = (frame.root.display().to_string(), root.display().to_string());
    let observed = Observed {
        end: &result.end,
        rows: &rows,
        problems: &result.problems,
        shown: result.first_failure.as_ref(),
        log: &log,
        roots: (&here, &before),
    };
    let shown = compare(replay, observed);
    watcher.ended(&result);
    Ok(shown)
}

fn record(
    home: &Home,
    run_id: &str,
    id: &str,
    tree: &str,
    results: &[ReplayResult],
) -> Result<(), AppError> {
    let book = home.open(&home.here)?;
    let bytes = serde_json::to_vec(results)
        .map_err(|e| AppError::new(Reason::Internal, format!("the results of replays: {e}")))?;
    let blob = book.ledger.put_blob(&bytes)?;
    let told: Vec<Value> = results
        .iter()
        .take(200)
        .map(|r| {
            json!({"target": r.replay.target, "test": r.replay.test, "verdict": r.verdict.word(),
                "signature": r.replay.expects.signature})
        })
        .collect();
    let body = json!({"run": run_id, "replay": id, "tree": tree, "results": told, "blob": blob});
    book.append_keyed(
        &stream(run_id),
        &format!("replay/{id}"),
        REPLAY,
        home.clock.now().wall,
        &home.actor()?,
        vec![("replay_results.json".to_owned(), blob)],
        body,
    )?;
    Ok(())
}

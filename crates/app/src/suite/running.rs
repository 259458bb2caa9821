//! A run of a profile: preflight, then the targets phase by phase, then what they came to as a whole.

mod heads;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gonogo_core::id::RunId;
use gonogo_core::{Digest, Exit, Reason, Timestamp, Verdict};
use gonogo_suite::contract::Of;
use gonogo_suite::redact::{Redactor, is_secret_variable};
use gonogo_suite::run::{
    Class, End, Outcome, Problem, SUMMARY, Shard, Source, State, Summary, Tests,
};
use gonogo_suite::{Row, TargetResult};
use serde_json::{Value, json};

use super::analysing::{self, Beside, Triage};
use super::artifacts::{FILES, Files, RunDir};
use super::baseline::{Against, Baselines};
use super::contract::{self, Terms};
use super::history;
use super::hosts;
use super::knowing::Known;
use super::one::{self, Frame, Watcher};
use super::preflight::{self, Check};
use super::recovering;
use super::retrying;
use super::sharding::{self, Cutting, PLAN, Part};
use super::source::Tree;
use super::{marking, toolchain, twins};
use crate::AppError;
use crate::config::{Config, SuiteFile, SuitesFile};
use crate::gates::compared::{self, Recorded};
use crate::gates::declared;
use crate::home::{Book, Home};
use crate::identity;
use crate::workspace::STATE_DIR;

/// Stands in a run's directory while it runs.
pub const MARK: &str = "running.json";

/// The record that begins a run's stream.
pub const BEGUN: &str = "run";

/// Most outputs of a run that its record names.
const OUTPUTS: usize = 256;

/// The record of what a run came to.
pub const RESULT: &str = "result";

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The profile; the file's if absent.
    pub profile: Option<String>,
    /// These suites instead of the profile's.
    pub suites: Vec<String>,
    /// Classes that are left out.
    pub skip: Vec<Class>,
    /// Which part; the whole if absent.
    pub shard: Option<Part>,
    /// For people.
    pub shard_name: Option<String>,
    /// The same in everything that belongs together.
    pub correlation_id: Option<String>,
    /// Where the run's directory is made; the file says if absent.
    pub artifacts: Option<PathBuf>,
    /// The run whose failures are run again.
    pub rerun_from: Option<String>,
    /// The run, file or branch that it is compared with; as [`Baselines`] says if absent.
    pub diff_from: Option<String>,
    /// The seed; drawn if absent.
    pub seed: Option<u64>,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Finished {
    /// What it came to.
    pub summary: Summary,
    /// Its directory.
    pub dir: PathBuf,
    /// All tests.
    pub rows: Vec<Row>,
    /// Of `files.json`, as recorded.
    pub files: Digest,
    /// What was looked at before.
    pub checks: Vec<Check>,
    /// What changed since the last good run.
    pub triage: Triage,
    /// Whether it is a shard for which the plan has nothing, so that nothing was run.
    pub empty: bool,
}

impl Finished {
    /// The exit code of a command that ends with this run. An empty shard proves nothing and is what was asked for.
    pub fn exit(&self) -> Exit {
        exit(&self.summary, self.empty)
    }
}

fn exit(summary: &Summary, empty: bool) -> Exit {
    match empty && summary.reasons == [Reason::ZeroTests] {
        true => Exit::Done,
        false => summary.exit(),
    }
}

/// What a run is of: everything that is known before it begins.
struct Plan<'a> {
    config: &'a Config,
    root: PathBuf,
    profile: String,
    chosen: Vec<(&'a str, &'a SuiteFile)>,
    shard: Option<Shard>,
    /// By which it is a shard.
    cut: Option<gonogo_suite::shard::Plan>,
    run_id: String,
    correlation_id: String,
    dir: PathBuf,
    started: Timestamp,
    seed: u64,
}

/// Runs.
///
/// # Errors
/// Configuration, an unknown profile or suite, files that cannot be written, the ledger's and git's faults. Targets that fail are a result.
pub fn run(
    home: &Home,
    request: &Request,
    watcher: &mut dyn Watcher,
) -> Result<Finished, AppError> {
    let config = configured(home)?;
    hosts::check(&config.suites.variant)?;
    let plan = plan(home, config, request)?;
    let against = request.diff_from.as_deref();
    let against = against.map(|what| Against::find(home, what)).transpose()?;
    for cut in recovering::recover(home)? {
        watcher.told(&cut);
    }
    let file = &config.suites;
    let known = Known::load(home)?;
    for wrong in known.owners.wrong() {
        watcher.told(&format!("{}:{}: {}", wrong.source, wrong.line, wrong.text));
    }
    let state = plan.root.join(STATE_DIR);
    crate::workspace::make_dir(&state)?;
    let tree = Tree::find(&plan.root, &state, &apart(file, &plan.root, &plan.dir))?;
    let dir = RunDir::create(&plan.dir, redactor(file)?.keyed(marking::key(home)?))?;
    let mark =
        json!({"run_id": plan.run_id, "pid": std::process::id(), "started_at": plan.started});
    dir.write(MARK, &mark)?;
    let held = recovering::hold(&plan.dir)?;
    let actor = home.actor()?;
    let before = tree.now()?;
    let mut beyond = tree.beyond(&before.tree)?;
    beyond.extend(hosts::elsewhere(config, &tree, &before.tree)?);
    for told in &beyond {
        watcher.told(told);
    }
    let mut summary = empty(&plan, request, before);
    summary.diff_from = against.as_ref().map(Against::name);
    let suites = plan.chosen.iter().map(|(_, suite)| *suite);
    let versions = toolchain::versions(suites, &plan.root);
    heads::write(&plan, &dir, &summary, request, &versions)?;
    if let Some(cut) = &plan.cut {
        dir.write(PLAN, cut)?;
    }
    begin(home, &plan, &summary, &actor)?;
    let frame = Frame {
        root: &plan.root,
        dir: &dir,
        run_id: &plan.run_id,
        correlation_id: &plan.correlation_id,
        env: env(&plan),
        seed: plan.seed,
        clock: Arc::clone(&home.clock),
        rules: &known.rules,
        owners: Some(&known),
    };
    let clock = home.clock.now().mono_ms;
    let checks = preflight::look(file, &plan.chosen, &plan.root, &plan.dir);
    dir.write(
        "preflight.json",
        &json!({
            "schema": "gonogo.suite.preflight.v1",
            "correlation_id": plan.correlation_id,
            "checks": checks,
        }),
    )?;
    summary.problems = preflight::problems(&checks);
    let (results, rows) = phases(&frame, &plan, &mut summary, watcher)?;
    let earlier = earlier(home)?;
    let beside = Beside {
        root: &plan.root,
        file,
        seed: Some(plan.seed),
        env: replay_env(&plan),
        os: system(),
        tools: versions,
        vcr_mode: one_mode(heads::recorded_http(&plan)),
        against: None,
        program: program(home),
    };
    let retried = retrying::retry(
        home,
        &frame,
        &retrying::Of {
            summary: &summary,
            results: &results,
            rows: &rows,
            beside: &beside,
        },
        watcher,
    )?;
    summary.quarantined.clone_from(&retried.block);
    // A suite can write where the run writes; what it wrote there says nothing.
    let is_own = |name: &str| {
        let inner = name.strip_prefix(retrying::DIR);
        name.ends_with("/test-log.jsonl") || inner.is_some_and(|inner| inner.starts_with('/'))
    };
    let tampered = dir.tampered(is_own)?;
    if !tampered.is_empty() {
        let more = tampered.len().saturating_sub(8);
        let text = format!(
            "while it ran, {}{} in its directory",
            tampered[..tampered.len() - more].join(", "),
            if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            },
        );
        let problem = Problem::new(Reason::ArtifactsChanged, text);
        summary.problems.push(problem);
    }
    let after = tree.now()?;
    if after.tree != summary.source.tree || after.commit != summary.source.commit {
        let text = match after.tree == summary.source.tree {
            false => format!(
                "it was `{}` before and is `{}` behind the run: {}",
                summary.source.tree,
                after.tree,
                tree.changed(&summary.source.tree, &after.tree).join(", ")
            ),
            true => {
                let word = |commit: &Option<String>| commit.clone().unwrap_or("none".into());
                let (was, is) = (word(&summary.source.commit), word(&after.commit));
                format!("its commit was `{was}` before and is `{is}` behind the run")
            }
        };
        summary
            .problems
            .push(Problem::new(Reason::TreeChanged, text));
    }
    summary.source.tree_after = Some(after.tree);
    summary.duration_ms = home.clock.now().mono_ms.saturating_sub(clock);
    summary.timestamp = home.clock.now().wall;
    summary.fill(results);
    retrying::write(&dir, &summary, &retried)?;
    history::write_events(&dir, &summary, &rows, &earlier)?;
    let baselines = Baselines::of(home, against.as_ref(), &summary, None)?;
    let beside = Beside {
        against: Some(&baselines),
        ..beside
    };
    let triage = analysing::analyse(&dir, &summary, &rows, &beside, &known)?;
    twins::write(&dir, &summary, &plan.root)?;
    let terms = Terms {
        of: Of::Run,
        declared: whole(file, &plan, request),
        notes: known.notes().into_iter().chain(beyond).collect(),
        empty: plan.chosen.is_empty(),
    };
    contract::seal(&dir, &mut summary, &terms)?;
    let files = dir.list(&plan.run_id, &plan.correlation_id)?;
    let bytes = files.to_bytes();
    crate::workspace::write_atomic(&dir.at(FILES), &bytes)?;
    conclude(&home.open(&plan.dir)?, &summary, &bytes, &actor)?;
    std::fs::remove_file(dir.at(MARK)).map_err(|e| AppError::io("remove", &dir.at(MARK), &e))?;
    drop(held);
    Ok(Finished {
        empty: plan.chosen.is_empty(),
        summary,
        dir: plan.dir,
        rows,
        files: Digest::of(&bytes),
        checks,
        triage,
    })
}

/// The suites of the profile, if the run is of all of them.
fn whole(file: &SuitesFile, plan: &Plan<'_>, request: &Request) -> Option<BTreeSet<String>> {
    let is_part = plan.shard.is_some()
        || request.rerun_from.is_some()
        || !(request.suites.is_empty() && request.skip.is_empty());
    let names = file.profiles.get(&plan.profile).filter(|_| !is_part)?;
    Some(names.iter().cloned().collect())
}

/// Runs that the ledger has.
pub(super) fn earlier(home: &Home) -> Result<Vec<Recorded>, AppError> {
    let book = home.open(&home.here)?;
    let mut records = crate::gates::gathering::every_kind(&book, RESULT)?;
    records.reverse();
    Ok(compared::recorded(home, &book, &records)?.0)
}

/// This program, as it has to be called from the project's directory.
pub(super) fn program(home: &Home) -> Vec<String> {
    let mut argv = vec!["gonogo".to_owned()];
    if let Some(file) = &home.overrides.config {
        argv.extend([
            "--config".to_owned(),
            home.here.join(file).display().to_string(),
        ]);
    }
    argv
}

/// The format's word as the file writes it; `None` for one that nobody knows.
pub(super) fn word(format: &str) -> Option<&'static str> {
    crate::config::FORMATS
        .iter()
        .find(|f| **f == format)
        .copied()
}

/// The one way in which recorded answers are used, if all suites that do use them so.
fn one_mode(modes: BTreeMap<String, String>) -> Option<String> {
    let modes: BTreeSet<String> = modes.into_values().collect();
    let mut modes = modes.into_iter();
    modes.next().filter(|_| modes.next().is_none())
}

/// Values of the allow-list.
fn replay_env(plan: &Plan<'_>) -> BTreeMap<String, String> {
    let names = plan.chosen.iter().flat_map(|(_, s)| &s.replay_env);
    names
        .filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)))
        .collect()
}

/// The system, for people.
pub(super) fn system() -> String {
    let uname = rustix::system::uname();
    let word = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    format!(
        "{} {} {}",
        word(uname.sysname()),
        word(uname.release()),
        word(uname.machine())
    )
}

/// The stream of a run.
pub fn stream(run_id: &str) -> String {
    format!("run/suite/{run_id}")
}

/// The configuration; a project without one has no suites.
pub(crate) fn configured(home: &Home) -> Result<&Config, AppError> {
    let Some(config) = &home.config else {
        let text = "there is no gonogo.toml here or above, so no suite is declared";
        return Err(AppError::new(Reason::ConfigNotFound, text)
            .hint("propose some from what is here: `gonogo init --suites`")
            .hint("or declare one with `[suites.NAME]`; `gonogo help config` shows the keys"));
    };
    if config.suites.suites.is_empty() {
        let text = format!("`{}` declares no suite", config.path.display());
        return Err(AppError::new(Reason::SuiteUnknown, text)
            .hint("begin one with `[suites.unit]`; `gonogo help config` shows the keys"));
    }
    Ok(config)
}

fn plan<'a>(home: &Home, config: &'a Config, request: &Request) -> Result<Plan<'a>, AppError> {
    let file = &config.suites;
    let profile = request
        .profile
        .clone()
        .unwrap_or_else(|| file.profile.clone());
    let names = chosen(file, &profile, request)?;
    let run_id = RunId::mint(identity::random()).to_string();
    let started = home.clock.now().wall;
    let cutting = match &request.shard {
        None => None,
        Some(part) => {
            let name = request.shard_name.as_deref();
            Some(sharding::cut(home, file, &names, part, name)?)
        }
    };
    let (shard, cut, own) = match cutting {
        None => (None, None, names),
        Some(Cutting { shard, plan, own }) => (Some(shard), Some(plan), own),
    };
    let root = home.root();
    let slug = crate::dry_run::running::slug(started);
    let base = match &request.artifacts {
        Some(dir) => home.here.join(dir),
        None => root.join(&file.artifacts).join(&run_id),
    };
    Ok(Plan {
        config,
        chosen: own
            .into_iter()
            .filter_map(|name| file.suites.get_key_value(name))
            .map(|(name, suite)| (name.as_str(), suite))
            .collect(),
        root,
        correlation_id: correlation(request, &slug, shard.as_ref())?,
        profile,
        shard,
        cut,
        run_id,
        dir: base,
        started,
        seed: request
            .seed
            .unwrap_or_else(|| u64::from_le_bytes(identity::random()) >> 11),
    })
}

pub(super) fn chosen<'a>(
    file: &'a SuitesFile,
    profile: &str,
    request: &'a Request,
) -> Result<Vec<&'a str>, AppError> {
    let Some(of_profile) = file.profiles.get(profile) else {
        let names: Vec<&str> = file.profiles.keys().map(String::as_str).collect();
        let text = format!("no profile has the name `{profile}`");
        return Err(unknown(text, profile, &names));
    };
    let mut names: Vec<&str> = Vec::new();
    if request.suites.is_empty() {
        names.extend(of_profile.iter().map(String::as_str));
    }
    for wanted in &request.suites {
        if !file.suites.contains_key(wanted) {
            let known: Vec<&str> = file.suites.keys().map(String::as_str).collect();
            return Err(unknown(
                format!("no suite has the name `{wanted}`"),
                wanted,
                &known,
            ));
        }
        names.push(wanted);
    }
    names.retain(|name| {
        let class = file.suites.get(*name).map(|s| s.class);
        class.is_some_and(|class| !request.skip.contains(&class))
    });
    names.sort_by_key(|name| (file.suites.get(*name).map(|s| s.class), *name));
    names.dedup();
    if names.is_empty() {
        let text = format!("the profile `{profile}` has no suite to run");
        return Err(AppError::new(Reason::SuiteUnknown, text)
            .hint("leave less out, or name suites with --suite"));
    }
    Ok(names)
}

fn unknown(text: String, word: &str, known: &[&str]) -> AppError {
    let mut error = AppError::new(Reason::SuiteUnknown, text);
    if let Some(near) = gonogo_core::near::nearest(word, known.iter().copied()) {
        error = error.hint(format!("did you mean `{near}`?"));
    }
    error.hint(format!("known: {}", known.join(", ")))
}

fn correlation(request: &Request, slug: &str, shard: Option<&Shard>) -> Result<String, AppError> {
    let name = shard.map_or("unsharded", |s| s.name.as_str());
    correlation_id(request.correlation_id.clone(), || format!("{slug}-{name}"))
}

/// What ties a run to others: what is given, what the environment says, or `usual`.
///
/// # Errors
/// It cannot be one.
pub(crate) fn correlation_id(
    given: Option<String>,
    usual: impl FnOnce() -> String,
) -> Result<String, AppError> {
    let given = given.or_else(|| {
        ["GONOGO_CORRELATION_ID", "CI_CORRELATION_ID"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
    });
    let id = given.unwrap_or_else(usual);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-:/".contains(&b);
    if id.is_empty() || id.len() > 200 || !id.bytes().all(plain) {
        let text =
            format!("{id:?} cannot be a correlation id: 1 to 200 of `A-Z a-z 0-9 . _ - : /`");
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    Ok(id)
}

/// What takes the secrets out: the file's patterns, and the values of variables whose names mean a secret.
pub(crate) fn redactor(file: &SuitesFile) -> Result<Redactor, AppError> {
    let secrets: Vec<String> = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .filter(|(name, value)| is_secret_variable(name, value))
        .map(|(_, value)| value)
        .collect();
    Redactor::new(&file.redact, &secrets)
        .map_err(|e| AppError::new(Reason::ConfigValue, e.to_string()))
}

/// Paths of the project that a run may change: its own artifacts, and what the file names.
pub(crate) fn apart(file: &SuitesFile, root: &Path, dir: &Path) -> Vec<String> {
    let mut apart = file.ignore_changes.clone();
    apart.push(file.artifacts.clone());
    if let Ok(own) = dir.strip_prefix(root) {
        apart.push(own.to_string_lossy().into_owned());
    }
    apart.retain(|path| !path.starts_with('/') && !path.split('/').any(|p| p == ".."));
    apart
}

fn env(plan: &Plan<'_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::from([
        ("GONOGO_RUN_ID".to_owned(), plan.run_id.clone()),
        ("GONOGO_RUN_PROFILE".to_owned(), plan.profile.clone()),
        (
            "GONOGO_CORRELATION_ID".to_owned(),
            plan.correlation_id.clone(),
        ),
        ("CI_CORRELATION_ID".to_owned(), plan.correlation_id.clone()),
        ("GONOGO_SEED".to_owned(), plan.seed.to_string()),
    ]);
    if let Some(shard) = &plan.shard {
        env.insert("GONOGO_SHARD_INDEX".into(), shard.index.to_string());
        env.insert("GONOGO_SHARD_TOTAL".into(), shard.total.to_string());
        let file = plan.dir.join(PLAN).display().to_string();
        env.insert("GONOGO_SHARD_PLAN".into(), file);
    }
    env
}

fn empty(plan: &Plan<'_>, request: &Request, source: Source) -> Summary {
    let dir = plan.dir.strip_prefix(&plan.root).unwrap_or(&plan.dir);
    Summary {
        profile: plan.profile.clone(),
        rerun_from: request.rerun_from.clone(),
        artifact_dir: dir.to_string_lossy().into_owned(),
        shard: plan.shard.clone(),
        variant: plan.config.suites.variant.clone(),
        declared: Some(declared::digest_of(plan.config)),
        selected: plan.chosen.iter().map(|(n, _)| (*n).to_owned()).collect(),
        ..blank(
            &plan.config.service,
            &plan.run_id,
            &plan.correlation_id,
            source,
            plan.started,
        )
    }
}

/// A run of nothing yet.
pub(crate) fn blank(
    project: &str,
    run_id: &str,
    correlation_id: &str,
    source: Source,
    started: Timestamp,
) -> Summary {
    Summary {
        schema: SUMMARY.into(),
        timestamp: started,
        profile: String::new(),
        rerun_from: None,
        diff_from: None,
        artifact_dir: String::new(),
        correlation_id: correlation_id.to_owned(),
        shard: None,
        total_units: 0,
        passed_units: 0,
        failed_units: 0,
        failed_unit_names: Vec::new(),
        total_suites: 0,
        passed_suites: 0,
        failed_suites: 0,
        failed_names: Vec::new(),
        build: Vec::new(),
        lint: Vec::new(),
        unit_targets: Vec::new(),
        suites: Vec::new(),
        run_id: run_id.to_owned(),
        project: project.to_owned(),
        source,
        variant: BTreeMap::new(),
        state: State::Complete,
        started_at: started,
        duration_ms: 0,
        selected: Vec::new(),
        problems: Vec::new(),
        tests: Tests::default(),
        status: Verdict::Pass,
        reasons: Vec::new(),
        runner_outcome: None,
        declared: None,
        evidence_contract: None,
        quarantined: None,
    }
}

fn phases(
    frame: &Frame<'_>,
    plan: &Plan<'_>,
    summary: &mut Summary,
    watcher: &mut dyn Watcher,
) -> Result<(Vec<TargetResult>, Vec<Row>), AppError> {
    let mut results: Vec<TargetResult> = Vec::new();
    let mut all = Vec::new();
    let refused = !summary.problems.is_empty();
    let mut cancelled = false;
    for (n, (name, suite)) in plan.chosen.iter().enumerate() {
        let stopped = stopped(&results, suite, refused);
        // One that ends at once is never looked at while it runs.
        cancelled = cancelled || watcher.looked(name, 0.0, 0);
        let (result, rows) = if cancelled {
            let why = "the run was cancelled".to_owned();
            one::leave(frame, name, suite, End::NotStarted { why })?
        } else if let Some(why) = stopped {
            summary.state = State::Partial;
            one::leave(frame, name, suite, End::NotStarted { why })?
        } else {
            watcher.began(name, suite.class.word(), n + 1, plan.chosen.len());
            one::run(frame, name, suite, watcher)?
        };
        cancelled |= result.end == End::Cancelled;
        watcher.ended(&result);
        results.push(result);
        all.extend(rows);
    }
    if cancelled {
        summary.state = State::Cancelled;
    }
    Ok((results, all))
}

/// Why a target is not tried.
fn stopped(results: &[TargetResult], suite: &SuiteFile, refused: bool) -> Option<String> {
    if refused {
        return Some("what the run needs is not there".into());
    }
    let bad = |result: &&TargetResult| result.status != Verdict::Pass;
    if suite.class != Class::Build
        && let Some(build) = results.iter().filter(|r| r.class == Class::Build).find(bad)
    {
        return Some(format!("the build `{}` is not good", build.target));
    }
    let needed = results.iter().filter(|r| suite.needs.contains(&r.target));
    needed
        .filter(bad)
        .map(|r| format!("it needs `{}`, which is not good", r.target))
        .next()
}

/// Writes how the runner ended.
pub(super) fn write_outcome(
    dir: &RunDir,
    correlation_id: &str,
    outcome: &Outcome,
) -> Result<(), AppError> {
    let document = outcome_document(correlation_id, outcome);
    dir.write("runner_outcome.json", &document)
}

/// `runner_outcome.json`.
pub(super) fn outcome_document(correlation_id: &str, outcome: &Outcome) -> Value {
    json!({
        "schema": "gonogo.suite.runner-outcome.v1",
        "correlation_id": correlation_id,
        "status": outcome.status,
        "exit_code": outcome.exit_code,
        "failed_phases": outcome.failed_phases,
        "source_snapshot_verified": outcome.source_snapshot_verified,
    })
}

/// How the runner ends with this summary.
pub(super) fn outcome(summary: &Summary, empty: bool) -> Outcome {
    let mut phases: Vec<String> = Vec::new();
    if summary
        .problems
        .iter()
        .any(|p| p.reason == Reason::PreflightFailed)
    {
        phases.push("preflight".into());
    }
    for class in Class::ALL {
        let bad = summary
            .targets()
            .any(|t| t.class == class && t.status != Verdict::Pass);
        if bad {
            phases.push(class.word().into());
        }
    }
    if summary
        .problems
        .iter()
        .any(|p| p.reason == Reason::TreeChanged)
    {
        phases.push("source".into());
    }
    let contract = |p: &Problem| p.reason == Reason::EvidenceContractFailed;
    if summary.problems.iter().any(contract) {
        phases.push("evidence_contract".into());
    }
    Outcome {
        status: summary.status,
        exit_code: exit(summary, empty).code(),
        failed_phases: phases,
        source_snapshot_verified: summary.source.tree_after.as_ref() == Some(&summary.source.tree),
    }
}

fn begin(home: &Home, plan: &Plan<'_>, summary: &Summary, actor: &str) -> Result<(), AppError> {
    let book = home.open(&plan.dir)?;
    let body = json!({
        "run": plan.run_id,
        "correlationId": plan.correlation_id,
        "profile": plan.profile,
        "tree": summary.source.tree,
        "commit": summary.source.commit,
        "selected": summary.selected,
        "shard": plan.shard,
        "variant": summary.variant,
        "config": plan.config.digest,
        "directory": summary.artifact_dir,
    });
    let subject = vec![("gonogo.toml".to_owned(), plan.config.digest)];
    book.append(
        &stream(&plan.run_id),
        BEGUN,
        plan.started,
        actor,
        subject,
        body,
    )?;
    Ok(())
}

/// Records what a run came to. `files` are the bytes of its list of files.
pub(crate) fn conclude(
    book: &Book,
    summary: &Summary,
    files: &[u8],
    actor: &str,
) -> Result<(), AppError> {
    let blob = book.ledger.put_blob(files)?;
    let text = serde_json::to_vec(summary).unwrap_or_default();
    let body = json!({
        "run": summary.run_id,
        "correlationId": summary.correlation_id,
        "profile": summary.profile,
        "tree": summary.source.tree,
        "commit": summary.source.commit,
        "state": summary.state,
        "status": summary.status,
        "reasons": summary.reasons,
        "tests": summary.tests,
        "durationMs": summary.duration_ms,
        "shard": summary.shard,
        "variant": summary.variant,
        "declared": summary.declared,
        "files": blob,
        "summary": book.ledger.put_blob(&text)?,
        "directory": summary.artifact_dir,
    });
    let mut subject = vec![(FILES.to_owned(), blob)];
    // What a suite kept can be released; by its digest a release finds the run that made it.
    let listed: Option<Files> = serde_json::from_slice(files).ok();
    let outputs = listed.into_iter().flat_map(|l| l.files);
    let outputs = outputs.filter(|f| f.path.contains("/outputs/"));
    subject.extend(outputs.take(OUTPUTS).map(|f| (f.path, f.sha256)));
    let stream = stream(&summary.run_id);
    book.append(&stream, RESULT, summary.timestamp, actor, subject, body)?;
    Ok(())
}

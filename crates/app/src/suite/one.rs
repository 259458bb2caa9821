//! One target: its process is started, followed and ended; its log and its reports are kept and read; what came of it is judged.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gonogo_core::digest::Hasher;
use gonogo_core::{Clock, Digest, Reason, Verdict};
use gonogo_exec::{Exit, Ladder, Launch, StopSignal};
use gonogo_suite::cause::{self, Rule};
use gonogo_suite::run::{
    Attempted, COMMAND, Class, Collisions, End, Input, LogFailure, Problem, Row, command_failure,
    command_verdict, judge,
};
use gonogo_suite::{Format, Signature, Tally, TargetResult, TestId};
use serde_json::json;

use super::artifacts::RunDir;
use super::events::Events;
use super::globs::{self, Meant};
use super::knowing::Known;
use super::placed::Ran;
use super::{logs, placed, verbatim};
use crate::AppError;
use crate::config::SuiteFile;

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How long a process that is to end may take.
const GRACE: Duration = Duration::from_secs(5);

/// Follows a run at a door.
pub trait Watcher {
    /// A target begins.
    fn began(&mut self, target: &str, phase: &str, number: usize, of: usize);
    /// It goes on: how long, and how many bytes it has printed. Says whether the run is to end.
    fn looked(&mut self, target: &str, seconds: f64, printed: u64) -> bool;
    /// It has ended.
    fn ended(&mut self, result: &TargetResult);
    /// Something that is to be known.
    fn told(&mut self, text: &str);
}

/// What all targets of a run have in common.
pub struct Frame<'a> {
    /// The project.
    pub root: &'a Path,
    /// The run's directory.
    pub dir: &'a RunDir,
    /// The run.
    pub run_id: &'a str,
    /// The same in everything that belongs to it.
    pub correlation_id: &'a str,
    /// Variables of the run.
    pub env: BTreeMap<String, String>,
    /// Handed to what asks for a seed.
    pub seed: u64,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The user's own causes.
    pub rules: &'a [Rule],
    /// Who owns what, where that is to be noted.
    pub owners: Option<&'a Known>,
}

/// Runs a target.
///
/// # Errors
/// The run's directory cannot be written. Whatever happens to the target itself is its result.
pub fn run(
    frame: &Frame<'_>,
    name: &str,
    suite: &SuiteFile,
    watcher: &mut dyn Watcher,
) -> Result<(TargetResult, Vec<Row>), AppError> {
    let home = home_of(suite, name);
    let own = frame.dir.at(&home);
    crate::workspace::make_dir(&own)?;
    let mut events = Events::begin(
        &own.join("test-log.jsonl"),
        frame.run_id,
        frame.correlation_id,
        &frame.clock,
    )?;
    let dir = frame.root.join(&suite.dir);
    let mut problems = Vec::new();
    let before = match reports(&dir, &suite.reports) {
        Ok(before) => before,
        Err(e) => {
            problems.push(Problem::new(Reason::EvidenceUnparsable, e.to_string()));
            Vec::new()
        }
    };
    // What cannot be looked at is told when it is kept.
    // Without knowing what was there, nobody can say which of them this run wrote.
    let outputs = match reports(&dir, &suite.outputs) {
        Ok(outputs) => outputs,
        Err(e) => {
            problems.push(Problem::new(Reason::EvidenceUnparsable, e.to_string()));
            Vec::new()
        }
    };
    let command: Vec<String> = suite.command.iter().map(|w| frame.dir.clean(w)).collect();
    events.tell(
        "info",
        "start",
        "started",
        json!({"command": command, "dir": suite.dir}),
    )?;
    let began = frame.clock.now();
    let raw = Raw::new(&own, splits(suite));
    let end = process(frame, name, suite, &dir, &raw, watcher, &mut events)?;
    let ended = frame.clock.now();
    let duration_ms = ended.mono_ms.saturating_sub(began.mono_ms);
    events.tell(
        "info",
        "end",
        "ended",
        json!({"end": end, "duration_ms": duration_ms}),
    )?;
    let mut attempted = Attempted {
        target: name.to_owned(),
        class: suite.class,
        correlation_id: frame.correlation_id.to_owned(),
        blocking: suite.blocking,
        owner: suite.owner.clone(),
        command,
        dir: suite.dir.clone(),
        format: suite.format.to_owned(),
        min_tests: suite.min_tests,
        min_duration_ms: suite.min_duration.map(gonogo_core::Span::as_millis),
        end,
        duration_ms,
        ended_at: ended.wall,
        inputs: Vec::new(),
        problems,
        home: home.clone(),
    };
    let is_report = suite.reports.is_empty() && suite.format != COMMAND;
    let report = is_report.then(|| format_of(suite.format)).flatten();
    keep_logs(frame, &raw, &home, report, &mut attempted.problems);
    if !matches!(attempted.end, End::NotStarted { .. }) {
        let problems = &mut attempted.problems;
        let since = began.wall.as_millis();
        keep_outputs(frame, suite, &dir, &home, (&outputs, since), problems);
    }
    for pattern in &suite.reports {
        let Some((link, real)) = globs::behind(&dir, pattern) else {
            continue;
        };
        let (link, real) = (relative(&link, frame.root), really(&real, frame.root));
        let text = format!("`{link}` is behind a link: reports are read in `{real}`");
        let text = frame.dir.clean(&text);
        events.tell("info", "report", &text, json!({}))?;
        watcher.told(&format!("{name}: {text}"));
    }
    let (rows, collisions) = read(
        frame,
        name,
        suite,
        &dir,
        &before,
        began.wall.as_millis(),
        &mut attempted,
    );
    conclude(frame, attempted, &collisions, rows, &mut events)
}

/// A target that is not run.
///
/// # Errors
/// The run's directory cannot be written.
pub fn leave(
    frame: &Frame<'_>,
    name: &str,
    suite: &SuiteFile,
    end: End,
) -> Result<(TargetResult, Vec<Row>), AppError> {
    let home = home_of(suite, name);
    let own = frame.dir.at(&home);
    crate::workspace::make_dir(&own)?;
    let mut events = Events::begin(
        &own.join("test-log.jsonl"),
        frame.run_id,
        frame.correlation_id,
        &frame.clock,
    )?;
    events.tell("warn", "end", "not run", json!({"end": end}))?;
    frame.dir.write_text(&format!("{home}/output.log"), "")?;
    let rows = match suite.format {
        COMMAND => vec![command_row(name, &end)],
        _ => Vec::new(),
    };
    let attempted = Attempted {
        target: name.to_owned(),
        class: suite.class,
        correlation_id: frame.correlation_id.to_owned(),
        blocking: suite.blocking,
        owner: suite.owner.clone(),
        command: suite.command.iter().map(|w| frame.dir.clean(w)).collect(),
        dir: suite.dir.clone(),
        format: suite.format.to_owned(),
        min_tests: suite.min_tests,
        min_duration_ms: None,
        end,
        duration_ms: 0,
        ended_at: frame.clock.now().wall,
        inputs: Vec::new(),
        problems: Vec::new(),
        home,
    };
    conclude(frame, attempted, &Collisions::default(), rows, &mut events)
}

/// Where a target's files lie in the run's directory.
pub fn home_of(suite: &SuiteFile, name: &str) -> String {
    format!("{}/{name}", suite.class.word())
}

fn conclude(
    frame: &Frame<'_>,
    mut attempted: Attempted,
    collisions: &Collisions,
    mut rows: Vec<Row>,
    events: &mut Events,
) -> Result<(TargetResult, Vec<Row>), AppError> {
    let issues = attempted.inputs.iter_mut().flat_map(|i| &mut i.issues);
    for issue in issues {
        issue.text = frame.dir.clean(&issue.text);
    }
    for problem in &mut attempted.problems {
        problem.text = frame.dir.clean(&problem.text);
    }
    let home = attempted.home.clone();
    let is_good = rows.iter().all(|row| row.verdict.is_good());
    let shown = match attempted.format == COMMAND && !is_good {
        true => explain(frame, &attempted, &mut rows)?,
        false => None,
    };
    rows.iter_mut().for_each(|row| frame.dir.clean_row(row));
    let mut result = judge(attempted.clone(), collisions, &rows);
    if let Some(known) = frame.owners {
        let bad = rows.iter_mut().filter(|row| !row.verdict.is_good());
        bad.for_each(|row| known.own(&result, row));
        result = judge(attempted, collisions, &rows);
    }
    result.first_failure = match is_good && result.status != Verdict::Pass {
        true => logs::why(frame.dir, &home, &result.end, frame.rules)?,
        false => shown,
    };
    if result.tests.bad() > 0 && result.format != COMMAND {
        result.stopped = logs::stops(frame.dir, &home)?.of(&result);
    }
    if let Some(shown) = &mut result.first_failure {
        placed::locate_shown(frame.root, &result.dir, shown);
    }
    let tests = write_rows(&frame.dir.at(&result.tests_file), &rows)?;
    frame.dir.note(&result.tests_file, tests);
    result.tests_sha256 = Some(tests);
    for problem in &result.problems {
        let data = json!({"reason": problem.reason});
        events.tell("error", "problem", &problem.text, data)?;
    }
    for row in rows.iter().filter(|row| !row.verdict.is_good()).take(1000) {
        let text = format!("{} {}", row.verdict.word(), row.test);
        events.tell("error", "test_result", &text, json!({"test": row.test}))?;
    }
    frame.dir.write(&format!("{home}/result.json"), &result)?;
    index(frame, &home, &result)?;
    Ok((result, rows))
}

/// `artifact-index.jsonl`: what a target left, a line each.
fn index(frame: &Frame<'_>, home: &str, result: &TargetResult) -> Result<(), AppError> {
    let mut lines = Vec::new();
    let now = frame.clock.now();
    let fixed = [
        "result.json",
        "output.log",
        "errors.log",
        "test-log.jsonl",
        "tests.jsonl",
    ];
    let mut names: Vec<String> = fixed
        .iter()
        .map(|name| format!("{home}/{name}"))
        .filter(|name| frame.dir.at(name).is_file())
        .collect();
    names.extend(result.inputs.iter().map(|i| i.path.clone()));
    if let Ok(outputs) = globs::find(&frame.dir.at(home), &["outputs/**".into()]) {
        let relative = outputs
            .iter()
            .filter_map(|p| p.strip_prefix(&frame.dir.path).ok());
        names.extend(relative.map(|p| p.to_string_lossy().into_owned()));
    }
    names.sort_unstable();
    names.dedup();
    for (seq, name) in (1u64..).zip(&names) {
        let (bytes, sha256) = crate::dry_run::keeping::digest(&frame.dir.at(name))?;
        let line = json!({
            "schema": "gonogo.test.artifact.v1",
            "type": "artifact",
            "seq": seq,
            "ts": now.wall,
            "t_ms": result.duration_ms,
            "name": name.rsplit('/').next(),
            "path": name,
            "bytes": bytes,
            "sha256": sha256,
            "ci_correlation_id": frame.correlation_id,
        });
        lines.push(line);
    }
    let name = format!("{home}/artifact-index.jsonl");
    frame.dir.write_lines(&name, lines)
}

/// Writes the tests of a target, a line each, and gives the digest of the file.
pub fn write_rows(path: &Path, rows: &[Row]) -> Result<Digest, AppError> {
    let fault = |e: std::io::Error| AppError::io("write", path, &e);
    let fresh = tempfile::NamedTempFile::new_in(crate::workspace::parent(path)).map_err(fault)?;
    let mut out = BufWriter::with_capacity(1 << 18, fresh);
    let mut hasher = Hasher::default();
    for row in rows {
        let mut line = serde_json::to_vec(row).unwrap_or_default();
        line.push(b'\n');
        hasher.update(&line);
        out.write_all(&line).map_err(fault)?;
    }
    let fresh = out.into_inner().map_err(|e| fault(e.into_error()))?;
    fresh.as_file().sync_all().map_err(fault)?;
    fresh.persist(path).map_err(|e| fault(e.error))?;
    Ok(hasher.finish())
}

/// Where a process's bytes go before their secrets are taken out.
struct Raw {
    out: PathBuf,
    errors: Option<PathBuf>,
}

impl Raw {
    fn new(own: &Path, split: bool) -> Self {
        Self {
            out: own.join(".output.raw"),
            errors: split.then(|| own.join(".errors.raw")),
        }
    }

    fn printed(&self) -> u64 {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
        size(&self.out) + self.errors.as_deref().map_or(0, size)
    }
}

/// Whether standard error would spoil the report on standard output. libtest's text and plain logs need both in one order.
fn splits(suite: &SuiteFile) -> bool {
    suite.reports.is_empty() && !matches!(suite.format, COMMAND | "libtest")
}

fn process(
    frame: &Frame<'_>,
    name: &str,
    suite: &SuiteFile,
    dir: &Path,
    raw: &Raw,
    watcher: &mut dyn Watcher,
    events: &mut Events,
) -> Result<End, AppError> {
    let mut env = super::inherited::variables();
    env.extend(frame.env.clone());
    env.extend(suite.env.clone());
    env.insert("GONOGO_TARGET".into(), name.to_owned());
    if let Some(seed) = &suite.seed_env {
        env.insert(seed.clone(), frame.seed.to_string());
    }
    let launch = Launch {
        argv: suite.command.clone(),
        env,
        dir: dir.to_owned(),
        log: raw.out.clone(),
        errors: raw.errors.clone(),
        mark: format!("{}/{name}", frame.run_id),
    };
    // What leaves its group and its environment behind comes to us when its parent ends.
    if let Err(e) = gonogo_exec::adopt() {
        return Ok(End::NotStarted { why: e.to_string() });
    }
    let process = match launch.start() {
        Ok(process) => process,
        Err(e) => return Ok(End::NotStarted { why: e.to_string() }),
    };
    let began = frame.clock.now().mono_ms;
    let limit = suite.timeout.as_millis();
    let end = loop {
        let waited = process.wait(LOOK);
        let spent = frame.clock.now().mono_ms.saturating_sub(began);
        match waited {
            Ok(Some(Exit::Status(code))) => break End::Exited { code },
            Ok(Some(Exit::Signal(signal))) => break End::Signalled { signal },
            Ok(Some(Exit::Gone)) => {
                break End::NotStarted {
                    why: "its end was not seen".into(),
                };
            }
            Ok(None) if watcher.looked(name, spent as f64 / 1000.0, raw.printed()) => {
                break End::Cancelled;
            }
            Ok(None) if spent >= limit => break End::TimedOut { after_ms: limit },
            Ok(None) => {}
            Err(e) => {
                events.tell("error", "process", &e.to_string(), json!({}))?;
                break End::Cancelled;
            }
        }
    };
    // What it left running is ended with it: a later target must not meet it.
    let asks = matches!(end, End::Cancelled | End::TimedOut { .. });
    let ladder = Ladder {
        ask: asks.then_some(StopSignal::Term),
        within: GRACE,
    };
    let ended = gonogo_exec::end(&process, ladder);
    let adopted = gonogo_exec::end_adopted(&process);
    let left = matches!(ended, Ok(gonogo_exec::Ended::Killed)) && !asks;
    match ended.and(adopted) {
        Ok(adopted) if left || adopted > 0 => {
            let text = "it left processes behind, which were ended";
            events.tell("warn", "leak", text, json!({}))?;
            watcher.told(&format!("{name}: {text}"));
        }
        Ok(_) => {}
        Err(e) => {
            events.tell("error", "process", &e.to_string(), json!({}))?;
            watcher.told(&format!("{name}: {e}"));
        }
    }
    Ok(end)
}

/// Removes what a process had printed before its runner was ended: which values in it are secret only that runner knew.
///
/// # Errors
/// A file that cannot be removed or written.
pub fn drop_raw(dir: &RunDir, home: &str) -> Result<(), AppError> {
    let raw = Raw::new(&dir.at(home), true);
    for (from, name) in [(Some(raw.out), "output.log"), (raw.errors, "errors.log")] {
        let Some(from) = from.filter(|from| from.exists()) else {
            continue;
        };
        std::fs::remove_file(&from).map_err(|e| AppError::io("remove", &from, &e))?;
        let text = "what it printed was not kept: its runner was ended before the secrets were taken out\n";
        dir.write_text(&format!("{home}/{name}"), text)?;
    }
    Ok(())
}

fn keep_logs(
    frame: &Frame<'_>,
    raw: &Raw,
    home: &str,
    report: Option<Format>,
    problems: &mut Vec<Problem>,
) {
    let pairs = [
        (Some(&raw.out), "output.log"),
        (raw.errors.as_ref(), "errors.log"),
    ];
    for (from, name) in pairs {
        let Some(from) = from else { continue };
        let name = format!("{home}/{name}");
        if !from.exists() {
            // A process that was never started printed nothing.
            if let Err(e) = frame.dir.write_text(&name, "") {
                problems.push(Problem::new(e.reason, e.to_string()));
            }
            continue;
        }
        let copied = match report.filter(|_| *from == raw.out) {
            Some(format) => frame.dir.copy_report(from, &name).and_then(|copied| {
                verbatim::report(frame.root, (from, &frame.dir.at(&name)), format, &copied)
            }),
            None => frame.dir.copy(from, &name).map(drop),
        };
        if let Err(e) = copied {
            problems.push(Problem::new(Reason::RedactionFailed, e.to_string()));
        }
        // It holds what must not be kept.
        if let Err(e) = std::fs::remove_file(from) {
            let text = format!("`{}` cannot be removed: {e}", from.display());
            problems.push(Problem::new(Reason::RedactionFailed, text));
        }
    }
}

fn keep_outputs(
    frame: &Frame<'_>,
    suite: &SuiteFile,
    dir: &Path,
    home: &str,
    (before, since): (&[Seen], i64),
    problems: &mut Vec<Problem>,
) {
    for pattern in &suite.outputs {
        let found = match globs::meant(dir, std::slice::from_ref(pattern)) {
            Ok(found) => found,
            Err(e) => {
                problems.push(Problem::new(e.reason, e.to_string()));
                continue;
            }
        };
        problems.extend(left(frame, &found, dir));
        for path in found.files {
            let relative = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy();
            let relative = frame.dir.clean(&relative);
            // What an earlier run left says nothing about this one, and a gate would take it for that.
            if seen(dir, &path).is_ok_and(|now| now.is_old(before, since)) {
                let text = format!("`{relative}` was there before and was not written by this run");
                problems.push(Problem::new(Reason::EvidenceStale, text));
                continue;
            }
            let kept = format!("{home}/outputs/{relative}");
            let copied = frame.dir.copy(&path, &kept);
            if let Err(e) =
                copied.and_then(|c| verbatim::document((&path, &frame.dir.at(&kept)), &c))
            {
                problems.push(Problem::new(e.reason, e.to_string()));
            }
        }
    }
}

/// What tells a report that was written from one that was there before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    path: PathBuf,
    inode: u64,
    size: u64,
    changed: (i64, i64),
    written: (i64, i64),
    /// Whether a link led here: it may lead elsewhere now than before, so that what lay here was not seen.
    behind: bool,
}

impl Seen {
    /// Whether it is not of a suite that began at `since`, milliseconds, when `before` was there. Under another name it is still what was there; and what
    /// says that it was written before the suite began was not written by it.
    fn is_old(&self, before: &[Self], since: i64) -> bool {
        let same = |b: &Self| b == self || (b.inode == self.inode && b.written == self.written);
        let (seconds, nanos) = self.written;
        let (written, slack) = match self.behind && nanos != 0 {
            true => (seconds.saturating_mul(1000) + nanos / 1_000_000, TICK_MS),
            false => (seconds.saturating_mul(1000), COARSE_MS),
        };
        before.iter().any(same) || written < since - slack
    }
}

/// How much earlier than the clock says a file may seem to be written, milliseconds: file systems know seconds, some two.
pub(crate) const COARSE_MS: i64 = 3000;

/// The same where a file system knows less than seconds: kernels stamp files by ticks.
const TICK_MS: i64 = 50;

/// Looks at a file of a suite in `dir`.
fn seen(dir: &Path, path: &Path) -> Result<Seen, AppError> {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(path).map_err(|e| AppError::io("read", path, &e))?;
    Ok(Seen {
        path: path.to_owned(),
        inode: meta.ino(),
        size: meta.len(),
        changed: (meta.ctime(), meta.ctime_nsec()),
        written: (meta.mtime(), meta.mtime_nsec()),
        behind: globs::through(dir, path).is_some(),
    })
}

fn reports(dir: &Path, patterns: &[String]) -> Result<Vec<Seen>, AppError> {
    globs::find(dir, patterns)?
        .iter()
        .map(|p| seen(dir, p))
        .collect()
}

/// What patterns mean and what is not read: each is a problem of its own, since what it would have said nobody knows. Paths are told from `root` on.
fn left(frame: &Frame<'_>, meant: &Meant, root: &Path) -> Vec<Problem> {
    let odd = meant.odd.iter().map(|odd| {
        let shown = frame.dir.clean(&relative(odd, root));
        let text = match odd.is_symlink() {
            true => format!("`{shown}` is a link, and only one that a pattern names without wildcards is followed"),
            false => format!("`{shown}` is no plain file"),
        };
        Problem::new(Reason::EvidenceUnparsable, text)
    });
    let lost = meant.lost.iter().map(|pattern| {
        let text = format!("no file is `{}`", frame.dir.clean(pattern));
        Problem::new(Reason::EvidenceMissing, text)
    });
    odd.chain(lost).collect()
}

fn read(
    frame: &Frame<'_>,
    name: &str,
    suite: &SuiteFile,
    dir: &Path,
    before: &[Seen],
    since: i64,
    attempted: &mut Attempted,
) -> (Vec<Row>, Collisions) {
    let home = attempted.home.clone();
    if suite.format == COMMAND {
        let log = frame.dir.at(&format!("{home}/output.log"));
        let input = Input {
            path: format!("{home}/output.log"),
            from: None,
            resolved: None,
            sha256: crate::dry_run::keeping::digest(&log).map_or(Digest::of(b""), |d| d.1),
            bytes: std::fs::metadata(&log).map_or(0, |m| m.len()),
            format: COMMAND.into(),
            parse: gonogo_suite::Parse::Whole,
            declared: None,
            attempts: 1,
            issues: Vec::new(),
            issues_omitted: 0,
        };
        attempted.inputs.push(input);
        let is_test = !matches!(suite.class, Class::Build | Class::Lint);
        if is_test && attempted.end.code() == Some(0) {
            let found = logs::contradictions(frame.dir, &home, suite.min_tests);
            attempted.problems.extend(found);
        }
        let row = command_row(name, &attempted.end);
        return (vec![row], Collisions::default());
    }
    let Some(format) = format_of(suite.format) else {
        let text = format!("`{}` is no format", suite.format);
        attempted
            .problems
            .push(Problem::new(Reason::EvidenceUnparsable, text));
        return (Vec::new(), Collisions::default());
    };
    if matches!(attempted.end, End::NotStarted { .. }) {
        return (Vec::new(), Collisions::default());
    }
    // The copy, where it was found, and where that really is.
    let mut files: Vec<(String, Option<String>, Option<String>)> = Vec::new();
    if suite.reports.is_empty() {
        files.push((format!("{home}/output.log"), None, None));
    } else {
        let meant = globs::meant(dir, &suite.reports).and_then(|meant| {
            attempted.problems.extend(left(frame, &meant, frame.root));
            meant.files.iter().map(|path| seen(dir, path)).collect()
        });
        let now: Vec<Seen> = match meant {
            Ok(now) => now,
            Err(e) => {
                attempted
                    .problems
                    .push(Problem::new(e.reason, e.to_string()));
                Vec::new()
            }
        };
        let (old, fresh): (Vec<&Seen>, Vec<&Seen>) =
            now.iter().partition(|seen| seen.is_old(before, since));
        for seen in old {
            let shown = relative(&seen.path, frame.root);
            let text = format!("`{shown}` was there before and was not written by this run");
            attempted
                .problems
                .push(Problem::new(Reason::EvidenceStale, text));
        }
        for (n, seen) in (1..).zip(fresh) {
            let shown = frame.dir.clean(&relative(&seen.path, frame.root));
            let file = seen.path.file_name().unwrap_or_default().to_string_lossy();
            let file = frame.dir.clean(&file);
            let copy = format!("{home}/reports/{n:04}-{file}");
            match frame.dir.copy_report(&seen.path, &copy) {
                Ok(copied) => {
                    let pair = (seen.path.as_path(), &*frame.dir.at(&copy));
                    if let Err(e) = verbatim::report(frame.root, pair, format, &copied) {
                        let problem = Problem::new(e.reason, e.to_string());
                        attempted.problems.push(problem);
                    }
                    let real = globs::through(dir, &seen.path);
                    let real = real.map(|real| frame.dir.clean(&really(&real, frame.root)));
                    files.push((copy, Some(shown), real));
                }
                Err(e) => attempted
                    .problems
                    .push(Problem::new(e.reason, e.to_string())),
            }
        }
    }
    let mut tally = Tally::default();
    tally.ended(attempted.end.code());
    for (path, from, resolved) in files {
        let from = (path.as_str(), from);
        let ran = Ran {
            since: Some(since),
            until: Some(attempted.ended_at.as_millis()),
        };
        match placed::read_report(&frame.dir.path, from, frame.root, format, ran, &mut tally) {
            Ok(input) => attempted.inputs.push(Input { resolved, ..input }),
            Err(e) => attempted
                .problems
                .push(Problem::new(e.reason, e.to_string())),
        }
        tally.next_input();
    }
    let collisions = tally.collisions();
    let mut rows = tally.into_rows(name, frame.rules);
    placed::locate(frame.root, &suite.dir, &mut rows);
    (rows, collisions)
}

/// The format that has this word.
pub fn format_of(word: &str) -> Option<Format> {
    serde_json::from_value(json!(word)).ok()
}

/// The word of a format.
pub fn word_of(format: Format) -> String {
    let value = serde_json::to_value(format).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}

/// A path without links, from the project on if it lies there.
fn really(path: &Path, root: &Path) -> String {
    let real = root.canonicalize();
    relative(path, real.as_deref().unwrap_or(root))
}

/// The one test of a target that is a plain command.
pub(super) fn command(target: &str) -> TestId {
    TestId::new(target, "", "(command)")
}

/// Its row; why it is not good is told when its log has been looked at.
fn command_row(name: &str, end: &End) -> Row {
    Row {
        target: name.to_owned(),
        test: command(name),
        verdict: command_verdict(end),
        attempts: 1,
        seconds: None,
        cached: false,
        skip: None,
        skipped: None,
        file: None,
        signature: None,
        cause: None,
        failure: None,
        output: String::new(),
        owner: None,
    }
}

/// Says why a plain command is not good.
fn explain(
    frame: &Frame<'_>,
    attempted: &Attempted,
    rows: &mut [Row],
) -> Result<Option<LogFailure>, AppError> {
    let shown = logs::first_failure(frame.dir, &attempted.home, frame.rules)?;
    let log = frame.dir.at(&format!("{}/output.log", attempted.home));
    for row in rows.iter_mut().filter(|row| !row.verdict.is_good()) {
        let tail = logs::tail(&log).unwrap_or_default();
        let failure = command_failure(&attempted.end, shown.as_ref(), tail);
        row.signature = Some(Signature::of(&failure));
        row.cause = Some(cause::cause(&failure, frame.rules));
        row.failure = Some(failure);
    }
    placed::locate(frame.root, &attempted.dir, rows);
    Ok(shown)
}

//! Finishing: evidence is copied, the run is judged, the verdict is recorded, reports and packet are written. Every step can be taken
//! again after a crash: what is there already is used as it is, so that a run has one verdict.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gonogo_capture::CaptureError;
use gonogo_core::{Digest, Reason, Timestamp};
use gonogo_dryrun::audit::ReadAt;
use gonogo_dryrun::audit::captured::RunFiles;
use gonogo_dryrun::judge;
use gonogo_dryrun::live::Live;
use gonogo_dryrun::progress::{Phase, Progress};
use gonogo_dryrun::review::{Objective, Review, ReviewInputs, html, markdown};
use gonogo_dryrun::spec::{Artifact, RunSpec};
use gonogo_dryrun::summary::Report;
use gonogo_dryrun::wrap_up::{self, WrapUp};
use gonogo_dryrun::{Moment, PREFIX, Status};
use serde_json::{Value, json};

use super::foreign;
use super::keeping::{self, Files, LIST, VERDICT};
use super::recording::{self, Outcome, Packed};
use super::shortage::Shortage;
use super::wanted::{self, Wanted};
use crate::AppError;
use crate::home::Home;
use crate::workspace::{STATE_DIR, make_dir, parent, write_atomic};

/// A run that has its verdict.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its specification.
    pub spec: RunSpec,
    /// The capture directory.
    pub dir: PathBuf,
    /// The verdict with everything that was written about it.
    pub report: Report,
    /// The brief.
    pub review: Option<Review>,
    /// The minutes.
    pub wrap_up: Option<WrapUp>,
    /// The packet.
    pub packed: Option<Packed>,
    /// The key that a packet's reader needs to trust.
    pub log_key: String,
    /// Whether the verdict was there already.
    pub again: bool,
    /// How it stands, the wrap-up included where that was asked to count.
    pub status: Status,
    /// The command that makes what was left out.
    pub next: String,
}

/// A fault of capturing in the words of use cases.
pub(crate) fn capture_fault(e: CaptureError) -> AppError {
    let full = |source: &std::io::Error| source.kind() == std::io::ErrorKind::StorageFull;
    let reason = match &e {
        CaptureError::Exists(_) => Reason::OutputFailed,
        CaptureError::Running { .. } => Reason::RunActive,
        CaptureError::Write { source, .. } if full(source) => Reason::StoreFull,
        CaptureError::Spec { .. } | CaptureError::Damaged { .. } | CaptureError::Index { .. } => {
            Reason::InputMalformed
        }
        _ => Reason::StoreFailed,
    };
    AppError::new(reason, e.to_string())
}

/// Ends a run whose harness is gone, and gives its verdict.
///
/// # Errors
/// There is no run; it still goes on after `within`.
pub fn finalize(home: &Home, place: &Path, within: Duration) -> Result<Finished, AppError> {
    let dir = keeping::find(&home.here.join(place))?;
    // What was judged is left as it is: a note among its files would be one that nobody signed.
    let is_judged = [VERDICT, LIST].iter().all(|name| dir.join(name).is_file());
    if is_judged {
        keeping::plain(&dir)?;
    } else {
        foreign::set_aside(&dir)?;
    }
    let mut wanted = Wanted::read(&dir)?;
    if let Some(beside) = foreign::restore(home, &dir, is_judged)? {
        wanted.beside = beside;
    }
    settle(&dir, within)?;
    finish(home, &dir, &wanted, false)
}

/// Puts a run's files in order. What is damaged stays so: the judge says it, and a verdict that is none is better than no verdict.
///
/// # Errors
/// The run goes on; its files cannot be read or written.
pub(crate) fn settle(dir: &Path, within: Duration) -> Result<(), AppError> {
    match gonogo_capture::finalize(dir, within) {
        Ok(_) | Err(CaptureError::Damaged { .. } | CaptureError::Index { .. }) => Ok(()),
        Err(e) => Err(capture_fault(e)),
    }
}

/// Judges a run that has ended. `own` is said by who began it: then a ledger that does not know it was taken away meanwhile, and the
/// run is judged as one that nothing vouches for.
///
/// # Errors
/// Files of the run or reports cannot be read or written; the ledger's faults.
pub fn finish(home: &Home, dir: &Path, wanted: &Wanted, own: bool) -> Result<Finished, AppError> {
    keeping::plain(dir)?;
    let spec = keeping::spec(dir)?;
    let now = home.clock.now().wall;
    // One at a time: a run has one verdict.
    let _turn = lock(dir)?;
    let is_gone = home.config.is_none() && !wanted.beside.join(STATE_DIR).is_dir();
    if is_gone && !own {
        return Err(unknown(&spec));
    }
    let mut short = Shortage::begin(dir, &spec)?;
    let known = match is_gone {
        true => recording::Known::default(),
        false => short.insist(|| recording::known(&home.open(&wanted.beside)?, &spec.run_id))?,
    };
    let Some(begun) = known.begun else {
        return match own {
            true => unvouched(home, dir, wanted, (&spec, now), short),
            false => Err(unknown(&spec)),
        };
    };
    if keeping::digest(&dir.join(keeping::SPEC))?.1 != begun {
        let text = format!(
            "`{}` is not the specification with which {} began, so nothing can be judged by it",
            dir.join(keeping::SPEC).display(),
            spec.run_id
        );
        return Err(AppError::new(Reason::InputMalformed, text));
    }
    let (report, bytes, again) = verdict(dir, &spec, now, known.signed, &mut short)?;
    let files = Files::of(dir, &spec.run_id)?;
    let judged_at = report.generated_at.unwrap_or(now);
    short.insist(|| write_atomic(&dir.join(LIST), &files.to_bytes()))?;
    let actor = home.actor()?;
    let outcome = Outcome {
        spec: &spec,
        report: &report,
        verdict: Digest::of(&bytes),
        files: &files,
        artifacts: &unchanged(&spec, &home.here),
        time: judged_at,
        actor: &actor,
    };
    let book = short.insist(|| {
        let book = home.open(&wanted.beside)?;
        recording::conclude(&book, &outcome)?;
        Ok(book)
    })?;
    let mut finished = Finished {
        log_key: book.ledger.log_vkey().to_string(),
        status: report.status,
        next: home.finalize_command(dir),
        spec: spec.clone(),
        dir: dir.to_owned(),
        report,
        review: None,
        wrap_up: None,
        packed: None,
        again,
    };
    prepare(&mut finished, wanted, judged_at)?;
    end_progress(&finished, now, &mut short);
    last_words(&mut finished, wanted, &mut short)?;
    tell(&finished, wanted, &mut short)?;
    let mut unpacked = None;
    if let Some(packet) = &wanted.packet {
        // A packet that does not fit takes no report with it.
        let what = archive(packet)?;
        match short.attempt(&what, || pack(&book, &finished, &files, packet, judged_at)) {
            Ok(packed) => finished.packed = packed,
            Err(e) => unpacked = Some(e),
        }
    }
    if finished.packed.is_some() || !short.left().is_empty() {
        finished.report.left_out = short.left().to_vec();
        last_words(&mut finished, wanted, &mut short)?;
        finished.report.left_out = short.left().to_vec();
    }
    if !finished.report.left_out.is_empty() {
        // The verdict stands as it is; who asked for more than that must not read that all is well.
        finished.status = finished.status.max(Status::Warn);
    }
    match unpacked {
        None => Ok(finished),
        Some(e) => Err(e.hint(format!(
            "the verdict is `{}`; for the packet: `{}`",
            finished.status, finished.next
        ))),
    }
}

/// Whoever put something else where the progress is takes no verdict and no report with it.
fn end_progress(finished: &Finished, now: Timestamp, short: &mut Shortage<'_>) {
    if let Err(e) = short.insist(|| complete_progress(finished, now)) {
        let path = finished.spec.progress_path.clone().unwrap_or_default();
        short.leave(Path::new(&path), &e);
    }
}

/// A run whose ledger is gone: told in its reports, signed by nobody, and in no packet.
fn unvouched(
    home: &Home,
    dir: &Path,
    wanted: &Wanted,
    (spec, now): (&RunSpec, Timestamp),
    mut short: Shortage<'_>,
) -> Result<Finished, AppError> {
    short.insist(|| keeping::copy_evidence(dir, spec))?;
    let mut report = judge::judge(spec, &Directory(dir), &super::judgement(now));
    let text = format!(
        "the ledger does not know {} any more: it was removed or replaced while the run went on, so nothing vouches for the run",
        spec.run_id
    );
    let found = gonogo_dryrun::sign_off::Finding {
        severity: Status::Invalid,
        message: text,
        code: "ledger_lost".to_owned(),
        accepted: None,
        metadata: std::collections::BTreeMap::new(),
    };
    judge::tell(&mut report, found);
    let mut finished = Finished {
        log_key: String::new(),
        status: report.status,
        next: home.finalize_command(dir),
        spec: spec.clone(),
        dir: dir.to_owned(),
        report,
        review: None,
        wrap_up: None,
        packed: None,
        again: false,
    };
    prepare(&mut finished, wanted, now)?;
    end_progress(&finished, now, &mut short);
    last_words(&mut finished, wanted, &mut short)?;
    tell(&finished, wanted, &mut short)?;
    finished.report.left_out = short.left().to_vec();
    Ok(finished)
}

/// The artifacts that are now what they were before the run: for others the sign-off says nothing.
fn unchanged(spec: &RunSpec, here: &Path) -> Vec<Artifact> {
    let same = |a: &&Artifact| {
        keeping::artifact(&here.join(&a.path), a.path.clone()).is_ok_and(|now| now == **a)
    };
    spec.artifacts.iter().filter(same).cloned().collect()
}

/// The ledger does not hold the run.
fn unknown(spec: &RunSpec) -> AppError {
    let text = format!("the ledger here does not know {}", spec.run_id);
    AppError::new(Reason::InputNotFound, text)
        .hint("call it where the run was begun: a run is recorded in its project's ledger")
}

/// Locks a directory until what comes back is dropped.
pub(crate) fn lock(dir: &Path) -> Result<File, AppError> {
    let fault = |e: std::io::Error| AppError::io("lock", dir, &e);
    let file = File::open(dir).map_err(fault)?;
    file.lock().map_err(fault)?;
    Ok(file)
}

/// The verdict: the one that was signed, or a new one. A file that nobody signed is none: the child could have written it.
fn verdict(
    dir: &Path,
    spec: &RunSpec,
    now: Timestamp,
    signed: Option<Digest>,
    short: &mut Shortage<'_>,
) -> Result<(Report, Vec<u8>, bool), AppError> {
    let path = dir.join(VERDICT);
    if let Some(signed) = signed {
        let bytes = std::fs::read(&path).map_err(|e| AppError::io("read", &path, &e))?;
        let malformed = |why: String| {
            let text = format!(
                "`{}` is not the verdict that was signed: {why}",
                path.display()
            );
            AppError::new(Reason::InputMalformed, text)
        };
        if Digest::of(&bytes) != signed {
            return Err(malformed("it was changed".to_owned()));
        }
        let report = serde_json::from_slice(&bytes).map_err(|e| malformed(e.to_string()))?;
        return Ok((report, bytes, true));
    }
    short.insist(|| keeping::copy_evidence(dir, spec))?;
    let report = judge::judge(spec, &Directory(dir), &super::judgement(now));
    let bytes = judge::to_bytes(&report);
    short.insist(|| write_atomic(&path, &bytes))?;
    Ok((report, bytes, false))
}

/// A run's files on disk.
pub struct Directory<'a>(pub &'a Path);

impl RunFiles for Directory<'_> {
    fn open(&self, name: &str) -> std::io::Result<Option<Box<dyn ReadAt>>> {
        match File::open(self.0.join(name)) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// What people add to a brief, as the renderer takes it.
///
/// # Errors
/// An objective that cannot be read.
pub fn inputs(
    brief: &wanted::Brief,
    spec: &RunSpec,
    at: Timestamp,
) -> Result<ReviewInputs, AppError> {
    let objectives: Result<Vec<Objective>, _> =
        brief.objectives.iter().map(|text| text.parse()).collect();
    Ok(ReviewInputs {
        run_label: brief.label.clone(),
        attendees: brief.attendees.clone(),
        notes: brief.notes.clone(),
        objectives: objectives
            .map_err(|e| AppError::new(Reason::ArgumentInvalid, format!("--objective: {e}")))?,
        include_summary: !brief.skip_summary,
        include_sign_off: !brief.skip_sign_off,
        rules: spec.lines.allow.clone(),
        ..ReviewInputs::at(at)
    })
}

/// What all reports say: names of files, what the operator said, the brief.
fn prepare(finished: &mut Finished, wanted: &Wanted, at: Timestamp) -> Result<(), AppError> {
    let spec = &finished.spec;
    let report = &mut finished.report;
    report.command = spec.command.clone();
    report.log_directory = Some(spec.log_dir.clone());
    report.run_directory = wanted.run_dir.as_ref().map(|d| d.display().to_string());
    report.progress_path = spec.progress_path.clone();
    report.progress_timeline_dir = spec.timeline_dir.clone();
    report.metadata = spec.metadata.clone();
    let facts = &mut report.summary.metadata;
    let views = views(spec);
    let named = |end: &[&str]| -> Vec<String> {
        let ends = |p: &&PathBuf| {
            let name = p.to_string_lossy();
            end.iter().any(|e| name.ends_with(e))
        };
        views
            .iter()
            .filter(ends)
            .map(|p| p.display().to_string())
            .collect()
    };
    facts.structured_log_paths = named(&[".jsonl", ".jsonl.gz"]);
    facts.raw_log_paths = named(&[".log", ".log.gz"]);
    facts.log_path = facts.structured_log_paths.first().cloned();
    facts.raw_log_path = facts.raw_log_paths.first().cloned();
    facts.log_paths = facts.structured_log_paths.clone();
    facts.progress_path = spec.progress_path.clone();
    facts.user = spec.metadata.clone();
    let review = Review::of(report, inputs(&wanted.brief, spec, at)?);
    report.review = serde_json::to_value(&review).ok();
    finished.status = finished.status.max(review.status);
    finished.review = Some(review);
    Ok(())
}

/// The brief's files.
fn tell(finished: &Finished, wanted: &Wanted, short: &mut Shortage<'_>) -> Result<(), AppError> {
    let Some(review) = &finished.review else {
        return Ok(());
    };
    let outputs: [(&Option<PathBuf>, String); 3] = [
        (&wanted.review_markdown, markdown::render(review)),
        (
            &wanted.review_json,
            review
                .json()
                .map_err(|e| AppError::new(Reason::StoreFailed, format!("the review: {e}")))?,
        ),
        (&wanted.review_html, html::render(review)),
    ];
    for (path, text) in outputs {
        if let Some(path) = path {
            short.attempt(path, || put(path, text.as_bytes()))?;
        }
    }
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), AppError> {
    make_dir(parent(path))?;
    write_atomic(path, bytes)
}

fn pretty(value: &impl serde::Serialize) -> Result<Vec<u8>, AppError> {
    // Through a value: its keys are sorted.
    let value = serde_json::to_value(value)
        .map_err(|e| AppError::new(Reason::StoreFailed, e.to_string()))?;
    let mut bytes = serde_json::to_vec_pretty(&value)
        .map_err(|e| AppError::new(Reason::StoreFailed, e.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Where a packet's archive goes.
fn archive(packet: &wanted::Packet) -> Result<PathBuf, AppError> {
    let usual = packet.directory.as_ref().map(|d| d.join("packet.tar.gz"));
    packet
        .archive
        .clone()
        .or(usual)
        .ok_or_else(|| AppError::new(Reason::ArgumentInvalid, "a packet needs a place to go"))
}

fn pack(
    book: &crate::home::Book,
    finished: &Finished,
    files: &Files,
    packet: &wanted::Packet,
    at: Timestamp,
) -> Result<Packed, AppError> {
    let raw = !packet.skip_raw;
    let archive = archive(packet)?;
    if let Some(directory) = &packet.directory {
        let sign_off = pretty(&finished.report.sign_off)?;
        let summary = pretty(&finished.report)?;
        let markdown = finished
            .review
            .as_ref()
            .map(markdown::render)
            .unwrap_or_default();
        recording::lay_out(
            directory,
            &finished.dir,
            &finished.spec,
            files,
            &[
                ("dry_run_summary.json", summary),
                ("dry_run_summary.md", markdown.into_bytes()),
                ("dry_run_sign_off.json", sign_off),
            ],
            &views(&finished.spec),
            raw,
        )?;
    }
    make_dir(parent(&archive))?;
    let packed = recording::pack(
        book,
        &finished.dir,
        &finished.spec,
        files,
        raw,
        &archive,
        at,
    )?;
    Ok(Packed {
        directory: packet.directory.clone(),
        ..packed
    })
}

/// Summary, wrap-up and the reports that name everything else.
fn last_words(
    finished: &mut Finished,
    wanted: &Wanted,
    short: &mut Shortage<'_>,
) -> Result<(), AppError> {
    finished.report.evidence_packet = finished
        .packed
        .as_ref()
        .and_then(|p| serde_json::to_value(p).ok());
    if let Some(how) = &wanted.wrap_up {
        let at = finished.report.generated_at;
        let options = wrap_up::Options {
            tolerance_seconds: how.tolerance,
            treat_warn_as_failure: how.treat_warn_as_failure,
            notes: wanted.brief.notes.clone(),
            ..wrap_up::Options::at(at.unwrap_or(finished.spec.created_at))
        };
        let read = wrap_up::Read {
            report: finished.report.clone(),
            notes: Vec::new(),
        };
        let minutes = WrapUp::of(&read, options);
        if let Some(path) = &how.json {
            let text = pretty(&minutes)?;
            short.attempt(path, || put(path, &text))?;
        }
        if let Some(path) = &how.markdown {
            short.attempt(path, || put(path, minutes.markdown().as_bytes()))?;
        }
        finished.report.wrap_up = serde_json::to_value(&minutes).ok();
        if how.treat_warn_as_failure {
            finished.status = finished.status.max(minutes.status);
        }
        finished.wrap_up = Some(minutes);
    }
    if let Some(path) = &wanted.json_report {
        let text = pretty(&finished.report)?;
        short.attempt(path, || put(path, &text))?;
    }
    if let (Some(path), Some(review)) = (&wanted.markdown_report, &finished.review) {
        short.attempt(path, || put(path, markdown::render(review).as_bytes()))?;
    }
    if let Some(dir) = &wanted.run_dir {
        let (summary, text) = (dir.join("summary.json"), pretty(&finished.report)?);
        short.insist(|| put(&summary, &text))?;
        if let Some(sign_off) = &finished.report.sign_off {
            let (path, text) = (dir.join("sign_off.json"), pretty(sign_off)?);
            short.insist(|| put(&path, &text))?;
        }
    }
    Ok(())
}

/// The derived views of a run, all segments.
pub fn views(spec: &RunSpec) -> Vec<PathBuf> {
    let stem = format!("{PREFIX}_{}", spec.slug);
    let is_view = |name: &str| {
        let Some(rest) = name.strip_prefix(&stem) else {
            return false;
        };
        let rest = rest.strip_suffix(".gz").unwrap_or(rest);
        let Some(rest) = rest.strip_suffix(".jsonl").or(rest.strip_suffix(".log")) else {
            return false;
        };
        rest.is_empty()
            || rest
                .strip_prefix("_p")
                .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
    };
    let entries = std::fs::read_dir(&spec.log_dir).into_iter().flatten();
    let mut all: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|e| e.file_name().to_str().is_some_and(is_view))
        .map(|e| e.path())
        .collect();
    all.sort();
    all
}

/// The progress says how it ended, so that watchers end.
fn complete_progress(finished: &Finished, now: Timestamp) -> Result<(), AppError> {
    let Some(path) = &finished.spec.progress_path else {
        return Ok(());
    };
    let path = Path::new(path);
    let mut progress: Progress = match std::fs::read(path).map(|b| serde_json::from_slice(&b)) {
        Ok(Ok(progress)) => progress,
        _ => match Live::new(&finished.spec) {
            Ok(live) => live.progress(Moment {
                boot: 0,
                wall: now.as_millis().saturating_mul(1_000_000),
            }),
            Err(_) => return Ok(()),
        },
    };
    if progress.phase == Phase::Complete && finished.again {
        return Ok(());
    }
    let report = &finished.report;
    let facts = &report.summary.metadata;
    progress.status = finished.status.word().to_owned();
    progress.phase = Phase::Complete;
    progress.sequence += 1;
    progress.now = now;
    progress.exit_code = facts.exit_code;
    progress.started_at = report.started_at.or(progress.started_at);
    progress.elapsed_seconds = report.duration_seconds.unwrap_or(progress.elapsed_seconds);
    if let Some(logs) = &report.summary.logs {
        progress.total_lines = logs.total_lines;
        progress.total_bytes = logs.total_bytes;
        progress.level_counts = logs.level_counts.clone();
    }
    progress.line_counts = facts.log_line_counts.clone();
    progress.incidents = report.incidents.clone();
    progress.summary = Some(report.summary.clone());
    progress.sign_off = report.sign_off.clone();
    put(path, &pretty(&progress)?)?;
    if let Some(dir) = &finished.spec.timeline_dir {
        let dir = Path::new(dir);
        make_dir(dir)?;
        let stamp: String = now
            .to_string()
            .chars()
            .take(19)
            .filter(|c| *c != '-' && *c != ':')
            .collect();
        let name = format!("snapshot-{stamp}-{:05}.json", progress.sequence);
        write_atomic(&dir.join(name), &pretty(&progress)?)?;
    }
    Ok(())
}

/// The answer for programs.
pub fn answer(finished: &Finished) -> Value {
    json!({
        "run": finished.spec.run_id,
        "status": finished.status,
        "directory": finished.dir,
        "runDirectory": finished.report.run_directory,
        "signOff": finished.report.sign_off,
        "incidents": finished.report.incidents,
        "durationSeconds": finished.report.duration_seconds,
        "packet": finished.packed,
        "logKey": finished.log_key,
        "again": finished.again,
        "leftOut": finished.report.left_out,
    })
}

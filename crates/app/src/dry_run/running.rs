//! Running: the specification is recorded, the keeper starts the child, the harness follows and judges.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gonogo_capture::{Ask, LEAST_BALLAST, Run};
use gonogo_core::id::RunId;
use gonogo_core::{Reason, Timestamp};
use gonogo_dryrun::PREFIX;
use gonogo_dryrun::spec::{Artifact, RunSpec};

use super::declared::Judged;
use super::finishing::{self, Finished};
use super::flags::Flags;
use super::foreign;
use super::keeping;
use super::recording;
use super::settings::{self, RunPlace};
use super::wanted::{self, Wanted};
use crate::AppError;
use crate::home::Home;
use crate::identity;
use crate::workspace::{can_be_written, make_dir, parent};

/// How often the harness looks at its run.
const LOOK: Duration = Duration::from_millis(50);

/// What a run needs besides: its journals, the ledger, the first lines.
const ROOM: u64 = 1 << 20;

/// How long a pump whose keeper is gone may take to write what it holds.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the operator asks for meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Nothing.
    Nothing,
    /// End the run.
    End(Ask),
    /// Begin a new log segment.
    Rotate,
}

/// Follows a run at a door.
pub trait Follower {
    /// The run has begun.
    fn begun(&mut self, spec: &RunSpec, dir: &Path);
    /// Called many times a second; answers what the operator asks for.
    fn look(&mut self, spec: &RunSpec) -> Asked;
    /// Something is amiss with the run's own processes.
    fn told(&mut self, _: &str) {}
    /// The child has ended, and the run is judged now.
    fn judging(&mut self, spec: &RunSpec);
}

/// Where and how a run is to be made.
#[derive(Debug, Clone)]
pub struct Request {
    /// What was asked for.
    pub flags: Flags,
    /// Where logs go.
    pub log_dir: PathBuf,
    /// Names the run's files; the time if absent.
    pub slug: Option<String>,
    /// The reports.
    pub wanted: Wanted,
}

/// A slug from a time: `20260131T120000Z`.
pub fn slug(time: Timestamp) -> String {
    let text = time.to_string();
    let digits: String = text
        .chars()
        .take(19)
        .filter(|c| *c != '-' && *c != ':')
        .collect();
    format!("{digits}Z")
}

/// Runs a command and judges it.
///
/// # Errors
/// Arguments, configuration, a run that is there already, files that cannot be written, the ledger's faults. A run that fails is a
/// result and no error.
pub fn run(
    home: &Home,
    request: &Request,
    follower: &mut dyn Follower,
) -> Result<Finished, AppError> {
    let now = home.clock.now().wall;
    let base = request.slug.clone().unwrap_or_else(|| slug(now));
    let log_dir = home.here.join(&request.log_dir);
    let slug = free_slug(&log_dir, &base, request.slug.is_some())?;
    let mut place = RunPlace {
        run_id: RunId::mint(identity::random()).to_string(),
        slug,
        log_dir: log_dir.clone(),
        directory: home.here.clone(),
        root: home.root(),
        now,
        artifacts: artifacts(home, &request.flags)?,
        run_dir: request.wanted.run_dir.clone(),
    };
    let mut spec = settings::resolve(&request.flags, &home.file(), &place)?;
    space(&mut spec, request, home)?;
    for file in request.wanted.files() {
        // A report that could not be written after three days is told now.
        room(parent(file))?;
        can_be_written(file)?;
        // Many things that look like a directory take no file; whoever finds that out after three days has no report.
        tempfile::Builder::new()
            .prefix(".gonogo-")
            .tempfile_in(parent(file))
            .map_err(|e| {
                let text = format!("cannot write `{}`: {e}", file.display());
                AppError::new(Reason::OutputFailed, text)
            })?;
    }
    gonogo_dryrun::live::Live::new(&spec).map_err(|e| AppError::new(Reason::ArgumentInvalid, e))?;
    let actor = home.actor()?;
    room(&log_dir)?;
    // Two harnesses of one second look for a name at once: the second one looks when the first has made its directory.
    let naming = finishing::lock(&log_dir)?;
    let slug = free_slug(&log_dir, &base, request.slug.is_some())?;
    if slug != place.slug {
        place.slug = slug;
        let capture = spec.capture;
        spec = settings::resolve(&request.flags, &home.file(), &place)?;
        spec.capture = capture;
    }
    let bytes = serde_json::to_vec_pretty(&spec).unwrap_or_default();
    {
        let book = home.open(&request.wanted.beside)?;
        let judged = Judged::of(&request.flags, &home.file(), &place, &spec);
        recording::begin(&book, &spec, &judged, &bytes, &actor)?;
    }
    // What is wanted is kept before anything is started: whoever comes after a crash finds it wherever it finds a run.
    let kept = request.wanted.to_bytes();
    let beside: [(&str, &[u8]); 1] = [(wanted::FILE, &kept)];
    let mut running =
        Run::start_beside(&home.program, &spec, &beside).map_err(finishing::capture_fault)?;
    drop(naming);
    let dir = running.files().directory().to_owned();
    follower.begun(&spec, &dir);
    while running.wait(LOOK).is_none() {
        if let Some(news) = running.news() {
            follower.told(&news);
        }
        match follower.look(&spec) {
            Asked::Nothing => {}
            Asked::End(ask) => running.interrupt(ask),
            Asked::Rotate => running.rotate(),
        }
    }
    follower.judging(&spec);
    drop(running);
    foreign::set_aside(&dir)?;
    foreign::put_back(&dir, &bytes)?;
    // What is left of a run whose files were removed is judged too; what was captured is gone, and no pass.
    gonogo_capture::restore(&spec, &beside).map_err(finishing::capture_fault)?;
    // Nothing is left to do unless the keeper was killed: then the pump may still be at work.
    finishing::settle(&dir, PATIENCE)?;
    finishing::finish(home, &dir, &request.wanted, true)
}

/// Settles how much space is kept back, and refuses a disk on which there is too little for it already.
fn space(spec: &mut RunSpec, request: &Request, home: &Home) -> Result<(), AppError> {
    spec.capture.packs_raw = request.wanted.packs_raw();
    let mut places = Path::new(&spec.log_dir).ancestors();
    let Some(stat) = places.find_map(|place| rustix::fs::statvfs(place).ok()) else {
        return Ok(());
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let is_asked = request.flags.ballast.or(home.file().ballast).is_some();
    if !is_asked {
        // A small disk is not kept from its run by what a large one can spare.
        spec.capture.ballast_bytes = (free / 4).clamp(LEAST_BALLAST, spec.capture.ballast_bytes);
    }
    let copies = if spec.capture.packs_raw { 2 } else { 1 };
    let evidence: u64 = spec
        .evidence
        .iter()
        .map(|e| std::fs::metadata(&e.path).map_or(0, |m| m.len()))
        .sum();
    let ballast = spec.capture.ballast_bytes;
    let needed = ballast
        .saturating_add(evidence.saturating_mul(copies))
        .saturating_add(ROOM);
    if free < needed {
        let text = format!(
            "{free} bytes are free on the disk of `{}`, and the run needs {needed} before its first line: {ballast} are kept back for the verdict, {} are for copies of the evidence",
            spec.log_dir,
            needed - ballast - ROOM,
        );
        return Err(AppError::new(Reason::StoreFull, text).hint(format!(
            "free space, give another directory, or keep back less: --ballast, at least {LEAST_BALLAST} bytes"
        )));
    }
    Ok(())
}

/// Hashes what the run is said to be about. The command must name at least one of the files, as its program or an argument: a sign-off
/// is no evidence about something that did not run.
fn artifacts(home: &Home, flags: &Flags) -> Result<Vec<Artifact>, AppError> {
    let file = home.file();
    let from_file = file.artifacts.iter().map(|p| home.root().join(p));
    let given = flags.artifacts.iter().map(|p| home.here.join(p));
    let mut all: Vec<Artifact> = Vec::new();
    let mut places = Vec::new();
    for path in from_file.chain(given) {
        let text = path
            .to_str()
            .ok_or_else(|| {
                let text = format!("the path {} is not UTF-8", path.display());
                AppError::new(Reason::ArgumentInvalid, text)
            })?
            .to_owned();
        places.push(
            path.canonicalize()
                .map_err(|e| AppError::io("find", &path, &e))?,
        );
        if all.iter().all(|a| a.path != text) {
            all.push(keeping::artifact(&path, text)?);
        }
    }
    let command = match flags.command.is_empty() {
        true => file.command.unwrap_or_default(),
        false => flags.command.clone(),
    };
    let is_named = |argument: &String| {
        let path = home.here.join(argument).canonicalize();
        path.is_ok_and(|path| places.contains(&path))
    };
    if !all.is_empty() && !command.iter().any(is_named) {
        let text = "the command names none of the artifacts, so the run says nothing about them";
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint("run the artifact itself, by its path, or leave --artifact out"));
    }
    Ok(all)
}

/// Makes a directory in which results will lie.
fn room(dir: &Path) -> Result<(), AppError> {
    make_dir(dir).map_err(|e| match e.reason {
        Reason::StoreFailed => AppError::new(Reason::OutputFailed, e.to_string()),
        _ => e,
    })
}

/// Two runs of one second have two slugs; a name that was asked for is refused instead.
fn free_slug(log_dir: &Path, base: &str, named: bool) -> Result<String, AppError> {
    let taken = |slug: &str| log_dir.join(format!("{PREFIX}_{slug}")).exists();
    if !taken(base) {
        return Ok(base.to_owned());
    }
    if named {
        let text = format!(
            "`{}` holds a run called `{base}` already",
            log_dir.display()
        );
        return Err(AppError::new(Reason::OutputFailed, text)
            .hint("give another name, or another directory"));
    }
    (2..1000)
        .map(|n| format!("{base}-{n}"))
        .find(|slug| !taken(slug))
        .ok_or_else(|| {
            let text = format!(
                "`{}` holds a thousand runs of one second",
                log_dir.display()
            );
            AppError::new(Reason::OutputFailed, text)
        })
}

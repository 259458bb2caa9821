//! Reports that somebody else's runner wrote: read as a run of one target, kept and recorded like any other.
//!
//! Nothing is believed about them that they do not show: without the runner's exit code the run holds, and so does one whose tree nobody knows.

use std::io::Read;
use std::path::PathBuf;

use gonogo_core::Reason;
use gonogo_core::id::RunId;
use gonogo_suite::read::detect;
use gonogo_suite::run::{Attempted, Class, End, Problem, Summary, judge};
use gonogo_suite::{Format, Row, Tally};

use super::artifacts::{FILES, RunDir};
use super::knowing::Known;
use super::marking;
use super::one;
use super::placed::{self, Ran};
use super::running;
use super::source::Tree;
use super::verbatim;
use crate::AppError;
use crate::config::SuitesFile;
use crate::home::Home;
use crate::identity;
use crate::workspace::STATE_DIR;

/// How much of a report tells its format.
const HEAD: u64 = 64 << 10;

/// What is read.
#[derive(Debug, Clone)]
pub struct Reports {
    /// The files.
    pub files: Vec<PathBuf>,
    /// Their format; told from their beginnings if absent.
    pub format: Option<Format>,
    /// The target that they are of.
    pub target: String,
    /// What it is for.
    pub class: Class,
    /// The runner's exit code, if it is known.
    pub exit_code: Option<i32>,
    /// The same in everything that belongs together.
    pub correlation_id: Option<String>,
    /// Whether the run is kept and recorded; otherwise it is only shown.
    pub keep: bool,
}

/// What was read.
#[derive(Debug)]
pub struct Ingested {
    /// What it comes to.
    pub summary: Summary,
    /// Where it was kept.
    pub dir: Option<PathBuf>,
    /// All tests.
    pub rows: Vec<Row>,
}

/// Reads.
///
/// # Errors
/// A file that is not there, a name that is none, files that cannot be written. What is wrong within a report is a result.
pub fn read(home: &Home, wanted: &Reports) -> Result<Ingested, AppError> {
    if !crate::config::is_plain_name(&wanted.target) {
        let text = format!("`{}` cannot be a target's name", wanted.target);
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    for file in &wanted.files {
        let path = home.here.join(file);
        let meta = std::fs::metadata(&path).map_err(|e| AppError::io("read", &path, &e))?;
        // A pipe would be waited for, and a directory is no report.
        if !meta.is_file() {
            let text = format!("`{}` is no plain file", path.display());
            return Err(AppError::new(Reason::InputMalformed, text).hint("name report files"));
        }
        std::fs::File::open(&path).map_err(|e| AppError::io("read", &path, &e))?;
    }
    let empty = SuitesFile::default();
    let file = home.config.as_ref().map_or(&empty, |c| &c.suites);
    let root = home.root();
    let run_id = RunId::mint(identity::random()).to_string();
    let temporary =
        tempfile::tempdir().map_err(|e| AppError::io("make", &std::env::temp_dir(), &e))?;
    let place = match wanted.keep {
        true => root.join(&file.artifacts).join(&run_id),
        false => temporary.path().join(&run_id),
    };
    let known = Known::load(home)?;
    let key = marking::key(home)?;
    let dir = RunDir::create(&place, running::redactor(file)?.keyed(key))?;
    let now = home.clock.now().wall;
    let home_dir = format!("{}/{}", wanted.class.word(), wanted.target);
    let mut tally = Tally::default();
    tally.ended(wanted.exit_code);
    let mut problems = Vec::new();
    let mut inputs = Vec::new();
    let mut formats = Vec::new();
    for (n, name) in (1..).zip(&wanted.files) {
        let path = home.here.join(name);
        let shown = path
            .strip_prefix(&root)
            .unwrap_or(&path)
            .display()
            .to_string();
        let shown = dir.clean(&shown);
        let base = dir.clean(&path.file_name().unwrap_or_default().to_string_lossy());
        let Some(format) = wanted
            .format
            .map_or_else(|| format_of(&path), |f| Ok(Some(f)))?
        else {
            let text = format!("`{shown}`: no reader knows what this is");
            problems.push(Problem::new(Reason::EvidenceUnparsable, text));
            continue;
        };
        formats.push(one::word_of(format));
        let copy = format!("{home_dir}/reports/{n:04}-{base}");
        match dir.copy_report(&path, &copy) {
            Err(e) => problems.push(Problem::new(e.reason, e.to_string())),
            Ok(copied) => {
                if let Err(e) = verbatim::report(&root, (&path, &dir.at(&copy)), format, &copied) {
                    problems.push(Problem::new(e.reason, e.to_string()));
                }
                inputs.push(placed::read_report(
                    &place,
                    (&copy, Some(shown)),
                    &root,
                    format,
                    Ran {
                        since: None,
                        until: Some(now.as_millis()),
                    },
                    &mut tally,
                )?);
            }
        }
        tally.next_input();
    }
    formats.sort_unstable();
    formats.dedup();
    let collisions = tally.collisions();
    let mut rows = tally.into_rows(&wanted.target, &known.rules);
    let declared = file.suites.get(&wanted.target);
    placed::locate(&root, declared.map_or(".", |suite| &suite.dir), &mut rows);
    rows.iter_mut().for_each(|row| dir.clean_row(row));
    let correlation_id = wanted
        .correlation_id
        .clone()
        .unwrap_or_else(|| format!("{}-read", crate::dry_run::running::slug(now)));
    let attempted = Attempted {
        target: wanted.target.clone(),
        class: wanted.class,
        correlation_id: correlation_id.clone(),
        blocking: true,
        owner: None,
        command: Vec::new(),
        dir: ".".into(),
        format: match formats.as_slice() {
            [one] => one.clone(),
            _ => "mixed".into(),
        },
        min_tests: 1,
        min_duration_ms: None,
        end: End::Read {
            code: wanted.exit_code,
        },
        duration_ms: 0,
        ended_at: now,
        inputs,
        problems,
        home: home_dir.clone(),
    };
    let mut result = judge(attempted.clone(), &collisions, &rows);
    let bad = rows.iter_mut().filter(|row| !row.verdict.is_good());
    bad.for_each(|row| known.own(&result, row));
    result = judge(attempted, &collisions, &rows);
    crate::workspace::make_dir(&place.join(&home_dir))?;
    result.tests_sha256 = Some(one::write_rows(&place.join(&result.tests_file), &rows)?);
    for name in [
        &result.log_file,
        &result.test_log_jsonl,
        &result.artifact_index_jsonl,
    ] {
        dir.write_text(name, "")?;
    }
    dir.write(&format!("{home_dir}/result.json"), &result)?;
    let source = match wanted.keep {
        false => gonogo_suite::run::Source::default(),
        true => {
            let state = root.join(STATE_DIR);
            crate::workspace::make_dir(&state)?;
            Tree::find(&root, &state, &running::apart(file, &root, &place))?.now()?
        }
    };
    let project = home
        .config
        .as_ref()
        .map_or("project", |c| c.service.as_str());
    let mut summary = running::blank(project, &run_id, &correlation_id, source, now);
    summary.profile = gonogo_suite::run::READ.into();
    summary.variant = file.variant.clone();
    summary.artifact_dir = place
        .strip_prefix(&root)
        .unwrap_or(&place)
        .display()
        .to_string();
    summary.selected = vec![wanted.target.clone()];
    summary.source.tree_after = Some(summary.source.tree.clone());
    summary.fill(vec![result]);
    dir.write("summary.json", &summary)?;
    if wanted.keep {
        let files = dir.list(&run_id, &correlation_id)?.to_bytes();
        crate::workspace::write_atomic(&dir.at(FILES), &files)?;
        let book = home.open(&home.here)?;
        running::conclude(&book, &summary, &files, &home.actor()?)?;
    }
    Ok(Ingested {
        dir: wanted.keep.then_some(place),
        summary,
        rows,
    })
}

fn format_of(path: &std::path::Path) -> Result<Option<Format>, AppError> {
    let fault = |e: std::io::Error| AppError::io("read", path, &e);
    let file = std::fs::File::open(path).map_err(fault)?;
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head).map_err(fault)?;
    let name = path.file_name().and_then(|n| n.to_str());
    Ok(detect(name, &head))
}

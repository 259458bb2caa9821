//! The runbook that holds for a project: what comes with gonogo, and over it what the project's own file says.
//!
//! Rules and search are in `gonogo_suite::runbook`; here are the files, what exists, and redaction: what is shown of a log has its secrets taken
//! out first. Invariant: a project's runbook with any fault is none, and nothing is looked up with the rest of it.

mod around;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use gonogo_core::{Reason, near};
use gonogo_suite::redact::Redactor;
use gonogo_suite::report::Advice;
use gonogo_suite::runbook::{
    BUILT_IN, Existing, Limits, Lint, MAX_BYTES, Matcher, Matches, Parse, Runbook, fill,
};
use gonogo_suite::{Row, Summary};
use serde::Serialize;

use self::around::Around;
use crate::AppError;
use crate::home::Home;
use crate::suite::{preflight, running};

/// The project's own file, if the configuration names no other.
pub const FILE: &str = "runbook.toml";

/// Most entries that are told of one failure.
const ADVICE: usize = 3;

/// Files that a run of suites or a verdict of the gate leaves, relative to its directory; `*` stands for any part of a name.
pub const ARTIFACTS: &[&str] = &[
    // Of a run.
    "ci_shard_manifest.json",
    "environment.json",
    "evidence_contract.json",
    "failure_diagnostics_index.json",
    "failure_timeline.jsonl",
    "failure_timeline.normalized.jsonl",
    "files.json",
    "flake_events.jsonl",
    "flake_events.normalized.jsonl",
    "preflight.json",
    "replay_bundle.json",
    "replay_results.json",
    "retry_manifest.json",
    "runner_outcome.json",
    "summary.json",
    "triage_diff.json",
    // Of a target of it.
    "*/*/artifact-index.jsonl",
    "*/*/artifact-index.normalized.jsonl",
    "*/*/errors.log",
    "*/*/failure_digest.json",
    "*/*/failure_timeline.jsonl",
    "*/*/failure_timeline.normalized.jsonl",
    "*/*/output.log",
    "*/*/outputs/*",
    "*/*/reports/*",
    "*/*/result.json",
    "*/*/test-log.jsonl",
    "*/*/test-log.normalized.jsonl",
    "*/*/tests.jsonl",
    // Of a verdict.
    "certification_dossier.json",
    "certification_dossier.md",
    "certification_lane.json",
    "certification_verdict.json",
    "claim_wording.json",
    "evidence_bundle.json",
    "full_suite_events.jsonl",
    "full_suite_report.md",
    "full_suite_verdict.json",
    "inputs.json",
    "non_mock_compliance.json",
    "platform_matrix.json",
    "practical_finish_checkpoint.json",
    "preflight_verdict.json",
    "promotion.json",
    "quarantine_report.json",
    "remediation_backlog.json",
    "suite_classification.json",
    "test_double_inventory.json",
    "verdict.json",
    "waiver_audit.json",
];

/// The runbook of a project, and where each part is from.
#[derive(Debug, Clone)]
pub struct Laid {
    /// All entries: the project's own, then what they do not replace.
    pub runbook: Runbook,
    /// The project's own file, if it has one.
    pub path: Option<PathBuf>,
    /// The project's own entries.
    pub own: Runbook,
    /// What comes with gonogo.
    pub built_in: Runbook,
}

impl Laid {
    /// Whether the project says this entry itself.
    pub fn is_own(&self, id: &str) -> bool {
        self.own.entry(id).is_some()
    }
}

/// Reads what holds here.
///
/// # Errors
/// A file that is named and not there, that cannot be read, or that has any fault; all faults are told.
pub fn load(home: &Home) -> Result<Laid, AppError> {
    let built_in = Runbook::parse(BUILT_IN).map_err(|e| {
        let text = format!("the runbook that comes with gonogo has faults: {e}");
        AppError::new(Reason::StoreFailed, text)
    })?;
    let named = home.config.as_ref().and_then(|c| c.suites.runbook.as_ref());
    let path = home.root().join(named.map_or(FILE, String::as_str));
    let there = std::fs::symlink_metadata(&path).is_ok();
    if named.is_none() && !there {
        return Ok(Laid {
            runbook: built_in.clone(),
            path: None,
            own: Runbook::default(),
            built_in,
        });
    }
    let own = parse(&path)?;
    Ok(Laid {
        runbook: own.clone().over(built_in.clone()),
        path: Some(path),
        own,
        built_in,
    })
}

fn parse(path: &Path) -> Result<Runbook, AppError> {
    let bytes = crate::proposing::bounded(path, MAX_BYTES as u64)?;
    let malformed = |why: String| {
        let text = format!("runbook `{}`: {why}", path.display());
        AppError::new(Reason::InputMalformed, text)
            .hint("mend the lines that are named; `gonogo runbook lint` looks again")
    };
    let text =
        std::str::from_utf8(&bytes).map_err(|e| malformed(format!("it is not UTF-8: {e}")))?;
    Runbook::parse(text).map_err(|e| malformed(e.to_string()))
}

/// The runbook, ready to be looked up.
///
/// # Errors
/// As [`load`]; a pattern that cannot be used.
pub fn matcher(home: &Home) -> Result<Matcher, AppError> {
    let laid = load(home)?;
    Matcher::new(laid.runbook).map_err(|e| AppError::new(Reason::InputMalformed, e.to_string()))
}

/// The entry of an id.
///
/// # Errors
/// There is none; the nearest is told.
pub fn entry<'a>(laid: &'a Laid, id: &str) -> Result<&'a gonogo_suite::runbook::Entry, AppError> {
    laid.runbook.entry(id).ok_or_else(|| {
        let ids = laid.runbook.entries.iter().map(|e| e.id.as_str());
        let error = AppError::new(
            Reason::InputNotFound,
            format!("the runbook has no entry `{id}`"),
        );
        match near::nearest(id, ids) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("see `gonogo runbook list`"),
        }
    })
}

/// What a look through a log came to, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// At least one entry applies.
    Matched,
    /// The whole log was looked at, and none applies.
    Nothing,
    /// None was found, but not all of the log could be looked at.
    Undecided,
}

impl Outcome {
    /// Of what was found.
    pub fn of(matches: &Matches) -> Self {
        match (matches.entries.is_empty(), matches.whole) {
            (false, _) => Self::Matched,
            (true, true) => Self::Nothing,
            (true, false) => Self::Undecided,
        }
    }
}

/// How a gzip file begins, with the one method that there is (RFC 1952 section 2.3.1).
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

/// Looks through a log of any size, also one that is compressed with gzip; lines and bytes are those of its text. `name` is for messages. What is shown of it has its secrets taken out.
///
/// # Errors
/// As [`matcher`]; a log that cannot be read to its end.
pub fn search(home: &Home, name: &str, log: &mut dyn Read) -> Result<Matches, AppError> {
    let matcher = matcher(home)?;
    let redactor = redactor(home)?;
    let mut log = BufReader::new(log);
    let head = log.fill_buf().map(|head| head.starts_with(&GZIP));
    let mut unpacked;
    let log: &mut dyn Read = match head {
        Ok(true) => {
            unpacked = MultiGzDecoder::new(log);
            &mut unpacked
        }
        // A fault is told below.
        Ok(false) | Err(_) => &mut log,
    };
    let mut found = gonogo_suite::runbook::read(&matcher, log, Limits::default()).map_err(|e| {
        let text = format!("`{name}` cannot be read to its end: {e}");
        AppError::new(Reason::InputMalformed, text).hint("give a file with text, or `-`")
    })?;
    for entry in &mut found.entries {
        for spot in [&mut entry.first, &mut entry.last] {
            spot.text = redactor.text(&spot.text);
        }
    }
    Ok(found)
}

/// As [`search`], in a file.
///
/// # Errors
/// As [`search`]; a file that is not there.
pub fn search_file(home: &Home, path: &Path) -> Result<Matches, AppError> {
    let mut file = File::open(path).map_err(|e| AppError::io("read", path, &e))?;
    search(home, &path.display().to_string(), &mut file)
}

fn redactor(home: &Home) -> Result<Redactor, AppError> {
    let empty = crate::config::SuitesFile::default();
    running::redactor(home.config.as_ref().map_or(&empty, |c| &c.suites))
}

/// A check of one of the two files.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The file; none for the one that comes with gonogo.
    pub path: Option<PathBuf>,
    /// What was found.
    pub lint: Lint,
}

/// Proves that what the runbook names exists: artifacts of a run, programs here, scripts and targets of the project, and gonogo's own `commands`
/// with their flags, as `parse` takes them. The project's file
/// is checked alone, so that its lines are its own, and so is what comes with gonogo.
///
/// # Errors
/// As [`load`].
pub fn lint(
    home: &Home,
    commands: BTreeMap<String, BTreeSet<String>>,
    parse: Parse,
) -> Result<Vec<Checked>, AppError> {
    let laid = load(home)?;
    let root = home.root();
    let mut existing = Existing {
        artifacts: ARTIFACTS.iter().map(|name| (*name).to_owned()).collect(),
        commands,
        parse: Some(parse),
        tree: Some(Arc::new(Around { root: root.clone() })),
        ..Existing::default()
    };
    // Looked for one by one: a listing of a repository or of `PATH` has no end.
    for entry in &laid.runbook.entries {
        let Some(program) = entry.replay.first() else {
            continue;
        };
        let outside = program.starts_with('/') || program.split('/').any(|part| part == "..");
        if outside || preflight::program(program, &root).is_none() {
            continue;
        }
        match program.contains('/') {
            true => existing
                .paths
                .insert(program.strip_prefix("./").unwrap_or(program).to_owned()),
            false => existing.programs.insert(program.clone()),
        };
    }
    let check = |path: Option<PathBuf>, runbook: &Runbook| Checked {
        path,
        lint: gonogo_suite::runbook::lint(runbook, &existing),
    };
    let mut all = Vec::new();
    if let Some(path) = &laid.path {
        all.push(check(Some(path.clone()), &laid.own));
    }
    all.push(check(None, &laid.built_in));
    Ok(all)
}

/// What the runbook says of a test that did not pass, the best first; nothing of one that did. Placeholders are filled with what is known of the
/// run; a command that keeps one is left out.
pub fn advice(matcher: &Matcher, summary: &Summary, row: &Row) -> Vec<Advice> {
    let Some(failure) = &row.failure else {
        return Vec::new();
    };
    let known = row.cause.clone();
    let cause = known.unwrap_or_else(|| gonogo_suite::cause::cause(failure, &[]));
    let target = summary.targets().find(|t| t.target == row.target);
    let value = |name: &str| match name {
        "run" => Some(summary.run_id.clone()),
        "run_dir" => Some(summary.artifact_dir.clone()),
        "class" => target.map(|t| t.class.word().to_owned()),
        "target" | "suite" => Some(row.target.clone()),
        "test" => Some(row.test.name.to_string()),
        "profile" => Some(summary.profile.clone()),
        "commit" => summary.source.commit.clone(),
        "owner" => row.owner.clone(),
        _ => None,
    };
    let found = matcher
        .match_known(failure, Some(&row.test), &cause)
        .entries;
    found
        .into_iter()
        .take(ADVICE)
        .map(|found| {
            let (mut text, _) = fill(&found.remediation, value);
            let words: Vec<(String, Vec<String>)> =
                found.replay.iter().map(|word| fill(word, value)).collect();
            if !words.is_empty() && words.iter().all(|(_, open)| open.is_empty()) {
                let argv: Vec<String> = words.into_iter().map(|(word, _)| word).collect();
                text = format!("{text} ({})", gonogo_suite::replay::shell(&argv));
            }
            let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            Advice {
                id: found.entry,
                text: one_line,
            }
        })
        .collect()
}

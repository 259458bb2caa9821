//! Two runs side by side, or a run beside the last good one of each target.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Exit, Reason};
use gonogo_suite::diff::{self, Side, Status};
use gonogo_suite::{Row, TestId};

use super::analysing::{Beside, Triage, document, replays};
use super::reading::{self, Loaded};
use super::running;
use crate::AppError;
use crate::config::SuitesFile;
use crate::gates::compared::{self, Recorded};
use crate::home::Home;

/// Compares. Without `against` each target is held against the newest earlier run in which it was good.
///
/// # Errors
/// An unknown run; lists of tests that cannot be read.
pub fn compare(
    home: &Home,
    run: &str,
    against: Option<&str>,
) -> Result<(Loaded, Triage), AppError> {
    let now = reading::find(home, run)?;
    let root = home.root();
    let empty = SuitesFile::default();
    let file = home.config.as_ref().map_or(&empty, |c| &c.suites);
    let earlier: Vec<Recorded> = match against {
        Some(_) => Vec::new(),
        None => running::earlier(home)?
            .into_iter()
            .filter(|r| now.record.is_none_or(|index| r.index < index))
            .collect(),
    };
    let base = against.map(|a| reading::find(home, a)).transpose()?;
    if base
        .as_ref()
        .is_some_and(|b| b.summary.run_id == now.summary.run_id)
    {
        let text = "a run beside itself is no comparison";
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    let mut diffs = BTreeMap::new();
    let mut bases: BTreeMap<String, (String, Digest)> = BTreeMap::new();
    let mine = rows(&now)?;
    for target in now.summary.targets() {
        let name = &target.target;
        let own: Vec<(TestId, diff::Entry)> = mine
            .get(name)
            .into_iter()
            .flatten()
            .map(|row| (row.test.clone(), row.entry()))
            .collect();
        let found = match &base {
            None => compared::last_good(&earlier, &now.summary, name).map(|(run, tests)| {
                (
                    run.summary.run_id.clone(),
                    run.digest,
                    run.summary.variant.clone(),
                    tests,
                )
            }),
            Some(base) => base
                .summary
                .targets()
                .find(|t| t.target == *name)
                .map(|result| {
                    let path = base.dir.join(&result.tests_file);
                    let mut tests = Vec::new();
                    reading::rows_of(&path, |row| tests.push((row.test.clone(), row.entry())))?;
                    let digest = result.tests_sha256.unwrap_or_else(|| Digest::of(b""));
                    Ok::<_, AppError>((
                        base.summary.run_id.clone(),
                        digest,
                        base.summary.variant.clone(),
                        tests,
                    ))
                })
                .transpose()?,
        };
        let Some((id, digest, variant, tests)) = found else {
            continue;
        };
        let text = |variant: &BTreeMap<String, String>| format!("{variant:?}");
        let (before, after) = (text(&variant), text(&now.summary.variant));
        let diff = diff::compare(
            &Side {
                tests: &tests,
                variant: &before,
                plan: None,
            },
            &Side {
                tests: &own,
                variant: &after,
                plan: None,
            },
        );
        diffs.insert(name.clone(), diff);
        bases.insert(name.clone(), (id, digest));
    }
    let beside = Beside {
        root: &root,
        file,
        seed: None,
        env: BTreeMap::new(),
        os: String::new(),
        earlier: &[],
        program: running::program(home),
    };
    let triage = document(&now.summary, diffs, &bases, &|target, test| {
        let row = mine.get(target)?.iter().find(|r| r.test == *test)?;
        if row.verdict.is_good() {
            return None;
        }
        replays(&beside, &now.summary, row).map(|r| r.best().shell.clone())
    });
    Ok((now, triage))
}

/// The tests of a run, by target.
///
/// # Errors
/// A list that cannot be read.
pub fn rows(loaded: &Loaded) -> Result<BTreeMap<String, Vec<Row>>, AppError> {
    let mut all: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    reading::rows(&loaded.dir, &loaded.summary, |row| {
        all.entry(row.target.clone()).or_default().push(row);
    })?;
    Ok(all)
}

/// The exit code of a comparison.
pub const fn exit(status: Status) -> Exit {
    match status {
        Status::Stable => Exit::Done,
        Status::KnownFailuresOnly | Status::SemanticMismatch => Exit::Hold,
        Status::Regression => Exit::Fail,
        Status::Incomparable => Exit::Unjudged,
    }
}

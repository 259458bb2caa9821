//! A run beside another, or beside what its targets were before.

use std::collections::BTreeMap;

use gonogo_core::Exit;
use gonogo_suite::diff::{Entry, Status};
use gonogo_suite::{Row, TestId};

use super::analysing::{Beside, Held, Triage, document, replays};
use super::baseline::{Against, Baselines};
use super::reading::{self, Loaded};
use super::running;
use crate::AppError;
use crate::config::SuitesFile;
use crate::home::Home;

/// Compares with a run or a branch; without `against` with what the run was to be compared with, or else as [`Baselines`] says.
///
/// # Errors
/// An unknown run or branch, a run beside itself; lists of tests that cannot be read.
pub fn compare(
    home: &Home,
    run: &str,
    against: Option<&str>,
) -> Result<(Loaded, Triage), AppError> {
    let mut now = reading::find(home, run)?;
    let root = home.root();
    let empty = SuitesFile::default();
    let file = home.config.as_ref().map_or(&empty, |c| &c.suites);
    // What it was held against when it ran, if somebody named that.
    let named = against.or(now.summary.diff_from.as_deref());
    let against = named.map(|what| Against::find(home, what)).transpose()?;
    let baselines = Baselines::of(home, against.as_ref(), &now.summary, now.record)?;
    let mine = rows(&now)?;
    let own: BTreeMap<&str, Vec<(TestId, Entry)>> = mine
        .iter()
        .map(|(name, rows)| {
            let tests = rows.iter().map(|row| (row.test.clone(), row.entry()));
            (name.as_str(), tests.collect())
        })
        .collect();
    let held = Held::of(&now.summary, Some(&baselines), &own);
    now.summary.diff_from = against.map(|against| against.name());
    let beside = Beside {
        root: &root,
        file,
        seed: None,
        env: BTreeMap::new(),
        os: String::new(),
        tools: BTreeMap::new(),
        vcr_mode: None,
        against: None,
        program: running::program(home),
    };
    let triage = document(&now.summary, held, &beside.program, &|target, test| {
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

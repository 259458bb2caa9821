//! Reports and traces of a project, whose tests and files are named from the project on: the same ones wherever it lies.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use gonogo_core::Timestamp;
use gonogo_suite::located::Locator;
use gonogo_suite::read::Rooted;
use gonogo_suite::run::{Input, LogFailure, Row};
use gonogo_suite::{Format, IssueKind, Limits, Tally};

use super::analysing::ProjectFiles;
use super::one::{COARSE_MS, word_of};
use crate::AppError;

/// Says of failures which files of the project they are in, as far as reports and traces of a target in `dir` show it.
pub(super) fn locate(root: &Path, dir: &str, rows: &mut [Row]) {
    let real = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let roots = [root.to_string_lossy(), real.to_string_lossy()];
    let files = ProjectFiles(root);
    let mut locator = Locator::new(dir, &[&*roots[0], &*roots[1]], &files);
    rows.iter_mut().for_each(|row| locator.locate(row));
}

/// The same of the failure that a target's log shows.
pub(super) fn locate_shown(root: &Path, dir: &str, shown: &mut LogFailure) {
    let mut rows = [shown.row("", "(build)")];
    locate(root, dir, &mut rows);
    let [row] = rows;
    if let Some(failure) = row.failure {
        shown.found.failure = failure;
    }
}

/// How far clocks may be apart, milliseconds: as a policy has it that says nothing of it.
pub(crate) const SKEW_MS: i64 = 300_000;

/// When what wrote a report ran, milliseconds since 1970; a bound that is not known is not looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ran {
    pub since: Option<i64>,
    pub until: Option<i64>,
}

/// Reads a report of a run's directory: its path there, and where it was. What it names below `root`, the project, is named from
/// there on: a test is the same one wherever its project lies. Where by its own times it, or a suite of it, is of before `ran`, its results
/// are cached ones; where it is of after it, its times are wrong.
///
/// # Errors
/// It cannot be opened.
pub(super) fn read_report(
    dir: &Path,
    (path, from): (&str, Option<String>),
    root: &Path,
    format: Format,
    ran: Ran,
    tally: &mut Tally,
) -> Result<Input, AppError> {
    let file = dir.join(path);
    let (bytes, sha256) = crate::dry_run::keeping::digest(&file)?;
    let opened = File::open(&file).map_err(|e| AppError::io("read", &file, &e))?;
    let mut source = BufReader::with_capacity(1 << 18, opened);
    // Runners name files as they are, without the links that led there.
    let real = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let roots = [root.to_string_lossy(), real.to_string_lossy()];
    let is_there = |path: &str| root.join(path).is_file();
    let rooted = Rooted::any(&[&*roots[0], &*roots[1]], tally);
    let mut rooted = rooted.or_wherever(&is_there);
    let limits = Limits::default();
    let mut reading = gonogo_suite::read::read(format, &mut source, &limits, &mut rooted);
    // A file can be put where a report belongs; what it says itself is older then.
    if let Some(since) = ran.since {
        let is_old = |began: &i64| *began < since - COARSE_MS;
        let old = if let Some(began) = reading.began_ms.filter(is_old) {
            Some(("nothing in it began after", began))
        } else {
            let oldest = reading.oldest_ms.filter(is_old);
            oldest.map(|began| ("a suite of it began not after", began))
        };
        if let Some((what, began)) = old {
            tally.cached();
            let at = Timestamp::from_millis(began);
            let text = format!("by its own times {what} {at}, before the run did");
            reading.tell(&limits, IssueKind::OddValue, 0, text);
        }
    }
    if let (Some(ahead), Some(until)) = (reading.ahead_ms, ran.until)
        && ahead > until.saturating_add(SKEW_MS)
    {
        let at = Timestamp::from_millis(ahead);
        let text = format!("by its own times something in it began at {at}, after the run ended");
        reading.tell(&limits, IssueKind::Ahead, 0, text);
    }
    Ok(Input {
        path: path.to_owned(),
        from,
        resolved: None,
        sha256,
        bytes,
        format: word_of(format),
        parse: reading.parse,
        declared: reading.declared,
        attempts: reading.seen.attempts,
        issues: reading.issues,
        issues_omitted: reading.issues_omitted,
    })
}

#[cfg(test)]
mod tests {
    use gonogo_suite::TestId;

    use super::*;

    /// A report that Vitest wrote, as of a project in this directory; and the ids of its tests.
    fn ids(root: &Path) -> Vec<TestId> {
        let report = include_str!("../../../suite/tests/reports/vitest/all.json");
        let shown = root.canonicalize().unwrap();
        let text = report.replace("/src/vt/", &format!("{}/web/", shown.display()));
        assert_ne!(text, report);
        std::fs::write(root.join("report.json"), text).unwrap();
        let mut tally = Tally::default();
        read_report(
            root,
            ("report.json", None),
            root,
            Format::Jest,
            Ran::default(),
            &mut tally,
        )
        .unwrap();
        let rows = tally.into_rows("unit", &[]);
        let places = rows
            .iter()
            .filter_map(|row| row.failure.as_ref()?.location.as_ref());
        let mut places = places.map(|place| place.file.as_str()).peekable();
        assert!(places.peek().is_some() && places.all(|file| file.starts_with("web/")));
        rows.into_iter().map(|row| row.test).collect()
    }

    #[test]
    fn a_test_is_the_same_one_wherever_its_project_lies() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let link = two.path().join("link");
        let real = two.path().join("real");
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let ids = [ids(one.path()), ids(&link)];
        assert_eq!(ids[0], ids[1]);
        assert!(
            ids[0].iter().all(|id| id.suite.starts_with("web/")),
            "{ids:?}"
        );
    }

    /// mocha's `xunit` reporter dates its reports as e-mails are.
    #[test]
    fn a_report_of_another_day_is_cached_whatever_the_form_of_its_date() {
        let dir = tempfile::tempdir().unwrap();
        let cached = |time: &str| {
            let text = format!(
                r#"<testsuite name="s" tests="1" timestamp="{time}"><testcase name="a"/></testsuite>"#
            );
            std::fs::write(dir.path().join("r.xml"), text).unwrap();
            let ran = Ran {
                since: Some(1_795_373_000_000),
                until: Some(1_795_373_010_000),
            };
            let mut tally = Tally::default();
            let place = ("r.xml", None);
            let root = dir.path();
            let input = read_report(root, place, root, Format::Junit, ran, &mut tally).unwrap();
            let told = input
                .issues
                .iter()
                .any(|issue| issue.kind.reason().is_some());
            (tally.into_rows("t", &[])[0].cached, told)
        };
        assert_eq!(cached("Sun, 22 Nov 2026 18:43:25 GMT"), (false, false));
        assert_eq!(cached("Sun, 22 Nov 2020 18:43:25 GMT"), (true, false));
        assert_eq!(cached("22/11/2020 18:43"), (false, true));
    }
}

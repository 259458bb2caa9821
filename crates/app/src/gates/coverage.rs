//! Coverage reports that gates name, measured over the files of the tree.
//!
//! A report is of the tree under judgement only as an output that a recorded run of it kept (`run:SUITE/PATH`). A file that lies in the
//! project may be of any tree, and nobody says of which: it is read, and only a gate that admits any tree takes it. When it was written is
//! what it says itself, or the run's time; one that a run kept and that says that it was written before or behind that run is not of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gonogo_core::Reason;
use gonogo_gate::coverage::{self, Globs, Modules, Paths, Report, beyond, code_lines, measure};
use gonogo_gate::inputs::{Coverage, FileState, Found, PolicyFile};
use gonogo_gate::policy::{Check, Policy};
use gonogo_gate::rubric::Rubric;

use gonogo_suite::Summary;
use gonogo_suite::run::Problem;

use super::compared::Recorded;
use super::{documents, sources};
use crate::suite::one::COARSE_MS;
use crate::suite::placed::SKEW_MS;

/// Most notes of one report.
const NOTES: usize = 50;

/// What all gates together want of a report.
#[derive(Default)]
struct Wanted {
    modules: BTreeMap<String, Globs>,
    paths: Option<Paths>,
    /// Why it cannot be measured for all of them.
    fault: Option<String>,
}

impl Wanted {
    fn take(&mut self, modules: &BTreeMap<String, Globs>, paths: &Paths) {
        for (name, globs) in modules {
            let known = self.modules.insert(name.clone(), globs.clone());
            if known.is_some_and(|known| known != *globs) {
                self.fault = Some(format!(
                    "two gates say that the module `{name}` has different files"
                ));
            }
        }
        if self.paths.as_ref().is_some_and(|known| known != paths) {
            self.fault = Some("two gates read its paths in different ways".to_owned());
        }
        self.paths = Some(paths.clone());
    }
}

/// Every report that the policy names.
pub fn found(
    root: &Path,
    policy: &Policy,
    rules: &BTreeMap<String, PolicyFile>,
    files: &BTreeSet<String>,
    runs: &[&Recorded],
) -> BTreeMap<String, Found<Coverage>> {
    let mut wanted: BTreeMap<&str, Wanted> = BTreeMap::new();
    for gate in &policy.gates {
        match &gate.check {
            Check::Coverage {
                report,
                modules,
                paths,
                ..
            } => wanted.entry(report).or_default().take(modules, paths),
            Check::Rubric { check, .. } => {
                let text = match rules.get(&check.rubric).map(|file| &file.state) {
                    Some(FileState::Text { text }) => text.as_str(),
                    _ => "",
                };
                // A rubric that cannot be read is the judge's to tell.
                let modules = Rubric::parse(text).map(|r| r.globs()).unwrap_or_default();
                let own = wanted.entry(&check.report).or_default();
                own.take(&modules, &check.paths);
            }
            _ => {}
        }
    }
    let each = |(name, wanted): (&str, Wanted)| {
        let found = one(root, name, wanted, files, runs);
        (name.to_owned(), found)
    };
    wanted.into_iter().map(each).collect()
}

fn one(
    root: &Path,
    name: &str,
    wanted: Wanted,
    files: &BTreeSet<String>,
    runs: &[&Recorded],
) -> Found<Coverage> {
    let (value, mut origin) = match documents::bytes(root, name, runs) {
        Found::Absent => return Found::Absent,
        Found::Unreadable { why, digest } => return Found::Unreadable { why, digest },
        Found::Present { value, origin } => (value, origin),
    };
    let unreadable = |why: String| Found::Unreadable {
        why,
        digest: Some(origin.digest),
    };
    if let Some(why) = wanted.fault {
        return unreadable(why);
    }
    let report = match coverage::read(&value, None) {
        Ok(report) => report,
        Err(e) => return unreadable(e.to_string()),
    };
    let modules = match Modules::new(&wanted.modules) {
        Ok(modules) => modules,
        Err(e) => return unreadable(e.to_string()),
    };
    let [listing, lengths] = match listing(root, &report, &modules, files) {
        Ok(both) => both,
        Err(why) => return unreadable(why),
    };
    let mut paths = wanted.paths.unwrap_or_default();
    // Tools that were run here name files from the root of the machine.
    if let Some(here) = root.canonicalize().ok().as_deref().and_then(Path::to_str) {
        paths.strip.push(here.to_owned());
    }
    if origin.at.is_none() {
        origin.at = report.at;
    }
    let run = runs.iter().find(|run| Some(run.index) == origin.record);
    let problems = run.and_then(|run| untimely(&report, &run.summary));
    if let Some(why) = beyond(&report, &lengths, &paths) {
        return unreadable(why);
    }
    let measured = measure(&report, &modules, &listing, &paths);
    let mut notes: Vec<String> = measured.notes.into_iter().map(|n| n.text).collect();
    let omitted = notes.len().saturating_sub(NOTES) as u64 + report.notes_omitted;
    notes.truncate(NOTES);
    if omitted > 0 {
        notes.push(format!("{omitted} more"));
    }
    let mut coverage = measured.coverage;
    coverage.notes = notes;
    coverage.problems = problems.into_iter().collect();
    Found::Present {
        value: coverage,
        origin,
    }
}

/// What is wrong with a report that by its own word was not written while the run was made that kept it.
fn untimely(report: &Report, run: &Summary) -> Option<Problem> {
    let (early, late) = report.made?;
    if late.as_millis() < run.started_at.as_millis() - COARSE_MS {
        let text = format!(
            "by its own time it was written at {late} at the latest, and the run `{}` began at {}",
            run.run_id, run.started_at
        );
        return Some(Problem::new(Reason::EvidenceCachedOnly, text));
    }
    (early.as_millis() > run.timestamp.as_millis().saturating_add(SKEW_MS)).then(|| {
        let text = format!(
            "by its own time it was written at {early}, and the run `{}` ended at {}",
            run.run_id, run.timestamp
        );
        Problem::new(Reason::ClockSkew, text)
    })
}

/// The files of the tree, and how many lines a report should know of each: those of a module, in a language that the report measures; and
/// how many lines these have in all.
fn listing(
    root: &Path,
    report: &Report,
    modules: &Modules,
    files: &BTreeSet<String>,
) -> Result<[BTreeMap<String, u64>; 2], String> {
    let ending = |path: &str| path.rsplit_once('.').map(|(_, ending)| ending.to_owned());
    let measured: BTreeSet<String> = report
        .files()
        .filter_map(|(name, _)| ending(name))
        .collect();
    let (mut listing, mut lengths) = (BTreeMap::new(), BTreeMap::new());
    for file in files {
        let is_measured = ending(file).is_some_and(|e| measured.contains(&e));
        let lines = match is_measured && modules.of(file).next().is_some() {
            false => 0,
            true => {
                let bytes = sources::one(root, file)?;
                let text = String::from_utf8_lossy(&bytes);
                lengths.insert(file.clone(), text.lines().count() as u64);
                code_lines(&text)
            }
        };
        listing.insert(file.clone(), lines);
    }
    Ok([listing, lengths])
}

//! The checks.

use std::collections::BTreeSet;

use gonogo_core::Verdict;

use super::{Check, Contract, Kept, Lines, Of, SCHEMA, Seen, Status, TOLD, Target};
use crate::run::State;
use crate::{Summary, TargetResult};

/// Most records of a file of events that the runner writes.
pub const MOST_RECORDS: u64 = 25_000;

/// Most bytes of such a file.
pub const MOST_BYTES: u64 = 16 << 20;

/// Bytes of what a target printed from which it is told: it is the project's, and no fault of the evidence.
pub const LARGEST_LOG: u64 = 8 << 20;

/// A timeline's name.
const TIMELINE: &str = "failure_timeline.jsonl";

/// Gathers checks.
struct Checks<'a> {
    summary: &'a Summary,
    seen: &'a Seen,
    all: Vec<Check>,
    hints: BTreeSet<&'static str>,
}

impl Checks<'_> {
    fn check(&mut self, id: &str, path: &str, found: Vec<String>, hint: &'static str) {
        if !found.is_empty() {
            self.hints.insert(hint);
        }
        let more = found.len().saturating_sub(TOLD);
        let mut told: Vec<String> = found.into_iter().take(TOLD).collect();
        let ok = told.is_empty();
        if more > 0 {
            told.push(format!("and {more} more"));
        }
        self.all.push(Check {
            id: id.to_owned(),
            path: path.to_owned(),
            ok,
            diagnostics: told,
        });
    }
}

const AGAIN: &str = "Something changed the run's files while it ran: keep suites from writing below the artifacts' directory; run again.";
const OWN: &str = "The runner contradicts itself: keep the run's directory and report it.";
const SECRET: &str = "A secret was kept: change it, remove the run's directory, and add a `[suite] redact` pattern for its form.";
const SCOPE: &str = "Keep `gonogo.toml` still while a run goes on; run the whole profile again.";

/// Judges what was read back. `summary` is what the run came to, without what this contract adds to it.
pub fn judge(summary: &Summary, seen: &Seen) -> Contract {
    let mut checks = Checks {
        summary,
        seen,
        all: Vec::new(),
        hints: BTreeSet::new(),
    };
    whole(&mut checks);
    documents(&mut checks);
    for target in summary.targets() {
        of_target(&mut checks, target);
    }
    diagnostics(&mut checks);
    secrets(&mut checks);
    let errors: Vec<String> = checks
        .all
        .iter()
        .filter(|check| !check.ok)
        .map(|check| format!("{}: {}: {}", check.id, check.path, check.diagnostics[0]))
        .collect();
    Contract {
        schema: SCHEMA.into(),
        run_id: summary.run_id.clone(),
        profile: summary.profile.clone(),
        artifact_dir: summary.artifact_dir.clone(),
        correlation_id: summary.correlation_id.clone(),
        status: match errors.is_empty() {
            true => Status::Pass,
            false => Status::Fail,
        },
        strict_conformance: seen.declared.is_some(),
        errors,
        warnings: warnings(summary, seen),
        remediation_hints: checks.hints.iter().map(|h| (*h).to_owned()).collect(),
        checks: checks.all,
    }
}

fn whole(checks: &mut Checks<'_>) {
    let (summary, seen) = (checks.summary, checks.seen);
    let found = summary.check().into_iter().map(|p| p.text).collect();
    checks.check("summary.consistent", "summary.json", found, OWN);
    let mut found = Vec::new();
    if summary.run_id.is_empty() || summary.correlation_id.is_empty() {
        found.push("it has no id".to_owned());
    }
    if summary.source.tree.is_empty() {
        found.push("it names no tree".to_owned());
    }
    if summary.state != State::Crashed && summary.source.tree_after.is_none() {
        found.push("nobody looked at the tree behind the run".to_owned());
    }
    checks.check("summary.identity", "summary.json", found, OWN);
    let has: BTreeSet<&str> = summary.selected.iter().map(String::as_str).collect();
    let dirs: BTreeSet<&str> = seen.targets.keys().map(String::as_str).collect();
    let mut found: Vec<String> = has
        .difference(&dirs)
        .map(|name| format!("`{name}` was selected and has no directory"))
        .collect();
    let foreign = dirs.difference(&has);
    found.extend(foreign.map(|name| format!("`{name}` has a directory and was not selected")));
    checks.check("run.targets", ".", found, AGAIN);
    if let Some(declared) = &seen.declared {
        let gone = declared.iter().filter(|name| !has.contains(name.as_str()));
        let mut found: Vec<String> = gone
            .map(|name| format!("`{name}` belongs to the profile and was not run"))
            .collect();
        let more = has.iter().filter(|name| !declared.contains(**name));
        found.extend(more.map(|name| format!("`{name}` does not belong to the profile")));
        checks.check("profile.scope", "summary.json", found, SCOPE);
    }
}

fn documents(checks: &mut Checks<'_>) {
    let (summary, seen) = (checks.summary, checks.seen);
    for name in seen.of.documents() {
        let found = match seen.documents.contains_key(*name) {
            true => Vec::new(),
            false => vec!["it is not there".to_owned()],
        };
        checks.check("run.artifact", name, found, AGAIN);
    }
    for (path, document) in &seen.documents {
        let mut found: Vec<String> = document.fault.iter().cloned().collect();
        if found.is_empty() {
            let is_ours = document
                .schema
                .as_ref()
                .is_some_and(|s| s.starts_with("gonogo."));
            if !is_ours {
                let own = document.schema.as_ref();
                let own = own.map_or("none".to_owned(), |s| format!("`{s}`"));
                found.push(format!("its schema is {own}"));
            }
            found.extend(of_this(&document.correlation_id, &summary.correlation_id));
            let run = document.run_id.as_ref().filter(|id| **id != summary.run_id);
            found.extend(run.map(|id| format!("it names the run `{id}`")));
        }
        checks.check("run.document", path, found, AGAIN);
    }
    for (path, lines) in &seen.lines {
        // What a shard left of its targets has the shard's ids.
        let is_copy = seen.of == Of::Merge && path.contains('/') && !path.ends_with(TIMELINE);
        let mut found = of_lines(lines, summary, path, is_copy);
        let twin = path.replace(".jsonl", ".normalized.jsonl");
        match seen.twins.get(&twin) {
            None => found.push(format!("`{twin}` is not there")),
            Some(records) if *records != lines.records => {
                found.push(format!(
                    "`{twin}` has {records} lines, and it {}",
                    lines.records
                ));
            }
            Some(_) => {}
        }
        checks.check("run.events", path, found, AGAIN);
    }
    let found = match seen.lines.get(TIMELINE) {
        None => vec!["it is not there".to_owned()],
        Some(lines) => complete(lines),
    };
    checks.check("run.timeline", TIMELINE, found, AGAIN);
}

fn of_this(found: &Option<String>, expected: &str) -> Option<String> {
    match found {
        None => Some("it has no correlation id".to_owned()),
        Some(id) if id != expected => Some(format!("its correlation id is `{id}`")),
        Some(_) => None,
    }
}

/// What is wrong with a file of events.
fn of_lines(lines: &Lines, summary: &Summary, path: &str, is_copy: bool) -> Vec<String> {
    let mut found = lines.faults.clone();
    let foreign = |ids: &BTreeSet<String>, own: &str, what: &str| -> Vec<String> {
        let others = ids.iter().filter(|id| *id != own);
        others
            .map(|id| format!("a line has the {what} `{id}`"))
            .collect()
    };
    if !is_copy {
        let (ids, own) = (&lines.correlation_ids, &summary.correlation_id);
        found.extend(foreign(ids, own, "correlation id"));
        found.extend(foreign(&lines.traces, &summary.run_id, "trace id"));
    }
    if lines.records > 0 && lines.correlation_ids.is_empty() && lines.faults.is_empty() {
        found.push("no line has a correlation id".to_owned());
    }
    if lines.schemas.len() > 1 {
        found.push(format!("its lines have {} schemas", lines.schemas.len()));
    }
    found.extend(lines.gap.map(|at| format!("line {at} is not the next")));
    // What a suite kept has as many lines as it kept files; all else is bounded by us.
    if !path.ends_with("artifact-index.jsonl") {
        if lines.records > MOST_RECORDS {
            found.push(format!("{} records: at most {MOST_RECORDS}", lines.records));
        }
        if lines.bytes > MOST_BYTES {
            found.push(format!("{} bytes: at most {MOST_BYTES}", lines.bytes));
        }
    }
    found
}

/// Whether a timeline was written to its end.
fn complete(lines: &Lines) -> Vec<String> {
    match lines.last.as_deref() {
        Some("diagnostics_complete") => Vec::new(),
        _ => vec!["it does not end with `diagnostics_complete`".to_owned()],
    }
}

fn of_target(checks: &mut Checks<'_>, result: &TargetResult) {
    let name = &result.target;
    let id = |what: &str| format!("target.{name}.{what}");
    let empty = Target::default();
    let seen = checks.seen;
    let target = seen.targets.get(name).unwrap_or(&empty);
    let home = result.tests_file.trim_end_matches("tests.jsonl");

    let found = match &target.result {
        None => vec!["it is not there".to_owned()],
        Some(Err(why)) => vec![why.clone()],
        Some(Ok(found)) if found != result => vec!["it is not what the summary has".to_owned()],
        Some(Ok(_)) => Vec::new(),
    };
    checks.check(&id("result"), &format!("{home}result.json"), found, AGAIN);

    let found = match &target.tests {
        None => vec!["it is not there".to_owned()],
        Some(Err(why)) => vec![why.clone()],
        Some(Ok((tests, digest))) => {
            let mut found = Vec::new();
            if *tests != result.tests {
                found.push("its tests are not those that the result counts".to_owned());
            }
            if Some(digest) != result.tests_sha256.as_ref() {
                found.push("its digest is not that of the result".to_owned());
            }
            found
        }
    };
    checks.check(&id("tests"), &result.tests_file, found, AGAIN);

    let log = &result.test_log_jsonl;
    let found = match seen.lines.get(log) {
        None => vec!["it is not there".to_owned()],
        Some(lines) if lines.records == 0 => vec!["it has no line".to_owned()],
        Some(_) => Vec::new(),
    };
    checks.check(&id("log"), log, found, AGAIN);

    // A merged run writes each result anew, under its own id.
    let own = format!("{home}result.json");
    let is_same = |kept: &&Kept| seen.of != Of::Merge || kept.path != own;
    let mut found = kept(target.artifacts.iter().filter(is_same));
    if target.artifacts.is_empty() {
        found.push("it lists nothing".to_owned());
    }
    for name in [&result.tests_file, &result.test_log_jsonl] {
        if !target.artifacts.iter().any(|kept| kept.path == **name) {
            found.push(format!("it does not list `{name}`"));
        }
    }
    let index = &result.artifact_index_jsonl;
    checks.check(&id("artifacts"), index, found, AGAIN);

    let read = kept(target.inputs.iter());
    checks.check(&id("reports"), home.trim_end_matches('/'), read, AGAIN);
    failed(checks, result, target);
}

/// Files that are not as they are listed.
fn kept<'a>(files: impl Iterator<Item = &'a Kept>) -> Vec<String> {
    files
        .filter_map(|file| match (&file.listed, &file.there) {
            (_, None) => Some(format!("`{}` is not there", file.path)),
            (None, _) => Some(format!("`{}` is listed without a digest", file.path)),
            (Some(listed), Some(there)) if listed != there => {
                Some(format!("`{}` was changed", file.path))
            }
            _ => None,
        })
        .collect()
}

fn failed(checks: &mut Checks<'_>, result: &TargetResult, target: &Target) {
    let name = &result.target;
    let seen = checks.seen;
    let home = result.tests_file.trim_end_matches("tests.jsonl");
    let path = format!("{home}failure_digest.json");
    let is_bad = result.status != Verdict::Pass;
    let mut found = Vec::new();
    match (&target.digest, is_bad) {
        (None, true) => found.push("it is not good and has no digest".to_owned()),
        (Some(_), false) => found.push("it is good and has a digest".to_owned()),
        (Some(Err(why)), true) => found.push(why.clone()),
        (None, false) => {}
        (Some(Ok(digest)), true) => {
            if digest.suite != *name {
                found.push(format!("it is of `{}`", digest.suite));
            }
            let gone = digest.missing.iter();
            found.extend(gone.map(|path| format!("`{path}` is not there")));
            match seen.lines.get(&digest.timeline) {
                None => found.push(format!("`{}` is not there", digest.timeline)),
                Some(lines) => {
                    if lines.records != digest.events {
                        let text = format!(
                            "it counts {} events, and `{}` has {}",
                            digest.events, digest.timeline, lines.records
                        );
                        found.push(text);
                    }
                    found.extend(complete(lines));
                }
            }
        }
    }
    checks.check(&format!("target.{name}.digest"), &path, found, AGAIN);
}

fn diagnostics(checks: &mut Checks<'_>) {
    let (summary, seen) = (checks.summary, checks.seen);
    let path = "failure_diagnostics_index.json";
    let mut found = Vec::new();
    match &seen.diagnostics {
        None => found.push("it is not there".to_owned()),
        Some(Err(why)) => found.push(why.clone()),
        Some(Ok(index)) => {
            if index.count != index.suites.len() as u64 {
                let text = format!("it counts {} and has {}", index.count, index.suites.len());
                found.push(text);
            }
            let twice = index.twice.iter();
            found.extend(twice.map(|name| format!("`{name}` stands there twice")));
            let bad: BTreeSet<&str> = summary
                .targets()
                .filter(|t| t.status != Verdict::Pass)
                .map(|t| t.target.as_str())
                .collect();
            let listed: BTreeSet<&str> = index.suites.keys().map(String::as_str).collect();
            for name in bad.difference(&listed) {
                found.push(format!("`{name}` is not good and stands not there"));
            }
            for name in listed.difference(&bad) {
                found.push(format!("`{name}` is good and stands there"));
            }
            for (name, (digest, timeline, class)) in &index.suites {
                let own = seen.targets.get(name).and_then(|t| t.digest.as_ref());
                if let Some(Ok(own)) = own
                    && (own.timeline != *timeline || own.class != *class)
                {
                    found.push(format!("`{name}`: it says other things than the digest"));
                }
                if !seen.documents.contains_key(digest) {
                    found.push(format!("`{digest}` is not there"));
                }
            }
        }
    }
    checks.check("failure_diagnostics.index", path, found, AGAIN);
}

fn secrets(checks: &mut Checks<'_>) {
    let seen = checks.seen;
    let leaks = seen.leaks.iter();
    let mut found: Vec<String> = leaks
        .map(|(path, lines)| format!("`{path}` has {lines} lines with what looks like a secret"))
        .collect();
    let unsearched = seen.unsearched.iter();
    found.extend(unsearched.map(|(path, why)| format!("`{path}` cannot be looked through: {why}")));
    checks.check("secrets.none_left", ".", found, SECRET);
}

fn warnings(summary: &Summary, seen: &Seen) -> Vec<String> {
    let mut warnings = Vec::new();
    for (path, bytes) in seen.logs.iter().filter(|(_, bytes)| **bytes > LARGEST_LOG) {
        warnings.push(format!(
            "`{path}` has {bytes} bytes: quieter suites are read sooner"
        ));
    }
    for target in summary.targets().filter(|t| t.status != Verdict::Pass) {
        let by_file = match &seen.diagnostics {
            Some(Ok(told)) => told.owned.contains(&target.target),
            _ => false,
        };
        let by_row = target.bad.iter().any(|row| row.owner.is_some());
        let owned = target.owner.is_some() || by_row || by_file;
        if !owned {
            warnings.push(format!(
                "`{}` is not good, and nobody owns it",
                target.target
            ));
        }
    }
    warnings.extend(seen.notes.iter().cloned());
    warnings
}

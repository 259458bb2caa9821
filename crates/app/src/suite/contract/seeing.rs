//! A run's directory, read back for the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use gonogo_core::Digest;
use gonogo_suite::contract::{Diagnostics, Digested, Document, FILE, Kept, Lines, Seen, Target};
use gonogo_suite::redact::Within;
use gonogo_suite::run::{Class, Tests};
use gonogo_suite::{Summary, TargetResult};
use serde::Deserialize;
use serde_json::Value;

use crate::AppError;
use crate::suite::artifacts::{FILES, Files, RunDir, kept};
use crate::suite::reading;
use crate::suite::running::MARK;
use crate::suite::sharding::PLAN;

/// Most bytes of a line that are looked at.
const LINE: u64 = 1 << 20;

/// Most ids and faults that are kept of one file.
const FEW: usize = 5;

/// What stands at the head of our documents.
#[derive(Debug, Default, Deserialize)]
struct Head {
    schema: Option<String>,
    correlation_id: Option<String>,
    ci_correlation_id: Option<String>,
    run_id: Option<String>,
}

/// Reads a directory back; only what `files` lists, if they are given.
///
/// # Errors
/// The directory itself cannot be read. What is wrong with a file in it is a finding.
pub(in crate::suite) fn see(
    dir: &RunDir,
    summary: &Summary,
    files: Option<&Files>,
) -> Result<Seen, AppError> {
    let there: BTreeMap<String, Digest> = kept(&dir.path, &[FILES, MARK])?
        .into_iter()
        .filter(|file| files.is_none_or(|f| f.files.iter().any(|l| l.path == file.path)))
        .map(|file| (file.path, file.sha256))
        .collect();
    let mut seen = Seen::default();
    // What shards left was looked at by their own contracts.
    for path in there.keys().filter(|path| !path.starts_with("shards/")) {
        // Later other variables are secret, and words of a log may be their values.
        let leaks = match files {
            None => leaks(dir, path),
            Some(_) => Ok(0),
        };
        match leaks {
            Ok(0) => {}
            Ok(lines) => {
                seen.leaks.insert(path.clone(), lines);
            }
            Err(e) => {
                seen.unsearched.insert(path.clone(), e.to_string());
            }
        }
        let is_foreign = path.contains("/reports/") || path.contains("/outputs/");
        let is_twin = path.ends_with(".normalized.jsonl");
        let at = dir.at(path);
        if is_foreign || path == PLAN || (files.is_none() && is_last(path)) {
        } else if is_twin {
            seen.twins.insert(path.clone(), count(&at));
        } else if path.ends_with(".json") {
            seen.documents.insert(path.clone(), document(&at));
        } else if path.ends_with(".jsonl") && !path.ends_with("/tests.jsonl") {
            seen.lines.insert(path.clone(), lines(&at));
        } else if path.ends_with(".log") {
            let bytes = std::fs::metadata(&at).map_or(0, |m| m.len());
            seen.logs.insert(path.clone(), bytes);
        }
    }
    for class in Class::ALL {
        let Ok(entries) = std::fs::read_dir(dir.at(class.word())) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let home = format!("{}/{name}", class.word());
            let target = target(dir, &home, summary, &there);
            seen.targets.insert(name, target);
        }
    }
    let index = "failure_diagnostics_index.json";
    if there.contains_key(index) {
        seen.diagnostics = Some(value(&dir.at(index)).map(|value| diagnostics(&value)));
    }
    Ok(seen)
}

/// The documents that are written last, and look like a stale run's until then.
fn is_last(path: &str) -> bool {
    ["summary.json", "runner_outcome.json", FILE].contains(&path)
}

/// Lines of a file, or texts of one of our documents, from which something would be taken out.
fn leaks(dir: &RunDir, path: &str) -> std::io::Result<u64> {
    let is_foreign = path.contains("/reports/") || path.contains("/outputs/");
    if path.ends_with(".json")
        && !is_foreign
        && let Ok(mut value) = value(&dir.at(path))
    {
        return Ok(dir.clean_value("", &mut value));
    }
    let is_lines = path.ends_with(".jsonl") && !is_foreign;
    let mut source = BufReader::with_capacity(1 << 18, File::open(dir.at(path))?);
    let (mut line, mut count) = (Vec::new(), 0);
    let mut within = Within::default();
    loop {
        line.clear();
        if (&mut source).take(LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(count);
        }
        if is_lines && let Ok(mut value) = serde_json::from_slice::<Value>(&line) {
            count += u64::from(dir.clean_value("", &mut value) > 0);
            continue;
        }
        let before = within.taken;
        dir.look(&line, &mut within);
        count += u64::from(within.taken > before);
    }
}

fn document(path: &Path) -> Document {
    let read = || -> Result<Head, String> {
        let file = File::open(path).map_err(|e| e.to_string())?;
        serde_json::from_reader(BufReader::new(file)).map_err(|e| e.to_string())
    };
    match read() {
        Err(why) => Document {
            fault: Some(why),
            ..Document::default()
        },
        Ok(head) => Document {
            fault: None,
            schema: head.schema,
            correlation_id: head.correlation_id.or(head.ci_correlation_id),
            run_id: head.run_id,
        },
    }
}

/// Whole lines of a file; none of one that cannot be read.
fn count(path: &Path) -> u64 {
    let Ok(file) = File::open(path) else { return 0 };
    let mut source = BufReader::with_capacity(1 << 18, file);
    let mut count = 0;
    while source.skip_until(b'\n').is_ok_and(|read| read > 0) {
        count += 1;
    }
    count
}

/// What a line of events says of itself.
#[derive(Debug, Default, Deserialize)]
struct Line {
    schema: Option<String>,
    correlation_id: Option<String>,
    ci_correlation_id: Option<String>,
    trace_id: Option<String>,
    seq: Option<u64>,
    ordinal: Option<u64>,
    event_type: Option<String>,
}

fn lines(path: &Path) -> Lines {
    let mut found = Lines::default();
    let Err(e) = gather(path, &mut found) else {
        return found;
    };
    found.faults.push(e.to_string());
    found
}

fn gather(path: &Path, found: &mut Lines) -> std::io::Result<()> {
    let mut source = BufReader::with_capacity(1 << 18, File::open(path)?);
    let mut line = Vec::new();
    let few = |set: &mut BTreeSet<String>, value: Option<String>| {
        if let Some(value) = value.filter(|_| set.len() < FEW) {
            set.insert(value);
        }
    };
    loop {
        line.clear();
        let read = (&mut source).take(LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        found.bytes += read as u64;
        found.records += 1;
        let of: Line = match serde_json::from_slice(&line) {
            Ok(of) => of,
            Err(e) => {
                if found.faults.len() < FEW {
                    found.faults.push(format!("line {}: {e}", found.records));
                }
                continue;
            }
        };
        if of.seq.or(of.ordinal) != Some(found.records) {
            found.gap.get_or_insert(found.records);
        }
        few(&mut found.schemas, of.schema);
        few(
            &mut found.correlation_ids,
            of.correlation_id.or(of.ci_correlation_id),
        );
        few(&mut found.traces, of.trace_id);
        found.last = of.event_type;
    }
}

fn target(dir: &RunDir, home: &str, summary: &Summary, there: &BTreeMap<String, Digest>) -> Target {
    let name = home.rsplit('/').next().unwrap_or_default();
    let listed = |path: &str, listed: Option<Digest>| Kept {
        path: path.to_owned(),
        listed,
        there: there.get(path).copied(),
    };
    let result = there
        .contains_key(&format!("{home}/result.json"))
        .then(|| typed::<TargetResult>(&dir.at(&format!("{home}/result.json"))));
    let known = summary.targets().find(|t| t.target == name);
    let inputs = known.into_iter().flat_map(|t| &t.inputs);
    Target {
        result,
        tests: tests(dir, home, name, there),
        artifacts: artifacts(&dir.at(&format!("{home}/artifact-index.jsonl")))
            .into_iter()
            .map(|(path, digest)| listed(&path, digest))
            .collect(),
        inputs: inputs.map(|i| listed(&i.path, Some(i.sha256))).collect(),
        digest: digested(dir, home, there),
    }
}

fn tests(
    dir: &RunDir,
    home: &str,
    name: &str,
    there: &BTreeMap<String, Digest>,
) -> Option<Result<(Tests, Digest), String>> {
    let path = format!("{home}/tests.jsonl");
    let digest = *there.get(&path)?;
    let (mut tests, mut foreign) = (Tests::default(), None);
    let read = reading::rows_of(&dir.at(&path), |row| {
        tests.add(row.verdict, row.cached);
        if row.target != name {
            foreign.get_or_insert(row.target);
        }
    });
    Some(match (read, foreign) {
        (Err(e), _) => Err(e.to_string()),
        (Ok(()), Some(other)) => Err(format!("it has tests of `{other}`")),
        (Ok(()), None) => Ok((tests, digest)),
    })
}

/// What the list of a target's files says: path and digest. A list that cannot be read lists nothing.
fn artifacts(path: &Path) -> Vec<(String, Option<Digest>)> {
    #[derive(Deserialize)]
    struct Entry {
        path: String,
        sha256: Option<Digest>,
    }
    let Ok(file) = File::open(path) else {
        return Vec::new();
    };
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    let entries = lines.filter_map(|line| serde_json::from_str::<Entry>(&line).ok());
    entries.map(|e| (e.path, e.sha256)).collect()
}

fn digested(
    dir: &RunDir,
    home: &str,
    there: &BTreeMap<String, Digest>,
) -> Option<Result<Digested, String>> {
    let path = format!("{home}/failure_digest.json");
    there.get(&path)?;
    Some(value(&dir.at(&path)).map(|value| {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let paths = value["artifact_paths"].as_object();
        let paths = paths.into_iter().flatten();
        // The summary is written after this.
        let missing = paths
            .filter(|(key, _)| *key != "runner_summary_json")
            .map(|(_, path)| word(path))
            .filter(|path| !there.contains_key(path))
            .collect();
        Digested {
            suite: word(&value["suite"]),
            timeline: word(&value["timeline"]["path"]),
            events: value["timeline"]["event_count"]
                .as_u64()
                .unwrap_or(u64::MAX),
            missing,
            class: word(&value["root_cause_class"]),
        }
    }))
}

fn diagnostics(value: &Value) -> Diagnostics {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found = Diagnostics {
        count: value["failed_suite_count"].as_u64().unwrap_or(u64::MAX),
        ..Diagnostics::default()
    };
    for suite in value["suites"].as_array().into_iter().flatten() {
        let name = word(&suite["suite"]);
        let of = (
            word(&suite["digest_path"]),
            word(&suite["timeline_path"]),
            word(&suite["root_cause_class"]),
        );
        if !suite["owner"].is_null() {
            found.owned.insert(name.clone());
        }
        if found.suites.insert(name.clone(), of).is_some() {
            found.twice.push(name);
        }
    }
    found
}

fn value(path: &Path) -> Result<Value, String> {
    typed(path)
}

fn typed<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    serde_json::from_slice(&bytes).map_err(|e| e.to_string())
}

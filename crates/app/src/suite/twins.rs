//! `*.normalized.jsonl`: a twin of each file of events in which times, ids and directories are placeholders, so that two runs that went the
//! same way have the same bytes.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use gonogo_suite::Summary;
use gonogo_suite::run::Class;
use gonogo_suite::timeline::twin_json;

use super::artifacts::RunDir;
use super::history::EVENTS;
use super::retrying::DIR;
use crate::AppError;

/// Most bytes of a line.
const LINE: u64 = 1 << 20;

/// The twin of a file of events.
pub(super) fn twin_of(path: &str) -> String {
    path.replace(".jsonl", ".normalized.jsonl")
}

/// Writes the twin of every file of events of a run. `root` is the project's directory.
///
/// # Errors
/// A file that cannot be read or written.
pub(super) fn write(dir: &RunDir, summary: &Summary, root: &Path) -> Result<(), AppError> {
    let own = dir.path.display().to_string();
    let root = root.display().to_string();
    let mut names = vec![
        (own.as_str(), "<artifacts>"),
        (summary.artifact_dir.as_str(), "<artifacts>"),
        (root.as_str(), "<root>"),
        (summary.run_id.as_str(), "<run>"),
        (summary.correlation_id.as_str(), "<correlation>"),
    ];
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    let mut paths = vec!["failure_timeline.jsonl".to_owned(), EVENTS.to_owned()];
    paths.extend(retried(dir)?);
    for target in summary.targets() {
        let home = target.tests_file.trim_end_matches("tests.jsonl");
        paths.push(target.test_log_jsonl.clone());
        paths.push(target.artifact_index_jsonl.clone());
        paths.push(format!("{home}failure_timeline.jsonl"));
    }
    // A target that is good has no timeline.
    for path in paths.iter().filter(|path| dir.at(path).is_file()) {
        one(dir, path, &names)?;
    }
    Ok(())
}

/// What was written of quarantined tests that were tried once more.
fn retried(dir: &RunDir) -> Result<Vec<String>, AppError> {
    let mut found = Vec::new();
    for class in Class::ALL {
        let home = format!("{DIR}/{}", class.word());
        let at = dir.at(&home);
        let entries = match std::fs::read_dir(&at) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(|e| AppError::io("read", &at, &e))?,
        };
        for entry in entries {
            let entry = entry.map_err(|e| AppError::io("read", &at, &e))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            found.push(format!("{home}/{name}/test-log.jsonl"));
            found.push(format!("{home}/{name}/artifact-index.jsonl"));
        }
    }
    Ok(found)
}

fn one(dir: &RunDir, path: &str, names: &[(&str, &str)]) -> Result<(), AppError> {
    let from = dir.at(path);
    let fault = |e: std::io::Error| AppError::io("read", &from, &e);
    let mut source = BufReader::new(File::open(&from).map_err(fault)?);
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        let read = (&mut source).take(LINE).read_until(b'\n', &mut line);
        if read.map_err(fault)? == 0 {
            break;
        }
        let line = String::from_utf8_lossy(&line);
        lines.push(twin_json(line.trim_end_matches('\n'), names));
    }
    dir.write_lines(&twin_of(path), lines)
}

//! Instruction counts by callgrind: the command line around the command, and the sum over the files that it writes.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::{Callgrind, MeasureError};

/// Longest line that is looked at; others are no totals.
const LINE: u64 = 4096;

const PREFIX: &str = "callgrind.";

/// The command line that counts. What an earlier run left is removed.
pub(super) fn wrap(counter: &Callgrind, argv: &[String]) -> Result<Vec<String>, MeasureError> {
    clear(&counter.scratch)?;
    let out = counter.scratch.join(format!("{PREFIX}%p"));
    let mut whole = vec![
        counter.program.clone(),
        "--quiet".into(),
        "--tool=callgrind".into(),
        "--trace-children=yes".into(),
        format!("--callgrind-out-file={}", out.display()),
    ];
    whole.extend_from_slice(argv);
    Ok(whole)
}

/// The instructions of all processes of the last run, whose files are removed.
pub(super) fn read(counter: &Callgrind) -> Result<u64, MeasureError> {
    let scratch = &counter.scratch;
    let mut sum: u64 = 0;
    let mut files = 0;
    for path in outputs(scratch)? {
        let file = fs::File::open(&path).map_err(|source| MeasureError::File {
            path: path.clone(),
            source,
        })?;
        let count = total(BufReader::new(file)).ok_or_else(|| MeasureError::Counter {
            path: path.clone(),
            why: "it has no `totals:` line with a number",
        })?;
        sum = sum.saturating_add(count);
        files += 1;
    }
    clear(scratch)?;
    if files == 0 || sum == 0 {
        return Err(MeasureError::Counter {
            path: scratch.clone(),
            why: "nothing was counted",
        });
    }
    Ok(sum)
}

/// The number of the last `totals:` line.
fn total(mut file: impl BufRead) -> Option<u64> {
    let mut found = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = file.by_ref().take(LINE).read_until(b'\n', &mut line).ok()?;
        if read == 0 {
            return found;
        }
        if let Some(rest) = line.strip_prefix(b"totals:") {
            found = Some(std::str::from_utf8(rest).ok()?.trim().parse().ok()?);
        }
    }
}

fn outputs(scratch: &Path) -> Result<Vec<std::path::PathBuf>, MeasureError> {
    let failed = |source| MeasureError::File {
        path: scratch.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(scratch).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn clear(scratch: &Path) -> Result<(), MeasureError> {
    for path in outputs(scratch)? {
        fs::remove_file(&path).map_err(|source| MeasureError::File { path, source })?;
    }
    Ok(())
}

//! What a target printed, looked at after its secrets were taken out: the first failure in it, and its end.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use gonogo_suite::cause::Rule;
use gonogo_suite::first_failure::{Limits, scan};
use gonogo_suite::run::LogFailure;

use super::artifacts::RunDir;
use crate::AppError;

/// How much of the end of a log is looked at.
const TAIL: u64 = 64 << 10;

/// The first failure in the logs of a target whose files lie in `home`. Where standard error was kept apart, standard output is a report and
/// comes second.
///
/// # Errors
/// A log that is there and cannot be read.
pub(super) fn first_failure(
    dir: &RunDir,
    home: &str,
    rules: &[Rule],
) -> Result<Option<LogFailure>, AppError> {
    for name in ["errors.log", "output.log"] {
        let name = format!("{home}/{name}");
        let path = dir.at(&name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            Err(e) => return Err(AppError::io("read", &path, &e)),
        };
        let mut source = BufReader::with_capacity(1 << 18, file);
        let found = scan(&mut source, &Limits::default())
            .map_err(|e| AppError::io("read", &path, &e))?
            .found;
        if let Some(mut first) = found.into_iter().next() {
            // Without the escapes of a terminal a secret may stand there that was none before.
            first.header = dir.clean(&first.header);
            first.test = first.test.map(|test| dir.clean(&test));
            dir.clean_failure(&mut first.failure);
            return Ok(Some(LogFailure::new(&name, first, rules)));
        }
    }
    Ok(None)
}

/// The end of a log, at most 4 KiB of whole lines.
///
/// # Errors
/// It cannot be read.
pub(super) fn tail(log: &Path) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut kept: Vec<&str> = Vec::new();
    let mut size = 0;
    for line in text.lines().rev() {
        size += line.len() + 1;
        if size > 4096 {
            break;
        }
        kept.push(line);
    }
    kept.reverse();
    Ok(kept.join("\n"))
}

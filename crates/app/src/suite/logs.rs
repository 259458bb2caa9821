//! What a target printed, looked at after its secrets were taken out: the first failure in it, and its end.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use gonogo_core::Reason;
use gonogo_suite::cause::Rule;
use gonogo_suite::first_failure::{Limits, scan};
use gonogo_suite::run::{Conceded, Emptied, End, LogFailure, Problem, Stops};

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

/// Why a target failed whose report shows no failure: what its logs show, and how its process ended.
///
/// # Errors
/// A log that is there and cannot be read.
pub(super) fn why(
    dir: &RunDir,
    home: &str,
    end: &End,
    rules: &[Rule],
) -> Result<Option<LogFailure>, AppError> {
    let shown = first_failure(dir, home, rules)?;
    let names = ["errors.log", "output.log"].map(|name| format!("{home}/{name}"));
    let says = |name: &&String| std::fs::metadata(dir.at(name)).is_ok_and(|meta| meta.len() > 0);
    let Some(name) = names.iter().find(says) else {
        let log = (names[1].as_str(), 0, String::new());
        return Ok(LogFailure::of_end(end, shown, log, rules));
    };
    let path = dir.at(name);
    let fault = |e: std::io::Error| AppError::io("read", &path, &e);
    let lines = lines(&path).map_err(fault)?;
    let log = (name.as_str(), lines, tail(&path).map_err(fault)?);
    Ok(LogFailure::of_end(end, shown, log, rules))
}

/// What a target's logs say of a runner that stopped before its end.
///
/// # Errors
/// A log that is there and cannot be read.
pub(super) fn stops(dir: &RunDir, home: &str) -> Result<Stops, AppError> {
    let mut stops = Stops::default();
    each(dir, home, &mut |line| {
        stops.line(line);
        true
    })?;
    Ok(stops)
}

/// Where what a plain command of tests printed contradicts its end with 0: runners that closed with failures, or without a test if at least
/// `min_tests` were to run.
pub(super) fn contradictions(dir: &RunDir, home: &str, min_tests: u64) -> Vec<Problem> {
    let told = |said: Result<Option<String>, AppError>, reason, what: &str| match said {
        Ok(said) => said.map(|line| {
            let text = format!("it ended with 0 and says that {what}: `{line}`");
            Problem::new(reason, text)
        }),
        Err(e) => Some(Problem::new(e.reason, e.to_string())),
    };
    let failed = told(
        conceded(dir, home),
        Reason::ExitCodeConflict,
        "tests failed",
    );
    let found = failed.or_else(|| {
        let what = "no test ran (where that is meant: `min_tests = 0`)";
        let said = (min_tests > 0).then(|| emptied(dir, home));
        said.and_then(|said| told(said, Reason::ZeroTests, what))
    });
    found.into_iter().collect()
}

/// The line by which a plain command says that no test ran.
fn emptied(dir: &RunDir, home: &str) -> Result<Option<String>, AppError> {
    let mut emptied = Emptied::default();
    each(dir, home, &mut |line| {
        emptied.line(line);
        !emptied.is_settled()
    })?;
    Ok(emptied.told().map(|line| dir.clean(&line)))
}

/// The closing line by which a plain command says that tests failed.
fn conceded(dir: &RunDir, home: &str) -> Result<Option<String>, AppError> {
    let mut conceded = Conceded::default();
    each(dir, home, &mut |line| {
        conceded.line(line);
        true
    })?;
    Ok(conceded.told().map(|line| dir.clean(&line)))
}

/// The beginnings of all lines of a target's logs, until `next` has seen enough.
fn each(dir: &RunDir, home: &str, next: &mut dyn FnMut(&str) -> bool) -> Result<(), AppError> {
    for name in ["errors.log", "output.log"] {
        let path = dir.at(&format!("{home}/{name}"));
        let fault = |e: std::io::Error| AppError::io("read", &path, &e);
        let file = match File::open(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            file => file.map_err(fault)?,
        };
        let mut source = BufReader::with_capacity(1 << 18, file);
        let mut line = Vec::new();
        loop {
            line.clear();
            // What is looked for is short and stands at a line's beginning.
            let mut head = source.by_ref().take(LINE);
            if head.read_until(b'\n', &mut line).map_err(fault)? == 0 {
                break;
            }
            if line.last() != Some(&b'\n') {
                source.skip_until(b'\n').map_err(fault)?;
            }
            if !next(&String::from_utf8_lossy(&line)) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// How much of a line is looked at.
const LINE: u64 = 4096;

/// How many lines a file has.
fn lines(path: &Path) -> std::io::Result<u64> {
    let mut source = BufReader::with_capacity(1 << 18, File::open(path)?);
    let (mut count, mut last) = (0, b'\n');
    loop {
        let chunk = match source.fill_buf() {
            Ok(chunk) => chunk,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let Some(end) = chunk.last() else { break };
        last = *end;
        count += chunk.iter().filter(|b| **b == b'\n').count() as u64;
        let used = chunk.len();
        source.consume(used);
    }
    Ok(count + u64::from(last != b'\n'))
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

//! How a test says that it was not made, because a program or a right is missing here.
//!
//! The test harness knows no end between passed and failed, and shows what a passing test printed to nobody. So [`skip`]
//! writes one line to the file that [`LIST`] names; `cargo xtask test` sets it and ends with all of them. The same line goes
//! to the process's stderr itself: the harness catches what the print macros write, and nothing else.
//!
//! Invariants: a skip that cannot be written down fails the test; [`lacks`] answers only that something is absent, and what
//! goes wrong with a program that is there fails the test.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::panic::Location;
use std::process::{Command, Stdio};

/// The environment variable that names the file to which skips are written, one line each.
pub const LIST: &str = "GONOGO_TEST_SKIPPED";

/// What programs say if the system does not let them do their work.
const NO_RIGHT: [&str; 3] = [
    "Operation not permitted",
    "Permission denied",
    "Function not implemented",
];

/// Says that the calling test was not made: what it would have tested, and why it cannot be done here. The test returns next.
///
/// # Panics
/// If the file that [`LIST`] names cannot be written: nobody would hear of it.
#[track_caller]
pub fn skip(what: &str, why: &str) {
    let line = line(what, why, Location::caller());
    // Whoever runs without the list may have closed stderr; that is no reason to fail.
    let _ = std::io::stderr().write_all(format!("skipped: {line}").as_bytes());
    if let Some(list) = std::env::var_os(LIST) {
        append(&list, &line);
    }
}

fn line(what: &str, why: &str, place: &Location<'_>) -> String {
    let words: Vec<&str> = why.split_whitespace().collect();
    let (file, row) = (place.file(), place.line());
    format!("{what}: {} ({file}:{row})\n", words.join(" "))
}

#[track_caller]
fn append(list: &OsStr, line: &str) {
    let file = OpenOptions::new().create(true).append(true).open(list);
    // One write: tests of several threads and processes append to the file.
    if let Err(e) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
        let list = list.display();
        panic!("a skipped test cannot be written down in {list}: {e}: {line}");
    }
}

/// Why a program cannot be used here: it is not installed, or it says that it may not do what these arguments ask for. `None`
/// if it does that.
///
/// # Panics
/// If the program is there and fails for any other reason: that is a fault and no lack.
#[track_caller]
#[must_use]
pub fn lacks(program: &str, args: &[&str]) -> Option<String> {
    let ran = Command::new(program)
        .args(args)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output();
    let out = match ran {
        Ok(out) => out,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Some(format!("`{program}` is not installed"));
        }
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            return Some(format!("`{program}` may not be started"));
        }
        Err(e) => panic!("`{program}` cannot be started: {e}"),
    };
    if out.status.success() {
        return None;
    }
    let said = String::from_utf8_lossy(&out.stderr);
    let refused = said
        .lines()
        .find(|line| NO_RIGHT.iter().any(|words| line.contains(words)));
    let Some(refused) = refused else {
        panic!("`{program}` is there and fails ({}): {said}", out.status);
    };
    Some(format!("`{program}` has no right to: {refused}"))
}

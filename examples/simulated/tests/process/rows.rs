//! Every row of the smoke matrix can be run as it says: what is injected happens before the supervisor's signal comes, and
//! the runtime ends as the row needs it to.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use gonogo_simulated::matrix::{Pace, Row, rows};
use rustix::process::{Pid, Signal, kill_process};

use crate::ends::{Kept, holding};
use crate::lab::{lines, until};

const PACE: Pace = Pace {
    tick: Duration::from_millis(200),
    duration: Duration::from_secs(2),
    start_up: Duration::from_secs(1),
};

/// Supervises as little as can be: waits, asks, and kills what does not hear. Returns how it ended and what it printed.
fn supervise(row: &Row, folder: &std::path::Path) -> (ExitStatus, Vec<u8>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_simulated"))
        .args(row.args(&PACE, folder, 1))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&child);
    // All rows start at once: a process counts from when it is there, however long the machine took to start it.
    until("the runtime is there", || {
        folder.join("printed/stderr").exists().then_some(())
    });
    std::thread::sleep(row.run_for);
    let own = pid.as_raw_nonzero().get();
    let left = match row.incidents.contains(&"stragglers") {
        true => until("the grandchild is there", || {
            Some(holding(own)).filter(|l| !l.is_empty())
        }),
        false => Vec::new(),
    };
    let _left: Vec<Kept> = left.into_iter().map(Kept).collect();
    let _ = kill_process(pid, Signal::INT);
    if row.name == "deaf" {
        let _ = kill_process(pid, Signal::TERM);
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(child.try_wait().unwrap(), None, "it hears");
        kill_process(pid, Signal::KILL).unwrap();
    }
    let status = until("the runtime ends", || child.try_wait().unwrap());
    (
        status,
        std::fs::read(folder.join("printed/stdout")).unwrap(),
    )
}

#[test]
fn every_row_can_be_run() {
    let rows = rows(&PACE);
    std::thread::scope(|scope| {
        for row in &rows {
            scope.spawn(|| {
                let folder = tempfile::tempdir().unwrap();
                let (status, printed) = supervise(row, folder.path());
                let end = match row.name.as_str() {
                    "crash" => (Some(3), None),
                    "segfault" => (None, Some(11)),
                    "killed-from-outside" | "deaf" => (None, Some(9)),
                    "trace-cpp" => (None, Some(6)),
                    _ => (Some(0), None),
                };
                assert_eq!((status.code(), status.signal()), end, "{}", row.name);
                let said_farewell =
                    String::from_utf8_lossy(&printed).contains("\"event\":\"shutdown\"");
                let early =
                    row.incidents.contains(&"ended_early") || row.also.contains(&"ended_early");
                assert_eq!(said_farewell, !early && row.name != "deaf", "{}", row.name);
                if row.injections.is_empty() {
                    let beats = lines(&printed).len();
                    assert!(beats > 5, "{}: {beats}", row.name);
                }
            });
        }
    });
}

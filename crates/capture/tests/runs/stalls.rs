//! Runs that do not get on: a full disk, a pump or a keeper that somebody stopped.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gonogo_capture::{Ask, CaptureError, Captured, finalize};
use gonogo_dryrun::Stream;
use gonogo_dryrun::index::Record;
use gonogo_dryrun::journal::Event;
use gonogo_dryrun::spec::Compression;
use rustix::process::Signal;

use crate::Test;
use crate::child::{counted, dense};
use crate::ends::{child_pid, has};
use crate::kit::{
    check, child, events, finish, is_alive, journal, kill, program, rebuilt, shell, spec, start,
    until, until_event,
};
pub(crate) const TESTS: &[Test] = &[
    ("a_full_disk_blocks_and_loses_nothing", full_disk),
    (
        "a_disk_that_stays_full_costs_no_byte_of_a_member",
        stays_full,
    ),
    ("a_pump_that_was_stopped_is_replaced", stopped_pump),
    (
        "a_keeper_that_was_stopped_is_told_and_goes_on_to_end_the_run",
        stopped_keeper,
    ),
    (
        "a_keeper_that_is_stopped_again_and_again_is_ended",
        held_keeper,
    ),
    (
        "a_keeper_that_is_stopped_once_more_before_the_end_is_woken",
        stopped_twice,
    ),
];

/// A tmpfs of so many MiB, in a mount namespace of our own: there the test is run again. None where it was, or cannot be.
fn small_disk(test: &str, size: u32) -> Option<std::path::PathBuf> {
    let Some(mount) = std::env::var_os("CAPTURE_FULL_DISK") else {
        if let Some(why) =
            gonogo_testkit::lacks("unshare", &["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"])
        {
            gonogo_testkit::skip("a full disk", &why);
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let status = Command::new("unshare")
            .arg("-rm")
            .arg(program())
            .args(["--exact", test])
            .env("CAPTURE_FULL_DISK", dir.path())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        return None;
    };
    let mount = std::path::PathBuf::from(mount);
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &format!("size={size}m"), "tmpfs"])
        .arg(&mount)
        .status()
        .unwrap();
    assert!(mounted.success());
    Some(mount)
}

/// Bytes that hardly compress fill a disk that stays full. What is in the members and tails is what was printed, also when nobody
/// frees anything, and whoever finalizes then changes nothing that was judged.
fn stays_full() {
    let Some(mount) = small_disk("a_disk_that_stays_full_costs_no_byte_of_a_member", 12) else {
        return;
    };
    for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
        for member_bytes in [1 << 20, 4 << 20] {
            let what = format!("{compression:?} {member_bytes}");
            let mut spec = spec(&mount, child(&["dense"]));
            spec.slug = format!("{compression:?}-{member_bytes}").to_lowercase();
            spec.capture.compression = compression;
            spec.capture.member_bytes = member_bytes;
            spec.capture.ballast_bytes = 4 << 20;
            spec.drain_seconds = 0.5;
            let mut running = start(&spec);
            let directory = running.files().directory().to_owned();
            until_event(&directory, "blocked", |e| {
                matches!(e, Event::Blocked { .. }).then_some(())
            });
            running.interrupt(Ask::Interrupt);
            let since = Instant::now();
            finish(&mut running);
            assert!(since.elapsed() < Duration::from_secs(30), "{what}");
            finalize(&directory, Duration::from_secs(5)).unwrap();
            let bytes = rebuilt(&directory, Stream::Stdout);
            let printed: Vec<u8> = (0..).flat_map(dense).take(bytes.len()).collect();
            assert!(bytes == printed, "{what}: {}", journal(&directory));
            let captured = Captured::open(&directory).unwrap();
            assert_eq!(
                captured.indexed(Stream::Stdout),
                bytes.len() as u64,
                "{what}"
            );
            assert!(bytes.len() > 4 << 20, "{what}: {} bytes", bytes.len());
            // Judged, on a disk that has space by now: all stays what it is.
            std::fs::remove_file(directory.join("reserve")).unwrap();
            std::fs::write(directory.join("verdict.json"), "{}").unwrap();
            let index = std::fs::read(directory.join("index")).unwrap();
            assert!(
                finalize(&directory, Duration::from_secs(5))
                    .unwrap()
                    .was_complete
            );
            assert!(std::fs::read(directory.join("index")).unwrap() == index);
            std::fs::remove_dir_all(directory).unwrap();
        }
    }
}

/// The run's pump that works now.
fn pump_pid(directory: &Path, number: u32) -> u32 {
    until_event(directory, "a pump", |e| match e {
        Event::PumpStarted { pid, restarts } if *restarts == number => Some(*pid),
        _ => None,
    })
}

fn stopped_pump() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(dir.path(), child(&["count", "20000", "1"]));
    let mut running = start(&spec);
    let directory = running.files().directory().to_owned();
    until("bytes", || {
        (Captured::open(&directory).ok()?.indexed(Stream::Stdout) > 200).then_some(())
    });
    kill(pump_pid(&directory, 0), Signal::STOP);
    pump_pid(&directory, 1);
    running.interrupt(Ask::Interrupt);
    running.interrupt(Ask::Interrupt);
    finish(&mut running);
    check(&directory);
    let bytes = rebuilt(&directory, Stream::Stdout);
    assert!(bytes.len() > 200 && counted(20_000).starts_with(&bytes));
    let events = events(&directory);
    assert!(
        has(&events, |e| matches!(
            e,
            Event::Unanswered { part, state, ms: 2900.., .. } if part == "pump" && state == "T"
        )),
        "{}",
        journal(&directory)
    );
}

/// Stops the keeper and waits until its pump says so.
fn stop_keeper(directory: &Path, keeper: u32) {
    child_pid(directory);
    kill(keeper, Signal::STOP);
    until_event(directory, "the keeper is missed", |e| {
        matches!(e, Event::Unanswered { part, state, .. } if part == "keeper" && state == "T")
            .then_some(())
    });
}

fn stopped_keeper() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(dir.path(), shell("while :; do echo beat; sleep 0.01; done"));
    let mut running = start(&spec);
    let directory = running.files().directory().to_owned();
    stop_keeper(&directory, running.keeper());
    let news = until("the harness says it", || {
        running.wait(Duration::from_millis(50));
        running.news()
    });
    assert!(news.contains("is stopped"), "{news}");
    // Whoever comes to finalize learns who holds the run.
    let refused = finalize(&directory, Duration::from_millis(50)).unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, CaptureError::Running { .. }), "{text}");
    let hint = format!("kill -CONT {}", running.keeper());
    assert!(text.contains("state T") && text.contains(&hint), "{text}");
    let since = Instant::now();
    running.interrupt(Ask::Terminate);
    let ended = finish(&mut running);
    assert!(since.elapsed() < Duration::from_secs(20));
    assert_eq!(ended.reason.as_deref(), Some("interrupted"));
    check(&directory);
    assert!(
        has(&events(&directory), |e| matches!(
            e,
            Event::Answered { part, .. } if part == "keeper"
        )),
        "{}",
        journal(&directory)
    );
}

fn held_keeper() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(dir.path(), shell("while :; do echo beat; sleep 0.01; done"));
    let mut running = start(&spec);
    let directory = running.files().directory().to_owned();
    let keeper = running.keeper();
    let child = child_pid(&directory);
    stop_keeper(&directory, keeper);
    until("the harness says it", || {
        running.wait(Duration::from_millis(50));
        running.news()
    });
    let over = std::sync::atomic::AtomicBool::new(false);
    let since = Instant::now();
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::SeqCst) {
                kill(keeper, Signal::STOP);
                std::thread::yield_now();
            }
        });
        running.interrupt(Ask::Interrupt);
        let ended = finish(&mut running);
        over.store(true, std::sync::atomic::Ordering::SeqCst);
        ended
    });
    assert!(since.elapsed() < Duration::from_secs(40));
    until("the child is gone", || (!is_alive(child)).then_some(()));
    if ended.fault.is_some() {
        let done = finalize(&directory, Duration::from_secs(30)).unwrap();
        assert!(["keeper_lost", "interrupted"].contains(&done.reason.as_str()));
    }
    check(&directory);
}

/// Its child takes a while to end when it is asked to; meanwhile the keeper, which has heard it, is stopped again.
fn stopped_twice() {
    let dir = tempfile::tempdir().unwrap();
    let script = "trap 'echo asked; while :; do sleep 0.05; done' INT TERM; while :; do echo beat; sleep 0.01; done";
    let mut spec = spec(dir.path(), shell(script));
    spec.grace_seconds.interrupt = 6.0;
    spec.grace_seconds.terminate = 6.0;
    let mut running = start(&spec);
    let directory = running.files().directory().to_owned();
    let keeper = running.keeper();
    until_event(&directory, "the command runs", |e| {
        matches!(e, Event::ChildStarted { .. }).then_some(())
    });
    running.interrupt(Ask::Interrupt);
    until_event(&directory, "it was heard", |e| {
        matches!(e, Event::Signalled { .. }).then_some(())
    });
    stop_keeper(&directory, keeper);
    let since = Instant::now();
    let ended = finish(&mut running);
    assert!(since.elapsed() < Duration::from_secs(40));
    assert_eq!(ended.fault, None, "it went on by itself");
    assert_eq!(ended.reason.as_deref(), Some("interrupted"));
    check(&directory);
}

/// A tmpfs of 6 MiB, in a mount namespace of our own, fills up and is freed.
fn full_disk() {
    let Some(mount) = small_disk("a_full_disk_blocks_and_loses_nothing", 6) else {
        return;
    };
    for (n, compression) in [Compression::None, Compression::Gzip]
        .into_iter()
        .enumerate()
    {
        let other = mount.join("other");
        std::fs::write(&other, vec![0; 3 << 20]).unwrap();
        let lines = if n == 0 { 40_000 } else { 60_000 };
        let mut spec = spec(&mount, child(&["count", &lines.to_string(), "0"]));
        spec.slug = format!("{n}");
        spec.capture.compression = compression;
        spec.capture.ballast_bytes = 512 << 10;
        spec.capture.member_bytes = 4 << 20;
        let mut running = start(&spec);
        let directory = running.files().directory().to_owned();
        until_event(&directory, "blocked", |e| {
            matches!(e, Event::Blocked { .. }).then_some(())
        });
        // While it is full nothing moves.
        std::thread::sleep(Duration::from_millis(300));
        std::fs::remove_file(&other).unwrap();
        let ended = finish(&mut running);
        assert_eq!(
            ended.reason.as_deref(),
            Some("child_exited"),
            "{}",
            journal(&directory)
        );
        check(&directory);
        assert!(rebuilt(&directory, Stream::Stdout) == counted(lines));
        let events = events(&directory);
        assert!(has(
            &events,
            |e| matches!(e, Event::Blocked { reason } if reason.contains("No space"))
        ));
        assert!(
            has(&events, |e| matches!(e, Event::Unblocked { ms: 250.. })),
            "{}",
            journal(&directory)
        );
        std::fs::remove_dir_all(directory).unwrap();
    }
    // It stays full: the run is ended, what is lost is told, and the journals say how it ended.
    std::fs::write(mount.join("other"), vec![0; 3 << 20]).unwrap();
    let mut spec = spec(&mount, child(&["count", "100000000", "0"]));
    spec.slug = "stays".to_owned();
    spec.capture.ballast_bytes = 512 << 10;
    spec.drain_seconds = 0.5;
    let mut running = start(&spec);
    let directory = running.files().directory().to_owned();
    until_event(&directory, "blocked", |e| {
        matches!(e, Event::Blocked { .. }).then_some(())
    });
    running.interrupt(Ask::Interrupt);
    let ended = finish(&mut running);
    assert_eq!(
        ended.reason.as_deref(),
        Some("interrupted"),
        "{}",
        journal(&directory)
    );
    let bytes = rebuilt(&directory, Stream::Stdout);
    let mut index = Captured::open(&directory)
        .unwrap()
        .index()
        .unwrap()
        .unwrap();
    let mut indexed = 0;
    while let Some(record) = index.read().unwrap() {
        if let Record::Batch(batch) = record {
            indexed += u64::from(batch.length);
        }
    }
    assert!(indexed > 1 << 20 && bytes.len() as u64 >= indexed);
    assert!(counted(200_000).starts_with(&bytes));
    // Once there is space, what was left open is closed.
    std::fs::remove_file(mount.join("other")).unwrap();
    finalize(&directory, Duration::from_secs(5)).unwrap();
    check(&directory);
    assert!(rebuilt(&directory, Stream::Stdout) == bytes);
    let again = finalize(&directory, Duration::from_secs(5)).unwrap();
    assert!(again.was_complete);
}

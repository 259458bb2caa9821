//! How runs end, and what is found when something was killed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gonogo_capture::{Ask, CaptureError, Captured, Run, finalize};
use gonogo_dryrun::Stream;
use gonogo_dryrun::journal::Event;
use gonogo_dryrun::spec::Compression;
use rustix::process::Signal;

use crate::Test;
use crate::child::counted;
use crate::kit::{
    HARNESS, check, child, complete, events, finish, is_alive, journal, kill, program, rebuilt,
    shell, spec, start, until, until_event,
};

pub(crate) const TESTS: &[Test] = &[
    ("a_part_that_comes_too_late_changes_nothing", too_late),
    (
        "what_is_wanted_is_kept_before_anything_starts",
        what_is_wanted_is_kept_before_anything_starts,
    ),
    ("a_deaf_child_is_killed", deaf_child),
    ("an_obedient_child_ends_in_time", obedient_child),
    ("a_second_interrupt_shortens_the_ladder", second_interrupt),
    (
        "a_daemon_that_holds_the_pipe_is_waited_for_and_ended",
        daemon,
    ),
    ("a_daemon_without_the_pipe_is_ended", quiet_daemon),
    ("what_cannot_be_started_is_told", not_started),
    ("a_directory_that_exists_is_refused", exists),
    ("a_killed_pump_loses_nothing_plain", || {
        killed_pumps(Compression::None, None)
    }),
    ("a_killed_pump_loses_nothing_rotating", || {
        killed_pumps(Compression::None, Some(1 << 20))
    }),
    ("a_killed_pump_loses_nothing_gzip", || {
        killed_pumps(Compression::Gzip, Some(3 << 20))
    }),
    ("a_killed_pump_loses_nothing_zstd", || {
        killed_pumps(Compression::Zstd, None)
    }),
    ("a_killed_keeper_ends_the_run", killed_keeper),
    ("all_killed_is_finalized", all_killed),
    ("a_killed_harness_ends_the_run", killed_harness),
    ("a_run_that_lives_is_not_finalized", living_run),
    ("exit_status_and_signal_are_told", exit_status),
];

pub(crate) fn has(events: &[Event], is: impl Fn(&Event) -> bool) -> bool {
    events.iter().any(is)
}

fn signals(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Signalled { signal, .. } => Some(signal.clone()),
            _ => None,
        })
        .collect()
}

pub(crate) fn child_pid(directory: &Path) -> u32 {
    until_event(directory, "the child starts", |event| match event {
        Event::ChildStarted { pid, .. } => Some(*pid),
        _ => None,
    })
}

/// Processes that carry the run's mark.
fn marked(run_id: &str) -> Vec<u32> {
    let mark = format!("{}={run_id}", gonogo_capture::MARK);
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|bytes| bytes.split(|b| *b == 0).any(|pair| pair == mark.as_bytes()))
                && is_alive(*pid)
        })
        .collect()
}

fn deaf_child() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(
        dir.path(),
        shell("trap '' INT TERM; echo ready; while :; do sleep 0.1; done"),
    );
    spec.target_seconds = 0.5;
    spec.grace_seconds.interrupt = 0.3;
    spec.grace_seconds.terminate = 0.3;
    let directory = complete(&spec, "time_over");
    let events = events(&directory);
    assert_eq!(signals(&events), ["INT", "TERM", "KILL"]);
    assert!(has(&events, |e| matches!(
        e,
        Event::ChildExited {
            signal: Some(9),
            code: None,
            ..
        }
    )));
    assert_eq!(marked(&spec.run_id), Vec::<u32>::new());
}

fn obedient_child() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(
        dir.path(),
        shell("trap 'echo bye; exit 0' INT; echo ready; while :; do sleep 0.05; done"),
    );
    spec.target_seconds = 0.5;
    let directory = complete(&spec, "time_over");
    assert_eq!(rebuilt(&directory, Stream::Stdout), b"ready\nbye\n");
    assert_eq!(signals(&events(&directory)), ["INT"]);
}

fn second_interrupt() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(
        dir.path(),
        shell("trap '' INT TERM; echo ready; while :; do sleep 0.1; done"),
    );
    spec.grace_seconds.interrupt = 50.0;
    spec.grace_seconds.terminate = 50.0;
    let mut running = start(&spec);
    let directory = running.files().directory().to_owned();
    until("ready", || {
        (Captured::open(&directory).ok()?.indexed(Stream::Stdout) > 0).then_some(())
    });
    let began = Instant::now();
    running.interrupt(Ask::Interrupt);
    until_event(&directory, "interrupted", |e| {
        matches!(e, Event::Interrupted { .. }).then_some(())
    });
    running.interrupt(Ask::Terminate);
    until_event(&directory, "TERM", |e| {
        matches!(e, Event::Signalled { signal, .. } if signal == "TERM").then_some(())
    });
    running.interrupt(Ask::HangUp);
    let ended = finish(&mut running);
    assert_eq!(ended.reason.as_deref(), Some("interrupted"));
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(signals(&events(&directory)), ["INT", "TERM", "KILL"]);
    check(&directory);
}

fn daemon() {
    let dir = tempfile::tempdir().unwrap();
    // Own session, two forks away, and the environment wiped.
    let mut spec = spec(
        dir.path(),
        shell("setsid sh -c 'env -i sleep 300 & echo grandchild' & wait; echo over"),
    );
    spec.drain_seconds = 1.0;
    let directory = complete(&spec, "child_exited");
    let events = events(&directory);
    let told = events.iter().find_map(|e| match e {
        Event::Stragglers {
            processes,
            hold_pipe,
        } => Some((processes, hold_pipe)),
        _ => None,
    });
    let (processes, hold_pipe) = told.unwrap();
    assert_eq!((processes[0].name.as_str(), *hold_pipe), ("sleep", true));
    assert_eq!(processes[0].command, "sleep 300");
    assert!(!is_alive(processes[0].pid));
    assert_eq!(signals(&events), ["KILL"]);
    assert!(
        has(&events, |e| matches!(
            e,
            Event::Drained {
                complete: true,
                waited_ms: 900..5000
            }
        )),
        "{}",
        journal(&directory)
    );
}

fn quiet_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(
        dir.path(),
        shell("setsid sleep 300 >/dev/null 2>&1 & echo over"),
    );
    spec.drain_seconds = 60.0;
    let began = Instant::now();
    let directory = complete(&spec, "child_exited");
    assert!(began.elapsed() < Duration::from_secs(30));
    let events = events(&directory);
    assert!(has(&events, |e| matches!(
        e,
        Event::Stragglers {
            hold_pipe: false,
            ..
        }
    )));
    assert_eq!(marked(&spec.run_id), Vec::<u32>::new());
}

fn not_started() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let cases = [
        (
            "no-such-program-anywhere".to_owned(),
            "in no directory of PATH",
        ),
        (
            dir.path().join("none").display().to_string(),
            "no such file",
        ),
        (file("plain", "#!/bin/sh\n", 0o644), "not executable"),
        (
            file("orphan", "#!/no/such/interpreter\n", 0o755),
            "interpreter",
        ),
        (dir.path().display().to_string(), "is a directory"),
    ];
    for (n, (program, word)) in cases.into_iter().enumerate() {
        let mut spec = spec(dir.path(), vec![program.clone()]);
        spec.slug = format!("{n}");
        let directory = complete(&spec, "start_failed");
        let reason = events(&directory).into_iter().find_map(|e| match e {
            Event::StartFailed { reason } => Some(reason),
            _ => None,
        });
        let reason = reason.unwrap();
        assert!(
            reason.contains(word) && reason.contains(&program),
            "{reason}"
        );
    }
    let mut spec = spec(dir.path(), shell("true"));
    spec.directory = "/no/such/directory".to_owned();
    let directory = complete(&spec, "start_failed");
    assert!(journal(&directory).contains("/no/such/directory"));
}

fn exists() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(dir.path(), shell("echo one"));
    let directory = complete(&spec, "child_exited");
    let before = std::fs::read_dir(&directory).unwrap().count();
    let refused = Run::start(&program(), &spec);
    assert!(
        matches!(refused, Err(CaptureError::Exists(_))),
        "{refused:?}"
    );
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), before);
    assert_eq!(rebuilt(&directory, Stream::Stdout), b"one\n");
}

/// Kills the pump ten times while the child prints as fast as it can.
fn killed_pumps(compression: Compression, rotate_bytes: Option<u64>) {
    let dir = tempfile::tempdir().unwrap();
    let lines = 3_000_000;
    let mut spec = spec(dir.path(), child(&["count", &lines.to_string(), "0"]));
    spec.capture.compression = compression;
    spec.capture.rotate_bytes = rotate_bytes;
    spec.capture.views = true;
    let mut running = start(&spec);
    let directory = running.files().directory().to_owned();
    let mut killed = 0;
    for restarts in 0..10 {
        let pid = until_event(&directory, "a pump starts", |event| match event {
            Event::PumpStarted { pid, restarts: n } if *n == restarts => Some(*pid),
            Event::Ended { .. } => Some(0),
            _ => None,
        });
        if pid == 0 {
            break;
        }
        // Anywhere in its life: in its start, and under load.
        std::thread::sleep(Duration::from_micros(fastrand::u64(0..60_000)));
        kill(pid, Signal::KILL);
        killed += 1;
        let gone = until("the pump's end is seen", || {
            let ended = events_so_far(&directory);
            ended
                .iter()
                .any(|e| match e {
                    Event::PumpLost { pid: lost, .. } => *lost == pid,
                    Event::Ended { .. } => true,
                    _ => false,
                })
                .then_some(ended)
        });
        if gone.iter().any(|e| matches!(e, Event::Ended { .. })) {
            break;
        }
    }
    let ended = finish(&mut running);
    assert_eq!(
        ended.reason.as_deref(),
        Some("child_exited"),
        "{}",
        journal(&directory)
    );
    assert!(killed >= 5, "the child was too fast: {killed} kills");
    check(&directory);
    assert!(
        rebuilt(&directory, Stream::Stdout) == counted(lines),
        "{}",
        journal(&directory)
    );
    let captured = Captured::open(&directory).unwrap();
    if rotate_bytes.is_some() {
        assert!(captured.members(Stream::Stdout).iter().all(|m| !m.open_end));
    }
}

fn events_so_far(directory: &Path) -> Vec<Event> {
    let Ok(captured) = Captured::open(directory) else {
        return Vec::new();
    };
    let Ok(entries) = captured.keeper_journal() else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.event)
        .collect()
}

fn killed_keeper() {
    for n in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let mut spec = spec(
            dir.path(),
            shell(
                "setsid sh -c 'while :; do echo grandchild; sleep 0.01; done' & while :; do echo child; sleep 0.001; done",
            ),
        );
        spec.capture.compression = [Compression::None, Compression::Gzip][n % 2];
        let mut running = start(&spec);
        let directory = running.files().directory().to_owned();
        let child = child_pid(&directory);
        until("bytes", || {
            (Captured::open(&directory).ok()?.indexed(Stream::Stdout) > 200).then_some(())
        });
        kill(running.keeper(), Signal::KILL);
        let ended = finish(&mut running);
        assert!(ended.fault.unwrap().contains("signal 9"));
        until("the child is gone", || (!is_alive(child)).then_some(()));
        until("all of the tree is gone", || {
            marked(&spec.run_id).is_empty().then_some(())
        });
        let done = finalize(&directory, Duration::from_secs(30)).unwrap();
        assert_eq!(done.reason, "keeper_lost", "{}", journal(&directory));
        check(&directory);
        let events = events(&directory);
        assert!(has(&events, |e| matches!(e, Event::Recovered { .. })));
        assert!(matches!(
            last_keeper_event(&directory),
            Event::Ended { reason } if reason == "keeper_lost"
        ));
        let before = journal(&directory);
        let again = finalize(&directory, Duration::from_secs(5)).unwrap();
        assert!(again.was_complete);
        assert_eq!(
            journal(&directory),
            before,
            "the second time nothing is changed"
        );
    }
}

fn last_keeper_event(directory: &Path) -> Event {
    let captured = Captured::open(directory).unwrap();
    captured
        .keeper_journal()
        .unwrap()
        .last()
        .unwrap()
        .unwrap()
        .event
}

fn all_killed() {
    for (n, compression) in [Compression::None, Compression::Gzip, Compression::Zstd]
        .into_iter()
        .enumerate()
    {
        let dir = tempfile::tempdir().unwrap();
        let mut spec = spec(dir.path(), child(&["count", "100000000", "0"]));
        spec.capture.compression = compression;
        spec.capture.views = true;
        spec.capture.rotate_bytes = (n == 0).then_some(1 << 20);
        let mut running = start(&spec);
        let directory = running.files().directory().to_owned();
        let pump = until_event(&directory, "a pump starts", |event| match event {
            Event::PumpStarted { pid, .. } => Some(*pid),
            _ => None,
        });
        until("bytes", || {
            (Captured::open(&directory).ok()?.indexed(Stream::Stdout) > 5_000_000).then_some(())
        });
        // Stopped first, so that neither sees the other's end.
        kill(running.keeper(), Signal::STOP);
        kill(pump, Signal::KILL);
        kill(running.keeper(), Signal::KILL);
        finish(&mut running);
        let done = finalize(&directory, Duration::from_secs(30)).unwrap();
        assert_eq!(done.reason, "keeper_lost");
        assert!(!done.was_complete);
        assert_eq!(marked(&spec.run_id), Vec::<u32>::new());
        check(&directory);
        let bytes = rebuilt(&directory, Stream::Stdout);
        assert!(bytes.len() > 5_000_000);
        let lines = bytes.iter().filter(|b| **b == b'\n').count() as u64;
        assert!(counted(lines + 1).starts_with(&bytes));
        assert!(!directory.join("ballast").exists() && !directory.join("stdout.tail").exists());
        assert!(
            finalize(&directory, Duration::from_secs(5))
                .unwrap()
                .was_complete
        );
    }
}

fn killed_harness() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(dir.path(), child(&["count", "100000000", "2"]));
    spec.slug = "orphan".to_owned();
    let file = dir.path().join("spec.json");
    std::fs::write(&file, serde_json::to_vec(&spec).unwrap()).unwrap();
    let mut harness = Command::new(program())
        .arg(HARNESS)
        .arg(&file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let directory = gonogo_capture::Files::of(&spec).directory().to_owned();
    until("bytes", || {
        (Captured::open(&directory).ok()?.indexed(Stream::Stdout) > 1000).then_some(())
    });
    harness.kill().unwrap();
    harness.wait().unwrap();
    let done = finalize(&directory, Duration::from_secs(30)).unwrap();
    assert_eq!(done.reason, "harness_lost", "{}", journal(&directory));
    assert!(done.was_complete, "the keeper did it all");
    assert_eq!(signals(&events(&directory)), ["INT"]);
    check(&directory);
    assert_eq!(marked(&spec.run_id), Vec::<u32>::new());
}

fn living_run() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(dir.path(), shell("echo a; exec sleep 100"));
    let mut running = start(&spec);
    let directory = running.files().directory().to_owned();
    let child = child_pid(&directory);
    let refused = finalize(&directory, Duration::from_millis(200));
    assert!(
        matches!(refused, Err(CaptureError::Running { .. })),
        "{refused:?}"
    );
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains(&running.keeper().to_string())
    );
    assert!(is_alive(child));
    running.interrupt(Ask::Interrupt);
    assert_eq!(finish(&mut running).reason.as_deref(), Some("interrupted"));
    assert!(
        finalize(&directory, Duration::from_secs(5))
            .unwrap()
            .was_complete
    );
}

fn exit_status() {
    let dir = tempfile::tempdir().unwrap();
    for (n, (script, code, signal)) in [
        ("exit 42", Some(42), None),
        ("kill -SEGV $$", None, Some(11)),
        (
            "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done",
            Some(0),
            None,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let mut spec = spec(dir.path(), shell(script));
        spec.slug = format!("{n}");
        let directory = complete(&spec, "child_exited");
        let exited = events(&directory).into_iter().find_map(|e| match e {
            Event::ChildExited {
                code,
                signal,
                cpu_ms,
                max_rss_kib,
                ..
            } => Some((code, signal, cpu_ms, max_rss_kib)),
            _ => None,
        });
        let (got_code, got_signal, cpu_ms, rss) = exited.unwrap();
        assert_eq!((got_code, got_signal), (code, signal));
        assert!((100..1_000_000).contains(&rss), "{rss} KiB");
        assert!(n != 2 || cpu_ms > 0);
    }
}

/// What a run is found by is there before its keeper is started: a harness that is killed at that moment leaves a run that can be finalized.
fn what_is_wanted_is_kept_before_anything_starts() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let looks = directory.path().join("looks");
    // Plays the keeper: lists what is there when it begins.
    std::fs::write(&looks, "#!/bin/sh\nls \"$3\" > \"$3/../seen\"\n").unwrap();
    std::fs::set_permissions(&looks, std::fs::Permissions::from_mode(0o755)).unwrap();
    let spec = spec(directory.path(), child(&["count", "1", "0"]));
    let mut running =
        gonogo_capture::Run::start_beside(&looks, &spec, &[("reports.json", b"{}")]).unwrap();
    finish(&mut running);
    let seen = std::fs::read_to_string(directory.path().join("logs/seen")).unwrap();
    for name in ["run.json", "reports.json", "reserve"] {
        assert!(seen.lines().any(|line| line == name), "{name}: {seen}");
    }
}

/// A keeper and a pump that were started, and get their turn only after somebody put the run in order, leave it as it is.
fn too_late() {
    let directory = tempfile::tempdir().unwrap();
    let spec = spec(directory.path(), child(&["count", "100", "0"]));
    let mut running = gonogo_capture::Run::start(Path::new("/bin/true"), &spec).unwrap();
    finish(&mut running);
    let run = running.files().directory().to_owned();
    finalize(&run, Duration::from_secs(5)).unwrap();
    let all = || -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let mut all: Vec<_> = std::fs::read_dir(&run)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.ends_with("lock"))
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect();
        all.sort();
        all
    };
    let before = all();
    let status = Command::new(program())
        .args(["capture-part", "keeper"])
        .arg(&run)
        .stdin(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success());
    assert!(all() == before, "the late keeper changed the run");
    assert!(finalize(&run, Duration::from_secs(5)).unwrap().was_complete);
}

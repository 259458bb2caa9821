//! Real processes: identity, groups, the kill ladder, marks. The children are `/bin/sh` scripts.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use gonogo_exec::{
    Ended, ExecError, Exit, Ladder, Launch, ProbeError, Process, StopSignal, end, http_ready,
    marked, reap, tcp_ready,
};

fn launch(dir: &Path, script: &str) -> Launch {
    let name: String = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    Launch {
        argv: vec!["/bin/sh".into(), "-c".into(), script.into()],
        env: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
        dir: dir.to_owned(),
        log: dir.join("log"),
        errors: None,
        mark: format!("exec-test-{}", name.trim()),
    }
}

#[expect(clippy::disallowed_methods, reason = "deadline of a test's poll")]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "waited 10 s for {what}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("log")).unwrap_or_default()
}

const TERM: Ladder = Ladder {
    ask: Some(StopSignal::Term),
    within: Duration::from_secs(5),
};

#[test]
fn a_child_has_its_own_group_a_clean_environment_and_a_log() {
    let dir = tempfile::tempdir().unwrap();
    let child = launch(
        dir.path(),
        "echo out; echo err >&2; env; cut -d' ' -f5 /proc/$$/stat; pwd; exit 3",
    )
    .start()
    .unwrap();
    assert_eq!(
        child.wait(Duration::from_secs(10)).unwrap(),
        Some(Exit::Status(3))
    );
    assert!(!child.is_alive(), "a zombie is dead");
    reap(&child);
    let log = log(dir.path());
    assert!(log.contains("out\n") && log.contains("err\n"), "{log}");
    assert!(
        log.contains(&format!("\n{}\n", child.pid)),
        "leads its own group: {log}"
    );
    assert!(
        log.contains(&format!("GONOGO_INSTANCE={}\n", child.mark)),
        "{log}"
    );
    assert!(
        !log.contains("CARGO") && !log.contains("HOME="),
        "inherits nothing: {log}"
    );
    assert!(log.contains(dir.path().file_name().unwrap().to_str().unwrap()));
}

#[test]
fn another_start_time_or_boot_is_another_process() {
    let dir = tempfile::tempdir().unwrap();
    let child = launch(dir.path(), "exec sleep 60").start().unwrap();
    until("exec", || {
        Process::find(child.pid, &child.mark).unwrap().is_some()
    });
    assert_eq!(
        Process::find(child.pid, &child.mark).unwrap(),
        Some(child.clone())
    );
    assert_eq!(Process::find(child.pid, "another").unwrap(), None);
    assert!(child.is_alive());
    assert!(child.resident().is_some_and(|bytes| bytes > 0));
    for stranger in [
        Process {
            started: child.started + 1,
            mark: "x".into(),
            ..child.clone()
        },
        Process {
            boot: "x".into(),
            ..child.clone()
        },
    ] {
        assert!(!stranger.is_alive());
        assert_eq!(stranger.wait(Duration::ZERO).unwrap(), Some(Exit::Gone));
        assert_eq!(end(&stranger, Ladder::KILL).unwrap(), Ended::Already);
        assert!(child.is_alive(), "a recycled number is not signalled");
    }
    assert_eq!(end(&child, TERM).unwrap(), Ended::Asked);
}

#[test]
fn the_ladder_kills_the_whole_group_that_ignores_the_signal() {
    let dir = tempfile::tempdir().unwrap();
    let child = launch(
        dir.path(),
        "trap '' TERM; sleep 60 & sleep 60 & echo up; wait; wait",
    )
    .start()
    .unwrap();
    until("both children", || {
        log(dir.path()).contains("up") && marked(&child.mark).unwrap().len() == 3
    });
    let ladder = Ladder {
        ask: Some(StopSignal::Term),
        within: Duration::from_millis(100),
    };
    assert_eq!(end(&child, ladder).unwrap(), Ended::Killed);
    assert!(marked(&child.mark).unwrap().is_empty());
    assert_eq!(end(&child, ladder).unwrap(), Ended::Already);
}

#[test]
fn what_outlives_the_leader_or_leaves_the_group_is_ended_too() {
    let dir = tempfile::tempdir().unwrap();
    let child = launch(
        dir.path(),
        "sleep 60 & setsid sleep 60 & sleep 0.05; exit 0",
    )
    .start()
    .unwrap();
    until("the leader's end", || !child.is_alive());
    reap(&child);
    until("both sleepers", || marked(&child.mark).unwrap().len() == 2);
    assert_eq!(end(&child, TERM).unwrap(), Ended::Asked);
    assert!(marked(&child.mark).unwrap().is_empty());
}

#[test]
fn waiting_has_a_limit_and_tells_the_signal() {
    let dir = tempfile::tempdir().unwrap();
    let child = launch(dir.path(), "exec sleep 60").start().unwrap();
    assert_eq!(child.wait(Duration::from_millis(20)).unwrap(), None);
    assert_eq!(
        end(&child, Ladder { ask: None, ..TERM }).unwrap(),
        Ended::Killed
    );
    let second = launch(dir.path(), "kill -9 $$").start().unwrap();
    assert_eq!(
        second.wait(Duration::from_secs(10)).unwrap(),
        Some(Exit::Signal(9))
    );
    reap(&second);
}

#[test]
fn failures_to_start_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("plain"), "x").unwrap();
    let base = launch(dir.path(), "");
    let with = |argv: &[&str]| {
        Launch {
            argv: argv.iter().map(|a| (*a).to_owned()).collect(),
            ..base.clone()
        }
        .start()
        .unwrap_err()
    };
    assert!(matches!(with(&[]), ExecError::NoProgram));
    assert!(matches!(with(&["./absent"]), ExecError::NotFound { .. }));
    assert!(matches!(with(&["./plain"]), ExecError::Denied { .. }));
    let no_log = Launch {
        log: dir.path().join("no/log"),
        ..base.clone()
    }
    .start()
    .unwrap_err();
    assert!(matches!(no_log, ExecError::Log { .. }));
    assert!("KILL".parse::<StopSignal>().is_err());
}

#[test]
fn probes_accept_only_what_they_ask_for() {
    let limit = Duration::from_millis(300);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in [
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 503 Busy\r\n\r\n",
            "SSH-2.0\r\n",
        ] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 512];
            let n = stream.read(&mut buffer).unwrap();
            asked.push(String::from_utf8_lossy(&buffer[..n]).into_owned());
            stream.write_all(answer.as_bytes()).unwrap();
        }
        let silent = listener.accept().unwrap();
        (asked, silent, listener)
    });
    http_ready(addr, "/healthz?a=1", limit).unwrap();
    assert!(matches!(
        http_ready(addr, "/", limit),
        Err(ProbeError::Status { status: 503, .. })
    ));
    assert!(matches!(
        http_ready(addr, "/", limit),
        Err(ProbeError::Protocol { .. })
    ));
    assert!(
        matches!(http_ready(addr, "/", limit), Err(ProbeError::Answer { .. })),
        "silence is not readiness"
    );
    let (asked, silent, listener) = server.join().unwrap();
    assert!(
        asked[0].starts_with("GET /healthz?a=1 HTTP/1.1\r\n"),
        "{}",
        asked[0]
    );
    tcp_ready(addr, limit).unwrap();
    drop((silent, listener));
    assert!(matches!(
        tcp_ready(addr, limit),
        Err(ProbeError::Connect { .. })
    ));
}

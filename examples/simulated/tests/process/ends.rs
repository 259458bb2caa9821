//! Ends of all kinds: on time, by signals, by crashes, not at all, and those of whom is left behind.

use std::os::unix::process::ExitStatusExt as _;

use rustix::process::{Pid, Signal, kill_process};

use crate::lab::{DEADLINE, Running, now, ran, simulated, until};

/// Whether a process does something of its own about a signal.
fn caught(pid: i32, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mask = status
        .lines()
        .find_map(|l| l.strip_prefix("SigCgt:"))
        .unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << (signal.as_raw() - 1)) != 0
}

#[test]
fn it_beats_and_ends_with_its_duration() {
    let ran = ran(&["--duration-seconds=0.5", "--tick-interval=0.1"]);
    assert_eq!(ran.status.code(), Some(0), "{}", ran.said());
    let lines = ran.lines();
    let (last, beats) = lines.split_last().unwrap();
    assert_eq!(last["event"], "shutdown");
    assert_eq!(last["reason"], "duration");
    // A machine that is very late may skip a tick; it never makes one up.
    assert!((2..=5).contains(&beats.len()), "{}", beats.len());
    for (n, beat) in (1_u64..).zip(beats) {
        assert_eq!(beat["event"], "heartbeat");
        assert_eq!(beat["message"], format!("heartbeat #{n}"));
        assert_eq!((&beat["level"], &beat["seq"]), (&"info".into(), &n.into()));
        assert!(
            beat["timestamp"]
                .as_str()
                .unwrap()
                .parse::<jiff::Timestamp>()
                .is_ok()
        );
    }
    let text = String::from_utf8(ran.out).unwrap();
    let order: Vec<_> = ["timestamp", "level", "event", "message", "seq"]
        .map(|f| text.find(&format!("\"{f}\":")).unwrap())
        .into();
    assert!(order.is_sorted(), "{text}");
    assert!(ran.err.is_empty());
}

#[test]
fn signals_end_it_well() {
    for (signal, reason) in [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM")] {
        let mut running = Running::start(&["--tick-interval=0.05"]);
        running.beat(2);
        running.signal(signal);
        let (status, rest) = running.end();
        assert_eq!(status.code(), Some(0));
        let last = rest.last().unwrap();
        assert_eq!(
            (&last["message"], &last["reason"]),
            (&"shutdown".into(), &reason.into())
        );
    }
}

#[test]
fn a_slow_start_can_be_ended_too() {
    let mut running = Running::start(&["--inject=slow-start=50"]);
    let pid = running.pid().as_raw_nonzero().get();
    until("SIGTERM is listened for", || {
        caught(pid, Signal::TERM).then_some(())
    });
    running.signal(Signal::TERM);
    let (status, lines) = running.end();
    assert_eq!(status.code(), Some(0));
    assert_eq!(
        lines.len(),
        1,
        "no beat came before the first tick: {lines:?}"
    );
    assert_eq!(
        (&lines[0]["message"], &lines[0]["seq"]),
        (&"shutdown".into(), &0.into())
    );
}

#[test]
fn a_slow_start_is_not_part_of_the_duration() {
    let began = now();
    let slow = ran(&[
        "--duration-seconds=0.3",
        "--tick-interval=0.1",
        "--inject=slow-start=0.5",
    ]);
    assert_eq!(slow.status.code(), Some(0));
    assert!(began.elapsed().as_secs_f64() >= 0.8);
    let first = &slow.lines()[0];
    assert_eq!(first["message"], "heartbeat #1");
}

#[test]
fn crashes_are_what_was_asked_for() {
    for (how, code, signal) in [
        ("crash=3", Some(3), None),
        ("crash=0", Some(0), None),
        ("crash=255", Some(255), None),
        ("crash=SEGV", None, Some(11)),
        ("crash=ABRT", None, Some(6)),
        ("crash=KILL", None, Some(9)),
        ("crash=TERM", None, Some(15)),
        ("crash=INT", None, Some(2)),
        ("crash=PIPE", None, Some(13)),
        ("crash=BUS", None, Some(7)),
    ] {
        let ran = ran(&["--tick-interval=0.02", &format!("--inject={how}@3")]);
        assert_eq!(
            (ran.status.code(), ran.status.signal()),
            (code, signal),
            "{how}"
        );
        let lines = ran.lines();
        assert_eq!(
            lines.len(),
            3,
            "{how}: what was printed before it is there, and no farewell: {lines:?}"
        );
        assert!(!ran.status.core_dumped(), "{how}: no core file");
    }
}

#[test]
fn the_deaf_hear_nothing_and_outlive_their_duration() {
    let mut running = Running::start(&[
        "--duration-seconds=0.2",
        "--tick-interval=0.05",
        "--inject=deaf=50@2",
    ]);
    running.beat(3);
    running.signal(Signal::INT);
    running.signal(Signal::TERM);
    // Far beyond the duration.
    running.beat(20);
    running.signal(Signal::KILL);
    let (status, rest) = running.end();
    assert_eq!(status.signal(), Some(9));
    assert!(
        rest.iter().all(|line| line["event"] == "heartbeat"),
        "{rest:?}"
    );
}

#[test]
fn the_deaf_end_by_themselves_in_the_end() {
    let ran = ran(&[
        "--duration-seconds=0.2",
        "--tick-interval=0.05",
        "--inject=deaf=0.3",
    ]);
    assert_eq!(ran.status.code(), Some(0));
    assert!(ran.lines().len() > 5);
}

/// The children of a process that hold its pipes.
pub(crate) fn holding(parent: i32) -> Vec<i32> {
    let proc = std::fs::read_dir("/proc").unwrap();
    proc.filter_map(|entry| {
        let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let holds = String::from_utf8_lossy(&line).contains("--hold-pipes\0");
        (holds && field(pid, 1)? == parent).then_some(pid)
    })
    .collect()
}

/// A number of `/proc/<pid>/stat`, counted after the name and the state.
fn field(pid: i32, n: usize) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(n)?.parse().ok()
}

/// Whether a process is there and does not only wait to be collected.
fn lives(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// Ended with the test, however that ends.
pub(crate) struct Kept(pub(crate) i32);

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.0) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

#[test]
fn a_grandchild_keeps_the_pipes_after_the_end_and_a_daemon_its_own_session() {
    for kind in ["grandchild=41.25", "daemon=42.25"] {
        let mut running = Running::start(&["--tick-interval=0.05", &format!("--inject={kind}")]);
        running.beat(3);
        let own = running.pid().as_raw_nonzero().get();
        let pid = until("the grandchild is there", || holding(own).first().copied());
        let kept = Kept(pid);
        // It leaves the session, and stops to hear signals, a little after its start.
        let same = kind.starts_with("grandchild");
        until("the grandchild has its session", || {
            ((field(pid, 3) == field(own, 3)) == same).then_some(())
        });
        until("the grandchild is deaf", || {
            [Signal::HUP, Signal::INT, Signal::TERM]
                .iter()
                .all(|s| caught(pid, *s))
                .then_some(())
        });
        running.signal(Signal::INT);
        assert_eq!(running.exit().code(), Some(0));
        for signal in [Signal::INT, Signal::TERM] {
            kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
        }
        assert!(
            lives(pid) && !running.at_end(),
            "the grandchild has the pipe"
        );
        drop(kept);
        until("the pipe ends with the grandchild", || {
            running.at_end().then_some(())
        });
    }
}

#[test]
fn a_grandchild_ends_by_itself_also_if_its_parent_was_killed() {
    let mut running = Running::start(&[
        "--tick-interval=1",
        "--inject=grandchild=0.8@1",
        "--inject=crash=KILL@2",
    ]);
    let own = running.pid().as_raw_nonzero().get();
    let pid = until("the grandchild is there", || holding(own).first().copied());
    let _kept = Kept(pid);
    assert_eq!(running.exit().signal(), Some(9));
    assert!(lives(pid), "its time begins with its parent's end");
    until("the pipe ends", || running.at_end().then_some(()));
    until("the grandchild is gone", || (!lives(pid)).then_some(()));
}

#[test]
fn what_the_deaf_did_not_hear_they_do_not_hear_later() {
    let mut running = Running::start(&["--tick-interval=0.25", "--inject=deaf=50@2-4"]);
    running.beat(2);
    running.signal(Signal::INT);
    running.beat(7);
    running.signal(Signal::TERM);
    let (status, rest) = running.end();
    assert_eq!(status.code(), Some(0));
    assert_eq!(rest.last().unwrap()["reason"], "SIGTERM");
}

#[test]
fn what_could_not_be_injected_is_no_success() {
    let mut running = Running::start(&[
        "--tick-interval=0.05",
        "--duration-seconds=60",
        "--inject=flood=3@1000",
    ]);
    running.beat(2);
    running.signal(Signal::INT);
    let (status, rest) = running.end();
    assert_eq!(status.code(), Some(3));
    assert_eq!(rest.last().unwrap()["message"], "shutdown");
}

#[test]
fn a_wrong_command_line_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let diary = folder.path().join("diary");
    let ran = ran(&[
        &format!("--diary={}", diary.display()),
        "--inject=slience=3",
    ]);
    assert_eq!(ran.status.code(), Some(64));
    assert!(
        ran.said().contains("did you mean `silence`?") && ran.said().contains("--help"),
        "{}",
        ran.said()
    );
    assert!(ran.out.is_empty() && !diary.exists());
}

#[test]
fn nobody_who_reads_is_an_end_and_no_hang() {
    let mut child = simulated(&["--tick-interval=0.02"]).spawn().unwrap();
    drop(child.stdout.take());
    let status = until("it ends", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(73));
}

#[test]
fn a_full_pipe_blocks_it_and_nothing_is_lost() {
    let mut child = simulated(&["--tick-interval=0.02", "--inject=flood=50000"])
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&child);
    // It is in the middle of the burst when it sleeps in the kernel with a full pipe.
    let wchan = || std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    let out = child.stdout.take().unwrap();
    until("the pipe is full", || {
        let waiting = rustix::io::ioctl_fionread(&out).unwrap();
        (waiting >= 60_000 && wchan().contains(") S ")).then_some(())
    });
    kill_process(pid, Signal::TERM).unwrap();
    let mut all = Vec::new();
    std::io::Read::read_to_end(&mut std::io::BufReader::new(out), &mut all).unwrap();
    let status = until("it ends", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    let lines = crate::lab::lines(&all);
    let count = |event: &str| lines.iter().filter(|l| l["event"] == event).count();
    assert_eq!((count("flood"), count("shutdown")), (50_000, 1));
    assert_eq!(
        count("heartbeat"),
        2,
        "the tick was finished, and no other begun"
    );
}

#[test]
fn it_grows_and_burns() {
    let running = Running::start(&[
        "--tick-interval=0.05",
        "--inject=memory=16@2-5",
        "--inject=cpu=100@2",
    ]);
    let pid = running.pid().as_raw_nonzero();
    let field = |name: &str| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|l| l.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let ticks = || -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let after_name = stat.rsplit_once(')').unwrap().1;
        after_name
            .split_whitespace()
            .nth(11)
            .unwrap()
            .parse()
            .unwrap()
    };
    running.beat(1);
    let before = field("VmRSS:");
    running.beat(8);
    assert!(field("VmRSS:") >= before + 60 * 1024, "4 times 16 MiB");
    let began = now();
    until("half a second of CPU time is used", || {
        (ticks() >= 50).then_some(())
    });
    assert!(began.elapsed() < DEADLINE);
}

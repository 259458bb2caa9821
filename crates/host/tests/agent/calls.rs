//! Keys, epochs and the socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use gonogo_core::{Reason, Span};
use gonogo_host::client::HostTarget;
use gonogo_release::{Action, Outcome};
use gonogo_target::{Call, Target};

use crate::world::{ASK, World, applied, call, start, until, weigh};

#[test]
fn a_call_under_way_is_unknown_and_a_probe_waits_for_it() {
    let world = World::new();
    let spec = world.version("1", &[("READY_AFTER_MS", "600")]);
    let target = world.target();
    let first = {
        let call = call("k", 1, start("blue", &spec), Some(&spec));
        std::thread::spawn(move || target.call(&call))
    };
    until("the process", || (world.running().len() == 1).then_some(()));
    let again = world.start("k", "blue", &spec);
    assert!(matches!(again, Outcome::Unknown { .. }), "{again:?}");
    let hasty = Call {
        deadline: Span::from_millis(50),
        ..call("p", 1, Action::Probe { key: "k".into() }, None)
    };
    let told = world.target().call(&hasty);
    assert!(matches!(told, Outcome::Unknown { .. }), "{told:?}");
    assert_eq!(world.observe().slots, [], "a start under way is not shown");
    let told = world.probe("k");
    assert_eq!(
        told,
        Outcome::Applied {
            generation: 1,
            observed: None,
            cut: 0,
        }
    );
    assert_eq!(first.join().unwrap(), told);
    assert_eq!(
        world.start("k", "blue", &spec),
        told,
        "and is not done again"
    );
    assert_eq!(world.running().len(), 1);
}

#[test]
fn work_that_waited_for_a_slot_is_refused_when_a_newer_controller_has_come() {
    let world = World::new();
    let spec = world.version("1", &[("READY_AFTER_MS", "600")]);
    let calls = [
        call("k", 1, start("blue", &spec), Some(&spec)),
        call(
            "late",
            1,
            Action::Stop {
                slot: "blue".into(),
            },
            None,
        ),
    ];
    let [first, late] = calls.map(|call| {
        let target = world.target();
        let late = call.key == "late";
        let handle = std::thread::spawn(move || target.call(&call));
        // The start must hold the slot before the stop comes, the stop must wait before the newer controller comes.
        until("the call's arrival", || match late {
            false => (world.running().len() == 1).then_some(()),
            true => world.state()["calls"]["seen"].get("late").map(|_| ()),
        });
        handle
    });
    let observed = world.target().call(&call("o", 2, Action::Observe, None));
    assert!(matches!(observed, Outcome::Applied { .. }), "{observed:?}");
    applied(first.join().unwrap());
    let late = late.join().unwrap();
    assert!(
        matches!(
            late,
            Outcome::Refused {
                reason: Reason::StaleEpoch,
                ..
            }
        ),
        "{late:?}"
    );
    assert_eq!(world.observe().slots.len(), 1);
}

#[test]
fn fence_keys_and_outcomes_survive_a_kill() {
    let mut world = World::new();
    world.epoch = 7;
    let spec = world.version("1", &[]);
    let generation = applied(world.start("k", "blue", &spec));
    let refused = world.call("w", weigh(&[("blue", 10_000)], 99), None);
    assert!(matches!(
        refused,
        Outcome::Refused {
            reason: Reason::BaseStateMoved,
            ..
        }
    ));
    world.kill_agent();
    world.start_agent();
    assert_eq!(world.target().hello(ASK).unwrap().fence, 7);
    assert_eq!(
        world.start("k", "blue", &spec),
        Outcome::Applied {
            generation,
            observed: None,
            cut: 0,
        }
    );
    assert_eq!(
        world.call("w", weigh(&[("blue", 10_000)], 99), None),
        refused
    );
    world.epoch = 6;
    let stale = world.stop("s", "blue");
    assert!(
        matches!(
            stale,
            Outcome::Refused {
                reason: Reason::StaleEpoch,
                ..
            }
        ),
        "{stale:?}"
    );
}

#[test]
fn a_caller_that_left_before_its_call_was_read_gets_nothing_done() {
    let world = World::new();
    let spec = world.version("1", &[]);
    applied(world.start("k", "blue", &spec));
    // The stopped agent reads the request only after its sender has given up.
    let pid = rustix::process::Pid::from_raw(
        i32::try_from(world.target().hello(ASK).unwrap().pid).unwrap(),
    )
    .unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let keys = ["s0", "s1", "s2", "s3"];
    for key in keys {
        let stop = Action::Stop {
            slot: "blue".into(),
        };
        let hasty = Call {
            deadline: Span::from_millis(20),
            ..call(key, 1, stop, None)
        };
        let outcome = world.target().call(&hasty);
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    }
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    for key in keys {
        let told = world.probe(key);
        assert!(
            matches!(told, Outcome::NotApplied { .. }),
            "{key}: {told:?}"
        );
    }
    assert_eq!(world.observe().slots.len(), 1, "and it stays undone");
}

#[test]
fn requests_that_are_not_understood_are_answered_and_change_nothing() {
    let world = World::new();
    let mut stream = UnixStream::connect(world.dir.join("agent.sock")).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for bad in [
        "",
        "{",
        "[]",
        r#"{"op":"hello","extra":1}"#,
        r#"{"op":"logs","slot":"../state","lines":5}"#,
        r#"{"op":"logs","slot":"blue","lines":5000}"#,
    ] {
        writeln!(stream, "{bad}").unwrap();
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let reply: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (reply["reply"].as_str(), reply["reason"].as_str()),
            (Some("error"), Some("AGENT_REFUSED")),
            "{bad}: {line}"
        );
    }
    writeln!(stream, r#"{{"op":"hello"}}"#).unwrap();
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(
        line.contains(r#""environment":"prod""#),
        "the connection goes on: {line}"
    );
    // A line without its end is not acted on.
    write!(stream, r#"{{"op":"shutdown","stop_services":true}}"#).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    line.clear();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("AGENT_REFUSED"), "{line}");
    world.target().hello(ASK).unwrap();
}

#[test]
fn the_client_knows_not_sent_from_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let target = HostTarget::new(dir.path());
    let stop = Call {
        deadline: Span::from_millis(100),
        ..call(
            "k",
            1,
            Action::Stop {
                slot: "blue".into(),
            },
            None,
        )
    };
    let outcome = target.call(&stop);
    assert!(
        matches!(
            outcome,
            Outcome::NotApplied {
                reason: Reason::AgentUnreachable,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert!(target.sample(ASK).is_err());
    assert_eq!(
        target.hello(ASK).unwrap_err().reason(),
        Reason::AgentUnreachable
    );
    let listener = UnixListener::bind(dir.path().join("agent.sock")).unwrap();
    let outcome = target.call(&stop);
    assert!(
        matches!(&outcome, Outcome::Unknown { text } if text.contains("ms")),
        "silence: {outcome:?}"
    );
    let server = std::thread::spawn(move || {
        let mut held = Vec::new();
        for answer in [
            "",
            "{\"reply\":\"bye\"}\n",
            "{\"reply\":\"outcome\"",
            "nonsense\n",
        ] {
            // The one that met silence comes first and is long gone.
            let stream = loop {
                let (stream, _) = listener.accept().unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                if line.contains("\"now\"") {
                    break stream;
                }
            };
            (&stream).write_all(answer.as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Both).unwrap();
            held.push(stream);
        }
    });
    for _ in 0..4 {
        let outcome = target.call(&Call {
            key: "now".into(),
            deadline: Span::from_secs(5),
            ..stop.clone()
        });
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    }
    server.join().unwrap();
}

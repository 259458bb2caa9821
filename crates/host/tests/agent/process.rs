//! The agent as a process: one per directory, its address, how it ends, how it is started.

use std::net::TcpListener;
use std::process::Command;

use gonogo_core::{Reason, Span};
use gonogo_host::client::HostTarget;
use gonogo_target::Target;
use rustix::process::Signal;

use crate::world::{ASK, World, applied, example, exists, get, until};

fn second(world: &World) -> (i32, String) {
    let out = Command::new(example("host_agent"))
        .args(world.arguments())
        .output()
        .unwrap();
    (
        out.status.code().unwrap(),
        String::from_utf8(out.stderr).unwrap(),
    )
}

#[test]
fn a_second_agent_is_refused() {
    let world = World::new();
    let pid = world.target().hello(ASK).unwrap().pid;
    let (code, text) = second(&world);
    assert_eq!(code, i32::from(Reason::AgentRefused.exit().code()));
    assert!(
        text.starts_with("AGENT_REFUSED: another agent")
            && text.contains(&format!("process {pid}")),
        "{text}"
    );
    world.target().hello(ASK).unwrap();
}

#[test]
fn a_taken_port_and_a_forbidden_place_are_told_apart() {
    let mut world = World::still();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    world.listen = holder.local_addr().unwrap();
    let (code, text) = second(&world);
    assert_eq!(code, i32::from(Reason::PortTaken.exit().code()));
    assert!(
        text.starts_with("PORT_TAKEN") && text.contains(&world.listen.to_string()),
        "{text}"
    );
    drop(holder);
    std::fs::write(world.root.path().join("file"), "").unwrap();
    world.dir = "/proc/1/gonogo".into();
    let (_, text) = second(&world);
    assert!(
        !text.contains("PORT_TAKEN") && text.contains("/proc/1/gonogo"),
        "{text}"
    );
    world.dir = world.root.path().join("agent");
}

#[test]
fn services_go_on_when_the_agent_is_asked_to_end_and_are_adopted_by_the_next() {
    let mut world = World::new();
    applied(world.start("a", "blue", &world.version("1", &[])));
    let generation = applied(world.weigh("w", &[("blue", 10_000)]));
    let pid = world.get("/pid").1;
    let boot = world.target().hello(ASK).unwrap().boot;
    assert!(world.signal_agent(Signal::TERM).success());
    assert!(!exists(&world.dir.join("agent.sock")));
    assert!(get(world.listen, "/").is_err(), "the agent listens no more");
    assert_eq!(world.running().len(), 1);
    world.start_agent();
    assert_eq!(world.get("/pid").1, pid, "the same process serves");
    assert_eq!(world.observe().generation, generation);
    let sample = world.target().sample(ASK).unwrap();
    assert_ne!(sample.boot, boot, "the counters began anew");
    assert_eq!((sample.seq, sample.slots["blue"].exits), (1, 0));
    assert_eq!(applied(world.weigh("off", &[])), generation + 1);
    applied(world.stop("s", "blue"));
    assert_eq!(world.running().len(), 0, "adopted processes are ended, too");
}

#[test]
fn requests_in_flight_end_before_the_agent_does() {
    let mut world = World::new();
    applied(world.start("a", "blue", &world.version("1", &[])));
    applied(world.weigh("w", &[("blue", 10_000)]));
    let listen = world.listen;
    let request = std::thread::spawn(move || get(listen, "/hold/500"));
    until("the request", || {
        (world.target().sample(ASK).unwrap().slots["blue"].in_flight == 1).then_some(())
    });
    assert!(world.signal_agent(Signal::INT).success());
    assert_eq!(request.join().unwrap().unwrap(), (200, "1".into()));
}

#[test]
fn shutdown_can_stop_the_services() {
    let world = World::new();
    for slot in ["blue", "green"] {
        applied(world.start(slot, slot, &world.version(slot, &[("FORK", "1")])));
    }
    applied(world.weigh("w", &[("blue", 10_000)]));
    world.target().shutdown(true, Span::from_secs(30)).unwrap();
    until("the agent's end", || {
        world.target().hello(ASK).is_err().then_some(())
    });
    assert_eq!(world.running().len(), 0);
    assert_eq!(world.state()["slots"], serde_json::json!({}));
}

#[test]
fn an_agent_is_started_on_demand_once() {
    let world = World::still();
    let started: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    world
                        .target()
                        .ensure_running(
                            &example("host_agent"),
                            &world.arguments(),
                            Span::from_secs(20),
                        )
                        .unwrap()
                })
            })
            .collect();
        all.into_iter().map(|t| t.join().unwrap().pid).collect()
    });
    assert_eq!(
        started
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        1,
        "{started:?}"
    );
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", started[0])).unwrap();
    let group = stat[stat.rfind(')').unwrap()..]
        .split(' ')
        .nth(3)
        .unwrap()
        .to_owned();
    assert_eq!(group, started[0].to_string(), "it leads its own group");
}

#[test]
fn a_failed_start_on_demand_says_why() {
    let mut world = World::still();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    world.listen = holder.local_addr().unwrap();
    let ensure = |target: HostTarget, exe: &std::path::Path| {
        target
            .ensure_running(exe, &world.arguments(), Span::from_secs(20))
            .unwrap_err()
    };
    let error = ensure(world.target(), &example("host_agent"));
    assert_eq!(error.reason(), Reason::PortTaken);
    assert!(
        error.to_string().contains(&world.listen.to_string()),
        "{error}"
    );
    assert!(exists(&world.dir.join("agent.log")));
    let error = ensure(world.target(), std::path::Path::new("/bin/false"));
    assert_eq!(error.reason(), Reason::AgentUnreachable);
    assert!(error.to_string().contains("exit status: 1"), "{error}");
}

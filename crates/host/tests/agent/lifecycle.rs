//! What versions go through: start, readiness, traffic, exit and return, drain, stop; and starts that fail.

use gonogo_core::{Reason, Span};
use gonogo_release::plan::{Artifact, ReadyProbe};
use gonogo_release::{Action, Outcome};
use gonogo_target::Target;
use gonogo_target::contract::{Fixture, check_contract};

use crate::world::{ASK, World, applied, get, until};

#[test]
fn the_agent_keeps_the_contract_of_targets() {
    let world = World::new();
    let mut broken = world.version("3", &[("EXIT_AT_START", "7")]);
    broken.ready.within = Span::from_secs(5);
    let fixture = Fixture {
        first: world.version("1", &[]),
        second: world.version("2", &[]),
        broken: Some(broken),
        slow_over: Span::from_millis(200),
        deadline: Span::from_secs(15),
        epoch: 5,
    };
    check_contract(&world.target(), &fixture).unwrap();
    assert_eq!(world.running().len(), 0, "nothing is left");
}

#[test]
fn traffic_follows_the_weights_and_is_counted() {
    let world = World::new();
    applied(world.start("a", "blue", &world.version("1", &[])));
    assert_eq!(
        world.get("/").0,
        503,
        "a version without weight gets nothing"
    );
    applied(world.start("b", "green", &world.version("2", &[])));
    applied(world.weigh("w", &[("blue", 10_000)]));
    for _ in 0..20 {
        assert_eq!(world.get("/"), (200, "1".into()));
    }
    applied(world.weigh("w2", &[("green", 10_000)]));
    for _ in 0..20 {
        assert_eq!(
            world.get("/"),
            (200, "2".into()),
            "no request goes by older weights once the call is answered"
        );
    }
    assert_eq!(world.get("/hold/250").0, 200);
    let sample = until("the last request's count", || {
        let sample = world.target().sample(ASK).unwrap();
        (sample.slots["green"].completed() == 21).then_some(sample)
    });
    let (blue, green) = (&sample.slots["blue"], &sample.slots["green"]);
    assert_eq!(
        (blue.routed, blue.ok, blue.slow, blue.weight),
        (20, 20, 0, 0)
    );
    assert_eq!(
        (green.routed, green.ok, green.slow, green.weight),
        (21, 21, 1, 10_000)
    );
    assert_eq!(
        (sample.unrouted, sample.generation),
        (1, world.observe().generation)
    );
    assert!(
        green.p99_us >= 250_000 && green.p50_us < 200_000,
        "{green:?}"
    );
}

#[test]
fn a_version_started_again_in_its_slot_counts_from_zero() {
    let mut world = World::new();
    let spec = world.version("1", &[]);
    let counts = |world: &World| world.target().sample(ASK).unwrap().slots["blue"].clone();
    applied(world.start("a", "blue", &spec));
    applied(world.weigh("on", &[("blue", 10_000)]));
    for _ in 0..5 {
        assert_eq!(world.get("/").0, 200);
    }
    until("the counts", || (counts(&world).ok == 5).then_some(()));
    applied(world.weigh("off", &[]));
    applied(world.stop("s", "blue"));
    let generation = applied(world.start("b", "blue", &spec));
    let anew = counts(&world);
    assert_eq!(
        (
            anew.version.as_str(),
            anew.routed,
            anew.ok,
            anew.completed()
        ),
        ("1", 0, 0, 0)
    );
    let instance = |world: &World| world.state()["slots"]["blue"]["instance"].as_u64();
    assert_eq!(instance(&world), Some(generation));
    applied(world.weigh("on2", &[("blue", 10_000)]));
    assert_eq!(world.get("/").0, 200);
    until("the count", || (counts(&world).ok == 1).then_some(()));
    world.kill_agent();
    world.start_agent();
    assert_eq!(
        instance(&world),
        Some(generation),
        "the slot was not filled anew"
    );
}

#[test]
fn a_version_that_exits_is_routed_away_counted_and_started_again() {
    let world = World::new();
    applied(world.start("a", "blue", &world.version("1", &[])));
    applied(world.start("b", "green", &world.version("2", &[("FORK", "1")])));
    let generation = applied(world.weigh("w", &[("blue", 5_000), ("green", 5_000)]));
    let first = until("a pid of green", || {
        Some(world.get("/pid").1).filter(|pid| *pid == world.pid("green").unwrap().to_string())
    });
    let port = world.state()["slots"]["green"]["port"].as_u64().unwrap();
    let _ = get(format!("127.0.0.1:{port}").parse().unwrap(), "/exit");
    until("the exit's count", || {
        (world.target().sample(ASK).unwrap().slots["green"].exits == 1).then_some(())
    });
    for _ in 0..20 {
        assert_eq!(world.get("/").0, 200, "the other one serves everything");
    }
    let second = until("green's return", || {
        let sample = world.target().sample(ASK).unwrap();
        sample.slots["green"]
            .ready
            .then(|| world.pid("green").unwrap())
    });
    assert_ne!(first, second.to_string());
    until("green's traffic", || {
        (world.get("/") == (200, "2".into())).then_some(())
    });
    assert_eq!(
        world.observe().generation,
        generation,
        "weights and slots are what they were"
    );
    assert_eq!(
        world.running().len(),
        3,
        "the old one's child is gone: {:?}",
        world.running()
    );
    let log = world.target().logs("green", 100, ASK).unwrap().join("\n");
    assert!(log.contains("exited with status 9"), "{log}");
}

#[test]
fn readiness_is_watched() {
    let world = World::new();
    applied(world.start("a", "blue", &world.version("1", &[])));
    applied(world.weigh("w", &[("blue", 10_000)]));
    world.get("/unready");
    until("unreadiness", || {
        (!world.observe().slots[0].ready).then_some(())
    });
    assert_eq!(world.get("/").0, 503);
    let refused = world.call(
        "w2",
        Action::Weigh {
            weights: [("blue".into(), 10_000)].into(),
            expect: world.observe().generation,
        },
        None,
    );
    assert!(
        matches!(
            refused,
            Outcome::Refused {
                reason: Reason::VersionNotReady,
                ..
            }
        ),
        "{refused:?}"
    );
    let port = world.state()["slots"]["blue"]["port"].as_u64().unwrap();
    get(format!("127.0.0.1:{port}").parse().unwrap(), "/reready").unwrap();
    until("traffic", || (world.get("/").0 == 200).then_some(()));
    assert_eq!(world.target().sample(ASK).unwrap().slots["blue"].exits, 0);
}

#[test]
fn a_version_that_ends_before_it_is_ready_is_told_with_its_last_words() {
    let world = World::new();
    let outcome = world.start("a", "blue", &world.version("1", &[("EXIT_AT_START", "7")]));
    let Outcome::NotApplied {
        reason: Reason::VersionExited,
        text,
    } = &outcome
    else {
        panic!("{outcome:?}")
    };
    assert!(
        text.contains("status 7") && text.contains("1 cannot go on"),
        "{text}"
    );
    assert_eq!(
        (world.observe().slots.len(), world.observe().generation),
        (0, 0),
        "the slot is free"
    );
    applied(world.start("b", "blue", &world.version("1", &[])));
}

#[test]
fn a_version_that_does_not_become_ready_is_killed_with_its_group() {
    let world = World::new();
    let mut spec = world.version(
        "1",
        &[("NEVER_READY", "1"), ("FORK", "1"), ("IGNORE_TERM", "1")],
    );
    // Long enough that it listens and says 503, also on a busy machine.
    spec.ready.within = Span::from_secs(3);
    let outcome = world.start("a", "blue", &spec);
    let Outcome::NotApplied {
        reason: Reason::VersionNotReady,
        text,
    } = &outcome
    else {
        panic!("{outcome:?}")
    };
    assert!(text.contains("503") && text.contains("1 begins"), "{text}");
    assert_eq!(world.running().len(), 0);
    assert_eq!(world.observe().slots.len(), 0);
}

#[test]
fn a_version_that_ignores_the_signal_is_killed_with_its_group() {
    let world = World::new();
    let mut spec = world.version("1", &[("IGNORE_TERM", "1"), ("FORK", "1")]);
    spec.drain.within = Span::from_millis(200);
    applied(world.start("a", "blue", &spec));
    until("the child", || (world.running().len() == 2).then_some(()));
    let before = world.observe().generation;
    assert_eq!(applied(world.stop("s", "blue")), before + 1);
    assert_eq!(world.running().len(), 0);
}

#[test]
fn draining_waits_for_requests_and_cuts_what_is_left() {
    let world = World::new();
    let mut spec = world.version("1", &[]);
    spec.drain.within = Span::from_millis(1_500);
    applied(world.start("a", "blue", &spec));
    applied(world.weigh("w", &[("blue", 10_000)]));
    let listen = world.listen;
    for (key, hold, whole) in [("d1", 400, true), ("d2", 60_000, false)] {
        let request = std::thread::spawn(move || get(listen, &format!("/hold/{hold}")));
        until("the request", || {
            (world.target().sample(ASK).unwrap().slots["blue"].in_flight == 1).then_some(())
        });
        let generation = applied(world.weigh(&format!("{key}-off"), &[]));
        let drained = world.call(
            key,
            Action::Drain {
                slot: "blue".into(),
            },
            None,
        );
        assert_eq!(
            applied(drained),
            generation,
            "draining changes no slot and no weight"
        );
        assert_eq!(
            world.target().sample(ASK).unwrap().slots["blue"].in_flight,
            0
        );
        let answer = request.join().unwrap();
        assert_eq!(matches!(answer, Ok((200, _))), whole, "{answer:?}");
        applied(world.weigh(&format!("{key}-on"), &[("blue", 10_000)]));
    }
}

#[test]
fn artifacts_are_checked_and_kept() {
    let world = World::new();
    let spec = world.version("1", &[]);
    let program = world.project().join("bin/svc");
    let bytes = std::fs::read(&program).unwrap();
    std::fs::write(&program, [&bytes[..], b"x"].concat()).unwrap();
    let outcome = world.start("a", "blue", &spec);
    assert!(
        matches!(
            outcome,
            Outcome::Refused {
                reason: Reason::ArtifactChanged,
                ..
            }
        ),
        "{outcome:?}"
    );
    std::fs::remove_file(&program).unwrap();
    let outcome = world.start("b", "blue", &spec);
    assert!(
        matches!(
            outcome,
            Outcome::Refused {
                reason: Reason::ArtifactMissing,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert_eq!(world.observe().slots.len(), 0);
    std::fs::write(&program, &bytes).unwrap();
    applied(world.start("c", "blue", &spec));
    std::fs::remove_file(&program).unwrap();
    applied(world.start("d", "green", &spec));
    let exe = std::fs::read_link(format!("/proc/{}/exe", world.pid("green").unwrap())).unwrap();
    let releases = std::fs::canonicalize(world.dir.join("releases")).unwrap();
    assert_eq!(
        exe,
        releases.join(spec.content().unwrap().hex()).join("bin/svc"),
        "it runs from the kept copy"
    );
}

#[test]
fn programs_that_cannot_run_are_told_apart() {
    let world = World::new();
    let mut spec = world.version("1", &[]);
    spec.artifacts[0].executable = false;
    let outcome = world.start("a", "blue", &spec);
    assert!(
        matches!(
            outcome,
            Outcome::NotApplied {
                reason: Reason::PermissionDenied,
                ..
            }
        ),
        "{outcome:?}"
    );
    spec.artifacts = Vec::<Artifact>::new();
    spec.run = vec!["./absent".into()];
    let outcome = world.start("b", "blue", &spec);
    assert!(
        matches!(
            outcome,
            Outcome::NotApplied {
                reason: Reason::ArtifactMissing,
                ..
            }
        ),
        "{outcome:?}"
    );
    let mut spec = world.version("1", &[]);
    spec.env_from = vec!["GONOGO_TEST_ABSENT".into()];
    let outcome = world.start("c", "blue", &spec);
    assert!(
        matches!(&outcome, Outcome::NotApplied { reason: Reason::AgentRefused, text } if text.contains("GONOGO_TEST_ABSENT")),
        "{outcome:?}"
    );
    spec.env_from = vec!["PATH".into()];
    spec.ready.probe = ReadyProbe::Tcp;
    applied(world.start("d", "blue", &spec));
    let env = std::fs::read(format!("/proc/{}/environ", world.pid("blue").unwrap())).unwrap();
    let env = String::from_utf8_lossy(&env).into_owned();
    assert!(
        env.contains(&format!("PATH={}\0", std::env::var("PATH").unwrap())),
        "{env}"
    );
    assert!(!env.contains("CARGO"), "nothing else is taken over: {env}");
}

#[test]
fn a_version_that_keeps_ending_is_started_again_after_longer_and_longer_pauses() {
    let world = World::new();
    applied(world.start("a", "blue", &world.version("1", &[])));
    applied(world.weigh("w", &[("blue", 10_000)]));
    for exits in 1..=2 {
        until("an answer", || (world.get("/").0 == 200).then_some(()));
        world.get("/exit");
        until("the exit", || {
            (world.target().sample(ASK).unwrap().slots["blue"].exits == exits).then_some(())
        });
    }
    let pauses = until("the log", || {
        let log = world.target().logs("blue", 100, ASK).unwrap();
        let pauses = log
            .iter()
            .filter_map(|line| line.split("started again in ").nth(1));
        let pauses: Vec<String> = pauses.map(str::to_owned).collect();
        (pauses.len() == 2).then_some(pauses)
    });
    assert_eq!(pauses, ["500 ms", "1000 ms"]);
    // A stop in the middle of a pause ends it.
    applied(world.weigh("off", &[]));
    applied(world.stop("s", "blue"));
    assert_eq!((world.running().len(), world.observe().slots.len()), (0, 0));
}

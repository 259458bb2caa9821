//! `kill -9` of the agent anywhere: afterwards slots, processes and calls agree, and nothing runs twice or unseen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gonogo_exec::Launch;
use gonogo_release::{Action, Observed, Outcome};
use gonogo_target::Target;

use crate::world::{ASK, World, applied, call, start, until, weigh};

/// Rounds of the random test; it goes on until it has seen starts and weighings on both sides of their effect.
const ROUNDS: std::ops::Range<u64> = 40..400;
const BOTH: [&str; 4] = [
    "Start done",
    "Start not done",
    "Weigh done",
    "Weigh not done",
];

/// Chooses the next action from what is there.
fn choose(
    rng: &mut fastrand::Rng,
    seen: &Observed,
    world: &World,
    round: u64,
) -> (Action, Option<gonogo_release::plan::VersionSpec>) {
    let used: BTreeMap<&str, u32> = seen
        .slots
        .iter()
        .map(|s| (s.slot.as_str(), s.weight))
        .collect();
    let free: Vec<&str> = ["blue", "green"]
        .into_iter()
        .filter(|s| !used.contains_key(s))
        .collect();
    let idle: Vec<&str> = used
        .iter()
        .filter(|(_, w)| **w == 0)
        .map(|(s, _)| *s)
        .collect();
    let ready: Vec<&str> = seen
        .slots
        .iter()
        .filter(|s| s.ready)
        .map(|s| s.slot.as_str())
        .collect();
    match rng.u8(0..10) {
        0..5 if !free.is_empty() => {
            let spec = world.version(
                &format!("v{round}"),
                &[("READY_AFTER_MS", "20"), ("FORK", "1")],
            );
            (start(free[0], &spec), Some(spec))
        }
        0..4 if !idle.is_empty() => (
            Action::Stop {
                slot: idle[0].into(),
            },
            None,
        ),
        4 if !idle.is_empty() => (
            Action::Drain {
                slot: idle[0].into(),
            },
            None,
        ),
        _ if ready.len() == 2 => {
            let share = [0, 1_000, 5_000, 10_000][rng.usize(0..4)];
            (
                weigh(
                    &[(ready[0], share), (ready[1], 10_000 - share)],
                    seen.generation,
                ),
                None,
            )
        }
        _ => {
            let all: Vec<(&str, u32)> = ready.first().map(|s| (*s, 10_000)).into_iter().collect();
            (weigh(&all, seen.generation), None)
        }
    }
}

/// What must be true of slots and processes whatever happened.
fn check_processes(world: &World, seen: &Observed) {
    let state = world.state();
    let running = world.running();
    let marks: BTreeSet<&str> = seen
        .slots
        .iter()
        .map(|s| state["slots"][&s.slot]["mark"].as_str().unwrap())
        .collect();
    let strays: Vec<_> = running
        .values()
        .filter(|mark| !marks.contains(mark.as_str()))
        .collect();
    assert!(strays.is_empty(), "run and belong to no slot: {strays:?}");
    for slot in &seen.slots {
        let mark = state["slots"][&slot.slot]["mark"].as_str().unwrap();
        let leaders: Vec<_> = running
            .iter()
            .filter(|(pid, m)| {
                *m == mark && gonogo_exec::Process::find(**pid, mark).unwrap().is_some()
            })
            .map(|(pid, _)| *pid)
            .collect();
        assert_eq!(
            leaders,
            [world.pid(&slot.slot).unwrap()],
            "slot {} has one process, the recorded one",
            slot.slot
        );
        assert!(slot.ready, "{slot:?}");
    }
}

#[test]
fn a_kill_at_any_moment_leaves_nothing_behind_and_nothing_unclear() {
    let mut world = World::new();
    let seed = std::env::var("GONOGO_TEST_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut fates: BTreeMap<String, u32> = BTreeMap::new();
    for round in 0..ROUNDS.end {
        if round >= ROUNDS.start && BOTH.iter().all(|both| fates.contains_key(*both)) {
            return;
        }
        let what = format!("seed {seed}, round {round}");
        let before = world.observe();
        let pids: BTreeMap<String, u32> = before
            .slots
            .iter()
            .map(|s| (s.slot.clone(), world.pid(&s.slot).unwrap()))
            .collect();
        let (action, spec) = choose(&mut rng, &before, &world, round);
        let key = format!("round-{round}");
        let sent = {
            let (target, call) = (
                world.target(),
                call(&key, world.epoch, action.clone(), spec.as_ref()),
            );
            std::thread::spawn(move || target.call(&call))
        };
        // Starts take longest: their kills are spread over all that they do, and half of them over its beginning.
        let spread = match action {
            Action::Start { .. } if rng.bool() => 150_000,
            Action::Start { .. } => 40_000,
            _ => 25_000,
        };
        std::thread::sleep(Duration::from_micros(rng.u64(0..spread)));
        world.kill_agent();
        let answer = sent.join().unwrap();
        world.start_agent();
        world.epoch += 1;
        let fate = world.probe(&key);
        let after = world.observe();
        let done = match &fate {
            Outcome::Applied { generation, .. } => {
                assert!(
                    *generation <= after.generation && *generation >= before.generation,
                    "{what}: {fate:?}"
                );
                true
            }
            Outcome::NotApplied { .. } => false,
            other => panic!("{what}: a probe after recovery knows: {other:?}"),
        };
        match &answer {
            Outcome::Applied { .. } => {
                assert_eq!(answer, fate, "{what}: what was answered stays true")
            }
            Outcome::Unknown { .. } => {}
            Outcome::NotApplied { .. } => assert!(!done, "{what}: {answer:?}, then {fate:?}"),
            other => panic!("{what}: {other:?}"),
        }
        let same = |slot: &str| {
            before.slots.iter().find(|s| s.slot == slot)
                == after.slots.iter().find(|s| s.slot == slot)
        };
        match &action {
            Action::Start { slot, content, .. } => {
                let there = after.slots.iter().find(|s| s.slot == *slot);
                assert_eq!(
                    there.map(|s| s.content),
                    done.then_some(*content),
                    "{what}: {action:?} {fate:?}"
                );
                assert!(
                    after
                        .slots
                        .iter()
                        .filter(|s| s.slot != *slot)
                        .all(|s| same(&s.slot)),
                    "{what}"
                );
            }
            Action::Weigh { weights, .. } if done => {
                let set = after
                    .slots
                    .iter()
                    .all(|s| s.weight == weights.get(&s.slot).copied().unwrap_or(0));
                assert!(
                    set && after.generation == before.generation + 1,
                    "{what}: {weights:?} {after:?}"
                );
            }
            Action::Stop { slot } => assert_eq!(
                after.slots.iter().any(|s| s.slot == *slot),
                !done,
                "{what}: {fate:?}"
            ),
            _ => assert_eq!(after, before, "{what}: {action:?} {fate:?}"),
        }
        check_processes(&world, &after);
        for slot in after.slots.iter().filter(|s| pids.contains_key(&s.slot)) {
            assert_eq!(
                world.pid(&slot.slot),
                pids.get(&slot.slot).copied(),
                "{what}: adopted, not started again"
            );
        }
        if after.slots.iter().map(|s| s.weight).sum::<u32>() > 0 {
            assert_eq!(world.get("/").0, 200, "{what}");
        }
        let kind = format!("{action:?}")
            .split([' ', '{'])
            .next()
            .unwrap()
            .to_owned();
        *fates
            .entry(format!("{kind} {}", if done { "done" } else { "not done" }))
            .or_default() += 1;
    }
    // A test that never hits them shows little.
    panic!("seed {seed}: {fates:?}");
}

#[test]
fn a_process_that_was_started_and_not_recorded_is_adopted() {
    let mut world = World::new();
    applied(world.start("a", "blue", &world.version("1", &[])));
    applied(world.weigh("w", &[("blue", 10_000)]));
    let pid = world.pid("blue").unwrap();
    world.kill_agent();
    // As if the kill had come between the start and its record.
    let mut state = world.state();
    state["slots"]["blue"]["process"] = serde_json::Value::Null;
    std::fs::write(world.dir.join("state.json"), state.to_string()).unwrap();
    world.start_agent();
    assert_eq!(world.pid("blue"), Some(pid));
    assert_eq!(world.get("/pid").1, pid.to_string());
    assert_eq!(world.target().sample(ASK).unwrap().slots["blue"].exits, 0);
    check_processes(&world, &world.observe());
}

#[test]
fn what_carries_the_mark_and_belongs_to_no_slot_is_ended() {
    let mut world = World::new();
    world.kill_agent();
    let stray = Launch {
        argv: vec![
            "/bin/sh".into(),
            "-c".into(),
            "trap '' TERM; sleep 600 & setsid sleep 600 & wait".into(),
        ],
        env: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
        dir: world.root.path().into(),
        log: world.root.path().join("stray.log"),
        errors: None,
        mark: format!("{}stray", world.prefix().unwrap()),
    };
    let foreign = Launch {
        mark: format!("another-{}1", world.prefix().unwrap()),
        ..stray.clone()
    };
    let (stray, foreign) = (stray.start().unwrap(), foreign.start().unwrap());
    until("the strays", || (world.running().len() == 3).then_some(()));
    world.start_agent();
    assert_eq!(world.running().len(), 0);
    assert!(!stray.is_alive());
    assert!(foreign.is_alive(), "another agent's are left alone");
    gonogo_exec::end(&foreign, gonogo_exec::Ladder::KILL).unwrap();
    gonogo_exec::reap(&stray);
}

#[test]
fn a_version_that_died_with_the_agent_is_started_again_and_a_recycled_number_is_not_adopted() {
    let mut world = World::new();
    applied(world.start("a", "blue", &world.version("1", &[("FORK", "1")])));
    applied(world.weigh("w", &[("blue", 10_000)]));
    world.kill_agent();
    let old = world.pid("blue").unwrap();
    for pid in world.running().into_keys().filter(|pid| *pid == old) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    // The number now belongs to this test's own process, which must be left alone.
    let mut state = world.state();
    state["slots"]["blue"]["process"]["pid"] = std::process::id().into();
    std::fs::write(world.dir.join("state.json"), state.to_string()).unwrap();
    world.start_agent();
    until("blue's return", || {
        (world.get("/") == (200, "1".into())).then_some(())
    });
    let sample = world.target().sample(ASK).unwrap();
    assert_eq!(
        (sample.slots["blue"].exits, sample.slots["blue"].ready),
        (1, true)
    );
    assert_eq!(
        world.running().len(),
        2,
        "one version and its child: {:?}",
        world.running()
    );
    check_processes(&world, &world.observe());
}

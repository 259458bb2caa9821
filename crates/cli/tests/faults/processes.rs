//! Agents, versions and controllers that are killed or stopped.

use std::time::Duration;

use gonogo_core::Reason;
use gonogo_release::machine::{Ending, Phase};
use rustix::process::Signal;

use crate::lab::{GOOD, LONGEST, Lab, OTHER, alive, lost, nothing_lost, now, signal, wait};
use crate::{ended, founded, founded_slow, reasons};

/// Kills the agent and waits for the next one; returns how long nobody answered.
#[track_caller]
fn replace_agent(lab: &Lab) -> Duration {
    let old = lab.agent().expect("the agent runs");
    let began = now();
    assert!(signal(old, Signal::KILL));
    wait("another agent answers", Duration::from_secs(20), || {
        (lab.agent().is_some_and(|pid| pid != old) && lab.observed().is_ok()).then_some(())
    });
    began.elapsed()
}

/// Stops a process that holds no lock on a file: one that sleeps in the middle of a write keeps everybody else from writing,
/// and nobody can take over before it wakes up. Goes on with it and says no if it does.
fn stop_between_writes(pid: u32) -> bool {
    assert!(signal(pid, Signal::STOP));
    let stopped = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.starts_with('T').then_some(())
    };
    wait("the process stops", LONGEST, stopped);
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    let pid_text = pid.to_string();
    let writes = locks.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.contains(&"WRITE") && words.get(4) == Some(&pid_text.as_str())
    });
    if writes {
        assert!(signal(pid, Signal::CONT));
    }
    !writes
}

fn in_first_stage(o: &gonogo_store::Operation) -> bool {
    o.phase == Phase::Observe
}

#[test]
fn an_agent_killed_in_a_stage_is_started_again_and_the_release_goes_on_with_the_same_processes() {
    let lab = founded_slow("4s");
    let load = lab.load(200.0);
    let plan = lab.approved(OTHER);
    let apply = lab.start(&["apply", &plan]);
    let id = lab.until(&plan, "the stage begins", in_first_stage).id;
    let pids = [GOOD, OTHER].map(|v| lab.version_pid(v));
    let down = replace_agent(&lab);
    assert_eq!(
        [GOOD, OTHER].map(|v| lab.version_pid(v)),
        pids,
        "the versions go on under the new agent"
    );
    assert!(pids.iter().flatten().all(|pid| alive(*pid)));
    let before = load.snapshot();
    let ran = apply.finish(LONGEST);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ended(&lab, &id, Ending::Promoted, OTHER);
    // Nothing is lost but what came while nobody listened.
    let report = load.snapshot();
    assert_eq!(
        lost(&report),
        lost(&before),
        "lost after the agent was back: {:?}",
        report.failures
    );
    assert!(
        down < Duration::from_secs(5),
        "nobody listened for {down:?}"
    );
    crate::lab::say(&format!("the agent was down for {down:?}"));
    let log = std::fs::read_to_string(lab.path(".gonogo/controller.log")).unwrap();
    assert!(
        log.contains("does not answer; starting it again") && log.contains("answers again"),
        "{log}"
    );
}

#[test]
fn an_agent_killed_in_the_middle_of_a_start_leaves_no_half_started_version() {
    let lab = founded();
    lab.behave(
        OTHER,
        &format!("version = \"{OTHER}\"\nslow_start = \"3s\"\n"),
    );
    let load = lab.load(200.0);
    let plan = lab.approved(OTHER);
    let apply = lab.start(&["apply", &plan]);
    let pid = wait("the version is being started", LONGEST, || {
        lab.version_pid(OTHER)
    });
    let id = lab.operation(&plan).unwrap().id;
    replace_agent(&lab);
    let ran = apply.finish(LONGEST);
    // Adopted and promoted, or ended and rolled back: either way one version serves and nothing else runs.
    let (ending, serves) = match ran.code {
        Some(0) => (Ending::Promoted, OTHER),
        _ => (Ending::RolledBack, GOOD),
    };
    assert!(matches!(ran.code, Some(0 | 2)), "{ran:?}");
    ended(&lab, &id, ending, serves);
    if ending == Ending::RolledBack {
        assert!(!alive(pid), "the half-started version is gone");
    }
    drop(load);
}

#[test]
fn an_agent_killed_around_a_weighing_ends_right() {
    let lab = founded();
    let load = lab.load(200.0);
    let mut stable = GOOD;
    // The weighing takes milliseconds: the agent is killed as soon as the version is ready, a little later each time.
    for delay in [0, 15, 40] {
        let version = if stable == GOOD { OTHER } else { GOOD };
        let plan = lab.approved(version);
        let apply = lab.start(&["apply", &plan]);
        let state = || {
            lab.agent_state()["slots"].as_object().map_or(0, |slots| {
                slots.values().filter(|s| s["phase"] == "serving").count()
            })
        };
        wait("the version is ready", LONGEST, || {
            (state() == 2).then_some(())
        });
        std::thread::sleep(Duration::from_millis(delay));
        replace_agent(&lab);
        let ran = apply.finish(LONGEST);
        assert!(matches!(ran.code, Some(0 | 2)), "{ran:?}");
        let (ending, serves) = if ran.code == Some(0) {
            (Ending::Promoted, version)
        } else {
            (Ending::RolledBack, stable)
        };
        ended(&lab, &lab.operation(&plan).unwrap().id, ending, serves);
        stable = serves;
    }
    drop(load);
}

#[test]
fn a_stable_process_killed_during_a_canary_is_started_again_and_no_request_is_left_unanswered() {
    let lab = founded_slow("4s");
    let load = lab.load(200.0);
    let plan = lab.approved(OTHER);
    let apply = lab.start(&["apply", &plan]);
    let id = lab.until(&plan, "the stage begins", in_first_stage).id;
    let old = lab.version_pid(GOOD).unwrap();
    assert!(signal(old, Signal::KILL));
    let new = wait("stable is started again", LONGEST, || {
        lab.version_pid(GOOD).filter(|pid| *pid != old)
    });
    assert!(alive(new));
    let ran = apply.finish(LONGEST);
    let (ending, serves) = match ran.code {
        Some(0) => (Ending::Promoted, OTHER),
        _ => (Ending::RolledBack, GOOD),
    };
    assert!(matches!(ran.code, Some(0 | 2)), "{ran:?}");
    ended(&lab, &id, ending, serves);
    load.stop();
    let report = load.join();
    // What was inside the killed process is lost with it, nothing else: the canary answers meanwhile.
    assert!(
        lost(&report) <= 64,
        "{} lost: {:?}",
        lost(&report),
        report.failures
    );
    assert_eq!(
        (report.errors.connect, report.errors.timeout),
        (0, 0),
        "{:?}",
        report.failures
    );
}

#[test]
fn a_canary_process_killed_in_a_stage_is_rolled_back_for_that_reason() {
    let lab = founded_slow("4s");
    let load = lab.load(200.0);
    let plan = lab.approved(OTHER);
    let apply = lab.start(&["apply", &plan]);
    let id = lab.until(&plan, "the stage begins", in_first_stage).id;
    assert!(signal(lab.version_pid(OTHER).unwrap(), Signal::KILL));
    let ran = apply.finish(LONGEST);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    ended(&lab, &id, Ending::RolledBack, GOOD);
    assert!(
        reasons(&lab, &id).contains(&Reason::VersionExited),
        "{:?}",
        reasons(&lab, &id)
    );
    load.stop();
    let report = load.join();
    assert!(
        lost(&report) <= 64,
        "{} lost: {:?}",
        lost(&report),
        report.failures
    );
    assert_eq!(
        (report.errors.connect, report.errors.timeout),
        (0, 0),
        "{:?}",
        report.failures
    );
}

#[test]
fn of_two_controllers_one_acts() {
    let lab = founded();
    let load = lab.load(200.0);
    let plan = lab.approved(OTHER);
    let before = crate::audit::Before::of(&lab);
    let first = lab.start(&["apply", &plan]);
    let id = lab.until(&plan, "the operation begins", |o| o.seq > 0).id;
    let others: Vec<_> = (0..3)
        .map(|_| lab.start(&["controller", id.as_str()]))
        .collect();
    let watcher = lab.start(&["watch", id.as_str()]);
    for ran in others.into_iter().map(|o| o.finish(LONGEST)) {
        assert_eq!(
            ran.code,
            Some(75),
            "it leaves the work to the one that has it: {ran:?}"
        );
    }
    assert_eq!(first.finish(LONGEST).code, Some(0));
    assert_eq!(watcher.finish(LONGEST).code, Some(0));
    let expected = crate::audit::Expected {
        ending: Ending::Promoted,
        serves: OTHER,
    };
    let wrong = crate::audit::wrong(&lab, &id, &before, &expected);
    assert!(wrong.is_empty(), "{wrong:#?}");
    nothing_lost(load);
}

#[test]
fn a_controller_that_slept_longer_than_its_lease_does_nothing_more() {
    let lab = founded_slow("25s");
    let load = lab.load(200.0);
    let plan = lab.approved(OTHER);
    let before = crate::audit::Before::of(&lab);
    let sleeper = lab.start(&["apply", &plan]);
    let id = lab.until(&plan, "the stage begins", in_first_stage).id;
    assert_eq!(lab.controller(), Some(sleeper.pid()));
    wait("it is stopped", LONGEST, || {
        stop_between_writes(sleeper.pid()).then_some(())
    });
    let takes_over = || {
        lab.run(&["status"]);
        lab.controller().filter(|pid| *pid != sleeper.pid())
    };
    let within = Duration::from_secs(40);
    let taken = wait(
        "the lease runs out and another controller takes over",
        within,
        takes_over,
    );
    assert!(signal(sleeper.pid(), Signal::CONT));
    let ran = sleeper.finish(LONGEST);
    assert_eq!(
        ran.code,
        Some(0),
        "it follows to the end what the other one does: {ran:?}"
    );
    wait("the controller ends", LONGEST, || {
        (!alive(taken)).then_some(())
    });
    let expected = crate::audit::Expected {
        ending: Ending::Promoted,
        serves: OTHER,
    };
    let wrong = crate::audit::wrong(&lab, &id, &before, &expected);
    assert!(wrong.is_empty(), "{wrong:#?}");
    nothing_lost(load);
}

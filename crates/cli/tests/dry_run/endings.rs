//! How a run ends when somebody ends it: signals to the harness, `kill -9` of any of its parts. No process stays, and there is
//! always a verdict.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::lab::{BARE, BEATS, Lab, Made, SOON, incidents, orchestrate, sh};
use crate::project::{Running, wait};

/// A harness at work on a run called `run`, which has printed something.
fn begun(lab: &Lab, flags: &[&str], script: &str) -> Running {
    let args = orchestrate("run", 300.0, &[&BARE[..2], flags].concat(), &sh(script));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut command = lab.command(&args);
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let running = Running::of(command.spawn().unwrap());
    wait("the child prints", SOON, || {
        let path = lab.path("artifacts/final_dry_run/run/logs/final_dry_run_run/stdout.000001");
        std::fs::metadata(path)
            .is_ok_and(|m| m.len() > 200)
            .then_some(())
    });
    running
}

fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Whether what was kept is whole lines of the script, in order, without a hole.
fn without_holes(text: &str) {
    let seqs: Vec<u64> = text
        .lines()
        .filter_map(|l| serde_json::from_str::<Value>(l).ok()?["seq"].as_u64())
        .collect();
    assert!(!seqs.is_empty());
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
}

/// `finalize` gives a verdict that is none to go on with, and gives it again.
fn finalized<'a>(lab: &'a Lab, kinds: &[&str]) -> Made<'a> {
    let ran = lab.run(&["finalize", "artifacts/final_dry_run/run", "--json"]);
    assert!([2, 3].contains(&ran.status), "{ran:?}");
    let made = lab.made("run", ran);
    let summary = made.summary();
    assert_ne!(summary["status"], "pass");
    for kind in kinds {
        assert!(
            !incidents(&summary, kind).is_empty(),
            "no {kind}: {:#}",
            summary["incidents"]
        );
    }
    without_holes(&lab.text(&made.captured("stdout.000001")));
    let progress = made.json("progress.json");
    assert_eq!(progress["phase"], "complete");
    assert_eq!(progress["status"], summary["status"]);
    let again = lab.run(&["finalize", "artifacts/final_dry_run/run", "--json"]);
    assert_eq!(again.status, made.ran.status);
    assert_eq!(again.envelope()["data"]["status"], summary["status"]);
    assert_eq!(again.envelope()["data"]["again"], true);
    let verified = lab.verify(&made.packet(), &made.key(), &[]);
    assert_eq!(verified.status, made.ran.status, "{verified:?}");
    assert_eq!(
        verified.envelope()["data"]["dryRun"]["ok"],
        true,
        "{verified:?}"
    );
    made
}

#[test]
fn a_killed_harness_leaves_no_process_and_finalize_judges() {
    let lab = Lab::new();
    let harness = begun(&lab, &[], BEATS);
    harness.signal(Signal::KILL);
    drop(harness);
    lab.deserted();
    finalized(&lab, &["harness_lost"]);
}

#[test]
fn a_killed_keeper_ends_the_run_and_the_harness_judges() {
    let lab = Lab::new();
    let harness = begun(&lab, &[], BEATS);
    kill(lab.part("keeper"), Signal::KILL);
    let ran = harness.join();
    assert!([2, 3].contains(&ran.status), "{ran:?}");
    lab.deserted();
    finalized(&lab, &["keeper_lost"]);
}

#[test]
fn harness_and_keeper_killed_together_leave_no_process_and_finalize_judges() {
    let lab = Lab::new();
    // Children that would like to live on: in a session of their own.
    let script = format!("setsid sleep 1000 & {BEATS}");
    let harness = begun(&lab, &[], &script);
    let keeper = lab.part("keeper");
    harness.signal(Signal::KILL);
    kill(keeper, Signal::KILL);
    drop(harness);
    lab.deserted();
    finalized(&lab, &["keeper_lost"]);
}

#[test]
fn a_killed_pump_loses_nothing_and_is_told() {
    let lab = Lab::new();
    let harness = begun(&lab, &[], BEATS);
    let first = lab.part("pump");
    kill(first, Signal::KILL);
    let second = wait("another pump works", SOON, || {
        Some(lab.part("pump")).filter(|pid| *pid != first)
    });
    assert_ne!(first, second);
    let stdout = lab.path("artifacts/final_dry_run/run/logs/final_dry_run_run/stdout.000001");
    let seen = std::fs::metadata(&stdout).unwrap().len();
    wait("the new pump writes", SOON, || {
        (std::fs::metadata(&stdout).unwrap().len() > seen + 500).then_some(())
    });
    harness.signal(Signal::INT);
    let ran = harness.join();
    assert_eq!(ran.status, 2, "{ran:?}");
    let made = lab.made("run", ran);
    assert_eq!(incidents(&made.summary(), "pump_restart").len(), 1);
    without_holes(&lab.text(&made.captured("stdout.000001")));
    // The bare view has no hole either, and nothing twice.
    assert_eq!(
        lab.text(&made.inside("logs/final_dry_run_run.log")),
        lab.text(&made.captured("stdout.000001"))
    );
    lab.verify(&made.packet(), &made.key(), &[]).expect(2);
}

#[test]
fn signals_to_the_harness_end_the_run_in_order() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let lab = Lab::new();
        let harness = begun(&lab, &["--shutdown-grace-seconds", "20"], BEATS);
        harness.signal(signal);
        let made = lab.made("run", harness.join());
        // It ended before its time, so it failed.
        let summary = made.ended(2, "fail");
        assert_eq!(
            incidents(&summary, "interrupted").len(),
            1,
            "{:#}",
            summary["incidents"]
        );
        assert_eq!(incidents(&summary, "killed"), Vec::<Value>::new());
        assert_eq!(summary["summary"]["metadata"]["exit_code"], 0);
        for file in [
            "review.html",
            "wrap_up.md",
            "packet.tar.gz",
            "sign_off.json",
        ] {
            assert!(lab.path(&made.inside(file)).is_file(), "{file}");
        }
        lab.verify(&made.packet(), &made.key(), &[]).expect(2);
        lab.deserted();
    }
}

#[test]
fn a_deaf_child_is_killed_and_judged() {
    for signal in [Signal::INT, Signal::TERM] {
        let lab = Lab::new();
        let script = BEATS.replace("trap 'exit 0' INT TERM", "trap '' INT TERM HUP");
        let flags = [
            "--shutdown-grace-seconds",
            "0.5",
            "--terminate-grace-seconds",
            "0.5",
        ];
        let harness = begun(&lab, &flags, &script);
        harness.signal(signal);
        let made = lab.made("run", harness.join());
        let summary = made.ended(2, "fail");
        assert_eq!(
            incidents(&summary, "killed").len(),
            1,
            "{:#}",
            summary["incidents"]
        );
        assert_eq!(summary["summary"]["metadata"]["exit_code"], -9);
        lab.deserted();
    }
}

#[test]
fn a_second_signal_hurries() {
    let lab = Lab::new();
    let script = BEATS.replace("trap 'exit 0' INT TERM", "trap '' INT TERM HUP");
    // Longer than this test may take: only the second signal can end it.
    let flags = [
        "--shutdown-grace-seconds",
        "500",
        "--terminate-grace-seconds",
        "500",
    ];
    let harness = begun(&lab, &flags, &script);
    let journal = "artifacts/final_dry_run/run/logs/final_dry_run_run/keeper.jsonl";
    // Each takes the next step, whichever step that is.
    for _ in 0..3 {
        let before = lab.text(journal).lines().count();
        if over(&lab) {
            break;
        }
        harness.signal(Signal::INT);
        wait("the next step is taken", SOON, || {
            (over(&lab) || lab.text(journal).lines().count() > before).then_some(())
        });
    }
    let made = lab.made("run", harness.join());
    made.ended(2, "fail");
    lab.deserted();
}

fn over(lab: &Lab) -> bool {
    lab.path("artifacts/final_dry_run/run/summary.json")
        .exists()
}

#[test]
fn finalize_does_not_touch_a_run_that_goes_on() {
    let lab = Lab::new();
    let harness = begun(&lab, &[], BEATS);
    let ran = lab.run(&[
        "finalize",
        "artifacts/final_dry_run/run",
        "--within-seconds",
        "0.2",
        "--json",
    ]);
    let envelope = ran.envelope();
    assert_eq!(envelope["success"], false);
    assert!(
        envelope["error"].to_string().contains("RUN_ACTIVE"),
        "{envelope:#}"
    );
    let made = lab.made("run", ran);
    assert!(!lab.path(&made.captured("verdict.json")).exists());
    harness.signal(Signal::INT);
    harness.join().expect(2);
    let nothing = lab.run(&["finalize", "nowhere", "--json"]);
    nothing.refusal(66, &["INPUT_NOT_FOUND"]);
}

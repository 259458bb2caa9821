//! How a run ends when somebody ends it: signals to the harness, `kill -9` of any of its parts. No process stays, and there is
//! always a verdict.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::lab::{BARE, BEATS, Lab, Made, SOON, findings, incidents, orchestrate, sh};
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
        // Bytes that are to be packed lie in the tail first.
        ["stdout.000001", "stdout.tail"].iter().find_map(|name| {
            let path = lab
                .path("artifacts/final_dry_run/run/logs/final_dry_run_run")
                .join(name);
            std::fs::metadata(path)
                .is_ok_and(|m| m.len() > 200)
                .then_some(())
        })
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

/// The raw bytes of stdout, whatever they were packed with.
fn unpacked(lab: &Lab, capture: &str) -> Vec<u8> {
    let mut names: Vec<_> = std::fs::read_dir(lab.path(capture))
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .filter(|p| {
            p.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("stdout.0")
        })
        .collect();
    names.sort();
    assert!(!names.is_empty());
    names.push(lab.path(capture).join("stdout.tail"));
    let mut bytes = Vec::new();
    for path in names {
        let with = match path.extension().and_then(|e| e.to_str()) {
            Some("gz") => "gzip",
            Some("zst") => "zstd",
            _ => "cat",
        };
        if with == "cat" {
            bytes.extend(std::fs::read(path).unwrap_or_default());
            continue;
        }
        let out = std::process::Command::new(with)
            .arg("-dc")
            .arg(&path)
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{}: {}",
            path.display(),
            String::from_utf8_lossy(&out.stderr)
        );
        bytes.extend(out.stdout);
    }
    bytes
}

#[test]
fn compressed_and_rotated_logs_have_no_hole_whoever_is_killed() {
    // Fast enough that several members are closed meanwhile.
    let script = r#"trap 'exit 0' INT TERM
n=0
while :; do n=$((n+1)); echo "{\"level\":\"info\",\"message\":\"beat\",\"seq\":$n}"; done"#;
    for (how, end) in [("gzip", "gz"), ("zstd", "zst")] {
        if let Some(why) = gonogo_testkit::lacks(how, &["--version"]) {
            gonogo_testkit::skip(&format!("logs packed with {how} after a kill"), &why);
            continue;
        }
        let lab = Lab::new();
        let harness = begun(
            &lab,
            &["--compression", how, "--log-rotate-size", "256KiB"],
            script,
        );
        let capture = "artifacts/final_dry_run/run/logs/final_dry_run_run";
        let pump = lab.part("pump");
        kill(pump, Signal::KILL);
        let closed = |n: u32| {
            let path = lab.path(&format!("{capture}/stdout.{n:06}.{end}"));
            wait("a segment is closed", SOON, || path.exists().then_some(()));
        };
        closed(2);
        harness.signal(Signal::KILL);
        kill(lab.part("keeper"), Signal::KILL);
        drop(harness);
        lab.deserted();
        let ran = lab.run(&["finalize", "artifacts/final_dry_run/run", "--json"]);
        assert!([2, 3].contains(&ran.status), "{ran:?}");
        let made = lab.made("run", ran);
        let text = String::from_utf8(unpacked(&lab, capture)).unwrap();
        without_holes(&text);
        let summary = made.summary();
        assert_eq!(summary["summary"]["logs"]["total_bytes"], text.len() as u64);
        let verified = lab.verify(&made.packet(), &made.key(), &[]);
        assert_eq!(
            verified.envelope()["data"]["dryRun"]["ok"],
            true,
            "{verified:?}"
        );
    }
}

#[test]
fn a_harness_that_is_killed_while_it_judges_leaves_a_run_that_can_be_finalized_by_several_at_once()
{
    let lab = Lab::new();
    let args = orchestrate("run", 0.5, &BARE, &sh(BEATS));
    let mut command = lab.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    let mut harness = command.spawn().unwrap();
    let said = std::io::BufReader::new(harness.stderr.take().unwrap());
    let judging = std::io::BufRead::lines(said)
        .map_while(Result::ok)
        .any(|line| line.contains("judging"));
    assert!(judging);
    harness.kill().unwrap();
    harness.wait().unwrap();
    lab.deserted();
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let finalize = || lab.run(&["finalize", "artifacts/final_dry_run/run", "--json"]);
        let started: Vec<_> = (0..3).map(|_| scope.spawn(finalize)).collect();
        started
            .into_iter()
            .map(|s| s.join().unwrap().expect(0).envelope()["data"].clone())
            .collect()
    });
    for answer in &answers {
        assert_eq!(
            (&answer["status"], &answer["signOff"]),
            (&"pass".into(), &answers[0]["signOff"])
        );
    }
    let key = answers[0]["logKey"].as_str().unwrap();
    lab.verify(
        &lab.path("artifacts/final_dry_run/run/packet.tar.gz"),
        key,
        &[],
    )
    .expect(0);
}

#[test]
fn a_run_whose_keeper_was_stopped_says_so_and_ends_when_it_is_asked_to() {
    let lab = Lab::new();
    let args = orchestrate("run", 600.0, &BARE, &sh(BEATS));
    let mut command = lab.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let harness = Running::of(command.spawn().unwrap());
    let keeper = lab.part("keeper");
    let dir = "artifacts/final_dry_run/run";
    let read = |inside: &str| {
        std::fs::read_to_string(lab.path(&format!("{dir}/{inside}"))).unwrap_or_default()
    };
    wait("the child beats", SOON, || {
        read("logs/final_dry_run_run/stdout.000001")
            .contains("beat")
            .then_some(())
    });
    let pid = Pid::from_raw(keeper).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    wait("the live report says it", SOON, || {
        read("progress.json").contains("was stopped").then_some(())
    });
    let refused = lab.run(&["finalize", dir, "--json", "--within-seconds", "0"]);
    assert_ne!(refused.status, 0);
    let text = refused.envelope().to_string();
    assert!(
        text.contains("RUN_ACTIVE") && text.contains(&format!("kill -CONT {keeper}")),
        "{text}"
    );
    let begun = now();
    harness.signal(Signal::TERM);
    let made = lab.made("run", harness.join());
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert!([2, 3].contains(&made.ran.status), "{:?}", made.ran);
    let blind = made.summary()["summary"]["logs"].to_string();
    assert!(blind.contains("keeper_stopped"), "{blind}");
    lab.deserted();
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_run() {
    let lab = Lab::new();
    let args = orchestrate("run", 1.5, &BARE, &sh(BEATS));
    let mut command = lab.command(
        &args
            .iter()
            .map(String::as_str)
            .filter(|a| *a != "--json")
            .collect::<Vec<_>>(),
    );
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut harness = command.spawn().unwrap();
    drop((harness.stdout.take(), harness.stderr.take()));
    wait("the harness ends", SOON, || harness.try_wait().unwrap());
    assert_eq!(
        lab.json("artifacts/final_dry_run/run/summary.json")["status"],
        "pass"
    );
    lab.deserted();
}

#[test]
fn a_child_that_spoils_its_own_evidence_does_not_pass() {
    let mut wrong = Vec::new();
    for (what, spoils) in [
        ("truncated", ": > \"$D/stdout.000001\""),
        ("removed", "rm \"$D/stdout.000001\""),
        ("index", "printf 'garbage' >> \"$D/index\""),
        (
            "index-cut",
            "head -c 100 \"$D/index\" > \"$D/i\"; cat \"$D/i\" > \"$D/index\"",
        ),
        ("journal", "printf 'garbage\\n' >> \"$D/keeper.jsonl\""),
        (
            "specification",
            "sed -i 's/\"minimum_duration_seconds\": [0-9.]*/\"minimum_duration_seconds\": 0.0/' \"$D/run.json\"",
        ),
        ("verdict", "echo '{}' > \"$D/verdict.json\""),
    ] {
        let lab = Lab::new();
        let script = format!(
            "D=\"$FINAL_DRY_RUN_LOG_DIR/final_dry_run_run\"\n{}",
            BEATS.replace(
                "sleep 0.05",
                &format!("sleep 0.05; [ $n = 8 ] && {{ {spoils}; }}")
            )
        );
        let flags = [&BARE[..], &["--required-duration-hours", "2"]].concat();
        let flags = if what == "specification" {
            flags
        } else {
            BARE.to_vec()
        };
        let args = orchestrate("run", 1.0, &flags, &sh(&script));
        let ran = lab.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
        lab.deserted();
        let judged = lab
            .path("artifacts/final_dry_run/run/summary.json")
            .exists();
        if !judged || (what == "specification" && ran.status != 3) {
            wrong.push(format!("{what}: no verdict, or another: {ran:?}"));
        }
        if ran.status == 101 || ran.err.contains("panicked") {
            wrong.push(format!("{what}: {ran:?}"));
        }
        if ran.status == 0 {
            // What was written over again is no harm: then all of it is there.
            let made = lab.made("run", ran);
            let verified = lab.verify(&made.packet(), &made.key(), &[]);
            if !["index", "journal", "verdict"].contains(&what) || verified.status != 0 {
                wrong.push(format!(
                    "{what} passes; its packet: {} {}",
                    verified.status, verified.out
                ));
            } else {
                without_holes(&lab.text(&made.captured("stdout.000001")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_run_is_finalized_where_its_ledger_is() {
    let lab = Lab::with("[dry_run]\n");
    let made = lab.orchestrate("run", 0.5, &[], &sh(BEATS));
    made.ended(0, "pass");
    std::fs::rename(lab.path("gonogo.toml"), lab.path("elsewhere.toml")).unwrap();
    let before = lab.names();
    let elsewhere = lab.run(&["finalize", &made.inside(""), "--json"]);
    elsewhere.refusal(66, &["INPUT_NOT_FOUND"]);
    assert_eq!(lab.names(), before);
    std::fs::rename(lab.path("elsewhere.toml"), lab.path("gonogo.toml")).unwrap();
    lab.run(&["finalize", &made.inside(""), "--json"]).expect(0);
}

#[test]
fn a_child_that_removes_its_own_capture_ends_its_run_and_never_passes() {
    for what in ["", "/run.json", "/keeper.jsonl"] {
        let lab = Lab::new();
        let script = format!(
            "trap 'exit 0' INT TERM; echo one; sleep 0.5; rm -rf \"$FINAL_DRY_RUN_LOG_DIR\"/final_dry_run_gone{what}; while :; do echo more; sleep 0.05; done"
        );
        let begun = now();
        let made = lab.orchestrate("gone", 120.0, &[], &sh(&script));
        // Neither its time nor anybody's patience is waited for.
        assert!(begun.elapsed() < SOON, "{what}: {:?}", begun.elapsed());
        assert!([2, 3].contains(&made.ran.status), "{what}: {:?}", made.ran);
        let summary = made.summary();
        let lost = incidents(&summary, "other");
        assert!(
            lost.iter()
                .any(|i| i.to_string().contains("files of the capture were removed")),
            "{what}: {:#}",
            summary["incidents"]
        );
        lab.deserted();
        let verdict = lab.text(&made.captured("verdict.json"));
        let again = lab.run(&["finalize", &made.inside(""), "--json"]);
        again.expect(made.ran.status);
        assert_eq!(lab.text(&made.captured("verdict.json")), verdict, "{what}");
    }
}

fn told_of_changes(made: &Made) -> bool {
    let problems = made.summary()["summary"]["logs"]["problems"].clone();
    let problems = problems.as_array().expect("a list of problems");
    problems.iter().any(|p| p["code"] == "directory_changed")
}

/// What is no file of the run is told, and neither waited for nor a reason for no verdict.
#[test]
fn what_a_child_puts_among_the_files_of_its_run_makes_the_verdict_none() {
    for (name, makes) in [
        ("keeper.jsonl", "mkfifo new; mv new keeper.jsonl"),
        ("odd", "mkfifo odd"),
        (
            "evidence/",
            "mkdir -p evidence/deep/er; echo x > evidence/deep/er/x",
        ),
        ("run.json", "rm run.json; ln -s keeper.jsonl run.json"),
        ("run.json", "echo '{}' > run.json"),
        ("foreign.txt", "mkdir foreign.txt"),
    ] {
        let lab = Lab::new();
        let script = format!(
            "trap 'exit 0' INT TERM; cd \"$FINAL_DRY_RUN_LOG_DIR\"/final_dry_run_run; echo one; sleep 0.3; {makes}; while :; do echo more; sleep 0.05; done"
        );
        let begun = now();
        let made = lab.orchestrate("run", 2.0, &[], &sh(&script));
        assert!(begun.elapsed() < SOON, "{name}: {:?}", begun.elapsed());
        made.ended(3, "invalid");
        assert!(told_of_changes(&made), "{makes}");
        assert!(lab.text(&made.captured("foreign.txt")).contains(name));
        lab.deserted();
        let verified = lab.verify(&made.packet(), &made.key(), &[]);
        assert_eq!(verified.status, 3, "{verified:?}");
        let again = lab.run(&["finalize", &made.inside(""), "--json"]);
        assert_eq!(again.expect(3).envelope()["data"]["again"], true);
    }
}

#[test]
fn a_killed_harness_whose_specification_was_changed_is_judged_by_the_recorded_one() {
    for spoils in ["changed", "removed", "garbage"] {
        let lab = Lab::new();
        let harness = begun(&lab, &[], BEATS);
        harness.signal(Signal::KILL);
        drop(harness);
        lab.deserted();
        let path = lab.path("artifacts/final_dry_run/run/logs/final_dry_run_run/run.json");
        let recorded = std::fs::read_to_string(&path).unwrap();
        match spoils {
            "removed" => std::fs::remove_file(&path).unwrap(),
            "garbage" => std::fs::write(&path, "garbage").unwrap(),
            _ => std::fs::write(&path, recorded.replace("\"run_id\": \"", "\"run_id\": \"x"))
                .unwrap(),
        }
        let made = finalized(&lab, &["harness_lost"]);
        made.ended(3, "invalid");
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            recorded,
            "{spoils}"
        );
        assert!(told_of_changes(&made), "{spoils}");
    }
}

#[test]
fn a_child_that_takes_the_ledger_or_the_progress_away_gets_a_verdict_and_no_pass() {
    let removes = |what: &str| {
        format!(
            "trap 'exit 0' INT TERM; echo one; sleep 0.5; {what}; while :; do echo more; sleep 0.05; done"
        )
    };
    let lab = Lab::new();
    let script = removes("rm -rf \"$FINAL_DRY_RUN_LOG_DIR\"/../../.gonogo");
    let made = lab.orchestrate("run", 2.0, &[], &sh(&script));
    made.ended(3, "invalid");
    assert!(!findings(&made.summary(), "ledger_lost").is_empty());
    assert!(lab.path(&made.inside("review.md")).exists());
    assert!(!lab.path(&made.inside("packet.tar.gz")).exists());
    lab.run(&["finalize", &made.inside(""), "--json"])
        .refusal(66, &["INPUT_NOT_FOUND"]);
    lab.deserted();

    let lab = Lab::new();
    let script = removes(
        "P=\"$FINAL_DRY_RUN_LOG_DIR\"/../progress.json; rm \"$P\"; while ! mkdir \"$P\"; do rm -f \"$P\"; done",
    );
    let args = orchestrate("run", 2.0, &BARE, &sh(&script));
    let ran = lab.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let made = lab.made("run", ran);
    assert_eq!(made.ran.status, 1, "{:?}", made.ran);
    let left = made.summary()["left_out"].to_string();
    assert!(left.contains("progress.json"), "{left}");
    assert!(lab.path(&made.inside("packet.tar.gz")).exists());
    lab.deserted();
}

#[test]
fn what_will_never_be_progress_is_not_waited_for() {
    let lab = Lab::new();
    lab.write("torn.json", "{\"status\": \"pa");
    let made = std::process::Command::new("mkfifo")
        .arg(lab.path("pipe"))
        .status();
    assert!(made.unwrap().success());
    for (flags, exit) in [
        (&["--progress", "pipe", "--once"][..], 66),
        (&["--progress", "torn.json", "--once"], 66),
        (
            &[
                "--progress",
                "torn.json",
                "--exit-when-complete",
                "--interval",
                "0.5",
            ],
            65,
        ),
        (
            &[
                "--progress",
                "pipe",
                "--exit-when-complete",
                "--interval",
                "0.5",
            ],
            65,
        ),
    ] {
        let begun = now();
        lab.run(&[&["watch", "--json"], flags].concat())
            .expect(exit);
        assert!(begun.elapsed() < SOON, "{flags:?}");
    }
}

/// Now, to tell how long something took.
#[expect(clippy::disallowed_methods, reason = "a test's patience is real time")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

//! A run that passes: what it leaves behind, that others can check it, and that it has one verdict.

use std::path::Path;

use serde_json::Value;

use crate::lab::{BEATS, Lab, SECOND, incidents, sh};
use crate::project::PROGRAM;

/// Lines of a text file, as JSON.
fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{l}: {e}")))
        .collect()
}

#[test]
fn a_run_that_passes_leaves_everything_and_can_be_checked_by_others() {
    let lab = Lab::new();
    let script = format!("printf 'plain words\\n'; {BEATS}");
    let made = lab.orchestrate("first", 1.5, &["--metadata", "ticket=42"], &sh(&script));
    let summary = made.ended(0, "pass");
    for file in [
        "summary.json",
        "sign_off.json",
        "review.md",
        "review.html",
        "review.json",
        "wrap_up.md",
        "wrap_up.json",
        "progress.json",
        "packet.tar.gz",
        "packet",
        "logs/final_dry_run_first.log",
        "logs/final_dry_run_first.jsonl",
        "logs/final_dry_run_first/run.json",
        "logs/final_dry_run_first/stdout.000001",
        "logs/final_dry_run_first/stderr.000001",
        "logs/final_dry_run_first/index",
        "logs/final_dry_run_first/keeper.jsonl",
        "logs/final_dry_run_first/pump.jsonl",
        "logs/final_dry_run_first/verdict.json",
    ] {
        assert!(lab.path(&made.inside(file)).exists(), "{file} is missing");
    }
    // What was measured is drawn.
    let charts = made.json("review.json")["charts"].clone();
    for series in ["rate", "resources"] {
        let points = charts[series].as_array().map_or(0, Vec::len);
        assert!(points > 0, "{series}: {charts:#}");
    }
    let page = lab.text(&made.inside("review.html"));
    assert!(
        !page.contains("No samples were taken"),
        "no chart of memory"
    );
    // The bare view is what was printed; the structured one has one record a line.
    let raw = lab.text(&made.captured("stdout.000001"));
    let log = lab.text(&made.inside("logs/final_dry_run_first.log"));
    assert_eq!(raw, log);
    assert!(raw.starts_with("plain words\n{\"level\":\"info\""), "{raw}");
    let records = lines(&lab.text(&made.inside("logs/final_dry_run_first.jsonl")));
    assert_eq!(records.len(), raw.lines().count());
    let plain = &records[0];
    assert_eq!(
        (
            &plain["level"],
            &plain["message"],
            &plain["stream"],
            &plain["event"],
            &plain["payload"]["raw"]
        ),
        (
            &"info".into(),
            &"plain words".into(),
            &"stdout".into(),
            &Value::Null,
            &"plain words".into()
        )
    );
    let beat = &records[1];
    assert_eq!(
        (
            &beat["level"],
            &beat["message"],
            &beat["event"],
            &beat["payload"]["structured"]["seq"]
        ),
        (
            &"info".into(),
            &"beat".into(),
            &"heartbeat".into(),
            &1.into()
        )
    );
    // Everything that counts agrees with it.
    let total = records.len() as u64;
    assert_eq!(summary["summary"]["logs"]["total_lines"], total);
    let facts = &summary["summary"]["metadata"];
    assert_eq!(facts["log_total_lines"], total);
    assert_eq!(facts["log_line_counts"]["stdout"], total);
    assert_eq!(facts["exit_code"], 0);
    assert_eq!(facts["timed_out"], true);
    assert_eq!(facts["user"]["ticket"], "42");
    assert_eq!(summary["summary"]["logs"]["uptime_ratio"], 1.0);
    assert_eq!(summary["incidents"], Value::Array(vec![]));
    let lived = summary["duration_seconds"].as_f64().unwrap();
    assert!((1.4..6.0).contains(&lived), "{lived}");
    let progress = made.json("progress.json");
    assert_eq!(progress["total_lines"], total);
    assert_eq!(progress["exit_code"], 0);
    assert_eq!(progress["sign_off"]["status"], "pass");
    let timeline = lab.names();
    let timeline: Vec<_> = timeline
        .iter()
        .filter(|p| p.parent().is_some_and(|d| d.ends_with("progress_timeline")))
        .collect();
    assert!(timeline.len() >= 2, "{timeline:?}");
    let last: Value =
        serde_json::from_slice(&std::fs::read(timeline[timeline.len() - 1]).unwrap()).unwrap();
    assert_eq!(last["status"], "pass");
    // Others check it with the key, and with nothing else of this directory.
    let key = made.key();
    let verified = lab.verify(&made.packet(), &key, &[]);
    let data = verified.expect(0).envelope()["data"].clone();
    assert_eq!(
        (
            &data["verified"],
            &data["dryRun"]["ok"],
            &data["dryRun"]["status"]
        ),
        (&true.into(), &true.into(), &"pass".into())
    );
    let other = "ledger.dry-run+00000000+AZm0B8kxNvAoYpJ5cJk5mWq0TQXyq1iRzJmJ6m8yq0Zk";
    assert_ne!(lab.verify(&made.packet(), other, &[]).status, 0);
    // A second look answers the same and writes no second verdict.
    let verdict = std::fs::read(lab.path(&made.captured("verdict.json"))).unwrap();
    let again = lab.run(&["finalize", &made.inside(""), "--json"]);
    let again = again.expect(0).envelope()["data"].clone();
    assert_eq!(
        (&again["status"], &again["again"]),
        (&"pass".into(), &true.into())
    );
    assert_eq!(again["signOff"], summary["sign_off"]);
    assert_eq!(
        std::fs::read(lab.path(&made.captured("verdict.json"))).unwrap(),
        verdict
    );
    lab.verify(&made.packet(), &key, &[]).expect(0);
    lab.deserted();
}

#[test]
fn the_simulated_runtime_passes_with_its_evidence() {
    let lab = Lab::new();
    let hours = (2.0 * SECOND).to_string();
    let ran = lab.run(&[
        "orchestrate",
        "--json",
        "--run-name",
        "sim",
        "--duration-hours",
        &hours,
        "--shutdown-grace-seconds",
        "5",
        "--",
        PROGRAM,
        "dry-run",
        "simulate",
        "--duration-seconds",
        "30",
        "--tick-interval",
        "0.2",
    ]);
    let made = lab.made("sim", ran);
    let summary = made.ended(0, "pass");
    assert!(
        summary["summary"]["diary"]["total_entries"]
            .as_u64()
            .unwrap()
            >= 3,
        "{:#}",
        summary["summary"]["diary"]
    );
    assert_eq!(summary["summary"]["performance"]["status"], "pass");
    lab.verify(&made.packet(), &made.key(), &[]).expect(0);
}

#[test]
fn two_runs_in_one_second_have_two_names() {
    let lab = Lab::new();
    let hours = (0.5 * SECOND).to_string();
    let args = [
        "run",
        "--json",
        "--log-dir",
        "logs",
        "--duration-hours",
        &hours,
        "--no-diary-required",
        "--no-performance-required",
        "--",
        "sh",
        "-c",
        BEATS,
    ];
    let both: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..3).map(|_| scope.spawn(|| lab.run(&args))).collect();
        started.into_iter().map(|s| s.join().unwrap()).collect()
    });
    let mut dirs: Vec<String> = both
        .iter()
        .map(|ran| {
            ran.expect(0).envelope()["data"]["directory"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    dirs.sort();
    dirs.dedup();
    assert_eq!(dirs.len(), 3, "{dirs:?}");
    for dir in &dirs {
        let view = format!("{dir}.jsonl");
        assert!(Path::new(&view).is_file(), "{view}");
        let verdict: Value =
            serde_json::from_slice(&std::fs::read(Path::new(dir).join("verdict.json")).unwrap())
                .unwrap();
        assert_eq!(verdict["status"], "pass");
        assert_eq!(
            lab.run(&["finalize", dir, "--json"]).expect(0).envelope()["data"]["again"],
            true
        );
    }
    // Which of them is meant must be said.
    let several = lab.run(&["finalize", "logs", "--json"]);
    several.refusal(64, &["ARGUMENT_INVALID"]);
}

#[test]
fn run_writes_the_reports_that_were_asked_for_and_no_others() {
    let lab = Lab::new();
    let hours = SECOND.to_string();
    let ran = lab.run(&[
        "run",
        "--log-dir",
        "logs",
        "--duration-hours",
        &hours,
        "--no-diary-required",
        "--no-performance-required",
        "--json-report",
        "out/report.json",
        "--markdown-report",
        "out/report.md",
        "--packet-dir",
        "out/packet",
        "--packet-archive",
        "out/packet.tar",
        "--review-output",
        "-",
        "--review-format",
        "json",
        "--note",
        "seen by dana",
        "--",
        "sh",
        "-c",
        BEATS,
    ]);
    ran.expect(0);
    let review: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(review["status"], "pass");
    assert!(ran.out.contains("seen by dana"));
    let report = lab.json("out/report.json");
    assert_eq!(report["status"], "pass");
    assert!(incidents(&report, "exit").is_empty());
    assert!(lab.text("out/report.md").contains("seen by dana"));
    for file in [
        "dry_run_summary.json",
        "dry_run_summary.md",
        "dry_run_sign_off.json",
        "manifest.json",
    ] {
        assert!(lab.path("out/packet").join(file).is_file(), "{file}");
    }
    let key = report["evidence_packet"]["log_key"]
        .as_str()
        .unwrap()
        .to_owned();
    lab.verify(&lab.path("out/packet.tar"), &key, &[]).expect(0);
    let names = lab.names();
    assert!(
        !names
            .iter()
            .any(|n| n.ends_with("summary.json") || n.ends_with("wrap_up.md")),
        "{names:?}"
    );
}

#[test]
fn of_several_that_want_one_name_at_once_one_has_it() {
    let lab = Lab::new();
    let ran: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..4)
            .map(|n| {
                let script = format!("echo 'number {n}'; {BEATS}");
                let lab = &lab;
                scope.spawn(move || lab.orchestrate("one", 1.0, &[], &sh(&script)).ran)
            })
            .collect();
        started.into_iter().map(|s| s.join().unwrap()).collect()
    });
    let won: Vec<usize> = (0..4).filter(|n| ran[*n].status == 0).collect();
    assert_eq!(won.len(), 1, "{ran:#?}");
    for (n, lost) in ran.iter().enumerate().filter(|(n, _)| *n != won[0]) {
        assert_eq!(lost.status, 73, "{n}: {lost:?}");
    }
    let made = lab.made("one", ran[won[0]].clone());
    made.ended(0, "pass");
    let log = lab.text(&made.inside("logs/final_dry_run_one.log"));
    assert!(log.starts_with(&format!("number {}\n", won[0])), "{log}");
    lab.verify(&made.packet(), &made.key(), &[]).expect(0);
}

//! `orchestrate` and `run` with every flag that runbooks use, in both spellings, at once; what reaches the child; what is left
//! out when it is asked to be.

use serde_json::Value;

use crate::lab::{BEATS, Lab, SECOND, orchestrate, sh};

/// Prints its variables and goes on well.
fn shows() -> String {
    format!("env | grep '^FINAL_DRY_RUN\\|^COLOUR' | sort; pwd; {BEATS}")
}

fn said(lab: &Lab, name: &str) -> String {
    lab.text(&format!(
        "artifacts/final_dry_run/{name}/logs/final_dry_run_{name}.log"
    ))
}

#[test]
fn every_flag_of_the_runbook_at_once() {
    let lab = Lab::new();
    lab.write("notes.txt", "first of the file\n\n  second of the file  \n");
    let hours = SECOND.to_string();
    let common = [
        "--required-duration-hours",
        "0.0001",
        "--minimum-uptime-ratio",
        "0.5",
        "--shutdown-grace-seconds",
        "5",
        "--progress-interval-minutes",
        "0.005",
        "--log-rotate-hours",
        "12",
        "--compress-logs",
        "--warn-gap-minutes",
        "30",
        "--fail-gap-minutes",
        "60",
        "--live-gap-alert-minutes",
        "10",
        "--live-gap-alert-severity",
        "fail",
        "--diary-stale-warn-minutes",
        "10",
        "--diary-stale-fail-minutes",
        "20",
        "--performance-stale-warn-minutes",
        "10",
        "--performance-stale-fail-minutes",
        "20",
        "--evidence-check-interval-minutes",
        "0.01",
        "--evidence-initial-grace-minutes",
        "1",
        "--resource-sample-interval-minutes",
        "0.005",
        "--resource-violation-severity",
        "warn",
        "--allow-warnings",
        "--no-diary-required",
        "--no-performance-required",
        "--metadata",
        "ticket=42",
        "--metadata",
        "text=a=b",
        "--env",
        "COLOUR=green",
        "--env",
        "COLOURS=a=b",
        "--attendee",
        "dana",
        "--review-attendee",
        "eli",
        "--note",
        "one",
        "--review-note",
        "two",
        "--notes-file",
        "notes.txt",
        "--review-notes-file",
        "absent.txt",
        "--objective",
        "latency=pass:p99 under 40 ms",
        "--review-objective",
        "rollback=go",
        "--review-run-label",
        "the final one",
        "--review-include-summary",
        "--review-skip-sign-off",
        "--packet-dir",
        "out/packet",
        "--packet-archive",
        "out/packet.tar.gz",
        "--progress-path",
        "out/progress.json",
    ];
    let limits = [
        [
            "--resource-max-cpu-percent",
            "100000",
            "--resource-max-memory-mb",
            "1000000",
            "--resource-max-memory-percent",
            "100",
        ],
        [
            "--max-cpu-percent",
            "100000",
            "--max-memory-mb",
            "1000000",
            "--max-memory-percent",
            "100",
        ],
    ];
    for (i, limits) in limits.iter().enumerate() {
        let name = format!("all-{i}");
        let own = [
            "orchestrate",
            "--output-root",
            "elsewhere",
            "--run-name",
            &name,
            "--run-label",
            "rehearsal",
            "--duration-hours",
            &hours,
            "--diary-path",
            "out/diary.jsonl",
            "--performance-path",
            "out/performance.json",
            "--review-json",
            "out/review.json",
            "--review-markdown",
            "out/review.md",
            "--wrap-up-json",
            "out/wrap_up.json",
            "--wrap-up-markdown",
            "out/wrap_up.md",
            "--wrap-up-duration-tolerance-minutes",
            "1",
            "--json",
        ];
        let script = shows();
        let command = sh(&script);
        let args: Vec<&str> = [&own[..], &common, limits, &["--"], &command].concat();
        lab.run(&args).expect(0);
        let dir = format!("elsewhere/{name}");
        for file in [
            "out/progress.json",
            "out/review.json",
            "out/review.md",
            "out/wrap_up.json",
            "out/wrap_up.md",
            "out/packet/manifest.json",
            "out/packet.tar.gz",
            &format!("{dir}/summary.json"),
            &format!("{dir}/sign_off.json"),
            &format!("{dir}/review.html"),
            &format!("{dir}/logs/final_dry_run_{name}.log.gz"),
            &format!("{dir}/logs/final_dry_run_{name}.jsonl.gz"),
        ] {
            assert!(lab.path(file).is_file(), "{file}");
        }
        let summary = lab.json(&format!("{dir}/summary.json"));
        assert_eq!(
            (&summary["metadata"]["ticket"], &summary["metadata"]["text"]),
            (&"42".into(), &"a=b".into())
        );
        let monitor = &summary["summary"]["metadata"]["resource_monitor"];
        assert_eq!(monitor["enabled"], true);
        assert!(monitor["samples"].as_u64().unwrap() >= 1, "{monitor:#}");
        assert_eq!(
            monitor["thresholds"].as_object().unwrap().len(),
            3,
            "{monitor:#}"
        );
        assert_eq!(
            summary["wrap_up"]["status"], "pass",
            "{:#}",
            summary["wrap_up"]
        );
        let review = lab.text("out/review.md");
        for words in [
            "dana",
            "eli",
            "one",
            "two",
            "first of the file",
            "second of the file",
            "p99 under 40 ms",
            "rollback",
            "the final one",
        ] {
            assert!(review.contains(words), "{words}:\n{review}");
        }
        assert!(
            !review.contains("## Sign-off assessment")
                && !review.contains("### Sign-off assessment"),
            "{review}"
        );
        let spec = lab.json(&format!("{dir}/logs/final_dry_run_{name}/run.json"));
        assert_eq!(spec["gaps"]["warn_seconds"], 1800.0);
        assert_eq!(spec["gaps"]["live_severity"], "fail");
        assert_eq!(spec["resources"]["max_memory_mb"], 1_000_000.0);
        assert_eq!(spec["resources"]["severity"], "warn");
        assert_eq!(spec["criteria"]["minimum_uptime_ratio"], 0.5);
    }
}

#[test]
fn run_takes_the_flags_of_the_runbook_too() {
    let lab = Lab::new();
    let hours = SECOND.to_string();
    let args = [
        "run",
        "--log-dir",
        "logs",
        "--duration-hours",
        &hours,
        "--required-duration-hours",
        &hours,
        "--no-log-monitor",
        "--diary",
        "out/diary.jsonl",
        "--performance",
        "out/performance.json",
        "--no-diary-required",
        "--no-performance-required",
        "--progress-timeline-dir",
        "out/timeline",
        "--no-resource-monitor",
        "--no-review",
        "--json-report",
        "out/report.json",
        "--json",
        "--",
        "sh",
        "-c",
        &format!("echo 'WARNING soon'; {BEATS}"),
    ];
    // Without the monitor there are no incidents, and the audit still says what there was.
    lab.run(&args).expect(2);
    let report = lab.json("out/report.json");
    assert_eq!(report["incidents"], Value::Array(vec![]));
    assert_eq!(
        report["summary"]["logs"]["warnings"]
            .as_array()
            .unwrap()
            .len(),
        1,
        "{report:#}"
    );
    assert_eq!(
        report["summary"]["metadata"]["resource_monitor"]["enabled"],
        false
    );
    assert_eq!(
        report["summary"]["metadata"]["resource_monitor"]["reason"],
        "disabled_by_config"
    );
}

#[test]
fn the_child_is_told_where_things_are_and_what_was_asked_for_wins() {
    let lab = Lab::new();
    let made = |name: &str, flags: &[&str]| {
        let all = [
            &[
                "--no-diary-required",
                "--no-performance-required",
                "--shutdown-grace-seconds",
                "5",
            ],
            flags,
        ]
        .concat();
        let script = shows();
        let args = orchestrate(name, 0.6, &all, &sh(&script));
        lab.run(&args.iter().map(String::as_str).collect::<Vec<_>>())
            .expect(0);
        said(&lab, name)
    };
    let wired = made("wired", &["--run-label", "night"]);
    let dir = lab.at("artifacts/final_dry_run/wired");
    for line in [
        format!("FINAL_DRY_RUN_DIARY_PATH={dir}/decision_diary.jsonl"),
        format!("FINAL_DRY_RUN_LOG_DIR={dir}/logs"),
        format!("FINAL_DRY_RUN_PERFORMANCE_PATH={dir}/performance_metrics.json"),
        "FINAL_DRY_RUN_LABEL=night".to_owned(),
        lab.at("").trim_end_matches('/').to_owned(),
    ] {
        assert!(wired.lines().any(|l| l == line), "{line}:\n{wired}");
    }
    let asked = made(
        "asked",
        &[
            "--env",
            "FINAL_DRY_RUN_DIARY_PATH=mine",
            "--env",
            "FINAL_DRY_RUN_LOG_DIR=there",
            "--run-label",
            "a",
            "--env",
            "FINAL_DRY_RUN_LABEL=b",
        ],
    );
    for line in [
        "FINAL_DRY_RUN_DIARY_PATH=mine",
        "FINAL_DRY_RUN_LOG_DIR=there",
        "FINAL_DRY_RUN_LABEL=b",
    ] {
        assert!(asked.lines().any(|l| l == line), "{line}:\n{asked}");
    }
    let skipped = made(
        "skipped",
        &["--skip-diary-evidence", "--skip-performance-evidence"],
    );
    assert!(
        skipped.contains("LOG_DIR")
            && !skipped.contains("DIARY")
            && !skipped.contains("PERFORMANCE"),
        "{skipped}"
    );
    // The file's variables are asked for as well.
    lab.write(
        "gonogo.toml",
        "[dry_run]\nenv = { COLOUR = \"red\", FINAL_DRY_RUN_LABEL = \"of the file\" }\n",
    );
    let filed = made("filed", &["--run-label", "of the flag"]);
    assert!(
        filed.contains("COLOUR=red") && filed.contains("FINAL_DRY_RUN_LABEL=of the file"),
        "{filed}"
    );
}

#[test]
fn what_is_not_wanted_is_not_written() {
    let lab = Lab::new();
    let made = lab.orchestrate(
        "bare",
        0.6,
        &[
            "--no-packet",
            "--no-review",
            "--no-wrap-up",
            "--no-progress-timeline",
            "--no-views",
        ],
        &sh(BEATS),
    );
    made.ended(0, "pass");
    for file in [
        "packet",
        "packet.tar.gz",
        "review.md",
        "review.html",
        "review.json",
        "wrap_up.md",
        "wrap_up.json",
        "progress_timeline",
        "logs/final_dry_run_bare.log",
        "logs/final_dry_run_bare.jsonl",
    ] {
        assert!(!lab.path(&made.inside(file)).exists(), "{file}");
    }
    assert!(lab.path(&made.captured("stdout.000001")).is_file());
}

#[test]
fn the_file_says_it_once_and_flags_override_it() {
    let script = BEATS
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    let lab = Lab::with(&format!(
        "[dry_run]\ncommand = [\"sh\", \"-c\", \"{script}\"]\nduration = \"700ms\"\nminimum_uptime = \"60%\"\noutput_root = \"runs\"\n\
         grace_interrupt = \"5s\"\n[dry_run.diary]\nrequired = false\n[dry_run.performance]\nrequired = false\n"
    ));
    lab.run(&["orchestrate", "--run-name", "filed", "--json"])
        .expect(0);
    let summary = lab.json("runs/filed/summary.json");
    assert_eq!(summary["sign_off"]["criteria"]["minimum_uptime_ratio"], 0.6);
    assert_eq!(
        summary["summary"]["metadata"]["target_duration_seconds"],
        0.7
    );
    lab.run(&[
        "orchestrate",
        "--run-name",
        "flagged",
        "--minimum-uptime-ratio",
        "0.7",
        "--json",
        "--",
        "sh",
        "-c",
        &format!("echo mine; {BEATS}"),
    ])
    .expect(0);
    let summary = lab.json("runs/flagged/summary.json");
    assert_eq!(summary["sign_off"]["criteria"]["minimum_uptime_ratio"], 0.7);
    assert!(
        lab.text("runs/flagged/logs/final_dry_run_flagged.log")
            .starts_with("mine\n")
    );
    // In a project the run is in the project's ledger.
    assert!(lab.path(".gonogo").is_dir());
}

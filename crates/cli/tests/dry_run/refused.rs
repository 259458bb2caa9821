//! Arguments that cannot be meant: each is refused with the code for usage, and nothing is created.

use crate::lab::Lab;

#[test]
fn wrong_arguments_are_refused_and_create_nothing() {
    let lab = Lab::new();
    lab.write("notes.txt", "a note");
    let before = lab.names();
    let rows: &[&[&str]] = &[
        &["--duration-hours", "0"],
        &["--duration-hours", "-1"],
        &["--duration-hours", "nan"],
        &["--duration-hours", "inf"],
        &["--duration-hours", "1e9"],
        &["--duration-hours", "soon"],
        &["--required-duration-hours", "0"],
        &["--minimum-uptime-ratio", "1.01"],
        &["--minimum-uptime-ratio", "-0.1"],
        &["--minimum-uptime-ratio", "nan"],
        &["--minimum-sharpe-ratio", "nan"],
        &["--shutdown-grace-seconds", "nan"],
        &["--drain-seconds", "-1"],
        &["--progress-interval-minutes", "0"],
        &["--progress-interval-minutes", "-1"],
        &["--resource-sample-interval-minutes", "0"],
        &["--log-rotate-hours", "0"],
        &["--log-rotate-hours", "-2"],
        &["--log-rotate-size", "12"],
        &["--warn-gap-minutes", "0"],
        &["--warn-gap-minutes", "10", "--fail-gap-minutes", "5"],
        &["--fail-gap-minutes", "59"],
        &["--live-gap-alert-minutes", "0"],
        &["--live-gap-alert-severity", "bad"],
        &[
            "--diary-stale-warn-minutes",
            "10",
            "--diary-stale-fail-minutes",
            "5",
        ],
        &["--performance-stale-warn-minutes", "-1"],
        &["--evidence-check-interval-minutes", "0"],
        &["--evidence-initial-grace-minutes", "-1"],
        &["--resource-max-cpu-percent", "0"],
        &["--resource-max-memory-mb", "-5"],
        &["--max-memory-percent", "nan"],
        &["--resource-max-memory-mb", "5", "--no-resource-monitor"],
        &["--heartbeat-seconds", "0"],
        &[
            "--duration-hours",
            "1",
            "--duration-tolerance-seconds",
            "361",
        ],
        &["--duration-tolerance-seconds", "-1"],
        &[
            "--duration-hours",
            "0.0001",
            "--duration-tolerance-seconds",
            "0.2",
        ],
        &["--metadata", "nothing"],
        &["--metadata", "=value"],
        &["--env", "nothing"],
        &["--env", "=value"],
        &["--objective", "latency"],
        &["--objective", "latency=splendid"],
        &["--objective", "=pass"],
        &["--no-packet", "--packet-dir", "x"],
        &["--no-packet", "--packet-skip-raw"],
        &["--skip-diary-evidence", "--diary-path", "x"],
        &["--skip-diary-evidence", "--diary-stale-warn-minutes", "5"],
        &["--no-progress-timeline", "--progress-timeline-dir", "x"],
        &["--compress-logs", "--compression", "zstd"],
        &["--compression", "lz77"],
        &["--wrap-up-duration-tolerance-minutes", "-1"],
        &["--wrap-up-duration-tolerance-minutes", "nan"],
        &["--run-name", "../x"],
        &["--run-name", ""],
        &["--run-name", "a/b"],
        &["--run-name", "."],
        &["--run-name", ".."],
        &["--run-name", "-x"],
        &["--run-name", "a b"],
        &["--run-name", "a\nb"],
        &["--artifact", "notes.txt"],
        &["--stderr-policy", "loud"],
        &["--review-format", "pdf"],
        &["--no-such-flag"],
        &["--duration-hours", "1", "--duration-hours", "2"],
    ];
    let mut wrong = Vec::new();
    for row in rows {
        let args = [&["orchestrate"], *row, &["--", "true"]].concat();
        let ran = lab.run(&args);
        if ran.status != 64 {
            wrong.push(format!("{row:?}: exit {}: {}", ran.status, ran.err));
        } else if ran.err.trim().is_empty() {
            wrong.push(format!("{row:?}: not a word"));
        }
        let after = lab.names();
        if after != before {
            wrong.push(format!(
                "{row:?} created {:?}",
                after
                    .iter()
                    .filter(|n| !before.contains(n))
                    .collect::<Vec<_>>()
            ));
            break;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_command_is_needed_and_other_refusals_have_their_own_words() {
    let lab = Lab::new();
    let before = lab.names();
    for args in [
        &["run", "--log-dir", "logs"][..],
        &["run", "--log-dir", "logs", "--"],
        &["run", "--log-dir", "logs", "--", ""],
        &["run", "--", "true"],
        &["orchestrate"],
        &["orchestrate", "--"],
        &[
            "run",
            "--log-dir",
            "logs",
            "--packet-archive",
            "x.tar",
            "--",
            "true",
        ],
        &[
            "run",
            "--log-dir",
            "logs",
            "--packet-skip-raw",
            "--",
            "true",
        ],
        &[
            "run",
            "--log-dir",
            "logs",
            "--no-review",
            "--review-output",
            "x.md",
            "--",
            "true",
        ],
        &[
            "run",
            "--log-dir",
            "logs",
            "--diary-stale-warn-minutes",
            "1",
            "--",
            "true",
        ],
        &[
            "run",
            "--log-dir",
            "logs",
            "--review-output",
            "-",
            "--json",
            "--",
            "true",
        ],
        &["watch"],
        &["watch", "--progress", "x", "--interval", "0"],
        &["watch", "--progress", "x", "--interval", "nan"],
        &["finalize", ".", "--within-seconds", "-1"],
        &[
            "wrap-up",
            "--summary",
            "x",
            "--duration-tolerance-minutes",
            "-1",
        ],
        &["backlog"],
        &["audit"],
        &["review"],
        &["simulate", "--inject", "nonsense"],
        &["smoke", "--matrix", "no-such-row"],
        &["smoke", "--duration-seconds", "0"],
        &["nothing"],
    ] {
        let ran = lab.run(args);
        assert_eq!(ran.status, 64, "{ran:?}");
        assert!(
            !format!("{}{}", ran.out, ran.err).trim().is_empty(),
            "{ran:?}"
        );
        assert_eq!(lab.names(), before, "{args:?}");
    }
    // As envelopes too.
    let ran = lab.run(&["run", "--log-dir", "logs", "--json"]);
    ran.refusal(64, &["ARGUMENT_INVALID"]);
    let ran = lab.run(&["orchestrate", "--json", "--run-name", "../x", "--", "true"]);
    let error = ran.refusal(64, &["ARGUMENT_INVALID"]);
    assert!(
        error["message"].as_str().unwrap().contains("--run-name"),
        "{error:#}"
    );
    // A rule that is no pattern is a fault of the file.
    lab.write("gonogo.toml", "[dry_run]\nallow = [{ name = \"x\", pattern = \"(\", owner = \"dana\", expires = \"2099-01-31T00:00:00Z\" }]\n");
    let before = lab.names();
    let ran = lab.run(&["orchestrate", "--json", "--", "true"]);
    assert!([64, 78].contains(&ran.status), "{ran:?}");
    assert_eq!(lab.names(), before);
}

#[test]
fn a_directory_of_an_earlier_run_is_not_touched() {
    let lab = Lab::new();
    lab.write("artifacts/final_dry_run/old/summary.json", "{}");
    lab.write("logs/final_dry_run_old.log", "earlier");
    let before = lab.files();
    let made = lab.orchestrate("old", 1.0, &[], &["true"]);
    assert_eq!(made.ran.status, 73, "{:?}", made.ran);
    assert_eq!(
        made.ran.envelope()["error"]["details"]["reasonCodes"][0],
        "OUTPUT_FAILED"
    );
    assert_eq!(lab.files(), before);
    // Nor is a place where nothing can be written: it is told before anything runs.
    let file = lab.write("file", "x");
    for flags in [
        &["--output-root", file.as_str()][..],
        &["--review-markdown", "file/review.md"],
        &["--packet-archive", "/proc/packet.tar"],
    ] {
        let made = lab.orchestrate("new", 1.0, flags, &["touch", "ran"]);
        assert!(
            made.ran.status > 2 && made.ran.status != 70,
            "{flags:?}: {:?}",
            made.ran
        );
        assert!(!lab.path("ran").exists(), "{flags:?}: the command ran");
        let _ = std::fs::remove_dir_all(lab.path("artifacts/final_dry_run/new"));
    }
}

#[test]
fn a_wrong_number_is_told_with_its_flag_as_typed_and_with_an_example() {
    let lab = Lab::new();
    let flags = [
        ("--duration-hours", "such as `72`"),
        ("--required-duration-hours", "such as `72`"),
        ("--log-rotate-hours", "such as `72`"),
        ("--warn-gap-minutes", "such as `5`"),
        ("--live-gap-alert-minutes", "such as `5`"),
        ("--heartbeat-seconds", "such as `30`"),
        ("--drain-seconds", "such as `10`"),
        ("--minimum-uptime-ratio", "such as `0.98`"),
        ("--minimum-sharpe-ratio", "such as `1.5`"),
        ("--resource-max-cpu-percent", "such as `150`"),
        ("--resource-max-memory-mb", "such as `2048`"),
        ("--resource-max-memory-percent", "such as `80`"),
        ("--log-rotate-size", "like `64MiB`"),
        ("--ballast", "like `64MiB`"),
    ];
    for (flag, example) in flags {
        for value in [
            "ten years",
            "NaN",
            "inf",
            "-inf",
            "1e999",
            "",
            "٣",
            "-1h",
            "1,5",
        ] {
            let ran = lab.run(&["orchestrate", flag, value, "--", "true"]);
            ran.expect(64);
            for part in [flag, value, example] {
                assert!(
                    ran.err.contains(part),
                    "{flag} {value:?}: {part}: {}",
                    ran.err
                );
            }
        }
    }
    for (flag, value) in [("--duration-hours", "-1"), ("--fail-gap-minutes", "-2.5")] {
        let ran = lab.run(&["orchestrate", flag, value, "--", "true"]);
        let said = format!("'{value}'");
        assert!(ran.expect(64).err.contains(&said), "{}", ran.err);
    }
}

#[test]
fn progress_takes_the_place_of_nothing_but_a_file() {
    use std::os::unix::fs::FileTypeExt as _;
    let lab = Lab::new();
    let pipe = lab.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let words = [
        "run",
        "--log-dir",
        "logs",
        "--duration-hours",
        "0.001",
        "--progress-path",
        "pipe",
        "--json",
        "--",
        "true",
    ];
    lab.run(&words).refusal(64, &["ARGUMENT_INVALID"]);
    assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo());
}

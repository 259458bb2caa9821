//! What is there already: logs of anybody's in every packing, progress that is followed, minutes and lists of runs that ended.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use gonogo_testkit::{lacks, skip};
use rustix::process::Signal;
use serde_json::Value;

use crate::lab::{BARE, BEATS, Lab, SOON, orchestrate, sh};
use crate::project::{Running, wait};

/// A log of so many lines, one a minute, with these lines at the end.
fn log(minutes: u32, last: &str) -> String {
    let mut text = String::new();
    for m in 0..minutes {
        let (day, hour, minute) = (1 + m / 1440, m / 60 % 24, m % 60);
        text += &format!(
            "{{\"timestamp\":\"2026-03-{day:02}T{hour:02}:{minute:02}:00Z\",\"level\":\"info\",\"event\":\"heartbeat\",\"message\":\"beat {m}\"}}\n"
        );
    }
    text + last
}

const TRACE: &str = "Traceback (most recent call last):\n  File \"app.py\", line 4, in <module>\n    main()\n  File \"app.py\", line 2, in main\n    raise ValueError(\"no price\")\nValueError: no price\n";

/// Packs a file with a program and returns the packed file's name; none if the program is absent.
fn packed(lab: &Lab, name: &str, with: &str, end: &str) -> Option<String> {
    if let Some(why) = lacks(with, &["--version"]) {
        skip(&format!("a log packed with {with}"), &why);
        return None;
    }
    let mut child = Command::new(with)
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let bytes = std::fs::read(lab.path(name)).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(out.status.success());
    let to = format!("{name}.{end}");
    lab.write(&to, out.stdout);
    Some(to)
}

fn audit(lab: &Lab, args: &[&str], exit: i32) -> Value {
    let ran = lab.run(&[&["audit", "--format", "json"], args].concat());
    ran.expect(exit);
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:?}"))
}

#[test]
fn logs_are_read_in_every_packing_and_cut_ones_up_to_the_cut() {
    let lab = Lab::new();
    lab.write("good.log", log(3000, ""));
    lab.write("bad.log", log(3000, TRACE));
    let plain = audit(&lab, &["--log", "good.log"], 0);
    assert_eq!(plain["status"], "pass");
    assert_eq!(plain["summary"]["logs"]["total_lines"], 3000);
    assert_eq!(plain["summary"]["logs"]["duration_seconds"], 2999.0 * 60.0);
    assert_eq!(plain["summary"]["logs"]["uptime_ratio"], 1.0);
    let bad = audit(&lab, &["--log", "bad.log"], 2);
    assert_eq!(
        bad["summary"]["logs"]["content_incidents"]
            .as_array()
            .unwrap()
            .len(),
        1,
        "{:#}",
        bad["summary"]["logs"]["content_incidents"]
    );
    for (with, end) in [
        ("gzip", "gz"),
        ("zstd", "zst"),
        ("bzip2", "bz2"),
        ("xz", "xz"),
    ] {
        let (Some(good), Some(bad)) = (
            packed(&lab, "good.log", with, end),
            packed(&lab, "bad.log", with, end),
        ) else {
            continue;
        };
        let seen = audit(&lab, &["--log", &good], 0);
        assert_eq!(seen["summary"]["logs"]["total_lines"], 3000, "{end}");
        assert_eq!(
            seen["summary"]["logs"]["level_counts"],
            plain["summary"]["logs"]["level_counts"]
        );
        audit(&lab, &["--log", &bad], 2);
        // By its bytes, not by its name.
        std::fs::copy(lab.path(&good), lab.path("unnamed")).unwrap();
        assert_eq!(
            audit(&lab, &["--log", "unnamed"], 0)["summary"]["logs"]["total_lines"],
            3000,
            "{end}"
        );
    }
    // What is behind a cut is not there: what is before it is read, and the cut is told.
    if let Some(good) = packed(&lab, "good.log", "gzip", "gz") {
        let bytes = std::fs::read(lab.path(&good)).unwrap();
        lab.write("cut.gz", &bytes[..bytes.len() / 2]);
        let ran = lab.run(&["audit", "--format", "json", "--log", "cut.gz"]);
        assert!([1, 2, 3].contains(&ran.status), "{ran:?}");
        let seen: Value = serde_json::from_str(&ran.out).unwrap();
        let lines = seen["summary"]["logs"]["total_lines"].as_u64().unwrap();
        assert!((500..3000).contains(&lines), "{lines}");
        assert!(ran.out.contains("cut.gz"), "{ran:?}");
        // Several logs are one: the second half of a run may be in another file.
        audit(&lab, &["--log", &good, "--log", "good.log"], 0);
    }
}

#[test]
fn harmless_lines_that_look_like_faults_pass() {
    let lab = Lab::new();
    let lines = [
        "0 exceptions raised",
        "no panic seen",
        "Exception handler registered",
        "traceback logging enabled",
        "errors: 0, warnings: 0",
        "the error rate is 0.0",
        "panic button tested: fine",
        "loaded fatal_error_policy.json",
        "    at the station by noon",
        "Caused by nobody",
        "goroutine pool sized to 8",
        "handled exception count=0",
    ];
    let text: String = lines.iter().map(|l| format!("{l}\n")).collect();
    lab.write("fine.log", &text);
    let seen = audit(&lab, &["--log", "fine.log"], 0);
    assert_eq!(
        seen["summary"]["logs"]["content_incidents"],
        Value::Array(vec![]),
        "{seen:#}"
    );
    let script = format!("cat fine.log; {BEATS}");
    lab.orchestrate("fine", 0.6, &[], &sh(&script))
        .ended(0, "pass");
    // The corpus of look-alikes that the classifier is held against, each file a log.
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dryrun/tests/traces/harmless");
    let mut read = 0;
    for entry in std::fs::read_dir(corpus).unwrap().flatten() {
        let path = entry.path();
        let seen = lab.run(&["audit", "--format", "json", "--log", path.to_str().unwrap()]);
        let report: Value =
            serde_json::from_str(&seen.out).unwrap_or_else(|e| panic!("{e}: {seen:?}"));
        let traces = report["incidents"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|i| i["kind"] == "stack_trace" && i["severity"] == "fail")
            .count();
        assert_eq!(traces, 0, "{}: {report:#}", path.display());
        read += 1;
    }
    assert!(read > 10, "{read}");
}

#[test]
fn exit_codes_of_an_audit_say_how_the_logs_are() {
    let lab = Lab::new();
    lab.write("good.log", log(60, ""));
    lab.write(
        "warned.log",
        log(60, "2026-03-01T01:00:00Z WARNING the queue is long\n"),
    );
    lab.write(
        "gap.log",
        log(
            60,
            "{\"timestamp\":\"2026-03-01T20:00:00Z\",\"level\":\"info\",\"message\":\"back\"}\n",
        ),
    );
    audit(&lab, &["--log", "good.log"], 0);
    audit(&lab, &["--log", "warned.log"], 1);
    audit(&lab, &["--log", "warned.log", "--treat-warn-as-error"], 2);
    audit(&lab, &["--log", "gap.log"], 2);
    // Limits of a sign-off: exactly reached, and missed.
    let waived = [
        "--sign-off-optional-diary",
        "--sign-off-optional-performance",
    ];
    let floor = |hours: &'static str| {
        [
            &["--log", "good.log", "--sign-off-min-duration-hours", hours][..],
            &waived,
        ]
        .concat()
    };
    audit(&lab, &floor("0.98"), 0);
    audit(&lab, &floor("0.99"), 2);
    let short = audit(&lab, &["--log", "good.log", "--sign-off"], 2);
    let codes: Vec<&str> = short["sign_off"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|f| f["code"].as_str())
        .collect();
    for code in [
        "duration_below_minimum",
        "diary_missing",
        "performance_missing",
    ] {
        assert!(codes.contains(&code), "{codes:?}");
    }
    audit(
        &lab,
        &[
            &["--log", "warned.log", "--sign-off-allow-warnings"][..],
            &waived,
        ]
        .concat(),
        0,
    );
    // Uptime as it was always computed: 0, 90 and 120 minutes score 0.75.
    let line = |minute: u32| {
        format!(
            "{{\"timestamp\":\"2026-03-01T{:02}:{:02}:00Z\",\"message\":\"m\"}}\n",
            minute / 60,
            minute % 60
        )
    };
    lab.write(
        "vector.log",
        format!("{}{}{}", line(0), line(90), line(120)),
    );
    let seen = audit(&lab, &["--log", "vector.log"], 1);
    assert_eq!(seen["summary"]["logs"]["uptime_ratio"], 0.75);
    audit(
        &lab,
        &[
            &["--log", "vector.log", "--sign-off-min-uptime-ratio", "0.76"][..],
            &waived,
        ]
        .concat(),
        2,
    );
    // What is no log, or has nothing to judge.
    lab.write("empty.log", "");
    let ran = lab.run(&["audit", "--log", "empty.log"]);
    assert!(ran.status <= 3, "{ran:?}");
    let ran = lab.run(&["audit", "--log", "absent.log"]);
    assert!(
        [2, 3, 66].contains(&ran.status)
            && ran.err.contains("absent.log") | ran.out.contains("absent.log"),
        "{ran:?}"
    );
    for bad in [
        ["--warn-gap-minutes", "-1"],
        ["--sign-off-min-duration-hours", "0"],
        ["--sign-off-min-uptime-ratio", "2"],
        ["--metadata", "x"],
    ] {
        lab.run(&[&["audit", "--log", "good.log"][..], &bad].concat())
            .expect(64);
    }
    lab.run(&["audit", "--log", "good.log", "--run-dir", "."])
        .expect(64);
    // Reports go where they are wanted, in each form.
    for (form, says) in [("markdown", "#"), ("json", "{"), ("html", "<!")] {
        lab.run(&[
            "audit",
            "--log",
            "good.log",
            "--format",
            form,
            "--output",
            "out/report",
        ])
        .expect(0);
        assert!(
            lab.text("out/report")
                .trim_start()
                .to_lowercase()
                .starts_with(says),
            "{form}"
        );
    }
    let envelope = lab.run(&[
        "audit",
        "--log",
        "warned.log",
        "--output",
        "out/report",
        "--json",
    ]);
    assert_eq!(envelope.expect(1).envelope()["data"]["status"], "warn");
}

#[test]
fn a_captured_run_is_audited_as_it_was_judged() {
    let lab = Lab::new();
    let made = lab.orchestrate(
        "run",
        0.6,
        &[],
        &sh(&format!("echo 'WARNING soon'; {BEATS}")),
    );
    let summary = made.ended(2, "fail");
    let seen = audit(&lab, &["--run-dir", &made.inside("")], 2);
    assert_eq!(seen["summary"]["logs"], summary["summary"]["logs"]);
    assert_eq!(seen["incidents"], summary["incidents"]);
    // The derived view, read as anybody's log, shows the same lines.
    let view = audit(
        &lab,
        &["--log", &made.inside("logs/final_dry_run_run.jsonl")],
        1,
    );
    assert_eq!(
        view["summary"]["logs"]["total_lines"],
        summary["summary"]["logs"]["total_lines"]
    );
    assert_eq!(
        view["summary"]["logs"]["level_counts"],
        summary["summary"]["logs"]["level_counts"]
    );
    // An audit says what was signed, to the time of judgement.
    assert_eq!(seen["generated_at"], summary["generated_at"]);
    // Warnings are accepted by who asks.
    audit(
        &lab,
        &[
            "--run-dir",
            &made.inside(""),
            "--sign-off-allow-warnings",
            "--sign-off-optional-diary",
            "--sign-off-optional-performance",
        ],
        0,
    );
}

#[test]
fn a_review_has_what_people_add() {
    let lab = Lab::new();
    lab.write("good.log", log(60, ""));
    let brief = |more: &[&str], exit: i32| {
        let ran = lab.run(&[&["review", "--log", "good.log"][..], more].concat());
        ran.expect(exit);
        ran
    };
    let said = brief(
        &[
            "--objective",
            "rollback=go:drilled",
            "--attendee",
            "dana",
            "--note",
            "in the meeting",
        ],
        0,
    )
    .out;
    for words in ["rollback", "drilled", "dana", "in the meeting"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    brief(&["--objective", "rollback=at_risk"], 1);
    brief(&["--objective", "rollback=red"], 2);
    for bad in ["rollback", "rollback=perhaps", "=go"] {
        let ran = brief(&["--objective", bad, "--output", "x.md"], 64);
        assert!(
            ran.err.contains("objective") && !lab.path("x.md").exists(),
            "{ran:?}"
        );
    }
    // What others wrote cannot become markup.
    let html = brief(
        &["--format", "html", "--note", "<script>alert(1)</script>"],
        0,
    )
    .out;
    assert!(
        html.contains("&lt;script&gt;") && !html.contains("<script>alert"),
        "{html}"
    );
}

#[test]
fn progress_is_followed_until_the_run_is_complete() {
    let lab = Lab::new();
    let args = orchestrate(
        "run",
        300.0,
        &[&BARE[..2], &["--allow-warnings"]].concat(),
        &sh(&format!("echo 'WARNING so'on; {BEATS}")),
    );
    let mut command = lab.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let harness = Running::of(command.spawn().unwrap());
    let dir = "artifacts/final_dry_run/run";
    let progress = lab.path(&format!("{dir}/progress.json"));
    wait("the warning is an incident", SOON, || {
        let text = std::fs::read(&progress).ok()?;
        // Writers replace the file: no reader ever sees half of one.
        let value: Value = serde_json::from_slice(&text).unwrap();
        (value["phase"] == "running" && !value["incidents"].as_array()?.is_empty()).then_some(())
    });
    let once = lab.run(&["watch", "--progress", dir, "--once"]);
    once.expect(0);
    assert!(once.out.contains("soon"), "{once:?}");
    let quiet = lab.run(&["watch", "--progress", dir, "--once", "--no-incidents"]);
    assert!(!quiet.expect(0).out.contains("soon"), "{quiet:?}");
    // A warning in the middle is no end.
    let mut watch = lab.command(&[
        "watch",
        "--progress",
        dir,
        "--interval",
        "0.1",
        "--exit-when-complete",
    ]);
    watch.stdout(Stdio::piped()).stderr(Stdio::piped());
    let watch = Running::of(watch.spawn().unwrap());
    let pid = watch.pid();
    let sequence = || {
        serde_json::from_slice::<Value>(&std::fs::read(&progress).unwrap()).unwrap()["sequence"]
            .as_u64()
            .unwrap()
    };
    assert!(sequence() > 0);
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    harness.signal(Signal::INT);
    let ran = harness.join();
    ran.expect(2);
    let seen = watch.join();
    seen.expect(2);
    assert!(
        seen.out.contains("fail") || seen.out.contains("FAIL"),
        "{seen:?}"
    );
    lab.run(&["watch", "--progress", dir, "--once"]).expect(0);
    lab.run(&["watch", "--progress", dir, "--once", "--exit-when-complete"])
        .expect(2);
    let answer = lab
        .run(&["watch", "--progress", dir, "--once", "--json"])
        .expect(0)
        .envelope();
    assert_eq!(answer["data"]["phase"], "complete");
    // One that is torn, and one that is not there.
    let text = std::fs::read(&progress).unwrap();
    lab.write("torn.json", &text[..text.len() / 2]);
    for absent in ["torn.json", "nothing.json"] {
        let ran = lab.run(&["watch", "--progress", absent, "--once", "--json"]);
        assert_eq!(ran.envelope()["success"], false);
        assert!(ran.status > 2 && ran.status != 70, "{ran:?}");
    }
    // It waits for one that comes, and Ctrl-C ends it.
    let mut late = lab.command(&[
        "watch",
        "--progress",
        "late.json",
        "--interval",
        "0.05",
        "--exit-when-complete",
    ]);
    late.stdout(Stdio::piped()).stderr(Stdio::piped());
    let late = Running::of(late.spawn().unwrap());
    lab.write("late.tmp", &text);
    std::fs::rename(lab.path("late.tmp"), lab.path("late.json")).unwrap();
    late.join().expect(2);
    let mut endless = lab.command(&["watch", "--progress", "never.json", "--interval", "0.05"]);
    endless.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut endless = endless.spawn().unwrap();
    // It has set up its signals when it says that it waits.
    let mut said = std::io::BufReader::new(endless.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    assert!(line.contains("never.json"), "{line}");
    let endless = {
        endless.stderr = Some(said.into_inner());
        Running::of(endless)
    };
    endless.signal(Signal::INT);
    endless.join().expect(130);
}

#[test]
fn minutes_and_lists_say_what_is_left_to_do() {
    let lab = Lab::new();
    let good = lab.orchestrate("good", 0.6, &[], &sh(BEATS));
    good.ended(0, "pass");
    let warned = lab.orchestrate(
        "warned",
        0.6,
        &["--allow-warnings"],
        &sh(&format!("echo 'WARNING soon'; {BEATS}")),
    );
    warned.ended(0, "pass");
    let bad = lab.orchestrate("bad", 0.6, &[], &sh(&format!("echo 'ERROR lost'; {BEATS}")));
    bad.ended(2, "fail");
    let (good, bad) = (good.inside(""), bad.inside(""));
    lab.run(&["wrap-up", "--summary", &good]).expect(0);
    let minutes = lab.run(&["wrap-up", "--summary", &bad, "--note", "said by eli"]);
    minutes.expect(2);
    assert!(
        minutes.out.contains("said by eli") && minutes.out.contains("lost"),
        "{minutes:?}"
    );
    // A length that was not reached, beyond its tolerance.
    let ran = lab.run(&[
        "wrap-up",
        "--summary",
        &good,
        "--required-duration-hours",
        "1",
        "--format",
        "json",
    ]);
    assert_ne!(ran.status, 0, "{ran:?}");
    assert_eq!(
        serde_json::from_str::<Value>(&ran.out).unwrap()["duration_met"],
        false
    );
    lab.run(&["wrap-up", "--summary", &good, "--format", "html"])
        .expect(64);
    lab.run(&[
        "backlog",
        "--summary",
        &good,
        "--fail-on-fail",
        "--fail-on-warn",
    ])
    .expect(0);
    lab.run(&["backlog", "--summary", &bad]).expect(0);
    let list = lab.run(&[
        "backlog",
        "--summary",
        &bad,
        "--summary",
        &good,
        "--fail-on-fail",
    ]);
    list.expect(2);
    assert!(list.out.contains("lost"), "{list:?}");
    lab.write("warned.json", r#"{"status":"warn","summary":{"generated_at":"2026-01-01T00:00:00Z","status":"warn"},"incidents":[{"severity":"warn","occurred_at":"2026-01-01T00:00:00Z","message":"the queue is long"}]}"#);
    lab.run(&["backlog", "--summary", "warned.json", "--fail-on-fail"])
        .expect(0);
    lab.run(&["backlog", "--summary", "warned.json", "--fail-on-warn"])
        .expect(1);
    lab.write("words.json", "these are words");
    for command in ["wrap-up", "backlog"] {
        lab.run(&[command, "--summary", "words.json"]).expect(65);
        lab.run(&[command, "--summary", "absent.json"]).expect(66);
    }
}

#[test]
fn files_that_were_edited_after_the_verdict_are_told_by_an_audit() {
    let lab = Lab::new();
    let made = lab.orchestrate("run", 0.6, &[], &sh(&format!("echo 'WARN a'; {BEATS}")));
    made.ended(2, "fail");
    let passed = lab.orchestrate("good", 0.6, &[], &sh(BEATS));
    passed.ended(0, "pass");
    let place = passed.inside("");
    audit(&lab, &["--run-dir", &place], 0);
    let codes = |report: &Value| -> Vec<String> {
        let found = report["sign_off"]["findings"].as_array().unwrap().iter();
        let code = |f: &Value| f["code"].as_str().map(str::to_owned);
        found.filter_map(code).collect()
    };
    let other = |name: &str| lab.text(&made.captured(name));
    for (name, expected) in [
        ("run.json", &["specification_changed", "file_changed"][..]),
        ("verdict.json", &["verdict_changed", "verdict_differs"]),
        ("files.json", &["file_list_changed"]),
        ("stdout.000001", &["file_changed"]),
        ("keeper.jsonl", &["file_changed"]),
    ] {
        let path = passed.captured(name);
        let whole = std::fs::read(lab.path(&path)).unwrap();
        let edited = match name {
            // As somebody would who wants a better run: the words are changed and all stays well-formed.
            "run.json" => String::from_utf8_lossy(&whole).replace("\"good\"", "\"best\""),
            "verdict.json" => String::from_utf8_lossy(&whole).replace("\"pass\"", "\"warn\""),
            "files.json" => other(name),
            _ => String::from_utf8_lossy(&whole).replacen('1', "2", 1),
        };
        assert_ne!(edited.as_bytes(), whole, "{name}");
        lab.write(&path, edited);
        let ran = lab.run(&["audit", "--format", "json", "--run-dir", &place]);
        assert!([2, 3].contains(&ran.status), "{name}: {ran:?}");
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        let found = codes(&report);
        for code in expected {
            assert!(found.iter().any(|f| f == code), "{name}: {code}: {found:?}");
        }
        lab.write(&path, &whole);
    }
    // A file that is gone, and one that was added.
    std::fs::rename(
        lab.path(&passed.captured("files.json")),
        lab.path("files.json"),
    )
    .unwrap();
    lab.write(&passed.captured("evidence/later"), "x");
    let report = audit(&lab, &["--run-dir", &place], 3);
    assert!(codes(&report).contains(&"file_list_changed".to_owned()));
    std::fs::rename(
        lab.path("files.json"),
        lab.path(&passed.captured("files.json")),
    )
    .unwrap();
    let report = audit(&lab, &["--run-dir", &place], 3);
    assert!(codes(&report).contains(&"file_added".to_owned()));
    // What comes into a judged directory later is refused, and changes nothing of what was signed.
    let (odd, spec) = (passed.captured("odd"), passed.captured("run.json"));
    std::fs::create_dir(lab.path(&odd)).unwrap();
    lab.run(&["finalize", &place, "--json"])
        .refusal(65, &["INPUT_MALFORMED"]);
    std::fs::remove_dir(lab.path(&odd)).unwrap();
    let whole = lab.text(&spec);
    lab.write(&spec, whole.replace("\"good\"", "\"best\""));
    lab.run(&["finalize", &place, "--json"])
        .refusal(65, &["INPUT_MALFORMED"]);
    lab.write(&spec, whole);
    assert!(!lab.path(&passed.captured("foreign.txt")).exists());
    std::fs::remove_file(lab.path(&passed.captured("evidence/later"))).unwrap();
    audit(&lab, &["--run-dir", &place], 0);
    // A copy says where it came from; where no ledger knows the run, nothing can be compared, which is told.
    let copy = lab.path("copy");
    std::fs::create_dir_all(&copy).unwrap();
    for entry in std::fs::read_dir(lab.path(&passed.captured(""))).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
    }
    audit(&lab, &["--run-dir", "copy"], 0);
    let again = lab
        .run(&["finalize", "copy", "--json"])
        .expect(0)
        .envelope();
    assert_eq!(again["data"]["again"], true);
    std::fs::remove_file(copy.join("reports.json")).unwrap();
    let stranger = lab.run(&["finalize", "copy", "--json"]);
    stranger.refusal(66, &["INPUT_NOT_FOUND"]);
    let report = audit(&lab, &["--run-dir", "copy"], 1);
    assert_eq!(codes(&report), ["run_not_recorded"]);
    assert!(!lab.path(".gonogo").exists(), "an audit founds no ledger");
}

#[test]
fn a_cache_changes_nothing_but_the_time() {
    let lab = Lab::new();
    lab.write("one.log", log(1440 * 6, TRACE));
    lab.write(
        "two.log",
        log(60, "2026-03-01T01:00:00Z WARNING the queue is long\n"),
    );
    let mut logs = vec!["--log", "one.log", "--log", "two.log"];
    let gz = packed(&lab, "one.log", "gzip", "gz");
    if let Some(name) = &gz {
        logs.extend(["--log", name]);
    }
    let without_times = |mut report: Value| {
        report["generated_at"] = Value::Null;
        report["summary"]["generated_at"] = Value::Null;
        report.to_string()
    };
    let plain = without_times(audit(&lab, &logs, 2));
    let cached = || {
        let args = [&logs[..], &["--cache", "kept/parts"]].concat();
        without_times(audit(&lab, &args, 2))
    };
    assert_eq!(cached(), plain);
    let entries = || -> Vec<std::path::PathBuf> {
        let mut found: Vec<_> = std::fs::read_dir(lab.path("kept/parts"))
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        found.sort();
        found
    };
    let first = entries();
    assert!(first.len() >= logs.len() / 2, "{first:?}");
    // Nothing is made anew: the entries are used.
    let times = || -> Vec<_> {
        // An entry that is written again is another file.
        let file = |p: &std::path::PathBuf| {
            std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(p).unwrap())
        };
        entries().iter().map(file).collect()
    };
    let before = times();
    assert_eq!(cached(), plain);
    assert_eq!((times(), entries()), (before.clone(), first.clone()));
    // Damaged, cut, foreign and exchanged entries are made anew.
    let whole: Vec<Vec<u8>> = first.iter().map(|p| std::fs::read(p).unwrap()).collect();
    for damage in 0..4 {
        for (n, path) in first.iter().enumerate() {
            let bytes = match damage {
                0 => whole[n][..whole[n].len() / 2].to_vec(),
                1 => b"{}".to_vec(),
                2 => whole[(n + 1) % whole.len()].clone(),
                _ => {
                    let text = String::from_utf8_lossy(&whole[n]).into_owned();
                    text.replace("\"info\"", "\"warn\"").into_bytes() // another claim in the same form
                }
            };
            std::fs::write(path, bytes).unwrap();
        }
        assert_eq!(cached(), plain, "damage {damage}");
        for (n, path) in first.iter().enumerate() {
            assert_eq!(std::fs::read(path).unwrap(), whole[n], "damage {damage}");
        }
    }
    // Other rules, other entries.
    let args = [
        &logs[..],
        &["--cache", "kept/parts", "--warn-gap-minutes", "30"],
    ]
    .concat();
    audit(&lab, &args, 2);
    assert!(entries().len() > first.len());
    // A sign-off does not touch it, and what others can write is refused.
    let args = [&logs[..], &["--cache", "kept/none", "--sign-off"]].concat();
    audit(&lab, &args, 2);
    assert!(!lab.path("kept/none").exists());
    use std::os::unix::fs::PermissionsExt as _;
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(lab.path("kept/parts"), open).unwrap();
    let args = [&["audit"], &logs[..], &["--cache", "kept/parts"]].concat();
    let refused = lab.run(&args);
    assert!(refused.expect(64).err.contains("written by others"));
}

#[test]
fn logs_without_lines_and_things_that_are_no_logs_are_told_as_that() {
    let lab = Lab::new();
    lab.write("empty.log", "");
    lab.write("blank.log", "\n\n");
    let report = audit(&lab, &["--log", "empty.log"], 3);
    let problems = report["summary"]["logs"]["problems"].to_string();
    assert!(problems.contains("no_lines"), "{problems}");
    let waived = [
        "--log",
        "empty.log",
        "--sign-off-allow-warnings",
        "--sign-off-optional-diary",
        "--sign-off-optional-performance",
    ];
    audit(&lab, &waived, 3);
    let status = Command::new("mkfifo")
        .arg(lab.path("pipe"))
        .status()
        .unwrap();
    assert!(status.success());
    std::os::unix::fs::symlink("loop", lab.path("loop")).unwrap();
    std::fs::create_dir(lab.path("folder")).unwrap();
    lab.write("good.log", log(60, ""));
    for (name, says) in [
        ("pipe", "it is a named pipe"),
        ("loop", "it is a loop of symbolic links"),
        ("folder", "it is a directory"),
        ("/dev/zero", "it is a device"),
    ] {
        let ran = lab.run(&["audit", "--log", name]);
        assert!(ran.expect(64).err.contains(says), "{name}: {ran:?}");
        for flag in ["--diary", "--performance"] {
            let report = audit(&lab, &["--log", "good.log", flag, name, "--sign-off"], 2);
            let found = report["sign_off"]["findings"].as_array().unwrap();
            let told = found.iter().find(|f| f["code"] == "evidence_unreadable");
            let text = told.unwrap_or_else(|| panic!("{name}: {found:#?}"))["message"].to_string();
            assert!(text.contains(says) && text.contains(name), "{text}");
            let missing = format!("{}_missing", &flag[2..]);
            assert!(!found.iter().any(|f| f["code"] == missing.as_str()));
        }
    }
}

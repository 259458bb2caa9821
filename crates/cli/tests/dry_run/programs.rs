//! Real programs that go wrong: each one's exception is found as one incident with its language and its whole text, and so is
//! the way in which it ended.

use gonogo_testkit::programs::{End, Program, background};
use gonogo_testkit::skip;
use serde_json::Value;

use crate::lab::{Lab, incidents, sh};

fn goes_wrong(name: &str) {
    let program = Program::named(name);
    let lab = Lab::new();
    let folder = lab.path("program");
    std::fs::create_dir(&folder).unwrap();
    let ready = match program.prepare(&folder) {
        Ok(ready) => ready,
        Err(why) => return skip(&format!("a {name} program in a dry run"), &why),
    };
    let env: Vec<String> = ready.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let flags: Vec<&str> = env.iter().flat_map(|e| ["--env", e.as_str()]).collect();
    let argv: Vec<&str> = ready.argv.iter().map(|a| a.to_str().unwrap()).collect();
    let made = lab.orchestrate("wrong", 60.0, &flags, &argv);
    let summary = made.ended(2, "fail");
    let traces = incidents(&summary, "stack_trace");
    assert_eq!(traces.len(), 1, "{traces:#?}");
    let trace = &traces[0];
    // What has no frames may be talk: the exit status is what fails then.
    let severity = if name == "cpp" { "warn" } else { "fail" };
    assert_eq!(
        (&trace["severity"], &trace["count"]),
        (&severity.into(), &1.into()),
        "{trace:#}"
    );
    // The JVM prints both alike.
    let language = trace["metadata"]["language"].as_str().unwrap();
    assert!(same_language(name, language), "{language} is not {name}");
    let sample = trace["metadata"]["sample"].as_str().unwrap();
    let said = lab.text(&made.captured("stderr.000001"));
    assert!(said.contains(program.start), "{said}");
    let mut rest = sample
        .split_once(program.start)
        .unwrap_or_else(|| panic!("the sample begins elsewhere:\n{sample}"))
        .1;
    for mark in program.marks {
        rest = rest
            .split_once(mark)
            .unwrap_or_else(|| panic!("`{mark}` is not in its place in\n{sample}"))
            .1;
    }
    let exits = incidents(&summary, "exit");
    assert_eq!(exits.len(), 1, "{exits:#?}");
    let wanted = match program.end {
        End::Code(code) => code,
        End::Signal(signal) => -signal,
    };
    assert_eq!(summary["summary"]["metadata"]["exit_code"], wanted);
    assert_eq!(
        incidents(&summary, "ended_early").len(),
        1,
        "{:#}",
        summary["incidents"]
    );
    // Its heartbeats were no incident, and what the trace consists of is told once.
    let lines = incidents(&summary, "log_level");
    match name {
        // A start without frames does not swallow the line: it is one on stderr.
        "cpp" => assert!(!lines.is_empty()),
        _ => assert_eq!(lines, Vec::<Value>::new()),
    }
    let progress = made.json("progress.json");
    assert_eq!(incidents(&progress, "stack_trace").len(), 1);
    lab.verify(&made.packet(), &made.key(), &[]).expect(2);
    lab.deserted();
}

fn same_language(name: &str, language: &str) -> bool {
    match name {
        "java" | "kotlin" => ["java", "kotlin", "jvm"].contains(&language),
        "cpp" => ["cpp", "c++"].contains(&language),
        "asan" => ["asan", "sanitizer"].contains(&language),
        _ => name == language,
    }
}

#[test]
fn python() {
    goes_wrong("python");
}

#[test]
fn java() {
    goes_wrong("java");
}

#[test]
fn kotlin() {
    goes_wrong("kotlin");
}

#[test]
fn go() {
    goes_wrong("go");
}

#[test]
fn rust() {
    goes_wrong("rust");
}

#[test]
fn node() {
    goes_wrong("node");
}

#[test]
fn ruby() {
    goes_wrong("ruby");
}

#[test]
fn cpp() {
    goes_wrong("cpp");
}

#[test]
fn asan() {
    goes_wrong("asan");
}

#[test]
fn a_background_child_that_keeps_the_pipe_is_told_and_does_not_lengthen_the_run() {
    let lab = Lab::new();
    let folder = lab.path("program");
    std::fs::create_dir(&folder).unwrap();
    let ready = background(&folder, 300);
    let argv: Vec<&str> = ready.argv.iter().map(|a| a.to_str().unwrap()).collect();
    let flags = [
        "--drain-seconds",
        "1",
        "--required-duration-hours",
        "0.0000001",
    ];
    let made = lab.orchestrate("held", 60.0, &flags, &argv);
    // A process that was left behind is for a person to decide.
    let summary = made.ended(1, "warn");
    let left = incidents(&summary, "stragglers");
    assert_eq!(left.len(), 1, "{:#}", summary["incidents"]);
    assert_eq!(left[0]["severity"], "warn");
    assert!(left[0].to_string().contains("sleep"), "{left:#?}");
    let lived = summary["duration_seconds"].as_f64().unwrap();
    assert!(lived < 0.9, "the wait for the pipe counts: {lived} s");
    assert_eq!(summary["summary"]["logs"]["total_lines"], 3);
    assert_eq!(summary["summary"]["metadata"]["exit_code"], 0);
    lab.deserted();
}

#[test]
fn bytes_of_every_kind_are_kept_as_they_were_printed() {
    let lab = Lab::new();
    let script = r#"import os,sys
b = bytes(range(256))*40 + b"\r\n" + b"x"*200000 + b"\n" + b"\xff\xfe\x00 no end"
os.write(1, b[:7]); os.write(1, b[7:70000])
off = 70000
while off < len(b): off += os.write(1, b[off:])
os.write(2, b"fine\n")
"#;
    if let Some(why) = gonogo_testkit::lacks("python3", &["--version"]) {
        return skip("bytes of every kind in a dry run", &why);
    }
    let flags = [
        "--required-duration-hours",
        "0.0000001",
        "--stderr-policy",
        "info",
    ];
    let made = lab.orchestrate("bytes", 30.0, &flags, &["python3", "-c", script]);
    assert!(made.ran.status <= 2, "{:?}", made.ran);
    let mut wanted: Vec<u8> = Vec::new();
    for _ in 0..40 {
        wanted.extend(0..=255_u8);
    }
    wanted.extend(b"\r\n");
    wanted.extend(vec![b'x'; 200_000]);
    wanted.extend(b"\n\xff\xfe\x00 no end");
    let kept = std::fs::read(lab.path(&made.captured("stdout.000001"))).unwrap();
    assert!(kept == wanted, "{} bytes of {}", kept.len(), wanted.len());
    assert_eq!(
        std::fs::read(lab.path(&made.captured("stderr.000001"))).unwrap(),
        b"fine\n"
    );
    let views = lab.text(&made.inside("logs/final_dry_run_bytes.jsonl"));
    for line in views.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    // A shell of its own says the same of the views: nothing of a long line is lost without a word.
    let summary = made.summary();
    assert_eq!(
        summary["summary"]["logs"]["total_bytes"],
        wanted.len() as u64 + 5
    );
}

#[test]
fn a_command_that_does_not_exist_is_a_verdict_with_the_reason() {
    let lab = Lab::new();
    for (name, command, why) in [
        ("absent", "./no-such-program", "No such file"),
        ("locked", "./work.txt", "ermission denied"),
    ] {
        lab.write("work.txt", "words");
        let made = lab.orchestrate(name, 5.0, &[], &[command]);
        assert!([2, 3].contains(&made.ran.status), "{:?}", made.ran);
        let summary = made.summary();
        assert!(summary.to_string().contains(why), "{summary:#}");
        assert_ne!(summary["status"], "pass");
        let verified = lab.verify(&made.packet(), &made.key(), &[]);
        assert_eq!(verified.status, made.ran.status, "{verified:?}");
    }
    // A script without its first line is no program either; what the system says is told.
    let made = lab.orchestrate("quick", 5.0, &[], &sh("exit 7"));
    let summary = made.ended(2, "fail");
    assert_eq!(summary["summary"]["metadata"]["exit_code"], 7);
}

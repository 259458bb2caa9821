//! `gonogo record`: real clients behind the proxy, recorded once and played without the service.

use std::time::Duration;

use gonogo_testkit::{lacks, skip};
use serde_json::Value;

use crate::lab::{Lab, Service};
use crate::project::{processes_of, wait};

/// Two requests by curl.
const CURL: &str =
    "curl -fsS \"$GONOGO_RECORDED_API/price\" && curl -fsS \"$GONOGO_RECORDED_API/stock?key=1\"";

fn curl() -> bool {
    let lacks = lacks("curl", &["--version"]);
    if let Some(why) = &lacks {
        skip("a command behind the recorder", why);
    }
    lacks.is_none()
}

/// `record` with the usual cassette, these flags, and this script.
fn args<'a>(flags: &[&'a str], script: &'a str) -> Vec<&'a str> {
    let mut all = vec!["record", "--cassette", "calls.json"];
    all.extend(flags);
    all.extend(["--", "sh", "-c", script]);
    all
}

fn reasons(data: &Value) -> Vec<&str> {
    let all = data["reasons"].as_array().unwrap().iter();
    all.map(|r| r["code"].as_str().unwrap()).collect()
}

#[test]
fn what_was_recorded_is_played_without_the_service() {
    if !curl() {
        return;
    }
    let (lab, service) = (Lab::new(), Service::new());
    let upstream = service.upstream();
    let first = lab.run(&args(&["--upstream", &upstream], CURL));
    first.expect(0);
    assert_eq!(service.count(), 2);
    // The command has standard output to itself.
    assert_eq!(
        first.out,
        "{\"path\":\"/price\",\"answer\":1}\n{\"path\":\"/stock?key=1\",\"answer\":2}\n"
    );
    assert!(
        first.err.contains("recording: api") && first.err.contains("2 exchanges recorded"),
        "{}",
        first.err
    );
    let cassette = lab.text("calls.json");

    // The second run asks nobody, and says the same.
    let second = lab.run(&args(
        &["--upstream", &upstream, "--report", "reports/r.json"],
        CURL,
    ));
    second.expect(0);
    assert_eq!((service.count(), &second.out), (2, &first.out));
    assert_eq!(lab.text("calls.json"), cassette);
    let report: Value = serde_json::from_str(&lab.text("reports/r.json")).unwrap();
    assert_eq!(report["schema"], "gonogo.suite.recording-report.v1");
    assert_eq!(
        (&report["used"], &report["verdict"]),
        (&2.into(), &"pass".into())
    );
    let linted = lab.data(
        0,
        &["record", "lint", "calls.json", "--report", "reports/r.json"],
    );
    assert_eq!(
        (&linted["interactions"], &linted["verdict"]),
        (&2.into(), &"pass".into())
    );

    // A new recording has to be confirmed.
    let again = args(&["--upstream", &upstream, "--mode", "record"], CURL);
    lab.refuses(77, "RECORDING_EXISTS", &again);
    assert_eq!(service.count(), 2);
    lab.run(&args(
        &[
            "--upstream",
            &upstream,
            "--mode",
            "record",
            "--yes",
            "--quiet",
        ],
        CURL,
    ))
    .expect(0);
    assert_eq!(service.count(), 4);
    assert_ne!(lab.text("calls.json"), cassette);
}

#[test]
fn a_green_command_does_not_make_up_for_a_recording_nor_the_other_way_round() {
    if !curl() {
        return;
    }
    let (lab, service) = (Lab::new(), Service::new());
    let upstream = service.upstream();
    let flags = ["--upstream", upstream.as_str()];
    lab.run(&args(&flags, CURL)).expect(0);
    let one = "curl -fsS \"$GONOGO_RECORDED_API/price\"";
    let other = "curl -sS \"$GONOGO_RECORDED_API/price\" \"$GONOGO_RECORDED_API/stock?key=1\" \"$GONOGO_RECORDED_API/other\"";
    for (script, exit, verdict, codes) in [
        (one, 1, "hold", &["RECORDING_UNUSED"][..]),
        (other, 2, "fail", &["RECORDING_MISMATCH"]),
        ("true", 3, "invalid", &["RECORDING_EMPTY"]),
        (
            "exit 7",
            3,
            "invalid",
            &["RECORDING_EMPTY", "COMMAND_FAILED"],
        ),
        (
            &format!("{one}; exit 7"),
            2,
            "fail",
            &["RECORDING_UNUSED", "COMMAND_FAILED"],
        ),
        (
            &format!("{one}; kill -9 $$"),
            3,
            "invalid",
            &["RUN_INCOMPLETE", "RECORDING_UNUSED", "COMMAND_FAILED"],
        ),
    ] {
        let data = lab.data(exit, &args(&flags, script));
        assert_eq!(data["verdict"], verdict, "{script}: {data:#}");
        assert_eq!(reasons(&data), codes, "{script}");
        let told = lab.run(&args(&["--upstream", &upstream, "--quiet"], script));
        told.expect(exit);
        // Who wants no talk still hears why.
        for code in codes {
            assert!(told.err.contains(code), "{}", told.err);
        }
    }
    let data = lab.data(2, &args(&flags, &format!("{CURL} && exit 7")));
    assert_eq!(data["command"]["code"], 7);
    assert_eq!(reasons(&data), ["COMMAND_FAILED"]);
    lab.run(&args(&["--upstream", &upstream, "--allow-unused"], one))
        .expect(0);
    assert_eq!(service.count(), 2, "playback asked the service");
    let told = lab.run(&args(&flags, other));
    assert!(
        told.err.contains("not recorded: GET http://") && told.err.contains("/other"),
        "{}",
        told.err
    );
}

#[test]
fn with_json_the_answer_is_alone_on_standard_output() {
    if !curl() {
        return;
    }
    let (lab, service) = (Lab::new(), Service::new());
    let upstream = service.upstream();
    let line: Vec<&str> = [&["--json"][..], &args(&["--upstream", &upstream], CURL)].concat();
    let ran = lab.run(&line);
    let envelope = ran.envelope();
    assert_eq!(envelope["data"]["report"]["saved"], true, "{envelope:#}");
    assert_eq!(
        envelope["metadata"]["toolId"], "recording_run",
        "{envelope:#}"
    );
    assert!(ran.err.contains("\"answer\":2"), "{}", ran.err);
}

#[test]
fn what_cannot_be_run_changes_nothing() {
    let lab = Lab::new();
    let url = "api=http://127.0.0.1:9";
    let with = |flags: &[&'static str]| args(flags, "true");
    lab.refuses(64, "ARGUMENT_INVALID", &["record"]);
    lab.refuses(
        64,
        "ARGUMENT_INVALID",
        &["record", "--cassette", "c.json", "--upstream", url],
    );
    lab.refuses(
        64,
        "ARGUMENT_INVALID",
        &["record", "--upstream", url, "--", "true"],
    );
    let text = lab.refuses(64, "ARGUMENT_INVALID", &with(&[]));
    assert!(
        text.contains("neither a named service nor the forward proxy"),
        "{text}"
    );
    lab.refuses(
        64,
        "ARGUMENT_INVALID",
        &with(&["--upstream", "Api=http://127.0.0.1:9"]),
    );
    lab.refuses(
        64,
        "ARGUMENT_INVALID",
        &with(&["--upstream", "api=ftp://127.0.0.1:9"]),
    );
    lab.refuses(
        64,
        "ARGUMENT_INVALID",
        &with(&["--upstream", url, "--report", "calls.json"]),
    );
    for flags in [
        &["--upstream", "api"][..],
        &["--upstream", "=http://a"],
        &["--loopback", "--upstream", url],
        &["--mode", "passthrough", "--upstream", url],
        &["--max-age", "soon", "--upstream", url],
    ] {
        let line = [&["--json"][..], &with(flags)].concat();
        lab.run(&line).refusal(64, &["ARGUMENT_INVALID"]);
    }
    lab.refuses(
        64,
        "ARGUMENT_INVALID",
        &[
            "record",
            "--cassette",
            "calls.txt",
            "--upstream",
            url,
            "--",
            "true",
        ],
    );
    lab.refuses(
        3,
        "RECORDING_MISSING",
        &with(&["--upstream", url, "--mode", "playback"]),
    );
    lab.refuses(
        66,
        "CONFIG_NOT_FOUND",
        &["record", "--name", "api", "--", "true"],
    );
    let missing = [
        "record",
        "--cassette",
        "c.json",
        "--upstream",
        url,
        "--",
        "no-such-program",
    ];
    let text = lab.refuses(66, "INPUT_NOT_FOUND", &missing);
    assert!(text.contains("no-such-program"), "{text}");
    lab.refuses(66, "INPUT_NOT_FOUND", &["record", "lint", "calls.json"]);
    // In CI nothing is recorded by itself.
    let mut command = lab.command(&with(&["--upstream", url]));
    let status = command.env("CI", "true").output().unwrap().status;
    assert_eq!(status.code(), Some(3));
    assert!(!lab.path("calls.json").exists());

    lab.write(
        "calls.json",
        "{\"schema\": \"gonogo.suite.cassette.v1\", \"interactions\": [{]}",
    );
    lab.refuses(3, "RECORDING_INVALID", &with(&["--upstream", url]));
    lab.refuses(3, "RECORDING_INVALID", &["record", "lint", "calls.json"]);
    lab.write("calls.json", "{\"schema\": \"other.v9\", \"recorded_at\": \"2026-01-01T00:00:00.000Z\", \"interactions\": []}");
    lab.refuses(3, "SCHEMA_UNKNOWN", &["record", "lint", "calls.json"]);
    lab.write("r.json", "{}");
    lab.refuses(
        65,
        "INPUT_MALFORMED",
        &["record", "lint", "calls.json", "--report", "r.json"],
    );
}

#[test]
fn a_cassette_with_a_secret_or_of_old_is_found_without_a_run() {
    let lab = Lab::new();
    let cassette = |at: &str, body: &str| {
        format!(
            r#"{{"schema":"gonogo.suite.cassette.v1","recorded_at":"{at}","interactions":[{{"request":{{"method":"GET","url":"http://a.example/","headers":[]}},"response":{{"status":200,"headers":[],"body":{{"chunks":[{{"text":"{body}","after_ms":0}}]}}}}}}]}}"#
        )
    };
    lab.write("calls.json", &cassette("2020-01-01T00:00:00.000Z", "fine"));
    let data = lab.data(1, &["record", "lint", "calls.json"]);
    assert_eq!(data["findings"][0]["reason"], "RECORDING_STALE", "{data:#}");
    let token = format!("ghp_{}", "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5");
    lab.write("calls.json", &cassette("2020-01-01T00:00:00.000Z", &token));
    let data = lab.data(2, &["record", "lint", "calls.json"]);
    let found = data["findings"].to_string();
    assert!(
        found.contains("RECORDING_LEAK") && !found.contains(&token),
        "{found}"
    );
}

#[test]
fn a_run_that_is_stopped_stops_its_command_and_saves_nothing() {
    if !curl() {
        return;
    }
    let (lab, service) = (Lab::new(), Service::new());
    let upstream = service.upstream();
    for (script, signal) in [
        (
            "trap 'exit 0' TERM; curl -fsS \"$GONOGO_RECORDED_API/a\"; touch there; while :; do sleep 0.05; done",
            rustix::process::Signal::TERM,
        ),
        (
            "curl -fsS \"$GONOGO_RECORDED_API/a\"; touch there; exec sleep 300",
            rustix::process::Signal::HUP,
        ),
    ] {
        let line = args(&["--upstream", &upstream], script);
        let mut child = lab
            .command(&line)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        wait("the request", Duration::from_secs(30), || {
            lab.path("there").exists().then_some(())
        });
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, signal).unwrap();
        let status = wait("the end", Duration::from_secs(30), || {
            child.try_wait().unwrap()
        });
        let mut told = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut told).unwrap();
        assert_eq!(status.code(), Some(3), "{told}");
        assert!(told.contains("RECORDING_PARTIAL"), "{told}");
        assert!(!lab.path("calls.json").exists());
        assert_eq!(processes_of(&lab.path("")), Vec::<i32>::new());
        std::fs::remove_file(lab.path("there")).unwrap();
    }
}

#[test]
fn a_suite_is_run_behind_a_recording_that_the_file_describes() {
    if !curl() {
        return;
    }
    let (lab, service) = (Lab::new(), Service::new());
    let config = format!(
        r#"[suites.api]
class = "recorded"
command = ["PROGRAM", "record", "--name", "api", "--", "sh", "-c", "curl -fsS -H 'X-Custom: tell-nobody-of-this' \"$GONOGO_RECORDED_API/price\""]

[record.api]
cassette = "cassettes/api.json"
upstreams = {{ api = "http://{}" }}
match = {{ headers = ["accept"] }}
redact = {{ values_of = ["LAB_SECRET"] }}
"#,
        service.address
    );
    lab.write("gonogo.toml", &config);
    lab.write("cassettes/README", "recorded\n");
    lab.write("below/README", "nothing\n");
    // From below: the cassette is relative to the file.
    let mut command = lab.command(&[
        "record",
        "--name",
        "api",
        "--",
        "sh",
        "-c",
        "curl -fsS -H 'X-Custom: tell-nobody-of-this' \"$GONOGO_RECORDED_API/price\"",
    ]);
    command
        .current_dir(lab.path("below"))
        .env("LAB_SECRET", "tell-nobody-of-this");
    let out = command.output().unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let cassette = lab.text("cassettes/api.json");
    assert!(
        cassette.contains("x-custom") && !cassette.contains("tell-nobody"),
        "{cassette}"
    );
    let mut command = lab.command(&["suite", "run", "--profile", "ci"]);
    let out = command
        .env("LAB_SECRET", "tell-nobody-of-this")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(0), "{told}");
    assert_eq!(service.count(), 1, "the suite asked the service");
    let text = lab.refuses(
        64,
        "ARGUMENT_INVALID",
        &["record", "--name", "apo", "--", "true"],
    );
    assert!(text.contains("[record.apo]"), "{text}");
}

#[test]
fn sections_with_faults_are_told_with_their_places() {
    let lab = Lab::new();
    for (section, told) in [
        ("upstreams = { api = \"http://a\" }", "cassette"),
        ("cassette = \"c.json\"", "upstreams"),
        ("cassette = \"c.yaml\"\nforward = true", ".json"),
        (
            "cassette = \"c.json\"\nupstreams = { api = \"a.example\" }",
            "http://",
        ),
        (
            "cassette = \"c.json\"\nforward = true\nmode = \"off\"",
            "playback",
        ),
        (
            "cassette = \"c.json\"\nforward = true\nmatch = { header = [] }",
            "header",
        ),
        (
            "cassette = \"c.json\"\nforward = true\nredact = { patterns = [\"(\"] }",
            "regular expression",
        ),
        (
            "cassette = \"c.json\"\nloopback = true\nupstreams = { api = \"http://a\" }",
            "twice",
        ),
        (
            "cassette = \"c.json\"\nforward = true\nmax_age = \"soon\"",
            "soon",
        ),
    ] {
        lab.write("gonogo.toml", &format!("[record.api]\n{section}\n"));
        let ran = lab.run(&["record", "--name", "api", "--", "true"]);
        ran.expect(78);
        assert!(
            ran.err.contains(told) && ran.err.contains("gonogo.toml"),
            "{section}: {}",
            ran.err
        );
    }
}

#[test]
fn a_client_that_takes_its_proxy_from_the_environment_is_recorded() {
    if let Some(why) = lacks("python3", &["--version"]) {
        skip("Python behind the forward proxy", &why);
        return;
    }
    let (lab, service) = (Lab::new(), Service::new());
    let script = format!(
        "import urllib.request; print(urllib.request.urlopen('http://{}/price').read().decode())",
        service.address
    );
    let line = [
        "record",
        "--cassette",
        "calls.json",
        "--forward",
        "--loopback",
        "--",
        "python3",
        "-c",
        &script,
    ];
    let first = lab.run(&line);
    first.expect(0);
    let second = lab.run(&line);
    second.expect(0);
    assert_eq!((first.out, service.count()), (second.out, 1));
}

//! `gonogo perf stress`: real programs under load, and what they leave.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::project::{Running, processes_of, wait};
use crate::work::{CONFIG, Work};

/// How long a test waits for what happens at once.
const SOON: Duration = Duration::from_secs(30);

/// A load of four seconds: 800 events, and a heap that grows tenfold where it is told to grow. What a busy host leaves of the start of the
/// program behind the first reading is less than the limit.
const LOAD: &str = r#"
import os, sys, time
seconds = float(os.environ["GONOGO_STRESS_DURATION_SECS"])
events = int(seconds * float(os.environ["GONOGO_STRESS_EVENTS_PER_SEC"]))
how = sys.argv[1]
kept = []
print("token=hunter2x9", flush=True)
begin = time.monotonic()
out = open(os.environ["GONOGO_STRESS_EVENTS"], "w") if how != "mute" else open(os.devnull, "w")
for n in range(events):
    if how == "leak": kept.append(bytearray(200000))
    slow = how == "drift" and 2 * n > events
    out.write("40000\n" if slow else "1000\n")
    if how == "errors" and n == 700: out.write("error: refused\n")
    if how == "odd" and n == 700: out.write("12 us\n")
    wait = begin + (n + 1) * seconds / events - time.monotonic()
    if wait > 0: time.sleep(wait)
out.close()
if how == "fail": sys.exit(7)
if how == "hang": time.sleep(600)
"#;

fn load(how: &str) -> String {
    format!(
        "\n[perf.stress.soak]\ncommand = [\"python3\", \"load.py\", \"{how}\"]\nduration = \"4s\"\nevents_per_sec = 200\ninterval = \"200ms\"\nwarm_up = \"1500ms\"\nrss_growth = \"100%\"\ntimeout = \"20s\"\n"
    )
}

fn work(how: &str) -> Work {
    Work::of(&format!("{CONFIG}{}", load(how)), &[("load.py", LOAD)])
}

/// What came of the load, and its triage.
#[track_caller]
fn told(work: &Work, exit: i32) -> (Value, Value) {
    let data = work.answer(&["perf", "stress", "soak"], exit);
    let triage = data["triages"]["soak"].clone();
    (data, triage)
}

/// What the gate over budgets says.
#[track_caller]
fn gate(work: &Work, exit: i32) -> Value {
    let data = work.answer(&["gate", "check", "--lane", "full"], exit);
    let gates = data["verdict"]["gates"].as_array().unwrap().clone();
    let found = gates.into_iter().find(|g| g["id"] == json!("perf"));
    found.unwrap()
}

#[test]
fn a_program_that_holds_its_memory_passes_and_the_gate_sees_it() {
    let work = work("well");
    work.ran(&[], 0);
    // Nobody ran it.
    assert_eq!(gate(&work, 3)["status"], json!("hold"));
    let (data, triage) = told(&work, 0);
    assert_eq!(triage["verdict"], json!("pass"), "{triage:#}");
    assert_eq!(triage["event_count"], json!(800));
    assert_eq!(triage["latency"]["p99_last_us"], json!(1000.0));
    assert_eq!(triage["run_id"], data["run"]["run_id"]);
    assert!(!triage["correlation_id"].as_str().unwrap().is_empty());
    assert!(triage["run"]["rss_kib"].as_array().unwrap().len() >= 5);
    assert_eq!(gate(&work, 0)["status"], json!("pass"));

    let dir = data["directory"].as_str().unwrap();
    work.run(&["perf", "rejudge", dir]).expect(0);
    // A triage that is made better is found out, and the gate does not believe it.
    let path = std::path::Path::new(dir).join("soak/stress_triage.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let forged = text.replace("\"p99_last_us\":1000", "\"p99_last_us\":900");
    assert_ne!(forged, text);
    std::fs::write(&path, forged).unwrap();
    work.answer(&["perf", "rejudge", dir], 3);
    assert_eq!(gate(&work, 0)["status"], json!("pass"));
    // Declared otherwise, it is another load that nobody ran.
    let config = std::fs::read_to_string(work.lab.path("gonogo.toml")).unwrap();
    work.lab
        .write("gonogo.toml", config.replace("\"200ms\"", "\"210ms\""));
    work.ran(&[], 0);
    assert_eq!(gate(&work, 3)["status"], json!("hold"));
}

#[test]
fn memory_that_grows_fails_and_no_second_run_makes_it_good() {
    let work = work("leak");
    work.ran(&[], 0);
    let (_, triage) = told(&work, 2);
    assert_eq!(
        triage["reasons"],
        json!(["PERF_MEMORY_GROWTH"]),
        "{triage:#}"
    );
    let told = gate(&work, 2);
    assert_eq!(told["status"], json!("fail"));
    // Once, in its own words.
    let reasons = told["obligations"][0]["reasons"].as_array().unwrap();
    assert_eq!(reasons.len(), 1, "{told:#}");
}

#[test]
fn drift_errors_and_a_command_that_fails_are_failures() {
    for (how, reason) in [
        ("drift", "PERF_LATENCY_DRIFT"),
        ("errors", "PERF_ERRORS"),
        ("fail", "PERF_ERRORS"),
    ] {
        let work = work(how);
        let (_, triage) = told(&work, 2);
        assert_eq!(triage["reasons"], json!([reason]), "{how}: {triage:#}");
    }
}

#[test]
fn what_was_not_measured_is_not_judged() {
    let work = work("mute");
    let (_, triage) = told(&work, 3);
    assert_eq!(triage["reasons"], json!(["PERF_INSUFFICIENT"]));
    assert_eq!(triage["latency"]["ok"], json!(false));
    // A list with something else in it is no list of events.
    let work = self::work("odd");
    let (data, triage) = told(&work, 3);
    assert_eq!(triage["event_count"], json!(0));
    let trouble = data["run"]["outcomes"][0]["trouble"].to_string();
    assert!(trouble.contains("line 702 is `12 us`"), "{trouble}");
    // Nothing is there to run.
    let config = format!("{CONFIG}{}", load("well")).replace("python3", "no-such-program");
    let work = Work::of(&config, &[]);
    let (_, triage) = told(&work, 3);
    assert_eq!(triage["run"]["ended"], json!("not_started"));
    // It does not come to its end, and is ended.
    let config = format!("{CONFIG}{}", load("hang")).replace("\"20s\"", "\"6s\"");
    let work = Work::of(&config, &[("load.py", LOAD)]);
    let (_, triage) = told(&work, 3);
    assert_eq!(triage["run"]["ended"], json!("cut"), "{triage:#}");
}

#[test]
fn another_command_is_evidence_about_no_declaration() {
    let work = work("leak");
    work.ran(&[], 0);
    let out = work.lab.path("../triage.json");
    let out = out.to_str().unwrap();
    let args = [
        "perf", "stress", "soak", "--out", out, "--", "python3", "load.py", "well",
    ];
    let ran = work.run(&args);
    ran.expect(0);
    assert_eq!(crate::work::json_of("/", out)["verdict"], json!("pass"));
    assert_eq!(gate(&work, 3)["status"], json!("hold"));
    work.run(&["perf", "stress", "none"]).expect(64);
}

#[test]
fn a_load_that_shows_nothing_is_refused_when_it_is_declared() {
    for (stress, word) in [
        ("[perf.stress.a]\nduration = \"1s\"\n", "command"),
        ("[perf.stress.a]\ncommand = []\n", "names no program"),
        (
            "[perf.stress.a]\ncommand = [\"a\"]\nduration = \"9s\"\n",
            "read only once",
        ),
        (
            "[perf.stress.a]\ncommand = [\"a\"]\ntimeout = \"9s\"\n",
            "longer than `duration`",
        ),
        (
            "[perf.stress.a]\ncommand = [\"a\"]\ninterval = \"0s\"\n",
            "longer than nothing",
        ),
        (
            "[perf.stress.a]\ncommand = [\"a\"]\nevents_per_sec = 0\n",
            "above 0",
        ),
        (
            "[perf.stress.a]\ncommand = [\"a\"]\ndir = \"..\"\n",
            "below this file",
        ),
        (
            "[perf.stress.a]\ncommand = [\"a\"]\n[perf.a]\nthreshold = 1\n",
            "the same name",
        ),
        ("[perf.stress]\ncommand = [\"a\"]\n", "a table"),
        (
            "[perf.stress.a]\ncommand = [\"a\"]\nintervall = \"1s\"\n",
            "intervall",
        ),
    ] {
        let work = Work::of(&format!("{CONFIG}\n{stress}"), &[]);
        let ran = work.run(&["perf", "stress"]);
        ran.expect(78);
        assert!(ran.err.contains(word), "{stress}: {}", ran.err);
    }
    let work = Work::new();
    work.run(&["perf", "stress"]).expect(3);
}

#[test]
fn an_interrupted_load_is_ended_and_not_judged() {
    let work = work("hang");
    let mut command = work.lab.bare(&["perf", "stress", "soak", "--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = Running::of(command.spawn().unwrap());
    let runs = work.lab.path(".gonogo/runs/perf");
    let began = || {
        let mut runs = std::fs::read_dir(&runs).into_iter().flatten().flatten();
        runs.find(|run| run.path().join("soak/events.txt").exists())
    };
    let at = wait("the load has begun", SOON, began).path();
    running.signal(Signal::INT);
    let ran = running.join();
    ran.expect(3);
    let triage = &ran.envelope()["data"]["triages"]["soak"];
    assert!(triage.to_string().contains("was interrupted"), "{triage:#}");
    let log = std::fs::read_to_string(at.join("soak/output.log")).unwrap();
    assert_eq!(log, "token=[REDACTED]\n");
    assert!(processes_of(work.lab.path("").parent().unwrap()).is_empty());
}

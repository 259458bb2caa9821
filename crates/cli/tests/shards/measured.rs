//! `gonogo perf`: the way from a declaration to a verdict and to the gate. Nothing is said of how long anything takes.

use serde_json::{Value, json};

use crate::work::{CONFIG, Work};

/// A comparison whose budget no noise can break, and a limit that nothing reaches.
const PERF: &str = r#"
[perf.start]
command = ["sh", "work.sh"]
prepare = ["sh", "-c", "echo prepared >> prepared.txt"]
timeout = "20s"
compare = { base = "main", budget = "99%", practical = "98%" }

[perf.limit]
command = ["sh", "work.sh"]
threshold = 1e12
statistic = "p50"
"#;

/// A repository with budgets; nothing is changed in it yet.
fn work(perf: &str) -> Work {
    let config = format!("{CONFIG}{perf}");
    Work::of(
        &config,
        &[(
            "work.sh",
            "i=0; while [ $i -lt 200 ]; do i=$((i+1)); done\n",
        )],
    )
}

fn outcome<'a>(data: &'a Value, name: &str) -> &'a Value {
    let all = data["run"]["outcomes"].as_array().unwrap();
    all.iter().find(|o| o["budget"] == json!(name)).unwrap()
}

#[test]
fn base_and_head_are_measured_in_turn_and_the_verdict_follows_from_the_samples() {
    let work = work(PERF);
    work.lab.write("more.txt", "a change that is not committed");
    let ran = work.run(&["perf", "run", "--json"]);
    let data = ran.envelope()["data"].clone();
    let start = outcome(&data, "start");
    assert!(start["compared"].is_string(), "{start:#}");
    assert_ne!(start["base_tree"], data["run"]["tree"]);
    assert_eq!(start["trouble"], Value::Null, "{start:#}");
    assert_eq!(outcome(&data, "limit")["result"], json!("same"));

    let dir = data["directory"].as_str().unwrap();
    let samples = crate::work::json_of(dir, "start/samples.json");
    let taken = samples["samples"].as_array().unwrap();
    // Whole blocks, in which both sides stand alike often.
    assert!(
        taken.len() >= 40 && taken.len().is_multiple_of(4),
        "{}",
        taken.len()
    );
    for block in taken.chunks(4) {
        let heads = block.iter().filter(|s| s["side"] == json!("head")).count();
        assert_eq!(heads, 2, "{block:?}");
    }
    // Each tree was prepared once, in a place of its own, and nothing of it is left.
    assert!(!work.lab.path("prepared.txt").exists());
    assert!(!std::path::Path::new(dir).join("trees").exists());

    let again = work.run(&["perf", "rejudge", dir]);
    again.expect(ran.status);
    assert!(
        again.out.starts_with("the same verdict, byte by byte"),
        "{}",
        again.out
    );

    // A gate sees the comparison, and that it is one with what the change is a change of.
    let told = work.run(&["gate", "check", "--lane", "full", "--json"]);
    let verdict = told.envelope()["data"]["verdict"].clone();
    let gates = verdict["gates"].as_array().unwrap();
    let perf = gates.iter().find(|g| g["id"] == json!("perf")).unwrap();
    let open = perf["obligations"].as_array().unwrap();
    assert_eq!(open.len(), 2, "{perf:#}");
    for obligation in open {
        assert!(
            !obligation["evidence"].as_array().unwrap().is_empty(),
            "{obligation:#}"
        );
        let text = obligation["reasons"].to_string();
        for code in [
            "EVIDENCE_MISSING",
            "BASELINE_INCOMPARABLE",
            "EVIDENCE_WRONG_TREE",
        ] {
            assert!(!text.contains(code), "{obligation:#}");
        }
    }

    // A sample that is made better is found out.
    let path = std::path::Path::new(dir).join("start/samples.json");
    let before = std::fs::read(&path).unwrap();
    let mut changed = samples.clone();
    changed["samples"][0]["value"] = json!(1.0);
    std::fs::write(&path, serde_json::to_vec(&changed).unwrap()).unwrap();
    let told = work.answer(&["perf", "rejudge", dir], 3);
    assert_eq!(told["same"], json!(false));
    std::fs::write(&path, before).unwrap();
    work.run(&["perf", "rejudge", dir]).expect(ran.status);
    // So is an outcome, and a verdict.
    for name in ["perf.json", "start/verdict.json", "budgets.json"] {
        let path = std::path::Path::new(dir).join(name);
        let before = std::fs::read_to_string(&path).unwrap();
        let changed = match name {
            "budgets.json" => before.replacen("\"total_budgets\":1", "\"total_budgets\":2", 1),
            _ => before.replacen("\"verdict\":\"", "\"verdict\":\"x", 1),
        };
        assert_ne!(before, changed, "{name}");
        std::fs::write(&path, changed).unwrap();
        work.answer(&["perf", "rejudge", dir], 3);
        std::fs::write(&path, before).unwrap();
    }
}

#[test]
fn a_tree_beside_itself_is_told_and_nothing_is_run() {
    let work = work(PERF);
    let data = work.answer(&["perf", "run", "start"], 3);
    let start = outcome(&data, "start");
    assert_eq!(start["reasons"], json!(["BASELINE_INCOMPARABLE"]));
    assert_eq!(start["result"], json!("insufficient"));
    let dir = data["directory"].as_str().unwrap();
    let samples = crate::work::json_of(dir, "start/samples.json");
    assert_eq!(samples["samples"], json!([]));
}

#[test]
fn a_command_that_fails_is_no_sample() {
    let work = work(&PERF.replacen(
        r#"command = ["sh", "work.sh"]"#,
        r#"command = ["sh", "-c", "test ! -f more.txt"]"#,
        1,
    ));
    // Head fails, base does not.
    work.lab.write("more.txt", "a change");
    let data = work.answer(&["perf", "run", "start"], 3);
    let start = outcome(&data, "start");
    assert_eq!(start["result"], json!("insufficient"));
    assert!(
        start["trouble"].as_str().unwrap().contains("no figure"),
        "{start:#}"
    );
    let dir = data["directory"].as_str().unwrap();
    let samples = crate::work::json_of(dir, "start/samples.json");
    assert_eq!(samples["samples"], json!([]));
    work.run(&["perf", "rejudge", dir]).expect(3);
}

#[test]
fn a_preparation_that_fails_measures_nothing() {
    let perf = PERF.replace("echo prepared >> prepared.txt", "exit 7");
    let work = work(&perf);
    work.lab.write("more.txt", "a change");
    let data = work.answer(&["perf", "run", "start"], 3);
    let trouble = outcome(&data, "start")["trouble"].to_string();
    assert!(
        trouble.contains("the preparation of base ended with 7"),
        "{trouble}"
    );
}

#[test]
fn thresholds_are_judged_by_series_and_what_has_no_data_holds() {
    let work = work(
        "\n[perf.speed]\nmetric = \"calls\"\nunit = \"per_s\"\ndirection = \">=\"\nthreshold = 5000\nhost_class = \"lab\"\n",
    );
    let none = work.answer(&["perf", "check"], 3);
    assert_eq!(outcome(&none, "speed")["result"], json!("insufficient"));
    assert_eq!(none["budgets"]["ci_no_data"], json!(1));
    let tree = none["run"]["tree"].clone();
    let series = |samples: Value, tree: &Value| {
        let value = json!({
            "schema": "gonogo.suite.perf-series.v1",
            "series": [{
                "metric": "calls", "unit": "per_s", "tree": tree, "host_class": "lab",
                "measured_at": none["run"]["at"], "source": "bench", "samples": samples,
            }],
        });
        work.lab.write("../series.json", value.to_string());
    };
    let check = |exit| work.answer(&["perf", "check", "--series", "../series.json"], exit);
    series(json!([6000, 6100, 5900]), &tree);
    assert_eq!(outcome(&check(0), "speed")["result"], json!("same"));
    series(json!([4000, 4100, 3900]), &tree);
    let broken = check(2);
    assert_eq!(
        outcome(&broken, "speed")["reasons"],
        json!(["PERF_BUDGET_EXCEEDED"])
    );
    work.run(&["perf", "rejudge", broken["directory"].as_str().unwrap()])
        .expect(2);
    series(json!([6000, -1, 5900]), &tree);
    assert_eq!(
        outcome(&check(3), "speed")["reasons"],
        json!(["PERF_SAMPLE_INVALID"])
    );
    series(json!([6000, 6100, 5900]), &json!("git:other"));
    assert_eq!(
        outcome(&check(3), "speed")["reasons"],
        json!(["EVIDENCE_WRONG_TREE"])
    );
    series(json!([6000, null, 5900]), &tree);
    work.run(&["perf", "check", "--series", "../series.json"])
        .expect(65);
    work.run(&["perf", "check", "--series", "../nowhere.json"])
        .expect(66);
}

#[test]
fn a_gate_sees_the_newest_record_of_this_tree() {
    let work = work(
        "\n[perf.speed]\nmetric = \"calls\"\nunit = \"per_s\"\ndirection = \">=\"\nthreshold = 5000\nhost_class = \"lab\"\n",
    );
    work.ran(&[], 0);
    let gate = |exit: i32| {
        let data = work.answer(&["gate", "check", "--lane", "full"], exit);
        let gates = data["verdict"]["gates"].as_array().unwrap().clone();
        gates
            .into_iter()
            .find(|g| g["id"] == json!("perf"))
            .unwrap()
    };
    // Nobody measured it.
    assert_eq!(gate(3)["status"], json!("hold"));
    let none = work.answer(&["perf", "check"], 3);
    let check = |value: u64, exit: i32| {
        let file = json!({
            "schema": "gonogo.suite.perf-series.v1",
            "series": [{
                "metric": "calls", "unit": "per_s", "tree": none["run"]["tree"], "host_class": "lab",
                "measured_at": none["run"]["at"], "source": "bench", "samples": [value, value, value],
            }],
        });
        work.lab.write("../series.json", file.to_string());
        work.answer(&["perf", "check", "--series", "../series.json"], exit)
    };
    assert_eq!(gate(3)["status"], json!("hold"));
    check(6000, 0);
    assert_eq!(gate(0)["status"], json!("pass"));
    // What lies in the directory is not what the gate believes.
    let kept = check(6000, 0);
    let path = std::path::Path::new(kept["directory"].as_str().unwrap()).join("perf.json");
    std::fs::write(path, "{}").unwrap();
    assert_eq!(gate(0)["status"], json!("pass"));
    check(4000, 2);
    assert_eq!(gate(2)["status"], json!("fail"));
    // Once more does not make it a pass.
    check(6000, 0);
    let told = gate(1);
    assert_eq!(told["status"], json!("hold"));
    assert!(told.to_string().contains("PERF_UNCONFIRMED"), "{told:#}");
    // Another tree has no record.
    work.lab.write("more.txt", "a change");
    work.ran(&[], 0);
    assert_eq!(gate(3)["status"], json!("hold"));
}

#[test]
fn figures_that_are_handed_in_say_nothing_of_what_is_measured_here() {
    let work = work(
        "\n[perf.speed]\nmetric = \"calls\"\ncommand = [\"true\"]\nthreshold = 5000000\nhost_class = \"lab\"\n",
    );
    work.ran(&[], 0);
    let none = work.answer(&["perf", "check"], 3);
    let file = json!({
        "schema": "gonogo.suite.perf-series.v1",
        "series": [{
            "metric": "calls", "unit": "us", "tree": none["run"]["tree"], "host_class": "lab",
            "measured_at": none["run"]["at"], "source": "by hand", "samples": [1, 1, 1, 1, 1],
        }],
    });
    work.lab.write("../series.json", file.to_string());
    work.answer(&["perf", "check", "--series", "../series.json"], 0);
    let data = work.answer(&["gate", "check", "--lane", "full"], 3);
    assert_eq!(data["verdict"]["verdict"], json!("hold"), "{data:#}");
}

#[test]
fn a_budget_that_demands_nothing_or_nonsense_is_refused() {
    for (perf, word) in [
        ("[perf.a]\ncommand = [\"true\"]\n", "demands nothing"),
        ("[perf.a]\ncompare = {}\n", "needs a `command`"),
        ("[perf.a]\nthreshold = -1\n", "threshold"),
        (
            "[perf.a]\nthreshold = 0\ndirection = \">=\"\n",
            "every figure is at least 0",
        ),
        (
            "[perf.a]\nthreshold = 5\nstatistic = \"p99\"\nfewest = 10\n",
            "more samples",
        ),
        (
            "[perf.a]\nthreshold = 5\ncommand = [\"true\"]\nunit = \"s\"\n",
            "`us`",
        ),
        (
            "[perf.a]\ncommand = [\"true\"]\ncompare = { budget = \"1%\", practical = \"2%\" }\n",
            "above the budget",
        ),
        ("[perf.a]\nthreshold = 5\ntreshold = 6\n", "treshold"),
    ] {
        let work = Work::of(&format!("{CONFIG}\n{perf}"), &[]);
        let ran = work.run(&["perf", "run"]);
        ran.expect(78);
        assert!(ran.err.contains(word), "{perf}: {}", ran.err);
    }
    let work = Work::new();
    work.run(&["perf", "run"]).expect(3);
    let work = self::work(PERF);
    work.run(&["perf", "run", "none"]).expect(64);
    work.run(&["perf", "check", "start"]).expect(64);
    work.run(&["perf", "rejudge", "nowhere"]).expect(66);
}

#[test]
fn a_comparison_with_another_base_than_that_of_the_change_does_not_count() {
    let work = work(PERF);
    work.lab.write("more.txt", "a change");
    work.commit();
    let ran = work.run(&["perf", "run", "start", "--base", "HEAD~1", "--json"]);
    assert!(ran.envelope()["success"].as_bool().unwrap());
    let told = |base: &str| {
        let args = ["gate", "check", "--lane", "full", "--base", base, "--json"];
        let verdict = work.run(&args).envelope()["data"]["verdict"].clone();
        let gates = verdict["gates"].as_array().unwrap().clone();
        let perf = gates.iter().find(|g| g["id"] == json!("perf")).unwrap();
        perf["obligations"].to_string()
    };
    assert!(told("main").contains("BASELINE_INCOMPARABLE"));
    assert!(!told("HEAD~1").contains("BASELINE_INCOMPARABLE"));
}

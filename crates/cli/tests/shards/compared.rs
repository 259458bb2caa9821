//! `gonogo perf compare` and `gonogo perf history`: recorded figures beside each other and over commits.

use serde_json::{Value, json};

use crate::work::{CONFIG, Work};

/// A file with budgets alone.
const PERF: &str =
    "[perf.calls]\nunit = \"us\"\nthreshold = 5000\nhost_class = \"lab\"\ncategory = \"api\"\n";

/// The tree that is committed, and the moment.
fn here(work: &Work) -> (Value, Value) {
    let data = work.answer(&["perf", "check"], 3);
    (data["run"]["tree"].clone(), data["run"]["at"].clone())
}

fn series(work: &Work, name: &str, change: impl FnOnce(&mut Value)) {
    let (tree, at) = here(work);
    let mut one = json!({
        "metric": "calls", "unit": "us", "tree": tree, "host_class": "lab",
        "measured_at": at, "source": "bench", "samples": [1000, 1001, 999],
    });
    change(&mut one);
    let file = json!({"schema": "gonogo.suite.perf-series.v1", "series": [one]});
    work.lab.write(name, file.to_string());
}

#[test]
fn runs_and_files_are_compared_and_a_slower_figure_fails() {
    // No service, no version, no environment: a file about budgets alone.
    let work = Work::of(PERF, &[]);
    series(&work, "../base.json", |_| {});
    let checked = work.answer(&["perf", "check", "--series", "../base.json"], 0);
    let base = checked["run"]["run_id"].as_str().unwrap();
    work.lab.write("more.txt", "a change");
    let compare = |base: &str, head: &str, exit: i32| {
        let args = ["perf", "compare", "--base", base, "--head", head];
        work.answer(&args, exit)["comparison"].clone()
    };
    series(&work, "../head.json", |s| {
        s["samples"] = json!([1050, 1040, 1060])
    });
    let alike = compare(base, "../head.json", 0);
    assert_eq!(alike["rows"][0]["verdict"], json!("COMPARABLE"));
    let worse = alike["rows"][0]["delta_pct"].as_f64().unwrap();
    assert!((worse - 5.0).abs() < 1e-6, "{worse}");
    // The directory of a run says the same as the ledger.
    let dir = checked["directory"].as_str().unwrap();
    let same = compare(dir, "../head.json", 0);
    assert_eq!(same["base"]["digest"], alike["base"]["digest"]);
    series(&work, "../head.json", |s| {
        s["samples"] = json!([1200, 1190, 1210])
    });
    let slower = compare(base, "../head.json", 2);
    assert_eq!(slower["reasons"], json!(["PERF_REGRESSED"]));
    let args = [
        "perf",
        "compare",
        "--base",
        base,
        "--head",
        "../head.json",
        "--band",
        "25%",
    ];
    work.answer(&args, 0);

    // What is not comparable.
    let tree = here(&work).0;
    for (what, reason) in [
        (json!({"unit": "ms"}), "BASELINE_INCOMPARABLE"),
        (json!({"host_class": "laptop"}), "PERF_HOST_MISMATCH"),
        (json!({"samples": [1000, 1000]}), "PERF_INSUFFICIENT"),
        (json!({"metric": "other"}), "EVIDENCE_MISSING"),
        (
            json!({"tree": checked["run"]["tree"]}),
            "BASELINE_INCOMPARABLE",
        ),
    ] {
        series(&work, "../head.json", |s| {
            for (key, value) in what.as_object().unwrap() {
                s[key] = value.clone();
            }
        });
        let found = compare(base, "../head.json", 3);
        assert!(found["reasons"].to_string().contains(reason), "{found:#}");
    }
    assert_ne!(tree, checked["run"]["tree"]);
    work.run(&["perf", "compare", "--base", base, "--head", base])
        .expect(3);
    work.run(&["perf", "compare", "--base", "run_nope", "--head", base])
        .expect(66);
    // A run whose directory was changed is refused.
    std::fs::write(std::path::Path::new(dir).join("budgets.json"), "{}").unwrap();
    work.run(&["perf", "compare", "--base", dir, "--head", "../head.json"])
        .expect(65);
}

#[test]
fn a_metric_of_which_nobody_says_which_way_is_better_decides_nothing() {
    let work = Work::of(PERF, &[]);
    series(&work, "../base.json", |s| s["metric"] = json!("hits"));
    work.lab.write("more.txt", "a change");
    series(&work, "../head.json", |s| {
        s["metric"] = json!("hits");
        s["samples"] = json!([1300, 1301, 1299]);
    });
    let args = [
        "perf",
        "compare",
        "--base",
        "../base.json",
        "--head",
        "../head.json",
    ];
    let found = work.answer(&args, 3);
    assert_eq!(found["comparison"]["rows"][0]["verdict"], json!("INFO"));
    work.answer(&[&args[..], &["--better", "more"]].concat(), 0);
    work.answer(&[&args[..], &["--better", "less"]].concat(), 2);
}

#[test]
fn figures_that_nobody_measured_are_refused() {
    let work = Work::of(PERF, &[]);
    for (what, word) in [
        (json!({"source": ""}), "`source` is empty"),
        (json!({"tree": " "}), "`tree` is empty"),
        (
            json!({"samples": [0, 0, 0]}),
            "every sample of `calls` is 0",
        ),
    ] {
        series(&work, "../odd.json", |s| {
            for (key, value) in what.as_object().unwrap() {
                s[key] = value.clone();
            }
        });
        let ran = work.run(&["perf", "check", "--series", "../odd.json"]);
        ran.expect(65);
        assert!(ran.err.contains(word), "{}", ran.err);
    }
}

#[test]
fn a_level_that_changed_is_seen_over_the_commits() {
    let work = Work::of(PERF, &[(".gitignore", ".gonogo/\n")]);
    let commits = |from: u32, to: u32, value: u32| {
        for n in from..to {
            work.lab.write("n.txt", n.to_string());
            work.commit();
            let value = value + n % 3;
            series(&work, "../s.json", |s| {
                s["samples"] = json!([value, value, value])
            });
            work.answer(&["perf", "check", "--series", "../s.json"], 0);
        }
    };
    commits(0, 7, 1000);
    let few = work.answer(&["perf", "history", "calls"], 3);
    assert_eq!(few["reason"], json!("PERF_INSUFFICIENT"));
    commits(7, 14, 1000);
    let level = work.answer(&["perf", "history", "calls"], 0);
    assert_eq!(
        (&level["points"], &level["changes"]),
        (&json!(14), &json!([]))
    );
    commits(14, 21, 1100);
    let out = work.lab.path("../history.json");
    let args = ["perf", "history", "calls", "--out", out.to_str().unwrap()];
    let worse = work.answer(&args, 2);
    assert_eq!(worse["changes"].as_array().unwrap().len(), 1, "{worse:#}");
    assert_eq!(worse["changes"][0]["commit"], worse["series"][14]["commit"]);
    let kept = crate::work::json_of("/", out.to_str().unwrap());
    assert_eq!(kept["changes"], worse["changes"]);
    // What is not committed is no point, and nobody's other host is.
    work.lab.write("n.txt", "not committed");
    series(&work, "../s.json", |_| {});
    work.answer(&["perf", "check", "--series", "../s.json"], 0);
    let told = work.answer(&["perf", "history", "calls"], 2);
    assert_eq!(told["points"], json!(21));
    let left = &told["left_out"]["with changes that were not committed"];
    assert_eq!(left, &json!(2), "{told:#}");
    let other = work.answer(&["perf", "history", "calls", "--host-class", "laptop"], 3);
    assert_eq!(other["of_other_hosts"], json!(21));
    work.run(&["perf", "history", "nope"]).expect(64);
}

#[test]
fn the_budget_that_is_given_is_the_limit_and_no_view_calls_a_failure_a_pass() {
    let perf = |compare: &str| {
        format!(
            "{CONFIG}\n[perf.w]\ncommand = [\"sh\", \"work.sh\"]\nthreshold = 1e12\ncompare = {compare}\n"
        )
    };
    let of = |turns: u32| format!("i=0; while [ $i -lt {turns} ]; do i=$((i+1)); done\n");
    let views = |compare: &str| {
        let work = Work::of(&perf(compare), &[("work.sh", &of(3_000))]);
        work.lab.write("work.sh", of(60_000));
        let ran = work.run(&["perf", "run", "--base", "main", "--json"]);
        let data = ran.envelope()["data"].clone();
        let dir = data["directory"].as_str().unwrap().to_owned();
        let summary = crate::work::json_of(&dir, "budget_summary.json");
        let events = std::path::Path::new(&dir).join("budget_events.jsonl");
        let events = std::fs::read_to_string(events).unwrap();
        let verdict = crate::work::json_of(&dir, "w/verdict.json");
        let practical = verdict["demand"]["protocol"]["practical"].clone();
        (ran.status, summary, events, practical)
    };
    // More than ten times as much work is beyond a budget of 50 %.
    let (exit, summary, events, practical) = views("{ budget = \"50%\" }");
    assert_eq!(exit, 2, "{summary:#}");
    assert_eq!(summary["verdict"], json!("fail"));
    assert_eq!(
        (&summary["ci_fail"], &summary["pass"]),
        (&json!(1), &json!(1))
    );
    assert!(events.contains("\"budget_name\":\"w/compare\"") && events.contains("\"FAIL\""));
    assert_eq!(practical, json!(0.5));
    // Where nobody gives one, the usual smaller threshold fails.
    assert_eq!(views("{}").3, json!(0.02));
}

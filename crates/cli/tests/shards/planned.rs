//! Plans: the same for everybody, a file that is checked, and shards that run by it.

use serde_json::json;

use crate::work::{CONFIG, Work, json_of, targets};

#[test]
fn a_plan_without_a_file_and_one_with_it_are_the_same() {
    let work = Work::new();
    let made = work.answer(
        &[
            "suite",
            "plan",
            "--shards",
            "3",
            "--profile",
            "ci",
            "--out",
            "plan.json",
        ],
        0,
    );
    let hash = made["plan"]["hash"].as_str().unwrap();
    assert_eq!(made["common"], json!(["compile"]));
    assert_eq!(made["shards"][0]["suites"], json!(["alpha", "gamma"]));
    assert_eq!(made["shards"][2]["suites"], json!(["delta"]));
    assert_eq!(work.lab.json("plan.json"), made["plan"]);
    std::fs::remove_file(work.lab.path("plan.json")).unwrap();

    let dir = work.shard(1, 3, 0);
    let summary = json_of(&dir, "summary.json");
    assert_eq!(summary["shard"]["plan"], json!(hash));
    assert_eq!(targets(&summary), ["compile", "beta"]);
    assert_eq!(json_of(&dir, "shard_plan.json"), made["plan"]);
}

#[test]
fn a_shard_runs_by_the_file_that_it_is_given() {
    let work = Work::new();
    work.answer(
        &[
            "suite",
            "plan",
            "--shards",
            "2",
            "--by",
            "hash",
            "--profile",
            "ci",
            "--out",
            "../plan.json",
        ],
        0,
    );
    let mut all = Vec::new();
    for index in ["0", "1"] {
        let dir = work.ran(&["--shard-plan", "../plan.json", "--shard-index", index], 0);
        let summary = json_of(&dir, "summary.json");
        all.extend(targets(&summary).into_iter().filter(|t| t != "compile"));
    }
    all.sort();
    assert_eq!(all, ["alpha", "beta", "delta", "gamma"]);
}

#[test]
fn what_took_long_is_spread_by_what_was_recorded() {
    let work = Work::new();
    work.ran(&[], 0);
    let made = work.answer(
        &[
            "suite",
            "plan",
            "--shards",
            "2",
            "--by",
            "durations",
            "--profile",
            "ci",
        ],
        0,
    );
    assert_eq!(made["measured"], json!(4));
    assert_eq!(made["plan"]["cut"], json!("durations"));
    let names = |n: usize| made["shards"][n]["suites"].as_array().unwrap().len();
    assert_eq!(names(0) + names(1), 4);
    // A shard cannot make such a plan by itself: its own ledger is another.
    work.run(&[
        "suite",
        "run",
        "--shard-index",
        "0",
        "--shard-total",
        "2",
        "--shard-by",
        "durations",
    ])
    .expect(64);
}

#[test]
fn a_plan_of_other_suites_or_one_that_was_changed_is_refused() {
    let work = Work::new();
    work.answer(
        &[
            "suite",
            "plan",
            "--shards",
            "2",
            "--profile",
            "ci",
            "--suite",
            "alpha",
            "--suite",
            "beta",
            "--out",
            "../two.json",
        ],
        0,
    );
    let ran = work.run(&[
        "suite",
        "run",
        "--profile",
        "ci",
        "--shard-plan",
        "../two.json",
        "--shard-index",
        "0",
        "--json",
    ]);
    let error = ran.refusal(3, &["SHARD_PLAN_MISMATCH"]);
    assert!(error["message"].to_string().contains("delta"), "{error:#}");

    work.answer(
        &[
            "suite",
            "plan",
            "--shards",
            "2",
            "--profile",
            "ci",
            "--out",
            "../plan.json",
        ],
        0,
    );
    let path = work.lab.path("../plan.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let moved = text.replacen("\"shard\": 1", "\"shard\": 0", 1);
    assert_ne!(text, moved);
    std::fs::write(&path, moved).unwrap();
    let args = [
        "suite",
        "run",
        "--profile",
        "ci",
        "--shard-plan",
        "../plan.json",
        "--shard-index",
        "0",
        "--json",
    ];
    work.run(&args).refusal(65, &["INPUT_MALFORMED"]);
    std::fs::write(&path, "{").unwrap();
    work.run(&args).refusal(65, &["INPUT_MALFORMED"]);
    assert!(work.runs().is_empty());
}

#[test]
fn an_index_that_the_plan_does_not_have_and_a_number_that_nobody_can_run_are_refused() {
    let work = Work::new();
    for (index, total) in [("3", "3"), ("0", "0")] {
        work.run(&[
            "suite",
            "run",
            "--shard-index",
            index,
            "--shard-total",
            total,
        ])
        .expect(64);
    }
    work.run(&["suite", "run", "--shard-index", "0"]).expect(64);
    work.run(&["suite", "run", "--shard-total", "2"]).expect(64);
    work.run(&["suite", "plan", "--shards", "0"]).expect(64);
    assert!(work.runs().is_empty());
}

#[test]
fn a_command_is_told_which_shard_it_runs_in() {
    let told = CONFIG.replace(
        r#"command = ["sh", "tests.sh", "beta"]"#,
        r#"command = ["sh", "-c", "test -s \"$GONOGO_SHARD_PLAN\" && echo 1..1 && echo \"ok 1 - $GONOGO_SHARD_INDEX of $GONOGO_SHARD_TOTAL\""]"#,
    );
    let work = Work::with(&told);
    let dir = work.shard(1, 3, 0);
    let log = std::fs::read_to_string(format!("{dir}/unit/beta/output.log")).unwrap();
    assert!(log.contains("ok 1 - 1 of 3"), "{log}");
}

#[test]
fn what_a_suite_needs_runs_in_its_shard_and_is_no_item() {
    let needs = CONFIG.replace(
        r#"command = ["sh", "tests.sh", "gamma"]"#,
        "command = [\"sh\", \"tests.sh\", \"gamma\"]\nneeds = [\"beta\"]",
    );
    let work = Work::with(&needs);
    let made = work.answer(&["suite", "plan", "--shards", "3", "--profile", "ci"], 0);
    assert_eq!(made["common"], json!(["beta", "compile"]));
    let dirs = [
        work.shard(0, 3, 0),
        work.shard(1, 3, 0),
        work.shard(2, 3, 0),
    ];
    let of = |n: usize| targets(&json_of(&dirs[n], "summary.json"));
    assert_eq!(of(0), ["compile", "alpha"]);
    assert_eq!(of(1), ["compile", "delta"]);
    assert_eq!(of(2), ["compile", "beta", "gamma"]);
    let data = work.merge(&[&dirs[0], &dirs[1], &dirs[2]], 0);
    assert_eq!(
        targets(&data["summary"]),
        ["compile", "alpha", "beta", "delta", "gamma"]
    );
}

//! Shards that are the whole of their plan.

use serde_json::{Value, json};

use crate::work::{Work, json_of, targets};

#[test]
fn shards_of_other_machines_are_one_run_that_a_gate_accepts() {
    let machines = [Work::new(), Work::new(), Work::new()];
    let here = Work::new();
    let dirs: Vec<String> = (0..3).map(|n| machines[n].shard(n as u32, 3, 0)).collect();
    let runs: Vec<&str> = dirs.iter().map(String::as_str).collect();

    // No shard was run here, and none is merged yet.
    here.run(&["gate", "check", "--lane", "preflight"])
        .expect(3);
    let data = here.merge(&runs, 0);
    assert_eq!(data["complete"], json!(true));
    let dir = data["directory"].as_str().unwrap();
    let summary = json_of(dir, "summary.json");
    assert_eq!(summary["shard"], Value::Null);
    assert_eq!(summary["profile"], json!("ci"));
    assert_eq!(summary["state"], json!("complete"));
    assert_eq!(
        targets(&summary),
        ["compile", "alpha", "beta", "delta", "gamma"]
    );
    assert_eq!(summary["tests"]["total"], json!(9));
    for shard in data["shards"].as_array().unwrap() {
        assert_eq!(shard["record"], Value::Null);
        assert!(shard["vouched_by"].as_str().unwrap().contains("no record"));
    }
    // Every file of every shard is kept, at its place or below its shard.
    for file in [
        "unit/beta/output.log",
        "shards/1/summary.json",
        "shards/2/files.json",
    ] {
        let there = std::path::Path::new(dir).join(file).exists();
        assert!(there, "{file}");
    }
    let shown = here.answer(&["suite", "show", "last"], 0);
    assert_eq!(shown["differences"], json!([]));
    assert_eq!(shown["summary"]["run_id"], data["run"]);
    here.run(&["gate", "check", "--lane", "preflight"])
        .expect(0);

    let told = json_of(dir, "ci-shard-summary.json");
    assert_eq!(told["schema"], json!("gonogo.suite.shard-summary.v1"));
    assert_eq!(
        (&told["total_shards"], &told["failed_shards"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(told["balance"]["suite"]["count"], json!(3));
    assert_eq!(told["shards"].as_array().unwrap().len(), 3);
    assert!(told["runtime"]["slowest"]["shard"].is_u64(), "{told:#}");
}

#[test]
fn shards_of_this_machine_are_vouched_for_by_the_ledger() {
    let work = Work::new();
    let dirs = [work.shard(0, 2, 0), work.shard(1, 2, 0)];
    let ids: Vec<String> = dirs
        .iter()
        .map(|d| {
            json_of(d, "summary.json")["run_id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let data = work.merge(&[&ids[1], &dirs[0]], 0);
    for shard in data["shards"].as_array().unwrap() {
        assert!(shard["record"].is_u64(), "{shard:#}");
        assert!(shard["vouched_by"].as_str().unwrap().starts_with("record "));
    }
    work.run(&["gate", "check", "--lane", "preflight"])
        .expect(0);
}

#[test]
fn a_test_that_failed_in_a_shard_failed() {
    let work = Work::new();
    work.lab.write("broken-beta", "");
    let dirs = [work.shard(0, 2, 0), work.shard(1, 2, 2)];
    let data = work.merge(&[&dirs[0], &dirs[1]], 2);
    assert_eq!(data["status"], json!("fail"));
    let dir = data["directory"].as_str().unwrap();
    assert!(
        std::path::Path::new(dir)
            .join("unit/beta/failure_digest.json")
            .exists()
    );
    let told = json_of(dir, "ci-shard-summary.json");
    assert_eq!(told["failed_shards"], json!(1));
    assert_eq!(
        told["top_failure_signatures"][0]["count"],
        json!(1),
        "{told:#}"
    );
    work.run(&["gate", "check", "--lane", "preflight"])
        .expect(2);
    // It can be shown again like any other run.
    let run = data["run"].as_str().unwrap();
    let replayed = work.answer(&["suite", "replay", run], 2);
    assert_eq!(
        replayed["results"][0]["verdict"],
        json!("reproduced"),
        "{replayed:#}"
    );
}

#[test]
fn an_empty_shard_is_a_result_and_belongs_to_the_whole() {
    let work = Work::new();
    let dirs: Vec<String> = (0..6).map(|n| work.shard(n, 6, 0)).collect();
    let empty = json_of(&dirs[5], "summary.json");
    assert_eq!(
        empty["status"],
        json!("invalid"),
        "it proves nothing itself"
    );
    assert_eq!(targets(&empty), [""; 0]);
    let args = [
        "suite",
        "run",
        "--profile",
        "ci",
        "--shard-index",
        "4",
        "--shard-total",
        "6",
    ];
    let ran = work.run(&args);
    ran.expect(0);
    assert!(
        ran.out
            .starts_with("empty: nothing is planned for shard 4 of 6"),
        "{}",
        ran.out
    );
    work.run(&["suite", "show", &dirs[5]]).expect(3);

    let runs: Vec<&str> = dirs.iter().map(String::as_str).collect();
    let data = work.merge(&runs, 0);
    assert_eq!(data["proof"]["idle"], json!([4, 5]));
    work.refuses(&runs[..5], &["SHARD_MISSING"]);
}

#[test]
fn a_merged_run_is_no_fresher_than_its_oldest_part() {
    let work = Work::new();
    let dirs = [work.shard(0, 2, 0), work.shard(1, 2, 0)];
    let data = work.merge(&[&dirs[0], &dirs[1]], 0);
    let merged = json_of(data["directory"].as_str().unwrap(), "summary.json");
    assert_eq!(
        merged["timestamp"],
        json_of(&dirs[0], "summary.json")["timestamp"]
    );
    assert_eq!(
        merged["started_at"],
        json_of(&dirs[0], "summary.json")["started_at"]
    );
}

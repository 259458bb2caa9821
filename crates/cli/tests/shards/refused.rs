//! Shards that are not the whole of their plan, each for another reason. Nothing is written then.

use std::io::Write;

use serde_json::json;

use crate::work::{CONFIG, Work, forge, json_of};

#[test]
fn a_missing_shard() {
    let work = Work::new();
    let dirs = [work.shard(0, 3, 0), work.shard(2, 3, 0)];
    let text = work.refuses(&[&dirs[0], &dirs[1]], &["SHARD_MISSING"]);
    assert!(text.contains("shard 1 of 3"), "{text}");
    let ran = work.run(&["suite", "merge", &dirs[0]]);
    ran.expect(3);
    assert!(ran.out.contains("REFUSED"), "{}", ran.out);
}

#[test]
fn a_shard_that_is_there_twice() {
    let work = Work::new();
    let dirs = [
        work.shard(0, 2, 0),
        work.shard(1, 2, 0),
        work.shard(1, 2, 0),
    ];
    let text = work.refuses(&[&dirs[0], &dirs[1], &dirs[2]], &["SHARD_PLAN_MISMATCH"]);
    assert!(text.contains("more than one result"), "{text}");
    work.refuses(&[&dirs[0], &dirs[1], &dirs[1]], &["SHARD_PLAN_MISMATCH"]);
}

#[test]
fn a_shard_of_another_plan() {
    let work = Work::new();
    let first = work.shard(0, 2, 0);
    let other = work.shard_with(1, 2, &["--shard-by", "hash"], 0);
    work.refuses(&[&first, &other], &["SHARD_MISSING", "SHARD_PLAN_MISMATCH"]);
    let other = work.shard(1, 3, 0);
    work.refuses(&[&first, &other], &["SHARD_MISSING", "SHARD_PLAN_MISMATCH"]);
    // Both are of one plan, and another was asked for.
    let second = work.shard(1, 2, 0);
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
    work.refuses(
        &[&first, &second, "--plan", "../plan.json"],
        &["SHARD_MISSING", "SHARD_PLAN_MISMATCH"],
    );
    work.merge(&[&first, &second], 0);
}

#[test]
fn a_run_that_is_no_shard() {
    let work = Work::new();
    let whole = work.ran(&[], 0);
    work.refuses(&[&whole], &["SHARD_PLAN_MISMATCH"]);
    work.run(&["suite", "merge", "run_none"]).expect(66);
    work.run(&["suite", "merge"]).expect(64);
}

#[test]
fn a_shard_of_another_tree() {
    let work = Work::new();
    let first = work.shard(0, 2, 0);
    work.lab.write("new.txt", "more");
    let second = work.shard(1, 2, 0);
    let text = work.refuses(
        &[&first, &second],
        &["EVIDENCE_WRONG_TREE", "SHARD_MISSING"],
    );
    assert!(text.contains("shard 0 ran on the tree"), "{text}");
    // All of one tree, which is not the one that is here now.
    let first = work.shard(0, 2, 0);
    work.lab.write("new.txt", "other");
    work.refuses(
        &[&first, &second],
        &["EVIDENCE_WRONG_TREE", "SHARD_MISSING"],
    );
}

#[test]
fn a_shard_of_another_variant_or_profile() {
    let work = Work::new();
    let (first, second) = (work.shard(0, 2, 0), work.shard(1, 2, 0));
    let there = Work::new();
    forge(&second, "summary.json", |s| {
        s["variant"] = json!({"os": "other"})
    });
    there.refuses(
        &[&first, &second],
        &["SHARD_MISSING", "SHARD_PLAN_MISMATCH"],
    );
    forge(&second, "summary.json", |s| {
        s["variant"] = json!({});
        s["profile"] = json!("full");
    });
    there.refuses(&[&first, &second], &["SHARD_PLAN_MISMATCH"]);
}

#[test]
fn a_shard_whose_files_were_changed() {
    let work = Work::new();
    let dirs = [work.shard(0, 2, 0), work.shard(1, 2, 0)];
    let there = Work::new();
    let log = format!("{}/unit/beta/output.log", dirs[1]);
    let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
    writeln!(file, "ok 3 - one more").unwrap();
    for machine in [&work, &there] {
        let text = machine.refuses(&[&dirs[0], &dirs[1]], &["ARTIFACTS_CHANGED"]);
        assert!(
            text.contains("`unit/beta/output.log` was changed"),
            "{text}"
        );
    }
    std::fs::remove_file(&log).unwrap();
    for machine in [&work, &there] {
        let text = machine.refuses(&[&dirs[0], &dirs[1]], &["ARTIFACTS_CHANGED"]);
        assert!(text.contains("`unit/beta/output.log` is gone"), "{text}");
    }
}

#[test]
fn a_list_that_was_written_anew_stands_against_the_ledger() {
    let work = Work::new();
    let dirs = [work.shard(0, 2, 0), work.shard(1, 2, 0)];
    forge(&dirs[1], "environment.json", |e| {
        e["host"] = json!("another")
    });
    work.refuses(&[&dirs[0], &dirs[1]], &["ARTIFACTS_CHANGED"]);
    // Where nobody recorded it, its list is all that there is, and that is said.
    let data = Work::new().merge(&[&dirs[0], &dirs[1]], 0);
    let vouched = data["shards"][1]["vouched_by"].as_str().unwrap();
    assert!(vouched.contains("files.json alone"), "{vouched}");
}

#[test]
fn two_shards_with_results_of_one_suite() {
    let work = Work::new();
    let (first, second) = (work.shard(0, 2, 0), work.shard(1, 2, 0));
    // The first shard's run once more, under the other's number.
    forge(&first, "summary.json", |s| s["shard"]["index"] = json!(1));
    let there = Work::new();
    let text = there.refuses(
        &[&first],
        &["SHARD_MISSING", "SHARD_PLAN_MISMATCH", "TEST_MISSING"],
    );
    assert!(text.contains("it is planned for shard 0"), "{text}");
    there.refuses(
        &[&first, &second],
        &["SHARD_MISSING", "SHARD_PLAN_MISMATCH", "TEST_MISSING"],
    );
}

#[test]
fn a_summary_that_contradicts_itself_or_leaves_a_suite_out() {
    let work = Work::new();
    let (first, second) = (work.shard(0, 2, 0), work.shard(1, 2, 0));
    let there = Work::new();
    forge(&second, "summary.json", |s| {
        let list = s["unit_targets"].as_array_mut().unwrap();
        list.retain(|t| t["target"] != json!("beta"));
    });
    there.refuses(&[&first, &second], &["ARTIFACTS_CHANGED", "TEST_MISSING"]);
    let beta = json_of(&second, "summary.json");
    assert_eq!(beta["selected"], json!(["compile", "beta", "gamma"]));
}

#[test]
fn a_shard_without_its_plan_or_with_a_broken_one() {
    let work = Work::new();
    let (first, second) = (work.shard(0, 2, 0), work.shard(1, 2, 0));
    let there = Work::new();
    forge(&second, "shard_plan.json", |p| p["total"] = json!(3));
    there.refuses(&[&first, &second], &["SHARD_PLAN_MISMATCH"]);
}

#[test]
fn a_suite_that_is_declared_otherwise_here() {
    let work = Work::new();
    let (first, second) = (work.shard(0, 2, 0), work.shard(1, 2, 0));
    let other = Work::with(&CONFIG.replace("class = \"recorded\"", "class = \"e2e\""));
    other.refuses(
        &[&first, &second],
        &[
            "EVIDENCE_WRONG_TREE",
            "SHARD_MISSING",
            "SHARD_PLAN_MISMATCH",
        ],
    );
}

#[test]
fn a_shard_that_ran_without_the_build_that_another_had() {
    let work = Work::new();
    let first = work.shard(0, 2, 0);
    // The same items make the same plan; no build was selected beside them.
    let items = ["alpha", "beta", "delta", "gamma"];
    let flags: Vec<&str> = items.iter().flat_map(|name| ["--suite", name]).collect();
    let second = work.shard_with(1, 2, &flags, 0);
    let text = work.refuses(&[&first, &second], &["TEST_MISSING"]);
    assert!(text.contains("compile"), "{text}");
}

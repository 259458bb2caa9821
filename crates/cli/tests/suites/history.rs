//! What the recorded runs say together: nothing of them is left out silently, and nothing is called flaky that was not shown on one tree.

use serde_json::Value;

use crate::lab::{GREEN, Lab, RED, fails, writes};

/// Fails and passes in turn, whatever the tree is.
pub(crate) fn turns() -> String {
    format!(
        "if [ -e out/flag ]; then rm out/flag; {}exit 0; fi\ntouch out/flag; {}",
        writes(GREEN),
        fails()
    )
}

/// Six tests, five of which fail.
fn storm() -> String {
    let bad: String = (0..5)
        .map(|n| {
            format!(r#"<testcase classname="c" name="n{n}"><failure message="down"/></testcase>"#)
        })
        .collect();
    let all = format!(
        r#"<testsuite name="s" tests="7" failures="6"><testcase classname="c" name="a"/><testcase classname="c" name="b"><failure message="down"/></testcase>{bad}</testsuite>"#
    );
    format!("{}exit 1\n", writes(&all))
}

/// One run that is red and one that is green, on each of two trees.
pub(crate) fn flaky(lab: &Lab) {
    for tree in ["x", "y"] {
        lab.write("other", tree);
        lab.commit(tree);
        lab.run(2, "fail");
        lab.run(0, "pass");
    }
}

fn test<'a>(found: &'a Value, name: &str) -> &'a Value {
    let tests = found["tests"].as_array().unwrap();
    tests
        .iter()
        .find(|t| t["test"]["name"] == name)
        .unwrap_or_else(|| panic!("{found:#}"))
}

#[test]
fn what_failed_and_passed_on_one_tree_is_flaky_and_nothing_else_is() {
    let lab = Lab::new(&turns());
    let none = lab.gonogo(&["suite", "flakes"]);
    none.expect(0);
    assert!(none.out.contains("no run to look at"), "{}", none.out);
    let first = lab.run(2, "fail");
    // Alone, a failure is a failure.
    let found = lab.data(&["suite", "flakes"]);
    assert_eq!(found["tests"], serde_json::json!([]), "{found:#}");
    assert_eq!(
        std::fs::read_to_string(first.dir.join("flake_events.jsonl")).unwrap(),
        ""
    );
    let second = lab.run(0, "pass");
    let event: Value =
        serde_json::from_slice(&std::fs::read(second.dir.join("flake_events.jsonl")).unwrap())
            .unwrap();
    assert_eq!(event["kind"], "passed_in_another_run", "{event:#}");
    assert_eq!(
        (event["failed_in"].as_str(), event["passed_in"].as_str()),
        (Some(first.id()), Some(second.id()))
    );
    assert_eq!(
        test(&lab.data(&["suite", "flakes"]), "b")["state"],
        "suspect"
    );
    // The same on another tree.
    lab.write("other", "x");
    lab.commit("two");
    lab.run(2, "fail");
    lab.run(0, "pass");
    let found = lab.data(&["suite", "flakes"]);
    let b = test(&found, "b");
    assert_eq!(
        (&b["state"], &b["mixed"], &b["mixed_trees"]),
        (&"flaky".into(), &2.into(), &2.into()),
        "{b:#}"
    );
    assert_eq!(
        (&b["runs"], &b["fails"], &b["target"]),
        (&4.into(), &2.into(), &"unit".into())
    );
    assert_eq!(b["fail_rate"], 0.5);
    let ends: Vec<f64> = b["interval"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect();
    // Wilson's interval of 2 in 4, to three digits.
    assert!(
        (ends[0] - 0.150).abs() < 0.001 && (ends[1] - 0.850).abs() < 0.001,
        "{ends:?}"
    );
    assert_eq!(found["tests"].as_array().unwrap().len(), 1, "{found:#}");
    assert_eq!(found["by_state"]["healthy"], 1);
    assert_eq!(
        lab.data(&["suite", "flakes", "--target", "none"])["tests"],
        serde_json::json!([])
    );
    // Three in a row, on three trees: that is no flake.
    lab.script(&fails());
    for n in 0..3 {
        lab.write("other", format!("{n}"));
        lab.commit("more");
        lab.run(2, "fail");
    }
    assert_eq!(
        test(&lab.data(&["suite", "flakes"]), "b")["state"],
        "broken"
    );
    let shown = lab.gonogo(&["suite", "flakes"]);
    for part in ["0 flaky, 1 broken", "2 mixed on 2 of 5 trees", "reason.v2:"] {
        assert!(shown.out.contains(part), "{part}: {}", shown.out);
    }
    // Of the newest alone nothing is known.
    let few = lab.data(&["suite", "flakes", "--last", "1"]);
    assert_eq!(
        (&few["runs"], &few["older_runs"]),
        (&1.into(), &6.into()),
        "{few:#}"
    );
    lab.gonogo(&["suite", "flakes", "--last", "0", "--json"])
        .expect(64);
    lab.gonogo(&["suite", "flakes", "--since", "soon", "--json"])
        .expect(64);
}

#[test]
fn a_run_in_which_nearly_everything_failed_says_nothing_and_is_named() {
    let lab = Lab::new(&writes(GREEN));
    lab.run(0, "pass");
    lab.script(&storm());
    lab.commit("storm");
    let run = lab.run(2, "fail");
    let found = lab.data(&["suite", "flakes"]);
    assert_eq!(
        found["ignored_runs"][0]["run_id"].as_str(),
        Some(run.id()),
        "{found:#}"
    );
    assert_eq!(found["ignored_runs"].as_array().unwrap().len(), 1);
    assert_eq!(found["tests"], serde_json::json!([]), "{found:#}");
}

#[test]
fn what_is_not_as_it_was_recorded_is_said_and_says_nothing() {
    let lab = Lab::new(&fails());
    let gone = lab.run(2, "fail");
    let changed = lab.run(2, "fail");
    lab.run(2, "fail");
    std::fs::remove_dir_all(&gone.dir).unwrap();
    for command in ["flakes", "clusters"] {
        let ran = lab.gonogo(&["suite", command]);
        ran.expect(0);
        let text = format!("{}: its directory is gone", gone.id());
        assert!(ran.out.contains(&text), "{}", ran.out);
        assert!(ran.out.contains("in 2 runs"), "{}", ran.out);
    }
    let list = changed.dir.join("unit/unit/tests.jsonl");
    let text = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, text.replace("boom", "other")).unwrap();
    for command in ["flakes", "clusters"] {
        let ran = lab.gonogo(&["suite", command, "--json"]);
        ran.expect(3);
        let data = ran.envelope()["data"].clone();
        let told = data["unusable"].as_array().unwrap();
        assert_eq!(told.len(), 2, "{data:#}");
        assert_eq!(told[1]["run_id"].as_str(), Some(changed.id()), "{data:#}");
        assert_eq!(
            (&told[0]["is_gone"], &told[1]["is_gone"]),
            (&true.into(), &false.into())
        );
        assert_eq!(data["runs"], 1, "{data:#}");
        if command == "clusters" {
            assert_eq!(data["failures"], 1, "{data:#}");
        }
    }
    // Where nothing can be read nothing is known.
    std::fs::remove_dir_all(lab.path(".gonogo/runs/suite")).unwrap();
    for command in ["flakes", "clusters"] {
        lab.gonogo(&["suite", command]).expect(3);
    }
}

#[test]
fn a_cluster_has_one_id_everywhere_and_its_first_run_is_new() {
    let mut ids = Vec::new();
    for name in ["one", "two"] {
        let lab = Lab::new(&fails());
        let first = lab.run(2, "fail");
        lab.write("other", name);
        lab.commit(name);
        lab.run(2, "fail");
        lab.script(&format!(
            "{}exit 1\n",
            writes(&RED.replace("boom", "no such user"))
        ));
        lab.commit("other");
        let last = lab.run(2, "fail");
        let found = lab.data(&["suite", "clusters"]);
        let all = found["clusters"].as_array().unwrap();
        assert_eq!((all.len(), &found["failures"]), (2, &3.into()), "{found:#}");
        let (boom, user) = (&all[0], &all[1]);
        assert_eq!(
            (&boom["failures"], &boom["is_new"], &boom["is_current"]),
            (&2.into(), &false.into(), &false.into())
        );
        assert_eq!(
            (&user["failures"], &user["is_new"], &user["is_current"]),
            (&1.into(), &true.into(), &true.into())
        );
        assert_eq!(boom["first"]["run"].as_str(), Some(first.id()));
        assert_eq!(user["last"]["run"].as_str(), Some(last.id()));
        assert_eq!(boom["top_owners"][0][0], "ana");
        assert_eq!(
            (&boom["trees"]["count"], &boom["top_tests"][0][0]["name"]),
            (&2.into(), &"b".into())
        );
        // It is the id that the run itself has for the failure.
        let own = &last.summary()["unit_targets"][0]["bad"][0]["signature"];
        assert_eq!(own, &user["signature"], "{found:#}");
        let newest = lab.data(&["suite", "clusters", "--last", "1"]);
        assert_eq!(newest["clusters"].as_array().unwrap().len(), 1);
        ids.push((boom["signature"].clone(), user["signature"].clone()));
    }
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn a_merged_run_is_not_counted_beside_its_shards() {
    let lab = Lab::new(&fails());
    lab.declare("[suites.more]\nclass = \"unit\"\ncommand = [\"true\"]\n");
    lab.commit("more");
    for index in ["0", "1"] {
        lab.gonogo(&[
            "suite",
            "run",
            "--profile",
            "ci",
            "--shard-index",
            index,
            "--shard-total",
            "2",
        ]);
    }
    let runs = lab.data(&["suite", "list"]);
    let ids: Vec<&str> = runs["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["run_id"].as_str().unwrap())
        .collect();
    lab.gonogo(&["suite", "merge", ids[1], ids[0]]).expect(2);
    let found = lab.data(&["suite", "clusters"]);
    assert_eq!(
        (&found["failures"], &found["merged_runs"], &found["runs"]),
        (&1.into(), &1.into(), &2.into()),
        "{found:#}"
    );
    let found = lab.data(&["suite", "flakes"]);
    assert_eq!(
        (&found["runs"], &found["merged_runs"]),
        (&2.into(), &1.into()),
        "{found:#}"
    );
}

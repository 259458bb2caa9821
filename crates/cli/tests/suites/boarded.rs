//! The board of a release's gates looks at what is here: runs of the whole profile and verdicts, of this tree, as it is declared.

use crate::lab::{GREEN, JUNIT, Lab, fails, writes};

const BOARD: &str = r#"schema = "gonogo.release-gates.v1"
phase = 1

[[gate]]
name = "Conformance"
phase = 1
owner = "ada"
pass = "the profile passes"
blocker = "it breaks"
evidence = { suite = "ci" }
max_age = "7d"

[[gate]]
name = "Taxonomy"
phase = 1
owner = "ada"
pass = "the gates pass"
blocker = "it breaks"
evidence = { verdict = "full" }
max_age = "7d"
"#;

/// Whether the two rows pass, and why not.
#[track_caller]
fn board(lab: &Lab, exit: i32) -> [String; 2] {
    let ran = lab.gonogo(&["gates", "check", "--json"]);
    ran.expect(exit);
    let data = ran.envelope()["data"].take();
    [0, 1].map(|n| {
        let row = &data["rows"][n];
        format!("{} {}", row["status"].as_str().unwrap(), row["why"])
    })
}

#[test]
fn evidence_of_another_tree_or_of_a_part_is_none() {
    let red_if_told = format!("if [ -e out/red ]; then\n{}fi\n{}", fails(), writes(GREEN));
    let lab = Lab::with(
        &red_if_told,
        &format!("{JUNIT}[suites.more]\nclass = \"unit\"\ncommand = [\"true\"]\n"),
    );
    lab.write("release-gates.toml", BOARD);
    lab.commit("board");
    let part = || lab.gonogo(&["suite", "run", "--profile", "ci", "--suite", "unit"]);
    assert!(board(&lab, 2)[0].contains("no run of the profile `ci`"));
    // One of its suites, and one of its shards.
    part().expect(0);
    let [suite, _] = board(&lab, 2);
    assert!(
        suite.starts_with("blocked") && suite.contains("left out more"),
        "{suite}"
    );
    let shard = ["--shard-index", "0", "--shard-total", "2"];
    lab.gonogo(&[&["suite", "run", "--profile", "ci"], &shard[..]].concat());
    let [suite, _] = board(&lab, 2);
    assert!(suite.contains("is shard 1 of 2"), "{suite}");
    // All of it.
    lab.run(0, "pass");
    let [suite, verdict] = board(&lab, 2);
    assert!(suite.starts_with("pass") && verdict.starts_with("blocked"));
    lab.check(&[], 0, "pass");
    assert_eq!(board(&lab, 0), ["pass []", "pass []"]);
    // Another tree, committed or not, has shown nothing yet.
    lab.write("other", "x");
    for commit in [false, true] {
        if commit {
            lab.commit("other");
        }
        for row in board(&lab, 2) {
            assert!(
                row.starts_with("blocked") && row.contains("another tree"),
                "{row}"
            );
        }
    }
    part().expect(0);
    let [suite, _] = board(&lab, 2);
    assert!(suite.starts_with("blocked"), "{suite}");
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    board(&lab, 0);
    // What went wrong in a part says so of the whole.
    lab.write("out/red", "");
    part().expect(2);
    let [suite, _] = board(&lab, 2);
    assert!(suite.starts_with("fail"), "{suite}");
}

#[test]
fn a_verdict_by_other_rules_than_are_here_is_none() {
    let lab = Lab::new(&writes(GREEN));
    // Beside the tree, so that nothing but the rules differs.
    lab.write(".gitignore", "out/\n.gonogo/\ngates.toml\n");
    lab.write("release-gates.toml", BOARD);
    lab.commit("board");
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    board(&lab, 0);
    let policy = lab.gonogo(&["gate", "policy"]).out;
    let other = policy.replace("max_age = \"24h\"", "max_age = \"48h\"");
    assert_ne!(other, policy);
    lab.write("gates.toml", other);
    let [suite, verdict] = board(&lab, 2);
    assert!(suite.starts_with("pass"), "{suite}");
    assert!(verdict.contains("another policy"), "{verdict}");
}

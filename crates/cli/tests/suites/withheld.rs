//! What a change cannot choose: what it is held against, what is forgotten, which files count, whose word is taken.

use crate::gated::{day, waiver};
use crate::lab::{GREEN, Lab, RED, fails, writes};

/// One test less.
const ONE: &str = r#"<testsuite name="s" tests="1"><testcase classname="c" name="a"/></testsuite>"#;

#[test]
fn a_change_does_not_name_its_own_base() {
    let lab = Lab::new(&writes(GREEN));
    lab.run(0, "pass");
    let policy = lab.gonogo(&["gate", "policy"]).out;
    lab.write("gates.toml", format!("{policy}# ours\n"));
    lab.commit("policy");
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.write(
        "gates.toml",
        format!(
            "{policy}# weaker
"
        ),
    );
    lab.commit("weaker");
    lab.git(&["tag", "weak"]);
    lab.write("more", "x");
    lab.commit("more");
    lab.run(0, "pass");
    for base in [&[][..], &["--base", "HEAD"], &["--base", "weak"]] {
        let judged = lab.check(base, 1, "hold");
        judged.tells("policy", "POLICY_CHANGED_BY_SUBJECT");
        let told = judged.0["verdict"]
            .to_string()
            .contains("is not in refs/heads/main");
        assert_eq!(told, !base.is_empty(), "{base:?}");
    }
    // What the branch has is a base, also an older one.
    lab.git(&["checkout", "-q", "main"]);
    lab.run(0, "pass");
    lab.check(&["--base", "HEAD"], 0, "pass");
    lab.check(&["--base", "HEAD~1"], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
}

#[test]
fn what_was_held_is_no_baseline_until_somebody_says_that_it_was_meant() {
    let lab = Lab::new(&writes(GREEN));
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    lab.script(&writes(ONE));
    lab.commit("less");
    lab.run(0, "pass");
    lab.check(&[], 1, "hold").tells("suites", "TEST_REMOVED");
    for name in ["README", "CHANGES"] {
        lab.write(name, "x");
        lab.commit(name);
        lab.run(0, "pass");
        lab.check(&[], 1, "hold").tells("suites", "TEST_REMOVED");
    }
    lab.write("waivers.toml", waiver(0, 6));
    lab.commit("it was meant");
    lab.run(0, "pass");
    let told = lab.data(&["gate", "check"]);
    assert_eq!(told["verdict"]["verdict"], "excused", "{told:#}");
    lab.git(&["rm", "-q", "waivers.toml"]);
    lab.commit("done");
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
}

#[test]
fn what_is_tracked_in_our_own_directory_is_of_the_tree() {
    let lab = Lab::new(&format!(
        "if grep -q bug .gonogo/kept.txt; then\n{}fi\n{}",
        fails(),
        writes(GREEN)
    ));
    lab.write(".gonogo/kept.txt", "fine");
    lab.git(&["add", "-f", ".gonogo/kept.txt"]);
    lab.commit("kept");
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    lab.write(".gonogo/kept.txt", "bug");
    lab.check(&[], 3, "hold")
        .tells("suites", "EVIDENCE_WRONG_TREE");
    lab.commit("bug");
    lab.check(&[], 3, "hold")
        .tells("suites", "EVIDENCE_WRONG_TREE");
    lab.run(2, "fail");
    // A replay's tree has it too.
    let replayed = lab.data(&["suite", "replay"]);
    assert!(replayed.to_string().contains("reproduced"), "{replayed:#}");
}

#[test]
fn evidence_of_a_quarantine_is_looked_at() {
    let red_if_told = format!("if [ -e out/red ]; then\n{}fi\n{}", fails(), writes(GREEN));
    let lab = Lab::new(&red_if_told);
    let good = [lab.run(0, "pass"), lab.run(0, "pass")];
    lab.write("out/red", "");
    let bad = lab.run(2, "fail");
    let row = &bad.summary()["unit_targets"][0]["bad"][0];
    let word = |key: &str| row["signature"][key].as_str().unwrap().to_owned();
    let signature = format!("{}:{}", word("algorithm"), word("hash"));
    let entry = |evidence: [&str; 2]| {
        format!(
            "schema = \"gonogo.gate.quarantine.v1\"\n[[quarantine]]\ntarget = \"unit\"\ntest = \"s > c > b\"\nsignature = [{signature:?}]\nvariant = {{}}\ncategory = \"FLAKE-TIMING\"\nowner = \"cy\"\nquarantined = {}\nexpires = {}\nissue = \"X-1\"\nevidence = {evidence:?}\nrepro = \"sh unit.sh\"\nreason = \"r\"\nremove_when = \"done\"\n",
            day(0),
            day(6)
        )
    };
    let none = "run_aaaaaaaaaaaa";
    let elsewhere = "https://ci.example.org/runs/7";
    let judged = |evidence: [&str; 2], more: &[&str]| {
        lab.write("quarantine.toml", entry(evidence));
        lab.commit(&format!("{evidence:?} {more:?}"));
        lab.run(2, "fail");
        let told = lab.data(&[&["gate", "check"], more].concat());
        let verdict = &told["verdict"];
        let is_told = verdict.to_string().contains("is recorded here");
        let word = verdict["verdict"].as_str().unwrap().to_owned();
        (word, is_told)
    };
    let certification = ["--lane", "certification"];
    assert_eq!(judged([bad.id(), none], &[]), ("excused".into(), false));
    assert_eq!(judged([good[0].id(), good[1].id()], &[]).0, "invalid");
    // One that nobody can look up takes no word from those that are here.
    assert_eq!(judged([good[0].id(), none], &[]).0, "invalid");
    assert_eq!(judged([none, elsewhere], &[]), ("excused".into(), true));
    let (verdict, _) = judged([none, elsewhere], &certification);
    assert_eq!(verdict, "invalid");
    assert_eq!(judged([bad.id(), "see the wiki"], &[]).0, "invalid");
}

#[test]
fn an_exception_that_is_no_assertion_is_not_forgotten() {
    let error = RED
        .replace("failures=", "errors=")
        .replace("failure", "error");
    let lab = Lab::new(&format!(
        "if [ -e out/once ]; then\n{}else\ntouch out/once; {}exit 1\nfi",
        writes(GREEN),
        writes(&error)
    ));
    lab.run(2, "fail");
    lab.run(0, "pass");
    lab.check(&[], 1, "hold").tells("suites", "FLAKY_BLOCKING");
}

#[test]
fn what_a_command_said_is_asked_again_when_it_is_old_and_was_good() {
    let lab = Lab::new(&writes(GREEN));
    let counts = "mkdir -p out; echo x >> out/count; test ! -e out/red";
    let policy = format!(
        "schema = \"gonogo.gate.policy.v1\"\n[gates.g]\ntitle = \"T\"\nowner = \"o\"\nblocking = true\nlanes = [\"full\"]\ncheck = {{ command = {{ argv = [\"sh\", \"-c\", {counts:?}], max_age = \"1ms\" }} }}\n"
    );
    lab.write("gates.toml", policy);
    lab.commit("policy");
    let count = || {
        std::fs::read_to_string(lab.path("out/count"))
            .unwrap()
            .len()
            / 2
    };
    for n in 1..=3 {
        lab.gonogo(&["gate", "check"]);
        assert_eq!(count(), n);
    }
    lab.write("out/red", "");
    for _ in 0..2 {
        lab.check(&[], 2, "fail").tells("g", "CHECK_FAILED");
        // It is not tried until it is green.
        assert_eq!(count(), 4);
    }
    std::fs::remove_file(lab.path("out/red")).unwrap();
    lab.check(&[], 2, "fail").tells("g", "CHECK_FAILED");
}

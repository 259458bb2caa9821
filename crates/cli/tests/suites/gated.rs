//! What the gate makes of what was run: nothing passes that was not shown, on this tree, by rules that the change does not make itself.

use gonogo_core::clock::{Clock, SystemClock};

use crate::lab::{GREEN, Lab, RED, fails, writes};

/// One test less.
const ONE: &str = r#"<testsuite name="s" tests="1"><testcase classname="c" name="a"/></testsuite>"#;

/// A day as TOML writes it, so many days from now.
pub(crate) fn day(from_now: i64) -> String {
    let now = SystemClock::default().now().wall.as_millis();
    let then = gonogo_core::Timestamp::from_millis(now + from_now * 86_400_000);
    then.to_string()[..10].to_owned()
}

pub(crate) fn waiver(from: i64, to: i64) -> String {
    format!(
        "schema = \"gonogo.gate.waivers.v1\"\n[waiver.suites]\nowner = \"cy\"\napprover = \"bo\"\ncreated = {}\nexpires = {}\nissue = \"X-1\"\nreason = \"r\"\nscope = \"full\"\nremove_when = \"done\"\n",
        day(from),
        day(to)
    )
}

#[test]
fn nothing_that_was_not_shown_on_this_tree_passes() {
    let lab = Lab::new(&writes(GREEN));
    lab.check(&[], 3, "hold")
        .tells("suites", "EVIDENCE_MISSING");
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    lab.write("other", "x");
    lab.check(&[], 3, "hold")
        .tells("suites", "EVIDENCE_WRONG_TREE");
    // A tree that is not committed can be judged as it is.
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    lab.commit("two");
    lab.check(&[], 0, "pass");
    lab.git(&["rm", "-q", "other"]);
    lab.check(&[], 0, "pass");
    lab.commit("back");
    lab.check(&[], 0, "pass");
    lab.script("true");
    lab.check(&[], 3, "hold")
        .tells("suites", "EVIDENCE_WRONG_TREE");
}

#[test]
fn whichever_profile_ran_a_target_its_newest_run_counts() {
    let red_if_told = format!("if [ -e out/red ]; then\n{}fi\n{}", fails(), writes(GREEN));
    let lab = Lab::new(&red_if_told);
    lab.gonogo(&["suite", "run", "--profile", "full"]).expect(0);
    lab.check(&[], 0, "pass");
    lab.write("out/red", "");
    lab.gonogo(&["suite", "run", "--profile", "quick"])
        .expect(2);
    lab.check(&[], 2, "fail").tells("suites", "TEST_FAILED");
    // On one tree it passed and failed.
    std::fs::remove_file(lab.path("out/red")).unwrap();
    lab.run(0, "pass");
    let told = lab.data(&["gate", "check"]);
    assert_ne!(told["verdict"]["verdict"], "pass", "{told:#}");
}

#[test]
fn a_change_of_the_policy_holds() {
    let lab = Lab::new(&writes(GREEN));
    lab.git(&["checkout", "-q", "-b", "change"]);
    let policy = lab.gonogo(&["gate", "policy"]).out;
    lab.write(
        "gates.toml",
        policy.replace("max_age = \"24h\"", "max_age = \"48h\""),
    );
    lab.commit("policy");
    lab.run(0, "pass");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    lab.git(&["checkout", "-q", "main"]);
    lab.git(&["merge", "-q", "change"]);
    lab.check(&[], 0, "pass");
    lab.write("gates.toml", "[[[");
    lab.check(&[], 3, "invalid").tells("policy", "POLICY_ERROR");
}

#[test]
fn a_target_cannot_be_taken_out_by_the_change() {
    let lab = Lab::new(&writes(GREEN));
    let without = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    let more = "[suites.more]\nclass = \"unit\"\ncommand = [\"false\"]\n";
    lab.declare(more);
    lab.commit("more");
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.write("gonogo.toml", &without);
    lab.commit("less");
    lab.run(0, "pass");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    lab.declare(&format!("{more}blocking = false\n"));
    lab.run(2, "fail");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    // Its own profile without it.
    lab.write("gonogo.toml", &without);
    lab.declare(&format!("{more}[profiles.ci]\nsuites = [\"unit\"]\n"));
    lab.run(0, "pass");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    // Its own command that looks nowhere.
    lab.write("gonogo.toml", &without);
    lab.declare(&more.replace("false", "true"));
    lab.run(0, "pass");
    let told = lab.data(&["gate", "check"]);
    assert_ne!(told["verdict"]["verdict"], "pass", "{told:#}");
}

#[test]
fn a_waiver_counts_if_it_went_in_before() {
    let lab = Lab::new(&fails());
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.write("waivers.toml", waiver(0, 10));
    lab.commit("waiver");
    lab.run(2, "fail");
    let judged = lab.check(&[], 2, "fail");
    judged.tells("waiver_lifecycle", "EXCUSE_UNAPPROVED");
    lab.git(&["checkout", "-q", "main"]);
    lab.git(&["merge", "-q", "change"]);
    lab.git(&["checkout", "-q", "-b", "other"]);
    lab.write("other", "x");
    lab.commit("other");
    lab.run(2, "fail");
    lab.check(&[], 0, "excused")
        .tells("suites", "WAIVER_APPLIED");
    let late = format!("{}T00:00:00Z", day(11));
    for more in [["--at", &late].as_slice(), &["--without-waiver", "suites"]] {
        let ran = lab.gonogo(&[&["gate", "simulate", "--json"], more].concat());
        ran.expect(2);
        let data = ran.envelope()["data"].clone();
        assert_eq!(
            (&data["from"], &data["to"]),
            (&"excused".into(), &"fail".into())
        );
    }
    lab.gonogo(&["gate", "simulate", "--without-waiver", "nope", "--json"])
        .refusal(64, &["ARGUMENT_INVALID"]);
    // Its words were changed by the change.
    lab.write("waivers.toml", waiver(0, 12));
    lab.commit("longer");
    lab.run(2, "fail");
    lab.check(&[], 2, "fail")
        .tells("waiver_lifecycle", "EXCUSE_UNAPPROVED");
}

#[test]
fn a_waiver_that_ended_or_cannot_be_read_is_a_reason_of_its_own() {
    let lab = Lab::new(&writes(GREEN));
    lab.write("waivers.toml", waiver(-20, -1));
    lab.commit("waiver");
    lab.run(0, "pass");
    lab.check(&[], 2, "fail")
        .tells("waiver_lifecycle", "WAIVER_EXPIRED");
    for name in ["waivers.toml", "quarantine.toml"] {
        let code = match name {
            "waivers.toml" => "WAIVER_INVALID",
            _ => "QUARANTINE_INVALID",
        };
        let gate = match name {
            "waivers.toml" => "waiver_lifecycle",
            _ => "quarantine_lifecycle",
        };
        let path = lab.path(name);
        let _ = std::fs::remove_file(&path);
        lab.write(name, "[[[");
        lab.check(&[], 3, "invalid").tells(gate, code);
        lab.write(name, b"\xff\xfe");
        lab.check(&[], 3, "invalid").tells(gate, code);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        lab.check(&[], 3, "invalid").tells(gate, code);
        std::fs::remove_dir(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        lab.check(&[], 3, "invalid").tells(gate, code);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_quarantine_is_of_one_test_and_one_failure() {
    let lab = Lab::new(&fails());
    let run = lab.run(2, "fail");
    let row = &run.summary()["unit_targets"][0]["bad"][0];
    let word = |key: &str| row["signature"][key].as_str().unwrap().to_owned();
    let signature = format!("{}:{}", word("algorithm"), word("hash"));
    let entry = format!(
        "schema = \"gonogo.gate.quarantine.v1\"\n[[quarantine]]\ntarget = \"unit\"\ntest = \"s > c > b\"\nsignature = [{signature:?}]\nvariant = {{}}\ncategory = \"FLAKE-TIMING\"\nowner = \"cy\"\nquarantined = {}\nexpires = {}\nissue = \"X-1\"\nevidence = [\"run_000000000001\", \"run_000000000002\"]\nrepro = \"sh unit.sh\"\nreason = \"r\"\nremove_when = \"done\"\n",
        day(0),
        day(6)
    );
    lab.write("quarantine.toml", &entry);
    lab.commit("quarantine");
    lab.run(2, "fail");
    let told = lab.data(&["gate", "check"]);
    let text = format!("{told:#}");
    assert_eq!(told["verdict"]["verdict"], "excused", "{text}");
    // Renamed, it is another test.
    lab.script(&fails().replace("name=\"b\"", "name=\"b2\""));
    lab.commit("renamed");
    lab.run(2, "fail");
    lab.check(&[], 2, "fail").tells("suites", "TEST_FAILED");
    // It fails for another reason.
    lab.script(&fails().replace("boom", "no such user"));
    lab.commit("other");
    lab.run(2, "fail");
    let judged = lab.check(&[], 2, "fail");
    judged.tells("suites", "QUARANTINE_SIGNATURE_MISMATCH");
}

#[test]
fn what_is_gone_or_newly_skipped_is_missed_however_often_it_runs() {
    let lab = Lab::new(&writes(GREEN));
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.script(&writes(ONE));
    lab.commit("less");
    // The first run of it must not become what the second is held against.
    for _ in 0..2 {
        lab.run(0, "pass");
        lab.check(&[], 1, "hold").tells("suites", "TEST_REMOVED");
    }
    lab.write("other", "x");
    lab.commit("another commit of the change");
    lab.run(0, "pass");
    lab.check(&[], 1, "hold").tells("suites", "TEST_REMOVED");
    let skipped = GREEN.replace(
        "name=\"b\"/>",
        "name=\"b\"><skipped message=\"x\"/></testcase>",
    );
    lab.script(&writes(&skipped));
    lab.commit("skips");
    for _ in 0..2 {
        lab.run(0, "pass");
        lab.check(&[], 1, "hold").tells("suites", "NEWLY_SKIPPED");
    }
    // Where it has landed all the same, it is missed until somebody says that it was meant.
    lab.git(&["checkout", "-q", "main"]);
    lab.git(&["merge", "-q", "change"]);
    lab.write("more", "x");
    lab.commit("more");
    lab.run(0, "pass");
    lab.check(&[], 1, "hold").tells("suites", "NEWLY_SKIPPED");
}

#[test]
fn without_a_run_of_the_base_the_first_of_the_change_is_held_against() {
    let lab = Lab::new(&writes(GREEN));
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.write("one", "x");
    lab.commit("one more");
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    lab.script(&writes(ONE));
    lab.commit("less");
    for _ in 0..2 {
        lab.run(0, "pass");
        lab.check(&[], 1, "hold").tells("suites", "TEST_REMOVED");
        lab.write("more", "x");
        lab.commit("more");
    }
}

#[test]
fn red_and_then_green_on_one_tree_is_flaky() {
    let lab = Lab::new(&format!(
        "if [ -e out/once ]; then {}else touch out/once; {}fi",
        writes(GREEN),
        fails()
    ));
    lab.run(2, "fail");
    lab.run(0, "pass");
    lab.check(&[], 1, "hold").tells("suites", "FLAKY_BLOCKING");
    lab.run(0, "pass");
    lab.check(&[], 1, "hold").tells("suites", "FLAKY_BLOCKING");
}

#[test]
fn a_red_run_of_another_profile_is_not_forgotten() {
    let lab = Lab::new(&format!(
        "if [ $GONOGO_RUN_PROFILE = full ]; then {}fi\n{}",
        fails(),
        writes(GREEN)
    ));
    lab.gonogo(&["suite", "run", "--profile", "full"]).expect(2);
    lab.run(0, "pass");
    lab.check(&[], 1, "hold").tells("suites", "FLAKY_BLOCKING");
}

#[test]
fn what_is_explained_and_supposed_is_there() {
    let lab = Lab::new(&writes(GREEN));
    lab.gonogo(&["gate", "explain", "suites", "--json"])
        .refusal(66, &["RUN_UNKNOWN"]);
    lab.check(&[], 3, "hold");
    let error = lab
        .gonogo(&["gate", "explain", "sutes", "--json"])
        .refusal(64, &["ARGUMENT_INVALID"]);
    assert!(
        error["details"]["hints"].to_string().contains("suites"),
        "{error}"
    );
    let explained = lab.gonogo(&["gate", "explain", "suites"]);
    explained.expect(0);
    for part in [
        "EVIDENCE_MISSING",
        "reproduce:",
        "gonogo suite run --profile ci",
    ] {
        assert!(explained.out.contains(part), "{}", explained.out);
    }
    lab.gonogo(&["gate", "simulate", "--json"])
        .refusal(64, &["ARGUMENT_INVALID"]);
    lab.gonogo(&["gate", "simulate", "--policy", "nope", "--json"])
        .refusal(66, &["INPUT_NOT_FOUND"]);
    let before = lab.data(&["evidence", "list", "--limit", "1000"]);
    lab.gonogo(&["gate", "simulate", "--without-quarantine"])
        .expect(3);
    assert_eq!(lab.data(&["evidence", "list", "--limit", "1000"]), before);
}

#[test]
fn nobody_knows_a_base_that_is_not_there() {
    let lab = Lab::new(&writes(GREEN));
    lab.git(&["branch", "-m", "odd"]);
    lab.run(0, "pass");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    lab.check(&["--base", "odd"], 0, "pass");
    for base in ["nope", "-x", ""] {
        lab.gonogo(&["gate", "check", &format!("--base={base}"), "--json"])
            .refusal(64, &["ARGUMENT_INVALID"]);
    }
}

#[test]
fn what_landed_must_be_what_was_judged() {
    let lab = Lab::new(&writes(GREEN));
    lab.run(0, "pass");
    lab.check(&["--landed", "HEAD"], 0, "pass");
    lab.git(&["checkout", "-q", "-b", "landed"]);
    // Another commit of the same tree is what was judged.
    lab.commit("empty");
    lab.git(&["checkout", "-q", "main"]);
    lab.check(&["--landed", "landed"], 0, "pass");
    lab.git(&["checkout", "-q", "landed"]);
    lab.write("slipped", "in");
    lab.commit("merged with more");
    lab.git(&["checkout", "-q", "main"]);
    let judged = lab.check(&["--landed", "landed"], 2, "fail");
    judged.tells("policy", "TREE_DRIFT_AFTER_LAND");
    lab.gonogo(&["gate", "check", "--landed", "nope", "--json"])
        .refusal(64, &["ARGUMENT_INVALID"]);
}

#[test]
fn a_gate_on_outputs_reads_what_the_run_recorded() {
    let keys = format!("{}outputs = [\"out/found.json\"]\n", crate::lab::JUNIT);
    let lab = Lab::with(
        &format!("{}echo '{{\"n\": 1}}' > out/found.json", writes(GREEN)),
        &keys,
    );
    let run = lab.run(0, "pass");
    let kept = run.dir.join("unit/unit/outputs/out/found.json");
    assert!(kept.is_file());
    lab.check(&[], 0, "pass");
    let red = writes(RED);
    lab.script(&format!("{red}exit 1"));
    let run = lab.run(2, "fail");
    assert!(
        run.reasons().contains(&"EVIDENCE_STALE".to_owned()),
        "{:?}",
        run.reasons()
    );
}

#[test]
fn a_waiver_is_approved_by_somebody_else_than_wrote_it() {
    let lab = Lab::new(&fails());
    lab.write("waivers.toml", waiver(-1, 5));
    lab.commit("waived");
    lab.run(2, "fail");
    lab.check(&[], 0, "excused");
    // Whoever approves has put it there.
    let text = waiver(-1, 5).replace("approver = \"bo\"", "approver = \"ana@example.org\"");
    lab.write("waivers.toml", text);
    lab.commit("approved by its author");
    lab.run(2, "fail");
    lab.check(&[], 2, "fail")
        .tells("waiver_lifecycle", "WAIVER_SELF_APPROVED");
}

//! Everything that is no pass, each with its reason: in the summary, in the exit code, and at the gate.

use crate::lab::{GREEN, JUNIT, Lab, RED, fails, writes};

/// Runs a script that must not be good, and judges it.
#[track_caller]
fn bad(script: &str, exit: i32, status: &str, reason: &str) -> Lab {
    let lab = Lab::new(script);
    expect(&lab, exit, status, reason);
    lab
}

#[track_caller]
fn expect(lab: &Lab, exit: i32, status: &str, reason: &str) {
    let run = lab.run(exit, status);
    assert!(run.reasons().contains(&reason.to_owned()), "{:#}", run.data);
    let outcome = run.json("runner_outcome.json");
    assert_eq!(outcome["exit_code"], exit);
    let verdict = lab.data(&["gate", "check", "--recorded-only"]);
    assert!(
        !["pass", "excused"].contains(&verdict["verdict"]["verdict"].as_str().unwrap()),
        "{verdict:#}"
    );
}

#[test]
fn a_failed_test_is_a_fail() {
    let lab = bad(&fails(), 2, "fail", "TEST_FAILED");
    let shown = lab.gonogo(&["suite", "show"]);
    shown.expect(2);
    assert!(shown.out.contains("s > c > b") && shown.out.contains("boom"));
}

#[test]
fn what_an_exit_code_and_a_report_say_must_agree() {
    let green = format!("{}exit 1", writes(GREEN));
    bad(&green, 3, "invalid", "EXIT_CODE_CONFLICT");
    bad(&writes(RED), 3, "invalid", "EXIT_CODE_CONFLICT");
}

#[test]
fn a_report_must_be_there_and_be_of_this_run() {
    bad("true", 3, "hold", "EVIDENCE_MISSING");
    let lab = Lab::new("true");
    lab.write("out/r.xml", GREEN);
    expect(&lab, 3, "hold", "EVIDENCE_STALE");
    // One that was written again in the same words is of this run.
    lab.script(&writes(GREEN));
    lab.run(0, "pass");
    lab.run(0, "pass");
}

#[test]
fn a_report_must_be_whole_and_hold_tests_that_ran() {
    let cut = GREEN.trim_end_matches("</testsuite>");
    bad(&writes(cut), 3, "invalid", "EVIDENCE_TRUNCATED");
    bad("printf '' > out/r.xml", 3, "invalid", "ZERO_TESTS");
    let none = r#"<testsuite name="s" tests="0"/>"#;
    bad(&writes(none), 3, "invalid", "ZERO_TESTS");
    let skipped = r#"<testsuite name="s" tests="1"><testcase classname="c" name="a"><skipped/></testcase></testsuite>"#;
    bad(&writes(skipped), 3, "invalid", "ZERO_TESTS");
    let less = GREEN.replace("tests=\"2\"", "tests=\"3\"");
    bad(&writes(&less), 3, "invalid", "EVIDENCE_COUNT_MISMATCH");
}

#[test]
fn a_report_must_be_a_plain_file_of_the_project() {
    let lab = Lab::new("");
    let outside = lab.beside("elsewhere");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(format!("{outside}/r.xml"), GREEN).unwrap();
    lab.script(&format!("ln -sf {outside}/r.xml out/r.xml"));
    expect(&lab, 3, "invalid", "EVIDENCE_UNPARSABLE");
    // A directory between is a link that the pattern names: what it leads to is read, and was not written by this run.
    lab.write(".gitignore", "out\n.gonogo\n");
    let linked = format!("rm -rf out; ln -sfn {outside} out");
    lab.script(&linked);
    expect(&lab, 3, "hold", "EVIDENCE_STALE");
    let config = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write("gonogo.toml", config.replace("out/*.xml", "out/r.xml"));
    expect(&lab, 3, "hold", "EVIDENCE_STALE");
    lab.write(
        "gonogo.toml",
        config.replace("out/*.xml", "../elsewhere/*.xml"),
    );
    let ran = lab.gonogo(&["suite", "run", "--json"]);
    ran.refusal(78, &["CONFIG_VALUE"]);
}

#[test]
fn a_directory_that_waits_for_a_reader_is_no_report() {
    let lab = bad(
        "mkfifo out/r.xml; true",
        3,
        "invalid",
        "EVIDENCE_UNPARSABLE",
    );
    lab.script("rm -f out/r.xml; mkdir out/r.xml");
    expect(&lab, 3, "hold", "EVIDENCE_MISSING");
}

#[test]
fn outputs_of_before_are_not_taken_for_this_run() {
    let keys = format!("{JUNIT}outputs = [\"out/*.info\"]\n");
    let lab = Lab::with(&writes(GREEN), &keys);
    expect(&lab, 3, "hold", "EVIDENCE_MISSING");
    lab.write("out/lcov.info", "SF:a\nend_of_record\n");
    expect(&lab, 3, "hold", "EVIDENCE_STALE");
    lab.script(&format!("{}echo SF:b > out/lcov.info", writes(GREEN)));
    let run = lab.run(0, "pass");
    let kept = std::fs::read_to_string(run.dir.join("unit/unit/outputs/out/lcov.info"));
    assert_eq!(kept.unwrap(), "SF:b\n");
}

#[test]
fn an_end_by_a_signal_or_by_the_clock_is_no_end() {
    let killed = format!("{}kill -9 $$", writes(GREEN));
    bad(&killed, 3, "invalid", "RUN_INCOMPLETE");
    let slow = format!("{}sleep 600", writes(GREEN));
    let lab = Lab::with(&slow, &format!("{JUNIT}timeout = \"300ms\"\n"));
    expect(&lab, 3, "invalid", "RUN_INCOMPLETE");
    let last = lab.data(&["suite", "show"]);
    let end = &last["summary"]["unit_targets"][0]["end"];
    assert_eq!(
        (&end["how"], &end["after_ms"]),
        (&"timed_out".into(), &300.into())
    );
}

#[test]
fn what_a_target_leaves_running_is_ended_and_told() {
    let quiet = "</dev/null >/dev/null 2>&1";
    for leaves in [
        "sleep 600 &".to_owned(),
        "setsid sleep 600 &".to_owned(),
        // Neither group, session, parent nor environment tell whose it is.
        format!("(setsid env -i sleep 600 {quiet} &)"),
        format!(
            "(setsid env -i sh -c '(sleep 600 & sleep 600 &); sleep 600' {quiet} &) ; sleep 0.1"
        ),
    ] {
        let lab = Lab::new(&format!("{}{leaves}\nexit 0", writes(GREEN)));
        let ran = lab.gonogo(&["suite", "run", "--profile", "ci"]);
        ran.expect(0);
        assert!(ran.err.contains("left processes behind"), "{}", ran.err);
        let work = lab.path("");
        let left = crate::project::processes_of(work.parent().unwrap());
        assert!(left.is_empty(), "{leaves}: {left:?}");
    }
}

#[test]
fn what_a_run_needs_is_looked_for_before() {
    let keys = format!("{JUNIT}tools = [\"no-such-program\"]\n");
    let lab = Lab::with(&format!("touch out/began\n{}", writes(GREEN)), &keys);
    expect(&lab, 2, "invalid", "PREFLIGHT_FAILED");
    assert!(!lab.path("out/began").exists());
    let config = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    let config = config.replace("no-such-program", "sh");
    lab.write("gonogo.toml", config.replacen("1MiB", "900000GiB", 1));
    expect(&lab, 2, "invalid", "PREFLIGHT_FAILED");
    let told = lab.data(&["suite", "show"]).to_string();
    assert!(told.contains("needed: 900000GiB"), "{told}");
    assert!(!lab.path("out/began").exists());
    lab.write("gonogo.toml", config);
    lab.run(0, "pass");
}

#[test]
fn a_tree_that_changes_while_it_is_tested_proves_nothing() {
    let green = writes(GREEN);
    for change in [
        "echo x > new.txt",
        "git commit -q --allow-empty -m two",
        "echo '# x' >> unit.sh",
        "chmod +x unit.sh",
    ] {
        let lab = Lab::new(&format!("{green}{change}"));
        lab.git(&["update-index", "--assume-unchanged", "unit.sh"]);
        let run = lab.run(3, "invalid");
        assert!(
            run.reasons().contains(&"TREE_CHANGED".to_owned()),
            "{change}"
        );
        // Each of its targets was good, and it is not.
        let again = lab.gonogo(&["suite", "rerun", "--json"]).envelope();
        assert_ne!(again["data"]["result"], "nothing_to_rerun", "{change}");
    }
    // What is ignored may change.
    let lab = Lab::new(&format!("{green}echo x > out/log"));
    lab.run(0, "pass");
}

#[test]
fn repositories_within_belong_to_the_tree() {
    let lab = Lab::new(&writes(GREEN));
    lab.write("within/file", "x");
    let inside = |args: &[&str]| lab.git(&[&["-C", "within"], args].concat());
    inside(&["init", "-q", "-b", "main"]);
    inside(&["add", "-A"]);
    inside(&["commit", "-q", "-m", "one"]);
    lab.commit("with another repository");
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    lab.write("within/file", "y");
    lab.check(&[], 3, "hold")
        .tells("suites", "EVIDENCE_WRONG_TREE");
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    lab.script(&format!("echo z > within/file\n{}", fails()));
    let run = lab.run(3, "invalid");
    assert!(run.reasons().contains(&"TREE_CHANGED".to_owned()));
    // Its tree is in no repository, so it cannot be shown again, and that is said.
    lab.run(2, "fail");
    let error = lab
        .gonogo(&["suite", "replay", "--json"])
        .refusal(69, &["GIT_FAILED"]);
    assert!(
        error["message"].as_str().unwrap().contains("within"),
        "{error}"
    );
}

#[test]
fn a_suite_that_takes_its_configuration_away_is_no_pass() {
    let lab = Lab::new(&format!("{}rm gonogo.toml", writes(GREEN)));
    let ran = lab.gonogo(&["suite", "run", "--profile", "ci", "--json"]);
    ran.refusal(66, &["CONFIG_NOT_FOUND"]);
    lab.git(&["checkout", "-q", "gonogo.toml"]);
    lab.gonogo(&["suite", "show"]).expect(3);
    lab.check(&[], 3, "invalid")
        .tells("suites", "RUN_INCOMPLETE");
}

#[test]
fn a_build_that_fails_stops_what_needs_it() {
    let lab = Lab::new(&format!("touch out/began\n{}", writes(GREEN)));
    lab.declare("[suites.make]\nclass = \"build\"\ncommand = [\"false\"]\n");
    expect(&lab, 3, "invalid", "RUN_INCOMPLETE");
    assert!(!lab.path("out/began").exists());
}

#[test]
fn output_of_any_kind_is_kept_in_bounds() {
    let lab = Lab::new(&format!(
        "{}head -c 8000000 /dev/zero | tr '\\0' x; head -c 300000 /dev/urandom; printf 'a\\000b\\377\\033[2J\\n'",
        writes(GREEN)
    ));
    let run = lab.run(0, "pass");
    let log = std::fs::metadata(run.dir.join("unit/unit/output.log")).unwrap();
    assert!(log.len() > 8_000_000);
    // The same of a plain command that fails: its log's end stands in the result.
    let config = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write("gonogo.toml", config.replace(JUNIT, ""));
    lab.script("head -c 300000 /dev/urandom; printf 'a\\000b\\377\\033[2J\\n'; exit 7");
    let run = lab.run(2, "fail");
    assert_eq!(run.summary()["unit_targets"][0]["exit_code"], 7);
    let shown = lab.gonogo(&["suite", "show"]);
    assert!(!shown.out.contains('\u{1b}') && !shown.out.contains('\0'));
    for form in ["html", "markdown", "junit", "github", "terminal"] {
        let report = lab.gonogo(&["suite", "report", "--form", form]);
        report.expect(0);
        assert!(
            !report.out.contains('\u{1b}') && !report.out.contains('\0'),
            "{form}"
        );
    }
}

#[test]
fn many_tests_are_all_counted() {
    let lab = Lab::new("cp ../big.xml out/r.xml");
    let mut text = String::from("<testsuite name=\"s\" tests=\"200000\">");
    for n in 0..200_000 {
        text.push_str(&format!(
            "<testcase classname=\"c{}\" name=\"t{n}\"/>",
            n % 100
        ));
    }
    text.push_str("</testsuite>");
    std::fs::write(lab.beside("big.xml"), text).unwrap();
    let run = lab.run(0, "pass");
    assert_eq!(run.summary()["tests"]["passed"], 200_000);
}

#[test]
fn hostile_file_names_stay_names() {
    let script = format!(
        "{}mv out/r.xml \"$(printf 'out/a$(touch pwned)`x`;\\042\\047\\nnl\\377.xml')\"",
        writes(GREEN)
    );
    let lab = Lab::new(&script);
    let run = lab.run(0, "pass");
    assert!(!lab.path("pwned").exists());
    lab.gonogo(&["suite", "show"]).expect(0);
    let listed = run.json("files.json");
    for file in listed["files"].as_array().unwrap() {
        assert!(
            run.dir.join(file["path"].as_str().unwrap()).is_file(),
            "{file}"
        );
    }
    lab.check(&[], 0, "pass");
}

#[test]
fn without_a_repository_the_files_are_the_tree() {
    let lab = Lab::new(&writes(GREEN));
    std::fs::remove_dir_all(lab.path(".git")).unwrap();
    let config = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    let ignore = "[suite]\nignore_changes = [\"out\"]\n";
    lab.write("gonogo.toml", config.replace("[suite]\n", ignore));
    let run = lab.run(0, "pass");
    let tree = run.summary()["source"]["tree"].clone();
    assert!(tree.as_str().unwrap().starts_with("files:"), "{tree}");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    lab.write("more", "x");
    lab.check(&[], 3, "hold")
        .tells("suites", "EVIDENCE_WRONG_TREE");
    lab.script(&format!("{}echo x > new.txt", writes(GREEN)));
    expect(&lab, 3, "invalid", "TREE_CHANGED");
}

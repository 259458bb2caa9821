//! Reports that are declared and are not there, and reports behind links: each pattern is missed for itself, and what is not read is told.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::lab::{GREEN, Lab, Run, writes};

const KEYS: &str = "format = \"junit\"\nreports = ";

/// What is told of the suite `unit`: code and text of each problem.
fn told(run: &Run) -> Vec<(String, String)> {
    let summary = run.summary();
    let problems = summary["unit_targets"][0]["problems"].as_array().cloned();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let problems = problems.unwrap_or_default();
    problems
        .iter()
        .map(|p| (word(&p["reason"]), word(&p["text"])))
        .collect()
}

/// The script of a suite that writes its report behind this directory or link.
fn behind(dir: &str) -> String {
    format!(
        "mkdir -p {dir}/a\n{}",
        writes(GREEN).replace("out/r.xml", &format!("{dir}/a/test.xml"))
    )
}

#[test]
fn each_declared_report_is_missed_for_itself() {
    let keys = format!("{KEYS}[\"out/r.xml\", \"out/b.xml\", \"out/c/*.xml\"]\n");
    let lab = Lab::with(&writes(GREEN), &keys);
    let missing = |name: &str| {
        (
            "EVIDENCE_MISSING".to_owned(),
            format!("no file is `{name}`"),
        )
    };
    let run = lab.run(3, "hold");
    assert_eq!(told(&run), [missing("out/b.xml"), missing("out/c/*.xml")]);
    assert_eq!(run.summary()["tests"]["passed"], 2);
    lab.check(&[], 3, "hold")
        .tells("suites", "EVIDENCE_MISSING");
    // One pattern for either of two says that one is enough.
    let config = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write(
        "gonogo.toml",
        config.replace(
            "\"out/r.xml\", \"out/b.xml\", \"out/c/*.xml\"",
            "\"out/{r,b}.xml\"",
        ),
    );
    lab.commit("either");
    assert_eq!(told(&lab.run(0, "pass")), []);
}

#[test]
fn links_that_a_pattern_does_not_name_are_told_where_they_bring_reports() {
    let lab = Lab::with("", &format!("{KEYS}[\"out/**/test.xml\"]\n"));
    let other = lab.beside("other");
    std::fs::create_dir_all(format!("{other}/empty")).unwrap();
    let script = |to: &str| {
        let text = format!("{}{}ln -sfn {to} out/link\n", behind("out"), behind(&other));
        lab.script(&text);
        lab.commit(to);
    };
    script(&format!("{other}/empty"));
    lab.run(0, "pass");
    script(&other);
    let run = lab.run(3, "invalid");
    let [(code, text)] = told(&run).try_into().unwrap();
    assert_eq!(code, "EVIDENCE_UNPARSABLE");
    assert!(text.starts_with("`out/link` is a link"), "{text}");
}

#[test]
fn a_link_that_a_pattern_names_is_read_and_recorded_and_what_is_old_behind_it_is_stale() {
    let lab = Lab::with("", &format!("{KEYS}[\"testlogs/**/test.xml\"]\n"));
    let other = lab.beside("other");
    std::fs::create_dir_all(format!("{other}/b")).unwrap();
    symlink(&other, lab.path("testlogs")).unwrap();
    lab.write(".gitignore", "out/\n.gonogo/\ntestlogs\n");
    lab.script(&behind("testlogs"));
    lab.commit("linked");
    let run = lab.run(0, "pass");
    let input = &run.summary()["unit_targets"][0]["inputs"][0];
    let real = std::fs::canonicalize(&other).unwrap();
    assert_eq!(input["from"], "testlogs/a/test.xml");
    assert_eq!(input["resolved"], json!(real.join("a/test.xml")));
    let ran = lab.gonogo(&["suite", "run", "--profile", "ci"]);
    let said = format!("reports are read in `{}`", real.display());
    assert!(ran.err.contains(&said), "{}", ran.err);
    // What lay there before, whether the link did or the run made it.
    let stale = |run: &Run, name: &str| {
        let text = format!("`{name}` was there before and was not written by this run");
        assert_eq!(told(run), [("EVIDENCE_STALE".to_owned(), text)]);
    };
    std::fs::write(format!("{other}/b/test.xml"), GREEN).unwrap();
    stale(&lab.run(3, "hold"), "testlogs/b/test.xml");
    std::fs::remove_file(lab.path("testlogs")).unwrap();
    let hour = std::time::Duration::from_secs(3600);
    let old = std::fs::File::options()
        .write(true)
        .open(format!("{other}/b/test.xml"))
        .unwrap();
    old.set_modified(old.metadata().unwrap().modified().unwrap() - hour)
        .unwrap();
    lab.script(&format!("ln -s {other} testlogs\n{}", behind("testlogs")));
    lab.commit("made");
    stale(&lab.run(3, "hold"), "testlogs/b/test.xml");
    // Nothing is behind it: nothing is read.
    std::fs::remove_file(lab.path("testlogs")).unwrap();
    symlink("/nonexistent", lab.path("testlogs")).unwrap();
    lab.script("");
    lab.commit("nothing");
    let missing = "no file is `testlogs/**/test.xml`".to_owned();
    assert_eq!(
        told(&lab.run(3, "hold")),
        [("EVIDENCE_MISSING".to_owned(), missing)]
    );
}

//! Under which conditions a run is made: rules that no file declares, another machine, settings of this one repository. What passed under
//! them passed for nobody else.

use crate::lab::{GREEN, JUNIT, Lab, writes};

/// A recording's section, and a suite that is run behind it.
const RECORD: &str = r#"
[record.api]
cassette = "c.json"
mode = "playback"
upstreams = { api = "http://127.0.0.1:9" }
"#;

#[test]
fn a_change_does_not_loosen_what_a_recording_takes_for_the_same() {
    let lab = Lab::new(&writes(GREEN));
    lab.declare(RECORD);
    lab.commit("recording");
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
    lab.git(&["checkout", "-q", "-b", "change"]);
    let own = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    for more in [
        "match = { volatile = [\"/amount\"] }\n",
        "match = { repeat = [\"POST http://127.0.0.1:9/*\"] }\n",
        "allow_unused = true\n",
        "max_age = \"366d\"\n",
    ] {
        lab.write("gonogo.toml", format!("{own}{more}"));
        lab.run(0, "pass");
        lab.check(&[], 1, "hold")
            .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    }
    lab.write("gonogo.toml", own.split("\n[record").next().unwrap());
    lab.run(0, "pass");
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    // One that is new forgives nothing that was not forgiven.
    lab.write(
        "gonogo.toml",
        format!("{own}{}", RECORD.replace("record.api", "record.more")),
    );
    lab.run(0, "pass");
    lab.check(&[], 0, "pass");
}

#[test]
fn options_of_whoever_runs_it_reach_no_gonogo_within() {
    let lab = Lab::with(
        "test -z \"$GONOGO_CONFIG$GONOGO_RECORD_MODE$GONOGO_PROFILE$GONOGO_ENV$GONOGO_BASE\" || exit 1",
        "",
    );
    let mut command = lab.command(&["suite", "run", "--profile", "ci"]);
    for (name, value) in [
        ("GONOGO_CONFIG", "gonogo.toml"),
        ("GONOGO_RECORD_MODE", "record"),
        ("GONOGO_PROFILE", "full"),
        ("GONOGO_ENV", "production"),
        ("GONOGO_BASE", "main"),
    ] {
        command.env(name, value);
    }
    let ended = command.output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
fn a_run_stands_for_no_other_system() {
    let lab = Lab::new(&writes(GREEN));
    let own = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    let of = |variant: &str| own.replace("[suite]\n", &format!("[suite]\nvariant = {variant}\n"));
    for variant in ["{ os = \"macos\" }", "{ arch = \"s390x\", os = \"linux\" }"] {
        lab.write("gonogo.toml", of(variant));
        let ran = lab.gonogo(&["suite", "run", "--profile", "ci"]);
        ran.expect(78);
        assert!(ran.err.contains("and it is run on"), "{}", ran.err);
        assert!(!lab.path(".gonogo/runs/suite").exists());
    }
    lab.write("gonogo.toml", of("{ os = \"linux\", database = \"pg16\" }"));
    lab.run(0, "pass");
}

#[test]
fn a_configuration_that_no_tree_has_is_told() {
    let lab = Lab::new(&writes(GREEN));
    let own = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write(".git/info/exclude", "x.toml\n");
    lab.write("x.toml", own);
    let run = |file: &str| {
        let ran = lab.gonogo(&["--config", file, "suite", "run", "--profile", "ci"]);
        ran.expect(0);
        ran.err
    };
    let told = "`x.toml` is part of no tree";
    assert!(run("x.toml").contains(told));
    assert!(!run("gonogo.toml").contains(told));
}

/// The ids of the tree of two runs, and what git says changed between them, nothing.
fn trees(lab: &Lab, change: impl FnOnce(&Lab)) -> [String; 2] {
    let tree = || lab.run(0, "pass").summary()["source"]["tree"].to_string();
    let before = tree();
    change(lab);
    [before, tree()]
}

#[test]
fn names_that_differ_in_case_are_two_files() {
    for (file, other) in [("SRC.TXT", "src.txt"), ("Tests/b.txt", "tests/a.txt")] {
        let lab = Lab::new(&writes(GREEN));
        lab.write(other, "ok\n");
        lab.commit("file");
        lab.git(&["config", "core.ignoreCase", "true"]);
        let [before, after] = trees(&lab, |lab| lab.write(file, "bug\n"));
        assert_ne!(before, after, "{file}");
        lab.git(&["config", "core.ignoreCase", "false"]);
        assert_eq!(trees(&lab, |_| ())[1], after, "{file}");
    }
}

#[test]
fn what_settings_of_one_repository_convert_is_told_from_what_others_have() {
    for (setting, attributes, bytes) in [
        ("core.autocrlf=true", "", &b"ok\r\n"[..]),
        ("core.autocrlf=input", "", b"ok\r\n"),
        ("core.eol=crlf", "* text=auto", b"ok\r\n"),
        ("core.eol=native", "src.txt text eol=crlf", b"ok\r\n"),
        (
            "core.eol=native",
            "src.txt working-tree-encoding=UTF-16LE",
            b"o\0k\0\n\0",
        ),
    ] {
        let lab = Lab::new(&writes(GREEN));
        lab.write("src.txt", "ok\n");
        lab.commit("file");
        let (name, value) = setting.split_once('=').unwrap();
        let [before, after] = trees(&lab, |lab| {
            lab.git(&["config", name, value]);
            lab.write(".git/info/attributes", format!("{attributes}\n"));
            lab.write("src.txt", bytes);
            assert_eq!(lab.git(&["diff", "HEAD", "--name-only"]), "", "{setting}");
        });
        assert_ne!(before, after, "{setting} {attributes}");
        // Without a difference there is no mark; three bytes are no UTF-16, and git says so.
        if attributes.contains("UTF-16") {
            continue;
        }
        lab.write("src.txt", "ok\n");
        assert_eq!(trees(&lab, |_| ())[1], before, "{setting} {attributes}");
    }
}

#[test]
fn what_the_tree_says_of_line_ends_is_no_difference() {
    let lab = Lab::with(&writes(GREEN), JUNIT);
    lab.write(".gitattributes", "*.bat text eol=crlf\n");
    lab.write("run.bat", "echo\r\n");
    lab.commit("attributes");
    let tree = lab.run(0, "pass").summary()["source"]["tree"].to_string();
    assert!(!tree.contains('+'), "{tree}");
    lab.write("run.bat", "echo\n\r\n");
    let tree = lab.run(0, "pass").summary()["source"]["tree"].to_string();
    assert!(tree.contains('+'), "{tree}");
}

//! Reports of other machines: read for what they are, believed for no more than they show.

use std::path::PathBuf;

use serde_json::json;

use crate::lab::{GREEN, Lab, RED, fails, writes};

fn fixture(name: &str) -> String {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../suite/tests/reports");
    let path = dir.join(name).canonicalize().unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn every_format_is_told_from_its_beginning() {
    let lab = Lab::new("");
    for (name, format) in [
        ("jest/all.json", "jest"),
        ("go/all.jsonl", "go"),
        ("ctrf/jest.json", "ctrf"),
        ("libtest/all.txt", "libtest"),
        ("libtest-json/all.jsonl", "libtest-json"),
        ("pytest/all.jsonl", "pytest-log"),
        ("surefire/TEST-sample.SampleTest.xml", "junit"),
    ] {
        let ran = lab.gonogo(&[
            "suite",
            "read",
            &fixture(name),
            "--exit-code",
            "1",
            "--json",
        ]);
        ran.expect(2);
        let target = ran.envelope()["data"]["summary"]["unit_targets"][0].clone();
        assert_eq!(target["format"], format, "{name}");
        assert!(target["failed"].as_u64().unwrap() > 0, "{name}");
    }
    assert!(!lab.path(".gonogo/runs").exists(), "nothing was to be kept");
}

#[test]
fn what_is_no_report_is_invalid_or_refused() {
    let lab = Lab::new("");
    lab.write("empty", "");
    lab.write(
        "page.html",
        "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>",
    );
    lab.write("text", "hello");
    lab.write("nul.xml", b"\0\0\0");
    for name in ["empty", "page.html", "text", "nul.xml"] {
        for form in [
            &[][..],
            &["--format", "junit"],
            &["--format", "tap"],
            &["--format", "go"],
        ] {
            let args = [&["suite", "read", name, "--exit-code", "0", "--json"], form].concat();
            let ran = lab.gonogo(&args);
            ran.expect(3);
            assert_eq!(
                ran.envelope()["data"]["summary"]["status"],
                "invalid",
                "{args:?}"
            );
        }
    }
    lab.gonogo(&["suite", "read", "nothing", "--json"])
        .refusal(66, &["INPUT_NOT_FOUND"]);
    lab.gonogo(&["suite", "read", ".", "--json"])
        .refusal(65, &["INPUT_MALFORMED"]);
    rustix::fs::mkfifoat(rustix::fs::CWD, lab.path("pipe"), rustix::fs::Mode::RWXU).unwrap();
    lab.gonogo(&["suite", "read", "pipe", "--json"])
        .refusal(65, &["INPUT_MALFORMED"]);
}

#[test]
fn a_report_says_nothing_about_its_runner() {
    let lab = Lab::new("");
    lab.write("green.xml", GREEN);
    lab.write("red.xml", RED);
    for (args, exit, reasons) in [
        (&["green.xml"][..], 3, json!(["EXIT_CODE_MISSING"])),
        (&["green.xml", "--exit-code", "0"], 0, json!([])),
        (
            &["green.xml", "--exit-code", "1"],
            3,
            json!(["EXIT_CODE_CONFLICT"]),
        ),
        (
            &["green.xml", "--exit-code", "-9"],
            3,
            json!(["EXIT_CODE_CONFLICT"]),
        ),
        (&["red.xml", "--exit-code", "1"], 2, json!(["TEST_FAILED"])),
        (
            &["red.xml", "--exit-code", "0"],
            3,
            json!(["EXIT_CODE_CONFLICT", "TEST_FAILED"]),
        ),
        // The same tests twice are no four.
        (
            &["green.xml", "green.xml", "--exit-code", "0"],
            3,
            json!(["ID_COLLISION"]),
        ),
    ] {
        let ran = lab.gonogo(&[&["suite", "read", "--json"], args].concat());
        ran.expect(exit);
        assert_eq!(
            ran.envelope()["data"]["summary"]["reasons"],
            reasons,
            "{args:?}"
        );
    }
}

#[test]
fn what_was_read_is_kept_as_a_run_that_cannot_stand_for_one_of_a_profile() {
    let lab = Lab::new(&writes(GREEN));
    lab.write("out/red.xml", RED);
    lab.write("out/green.xml", GREEN);
    let args = [
        "suite",
        "read",
        "out/green.xml",
        "--exit-code",
        "0",
        "--keep",
        "--target",
        "unit",
    ];
    lab.gonogo(&args).expect(0);
    let shown = lab.data(&["suite", "show"]);
    assert_eq!(
        (&shown["summary"]["profile"], &shown["differences"]),
        (&"read".into(), &json!([]))
    );
    lab.check(&[], 3, "hold")
        .tells("suites", "EVIDENCE_MISSING");
    assert_eq!(lab.data(&["suite", "rerun"])["result"], "nothing_to_rerun");
    let args = [
        "suite",
        "read",
        "out/red.xml",
        "--exit-code",
        "1",
        "--keep",
        "--target",
        "theirs",
    ];
    lab.gonogo(&args).expect(2);
    lab.gonogo(&["suite", "report"]).expect(0);
    // Nobody knows what wrote it, so it cannot be run again.
    lab.gonogo(&["suite", "rerun", "--json"])
        .refusal(78, &["SUITE_UNKNOWN"]);
    lab.gonogo(&["suite", "replay", "--json"])
        .refusal(78, &["SUITE_UNKNOWN"]);
}

/// Reports of a declared suite are replayed by its declaration; of one that nobody declared nothing is offered anywhere.
#[test]
fn what_was_read_is_replayed_by_its_declaration_or_not_at_all() {
    let lab = Lab::new(&fails());
    lab.write("out/red.xml", RED);
    let read = |target: &str| {
        let args = ["suite", "read", "out/red.xml", "--exit-code", "1", "--keep"];
        lab.gonogo(&[&args[..], &["--target", target]].concat())
            .expect(2);
    };
    read("unit");
    let replayed = lab.gonogo(&["suite", "replay", "--json"]);
    replayed.expect(2);
    let data = &replayed.envelope()["data"];
    assert_eq!(data["results"][0]["verdict"], "reproduced", "{data:#}");
    let report = lab.gonogo(&["suite", "report"]).out;
    assert!(report.contains("suite replay run_"), "{report}");
    read("elsewhere");
    for args in [&["suite", "replay"][..], &["suite", "replay", "--print"]] {
        let ran = lab.gonogo(args);
        ran.expect(78);
        assert!(ran.err.contains("[suites.elsewhere]"), "{}", ran.err);
    }
    for form in ["terminal", "markdown", "github", "html"] {
        let report = lab.gonogo(&["suite", "report", "--form", form]).out;
        assert!(report.contains("boom"), "{report}");
        for odd in ["replay:", "Replay:", "suite replay", "<code></code>"] {
            assert!(!report.contains(odd), "{form} has `{odd}`: {report}");
        }
    }
}

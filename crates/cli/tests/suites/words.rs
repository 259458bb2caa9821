//! What commands say: reports in every form, envelopes, help, and refusals.

use crate::lab::{GREEN, Lab, fails, writes};

const FORMS: [&str; 9] = [
    "terminal",
    "markdown",
    "comment",
    "html",
    "github",
    "gitlab-quality",
    "gitlab-metrics",
    "junit",
    "ctrf",
];

#[test]
fn every_form_of_a_report_of_every_kind_of_run() {
    let lab = Lab::new(&writes(GREEN));
    let scripts = [
        (writes(GREEN), 0, "pass", false),
        (fails(), 2, "fail", true),
        ("true".to_owned(), 3, "hold", false),
    ];
    for (script, exit, status, names) in scripts {
        // What an earlier one wrote is gone.
        lab.script(&format!("rm -f out/*\n{script}"));
        lab.run(exit, status);
        for form in FORMS {
            let ran = lab.gonogo(&["suite", "report", "--form", form]);
            ran.expect(0);
            let text = &ran.out;
            // A finding of GitLab's needs a line of a file, and this failure names none.
            if !form.starts_with("gitlab") {
                let is_named = text.contains("boom");
                assert_eq!(is_named, names, "{status} {form}: {text}");
            }
            match form {
                "gitlab-quality" | "ctrf" => {
                    serde_json::from_str::<serde_json::Value>(text).unwrap();
                }
                "junit" => {
                    assert!(text.starts_with("<?xml") && text.trim_end().ends_with("</testsuites>"))
                }
                "html" => {
                    assert!(text.contains("</html>"));
                    assert!(
                        !text.contains("http://") && !text.contains("src=\"http"),
                        "{status}"
                    );
                }
                _ => {}
            }
            let out = format!("out-{status}-{form}");
            lab.gonogo(&["suite", "report", "--form", form, "--out", &out])
                .expect(0);
            let written = std::fs::read_to_string(lab.path(&out)).unwrap();
            assert_eq!(written.trim_end(), text.trim_end(), "{status} {form}");
            std::fs::remove_file(lab.path(&out)).unwrap();
            let json = lab.data(&["suite", "report", "--form", form]);
            assert_eq!(json["differences"], serde_json::json!([]));
        }
        // What we write of a run is a report that we read.
        lab.gonogo(&["suite", "report", "--form", "junit", "--out", "out/own.xml"]);
        let read = lab.gonogo(&["suite", "read", "out/own.xml", "--exit-code", "0", "--json"]);
        match status {
            "pass" => read.expect(0),
            _ => read.expect(3),
        };
    }
    lab.gonogo(&["suite", "report", "--out", "no/such/dir/x", "--json"])
        .envelope();
}

#[test]
fn every_command_answers_in_an_envelope() {
    let lab = Lab::new(&fails());
    lab.write("out/r.xml", GREEN);
    for (args, exit) in [
        (&["suite", "read", "out/r.xml"][..], 3),
        (&["suite", "run", "--profile", "ci"], 2),
        (&["suite", "list"], 0),
        (&["suite", "list", "--profiles"], 0),
        (&["suite", "show"], 2),
        (&["suite", "report"], 0),
        (&["suite", "owner", "unit.sh"], 1),
        (&["suite", "replay", "--print"], 0),
        (&["suite", "replay"], 2),
        (&["suite", "rerun"], 2),
        (&["gate", "check"], 2),
        (&["gate", "explain", "suites"], 0),
        (&["gate", "simulate", "--without-quarantine"], 2),
        (&["gate", "rejudge"], 2),
        (&["gate", "selftest"], 0),
        (&["gate", "policy"], 0),
    ] {
        let ran = lab.gonogo(&[args, &["--json"]].concat());
        let envelope = ran.envelope();
        ran.expect(exit);
        assert_eq!(envelope["success"], true, "{args:?}: {envelope:#}");
        let tool = args[..2].join("_");
        assert_eq!(envelope["metadata"]["toolId"], tool.as_str());
        // For people the same command says something, and it is no JSON.
        let plain = lab.gonogo(args);
        plain.expect(exit);
        assert!(
            !plain.out.trim().is_empty() && !plain.out.starts_with('{'),
            "{args:?}"
        );
    }
}

#[test]
fn what_cannot_be_asked_is_a_usage_error() {
    let lab = Lab::new(&writes(GREEN));
    for args in [
        "suite",
        "gate",
        "suite nope",
        "suite run --bogus",
        "suite run --shard-index 1",
        "suite run --shard-index 2 --shard-total 2",
        "suite run --shard-index 0 --shard-total 0",
        "suite run --shard-index -1 --shard-total 2",
        "suite run --correlation-id a;b",
        "suite run --seed x",
        "suite read",
        "suite owner",
        "suite owner ../../elsewhere",
        "suite read --format pdf x",
        "suite report --form pdf",
        "suite replay --level all",
        "gate check --lane all",
        "gate explain",
        "gate simulate",
        "gate simulate --at yesterday",
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        let ran = lab.gonogo(&args);
        ran.expect(64);
        assert!(!ran.err.trim().is_empty(), "{args:?}");
    }
    assert!(!lab.path(".gonogo/runs").exists());
    for (args, exit, reason) in [
        (
            &["suite", "run", "--profile", "cii"][..],
            78,
            "SUITE_UNKNOWN",
        ),
        (&["suite", "run", "--suite", "unti"], 78, "SUITE_UNKNOWN"),
        (&["suite", "run", "--skip-unit"], 78, "SUITE_UNKNOWN"),
        (&["suite", "show", "run_x"], 66, "RUN_UNKNOWN"),
        (
            &["gate", "explain", "suites", "--verdict", "x"],
            66,
            "RUN_UNKNOWN",
        ),
    ] {
        lab.gonogo(&[args, &["--json"]].concat())
            .refusal(exit, &[reason]);
    }
}

#[test]
fn every_command_has_a_help_text() {
    let lab = Lab::new("");
    for args in [
        "suite",
        "suite run",
        "suite read",
        "suite rerun",
        "suite replay",
        "suite diff",
        "suite report",
        "suite list",
        "suite show",
        "suite owner",
        "gate",
        "gate check",
        "gate explain",
        "gate simulate",
        "gate rejudge",
        "gate selftest",
        "gate policy",
    ] {
        let args: Vec<&str> = args.split(' ').chain(["--help"]).collect();
        let ran = lab.gonogo(&args);
        ran.expect(0);
        let usage = format!("Usage: gonogo {}", args[..args.len() - 1].join(" "));
        assert!(ran.out.contains(&usage), "{}", ran.out);
    }
}

#[test]
fn outside_of_a_project_nothing_is_founded() {
    let lab = Lab::new("");
    for name in ["gonogo.toml", "unit.sh", ".gitignore"] {
        std::fs::remove_file(lab.path(name)).unwrap();
    }
    std::fs::remove_dir_all(lab.path(".git")).unwrap();
    for (args, exit, reason) in [
        (&["suite", "run"][..], 66, "CONFIG_NOT_FOUND"),
        (&["suite", "show"], 66, "RUN_UNKNOWN"),
        (&["suite", "rerun"], 66, "RUN_UNKNOWN"),
        (&["suite", "replay"], 66, "RUN_UNKNOWN"),
        (&["suite", "diff"], 66, "RUN_UNKNOWN"),
        (&["suite", "report"], 66, "RUN_UNKNOWN"),
        (&["gate", "check"], 66, "CONFIG_NOT_FOUND"),
        (&["gate", "explain", "suites"], 66, "RUN_UNKNOWN"),
        (
            &["gate", "simulate", "--without-quarantine"],
            66,
            "CONFIG_NOT_FOUND",
        ),
        (&["gate", "rejudge"], 66, "RUN_UNKNOWN"),
        (&["gate", "selftest"], 66, "CONFIG_NOT_FOUND"),
    ] {
        lab.gonogo(&[args, &["--json"]].concat())
            .refusal(exit, &[reason]);
    }
    assert_eq!(lab.data(&["suite", "list"])["runs"], serde_json::json!([]));
    let left: Vec<_> = std::fs::read_dir(lab.path("")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    // A report can be read anywhere.
    lab.write("r.xml", GREEN);
    lab.gonogo(&["suite", "read", "r.xml", "--exit-code", "0"])
        .expect(0);
}

//! `gates = { dry_run = … }`: no release without a signed-off dry run of exactly what is released.

use crate::lab::{BEATS, SECOND};
use crate::project::{CONFIG, Project};
use crate::screen::Ran;

/// A dry run of one second about a version's artifact.
fn dry_run(project: &Project, name: &str, version: &str, before: &str) -> Ran {
    let artifact = format!("versions/{version}.toml");
    let hours = SECOND.to_string();
    let script = format!("{before}{BEATS}");
    project.run(&[
        "dry-run",
        "orchestrate",
        "--json",
        "--run-name",
        name,
        "--duration-hours",
        &hours,
        "--skip-diary-evidence",
        "--skip-performance-evidence",
        "--shutdown-grace-seconds",
        "5",
        "--artifact",
        &artifact,
        "--",
        "sh",
        "-c",
        &script,
        "sh",
        &artifact,
    ])
}

#[test]
fn a_gate_opens_for_a_pass_about_what_is_released_and_for_nothing_else() {
    let config = CONFIG.replace(
        "gates = \"none\"",
        "gates = { dry_run = { max_age = \"1h\", binding = \"mentioned\" } }",
    );
    assert_ne!(config, CONFIG);
    let project = Project::with(&config);
    let first = project.approved("1.0.0");
    project.refuses(&["apply", &first], 3, &["GATE_EVIDENCE_MISSING"]);
    // About another artifact.
    dry_run(&project, "other", "2.0.0", "").expect(0);
    project.refuses(&["apply", &first], 3, &["GATE_EVIDENCE_MISSING"]);
    // About this one, and failed.
    dry_run(&project, "bad", "1.0.0", "echo 'ERROR no way'; ").expect(2);
    project.refuses(&["apply", &first], 2, &["GATE_EVIDENCE_FAILED"]);
    // About bytes that are not released any more.
    let text = project.text("versions/1.0.0.toml");
    std::fs::write(
        project.path("versions/1.0.0.toml"),
        format!("{text}\n# other bytes\n"),
    )
    .unwrap();
    dry_run(&project, "changed", "1.0.0", "").expect(0);
    std::fs::write(project.path("versions/1.0.0.toml"), &text).unwrap();
    project.refuses(&["apply", &first], 2, &["GATE_EVIDENCE_FAILED"]);
    // Tried again until it passes is no pass of these bytes; those that passed at once are released.
    dry_run(&project, "good", "1.0.0", "").expect(0);
    project.refuses(&["apply", &first], 2, &["GATE_EVIDENCE_FAILED"]);
    std::fs::write(
        project.path("versions/1.0.0.toml"),
        format!("{text}\n# other bytes\n"),
    )
    .unwrap();
    let first = project.approved("1.0.0");
    let load = project.load(300.0);
    project.run(&["apply", &first]).expect(0);
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    let second = project.approved("2.0.0");
    project.run(&["apply", &second]).expect(0);
    assert_eq!(project.serves(), ["2.0.0:10000"]);
    load.stop();
    load.join();
    // The packets hold what the gate rested on.
    let key = project.text(".gonogo/ledger/log.vkey").trim().to_owned();
    let operations = project.data(&["history"])["operations"].clone();
    assert_eq!(operations.as_array().unwrap().len(), 2, "{operations:#}");
    for operation in operations.as_array().unwrap() {
        let path = format!(".gonogo/packets/{}.tar", operation["id"].as_str().unwrap());
        project.run(&["verify", &path, "--log-key", &key]).expect(0);
    }
    // A newer run that failed outweighs the pass, whatever was released meanwhile.
    let third = project.approved("1.0.0");
    dry_run(&project, "worse", "1.0.0", "echo 'ERROR no way'; ").expect(2);
    project.refuses(&["apply", &third], 2, &["GATE_EVIDENCE_FAILED"]);
}

#[test]
fn a_sign_off_that_is_too_old_opens_no_gate() {
    let config = CONFIG.replace(
        "gates = \"none\"",
        "gates = { dry_run = { max_age = \"1s\", binding = \"mentioned\" } }",
    );
    let project = Project::with(&config);
    dry_run(&project, "good", "1.0.0", "").expect(0);
    let plan = project.approved("1.0.0");
    crate::project::wait("the sign-off is too old", crate::lab::SOON, || {
        let at = project.path("artifacts/final_dry_run/good/summary.json");
        std::fs::metadata(at)
            .unwrap()
            .modified()
            .unwrap()
            .elapsed()
            .is_ok_and(|age| age.as_millis() > 1500)
            .then_some(())
    });
    project.refuses(&["apply", &plan], 3, &["GATE_EVIDENCE_STALE"]);
}

#[test]
fn a_gate_demands_what_it_says_of_a_pass() {
    let with = |gate: &str| {
        CONFIG
            .replace(
                "gates = \"none\"",
                &format!("gates = {{ dry_run = {{ max_age = \"1h\"{gate} }} }}"),
            )
            .replace(
                "artifacts = [\"versions/{version}.toml\"]",
                "artifacts = [\"versions/{version}.toml\", \"run.sh\"]",
            )
    };
    let project = Project::with(&with(""));
    let script = format!("[ -z \"$SAY\" ] || echo \"$SAY\"\n{BEATS}\n");
    std::fs::write(project.path("run.sh"), script).unwrap();
    let hours = SECOND.to_string();
    let run = |name: &str, flags: &[&str], command: &[&str]| {
        let head = [
            "dry-run",
            "orchestrate",
            "--json",
            "--run-name",
            name,
            "--duration-hours",
            &hours,
            "--skip-diary-evidence",
            "--skip-performance-evidence",
            "--shutdown-grace-seconds",
            "5",
            "--artifact",
            "versions/1.0.0.toml",
            "--artifact",
            "run.sh",
        ];
        project.run(&[&head, flags, &["--"], command].concat())
    };
    let refused = |plan: &str, says: &str| {
        let ran = project.run(&["apply", plan]);
        assert_eq!(ran.status, 2, "{ran:?}");
        let text = format!("{}{}", ran.out, ran.err);
        assert!(
            text.contains("GATE_EVIDENCE_FAILED") && text.contains(says),
            "{text}"
        );
    };
    // Only named: something else ran.
    let first = project.approved("1.0.0");
    run("named", &[], &["sh", "-c", BEATS, "sh", "run.sh"]).expect(0);
    refused(&first, "only names what is released");
    // Run by what is only called so, by another file that the interpreter runs first, or changed meanwhile and put back.
    std::fs::create_dir(project.path("fake")).unwrap();
    std::fs::write(project.path("fake/sh"), format!("#!/bin/sh\n{BEATS}\n")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(project.path("fake/sh"), mode).unwrap();
    run("fake", &[], &["./fake/sh", "run.sh"]).expect(0);
    refused(&first, "only names what is released");
    run(
        "hooked",
        &["--env", "BASH_ENV=fake/sh"],
        &["bash", "run.sh"],
    )
    .expect(0);
    refused(&first, "only names what is released");
    let script = project.text("run.sh");
    std::fs::write(
        project.path("run.sh"),
        format!("echo >> run.sh; truncate -s -1 run.sh\n{script}"),
    )
    .unwrap();
    run("put-back", &[], &["sh", "run.sh"]).expect(2);
    std::fs::write(project.path("run.sh"), script).unwrap();
    // Run, with warnings accepted wholesale.
    let noisy = ["--env", "SAY=WARNING all is odd", "--allow-warnings"];
    run("noisy", &noisy, &["sh", "run.sh"]).expect(0);
    refused(&first, "accepted wholesale");
    run("good", &[], &["sh", "run.sh"]).expect(0);
    // That is a pass; longer is another matter.
    let config = project.text("gonogo.toml");
    let stricter = config.replace(
        "max_age = \"1h\"",
        "max_age = \"1h\", min_duration = \"1h\"",
    );
    assert_ne!(stricter, config);
    std::fs::write(project.path("gonogo.toml"), stricter).unwrap();
    let longer = project.approved("1.0.0");
    refused(&longer, "and 1h is demanded");
    std::fs::write(project.path("gonogo.toml"), config).unwrap();
    // The newer plan took the place of the first one.
    let again = project.approved("1.0.0");
    let load = project.load(300.0);
    project.run(&["apply", &again]).expect(0);
    load.stop();
    load.join();
}

//! Warnings, who may accept them and for how long, and clocks that say what is not so.

use serde_json::Value;

use crate::lab::{BEATS, Lab, findings, incidents, sh};

/// Prints two warnings of one kind and goes on well.
fn warns() -> String {
    format!(
        "echo '{{\"level\":\"warning\",\"message\":\"certificate expires in 9 days\"}}'\n{BEATS}"
    )
}

#[test]
fn warnings_fail_a_sign_off_and_pass_when_they_are_accepted() {
    let lab = Lab::new();
    let strict = lab.orchestrate("strict", 0.5, &[], &sh(&warns()));
    let summary = strict.ended(2, "fail");
    let seen = incidents(&summary, "log_level");
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert_eq!(
        (&seen[0]["severity"], &seen[0]["count"]),
        (&"warn".into(), &1.into())
    );
    assert_eq!(seen[0].get("accepted"), None);
    lab.verify(&strict.packet(), &strict.key(), &[]).expect(2);

    let mild = lab.orchestrate("mild", 0.5, &["--allow-warnings"], &sh(&warns()));
    let summary = mild.ended(0, "pass");
    let seen = incidents(&summary, "log_level");
    assert_eq!(seen.len(), 1, "an accepted warning is listed: {seen:#?}");
    assert_eq!(seen[0]["accepted"], "allow_warnings");
    let listed = summary["sign_off"]["findings"].as_array().unwrap();
    assert!(
        listed.iter().any(|f| f["accepted"].is_string()),
        "{listed:#?}"
    );
    assert!(
        lab.text(&mild.inside("review.md"))
            .contains("certificate expires")
    );
    lab.verify(&mild.packet(), &mild.key(), &[]).expect(0);
    // What fails is not accepted with them.
    let script = format!("echo 'ERROR no way'; {}", warns());
    lab.orchestrate("worse", 0.5, &["--allow-warnings"], &sh(&script))
        .ended(2, "fail");
}

#[test]
fn a_rule_accepts_until_it_expires() {
    let rule = |expires: &str| {
        format!(
            "[dry_run]\nallow = [{{ name = \"renewal\", pattern = 'certificate expires in \\d+ days', owner = \"dana\", expires = \"{expires}\" }}]\n"
        )
    };
    let lab = Lab::with(&rule("2099-01-31T00:00:00Z"));
    let made = lab.orchestrate("good", 0.5, &[], &sh(&warns()));
    let summary = made.ended(0, "pass");
    let seen = incidents(&summary, "log_level");
    assert_eq!(seen.len(), 1, "{:#}", summary["incidents"]);
    assert_eq!(seen[0]["accepted"], "renewal");
    lab.verify(&made.packet(), &made.key(), &[]).expect(0);
    // Another warning is not meant by it.
    let script = format!(
        "echo '{{\"level\":\"warning\",\"message\":\"disk is slow\"}}'; {}",
        warns()
    );
    let made = lab.orchestrate("other", 0.5, &[], &sh(&script));
    let seen = incidents(&made.ended(2, "fail"), "log_level");
    assert_eq!(
        seen.iter().filter(|i| i.get("accepted").is_none()).count(),
        1,
        "{seen:#?}"
    );

    lab.write("gonogo.toml", rule("2020-01-31T00:00:00Z"));
    let made = lab.orchestrate("late", 0.5, &[], &sh(&warns()));
    let summary = made.ended(2, "fail");
    assert_eq!(incidents(&summary, "log_level")[0].get("accepted"), None);
}

#[test]
fn times_that_the_child_forged_make_no_long_run() {
    let lab = Lab::new();
    let script = r#"trap 'exit 0' INT TERM
now=$(date +%s)
echo "{\"ts\":\"$(date -u -d @$((now-259200)) +%Y-%m-%dT%H:%M:%SZ)\",\"level\":\"info\",\"message\":\"first\"}"
echo "{\"ts\":\"$(date -u -d @$now +%Y-%m-%dT%H:%M:%SZ)\",\"level\":\"info\",\"message\":\"last\"}"
while :; do sleep 0.1; done"#;
    let flags = [
        "--required-duration-hours",
        "72",
        "--warn-gap-minutes",
        "6000",
        "--fail-gap-minutes",
        "6000",
    ];
    let made = lab.orchestrate("forged", 1.0, &flags, &sh(script));
    let summary = made.ended(2, "fail");
    let lived = summary["duration_seconds"].as_f64().unwrap();
    assert!(lived < 10.0, "{lived}");
    assert!(
        summary["summary"]["logs"]["duration_seconds"]
            .as_f64()
            .unwrap()
            < 10.0
    );
    assert_eq!(
        findings(&summary, "duration_below_minimum").len(),
        1,
        "{:#}",
        summary["sign_off"]
    );
    let skew = &summary["summary"]["logs"]["skew"];
    assert_eq!(skew["records"], 2, "{skew:#}");
    let widest = ["min_seconds", "max_seconds"].map(|k| skew[k].as_f64().unwrap().abs());
    assert!(
        widest.iter().any(|s| (259_190.0..259_210.0).contains(s)),
        "{skew:#}"
    );
    // The verbatim claim stays readable where logs are read.
    let first: Value = serde_json::from_str(
        lab.text(&made.inside("logs/final_dry_run_forged.jsonl"))
            .lines()
            .next()
            .unwrap(),
    )
    .unwrap();
    assert!(
        first["timestamp"].as_str().unwrap() < first["payload"]["ingested_at"].as_str().unwrap(),
        "{first:#}"
    );
}

#[test]
fn silence_is_an_incident_while_it_goes_on() {
    let lab = Lab::new();
    let flags = [
        "--live-gap-alert-minutes",
        "0.005",
        "--live-gap-alert-severity",
        "fail",
    ];
    let script = "trap 'exit 0' INT TERM; echo begin; while :; do sleep 0.1; done";
    let made = lab.orchestrate("still", 2.0, &flags, &sh(script));
    let summary = made.ended(2, "fail");
    assert_eq!(
        incidents(&summary, "log_gap").len(),
        1,
        "{:#}",
        summary["incidents"]
    );
    // And a child that says nothing at all is as silent.
    let script = "trap 'exit 0' INT TERM; while :; do sleep 0.1; done";
    let made = lab.orchestrate("mute", 2.0, &flags, &sh(script));
    let summary = made.ended(2, "fail");
    assert_eq!(
        incidents(&summary, "log_gap").len(),
        1,
        "{:#}",
        summary["incidents"]
    );
}

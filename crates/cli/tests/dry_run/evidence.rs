//! Diary and performance: every form that runtimes write, and every way in which they are broken. A broken file is a finding
//! with its path and reason, never the end of the verdict.

use serde_json::{Value, json};

use crate::lab::{BEATS, Lab, Made, orchestrate, sh};

fn entry(n: u32) -> Value {
    json!({"entry_id": format!("e-{n}"), "recorded_at": "@NOW@", "policy_id": "p1", "decision": "hold",
        "regime_state": "calm", "outcomes": {}, "metadata": {}, "notes": []})
}

/// A run whose child writes these files first; `@NOW@` is the time then.
fn with<'a>(
    lab: &'a Lab,
    name: &str,
    diary: Option<&str>,
    performance: Option<&str>,
    flags: &[&str],
) -> Made<'a> {
    let mut script = String::from("now=$(date -u +%Y-%m-%dT%H:%M:%SZ)\n");
    for (what, text) in [("DIARY", diary), ("PERFORMANCE", performance)] {
        if let Some(text) = text {
            let from = lab.write(&format!("{name}-{what}"), text);
            script +=
                &format!("sed \"s/@NOW@/$now/g\" '{from}' > \"$FINAL_DRY_RUN_{what}_PATH\"\n");
        }
    }
    script += BEATS;
    let args = orchestrate(
        name,
        0.5,
        &[&["--shutdown-grace-seconds", "5"], flags].concat(),
        &sh(&script),
    );
    lab.made(
        name,
        lab.run(&args.iter().map(String::as_str).collect::<Vec<_>>()),
    )
}

const PERFORMANCE: &str = r#"{"generated_at":"@NOW@","period_start":"@NOW@","trades":12,"roi":0.02,"win_rate":0.6,"sharpe_ratio":1.4}"#;

#[test]
fn a_diary_in_every_form_is_read() {
    let lab = Lab::new();
    let object = json!({"generated_at": "@NOW@", "entries": [entry(1), entry(2), entry(3)], "probe_registry": {}}).to_string();
    let array = json!([entry(1), entry(2), entry(3)]).to_string();
    let lines = format!("{}\n{}\n{}\n", entry(1), entry(2), entry(3));
    for (name, diary) in [("object", object), ("array", array), ("lines", lines)] {
        let made = with(&lab, name, Some(&diary), Some(PERFORMANCE), &[]);
        let summary = made.ended(0, "pass");
        let seen = &summary["summary"]["diary"];
        assert_eq!(
            (&seen["total_entries"], &seen["policy_counts"]["p1"]),
            (&3.into(), &3.into()),
            "{name}: {seen:#}"
        );
        assert_eq!(summary["summary"]["performance"]["total_trades"], 12);
        lab.verify(&made.packet(), &made.key(), &[]).expect(0);
    }
    // What an entry says counts.
    let mut bad = entry(1);
    bad["notes"] = json!(["trading halted by an incident"]);
    let made = with(
        &lab,
        "halted",
        Some(&bad.to_string()),
        Some(PERFORMANCE),
        &[],
    );
    let summary = made.ended(2, "fail");
    let issue = &summary["summary"]["diary"]["issues"][0];
    assert_eq!(
        (&issue["entry_id"], &issue["severity"]),
        (&"e-1".into(), &"fail".into()),
        "{issue:#}"
    );
}

#[test]
fn evidence_that_cannot_be_read_is_a_finding() {
    let lab = Lab::new();
    let good = entry(1).to_string();
    let deep = "[".repeat(100_000);
    for (name, diary, performance, path) in [
        (
            "torn",
            "{\"entries\": [{\"entry_id\": ",
            PERFORMANCE,
            "decision_diary.jsonl",
        ),
        (
            "words",
            "these are words",
            PERFORMANCE,
            "decision_diary.jsonl",
        ),
        ("deep", deep.as_str(), PERFORMANCE, "decision_diary.jsonl"),
        ("other", good.as_str(), "[1,2", "performance_metrics.json"),
        ("list", good.as_str(), "[]", "performance_metrics.json"),
    ] {
        let made = with(&lab, name, Some(diary), Some(performance), &[]);
        let summary = made.ended(2, "fail");
        let found = summary["sign_off"]["findings"].as_array().unwrap();
        let of_path = found.iter().find(|f| f.to_string().contains(path));
        let of_path = of_path.unwrap_or_else(|| panic!("{name}: nothing names {path}: {found:#?}"));
        assert_eq!(of_path["severity"], "fail", "{name}");
        assert!(
            of_path["message"].as_str().unwrap().len() > 20,
            "{name}: {of_path:#}"
        );
        let verified = lab
            .verify(&made.packet(), &made.key(), &[])
            .expect(2)
            .envelope();
        assert_eq!(
            verified["data"]["dryRun"]["ok"], true,
            "{name}: {verified:#}"
        );
    }
}

#[test]
fn a_diary_without_entries_fails() {
    let lab = Lab::new();
    for (name, diary) in [
        ("nothing", ""),
        ("list", "[]"),
        ("object", "{\"entries\": []}"),
    ] {
        let summary = with(&lab, name, Some(diary), Some(PERFORMANCE), &[]).ended(2, "fail");
        let issues = &summary["summary"]["diary"]["issues"];
        assert!(
            issues.to_string().contains("no entries"),
            "{name}: {:#}",
            summary["summary"]
        );
    }
}

#[test]
fn performance_without_its_times_fails_and_says_so() {
    let lab = Lab::new();
    let summary = with(
        &lab,
        "untimed",
        Some(&entry(1).to_string()),
        Some("{\"roi\": 1}"),
        &[],
    )
    .ended(2, "fail");
    let performance = &summary["summary"]["performance"];
    for word in ["generated_at", "period_start"] {
        assert!(
            performance["issues"].to_string().contains(word),
            "{word}: {performance:#}"
        );
    }
}

#[test]
fn required_evidence_that_is_absent_fails_and_waived_evidence_does_not() {
    let lab = Lab::new();
    let made = with(&lab, "absent", None, Some(PERFORMANCE), &[]);
    let summary = made.ended(2, "fail");
    assert!(
        summary["sign_off"]["findings"]
            .to_string()
            .contains("diary"),
        "{:#}",
        summary["sign_off"]
    );
    with(
        &lab,
        "waived",
        None,
        Some(PERFORMANCE),
        &["--no-diary-required"],
    )
    .ended(0, "pass");
    with(
        &lab,
        "blind",
        Some(&entry(1).to_string()),
        None,
        &["--no-performance-required"],
    )
    .ended(0, "pass");
    // A floor demands the evidence that it is about, whatever was waived.
    let made = with(
        &lab,
        "floor",
        Some(&entry(1).to_string()),
        None,
        &["--no-performance-required", "--minimum-sharpe-ratio", "1"],
    );
    made.ended(2, "fail");
    // A directory, and a file that may not be read, are reasons too.
    let made = with(
        &lab,
        "folder",
        None,
        Some(PERFORMANCE),
        &["--diary-path", "/"],
    );
    made.ended(2, "fail");
}

#[test]
fn performance_nested_under_snapshot_is_read() {
    let lab = Lab::new();
    let nested = r#"{"snapshot":{"generated_at":"@NOW@","period_start":"@NOW@","aggregates":{"trades":7,"roi":0.01,"win_rate":0.5,"sharpe":1.1}}}"#;
    let made = with(
        &lab,
        "nested",
        Some(&entry(1).to_string()),
        Some(nested),
        &[],
    );
    let summary = made.ended(0, "pass");
    let seen = &summary["summary"]["performance"];
    assert_eq!(
        (&seen["total_trades"], &seen["roi"], &seen["sharpe_ratio"]),
        (&7.into(), &0.01.into(), &1.1.into()),
        "{seen:#}"
    );
    let losing = PERFORMANCE.replace("0.02", "-0.02");
    with(
        &lab,
        "losing",
        Some(&entry(1).to_string()),
        Some(&losing),
        &[],
    )
    .ended(2, "fail");
    with(
        &lab,
        "accepted",
        Some(&entry(1).to_string()),
        Some(&losing),
        &["--allow-warnings"],
    )
    .ended(0, "pass");
}

#[test]
fn a_floor_that_a_short_window_cannot_carry_is_no_pass() {
    let lab = Lab::new();
    let made = with(
        &lab,
        "sharpe",
        Some(&entry(1).to_string()),
        Some(PERFORMANCE),
        &["--minimum-sharpe-ratio", "1"],
    );
    assert_ne!(made.ran.status, 0, "{:?}", made.ran);
    let summary = made.summary();
    assert!(
        summary.to_string().contains("\"decidable\":false"),
        "{summary:#}"
    );
    let below = with(
        &lab,
        "below",
        Some(&entry(1).to_string()),
        Some(PERFORMANCE),
        &["--minimum-sharpe-ratio", "9"],
    );
    below.ended(2, "fail");
}

#[test]
fn evidence_that_is_no_file_is_told_as_what_it_is_and_holds_nobody_up() {
    let lab = Lab::new();
    let args = orchestrate(
        "odd",
        0.5,
        &["--shutdown-grace-seconds", "5"],
        &sh(&format!(
            "mkfifo \"$FINAL_DRY_RUN_DIARY_PATH\"; ln -s performance_metrics.json \"$FINAL_DRY_RUN_PERFORMANCE_PATH\"\n{BEATS}"
        )),
    );
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let made = lab.made("odd", lab.run(&args));
    let summary = made.ended(2, "fail");
    let found = summary["sign_off"]["findings"].to_string();
    for says in [
        "decision_diary.jsonl) cannot be read: it is a named pipe",
        "performance_metrics.json) cannot be read: it is a loop of symbolic links",
    ] {
        assert!(found.contains(says), "{says}: {found}");
    }
    assert!(!found.contains("_missing"), "{found}");
    lab.verify(&made.packet(), &made.key(), &[]).expect(2);
}

#[test]
fn a_key_twice_is_a_finding_whatever_the_last_one_says() {
    let lab = Lab::new();
    let performance = PERFORMANCE.replace("\"roi\":0.02", "\"roi\":-5,\"roi\":0.02");
    let made = with(
        &lab,
        "twice",
        Some(&entry(1).to_string()),
        Some(&performance),
        &[],
    );
    let summary = made.ended(2, "fail");
    let found = summary["sign_off"]["findings"].to_string();
    assert!(
        found.contains("duplicate key `roi`") && found.contains("performance_metrics.json"),
        "{found}"
    );
}

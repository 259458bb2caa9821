//! What lies beside the bytes of a run: its evidence, its artifacts, and what could not be kept.

use super::*;

#[test]
fn evidence_of_another_run_is_none_of_this_one() {
    let mut run = well(spec());
    run.spec.run_id = "run-2".to_owned();
    let report = run.judge();
    assert_eq!(report.status, Status::Invalid);
    assert_eq!(codes(&report).matches("other_run").count(), 2, "{report:?}");
}

#[test]
fn artifacts_must_be_at_the_end_what_they_were() {
    let artifact = |bytes: &[u8]| Artifact {
        path: "bin/a".to_owned(),
        sha256: Digest::of(bytes),
        state: Some("1:2".to_owned()),
    };
    let put_back = Artifact {
        state: Some("1:3".to_owned()),
        ..artifact(b"before")
    };
    let mut run = well(RunSpec {
        artifacts: vec![artifact(b"before")],
        ..spec()
    });
    for (after, status, code) in [
        (None, Status::Invalid, "artifacts_unknown"),
        (Some(vec![artifact(b"before")]), Status::Pass, ""),
        (
            Some(vec![artifact(b"after")]),
            Status::Fail,
            "artifact_changed",
        ),
        (Some(vec![put_back]), Status::Fail, "artifact_changed"),
        (Some(Vec::new()), Status::Fail, "artifact_changed"),
    ] {
        run.more.remove(ARTIFACTS);
        if let Some(after) = after {
            run.more
                .insert(ARTIFACTS.to_owned(), serde_json::to_vec(&after).unwrap());
        }
        let report = run.judge();
        assert_eq!(report.status, status, "{report:?}");
        assert!(codes(&report).contains(code), "{report:?}");
    }
}

#[test]
fn text_that_names_no_time_is_fresh_only_if_it_grew() {
    let mut text = declaration("notes", EvidenceFormat::Text);
    (text.stale_warn_seconds, text.stale_fail_seconds) = (Some(600.0), Some(1200.0));
    let mut base = spec();
    base.evidence = vec![text];
    let judged = |grew: &[f64]| {
        let mut run = Run::new(base.clone());
        run.more
            .insert("evidence/notes".to_owned(), b"a line\n".to_vec());
        for n in 1..=60 {
            run.print(Stream::Stdout, n as f64 * 60.0 - 5.0, &beat(n));
        }
        for (n, at) in grew.iter().enumerate() {
            run.event(
                1,
                *at,
                Event::EvidenceSeen {
                    name: "notes".to_owned(),
                    size: Some(7 + n as u64),
                    mtime_ms: None,
                    newest_ms: None,
                    entries: None,
                    error: None,
                },
            );
        }
        run.exit(3600.0, 0);
        let report = run.judge();
        let evidence = &report.summary.evidence[0];
        let codes: Vec<&str> = evidence.findings.iter().map(|f| f.code.as_str()).collect();
        (report.status, evidence.status, codes.join(" "))
    };
    let stale = "evidence_stale".to_owned();
    assert_eq!(
        judged(&[3100.0]),
        (Status::Pass, Status::Pass, String::new())
    );
    // It grew at the last look, and then nobody looked again until the end.
    assert_eq!(
        judged(&[2900.0]),
        (Status::Fail, Status::Warn, stale.clone())
    );
    assert_eq!(
        judged(&[100.0, 2300.0]).1,
        Status::Fail,
        "grown for the last time 1300 s before the end"
    );
    // Nobody ever looked.
    assert_eq!(judged(&[]), (Status::Fail, Status::Fail, stale));
}

#[test]
fn what_could_not_be_kept_is_told_as_unreadable_and_not_as_missing() {
    let mut spec = spec();
    (
        spec.criteria.require_diary,
        spec.criteria.require_performance,
    ) = (true, true);
    spec.evidence = vec![
        declaration("diary", EvidenceFormat::Diary),
        declaration("performance", EvidenceFormat::Performance),
        declaration("heap", EvidenceFormat::Jsonl),
    ];
    let mut run = well(spec);
    for name in ["diary", "performance", "heap"] {
        let why = b"it is a named pipe\n".to_vec();
        run.more.insert(format!("evidence/{name}.unreadable"), why);
    }
    let report = run.judge();
    assert_eq!(
        codes(&report),
        "evidence_unreadable evidence_unreadable evidence_unreadable"
    );
    for (finding, name) in report.sign_off.unwrap().findings.iter().zip([
        "the decision diary (/evidence/diary)",
        "performance evidence (/evidence/performance)",
        "evidence `heap` (/evidence/heap)",
    ]) {
        let expected = format!("{name} cannot be read: it is a named pipe");
        assert_eq!(finding.message, expected);
    }
}

#[test]
fn a_sign_off_names_the_first_of_the_worst_reasons() {
    let mut spec = spec();
    spec.evidence = vec![
        declaration("diary", EvidenceFormat::Diary),
        declaration("performance", EvidenceFormat::Performance),
    ];
    let mut run = Run::new(spec);
    for n in 1..=60 {
        run.print(Stream::Stdout, n as f64 * 60.0 - 5.0, &beat(n));
    }
    run.print(Stream::Stderr, 3590.0, "WARN careful\nERROR no way\n");
    run.exit(3600.0, 0);
    let stamp = |seconds: f64| at(seconds).timestamp();
    let diary = format!(
        "{{\"entry_id\":\"a\",\"recorded_at\":\"{}\"}}\n{{\"entry_id\":\"b\",\"recorded_at\":\"{}\",\"notes\":[\"halt now\"]}}\n",
        stamp(60.0),
        stamp(3500.0)
    );
    let performance = format!(
        "{{\"generated_at\":\"{}\",\"period_start\":\"{}\",\"roi\":-0.5}}",
        stamp(3590.0),
        stamp(0.0)
    );
    run.more
        .insert("evidence/diary".to_owned(), diary.into_bytes());
    run.more
        .insert("evidence/performance".to_owned(), performance.into_bytes());
    let findings = run.judge().sign_off.unwrap().findings;
    let said = |code: &str| {
        let found = findings.iter().find(|f| f.code == code).unwrap();
        found.message.clone()
    };
    let logs = said("logs_not_clean");
    assert!(logs.contains("no way") && logs.contains("stderr"), "{logs}");
    assert!(logs.ends_with("1 more"), "{logs}");
    let diary = said("diary_not_clean");
    assert!(
        diary.starts_with("the decision diary (/evidence/diary): fail: entry `b` of ")
            && diary.contains("halt now"),
        "{diary}"
    );
    let performance = said("performance_not_clean");
    assert!(
        performance.contains("(/evidence/performance)") && performance.contains("-0.5"),
        "{performance}"
    );
}

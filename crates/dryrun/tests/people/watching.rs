//! A run in a terminal and in a pipe.

use gonogo_dryrun::Status;
use gonogo_dryrun::progress::{Phase, Progress};
use gonogo_dryrun::watch::{self, Options, Watcher};
use serde_json::json;

use crate::runs::{HOSTILE, ORDINARY, at, clean, troubled};

fn progress(phase: Phase, texts: &[&str]) -> Progress {
    let (report, _) = clean();
    let mut incidents = troubled(texts).incidents;
    incidents.truncate(12);
    Progress {
        status: "warn".to_owned(),
        phase,
        sequence: 4_711,
        now: at(26.0852),
        interval_seconds: Some(1.0),
        started_at: Some(at(0.0)),
        elapsed_seconds: 93_907.0,
        target_duration_seconds: 259_200.0,
        required_duration_seconds: 259_200.0,
        total_lines: 1_402_113,
        total_bytes: 333_702_894,
        line_counts: [("stdout".to_owned(), 1_402_000), ("stderr".to_owned(), 113)].into(),
        level_counts: [
            ("info".to_owned(), 1_401_000),
            (texts[0].to_owned(), 1_000),
            ("error".to_owned(), 113),
        ]
        .into(),
        first_line_at: Some(at(0.0)),
        last_line_at: Some(at(26.08)),
        longest_gap_seconds: 1_800.0,
        lines_per_second: 14.9,
        command: texts.iter().map(|text| (*text).to_owned()).collect(),
        minimum_uptime_ratio: Some(0.98),
        require_diary_evidence: true,
        require_performance_evidence: true,
        exit_code: None,
        incidents,
        incidents_not_kept: 0,
        summary: None,
        sign_off: report.sign_off,
        config_metadata: Default::default(),
        resources: [
            ("cpu_percent".to_owned(), json!(31.2)),
            ("memory_mb".to_owned(), json!(219.9)),
            ("processes".to_owned(), json!(4)),
            ("disk_free_bytes".to_owned(), json!(19_000_000_000_u64)),
            ("disk_full_in_seconds".to_owned(), json!(90_000.0)),
        ]
        .into(),
        history: Vec::new(),
    }
}

#[test]
fn frames_stay_as_they_are() {
    let running = progress(Phase::Running, ORDINARY);
    let wide = Options {
        width: 110,
        ..Options::default()
    };
    insta::assert_snapshot!("frame-wide", watch::frame(&running, &wide));
    let narrow = Options {
        width: 48,
        ascii: true,
        max_incidents: 2,
        age_seconds: Some(60.0),
        ..Options::default()
    };
    insta::assert_snapshot!("frame-narrow-ascii-stale", watch::frame(&running, &narrow));
    let mut over = progress(Phase::Complete, ORDINARY);
    over.summary = Some(clean().0.summary);
    over.exit_code = Some(-15);
    insta::assert_snapshot!(
        "frame-complete",
        watch::frame(
            &over,
            &Options {
                max_incidents: 0,
                ..wide.clone()
            }
        )
    );
    insta::assert_snapshot!("plain-complete", watch::plain(&over, &wide));
}

#[test]
fn no_line_is_wider_than_its_terminal_and_nothing_moves_the_cursor() {
    for texts in [
        ORDINARY,
        HOSTILE,
        &["漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字"],
    ] {
        for width in [40, 57, 80, 200] {
            for (colour, ascii) in [(false, false), (true, false), (false, true)] {
                let options = Options {
                    width,
                    colour,
                    ascii,
                    max_incidents: 20,
                    ..Options::default()
                };
                let text = watch::frame(&progress(Phase::Running, texts), &options);
                for line in text.lines() {
                    let mut plain = line.to_owned();
                    for code in ["1", "2", "0", "31", "32", "33", "35"] {
                        plain = plain.replace(&format!("\u{1b}[{code}m"), "");
                    }
                    assert!(!plain.chars().any(char::is_control), "{plain:?}");
                    let columns: usize = plain
                        .chars()
                        .map(|c| {
                            if ('\u{2e80}'..'\u{a4d0}').contains(&c) {
                                2
                            } else {
                                1
                            }
                        })
                        .sum();
                    assert!(columns <= width, "{columns} > {width}: {plain}");
                    assert!(!ascii || plain.is_ascii(), "{plain}");
                }
                assert_eq!(text.contains('\u{1b}'), colour);
            }
        }
        let line = watch::plain(&progress(Phase::Running, texts), &Options::default());
        assert!(
            !line.chars().any(|c| c.is_control() && c != '\n'),
            "{line:?}"
        );
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[test]
fn only_complete_ends_a_watch() {
    for (phase, word, verdict) in [
        (Phase::Startup, "starting", None),
        (Phase::Running, "fail", None),
        (Phase::Running, "warn", None),
        (Phase::Running, "pass", None),
        (Phase::Complete, "pass", Some(Status::Pass)),
        (Phase::Complete, "warn", Some(Status::Warn)),
        (Phase::Complete, "fail", Some(Status::Fail)),
        (Phase::Complete, "invalid", Some(Status::Invalid)),
        (Phase::Complete, "splendid", Some(Status::Invalid)),
        (Phase::Complete, "running", Some(Status::Invalid)),
    ] {
        let mut progress = progress(phase, ORDINARY);
        progress.status = word.to_owned();
        assert_eq!(watch::verdict(&progress), verdict, "{word}");
    }
}

#[test]
fn what_does_not_change_is_not_said_again_and_incidents_are_told_once() {
    let options = Options::default();
    let mut now = progress(Phase::Running, ORDINARY);
    let mut watcher = Watcher::default();
    let first = watcher.plain(&now, &options).unwrap();
    assert_eq!(first.lines().count(), 1 + 1 + 5, "{first}");
    assert!(first.contains("7 more incidents before these"), "{first}");
    // Written again, nothing new.
    now.sequence += 1;
    now.now = at(26.2);
    assert_eq!(watcher.plain(&now, &options), None);
    now.total_lines += 1;
    let next = watcher.plain(&now, &options).unwrap();
    assert_eq!(
        next.lines().count(),
        1,
        "known incidents are not repeated: {next}"
    );
    let mut new = now.incidents[0].clone();
    new.message = "something new".to_owned();
    now.incidents.push(new);
    let next = watcher.plain(&now, &options).unwrap();
    assert!(
        next.lines().count() == 2 && next.contains("something new"),
        "{next}"
    );

    let mut frames = Watcher::default();
    assert!(frames.frame(&now, &options).is_some());
    assert_eq!(frames.frame(&now, &options), None);
}

#[test]
fn a_feed_that_nobody_writes_is_stale() {
    let mut now = progress(Phase::Running, ORDINARY);
    assert!(!watch::stale(&now, 12.0));
    assert!(watch::stale(&now, 14.0));
    now.interval_seconds = Some(300.0);
    assert!(!watch::stale(&now, 900.0));
    now.interval_seconds = None;
    assert!(!watch::stale(&now, 900.0));
    now.phase = Phase::Complete;
    assert!(!watch::stale(&now, 1e9));
}

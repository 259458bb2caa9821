//! Tests of evidence beside the logs.

use super::*;
use crate::spec::{EvidenceFormat, Threshold};
use crate::testing::{BASE, evidence as declaration};

const MINUTE: i64 = 60_000;

fn t(ms: i64) -> Timestamp {
    Timestamp::from_millis(BASE / 1_000_000 + ms)
}

fn window() -> Window {
    Window {
        from: t(0),
        to: t(120 * MINUTE),
    }
}

fn input(text: &str) -> Input<'_> {
    Input {
        path: "/e",
        source: Some(Box::new(text.as_bytes())),
    }
}

fn entry(minute: i64, more: &str) -> String {
    format!(
        "{{\"entry_id\":\"e{minute}\",\"policy_id\":\"p\",\"recorded_at\":\"{}\"{more}}}",
        t(minute * MINUTE)
    )
}

fn rules() -> DiaryRules {
    DiaryRules {
        window: Some(window()),
        daily_severity: Status::Warn,
        ..DiaryRules::default()
    }
}

fn judge(text: &str) -> (crate::summary::Diary, Vec<Finding>) {
    diary(input(text), &rules()).unwrap()
}

#[test]
fn a_diary_of_three_shapes_is_one_diary() {
    let (a, b) = (entry(5, ",\"notes\":[]"), entry(110, ""));
    let object = judge(&format!(
        "{{\"generated_at\":\"x\",\"entries\":[{a},{b}],\"probe_registry\":{{}}}}"
    ));
    let array = judge(&format!("[{a},{b}]"));
    let lines = judge(&format!("{a}\n{b}\n"));
    assert_eq!((&object, &array), (&array, &lines));
    assert_eq!(
        (object.0.total_entries, object.0.status, object.1.len()),
        (2, Status::Pass, 0)
    );
    assert_eq!(object.0.policy_counts["p"], 2);
    assert_eq!(object.0.last_recorded_at, Some(t(110 * MINUTE)));
}

#[test]
fn what_entries_say() {
    for (more, expected) in [
        (",\"notes\":[\"all well\"]", Status::Pass),
        (",\"notes\":[\"INCIDENT opened\"]", Status::Fail),
        (",\"notes\":\"trading halted\"", Status::Fail),
        (",\"notes\":[\"feed degraded\"]", Status::Warn),
        (",\"notes\":[{\"text\":\"an error\"}]", Status::Fail),
        (",\"metadata\":{\"status\":\"Throttled\"}", Status::Warn),
        (",\"decision\":{\"status\":\"failed\"}", Status::Fail),
        (",\"outcomes\":{\"status\":\"critical\"}", Status::Fail),
        (
            ",\"outcomes\":[{\"status\":\"ok\"},{\"status\":\"skipped\"}]",
            Status::Warn,
        ),
        (
            ",\"outcomes\":{\"status\":\"filled\"},\"decision\":\"Failed\"",
            Status::Fail,
        ),
        (",\"outcomes\":[\"filled\",\"skipped\"]", Status::Warn),
        (
            ",\"outcomes\":\"filled\",\"decision\":\"buy after an error elsewhere\"",
            Status::Pass,
        ),
    ] {
        let (found, bad) = judge(&format!("[{},{}]", entry(0, more), entry(120, "")));
        assert_eq!((found.status, bad.len()), (expected, 0), "{more}");
        assert_eq!(
            found.issue_count,
            u64::from(expected != Status::Pass),
            "{more}"
        );
    }
}

#[test]
fn coverage_of_the_window() {
    for (first, last, expected, count) in [
        (15, 105, Status::Pass, 0),
        (16, 105, Status::Warn, 1),
        (15, 104, Status::Warn, 1),
        (30, 60, Status::Warn, 2),
        (-500, 900, Status::Pass, 0),
    ] {
        let (found, _) = judge(&format!("[{},{}]", entry(first, ""), entry(last, "")));
        assert_eq!(
            (found.status, found.issue_count),
            (expected, count),
            "{first} {last}"
        );
    }
    for empty in ["[]", "{\"entries\":[]}", "", " \n"] {
        assert_eq!(judge(empty).0.status, Status::Fail, "{empty}");
    }
    let mut rules = rules();
    rules.window = None;
    assert_eq!(
        diary(input(&entry(5, "")), &rules).unwrap().0.status,
        Status::Warn
    );
    assert!(
        diary(
            Input {
                path: "/e",
                source: None
            },
            &rules
        )
        .is_none()
    );
}

#[test]
fn a_minimum_for_each_day() {
    let mut rules = rules();
    (rules.min_entries_per_day, rules.daily_severity) = (2, Status::Fail);
    rules.window = Some(Window {
        from: t(0),
        to: t(2 * 24 * 60 * MINUTE),
    });
    let day = 24 * 60;
    let text = [1, 2, day + 1, 2 * day, 2 * day + 1]
        .map(|m| entry(m, ""))
        .join("\n");
    let (found, _) = diary(input(&text), &rules).unwrap();
    assert_eq!((found.status, found.issue_count), (Status::Fail, 1));
    assert!(
        found.issues[0].reason.contains("1 entries on 2026-11-02"),
        "{:?}",
        found.issues
    );
}

#[test]
fn a_diary_that_cannot_be_read_is_a_finding_with_its_place() {
    for text in [
        "{\"entries\": [{\"a\":",
        "nonsense",
        "{\"hello\":1}",
        "[1,2]",
        "{\"entries\": 5}",
    ] {
        let (_, bad) = judge(text);
        assert_eq!(
            (bad[0].severity, bad[0].code.as_str()),
            (Status::Fail, "evidence_unreadable"),
            "{text}"
        );
        assert_eq!(bad[0].metadata["path"], "/e", "{text}");
    }
    let (found, bad) = judge(&format!("{}\n{{torn\n{}\n", entry(1, ""), entry(119, "")));
    assert_eq!(
        (
            found.total_entries,
            bad.len(),
            bad[0].metadata["line"].as_u64()
        ),
        (2, 1, Some(2))
    );
    let (found, _) = judge(&format!("[{{\"entry_id\":\"x\"}},{}]", entry(110, "")));
    assert_eq!(found.status, Status::Fail);
}

/// Makes a diary of any length without holding it.
struct Endless {
    left: u64,
    row: Vec<u8>,
    at: usize,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.row.len() {
            if self.left == 0 {
                return Ok(0);
            }
            (self.left, self.at) = (self.left - 1, 0);
        }
        let count = into.len().min(self.row.len() - self.at);
        into[..count].copy_from_slice(&self.row[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[test]
fn a_long_diary_is_streamed() {
    let row = format!("{}\n", entry(60, ",\"notes\":[\"warn\"]"));
    let source = Endless {
        left: 200_000,
        at: row.len(),
        row: row.into_bytes(),
    };
    let (found, bad) = diary(
        Input {
            path: "/e",
            source: Some(Box::new(source)),
        },
        &rules(),
    )
    .unwrap();
    assert_eq!((found.total_entries, bad.len()), (200_000, 0));
    assert_eq!((found.issues.len(), found.issue_count), (1000, 200_003));
}

#[test]
fn an_entry_counts_once() {
    let least = |least: u64| DiaryRules {
        min_entries: Some(least),
        ..rules()
    };
    let (a, b) = (entry(5, ""), entry(110, ""));
    let anonymous = b.replace("\"entry_id\":\"e110\",", "");
    for (entries, distinct) in [
        (vec![&a, &b], 2),
        (vec![&a, &b, &b], 2),
        (vec![&a, &anonymous, &anonymous], 2),
        (vec![&a, &a, &b, &b, &anonymous], 3),
    ] {
        let text = entries.iter().map(|e| format!("{e}\n")).collect::<String>();
        let repeated = entries.len() > distinct;
        let (found, _) = diary(input(&text), &least(distinct as u64)).unwrap();
        let told = found
            .issues
            .iter()
            .filter(|i| i.reason.contains("were there before"));
        assert_eq!(told.count(), usize::from(repeated), "{text}");
        let expected = if repeated { Status::Warn } else { Status::Pass };
        assert_eq!(found.status, expected, "{text}");
        let (found, _) = diary(input(&text), &least(distinct as u64 + 1)).unwrap();
        assert_eq!(found.status, Status::Fail, "{text}");
    }
}

fn performance_of(text: &str, floor: Option<f64>) -> (crate::summary::Performance, Vec<Finding>) {
    let rules = PerformanceRules {
        window: Some(window()),
        minimum_sharpe: floor,
        judged_at: None,
    };
    performance(input(text), &rules).unwrap()
}

#[test]
fn performance_wherever_its_fields_are() {
    let (generated, start) = (t(119 * MINUTE), t(0));
    let flat = format!(
        "{{\"generated_at\":\"{generated}\",\"period_start\":\"{start}\",\"trades\":3,\"roi\":0.1,\"win_rate\":0.5,\"sharpe\":1.2}}"
    );
    let nested = format!("{{\"snapshot\":{flat}}}");
    let spread = format!(
        "{{\"generated_at\":\"{generated}\",\"period_start\":\"{start}\",\"aggregates\":{{\"trades\":[1,2,3],\"roi\":0.1,\"win_rate\":0.5}},\"metadata\":{{\"sharpe_ratio\":1.2}}}}"
    );
    let lines = format!("{{\"roi\":9}}\n{flat}\n");
    for text in [flat, nested, spread, lines] {
        let (p, bad) = performance_of(&text, None);
        assert_eq!(
            (p.status, bad.len()),
            (Status::Pass, 0),
            "{text} {:?}",
            p.issues
        );
        assert_eq!(
            (p.total_trades, p.roi, p.win_rate, p.sharpe_ratio),
            (3, Some(0.1), Some(0.5), Some(1.2))
        );
        assert_eq!(p.window_duration_seconds, Some(119.0 * 60.0));
        let facts = p.statistics.unwrap();
        assert!(!facts.decidable && facts.minimum_track_record.unwrap() > facts.n as f64);
    }
}

#[test]
fn performance_that_says_two_things_counts_for_the_less() {
    let of = |more: &str| {
        format!(
            "{{\"generated_at\":\"{}\",\"period_start\":\"{}\",{more}}}",
            t(119 * MINUTE),
            t(0)
        )
    };
    let two = of(
        "\"sharpe_ratio\":3,\"aggregates\":{\"sharpe\":0.5,\"roi\":0.1,\"trades\":7},\"roi\":-0.2,\"trades\":9",
    );
    let (p, _) = performance_of(&two, None);
    assert_eq!(
        (p.sharpe_ratio, p.roi, p.total_trades, p.status),
        (Some(0.5), Some(-0.2), 7, Status::Warn)
    );
    let told = |p: &crate::summary::Performance, code: &str| {
        p.issues.iter().filter(|i| i.code == code).count()
    };
    assert_eq!(told(&p, "performance_contradicts"), 3, "{:?}", p.issues);
    let (p, _) = performance_of(
        &of("\"sharpe\":2,\"metadata\":{\"sharpe_ratio\":2.0}"),
        None,
    );
    assert_eq!((p.status, p.sharpe_ratio), (Status::Pass, Some(2.0)));
    for (rate, expected) in [
        ("0", Status::Pass),
        ("1.0", Status::Pass),
        ("5", Status::Warn),
        ("-0.1", Status::Warn),
    ] {
        let (p, _) = performance_of(&of(&format!("\"win_rate\":{rate}")), None);
        assert_eq!(p.status, expected, "{rate}");
    }
    for (end, expected) in [
        (119, Status::Pass),
        (110, Status::Pass),
        (100, Status::Warn),
        (-1, Status::Warn),
        (121, Status::Warn),
        (9_000_000, Status::Warn),
    ] {
        let end = t(end * MINUTE);
        let (p, _) = performance_of(&of(&format!("\"period_end\":\"{end}\"")), None);
        assert_eq!(p.status, expected, "{end} {:?}", p.issues);
    }
    let (p, _) = performance_of(&of("\"period_end\":\"soon\""), None);
    assert_eq!(p.status, Status::Fail);
}

/// Series that would show a fine ratio to whoever does not look.
#[test]
fn returns_that_show_nothing_decide_nothing() {
    let of = |returns: &[f64], more: &str| {
        let text = format!(
            "{{\"generated_at\":\"{}\",\"period_start\":\"{}\",\"returns\":{}{more}}}",
            t(120 * MINUTE),
            t(0),
            serde_json::to_string(returns).unwrap()
        );
        performance_of(&text, Some(1.0)).0
    };
    let n = 7200;
    let steady: Vec<f64> = (0..n)
        .map(|i| 0.001 * (1.0 + (f64::from(i) / 500.0).sin()))
        .collect();
    let mut constant = vec![0.001; 7200];
    constant[17] = 0.001_000_000_1;
    let mut random = fastrand::Rng::with_seed(7);
    let honest: Vec<f64> = (0..n)
        .map(|_| 0.001 + 0.02 * (random.f64() - 0.5))
        .collect();
    for (returns, decidable) in [(&steady, false), (&constant, false), (&honest, true)] {
        let facts = of(returns, "").statistics.unwrap();
        assert_eq!(facts.decidable, decidable, "{facts:?}");
        assert_eq!(facts.reason.is_some(), !decidable, "{facts:?}");
        assert!(facts.probabilistic.is_finite());
    }
    let negated: Vec<f64> = honest.iter().map(|r| -r).collect();
    let two = format!(
        ",\"aggregates\":{{\"returns\":{}}}",
        serde_json::to_string(&negated).unwrap()
    );
    let p = of(&honest, &two);
    assert_eq!((p.status, p.statistics), (Status::Fail, None));
    let same = two.replace(
        &serde_json::to_string(&negated).unwrap(),
        &serde_json::to_string(&honest).unwrap(),
    );
    assert_eq!(of(&honest, &same).status, Status::Pass);
    for trials in ["-5", "0", "1.5", "\"many\""] {
        let p = of(&honest, &format!(",\"trials\":{trials}"));
        assert_eq!(p.status, Status::Fail, "{trials}");
    }
}

#[test]
fn performance_that_does_not_cover_or_loses_or_cannot_be_read() {
    let of = |generated: i64, start: i64, more: &str| {
        format!(
            "{{\"generated_at\":\"{}\",\"period_start\":{},\"trades\":1{more}}}",
            t(generated * MINUTE),
            t(start * MINUTE).as_millis()
        )
    };
    for (text, expected) in [
        (of(119, 0, ""), Status::Pass),
        (of(119, 0, ",\"roi\":-0.01"), Status::Warn),
        (of(104, 0, ""), Status::Warn),
        (of(119, 16, ""), Status::Warn),
        (of(119, 0, ",\"roi\":\"lots\""), Status::Fail),
        (of(119, 0, ",\"trades\":\"many\""), Status::Fail),
        (
            "{\"generated_at\":\"2026-11-01T00:00:00Z\"}".to_owned(),
            Status::Fail,
        ),
        ("{\"roi\": NaN}".to_owned(), Status::Fail),
        ("[]".to_owned(), Status::Fail),
        (String::new(), Status::Fail),
        ("[[[".to_owned(), Status::Fail),
    ] {
        let (p, _) = performance_of(&text, None);
        assert_eq!(p.status, expected, "{text}: {:?}", p.issues);
    }
}

#[test]
fn returns_are_computed_and_claims_compared() {
    let returns: Vec<String> = (0..4320)
        .map(|i| format!("{:.6}", 0.0001 + 0.01 * f64::from(i * i).sin()))
        .collect();
    let text = format!(
        "{{\"generated_at\":\"{}\",\"period_start\":\"{}\",\"sharpe_ratio\":50,\"returns\":[{}],\"period_seconds\":60,\"trials\":10}}",
        t(119 * MINUTE),
        t(0),
        returns.join(","),
    );
    let (p, _) = performance_of(&text, Some(1.0));
    let facts = p.statistics.unwrap();
    assert_eq!((facts.n, facts.trials, facts.decidable), (4320, 10, false));
    assert!(facts.probabilistic < 0.9, "{facts:?}");
    assert_eq!(p.issues[0].code, "sharpe_claim_differs");
}

#[test]
fn declared_evidence() {
    let mut spec = declaration("health", EvidenceFormat::Json);
    let threshold = |pointer: &str| Threshold {
        pointer: pointer.to_owned(),
        min: None,
        max: None,
        equals: None,
        severity: Status::Fail,
    };
    spec.thresholds = vec![
        Threshold {
            min: Some(1.0),
            ..threshold("/a/0/x")
        },
        Threshold {
            max: Some(5.0),
            severity: Status::Warn,
            ..threshold("/n")
        },
        Threshold {
            equals: Some(3.into()),
            ..threshold("/e")
        },
    ];
    let of = |spec: &crate::spec::EvidenceSpec, text: &str| {
        let evidence = declared(
            input(text),
            spec,
            Some(window()),
            Some(t(121 * MINUTE)),
            None,
        );
        let codes: Vec<String> = evidence.findings.iter().map(|f| f.code.clone()).collect();
        (evidence.status, codes.join(" "))
    };
    for (text, status, codes) in [
        ("{\"a\":[{\"x\":1}],\"n\":5,\"e\":3.0}", Status::Pass, ""),
        (
            "{\"a\":[{\"x\":0.9}],\"n\":5,\"e\":3}",
            Status::Fail,
            "threshold_below",
        ),
        (
            "{\"a\":[{\"x\":2}],\"n\":6,\"e\":3}",
            Status::Warn,
            "threshold_above",
        ),
        (
            "{\"a\":[{\"x\":2}],\"n\":6,\"e\":\"3\"}",
            Status::Fail,
            "threshold_above threshold_differs",
        ),
        (
            "{\"a\":[{\"x\":\"2\"}],\"e\":3}",
            Status::Fail,
            "threshold_not_a_number threshold_missing",
        ),
        (
            "{",
            Status::Fail,
            "evidence_unreadable threshold_missing threshold_missing threshold_missing",
        ),
        ("", Status::Fail, "evidence_empty"),
    ] {
        assert_eq!(of(&spec, text), (status, codes.to_owned()), "{text}");
    }
    let mut lines = declaration("beats", EvidenceFormat::Jsonl);
    (
        lines.min_entries,
        lines.stale_warn_seconds,
        lines.stale_fail_seconds,
    ) = (Some(2), Some(60.0), Some(600.0));
    lines.thresholds = vec![Threshold {
        min: Some(2.0),
        ..threshold("/v")
    }];
    let beat = |minute: i64, v: i64| format!("{{\"ts\":\"{}\",\"v\":{v}}}\n", t(minute * MINUTE));
    assert_eq!(
        of(&lines, &(beat(120, 2) + &beat(1, 0))),
        (Status::Pass, String::new())
    );
    assert_eq!(
        of(&lines, &(beat(1, 2) + &beat(118, 2))).1,
        "evidence_stale"
    );
    assert_eq!(
        of(&lines, &(beat(1, 2) + &beat(100, 1))),
        (Status::Fail, "threshold_below evidence_stale".to_owned())
    );
    assert_eq!(of(&lines, &beat(120, 2)).1, "too_few_entries");
    assert_eq!(of(&lines, &(beat(1, 2) + &beat(500, 2))).1, "future_dated");
    assert_eq!(of(&lines, "{\"v\":2}\n{\"v\":3}\n").1, "evidence_no_time");
    let text = declaration("notes", EvidenceFormat::Text);
    assert_eq!(of(&text, "a\nb"), (Status::Pass, String::new()));
    let gone = declared(
        Input {
            path: "/e",
            source: None,
        },
        &text,
        None,
        None,
        None,
    );
    assert_eq!(
        (gone.status, gone.findings[0].code.as_str()),
        (Status::Fail, "evidence_missing")
    );
}

/// A run of 72 hours, and performance evidence about it.
fn long_run(from: i64, to: i64, more: &str) -> crate::summary::SharpeFacts {
    let hour = 3_600_000;
    let rules = PerformanceRules {
        window: Some(Window {
            from: t(0),
            to: t(72 * hour),
        }),
        minimum_sharpe: Some(1.0),
        judged_at: None,
    };
    let text = format!(
        "{{\"generated_at\":\"{}\",\"period_start\":\"{}\"{more}}}",
        t(to * hour),
        t(from * hour)
    );
    let (found, bad) = performance(input(&text), &rules).unwrap();
    assert_eq!(bad, vec![]);
    found.statistics.unwrap()
}

#[test]
fn a_claimed_ratio_counts_only_for_what_lies_inside_the_run() {
    let claim = ",\"sharpe_ratio\":40";
    let whole = long_run(0, 72, claim);
    assert_eq!((whole.n, whole.decidable), (4320, true), "{whole:?}");
    assert_eq!(whole.window_seconds, Some(72.0 * 3600.0));
    // Ten years before the run are no part of it, and one figure for both says nothing about either.
    for (from, to, inside) in [(-87_600, 72, 72), (0, 87_600, 72), (-100, 36, 36)] {
        let facts = long_run(from, to, ",\"sharpe_ratio\":40");
        assert!(!facts.decidable, "{from} {to}: {facts:?}");
        assert_eq!(facts.window_seconds, Some(f64::from(inside) * 3600.0));
        assert_eq!(facts.n, inside as u64 * 60);
        assert!(facts.reason.unwrap().contains("lie inside the run"));
    }
    for (from, to) in [(-9, 0), (-9, -8), (80, 90)] {
        let facts = long_run(from, to, ",\"sharpe_ratio\":1e9");
        assert!(!facts.decidable && facts.n == 0, "{facts:?}");
        assert!(facts.reason.unwrap().contains("outside of the run"));
    }
    let turned = long_run(9, 3, ",\"sharpe_ratio\":1e9");
    assert!(turned.reason.unwrap().contains("is empty"));
    // Without a run there is nothing to be about.
    let rules = PerformanceRules {
        window: None,
        minimum_sharpe: Some(1.0),
        judged_at: None,
    };
    let text = format!(
        "{{\"generated_at\":\"{}\",\"period_start\":\"{}\",\"sharpe\":99}}",
        t(9_000_000_000),
        t(0)
    );
    let (found, _) = performance(input(&text), &rules).unwrap();
    let facts = found.statistics.unwrap();
    assert!(!facts.decidable && facts.reason.is_some(), "{facts:?}");
}

#[test]
fn returns_count_only_where_they_lie_inside_the_run() {
    let returns = |n: i32, mean: f64| {
        let list: Vec<String> = (0..n)
            .map(|i| format!("{:.6}", mean + 0.01 * f64::from(i * i % 1009).sin()))
            .collect();
        format!(",\"returns\":[{}]", list.join(","))
    };
    let inside = long_run(0, 72, &returns(4320, 0.002));
    assert_eq!(
        (inside.n, inside.decidable, inside.reason),
        (4320, true, None)
    );
    // Three months of hours, of which the last 72 are the run's.
    let facts = long_run(-2088, 72, &returns(2160, 0.002));
    assert_eq!((facts.n, facts.period_seconds), (72, 3600.0));
    assert_eq!(facts.window_seconds, Some(72.0 * 3600.0));
    let ahead = long_run(0, 144, &returns(144, 0.002));
    assert_eq!(ahead.n, 72);
    for (more, word) in [
        // Ten years of minutes in three days.
        (",\"period_seconds\":86400", "its period has"),
        (
            ",\"periods_per_year\":52560000",
            "is the most that there can be",
        ),
    ] {
        let facts = long_run(0, 72, &(returns(4320, 0.002) + more));
        assert!(!facts.decidable, "{more}: {facts:?}");
        assert!(facts.reason.unwrap().contains(word), "{more}");
    }
    // Pauses, and much of the period outside: nobody knows which are the run's.
    let facts = long_run(-72, 72, &(returns(2000, 0.002) + ",\"period_seconds\":60"));
    assert!(facts.reason.unwrap().contains("is not known"));
    let fine = long_run(0, 72, &(returns(2000, 0.002) + ",\"period_seconds\":60"));
    assert_eq!((fine.n, fine.reason), (2000, None));
}

#[test]
fn a_key_that_is_there_twice_is_told_in_every_kind_of_evidence() {
    let twice = "\"decision\":{\"status\":\"failed\",\"status\":\"ok\"}";
    let line = entry(60, &format!(",{twice}"));
    let fine = entry(61, "");
    for text in [
        format!("{{\"entries\":[{line}]}}"),
        format!("[{line}]"),
        format!("{line}\n{fine}\n"),
        format!("{fine}\n{line}\n"),
        format!("{{\"entries\":[{fine}],\"probe\":{{\"status\":1,\"status\":2}}}}"),
        format!("{{\"a\":1,\"entries\":[{fine}],\"a\":2}}"),
        format!("{{\"entries\":7,\"entries\":[{fine}]}}"),
        format!("{{\"entries\":[{fine}],\"entries\":7}}"),
    ] {
        let (_, bad) = diary(input(&text), &rules()).unwrap();
        let said = bad.iter().any(|f| {
            f.message.contains("duplicate key")
                && f.message.contains("/e")
                && f.severity == Status::Fail
        });
        assert!(said, "{text}: {bad:?}");
    }
    let (generated, start) = (t(119 * MINUTE), t(0));
    let flat = format!(
        "{{\"generated_at\":\"{generated}\",\n\"period_start\":\"{start}\",\"roi\":-1,\n\"roi\":1}}"
    );
    for text in [
        flat.clone(),
        format!("{{\"snapshot\":{flat}}}"),
        format!("[{flat}]"),
        format!("{flat}\n{{\"generated_at\":\"{generated}\",\"period_start\":\"{start}\"}}"),
    ] {
        let (p, bad) = performance_of(&text, None);
        assert_eq!(p.status, Status::Fail, "{text}");
        assert!(bad[0].message.contains("line 3"), "{bad:?}");
        assert!(bad[0].message.contains("duplicate key `roi`"), "{bad:?}");
    }
    for format in [EvidenceFormat::Json, EvidenceFormat::Jsonl] {
        let spec = declaration("heap", format);
        let text = "{\"x\":[{\"v\":900,\"v\":1}]}\n";
        let found = declared(input(text), &spec, None, None, None);
        assert_eq!(found.status, Status::Fail, "{format:?}");
        assert!(found.findings[0].message.contains("duplicate key `v`"));
    }
}

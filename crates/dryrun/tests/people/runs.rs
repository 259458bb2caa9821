//! Reports of four runs, made by hand: nothing at all, all well, three days with much that went wrong, and a child that attacks its readers.

use gonogo_core::Timestamp;
use gonogo_dryrun::progress::Point;
use gonogo_dryrun::sign_off::{Criteria, Finding, SignOff};
use gonogo_dryrun::spec::Allow;
use gonogo_dryrun::summary::{
    Blind, Diary, DiaryIssue, Evidence, Heartbeat, LogIncident, Logs, Performance, RatePoint,
    Report, Resources, RunFacts, SharpeFacts, Skew, Summary,
};
use gonogo_dryrun::{Incident, IncidentKind, Status};
use serde_json::json;

/// 2026-03-02T06:00:00Z.
pub(crate) const START: i64 = 1_772_431_200_000;
pub(crate) const HOUR: i64 = 3_600_000;

/// Text that tries every way out of a report.
pub(crate) const HOSTILE: &[&str] = &[
    "\n\n# All clear\n\nStatus: PASS",
    "| forged | row |\n|---|---|\n| a | b |",
    "</bdi></li></ul><script>document.title='owned'</script><img src=x onerror=alert(1)>",
    "[approve here](https://evil.example/approve) ![x](https://evil.example/x.png) <https://evil.example>",
    "\u{1b}[2J\u{1b}[1;1H\u{1b}]0;owned\u{7}\u{9b}31m all green",
    "invoice\u{202e}gpj.exe \u{2066}isolate\u{200b}d",
    "`` ` ``` ```` \\` \\",
    "a\\|b | c \\",
    "@everyone please merge #1, www.evil.example, root@evil.example",
    "שלום עולם 100% مرحبا",
    "&lt;b&gt; &#x3c;i&#x3e; \u{0}\u{7f}\u{85}\u{2028}\u{2029}",
    "\" onmouseover=\"alert(1)\" x='",
    "]]><!-- --> {{7*7}} ${7*7} <!--",
];

pub(crate) fn at(hours: f64) -> Timestamp {
    Timestamp::from_millis(START + (hours * HOUR as f64) as i64)
}

fn criteria() -> Criteria {
    Criteria {
        minimum_duration_seconds: Some(259_200.0),
        duration_tolerance_seconds: 0.0,
        minimum_uptime_ratio: Some(0.98),
        require_diary: true,
        require_performance: true,
        allow_warnings: false,
        minimum_sharpe_ratio: None,
    }
}

/// Nothing was read.
pub(crate) fn empty() -> Report {
    serde_json::from_value(json!({
        "status": "invalid",
        "summary": {"generated_at": at(0.0), "status": "invalid"}
    }))
    .unwrap()
}

fn rate(hours: i64, dark: impl Fn(i64) -> bool, errors: impl Fn(i64) -> u64) -> Vec<RatePoint> {
    (0..hours * 60)
        .filter(|minute| !dark(*minute))
        .map(|minute| {
            // A day's rhythm without a sine: a triangle of 24 hours.
            let phase = (minute % 1_440 - 720).unsigned_abs();
            RatePoint {
                at: START + minute * 60_000,
                seconds: 60.0,
                lines: 600 + phase * 2 + (minute as u64 * 7_919) % 97,
                warnings: u64::from(minute % 211 == 0),
                errors: errors(minute),
            }
        })
        .collect()
}

fn history(hours: i64, slope: f64) -> Vec<Point> {
    (0..hours * 10)
        .map(|i| Point {
            at: START + i * HOUR / 10,
            seconds: 360.0,
            memory_mb: 180.0 + slope * i as f64 / 10.0 + (i * 7_919 % 13) as f64,
            cpu_percent: 22.0 + (i * 104_729 % 31) as f64 + if i % 97 == 0 { 55.0 } else { 0.0 },
            ..Point::default()
        })
        .collect()
}

/// Seventy-two hours, all well; two kinds of warnings that rules accept.
pub(crate) fn clean() -> (Report, Vec<Allow>) {
    let rate = rate(72, |_| false, |_| 0);
    let lines: u64 = rate.iter().map(|point| point.lines).sum();
    let accepted = LogIncident {
        severity: Status::Warn,
        occurred_at: at(3.5),
        summary: "price feed reconnects".to_owned(),
        count: 21,
        last_at: Some(at(70.0)),
        accepted: Some("feed-reconnect".to_owned()),
        metadata: [
            ("stream".to_owned(), json!("stdout")),
            ("line".to_owned(), json!(41_212)),
        ]
        .into(),
    };
    let report = Report {
        schema: gonogo_dryrun::summary::SCHEMA.to_owned(),
        status: Status::Pass,
        summary: Summary {
            generated_at: at(72.1),
            status: Status::Pass,
            metadata: RunFacts {
                log_paths: vec![
                    "/srv/runs/20260302/logs/final_dry_run_20260302T060000Z.jsonl".to_owned(),
                ],
                diary_path: Some("/srv/runs/20260302/decision_diary.jsonl".to_owned()),
                performance_path: Some("/srv/runs/20260302/performance_metrics.json".to_owned()),
                command: ["python3", "main.py", "--paper"].map(str::to_owned).into(),
                run_id: Some("01JNB3V0Q8".to_owned()),
                started_at: Some(at(0.0)),
                ended_at: Some(at(72.0)),
                exit_code: Some(0),
                target_duration_seconds: Some(259_200.0),
                actual_duration_seconds: Some(259_203.4),
                timed_out: Some(true),
                resource_monitor: Some(Resources {
                    enabled: true,
                    interval_seconds: 60.0,
                    violation_severity: Some(Status::Fail),
                    thresholds: [("max_memory_mb".to_owned(), 512.0)].into(),
                    samples: 4_320,
                    peak_cpu_percent: Some(107.0),
                    peak_memory_mb: Some(199.2),
                    memory_slope_mb_per_hour: Some(0.1),
                    history: history(72, 0.1),
                    ..Resources::default()
                }),
                classifier: Some("gonogo.classify.v3".to_owned()),
                ..RunFacts::default()
            },
            logs: Some(Logs {
                total_lines: lines,
                total_bytes: lines * 238,
                level_counts: [
                    ("info".to_owned(), lines - 21 - 90_000),
                    ("debug".to_owned(), 90_000),
                    ("warning".to_owned(), 21),
                ]
                .into(),
                warnings: vec![accepted],
                status: Status::Pass,
                started_at: Some(at(0.0)),
                ended_at: Some(at(72.0)),
                duration_seconds: Some(259_200.0),
                uptime_ratio: Some(1.0),
                heartbeat: Some(Heartbeat {
                    period_seconds: 60.0,
                    tolerance: 3.0,
                    pessimistic: 0.9997,
                    optimistic: 1.0,
                    outages: 0,
                    ..Heartbeat::default()
                }),
                rate,
                ..Logs::default()
            }),
            diary: Some(Diary {
                total_entries: 412,
                ..Diary::default()
            }),
            performance: Some(Performance {
                total_trades: 96,
                roi: Some(0.031),
                win_rate: Some(0.58),
                sharpe_ratio: Some(1.4),
                ..Performance::default()
            }),
            evidence: Vec::new(),
            unreadable: Vec::new(),
        },
        sign_off: Some(SignOff {
            evaluated_at: at(72.1),
            status: Status::Pass,
            criteria: criteria(),
            findings: Vec::new(),
        }),
        ..empty()
    };
    let rules = vec![Allow {
        name: "feed-reconnect".to_owned(),
        pattern: "price feed reconnects".to_owned(),
        owner: "market-data@example.org".to_owned(),
        expires: at(24.0 * 60.0),
        reason: "the vendor cuts sessions at midnight".to_owned(),
    }];
    (report, rules)
}

/// Three days in which much went wrong; `texts` are what the child printed.
pub(crate) fn troubled(texts: &[&str]) -> Report {
    let (mut report, _) = clean();
    let text = |i: usize| texts[i % texts.len()].to_owned();
    report.status = Status::Fail;
    report.summary.status = Status::Fail;
    let facts = &mut report.summary.metadata;
    facts.actual_duration_seconds = Some(252_000.0);
    facts.ended_at = Some(at(70.0));
    facts.exit_code = Some(-11);
    facts.timed_out = Some(false);
    if let Some(monitor) = &mut facts.resource_monitor {
        monitor.history = history(70, 5.2);
        monitor.peak_memory_mb = Some(556.0);
        monitor.memory_slope_mb_per_hour = Some(5.2);
    }
    let logs = report.summary.logs.as_mut().unwrap();
    logs.rate = rate(
        70,
        |minute| (1_300..1_700).contains(&minute) || (2_900..2_980).contains(&minute),
        |minute| u64::from(minute % 307 == 5) * 3 + u64::from(minute == 4_190) * 40,
    );
    logs.status = Status::Fail;
    logs.duration_seconds = Some(252_000.0);
    logs.uptime_ratio = Some(0.902);
    logs.ignored_lines = 12;
    logs.level_counts.extend([
        ("error".to_owned(), 81),
        ("50".to_owned(), 3),
        (text(2), 7),
        ("critical".to_owned(), 1),
    ]);
    logs.heartbeat = Some(Heartbeat {
        period_seconds: 60.0,
        tolerance: 3.0,
        pessimistic: 0.8791,
        optimistic: 0.8817,
        outages: 2,
        longest_outage_seconds: 24_000.0,
        mtbf_seconds: Some(110_000.0),
        mttr_seconds: Some(14_400.0),
        unknown_seconds: 600.0,
    });
    let gap = |from: f64, to: f64, severity| LogIncident {
        severity,
        occurred_at: at(from),
        summary: format!("no line for {} minutes", ((to - from) * 60.0).round()),
        count: 1,
        last_at: Some(at(to)),
        accepted: None,
        metadata: [("gap_seconds".to_owned(), json!((to - from) * 3_600.0))].into(),
    };
    logs.gap_incidents = vec![
        gap(21.6666, 28.3333, Status::Fail),
        gap(48.3333, 49.6666, Status::Warn),
    ];
    logs.blind = vec![
        Blind {
            from: at(33.0),
            to: at(33.2),
            reason: "pump_down".to_owned(),
            explained: None,
        },
        Blind {
            from: at(60.0),
            to: at(61.5),
            reason: "suspend".to_owned(),
            explained: Some("planned move of the host".to_owned()),
        },
    ];
    logs.skew = Some(Skew {
        records: 4_000,
        min_seconds: -0.2,
        max_seconds: 3_600.1,
        unreadable: 4,
        backwards: 2,
    });
    let found = |i: usize, severity, hours: f64| LogIncident {
        severity,
        occurred_at: at(hours),
        summary: text(i),
        count: (i as u64 * 37) % 900 + 1,
        last_at: Some(at(hours + (i % 7) as f64)),
        accepted: None,
        metadata: [
            ("stream".to_owned(), json!("stderr")),
            ("line".to_owned(), json!(1_000 + i * 911)),
            ("key".to_owned(), json!(format!("key-{i}"))),
        ]
        .into(),
    };
    logs.content_incidents = vec![LogIncident {
        summary: "ValueError: could not convert string to float: '12,5%' (python, 14 frames)"
            .to_owned(),
        ..found(3, Status::Fail, 69.8)
    }];
    logs.errors = (0..24)
        .map(|i| LogIncident {
            summary: format!("{} #{i}", text(i)),
            ..found(i, Status::Fail, 2.0 + i as f64 * 2.7)
        })
        .collect();
    let kinds = [
        (IncidentKind::LogLevel, Status::Fail),
        (IncidentKind::StackTrace, Status::Fail),
        (IncidentKind::Evidence, Status::Warn),
        (IncidentKind::Resource, Status::Fail),
        (IncidentKind::PumpRestart, Status::Warn),
        (IncidentKind::Disk, Status::Warn),
        (IncidentKind::Clock, Status::Warn),
        (IncidentKind::LongLine, Status::Warn),
    ];
    report.incidents = (0..260_usize)
        .map(|i| {
            let (kind, severity) = kinds[i % kinds.len()];
            Incident {
                severity,
                occurred_at: at((i as f64 * 1.37) % 69.0),
                message: text(i),
                kind,
                count: 1 + (i as u64 * 31) % 400,
                last_at: Some(at((i as f64 * 1.37) % 69.0 + (i % 5) as f64 * 0.4)),
                open: i % 50 == 0,
                accepted: (i % 9 == 0 && severity == Status::Warn)
                    .then(|| "known-noise".to_owned()),
                metadata: [
                    ("stream".to_owned(), json!("stderr")),
                    ("line".to_owned(), json!(i)),
                ]
                .into(),
            }
        })
        .chain([Incident {
            severity: Status::Fail,
            occurred_at: at(70.0),
            message: "ended by signal 11 (SIGSEGV), 2 hours before its required time".to_owned(),
            kind: IncidentKind::Exit,
            count: 1,
            last_at: None,
            open: false,
            accepted: None,
            metadata: Default::default(),
        }])
        .collect();
    report.summary.diary = Some(Diary {
        total_entries: 12,
        issues: vec![DiaryIssue {
            entry_id: Some(text(5)),
            policy_id: None,
            recorded_at: Some(at(40.0)),
            severity: Status::Warn,
            reason: text(8),
            metadata: Default::default(),
        }],
        issue_count: 1,
        status: Status::Warn,
        ..Diary::default()
    });
    let performance = report.summary.performance.as_mut().unwrap();
    performance.status = Status::Warn;
    performance.statistics = Some(SharpeFacts {
        n: 72,
        decidable: false,
        minimum_track_record: Some(23_652.0),
        ..SharpeFacts::default()
    });
    report.summary.evidence = vec![Evidence {
        name: "risk limits".to_owned(),
        path: text(3),
        format: "jsonl".to_owned(),
        status: Status::Fail,
        findings: vec![Finding {
            severity: Status::Fail,
            message: "/drawdown is 0.14, at most 0.1 is allowed".to_owned(),
            code: "threshold_broken".to_owned(),
            accepted: None,
            metadata: Default::default(),
        }],
        values: Default::default(),
        newest_at: None,
        entries: 72,
        bytes: 18_200,
    }];
    report.summary.unreadable = vec![Finding {
        severity: Status::Fail,
        message: format!("performance_metrics.json cannot be read: {}", text(0)),
        code: "evidence_unreadable".to_owned(),
        accepted: None,
        metadata: [("path".to_owned(), json!(text(11)))].into(),
    }];
    let finding = |code: &str, message: &str| Finding {
        severity: Status::Fail,
        message: message.to_owned(),
        code: code.to_owned(),
        accepted: None,
        metadata: Default::default(),
    };
    report.sign_off = Some(SignOff {
        evaluated_at: at(72.1),
        status: Status::Fail,
        criteria: criteria(),
        findings: vec![
            finding(
                "duration_below_minimum",
                "the run lasted 70 h, 72 h are required",
            ),
            finding(
                "uptime_below_minimum",
                "uptime is 87.91 % at worst, 98 % is required",
            ),
        ],
    });
    report.summary.metadata.user = [("ticket".to_owned(), json!(text(3)))].into();
    report
}

/// What an ordinary troubled program prints.
pub(crate) const ORDINARY: &[&str] = &[
    "order gateway refused order 8812: insufficient margin",
    "ConnectionResetError: [Errno 104] Connection reset by peer (python, 9 frames)",
    "telemetry",
    "/srv/runs/20260302/risk_limits.jsonl",
    "pump was started again after signal 9",
    "rebalance-00412",
    "clock stepped by 1.2 s",
    "retry budget exhausted for venue XLON",
    "regime engine degraded: fallback weights in use",
];

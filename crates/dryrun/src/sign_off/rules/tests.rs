//! Tests of the rules of a sign-off.

use super::*;
use crate::summary::{Diary, Heartbeat, Performance, RunFacts, SharpeFacts};
use crate::testing::spec;

fn well() -> Summary {
    Summary {
        generated_at: Timestamp::from_millis(0),
        status: Status::Pass,
        metadata: RunFacts::default(),
        logs: Some(Logs {
            total_lines: 9,
            duration_seconds: Some(3600.0),
            uptime_ratio: Some(0.99),
            ..Logs::default()
        }),
        diary: Some(Diary {
            total_entries: 2,
            ..Diary::default()
        }),
        performance: Some(Performance {
            sharpe_ratio: Some(1.5),
            ..Performance::default()
        }),
        evidence: Vec::new(),
        unreadable: Vec::new(),
    }
}

fn judge(change: impl Fn(&mut Summary, &mut Criteria)) -> (Status, String) {
    let (mut summary, mut criteria) = (well(), spec().criteria);
    (criteria.require_diary, criteria.require_performance) = (true, true);
    change(&mut summary, &mut criteria);
    let done = assess(Assessed {
        summary: &summary,
        incidents: &[],
        criteria: &criteria,
        clock_scale: 1.0,
        evaluated_at: Timestamp::from_millis(5),
    });
    let codes: Vec<&str> = done.findings.iter().map(|f| f.code.as_str()).collect();
    (done.status, codes.join(" "))
}

fn logs(summary: &mut Summary) -> &mut Logs {
    summary.logs.as_mut().unwrap()
}

#[test]
fn every_rule() {
    use Status::{Fail, Invalid, Pass, Warn};
    type Change = fn(&mut Summary, &mut Criteria);
    let table: Vec<(Change, Status, &str)> = vec![
        (|_, _| {}, Pass, ""),
        (|s, _| s.logs = None, Fail, "logs_missing"),
        (|s, _| logs(s).status = Fail, Fail, "logs_not_clean"),
        (|s, _| logs(s).status = Warn, Fail, "logs_not_clean"),
        (|s, _| logs(s).status = Invalid, Invalid, "logs_not_clean"),
        (
            |s, c| (logs(s).status, c.allow_warnings) = (Warn, true),
            Pass,
            "logs_not_clean",
        ),
        (
            |s, c| (logs(s).status, c.allow_warnings) = (Fail, true),
            Fail,
            "logs_not_clean",
        ),
        (|s, _| logs(s).total_lines = 0, Fail, "logs_empty"),
        (
            |s, _| logs(s).duration_seconds = None,
            Fail,
            "duration_unknown",
        ),
        (
            |s, _| logs(s).duration_seconds = Some(3598.9),
            Fail,
            "duration_below_minimum",
        ),
        (|s, _| logs(s).duration_seconds = Some(3599.0), Pass, ""),
        (
            |s, _| logs(s).duration_seconds = Some(f64::NAN),
            Fail,
            "duration_below_minimum",
        ),
        (|s, _| logs(s).uptime_ratio = None, Fail, "uptime_unknown"),
        (
            |s, _| logs(s).uptime_ratio = Some(0.9799),
            Fail,
            "uptime_below_minimum",
        ),
        (|s, _| logs(s).uptime_ratio = Some(0.98), Pass, ""),
        (
            |s, _| logs(s).unknown_seconds = 360.0,
            Fail,
            "uptime_below_minimum",
        ),
        (
            |s, _| {
                logs(s).heartbeat = Some(Heartbeat {
                    pessimistic: 0.5,
                    optimistic: 1.0,
                    ..Heartbeat::default()
                })
            },
            Fail,
            "uptime_below_minimum",
        ),
        (
            |s, c| (logs(s).uptime_ratio, c.minimum_uptime_ratio) = (None, None),
            Pass,
            "",
        ),
        (|s, _| s.diary = None, Fail, "diary_missing"),
        (|s, c| (s.diary, c.require_diary) = (None, false), Pass, ""),
        (
            |s, c| (s.diary.as_mut().unwrap().status, c.require_diary) = (Fail, false),
            Fail,
            "diary_not_clean",
        ),
        (|s, _| s.performance = None, Fail, "performance_missing"),
        (
            |s, c| (s.performance, c.require_performance) = (None, false),
            Pass,
            "",
        ),
        (
            |s, c| {
                (s.performance, c.require_performance, c.minimum_sharpe_ratio) =
                    (None, false, Some(0.1))
            },
            Fail,
            "performance_missing sharpe_unavailable",
        ),
        (
            |s, c| {
                (
                    s.performance.as_mut().unwrap().sharpe_ratio,
                    c.minimum_sharpe_ratio,
                ) = (None, Some(0.1))
            },
            Fail,
            "sharpe_unavailable",
        ),
        (
            |_, c| c.minimum_sharpe_ratio = Some(1.6),
            Fail,
            "sharpe_below_minimum",
        ),
        (
            |_, c| c.minimum_sharpe_ratio = Some(1.0),
            Fail,
            "sharpe_undecidable",
        ),
        (
            |_, c| (c.minimum_sharpe_ratio, c.allow_warnings) = (Some(1.0), true),
            Fail,
            "sharpe_undecidable",
        ),
        (
            |_, c| c.minimum_sharpe_ratio = Some(f64::NAN),
            Fail,
            "sharpe_below_minimum",
        ),
        (
            |s, c| {
                let facts = SharpeFacts {
                    sharpe_per_period: 0.1,
                    sharpe_annualised: 1.5,
                    decidable: true,
                    ..SharpeFacts::default()
                };
                (
                    s.performance.as_mut().unwrap().statistics,
                    c.minimum_sharpe_ratio,
                ) = (Some(facts), Some(1.0));
            },
            Pass,
            "",
        ),
        (
            |s, _| {
                s.unreadable.push(crate::evidence::finding(
                    Fail,
                    "evidence_unreadable",
                    "/d",
                    "torn",
                ))
            },
            Fail,
            "evidence_unreadable",
        ),
    ];
    for (row, (change, status, codes)) in table.into_iter().enumerate() {
        assert_eq!(judge(change), (status, codes.to_owned()), "row {row}");
    }
}

#[test]
fn a_simulated_clock_is_never_signed_off() {
    let (summary, criteria) = (well(), spec().criteria);
    for scale in [2.0, 0.5, f64::NAN] {
        let done = assess(Assessed {
            summary: &summary,
            incidents: &[],
            criteria: &criteria,
            clock_scale: scale,
            evaluated_at: Timestamp::from_millis(5),
        });
        assert_eq!(done.status, Status::Invalid);
    }
}

#[test]
fn incidents_that_are_not_about_lines_count() {
    let (summary, mut criteria) = (well(), spec().criteria);
    let incident = |kind, severity| {
        crate::engine::Cause::new(kind, severity, "k", crate::testing::at(0.0), "m").incident()
    };
    let of = |incidents: &[Incident], criteria: &Criteria| {
        let done = assess(Assessed {
            summary: &summary,
            incidents,
            criteria,
            clock_scale: 1.0,
            evaluated_at: Timestamp::from_millis(5),
        });
        (
            done.status,
            done.findings
                .first()
                .map(|f| f.code.clone())
                .unwrap_or_default(),
        )
    };
    let exit = [incident(IncidentKind::Exit, Status::Fail)];
    assert_eq!(
        of(&exit, &criteria),
        (Status::Fail, "incident_exit".to_owned())
    );
    assert_eq!(
        of(&[incident(IncidentKind::LogLevel, Status::Fail)], &criteria).0,
        Status::Pass
    );
    let gap = [incident(IncidentKind::LogGap, Status::Warn)];
    assert_eq!(of(&gap, &criteria).0, Status::Warn);
    criteria.allow_warnings = true;
    assert_eq!(
        of(&gap, &criteria),
        (Status::Pass, "incident_log_gap".to_owned())
    );
    assert_eq!(of(&exit, &criteria).0, Status::Fail);
}

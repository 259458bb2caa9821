//! Tests of the conditions of a run: silences, evidence, resources, how it ends.

use super::*;
use crate::journal::Straggler;
use crate::spec::EvidenceFormat;
use crate::testing::{BASE, at, evidence, spec};

fn started(spec: &RunSpec) -> Conditions {
    let mut conditions = Conditions::new(spec);
    conditions.event(
        at(0.0),
        &Event::ChildStarted {
            pid: 2,
            cgroup: None,
        },
    );
    conditions
}

fn exit(code: Option<i32>, signal: Option<i32>) -> Event {
    Event::ChildExited {
        code,
        signal,
        core: false,
        cpu_ms: 0,
        max_rss_kib: 0,
    }
}

fn kinds(conditions: &Conditions) -> Vec<(IncidentKind, Status)> {
    conditions
        .causes()
        .iter()
        .map(|c| (c.kind, c.severity))
        .collect()
}

fn signalled(name: &str) -> Event {
    Event::Signalled {
        signal: name.to_owned(),
        processes: 1,
    }
}

#[test]
fn exits_and_how_they_are_judged() {
    use IncidentKind::{Exit, Killed};
    let fail = Status::Fail;
    type Case = (
        bool,
        &'static [&'static str],
        (Option<i32>, Option<i32>),
        &'static [(IncidentKind, Status)],
    );
    let table: [Case; 12] = [
        (true, &["INT"], (Some(0), None), &[]),
        (true, &["INT"], (None, Some(2)), &[]),
        (true, &["INT"], (Some(130), None), &[]),
        (true, &["INT", "TERM"], (None, Some(15)), &[]),
        (true, &["INT", "TERM"], (Some(143), None), &[]),
        (true, &["INT"], (None, Some(15)), &[(Exit, Status::Fail)]),
        (true, &["INT"], (Some(1), None), &[(Exit, Status::Fail)]),
        (
            true,
            &["INT", "TERM", "KILL"],
            (None, Some(9)),
            &[(Killed, Status::Fail), (Exit, Status::Fail)],
        ),
        (false, &[], (Some(0), None), &[]),
        (false, &[], (Some(130), None), &[(Exit, Status::Fail)]),
        (false, &[], (None, Some(2)), &[(Exit, Status::Fail)]),
        (false, &[], (Some(137), None), &[(Exit, Status::Fail)]),
    ];
    for (time_over, signals, (code, signal), expected) in table {
        let mut c = started(&spec());
        if time_over {
            c.event(at(3600.0), &Event::TimeOver);
        }
        for name in signals {
            c.event(at(3601.0), &signalled(name));
        }
        c.event(at(3602.0), &exit(code, signal));
        assert_eq!(
            kinds(&c),
            expected,
            "{time_over} {signals:?} {code:?} {signal:?}"
        );
        assert!(expected.is_empty() || c.status() == fail);
    }
    let mut c = started(&spec());
    c.event(at(4000.0), &exit(Some(139), None));
    assert!(
        c.causes()[0].message.contains("SIGSEGV"),
        "{}",
        c.causes()[0].message
    );
}

#[test]
fn ended_early_with_the_tolerance() {
    for (lasted, early) in [(3598.9, true), (3599.0, false), (3600.0, false)] {
        let mut c = started(&spec());
        c.event(at(lasted), &exit(Some(0), None));
        assert_eq!(!kinds(&c).is_empty(), early, "{lasted}");
    }
}

#[test]
fn silence_before_the_first_line_and_again_whenever_it_is_looked_at() {
    let mut spec = spec();
    spec.gaps.live_seconds = Some(10.0);
    let run = |ticks: &[f64]| {
        let mut c = started(&spec);
        let mut ticks = ticks.iter().copied().peekable();
        for line in [25.0, 26.0, 50.0, 51.0] {
            while let Some(t) = ticks.next_if(|t| *t < line) {
                c.tick(at(t));
            }
            c.lines(at(line), 1);
        }
        c.event(at(4000.0), &exit(Some(0), None));
        c
    };
    let never = run(&[]);
    let often = run(&[1.0, 11.0, 12.0, 30.0, 40.0, 49.9]);
    assert_eq!(never.causes(), often.causes());
    let cause = &never.causes()[0];
    assert_eq!(
        (cause.kind, cause.count, cause.episodes),
        (IncidentKind::LogGap, 3, 3)
    );
    assert_eq!(cause.first, at(10.0));
    assert!(
        cause.message.contains("since the start") && !cause.open,
        "{}",
        cause.message
    );
    assert_eq!(never.longest_gap(at(9999.0)), 3_949_000_000_000);
    // A line at the limit is in time.
    let mut c = started(&spec);
    c.lines(at(10.0), 1);
    c.tick(at(20.0));
    assert!(c.causes().is_empty());
    c.tick(at(20.1));
    assert!(c.take_urgent() && c.causes()[0].open);
}

fn look(size: Option<u64>, mtime: f64, newest: Option<f64>, entries: Option<u64>) -> Event {
    let ms = |s: f64| BASE / 1_000_000 + (s * 1000.0) as i64;
    Event::EvidenceSeen {
        name: "diary".to_owned(),
        size,
        mtime_ms: size.map(|_| ms(mtime)),
        newest_ms: newest.map(ms),
        entries,
        error: None,
    }
}

fn aging() -> Conditions {
    let mut spec = spec();
    let mut diary = evidence("diary", EvidenceFormat::Diary);
    (diary.stale_warn_seconds, diary.stale_fail_seconds) = (Some(10.0), Some(20.0));
    spec.evidence.push(diary);
    spec.evidence_grace_seconds = 5.0;
    started(&spec)
}

#[test]
fn evidence_that_never_comes_warns_then_fails() {
    for size in [None, Some(0)] {
        let mut c = aging();
        c.event(at(4.0), &look(size, 4.0, None, None));
        c.event(at(10.0), &look(size, 10.0, None, None));
        assert!(c.causes().is_empty());
        c.event(at(10.5), &look(size, 10.5, None, None));
        assert_eq!(kinds(&c), [(IncidentKind::Evidence, Status::Warn)]);
        assert!(c.take_urgent());
        c.event(at(21.0), &look(size, 21.0, None, None));
        assert_eq!(kinds(&c), [(IncidentKind::Evidence, Status::Fail)]);
        assert!(c.take_urgent() && c.causes()[0].open);
        let word = if size.is_none() { "missing" } else { "empty" };
        assert!(c.causes()[0].message.contains(word));
    }
}

#[test]
fn a_second_staleness_is_a_second_episode() {
    let mut c = aging();
    for (now, newest) in [(6.0, 6.0), (17.0, 6.0), (18.0, 18.0), (29.0, 18.0)] {
        c.event(at(now), &look(Some(9), now, Some(newest), None));
    }
    assert_eq!((c.causes()[0].count, c.causes()[0].episodes), (2, 2));
    assert!(c.causes()[0].open);
}

#[test]
fn touched_but_not_grown_is_stale_and_growth_is_fresh() {
    let mut c = aging();
    for now in 0..40 {
        c.event(
            at(f64::from(now)),
            &look(Some(9), f64::from(now), None, Some(3)),
        );
    }
    assert_eq!(kinds(&c), [(IncidentKind::Evidence, Status::Fail)]);
    let mut c = aging();
    for now in 0..40 {
        c.event(
            at(f64::from(now)),
            &look(Some(9 + now as u64), f64::from(now), None, None),
        );
    }
    assert!(c.causes().is_empty());
}

#[test]
fn content_of_the_future_is_told_and_does_not_stay_young() {
    let mut c = aging();
    for now in 0..40 {
        c.event(
            at(f64::from(now)),
            &look(Some(9), f64::from(now), Some(90_000.0), None),
        );
    }
    let states: Vec<_> = c
        .causes()
        .iter()
        .map(|c| c.metadata["state"].clone())
        .collect();
    assert_eq!(states.len(), 2);
    assert!(states.contains(&"future_dated".into()));
    assert_eq!(c.status(), Status::Fail);
}

fn usage(cpu: f64, memory: f64) -> Event {
    Event::Resources {
        cpu_percent: cpu,
        memory_mb: memory,
        memory_percent: 1.0,
        processes: 3,
        open_files: None,
        threads: 4,
    }
}

#[test]
fn limits_must_be_broken_for_as_long_as_is_said() {
    let mut spec = spec();
    (
        spec.resources.max_cpu_percent,
        spec.resources.sustained_seconds,
    ) = (Some(50.0), 10.0);
    let mut c = started(&spec);
    for (now, cpu) in [
        (1.0, 60.0),
        (6.0, 60.0),
        (8.0, 50.0),
        (9.0, 60.0),
        (18.0, 60.0),
    ] {
        c.event(at(now), &usage(cpu, 10.0));
    }
    assert!(c.causes().is_empty());
    for (now, cpu) in [
        (19.0, 70.0),
        (20.0, 90.0),
        (21.0, 1.0),
        (30.0, 60.0),
        (41.0, 60.0),
    ] {
        c.event(at(now), &usage(cpu, 10.0));
    }
    let cause = &c.causes()[0];
    assert_eq!(
        (cause.kind, cause.count, cause.first),
        (IncidentKind::Resource, 2, at(9.0))
    );
    assert_eq!(cause.metadata["observed"], 90.0);
    c.event(at(50.0), &usage(f64::NAN, 10.0));
    assert!(c.causes()[0].open);
    let report = c.usage().report(&spec.resources);
    assert_eq!((report.samples, report.peak_cpu_percent), (11, Some(90.0)));
}

#[test]
fn the_chart_has_few_points_and_every_peak() {
    let spec = spec();
    let mut c = started(&spec);
    let samples = 4321;
    let value = |i: u32| if i == 1234 { 900.0 } else { f64::from(i % 7) };
    for i in 0..samples {
        c.event(at(f64::from(i) * 60.0), &usage(value(i), value(i) * 2.0));
    }
    let history = c.usage().report(&spec.resources).history;
    assert!((180..=720).contains(&history.len()), "{}", history.len());
    let peak = history
        .iter()
        .max_by(|a, b| a.memory_mb.total_cmp(&b.memory_mb))
        .unwrap();
    assert_eq!((peak.memory_mb, peak.cpu_percent), (1800.0, 900.0));
    let when = at(1234.0 * 60.0).timestamp().as_millis();
    assert!(peak.at <= when && when < peak.at + (peak.seconds * 1e3) as i64);
    for pair in history.windows(2) {
        assert_eq!(pair[0].at + (pair[0].seconds * 1e3) as i64, pair[1].at);
    }
    assert_eq!(history[0].at, at(0.0).timestamp().as_millis());
}

#[test]
fn memory_has_a_slope() {
    let spec = spec();
    let mut c = started(&spec);
    for i in 0..5000u32 {
        c.event(
            at(f64::from(i) * 60.0),
            &usage(1.0, 100.0 + f64::from(i) / 60.0 * 2.0),
        );
    }
    let slope = c.usage().slope().unwrap();
    assert!((slope - 2.0).abs() < 1e-6, "{slope}");
}

#[test]
fn a_full_disk_is_forecast_blocks_and_is_blindness() {
    let mut c = started(&spec());
    let disk = |full| Event::Disk {
        end_bytes: 0,
        free_bytes: 5,
        full_in_seconds: full,
    };
    c.event(at(10.0), &disk(Some(9999.0)));
    assert!(c.causes().is_empty());
    c.event(at(20.0), &disk(Some(100.0)));
    c.event(at(25.0), &disk(Some(90.0)));
    c.event(
        at(30.0),
        &Event::Blocked {
            reason: "no space".to_owned(),
        },
    );
    c.event(at(40.0), &Event::Unblocked { ms: 10_000 });
    c.event(at(41.0), &disk(None));
    assert_eq!(
        kinds(&c),
        [
            (IncidentKind::Disk, Status::Warn),
            (IncidentKind::CaptureBlocked, Status::Warn)
        ]
    );
    assert!(c.causes().iter().all(|c| !c.open && c.count == 1));
    let blind = c.blind_spans(at(99.0));
    assert_eq!(
        (blind[0].from, blind[0].to, blind[0].reason.as_str()),
        (at(30.0), at(40.0), "capture_blocked")
    );
}

#[test]
fn what_else_the_journals_tell() {
    let mut c = started(&spec());
    c.event(
        at(1.0),
        &Event::PumpLost {
            pid: 4,
            status: "signal 9".to_owned(),
        },
    );
    c.event(
        at(2.0),
        &Event::PumpStarted {
            pid: 5,
            restarts: 1,
        },
    );
    c.event(
        at(3.0),
        &Event::ClockStep {
            ns: -7_200_000_000_000,
        },
    );
    c.event(at(4.0), &Event::ClockStep { ns: 5_000 });
    c.event(at(90.0), &Event::Suspended { ns: 60_000_000_000 });
    c.event(
        at(91.0),
        &Event::Interrupted {
            signal: "INT".to_owned(),
        },
    );
    c.event(at(92.0), &signalled("INT"));
    c.event(at(3700.0), &exit(None, Some(2)));
    let straggler = Straggler {
        pid: 9,
        name: "sleep".to_owned(),
        command: "sleep 9".to_owned(),
    };
    c.event(
        at(3701.0),
        &Event::Stragglers {
            processes: vec![straggler],
            hold_pipe: true,
        },
    );
    c.event(
        at(3702.0),
        &Event::Drained {
            complete: false,
            waited_ms: 10,
        },
    );
    c.event(at(3703.0), &signalled("KILL"));
    let mut found: Vec<IncidentKind> = kinds(&c).iter().map(|k| k.0).collect();
    found.sort();
    use IncidentKind::{Clock, Interrupted, Killed, PumpRestart, Stragglers};
    assert_eq!(
        found,
        [
            PumpRestart,
            Clock,
            Clock,
            Stragglers,
            Stragglers,
            Killed,
            Interrupted
        ]
    );
    assert_eq!(c.status(), Status::Warn);
    let blind = c.blind_spans(at(9999.0));
    assert_eq!((blind[0].from, blind[0].to), (at(1.0), at(2.0)));
    assert_eq!(
        blind.last().map(|b| (b.from, b.to)),
        Some((at(30.0), at(90.0)))
    );
}

#[test]
fn what_is_saved_goes_on_as_if_nothing_had_been() {
    let mut spec = spec();
    spec.gaps.live_seconds = Some(10.0);
    let mut whole = started(&spec);
    let mut torn = started(&spec);
    for i in 0..60u32 {
        let now = f64::from(i * i);
        for c in [&mut whole, &mut torn] {
            c.lines(at(now), 1);
            c.event(at(now), &usage(f64::from(i), 10.0));
        }
        let saved = serde_json::to_vec(&torn.saved()).unwrap();
        torn = Conditions::restored(&spec, serde_json::from_slice(&saved).unwrap());
    }
    assert_eq!(whole.causes(), torn.causes());
    assert_eq!(whole.longest_gap(at(4000.0)), torn.longest_gap(at(4000.0)));
    assert_eq!(whole.usage(), torn.usage());
}

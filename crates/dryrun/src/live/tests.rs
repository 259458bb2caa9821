//! Tests of the live state.

use super::*;
use crate::testing::{at, spec};

const LOG: &str = "{\"level\":\"info\",\"message\":\"heartbeat #1\"}\n\
    {\"level\":\"warning\",\"message\":\"queue 17 is long\"}\n\
    plain text\r\n\
    Traceback (most recent call last):\n  File \"a.py\", line 3, in <module>\n    main()\nValueError: no\n\
    {\"level\":\"error\",\"message\":\"order 7 refused\"}\n\
    {\"level\":50,\"msg\":\"order 8 refused\"}\n\
    the last line has no line feed";

fn started(spec: &RunSpec) -> Live {
    let mut live = Live::new(spec).unwrap();
    assert_eq!(
        (
            live.progress(at(0.0)).status.as_str(),
            live.progress(at(0.0)).phase
        ),
        ("starting", Phase::Startup)
    );
    live.event(
        at(0.0),
        &Event::ChildStarted {
            pid: 2,
            cgroup: None,
        },
    );
    live
}

#[test]
fn counts_incidents_and_views() {
    let mut live = started(&spec());
    let mut views = Views::default();
    live.bytes(Stream::Stdout, at(1.0), LOG.as_bytes(), Some(&mut views));
    live.bytes(Stream::Stderr, at(2.0), b"to stderr\n", Some(&mut views));
    live.finish(at(9.0), Some(&mut views));
    let p = live.progress(at(10.0));
    assert_eq!((p.total_lines, p.total_bytes), (11, LOG.len() as u64 + 10));
    assert_eq!(
        p.line_counts,
        BTreeMap::from([("stdout".to_owned(), 10), ("stderr".to_owned(), 1)])
    );
    assert_eq!(p.level_counts.values().sum::<u64>(), 11);
    assert_eq!((p.level_counts["warning"], p.level_counts["50"]), (1, 1));
    assert_eq!(
        (p.status.as_str(), p.phase, p.elapsed_seconds),
        ("fail", Phase::Running, 10.0)
    );
    assert_eq!(p.incidents.len(), 4, "{:#?}", p.incidents);
    assert_eq!(
        p.history
            .iter()
            .map(|h| (h.lines, h.warnings))
            .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
        (11, 1)
    );
    assert_eq!(views.jsonl.iter().filter(|b| **b == b'\n').count(), 11);
    assert_eq!(p.first_line_at, Some(at(1.0).timestamp()));
    assert!(live.take_urgent() && !live.take_urgent());
}

#[test]
fn monitor_off_counts_and_has_no_incidents() {
    let mut spec = spec();
    spec.lines.monitor = false;
    let mut live = started(&spec);
    live.bytes(Stream::Stdout, at(1.0), LOG.as_bytes(), None);
    live.finish(at(2.0), None);
    let p = live.progress(at(3.0));
    assert_eq!(
        (p.total_lines, p.incidents.len(), p.status.as_str()),
        (10, 0, "running")
    );
}

#[test]
fn carried_over_at_any_byte_it_is_as_if_nothing_had_been() {
    let mut whole = started(&spec());
    let mut shown = Views::default();
    whole.bytes(Stream::Stdout, at(1.0), LOG.as_bytes(), Some(&mut shown));
    whole.finish(at(2.0), Some(&mut shown));
    for cut in 0..=LOG.len() {
        let mut live = started(&spec());
        let mut views = Views::default();
        live.bytes(
            Stream::Stdout,
            at(1.0),
            &LOG.as_bytes()[..cut],
            Some(&mut views),
        );
        let saved = live.save();
        let mut next = Live::restore(&spec(), &saved).unwrap();
        let from = next.position(Stream::Stdout) as usize;
        assert!(from <= cut);
        next.bytes(
            Stream::Stdout,
            at(1.0),
            &LOG.as_bytes()[from..],
            Some(&mut views),
        );
        next.finish(at(2.0), Some(&mut views));
        assert_eq!(
            next.progress(at(3.0)),
            whole.progress(at(3.0)),
            "cut at {cut}"
        );
        assert_eq!(
            (&views.log, &views.jsonl),
            (&shown.log, &shown.jsonl),
            "cut at {cut}"
        );
    }
}

#[test]
fn a_state_of_another_run_or_of_nothing_is_refused() {
    let saved = started(&spec()).save();
    let mut other = spec();
    other.run_id = "run-2".to_owned();
    assert!(Live::restore(&other, &saved).is_none());
    assert!(Live::restore(&spec(), b"").is_none());
    assert!(Live::restore(&spec(), &saved[..saved.len() / 2]).is_none());
    assert!(Live::restore(&spec(), &saved).is_some());
}

#[test]
fn a_burst_of_distinct_warnings_stays_small() {
    let mut live = started(&spec());
    let letters = |n: usize| {
        (0..6)
            .map(|i| char::from(b'a' + (n / 26usize.pow(i) % 26) as u8))
            .collect::<String>()
    };
    for i in 0..20_000 {
        let line = format!(
            "{{\"level\":\"warning\",\"message\":\"about {}\"}}\n",
            letters(i)
        );
        live.bytes(Stream::Stdout, at(1.0), line.as_bytes(), None);
    }
    let p = live.progress(at(2.0));
    assert_eq!(p.incidents.len(), 500);
    assert_eq!(p.incidents_not_kept, 19_500);
    assert_eq!(p.status, "warn");
    assert!(live.save().len() < 16 << 20);
}

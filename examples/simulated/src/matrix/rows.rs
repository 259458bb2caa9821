//! The rows themselves.

use std::time::Duration;

use super::{Fact, Pace, Row};
use crate::traces::TRACES;

/// Returns the rows.
pub fn rows(pace: &Pace) -> Vec<Row> {
    let mut rows = healthy(pace);
    rows.extend(silent(pace));
    rows.extend(ending(pace));
    rows.extend(talking(pace));
    rows.extend(evidence(pace));
    rows.extend(traces(pace));
    rows
}

const PASS: &[&str] = &["pass"];
const WARN: &[&str] = &["warn"];
const FAIL: &[&str] = &["fail"];

fn row(
    pace: &Pace,
    name: &str,
    shows: &'static str,
    injections: &[String],
    verdicts: &'static [&'static str],
) -> Row {
    Row {
        name: name.to_owned(),
        shows,
        injections: injections.to_vec(),
        run_for: pace.length(),
        grace: Duration::from_secs(5),
        verdicts,
        incidents: &[],
        also: &[],
        facts: &[Fact::SameBytes],
    }
}

fn inject(kind: &str, time: Duration, ticks: &str) -> String {
    format!("{kind}={}{ticks}", time.as_secs_f64())
}

fn healthy(pace: &Pace) -> Vec<Row> {
    let slow = |name, time| Row {
        run_for: pace.length() + time,
        ..row(
            pace,
            name,
            "a slow start is no outage",
            &[inject("slow-start", time, "")],
            PASS,
        )
    };
    vec![
        row(pace, "clean", "a healthy runtime passes", &[], PASS),
        slow("start-longer-than-a-tick", pace.tick + pace.tick / 2),
        slow("slowest-start", pace.start_up),
        Row {
            facts: &[Fact::SameBytes, Fact::Skew(3_600)],
            ..row(
                pace,
                "clock-ahead",
                "the child's clock is a claim",
                &["clock=3600@3".to_owned()],
                PASS,
            )
        },
        Row {
            facts: &[Fact::SameBytes, Fact::Skew(-86_400)],
            ..row(
                pace,
                "clock-back",
                "the child's clock is a claim",
                &["clock=-86400@3-5".to_owned()],
                PASS,
            )
        },
    ]
}

fn silent(pace: &Pace) -> Vec<Row> {
    let silence = |name, time: Duration, verdicts, incidents| Row {
        // The silence, one second tick before it and two ticks after it.
        run_for: time + pace.tick * 4,
        incidents,
        ..row(
            pace,
            name,
            "silence is an outage",
            &[inject("silence", time, "")],
            verdicts,
        )
    };
    let warn = (pace.warn() + pace.fail()) / 2;
    vec![
        silence("short-silence", pace.warn() / 2, PASS, &[] as &[&str]),
        silence("silence", warn, &["warn", "fail"], &["log_gap"]),
        silence(
            "long-silence",
            pace.fail() + pace.tick * 2,
            FAIL,
            &["log_gap"],
        ),
    ]
}

fn ending(pace: &Pace) -> Vec<Row> {
    let text = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let crash = |name, how: &str| Row {
        incidents: &["exit", "ended_early"],
        ..row(
            pace,
            name,
            "a runtime that ends is not running",
            &text(&[how]),
            FAIL,
        )
    };
    vec![
        crash("crash", "crash=3@4"),
        crash("segfault", "crash=SEGV@4"),
        crash("killed-from-outside", "crash=KILL@4"),
        Row {
            incidents: &["ended_early"],
            ..row(
                pace,
                "quiet-end",
                "an early end is a failure although its exit code is 0",
                &text(&["crash=0@4"]),
                FAIL,
            )
        },
        Row {
            grace: Duration::from_secs(1),
            incidents: &["killed"],
            also: &["exit"],
            facts: &[],
            ..row(
                pace,
                "deaf",
                "a runtime that hears no signal is killed, and that is told",
                &text(&["deaf=60"]),
                FAIL,
            )
        },
        Row {
            grace: Duration::from_secs(1),
            incidents: &["stragglers"],
            also: &["killed"],
            facts: &[Fact::SameBytes, Fact::NotLengthened],
            ..row(
                pace,
                "grandchild",
                "a child that keeps the pipes is told, and its time is not the run's",
                &text(&["grandchild=30"]),
                WARN,
            )
        },
        Row {
            grace: Duration::from_secs(1),
            incidents: &["stragglers"],
            also: &["killed"],
            facts: &[Fact::SameBytes, Fact::NotLengthened],
            ..row(
                pace,
                "daemon",
                "the same in a session of its own",
                &text(&["daemon=30"]),
                WARN,
            )
        },
    ]
}

fn talking(pace: &Pace) -> Vec<Row> {
    let quick = &[Fact::SameBytes, Fact::Quick];
    let say =
        |name, shows, how: &str, verdicts| row(pace, name, shows, &[how.to_owned()], verdicts);
    vec![
        Row {
            incidents: &["log_level"],
            facts: &[Fact::SameBytes, Fact::Quick, Fact::Counted(4_000)],
            ..say(
                "warnings",
                "4,000 warnings, all different, are counted and hold nothing up",
                "warnings=4000",
                FAIL,
            )
        },
        Row {
            incidents: &["log_level"],
            facts: &[Fact::SameBytes, Fact::Counted(3)],
            ..say(
                "errors",
                "a line of level error is a failure",
                "errors=3",
                FAIL,
            )
        },
        Row {
            facts: quick,
            ..say("flood", "many lines are no fault", "flood=200000", PASS)
        },
        say(
            "stderr",
            "lines of level info on stderr are information",
            "stderr=5@2-4",
            PASS,
        ),
        say("bytes", "bytes of any kind are kept", "bytes@2-4", PASS),
        say(
            "no-newline",
            "a last line without line feed is kept",
            "no-newline",
            PASS,
        ),
        say(
            "line-beyond-a-pipe",
            "a line longer than a pipe's buffer is a line",
            "long-line=200KiB",
            PASS,
        ),
        Row {
            incidents: &["long_line"],
            ..say(
                "line-beyond-the-limit",
                "a line of any length is kept, and told",
                "long-line=3MiB",
                &["warn", "fail"],
            )
        },
    ]
}

fn evidence(pace: &Pace) -> Vec<Row> {
    // Long enough to be stale beyond the failure's threshold, which is looked at each tick.
    let stale_for = pace.fail() + pace.tick * 6;
    let old = |name, shows, how: &str| Row {
        run_for: stale_for,
        incidents: &["evidence"],
        ..row(pace, name, shows, &[how.to_owned()], &["warn", "fail"])
    };
    let bad = |name, shows, how: &str| Row {
        also: &["evidence"],
        ..row(pace, name, shows, &[how.to_owned()], FAIL)
    };
    vec![
        old(
            "stale-diary",
            "a diary that is not written is stale",
            "stale=diary",
        ),
        old(
            "touched-diary",
            "a diary that is touched and does not grow is stale",
            "touched=diary",
        ),
        old(
            "stale-performance",
            "performance figures that are not written are stale",
            "stale=performance",
        ),
        Row {
            verdicts: FAIL,
            ..old(
                "no-evidence",
                "evidence that was never written is missing",
                "stale@1",
            )
        },
        bad(
            "broken-diary",
            "a diary that cannot be parsed is a failure and no crash",
            "broken=diary@3",
        ),
        bad(
            "broken-performance",
            "figures that cannot be parsed are a failure and no crash",
            "broken=performance@3",
        ),
        Row {
            verdicts: &["warn", "fail"],
            ..bad(
                "future-evidence",
                "evidence from the future is not fresh",
                "future=7200@3",
            )
        },
    ]
}

fn traces(pace: &Pace) -> Vec<Row> {
    let mut rows: Vec<Row> = TRACES
        .iter()
        .map(|trace| {
            let mut row = row(
                pace,
                &format!("trace-{}", trace.name),
                "a stack trace in the log is a failure",
                &[format!("traceback={}", trace.name)],
                FAIL,
            );
            row.incidents = &["stack_trace"];
            row.also = &["log_level"];
            row
        })
        .collect();
    for row in &mut rows {
        if row.name == "trace-cpp" {
            // The C++ runtime prints no frames: the signal that ends the process is what tells.
            row.injections.push("crash=ABRT".to_owned());
            row.also = &["log_level", "exit", "ended_early"];
        }
        if row.name == "trace-python" {
            row.facts = &[Fact::SameBytes, Fact::WholeTrace("python")];
        }
    }
    rows.push(Row {
        incidents: &["stack_trace"],
        facts: &[Fact::SameBytes, Fact::WholeTrace("java")],
        ..row(
            pace,
            "trace-on-stdout",
            "a stack trace is one on either stream",
            &["traceback=java:stdout".to_owned()],
            FAIL,
        )
    });
    rows
}

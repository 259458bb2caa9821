//! The smoke matrix: what a runtime does wrong, and what a supervisor has to make of it.
//!
//! Data and one pure function: a row says how the runtime is started and which verdict and kinds of incident are expected;
//! [`Row::judge`] holds a finished run against it. Words are those of the supervisor's reports: verdicts `pass`, `warn`,
//! `fail`; kinds of incident in snake case. A row can fail both ways: by a supervisor that sees too little, and by one that
//! sees what is not there.
//!
//! A row is meant to be run with the gap and staleness thresholds of its [`Pace`], stderr lines without a level as errors,
//! evidence required, no warnings accepted, and [`Row::grace`] for each step of the kill ladder. The supervisor ends the
//! runtime when [`Row::run_for`] is over: the runtime's own duration begins with its first tick, so it is never the first.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::traces::TRACES;

/// How fast the rows go, and the thresholds that follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Time between two ticks.
    pub tick: Duration,
    /// How long a row lasts at least.
    pub duration: Duration,
    /// Longest start-up delay that the smoke run promises to pass with.
    pub start_up: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            tick: Duration::from_millis(500),
            duration: Duration::from_secs(4),
            start_up: Duration::from_secs(5),
        }
    }
}

impl Pace {
    /// How long a row lasts: the duration, and long enough for what happens at its fifth tick.
    fn length(&self) -> Duration {
        self.duration.max(self.tick * 6)
    }

    /// Silence and staleness beyond this are a warning: three ticks, at least three seconds.
    pub fn warn(&self) -> Duration {
        (self.tick * 3).max(Duration::from_secs(3))
    }

    /// Silence and staleness of this are a failure: six ticks, at least six seconds.
    pub fn fail(&self) -> Duration {
        (self.tick * 6).max(Duration::from_secs(6))
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name, unique.
    pub name: String,
    /// What it shows, one line.
    pub shows: &'static str,
    /// What goes wrong, as `--inject` takes it.
    pub injections: Vec<String>,
    /// When the supervisor is to end the run.
    pub run_for: Duration,
    /// Time for each step of its kill ladder.
    pub grace: Duration,
    /// Verdicts of which one must come.
    pub verdicts: &'static [&'static str],
    /// Kinds of incident that must come.
    pub incidents: &'static [&'static str],
    /// Kinds that may come too. Any other of severity warn or fail is false.
    pub also: &'static [&'static str],
    /// Facts to be checked beside: see [`Fact`].
    pub facts: &'static [Fact],
}

/// What else must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Captured bytes are those that `--copy-output` kept. Of every row that is not killed.
    SameBytes,
    /// The child clock's skew is reported, with about this many seconds at the extreme.
    Skew(i64),
    /// The reported duration is that of the child: no longer than [`Row::run_for`] and two graces.
    NotLengthened,
    /// The child ended within two seconds of [`Row::run_for`]: what it printed did not hold it up.
    Quick,
    /// Exactly this many incidents' counts of kind `log_level` in all.
    Counted(u64),
    /// A sample of an incident of kind `stack_trace` is the fixture's whole text.
    WholeTrace(&'static str),
}

/// An incident as far as a row looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// `pass`, `warn`, `fail` or `invalid`.
    pub severity: &'a str,
}

impl Row {
    /// Returns the runtime's arguments, with its evidence and the copies of its streams in `folder`.
    pub fn args(&self, pace: &Pace, folder: &Path, seed: u64) -> Vec<OsString> {
        let seconds = |time: Duration| OsString::from(time.as_secs_f64().to_string());
        let mut args: Vec<OsString> = vec![
            "--duration-seconds".into(),
            seconds(self.run_for),
            "--tick-interval".into(),
            seconds(pace.tick),
            "--diary".into(),
            folder.join("decision_diary.jsonl").into(),
            "--performance".into(),
            folder.join("performance_metrics.json").into(),
            "--seed".into(),
            seed.to_string().into(),
            "--copy-output".into(),
            folder.join("printed").into(),
        ];
        for injection in &self.injections {
            args.extend(["--inject".into(), injection.into()]);
        }
        args
    }

    /// Holds a run's verdict and incidents against the row.
    ///
    /// # Errors
    /// All that is not as expected, one line each.
    pub fn judge(&self, verdict: &str, seen: &[Seen<'_>]) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        if !self.verdicts.contains(&verdict) {
            let wanted = self.verdicts.join(" or ");
            wrong.push(format!(
                "row `{}`: the verdict is {verdict}, not {wanted}",
                self.name
            ));
        }
        for kind in self.incidents {
            if !seen.iter().any(|s| s.kind == *kind) {
                wrong.push(format!("row `{}`: no incident of kind {kind}", self.name));
            }
        }
        for Seen { kind, severity } in seen {
            let known = self.incidents.contains(kind) || self.also.contains(kind);
            if !known && *severity != "pass" {
                wrong.push(format!(
                    "row `{}`: an incident that nothing caused: {kind}, {severity}",
                    self.name
                ));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

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
                WARN,
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
                &["pass", "warn"],
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::injection::Injection;

    #[test]
    fn rows_have_names_of_their_own_and_can_be_run() {
        for pace in [
            Pace::default(),
            Pace {
                tick: Duration::from_secs(10),
                duration: Duration::from_secs(1),
                ..Pace::default()
            },
            Pace {
                tick: Duration::from_secs(2),
                duration: Duration::from_secs(60),
                ..Pace::default()
            },
        ] {
            let rows = rows(&pace);
            let names: BTreeSet<_> = rows.iter().map(|r| &r.name).collect();
            assert_eq!(names.len(), rows.len());
            for row in &rows {
                let args = row.args(&pace, Path::new("/f"), 1);
                let read = crate::args::parse(args.into_iter(), |_| None);
                assert!(
                    matches!(read, Ok(crate::args::Command::Run(_))),
                    "{}: {read:?}",
                    row.name
                );
                assert!(
                    !row.verdicts.is_empty() && !row.shows.is_empty(),
                    "{}",
                    row.name
                );
                assert!(
                    row.verdicts == PASS || !row.incidents.is_empty() || !row.also.is_empty(),
                    "{}",
                    row.name
                );
            }
        }
    }

    #[test]
    fn every_kind_of_injection_that_a_supervisor_can_see_has_a_row() {
        let rows = rows(&Pace::default());
        let injected: BTreeSet<_> = rows
            .iter()
            .flat_map(|r| &r.injections)
            .map(|i| i.parse::<Injection>().unwrap().kind.name())
            .collect();
        let without: Vec<_> = crate::KINDS
            .iter()
            .map(|k| k.0)
            .filter(|k| !injected.contains(k))
            .collect();
        // Limits on memory and CPU are the operator's: there is none in a smoke run.
        assert_eq!(without, ["memory", "cpu"]);
    }

    #[test]
    fn a_supervisor_that_sees_too_little_or_too_much_does_not_pass() {
        let rows = rows(&Pace::default());
        let row = |name: &str| rows.iter().find(|r| r.name == name).unwrap();
        let gap = Seen {
            kind: "log_gap",
            severity: "warn",
        };
        assert_eq!(row("clean").judge("pass", &[]), Ok(()));
        assert_eq!(row("silence").judge("warn", &[gap]), Ok(()));
        let blind = row("silence").judge("pass", &[]).unwrap_err();
        assert_eq!(
            blind,
            [
                "row `silence`: the verdict is pass, not warn or fail",
                "row `silence`: no incident of kind log_gap"
            ]
        );
        let nervous = row("clean").judge("warn", &[gap]).unwrap_err();
        assert_eq!(
            nervous[1],
            "row `clean`: an incident that nothing caused: log_gap, warn"
        );
        let note = Seen {
            kind: "clock",
            severity: "pass",
        };
        assert_eq!(row("clean").judge("pass", &[note]), Ok(()));
    }
}

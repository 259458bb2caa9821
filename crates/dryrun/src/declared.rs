//! What a run is judged by, held against what its project declares.
//!
//! Flags lie above the file. What they make stricter needs no word; what they make weaker is told, so that a sign-off that was got by it
//! does not stand for one by the declaration. Invariant: nothing by which a run is judged is passed over, because both specifications are
//! taken apart field by field.

use crate::spec::{Capture, StderrPolicy};
use crate::spec::{EvidenceSpec, Gaps, Grace, HeartbeatSpec, Lines, ResourceSpec, RunSpec};

/// What is asked less of a run by `used` than by `declared`, in words; empty if it is judged as declared, or more strictly.
pub fn weaker(declared: &RunSpec, used: &RunSpec) -> Vec<String> {
    let RunSpec {
        schema: _,
        run_id: _,
        slug: _,
        created_at: _,
        command,
        artifacts: _,
        directory: _,
        environment,
        log_dir: _,
        progress_path: _,
        timeline_dir: _,
        target_seconds,
        criteria,
        grace_seconds,
        drain_seconds,
        capture: Capture { .. },
        lines,
        gaps,
        heartbeat,
        evidence,
        evidence_grace_seconds,
        evidence_interval_seconds,
        resources,
        progress_interval_seconds: _,
        explained,
        metadata: _,
        clock_scale,
    } = declared;
    let mut told = Told::default();
    told.same("the command", command, &used.command);
    for (name, value) in environment {
        let what = format!("the variable `{name}`");
        told.same(&what, &Some(value), &used.environment.get(name));
    }
    told.least("its time", *target_seconds, used.target_seconds);
    let (was, is) = (criteria, &used.criteria);
    told.least_if(
        "the duration that is required",
        was.minimum_duration_seconds,
        is.minimum_duration_seconds,
    );
    told.most(
        "the tolerance of the duration",
        was.duration_tolerance_seconds,
        is.duration_tolerance_seconds,
    );
    told.least_if(
        "the uptime that is required",
        was.minimum_uptime_ratio,
        is.minimum_uptime_ratio,
    );
    told.least_if(
        "the Sharpe ratio that is required",
        was.minimum_sharpe_ratio,
        is.minimum_sharpe_ratio,
    );
    told.kept("a diary is required", was.require_diary, is.require_diary);
    told.kept(
        "performance evidence is required",
        was.require_performance,
        is.require_performance,
    );
    // How many warnings were accepted wholesale the sign-off says itself, and gates judge that.
    let Grace {
        interrupt,
        terminate,
    } = *grace_seconds;
    told.most(
        "the grace after SIGINT",
        interrupt,
        used.grace_seconds.interrupt,
    );
    told.most(
        "the grace after SIGTERM",
        terminate,
        used.grace_seconds.terminate,
    );
    told.most("the time to drain", *drain_seconds, used.drain_seconds);
    of_lines(&mut told, lines, &used.lines);
    of_gaps(&mut told, gaps, &used.gaps);
    of_beats(&mut told, heartbeat.as_ref(), used.heartbeat.as_ref());
    for was in evidence {
        let is = used.evidence.iter().find(|e| e.name == was.name);
        of_evidence(&mut told, was, is);
    }
    told.most(
        "the grace of evidence",
        *evidence_grace_seconds,
        used.evidence_grace_seconds,
    );
    told.most_if(
        "the time between looks at evidence",
        *evidence_interval_seconds,
        used.evidence_interval_seconds,
    );
    of_resources(&mut told, resources, &used.resources);
    told.same("what is explained", explained, &used.explained);
    told.most("the clock's rate", *clock_scale, used.clock_scale);
    told.0
}

fn of_lines(told: &mut Told, was: &Lines, is: &Lines) {
    let Lines {
        monitor,
        stderr,
        allow,
        numeric,
        source_field,
    } = was;
    told.kept("lines are judged as they come", *monitor, is.monitor);
    let rank = |policy: StderrPolicy| match policy {
        StderrPolicy::Error => 2,
        StderrPolicy::Warn => 1,
        StderrPolicy::Info => 0,
    };
    if rank(is.stderr) < rank(*stderr) {
        told.0.push("lines on stderr mean less".into());
    }
    told.same("what is accepted", allow, &is.allow);
    told.same("how numbers are read as levels", numeric, &is.numeric);
    told.same("the field of the source", source_field, &is.source_field);
}

fn of_gaps(told: &mut Told, was: &Gaps, is: &Gaps) {
    let Gaps {
        warn_seconds,
        fail_seconds,
        startup_seconds,
        live_seconds,
        live_severity,
    } = *was;
    told.most("a gap that is no warning", warn_seconds, is.warn_seconds);
    told.most("a gap that is no failure", fail_seconds, is.fail_seconds);
    told.most(
        "the time until the first line",
        startup_seconds,
        is.startup_seconds,
    );
    told.most_if("a live gap", live_seconds, is.live_seconds);
    if live_seconds.is_some() && is.live_severity < live_severity {
        told.0.push("a live gap means less".into());
    }
}

fn of_beats(told: &mut Told, was: Option<&HeartbeatSpec>, is: Option<&HeartbeatSpec>) {
    let Some(HeartbeatSpec {
        period_seconds,
        tolerance,
        event,
    }) = was
    else {
        return;
    };
    told.most_if(
        "the heartbeat's period",
        Some(*period_seconds),
        is.map(|h| h.period_seconds),
    );
    told.most_if(
        "the heartbeat's tolerance",
        Some(*tolerance),
        is.map(|h| h.tolerance),
    );
    let now = is.and_then(|h| h.event.as_ref());
    told.same("the heartbeat's event", &event.as_ref(), &now);
}

fn of_evidence(told: &mut Told, was: &EvidenceSpec, is: Option<&EvidenceSpec>) {
    let name = &was.name;
    let Some(is) = is else {
        told.0.push(format!("`{name}` is not looked at"));
        return;
    };
    told.kept(&format!("`{name}` is required"), was.required, is.required);
    let of = |what: &str| format!("the age of `{name}` that is no {what}");
    told.most_if(
        &of("warning"),
        was.stale_warn_seconds,
        is.stale_warn_seconds,
    );
    told.most_if(
        &of("failure"),
        was.stale_fail_seconds,
        is.stale_fail_seconds,
    );
    // No flag says anything of the rest.
    let rest = EvidenceSpec {
        required: was.required,
        stale_warn_seconds: was.stale_warn_seconds,
        stale_fail_seconds: was.stale_fail_seconds,
        ..is.clone()
    };
    told.same(&format!("what is asked of `{name}`"), was, &rest);
}

fn of_resources(told: &mut Told, was: &ResourceSpec, is: &ResourceSpec) {
    let ResourceSpec {
        interval_seconds,
        max_cpu_percent,
        max_memory_mb,
        max_memory_percent,
        severity,
        sustained_seconds,
    } = *was;
    let limits = [
        ("CPU", max_cpu_percent, is.max_cpu_percent),
        ("memory", max_memory_mb, is.max_memory_mb),
        (
            "the share of memory",
            max_memory_percent,
            is.max_memory_percent,
        ),
    ];
    if limits.iter().all(|(_, limit, _)| limit.is_none()) {
        return;
    }
    for (what, declared, used) in limits {
        told.most_if(&format!("the limit of {what}"), declared, used);
    }
    told.most_if(
        "the time between samples",
        interval_seconds,
        is.interval_seconds,
    );
    told.most(
        "the time above a limit",
        sustained_seconds,
        is.sustained_seconds,
    );
    if is.severity < severity {
        told.0.push("a broken limit means less".into());
    }
}

/// What is weaker, in words.
#[derive(Default)]
struct Told(Vec<String>);

impl Told {
    /// At most as much may be used as is declared. What is no number is weaker than any.
    fn most(&mut self, what: &str, declared: f64, used: f64) {
        if used
            .partial_cmp(&declared)
            .is_none_or(|order| order.is_gt())
        {
            self.0
                .push(format!("{what} is {used}, and declared is {declared}"));
        }
    }

    /// At least as much must be used as is declared.
    fn least(&mut self, what: &str, declared: f64, used: f64) {
        if used
            .partial_cmp(&declared)
            .is_none_or(|order| order.is_lt())
        {
            self.0
                .push(format!("{what} is {used}, and declared is {declared}"));
        }
    }

    fn most_if(&mut self, what: &str, declared: Option<f64>, used: Option<f64>) {
        match (declared, used) {
            (Some(declared), Some(used)) => self.most(what, declared, used),
            (Some(_), None) => self.0.push(format!("{what} is not limited")),
            (None, _) => {}
        }
    }

    fn least_if(&mut self, what: &str, declared: Option<f64>, used: Option<f64>) {
        match (declared, used) {
            (Some(declared), Some(used)) => self.least(what, declared, used),
            (Some(_), None) => self.0.push(format!("{what} is not demanded")),
            (None, _) => {}
        }
    }

    fn kept(&mut self, what: &str, declared: bool, used: bool) {
        if declared && !used {
            self.0.push(format!("it is not so that {what}"));
        }
    }

    fn same<T: PartialEq>(&mut self, what: &str, declared: &T, used: &T) {
        if declared != used {
            self.0.push(format!("{what} is another"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;

    #[test]
    fn what_asks_less_is_told_and_what_asks_more_is_not() {
        let mut declared = crate::testing::spec();
        declared.gaps.live_seconds = Some(60.0);
        declared.resources.max_memory_mb = Some(64.0);
        declared.resources.interval_seconds = Some(1.0);
        declared.heartbeat = Some(HeartbeatSpec {
            period_seconds: 5.0,
            tolerance: 2.0,
            event: Some("beat".into()),
        });
        declared.criteria.minimum_uptime_ratio = Some(0.98);
        declared.criteria.minimum_duration_seconds = Some(60.0);
        declared.criteria.require_diary = true;
        declared.criteria.allow_warnings = false;
        declared.environment.insert("LEVEL".into(), "all".into());
        declared.lines.stderr = StderrPolicy::Error;
        type Change = fn(&mut RunSpec);
        let stricter: [Change; 7] = [
            |_| {},
            |s| s.criteria.allow_warnings = true,
            |s| s.criteria.minimum_uptime_ratio = Some(0.99),
            |s| s.criteria.minimum_duration_seconds = Some(61.0),
            |s| s.gaps.fail_seconds /= 2.0,
            |s| s.resources.max_memory_mb = Some(63.0),
            |s| (s.run_id, s.log_dir) = ("another".into(), "/elsewhere".into()),
        ];
        for (n, change) in stricter.into_iter().enumerate() {
            let mut used = declared.clone();
            change(&mut used);
            assert_eq!(weaker(&declared, &used), Vec::<String>::new(), "{n}");
        }
        let less: [(Change, &str); 19] = [
            (|s| s.criteria.require_diary = false, "a diary is required"),
            (|s| s.criteria.minimum_uptime_ratio = Some(0.97), "uptime"),
            (|s| s.criteria.minimum_uptime_ratio = None, "uptime"),
            (
                |s| s.criteria.minimum_uptime_ratio = Some(f64::NAN),
                "uptime",
            ),
            (
                |s| s.criteria.minimum_duration_seconds = Some(1.0),
                "duration",
            ),
            (|s| s.target_seconds /= 2.0, "its time"),
            (|s| s.lines.stderr = StderrPolicy::Info, "stderr"),
            (|s| s.lines.monitor = false, "as they come"),
            (|s| s.gaps.fail_seconds *= 2.0, "no failure"),
            (|s| s.gaps.warn_seconds *= 2.0, "no warning"),
            (|s| s.gaps.startup_seconds += 1.0, "first line"),
            (|s| s.gaps.live_seconds = None, "live gap"),
            (|s| s.heartbeat = None, "period"),
            (|s| s.resources.max_memory_mb = None, "limit of memory"),
            (|s| s.resources.interval_seconds = None, "between samples"),
            (|s| s.resources.severity = Status::Warn, "broken limit"),
            (
                |s| drop(s.environment.insert("LEVEL".into(), "off".into())),
                "`LEVEL`",
            ),
            (|s| s.command = vec!["true".into()], "the command"),
            (|s| s.clock_scale = 2.0, "clock"),
        ];
        for (change, says) in less {
            let mut used = declared.clone();
            change(&mut used);
            let told = weaker(&declared, &used);
            assert!(told.iter().any(|t| t.contains(says)), "{says}: {told:?}");
        }
    }

    #[test]
    fn evidence_is_looked_at_as_it_is_declared() {
        let mut declared = crate::testing::spec();
        declared.evidence = vec![EvidenceSpec {
            name: "heap".into(),
            path: "/p/heap.jsonl".into(),
            format: crate::spec::EvidenceFormat::Jsonl,
            required: true,
            stale_warn_seconds: Some(60.0),
            stale_fail_seconds: Some(120.0),
            time_pointer: None,
            min_entries: None,
            min_entries_per_day: 0,
            daily_gap_severity: Status::Warn,
            thresholds: Vec::new(),
        }];
        type Change = fn(&mut EvidenceSpec);
        let less: [Change; 4] = [
            |e| e.required = false,
            |e| e.stale_fail_seconds = None,
            |e| e.stale_warn_seconds = Some(61.0),
            |e| e.path = "/p/other.jsonl".into(),
        ];
        for (n, change) in less.into_iter().enumerate() {
            let mut used = declared.clone();
            change(&mut used.evidence[0]);
            assert_eq!(weaker(&declared, &used).len(), 1, "{n}");
        }
        let mut used = declared.clone();
        used.evidence[0].stale_fail_seconds = Some(60.0);
        assert_eq!(weaker(&declared, &used), Vec::<String>::new());
        used.evidence.clear();
        assert_eq!(weaker(&declared, &used), ["`heap` is not looked at"]);
    }
}

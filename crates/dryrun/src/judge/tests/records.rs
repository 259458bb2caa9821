//! Records of a run that are none.

use super::*;

#[test]
fn broken_records_of_a_run_are_a_warning_and_what_a_stopped_child_cut_is_told() {
    let run = |last: &str, code: Option<i32>, stopped: bool| {
        let mut run = Run::new(spec());
        for n in 1..=60 {
            run.print(Stream::Stdout, n as f64 * 60.0 - 5.0, &beat(n));
        }
        run.print(Stream::Stdout, 3599.0, last);
        if stopped {
            run.keeper(
                3599.5,
                Event::Signalled {
                    signal: "INT".to_owned(),
                    processes: 1,
                },
            );
        }
        run.exit(3600.0, code.unwrap_or(0));
        run.judge()
    };
    let report = run("{\"level\":\"info\",\"x\":NaN}\n", None, false);
    assert!(
        codes(&report).contains("log_records_broken"),
        "{}",
        codes(&report)
    );
    let logs = report.summary.logs.as_ref().unwrap();
    assert_eq!((logs.status, logs.ignored_lines), (Status::Warn, 1));
    let problem = &logs.problems[0];
    assert_eq!(
        (
            problem.metadata["path"].as_str(),
            problem.metadata["line"].as_u64()
        ),
        (Some("stdout"), Some(61))
    );
    // A warning of a part of the evidence fails the sign-off, unless warnings are accepted.
    assert_ne!(report.status, Status::Pass);
    for (stopped, severity) in [(true, Status::Pass), (false, Status::Warn)] {
        let report = run("{\"level\":\"info\",\"mes", None, stopped);
        let logs = report.summary.logs.as_ref().unwrap();
        let told: Vec<_> = logs
            .problems
            .iter()
            .map(|p| (p.code.as_str(), p.severity))
            .collect();
        assert_eq!(told, [("log_record_cut", severity)]);
        assert_eq!((logs.status, logs.ignored_lines), (severity, 1));
        assert_eq!(report.status == Status::Pass, stopped, "{report:?}");
    }
}

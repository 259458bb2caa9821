//! What people read: reviews, wrap-ups, backlogs, the terminal, of runs that are made by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "people/extremes.rs"]
mod extremes;
#[path = "people/hostile.rs"]
mod hostile;
#[path = "people/reading.rs"]
mod reading;
#[path = "people/runs.rs"]
mod runs;
#[path = "people/watching.rs"]
mod watching;

use gonogo_dryrun::backlog::{Backlog, Source};
use gonogo_dryrun::review::{Category, Review, ReviewInputs, actions, html, markdown};
use gonogo_dryrun::spec::Allow;
use gonogo_dryrun::summary::{LogIncident, Report};
use gonogo_dryrun::wrap_up::{self, Options, WrapUp};
use gonogo_dryrun::{Incident, IncidentKind, Status};
use runs::{HOSTILE, ORDINARY, at, clean, empty, troubled};

fn inputs() -> ReviewInputs {
    ReviewInputs {
        run_label: Some("Paper trading, March candidate".to_owned()),
        attendees: vec![
            "Ada Lovelace".to_owned(),
            "Grace Hopper <grace@example.org>".to_owned(),
        ],
        notes: vec!["Vendor maintenance on Tuesday night.".to_owned()],
        objectives: vec![
            "latency=pass:p99 under 40 ms".parse().unwrap(),
            "failover=at_risk:only once rehearsed".parse().unwrap(),
        ],
        ..ReviewInputs::at(at(73.0))
    }
}

/// Every page that the screenshots and the snapshots are made of.
fn reviews() -> Vec<(&'static str, Review)> {
    let (report, rules) = clean();
    let mut passing = inputs();
    passing.rules = rules;
    passing.objectives.truncate(1);
    let mut hostile = inputs();
    hostile.run_label = Some(HOSTILE[2].to_owned());
    hostile.attendees = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    hostile.notes = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    hostile.objectives[0].name = HOSTILE[3].to_owned();
    hostile.objectives[1].note = Some(HOSTILE[0].to_owned());
    vec![
        ("empty", Review::of(&empty(), ReviewInputs::at(at(73.0)))),
        ("clean", Review::of(&report, passing)),
        ("troubled", Review::of(&troubled(ORDINARY), inputs())),
        ("hostile", Review::of(&troubled(HOSTILE), hostile)),
    ]
}

fn read(report: Report) -> wrap_up::Read {
    wrap_up::read(serde_json::to_string(&report).unwrap().as_bytes()).unwrap()
}

/// Writes all pages where `GONOGO_PEOPLE_OUT` says, for looking at; else only makes them.
#[test]
fn pages_are_made_of_every_run() {
    for (name, review) in reviews() {
        let pages = [
            ("html", html::render(&review)),
            ("md", markdown::render(&review)),
            ("json", review.json().unwrap()),
        ];
        for (kind, text) in pages {
            assert!(text.len() > 500 && text.ends_with('\n'), "{name}.{kind}");
            assert!(!text.contains("NaN"), "{name}.{kind}");
            if let Ok(dir) = std::env::var("GONOGO_PEOPLE_OUT") {
                std::fs::write(format!("{dir}/{name}.{kind}"), text).unwrap();
            }
        }
    }
}

#[test]
fn markdown_stays_as_it_is() {
    for (name, review) in reviews() {
        insta::assert_snapshot!(format!("review-{name}.md"), markdown::render(&review));
    }
}

#[test]
fn html_stays_as_it_is() {
    for (name, review) in reviews().into_iter().take(2) {
        insta::assert_snapshot!(format!("review-{name}.html"), html::render(&review));
    }
}

#[test]
fn the_same_json_gives_the_same_pages() {
    for (name, review) in reviews() {
        let again: Review = serde_json::from_str(&review.json().unwrap()).unwrap();
        assert_eq!(review, again, "{name}");
        assert_eq!(html::render(&review), html::render(&again), "{name}");
        assert_eq!(
            markdown::render(&review),
            markdown::render(&again),
            "{name}"
        );
    }
}

#[test]
fn wrap_up_and_backlog_stay_as_they_are() {
    let troubled = read(troubled(&ORDINARY[..3]));
    let wrap_up = WrapUp::of(&troubled, Options::at(at(73.0)));
    insta::assert_snapshot!("wrap-up-troubled.md", wrap_up.markdown());
    let sources = ["monday", "friday"].map(|label| Source {
        label: label.to_owned(),
        read: troubled.clone(),
        rules: Vec::new(),
    });
    let backlog = Backlog::of(&sources, at(73.0));
    insta::assert_snapshot!("backlog-troubled.md", backlog.markdown());
    insta::assert_snapshot!("backlog-troubled.csv", backlog.csv());
}

#[test]
fn a_review_is_never_better_than_its_worst_part() {
    let (report, rules) = clean();
    let review = |report: &Report, inputs: ReviewInputs| {
        Review::of(
            report,
            ReviewInputs {
                rules: rules.clone(),
                ..inputs
            },
        )
        .status
    };
    let plain = || ReviewInputs::at(at(73.0));
    assert_eq!(review(&report, plain()), Status::Pass);

    let mut worse = report.clone();
    worse.status = Status::Fail;
    assert_eq!(review(&worse, plain()), Status::Fail, "the report");
    let mut worse = report.clone();
    worse.summary.status = Status::Warn;
    assert_eq!(review(&worse, plain()), Status::Warn, "the summary");
    let mut worse = report.clone();
    worse.sign_off.as_mut().unwrap().status = Status::Invalid;
    assert_eq!(review(&worse, plain()), Status::Invalid, "the sign-off");
    let mut worse = report.clone();
    worse.incidents.push(incident(
        IncidentKind::PumpRestart,
        Status::Warn,
        "pump restarted",
    ));
    assert_eq!(review(&worse, plain()), Status::Warn, "an action");
    let mut inputs = plain();
    inputs.objectives = vec!["x=stop".parse().unwrap()];
    assert_eq!(review(&report, inputs), Status::Fail, "an objective");

    // What the parts say without a reason becomes a reason.
    let mut worse = report.clone();
    worse.status = Status::Fail;
    let collected = actions::collect(&worse, &[]);
    assert_eq!(collected.items.len(), 1);
    assert!(
        collected.items[0].description.contains("names no reason"),
        "{collected:?}"
    );
}

fn incident(kind: IncidentKind, severity: Status, message: &str) -> Incident {
    Incident {
        severity,
        occurred_at: at(5.0),
        message: message.to_owned(),
        kind,
        count: 3,
        last_at: None,
        open: false,
        accepted: None,
        metadata: Default::default(),
    }
}

#[test]
fn accepted_warnings_are_listed_with_rule_and_owner_and_do_not_count() {
    let (mut report, rules) = clean();
    report.incidents.push(incident(
        IncidentKind::Clock,
        Status::Warn,
        "clock stepped by 2 s",
    ));
    report.summary.status = Status::Warn;
    report.status = Status::Warn;
    report.sign_off.as_mut().unwrap().status = Status::Warn;
    let inputs = || ReviewInputs {
        rules: rules.clone(),
        ..ReviewInputs::at(at(73.0))
    };
    let strict = Review::of(&report, inputs());
    assert_eq!(strict.status, Status::Warn);
    assert_eq!(strict.accepted.len(), 1, "the rule's own");
    assert_eq!(strict.accepted[0].owner, "market-data@example.org");

    report.sign_off.as_mut().unwrap().criteria.allow_warnings = true;
    let lenient = Review::of(&report, inputs());
    assert_eq!(lenient.status, Status::Pass);
    assert!(
        lenient.action_items.is_empty(),
        "{:?}",
        lenient.action_items
    );
    let rules: Vec<&str> = lenient
        .accepted
        .iter()
        .map(|accepted| accepted.rule.as_str())
        .collect();
    assert!(
        rules.contains(&"feed-reconnect") && rules.contains(&actions::ALLOW_WARNINGS),
        "{rules:?}"
    );
    let text = markdown::render(&lenient);
    assert!(
        text.contains("### Accepted") && text.contains("clock stepped by 2 s"),
        "{text}"
    );

    // Failures are not warnings, and objectives are people's own.
    report
        .incidents
        .push(incident(IncidentKind::Exit, Status::Fail, "exit code 3"));
    assert_eq!(Review::of(&report, inputs()).status, Status::Fail);
    report.incidents.pop();
    let mut said = inputs();
    said.objectives = vec!["x=warn".parse().unwrap()];
    assert_eq!(Review::of(&report, said).status, Status::Warn);
}

#[test]
fn an_accepted_finding_does_not_hide_one_that_counts() {
    let (mut report, _) = clean();
    let logs = report.summary.logs.as_mut().unwrap();
    let mut counts = logs.warnings[0].clone();
    counts.accepted = None;
    logs.warnings.push(counts);
    let collected = actions::collect(&report, &[] as &[Allow]);
    assert_eq!(collected.items.len(), 1, "{collected:?}");
    assert_eq!(collected.accepted.len(), 1);
    assert_eq!(collected.accepted[0].owner, "not recorded");
}

#[test]
fn what_was_seen_live_and_afterwards_is_one_thing_to_do() {
    let (mut report, _) = clean();
    let logs = report.summary.logs.as_mut().unwrap();
    logs.warnings.clear();
    logs.errors.push(LogIncident {
        severity: Status::Fail,
        occurred_at: at(5.0),
        summary: "boom".to_owned(),
        count: 3,
        last_at: None,
        accepted: None,
        metadata: Default::default(),
    });
    logs.gap_incidents.push(LogIncident {
        severity: Status::Warn,
        occurred_at: at(4.0),
        summary: "silent for 120 minutes".to_owned(),
        count: 1,
        last_at: Some(at(6.0)),
        accepted: None,
        metadata: Default::default(),
    });
    report.incidents = vec![
        incident(IncidentKind::LogLevel, Status::Fail, "boom"),
        incident(IncidentKind::LogGap, Status::Warn, "no line for 61 minutes"),
    ];
    let items = actions::collect(&report, &[]).items;
    assert_eq!(items.len(), 2, "{items:?}");
    // Worse live than afterwards: both are told.
    report.incidents[1].severity = Status::Fail;
    let items = actions::collect(&report, &[]).items;
    assert_eq!(items.len(), 3, "{items:?}");
    assert_eq!(
        items.iter().map(|item| item.severity).collect::<Vec<_>>(),
        [Status::Fail, Status::Fail, Status::Warn]
    );
    assert!(items.iter().any(|item| item.category == Category::LogGap));
}

#[test]
fn figures_that_contradict_the_sign_off_are_told() {
    let (mut report, _) = clean();
    report.summary.metadata.actual_duration_seconds = Some(36_000.0);
    report.summary.logs.as_mut().unwrap().duration_seconds = Some(36_000.0);
    let review = Review::of(&report, ReviewInputs::at(at(73.0)));
    assert_eq!(review.status, Status::Invalid);
    assert!(
        review.blocking[0].contains("contradict"),
        "{:?}",
        review.blocking
    );
    let row = &review.criteria[0];
    assert_eq!(
        (row.margin.as_str(), row.status),
        ("−2d 14h 0s", Status::Fail)
    );
}

#[test]
fn criteria_say_what_the_numbers_mean() {
    let (report, rules) = clean();
    let review = Review::of(
        &report,
        ReviewInputs {
            rules,
            ..ReviewInputs::at(at(73.0))
        },
    );
    let uptime = &review.criteria[1];
    assert!(
        uptime.note.starts_with("98 % of 72 h allows 86.4 min down"),
        "{uptime:?}"
    );
    let says = |text: &str| {
        review
            .highlights
            .iter()
            .any(|highlight| highlight.contains(text))
    };
    assert!(
        says(
            "One run of 72 h without failure shows a mean time between failures (MTBF) > 24 h at 95 %"
        ),
        "{:?}",
        review.highlights
    );
    // One outage, and nothing of the kind may be said.
    let mut report = report;
    report
        .summary
        .logs
        .as_mut()
        .unwrap()
        .heartbeat
        .as_mut()
        .unwrap()
        .outages = 1;
    let review = Review::of(&report, ReviewInputs::at(at(73.0)));
    assert!(!review.highlights.iter().any(|text| text.contains("MTBF")));
}

#[test]
fn a_wrap_up_holds_the_duration_against_its_tolerance() {
    let (mut report, _) = clean();
    let met = |report: &Report, tolerance: f64| {
        let options = Options {
            tolerance_seconds: tolerance,
            ..Options::at(at(73.0))
        };
        let wrap_up = WrapUp::of(&read(report.clone()), options);
        (wrap_up.duration_met, wrap_up.status)
    };
    assert_eq!(met(&report, 300.0), (Some(true), Status::Pass));
    let logs = report.summary.logs.as_mut().unwrap();
    logs.duration_seconds = None;
    report.sign_off = None;
    for (seconds, tolerance, expected) in [
        (258_900.0, 300.0, (Some(true), Status::Pass)),
        (258_899.0, 300.0, (Some(false), Status::Fail)),
        (258_900.0, 299.0, (Some(false), Status::Fail)),
        (259_200.0, 0.0, (Some(true), Status::Pass)),
        (258_900.0, f64::INFINITY, (Some(false), Status::Fail)),
        (258_900.0, f64::NAN, (Some(false), Status::Fail)),
    ] {
        report.summary.metadata.actual_duration_seconds = Some(seconds);
        assert_eq!(met(&report, tolerance), expected, "{seconds} {tolerance}");
    }
    // Nobody knows how long it was: that is not long enough.
    report.summary.metadata.actual_duration_seconds = None;
    assert_eq!(met(&report, 300.0), (Some(false), Status::Fail));
    report.summary.metadata.target_duration_seconds = None;
    assert_eq!(met(&report, 300.0).0, None);
}

#[test]
fn warnings_fail_a_wrap_up_if_asked() {
    let (mut report, _) = clean();
    report.incidents.push(incident(
        IncidentKind::Clock,
        Status::Warn,
        "clock stepped by 2 s",
    ));
    let status = |treat_warn_as_failure| {
        let options = Options {
            treat_warn_as_failure,
            ..Options::at(at(73.0))
        };
        WrapUp::of(&read(report.clone()), options).status
    };
    assert_eq!(status(false), Status::Warn);
    assert_eq!(status(true), Status::Fail);
}

#[test]
fn a_backlog_counts_and_ends_as_asked() {
    let (clean, _) = clean();
    let source = |report: &Report| Source {
        label: "a".to_owned(),
        read: read(report.clone()),
        rules: Vec::new(),
    };
    let none = Backlog::of(&[source(&clean)], at(73.0));
    assert!(none.items.is_empty() && none.accepted == 1);
    assert_eq!(none.exit(true, true).code(), 0);
    let mut warned = clean.clone();
    warned
        .incidents
        .push(incident(IncidentKind::Clock, Status::Warn, "clock stepped"));
    let warned = Backlog::of(&[source(&warned)], at(73.0));
    assert_eq!(
        [(false, false), (false, true), (true, false), (true, true)]
            .map(|(w, f)| warned.exit(w, f).code()),
        [0, 0, 1, 1]
    );
    let failed = Backlog::of(&[source(&troubled(ORDINARY)), source(&clean)], at(73.0));
    assert_eq!(
        [(false, false), (false, true), (true, false), (true, true)]
            .map(|(w, f)| failed.exit(w, f).code()),
        [0, 2, 1, 2]
    );
    assert_eq!(
        failed.counts.values().sum::<u64>(),
        failed.items.len() as u64
    );
    // An objective of a review that the report carries.
    let mut said = clean;
    said.review = Some(
        serde_json::json!({"objectives": [{"name": "x", "status": "fail", "note": "y"}, {"name": "z", "status": "pass"}]}),
    );
    let said = Backlog::of(&[source(&said)], at(73.0));
    assert_eq!(
        said.items
            .iter()
            .map(|item| item.description.as_str())
            .collect::<Vec<_>>(),
        ["x: y"]
    );
}

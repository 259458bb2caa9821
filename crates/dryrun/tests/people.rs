//! What people read: reviews, wrap-ups, backlogs, the terminal and the live page, of runs that are made by hand.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "people/runs.rs"]
mod runs;

use gonogo_dryrun::review::{Review, ReviewInputs, html, markdown};
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

#[test]
fn pages_are_written_for_looking_at() {
    let Ok(dir) = std::env::var("GONOGO_PEOPLE_OUT") else {
        return;
    };
    for (name, review) in reviews() {
        std::fs::write(format!("{dir}/{name}.html"), html::render(&review)).unwrap();
        std::fs::write(format!("{dir}/{name}.md"), markdown::render(&review)).unwrap();
        std::fs::write(format!("{dir}/{name}.json"), review.json().unwrap()).unwrap();
    }
}

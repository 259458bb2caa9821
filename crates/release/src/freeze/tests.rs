//! Tables: windows against moments, overlaps, clocks that are set, and what a freeze must never block.

use gonogo_core::id::FreezeId;
use jiff::tz::TimeZone;

use super::*;

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn window(name: &str, from: &str, until: &str, environments: &[&str]) -> Window {
    Window {
        name: name.into(),
        environments: environments.iter().map(|e| (*e).to_owned()).collect(),
        reason: format!("{name} is quiet"),
        when: When::read(from, until, Some(&berlin())).unwrap(),
    }
}

fn declared(environments: &[&str], until: Option<&str>) -> Declared {
    Declared {
        freeze: FreezeId::mint([7; 8]),
        environments: environments.iter().map(|e| (*e).to_owned()).collect(),
        reason: "a database moves".into(),
        by: "dana".into(),
        on_behalf_of: None,
        since: at("2026-03-03T00:00:00Z"),
        until: until.map(at),
        posture: None,
        demanded: Default::default(),
    }
}

#[test]
fn a_weekly_window_holds_between_its_ends_and_nowhere_else() {
    let weekend = window("weekend", "Fri 16:00", "Mon 08:00", &[]);
    let early = window("early", "mon 06:00", "Monday 07:30", &[]);
    let nearly = window("nearly", "Wed 12:00", "Wed 11:59", &[]);
    for (window, moment, holds) in [
        (&weekend, "2026-01-16T14:59:59.999Z", false),
        (&weekend, "2026-01-16T15:00:00Z", true),
        (&weekend, "2026-01-18T23:30:00Z", true),
        (&weekend, "2026-01-19T06:59:59.999Z", true),
        (&weekend, "2026-01-19T07:00:00Z", false),
        // In summer the clocks are an hour ahead.
        (&weekend, "2026-07-17T13:59:59Z", false),
        (&weekend, "2026-07-17T14:00:00Z", true),
        (&weekend, "2026-07-20T05:59:59Z", true),
        (&weekend, "2026-07-20T06:00:00Z", false),
        (&early, "2026-01-19T05:00:00Z", true),
        (&early, "2026-01-19T06:30:00Z", false),
        (&early, "2026-01-20T05:30:00Z", false),
        // All week but a minute.
        (&nearly, "2026-01-21T10:58:59Z", true),
        (&nearly, "2026-01-21T10:59:30Z", false),
        (&nearly, "2026-01-21T11:00:00Z", true),
    ] {
        let found = active(std::slice::from_ref(window), &[], "prod", at(moment));
        assert_eq!(
            found.len() == 1,
            holds,
            "{} at {moment}: {found:?}",
            window.name
        );
    }
}

#[test]
fn where_clocks_are_set_a_window_is_longer_and_never_shorter() {
    // On 29 March 2026 clocks in Berlin go from 02:00 to 03:00, on 25 October from 03:00 back to 02:00.
    let spring = window("spring", "Sun 02:30", "Sun 04:00", &[]);
    let spring_end = window("spring end", "Sat 12:00", "Sun 02:30", &[]);
    let autumn = window("autumn", "Sun 02:30", "Sun 04:00", &[]);
    let autumn_end = window("autumn end", "Sat 12:00", "Sun 02:30", &[]);
    for (window, moment, ends) in [
        // 02:30 does not exist: it begins at 01:30.
        (&spring, "2026-03-29T00:29:59Z", None),
        (
            &spring,
            "2026-03-29T00:30:00Z",
            Some("2026-03-29T02:00:00.000Z"),
        ),
        // And it ends at 03:30.
        (
            &spring_end,
            "2026-03-29T01:29:59Z",
            Some("2026-03-29T01:30:00.000Z"),
        ),
        (&spring_end, "2026-03-29T01:30:00Z", None),
        // 02:30 is twice: it begins at the first, and ends at the second.
        (&autumn, "2026-10-25T00:29:59Z", None),
        (
            &autumn,
            "2026-10-25T00:30:00Z",
            Some("2026-10-25T03:00:00.000Z"),
        ),
        (
            &autumn_end,
            "2026-10-25T01:29:59Z",
            Some("2026-10-25T01:30:00.000Z"),
        ),
        (&autumn_end, "2026-10-25T01:30:00Z", None),
    ] {
        let found = active(std::slice::from_ref(window), &[], "prod", at(moment));
        let until = found.first().map(|a| a.until.unwrap().to_string());
        assert_eq!(until.as_deref(), ends, "{} at {moment}", window.name);
    }
}

#[test]
fn moments_have_an_offset_or_a_zone_and_weeks_read_strictly() {
    let zone = berlin();
    let once = |from, until, zone| When::read(from, until, zone);
    let utc = once("2026-12-20T17:00:00Z", "2026-12-27T17:00:00+00:00", None).unwrap();
    assert_eq!(
        once("2026-12-20 18:00", "2026-12-27T18:00", Some(&zone)).unwrap(),
        utc
    );
    assert!(utc.is_sound());
    for (from, until, zone, first) in [
        ("2026-12-20 18:00", "2026-12-27T17:00:00Z", None, true),
        ("2026-12-20T17:00:00Z", "soon", Some(&zone), false),
        ("Fri", "Mon 08:00", None, true),
        ("Fri 16:00", "Mon 8:00", None, false),
        ("Fri 16:00", "Mon 24:00", None, false),
        ("Fre 16:00", "Mon 08:00", None, true),
        ("Fri 16:00", "2026-12-27T17:00:00Z", None, false),
        ("Fri 16:00:30", "Mon 08:00", None, true),
    ] {
        let refused = once(from, until, zone).unwrap_err();
        assert_eq!(refused.0, first, "{from} {until}");
    }
    let back = once("2026-12-27T17:00:00Z", "2026-12-20T17:00:00Z", None).unwrap();
    assert!(!back.is_sound());
    assert!(!once("Fri 16:00", "fri 16:00", None).unwrap().is_sound());
}

#[test]
fn deny_wins_over_every_window_that_is_over_and_freezes_know_their_environments() {
    let now = at("2026-03-04T12:00:00Z");
    let windows = [
        window("over", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", &[]),
        window(
            "on",
            "2026-03-04T00:00:00Z",
            "2026-03-05T00:00:00Z",
            &["prod"],
        ),
        window("also", "Wed 12:00", "Wed 14:00", &["prod", "staging"]),
    ];
    let all = [
        declared(&[], None),
        declared(&["staging"], Some("2026-03-04T12:00:00Z")),
        declared(&["dev"], Some("2026-03-04T12:00:00.001Z")),
    ];
    let names = |environment: &str, people: &[Declared]| -> Vec<bool> {
        let found = active(&windows, people, environment, now);
        found.iter().map(|a| a.window).collect()
    };
    assert_eq!(names("prod", &[]), [true, true]);
    assert_eq!(names("staging", &[]), [true]);
    assert!(names("dev", &[]).is_empty());
    assert_eq!(names("prod", &all), [true, true, false]);
    assert_eq!(
        names("staging", &all),
        [true, false],
        "its own is over at its end"
    );
    assert_eq!(names("dev", &all), [false, false]);
    // A clock that went back does not open it.
    let before = active(&[], &all[..1], "prod", at("2026-03-01T00:00:00Z"));
    assert_eq!(before.len(), 1);
}

#[test]
fn no_freeze_ever_blocks_the_way_back() {
    let windows = [window("always", "Mon 00:00", "Sun 23:59", &[])];
    let people = [declared(&[], None), declared(&["prod"], None)];
    let all = active(&windows, &people, "prod", at("2026-03-04T12:00:00Z"));
    assert_eq!(all.len(), 3);
    assert_eq!(blocks(PlanKind::Rollback, &all), None);
    assert_eq!(blocks(PlanKind::Release, &all), Some(&all[0]));
    assert_eq!(blocks(PlanKind::Release, &[]), None);
    assert_eq!(
        all[1].words(),
        format!(
            "freeze `{}` by dana, until somebody ends it: a database moves",
            people[0].freeze
        )
    );
}

//! `[[freeze]]`: windows in which nothing new is applied.
//!
//! Invariants: a window that could not be read is a fault and never "no freeze"; a zone that nobody knows is a fault; an environment that
//! is not there is a fault, for whoever wrote it meant another one.

use gonogo_release::freeze::{When, Window};
use jiff::tz::TimeZone;

use super::environment::near_and_list;
use super::keys::FREEZE;
use super::name;
use super::reader::{Found, Table};

/// Most windows of a file.
const MOST: usize = 100;

/// Reads every window.
pub(super) fn read(root: &Table<'_, '_>, environments: &[String]) -> Vec<Window> {
    let Some(tables) = root.tables("freeze", &FREEZE) else {
        return Vec::new();
    };
    if tables.value.len() > MOST {
        tables.refuse(root.faults, format!("expected at most {MOST} windows"));
        return Vec::new();
    }
    let mut windows: Vec<Window> = Vec::new();
    for table in &tables.value {
        let [name, from, until, reason] = ["name", "from", "until", "reason"].map(|key| {
            table.require(key);
            table.text(key)
        });
        let zone = table.text("zone").and_then(|zone| read_zone(table, &zone));
        let covered = read_environments(table, environments);
        let (Some(name), Some(from), Some(until), Some(reason)) = (name, from, until, reason)
        else {
            continue;
        };
        name::check(table.faults, "a freeze's name", &name);
        if windows.iter().any(|w| w.name == name.value) {
            name.refuse(
                table.faults,
                format!("`{}` stands twice; keep one", name.value),
            );
        }
        let said = (1..=500).contains(&reason.value.chars().count());
        if !said || reason.value.chars().any(char::is_control) {
            reason.refuse(
                table.faults,
                "expected a reason in one line of 1 to 500 characters",
            );
        }
        let Some(when) = read_when(table, &from, &until, zone.as_ref()) else {
            continue;
        };
        windows.push(Window {
            name: name.value,
            environments: covered,
            reason: reason.value,
            when,
        });
    }
    windows
}

fn read_zone(table: &Table<'_, '_>, zone: &Found<String>) -> Option<TimeZone> {
    let known = TimeZone::get(&zone.value).ok();
    if known.is_none() {
        zone.refuse_with(
            table.faults,
            "expected a name of the IANA time zone database",
            vec!["such as `Europe/Berlin`, `America/New_York` or `UTC`".into()],
        );
    }
    known
}

fn read_environments(table: &Table<'_, '_>, known: &[String]) -> Vec<String> {
    let named = table
        .texts("environments")
        .map_or_else(Vec::new, |n| n.value);
    for one in named.iter().filter(|n| !known.contains(&n.value)) {
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        one.refuse_with(
            table.faults,
            format!("no environment has the name `{}`", one.value.escape_debug()),
            near_and_list(&one.value, &names),
        );
    }
    named.into_iter().map(|n| n.value).collect()
}

fn read_when(
    table: &Table<'_, '_>,
    from: &Found<String>,
    until: &Found<String>,
    zone: Option<&TimeZone>,
) -> Option<When> {
    let when = match When::read(&from.value, &until.value, zone) {
        Ok(when) => when,
        Err((first, e)) => {
            let blamed = if first { from } else { until };
            blamed.refuse(table.faults, e.to_string());
            return None;
        }
    };
    // Somebody's clocks are meant, and nobody said whose.
    if matches!(when, When::Weekly(_)) && !table.has("zone") {
        from.refuse_with(
            table.faults,
            "a day of the week needs a `zone`",
            vec!["say whose clocks: `zone = \"Europe/Berlin\"`".into()],
        );
        return None;
    }
    if !when.is_sound() {
        until.refuse(table.faults, "expected a time after `from`");
        return None;
    }
    Some(when)
}

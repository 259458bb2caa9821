//! Strategies and checks: how traffic moves and what is judged. Read into the plan's own types.
//!
//! Invariant: nothing here can make a check pass on no data: `min_requests` is at least 1, margins and limits lie
//! strictly between 0 % and 100 %.

use std::fmt::Display;
use std::str::FromStr;

use gonogo_core::{Share, Span};
use gonogo_release::plan::{Checks, RateCheck, Stage, Strategy};

use super::keys::{CLIENT_ERRORS, ERRORS, SLOW, STAGE};
use super::reader::{Found, Table};

/// Most stages of a strategy.
const MOST_STAGES: usize = 32;
/// Most requests that `min_requests` may ask for.
const MOST_REQUESTS: u64 = 1_000_000_000;
/// Share of traffic that one part per ten thousand is, in parts per million.
const BASIS_POINT: u32 = 100;

/// Returns the built-in strategy `default`: 5 %, 25 %, 50 %, each 10 s to 10 min, then 30 s of soak.
pub fn default_strategy() -> Strategy {
    Strategy {
        name: "default".into(),
        stages: [5, 25, 50]
            .map(|percent| Stage {
                weight: Share::from_percent(percent),
                bake: Span::from_secs(10),
                within: Span::from_secs(600),
            })
            .into(),
        soak: Span::from_secs(30),
        promote_within: Span::from_secs(30),
        sample_every: Span::from_millis(500),
    }
}

/// Returns the built-in checks `default`: after 100 requests, errors within 1 % of stable's and under 2 %, requests over
/// 250 ms within 2 % of stable's and under 10 %, client errors within 5 % of stable's and under 50 %.
pub fn default_checks() -> Checks {
    Checks {
        name: "default".into(),
        min_requests: 100,
        errors: RateCheck {
            margin: Share::from_percent(1),
            limit: Share::from_percent(2),
        },
        slow: RateCheck {
            margin: Share::from_percent(2),
            limit: Share::from_percent(10),
        },
        client_errors: RateCheck {
            margin: Share::from_percent(5),
            limit: Share::from_percent(50),
        },
        slow_over: Span::from_millis(250),
        alpha_abort: Share::from_percent(1),
        alpha_promote: Share::from_percent(5),
    }
}

/// Reads a text that parses, or takes the key's default from the key table.
pub(super) fn defaulted<T>(table: &Table<'_, '_>, name: &str) -> Found<T>
where
    T: FromStr<Err: Display> + Default + Form,
{
    table
        .parsed(name, T::FORM)
        .unwrap_or_else(|| table.default_of(name))
}

/// How a value is written, for messages.
pub(super) trait Form {
    const FORM: &'static str;
}

impl Form for Span {
    const FORM: &'static str = "a duration such as `\"10s\"`";
}

impl Form for Share {
    const FORM: &'static str = "a share such as `\"5%\"`";
}

/// Reads `[strategies.NAME]`.
pub(super) fn read_strategy(name: &str, table: &Table<'_, '_>) -> Strategy {
    let sample_every: Found<Span> = defaulted(table, "sample_every");
    let soak: Found<Span> = defaulted(table, "soak");
    let promote_within: Found<Span> = defaulted(table, "promote_within");
    if !(Span::from_millis(100)..=Span::from_secs(60)).contains(&sample_every.value) {
        sample_every.refuse(table.faults, "expected 100ms to 60s");
    }
    let two = sample_every.value.plus(sample_every.value);
    for span in [&soak, &promote_within] {
        if span.value < two {
            let message = format!(
                "{} is less than two samples, {two}: one may straddle the change, the next one counts",
                span.value
            );
            span.refuse(table.faults, message);
        }
    }
    let stages = table.tables("stages", &STAGE).map(|stages| {
        if stages.value.is_empty() && table.is_whole_list("stages", 0) {
            stages.refuse(
                table.faults,
                "expected at least one stage; promotion to 100% follows by itself",
            );
        } else if stages.value.len() > MOST_STAGES {
            stages.refuse(
                table.faults,
                format!("expected at most {MOST_STAGES} stages"),
            );
        }
        read_stages(&stages.value)
    });
    Strategy {
        name: name.to_owned(),
        stages: stages.unwrap_or_else(|| default_strategy().stages),
        soak: soak.value,
        promote_within: promote_within.value,
        sample_every: sample_every.value,
    }
}

fn read_stages(tables: &[Table<'_, '_>]) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    for table in tables {
        table.require("weight");
        let bake: Found<Span> = defaulted(table, "bake");
        let within: Found<Span> = defaulted(table, "within");
        if bake.value > within.value {
            let message = format!(
                "`bake` is {}, longer than `within`, {}",
                bake.value, within.value
            );
            bake.refuse(table.faults, message);
        }
        let Some(weight) = table.parsed::<Share>("weight", Share::FORM) else {
            continue;
        };
        if weight.value == Share::ZERO || weight.value == Share::FULL {
            weight.refuse(
                table.faults,
                "expected more than 0% and less than 100%; promotion to 100% follows by itself",
            );
        } else if weight.value.ppm() % BASIS_POINT != 0 {
            weight.refuse(table.faults, "expected steps of 0.01%");
        }
        if let Some(before) = stages.last().filter(|s| s.weight >= weight.value) {
            let message = format!("expected more than the stage before it, {}", before.weight);
            weight.refuse(table.faults, message);
        }
        stages.push(Stage {
            weight: weight.value,
            bake: bake.value,
            within: within.value,
        });
    }
    stages
}

/// Reads `[checks.NAME]`.
pub(super) fn read_checks(name: &str, table: &Table<'_, '_>) -> Checks {
    let base = default_checks();
    let min_requests = table.count("min_requests").map_or(base.min_requests, |n| {
        if n.value == 0 {
            n.refuse(
                table.faults,
                "expected at least 1: a check with 0 requests would pass on no data",
            );
        } else if n.value > MOST_REQUESTS {
            n.refuse(table.faults, format!("expected at most {MOST_REQUESTS}"));
        }
        n.value
    });
    let slow = table.table("slow", &SLOW);
    let slow_over = slow.as_ref().map_or(base.slow_over, |t| {
        let over: Found<Span> = defaulted(t, "over");
        if over.value == Span::ZERO {
            over.refuse(t.faults, "expected more than 0s");
        }
        over.value
    });
    Checks {
        name: name.to_owned(),
        min_requests,
        errors: table
            .table("errors", &ERRORS)
            .map_or(base.errors, |t| read_rate(&t)),
        slow: slow.map_or(base.slow, |t| read_rate(&t)),
        client_errors: table
            .table("client_errors", &CLIENT_ERRORS)
            .map_or(base.client_errors, |t| read_rate(&t)),
        slow_over,
        alpha_abort: read_alpha(table, "alpha_abort"),
        alpha_promote: read_alpha(table, "alpha_promote"),
    }
}

fn read_rate(table: &Table<'_, '_>) -> RateCheck {
    let [margin, limit] = ["margin", "limit"].map(|name| {
        let share: Found<Share> = defaulted(table, name);
        if share.value == Share::ZERO || share.value == Share::FULL {
            share.refuse(table.faults, "expected more than 0% and less than 100%");
        }
        share.value
    });
    RateCheck { margin, limit }
}

fn read_alpha(table: &Table<'_, '_>, name: &str) -> Share {
    let alpha: Found<Share> = defaulted(table, name);
    if alpha.value == Share::ZERO || alpha.value > Share::from_percent(50) {
        alpha.refuse(table.faults, "expected more than 0% and at most 50%");
    }
    alpha.value
}

#[cfg(test)]
mod tests {
    use super::super::keys;
    use super::*;

    #[test]
    fn documented_defaults_are_the_real_ones() {
        let strategy = default_strategy();
        let text = |section: &keys::Section, name| section.default_text(name).unwrap();
        assert_eq!(text(&keys::STRATEGY, "soak"), strategy.soak.to_string());
        assert_eq!(
            text(&keys::STRATEGY, "promote_within"),
            strategy.promote_within.to_string()
        );
        assert_eq!(
            text(&keys::STRATEGY, "sample_every"),
            strategy.sample_every.to_string()
        );
        assert_eq!(
            text(&keys::STAGE, "bake"),
            strategy.stages[0].bake.to_string()
        );
        assert_eq!(
            text(&keys::STAGE, "within"),
            strategy.stages[0].within.to_string()
        );
        let weights: Vec<String> = strategy
            .stages
            .iter()
            .map(|s| format!("{{ weight = \"{}\" }}", s.weight))
            .collect();
        assert_eq!(
            text(&keys::STRATEGY, "stages"),
            format!("[{}]", weights.join(", "))
        );
        let checks = default_checks();
        assert_eq!(
            text(&keys::CHECKS, "min_requests"),
            checks.min_requests.to_string()
        );
        assert_eq!(
            text(&keys::CHECKS, "alpha_abort"),
            checks.alpha_abort.to_string()
        );
        assert_eq!(
            text(&keys::CHECKS, "alpha_promote"),
            checks.alpha_promote.to_string()
        );
        for (section, rate) in [
            (&ERRORS, &checks.errors),
            (&SLOW, &checks.slow),
            (&CLIENT_ERRORS, &checks.client_errors),
        ] {
            assert_eq!(text(section, "margin"), rate.margin.to_string());
            assert_eq!(text(section, "limit"), rate.limit.to_string());
        }
        assert_eq!(text(&SLOW, "over"), checks.slow_over.to_string());
    }
}

//! The comparison of base and head beside itself and beside a real slowdown: `perf_trials` of `gonogo-exec`.

use anyhow::Result;
use serde_json::{Value, json};

use crate::bench::figures::{last_json, number};
use crate::bench::programs::example;
use crate::bench::{Bench, Measured, Row, Settings};

pub(in crate::bench) const SUITE_PERF: Bench = Bench {
    name: "suite-perf",
    bars: &[
        (
            "base beside itself, measured and judged: false alarms",
            "≤ 1 %",
        ),
        ("5 % more work, measured and judged: caught", "≥ 90 %"),
    ],
    run,
};

fn run(settings: &Settings) -> Result<Measured> {
    let trials = settings.runs(200, 20).to_string();
    let figures = last_json(&example(
        "gonogo-exec",
        "perf_trials",
        &["trials", &trials],
    )?)?;
    // The peer of the slowdown is the slowdown itself, counted in instructions where the counter is installed.
    let counted = example("gonogo-exec", "perf_trials", &["verify"]).and_then(|t| last_json(&t));
    let count = number(&figures, "/trials")?;
    let share = |path: &str| Ok::<f64, anyhow::Error>(100.0 * number(&figures, path)? / count);
    let alarms = share("/false_alarms")?;
    let caught = share("/caught")?;
    let rows = vec![
        Row::new(
            SUITE_PERF.bars[0].0,
            SUITE_PERF.bars[0].1,
            format!(
                "{alarms:.1} % of {count}; {:.1} % passed, {}",
                share("/passed_rightly")?,
                took(&figures, "/same")?
            ),
            alarms <= 1.0,
        ),
        Row::new(
            SUITE_PERF.bars[1].0,
            SUITE_PERF.bars[1].1,
            format!(
                "{caught:.1} % of {count}; {:.1} % passed, {}",
                share("/passed_wrongly")?,
                took(&figures, "/slower")?
            ),
            caught >= 90.0,
        )
        .beside(match &counted {
            Ok(v) => format!(
                "{:+.2} % instructions",
                100.0 * (number(v, "/ratio")? - 1.0)
            ),
            Err(_) => "—".into(),
        }),
    ];
    let counted = counted.unwrap_or(Value::Null);
    Ok(Measured {
        rows,
        raw: json!({"trials": figures, "instructions": counted}),
    })
}

fn took(figures: &Value, at: &str) -> Result<String> {
    let seconds = |q: &str| number(figures, &format!("{at}/seconds_of_a_trial/{q}"));
    Ok(format!(
        "{:.1} s a trial (p95 {:.1} s)",
        seconds("p50")?,
        seconds("p95")?
    ))
}

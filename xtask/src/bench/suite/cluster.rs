//! Clusters of failures and diffs of runs: examples of `gonogo-suite`.
//!
//! No program that clusters failures is to be had without a network, so the peers are naive versions of the same rules in the same run: all
//! pairs by the textbook's edit distance, and a hash map for the diff.

use anyhow::Result;
use serde_json::{Value, json};

use crate::bench::figures::{grouped, last_json, number};
use crate::bench::programs::example;
use crate::bench::{Bench, Measured, Row, Settings, workshop};

pub(in crate::bench) const SUITE_CLUSTER: Bench = Bench {
    name: "suite-cluster",
    bars: &[
        (
            "cluster 470,000 failures, look-alikes included",
            "< 60 s, ≤ 1 GB",
        ),
        (
            "the same in reverse order, and in four processes: cluster ids and state",
            "the same",
        ),
        ("diff of two runs of 100,000 tests", "< 1 s"),
        ("diff of two runs of 1,000,000 tests", "< 10 s"),
    ],
    run: suite_cluster,
};

fn bar(n: usize) -> (&'static str, &'static str) {
    SUITE_CLUSTER.bars[n]
}

fn suite_cluster(settings: &Settings) -> Result<Measured> {
    let cluster = |args: &[&str]| last_json(&example("gonogo-suite", "cluster", args)?);
    let diff = |args: &[&str]| last_json(&example("gonogo-suite", "diff", args)?);
    let failures = settings.runs(470_000, 20_000).to_string();
    let straight = cluster(&["all", &failures])?;
    let back = cluster(&["back", &failures])?;
    let state = workshop("suite-cluster")?.join("state.json");
    let path = state.display().to_string();
    let mut parts = Vec::new();
    for part in ["0", "1", "2", "3"] {
        parts.push(cluster(&["part", &path, part, "4", &failures])?);
    }
    std::fs::remove_file(&state)?;
    let near = cluster(&["near", &settings.runs(1_000, 200).to_string()])?;
    let times = settings.runs(5, 1).to_string();
    let small = diff(&[&settings.runs(100_000, 10_000).to_string(), &times])?;
    let large = diff(&[&settings.runs(1_000_000, 20_000).to_string(), &times])?;
    let rows = vec![
        speed(&straight, &near)?,
        same(&straight, &back, &parts)?,
        compared(2, &small, 1.0)?,
        compared(3, &large, 10.0)?,
    ];
    let raw = json!({"all": straight, "back": back, "parts": parts, "near": near, "small": small, "large": large});
    Ok(Measured { rows, raw })
}

fn speed(raw: &Value, near: &Value) -> Result<Row> {
    let (seconds, rss) = (
        number(raw, "/seconds")?,
        number(raw, "/peak_rss_kib")? / 1024.0,
    );
    let text = format!(
        "{seconds:.1} s, of which look-alikes {:.1} s; {} clusters of {} causes; at most {rss:.0} MB",
        number(raw, "/suggest_s")?,
        grouped(number(raw, "/clusters")?),
        grouped(number(raw, "/causes")?),
    );
    let (what, bar) = bar(0);
    let mut row = Row::new(what, bar, text, seconds < 60.0 && rss <= 1024.0);
    row.peer = format!(
        "look-alikes among {}: {:.0} ms, all pairs naively {:.0} ms; {} of {} missed",
        grouped(number(near, "/clusters")?),
        number(near, "/ours_ms")?,
        number(near, "/naive_ms")?,
        number(near, "/missed")?,
        number(near, "/with_a_neighbour")?,
    );
    Ok(row)
}

fn same(straight: &Value, back: &Value, parts: &[Value]) -> Result<Row> {
    let last = parts.last().unwrap_or(&Value::Null);
    let state = |value: &Value| value["state"].as_str().map(str::to_owned);
    let same = state(straight).is_some()
        && state(straight) == state(back)
        && state(straight) == state(last);
    let text = format!(
        "{}; the state has {} bytes",
        if same { "byte by byte" } else { "they differ" },
        grouped(number(last, "/state_bytes")?),
    );
    let (what, bar) = bar(1);
    Ok(Row::new(what, bar, text, same))
}

fn compared(n: usize, raw: &Value, most: f64) -> Result<Row> {
    let seconds = number(raw, "/seconds")?;
    let agreed = raw["agreed"].as_bool() == Some(true);
    let text = format!(
        "{seconds:.2} s, {} changed; at most {:.0} MB, the two runs themselves {:.0} MB",
        grouped(number(raw, "/changed")?),
        number(raw, "/peak_rss_kib")? / 1024.0,
        number(raw, "/rss_of_both_runs_kib")? / 1024.0,
    );
    let (what, bar) = bar(n);
    let mut row = Row::new(what, bar, text, seconds < most && agreed);
    row.peer = format!(
        "hash map and sort: {:.2} s, without the entries",
        number(raw, "/naive_seconds")?
    );
    Ok(row)
}

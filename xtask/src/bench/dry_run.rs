//! Dry runs beside the loggers and query tools that people would take instead: capture, audit, what kills cost, what memory does.
//!
//! The measuring is a Python program (`dry_run.py`), because one peer is a Python package; here it is fed, and held against the bars.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::figures::{grouped, last_json, number};
use super::peers::{duckdb, install_packages};
use super::{Bench, Measured, Row, Settings, target, workshop};
use crate::run::{cargo, has, output};

pub(super) const DRY_RUN: Bench = Bench {
    name: "dry-run",
    bars: &[
        (
            "capture of 4 M lines: raw bytes, index, SHA-256, levels, traces",
            "≥ 2 × `s6-log -b`",
        ),
        (
            "the same with both views made live",
            "≥ 1 × `s6-log -b`, ≥ 1 M lines a second",
        ),
        ("raw capture beside `multilog t`, `svlogd -tt`", "≥ 5 ×"),
        (
            "capture with gzip beside `s6-log` + `gzip -1`, `svlogd !gzip -1`",
            "≥ 3 ×",
        ),
        (
            "capture with zstd beside `s6-log` + `gzip -1`, `svlogd !gzip -1`",
            "≥ 3 ×",
        ),
        ("4,000 distinct warnings in a burst", "< 0.5 s more"),
        (
            "audit of the same log in gzip members, two threads",
            "≥ 5 × DuckDB, ≥ 4 × `rg -z`, ≤ 64 MiB",
        ),
        ("audit of 10 M lines", "≤ 64 MiB"),
        ("pump killed at random moments", "0 bytes lost, all runs"),
        (
            "keeper killed, half of the time with its harness",
            "child ended, verdict given, all runs",
        ),
        (
            "memory of keeper and pump over 72 simulated hours",
            "slope < 1 MiB an hour",
        ),
        (
            "traces of the corpus: alone, between records, of one of two sources, behind a prefix; look-alikes",
            "≥ 95 % full, 0 missed, ≤ 1 % false",
        ),
        (
            "a file system in memory that fills and is made larger",
            "bytes identical, incident recorded, verdict written, all runs",
        ),
    ],
    run: dry_run,
};

/// A file system in memory, where there is one: the disk is not what is measured.
const SHARED_MEMORY: &str = "/dev/shm";

const PROGRAM: &str = include_str!("dry_run.py");

fn dry_run(settings: &Settings) -> Result<Measured> {
    if !has("python3") {
        bail!("python3 is not installed");
    }
    install_packages(
        &["s6", "daemontools", "runit", "ripgrep"],
        &["s6-log", "multilog", "svlogd", "rg"],
    )?;
    let duckdb = duckdb()?;
    super::programs::gonogo()?;
    let script = workshop("dry-run")?.join("dry_run.py");
    std::fs::write(&script, PROGRAM).with_context(|| script.display().to_string())?;
    let work = match PathBuf::from(SHARED_MEMORY) {
        memory if memory.is_dir() => memory.join(format!("gonogo-bench-{}", std::process::id())),
        _ => workshop("dry-run")?.join("work"),
    };
    let mut python = Command::new("python3");
    python
        .arg(&script)
        .arg(target().join("release/gonogo"))
        .arg(&work)
        .arg(settings.runs(5, 1).to_string())
        .arg(settings.runs(4_000_480, 400_000).to_string())
        .arg(settings.runs(50, 3).to_string())
        .arg(settings.runs(20, 2).to_string())
        .arg(&duckdb)
        .args([
            "capture", "warnings", "audit", "audit10m", "pump", "keeper", "memory", "full",
        ]);
    let said = output(&mut python);
    let _ = std::fs::remove_dir_all(&work);
    let mut raw = last_json(&said?)?;
    raw["corpus"] = corpus()?;
    Ok(Measured {
        rows: rows(&raw)?,
        raw,
    })
}

fn bar(n: usize) -> (&'static str, &'static str) {
    DRY_RUN.bars[n]
}

fn row(n: usize, measured: String, met: bool) -> Row {
    let (what, wanted) = bar(n);
    Row::new(what, wanted, measured, met)
}

fn rows(raw: &Value) -> Result<Vec<Row>> {
    let rate = |name: &str| {
        let figure = raw.pointer("/capture").and_then(|c| c.get(name));
        let figure = figure.with_context(|| format!("no figure `{name}`"))?;
        number(figure, "/mb_s")
    };
    let lines = |name: &str| {
        let figure = raw.pointer("/capture").and_then(|c| c.get(name));
        number(
            figure.with_context(|| format!("no figure `{name}`"))?,
            "/lines_s",
        )
    };
    let (s6, multilog, svlogd) = (rate("s6-log -b")?, rate("multilog t")?, rate("svlogd -tt")?);
    let (s6_gzip, svlogd_gzip) = (rate("s6-log + gzip -1")?, rate("svlogd !gzip -1")?);
    let captured = |n: usize, name: &str, least: f64, beside: &[(&str, f64)]| -> Result<Row> {
        let ours = rate(name)?;
        let figure = |f: &str| number(raw, &format!("/capture/{name}/{f}"));
        let met = beside.iter().all(|(_, peer)| ours >= least * peer);
        let text = format!(
            "{ours:.0} MB/s, {} lines a second; {:.1} CPU s, {:.0} MiB",
            grouped(lines(name)?),
            figure("cpu")?,
            figure("peak_mib")?
        );
        let peers: Vec<String> = beside
            .iter()
            .map(|(name, peer)| format!("{name} {peer:.0} MB/s ({:.2} ×)", ours / peer))
            .collect();
        Ok(row(n, text, met).beside(peers.join("; ")))
    };
    let views = captured(1, "views", 1.0, &[("s6-log -b", s6)])?;
    let fast = lines("views")? >= 1e6;
    let packed = [
        ("s6-log + gzip -1", s6_gzip),
        ("svlogd !gzip -1", svlogd_gzip),
    ];
    let added = number(raw, "/warnings/added")?;
    let pump = |f: &str| number(raw, &format!("/pump/{f}"));
    let keeper = |f: &str| number(raw, &format!("/keeper/{f}"));
    let memory = |f: &str| number(raw, &format!("/memory/{f}"));
    let full = |f: &str| number(raw, &format!("/full/{f}"));
    let ten = |f: &str| number(raw, &format!("/audit10m/{f}"));
    Ok(vec![
        captured(0, "raw", 2.0, &[("s6-log -b", s6)])?,
        Row {
            met: if fast { views.met } else { super::Met::No },
            ..views
        },
        captured(
            2,
            "raw",
            5.0,
            &[("multilog t", multilog), ("svlogd -tt", svlogd)],
        )?,
        captured(3, "gzip", 3.0, &packed)?,
        captured(4, "zstd", 3.0, &packed)?,
        row(5, format!("{added:.3} s more"), added < 0.5),
        audited(raw)?,
        row(
            7,
            format!("{:.0} MiB, {:.2} s", ten("peak_mib")?, ten("seconds")?),
            ten("peak_mib")? <= 64.0,
        ),
        row(
            8,
            format!(
                "{:.0} of {:.0} runs identical after {:.0} kills, {:.0} bytes lost",
                pump("identical")?,
                pump("runs")?,
                pump("kills")?,
                pump("bytes_lost")?
            ),
            pump("identical")? >= pump("runs")? && pump("bytes_lost")? == 0.0,
        ),
        row(
            9,
            format!(
                "{:.0} of {:.0} children ended, {:.0} verdicts; at most {:.0} lines printed and not kept ({:.3} s)",
                keeper("child_ended")?,
                keeper("runs")?,
                keeper("verdicts")?,
                keeper("lines_lost")?,
                keeper("seconds_lost")?
            ),
            keeper("child_ended")? >= keeper("runs")?
                && keeper("verdicts")? >= keeper("runs")?
                && keeper("seconds_lost")? <= 1.0,
        ),
        row(
            10,
            format!(
                "{:.3} MiB an hour over {:.0} h; {:.0} MiB at first, {:.0} MiB at last",
                memory("slope_mib_h")?,
                memory("hours")?,
                memory("first_mib")?,
                memory("last_mib")?
            ),
            memory("slope_mib_h")? < 1.0,
        ),
        found(raw)?,
        row(
            12,
            format!(
                "{:.0} of {:.0} runs identical, {:.0} with the incident, {:.0} with a verdict; blocked for up to {:.1} s",
                full("identical")?,
                full("runs")?,
                full("incidents")?,
                full("verdicts")?,
                full("blocked_s")?
            ),
            ["identical", "incidents", "verdicts"]
                .iter()
                .try_fold(true, |met, f| {
                    Ok::<_, anyhow::Error>(met && full(f)? >= full("runs")?)
                })?,
        ),
    ])
}

fn audited(raw: &Value) -> Result<Row> {
    let seconds = |name: &str| {
        let figure = raw.pointer("/audit").and_then(|c| c.get(name));
        number(
            figure.with_context(|| format!("no figure `{name}`"))?,
            "/seconds",
        )
    };
    let ours = seconds("ours")?;
    let (duck, rg) = (seconds("DuckDB levels and gap")?, seconds("rg -z")?);
    let peak = number(raw, "/audit/ours/peak_mib")?;
    let met = duck >= 5.0 * ours && rg >= 4.0 * ours && peak <= 64.0;
    let text = format!(
        "{ours:.2} s, {:.1} CPU s, {peak:.0} MiB",
        number(raw, "/audit/ours/cpu")?
    );
    Ok(row(6, text, met).beside(format!(
        "DuckDB, levels and greatest gap {duck:.2} s ({:.1} ×), both from one reading {:.2} s ({:.1} ×), levels alone {:.2} s; `rg -z` {rg:.2} s ({:.1} ×)",
        duck / ours,
        seconds("DuckDB in one pass")?,
        seconds("DuckDB in one pass")? / ours,
        seconds("DuckDB levels")?,
        rg / ours
    )))
}

/// Runs the classifier over its corpus of real traces and of look-alikes; the test says how many it found.
fn corpus() -> Result<Value> {
    let mut cargo = cargo();
    cargo.args([
        "test",
        "--quiet",
        "--package",
        "gonogo-dryrun",
        "--test",
        "traces",
        "--",
        "--nocapture",
    ]);
    let ran = cargo.output().context("cannot start cargo")?;
    if !ran.status.success() {
        bail!(
            "the corpus of traces fails: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
    }
    let said = [ran.stdout, ran.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let mut found = Vec::new();
    for line in said.lines() {
        let Some((name, rest)) = line.split_once(": ") else {
            continue;
        };
        let words: Vec<&str> = rest
            .split([' ', ','])
            .filter(|word| !word.is_empty())
            .collect();
        let whole = |place: usize| words.get(place).and_then(|word| word.parse::<u64>().ok());
        if let (
            [_, "of", _, "in", "full", _, "missed", _, "too", "many"],
            Some(full),
            Some(count),
            Some(missed),
            Some(extra),
        ) = (&words[..], whole(0), whole(2), whole(5), whole(7))
        {
            found.push(serde_json::json!({"name": name, "full": full, "count": count, "missed": missed, "extra": extra}));
        }
        if let ([_, "look-alikes", _, "false"], Some(count), Some(wrong)) =
            (&words[..], whole(0), whole(2))
        {
            found.push(serde_json::json!({"name": name, "full": count - wrong, "count": count, "missed": 0, "extra": wrong}));
        }
    }
    if found.len() < 3 {
        bail!("the corpus of traces said nothing: {said}");
    }
    Ok(found.into())
}

fn found(raw: &Value) -> Result<Row> {
    let (mut met, mut said) = (true, Vec::new());
    // Those that are told by name, and the others by their worst.
    let named = ["alone", "between JSON records", "harmless"];
    let (mut others, mut least, mut lost, mut wrong) = (0, (0.0, f64::MAX), 0.0, 0.0);
    for layout in raw["corpus"]
        .as_array()
        .context("no figures of the corpus")?
    {
        let of = |name: &str| number(layout, &format!("/{name}"));
        let (full, count, missed, extra) = (of("full")?, of("count")?, of("missed")?, of("extra")?);
        met &= full >= 0.95 * count && missed == 0.0 && extra <= 0.01 * count;
        let name = layout["name"].as_str().unwrap_or("?");
        if named.contains(&name) {
            said.push(format!(
                "{name}: {full:.0} of {count:.0}, {missed:.0} missed, {extra:.0} false"
            ));
            continue;
        }
        others += 1;
        if full * least.1 < least.0 * count || others == 1 {
            least = (full, count);
        }
        lost += missed;
        wrong = extra.max(wrong);
    }
    said.sort();
    said.push(format!(
        "{others} layouts of prefixes and sources: at least {:.0} of {:.0}, {lost:.0} missed, at most {wrong:.0} false",
        least.0, least.1
    ));
    Ok(row(11, said.join("; "), met))
}

//! The runbook's search beside `rg` and `grep` with the same 3,000 texts over the same 100 MB log: whole processes, in turns, page cache
//! warm, output into a pipe (`grep` ends at its first find if it writes to `/dev/null`).

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::bench::figures::{grouped, last_json, median, number};
use crate::bench::peers::install_packages;
use crate::bench::{Bench, Measured, Row, Settings, now, target, workshop};
use crate::run::{cargo, has, loud};

pub(in crate::bench) const RUNBOOK: Bench = Bench {
    name: "suite-runbook",
    bars: &[(
        "runbook match, 3,000 texts, 100 MB of log, one core",
        "≥ 200 MB/s and ≥ `rg -F -f`, `rg -f`, `grep -F -f`",
    )],
    run: runbook,
};

const BAR_MB_S: f64 = 200.0;

/// A program, and how long each of its runs took.
struct Contender {
    name: &'static str,
    command: Command,
    seconds: Vec<f64>,
    /// Lines that it told.
    lines: u64,
}

fn runbook(settings: &Settings) -> Result<Measured> {
    install_packages(&["ripgrep", "grep"], &["rg", "grep"])?;
    loud(
        "match_runbook in release",
        cargo().args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "gonogo-suite",
            "--example",
            "match_runbook",
        ]),
    )?;
    let ours = target().join("release/examples/match_runbook");
    let home = workshop("suite-runbook")?;
    let (texts, log, patterns) = (
        home.join("texts"),
        home.join("log"),
        home.join("texts.regex"),
    );
    let bytes = settings.runs(100_000_000, 10_000_000).to_string();
    let mut write = Command::new(&ours);
    write.arg("--write").arg(&texts).arg(&log).arg(&bytes);
    said(&mut write)?;
    escape(&texts, &patterns)?;
    let measured = measure(settings, &ours, [&texts, &patterns, &log]);
    let _ = std::fs::remove_file(&log);
    measured
}

fn measure(
    settings: &Settings,
    ours: &Path,
    [texts, patterns, log]: [&Path; 3],
) -> Result<Measured> {
    let bytes = std::fs::metadata(log)?.len() as f64;
    let command = |program: &Path, args: &[&str], texts: &Path| {
        let mut command = Command::new(program);
        command.args(args).arg(texts).arg(log).env("LC_ALL", "C");
        command
    };
    let mut all: Vec<Contender> = Vec::new();
    let mut enter = |name: &'static str, command: Command| {
        all.push(Contender {
            name,
            command,
            seconds: Vec::new(),
            lines: 0,
        });
    };
    let mut once = command(ours, &[], texts);
    once.arg("1");
    enter("gonogo", once);
    for (name, program, args, file) in [
        ("rg -F -f", "rg", &["-nFf"][..], texts),
        ("rg -f", "rg", &["-nf"], patterns),
        ("grep -F -f", "grep", &["-nFf"], texts),
    ] {
        if has(program) {
            enter(name, command(Path::new(program), args, file));
        }
    }
    let mut within = Vec::new();
    let mut last = Value::Null;
    // The first turn warms the page cache and is not counted.
    for turn in 0..=settings.runs(5, 1) {
        for contender in &mut all {
            let began = now();
            let text = said(&mut contender.command)?;
            let took = began.elapsed().as_secs_f64();
            if contender.name == "gonogo" {
                last = last_json(&text)?;
                contender.lines = number(&last, "/hits")? as u64;
            } else {
                contender.lines = text.lines().count() as u64;
            }
            if turn > 0 {
                contender.seconds.push(took);
                if contender.name == "gonogo" {
                    within.push(number(&last, "/mb_per_s")?);
                }
            }
        }
    }
    let rate = |contender: &Contender| bytes / 1e6 / median(&contender.seconds);
    let [mine, peers @ ..] = all.as_slice() else {
        bail!("nothing ran");
    };
    let lines = mine.lines;
    let agree = lines > 0 && peers.iter().all(|peer| peer.lines == lines);
    let complaint = if agree {
        String::new()
    } else {
        let told = all.iter().map(|c| format!("{} {}", c.name, c.lines));
        let told: Vec<String> = told.collect();
        format!("; they do not agree on the lines: {}", told.join(", "))
    };
    let speed = rate(mine);
    let text = format!(
        "{} MB/s as a process, {} MB/s without its start; {lines} lines{complaint}",
        grouped(speed),
        grouped(median(&within)),
    );
    let beside: Vec<String> = peers
        .iter()
        .map(|peer| format!("`{}`: {} MB/s", peer.name, grouped(rate(peer))))
        .collect();
    let met = speed >= BAR_MB_S && agree && peers.iter().all(|peer| speed >= rate(peer));
    let [(what, bar)] = RUNBOOK.bars else {
        bail!("one bar")
    };
    let rows = if peers.len() == 3 {
        vec![Row::new(what, bar, text, met).beside(beside.join(", "))]
    } else {
        vec![Row::skipped(what, bar, "rg or grep is not installed")]
    };
    let seconds = |c: &Contender| (c.name.to_owned(), json!(c.seconds));
    let raw = json!({
        "bytes": bytes,
        "seconds": all.iter().map(seconds).collect::<serde_json::Map<_, _>>(),
        "gonogo": last,
    });
    Ok(Measured { rows, raw })
}

/// What a program wrote to its pipe; it must end with a success.
fn said(command: &mut Command) -> Result<String> {
    let out = command.output().with_context(|| format!("{command:?}"))?;
    if !out.status.success() {
        let why = String::from_utf8_lossy(&out.stderr).into_owned();
        bail!("{command:?}: {}: {}", out.status, why.trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The texts as regular expressions.
fn escape(texts: &Path, patterns: &Path) -> Result<()> {
    let text = std::fs::read_to_string(texts).with_context(|| texts.display().to_string())?;
    let mut escaped = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    std::fs::write(patterns, escaped).with_context(|| patterns.display().to_string())
}

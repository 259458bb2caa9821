//! Benches that are programs of this workspace: each is run once and what it prints is held against its bars.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::figures::{grouped, last_json, number};
use super::{Bench, Measured, Row, Settings, workshop};
use crate::run::{cargo, loud};

pub(super) const FAULT: Bench = Bench {
    name: "fault",
    bars: &[(
        "fault to nothing served by the canary, median and worst",
        "median ≤ 2 s, worst ≤ 5 s",
    )],
    run: fault,
};

pub(super) const STATS: Bench = Bench {
    name: "stats",
    bars: &[
        (
            "healthy releases failed by a check",
            "≤ 1 %, at any error rate",
        ),
        (
            "healthy releases not promoted, lack of proof included",
            "≤ 1 %, errors up to half of the limit",
        ),
        (
            "error rate doubled (1 % to 2 %) at 25 %, caught within 6,000 canary requests",
            "≥ 95 %",
        ),
    ],
    run: stats,
};

pub(super) const SIM: Bench = Bench {
    name: "sim",
    bars: &[
        (
            "simulated releases with faults, a second of one core",
            "≥ 10,000, none wrong",
        ),
        ("broken designs that the simulator notices", "4 of 4"),
    ],
    run: sim,
};

pub(super) const ENGINE: Bench = Bench {
    name: "engine",
    bars: &[(
        "durable transitions, one after the other",
        "p99 < 5 ms, ≥ 2,000 a second",
    )],
    run: engine,
};

pub(super) const KILL: Bench = Bench {
    name: "kill",
    bars: &[(
        "controller killed at random points of releases under load: right afterwards",
        "all, no request lost",
    )],
    run: kill,
};

/// Runs an example in release and returns what it printed. One that ends with a failure has still measured, if it printed
/// figures; they say what is wrong.
pub(super) fn example(package: &str, name: &str, args: &[&str]) -> Result<String> {
    let mut command = cargo();
    command.args([
        "run",
        "--release",
        "--quiet",
        "--package",
        package,
        "--example",
        name,
        "--",
    ]);
    let out = command.args(args).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    if !out.status.success() && last_json(&text).is_err() {
        bail!(
            "example `{name}` of {package} failed ({}) without figures",
            out.status
        );
    }
    Ok(text)
}

/// Builds the program that benches start.
pub fn gonogo() -> Result<()> {
    let mut build = cargo();
    build.args([
        "build",
        "--release",
        "--quiet",
        "--package",
        "gonogo-cli",
        "--bin",
        "gonogo",
    ]);
    loud("gonogo in release", &mut build)
}

/// What a bench itself says is wrong: the number of complaints and the first one.
fn complaint(raw: &Value) -> Result<String> {
    let wrong = raw["wrong"]
        .as_array()
        .context("its output has no list `wrong`")?;
    Ok(match wrong.first() {
        None => String::new(),
        Some(first) => format!(
            "; {} wrong, first: {}",
            wrong.len(),
            first.as_str().unwrap_or("?")
        ),
    })
}

/// Per cent of `n` among `of`.
fn share(n: f64, of: f64) -> String {
    format!("{:.1} % ({n:.0} of {})", 100.0 * n / of, grouped(of))
}

fn fault(settings: &Settings) -> Result<Measured> {
    let runs = settings.runs(50, 3);
    gonogo()?;
    let raw = last_json(&example("gonogo-cli", "fault_bench", &[&runs.to_string()])?)?;
    let taken = number(&raw, "/runs")?;
    let middle = number(&raw, "/faultToZeroMs/median")?;
    let worst = number(&raw, "/faultToZeroMs/worst")?;
    let complaint = complaint(&raw)?;
    let [(what, bar)] = FAULT.bars else {
        bail!("one bar")
    };
    let measured = format!(
        "{:.2} s, {:.2} s; {taken:.0} faults{complaint}",
        middle / 1e3,
        worst / 1e3
    );
    let whole = taken >= f64::from(runs) && complaint.is_empty();
    let met = middle <= 2_000.0 && worst <= 5_000.0 && whole;
    let rows = vec![Row::new(what, bar, measured, met)];
    Ok(Measured { rows, raw })
}

fn stats(settings: &Settings) -> Result<Measured> {
    let runs = settings.runs(1_000, 100);
    let raw = last_json(&example(
        "gonogo-testkit",
        "aa_bench",
        &[&runs.to_string()],
    )?)?;
    let wanted = f64::from(runs);
    let [all, near] = ["/a_a", "/a_a_near_limit"].map(|at| healthy(&raw, at));
    let (all, near) = (all?, near?);
    let (caught, doubled) = (
        number(&raw, "/doubled/caught")?,
        number(&raw, "/doubled/releases")?,
    );
    let typical = number(&raw, "/doubled/requests_when_caught/p50")?;
    let [(a, a_bar), (b, b_bar), (c, c_bar)] = STATS.bars else {
        bail!("three bars")
    };
    let told = |n: fn(&Healthy) -> f64| {
        let near = share(n(&near), near.releases);
        format!(
            "{}; with 1 to 2 % errors: {near}",
            share(n(&all), all.releases)
        )
    };
    let few = |n: f64, h: &Healthy| h.releases >= wanted && n <= 0.01 * h.releases;
    let caught_text = format!(
        "{}, half of them within {}",
        share(caught, doubled),
        grouped(typical)
    );
    // A false alarm is one at any error rate. Proof of being under a limit cannot be had at the limit.
    let quiet = few(all.failed, &all) && few(near.failed, &near);
    let rows = vec![
        Row::new(a, a_bar, told(|h| h.failed), quiet),
        Row::new(b, b_bar, told(|h| h.back), few(all.back, &all)),
        Row::new(
            c,
            c_bar,
            caught_text,
            doubled >= wanted && caught >= 0.95 * doubled,
        ),
    ];
    Ok(Measured { rows, raw })
}

/// Releases of a version over itself.
struct Healthy {
    releases: f64,
    /// Failed by a check.
    failed: f64,
    /// Not promoted.
    back: f64,
}

fn healthy(raw: &Value, at: &str) -> Result<Healthy> {
    let n = |name: &str| number(raw, &format!("{at}/{name}"));
    let releases = n("releases")?;
    Ok(Healthy {
        releases,
        failed: n("failed_a_check")?,
        back: releases - n("promoted")?,
    })
}

fn sim(settings: &Settings) -> Result<Measured> {
    let seeds = settings.runs(20_000, 2_000);
    let raw = last_json(&example(
        "gonogo-testkit",
        "sim_bench",
        &[&seeds.to_string()],
    )?)?;
    let (taken, wrong) = (number(&raw, "/seeds")?, number(&raw, "/wrong")?);
    let rate = number(&raw, "/releases_per_cpu_second")?;
    let mutants = raw["mutants_died_at"]
        .as_object()
        .context("it names no mutants")?;
    let dead = mutants.values().filter(|at| at.is_u64()).count();
    let [(a, a_bar), (b, b_bar)] = SIM.bars else {
        bail!("two bars")
    };
    let measured = format!(
        "{} over {} seeds, {wrong:.0} wrong",
        grouped(rate),
        grouped(taken)
    );
    let met = rate >= 10_000.0 && wrong == 0.0 && taken >= f64::from(seeds);
    let rows = vec![
        Row::new(a, a_bar, measured, met),
        Row::new(
            b,
            b_bar,
            format!("{dead} of {}", mutants.len()),
            dead == 4 && mutants.len() == 4,
        ),
    ];
    Ok(Measured { rows, raw })
}

fn engine(settings: &Settings) -> Result<Measured> {
    let count = settings.runs(10_000, 2_000).to_string();
    // In the target directory, so that the disk that is measured is the project's.
    let dir = workshop("engine")?.display().to_string();
    let raw = last_json(&example("gonogo-engine", "engine_bench", &[&dir, &count])?)?;
    let p99 = number(&raw, "/transition/p99_us")?;
    let rate = number(&raw, "/transition/per_second")?;
    let act = number(&raw, "/act/p99_us")?;
    let [(what, bar)] = ENGINE.bars else {
        bail!("one bar")
    };
    let measured = format!(
        "p99 {:.2} ms, {} a second (with a call: p99 {:.2} ms)",
        p99 / 1e3,
        grouped(rate),
        act / 1e3
    );
    let rows = vec![Row::new(
        what,
        bar,
        measured,
        p99 < 5_000.0 && rate >= 2_000.0,
    )];
    Ok(Measured { rows, raw })
}

fn kill(settings: &Settings) -> Result<Measured> {
    let runs = settings.runs(200, 5);
    gonogo()?;
    let raw = last_json(&example("gonogo-cli", "kill_bench", &[&runs.to_string()])?)?;
    let (taken, right) = (number(&raw, "/killPoints")?, number(&raw, "/right")?);
    let (sent, lost) = (
        number(&raw, "/requestsSent")?,
        number(&raw, "/requestsLost")?,
    );
    let complaint = complaint(&raw)?;
    let [(what, bar)] = KILL.bars else {
        bail!("one bar")
    };
    let whole = taken >= f64::from(runs) && complaint.is_empty() && sent > 0.0;
    let met = whole && right == taken && lost == 0.0;
    let measured = format!(
        "{right:.0} of {taken:.0}; {lost:.0} of {} requests lost{complaint}",
        grouped(sent)
    );
    let rows = vec![Row::new(what, bar, measured, met)];
    Ok(Measured { rows, raw })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn complaints_are_told_and_their_absence_is_an_error() {
        assert_eq!(complaint(&json!({"wrong": []})).unwrap(), "");
        assert_eq!(
            complaint(&json!({"wrong": ["a", "b"]})).unwrap(),
            "; 2 wrong, first: a"
        );
        assert!(complaint(&json!({})).is_err());
    }

    #[test]
    fn shares_are_told_with_their_numbers() {
        assert_eq!(share(1.0, 1_000.0), "0.1 % (1 of 1,000)");
    }
}

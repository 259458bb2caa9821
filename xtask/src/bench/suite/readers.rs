//! Readers of reports: JUnit beside quick-xml's own event loop and beside junitparser, memory at two sizes, and the other formats.
//!
//! Each round runs all peers one after the other, so that a busy moment meets all of them; ratios are of one round, and their median
//! counts.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::bench::figures::{last_json, median, number};
use crate::bench::{Measured, Row, Settings, target, workshop};
use crate::run::{cargo, has, loud, output};

const BARS: &[(&str, &str)] = &[
    (
        "JUnit read on one core in five writers' shapes, beside the event loop of quick-xml alone",
        "≥ 0.4 × in each",
    ),
    ("the same beside `junitparser`", "≥ 20 × in each"),
    (
        "resident memory, a report ten times as long",
        "no more than 1 MiB above",
    ),
    ("the other readers", "all whole"),
];

pub(in crate::bench) const READERS: Bench = Bench {
    name: "suite-readers",
    bars: BARS,
    run: readers,
};

/// The peer, pinned.
const JUNITPARSER: &str = "junitparser==5.0.3";

/// Reads a report and looks at every test and every result, and at what our reader gives of both.
const PROGRAM: &str = "\
import json, os, sys, time
from junitparser import JUnitXml

def tests(suite):
    for item in suite:
        if hasattr(item, 'result'):
            yield item
        else:
            yield from tests(item)

path = sys.argv[1]
began = time.perf_counter()
count = failed = 0
for case in tests(JUnitXml.fromfile(path)):
    count += 1
    said = case.name, case.classname, case.time, case.system_out
    for result in case.result:
        failed += 1
        said = result.message, result.type, result.text
seconds = time.perf_counter() - began
print(json.dumps({'tests': count, 'failed': failed, 'mb_per_s': os.path.getsize(path) / 1e6 / seconds}))
";

/// Whose reports JUnit is read in the shape of.
const SHAPES: [&str; 5] = ["surefire", "failing", "pytest", "vitest", "dense"];

const OTHERS: [&str; 8] = [
    "trx",
    "libtest",
    "libtest-json",
    "go",
    "pytest-log",
    "jest",
    "ctrf",
    "tap",
];

fn readers(settings: &Settings) -> Result<Measured> {
    loud(
        "the readers in release",
        cargo().args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "gonogo-suite",
            "--example",
            "read_junit",
        ]),
    )?;
    let program = target().join("release/examples/read_junit");
    let shop = workshop("suite-readers")?;
    let rounds = settings.runs(11, 3);
    let bytes = u64::from(settings.runs(40_000_000, 8_000_000));

    let python = junitparser(&shop);
    let mut shapes = Vec::new();
    for name in SHAPES {
        shapes.push(shape(
            name,
            &program,
            &shop,
            bytes,
            rounds,
            python.as_ref().ok(),
        )?);
    }
    let told = |of: fn(&Shape) -> f64, digits: usize| {
        let each = shapes
            .iter()
            .map(|s| format!("{} {:.digits$}", s.name, of(s)));
        let worst = shapes.iter().map(of).fold(f64::INFINITY, f64::min);
        (each.collect::<Vec<_>>().join(", "), worst)
    };
    let speeds = |of: fn(&Shape) -> f64| {
        let each = shapes.iter().map(|s| format!("{:.0}", of(s)));
        each.collect::<Vec<_>>().join(", ")
    };
    let (each, worst) = told(|s| median(&s.of_bare), 2);
    let measured = format!(
        "× {each} (medians of {rounds}; {} MB/s)",
        speeds(|s| median(&s.ours))
    );
    let mut rows = vec![
        row(0, measured, worst >= 0.4)
            .beside(format!("quick-xml: {} MB/s", speeds(|s| median(&s.bare)))),
    ];
    rows.push(match &python {
        Ok(_) => {
            let (each, worst) = told(|s| median(&s.of_peer), 1);
            // The same bytes of each shape, one behind the other.
            let spent = |of: fn(&Shape) -> f64| shapes.iter().map(|s| 1.0 / of(s)).sum::<f64>();
            let all = spent(|s| median(&s.peer)) / spent(|s| median(&s.ours));
            let measured = format!("× {each}; all five together {all:.1} (medians of {rounds})");
            row(1, measured, worst >= 20.0).beside(format!(
                "{JUNITPARSER}: {} MB/s",
                speeds(|s| median(&s.peer))
            ))
        }
        Err(e) => Row::skipped(BARS[1].0, BARS[1].1, &format!("{e:#}")),
    });

    let report = made(&program, &shop, "junit", bytes)?;
    let long = made(&program, &shop, "junit", bytes * 10)?;
    let small = number(&run(&program, &[], &report)?, "/peak_rss_kib")? / 1024.0;
    let large = run(&program, &[], &long)?;
    std::fs::remove_file(&long).with_context(|| long.display().to_string())?;
    let is_whole = large["whole"] == true;
    let large = number(&large, "/peak_rss_kib")? / 1024.0;
    let measured = format!(
        "{small:.1} MiB of {} MB, {large:.1} MiB of {} MB",
        bytes / 1_000_000,
        bytes / 100_000
    );
    rows.push(row(2, measured, is_whole && large - small <= 1.0));

    let (mut told, mut whole, mut others) = (Vec::new(), true, serde_json::Map::new());
    for format in OTHERS {
        let report = made(&program, &shop, format, bytes / 2)?;
        let (mut speeds, mut rss) = (Vec::new(), 0.0);
        for _ in 0..rounds.min(5) {
            let said = run(&program, &["--format", format], &report)?;
            speeds.push(number(&said, "/mb_per_s")?);
            rss = number(&said, "/peak_rss_kib")? / 1024.0;
            whole &= said["whole"] == true;
        }
        std::fs::remove_file(&report).with_context(|| report.display().to_string())?;
        told.push(format!("{format} {:.0} MB/s", median(&speeds)));
        others.insert(format.into(), json!({"mb_per_s": speeds, "rss_mib": rss}));
    }
    rows.push(row(3, told.join(", "), whole));
    std::fs::remove_file(&report).with_context(|| report.display().to_string())?;
    Ok(Measured {
        rows,
        raw: json!({"junit": shapes.iter().map(Shape::raw).collect::<Vec<_>>(), "rss_mib": [small, large], "others": others}),
    })
}

/// One shape of report, in MB/s of each reader and in ratios of single rounds.
struct Shape {
    name: &'static str,
    ours: Vec<f64>,
    bare: Vec<f64>,
    peer: Vec<f64>,
    of_bare: Vec<f64>,
    of_peer: Vec<f64>,
}

impl Shape {
    fn raw(&self) -> Value {
        json!({"shape": self.name, "gonogo": self.ours, "quick_xml": self.bare, "junitparser": self.peer})
    }
}

fn shape(
    name: &'static str,
    program: &Path,
    shop: &Path,
    bytes: u64,
    rounds: u32,
    python: Option<&Python>,
) -> Result<Shape> {
    let report = shop.join(format!("{name}.xml"));
    let mut command = Command::new(program);
    command.args(["--write", "--shape", name]);
    output(command.arg(&report).arg(bytes.to_string()))?;
    let mut shape = Shape {
        name,
        ours: Vec::new(),
        bare: Vec::new(),
        peer: Vec::new(),
        of_bare: Vec::new(),
        of_peer: Vec::new(),
    };
    for _ in 0..rounds {
        let a = run(program, &[], &report)?;
        let b = run(program, &["--bare"], &report)?;
        agree(&a, &b)?;
        let (a_speed, b_speed) = (number(&a, "/mb_per_s")?, number(&b, "/mb_per_s")?);
        shape.ours.push(a_speed);
        shape.bare.push(b_speed);
        shape.of_bare.push(a_speed / b_speed);
        if let Some(python) = python {
            let c = python.run(&report)?;
            agree(&a, &c)?;
            let c_speed = number(&c, "/mb_per_s")?;
            shape.peer.push(c_speed);
            shape.of_peer.push(a_speed / c_speed);
        }
    }
    std::fs::remove_file(&report).with_context(|| report.display().to_string())?;
    Ok(shape)
}

fn row(n: usize, measured: String, met: bool) -> Row {
    Row::new(BARS[n].0, BARS[n].1, measured, met)
}

/// Writes a report.
fn made(program: &Path, shop: &Path, format: &str, bytes: u64) -> Result<PathBuf> {
    let path = shop.join(format!("{format}-{bytes}"));
    let mut command = Command::new(program);
    command.args(["--write", "--format", format]);
    output(command.arg(&path).arg(bytes.to_string()))?;
    Ok(path)
}

fn run(program: &Path, args: &[&str], report: &Path) -> Result<Value> {
    last_json(&output(
        Command::new(program).args(args).arg(report).arg("1"),
    )?)
}

/// What did not read the same tests is no peer.
fn agree(ours: &Value, theirs: &Value) -> Result<()> {
    if ours["tests"] != theirs["tests"] || ours["tests"] == 0 {
        bail!("{} and {} tests were read", ours["tests"], theirs["tests"]);
    }
    Ok(())
}

/// junitparser, where it was fetched to.
struct Python {
    home: PathBuf,
    program: PathBuf,
}

impl Python {
    fn run(&self, report: &Path) -> Result<Value> {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &self.home).arg(&self.program);
        last_json(&output(command.arg(report))?)
    }
}

fn junitparser(shop: &Path) -> Result<Python> {
    if !has("python3") {
        bail!("python3 is not installed");
    }
    let home = target().join("bench-peers").join(JUNITPARSER);
    if !home.join("junitparser").is_dir() {
        println!("   fetching {JUNITPARSER}");
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps"])
            .args(["--disable-pip-version-check", "--root-user-action"])
            .args(["ignore", "--target"]);
        output(pip.arg(&home).arg(JUNITPARSER))
            .with_context(|| format!("{JUNITPARSER} could not be fetched"))?;
    }
    let program = shop.join("junitparser_reads.py");
    std::fs::write(&program, PROGRAM).with_context(|| program.display().to_string())?;
    Ok(Python { home, program })
}

//! Verdicts of real runs, derived again by another process, and the poisoned evidence of the self test: the `gonogo` binary on a
//! repository of its own.
//!
//! Each round writes another report, green, red or broken, runs the suite, asks the gate and has the verdict derived again. Invariant: the
//! same question is asked of a verdict with one byte changed, which must not be found the same.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::bench::figures::grouped;
use crate::bench::{Bench, Measured, Row, Settings, target, workshop};
use crate::run::output;

pub(in crate::bench) const SUITE_GATE: Bench = Bench {
    name: "suite-gate",
    bars: &[
        (
            "verdicts derived again from their evidence by another process",
            "byte-identical, all; none with a byte changed",
        ),
        (
            "poisoned evidence caught by the built-in policy",
            "35 of 35",
        ),
    ],
    run,
};

const CONFIG: &str = "[suites.unit]\nclass = \"unit\"\nowner = \"core\"\ncommand = [\"sh\", \"unit.sh\"]\nformat = \"junit\"\nreports = [\"out/report.xml\"]\n";

/// A repository with one suite.
struct Lab {
    program: std::path::PathBuf,
    home: std::path::PathBuf,
    project: std::path::PathBuf,
}

impl Lab {
    fn new() -> Result<Self> {
        let home = workshop("suite-gate")?;
        let project = home.join("project");
        if project.exists() {
            std::fs::remove_dir_all(&project).with_context(|| project.display().to_string())?;
        }
        std::fs::create_dir_all(&project).with_context(|| project.display().to_string())?;
        let lab = Self {
            program: target().join("release/gonogo"),
            home,
            project,
        };
        let script = format!(
            "mkdir -p out\ncp '{0}' out/report.xml\nexit $(cat '{1}')\n",
            lab.report().display(),
            lab.code().display()
        );
        for (name, text) in [
            ("gonogo.toml", CONFIG),
            ("unit.sh", script.as_str()),
            (".gitignore", ".gonogo/\nout/\n"),
        ] {
            write(&lab.project.join(name), text)?;
        }
        for args in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["add", "-A"],
            &[
                "-c",
                "user.name=Bench",
                "-c",
                "user.email=bench@localhost",
                "commit",
                "--quiet",
                "--message=first",
            ],
        ] {
            output(Command::new("git").args(args).current_dir(&lab.project))?;
        }
        Ok(lab)
    }

    fn report(&self) -> std::path::PathBuf {
        self.home.join("report.xml")
    }

    fn code(&self) -> std::path::PathBuf {
        self.home.join("code")
    }

    /// How a command ended and what it answered.
    fn gonogo(&self, args: &[&str]) -> Result<(i32, Value)> {
        let ran = Command::new(&self.program)
            .args(args)
            .args(["--json", "--quiet"])
            .current_dir(&self.project)
            .output()
            .with_context(|| self.program.display().to_string())?;
        let value = serde_json::from_slice(&ran.stdout).with_context(|| {
            let said = String::from_utf8_lossy(&ran.stderr);
            format!("`gonogo {}` answered no JSON: {said}", args.join(" "))
        })?;
        Ok((ran.status.code().unwrap_or(-1), value))
    }
}

fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// The report of a round, and how its command ends: one in three is red, one in eleven is cut off.
fn report(round: u64) -> (String, u8) {
    let tests = 1 + round * 7 % 23;
    let (mut cases, mut failed) = (String::new(), 0);
    for n in 0..tests {
        let inner = match (n + round) % 9 {
            0 if round.is_multiple_of(3) => {
                failed += 1;
                format!("<failure message=\"expected {n}, found {round}\"/>")
            }
            1 => "<skipped/>".to_owned(),
            _ => String::new(),
        };
        cases +=
            &format!("<testcase classname=\"c\" name=\"t{n}\" time=\"0.{n}\">{inner}</testcase>");
    }
    let mut text = format!(
        "<testsuite name=\"s\" tests=\"{tests}\" failures=\"{failed}\">{cases}</testsuite>"
    );
    if round % 11 == 10 {
        text.truncate(text.len() / 2);
    }
    (text, u8::from(failed > 0))
}

fn run(settings: &Settings) -> Result<Measured> {
    crate::bench::programs::gonogo()?;
    let lab = Lab::new()?;
    let rounds = u64::from(settings.runs(100, 10));
    let mut came_to = std::collections::BTreeMap::<String, u64>::new();
    let (mut same, mut believed) = (0_u64, 0_u64);
    for round in 0..rounds {
        let (text, code) = report(round);
        write(&lab.report(), text)?;
        write(&lab.code(), code.to_string())?;
        lab.gonogo(&["suite", "run"])?;
        let (_, told) = lab.gonogo(&["gate", "check"])?;
        let dir = told["data"]["directory"].as_str().context("no verdict")?;
        let status = told["data"]["verdict"]["verdict"].as_str();
        *came_to
            .entry(status.context("no status")?.to_owned())
            .or_default() += 1;
        let (_, again) = lab.gonogo(&["gate", "rejudge", dir])?;
        same += u64::from(again["data"]["same"] == Value::Bool(true));
        believed += u64::from(changed(&lab, Path::new(dir), round)?);
    }
    if came_to.len() < 2 {
        bail!("all verdicts were alike ({came_to:?}), which shows nothing");
    }
    let (code, tested) = lab.gonogo(&["gate", "selftest"])?;
    let cases = tested["data"]["cases"].as_array().context("no cases")?;
    let caught = cases
        .iter()
        .filter(|c| c["caught"] == Value::Bool(true))
        .count();
    let mix: Vec<String> = came_to
        .iter()
        .map(|(word, n)| format!("{n} {word}"))
        .collect();
    let rows = vec![
        Row::new(
            SUITE_GATE.bars[0].0,
            SUITE_GATE.bars[0].1,
            format!(
                "{same} of {rounds} ({}); {believed} of {rounds} with a byte changed",
                mix.join(", ")
            ),
            same == rounds && believed == 0,
        ),
        Row::new(
            SUITE_GATE.bars[1].0,
            SUITE_GATE.bars[1].1,
            format!("{caught} of {}", grouped(cases.len() as f64)),
            caught == 35 && cases.len() == 35 && code == 0,
        ),
    ];
    let raw = json!({"rounds": rounds, "same": same, "believed_though_changed": believed, "came_to": came_to, "selftest": tested["data"]});
    Ok(Measured { rows, raw })
}

/// Whether a copy of a verdict with one byte changed is still found the same.
fn changed(lab: &Lab, dir: &Path, round: u64) -> Result<bool> {
    let copy = lab.home.join("changed");
    std::fs::create_dir_all(&copy).with_context(|| copy.display().to_string())?;
    for name in ["inputs.json", "verdict.json"] {
        let from = dir.join(name);
        let mut bytes = std::fs::read(&from).with_context(|| from.display().to_string())?;
        if name == "verdict.json" {
            let at = (round as usize * 7_919 + 13) % bytes.len();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        }
        write(&copy.join(name), bytes)?;
    }
    let (_, again) = lab.gonogo(&["gate", "rejudge", &copy.display().to_string()])?;
    Ok(again["data"]["same"] == Value::Bool(true))
}

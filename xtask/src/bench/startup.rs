//! How long the command line takes to begin and end: three commands, each a process of its own, in turns with `git --version`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::figures::median;
use super::peers::Running;
use super::proxy::free_port;
use super::{Bench, Measured, Row, Settings, now, target, workshop};

pub(super) const STARTUP: Bench = Bench {
    name: "startup",
    bars: &[
        ("`gonogo --version`", "< 30 ms"),
        ("`gonogo explain PROMOTED`", "< 30 ms"),
        ("`gonogo status`, the agent running", "< 30 ms"),
    ],
    run: startup,
};

const BAR_MS: f64 = 30.0;

fn startup(settings: &Settings) -> Result<Measured> {
    super::programs::gonogo()?;
    let program = target().join("release/gonogo");
    let project = project()?;
    let called = |args: &[&str]| {
        let mut command = Command::new(&program);
        command.args(args).current_dir(&project);
        command
    };
    let agent = Running::start("agent", called(&["agent", "--env", "local"]), None)?;
    let status = until_it_answers(&mut || called(&["status"]), agent);
    let mut git = Command::new("git");
    git.arg("--version");
    let mut commands = [
        called(&["--version"]),
        called(&["explain", "PROMOTED"]),
        called(&["status"]),
        git,
    ];
    let mut times = [const { Vec::new() }; 4];
    for round in 0..settings.runs(50, 10) {
        for (at, command) in commands.iter_mut().enumerate() {
            if at == 2 && status.is_err() {
                continue;
            }
            let ms = timed(command).with_context(|| format!("round {round}"))?;
            times[at].push(ms);
        }
    }
    let beside = format!("`git --version`: {:.1} ms", median(&times[3]));
    let rows = STARTUP
        .bars
        .iter()
        .zip(&times)
        .map(|((what, bar), times)| match &status {
            Err(e) if times.is_empty() => Row::skipped(what, bar, &format!("{e:#}")),
            _ => {
                let ms = median(times);
                let text = format!("{ms:.1} ms (median of {})", times.len());
                Row::new(what, bar, text, ms < BAR_MS).beside(beside.clone())
            }
        });
    let rows = rows.collect();
    drop(status);
    let [version, explain, status, git] = times;
    Ok(Measured {
        rows,
        raw: json!({"version_ms": version, "explain_ms": explain, "status_ms": status, "git_version_ms": git}),
    })
}

/// A project with one environment and no release yet.
fn project() -> Result<std::path::PathBuf> {
    let home = workshop("startup")?.join("project");
    if home.exists() {
        std::fs::remove_dir_all(&home).with_context(|| home.display().to_string())?;
    }
    std::fs::create_dir_all(&home).with_context(|| home.display().to_string())?;
    let config = format!(
        "service = \"shop\"\n\n[version]\nrun = [\"/bin/true\"]\nartifacts = [\"/bin/true\"]\nready = {{ tcp = true }}\n\n\
         [environments.local]\ntarget = \"host\"\nlisten = \"127.0.0.1:{}\"\ngates = \"none\"\napproval = \"self\"\n",
        free_port()?
    );
    write(&home.join("gonogo.toml"), &config)?;
    Ok(home)
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// Waits until `status` succeeds, which it does when the agent answers; then hands the agent back.
fn until_it_answers(status: &mut dyn FnMut() -> Command, mut agent: Running) -> Result<Running> {
    let began = now();
    loop {
        if let Some(words) = agent.ended() {
            bail!("the agent ended: {words}");
        }
        let Err(e) = timed(&mut status()) else {
            return Ok(agent);
        };
        if began.elapsed() > Duration::from_secs(10) {
            return Err(e.context("the agent does not answer"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Milliseconds from before the start of `command` to its end, which must be a success.
fn timed(command: &mut Command) -> Result<f64> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let began = now();
    let status = command.status().with_context(|| format!("{command:?}"))?;
    let ms = began.elapsed().as_secs_f64() * 1e3;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(ms)
}

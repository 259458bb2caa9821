//! What the figures were taken on.

use std::fmt;
use std::process::Command;

use anyhow::Result;
use serde_json::{Value, json};

use super::peers;
use crate::run::{output, root};

/// The machine, the tools, and the state of the source.
pub(super) struct Machine {
    cores: usize,
    cpu: String,
    memory: String,
    kernel: String,
    rustc: String,
    peers: String,
    source: String,
    date: String,
    load: f64,
}

impl Machine {
    /// Looks at this machine.
    pub(super) fn here() -> Result<Self> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|l| l.starts_with(name));
            let value = line.and_then(|l| l.split_once(':'));
            value.map_or_else(|| "unknown".to_owned(), |(_, v)| v.trim().to_owned())
        };
        let kib: f64 = field(&read("/proc/meminfo"), "MemTotal")
            .trim_end_matches(" kB")
            .parse()
            .unwrap_or(0.0);
        let load = read("/proc/loadavg");
        let changed = output(git().args(["status", "--porcelain"]))?;
        let commit = output(git().args(["rev-parse", "--short=12", "HEAD"]))?;
        Ok(Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            cpu: field(&read("/proc/cpuinfo"), "model name"),
            memory: format!("{:.0} GiB", kib / 1024.0 / 1024.0),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            rustc: first_line(Command::new("rustc").arg("--version")),
            peers: peers::versions(),
            source: format!(
                "{}{}",
                commit.trim(),
                if changed.trim().is_empty() {
                    ""
                } else {
                    " with changes"
                }
            ),
            date: first_line(Command::new("date").args(["-u", "+%Y-%m-%d"])),
            load: load
                .split(' ')
                .next()
                .and_then(|l| l.parse().ok())
                .unwrap_or(f64::NAN),
        })
    }

    /// Whether others use it: more than a quarter of its cores, over the last minute. An unknown load counts as busy.
    pub(super) fn is_busy(&self) -> bool {
        self.load.is_nan() || self.load > self.cores as f64 / 4.0
    }

    /// Looks again which peers there are.
    pub(super) fn look_for_peers(&mut self) {
        self.peers = peers::versions();
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "cores": self.cores, "cpu": self.cpu, "memory": self.memory, "kernel": self.kernel, "rustc": self.rustc,
            "peers": self.peers, "source": self.source, "date": self.date, "load": self.load, "busy": self.is_busy(),
            "line": self.to_string(),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cores ({}), {}, Linux {}, {}; load {:.2} before; {}; source {}; {}",
            self.cores,
            self.cpu,
            self.memory,
            self.kernel,
            self.rustc,
            self.load,
            self.peers,
            self.source,
            self.date
        )
    }
}

/// The first line that a program prints, on either stream; `unknown` if it does not run.
pub(super) fn first_line(command: &mut Command) -> String {
    let line = command.output().ok().and_then(|out| {
        let text = [out.stdout, out.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        text.lines()
            .map(str::trim)
            .find(|l| !l.is_empty())
            .map(str::to_owned)
    });
    line.unwrap_or_else(|| "unknown".into())
}

fn git() -> Command {
    let mut git = Command::new("git");
    git.current_dir(root());
    git
}

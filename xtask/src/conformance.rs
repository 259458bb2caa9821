//! Checks by tools that are not ours: `cargo xtask conformance [--all] [ROW…]`.
//!
//! The scripts are in `conformance/`, whose README says what each row proves. Here the real program and its material are built, the tools
//! installed ([`tools`]), the rows run, and their ends shown.
//!
//! Invariants: a row passes only if its script said so; what cannot run here is skipped with the reason, and skipped is never
//! shown as passed; what can run and does not, our own programs that do not compile among it, has failed, and only that fails
//! the chore. Everything is written below `target/conformance`.

mod tools;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::bench::{now, target};
use crate::run::{cargo, loud, root};
use tools::{Lack, Tools, limited};

/// How a script says that it cannot run here.
const SKIPPED: i32 = 77;
/// Rows that run at a time: some of them mostly wait.
const WORKERS: usize = 2;

/// What a row needs, and how it is run.
#[derive(Clone, Copy)]
enum Means {
    /// A script of `conformance/python`, by the system's Python.
    Python(&'static str),
    /// The same, by the Python that has PyPI's packages.
    Venv(&'static str),
    /// The Go program over the published logs.
    Go,
    /// A script of `conformance/node`.
    Node(&'static str),
    /// `conformance/go-verifiers.sh`, only with `--all`.
    Verifiers,
}

struct Row {
    name: &'static str,
    what: &'static str,
    means: Means,
    /// Whether it reads the packet, the exported log and the logs of many sizes.
    material: bool,
    /// Seconds.
    limit: u64,
}

const fn row(
    name: &'static str,
    what: &'static str,
    means: Means,
    material: bool,
    limit: u64,
) -> Row {
    Row {
        name,
        what,
        means,
        material,
        limit,
    }
}

/// The rows; those that take long come first.
static ROWS: [Row; 15] = [
    row(
        "16",
        "schemathesis: every address",
        Means::Venv("fuzz.py"),
        false,
        600,
    ),
    row(
        "13",
        "approvals: replay, TOCTOU",
        Means::Python("approvals.py"),
        false,
        240,
    ),
    row(
        "11",
        "strace: failing syncs and writes",
        Means::Python("faults.py"),
        false,
        300,
    ),
    row(
        "10",
        "200 kills under four writers",
        Means::Python("kills.py"),
        false,
        240,
    ),
    row(
        "15",
        "tools/verify-packet.py: same answers",
        Means::Venv("verifiers.py"),
        true,
        180,
    ),
    row("1", "Go x/mod: notes, tiles, proofs", Means::Go, true, 180),
    row("2", "pymerkle: roots", Means::Venv("merkle.py"), true, 120),
    row(
        "3",
        "@sigstore/verify: bundles",
        Means::Node("bundles.mjs"),
        true,
        120,
    ),
    row(
        "4",
        "securesystemslib, in-toto-attestation",
        Means::Venv("envelopes.py"),
        true,
        120,
    ),
    row(
        "5",
        "openssl, sha256sum",
        Means::Python("openssl.py"),
        true,
        120,
    ),
    row(
        "6",
        "rfc8785: canonical JSON",
        Means::Venv("canonical.py"),
        false,
        180,
    ),
    row(
        "6-npm",
        "canonicalize: canonical JSON",
        Means::Node("canonical.mjs"),
        false,
        180,
    ),
    row(
        "7",
        "witness protocol through raw sockets",
        Means::Venv("witness.py"),
        false,
        120,
    ),
    row(
        "8-9",
        "split views and old backups",
        Means::Python("splits.py"),
        false,
        120,
    ),
    row(
        "14",
        "cosign and tessera's fsck",
        Means::Verifiers,
        true,
        2400,
    ),
];

/// How a row ended.
enum End {
    Passed(String),
    Failed(String),
    Skipped(String),
}

/// Where everything is.
struct Lab {
    dir: PathBuf,
    bin: PathBuf,
    tools: Tools,
    all: bool,
    /// What went wrong while the material was made.
    material: Option<String>,
}

/// Runs the rows named, or all; returns those that were skipped, with the reasons.
///
/// # Errors
/// A row that does not exist; a row that failed; our own programs cannot be built.
pub fn conformance(args: &[&str]) -> Result<Vec<String>> {
    let all = args.contains(&"--all");
    let named: Vec<&str> = args.iter().copied().filter(|a| *a != "--all").collect();
    for name in &named {
        if !ROWS.iter().any(|row| row.name == *name) {
            let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
            bail!("no row is called `{name}`. Rows: {}", names.join(", "));
        }
    }
    let chosen: Vec<&'static Row> = ROWS
        .iter()
        .filter(|row| named.is_empty() || named.contains(&row.name))
        .collect();
    let lab = Lab::prepare(all, chosen.iter().any(|row| row.material))?;
    let queue = Mutex::new(chosen.iter());
    let ends = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(row) = next(&queue) {
                    let began = now();
                    let end = lab.run(row);
                    let took = began.elapsed();
                    if let Ok(mut ends) = ends.lock() {
                        ends.push((row, end, took));
                    }
                }
            });
        }
    });
    let mut ends = ends.into_inner().unwrap_or_default();
    let number = |name: &str| name.split('-').next().and_then(|n| n.parse::<u32>().ok());
    ends.sort_by_key(|(row, ..)| (number(row.name), row.name));
    table(&ends)
}

fn next(queue: &Mutex<std::slice::Iter<'_, &'static Row>>) -> Option<&'static Row> {
    queue.lock().ok()?.next().copied()
}

/// Prints all ends; fails if a row did.
fn table(ends: &[(&Row, End, Duration)]) -> Result<Vec<String>> {
    let (mut passed, mut failed, mut skipped) = (0, Vec::new(), Vec::new());
    println!("\nrow          what                                    result");
    for (row, end, took) in ends {
        let (word, text) = match end {
            End::Passed(text) => {
                passed += 1;
                ("passed ", text)
            }
            End::Failed(text) => {
                failed.push(row.name);
                ("FAILED ", text)
            }
            End::Skipped(text) => {
                skipped.push(format!("conformance row {}: {text}", row.name));
                ("skipped", text)
            }
        };
        let seconds = took.as_secs();
        println!(
            "{:<12} {:<39} {word} {seconds:>4} s  {text}",
            row.name, row.what
        );
    }
    println!(
        "conformance: {passed} passed, {} skipped, {} FAILED",
        skipped.len(),
        failed.len()
    );
    if failed.is_empty() {
        return Ok(skipped);
    }
    bail!("conformance failed in row {}", failed.join(", "))
}

impl Lab {
    /// Builds our programs, installs the tools, makes the material.
    fn prepare(all: bool, material: bool) -> Result<Self> {
        // The same features as in `cargo xtask test`, so that nothing is built twice.
        let build = ["build", "--quiet", "--workspace", "--bins", "--examples"];
        loud("programs", cargo().args(build))?;
        let dir = target().join("conformance");
        std::fs::create_dir_all(dir.join("logs"))
            .with_context(|| format!("{} cannot be made", dir.display()))?;
        println!("── conformance: tools");
        let tools = Tools::install(&dir);
        let mut lab = Self {
            bin: target().join("debug"),
            dir,
            tools,
            all,
            material: None,
        };
        if material {
            println!("── conformance: material");
            lab.material = lab.make_material().err().map(|e| format!("{e:#}"));
        }
        println!("── conformance: rows");
        Ok(lab)
    }

    fn make_material(&self) -> Result<()> {
        let dir = self.dir.join("material");
        empty(&dir)?;
        let log = self.bin.join("examples/conformance_log");
        let made = limited(
            120,
            Command::new(log).arg(dir.join("logs")),
            &self.log("logs"),
        )?;
        if !made.success() {
            bail!("the example `conformance_log` failed: {}", made.tail());
        }
        let python = self
            .tools
            .python
            .as_ref()
            .map_err(|lack| anyhow::anyhow!("{}", lack.why()))?;
        let script = self.script(python, "material.py", "material")?;
        let made = limited(120, &mut { script }, &self.log("material"))?;
        if !made.success() {
            bail!("no packet could be made: {}", made.tail());
        }
        Ok(())
    }

    fn run(&self, row: &Row) -> End {
        match self.try_run(row) {
            Ok(end) => end,
            Err(e) => End::Failed(format!("{e:#}")),
        }
    }

    fn try_run(&self, row: &Row) -> Result<End> {
        if matches!(row.means, Means::Verifiers) && !self.all {
            return Ok(End::Skipped("a long build; only with --all".into()));
        }
        let commands = match self.commands(row)? {
            Ok(commands) => commands,
            Err(Lack::Absent(why)) => return Ok(End::Skipped(why)),
            Err(Lack::Broken(why)) => return Ok(End::Failed(why)),
        };
        if let (true, Some(why)) = (row.material, &self.material) {
            if matches!(self.tools.python, Err(Lack::Absent(_))) {
                return Ok(End::Skipped(why.clone()));
            }
            bail!("no material: {why}");
        }
        let mut told = Vec::new();
        for (n, mut command) in commands.into_iter().enumerate() {
            let log = self.log(&format!("row-{}-{n}", row.name));
            let ran = limited(row.limit, &mut command, &log)?;
            if ran.code == Some(SKIPPED) {
                return Ok(End::Skipped(ran.last_line()));
            }
            if !ran.success() {
                return Ok(End::Failed(ran.tail()));
            }
            told.push(ran.last_line());
        }
        Ok(End::Passed(told.join("; ")))
    }

    /// The row's commands, or why it cannot run here.
    fn commands(&self, row: &Row) -> Result<Result<Vec<Command>, Lack>> {
        let material = self.dir.join("material");
        let tools = &self.tools;
        Ok(match row.means {
            Means::Python(script) => match &tools.python {
                Ok(python) => Ok(vec![self.script(python, script, row.name)?]),
                Err(why) => Err(why.clone()),
            },
            Means::Venv(script) => match &tools.venv {
                Ok(python) => Ok(vec![self.script(python, script, row.name)?]),
                Err(why) => Err(why.clone()),
            },
            Means::Go => match &tools.go {
                Ok(program) => {
                    let mut command = Command::new(program);
                    command.args(published_logs(&material.join("logs"))?);
                    command.arg(material.join("logs/consistency"));
                    let mut real = Command::new(program);
                    real.arg(material.join("log"));
                    Ok(vec![command, real])
                }
                Err(why) => Err(why.clone()),
            },
            Means::Node(script) => match &tools.node {
                Ok(dir) => {
                    let mut command = Command::new("node");
                    command.arg(dir.join(script));
                    self.surroundings(&mut command, row.name)?;
                    Ok(vec![command])
                }
                Err(why) => Err(why.clone()),
            },
            Means::Verifiers => {
                let mut command = Command::new("bash");
                command.arg(root().join("conformance/go-verifiers.sh"));
                self.surroundings(&mut command, row.name)?;
                Ok(vec![command])
            }
        })
    }

    fn script(&self, python: &Path, script: &str, name: &str) -> Result<Command> {
        let mut command = Command::new(python);
        command.arg(root().join("conformance/python").join(script));
        self.surroundings(&mut command, name)?;
        Ok(command)
    }

    /// What `conformance/python/lab.py` reads from the environment.
    fn surroundings(&self, command: &mut Command, name: &str) -> Result<()> {
        let work = self.work(name);
        empty(&work)?;
        let pairs: [(&str, OsString); 6] = [
            ("GONOGO", self.bin.join("gonogo").into()),
            ("WORK", work.into()),
            ("MATERIAL", self.dir.join("material").into()),
            ("EXAMPLES", self.bin.join("examples").into()),
            ("TOOLS", self.dir.clone().into()),
            ("PYTHONDONTWRITEBYTECODE", "1".into()),
        ];
        command.envs(pairs);
        Ok(())
    }

    fn work(&self, name: &str) -> PathBuf {
        self.dir.join("work").join(name)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.join("logs").join(name)
    }
}

/// The logs' directories in the order of their sizes.
fn published_logs(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        let size = path
            .file_name()
            .and_then(|n| n.to_str()?.parse::<u64>().ok());
        found.extend(size.map(|size| (size, path)));
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

fn empty(dir: &Path) -> Result<()> {
    let shown = || format!("{} cannot be emptied", dir.display());
    if dir.exists() {
        std::fs::remove_dir_all(dir).with_context(shown)?;
    }
    std::fs::create_dir_all(dir).with_context(shown)
}

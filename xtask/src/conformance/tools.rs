//! The tools of others: installed from Debian, PyPI, npm and Go's module proxy, at pinned versions, once.
//!
//! Invariants: a tool that cannot be had is a reason, not an error; nothing but Debian's packages is written outside
//! `target/conformance`; whatever runs has a time limit.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::run::{has, output, root};

/// Go that the pinned x/mod needs; older ones use Debian's x/mod.
const GO: (u32, u32) = (1, 26);
/// Where Debian has Go's libraries.
const GOCODE: &str = "/usr/share/gocode";
/// Node without which the packages do not run.
const NODE: u32 = 20;
/// Seconds for one installation.
const LIMIT: u64 = 300;

/// Each tool's program or directory, or why there is none.
pub(super) struct Tools {
    /// The system's Python.
    pub python: Result<PathBuf, String>,
    /// Python with PyPI's packages.
    pub venv: Result<PathBuf, String>,
    /// A directory with our scripts beside npm's packages.
    pub node: Result<PathBuf, String>,
    /// The Go program, built.
    pub go: Result<PathBuf, String>,
}

impl Tools {
    /// Installs what is missing. What is there is used again.
    pub(super) fn install(dir: &Path) -> Self {
        let apt = debian(dir);
        let because = |what: &str| match &apt {
            Ok(()) => format!("no {what}"),
            Err(why) => format!("no {what}: {why}"),
        };
        let python = if has("python3") && has("openssl") {
            Ok(PathBuf::from("python3"))
        } else {
            Err(because("Python and openssl"))
        };
        let tools = Self {
            venv: python.clone().and_then(|_| venv(dir)),
            python,
            node: if has("node") && has("npm") {
                node(dir)
            } else {
                Err(because("Node and npm"))
            },
            go: if has("go") {
                go(dir)
            } else {
                Err(because("Go toolchain"))
            },
        };
        for (name, why) in [
            ("Python", tools.python.as_ref().err()),
            ("PyPI", tools.venv.as_ref().err()),
            ("npm", tools.node.as_ref().err()),
            ("Go", tools.go.as_ref().err()),
        ] {
            println!("   {name}: {}", why.map_or("ready", String::as_str));
        }
        tools
    }
}

/// Installs Debian's packages that are missing, if this is Debian and we may.
fn debian(dir: &Path) -> Result<(), String> {
    let mut missing = Vec::new();
    let mut want = |there: bool, packages: &[&'static str]| {
        if !there {
            missing.extend_from_slice(packages);
        }
    };
    let python = |code: &str| {
        let mut command = Command::new("python3");
        command.args(["-c", code]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    want(python("import venv, ensurepip"), &["python3-venv"]);
    want(has("openssl"), &["openssl"]);
    want(has("strace"), &["strace"]);
    want(has("node") && has("npm"), &["nodejs", "npm"]);
    let modules = Path::new(GOCODE).join("src/golang.org/x/mod").is_dir();
    want(
        modules || go_version().is_some_and(|v| v >= GO),
        &["golang-go", "golang-golang-x-mod-dev"],
    );
    if missing.is_empty() {
        return Ok(());
    }
    let is_root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !is_root || !has("apt-get") {
        return Err("not installed, and only root on Debian can install it".into());
    }
    println!("   installing {}", missing.join(", "));
    let log = dir.join("logs/apt");
    let mut update = Command::new("apt-get");
    update.args(["update", "-qq"]);
    // Lists that are there may do.
    let _ = limited(LIMIT, &mut update, &log);
    let mut install = Command::new("apt-get");
    install
        .args(["install", "--yes", "-qq", "--no-install-recommends"])
        .args(&missing)
        .env("DEBIAN_FRONTEND", "noninteractive");
    done("apt-get", limited(LIMIT, &mut install, &log))
}

/// PyPI's packages in a virtual environment, by their hashes.
fn venv(dir: &Path) -> Result<PathBuf, String> {
    let (venv, wanted) = (
        dir.join("venv"),
        root().join("conformance/python/requirements.txt"),
    );
    let python = venv.join("bin/python");
    if is_stamped(&venv, &[&wanted]) {
        return Ok(python);
    }
    let log = dir.join("logs/venv");
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&venv);
    done("python3 -m venv", limited(LIMIT, &mut make, &log))?;
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        "--only-binary=:all:",
    ])
    .args([
        "--disable-pip-version-check",
        "--timeout=15",
        "--retries=2",
        "-r",
    ])
    .arg(&wanted);
    done("PyPI", limited(LIMIT, &mut pip, &dir.join("logs/pip")))?;
    stamp(&venv, &[&wanted])?;
    Ok(python)
}

/// npm's packages as the lock file names them, with our scripts beside them: modules are looked for where the script is.
fn node(dir: &Path) -> Result<PathBuf, String> {
    let version = first_number(&mut Command::new("node"), "--version");
    if version.is_none_or(|(major, _)| major < NODE) {
        return Err(format!("Node is older than {NODE}"));
    }
    let (node, ours) = (dir.join("node"), root().join("conformance/node"));
    let copy = |name: &str| {
        std::fs::create_dir_all(&node)
            .and_then(|()| std::fs::copy(ours.join(name), node.join(name)))
            .map_err(|e| format!("{name} cannot be copied: {e}"))
    };
    for name in [
        "bundles.mjs",
        "canonical.mjs",
        "package.json",
        "package-lock.json",
    ] {
        copy(name)?;
    }
    let wanted = ours.join("package-lock.json");
    if is_stamped(&node, &[&wanted]) {
        return Ok(node);
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .args(["--fetch-timeout=20000", "--fetch-retries=2", "--cache"])
        .arg(dir.join("npm-cache"))
        .current_dir(&node);
    done("npm", limited(LIMIT, &mut npm, &dir.join("logs/npm")))?;
    stamp(&node, &[&wanted])?;
    Ok(node)
}

/// Builds the Go program: with the pinned x/mod if Go is new enough and finds it, else with Debian's.
fn go(dir: &Path) -> Result<PathBuf, String> {
    let (program, source) = (dir.join("logcheck"), root().join("conformance/go"));
    let build = |pairs: &[(&str, &str)]| {
        let mut go = Command::new("go");
        go.args(["build", "-buildvcs=false", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(&source)
            .env("GOCACHE", dir.join("go-cache"))
            .env("GOTOOLCHAIN", "local")
            .envs(pairs.iter().copied());
        done("go build", limited(LIMIT, &mut go, &dir.join("logs/go")))
    };
    let modules = dir.join("go-modules").display().to_string();
    let mut why = String::from("Go is too old for the pinned x/mod");
    if go_version().is_some_and(|v| v >= GO) {
        // Writable, so that the target directory can be removed.
        let pairs = [("GOMODCACHE", modules.as_str()), ("GOFLAGS", "-modcacherw")];
        match build(&pairs) {
            Ok(()) => return Ok(program),
            Err(e) => why = e,
        }
    }
    if !Path::new(GOCODE).join("src/golang.org/x/mod").is_dir() {
        return Err(format!(
            "{why}; and golang-golang-x-mod-dev is not installed"
        ));
    }
    build(&[("GO111MODULE", "off"), ("GOPATH", GOCODE), ("GOFLAGS", "")])?;
    Ok(program)
}

fn go_version() -> Option<(u32, u32)> {
    first_number(&mut Command::new("go"), "version")
}

/// The first `major.minor` that a program prints.
fn first_number(program: &mut Command, argument: &str) -> Option<(u32, u32)> {
    let out = program.arg(argument).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(out.stdout).ok()?;
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let mut parts = text[start..].split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn contents(files: &[&Path]) -> Option<String> {
    files
        .iter()
        .map(|f| std::fs::read_to_string(f).ok())
        .collect()
}

/// Whether a directory was filled as these files ask.
fn is_stamped(dir: &Path, files: &[&Path]) -> bool {
    let stamp = std::fs::read_to_string(dir.join("installed")).ok();
    stamp.is_some() && stamp == contents(files)
}

fn stamp(dir: &Path, files: &[&Path]) -> Result<(), String> {
    let text = contents(files).unwrap_or_default();
    std::fs::write(dir.join("installed"), text).map_err(|e| e.to_string())
}

fn done(what: &str, ran: Result<Ran>) -> Result<(), String> {
    match ran {
        Ok(ran) if ran.success() => Ok(()),
        Ok(ran) => Err(format!("{what} failed: {}", ran.last_error())),
        Err(e) => Err(format!("{what} failed: {e:#}")),
    }
}

/// How a program ended, and what it printed.
pub(super) struct Ran {
    pub code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    pub(super) fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// The last line that it printed.
    pub(super) fn last_line(&self) -> String {
        last(&self.out)
    }

    fn last_error(&self) -> String {
        if self.code == Some(TIMED_OUT) {
            return "it took too long".into();
        }
        last(&self.err)
    }

    /// The end of what it printed, for whoever looks for the fault.
    pub(super) fn tail(&self) -> String {
        let text = format!("{}\n{}", self.out.trim_end(), self.err.trim_end());
        let lines: Vec<&str> = text.lines().collect();
        let end = lines[lines.len().saturating_sub(60)..].join("\n      ");
        if self.code == Some(TIMED_OUT) {
            return format!("it took too long\n      {end}");
        }
        format!("\n      {end}")
    }
}

fn last(text: &str) -> String {
    let line = text.trim_end().lines().last().unwrap_or("").trim();
    line.chars().take(300).collect()
}

/// What `timeout` answers when it had to end a program.
const TIMED_OUT: i32 = 124;

/// Runs a program for at most so many seconds, also its children; what it prints is kept in `log`.{out,err}.
pub(super) fn limited(seconds: u64, command: &mut Command, log: &Path) -> Result<Ran> {
    let mut whole = Command::new("timeout");
    whole
        .arg("--kill-after=5")
        .arg(seconds.to_string())
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => whole.env(name, value),
            None => whole.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        whole.current_dir(dir);
    }
    let (out, err) = (log.with_extension("out"), log.with_extension("err"));
    let file = |path: &Path| {
        File::create(path).with_context(|| format!("{} cannot be written", path.display()))
    };
    let status = whole
        .stdin(Stdio::null())
        .stdout(file(&out)?)
        .stderr(file(&err)?)
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    let read = |path: &Path| {
        std::fs::read(path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .with_context(|| path.display().to_string())
    };
    Ok(Ran {
        code: status.code(),
        out: read(&out)?,
        err: read(&err)?,
    })
}

//! The tools of others: installed from Debian, PyPI, npm and Go's module proxy, at pinned versions, once.
//!
//! Invariants: a tool that cannot be had is a reason to skip ([`Lack::Absent`]): it is not installed, or its source is out of
//! reach. Whatever else goes wrong, a compile error of our own program or a package with another hash, is a failure
//! ([`Lack::Broken`]). Nothing but Debian's packages is written outside `target/conformance`; whatever runs has a time limit.

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

/// What pip, npm, Go and Debian's Python say if a package's source is out of reach: no name is resolved, nobody listens,
/// nobody answers in time, whoever answers cannot serve, or the network was switched off.
const OUT_OF_REACH: [&str; 26] = [
    // Go
    "dial tcp",
    "i/o timeout",
    "deadline exceeded",
    "no such host",
    "TLS handshake timeout",
    "connection reset by peer",
    "unexpected EOF",
    "GOPROXY=off",
    "502 Bad Gateway",
    "503 Service",
    "504 Gateway",
    // pip
    "NewConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "name resolution",
    "Connection refused",
    "Network is unreachable",
    "ProtocolError",
    // npm
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "ENETUNREACH",
    "ERR_SOCKET_TIMEOUT",
];

/// What they say if a package came and is not the pinned one. A look-up that failed before does not excuse it.
const NOT_THE_PINNED: [&str; 4] = [
    "SECURITY ERROR",
    "checksum mismatch",
    "DO NOT MATCH THE HASHES",
    "EINTEGRITY",
];

/// Why a tool cannot be used.
#[derive(Debug, Clone)]
pub(super) enum Lack {
    /// It is not here and cannot be fetched: the rows that need it are skipped.
    Absent(String),
    /// It is here, or could be had, and something is wrong with it: the rows that need it fail.
    Broken(String),
}

impl Lack {
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Absent(why) | Self::Broken(why) => why,
        }
    }
}

/// Each tool's program or directory, or why there is none.
pub(super) struct Tools {
    /// The system's Python.
    pub python: Result<PathBuf, Lack>,
    /// Python with PyPI's packages.
    pub venv: Result<PathBuf, Lack>,
    /// A directory with our scripts beside npm's packages.
    pub node: Result<PathBuf, Lack>,
    /// The Go program, built.
    pub go: Result<PathBuf, Lack>,
}

impl Tools {
    /// Installs what is missing. What is there is used again.
    pub(super) fn install(dir: &Path) -> Self {
        let apt = debian(dir);
        let because = |what: &str| {
            Lack::Absent(match &apt {
                Ok(()) => format!("no {what}"),
                Err(why) => format!("no {what}: {why}"),
            })
        };
        let python = if has("python3") && has("openssl") {
            Ok(PathBuf::from("python3"))
        } else {
            Err(because("Python and openssl"))
        };
        let tools = Self {
            venv: python.clone().and_then(|_| {
                if imports("venv, ensurepip") {
                    venv(dir)
                } else {
                    Err(because("Python's venv"))
                }
            }),
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
            println!("   {name}: {}", why.map_or("ready", Lack::why));
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
    want(imports("venv, ensurepip"), &["python3-venv"]);
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
    match limited(LIMIT, &mut install, &log) {
        Ok(ran) if ran.success() => Ok(()),
        // Debian's packages and its mirrors are not ours: what is missing then is not installed.
        Ok(ran) => Err(format!("apt-get failed: {}", ran.last_error())),
        Err(e) => Err(format!("apt-get failed: {e:#}")),
    }
}

/// Whether the system's Python has these modules.
fn imports(modules: &str) -> bool {
    let mut command = Command::new("python3");
    command.args(["-c", &format!("import {modules}")]);
    let status = command.stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// PyPI's packages in a virtual environment, by their hashes.
fn venv(dir: &Path) -> Result<PathBuf, Lack> {
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
    built("python3 -m venv", limited(LIMIT, &mut make, &log))?;
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
    fetched("PyPI", limited(LIMIT, &mut pip, &dir.join("logs/pip")))?;
    stamp(&venv, &[&wanted])?;
    Ok(python)
}

/// npm's packages as the lock file names them, with our scripts beside them: modules are looked for where the script is.
fn node(dir: &Path) -> Result<PathBuf, Lack> {
    let version = first_number(&mut Command::new("node"), "--version");
    let Some((major, _)) = version else {
        return Err(Lack::Broken("`node --version` says no version".into()));
    };
    if major < NODE {
        return Err(Lack::Absent(format!("Node is older than {NODE}")));
    }
    let (node, ours) = (dir.join("node"), root().join("conformance/node"));
    let copy = |name: &str| {
        std::fs::create_dir_all(&node)
            .and_then(|()| std::fs::copy(ours.join(name), node.join(name)))
            .map_err(|e| Lack::Broken(format!("{name} cannot be copied: {e}")))
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
    fetched("npm", limited(LIMIT, &mut npm, &dir.join("logs/npm")))?;
    stamp(&node, &[&wanted])?;
    Ok(node)
}

/// Builds the Go program: with the pinned x/mod if Go is new enough and finds it, else with Debian's. Fetching comes first and
/// building does without the network, so that a compile error is never taken for a source that is out of reach.
fn go(dir: &Path) -> Result<PathBuf, Lack> {
    let program = dir.join("logcheck");
    // What an earlier run built says nothing of today's source.
    if program.exists() {
        let gone = std::fs::remove_file(&program);
        gone.map_err(|e| Lack::Broken(format!("{} cannot be removed: {e}", program.display())))?;
    }
    let ask = |args: &[&str], pairs: &[(&str, &str)]| {
        let mut go = Command::new("go");
        go.args(args)
            .current_dir(root().join("conformance/go"))
            .env("GOCACHE", dir.join("go-cache"))
            .env("GOTOOLCHAIN", "local")
            .envs(pairs.iter().copied());
        limited(LIMIT, &mut go, &dir.join("logs/go"))
    };
    let shown = program.display().to_string();
    let build = ["build", "-buildvcs=false", "-o", &shown, "."];
    let Some(version) = go_version() else {
        return Err(Lack::Broken("`go version` says no version".into()));
    };
    let mut why = String::from("Go is too old for the pinned x/mod");
    if version >= GO {
        let modules = dir.join("go-modules").display().to_string();
        // Writable, so that the target directory can be removed.
        let here = [("GOMODCACHE", modules.as_str()), ("GOFLAGS", "-modcacherw")];
        match fetched("go mod download", ask(&["mod", "download"], &here)) {
            Ok(()) => {
                let offline = [here[0], here[1], ("GOPROXY", "off")];
                return built("go build", ask(&build, &offline)).map(|()| program);
            }
            Err(Lack::Absent(e)) => why = e,
            Err(broken) => return Err(broken),
        }
    }
    if !Path::new(GOCODE).join("src/golang.org/x/mod").is_dir() {
        return Err(Lack::Absent(format!(
            "{why}; and golang-golang-x-mod-dev is not installed"
        )));
    }
    let debian = [("GO111MODULE", "off"), ("GOPATH", GOCODE), ("GOFLAGS", "")];
    built("go build", ask(&build, &debian)).map(|()| program)
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

fn stamp(dir: &Path, files: &[&Path]) -> Result<(), Lack> {
    let text = contents(files).unwrap_or_default();
    std::fs::write(dir.join("installed"), text).map_err(|e| Lack::Broken(e.to_string()))
}

/// The end of a program that needs no network: a failure is one.
fn built(what: &str, ran: Result<Ran>) -> Result<(), Lack> {
    match ran {
        Ok(ran) if ran.success() => Ok(()),
        Ok(ran) => Err(Lack::Broken(format!("{what} failed: {}", ran.tail()))),
        Err(e) => Err(Lack::Broken(format!("{what} failed: {e:#}"))),
    }
}

/// The end of a program that fetches: a source out of reach is a lack, anything else is a failure.
fn fetched(what: &str, ran: Result<Ran>) -> Result<(), Lack> {
    match ran {
        Ok(ran) if ran.code == Some(TIMED_OUT) => {
            Err(Lack::Absent(format!("{what}: nothing came in {LIMIT} s")))
        }
        Ok(ran) => match out_of_reach(&ran.err) {
            Some(why) if !ran.success() => Err(Lack::Absent(format!(
                "{what}: the source is out of reach: {why}"
            ))),
            _ => built(what, Ok(ran)),
        },
        Err(e) => built(what, Err(e)),
    }
}

/// The line that says that a source is out of reach, if that is all that is wrong.
fn out_of_reach(said: &str) -> Option<String> {
    let of = |words: &[&str], line: &str| words.iter().any(|w| line.contains(w));
    if said.lines().any(|line| of(&NOT_THE_PINNED, line)) {
        return None;
    }
    let line = said.lines().find(|line| of(&OUT_OF_REACH, line))?;
    Some(line.trim().chars().take(200).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the tools said (Go 1.26, pip 23 and 25, npm 10) without a network.
    const AWAY: [&str; 5] = [
        "go: golang.org/x/mod@v0.42.0: Get \"https://127.0.0.1:9/golang.org/x/mod/@v/v0.42.0.mod\": dial tcp 127.0.0.1:9: connect: connection refused\n",
        "go: golang.org/x/mod@v0.42.0: module lookup disabled by GOPROXY=off\n",
        "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3>: Failed to establish a new connection: [Errno 111] Connection refused')'\n\
         ERROR: Could not find a version that satisfies the requirement cachetools==7.2.1 (from versions: none)\n\
         ERROR: No matching distribution found for cachetools==7.2.1\n",
        "npm error code ENOTFOUND\nnpm error network This is a problem related to network connectivity.\n",
        "npm error FetchError: request to https://registry.npmjs.org/ failed, reason: connect ECONNREFUSED 127.0.0.1:9\n",
    ];

    /// What they, and our own program, say if something is wrong.
    const WRONG: [&str; 7] = [
        "# gonogo.dev/conformance\n./main.go:29:2: undefined: nothing\n",
        "go: errors parsing go.mod:\ngo.mod:7: syntax error (unterminated block started at go.mod:6:1)\n",
        "SECURITY ERROR\nThis download does NOT match an earlier download recorded in go.sum.\n",
        "ERROR: Could not find a version that satisfies the requirement cachetools==99 (from versions: 7.2.1)\n",
        "WARNING: Retrying after connection broken by 'ReadTimeoutError'\n\
         ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n",
        "npm error code EINTEGRITY\n",
        "npm error `npm ci` can only install packages when your package.json and package-lock.json are in sync.\n",
    ];

    fn ran(code: i32, err: &str) -> Result<Ran> {
        let (out, err) = (String::new(), err.to_owned());
        Ok(Ran {
            code: Some(code),
            out,
            err,
        })
    }

    #[test]
    fn only_a_source_out_of_reach_is_a_reason_to_skip() {
        for said in AWAY {
            let lack = fetched("it", ran(1, said)).unwrap_err();
            assert!(matches!(lack, Lack::Absent(_)), "{lack:?}");
        }
        for said in WRONG {
            let lack = fetched("it", ran(1, said)).unwrap_err();
            assert!(matches!(lack, Lack::Broken(_)), "{lack:?}");
        }
        for said in AWAY.iter().chain(&WRONG) {
            let lack = built("it", ran(1, said)).unwrap_err();
            assert!(matches!(lack, Lack::Broken(_)), "{lack:?}");
            assert!(fetched("it", ran(0, said)).is_ok());
        }
        let late = fetched("it", ran(TIMED_OUT, "")).unwrap_err();
        assert!(matches!(late, Lack::Absent(_)), "{late:?}");
    }
}

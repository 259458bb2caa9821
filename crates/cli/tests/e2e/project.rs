//! A project in a directory of its own, and everything that tests do with one.
//!
//! Invariants: no port is used by two projects; every process that has the directory's name in its arguments is ended when
//! the project is dropped, by its id; nothing here waits without a deadline.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use gonogo_load::{Arrivals, Load, LoadConfig, Shot};
use serde_json::Value;
use tempfile::TempDir;

use crate::screen::Ran;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_gonogo");

/// No command in these tests may take longer.
const LONGEST: Duration = Duration::from_secs(90);

/// A configuration with which a good release under 300 requests a second takes about two seconds.
pub(crate) const CONFIG: &str = r#"service = "shop"

[version]
run = ["PROGRAM", "storefront", "--behaviour", "versions/{version}.toml"]
artifacts = ["versions/{version}.toml"]
ready = { http = "/readyz", interval = "20ms", timeout = "2s", within = "10s" }
drain = { signal = "TERM", within = "2s" }

[environments.local]
target = "host"
listen = "127.0.0.1:PORT"
gates = "none"
approval = "self"
strategy = "quick"
checks = "easy"

[strategies.quick]
stages = [{ weight = "50%", bake = "200ms", within = "20s" }]
soak = "400ms"
promote_within = "15s"
sample_every = "100ms"

[checks.easy]
min_requests = 30
errors = { margin = "5%", limit = "15%" }
slow = { over = "1s", margin = "20%", limit = "50%" }
client_errors = { margin = "20%", limit = "50%" }
"#;

/// A project; ends what it started when dropped.
pub(crate) struct Project {
    dir: TempDir,
    /// Address of the environment's traffic.
    pub(crate) listen: SocketAddr,
}

/// Now, for deadlines of tests.
#[expect(clippy::disallowed_methods, reason = "a test's deadline is real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Asks again and again until there is an answer.
#[track_caller]
pub(crate) fn wait<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = now() + within;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(now() < end, "{what} did not happen within {within:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A port that no other project of this process uses and nobody listens on; below the range that outgoing connections
/// take theirs from.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 10_000 + (std::process::id() % 2_000) as u16 * 10;
    loop {
        let port = base + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Project {
    /// A project with [`CONFIG`] and every behaviour that ships with the shop.
    pub(crate) fn new() -> Self {
        Self::with(CONFIG)
    }

    /// A project with this configuration; `PROGRAM` and `PORT` are filled in.
    pub(crate) fn with(config: &str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("gonogo-e2e-")
            .tempdir()
            .unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let project = Self { dir, listen };
        project.configure(config);
        for (name, text) in gonogo_storefront::VERSIONS {
            project.behave(name, text);
        }
        project
    }

    /// Writes `gonogo.toml`.
    pub(crate) fn configure(&self, config: &str) {
        let text = config
            .replace("PROGRAM", PROGRAM)
            .replace("PORT", &self.listen.port().to_string());
        std::fs::write(self.path("gonogo.toml"), text).unwrap();
    }

    /// Writes the behaviour of a version.
    pub(crate) fn behave(&self, version: &str, text: &str) {
        let path = self.path(&format!("versions/{version}.toml"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A path in the project.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    /// A file of the project as text.
    pub(crate) fn text(&self, inside: &str) -> String {
        std::fs::read_to_string(self.path(inside)).unwrap()
    }

    /// The program with these arguments, as `you`.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(args)
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        // Whatever runs the tests may be a run of ours itself.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().into_owned();
            if text.starts_with("GONOGO_") && text != gonogo_testkit::LIST {
                command.env_remove(&name);
            }
        }
        command
            .env_remove("COLUMNS")
            .env_remove("CI_CORRELATION_ID");
        command
            .env("GONOGO_ACTOR", "you")
            .env("NO_COLOR", "1")
            .env("GONOGO_MEMORY", self.dir.path().join(".memory"));
        command
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        finish(self.command(args), args)
    }

    /// Runs the program under another name.
    #[track_caller]
    pub(crate) fn run_as(&self, name: &str, args: &[&str]) -> Ran {
        let mut command = self.command(args);
        command.env("GONOGO_ACTOR", name);
        finish(command, args)
    }

    /// Starts the program and leaves it running. Drop or wait for the guard.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running(Some(
            self.command(args)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
        ))
    }

    /// Runs a command with `--json` that must succeed and returns its data.
    #[track_caller]
    pub(crate) fn data(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let mut envelope = self.run(&args).envelope();
        assert_eq!(envelope["success"], true, "{args:?}: {envelope:#}");
        envelope["data"].take()
    }

    /// Makes a plan and returns its id.
    #[track_caller]
    pub(crate) fn plan(&self, version: &str) -> String {
        self.data(&["plan", "--to", version])["plan"]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Makes a plan that `you` has approved and returns its id.
    #[track_caller]
    pub(crate) fn approved(&self, version: &str) -> String {
        let id = self.plan(version);
        self.data(&["approve", &id]);
        id
    }

    /// Records of one kind, oldest first.
    #[track_caller]
    pub(crate) fn records(&self, kind: &str) -> Vec<Value> {
        self.data(&["evidence", "list", "--kind", kind, "--limit", "1000"])["records"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// Everything that a refusal must leave as it was.
    #[track_caller]
    pub(crate) fn world(&self) -> World {
        let records = self.data(&["evidence", "list", "--limit", "1000"]);
        let records = records["records"].as_array().unwrap().iter();
        let records = records
            .map(|r| {
                (
                    r["kind"].as_str().unwrap().to_owned(),
                    r["stream"].to_string(),
                    r["digest"].to_string(),
                )
            })
            .filter(|(kind, ..)| kind != "refusal" && kind != "key-event")
            .collect();
        let status = self.run(&["status", "--json"]).envelope();
        World {
            target: status["data"]["environments"].clone(),
            operations: self.data(&["history", "--limit", "1000"]),
            records,
            plans: files(&self.path(".gonogo/plans")),
        }
    }

    /// Runs a command that must be refused for exactly these reasons, checks the words and that nothing changed, and
    /// returns the error block.
    #[track_caller]
    pub(crate) fn refuses(&self, args: &[&str], exit: i32, reasons: &[&str]) -> Value {
        self.refuses_as("you", args, exit, reasons)
    }

    /// As [`Project::refuses`], under another name.
    #[track_caller]
    pub(crate) fn refuses_as(
        &self,
        name: &str,
        args: &[&str],
        exit: i32,
        reasons: &[&str],
    ) -> Value {
        let before = self.world();
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let ran = self.run_as(name, &args);
        let error = ran.refusal(exit, reasons);
        assert_eq!(
            self.world(),
            before,
            "{args:?} was refused and changed something"
        );
        error
    }

    /// Begins sending `rate` requests a second; stops when dropped.
    pub(crate) fn load(&self, rate: f64) -> gonogo_load::Handle {
        let config = LoadConfig {
            rate,
            duration: Duration::from_secs(120),
            connections: 64,
            timeout: Duration::from_secs(10),
            arrivals: Arrivals::Poisson,
            mix: vec![
                Shot::read("/products").weighted(3),
                Shot::read("/products/mug"),
                Shot::post("/cart", r#"{"product":"mug","quantity":1}"#),
            ],
            ..LoadConfig::new(self.listen)
        };
        Load::start(config).unwrap()
    }

    /// As [`Project::load`], from clients that leave after `patience`.
    pub(crate) fn impatient(&self, rate: f64, patience: Duration) -> gonogo_load::Handle {
        let config = LoadConfig {
            rate,
            duration: Duration::from_secs(120),
            connections: 256,
            timeout: patience,
            arrivals: Arrivals::Poisson,
            mix: vec![Shot::read("/products")],
            ..LoadConfig::new(self.listen)
        };
        Load::start(config).unwrap()
    }

    /// A project whose environment serves 1.0.0, known-good, released under load.
    #[track_caller]
    pub(crate) fn serving() -> Self {
        Self::serving_with(CONFIG)
    }

    /// As [`Project::serving`] with another configuration.
    #[track_caller]
    pub(crate) fn serving_with(config: &str) -> Self {
        let project = Self::with(config);
        let load = project.load(300.0);
        project
            .run(&["release", "--to", "1.0.0", "--env", "local"])
            .expect(0);
        load.stop();
        load.join();
        project
    }

    /// Versions and weights that the target reports, such as `1.0.0:10000`.
    #[track_caller]
    pub(crate) fn serves(&self) -> Vec<String> {
        let status = self.data(&["status"]);
        let slots = status["environments"][0]["observed"]["slots"]
            .as_array()
            .unwrap()
            .iter();
        slots
            .map(|s| format!("{}:{}", s["version"].as_str().unwrap(), s["weight"]))
            .collect()
    }

    /// Ids of running processes with the project's directory among their arguments.
    pub(crate) fn processes(&self) -> Vec<i32> {
        processes_of(self.dir.path())
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        end_all(self.dir.path());
    }
}

/// Ends every process that has `dir` in its arguments or works there.
#[track_caller]
pub(crate) fn end_all(dir: &Path) {
    // Whoever starts a process may be killed in between, so it is looked again until two looks find nobody.
    let end = now() + Duration::from_secs(10);
    let mut empty = 0;
    while empty < 2 {
        let left = processes_of(dir);
        empty = if left.is_empty() { empty + 1 } else { 0 };
        for pid in left {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            // It may have ended by itself since.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        if now() > end {
            let left = processes_of(dir);
            if std::thread::panicking() {
                return;
            }
            panic!(
                "processes of {} could not be ended: {left:?}",
                dir.display()
            );
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ids of running processes with `dir` in their arguments, or that work there.
pub(crate) fn processes_of(dir: &Path) -> Vec<i32> {
    let wanted = dir.as_os_str().as_encoded_bytes();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|n| n.parse::<i32>().ok())
        else {
            continue;
        };
        let named = |file: &str| std::fs::read(entry.path().join(file)).unwrap_or_default();
        let has = |bytes: &[u8]| bytes.windows(wanted.len()).any(|w| w == wanted);
        let here =
            std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
        if pid != std::process::id() as i32 && (here || has(&named("cmdline"))) {
            found.push(pid);
        }
    }
    found
}

/// What a refusal must not change.
#[derive(Debug, PartialEq)]
pub(crate) struct World {
    target: Value,
    operations: Value,
    records: Vec<(String, String, String)>,
    plans: BTreeMap<PathBuf, Vec<u8>>,
}

/// Every file below `dir` with its bytes; empty if there is none.
pub(crate) fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.insert(path, bytes);
        }
    }
    found
}

/// A program that goes on; killed when dropped.
pub(crate) struct Running(Option<Child>);

impl Running {
    /// A program that was started elsewhere, with both its streams piped.
    #[allow(
        dead_code,
        reason = "of the two test programs that share this file one needs it"
    )]
    pub(crate) const fn of(child: Child) -> Self {
        Self(Some(child))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> i32 {
        self.0.as_ref().unwrap().id() as i32
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_raw(self.pid()).unwrap(), signal)
            .unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn join(mut self) -> Ran {
        collect(self.0.take().unwrap(), "a running command")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[track_caller]
pub(crate) fn finish(mut command: Command, args: &[&str]) -> Ran {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    collect(child, &args.join(" "))
}

#[track_caller]
fn collect(mut child: Child, what: &str) -> Ran {
    fn reader(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = from.read_to_end(&mut bytes);
            bytes
        })
    }
    let out = reader(child.stdout.take().unwrap());
    let err = reader(child.stderr.take().unwrap());
    let end = now() + LONGEST;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if now() > end {
            let _ = child.kill();
            let err = String::from_utf8_lossy(&err.join().unwrap()).into_owned();
            panic!("`gonogo {what}` did not end within {LONGEST:?}: {err}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    // A child that kept the pipes would show here: the reading ends only with the last writer.
    wait("the end of output", Duration::from_secs(10), || {
        (out.is_finished() && err.is_finished()).then_some(())
    });
    Ran {
        what: what.to_owned(),
        status: status.code().unwrap_or(-1),
        out: String::from_utf8(out.join().unwrap()).unwrap(),
        err: String::from_utf8(err.join().unwrap()).unwrap(),
    }
}

//! A project with a real agent, real versions and real load, and the hands to break it: shared by the fault tests and by
//! the examples that measure.
//!
//! Invariants: only processes that belong to this project are signalled, each by its id; everything is ended when the lab
//! is dropped; no wait is without a deadline.

use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gonogo_core::Span;
use gonogo_core::id::OperationId;
use gonogo_host::client::HostTarget;
use gonogo_load::{Handle, Load, LoadConfig, Report, Shot};
use gonogo_release::Observed;
use gonogo_store::{Liveness, Operation, Store};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A version that is good, under another name than [`OTHER`].
pub const GOOD: &str = "1.0.0";
/// Another good version.
pub const OTHER: &str = "2.0.0";
/// A version of which every second answer is an error.
pub const BAD: &str = "9.0.0";

/// No command may take longer.
pub const LONGEST: Duration = Duration::from_secs(90);

/// Small stages: a good release takes about three seconds under 200 requests a second. `EXTRA` is replaced.
pub const QUICK: &str = r#"service = "shop"

[version]
run = ["PROGRAM", "storefront", "--behaviour", "versions/{version}.toml"]
artifacts = ["versions/{version}.toml"]
ready = { http = "/readyz", interval = "50ms", timeout = "2s", within = "10s" }
drain = { signal = "TERM", within = "2s" }

[environments.local]
target = "host"
listen = "LISTEN"
gates = "none"
approval = "self"
strategy = "quick"
checks = "easy"

[strategies.quick]
stages = [
  { weight = "25%", bake = "400ms", within = "60s" },
  { weight = "50%", bake = "200ms", within = "60s" },
]
soak = "500ms"
promote_within = "60s"
sample_every = "100ms"

[checks.easy]
min_requests = 20
errors = { margin = "15%", limit = "30%" }
slow = { over = "2s", margin = "30%", limit = "60%" }
client_errors = { margin = "30%", limit = "60%" }
"#;

/// A project; ends what it started when dropped.
pub struct Lab {
    dir: TempDir,
    program: PathBuf,
    /// Address of the environment's traffic.
    pub listen: SocketAddr,
    files: AtomicU64,
}

/// A command that ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A command that runs. Killed when dropped.
pub struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

/// Real time, for deadlines and durations.
#[expect(
    clippy::disallowed_methods,
    reason = "tests and measurements with real processes run in real time"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Asks again and again until there is an answer.
#[track_caller]
pub fn wait<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = now() + within;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(now() < end, "{what} did not happen within {within:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The program to measure: `$GONOGO_PROGRAM`, else the one that was built beside this example.
pub fn program_beside() -> PathBuf {
    let beside = || {
        std::env::current_exe()
            .unwrap()
            .ancestors()
            .nth(2)
            .unwrap()
            .join("gonogo")
    };
    std::env::var_os("GONOGO_PROGRAM").map_or_else(beside, PathBuf::from)
}

/// Writes one line of talk.
pub fn say(line: &str) {
    let mut to = std::io::stderr().lock();
    let _ = writeln!(to, "{line}");
}

/// Writes the answer of a measurement.
pub fn answer(value: &Value) {
    let mut to = std::io::stdout().lock();
    writeln!(to, "{value:#}").unwrap();
}

/// Sends a signal to one process.
pub fn signal(pid: u32, signal: Signal) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
}

/// Whether a process runs; a zombie does not.
pub fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

impl Lab {
    /// A project with this configuration; `PROGRAM` and `LISTEN` are filled in.
    pub fn new(program: &Path, config: &str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("gonogo-lab-")
            .tempdir()
            .unwrap();
        let listen = TcpListener::bind("127.0.0.1:0")
            .and_then(|l| l.local_addr())
            .unwrap();
        // Out of the range that outgoing connections take their ports from.
        let port = (12_000 + listen.port() % 7_000..20_000)
            .find(|p| TcpListener::bind(("127.0.0.1", *p)).is_ok())
            .unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], port));
        let lab = Self {
            dir,
            program: program.to_owned(),
            listen,
            files: AtomicU64::new(0),
        };
        let text = config
            .replace("PROGRAM", &program.display().to_string())
            .replace("LISTEN", &listen.to_string());
        std::fs::write(lab.path("gonogo.toml"), text).unwrap();
        for version in [GOOD, OTHER] {
            lab.behave(version, &format!("version = \"{version}\"\n"));
        }
        lab.behave(BAD, &format!("version = \"{BAD}\"\nerror_rate = 0.5\n"));
        lab
    }

    /// Writes the behaviour of a version.
    pub fn behave(&self, version: &str, text: &str) {
        std::fs::create_dir_all(self.path("versions")).unwrap();
        std::fs::write(self.path(&format!("versions/{version}.toml")), text).unwrap();
    }

    /// A path in the project.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    /// The program with these arguments.
    pub fn command(&self, args: &[&str]) -> Command {
        self.wrapped(&[], args)
    }

    /// The program with these arguments, run by another program such as a tracer.
    pub fn wrapped(&self, by: &[&str], args: &[&str]) -> Command {
        let program = self.program.to_str().unwrap();
        let line: Vec<&str> = by
            .iter()
            .copied()
            .chain([program])
            .chain(args.iter().copied())
            .collect();
        let mut command = Command::new(line[0]);
        command
            .args(&line[1..])
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
            .env("GONOGO_ACTOR", "you")
            .env("NO_COLOR", "1")
            .env("GONOGO_MEMORY", "none");
        command
    }

    /// Starts a command and leaves it running.
    pub fn begin(&self, mut command: Command) -> Running {
        let n = self.files.fetch_add(1, Ordering::Relaxed);
        let (out, err) = (
            self.path(&format!("said-{n}.out")),
            self.path(&format!("said-{n}.err")),
        );
        let child = command
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        Running { child, out, err }
    }

    /// Starts the program and leaves it running.
    pub fn start(&self, args: &[&str]) -> Running {
        self.begin(self.command(args))
    }

    /// Runs the program to its end.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Ran {
        self.start(args).finish(LONGEST)
    }

    /// Runs a command with `--json` that must succeed and returns its data.
    #[track_caller]
    pub fn data(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let ran = self.run(&args);
        let mut envelope: Value = serde_json::from_str(&ran.out).unwrap_or_default();
        assert_eq!(envelope["success"], true, "{args:?}: {ran:?}");
        envelope["data"].take()
    }

    /// Makes a plan, approves it and returns its id.
    #[track_caller]
    pub fn approved(&self, version: &str) -> String {
        let id = self.data(&["plan", "--to", version])["plan"]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        self.data(&["approve", &id]);
        id
    }

    /// Releases a version that must be promoted.
    #[track_caller]
    pub fn promote(&self, version: &str) {
        let ran = self.run(&["release", "--to", version]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }

    /// Releases [`GOOD`] from nothing. The load that proves it meets an empty target first, so it is not counted.
    #[track_caller]
    pub fn found(&self) {
        let warm = self.load(200.0);
        self.promote(GOOD);
        drop(warm);
    }

    /// The state directory's store.
    pub fn store(&self) -> Store {
        Store::open(&self.path(".gonogo")).unwrap()
    }

    /// The operation that applies a plan, once it is there.
    pub fn operation(&self, plan: &str) -> Option<Operation> {
        self.store().by_key("local", plan).unwrap()
    }

    /// Waits until the plan's operation exists and satisfies `is`.
    #[track_caller]
    pub fn until(&self, plan: &str, what: &str, is: impl Fn(&Operation) -> bool) -> Operation {
        let store = self.store();
        wait(what, LONGEST, || {
            store.by_key("local", plan).unwrap().filter(&is)
        })
    }

    /// Process of the live controller, if there is one.
    pub fn controller(&self) -> Option<u32> {
        let holder = self.store().holder("local").unwrap()?;
        (holder.liveness == Liveness::Live).then_some(holder.process.pid)
    }

    fn agent_dir(&self) -> PathBuf {
        self.path(".gonogo/agent/local")
    }

    /// Process of the agent, as its lock says.
    pub fn agent(&self) -> Option<u32> {
        let pid = std::fs::read_to_string(self.agent_dir().join("agent.lock"))
            .ok()?
            .trim()
            .parse()
            .ok()?;
        alive(pid).then_some(pid)
    }

    /// What the agent keeps.
    pub fn agent_state(&self) -> Value {
        let text = std::fs::read_to_string(self.agent_dir().join("state.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Process of a version, as the agent keeps it.
    pub fn version_pid(&self, version: &str) -> Option<u32> {
        let state = self.agent_state();
        let slots = state["slots"].as_object()?;
        let slot = slots.values().find(|s| s["spec"]["version"] == version)?;
        slot["process"]["pid"]
            .as_u64()
            .and_then(|pid| u32::try_from(pid).ok())
    }

    /// How often a version began to listen, ever: read from the versions' logs.
    pub fn starts(&self) -> u64 {
        let logs = std::fs::read_dir(self.agent_dir().join("log"))
            .into_iter()
            .flatten()
            .flatten();
        let texts = logs.filter_map(|f| std::fs::read_to_string(f.path()).ok());
        texts
            .map(|t| t.matches(" listening on ").count() as u64)
            .sum()
    }

    /// What the agent says it serves.
    pub fn observed(&self) -> Result<Observed, String> {
        HostTarget::new(self.agent_dir())
            .observe(Span::from_secs(5))
            .map_err(|e| e.to_string())
    }

    /// Waits until one version has all traffic, and is the only one.
    #[track_caller]
    pub fn serves_only(&self, version: &str) {
        let observed = self.observed().unwrap();
        let seen: Vec<_> = observed
            .slots
            .iter()
            .map(|s| (s.version.as_str(), s.weight, s.ready))
            .collect();
        assert_eq!(seen, [(version, 10_000, true)]);
    }

    /// Sends requests until stopped: reads and writes, 200 a second.
    pub fn load(&self, rate: f64) -> Handle {
        let config = LoadConfig {
            rate,
            duration: Duration::from_secs(3600),
            connections: 64,
            timeout: Duration::from_secs(5),
            mix: vec![
                Shot::read("/").weighted(2),
                Shot::read("/products").weighted(5),
                Shot::read("/products/mug").weighted(2),
                Shot::post("/cart", r#"{"product":"mug","quantity":1}"#),
            ],
            ..LoadConfig::new(self.listen)
        };
        Load::start(config).unwrap()
    }

    /// Lines of `gonogo verify PACKET --replay` with the ledger's own key, and its exit code.
    pub fn verify(&self, operation: &OperationId) -> Ran {
        let key = std::fs::read_to_string(self.path(".gonogo/ledger/log.vkey")).unwrap();
        let packet = self.path(&format!(".gonogo/packets/{operation}.tar"));
        self.run(&[
            "verify",
            packet.to_str().unwrap(),
            "--replay",
            "--log-key",
            key.trim(),
        ])
    }

    /// Processes whose command line or working directory lies in this project.
    pub fn processes(&self) -> Vec<u32> {
        let dir = self.dir.path().canonicalize().unwrap();
        let name = dir.display().to_string();
        let listed = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = listed.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| *pid != std::process::id() && alive(*pid))
            .filter(|pid| {
                let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let cwd = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
                cwd.starts_with(&dir) || String::from_utf8_lossy(&line).contains(&name)
            })
            .collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Controllers first, so that none starts an agent again.
        for _ in 0..3 {
            for pid in self.processes() {
                signal(pid, Signal::KILL);
            }
            if self.processes().is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// What it has said on stderr so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// Kills it and takes its status. Says whether it still ran.
    pub fn kill(mut self) -> bool {
        let ran = self.ended().is_none();
        let _ = self.child.kill();
        let status = self.child.wait().unwrap();
        ran && status.code().is_none()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(mut self, within: Duration) -> Ran {
        let end = now() + within;
        let status = loop {
            if let Some(status) = self.ended() {
                break status;
            }
            if now() >= end {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!("a command did not end within {within:?}: {}", self.said());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let ran = Ran {
            code: status.code(),
            out: read(&self.out),
            err: read(&self.err),
        };
        let _ = (
            std::fs::remove_file(&self.out),
            std::fs::remove_file(&self.err),
        );
        ran
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Requests that got no answer of any version.
pub fn lost(report: &Report) -> u64 {
    report.errors.sum() + report.unversioned
}

/// Fails if a request was lost.
#[track_caller]
pub fn nothing_lost(load: Handle) -> Report {
    load.stop();
    let report = load.join();
    assert!(report.sent > 0, "the load generator sent nothing");
    assert_eq!(lost(&report), 0, "requests lost: {:?}", report.failures);
    report
}

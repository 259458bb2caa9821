//! The server: how many looks at an operation a second beside a bare handler, its memory when nobody asks, and what a thousand callers
//! with one key or a server that is killed leave behind.

mod hanging;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::figures::{grouped, median};
use super::peers::{self, Running};
use super::proxy::{free_port, wait_for, wrk_with};
use super::{Bench, Measured, Row, Settings, now, target, workshop};
use crate::run::{cargo, loud};

pub(super) const DOORS: Bench = Bench {
    name: "doors",
    bars: &[
        (
            "`GET /operations/{id}` with a token, 64 connections, beside a bare axum handler that answers with the same bytes",
            "≥ 0.5 ×",
        ),
        (
            "p99 of a plan while the workflow endpoint hangs, beside the same while it is well, 4 operations at the endpoint",
            "≤ 1.1 ×",
        ),
        (
            "reads a second (`GET /v1/plans?limit=20`, 64 connections) while the workflow endpoint is well, beside the same while it hangs",
            "≤ 1.1 ×",
        ),
        (
            "resident memory of `gonogo serve` that nobody asks",
            "≤ 40 MB",
        ),
        (
            "1,000 concurrent submits with one key",
            "1 operation, 1,000 identical handles",
        ),
        (
            "`kill -9` of the server during applies",
            "all resume or end right; handles stay valid",
        ),
    ],
    run: doors,
};

/// How long a step may take.
const SOON: Duration = Duration::from_secs(60);

/// A project, its server and the token for it.
struct Lab {
    home: PathBuf,
    port: u16,
    token: String,
    server: Option<Running>,
    _traffic: Traffic,
}

/// Requests to the services, so that there is something to judge them by; ends when dropped.
struct Traffic(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Traffic {
    fn to(ports: Vec<u16>) -> Self {
        let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stop = ended.clone();
        std::thread::spawn(move || {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for port in &ports {
                    // Where nothing serves yet, nothing answers.
                    drop(ask(*port));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Self(ended)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

fn ask(port: u16) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n")?;
    std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
}

fn doors(settings: &Settings) -> Result<Measured> {
    peers::install()?;
    super::programs::gonogo()?;
    let mut example = cargo();
    example.args([
        "build",
        "--release",
        "--quiet",
        "--package",
        "gonogo-server",
        "--example",
        "bare",
    ]);
    loud("the bare handler in release", &mut example)?;
    let lab = Lab::new("doors", 1)?;
    let mut rows = Vec::new();
    let [look, planning, reading, memory, submits, kills] = DOORS.bars else {
        bail!("six bars")
    };
    let idle = lab.idle()?;
    let met = idle <= 40_000_000;
    rows.push(Row::new(
        memory.0,
        memory.1,
        format!("{:.1} MB after {} s", idle as f64 / 1e6, IDLE.as_secs()),
        met,
    ));
    let looked = lab.looked(settings)?;
    let ratio = median(&looked.ratios);
    let text = format!(
        "{ratio:.2} × ({} a second; medians of {})",
        grouped(median(&looked.ours)),
        looked.ours.len()
    );
    rows.insert(
        0,
        Row::new(look.0, look.1, text, ratio >= 0.5).beside(format!(
            "bare axum: {} a second",
            grouped(median(&looked.bare))
        )),
    );
    let beside = hanging::measured(settings)?;
    let (plans, reads) = beside.ratios();
    rows.insert(
        1,
        Row::new(
            planning.0,
            planning.1,
            format!(
                "{plans:.2} × ({:.1} ms; medians of {} rounds with {} plans each)",
                median(&beside.plan_hanging),
                beside.plan_hanging.len(),
                beside.plans
            ),
            plans <= 1.1,
        )
        .beside(format!(
            "endpoint well: {:.1} ms",
            median(&beside.plan_well)
        )),
    );
    rows.insert(
        2,
        Row::new(
            reading.0,
            reading.1,
            format!(
                "{reads:.2} × ({} a second while it hangs)",
                grouped(median(&beside.reads_hanging))
            ),
            reads <= 1.1,
        )
        .beside(format!(
            "endpoint well: {} a second",
            grouped(median(&beside.reads_well))
        )),
    );
    let many = settings.runs(1_000, 100) as usize;
    let (handles, operations) = lab.submits(many)?;
    let met = handles == 1 && operations == 1 && many == 1_000;
    rows.push(Row::new(
        submits.0,
        submits.1,
        format!(
            "{operations} operation, {handles} different handle over {} callers",
            grouped(many as f64)
        ),
        met,
    ));
    drop(lab);
    let runs = settings.runs(200, 8);
    let killed = killed(runs)?;
    let met = killed.right == runs && killed.wrong.is_empty() && runs == 200;
    let mut text = format!(
        "{} of {runs} right after {} kills; {} handles asked for again",
        killed.right, killed.kills, killed.asked_again
    );
    if let Some(first) = killed.wrong.first() {
        text.push_str(&format!("; {} wrong, first: {first}", killed.wrong.len()));
    }
    rows.push(Row::new(kills.0, kills.1, text, met));
    let raw = json!({
        "ours_rps": looked.ours, "bare_rps": looked.bare, "ratios": looked.ratios, "body_bytes": looked.bytes,
        "idle_rss_bytes": idle, "hanging": beside.raw(), "submits": {"callers": many, "handles": handles, "operations": operations},
        "kills": {"runs": runs, "kills": killed.kills, "right": killed.right, "askedAgain": killed.asked_again, "wrong": killed.wrong},
    });
    Ok(Measured { rows, raw })
}

/// After so long without a request memory is looked at.
const IDLE: Duration = Duration::from_secs(5);

/// What wrk saw, round by round.
struct Looked {
    ours: Vec<f64>,
    bare: Vec<f64>,
    ratios: Vec<f64>,
    bytes: usize,
}

impl Lab {
    /// A project with `environments` environments that take a version at once, and a server on it.
    fn new(name: &str, environments: usize) -> Result<Self> {
        Self::with(name, environments, "", |_| false)
    }

    /// The same with more in its configuration, and with environments that are carried out elsewhere.
    fn with(
        name: &str,
        environments: usize,
        more: &str,
        elsewhere: impl Fn(usize) -> bool,
    ) -> Result<Self> {
        let home = workshop(name)?.join("project");
        if home.exists() {
            std::fs::remove_dir_all(&home).with_context(|| home.display().to_string())?;
        }
        std::fs::create_dir_all(&home)?;
        let program = program();
        let mut config = format!(
            "service = \"shop\"\n\n[version]\nrun = [\"{0}\", \"storefront\", \"--behaviour\", \"{{version}}.toml\"]\n\
             artifacts = [\"{{version}}.toml\"]\nready = {{ http = \"/readyz\", interval = \"20ms\", timeout = \"2s\", within = \"20s\" }}\n\
             drain = {{ signal = \"TERM\", within = \"2s\" }}\n",
            program.display()
        );
        let mut ports = Vec::new();
        for n in 0..environments {
            let port = free_port()?;
            let by = if elsewhere(n) { "workflow" } else { "here" };
            config.push_str(&format!(
                "\n[environments.e{n}]\ntarget = \"host\"\nlisten = \"127.0.0.1:{port}\"\ngates = \"none\"\napproval = \"self\"\n\
                 strategy = \"quick\"\nchecks = \"easy\"\napply_by = \"{by}\"\n",
            ));
            ports.push(port);
        }
        config.push_str(
            "\n[strategies.quick]\nstages = [{ weight = \"50%\", bake = \"100ms\", within = \"20s\" }]\nsoak = \"200ms\"\npromote_within = \"15s\"\nsample_every = \"100ms\"\n\n\
             [checks.easy]\nmin_requests = 1\nerrors = { margin = \"5%\", limit = \"15%\" }\n\
             slow = { over = \"1s\", margin = \"20%\", limit = \"50%\" }\n",
        );
        // One caller asks for everybody: what is measured is not how it is limited.
        config.push_str(
            "\n[server]\nrequests_each_minute = 4294967295\nrequests_burst = 4294967295\n",
        );
        config.push_str(more);
        std::fs::write(home.join("gonogo.toml"), config)?;
        for version in ["1.0.0", "2.0.0"] {
            let behaviour = format!("version = \"{version}\"\n");
            std::fs::write(home.join(format!("{version}.toml")), behaviour)?;
        }
        let mut lab = Self {
            home,
            port: free_port()?,
            token: String::new(),
            server: None,
            _traffic: Traffic::to(ports),
        };
        let made = lab.gonogo(&[
            "token", "create", "--name", "bench", "--role", "admin", "--json",
        ])?;
        lab.token = text(&made, "/data/token")?;
        lab.serve()?;
        Ok(lab)
    }

    fn gonogo(&self, args: &[&str]) -> Result<Value> {
        let out = Command::new(program())
            .args(args)
            .current_dir(&self.home)
            .output()?;
        serde_json::from_slice(&out.stdout).with_context(|| {
            format!(
                "gonogo {}: {}",
                args.join(" "),
                String::from_utf8_lossy(&out.stderr)
            )
        })
    }

    fn serve(&mut self) -> Result<()> {
        let mut command = Command::new(program());
        command
            .args([
                "serve",
                "--allow-apply",
                "--listen",
                &format!("127.0.0.1:{}", self.port),
            ])
            .current_dir(&self.home);
        let mut server = Running::start("serve", command, None)?;
        wait_for(self.port, &mut server)?;
        self.server = Some(server);
        Ok(())
    }

    /// One request; none if the server went away before it answered.
    fn say(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(SOON)).ok()?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.port,
            self.token,
            body.len()
        )
        .ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()
    }

    /// Plans a version for an environment, approves it, and gives what applies it.
    fn ready(&self, environment: &str, version: &str, key: &str) -> Result<Value> {
        let wanted = json!({"environment": environment, "version": version});
        let planned = self
            .say("POST", "/v1/plans", Some(&wanted))
            .context("no plan")?;
        let plan = text(&planned, "/data/planResult/id")?;
        let print = text(&planned, "/data/planFingerprint")?;
        let yes = json!({"planFingerprint": print, "decision": "approved"});
        let given = self.say("POST", &format!("/v1/plans/{plan}/approvals"), Some(&yes));
        ensure!(
            given.as_ref().is_some_and(|g| g["success"] == true),
            "not approved: {given:?}"
        );
        Ok(json!({"planFingerprint": print, "idempotencyKey": key}))
    }

    /// The operation of a handle when it has ended.
    fn ended(&self, operation: &str) -> Result<Value> {
        let began = now();
        while began.elapsed() < SOON {
            let told = self.say("GET", &format!("/operations/{operation}"), None);
            if let Some(told) =
                told.filter(|t| t["success"] == true && t["data"]["status"] != "running")
            {
                return Ok(told["data"].clone());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("operation {operation} does not end")
    }

    /// Resident memory of a server that has just begun and that nobody asks.
    fn idle(&self) -> Result<u64> {
        std::thread::sleep(IDLE);
        let server = self.server.as_ref().context("no server")?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let kib = line.and_then(|l| l.trim().strip_suffix(" kB"));
        let kib: u64 = kib.context("no VmRSS")?.trim().parse()?;
        Ok(kib * 1024)
    }

    fn looked(&self, settings: &Settings) -> Result<Looked> {
        let apply = self.ready("e0", "1.0.0", "look")?;
        let begun = self
            .say("POST", "/v1/operations", Some(&apply))
            .context("no answer")?;
        let operation = text(&begun, "/handle/operationId")?;
        let doc = self.ended(&operation)?;
        ensure!(doc["status"] == "succeeded", "the release: {doc}");
        let path = format!("/operations/{operation}");
        let whole = self
            .say("GET", &path, None)
            .context("no answer")?
            .to_string();
        let file = self.home.join("answer.json");
        std::fs::write(&file, &whole)?;
        let port = free_port()?;
        let mut bare = Command::new(target().join("release/examples/bare"));
        bare.arg(format!("127.0.0.1:{port}")).arg(&file);
        let mut bare = Running::start("bare", bare, None)?;
        wait_for(port, &mut bare)?;
        let bearer = format!("authorization: Bearer {}", self.token);
        let seconds = settings.runs(8, 2);
        let at = |port: u16| wrk_with(port, &path, &[&bearer], seconds);
        // Warm.
        at(self.port)?;
        at(port)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..settings.runs(5, 2) {
            // Neither is always the first.
            let (a, b) = if round % 2 == 0 {
                let a = at(self.port)?;
                (a, at(port)?)
            } else {
                let b = at(port)?;
                (at(self.port)?, b)
            };
            ours.push(a.rps);
            theirs.push(b.rps);
        }
        let ratios = ours.iter().zip(&theirs).map(|(a, b)| a / b).collect();
        Ok(Looked {
            ours,
            bare: theirs,
            ratios,
            bytes: whole.len(),
        })
    }

    /// How many different handles, and operations, `many` callers with one key get.
    fn submits(&self, many: usize) -> Result<(usize, usize)> {
        let apply = self.ready("e0", "2.0.0", "once")?;
        let before = self.operations()?;
        let answers: Vec<Option<Value>> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..many)
                .map(|_| scope.spawn(|| self.say("POST", "/v1/operations", Some(&apply))))
                .collect();
            callers
                .into_iter()
                .map(|c| c.join().unwrap_or_default())
                .collect()
        });
        let mut handles = std::collections::BTreeSet::new();
        for answer in answers {
            let answer = answer.context("a caller got no answer")?;
            ensure!(answer["success"] == true, "refused: {answer}");
            handles.insert(answer["handle"].to_string());
        }
        Ok((handles.len(), self.operations()? - before))
    }

    fn operations(&self) -> Result<usize> {
        let list = self
            .say("GET", "/v1/operations?limit=200", None)
            .context("no answer")?;
        Ok(list["data"]["operations"]
            .as_array()
            .context("no list")?
            .len())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.server = None;
        end_all(&self.home);
    }
}

/// What became of applies whose server was killed.
#[derive(Default)]
struct Killed {
    kills: u32,
    right: u32,
    asked_again: u32,
    wrong: Vec<String>,
}

/// Applies in turn to several environments; the server is killed at a random moment after each was sent, and started again.
fn killed(runs: u32) -> Result<Killed> {
    const ENVIRONMENTS: usize = 4;
    let mut lab = Lab::new("doors-kills", ENVIRONMENTS)?;
    let mut killed = Killed::default();
    let mut random = fastrand::Rng::with_seed(1);
    for run in 0..runs {
        let environment = format!("e{}", run as usize % ENVIRONMENTS);
        let version = if (run as usize / ENVIRONMENTS).is_multiple_of(2) {
            "1.0.0"
        } else {
            "2.0.0"
        };
        let key = format!("run-{run}");
        let apply = lab.ready(&environment, version, &key)?;
        // From before the request is read to what has just begun; and at any moment of what was begun, to its end.
        let latest = if run % 2 == 0 { 60_000 } else { 1_500_000 };
        let after = Duration::from_micros(random.u64(0..latest));
        let server = lab.server.take().context("no server")?;
        let first = std::thread::scope(|scope| {
            let caller = scope.spawn(|| lab.say("POST", "/v1/operations", Some(&apply)));
            std::thread::sleep(after);
            // Dropped means killed, without a word.
            drop(server);
            caller.join().unwrap_or_default()
        });
        killed.kills += 1;
        lab.serve()?;
        let again = lab
            .say("POST", "/v1/operations", Some(&apply))
            .context("no answer")?;
        let result = (|| {
            ensure!(again["success"] == true, "asked again: {again}");
            if let Some(first) = first.filter(|f| f["success"] == true) {
                killed.asked_again += 1;
                ensure!(
                    first["handle"] == again["handle"],
                    "another handle: {first} {again}"
                );
            }
            let operation = text(&again, "/handle/operationId")?;
            let doc = lab.ended(&operation)?;
            ensure!(doc["status"] == "succeeded", "it ended as {doc}");
            let mut found = 0;
            let list = lab.say(
                "GET",
                &format!("/v1/operations?limit=8&environment={environment}"),
                None,
            );
            for line in list
                .iter()
                .filter_map(|l| l["data"]["operations"].as_array())
                .flatten()
            {
                found += u32::from(
                    line["planFingerprint"] == apply["planFingerprint"]
                        && line["startedAt"] == doc["startedAt"],
                );
            }
            ensure!(found == 1, "{found} operations of one request");
            Ok(())
        })();
        match result {
            Ok(()) => killed.right += 1,
            Err(e) => killed.wrong.push(format!("run {run}: {e:#}")),
        }
    }
    Ok(killed)
}

fn program() -> PathBuf {
    target().join("release/gonogo")
}

fn text(value: &Value, pointer: &str) -> Result<String> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    Ok(text
        .with_context(|| format!("no `{pointer}` in {value}"))?
        .to_owned())
}

/// Ends what a project's releases left running: agents and services, known by the project's directory among their arguments.
fn end_all(home: &Path) {
    let marker = home.display().to_string();
    let Ok(all) = std::fs::read_dir("/proc") else {
        return;
    };
    for entry in all.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let cwd = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        let ours = String::from_utf8_lossy(&line).contains(&marker) || cwd.starts_with(home);
        if ours && pid != std::process::id() {
            // One that has ended meanwhile is what was wanted.
            drop(Command::new("kill").args(["-9", &pid.to_string()]).status());
        }
    }
}

//! One agent in a temporary directory, its versions, and looks at what runs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use gonogo_core::{Digest, Span};
use gonogo_host::client::HostTarget;
use gonogo_release::plan::{Artifact, Drain, Protocol, Ready, ReadyProbe, VersionSpec};
use gonogo_release::{Action, Observed, Outcome};
use gonogo_target::{Call, Target};

pub(crate) const ASK: Span = Span::from_secs(5);
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// An agent's surroundings. Dropping it ends everything.
pub(crate) struct World {
    pub(crate) root: tempfile::TempDir,
    pub(crate) dir: PathBuf,
    pub(crate) listen: SocketAddr,
    agent: Option<Child>,
    pub(crate) epoch: u64,
}

#[expect(clippy::disallowed_methods, reason = "deadline of a test's poll")]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < LIMIT, "waited {LIMIT:?} for {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// Path of an example of this crate. A plain `cargo test` builds it beside the tests; with other selections it is built here, once.
pub(crate) fn example(name: &str) -> PathBuf {
    static BUILD: std::sync::Once = std::sync::Once::new();
    let exe = std::env::current_exe().unwrap();
    let profile = exe.parent().unwrap().parent().unwrap();
    let path = profile.join("examples").join(name);
    if !path.exists() {
        BUILD.call_once(|| {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args([
                "build",
                "--quiet",
                "--examples",
                "--manifest-path",
                concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
            ]);
            cargo.arg("--target-dir").arg(profile.parent().unwrap());
            if profile.ends_with("release") {
                cargo.arg("--release");
            }
            assert!(
                cargo.status().unwrap().success(),
                "the examples do not build"
            );
        });
    }
    path
}

impl World {
    /// An agent that runs, with nothing in it.
    pub(crate) fn new() -> Self {
        let mut world = Self::still();
        world.start_agent();
        world
    }

    /// Surroundings without an agent.
    pub(crate) fn still() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("project/bin")).unwrap();
        std::fs::copy(example("tiny_service"), root.path().join("project/bin/svc")).unwrap();
        let dir = root.path().join("agent");
        Self {
            root,
            dir,
            listen: "127.0.0.1:0".parse().unwrap(),
            agent: None,
            epoch: 1,
        }
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.root.path().join("project")
    }

    pub(crate) fn arguments(&self) -> Vec<OsString> {
        vec![
            self.dir.clone().into(),
            self.listen.to_string().into(),
            self.project().into(),
            "prod".into(),
        ]
    }

    /// Starts the agent and waits until it answers; from the second time on at the same address.
    pub(crate) fn start_agent(&mut self) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.root.path().join("agent.err"))
            .unwrap();
        let agent = Command::new(example("host_agent"))
            .args(self.arguments())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.agent = Some(agent);
        self.await_agent();
    }

    pub(crate) fn await_agent(&mut self) {
        let hello = until("the agent", || {
            if let Some(status) = self.agent.as_mut().and_then(|a| a.try_wait().unwrap()) {
                let text = std::fs::read_to_string(self.root.path().join("agent.err")).unwrap();
                panic!("the agent ended: {status}\n{text}");
            }
            self.target().hello(ASK).ok()
        });
        self.listen = hello.listen.parse().unwrap();
    }

    /// `kill -9`.
    pub(crate) fn kill_agent(&mut self) {
        let mut agent = self.agent.take().unwrap();
        agent.kill().unwrap();
        agent.wait().unwrap();
    }

    pub(crate) fn signal_agent(&mut self, signal: rustix::process::Signal) -> ExitStatus {
        let mut agent = self.agent.take().unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_child(&agent), signal).unwrap();
        agent.wait().unwrap()
    }

    pub(crate) fn target(&self) -> HostTarget {
        HostTarget::new(&self.dir)
    }

    /// A version whose environment has these settings.
    pub(crate) fn version(&self, name: &str, env: &[(&str, &str)]) -> VersionSpec {
        let bytes = std::fs::read(self.project().join("bin/svc")).unwrap();
        let mut all: BTreeMap<String, String> = env
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        all.insert("NAME".into(), name.into());
        VersionSpec {
            version: name.into(),
            run: vec!["bin/svc".into()],
            env: all,
            env_from: Vec::new(),
            port_env: "PORT".into(),
            artifacts: vec![Artifact {
                path: "bin/svc".into(),
                sha256: Digest::of(&bytes),
                bytes: bytes.len() as u64,
                executable: true,
            }],
            ready: Ready {
                probe: ReadyProbe::Http("/ready".into()),
                interval: Span::from_millis(20),
                timeout: Span::from_secs(2),
                within: Span::from_secs(10),
            },
            drain: Drain {
                signal: "TERM".into(),
                within: Span::from_secs(3),
            },
            protocol: Protocol::Http1,
        }
    }

    pub(crate) fn call(&self, key: &str, action: Action, version: Option<&VersionSpec>) -> Outcome {
        self.target().call(&call(key, self.epoch, action, version))
    }

    pub(crate) fn start(&self, key: &str, slot: &str, spec: &VersionSpec) -> Outcome {
        self.call(key, start(slot, spec), Some(spec))
    }

    pub(crate) fn weigh(&self, key: &str, weights: &[(&str, u32)]) -> Outcome {
        self.call(key, weigh(weights, self.observe().generation), None)
    }

    pub(crate) fn stop(&self, key: &str, slot: &str) -> Outcome {
        self.call(key, Action::Stop { slot: slot.into() }, None)
    }

    pub(crate) fn probe(&self, key: &str) -> Outcome {
        self.call("probe", Action::Probe { key: key.into() }, None)
    }

    pub(crate) fn observe(&self) -> Observed {
        self.target().observe(ASK).unwrap()
    }

    /// `GET` over the agent's traffic address: status and body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        get(self.listen, path).unwrap()
    }

    /// The prefix of all marks of this agent.
    pub(crate) fn prefix(&self) -> Option<String> {
        let state = std::fs::read(self.dir.join("state.json")).ok()?;
        let state: serde_json::Value = serde_json::from_slice(&state).ok()?;
        Some(format!("{}/", state["id"].as_str()?))
    }

    /// Everything that runs with the agent's mark.
    pub(crate) fn running(&self) -> BTreeMap<u32, String> {
        gonogo_exec::marked(&self.prefix().unwrap()).unwrap()
    }

    pub(crate) fn state(&self) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.dir.join("state.json")).unwrap()).unwrap()
    }

    /// Process of a slot as stored.
    pub(crate) fn pid(&self, slot: &str) -> Option<u32> {
        u32::try_from(self.state()["slots"][slot]["process"]["pid"].as_u64()?).ok()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Ok(hello) = self.target().hello(ASK)
            && let Ok(pid) = i32::try_from(hello.pid)
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        if let Some(mut agent) = self.agent.take() {
            let _ = agent.kill();
            let _ = agent.wait();
        }
        for mark in self
            .prefix()
            .and_then(|prefix| gonogo_exec::marked(&prefix).ok())
            .unwrap_or_default()
            .values()
        {
            let _ = gonogo_exec::sweep(mark);
        }
    }
}

pub(crate) fn call(key: &str, epoch: u64, action: Action, version: Option<&VersionSpec>) -> Call {
    let slow_over = version.map(|_| Span::from_millis(200));
    Call {
        key: key.into(),
        epoch,
        deadline: Span::from_secs(15),
        action,
        version: version.cloned(),
        slow_over,
    }
}

pub(crate) fn start(slot: &str, spec: &VersionSpec) -> Action {
    Action::Start {
        slot: slot.into(),
        version: spec.version.clone(),
        content: spec.content().unwrap(),
    }
}

pub(crate) fn weigh(weights: &[(&str, u32)], expect: u64) -> Action {
    Action::Weigh {
        weights: weights.iter().map(|(s, w)| ((*s).to_owned(), *w)).collect(),
        expect,
    }
}

pub(crate) fn get(addr: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let status = text
        .get(9..12)
        .and_then(|s| s.parse().ok())
        .ok_or_else(|| std::io::Error::other(text.clone()))?;
    Ok((
        status,
        text.split_once("\r\n\r\n")
            .map(|(_, body)| body.to_owned())
            .unwrap_or_default(),
    ))
}

#[track_caller]
pub(crate) fn applied(outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Applied { generation, .. } => generation,
        other => panic!("not applied: {other:?}"),
    }
}

pub(crate) fn exists(path: &Path) -> bool {
    path.exists()
}

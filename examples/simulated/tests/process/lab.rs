//! A running runtime: its lines as they come, its end, signals to it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Nothing here takes that long on a machine that is not broken.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "a deadline in a test")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The command, with no evidence but what `args` say.
pub(crate) fn simulated(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulated"));
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env_remove("FINAL_DRY_RUN_DIARY_PATH")
        .env_remove("FINAL_DRY_RUN_PERFORMANCE_PATH");
    command
}

/// Runs to the end.
pub(crate) fn ran(args: &[&str]) -> Ran {
    let out = simulated(args).output().unwrap();
    Ran {
        status: out.status,
        out: out.stdout,
        err: out.stderr,
    }
}

pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
}

impl Ran {
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        lines(&self.out)
    }

    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }
}

pub(crate) fn lines(bytes: &[u8]) -> Vec<serde_json::Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

/// A process that is still at it. Killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: Receiver<String>,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = simulated(args).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut err = child.stderr.take().unwrap();
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines() {
                if send.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        std::thread::spawn(move || {
            let mut all = Vec::new();
            let _ = err.read_to_end(&mut all);
        });
        Self { child, lines }
    }

    /// The next line of stdout.
    pub(crate) fn line(&self) -> serde_json::Value {
        let line = self.lines.recv_timeout(DEADLINE).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Reads lines up to the heartbeat `n`.
    pub(crate) fn beat(&self, n: u64) {
        while self.line()["message"] != format!("heartbeat #{n}") {}
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// How it ended, and the lines that came before stdout's end.
    pub(crate) fn end(&mut self) -> (ExitStatus, Vec<serde_json::Value>) {
        let status = self.exit();
        let rest = self.lines.iter().map(|l| serde_json::from_str(&l).unwrap());
        (status, rest.collect())
    }

    pub(crate) fn exit(&mut self) -> ExitStatus {
        until("the process ends", || self.child.try_wait().unwrap())
    }

    /// Whether stdout is at its end. Lines before that are dropped.
    pub(crate) fn at_end(&self) -> bool {
        use std::sync::mpsc::TryRecvError;
        loop {
            match self.lines.try_recv() {
                Ok(_) => {}
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks until there is an answer.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            began.elapsed() < DEADLINE,
            "not within {DEADLINE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

//! The `storefront` program as a child process, killed when the test is done with it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// A running service.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    started: Instant,
    _folder: Option<tempfile::TempDir>,
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storefront"));
    command.env_remove("PORT").stdin(Stdio::null());
    command
}

/// Polls until `seen`, at most 10 s.
pub(crate) fn wait_until(what: &str, mut seen: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if seen() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{what}: not seen in time");
}

/// One `GET` on a connection of its own; the whole answer as text.
pub(crate) fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    ask_with(address, "GET", path, "")
}

pub(crate) fn ask_with(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

impl Service {
    /// A version that ships with the program.
    pub(crate) fn shipped(name: &str) -> Self {
        Self::start(&["--shipped", name])
    }

    /// A version of its own, given as the text of its behaviour file.
    pub(crate) fn behaving(behaviour: &str) -> Self {
        Self::start_with(behaviour, &[])
    }

    pub(crate) fn start_with(behaviour: &str, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("behaviour.toml");
        std::fs::write(&file, behaviour).unwrap();
        let mut all = vec!["--behaviour", file.to_str().unwrap()];
        all.extend(args);
        let mut service = Self::start(&all);
        service._folder = Some(folder);
        service
    }

    /// Starts on a free port, given by the environment, and waits for the socket.
    pub(crate) fn start(args: &[&str]) -> Self {
        let started = Instant::now();
        let mut child = command()
            .args(args)
            .env("PORT", "0")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = lines.clone();
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        let mut service = Self {
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            child,
            lines,
            started,
            _folder: None,
        };
        let line = service.wait_line(" listening on http://");
        let (_, address) = line.split_once("http://").unwrap();
        service.address = address.parse().unwrap();
        service
    }

    /// Runs a service that is expected to end by itself: its exit code and its stderr.
    pub(crate) fn failing(args: &[&str]) -> (Option<i32>, String) {
        let output = command().args(args).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    /// Waits for a line on stderr that contains `part`.
    pub(crate) fn wait_line(&self, part: &str) -> String {
        let mut found = None;
        wait_until(part, || {
            let lines = self.lines.lock().unwrap();
            found = lines.iter().find(|line| line.contains(part)).cloned();
            found.is_some()
        });
        found.unwrap()
    }

    pub(crate) fn wait_ready(&self) {
        wait_until("readiness", || {
            ask(self.address, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
        });
    }

    /// Waits for the end of the process; `None` when a signal ended it.
    pub(crate) fn wait_exit(&mut self) -> Option<i32> {
        let mut status = None;
        wait_until("the end of the process", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Time since just before the process was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Resident memory, from the kernel.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Connections that the process has accepted: its sockets beyond those it has when idle.
    pub(crate) fn established(&self) -> usize {
        let local = format!("0100007F:{:04X}", self.address.port());
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        // Columns: number, local, remote, state (01 is established), ..., inode 0 until accepted.
        table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|row| row.len() > 9 && row[1] == local && row[3] == "01" && row[9] != "0")
            .count()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! A directory in which tools are tried, and a service that they talk to.
//!
//! Invariant: every process with the directory among its arguments, or that works there, is ended when the lab is dropped.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::project::{PROGRAM, end_all, files, finish};
use crate::screen::Ran;

/// A directory of its own.
pub(crate) struct Lab {
    dir: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("gonogo-tools-")
            .tempdir()
            .unwrap();
        // What is remembered of ledgers lies beside the tree, which must stay as it is while suites run.
        std::fs::create_dir(dir.path().join("work")).unwrap();
        Self { dir }
    }

    /// A path in it.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join("work").join(inside)
    }

    /// Writes a file; `PROGRAM` is filled in.
    pub(crate) fn write(&self, inside: &str, text: &str) {
        let path = self.path(inside);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.replace("PROGRAM", PROGRAM)).unwrap();
    }

    #[track_caller]
    pub(crate) fn text(&self, inside: &str) -> String {
        let path = self.path(inside);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Every file and its bytes.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files(&self.path(""))
    }

    /// The program with these arguments.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(args)
            .current_dir(self.path(""))
            .stdin(Stdio::null());
        for name in [
            "CI",
            "GONOGO_CONFIG",
            "GONOGO_KEY_FILE",
            "GONOGO_TRACE_ID",
            "GONOGO_PROFILE",
            "GONOGO_RECORD_MODE",
            "CARGO_TARGET_DIR",
            "HTTP_PROXY",
            "http_proxy",
            "NO_PROXY",
            "no_proxy",
        ] {
            command.env_remove(name);
        }
        command
            .env("GONOGO_ACTOR", "you")
            .env("NO_COLOR", "1")
            .env("GONOGO_MEMORY", self.dir.path().join("memory"));
        command
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        finish(self.command(args), args)
    }

    /// As [`Lab::run`], with this on standard input.
    #[track_caller]
    pub(crate) fn fed(&self, args: &[&str], input: &[u8]) -> Ran {
        let path = self.dir.path().join("input");
        std::fs::write(&path, input).unwrap();
        let mut command = self.command(args);
        command.stdin(std::fs::File::open(path).unwrap());
        finish(command, args)
    }

    /// Runs a command with `--json` that must end with this and returns its data.
    #[track_caller]
    pub(crate) fn data(&self, exit: i32, args: &[&str]) -> Value {
        let args: Vec<&str> = ["--json"].iter().chain(args).copied().collect();
        let ran = self.run(&args);
        ran.expect(exit);
        let mut envelope = ran.envelope();
        assert_eq!(envelope["success"], true, "{args:?}: {envelope:#}");
        envelope["data"].take()
    }

    /// Runs a command that must be refused for this reason, in words and as an envelope, and change nothing.
    #[track_caller]
    pub(crate) fn refuses(&self, exit: i32, reason: &str, args: &[&str]) -> String {
        let before = self.files();
        let json: Vec<&str> = ["--json"].iter().chain(args).copied().collect();
        let error = self.run(&json).refusal(exit, &[reason]);
        let told = self.run(args);
        told.expect(exit);
        assert!(told.err.contains("\n  hint: "), "{}", told.err);
        assert_eq!(self.files(), before, "{args:?} changed something");
        error["message"].as_str().unwrap().to_owned()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        end_all(self.dir.path());
    }
}

/// A service that answers each request with its path and a number that counts up.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) asked: Arc<AtomicU32>,
}

impl Service {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        // It ends with the process; nobody waits for it.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
                while !head.windows(4).any(|w| w == b"\r\n\r\n") {
                    match stream.read(&mut buffer) {
                        Ok(n) if n > 0 => head.extend_from_slice(&buffer[..n]),
                        _ => break,
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split_whitespace().nth(1).unwrap_or("?").to_owned();
                let n = count.fetch_add(1, Ordering::SeqCst) + 1;
                let body = format!("{{\"path\":\"{path}\",\"answer\":{n}}}\n");
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { address, asked }
    }

    /// As `--upstream` takes it.
    pub(crate) fn upstream(&self) -> String {
        format!("api=http://{}", self.address)
    }

    pub(crate) fn count(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

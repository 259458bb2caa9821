//! Starting an agent that outlives the command that needs it.

use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use gonogo_core::clock::SystemClock;
use gonogo_core::{Clock, Reason, Span};

use super::{ClientError, Hello, HostTarget};
use crate::agent::home::{Failure, tail};

/// How long one question may take.
const ASK: Span = Span::from_millis(1_000);
/// How often it is asked whether the new agent is there.
const LOOK: Duration = Duration::from_millis(20);
/// Lines of the log that go with a failure.
const LAST_WORDS: usize = 10;

pub(super) fn ensure_running(
    target: &HostTarget,
    exe: &Path,
    args: &[OsString],
    within: Span,
) -> Result<Hello, ClientError> {
    match target.hello(ASK) {
        Err(ClientError::Unreachable { .. }) => {}
        told => return told,
    }
    let log = target.dir.join("agent.log");
    let from = std::fs::metadata(&log).map_or(0, |m| m.len());
    let failed = |reason, text: String| {
        let words = tail(&log, LAST_WORDS, from).unwrap_or_default().join("\n");
        let text = if words.is_empty() {
            text
        } else {
            format!("{text}; its log ends:\n{words}")
        };
        ClientError::NotStarted {
            dir: target.dir.clone(),
            reason,
            text,
        }
    };
    let mut child = spawn(&target.dir, &log, exe, args).map_err(|e| {
        let reason = if e.kind() == std::io::ErrorKind::PermissionDenied {
            Reason::PermissionDenied
        } else {
            Reason::AgentUnreachable
        };
        failed(reason, format!("cannot start {}: {e}", exe.display()))
    })?;
    let clock = SystemClock::default();
    let mut other = None;
    let mut gone = None;
    loop {
        let hello = target.hello(ASK);
        match hello {
            Ok(hello) => {
                // Somebody must take its status, should it end before we do.
                thread::spawn(move || child.wait());
                return Ok(hello);
            }
            Err(ClientError::Unreachable { .. }) => {}
            Err(other) => return Err(other),
        }
        if gone.is_none()
            && let Ok(Some(status)) = child.try_wait()
        {
            gone = Some(status);
            match Failure::take(&target.dir, child.id()) {
                // Two were started at once, and the other one won.
                Some(failure) if failure.running => other = Some(failure.text),
                Some(failure) => return Err(failed(failure.reason, failure.text)),
                None => {
                    return Err(failed(
                        Reason::AgentUnreachable,
                        format!("it ended at once ({status})"),
                    ));
                }
            }
        }
        if clock.now().mono_ms >= within.as_millis() {
            let why = other.unwrap_or_else(|| left_running(&mut child));
            let text = format!("none answers after {within}: {why}");
            return Err(failed(Reason::AgentUnreachable, text));
        }
        thread::sleep(LOOK);
    }
}

/// Says what happens to an agent that is too slow: it is left to come up.
fn left_running(child: &mut Child) -> String {
    match child.try_wait() {
        Ok(None) => format!("process {} is left running", child.id()),
        Ok(Some(status)) => format!("it ended ({status})"),
        Err(e) => e.to_string(),
    }
}

fn spawn(dir: &Path, log: &Path, exe: &Path, args: &[OsString]) -> std::io::Result<Child> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let out = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(log)?;
    // Its own group: what ends the command's group does not end it.
    Command::new(exe)
        .args(args)
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .process_group(0)
        .spawn()
}

//! One request and its reply over a connection of its own.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use gonogo_core::Clock;
use gonogo_core::clock::SystemClock;

use crate::agent::home::connect;
use crate::agent::wire::{self, LONGEST_LINE, Reply, Request};

/// How an exchange failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// The agent has not got a whole request, and never will.
    NotSent(String),
    /// It may have got it.
    Lost(String),
}

/// Sends `request` to the agent of `dir` and reads the reply, all within `limit`.
pub(super) fn exchange(dir: &Path, request: &Request, limit: Duration) -> Result<Reply, Broken> {
    let clock = SystemClock::default();
    let left = || {
        limit
            .saturating_sub(Duration::from_millis(clock.now().mono_ms))
            .max(Duration::from_millis(1))
    };
    let spent = || Duration::from_millis(clock.now().mono_ms) >= limit;
    let bytes = wire::line(request).map_err(Broken::NotSent)?;
    let socket = dir.join("agent.sock");
    let unreachable = |e: io::Error| {
        Broken::NotSent(format!(
            "cannot reach the agent at {}: {e}",
            socket.display()
        ))
    };
    let mut stream = connect(dir, left()).map_err(unreachable)?;
    stream
        .set_write_timeout(Some(left()))
        .map_err(unreachable)?;
    // The newline is the last byte: if this fails, the agent has no whole line and does not act.
    stream.write_all(&bytes).map_err(|e| {
        Broken::NotSent(format!(
            "the request to {} could not be sent: {e}",
            socket.display()
        ))
    })?;
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        if spent() {
            return Err(Broken::Lost(format!(
                "no answer from {} within {} ms",
                socket.display(),
                limit.as_millis()
            )));
        }
        match piece(&mut stream, &mut line, left()) {
            Ok(0) => {
                return Err(Broken::Lost(format!(
                    "the agent at {} closed the connection without an answer",
                    socket.display()
                )));
            }
            Ok(_) if line.len() as u64 > LONGEST_LINE => {
                return Err(Broken::Lost("the answer is too long".into()));
            }
            Ok(_) => {}
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::Interrupted
                ) => {}
            Err(e) => {
                return Err(Broken::Lost(format!(
                    "no answer from {}: {e}",
                    socket.display()
                )));
            }
        }
    }
    line.pop();
    wire::parse(&line).map_err(|e| Broken::Lost(format!("the answer cannot be read: {e}")))
}

fn piece(stream: &mut UnixStream, line: &mut Vec<u8>, limit: Duration) -> io::Result<usize> {
    let mut buffer = [0; 16 << 10];
    stream.set_read_timeout(Some(limit))?;
    let n = stream.read(&mut buffer)?;
    line.extend_from_slice(&buffer[..n]);
    Ok(n)
}

//! Readiness probes over loopback: HTTP `GET` with a 2xx answer, or an accepted TCP connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use gonogo_core::Clock;
use gonogo_core::clock::SystemClock;

/// Longest answer head that is read for its status line.
const HEAD: usize = 1024;

/// Why something is not ready.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No connection.
    #[error("cannot connect to {addr}: {source}")]
    Connect {
        /// Where.
        addr: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// No answer in time, or the connection broke.
    #[error("no answer from {addr} to GET {path}: {source}")]
    Answer {
        /// Where.
        addr: SocketAddr,
        /// What was asked.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Another status.
    #[error("{addr} answers {status} to GET {path}")]
    Status {
        /// Where.
        addr: SocketAddr,
        /// What was asked.
        path: String,
        /// HTTP status.
        status: u16,
    },
    /// Not HTTP/1.
    #[error("{addr} does not answer GET {path} with HTTP/1")]
    Protocol {
        /// Where.
        addr: SocketAddr,
        /// What was asked.
        path: String,
    },
}

/// Says whether `addr` accepts a connection within `limit`.
///
/// # Errors
/// [`ProbeError::Connect`] if not.
pub fn tcp_ready(addr: SocketAddr, limit: Duration) -> Result<(), ProbeError> {
    connect(addr, limit).map(|_| ())
}

/// Says whether `GET path` over HTTP/1.1 (RFC 9112) answers 2xx within `limit`. At most 1 KiB is read.
///
/// # Errors
/// [`ProbeError`] saying what was seen instead.
pub fn http_ready(addr: SocketAddr, path: &str, limit: Duration) -> Result<(), ProbeError> {
    let clock = SystemClock::default();
    let left = || limit.saturating_sub(Duration::from_millis(clock.now().mono_ms));
    let mut stream = connect(addr, limit)?;
    let status = ask(&mut stream, addr, path, left).map_err(|source| ProbeError::Answer {
        addr,
        path: path.to_owned(),
        source,
    })?;
    match status {
        Some(200..=299) => Ok(()),
        Some(status) => Err(ProbeError::Status {
            addr,
            path: path.to_owned(),
            status,
        }),
        None => Err(ProbeError::Protocol {
            addr,
            path: path.to_owned(),
        }),
    }
}

fn connect(addr: SocketAddr, limit: Duration) -> Result<TcpStream, ProbeError> {
    // A zero time-out is refused by the standard library.
    TcpStream::connect_timeout(&addr, limit.max(Duration::from_millis(1)))
        .map_err(|source| ProbeError::Connect { addr, source })
}

fn ask(
    stream: &mut TcpStream,
    addr: SocketAddr,
    path: &str,
    left: impl Fn() -> Duration,
) -> io::Result<Option<u16>> {
    let wait = || match left() {
        Duration::ZERO => Err(io::Error::from(io::ErrorKind::TimedOut)),
        left => Ok(left),
    };
    stream.set_write_timeout(Some(wait()?))?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {addr}\r\nuser-agent: gonogo-ready\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::with_capacity(64);
    let mut piece = [0; 64];
    // The status line is enough.
    while head.len() < HEAD && !head.contains(&b'\n') {
        stream.set_read_timeout(Some(wait()?))?;
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => head.extend_from_slice(&piece[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(status(&head))
}

/// Reads `HTTP/1.x NNN`.
fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|b| *b == b'\n').next()?;
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5).filter(|_| rest.get(1) == Some(&b' '))?;
    let ends = rest.get(5).is_none_or(|b| matches!(b, b' ' | b'\r'));
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| ends)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_status_line_is_a_status() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        assert_eq!(status(b"HTTP/1.0 503\r\n"), Some(503));
        for bad in [
            &b"HTTP/2 200\r\n"[..],
            b"HTTP/1.1 2000 x\r\n",
            b"hello",
            b"",
            b"HTTP/1.1 20",
            b"\r\nHTTP/1.1 200 OK",
        ] {
            assert_eq!(status(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }
}

//! Memory of the recorder does not grow with what passes through it. Alone in its process: the high-water mark is the process's.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as expected"
)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use gonogo_core::clock::SystemClock;
use gonogo_recorded::{End, Mode, Settings, start};

const MIB: usize = 1 << 20;
const LENGTH: usize = 256 * MIB;

/// The most memory that this process ever held, bytes.
fn highest() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

#[test]
fn memory_is_flat_in_the_length_of_a_body() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
        let piece = vec![b'z'; MIB];
        for _ in 0..LENGTH / MIB {
            stream.write_all(&piece).unwrap();
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(dir.path().join("calls.json"));
    settings.mode = Mode::Record;
    settings.limits.body = 2 * LENGTH as u64;
    let name = "api".to_owned();
    settings
        .upstreams
        .insert(name, format!("http://{upstream}"));
    let recorder = start(settings, Arc::new(SystemClock::default())).unwrap();
    let Some(before) = highest() else {
        gonogo_testkit::skip("memory of the recorder", "there is no /proc/self/status");
        return;
    };
    let mut stream = TcpStream::connect(recorder.services()["api"]).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        .unwrap();
    let (mut total, mut buffer) = (0, vec![0; MIB]);
    loop {
        let n = stream.read(&mut buffer).unwrap();
        if n == 0 {
            break;
        }
        total += n;
    }
    assert!(total > LENGTH, "{total}");
    let grown = highest().unwrap() - before;
    assert!(grown < 32 * MIB, "{} MiB", grown / MIB);
    // Saving reads each body whole, up to the limit that is set; this one was not to be saved.
    recorder.stop(End::Interrupted).unwrap();
}

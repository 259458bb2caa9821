//! One client with hundreds of connections on which little happens, and others who want an answer all the same.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::time::Instant;

use gonogo_tlog::Publication;
use gonogo_tlog::serve::Site;
use gonogo_tlog::witness::{Witness, WitnessSite};

use crate::support::{Book, Running, connect, connect_from, exchange, get, read_answer};
use crate::witness::NAME;

const CROWD: usize = 400;

/// A log waits no longer than this for a witness, by half.
const SOON: Duration = Duration::from_secs(1);

/// Enough of them to fill a server that closes none: those that it has room for, and those that wait to be accepted.
const FULL: usize = 380;

/// Keeps [`CROWD`] connections from 127.0.0.1. Those that the server closes are opened again.
struct Crowd {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    /// `open` makes the nth of them. All but the silent ones then send a byte now and then.
    fn gather(open: impl Fn(usize) -> TcpStream + Send + 'static) -> Self {
        let (end, opened) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let (ended, count) = (Arc::clone(&end), Arc::clone(&opened));
        let thread = thread::spawn(move || {
            let mut held: Vec<TcpStream> = Vec::new();
            while !ended.load(Ordering::SeqCst) {
                if held.len() < CROWD {
                    held.push(open(held.len()));
                    count.store(held.len(), Ordering::SeqCst);
                    continue;
                }
                for (n, stream) in held.iter_mut().enumerate() {
                    if n % 3 != 0 {
                        let _ = stream.write(b"x");
                    }
                    let gone = match stream.peek(&mut [0; 1]) {
                        Ok(0) => true,
                        Ok(_) => false,
                        Err(e) => e.kind() != ErrorKind::WouldBlock,
                    };
                    if gone {
                        *stream = open(n);
                    }
                }
                // How slow the slow are.
                thread::sleep(Duration::from_millis(20));
            }
        });
        let crowd = Self {
            end,
            thread: Some(thread),
        };
        let until = Instant::now() + Duration::from_secs(60);
        while opened.load(Ordering::SeqCst) < FULL {
            assert!(Instant::now() < until, "the crowd does not gather");
            thread::sleep(Duration::from_millis(5));
        }
        crowd
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.end.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn slow(addr: SocketAddr, begin: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(addr).unwrap();
    // It may be closed already.
    let _ = stream.write_all(begin);
    stream.set_nonblocking(true).unwrap();
    stream
}

/// What a crowd reads by the megabyte takes its share of the machine; 30 s is what one of them may hold its place without reading.
const MOVING: Duration = Duration::from_secs(10);

/// Silence, and half a head.
const HEADS: [&[u8]; 3] = [
    b"",
    b"GET /check",
    b"GET /checkpoint HTTP/1.1\r\nhost: x\r\nx-slow: ",
];

/// Silence, and whole heads whose body comes by the byte.
const BODIES: [&[u8]; 3] = [
    b"",
    b"POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\nold ",
    b"POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nfff\r\n",
];

fn timed<T>(limit: Duration, what: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let done = what();
    let took = begin.elapsed();
    assert!(took < limit, "{took:?}");
    done
}

#[test]
fn a_crowd_of_slow_connections_keeps_no_reader_waiting() {
    let dir = tempfile::tempdir().unwrap();
    Book::new(300).publish(dir.path(), 300);
    let server = Running::start(Site::new(Publication::new(dir.path()), ""));
    let addr = server.addr;
    let _crowd = Crowd::gather(move |n| slow(addr, HEADS[n % 3]));
    let request = b"GET /checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    for _ in 0..20 {
        let other = timed(SOON, || {
            let mut stream = connect_from([127, 0, 0, 2], server.addr);
            stream.write_all(request).unwrap();
            read_answer(stream)
        });
        assert_eq!(other.status, 200);
        // Also who comes from the crowd's own address.
        assert_eq!(timed(SOON, || get(server.addr, "/checkpoint")).status, 200);
    }
}

#[test]
fn a_crowd_of_slow_connections_keeps_no_log_waiting_for_its_witness() {
    let book = Book::new(50);
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(gonogo_core::clock::SystemClock::default());
    let logs = [book.key.vkey().clone()];
    let witness = Witness::open(dir.path(), NAME, &logs, clock, Arc::new(|_| {})).unwrap();
    let server = Running::start(WitnessSite::new(witness, ""));
    let addr = server.addr;
    let _crowd = Crowd::gather(move |n| slow(addr, BODIES[n % 3]));
    for size in 1..=20 {
        let body = book.add(size - 1, size);
        let request = format!(
            "POST /add-checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = timed(SOON, || {
            if size % 2 == 0 {
                return exchange(server.addr, request.as_bytes());
            }
            let mut stream = connect_from([127, 0, 0, 2], server.addr);
            stream.write_all(request.as_bytes()).unwrap();
            read_answer(stream)
        });
        assert_eq!(answer.status, 200, "{size}");
    }
}

#[test]
fn a_crowd_that_does_not_read_its_answers_keeps_nobody_waiting() {
    let dir = tempfile::tempdir().unwrap();
    Book::new(3).publish(dir.path(), 3);
    fs::write(dir.path().join("tile/entries/000"), vec![0; 16_000_000]).unwrap();
    let server = Running::start(Site::new(Publication::new(dir.path()), ""));
    let addr = server.addr;
    let greedy = b"GET /tile/entries/000 HTTP/1.1\r\nhost: x\r\n\r\n";
    let _crowd = Crowd::gather(move |_| slow(addr, greedy));
    for _ in 0..5 {
        let answer = timed(MOVING, || {
            let mut stream = connect_from([127, 0, 0, 2], server.addr);
            let request = b"GET /checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            stream.write_all(request).unwrap();
            read_answer(stream)
        });
        assert_eq!(answer.status, 200);
    }
    // Of the crowd's own address somebody is let in once one of them has read nothing for a while.
    let until = Instant::now() + Duration::from_secs(10);
    while !asked(server.addr) {
        assert!(Instant::now() < until);
    }
}

/// Whether the checkpoint came; a connection that is refused is closed without a word.
fn asked(addr: SocketAddr) -> bool {
    let mut stream = connect(addr);
    let request = b"GET /checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut answer = Vec::new();
    let _ = stream.write_all(request);
    let _ = stream.read_to_end(&mut answer);
    answer.starts_with(b"HTTP/1.1 200")
}

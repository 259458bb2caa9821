//! A log with any number of leaves, written out as a publication by code of its own, and small doors to sockets and time.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use gonogo_core::clock::{Clock, Now};
use gonogo_core::{Digest, Timestamp};
use gonogo_ledger::merkle::{leaf_hash, node_hash};
use gonogo_ledger::{Checkpoint, LogKey};
use gonogo_tlog::error::Error;
use gonogo_tlog::server::{Handler, Limits, run};
use tokio::sync::oneshot;

pub(crate) const ORIGIN: &str = "ledger.example";

/// A log that can be shown at any size. Two with different salts from leaf `fork` on are the same log before it.
pub(crate) struct Book {
    pub(crate) key: LogKey,
    entries: Vec<Vec<u8>>,
    leaves: Vec<Digest>,
}

impl Book {
    pub(crate) fn new(leaves: u64) -> Self {
        let key = LogKey::load(ORIGIN, &LogKey::generate().unwrap()).unwrap();
        Self::of(key, leaves, u64::MAX)
    }

    fn of(key: LogKey, leaves: u64, fork: u64) -> Self {
        let entry = |n: u64| {
            let side = if n < fork { "" } else { " forked" };
            format!("entry {n}{side} {}", "x".repeat((n % 7) as usize)).into_bytes()
        };
        let entries: Vec<_> = (0..leaves).map(entry).collect();
        let leaves = entries.iter().map(|e| leaf_hash(e)).collect();
        Self {
            key,
            entries,
            leaves,
        }
    }

    /// Two logs under one key that are the same below leaf `at`.
    pub(crate) fn forked(leaves: u64, at: u64) -> (Self, Self) {
        let pkcs8 = LogKey::generate().unwrap();
        let key = || LogKey::load(ORIGIN, &pkcs8).unwrap();
        (
            Self::of(key(), leaves, u64::MAX),
            Self::of(key(), leaves, at),
        )
    }

    pub(crate) fn root(&self, size: u64) -> Digest {
        mth(&self.leaves[..size as usize])
    }

    pub(crate) fn checkpoint(&self, size: u64) -> String {
        let origin = ORIGIN.into();
        let root = self.root(size);
        Checkpoint { origin, size, root }.sign(&self.key)
    }

    /// Every file of the publication of `size` leaves.
    pub(crate) fn files(&self, size: u64) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let bundles = self.entries[..size as usize].chunks(256);
        for (n, chunk) in bundles.enumerate() {
            let mut bytes = Vec::new();
            for entry in chunk {
                bytes.extend((entry.len() as u16).to_be_bytes());
                bytes.extend(entry);
            }
            files.insert(name("entries", n, chunk.len()), bytes);
        }
        let mut hashes = self.leaves[..size as usize].to_vec();
        for level in 0.. {
            if hashes.is_empty() {
                break;
            }
            for (n, chunk) in hashes.chunks(256).enumerate() {
                let bytes = chunk.iter().flat_map(|h| *h.as_bytes()).collect();
                files.insert(name(&level.to_string(), n, chunk.len()), bytes);
            }
            hashes = hashes.chunks_exact(256).map(mth).collect();
        }
        files.insert("checkpoint".into(), self.checkpoint(size).into_bytes());
        files
    }

    /// Writes the publication of `size` leaves into `dir`, over what is there.
    pub(crate) fn publish(&self, dir: &Path, size: u64) {
        for (name, bytes) in self.files(size) {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    /// PROOF(old, D[size]) of RFC 6962 section 2.1.2, straight from its definition.
    pub(crate) fn proof(&self, old: u64, size: u64) -> Vec<Digest> {
        fn sub(m: usize, leaves: &[Digest], whole: bool) -> Vec<Digest> {
            let n = leaves.len();
            if m == n {
                return if whole { vec![] } else { vec![mth(leaves)] };
            }
            let k = split(n);
            let (mut proof, last) = if m <= k {
                (sub(m, &leaves[..k], whole), mth(&leaves[k..]))
            } else {
                (sub(m - k, &leaves[k..], false), mth(&leaves[..k]))
            };
            proof.push(last);
            proof
        }
        if old == 0 {
            return vec![];
        }
        sub(old as usize, &self.leaves[..size as usize], true)
    }

    /// The body of an add-checkpoint request.
    pub(crate) fn add(&self, old: u64, size: u64) -> String {
        use base64::Engine as _;
        let mut body = format!("old {old}\n");
        for hash in self.proof(old, size) {
            body += &base64::engine::general_purpose::STANDARD.encode(hash.as_bytes());
            body += "\n";
        }
        format!("{body}\n{}", self.checkpoint(size))
    }
}

fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

/// MTH of RFC 6962 section 2.1, straight from its definition.
fn mth(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [one] => *one,
        many => {
            let (left, right) = many.split_at(split(many.len()));
            node_hash(&mth(left), &mth(right))
        }
    }
}

fn name(level: &str, n: usize, width: usize) -> String {
    let mut path = format!("{:03}", n % 1000);
    let mut rest = n / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    let partial = if width < 256 {
        format!(".p/{width}")
    } else {
        String::new()
    };
    format!("tile/{level}/{path}{partial}")
}

/// Reads every file below `dir`, but for what lies in directories that begin with a dot.
pub(crate) fn read_all(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(dir: &Path, prefix: &str, out: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if name.starts_with('.') {
                continue;
            }
            let full = format!("{prefix}{name}");
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{full}/"), out);
            } else {
                out.insert(full, fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(dir, "", &mut out);
    out
}

/// A server on a free port of the loopback interface, on a thread of its own.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Running {
    pub(crate) fn start(handler: impl Handler) -> Self {
        Self::with(handler, Limits::default())
    }

    pub(crate) fn with(handler: impl Handler, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime().block_on(run(listener, handler, &limits, async {
                let _ = stopped.await;
            }))
        });
        Self {
            addr,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Asks it to end, without waiting.
    pub(crate) fn signal(&mut self) {
        drop(self.stop.take());
    }

    /// Ends it and waits for that.
    pub(crate) fn stop(&mut self) {
        self.signal();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// An answer, read to the end of its connection.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// Sends bytes as they are and reads until the other side closes.
pub(crate) fn exchange(addr: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = connect(addr);
    stream.write_all(request).unwrap();
    read_answer(stream)
}

/// Connects from another address of the loopback interface.
pub(crate) fn connect_from(from: [u8; 4], addr: SocketAddr) -> TcpStream {
    let stream = runtime().block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        socket.connect(addr).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

pub(crate) fn read_answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no head in {bytes:?}"));
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head,
        body: bytes[end + 4..].to_vec(),
    }
}

/// Sends a request without body.
pub(crate) fn ask(addr: SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    exchange(addr, request.as_bytes())
}

pub(crate) fn get(addr: SocketAddr, path: &str) -> Answer {
    ask(addr, "GET", path, "")
}

/// A clock that stands until it is set, in seconds since 1970.
#[derive(Debug)]
pub(crate) struct Hand(pub(crate) AtomicI64);

impl Hand {
    pub(crate) fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Now {
        Now {
            wall: Timestamp::from_millis(self.0.load(Ordering::SeqCst) * 1000),
            mono_ms: 0,
        }
    }
}

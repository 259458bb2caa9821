//! Our witness as a real process: killed while it answers, and with a disk that fails under a tracer. What it acknowledged, the next
//! one knows.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use gonogo_core::clock::SystemClock;
use gonogo_ledger::{Checkpoint, Note};
use gonogo_testkit::{lacks, skip};
use gonogo_tlog::witness::{Notice, Witness, WitnessSite, read_logs};

use crate::support::{Book, Running};
use crate::witness::{NAME, remembered};

/// Set for a process that this suite starts: it is the witness, in this directory.
const CHILD: &str = "GONOGO_TLOG_WITNESS";
/// The test that such a process enters by.
const ENTRY: &str = "faults::a_killed_witness_forgets_nothing_it_acknowledged";

#[expect(clippy::print_stdout, reason = "how the parent learns the address")]
fn serve_until_killed(dir: &Path) -> ! {
    let logs = read_logs(&dir.join("logs")).unwrap();
    let clock = Arc::new(SystemClock::default());
    let notice: Notice = Arc::new(|_| {});
    let witness = Witness::open(&dir.join("home"), NAME, &logs, clock, notice).unwrap();
    let server = Running::start(WitnessSite::new(witness, "/w"));
    println!("\nlistening {}", server.addr);
    loop {
        thread::park();
    }
}

/// A witness in a process of its own, killed when dropped.
struct Process {
    child: Child,
    addr: SocketAddr,
}

impl Process {
    /// `None` if it ended before it listened.
    fn start(dir: &Path, tracer: &[&str]) -> Option<Self> {
        let exe = std::env::current_exe().unwrap();
        let mut words: Vec<&str> = tracer.to_vec();
        words.push(exe.to_str().unwrap());
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .args(["--exact", ENTRY, "--nocapture"])
            .env(CHILD, dir)
            // A tracer that is killed lets go of what it traces; the group is killed as one.
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let addr = lines.map_while(Result::ok).find_map(|line| {
            let (_, addr) = line.split_once("listening ")?;
            Some(addr.parse().unwrap())
        });
        let Some(addr) = addr else {
            child.wait().unwrap();
            return None;
        };
        Some(Self { child, addr })
    }

    /// The size that it remembers.
    fn size(&self) -> u64 {
        remembered(self.addr).map_or(0, |note| {
            let note = Note::parse(&note).unwrap();
            Checkpoint::read_unverified(&note).unwrap().size
        })
    }

    fn post(&self, body: &str) -> Option<u16> {
        post(self.addr, body)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(group) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// The status of an add-checkpoint request; `None` if the witness is gone.
fn post(addr: SocketAddr, body: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(addr).ok()?;
    let request = format!(
        "POST /w/add-checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let text = String::from_utf8(answer).ok()?;
    text.split(' ').nth(1)?.parse().ok()
}

fn home(book: &Book) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let logs = format!("log {}\n", book.key.vkey());
    fs::write(dir.path().join("logs"), logs).unwrap();
    dir
}

#[test]
fn a_killed_witness_forgets_nothing_it_acknowledged() {
    if let Ok(dir) = std::env::var(CHILD) {
        serve_until_killed(Path::new(&dir));
    }
    let book = Arc::new(Book::new(4000));
    let dir = home(&book);
    let mut acknowledged = 0;
    for round in 0..12_u64 {
        let process = Process::start(dir.path(), &[]).unwrap();
        let known = process.size();
        assert!(known >= acknowledged, "{known} after {acknowledged}");
        let (turn, turned) = mpsc::channel();
        let asking = {
            let (book, addr) = (Arc::clone(&book), process.addr);
            thread::spawn(move || {
                let mut last = known;
                while let Some(status) = post(addr, &book.add(last, last + 1)) {
                    assert_eq!(status, 200);
                    last += 1;
                    // From the fourth on the kill may come at any point of a request.
                    if last == known + 3 + round * 5 {
                        turn.send(()).unwrap();
                    }
                }
                last
            })
        };
        turned.recv_timeout(Duration::from_secs(60)).unwrap();
        for _ in 0..round * 2000 {
            std::hint::spin_loop();
        }
        drop(process);
        acknowledged = asking.join().unwrap();
    }
    assert!(acknowledged > 100, "{acknowledged}");
}

#[test]
fn after_a_failed_sync_or_rename_nothing_is_acknowledged_any_more() {
    if let Some(why) = lacks("strace", &["-qq", "-f", "-e", "trace=none", "true"]) {
        return skip("failed syncs and renames of a witness", &why);
    }
    let book = Book::new(100);
    let failed = Mutex::new(0);
    for call in ["fsync", "rename"] {
        for when in 1..=12 {
            let what = format!("{call} {when}");
            let dir = home(&book);
            let process = Process::start(dir.path(), &[]).unwrap();
            assert_eq!(process.post(&book.add(0, 1)), Some(200), "{what}");
            drop(process);
            // Calls are counted for each thread; requests one after the other are settled by one or two.
            let inject = format!("inject={call}:error=EIO:when={when}");
            let trace = format!("trace={call}");
            let tracer = [
                "strace",
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                &trace,
                "-e",
                &inject,
            ];
            let process = Process::start(dir.path(), &tracer).unwrap();
            let mut acknowledged = process.size();
            let mut broken = false;
            for size in 2..=20 {
                match process.post(&book.add(size - 1, size)) {
                    Some(200) => {
                        assert!(!broken, "{what}: acknowledged {size} after a failure");
                        acknowledged = size;
                    }
                    Some(500) => broken = true,
                    other => assert!(broken && other == Some(409), "{what}: {other:?}"),
                }
            }
            *failed.lock().unwrap() += u32::from(broken);
            drop(process);
            // What was traced dies a moment after its tracer, and holds the directory until then.
            let process = (0..1000)
                .find_map(|_| Process::start(dir.path(), &[]))
                .unwrap();
            let known = process.size();
            assert!(
                known >= acknowledged,
                "{what}: {known} after {acknowledged}"
            );
            assert_eq!(
                process.post(&book.add(known, known + 1)),
                Some(200),
                "{what}"
            );
        }
    }
    let failed = failed.into_inner().unwrap();
    assert!(failed >= 20, "only {failed} of 24 runs met their fault");
}

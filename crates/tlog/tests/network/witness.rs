//! Our witness over real sockets: every status, races, restarts, kills, and a disk that fails.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use gonogo_ledger::witness::origin_hash;
use gonogo_ledger::{Checkpoint, LogKey, Note, Vkey, cosignature};
use gonogo_tlog::error::Error;
use gonogo_tlog::witness::{MAX_REQUEST, Notice, Witness, WitnessSite, read_logs};

use crate::support::{Answer, Book, Hand, ORIGIN, Running, ask, exchange, get, read_all};

pub(crate) const NAME: &str = "witness.example";
const START: i64 = 1_790_000_000;

/// A witness that serves one log, with its clock and what it said to its operator.
struct Bench {
    dir: tempfile::TempDir,
    clock: Arc<Hand>,
    said: Arc<Mutex<Vec<String>>>,
    logs: Vec<Vkey>,
}

impl Bench {
    fn new(books: &[&Book]) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock: Arc::new(Hand(AtomicI64::new(START))),
            said: Arc::default(),
            logs: books.iter().map(|b| b.key.vkey().clone()).collect(),
        }
    }

    fn home(&self) -> std::path::PathBuf {
        self.dir.path().join("home")
    }

    fn open(&self) -> Result<Witness, Error> {
        let said = Arc::clone(&self.said);
        let notice: Notice = Arc::new(move |line| said.lock().unwrap().push(line.to_owned()));
        Witness::open(&self.home(), NAME, &self.logs, self.clock.clone(), notice)
    }

    fn run(&self) -> (Running, Vkey) {
        let witness = self.open().unwrap();
        let key = witness.vkey().clone();
        (Running::start(WitnessSite::new(witness, "/w")), key)
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }
}

fn post(addr: SocketAddr, body: &str) -> Answer {
    let request = format!(
        "POST /w/add-checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(addr, request.as_bytes())
}

pub(crate) fn remembered(addr: SocketAddr) -> Option<String> {
    let answer = get(addr, &format!("/w/{}/checkpoint", origin_hash(ORIGIN)));
    match answer.status {
        200 => Some(answer.text()),
        404 => None,
        other => panic!("{other}"),
    }
}

/// When `key` cosigned `note` with the line of a 200.
fn cosigned(note: &str, line: &str, key: &Vkey) -> u64 {
    assert!(line.ends_with('\n') && line.lines().count() == 1, "{line}");
    let note = Note::parse(&format!("{note}{line}")).unwrap();
    cosignature::verify(&note, key).unwrap()
}

#[test]
fn every_status_of_the_protocol() {
    let (book, other) = Book::forked(600, 280);
    let stranger = Book::new(600);
    let bench = Bench::new(&[&book]);
    let (server, key) = bench.run();
    assert_eq!(remembered(server.addr), None);

    let first = post(server.addr, &book.add(0, 300));
    assert_eq!(first.status, 200);
    assert_eq!(
        cosigned(&book.checkpoint(300), &first.text(), &key),
        START as u64
    );
    let state = remembered(server.addr).unwrap();
    assert_eq!(state, format!("{}{}", book.checkpoint(300), first.text()));

    // The same again is fine, and newer.
    bench.clock.set(START + 60);
    let again = post(server.addr, &book.add(300, 300));
    assert_eq!(again.status, 200);
    assert_eq!(
        cosigned(&book.checkpoint(300), &again.text(), &key),
        START as u64 + 60
    );

    // Signatures by others beside the log's are ignored, not remembered.
    let crowded = format!("{}— nobody.example AAAAAAAAAAAA\n", book.add(300, 300));
    assert_eq!(post(server.addr, &crowded).status, 200);
    assert!(!remembered(server.addr).unwrap().contains("nobody"));

    let good = book.add(300, 600);
    let (head, note) = good.split_once("\n\n").unwrap();
    let mut forged = book.checkpoint(600);
    let at = forged.rfind('=').unwrap() - 10;
    let flipped = if &forged[at..=at] == "A" { "B" } else { "A" };
    forged.replace_range(at..=at, flipped);
    let proofless = format!("old 300\n\n{note}");
    let long = format!(
        "old 300\n{}\n{note}",
        format!("{}=\n", "A".repeat(43)).repeat(64)
    );
    for (what, body, status) in [
        ("empty", String::new(), 400),
        ("no old", good.replacen("old ", "new ", 1), 400),
        ("leading zero", good.replacen("old 3", "old 03", 1), 400),
        ("negative", good.replacen("old 3", "old -3", 1), 400),
        (
            "old above new",
            book.add(300, 300).replacen("old 300", "old 301", 1),
            400,
        ),
        ("64 proof lines", long, 400),
        (
            "a proof line that is none",
            good.replacen(head, "old 300\nAAAA", 1),
            400,
        ),
        ("no note", format!("{head}\n\n"), 400),
        ("not UTF-8 is sent below", "old 300".into(), 400),
        (
            "unknown log",
            stranger.add(0, 5).replace(ORIGIN, "other.example"),
            404,
        ),
        ("other key", stranger.add(300, 600), 403),
        ("forged", format!("{head}\n\n{forged}"), 403),
        ("old below", book.add(299, 600), 409),
        ("old zero", book.add(0, 600), 409),
        ("old above", book.add(301, 600), 409),
        ("smaller", book.add(200, 250), 409),
        ("split view", other.add(300, 300), 409),
        ("no proof", proofless, 422),
        ("another tree's proof", other.add(300, 600), 422),
    ] {
        let answer = post(server.addr, &body);
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        if status == 409 {
            assert_eq!(answer.text(), "300\n", "{what}");
            assert_eq!(
                answer.header("content-type"),
                Some("text/x.tlog.size"),
                "{what}"
            );
        } else {
            assert_eq!(answer.text().lines().count(), 1, "{what}");
        }
    }
    let raw = b"POST /w/add-checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n\xff\xfe";
    assert_eq!(exchange(server.addr, raw).status, 400);

    // None of that changed anything, and the true one still goes through.
    assert!(
        remembered(server.addr)
            .unwrap()
            .starts_with(&book.checkpoint(300))
    );
    assert_eq!(post(server.addr, &good).status, 200);
    assert!(
        remembered(server.addr)
            .unwrap()
            .starts_with(&book.checkpoint(600))
    );

    for (method, path, status) in [
        ("GET", "/w/add-checkpoint", 405),
        ("POST", "/w/00/checkpoint", 405),
        ("GET", "/add-checkpoint", 404),
        ("POST", "/add-checkpoint", 404),
        ("GET", "/w/", 404),
        ("GET", "/w/00/checkpoint", 404),
        ("GET", "/w/checkpoint", 404),
        ("GET", "/w/../w/checkpoint", 404),
    ] {
        let answer = ask(server.addr, method, path, "");
        assert_eq!(answer.status, status, "{method} {path}");
    }
    let upper = origin_hash(ORIGIN).to_uppercase();
    assert_eq!(
        get(server.addr, &format!("/w/{upper}/checkpoint")).status,
        404
    );

    let long = format!(
        "POST /w/add-checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{}",
        MAX_REQUEST + 1,
        "a".repeat(MAX_REQUEST + 1)
    );
    assert_eq!(exchange(server.addr, long.as_bytes()).status, 413);
}

#[test]
fn contradicting_checkpoints_are_kept_as_evidence() {
    let (book, other) = Book::forked(600, 280);
    let bench = Bench::new(&[&book]);
    let (server, _) = bench.run();
    assert_eq!(post(server.addr, &book.add(0, 300)).status, 200);
    for _ in 0..3 {
        assert_eq!(post(server.addr, &other.add(0, 300)).status, 409);
        assert_eq!(post(server.addr, &other.add(300, 600)).status, 422);
    }
    let dir = bench.home().join("conflicts").join(origin_hash(ORIGIN));
    let kept = read_all(&dir);
    assert_eq!(kept.len(), 4, "{:?}", kept.keys());
    let note = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).unwrap();
        Checkpoint::open_foreign(&Note::parse(text).unwrap(), book.key.vkey()).unwrap()
    };
    let find = |kind: &str, which: &str| {
        let mut found = kept
            .iter()
            .filter(|(n, _)| n.starts_with(kind) && n.ends_with(which));
        note(found.next().unwrap().1)
    };
    // Anybody with the log's key can see that it signed both.
    let (ours, theirs) = (
        find("split-view", "cosigned"),
        find("split-view", "refused"),
    );
    assert_eq!((ours.size, theirs.size), (300, 300));
    assert_eq!((ours.root, theirs.root), (book.root(300), other.root(300)));
    assert_eq!(find("bad-proof", "refused").root, other.root(600));
    assert!(bench.said().contains("two different trees of size 300"));
    // Replayed with false proofs, a log's own checkpoints cannot fill the disk.
    for size in 301..400 {
        let body = format!("old 300\n\n{}", book.checkpoint(size));
        assert_eq!(post(server.addr, &body).status, 422);
    }
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1 + 32);
}

#[test]
fn racing_requests_never_roll_back() {
    let book = Arc::new(Book::new(420));
    let bench = Bench::new(&[&book]);
    let (server, key) = bench.run();
    let addr = server.addr;
    let mut size = 0;
    while size < 400 {
        let racers: Vec<_> = (1..=8_u64)
            .map(|step| {
                let book = Arc::clone(&book);
                thread::spawn(move || {
                    let new = size + 1 + (step * 5) % 16;
                    (new, post(addr, &book.add(size, new)))
                })
            })
            .collect();
        let answers: Vec<_> = racers.into_iter().map(|r| r.join().unwrap()).collect();
        let won: BTreeSet<u64> = answers
            .iter()
            .filter(|(_, a)| a.status == 200)
            .map(|(new, _)| *new)
            .collect();
        assert_eq!(won.len(), 1, "from {size}: {won:?}");
        let now = *won.first().unwrap();
        for (new, answer) in &answers {
            if answer.status == 200 {
                cosigned(&book.checkpoint(*new), &answer.text(), &key);
            } else {
                assert_eq!(answer.status, 409);
                assert_eq!(answer.text(), format!("{now}\n"));
            }
        }
        let state = remembered(addr).unwrap();
        assert!(state.starts_with(&book.checkpoint(now)), "{state}");
        size = now;
    }
}

#[test]
fn a_restart_remembers_and_a_set_back_memory_shows() {
    let book = Book::new(600);
    let bench = Bench::new(&[&book]);
    let (mut server, key) = bench.run();
    assert_eq!(post(server.addr, &book.add(0, 200)).status, 200);
    let yesterday = bench.dir.path().join("yesterday");
    let known = bench.home().join("known").join(origin_hash(ORIGIN));
    fs::copy(&known, &yesterday).unwrap();
    assert_eq!(post(server.addr, &book.add(200, 300)).status, 200);
    assert!(matches!(bench.open(), Err(Error::Busy { .. })));
    server.stop();
    let (mut server, same) = bench.run();
    assert_eq!(same, key);
    assert!(
        remembered(server.addr)
            .unwrap()
            .starts_with(&book.checkpoint(300))
    );
    assert_eq!(post(server.addr, &book.add(200, 300)).text(), "300\n");
    assert_eq!(post(server.addr, &book.add(300, 400)).status, 200);
    server.stop();
    // Yesterday's memory: the log sees a size that it has passed long ago.
    fs::copy(&yesterday, &known).unwrap();
    let (mut server, _) = bench.run();
    let answer = post(server.addr, &book.add(400, 600));
    assert_eq!((answer.status, answer.text().as_str()), (409, "200\n"));
    assert_eq!(post(server.addr, &book.add(200, 600)).status, 200);
    server.stop();
}

#[test]
fn damaged_or_foreign_state_is_refused() {
    let book = Book::new(600);
    let bench = Bench::new(&[&book]);
    let (mut server, _) = bench.run();
    assert_eq!(post(server.addr, &book.add(0, 300)).status, 200);
    server.stop();
    let home = bench.home();
    let key = home.join("key.pem");
    let known = home.join("known").join(origin_hash(ORIGIN));
    let mode = fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let refused = |what: &str| {
        let error = bench.open().map(drop).unwrap_err();
        assert!(matches!(error, Error::State { .. }), "{what}: {error}");
    };
    let state = fs::read(&known).unwrap();
    let mut tried = 0;
    for at in 0..state.len() {
        let mut changed = state.clone();
        changed[at] ^= 1;
        fs::write(&known, &changed).unwrap();
        // The log's own line is not what the witness believes; everything else is under its cosignature.
        let text = String::from_utf8(state.clone()).unwrap();
        let lines = text.find("\n\n").unwrap() + 2;
        let own = text.rfind("— witness").unwrap();
        if at < lines || at >= own {
            refused(&format!("byte {at}"));
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried}");
    for cut in [0, 1, state.len() / 2, state.len() - 1] {
        fs::write(&known, &state[..cut]).unwrap();
        refused(&format!("cut to {cut}"));
    }
    fs::write(&known, &state).unwrap();
    drop(bench.open().unwrap());

    let memory = home.join("known");
    fs::rename(&memory, home.join("aside")).unwrap();
    refused("no memory");
    fs::rename(home.join("aside"), &memory).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    refused("a key that others read");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let pem = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    refused("no key beside a memory");
    fs::write(&key, LogKey::generate().unwrap().pem()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    refused("another key");
    fs::write(&key, pem).unwrap();
    let notice: Notice = Arc::new(|_| {});
    let renamed = Witness::open(
        &home,
        "other.example",
        &bench.logs,
        bench.clock.clone(),
        notice,
    );
    assert!(matches!(renamed, Err(Error::State { .. })));
    let twice = Bench {
        dir: tempfile::tempdir().unwrap(),
        clock: bench.clock.clone(),
        said: Arc::default(),
        logs: vec![bench.logs[0].clone(), bench.logs[0].clone()],
    };
    assert!(matches!(twice.open(), Err(Error::Setting { .. })));
    drop(bench.open().unwrap());
}

#[test]
fn a_disk_that_fails_ends_all_acknowledging() {
    let book = Book::new(600);
    let bench = Bench::new(&[&book]);
    let (mut server, _) = bench.run();
    assert_eq!(post(server.addr, &book.add(0, 300)).status, 200);
    // A file in the place of the directory: the rename into it fails.
    let (known, aside) = (bench.home().join("known"), bench.home().join("aside"));
    fs::rename(&known, &aside).unwrap();
    fs::write(&known, "").unwrap();
    let answer = post(server.addr, &book.add(300, 400));
    assert_eq!(answer.status, 500);
    assert!(!answer.text().contains("— "), "{}", answer.text());
    assert!(
        bench.said().contains("rename into place"),
        "{}",
        bench.said()
    );
    fs::remove_file(&known).unwrap();
    fs::rename(&aside, &known).unwrap();
    // The disk is well again, and this process does not know what it holds.
    assert_eq!(post(server.addr, &book.add(300, 400)).status, 500);
    assert_eq!(remembered(server.addr), None);
    server.stop();
    let (server, _) = bench.run();
    assert!(
        remembered(server.addr)
            .unwrap()
            .starts_with(&book.checkpoint(300))
    );
    assert_eq!(post(server.addr, &book.add(300, 400)).status, 200);
}

#[test]
fn a_clock_that_went_back_cosigns_nothing() {
    let book = Book::new(600);
    let bench = Bench::new(&[&book]);
    let (mut server, _) = bench.run();
    assert_eq!(post(server.addr, &book.add(0, 300)).status, 200);
    bench.clock.set(START - 1);
    assert_eq!(post(server.addr, &book.add(300, 400)).status, 500);
    assert!(bench.said().contains("set the clock"), "{}", bench.said());
    server.stop();
    let (server, _) = bench.run();
    assert_eq!(post(server.addr, &book.add(300, 400)).status, 500);
    assert!(
        remembered(server.addr)
            .unwrap()
            .starts_with(&book.checkpoint(300))
    );
    bench.clock.set(START);
    assert_eq!(post(server.addr, &book.add(300, 400)).status, 200);
}

#[test]
fn lists_of_logs_are_read_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("logs");
    let vkey = |name| {
        let key = LogKey::load(name, &LogKey::generate().unwrap()).unwrap();
        key.vkey().clone()
    };
    let (a, b) = (vkey("a.example"), vkey("b.example"));
    fs::write(
        &path,
        format!("# ours\nlog {a}\n\nlog {b} https://b.example/log"),
    )
    .unwrap();
    assert_eq!(read_logs(&path).unwrap(), [a.clone(), b]);
    fs::write(&path, "").unwrap();
    assert_eq!(read_logs(&path).unwrap(), []);
    for bad in [
        format!("{a}\n"),
        format!("log {a}\nquorum none\n"),
        format!("log {a}\nlog {a}\n"),
        "log x\n".into(),
    ] {
        fs::write(&path, &bad).unwrap();
        assert!(
            matches!(read_logs(&path), Err(Error::Setting { .. })),
            "{bad}"
        );
    }
    assert!(read_logs(&dir.path().join("none")).is_err());
}

#[test]
fn two_logs_do_not_disturb_each_other() {
    let book = Book::new(300);
    let pkcs8 = LogKey::generate().unwrap();
    let second = LogKey::load("second.example", &pkcs8).unwrap();
    let mut bench = Bench::new(&[&book]);
    bench.logs.push(second.vkey().clone());
    let (server, key) = bench.run();
    let note = Checkpoint {
        origin: "second.example".into(),
        size: 7,
        root: book.root(7),
    }
    .sign(&second);
    assert_eq!(post(server.addr, &book.add(0, 300)).status, 200);
    let answer = post(server.addr, &format!("old 0\n\n{note}"));
    assert_eq!(answer.status, 200);
    cosigned(&note, &answer.text(), &key);
    let hash = origin_hash("second.example");
    let state = get(server.addr, &format!("/w/{hash}/checkpoint")).text();
    assert!(state.starts_with(&note));
    assert!(
        remembered(server.addr)
            .unwrap()
            .starts_with(&book.checkpoint(300))
    );
    assert_eq!(bench.clock.0.load(Ordering::SeqCst), START);
}

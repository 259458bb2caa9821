//! Crashes, damage, a full disk and several processes at once, on a real disk.
//!
//! Children are this test binary again, told by the environment what to do; see [`child`].

#![expect(
    clippy::unwrap_used,
    reason = "these are tests; a panic is their failure"
)]

#[path = "support/state.rs"]
mod state;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use gonogo_core::{Reason, Timestamp};
use gonogo_ledger::{Checkpoint, merkle};
use gonogo_store::ledger::{Draft, Filter, Founding, Ledger, LedgerError};
use serde_json::json;
use state::copy;
use tempfile::TempDir;

const SHARED: &str = "operation/op_shared";

fn open(root: &Path) -> Result<Ledger, LedgerError> {
    let founding = Founding {
        origin: "ledger.test",
        actor: "controller@test",
        time: Timestamp::from_millis(1_795_000_000_000),
    };
    Ledger::open(root, founding)
}

fn draft(stream: &str, key: &str, size: usize) -> Draft {
    Draft {
        stream: stream.into(),
        key: key.into(),
        kind: "rollout-step".into(),
        subject: Vec::new(),
        time: Timestamp::from_millis(1_795_000_000_000),
        actor: "test".into(),
        body: json!({"text": "x".repeat(size)}),
        signer: None,
    }
}

/// Not a test by itself: the body of the child processes. Prints a line for every acknowledged record.
#[test]
fn child() {
    let Ok(root) = std::env::var("GONOGO_TEST_LEDGER") else {
        return;
    };
    let name = std::env::var("GONOGO_TEST_NAME").unwrap();
    let count: usize = std::env::var("GONOGO_TEST_COUNT").unwrap().parse().unwrap();
    let ledger = open(Path::new(&root)).unwrap();
    if name == "full" {
        return fill(&ledger);
    }
    thread::scope(|scope| {
        for w in 0..4 {
            let (ledger, name) = (&ledger, &name);
            scope.spawn(move || {
                for n in 0..count {
                    let own = format!("run/{name}/{w}");
                    let key = format!("{name}/{w}/{n}");
                    let call = vec![draft(SHARED, &key, n % 700), draft(&own, &key, 10)];
                    let receipts = ledger.append(call).unwrap();
                    let lines: String = receipts
                        .iter()
                        .map(|r| format!("ACK {} {} {}\n", r.index, r.digest, r.leaf_hash))
                        .collect();
                    std::io::stdout().write_all(lines.as_bytes()).unwrap();
                }
            });
        }
    });
}

/// Under a limit of the file size, which the system enforces with short writes and errors.
fn fill(ledger: &Ledger) {
    let before = ledger.size().unwrap();
    for round in 0..3 {
        let error = ledger
            .append(vec![draft(SHARED, &format!("big/{round}"), 200_000)])
            .unwrap_err();
        assert_eq!(error.reason(), Reason::StoreFull, "{error}");
        assert_eq!(ledger.size().unwrap(), before + round);
        let small = ledger.append(vec![draft(SHARED, &format!("small/{round}"), 10)]);
        assert_eq!(small.unwrap()[0].index, before + round);
    }
    std::io::stdout().write_all(b"FULL AND WELL\n").unwrap();
}

fn spawn(root: &Path, name: &str, count: usize, limit: Option<u32>) -> Child {
    let exe = std::env::current_exe().unwrap();
    let mut command = match limit {
        // An ignored SIGXFSZ stays ignored across exec; the unit of `ulimit -f` is 512 bytes.
        Some(blocks) => {
            let mut command = Command::new("sh");
            let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
            command.arg("-c").arg(script).arg(exe);
            command
        }
        None => Command::new(exe),
    };
    command
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env("GONOGO_TEST_LEDGER", root)
        .env("GONOGO_TEST_NAME", name)
        .env("GONOGO_TEST_COUNT", count.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// What a child said was acknowledged: index → digest and leaf, as text.
type Acknowledged = BTreeMap<u64, String>;

fn note(line: &str, acknowledged: &mut Acknowledged) {
    // The harness prints `test child ... ` in front of the first line; a killed child may leave half a line.
    let Some(at) = line.find("ACK ") else { return };
    let words: Vec<_> = line[at + 4..].split(' ').collect();
    if let [index, digest, leaf] = words[..]
        && leaf.len() == 71
    {
        let index = index.parse().unwrap();
        let before = acknowledged.insert(index, format!("{digest} {leaf}"));
        assert_eq!(before, None, "index {index} was given out twice");
    }
}

fn assert_present(ledger: &Ledger, acknowledged: &Acknowledged) {
    for (index, want) in acknowledged {
        let found = ledger.record_at(*index).unwrap();
        assert_eq!(&format!("{} {}", found.digest, found.leaf_hash), want);
    }
}

fn assert_whole(ledger: &Ledger) -> u64 {
    let size = ledger.check().unwrap();
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    let mut filter = Filter {
        limit: 1000,
        ..Filter::default()
    };
    loop {
        let page = ledger.records(&filter).unwrap();
        let Some(last) = page.last() else { break };
        filter.after = Some(last.index);
        for record in page {
            let seq = next.entry(record.stream).or_default();
            assert_eq!(record.seq, *seq);
            *seq += 1;
        }
    }
    assert_eq!(next.values().sum::<u64>(), size);
    size
}

#[test]
fn several_processes_append_at_once() {
    let dir = TempDir::new().unwrap();
    // Nobody has founded the ledger: the processes race for that, too.
    let children: Vec<_> = ["a", "b", "c"]
        .map(|name| spawn(dir.path(), name, 40, None))
        .into();
    let mut acknowledged = Acknowledged::new();
    for mut child in children {
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            note(&line.unwrap(), &mut acknowledged);
        }
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(acknowledged.len(), 3 * 4 * 40 * 2);
    let ledger = open(dir.path()).unwrap();
    assert!(ledger.notices().is_empty());
    assert_eq!(assert_whole(&ledger), 961);
    assert_present(&ledger, &acknowledged);
}

#[test]
fn killed_writers_lose_nothing_that_was_acknowledged() {
    let dir = TempDir::new().unwrap();
    drop(open(dir.path()).unwrap());
    let vkey = Ledger::open_read(dir.path()).unwrap().log_vkey().clone();
    let mut acknowledged = Acknowledged::new();
    for round in 0..34_usize {
        let mut child = spawn(dir.path(), &format!("r{round}"), 100_000, None);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let wanted = acknowledged.len() + 1 + round * 7 % 50;
        while acknowledged.len() < wanted {
            note(&lines.next().unwrap().unwrap(), &mut acknowledged);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            note(&line, &mut acknowledged);
        }
        let seen = Ledger::open_read(dir.path())
            .unwrap()
            .checkpoint_note()
            .unwrap();
        let seen = Checkpoint::open(&seen, &vkey).unwrap();
        assert!(seen.size > *acknowledged.keys().last().unwrap());
        if round % 3 == 1 {
            remove_index(dir.path());
        }
        let ledger = open(dir.path()).unwrap();
        ledger
            .append(vec![draft(SHARED, &format!("after/{round}"), 10)])
            .unwrap();
        let (now, path) = ledger.prove_consistency(seen.size).unwrap();
        assert_eq!(
            merkle::verify_consistency(seen.size, &seen.root, now.size, &now.root, &path),
            Ok(())
        );
        assert_whole(&ledger);
        assert_present(&ledger, &acknowledged);
    }
}

#[test]
fn a_file_size_limit_refuses_records_and_keeps_the_ledger_well() {
    let dir = TempDir::new().unwrap();
    let ledger = open(dir.path()).unwrap();
    for n in 0..7 {
        ledger
            .append(vec![draft(SHARED, &n.to_string(), 100_000)])
            .unwrap();
    }
    let length = fs::metadata(segment(dir.path())).unwrap().len();
    drop(ledger);
    // 150 kB of room, which is less than a large record and more than the small ones need.
    let child = spawn(dir.path(), "full", 0, Some((length / 512 + 300) as u32));
    let out = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success() && text.contains("FULL AND WELL"),
        "{text}"
    );
    let ledger = open(dir.path()).unwrap();
    assert!(ledger.notices().is_empty(), "nothing was left behind");
    assert_eq!(assert_whole(&ledger), 8 + 3);
}

fn segment(root: &Path) -> PathBuf {
    root.join("ledger/journal/0000.seg")
}

fn remove_index(root: &Path) {
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = fs::remove_file(root.join("ledger").join(name));
    }
}

/// A ledger of four records, and the same after a call of two more.
fn before_and_after() -> (TempDir, PathBuf, Vec<u8>, Vec<u8>) {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("state");
    let ledger = open(&root).unwrap();
    for n in 0..3 {
        ledger
            .append(vec![draft(SHARED, &n.to_string(), 10)])
            .unwrap();
    }
    drop(ledger);
    let kept = dir.path().join("kept");
    copy(&root, &kept);
    let before = fs::read(segment(&root)).unwrap();
    let ledger = open(&root).unwrap();
    ledger
        .append(vec![draft(SHARED, "x", 10), draft("run/a", "x", 10)])
        .unwrap();
    let after = fs::read(segment(&root)).unwrap();
    assert_eq!(after[..before.len()], before[..]);
    (dir, kept, before, after)
}

#[test]
fn a_torn_tail_is_cut_anywhere_and_reported() {
    let (dir, root, before, after) = before_and_after();
    let mut torn: Vec<Vec<u8>> = (before.len() + 1..after.len())
        .step_by(3)
        .map(|cut| after[..cut].to_vec())
        .collect();
    // Lengths are on disk before contents: zeros, or a hole in the middle.
    let mut zeros = before.clone();
    zeros.resize(after.len(), 0);
    let mut hole = after.clone();
    hole[before.len() + 300..before.len() + 700].fill(0);
    torn.extend([zeros, hole]);
    for (n, bytes) in torn.iter().enumerate() {
        fs::write(segment(&root), bytes).unwrap();
        if n % 2 == 0 {
            remove_index(&root);
        }
        let reader = Ledger::open_read(&root).unwrap();
        assert_eq!(reader.size().unwrap(), 4, "{} bytes", bytes.len());
        assert_eq!(
            fs::read(segment(&root)).unwrap().len(),
            bytes.len(),
            "a reader repairs nothing"
        );
        drop(reader);
        let ledger = open(&root).unwrap();
        assert_eq!(ledger.size().unwrap(), 4, "{} bytes", bytes.len());
        // What is left may end with the checkpoint of the batch that was torn: that one is whole.
        let left = fs::metadata(segment(&root)).unwrap().len() as usize;
        let notices = ledger.notices();
        assert_eq!(
            notices.len(),
            usize::from(left < bytes.len()),
            "{} bytes",
            bytes.len()
        );
        assert!(notices.iter().all(|n| n.reason == Reason::LedgerTailCut));
        assert!(left < before.len() + 400);
    }
    fs::write(segment(&root), &after[..after.len() - 1]).unwrap();
    let ledger = open(&root).unwrap();
    let receipts = ledger.append(vec![draft(SHARED, "x", 10)]).unwrap();
    assert_eq!((receipts[0].index, receipts[0].fresh), (4, true));
    assert_whole(&ledger);
    drop(dir);
}

#[test]
fn a_call_that_is_whole_on_disk_survives_without_its_checkpoint() {
    let (_dir, root, _, after) = before_and_after();
    fs::write(segment(&root), &after).unwrap();
    let ledger = open(&root).unwrap();
    assert!(ledger.notices().is_empty());
    assert_eq!(assert_whole(&ledger), 6);
    assert!(
        ledger
            .checkpoint_note()
            .unwrap()
            .starts_with("ledger.test\n6\n")
    );
    let again = ledger.append(vec![draft(SHARED, "x", 10)]).unwrap();
    assert!(!again[0].fresh);
}

fn assert_rolled_back(opened: Result<Ledger, LedgerError>, what: &str) {
    match opened {
        Err(error) => assert_eq!(error.reason(), Reason::LedgerRolledBack, "{what}: {error}"),
        Ok(ledger) => panic!("{what} was not noticed: {:?}", ledger.notices()),
    }
}

fn assert_corrupt(opened: Result<Ledger, LedgerError>, what: &str) {
    match opened {
        Err(error) => assert_eq!(error.reason(), Reason::LedgerCorrupt, "{what}: {error}"),
        Ok(ledger) => panic!("{what} was not noticed: {:?}", ledger.notices()),
    }
}

#[test]
fn a_changed_byte_in_what_was_acknowledged_is_refused() {
    let (dir, _, _, after) = before_and_after();
    let root = dir.path().join("state");
    for at in (0..after.len()).step_by(31) {
        let mut bytes = after.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(segment(&root), &bytes).unwrap();
        // The index is in order: what is read again is refused, be it at once or when it is asked for.
        let checked = open(&root).and_then(|ledger| ledger.check());
        let error = checked.unwrap_err();
        assert_eq!(error.reason(), Reason::LedgerCorrupt, "byte {at}");
        remove_index(&root);
        assert_corrupt(Ledger::open_read(&root), &format!("byte {at}, reader"));
        assert_corrupt(open(&root), &format!("byte {at}"));
        assert_eq!(fs::read(segment(&root)).unwrap(), bytes, "nothing was cut");
        fs::write(segment(&root), &after).unwrap();
        assert_eq!(open(&root).unwrap().size().unwrap(), 6);
    }
}

#[test]
fn lost_records_and_a_lost_or_foreign_checkpoint_are_refused() {
    let (dir, _, before, after) = before_and_after();
    let root = dir.path().join("state");
    fs::write(segment(&root), &before).unwrap();
    assert_rolled_back(open(&root), "a lost record");
    assert_rolled_back(Ledger::open_read(&root), "a lost record, reader");
    fs::remove_file(segment(&root)).unwrap();
    assert_rolled_back(open(&root), "a lost journal");
    fs::write(segment(&root), &after).unwrap();

    // The published checkpoint follows from the rest, but what it says must fit.
    let path = root.join("ledger/checkpoint");
    let checkpoint = fs::read(&path).unwrap();
    let other = TempDir::new().unwrap();
    let foreign = open(other.path()).unwrap().checkpoint_note().unwrap();
    fs::write(&path, foreign).unwrap();
    assert_corrupt(open(&root), "a foreign checkpoint");
    fs::write(&path, b"").unwrap();
    assert_corrupt(open(&root), "an empty checkpoint");
    fs::remove_file(&path).unwrap();
    open(&root).unwrap().publish().unwrap();
    assert_eq!(fs::read(&path).unwrap(), checkpoint);
    assert_eq!(assert_whole(&open(&root).unwrap()), 6);

    let locks = ["lock.db", "lock.db-wal", "lock.db-shm"];
    let kept: Vec<_> = locks
        .iter()
        .map(|name| fs::read(root.join("ledger").join(name)))
        .collect();
    for name in locks {
        let _ = fs::remove_file(root.join("ledger").join(name));
    }
    assert_corrupt(Ledger::open_read(&root), "a lost lock, reader");
    assert_corrupt(open(&root), "a lost lock");
    assert_corrupt(open(&root), "a lost lock, the second time");
    fs::write(root.join("ledger/lock.db"), vec![0x5a; 8192]).unwrap();
    assert_corrupt(open(&root), "a lock of garbage");
    for (name, bytes) in locks.iter().zip(kept) {
        let _ = fs::remove_file(root.join("ledger").join(name));
        if let Ok(bytes) = bytes {
            fs::write(root.join("ledger").join(name), bytes).unwrap();
        }
    }
    assert_eq!(assert_whole(&open(&root).unwrap()), 6);
    fs::remove_file(root.join("keys/log.key")).unwrap();
    assert!(matches!(open(&root), Err(LedgerError::Key { .. })));
    assert_eq!(Ledger::open_read(&root).unwrap().check().unwrap(), 6);
}

/// Copies the ledger's lock, or everything of the state directory but the lock.
fn restore(from: &Path, to: &Path, lock: bool) {
    let is_lock = |path: &Path| {
        path.file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with("lock.db"))
    };
    for entry in fs::read_dir(to.join("ledger")).unwrap() {
        let path = entry.unwrap().path();
        if is_lock(&path) == lock && path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    let parts: &[&str] = if lock {
        &["ledger"]
    } else {
        &["ledger", "ledger/journal"]
    };
    for part in parts {
        for entry in fs::read_dir(from.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && is_lock(&path) == lock {
                fs::copy(&path, to.join(part).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
}

#[test]
fn an_older_copy_of_the_data_or_of_the_lock_is_refused() {
    let (dir, yesterday, _, _) = before_and_after();
    let root = dir.path().join("state");
    let today = dir.path().join("today");
    copy(&root, &today);
    let older = |what: &str| {
        assert_rolled_back(Ledger::open_read(&root), &format!("{what}, reader"));
        assert_rolled_back(open(&root), what);
        assert_rolled_back(open(&root), &format!("{what}, the second time"));
        fs::remove_dir_all(&root).unwrap();
        copy(&today, &root);
        assert_eq!(assert_whole(&open(&root).unwrap()), 6);
    };
    restore(&yesterday, &root, false);
    older("yesterday's data under today's lock");
    restore(&yesterday, &root, true);
    older("yesterday's lock under today's data");
    // Without the published checkpoint the journal itself tells of checkpoints after the lock's.
    let ledger = open(&root).unwrap();
    ledger.append(vec![draft(SHARED, "y", 10)]).unwrap();
    drop(ledger);
    restore(&yesterday, &root, true);
    fs::remove_file(root.join("ledger/checkpoint")).unwrap();
    assert_rolled_back(Ledger::open_read(&root), "yesterday's lock, reader");
    assert_rolled_back(open(&root), "yesterday's lock under today's journal");
}

#[test]
fn an_index_that_does_not_fit_is_built_again() {
    let (dir, kept, _, _) = before_and_after();
    let root = dir.path().join("state");
    let index = root.join("ledger/index.db");
    let read = |name: &str| fs::read(kept.join("ledger").join(name)).unwrap_or_default();
    let (old, old_wal) = (read("index.db"), read("index.db-wal"));
    let other = TempDir::new().unwrap();
    let foreign = open(other.path()).unwrap();
    for n in 0..9 {
        foreign
            .append(vec![draft(SHARED, &n.to_string(), 900)])
            .unwrap();
    }
    drop(foreign);
    let foreign = fs::read(other.path().join("ledger/index.db")).unwrap();
    for (what, fits, bytes) in [
        ("older", true, old),
        ("foreign and ahead", false, foreign),
        ("empty", false, Vec::new()),
        ("garbage", false, vec![0x5a; 20_000]),
    ] {
        remove_index(&root);
        fs::write(&index, bytes).unwrap();
        if fits && !old_wal.is_empty() {
            fs::write(root.join("ledger/index.db-wal"), &old_wal).unwrap();
        }
        // Reading goes on, and the check says what is wrong.
        let reader = Ledger::open_read(&root).unwrap();
        assert_eq!(reader.size().unwrap(), 6, "{what}");
        match reader.check() {
            Ok(records) => assert_eq!((records, fits), (6, true), "{what}"),
            Err(LedgerError::Corrupt { path, text }) => {
                assert!(!fits && path.ends_with("index.db"), "{what}: {text}");
                assert!(text.contains("reindex"), "{what}: {text}");
            }
            Err(other) => panic!("{what}: {other}"),
        }
        drop(reader);
        let ledger = open(&root).unwrap();
        assert_eq!(assert_whole(&ledger), 6, "{what}");
        assert!(ledger.notices().is_empty());
    }
}

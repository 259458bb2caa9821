//! Failures of the disk that a test outside cannot cause: a sync that fails, an index without room.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gonogo_core::Timestamp;
use serde_json::json;
use tempfile::TempDir;

use super::*;

fn founding() -> Founding<'static> {
    Founding {
        origin: "ledger.test",
        actor: "controller@test",
        time: Timestamp::from_millis(1_795_000_000_000),
    }
}

fn draft(key: &str) -> Draft {
    Draft {
        stream: "operation/op_1".into(),
        key: key.into(),
        kind: "rollout-step".into(),
        subject: Vec::new(),
        time: founding().time,
        actor: "test".into(),
        body: json!({"text": "x".repeat(2000)}),
        signer: None,
    }
}

/// The real disk; the syncs of journal segments fail on demand.
#[derive(Debug, Clone, Default)]
struct Faulty {
    fails: Arc<AtomicBool>,
    /// Whether there is no room for an acknowledged checkpoint.
    full: Arc<AtomicBool>,
}

#[derive(Debug)]
struct FaultyLock(Box<dyn CheckpointLock>, Arc<AtomicBool>);

impl CheckpointLock for FaultyLock {
    fn read(&mut self) -> Result<Option<String>, LedgerError> {
        self.0.read()
    }

    fn swap(&mut self, old: Option<&str>, new: &str) -> Result<bool, LedgerError> {
        if self.1.load(Ordering::SeqCst) {
            return Err(LedgerError::Full {
                path: "lock.db".into(),
                text: "injected".into(),
            });
        }
        self.0.swap(old, new)
    }
}

#[derive(Debug)]
struct FaultyFile(Box<dyn DiskFile>, Arc<AtomicBool>);

impl Disk for Faulty {
    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        RealDisk.make_dir(path, mode)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let file = RealDisk.open(path, how)?;
        Ok(match path.extension() {
            Some(e) if e == "seg" => Box::new(FaultyFile(file, Arc::clone(&self.fails))),
            _ => file,
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_dir(path)
    }

    fn exclusive(&self, path: &Path) -> io::Result<Box<dyn Exclusive>> {
        RealDisk.exclusive(path)
    }

    fn checkpoint_lock(&self, path: &Path) -> Result<Box<dyn CheckpointLock>, LedgerError> {
        let lock = RealDisk.checkpoint_lock(path)?;
        Ok(Box::new(FaultyLock(lock, Arc::clone(&self.full))))
    }
}

impl DiskFile for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_at(bytes, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn sync(&self) -> io::Result<()> {
        if self.1.load(Ordering::SeqCst) {
            return Err(io::Error::other("injected"));
        }
        self.0.sync()
    }
}

fn journal_length(root: &Path) -> u64 {
    fs::metadata(root.join("ledger/journal/0000.seg"))
        .unwrap()
        .len()
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_and_the_next_start_mends() {
    let dir = TempDir::new().unwrap();
    let ended = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ended);
    let hook: OnSyncFailure = Arc::new(move |error| {
        assert!(error.is_fatal());
        count.fetch_add(1, Ordering::SeqCst);
    });
    let disk = Faulty::default();
    let ledger = Ledger::open_with(Arc::new(disk.clone()), dir.path(), founding(), hook).unwrap();
    ledger.append(vec![draft("a")]).unwrap();
    let (good, checkpoint) = (
        journal_length(dir.path()),
        ledger.checkpoint_note().unwrap(),
    );
    disk.fails.store(true, Ordering::SeqCst);
    let error = ledger.append(vec![draft("b")]).unwrap_err();
    assert_eq!(error.reason(), Reason::StoreSyncFailed);
    assert_eq!(
        ended.load(Ordering::SeqCst),
        1,
        "the process would have ended"
    );
    // A sync that works again changes nothing: the data of the failed one may be gone.
    disk.fails.store(false, Ordering::SeqCst);
    assert!(ledger.append(vec![draft("c")]).unwrap_err().is_fatal());
    assert_eq!(ledger.checkpoint_note().unwrap(), checkpoint);
    assert_eq!(ledger.size().unwrap(), 2);
    assert!(dir.path().join("ledger/suspect").exists());

    let inode = || {
        fs::metadata(dir.path().join("ledger/journal/0000.seg"))
            .unwrap()
            .ino()
    };
    let suspect = inode();
    let ledger = Ledger::open(dir.path(), founding()).unwrap();
    assert_ne!(inode(), suspect, "what was acknowledged is in a new file");
    assert_eq!(ledger.notices().len(), 1);
    assert_eq!(ledger.notices()[0].reason, Reason::LedgerTailCut);
    assert_eq!(journal_length(dir.path()), good);
    assert!(!dir.path().join("ledger/suspect").exists());
    let receipt = ledger.append(vec![draft("b")]).unwrap()[0];
    assert_eq!((receipt.index, receipt.seq, receipt.fresh), (2, 1, true));
    assert_eq!(ledger.check().unwrap(), 3);
}

#[test]
fn an_index_without_room_takes_the_records_back() {
    let dir = TempDir::new().unwrap();
    let ledger = Ledger::open(dir.path(), founding()).unwrap();
    ledger.append(vec![draft("a")]).unwrap();
    let good = journal_length(dir.path());
    let pages = |limit: Option<i64>| {
        let sequencer = lock(ledger.sequencer().unwrap());
        sequencer.limit_index(limit)
    };
    pages(Some(1));
    let mut failed = 0;
    for n in 0..200 {
        match ledger.append(vec![draft(&format!("k{n}"))]) {
            Ok(_) => assert_eq!(failed, 0, "no room once means no room now"),
            Err(error) => {
                assert_eq!(error.reason(), Reason::StoreFull, "{error}");
                failed += 1;
            }
        }
        if failed == 3 {
            break;
        }
    }
    assert_eq!(failed, 3);
    assert!(journal_length(dir.path()) >= good);
    let size = ledger.size().unwrap();
    assert_eq!(
        ledger.check().unwrap(),
        size,
        "the journal has no record that was not acknowledged"
    );
    pages(None);
    let receipt = ledger.append(vec![draft("later")]).unwrap()[0];
    assert_eq!(receipt.index, size);
    assert_eq!(ledger.check().unwrap(), size + 1);
}

#[test]
fn without_room_for_the_checkpoint_the_records_are_taken_back() {
    let dir = TempDir::new().unwrap();
    let disk = Faulty::default();
    let hook: OnSyncFailure = Arc::new(|e| panic!("a full disk is no failed sync: {e}"));
    let ledger = Ledger::open_with(Arc::new(disk.clone()), dir.path(), founding(), hook).unwrap();
    ledger.append(vec![draft("a")]).unwrap();
    let good = journal_length(dir.path());
    disk.full.store(true, Ordering::SeqCst);
    let error = ledger.append(vec![draft("b")]).unwrap_err();
    assert_eq!(error.reason(), Reason::StoreFull, "{error}");
    assert_eq!(journal_length(dir.path()), good);
    assert_eq!(ledger.size().unwrap(), 2);
    disk.full.store(false, Ordering::SeqCst);
    let receipt = ledger.append(vec![draft("b")]).unwrap()[0];
    assert_eq!((receipt.index, receipt.fresh), (2, true));
    assert_eq!(ledger.check().unwrap(), 3);
}

#[test]
fn segments_follow_one_another() {
    let dir = TempDir::new().unwrap();
    let ledger = Ledger::open(dir.path(), founding()).unwrap();
    let big = |n: usize| Draft {
        body: json!({"text": "x".repeat(1_000_000)}),
        ..draft(&n.to_string())
    };
    let mut n = 0;
    while !dir.path().join("ledger/journal/0001.seg").exists() {
        ledger.append((n..n + 8).map(big).collect()).unwrap();
        n += 8;
    }
    ledger.append(vec![draft("last")]).unwrap();
    let size = n as u64 + 2;
    assert_eq!(ledger.check().unwrap(), size);
    drop(ledger);
    index::remove(&dir.path().join("ledger/index.db")).unwrap();
    let ledger = Ledger::open(dir.path(), founding()).unwrap();
    assert_eq!(ledger.check().unwrap(), size);
    assert_eq!(ledger.append(vec![draft("next")]).unwrap()[0].index, size);
    drop(ledger);
    // A damaged end of a segment that another follows is not an unfinished append.
    index::remove(&dir.path().join("ledger/index.db")).unwrap();
    let length = journal_length(dir.path());
    let file = fs::OpenOptions::new()
        .write(true)
        .open(dir.path().join("ledger/journal/0000.seg"))
        .unwrap();
    file.set_len(length - 1).unwrap();
    let opened = Ledger::open(dir.path(), founding());
    assert!(matches!(opened, Err(LedgerError::Corrupt { .. })));
}

/// A writer that was killed, or is still at work, between the acknowledgement and its index leaves this behind.
#[test]
fn what_the_index_does_not_have_yet_is_read_from_the_journal() {
    let dir = TempDir::new().unwrap();
    let ledger = Ledger::open(dir.path(), founding()).unwrap();
    ledger.append(vec![draft("a")]).unwrap();
    let reader = Ledger::open_read(dir.path()).unwrap();
    let behind = rusqlite::Connection::open(dir.path().join("ledger/index.db")).unwrap();
    let state = index::load(&behind).unwrap();
    ledger.append(vec![draft("b"), draft("c")]).unwrap();
    for sql in [
        "DELETE FROM record WHERE idx >= 2",
        "DELETE FROM subject WHERE idx >= 2",
        "DELETE FROM reason WHERE idx >= 2",
    ] {
        behind.execute_batch(sql).unwrap();
    }
    index::save(&behind, &state).unwrap();
    assert_eq!((reader.size().unwrap(), ledger.size().unwrap()), (2, 2));
    let (checkpoint, path) = reader.prove_consistency(1).unwrap();
    assert_eq!(checkpoint.size, 4);
    let old = merkle_root(&ledger, 1);
    gonogo_ledger::merkle::verify_consistency(1, &old, 4, &checkpoint.root, &path).unwrap();
    assert!(ledger.publish().unwrap().contains("\n4\n"));
    assert_eq!(ledger.append(vec![draft("d")]).unwrap()[0].index, 4);
    assert_eq!(ledger.check().unwrap(), 5);
}

fn merkle_root(ledger: &Ledger, size: u64) -> gonogo_core::Digest {
    ledger.root_at(size).unwrap()
}

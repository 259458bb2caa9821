//! What somebody with access to the directory changes behind the ledger's back: it is found, named, and never cut away.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests; a panic is their failure"
)]

#[path = "support/state.rs"]
mod state;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use gonogo_core::{Digest, Reason, Timestamp};
use gonogo_ledger::{SYSTEM_STREAM, SigningKey, Subject};
use gonogo_store::ledger::{Draft, Founding, Ledger, LedgerError};
use rusqlite::Connection;
use serde_json::{Value, json};
use state::copy;
use tempfile::TempDir;

const TIME: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const STREAM: &str = "operation/op_shared";

const FOUNDING: Founding<'static> = Founding {
    origin: "ledger.test",
    actor: "controller@test",
    time: TIME,
};

fn open(root: &Path) -> Result<Ledger, LedgerError> {
    Ledger::open(root, FOUNDING)
}

fn draft(key: &str, body: Value) -> Draft {
    Draft {
        stream: STREAM.into(),
        key: key.into(),
        kind: "rollout-step".into(),
        subject: vec![Subject {
            name: "shop".into(),
            digest: Digest::of(b"shop"),
        }],
        time: TIME,
        actor: "test".into(),
        body,
        signer: None,
    }
}

fn add(ledger: &Ledger, from: usize, to: usize) {
    for n in from..to {
        let body = json!({"step": n, "reason": "SAMPLES_TOO_FEW"});
        ledger.append(vec![draft(&n.to_string(), body)]).unwrap();
    }
}

fn fsck(root: &Path) -> Result<Option<u64>, LedgerError> {
    Ledger::open_read(root)?
        .fsck(&mut |_| {})
        .map(|found| found.indexed)
}

fn reason(outcome: Result<impl Sized, LedgerError>) -> (Reason, String) {
    match outcome {
        Err(e) => (e.reason(), e.to_string()),
        Ok(_) => panic!("it was not noticed"),
    }
}

fn sql(root: &Path, text: &str) {
    let index = Connection::open(root.join("ledger/index.db")).unwrap();
    assert!(
        index.execute(text, []).unwrap() > 0,
        "{text} changes nothing"
    );
}

#[test]
fn an_index_that_says_something_else_is_found_and_made_anew() {
    let dir = TempDir::new().unwrap();
    let kept = dir.path().join("kept");
    let ledger = open(&kept).unwrap();
    let key = SigningKey::load(&SigningKey::generate().unwrap()).unwrap();
    ledger
        .enrol(*key.public(), "dana", "person", "dana", TIME)
        .unwrap();
    ledger
        .revoke(key.public().id(), "left", "dana", TIME)
        .unwrap();
    // Enough for a stored subtree, so that the index has a tree hash.
    let many = (0..300).map(|n| draft(&format!("m{n}"), json!({"n": n})));
    ledger.append(many.collect()).unwrap();
    add(&ledger, 0, 5);
    let size = ledger.size().unwrap();
    drop(ledger);
    assert_eq!(fsck(&kept).unwrap(), Some(size));
    let root = dir.path().join("state");
    for change in [
        "UPDATE record SET actor = 'mallory' WHERE idx = 7",
        "UPDATE record SET kind = 'approval' WHERE idx = 7",
        "UPDATE record SET time = 1 WHERE idx = 7",
        "UPDATE record SET stream = 'run/a' WHERE idx = 7",
        "UPDATE record SET key = 'other' WHERE idx = 7",
        "UPDATE record SET seq = 4000 WHERE idx = 7",
        "UPDATE record SET signer = zeroblob(32) WHERE idx = 7",
        "UPDATE record SET digest = zeroblob(32) WHERE idx = 7",
        "UPDATE record SET leaf = zeroblob(32) WHERE idx = 7",
        "UPDATE record SET offset = offset + 1 WHERE idx = 7",
        "DELETE FROM record WHERE idx = 7",
        "DELETE FROM record WHERE idx = (SELECT max(idx) FROM record)",
        "INSERT INTO record SELECT 100000, segment, offset, 'x', 0, 'x', kind, digest, leaf, time, actor, signer FROM record LIMIT 1",
        "DELETE FROM subject WHERE idx = 7",
        "DELETE FROM subject",
        "INSERT INTO subject VALUES (zeroblob(32), 7)",
        "UPDATE subject SET digest = zeroblob(32) WHERE idx = 7",
        "DELETE FROM reason",
        "UPDATE reason SET code = 'OTHER' WHERE idx = 304",
        "UPDATE node SET hash = zeroblob(32)",
        "DELETE FROM node",
        "UPDATE enrolled SET revoked = NULL",
        "UPDATE enrolled SET role = 'controller'",
        "UPDATE enrolled SET who = 'eve' WHERE role = 'person'",
        "DELETE FROM enrolled WHERE role = 'person'",
        "UPDATE state SET newest = newest + 1",
    ] {
        let _ = fs::remove_dir_all(&root);
        copy(&kept, &root);
        sql(&root, change);
        let (found, text) = reason(fsck(&root));
        assert_eq!(found, Reason::LedgerCorrupt, "{change}: {text}");
        assert!(text.contains("reindex"), "{change}: {text}");
        Ledger::reindex(&root, FOUNDING).unwrap();
        assert_eq!(fsck(&root).unwrap(), Some(size), "{change}");
    }
    fs::remove_file(root.join("ledger/index.db")).unwrap();
    assert_eq!(fsck(&root).unwrap(), None);
    // What is there and cannot be read was not compared, and is not whole.
    fs::create_dir(root.join("ledger/index.db")).unwrap();
    assert_eq!(reason(fsck(&root)).0, Reason::LedgerCorrupt);
}

#[test]
fn a_revoked_key_stays_revoked_whatever_the_index_says() {
    let dir = TempDir::new().unwrap();
    let ledger = open(dir.path()).unwrap();
    let key = Arc::new(SigningKey::load(&SigningKey::generate().unwrap()).unwrap());
    ledger
        .enrol(*key.public(), "dana", "person", "dana", TIME)
        .unwrap();
    ledger
        .revoke(key.public().id(), "left", "dana", TIME)
        .unwrap();
    drop(ledger);
    sql(dir.path(), "UPDATE enrolled SET revoked = NULL");
    let state = |ledger: &Ledger| {
        let keys = ledger.enrolled_keys().unwrap();
        keys.iter().find(|k| k.who == "dana").unwrap().revoked
    };
    assert_eq!(state(&Ledger::open_read(dir.path()).unwrap()), Some(2));
    let ledger = open(dir.path()).unwrap();
    let signed = Draft {
        signer: Some(key),
        ..draft("by dana", json!({}))
    };
    assert!(ledger.append(vec![signed]).is_err());
    assert_eq!(state(&ledger), Some(2));
    assert_eq!(ledger.check().unwrap(), 3);
}

#[test]
fn a_blob_that_is_named_must_be_there_and_one_that_was_erased_must_not() {
    let dir = TempDir::new().unwrap();
    let ledger = open(dir.path()).unwrap();
    let (kept, gone) = (
        ledger.put_blob(b"a report").unwrap(),
        ledger.put_blob(b"names people").unwrap(),
    );
    ledger
        .append(vec![draft(
            "a",
            json!({"parts": [{"blob": kept}, {"blob": gone}]}),
        )])
        .unwrap();
    let place = |digest: &Digest| {
        let hex = digest.hex();
        dir.path().join(format!("blobs/sha256/{}/{hex}", &hex[..2]))
    };
    fsck(dir.path()).unwrap();
    // What a killed process left of it goes with it.
    let left = dir.path().join("blobs/tmp/.tmp-4294967294-0");
    fs::write(&left, b"names").unwrap();
    ledger.erase_blob(&gone, "asked", "dana", TIME).unwrap();
    assert!(!left.exists());
    fsck(dir.path()).unwrap();
    fs::write(place(&gone), b"names people").unwrap();
    let (found, text) = reason(fsck(dir.path()));
    assert_eq!(found, Reason::LedgerCorrupt);
    assert!(text.contains("erased"), "{text}");
    ledger.erase_blob(&gone, "asked", "dana", TIME).unwrap();
    fsck(dir.path()).unwrap();
    fs::remove_file(place(&kept)).unwrap();
    let (found, text) = reason(fsck(dir.path()));
    assert_eq!(found, Reason::LedgerCorrupt);
    assert!(text.contains("missing"), "{text}");
}

#[test]
fn a_suspect_place_before_what_was_acknowledged_cuts_nothing() {
    let dir = TempDir::new().unwrap();
    let ledger = open(dir.path()).unwrap();
    add(&ledger, 0, 5);
    drop(ledger);
    let journal = dir.path().join("ledger/journal/0000.seg");
    let bytes = fs::read(&journal).unwrap();
    let suspect = dir.path().join("ledger/suspect");
    let before_the_last = {
        let index = Connection::open(dir.path().join("ledger/index.db")).unwrap();
        let text = "SELECT offset FROM record ORDER BY idx DESC LIMIT 1";
        index
            .query_row(text, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let last = before_the_last.to_string();
    for place in ["0 0", "0 17", "7 0", &format!("0 {last}"), "garbage"] {
        fs::write(&suspect, format!("{place}\n")).unwrap();
        let (found, text) = reason(fsck(dir.path()));
        assert_eq!(found, Reason::LedgerCorrupt, "{place}: {text}");
        let (found, text) = reason(open(dir.path()));
        assert_eq!(found, Reason::LedgerCorrupt, "{place}: {text}");
        assert!(text.contains("suspect"), "{place}: {text}");
        assert_eq!(fs::read(&journal).unwrap(), bytes, "{place}");
    }
    // Where it may be, what came behind is cut, and only that.
    fs::write(&suspect, format!("0 {}\n", bytes.len())).unwrap();
    fs::write(&journal, [&bytes[..], b"never acknowledged"].concat()).unwrap();
    let ledger = open(dir.path()).unwrap();
    assert_eq!(ledger.check().unwrap(), 6);
    assert!(!suspect.exists());
}

#[test]
fn what_witnesses_have_cosigned_is_no_less_than_what_is_acknowledged() {
    let dir = TempDir::new().unwrap();
    let (root, older) = (dir.path().join("state"), dir.path().join("older"));
    let ledger = open(&root).unwrap();
    add(&ledger, 0, 3);
    drop(ledger);
    copy(&root, &older);
    let ledger = open(&root).unwrap();
    add(&ledger, 3, 6);
    drop(ledger);
    // A cosigned checkpoint is signed by the log as the published one is.
    let note = fs::read(root.join("ledger/checkpoint")).unwrap();
    fs::write(older.join("ledger/witnessed"), &note).unwrap();
    assert_eq!(reason(open(&older)).0, Reason::LedgerRolledBack);
    assert_eq!(
        reason(Ledger::open_read(&older)).0,
        Reason::LedgerRolledBack
    );
    // Of a size that is there, with another root: two histories.
    fs::remove_file(older.join("ledger/witnessed")).unwrap();
    let ledger = open(&older).unwrap();
    let other = |n: usize| draft(&format!("other {n}"), json!({}));
    ledger.append((0..4).map(other).collect()).unwrap();
    drop(ledger);
    fs::write(older.join("ledger/witnessed"), &note).unwrap();
    assert_eq!(reason(open(&older)).0, Reason::LedgerCorrupt);
    assert_eq!(reason(Ledger::open_read(&older)).0, Reason::LedgerCorrupt);
    // What no log has signed says nothing.
    fs::write(older.join("ledger/witnessed"), b"garbage\n").unwrap();
    assert_eq!(open(&older).unwrap().check().unwrap(), 8);
}

fn restore_lock(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("ledger/lock.db{suffix}");
        let _ = fs::remove_file(to.join(&name));
        if from.join(&name).exists() {
            fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    }
}

#[test]
fn an_older_lock_is_moved_on_by_a_record_and_never_back() {
    let dir = TempDir::new().unwrap();
    let (root, older) = (dir.path().join("state"), dir.path().join("older"));
    let ledger = open(&root).unwrap();
    add(&ledger, 0, 3);
    drop(ledger);
    copy(&root, &older);
    let ledger = open(&root).unwrap();
    add(&ledger, 3, 6);
    drop(ledger);
    let note = fs::read_to_string(root.join("ledger/checkpoint")).unwrap();
    for with_checkpoint in [true, false] {
        let state = dir.path().join(format!("case-{with_checkpoint}"));
        copy(&root, &state);
        restore_lock(&older, &state);
        if with_checkpoint {
            fs::copy(
                older.join("ledger/checkpoint"),
                state.join("ledger/checkpoint"),
            )
            .unwrap();
        } else {
            fs::remove_file(state.join("ledger/checkpoint")).unwrap();
        }
        assert_eq!(reason(open(&state)).0, Reason::LedgerRolledBack);
        assert_eq!(
            reason(Ledger::open_read(&state)).0,
            Reason::LedgerRolledBack
        );
        // The journal's last checkpoint is over the records before its last batch.
        assert_eq!(Ledger::relock(&state, Vec::new(), FOUNDING).unwrap(), 6);
        let ledger = open(&state).unwrap();
        assert_eq!(
            ledger.newest("relock").unwrap().unwrap().stream,
            SYSTEM_STREAM
        );
        assert_eq!(ledger.check().unwrap(), 8);
        drop(ledger);
        assert!(Ledger::relock(&state, Vec::new(), FOUNDING).is_err());
    }
    // What somebody remembers of it outweighs what an older copy says of itself.
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(older.join(format!("ledger/lock.db{suffix}")));
    }
    let (found, text) = reason(Ledger::relock(&older, vec![note], FOUNDING));
    assert_eq!(found, Reason::LedgerRolledBack, "{text}");
}

#[test]
fn what_killed_processes_left_is_removed_when_it_is_old() {
    let dir = TempDir::new().unwrap();
    drop(open(dir.path()).unwrap());
    let of = |name: &str| dir.path().join("ledger/journal").join(name);
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_794_990_000_000);
    let new = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_794_999_999_000);
    let own = format!(".tmp-{}-77", std::process::id());
    for (name, time) in [
        (".tmp-4294967294-0", old),
        (".tmp-4294967294-1", new),
        (own.as_str(), old),
        (".tmp-notes", old),
    ] {
        let file = fs::File::create(of(name)).unwrap();
        file.set_modified(time).unwrap();
    }
    drop(open(dir.path()).unwrap());
    assert!(!of(".tmp-4294967294-0").exists());
    for name in [".tmp-4294967294-1", own.as_str(), ".tmp-notes"] {
        assert!(of(name).exists(), "{name}");
    }
}

//! Appending, reading, keys, blobs and packets on a real disk.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests; a panic is their failure"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use gonogo_core::{Digest, Reason, Timestamp, Verdict};
use gonogo_ledger::verify::{Remembered, Request};
use gonogo_ledger::{Envelope, SYSTEM_STREAM, SigningKey, Trust, verify};
use gonogo_store::ledger::{Draft, Filter, Founding, Ledger, LedgerError, PacketRequest};
use serde_json::{Value, json};
use tempfile::TempDir;

const STREAM: &str = "operation/op_000000000000";

fn now() -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000)
}

fn open(root: &Path) -> Ledger {
    let founding = Founding {
        origin: "ledger.test",
        actor: "controller@test",
        time: now(),
    };
    Ledger::open(root, founding).unwrap()
}

fn draft(stream: &str, key: &str, body: Value) -> Draft {
    Draft {
        stream: stream.into(),
        key: key.into(),
        kind: "rollout-step".into(),
        subject: Vec::new(),
        time: now(),
        actor: "test".into(),
        body,
        signer: None,
    }
}

fn new_key() -> Arc<SigningKey> {
    Arc::new(SigningKey::load(&SigningKey::generate().unwrap()).unwrap())
}

fn packet<'a>(out: &'a Path, blobs: &'a [Digest]) -> PacketRequest<'a> {
    PacketRequest {
        stream: STREAM,
        extra_streams: &[],
        blobs,
        outside: None,
        verdict: "",
        since: &[],
        policy: None,
        seals: None,
        stamps: None,
        out,
        actor: "test",
        time: now(),
    }
}

#[test]
fn the_first_use_makes_keys_and_enrols_the_controller() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("state");
    assert!(matches!(
        Ledger::open_read(&root),
        Err(LedgerError::Absent { .. })
    ));
    assert!(!root.exists(), "opening to read makes nothing");
    let vkey = open(&root).log_vkey().clone();
    for name in ["log.key", "controller.key"] {
        let mode = fs::metadata(root.join("keys").join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let mode = fs::metadata(root.join("keys"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    let again = open(&root);
    assert_eq!(again.log_vkey(), &vkey);
    assert_eq!(again.size().unwrap(), 1);
    let first = again.record_at(0).unwrap();
    assert_eq!(
        (first.stream.as_str(), first.seq, first.kind.as_str()),
        (SYSTEM_STREAM, 0, "key-event")
    );
    assert_eq!(first.body["who"], "controller@test");
    assert!(
        again
            .checkpoint_note()
            .unwrap()
            .starts_with("ledger.test\n1\n")
    );
    assert_eq!(again.check().unwrap(), 1);
}

#[test]
fn records_are_numbered_linked_and_found_again() {
    let dir = TempDir::new().unwrap();
    let ledger = open(dir.path());
    let receipts = ledger
        .append(vec![
            draft(STREAM, "a", json!({"n": 1})),
            draft("run/suite/x", "a", json!({"n": 2})),
            draft(STREAM, "b", json!({"n": 3})),
        ])
        .unwrap();
    let numbers: Vec<_> = receipts.iter().map(|r| (r.index, r.seq, r.fresh)).collect();
    assert_eq!(numbers, [(1, 0, true), (2, 0, true), (3, 1, true)]);
    for reader in [
        ledger,
        open(dir.path()),
        Ledger::open_read(dir.path()).unwrap(),
    ] {
        let filter = Filter {
            stream: Some(STREAM.into()),
            ..Filter::default()
        };
        let found = reader.records(&filter).unwrap();
        let bodies: Vec<_> = found
            .iter()
            .map(|r| (r.index, r.body["n"].as_u64().unwrap()))
            .collect();
        assert_eq!(bodies, [(1, 1), (3, 3)]);
        assert_eq!(found[1].digest, receipts[2].digest);
        let hex = receipts[1].digest.hex();
        assert_eq!(
            reader
                .record(&format!("sha256:{}", &hex[..12]))
                .unwrap()
                .index,
            2
        );
        assert_eq!(reader.record(&format!("sha256:{hex}")).unwrap().index, 2);
        assert_eq!(reader.record("3").unwrap().index, 3);
        assert!(matches!(reader.record("99"), Err(LedgerError::NotFound(_))));
        assert!(matches!(
            reader.record("ffffffffffff"),
            Err(LedgerError::NotFound(_))
        ));
        assert_eq!(reader.newest_time().unwrap(), Some(now()));
        assert!(
            reader
                .checkpoint_note()
                .unwrap()
                .starts_with("ledger.test\n4\n")
        );
        assert_eq!(reader.check().unwrap(), 4);
    }
}

#[test]
fn filters_and_pages_reach_every_record_once() {
    let dir = TempDir::new().unwrap();
    let ledger = open(dir.path());
    for n in 0..25 {
        let mut d = draft(
            if n % 2 == 0 { STREAM } else { "incident/1" },
            &format!("k{n}"),
            json!({}),
        );
        d.kind = if n % 3 == 0 {
            "approval"
        } else {
            "rollout-step"
        }
        .into();
        d.actor = if n % 5 == 0 { "dana" } else { "test" }.into();
        ledger.append(vec![d]).unwrap();
    }
    let all = |filter: Filter| {
        let mut filter = Filter { limit: 4, ..filter };
        let mut found = Vec::new();
        loop {
            let page = ledger.records(&filter).unwrap();
            assert!(page.len() <= 4);
            let Some(last) = page.last() else { break };
            filter.after = Some(last.index);
            found.extend(page.into_iter().map(|r| r.index));
        }
        found
    };
    assert_eq!(all(Filter::default()), (0..26).collect::<Vec<_>>());
    let kind = Filter {
        kind: Some("approval".into()),
        actor: Some("dana".into()),
        ..Filter::default()
    };
    assert_eq!(all(kind), [1, 16]);
    let stream = Filter {
        stream: Some("incident/1".into()),
        after: Some(20),
        ..Filter::default()
    };
    assert_eq!(all(stream), [22, 24]);
}

#[test]
fn the_same_key_is_recorded_once_and_never_for_something_else() {
    let dir = TempDir::new().unwrap();
    let ledger = open(dir.path());
    let first = ledger
        .append(vec![draft(STREAM, "a", json!({"n": 1}))])
        .unwrap()[0];
    let mut later = draft(STREAM, "a", json!({"n": 1}));
    later.time = Timestamp::from_millis(1_795_000_009_000);
    let twice = vec![
        later.clone(),
        draft(STREAM, "b", json!({})),
        draft(STREAM, "b", json!({})),
    ];
    let again = open(dir.path()).append(twice).unwrap();
    assert_eq!(
        (again[0].index, again[0].digest, again[0].fresh),
        (first.index, first.digest, false)
    );
    assert_eq!(
        (again[1].fresh, again[2].fresh, again[1].index),
        (true, false, again[2].index)
    );
    let other = vec![
        draft(STREAM, "c", json!({})),
        draft(STREAM, "a", json!({"n": 2})),
    ];
    let error = ledger.append(other).unwrap_err();
    assert!(
        matches!(error, LedgerError::KeyReused { index: 1, .. }),
        "{error}"
    );
    assert_eq!(error.reason(), Reason::IdempotencyConflict);
    assert_eq!(
        ledger.size().unwrap(),
        3,
        "a call is recorded whole or not at all"
    );
    let mut kind = draft(STREAM, "a", json!({"n": 1}));
    kind.kind = "rollback".into();
    assert!(matches!(
        ledger.append(vec![kind]),
        Err(LedgerError::KeyReused { .. })
    ));
    assert_eq!(ledger.check().unwrap(), 3);
}

#[test]
fn a_refused_call_does_not_disturb_others() {
    let dir = TempDir::new().unwrap();
    let ledger = open(dir.path());
    for bad in [
        draft("bad stream", "a", json!({})),
        draft(STREAM, "", json!({})),
        draft(STREAM, "a", json!([1])),
        draft(STREAM, "a", json!({"n": 1u64 << 60})),
        draft(STREAM, "a", json!({"big": "x".repeat(1 << 20)})),
    ] {
        assert!(
            ledger
                .append(vec![draft(STREAM, "good", json!({})), bad])
                .is_err()
        );
    }
    let receipt = ledger
        .append(vec![draft(
            STREAM,
            "a",
            json!({"big": "x".repeat(1_000_000)}),
        )])
        .unwrap()[0];
    assert_eq!((receipt.index, receipt.seq), (1, 0));
    assert_eq!(ledger.check().unwrap(), 2);
}

#[test]
fn other_signers_must_be_enrolled_and_not_revoked() {
    let dir = TempDir::new().unwrap();
    let ledger = open(dir.path());
    let key = new_key();
    let by_key = |name: &str| Draft {
        kind: "approval".into(),
        signer: Some(Arc::clone(&key)),
        ..draft(STREAM, name, json!({"plan": "p"}))
    };
    assert!(matches!(
        ledger.append(vec![by_key("a")]),
        Err(LedgerError::Signer { .. })
    ));
    let enrol = |ledger: &Ledger| {
        ledger
            .enrol(*key.public(), "dana", "approver", "admin", now())
            .unwrap()
    };
    assert!(enrol(&ledger).fresh);
    assert!(!enrol(&ledger).fresh);
    let receipt = ledger.append(vec![by_key("a")]).unwrap()[0];
    assert_eq!(
        ledger.record_at(receipt.index).unwrap().signer,
        key.public().id()
    );
    let mut event = by_key("x");
    event.kind = "packet-manifest".into();
    assert!(matches!(
        ledger.append(vec![event]),
        Err(LedgerError::Signer { .. })
    ));

    // Signed elsewhere, over the bytes that the ledger prepared.
    let unsigned = Draft {
        signer: None,
        ..by_key("b")
    };
    let statement = ledger.prepare(unsigned.clone()).unwrap();
    let envelope = Envelope::sign(statement, &key).unwrap().to_bytes();
    let mut spoilt = envelope.clone();
    let at = spoilt.windows(6).position(|w| w == b"\"sig\":").unwrap() + 30;
    spoilt[at] = if spoilt[at] == b'A' { b'B' } else { b'A' };
    assert!(ledger.append_signed(&spoilt).is_err());
    let receipt = ledger.append_signed(&envelope).unwrap();
    assert!(receipt.fresh);
    assert!(!ledger.append_signed(&envelope).unwrap().fresh);
    let stale = ledger
        .prepare(Draft {
            key: "c".into(),
            ..unsigned
        })
        .unwrap();
    ledger
        .append(vec![draft(STREAM, "between", json!({}))])
        .unwrap();
    let stale = Envelope::sign(stale, &key).unwrap().to_bytes();
    assert!(matches!(
        ledger.append_signed(&stale),
        Err(LedgerError::Moved { .. })
    ));

    ledger
        .revoke(key.public().id(), "lost", "admin", now())
        .unwrap();
    assert!(matches!(
        ledger.append(vec![by_key("d")]),
        Err(LedgerError::Signer { .. })
    ));
    let own = ledger.record_at(0).unwrap().signer;
    assert!(matches!(
        ledger.revoke(own, "x", "admin", now()),
        Err(LedgerError::Refused { .. })
    ));

    let out = dir.path().join("packet.tar");
    ledger.write_packet(&packet(&out, &[])).unwrap();
    let trust = Trust::of_log(ledger.log_vkey().clone());
    let report = verify(fs::File::open(&out).unwrap(), &Request::new(&trust)).unwrap();
    assert_eq!(report.verdict, Verdict::Pass, "{:#?}", report.checks);
    let events: Vec<_> = report
        .records
        .iter()
        .filter(|r| r.stream == SYSTEM_STREAM)
        .map(|r| r.body["event"].clone())
        .collect();
    assert_eq!(events, ["enrol", "enrol", "revoke"]);
}

#[test]
fn packets_verify_and_writing_again_adds_no_record() {
    let dir = TempDir::new().unwrap();
    let ledger = open(dir.path());
    let blob = ledger.put_blob(b"report").unwrap();
    for n in 0..600 {
        ledger
            .append(vec![
                draft(STREAM, &n.to_string(), json!({"n": n})),
                draft("run/x/1", &n.to_string(), json!({})),
            ])
            .unwrap();
    }
    let out = dir.path().join("packet.tar");
    let info = ledger.write_packet(&packet(&out, &[blob])).unwrap();
    assert_eq!((info.records, info.blobs, info.tree_size), (601, 1, 1202));
    let bytes = fs::read(&out).unwrap();
    assert_eq!(
        (info.size, info.digest),
        (bytes.len() as u64, Digest::of(&bytes))
    );
    let trust = Trust::of_log(ledger.log_vkey().clone());
    let report = verify(&bytes[..], &Request::new(&trust)).unwrap();
    assert_eq!(report.verdict, Verdict::Pass, "{:#?}", report.checks);
    assert_eq!((report.records.len(), report.blobs), (601, vec![blob]));
    let again = ledger.write_packet(&packet(&out, &[blob])).unwrap();
    assert!(!again.manifest.fresh);
    assert_eq!(fs::read(&out).unwrap(), bytes);

    // A later packet links to what a reader of this one remembers, and to whatever else is asked for.
    let remembered = ledger.checkpoint_note().unwrap();
    ledger
        .append(vec![draft(STREAM, "later", json!({}))])
        .unwrap();
    let later = dir.path().join("later.tar");
    let request = PacketRequest {
        since: &[5, 64],
        verdict: "promoted",
        ..packet(&later, &[])
    };
    ledger.write_packet(&request).unwrap();
    let since = [Remembered {
        note: remembered,
        path: None,
    }];
    let asked = Request {
        since: &since,
        ..Request::new(&trust)
    };
    let report = verify(fs::File::open(&later).unwrap(), &asked).unwrap();
    assert_eq!(report.verdict, Verdict::Pass, "{:#?}", report.checks);
    assert_eq!(report.claim.as_deref(), Some("promoted"));
    let linked: Vec<u64> = report.log.unwrap().links.iter().map(|l| l.size).collect();
    assert_eq!(linked, [1202, 5, 64]);
    let too_new = PacketRequest {
        since: &[5000],
        ..request
    };
    assert!(matches!(
        ledger.write_packet(&too_new),
        Err(LedgerError::NotFound(_))
    ));
    let foreign = PacketRequest {
        policy: Some("quorum none\n"),
        ..request
    };
    assert!(matches!(
        ledger.write_packet(&foreign),
        Err(LedgerError::Rules(_))
    ));

    let gone = Digest::of(b"never stored");
    let info = ledger.write_packet(&packet(&out, &[blob, gone])).unwrap();
    assert_eq!(info.omitted[0].blob, gone);
    let report = verify(fs::File::open(&out).unwrap(), &Request::new(&trust)).unwrap();
    assert_eq!(report.reason, Reason::PacketIncomplete);
    let leftovers = fs::read_dir(dir.path()).unwrap().filter(|e| {
        e.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".tmp")
    });
    assert_eq!(leftovers.count(), 0);
}

#[test]
fn blobs_are_written_once_read_only_and_checked() {
    let dir = TempDir::new().unwrap();
    let ledger = open(dir.path());
    let digest = ledger.put_blob(b"bytes").unwrap();
    assert_eq!(digest, Digest::of(b"bytes"));
    assert_eq!(ledger.put_blob(b"bytes").unwrap(), digest);
    assert!(ledger.has_blob(&digest));
    assert_eq!(ledger.read_blob(&digest, 5).unwrap(), b"bytes");
    assert!(matches!(
        ledger.read_blob(&digest, 4),
        Err(LedgerError::Refused { .. })
    ));
    assert!(matches!(
        ledger.read_blob(&Digest::of(b"x"), 9),
        Err(LedgerError::BlobMissing(_))
    ));
    let hex = digest.hex();
    let path = dir.path().join("blobs/sha256").join(&hex[..2]).join(&hex);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o444
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&path, b"BYTES").unwrap();
    assert!(matches!(
        ledger.read_blob(&digest, 9),
        Err(LedgerError::Corrupt { .. })
    ));
    assert_eq!(
        ledger.put_blob(b"bytes").unwrap(),
        digest,
        "a damaged blob is written anew"
    );
    assert_eq!(ledger.read_blob(&digest, 9).unwrap(), b"bytes");
    assert_eq!(
        fs::read_dir(dir.path().join("blobs/tmp")).unwrap().count(),
        0
    );
}

#[test]
fn a_reader_neither_writes_nor_repairs() {
    let dir = TempDir::new().unwrap();
    let ledger = open(dir.path());
    ledger.append(vec![draft(STREAM, "a", json!({}))]).unwrap();
    let reader = Ledger::open_read(dir.path()).unwrap();
    assert!(matches!(
        reader.append(vec![draft(STREAM, "b", json!({}))]),
        Err(LedgerError::ReadOnly { .. })
    ));
    assert!(matches!(
        reader.put_blob(b"x"),
        Err(LedgerError::ReadOnly { .. })
    ));
    ledger.append(vec![draft(STREAM, "b", json!({}))]).unwrap();
    assert_eq!(
        reader.size().unwrap(),
        3,
        "a reader sees what is appended later"
    );
    drop((reader, ledger));
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = fs::remove_file(dir.path().join("ledger").join(name));
    }
    let reader = Ledger::open_read(dir.path()).unwrap();
    assert_eq!(reader.check().unwrap(), 3);
    assert!(!dir.path().join("ledger/index.db").exists());
}

#[test]
fn many_threads_share_one_ledger() {
    let dir = TempDir::new().unwrap();
    let ledger = open(dir.path());
    let receipts: Vec<_> = thread::scope(|scope| {
        let ledger = &ledger;
        let writers: Vec<_> = (0..8)
            .map(|w| {
                scope.spawn(move || {
                    (0..50)
                        .map(|n| {
                            let stream = if n % 2 == 0 {
                                STREAM.to_owned()
                            } else {
                                format!("run/w/{w}")
                            };
                            let d = draft(&stream, &format!("{w}/{n}"), json!({"w": w, "n": n}));
                            ledger.append(vec![d]).unwrap()[0]
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        writers
            .into_iter()
            .flat_map(|w| w.join().unwrap())
            .collect()
    });
    let mut indexes: Vec<_> = receipts.iter().map(|r| r.index).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, (1..=400).collect::<Vec<_>>());
    assert_eq!(ledger.check().unwrap(), 401);
    let out = dir.path().join("packet.tar");
    ledger.write_packet(&packet(&out, &[])).unwrap();
    let trust = Trust::of_log(ledger.log_vkey().clone());
    let report = verify(fs::File::open(&out).unwrap(), &Request::new(&trust)).unwrap();
    assert_eq!(report.verdict, Verdict::Pass, "{:#?}", report.checks);
    assert_eq!(report.records.len(), 201);
}

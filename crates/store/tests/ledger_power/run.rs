//! One life of a ledger on the simulated disk: work until a fault, come back, and compare with what was acknowledged.

use std::path::Path;
use std::sync::Arc;

use gonogo_core::{Digest, Timestamp};
use gonogo_ledger::{Checkpoint, merkle};
use gonogo_store::ledger::simulated::{Faults, SimDisk};
use gonogo_store::ledger::{Draft, Founding, Ledger, LedgerError};
use serde_json::json;

/// What a run promised its callers.
#[derive(Debug, Default)]
pub(crate) struct Promised {
    records: Vec<(u64, Digest)>,
    blobs: Vec<Digest>,
    checkpoint: Option<String>,
}

/// How many promises were checked.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Checked {
    pub(crate) records: usize,
}

const ROOT: &str = "/disk";

fn open(disk: &SimDisk) -> Result<Ledger, LedgerError> {
    let founding = Founding {
        origin: "ledger.test",
        actor: "controller@test",
        time: Timestamp::from_millis(1_795_000_000_000),
    };
    let root = Path::new(ROOT).join("state");
    Ledger::open_with(Arc::new(disk.clone()), &root, founding, Arc::new(|_| {}))
}

fn draft(life: u64, n: u64) -> Draft {
    // From a few bytes to several sectors, so that records begin and end anywhere in a sector.
    let size = (life * 7919 + n * 104_729) % 6_000;
    Draft {
        stream: format!("operation/op_{}", n % 3),
        key: format!("{life}/{n}"),
        kind: "rollout-step".into(),
        subject: Vec::new(),
        time: Timestamp::from_millis(1_795_000_000_000),
        actor: "test".into(),
        body: json!({"text": "x".repeat(usize::try_from(size).unwrap_or_default())}),
        signer: None,
    }
}

/// Appends, stores and publishes until something fails.
fn work(disk: &SimDisk, life: u64, promised: &mut Promised) -> Result<(), LedgerError> {
    let ledger = open(disk)?;
    for n in 0..9 {
        if n % 4 == 1 {
            let bytes = format!("blob {life} {n}").repeat(600);
            promised.blobs.push(ledger.put_blob(bytes.as_bytes())?);
        }
        let calls = 1 + n % 3;
        let drafts = (0..calls).map(|m| draft(life, n * 10 + m)).collect();
        let receipts = ledger.append(drafts)?;
        promised
            .records
            .extend(receipts.iter().map(|r| (r.index, r.digest)));
        promised.checkpoint = Some(ledger.checkpoint_note()?);
        if n % 3 == 2 {
            ledger.publish()?;
        }
    }
    Ok(())
}

/// Everything that was promised must be there, and the tree must extend the one that was signed.
fn check(disk: &SimDisk, promised: &Promised, what: &str) -> usize {
    let ledger = match open(disk) {
        Ok(ledger) => ledger,
        Err(e) => panic!("{what}: the ledger does not open: {e}"),
    };
    let size = ledger.check().unwrap_or_else(|e| panic!("{what}: {e}"));
    for (index, digest) in &promised.records {
        let record = ledger
            .record_at(*index)
            .unwrap_or_else(|e| panic!("{what}: record {index} was acknowledged: {e}"));
        assert_eq!(record.digest, *digest, "{what}: record {index}");
    }
    for blob in &promised.blobs {
        ledger
            .read_blob(blob, 1 << 20)
            .unwrap_or_else(|e| panic!("{what}: blob {blob} was acknowledged: {e}"));
    }
    if let Some(note) = &promised.checkpoint {
        let old = Checkpoint::open(note, ledger.log_vkey())
            .unwrap_or_else(|e| panic!("{what}: the log has another key: {e}"));
        assert!(old.size <= size, "{what}: {} of {size}", old.size);
        let (new, path) = ledger
            .prove_consistency(old.size)
            .unwrap_or_else(|e| panic!("{what}: {e}"));
        merkle::verify_consistency(old.size, &old.root, new.size, &new.root, &path)
            .unwrap_or_else(|e| panic!("{what}: {e}"));
    }
    ledger
        .publish()
        .unwrap_or_else(|e| panic!("{what}: it cannot be published: {e}"));
    ledger
        .fsck(&mut |_| {})
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    promised.records.len()
}

/// Returns how many calls a life without faults makes.
pub(crate) fn length(seed: u64) -> u64 {
    let disk = SimDisk::new(seed, Path::new(ROOT), Faults::default());
    work(&disk, seed, &mut Promised::default()).expect("a life without faults works");
    disk.calls()
}

/// A power failure in call `at`, perhaps another one while it recovers, and then more work.
pub(crate) fn power_failure(seed: u64, at: u64) -> Checked {
    let what = format!("seed {seed}, power failure in call {at}");
    let mut promised = Promised::default();
    let faults = Faults {
        power_fails_at: Some(at),
        ..Faults::default()
    };
    let disk = SimDisk::new(seed * 1_000_003 + at, Path::new(ROOT), faults);
    let ended = work(&disk, seed, &mut promised);
    assert!(
        ended.is_err() || !disk.is_dark(),
        "{what}: something was promised in the dark"
    );
    if at.is_multiple_of(2) {
        disk.restart(Faults {
            power_fails_at: Some(1 + (seed + at) % 17),
            ..Faults::default()
        });
        let _ = work(&disk, seed + 500, &mut promised);
    }
    disk.restart(Faults::default());
    let mut records = check(&disk, &promised, &what);
    work(&disk, seed + 1000, &mut promised)
        .unwrap_or_else(|e| panic!("{what}: no work after it: {e}"));
    disk.restart(Faults::default());
    records += check(&disk, &promised, &what);
    Checked { records }
}

/// Sync number `at` fails and loses its pages; the process ends, cleanly or on the spot, another one goes on, and then the
/// power fails.
pub(crate) fn failed_sync(seed: u64, at: u64, dies: bool) -> Checked {
    let what = format!("seed {seed}, failed sync {at}, dies {dies}");
    let mut promised = Promised::default();
    let faults = Faults {
        sync_fails_at: Some(at),
        dies_with_it: dies,
        ..Faults::default()
    };
    let disk = SimDisk::new(seed * 1_000_003 + at, Path::new(ROOT), faults);
    let ended = work(&disk, seed, &mut promised);
    disk.reopen(Faults::default());
    if ended.is_err() {
        work(&disk, seed + 1000, &mut promised)
            .unwrap_or_else(|e| panic!("{what}: no work after it: {e}"));
    }
    disk.restart(Faults::default());
    let records = check(&disk, &promised, &what);
    Checked { records }
}

/// The disk fills up, is refused what does not fit, and loses nothing.
pub(crate) fn full_disk(seed: u64, room: u64) -> Checked {
    let what = format!("seed {seed}, room for {room} bytes");
    let mut promised = Promised::default();
    let faults = Faults {
        room: Some(room),
        ..Faults::default()
    };
    let disk = SimDisk::new(seed * 1_000_003 + room, Path::new(ROOT), faults);
    let ended = work(&disk, seed, &mut promised);
    assert!(
        matches!(ended, Ok(()) | Err(LedgerError::Full { .. })),
        "{what}: {ended:?}"
    );
    disk.restart(Faults::default());
    let records = check(&disk, &promised, &what);
    work(&disk, seed + 1000, &mut promised)
        .unwrap_or_else(|e| panic!("{what}: no work with room again: {e}"));
    Checked { records }
}

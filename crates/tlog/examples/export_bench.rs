//! What an export costs that reads everything back: `export_bench [RECORDS]`, 1,000,000 of them if not said otherwise. To be built
//! with `--release`.
//!
//! A publication of made-up leaves, each as large as one of ours, is copied to a directory and to a store in memory that answers each
//! request after 20 ms, as one in the same region does; then once more, with nothing new.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot go on ends; what it prints is its result"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gonogo_ledger::merkle::leaf_hash;
use gonogo_ledger::tile::content::encode_entries;
use gonogo_ledger::tile::{Level, TileBuilder, TilePath};
use gonogo_ledger::{Checkpoint, LogKey};
use gonogo_tlog::Publication;
use gonogo_tlog::export::{Destination, Patience, export};
use object_store::memory::InMemory;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use tokio::time::Instant;

/// Bytes of a leaf of ours.
const LEAF: usize = 489;
const DELAY: Duration = Duration::from_millis(20);

fn main() {
    let records = std::env::args()
        .nth(1)
        .map_or(1_000_000, |n| n.parse().unwrap());
    let from = tempfile::tempdir().unwrap();
    let key = LogKey::load("ledger.example", &LogKey::generate().unwrap()).unwrap();
    publish(from.path(), &key, records);
    let publication = Publication::new(from.path());
    let to = tempfile::tempdir().unwrap();
    let directory = Destination::directory(to.path()).unwrap();
    let slow = ThrottleConfig {
        wait_get_per_call: DELAY,
        wait_put_per_call: DELAY,
        ..ThrottleConfig::default()
    };
    let memory = ThrottledStore::new(InMemory::new(), slow);
    let store = Destination::store(Arc::new(memory), "log".into(), "a store 20 ms away");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    for destination in [directory, store] {
        for what in ["first", "again"] {
            let (done, took) = runtime.block_on(async {
                let begin = Instant::now();
                let patience = Patience::default();
                let done = export(&publication, key.vkey(), &destination, &patience).await;
                (done.unwrap(), begin.elapsed())
            });
            println!(
                "{what}: {:.1} s; {} records, {} written ({} bytes), {} read and compared; {destination}",
                took.as_secs_f64(),
                done.size,
                done.uploaded,
                done.bytes,
                done.compared
            );
        }
    }
}

fn publish(dir: &Path, key: &LogKey, records: u64) {
    let mut tree = TileBuilder::default();
    let mut bundle: Vec<Vec<u8>> = Vec::new();
    let write = |path: TilePath, bytes: &[u8]| {
        let path = dir.join(path.path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    for n in 0..records {
        let mut entry = n.to_string().into_bytes();
        entry.resize(LEAF, b'x');
        for (path, bytes) in tree.push(leaf_hash(&entry)) {
            write(path, &bytes);
        }
        bundle.push(entry);
        if bundle.len() == 256 || n + 1 == records {
            let path = TilePath::in_tree(Level::Entries, n / 256, n + 1).unwrap();
            write(path, &encode_entries(&bundle).unwrap());
            bundle.clear();
        }
    }
    for (path, bytes) in tree.partial() {
        write(path, &bytes);
    }
    let checkpoint = Checkpoint {
        origin: key.vkey().name().to_owned(),
        size: records,
        root: tree.root(),
    };
    fs::write(dir.join("checkpoint"), checkpoint.sign(key)).unwrap();
}

//! The C2SP formats against another implementation (`tlog_tiles`, `signed_note`) and against every flipped bit.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests; a panic is their failure"
)]

mod compare;
mod mutate;
mod property;

use std::collections::HashMap;

use gonogo_core::Digest;
use gonogo_ledger::merkle::leaf_hash;
use gonogo_ledger::tile::TileBuilder;
use gonogo_ledger::{Checkpoint, CosignerKey, LogKey};

pub(crate) const ORIGIN: &str = "ledger.example";

pub(crate) fn log(origin: &str) -> LogKey {
    LogKey::load(origin, &LogKey::generate().unwrap()).unwrap()
}

pub(crate) fn cosigner(name: &str) -> CosignerKey {
    CosignerKey::load(name, &CosignerKey::generate().unwrap()).unwrap()
}

pub(crate) fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: ORIGIN.into(),
        size: 20_852_163,
        root: Digest::of(b"root"),
    }
}

pub(crate) fn leaf(at: u64) -> Digest {
    leaf_hash(&at.to_be_bytes())
}

/// The hash tiles of the tree of `size` leaves by their paths, and its root.
pub(crate) fn tiles(size: u64) -> (HashMap<String, Vec<u8>>, Digest) {
    let mut files = HashMap::new();
    let mut builder = TileBuilder::default();
    for at in 0..size {
        for (path, bytes) in builder.push(leaf(at)) {
            files.insert(path.path(), bytes);
        }
    }
    for (path, bytes) in builder.partial() {
        files.insert(path.path(), bytes);
    }
    (files, builder.root())
}

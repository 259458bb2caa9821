//! The published tiles and entry bundles, compared with what the records give.

use std::path::PathBuf;

use gonogo_core::Digest;
use gonogo_ledger::merkle::Finished;
use gonogo_ledger::tile::{Level, TilePath, content};

use crate::ledger::disk::Layout;
use crate::ledger::error::LedgerError;

/// A bundle of leaves as long as any may be.
const LARGEST: u64 = 256 * 65_537;

/// Tiles that grow with the records, up to the published size.
pub(super) struct Tiles<'a> {
    layout: &'a Layout,
    size: u64,
    leaves: u64,
    entries: Vec<Vec<u8>>,
    /// For each level, the hashes of its open tile and how many came before it.
    levels: Vec<(u64, Vec<Digest>)>,
    compared: u64,
}

impl<'a> Tiles<'a> {
    pub(super) fn new(layout: &'a Layout, size: u64) -> Self {
        Self {
            layout,
            size,
            leaves: 0,
            entries: Vec::new(),
            levels: vec![(0, Vec::new())],
            compared: 0,
        }
    }

    pub(super) const fn layout(&self) -> &'a Layout {
        self.layout
    }

    /// Takes a record's leaf; compares each tile that it completes.
    pub(super) fn push(
        &mut self,
        body: Vec<u8>,
        leaf: Digest,
        finished: &[Finished],
    ) -> Result<(), LedgerError> {
        if self.leaves == self.size {
            return Ok(());
        }
        self.leaves += 1;
        self.entries.push(body);
        if self.entries.len() == 256 {
            self.bundle()?;
        }
        self.hash(0, leaf)?;
        for node in finished {
            self.hash(node.level as usize, node.hash)?;
        }
        Ok(())
    }

    /// Compares the tiles that are not full; returns how many were compared in all.
    pub(super) fn finish(&mut self) -> Result<u64, LedgerError> {
        if !self.entries.is_empty() {
            self.bundle()?;
        }
        for level in 0..self.levels.len() {
            if !self.levels[level].1.is_empty() {
                self.tile(level)?;
            }
        }
        Ok(self.compared)
    }

    fn hash(&mut self, level: usize, hash: Digest) -> Result<(), LedgerError> {
        if self.levels.len() <= level {
            self.levels.resize(level + 1, (0, Vec::new()));
        }
        self.levels[level].1.push(hash);
        if self.levels[level].1.len() == 256 {
            self.tile(level)?;
        }
        Ok(())
    }

    fn tile(&mut self, level: usize) -> Result<(), LedgerError> {
        let (before, hashes) = std::mem::take(&mut self.levels[level]);
        let bytes = content::encode_hashes(&hashes);
        self.levels[level].0 = before + hashes.len() as u64;
        let level = u8::try_from(level).expect("invariant: a tree of 2^64 leaves has 8 levels");
        self.same(Level::Hash(level), before >> 8, hashes.len(), &bytes)
    }

    fn bundle(&mut self) -> Result<(), LedgerError> {
        let entries = std::mem::take(&mut self.entries);
        let first = self.leaves - entries.len() as u64;
        let bytes = content::encode_entries(&entries)?;
        self.same(Level::Entries, first >> 8, entries.len(), &bytes)
    }

    fn same(
        &mut self,
        level: Level,
        index: u64,
        width: usize,
        bytes: &[u8],
    ) -> Result<(), LedgerError> {
        let width = u16::try_from(width).expect("invariant: a tile has at most 256 entries");
        let name = TilePath {
            level,
            index,
            width,
        };
        let path: PathBuf = self.layout.ledger().join(name.path());
        let found = self.layout.read_bytes(&path, LARGEST)?;
        self.compared += 1;
        match found {
            Some(found) if found == bytes => Ok(()),
            Some(_) => Err(LedgerError::corrupt(
                &path,
                "it is not what the records give; remove `checkpoint` beside `tile`, and everything is published anew",
            )),
            None => Err(LedgerError::corrupt(
                &path,
                "the published checkpoint needs it, and it is missing; remove `checkpoint` beside `tile`, and everything is published anew",
            )),
        }
    }
}

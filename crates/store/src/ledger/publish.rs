//! Publishing: the tiles and the checkpoint as files that anybody may read (C2SP tlog-tiles), a moment behind what was
//! acknowledged. Everything here is made from the journal and the index and can be made again.
//!
//! Invariants: a tile is durable before the checkpoint that needs it has its name; a published checkpoint was acknowledged
//! before; it never gets smaller. A full tile never changes; a partial one is removed once its full tile is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gonogo_core::Digest;
use gonogo_ledger::leaf;
use gonogo_ledger::merkle::{self, HashSource};
use gonogo_ledger::note::Note;
use gonogo_ledger::tile::{self, Level, TilePath, content};

use super::disk::{Exclusive, Held};
use super::error::LedgerError;
use super::index::Tiles;
use super::recover::{self, Signed};
use super::{Ledger, Notice, lock};

/// How long a writer that goes on writing leaves the published files behind.
const DUE: Duration = Duration::from_secs(1);

/// A bundle of 256 of our leaves has about 125 kB; of anybody's leaves, at most 16 MiB.
const LARGEST_BUNDLE: u64 = 256 * 65_537;

/// Who publishes, and when that was last done.
#[derive(Debug, Default)]
pub(super) struct Publisher {
    exclusive: Option<Box<dyn Exclusive>>,
    last: Option<Instant>,
    /// Whether this handle has appended since.
    pending: bool,
}

impl Ledger {
    /// Writes the tiles and the checkpoint that readers outside see, up to what is acknowledged now, and returns that
    /// checkpoint's note as published, with its cosignatures if it has any.
    ///
    /// # Errors
    /// [`LedgerError::RolledBack`] if more was published than is acknowledged; disk errors; [`LedgerError::Sync`].
    pub fn publish(&self) -> Result<String, LedgerError> {
        let mut publisher = lock(&self.publisher);
        let path = self.layout.publish_lock();
        let exclusive = match publisher.exclusive.take() {
            Some(exclusive) => exclusive,
            None => self
                .layout
                .disk()
                .exclusive(&path)
                .map_err(|e| LedgerError::io("open", &path, &e))?,
        };
        let outcome = Held::take(&*exclusive, &path).and_then(|_held| self.bring_up());
        publisher.exclusive = Some(exclusive);
        publisher.last = Some(now());
        if outcome.is_ok() {
            publisher.pending = false;
        }
        outcome.map(|(_, note)| note)
    }

    /// Publishes if that was not done for a while. Trouble is noted: the records themselves are safe.
    pub(super) fn publish_if_due(&self) {
        let due = {
            let mut publisher = lock(&self.publisher);
            publisher.pending = true;
            let last = *publisher.last.get_or_insert_with(now);
            self.publishes && now().duration_since(last) >= DUE
        };
        if due {
            self.publish_or_note();
        }
    }

    /// Publishes what this handle appended and did not publish yet.
    pub(super) fn publish_rest(&self) {
        if self.publishes && lock(&self.publisher).pending {
            self.publish_or_note();
        }
    }

    fn publish_or_note(&self) {
        if let Err(e) = self.publish() {
            lock(&self.notices).push(Notice {
                reason: e.reason(),
                text: format!("not published: {e}"),
            });
        }
    }

    /// Puts a checkpoint that witnesses have cosigned in the place of the published one, and remembers it as witnessed. An
    /// older one than the published is remembered only. The caller has judged the cosignatures.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] if it is no checkpoint of this log's tree; as [`Ledger::publish`].
    pub fn publish_cosigned(&self, note: &str) -> Result<(), LedgerError> {
        let path = self.layout.witnessed();
        let (checkpoint, note) = recover::open_note(note.to_owned(), &self.vkey, &path)?;
        let (acknowledged, _) = self.reached()?;
        let known = checkpoint.size <= acknowledged.size
            && self.root_at(checkpoint.size)? == checkpoint.root;
        if !known {
            return Err(LedgerError::corrupt(
                &path,
                format!(
                    "there is no tree of {} leaves with this root",
                    checkpoint.size
                ),
            ));
        }
        let published = self.publish()?;
        let newest = self.witnessed_note()?.map_or(0, |(c, _)| c.size);
        if checkpoint.size >= newest {
            self.layout.write_durably(&path, note.as_bytes(), 0o644)?;
        }
        let same = |a: &str, b: &str| {
            Note::parse(a)
                .and_then(|a| Note::parse(b).map(|b| a.text() == b.text()))
                .unwrap_or(false)
        };
        if same(&published, &note) {
            let path = self.layout.checkpoint();
            self.layout.write_durably(&path, note.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    /// Returns the newest checkpoint that was handed to [`Ledger::publish_cosigned`], with its note.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] if it does not verify under the log key.
    pub fn witnessed_note(&self) -> Result<Option<Signed>, LedgerError> {
        recover::read_note(&self.layout, &self.vkey, &self.layout.witnessed())
    }

    /// Returns the published checkpoint with its note; `None` if nothing was published yet.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] if it does not verify under the log key.
    pub fn published_note(&self) -> Result<Option<Signed>, LedgerError> {
        recover::read_published(&self.layout, &self.vkey)
    }

    /// Returns the directory that `checkpoint` and `tile/` are published in.
    pub fn publication(&self) -> PathBuf {
        self.layout.ledger()
    }

    pub(super) fn root_at(&self, size: u64) -> Result<Digest, LedgerError> {
        self.query(|c| merkle::tree_root(&mut Tiles::new(c), size))
    }

    fn bring_up(&self) -> Result<Signed, LedgerError> {
        let published = self.published_note()?;
        let (checkpoint, note) = self.reached()?;
        let from = published.as_ref().map_or(0, |(c, _)| c.size);
        if from > checkpoint.size {
            return Err(LedgerError::RolledBack {
                path: self.layout.checkpoint_lock(),
                text: format!(
                    "it acknowledges {} records, and a checkpoint over {from} was published",
                    checkpoint.size
                ),
            });
        }
        if let Some(published) = published
            && published.0 == checkpoint
        {
            return Ok(published);
        }
        let mut touched = BTreeSet::new();
        for path in tile::new_tiles(from, checkpoint.size) {
            let bytes = self.tile(&path, from)?;
            let file = self.layout.ledger().join(path.path());
            let dir = file.parent().unwrap_or(Path::new(".")).to_owned();
            self.layout.make_dir(&dir, 0o755)?;
            let mut fresh = self.layout.fresh(&dir, 0o644)?;
            fresh.append(&bytes)?;
            fresh.sync()?;
            fresh.publish(&file)?;
            touched.extend(
                dir.ancestors()
                    .take_while(|d| d.starts_with(self.layout.ledger()))
                    .map(Path::to_owned),
            );
        }
        for dir in touched {
            self.layout.sync_dir(&dir)?;
        }
        self.layout
            .write_durably(&self.layout.checkpoint(), note.as_bytes(), 0o644)?;
        for path in tile::new_tiles(from, checkpoint.size).filter(|path| path.width == 256) {
            self.remove_partials(&path);
        }
        Ok((checkpoint, note))
    }

    fn tile(&self, path: &TilePath, from: u64) -> Result<Vec<u8>, LedgerError> {
        let start = path.index << 8;
        let count = usize::from(path.width);
        match path.level {
            Level::Hash(level) => {
                let hashes =
                    self.query(|c| Tiles::new(c).hashes(u32::from(level), start, count))?;
                Ok(content::encode_hashes(&hashes))
            }
            Level::Entries => {
                let mut entries = self.kept_entries(path, from)?;
                for index in start + entries.len() as u64..start + count as u64 {
                    let record = self.frame(&self.entry(index)?)?;
                    entries.push(leaf::body(&record.envelope, &record.signer));
                }
                content::encode_entries(&entries).map_err(LedgerError::from)
            }
        }
    }

    /// The entries of the partial bundle that was published last, if they are what the index says.
    fn kept_entries(&self, path: &TilePath, from: u64) -> Result<Vec<Vec<u8>>, LedgerError> {
        let start = path.index << 8;
        let width = u16::try_from(from.saturating_sub(start)).unwrap_or(0);
        if from <= start || width >= path.width {
            return Ok(Vec::new());
        }
        let old = TilePath { width, ..*path };
        let file = self.layout.ledger().join(old.path());
        let Some(bytes) = self.layout.read_bytes(&file, LARGEST_BUNDLE)? else {
            return Ok(Vec::new());
        };
        let Ok(entries) = content::decode_entries(&bytes, width) else {
            return Ok(Vec::new());
        };
        let leaves = self.query(|c| Tiles::new(c).hashes(0, start, entries.len()))?;
        let fits = entries
            .iter()
            .zip(&leaves)
            .all(|(entry, leaf)| merkle::leaf_hash(entry) == *leaf);
        Ok(if fits {
            entries.into_iter().map(<[u8]>::to_vec).collect()
        } else {
            Vec::new()
        })
    }

    fn remove_partials(&self, full: &TilePath) {
        for width in 1..=255 {
            let partial = TilePath { width, ..*full };
            let _ = self
                .layout
                .disk()
                .remove(&self.layout.ledger().join(partial.path()));
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "paces the projection for readers outside; decides nothing"
)]
fn now() -> Instant {
    Instant::now()
}

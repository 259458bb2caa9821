//! What an operator does to a ledger: listing and changing keys, and erasing blobs. Each is a record first and a change of
//! files after it, so that a crash between the two leaves something to finish and nothing unsaid.

use std::path::Path;
use std::sync::Arc;

use gonogo_core::{Digest, Timestamp};
use gonogo_ledger::{CONTROLLER, KeyId, PublicKey, SYSTEM_STREAM, SigningKey, Subject};
use rusqlite::params;
use serde_json::json;

use super::checkpoint_lock::{CheckpointLock as _, SqliteLock};
use super::disk::{self, Held, Layout};
use super::error::LedgerError;
use super::index::{self, Sql};
use super::record::{Draft, Receipt};
use super::recover::{self, Known};
use super::{Founding, Ledger, RealDisk, keys, lock};

/// The predicate's name of an erasure.
pub const TOMBSTONE: &str = "tombstone";

/// A key that the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolledKey {
    /// Its public half.
    pub key: PublicKey,
    /// Whose it is.
    pub who: String,
    /// In which role it signs.
    pub role: String,
    /// The record that enrolled it: it counts for records behind that.
    pub since: u64,
    /// The record that revoked it: it counts for records before that.
    pub revoked: Option<u64>,
}

impl Ledger {
    /// Returns every key that was ever enrolled, in the order of enrolment.
    ///
    /// # Errors
    /// [`LedgerError::Index`].
    pub fn enrolled_keys(&self) -> Result<Vec<EnrolledKey>, LedgerError> {
        self.query(|c| {
            c.prepare_cached("SELECT spki, who, role, since, revoked FROM enrolled ORDER BY since")?
                .query_map([], |row| {
                    let spki: Vec<u8> = row.get(0)?;
                    Ok(EnrolledKey {
                        key: PublicKey::from_spki(&spki)
                            .map_err(|_| rusqlite::Error::InvalidQuery)?,
                        who: row.get(1)?,
                        role: row.get(2)?,
                        since: row.get::<_, i64>(3)?.cast_unsigned(),
                        revoked: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
                    })
                })?
                .collect::<Sql<Vec<_>>>()
        })
    }

    /// Gives the controller a new key: makes it, enrols it with the old one, puts it into the old one's place and revokes the
    /// old one with it. Interrupted, it is finished by being asked again.
    ///
    /// # Errors
    /// As [`Ledger::append`]; [`LedgerError::Key`].
    pub fn rotate_controller(
        &self,
        why: &str,
        actor: &str,
        time: Timestamp,
    ) -> Result<KeyId, LedgerError> {
        let next = keys::next_controller(&self.layout)?;
        let fresh = *SigningKey::load(&next)?.public();
        let owner = self
            .enrolled_keys()?
            .into_iter()
            .find(|k| k.role == CONTROLLER)
            .map_or_else(|| "gonogo".to_owned(), |k| k.who);
        self.enrol(fresh, &owner, CONTROLLER, actor, time)?;
        lock(self.sequencer()?).take_controller()?;
        for old in self.enrolled_keys()? {
            if old.role == CONTROLLER && old.revoked.is_none() && old.key != fresh {
                self.revoke(old.key.id(), why, actor, time)?;
            }
        }
        Ok(fresh.id())
    }

    /// Makes a lost, unreadable or older lock anew, from the newest checkpoint that is known: one of `notes`, the published one,
    /// the cosigned one, or one that the journal holds. The journal must extend it. What was there before is kept beside it,
    /// and a record says what was done. Returns how many records were acknowledged by that checkpoint.
    ///
    /// Nobody can tell from this directory alone whether it is an older copy: compare with a witness, or with a checkpoint
    /// that somebody else kept, before.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] if there is a lock that is not older; [`LedgerError::Corrupt`] or [`LedgerError::RolledBack`] if
    /// the journal does not extend the checkpoint.
    pub fn relock(
        root: &Path,
        notes: Vec<String>,
        founding: Founding<'_>,
    ) -> Result<u64, LedgerError> {
        let layout = Layout::new(root, Arc::new(RealDisk));
        let vkey = keys::read_vkey(&layout)?;
        let lock_path = layout.checkpoint_lock();
        let exclusive = layout
            .disk()
            .exclusive(&layout.lock())
            .map_err(|e| LedgerError::io("open", &layout.lock(), &e))?;
        let held = Held::take(&*exclusive, &layout.lock())?;
        let there = match SqliteLock::peek(&lock_path) {
            Err(LedgerError::Lock { .. }) => None,
            other => other?,
        };
        // One that this log did not sign is worth as much as none.
        let there = there.and_then(|note| recover::open_note(note, &vkey, &lock_path).ok());
        let mut known = notes
            .into_iter()
            .map(|note| recover::open_note(note, &vkey, &lock_path))
            .collect::<Result<Vec<_>, _>>()?;
        known.extend(recover::read_published(&layout, &vkey)?);
        known.extend(recover::read_note(&layout, &vkey, &layout.witnessed()).unwrap_or(None));
        known.extend(recover::newest_of_journal(&layout, &vkey)?);
        let newest = known.into_iter().max_by_key(|(known, _)| known.size);
        if let Some((there, _)) = &there
            && newest
                .as_ref()
                .is_none_or(|(newest, _)| newest.size <= there.size)
        {
            return Err(LedgerError::Refused {
                stream: SYSTEM_STREAM.to_owned(),
                text: format!(
                    "`{}` can be read, and no newer checkpoint is known; nothing was changed",
                    lock_path.display()
                ),
            });
        }
        let Some((checkpoint, note)) = newest else {
            return Err(LedgerError::Lock {
                path: lock_path,
                text: "no checkpoint of this log is known here; give one".into(),
            });
        };
        let connection = index::in_memory().map_err(|e| index::failure(&layout.index(), &e))?;
        let known = Known {
            acknowledged: Some(&checkpoint),
            seen: &[],
        };
        recover::catch_up(&layout, &connection, known)?;
        recover::put_aside(&lock_path)?;
        let mut fresh = SqliteLock::open(&lock_path)?;
        if !fresh.swap(None, &note)? {
            return Err(LedgerError::Locked { path: lock_path });
        }
        drop((fresh, held));
        let ledger = Self::open(root, founding)?;
        ledger.append(vec![Draft {
            stream: SYSTEM_STREAM.to_owned(),
            key: format!("relock/{}/{}", checkpoint.size, founding.time),
            kind: "relock".to_owned(),
            subject: Vec::new(),
            time: founding.time,
            actor: founding.actor.to_owned(),
            body: json!({"size": checkpoint.size, "root": checkpoint.root}),
            signer: None,
        }])?;
        Ok(checkpoint.size)
    }

    /// Erases a blob for good: records who had it erased and why, then removes its bytes. What names the blob stays, and its
    /// digest. The same bytes are not taken up again.
    ///
    /// # Errors
    /// [`LedgerError::BlobMissing`] if it is not here and was not erased before; as [`Ledger::append`].
    pub fn erase_blob(
        &self,
        digest: &Digest,
        why: &str,
        actor: &str,
        time: Timestamp,
    ) -> Result<Receipt, LedgerError> {
        let path = self.layout.blob(digest);
        let known = self.erasure(digest)?;
        let is_here = self.has_blob(digest);
        let receipt = match known {
            Some((index, _)) => self.receipt(index)?,
            None if !is_here => return Err(LedgerError::BlobMissing(*digest)),
            None => {
                let draft = Draft {
                    stream: SYSTEM_STREAM.to_owned(),
                    key: erasure_key(digest),
                    kind: TOMBSTONE.to_owned(),
                    subject: vec![Subject {
                        name: "blob".to_owned(),
                        digest: *digest,
                    }],
                    time,
                    actor: actor.to_owned(),
                    body: json!({"blob": digest, "why": why}),
                    signer: None,
                };
                self.append(vec![draft])?[0]
            }
        };
        // What a killed process left may be a part of the same bytes.
        disk::sweep(&self.layout.places_of_temporaries(), time, i64::MIN);
        if is_here {
            self.layout.remove(&path)?;
            self.layout.sync_dir(path.parent().unwrap_or(&path))?;
        }
        Ok(receipt)
    }

    /// Returns the record that erased a blob, and why; `None` if none did.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`], [`LedgerError::Index`].
    pub fn erasure(&self, digest: &Digest) -> Result<Option<(u64, String)>, LedgerError> {
        let entry = self.query(|c| index::by_key(c, SYSTEM_STREAM, &erasure_key(digest)))?;
        let Some(entry) = entry else {
            return Ok(None);
        };
        let record = self.record_at(entry.index)?;
        let why = record.body.get("why").and_then(|w| w.as_str());
        Ok(Some((entry.index, why.unwrap_or_default().to_owned())))
    }

    fn receipt(&self, index: u64) -> Result<Receipt, LedgerError> {
        let entry = self.entry(index)?;
        Ok(Receipt {
            index: entry.index,
            seq: entry.seq,
            digest: entry.digest,
            leaf_hash: entry.leaf,
            fresh: false,
        })
    }

    /// Returns the newest records of a kind that are about a digest, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`LedgerError::Index`].
    pub fn about(&self, subject: &Digest, kind: &str, limit: u32) -> Result<Vec<u64>, LedgerError> {
        self.query(|c| {
            c.prepare_cached(
                "SELECT idx FROM record WHERE kind = ?1 AND idx IN (SELECT idx FROM subject WHERE digest = ?2)
                 ORDER BY idx DESC LIMIT ?3",
            )?
            .query_map(params![kind, subject.as_bytes(), limit], |row| {
                row.get::<_, i64>(0).map(i64::cast_unsigned)
            })?
            .collect()
        })
    }
}

fn erasure_key(digest: &Digest) -> String {
    format!("erase/{}", digest.hex())
}

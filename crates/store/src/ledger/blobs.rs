//! Blobs: exact bytes under the name of their digest, written once.

use std::io::{self, Read};

use gonogo_core::Digest;
use gonogo_core::digest::Hasher;

use super::disk::{DiskFile, Open};
use super::error::LedgerError;
use super::{Ledger, lock};

const BUFFER: usize = 64 * 1024;

impl Ledger {
    /// Stores bytes durably and returns their digest. Bytes that are stored already are not written again.
    ///
    /// # Errors
    /// [`LedgerError::Full`], [`LedgerError::Io`]; [`LedgerError::Sync`], after which **the process must end**.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest, LedgerError> {
        self.put_blob_from(bytes)
    }

    /// Stores what a reader gives, in pieces: a blob of any size needs a bounded buffer.
    ///
    /// # Errors
    /// As [`Ledger::put_blob`].
    pub fn put_blob_from(&self, from: impl Read) -> Result<Digest, LedgerError> {
        let outcome = self.try_put_blob(from);
        if let (Err(error), Some(writer)) = (&outcome, &self.writer)
            && error.is_fatal()
        {
            lock(writer).end(error);
        }
        outcome
    }

    fn try_put_blob(&self, mut from: impl Read) -> Result<Digest, LedgerError> {
        self.sequencer()?;
        let intake = self.layout.blob_intake();
        self.layout.make_dir(&intake, 0o755)?;
        let mut fresh = self.layout.fresh(&intake, 0o444)?;
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; BUFFER];
        loop {
            let got = match from.read(&mut buffer) {
                Ok(0) => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => {
                    other.map_err(|e| LedgerError::io("read what belongs into", &intake, &e))?
                }
            };
            hasher.update(&buffer[..got]);
            fresh.append(&buffer[..got])?;
        }
        let digest = hasher.finish();
        if let Some((index, why)) = self.erasure(&digest)? {
            return Err(LedgerError::Refused {
                stream: gonogo_ledger::SYSTEM_STREAM.into(),
                text: format!("record {index} erased the blob {digest}: {why}"),
            });
        }
        let path = self.layout.blob(&digest);
        let shard = path.parent().unwrap_or(&path).to_owned();
        if self.hash_blob(&digest).is_err() {
            fresh.sync()?;
            self.layout.make_dir(&shard, 0o755)?;
            fresh.publish(&path)?;
        }
        // Also what is there already may not have reached the disk: whoever put it there may have crashed.
        for dir in shard.ancestors().take(4) {
            self.layout.sync_dir(dir)?;
        }
        Ok(digest)
    }

    /// Returns a blob's bytes after checking their digest.
    ///
    /// # Errors
    /// [`LedgerError::BlobMissing`]; [`LedgerError::Refused`] if it has more than `limit` bytes; [`LedgerError::Corrupt`].
    pub fn read_blob(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, LedgerError> {
        let path = self.layout.blob(digest);
        let file = self.open_blob(digest)?;
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|e| LedgerError::io("read", &path, &e))?;
        if bytes.len() as u64 > limit {
            return Err(LedgerError::Refused {
                stream: path.display().to_string(),
                text: format!("the blob has more than the {limit} bytes that the caller can hold"),
            });
        }
        if Digest::of(&bytes) != *digest {
            return Err(LedgerError::corrupt(&path, "its bytes have another digest"));
        }
        Ok(bytes)
    }

    /// Returns whether the blob is stored. Its bytes are not checked.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        let path = self.layout.blob(digest);
        matches!(self.layout.open(&path, Open::Read), Ok(Some(_)))
    }

    /// Opens a blob to read from its start.
    pub(super) fn open_blob(&self, digest: &Digest) -> Result<BlobReader, LedgerError> {
        let file = self.layout.open(&self.layout.blob(digest), Open::Read)?;
        file.map(|file| BlobReader { file, at: 0 })
            .ok_or(LedgerError::BlobMissing(*digest))
    }

    /// Checks a blob's digest in pieces; returns its size.
    pub(super) fn hash_blob(&self, digest: &Digest) -> Result<u64, LedgerError> {
        let path = self.layout.blob(digest);
        let mut file = self.open_blob(digest)?;
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; BUFFER];
        let mut size = 0;
        loop {
            let got = file
                .read(&mut buffer)
                .map_err(|e| LedgerError::io("read", &path, &e))?;
            if got == 0 {
                break;
            }
            hasher.update(&buffer[..got]);
            size += got as u64;
        }
        if hasher.finish() == *digest {
            Ok(size)
        } else {
            Err(LedgerError::corrupt(&path, "its bytes have another digest"))
        }
    }
}

/// Reads a blob's bytes in order.
#[derive(Debug)]
pub(super) struct BlobReader {
    file: Box<dyn DiskFile>,
    at: u64,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(buffer, self.at)?;
        self.at += got as u64;
        Ok(got)
    }
}

//! Writing packets: chooses the records, records the manifest, proves everything against one checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use gonogo_core::digest::Hasher;
use gonogo_core::{Digest, Timestamp, canonical};
use gonogo_ledger::packet::{
    self, Blob, Contents, MANIFEST_KIND, MAX_RECORDS, Omitted, PacketSource, Record, Seal,
};
use gonogo_ledger::{KeyId, Subject, merkle};
use rusqlite::Connection;

use super::disk::{self, Fresh};
use super::error::LedgerError;
use super::index::{self, Entry, Sql, Tiles};
use super::record::{Draft, Receipt};
use super::{Ledger, lock};

/// Which packet to write.
#[derive(Debug, Clone)]
pub struct PacketRequest<'a> {
    /// The stream that it is about.
    pub stream: &'a str,
    /// Other streams to hold whole.
    pub extra_streams: &'a [String],
    /// Blobs to hold. One that the ledger does not have is listed as left out, and the packet is then incomplete.
    pub blobs: &'a [Digest],
    /// Where to write it. Replaced atomically.
    pub out: &'a Path,
    /// Who asks.
    pub actor: &'a str,
    /// Now.
    pub time: Timestamp,
}

/// A packet that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketInfo {
    /// Where.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Records in it, key events included, the manifest not.
    pub records: u64,
    /// Blobs in it.
    pub blobs: u64,
    /// Blobs left out.
    pub omitted: Vec<Omitted>,
    /// The manifest's record.
    pub manifest: Receipt,
    /// Leaves of the checkpoint in it.
    pub tree_size: u64,
}

impl Ledger {
    /// Writes a packet of whole streams with the key events that their signers need. The manifest becomes a record of the
    /// stream `packet/<stream>`; asking again for the same content uses the same manifest.
    ///
    /// # Errors
    /// [`LedgerError::Rules`] if a stream has no record; [`LedgerError::Refused`] if the manifest would be larger than a
    /// record may be (about 10,000 members); as [`Ledger::append`]; disk errors.
    pub fn write_packet(&self, request: &PacketRequest<'_>) -> Result<PacketInfo, LedgerError> {
        let contents = self.contents(request)?;
        let body = contents.manifest()?.to_body();
        let digest = canonical::to_vec(&body)
            .map(|bytes| Digest::of(&bytes))
            .map_err(|e| LedgerError::Refused {
                stream: request.stream.to_owned(),
                text: e.to_string(),
            })?;
        let manifest = self.append(vec![Draft {
            stream: packet::manifest_stream(request.stream),
            key: format!("manifest/{}", digest.hex()),
            kind: MANIFEST_KIND.to_owned(),
            subject: vec![Subject {
                name: request.stream.to_owned(),
                digest,
            }],
            time: request.time,
            actor: request.actor.to_owned(),
            body,
            signer: None,
        }])?[0];
        let (checkpoint, note) = self.checkpoint()?;
        let seal = Seal {
            manifest: self.envelope(manifest.index)?,
            index: manifest.index,
            checkpoint: note,
        };
        let dir = match request.out.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let mut fresh = Fresh::create(dir, 0o644)?;
        let mut out = Counted {
            inner: BufWriter::with_capacity(256 * 1024, &mut fresh),
            hasher: Hasher::default(),
            size: 0,
        };
        let connection = lock(&self.reader);
        let mut source = Source {
            ledger: self,
            connection: &connection,
            tiles: Tiles::new(&connection),
            size: checkpoint.size,
        };
        packet::write(&mut out, &contents, &seal, &mut source)
            .map_err(|e| named(e, request.out))?;
        out.flush()
            .map_err(|e| LedgerError::io("write", request.out, &e))?;
        let (size, digest) = out.finish();
        fresh.sync()?;
        fresh.publish(request.out)?;
        disk::real_sync_dir(dir)?;
        Ok(PacketInfo {
            path: request.out.to_owned(),
            size,
            digest,
            records: contents.records.len() as u64,
            blobs: contents.blobs.len() as u64,
            omitted: contents.omitted,
            manifest,
            tree_size: checkpoint.size,
        })
    }

    fn contents(&self, request: &PacketRequest<'_>) -> Result<Contents, LedgerError> {
        let mut streams = vec![request.stream.to_owned()];
        for stream in request.extra_streams {
            if !streams.contains(stream) {
                streams.push(stream.clone());
            }
        }
        let controller = lock(self.sequencer()?).controller();
        let chosen = self.query(|connection| choose(connection, &streams, controller))?;
        if chosen.len() > MAX_RECORDS {
            return Err(LedgerError::Refused {
                stream: request.stream.to_owned(),
                text: format!(
                    "{} records; a packet holds at most {MAX_RECORDS}",
                    chosen.len()
                ),
            });
        }
        let mut records = Vec::with_capacity(chosen.len());
        for (entry, stream) in chosen.into_values() {
            let envelope = self.frame(&entry)?.envelope.to_bytes();
            records.push(Record {
                index: entry.index,
                stream,
                statement: entry.digest,
                envelope: Digest::of(&envelope),
            });
        }
        let mut blobs = Vec::new();
        let mut omitted = Vec::new();
        for digest in request.blobs.iter().collect::<BTreeSet<_>>() {
            match self.hash_blob(digest) {
                Ok(size) => blobs.push(Blob {
                    digest: *digest,
                    size,
                }),
                Err(LedgerError::BlobMissing(blob)) => omitted.push(Omitted {
                    blob,
                    reason: "the ledger does not hold it".into(),
                }),
                Err(other) => return Err(other),
            }
        }
        Ok(Contents {
            stream: request.stream.to_owned(),
            streams,
            records,
            blobs,
            omitted,
            log: self.vkey.clone(),
        })
    }
}

type Chosen = BTreeMap<u64, (Entry, String)>;

/// The streams' records, and the key events about everybody who signed any of them, in turn.
fn choose(connection: &Connection, streams: &[String], controller: KeyId) -> Sql<Chosen> {
    let mut chosen = Chosen::new();
    let mut signers = vec![*controller.digest()];
    let mut known = BTreeSet::new();
    let mut by_stream = connection.prepare_cached(
        "SELECT idx, segment, offset, seq, digest, leaf, stream, signer FROM record WHERE stream = ?1",
    )?;
    let mut by_key = connection.prepare_cached(
        "SELECT idx, segment, offset, seq, digest, leaf, stream, signer FROM record
         WHERE idx IN (SELECT since FROM enrolled WHERE key = ?1 UNION SELECT revoked FROM enrolled WHERE key = ?1)",
    )?;
    let mut take = |rows: &mut rusqlite::Rows<'_>, signers: &mut Vec<Digest>| -> Sql<()> {
        while let Some(row) = rows.next()? {
            let entry = index::entry(row)?;
            signers.push(index::digest_at(row, 7)?);
            chosen.insert(entry.index, (entry, row.get(6)?));
        }
        Ok(())
    };
    for stream in streams {
        take(&mut by_stream.query([stream])?, &mut signers)?;
    }
    while let Some(signer) = signers.pop() {
        if known.insert(signer) {
            take(&mut by_key.query([signer.as_bytes()])?, &mut signers)?;
        }
    }
    Ok(chosen)
}

fn named(error: LedgerError, out: &Path) -> LedgerError {
    match error {
        LedgerError::Full { text, .. } => LedgerError::Full {
            path: out.to_owned(),
            text,
        },
        LedgerError::Io { action, text, .. } => LedgerError::Io {
            action,
            path: out.to_owned(),
            text,
        },
        other => other,
    }
}

/// Counts and hashes what goes through.
struct Counted<W> {
    inner: W,
    hasher: Hasher,
    size: u64,
}

impl<W> Counted<W> {
    fn finish(self) -> (u64, Digest) {
        (self.size, self.hasher.finish())
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

struct Source<'a> {
    ledger: &'a Ledger,
    connection: &'a Connection,
    tiles: Tiles<'a>,
    size: u64,
}

impl PacketSource for Source<'_> {
    type Error = LedgerError;

    fn envelope(&mut self, index: u64) -> Result<Vec<u8>, LedgerError> {
        let entry = index::by_index(self.connection, index)
            .map_err(|e| index::failure(&self.ledger.layout.index(), &e))?
            .ok_or_else(|| LedgerError::NotFound(index.to_string()))?;
        Ok(self.ledger.frame(&entry)?.envelope.to_bytes())
    }

    fn path(&mut self, index: u64) -> Result<Vec<Digest>, LedgerError> {
        merkle::inclusion_path(&mut self.tiles, index, self.size)
            .map_err(|e| index::failure(&self.ledger.layout.index(), &e))
    }

    fn blob(&mut self, digest: &Digest) -> Result<Box<dyn Read + '_>, LedgerError> {
        Ok(Box::new(self.ledger.open_blob(digest)?))
    }
}

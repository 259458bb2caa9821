//! Writing packets: chooses the records, records the manifest, proves everything against one checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use gonogo_core::digest::Hasher;
use gonogo_core::{Digest, Timestamp, canonical};
use gonogo_ledger::packet::{
    self, Blob, Contents, MANIFEST_KIND, MAX_RECORDS, Omitted, PacketSource, RecordsDigest, Seal,
    StreamHead,
};
use gonogo_ledger::{Checkpoint, Envelope, KeyId, Policy, PublicKey, Subject, merkle};
use rusqlite::Connection;

use super::disk::{self, Fresh};
use super::error::LedgerError;
use super::index::{self, Sql, Tiles};
use super::record::{Draft, Receipt};
use super::recover::{self, Signed};
use super::{Ledger, lock};

/// How many earlier packets a packet links to: a reader who remembers one of their checkpoints can go on from there.
const LINKED: usize = 64;

/// Gives a checkpoint that witnesses have cosigned and that covers everything recorded so far; none if there is none.
pub type Seals<'a> = &'a dyn Fn() -> Option<String>;

/// Gives an RFC 3161 response over a checkpoint's bytes, or says why there is none.
pub type Stamps<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// Which packet to write.
#[derive(Clone, Copy)]
pub struct PacketRequest<'a> {
    /// The stream that it is about.
    pub stream: &'a str,
    /// Other streams to hold whole.
    pub extra_streams: &'a [String],
    /// Blobs to hold. One that the ledger does not have is listed as left out, and the packet is then incomplete.
    pub blobs: &'a [Digest],
    /// Files with the bytes of some of these blobs: they are read from there, and the ledger need not hold them. They are hashed
    /// first, and a file with another digest is refused.
    pub outside: Option<&'a BTreeMap<Digest, PathBuf>>,
    /// What the packet shows, in the words of who asks for it; part of the manifest.
    pub verdict: &'a str,
    /// Sizes of older trees to prove consistency with, besides those of the newest earlier packets.
    pub since: &'a [u64],
    /// The C2SP tlog-policy to put in, as its readers may want to use it; without one, this log and no witness.
    pub policy: Option<&'a str>,
    /// Where a cosigned checkpoint comes from. Without one the log alone signs the tree that ends with the manifest, so that
    /// the same content gives the same packet.
    pub seals: Option<Seals<'a>>,
    /// Where a timestamp comes from, if there shall be one.
    pub stamps: Option<Stamps<'a>>,
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
    /// Whether the checkpoint came from [`PacketRequest::seals`].
    pub cosigned: bool,
}

impl Ledger {
    /// Writes a packet of whole streams with the key events that their signers need. The manifest becomes a record of the
    /// stream `packet/<stream>`; asking again for the same content uses the same manifest. Memory does not grow with the
    /// packet, but for 8 bytes a record and the list of blobs.
    ///
    /// # Errors
    /// [`LedgerError::Rules`] if a stream has no record or the policy does not name this log; [`LedgerError::NotFound`] if a
    /// size in `since` is above the checkpoint's; as [`Ledger::append`]; disk errors.
    pub fn write_packet(&self, request: &PacketRequest<'_>) -> Result<PacketInfo, LedgerError> {
        let dir = match request.out.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let mut fresh = Fresh::create(dir, 0o644)?;
        let info = self.write_packet_into(request, &mut fresh)?;
        fresh.sync()?;
        fresh.publish(request.out)?;
        disk::real_sync_dir(dir)?;
        Ok(info)
    }

    /// As [`Ledger::write_packet`], into a writer of the caller, who makes it durable; [`PacketRequest::out`] is its name in errors.
    ///
    /// # Errors
    /// As [`Ledger::write_packet`]; what the writer says.
    pub fn write_packet_into(
        &self,
        request: &PacketRequest<'_>,
        out: impl Write,
    ) -> Result<PacketInfo, LedgerError> {
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
        let cosigned = request.seals.and_then(|seals| seals());
        let is_cosigned = cosigned.is_some();
        let (checkpoint, note) = self.seal(manifest.index, cosigned)?;
        self.reach(checkpoint.size)?;
        if let Some(size) = request.since.iter().find(|size| **size > checkpoint.size) {
            return Err(LedgerError::NotFound(format!("{size} leaves")));
        }
        let timestamp = request
            .stamps
            .map(|stamps| stamps(&note))
            .transpose()
            .map_err(|text| LedgerError::Refused {
                stream: request.stream.to_owned(),
                text: format!("no timestamp: {text}"),
            })?;
        let mut since = request.since.to_vec();
        since.extend(self.query(|connection| earlier_packets(connection, manifest.index))?);
        since.extend(
            self.sealed_sizes()?
                .iter()
                .filter(|n| **n < checkpoint.size),
        );
        since.sort_unstable();
        since.dedup();
        let seal = Seal {
            manifest: manifest.index,
            checkpoint: note,
            since,
            timestamp,
        };
        let mut out = Counted {
            inner: BufWriter::with_capacity(256 * 1024, out),
            hasher: Hasher::default(),
            size: 0,
        };
        let connection = lock(&self.reader);
        let mut source = Source {
            ledger: self,
            outside: request.outside,
            connection: &connection,
            tiles: Tiles::new(&connection),
            size: checkpoint.size,
            last: None,
        };
        packet::write(&mut out, &contents, &seal, &mut source)
            .map_err(|e| named(e, request.out))?;
        out.flush()
            .map_err(|e| LedgerError::io("write", request.out, &e))?;
        let (size, digest) = out.finish();
        drop(connection);
        if checkpoint.size != manifest.index + 1 {
            self.note_sealed_size(checkpoint.size)?;
        }
        Ok(PacketInfo {
            path: request.out.to_owned(),
            size,
            digest,
            records: contents.tally.count,
            blobs: contents.blobs.len() as u64,
            omitted: contents.omitted,
            manifest,
            tree_size: checkpoint.size,
            cosigned: is_cosigned,
        })
    }

    /// The checkpoint of a packet: the cosigned one if it covers the manifest, else one over the tree that ends with it.
    fn seal(&self, manifest: u64, cosigned: Option<String>) -> Result<Signed, LedgerError> {
        let path = self.layout.witnessed();
        if let Some(note) = cosigned {
            let (checkpoint, note) = recover::open_note(note, &self.vkey, &path)?;
            let size = checkpoint.size;
            if size <= manifest || size > self.size()? || self.root_at(size)? != checkpoint.root {
                return Err(LedgerError::corrupt(
                    &path,
                    format!(
                        "the cosigned checkpoint over {size} records is none of this log, or too old"
                    ),
                ));
            }
            return Ok((checkpoint, note));
        }
        let size = manifest + 1;
        let checkpoint = Checkpoint {
            origin: self.vkey.name().to_owned(),
            size,
            root: self.root_at(size)?,
        };
        let note = lock(self.sequencer()?).sign(&checkpoint);
        Ok((checkpoint, note))
    }

    /// The sizes of the trees that packets were sealed with, where these do not end with a manifest; oldest first.
    fn sealed_sizes(&self) -> Result<Vec<u64>, LedgerError> {
        // Nothing depends on it but the convenience of readers: what cannot be read is written anew.
        let text = match self.layout.read_small(&self.layout.sealed()) {
            Err(LedgerError::Corrupt { .. }) => None,
            other => other?,
        };
        Ok(text
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.parse().ok())
            .collect())
    }

    fn note_sealed_size(&self, size: u64) -> Result<(), LedgerError> {
        let mut sizes = self.sealed_sizes()?;
        if sizes.contains(&size) {
            return Ok(());
        }
        sizes.push(size);
        let newest = &sizes[sizes.len().saturating_sub(LINKED)..];
        let text: String = newest.iter().map(|n| format!("{n}\n")).collect();
        self.layout
            .write_durably(&self.layout.sealed(), text.as_bytes(), 0o644)
    }

    fn contents(&self, request: &PacketRequest<'_>) -> Result<Contents, LedgerError> {
        let mut streams = vec![request.stream];
        for stream in request.extra_streams {
            if !streams.contains(&stream.as_str()) {
                streams.push(stream);
            }
        }
        let controller = lock(self.sequencer()?).controller();
        self.reached()?;
        let (records, tally, streams) = self.query(|connection| {
            let records = choose(connection, &streams, controller)?;
            let (tally, heads) = tally(connection, &records, &streams)?;
            Ok((records, tally, heads))
        })?;
        if records.len() > MAX_RECORDS {
            return Err(LedgerError::Refused {
                stream: request.stream.to_owned(),
                text: format!(
                    "{} records; a packet holds at most {MAX_RECORDS}",
                    records.len()
                ),
            });
        }
        let mut blobs = Vec::new();
        let mut omitted = Vec::new();
        for digest in request.blobs.iter().collect::<BTreeSet<_>>() {
            let outside = request.outside.and_then(|files| files.get(digest));
            let hashed = match outside {
                // What was erased stays out, wherever its bytes still lie.
                Some(_) if self.erasure(digest)?.is_some() => {
                    Err(LedgerError::BlobMissing(*digest))
                }
                Some(path) => hash_file(path, digest),
                None => self.hash_blob(digest),
            };
            match hashed {
                Ok(size) => blobs.push(Blob {
                    digest: *digest,
                    size,
                }),
                Err(LedgerError::BlobMissing(blob)) => omitted.push(Omitted {
                    blob,
                    reason: match self.erasure(&blob)? {
                        Some((index, why)) => format!("erased by record {index}: {why}"),
                        None => "the ledger does not hold it".into(),
                    },
                }),
                Err(other) => return Err(other),
            }
        }
        let policy = match request.policy {
            Some(text) => text.to_owned(),
            None => Policy::log_only(self.vkey.clone()).to_text(),
        };
        Ok(Contents {
            stream: request.stream.to_owned(),
            streams,
            records,
            tally,
            blobs,
            omitted,
            verdict: request.verdict.to_owned(),
            log: self.vkey.clone(),
            policy,
        })
    }
}

/// The indexes of the streams' records, and of the key events about everybody who signed any of them, in turn; ascending.
fn choose(connection: &Connection, streams: &[&str], controller: KeyId) -> Sql<Vec<u64>> {
    let mut chosen = Vec::new();
    let mut signers = BTreeSet::from([*controller.digest()]);
    let mut by_stream = connection
        .prepare_cached("SELECT idx, signer FROM record WHERE stream = ?1 ORDER BY seq")?;
    let mut by_key = connection.prepare_cached(
        "SELECT idx, signer FROM record
         WHERE idx IN (SELECT since FROM enrolled WHERE key = ?1 UNION SELECT revoked FROM enrolled WHERE key = ?1)",
    )?;
    let mut take = |rows: &mut rusqlite::Rows<'_>, signers: &mut BTreeSet<Digest>| -> Sql<()> {
        while let Some(row) = rows.next()? {
            chosen.push(row.get::<_, i64>(0)?.cast_unsigned());
            signers.insert(index::digest_at(row, 1)?);
        }
        Ok(())
    };
    for stream in streams {
        take(&mut by_stream.query([stream])?, &mut signers)?;
    }
    let mut known = BTreeSet::new();
    while let Some(signer) = signers.pop_first() {
        if known.insert(signer) {
            take(&mut by_key.query([signer.as_bytes()])?, &mut signers)?;
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

/// Goes through the records as the packet will hold them: their tally, and where each stream ends.
fn tally(
    connection: &Connection,
    records: &[u64],
    streams: &[&str],
) -> Sql<(packet::Tally, Vec<StreamHead>)> {
    let mut tally = RecordsDigest::default();
    let mut heads: Vec<StreamHead> = streams
        .iter()
        .map(|stream| StreamHead {
            stream: (*stream).to_owned(),
            count: 0,
            head: Digest::of(b""),
        })
        .collect();
    let mut by_index =
        connection.prepare_cached("SELECT leaf, digest, stream FROM record WHERE idx = ?1")?;
    for index in records {
        by_index.query_row([index.cast_signed()], |row| {
            tally.push(&index::digest_at(row, 0)?);
            let stream = row.get_ref(2)?.as_str()?;
            if let Some(head) = heads.iter_mut().find(|head| head.stream == stream) {
                head.count += 1;
                head.head = index::digest_at(row, 1)?;
            }
            Ok(())
        })?;
    }
    Ok((tally.finish(), heads))
}

/// The sizes of the trees that the newest packets before the manifest `before` were sealed with.
fn earlier_packets(connection: &Connection, before: u64) -> Sql<Vec<u64>> {
    connection
        .prepare_cached(
            "SELECT idx FROM record WHERE kind = ?1 AND idx < ?2 ORDER BY idx DESC LIMIT ?3",
        )?
        .query_map(
            rusqlite::params![MANIFEST_KIND, before.cast_signed(), LINKED as i64],
            |row| Ok(row.get::<_, i64>(0)?.cast_unsigned() + 1),
        )?
        .collect()
}

/// Checks the digest of a file that holds a blob; returns its size.
fn hash_file(path: &Path, digest: &Digest) -> Result<u64, LedgerError> {
    let fault = |e: std::io::Error| LedgerError::io("read", path, &e);
    let mut file = File::open(path).map_err(fault)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(got) => {
                hasher.update(&buffer[..got]);
                size += got as u64;
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(fault(e)),
        }
    }
    if hasher.finish() == *digest {
        Ok(size)
    } else {
        Err(LedgerError::corrupt(path, "its bytes have another digest"))
    }
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
    outside: Option<&'a BTreeMap<Digest, PathBuf>>,
    connection: &'a Connection,
    tiles: Tiles<'a>,
    size: u64,
    /// The path that was made last: the next leaf's is nearly the same.
    last: Option<(u64, Vec<Digest>)>,
}

impl PacketSource for Source<'_> {
    type Error = LedgerError;

    fn record(&mut self, index: u64) -> Result<(Envelope, PublicKey), LedgerError> {
        let entry = index::by_index(self.connection, index)
            .map_err(|e| index::failure(&self.ledger.layout.index(), &e))?
            .ok_or_else(|| LedgerError::NotFound(index.to_string()))?;
        let frame = self.ledger.frame(&entry)?;
        Ok((frame.envelope, frame.signer))
    }

    fn path(&mut self, index: u64) -> Result<Vec<Digest>, LedgerError> {
        let known = self.last.as_ref().map(|(at, path)| (*at, &path[..]));
        let path = merkle::inclusion_path_beside(&mut self.tiles, index, self.size, known)
            .map_err(|e| index::failure(&self.ledger.layout.index(), &e))?;
        self.last = Some((index, path.clone()));
        Ok(path)
    }

    fn consistency(&mut self, old: u64) -> Result<Vec<Digest>, LedgerError> {
        merkle::consistency_path(&mut self.tiles, old, self.size)
            .map_err(|e| index::failure(&self.ledger.layout.index(), &e))
    }

    fn blob(&mut self, digest: &Digest) -> Result<Box<dyn Read + '_>, LedgerError> {
        if let Some(path) = self.outside.and_then(|files| files.get(digest)) {
            let file = File::open(path).map_err(|e| LedgerError::io("read", path, &e))?;
            return Ok(Box::new(file));
        }
        Ok(Box::new(self.ledger.open_blob(digest)?))
    }
}

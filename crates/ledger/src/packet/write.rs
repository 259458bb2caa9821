//! Puts a packet together: first the manifest's body, which the caller records in the log, then the archive.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use gonogo_core::{Digest, canonical};
use serde_json::json;

use super::archive::{ArchiveError, Reader, Writer};
use super::{
    CHECKPOINT, DESCRIPTION, FORMAT, LOG_VKEY, MANIFEST, MANIFEST_PROOF, Manifest, Omitted,
    StreamHead, blob_member, proof_member, record_member,
};
use crate::error::Error;
use crate::note::Vkey;
use crate::tlog_proof::TlogProof;

/// A record that goes into a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its leaf's index in the log.
    pub index: u64,
    /// Its stream.
    pub stream: String,
    /// Digest of its statement's bytes.
    pub statement: Digest,
    /// Digest of its envelope's stored form.
    pub envelope: Digest,
}

/// A blob that goes into a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blob {
    /// Its name.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// What goes into a packet.
#[derive(Debug, Clone)]
pub struct Contents {
    /// The stream that the packet is about.
    pub stream: String,
    /// The streams that are held whole, `stream` among them. Records of other streams may only be key events.
    pub streams: Vec<String>,
    /// Records, ascending by index.
    pub records: Vec<Record>,
    /// Blobs, ascending by digest, without repeats.
    pub blobs: Vec<Blob>,
    /// Blobs left out.
    pub omitted: Vec<Omitted>,
    /// The log key.
    pub log: Vkey,
}

impl Contents {
    /// Returns the manifest that lists all this.
    ///
    /// # Errors
    /// [`Error::Packet`] if a stream has no record.
    pub fn manifest(&self) -> Result<Manifest, Error> {
        let mut members = BTreeMap::new();
        members.insert(DESCRIPTION.to_owned(), Digest::of(&self.description()?));
        members.insert(LOG_VKEY.to_owned(), Digest::of(self.vkey_text().as_bytes()));
        for (n, record) in self.records.iter().enumerate() {
            members.insert(record_member(n), record.envelope);
        }
        for blob in &self.blobs {
            members.insert(blob_member(&blob.digest), blob.digest);
        }
        let streams = self
            .streams
            .iter()
            .map(|stream| {
                let of_stream = self.records.iter().filter(|r| &r.stream == stream);
                let last = of_stream.clone().next_back().ok_or_else(|| {
                    Error::Packet(format!("the ledger holds no record of stream `{stream}`"))
                })?;
                Ok(StreamHead {
                    stream: stream.clone(),
                    count: of_stream.count() as u64,
                    head: last.statement,
                })
            })
            .collect::<Result<_, Error>>()?;
        Ok(Manifest {
            members,
            streams,
            omitted: self.omitted.clone(),
            records: self.records.len() as u64,
            blobs: self.blobs.len() as u64,
        })
    }

    fn description(&self) -> Result<Vec<u8>, Error> {
        canonical::to_vec(&json!({
            "format": FORMAT, "origin": self.log.name(), "stream": self.stream,
            "records": self.records.len(), "blobs": self.blobs.len(),
        }))
        .map_err(|e| Error::Packet(e.to_string()))
    }

    fn vkey_text(&self) -> String {
        format!("{}\n", self.log)
    }
}

/// What seals a packet: the recorded manifest and a checkpoint that covers it and every record.
#[derive(Debug, Clone)]
pub struct Seal {
    /// The manifest's envelope, stored form.
    pub manifest: Vec<u8>,
    /// The manifest's leaf index.
    pub index: u64,
    /// The checkpoint, a whole note. Every path must lead to its root.
    pub checkpoint: String,
}

/// Gives the bytes that go into a packet.
pub trait PacketSource {
    /// Why bytes could not be given.
    type Error: From<io::Error> + From<Error>;

    /// Returns the stored form of the envelope at `index`.
    ///
    /// # Errors
    /// The source's.
    fn envelope(&mut self, index: u64) -> Result<Vec<u8>, Self::Error>;

    /// Returns the audit path of the leaf at `index` in the checkpoint's tree.
    ///
    /// # Errors
    /// The source's.
    fn path(&mut self, index: u64) -> Result<Vec<Digest>, Self::Error>;

    /// Opens a blob.
    ///
    /// # Errors
    /// The source's.
    fn blob(&mut self, digest: &Digest) -> Result<Box<dyn Read + '_>, Self::Error>;
}

/// Writes the packet. Holds one record in memory at a time; blobs are copied.
///
/// # Errors
/// The source's and the writer's; [`Error::Packet`] if an envelope is not the one that the manifest lists.
pub fn write<W: Write, S: PacketSource>(
    out: W,
    contents: &Contents,
    seal: &Seal,
    source: &mut S,
) -> Result<W, S::Error> {
    let mut archive = Writer::new(out);
    for blob in &contents.blobs {
        let reader = source.blob(&blob.digest)?;
        archive.append_from(&blob_member(&blob.digest), blob.size, reader)?;
    }
    archive.append(CHECKPOINT, seal.checkpoint.as_bytes())?;
    archive.append(MANIFEST, &seal.manifest)?;
    archive.append(DESCRIPTION, &contents.description()?)?;
    for (n, record) in contents.records.iter().enumerate() {
        let proof = proof(source, record.index, seal)?;
        archive.append(&proof_member(n), proof.as_bytes())?;
    }
    let proof = proof(source, seal.index, seal)?;
    archive.append(MANIFEST_PROOF, proof.as_bytes())?;
    for (n, record) in contents.records.iter().enumerate() {
        let envelope = source.envelope(record.index)?;
        if Digest::of(&envelope) != record.envelope {
            let text = format!(
                "record {} changed while the packet was written",
                record.index
            );
            return Err(Error::Packet(text).into());
        }
        archive.append(&record_member(n), &envelope)?;
    }
    archive.append(LOG_VKEY, contents.vkey_text().as_bytes())?;
    Ok(archive.finish()?)
}

fn proof<S: PacketSource>(source: &mut S, index: u64, seal: &Seal) -> Result<String, S::Error> {
    let proof = TlogProof {
        index,
        path: source.path(index)?,
        checkpoint: seal.checkpoint.clone(),
    };
    Ok(proof.to_text())
}

/// Returns a blob of a packet, at most `limit` bytes of it, after checking its digest; `None` if it is not there.
///
/// # Errors
/// [`ArchiveError`] if the packet cannot be read, or the blob is larger or has another digest.
pub fn extract_blob(
    packet: impl Read,
    digest: &Digest,
    limit: u64,
) -> Result<Option<Vec<u8>>, ArchiveError> {
    let wanted = blob_member(digest);
    let mut reader = Reader::new(packet);
    while let Some(member) = reader.next_member()? {
        if member.name != wanted {
            reader.digest(&member)?;
            continue;
        }
        if member.size > limit {
            return Err(ArchiveError::Form(format!(
                "`{wanted}` has {} bytes, more than {limit}",
                member.size
            )));
        }
        let bytes = reader.bytes(&member)?;
        if Digest::of(&bytes) != *digest {
            return Err(ArchiveError::Form(format!("`{wanted}` has another digest")));
        }
        return Ok(Some(bytes));
    }
    Ok(None)
}

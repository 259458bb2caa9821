//! Puts a packet together: first the manifest's body, which the caller records in the log, then the archive.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use gonogo_core::{Digest, canonical};
use serde_json::json;

use super::archive::{ArchiveError, Reader, Writer};
use super::{
    CHECKPOINT, DESCRIPTION, FORMAT, MANIFEST, MANIFEST_PROOF, Manifest, Omitted, POLICY,
    RecordsDigest, SUMS, StreamHead, TIMESTAMP, TRUSTED_ROOT, Tally, blob_member,
    consistency_member, proof_member, record_member, sums_line,
};
use crate::bundle::{Bundle, Bundles};
use crate::dsse::Envelope;
use crate::error::Error;
use crate::key::PublicKey;
use crate::note::{Checkpoint, Vkey};
use crate::policy::Policy;
use crate::tlog_proof::TlogProof;
use crate::{leaf, merkle, trusted_root};

/// A blob that goes into a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blob {
    /// Its name.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// What goes into a packet. Holds 8 bytes for a record, whatever its size.
#[derive(Debug, Clone)]
pub struct Contents {
    /// The stream that the packet is about.
    pub stream: String,
    /// The streams that are held whole, `stream` among them. Records of other streams may only be key events.
    pub streams: Vec<StreamHead>,
    /// The records' leaf indexes, ascending.
    pub records: Vec<u64>,
    /// Count and digest of these records: [`RecordsDigest`].
    pub tally: Tally,
    /// Blobs, ascending by digest, without repeats.
    pub blobs: Vec<Blob>,
    /// Blobs left out.
    pub omitted: Vec<Omitted>,
    /// What the maker says that the packet shows.
    pub verdict: String,
    /// The log key.
    pub log: Vkey,
    /// The policy's text; the log is in it.
    pub policy: String,
}

impl Contents {
    /// Returns the manifest that commits to all this.
    ///
    /// # Errors
    /// [`Error::Packet`] if a stream has no record, or the policy does not know the log.
    pub fn manifest(&self) -> Result<Manifest, Error> {
        if let Some(empty) = self.streams.iter().find(|s| s.count == 0) {
            return Err(Error::Packet(format!(
                "the ledger holds no record of stream `{}`",
                empty.stream
            )));
        }
        let policy = Policy::parse(&self.policy)?;
        if !policy.logs().iter().any(|log| log.vkey == self.log) {
            return Err(Error::Packet(format!(
                "the policy does not name this log; add the line `log {}`",
                self.log
            )));
        }
        let (sums, count) = self.sums()?;
        Ok(Manifest {
            streams: self.streams.clone(),
            records: self.tally,
            members: Tally {
                count,
                digest: Digest::of(sums.as_bytes()),
            },
            omitted: self.omitted.clone(),
            verdict: self.verdict.clone(),
        })
    }

    /// The list of the members that are older than the manifest, and how many they are.
    fn sums(&self) -> Result<(String, u64), Error> {
        let mut out = String::new();
        for blob in &self.blobs {
            out.push_str(&sums_line(&blob.digest, &blob_member(&blob.digest)));
        }
        let root = trusted_root::of_log(&self.log)?;
        let small = [
            (DESCRIPTION, &self.description()?[..]),
            (POLICY, self.policy.as_bytes()),
            (TRUSTED_ROOT, &root),
        ];
        for (name, bytes) in &small {
            out.push_str(&sums_line(&Digest::of(bytes), name));
        }
        Ok((out, (self.blobs.len() + small.len()) as u64))
    }

    fn description(&self) -> Result<Vec<u8>, Error> {
        description(
            self.log.name(),
            &self.stream,
            self.tally.count,
            self.blobs.len() as u64,
        )
    }
}

/// Returns the bytes of `packet.json`.
pub(crate) fn description(
    origin: &str,
    stream: &str,
    records: u64,
    blobs: u64,
) -> Result<Vec<u8>, Error> {
    canonical::to_vec(&json!({
        "format": FORMAT, "origin": origin, "stream": stream, "records": records, "blobs": blobs,
    }))
    .map_err(|e| Error::Packet(e.to_string()))
}

/// What seals a packet: the recorded manifest and a checkpoint that covers it and every record.
#[derive(Debug, Clone)]
pub struct Seal {
    /// The manifest's leaf index.
    pub manifest: u64,
    /// The checkpoint, a whole note with its cosignatures. Every path must lead to its root.
    pub checkpoint: String,
    /// Sizes of older trees to prove consistency with; 0 and what is not below the checkpoint's size are passed over.
    pub since: Vec<u64>,
    /// An RFC 3161 response over the checkpoint's bytes.
    pub timestamp: Option<Vec<u8>>,
}

/// Gives the bytes that go into a packet.
pub trait PacketSource {
    /// Why bytes could not be given.
    type Error: From<io::Error> + From<Error>;

    /// Returns the record at `index` and its signer's key.
    ///
    /// # Errors
    /// The source's.
    fn record(&mut self, index: u64) -> Result<(Envelope, PublicKey), Self::Error>;

    /// Returns the audit path of the leaf at `index` in the checkpoint's tree.
    ///
    /// # Errors
    /// The source's.
    fn path(&mut self, index: u64) -> Result<Vec<Digest>, Self::Error>;

    /// Returns the proof that the checkpoint's tree extends the tree of `old` leaves.
    ///
    /// # Errors
    /// The source's.
    fn consistency(&mut self, old: u64) -> Result<Vec<Digest>, Self::Error>;

    /// Opens a blob.
    ///
    /// # Errors
    /// The source's.
    fn blob(&mut self, digest: &Digest) -> Result<Box<dyn Read + '_>, Self::Error>;
}

/// Writes the packet. Holds one record in memory at a time; blobs are copied.
///
/// # Errors
/// The source's and the writer's; [`Error::Packet`] if the records are not those that the contents count;
/// [`Error::Note`] or [`Error::Signature`] if the checkpoint is not the log's.
pub fn write<W: Write, S: PacketSource>(
    out: W,
    contents: &Contents,
    seal: &Seal,
    source: &mut S,
) -> Result<W, S::Error> {
    let state = Checkpoint::open(&seal.checkpoint, &contents.log)?;
    let bundles = Bundles::new(
        contents.log.full_id(),
        &seal.checkpoint,
        state.size,
        &state.root,
    )?;
    let mut archive = Writer::new(out);
    archive.append(SUMS, contents.sums()?.0.as_bytes())?;
    for blob in &contents.blobs {
        let reader = source.blob(&blob.digest)?;
        archive.append_from(&blob_member(&blob.digest), blob.size, reader)?;
    }
    archive.append(CHECKPOINT, seal.checkpoint.as_bytes())?;
    if let Some(response) = &seal.timestamp {
        archive.append(TIMESTAMP, response)?;
    }
    let since: BTreeMap<String, u64> = seal
        .since
        .iter()
        .filter(|old| (1..state.size).contains(old))
        .map(|old| (consistency_member(*old), *old))
        .collect();
    for (name, old) in since {
        archive.append(
            &name,
            merkle::path_to_text(&source.consistency(old)?).as_bytes(),
        )?;
    }
    let manifest = bundle(source, seal.manifest)?;
    archive.append(MANIFEST, &bundles.write(&manifest))?;
    archive.append(DESCRIPTION, &contents.description()?)?;
    let proof = |index, path| {
        let proof = TlogProof {
            index,
            path,
            checkpoint: seal.checkpoint.clone(),
        };
        proof.to_text()
    };
    for (n, index) in contents.records.iter().enumerate() {
        let text = proof(*index, source.path(*index)?);
        archive.append(&proof_member(n), text.as_bytes())?;
    }
    let text = proof(seal.manifest, manifest.path);
    archive.append(MANIFEST_PROOF, text.as_bytes())?;
    let mut tally = RecordsDigest::default();
    for (n, index) in contents.records.iter().enumerate() {
        let bundle = bundle(source, *index)?;
        let body = leaf::body(&bundle.envelope, &bundle.key);
        tally.push(&merkle::leaf_hash(&body));
        archive.append(&record_member(n), &bundles.write_with(&bundle, &body))?;
    }
    if tally.finish() != contents.tally {
        return Err(Error::Packet("the records changed while it was written".into()).into());
    }
    archive.append(POLICY, contents.policy.as_bytes())?;
    archive.append(TRUSTED_ROOT, &trusted_root::of_log(&contents.log)?)?;
    Ok(archive.finish()?)
}

fn bundle<S: PacketSource>(source: &mut S, index: u64) -> Result<Bundle, S::Error> {
    let (envelope, key) = source.record(index)?;
    Ok(Bundle {
        envelope,
        key,
        index,
        path: source.path(index)?,
    })
}

/// Returns whether a packet holds a blob of this name.
///
/// # Errors
/// [`ArchiveError`] if the packet cannot be read.
pub fn holds_blob(packet: impl Read, digest: &Digest) -> Result<bool, ArchiveError> {
    let wanted = blob_member(digest);
    let mut reader = Reader::new(packet);
    while let Some(member) = reader.next_member()? {
        if member.name == wanted {
            return Ok(true);
        }
        reader.digest(&member)?;
    }
    Ok(false)
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

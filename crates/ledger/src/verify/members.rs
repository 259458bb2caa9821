//! The first steps: the archive's form, and the manifest's list against what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use gonogo_core::{Digest, Reason};

use super::report::Findings;
use crate::dsse::Envelope;
use crate::error::Error;
use crate::packet::archive::{ArchiveError, Member, Reader};
use crate::packet::{
    CHECKPOINT, MANIFEST, MANIFEST_KIND, MANIFEST_PROOF, Manifest, Place, proof_member,
};
use crate::statement::Statement;
use crate::{MAX_ENVELOPE, packet};

/// What a verifier is ready to read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many members.
    pub members: usize,
    /// How many bytes of records, proofs and signed members together; they are held in memory.
    pub held: u64,
    /// How many bytes of blobs together; they are only hashed.
    pub blobs: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            members: 200_000,
            held: 256 << 20,
            blobs: 64 << 30,
        }
    }
}

/// The members of a packet; blobs only by digest.
pub(super) struct Members {
    held: BTreeMap<String, Vec<u8>>,
    blobs: BTreeSet<Digest>,
}

/// The manifest, read from the very bytes whose signature is checked later.
pub(super) struct ReadManifest {
    pub(super) envelope: Envelope,
    pub(super) statement: Statement,
    pub(super) list: Manifest,
}

/// Reads the archive. Returns `None` if it is not one; the finding is noted.
pub(super) fn read(
    packet: impl Read,
    limits: &Limits,
    notes: &mut Findings,
) -> Result<Option<Members>, ArchiveError> {
    let mut reader = Reader::new(packet);
    let mut members = Members {
        held: BTreeMap::new(),
        blobs: BTreeSet::new(),
    };
    let mut room = *limits;
    loop {
        match members.read_next(&mut reader, &mut room) {
            Ok(true) => {}
            Ok(false) => break,
            Err(Stop::Archive(ArchiveError::Form(text))) => {
                notes.fail("archive", Reason::PacketCorrupt, text);
                return Ok(None);
            }
            Err(Stop::Archive(other)) => return Err(other),
            Err(Stop::Refused(reason, text)) => {
                notes.fail("archive", reason, text);
                return Ok(None);
            }
        }
    }
    let count = members.held.len() + members.blobs.len();
    notes.pass("archive", format!("{count} members in the one form"));
    Ok(Some(members))
}

enum Stop {
    Archive(ArchiveError),
    Refused(Reason, String),
}

impl From<ArchiveError> for Stop {
    fn from(e: ArchiveError) -> Self {
        Self::Archive(e)
    }
}

impl Members {
    fn read_next(
        &mut self,
        reader: &mut Reader<impl Read>,
        room: &mut Limits,
    ) -> Result<bool, Stop> {
        let Some(member) = reader.next_member()? else {
            return Ok(false);
        };
        let Some(place) = Place::of(&member.name) else {
            return Err(Stop::Refused(
                Reason::PacketMemberAdded,
                format!("`{}` is no part of a packet", member.name.escape_debug()),
            ));
        };
        let too_large = |member: &Member| {
            Stop::Refused(
                Reason::PacketCorrupt,
                format!("`{}` is larger than this verifier reads", member.name),
            )
        };
        room.members = room
            .members
            .checked_sub(1)
            .ok_or_else(|| too_large(&member))?;
        if let Place::Blob(name) = place {
            room.blobs = room
                .blobs
                .checked_sub(member.size)
                .ok_or_else(|| too_large(&member))?;
            let digest = reader.digest(&member)?;
            if digest != name {
                return Err(Stop::Refused(
                    Reason::PacketCorrupt,
                    format!("`{}` has the digest {digest}", member.name),
                ));
            }
            self.blobs.insert(digest);
            return Ok(true);
        }
        if member.size > MAX_ENVELOPE as u64 {
            return Err(too_large(&member));
        }
        room.held = room
            .held
            .checked_sub(member.size)
            .ok_or_else(|| too_large(&member))?;
        let bytes = reader.bytes(&member)?;
        self.held.insert(member.name, bytes);
        Ok(true)
    }

    pub(super) fn bytes(&self, name: &str) -> Result<&[u8], Error> {
        let found = self.held.get(name).map(Vec::as_slice);
        found.ok_or_else(|| Error::Packet(format!("`{name}` is missing")))
    }

    pub(super) fn text(&self, name: &str) -> Result<&str, Error> {
        std::str::from_utf8(self.bytes(name)?)
            .map_err(|_| Error::Packet(format!("`{name}` is not UTF-8")))
    }

    /// Compares the manifest's list with the members. The manifest is not yet verified: a wrong list can only make the
    /// packet fail, and its signature is checked over the bytes read here.
    pub(super) fn check_manifest(&self, notes: &mut Findings) -> Option<ReadManifest> {
        if !self.held.contains_key(MANIFEST) {
            notes.fail(
                "members",
                Reason::PacketMemberMissing,
                format!("`{MANIFEST}` is missing"),
            );
            return None;
        }
        let read = match self.read_manifest() {
            Ok(read) => read,
            Err(e) => {
                notes.fail(
                    "members",
                    Reason::PacketCorrupt,
                    format!("`{MANIFEST}`: {e}"),
                );
                return None;
            }
        };
        let wrong = self.compare(&read.list);
        let clean = wrong.is_empty();
        let text = format!(
            "{} members as the manifest lists them",
            read.list.members.len()
        );
        notes.conclude("members", wrong, text);
        clean.then_some(read)
    }

    fn read_manifest(&self) -> Result<ReadManifest, Error> {
        let envelope = Envelope::parse(self.bytes(MANIFEST)?)?;
        let statement = Statement::parse(envelope.payload())?;
        if statement.kind != MANIFEST_KIND {
            return Err(Error::Packet(format!(
                "it is a `{}` record",
                statement.kind
            )));
        }
        let list = Manifest::from_body(statement.body.clone())?;
        Ok(ReadManifest {
            envelope,
            statement,
            list,
        })
    }

    fn compare(&self, list: &Manifest) -> Vec<(Reason, String)> {
        let mut missing = Vec::new();
        let mut changed = Vec::new();
        let mut records = 0;
        let mut blobs = 0;
        for (name, digest) in &list.members {
            let found = match Place::of(name) {
                Some(Place::Blob(blob)) => {
                    blobs += 1;
                    self.blobs.get(&blob).copied()
                }
                Some(Place::Listed) => {
                    records += usize::from(name.starts_with("records/"));
                    self.held.get(name).map(|bytes| Digest::of(bytes))
                }
                _ => None,
            };
            match found {
                None => missing.push(name.clone()),
                Some(found) if found != *digest => changed.push(name),
                Some(_) => {}
            }
        }
        let proofs: BTreeSet<String> = (0..records).map(proof_member).collect();
        for name in proofs
            .iter()
            .map(String::as_str)
            .chain([CHECKPOINT, MANIFEST_PROOF])
        {
            if !self.held.contains_key(name) {
                missing.push(name.to_owned());
            }
        }
        for name in [packet::DESCRIPTION, packet::LOG_VKEY] {
            if !list.members.contains_key(name) {
                missing.push(name.to_owned());
            }
        }
        let added = self.held.keys().filter(|name| match Place::of(name) {
            Some(Place::Signed) => false,
            Some(Place::Proof) => *name != MANIFEST_PROOF && !proofs.contains(*name),
            _ => !list.members.contains_key(*name),
        });
        let added_blobs = self
            .blobs
            .iter()
            .map(packet::blob_member)
            .filter(|name| !list.members.contains_key(name));
        let mut wrong: Vec<(Reason, String)> = missing
            .into_iter()
            .map(|n| (Reason::PacketMemberMissing, format!("`{n}` is missing")))
            .collect();
        wrong.extend(added.cloned().chain(added_blobs).map(|n| {
            (
                Reason::PacketMemberAdded,
                format!("`{n}` is not in the manifest"),
            )
        }));
        wrong.extend(changed.into_iter().map(|n| {
            (
                Reason::PacketCorrupt,
                format!("`{n}` has another digest than the manifest says"),
            )
        }));
        if list.records != records as u64 || list.blobs != blobs {
            wrong.push((
                Reason::PacketCorrupt,
                "the manifest's counts do not match its list".into(),
            ));
        }
        wrong
    }

    /// Notes the blobs, all of whose digests were checked while reading, and what was left out.
    pub(super) fn check_omitted(&self, list: &Manifest, notes: &mut Findings) {
        notes.blobs = self.blobs.iter().copied().collect();
        let wrong = list
            .omitted
            .iter()
            .map(|o| {
                (
                    Reason::PacketIncomplete,
                    format!("{} is left out: {}", o.blob, o.reason),
                )
            })
            .collect();
        let text = format!(
            "{} blobs have the digests that they are named by",
            self.blobs.len()
        );
        notes.conclude("blobs", wrong, text);
    }
}

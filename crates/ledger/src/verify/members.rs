//! One pass over the archive: its form, the members against `SHA256SUMS` and the manifest, and every record on its way to
//! the workers and back.
//!
//! What is held: the small members, `SHA256SUMS`, 32 bytes of each proof until its record has come, and a few chunks of
//! records that are being worked on.

use std::io::{BufReader, Read};
use std::sync::Arc;

use gonogo_core::{Digest, Reason};

use super::examine::{Context, Examined, Wanted, examine};
use super::history::Proof;
use super::pool::{self, Pool};
use super::report::{Findings, Step};
use super::sums::Sums;
use super::walk::{Walk, Walked};
use super::work::{Chunk, Done, Job, work};
use super::{Limits, Request};
use crate::bundle::{self, Bundles, MAX_BUNDLE};
use crate::error::Error;
use crate::merkle::path_from_text;
use crate::note::{Checkpoint, Note};
use crate::packet::archive::{ArchiveError, Member, Reader};
use crate::packet::{
    CHECKPOINT, DESCRIPTION, MANIFEST, MANIFEST_KIND, MANIFEST_PROOF, MAX_CONSISTENCY, MAX_PROOF,
    MAX_SMALL, Manifest, POLICY, Place, SUMS, TRUSTED_ROOT, proof_member, record_member,
};

/// How many bytes of records or proofs go to a worker at once, unless one alone is larger.
const CHUNK: usize = 128 << 10;

/// How many bytes of the packet are read at once.
const BUFFER: usize = 256 << 10;

/// Small members that are compared with what they should be.
#[derive(Default)]
pub(super) struct Small {
    pub(super) description: Vec<u8>,
    pub(super) policy: Vec<u8>,
    pub(super) trusted_root: Vec<u8>,
    pub(super) blobs: u64,
}

/// What a whole archive held.
pub(super) struct Members {
    pub(super) checkpoint: Arc<Context>,
    pub(super) timestamp: Option<Vec<u8>>,
    pub(super) proofs: Vec<Proof>,
    pub(super) small: Small,
    pub(super) manifest: Manifest,
    pub(super) walked: Walked,
    pub(super) blobs: Vec<Digest>,
}

/// Reads the archive. Returns `None` if it is not one, or holds no manifest to go by; why is noted.
pub(super) fn read(
    packet: impl Read,
    request: &Request<'_>,
    notes: &mut Findings,
) -> Result<Option<Members>, ArchiveError> {
    let wanted = Wanted {
        keep: request.keep,
        artifact: request.artifact.as_ref(),
    };
    let ended = pool::run(
        request.workers,
        |job| work(job, wanted),
        |pool| {
            let buffered = BufReader::with_capacity(BUFFER, packet);
            Pass::new(request, wanted, pool, notes).run(buffered)
        },
    );
    match ended {
        Ok(members) => Ok(members),
        Err(Stop::Archive(ArchiveError::Form(text))) => {
            notes.fail(Step::Archive, Reason::PacketCorrupt, text);
            Ok(None)
        }
        Err(Stop::Archive(other)) => Err(other),
        Err(Stop::Refused(reason, text)) => {
            notes.fail(Step::Archive, reason, text);
            Ok(None)
        }
    }
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

struct Pass<'a> {
    request: &'a Request<'a>,
    wanted: Wanted<'a>,
    pool: &'a mut Pool<Job, Done>,
    notes: &'a mut Findings,
    room: Limits,
    count: usize,
    sums: Option<Sums>,
    checkpoint: Option<String>,
    timestamp: Option<Vec<u8>>,
    consistency: Vec<Proof>,
    sealed: Option<Sealed>,
    small: Small,
    blobs: Vec<Digest>,
    seen: Seen,
    proofs: Vec<Digest>,
    chunk: Chunk,
    next_proof: usize,
    next_record: usize,
}

/// Which of the members that every packet has were there.
#[derive(Default)]
struct Seen {
    description: bool,
    policy: bool,
    trusted_root: bool,
    manifest: bool,
    manifest_proof: bool,
}

/// The manifest, and what it makes possible.
struct Sealed {
    context: Arc<Context>,
    manifest: Manifest,
    record: Examined,
    proof: String,
    walk: Walk,
}

impl<'a> Pass<'a> {
    fn new(
        request: &'a Request<'a>,
        wanted: Wanted<'a>,
        pool: &'a mut Pool<Job, Done>,
        notes: &'a mut Findings,
    ) -> Self {
        Self {
            request,
            wanted,
            pool,
            notes,
            room: request.limits,
            count: 0,
            sums: None,
            checkpoint: None,
            timestamp: None,
            consistency: Vec::new(),
            sealed: None,
            small: Small::default(),
            blobs: Vec::new(),
            seen: Seen::default(),
            proofs: Vec::new(),
            chunk: Chunk::default(),
            next_proof: 0,
            next_record: 0,
        }
    }

    fn run(mut self, packet: impl Read) -> Result<Option<Members>, Stop> {
        let mut reader = Reader::new(packet);
        while let Some(member) = reader.next_member()? {
            self.member(&mut reader, &member)?;
        }
        self.notes.pass(
            Step::Archive,
            format!("{} members in the one form", self.count),
        );
        self.flush_records();
        Ok(self.end())
    }

    fn member<R: Read>(&mut self, reader: &mut Reader<R>, member: &Member) -> Result<(), Stop> {
        let name = member.name.as_str();
        let Some(place) = Place::of(name) else {
            return Err(Stop::Refused(
                Reason::PacketMemberAdded,
                format!("`{}` is no part of a packet", name.escape_debug()),
            ));
        };
        self.count += 1;
        let limit = match place {
            Place::Sums => self.room.sums,
            Place::Blob(_) => self.room.blobs,
            Place::Manifest | Place::Record(_) => MAX_BUNDLE as u64,
            Place::Proof(_) | Place::ManifestProof => MAX_PROOF as u64,
            _ => MAX_SMALL as u64,
        };
        if member.size > limit || self.count > self.room.members {
            return Err(Stop::Refused(
                Reason::PacketCorrupt,
                format!("`{name}` is more than this verifier reads"),
            ));
        }
        match place {
            Place::Blob(digest) => {
                self.room.blobs -= member.size;
                let found = reader.digest(member)?;
                if found != digest {
                    let text = format!("`{name}` has the digest {found}");
                    return Err(Stop::Refused(Reason::PacketCorrupt, text));
                }
                self.blobs.push(digest);
                self.small.blobs += 1;
                self.listed(name, &digest);
            }
            Place::Proof(n) => self.proof(reader, member, n)?,
            Place::Record(n) => self.record(reader, member, n)?,
            _ => {
                let bytes = reader.bytes(member)?;
                self.single(place, name, bytes);
            }
        }
        Ok(())
    }

    /// Takes a member of which there is one, or a few.
    fn single(&mut self, place: Place, name: &str, bytes: Vec<u8>) {
        match place {
            Place::Sums => match Sums::read(bytes) {
                Ok(sums) => self.sums = Some(sums),
                Err(e) => self.corrupt(name, &e),
            },
            Place::Checkpoint => match String::from_utf8(bytes) {
                Ok(text) => self.checkpoint = Some(text),
                Err(_) => self.corrupt(name, &Error::Note("not UTF-8".into())),
            },
            Place::Timestamp => self.timestamp = Some(bytes),
            Place::Consistency(size) => {
                let path = std::str::from_utf8(&bytes)
                    .map_err(|_| Error::Proof("not UTF-8".into()))
                    .and_then(path_from_text);
                match path {
                    Ok(_) if self.consistency.len() == MAX_CONSISTENCY => {
                        self.corrupt(name, &Error::Proof("there are too many".into()));
                    }
                    Ok(path) => self.consistency.push((size, path)),
                    Err(e) => self.corrupt(name, &e),
                }
            }
            Place::Manifest => {
                self.seen.manifest = true;
                if let Err(e) = self.seal(&bytes) {
                    self.corrupt(name, &e);
                }
            }
            Place::ManifestProof => {
                self.seen.manifest_proof = true;
                let other = self
                    .sealed
                    .as_ref()
                    .is_some_and(|sealed| sealed.proof.as_bytes() != bytes);
                if other {
                    let e = Error::Proof("it is not the proof in the manifest's bundle".into());
                    self.corrupt(name, &e);
                }
            }
            Place::Description => {
                self.seen.description = true;
                self.listed(name, &Digest::of(&bytes));
                self.small.description = bytes;
            }
            Place::Policy => {
                self.seen.policy = true;
                self.listed(name, &Digest::of(&bytes));
                self.small.policy = bytes;
            }
            Place::TrustedRoot => {
                self.seen.trusted_root = true;
                self.listed(name, &Digest::of(&bytes));
                self.small.trusted_root = bytes;
            }
            Place::Blob(_) | Place::Proof(_) | Place::Record(_) => {}
        }
    }

    /// Reads the manifest, from bytes whose signature is verified here; who signed it is checked after the last record.
    fn seal(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(note) = self.checkpoint.clone() else {
            return Ok(());
        };
        let state = Checkpoint::read_unverified(&Note::parse(&note)?)?;
        let log_id = bundle::claimed_log_id(bytes)?;
        let context = Arc::new(Context {
            bundles: Bundles::new(log_id, &note, state.size, &state.root)?,
            note,
            size: state.size,
            root: state.root,
        });
        let keep_all = Wanted {
            keep: &|_, _| true,
            ..self.wanted
        };
        let (mut record, proof) = examine(bytes, &context, keep_all)?;
        let statement = match &mut record.said {
            Ok(said) => said.whole.take(),
            Err(_) => None,
        };
        let Some(statement) = statement else {
            let (step, reason, text) = record.refusal();
            self.notes
                .fail(step, reason, format!("the manifest: {text}"));
            return Ok(());
        };
        if statement.kind != MANIFEST_KIND {
            return Err(Error::Packet(format!(
                "it is a `{}` record",
                statement.kind
            )));
        }
        let manifest = Manifest::from_body(statement.body)?;
        let walk = Walk::new(
            &manifest,
            &statement.stream,
            self.request.limits.kept,
            self.notes,
        );
        self.sealed = Some(Sealed {
            context,
            manifest,
            record,
            proof,
            walk,
        });
        Ok(())
    }

    fn proof<R: Read>(
        &mut self,
        reader: &mut Reader<R>,
        member: &Member,
        n: usize,
    ) -> Result<(), Stop> {
        if self.gap(&member.name, n, self.next_proof, proof_member) {
            reader.digest(member)?;
            return Ok(());
        }
        self.next_proof += 1;
        reader.append_to(member, &mut self.chunk.bytes)?;
        self.chunk.ends.push(self.chunk.bytes.len());
        if self.chunk.bytes.len() >= CHUNK {
            self.flush_proofs(4);
        }
        Ok(())
    }

    fn record<R: Read>(
        &mut self,
        reader: &mut Reader<R>,
        member: &Member,
        n: usize,
    ) -> Result<(), Stop> {
        if self.next_record == 0 {
            self.flush_proofs(0);
        }
        let unproven = n >= self.proofs.len();
        if self.gap(&member.name, n, self.next_record, record_member) || unproven {
            reader.digest(member)?;
            return Ok(());
        }
        self.next_record += 1;
        if self.chunk.ends.is_empty() {
            self.chunk.first = n;
        }
        reader.append_to(member, &mut self.chunk.bytes)?;
        self.chunk.ends.push(self.chunk.bytes.len());
        if self.chunk.bytes.len() >= CHUNK {
            self.send_records();
            self.take(2 * self.request.workers as u64);
        }
        Ok(())
    }

    /// Notes a number that does not follow; whether there was one.
    fn gap(&mut self, name: &str, n: usize, next: usize, member: fn(usize) -> String) -> bool {
        let Some(sealed) = &self.sealed else {
            // Without a manifest there is nothing to hold it against, and that is noted.
            return true;
        };
        if n as u64 >= sealed.manifest.records.count {
            let text = format!("`{name}` is not counted by the manifest");
            self.notes
                .fail(Step::Members, Reason::PacketMemberAdded, text);
            return true;
        }
        if n != next {
            let text = format!("`{}` is missing", member(next));
            self.notes
                .fail(Step::Members, Reason::PacketMemberMissing, text);
        }
        n != next
    }

    fn flush_proofs(&mut self, room: u64) {
        let chunk = std::mem::take(&mut self.chunk);
        if !chunk.ends.is_empty() {
            self.pool.submit(Job::Proofs(chunk));
        }
        self.take(room);
    }

    fn send_records(&mut self) {
        let chunk = std::mem::take(&mut self.chunk);
        if let Some(sealed) = self.sealed.as_ref().filter(|_| !chunk.ends.is_empty()) {
            let proofs = self.proofs[chunk.first..][..chunk.ends.len()].to_vec();
            let context = Arc::clone(&sealed.context);
            self.pool.submit(Job::Records(chunk, proofs, context));
        }
    }

    fn flush_records(&mut self) {
        if self.next_record == 0 {
            self.flush_proofs(0);
        }
        self.send_records();
        self.take(0);
    }

    /// Takes results, and waits for them while more than `room` chunks are under way.
    fn take(&mut self, room: u64) {
        while let Some(done) = self.pool.next(room) {
            match done {
                Done::Proofs(digests) => self.proofs.extend(digests),
                Done::Records(first, records) => {
                    let Some(sealed) = &mut self.sealed else {
                        continue;
                    };
                    for (at, record) in records.into_iter().enumerate() {
                        let name = record_member(first + at);
                        match record {
                            Ok(record) => sealed.walk.record(&name, record, self.notes),
                            Err(e) => self.notes.fail(
                                Step::Members,
                                Reason::PacketCorrupt,
                                format!("`{name}`: {e}"),
                            ),
                        }
                    }
                }
            }
        }
    }

    fn listed(&mut self, name: &str, digest: &Digest) {
        if let Some(sums) = &mut self.sums {
            sums.member(name, digest, self.notes);
        }
    }

    fn corrupt(&mut self, name: &str, e: &Error) {
        let text = format!("`{name}`: {e}");
        self.notes.fail(Step::Members, Reason::PacketCorrupt, text);
    }

    /// Compares the whole with the manifest.
    fn end(mut self) -> Option<Members> {
        let missing: [(bool, &str); 7] = [
            (self.sums.is_some(), SUMS),
            (self.checkpoint.is_some(), CHECKPOINT),
            (self.seen.manifest, MANIFEST),
            (self.seen.description, DESCRIPTION),
            (self.seen.manifest_proof, MANIFEST_PROOF),
            (self.seen.policy, POLICY),
            (self.seen.trusted_root, TRUSTED_ROOT),
        ];
        for (_, name) in missing.iter().filter(|(there, _)| !there) {
            let text = format!("`{name}` is missing");
            self.notes
                .fail(Step::Members, Reason::PacketMemberMissing, text);
        }
        let Sealed {
            context,
            manifest,
            record,
            mut walk,
            ..
        } = self.sealed?;
        let tally = &manifest.records;
        for (next, member) in [
            (self.next_proof, proof_member as fn(usize) -> String),
            (self.next_record, record_member),
        ] {
            if (next as u64) < tally.count {
                let text = format!("`{}` is missing", member(next));
                self.notes
                    .fail(Step::Members, Reason::PacketMemberMissing, text);
            }
        }
        if let Some(sums) = self.sums.take() {
            sums.end(&manifest, self.notes);
        }
        walk.manifest(record, self.notes);
        let walked = walk.end(&manifest, self.notes);
        if !self.notes.failed(Step::Members) && walked.tally != manifest.records {
            let text = "the records are not those that the manifest counts";
            self.notes.fail(Step::Members, Reason::PacketCorrupt, text);
        }
        self.notes.pass(
            Step::Members,
            format!(
                "{} records and {} other members as the manifest says",
                manifest.records.count, manifest.members.count
            ),
        );
        Some(Members {
            checkpoint: context,
            timestamp: self.timestamp,
            proofs: self.consistency,
            small: self.small,
            manifest,
            walked,
            blobs: self.blobs,
        })
    }
}

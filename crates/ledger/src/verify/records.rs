//! The middle steps: each record's inclusion, signature and signer, then the streams.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Reason};

use super::members::{Members, ReadManifest};
use super::report::{Findings, Signer, VerifiedRecord};
use crate::dsse::Envelope;
use crate::error::Error;
use crate::key::{KeyId, PublicKey};
use crate::key_event::{self, CONTROLLER, KeyEvent, SYSTEM_STREAM};
use crate::note::Checkpoint;
use crate::packet::{CHECKPOINT, MANIFEST_PROOF, manifest_stream, proof_member, record_member};
use crate::statement::Statement;
use crate::tlog_proof::TlogProof;
use crate::{leaf, merkle};

pub(super) fn check(
    members: &Members,
    manifest: &ReadManifest,
    checkpoint: &Checkpoint,
    notes: &mut Findings,
) {
    let mut walk = Walk {
        members,
        checkpoint,
        keys: BTreeMap::new(),
        next: 0,
        wrong: BTreeMap::new(),
    };
    let mut records = Vec::new();
    for n in 0..usize::try_from(manifest.list.records).unwrap_or(0) {
        let name = record_member(n);
        match walk.record(&name, &proof_member(n)) {
            Ok(record) => records.push(record),
            Err((check, reason, text)) => walk.note(check, reason, format!("`{name}`: {text}")),
        }
    }
    let subject = (&manifest.envelope, &manifest.statement);
    if let Err((check, reason, text)) = walk.manifest(subject) {
        walk.note(check, reason, format!("the manifest: {text}"));
    }
    let mut wrong = walk.wrong;
    let count = records.len() + 1;
    for (name, text) in [
        (INCLUSION, format!("{count} records are in the log")),
        (SIGNATURES, format!("{count} signatures verify")),
        (
            SIGNERS,
            format!("{} keys were enrolled before they signed", walk.keys.len()),
        ),
    ] {
        notes.conclude(name, wrong.remove(name).unwrap_or_default(), text);
    }
    check_streams(
        manifest,
        &records,
        wrong.remove(STREAMS).unwrap_or_default(),
        notes,
    );
    notes.records = records.into_iter().map(|(record, _)| record).collect();
}

const INCLUSION: &str = "inclusion";
const SIGNATURES: &str = "signatures";
const SIGNERS: &str = "signers";
const STREAMS: &str = "streams";

type Wrong = (&'static str, Reason, String);

struct Enrolled {
    key: PublicKey,
    signer: Signer,
    revoked: bool,
}

/// Goes through the records in the log's order and learns the keys on the way.
struct Walk<'a> {
    members: &'a Members,
    checkpoint: &'a Checkpoint,
    keys: BTreeMap<KeyId, Enrolled>,
    next: u64,
    wrong: BTreeMap<&'static str, Vec<(Reason, String)>>,
}

impl Walk<'_> {
    fn note(&mut self, check: &'static str, reason: Reason, text: String) {
        self.wrong.entry(check).or_default().push((reason, text));
    }

    fn record(
        &mut self,
        name: &str,
        proof: &str,
    ) -> Result<(VerifiedRecord, Option<Digest>), Wrong> {
        let corrupt = |e: Error| (SIGNATURES, Reason::PacketCorrupt, e.to_string());
        let bytes = self.members.bytes(name).map_err(corrupt)?;
        let envelope = Envelope::parse(bytes).map_err(corrupt)?;
        let key = match self.keys.get(&envelope.keyid()) {
            Some(enrolled) => enrolled.key,
            None => self.first_key(&envelope)?,
        };
        let index = self.verify(&envelope, &key, proof)?;
        let statement = Statement::parse(envelope.payload()).map_err(corrupt)?;
        let signer = self.signer(&envelope, &statement, index)?;
        if statement.seen.size > index {
            return Err((
                STREAMS,
                Reason::StreamBroken,
                format!(
                    "it claims to have seen {} leaves and is leaf {index}",
                    statement.seen.size
                ),
            ));
        }
        let prev = statement.prev;
        let record = VerifiedRecord {
            index,
            stream: statement.stream,
            seq: statement.seq,
            key: statement.key,
            kind: statement.kind,
            time: statement.time,
            actor: statement.actor,
            signer,
            subject: statement.subject,
            body: statement.body,
            digest: envelope.statement_digest(),
        };
        Ok((record, prev))
    }

    fn manifest(&mut self, (envelope, statement): (&Envelope, &Statement)) -> Result<(), Wrong> {
        let key = match self.keys.get(&envelope.keyid()) {
            Some(enrolled) => enrolled.key,
            None => return Err(unknown(envelope.keyid())),
        };
        let index = self.verify(envelope, &key, MANIFEST_PROOF)?;
        let signer = self.signer(envelope, statement, index)?;
        if signer.role != CONTROLLER {
            return Err((
                SIGNERS,
                Reason::SignerUnknown,
                format!(
                    "key {} is enrolled as {}, not as controller",
                    signer.key, signer.role
                ),
            ));
        }
        Ok(())
    }

    /// Checks inclusion and signature; returns the leaf's index. Indexes must ascend.
    fn verify(&mut self, envelope: &Envelope, key: &PublicKey, proof: &str) -> Result<u64, Wrong> {
        let outside = |e: Error| (INCLUSION, Reason::InclusionFailed, e.to_string());
        let proof =
            TlogProof::parse(self.members.bytes(proof).map_err(outside)?).map_err(outside)?;
        if proof.checkpoint.as_bytes() != self.members.bytes(CHECKPOINT).map_err(outside)? {
            return Err(outside(Error::Proof(
                "it leads to another checkpoint".into(),
            )));
        }
        if proof.index < self.next {
            return Err(outside(Error::Proof(
                "records are not in the log's order".into(),
            )));
        }
        let hash = leaf::hash(envelope, key);
        let (size, root) = (self.checkpoint.size, &self.checkpoint.root);
        merkle::verify_inclusion(&hash, proof.index, size, &proof.path, root).map_err(outside)?;
        envelope
            .verify(key)
            .map_err(|e| (SIGNATURES, Reason::SignatureInvalid, e.to_string()))?;
        self.next = proof.index + 1;
        Ok(proof.index)
    }

    /// The key of the log's first record, which enrols the key that signs it. The record is believed only once its
    /// inclusion at index 0 and its signature by that key are verified.
    fn first_key(&self, envelope: &Envelope) -> Result<PublicKey, Wrong> {
        let claim = Statement::parse(envelope.payload())
            .and_then(|statement| KeyEvent::from_body(&statement.body));
        match claim {
            Ok(KeyEvent::Enrol { key, .. }) if self.next == 0 && key.id() == envelope.keyid() => {
                Ok(key)
            }
            _ => Err(unknown(envelope.keyid())),
        }
    }

    /// Returns who signed, and learns from key events.
    fn signer(
        &mut self,
        envelope: &Envelope,
        statement: &Statement,
        index: u64,
    ) -> Result<Signer, Wrong> {
        let refuse = |text: String| (SIGNERS, Reason::SignerUnknown, text);
        let is_event = statement.kind == key_event::KIND;
        let by = self.keys.get(&envelope.keyid());
        if by.is_some_and(|enrolled| enrolled.revoked) {
            return Err(refuse(format!(
                "key {} was revoked before",
                envelope.keyid()
            )));
        }
        if !is_event {
            return by
                .map(|enrolled| enrolled.signer.clone())
                .ok_or_else(|| unknown(envelope.keyid()));
        }
        let by = by.map(|enrolled| enrolled.signer.clone());
        let event = KeyEvent::from_body(&statement.body).map_err(|e| refuse(e.to_string()))?;
        if statement.stream != SYSTEM_STREAM {
            return Err(refuse("a key event outside the stream `system`".into()));
        }
        if by.as_ref().is_some_and(|signer| signer.role != CONTROLLER) {
            return Err(refuse("a key event that no controller signed".into()));
        }
        match event {
            KeyEvent::Enrol { key, who, role } => {
                if by.is_none() && (index != 0 || role != CONTROLLER || statement.seq != 0) {
                    return Err(unknown(envelope.keyid()));
                }
                if self.keys.contains_key(&key.id()) {
                    return Err(refuse(format!("key {} is enrolled twice", key.id())));
                }
                let signer = Signer {
                    key: key.id(),
                    who,
                    role,
                };
                let enrolled = Enrolled {
                    key,
                    signer: signer.clone(),
                    revoked: false,
                };
                self.keys.insert(key.id(), enrolled);
                Ok(by.unwrap_or(signer))
            }
            KeyEvent::Revoke { key, .. } => {
                if let Some(enrolled) = self.keys.get_mut(&key) {
                    enrolled.revoked = true;
                }
                by.ok_or_else(|| unknown(envelope.keyid()))
            }
        }
    }
}

fn unknown(key: KeyId) -> Wrong {
    (
        SIGNERS,
        Reason::SignerUnknown,
        format!("key {key} was not enrolled before this record"),
    )
}

fn check_streams(
    manifest: &ReadManifest,
    records: &[(VerifiedRecord, Option<Digest>)],
    mut wrong: Vec<(Reason, String)>,
    notes: &mut Findings,
) {
    let mut broken = |text: String| wrong.push((Reason::StreamBroken, text));
    let mut heads: BTreeMap<&str, (u64, Option<Digest>)> = BTreeMap::new();
    for head in &manifest.list.streams {
        if heads.insert(&head.stream, (0, None)).is_some() {
            broken(format!("the manifest lists stream `{}` twice", head.stream));
        }
    }
    for (record, prev) in records {
        match heads.get_mut(record.stream.as_str()) {
            Some((count, last)) => {
                if record.seq != *count || prev != last {
                    broken(format!(
                        "leaf {} is number {} of stream `{}`; expected number {count} after {}",
                        record.index,
                        record.seq,
                        record.stream,
                        last.map_or("nothing".into(), |d| d.to_string()),
                    ));
                }
                *count = record.seq + 1;
                *last = Some(record.digest);
            }
            None if record.kind == key_event::KIND => {}
            None => broken(format!(
                "leaf {} belongs to stream `{}`, which the manifest does not list",
                record.index, record.stream
            )),
        }
    }
    for head in &manifest.list.streams {
        if heads.get(head.stream.as_str()) != Some(&(head.count, Some(head.head))) {
            broken(format!(
                "stream `{}` does not end where the manifest says",
                head.stream
            ));
        }
    }
    let about = manifest
        .list
        .streams
        .iter()
        .any(|s| manifest.statement.stream == manifest_stream(&s.stream));
    if !about {
        broken(format!(
            "the manifest is in stream `{}`, which belongs to no stream that it lists",
            manifest.statement.stream
        ));
    }
    let text = format!("{} streams without gaps", manifest.list.streams.len());
    notes.conclude(STREAMS, wrong, text);
}

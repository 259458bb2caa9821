//! The records in the log's order: who may sign from which leaf on, what each stream's next record must be, and which
//! records the reader asked for.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Reason};

use super::examine::{Examined, Said, Unsaid};
use super::report::{Findings, Signed, Signer, Step, VerifiedRecord};
use crate::key::{KeyId, PublicKey};
use crate::key_event::{self, CONTROLLER, KeyEvent, SYSTEM_STREAM};
use crate::packet::{MANIFEST_KIND, Manifest, RecordsDigest, Tally, manifest_stream};

/// How many bytes all enrolled keys may take, names included.
const MOST_NAMED: usize = 16 << 20;

/// How many digests plans may give as what they are about besides the artifact. An honest packet has a handful.
const MOST_PLANNED: usize = 4096;

/// Whether the release is about the artifact: the first record of the packet's stream says so, signed by a controller, or is
/// about what a plan before it is about, too.
#[derive(Default)]
struct Artifact {
    found: bool,
    /// What the plans about the artifact are about, too.
    planned: BTreeSet<Digest>,
}

impl Artifact {
    fn learn(&mut self, said: &Said, signer: &Signer, is_own: bool) {
        if is_own && said.seq == 0 {
            let linked = said.subjects.iter().any(|s| self.planned.contains(s));
            self.found |= (said.about || linked) && signer.role == CONTROLLER;
        } else if said.about && said.kind == PLAN && said.stream.starts_with("plan/") {
            let room = MOST_PLANNED.saturating_sub(self.planned.len());
            self.planned.extend(said.subjects.iter().take(room));
        }
    }
}

/// The kind of a record that holds a plan.
const PLAN: &str = "plan";

struct Enrolled {
    signer: Signer,
    revoked: bool,
}

/// How far a stream has come.
#[derive(Default)]
struct Head {
    count: u64,
    last: Option<Digest>,
    /// Who signed in it, and the first leaf that they signed.
    signers: BTreeMap<KeyId, u64>,
}

/// Goes through the records and learns the keys on the way. Holds a little for each key and stream, and the records that
/// were asked for.
pub(super) struct Walk {
    keys: BTreeMap<KeyId, Enrolled>,
    /// About how many bytes the keys take.
    named: usize,
    /// The lowest index that the next record may have.
    next: u64,
    heads: BTreeMap<String, Head>,
    tally: RecordsDigest,
    good: u64,
    kept: Vec<VerifiedRecord>,
    /// Bytes of statements that may still be kept.
    room: u64,
    too_many: bool,
    /// The stream that the packet is about.
    about: Option<String>,
    /// Whether what that stream is about is about the artifact.
    artifact: Artifact,
    /// Leaf 0 and its audit path.
    first: Option<(Digest, Vec<Digest>)>,
}

type Refusal = (Step, Reason, String);

impl Walk {
    pub(super) fn new(manifest: &Manifest, stream: &str, room: u64, notes: &mut Findings) -> Self {
        let mut heads = BTreeMap::new();
        for head in &manifest.streams {
            if heads.insert(head.stream.clone(), Head::default()).is_some() {
                let text = format!("the manifest lists stream `{}` twice", head.stream);
                notes.fail(Step::Streams, Reason::StreamBroken, text);
            }
        }
        let about = manifest
            .streams
            .iter()
            .find(|s| manifest_stream(&s.stream) == stream)
            .map(|s| s.stream.clone());
        if about.is_none() {
            let text = format!(
                "the manifest is in stream `{stream}`, which belongs to no stream that it lists"
            );
            notes.fail(Step::Streams, Reason::StreamBroken, text);
        }
        Self {
            keys: BTreeMap::new(),
            named: 0,
            next: 0,
            heads,
            tally: RecordsDigest::default(),
            good: 0,
            kept: Vec::new(),
            room,
            too_many: false,
            about,
            artifact: Artifact::default(),
            first: None,
        }
    }

    pub(super) fn record(&mut self, name: &str, record: Examined, notes: &mut Findings) {
        self.tally.push(&record.leaf);
        if record.index == 0 {
            self.first = Some((record.leaf, record.path.clone()));
        }
        match self.step(record) {
            Ok(()) => self.good += 1,
            Err((step, reason, text)) => notes.fail(step, reason, format!("`{name}`: {text}")),
        }
    }

    /// Takes the manifest, after the last record.
    pub(super) fn manifest(&mut self, record: Examined, notes: &mut Findings) {
        let check = || {
            let (index, key, keyid) = (record.index, record.key, record.keyid);
            let said = self.sound(record)?;
            let signer = self.signer(&said, index, &key, keyid)?;
            if said.seen > index {
                let text = format!(
                    "it claims to have seen {} leaves and is leaf {index}",
                    said.seen
                );
                Err((Step::Streams, Reason::StreamBroken, text))
            } else if signer.role == CONTROLLER {
                Ok(())
            } else {
                let text = format!(
                    "key {} is enrolled as {}, not as controller",
                    signer.key, signer.role
                );
                Err((Step::Signers, Reason::SignerUnknown, text))
            }
        };
        if let Err((step, reason, text)) = check() {
            notes.fail(step, reason, format!("the manifest: {text}"));
        }
    }

    /// Checks what is to be said of the whole.
    pub(super) fn end(mut self, manifest: &Manifest, notes: &mut Findings) -> Walked {
        let tally = std::mem::take(&mut self.tally).finish();
        for head in &manifest.streams {
            let found = self.heads.get(&head.stream).map(|h| (h.count, h.last));
            if found != Some((head.count, Some(head.head))) {
                let text = format!(
                    "stream `{}` does not end where the manifest says",
                    head.stream
                );
                notes.fail(Step::Streams, Reason::StreamBroken, text);
            }
        }
        let count = self.good + 1;
        notes.pass(Step::Inclusion, format!("{count} records are in the log"));
        notes.pass(Step::Signatures, format!("{count} signatures verify"));
        notes.pass(
            Step::Signers,
            format!("{} keys, enrolled before they signed", self.keys.len()),
        );
        notes.pass(
            Step::Streams,
            format!("{} streams without gaps", manifest.streams.len()),
        );
        notes.records = self.kept;
        for (stream, head) in &self.heads {
            for (key, first) in &head.signers {
                if let Some(enrolled) = self.keys.get(key) {
                    notes.signers.push(Signed {
                        stream: stream.clone(),
                        signer: enrolled.signer.clone(),
                        first: *first,
                    });
                }
            }
        }
        Walked {
            tally,
            too_many: self.too_many,
            about: self.about,
            artifact: self.artifact.found,
            first: self.first,
        }
    }

    fn step(&mut self, record: Examined) -> Result<(), Refusal> {
        let (index, key, keyid) = (record.index, record.key, record.keyid);
        let said = self.sound(record)?;
        let signer = self.signer(&said, index, &key, keyid)?;
        if said.kind == MANIFEST_KIND && signer.role != CONTROLLER {
            let text = format!("leaf {index} is a manifest that no controller signed");
            return Err((Step::Signers, Reason::SignerUnknown, text));
        }
        self.place(&said, &signer, index)?;
        let is_own = self.about.as_ref() == Some(&said.stream);
        self.artifact.learn(&said, &signer, is_own);
        let Some(whole) = said.whole.filter(|_| said.wanted) else {
            return Ok(());
        };
        match self.room.checked_sub(said.size as u64) {
            None => self.too_many = true,
            Some(room) => {
                self.room = room;
                self.kept.push(VerifiedRecord {
                    index,
                    stream: whole.stream,
                    seq: whole.seq,
                    key: whole.key,
                    kind: whole.kind,
                    time: whole.time,
                    actor: whole.actor,
                    signer,
                    subject: whole.subject,
                    body: whole.body,
                    digest: said.digest,
                });
            }
        }
        Ok(())
    }

    /// Inclusion, order and signature.
    fn sound(&mut self, record: Examined) -> Result<Said, Refusal> {
        let outside = |text: String| (Step::Inclusion, Reason::InclusionFailed, text);
        record.inclusion.map_err(|e| outside(e.to_string()))?;
        if record.index < self.next {
            return Err(outside("records are not in the log's order".into()));
        }
        self.next = record.index + 1;
        record.said.map_err(|unsaid| match unsaid {
            Unsaid::Signature(e) => (Step::Signatures, Reason::SignatureInvalid, e.to_string()),
            Unsaid::Statement(e) => (Step::Signatures, Reason::PacketCorrupt, e.to_string()),
        })
    }

    /// The record's place in its stream.
    fn place(&mut self, said: &Said, signer: &Signer, index: u64) -> Result<(), Refusal> {
        let broken = |text: String| (Step::Streams, Reason::StreamBroken, text);
        if said.seen > index {
            return Err(broken(format!(
                "it claims to have seen {} leaves and is leaf {index}",
                said.seen
            )));
        }
        match self.heads.get_mut(&said.stream) {
            Some(head) => {
                let fits = said.seq == head.count && said.prev == head.last;
                let expected = (head.count, head.last);
                head.count = said.seq.saturating_add(1);
                head.last = Some(said.digest);
                head.signers.entry(signer.key).or_insert(index);
                if fits {
                    return Ok(());
                }
                Err(broken(format!(
                    "leaf {index} is number {} of stream `{}`; expected number {} after {}",
                    said.seq,
                    said.stream,
                    expected.0,
                    expected.1.map_or("nothing".into(), |d| d.to_string()),
                )))
            }
            None if said.kind == key_event::KIND => Ok(()),
            None => Err(broken(format!(
                "leaf {index} belongs to stream `{}`, which the manifest does not list",
                said.stream
            ))),
        }
    }

    /// Returns who signed, and learns from key events.
    fn signer(
        &mut self,
        said: &Said,
        index: u64,
        key: &PublicKey,
        keyid: KeyId,
    ) -> Result<Signer, Refusal> {
        let refuse = |text: String| (Step::Signers, Reason::SignerUnknown, text);
        let unknown = || refuse(format!("key {keyid} was not enrolled before this record"));
        let by = self.keys.get(&keyid);
        if by.is_some_and(|enrolled| enrolled.revoked) {
            return Err(refuse(format!("key {keyid} was revoked before")));
        }
        let by = by.map(|enrolled| enrolled.signer.clone());
        if said.kind != key_event::KIND {
            return by.ok_or_else(unknown);
        }
        let body = said.whole.as_ref().map(|s| &s.body);
        let event = body
            .ok_or_else(unknown)
            .and_then(|body| KeyEvent::from_body(body).map_err(|e| refuse(e.to_string())))?;
        if said.stream != SYSTEM_STREAM {
            return Err(refuse("a key event outside the stream `system`".into()));
        }
        if by.as_ref().is_some_and(|signer| signer.role != CONTROLLER) {
            return Err(refuse("a key event that no controller signed".into()));
        }
        match event {
            KeyEvent::Enrol {
                key: enrolled,
                who,
                role,
            } => {
                // Leaf 0 enrols the controller that signs it: the log's key vouches for it.
                let founds = index == 0 && said.seq == 0 && role == CONTROLLER && enrolled == *key;
                if by.is_none() && !founds {
                    return Err(unknown());
                }
                let id = enrolled.id();
                if self.keys.contains_key(&id) {
                    return Err(refuse(format!("key {id} is enrolled twice")));
                }
                // Names come from the packet and are held as long as the walk lasts.
                self.named += who.len() + role.len() + 256;
                if self.named > MOST_NAMED {
                    return Err(refuse(
                        "there are more keys than this verifier holds".into(),
                    ));
                }
                let signer = Signer { key: id, who, role };
                let entry = Enrolled {
                    signer: signer.clone(),
                    revoked: false,
                };
                self.keys.insert(id, entry);
                Ok(by.unwrap_or(signer))
            }
            KeyEvent::Revoke { key, .. } => {
                let signer = by.ok_or_else(unknown)?;
                if let Some(enrolled) = self.keys.get_mut(&key) {
                    enrolled.revoked = true;
                }
                Ok(signer)
            }
        }
    }
}

/// What the walk showed of the whole.
pub(super) struct Walked {
    pub(super) tally: Tally,
    pub(super) too_many: bool,
    pub(super) about: Option<String>,
    pub(super) artifact: bool,
    pub(super) first: Option<(Digest, Vec<Digest>)>,
}

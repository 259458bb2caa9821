//! A small log in memory that makes packets as the store does, and lets tests cheat.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture of tests; a panic is their failure"
)]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, Read};

use gonogo_core::{Digest, Timestamp};
use gonogo_ledger::merkle::{self, Finished, Frontier, HashSource};
use gonogo_ledger::packet::{self, Blob, Contents, PacketSource, RecordsDigest, Seal, StreamHead};
use gonogo_ledger::{
    CONTROLLER, Checkpoint, Envelope, Error, KeyEvent, LogKey, Policy, PublicKey, SYSTEM_STREAM,
    Seen, SigningKey, Statement, Subject, Tool, leaf,
};
use serde_json::Value;

pub(crate) const STREAM: &str = "operation/op_000000000000";

pub(crate) struct Log {
    pub(crate) key: LogKey,
    pub(crate) controller: SigningKey,
    pub(crate) entries: Vec<Entry>,
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
    /// The leaf whose path is to be given wrongly.
    pub(crate) bent: Option<u64>,
    pub(crate) heads: BTreeMap<String, (u64, Option<Digest>)>,
    frontier: Frontier,
    stored: Vec<Vec<Digest>>,
}

pub(crate) struct Entry {
    pub(crate) stream: String,
    pub(crate) envelope: Envelope,
    pub(crate) key: PublicKey,
}

impl Log {
    pub(crate) fn new(origin: &str) -> Self {
        let mut log = Self::unfounded(origin);
        let body = enrol(&log.controller, "controller@test", CONTROLLER);
        log.append(SYSTEM_STREAM, "key-event", body);
        log
    }

    /// A log without its first record.
    pub(crate) fn unfounded(origin: &str) -> Self {
        let key = LogKey::load(origin, &LogKey::generate().unwrap()).unwrap();
        Self::with_keys(key, new_key())
    }

    /// A log of these keys without its first record.
    pub(crate) fn with_keys(key: LogKey, controller: SigningKey) -> Self {
        Self {
            key,
            controller,
            entries: Vec::new(),
            blobs: BTreeMap::new(),
            bent: None,
            heads: BTreeMap::new(),
            frontier: Frontier::default(),
            stored: vec![Vec::new()],
        }
    }

    /// Appends a record signed by the controller.
    pub(crate) fn append(&mut self, stream: &str, kind: &str, body: Value) {
        let statement = self.statement(stream, kind, body);
        self.append_statement(&statement, None);
    }

    pub(crate) fn append_statement(&mut self, statement: &Statement, key: Option<&SigningKey>) {
        let key = key.unwrap_or(&self.controller);
        let envelope = Envelope::sign(statement.to_bytes().unwrap(), key).unwrap();
        self.append_envelope(&statement.stream, envelope, *key.public());
    }

    /// Appends an envelope as it is.
    pub(crate) fn append_envelope(&mut self, stream: &str, envelope: Envelope, key: PublicKey) {
        let leaf = leaf::hash(&envelope, &key);
        self.stored[0].push(leaf);
        for Finished { level, hash, .. } in self.frontier.push(leaf) {
            let level = level as usize;
            self.stored
                .resize(self.stored.len().max(level + 1), Vec::new());
            self.stored[level].push(hash);
        }
        let head = self.heads.entry(stream.into()).or_default();
        *head = (head.0 + 1, Some(envelope.statement_digest()));
        self.entries.push(Entry {
            stream: stream.into(),
            key,
            envelope,
        });
    }

    /// The next correct statement of a stream.
    pub(crate) fn statement(&self, stream: &str, kind: &str, body: Value) -> Statement {
        let (seq, prev) = self.heads.get(stream).copied().unwrap_or_default();
        Statement {
            kind: kind.into(),
            subject: vec![Subject {
                name: stream.into(),
                digest: Digest::of(stream.as_bytes()),
            }],
            stream: stream.into(),
            seq,
            prev,
            key: format!("{kind}/{seq}"),
            time: Timestamp::from_millis(1_795_000_000_000 + seq as i64),
            actor: "test".into(),
            tool: Tool {
                name: "gonogo".into(),
                version: "0.1.0".into(),
            },
            seen: Seen {
                size: self.frontier.size(),
                root: self.frontier.root(),
            },
            trace: None,
            body,
        }
    }

    pub(crate) fn put_blob(&mut self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.blobs.insert(digest, bytes.to_vec());
        digest
    }

    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            origin: self.key.vkey().name().into(),
            size: self.frontier.size(),
            root: self.frontier.root(),
        }
    }

    /// The honest choice: the stream and every key event.
    pub(crate) fn contents(&self) -> Contents {
        self.contents_of(|e| e.stream == STREAM || e.stream == SYSTEM_STREAM)
    }

    pub(crate) fn contents_of(&self, keep: impl Fn(&Entry) -> bool) -> Contents {
        let entries = self.entries.iter().enumerate();
        let records = entries
            .filter(|(_, e)| keep(e))
            .map(|(index, _)| index as u64)
            .collect();
        self.contents_with(records)
    }

    /// The records of these indexes, in this order.
    pub(crate) fn contents_with(&self, records: Vec<u64>) -> Contents {
        let mut tally = RecordsDigest::default();
        let mut head = StreamHead {
            stream: STREAM.into(),
            count: 0,
            head: Digest::of(b""),
        };
        for index in &records {
            let entry = &self.entries[*index as usize];
            tally.push(&self.stored[0][*index as usize]);
            if entry.stream == STREAM {
                head.count += 1;
                head.head = entry.envelope.statement_digest();
            }
        }
        Contents {
            stream: STREAM.into(),
            streams: vec![head],
            records,
            tally: tally.finish(),
            blobs: self
                .blobs
                .iter()
                .map(|(digest, bytes)| Blob {
                    digest: *digest,
                    size: bytes.len() as u64,
                })
                .collect(),
            omitted: Vec::new(),
            verdict: "promoted".into(),
            log: self.key.vkey().clone(),
            policy: Policy::log_only(self.key.vkey().clone()).to_text(),
        }
    }

    /// Records the manifest and writes the packet.
    pub(crate) fn packet(&mut self, contents: &Contents) -> Vec<u8> {
        self.record_manifest(contents);
        self.seal(contents)
    }

    pub(crate) fn record_manifest(&mut self, contents: &Contents) {
        let body = contents.manifest().unwrap().to_body();
        self.append(
            &packet::manifest_stream(STREAM),
            packet::MANIFEST_KIND,
            body,
        );
    }

    /// Writes the packet with the last record as its manifest.
    pub(crate) fn seal(&mut self, contents: &Contents) -> Vec<u8> {
        let seal = self.seal_of();
        self.write(contents, &seal)
    }

    /// The seal by the last record.
    pub(crate) fn seal_of(&self) -> Seal {
        Seal {
            manifest: self.entries.len() as u64 - 1,
            checkpoint: self.checkpoint().sign(&self.key),
            since: Vec::new(),
            timestamp: None,
        }
    }

    pub(crate) fn write(&mut self, contents: &Contents, seal: &Seal) -> Vec<u8> {
        packet::write(Vec::new(), contents, seal, self).unwrap()
    }

    /// The proof that the first `new` leaves extend the first `old`.
    pub(crate) fn proof(&self, old: u64, new: u64) -> Vec<Digest> {
        merkle::consistency_path(&mut Stored(&self.stored), old, new).unwrap()
    }
}

impl PacketSource for Log {
    type Error = Failure;

    fn record(&mut self, index: u64) -> Result<(Envelope, PublicKey), Failure> {
        let entry = &self.entries[index as usize];
        Ok((entry.envelope.clone(), entry.key))
    }

    fn path(&mut self, index: u64) -> Result<Vec<Digest>, Failure> {
        let size = self.frontier.size();
        let mut path = merkle::inclusion_path(&mut Stored(&self.stored), index, size).unwrap();
        if self.bent == Some(index) {
            path[0] = Digest::of(b"bent");
        }
        Ok(path)
    }

    fn consistency(&mut self, old: u64) -> Result<Vec<Digest>, Failure> {
        Ok(self.proof(old, self.frontier.size()))
    }

    fn blob(&mut self, digest: &Digest) -> Result<Box<dyn Read + '_>, Failure> {
        Ok(Box::new(&self.blobs[digest][..]))
    }
}

struct Stored<'a>(&'a [Vec<Digest>]);

impl HashSource for Stored<'_> {
    type Error = Infallible;

    fn hashes(&mut self, level: u32, start: u64, count: usize) -> Result<Vec<Digest>, Infallible> {
        Ok(self.0[level as usize][start as usize..][..count].to_vec())
    }
}

/// Any failure, for `unwrap`.
#[derive(Debug)]
#[expect(dead_code, reason = "shown by `Debug` when a test fails")]
pub(crate) enum Failure {
    Io(io::Error),
    Ledger(Error),
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Self::Ledger(e)
    }
}

pub(crate) fn new_key() -> SigningKey {
    SigningKey::load(&SigningKey::generate().unwrap()).unwrap()
}

pub(crate) fn enrol(key: &SigningKey, who: &str, role: &str) -> Value {
    KeyEvent::Enrol {
        key: *key.public(),
        who: who.into(),
        role: role.into(),
    }
    .to_body()
}

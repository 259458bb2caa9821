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
use gonogo_ledger::packet::{self, Blob, Contents, PacketSource, Record, Seal};
use gonogo_ledger::{
    CONTROLLER, Checkpoint, Envelope, Error, KeyEvent, LogKey, SYSTEM_STREAM, Seen, SigningKey,
    Statement, Subject, Tool, leaf,
};
use serde_json::Value;

pub(crate) const STREAM: &str = "operation/op_000000000000";

pub(crate) struct Log {
    pub(crate) key: LogKey,
    pub(crate) controller: SigningKey,
    pub(crate) entries: Vec<Entry>,
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
    frontier: Frontier,
    stored: Vec<Vec<Digest>>,
}

pub(crate) struct Entry {
    pub(crate) stream: String,
    pub(crate) envelope: Envelope,
}

impl Log {
    pub(crate) fn new(origin: &str) -> Self {
        let mut log = Self {
            key: LogKey::load(origin, &LogKey::generate().unwrap()).unwrap(),
            controller: new_key(),
            entries: Vec::new(),
            blobs: BTreeMap::new(),
            frontier: Frontier::default(),
            stored: vec![Vec::new()],
        };
        let body = enrol(&log.controller, "controller@test", CONTROLLER);
        log.append(SYSTEM_STREAM, "key-event", body);
        log
    }

    /// Appends a record signed by the controller.
    pub(crate) fn append(&mut self, stream: &str, kind: &str, body: Value) {
        let statement = self.statement(stream, kind, body);
        self.append_statement(&statement, None);
    }

    pub(crate) fn append_statement(&mut self, statement: &Statement, key: Option<&SigningKey>) {
        let key = key.unwrap_or(&self.controller);
        let envelope = Envelope::sign(statement.to_bytes().unwrap(), key).unwrap();
        let leaf = leaf::hash(&envelope, key.public());
        self.stored[0].push(leaf);
        for Finished { level, hash, .. } in self.frontier.push(leaf) {
            let level = level as usize;
            self.stored
                .resize(self.stored.len().max(level + 1), Vec::new());
            self.stored[level].push(hash);
        }
        self.entries.push(Entry {
            stream: statement.stream.clone(),
            envelope,
        });
    }

    /// The next correct statement of a stream.
    pub(crate) fn statement(&self, stream: &str, kind: &str, body: Value) -> Statement {
        let of_stream = self.entries.iter().filter(|e| e.stream == stream);
        let seq = of_stream.clone().count() as u64;
        Statement {
            kind: kind.into(),
            subject: vec![Subject {
                name: stream.into(),
                digest: Digest::of(stream.as_bytes()),
            }],
            stream: stream.into(),
            seq,
            prev: of_stream
                .clone()
                .next_back()
                .map(|e| e.envelope.statement_digest()),
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
        Contents {
            stream: STREAM.into(),
            streams: vec![STREAM.into()],
            records: entries
                .filter(|(_, e)| keep(e))
                .map(|(index, e)| Record {
                    index: index as u64,
                    stream: e.stream.clone(),
                    statement: e.envelope.statement_digest(),
                    envelope: Digest::of(&e.envelope.to_bytes()),
                })
                .collect(),
            blobs: self
                .blobs
                .iter()
                .map(|(digest, bytes)| Blob {
                    digest: *digest,
                    size: bytes.len() as u64,
                })
                .collect(),
            omitted: Vec::new(),
            log: self.key.vkey().clone(),
        }
    }

    /// Records the manifest and writes the packet.
    pub(crate) fn packet(&mut self, contents: &Contents) -> Vec<u8> {
        let body = contents.manifest().unwrap().to_body();
        self.append(
            &packet::manifest_stream(STREAM),
            packet::MANIFEST_KIND,
            body,
        );
        self.seal(contents)
    }

    /// Writes the packet with the last record as its manifest.
    pub(crate) fn seal(&mut self, contents: &Contents) -> Vec<u8> {
        let index = self.entries.len() - 1;
        let seal = Seal {
            manifest: self.entries[index].envelope.to_bytes(),
            index: index as u64,
            checkpoint: self.checkpoint().sign(&self.key),
        };
        packet::write(Vec::new(), contents, &seal, self).unwrap()
    }
}

impl PacketSource for Log {
    type Error = Failure;

    fn envelope(&mut self, index: u64) -> Result<Vec<u8>, Failure> {
        Ok(self.entries[index as usize].envelope.to_bytes())
    }

    fn path(&mut self, index: u64) -> Result<Vec<Digest>, Failure> {
        let size = self.frontier.size();
        Ok(merkle::inclusion_path(&mut Stored(&self.stored), index, size).unwrap())
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

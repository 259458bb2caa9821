//! Checkpoints: the three lines by which a log commits to a tree (c2sp.org/tlog-checkpoint v1.0.0).
//!
//! Our own have exactly three lines. Extension lines are tolerated in those of foreign logs only, where a witness meets
//! them; they are never interpreted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::Digest;

use super::{KeyKind, Note, Vkey, parse_decimal};
use crate::error::Error;
use crate::key::LogKey;
use crate::merkle;

/// The largest tree a checkpoint may speak of. Other implementations count leaves in signed 64-bit integers.
pub const MAX_TREE: u64 = i64::MAX as u64;

/// The state of a log: its origin, number of leaves and root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root over them (RFC 6962).
    pub root: Digest,
}

impl Checkpoint {
    /// Signs the checkpoint; the result is a whole note.
    pub fn sign(&self, key: &LogKey) -> String {
        let text = self.text();
        let line = super::signature_line(key.vkey(), &key.sign(text.as_bytes()));
        format!("{text}\n{line}")
    }

    /// Verifies a note and reads the checkpoint in it. The origin must be the key's name; extension lines are refused, and
    /// so is an empty tree with another root than the empty one.
    ///
    /// # Errors
    /// [`Error::Note`] or [`Error::Signature`].
    pub fn open(note: &str, key: &Vkey) -> Result<Self, Error> {
        let checkpoint = Self::verified(&Note::parse(note)?, key, false)?;
        if checkpoint.size == 0 && checkpoint.root != merkle::empty_root() {
            return Err(Error::Note(
                "an empty tree with a root that is not the empty one".into(),
            ));
        }
        Ok(checkpoint)
    }

    /// Verifies a note of a log that is not ours and reads the checkpoint in it. Extension lines are tolerated and left out.
    ///
    /// # Errors
    /// [`Error::Note`] or [`Error::Signature`].
    pub fn open_foreign(note: &Note, key: &Vkey) -> Result<Self, Error> {
        Self::verified(note, key, true)
    }

    /// Reads a checkpoint from a note's text without looking at any signature, tolerating extension lines: for finding the
    /// key by the origin, and for comparing checkpoints that were verified before.
    ///
    /// # Errors
    /// [`Error::Note`] if the text is no checkpoint.
    pub fn read_unverified(note: &Note) -> Result<Self, Error> {
        Self::parse(note.text(), true)
    }

    /// Returns the root as the note writes it.
    pub fn root_base64(&self) -> String {
        STANDARD.encode(self.root.as_bytes())
    }

    /// Returns the note's text: origin, size and root, a line each.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root_base64())
    }

    fn verified(note: &Note, key: &Vkey, extended: bool) -> Result<Self, Error> {
        if key.kind() != KeyKind::Ed25519 {
            return Err(Error::Note(format!(
                "key {} is of kind {}, a log's key is of kind {}",
                key.label(),
                key.kind(),
                KeyKind::Ed25519
            )));
        }
        let checkpoint = Self::parse(note.verify(key)?, extended)?;
        if checkpoint.origin != key.name() {
            return Err(Error::Note(format!(
                "the checkpoint is of log `{}`, the key of log `{}`",
                checkpoint.origin,
                key.name()
            )));
        }
        Ok(checkpoint)
    }

    fn parse(text: &str, extended: bool) -> Result<Self, Error> {
        let bad = |what: &str| Error::Note(what.to_owned());
        let body = text
            .strip_suffix('\n')
            .ok_or_else(|| bad("the last line is not ended"))?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(bad("a checkpoint has three lines"));
        };
        if origin.is_empty() {
            return Err(bad("a checkpoint without origin"));
        }
        for line in lines {
            if !extended {
                return Err(bad("a checkpoint has three lines, no extension lines"));
            }
            if line.is_empty() {
                return Err(bad("an empty extension line"));
            }
        }
        let root = merkle::digest_from_base64(root)
            .ok_or_else(|| bad("the root is not 32 bytes in base64"))?;
        let size = parse_decimal(size).ok_or_else(|| bad("the size is no decimal number"))?;
        if size > MAX_TREE {
            return Err(bad("the size is larger than any tree"));
        }
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
        })
    }
}

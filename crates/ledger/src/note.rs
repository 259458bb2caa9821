//! C2SP signed notes, their keys and the checkpoints they carry (c2sp.org/signed-note v1.0.0, c2sp.org/tlog-checkpoint
//! v1.0.0).
//!
//! A checkpoint says: the log `origin` has `size` leaves and this root. Whoever trusts the log key trusts exactly that.
//! Cosignatures are lines of the same note; [`crate::cosignature`] knows what they sign.
//!
//! Invariants: a note has exactly one spelling (writing what was read gives the same bytes), unknown keys are ignored, and
//! one bad signature by a known key spoils the note.

mod checkpoint;
mod vkey;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::error::Error;

pub use checkpoint::{Checkpoint, MAX_TREE};
pub use vkey::{KeyKind, Vkey};

/// How many signature lines a note may have; C2SP asks readers to accept at least 16.
pub const MAX_SIGNATURES: usize = 64;

/// The longest note, in bytes: room for [`MAX_SIGNATURES`] post-quantum signatures and a text.
pub const MAX_NOTE: usize = 1 << 20;

/// A signed note, read but not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The signer's name.
    pub name: String,
    /// The signer's key id.
    pub id: [u8; 4],
    /// The signature, in the form that the key's kind has; at least one byte.
    pub bytes: Vec<u8>,
}

impl NoteSignature {
    fn parse(line: &str) -> Result<Self, Error> {
        let bad = |what: &str| Error::Note(what.to_owned());
        let (name, blob) = line
            .strip_prefix("— ")
            .and_then(|rest| rest.split_once(' '))
            .ok_or_else(|| bad("a line after the blank line is no signature"))?;
        let blob = STANDARD
            .decode(blob)
            .map_err(|e| bad(&format!("signature: {e}")))?;
        let (id, bytes) = blob
            .split_first_chunk::<4>()
            .filter(|(_, bytes)| !bytes.is_empty())
            .ok_or_else(|| bad("a signature no longer than its key id"))?;
        if !vkey::is_name(name) {
            return Err(bad("a signer without a usable name"));
        }
        Ok(Self {
            name: name.to_owned(),
            id: *id,
            bytes: bytes.to_vec(),
        })
    }

    fn to_line(&self) -> String {
        line(&self.name, self.id, &self.bytes)
    }

    fn is_by(&self, key: &Vkey) -> bool {
        self.name == key.name() && self.id == key.id()
    }
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// [`Error::Note`] if it is not text, blank line and 1 to [`MAX_SIGNATURES`] signature lines, holds control characters
    /// other than newline, or is longer than [`MAX_NOTE`].
    pub fn parse(note: &str) -> Result<Self, Error> {
        let bad = |what: &str| Error::Note(what.to_owned());
        if note.len() > MAX_NOTE {
            return Err(bad(&format!("longer than {MAX_NOTE} bytes")));
        }
        if note.bytes().any(is_control) {
            return Err(bad("control characters"));
        }
        let split = note.rfind("\n\n").ok_or_else(|| bad("no blank line"))?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        let lines = lines
            .strip_suffix('\n')
            .ok_or_else(|| bad("no signature, or the last line is not ended"))?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == MAX_SIGNATURES {
                return Err(bad(&format!("more than {MAX_SIGNATURES} signatures")));
            }
            signatures.push(NoteSignature::parse(line)?);
        }
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// Returns the text, unverified, with its last newline: what signatures are over.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the signature lines in their order, unverified.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Returns how many signature lines the note has.
    pub fn signature_count(&self) -> usize {
        self.signatures.len()
    }

    /// Returns the signature lines that name `key`.
    pub fn signatures_by<'a>(&'a self, key: &'a Vkey) -> impl Iterator<Item = &'a [u8]> {
        let by = move |signature: &&NoteSignature| signature.is_by(key);
        self.signatures
            .iter()
            .filter(by)
            .map(|signature| signature.bytes.as_slice())
    }

    /// Returns the note with one more signature line, given with or without its newline. Nothing is verified.
    ///
    /// # Errors
    /// [`Error::Note`] if it is no signature line, the same key (name and id) has one already, or the note is full.
    pub fn with_line(&self, line: &str) -> Result<Self, Error> {
        if line.bytes().filter(|b| *b != b'\n').any(is_control) {
            return Err(Error::Note("control characters".into()));
        }
        let signature = NoteSignature::parse(line.strip_suffix('\n').unwrap_or(line))?;
        let twin = |s: &NoteSignature| s.name == signature.name && s.id == signature.id;
        if self.signatures.iter().any(twin) {
            return Err(Error::Note(format!(
                "key {}+{} has signed already",
                signature.name,
                hex::encode(signature.id)
            )));
        }
        if self.signatures.len() == MAX_SIGNATURES {
            return Err(Error::Note(format!(
                "more than {MAX_SIGNATURES} signatures"
            )));
        }
        let mut note = self.clone();
        note.signatures.push(signature);
        Ok(note)
    }

    /// Returns the whole note. What [`Note::parse`] read comes back byte by byte.
    pub fn to_text(&self) -> String {
        let mut out = format!("{}\n", self.text);
        for signature in &self.signatures {
            out.push_str(&signature.to_line());
        }
        out
    }

    /// Returns the signed text if `key`, an Ed25519 key (type 01), signed it. Signatures by other keys are ignored; one bad
    /// signature by this key spoils the note.
    ///
    /// # Errors
    /// [`Error::Signature`] if there is none by this key, or a bad one; [`Error::Note`] if the key is of another kind.
    pub fn verify(&self, key: &Vkey) -> Result<&str, Error> {
        if key.kind() != KeyKind::Ed25519 {
            return Err(Error::Note(format!(
                "key {} is of kind {}, which does not sign plain notes",
                key.label(),
                key.kind()
            )));
        }
        let mut found = false;
        for signature in self.signatures_by(key) {
            UnparsedPublicKey::new(&ED25519, key.public())
                .verify(self.text.as_bytes(), signature)
                .map_err(|_| Error::Signature(key.to_string()))?;
            found = true;
        }
        if found {
            Ok(&self.text)
        } else {
            Err(Error::Signature(key.to_string()))
        }
    }
}

/// Returns the signature line of `key`, with its newline.
pub(crate) fn signature_line(key: &Vkey, signature: &[u8]) -> String {
    line(key.name(), key.id(), signature)
}

fn line(name: &str, id: [u8; 4], signature: &[u8]) -> String {
    let mut blob = id.to_vec();
    blob.extend_from_slice(signature);
    format!("— {name} {}\n", STANDARD.encode(blob))
}

const fn is_control(byte: u8) -> bool {
    byte < 0x20 && byte != b'\n'
}

/// Reads a decimal number without sign or leading zeros.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let leading = text.len() > 1 && text.starts_with('0');
    if digits && !leading {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests;

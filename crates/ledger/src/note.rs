//! C2SP signed notes and checkpoints (c2sp.org/signed-note v1.0.0, c2sp.org/tlog-checkpoint v1.0.0), Ed25519 (type 01) only.
//!
//! A checkpoint says: the log `origin` has `size` leaves and this root. Whoever trusts the log key trusts exactly that.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::Digest;
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::error::Error;
use crate::key::LogKey;

const ED25519_TYPE: u8 = 1;

/// How many signature lines a note may have; C2SP asks readers to accept at least 16.
const MAX_SIGNATURES: usize = 64;

/// A log's public key: `<name>+<8 hex of the key id>+<base64 of type and key>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Vkey {
    name: String,
    id: [u8; 4],
    key: [u8; 32],
}

impl Vkey {
    /// Names an Ed25519 key.
    ///
    /// # Errors
    /// [`Error::Note`] if the name is empty, holds white space, control characters or `+`.
    pub fn new(name: &str, key: [u8; 32]) -> Result<Self, Error> {
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        if name.is_empty() || name.len() > 200 || !name.chars().all(plain) {
            return Err(Error::Note(format!(
                "`{}` cannot name a key: 1 to 200 bytes without spaces and `+`",
                name.escape_debug()
            )));
        }
        let mut bound = name.as_bytes().to_vec();
        bound.extend_from_slice(&[b'\n', ED25519_TYPE]);
        bound.extend_from_slice(&key);
        let digest = Digest::of(&bound);
        let mut id = [0; 4];
        id.copy_from_slice(&digest.as_bytes()[..4]);
        Ok(Self {
            name: name.to_owned(),
            id,
            key,
        })
    }

    /// Returns the key's name: the log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = [ED25519_TYPE; 33];
        typed[1..].copy_from_slice(&self.key);
        write!(
            f,
            "{}+{}+{}",
            self.name,
            hex::encode(self.id),
            STANDARD.encode(typed)
        )
    }
}

impl fmt::Debug for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Vkey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |what: &str| Error::Note(format!("not a log key: {what}"));
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(bad("expected `name+id+key`"));
        };
        let typed = STANDARD
            .decode(key)
            .map_err(|e| bad(&format!("base64: {e}")))?;
        let key: [u8; 32] = match typed.split_first() {
            Some((&ED25519_TYPE, key)) => key.try_into().map_err(|_| bad("not 32 bytes"))?,
            _ => return Err(bad("not an Ed25519 key (type 01)")),
        };
        let vkey = Self::new(name, key)?;
        if hex::encode(vkey.id) != id {
            return Err(bad("the id does not belong to the name and key"));
        }
        Ok(vkey)
    }
}

/// A signed note, read but not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct NoteSignature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// [`Error::Note`] if it is not text, blank line and signature lines.
    pub fn parse(note: &str) -> Result<Self, Error> {
        let bad = |what: &str| Error::Note(what.to_owned());
        if note.chars().any(|c| c.is_control() && c != '\n') {
            return Err(bad("control characters"));
        }
        let split = note.rfind("\n\n").ok_or_else(|| bad("no blank line"))?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        if !lines.ends_with('\n') {
            return Err(bad("the last line is not ended"));
        }
        let mut signatures = Vec::new();
        for line in lines.lines() {
            let (name, blob) = line
                .strip_prefix("— ")
                .and_then(|rest| rest.split_once(' '))
                .ok_or_else(|| bad("a line after the blank line is no signature"))?;
            let blob = STANDARD
                .decode(blob)
                .map_err(|e| bad(&format!("signature: {e}")))?;
            let (id, bytes) = blob
                .split_first_chunk::<4>()
                .ok_or_else(|| bad("a signature shorter than its key id"))?;
            if name.is_empty() || name.contains('+') || signatures.len() == MAX_SIGNATURES {
                return Err(bad("a signer without a usable name, or too many signers"));
            }
            signatures.push(NoteSignature {
                name: name.to_owned(),
                id: *id,
                bytes: bytes.to_vec(),
            });
        }
        if signatures.is_empty() {
            return Err(bad("no signature"));
        }
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// Returns how many signature lines the note has.
    pub fn signature_count(&self) -> usize {
        self.signatures.len()
    }

    /// Returns the signed text if `key` signed it. Signatures by other keys are ignored; one bad signature by this key
    /// spoils the note.
    ///
    /// # Errors
    /// [`Error::Signature`] if there is none by this key, or a bad one.
    pub fn verify(&self, key: &Vkey) -> Result<&str, Error> {
        let mut found = false;
        for signature in &self.signatures {
            if signature.name == key.name && signature.id == key.id {
                UnparsedPublicKey::new(&ED25519, &key.key)
                    .verify(self.text.as_bytes(), &signature.bytes)
                    .map_err(|_| Error::Signature(key.to_string()))?;
                found = true;
            }
        }
        if found {
            Ok(&self.text)
        } else {
            Err(Error::Signature(key.to_string()))
        }
    }
}

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
        let vkey = key.vkey();
        let mut blob = vkey.id.to_vec();
        blob.extend_from_slice(&key.sign(text.as_bytes()));
        format!("{text}\n— {} {}\n", vkey.name, STANDARD.encode(blob))
    }

    /// Verifies a note and reads the checkpoint in it. The origin must be the key's name; extension lines are refused.
    ///
    /// # Errors
    /// [`Error::Note`] or [`Error::Signature`].
    pub fn open(note: &str, key: &Vkey) -> Result<Self, Error> {
        let note = Note::parse(note)?;
        let checkpoint = Self::parse(note.verify(key)?)?;
        if checkpoint.origin != key.name {
            return Err(Error::Note(format!(
                "the checkpoint is of log `{}`, the key of log `{}`",
                checkpoint.origin, key.name
            )));
        }
        Ok(checkpoint)
    }

    /// Returns the root as the note writes it.
    pub fn root_base64(&self) -> String {
        STANDARD.encode(self.root.as_bytes())
    }

    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root_base64())
    }

    fn parse(text: &str) -> Result<Self, Error> {
        let bad = |what: &str| Error::Note(what.to_owned());
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root), Some(""), None) = (
            lines.next(),
            lines.next(),
            lines.next(),
            lines.next(),
            lines.next(),
        ) else {
            return Err(bad("a checkpoint has three lines"));
        };
        let root = STANDARD
            .decode(root)
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .ok_or_else(|| bad("the root is not 32 bytes in base64"))?;
        let size = parse_decimal(size).ok_or_else(|| bad("the size is no decimal number"))?;
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root: Digest::from_bytes(root),
        })
    }
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
mod tests {
    use super::*;

    // The example of Go's golang.org/x/mod/sumdb/note.
    const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = concat!(
        "If you think cryptography is the answer to your problem,\n",
        "then you don't know what your problem is.\n",
        "\n",
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
    );

    fn log(name: &str) -> LogKey {
        LogKey::load(name, &LogKey::generate().unwrap()).unwrap()
    }

    #[test]
    fn verifies_the_published_note() {
        let key: Vkey = VKEY.parse().unwrap();
        assert_eq!(key.to_string(), VKEY);
        let note = Note::parse(NOTE).unwrap();
        assert!(note.verify(&key).unwrap().ends_with("your problem is.\n"));
        let changed = Note::parse(&NOTE.replace("answer", "Answer")).unwrap();
        assert!(changed.verify(&key).is_err());
    }

    #[test]
    fn checkpoints_open_with_their_own_key_only() {
        let (ours, other) = (log("ledger.example"), log("ledger.example"));
        let checkpoint = Checkpoint {
            origin: "ledger.example".into(),
            size: 7,
            root: Digest::of(b"root"),
        };
        let note = checkpoint.sign(&ours);
        assert_eq!(Checkpoint::open(&note, ours.vkey()).unwrap(), checkpoint);
        assert!(Checkpoint::open(&note, other.vkey()).is_err());
        let foreign = Checkpoint {
            origin: "ledger.other".into(),
            ..checkpoint
        };
        assert!(Checkpoint::open(&foreign.sign(&ours), ours.vkey()).is_err());
    }

    #[test]
    fn unknown_signers_are_ignored_and_a_second_bad_one_spoils() {
        let key = log("ledger.example");
        let checkpoint = Checkpoint {
            origin: "ledger.example".into(),
            size: 0,
            root: Digest::of(b""),
        };
        let note = checkpoint.sign(&key);
        let witness = format!("{note}— witness.example AAAAAAAA\n");
        assert!(Checkpoint::open(&witness, key.vkey()).is_ok());
        let line = note.lines().last().unwrap();
        let (head, blob) = line.rsplit_once(' ').unwrap();
        let mut bytes = STANDARD.decode(blob).unwrap();
        bytes[10] ^= 1;
        let spoilt = format!("{note}{head} {}\n", STANDARD.encode(bytes));
        assert!(Checkpoint::open(&spoilt, key.vkey()).is_err());
    }

    #[test]
    fn refuses_malformed_notes_and_keys() {
        for bad in [
            "",
            "a\n1\nb\n",
            "a\n\n",
            "a\n\nno dash\n",
            "a\n\n— x AAAA",
            "a\r\n\n— x AAAAAAAA\n",
        ] {
            assert!(Note::parse(bad).is_err(), "{bad:?}");
        }
        for bad in [
            "",
            "a+b",
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "Peter+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        ] {
            assert!(bad.parse::<Vkey>().is_err(), "{bad}");
        }
        for bad in ["", "01", "+1", "-1", "1 ", "18446744073709551616"] {
            assert_eq!(parse_decimal(bad), None, "{bad}");
        }
    }
}

//! Verifier keys of signed notes: `<name>+<8 hex of the key id>+<base64 of type and key>` (c2sp.org/signed-note v1.0.0).
//!
//! A key is its kind, name and bytes together; the id is derived, never taken on trust. A key of a kind that this build
//! cannot verify still reads, so that whoever names it gets an error about the kind instead of silence.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::Digest;

use crate::error::Error;

/// The longest key name, in bytes: what an ML-DSA-44 cosignature can bind (c2sp.org/tlog-cosignature).
const MAX_NAME: usize = 255;

/// Bytes of an ML-DSA-44 public key (FIPS 204, table 2).
const ML_DSA_44_PUBLIC: usize = 1312;

/// What a key signs, and how: the signature type byte of c2sp.org/signed-note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Type 01: Ed25519 over the note's text. A log's own key.
    Ed25519,
    /// Type 04: Ed25519 `cosignature/v1`, with a time. A witness's key.
    Cosigner,
    /// Type 06: ML-DSA-44 cosignature, with a time. A witness's key; verified with cargo feature `ml-dsa` only.
    MlDsa44,
}

impl KeyKind {
    /// Returns the signature type byte.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosigner => 4,
            Self::MlDsa44 => 6,
        }
    }

    /// Returns whether keys of this kind cosign: their signatures carry a time.
    pub const fn cosigns(self) -> bool {
        matches!(self, Self::Cosigner | Self::MlDsa44)
    }

    /// Returns whether this build can verify signatures of this kind.
    pub const fn is_supported(self) -> bool {
        match self {
            Self::Ed25519 | Self::Cosigner => true,
            Self::MlDsa44 => cfg!(feature = "ml-dsa"),
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Ed25519),
            4 => Some(Self::Cosigner),
            6 => Some(Self::MlDsa44),
            _ => None,
        }
    }

    const fn public_length(self) -> usize {
        match self {
            Self::Ed25519 | Self::Cosigner => 32,
            Self::MlDsa44 => ML_DSA_44_PUBLIC,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519 => "Ed25519 (type 01)",
            Self::Cosigner => "Ed25519 cosignature (type 04)",
            Self::MlDsa44 => "ML-DSA-44 cosignature (type 06)",
        })
    }
}

/// A public key with its name: a log's or a cosigner's.
#[derive(Clone, PartialEq, Eq)]
pub struct Vkey {
    name: String,
    kind: KeyKind,
    full_id: Digest,
    public: Vec<u8>,
}

impl Vkey {
    /// Names a log's Ed25519 key (type 01). The name is the log's origin.
    ///
    /// # Errors
    /// [`Error::Vkey`] if the name is empty, longer than 255 bytes, or holds white space, control characters or `+`.
    pub fn new(name: &str, key: [u8; 32]) -> Result<Self, Error> {
        Self::of(KeyKind::Ed25519, name, &key)
    }

    /// Names a cosigner's Ed25519 key (type 04).
    ///
    /// # Errors
    /// As [`Vkey::new`].
    pub fn cosigner(name: &str, key: [u8; 32]) -> Result<Self, Error> {
        Self::of(KeyKind::Cosigner, name, &key)
    }

    pub(crate) fn of(kind: KeyKind, name: &str, public: &[u8]) -> Result<Self, Error> {
        let plain = name.chars().all(|c| !c.is_control());
        if !is_name(name) || name.len() > MAX_NAME || !plain {
            return Err(Error::Vkey(format!(
                "`{}` cannot name a key: 1 to {MAX_NAME} bytes without spaces, control characters and `+`",
                name.escape_debug()
            )));
        }
        if public.len() != kind.public_length() {
            return Err(Error::Vkey(format!(
                "key `{name}` has {} bytes; a key of kind {kind} has {}",
                public.len(),
                kind.public_length()
            )));
        }
        let mut bound = name.as_bytes().to_vec();
        bound.extend_from_slice(&[b'\n', kind.byte()]);
        bound.extend_from_slice(public);
        Ok(Self {
            name: name.to_owned(),
            kind,
            full_id: Digest::of(&bound),
            public: public.to_vec(),
        })
    }

    /// Returns the key's name: a log's origin or a cosigner's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what the key signs.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Returns the id that signature lines carry: the first four bytes of [`Vkey::full_id`].
    pub fn id(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = *self.full_id.as_bytes();
        [a, b, c, d]
    }

    /// Returns `SHA256(name ‖ 0x0A ‖ type ‖ key)`, untruncated: what a Sigstore bundle calls a log's `keyId`.
    pub const fn full_id(&self) -> Digest {
        self.full_id
    }

    /// Returns the key's bytes: 32 of Ed25519, 1,312 of ML-DSA-44.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// Returns `<name>+<id>`, for messages: the whole text of an ML-DSA-44 key fills a screen.
    pub fn label(&self) -> String {
        format!("{}+{}", self.name, hex::encode(self.id()))
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![self.kind.byte()];
        typed.extend_from_slice(&self.public);
        write!(f, "{}+{}", self.label(), STANDARD.encode(typed))
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
        let bad = |what: &str| Error::Vkey(what.to_owned());
        // The base64 part may hold further plus signs.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(bad("expected `name+id+key`"));
        };
        if key.len() > 2 * ML_DSA_44_PUBLIC {
            return Err(bad("longer than any key"));
        }
        let typed = STANDARD
            .decode(key)
            .map_err(|e| bad(&format!("base64: {e}")))?;
        let (byte, public) = typed.split_first().ok_or_else(|| bad("no key bytes"))?;
        let kind = KeyKind::of(*byte).ok_or_else(|| {
            bad(&format!(
                "type {byte:02x} is none of 01 (Ed25519), 04 (Ed25519 cosignature) and 06 (ML-DSA-44 cosignature)"
            ))
        })?;
        let vkey = Self::of(kind, name, public)?;
        if hex::encode(vkey.id()) != id {
            return Err(bad("the id does not belong to the name and key"));
        }
        Ok(vkey)
    }
}

/// Whether `name` may stand in a signature line: not empty, no Unicode spaces, no `+`.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+')
}

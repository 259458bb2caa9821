//! Cosignatures: lines by which a witness says, with a time, that a checkpoint extends what it saw before
//! (c2sp.org/tlog-cosignature v1.0.1).
//!
//! Type 04 is Ed25519 over `cosignature/v1\ntime <seconds>\n` and the whole text of the note. It does not bind the
//! cosigner's name, so each cosigner needs a key of its own; [`crate::policy`] insists. Type 06 is ML-DSA-44 over a binary
//! structure and needs cargo feature `ml-dsa`; without it such a key is refused by name, never skipped.
//!
//! Invariants: the time comes in as an argument, and one bad cosignature by a known key spoils the note.

#[cfg(feature = "ml-dsa")]
mod ml_dsa;

use ring::signature::{ED25519, UnparsedPublicKey};

use crate::error::Error;
use crate::key::{LogKey, Pkcs8};
use crate::note::{KeyKind, Note, Vkey, signature_line};

#[cfg(feature = "ml-dsa")]
pub use self::ml_dsa::MlDsaCosignerKey;

/// The latest time a cosignature may carry, in seconds since 1970.
pub const MAX_TIME: u64 = i64::MAX as u64;

/// A witness's private key, of type 04.
pub struct CosignerKey {
    // The same Ed25519 key pair under the same name; only the key's type, and so what is signed, differs.
    pair: LogKey,
    vkey: Vkey,
}

impl CosignerKey {
    /// Makes a new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::Key`] if the system gives no randomness.
    pub fn generate() -> Result<Pkcs8, Error> {
        LogKey::generate()
    }

    /// Loads the key of the cosigner `name`. Never load one key under two names.
    ///
    /// # Errors
    /// [`Error::Key`] if it is no Ed25519 key in PKCS#8; [`Error::Vkey`] if `name` cannot name a key.
    pub fn load(name: &str, pkcs8: &Pkcs8) -> Result<Self, Error> {
        let pair = LogKey::load(name, pkcs8)?;
        let vkey = Vkey::of(KeyKind::Cosigner, name, pair.vkey().public())?;
        Ok(Self { pair, vkey })
    }

    /// Returns the verifier's half.
    pub const fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// Cosigns `note_text`, the text of a checkpoint with its last newline, at `time` seconds since 1970 (at most
    /// [`MAX_TIME`], and no more is ever written). Returns one signature line with its newline.
    pub fn cosign(&self, note_text: &str, time: u64) -> String {
        let time = time.min(MAX_TIME);
        let mut blob = time.to_be_bytes().to_vec();
        blob.extend_from_slice(&self.pair.sign(&signed_bytes(note_text, time)));
        signature_line(&self.vkey, &blob)
    }
}

impl std::fmt::Debug for CosignerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CosignerKey({})", self.vkey)
    }
}

/// Returns when `key` cosigned the note, in seconds since 1970. See [`find`].
///
/// # Errors
/// As [`find`], and [`Error::Signature`] if there is no cosignature by this key.
pub fn verify(note: &Note, key: &Vkey) -> Result<u64, Error> {
    find(note, key)?.ok_or_else(|| Error::Signature(key.label()))
}

/// Returns when `key` cosigned the note, in seconds since 1970, or `None` if it did not. If it did more than once, all
/// must be good and the earliest counts.
///
/// # Errors
/// [`Error::Signature`] if a cosignature by this key is bad; [`Error::Note`] if the key is of a kind that does not cosign,
/// [`Error::Vkey`] if of one that this build cannot verify.
pub fn find(note: &Note, key: &Vkey) -> Result<Option<u64>, Error> {
    if !key.kind().cosigns() {
        return Err(Error::Note(format!(
            "key {} is of kind {}, which does not cosign",
            key.label(),
            key.kind()
        )));
    }
    check_supported(key)?;
    let mut earliest = None;
    for signature in note.signatures_by(key) {
        let bad = || Error::Signature(key.label());
        let (time, signature) = signature.split_first_chunk::<8>().ok_or_else(bad)?;
        let time = u64::from_be_bytes(*time);
        if time > MAX_TIME || !is_good(note, key, time, signature) {
            return Err(bad());
        }
        // A type 06 cosignature of time 0 says nothing about when (section "Format"), so it is no witness's word.
        if time == 0 && key.kind() == KeyKind::MlDsa44 {
            continue;
        }
        earliest = Some(earliest.map_or(time, |e: u64| e.min(time)));
    }
    Ok(earliest)
}

/// Fails if this build cannot verify cosignatures by `key`.
pub(crate) fn check_supported(key: &Vkey) -> Result<(), Error> {
    if key.kind().is_supported() {
        return Ok(());
    }
    Err(Error::Vkey(format!(
        "key {} is of kind {}, which this build cannot verify: build with cargo feature `ml-dsa`, or name a key of kind {}",
        key.label(),
        key.kind(),
        KeyKind::Cosigner
    )))
}

fn is_good(note: &Note, key: &Vkey, time: u64, signature: &[u8]) -> bool {
    match key.kind() {
        KeyKind::Ed25519 => false,
        KeyKind::Cosigner => UnparsedPublicKey::new(&ED25519, key.public())
            .verify(&signed_bytes(note.text(), time), signature)
            .is_ok(),
        #[cfg(feature = "ml-dsa")]
        KeyKind::MlDsa44 => ml_dsa::is_good(note, key, time, signature),
        #[cfg(not(feature = "ml-dsa"))]
        KeyKind::MlDsa44 => false,
    }
}

fn signed_bytes(note_text: &str, time: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{note_text}").into_bytes()
}

#[cfg(test)]
mod tests;

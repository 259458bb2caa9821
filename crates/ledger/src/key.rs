//! Keys: ECDSA P-256 for those who sign records, Ed25519 for the log.
//!
//! Record signers are P-256 because the leaf form (`hashedrekord`) refuses pure Ed25519; the log key is Ed25519 because
//! C2SP logs have one. Private keys live in PKCS#8, as PEM text; `Debug` never shows them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use gonogo_core::Digest;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, UnparsedPublicKey,
};

use crate::error::Error;
use crate::note::Vkey;

/// DER of SubjectPublicKeyInfo for id-ecPublicKey on prime256v1 (RFC 5480), up to the 65-byte point.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The length of a P-256 public key in SPKI DER.
pub const SPKI_LENGTH: usize = SPKI_PREFIX.len() + 65;

/// A record signer's name: SHA-256 of its public key in SPKI DER, printed as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Digest);

impl KeyId {
    /// Parses 64 lower-case hex digits.
    ///
    /// # Errors
    /// [`Error::Key`] on any other text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Digest::from_hex(text)
            .map(Self)
            .map_err(|_| Error::Key("a key id has 64 lower-case hex digits".into()))
    }

    /// Returns the digest behind the name.
    pub const fn digest(&self) -> &Digest {
        &self.0
    }

    /// Wraps the digest of a public key in SPKI DER.
    pub const fn from_digest(digest: Digest) -> Self {
        Self(digest)
    }
}

impl From<Digest> for KeyId {
    fn from(digest: Digest) -> Self {
        Self(digest)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.hex())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A P-256 public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; SPKI_LENGTH]);

impl PublicKey {
    /// Reads SubjectPublicKeyInfo DER of an uncompressed P-256 point.
    ///
    /// # Errors
    /// [`Error::Key`] for other algorithms, curves or encodings.
    pub fn from_spki(der: &[u8]) -> Result<Self, Error> {
        let spki: [u8; SPKI_LENGTH] = der
            .try_into()
            .map_err(|_| Error::Key("a P-256 public key in SPKI DER has 91 bytes".into()))?;
        if spki[..SPKI_PREFIX.len()] != SPKI_PREFIX || spki[SPKI_PREFIX.len()] != 4 {
            return Err(Error::Key(
                "not an uncompressed P-256 public key in SPKI DER".into(),
            ));
        }
        Ok(Self(spki))
    }

    /// Reads SPKI DER in strict base64.
    ///
    /// # Errors
    /// [`Error::Key`] for other text.
    pub fn from_base64(text: &str) -> Result<Self, Error> {
        let der = STANDARD
            .decode(text)
            .map_err(|e| Error::Key(format!("not base64: {e}")))?;
        Self::from_spki(&der)
    }

    /// Reads a `PUBLIC KEY` PEM block.
    ///
    /// # Errors
    /// [`Error::Key`] for other text.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        Self::from_spki(&decode_pem("PUBLIC KEY", text)?)
    }

    /// Returns SPKI DER, 91 bytes.
    pub const fn spki(&self) -> &[u8; SPKI_LENGTH] {
        &self.0
    }

    /// Returns SPKI DER in base64.
    pub fn base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// Returns a `PUBLIC KEY` PEM block.
    pub fn pem(&self) -> String {
        encode_pem("PUBLIC KEY", &self.0)
    }

    /// Returns the key's name.
    pub fn id(&self) -> KeyId {
        KeyId(Digest::of(&self.0))
    }

    /// Returns the key's OpenSSH fingerprint, `SHA256:` and unpadded base64 (RFC 5656 section 3.1 for the key's form): the key id
    /// that verifiers built on go-securesystemslib look for in an envelope.
    pub fn fingerprint(&self) -> String {
        let mut hasher = gonogo_core::digest::Hasher::default();
        for part in [
            &b"ecdsa-sha2-nistp256"[..],
            b"nistp256",
            &self.0[SPKI_PREFIX.len()..],
        ] {
            let length = u32::try_from(part.len()).expect("invariant: a point has 65 bytes");
            hasher.update(&length.to_be_bytes());
            hasher.update(part);
        }
        let digest = hasher.finish();
        format!("SHA256:{}", STANDARD_NO_PAD.encode(digest.as_bytes()))
    }

    /// Checks an ECDSA P-256/SHA-256 signature in DER over `message`.
    ///
    /// # Errors
    /// [`Error::Signature`] if it does not verify.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.0[SPKI_PREFIX.len()..])
            .verify(message, signature)
            .map_err(|_| Error::Signature(self.id().to_string()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

/// DER of an Ed25519 key in PKCS#8 version 1 (RFC 8410 section 7), up to its 32 bytes.
const PKCS8_ED25519: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A private key in PKCS#8 DER. Shown to nobody: `Debug` prints no byte of it.
#[derive(Clone)]
pub struct Pkcs8(Vec<u8>);

impl Pkcs8 {
    /// Reads a `PRIVATE KEY` PEM block.
    ///
    /// # Errors
    /// [`Error::Key`] for other text.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        decode_pem("PRIVATE KEY", text).map(Self)
    }

    #[cfg(feature = "ml-dsa")]
    pub(crate) const fn from_der(der: Vec<u8>) -> Self {
        Self(der)
    }

    #[cfg(feature = "ml-dsa")]
    pub(crate) fn der(&self) -> &[u8] {
        &self.0
    }

    /// Returns a `PRIVATE KEY` PEM block. Write it to a file of mode 0600 only.
    pub fn pem(&self) -> String {
        encode_pem("PRIVATE KEY", &self.0)
    }
}

impl fmt::Debug for Pkcs8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkcs8(…)")
    }
}

/// A record signer's private key.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
    random: SystemRandom,
}

impl SigningKey {
    /// Makes a new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::Key`] if the system gives no randomness.
    pub fn generate() -> Result<Pkcs8, Error> {
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
            .map(|document| Pkcs8(document.as_ref().to_vec()))
            .map_err(|_| Error::Key("the system gave no randomness".into()))
    }

    /// Loads a key.
    ///
    /// # Errors
    /// [`Error::Key`] if it is no P-256 key in PKCS#8.
    pub fn load(pkcs8: &Pkcs8) -> Result<Self, Error> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8.0, &random)
            .map_err(|e| Error::Key(format!("not a P-256 key in PKCS#8: {e}")))?;
        let mut spki = [0; SPKI_LENGTH];
        spki[..SPKI_PREFIX.len()].copy_from_slice(&SPKI_PREFIX);
        spki[SPKI_PREFIX.len()..].copy_from_slice(pair.public_key().as_ref());
        Ok(Self {
            pair,
            public: PublicKey(spki),
            random,
        })
    }

    /// Returns the public half.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message` with ECDSA P-256/SHA-256; the signature is DER.
    ///
    /// # Errors
    /// [`Error::Key`] if the system gives no randomness.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.pair
            .sign(&self.random, message)
            .map(|s| s.as_ref().to_vec())
            .map_err(|_| Error::Key("the system gave no randomness".into()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id())
    }
}

/// The log's private key, with the log's origin as its name.
pub struct LogKey {
    pair: Ed25519KeyPair,
    vkey: Vkey,
}

impl LogKey {
    /// Makes a new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::Key`] if the system gives no randomness.
    pub fn generate() -> Result<Pkcs8, Error> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| Error::Key("the system gave no randomness".into()))?;
        // Version 2 has the public key behind the private one, which many tools do not read.
        let seed = document
            .as_ref()
            .get(PKCS8_ED25519.len()..PKCS8_ED25519.len() + 32)
            .ok_or_else(|| Error::Key("the new key has another form".into()))?;
        let key = Pkcs8([&PKCS8_ED25519[..], seed].concat());
        match Ed25519KeyPair::from_pkcs8(document.as_ref()) {
            Ok(pair)
                if Self::load("log", &key)?.vkey.public()[..] == *pair.public_key().as_ref() =>
            {
                Ok(key)
            }
            _ => Err(Error::Key("the new key has another form".into())),
        }
    }

    /// Loads the key of the log `origin`.
    ///
    /// # Errors
    /// [`Error::Key`] if it is no Ed25519 key in PKCS#8; [`Error::Vkey`] if `origin` cannot name a key.
    pub fn load(origin: &str, pkcs8: &Pkcs8) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8.0)
            .map_err(|e| Error::Key(format!("not an Ed25519 key in PKCS#8: {e}")))?;
        let mut public = [0; 32];
        public.copy_from_slice(pair.public_key().as_ref());
        let vkey = Vkey::new(origin, public)?;
        Ok(Self { pair, vkey })
    }

    /// Returns the verifier's half.
    pub const fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKey({})", self.vkey)
    }
}

fn encode_pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        out.extend(line.iter().map(|b| char::from(*b)));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

fn decode_pem(label: &str, text: &str) -> Result<Vec<u8>, Error> {
    let body = text
        .trim()
        .strip_prefix(&format!("-----BEGIN {label}-----"))
        .and_then(|rest| rest.strip_suffix(&format!("-----END {label}-----")))
        .ok_or_else(|| Error::Key(format!("not one PEM block of `{label}`")))?;
    let compact: String = body.split_ascii_whitespace().collect();
    STANDARD
        .decode(compact)
        .map_err(|e| Error::Key(format!("not base64 inside PEM: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_text_forms_and_sign() {
        let secret = SigningKey::generate().unwrap();
        let again = Pkcs8::from_pem(&secret.pem()).unwrap();
        let key = SigningKey::load(&again).unwrap();
        let public = PublicKey::from_pem(&key.public().pem()).unwrap();
        assert_eq!(&public, key.public());
        assert_eq!(
            PublicKey::from_base64(&public.base64()).unwrap().id(),
            key.public().id()
        );
        let signature = key.sign(b"text").unwrap();
        assert_eq!(public.verify(b"text", &signature), Ok(()));
        assert!(public.verify(b"texts", &signature).is_err());
        assert!(!format!("{key:?} {secret:?}").contains("PRIVATE"));
    }

    #[test]
    fn the_fingerprint_is_the_one_that_ssh_keygen_prints() {
        // `ssh-keygen -l` of OpenSSH 9.2 over the same key, written with `ssh-keygen -i -m PKCS8`.
        let pem = include_str!("../tests/fixtures/key/p256.pem");
        let said = include_str!("../tests/fixtures/key/p256.fingerprint");
        let key = PublicKey::from_pem(pem).unwrap();
        assert_eq!(key.fingerprint(), said.trim_end());
    }

    #[test]
    fn other_keys_are_refused() {
        let log = LogKey::generate().unwrap();
        assert!(SigningKey::load(&log).is_err());
        assert!(LogKey::load("ledger.example", &SigningKey::generate().unwrap()).is_err());
        assert!(LogKey::load("has space", &log).is_err());
        let key = SigningKey::load(&SigningKey::generate().unwrap()).unwrap();
        let mut spki = *key.public().spki();
        spki[20] ^= 1;
        assert!(PublicKey::from_spki(&spki).is_err());
        assert!(PublicKey::from_spki(&spki[..90]).is_err());
    }
}

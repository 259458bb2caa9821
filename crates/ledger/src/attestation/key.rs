//! Public keys that check outside signatures: PEM `PUBLIC KEY` blocks, as OpenSSL and cosign write them.
//!
//! A key has one encoding here (uncompressed points, NULL parameters for RSA, minimal lengths), so its id, SHA-256 of that
//! encoding, identifies the key and a threshold cannot be met by two spellings of one key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use der::{Decode as _, Reader as _, SliceReader, Tag};
use gonogo_core::Digest;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};

use super::Error;
use super::fields::fit;
use crate::key::KeyId;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const EDWARDS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// The largest key file, in bytes: far above an RSA key of 8192 bits.
const MAX_PEM: usize = 16 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    P256,
    P384,
    Ed25519,
    Rsa,
}

/// How a signature was made, as it is told in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// ECDSA on P-256 with SHA-256, DER.
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-384, DER.
    EcdsaP384Sha384,
    /// ECDSA on P-384 with SHA-256, DER: what cosign writes for such keys.
    EcdsaP384Sha256,
    /// Ed25519 (RFC 8032), not prehashed.
    Ed25519,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaPkcs1Sha256,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes.
    RsaPssSha256,
}

impl Scheme {
    /// Returns the name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Self::EcdsaP384Sha256 => "ecdsa-p384-sha256",
            Self::Ed25519 => "ed25519",
            Self::RsaPkcs1Sha256 => "rsa-pkcs1v15-sha256",
            Self::RsaPssSha256 => "rsa-pss-sha256",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [
            Self::EcdsaP256Sha256,
            Self::EcdsaP384Sha384,
            Self::EcdsaP384Sha256,
            Self::Ed25519,
            Self::RsaPkcs1Sha256,
            Self::RsaPssSha256,
        ]
        .into_iter()
        .find(|scheme| scheme.name() == name)
    }

    fn algorithm(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::EcdsaP256Sha256 => &ECDSA_P256_SHA256_ASN1,
            Self::EcdsaP384Sha384 => &ECDSA_P384_SHA384_ASN1,
            Self::EcdsaP384Sha256 => &ECDSA_P384_SHA256_ASN1,
            Self::Ed25519 => &ED25519,
            Self::RsaPkcs1Sha256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::RsaPssSha256 => &RSA_PSS_2048_8192_SHA256,
        }
    }
}

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    algorithm: Algorithm,
    spki: Vec<u8>,
    /// Where the bytes that `ring` takes begin in `spki`: the point, or RSAPublicKey.
    raw: usize,
}

impl Key {
    /// Reads one `PUBLIC KEY` PEM block (RFC 7468); `name` is for errors.
    ///
    /// # Errors
    /// [`Error::Key`] saying what stood there instead.
    pub fn from_pem(name: &str, text: &[u8]) -> Result<Self, Error> {
        let bad = |why: String| Error::Key {
            name: name.to_owned(),
            why,
        };
        if text.len() > MAX_PEM {
            return Err(bad(format!("the file has more than {MAX_PEM} bytes")));
        }
        let text = std::str::from_utf8(text).map_err(|_| bad("the file is no text".into()))?;
        let der = decode_pem(text).map_err(bad)?;
        Self::read(&der).map_err(bad)
    }

    /// Reads SubjectPublicKeyInfo DER (RFC 5280 section 4.1); `name` is for errors.
    ///
    /// # Errors
    /// [`Error::Key`] for other algorithms, sizes and encodings.
    pub fn from_spki(name: &str, der: &[u8]) -> Result<Self, Error> {
        Self::read(der).map_err(|why| Error::Key {
            name: name.to_owned(),
            why,
        })
    }

    fn read(der: &[u8]) -> Result<Self, String> {
        let broken = |e: der::Error| format!("not SubjectPublicKeyInfo in DER ({e})");
        let outer = AnyRef::from_der(der).map_err(broken)?;
        let mut outer = sequence(outer).map_err(broken)?;
        let algorithm = AnyRef::decode(&mut outer).map_err(broken)?;
        let bits = BitStringRef::decode(&mut outer).map_err(broken)?;
        outer.finish().map_err(broken)?;
        let mut inner = sequence(algorithm).map_err(broken)?;
        let oid = ObjectIdentifier::decode(&mut inner).map_err(broken)?;
        let parameters = match inner.is_finished() {
            true => None,
            false => Some(AnyRef::decode(&mut inner).map_err(broken)?),
        };
        inner.finish().map_err(broken)?;
        let raw = bits.as_bytes().ok_or("the key has a fraction of a byte")?;
        let algorithm = match (oid, parameters) {
            (EC, Some(curve)) => match curve.decode_as::<ObjectIdentifier>() {
                Ok(P256) => point(raw, 32).map(|()| Algorithm::P256)?,
                Ok(P384) => point(raw, 48).map(|()| Algorithm::P384)?,
                Ok(curve) => return Err(format!("it is on the curve {curve}")),
                Err(_) => return Err("its curve is not named".into()),
            },
            (EDWARDS, None) if raw.len() == 32 => Algorithm::Ed25519,
            (EDWARDS, _) => return Err("not an Ed25519 key of 32 bytes".into()),
            (RSA, Some(parameters)) if parameters.is_null() => {
                modulus(raw).map(|()| Algorithm::Rsa)?
            }
            (RSA, _) => return Err("an RSA key without NULL parameters".into()),
            (oid, _) => return Err(format!("its algorithm is {oid}")),
        };
        Ok(Self {
            algorithm,
            spki: der.to_vec(),
            raw: der.len() - raw.len(),
        })
    }

    /// Returns the key in SPKI DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Returns the key's id: SHA-256 of [`Key::spki`].
    pub fn id(&self) -> KeyId {
        KeyId::from_digest(Digest::of(&self.spki))
    }

    /// Tells by which scheme `signature` is this key's signature of `message`, if it is.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Option<Scheme> {
        let schemes: &[Scheme] = match self.algorithm {
            Algorithm::P256 => &[Scheme::EcdsaP256Sha256],
            Algorithm::P384 => &[Scheme::EcdsaP384Sha384, Scheme::EcdsaP384Sha256],
            Algorithm::Ed25519 => &[Scheme::Ed25519],
            Algorithm::Rsa => &[Scheme::RsaPkcs1Sha256, Scheme::RsaPssSha256],
        };
        schemes.iter().copied().find(|scheme| {
            UnparsedPublicKey::new(scheme.algorithm(), &self.spki[self.raw..])
                .verify(message, signature)
                .is_ok()
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?} {})", self.algorithm, self.id())
    }
}

/// A key under the name by which the caller knows its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedKey {
    name: String,
    key: Key,
}

impl NamedKey {
    /// Names a key.
    ///
    /// # Errors
    /// [`Error::Key`] if the name is empty, longer than 200 bytes or has control characters.
    pub fn new(name: &str, key: Key) -> Result<Self, Error> {
        let long = || (name.len() > 200).then(|| "its name is longer than 200 bytes".to_owned());
        let why = fit(name).err().map(|why| format!("its name is {why}"));
        match why.or_else(long) {
            None => Ok(Self {
                name: name.to_owned(),
                key,
            }),
            Some(why) => Err(Error::Key {
                name: name.chars().filter(|c| !c.is_control()).take(80).collect(),
                why,
            }),
        }
    }

    /// Returns the caller's name for the holder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the key.
    pub const fn key(&self) -> &Key {
        &self.key
    }
}

fn sequence(any: AnyRef<'_>) -> der::Result<SliceReader<'_>> {
    any.header().tag().assert_eq(Tag::Sequence)?;
    SliceReader::new(any.value())
}

fn point(raw: &[u8], coordinate: usize) -> Result<(), String> {
    match raw.first() {
        Some(4) if raw.len() == 1 + 2 * coordinate => Ok(()),
        Some(2 | 3) => Err("its point is compressed; write it uncompressed".into()),
        _ => Err("its point has another length".into()),
    }
}

fn modulus(raw: &[u8]) -> Result<(), String> {
    let broken = |e: der::Error| format!("not an RSAPublicKey in DER ({e})");
    let mut reader = sequence(AnyRef::from_der(raw).map_err(broken)?).map_err(broken)?;
    let modulus = UintRef::decode(&mut reader).map_err(broken)?;
    UintRef::decode(&mut reader).map_err(broken)?;
    reader.finish().map_err(broken)?;
    let bytes = modulus.as_bytes();
    let bits = bytes.len() * 8 - bytes.first().map_or(0, |b| b.leading_zeros() as usize);
    match bits {
        2048..=8192 => Ok(()),
        _ => Err(format!("an RSA key of {bits} bits")),
    }
}

fn decode_pem(text: &str) -> Result<Vec<u8>, String> {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "-----END PUBLIC KEY-----";
    let mut blocks = text.split(BEGIN);
    let (before, block) = (blocks.next().unwrap_or_default(), blocks.next());
    let block = block.ok_or("it has no PEM block")?;
    if blocks.next().is_some() {
        return Err("it has more than one PEM block; give one file for each key".into());
    }
    if !before.trim().is_empty() && !before.ends_with('\n') {
        return Err("the PEM block does not begin a line".into());
    }
    let (label, rest) = block
        .split_once("-----")
        .ok_or("its first PEM line is not closed")?;
    match label {
        "PUBLIC KEY" => {}
        "RSA PUBLIC KEY" => {
            return Err(
                "it is in PKCS#1 form; convert it with `openssl rsa -RSAPublicKey_in -pubout`"
                    .into(),
            );
        }
        "CERTIFICATE" => {
            return Err(
                "it is a certificate; take the key out with `openssl x509 -pubkey -noout`".into(),
            );
        }
        secret if secret.contains("PRIVATE") => {
            return Err(
                "it is a private key, which belongs to its owner alone; give the public half"
                    .into(),
            );
        }
        _ => return Err("it is no PEM block `PUBLIC KEY`".into()),
    }
    let (base64, after) = rest.split_once(END).ok_or("its PEM block is not closed")?;
    if !after.trim().is_empty() {
        return Err("something follows the PEM block".into());
    }
    let compact: String = base64.split_ascii_whitespace().collect();
    STANDARD
        .decode(compact)
        .map_err(|e| format!("not base64 inside PEM ({e})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    #[test]
    fn reads_our_own_keys_and_names_them_alike() {
        let ours = SigningKey::load(&SigningKey::generate().unwrap()).unwrap();
        let key = Key::from_pem("ours", ours.public().pem().as_bytes()).unwrap();
        assert_eq!(key.id(), ours.public().id());
        let signature = ours.sign(b"text").unwrap();
        assert_eq!(
            key.verify(b"text", &signature),
            Some(Scheme::EcdsaP256Sha256)
        );
        assert_eq!(key.verify(b"Text", &signature), None);
        // Every encoding but one is refused, so an id names a key.
        let spki = ours.public().spki();
        for at in 0..27 {
            let mut other = *spki;
            other[at] ^= 1;
            assert!(Key::from_spki("x", &other).is_err(), "byte {at}");
        }
        assert!(Key::from_spki("x", &spki[..90]).is_err());
        assert!(Key::from_spki("x", &[spki, &[0][..]].concat()).is_err());
    }

    #[test]
    fn names_what_is_not_a_public_key() {
        let pem = |label: &str| format!("-----BEGIN {label}-----\nAA==\n-----END {label}-----\n");
        for (text, want) in [
            (pem("PRIVATE KEY"), "private key"),
            (pem("ENCRYPTED SIGSTORE PRIVATE KEY"), "private key"),
            (pem("RSA PUBLIC KEY"), "-RSAPublicKey_in"),
            (pem("CERTIFICATE"), "openssl x509"),
            (pem("PUBLIC KEY") + &pem("PUBLIC KEY"), "more than one"),
            (pem("PUBLIC KEY"), "not SubjectPublicKeyInfo"),
            (pem("PUBLIC KEY") + "x", "follows"),
            ("ssh-ed25519 AAAA".into(), "no PEM block"),
            (String::new(), "no PEM block"),
        ] {
            let error = Key::from_pem("ci.pub", text.as_bytes())
                .unwrap_err()
                .to_string();
            assert!(error.contains(want) && error.contains("ci.pub"), "{error}");
        }
    }
}

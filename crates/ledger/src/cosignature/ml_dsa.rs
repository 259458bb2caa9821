//! Cosignatures of type 06: ML-DSA-44 (FIPS 204) over a binary structure that binds the cosigner's name, the log's origin
//! and a subtree (c2sp.org/tlog-cosignature v1.1.0-rc.1). Of a checkpoint the subtree is the whole tree. Extension lines
//! are not signed.
//!
//! Signing is the deterministic variant of FIPS 204 with an empty context; keys come from a seed that `ring` draws and are
//! kept in the seed form of RFC 9881.

use std::fmt;

use ml_dsa::signature::{Keypair as _, Signer as _};
use ml_dsa::{B32, MlDsa44, Signature, SigningKey, VerifyingKey};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::MAX_TIME;
use crate::error::Error;
use crate::key::Pkcs8;
use crate::note::{Checkpoint, KeyKind, Note, Vkey, signature_line};

const LABEL: &[u8; 12] = b"subtree/v1\n\0";

/// DER of PrivateKeyInfo for id-ml-dsa-44 with a seed (RFC 9881 section 6), up to the seed's 32 bytes.
const PKCS8_PREFIX: [u8; 22] = [
    0x30, 0x34, 0x02, 0x01, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
    0x03, 0x11, 0x04, 0x22, 0x80, 0x20,
];

/// A witness's private key, of type 06.
pub struct MlDsaCosignerKey {
    key: SigningKey<MlDsa44>,
    vkey: Vkey,
}

impl MlDsaCosignerKey {
    /// Makes a new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::Key`] if the system gives no randomness.
    pub fn generate() -> Result<Pkcs8, Error> {
        let mut der = PKCS8_PREFIX.to_vec();
        der.resize(PKCS8_PREFIX.len() + 32, 0);
        SystemRandom::new()
            .fill(&mut der[PKCS8_PREFIX.len()..])
            .map_err(|_| Error::Key("the system gave no randomness".into()))?;
        Ok(Pkcs8::from_der(der))
    }

    /// Loads the key of the cosigner `name`.
    ///
    /// # Errors
    /// [`Error::Key`] if it is no ML-DSA-44 seed in PKCS#8; [`Error::Vkey`] if `name` cannot name a key.
    pub fn load(name: &str, pkcs8: &Pkcs8) -> Result<Self, Error> {
        let seed = pkcs8
            .der()
            .strip_prefix(&PKCS8_PREFIX)
            .and_then(|seed| B32::try_from(seed).ok())
            .ok_or_else(|| Error::Key("not an ML-DSA-44 key in PKCS#8, as a seed".into()))?;
        let key = SigningKey::<MlDsa44>::from_seed(&seed);
        let vkey = Vkey::of(KeyKind::MlDsa44, name, &key.verifying_key().encode())?;
        Ok(Self { key, vkey })
    }

    /// Returns the verifier's half.
    pub const fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// Cosigns a checkpoint at `time` seconds since 1970, from 1 to [`MAX_TIME`]. Returns one signature line with its
    /// newline.
    ///
    /// # Errors
    /// [`Error::Note`] if the time is out of range, or the origin is longer than the 255 bytes that fit; [`Error::Key`] if
    /// the key cannot sign.
    pub fn cosign(&self, checkpoint: &Checkpoint, time: u64) -> Result<String, Error> {
        if time == 0 || time > MAX_TIME {
            return Err(Error::Note(format!("{time} is no time of a cosignature")));
        }
        let message = signed_bytes(self.vkey.name(), checkpoint, time).ok_or_else(|| {
            Error::Note("an origin longer than 255 bytes cannot be cosigned with ML-DSA-44".into())
        })?;
        let signature: Signature<MlDsa44> = self
            .key
            .try_sign(&message)
            .map_err(|_| Error::Key(format!("key {} could not sign", self.vkey.label())))?;
        let mut blob = time.to_be_bytes().to_vec();
        blob.extend_from_slice(&signature.encode());
        Ok(signature_line(&self.vkey, &blob))
    }
}

impl fmt::Debug for MlDsaCosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MlDsaCosignerKey({})", self.vkey.label())
    }
}

pub(super) fn is_good(note: &Note, key: &Vkey, time: u64, signature: &[u8]) -> bool {
    let good = || {
        let checkpoint = Checkpoint::read_unverified(note).ok()?;
        let message = signed_bytes(key.name(), &checkpoint, time)?;
        let public = key.public().try_into().ok()?;
        let signature = Signature::<MlDsa44>::try_from(signature).ok()?;
        let public = VerifyingKey::<MlDsa44>::decode(&public);
        public
            .verify_with_context(&message, &[], &signature)
            .then_some(())
    };
    good().is_some()
}

/// The `cosigned_message` structure for a whole tree; `None` if a name does not fit its length byte.
fn signed_bytes(cosigner: &str, checkpoint: &Checkpoint, time: u64) -> Option<Vec<u8>> {
    let mut out = LABEL.to_vec();
    out.push(u8::try_from(cosigner.len()).ok()?);
    out.extend_from_slice(cosigner.as_bytes());
    out.extend_from_slice(&time.to_be_bytes());
    out.push(u8::try_from(checkpoint.origin.len()).ok()?);
    out.extend_from_slice(checkpoint.origin.as_bytes());
    out.extend_from_slice(&0_u64.to_be_bytes());
    out.extend_from_slice(&checkpoint.size.to_be_bytes());
    out.extend_from_slice(checkpoint.root.as_bytes());
    Some(out)
}

#[cfg(test)]
mod tests {
    use gonogo_core::Digest;

    use super::super::find;
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: "example.com/log".into(),
            size: 7,
            root: Digest::of(b"root"),
        }
    }

    fn key(name: &str) -> MlDsaCosignerKey {
        MlDsaCosignerKey::load(name, &MlDsaCosignerKey::generate().unwrap()).unwrap()
    }

    fn note(checkpoint: &Checkpoint, lines: &str) -> Note {
        Note::parse(&format!("{}\n{lines}", checkpoint.text())).unwrap()
    }

    #[test]
    fn the_key_file_is_that_of_the_rfc() {
        // The seed form of RFC 9881 appendix C.1.1, whose seed is 00, 01, … 1f.
        let pem = concat!(
            "-----BEGIN PRIVATE KEY-----\n",
            "MDQCAQAwCwYJYIZIAWUDBAMRBCKAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n",
            "-----END PRIVATE KEY-----\n"
        );
        let key = MlDsaCosignerKey::load("w", &Pkcs8::from_pem(pem).unwrap()).unwrap();
        assert_eq!(key.vkey().public().len(), 1312);
        let text = key.vkey().to_string();
        assert_eq!(&text.parse::<Vkey>().unwrap(), key.vkey());
        let other = crate::key::LogKey::generate().unwrap();
        assert!(MlDsaCosignerKey::load("w", &other).is_err());
    }

    #[test]
    fn what_is_cosigned_verifies_and_binds_everything() {
        let (w, checkpoint) = (key("witness.example"), checkpoint());
        let line = w.cosign(&checkpoint, 1_700_000_000).unwrap();
        let good = note(&checkpoint, &line);
        assert_eq!(good.signatures()[0].bytes.len(), 8 + 2420);
        assert_eq!(find(&good, w.vkey()), Ok(Some(1_700_000_000)));
        for other in [
            Checkpoint {
                origin: "example.com/lag".into(),
                ..checkpoint.clone()
            },
            Checkpoint {
                size: 8,
                ..checkpoint.clone()
            },
            Checkpoint {
                root: Digest::of(b"other"),
                ..checkpoint.clone()
            },
        ] {
            assert!(find(&note(&other, &line), w.vkey()).is_err(), "{other:?}");
        }
        // The same key under another name: the id is recomputed, the signature is not.
        let renamed = Vkey::of(KeyKind::MlDsa44, "other.example", w.vkey().public()).unwrap();
        let moved = signature_line(&renamed, &good.signatures()[0].bytes);
        assert!(find(&note(&checkpoint, &moved), &renamed).is_err());
        let mut bytes = good.signatures()[0].bytes.clone();
        bytes[7] ^= 1;
        let later = note(&checkpoint, &signature_line(w.vkey(), &bytes));
        assert!(find(&later, w.vkey()).is_err());
    }

    #[test]
    fn no_time_is_no_statement_and_is_never_written() {
        let (w, checkpoint) = (key("witness.example"), checkpoint());
        assert!(w.cosign(&checkpoint, 0).is_err());
        assert!(w.cosign(&checkpoint, MAX_TIME + 1).is_err());
        let message = signed_bytes("witness.example", &checkpoint, 0).unwrap();
        let signature: Signature<MlDsa44> = w.key.sign(&message);
        let mut blob = vec![0; 8];
        blob.extend_from_slice(&signature.encode());
        let timeless = note(&checkpoint, &signature_line(w.vkey(), &blob));
        assert_eq!(find(&timeless, w.vkey()), Ok(None));
        let long = Checkpoint {
            origin: "x".repeat(256),
            ..checkpoint
        };
        assert!(w.cosign(&long, 1).is_err());
    }

    #[test]
    fn the_signed_bytes_are_laid_out_as_published() {
        let bytes = signed_bytes("w", &checkpoint(), 258).unwrap();
        let mut expected = b"subtree/v1\n\0\x01w\0\0\0\0\0\0\x01\x02\x0fexample.com/log".to_vec();
        expected.extend_from_slice(&[0; 15]);
        expected.push(7);
        expected.extend_from_slice(Digest::of(b"root").as_bytes());
        assert_eq!(bytes, expected);
    }
}

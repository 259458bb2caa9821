//! An issuer's public keys (RFC 7517, RFC 7518 section 6, RFC 8037), and what they signed.
//!
//! Invariants: a key signs with the one algorithm of its type, whatever a token says; keys for other uses, of other types, too small or
//! damaged are left out, and a set in which none is left is no set.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gonogo_core::canonical;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::Value;

use super::jws::Signed;

/// The most keys of a set.
const MOST: usize = 64;

/// Keys of an issuer.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Key>);

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    of: Material,
}

#[derive(Debug)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Material {
    const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }
}

impl KeySet {
    /// Reads a set of keys.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let set = canonical::parse(bytes).map_err(|e| format!("this is no set of keys: {e}"))?;
        let Some(all) = set["keys"].as_array() else {
            return Err("this is no set of keys: it has no list `keys`".into());
        };
        if all.len() > MOST {
            return Err(format!("the set has more than {MOST} keys"));
        }
        let keys: Vec<Key> = all.iter().filter_map(Key::read).collect();
        match keys.is_empty() {
            true => Err("the set has no key that signs with RS256, ES256 or EdDSA".into()),
            false => Ok(Self(keys)),
        }
    }

    /// The keys that can have signed this: of that id, or any where the token names none; of the algorithm's type.
    pub(super) fn fitting<'k>(&'k self, signed: &'k Signed<'_>) -> impl Iterator<Item = &'k Key> {
        let fits = |key: &&Key| {
            let same = match (&signed.key, &key.id) {
                (Some(wanted), Some(id)) => wanted == id,
                // A key without a name may be any.
                _ => true,
            };
            same && key.of.algorithm() == signed.algorithm
        };
        self.0.iter().filter(fits)
    }
}

impl Key {
    fn read(key: &Value) -> Option<Self> {
        let text = |name: &str| key[name].as_str();
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let signs = key["use"].is_null() || text("use") == Some("sig");
        let verifies = match &key["key_ops"] {
            Value::Null => true,
            Value::Array(ops) => ops.iter().any(|op| op == "verify"),
            _ => false,
        };
        let of = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                // Leading zeros are not part of a number that ring takes.
                let n: Vec<u8> = n.into_iter().skip_while(|b| *b == 0).collect();
                let bits = n.len() * 8 - n.first().map_or(0, |b| b.leading_zeros() as usize);
                if !(2048..=8192).contains(&bits) {
                    return None;
                }
                Material::Rsa { n, e }
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                if (x.len(), y.len()) != (32, 32) {
                    return None;
                }
                Material::P256([&[4], &x[..], &y[..]].concat())
            }
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x").filter(|x| x.len() == 32)?),
            _ => return None,
        };
        let named = key["alg"].is_null() || text("alg") == Some(of.algorithm());
        let id = match &key["kid"] {
            Value::Null => None,
            Value::String(id) => Some(id.clone()),
            _ => return None,
        };
        (signs && verifies && named).then_some(Self { id, of })
    }

    /// Whether this key made the signature.
    pub(super) fn signed(&self, signed: &Signed<'_>) -> bool {
        let (text, signature) = (signed.text.as_bytes(), &signed.signature);
        let verified = match &self.of {
            Material::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, text, signature)
            }
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(text, signature)
            }
            Material::Ed25519(point) => {
                UnparsedPublicKey::new(&ED25519, point).verify(text, signature)
            }
        };
        verified.is_ok()
    }
}

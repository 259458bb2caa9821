//! Sigstore bundles, v0.3: a record's envelope with the proof that the log holds it, as stock verifiers read it.
//!
//! ```json
//! {"dsseEnvelope":{…},"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",
//!  "verificationMaterial":{"publicKey":{"hint":"<key id>"},"tlogEntries":[{
//!    "canonicalizedBody":"<leaf>",
//!    "inclusionProof":{"checkpoint":{"envelope":"<note>"},"hashes":["…"],"logIndex":"7","rootHash":"…","treeSize":"9"},
//!    "integratedTime":"0","kindVersion":{"kind":"hashedrekord","version":"0.0.2"},
//!    "logId":{"keyId":"<C2SP key hash>"},"logIndex":"7"}]}}
//! ```
//!
//! Written without white space, keys in RFC 8785 order, so a bundle has one spelling. [`Bundles::read`] takes the parts that
//! differ out of a text, writes the bundle of those parts again and compares all bytes. What the bundles of one packet
//! share (log, tree, checkpoint) is a [`Bundles`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::Digest;

use crate::dsse::Envelope;
use crate::error::Error;
use crate::key::{KeyId, PublicKey};
use crate::merkle::{self, MAX_PATH};
use crate::note::parse_decimal;
use crate::{MAX_ENVELOPE, leaf};

/// The media type of a bundle.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The largest bundle, in bytes: an envelope, a leaf, a path of 64 hashes and a checkpoint with many cosignatures.
pub const MAX_BUNDLE: usize = MAX_ENVELOPE + (512 << 10);

const PAYLOAD: &str = r#"{"dsseEnvelope":{"payload":""#;
const KEYID: &str = r#"","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":""#;
const SIG: &str = r#"","sig":""#;
const HINT: &str = concat!(
    r#""}]},"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","#,
    r#""verificationMaterial":{"publicKey":{"hint":""#
);
const BODY: &str = r#""},"tlogEntries":[{"canonicalizedBody":""#;
const CHECKPOINT: &str = r#"","inclusionProof":{"checkpoint":{"envelope":"#;
const HASHES: &str = r#"},"hashes":["#;
const INDEX: &str = r#"],"logIndex":""#;
const ROOT: &str = r#"","rootHash":""#;
const SIZE: &str = r#"","treeSize":""#;
const LOG_ID: &str = concat!(
    r#""},"integratedTime":"0","kindVersion":{"kind":"hashedrekord","version":"0.0.2"},"#,
    r#""logId":{"keyId":""#
);
const AGAIN: &str = r#""},"logIndex":""#;
const END: &str = r#""}]}}"#;

/// One record with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The signed record.
    pub envelope: Envelope,
    /// The signer's key. The envelope's key id is this key's.
    pub key: PublicKey,
    /// The leaf's index in the log.
    pub index: u64,
    /// The audit path, leaf side first.
    pub path: Vec<Digest>,
}

/// What all bundles under one checkpoint share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundles {
    log_id: Digest,
    /// From the leaf to the hashes, the checkpoint in it.
    before_hashes: String,
    /// From the hashes' index to the second index.
    root_to_index: String,
}

impl Bundles {
    /// Describes the log `log_id` (the untruncated C2SP key hash) in the state that the whole note `checkpoint` states:
    /// `size` leaves under `root`.
    ///
    /// # Errors
    /// [`Error::Packet`] if the note cannot stand in JSON.
    pub fn new(log_id: Digest, checkpoint: &str, size: u64, root: &Digest) -> Result<Self, Error> {
        let quoted = serde_json::to_string(checkpoint).map_err(|e| Error::Packet(e.to_string()))?;
        let root = STANDARD.encode(root.as_bytes());
        let id = STANDARD.encode(log_id.as_bytes());
        Ok(Self {
            log_id,
            before_hashes: format!("{CHECKPOINT}{quoted}{HASHES}"),
            root_to_index: format!("{ROOT}{root}{SIZE}{size}{LOG_ID}{id}{AGAIN}"),
        })
    }

    /// Returns the log's id.
    pub const fn log_id(&self) -> &Digest {
        &self.log_id
    }

    /// Returns the bundle's text.
    pub fn write(&self, bundle: &Bundle) -> Vec<u8> {
        self.write_with(bundle, &leaf::body(&bundle.envelope, &bundle.key))
    }

    pub(crate) fn write_with(&self, bundle: &Bundle, body: &[u8]) -> Vec<u8> {
        let payload = bundle.envelope.payload().len();
        let mut out = String::with_capacity(payload / 3 * 4 + self.before_hashes.len() + 4096);
        let keyid = bundle.envelope.keyid().to_string();
        out.push_str(PAYLOAD);
        STANDARD.encode_string(bundle.envelope.payload(), &mut out);
        out.push_str(KEYID);
        out.push_str(&keyid);
        out.push_str(SIG);
        STANDARD.encode_string(bundle.envelope.signature(), &mut out);
        out.push_str(HINT);
        out.push_str(&keyid);
        out.push_str(BODY);
        STANDARD.encode_string(body, &mut out);
        out.push_str(&self.before_hashes);
        for (n, hash) in bundle.path.iter().enumerate() {
            out.push_str(if n == 0 { "\"" } else { ",\"" });
            STANDARD.encode_string(hash.as_bytes(), &mut out);
            out.push('"');
        }
        let index = bundle.index.to_string();
        out.push_str(INDEX);
        out.push_str(&index);
        out.push_str(&self.root_to_index);
        out.push_str(&index);
        out.push_str(END);
        out.into_bytes()
    }

    /// Reads a bundle of this log and checkpoint, in its one spelling; returns it with its leaf's bytes. Neither signature
    /// nor path is verified.
    ///
    /// # Errors
    /// [`Error::Packet`] naming the part at fault.
    pub fn read(&self, bytes: &[u8]) -> Result<(Bundle, Vec<u8>), Error> {
        let (bundle, _) = parse(bytes)?;
        let body = leaf::body(&bundle.envelope, &bundle.key);
        if self.write_with(&bundle, &body) == bytes {
            Ok((bundle, body))
        } else {
            Err(bad(
                "it differs from the bundle of the same record, path, log and checkpoint",
            ))
        }
    }
}

/// Returns the log id that a bundle names, so that the other bundles can be held against it.
///
/// # Errors
/// [`Error::Packet`] if the text is no bundle of ours.
pub fn claimed_log_id(bytes: &[u8]) -> Result<Digest, Error> {
    let (_, log_id) = parse(bytes)?;
    hash(log_id)
}

/// Takes the parts that differ out of a bundle's text. Whether the rest of the text is right is for the caller to compare.
fn parse(bytes: &[u8]) -> Result<(Bundle, &str), Error> {
    if bytes.len() > MAX_BUNDLE {
        return Err(bad("it is larger than a record may be"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| bad("it is not UTF-8"))?;
    let mut at = Cursor(text);
    at.skip(PAYLOAD)?;
    let payload = decode(at.until('"')?)?;
    at.skip(&KEYID[1..])?;
    let keyid = KeyId::parse(at.until('"')?)?;
    at.skip(&SIG[1..])?;
    let signature = decode(at.until('"')?)?;
    at.skip(&HINT[1..])?;
    at.until('"')?;
    at.skip(&BODY[1..])?;
    let key = leaf::key_of(&decode(at.until('"')?)?)?;
    at.skip(&CHECKPOINT[1..])?;
    at.skip("\"")?;
    at.json_string()?;
    at.skip(HASHES)?;
    let mut path = Vec::new();
    while at.0.starts_with('"') {
        at.skip("\"")?;
        if path.len() == MAX_PATH {
            return Err(bad("its path is longer than any tree is high"));
        }
        path.push(hash(at.until('"')?)?);
        if at.0.starts_with(',') {
            at.skip(",")?;
        }
    }
    at.skip(INDEX)?;
    let index = parse_decimal(at.until('"')?).ok_or_else(|| bad("its index is no number"))?;
    at.skip(&ROOT[1..])?;
    at.until('"')?;
    at.skip(&SIZE[1..])?;
    at.until('"')?;
    at.skip(&LOG_ID[1..])?;
    let log_id = at.until('"')?;
    let bundle = Bundle {
        envelope: Envelope::from_parts(payload, keyid, signature)?,
        key,
        index,
        path,
    };
    Ok((bundle, log_id))
}

struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn skip(&mut self, expected: &str) -> Result<(), Error> {
        self.0 = self
            .0
            .strip_prefix(expected)
            .ok_or_else(|| bad("it is not in the one form of a bundle"))?;
        Ok(())
    }

    /// Takes what stands before `end`, and leaves out `end`.
    fn until(&mut self, end: char) -> Result<&'a str, Error> {
        let (before, after) = self
            .0
            .split_once(end)
            .ok_or_else(|| bad("a text in it does not end"))?;
        self.0 = after;
        Ok(before)
    }

    /// Passes a JSON text whose opening quote was passed.
    fn json_string(&mut self) -> Result<(), Error> {
        let mut escaped = false;
        for (n, byte) in self.0.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    self.0 = &self.0[n + 1..];
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(bad("a text in it does not end"))
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Error> {
    STANDARD
        .decode(text)
        .map_err(|e| bad(&format!("base64: {e}")))
}

fn hash(text: &str) -> Result<Digest, Error> {
    merkle::digest_from_base64(text).ok_or_else(|| bad("a hash is not 32 bytes in base64"))
}

fn bad(what: &str) -> Error {
    Error::Packet(format!("no bundle: {what}"))
}

#[cfg(test)]
mod tests {
    use gonogo_core::canonical;
    use serde_json::{Value, json};

    use super::*;
    use crate::key::SigningKey;

    const NOTE: &str = "ledger.example\n9\nroot\n\n\u{2014} a\"b\\c AAAA\n";

    fn sample() -> (Bundles, Bundle) {
        let key = SigningKey::load(&SigningKey::generate().unwrap()).unwrap();
        let bundles = Bundles::new(Digest::of(b"id"), NOTE, 9, &Digest::of(b"root")).unwrap();
        let bundle = Bundle {
            envelope: Envelope::sign(b"{}".to_vec(), &key).unwrap(),
            key: *key.public(),
            index: 7,
            path: vec![Digest::of(b"a"), Digest::of(b"b"), Digest::of(b"c")],
        };
        (bundles, bundle)
    }

    #[test]
    fn a_bundle_is_the_canonical_form_of_what_sigstore_reads() {
        let (bundles, bundle) = sample();
        let b64 = |bytes: &[u8]| STANDARD.encode(bytes);
        let keyid = bundle.envelope.keyid().to_string();
        let path: Vec<Value> = bundle
            .path
            .iter()
            .map(|h| b64(h.as_bytes()).into())
            .collect();
        let want = json!({
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {
                "publicKey": {"hint": keyid},
                "tlogEntries": [{
                    "logIndex": "7",
                    "logId": {"keyId": b64(Digest::of(b"id").as_bytes())},
                    "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
                    "integratedTime": "0",
                    "inclusionProof": {
                        "logIndex": "7",
                        "rootHash": b64(Digest::of(b"root").as_bytes()),
                        "treeSize": "9",
                        "hashes": path,
                        "checkpoint": {"envelope": NOTE},
                    },
                    "canonicalizedBody": b64(&leaf::body(&bundle.envelope, &bundle.key)),
                }],
            },
            "dsseEnvelope": {
                "payload": b64(b"{}"),
                "payloadType": crate::dsse::PAYLOAD_TYPE,
                "signatures": [{"keyid": keyid, "sig": b64(bundle.envelope.signature())}],
            },
        });
        let text = bundles.write(&bundle);
        assert_eq!(text, canonical::to_vec(&want).unwrap());
        let (read, body) = bundles.read(&text).unwrap();
        assert_eq!(read, bundle);
        assert_eq!(body, leaf::body(&bundle.envelope, &bundle.key));
        assert_eq!(claimed_log_id(&text), Ok(Digest::of(b"id")));
    }

    #[test]
    fn a_bundle_has_one_spelling() {
        let (bundles, bundle) = sample();
        let text = bundles.write(&bundle);
        for at in 0..text.len() {
            for mask in [1, 0x10, 0x5f] {
                let mut changed = text.clone();
                changed[at] ^= mask;
                // Another hash of the path, or key, is another bundle: its proof or signature fails. Nothing else is one.
                if let Ok((read, _)) = bundles.read(&changed) {
                    assert!(
                        read.path != bundle.path || read.key != bundle.key,
                        "byte {at}"
                    );
                    assert_eq!(bundles.write(&read), changed, "byte {at}");
                }
            }
            assert!(bundles.read(&text[..at]).is_err());
        }
        let longer = [&text[..], b" "].concat();
        assert!(bundles.read(&longer).is_err());
        let loose = serde_json::from_slice::<Value>(&text).unwrap();
        let loose = serde_json::to_vec_pretty(&loose).unwrap();
        assert!(bundles.read(&loose).is_err());
        for (from, to) in [
            ("\"logIndex\":\"7\"", "\"logIndex\":\"07\""),
            ("\"logIndex\":\"7\"", "\"logIndex\":\"8\""),
            (",\"logIndex\":\"7\",", ",\"logIndex\":\"7\",,"),
            ("],\"logIndex\"", ",],\"logIndex\""),
        ] {
            let changed = String::from_utf8(text.clone())
                .unwrap()
                .replacen(from, to, 1);
            assert_ne!(changed.as_bytes(), text, "{from}");
            assert!(bundles.read(changed.as_bytes()).is_err(), "{to}");
        }
        let long = Bundle {
            path: vec![Digest::of(b"x"); MAX_PATH + 1],
            ..bundle
        };
        assert!(bundles.read(&bundles.write(&long)).is_err());
    }
}

//! The body of a record of outside evidence, and the check that repeats the submission from it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::{Digest, canonical};
use serde_json::{Value, json};

use super::fields::Object;
use super::key::{Key, NamedKey};
use super::predicate::Kind;
use super::read::{Carrier, Outside, Signer, Signing, read_one};
use super::statement::Subject;
use super::{Error, MAX_BODY};

const FORMAT: &str = "outside-evidence body";

/// What a recorded claim is worth to somebody who brings his own keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Enough of the reader's keys signed it.
    Verified {
        /// Those of the reader's keys that signed, under the reader's names.
        signers: Vec<Signer>,
    },
    /// The record itself says that nothing was verified, and why. Never to be shown as a pass.
    Unverified {
        /// Why.
        why: &'static str,
    },
}

/// Checks a record's `body` against the blob it names and the reader's own `keys`.
///
/// The blob's digest, every recorded signature and everything that the body tells about the content are worked out again
/// and must come out as recorded; then at least `threshold` different keys of `keys` must have signed. To repeat only what
/// the record claims, pass the keys and the threshold of [`Outside::from_body`]: that trusts the keys in the record.
///
/// # Errors
/// [`Error::Body`] or [`Error::Field`] if the body has another form, [`Error::Mismatch`] if the blob does not bear it out,
/// [`Error::Signatures`] or [`Error::Threshold`] if too few of `keys` signed.
pub fn check(
    body: &Value,
    blob: &[u8],
    keys: &[NamedKey],
    threshold: usize,
) -> Result<Standing, Error> {
    let recorded = Outside::from_body(body)?;
    if recorded.digest != Digest::of(blob) {
        return Err(Error::Mismatch {
            why: format!("the blob's digest is not {}", recorded.digest),
        });
    }
    let again =
        read_one(blob, &recorded.keys()?, recorded.threshold()).map_err(|e| Error::Mismatch {
            why: format!("reading the blob again fails: {e}"),
        })?;
    if again != recorded {
        return Err(Error::Mismatch {
            why: "reading the blob again tells something else".into(),
        });
    }
    if let Some(why) = recorded.signing.why_not() {
        return Ok(Standing::Unverified { why });
    }
    if keys.is_empty() || threshold == 0 {
        return Err(Error::Threshold {
            threshold,
            keys: keys.len(),
        });
    }
    match read_one(blob, keys, threshold)?.signing {
        Signing::Verified { signers, .. } => Ok(Standing::Verified { signers }),
        Signing::NoKey | Signing::NoSignature => Err(Error::Mismatch {
            why: "the blob has no signature to check".into(),
        }),
    }
}

impl Outside {
    /// Returns the body of the record.
    pub fn to_body(&self) -> Value {
        let (threshold, signers) = match &self.signing {
            Signing::Verified { threshold, signers } => (*threshold, signers.as_slice()),
            Signing::NoKey | Signing::NoSignature => (0, &[][..]),
        };
        let signers: Vec<Value> = signers
            .iter()
            .map(|signer| {
                json!({
                    "name": signer.name,
                    "keyid": signer.key.id().to_string(),
                    "spki": STANDARD.encode(signer.key.spki()),
                    "scheme": signer.scheme.name(),
                })
            })
            .collect();
        let subjects: Vec<Value> = self
            .subjects
            .iter()
            .map(|subject| json!({"name": subject.name, "digests": subject.digests}))
            .collect();
        json!({
            "kind": self.kind.name(),
            "carrier": self.carrier.name(),
            "blob": self.digest,
            "size": self.size,
            "payloadType": self.payload_type,
            "statementType": self.statement_type,
            "predicateType": self.predicate_type,
            "subjects": subjects,
            "verified": self.is_verified(),
            "why": self.signing.why_not(),
            "threshold": threshold,
            "signers": signers,
            "signatures": self.signatures,
            "notChecked": self.not_checked,
            "summary": self.summary,
        })
    }

    /// Reads the body of a record. The value is what the record says; only [`check`] tells whether its blob bears it out.
    ///
    /// # Errors
    /// [`Error::Field`] naming the field, [`Error::Body`] if the same value would have been written differently.
    pub fn from_body(body: &Value) -> Result<Self, Error> {
        let root = Object::root(FORMAT, body)?;
        let kind =
            Kind::from_name(root.text("kind")?).ok_or_else(|| root.bad("kind", "unknown"))?;
        let carrier = Carrier::from_name(root.text("carrier")?)
            .ok_or_else(|| root.bad("carrier", "unknown"))?;
        let digest = root.text("blob")?.parse::<Digest>();
        let number = |field: &str| {
            let number = root.need(field)?.as_u64();
            number.ok_or_else(|| root.bad(field, "not a whole number"))
        };
        let count =
            |field: &str| usize::try_from(number(field)?).map_err(|_| root.bad(field, "too large"));
        let owned = |field: &str| Ok(root.text_if_any(field)?.map(str::to_owned));
        let signers = root.list("signers")?.iter().map(read_signer);
        let signers = signers.collect::<Result<Vec<_>, Error>>()?;
        let threshold = count("threshold")?;
        let signing = match (root.find("why").map(Value::as_str), signers.is_empty()) {
            (None, false) => Signing::Verified { threshold, signers },
            (Some(Some(why)), true) => [Signing::NoKey, Signing::NoSignature]
                .into_iter()
                .find(|signing| signing.why_not() == Some(why))
                .ok_or_else(|| root.bad("why", "unknown"))?,
            _ => return Err(root.bad("signers", "there are signers exactly if there is no `why`")),
        };
        let outside = Self {
            kind,
            carrier,
            payload_type: owned("payloadType")?,
            statement_type: owned("statementType")?,
            predicate_type: owned("predicateType")?,
            subjects: root
                .list("subjects")?
                .iter()
                .map(read_subject)
                .collect::<Result<_, _>>()?,
            signing,
            signatures: count("signatures")?,
            not_checked: root
                .texts("notChecked")?
                .into_iter()
                .map(str::to_owned)
                .collect(),
            digest: digest.map_err(|e| root.bad("blob", e.to_string()))?,
            size: number("size")?,
            summary: root.need("summary")?.clone(),
        };
        match outside.to_body() == *body {
            true => Ok(outside),
            false => Err(Error::Body {
                why: "it has unknown fields or contradicts itself".into(),
            }),
        }
    }

    /// Returns the keys that the record names as signers: what it claims, not what anybody trusts.
    ///
    /// # Errors
    /// [`Error::Key`] if a signer has no usable name.
    pub fn keys(&self) -> Result<Vec<NamedKey>, Error> {
        match &self.signing {
            Signing::Verified { signers, .. } => signers
                .iter()
                .map(|signer| NamedKey::new(&signer.name, signer.key.clone()))
                .collect(),
            Signing::NoKey | Signing::NoSignature => Ok(Vec::new()),
        }
    }

    /// Returns how many keys were asked for; 0 if nothing is verified.
    pub const fn threshold(&self) -> usize {
        match self.signing {
            Signing::Verified { threshold, .. } => threshold,
            Signing::NoKey | Signing::NoSignature => 0,
        }
    }

    /// Refuses a claim whose body would not fit into a record.
    pub(super) fn bounded(self) -> Result<Self, Error> {
        let bytes =
            canonical::to_vec(&self.to_body()).map_err(|e| Error::Body { why: e.to_string() })?;
        match bytes.len() > MAX_BODY {
            true => Err(Error::TooLarge {
                what: "what the claim would put into a record (names, subjects, digests)",
                found: bytes.len(),
                limit: MAX_BODY,
            }),
            false => Ok(self),
        }
    }
}

fn read_signer(value: &Value) -> Result<Signer, Error> {
    let object = Object::at(FORMAT, "signers[]", value)?;
    let name = object.text("name")?;
    let spki = STANDARD
        .decode(object.text("spki")?)
        .map_err(|e| object.bad("spki", format!("not base64 ({e})")))?;
    let scheme = super::Scheme::from_name(object.text("scheme")?)
        .ok_or_else(|| object.bad("scheme", "unknown"))?;
    Ok(Signer {
        name: name.to_owned(),
        key: Key::from_spki(name, &spki)?,
        scheme,
    })
}

fn read_subject(value: &Value) -> Result<Subject, Error> {
    let object = Object::at(FORMAT, "subjects[]", value)?;
    let map = object.need("digests")?.as_object();
    let map = map.ok_or_else(|| object.bad("digests", "not an object"))?;
    let mut digests = BTreeMap::new();
    for (algorithm, digest) in map {
        let digest = digest
            .as_str()
            .ok_or_else(|| object.bad("digests", "no text"))?;
        digests.insert(algorithm.clone(), digest.to_owned());
    }
    Ok(Subject {
        name: object.text_if_any("name")?.map(str::to_owned),
        digests,
    })
}

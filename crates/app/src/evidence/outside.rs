//! The evidence from outside in a packet, checked again: the bytes that were submitted, the signatures over them, and what the
//! record says of them.

use std::fs::File;
use std::path::Path;

use gonogo_core::Digest;
use gonogo_ledger::Subject;
use gonogo_ledger::attestation::{self, MAX_SUBMISSION, Outside, RECORD_KIND, Standing};
use gonogo_ledger::packet::{blob_member, extract_blob};
use gonogo_ledger::verify::{Report, VerifiedRecord};

/// One claim from outside, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its record.
    pub index: u64,
    /// What it is, as the record says.
    pub kind: String,
    /// Who submitted it, as the log enrolled them.
    pub submitted_by: String,
    /// How it stands.
    pub standing: Stands,
}

/// How a claim from outside stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// The signatures by these hold, under the keys in the record. Whether to believe these keys is the reader's business.
    Signed(Vec<String>),
    /// Nobody's signature was ever checked, and why.
    Unsigned(&'static str),
    /// Its bytes are not in the packet.
    Absent,
    /// It is about something else than what the packet's plan releases.
    Elsewhere,
    /// The record and the bytes contradict each other, or a signature does not hold.
    Broken(String),
}

/// Checks every claim of the packet that the report is about. `released` are the artifacts of the packet's plan.
pub(super) fn check(path: &Path, report: &Report, released: &[Digest]) -> Vec<Claim> {
    let claims = report.records.iter().filter(|r| r.kind == RECORD_KIND);
    claims
        .map(|record| {
            let (kind, standing) = match Outside::from_body(&record.body) {
                Err(e) => ("unknown".to_owned(), Stands::Broken(e.to_string())),
                Ok(outside) => {
                    let stands = if !agrees(&outside, record) {
                        let text = "the record says that it is about something that the claim is not about";
                        Stands::Broken(text.into())
                    } else if !report.blobs.contains(&outside.digest) {
                        Stands::Absent
                    } else {
                        match again(path, &outside, &record.body) {
                            broken @ Stands::Broken(_) => broken,
                            _ if !is_about(record, released) => Stands::Elsewhere,
                            stands => stands,
                        }
                    };
                    (outside.kind.name().to_owned(), stands)
                }
            };
            Claim {
                index: record.index,
                kind,
                submitted_by: record.signer.who.clone(),
                standing,
            }
        })
        .collect()
}

/// What the record is about must be what the claim is about. A claim that cannot say so is about what its submitter says.
fn agrees(outside: &Outside, record: &VerifiedRecord) -> bool {
    let says = |subject: &Subject| outside.is_about(&subject.digest);
    outside.subjects.is_empty() || record.subject.iter().all(says) || is_of_blob(outside, record)
}

/// Whether the record is about nothing but the claim's own bytes.
fn is_of_blob(outside: &Outside, record: &VerifiedRecord) -> bool {
    let is_blob = |subject: &Subject| subject.digest == outside.digest;
    record.subject.iter().all(is_blob)
}

fn is_about(record: &VerifiedRecord, released: &[Digest]) -> bool {
    let mut subjects = record.subject.iter();
    subjects.any(|subject| released.contains(&subject.digest))
}

fn again(path: &Path, outside: &Outside, body: &serde_json::Value) -> Stands {
    let bytes = match blob(path, &outside.digest) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Stands::Absent,
        Err(e) => return Stands::Broken(e),
    };
    let checked = outside
        .keys()
        .and_then(|keys| attestation::check(body, &bytes, &keys, outside.threshold()));
    match checked {
        Ok(Standing::Verified { signers }) => {
            Stands::Signed(signers.into_iter().map(|s| s.name).collect())
        }
        Ok(Standing::Unverified { why }) => Stands::Unsigned(why),
        Err(e) => Stands::Broken(e.to_string()),
    }
}

/// A blob's bytes, checked against its digest: the packet may have changed since it was verified.
fn blob(path: &Path, digest: &Digest) -> Result<Option<Vec<u8>>, String> {
    let limit = MAX_SUBMISSION as u64;
    if !path.is_dir() {
        let file = File::open(path).map_err(|e| e.to_string())?;
        return extract_blob(file, digest, limit).map_err(|e| e.to_string());
    }
    let file = path.join(blob_member(digest));
    let size = std::fs::metadata(&file).map_err(|e| e.to_string())?.len();
    if size > limit {
        return Err(format!("it has {size} bytes, more than {limit}"));
    }
    let bytes = std::fs::read(&file).map_err(|e| e.to_string())?;
    if Digest::of(&bytes) == *digest {
        Ok(Some(bytes))
    } else {
        Err("its bytes changed while they were read".into())
    }
}

#[cfg(test)]
mod tests {
    use gonogo_core::Timestamp;
    use gonogo_ledger::{SigningKey, verify::Signer};
    use serde_json::json;

    use super::*;

    fn record(subjects: &[Digest]) -> VerifiedRecord {
        let key = SigningKey::load(&SigningKey::generate().unwrap()).unwrap();
        let subject = |digest: &Digest| Subject {
            name: "s".into(),
            digest: *digest,
        };
        VerifiedRecord {
            index: 1,
            stream: "run/outside/0".into(),
            seq: 0,
            key: "k".into(),
            kind: RECORD_KIND.into(),
            time: Timestamp::from_millis(0),
            actor: "dana".into(),
            signer: Signer {
                key: key.public().id(),
                who: "dana".into(),
                role: "person".into(),
            },
            subject: subjects.iter().map(subject).collect(),
            body: json!({}),
            digest: Digest::of(b"record"),
        }
    }

    #[test]
    fn a_record_is_about_what_its_claim_is_about() {
        let (shop, other) = (Digest::of(b"shop"), Digest::of(b"other"));
        let about = |digests: &[Digest]| {
            let subjects: Vec<_> = digests
                .iter()
                .map(|d| json!({"name": "s", "digest": {"sha256": d.hex()}}))
                .collect();
            let statement = json!({"_type": "https://in-toto.io/Statement/v1", "subject": subjects,
                "predicateType": "https://example.org/x/v1", "predicate": {}});
            statement.to_string()
        };
        let spdx = br#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"n","dataLicense":"CC0-1.0",
            "documentNamespace":"https://example.org/n","creationInfo":{"created":"2026-01-31T12:00:00Z","creators":["Tool: t"]},
            "packages":[]}"#;
        let envelope = |text: &str| {
            use base64::Engine as _;
            let payload = base64::engine::general_purpose::STANDARD.encode(text);
            json!({"payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": [{"keyid": "", "sig": "AA=="}]})
                .to_string()
        };
        let read = |bytes: &[u8]| attestation::read(bytes, &[], 0).unwrap()[0].outside.clone();
        let text = envelope(&about(&[shop]));
        let claim = read(text.as_bytes());
        assert!(agrees(&claim, &record(&[shop])));
        assert!(!agrees(&claim, &record(&[other])));
        assert!(!agrees(&claim, &record(&[shop, other])));
        assert!(agrees(&claim, &record(&[claim.digest])));
        // What cannot say what it is about, is about what its submitter says.
        let silent = read(spdx);
        assert!(silent.subjects.is_empty());
        assert!(agrees(&silent, &record(&[other])));
        assert!(is_about(&record(&[other, shop]), &[shop]));
        assert!(!is_about(&record(&[other]), &[shop]));
    }
}

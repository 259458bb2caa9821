//! The evidence from outside in a packet, checked again: the bytes that were submitted, the signatures over them, and what the
//! record says of them.

use std::fs::File;
use std::path::Path;

use gonogo_core::Digest;
use gonogo_ledger::attestation::{self, MAX_SUBMISSION, Outside, RECORD_KIND, Standing};
use gonogo_ledger::packet::{blob_member, extract_blob};
use gonogo_ledger::verify::Report;

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
    /// The record and the bytes contradict each other, or a signature does not hold.
    Broken(String),
}

/// Checks every claim of the packet that the report is about.
pub(super) fn check(path: &Path, report: &Report) -> Vec<Claim> {
    let claims = report.records.iter().filter(|r| r.kind == RECORD_KIND);
    claims
        .map(|record| {
            let (kind, standing) = match Outside::from_body(&record.body) {
                Err(e) => ("unknown".to_owned(), Stands::Broken(e.to_string())),
                Ok(outside) => {
                    let stands = if report.blobs.contains(&outside.digest) {
                        again(path, &outside, &record.body)
                    } else {
                        Stands::Absent
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

//! Time-stamps (RFC 3161): a word of somebody with another clock that a checkpoint existed by then.
//!
//! The one place where gonogo asks a time-stamping authority. The answer is checked under a root that the caller brings, before
//! it goes into a packet; readers check it again under theirs.

use std::path::Path;
use std::time::Duration;

use gonogo_core::{Digest, Reason};
use gonogo_ledger::timestamp::{self, Certificate, MAX_RESPONSE, REQUEST_TYPE, Timestamp};
use gonogo_ledger::verify::{Stamp, TimestampCheck};
use gonogo_outbound::post;

use crate::AppError;
use crate::identity::random;

/// For the whole answer.
const ANSWER: Duration = Duration::from_secs(20);

/// The largest file of root certificates.
const LARGEST: u64 = 1 << 20;

/// Reads root certificates from a PEM file.
///
/// # Errors
/// It cannot be read, or holds none.
pub fn roots(path: &Path) -> Result<Vec<Certificate>, AppError> {
    let size = std::fs::metadata(path)
        .map_err(|e| AppError::io("read", path, &e))?
        .len();
    let bad = |why: String| {
        let text = format!("certificates `{}`: {why}", path.display());
        AppError::new(Reason::ArgumentInvalid, text)
    };
    if size > LARGEST {
        return Err(bad(format!("{size} bytes; at most {LARGEST} are read")));
    }
    let pem = std::fs::read(path).map_err(|e| AppError::io("read", path, &e))?;
    let found = Certificate::from_pem(&pem).map_err(|e| bad(e.to_string()))?;
    if found.is_empty() {
        return Err(bad("it holds no certificate".into()));
    }
    Ok(found)
}

/// Asks the authority at `url` for a time-stamp over a checkpoint, and checks it under the roots in the file `root`.
///
/// # Errors
/// In words: it did not answer, or its answer does not hold.
pub fn stamp(url: &str, root: &Path, note: &str) -> Result<Vec<u8>, String> {
    let roots = roots(root).map_err(|e| e.to_string())?;
    let nonce = u64::from_be_bytes(random()) >> 1;
    let request = timestamp::request(&Digest::of(note.as_bytes()), nonce);
    let answer = post(url, REQUEST_TYPE, request, MAX_RESPONSE, ANSWER)
        .map_err(|e| format!("`{url}`: {e}"))?;
    timestamp::accept(&answer, note.as_bytes(), nonce, &roots)
        .map_err(|e| format!("`{url}`: {e}"))?;
    Ok(answer)
}

/// The reader's roots.
pub struct Roots(pub Vec<Certificate>);

impl TimestampCheck for Roots {
    fn check(&self, response: &[u8], checkpoint: &[u8]) -> Stamp {
        match timestamp::verify(response, checkpoint, &self.0) {
            Ok(Timestamp { time, tsa_name, .. }) => {
                Stamp::Good(format!("it existed by {time}, says {tsa_name}"))
            }
            Err(e) => Stamp::Bad(e.to_string()),
        }
    }
}

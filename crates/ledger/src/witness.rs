//! The witness protocol without its transport: reading an `add-checkpoint` request, judging it against what the witness
//! remembers, and the status code of each refusal (c2sp.org/tlog-witness v1.0.0).
//!
//! The caller finds the log's key and the remembered checkpoint by [`AddCheckpoint::origin`], and must persist the new
//! checkpoint, atomically with having read the remembered one, before it lets a cosignature out.
//!
//! Invariants: nothing is judged good that is smaller than, or not shown to extend, what is remembered; a second root for
//! the same size is told apart from every other refusal, because the two checkpoints together prove that the log lied.

use gonogo_core::Digest;

use crate::error::Error;
use crate::merkle;
use crate::note::{Checkpoint, MAX_NOTE, Note, Vkey, parse_decimal};

/// The most proof lines a request may have.
pub const MAX_PROOF_LINES: usize = 63;

/// The longest request, in bytes: the old size, [`MAX_PROOF_LINES`] hashes and a note.
pub const MAX_REQUEST: usize = MAX_NOTE + 4096;

/// A request to cosign a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the checkpoint that the sender believes the witness cosigned last; 0 if none.
    pub old: u64,
    /// Proof that the new tree extends the old (RFC 6962 section 2.1.2); empty if `old` is 0 or the new size.
    pub path: Vec<Digest>,
    /// The signed checkpoint, a whole note.
    pub note: String,
}

impl AddCheckpoint {
    /// Reads the body of a request. The note in it is well-formed afterwards, but not verified.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] naming the part at fault.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let bad = |what: &str| Refusal::Malformed(what.to_owned());
        if body.len() > MAX_REQUEST {
            return Err(bad(&format!("longer than {MAX_REQUEST} bytes")));
        }
        let text = std::str::from_utf8(body).map_err(|_| bad("not UTF-8"))?;
        let (old, mut rest) = text
            .strip_prefix("old ")
            .and_then(|rest| rest.split_once('\n'))
            .ok_or_else(|| bad("the first line is not `old` and a size"))?;
        let old = parse_decimal(old).ok_or_else(|| bad("the old size is no decimal number"))?;
        let mut path = Vec::new();
        loop {
            let (line, tail) = rest
                .split_once('\n')
                .ok_or_else(|| bad("no empty line before the checkpoint"))?;
            rest = tail;
            if line.is_empty() {
                break;
            }
            if path.len() == MAX_PROOF_LINES {
                return Err(bad(&format!("more than {MAX_PROOF_LINES} proof lines")));
            }
            let hash = merkle::digest_from_base64(line).ok_or_else(|| {
                bad(&format!(
                    "proof line {} is no hash in base64",
                    path.len() + 1
                ))
            })?;
            path.push(hash);
        }
        let note = Note::parse(rest).map_err(|e| bad(&e.to_string()))?;
        Checkpoint::read_unverified(&note).map_err(|e| bad(&e.to_string()))?;
        Ok(Self {
            old,
            path,
            note: rest.to_owned(),
        })
    }

    /// Returns the body of the request.
    pub fn to_text(&self) -> String {
        format!(
            "old {}\n{}\n{}",
            self.old,
            merkle::path_to_text(&self.path),
            self.note
        )
    }

    /// Returns which log the checkpoint claims to be of: its first line, unverified.
    pub fn origin(&self) -> &str {
        self.note.split('\n').next().unwrap_or_default()
    }
}

/// Judges a request: `log_key` is the key that the witness trusts for [`AddCheckpoint::origin`], if it knows that log,
/// and `known` is the checkpoint of that log that it cosigned last, if any. Returns the checkpoint to remember and then to
/// cosign; what is cosigned is the text of the request's note.
///
/// # Errors
/// A [`Refusal`] with the status code to answer; nothing may be remembered or cosigned then.
pub fn judge(
    request: &AddCheckpoint,
    log_key: Option<&Vkey>,
    known: Option<&Checkpoint>,
) -> Result<Checkpoint, Refusal> {
    let malformed = |e: Error| Refusal::Malformed(e.to_string());
    let note = Note::parse(&request.note).map_err(malformed)?;
    let claimed = Checkpoint::read_unverified(&note).map_err(malformed)?;
    let key = log_key
        .filter(|key| key.name() == claimed.origin)
        .ok_or(Refusal::UnknownLog)?;
    let checkpoint = Checkpoint::open_foreign(&note, key).map_err(|_| Refusal::Unsigned)?;
    if request.old > checkpoint.size {
        return Err(Refusal::Malformed(format!(
            "the old size {} is larger than the checkpoint's, {}",
            request.old, checkpoint.size
        )));
    }
    let (size, root) = match known {
        Some(known) if known.origin != checkpoint.origin => {
            return Err(Refusal::Malformed(format!(
                "log `{}` was compared with a checkpoint of log `{}`",
                checkpoint.origin, known.origin
            )));
        }
        Some(known) => (known.size, known.root),
        None => (0, merkle::empty_root()),
    };
    // Two roots for one size are evidence whatever old size was named, so this comes before the comparison of sizes; the
    // answer to both is 409 with the same body.
    if known.is_some() && size == checkpoint.size && root != checkpoint.root {
        return Err(Refusal::SplitView(size));
    }
    if request.old != size {
        return Err(Refusal::Conflict(size));
    }
    merkle::verify_consistency(
        size,
        &root,
        checkpoint.size,
        &checkpoint.root,
        &request.path,
    )
    .map_err(|e| Refusal::Proof(e.to_string()))?;
    Ok(checkpoint)
}

/// Returns the name under which a witness serves what it knows of a log, `GET <prefix>/<name>/checkpoint`: SHA-256 of the
/// origin, 64 lower-case hex digits.
pub fn origin_hash(origin: &str) -> String {
    Digest::of(origin.as_bytes()).hex()
}

/// Why a witness does not cosign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request is not one, or its sizes contradict each other.
    #[error("not an add-checkpoint request: {0}")]
    Malformed(String),
    /// The witness has no key for the checkpoint's origin.
    #[error("this witness does not know the log")]
    UnknownLog,
    /// No signature by the log's key, or a bad one.
    #[error("the checkpoint is not signed by the log's key")]
    Unsigned,
    /// The old size is not the size cosigned last, which is given.
    #[error("the checkpoint cosigned last has size {0}")]
    Conflict(u64),
    /// The log signed another root for the size cosigned last, which is given: both checkpoints together prove it.
    #[error("the log signed two different trees of size {0}")]
    SplitView(u64),
    /// The proof does not lead from the old tree to the new.
    #[error("the consistency proof fails: {0}")]
    Proof(String),
}

impl Refusal {
    /// Returns the HTTP status code to answer.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::Unsigned => 403,
            Self::UnknownLog => 404,
            Self::Conflict(_) | Self::SplitView(_) => 409,
            Self::Proof(_) => 422,
        }
    }

    /// Returns the body to answer: the known size for 409, otherwise the reason; one line with its newline.
    pub fn body(&self) -> String {
        match self {
            Self::Conflict(size) | Self::SplitView(size) => format!("{size}\n"),
            other => format!("{other}\n"),
        }
    }

    /// Returns the body's content type.
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Conflict(_) | Self::SplitView(_) => "text/x.tlog.size",
            _ => "text/plain; charset=utf-8",
        }
    }

    /// Returns whether the request, with what the witness remembers, proves that the log showed two different trees. The
    /// caller saves both checkpoints.
    pub const fn is_split_view(&self) -> bool {
        matches!(self, Self::SplitView(_))
    }
}

#[cfg(test)]
mod tests;

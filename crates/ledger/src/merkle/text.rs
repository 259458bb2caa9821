//! Proofs as text: one base64 hash a line, as add-checkpoint requests, tlog-proofs and consistency proofs write them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::Digest;

use crate::error::Error;

/// The most hashes a proof can have: one for each level of the highest tree.
pub const MAX_PATH: usize = 64;

/// Returns the hashes in base64, a line each. Empty for an empty path.
pub fn path_to_text(path: &[Digest]) -> String {
    let mut out = String::with_capacity(path.len() * 45);
    for hash in path {
        STANDARD.encode_string(hash.as_bytes(), &mut out);
        out.push('\n');
    }
    out
}

/// Reads what [`path_to_text`] wrote.
///
/// # Errors
/// [`Error::Proof`] naming the line that is no hash, if the last line is not ended, or if there are more than [`MAX_PATH`].
pub fn path_from_text(text: &str) -> Result<Vec<Digest>, Error> {
    let mut path = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let number = path.len() + 1;
        let (line, tail) = rest
            .split_once('\n')
            .ok_or_else(|| Error::Proof(format!("line {number} is not ended")))?;
        if path.len() == MAX_PATH {
            return Err(Error::Proof("longer than any tree is high".into()));
        }
        let hash = digest_from_base64(line)
            .ok_or_else(|| Error::Proof(format!("line {number} is not 32 bytes in base64")))?;
        path.push(hash);
        rest = tail;
    }
    Ok(path)
}

/// Reads 32 bytes in base64, in the one spelling they have.
pub(crate) fn digest_from_base64(text: &str) -> Option<Digest> {
    if text.len() != 44 {
        return None;
    }
    let bytes = STANDARD.decode(text).ok()?;
    <[u8; 32]>::try_from(bytes).ok().map(Digest::from_bytes)
}

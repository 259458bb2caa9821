//! What is in a tile: hashes one after the other, or entries with their lengths.

use gonogo_core::Digest;

use super::FULL;
use crate::error::Error;
use crate::merkle::{leaf_hash, node_hash};

/// The longest entry, in bytes: what a bundle's two length bytes can say.
pub const MAX_ENTRY: usize = u16::MAX as usize;

/// The longest tile or bundle, in bytes. Refuse to read more.
pub const MAX_TILE: usize = FULL as usize * (2 + MAX_ENTRY);

/// Returns a hash tile: the hashes without anything between, 32 bytes each.
pub fn encode_hashes(hashes: &[Digest]) -> Vec<u8> {
    let mut out = Vec::with_capacity(hashes.len() * 32);
    for hash in hashes {
        out.extend_from_slice(hash.as_bytes());
    }
    out
}

/// Reads a hash tile of `width` hashes.
///
/// # Errors
/// [`Error::Tile`] if it has another length.
pub fn decode_hashes(bytes: &[u8], width: u16) -> Result<Vec<Digest>, Error> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || hashes.len() != usize::from(width) {
        return Err(Error::Tile(format!(
            "{} bytes are not {width} hashes",
            bytes.len()
        )));
    }
    Ok(hashes.iter().map(|h| Digest::from_bytes(*h)).collect())
}

/// Returns an entry bundle: each entry after its length in two bytes, big-endian.
///
/// # Errors
/// [`Error::Tile`] if there are none or more than [`FULL`] entries, or one is longer than [`MAX_ENTRY`].
pub fn encode_entries<B: AsRef<[u8]>>(entries: &[B]) -> Result<Vec<u8>, Error> {
    if entries.is_empty() || entries.len() > usize::from(FULL) {
        return Err(Error::Tile(format!(
            "a bundle has 1 to {FULL} entries, not {}",
            entries.len()
        )));
    }
    let mut out = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len()).map_err(|_| {
            Error::Tile(format!(
                "entry {at} of the bundle has {} bytes, the most is {MAX_ENTRY}",
                entry.len()
            ))
        })?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(entry);
    }
    Ok(out)
}

/// Reads an entry bundle of `width` entries.
///
/// # Errors
/// [`Error::Tile`] if it holds fewer, or bytes behind them.
pub fn decode_entries(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, Error> {
    let mut entries = Vec::with_capacity(usize::from(width));
    let mut rest = bytes;
    for at in 0..width {
        let (entry, tail) = rest
            .split_first_chunk::<2>()
            .and_then(|(length, tail)| tail.split_at_checked(u16::from_be_bytes(*length).into()))
            .ok_or_else(|| Error::Tile(format!("the bundle ends in entry {at} of {width}")))?;
        entries.push(entry);
        rest = tail;
    }
    if rest.is_empty() {
        Ok(entries)
    } else {
        Err(Error::Tile(format!(
            "{} bytes behind the {width} entries of the bundle",
            rest.len()
        )))
    }
}

/// Returns the level 0 hashes of a bundle's entries.
pub fn leaf_hashes<B: AsRef<[u8]>>(entries: &[B]) -> Vec<Digest> {
    entries.iter().map(|e| leaf_hash(e.as_ref())).collect()
}

/// Returns the hash of a full tile, which is one hash of the tile above; `None` if it is not full. Partial tiles are never
/// hashed upward.
pub fn tile_root(hashes: &[Digest]) -> Option<Digest> {
    if hashes.len() != usize::from(FULL) {
        return None;
    }
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level
            .chunks_exact(2)
            .map(|pair| node_hash(&pair[0], &pair[1]))
            .collect();
    }
    level.pop()
}

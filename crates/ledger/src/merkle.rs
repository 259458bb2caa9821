//! The Merkle tree of RFC 6962 section 2.1 (= RFC 9162 section 2.1): hashing, growth, proofs.
//!
//! Storage comes in through [`HashSource`], which keeps the hashes of complete subtrees of height 0, 8, 16, …: what a
//! tile of C2SP tlog-tiles holds. Everything between is computed.

mod proof;
mod text;

use gonogo_core::Digest;
use gonogo_core::digest::Hasher;

pub use proof::{
    HashSource, consistency_path, inclusion_path, inclusion_path_beside, tree_root,
    verify_consistency, verify_inclusion,
};
pub(crate) use text::digest_from_base64;
pub use text::{MAX_PATH, path_from_text, path_to_text};

/// How many levels of the tree one stored level stands for.
pub const STRIDE: u32 = 8;

/// Returns `SHA256(0x00 ‖ entry)`.
pub fn leaf_hash(entry: &[u8]) -> Digest {
    let mut hasher = Hasher::default();
    hasher.update(&[0]);
    hasher.update(entry);
    hasher.finish()
}

/// Returns `SHA256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut hasher = Hasher::default();
    hasher.update(&[1]);
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    hasher.finish()
}

/// Returns the root of the empty tree: `SHA256("")`.
pub fn empty_root() -> Digest {
    Digest::of(b"")
}

/// A complete subtree that a push finished and that storage keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// The stored level: height divided by [`STRIDE`], at least 1.
    pub level: u32,
    /// Position among the subtrees of that height.
    pub index: u64,
    /// Its hash.
    pub hash: Digest,
}

/// The right edge of a growing tree: the hashes of its maximal complete subtrees, largest first. At most 64 hashes,
/// whatever the tree's size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

impl Frontier {
    /// Restores a frontier from what [`Frontier::size`] and [`Frontier::peaks`] returned. Returns `None` if the number of
    /// peaks does not fit the size.
    pub fn restore(size: u64, peaks: Vec<Digest>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// Adds a leaf's hash; returns the stored subtrees that it finished, lowest first.
    pub fn push(&mut self, leaf: Digest) -> Vec<Finished> {
        let mut finished = Vec::new();
        let (mut hash, mut height) = (leaf, 0);
        while self.size >> height & 1 == 1 {
            let left = self
                .peaks
                .pop()
                .expect("invariant: one peak for each bit set in the size");
            hash = node_hash(&left, &hash);
            height += 1;
            if height % STRIDE == 0 {
                finished.push(Finished {
                    level: height / STRIDE,
                    index: self.size >> height,
                    hash,
                });
            }
        }
        self.peaks.push(hash);
        self.size += 1;
        finished
    }

    /// Returns the number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Returns the peaks, largest subtree first.
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Returns the tree's root.
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            Some(last) => peaks.fold(*last, |right, left| node_hash(left, &right)),
            None => empty_root(),
        }
    }
}

#[cfg(test)]
mod tests;

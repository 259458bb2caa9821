//! Inclusion and consistency proofs: making them from stored hashes, checking them from nothing but themselves.

use gonogo_core::Digest;

use super::{STRIDE, empty_root, node_hash};
use crate::error::Error;

/// Gives the stored hashes of a tree.
pub trait HashSource {
    /// Why hashes could not be read.
    type Error;

    /// Returns `count` hashes of complete subtrees of height 8 × `level`, from position `start` on. The range never
    /// crosses a multiple of 256, so it lies in one tile.
    ///
    /// # Errors
    /// Whatever the storage says, also when it holds fewer.
    fn hashes(&mut self, level: u32, start: u64, count: usize) -> Result<Vec<Digest>, Self::Error>;
}

/// Returns the audit path of leaf `index` in the tree of the first `size` leaves, leaf side first: PATH(m, D\[n\]) of
/// RFC 6962 section 2.1.1.
///
/// # Errors
/// The source's. `index` must be below `size`; otherwise the path is empty.
pub fn inclusion_path<S: HashSource>(
    source: &mut S,
    index: u64,
    size: u64,
) -> Result<Vec<Digest>, S::Error> {
    inclusion_path_beside(source, index, size, None)
}

/// As [`inclusion_path`], given another leaf of the same tree with its path: what both paths share is taken from there, so
/// that the paths of leaves that follow each other cost little.
///
/// # Errors
/// The source's.
pub fn inclusion_path_beside<S: HashSource>(
    source: &mut S,
    index: u64,
    size: u64,
    known: Option<(u64, &[Digest])>,
) -> Result<Vec<Digest>, S::Error> {
    let mut path = Vec::new();
    if index >= size {
        return Ok(path);
    }
    // The other path from the top, as long as it goes the same way.
    let mut known = known.map(|(other, path)| (other, path.iter().rev()));
    let (mut low, mut high) = (0, size);
    while high - low > 1 {
        let middle = low + split(high - low);
        let left = index < middle;
        let same = known
            .as_mut()
            .filter(|(other, _)| (low..high).contains(other) && (*other < middle) == left)
            .and_then(|(_, rest)| rest.next().copied());
        let sibling = match same {
            Some(hash) => hash,
            None => {
                known = None;
                let (from, to) = if left { (middle, high) } else { (low, middle) };
                range_root(source, from, to)?
            }
        };
        path.push(sibling);
        (low, high) = if left { (low, middle) } else { (middle, high) };
    }
    path.reverse();
    Ok(path)
}

/// Returns the proof that the tree of the first `new` leaves extends the tree of the first `old`: PROOF(m, D\[n\]) of RFC 6962
/// section 2.1.2. Empty for `old` = 0 and `old` = `new`.
///
/// # Errors
/// The source's. `old` must not be above `new`; otherwise the path is empty.
pub fn consistency_path<S: HashSource>(
    source: &mut S,
    old: u64,
    new: u64,
) -> Result<Vec<Digest>, S::Error> {
    let mut path = Vec::new();
    if old == 0 || old >= new {
        return Ok(path);
    }
    let (mut low, mut high, mut whole) = (0, new, true);
    while old != high {
        let middle = low + split(high - low);
        if old <= middle {
            path.push(range_root(source, middle, high)?);
            high = middle;
        } else {
            path.push(range_root(source, low, middle)?);
            low = middle;
            whole = false;
        }
    }
    if !whole {
        path.push(range_root(source, low, high)?);
    }
    path.reverse();
    Ok(path)
}

/// Returns the root over the first `size` leaves.
///
/// # Errors
/// The source's.
pub fn tree_root<S: HashSource>(source: &mut S, size: u64) -> Result<Digest, S::Error> {
    if size == 0 {
        return Ok(empty_root());
    }
    range_root(source, 0, size)
}

/// Checks an audit path (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// [`Error::Proof`] if it does not lead from `leaf` at `index` to `root` in a tree of `size`.
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    path: &[Digest],
    root: &Digest,
) -> Result<(), Error> {
    if index >= size {
        return Err(Error::Proof(format!(
            "leaf {index} is not in a tree of {size}"
        )));
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return Err(Error::Proof("the path is too long".into()));
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && hash == *root {
        Ok(())
    } else {
        Err(Error::Proof(format!(
            "the path of leaf {index} does not lead to the root of {size} leaves"
        )))
    }
}

/// Checks a consistency proof (RFC 9162 section 2.1.4.2).
///
/// # Errors
/// [`Error::Proof`] if the tree of `new` leaves is not shown to extend the tree of `old`.
pub fn verify_consistency(
    old: u64,
    old_root: &Digest,
    new: u64,
    new_root: &Digest,
    path: &[Digest],
) -> Result<(), Error> {
    let bad = || {
        Err(Error::Proof(format!(
            "the tree of {new} leaves is not shown to extend the tree of {old}"
        )))
    };
    if old > new {
        return bad();
    }
    if old == 0 || old == new {
        // The empty tree has one root, and every tree extends it.
        let same = if old == 0 {
            *old_root == empty_root() && (new > 0 || new_root == old_root)
        } else {
            old_root == new_root
        };
        return if path.is_empty() && same {
            Ok(())
        } else {
            bad()
        };
    }
    // A complete old tree is itself the first node of the proof and is left out of it.
    let (first, rest) = if old.is_power_of_two() {
        (*old_root, path)
    } else {
        match path.split_first() {
            Some((first, rest)) => (*first, rest),
            None => return bad(),
        }
    };
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut from_old, mut from_new) = (first, first);
    for sibling in rest {
        if last == 0 {
            return bad();
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(sibling, &from_old);
            from_new = node_hash(sibling, &from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last == 0 && from_old == *old_root && from_new == *new_root {
        Ok(())
    } else {
        bad()
    }
}

/// The largest power of two below `n`; `n` is at least 2.
fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// MTH(D\[low:high\]) of RFC 6962; `low` is a multiple of the size of the subtree it begins.
fn range_root<S: HashSource>(source: &mut S, low: u64, high: u64) -> Result<Digest, S::Error> {
    let width = high - low;
    if width.is_power_of_two() {
        return complete_root(source, width.trailing_zeros(), low);
    }
    let middle = low + split(width);
    let left = range_root(source, low, middle)?;
    let right = range_root(source, middle, high)?;
    Ok(node_hash(&left, &right))
}

/// The root of the complete subtree of `height` whose first leaf is `low`.
fn complete_root<S: HashSource>(source: &mut S, height: u32, low: u64) -> Result<Digest, S::Error> {
    let (level, above) = (height / STRIDE, height % STRIDE);
    let mut hashes = source.hashes(level, low >> (level * STRIDE), 1 << above)?;
    while hashes.len() > 1 {
        hashes = hashes
            .chunks_exact(2)
            .map(|pair| node_hash(&pair[0], &pair[1]))
            .collect();
    }
    Ok(hashes
        .pop()
        .expect("invariant: a source returns as many hashes as asked, at least one"))
}

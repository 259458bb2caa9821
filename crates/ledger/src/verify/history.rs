//! How the packet's checkpoint stands to checkpoints that the reader remembers, and what its consistency proofs show.

use gonogo_core::{Digest, Reason};

use super::Remembered;
use super::report::{Conflict, Findings, Link, Shown, Step};
use crate::error::Error;
use crate::merkle::{self, node_hash};
use crate::note::Checkpoint;

/// A consistency proof as the packet brings it: the older size and the path.
pub(super) type Proof = (u64, Vec<Digest>);

/// Checks the packet's own proofs, notes them as links, and holds every remembered checkpoint against them.
pub(super) fn check(
    shown: &mut Shown,
    proofs: Vec<Proof>,
    first: Option<&(Digest, Vec<Digest>)>,
    since: &[Remembered],
    notes: &mut Findings,
) {
    let now = shown.checkpoint.clone();
    for (size, path) in proofs {
        match proven_root(size, &now, &path, first) {
            Ok(root) => shown.links.push(Link { size, root, path }),
            Err(e) => notes.fail(
                Step::History,
                Reason::PacketCorrupt,
                format!("`{}`: {e}", crate::packet::consistency_member(size)),
            ),
        }
    }
    if since.is_empty() {
        notes.skip(
            Step::History,
            "no earlier checkpoint was given to compare with",
        );
    }
    for remembered in since {
        match stands(remembered, shown) {
            Standing::Linked => {}
            Standing::Unproven(text) => {
                notes.fail(Step::History, Reason::HistoryUnproven, text);
            }
            Standing::Contradicts(text) => {
                notes.fail(Step::History, Reason::SplitView, text);
                notes.conflict.get_or_insert(Conflict {
                    remembered: remembered.note.clone(),
                    packet: shown.note.clone(),
                });
            }
        }
    }
    notes.pass(
        Step::History,
        format!(
            "{} remembered checkpoints are the same log's past or future",
            since.len()
        ),
    );
}

enum Standing {
    Linked,
    Unproven(String),
    Contradicts(String),
}

fn stands(remembered: &Remembered, shown: &Shown) -> Standing {
    let now = &shown.checkpoint;
    let then = match Checkpoint::open(&remembered.note, &shown.log) {
        Ok(then) => then,
        Err(e) => {
            return Standing::Unproven(format!(
                "what is remembered is no checkpoint of log `{}`: {e}",
                now.origin
            ));
        }
    };
    let contradiction = || {
        Standing::Contradicts(format!(
            "log `{}` signed {} leaves with root {} and {} leaves with root {}, which is no continuation of each other",
            now.origin, then.size, then.root, now.size, now.root
        ))
    };
    if then.size == now.size {
        return if then.root == now.root {
            Standing::Linked
        } else {
            contradiction()
        };
    }
    if then.size == 0 {
        return if then.root == merkle::empty_root() {
            Standing::Linked
        } else {
            contradiction()
        };
    }
    if let Some(link) = shown.links.iter().find(|l| l.size == then.size) {
        return if link.root == then.root {
            Standing::Linked
        } else {
            contradiction()
        };
    }
    let (old, new) = if then.size < now.size {
        (&then, now)
    } else {
        (now, &then)
    };
    let Some(path) = &remembered.path else {
        return Standing::Unproven(format!(
            "the packet's {} leaves are not linked to the {} that are remembered: there is no consistency proof",
            now.size, then.size
        ));
    };
    if merkle::verify_consistency(old.size, &old.root, new.size, &new.root, path).is_ok() {
        return Standing::Linked;
    }
    match old_root(old.size, new, path, None) {
        Ok(root) if root != old.root => contradiction(),
        _ => Standing::Unproven(format!(
            "the proof from {} to {} leaves does not fit them",
            old.size, new.size
        )),
    }
}

/// Returns the root of the first `size` leaves that `path` proves to be the beginning of `now`.
///
/// A path from a complete tree (a power of two) leaves that tree's root out; it follows from leaf 0 and the lower part of its
/// audit path.
fn proven_root(
    size: u64,
    now: &Checkpoint,
    path: &[Digest],
    first: Option<&(Digest, Vec<Digest>)>,
) -> Result<Digest, Error> {
    if size == 0 || size >= now.size {
        return Err(Error::Proof(format!(
            "{size} leaves are no past of {}",
            now.size
        )));
    }
    let mut complete = None;
    if size.is_power_of_two() {
        let height = size.trailing_zeros() as usize;
        let (leaf, audit) = first.ok_or_else(|| Error::Proof("leaf 0 is not here".into()))?;
        let lower = audit
            .get(..height)
            .ok_or_else(|| Error::Proof("the path of leaf 0 is too short".into()))?;
        complete = Some(
            lower
                .iter()
                .fold(*leaf, |left, right| node_hash(&left, right)),
        );
    }
    old_root(size, now, path, complete)
}

/// RFC 9162 section 2.1.4.2, with the older root as the result: `first` is it if the older tree is complete.
fn old_root(
    old: u64,
    new: &Checkpoint,
    path: &[Digest],
    first: Option<Digest>,
) -> Result<Digest, Error> {
    let bad = || {
        Error::Proof(format!(
            "it does not lead to the root of {} leaves",
            new.size
        ))
    };
    let (first, rest) = match (first, path.split_first()) {
        (Some(first), _) => (first, path),
        (None, Some((first, rest))) if !old.is_power_of_two() => (*first, rest),
        _ => return Err(bad()),
    };
    if old == 0 || old >= new.size {
        return Err(bad());
    }
    let (mut node, mut last) = (old - 1, new.size - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut from_old, mut from_new) = (first, first);
    for sibling in rest {
        if last == 0 {
            return Err(bad());
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
    if last == 0 && from_new == new.root {
        Ok(from_old)
    } else {
        Err(bad())
    }
}

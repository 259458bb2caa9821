//! Clusters that look alike: suggestions to people, nothing else.
//!
//! As Kubernetes' triage found, it is enough to order candidates by a lower bound of the edit distance from counts of four-byte pieces and
//! to measure the first few: the best one is nearly always the first. An edit changes at most four pieces, so it moves the sum of the
//! counts' differences by eight at most; pieces share 64 counters, which only lowers the bound.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ALGORITHM, Clusters, signature};
use crate::signature::{hash16, key};
use crate::{Failure, Signature};

/// How alike, and how hard to look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// Largest edit distance, as a share of the mean length of both texts. Shares that are no number, and negative ones, find nothing; more
    /// than a half is taken for a half.
    pub share: f64,
    /// Candidates of a cluster that are measured exactly; 1 to 64.
    pub checks: usize,
}

impl Default for Near {
    fn default() -> Self {
        Self {
            share: 0.1,
            checks: 8,
        }
    }
}

/// Two clusters that may have one cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The one with the smaller hash, or the one that was asked about.
    pub a: Signature,
    /// The other.
    pub b: Signature,
    /// Edits between their normalised texts, bytes.
    pub distance: u64,
    /// The same as a share of their mean length.
    pub share: f64,
    /// Where it stood in the order of the bound, from 0: more than 0 says that the bound misled.
    pub rank: u32,
    /// Whether only the beginnings of the texts were compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_beginnings: bool,
}

const BUCKETS: usize = 64;
const PIECE: usize = 4;

struct Profile<'a> {
    id: u128,
    text: &'a [u8],
    is_cut: bool,
    counts: [u8; BUCKETS],
}

impl<'a> Profile<'a> {
    fn of(id: u128, text: &'a str, is_cut: bool) -> Self {
        let mut counts = [0u8; BUCKETS];
        for piece in text.as_bytes().windows(PIECE) {
            let word = u32::from_le_bytes([piece[0], piece[1], piece[2], piece[3]]);
            // Fibonacci hashing: the upper six bits of the product.
            let bucket = (word.wrapping_mul(0x9e37_79b1) >> 26) as usize;
            counts[bucket] = counts[bucket].saturating_add(1);
        }
        Self {
            id,
            text: text.as_bytes(),
            is_cut,
            counts,
        }
    }

    fn bound(&self, other: &Self) -> u32 {
        let mut sum = 0u32;
        for (a, b) in self.counts.iter().zip(&other.counts) {
            sum += u32::from(a.abs_diff(*b));
        }
        sum.div_ceil(2 * PIECE as u32)
    }
}

/// The first few candidates by (bound, index).
#[derive(Default, Clone)]
struct Best(Vec<(u32, u32)>);

impl Best {
    fn offer(&mut self, most: usize, bound: u32, index: u32) {
        let entry = (bound, index);
        if self.0.len() >= most && self.0.last().is_some_and(|last| entry >= *last) {
            return;
        }
        let place = self.0.partition_point(|e| *e < entry);
        self.0.insert(place, entry);
        self.0.truncate(most);
    }
}

impl Near {
    fn sane(&self) -> Option<(f64, usize)> {
        let share = self.share;
        (share > 0.0).then(|| (share.min(0.5), self.checks.clamp(1, 64)))
    }
}

/// Most edits between texts of two lengths.
fn most(share: f64, a: usize, b: usize) -> u32 {
    ((a + b) as f64 / 2.0 * share).floor() as u32
}

impl Clusters {
    /// For each cluster the one that is most alike, if any is near enough; each pair once, the most alike first.
    pub fn suggestions(&self, near: &Near) -> Vec<Suggestion> {
        let Some((share, checks)) = near.sane() else {
            return Vec::new();
        };
        let mut all: Vec<Profile<'_>> = self
            .found
            .iter()
            .map(|(id, f)| Profile::of(*id, &f.key, f.key_is_cut))
            .collect();
        // By length: what is too long for one is too long with everything behind it.
        all.sort_by_key(|p| (p.text.len(), p.id));
        let mut best = vec![Best::default(); all.len()];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate().skip(i + 1) {
                let most = most(share, a.text.len(), b.text.len());
                if (b.text.len() - a.text.len()) as u32 > most {
                    break;
                }
                let bound = a.bound(b);
                if bound <= most {
                    best[i].offer(checks, bound, j as u32);
                    best[j].offer(checks, bound, i as u32);
                }
            }
        }
        let mut pairs: BTreeMap<(u128, u128), Suggestion> = BTreeMap::new();
        for (a, best) in all.iter().zip(&best) {
            let candidates = best.0.iter().map(|(_, index)| &all[*index as usize]);
            if let Some((b, found)) = closest(a, candidates, share) {
                let pair = (a.id.min(b), a.id.max(b));
                let found = Suggestion {
                    a: signature(pair.0),
                    b: signature(pair.1),
                    ..found
                };
                pairs
                    .entry(pair)
                    .and_modify(|known| known.rank = known.rank.min(found.rank))
                    .or_insert(found);
            }
        }
        let mut out: Vec<Suggestion> = pairs.into_values().collect();
        out.sort_by(|a, b| {
            a.share
                .total_cmp(&b.share)
                .then_with(|| (&a.a, &a.b).cmp(&(&b.a, &b.b)))
        });
        out
    }

    /// The cluster that is most alike to a failure that is in none; `None` also for one that is in a cluster.
    pub fn nearest(&self, failure: &Failure, near: &Near) -> Option<Suggestion> {
        let (share, checks) = near.sane()?;
        let key = key(failure);
        let id = u128::from_be_bytes(hash16(ALGORITHM, &key));
        if self.found.contains_key(&id) {
            return None;
        }
        let (text, is_cut) = super::found::cut(&key, self.limits.key as usize);
        let asked = Profile::of(id, &text, is_cut);
        let all: Vec<Profile<'_>> = self
            .found
            .iter()
            .filter(|(_, f)| {
                f.key.len().abs_diff(text.len()) as u32 <= most(share, f.key.len(), text.len())
            })
            .map(|(id, f)| Profile::of(*id, &f.key, f.key_is_cut))
            .collect();
        let mut best = Best::default();
        for (n, other) in all.iter().enumerate() {
            let bound = asked.bound(other);
            if bound <= most(share, text.len(), other.text.len()) {
                best.offer(checks, bound, n as u32);
            }
        }
        let candidates = best.0.iter().map(|(_, index)| &all[*index as usize]);
        let (other, found) = closest(&asked, candidates, share)?;
        Some(Suggestion {
            a: signature(id),
            b: signature(other),
            ..found
        })
    }
}

/// The nearest of the candidates, of equals the first.
fn closest<'a>(
    a: &Profile<'_>,
    candidates: impl Iterator<Item = &'a Profile<'a>>,
    share: f64,
) -> Option<(u128, Suggestion)> {
    let mut best: Option<(u32, u32, &Profile<'_>)> = None;
    for (rank, b) in (0..).zip(candidates) {
        let most = most(share, a.text.len(), b.text.len());
        // Only what is nearer is of interest.
        let most = best.map_or(most, |(d, _, _)| most.min(d.saturating_sub(1)));
        if let Some(distance) = distance(a.text, b.text, most as usize) {
            best = Some((distance as u32, rank, b));
            if distance == 0 {
                break;
            }
        }
    }
    let (distance, rank, b) = best?;
    let mean = (a.text.len() + b.text.len()) as f64 / 2.0;
    let found = Suggestion {
        a: signature(a.id),
        b: signature(b.id),
        distance: u64::from(distance),
        share: if mean > 0.0 {
            f64::from(distance) / mean
        } else {
            0.0
        },
        rank,
        only_beginnings: a.is_cut || b.is_cut,
    };
    Some((b.id, found))
}

/// Levenshtein's distance over bytes if it is at most `most`: only the band around the diagonal is looked at (Ukkonen 1985).
pub(super) fn distance(a: &[u8], b: &[u8], most: usize) -> Option<usize> {
    let (a, b) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[same..], &b[same..]);
    let tail = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(x, y)| x == y)
        .count();
    let (a, b) = (&a[..a.len() - tail], &b[..b.len() - tail]);
    if b.len() - a.len() > most {
        return None;
    }
    if a.is_empty() {
        return Some(b.len());
    }
    // row[j]: the distance of what was read of `a` to the first j bytes of `b`; beyond the band it is too far.
    let far = most + 1;
    let mut row: Vec<usize> = (0..=b.len()).map(|j| j.min(far)).collect();
    for (i, x) in a.iter().enumerate() {
        let (from, to) = (
            (i + 1).saturating_sub(most).max(1),
            (i + 1 + most).min(b.len()),
        );
        let mut diagonal = row[from - 1];
        row[from - 1] = if from == 1 { (i + 1).min(far) } else { far };
        let mut least = row[from - 1];
        for j in from..=to {
            let above = row[j];
            let here = (diagonal + usize::from(*x != b[j - 1]))
                .min(above + 1)
                .min(row[j - 1] + 1)
                .min(far);
            diagonal = above;
            row[j] = here;
            least = least.min(here);
        }
        if to < b.len() {
            row[to + 1] = far;
        }
        if least > most {
            return None;
        }
    }
    Some(row[b.len()]).filter(|d| *d <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The textbook's table.
    fn plain(a: &[u8], b: &[u8]) -> usize {
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.iter().enumerate() {
            let mut diagonal = std::mem::replace(&mut row[0], i + 1);
            for (j, y) in b.iter().enumerate() {
                let here = (diagonal + usize::from(x != y))
                    .min(row[j] + 1)
                    .min(row[j + 1] + 1);
                diagonal = std::mem::replace(&mut row[j + 1], here);
            }
        }
        row[b.len()]
    }

    proptest::proptest! {
        #[test]
        fn the_band_is_the_whole_table_and_the_bound_is_one(a in "[ab]{0,30}", b in "[abc]{0,30}", most in 0usize..20) {
            let whole = plain(a.as_bytes(), b.as_bytes());
            let band = distance(a.as_bytes(), b.as_bytes(), most);
            proptest::prop_assert_eq!(band, Some(whole).filter(|d| *d <= most));
            let bound = Profile::of(0, &a, false).bound(&Profile::of(1, &b, false));
            proptest::prop_assert!(bound as usize <= whole, "{} {}", bound, whole);
        }
    }
}

//! C2SP tiles: the tree and its entries as static files (c2sp.org/tlog-tiles v0.1.0).
//!
//! [`TilePath`] names a file below the log's prefix, [`content`] is what is in it, [`TileBuilder`] makes hash tiles from
//! leaf hashes, [`TileReader`] reads a tree out of tiles and believes none that does not lead to the root, [`scrub`]
//! recomputes every tile from the entries.
//!
//! Invariants: a path has exactly one spelling; what a file holds follows from its path and the tree alone.

mod build;
pub mod content;
mod read;
mod scrub;

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

pub use build::TileBuilder;
pub use read::{ReadError, TileReader};
pub use scrub::{Fault, MAX_FAULTS, Scrub, scrub};

/// How many hashes or entries a full tile holds.
pub const FULL: u16 = 256;

/// The highest level a path may name.
pub const MAX_LEVEL: u8 = 63;

/// How many levels a tree of 2^64 leaves has.
pub(crate) const LEVELS: u32 = 8;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The entries themselves: an entry bundle.
    Entries,
    /// Hashes of complete subtrees of height 8 × level; level 0 holds leaf hashes. At most [`MAX_LEVEL`].
    Hash(u8),
}

/// The name of a tile below a log's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    /// What the tile holds.
    pub level: Level,
    /// The tile's position within its level.
    pub index: u64,
    /// How many hashes or entries it holds: 1 to [`FULL`]. Below that the tile is partial.
    pub width: u16,
}

impl TilePath {
    /// Returns the tile at `index` of `level` as wide as it is in the tree of `size` leaves; `None` if it is not in it.
    pub fn in_tree(level: Level, index: u64, size: u64) -> Option<Self> {
        let count = count(level, size);
        let start = index.checked_mul(u64::from(FULL))?;
        let width = count.checked_sub(start)?.min(u64::from(FULL));
        (width > 0).then_some(Self {
            level,
            index,
            width: u16::try_from(width).expect("invariant: at most 256"),
        })
    }

    /// Returns the path below the log's prefix: `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`.
    pub fn path(&self) -> String {
        let digits = self.index.to_string();
        let mut path = match self.level {
            Level::Entries => "tile/entries".to_owned(),
            Level::Hash(level) => format!("tile/{level}"),
        };
        let padded = format!("{digits:0>width$}", width = digits.len().div_ceil(3) * 3);
        let groups = padded.len() / 3;
        for group in 0..groups {
            path.push('/');
            if group + 1 < groups {
                path.push('x');
            }
            path.push_str(&padded[group * 3..][..3]);
        }
        if self.is_partial() {
            path.push_str(&format!(".p/{}", self.width));
        }
        path
    }

    /// Returns whether the tile is narrower than [`FULL`].
    pub const fn is_partial(&self) -> bool {
        self.width < FULL
    }

    /// Returns the full tile at the same place.
    #[must_use]
    pub const fn full(self) -> Self {
        Self {
            width: FULL,
            ..self
        }
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

impl FromStr for TilePath {
    type Err = Error;

    /// Reads the one spelling that [`TilePath::path`] writes.
    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || Error::Tile(format!("`{}` is no tile path", text.escape_debug()));
        let rest = text
            .strip_prefix("tile/")
            .filter(|rest| rest.len() <= 64)
            .ok_or_else(bad)?;
        let (level, rest) = rest.split_once('/').ok_or_else(bad)?;
        let level = match level {
            "entries" => Level::Entries,
            digits => Level::Hash(
                small(digits)
                    .and_then(|level| u8::try_from(level).ok())
                    .filter(|level| *level <= MAX_LEVEL)
                    .ok_or_else(bad)?,
            ),
        };
        let (groups, width) = match rest.split_once(".p/") {
            None => (rest, FULL),
            Some((groups, width)) => {
                let width = small(width).filter(|w| (1..FULL).contains(w));
                (groups, width.ok_or_else(bad)?)
            }
        };
        let index = parse_index(groups).ok_or_else(bad)?;
        Ok(Self {
            level,
            index,
            width,
        })
    }
}

/// A decimal number of at most three digits without leading zeros.
fn small(text: &str) -> Option<u16> {
    let plain = crate::note::parse_decimal(text)?;
    u16::try_from(plain).ok().filter(|n| *n < 1000)
}

fn parse_index(groups: &str) -> Option<u64> {
    let mut index = 0_u64;
    let mut groups = groups.split('/').peekable();
    let mut first = true;
    while let Some(group) = groups.next() {
        let last = groups.peek().is_none();
        let digits = if last {
            group
        } else {
            group.strip_prefix('x')?
        };
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        // A first group of zeros would be a second spelling of a shorter path.
        if first && !last && digits == "000" {
            return None;
        }
        first = false;
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    Some(index)
}

/// How many hashes or entries a level of the tree of `size` leaves has.
const fn count(level: Level, size: u64) -> u64 {
    match level {
        Level::Entries => size,
        Level::Hash(level) if (level as u32) < LEVELS => size >> (8 * level as u32),
        Level::Hash(_) => 0,
    }
}

/// Returns every tile of the tree of `size` leaves, full and partial: entry bundles first, then hash tiles from level 0
/// up, each level in order.
pub fn tiles_of(size: u64) -> impl Iterator<Item = TilePath> {
    new_tiles(0, size)
}

/// Returns the tiles that the tree of `new` leaves has and the tree of `old` has not, in the order of [`tiles_of`]. A tile
/// that was partial and is now wider counts as new. None if `new` is not above `old`.
pub fn new_tiles(old: u64, new: u64) -> impl Iterator<Item = TilePath> {
    let hashes = (0..LEVELS as u8).map(Level::Hash);
    std::iter::once(Level::Entries)
        .chain(hashes)
        .flat_map(move |level| {
            let (before, after) = (count(level, old), count(level, new));
            let full = u64::from(FULL);
            let end = if before < after {
                after.div_ceil(full)
            } else {
                0
            };
            (before / full..end).filter_map(move |index| TilePath::in_tree(level, index, new))
        })
}

#[cfg(test)]
mod tests;

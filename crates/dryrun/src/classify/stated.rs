//! What a line of plain text states, wherever in it: by its beginning, behind a source's prefix, in a record inside it, or as a
//! sentence that no program prints unless it failed.

use super::{Level, level, within};
use crate::spec::NumericLevels;

/// What was found.
pub(super) struct Stated {
    pub(super) level: Level,
    pub(super) word: &'static str,
    /// What is said where the level is stated, if that is not the whole line.
    pub(super) inner: Option<String>,
}

/// Returns it; `suspect` is whether the gate let the line through.
#[inline]
pub(super) fn of_text(bytes: &[u8], suspect: bool, by: NumericLevels) -> Option<Stated> {
    let stated = level::of_text(bytes).or_else(|| level::of_sourced(bytes, by));
    if stated.is_none_or(|(level, _)| level < Level::Warning)
        && let Some(more) = within::of_line(bytes, stated.is_some(), by)
            .filter(|more| stated.is_none_or(|(level, _)| more.level > level))
    {
        return Some(Stated {
            level: more.level,
            word: more.word(),
            inner: Some(more.message),
        });
    }
    let (level, word) = match stated {
        None if suspect && level::exhausted(bytes) => {
            (Level::Critical, level::word_of(Level::Critical))
        }
        found => found?,
    };
    Some(Stated {
        level,
        word,
        inner: None,
    })
}

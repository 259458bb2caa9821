//! Segments of a file, and the lines that they say are covered, as `LineCoverageStats` of LLVM counts them (`CoverageMapping.cpp`).

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

use crate::inputs::Part;

/// From here on until the next one: how often it ran.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) line: u64,
    has_run: bool,
    /// Whether it was counted; what was skipped was not.
    is_counted: bool,
    /// Whether a region begins here, and does not only go on.
    is_entry: bool,
    /// Whether it is what stands between regions.
    is_gap: bool,
}

impl Segment {
    const fn begins(&self) -> bool {
        self.is_counted && self.is_entry && !self.is_gap
    }
}

/// `[line, column, count, has_count, is_region_entry, is_gap_region]`; older ones end before the last, newer ones may go on.
impl<'de> Deserialize<'de> for Segment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Segment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a segment")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Segment, A::Error> {
                let short = |n| A::Error::invalid_length(n, &"a segment of five values");
                let line: u64 = all.next_element()?.ok_or_else(|| short(0))?;
                let _column: IgnoredAny = all.next_element()?.ok_or_else(|| short(1))?;
                let count: f64 = all.next_element()?.ok_or_else(|| short(2))?;
                let is_counted = all.next_element()?.ok_or_else(|| short(3))?;
                let is_entry = all.next_element()?.ok_or_else(|| short(4))?;
                let is_gap = all.next_element()?.unwrap_or(false);
                while all.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Segment {
                    line,
                    has_run: count > 0.0,
                    is_counted,
                    is_entry,
                    is_gap,
                })
            }
        }
        from.deserialize_seq(Words)
    }
}

/// How many lines of a file are mapped, and how many of them ran. Segments stand in the order of the file.
pub(super) fn lines(segments: &[Segment]) -> Part {
    let mut part = Part {
        covered: 0,
        total: 0,
    };
    let mut count = |lines: u64, has_run: bool| {
        part.total = part.total.saturating_add(lines);
        part.covered = part.covered.saturating_add(if has_run { lines } else { 0 });
    };
    let mut before: Option<Segment> = None;
    for own in segments.chunk_by(|a, b| a.line == b.line) {
        let (Some(first), Some(last)) = (own.first(), own.last()) else {
            continue;
        };
        if let Some(before) = before.filter(|s| s.is_counted) {
            // Lines on which nothing begins or ends.
            let between = first.line.saturating_sub(before.line).saturating_sub(1);
            count(between, before.has_run);
        }
        let is_skipped = !first.is_counted && first.is_entry;
        let begins = own.iter().any(Segment::begins);
        let goes_on = before.is_some_and(|s| s.is_counted);
        let is_mapped =
            (!is_skipped && (goes_on || begins)) || own.iter().any(|s| s.is_entry && s.is_counted);
        if is_mapped {
            let ran_on = before.is_some_and(|s| s.has_run);
            let ran = own.iter().any(|s| s.begins() && s.has_run);
            count(1, ran_on || ran);
        }
        before = Some(*last);
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_as_llvm_counts_them() {
        // A function over lines 1 to 6 that ran, with a block in 3 to 4 that did not.
        let text = "[[1,1,5,true,true,false],[3,5,0,true,true,false],[4,6,5,true,false,false],[6,2,0,false,false,false],[9,1,0,true,true,false],[9,9,0,false,false]]";
        let all: Vec<Segment> = serde_json::from_str(text).unwrap();
        let part = lines(&all);
        // In 3 the function still ran when the block began; 4 is the block's end; 9 never ran.
        assert_eq!((part.covered, part.total), (5, 7));
        assert!(serde_json::from_str::<Segment>("[1,1,0,true]").is_err());
        assert!(serde_json::from_str::<Segment>("[1,1,0,true,true,false,7]").is_ok());
        let far = lines(&[
            all[0],
            Segment {
                line: u64::MAX,
                ..all[5]
            },
        ]);
        assert_eq!(far.total, u64::MAX);
    }
}

//! Lines of two bytes a character (UTF-16, either order, with a mark or without), as PowerShell and Windows programs write them.
//! They are told by their zero bytes, line by line: nothing is remembered, so cuts change nothing.
//!
//! A line ends at the byte of a line feed; of the little-endian form its other byte, a zero, begins the next line.
//!
//! Invariant: what has no zero byte and no mark at its beginning is never taken for such a line.

/// Whether a line may be one; looks at two bytes.
#[inline]
pub(crate) fn likely(line: &[u8]) -> bool {
    match line {
        [0, ..] | [_, 0, ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        // Behind the mark of UTF-8 is UTF-8.
        _ => false,
    }
}

/// Returns the line as UTF-8, without a mark; none if it is something else.
#[cold]
pub(crate) fn text(line: &[u8]) -> Option<Vec<u8>> {
    if line == [0] {
        return Some(Vec::new());
    }
    match line {
        [0xff, 0xfe, rest @ ..] => decoded(rest, Order::Little, MOSTLY),
        [0xfe, 0xff, rest @ ..] => decoded(upper_taken(rest)?, Order::Big, MOSTLY),
        _ => {
            // After the line before: its line feed's other byte.
            let after = line.strip_prefix(&[0]);
            let little = after.and_then(|rest| decoded(rest, Order::Little, MOSTLY));
            let big = || {
                (line.len() % 2 == 1)
                    .then(|| upper_taken(line))
                    .flatten()
                    .and_then(|rest| decoded(rest, Order::Big, MOSTLY))
            };
            // The first line of the one, the last of the other: nothing but zeros tells them.
            little
                .or_else(big)
                .or_else(|| decoded(line, Order::Little, NEARLY_ALL))
                .or_else(|| decoded(line, Order::Big, NEARLY_ALL))
        }
    }
}

/// Without the upper half of the line feed, which comes first.
fn upper_taken(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.len() % 2 == 1 {
        bytes.strip_suffix(&[0])
    } else {
        Some(bytes)
    }
}

#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

/// How many of eight characters must be of ASCII: where the form is plain, and where only they tell it.
const MOSTLY: usize = 1;
const NEARLY_ALL: usize = 6;

fn decoded(bytes: &[u8], order: Order, plain_of_eight: usize) -> Option<Vec<u8>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    // Only a line that was cut off for being too long may end in the midst of a character.
    if bytes.len() % 2 == 1 && bytes.len() + 2 < super::LINE_LIMIT {
        return None;
    }
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|two| match order {
            Order::Little => u16::from_le_bytes([two[0], two[1]]),
            Order::Big => u16::from_be_bytes([two[0], two[1]]),
        })
        .collect();
    let plain = units
        .iter()
        .filter(|unit| (1..0x80).contains(*unit))
        .count();
    if units.contains(&0) || units.is_empty() || plain * 8 < units.len() * plain_of_eight {
        return None;
    }
    Some(String::from_utf16_lossy(&units).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, little: bool, mark: bool) -> Vec<Vec<u8>> {
        let mark = if mark { "\u{feff}" } else { "" };
        let bytes: Vec<u8> = format!("{mark}{text}")
            .encode_utf16()
            .flat_map(|unit| {
                if little {
                    unit.to_le_bytes()
                } else {
                    unit.to_be_bytes()
                }
            })
            .collect();
        bytes
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect()
    }

    #[test]
    fn both_orders_are_read_with_a_mark_and_without() {
        let text = "ready\r\nERROR no funds\r\n\r\nпривет, world 12\nx\n";
        for (little, mark) in [(true, true), (true, false), (false, true), (false, false)] {
            let read: Vec<String> = lines(text, little, mark)
                .iter()
                .filter(|line| !line.is_empty())
                .map(|line| {
                    assert!(likely(line) || line.starts_with(&[4]), "{line:?}");
                    String::from_utf8(self::text(line).unwrap_or_default()).unwrap()
                })
                .collect();
            assert_eq!(read[0], "ready\r", "{little} {mark}");
            assert_eq!(read[1], "ERROR no funds\r", "{little} {mark}");
            assert_eq!(read[2], "\r");
            assert_eq!(read[4], "x");
        }
    }

    #[test]
    fn other_bytes_are_left_alone() {
        for line in [
            &b"ERROR x"[..],
            b"a\0b",
            b"\0nul",
            b"\0nu",
            b"\0null",
            b"\0\0\0\0",
            b"\0ERROR plain text after a zero",
            b"\xef\xbb\xbfERROR",
            b"\xff\xfe\x80\x81\x82\x83",
            b"",
        ] {
            assert!(!likely(line) || text(line).is_none(), "{line:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(line in proptest::collection::vec(0_u8..=255, 0..40)) {
            let _ = (likely(&line), text(&line));
        }
    }
}

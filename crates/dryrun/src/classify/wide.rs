//! Lines of two or four bytes a character (UTF-16, UTF-32, either order, with a mark or without), as PowerShell and Windows programs
//! write them.
//! They are told by their zero bytes, line by line: nothing is remembered, so cuts change nothing.
//!
//! A line ends at the byte of a line feed; of the little-endian form its other byte, a zero, begins the next line.
//!
//! Invariant: what has no zero byte and no mark is never taken for such a line.

/// Whether a line may be one; looks at three bytes.
#[inline]
pub(crate) fn likely(line: &[u8]) -> bool {
    match line {
        [0, ..] | [_, 0, ..] | [.., 0] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        // Behind the mark of UTF-8 is UTF-8.
        _ => false,
    }
}

/// Returns the line as UTF-8, without a mark; none if it is something else.
#[cold]
pub(crate) fn text(line: &[u8]) -> Option<Vec<u8>> {
    // What is left of a line feed.
    if line == [0] || line == [0; 3] {
        return Some(Vec::new());
    }
    if let Some(text) = wider(line) {
        return Some(text);
    }
    match line {
        [0xff, 0xfe, rest @ ..] => decoded(rest, Order::Little, MOSTLY).or_else(|| by_run(line, 2)),
        [0xfe, 0xff, rest @ ..] => {
            decoded(upper_taken(rest)?, Order::Big, MOSTLY).or_else(|| by_run(line, 2))
        }
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
            let (little, big) = (little, big());
            let sure = match (little, big) {
                // Zeros at both ends: the one in which words are parted by spaces.
                (Some(little), Some(big)) => Some(if plainness(&big) > plainness(&little) {
                    big
                } else {
                    little
                }),
                (little, big) => little.or(big),
            };
            // The first line of the one, the last of the other: nothing but zeros tells them.
            sure.or_else(|| decoded(line, Order::Little, NEARLY_ALL))
                .or_else(|| decoded(line, Order::Big, NEARLY_ALL))
                .or_else(|| by_run(line, 0))
        }
    }
}

/// How many spaces there are, less what no text has.
fn plainness(text: &[u8]) -> isize {
    text.iter()
        .map(|byte| match byte {
            b' ' => 1,
            0..=8 | 0x0e..=0x1a | 0x1c..=0x1f => -1,
            _ => 0,
        })
        .sum()
}

/// Letters in a row that tell the form of a line which is not mostly ASCII: words of levels are that long.
const RUN: usize = 4;

/// Reads a line by the first word of ASCII in it: where its zeros are tells order and beginning of the characters.
fn by_run(line: &[u8], mark: usize) -> Option<Vec<u8>> {
    let pairs = line.get(..256).unwrap_or(line);
    let is_run = |at: usize, zero: usize| {
        (0..RUN).all(|count| {
            let two = pairs.get(at + 2 * count..at + 2 * count + 2);
            two.is_some_and(|two| two[zero] == 0 && two[1 - zero].is_ascii_alphanumeric())
        })
    };
    let at = (0..pairs.len()).find(|at| is_run(*at, 1) || is_run(*at, 0))?;
    let decoded = |order: Order, at: usize| {
        let from = mark + at.checked_sub(mark)? % 2;
        let (units, _) = line[from..].as_chunks::<2>();
        let units: Vec<u16> = units
            .iter()
            .map(|two| match order {
                Order::Little => u16::from_le_bytes(*two),
                Order::Big => u16::from_be_bytes(*two),
            })
            .collect();
        // Zeros and halves of characters are other data.
        let text = String::from_utf16(&units).ok()?;
        (!text.contains('\0')).then(|| text.into_bytes())
    };
    if is_run(at, 0) && !is_run(at, 1) && !is_run(at + 1, 1) {
        return decoded(Order::Big, at);
    }
    // The little-endian form has its zero behind the letter; the zero before a letter may be its neighbour's.
    let little = if is_run(at, 1) { at } else { at + 1 };
    let little = decoded(Order::Little, little);
    // What begins with a letter is of that form.
    if let ([_, 0, ..], Some(_)) = (line, &little)
        && line[0] != 0
    {
        return little;
    }
    let big = decoded(Order::Big, if is_run(at, 0) { at } else { at + 1 });
    match (little, big) {
        (Some(little), Some(big)) => Some(if plainness(&big) > plainness(&little) {
            big
        } else {
            little
        }),
        (little, big) => little.or(big),
    }
}

/// Reads a line of four bytes a character (UTF-32, either order).
fn wider(line: &[u8]) -> Option<Vec<u8>> {
    if line.len() < 4 || !line.contains(&0) {
        return None;
    }
    let read = |bytes: &[u8], little: bool| -> Option<Vec<u8>> {
        let (units, rest) = bytes.as_chunks::<4>();
        if units.is_empty() || !rest.is_empty() && bytes.len() + 4 < super::LINE_LIMIT {
            return None;
        }
        let text: Option<String> = units
            .iter()
            .map(|four| {
                let unit = if little {
                    u32::from_le_bytes(*four)
                } else {
                    u32::from_be_bytes(*four)
                };
                char::from_u32(unit).filter(|c| *c != '\0')
            })
            .collect();
        let text = text?;
        // One character may be anything.
        (units.len() > 1 || text == "\r")
            .then(|| text.trim_start_matches('\u{feff}').as_bytes().to_vec())
    };
    // The rest of the line feed: of the one before, or of its own.
    let after = line.strip_prefix(&[0; 3]).and_then(|rest| read(rest, true));
    after
        .or_else(|| read(line.strip_suffix(&[0; 3])?, false))
        .or_else(|| read(line, true))
        .or_else(|| read(line, false))
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

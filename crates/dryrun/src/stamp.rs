//! Times that somebody's lines carry: RFC 3339 and its relatives, seconds and their fractions since 1970, syslog.
//!
//! Every function takes bytes of any content and answers `None` for what it cannot read; nothing allocates. A time without a zone
//! is UTC. All results are nanoseconds since 1970, between the years 1 and 2262.

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// Reads a time out of a JSON value as it stands in the line: a string with its quotes, or a number.
pub fn of_json(raw: &[u8]) -> Option<i64> {
    of_json_like(raw, &mut Date::default())
}

/// Reads as [`of_json`] does, faster if it is the date of the time before.
#[inline]
pub(crate) fn of_json_like(raw: &[u8], date: &mut Date) -> Option<i64> {
    match raw {
        [b'"', text @ .., b'"'] => whole_like(text, date),
        _ => number(raw),
    }
}

/// The last date that was read: the next time is nearly always of the same day.
#[derive(Debug, Clone, Default)]
pub(crate) struct Date {
    text: [u8; 10],
    /// Days since 1970.
    days: i64,
}

/// Reads `text` that is a time and nothing else: a date and time, or a number.
pub fn whole(text: &[u8]) -> Option<i64> {
    whole_like(text, &mut Date::default())
}

#[inline]
fn whole_like(text: &[u8], date: &mut Date) -> Option<i64> {
    let text = text.trim_ascii();
    match date_time_like(text, date) {
        Some((at, used)) if used == text.len() => Some(at),
        _ => number(text),
    }
}

/// Reads the time that a line of plain text begins with, and tells how many bytes it takes.
///
/// Brackets and a syslog priority before it are skipped. `year` is that of lines whose format has none (RFC 3164).
pub fn leading(line: &[u8], year: Option<i32>) -> Option<(i64, usize)> {
    let start = skip_priority(line);
    let rest = &line[start..];
    let open = usize::from(matches!(rest.first(), Some(b'[' | b'(')));
    let rest = &rest[open..];
    let (at, used) = date_time(rest)
        .or_else(|| tai64n(rest))
        .or_else(|| year.and_then(|y| syslog(rest, y)))
        .or_else(|| leading_number(rest))?;
    Some((at, start + open + used))
}

/// Reads `YYYY-MM-DD`, a separator (`T`, `t`, blank or `_`), `HH:MM:SS`, a fraction after `.` or `,`, and `Z` or an offset; tells how
/// many bytes that is.
#[inline]
pub fn date_time(text: &[u8]) -> Option<(i64, usize)> {
    date_time_like(text, &mut Date::default())
}

#[inline]
fn date_time_like(text: &[u8], date: &mut Date) -> Option<(i64, usize)> {
    let head: &[u8; 19] = text.first_chunk()?;
    let separators = matches!(head[4], b'-' | b'/')
        && head[7] == head[4]
        && matches!(head[10], b'T' | b't' | b' ' | b'_')
        && head[13] == b':'
        && head[16] == b':';
    if !separators {
        return None;
    }
    if head[..10] != date.text {
        let year = two(head[0], head[1])? * 100 + two(head[2], head[3])?;
        let month = two(head[5], head[6])?;
        let day = two(head[8], head[9])?;
        date.days = days_from_civil(i64::from(year), month, day)?;
        date.text.copy_from_slice(&head[..10]);
    }
    let days = date.days;
    let (hour, minute) = (two(head[11], head[12])?, two(head[14], head[15])?);
    // A leap second counts as the one before it.
    let second = two(head[17], head[18])?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let second = second.min(59);
    let mut used = 19;
    let mut nanos = 0i64;
    if let Some(b'.' | b',') = text.get(used)
        && text.get(used + 1).is_some_and(u8::is_ascii_digit)
    {
        used += 1;
        let mut scale = SECOND / 10;
        while let Some(digit) = text.get(used).filter(|b| b.is_ascii_digit()) {
            nanos += i64::from(digit - b'0') * scale;
            scale /= 10;
            used += 1;
        }
    }
    let (offset, zone) = zone(&text[used..]);
    let seconds =
        days * DAY + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second) - offset;
    let at = seconds.checked_mul(SECOND)?.checked_add(nanos)?;
    Some((at, used + zone))
}

/// Reads a number of seconds, milliseconds, microseconds or nanoseconds since 1970; which, its size says.
pub fn number(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let whole_digits = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    if whole_digits == 0 || whole_digits > 19 {
        return None;
    }
    let mut whole: i64 = 0;
    for b in &digits[..whole_digits] {
        whole = whole.checked_mul(10)?.checked_add(i64::from(b - b'0'))?;
    }
    let unit = unit_of(whole);
    let mut at = whole.checked_mul(unit)?;
    match &digits[whole_digits..] {
        [] => {}
        [b'.', fraction @ ..]
            if !fraction.is_empty() && fraction.iter().all(u8::is_ascii_digit) =>
        {
            let mut scale = unit / 10;
            for b in fraction {
                at = at.checked_add(i64::from(b - b'0') * scale)?;
                scale /= 10;
            }
        }
        rest => return exponent(text, rest),
    }
    Some(if negative { -at } else { at })
}

/// `1.7e9`: rare, so the slow way.
fn exponent(text: &[u8], rest: &[u8]) -> Option<i64> {
    if text.len() > 40 || !rest.iter().any(|b| matches!(b, b'e' | b'E')) {
        return None;
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let nanos = value * unit_of(value.abs().min(9e18) as i64) as f64;
    // A double has about 256 ns here.
    (nanos.is_finite() && nanos.abs() < 9.2e18).then(|| (nanos / 1000.0).round() as i64 * 1000)
}

/// Seconds until the year 5138, milliseconds until then, and so on: the ranges of real clocks do not meet.
const fn unit_of(whole: i64) -> i64 {
    if whole < 100_000_000_000 {
        SECOND
    } else if whole < 100_000_000_000_000 {
        1_000_000
    } else if whole < 100_000_000_000_000_000 {
        1000
    } else {
        1
    }
}

/// A number at the beginning of a line is a time only if it can be one of this century and ends there.
fn leading_number(text: &[u8]) -> Option<(i64, usize)> {
    let used = text
        .iter()
        .take(32)
        .take_while(|b| b.is_ascii_digit() || **b == b'.')
        .count();
    let ends = matches!(
        text.get(used),
        None | Some(b' ' | b'\t' | b']' | b')' | b',' | b':' | b';' | b'|' | b'\r')
    );
    if used < 10 || !ends {
        return None;
    }
    let at = number(text[..used].trim_suffix_dot())?;
    // 2001 to 2100.
    (978_307_200..4_102_444_800)
        .contains(&(at / SECOND))
        .then_some((at, used))
}

trait TrimDot {
    fn trim_suffix_dot(&self) -> &[u8];
}

impl TrimDot for [u8] {
    fn trim_suffix_dot(&self) -> &[u8] {
        self.strip_suffix(b".").unwrap_or(self)
    }
}

/// `Nov  1 15:28:43` (RFC 3164), with a fraction as rsyslog and macOS write it.
fn syslog(text: &[u8], year: i32) -> Option<(i64, usize)> {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let head: &[u8; 15] = text.first_chunk()?;
    let month = MONTHS.chunks(3).position(|m| m == &head[..3])? as u32 + 1;
    let day_tens = if head[4] == b' ' { b'0' } else { head[4] };
    let day = two(day_tens, head[5])?;
    if head[3] != b' ' || head[6] != b' ' || head[9] != b':' || head[12] != b':' {
        return None;
    }
    let (hour, minute, second) = (
        two(head[7], head[8])?,
        two(head[10], head[11])?,
        two(head[13], head[14])?,
    );
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_from_civil(i64::from(year), month, day)?;
    let seconds =
        days * DAY + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second.min(59));
    Some((seconds.checked_mul(SECOND)?, 15))
}

/// `@400000…`: TAI64N, as multilog and s6-log write it. TAI's epoch and the ten seconds of 1972 are taken off, as those tools do.
fn tai64n(text: &[u8]) -> Option<(i64, usize)> {
    let [b'@', rest @ ..] = text else { return None };
    let hex = |from: usize, to: usize| {
        rest.get(from..to)?.iter().try_fold(0u64, |value, b| {
            Some(value << 4 | u64::from(char::from(*b).to_digit(16)?))
        })
    };
    let (seconds, nanos) = (hex(0, 16)?, hex(16, 24)?);
    let seconds = i64::try_from(seconds.checked_sub(1 << 62)?).ok()? - 10;
    let at = seconds
        .checked_mul(SECOND)?
        .checked_add(i64::try_from(nanos).ok()?)?;
    (nanos < 1_000_000_000).then_some((at, 25))
}

/// `<34>` and, for RFC 5424, `1 ` after it.
fn skip_priority(line: &[u8]) -> usize {
    let [b'<', rest @ ..] = line else { return 0 };
    let digits = rest
        .iter()
        .take(4)
        .take_while(|b| b.is_ascii_digit())
        .count();
    if digits == 0 || digits > 3 || rest.get(digits) != Some(&b'>') {
        return 0;
    }
    let after = digits + 2;
    match line.get(after..after + 2) {
        Some(b"1 ") => after + 2,
        _ => after,
    }
}

/// Offset in seconds, and its length.
fn zone(text: &[u8]) -> (i64, usize) {
    let offset = |sign: u8, h: u32, m: u32, used: usize| {
        let seconds = i64::from(h) * 3600 + i64::from(m) * 60;
        (if sign == b'-' { -seconds } else { seconds }, used)
    };
    match text {
        [b'Z' | b'z', ..] => (0, 1),
        [b' ', b'U', b'T', b'C', ..] => (0, 4),
        [s @ (b'+' | b'-'), a, b, b':', c, d, ..] | [s @ (b'+' | b'-'), a, b, c, d, ..]
            if two(*a, *b).is_some_and(|h| h < 24) && two(*c, *d).is_some_and(|m| m < 60) =>
        {
            let used = if text[3] == b':' { 6 } else { 5 };
            offset(*s, two(*a, *b).unwrap_or(0), two(*c, *d).unwrap_or(0), used)
        }
        [s @ (b'+' | b'-'), a, b, ..] if two(*a, *b).is_some_and(|h| h < 24) => {
            offset(*s, two(*a, *b).unwrap_or(0), 0, 3)
        }
        _ => (0, 0),
    }
}

#[inline]
const fn two(a: u8, b: u8) -> Option<u32> {
    let (a, b) = (a.wrapping_sub(b'0'), b.wrapping_sub(b'0'));
    if a > 9 || b > 9 {
        return None;
    }
    Some(a as u32 * 10 + b as u32)
}

/// Days since 1970 of a day in the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible low-level date algorithms").
#[inline]
fn days_from_civil(year: i64, month: u32, day: u32) -> Option<i64> {
    const LENGTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if !(1..=12).contains(&month) || day == 0 || day > LENGTHS[month as usize - 1] {
        return None;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if month == 2 && day == 29 && !leap {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let shifted = i64::from((month + 9) % 12);
    let of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Returns the year in which `nanos` lies.
pub fn year_of(nanos: i64) -> i32 {
    let days = nanos.div_euclid(DAY * SECOND);
    let mut year = 1970 + (days as f64 / 365.2425) as i64;
    while days_from_civil(year, 1, 1).is_some_and(|first| first > days) {
        year -= 1;
    }
    while days_from_civil(year + 1, 1, 1).is_some_and(|first| first <= days) {
        year += 1;
    }
    year as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use gonogo_core::Timestamp;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millis()
    }

    #[test]
    fn forms_that_logs_have() {
        let t = ms("2026-11-21T15:28:43.250Z");
        for line in [
            "2026-11-21T15:28:43.250Z hello",
            "2026-11-21T15:28:43.25Z",
            "2026-11-21T15:28:43.250000000Z x",
            "2026-11-21 15:28:43,250 INFO x",
            "2026-11-21 15:28:43.250 x",
            "2026/11/21 15:28:43.250 go",
            "[2026-11-21 15:28:43.250] x",
            "2026-11-21T16:28:43.250+01:00 x",
            "2026-11-21T10:58:43.250-0430 x",
            "2026-11-21T17:28:43.250+02 x",
            "1795274923.250 x",
            "1795274923250 x",
            "1795274923250000 x",
            "[1795274923250000000] x",
            "<34>1 2026-11-21T15:28:43.250Z host app",
            "@400000006b01b8b50ee6b280 x",
        ] {
            let found =
                leading(line.as_bytes(), Some(2026)).map(|(at, _)| at.div_euclid(1_000_000));
            assert_eq!(found, Some(t), "{line}");
        }
        for line in ["Nov 21 15:28:43 host x", "<13>Nov 21 15:28:43 host x"] {
            let found = leading(line.as_bytes(), Some(2026)).map(|(at, _)| at / 1_000_000);
            assert_eq!(found, Some(ms("2026-11-21T15:28:43Z")), "{line}");
            assert_eq!(leading(line.as_bytes(), None), None);
        }
    }

    #[test]
    fn what_is_no_time() {
        for line in [
            "",
            "hello",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-01-32 00:00:00",
            "2026-01-01T24:00:00Z",
            "12345 x",
            "1234567890123456789012 x",
            "Nov 99 00:00:00",
            "1795274923abc",
            "@40",
            "<34>",
            "2026-11-21",
        ] {
            assert_eq!(leading(line.as_bytes(), Some(2026)), None, "{line}");
        }
        for raw in [
            "null",
            "true",
            "\"\"",
            "\"yesterday\"",
            "",
            "-",
            "1.",
            "{}",
            "9999999999999999999999",
            "1e999",
        ] {
            assert_eq!(of_json(raw.as_bytes()), None, "{raw}");
        }
    }

    #[test]
    fn json_values() {
        let t = ms("2026-11-21T15:28:43.250Z");
        for raw in [
            "\"2026-11-21T15:28:43.250Z\"",
            "1795274923.25",
            "1795274923250",
            "\"1795274923250\"",
            "1.79527492325e9",
            "1.79527492325e12",
        ] {
            assert_eq!(
                of_json(raw.as_bytes()).map(|n| n / 1_000_000),
                Some(t),
                "{raw}"
            );
        }
        assert_eq!(of_json(b"-1.5"), Some(-1_500_000_000));
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_calendar_library(ms in -2_000_000_000_000i64..9_000_000_000_000) {
            let text = Timestamp::from_millis(ms).to_string();
            proptest::prop_assert_eq!(whole(text.as_bytes()).map(|n| n.div_euclid(1_000_000)), Some(ms));
            let year: i32 = text[..4].parse().unwrap();
            proptest::prop_assert_eq!(year_of(ms * 1_000_000), year);
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60)) {
            let _ = (of_json(&bytes), leading(&bytes, Some(2026)), whole(&bytes));
        }

        #[test]
        fn never_panics_near_the_truth(text in "[<\\[@]?[0-9]{1,20}[-./:, TZ+0-9e]{0,20}") {
            let _ = (of_json(text.as_bytes()), leading(text.as_bytes(), Some(2026)), whole(text.as_bytes()));
        }
    }
}

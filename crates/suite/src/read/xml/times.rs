//! Durations and times as report writers put them: every decimal mark and grouping, with and without a time zone.

/// What the numbers of one report said about its decimal mark.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::read) struct Marks {
    dot: bool,
    comma: bool,
}

impl Marks {
    /// Seconds. `None` if it is no duration. `1,234` is read as the report's other numbers are: with none, as 1.234.
    pub(in crate::read) fn seconds(&mut self, text: &str) -> Option<f64> {
        // The common case.
        if let Some((seconds, dot)) = simple(text) {
            self.dot |= dot;
            return Some(seconds);
        }
        let text = text.trim();
        if text.len() > 64 {
            return None;
        }
        let (number, scale) = match text {
            _ if text.ends_with("ms") => (&text[..text.len() - 2], 1e-3),
            _ if text.ends_with('s') => (&text[..text.len() - 1], 1.0),
            _ => (text, 1.0),
        };
        let seconds = self.number(number.trim())?;
        (seconds.is_finite() && seconds >= 0.0).then_some(seconds * scale)
    }

    fn number(&mut self, text: &str) -> Option<f64> {
        let grouped: String = text
            .chars()
            .filter(|c| !matches!(c, '\'' | '’' | '_' | ' ' | '\u{a0}' | '\u{202f}'))
            .collect();
        let (commas, dots) = (grouped.matches(',').count(), grouped.matches('.').count());
        let plain = match (commas, dots) {
            (0, 0 | 1) => {
                self.dot |= dots == 1;
                grouped
            }
            // The mark that stands last is the decimal one.
            (1.., 1..) if grouped.rfind(',') < grouped.rfind('.') => {
                self.dot = true;
                (dots == 1).then(|| grouped.replace(',', ""))?
            }
            (1.., 1..) => {
                self.comma = true;
                (commas == 1).then(|| grouped.replace('.', "").replace(',', "."))?
            }
            (1, 0) => {
                let (whole, part) = grouped.split_once(',')?;
                let may_group = part.len() == 3 && !whole.starts_with('0') && whole.len() <= 3;
                if may_group && self.dot && !self.comma {
                    format!("{whole}{part}")
                } else {
                    self.comma |= !may_group;
                    format!("{whole}.{part}")
                }
            }
            (_, 0) => in_threes(&grouped, ',')?,
            (_, _) => in_threes(&grouped, '.')?,
        };
        let begins = plain.strip_prefix(['-', '+']).unwrap_or(&plain);
        if !begins.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        plain.parse().ok()
    }
}

/// Up to 15 digits with at most one dot among them, and whether there is one. Both parts of the quotient are exact, so it is what
/// `f64`'s own parser gives.
fn simple(text: &str) -> Option<(f64, bool)> {
    const TENS: [f64; 16] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ];
    if text.is_empty() || text.len() > 15 {
        return None;
    }
    let (mut digits, mut behind) = (0_u64, None);
    for b in text.bytes() {
        match b {
            b'0'..=b'9' => {
                digits = digits * 10 + u64::from(b - b'0');
                behind = behind.map(|n: usize| n + 1);
            }
            b'.' if behind.is_none() => behind = Some(0),
            _ => return None,
        }
    }
    if text == "." {
        return None;
    }
    Some((digits as f64 / TENS[behind.unwrap_or(0)], behind.is_some()))
}

/// The digits of a number that is grouped in threes.
fn in_threes(text: &str, mark: char) -> Option<String> {
    let is_grouped = text.split(mark).skip(1).all(|group| group.len() == 3);
    is_grouped.then(|| text.split(mark).collect())
}

/// A time that a report gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::read) struct Moment {
    /// Milliseconds since 1970; without a zone, as if it were UTC.
    pub(in crate::read) ms: i64,
    /// Whether it has a zone.
    pub(in crate::read) is_absolute: bool,
}

/// Reads ISO 8601 in its common shapes, or seconds since 1970.
pub(in crate::read) fn moment(text: &str) -> Option<Moment> {
    let text = text.trim();
    if !text.is_ascii() || text.len() > 64 {
        return None;
    }
    let bytes = text.as_bytes();
    if (9..=10).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit) {
        let seconds: i64 = text.parse().ok()?;
        return Some(Moment {
            ms: seconds * 1000,
            is_absolute: true,
        });
    }
    let number = |from: usize, to: usize| -> Option<i64> {
        let part = bytes.get(from..to)?;
        part.iter().all(u8::is_ascii_digit).then_some(())?;
        text[from..to].parse().ok()
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    if bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let date = days(year, month, day) * 86_400_000;
    let Some(mark) = bytes.get(10) else {
        return Some(Moment {
            ms: date,
            is_absolute: false,
        });
    };
    if !matches!(mark, b'T' | b't' | b' ') {
        return None;
    }
    let (hour, minute) = (number(11, 13)?, number(14, 16)?);
    if bytes[13] != b':' || hour > 24 || minute > 59 {
        return None;
    }
    let mut at = 16;
    let mut second = 0;
    if bytes.get(at) == Some(&b':') {
        second = number(17, 19)?;
        at = 19;
    }
    if second > 60 {
        return None;
    }
    let mut ms = date + (hour * 3600 + minute * 60 + second) * 1000;
    if matches!(bytes.get(at), Some(b'.' | b',')) {
        let digits = bytes[at + 1..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        let mut scale = 100;
        for b in &bytes[at + 1..at + 1 + digits.min(3)] {
            ms += i64::from(b - b'0') * scale;
            scale /= 10;
        }
        at += 1 + digits;
    }
    let zone = text[at..].trim();
    let offset = match zone.as_bytes() {
        [] => {
            return Some(Moment {
                ms,
                is_absolute: false,
            });
        }
        b"Z" | b"z" | b"UTC" | b"GMT" => 0,
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let digits: String = rest
                .iter()
                .filter(|b| **b != b':')
                .map(|b| char::from(*b))
                .collect();
            if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let hours: i64 = digits[..2].parse().ok()?;
            let minutes: i64 = digits.get(2..).map_or(Some(0), |m| match m {
                "" => Some(0),
                m => m.parse().ok(),
            })?;
            let all = (hours * 60 + minutes) * 60_000;
            if *sign == b'-' { -all } else { all }
        }
        _ => return None,
    };
    Some(Moment {
        ms: ms - offset,
        is_absolute: true,
    })
}

/// Days since 1970 of a date of the Gregorian calendar, by counting from March (Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms").
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_all_locales() {
        let table = [
            ("0.123", Some(0.123)),
            ("12", Some(12.0)),
            (" 1.5 ", Some(1.5)),
            ("1,234.56", Some(1234.56)),
            ("1.234,56", Some(1234.56)),
            ("1,234,567.8", Some(1_234_567.8)),
            ("0,123", Some(0.123)),
            ("12,5", Some(12.5)),
            ("1'234.5", Some(1234.5)),
            ("1\u{a0}234,5", Some(1234.5)),
            ("1e-3", Some(0.001)),
            ("1.5E-05", Some(0.000_015)),
            ("15ms", Some(0.015)),
            ("2.5s", Some(2.5)),
            ("", None),
            ("TIME", None),
            ("-", None),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            (".", None),
            (".5", Some(0.5)),
            ("3.", Some(3.0)),
            ("0.1", Some(0.1)),
            ("123456789.123456", Some(123_456_789.123_456)),
            ("1.2.3,4,5", None),
            ("1.2.3", None),
            ("1,234,567", Some(1_234_567.0)),
            ("0x10", None),
        ];
        for (text, seconds) in table {
            assert_eq!(Marks::default().seconds(text), seconds, "{text:?}");
        }
        // One comma and three digits: as the others of the report.
        let mut marks = Marks::default();
        assert_eq!(marks.seconds("1,234"), Some(1.234));
        marks.seconds("0.5");
        assert_eq!(marks.seconds("1,234"), Some(1234.0));
        let mut marks = Marks::default();
        marks.seconds("0,5");
        assert_eq!(marks.seconds("1,234"), Some(1.234));
    }

    #[test]
    fn times_with_and_without_a_zone() {
        let table = [
            ("1970-01-01T00:00:00Z", Some((0, true))),
            ("2024-02-29T12:00:00.250Z", Some((1_709_208_000_250, true))),
            ("2024-02-29T12:00:00", Some((1_709_208_000_000, false))),
            ("2024-02-29 12:00:00.25", Some((1_709_208_000_250, false))),
            (
                "2024-02-29T14:00:00.000+02:00",
                Some((1_709_208_000_000, true)),
            ),
            ("2024-02-29T14:00:00+0200", Some((1_709_208_000_000, true))),
            ("2024-02-29T07:00-05", Some((1_709_208_000_000, true))),
            ("1709208000", Some((1_709_208_000_000, true))),
            ("2024-02-29", Some((1_709_164_800_000, false))),
            ("2024-13-29T12:00:00Z", None),
            ("TIMESTAMP", None),
            ("Thu Feb 29 12:00:00 2024", None),
            ("2024-02-29T12:00:00 sometime", None),
            ("", None),
        ];
        for (text, expected) in table {
            let found = moment(text).map(|m| (m.ms, m.is_absolute));
            assert_eq!(found, expected, "{text:?}");
        }
    }
}

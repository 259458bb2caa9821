//! Durations and times as report writers put them: every decimal mark and grouping, with and without a time zone.

mod moment;

pub(in crate::read) use moment::{Moment, moment};

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
}

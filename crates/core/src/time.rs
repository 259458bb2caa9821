//! Points in time (UTC, RFC 3339 with milliseconds) and spans (`10s`).

use std::fmt;
use std::str::FromStr;

use crate::text::stored_as_text;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Wraps milliseconds since the Unix epoch.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// Returns milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns the time `span` later; saturates.
    pub const fn after(self, span: Span) -> Self {
        let ms = if span.0 > i64::MAX as u64 {
            i64::MAX
        } else {
            span.0 as i64
        };
        Self(self.0.saturating_add(ms))
    }

    /// Returns how long `earlier` lies back; zero if it lies ahead.
    pub const fn since(self, earlier: Self) -> Span {
        let ms = self.0.saturating_sub(earlier.0);
        Span::from_millis(if ms > 0 { ms as u64 } else { 0 })
    }

    /// Returns `HH:MM:SS` in UTC, for people.
    pub fn clock_text(self) -> String {
        self.to_string()
            .get(11..19)
            .unwrap_or("--:--:--")
            .to_owned()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        text.parse::<jiff::Timestamp>()
            .map(|t| Self(t.as_millisecond()))
            .map_err(|_| TimeError::Timestamp(text.chars().take(80).collect()))
    }
}

stored_as_text!(
    Timestamp,
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$"
);

/// A length of time in whole milliseconds. Text form: a number and one of `ms`, `s`, `m`, `h`, `d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(u64);

impl Span {
    /// No time.
    pub const ZERO: Self = Self(0);

    /// Wraps milliseconds.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    /// Wraps seconds.
    pub const fn from_secs(s: u64) -> Self {
        Self(s.saturating_mul(1000))
    }

    /// Returns milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the span for the standard library.
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }

    /// Returns the sum; saturates.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Returns seconds with one decimal, for people: `3.1 s`.
    pub fn seconds_text(self) -> String {
        format!("{}.{} s", self.0 / 1000, self.0 % 1000 / 100)
    }
}

const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) = UNITS
            .iter()
            .rev()
            .find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size))
            .unwrap_or(&UNITS[0]);
        write!(f, "{}{unit}", self.0 / size)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Span {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let bad = || TimeError::Span(text.chars().take(80).collect());
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let number: u64 = text[..split].parse().map_err(|_| bad())?;
        let (_, size) = UNITS
            .iter()
            .find(|(unit, _)| *unit == &text[split..])
            .ok_or_else(bad)?;
        number
            .checked_mul(*size)
            .filter(|ms| *ms <= 366 * 86_400_000)
            .map(Self)
            .ok_or_else(bad)
    }
}

stored_as_text!(Span, "^[0-9]{1,11}(ms|s|m|h|d)$");

/// A text that is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not RFC 3339.
    #[error("`{0}` is not a time: expected RFC 3339 like `2026-01-31T12:00:00.000Z`")]
    Timestamp(String),
    /// Not a span.
    #[error(
        "`{0}` is not a duration: expected a whole number and ms, s, m, h or d, like `10s`, at most 366d"
    )]
    Span(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_milliseconds_and_utc() {
        let t = Timestamp::from_millis(1_795_000_000_120);
        assert_eq!(t.to_string(), "2026-11-18T11:06:40.120Z");
        assert_eq!(t.to_string().parse(), Ok(t));
        assert_eq!("2026-11-18T12:06:40.12+01:00".parse(), Ok(t));
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert!("2026-11-18T12:06:40".parse::<Timestamp>().is_err());
        assert!(t.after(Span::from_millis(u64::MAX)) > t);
    }

    #[test]
    fn spans_need_a_unit_and_print_shortest() {
        for (text, ms) in [
            ("10s", 10_000),
            ("250ms", 250),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0s", 0),
        ] {
            assert_eq!(text.parse::<Span>().unwrap().as_millis(), ms);
        }
        assert_eq!(Span::from_secs(90).to_string(), "90s");
        assert_eq!(Span::from_secs(120).to_string(), "2m");
        for bad in [
            "10",
            "s",
            "1.5s",
            "-1s",
            "10 s",
            "10S",
            "1w",
            "999999999999999999999s",
            "400d",
            "",
        ] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}

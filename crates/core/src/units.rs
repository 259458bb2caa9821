//! Shares (`2.5%`, kept as parts per million) and sizes (`64MiB`): integers inside, so plans hold no floats.

use std::fmt;
use std::str::FromStr;

use crate::text::stored_as_text;

/// A share between 0 % and 100 % in parts per million.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Share(u32);

impl Share {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Everything.
    pub const FULL: Self = Self(1_000_000);

    /// Wraps parts per million; more than a million is clipped to [`Share::FULL`].
    pub const fn from_ppm(ppm: u32) -> Self {
        Self(if ppm > 1_000_000 { 1_000_000 } else { ppm })
    }

    /// Wraps whole per cent; more than 100 is clipped.
    pub const fn from_percent(percent: u32) -> Self {
        Self::from_ppm(percent.saturating_mul(10_000))
    }

    /// Returns parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// Returns parts per ten thousand, the unit of traffic weights.
    pub const fn basis_points(self) -> u32 {
        self.0 / 100
    }

    /// Returns the share as a fraction in 0..=1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        if rest == 0 {
            write!(f, "{whole}%")
        } else {
            let digits = format!("{rest:04}");
            write!(f, "{whole}.{}%", digits.trim_end_matches('0'))
        }
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Share {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || UnitError::Share(text.chars().take(80).collect());
        let number = text.strip_suffix('%').ok_or_else(bad)?;
        let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(rest) || rest.len() > 4 || whole.len() > 3 {
            return Err(bad());
        }
        let whole: u32 = whole.parse().map_err(|_| bad())?;
        let rest: u32 = format!("{rest:0<4}").parse().map_err(|_| bad())?;
        let ppm = whole * 10_000 + rest;
        if ppm > 1_000_000 {
            Err(bad())
        } else {
            Ok(Self(ppm))
        }
    }
}

stored_as_text!(Share, "^(100(\\.0{1,4})?|[0-9]{1,2}(\\.[0-9]{1,4})?)%$");

/// A text that is no unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a share.
    #[error("`{0}` is not a share: expected 0% to 100% with at most four decimals, like `2.5%`")]
    Share(String),
    /// Not a size.
    #[error(
        "`{0}` is not a size: expected a whole number and one of B, KiB, MiB, GiB, TiB, like `64MiB`"
    )]
    Size(String),
}

/// A number of bytes. Text form: a whole number and one of `B`, `KiB`, `MiB`, `GiB`, `TiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(u64);

const SIZES: [(&str, u32); 5] = [("B", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];

impl Bytes {
    /// Wraps bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Returns bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |shift: &u32| self.0 > 0 && self.0.trailing_zeros() >= *shift;
        let (unit, shift) = SIZES
            .iter()
            .rev()
            .find(|(_, shift)| fits(shift))
            .unwrap_or(&SIZES[0]);
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || UnitError::Size(text.chars().take(80).collect());
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let number: u64 = text[..split].parse().map_err(|_| bad())?;
        let (_, shift) = SIZES
            .iter()
            .find(|(unit, _)| *unit == &text[split..])
            .ok_or_else(bad)?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact_and_need_the_sign() {
        for (text, ppm) in [
            ("0%", 0),
            ("2.5%", 25_000),
            ("0.0001%", 1),
            ("100%", 1_000_000),
            ("33.3333%", 333_333),
        ] {
            let share: Share = text.parse().unwrap();
            assert_eq!(share.ppm(), ppm);
            assert_eq!(share.to_string(), text);
        }
        for bad in [
            "5",
            "101%",
            "-1%",
            "1e1%",
            "5 %",
            ".5%",
            "5.%",
            "0.00001%",
            "%",
            "100.0001%",
            "4294967296%",
        ] {
            assert!(bad.parse::<Share>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_exact_and_need_the_unit() {
        for (text, bytes) in [
            ("0B", 0),
            ("64MiB", 64 << 20),
            ("1500B", 1500),
            ("3GiB", 3 << 30),
        ] {
            let size: Bytes = text.parse().unwrap();
            assert_eq!((size.get(), size.to_string()), (bytes, text.to_owned()));
        }
        for text in [
            "",
            "64",
            "MiB",
            "1.5MiB",
            "64MB",
            "64 MiB",
            "-1B",
            "99999999TiB",
        ] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }
}

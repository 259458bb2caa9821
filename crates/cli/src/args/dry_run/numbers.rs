//! Numbers of flags: each is read in the unit of its flag, and an error says what is wanted, with an example.
//!
//! clap puts the flag's name and the value as typed before the text that comes from here.

/// The longest duration that is believed, in hours: ten years.
const LONGEST_HOURS: f64 = 10.0 * 366.0 * 24.0;

/// What a number must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Least {
    /// More than nothing.
    Some,
    /// Nothing or more.
    None,
    /// Less than nothing means something.
    Any,
}

/// Reads digits of ASCII, with a point or an exponent, and nothing else: no `inf`, no `NaN`, no unit.
fn number(text: &str, wanted: &str) -> Result<f64, String> {
    let expected = |why: &str| Err(format!("{why}{wanted}"));
    if text.is_empty() {
        return expected("it is empty: ");
    }
    let is_plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
        && text.bytes().any(|b| b.is_ascii_digit());
    let value: f64 = match text.parse() {
        Ok(value) if is_plain => value,
        _ => {
            let digits = text.trim_end_matches(|c: char| c.is_alphabetic() || c == '%');
            let has_unit = digits.len() < text.len() && digits.trim().parse::<f64>().is_ok();
            return expected(if has_unit {
                "it is written without a unit: "
            } else {
                ""
            });
        }
    };
    match value.is_finite() {
        true => Ok(value),
        false => expected("it is too large: "),
    }
}

fn within(text: &str, wanted: &str, least: Least, most: f64) -> Result<f64, String> {
    let value = number(text, wanted)?;
    let is_enough = match least {
        Least::Some => value > 0.0,
        Least::None => value >= 0.0,
        Least::Any => true,
    };
    match is_enough && value <= most {
        true => Ok(value),
        false => Err(wanted.to_owned()),
    }
}

macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident: $least:ident, $most:expr, $wanted:expr;)+) => {
        $(
            $(#[$doc])*
            pub fn $name(text: &str) -> Result<f64, String> {
                within(text, $wanted, Least::$least, $most)
            }
        )+
    };
}

readers! {
    /// A length in hours.
    hours: Some, LONGEST_HOURS, "expected hours, a number more than 0 and at most ten years, such as `72` or `0.5`";
    /// A length in minutes.
    minutes: Some, LONGEST_HOURS * 60.0, "expected minutes, a number more than 0 and at most ten years, such as `5` or `0.5`";
    /// A length in minutes that may be nothing.
    minutes_or_none: None, LONGEST_HOURS * 60.0, "expected minutes, a number from 0 to ten years, such as `15` or `0`";
    /// A length in minutes; nothing and less switch something off.
    minutes_or_off: Any, LONGEST_HOURS * 60.0, "expected minutes, a number of at most ten years, such as `5` or `0.5`";
    /// A length in seconds.
    seconds: Some, LONGEST_HOURS * 3600.0, "expected seconds, a number more than 0 and at most ten years, such as `30` or `0.5`";
    /// A length in seconds that may be nothing.
    seconds_or_none: None, LONGEST_HOURS * 3600.0, "expected seconds, a number from 0 to ten years, such as `10` or `0.1`";
    /// A length in seconds; less than nothing is nothing, as older harnesses have it.
    seconds_at_least_none: Any, LONGEST_HOURS * 3600.0, "expected seconds, a number of at most ten years, such as `60` or `0`";
    /// A share.
    ratio: None, 1.0, "expected a share of 1, a number from 0 to 1, such as `0.98`";
    /// A Sharpe ratio.
    sharpe: Any, f64::MAX, "expected a number, such as `1.5` or `-0.2`";
    /// Percent of one core, of which there may be many.
    percent_of_core: Some, 1e6, "expected percent of one core, a number more than 0, such as `150`";
    /// Percent of all.
    percent: Some, 100.0, "expected percent, a number more than 0 and at most 100, such as `80`";
    /// Mebibytes.
    mebibytes: Some, 1e12, "expected MiB, a number more than 0, such as `2048`";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_of_the_right_size_are_read() {
        assert_eq!(hours("72"), Ok(72.0));
        assert_eq!(hours("0.001"), Ok(0.001));
        assert_eq!(hours("1e-3"), Ok(0.001));
        assert_eq!(minutes_or_off("-5"), Ok(-5.0));
        assert_eq!(seconds_or_none("0"), Ok(0.0));
        assert_eq!(ratio("1"), Ok(1.0));
        assert_eq!(sharpe("-0.2"), Ok(-0.2));
        assert_eq!(percent_of_core("400"), Ok(400.0));
    }

    #[test]
    fn everything_else_says_what_is_wanted() {
        type Read = fn(&str) -> Result<f64, String>;
        let readers: [(Read, &str); 12] = [
            (hours, "expected hours"),
            (minutes, "expected minutes"),
            (minutes_or_none, "expected minutes"),
            (minutes_or_off, "expected minutes"),
            (seconds, "expected seconds"),
            (seconds_or_none, "expected seconds"),
            (seconds_at_least_none, "expected seconds"),
            (ratio, "expected a share"),
            (sharpe, "expected a number"),
            (percent_of_core, "expected percent of one core"),
            (percent, "expected percent"),
            (mebibytes, "expected MiB"),
        ];
        for (read, wanted) in readers {
            for text in [
                "",
                " ",
                "NaN",
                "nan",
                "inf",
                "-inf",
                "infinity",
                "1e999",
                "-1e999",
                "ten years",
                "1h",
                "50%",
                "5 m",
                "٣",
                "１２",
                "0x10",
                "1,5",
                "1_000",
                "--5",
                ".",
                "-",
                "e5",
                "5\0",
            ] {
                let e = read(text).unwrap_err();
                assert!(
                    e.contains(wanted) && e.contains("such as `"),
                    "{text:?}: {e}"
                );
            }
        }
        for (read, text) in [
            (hours as Read, "-1"),
            (hours, "0"),
            (hours, "-0"),
            (hours, "87841"),
            (minutes, "0"),
            (minutes_or_none, "-0.1"),
            (seconds_or_none, "1e300"),
            (ratio, "1.0001"),
            (ratio, "98"),
            (percent, "101"),
            (percent, "0"),
            (mebibytes, "-2"),
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(hours("72h").unwrap_err().contains("without a unit"));
        assert!(ratio("98%").unwrap_err().contains("without a unit"));
        assert!(seconds("1e999").unwrap_err().contains("too large"));
        assert!(seconds("").unwrap_err().contains("empty"));
    }
}

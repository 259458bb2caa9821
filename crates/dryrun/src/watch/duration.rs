//! Times for people: `3d 0s`, `1d 2h 5m 7s`, `0m 5s`.

/// Returns seconds as days, hours, minutes and seconds. Parts that are zero are left out, except the seconds, and the minutes where
/// nothing is before them. Fractions are dropped; what is no time is `unknown`.
pub fn humanised(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "unknown".to_owned();
    }
    let sign = if seconds <= -1.0 { "-" } else { "" };
    // Saturates: a float's cast to an integer does.
    let whole = seconds.abs() as u64;
    let (days, hours, minutes, rest) = (
        whole / 86_400,
        whole / 3_600 % 24,
        whole / 60 % 60,
        whole % 60,
    );
    let mut text = sign.to_owned();
    if days > 0 {
        text.push_str(&format!("{days}d "));
    }
    if hours > 0 {
        text.push_str(&format!("{hours}h "));
    }
    if minutes > 0 || (days == 0 && hours == 0) {
        text.push_str(&format!("{minutes}m "));
    }
    text.push_str(&format!("{rest}s"));
    text
}

/// Returns a short form with one unit and at most one decimal, for tables and axes: `40 ms`, `5 s`, `90 min`, `26.5 h`, `3 d`.
pub fn brief(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "unknown".to_owned();
    }
    let size = seconds.abs();
    if size == 0.0 {
        "0 s".to_owned()
    } else if size < 1.0 {
        format!("{} ms", trimmed(seconds * 1_000.0, 0))
    } else if size < 120.0 {
        format!("{} s", trimmed(seconds, 1))
    } else if size < 7_200.0 {
        format!("{} min", trimmed(seconds / 60.0, 1))
    } else if size < 4.0 * 86_400.0 {
        format!("{} h", trimmed(seconds / 3_600.0, 1))
    } else {
        format!("{} d", trimmed(seconds / 86_400.0, 1))
    }
}

/// Returns a number with at most `decimals` decimals, without zeros at its end; `unknown` if it is none.
pub fn trimmed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    let text = format!("{value:.decimals$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// Returns a count with its thousands set apart: `4,000,480`.
pub fn counted(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Returns bytes as people say them: `951 MB` (powers of ten).
pub fn sized(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && value < 99.95);
    format!("{} {}", trimmed(value, decimals), UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_the_runbooks_have_them() {
        for (seconds, text) in [
            (259_200.0, "3d 0s"),
            (93_907.0, "1d 2h 5m 7s"),
            (5.0, "0m 5s"),
            (0.0, "0m 0s"),
            (59.999, "0m 59s"),
            (3_605.0, "1h 5s"),
            (60.0, "1m 0s"),
            (-65.0, "-1m 5s"),
            (f64::NAN, "unknown"),
            (f64::INFINITY, "unknown"),
        ] {
            assert_eq!(humanised(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn short_forms() {
        for (seconds, text) in [
            (0.04, "40 ms"),
            (5.25, "5.2 s"),
            (5_184.0, "86.4 min"),
            (259_200.0, "72 h"),
            (-300.0, "-5 min"),
            (864_000.0, "10 d"),
        ] {
            assert_eq!(brief(seconds), text, "{seconds}");
        }
        assert_eq!(counted(4_000_480), "4,000,480");
        assert_eq!(counted(12), "12");
        assert_eq!(sized(950_999_999), "951 MB");
        assert_eq!(sized(12), "12 B");
        assert_eq!(sized(u64::MAX), "18447 PB");
    }
}

//! One line of `go test -json`.

use super::super::Limits;
use super::super::json::{Broken, Json, Kind, Value};

/// An event, as `go doc test2json` has it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Event {
    pub(super) action: String,
    pub(super) package: String,
    pub(super) test: String,
    pub(super) import: String,
    pub(super) failed_build: String,
    pub(super) output: String,
    pub(super) elapsed: Option<f64>,
    pub(super) time_ms: Option<i64>,
    pub(super) is_odd: bool,
}

/// Reads one; `None` if it is JSON and no event.
pub(super) fn parse(line: &[u8], limits: &Limits) -> Result<Option<Event>, Broken> {
    let mut source = line;
    let mut json = Json::new(&mut source);
    let mut event = Event::default();
    if !json.enter(Kind::Object)? {
        return Ok(None);
    }
    while let Some(key) = json.key()? {
        let most = if key == "Output" { limits.token } else { 4096 };
        let value = json.value(most)?;
        match key.as_str() {
            "Action" => event.action = value.text().unwrap_or_default(),
            "Package" => event.package = value.text().unwrap_or_default(),
            "Test" => event.test = value.text().unwrap_or_default(),
            "ImportPath" => event.import = value.text().unwrap_or_default(),
            "FailedBuild" => event.failed_build = value.text().unwrap_or_default(),
            "Output" => event.output = value.text().unwrap_or_default(),
            "Elapsed" => match value.number() {
                Some(seconds) if seconds >= 0.0 && seconds.is_finite() => {
                    event.elapsed = Some(seconds);
                }
                _ => event.is_odd = true,
            },
            "Time" => {
                event.time_ms = match value {
                    Value::Text(text, _) => time(&text),
                    _ => None,
                };
                event.is_odd |= event.time_ms.is_none();
            }
            _ => {}
        }
    }
    Ok((!event.action.is_empty()).then_some(event))
}

/// RFC 3339 with a zone to milliseconds since 1970.
pub(in super::super) fn time(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let part = |range: std::ops::Range<usize>| -> Option<i64> {
        let part = bytes.get(range)?;
        part.iter()
            .all(u8::is_ascii_digit)
            .then(|| part.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0')))
    };
    let at = |index: usize, of: &[u8]| bytes.get(index).is_some_and(|b| of.contains(b));
    if !(at(4, b"-") && at(7, b"-") && at(10, b"Tt ") && at(13, b":") && at(16, b":")) {
        return None;
    }
    let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
    let (hour, minute, second) = (part(11..13)?, part(14..16)?, part(17..19)?);
    if !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let mut rest = &text[19..];
    let mut millis = 0;
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        let end = fraction
            .bytes()
            .position(|b| !b.is_ascii_digit())
            .unwrap_or(fraction.len());
        let digits = format!("{:0<3}", &fraction[..end.min(3)]);
        millis = digits.parse().ok()?;
        rest = &fraction[end..];
    }
    let offset = match rest.as_bytes() {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), zone @ ..] => {
            let digits: Vec<i64> = zone
                .iter()
                .filter(|b| b.is_ascii_digit())
                .map(|b| i64::from(b - b'0'))
                .collect();
            let [a, b, c, d] = digits[..] else {
                return None;
            };
            let minutes = (a * 10 + b) * 60 + c * 10 + d;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    // Days since 1970 of a date, from March on so that the leap day is a year's last.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let era = y.div_euclid(400);
    let year_of_era = y - era * 400;
    let day_of_year = (153 * m + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Some((((days * 24 + hour) * 60 + minute - offset) * 60 + second) * 1000 + millis)
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times() {
        assert_eq!(time("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(
            time("2026-11-21T22:48:42.193128266Z"),
            Some(1_795_301_322_193)
        );
        assert_eq!(time("2026-11-21T23:48:42.1+01:00"), Some(1_795_301_322_100));
        for no in [
            "",
            "2026-11-21",
            "2026-11-21T22:48:42",
            "2026-13-21T22:48:42Z",
            "äöüäöüäöüäöüäöüäöüä",
        ] {
            assert_eq!(time(no), None, "{no}");
        }
    }
}

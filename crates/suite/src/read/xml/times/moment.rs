//! Moments as report writers put them.
//!
//! Read are ISO 8601 and what is written like it (also without marks, with slashes behind the year, Go's `Time.String`), RFC 2822 and
//! what is written like it (C's `ctime`, Java's and JavaScript's `Date.toString`), and numbers that count since 1970. Invariant: nothing
//! is guessed. `11/12/2020` is one day in Europe and another in America, so it is no time here; and a zone that is only a word (`CET`,
//! `EST`) is none, because several places call their own so.

/// A time that a report gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::read) struct Moment {
    /// Milliseconds since 1970; without a zone, as if it were UTC.
    pub(in crate::read) ms: i64,
    /// Whether it has a zone.
    pub(in crate::read) is_absolute: bool,
}

const DAY: i64 = 86_400_000;

/// Reads a time. `None` if it is none, or could be more than one.
pub(in crate::read) fn moment(text: &str) -> Option<Moment> {
    let text = text.trim();
    if text.len() > 200 {
        return None;
    }
    // Go's monotonic clock, and JavaScript's name of the zone in the user's language.
    let text = text.split_once(" m=").map_or(text, |(wall, _)| wall);
    let text = match text.split_once(" (") {
        Some((time, zone)) if zone.ends_with(')') => time.trim_end(),
        _ => text,
    };
    if !text.is_ascii() || text.len() > 64 {
        return None;
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return number(text);
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        numeric(text).or_else(|| worded(text))
    } else {
        worded(text)
    }
}

/// Seconds since 1970, maybe with a fraction, or milli-, micro- or nanoseconds, told apart by their number of digits: each is of the
/// years from 1973 to 2286. A zero is a clock that nobody set. Eight and fourteen digits are a date, and one with its time.
fn number(text: &str) -> Option<Moment> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let has_point = whole.len() < text.len();
    if has_point && (fraction.is_empty() || fraction.contains('.')) {
        return None;
    }
    let scale = match (whole.len(), has_point) {
        (9 | 10, _) => return Some(utc(digits(whole)? * 1000 + millis(fraction)?)),
        (12 | 13, _) => 1,
        (16, false) => 1000,
        (19, false) => 1_000_000,
        (8 | 14, false) => return numeric(text),
        (1, _) if text.bytes().all(|b| matches!(b, b'0' | b'.')) => 1,
        _ => return None,
    };
    Some(utc(digits(whole)? / scale))
}

const fn utc(ms: i64) -> Moment {
    Moment {
        ms,
        is_absolute: true,
    }
}

/// `2020-11-22T18:57:49.123Z`, and with other marks or none.
fn numeric(text: &str) -> Option<Moment> {
    let mut scan = Scan(text);
    let year = scan.number(4)?;
    let mark = scan.one_of("-/");
    let month = scan.number(2)?;
    if let Some(mark) = mark {
        scan.one_of(mark)?;
    }
    let day = scan.number(2)?;
    let date = date(year, month, day)?;
    if scan.0.is_empty() {
        return Some(Moment {
            ms: date,
            is_absolute: false,
        });
    }
    // Only a date without marks may stand right before its time.
    if scan.one_of("Tt ").is_none() && mark.is_some() {
        return None;
    }
    scan.0 = scan.0.trim_start();
    let (time, rest) = clock(scan.0)?;
    zone(date + time, rest)
}

/// `Sun, 22 Nov 2020 18:57:49 GMT`, and the same words in another order.
fn worded(text: &str) -> Option<Moment> {
    let (mut year, mut month, mut day, mut time, mut half) = (None, None, None, None, None);
    let mut behind = String::new();
    let words = text
        .split(|c: char| c.is_ascii_whitespace() || c == ',')
        .filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        // `22-Nov-2020`
        let parts = word.split('-').collect::<Vec<_>>();
        if let [d, name, y] = parts[..]
            && let Some(number) = month_of(name)
            && month.is_none()
        {
            (day, month, year) = (Some(short(d)?), Some(number), Some(long(y)?));
        } else if word.contains(':') && time.is_none() {
            let (ms, rest) = clock(word)?;
            time = Some(ms);
            behind.push_str(rest);
        } else if index == 0 && is_weekday(word) {
        } else if let (Some(number), None) = (month_of(word), month) {
            month = Some(number);
        } else if let (Some(number), None) = (long(word), year) {
            year = Some(number);
        } else if let (Some(number), None) = (short(word), day) {
            day = Some(number);
        } else if matches!(word, "AM" | "PM" | "am" | "pm") && half.is_none() && time.is_some() {
            half = Some(word.starts_with(['P', 'p']));
        } else {
            behind.push(' ');
            behind.push_str(word);
        }
    }
    let mut time = time?;
    if let Some(is_afternoon) = half {
        const HALF: i64 = DAY / 2;
        let is_hour = (HALF / 12..HALF / 12 * 13).contains(&time);
        time = is_hour.then_some(time % HALF + if is_afternoon { HALF } else { 0 })?;
    }
    zone(date(year?, month?, day?)? + time, &behind)
}

/// The milliseconds since midnight that a text begins with, and what stands behind them.
fn clock(text: &str) -> Option<(i64, &str)> {
    let mut scan = Scan(text);
    let hour = scan.number(2).or_else(|| scan.number(1))?;
    let is_marked = scan.one_of(":").is_some();
    let minute = scan.number(2)?;
    let more = if is_marked {
        scan.one_of(":").is_some()
    } else {
        scan.0.starts_with(|c: char| c.is_ascii_digit())
    };
    let second = if more { scan.number(2)? } else { 0 };
    if hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    let mut ms = (hour * 3600 + minute * 60 + second) * 1000;
    if scan.0.starts_with(['.', ',']) {
        let end = scan.0[1..].find(|c: char| !c.is_ascii_digit());
        let end = end.map_or(scan.0.len(), |end| end + 1);
        ms += millis(&scan.0[1..end])?;
        scan.0 = &scan.0[end..];
    }
    Some((ms, scan.0))
}

/// A local time, by the zone that follows it.
fn zone(local: i64, text: &str) -> Option<Moment> {
    let mut words = text.split_ascii_whitespace();
    let (first, second) = (words.next(), words.next());
    let naive = Moment {
        ms: local,
        is_absolute: false,
    };
    let Some(first) = first else {
        return Some(naive);
    };
    if words.next().is_some() {
        return None;
    }
    let name = |word: &str| {
        (1..=5).contains(&word.len())
            && word.bytes().all(|b| b.is_ascii_uppercase())
            && !matches!(word, "AM" | "PM")
    };
    if let Some(offset) = offset(first) {
        // `+0000 UTC`, and where Go knows no name, the offset once more.
        let is_known = second.is_none_or(|word| name(word) || is_offset(word));
        return is_known.then_some(utc(local - offset));
    }
    match second {
        None if first == "z" || matches!(first, "Z" | "UTC" | "GMT" | "UT") => Some(utc(local)),
        None => name(first).then_some(naive),
        Some(_) => None,
    }
}

fn is_offset(word: &str) -> bool {
    word.starts_with(['+', '-']) && offset(word).is_some()
}

/// `+0200`, `-05`, `+02:00`, `GMT+0200`, as milliseconds.
fn offset(word: &str) -> Option<i64> {
    let word = ["GMT", "UTC"]
        .iter()
        .find_map(|name| word.strip_prefix(name))
        .unwrap_or(word);
    let is_behind = match word.bytes().next()? {
        b'+' => false,
        b'-' => true,
        _ => return None,
    };
    let mut scan = Scan(&word[1..]);
    let hours = scan.number(2)?;
    let is_marked = scan.one_of(":").is_some();
    let minutes = match scan.0 {
        "" if !is_marked => 0,
        _ => scan.number(2)?,
    };
    if !scan.0.is_empty() || minutes > 59 {
        return None;
    }
    let all = (hours * 60 + minutes) * 60_000;
    Some(if is_behind { -all } else { all })
}

/// What of a text was not read yet.
struct Scan<'t>(&'t str);

impl<'t> Scan<'t> {
    /// Exactly so many digits.
    fn number(&mut self, count: usize) -> Option<i64> {
        let number = digits(self.0.get(..count)?)?;
        self.0 = &self.0[count..];
        Some(number)
    }

    /// One of these characters.
    fn one_of(&mut self, marks: &str) -> Option<&'t str> {
        let mark = self.0.get(..1).filter(|mark| marks.contains(mark))?;
        self.0 = &self.0[1..];
        Some(mark)
    }
}

fn digits(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// A year.
fn long(word: &str) -> Option<i64> {
    digits(word).filter(|_| word.len() == 4)
}

/// A day of a month.
fn short(word: &str) -> Option<i64> {
    digits(word).filter(|_| word.len() <= 2)
}

/// The milliseconds of a fraction's digits; none are 0.
fn millis(fraction: &str) -> Option<i64> {
    let kept = &fraction[..fraction.len().min(3)];
    let number = if kept.is_empty() { 0 } else { digits(kept)? };
    let is_number = fraction.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| number * 10_i64.pow(3 - kept.len() as u32))
}

fn month_of(word: &str) -> Option<i64> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let index = NAMES.iter().position(|name| is_name(word, name))?;
    Some(index as i64 + 1)
}

fn is_weekday(word: &str) -> bool {
    [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ]
    .iter()
    .any(|name| is_name(word, name))
}

/// Whether a word is a name or its first three letters.
fn is_name(word: &str, name: &str) -> bool {
    word.eq_ignore_ascii_case(name) || word.eq_ignore_ascii_case(&name[..3])
}

/// Milliseconds since 1970 of a date.
fn date(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    is_date.then(|| days(year, month, day) * DAY)
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

    /// `2020-11-22T18:57:49Z`.
    const AT: i64 = 1_606_071_469_000;

    #[test]
    fn times_with_and_without_a_zone() {
        let leap = 1_709_208_000_000;
        let table = [
            ("1970-01-01T00:00:00Z", 0, true),
            ("2024-02-29T12:00:00.250Z", leap + 250, true),
            ("2024-02-29T12:00:00", leap, false),
            ("2024-02-29 12:00:00.25", leap + 250, false),
            ("2024-02-29T14:00:00.000+02:00", leap, true),
            ("2024-02-29T14:00:00+0200", leap, true),
            ("2024-02-29T07:00-05", leap, true),
            ("2024-02-29", leap - DAY / 2, false),
            ("2024-02-29 12:00:00 UTC", leap, true),
        ];
        for (text, ms, is_absolute) in table {
            assert_eq!(moment(text), Some(Moment { ms, is_absolute }), "{text:?}");
        }
    }

    #[test]
    fn what_writers_of_all_languages_put_for_one_moment() {
        let absolute = [
            // RFC 2822, as mocha's `xunit` writes it, and what is allowed in it.
            "Sun, 22 Nov 2020 18:57:49 GMT",
            "22 Nov 2020 18:57:49 +0000",
            "Sun, 22 Nov 2020 10:57:49 -0800",
            "Sun, 22-Nov-2020 18:57:49 GMT",
            // JavaScript, whatever its user speaks; Java in UTC; date(1).
            "Sun Nov 22 2020 18:57:49 GMT+0000 (Coordinated Universal Time)",
            "Sun Nov 22 2020 19:57:49 GMT+0100 (Mitteleuropäische Normalzeit)",
            "Sun Nov 22 18:57:49 UTC 2020",
            // Go.
            "2020-11-22 18:57:49 +0000 UTC",
            "2020-11-22 18:57:49.0001 +0000 UTC m=+0.001234",
            "2020-11-22 19:57:49 +0100 CET m=-1.5",
            "2020-11-22 21:57:49 +0300 +03",
            // ISO without marks, and other marks.
            "20201122T185749Z",
            "20201122T195749+0100",
            "2020/11/22 18:57:49 +0000",
            "2020-11-22T18:57:49z",
            "1606071469",
            "1606071469.000",
            "1606071469000",
            "1606071469000000",
            "1606071469000000000",
        ];
        let naive = [
            "20201122 18:57:49.000",
            "20201122T185749",
            "20201122185749",
            "2020/11/22 18:57:49",
            "Sun Nov 22 18:57:49 2020",
            "Sun Nov 22 18:57:49 2020\n",
            "Nov 22, 2020, 6:57:49 PM",
            // A zone that is only a word.
            "Sun Nov 22 18:57:49 CET 2020",
            "Sun, 22 Nov 2020 18:57:49 EST",
        ];
        for (texts, is_absolute) in [(&absolute[..], true), (&naive[..], false)] {
            for text in texts {
                let at = Moment {
                    ms: AT,
                    is_absolute,
                };
                assert_eq!(moment(text), Some(at), "{text:?}");
            }
        }
        let at = |text| moment(text).map(|m| m.ms - AT);
        assert_eq!(at("1606071469.1234567"), Some(123));
        assert_eq!(at("20201122 18:57:49.123"), Some(123));
        assert_eq!(at("2020-11-22 18:57:49.1 +0000 UTC"), Some(100));
        assert_eq!(at("Nov 22, 2020 12:57:49 AM"), Some(-18 * 3_600_000));
        assert_eq!(moment("0"), Some(utc(0)));
    }

    #[test]
    fn what_is_none_or_could_be_two() {
        for text in [
            "",
            "TIMESTAMP",
            "Invalid Date",
            "null",
            "NaN",
            "11/12/2020 18:57:49",
            "12.11.2020 18:57:49",
            "22/11/2020",
            "2024-13-29T12:00:00Z",
            "2024-02-29T12:00:00 sometime",
            "2024-02-29T12:00:00 PM",
            "2024-02/29T12:00:00",
            "2024-02-2912:00:00",
            "2024-02-29T12:00:00+2",
            "2024-02-29T12:00:00+02:",
            "2024-02-29T12:61:00",
            "Sun, 22 Nov 2020",
            "Sun, 22 Nov 2020 18:57:49 19:57:49",
            "Sun, 22 Foo 2020 18:57:49 GMT",
            "Sun, 22 23 Nov 2020 18:57:49 GMT",
            "Nov 22, 2020 18:57:49 PM",
            "18:57:49",
            "5",
            "1234567",
            "1606071469.",
            "1606071469.1.2",
            ".",
            "99999999999999999999",
            "-1606071469",
            "süß",
        ] {
            assert_eq!(moment(text), None, "{text:?}");
        }
    }
}

//! Times and dates as logs write them.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// Days of the week and months by their names. `May`, `Mar`, `Sun` and `Sat` alone are words too and count in a date only.
const NAMES: &[&str] = &[
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Mon",
    "Tue",
    "Wed",
    "Thu",
    "Fri",
    "January",
    "February",
    "March",
    "April",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
    "Jan",
    "Feb",
    "Apr",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
];

static TIMES: LazyLock<Regex> = LazyLock::new(|| {
    let day = "(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +)";
    let month = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*";
    let clock = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AP]M\b)?";
    let zone = r"(?: ?(?:Z\b|UTC\b|GMT\b|[ECMP][SD]T\b|CES?T\b|[+-]\d{2}:?\d{2}\b))?";
    let forms = [
        // 2026-11-21T10:00:00.123Z, 2026/11/21 10:00:00,123, 2026-11-22T06_50_00_000Z.
        format!(
            r"\d{{4}}[-/]\d{{2}}[-/]\d{{2}}(?:[T _-]+(?:{clock}{zone}|\d{{2}}[_-]\d{{2}}[_-]\d{{2}}(?:[_.-]\d+)?Z?))?"
        ),
        // 20261121T100000Z.
        r"20\d{6}[T_-]\d{6}Z?".to_owned(),
        // Sat, 21 Nov 2026 10:00:00 GMT, 21/Nov/2026:10:00:00 +0000.
        format!(r"{day}?\d{{1,2}}[ /-]{month}[ /-]\d{{4}}(?:[ :,T]+{clock}{zone})?"),
        // Sat Nov 21 10:00:00 UTC 2026, Nov 21 10:00:00, November 21, 2026.
        format!(
            r"{day}?{month} +\d{{1,2}}(?:,? +{clock}{zone}(?: \d{{4}}\b)?|,? +\d{{4}}(?: +{clock}{zone})?)"
        ),
        format!(r"{day}\d{{1,2}}:\d{{2}}(?::\d{{2}})?"),
        format!(r"\d{{2}}:\d{{2}}:\d{{2}}(?:[.,]\d+)?{zone}"),
    ];
    Regex::new(&format!(r"\b(?:{})", forms.join("|")))
        .expect("invariant: a pattern in the source is one")
});

/// Where times stand in a line.
pub(super) fn all(line: &str) -> Vec<Range<usize>> {
    if !line.bytes().any(|b| b.is_ascii_digit()) {
        return Vec::new();
    }
    let whole = |range: &Range<usize>| !line[range.end..].starts_with(|c: char| c.is_ascii_digit());
    TIMES
        .find_iter(line)
        .map(|found| found.range())
        .filter(whole)
        .collect()
}

/// Whether a word is the name of a day or a month.
pub(super) fn is_name(word: &str) -> bool {
    NAMES.contains(&word)
}

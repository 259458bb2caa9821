//! What a load wrote down while it ran: one event a line, in the order in which they ended.
//!
//! A line is the event's latency in microseconds, or the word `error`, behind which anything may stand. A line that is neither makes the
//! whole unreadable: who cannot say how long an event took has not measured it.

use super::super::budget::MOST_SERIES_SAMPLES;
use super::super::{MOST_BYTES, PerfError, Statistic};

/// Fewest events of a window: what a p99 needs.
pub const EVENTS_OF_A_WINDOW: usize = Statistic::P99.fewest();

/// The events of a load.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Events {
    /// Latencies of those that went well, in microseconds, in the order in which they ended.
    pub latencies_us: Vec<f64>,
    /// How many went wrong.
    pub errors: u64,
}

impl Events {
    /// Reads them.
    ///
    /// # Errors
    /// [`PerfError::Unreadable`] names the line that is no event; a million events and 16 MiB are the most.
    pub fn read(bytes: &[u8]) -> Result<Self, PerfError> {
        let unreadable = |why: String| PerfError::Unreadable {
            what: "the list of events",
            why,
        };
        if bytes.len() > MOST_BYTES {
            return Err(unreadable(format!("it has more than {MOST_BYTES} bytes")));
        }
        let text = std::str::from_utf8(bytes).map_err(|e| unreadable(e.to_string()))?;
        let mut found = Self::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            if line == "error" || line.starts_with("error ") || line.starts_with("error:") {
                found.errors += 1;
            } else {
                let number = line.parse::<f64>().ok();
                let possible = number.filter(|v| v.is_finite() && *v >= 0.0 && *v <= 9e15);
                found.latencies_us.push(possible.ok_or_else(|| {
                    let line: String = line.chars().take(40).collect();
                    unreadable(format!(
                        "line {} is `{}`, neither a number of microseconds nor `error`",
                        at + 1,
                        line.escape_debug()
                    ))
                })?);
            }
            if found.count() > MOST_SERIES_SAMPLES as u64 {
                return Err(unreadable("it has more than a million events".to_owned()));
            }
        }
        Ok(found)
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.latencies_us.len() as u64 + self.errors
    }

    /// p99 of the first and of the last quarter, in microseconds. None where a quarter has fewer than [`EVENTS_OF_A_WINDOW`] events, or
    /// if every latency is 0, which no clock shows.
    pub fn windows(&self) -> Option<(f64, f64)> {
        let all = &self.latencies_us;
        let quarter = all.len() / 4;
        if quarter < EVENTS_OF_A_WINDOW || all.iter().all(|v| *v == 0.0) {
            return None;
        }
        let first = Statistic::P99.of(&all[..quarter])?;
        let last = Statistic::P99.of(&all[all.len() - quarter..])?;
        Some((first, last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_quarters_in_the_order_of_the_file() {
        let text: String = (1..=400).map(|n| format!("{n}\n")).collect();
        let events = Events::read(text.as_bytes()).unwrap();
        assert_eq!(events.windows(), Some((99.0, 399.0)));
        assert_eq!((events.count(), events.errors), (400, 0));
        // 399 events have no quarter of 100.
        let short = text.strip_suffix("400\n").unwrap();
        assert_eq!(Events::read(short.as_bytes()).unwrap().windows(), None);
        let zero = "0\n".repeat(400);
        assert_eq!(Events::read(zero.as_bytes()).unwrap().windows(), None);
    }

    #[test]
    fn what_is_no_event_is_refused_with_its_line() {
        let text = b"12.5\nerror\n\nerror: refused\nerror timed out\n3";
        let events = Events::read(text).unwrap();
        assert_eq!(events.latencies_us, [12.5, 3.0]);
        assert_eq!((events.errors, events.count()), (3, 5));
        for bad in ["nan", "-1", "inf", "12 us", "errors", "1e300"] {
            let why = Events::read(format!("1\n{bad}").as_bytes()).unwrap_err();
            assert!(why.to_string().contains("line 2 is"), "{bad}: {why}");
        }
        assert!(Events::read(b"\xff").is_err());
    }
}

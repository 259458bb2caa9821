//! What holds of every reader and of whatever it reads; ordinary tests and the fuzzer ask for the same.

use std::collections::BTreeSet;
use std::io::BufReader;

use gonogo_suite::read::{self, Counts};
use gonogo_suite::{Attempt, Format, Limits, Outcome, Parse, Reading};

/// Reads the bytes under the limits and in the portions that they draw themselves; panics if something does not hold.
pub(crate) fn check(format: Format, data: &[u8]) {
    let drawn = draw(data);
    let limits = if drawn & 1 == 0 {
        Limits::default()
    } else {
        Limits {
            message: 24,
            trace: 40,
            output: 32,
            failures: 2,
            depth: 6,
            attributes: 5,
            token: 200,
            attempts: 9,
            issues: 4,
        }
    };
    let read = one(format, data, &limits, 1 << 16);
    let (whole, attempts) = &read;
    bounded(whole, attempts, &limits);

    let size = 1 + (drawn >> 8) as usize % 23;
    let again = one(format, data, &limits, size);
    assert_eq!(again, read, "in portions of {size}");

    let cut = (drawn >> 16) as usize % (data.len() + 1);
    cut_at(format, data, &limits, (whole, attempts), cut);
}

/// What holds of a report that is cut, beside what was read of all of it.
///
/// A cut report may show more passes than the whole one, because a report may take back what it said: pytest writes a test that is run
/// again as if it had passed, libtest lists failures at a binary's end, and a limit is reached elsewhere. So passes mean something only
/// where the reading is whole, and there the whole report has each of them too. A format that says where it ends is never whole
/// without its end.
pub(crate) fn cut_at(
    format: Format,
    data: &[u8],
    limits: &Limits,
    (whole, attempts): (&Reading, &[Attempt]),
    cut: usize,
) {
    let (short, kept) = one(format, &data[..cut], limits, 1 << 16);
    if !short.is_whole() {
        return;
    }
    let passed = |attempts: &[Attempt]| -> BTreeSet<String> {
        attempts
            .iter()
            .filter(|attempt| matches!(attempt.outcome, Outcome::Pass))
            .map(|attempt| format!("{} #{}", attempt.test, attempt.number))
            .collect()
    };
    let invented: Vec<String> = passed(&kept)
        .difference(&passed(attempts))
        .cloned()
        .collect();
    assert!(
        invented.is_empty(),
        "cut at {cut}: {invented:?} passed, which they did not in all of it"
    );
    if has_end(format, data) && whole.is_whole() {
        assert_eq!(
            short.seen, whole.seen,
            "cut at {cut}: it is whole, and not all of it"
        );
    }
}

/// Whether a report of this format has an end of its own. The others are logs of programs that run one after the other, and where one has
/// ended nothing tells whether another was to follow: that is for the exit code. So are TAP streams one behind the other, each with its plan.
fn has_end(format: Format, data: &[u8]) -> bool {
    match format {
        Format::Libtest | Format::LibtestJson | Format::Go => false,
        Format::Tap => {
            let lines = data.split(|b| *b == b'\n');
            lines.filter(|line| line.starts_with(b"1..")).count() <= 1
        }
        _ => true,
    }
}

/// Cuts a report everywhere.
#[allow(dead_code, reason = "too slow for the fuzzer")]
pub(crate) fn check_cuts(format: Format, data: &[u8]) {
    let limits = Limits::default();
    let (whole, attempts) = one(format, data, &limits, 1 << 16);
    for cut in 0..data.len() {
        cut_at(format, data, &limits, (&whole, &attempts), cut);
    }
}

fn one(format: Format, data: &[u8], limits: &Limits, size: usize) -> (Reading, Vec<Attempt>) {
    let mut attempts = Vec::new();
    let mut source = BufReader::with_capacity(size, data);
    let reading = read::read(format, &mut source, limits, &mut attempts);
    (reading, attempts)
}

fn bounded(reading: &Reading, attempts: &[Attempt], limits: &Limits) {
    let mut seen = Counts::default();
    for attempt in attempts {
        seen.add(attempt.outcome);
        let test = &attempt.test;
        for part in [&*test.suite, &*test.class, test.name.as_str()] {
            assert!(part.len() <= 512, "{part}");
            assert!(!part.chars().any(char::is_control), "{part:?}");
        }
        assert!(!test.to_string().is_empty());
        assert!(attempt.number >= 1);
        assert!(attempt.output.len() <= limits.output, "{attempt:?}");
        assert!(attempt.failures.len() <= limits.failures, "{attempt:?}");
        for failure in &attempt.failures {
            assert!(
                failure.message.len() <= limits.message.max(80),
                "{failure:?}"
            );
            assert!(failure.trace.len() <= limits.trace, "{failure:?}");
        }
        assert!(attempt.seconds.is_none_or(|s| s.is_finite() && s >= 0.0));
        assert!(attempt.place.from <= attempt.place.to);
        assert!(attempt.place.to <= reading.bytes, "{attempt:?}");
    }
    assert_eq!(seen, reading.seen);
    assert!(reading.issues.len() <= limits.issues);
    assert!(!reading.is_whole() || seen.attempts >= 1);
    assert!(reading.parse != Parse::Rejected || seen.passed == 0);
}

/// A number from the input, so that it means the same in the next run (FNV-1a).
fn draw(data: &[u8]) -> u64 {
    data.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

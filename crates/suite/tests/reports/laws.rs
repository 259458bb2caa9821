//! What holds of every reader and of whatever it reads; ordinary tests and the fuzzer ask for the same.

use std::io::BufReader;

use gonogo_suite::read::{self, Counts};
use gonogo_suite::{Attempt, Format, Limits, Parse, Reading};

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
    let (whole, attempts) = one(format, data, &limits, 1 << 16);
    bounded(&whole, &attempts, &limits);

    let size = 1 + (drawn >> 8) as usize % 23;
    let again = one(format, data, &limits, size);
    assert_eq!(again, (whole.clone(), attempts), "in portions of {size}");

    let cut = (drawn >> 16) as usize % (data.len() + 1);
    let (short, _) = one(format, &data[..cut], &limits, 1 << 16);
    // A limit may end the reading before what would say that the report is none.
    if whole.parse != Parse::Rejected && short.parse != Parse::Rejected {
        assert!(
            short.seen.passed <= whole.seen.passed,
            "cut at {cut}: {:?} of {:?}",
            short.seen,
            whole.seen
        );
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

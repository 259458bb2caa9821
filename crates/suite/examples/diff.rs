//! Compares two made-up runs and says how fast: `diff TESTS [TIMES]`.
//!
//! The tests of both runs come in another order each, one in twenty failed, one in a hundred is new or gone. The answer is one line of
//! JSON: the median, sorting, ranking and the view included; the same by a hash map from test to entry and a sort at the end, which is the
//! obvious way; and the process's peak of resident memory (`VmHWM`).

#![expect(
    clippy::print_stdout,
    reason = "a program: its answer is what it prints"
)]

use std::collections::HashMap;

use gonogo_core::clock::{Clock, SystemClock};
use gonogo_suite::diff::{Change, Entry, change, diff};
use gonogo_suite::{Failure, Signature, TestId, TestVerdict};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let tests: u64 = words.first().ok_or("usage: diff TESTS [TIMES]")?.parse()?;
    let times: usize = words.get(1).map_or(Ok(5), |n| n.parse())?;
    let (base, now) = (run(tests, 1), run(tests, 2));
    let clock = SystemClock::default();
    let before = peak();
    let (mut ours, mut naive) = (Vec::new(), Vec::new());
    let (mut changed, mut agreed) = (0, true);
    for _ in 0..times.max(1) {
        let at = clock.now().mono_ms;
        let found = diff(&base, &now);
        let view = found.view(1000, |test| Some(format!("cargo test {}", test.name)));
        ours.push(clock.now().mono_ms - at);
        changed = found.changed.len();
        let at = clock.now().mono_ms;
        let plain = plain(&base, &now);
        naive.push(clock.now().mono_ms - at);
        agreed &= plain
            .iter()
            .map(|(_, t)| *t)
            .eq(found.changed.iter().map(|c| &c.test));
        agreed &= view.omitted as usize + view.ranked_diagnostics.len() == changed;
    }
    ours.sort_unstable();
    naive.sort_unstable();
    let answer = serde_json::json!({
        "tests": tests, "changed": changed, "agreed": agreed, "seconds": ours[ours.len() / 2] as f64 / 1e3,
        "naive_seconds": naive[naive.len() / 2] as f64 / 1e3, "rss_of_both_runs_kib": before, "peak_rss_kib": peak(),
    });
    println!("{answer}");
    Ok(())
}

/// The obvious way.
fn plain<'a>(base: &'a [(TestId, Entry)], now: &'a [(TestId, Entry)]) -> Vec<(Change, &'a TestId)> {
    let mut known: HashMap<&TestId, &Entry> = base.iter().map(|(id, e)| (id, e)).collect();
    let mut all: Vec<(Change, &TestId)> = now
        .iter()
        .map(|(id, e)| (change(known.remove(id), Some(e)), id))
        .collect();
    all.extend(known.into_iter().map(|(id, e)| (change(Some(e), None), id)));
    all.retain(|(change, _)| *change != Change::Same);
    all.sort_by(|a, b| (b.0.score(), a.0, a.1).cmp(&(a.0.score(), b.0, b.1)));
    all
}

fn run(tests: u64, salt: u64) -> Vec<(TestId, Entry)> {
    let mut order: Vec<u64> = (0..tests + tests / 100)
        .filter(|n| !hash(*n, salt).is_multiple_of(100))
        .collect();
    order.sort_by_key(|n| hash(*n, salt + 10));
    order
        .into_iter()
        .map(|n| {
            let failed = hash(n, salt + 20).is_multiple_of(20);
            let message = format!("assertion failed: state {} of {n}", hash(n, salt) % 3);
            let failure = Failure {
                message,
                ..Failure::default()
            };
            let test = TestId::new(
                &format!("com.example.service.module{}", n % 97),
                &format!("Suite{}Test", n / 400),
                &format!("handles_request_{}[param={}]", n % 400, n % 17),
            );
            let entry = Entry {
                verdict: if failed {
                    TestVerdict::Failed
                } else {
                    TestVerdict::Passed
                },
                signature: failed.then(|| Signature::of(&failure)),
                seconds: Some((hash(n, 5) % 1000) as f64 / 1e3),
            };
            (test, entry)
        })
        .collect()
}

/// SplitMix64.
fn hash(n: u64, salt: u64) -> u64 {
    let mut z = (n ^ salt << 40)
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The peak of resident memory, KiB; absent where the system does not say.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

//! Looks texts up in a log and says how fast, for comparisons: `match_runbook TEXTS LOG [TIMES]`, the texts one a line, each a runbook's
//! entry of its own.
//!
//! `match_runbook --write TEXTS LOG BYTES` makes both, the same each time: 3,000 texts after errors of real programs, and a log of services
//! and builds in which one line of 20,000 has one of them.
//!
//! The answer is one line of JSON: how many lines have one, the seconds and MB/s of the median of the runs and of the best, from opening the
//! file on, what it takes to make the texts ready, and the process's peak of resident memory (`VmHWM`).

#![expect(
    clippy::print_stdout,
    reason = "a program: its answer is what it prints"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a program that measures; its clock has to tell microseconds"
)]

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Instant;

use gonogo_suite::runbook::{Entry, Limits, Matcher, Pattern, Runbook, Severity, read};

const USAGE: &str =
    "usage: match_runbook TEXTS LOG [TIMES] | match_runbook --write TEXTS LOG BYTES";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--write", texts, log, bytes] => Ok(write(texts, log, bytes.parse()?)?),
        [texts, log] => measure(texts, log, 5),
        [texts, log, times] => measure(texts, log, times.parse()?),
        _ => Err(USAGE.into()),
    }
}

fn measure(texts: &str, log: &str, times: usize) -> Result<(), Box<dyn std::error::Error>> {
    let texts = std::fs::read_to_string(texts)?;
    let began = Instant::now();
    let matcher = Matcher::new(runbook(&texts))?;
    let ready = began.elapsed().as_secs_f64();
    let mut seconds = Vec::new();
    let (mut bytes, mut lines, mut entries) = (0, 0, 0);
    for _ in 0..times.max(1) {
        let began = Instant::now();
        let found = read(&matcher, &mut File::open(log)?, Limits::default())?;
        seconds.push(began.elapsed().as_secs_f64());
        (bytes, entries) = (found.bytes, found.entries.len());
        lines = found.entries.iter().map(|entry| entry.hits).sum();
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    let answer = serde_json::json!({
        "texts": matcher.runbook().entries.len(),
        "bytes": bytes,
        "entries": entries,
        "hits": lines,
        "ready_seconds": ready,
        "seconds": median,
        "best_seconds": seconds[0],
        "mb_per_s": bytes as f64 / 1e6 / median,
        "best_mb_per_s": bytes as f64 / 1e6 / seconds[0],
        "peak_rss_kib": peak(),
    });
    println!("{answer}");
    Ok(())
}

/// An entry for each line.
fn runbook(texts: &str) -> Runbook {
    let entries = texts.lines().filter(|text| !text.is_empty());
    let entries = entries.enumerate().map(|(n, text)| Entry {
        id: format!("text-{n}"),
        title: text.to_owned(),
        means: String::new(),
        severity: Severity::Two,
        cause: None,
        patterns: vec![Pattern {
            any: vec![text.to_owned()],
            ..Pattern::default()
        }],
        signatures: Vec::new(),
        artifacts: Vec::new(),
        replay: Vec::new(),
        remediation: String::new(),
        links: Vec::new(),
        owner: String::new(),
        line: 1,
    });
    Runbook {
        entries: entries.collect(),
    }
}

const SERVICES: [&str; 15] = [
    "scheduler",
    "worker",
    "ingest",
    "api-gateway",
    "billing",
    "storage",
    "cache",
    "replicator",
    "auth",
    "router",
    "indexer",
    "planner",
    "compactor",
    "watcher",
    "mailer",
];
const WRONG: [&str; 15] = [
    "failed to open",
    "refused by",
    "could not reach",
    "unexpected reply from",
    "lost connection to",
    "cannot parse",
    "rejected",
    "timed out waiting for",
    "ran out of",
    "has no permission for",
    "is missing",
    "mismatch in",
    "overflow of",
    "deadlock in",
    "corrupt header of",
];
const THINGS: [&str; 20] = [
    "segment",
    "partition",
    "lease",
    "manifest",
    "snapshot",
    "journal",
    "bucket",
    "certificate",
    "cassette",
    "fixture",
    "index",
    "shard",
    "checkpoint",
    "session",
    "token",
    "volume",
    "socket",
    "queue",
    "budget",
    "waiver",
];

/// Numbers that are the same each time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }
}

fn write(texts_path: &str, log_path: &str, bytes: u64) -> std::io::Result<()> {
    let mut n = Numbers(7);
    let mut texts = BTreeSet::new();
    while texts.len() < 3_000 {
        let (service, wrong) = (n.of(&SERVICES), n.of(&WRONG));
        let (a, b) = (n.of(&THINGS), n.of(&THINGS));
        texts.insert(match n.below(4) {
            0 => format!("{service}: {wrong} {a} {b}"),
            1 => format!("error[E{:04}]: {wrong} {a}", n.below(10_000)),
            2 => format!(
                "{service}.{a}.{}: {wrong}",
                n.of(&["Exception", "Error", "Fault"])
            ),
            _ => format!("{a} {wrong} {service} ({b}-{})", n.below(100)),
        });
    }
    let texts: Vec<String> = texts.into_iter().collect();
    std::fs::write(texts_path, texts.join("\n") + "\n")?;
    let mut file = BufWriter::new(File::create(log_path)?);
    let (mut written, mut ms, mut count) = (0, 0, 0_u64);
    while written < bytes {
        count += 1;
        ms += n.below(40);
        let line = if count.is_multiple_of(20_000) {
            let text = &texts[n.below(texts.len() as u64) as usize];
            format!("{} ERROR {text}\n", time(ms))
        } else {
            line(&mut n, &time(ms))
        };
        written += line.len() as u64;
        file.write_all(line.as_bytes())?;
    }
    file.flush()
}

fn time(ms: u64) -> String {
    let (h, m, s) = (ms / 3_600_000 % 24, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("2026-03-01T{h:02}:{m:02}:{s:02}.{:03}Z", ms % 1_000)
}

fn line(n: &mut Numbers, time: &str) -> String {
    let (service, thing) = (n.of(&SERVICES), n.of(&THINGS));
    match n.below(8) {
        0..3 => format!(
            "{time} INFO  {service} worker-{} request id={:016x} method=GET path=/v1/{thing}/{} status=200 bytes={} took={}ms\n",
            n.below(16),
            n.next(),
            n.below(100_000),
            n.below(100_000),
            n.below(1_000)
        ),
        3 => format!(
            "{time} DEBUG {service} {thing} {} state=ready queue={} lag={}ms checkpoint={:08x} owner={service}-{}\n",
            n.below(1_000),
            n.below(50),
            n.below(900),
            n.next() as u32,
            n.below(9)
        ),
        4 => format!(
            "test {service}::{thing}::tests::handles_{}_{} ... ok\n",
            n.of(&THINGS),
            n.below(1_000)
        ),
        5 => format!(
            "{time} WARN  {service} retrying {thing} after {} ms: connection reset by peer (os error 104), attempt {} of 5\n",
            n.below(5_000),
            n.below(5)
        ),
        6 => format!(
            "   Compiling {service}-{thing} v0.{}.{} (/build/workspace/crates/{service}/{thing})\n",
            n.below(30),
            n.below(20)
        ),
        _ => format!(
            "{time} INFO  {service} {thing} compaction finished: {} files, {} bytes written, {} dropped, level {}\n",
            n.below(1_000),
            n.below(1_000_000_000),
            n.below(100),
            n.below(7)
        ),
    }
}

/// The peak of resident memory, KiB; absent where the system does not say.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

//! Measures the classifier and the views on lines that it makes in memory: JSON lines of 238 bytes with Python tracebacks among
//! them, half a percent of warnings and a few errors; plain text; and one log of each kind only.
//!
//!     cargo run --release -p gonogo-dryrun --example classify [LINES]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "prints what it measures"
)]

use std::io::Write as _;

use gonogo_dryrun::classify::{Classifier, Finding, Line, Sink, What};
use gonogo_dryrun::spec::{Lines, NumericLevels, StderrPolicy};
use gonogo_dryrun::view::Renderer;
use gonogo_dryrun::{Moment, Stream};

const TRACE: &str = "Traceback (most recent call last):\n  File \"/srv/shop/app.py\", line 12, in <module>\n    main()\n  File \"/srv/shop/app.py\", line 8, in main\n    pay(order)\nValueError: no such order\n";

fn json(count: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let each = (count / 80).max(1);
    for number in 0..count {
        let level = match number {
            n if n % 200 == 7 => "warning",
            n if n % 500_000 == 9 => "error",
            _ => "info",
        };
        let start = bytes.len();
        write!(
            bytes,
            "{{\"timestamp\":\"2026-11-21T{:02}:{:02}:{:02}.{:03}Z\",\"level\":\"{level}\",\"event\":\"heartbeat\",\"message\":\"heartbeat #{number}\",\"seq\":{number},\"service\":\"checkout\",\"latency_ms\":{}.{},\"ok\":true,\"host\":\"node-{}\",\"region\":\"eu-central\",\"pad\":\"",
            number / 3_600_000 % 24, number / 60_000 % 60, number / 1_000 % 60, number % 1_000, number % 90, number % 10, number % 7
        )
        .unwrap();
        while bytes.len() - start < 235 {
            bytes.push(b'x');
        }
        bytes.extend_from_slice(b"\"}\n");
        if number % each == 5 {
            bytes.extend_from_slice(TRACE.as_bytes());
        }
    }
    bytes
}

fn text(count: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 0..count {
        let level = if number % 200 == 7 { "WARN" } else { "INFO" };
        writeln!(bytes, "2026-11-21 12:{:02}:{:02},{:03} {level} [worker-{}] shop.checkout - order {number} was paid in {} ms by card, {} items shipped to the eu-central store of the north", number / 60_000 % 60, number / 1_000 % 60, number % 1_000, number % 9, number % 80, number % 5).unwrap();
    }
    bytes
}

#[derive(Default)]
struct Count {
    lines: u64,
    traces: u64,
}

impl Sink for Count {
    const LINES: bool = false;
    fn line(&mut self, _: &Line<'_>) {}
    fn finding(&mut self, finding: Finding) {
        match finding.what {
            What::Trace { .. } => self.traces += 1,
            _ => self.lines += 1,
        }
    }
}

#[derive(Default)]
struct Views {
    renderer: Renderer,
    log: Vec<u8>,
    jsonl: Vec<u8>,
    bytes: usize,
}

impl Sink for Views {
    const LINES: bool = true;
    fn line(&mut self, line: &Line<'_>) {
        self.renderer.log(line, &mut self.log);
        self.renderer.jsonl(Stream::Stdout, line, &mut self.jsonl);
        if self.jsonl.len() > 1 << 20 {
            self.bytes += self.log.len() + self.jsonl.len();
            self.log.clear();
            self.jsonl.clear();
        }
    }
    fn finding(&mut self, _: Finding) {}
}

/// Seconds of this process on a core (Linux); what others do on the machine does not count.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn measure<S: Sink>(name: &str, bytes: &[u8], sink: &mut S) {
    let lines = Lines {
        monitor: true,
        stderr: StderrPolicy::Error,
        allow: Vec::new(),
        numeric: NumericLevels::Auto,
        source_field: None,
    };
    let mut best = f64::MAX;
    let mut count = 0;
    for _ in 0..3 {
        let mut classifier = Classifier::new(Stream::Stdout, &lines).unwrap();
        let begin = cpu();
        for portion in bytes.chunks(1 << 20) {
            classifier.feed(Moment::default(), portion, sink);
        }
        classifier.finish(Moment::default(), sink);
        best = best.min(cpu() - begin);
        count = classifier.counts().lines;
    }
    println!(
        "{name}: {:.0} MB/s, {:.2} M lines/s",
        bytes.len() as f64 / 1e6 / best,
        count as f64 / 1e6 / best
    );
}

fn main() {
    let count = std::env::args()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1_000_000);
    let logs = json(count);
    let begin = cpu();
    let valid = logs
        .split(|byte| *byte == b'\n')
        .filter(|line| serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok())
        .count();
    println!(
        "for comparison, serde_json without values: {:.0} MB/s ({valid} lines)",
        logs.len() as f64 / 1e6 / (cpu() - begin)
    );
    let mut found = Count::default();
    measure("json, counted", &logs, &mut found);
    println!(
        "  {} lines that count, {} traces in each of 3 passes",
        found.lines / 3,
        found.traces / 3
    );
    measure("json, both views", &logs, &mut Views::default());
    let logs = text(count);
    measure("text, counted", &logs, &mut Count::default());
    measure("text, both views", &logs, &mut Views::default());
    let logs = TRACE.repeat(count as usize / 20);
    measure("tracebacks only", logs.as_bytes(), &mut Count::default());
    let logs: String = (0..count / 20)
        .map(|n| format!("{{\"level\":\"warning\",\"message\":\"distinct warning {n} of ConnectionError: x\"}}\n"))
        .collect();
    measure("warnings only", logs.as_bytes(), &mut Count::default());
}

//! Reads a report and says how fast, for comparisons: `read_junit [--bare|--bare-slice] [--format NAME] FILE [TIMES]`.
//!
//! `--bare` is the event loop of quick-xml over the same source and nothing else, `--bare-slice` the same over the file in memory.
//! `--format` names another format than `junit`, as it is stored. `read_junit --write [--format NAME] [--shape NAME] FILE BYTES` makes such a file;
//! shapes are of JUnit: `surefire`, `failing`, `pytest`, `vitest`, `dense`.
//!
//! The answer is one line of JSON: the best of the runs in MB/s, and the process's peak of resident memory (`VmHWM`).

#![expect(
    clippy::print_stdout,
    reason = "a program: its answer is what it prints"
)]

#[path = "reports/write.rs"]
mod write;

use std::fs::File;
use std::io::{BufReader, Read};

use gonogo_core::clock::{Clock, SystemClock};
use gonogo_suite::Attempt;
use gonogo_suite::read::{Format, Limits, Sink, read};
use quick_xml::events::Event;
use quick_xml::reader::Reader;

/// Counts what it is given.
#[derive(Default)]
struct Counted {
    attempts: u64,
    bytes: u64,
}

impl Sink for Counted {
    fn attempt(&mut self, attempt: Attempt) {
        self.attempts += 1;
        self.bytes += attempt.test.name.len() as u64;
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut mode = "gonogo";
    let mut rest = Vec::new();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut format = Format::Junit;
    let mut shape = "surefire";
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--format" => {
                let name = words.next().ok_or("--format needs a NAME")?;
                format = serde_json::from_value(name.as_str().into())?;
            }
            "--shape" => shape = words.next().ok_or("--shape needs a NAME")?,
            "--bare" => mode = "bare",
            "--bare-slice" => mode = "bare-slice",
            "--write" => mode = "write",
            _ => rest.push(word),
        }
    }
    let path = rest.first().ok_or(
        "usage: read_junit [--bare|--bare-slice|--write] [--format NAME] [--shape NAME] FILE [TIMES|BYTES]",
    )?;
    if mode == "write" {
        let bytes = rest.get(1).ok_or("how many bytes?")?.parse()?;
        return Ok(write::write(format, shape, path, bytes)?);
    }
    let times: u32 = rest.get(1).map_or(Ok(3), |n| n.parse())?;
    let bytes = std::fs::metadata(path)?.len();
    let clock = SystemClock::default();
    let (mut best, mut tests, mut whole) = (f64::INFINITY, 0, true);
    for _ in 0..times.max(1) {
        let began = clock.now().mono_ms;
        match mode {
            "gonogo" => {
                let mut sink = Counted::default();
                let mut source = BufReader::new(File::open(path)?);
                let reading = read(format, &mut source, &Limits::default(), &mut sink);
                (tests, whole) = (sink.attempts, reading.is_whole());
            }
            "bare" => tests = streamed(path)?,
            _ => tests = in_memory(path)?,
        }
        best = best.min((clock.now().mono_ms - began) as f64 / 1e3);
    }
    let answer = serde_json::json!({
        "mode": mode,
        "format": format,
        "bytes": bytes,
        "tests": tests,
        "whole": whole,
        "seconds": best,
        "mb_per_s": bytes as f64 / 1e6 / best,
        "peak_rss_kib": peak(),
    });
    println!("{answer}");
    Ok(())
}

fn streamed(path: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let mut reader = Reader::from_reader(BufReader::with_capacity(256 << 10, File::open(path)?));
    let mut buffer = Vec::new();
    let mut tests = 0;
    loop {
        match reader.read_event_into(&mut buffer)? {
            Event::Start(tag) | Event::Empty(tag) => {
                tests += u64::from(tag.name().as_ref() == "testcase");
            }
            Event::Eof => return Ok(tests),
            _ => {}
        }
        buffer.clear();
    }
}

fn in_memory(path: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let mut text = Vec::new();
    File::open(path)?.read_to_end(&mut text)?;
    let mut reader = Reader::from_reader(text.as_slice());
    let mut tests = 0;
    loop {
        match reader.read_event()? {
            Event::Start(tag) | Event::Empty(tag) => {
                tests += u64::from(tag.name().as_ref() == "testcase");
            }
            Event::Eof => return Ok(tests),
            _ => {}
        }
    }
}

/// The peak of resident memory, KiB; absent where the system does not say.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

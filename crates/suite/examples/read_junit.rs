//! Reads a JUnit report and says how fast, for comparisons: `read_junit [--bare|--bare-slice] FILE [TIMES]`.
//!
//! `--bare` is the event loop of quick-xml over the same source and nothing else, `--bare-slice` the same over the file in memory.
//! `read_junit --write FILE BYTES` makes such a file, the same each time: suites of 400 tests after those of Surefire, one in thirty
//! failed with a trace, one in ten with output.
//!
//! The answer is one line of JSON: the best of the runs in MB/s, and the process's peak of resident memory (`VmHWM`).

#![expect(
    clippy::print_stdout,
    reason = "a program: its answer is what it prints"
)]

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};

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
    for word in &words {
        match word.as_str() {
            "--bare" => mode = "bare",
            "--bare-slice" => mode = "bare-slice",
            "--write" => mode = "write",
            _ => rest.push(word),
        }
    }
    let path = rest
        .first()
        .ok_or("usage: read_junit [--bare|--bare-slice] FILE [TIMES]")?;
    if mode == "write" {
        let bytes = rest.get(1).ok_or("how many bytes?")?.parse()?;
        return Ok(generate(path, bytes)?);
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
                let reading = read(Format::Junit, &mut source, &Limits::default(), &mut sink);
                (tests, whole) = (sink.attempts, reading.is_whole());
            }
            "bare" => tests = streamed(path)?,
            _ => tests = in_memory(path)?,
        }
        best = best.min((clock.now().mono_ms - began) as f64 / 1e3);
    }
    let answer = serde_json::json!({
        "mode": mode,
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

/// Writes a report of at least that many bytes.
fn generate(path: &str, bytes: u64) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let line = "2024-01-01 12:00:00,123 DEBUG worker-3 state=ready queue=0\n";
    let trace: String = (0..18)
        .map(|i| {
            format!(
                "\tat com.example.service.Handler{i}.handle(Handler{i}.java:{})\n",
                i * 7 + 3
            )
        })
        .collect();
    let (mut written, mut suite, mut test) = (0, 0_u64, 0_u64);
    writeln!(
        file,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>"
    )?;
    while written < bytes {
        let class = format!("com.example.service.module{}.Suite{suite}Test", suite % 50);
        let (mut cases, mut failed) = (String::new(), 0);
        for i in 0..400 {
            test += 1;
            let (param, ms) = (test % 17, test.wrapping_mul(2_654_435_761) % 1000);
            cases += &format!(
                "    <testcase name=\"handles_request_{i}[param={param}]\" classname=\"{class}\" time=\"0.{ms:03}\""
            );
            if test % 30 == 0 {
                failed += 1;
                cases += ">\n      <failure message=\"expected: &lt;one&gt; but was: &lt;two&gt;\" type=\"org.opentest4j.AssertionFailedError\"><![CDATA[org.opentest4j.AssertionFailedError: expected: <one> but was: <two>\n";
                cases += &format!(
                    "{trace}]]></failure>\n      <system-out><![CDATA[{}]]></system-out>\n    </testcase>\n",
                    line.repeat(20)
                );
            } else if test % 10 == 0 {
                cases += &format!(
                    ">\n      <system-out><![CDATA[{}]]></system-out>\n    </testcase>\n",
                    line.repeat(10)
                );
            } else {
                cases += "/>\n";
            }
        }
        let head = format!(
            "  <testsuite name=\"{class}\" time=\"12.345\" tests=\"400\" errors=\"0\" skipped=\"0\" failures=\"{failed}\">\n"
        );
        written += (head.len() + cases.len()) as u64;
        file.write_all(head.as_bytes())?;
        file.write_all(cases.as_bytes())?;
        file.write_all(b"  </testsuite>\n")?;
        suite += 1;
    }
    writeln!(file, "</testsuites>")?;
    file.flush()
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

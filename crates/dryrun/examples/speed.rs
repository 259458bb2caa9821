//! Audits the files that are named, on two threads, and tells how long that took: a tool to measure with.
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::unwrap_used)]

use std::fs::File;
use std::time::Instant;

use gonogo_dryrun::Status;
use gonogo_dryrun::audit::{Format, LogFile, LogRules, logs};
use gonogo_dryrun::spec::{Gaps, Lines, NumericLevels, StderrPolicy};

fn main() {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let files: Vec<File> = names.iter().map(|n| File::open(n).unwrap()).collect();
    let logs_of: Vec<LogFile<'_>> = names
        .iter()
        .zip(&files)
        .map(|(n, f)| LogFile {
            name: n.clone(),
            source: f,
        })
        .collect();
    let rules = LogRules {
        lines: Lines {
            monitor: true,
            stderr: StderrPolicy::Error,
            allow: Vec::new(),
            numeric: NumericLevels::Auto,
            source_field: None,
        },
        gaps: Gaps {
            startup_seconds: 0.0,
            warn_seconds: 3600.0,
            fail_seconds: 21_600.0,
            live_seconds: None,
            live_severity: Status::Warn,
        },
        heartbeat: None,
        format: Format::Auto,
        judged_at: None,
    };
    for threads in [2, 1] {
        let start = Instant::now();
        let found = logs(&logs_of, &rules, threads, None).unwrap();
        let peak = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = peak
            .lines()
            .find(|l| l.starts_with("VmHWM"))
            .unwrap_or("")
            .to_owned();
        println!(
            "{threads} threads: {:.3} s, {} lines, {} bytes, {}, {} content, {peak}",
            start.elapsed().as_secs_f64(),
            found.total_lines,
            found.total_bytes,
            found.status,
            found.content_incidents.len()
        );
    }
}

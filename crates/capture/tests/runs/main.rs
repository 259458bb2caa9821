//! Real runs: real keepers, pumps and children, killed, starved and interrupted.
//!
//! This program is its own harness because it also plays the capture's hidden parts and the children. It takes what `cargo test`
//! passes: a part of a test's name, `--exact`, `--list`, `--nocapture`, `--test-threads N`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test program: it fails loudly, prints its results, and waits with deadlines of its own"
)]

mod bytes;
mod child;
mod ends;
mod kit;
mod live;
mod stalls;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;

/// A test: its name, and what it does.
pub(crate) type Test = (&'static str, fn());

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(code) = gonogo_capture::entry(&arguments) {
        return ExitCode::from(code as u8);
    }
    let words: Vec<String> = arguments
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if words.first().is_some_and(|word| word == kit::CHILD) {
        return child::main(&words[1..]);
    }
    if words.first().is_some_and(|word| word == kit::HARNESS) {
        return kit::harness(&words[1..]);
    }
    run(&words)
}

fn run(words: &[String]) -> ExitCode {
    let mut tests: Vec<Test> = bytes::TESTS
        .iter()
        .chain(ends::TESTS)
        .chain(live::TESTS)
        .chain(stalls::TESTS)
        .copied()
        .collect();
    if words.iter().any(|word| word == "--list") {
        for (name, _) in &tests {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let exact = words.iter().any(|word| word == "--exact");
    let mut wanted = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if matches!(
            word.as_str(),
            "--test-threads" | "--skip" | "--color" | "--format"
        ) {
            words.next();
        } else if !word.starts_with('-') {
            wanted.push(word);
        }
    }
    let all = tests.len();
    tests.retain(|(name, _)| {
        wanted.is_empty()
            || wanted.iter().any(|word| {
                if exact {
                    name == word
                } else {
                    name.contains(word.as_str())
                }
            })
    });
    let left = all - tests.len();
    // The same lines as the usual harness, so that whoever reads its reports reads these.
    let began = std::time::Instant::now();
    println!("\nrunning {} tests", tests.len());
    let queue = Mutex::new(tests.iter());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some((name, test)) = next else { break };
                    let passed = catch_unwind(AssertUnwindSafe(test)).is_ok();
                    println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
                    if !passed {
                        failed.lock().unwrap().push(*name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {left} filtered out; finished in {:.2}s\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        tests.len() - failed.len(),
        failed.len(),
        began.elapsed().as_secs_f64()
    );
    for name in &failed {
        println!("    {name}");
    }
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(101)
    }
}

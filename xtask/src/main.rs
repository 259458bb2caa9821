//! The project's chores: `cargo xtask test|deps|drift|tidy|bench|conformance`.
//!
//! Nothing here ships. Each chore fails with a text that says what to do.
#![allow(
    unreachable_pub,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a chore talks to the person who runs it"
)]

mod bench;
mod conformance;
mod deps;
mod drift;
mod run;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE

  test            format, lints, edges, tidiness, every test, drift, docs, conformance
  test --quick    without docs
  deps            compare the crates' dependencies with crates/edges.toml
  drift           compare docs/reference with what the code says
  drift --write   write it
  tidy            file headers, sizes, forbidden words
  bench [NAME]    measure, beside peers where there are any; see docs/benchmarks.md
  conformance [ROW]  checks by tools that are not ours; --all also builds the long ones; see conformance/README.md
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["test"] => test::test(true),
        ["test", "--quick"] => test::test(false),
        ["deps"] => deps::check(),
        ["drift"] => drift::drift(false),
        ["drift", "--write"] => drift::drift(true),
        ["tidy"] => tidy::check(),
        ["bench", rest @ ..] => bench::bench(rest),
        ["conformance", rest @ ..] => conformance::conformance(rest).map(drop),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(64);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("xtask: {e:#}");
            ExitCode::FAILURE
        }
    }
}

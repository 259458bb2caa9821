//! The project's chores: `cargo xtask test|deps|drift|tidy|bench|conformance|fuzz`.
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
mod fuzz;
mod run;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE

  test            format, lints, edges, tidiness, every test, drift, docs, conformance
  test --quick    without docs
  test -p CRATE…  only these tests, as `cargo test` chooses them; what was skipped is told
  deps            compare the crates' dependencies with crates/edges.toml
  drift           compare docs/reference with what the code says
  drift --write   write it
  tidy            file headers, sizes, forbidden words
  bench [NAME]    measure, beside peers where there are any; see docs/benchmarks.md
  conformance [ROW]  checks by tools that are not ours; --all also builds the long ones; see conformance/README.md
  fuzz [SECONDS] [TARGET]
                  fuzz the ledger's and the dry run's readers, 60 seconds each; see docs/fuzzing.md
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["test"] => test::test(true),
        ["test", "--quick"] => test::test(false),
        ["test", "-p", ..] => test::only(&args[1..]),
        ["deps"] => deps::check(),
        ["drift"] => drift::drift(false),
        ["drift", "--write"] => drift::drift(true),
        ["tidy"] => tidy::check(),
        ["bench", rest @ ..] => bench::bench(rest),
        ["conformance", rest @ ..] => conformance::conformance(rest).map(drop),
        ["fuzz", rest @ ..] => fuzz::fuzz(rest),
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

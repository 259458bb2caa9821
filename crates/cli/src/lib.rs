//! The `gonogo` command line: clap tree, rendering, exit codes. It calls use cases and decides nothing.
//!
//! Floor 4. stdout carries the answer, stderr the talk. With `--json` stdout carries exactly one envelope, also for
//! failures.

#![allow(
    unreachable_pub,
    reason = "a program's modules: everything is used from here"
)]

mod args;
mod commands;
mod screen;
mod way;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{CommandFactory, FromArgMatches};
use gonogo_core::Exit;

/// Runs one command line; `argv` includes the program's name.
pub fn run(argv: Vec<OsString>) -> ExitCode {
    // The example service brings its own small argument reader, so it is reached before clap.
    if argv.get(1).is_some_and(|a| a == "storefront") {
        let code = gonogo_storefront::main_with(argv.into_iter().skip(2));
        return ExitCode::from(u8::try_from(code).unwrap_or(Exit::Internal.code()));
    }
    let json = argv.iter().any(|a| a == "--json");
    let said = argv
        .iter()
        .any(|a| a == "--server" || a.as_encoded_bytes().starts_with(b"--server="));
    let matches = without_empty(args::Args::command()).try_get_matches_from(argv);
    let args = match matches.and_then(|m| args::Args::from_arg_matches(&m)) {
        Ok(mut args) => {
            args.select.server_said = said;
            args
        }
        Err(e) => return screen::clap_answer(&e, json),
    };
    let screen = screen::Screen::new(&args.output);
    ExitCode::from(commands::run(&args, &screen).code())
}

/// Lets no argument be read from a variable that is set and empty: that counts as unset.
fn without_empty(command: clap::Command) -> clap::Command {
    let empty = |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|v| v.is_empty());
    command
        .mut_args(|arg| match arg.get_env() {
            Some(name) if empty(name) => arg.env(Resettable::Reset),
            _ => arg,
        })
        .mut_subcommands(without_empty)
}

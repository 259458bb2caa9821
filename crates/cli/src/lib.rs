//! The `gonogo` command line: clap tree, rendering, exit codes. It calls use cases and decides nothing.
//!
//! Floor 4. stdout carries the answer, stderr the talk. With `--json` stdout carries exactly one envelope, also for
//! failures.

#![allow(
    unreachable_pub,
    reason = "a program's modules: everything is used from here"
)]

mod addressing;
mod args;
mod commands;
mod screen;
mod way;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::parser::ValueSource;
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
    let matches = without_empty(args::Args::command()).try_get_matches_from(argv);
    let read = matches.and_then(|m| Ok((args::Args::from_arg_matches(&m)?, m)));
    let args = match read {
        Ok((mut args, matches)) => {
            args.select.server_said = is_said(&matches, "server");
            args.select.name_said = is_said(&matches, "name");
            args.select.key_said = is_said(&matches, "key");
            args
        }
        Err(e) => return screen::clap_answer(&e, json),
    };
    let mut screen = screen::Screen::new(&args.output);
    if let Some(base) = commands::server_of(&args) {
        screen.asks(addressing::Asked::new(base, args.select.server_said));
    }
    ExitCode::from(commands::run(&args, &screen).code())
}

/// Whether a global argument stands on the command line itself, at whichever of its commands.
fn is_said(matches: &clap::ArgMatches, id: &str) -> bool {
    let known = matches.ids().any(|i| i == id);
    known && matches.value_source(id) == Some(ValueSource::CommandLine)
        || matches
            .subcommand()
            .is_some_and(|(_, below)| is_said(below, id))
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

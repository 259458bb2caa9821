//! The program: from a command line to an exit code.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd;

use crate::args::{self, Command};
use crate::output::Copied;
use crate::{Options, exit, faults, run};

/// Runs with `args` (without the program's name) until the duration is over or a signal ends it.
///
/// `leading` are the arguments that lead here in the embedding program: `["dry-run", "simulate"]` where it is a subcommand,
/// none where it is the program itself. Reads `FINAL_DRY_RUN_DIARY_PATH` and `FINAL_DRY_RUN_PERFORMANCE_PATH` where the flags
/// are absent. Returns an exit code of [`exit`]; a crash by a signal does not return.
pub fn main_with(leading: &[&str], args: impl Iterator<Item = OsString>) -> u8 {
    let command = match args::parse(args, |name| std::env::var_os(name)) {
        Ok(command) => command,
        Err(error) => {
            say(&format!(
                "{error}\n\nhint: `--help` lists the options and injections"
            ));
            return exit::USAGE;
        }
    };
    match command {
        Command::Help => {
            // A closed stdout is the reader's choice, not a failure of ours.
            let _ = io::stdout().write_all(args::help().as_bytes());
            exit::DONE
        }
        Command::HoldPipes {
            longer,
            own_session,
        } => match faults::hold_pipes(longer, own_session) {
            Ok(()) => exit::DONE,
            Err(_) => exit::INTERNAL,
        },
        Command::Run(mut options) => {
            options.again = faults::again(leading);
            match streams(&options) {
                Ok((out, err)) => run(&options, out, err),
                Err(error) => {
                    say(&format!(
                        "stdout and stderr cannot be used or copied: {error}"
                    ));
                    exit::CANNOT_WRITE
                }
            }
        }
    }
}

/// The two streams without the standard library's line buffer, which would cut bursts at its own borders.
fn streams(options: &Options) -> io::Result<(Copied<File>, Copied<File>)> {
    let own = |fd: std::os::fd::BorrowedFd<'_>| fd.try_clone_to_owned().map(File::from);
    let folder = options.copy_output.as_deref();
    Ok((
        Copied::new(own(io::stdout().as_fd())?, folder, "stdout")?,
        Copied::new(own(io::stderr().as_fd())?, folder, "stderr")?,
    ))
}

/// One line of talk on stderr; a closed stderr is not a reason to end.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "simulated: {line}");
}

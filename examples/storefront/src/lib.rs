//! A small real shop over HTTP/1.1, whose every version behaves as its *behaviour file* says.
//!
//! It is the service that the examples, the end-to-end tests and the demonstration release: one
//! program, many versions, each version a TOML file that is the version's artifact. A file can make
//! the service fail a share of its requests, grow a slow tail, leak, crash, never become ready or
//! ignore SIGTERM, so every way that a release can go wrong can be produced on purpose.
//!
//! Invariants:
//! - every response carries `x-version`, also errors and unknown paths;
//! - the probes (`/healthz`, `/readyz`, `/version`) never take part in the injected errors, latency
//!   or leaks: a bad version looks healthy and only its traffic shows that it is not;
//! - the library never ends the process: [`main_with`] returns an exit code, so it can be embedded.

mod args;
mod behaviour;
mod catalogue;
mod latency;
mod serve;
mod shop;

use std::ffi::OsString;
use std::io::Write as _;

pub use behaviour::{Behaviour, BehaviourError};
pub use latency::Latency;

/// The behaviour files that ship with the service: name without `.toml`, and the file's text.
///
/// `storefront --shipped NAME` runs one of them; writing the text to a file and giving that file
/// with `--behaviour` is the same thing.
pub const VERSIONS: &[(&str, &str)] = &[
    ("1.0.0", include_str!("../versions/1.0.0.toml")),
    ("2.0.0", include_str!("../versions/2.0.0.toml")),
    ("3.0.0", include_str!("../versions/3.0.0.toml")),
    ("slow-tail", include_str!("../versions/slow-tail.toml")),
    (
        "crash-at-start",
        include_str!("../versions/crash-at-start.toml"),
    ),
    ("crash-later", include_str!("../versions/crash-later.toml")),
    ("never-ready", include_str!("../versions/never-ready.toml")),
    ("slow-start", include_str!("../versions/slow-start.toml")),
    ("leak", include_str!("../versions/leak.toml")),
    (
        "hang-on-sigterm",
        include_str!("../versions/hang-on-sigterm.toml"),
    ),
    ("errors-late", include_str!("../versions/errors-late.toml")),
];

/// Exit codes of the service, the ones of the `gonogo` command line where they mean the same.
pub mod exit {
    /// Drained after SIGTERM or SIGINT, or help was printed.
    pub const DONE: i32 = 0;
    /// The behaviour file made it crash (`crash_at_start`, `crash_after`).
    pub const CRASHED: i32 = 3;
    /// The command line was wrong.
    pub const USAGE: i32 = 64;
    /// The behaviour file could not be understood.
    pub const MALFORMED: i32 = 65;
    /// The behaviour file could not be found or read.
    pub const NOT_FOUND: i32 = 66;
    /// The runtime or the signal handlers could not be set up.
    pub const INTERNAL: i32 = 70;
    /// The address could not be listened on.
    pub const CANNOT_LISTEN: i32 = 73;
    /// Requests were still in flight when the drain deadline passed.
    pub const DRAIN_TIMED_OUT: i32 = 75;
}

/// Runs the service with `args` (without the program's name) until it is told to stop.
///
/// Reads the `PORT` environment variable when `--port` is not given. Returns an exit code of
/// [`exit`]; all talk goes to stderr, nothing but `--help` to stdout. The line
/// `storefront VERSION listening on http://ADDRESS` is written once the socket accepts connections.
pub fn main_with(args: impl Iterator<Item = OsString>) -> i32 {
    let command = match args::parse(args, std::env::var_os("PORT")) {
        Ok(command) => command,
        Err(error) => {
            say(&format!(
                "{error}\n\nhint: `storefront --help` lists the options"
            ));
            return exit::USAGE;
        }
    };
    let options = match command {
        args::Command::Help => {
            // A closed stdout is the reader's choice, not a failure of ours.
            let _ = std::io::stdout().write_all(args::HELP.as_bytes());
            return exit::DONE;
        }
        args::Command::Serve(options) => options,
    };
    let behaviour = match options.source.read() {
        Ok(behaviour) => behaviour,
        Err(error) => {
            say(&error.to_string());
            return match error {
                BehaviourError::Read { .. } | BehaviourError::NotShipped { .. } => exit::NOT_FOUND,
                _ => exit::MALFORMED,
            };
        }
    };
    match serve::run(&options, behaviour) {
        Ok(code) => code,
        Err(error) => {
            say(&error.to_string());
            error.code()
        }
    }
}

/// One line of talk on stderr; a closed stderr is not a reason to stop serving.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "storefront: {line}");
}

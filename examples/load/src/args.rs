//! The `load` command: arguments by hand, a line of progress a second, the report.

use crate::config::{Arrivals, LoadConfig, LoadError, Shot, Target};
use crate::load::{Handle, Load};
use crate::report::Report;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

const HELP: &str = "\
Sends HTTP requests at a fixed rate and measures latency from when each one was due.

Usage: load URL [OPTIONS]

Options:
  --rate NUMBER        requests per second [default: 100]
  --duration TIME      how long to send [default: 10s]
  --total NUMBER       at most so many requests
  --connections NUMBER at most so many connections; further requests wait [default: 64]
  --timeout TIME       for one request, from when it was due [default: 5s]
  --path PATH          ask for PATH below URL; repeat for several [default: /]
  --post PATH=JSON     post JSON to PATH; repeat for several
  --poisson            random arrivals, as independent users make them [default: evenly spaced]
  --seed NUMBER        makes arrivals and the choice of paths repeatable [default: 0]
  --json               print the report as JSON
  --quiet              no progress on stderr
  --help               print this

Exit: 0 every request was answered below 400, 1 some failed, 3 none was answered.
";

/// Exit codes of the command, the ones of the `gonogo` command line.
pub mod exit {
    /// Every request was answered with a status below 400.
    pub const DONE: i32 = 0;
    /// Some requests failed.
    pub const SOME_FAILED: i32 = 1;
    /// No request was answered, or none was sent: nothing can be said of the target.
    pub const NO_ANSWER: i32 = 3;
    /// The command line was wrong.
    pub const USAGE: i32 = 64;
    /// The generator could not be started.
    pub const INTERNAL: i32 = 70;
    /// The report could not be written.
    pub const CANNOT_WRITE: i32 = 73;
}

#[derive(Debug)]
struct Options {
    config: LoadConfig,
    json: bool,
    quiet: bool,
}

/// A command line that cannot be followed.
#[derive(Debug, thiserror::Error)]
enum UsageError {
    #[error("unknown argument `{0}`")]
    Unknown(String),
    #[error("{0} needs a value")]
    NoValue(String),
    #[error("{name} `{value}` is not {expected}")]
    BadValue {
        name: String,
        value: String,
        expected: &'static str,
    },
    #[error("no target: give a URL such as http://127.0.0.1:8080")]
    NoTarget,
    #[error(transparent)]
    Config(#[from] LoadError),
}

/// Runs the command with `args` (without the program's name); returns an exit code of [`exit`].
///
/// The report goes to stdout, progress and errors to stderr. SIGINT ends the sending, and the report
/// of what was sent is printed.
pub fn main_with(args: impl Iterator<Item = OsString>) -> i32 {
    let options = match parse(args) {
        Ok(Some(options)) => options,
        Ok(None) => return write_out(HELP).map_or(exit::CANNOT_WRITE, |()| exit::DONE),
        Err(error) => {
            say(&format!("{error}\n\nhint: `load --help` lists the options"));
            return exit::USAGE;
        }
    };
    let report = match run(options.config, options.quiet) {
        Ok(report) => report,
        Err(error @ LoadError::Start(_)) => {
            say(&error.to_string());
            return exit::INTERNAL;
        }
        Err(error) => {
            say(&error.to_string());
            return exit::USAGE;
        }
    };
    let text = if options.json {
        serde_json::to_string_pretty(&report).map(|json| json + "\n")
    } else {
        Ok(render(&report))
    };
    let written = text
        .map_err(std::io::Error::from)
        .and_then(|text| write_out(&text));
    if let Err(error) = written {
        say(&format!("cannot write the report: {error}"));
        return exit::CANNOT_WRITE;
    }
    if report.status.sum() == 0 {
        exit::NO_ANSWER
    } else if report.failed() > 0 {
        exit::SOME_FAILED
    } else {
        exit::DONE
    }
}

fn parse(mut args: impl Iterator<Item = OsString>) -> Result<Option<Options>, UsageError> {
    let mut url = None;
    let mut config = LoadConfig::new(std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
    let mut mix = Vec::new();
    let (mut json, mut quiet) = (false, false);
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy().into_owned();
        let (name, inline) = match text.split_once('=') {
            Some((name, value)) if name.starts_with("--") => {
                (name.to_owned(), Some(value.to_owned()))
            }
            _ => (text, None),
        };
        let mut value = || {
            inline
                .clone()
                .or_else(|| {
                    args.next()
                        .map(|value| value.to_string_lossy().into_owned())
                })
                .ok_or_else(|| UsageError::NoValue(name.clone()))
        };
        match name.as_str() {
            "--help" | "-h" => return Ok(None),
            "--json" => json = true,
            "--quiet" => quiet = true,
            "--poisson" => config.arrivals = Arrivals::Poisson,
            "--rate" => config.rate = number(&name, value()?)?,
            "--total" => config.total = Some(number(&name, value()?)?),
            "--connections" => config.connections = number(&name, value()?)?,
            "--seed" => config.seed = number(&name, value()?)?,
            "--duration" => config.duration = duration(&name, value()?)?,
            "--timeout" => config.timeout = duration(&name, value()?)?,
            "--path" => mix.push(Shot::read(value()?)),
            "--post" => {
                let given = value()?;
                let (path, body) = given
                    .split_once('=')
                    .ok_or_else(|| bad(&name, &given, "PATH=JSON"))?;
                mix.push(Shot::post(path, body.to_owned()));
            }
            _ if name.starts_with('-') || url.is_some() => return Err(UsageError::Unknown(name)),
            _ => url = Some(name),
        }
    }
    config.target = Target::parse(&url.ok_or(UsageError::NoTarget)?)?;
    if !mix.is_empty() {
        config.mix = mix;
    }
    config.check()?;
    Ok(Some(Options {
        config,
        json,
        quiet,
    }))
}

fn bad(name: &str, value: &str, expected: &'static str) -> UsageError {
    UsageError::BadValue {
        name: name.to_owned(),
        value: value.to_owned(),
        expected,
    }
}

fn number<T: std::str::FromStr>(name: &str, value: String) -> Result<T, UsageError> {
    value.parse().map_err(|_| bad(name, &value, "a number"))
}

fn duration(name: &str, value: String) -> Result<Duration, UsageError> {
    value
        .parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|time| time.try_into().ok())
        .ok_or_else(|| bad(name, &value, "a duration such as `10s`"))
}

/// Runs the load to its end or to SIGINT.
fn run(config: LoadConfig, quiet: bool) -> Result<Report, LoadError> {
    let load = Load::start(config)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(attend(&load, quiet));
    Ok(load.join())
}

async fn attend(load: &Handle, quiet: bool) {
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let mut interrupted = false;
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    let mut ticks = 0_u64;
    while !load.is_finished() {
        tokio::select! {
            _ = tick.tick() => {
                ticks += 1;
                if !quiet && ticks.is_multiple_of(20) {
                    let now = load.snapshot();
                    say(&format!(
                        "{:.0} s: sent {}, ok {}, failed {}, in flight {}, p99 {:.1} ms",
                        now.elapsed_ms / 1000.0, now.sent, now.ok, now.failed(), now.in_flight, now.latency.p99_ms
                    ));
                }
            }
            _ = interrupt.as_mut(), if !interrupted => {
                interrupted = true;
                load.stop();
            }
        }
    }
}

/// The report for people.
fn render(report: &Report) -> String {
    let mut out = String::new();
    let latency = &report.latency;
    let (status, errors) = (&report.status, &report.errors);
    let rate = report.rate.unwrap_or_default();
    // Writing into a String does not fail.
    let _ = writeln!(
        out,
        "sent      {} in {:.2} s ({rate:.1} a second)",
        report.sent,
        report.elapsed_ms / 1000.0
    );
    let _ = writeln!(out, "ok        {}", report.ok);
    let _ = writeln!(
        out,
        "answers   2xx {}, 3xx {}, 4xx {}, 5xx {}",
        status.success, status.redirection, status.client_error, status.server_error
    );
    let _ = writeln!(
        out,
        "errors    connect {}, timeout {}, reset {}, protocol {}",
        errors.connect, errors.timeout, errors.reset, errors.protocol
    );
    let _ = writeln!(
        out,
        "latency   p50 {:.2}, p90 {:.2}, p99 {:.2}, p99.9 {:.2}, max {:.2} ms",
        latency.p50_ms, latency.p90_ms, latency.p99_ms, latency.p999_ms, latency.max_ms
    );
    for (name, version) in &report.versions {
        let _ = writeln!(
            out,
            "version   {name}: {} answers, {} of them 5xx, seen from {:.3} to {:.3} s, p99 {:.2} ms",
            version.answers,
            version.server_errors,
            version.first_ms / 1000.0,
            version.last_ms / 1000.0,
            version.latency.p99_ms
        );
    }
    for failure in report.failures.iter().take(3) {
        let _ = writeln!(
            out,
            "failure   at {:.3} s: {}",
            failure.at_ms / 1000.0,
            failure.what
        );
    }
    out
}

fn write_out(text: &str) -> std::io::Result<()> {
    std::io::stdout().write_all(text.as_bytes())
}

/// One line of talk on stderr; a closed stderr does not stop a load.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "load: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Options, String> {
        match parse(args.iter().map(OsString::from)) {
            Ok(options) => Ok(options.unwrap()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn options_fill_the_settings() {
        let options = parsed(&[
            "http://127.0.0.1:9/shop",
            "--rate=250",
            "--duration",
            "1m",
            "--connections",
            "3",
            "--poisson",
            "--json",
            "--path",
            "/a",
            "--post",
            "/cart={\"a\":\"b=c\"}",
        ])
        .unwrap();
        let config = options.config;
        assert_eq!((config.rate, config.connections), (250.0, 3));
        assert_eq!(config.duration, Duration::from_secs(60));
        assert_eq!(config.arrivals, Arrivals::Poisson);
        assert_eq!(
            config.mix,
            vec![Shot::read("/a"), Shot::post("/cart", "{\"a\":\"b=c\"}")]
        );
        assert!(options.json && !options.quiet);
    }

    #[test]
    fn a_wrong_command_line_says_what_is_wrong() {
        for (args, expected) in [
            (&["--rate", "1"][..], "no target"),
            (
                &["http://127.0.0.1", "--rate", "fast"],
                "--rate `fast` is not a number",
            ),
            (
                &["http://127.0.0.1", "--rate", "0"],
                "load setting `rate` cannot be used",
            ),
            (
                &["http://127.0.0.1", "--duration", "-1s"],
                "--duration `-1s` is not a duration",
            ),
            (&["http://127.0.0.1", "--fast"], "unknown argument `--fast`"),
            (
                &["http://127.0.0.1", "http://127.0.0.1"],
                "unknown argument `http://127.0.0.1`",
            ),
            (&["http://127.0.0.1", "--rate"], "--rate needs a value"),
        ] {
            let error = parsed(args).unwrap_err();
            assert!(error.contains(expected), "{args:?}: {error}");
        }
    }
}

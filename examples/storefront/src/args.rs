//! The command line, read by hand: six options do not need a parser crate.
//!
//! Pure: takes the arguments and the value of `PORT`, returns a [`Command`] or a usage error.

use crate::behaviour::Source;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The text of `--help`.
pub(crate) const HELP: &str = "\
A small shop over HTTP whose every version behaves as its behaviour file says.

Usage: storefront (--behaviour FILE | --shipped NAME) [OPTIONS]

Options:
  --behaviour FILE      the version to run, a TOML file
  --shipped NAME        a behaviour file that ships with the program (1.0.0, 3.0.0, slow-tail, ...)
  --port PORT           port to listen on, 0 for any free one [env: PORT] [default: 8080]
  --bind ADDRESS        address to listen on [default: 127.0.0.1]
  --drain-timeout TIME  how long requests in flight may take after SIGTERM [default: 30s]
  --seed NUMBER         makes errors and latencies repeatable
  --help                print this
";

/// What the command line asks for.
pub(crate) enum Command {
    Help,
    Serve(Options),
}

/// How to serve.
pub(crate) struct Options {
    pub(crate) source: Source,
    pub(crate) bind: IpAddr,
    pub(crate) port: u16,
    pub(crate) drain_timeout: Duration,
    pub(crate) seed: Option<u64>,
}

/// A command line that cannot be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
    #[error("unknown argument `{0}`")]
    Unknown(String),
    #[error("{0} needs a value")]
    NoValue(&'static str),
    #[error("{name} `{value}` is not {expected}")]
    BadValue {
        name: &'static str,
        value: String,
        expected: &'static str,
    },
    #[error(
        "no behaviour file: give --behaviour FILE, or --shipped NAME for one that ships with the program"
    )]
    NoBehaviour,
    #[error("--behaviour and --shipped exclude each other: give one of them")]
    TwoBehaviours,
}

/// Reads `args`, with `port_env` as the value of the environment variable `PORT`.
pub(crate) fn parse(
    mut args: impl Iterator<Item = OsString>,
    port_env: Option<OsString>,
) -> Result<Command, UsageError> {
    let mut sources = Vec::new();
    let mut bind = IpAddr::from([127, 0, 0, 1]);
    let mut port = None;
    let mut drain_timeout = Duration::from_secs(30);
    let mut seed = None;
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy().into_owned();
        // `--name=value` and `--name value` are the same.
        let (name, inline) = match text.split_once('=') {
            Some((name, value)) if name.starts_with("--") => {
                (name.to_owned(), Some(OsString::from(value)))
            }
            _ => (text, None),
        };
        let mut value = |name| {
            inline
                .clone()
                .or_else(|| args.next())
                .ok_or(UsageError::NoValue(name))
        };
        match name.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--behaviour" => sources.push(Source::File(PathBuf::from(value("--behaviour")?))),
            "--shipped" => sources.push(Source::Shipped(
                value("--shipped")?.to_string_lossy().into_owned(),
            )),
            "--bind" => bind = read("--bind", &value("--bind")?, "an IP address")?,
            "--port" => port = Some(read("--port", &value("--port")?, "a port number")?),
            "--seed" => seed = Some(read("--seed", &value("--seed")?, "a whole number")?),
            "--drain-timeout" => {
                let given = value("--drain-timeout")?;
                drain_timeout = crate::behaviour::duration(&given.to_string_lossy())
                    .ok_or_else(|| bad("--drain-timeout", &given, "a duration such as `30s`"))?;
            }
            _ => return Err(UsageError::Unknown(name)),
        }
    }
    let port = match (port, port_env) {
        (Some(port), _) => port,
        (None, Some(value)) => read("environment variable PORT", &value, "a port number")?,
        (None, None) => 8080,
    };
    if sources.len() > 1 {
        return Err(UsageError::TwoBehaviours);
    }
    let source = sources.pop().ok_or(UsageError::NoBehaviour)?;
    Ok(Command::Serve(Options {
        source,
        bind,
        port,
        drain_timeout,
        seed,
    }))
}

fn read<T: std::str::FromStr>(
    name: &'static str,
    value: &OsString,
    expected: &'static str,
) -> Result<T, UsageError> {
    value
        .to_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| bad(name, value, expected))
}

fn bad(name: &'static str, value: &OsString, expected: &'static str) -> UsageError {
    UsageError::BadValue {
        name,
        value: value.to_string_lossy().into_owned(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str], port: Option<&str>) -> Result<Options, String> {
        match parse(args.iter().map(OsString::from), port.map(OsString::from)) {
            Ok(Command::Serve(options)) => Ok(options),
            Ok(Command::Help) => Err("help".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_port_comes_from_the_option_then_the_environment_then_the_default() {
        let port = |args: &[&str], env| options(args, env).map(|options| options.port);
        assert_eq!(
            port(&["--shipped", "1.0.0", "--port", "0"], Some("81")),
            Ok(0)
        );
        assert_eq!(port(&["--shipped=1.0.0"], Some("81")), Ok(81));
        assert_eq!(port(&["--shipped=1.0.0"], None), Ok(8080));
    }

    #[test]
    fn a_wrong_command_line_says_what_is_wrong() {
        let cases: &[(&[&str], Option<&str>, &str)] = &[
            (&["--prot", "1"], None, "unknown argument `--prot`"),
            (&["--port"], None, "--port needs a value"),
            (
                &["--port", "70000"],
                None,
                "--port `70000` is not a port number",
            ),
            (
                &["--shipped=x"],
                Some("http"),
                "environment variable PORT `http` is not a port number",
            ),
            (
                &["--drain-timeout", "soon"],
                None,
                "--drain-timeout `soon` is not a duration such as `30s`",
            ),
            (
                &["--shipped=x", "--behaviour=y"],
                None,
                "--behaviour and --shipped exclude each other: give one of them",
            ),
            (&["-h"], None, "help"),
        ];
        for (args, port, expected) in cases {
            assert_eq!(
                options(args, *port).err().as_deref(),
                Some(*expected),
                "{args:?}"
            );
        }
    }
}

//! The command line, read by hand: a dozen options do not need a parser crate.
//!
//! Pure: takes the arguments and a look-up of environment variables, returns [`Command`] or a usage error. Everything that
//! can be wrong with a run is found here, before anything is started or written.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use crate::evidence::DiaryFormat;
use crate::injection::{Injection, InjectionError, KINDS, did_you_mean, nearest, read_seconds};

const HELP_HEAD: &str = "\
A simulated runtime: beats, keeps a diary and performance figures, and goes wrong as it is told.

Usage: simulated [OPTIONS]

Options:
  --duration-seconds SECONDS  how long it runs, from its first tick [default: 60]
  --tick-interval SECONDS     time between two ticks [default: 2]
  --diary FILE                decision diary [env: FINAL_DRY_RUN_DIARY_PATH]
  --diary-format FORMAT       jsonl, object or array [default: jsonl]
  --performance FILE          performance figures [env: FINAL_DRY_RUN_PERFORMANCE_PATH]
  --sharpe NUMBER             the Sharpe ratio that it claims [default: 1.2]
  --inject KIND[=VALUE][@TICKS]
                              something to go wrong; as often as wanted
  --seed NUMBER               other words and bytes where they are random [default: 1]
  --copy-output FOLDER        also write what is printed to FOLDER/stdout and FOLDER/stderr
  --help                      print this

Ticks count from 1: `@3`, `@3-5`, `@3-`. What happens once happens at tick 2 unless said otherwise; what lasts lasts from
tick 2 (or from the one given) to the end. SIGINT and SIGTERM finish the tick and end the run. Exit codes: 0 done, 3 the run
ended before an injection's tick, 64 wrong command line, 73 cannot write, or what `crash` says.

Injections:
";

/// The text of `--help`.
pub(crate) fn help() -> String {
    let mut text = HELP_HEAD.to_owned();
    for (name, takes, what) in KINDS {
        let form = match takes.strip_prefix('[') {
            _ if takes.is_empty() => (*name).to_owned(),
            Some(optional) => format!("{name}[={optional}"),
            None => format!("{name}={takes}"),
        };
        text.push_str(&format!("  {form:<30} {what}\n"));
    }
    text
}

/// How to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// How long, from the first tick; more than none.
    pub duration: Duration,
    /// Time between two ticks; more than none.
    pub tick: Duration,
    /// Where the diary goes, if anywhere.
    pub diary: Option<PathBuf>,
    /// How it is written.
    pub diary_format: DiaryFormat,
    /// Where performance figures go, if anywhere.
    pub performance: Option<PathBuf>,
    /// The Sharpe ratio that they claim.
    pub sharpe: f64,
    /// What goes wrong.
    pub injections: Vec<Injection>,
    /// Where randomness begins.
    pub seed: u64,
    /// Where copies of stdout and stderr go, if anywhere.
    pub copy_output: Option<PathBuf>,
    /// Program and first arguments that lead to [`crate::main_with`] again: how a grandchild is started.
    pub again: Vec<OsString>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(60),
            tick: Duration::from_secs(2),
            diary: None,
            diary_format: DiaryFormat::Jsonl,
            performance: None,
            sharpe: 1.2,
            injections: Vec::new(),
            seed: 1,
            copy_output: None,
            again: Vec::new(),
        }
    }
}

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    Run(Box<Options>),
    /// What a grandchild does: keeps the streams until stdin ends and so much longer; in its own session, if so.
    HoldPipes {
        longer: Duration,
        own_session: bool,
    },
}

/// A command line that cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// No such option.
    #[error("unknown argument `{name}`{}", did_you_mean(.like.as_deref()))]
    Unknown {
        /// As given.
        name: String,
        /// The nearest known one.
        like: Option<String>,
    },
    /// It takes a value.
    #[error("{0} needs a value")]
    NoValue(&'static str),
    /// Its value is none.
    #[error("{name} `{value}` is not {expected}")]
    BadValue {
        /// The option.
        name: &'static str,
        /// As given.
        value: String,
        /// What it takes.
        expected: &'static str,
    },
    /// An injection that cannot be understood.
    #[error("--inject: {0}")]
    Injection(#[from] InjectionError),
    /// An injection that can never happen.
    #[error(
        "--inject `{injection}`: there is no tick {tick}; {duration:?} in steps of {step:?} are {ticks} ticks"
    )]
    NoSuchTick {
        /// The injection.
        injection: Box<Injection>,
        /// Its first tick.
        tick: u64,
        /// How many there are.
        ticks: u64,
        /// The run's duration.
        duration: Duration,
        /// Time between two ticks.
        step: Duration,
    },
    /// An injection into evidence that is not written.
    #[error("--inject `{injection}`: no {evidence} is written; give --{evidence} FILE")]
    NoEvidence {
        /// The injection.
        injection: Box<Injection>,
        /// Which evidence.
        evidence: &'static str,
    },
}

const KNOWN: [&str; 10] = [
    "--duration-seconds",
    "--tick-interval",
    "--diary",
    "--diary-format",
    "--performance",
    "--sharpe",
    "--inject",
    "--seed",
    "--copy-output",
    "--help",
];

/// Reads `args` (without the program's name), with `env` as the environment.
pub(crate) fn parse(
    mut args: impl Iterator<Item = OsString>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Command, UsageError> {
    let mut options = Options::default();
    let mut hold = None;
    let mut own_session = false;
    while let Some(arg) = args.next() {
        let (name, inline) = split(&arg);
        let mut value = |name| {
            inline
                .clone()
                .or_else(|| args.next())
                .ok_or(UsageError::NoValue(name))
        };
        match name.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--duration-seconds" => {
                options.duration = time("--duration-seconds", &value("--duration-seconds")?)?
            }
            "--tick-interval" => {
                options.tick = time("--tick-interval", &value("--tick-interval")?)?
            }
            "--diary" => options.diary = Some(path("--diary", value("--diary")?)?),
            "--performance" => {
                options.performance = Some(path("--performance", value("--performance")?)?)
            }
            "--copy-output" => {
                options.copy_output = Some(path("--copy-output", value("--copy-output")?)?)
            }
            "--diary-format" => {
                options.diary_format = read(
                    "--diary-format",
                    &value("--diary-format")?,
                    "jsonl, object or array",
                    DiaryFormat::read,
                )?;
            }
            "--sharpe" => {
                options.sharpe = read("--sharpe", &value("--sharpe")?, "a finite number", |t| {
                    t.parse().ok().filter(|n: &f64| n.is_finite())
                })?;
            }
            "--seed" => {
                options.seed = read("--seed", &value("--seed")?, "a whole number", |t| {
                    t.parse().ok()
                })?
            }
            "--inject" => {
                let given = value("--inject")?;
                options.injections.push(given.to_string_lossy().parse()?);
            }
            "--hold-pipes" => {
                hold = Some(read(
                    "--hold-pipes",
                    &value("--hold-pipes")?,
                    "a time",
                    read_seconds,
                )?)
            }
            "--own-session" => own_session = true,
            _ => {
                let like = nearest(&name, KNOWN.into_iter());
                return Err(UsageError::Unknown { name, like });
            }
        }
    }
    if let Some(longer) = hold {
        return Ok(Command::HoldPipes {
            longer,
            own_session,
        });
    }
    let from_env = |name| env(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    options.diary = options
        .diary
        .or_else(|| from_env("FINAL_DRY_RUN_DIARY_PATH"));
    options.performance = options
        .performance
        .or_else(|| from_env("FINAL_DRY_RUN_PERFORMANCE_PATH"));
    possible(&options)?;
    Ok(Command::Run(Box::new(options)))
}

/// Splits `--name=value`; `--name value` is the same.
fn split(arg: &OsStr) -> (String, Option<OsString>) {
    use std::os::unix::ffi::OsStrExt as _;
    let bytes = arg.as_bytes();
    match bytes.iter().position(|b| *b == b'=') {
        Some(at) if bytes.starts_with(b"--") => (
            String::from_utf8_lossy(&bytes[..at]).into_owned(),
            Some(OsStr::from_bytes(&bytes[at + 1..]).to_owned()),
        ),
        _ => (arg.to_string_lossy().into_owned(), None),
    }
}

fn read<T>(
    name: &'static str,
    value: &OsStr,
    expected: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, UsageError> {
    value
        .to_str()
        .and_then(read)
        .ok_or_else(|| UsageError::BadValue {
            name,
            value: value.to_string_lossy().into_owned(),
            expected,
        })
}

fn time(name: &'static str, value: &OsStr) -> Result<Duration, UsageError> {
    read(
        name,
        value,
        "a time above 0 and up to 30 days, in seconds",
        |text| read_seconds(text).filter(|t| *t >= Duration::from_millis(1)),
    )
}

fn path(name: &'static str, value: OsString) -> Result<PathBuf, UsageError> {
    if value.is_empty() {
        return Err(UsageError::NoValue(name));
    }
    Ok(PathBuf::from(value))
}

impl Options {
    /// Returns how many ticks there are: at 0, at one interval, … before the duration is over.
    pub fn ticks(&self) -> u64 {
        let ticks = self
            .duration
            .as_nanos()
            .div_ceil(self.tick.as_nanos().max(1));
        u64::try_from(ticks).unwrap_or(u64::MAX).max(1)
    }
}

/// Refuses what could never happen: a run that passes because its injection never came has tested nothing.
fn possible(options: &Options) -> Result<(), UsageError> {
    use crate::injection::Kind;
    for injection in &options.injections {
        if injection.ticks.first > options.ticks() {
            return Err(UsageError::NoSuchTick {
                injection: Box::new(injection.clone()),
                tick: injection.ticks.first,
                ticks: options.ticks(),
                duration: options.duration,
                step: options.tick,
            });
        }
        let (diary, performance) = match injection.kind {
            Kind::Stale(which) | Kind::Touched(which) | Kind::Broken(which) => {
                (which.diary(), which.performance())
            }
            Kind::Future(_) => (true, true),
            _ => continue,
        };
        // One of two is enough where no one was named.
        let both = diary && performance;
        let evidence = match (&options.diary, &options.performance) {
            (None, None) => "diary",
            (None, Some(_)) if diary && !both => "diary",
            (Some(_), None) if performance && !both => "performance",
            _ => continue,
        };
        return Err(UsageError::NoEvidence {
            injection: Box::new(injection.clone()),
            evidence,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str], env: &[(&str, &str)]) -> Result<Options, String> {
        let look_up = |name: &str| {
            env.iter()
                .find(|e| e.0 == name)
                .map(|e| OsString::from(e.1))
        };
        match parse(args.iter().map(OsString::from), look_up) {
            Ok(Command::Run(options)) => Ok(*options),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn without_arguments_it_is_the_usual_run() {
        assert_eq!(options(&[], &[]), Ok(Options::default()));
        assert_eq!(Options::default().ticks(), 30);
    }

    #[test]
    fn paths_come_from_the_options_then_from_the_environment() {
        let env = [
            ("FINAL_DRY_RUN_DIARY_PATH", "/d"),
            ("FINAL_DRY_RUN_PERFORMANCE_PATH", ""),
        ];
        let read = options(&[], &env).unwrap();
        assert_eq!((read.diary, read.performance), (Some("/d".into()), None));
        let read = options(&["--diary=/e", "--performance", "/p"], &env).unwrap();
        assert_eq!(
            (read.diary, read.performance),
            (Some("/e".into()), Some("/p".into()))
        );
    }

    #[test]
    fn every_option_is_read() {
        let args = [
            "--duration-seconds=4",
            "--tick-interval",
            "0.5",
            "--diary-format=array",
            "--sharpe=-0.5",
            "--seed=9",
            "--inject",
            "silence=3@4",
            "--inject=crash=3",
            "--copy-output=/c",
        ];
        let read = options(&args, &[]).unwrap();
        assert_eq!(read.ticks(), 8);
        assert_eq!(read.diary_format, DiaryFormat::Array);
        assert_eq!((read.sharpe, read.seed), (-0.5, 9));
        assert_eq!(read.copy_output, Some("/c".into()));
        let injections: Vec<_> = read.injections.iter().map(ToString::to_string).collect();
        assert_eq!(injections, ["silence=3@4-4", "crash=3@2-2"]);
    }

    #[test]
    fn a_wrong_command_line_says_what_is_wrong() {
        for (args, expected) in [
            (
                &["--tick-intervall", "1"] as &[&str],
                "unknown argument `--tick-intervall` (did you mean `--tick-interval`?)",
            ),
            (&["5"], "unknown argument `5`"),
            (&["--diary"], "--diary needs a value"),
            (&["--diary="], "--diary needs a value"),
            (
                &["--duration-seconds=0"],
                "--duration-seconds `0` is not a time above 0",
            ),
            (
                &["--tick-interval=-1"],
                "--tick-interval `-1` is not a time above 0",
            ),
            (&["--tick-interval=1e-9"], "is not a time above 0"),
            (&["--sharpe=NaN"], "--sharpe `NaN` is not a finite number"),
            (
                &["--diary-format=xml"],
                "--diary-format `xml` is not jsonl, object or array",
            ),
            (
                &["--inject=slience=3"],
                "--inject: unknown injection `slience` (did you mean `silence`?)",
            ),
            (
                &["--duration-seconds=4", "--inject=crash=3@3"],
                "there is no tick 3; 4s in steps of 2s are 2 ticks",
            ),
            (&["--inject=stale"], "`stale@2-`: no diary is written"),
            (
                &["--diary=/d", "--inject=broken=performance"],
                "no performance is written; give --performance FILE",
            ),
            (
                &["--performance=/d", "--inject=touched=diary"],
                "no diary is written; give --diary FILE",
            ),
            (&["-h"], "Help"),
        ] {
            let error = options(args, &[]).unwrap_err();
            assert!(error.contains(expected), "{args:?}: {error}");
        }
        assert!(options(&["--diary=/d", "--inject=stale"], &[]).is_ok());
    }

    #[test]
    fn the_help_names_every_option_and_every_injection() {
        let help = help();
        for name in KNOWN.iter().chain(KINDS.iter().map(|k| &k.0)) {
            assert!(help.contains(&format!("  {name}")), "{name}: {help}");
        }
    }
}

//! What can be made to go wrong, and how it is asked for: `KIND[=VALUE][@TICKS]`.
//!
//! Pure: text in, [`Injection`] out, and back by `Display`. Ticks count from 1. `@3-5` are three ticks, `@3-` all from the
//! third on; `@3` is the third alone for what happens once (a crash, a burst), and all from the third on for what lasts
//! (staleness, deafness). Without `@` what happens once happens at tick 2, and what lasts begins there.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::traces::{TRACES, Trace};

/// Something to go wrong, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Injection {
    /// What.
    pub kind: Kind,
    /// At which ticks. All of them for what has no tick: [`Kind::SlowStart`], [`Kind::NoNewline`].
    pub ticks: Ticks,
}

/// A span of ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticks {
    /// First, from 1.
    pub first: u64,
    /// Last; absent: to the end.
    pub last: Option<u64>,
}

impl Ticks {
    /// Whether tick `n` is one of them.
    pub fn contains(&self, n: u64) -> bool {
        n >= self.first && self.last.is_none_or(|last| n <= last)
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// No heartbeat for so long. Evidence goes on.
    Silence(Duration),
    /// The process ends at once.
    Crash(Death),
    /// A stack trace is printed; the run goes on.
    Traceback(Trace, Pipe),
    /// So many lines of level info at once.
    Flood(u64),
    /// So many lines of level warning at once, no two of one wording.
    Warnings(u64),
    /// So many lines of level error at once.
    Errors(u64),
    /// So many lines of level info on stderr.
    Stderr(u64),
    /// Evidence is not written.
    Stale(Which),
    /// Evidence is not written, but its modification time is renewed.
    Touched(Which),
    /// Evidence is written that no parser takes.
    Broken(Which),
    /// Evidence claims to be from so much later.
    Future(Duration),
    /// Timestamps of log lines are moved by so many seconds.
    Clock(f64),
    /// So long until the first tick.
    SlowStart(Duration),
    /// SIGINT and SIGTERM are not heard; the run goes on for so long after its duration.
    Deaf(Duration),
    /// A child that keeps both streams for so long after this process ended, deaf to SIGINT, SIGTERM and SIGHUP.
    Grandchild(Duration),
    /// The same in a session of its own.
    Daemon(Duration),
    /// One line of so many bytes.
    LongLine(u64),
    /// [`crate::HOSTILE`]: NUL, invalid UTF-8, control characters, every kind of line end.
    Bytes,
    /// The last line has no line feed.
    NoNewline,
    /// So many MiB more at each of the ticks.
    Memory(u64),
    /// So many percent of one core, while the ticks last.
    Cpu(u64),
}

/// How a process ends that does not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// With this exit code.
    Code(u8),
    /// By this signal: its name without `SIG`, and its number.
    Signal(&'static str, i32),
}

/// Where a trace goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipe {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Which evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Diary and performance.
    Both,
    /// The diary.
    Diary,
    /// Performance.
    Performance,
}

impl Which {
    /// Whether the diary is meant.
    pub fn diary(self) -> bool {
        self != Self::Performance
    }

    /// Whether performance is meant.
    pub fn performance(self) -> bool {
        self != Self::Diary
    }
}

/// An injection that cannot be understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InjectionError {
    /// No such kind.
    #[error("unknown injection `{name}`{}; known are {}", did_you_mean(.like.as_deref()), names())]
    Unknown {
        /// As given.
        name: String,
        /// The nearest known one.
        like: Option<String>,
    },
    /// No such value.
    #[error("injection `{name}`: `{value}` is not {expected}{}", did_you_mean(.like.as_deref()))]
    Value {
        /// The kind.
        name: &'static str,
        /// As given.
        value: String,
        /// What it takes.
        expected: &'static str,
        /// The nearest known one.
        like: Option<String>,
    },
    /// It takes a value.
    #[error("injection `{name}` needs a value: `{name}={expected}`")]
    NoValue {
        /// The kind.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// It takes none.
    #[error("injection `{0}` takes no value")]
    NeedlessValue(&'static str),
    /// The tick is none.
    #[error(
        "injection `{name}`: `@{ticks}` is no span of ticks such as `@3`, `@3-5` or `@3-`; ticks count from 1"
    )]
    Ticks {
        /// The kind.
        name: &'static str,
        /// As given.
        ticks: String,
    },
    /// It has no tick.
    #[error("injection `{0}` has no tick: leave `@…` away")]
    NeedlessTicks(&'static str),
}

pub(crate) fn did_you_mean(like: Option<&str>) -> String {
    like.map_or_else(String::new, |like| format!(" (did you mean `{like}`?)"))
}

/// The nearest of `known`, if it is near at all.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min()
        .map(|(_, name)| name.to_owned())
}

/// When an injection happens that does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usual {
    /// At tick 2.
    Once,
    /// From tick 2 on.
    On,
    /// It is not bound to ticks.
    NoTick,
}

/// The kinds: name, value, what it does.
pub const KINDS: &[(&str, &str, &str)] = &[
    (
        "silence",
        "SECONDS",
        "no heartbeat for so long; evidence goes on",
    ),
    (
        "crash",
        "CODE|SIGNAL",
        "ends with an exit code (`crash=3`) or by a signal (`crash=SEGV`)",
    ),
    (
        "traceback",
        "LANGUAGE[:stdout]",
        "prints a real tool's stack trace on stderr, or on stdout, and goes on",
    ),
    ("flood", "LINES", "a burst of lines of level info"),
    (
        "warnings",
        "LINES",
        "a burst of warnings, all worded differently",
    ),
    ("errors", "LINES", "a burst of lines of level error"),
    ("stderr", "LINES", "lines of level info on stderr"),
    (
        "stale",
        "[diary|performance]",
        "evidence is no longer written",
    ),
    (
        "touched",
        "[diary|performance]",
        "evidence only gets a new modification time",
    ),
    (
        "broken",
        "[diary|performance]",
        "evidence that cannot be parsed",
    ),
    (
        "future",
        "SECONDS",
        "evidence claims to be from so much later",
    ),
    (
        "clock",
        "SECONDS",
        "timestamps of log lines jump by so much, also back (`clock=-3600`)",
    ),
    ("slow-start", "SECONDS", "so long until the first tick"),
    (
        "deaf",
        "[SECONDS]",
        "hears neither SIGINT nor SIGTERM and outlives its duration by so much (600)",
    ),
    (
        "grandchild",
        "SECONDS",
        "a child keeps the streams for so long after the end",
    ),
    ("daemon", "SECONDS", "the same, in a session of its own"),
    ("long-line", "BYTES", "one line of so many bytes (`3MiB`)"),
    (
        "bytes",
        "",
        "NUL, invalid UTF-8, control characters, all kinds of line ends",
    ),
    ("no-newline", "", "the last line has no line feed"),
    ("memory", "MIB", "so much more memory at each tick"),
    ("cpu", "PERCENT", "burns so much of one core"),
];

fn names() -> String {
    let names: Vec<_> = KINDS.iter().map(|k| k.0).collect();
    names.join(", ")
}

/// Longest time that anything may be asked for: 30 days.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

impl FromStr for Injection {
    type Err = InjectionError;

    fn from_str(text: &str) -> Result<Self, InjectionError> {
        let (what, ticks) = match text.rsplit_once('@') {
            Some((what, ticks)) => (what, Some(ticks)),
            None => (text, None),
        };
        let (given, value) = match what.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (what, None),
        };
        let Some(&(name, takes, _)) = KINDS.iter().find(|k| k.0 == given) else {
            return Err(InjectionError::Unknown {
                name: given.to_owned(),
                like: nearest(given, KINDS.iter().map(|k| k.0)),
            });
        };
        let (kind, usual) = Reading { name, takes, value }.kind()?;
        Ok(Self {
            kind,
            ticks: read_ticks(name, ticks, usual)?,
        })
    }
}

/// A kind's name and value.
#[derive(Clone, Copy)]
struct Reading<'a> {
    name: &'static str,
    takes: &'static str,
    value: Option<&'a str>,
}

impl Reading<'_> {
    fn kind(self) -> Result<(Kind, Usual), InjectionError> {
        use Usual::{NoTick, On, Once};
        Ok(match self.name {
            "silence" => (Kind::Silence(self.seconds()?), Once),
            "crash" => (Kind::Crash(self.death()?), Once),
            "traceback" => {
                let (trace, pipe) = self.trace()?;
                (Kind::Traceback(trace, pipe), Once)
            }
            "flood" => (Kind::Flood(self.count(100_000_000)?), Once),
            "warnings" => (Kind::Warnings(self.count(100_000_000)?), Once),
            "errors" => (Kind::Errors(self.count(100_000_000)?), Once),
            "stderr" => (Kind::Stderr(self.count(100_000_000)?), Once),
            "stale" => (Kind::Stale(self.which()?), On),
            "touched" => (Kind::Touched(self.which()?), On),
            "broken" => (Kind::Broken(self.which()?), On),
            "future" => (Kind::Future(self.seconds()?), On),
            "clock" => (Kind::Clock(self.shift()?), On),
            "slow-start" => (Kind::SlowStart(self.seconds()?), NoTick),
            "deaf" if self.value.is_none() => (Kind::Deaf(Duration::from_secs(600)), On),
            "deaf" => (Kind::Deaf(self.seconds()?), On),
            "grandchild" => (Kind::Grandchild(self.seconds()?), Once),
            "daemon" => (Kind::Daemon(self.seconds()?), Once),
            "long-line" => (Kind::LongLine(self.bytes()?), Once),
            "memory" => (Kind::Memory(self.count(16_384)?), On),
            "cpu" => (Kind::Cpu(self.count(6_400)?), On),
            bare => {
                if self.value.is_some() {
                    return Err(InjectionError::NeedlessValue(self.name));
                }
                if bare == "bytes" {
                    (Kind::Bytes, Once)
                } else {
                    (Kind::NoNewline, NoTick)
                }
            }
        })
    }

    fn given(&self) -> Result<&str, InjectionError> {
        self.value
            .filter(|v| !v.is_empty())
            .ok_or(InjectionError::NoValue {
                name: self.name,
                expected: self.takes,
            })
    }

    fn wrong(&self, expected: &'static str, known: &[&str]) -> InjectionError {
        let value = self.value.unwrap_or_default();
        InjectionError::Value {
            name: self.name,
            value: value.to_owned(),
            expected,
            like: nearest(value, known.iter().copied()),
        }
    }

    fn seconds(&self) -> Result<Duration, InjectionError> {
        read_seconds(self.given()?)
            .ok_or_else(|| self.wrong("a time up to 30 days such as `10`, `0.5` or `500ms`", &[]))
    }

    fn shift(&self) -> Result<f64, InjectionError> {
        let bound = 100.0 * 366.0 * 86_400.0;
        self.given()?
            .parse()
            .ok()
            .filter(|s: &f64| s.is_finite() && s.abs() <= bound)
            .ok_or_else(|| self.wrong("a number of seconds, at most 100 years either way", &[]))
    }

    fn count(&self, most: u64) -> Result<u64, InjectionError> {
        self.given()?
            .parse()
            .ok()
            .filter(|n| (1..=most).contains(n))
            .ok_or_else(|| self.wrong("a whole number from 1 to what a machine can bear", &[]))
    }

    fn bytes(&self) -> Result<u64, InjectionError> {
        let text = self.given()?;
        let (digits, unit) = match text.strip_suffix("MiB") {
            Some(digits) => (digits, 1 << 20),
            None => text.strip_suffix("KiB").map_or((text, 1), |d| (d, 1 << 10)),
        };
        let bytes = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
        bytes.filter(|n| (1..=4 << 30).contains(n)).ok_or_else(|| {
            self.wrong(
                "a size from 1 byte to 4096MiB such as `70000`, `64KiB` or `3MiB`",
                &[],
            )
        })
    }

    fn which(&self) -> Result<Which, InjectionError> {
        match self.value {
            None => Ok(Which::Both),
            Some("diary") => Ok(Which::Diary),
            Some("performance") => Ok(Which::Performance),
            Some(_) => Err(self.wrong("`diary` or `performance`", &["diary", "performance"])),
        }
    }

    fn death(&self) -> Result<Death, InjectionError> {
        let text = self.given()?;
        if let Ok(code) = text.parse() {
            return Ok(Death::Code(code));
        }
        let name = text.strip_prefix("SIG").unwrap_or(text);
        SIGNALS
            .iter()
            .find(|s| s.0 == name)
            .map(|&(name, number)| Death::Signal(name, number))
            .ok_or_else(|| {
                let names: Vec<_> = SIGNALS.iter().map(|s| s.0).collect();
                self.wrong(
                    "an exit code from 0 to 255 or a deadly signal such as `SEGV`",
                    &names,
                )
            })
    }

    fn trace(&self) -> Result<(Trace, Pipe), InjectionError> {
        let text = self.given()?;
        let (language, pipe) = match text.split_once(':') {
            None | Some((_, "stderr")) => (text.trim_end_matches(":stderr"), Pipe::Stderr),
            Some((language, "stdout")) => (language, Pipe::Stdout),
            Some(_) => return Err(self.wrong("a language with `:stdout` or `:stderr`", &[])),
        };
        TRACES
            .iter()
            .find(|t| t.name == language)
            .map(|t| (*t, pipe))
            .ok_or_else(|| {
                let names: Vec<_> = TRACES.iter().map(|t| t.name).collect();
                self.wrong(
                    "one of python, java, kotlin, go, rust, node, dotnet, ruby, cpp, asan",
                    &names,
                )
            })
    }
}

/// Signals that end a process which does nothing about them.
const SIGNALS: &[(&str, i32)] = {
    use signal_hook::consts::signal as s;
    &[
        ("HUP", s::SIGHUP),
        ("INT", s::SIGINT),
        ("QUIT", s::SIGQUIT),
        ("ILL", s::SIGILL),
        ("TRAP", s::SIGTRAP),
        ("ABRT", s::SIGABRT),
        ("BUS", s::SIGBUS),
        ("FPE", s::SIGFPE),
        ("KILL", s::SIGKILL),
        ("SEGV", s::SIGSEGV),
        ("PIPE", s::SIGPIPE),
        ("ALRM", s::SIGALRM),
        ("TERM", s::SIGTERM),
        ("USR1", s::SIGUSR1),
        ("USR2", s::SIGUSR2),
        ("SYS", s::SIGSYS),
    ]
};

/// Reads seconds (`10`, `0.5`, `10s`) or milliseconds (`500ms`), 0 to 30 days.
pub(crate) fn read_seconds(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = number.parse::<f64>().ok()? * unit;
    let time = Duration::try_from_secs_f64(seconds).ok()?;
    (time <= LONGEST).then_some(time)
}

fn read_ticks(
    name: &'static str,
    ticks: Option<&str>,
    usual: Usual,
) -> Result<Ticks, InjectionError> {
    let Some(text) = ticks else {
        return Ok(match usual {
            Usual::Once => Ticks {
                first: 2,
                last: Some(2),
            },
            Usual::On => Ticks {
                first: 2,
                last: None,
            },
            Usual::NoTick => Ticks {
                first: 1,
                last: None,
            },
        });
    };
    if usual == Usual::NoTick {
        return Err(InjectionError::NeedlessTicks(name));
    }
    let read = || {
        let Some((first, last)) = text.split_once('-') else {
            let first = text.parse().ok()?;
            let last = (usual == Usual::Once).then_some(first);
            return Some(Ticks { first, last });
        };
        let last = if last.is_empty() {
            None
        } else {
            Some(last.parse().ok()?)
        };
        let first = first.parse().ok()?;
        Some(Ticks { first, last })
    };
    read()
        .filter(|t| t.first > 0 && t.last.is_none_or(|last| last >= t.first))
        .ok_or_else(|| InjectionError::Ticks {
            name,
            ticks: text.to_owned(),
        })
}

impl Kind {
    /// Returns the kind's name, as it is asked for.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Silence(_) => "silence",
            Self::Crash(_) => "crash",
            Self::Traceback(..) => "traceback",
            Self::Flood(_) => "flood",
            Self::Warnings(_) => "warnings",
            Self::Errors(_) => "errors",
            Self::Stderr(_) => "stderr",
            Self::Stale(_) => "stale",
            Self::Touched(_) => "touched",
            Self::Broken(_) => "broken",
            Self::Future(_) => "future",
            Self::Clock(_) => "clock",
            Self::SlowStart(_) => "slow-start",
            Self::Deaf(_) => "deaf",
            Self::Grandchild(_) => "grandchild",
            Self::Daemon(_) => "daemon",
            Self::LongLine(_) => "long-line",
            Self::Bytes => "bytes",
            Self::NoNewline => "no-newline",
            Self::Memory(_) => "memory",
            Self::Cpu(_) => "cpu",
        }
    }

    /// Whether it has no tick: it is there from the start or at the end.
    pub(crate) fn tickless(&self) -> bool {
        matches!(self, Self::SlowStart(_) | Self::NoNewline)
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        match &self.kind {
            Kind::Silence(t)
            | Kind::Future(t)
            | Kind::SlowStart(t)
            | Kind::Deaf(t)
            | Kind::Grandchild(t)
            | Kind::Daemon(t) => write!(f, "={}", t.as_secs_f64())?,
            Kind::Crash(Death::Code(code)) => write!(f, "={code}")?,
            Kind::Crash(Death::Signal(name, _)) => write!(f, "={name}")?,
            Kind::Traceback(trace, Pipe::Stderr) => write!(f, "={}", trace.name)?,
            Kind::Traceback(trace, Pipe::Stdout) => write!(f, "={}:stdout", trace.name)?,
            Kind::Flood(n)
            | Kind::Warnings(n)
            | Kind::Errors(n)
            | Kind::Stderr(n)
            | Kind::LongLine(n)
            | Kind::Memory(n)
            | Kind::Cpu(n) => write!(f, "={n}")?,
            Kind::Stale(which) | Kind::Touched(which) | Kind::Broken(which) => match which {
                Which::Both => {}
                Which::Diary => f.write_str("=diary")?,
                Which::Performance => f.write_str("=performance")?,
            },
            Kind::Clock(seconds) => write!(f, "={seconds}")?,
            Kind::Bytes | Kind::NoNewline => {}
        }
        if self.kind.tickless() {
            return Ok(());
        }
        match self.ticks.last {
            Some(last) => write!(f, "@{}-{last}", self.ticks.first),
            None => write!(f, "@{}-", self.ticks.first),
        }
    }
}

#[cfg(test)]
mod tests;

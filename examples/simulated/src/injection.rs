//! What can be made to go wrong, and how it is asked for: `KIND[=VALUE][@TICKS]`.
//!
//! Pure: text in, [`Injection`] out, and back by `Display`. Ticks count from 1. `@3-5` are three ticks, `@3-` all from the
//! third on; `@3` is the third alone for what happens once (a crash, a burst), and all from the third on for what lasts
//! (staleness, deafness). Without `@` what happens once happens at tick 2, and what lasts begins there.

mod read;

use std::fmt;
use std::time::Duration;

use crate::traces::Trace;

pub(crate) use read::{nearest, read_seconds};

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

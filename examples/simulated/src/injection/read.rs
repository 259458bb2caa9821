//! How an injection is read.
//!
//! Pure. Every number has a bound that a machine can bear; what is not understood is said with what would be.

use std::str::FromStr;
use std::time::Duration;

use super::{Death, Injection, InjectionError, KINDS, Kind, Pipe, Ticks, Which};
use crate::traces::{TRACES, Trace};

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

/// Longest time that anything may be asked for: 30 days.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// The nearest of `known`, if it is near at all.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min()
        .map(|(_, name)| name.to_owned())
}

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

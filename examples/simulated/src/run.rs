//! The run: one tick after the other, with what goes wrong at each.
//!
//! Within a tick: heartbeat, evidence, what was injected in the order given, and a crash last. A tick that comes more than an
//! interval late (the machine slept, the pipe was full) shifts those after it; none is made up for, but the run's own end waits
//! until all that was injected has happened.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use signal_hook::consts::signal::SIGINT;

use crate::evidence::Evidence;
use crate::faults::{self, Faults};
use crate::injection::{Death, Kind};
use crate::output::Printer;
use crate::wait::Waiter;
use crate::{Options, exit, time};

/// Runs, printing to `out` and `err`. Returns an exit code of [`exit`], or that of `crash`; a crash by a signal does not
/// return. Listens for SIGINT and SIGTERM from then on.
///
/// A grandchild inherits the process's own streams, not `out` and `err`.
pub fn run(options: &Options, out: impl Write, err: impl Write) -> u8 {
    let waiter = match Waiter::listen() {
        Ok(waiter) => waiter,
        Err(error) => {
            let mut err = err;
            let _ = writeln!(err, "simulated: signals cannot be listened for: {error}");
            return exit::INTERNAL;
        }
    };
    let mut life = Life {
        options,
        printer: Printer::new(out, err, options.seed),
        evidence: Evidence::new(options),
        waiter,
        faults: Faults::default(),
        happened: vec![false; options.injections.len()],
        muted_until: None,
        troubled: false,
    };
    match life.live() {
        Ok(code) => code,
        Err(Failure::Output(error)) => {
            life.complain(&format!("the output cannot be written: {error}"));
            exit::CANNOT_WRITE
        }
        Err(Failure::Evidence(error)) => {
            life.complain(&error);
            exit::CANNOT_WRITE
        }
        Err(Failure::Injection(error)) => {
            life.complain(&error);
            exit::INTERNAL
        }
    }
}

struct Life<'a, O: Write, E: Write> {
    options: &'a Options,
    printer: Printer<O, E>,
    evidence: Evidence,
    waiter: Waiter,
    faults: Faults,
    /// By injection: whether it was applied.
    happened: Vec<bool>,
    /// No heartbeat before that.
    muted_until: Option<Instant>,
    /// Whether evidence could not be written the last time.
    troubled: bool,
}

enum Failure {
    Output(io::Error),
    Evidence(String),
    Injection(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl<O: Write, E: Write> Life<'_, O, E> {
    fn live(&mut self) -> Result<u8, Failure> {
        let slow = self.sum(|kind| match kind {
            Kind::SlowStart(time) => Some(*time),
            _ => None,
        });
        if let Some(signal) = self.waiter.until(time::now() + slow, false) {
            return self.end(0, reason(signal));
        }
        let began = time::now();
        let mut due = began;
        let mut n = 1;
        loop {
            if let Some(code) = self.tick(n)? {
                return Ok(code);
            }
            let deaf = self.deaf(n);
            let end = began + self.options.duration + deaf.unwrap_or_default();
            due += self.options.tick;
            let now = time::now();
            if now > due + self.options.tick {
                due = now;
            }
            // Late ticks must not cost an injection: the end waits for what is still to happen.
            let until = if self.outstanding() {
                due
            } else {
                due.min(end)
            };
            if let Some(signal) = self.waiter.until(until, deaf.is_some()) {
                return self.end(n, reason(signal));
            }
            if due >= end && !self.outstanding() {
                return self.end(n, "duration");
            }
            n += 1;
        }
    }

    /// Whether an injection's tick is still to come.
    fn outstanding(&self) -> bool {
        let mut all = self.options.injections.iter().zip(&self.happened);
        all.any(|(injection, happened)| !happened && !injection.kind.tickless())
    }

    /// How much longer a deaf runtime goes on, if it is deaf at tick `n`.
    fn deaf(&self, n: u64) -> Option<Duration> {
        let deaf = self
            .options
            .injections
            .iter()
            .filter(|i| i.ticks.contains(n));
        deaf.filter_map(|i| match i.kind {
            Kind::Deaf(longer) => Some(longer),
            _ => None,
        })
        .max()
    }

    fn sum(&mut self, of: impl Fn(&Kind) -> Option<Duration>) -> Duration {
        let mut sum = Duration::ZERO;
        for (injection, happened) in self.options.injections.iter().zip(&mut self.happened) {
            if let Some(time) = of(&injection.kind) {
                sum += time;
                *happened = true;
            }
        }
        sum
    }

    /// One tick. Returns the exit code, if it was the last.
    fn tick(&mut self, n: u64) -> Result<Option<u8>, Failure> {
        let options = self.options;
        let active: Vec<(usize, &Kind)> = options
            .injections
            .iter()
            .enumerate()
            .filter(|(_, i)| i.ticks.contains(n) && !i.kind.tickless())
            .map(|(id, i)| (id, &i.kind))
            .collect();
        let jump = active.iter().filter_map(|(_, kind)| match kind {
            Kind::Clock(seconds) => SignedDuration::try_from_secs_f64(*seconds).ok(),
            _ => None,
        });
        self.printer.shift = jump.fold(SignedDuration::ZERO, SignedDuration::saturating_add);
        let now = time::now();
        if self.muted_until.is_none_or(|until| now >= until) {
            self.printer.heartbeat(n)?;
        }
        self.printer.flush()?;
        self.leave_evidence(n, &active)?;
        let mut crash = None;
        for (id, kind) in &active {
            match kind {
                Kind::Crash(death) => crash = Some(*death),
                kind => self.inject(n, *id, kind, now)?,
            }
            self.happened[*id] = true;
            self.printer.flush()?;
        }
        for (id, injection) in options.injections.iter().enumerate() {
            if matches!(injection.kind, Kind::Cpu(_)) && !injection.ticks.contains(n) {
                self.faults.cool(id);
            }
        }
        match crash {
            None => Ok(None),
            Some(Death::Code(code)) => Ok(Some(code)),
            Some(Death::Signal(_, number)) => faults::die_by(number),
        }
    }

    fn leave_evidence(&mut self, n: u64, active: &[(usize, &Kind)]) -> Result<(), Failure> {
        let written = self.evidence.tick(n, active.iter().map(|(_, kind)| *kind));
        match written {
            Err(error) if n == 1 => return Err(Failure::Evidence(error)),
            // A service goes on when its disk is full, and says so once.
            Err(error) if !self.troubled => {
                self.troubled = true;
                self.printer.trouble(n, &error)?;
            }
            Err(_) => {}
            Ok(()) => self.troubled = false,
        }
        Ok(())
    }

    fn inject(&mut self, n: u64, id: usize, kind: &Kind, now: Instant) -> Result<(), Failure> {
        let failed = |e: io::Error| {
            Failure::Injection(format!("injection `{}` cannot be made: {e}", kind.name()))
        };
        match kind {
            Kind::Silence(time) => self.muted_until = Some(now + *time),
            Kind::Traceback(trace, pipe) => self.printer.trace(trace.text(), *pipe)?,
            Kind::Flood(lines) => self.printer.flood(*lines)?,
            Kind::Warnings(lines) => self.printer.warnings(*lines)?,
            Kind::Errors(lines) => self.printer.errors(*lines)?,
            Kind::Stderr(lines) => self.printer.notes(*lines)?,
            Kind::LongLine(bytes) => self.printer.long_line(n, *bytes)?,
            Kind::Bytes => self.printer.hostile()?,
            Kind::Memory(mib) => self.faults.grow(*mib),
            Kind::Cpu(percent) => self.faults.burn(id, *percent).map_err(failed)?,
            Kind::Grandchild(longer) => self
                .faults
                .leave(self.options, *longer, false)
                .map_err(failed)?,
            Kind::Daemon(longer) => self
                .faults
                .leave(self.options, *longer, true)
                .map_err(failed)?,
            // Done elsewhere: with the evidence, the timestamps, the waiting, the start and the end.
            Kind::Stale(_)
            | Kind::Touched(_)
            | Kind::Broken(_)
            | Kind::Future(_)
            | Kind::Clock(_)
            | Kind::Deaf(_)
            | Kind::SlowStart(_)
            | Kind::NoNewline
            | Kind::Crash(_) => {}
        }
        Ok(())
    }

    /// The last line and the exit code.
    fn end(&mut self, n: u64, reason: &str) -> Result<u8, Failure> {
        let mut newline = true;
        for (injection, happened) in self.options.injections.iter().zip(&mut self.happened) {
            if injection.kind == Kind::NoNewline {
                newline = false;
                *happened = true;
            }
        }
        self.printer.shutdown(n, reason, newline)?;
        self.printer.flush()?;
        let missed = self
            .options
            .injections
            .iter()
            .zip(&self.happened)
            .filter(|(_, happened)| !**happened);
        let missed: Vec<_> = missed
            .map(|(injection, _)| format!("`{injection}`"))
            .collect();
        if missed.is_empty() {
            return Ok(exit::DONE);
        }
        self.complain(&format!(
            "the run ended after tick {n}, before what was to be injected: {}",
            missed.join(", ")
        ));
        Ok(exit::NOT_INJECTED)
    }

    /// Says what went wrong with the runtime itself. Nothing more can be done if stderr is closed too.
    fn complain(&mut self, what: &str) {
        let _ = self.printer.complain(&format!("simulated: {what}\n"));
    }
}

fn reason(signal: i32) -> &'static str {
    if signal == SIGINT {
        "SIGINT"
    } else {
        "SIGTERM"
    }
}

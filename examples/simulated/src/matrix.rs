//! The smoke matrix: what a runtime does wrong, and what a supervisor has to make of it.
//!
//! Data and one pure function: a row says how the runtime is started and which verdict and kinds of incident are expected;
//! [`Row::judge`] holds a finished run against it. Words are those of the supervisor's reports: verdicts `pass`, `warn`,
//! `fail`; kinds of incident in snake case. A row can fail both ways: by a supervisor that sees too little, and by one that
//! sees what is not there.
//!
//! A row is meant to be run with the gap and staleness thresholds of its [`Pace`], stderr lines without a level as errors,
//! evidence required, no warnings accepted, and [`Row::grace`] for each step of the kill ladder. The supervisor ends the
//! runtime when [`Row::run_for`] is over: the runtime's own duration is [`SPARE`] longer, so that it never ends first, however
//! late a timer comes.

mod rows;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

pub use rows::rows;

/// How much longer than [`Row::run_for`] a row's runtime would run if nobody ended it.
pub const SPARE: Duration = Duration::from_secs(60);

/// How fast the rows go, and the thresholds that follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Time between two ticks.
    pub tick: Duration,
    /// How long a row lasts at least.
    pub duration: Duration,
    /// Longest start-up delay that the smoke run promises to pass with.
    pub start_up: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            tick: Duration::from_millis(500),
            duration: Duration::from_secs(4),
            start_up: Duration::from_secs(5),
        }
    }
}

impl Pace {
    /// How long a row lasts: the duration, and long enough for what happens at its fifth tick.
    fn length(&self) -> Duration {
        self.duration.max(self.tick * 6)
    }

    /// Silence and staleness beyond this are a warning: three ticks, at least three seconds.
    pub fn warn(&self) -> Duration {
        (self.tick * 3).max(Duration::from_secs(3))
    }

    /// Silence and staleness of this are a failure: six ticks, at least six seconds.
    pub fn fail(&self) -> Duration {
        (self.tick * 6).max(Duration::from_secs(6))
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name, unique.
    pub name: String,
    /// What it shows, one line.
    pub shows: &'static str,
    /// What goes wrong, as `--inject` takes it.
    pub injections: Vec<String>,
    /// When the supervisor is to end the run.
    pub run_for: Duration,
    /// Time for each step of its kill ladder.
    pub grace: Duration,
    /// Verdicts of which one must come.
    pub verdicts: &'static [&'static str],
    /// Kinds of incident that must come.
    pub incidents: &'static [&'static str],
    /// Kinds that may come too. Any other of severity warn or fail is false.
    pub also: &'static [&'static str],
    /// Facts to be checked beside: see [`Fact`].
    pub facts: &'static [Fact],
}

/// What else must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Captured bytes are those that `--copy-output` kept. Of every row that is not killed.
    SameBytes,
    /// The child clock's skew is reported, with about this many seconds at the extreme.
    Skew(i64),
    /// The reported duration is that of the child: no longer than [`Row::run_for`] and two graces.
    NotLengthened,
    /// The child ended within two seconds of [`Row::run_for`]: what it printed did not hold it up.
    Quick,
    /// Exactly this many incidents' counts of kind `log_level` in all.
    Counted(u64),
    /// A sample of an incident of kind `stack_trace` is the fixture's whole text.
    WholeTrace(&'static str),
}

/// An incident as far as a row looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// `pass`, `warn`, `fail` or `invalid`.
    pub severity: &'a str,
}

impl Row {
    /// Returns the runtime's arguments, with its evidence and the copies of its streams in `folder`.
    pub fn args(&self, pace: &Pace, folder: &Path, seed: u64) -> Vec<OsString> {
        let seconds = |time: Duration| OsString::from(time.as_secs_f64().to_string());
        let mut args: Vec<OsString> = vec![
            "--duration-seconds".into(),
            seconds(self.run_for + SPARE),
            "--tick-interval".into(),
            seconds(pace.tick),
            "--diary".into(),
            folder.join("decision_diary.jsonl").into(),
            "--performance".into(),
            folder.join("performance_metrics.json").into(),
            "--seed".into(),
            seed.to_string().into(),
            "--copy-output".into(),
            folder.join("printed").into(),
        ];
        for injection in &self.injections {
            args.extend(["--inject".into(), injection.into()]);
        }
        args
    }

    /// Holds a run's verdict and incidents against the row.
    ///
    /// # Errors
    /// All that is not as expected, one line each.
    pub fn judge(&self, verdict: &str, seen: &[Seen<'_>]) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        if !self.verdicts.contains(&verdict) {
            let wanted = self.verdicts.join(" or ");
            wrong.push(format!(
                "row `{}`: the verdict is {verdict}, not {wanted}",
                self.name
            ));
        }
        for kind in self.incidents {
            if !seen.iter().any(|s| s.kind == *kind) {
                wrong.push(format!("row `{}`: no incident of kind {kind}", self.name));
            }
        }
        for Seen { kind, severity } in seen {
            let known = self.incidents.contains(kind) || self.also.contains(kind);
            if !known && *severity != "pass" {
                wrong.push(format!(
                    "row `{}`: an incident that nothing caused: {kind}, {severity}",
                    self.name
                ));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

#[cfg(test)]
mod tests;

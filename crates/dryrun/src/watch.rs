//! What a run says about itself, for people who watch: a frame for terminals ([`frame`]), and a line for each change elsewhere ([`plain`]).
//!
//! Both are pure: a [`Progress`] in, text out. [`Watcher`] keeps quiet while nothing changes. Only `phase: complete` ends a watch: a status
//! of `warn` or `fail` in the middle of a run is what the run looks like so far.
//!
//! Invariant: no text of the child reaches the terminal but through [`crate::review::escape`], and no line is wider than the terminal.

use std::collections::BTreeSet;

use crate::progress::{Phase, Progress};
use crate::{Incident, Status};

pub mod duration;
mod frame;
mod plain;
mod width;

pub use frame::frame;
pub use plain::plain;

/// How a watch looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Columns of the terminal; at least 40 are used.
    pub width: usize,
    /// Whether colours are used. They never say anything alone.
    pub colour: bool,
    /// Whether only ASCII is used.
    pub ascii: bool,
    /// How many incidents are shown, the last ones (`--max-incidents`); 0 shows none (`--no-incidents`).
    pub max_incidents: usize,
    /// Whether the summary is shown at the end (`--skip-summary`).
    pub summary: bool,
    /// Whether the sign-off is shown at the end (`--skip-sign-off`).
    pub sign_off: bool,
    /// How old the progress file is, seconds; said when it is too old.
    pub age_seconds: Option<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            width: 80,
            colour: false,
            ascii: false,
            max_incidents: 5,
            summary: true,
            sign_off: true,
            age_seconds: None,
        }
    }
}

/// Returns the verdict of a run that is complete; none while it goes on. A word that is no verdict is [`Status::Invalid`].
pub fn verdict(progress: &Progress) -> Option<Status> {
    if progress.phase != Phase::Complete {
        return None;
    }
    Some(match progress.status.as_str() {
        "starting" | "running" => Status::Invalid,
        word => status(word),
    })
}

/// Reads a status of a progress file: `starting` and `running` are a pass so far.
fn status(word: &str) -> Status {
    match word {
        "starting" | "running" | "pass" => Status::Pass,
        "warn" => Status::Warn,
        "fail" => Status::Fail,
        _ => Status::Invalid,
    }
}

/// Returns whether a progress file of this age is one that nobody writes any more: older than three promised intervals and ten seconds more.
/// Without a promise, nobody can tell; then only an hour is too old.
pub fn stale(progress: &Progress, age_seconds: f64) -> bool {
    if progress.phase == Phase::Complete {
        return false;
    }
    match progress
        .interval_seconds
        .filter(|seconds| seconds.is_finite() && *seconds > 0.0)
    {
        Some(interval) => age_seconds > interval * 3.0 + 10.0,
        None => age_seconds > 3_600.0,
    }
}

/// Renders progress and keeps quiet while nothing changes.
#[derive(Debug, Default)]
pub struct Watcher {
    last: Option<String>,
    /// Incidents of the last look, by first time and message: what is not among them is new.
    known: BTreeSet<(i64, String)>,
}

impl Watcher {
    /// Returns the next frame, if it is another than the last.
    pub fn frame(&mut self, progress: &Progress, options: &Options) -> Option<String> {
        self.changed(frame(progress, options))
    }

    /// Returns the next line, if it is another than the last, with the incidents that are new since then, each in a line of its own.
    pub fn plain(&mut self, progress: &Progress, options: &Options) -> Option<String> {
        let mut text = self.changed(plain(progress, options))?;
        let key =
            |incident: &Incident| (incident.occurred_at.as_millis(), incident.message.clone());
        let new: Vec<&Incident> = progress
            .incidents
            .iter()
            .filter(|incident| !self.known.contains(&key(incident)))
            .collect();
        text.push_str(&plain::incidents(&new, options));
        self.known = progress.incidents.iter().map(key).collect();
        Some(text)
    }

    fn changed(&mut self, text: String) -> Option<String> {
        if self.last.as_ref() == Some(&text) {
            return None;
        }
        self.last = Some(text.clone());
        Some(text)
    }
}

/// How long is left until the target; 0 when it is over.
fn left(progress: &Progress) -> f64 {
    (progress.target_duration_seconds - progress.elapsed_seconds).max(0.0)
}

/// Share of the target, 0 to 1.
fn done(progress: &Progress) -> f64 {
    match progress.target_duration_seconds > 0.0 {
        true => (progress.elapsed_seconds / progress.target_duration_seconds).clamp(0.0, 1.0),
        false => 1.0,
    }
}

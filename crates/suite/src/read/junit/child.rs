//! A statement about a test or a suite that is being read: an element inside of it.

use super::case::UNKNOWN;
use super::suite::{file, odd};
use super::words::{self, Says};
use crate::read::xml::times::{self, Marks, Moment};
use crate::read::xml::{self, Head, Notes, Tag, Tail};
use crate::read::{Limits, gather, text};
use crate::{Failure, FailureKind, Location, Outcome, TestId};

/// What a child of a test is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Says(Says),
    Attempt { passed: bool, outcome: Outcome },
}

impl Default for Role {
    fn default() -> Self {
        Self::Says(UNKNOWN)
    }
}

/// A statement about a test or a suite.
#[derive(Debug, Default)]
pub(super) struct Child {
    pub(super) role: Role,
    /// The element's name.
    pub(super) raw: String,
    class: String,
    pub(super) message: String,
    is_cut: bool,
    location: Option<Location>,
    pub(super) seconds: Option<f64>,
    pub(super) started: Option<Moment>,
    pub(super) trace: Head,
    pub(super) output: Tail,
    /// Something worse that stands within it.
    worse: Option<Says>,
}

impl Child {
    pub(super) fn read(
        &mut self,
        tag: &Tag<'_>,
        role: Role,
        limits: &Limits,
        notes: &mut Notes,
        marks: &mut Marks,
        value: &mut String,
    ) {
        self.role = role;
        self.raw.clear();
        words::shorten(tag.name(), &mut self.raw);
        self.class.clear();
        self.message.clear();
        self.is_cut = tag.is_cut;
        (self.location, self.worse) = (None, None);
        (self.seconds, self.started) = (None, None);
        let (mut named, mut line, mut column) = (None, None, None);
        let at = tag.place.from;
        tag.attributes(limits, notes, |notes, key, raw| match key {
            "message" | "Message" => {
                xml::plain(raw, value);
                let (message, cut) = text::head(value.trim().as_bytes(), limits.message);
                self.message = message;
                self.is_cut |= cut;
            }
            "type" | "Type" => {
                self.class = match xml::simple(raw) {
                    Some(class) => class.to_owned(),
                    None => {
                        xml::plain(raw, value);
                        TestId::new("", "", value).name
                    }
                };
            }
            "time" => match marks.seconds(raw) {
                Some(seconds) => self.seconds = Some(seconds),
                None => odd(notes, at, key, raw, "no duration"),
            },
            "timestamp" => match times::moment(raw) {
                Some(moment) => self.started = Some(notes.began(moment)),
                None => notes.undated(at, key, raw),
            },
            "file" => {
                xml::plain(raw, value);
                named = file(value);
            }
            "line" => line = raw.trim().parse().ok(),
            "column" => column = raw.trim().parse().ok(),
            _ => {}
        });
        self.location = named.map(|file| Location { file, line, column });
    }

    /// Takes note of something that stands within it.
    pub(super) fn worsen(&mut self, says: Says) {
        let worst = self
            .worse
            .is_none_or(|w| says.outcome.rank() > w.outcome.rank());
        if worst {
            self.worse = Some(says);
        }
    }

    pub(super) fn worst(&self, says: Says) -> Says {
        match self.worse {
            Some(worse) if worse.outcome.rank() > says.outcome.rank() => worse,
            _ => says,
        }
    }

    /// What it says, as a failure.
    pub(super) fn failure(&mut self, kind: FailureKind, limits: &Limits) -> Failure {
        let (trace, cut) = self.trace.take(limits.trace);
        let kind = match kind {
            FailureKind::Other if self.message.is_empty() => words::kind(&self.class, &trace),
            // gotestsum says the same of all.
            FailureKind::Other if self.message == "Failed" && trace.contains("\npanic: ") => {
                FailureKind::Panic
            }
            FailureKind::Other => words::kind(&self.class, &self.message),
            kind => kind,
        };
        let mut failure = Failure {
            kind,
            class: std::mem::take(&mut self.class),
            message: std::mem::take(&mut self.message),
            trace,
            location: self.location.take(),
            truncated: self.is_cut || cut,
        };
        // pytest says the same of every file that it cannot collect; why stands in the trace, last.
        if failure.message == "collection failure"
            && let Some(said) = collected(&failure.trace)
        {
            let (message, cut) = text::head(said.as_bytes(), limits.message);
            failure.kind = FailureKind::Compile;
            failure.class = raised(said).to_owned();
            failure.message = message;
            failure.truncated |= cut;
        }
        super::body::whole(&mut failure, limits);
        super::body::tell(&mut failure, limits);
        // nextest gives the line above what was said.
        if failure.kind == FailureKind::Panic
            && failure.message.starts_with("thread '")
            && let Some((kind, said, place, _)) = gather::panicked(
                &failure.trace,
                gather::thread(&failure.message).map_or("", |(name, _)| name),
            )
        {
            failure.kind = kind;
            failure.location = failure.location.or(place);
            if !said.is_empty() {
                let (said, cut) = text::head(said.as_bytes(), limits.message);
                failure.message = said;
                failure.truncated |= cut;
            }
        }
        failure
    }
}

/// The last line of pytest's that says what was raised: `E   ImportError: …`.
fn collected(trace: &str) -> Option<&str> {
    let lines = trace.lines().filter_map(|line| line.strip_prefix("E  "));
    lines.map(str::trim).rfind(|line| !line.is_empty())
}

/// The name of an exception before its text.
fn raised(said: &str) -> &str {
    let name = said.split(':').next().unwrap_or_default();
    let is_name = !name.is_empty()
        && name.len() < 200
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b));
    if is_name { name } else { "" }
}

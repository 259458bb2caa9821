//! What a run of the recorder came to: `gonogo.suite.recording-report.v1`.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Reason, Span, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

use crate::redact::Kind;

/// The schema of [`Report`].
pub(crate) const SCHEMA: &str = "gonogo.suite.recording-report.v1";

/// Longer lists are cut here; their counts are not.
pub(crate) const LISTED: usize = 100;

/// How the child's run ended, as the caller saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The child ended by itself, whatever its exit code.
    Whole,
    /// It was stopped, killed, or never started: what was recorded is not all.
    Interrupted,
}

/// A recorded exchange, named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Its index in the cassette.
    pub index: u64,
    /// Its method.
    pub method: String,
    /// Its URL.
    pub url: String,
}

/// A request that the cassette does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mismatch {
    /// Its method.
    pub method: String,
    /// Its URL, redacted.
    pub url: String,
    /// 12 hex digits of its redacted body's digest.
    pub body: String,
    /// The nearest recorded request.
    pub nearest: Option<Told>,
    /// Why that is not it, in words.
    pub differences: Vec<String>,
}

/// A reason, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// The code.
    pub code: String,
    /// In words.
    pub text: String,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// `gonogo.suite.recording-report.v1`.
    pub schema: String,
    /// `record` or `playback`.
    pub mode: String,
    /// The cassette's path, as it was given.
    pub cassette: String,
    /// Digest of the cassette that was played or saved.
    pub digest: Option<Digest>,
    /// When it was recorded.
    pub recorded_at: Option<Timestamp>,
    /// Whole days between then and this run.
    pub age_days: Option<u64>,
    /// When this run began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Exchanges in the cassette, or recorded.
    pub interactions: u64,
    /// Requests that came.
    pub requests: u64,
    /// Exchanges that were played at least once.
    pub used: u64,
    /// How many were not.
    pub unused_count: u64,
    /// The first of them.
    pub unused: Vec<Told>,
    /// How many requests the cassette does not hold.
    pub mismatch_count: u64,
    /// The first of them.
    pub mismatches: Vec<Mismatch>,
    /// Requests that were refused as such, in words: other protocols, targets that are none.
    pub refused: Vec<String>,
    /// What went wrong between here and upstreams, in words.
    pub upstream_errors: Vec<String>,
    /// Answers that the client did not read to their end.
    pub client_left: u64,
    /// How many places were redacted, by kind.
    pub redactions: BTreeMap<Kind, u64>,
    /// Whether a cassette was written.
    pub saved: bool,
    /// The worst of the reasons, or pass.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<Because>,
}

impl Report {
    /// Adds a reason; the worst decides.
    pub(crate) fn because(&mut self, reason: Reason, text: impl Into<String>) {
        self.verdict = self.verdict.max(reason.verdict());
        self.reasons.push(Because {
            code: reason.code().to_owned(),
            text: text.into(),
        });
    }

    /// The first of the worst reasons: its [`Reason::exit`] is what a command ends with. None if the verdict is pass.
    #[must_use]
    pub fn worst(&self) -> Option<Reason> {
        let mut known = self.reasons.iter().filter_map(|b| b.code.parse().ok());
        known.find(|reason: &Reason| reason.verdict() == self.verdict)
    }

    /// Judges the age of the cassette.
    pub(crate) fn judge_age(&mut self, now: Timestamp, most: Span) {
        let Some(recorded) = self.recorded_at else {
            return;
        };
        let age = now.since(recorded);
        self.age_days = Some(age.as_millis() / 86_400_000);
        if let Some(text) = too_old(recorded, now, most) {
            self.because(Reason::RecordingStale, text);
        }
    }
}

/// Why a recording of that time is not to be used at `now`.
pub(crate) fn too_old(recorded: Timestamp, now: Timestamp, most: Span) -> Option<String> {
    let age = now.since(recorded);
    // Clocks of two machines may disagree, but not by a day.
    if recorded > now.after(Span::from_secs(86_400)) {
        return Some(format!(
            "it says it was recorded at {recorded}, which is yet to come"
        ));
    }
    (age > most).then(|| {
        let days = age.as_millis() / 86_400_000;
        format!("recorded at {recorded}, {days} days ago; {most} are allowed")
    })
}

//! Counting outcomes while the load runs; a [`Report`] is a copy of it.

use crate::report::{
    ErrorCounts, ErrorKind, Failure, Quantiles, Report, StatusCounts, VersionCount,
};
use crate::shot::{Answer, Trace};
use hdrhistogram::Histogram;
use http::StatusCode;
use std::collections::BTreeMap;
use std::time::Duration;

/// Versions counted apart; a server that makes up versions must not fill the memory.
const VERSIONS: usize = 64;
/// Where the versions beyond go.
const OTHER: &str = "(other)";
/// Failures kept with their details.
const FAILURES: usize = 20;

/// The outcome of one request.
pub(crate) struct Outcome {
    pub(crate) shot: usize,
    /// When it was due and when it ended, from the start of the load.
    pub(crate) due: Duration,
    pub(crate) end: Duration,
    pub(crate) trace: Trace,
    pub(crate) result: Result<Answer, (ErrorKind, String)>,
}

struct Version {
    server_errors: u64,
    first: Duration,
    last: Duration,
    histogram: Histogram<u64>,
}

/// All counts of one load.
pub(crate) struct Tally {
    started_at_unix_ms: u64,
    sent: u64,
    first_due: Duration,
    last_due: Duration,
    last_end: Duration,
    worst_lag: Duration,
    status: StatusCounts,
    errors: ErrorCounts,
    ok: u64,
    retried: u64,
    connections: u64,
    unversioned: u64,
    histogram: Histogram<u64>,
    versions: BTreeMap<String, Version>,
    failures: Vec<Failure>,
}

impl Tally {
    pub(crate) fn new(started_at_unix_ms: u64) -> Self {
        Self {
            started_at_unix_ms,
            sent: 0,
            first_due: Duration::ZERO,
            last_due: Duration::ZERO,
            last_end: Duration::ZERO,
            worst_lag: Duration::ZERO,
            status: StatusCounts::default(),
            errors: ErrorCounts::default(),
            ok: 0,
            retried: 0,
            connections: 0,
            unversioned: 0,
            histogram: histogram(),
            versions: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    /// A request that was due at `due` was taken up at `now`.
    pub(crate) fn sent(&mut self, due: Duration, now: Duration) {
        if self.sent == 0 {
            self.first_due = due;
        }
        self.sent += 1;
        self.last_due = due;
        self.worst_lag = self.worst_lag.max(now.saturating_sub(due));
    }

    pub(crate) fn record(&mut self, outcome: Outcome) {
        let Outcome {
            shot,
            due,
            end,
            trace,
            result,
        } = outcome;
        let latency = end.saturating_sub(due);
        self.last_end = self.last_end.max(end);
        self.retried += u64::from(trace.retried);
        self.connections += u64::from(trace.connected);
        let failure = match result {
            Ok(answer) => self.answered(&answer, latency, end),
            Err((kind, text)) => {
                self.errors.count(kind);
                if kind == ErrorKind::Timeout {
                    self.histogram.saturating_record(micros(latency));
                }
                Some((format!("{kind:?}: {text}").to_lowercase(), None))
            }
        };
        if let (Some((what, version)), true) = (failure, self.failures.len() < FAILURES) {
            self.failures.push(Failure {
                at_ms: ms(end),
                shot,
                what,
                version,
            });
        }
    }

    /// Counts an answer; returns what it was and by whom if it was a failure.
    fn answered(
        &mut self,
        answer: &Answer,
        latency: Duration,
        end: Duration,
    ) -> Option<(String, Option<String>)> {
        let ok = answer.status < StatusCode::BAD_REQUEST;
        self.status.count(answer.status);
        self.ok += u64::from(ok);
        self.histogram.saturating_record(micros(latency));
        let name = answer
            .version
            .as_ref()
            .and_then(|value| value.to_str().ok());
        match name {
            None => self.unversioned += 1,
            Some(name) => {
                let full = self.versions.len() >= VERSIONS && !self.versions.contains_key(name);
                let name = if full { OTHER } else { name };
                let version = self
                    .versions
                    .entry(name.to_owned())
                    .or_insert_with(|| Version {
                        server_errors: 0,
                        first: end,
                        last: end,
                        histogram: histogram(),
                    });
                version.first = version.first.min(end);
                version.last = version.last.max(end);
                version.server_errors += u64::from(answer.status.is_server_error());
                version.histogram.saturating_record(micros(latency));
            }
        }
        (!ok).then(|| (answer.status.to_string(), name.map(str::to_owned)))
    }

    /// The counts as of `now`; `None` when the load has ended.
    pub(crate) fn report(&self, now: Option<Duration>) -> Report {
        let span = (self.last_due - self.first_due).as_secs_f64();
        Report {
            schema: "gonogo.load.report.v1",
            started_at_unix_ms: self.started_at_unix_ms,
            elapsed_ms: ms(now.unwrap_or(self.last_end)),
            sent: self.sent,
            in_flight: self.sent - self.status.sum() - self.errors.sum(),
            ok: self.ok,
            status: self.status,
            errors: self.errors,
            retried: self.retried,
            connections: self.connections,
            rate: (span > 0.0).then(|| (self.sent - 1) as f64 / span),
            worst_lag_ms: ms(self.worst_lag),
            latency: Quantiles::from(&self.histogram),
            versions: self
                .versions
                .iter()
                .map(|(name, version)| (name.clone(), version.count()))
                .collect(),
            unversioned: self.unversioned,
            failures: self.failures.clone(),
            histogram: self.histogram.clone(),
        }
    }
}

impl Version {
    fn count(&self) -> VersionCount {
        VersionCount {
            answers: self.histogram.len(),
            server_errors: self.server_errors,
            first_ms: ms(self.first),
            last_ms: ms(self.last),
            latency: Quantiles::from(&self.histogram),
        }
    }
}

/// Microseconds up to two hours, three significant digits: 200 KB. The bound is above the longest
/// timeout there is, so that saturating (which growing histograms do, too) loses nothing.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 7_200_000_000, 3)
        .expect("invariant: 1 to two hours at 3 significant digits is allowed")
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Milliseconds with the microseconds as a fraction.
fn ms(time: Duration) -> f64 {
    micros(time) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn versions_beyond_the_limit_are_counted_together() {
        let mut tally = Tally::new(0);
        for n in 0..100 {
            tally.sent(Duration::ZERO, Duration::ZERO);
            tally.record(Outcome {
                shot: 0,
                due: Duration::ZERO,
                end: Duration::from_millis(n),
                trace: Trace::default(),
                result: Ok(Answer {
                    status: StatusCode::INTERNAL_SERVER_ERROR,
                    version: HeaderValue::from_str(&format!("{n}")).ok(),
                }),
            });
        }
        let report = tally.report(None);
        assert_eq!(report.versions.len(), VERSIONS + 1);
        assert_eq!(report.versions[OTHER].answers, 36);
        assert_eq!(report.versions[OTHER].first_ms, 64.0);
        assert_eq!(report.versions[OTHER].last_ms, 99.0);
        assert_eq!(report.failures.len(), FAILURES);
        assert_eq!(
            (report.sent, report.outcomes(), report.failed()),
            (100, 100, 100)
        );
    }
}

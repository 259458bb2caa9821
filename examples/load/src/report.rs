//! What a load has seen: the counts, the latencies, the versions.
//!
//! Serializes to `gonogo.load.report.v1`; times are milliseconds since the start of the load.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;

/// How a request failed without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ErrorKind {
    Connect,
    Timeout,
    Reset,
    Protocol,
}

/// The state of a load, running or ended.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// `gonogo.load.report.v1`.
    pub schema: &'static str,
    /// Wall-clock start, milliseconds since the Unix epoch.
    pub started_at_unix_ms: u64,
    /// Milliseconds from the start to this report, or to the last outcome when the load has ended.
    pub elapsed_ms: f64,
    /// Requests that became due and were taken up.
    pub sent: u64,
    /// Requests without an outcome yet; 0 when the load has ended.
    pub in_flight: u64,
    /// Answers with a status below 400.
    pub ok: u64,
    /// Answers by class of status.
    pub status: StatusCounts,
    /// Requests without an answer, by kind.
    pub errors: ErrorCounts,
    /// Requests sent a second time because not a byte of them had been written.
    pub retried: u64,
    /// Connections made.
    pub connections: u64,
    /// Requests per second that became due, over the time from the first to the last one.
    pub rate: Option<f64>,
    /// The longest time between a request being due and it being taken up: the generator's own
    /// lateness, part of the latencies. Milliseconds.
    pub worst_lag_ms: f64,
    /// Latency from the intended start to the last byte. Timeouts are in it with the time that was
    /// waited, a lower bound; refused and broken connections are not, they would flatter it.
    pub latency: Quantiles,
    /// By value of the `x-version` header. The 65th and later values are counted under `(other)`.
    pub versions: BTreeMap<String, VersionCount>,
    /// Answers without a readable `x-version`.
    pub unversioned: u64,
    /// The first 20 failures: errors and answers with a status of 400 and above.
    pub failures: Vec<Failure>,
    #[serde(skip)]
    pub(crate) histogram: Histogram<u64>,
}

impl Report {
    /// Outcomes there are: answers and errors. Equals `sent` when the load has ended.
    pub fn outcomes(&self) -> u64 {
        self.status.sum() + self.errors.sum()
    }

    /// Everything that is not `ok`.
    pub fn failed(&self) -> u64 {
        self.outcomes() - self.ok
    }

    /// The latencies behind [`Report::latency`], in microseconds, three significant digits.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }
}

/// Answers by class of status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StatusCounts {
    /// 1xx that ended a request (101).
    pub informational: u64,
    /// 2xx.
    pub success: u64,
    /// 3xx; not followed.
    pub redirection: u64,
    /// 4xx.
    pub client_error: u64,
    /// 5xx.
    pub server_error: u64,
    /// 600 and above, which mean nothing.
    pub other: u64,
}

impl StatusCounts {
    /// All answers.
    pub fn sum(&self) -> u64 {
        self.informational
            + self.success
            + self.redirection
            + self.client_error
            + self.server_error
            + self.other
    }

    pub(crate) fn count(&mut self, status: http::StatusCode) {
        *match status.as_u16() {
            100..=199 => &mut self.informational,
            200..=299 => &mut self.success,
            300..=399 => &mut self.redirection,
            400..=499 => &mut self.client_error,
            500..=599 => &mut self.server_error,
            _ => &mut self.other,
        } += 1;
    }
}

/// Requests without an answer, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ErrorCounts {
    /// No connection: refused or unreachable.
    pub connect: u64,
    /// No whole answer within the timeout, counted from the intended start.
    pub timeout: u64,
    /// The connection broke after the request may have been written.
    pub reset: u64,
    /// The answer was not HTTP.
    pub protocol: u64,
}

impl ErrorCounts {
    /// All requests without an answer.
    pub fn sum(&self) -> u64 {
        self.connect + self.timeout + self.reset + self.protocol
    }

    pub(crate) fn count(&mut self, kind: ErrorKind) {
        *match kind {
            ErrorKind::Connect => &mut self.connect,
            ErrorKind::Timeout => &mut self.timeout,
            ErrorKind::Reset => &mut self.reset,
            ErrorKind::Protocol => &mut self.protocol,
        } += 1;
    }
}

/// What one version answered.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct VersionCount {
    /// Answers.
    pub answers: u64,
    /// Answers with a 5xx status.
    pub server_errors: u64,
    /// Arrival of its first answer, milliseconds since the start.
    pub first_ms: f64,
    /// Arrival of its last answer, milliseconds since the start.
    pub last_ms: f64,
    /// Latency of its answers.
    pub latency: Quantiles,
}

/// A request that failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// When its outcome came, milliseconds since the start.
    pub at_ms: f64,
    /// Index of its request in the mix.
    pub shot: usize,
    /// The status, or the kind of error and its text.
    pub what: String,
    /// The version that answered, if one did.
    pub version: Option<String>,
}

/// A distribution of latencies in milliseconds; all 0 when `count` is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Quantiles {
    /// Latencies recorded.
    pub count: u64,
    /// Arithmetic mean.
    pub mean_ms: f64,
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

impl From<&Histogram<u64>> for Quantiles {
    fn from(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        Self {
            count: histogram.len(),
            mean_ms: histogram.mean() / 1000.0,
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: histogram.max() as f64 / 1000.0,
        }
    }
}

//! What is counted, and how it is written for Prometheus (text exposition format 0.0.4).
//!
//! Names and units follow prometheus.io/docs/practices/naming. Labels are use cases, classes, codes, statuses and words of fixed lists:
//! nothing that a caller says becomes a label. A call costs four atomic additions.

use std::sync::OnceLock;
use std::time::Duration;

use gonogo_core::envelope::{Class, Code};
use prometheus::{
    Counter, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::process;
use crate::traces::Lost;

/// Upper bounds of a call's time, in seconds; the objectives' 2 and 5 are among them.
const SECONDS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0,
];

/// Words for how a call ended, by [`Outcome::index`].
pub const OUTCOMES: [&str; 13] = [
    "OK",
    "RUNNER_ERROR",
    "APPROVAL_REQUIRED",
    "INPUT_VALIDATION_FAILED",
    "CONFLICT",
    "DEPENDENCY_UNAVAILABLE",
    "UPSTREAM_UNAVAILABLE",
    "UPSTREAM_TIMEOUT",
    "RATE_LIMIT",
    "AUTH_FAILURE",
    "UNAUTHORIZED",
    "LEFT",
    "REFUSED",
];

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Answered,
    /// It was refused, or failed.
    Failed(Code),
    /// A decision stood in its way: the contract's code says `RUNNER_ERROR`, and nothing of ours failed.
    Refused,
    /// Whoever asked went away before.
    Left,
}

impl Outcome {
    /// Its place in [`OUTCOMES`].
    pub const fn index(self) -> usize {
        match self {
            Self::Answered => 0,
            Self::Left => 11,
            Self::Refused => 12,
            Self::Failed(code) => match code {
                Code::RunnerError => 1,
                Code::ApprovalRequired => 2,
                Code::InputValidationFailed => 3,
                Code::Conflict => 4,
                Code::DependencyUnavailable => 5,
                Code::UpstreamUnavailable => 6,
                Code::UpstreamTimeout => 7,
                Code::RateLimit => 8,
                Code::AuthFailure => 9,
                Code::Unauthorized => 10,
            },
        }
    }

    /// Its word.
    pub const fn word(self) -> &'static str {
        OUTCOMES[self.index()]
    }
}

/// The places of a class of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane(usize);

impl Lane {
    const WORDS: [&'static str; 3] = ["read", "plan", "apply"];

    /// The lane of a class.
    pub const fn of(class: Class) -> Self {
        match class {
            Class::Read => Self(0),
            Class::Plan => Self(1),
            Class::Apply => Self(2),
        }
    }

    /// Its word.
    pub const fn word(self) -> &'static str {
        Self::WORDS[self.0]
    }
}

/// What is looked at when somebody asks, and not counted meanwhile.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gauges {
    /// Operations that have not ended.
    pub open: Open,
    /// Seconds since the oldest effect whose outcome is not known was begun; none if there is none.
    pub oldest_open_effect: Option<f64>,
    /// Acknowledged records.
    pub ledger: u64,
    /// Effects that wait to be sent, and that were sent and have no outcome yet.
    pub outbox: [u64; 2],
    /// Records that wait to be put into the ledger.
    pub pending_records: u64,
}

/// Operations that have not ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Open {
    /// A live controller drives them.
    pub driven: u64,
    /// Nobody does.
    pub waiting: u64,
}

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    duration: HistogramVec,
    tools: Vec<OfTool>,
    in_flight: [IntGauge; 3],
    responses: IntCounterVec,
    by_status: Vec<OnceLock<IntCounter>>,
    events: IntGauge,
    looked: Looked,
    spans: [IntCounter; 2],
    spans_queued: IntGauge,
    unwritten: IntCounter,
}

/// A use case's own, made when they are first needed.
struct OfTool {
    name: &'static str,
    class: &'static str,
    ended: [OnceLock<IntCounter>; OUTCOMES.len()],
    took: OnceLock<Histogram>,
}

/// What is set at each look.
struct Looked {
    operations: IntGaugeVec,
    oldest: Gauge,
    ledger: IntGauge,
    outbox: IntGaugeVec,
    pending: IntGauge,
    readable: IntGauge,
    process: [Gauge; 5],
    cpu: Counter,
}

const VALID: &str = "invariant: names and labels are constants, and none stands twice";

impl Metrics {
    /// Counts calls of these use cases, each with its class. `version` is this gonogo's.
    ///
    /// # Panics
    /// Never: names and labels are constants.
    pub fn new(tools: &[(&'static str, Class)], version: &str) -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| {
            let made = IntCounter::new(name, help).expect(VALID);
            registry.register(Box::new(made.clone())).expect(VALID);
            made
        };
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let made = IntCounterVec::new(Opts::new(name, help), labels).expect(VALID);
            registry.register(Box::new(made.clone())).expect(VALID);
            made
        };
        let gauge = |name: &str, help: &str| {
            let made = IntGauge::new(name, help).expect(VALID);
            registry.register(Box::new(made.clone())).expect(VALID);
            made
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let made = IntGaugeVec::new(Opts::new(name, help), labels).expect(VALID);
            registry.register(Box::new(made.clone())).expect(VALID);
            made
        };
        let number = |name: &str, help: &str| {
            let made = Gauge::new(name, help).expect(VALID);
            registry.register(Box::new(made.clone())).expect(VALID);
            made
        };
        let took = HistogramOpts::new(
            "gonogo_request_duration_seconds",
            "Time for an answer to a call of a use case, the wait for a place included.",
        )
        .buckets(SECONDS.to_vec());
        let duration = HistogramVec::new(took, &["tool", "class"]).expect(VALID);
        registry.register(Box::new(duration.clone())).expect(VALID);
        let lanes = gauges(
            "gonogo_requests_in_flight",
            "Calls of use cases that are under way or wait for a place, by class.",
            &["lane"],
        );
        let build = gauges(
            "gonogo_build_info",
            "Always 1; what runs stands in the labels.",
            &["version"],
        );
        build.with_label_values(&[version]).set(1);
        let process = [
            (
                "process_resident_memory_bytes",
                "Bytes of this process in memory.",
            ),
            (
                "process_virtual_memory_bytes",
                "Bytes of this process's address space.",
            ),
            (
                "process_start_time_seconds",
                "When this process began, in seconds since 1970.",
            ),
            ("process_open_fds", "Files that this process has open."),
            ("process_max_fds", "Files that this process may have open."),
        ];
        Self {
            requests: counters(
                "gonogo_requests_total",
                "Calls of use cases, by how they ended: OK, the contract's error code, or LEFT where the caller went away.",
                &["tool", "class", "code"],
            ),
            duration,
            tools: tools
                .iter()
                .map(|(name, class)| OfTool {
                    name,
                    class: Lane::of(*class).word(),
                    ended: [const { OnceLock::new() }; OUTCOMES.len()],
                    took: OnceLock::new(),
                })
                .collect(),
            in_flight: Lane::WORDS.map(|lane| lanes.with_label_values(&[lane])),
            responses: counters(
                "gonogo_http_responses_total",
                "Answers over HTTP, by status; also those that no use case gave.",
                &["status"],
            ),
            by_status: (100..600).map(|_| OnceLock::new()).collect(),
            events: gauge("gonogo_event_readers", "Callers that follow events."),
            looked: Looked {
                operations: gauges(
                    "gonogo_operations_open",
                    "Operations that have not ended: driven by a live controller, or waiting for one.",
                    &["state"],
                ),
                oldest: number(
                    "gonogo_open_effect_oldest_age_seconds",
                    "Age of the oldest effect whose outcome is not known; 0 if there is none.",
                ),
                ledger: gauge(
                    "gonogo_ledger_records",
                    "Acknowledged records of the ledger.",
                ),
                outbox: gauges(
                    "gonogo_outbox_effects",
                    "Effects that wait to be sent, or were sent and have no outcome yet.",
                    &["state"],
                ),
                pending: gauge(
                    "gonogo_outbox_records",
                    "Records that wait to be put into the ledger.",
                ),
                readable: gauge(
                    "gonogo_store_readable",
                    "1 if the store and the ledger could be read for this answer; 0 if what is told of them is older.",
                ),
                process: process.map(|(name, help)| number(name, help)),
                cpu: {
                    let name = "process_cpu_seconds_total";
                    let made = Counter::new(name, "CPU time of this process so far.").expect(VALID);
                    registry.register(Box::new(made.clone())).expect(VALID);
                    made
                },
            },
            spans: [
                counter(
                    "gonogo_spans_exported_total",
                    "Spans that a collector has taken.",
                ),
                counter(
                    "gonogo_spans_dropped_total",
                    "Spans that no collector got: the queue was full, or nobody took them.",
                ),
            ],
            spans_queued: gauge("gonogo_spans_queued", "Spans that wait to be sent."),
            unwritten: counter(
                "gonogo_calls_unwritten_total",
                "Measured calls that could not be kept for `gonogo slo report`.",
            ),
            registry,
        }
    }

    /// A call of the use case at this place begins.
    pub fn began(&self, lane: Lane) {
        self.in_flight[lane.0].inc();
    }

    /// A call ended.
    pub fn ended(&self, tool: usize, lane: Lane, outcome: Outcome, took: Duration) {
        self.in_flight[lane.0].dec();
        let Some(of) = self.tools.get(tool) else {
            return;
        };
        let labels = [of.name, of.class, outcome.word()];
        of.ended[outcome.index()]
            .get_or_init(|| self.requests.with_label_values(&labels))
            .inc();
        of.took
            .get_or_init(|| self.duration.with_label_values(&[of.name, of.class]))
            .observe(took.as_secs_f64());
    }

    /// An answer was sent over HTTP.
    pub fn answered(&self, status: u16) {
        let at = usize::from(status).checked_sub(100);
        if let Some(cell) = at.and_then(|at| self.by_status.get(at)) {
            let label = status.to_string();
            cell.get_or_init(|| self.responses.with_label_values(&[&label]))
                .inc();
        }
    }

    /// So many callers follow events now.
    pub fn followed(&self, readers: usize) {
        self.events.set(i64::try_from(readers).unwrap_or(i64::MAX));
    }

    /// So many measured calls could not be kept.
    pub fn unwritten(&self, calls: u64) {
        self.unwritten.inc_by(calls);
    }

    /// Takes what was looked at; none if it could not be.
    pub fn look(&self, gauges: Option<&Gauges>) {
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let l = &self.looked;
        l.readable.set(i64::from(gauges.is_some()));
        let Some(g) = gauges else {
            return;
        };
        let states = [("driven", g.open.driven), ("waiting", g.open.waiting)];
        for (state, n) in states {
            l.operations.with_label_values(&[state]).set(whole(n));
        }
        l.oldest.set(g.oldest_open_effect.unwrap_or(0.0));
        l.ledger.set(whole(g.ledger));
        for (state, n) in [("ready", g.outbox[0]), ("sent", g.outbox[1])] {
            l.outbox.with_label_values(&[state]).set(whole(n));
        }
        l.pending.set(whole(g.pending_records));
    }

    /// Takes what became of spans so far.
    pub fn spans(&self, lost: &Lost) {
        let now = [lost.exported, lost.dropped];
        for (counter, now) in self.spans.iter().zip(now) {
            counter.inc_by(now.saturating_sub(counter.get()));
        }
        let queued = i64::try_from(lost.queued).unwrap_or(i64::MAX);
        self.spans_queued.set(queued);
    }

    /// Everything, as Prometheus reads it; the content type is [`Metrics::CONTENT_TYPE`].
    pub fn text(&self) -> String {
        let seen = process::look();
        let whole = |n: Option<u64>| n.map(|n| n as f64);
        let now = [
            whole(seen.resident),
            whole(seen.space),
            seen.start,
            whole(seen.files),
            whole(seen.files_most),
        ];
        for (gauge, now) in self.looked.process.iter().zip(now) {
            gauge.set(now.unwrap_or(f64::NAN));
        }
        let cpu = seen.cpu.unwrap_or(0.0) - self.looked.cpu.get();
        self.looked.cpu.inc_by(cpu.max(0.0));
        let families = self.registry.gather();
        let written = TextEncoder::new().encode_to_string(&families);
        // Only a family without metrics cannot be written, and a registry gives none.
        written.unwrap_or_default()
    }

    /// The media type of [`Metrics::text`].
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics::new(
            &[("apply_change", Class::Apply), ("plan_get", Class::Read)],
            "0.1.0",
        )
    }

    #[test]
    fn words_of_outcomes_are_the_contract_s() {
        for code in [
            Code::RunnerError,
            Code::ApprovalRequired,
            Code::InputValidationFailed,
            Code::Conflict,
            Code::DependencyUnavailable,
            Code::UpstreamUnavailable,
            Code::UpstreamTimeout,
            Code::RateLimit,
            Code::AuthFailure,
            Code::Unauthorized,
        ] {
            let word = serde_json::to_value(code).unwrap();
            assert_eq!(word, Outcome::Failed(code).word());
        }
        assert_eq!(Outcome::Answered.word(), "OK");
        assert_eq!(Outcome::Left.word(), "LEFT");
        assert_eq!(Outcome::Refused.word(), "REFUSED");
    }

    #[test]
    fn calls_are_told_by_use_case_class_and_code() {
        let m = metrics();
        let lane = Lane::of(Class::Apply);
        m.began(lane);
        m.began(lane);
        m.ended(
            0,
            lane,
            Outcome::Failed(Code::ApprovalRequired),
            Duration::from_millis(1500),
        );
        let text = m.text();
        for line in [
            r#"gonogo_requests_total{class="apply",code="APPROVAL_REQUIRED",tool="apply_change"} 1"#,
            r#"gonogo_request_duration_seconds_bucket{class="apply",tool="apply_change",le="1"} 0"#,
            r#"gonogo_request_duration_seconds_bucket{class="apply",tool="apply_change",le="2"} 1"#,
            r#"gonogo_request_duration_seconds_bucket{class="apply",tool="apply_change",le="5"} 1"#,
            r#"gonogo_requests_in_flight{lane="apply"} 1"#,
            r#"gonogo_build_info{version="0.1.0"} 1"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(!text.contains(r#"tool="plan_get""#), "nobody called it");
    }

    #[test]
    fn what_cannot_be_looked_at_is_told_as_older() {
        let m = metrics();
        let gauges = Gauges {
            ledger: 7,
            oldest_open_effect: Some(2.5),
            ..Gauges::default()
        };
        m.look(Some(&gauges));
        m.look(None);
        let text = m.text();
        assert!(text.contains("\ngonogo_store_readable 0\n"), "{text}");
        assert!(text.contains("\ngonogo_ledger_records 7\n"), "{text}");
        assert!(
            text.contains("\ngonogo_open_effect_oldest_age_seconds 2.5\n"),
            "{text}"
        );
    }

    #[test]
    fn a_status_that_is_none_and_a_use_case_that_is_none_are_passed_over() {
        let m = metrics();
        m.answered(200);
        m.answered(99);
        m.answered(600);
        m.ended(9, Lane::of(Class::Read), Outcome::Answered, Duration::ZERO);
        let text = m.text();
        assert!(text.contains(r#"gonogo_http_responses_total{status="200"} 1"#));
        assert_eq!(text.matches("gonogo_http_responses_total{").count(), 1);
    }
}

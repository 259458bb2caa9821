//! Measuring: every call of a use case through any door begins at [`Meter::begin`] and ends at [`Running::end`].
//!
//! What is measured goes three ways: counts for Prometheus, counts that are kept for `gonogo slo report` ([`Meter::keep`]), and a span.
//! Invariants: measuring takes no lock, waits for nothing and fails no call; a call whose caller went away is measured too, so that
//! callers who give up do not make slow calls look rare.

mod looked;

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use gonogo_core::clock::{Clock, SystemClock};
use gonogo_core::envelope::{Class, Code};
use gonogo_core::{Exit, Timestamp};
use gonogo_store::calls::{ByTool, CallLog, Calls};
use gonogo_telemetry::{
    BOUNDS, Kind, Lane, Metrics, OUTCOMES, Outcome, Span, SpanId, Stopwatch, TraceId, bucket,
    unix_nanos,
};

use crate::AppError;
use crate::doors::{TOOLS, Tool};

pub use gonogo_telemetry::{Context, Tracer, settings};
pub use looked::looked;

/// Buckets of time, with the one for what takes longer than all bounds.
const BUCKETS: usize = BOUNDS.len() + 1;

/// What measures.
pub struct Meter {
    /// What Prometheus is told.
    pub metrics: Metrics,
    /// Where spans go.
    pub tracer: Tracer,
    log: CallLog,
    /// Calls that could not be kept when that was last tried, and wait.
    unkept: AtomicU64,
    cells: Vec<[OnceLock<Box<Cell>>; OUTCOMES.len()]>,
}

/// Calls of one use case that ended in one way, since they were last kept.
struct Cell {
    untraced: AtomicU64,
    sum: AtomicU64,
    longest: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

impl Cell {
    fn new() -> Box<Self> {
        Box::new(Self {
            untraced: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
        })
    }

    /// Takes what was counted out.
    fn take(&self) -> Calls {
        let mut calls = Calls::default();
        // First, so that no call without a trace is counted among those that come later.
        let untraced = self.untraced.swap(0, Ordering::Relaxed);
        for (n, cell) in self.buckets.iter().enumerate() {
            let count = cell.swap(0, Ordering::Relaxed);
            if count > 0 {
                calls.count += count;
                calls
                    .buckets
                    .insert(u16::try_from(n).unwrap_or(u16::MAX), count);
            }
        }
        calls.traced = calls.count.saturating_sub(untraced);
        calls.sum = self.sum.swap(0, Ordering::Relaxed);
        calls.longest = self.longest.swap(0, Ordering::Relaxed);
        calls
    }

    /// Puts back what could not be kept.
    fn put_back(&self, calls: &Calls) {
        for (bucket, count) in &calls.buckets {
            if let Some(cell) = self.buckets.get(usize::from(*bucket)) {
                cell.fetch_add(*count, Ordering::Relaxed);
            }
        }
        let untraced = calls.count - calls.traced;
        self.untraced.fetch_add(untraced, Ordering::Relaxed);
        self.sum.fetch_add(calls.sum, Ordering::Relaxed);
        self.longest.fetch_max(calls.longest, Ordering::Relaxed);
    }
}

/// A call that is under way.
pub struct Running<'a> {
    meter: &'a Meter,
    tool: &'static Tool,
    begun: Stopwatch,
    context: Context,
    /// The call's own span, where spans are told, and when it began.
    span: Option<(SpanId, u64)>,
    ended: bool,
}

impl Meter {
    /// A meter over a state directory. From here on it is known since when is measured.
    pub fn of(state: &Path, tracer: Tracer) -> Self {
        let log = CallLog::of(state);
        // Where it cannot be noted now, the first calls that are kept note it.
        drop(log.begin(SystemClock::default().now().wall));
        let tools: Vec<(&'static str, Class)> = TOOLS
            .iter()
            .map(|t| (t.facts.name, t.facts.class))
            .collect();
        Self {
            metrics: Metrics::new(&tools, env!("CARGO_PKG_VERSION")),
            tracer,
            log,
            unkept: AtomicU64::new(0),
            cells: tools
                .iter()
                .map(|_| [const { OnceLock::new() }; OUTCOMES.len()])
                .collect(),
        }
    }

    /// A call begins.
    pub fn begin(&self, tool: &'static Tool, context: Context) -> Running<'_> {
        self.metrics.began(Lane::of(tool.facts.class));
        let told = self.tracer.is_on() && context.sampled;
        Running {
            meter: self,
            tool,
            begun: Stopwatch::begin(),
            context,
            span: told.then(|| (SpanId::new(crate::identity::random()), unix_nanos())),
            ended: false,
        }
    }

    /// Measures what is done without waiting for a network.
    ///
    /// # Errors
    /// As `work`.
    pub fn measure<T>(
        &self,
        tool: &'static Tool,
        context: Context,
        work: impl FnOnce(Option<String>) -> Result<T, AppError>,
    ) -> Result<T, AppError> {
        let running = self.begin(tool, context);
        let done = work(running.within());
        running.end(done.as_ref().err());
        done
    }

    /// Keeps what was measured since this was last called, as of `now`. What cannot be kept is kept the next time; returns how many
    /// calls wait for that.
    pub fn keep(&self, now: Timestamp) -> u64 {
        let mut all = ByTool::new();
        let mut from: Vec<(&Cell, Calls)> = Vec::new();
        for (tool, cells) in TOOLS.iter().zip(&self.cells) {
            for (code, cell) in OUTCOMES.iter().zip(cells) {
                let Some(cell) = cell.get() else {
                    continue;
                };
                let calls = cell.take();
                if calls.count > 0 {
                    let key = (tool.facts.name.to_owned(), (*code).to_owned());
                    all.insert(key, calls.clone());
                    from.push((cell, calls));
                }
            }
        }
        if self.log.add(now, &all).is_ok() {
            self.unkept.store(0, Ordering::Relaxed);
            return 0;
        }
        from.iter().for_each(|(cell, calls)| cell.put_back(calls));
        let waiting = all.values().map(|c| c.count).sum();
        // Each is told once, however often it is tried again.
        let before = self.unkept.swap(waiting, Ordering::Relaxed);
        self.metrics.unwritten(waiting.saturating_sub(before));
        waiting
    }
}

impl Running<'_> {
    /// The `traceparent` for what the call begins; none where there is no span that it could name.
    pub fn within(&self) -> Option<String> {
        let span = self.span.map(|(id, _)| id).or(self.context.parent);
        span.map(|id| self.context.within(id))
    }

    /// It was answered, or failed so.
    pub fn end(mut self, error: Option<&AppError>) {
        let outcome = error.map_or(Outcome::Answered, |e| match (e.code(), e.exit()) {
            // No known-good version, gates that do not pass: what answers so has done its work.
            (Code::RunnerError, Exit::Hold | Exit::Fail | Exit::Unjudged) => Outcome::Refused,
            (code, _) => Outcome::Failed(code),
        });
        self.done(outcome, error);
    }

    fn done(&mut self, outcome: Outcome, error: Option<&AppError>) {
        self.ended = true;
        let (took, meter) = (self.begun.elapsed(), self.meter);
        let tool = TOOLS.iter().position(|t| std::ptr::eq(t, self.tool));
        let Some(tool) = tool else {
            return;
        };
        let lane = Lane::of(self.tool.facts.class);
        meter.metrics.ended(tool, lane, outcome, took);
        let cell = meter.cells[tool][outcome.index()].get_or_init(Cell::new);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(of) = cell.buckets.get(usize::from(bucket(micros))) {
            of.fetch_add(1, Ordering::Relaxed);
        }
        if self.context.trace.is_empty() {
            cell.untraced.fetch_add(1, Ordering::Relaxed);
        }
        cell.sum.fetch_add(micros, Ordering::Relaxed);
        cell.longest.fetch_max(micros, Ordering::Relaxed);
        if let Some((id, start)) = self.span {
            meter.tracer.tell(self.told(id, start, outcome, error));
        }
    }

    fn told(&self, id: SpanId, start: u64, outcome: Outcome, error: Option<&AppError>) -> Span {
        let facts = &self.tool.facts;
        let mut attributes = vec![
            ("gonogo.tool", facts.name.into()),
            ("gonogo.class", Lane::of(facts.class).word().into()),
            ("gonogo.code", outcome.word().into()),
            ("gonogo.trace_id", self.context.trace.clone().into()),
        ];
        if let Some(e) = error {
            attributes.push(("gonogo.reason", e.reason.to_string().into()));
        }
        Span {
            trace: TraceId::named(&self.context.trace),
            id,
            parent: self.context.parent,
            name: facts.name.to_owned(),
            kind: Kind::Internal,
            start,
            end: unix_nanos(),
            attributes,
            // The message may name what is not for everybody; the reason says enough.
            error: error.map(|e| e.reason.to_string()),
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.done(Outcome::Left, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use gonogo_core::Reason;

    use super::*;
    use crate::doors;

    fn at() -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }

    fn kept(dir: &Path) -> ByTool {
        CallLog::of(dir).window(at(), at()).unwrap().calls
    }

    #[test]
    fn each_call_is_kept_once_by_how_it_ended() {
        let dir = tempfile::tempdir().unwrap();
        let meter = Meter::of(dir.path(), Tracer::off());
        let tool = doors::find("plan_get").unwrap();
        meter.begin(tool, Context::of("t")).end(None);
        meter.begin(tool, Context::of("")).end(None);
        let e = AppError::new(Reason::PlanNotFound, "no");
        meter.begin(tool, Context::of("t")).end(Some(&e));
        drop(meter.begin(tool, Context::of("t")));
        assert_eq!(meter.keep(at()), 0);
        assert_eq!(meter.keep(at()), 0);
        let calls = kept(dir.path());
        let of = |code: &str| {
            let calls = &calls[&("plan_get".to_owned(), code.to_owned())];
            (calls.count, calls.traced)
        };
        assert_eq!(of("OK"), (2, 1));
        assert_eq!(of("INPUT_VALIDATION_FAILED"), (1, 1));
        assert_eq!(of("LEFT"), (1, 1));
        assert_eq!(calls.len(), 3);
    }

    #[test]
    fn what_cannot_be_kept_waits_and_is_not_lost() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("calls.db");
        std::fs::create_dir(&file).unwrap();
        let meter = Meter::of(dir.path(), Tracer::off());
        let tool = doors::find("plan_get").unwrap();
        meter.begin(tool, Context::of("")).end(None);
        assert_eq!(meter.keep(at()), 1);
        assert_eq!(meter.keep(at()), 1);
        let told = "gonogo_calls_unwritten_total 1";
        assert!(meter.metrics.text().lines().any(|l| l == told));
        std::fs::remove_dir(&file).unwrap();
        meter.begin(tool, Context::of("t")).end(None);
        assert_eq!(meter.keep(at()), 0);
        let calls = kept(dir.path());
        let calls = &calls[&("plan_get".to_owned(), "OK".to_owned())];
        assert_eq!((calls.count, calls.traced), (2, 1));
        assert_eq!(calls.buckets.values().sum::<u64>(), 2);
    }
}

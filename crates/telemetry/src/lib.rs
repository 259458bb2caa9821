//! What gonogo tells of itself while it works: counts for Prometheus, spans for a collector of OpenTelemetry.
//!
//! Floor 2. [`Metrics`] is what is counted, [`Tracer`] where spans go. Invariants: counting takes no lock; a label's values are a list
//! that is known beforehand, so that no caller can make series; a collector that hangs, refuses or is gone costs spans, which are
//! counted, and nothing else: nobody ever waits for it but a process that ends, and that one briefly.

mod buckets;
mod metrics;
mod process;
mod stopwatch;
mod traces;

pub use buckets::{BOUNDS, Counts, at_most, bucket, quantile};
pub use metrics::{Gauges, Lane, Metrics, OUTCOMES, Open, Outcome};
pub use stopwatch::{Stopwatch, unix_nanos};
pub use traces::{Context, Exporting, Kind, Lost, Span, SpanId, TraceId, Tracer, Value, settings};

//! What was served: per-worker counters written without contention, and the snapshot that readers get.
//!
//! Each counter has one writing thread, so an increment is a plain load and store. Stores are `Release` and snapshots read the ends of
//! requests before their starts, so a snapshot never shows more ended than routed requests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::histogram::{BUCKETS, Histogram, bucket_of};

/// A counter with a single writer.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn up(&self) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::Release,
        );
    }

    pub(super) fn down(&self) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_sub(1),
            Ordering::Release,
        );
    }

    fn add(&self, n: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).saturating_add(n),
            Ordering::Release,
        );
    }

    fn raise(&self, n: u64) {
        if n > self.0.load(Ordering::Relaxed) {
            self.0.store(n, Ordering::Release);
        }
    }

    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// One worker's counts for one slot, version and instance. Aligned so that two workers never write to the same cache line.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct SlotStats {
    pub(super) routed: Count,
    pub(super) in_flight: Count,
    pub(super) upgraded_open: Count,
    pub(super) ok: Count,
    pub(super) client_errors: Count,
    pub(super) server_errors: Count,
    pub(super) connect_errors: Count,
    pub(super) timeouts: Count,
    pub(super) aborted: Count,
    pub(super) client_gone: Count,
    pub(super) over_bound: Count,
    sum_nanos: Count,
    max_nanos: Count,
    latency: Box<[Count]>,
}

impl Default for SlotStats {
    fn default() -> Self {
        Self {
            routed: Count::default(),
            in_flight: Count::default(),
            upgraded_open: Count::default(),
            ok: Count::default(),
            client_errors: Count::default(),
            server_errors: Count::default(),
            connect_errors: Count::default(),
            timeouts: Count::default(),
            aborted: Count::default(),
            client_gone: Count::default(),
            over_bound: Count::default(),
            sum_nanos: Count::default(),
            max_nanos: Count::default(),
            latency: (0..BUCKETS).map(|_| Count::default()).collect(),
        }
    }
}

impl SlotStats {
    pub(super) fn record(&self, nanos: u64) {
        self.latency[bucket_of(nanos)].up();
        self.sum_nanos.add(nanos);
        self.max_nanos.raise(nanos);
    }

    fn add_to(&self, out: &mut SlotCounters) {
        for (mine, count) in out.latency.buckets.iter_mut().zip(self.latency.iter()) {
            *mine += count.read();
        }
        out.latency.sum_nanos = out.latency.sum_nanos.saturating_add(self.sum_nanos.read());
        out.latency.max_nanos = out.latency.max_nanos.max(self.max_nanos.read());
        out.over_bound += self.over_bound.read();
        out.ok += self.ok.read();
        out.client_errors += self.client_errors.read();
        out.server_errors += self.server_errors.read();
        out.connect_errors += self.connect_errors.read();
        out.timeouts += self.timeouts.read();
        out.aborted += self.aborted.read();
        out.client_gone += self.client_gone.read();
        out.upgraded_open += self.upgraded_open.read();
        out.in_flight += self.in_flight.read();
        out.routed += self.routed.read();
    }
}

/// One worker's counts that belong to no slot, and its sign of life.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct WorkerStats {
    pub(super) unrouted: Count,
    pub(super) bad_requests: Count,
    pub(super) connections_open: Count,
    /// Connections handed over but not yet taken; written by the accepting thread and the worker.
    pub(super) handed: AtomicU64,
    /// Milliseconds since the start of the proxy at the last tick.
    pub(super) beat: AtomicU64,
}

/// A snapshot of the proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// The routing table in use.
    pub generation: u64,
    /// Counts per slot name. A slot that left the table stays here with its last counts, for as long as its name is not given to
    /// another version or instance (which starts from zero) and at least until its last request has ended.
    pub slots: BTreeMap<String, SlotCounters>,
    /// Requests answered 503 because no slot was eligible.
    pub unrouted: u64,
    /// Client connections open now, tunnels included.
    pub connections_open: u64,
    /// Client connections turned away at `max_connections`.
    pub connections_refused: u64,
    /// Requests refused as malformed; they reach no slot.
    pub bad_requests: u64,
}

/// Counts of one slot, version and instance, cumulative but for the two gauges `in_flight` and `upgraded_open`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotCounters {
    /// The version these counts belong to.
    pub version: String,
    /// The filling of the slot these counts belong to.
    pub instance: u64,
    /// Requests given to the slot.
    pub routed: u64,
    /// Requests under way now (gauge).
    pub in_flight: u64,
    /// Upgraded connections (tunnels) open now (gauge).
    pub upgraded_open: u64,
    /// Ended with a status under 400, accepted upgrades included.
    pub ok: u64,
    /// Ended with a 4xx from the upstream.
    pub client_errors: u64,
    /// Ended with a 5xx from the upstream.
    pub server_errors: u64,
    /// The upstream could not be reached; the client got 502 or 504.
    pub connect_errors: u64,
    /// The upstream was silent for too long; the client got 504, or a broken response when its head was out.
    pub timeouts: u64,
    /// The upstream closed or broke the protocol after it had the request, before the response was complete.
    pub aborted: u64,
    /// The client left, stalled or broke its request body before the response was complete.
    pub client_gone: u64,
    /// Requests that took longer than the slot's `slow_over`, exact; includes clients that left after that time.
    pub over_bound: u64,
    /// Request head received to response body end, of all ended requests but `client_gone`.
    pub latency: Histogram,
}

impl SlotCounters {
    /// Requests that ended, in whatever way.
    #[must_use]
    pub fn completed(&self) -> u64 {
        self.ok
            + self.client_errors
            + self.server_errors
            + self.connect_errors
            + self.timeouts
            + self.aborted
            + self.client_gone
    }

    /// The sum of the workers' counts.
    pub(super) fn of<'a>(stats: impl Iterator<Item = &'a SlotStats>) -> Self {
        let mut out = Self::default();
        for worker in stats {
            worker.add_to(&mut out);
        }
        out
    }
}

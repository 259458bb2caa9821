//! One request's place in the counters, from the choice of a slot to the end of the response.
//!
//! [`Exchange`] is the drop guard behind `in_flight`: dropped without an end it counts as a client that left. `routed` is counted when
//! the request is about to be sent, or ends without that, so a request that was re-drawn while it waited for a connection counts once.

use std::rc::Rc;

use http::StatusCode;
use tokio::time::Instant;

use super::table::Slot;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The upstream's response was handed on whole.
    Status(StatusCode),
    /// No connection to the upstream.
    ConnectError,
    /// The upstream was silent for too long.
    Timeout,
    /// The upstream closed or broke the protocol.
    Aborted,
    /// The client left, stalled or sent a broken body.
    ClientGone,
}

pub(super) struct Exchange {
    slot: Rc<Slot>,
    started: Instant,
    routed: bool,
    ended: bool,
}

impl Exchange {
    pub(super) fn begin(slot: Rc<Slot>, started: Instant) -> Self {
        slot.stats.in_flight.up();
        Self {
            slot,
            started,
            routed: false,
            ended: false,
        }
    }

    pub(super) fn slot(&self) -> &Rc<Slot> {
        &self.slot
    }

    /// Counts the request as routed to its slot; later calls do nothing.
    pub(super) fn mark_routed(&mut self) {
        if !self.routed {
            self.routed = true;
            self.slot.stats.routed.up();
        }
    }

    /// Moves a request that was not sent to another slot.
    pub(super) fn move_to(&mut self, slot: Rc<Slot>) {
        slot.stats.in_flight.up();
        self.slot.stats.in_flight.down();
        self.slot = slot;
    }

    /// Gives the request up without any count: no slot is eligible any more.
    pub(super) fn withdraw(mut self) {
        self.ended = true;
        self.slot.stats.in_flight.down();
    }

    /// Counts the end; later calls do nothing.
    pub(super) fn end(&mut self, end: End) {
        if self.ended {
            return;
        }
        self.ended = true;
        self.mark_routed();
        let stats = &self.slot.stats;
        let taken = self.started.elapsed();
        if taken > self.slot.route.slow_over {
            stats.over_bound.up();
        }
        if end != End::ClientGone {
            stats.record(u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX));
        }
        match end {
            End::Status(status) if status.as_u16() < 400 => stats.ok.up(),
            End::Status(status) if status.is_client_error() => stats.client_errors.up(),
            End::Status(_) => stats.server_errors.up(),
            End::ConnectError => stats.connect_errors.up(),
            End::Timeout => stats.timeouts.up(),
            End::Aborted => stats.aborted.up(),
            End::ClientGone => stats.client_gone.up(),
        }
        stats.in_flight.down();
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.end(End::ClientGone);
    }
}

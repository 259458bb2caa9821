//! What an agent shows: samples, its name, logs.

use gonogo_core::Clock;
use gonogo_release::{Observed, Sample, SlotCounts};

use super::live::Agent;
use super::wire::Hello;
use crate::proxy::SlotCounters;

impl Agent {
    /// Reads all counters together with generation, weights and readiness, under the one lock that all of them change under.
    pub(super) fn sample(&self) -> Sample {
        let mut live = self.lock();
        let live = &mut *live;
        let counters = live
            .proxy
            .as_ref()
            .map(crate::proxy::Proxy::counters)
            .unwrap_or_default();
        live.sampled += 1;
        let mut slots = std::collections::BTreeMap::new();
        for (name, slot) in live.stored.shown() {
            let version = &slot.spec.version;
            let mut counts = SlotCounts {
                version: version.clone(),
                weight: slot.weight,
                ready: live.is_ready(name),
                exits: slot.exits,
                ..SlotCounts::default()
            };
            if let Some(counters) = counters
                .slots
                .get(name)
                .filter(|c| (&c.version, c.instance) == (version, slot.instance))
            {
                let last = live.reported_ok.entry(name.clone()).or_default();
                if last.0 != slot.instance {
                    *last = (slot.instance, 0);
                }
                fill(&mut counts, counters, last.1);
                last.1 = counts.ok;
            }
            slots.insert(name.clone(), counts);
        }
        Sample {
            at: self.clock.now().wall,
            boot: self.boot.clone(),
            seq: live.sampled,
            generation: live.stored.generation,
            slots,
            unrouted: counters.unrouted,
        }
    }

    pub(super) fn observed(&self) -> Observed {
        let live = self.lock();
        live.stored.observed(|slot| live.is_ready(slot))
    }

    pub(super) fn hello(&self) -> Hello {
        let live = self.lock();
        Hello {
            protocol: super::wire::PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            boot: self.boot.clone(),
            environment: self.settings.environment.clone(),
            pid: std::process::id(),
            listen: live
                .proxy
                .as_ref()
                .map_or(self.settings.listen, crate::proxy::Proxy::local_addr)
                .to_string(),
            generation: live.stored.generation,
            fence: live.stored.calls.fence(),
            autostarted: self.settings.autostarted,
        }
    }
}

/// Turns the proxy's counts into the sample's.
///
/// The proxy counts an upgraded connection as ok when it is accepted; the sample counts a request as ended when it has ended, so open
/// ones are taken back out. A client that left before its answer was complete is its own business, like a 4xx (nginx logs it as 499).
/// Requests and tunnels are read one after the other, so that `ok` could seem to fall by one; it is held at the `last` reported.
fn fill(counts: &mut SlotCounts, counters: &SlotCounters, last: u64) {
    counts.routed = counters.routed;
    counts.in_flight = counters.in_flight + counters.upgraded_open;
    counts.ok = counters.ok.saturating_sub(counters.upgraded_open).max(last);
    counts.client_errors = counters.client_errors + counters.client_gone;
    counts.server_errors = counters.server_errors;
    counts.connect_errors = counters.connect_errors;
    counts.timeouts = counters.timeouts;
    counts.aborted = counters.aborted;
    counts.slow = counters.over_bound;
    let micros = |q| {
        counters
            .latency
            .quantile(q)
            .map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX))
    };
    counts.p50_us = micros(0.5);
    counts.p99_us = micros(0.99);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_routed_request_is_in_flight_or_completed() {
        let counters = SlotCounters {
            routed: 20,
            in_flight: 3,
            upgraded_open: 2,
            ok: 10,
            client_errors: 1,
            client_gone: 1,
            server_errors: 2,
            connect_errors: 1,
            timeouts: 1,
            aborted: 1,
            ..SlotCounters::default()
        };
        let mut counts = SlotCounts::default();
        fill(&mut counts, &counters, 0);
        assert_eq!(
            (
                counts.in_flight,
                counts.ok,
                counts.client_errors,
                counts.errors()
            ),
            (5, 8, 2, 5)
        );
        assert_eq!(counts.completed() + counts.in_flight, counts.routed);
        fill(&mut counts, &counters, 9);
        assert_eq!(counts.ok, 9, "never falls");
    }
}

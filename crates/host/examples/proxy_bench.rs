//! The proxy alone as a process, for a load generator to hit: `proxy_bench <listen> <upstream> [workers]`.
//!
//! It prints one line of counters a second, so that a benchmark with counting switched off would show.

use std::net::SocketAddr;
use std::time::Duration;

use gonogo_host::proxy::{Config, FULL_WEIGHT, Proxy, Routes, SlotRoute, Upstream};

/// As in the program that ships.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let usage = "usage: proxy_bench <listen> <upstream> [workers]";
    let listen: SocketAddr = args.next().ok_or(usage)?.parse()?;
    let upstream: SocketAddr = args.next().ok_or(usage)?.parse()?;
    let workers = args.next().map_or(Ok(0), |w| w.parse())?;
    let slot = SlotRoute {
        slot: "blue".to_owned(),
        version: "1".to_owned(),
        instance: 1,
        upstream,
        protocol: Upstream::Http1,
        weight: FULL_WEIGHT,
        ready: true,
        slow_over: Duration::from_millis(50),
    };
    let proxy = Proxy::start(
        Config {
            workers,
            ..Config::new(listen)
        },
        Routes {
            generation: 1,
            slots: vec![slot],
        },
    )?;
    let mut last = 0;
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let counters = proxy.counters();
        let blue = &counters.slots["blue"];
        if blue.routed != last {
            last = blue.routed;
            report(blue);
        }
    }
}

#[expect(clippy::print_stdout, reason = "an example reports to its user")]
fn report(slot: &gonogo_host::proxy::SlotCounters) {
    println!(
        "routed {} ok {} other {} in flight {} p50 {:?} p99 {:?}",
        slot.routed,
        slot.ok,
        slot.completed() - slot.ok,
        slot.in_flight,
        slot.latency.quantile(0.5),
        slot.latency.quantile(0.99)
    );
}

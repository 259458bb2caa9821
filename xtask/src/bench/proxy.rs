//! The agent's proxy beside Envoy and nginx: the same upstream, load, workers and machine, in turns within one run.
//!
//! Invariants: figures of one round are compared only with figures of the same round; the order within a round moves on by
//! one each time; a round in which wrk or our proxy saw an error counts for nobody, and the bench fails.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::figures::{grouped, median};
use super::peers::{self, Running, WORKERS};
use super::{Bench, Measured, Row, Settings, now, target};
use crate::run::{cargo, loud, output};

pub(super) const PROXY: Bench = Bench {
    name: "proxy",
    bars: &[
        ("proxy throughput beside Envoy", "≥ 1.5 × Envoy"),
        ("proxy p99 beside Envoy", "≤ 1 × Envoy"),
        ("proxy throughput beside nginx", "≥ 0.7 × nginx"),
    ],
    run: proxy,
};

/// Connections of wrk.
const CONNECTIONS: usize = 64;

/// What wrk saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Load {
    requests: f64,
    pub(super) rps: f64,
    p99_ms: f64,
}

/// A proxy that runs, or why it does not.
struct Contender {
    name: &'static str,
    port: u16,
    running: Result<Running>,
}

fn proxy(settings: &Settings) -> Result<Measured> {
    peers::install()?;
    loud(
        "proxy in release",
        cargo().args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "gonogo-host",
            "--example",
            "proxy_bench",
        ]),
    )?;
    let up = free_port()?;
    let mut upstream = peers::upstream(up)?;
    wait_for(up, &mut upstream).context("the upstream")?;
    let mut contenders = Vec::new();
    for name in ["gonogo", "envoy", "nginx"] {
        let port = free_port()?;
        let running = match name {
            "gonogo" => ours(port, up),
            "envoy" => peers::envoy_proxy(port, up),
            _ => peers::nginx_proxy(port, up),
        };
        let running = running.and_then(|mut r| wait_for(port, &mut r).map(|()| r));
        contenders.push(Contender {
            name,
            port,
            running,
        });
    }
    if let Err(e) = &contenders[0].running {
        bail!("our proxy: {e:#}");
    }
    let rounds = settings.runs(5, 2) as usize;
    let seconds = settings.runs(8, 2);
    for contender in contenders.iter().filter(|c| c.running.is_ok()) {
        wrk(contender.port, 2)?;
    }
    let mut taken: Vec<[Option<Load>; 3]> = Vec::new();
    let mut direct = Vec::new();
    for round in 0..rounds {
        let mut loads = [None; 3];
        for i in 0..contenders.len() {
            let at = (i + round) % contenders.len();
            if contenders[at].running.is_ok() {
                let load = wrk(contenders[at].port, seconds);
                loads[at] =
                    Some(load.with_context(|| format!("round {round}, {}", contenders[at].name))?);
            }
        }
        direct.push(wrk(up, seconds)?.rps);
        taken.push(loads);
    }
    let sent = taken.iter().filter_map(|l| l[0]).map(|l| l.requests).sum();
    let counted = counted(&contenders[0], sent, rounds + 1)?;
    let why = |at: usize| {
        contenders[at]
            .running
            .as_ref()
            .err()
            .map(|e| format!("{e:#}"))
    };
    let rows = rows(&taken, why(1).as_deref(), why(2).as_deref());
    let raw = json!({
        "workers": WORKERS, "rounds": told(&taken), "direct_rps": direct, "seconds_each": seconds, "counted_by_ours": counted,
        "ratios": ratios_told(&taken),
    });
    Ok(Measured { rows, raw })
}

fn rows(taken: &[[Option<Load>; 3]], no_envoy: Option<&str>, no_nginx: Option<&str>) -> Vec<Row> {
    let [(a, a_bar), (b, b_bar), (c, c_bar)] = [PROXY.bars[0], PROXY.bars[1], PROXY.bars[2]];
    let middle = |at: usize, of: fn(&Load) -> f64| {
        let values: Vec<f64> = taken
            .iter()
            .filter_map(|l| l[at].as_ref().map(of))
            .collect();
        median(&values)
    };
    let rps = |at: usize| format!("{} a second", grouped(middle(at, |l| l.rps)));
    let p99 = |at: usize| format!("{:.2} ms", middle(at, |l| l.p99_ms));
    let row = |what,
               bar,
               peer: usize,
               of: fn(&Load) -> f64,
               told: &dyn Fn(usize) -> String,
               met: fn(f64) -> bool| {
        let ratio = median(&ratios(taken, peer, of));
        // Not a number compares as false, so it is never met.
        Row::new(what, bar, format!("{ratio:.2} × ({})", told(0)), met(ratio)).beside(told(peer))
    };
    let mut rows = Vec::new();
    match no_envoy {
        Some(why) => {
            rows.extend([(a, a_bar), (b, b_bar)].map(|(what, bar)| Row::skipped(what, bar, why)))
        }
        None => rows.extend([
            row(a, a_bar, 1, |l| l.rps, &rps, |r| r >= 1.5),
            row(b, b_bar, 1, |l| l.p99_ms, &p99, |r| r <= 1.0),
        ]),
    }
    match no_nginx {
        Some(why) => rows.push(Row::skipped(c, c_bar, why)),
        None => rows.push(row(c, c_bar, 2, |l| l.rps, &rps, |r| r >= 0.7)),
    }
    rows
}

/// Ours over the peer's, round by round.
fn ratios(taken: &[[Option<Load>; 3]], peer: usize, of: fn(&Load) -> f64) -> Vec<f64> {
    let pairs = taken.iter().filter_map(|l| l[0].zip(l[peer]));
    pairs
        .map(|(ours, theirs)| of(&ours) / of(&theirs))
        .collect()
}

fn ratios_told(taken: &[[Option<Load>; 3]]) -> Value {
    json!({
        "rps_to_envoy": ratios(taken, 1, |l| l.rps), "p99_to_envoy": ratios(taken, 1, |l| l.p99_ms),
        "rps_to_nginx": ratios(taken, 2, |l| l.rps), "p99_to_nginx": ratios(taken, 2, |l| l.p99_ms),
    })
}

fn told(taken: &[[Option<Load>; 3]]) -> Vec<Value> {
    let load = |l: &Option<Load>| {
        l.map(|l| json!({"rps": l.rps, "p99_ms": l.p99_ms, "requests": l.requests}))
    };
    taken
        .iter()
        .map(|[a, b, c]| json!({"gonogo": load(a), "envoy": load(b), "nginx": load(c)}))
        .collect()
}

fn ours(port: u16, upstream: u16) -> Result<Running> {
    let mut command = Command::new(target().join("release/examples/proxy_bench"));
    command
        .arg(format!("127.0.0.1:{port}"))
        .arg(format!("127.0.0.1:{upstream}"))
        .arg(WORKERS);
    Running::start("gonogo", command, None)
}

/// What our proxy says that it routed in `turns` of wrk: all that wrk sent, so it counted while it was measured; and all of
/// it well, but for what wrk cuts off in the middle when its time is over.
fn counted(ours: &Contender, sent: f64, turns: usize) -> Result<f64> {
    let running = ours
        .running
        .as_ref()
        .map_err(|e| anyhow::anyhow!("{e:#}"))?;
    // It tells once a second.
    std::thread::sleep(Duration::from_millis(1_500));
    let text = running.said();
    let line = text.lines().last().unwrap_or_default();
    let (routed, other) = counters(line).with_context(|| format!("our proxy said `{line}`"))?;
    ensure!(
        routed >= sent,
        "our proxy counted {routed} of {sent} requests"
    );
    let cut = (turns * CONNECTIONS) as f64;
    ensure!(
        other <= cut,
        "{other} of {routed} requests through our proxy went wrong, of which wrk cut off {cut} at most"
    );
    Ok(routed)
}

/// Routed, and those not well, in `routed 5 ok 5 other 0 in flight …`.
fn counters(line: &str) -> Option<(f64, f64)> {
    let mut words = line.split(' ');
    let mut after = |name| {
        words.find(|w| *w == name)?;
        words.next()?.parse().ok()
    };
    Some((after("routed")?, after("other")?))
}

fn wrk(port: u16, seconds: u32) -> Result<Load> {
    wrk_with(port, "/", &[], seconds)
}

/// Load on one address, with headers.
pub(super) fn wrk_with(port: u16, path: &str, headers: &[&str], seconds: u32) -> Result<Load> {
    let mut command = Command::new("wrk");
    command.args([
        "-t1",
        &format!("-c{CONNECTIONS}"),
        "--latency",
        &format!("-d{seconds}s"),
    ]);
    for header in headers {
        command.args(["-H", header]);
    }
    command.arg(format!("http://127.0.0.1:{port}{path}"));
    let text = output(&mut command)?;
    parse(&text).with_context(|| format!("wrk printed: {text}"))
}

/// Reads what wrk prints; an error that it saw is an error here.
fn parse(text: &str) -> Result<Load> {
    let bad = text
        .lines()
        .map(str::trim)
        .find(|l| l.starts_with("Socket errors") || l.starts_with("Non-2xx"));
    if let Some(bad) = bad {
        bail!("the load met errors: {bad}");
    }
    let after = |name: &str| {
        text.lines()
            .find_map(|l| l.trim().strip_prefix(name))
            .map(str::trim)
    };
    let rps = after("Requests/sec:")
        .and_then(|r| r.parse().ok())
        .context("no `Requests/sec`")?;
    let p99_ms = after("99%")
        .and_then(milliseconds)
        .context("no 99 % latency")?;
    let requests = text
        .lines()
        .find_map(|l| l.split_once(" requests in "))
        .and_then(|(n, _)| n.trim().parse().ok());
    let requests = requests.context("no number of requests")?;
    Ok(Load {
        requests,
        rps,
        p99_ms,
    })
}

/// `1.50ms`, `900.00us`, `2.00s` in milliseconds.
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4)];
    let (unit, factor) = units.iter().find(|(unit, _)| text.ends_with(unit))?;
    text.strip_suffix(unit)?
        .parse::<f64>()
        .ok()
        .map(|n| n * factor)
}

/// A port that is free now.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

pub(super) fn wait_for(port: u16, running: &mut Running) -> Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let began = now();
    while began.elapsed() < Duration::from_secs(20) {
        if let Some(words) = running.ended() {
            bail!("it ended: {words}");
        }
        if TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!(
        "it does not listen after 20 s: {}",
        running.said().lines().last().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// wrk 4.1.0.
    const PRINTED: &str = "\
Running 2s test @ http://127.0.0.1:1/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.51ms  301.55us   6.86ms   79.06%
    Req/Sec    42.41k     1.91k   45.51k    75.00%
  Latency Distribution
     50%    1.48ms
     75%    1.63ms
     90%    1.79ms
     99%    2.50ms
  84399 requests in 2.00s, 59.16MB read
Requests/sec:  42182.98
Transfer/sec:     29.57MB
";

    #[test]
    fn what_wrk_prints_is_read() {
        let load = parse(PRINTED).unwrap();
        assert_eq!(
            load,
            Load {
                requests: 84_399.0,
                rps: 42_182.98,
                p99_ms: 2.5
            }
        );
    }

    #[test]
    fn a_round_with_errors_is_none() {
        for line in [
            "  Socket errors: connect 0, read 0, write 0, timeout 3",
            "  Non-2xx or 3xx responses: 7",
        ] {
            assert!(parse(&format!("{PRINTED}{line}\n")).is_err());
        }
        assert!(parse("").is_err());
    }

    #[test]
    fn units_of_time_are_told_apart() {
        for (text, ms) in [
            ("900.00us", 0.9),
            ("1.50ms", 1.5),
            ("2.00s", 2_000.0),
            ("1.00m", 60_000.0),
        ] {
            assert!((milliseconds(text).unwrap() - ms).abs() < 1e-9, "{text}");
        }
        assert_eq!(milliseconds("x"), None);
    }

    #[test]
    fn counters_are_read() {
        assert_eq!(
            counters("routed 12 ok 11 other 1 in flight 0 p50 None p99 None"),
            Some((12.0, 1.0))
        );
        assert_eq!(counters("other 1"), None);
    }

    #[test]
    fn ratios_are_of_one_round_and_bars_are_kept() {
        let load = |rps, p99_ms| {
            Some(Load {
                requests: 1.0,
                rps,
                p99_ms,
            })
        };
        let taken = vec![
            [load(20.0, 1.0), load(10.0, 2.0), load(40.0, 1.0)],
            [load(10.0, 1.0), load(10.0, 2.0), load(10.0, 1.0)],
        ];
        assert_eq!(ratios(&taken, 1, |l| l.rps), [2.0, 1.0]);
        let met = |rows: Vec<Row>| rows.iter().map(|r| r.met).collect::<Vec<_>>();
        use super::super::Met::{No, Skipped, Yes};
        assert_eq!(met(rows(&taken, None, None)), [Yes, Yes, Yes]);
        assert_eq!(met(rows(&taken[1..], None, None)), [No, Yes, Yes]);
        assert_eq!(
            met(rows(&taken[1..], Some("none"), Some("none"))),
            [Skipped; 3]
        );
        assert_eq!(met(rows(&[], None, None)), [No; 3]);
    }
}

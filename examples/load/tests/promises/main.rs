//! What the load generator promises, against real servers on real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod servers;

use gonogo_load::{Arrivals, Handle, Load, LoadConfig, Report, Shot};
use servers::{HttpServer, RawServer, Reply, unused_address};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn run(config: LoadConfig) -> Report {
    let report = Load::start(config).unwrap().join();
    assert_eq!(
        report.sent,
        report.outcomes(),
        "a request was lost: {report:?}"
    );
    assert_eq!(report.in_flight, 0);
    report
}

/// Polls until `seen`, at most 10 s.
fn wait_for(load: &Handle, seen: impl Fn(&Report) -> bool) {
    for _ in 0..2000 {
        if seen(&load.snapshot()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("not seen in time: {:?}", load.snapshot());
}

/// A stall of one second at 100 requests a second is one slow request for a closed-loop generator. It
/// is a hundred for the users, evenly spread over the second that they waited.
fn assert_stall_is_seen_whole(connections: usize) {
    let server = HttpServer::start(|number, shared| async move {
        // The 101st request begins the stall; whoever comes during it waits for its end.
        if number == 100 {
            *shared.stall_end.lock().unwrap() =
                Some(tokio::time::Instant::now() + Duration::from_secs(1));
        }
        let end = *shared.stall_end.lock().unwrap();
        if let Some(end) = end {
            tokio::time::sleep_until(end).await;
        }
        Reply::ok("1.0.0")
    });
    let report = run(LoadConfig {
        rate: 100.0,
        duration: Duration::from_secs(3),
        connections,
        ..LoadConfig::new(server.address)
    });
    assert_eq!((report.sent, report.ok), (300, 300));
    let between = |low: u64, high: u64| report.histogram().count_between(low * 1000, high * 1000);
    let quarters = [between(250, 499), between(500, 749), between(750, 1100)];
    for quarter in quarters {
        assert!(
            (18..=33).contains(&quarter),
            "{quarters:?}, {:?}",
            report.latency
        );
    }
    let delayed = between(40, 1100);
    assert!(
        (85..=115).contains(&delayed),
        "{delayed} delayed, {:?}",
        report.latency
    );
    assert!(
        (950.0..1200.0).contains(&report.latency.max_ms),
        "{:?}",
        report.latency
    );
    assert!(
        report.connections <= connections as u64,
        "{}",
        report.connections
    );
}

#[test]
fn a_stall_is_seen_by_every_request_that_was_due_in_it() {
    // More connections than the stall needs: the requests wait at the server.
    assert_stall_is_seen_whole(200);
}

#[test]
fn waiting_for_one_of_few_connections_counts_as_latency() {
    // The requests wait in the generator.
    assert_stall_is_seen_whole(2);
}

#[test]
fn the_rate_that_the_server_sees_is_the_rate_that_was_asked_for() {
    let arrivals = Mutex::new(Vec::new());
    let arrivals: &'static Mutex<Vec<tokio::time::Instant>> = Box::leak(Box::new(arrivals));
    let server = HttpServer::start(move |_, _| async move {
        arrivals.lock().unwrap().push(tokio::time::Instant::now());
        Reply::ok("1.0.0")
    });
    let report = run(LoadConfig {
        rate: 200.0,
        duration: Duration::from_secs(3),
        ..LoadConfig::new(server.address)
    });
    assert_eq!((report.sent, report.ok), (600, 600));
    let arrivals = arrivals.lock().unwrap();
    let span = (*arrivals.last().unwrap() - arrivals[0]).as_secs_f64();
    let rate = (arrivals.len() - 1) as f64 / span;
    assert!((196.0..=204.0).contains(&rate), "{rate}");
}

#[test]
fn poisson_arrivals_come_at_the_same_mean_rate_and_repeat() {
    let server = HttpServer::start(|_, _| async { Reply::ok("1.0.0") });
    let config = LoadConfig {
        rate: 500.0,
        duration: Duration::from_secs(1),
        arrivals: Arrivals::Poisson,
        seed: 42,
        ..LoadConfig::new(server.address)
    };
    let first = run(config.clone());
    // 500 expected, standard deviation 22.
    assert!((400..600).contains(&first.sent), "{}", first.sent);
    assert_eq!(run(config).sent, first.sent);
}

#[test]
fn refused_connections_are_counted_and_do_not_flatter_the_latency() {
    let report = run(LoadConfig {
        rate: 200.0,
        duration: Duration::from_millis(500),
        ..LoadConfig::new(unused_address())
    });
    assert_eq!(
        (report.sent, report.errors.connect, report.ok),
        (100, 100, 0)
    );
    assert_eq!(report.latency.count, 0);
    assert!(
        report.failures[0].what.contains("refused"),
        "{:?}",
        report.failures[0]
    );
}

#[test]
fn a_silent_server_times_out_every_request_also_those_without_a_connection() {
    let server = RawServer::start(|_| None);
    let report = run(LoadConfig {
        rate: 100.0,
        duration: Duration::from_millis(500),
        connections: 5,
        timeout: Duration::from_millis(300),
        ..LoadConfig::new(server.address)
    });
    assert_eq!((report.sent, report.errors.timeout), (50, 50));
    // A timeout is a latency of at least what was waited.
    assert_eq!(report.latency.count, 50);
    assert!(
        report.histogram().min() >= 299_000,
        "{}",
        report.histogram().min()
    );
    assert!(report.latency.max_ms < 600.0, "{:?}", report.latency);
}

#[test]
fn a_slow_server_never_sees_more_connections_than_configured() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".as_slice();
    let server = RawServer::start(move |_| {
        std::thread::sleep(Duration::from_millis(50));
        Some((answer, false))
    });
    let report = run(LoadConfig {
        rate: 200.0,
        duration: Duration::from_millis(500),
        connections: 5,
        ..LoadConfig::new(server.address)
    });
    assert_eq!((report.sent, report.ok), (100, 100));
    assert_eq!((server.most_open(), report.connections), (5, 5));
    // 100 requests of 50 ms over 5 connections take a second; the last was due at half of it.
    assert!(report.latency.max_ms >= 480.0, "{:?}", report.latency);
}

#[test]
fn a_connection_that_breaks_after_the_request_is_a_reset_and_is_not_tried_again() {
    let server = RawServer::start(|_| Some((b"".as_slice(), true)));
    let report = run(LoadConfig {
        rate: 200.0,
        duration: Duration::from_millis(500),
        ..LoadConfig::new(server.address)
    });
    assert_eq!(
        (report.sent, report.errors.reset, report.retried),
        (100, 100, 0)
    );
    assert_eq!(server.requests(), 100);
}

#[test]
fn an_answer_that_is_not_http_is_a_protocol_error() {
    let server = RawServer::start(|_| Some((b"SSH-2.0-OpenSSH_9.9\r\n\r\n".as_slice(), true)));
    let report = run(LoadConfig {
        total: Some(10),
        ..LoadConfig::new(server.address)
    });
    assert_eq!((report.sent, report.errors.protocol), (10, 10));
}

#[test]
fn a_body_that_breaks_off_is_a_reset_not_an_answer() {
    let short = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort".as_slice();
    let server = RawServer::start(move |_| Some((short, true)));
    let report = run(LoadConfig {
        total: Some(10),
        ..LoadConfig::new(server.address)
    });
    assert_eq!(
        (report.ok, report.status.sum(), report.errors.reset),
        (0, 0, 10)
    );
}

#[test]
fn a_server_that_closes_idle_connections_unannounced_costs_no_request() {
    // No `connection: close`: the generator keeps a connection that is already dead.
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".as_slice();
    let server = RawServer::start(move |_| Some((answer, true)));
    let report = run(LoadConfig {
        rate: 100.0,
        duration: Duration::from_secs(1),
        ..LoadConfig::new(server.address)
    });
    assert_eq!(
        (report.sent, report.ok),
        (100, 100),
        "{:?}",
        report.failures
    );
    assert_eq!(server.requests(), 100);
    assert_eq!(report.unversioned, 100);
}

#[test]
fn kept_connections_are_used_again() {
    let server = HttpServer::start(|_, _| async { Reply::ok("1.0.0") });
    let report = run(LoadConfig {
        rate: 100.0,
        duration: Duration::from_secs(1),
        ..LoadConfig::new(server.address)
    });
    assert_eq!(report.ok, 100);
    assert!(
        report.connections < 30,
        "{} connections",
        report.connections
    );
}

#[test]
fn a_switch_of_versions_is_seen_with_its_time_and_its_errors() {
    static SWITCHED: AtomicBool = AtomicBool::new(false);
    let server = HttpServer::start(|number, _| async move {
        match (SWITCHED.load(Ordering::SeqCst), number % 10) {
            (false, _) => Reply::ok("1.0.0"),
            (true, 0) => Reply::failed("2.0.0"),
            (true, _) => Reply::ok("2.0.0"),
        }
    });
    let load = Load::start(LoadConfig {
        rate: 200.0,
        duration: Duration::from_secs(60),
        ..LoadConfig::new(server.address)
    })
    .unwrap();
    wait_for(&load, |seen| {
        seen.versions.get("1.0.0").is_some_and(|v| v.answers >= 40)
    });
    let switched_at = load.snapshot().elapsed_ms;
    SWITCHED.store(true, Ordering::SeqCst);
    wait_for(&load, |seen| {
        seen.versions.get("2.0.0").is_some_and(|v| v.answers >= 100)
    });
    load.stop();
    let report = load.join();
    assert_eq!(report.sent, report.outcomes());
    let (old, new) = (&report.versions["1.0.0"], &report.versions["2.0.0"]);
    assert_eq!(old.answers + new.answers, report.sent);
    assert_eq!(old.server_errors, 0);
    assert!((9..=20).contains(&new.server_errors), "{new:?}");
    assert_eq!(report.status.server_error, new.server_errors);
    assert_eq!(report.failed(), new.server_errors);
    assert_eq!(report.failures[0].version.as_deref(), Some("2.0.0"));
    assert!(
        old.first_ms < old.last_ms && old.last_ms <= new.first_ms + 5.0,
        "{old:?} {new:?}"
    );
    assert!(
        new.first_ms >= switched_at,
        "{} before {switched_at}",
        new.first_ms
    );
    assert!(
        new.first_ms < switched_at + 500.0,
        "{} after {switched_at}",
        new.first_ms
    );
    // Stopped long before its minute.
    assert!(report.elapsed_ms < 20_000.0, "{}", report.elapsed_ms);
}

#[test]
fn posts_carry_their_body_and_the_mix_is_kept() {
    let server = RawServer::start(|request| {
        let good = request.starts_with("POST /cart HTTP/1.1\r\n")
            && request.contains("content-type: application/json\r\n")
            && request.contains("content-length: 7\r\n")
            && request.contains("host: 127.0.0.1:")
            && request.ends_with("\r\n\r\n{\"a\":1}");
        let made = b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n".as_slice();
        let bad = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".as_slice();
        Some((if good { made } else { bad }, false))
    });
    let report = run(LoadConfig {
        total: Some(20),
        mix: vec![Shot::post("/cart", "{\"a\":1}")],
        ..LoadConfig::new(server.address)
    });
    assert_eq!((report.status.success, report.status.client_error), (20, 0));
}

#[test]
fn the_command_prints_a_json_report_and_says_by_its_code_how_it_went() {
    let server = HttpServer::start(|_, _| async { Reply::ok("1.0.0") });
    let command = |url: String| {
        std::process::Command::new(env!("CARGO_BIN_EXE_load"))
            .args([
                &url,
                "--rate",
                "100",
                "--duration",
                "300ms",
                "--json",
                "--quiet",
            ])
            .output()
            .unwrap()
    };
    let good = command(format!("http://{}", server.address));
    assert_eq!(good.status.code(), Some(0));
    let report: serde_json::Value = serde_json::from_slice(&good.stdout).unwrap();
    assert_eq!(report["schema"], "gonogo.load.report.v1");
    assert_eq!((&report["sent"], &report["ok"]), (&30.into(), &30.into()));
    assert_eq!(report["versions"]["1.0.0"]["answers"], 30);
    let refused = command(format!("http://{}", unused_address()));
    assert_eq!(refused.status.code(), Some(3));
}

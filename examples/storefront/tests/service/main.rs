//! The service as a process: what it answers, how it starts, fails and ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod process;

use gonogo_load::{Load, LoadConfig, Quantiles, Report, Shot};
use process::{Service, ask, ask_with, wait_until};
use std::net::TcpListener;
use std::time::Duration;

fn load(service: &Service, rate: f64, seconds: f64) -> LoadConfig {
    LoadConfig {
        rate,
        duration: Duration::from_secs_f64(seconds),
        mix: vec![
            Shot::read("/products").weighted(8),
            Shot::read("/products/mug"),
            Shot::post("/cart", "{\"product\":\"mug\",\"quantity\":2}"),
        ],
        ..LoadConfig::new(service.address)
    }
}

fn run(config: LoadConfig) -> Report {
    let report = Load::start(config).unwrap().join();
    assert_eq!(report.sent, report.outcomes());
    report
}

#[test]
fn the_shop_answers_and_every_answer_carries_the_version() {
    let service = Service::shipped("1.0.0");
    service.wait_ready();
    let cart = "{\"product\":\"mug\",\"quantity\":2}";
    let cases = [
        ("GET", "/", "", 200, "Gooseneck kettle"),
        ("GET", "/products", "", 200, "\"version\":\"1.0.0\""),
        ("GET", "/products/mug", "", 200, "\"price_cents\":1800"),
        ("GET", "/products/anvil", "", 404, "no such product"),
        ("POST", "/cart", cart, 201, "\"total_cents\":3600"),
        ("POST", "/cart", "{\"product\":", 400, "not an order"),
        (
            "POST",
            "/cart",
            "{\"product\":\"mug\",\"colour\":1}",
            400,
            "unknown field `colour`",
        ),
        (
            "POST",
            "/cart",
            "{\"product\":\"anvil\"}",
            422,
            "no such product",
        ),
        (
            "POST",
            "/cart",
            "{\"product\":\"mug\",\"quantity\":0}",
            422,
            "at least 1",
        ),
        ("GET", "/cart", "", 405, "does not do that"),
        ("POST", "/products/mug", "", 405, "does not do that"),
        ("GET", "/nowhere", "", 404, "no such page"),
        ("GET", "/healthz", "", 200, "ok"),
        ("GET", "/readyz", "", 200, "ready"),
        ("GET", "/version", "", 200, "{\"version\":\"1.0.0\"}"),
    ];
    for (method, path, body, status, text) in cases {
        let answer = ask_with(service.address, method, path, body).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{method} {path}: {answer}"
        );
        assert!(
            answer.contains("x-version: 1.0.0\r\n"),
            "{method} {path}: {answer}"
        );
        assert!(answer.contains(text), "{method} {path}: {answer}");
    }
    let big = format!("{{\"product\":\"{}\"}}", "x".repeat(20_000));
    let answer = ask_with(service.address, "POST", "/cart", &big).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn it_is_alive_before_it_is_ready_and_serves_nothing_until_then() {
    let service = Service::behaving("version = \"5.0.0\"\nslow_start = \"700ms\"");
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 503),
        ("/products", 503),
        ("/version", 200),
    ] {
        let answer = ask(service.address, path).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path}: {answer}"
        );
        assert!(answer.contains("x-version: 5.0.0\r\n"), "{path}: {answer}");
    }
    service.wait_ready();
    assert!(
        ask(service.address, "/products")
            .unwrap()
            .starts_with("HTTP/1.1 200 ")
    );
}

#[test]
fn a_version_that_never_gets_ready_stays_alive() {
    let service = Service::shipped("never-ready");
    // Six hundred milliseconds are four times the usual warm-up.
    let report = run(LoadConfig {
        mix: vec![Shot::read("/readyz"), Shot::read("/healthz")],
        ..load(&service, 100.0, 0.6)
    });
    assert_eq!(report.status.success + report.status.server_error, 60);
    assert!(
        report.status.success > 15 && report.status.server_error > 15,
        "{report:?}"
    );
    let late = ask(service.address, "/readyz").unwrap();
    assert!(late.starts_with("HTTP/1.1 503 "), "{late}");
}

#[test]
fn a_good_version_fails_no_request() {
    let service = Service::shipped("2.0.0");
    service.wait_ready();
    let report = run(load(&service, 300.0, 2.0));
    assert_eq!(
        (report.sent, report.ok),
        (600, 600),
        "{:?}",
        report.failures
    );
    assert_eq!(report.versions["2.0.0"].answers, 600);
}

#[test]
fn a_bad_version_fails_its_share_of_requests_and_no_probe() {
    // Seeded: the draws repeat, so the band can be tight without being a matter of luck.
    let service = Service::start(&["--shipped", "3.0.0", "--seed", "11"]);
    service.wait_ready();
    let report = run(load(&service, 500.0, 4.0));
    let share = report.status.server_error as f64 / report.sent as f64;
    assert!(
        (0.035..0.065).contains(&share),
        "{share} of {}",
        report.sent
    );
    assert_eq!(report.ok + report.status.server_error, report.sent);
    let probes = run(LoadConfig {
        mix: vec![
            Shot::read("/healthz"),
            Shot::read("/readyz"),
            Shot::read("/version"),
        ],
        ..load(&service, 300.0, 1.0)
    });
    assert_eq!((probes.sent, probes.ok), (300, 300));
}

#[test]
fn late_errors_start_late() {
    let service = Service::behaving(
        "version = \"5.0.0\"\nerror_rate = 1.0\nerrors_after = \"2500ms\"\nslow_start = \"1ms\"",
    );
    service.wait_ready();
    assert!(
        ask(service.address, "/products")
            .unwrap()
            .starts_with("HTTP/1.1 200 ")
    );
    wait_until("the first error", || {
        ask(service.address, "/products").is_ok_and(|answer| answer.starts_with("HTTP/1.1 500 "))
    });
    assert!(
        service.age() >= Duration::from_millis(2400),
        "{:?}",
        service.age()
    );
}

#[test]
fn a_slow_tail_triples_the_p99_and_hardly_moves_the_median() {
    // What else the machine does only ever adds to a latency: of several rounds the least of each quantile is nearest to what the
    // versions do themselves. One quiet round is enough; a version that is too slow by itself is so in all of them.
    let least = |of: &[Report], quantile: fn(&Quantiles) -> f64| {
        of.iter()
            .map(|report| quantile(&report.latency))
            .fold(f64::INFINITY, f64::min)
    };
    let (mut good, mut slow) = (Vec::new(), Vec::new());
    for _round in 0..8 {
        let good_one = Service::start(&["--shipped", "1.0.0", "--seed", "5"]);
        let slow_one = Service::start(&["--shipped", "slow-tail", "--seed", "5"]);
        good_one.wait_ready();
        slow_one.wait_ready();
        let loads =
            [&good_one, &slow_one].map(|service| Load::start(load(service, 400.0, 5.0)).unwrap());
        let [of_good, of_slow] = loads.map(|load| load.join());
        // The seed draws the same latencies in each round, and no answer is faster than its draw.
        assert!(of_good.latency.p50_ms > 0.3, "{of_good:?}");
        assert!(of_good.latency.p99_ms > 6.0, "{of_good:?}");
        assert!(of_slow.latency.p99_ms > 18.0, "{of_slow:?}");
        good.push(of_good);
        slow.push(of_slow);
        let [good_p50, slow_p50] = [&good, &slow].map(|of| least(of, |told| told.p50_ms));
        let [good_p99, slow_p99] = [&good, &slow].map(|of| least(of, |told| told.p99_ms));
        if (1.8..4.5).contains(&(slow_p99 / good_p99))
            && slow_p50 - good_p50 < 1.5
            && good_p50 < 4.0
            && good_p99 < 25.0
        {
            return;
        }
    }
    panic!("no round was quiet, or a version is not what it says: {good:?} {slow:?}");
}

#[test]
fn a_leak_is_really_held() {
    let service = Service::behaving(
        "version = \"5.0.0\"\nleak_per_request = \"64KiB\"\nleak_limit = \"40MiB\"",
    );
    service.wait_ready();
    let before = service.resident_kib();
    run(load(&service, 400.0, 1.0));
    let grown = service.resident_kib() - before;
    assert!(
        (22_000..34_000).contains(&grown),
        "{grown} KiB after 400 requests of 64 KiB"
    );
    run(load(&service, 400.0, 2.0));
    let grown = service.resident_kib() - before;
    assert!(
        (40_000..50_000).contains(&grown),
        "{grown} KiB, the limit is 40 MiB"
    );
}

#[test]
fn a_crash_at_start_is_an_exit_code_and_a_line_and_no_socket() {
    let (code, errors) = Service::failing(&["--shipped", "crash-at-start", "--port", "0"]);
    assert_eq!(code, Some(3));
    assert!(errors.contains("crashed at start"), "{errors}");
    assert!(!errors.contains("listening"), "{errors}");
}

#[test]
fn a_later_crash_cuts_the_connections() {
    let mut service = Service::behaving("version = \"5.0.0\"\ncrash_after = \"1s\"");
    service.wait_ready();
    let load = Load::start(load(&service, 100.0, 60.0)).unwrap();
    assert_eq!(service.wait_exit(), Some(3));
    wait_until("refused requests", || load.snapshot().errors.connect > 5);
    load.stop();
    let report = load.join();
    assert_eq!(report.sent, report.outcomes());
    assert!(report.ok > 20, "{report:?}");
}

#[test]
fn sigterm_finishes_what_is_in_flight_and_exits_0() {
    // Every answer takes 800 ms: all ten requests are in flight when the signal comes.
    let mut service = Service::behaving("version = \"5.0.0\"\np50_ms = 800.0\np99_ms = 800.0");
    service.wait_ready();
    let load = Load::start(LoadConfig {
        total: Some(10),
        ..load(&service, 200.0, 5.0)
    })
    .unwrap();
    wait_until("ten requests at the server", || {
        let now = load.snapshot();
        now.sent == 10 && service.established() >= 10
    });
    // One round trip on another connection: what was sent before it has been read.
    ask(service.address, "/healthz").unwrap();
    service.signal("TERM");
    wait_until("a closed listener", || {
        ask(service.address, "/healthz").is_err()
    });
    assert_eq!(
        load.snapshot().ok,
        0,
        "the signal came too late for the test"
    );
    let report = load.join();
    assert_eq!((report.sent, report.ok), (10, 10), "{:?}", report.failures);
    assert_eq!(service.wait_exit(), Some(0));
}

#[test]
fn idle_connections_do_not_hold_up_a_drain() {
    let mut service = Service::shipped("1.0.0");
    service.wait_ready();
    let _idle = std::net::TcpStream::connect(service.address).unwrap();
    wait_until("the idle connection", || service.established() >= 1);
    service.signal("TERM");
    assert_eq!(service.wait_exit(), Some(0));
}

#[test]
fn a_drain_has_a_deadline() {
    let mut service = Service::start_with(
        "version = \"5.0.0\"\np50_ms = 60000.0\np99_ms = 60000.0",
        &["--drain-timeout", "200ms"],
    );
    service.wait_ready();
    let load = Load::start(LoadConfig {
        total: Some(1),
        ..load(&service, 100.0, 1.0)
    })
    .unwrap();
    wait_until("the request at the server", || service.established() >= 1);
    // One round trip on another connection: what was sent before it has been read.
    ask(service.address, "/healthz").unwrap();
    service.signal("TERM");
    assert_eq!(service.wait_exit(), Some(75));
    assert_eq!(load.join().errors.reset, 1);
}

#[test]
fn a_version_that_hangs_on_sigterm_goes_on_serving_until_it_is_killed() {
    let mut service = Service::shipped("hang-on-sigterm");
    service.wait_ready();
    service.signal("TERM");
    service.wait_line("SIGTERM ignored");
    let report = run(load(&service, 100.0, 0.5));
    assert_eq!((report.sent, report.ok), (50, 50));
    service.signal("KILL");
    assert_eq!(service.wait_exit(), None);
}

#[test]
fn a_taken_port_is_a_clear_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, errors) = Service::failing(&["--shipped", "1.0.0", "--port", &port]);
    assert_eq!(code, Some(73));
    assert!(
        errors.contains(&format!("cannot listen on 127.0.0.1:{port}")),
        "{errors}"
    );
    assert!(
        errors.contains("choose another port with --port"),
        "{errors}"
    );
}

#[test]
fn wrong_files_and_arguments_have_their_codes() {
    for (args, code, text) in [
        (&["--shipped", "9.9.9"][..], 66, "there are: 1.0.0, 2.0.0"),
        (
            &["--behaviour", "/nonexistent/v.toml"],
            66,
            "cannot read behaviour file /nonexistent/v.toml",
        ),
        (&["--behaviour", "Cargo.toml"], 65, "unknown key"),
        (&[], 64, "no behaviour file"),
    ] {
        let (got, errors) = Service::failing(args);
        assert_eq!(got, Some(code), "{errors}");
        assert!(errors.contains(text), "{errors}");
    }
}

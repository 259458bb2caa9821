//! The split: shares, eligibility, changes under load, counters across changes.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use gonogo_host::proxy::{Proxy, ProxyError, Upstream};
use socket2::{Domain, Socket, Type};

use crate::kit::{Message, Origin, before, client, config, ok, routes, settled, slot, wait_until};

#[test]
fn shares_follow_weights_within_binomial_bounds() {
    const REQUESTS: usize = 20_000;
    let origins = [
        Origin::saying("a"),
        Origin::saying("b"),
        Origin::saying("c"),
    ];
    let weights = [9_000, 900, 100];
    let slots: Vec<_> = ["a", "b", "c"]
        .iter()
        .zip(&origins)
        .zip(weights)
        .map(|((n, o), w)| slot(n, o.addr, w))
        .collect();
    let proxy = Proxy::start(config(), routes(1, slots)).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut line = client(&proxy);
                for _ in 0..REQUESTS / 4 / 50 {
                    line.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50));
                    for _ in 0..50 {
                        assert_eq!(line.response().unwrap().status(), 200);
                    }
                }
            });
        }
    });
    settled(&proxy);
    let counters = proxy.counters();
    for ((name, origin), weight) in ["a", "b", "c"].iter().zip(&origins).zip(weights) {
        let p = f64::from(weight) / 10_000.0;
        let bound = 5.0 * (REQUESTS as f64 * p * (1.0 - p)).sqrt();
        let got = origin.seen().len();
        assert!(
            (got as f64 - REQUESTS as f64 * p).abs() <= bound,
            "{name} got {got} of {REQUESTS} at weight {weight}"
        );
        let slot = &counters.slots[*name];
        assert_eq!(
            (slot.routed, slot.ok, slot.in_flight),
            (got as u64, got as u64, 0)
        );
        assert_eq!(slot.latency.count(), got as u64);
    }
    assert_eq!(counters.unrouted, 0);
}

#[test]
fn a_slot_without_weight_or_readiness_gets_nothing() {
    let (blue, green) = (Origin::saying("blue"), Origin::saying("green"));
    let mut unready = slot("blue", blue.addr, 9_900);
    unready.ready = false;
    let proxy = Proxy::start(
        config(),
        routes(1, [unready, slot("green", green.addr, 100)]),
    )
    .unwrap();
    let mut line = client(&proxy);
    for _ in 0..50 {
        assert_eq!(line.get("/").text(), "green");
    }
    assert_eq!(blue.seen().len(), 0);

    proxy
        .route(routes(
            2,
            [slot("blue", blue.addr, 0), slot("green", green.addr, 0)],
        ))
        .unwrap();
    let answer = line.get("/");
    assert_eq!(
        (answer.status(), answer.one("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(
        (proxy.counters().unrouted, proxy.counters().generation),
        (1, 2)
    );

    proxy
        .route(routes(3, [slot("blue", blue.addr, 10_000)]))
        .unwrap();
    assert_eq!(
        line.get("/").text(),
        "blue",
        "the connection outlives a 503"
    );
}

#[test]
fn after_a_change_has_returned_nothing_goes_by_the_old_weights() {
    const FLIPS: u64 = 200;
    // Even: table `phase / 2` is in use and no change is going on. Odd: a change is going on.
    let phase = Arc::new(AtomicU64::new(0));
    let steady = Arc::new(AtomicUsize::new(0));
    let answered = Arc::new(AtomicUsize::new(0));
    let wrong = Arc::new(AtomicUsize::new(0));
    let origin = |parity: u64| {
        let wrong = Arc::clone(&wrong);
        Origin::replying(move |request: &Message| {
            let sent_in: u64 = request.one("x-phase").unwrap().parse().unwrap();
            if sent_in.is_multiple_of(2) && (sent_in / 2) % 2 != parity {
                wrong.fetch_add(1, SeqCst);
            }
            ok("x")
        })
    };
    let (even, odd) = (origin(0), origin(1));
    let table = |generation: u64| {
        let (e, o) = if generation.is_multiple_of(2) {
            (10_000, 0)
        } else {
            (0, 10_000)
        };
        routes(
            generation,
            [slot("even", even.addr, e), slot("odd", odd.addr, o)],
        )
    };
    let proxy = Proxy::start(config(), table(0)).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut line = client(&proxy);
                while !done.load(SeqCst) {
                    steady.fetch_add(1, SeqCst);
                    let now = phase.load(SeqCst);
                    if now % 2 == 1 {
                        steady.fetch_sub(1, SeqCst);
                    }
                    let answer = line.ask(format!(
                        "GET / HTTP/1.1\r\nHost: x\r\nX-Phase: {now}\r\n\r\n"
                    ));
                    assert_eq!(answer.status(), 200);
                    if now.is_multiple_of(2) {
                        steady.fetch_sub(1, SeqCst);
                        answered.fetch_add(1, SeqCst);
                    }
                }
            });
        }
        for generation in 1..=FLIPS {
            let before = answered.load(SeqCst);
            wait_until("requests went through the table", || {
                answered.load(SeqCst) >= before + 3
            });
            phase.fetch_add(1, SeqCst);
            // Requests sent before the change must not be mistaken for later ones.
            wait_until("steady requests are answered", || steady.load(SeqCst) == 0);
            proxy.route(table(generation)).unwrap();
            phase.fetch_add(1, SeqCst);
        }
        done.store(true, SeqCst);
    });
    assert_eq!(
        wrong.load(SeqCst),
        0,
        "requests reached an upstream that had no weight when they were sent"
    );
    assert!(even.seen().len() > 100 && odd.seen().len() > 100);
    settled(&proxy);
}

#[test]
fn a_request_that_waits_for_a_connection_is_drawn_again() {
    // An upstream whose accept queue is full: connecting to it hangs until there is room.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(
            &"127.0.0.1:0"
                .parse::<std::net::SocketAddr>()
                .unwrap()
                .into(),
        )
        .unwrap();
    socket.listen(0).unwrap();
    let full: TcpListener = socket.into();
    let addr = full.local_addr().unwrap();
    let _filler = TcpStream::connect(addr).unwrap();

    let green = Origin::saying("green");
    let mut config = config();
    config.limits.connect_timeout = Duration::from_secs(15);
    let proxy = Proxy::start(config, routes(1, [slot("blue", addr, 10_000)])).unwrap();
    let mut line = client(&proxy);
    line.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_until("the request waits", || {
        proxy.counters().slots["blue"].in_flight == 1
    });
    proxy
        .route(routes(
            2,
            [slot("blue", addr, 0), slot("green", green.addr, 10_000)],
        ))
        .unwrap();
    let accepting = thread::spawn(move || {
        let first = full.accept().unwrap();
        (first, full.accept().unwrap())
    });
    assert_eq!(line.response().unwrap().text(), "green");
    drop(accepting.join().unwrap());
    settled(&proxy);
    let slots = proxy.counters().slots;
    assert_eq!((slots["blue"].routed, slots["green"].routed), (0, 1));
}

#[test]
fn tables_that_make_no_sense_are_refused_and_change_nothing() {
    let blue = Origin::saying("blue");
    let proxy = before(&blue);
    let one = |weight| slot("blue", blue.addr, weight);
    assert!(matches!(
        proxy.route(routes(0, [one(10_000)])),
        Err(ProxyError::Stale {
            offered: 0,
            current: 1
        })
    ));
    assert!(matches!(
        proxy.route(routes(2, [one(9_999)])),
        Err(ProxyError::Weights { sum: 9_999, .. })
    ));
    assert!(matches!(
        proxy.route(routes(2, [one(5_000), one(5_000)])),
        Err(ProxyError::DuplicateSlot { .. })
    ));
    assert_eq!(proxy.counters().generation, 1);
    assert_eq!(client(&proxy).get("/").text(), "blue");
}

#[test]
fn counts_survive_a_change_and_start_again_for_another_version() {
    let blue = Origin::saying("blue");
    let proxy = before(&blue);
    let mut line = client(&proxy);
    line.get("/");
    settled(&proxy);
    proxy
        .route(routes(
            2,
            [slot("blue", blue.addr, 10_000), slot("green", blue.addr, 0)],
        ))
        .unwrap();
    line.get("/");
    settled(&proxy);
    assert_eq!(proxy.counters().slots["blue"].ok, 2);
    proxy
        .route(routes(3, [slot("green", blue.addr, 10_000)]))
        .unwrap();
    assert_eq!(
        proxy.counters().slots["blue"].ok,
        2,
        "a slot that left the table can still be read"
    );
    let mut next = slot("blue", blue.addr, 10_000);
    next.version = "blue-2".to_owned();
    proxy.route(routes(4, [next])).unwrap();
    let fresh = &proxy.counters().slots["blue"];
    assert_eq!(
        (fresh.version.as_str(), fresh.routed, fresh.latency.count()),
        ("blue-2", 0, 0)
    );
}

#[test]
fn a_slot_filled_anew_with_the_same_version_counts_from_zero() {
    let (first, second) = (Origin::saying("first"), Origin::saying("second"));
    let proxy = before(&first);
    let mut line = client(&proxy);
    for _ in 0..5 {
        line.get("/");
    }
    settled(&proxy);
    assert_eq!(proxy.counters().slots["blue"].ok, 5);
    proxy.route(routes(2, [])).unwrap();
    // The process may even get the address of the last one; its connections are not taken over.
    let mut anew = slot("blue", first.addr, 10_000);
    anew.instance = 2;
    proxy.route(routes(3, [anew.clone()])).unwrap();
    let counts = &proxy.counters().slots["blue"];
    assert_eq!(
        (counts.instance, counts.version.as_str(), counts.routed),
        (2, "blue-1", 0)
    );
    assert_eq!((counts.ok, counts.latency.count()), (0, 0));
    line.get("/");
    settled(&proxy);
    assert_eq!(proxy.counters().slots["blue"].ok, 1);
    assert_eq!(first.connections(), 2);

    // Without a table in between, and with requests of the last one still in mind.
    anew.instance = 3;
    anew.upstream = second.addr;
    proxy.route(routes(4, [anew.clone()])).unwrap();
    assert_eq!(proxy.counters().slots["blue"].ok, 0);
    anew.weight = 0;
    let other = slot("green", second.addr, 10_000);
    proxy.route(routes(5, [anew, other])).unwrap();
    assert_eq!(proxy.counters().slots["blue"].instance, 3);
}

#[test]
fn a_slot_can_change_its_protocol_and_address() {
    let (one, two) = (Origin::saying("one"), Origin::saying("two"));
    let proxy = before(&one);
    let mut line = client(&proxy);
    assert_eq!(line.get("/").text(), "one");
    proxy
        .route(routes(2, [slot("blue", two.addr, 10_000)]))
        .unwrap();
    assert_eq!(line.get("/").text(), "two");
    wait_until("the old connection is closed", || one.ended() == 1);
    let mut h2 = slot("blue", two.addr, 10_000);
    h2.protocol = Upstream::H2c;
    proxy.route(routes(3, [h2])).unwrap();
    assert_eq!(
        line.get("/").status(),
        502,
        "the upstream does not speak HTTP/2"
    );
}

//! Upstreams and clients that fail: what the other side sees, and what is counted.

use std::io::{self, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use gonogo_host::proxy::{Proxy, SlotCounters};

use crate::kit::{
    Origin, before, client, config, limited, ok, routes, settled, slot, wait_until, with,
};

const SHORT: Duration = Duration::from_millis(200);

fn blue(proxy: &Proxy) -> SlotCounters {
    settled(proxy);
    proxy.counters().slots["blue"].clone()
}

fn broken() -> io::Result<()> {
    Err(io::ErrorKind::Other.into())
}

#[test]
fn an_upstream_that_refuses_is_a_502() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let proxy = Proxy::start(config(), routes(1, [slot("blue", addr, 10_000)])).unwrap();
    let mut line = client(&proxy);
    assert_eq!(line.get("/").status(), 502);
    assert_eq!(line.get("/").status(), 502, "the connection goes on");
    let counted = blue(&proxy);
    assert_eq!(
        (
            counted.routed,
            counted.connect_errors,
            counted.server_errors
        ),
        (2, 2, 0)
    );
}

#[test]
fn an_upstream_that_does_not_answer_is_a_504() {
    let origin = Origin::on(|line| {
        line.head()?;
        line.rest().and_then(|_| broken())
    });
    let proxy = with(limited(|l| l.response_header_timeout = SHORT), &origin);
    let mut line = client(&proxy);
    assert_eq!(line.get("/").status(), 504);
    let counted = blue(&proxy);
    assert_eq!(
        (counted.routed, counted.timeouts, counted.aborted),
        (1, 1, 0)
    );
    assert!(counted.latency.quantile(0.5).unwrap() >= SHORT);
    wait_until("the upstream is let go", || origin.ended() == 1);
}

#[test]
fn an_upstream_that_breaks_off_breaks_the_response() {
    for head in [
        "Content-Length: 10\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    ] {
        for version in ["1.1", "1.0"] {
            let origin = Origin::on(move |line| {
                line.head()?;
                write!(line.stream, "HTTP/1.1 200 OK\r\n{head}")?;
                broken()
            });
            let proxy = before(&origin);
            let mut line = client(&proxy);
            line.send(format!("GET / HTTP/{version}\r\nHost: x\r\n\r\n"));
            let outcome = line.response();
            assert!(
                outcome.is_err(),
                "HTTP/{version} {head:?}: a cut response looked whole: {outcome:?}"
            );
            let counted = blue(&proxy);
            assert_eq!(
                (counted.aborted, counted.ok, counted.client_gone),
                (1, 0, 0),
                "{head:?}"
            );
        }
    }
}

#[test]
fn a_request_that_was_sent_is_never_sent_again() {
    let heads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heads);
    let origin = Origin::on(move |line| {
        line.head()?;
        if count.fetch_add(1, SeqCst).is_multiple_of(2) {
            return line.stream.write_all(ok("first").as_bytes());
        }
        broken()
    });
    let proxy = before(&origin);
    let mut line = client(&proxy);
    assert_eq!(line.get("/").status(), 200);
    assert_eq!(
        line.get("/").status(),
        502,
        "the reused connection broke after it had the request"
    );
    let counted = blue(&proxy);
    assert_eq!((heads.load(SeqCst), counted.ok, counted.aborted), (2, 1, 1));
}

#[test]
fn a_stale_pooled_connection_costs_nothing() {
    let origin = Origin::on(|line| {
        let request = line.request()?;
        line.stream.write_all(ok(&request.text()).as_bytes())?;
        // Keep-alive was promised, and then the connection is closed.
        broken()
    });
    let proxy = before(&origin);
    let mut line = client(&proxy);
    for i in 0..100 {
        let body = format!("{i:03}");
        let answer = line.ask(format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{body}"
        ));
        assert_eq!((answer.status(), answer.text()), (200, body));
        wait_until("the upstream has closed", || origin.ended() == i + 1);
    }
    let counted = blue(&proxy);
    assert_eq!((counted.routed, counted.ok), (100, 100));
}

#[test]
fn garbage_from_the_upstream_is_a_502() {
    let origin = Origin::on(|line| {
        line.head()?;
        line.stream.write_all(b"SSH-2.0-OpenSSH\r\n\r\n")?;
        broken()
    });
    let proxy = before(&origin);
    assert_eq!(client(&proxy).get("/").status(), 502);
    assert_eq!(blue(&proxy).aborted, 1);
}

#[test]
fn a_client_that_leaves_cancels_the_request() {
    for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"] {
        let origin = Origin::on(move |line| {
            line.head()?;
            line.stream.write_all(answer.as_bytes())?;
            line.rest().and_then(|_| broken())
        });
        let proxy = before(&origin);
        let mut line = client(&proxy);
        line.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        if answer.is_empty() {
            wait_until("the request is under way", || origin.connections() == 1);
        } else {
            assert_eq!(line.head().unwrap().status(), 200);
        }
        drop(line);
        wait_until("the upstream is let go", || origin.ended() == 1);
        let counted = blue(&proxy);
        assert_eq!(
            (
                counted.client_gone,
                counted.aborted,
                counted.latency.count()
            ),
            (1, 0, 0)
        );
    }
}

#[test]
fn slow_heads_are_cut_and_do_not_hold_connections() {
    let origin = Origin::saying("ok");
    let proxy = with(limited(|l| l.client_header_timeout = SHORT), &origin);
    let mut silent = client(&proxy);
    let mut half = client(&proxy);
    half.send("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    let mut second = client(&proxy);
    assert_eq!(second.get("/").status(), 200);
    second.send("GET / HT");
    let mut preface = client(&proxy);
    preface.send("PRI * HTTP/2.0\r\n");
    for line in [&mut silent, &mut half, &mut second, &mut preface] {
        line.closed();
    }
    wait_until("connections are counted out", || {
        proxy.counters().connections_open == 0
    });
    assert_eq!(origin.seen().len(), 1);
}

#[test]
fn idle_connections_are_closed_on_both_sides() {
    let origin = Origin::saying("ok");
    let config = limited(|l| {
        l.client_idle_timeout = SHORT;
        l.upstream_idle_timeout = SHORT;
    });
    let proxy = with(config, &origin);
    let mut line = client(&proxy);
    assert_eq!(line.get("/").status(), 200);
    line.closed();
    wait_until("the pooled connection is closed", || origin.ended() == 1);
    assert_eq!(blue(&proxy).ok, 1);
}

#[test]
fn a_request_body_that_stalls_is_a_408() {
    let origin = Origin::saying("ok");
    let proxy = with(limited(|l| l.body_idle_timeout = SHORT), &origin);
    let mut line = client(&proxy);
    line.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(line.response().unwrap().status(), 408);
    line.closed();
    let counted = blue(&proxy);
    assert_eq!(
        (counted.client_gone, counted.timeouts, counted.aborted),
        (1, 0, 0)
    );
    assert_eq!(origin.seen().len(), 0);
}

#[test]
fn a_slow_upload_does_not_use_up_the_upstreams_time() {
    let origin = Origin::replying(|r| ok(&r.text()));
    let proxy = with(limited(|l| l.response_header_timeout = SHORT), &origin);
    let mut line = client(&proxy);
    line.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n");
    for _ in 0..30 {
        std::thread::sleep(SHORT / 10);
        line.send("x");
    }
    assert_eq!(line.response().unwrap().text().len(), 30);
}

#[test]
fn a_response_body_that_stalls_is_cut() {
    let origin = Origin::on(|line| {
        line.head()?;
        line.stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")?;
        line.rest().and_then(|_| broken())
    });
    let proxy = with(limited(|l| l.body_idle_timeout = SHORT), &origin);
    let mut line = client(&proxy);
    line.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(line.response().is_err());
    let counted = blue(&proxy);
    assert_eq!(
        (counted.timeouts, counted.ok, counted.client_gone),
        (1, 0, 0)
    );
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let origin = Origin::on(|line| {
        line.head()?;
        line.stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")?;
        let block = vec![0; 1 << 16];
        loop {
            line.stream.write_all(&block)?;
        }
    });
    let proxy = with(limited(|l| l.body_idle_timeout = SHORT), &origin);
    let mut line = client(&proxy);
    line.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_until("the upstream is let go", || origin.ended() == 1);
    assert_eq!(blue(&proxy).client_gone, 1);
}

#[test]
fn status_classes_and_slow_requests_are_counted_exactly() {
    let origin = Origin::replying(|request| {
        let path = request.start.split(' ').nth(1).unwrap();
        if path == "/slow" {
            std::thread::sleep(Duration::from_millis(60));
            return ok("slow");
        }
        format!("HTTP/1.1 {} X\r\nContent-Length: 1\r\n\r\nx", &path[1..])
    });
    let mut route = slot("blue", origin.addr, 10_000);
    route.slow_over = Duration::from_millis(50);
    let proxy = Proxy::start(config(), routes(1, [route])).unwrap();
    let mut line = client(&proxy);
    for (path, times) in [
        ("/200", 5),
        ("/302", 2),
        ("/404", 3),
        ("/500", 4),
        ("/503", 1),
        ("/slow", 2),
    ] {
        for _ in 0..times {
            line.get(path);
        }
    }
    let counted = blue(&proxy);
    assert_eq!(
        (counted.ok, counted.client_errors, counted.server_errors),
        (9, 3, 5)
    );
    assert!(
        counted.over_bound >= 2 && counted.over_bound <= 4,
        "{} over the bound",
        counted.over_bound
    );
    assert_eq!((counted.completed(), counted.latency.count()), (17, 17));
    assert!(
        counted.latency.max() >= Duration::from_millis(60)
            && counted.latency.quantile(1.0) == Some(counted.latency.max())
    );
}

#[test]
fn connections_beyond_the_limit_are_turned_away() {
    let origin = Origin::saying("ok");
    let proxy = with(limited(|l| l.max_connections = 2), &origin);
    let (mut one, mut two) = (client(&proxy), client(&proxy));
    assert_eq!((one.get("/").status(), two.get("/").status()), (200, 200));
    let mut three = client(&proxy);
    assert_eq!(three.response().unwrap().status(), 503);
    three.closed();
    assert_eq!(proxy.counters().connections_refused, 1);
    drop(one);
    wait_until("there is room", || proxy.counters().connections_open == 1);
    assert_eq!(client(&proxy).get("/").status(), 200);
}

#[test]
fn an_early_answer_reaches_a_client_that_still_sends() {
    let origin = Origin::on(|line| {
        line.head()?;
        line.stream.write_all(
            b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig",
        )?;
        line.rest().and_then(|_| broken())
    });
    let proxy = before(&origin);
    let mut line = client(&proxy);
    line.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        .send([b'x'; 1000]);
    let answer = line.response().unwrap();
    assert_eq!((answer.status(), answer.text().as_str()), (413, "big"));
    let counted = blue(&proxy);
    assert_eq!((counted.client_errors, counted.client_gone), (1, 0));
    drop(line);
    wait_until("the upstream is let go", || origin.ended() == 1);
}

#[test]
fn a_client_that_leaves_inside_its_body_is_not_a_bad_request() {
    let origin = Origin::on(|line| {
        line.request()?;
        broken()
    });
    let proxy = before(&origin);
    let mut line = client(&proxy);
    line.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    wait_until("the request is under way", || origin.connections() == 1);
    drop(line);
    wait_until("the upstream is let go", || origin.ended() == 1);
    assert_eq!(
        (blue(&proxy).client_gone, proxy.counters().bad_requests),
        (1, 0)
    );
}

//! The ends of things: cutting a slot, stopping the proxy.

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::kit::{Origin, PATIENCE, before, client, ok, routes, settled, slot, wait_until};

/// An upstream that answers `/wait` when it is told to, and everything else at once.
fn held() -> (Origin, Sender<()>) {
    let (go, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let origin = Origin::on(move |line| {
        let request = line.request()?;
        if request.start.contains("/wait") {
            let _ = gate.lock().unwrap_or_else(PoisonError::into_inner).recv();
        }
        line.stream.write_all(ok(&request.start).as_bytes())
    });
    (origin, go)
}

#[test]
fn a_cut_closes_one_slot_and_leaves_the_others() {
    let (blue, _go) = held();
    let (green, go) = held();
    let proxy = before(&blue);
    let (mut stuck, mut idle) = (client(&proxy), client(&proxy));
    stuck.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_until("blue has the request", || blue.connections() == 1);
    assert_eq!(idle.get("/").status(), 200);
    proxy
        .route(routes(
            2,
            [
                slot("blue", blue.addr, 0),
                slot("green", green.addr, 10_000),
            ],
        ))
        .unwrap();
    let mut other = client(&proxy);
    other.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_until("green has a request", || green.connections() == 1);

    proxy.cut("blue");
    assert_eq!(stuck.response().unwrap().status(), 502);
    go.send(()).unwrap();
    assert_eq!(other.response().unwrap().status(), 200);
    assert_eq!(
        idle.get("/").status(),
        200,
        "client connections are not the slot's"
    );
    settled(&proxy);
    let slots = proxy.counters().slots;
    assert_eq!(
        (
            slots["blue"].aborted,
            slots["blue"].ok,
            slots["green"].aborted,
            slots["green"].ok
        ),
        (1, 1, 0, 2)
    );
}

#[test]
fn a_stop_lets_requests_end_and_takes_no_new_ones() {
    let (blue, go) = held();
    let proxy = before(&blue);
    let addr = proxy.local_addr();
    let (mut busy, mut idle, mut silent) = (client(&proxy), client(&proxy), client(&proxy));
    assert_eq!(idle.get("/").status(), 200);
    busy.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_until("the request is under way", || {
        proxy.counters().slots["blue"].in_flight == 1
    });
    wait_until("all are connected", || {
        proxy.counters().connections_open == 3
    });
    let start = Instant::now();
    let stopping = thread::spawn(move || proxy.stop(PATIENCE));
    idle.closed();
    silent.closed();
    wait_until("nobody listens", || TcpStream::connect(addr).is_err());
    go.send(()).unwrap();
    let answer = busy.response().unwrap();
    assert_eq!(
        (answer.status(), answer.one("connection")),
        (200, Some("close"))
    );
    busy.closed();
    stopping.join().unwrap();
    assert!(
        start.elapsed() < PATIENCE,
        "a stop ends when the last request has ended"
    );
}

#[test]
fn a_stop_ends_at_its_deadline() {
    let (blue, _go) = held();
    let proxy = before(&blue);
    let mut busy = client(&proxy);
    busy.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_until("the request is under way", || {
        proxy.counters().slots["blue"].in_flight == 1
    });
    let start = Instant::now();
    proxy.stop(Duration::from_millis(100));
    assert!(start.elapsed() >= Duration::from_millis(100) && start.elapsed() < PATIENCE / 2);
    busy.closed();
}

#[test]
fn a_dropped_proxy_frees_its_address() {
    let (blue, _go) = held();
    let proxy = before(&blue);
    let addr = proxy.local_addr();
    let _open = client(&proxy);
    drop(proxy);
    assert!(TcpStream::connect(addr).is_err());
}

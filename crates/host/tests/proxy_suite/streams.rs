//! Bodies that are large, slow or endless: bounded memory, back-pressure, no buffering, tunnels.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use crate::kit::{Line, Origin, before, client, routes, settled, slot, wait_until};

const BIG: u64 = 200 << 20;
/// Socket buffers of two connections and what the proxy itself may hold.
const HELD: u64 = 32 << 20;

/// Whether a counter has stopped moving.
fn comes_to_rest(counter: &AtomicU64) -> u64 {
    let mut last = (counter.load(SeqCst), 0);
    wait_until("the flow comes to rest", || {
        thread::sleep(Duration::from_millis(20));
        let now = counter.load(SeqCst);
        last = if now == last.0 {
            (now, last.1 + 1)
        } else {
            (now, 0)
        };
        last.1 >= 15
    });
    last.0
}

fn write_counted(to: &mut impl Write, total: u64, counter: &AtomicU64) -> io::Result<()> {
    let block = vec![b'x'; 1 << 16];
    for _ in 0..total / block.len() as u64 {
        to.write_all(&block)?;
        counter.fetch_add(block.len() as u64, SeqCst);
    }
    Ok(())
}

fn drain(from: &mut Line, total: u64) {
    let mut left = total;
    let mut block = vec![0; 1 << 16];
    while left > 0 {
        let n = from.stream.read(&mut block).unwrap() as u64;
        assert!(n > 0, "the body ended {left} bytes early");
        left -= n;
    }
}

#[test]
fn a_big_download_waits_for_its_reader() {
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let origin = Origin::on(move |line| {
        line.head()?;
        write!(
            line.stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {BIG}\r\n\r\n"
        )?;
        write_counted(&mut line.stream, BIG, &counter)
    });
    let proxy = before(&origin);
    let mut line = client(&proxy);
    line.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let head = read_head_only(&mut line);
    assert!(head.contains("200 OK"));
    let held = comes_to_rest(&sent);
    assert!(
        held > 0 && held < HELD,
        "{held} bytes were taken from the upstream for a client that reads nothing"
    );
    drain(&mut line, BIG);
    settled(&proxy);
    assert_eq!(proxy.counters().slots["blue"].ok, 1);
    assert_eq!(line.get("/").status(), 200);
}

/// Reads the head byte by byte, so that nothing of the body is taken.
fn read_head_only(line: &mut Line) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        line.stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn a_big_upload_waits_for_the_upstream() {
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::on(move |line| {
        let head = read_head_only(line);
        assert!(
            head.to_lowercase()
                .contains(&format!("content-length: {BIG}"))
        );
        gate.lock().unwrap().recv().map_err(io::Error::other)?;
        drain(line, BIG);
        line.stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
    });
    let proxy = before(&origin);
    let mut line = client(&proxy);
    let mut writer = line.stream.try_clone().unwrap();
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let writing = thread::spawn(move || {
        write!(
            writer,
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {BIG}\r\n\r\n"
        )
        .unwrap();
        write_counted(&mut writer, BIG, &counter).unwrap();
    });
    wait_until("the upload has begun", || sent.load(SeqCst) > 0);
    let held = comes_to_rest(&sent);
    assert!(
        held < HELD,
        "{held} bytes were taken from the client for an upstream that reads nothing"
    );
    go.send(()).unwrap();
    assert_eq!(line.response().unwrap().text(), "done");
    writing.join().unwrap();
    settled(&proxy);
}

#[test]
fn events_flow_one_by_one() {
    let (go, gate) = std::sync::mpsc::channel::<&'static str>();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::on(move |line| {
        line.head()?;
        line.stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        while let Ok(event) = gate.lock().unwrap().recv() {
            write!(line.stream, "{:x}\r\n{event}\r\n", event.len())?;
        }
        line.stream.write_all(b"0\r\n\r\n")
    });
    let proxy = before(&origin);
    let mut line = client(&proxy);
    line.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(
        line.head().unwrap().one("content-type"),
        Some("text/event-stream")
    );
    for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
        go.send(event).unwrap();
        assert_eq!(
            line.chunk().unwrap(),
            event.as_bytes(),
            "the event came before the next was made"
        );
        assert_eq!(proxy.counters().slots["blue"].in_flight, 1);
    }
    drop(go);
    assert_eq!(line.chunk().unwrap(), b"");
    settled(&proxy);
}

/// Switches protocols as in RFC 6455 section 1.3, then echoes.
fn echo_server() -> Origin {
    Origin::on(|line| {
        let head = line.head()?;
        if head.one("upgrade") != Some("websocket") || head.one("connection") != Some("upgrade") {
            line.stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?;
            return Ok(());
        }
        assert_eq!(
            head.one("sec-websocket-key"),
            Some("dGhlIHNhbXBsZSBub25jZQ==")
        );
        line.stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: s3pPLBMlxTA1HzAXcoNM5/Z9kr8=\r\n\r\n",
        )?;
        loop {
            let byte = line.exactly(1)?;
            line.stream.write_all(&byte)?;
        }
    })
}

const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn shake_hands(line: &mut Line) {
    let answer = line.ask(HANDSHAKE);
    assert_eq!(
        (
            answer.status(),
            answer.one("upgrade"),
            answer.one("connection")
        ),
        (101, Some("websocket"), Some("upgrade"))
    );
    assert_eq!(
        answer.one("sec-websocket-accept"),
        Some("s3pPLBMlxTA1HzAXcoNM5/Z9kr8=")
    );
}

/// A masked "Hello", RFC 6455 section 5.7, and bytes that would be broken HTTP.
const FRAMES: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\n\n\r\rGET";

#[test]
fn tunnels_outlive_weight_changes_and_end_with_a_cut() {
    let (blue, green) = (echo_server(), Origin::saying("green"));
    let proxy = before(&blue);
    let mut line = client(&proxy);
    shake_hands(&mut line);
    line.send(FRAMES);
    assert_eq!(line.exactly(FRAMES.len()).unwrap(), FRAMES);
    settled(&proxy);
    let counted = proxy.counters();
    let slots = &counted.slots["blue"];
    assert_eq!(
        (
            slots.upgraded_open,
            slots.ok,
            slots.in_flight,
            counted.connections_open
        ),
        (1, 1, 0, 1)
    );

    proxy
        .route(routes(2, [slot("green", green.addr, 10_000)]))
        .unwrap();
    line.send(FRAMES);
    assert_eq!(
        line.exactly(FRAMES.len()).unwrap(),
        FRAMES,
        "the tunnel goes on without weight"
    );
    proxy.cut("green");
    line.send(FRAMES);
    assert_eq!(
        line.exactly(FRAMES.len()).unwrap(),
        FRAMES,
        "the tunnel is not green's"
    );
    proxy.cut("blue");
    line.closed();
    wait_until("the tunnel is counted out", || {
        let now = proxy.counters();
        now.slots["blue"].upgraded_open == 0 && now.connections_open == 0
    });
    wait_until("the upstream is let go", || blue.ended() == 1);
}

#[test]
fn a_tunnel_ends_when_either_side_does() {
    let blue = echo_server();
    let proxy = before(&blue);
    let mut line = client(&proxy);
    shake_hands(&mut line);
    drop(line);
    wait_until("the upstream is let go", || blue.ended() == 1);
    let mut line = client(&proxy);
    shake_hands(&mut line);
    blue.hang_up();
    line.closed();
    // A client that ends its side may still listen.
    let mut line = client(&proxy);
    shake_hands(&mut line);
    line.send(FRAMES)
        .stream
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    assert_eq!(line.rest().unwrap(), FRAMES);
    wait_until("tunnels are counted out", || {
        proxy.counters().slots["blue"].upgraded_open == 0
    });
}

#[test]
fn a_refused_upgrade_is_an_ordinary_response() {
    let origin = Origin::replying(|_| {
        "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno".to_owned()
    });
    let proxy = before(&origin);
    let mut line = client(&proxy);
    assert_eq!(line.ask(HANDSHAKE).text(), "no");
    assert_eq!(line.get("/").status(), 426, "the connection goes on");
    settled(&proxy);
    assert_eq!(proxy.counters().slots["blue"].client_errors, 2);
}

#[test]
fn an_upgrade_nobody_asked_for_is_an_error() {
    let origin = Origin::replying(|_| {
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".to_owned()
    });
    let proxy = before(&origin);
    assert_eq!(client(&proxy).get("/").status(), 502);
    settled(&proxy);
    assert_eq!(proxy.counters().slots["blue"].aborted, 1);
}

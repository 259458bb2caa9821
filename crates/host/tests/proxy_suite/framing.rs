//! Request smuggling and other broken framing: refused, the connection closed, and nothing of it seen by the upstream.

use crate::kit::{Origin, before, client, ok, settled, wait_until};

const ORDINARY: &str = "GET /ordinary HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn ambiguous_requests_are_refused_and_the_connection_closed() {
    let origin = Origin::saying("ok");
    let proxy = before(&origin);
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let heads = [
        "Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Host: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        "Host: x\r\nContent-Length: 5, 6\r\n",
        "Host: x\r\nContent-Length: -5\r\n",
        "Host: x\r\nContent-Length: 0x5\r\n",
        "Host: x\r\nContent-Length: 99999999999999999999\r\n",
        "Host: x\r\nTransfer-Encoding: chunked, identity\r\n",
        "Host: x\r\nTransfer-Encoding: identity, chunked\r\n",
        "Host: x\r\nTransfer-Encoding: xchunked\r\n",
        "Host: x\r\nTransfer-Encoding: \"chunked\"\r\n",
        "Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
        "Host: x\r\nTransfer-Encoding : chunked\r\n",
        "Host: x\r\n Transfer-Encoding: chunked\r\n",
        "Host: x\r\nX: a\r\n folded\r\n",
        "Host: x\r\nX: a\rb\r\n",
        "Host: x\nContent-Length: 5\r\n",
        "Host: x\r\nX: a\0b\r\n",
        "Host: x\r\nno colon here\r\n",
        "Host : x\r\n",
    ];
    for (i, head) in heads.iter().enumerate() {
        // First on the connection, then behind an ordinary request in the same segment.
        for ahead in ["", ORDINARY] {
            let mut line = client(&proxy);
            line.send(format!(
                "{ahead}POST /bad HTTP/1.1\r\n{head}\r\n0\r\n\r\n{smuggled}"
            ));
            if !ahead.is_empty() {
                assert_eq!(line.response().unwrap().status(), 200, "{head:?}");
            }
            assert_eq!(
                line.response().unwrap().status(),
                400,
                "{head:?} behind {ahead:?}"
            );
            line.closed();
        }
        wait_until("refusals are counted", || {
            proxy.counters().bad_requests == 2 * (i as u64 + 1)
        });
    }
    settled(&proxy);
    assert!(
        origin.seen().iter().all(|m| m.start.contains("/ordinary")),
        "{:?}",
        origin.seen()
    );
    assert_eq!(proxy.counters().slots["blue"].ok, heads.len() as u64);
}

#[test]
fn lines_that_are_not_requests_are_refused() {
    let origin = Origin::saying("ok");
    let proxy = before(&origin);
    for garbage in [
        "hello\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/3.7\r\nHost: x\r\n\r\n",
        "\u{16}\u{3}\u{1}\r\n\r\n",
    ] {
        let mut line = client(&proxy);
        assert_eq!(line.ask(garbage).status(), 400, "{garbage:?}");
        line.closed();
    }
    assert_eq!(origin.seen().len(), 0);
}

#[test]
fn a_broken_chunk_ends_the_request_and_the_connection() {
    let origin = Origin::saying("ok");
    let proxy = before(&origin);
    for chunk in [
        "zz\r\n",
        "5\r\nhelloXX",
        "5;a=\n1\r\nhello\r\n",
        "-1\r\n",
        "FFFFFFFFFFFFFFFFF\r\n",
        "5 5\r\nhello\r\n",
    ] {
        let mut line = client(&proxy);
        line.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            .send(chunk);
        line.send(format!("\r\n0\r\n\r\n{ORDINARY}"));
        if let Ok(answer) = line.response() {
            assert_eq!(answer.status(), 400, "{chunk:?}");
        }
        line.closed();
    }
    settled(&proxy);
    assert_eq!(
        origin.seen().len(),
        0,
        "the upstream took a broken body for a whole request"
    );
    assert_eq!(proxy.counters().slots["blue"].client_gone, 6);
}

#[test]
fn bodies_that_look_like_heads_are_only_bodies() {
    let origin = Origin::saying("ok");
    let proxy = before(&origin);
    let mut line = client(&proxy);
    let body =
        "a\nb\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let long = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let chunked = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\nT: 1\r\n\r\n",
        body.len()
    );
    line.send(format!("{long}{chunked}\r\n{long}"));
    for _ in 0..3 {
        assert_eq!(line.response().unwrap().status(), 200);
    }
    assert!(origin.seen().iter().all(|m| m.text() == body));
    assert_eq!(line.get("/").status(), 200);
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let origin = Origin::saying("ok");
    let proxy = before(&origin);
    let mut line = client(&proxy);
    line.send(format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "a".repeat(70_000)
    ));
    assert_eq!(line.response().unwrap().status(), 431);
    line.closed();
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(30_000));
    assert_eq!(client(&proxy).ask(long).status(), 200);
}

#[test]
fn an_ambiguous_response_is_framed_anew() {
    let origin = Origin::replying(|_| {
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            .to_owned()
    });
    let proxy = before(&origin);
    let mut line = client(&proxy);
    for _ in 0..2 {
        let answer = line.get("/");
        assert_eq!(
            (answer.one("content-length"), answer.text().as_str()),
            (None, "abc")
        );
    }
}

#[test]
fn folded_response_fields_are_an_error() {
    let origin = Origin::replying(|_| {
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n".to_owned()
    });
    let proxy = before(&origin);
    assert_eq!(client(&proxy).get("/").status(), 502);
}

#[test]
fn repeated_response_lengths_are_one_or_an_error() {
    for (lengths, good) in [
        ("Content-Length: 3\r\nContent-Length: 3", true),
        ("Content-Length: 3, 3", true),
        ("Content-Length: 3\r\nContent-Length: 2", false),
        ("Content-Length: 3, 2", false),
        ("Content-Length: 2, 3", false),
        ("Content-Length: +3", false),
        ("Content-Length: three", false),
    ] {
        let origin = Origin::replying(move |_| format!("HTTP/1.1 200 OK\r\n{lengths}\r\n\r\nabc"));
        let proxy = before(&origin);
        let mut line = client(&proxy);
        let answer = line.get("/");
        if good {
            assert_eq!(
                (answer.one("content-length"), answer.text().as_str()),
                (Some("3"), "abc"),
                "{lengths:?}"
            );
            assert_eq!(line.get("/").text(), "abc");
        } else {
            assert_eq!(answer.status(), 502, "{lengths:?}");
        }
    }
}

#[test]
fn a_response_nobody_asked_for_answers_nobody() {
    let origin = Origin::replying(|_| format!("{}{}", ok("good"), ok("evil")));
    let proxy = before(&origin);
    let mut line = client(&proxy);
    for _ in 0..50 {
        assert_eq!(line.get("/").text(), "good");
    }
    // The same after a response that has no body by definition.
    let origin = Origin::replying(|_| format!("HTTP/1.1 204 No Content\r\n\r\n{}", ok("evil")));
    let proxy = before(&origin);
    let mut line = client(&proxy);
    for _ in 0..50 {
        assert_eq!(line.get("/").status(), 204);
    }
}

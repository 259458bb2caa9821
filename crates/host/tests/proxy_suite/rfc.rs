//! What an intermediary does to messages, by RFC 9110 and RFC 9112.

use std::io::Write;

use crate::kit::{Origin, before, client, ok, settled};

#[test]
fn hop_by_hop_fields_stay_on_their_hop() {
    let origin = Origin::replying(|_| {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x-secret, keep-alive\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Connection: keep-alive\r\nVia: 1.0 inner\r\nX-Kept: 2\r\n\r\nok"
            .to_owned()
    });
    let proxy = before(&origin);
    let answer = client(&proxy).ask(
        "GET /p?q=1 HTTP/1.1\r\nHost: shop.example:80\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 300\r\n\
         Proxy-Connection: keep-alive\r\nTE: gzip, trailers;q=0.5\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\
         X-Forwarded-For: 10.0.0.1\r\nX-End: kept\r\n\r\n",
    );
    let seen = origin.last();
    assert_eq!(seen.start, "GET /p?q=1 HTTP/1.1");
    for gone in [
        "x-hop",
        "keep-alive",
        "proxy-connection",
        "upgrade",
        "http2-settings",
        "transfer-encoding",
    ] {
        assert_eq!(seen.one(gone), None, "{gone} was forwarded");
    }
    assert_eq!(
        (seen.one("te"), seen.one("connection")),
        (Some("trailers"), Some("te"))
    );
    assert_eq!(seen.one("host"), Some("shop.example:80"));
    assert_eq!(seen.one("x-forwarded-for"), Some("10.0.0.1, 127.0.0.1"));
    assert_eq!(seen.one("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.one("x-forwarded-host"), Some("shop.example:80"));
    assert_eq!(
        (seen.one("via"), seen.one("x-end")),
        (Some("1.1 gonogo"), Some("kept"))
    );

    for gone in ["x-secret", "keep-alive", "proxy-connection", "connection"] {
        assert_eq!(answer.one(gone), None, "{gone} was forwarded");
    }
    assert_eq!(
        (answer.one("via"), answer.one("x-kept")),
        (Some("1.0 inner, 1.1 gonogo"), Some("2"))
    );
}

#[test]
fn connection_cannot_name_away_host_or_length() {
    let origin = Origin::saying("ok");
    let proxy = before(&origin);
    client(&proxy).ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: host, content-length\r\n\r\nabc");
    let seen = origin.last();
    assert_eq!(
        (
            seen.one("host"),
            seen.one("content-length"),
            seen.text().as_str()
        ),
        (Some("a"), Some("3"), "abc")
    );
}

#[test]
fn request_targets_take_their_four_forms() {
    let origin = Origin::saying("ok");
    let proxy = before(&origin);
    let mut line = client(&proxy);
    line.ask("GET http://user@other.example:81/x?y=%20 HTTP/1.1\r\nHost: ignored\r\n\r\n");
    let seen = origin.last();
    assert_eq!(
        (seen.start.as_str(), seen.one("host")),
        ("GET /x?y=%20 HTTP/1.1", Some("other.example:81"))
    );
    line.ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(origin.last().start, "OPTIONS * HTTP/1.1");
    let answer = line.ask("CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n");
    assert_eq!(answer.status(), 501);
    line.closed();
    assert_eq!((origin.seen().len(), proxy.counters().bad_requests), (2, 1));
}

#[test]
fn a_request_has_one_valid_host() {
    let origin = Origin::saying("ok");
    let proxy = before(&origin);
    for head in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a/b\r\n",
        "Host: a b\r\n",
        "Host: a@b\r\n",
    ] {
        let mut line = client(&proxy);
        assert_eq!(
            line.ask(format!("GET / HTTP/1.1\r\n{head}\r\n")).status(),
            400,
            "{head:?}"
        );
        line.closed();
    }
    assert_eq!(origin.seen().len(), 0);
    assert_eq!(
        client(&proxy)
            .ask("GET / HTTP/1.1\r\nHost:\r\n\r\n")
            .status(),
        200,
        "an empty host is allowed"
    );
}

#[test]
fn http_1_0_clients_are_served_on_their_terms() {
    let origin = Origin::replying(|_| {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_owned()
    });
    let proxy = before(&origin);
    let mut line = client(&proxy);
    let answer = line.ask("GET / HTTP/1.0\r\n\r\n");
    assert!(answer.start.starts_with("HTTP/1.0 200"), "{}", answer.start);
    assert_eq!(
        (answer.one("transfer-encoding"), answer.text().as_str()),
        (None, "abc")
    );
    let seen = origin.last();
    assert_eq!(
        (seen.start.as_str(), seen.one("via")),
        ("GET / HTTP/1.1", Some("1.0 gonogo"))
    );
    assert_eq!(seen.one("host"), Some(origin.addr.to_string().as_str()));
}

#[test]
fn responses_without_a_body_keep_their_length_and_the_connection() {
    let origin = Origin::replying(|request| {
        if request.start.starts_with("HEAD") {
            "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n".to_owned()
        } else if request.start.contains("304") {
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\nETag: \"e\"\r\n\r\n".to_owned()
        } else {
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
        }
    });
    let proxy = before(&origin);
    let mut line = client(&proxy);
    let head = line
        .send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        .head()
        .unwrap();
    assert_eq!(
        (head.status(), head.one("content-length")),
        (200, Some("5000"))
    );
    let unchanged = line
        .send("GET /304 HTTP/1.1\r\nHost: x\r\n\r\n")
        .head()
        .unwrap();
    assert_eq!(
        (unchanged.status(), unchanged.one("etag")),
        (304, Some("\"e\""))
    );
    let empty = line.get("/");
    assert_eq!((empty.status(), empty.one("content-length")), (204, None));
    settled(&proxy);
    assert_eq!(proxy.counters().slots["blue"].ok, 3);
    assert_eq!(origin.connections(), 1);
}

#[test]
fn trailers_go_both_ways() {
    let origin = Origin::replying(|_| {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n".to_owned()
    });
    let proxy = before(&origin);
    let answer = client(&proxy).ask(
        "POST / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nTrailer: X-Digest\r\nTransfer-Encoding: chunked\r\n\r\n\
         4\r\nbody\r\n0\r\nX-Digest: 9\r\n\r\n",
    );
    let pair = |n: &str, v: &str| vec![(n.to_owned(), v.to_owned())];
    assert_eq!(answer.trailers, pair("x-sum", "6"));
    let seen = origin.last();
    assert_eq!(
        (seen.text().as_str(), seen.trailers),
        ("body", pair("x-digest", "9"))
    );
}

#[test]
fn a_chunked_body_is_forwarded_whatever_the_method() {
    let origin = Origin::replying(|request| ok(&request.text()));
    let proxy = before(&origin);
    let mut line = client(&proxy);
    for method in ["GET", "DELETE", "PUT"] {
        let head = format!("{method} / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        let answer = line.ask(format!("{head}5;ext=1\r\nhello\r\n0\r\n\r\n"));
        assert_eq!(answer.text(), "hello", "{method}");
        assert_eq!(origin.last().one("content-length"), None);
    }
}

#[test]
fn a_client_that_expects_100_gets_it_before_the_body() {
    let origin = Origin::on(|line| {
        let mut request = line.head()?;
        assert_eq!(request.one("expect"), Some("100-continue"));
        line.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        line.body(&mut request, false)?;
        line.stream.write_all(ok(&request.text()).as_bytes())
    });
    let proxy = before(&origin);
    let mut line = client(&proxy);
    line.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(line.response().unwrap().status(), 100);
    line.send("hello");
    assert_eq!(line.response().unwrap().text(), "hello");
}

#[test]
fn a_final_answer_to_an_expectation_comes_without_the_body() {
    let origin = Origin::on(|line| {
        line.head()?;
        line.stream.write_all(
            b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        )?;
        Err(std::io::ErrorKind::Other.into())
    });
    let proxy = before(&origin);
    let mut line = client(&proxy);
    line.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    let mut answer = line.head().unwrap();
    if answer.status() == 100 {
        answer = line.response().unwrap();
    }
    assert_eq!(answer.status(), 417);
    settled(&proxy);
    assert_eq!(proxy.counters().slots["blue"].client_errors, 1);
}

#[test]
fn pipelined_requests_are_answered_in_order_over_reused_connections() {
    let origin = Origin::replying(|request| ok(request.start.split(' ').nth(1).unwrap()));
    let proxy = before(&origin);
    let mut line = client(&proxy);
    let many: String = (0..30)
        .map(|i| format!("GET /{i} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .collect();
    line.send(many);
    for i in 0..30 {
        assert_eq!(line.response().unwrap().text(), format!("/{i}"));
    }
    settled(&proxy);
    assert_eq!(origin.connections(), 1);
}

#[test]
fn max_forwards_is_counted_down_for_options_and_trace() {
    let origin = Origin::saying("ok");
    let proxy = before(&origin);
    let mut line = client(&proxy);
    line.ask("OPTIONS / HTTP/1.1\r\nHost: x\r\nMax-Forwards: 3\r\n\r\n");
    assert_eq!(origin.last().one("max-forwards"), Some("2"));
    assert_eq!(
        line.ask("OPTIONS / HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\n\r\n")
            .status(),
        204
    );
    assert_eq!(origin.seen().len(), 1);
}

#[test]
fn date_is_the_upstreams_or_added_once() {
    let dated = Origin::replying(|r| {
        let date = if r.start.contains("/with") {
            "Date: Tue, 01 Jan 2030 00:00:00 GMT\r\n"
        } else {
            ""
        };
        format!("HTTP/1.1 200 OK\r\n{date}Content-Length: 0\r\n\r\n")
    });
    let proxy = before(&dated);
    let mut line = client(&proxy);
    assert_eq!(
        line.get("/with").one("date"),
        Some("Tue, 01 Jan 2030 00:00:00 GMT")
    );
    assert!(line.get("/without").one("date").is_some());
}

//! Upstreams that lie, hang up or are silent: the client is told, and nothing is saved.

use std::io::Write;
use std::net::Shutdown;

use gonogo_core::{Span, Verdict};
use gonogo_recorded::Mode;

use crate::support::{Stage, api, codes, get, hostile, raw, upstream};

fn refused(stage: &Stage, status: Option<u16>, word: &str) {
    let (answer, report) = stage.run(Mode::Record, |r| {
        let request = "GET /x HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
        String::from_utf8_lossy(&raw(api(r), request)).into_owned()
    });
    if let Some(status) = status {
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
    }
    assert!(
        report.upstream_errors[0].contains(word),
        "{:?}",
        report.upstream_errors
    );
    assert_eq!(codes(&report), ["RECORDING_PARTIAL"]);
    assert_eq!(report.verdict, Verdict::Invalid);
    assert!(!report.saved && stage.files().is_empty());
}

#[test]
fn a_length_that_lies_ends_early_here_too() {
    let to = hostile(|s| {
        s.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort")
            .unwrap();
    });
    refused(&Stage::new(to), Some(200), "the answer's body");
    let to = hostile(|s| {
        s.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n")
            .unwrap();
    });
    refused(&Stage::new(to), Some(200), "the answer's body");
}

#[test]
fn no_answer_and_half_an_answer_are_told() {
    let to = hostile(|s| s.shutdown(Shutdown::Both).unwrap());
    refused(&Stage::new(to), Some(502), "GET http://");
    let to = hostile(|s| s.write_all(b"HTTP/1.1 200 OK\r\nx: y").unwrap());
    refused(&Stage::new(to), Some(502), "GET http://");
    let to = hostile(|s| s.write_all(b"\x16\x03\x01 no http").unwrap());
    refused(&Stage::new(to), Some(502), "GET http://");
    // Nobody listens there any more.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    refused(&Stage::new(gone), Some(502), "refused");
}

#[test]
fn silence_has_an_end() {
    let real = upstream();
    let mut stage = Stage::new(real.address);
    stage.settings.limits.response = Span::from_millis(200);
    let (answer, report) = stage.run(Mode::Record, |r| get(api(r), "/slow"));
    assert_eq!(answer.status, 504);
    assert!(report.upstream_errors[0].contains("no answer within"));
    let to = hostile(|s| {
        s.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
            .unwrap();
        // Holds the connection until the proxy gives up.
        let _ = std::io::Read::read(s, &mut [0]);
    });
    let mut stage = Stage::new(to);
    stage.settings.limits.idle = Span::from_millis(200);
    refused(&stage, Some(200), "silent for 200ms");
}

#[test]
fn interim_answers_are_not_the_answer() {
    let to = hostile(|s| {
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
        let answer = "HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok";
        s.write_all(format!("{interim}{answer}").as_bytes())
            .unwrap();
    });
    let stage = Stage::new(to);
    let (answer, report) = stage.run(Mode::Record, |r| get(api(r), "/"));
    assert!(report.saved && answer.status == 201, "{report:?}");
    let (answer, _) = stage.run(Mode::Playback, |r| get(api(r), "/"));
    assert_eq!((answer.status, answer.text().as_str()), (201, "ok"));
    // A change of protocol that nobody asked for is no answer either.
    let to = hostile(|s| {
        let text = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
        s.write_all(text.as_bytes()).unwrap();
    });
    refused(&Stage::new(to), Some(502), "GET http://");
}

#[test]
fn heads_have_limits() {
    let to = hostile(|s| {
        let _ = s.write_all(b"HTTP/1.1 200 OK\r\n");
        for n in 0..200_000 {
            if s.write_all(format!("x-{n}: 0123456789\r\n").as_bytes())
                .is_err()
            {
                return;
            }
        }
    });
    refused(&Stage::new(to), Some(502), "GET http://");
    let real = upstream();
    let stage = Stage::new(real.address);
    let long = format!(
        "GET / HTTP/1.1\r\nhost: h\r\nx: {}\r\n\r\n",
        "y".repeat(2 << 20)
    );
    let (answer, _) = stage.run(Mode::Record, |r| raw(api(r), &long));
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"));
    assert_eq!(real.hits(), 0);
}

#[test]
fn what_is_under_way_at_the_end_is_not_saved() {
    let real = upstream();
    let mut stage = Stage::new(real.address);
    stage.settings.limits.drain = Span::from_millis(100);
    let (waiting, report) = stage.run(Mode::Record, |r| {
        get(api(r), "/count");
        let to = api(r);
        let waiting = std::thread::spawn(move || raw(to, "GET /slow HTTP/1.1\r\nhost: h\r\n\r\n"));
        // The upstream has it.
        while real.hits() < 2 {
            std::thread::yield_now();
        }
        waiting
    });
    assert!(waiting.join().unwrap().is_empty());
    assert_eq!(codes(&report)[0], "RECORDING_PARTIAL");
    assert!(stage.files().is_empty());
}

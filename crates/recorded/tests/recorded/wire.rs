//! Shapes of messages: streams, trailers, bodies that are none, long ones, and how connections are used.

use gonogo_core::clock::SystemClock;
use gonogo_core::{Clock, Digest, Verdict};
use gonogo_recorded::cassette;
use gonogo_recorded::{Mode, Recorder};

use crate::support::{Answer, Stage, api, ask, codes, get, hostile, raw, serve, upstream};

/// Lengths of the chunks of a chunked body.
fn chunks(body: &[u8]) -> Vec<usize> {
    let text = String::from_utf8_lossy(body).into_owned();
    let (mut rest, mut all) = (text.as_str(), Vec::new());
    while let Some((length, tail)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return all;
        }
        all.push(length);
        rest = &tail[length + 2..];
    }
    panic!("no end: {text:?}");
}

#[test]
fn a_stream_keeps_its_borders() {
    let real = upstream();
    let stage = Stage::new(real.address);
    let (live, report) = stage.run(Mode::Record, |r| get(api(r), "/sse"));
    assert!(report.saved, "{report:?}");
    let (played, _) = stage.run(Mode::Playback, |r| get(api(r), "/sse"));
    assert_eq!(chunks(&played.body), chunks(&live.body));
    assert_eq!(chunks(&played.body), [15, 15, 14]);
}

#[test]
fn pauses_are_kept_and_played_if_asked_for() {
    use std::io::{Read, Write};
    const PAUSE: u64 = 80;
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let to = hostile(move |s| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n";
        s.write_all(head.as_bytes()).unwrap();
        gone.recv().unwrap();
        s.write_all(b"3\r\ntwo\r\n0\r\n\r\n").unwrap();
    });
    let mut stage = Stage::new(to);
    let (_, report) = stage.run(Mode::Record, |r| {
        let mut stream = std::net::TcpStream::connect(api(r)).unwrap();
        let request = "GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let (mut seen, mut byte) = (Vec::new(), [0]);
        while !seen.ends_with(b"one") && stream.read(&mut byte).unwrap() == 1 {
            seen.push(byte[0]);
        }
        // The first piece was written down before it came here, so the second is at least so much later.
        std::thread::sleep(std::time::Duration::from_millis(PAUSE));
        go.send(()).unwrap();
        stream.read_to_end(&mut seen).unwrap();
    });
    assert!(report.saved, "{report:?}");
    let tape = cassette::read(&stage.cassette(), 1 << 20).unwrap();
    let body = tape.cassette.interactions[0].response.body.clone().unwrap();
    let kept = body.chunks.unwrap();
    assert!(kept.len() == 2 && kept[1].after_ms >= PAUSE, "{kept:?}");
    stage.settings.timing = true;
    let clock = SystemClock::default();
    let (played, _) = stage.run(Mode::Playback, |r| get(api(r), "/"));
    assert_eq!(chunks(&played.body), [3, 3]);
    assert!(clock.now().mono_ms >= PAUSE);
}

#[test]
fn bodies_that_are_none_and_trailers_come_back() {
    let real = upstream();
    let stage = Stage::new(real.address);
    let calls = |r: &Recorder| {
        [
            ask(api(r), "HEAD", "/big", "", b""),
            get(api(r), "/empty"),
            get(api(r), "/unchanged"),
            ask(api(r), "GET", "/trailers", "te: trailers\r\n", b""),
            get(api(r), "/trailers"),
        ]
    };
    let (live, report) = stage.run(Mode::Record, calls);
    assert!(report.saved, "{report:?}");
    let (played, report) = stage.run(Mode::Playback, calls);
    assert_eq!(report.verdict, Verdict::Pass);
    for (live, played) in live.iter().zip(&played) {
        assert_eq!((live.status, &live.body), (played.status, &played.body));
    }
    assert!(
        live[0].head.contains("content-length: 3145728"),
        "{}",
        live[0].head
    );
    assert!(
        played[0].head.contains("content-length: 3145728"),
        "{}",
        played[0].head
    );
    assert!(played[0].body.is_empty() && played[1].status == 204 && played[2].status == 304);
    assert!(played[2].head.contains("etag: \"1\""));
    assert!(
        played[3].text().contains("x-sum: 42"),
        "{:?}",
        played[3].text()
    );
}

#[test]
fn long_bodies_lie_beside_and_come_back_whole() {
    let real = upstream();
    let stage = Stage::new(real.address);
    let upload: Vec<u8> = (0..8_000_000_u32)
        .flat_map(|n| n.to_le_bytes()[..1].to_vec())
        .collect();
    let calls = |r: &Recorder| {
        let up = ask(api(r), "PUT", "/up", "", &upload);
        (
            up.json()["digest"].as_str().map(str::to_owned),
            get(api(r), "/big").body,
        )
    };
    let (live, report) = stage.run(Mode::Record, calls);
    assert!(report.saved, "{report:?}");
    assert_eq!(live.0, Some(Digest::of(&upload).to_string()));
    assert_eq!(stage.files().len(), 3, "{:?}", stage.files().keys());
    assert!(stage.files()["calls.json"].len() < 10_000);
    let (played, report) = stage.run(Mode::Playback, calls);
    assert_eq!((played, report.verdict), (live, Verdict::Pass));
}

#[test]
fn a_body_over_the_limit_passes_and_is_not_saved() {
    let real = upstream();
    let mut stage = Stage::new(real.address);
    stage.settings.limits.body = 1 << 20;
    let (answer, report) = stage.run(Mode::Record, |r| get(api(r), "/big"));
    assert_eq!(answer.body.len(), 3 << 20);
    assert_eq!(codes(&report), ["RECORDING_PARTIAL"]);
    assert!(stage.files().is_empty());
}

#[test]
fn a_client_that_leaves_is_noted_and_playback_breaks_off_there() {
    use std::io::{Read, Write};
    let real = upstream();
    let stage = Stage::new(real.address);
    let leave = |r: &Recorder| {
        let mut stream = std::net::TcpStream::connect(api(r)).unwrap();
        stream
            .write_all(b"GET /sse HTTP/1.1\r\nhost: h\r\n\r\n")
            .unwrap();
        let mut seen = Vec::new();
        let mut byte = [0];
        while !seen.windows(5).any(|w| w == b"\"n\":1") && stream.read(&mut byte).unwrap() == 1 {
            seen.push(byte[0]);
        }
    };
    let (_, report) = stage.run(Mode::Record, leave);
    assert!(report.saved && report.client_left == 1, "{report:?}");
    let (_, report) = stage.run(Mode::Playback, leave);
    assert_eq!(report.verdict, Verdict::Pass);
    // Who reads on does not read a clean end.
    let (answer, _) = stage.run(Mode::Playback, |r| get(api(r), "/sse"));
    assert!(answer.text().contains("\"n\":1") && !answer.text().ends_with("0\r\n\r\n"));
}

#[test]
fn one_connection_serves_many_requests_also_before_they_are_answered() {
    let real = upstream();
    let stage = Stage::new(real.address);
    let calls = |r: &Recorder| {
        let one = "GET /count HTTP/1.1\r\nhost: h\r\n\r\n";
        let last = "GET /count HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
        let text = String::from_utf8(raw(api(r), format!("{one}{one}{last}"))).unwrap();
        let answers = text.split("HTTP/1.1 200").skip(1);
        answers
            .map(|a| a.rsplit("\r\n\r\n").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (live, report) = stage.run(Mode::Record, calls);
    assert!(report.saved && live == ["1", "2", "3"], "{live:?}");
    let (played, _) = stage.run(Mode::Playback, calls);
    assert_eq!(played, live);
}

#[test]
fn fields_of_the_hop_stay_on_the_hop() {
    let real = upstream();
    let stage = Stage::new(real.address);
    let hop = "x-hop: 1\r\nconnection: x-hop\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\nproxy-authorization: Basic eDp5eXl5eXl5eQ==\r\n";
    let request =
        format!("GET /echo HTTP/1.1\r\nhost: h\r\nconnection: close, upgrade\r\n{hop}\r\n");
    let (answer, report) = stage.run(Mode::Record, |r| Answer::of(raw(api(r), &request)));
    assert!(report.saved, "{report:?}");
    let echo = answer.json();
    assert_eq!(
        (&echo["upgrade"], &echo["connection"]),
        (&"".into(), &"".into())
    );
    assert_eq!(echo["accept_encoding"], "identity");
    let kept = String::from_utf8(stage.files()["calls.json"].clone()).unwrap();
    assert!(!kept.contains("x-hop") && !kept.contains("settings") && !kept.contains("proxy-auth"));
}

#[test]
fn other_protocols_and_targets_are_refused_and_make_the_run_fail() {
    let real = upstream();
    let stage = Stage::new(real.address);
    let socket =
        "GET /ws HTTP/1.1\r\nhost: h\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\r\n";
    let (answer, report) = stage.run(Mode::Record, |r| Answer::of(raw(api(r), socket)));
    assert_eq!(answer.status, 501);
    assert!(answer.text().contains("websocket"));
    assert_eq!(codes(&report)[0], "RECORDING_PARTIAL");
    stage.run(Mode::Record, |r| get(api(r), "/count"));
    for (request, status) in [
        (socket, 501),
        (
            "CONNECT h:443 HTTP/1.1\r\nhost: h:443\r\nconnection: close\r\n\r\n",
            501,
        ),
        (
            "OPTIONS * HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
            400,
        ),
        (
            "GET http://elsewhere/ HTTP/1.1\r\nhost: elsewhere\r\nconnection: close\r\n\r\n",
            400,
        ),
    ] {
        let (answer, report) = stage.run(Mode::Playback, |r| {
            get(api(r), "/count");
            Answer::of(raw(api(r), request))
        });
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(
            (codes(&report), report.verdict),
            (vec!["RECORDING_MISMATCH"], Verdict::Fail)
        );
    }
}

#[test]
fn upstreams_have_addresses_of_both_kinds() {
    let Ok(real) = serve("[::1]:0", false) else {
        gonogo_testkit::skip("an upstream on IPv6", "this machine has no ::1");
        return;
    };
    let stage = Stage::new(real.address);
    let (live, report) = stage.run(Mode::Record, |r| get(api(r), "/count").text());
    assert!(report.saved && live == "1", "{report:?}");
    let (played, _) = stage.run(Mode::Playback, |r| get(api(r), "/count").text());
    assert_eq!(played, "1");
}

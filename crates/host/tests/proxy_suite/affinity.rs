//! Session affinity: clients follow the weights and nothing else; cookies that are no buckets.

use std::time::Duration;

use gonogo_host::proxy::{Config, Proxy, Routes, Sticky};

use crate::kit::{Line, Message, Origin, client, config, routes, slot};

fn sticky() -> Config {
    Config {
        sticky: Some(Sticky {
            cookie: "lane".to_owned(),
            ttl: Duration::from_secs(600),
        }),
        ..config()
    }
}

fn with_cookie(line: &mut Line, cookie: &str) -> Message {
    line.ask(format!(
        "GET / HTTP/1.1\r\nHost: x\r\nCookie: a=b; {cookie}; c=d\r\n\r\n"
    ))
}

/// A stable slot and a newer canary with this weight.
fn canary(generation: u64, stable: &Origin, canary: &Origin, weight: u32) -> Routes {
    let mut newer = slot("canary", canary.addr, weight);
    newer.instance = 2;
    routes(
        generation,
        [slot("stable", stable.addr, 10_000 - weight), newer],
    )
}

/// The bucket that an answer gives to its client.
fn bucket(answer: &Message) -> Option<u32> {
    let set = answer.one("set-cookie")?;
    let value = set
        .strip_prefix("lane=")
        .and_then(|s| s.strip_suffix("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"));
    let number = value.and_then(|v| v.parse().ok());
    Some(number.unwrap_or_else(|| panic!("{set}")))
}

#[test]
fn a_growing_canary_only_gains_clients_and_a_shrinking_one_only_loses() {
    const CLIENTS: usize = 2_000;
    let (stable, newer) = (Origin::saying("stable"), Origin::saying("canary"));
    let proxy = Proxy::start(sticky(), canary(1, &stable, &newer, 500)).unwrap();
    let mut line = client(&proxy);
    let mut ask_all = |cookies: &[String]| -> Vec<Message> {
        let mut answers = Vec::new();
        for some in cookies.chunks(50) {
            let requests = some
                .iter()
                .map(|c| format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: {c}\r\n\r\n"));
            line.send(requests.collect::<String>());
            answers.extend(some.iter().map(|_| line.response().unwrap()));
        }
        answers
    };
    let first = ask_all(&vec!["other=1".to_owned(); CLIENTS]);
    let cookies: Vec<String> = first
        .iter()
        .map(|a| {
            format!(
                "lane={}",
                bucket(a).expect("the first answer gives a bucket")
            )
        })
        .collect();
    let on_canary = |answers: &[Message]| {
        answers
            .iter()
            .map(|a| a.text() == "canary")
            .collect::<Vec<_>>()
    };
    let mut before = on_canary(&first);
    let mut weight = 500;
    for (generation, next) in [500, 2_500, 5_000, 10_000, 2_500, 500, 0]
        .into_iter()
        .enumerate()
    {
        let table = canary(generation as u64 + 2, &stable, &newer, next);
        proxy.route(table).unwrap();
        let answers = ask_all(&cookies);
        assert!(
            answers.iter().all(|a| a.one("set-cookie").is_none()),
            "a bucket is kept"
        );
        let now = on_canary(&answers);
        let wrong = before
            .iter()
            .zip(&now)
            .filter(|(was, is)| was != is && **is != (next > weight));
        assert_eq!(wrong.count(), 0, "clients moved against {weight} -> {next}");
        let p = f64::from(next) / 10_000.0;
        let expected = CLIENTS as f64 * p;
        let got = now.iter().filter(|on| **on).count() as f64;
        let bound = 5.0 * (expected * (1.0 - p)).sqrt();
        assert!(
            (got - expected).abs() <= bound,
            "{got} of {CLIENTS} clients at weight {next}"
        );
        (before, weight) = (now, next);
    }
    assert_eq!(
        before.iter().filter(|on| **on).count(),
        0,
        "weight 0 gets nobody"
    );
}

#[test]
fn the_newest_slot_has_the_lowest_buckets() {
    let (stable, newer) = (Origin::saying("stable"), Origin::saying("canary"));
    let proxy = Proxy::start(sticky(), canary(1, &stable, &newer, 1)).unwrap();
    let mut line = client(&proxy);
    for (generation, weight) in [(1, 1), (2, 700), (3, 9_999)] {
        proxy
            .route(canary(generation, &stable, &newer, weight))
            .unwrap();
        for (cookie, expected) in [
            (0, "canary"),
            (weight - 1, "canary"),
            (weight, "stable"),
            (9_999, "stable"),
        ] {
            let answer = with_cookie(&mut line, &format!("lane={cookie}"));
            assert_eq!(
                (answer.text(), answer.one("set-cookie")),
                (expected.to_owned(), None),
                "bucket {cookie} at weight {weight}"
            );
        }
    }
}

#[test]
fn clients_leave_a_slot_that_is_not_ready_and_come_back() {
    let (stable, newer) = (Origin::saying("stable"), Origin::saying("canary"));
    let proxy = Proxy::start(sticky(), canary(1, &stable, &newer, 5_000)).unwrap();
    let mut line = client(&proxy);
    for (generation, ready) in [(1, true), (2, false), (3, true)] {
        let mut table = canary(generation, &stable, &newer, 5_000);
        table.slots[1].ready = ready;
        proxy.route(table).unwrap();
        let low = with_cookie(&mut line, "lane=4999");
        let expected = if ready { "canary" } else { "stable" };
        assert_eq!(
            (low.text(), low.one("set-cookie")),
            (expected.to_owned(), None)
        );
        assert_eq!(with_cookie(&mut line, "lane=5000").text(), "stable");
    }
}

#[test]
fn a_cookie_that_is_no_bucket_is_replaced() {
    let (stable, newer) = (Origin::saying("stable"), Origin::saying("canary"));
    let proxy = Proxy::start(sticky(), canary(1, &stable, &newer, 5_000)).unwrap();
    let mut line = client(&proxy);
    let mut drawn = Vec::new();
    for bad in [
        "",
        "10000",
        "-1",
        "+1",
        "007",
        "4294967296",
        "stable~stable-1",
        "\"7\"",
        "7,8",
    ] {
        let answer = with_cookie(&mut line, &format!("lane={bad}"));
        let new = bucket(&answer).unwrap_or_else(|| panic!("`{bad}` was taken for a bucket"));
        let expected = if new < 5_000 { "canary" } else { "stable" };
        assert_eq!(answer.text(), expected, "the answer is of the new bucket");
        drawn.push(new);
    }
    drawn.dedup();
    assert!(drawn.len() > 1, "buckets are drawn: {drawn:?}");
    for (cookies, expected) in [
        ("lane=x; lane=7", "canary"),
        ("Lane=1; lane=9000", "stable"),
    ] {
        let answer = with_cookie(&mut line, cookies);
        assert_eq!(
            (answer.text(), answer.one("set-cookie")),
            (expected.to_owned(), None),
            "{cookies}"
        );
    }
}

//! What is kept, what is refused, and what stays untouched then.

use gonogo_core::Verdict;
use gonogo_recorded::cassette::{self, Cassette};
use gonogo_recorded::{Error, Kind, Mode, RedactionRules, Settings, lint, start};

use crate::support::{DAY, Stage, Still, api, ask, codes, get, upstream};

const KEY: &str = "real-key-0123456789";

fn holds(files: &std::collections::BTreeMap<String, Vec<u8>>, text: &str) -> bool {
    let text = text.as_bytes();
    files
        .values()
        .any(|f| f.windows(text.len()).any(|w| w == text))
}

#[test]
fn no_secret_reaches_the_disk_and_another_key_plays() {
    let real = upstream();
    let stage = Stage::new(real.address);
    let calls = |recorder: &gonogo_recorded::Recorder, key: &str, password: &str| {
        let auth = format!("authorization: Bearer {key}\r\ncookie: sid=cookie-{key}\r\n");
        let body = format!("{{\"password\":\"{password}\",\"note\":\"my key is {key}\"}}");
        let kind = "content-type: application/json\r\n";
        let one = ask(
            api(recorder),
            "POST",
            &format!("/bot{key}/send?api_key={key}"),
            &format!("{auth}{kind}"),
            body.as_bytes(),
        );
        let form = "content-type: application/x-www-form-urlencoded\r\n";
        let two = ask(
            api(recorder),
            "POST",
            "/form",
            form,
            b"client_secret=form-secret&a=1",
        );
        let three = ask(api(recorder), "GET", "/login", "", b"");
        [one, two, three].map(|a| (a.status, a.text()))
    };
    let (answers, report) = stage.run(Mode::Record, |r| calls(r, KEY, "hunter2"));
    assert_eq!(report.verdict, Verdict::Pass, "{report:?}");
    assert!(report.saved && answers.iter().all(|(status, _)| *status == 200));
    // The client itself got the real thing.
    assert!(answers[0].1.contains(KEY) && answers[2].1.contains("token-from-login"));
    let files = stage.files();
    for secret in [
        KEY,
        "hunter2",
        "form-secret",
        "token-from-login",
        "session-secret-1",
    ] {
        assert!(!holds(&files, secret), "{secret}");
    }
    assert!(
        holds(&files, "client_secret=[REDACTED]&a=1") && holds(&files, "sid=[REDACTED]; Path=/")
    );
    assert!(
        report.redactions[&Kind::Literal] >= 3,
        "{:?}",
        report.redactions
    );
    let hits = real.hits();
    let (played, report) = stage.run(Mode::Playback, |r| calls(r, "dummy-key-987654", "other"));
    assert_eq!(report.verdict, Verdict::Pass, "{report:?}");
    assert!(
        played[2].1.contains("\"access_token\":\"[REDACTED]\""),
        "{}",
        played[2].1
    );
    assert_eq!(real.hits(), hits, "playback asks nobody");
}

#[test]
fn what_still_looks_like_a_secret_is_not_saved_and_the_old_one_stays() {
    let real = upstream();
    let mut stage = Stage::new(real.address);
    stage.settings.replace = true;
    let (_, report) = stage.run(Mode::Record, |r| get(api(r), "/count"));
    assert!(report.saved);
    let before = stage.files();
    let (_, report) = stage.run(Mode::Record, |r| get(api(r), "/leak"));
    assert_eq!(codes(&report), ["RECORDING_LEAK"]);
    assert!(!report.saved && report.verdict == Verdict::Fail);
    assert!(!format!("{report:?}").contains("ghp_0123"));
    assert_eq!(stage.files(), before);
    // A pattern makes it good.
    stage.settings.redaction.patterns = vec!["ghp_[a-z0-9]+".into()];
    let (_, report) = stage.run(Mode::Record, |r| get(api(r), "/leak"));
    assert!(report.saved, "{report:?}");
}

#[test]
fn an_interrupted_or_empty_recording_leaves_the_old_one() {
    let real = upstream();
    let mut stage = Stage::new(real.address);
    stage.settings.replace = true;
    stage.run(Mode::Record, |r| get(api(r), "/count"));
    let before = stage.files();
    let recorder = stage.start(Mode::Record);
    get(api(&recorder), "/other");
    let report = recorder.stop(gonogo_recorded::End::Interrupted).unwrap();
    assert_eq!(codes(&report), ["RECORDING_PARTIAL"]);
    let recorder = stage.start(Mode::Record);
    get(api(&recorder), "/other");
    drop(recorder);
    let (_, report) = stage.run(Mode::Record, |_| ());
    assert_eq!(codes(&report), ["RECORDING_EMPTY"]);
    assert_eq!(stage.files(), before);
    // Without a word nothing is replaced, and nothing is asked either.
    let mut settings = stage.settings.clone();
    (settings.replace, settings.mode) = (false, Mode::Record);
    let refused = start(settings, stage.clock.clone());
    assert!(matches!(refused, Err(Error::Exists { .. })));
}

#[test]
fn the_same_exchanges_give_the_same_bytes() {
    let real = upstream();
    let stages = [Stage::new(real.address), Stage::new(real.address)];
    let files = stages.map(|stage| {
        let (_, report) = stage.run(Mode::Record, |r| {
            ask(
                api(r),
                "POST",
                "/a",
                "b-header: 1\r\na-header: 2\r\n",
                b"text",
            );
            get(api(r), "/gzip")
        });
        assert!(report.saved);
        let mut text = String::from_utf8(stage.files()["calls.json"].clone()).unwrap();
        // The upstream's clock and the connection's port are not ours.
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        for n in 0..2 {
            let headers = value["interactions"][n]["response"]["headers"]
                .as_array_mut()
                .unwrap();
            headers.retain(|h| h[0] != "date");
        }
        text = value.to_string();
        text
    });
    assert_eq!(files[0], files[1]);
    assert!(files[0].find("a-header") < files[0].find("b-header"));
}

#[test]
fn compressed_bodies_are_kept_decoded_or_not_at_all() {
    let real = upstream();
    let stage = Stage::new(real.address);
    let asks = "accept-encoding: br, gzip\r\n";
    let (answer, report) = stage.run(Mode::Record, |r| ask(api(r), "GET", "/gzip", asks, b""));
    assert!(
        answer.head.contains("content-encoding: gzip") && report.saved,
        "{report:?}"
    );
    let (played, report) = stage.run(Mode::Playback, |r| ask(api(r), "GET", "/gzip", asks, b""));
    assert_eq!(report.verdict, Verdict::Pass);
    assert!(!played.head.contains("content-encoding"));
    assert_eq!(
        played.text(),
        "{\"password\":\"[REDACTED]\",\"text\":\"plain\"}"
    );
    let stage = Stage::new(real.address);
    let (_, report) = stage.run(Mode::Record, |r| ask(api(r), "GET", "/br", asks, b""));
    assert_eq!(codes(&report), ["RECORDING_PARTIAL"]);
    assert!(stage.files().is_empty());
}

#[test]
fn a_cassette_is_read_strictly() {
    let real = upstream();
    let mut stage = Stage::new(real.address);
    stage.settings.limits.inline = 1000;
    stage.run(Mode::Record, |r| get(api(r), "/big"));
    let good = std::fs::read_to_string(stage.cassette()).unwrap();
    let refused = |text: &str| {
        std::fs::write(stage.cassette(), text).unwrap();
        let mut settings = stage.settings.clone();
        settings.mode = Mode::Playback;
        start(settings, stage.clock.clone())
            .map(|_| ())
            .unwrap_err()
    };
    for (from, to) in [
        ("\"recorded_at\"", "\"extra\": 1, \"recorded_at\""),
        ("\"status\": 200", "\"status\": 101"),
        ("\"status\": 200", "\"status\": 200, \"status\": 200"),
        ("\"method\": \"GET\"", "\"method\": \"G T\""),
        ("\"url\": \"http:", "\"url\": \"ftp:"),
        ("\"blob\"", "\"blub\""),
        ("\"bytes\": 3145728", "\"bytes\": 3145727"),
        ("sha256:", "sha256:0"),
        ("\"headers\": [", "\"headers\": [[\"Upper\", \"x\"],"),
        ("\n}\n", "\n}\n{}"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert!(matches!(refused(&bad), Error::Invalid { .. }), "{to}");
    }
    assert!(matches!(refused(""), Error::Invalid { .. }));
    let none = format!(
        "{{\"schema\":\"{}\",\"recorded_at\":\"{DAY}\",\"interactions\":[]}}",
        cassette::SCHEMA
    );
    assert!(matches!(refused(&none), Error::Invalid { .. }));
    assert!(matches!(
        refused(&good.replace(".v1", ".v2")),
        Error::Schema { .. }
    ));
    std::fs::write(stage.cassette(), &good).unwrap();
    let tape = cassette::read(&stage.cassette(), 1 << 20).unwrap();
    let body = tape.cassette.interactions[0].response.body.clone().unwrap();
    let blob = body.blob.unwrap().digest.hex();
    std::fs::write(
        cassette::blobs_of(&stage.cassette()).join(blob),
        vec![b'y'; 3 << 20],
    )
    .unwrap();
    assert!(matches!(refused(&good), Error::Invalid { .. }));
}

#[test]
fn lint_finds_leaks_age_repeats_and_orphans() {
    let real = upstream();
    let mut stage = Stage::new(real.address);
    stage.settings.limits.inline = 10;
    stage.run(Mode::Record, |r| {
        get(api(r), "/big");
        get(api(r), "/big")
    });
    let at = |text: &str, report| {
        let age = Settings::new("x").max_age;
        let found = lint(
            &stage.cassette(),
            text.parse().unwrap(),
            age,
            &RedactionRules::default(),
            report,
        )
        .unwrap();
        let codes = found
            .findings
            .iter()
            .map(|f| format!("{} {}", f.reason, f.place));
        codes.collect::<Vec<_>>()
    };
    assert_eq!(at(DAY, None), ["RECORDING_UNUSED /interactions/1"]);
    assert_eq!(
        at("2027-11-01T00:00:00Z", None)[0],
        "RECORDING_STALE /recorded_at"
    );
    let (_, report) = stage.run(Mode::Playback, |r| get(api(r), "/big"));
    assert_eq!(report.unused_count, 1);
    assert_eq!(
        at(DAY, Some(&report)),
        [
            "RECORDING_UNUSED /interactions/1",
            "RECORDING_UNUSED /interactions/1"
        ]
    );
    let mut edited: Cassette = serde_json::from_slice(&stage.files()["calls.json"]).unwrap();
    edited.interactions[1].request.url += "?k=AKIAIOSFODNN7EXAMPLE";
    std::fs::write(stage.cassette(), serde_json::to_vec(&edited).unwrap()).unwrap();
    std::fs::write(cassette::blobs_of(&stage.cassette()).join("stray"), "x").unwrap();
    assert_eq!(
        at(DAY, Some(&report)),
        [
            "RECORDING_LEAK /interactions/1/request/url",
            "RECORDING_UNUSED stray",
            "RECORDING_INVALID report"
        ]
    );
}

#[test]
fn an_old_recording_and_one_of_the_future_hold() {
    let real = upstream();
    let mut stage = Stage::new(real.address);
    stage.run(Mode::Record, |r| get(api(r), "/count"));
    for (now, held) in [
        ("2027-01-29T00:00:00Z", false),
        ("2027-01-31T00:00:00Z", true),
        ("2026-10-31T12:00:00Z", false),
        ("2026-10-30T12:00:00Z", true),
    ] {
        stage.clock = Still::at(now);
        let (_, report) = stage.run(Mode::Playback, |r| get(api(r), "/count"));
        assert_eq!(report.verdict == Verdict::Hold, held, "{now} {report:?}");
        assert_eq!(codes(&report).contains(&"RECORDING_STALE"), held);
    }
}

#[test]
fn lint_finds_what_the_recorder_would_redact() {
    let real = upstream();
    let stage = Stage::new(real.address);
    stage.run(Mode::Record, |r| get(api(r), "/plain?page=1"));
    let good = std::fs::read_to_string(stage.cassette()).unwrap();
    let places = |rules: &RedactionRules| -> Vec<String> {
        let age = Settings::new("x").max_age;
        let found = lint(&stage.cassette(), DAY.parse().unwrap(), age, rules, None).unwrap();
        found
            .findings
            .iter()
            .map(|f| format!("{} {} {}", f.reason, f.place, f.text))
            .collect()
    };
    let none = RedactionRules::default();
    assert_eq!(places(&none), Vec::<String>::new());
    // As it was kept before fragments were looked at.
    let url = "/plain?page=1";
    assert!(good.contains(url), "{good}");
    let bad = good.replacen(url, "/plain?page=1#access_token=Kept-83hf83hf83hf", 1);
    std::fs::write(stage.cassette(), bad).unwrap();
    assert_eq!(
        places(&none),
        [
            "RECORDING_LEAK /interactions/0/request/url the recorder would redact 1 as a parameter of a URL"
        ]
    );
    let plain = RedactionRules {
        plain: vec!["access_token".into()],
        ..RedactionRules::default()
    };
    assert_eq!(places(&plain), Vec::<String>::new());
}

#[test]
fn a_method_is_kept_and_played_as_it_was_written() {
    let real = upstream();
    let stage = Stage::new(real.address);
    stage.run(Mode::Record, |r| ask(api(r), "PATCH", "/plain", "", b"a"));
    let (other, report) = stage.run(Mode::Playback, |r| {
        assert_eq!(ask(api(r), "PATCH", "/plain", "", b"a").status, 200);
        ask(api(r), "patch", "/plain", "", b"a")
    });
    assert_eq!(other.status, 599);
    assert_eq!(codes(&report), ["RECORDING_MISMATCH"]);
    assert!(
        other.text().contains("methods are case-sensitive"),
        "{}",
        other.text()
    );
    let stage = Stage::new(real.address);
    stage.run(Mode::Record, |r| ask(api(r), "patch", "/plain", "", b"a"));
    let kept = std::fs::read_to_string(stage.cassette()).unwrap();
    assert!(kept.contains("\"method\": \"patch\""), "{kept}");
    let (_, report) = stage.run(Mode::Playback, |r| ask(api(r), "patch", "/plain", "", b"a"));
    assert_eq!(report.verdict, Verdict::Pass, "{report:?}");
}

//! Matching in playback, and what a run comes to.

use gonogo_core::Verdict;
use gonogo_recorded::{End, Error, Mode, Settings, start};

use crate::support::{Stage, api, ask, codes, get, upstream};

#[test]
fn each_exchange_is_played_once_and_in_order() {
    let real = upstream();
    let stage = Stage::new(real.address);
    let calls = |r: &gonogo_recorded::Recorder| [0; 3].map(|_| get(api(r), "/count").text());
    let (first, report) = stage.run(Mode::Record, calls);
    assert!(report.saved);
    let (second, report) = stage.run(Mode::Auto, calls);
    assert_eq!(first, second);
    assert_eq!(
        (report.mode.as_str(), report.used, report.unused_count),
        ("playback", 3, 0)
    );
    assert_eq!(report.verdict, Verdict::Pass);
    let (over, report) = stage.run(Mode::Playback, |r| {
        calls(r);
        get(api(r), "/count")
    });
    assert_eq!(over.status, 599);
    assert!(
        over.text()
            .contains("all recorded exchanges of this request were used")
    );
    assert_eq!(codes(&report), ["RECORDING_MISMATCH"]);
}

#[test]
fn what_was_not_recorded_is_refused_with_the_nearest_and_why() {
    let real = upstream();
    let stage = Stage::new(real.address);
    let kind = "content-type: application/json\r\n";
    stage.run(Mode::Record, |r| {
        ask(api(r), "POST", "/a?x=1", kind, b"{\"n\":1,\"m\":[1,2]}");
        get(api(r), "/b")
    });
    let hits = real.hits();
    let (answers, report) = stage.run(Mode::Playback, |r| {
        let body = ask(api(r), "POST", "/a?x=1", kind, b"{\"n\":1,\"m\":[1,3]}");
        let query = ask(api(r), "POST", "/a?x=2", kind, b"{\"m\":[1,2],\"n\":1}");
        let method = ask(api(r), "DELETE", "/b", "", b"");
        get(api(r), "/b");
        [body, query, method]
    });
    assert!(answers.iter().all(|a| a.status == 599), "{answers:?}");
    let told = answers[0].json();
    assert_eq!(told["code"], "RECORDING_MISMATCH");
    assert_eq!(told["nearest"]["index"], 0);
    let text = told["differences"][0].as_str().unwrap();
    assert!(
        text.starts_with("body: `/m/1`: recorded 2, came 3 (recorded "),
        "{text}"
    );
    let hash = told["came"]["body"].as_str().unwrap();
    assert!(hash.len() == 12 && text.ends_with(&format!("came {hash})")));
    assert_eq!(
        answers[1].json()["differences"][0],
        "query: recorded `x=1`, came `x=2`"
    );
    assert_eq!(
        answers[2].json()["differences"][0],
        "method: recorded GET, came DELETE"
    );
    assert_eq!(
        (report.mismatch_count, report.mismatches.len(), report.used),
        (3, 3, 1)
    );
    assert_eq!(codes(&report), ["RECORDING_MISMATCH", "RECORDING_UNUSED"]);
    assert_eq!(report.worst(), Some(gonogo_core::Reason::RecordingMismatch));
    assert_eq!(report.verdict, Verdict::Fail);
    assert_eq!(real.hits(), hits);
}

#[test]
fn unused_exchanges_hold_unless_they_may_be_left() {
    let real = upstream();
    let mut stage = Stage::new(real.address);
    stage.run(Mode::Record, |r| {
        get(api(r), "/a");
        get(api(r), "/b")
    });
    let (_, report) = stage.run(Mode::Playback, |r| get(api(r), "/a"));
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Hold, vec!["RECORDING_UNUSED"])
    );
    assert_eq!(report.unused[0].url, format!("http://{}/b", real.address));
    stage.settings.allow_unused = true;
    let (_, report) = stage.run(Mode::Playback, |r| get(api(r), "/a"));
    assert_eq!(report.verdict, Verdict::Pass);
    // Nothing asked is not a part of the tests, it is none.
    let (_, report) = stage.run(Mode::Playback, |_| ());
    assert_eq!(codes(&report), ["RECORDING_EMPTY"]);
    let recorder = stage.start(Mode::Playback);
    get(api(&recorder), "/a");
    let report = recorder.stop(End::Interrupted).unwrap();
    assert_eq!(codes(&report), ["RUN_INCOMPLETE"]);
}

#[test]
fn what_repeats_is_played_any_number_of_times() {
    let real = upstream();
    let mut stage = Stage::new(real.address);
    stage.settings.matching.repeat = vec![format!("GET http://{}/a*", real.address)];
    stage.run(Mode::Record, |r| get(api(r), "/a?x"));
    let (answers, report) = stage.run(Mode::Playback, |r| {
        [0; 5].map(|_| get(api(r), "/a?x").status)
    });
    assert_eq!((answers, report.verdict), ([200; 5], Verdict::Pass));
}

#[test]
fn identical_requests_at_one_time_each_get_one_of_the_answers() {
    let real = upstream();
    let stage = Stage::new(real.address);
    let calls = |r: &gonogo_recorded::Recorder| {
        let to = api(r);
        let threads: Vec<_> = (0..16)
            .map(|_| std::thread::spawn(move || get(to, "/count").text()))
            .collect();
        let mut all: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        all.sort();
        all
    };
    let (recorded, report) = stage.run(Mode::Record, calls);
    assert!(report.saved);
    let (played, report) = stage.run(Mode::Playback, calls);
    assert_eq!(recorded, played);
    assert_eq!((report.used, report.verdict), (16, Verdict::Pass));
}

#[test]
fn rules_of_matching_hold_on_the_wire() {
    let real = upstream();
    let mut stage = Stage::new(real.address);
    stage.settings.matching.template = true;
    stage.settings.matching.volatile = vec!["/id".into()];
    stage.settings.matching.headers = vec!["X-Version".into()];
    let post = |r: &gonogo_recorded::Recorder, version: &str, body: &str| {
        let more = format!("content-type: application/json\r\nx-version: {version}\r\n");
        ask(api(r), "POST", "/", &more, body.as_bytes()).status
    };
    stage.run(Mode::Record, |r| {
        [
            post(r, "1", "{\"id\":1,\"a\":2}"),
            post(r, "1", "{\"id\":1,\"a\":3}"),
        ]
    });
    let (played, _) = stage.run(Mode::Playback, |r| {
        [
            post(r, "1", "{\"a\":3,\"id\":7,\"new\":true}"),
            post(r, "2", "{\"id\":1,\"a\":2}"),
            post(r, "1", "{\"id\":1,\"a\":2}"),
        ]
    });
    assert_eq!(played, [200, 599, 200]);
}

#[test]
fn settings_that_cannot_work_are_refused_before_anything_is_opened() {
    let real = upstream();
    let stage = Stage::new(real.address);
    let refused = |change: &dyn Fn(&mut Settings)| {
        let mut settings = stage.settings.clone();
        change(&mut settings);
        let refused = start(settings, stage.clock.clone());
        matches!(refused, Err(Error::Setting { .. }))
    };
    let name = |name: &'static str| {
        move |s: &mut Settings| {
            s.upstreams.insert(name.into(), "http://h".into());
        }
    };
    assert!(refused(&|s| s.upstreams.clear()));
    assert!(refused(&|s| s
        .cassette
        .set_extension("blobs")
        .then_some(())
        .unwrap()));
    assert!(refused(&|s| (s.forward, s.loopback) = (true, true)));
    assert!(refused(&|s| s.limits.connections = 0));
    assert!(refused(&name("Api")) && refused(&name("")) && refused(&name("a=b")));
    assert!(refused(&|s| {
        name("a-b")(s);
        name("a_b")(s);
    }));
    assert!(refused(&|s| s.matching.volatile = vec!["id".into()]));
    assert!(refused(&|s| s.matching.repeat = vec!["/x".into()]));
    assert!(refused(&|s| s.redaction.literals = vec!["short".into()]));
    assert!(stage.files().is_empty());
}

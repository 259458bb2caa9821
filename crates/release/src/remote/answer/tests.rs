//! What each kind of answer means, by tables.

use super::*;

fn answer(status: u16, body: &str) -> Heard<'_> {
    Heard::Answer {
        status,
        retry_after: None,
        body: body.as_bytes(),
    }
}

/// What is heard of a status record at a fixed time.
fn heard(heard: Heard<'_>) -> Asked {
    asked(heard, &ours())
}

fn ours() -> Ours<'static> {
    Ours {
        operation: "w-1",
        fingerprint: "v2:sha256:11",
        environment: "prod",
        version: "2.0.0",
        key: "k-1",
        others: &["plan_change", "rollback_change", "operation_show"],
        workflow: Some("release-w-1"),
        now: noon(),
    }
}

fn noon() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn sent(heard: Heard<'_>) -> Dispatched {
    dispatched(heard, &ours())
}

const RECEIPT: &str = r#"{"operationId":"w-1","workflowId":"release-w-1","submittedAt":"2026-01-01T00:00:00Z","statusUrl":"http://flow/operations/w-1"}"#;

#[test]
fn a_dispatch_is_taken_not_taken_or_unknown() {
    let envelope = format!(
        r#"{{"success":true,"metadata":{{}},"policy":{{}},"data":{{"accepted":true}},"handle":{RECEIPT}}}"#
    );
    for body in [RECEIPT, &envelope] {
        for status in [200, 201, 202] {
            let Dispatched::Accepted(receipt) = sent(answer(status, body)) else {
                panic!("{status} {body}");
            };
            assert_eq!(receipt.operation_id, "w-1");
        }
    }
    let table: [(u16, &str, bool, Reason); 21] = [
        // status, body, certainly not taken, reason
        (202, "", false, Reason::WorkflowAnswer),
        (202, "OK", false, Reason::WorkflowAnswer),
        (202, "{", false, Reason::WorkflowAnswer),
        (202, "[]", false, Reason::WorkflowAnswer),
        (
            202,
            r#"{"operationId":"w-1"}"#,
            false,
            Reason::WorkflowAnswer,
        ),
        (
            202,
            r#"{"operationId":"","workflowId":"w","submittedAt":"t","statusUrl":"u"}"#,
            false,
            Reason::WorkflowAnswer,
        ),
        (
            202,
            r#"{"operationId":7,"workflowId":"w","submittedAt":"t","statusUrl":"u"}"#,
            false,
            Reason::WorkflowAnswer,
        ),
        (
            202,
            r#"{"operationId":"../a","workflowId":"w","submittedAt":"t","statusUrl":"u"}"#,
            false,
            Reason::WorkflowAnswer,
        ),
        (
            202,
            r#"{"operationId":"a","operationId":"b","workflowId":"w","submittedAt":"t","statusUrl":"u"}"#,
            false,
            Reason::WorkflowAnswer,
        ),
        (
            202,
            r#"{"success":false,"metadata":{}}"#,
            false,
            Reason::WorkflowAnswer,
        ),
        (500, "", false, Reason::WorkflowFailed),
        (
            502,
            "<html>bad gateway</html>",
            false,
            Reason::WorkflowFailed,
        ),
        (503, "not JSON at all", false, Reason::WorkflowFailed),
        (504, "{}", false, Reason::WorkflowFailed),
        (429, "", true, Reason::WorkflowBusy),
        (400, "{}", true, Reason::WorkflowRefused),
        (401, "", true, Reason::WorkflowDenied),
        (403, "", true, Reason::WorkflowDenied),
        (404, "", true, Reason::WorkflowRefused),
        (409, "", true, Reason::WorkflowRefused),
        (302, "", true, Reason::WorkflowRefused),
    ];
    for (status, body, certain, reason) in table {
        let (trouble, found) = match sent(answer(status, body)) {
            Dispatched::NotAccepted(t) => (t, true),
            Dispatched::Unknown(t) => (t, false),
            Dispatched::Accepted(r) => panic!("{status} {body}: {r:?}"),
        };
        assert_eq!(
            (trouble.reason, found),
            (reason, certain),
            "{status} {body}"
        );
    }
}

#[test]
fn a_receipt_that_says_no_or_nonsense_is_none() {
    let with = |key: &str, value: Value| {
        let mut all: Map<String, Value> = serde_json::from_str(RECEIPT).unwrap();
        all.insert(key.into(), value);
        Value::Object(all).to_string()
    };
    for (key, value) in [
        ("success", true.into()),
        ("success", Value::Null),
        ("error", Value::Null),
        ("submittedAt", "2016-01-01T00:00:00Z".into()),
        ("submittedAt", "2026-01-01T13:05:00+01:00".into()),
        ("statusUrl", "/operations/w-1".into()),
        ("statusUrl", "https://flow.example.org/a?b=c".into()),
        ("cancelUrl", "https://flow.example.org/end".into()),
        ("accepted", true.into()),
        ("status", "accepted".into()),
        ("status", "running".into()),
        ("planFingerprint", "v2:sha256:11".into()),
        ("environment", "prod".into()),
        ("idempotencyKey", "k-1".into()),
        ("toolId", "golden.shinobi.apply_change".into()),
    ] {
        let body = with(key, value);
        let taken = sent(answer(202, &body));
        assert!(
            matches!(taken, Dispatched::Accepted(_)),
            "{body}: {taken:?}"
        );
    }
    for (key, value, why) in [
        ("success", false.into(), "`success` is false"),
        ("success", "true".into(), "neither true nor false"),
        ("success", 1.into(), "neither true nor false"),
        ("accepted", false.into(), "`accepted` is false"),
        ("status", "failed".into(), "`status` is `failed`"),
        ("status", "Rejected".into(), "`status` is `Rejected`"),
        (
            "planFingerprint",
            "v2:sha256:00".into(),
            "the plan `v2:sha256:00`",
        ),
        ("environment", "dev".into(), "environment `dev`"),
        ("idempotencyKey", "other".into(), "the key `other`"),
        ("version", "9.9.9".into(), "version `9.9.9`"),
        ("toolId", "golden.shinobi.Plan_Change".into(), "Plan_Change"),
        ("error", "it broke".into(), "it broke"),
        (
            "error",
            serde_json::json!({"message": "it broke"}),
            "it broke",
        ),
        ("error", 7.into(), "`error`"),
        ("submittedAt", "just now".into(), "no time of RFC 3339"),
        ("submittedAt", "2026-01-01".into(), "no time of RFC 3339"),
        ("submittedAt", "2026-01-01T12:05:01Z".into(), "has not come"),
        ("statusUrl", "u".into(), "`statusUrl` is no address"),
        (
            "statusUrl",
            "javascript:alert(1)".into(),
            "`statusUrl` is no address",
        ),
        ("statusUrl", "http://".into(), "`statusUrl` is no address"),
        (
            "statusUrl",
            "http://a b".into(),
            "`statusUrl` is no address",
        ),
        (
            "cancelUrl",
            "ftp://flow/end".into(),
            "`cancelUrl` is no address",
        ),
    ] {
        let body = with(key, value);
        let Dispatched::Unknown(t) = sent(answer(202, &body)) else {
            panic!("{body}");
        };
        assert_eq!(t.reason, Reason::WorkflowAnswer, "{body}");
        assert!(t.text.contains(why), "{body}: {}", t.text);
    }
}

#[test]
fn only_what_may_pass_is_retriable_and_says_why() {
    let retry = |heard| match sent(heard) {
        Dispatched::NotAccepted(t) | Dispatched::Unknown(t) => t.retry(),
        Dispatched::Accepted(_) => panic!("accepted"),
    };
    assert_eq!(retry(answer(429, "")), Some(Retry::RateLimit));
    assert_eq!(retry(answer(503, "x")), Some(Retry::Upstream5xx));
    for status in [301, 400, 401, 403, 404, 409, 422] {
        assert_eq!(retry(answer(status, "")), None, "{status}");
    }
    assert_eq!(retry(answer(202, "garbage")), None);
    let silent = |silence| Heard::Silent { silence, text: "t" };
    for (silence, certain, wanted) in [
        (
            Silence::Unreachable,
            true,
            Some(Retry::TransportUnavailable),
        ),
        (Silence::Broken, false, Some(Retry::TransportUnavailable)),
        (Silence::TimedOut, false, Some(Retry::UpstreamTimeout)),
        (Silence::TooLarge, false, None),
    ] {
        assert_eq!(retry(silent(silence)), wanted, "{silence:?}");
        let not = matches!(sent(silent(silence)), Dispatched::NotAccepted(_));
        assert_eq!(not, certain, "{silence:?}");
    }
}

#[test]
fn a_refusal_of_a_gonogo_is_told_with_its_reasons() {
    let body = r#"{"success":false,"metadata":{},"policy":{},"error":{"code":"CONFLICT","message":"moved","details":{"reasonCodes":["BASE_STATE_MOVED","NEW_ONE"]}}}"#;
    let Dispatched::NotAccepted(t) = sent(answer(409, body)) else {
        panic!("taken");
    };
    assert_eq!(t.told, [Reason::BaseStateMoved]);
    assert_eq!(t.text, "it answered 409: CONFLICT: moved");
    let long = "x".repeat(5_000);
    let Dispatched::NotAccepted(t) = sent(answer(400, &long)) else {
        panic!("taken");
    };
    assert!(t.text.len() < 300);
}

/// A status record with `more` in it.
fn record(word: &str, more: &str) -> String {
    let mut whole = format!(r#""status":"{word}""#);
    for (key, value) in [
        ("traceId", "t"),
        ("toolId", "x"),
        ("startedAt", "2026-01-01T00:00:00Z"),
    ] {
        if !more.contains(&format!(r#""{key}""#)) {
            whole.push_str(&format!(r#","{key}":"{value}""#));
        }
    }
    format!("{{{whole}{more}}}")
}

#[test]
fn a_record_that_is_not_whole_or_contradicts_itself_is_no_state() {
    let whole = record(
        "succeeded",
        r#","completedAt":"2026-01-01T00:00:01.5+00:00","error":null,"result":"done","reasons":["PROMOTED","NEW_ONE"]"#,
    );
    assert!(matches!(heard(answer(200, &whole)), Asked::Told(_)));
    let words = ["running", "succeeded", "failed", "cancelled", "timed_out"];
    let mut bad: Vec<(String, &str)> = Vec::new();
    for word in words {
        for key in ["traceId", "toolId", "startedAt"] {
            let mut all: Map<String, Value> = serde_json::from_str(&record(word, "")).unwrap();
            for (value, why) in [
                (None, format!("it has no `{key}`")),
                (Some(Value::Null), format!("its `{key}` is no text")),
                (Some(7.into()), format!("its `{key}` is no text")),
                (Some(" ".into()), format!("its `{key}` is no text")),
            ] {
                match value {
                    None => all.remove(key),
                    Some(value) => all.insert(key.into(), value),
                };
                let body = Value::Object(all.clone()).to_string();
                let Asked::Trouble(t) = heard(answer(200, &body)) else {
                    panic!("{body}");
                };
                assert_eq!(t.reason, Reason::WorkflowAnswer, "{body}");
                assert!(t.text.contains(&why), "{body}: {}", t.text);
            }
        }
        bad.push((record(word, r#","completedAt":"later""#), "`completedAt`"));
    }
    bad.push((
        record("running", r#","completedAt":"2026-01-01T00:00:00Z""#),
        "`completedAt`",
    ));
    for error in [
        r#""it broke""#,
        r#"{"message":"it broke"}"#,
        r#"{}"#,
        r#""""#,
    ] {
        bad.push((
            record("succeeded", &format!(r#","error":{error}"#)),
            "`error`",
        ));
    }
    for (word, result) in [
        ("succeeded", "rolled_back"),
        ("succeeded", "needs_person"),
        ("running", "promoted"),
        ("cancelled", "promoted"),
        ("failed", "promoted"),
        ("timed_out", "cancelled"),
    ] {
        bad.push((
            record(word, &format!(r#","result":"{result}""#)),
            "`result`",
        ));
    }
    bad.push((
        record("succeeded", r#","reasons":["PROMOTED","ERROR_RATE_WORSE"]"#),
        "ERROR_RATE_WORSE",
    ));
    for (body, why) in bad {
        let Asked::Trouble(t) = heard(answer(200, &body)) else {
            panic!("{body}");
        };
        assert_eq!(
            (t.reason, t.retry()),
            (Reason::WorkflowAnswer, None),
            "{body}"
        );
        assert!(t.text.contains(why), "{body}: {}", t.text);
    }
}

#[test]
fn a_record_of_something_else_or_of_no_possible_time_is_no_state() {
    let good = [
        r#","operationId":"w-1","planFingerprint":"v2:sha256:11","environment":"prod","to":"2.0.0","version":"2.0.0","success":true"#,
        r#","planFingerprint":null,"environment":null,"to":null,"success":null,"completedAt":null"#,
        // Clocks differ a little; what began before it was sent is one of them.
        r#","completedAt":"2026-01-01T12:04:59Z""#,
        r#","completedAt":"2026-01-01T00:00:00Z""#,
        r#","startedAt":"2016-01-01T00:00:00Z""#,
        r#","workflowId":"release-w-1","toolId":"apply_change","traceId":"of its own""#,
        r#","workflowId":null,"result":null,"reasons":null,"errors":[]"#,
        r#","reasons":[],"errors":0"#,
    ];
    for more in good {
        let body = record("succeeded", more);
        let told = heard(answer(200, &body));
        assert!(matches!(told, Asked::Told(_)), "{more}: {told:?}");
    }
    let going = record("running", r#","success":false"#);
    assert!(matches!(heard(answer(200, &going)), Asked::Told(_)));
    for (word, more, why) in [
        (
            "succeeded",
            r#","completedAt":"2025-12-31T23:59:59Z""#,
            "lies before its `startedAt`",
        ),
        (
            "failed",
            r#","completedAt":"2025-12-31T23:59:59Z""#,
            "lies before its `startedAt`",
        ),
        (
            "succeeded",
            r#","completedAt":"2036-01-01T00:00:00Z""#,
            "has not come",
        ),
        (
            "succeeded",
            r#","completedAt":"2026-01-01T12:05:01Z""#,
            "has not come",
        ),
        ("succeeded", r#","operationId":"w-2""#, "operation `w-2`"),
        (
            "succeeded",
            r#","planFingerprint":"v2:sha256:00""#,
            "the plan `v2:sha256:00`",
        ),
        (
            "running",
            r#","environment":"elsewhere""#,
            "environment `elsewhere`",
        ),
        ("succeeded", r#","to":"9.9.9""#, "version `9.9.9`"),
        ("succeeded", r#","version":"9.9.9""#, "version `9.9.9`"),
        ("succeeded", r#","version":2"#, "version `2`"),
        ("succeeded", r#","workflowId":"w-2""#, "workflow `w-2`"),
        ("failed", r#","workflowId":7"#, "workflow `7`"),
        (
            "succeeded",
            r#","toolId":"rollback_change""#,
            "`rollback_change`",
        ),
        ("failed", r#","toolId":"plan_change""#, "`plan_change`"),
        (
            "succeeded",
            r#","toolId":"golden.shinobi.Operation_Show""#,
            "Operation_Show",
        ),
        ("succeeded", r#","idempotencyKey":"k-2""#, "the key `k-2`"),
        ("succeeded", r#","result":7"#, "`result`"),
        ("succeeded", r#","result":{"a":1}"#, "`result`"),
        ("succeeded", r#","reasons":"PROMOTED""#, "`reasons`"),
        ("failed", r#","reasons":[7]"#, "`reasons`"),
        ("succeeded", r#","errors":["it broke"]"#, "it broke"),
        (
            "succeeded",
            r#","errors":[{"message":"it broke"}]"#,
            "it broke",
        ),
        ("succeeded", r#","success":false"#, "`success`"),
        ("succeeded", r#","success":"true""#, "`success`"),
        ("failed", r#","success":true"#, "`success`"),
    ] {
        let body = record(word, more);
        let Asked::Trouble(t) = heard(answer(200, &body)) else {
            panic!("{body}");
        };
        assert_eq!(t.reason, Reason::WorkflowAnswer, "{body}");
        assert!(t.text.contains(why), "{body}: {}", t.text);
    }
}

#[test]
fn a_status_whose_body_stays_out_is_heard_all_the_same() {
    let cut = |status, silence| Heard::Cut {
        status,
        retry_after: Some(7),
        silence,
        text: "t",
    };
    for silence in [Silence::TimedOut, Silence::Broken, Silence::TooLarge] {
        for status in [200, 202] {
            let Dispatched::Unknown(t) = sent(cut(status, silence)) else {
                panic!("{status} {silence:?}");
            };
            // It said yes: nothing sends it again.
            assert_eq!((t.reason, t.retry()), (Reason::WorkflowAnswer, None));
            assert!(t.text.contains(&status.to_string()), "{}", t.text);
            assert!(matches!(heard(cut(status, silence)), Asked::Trouble(_)));
            assert_eq!(cancelled(cut(status, silence), &ours()), Ended::Taken);
        }
        for (status, reason) in [
            (401, Reason::WorkflowDenied),
            (400, Reason::WorkflowRefused),
            (429, Reason::WorkflowBusy),
        ] {
            let Dispatched::NotAccepted(t) = sent(cut(status, silence)) else {
                panic!("{status} {silence:?}");
            };
            assert_eq!((t.reason, t.after), (reason, Some(7)));
        }
        let Dispatched::Unknown(t) = sent(cut(503, silence)) else {
            panic!("{silence:?}");
        };
        assert_eq!(t.reason, Reason::WorkflowFailed);
        assert_eq!(heard(cut(404, silence)), Asked::Missing);
    }
}

#[test]
fn a_state_is_one_of_five_words_and_nothing_else() {
    let words = ["running", "succeeded", "failed", "cancelled", "timed_out"];
    for word in words {
        let body = record(word, "");
        let Asked::Told(told) = heard(answer(200, &body)) else {
            panic!("{word}");
        };
        assert_eq!(serde_json::to_value(told.status).unwrap(), word);
    }
    for body in [
        "",
        "ok",
        "{}",
        r#"{"status":"done"}"#,
        r#"{"status":"SUCCEEDED"}"#,
        r#"{"status":"succeeded "}"#,
        r#"{"status":"success"}"#,
        r#"{"status":true}"#,
        r#"{"status":"succeeded","status":"failed"}"#,
        r#"{"status":"succeeded","startedAt":7}"#,
        r#"{"status":"succeeded","error":7}"#,
        r#"{"status":"succeeded","operationId":"another"}"#,
        r#"{"success":false,"metadata":{},"data":{"status":"succeeded"}}"#,
        r#"[{"status":"succeeded"}]"#,
    ] {
        let Asked::Trouble(t) = heard(answer(200, body)) else {
            panic!("{body}");
        };
        assert_eq!(t.reason, Reason::WorkflowAnswer, "{body}");
    }
    assert_eq!(heard(answer(404, "x")), Asked::Missing);
    for (status, reason) in [
        (302, Reason::WorkflowRefused),
        (401, Reason::WorkflowDenied),
        (429, Reason::WorkflowBusy),
        (500, Reason::WorkflowFailed),
    ] {
        let Asked::Trouble(t) = heard(answer(status, r#"{"status":"succeeded"}"#)) else {
            panic!("{status}");
        };
        assert_eq!(t.reason, reason);
    }
}

#[test]
fn a_gonogos_document_is_read_out_of_its_envelope() {
    let body = r#"{"success":true,"metadata":{},"policy":{},"data":{"operationId":"w-1","status":"failed","traceId":"t","toolId":"x","startedAt":"2026-01-01T00:00:00Z","result":"rolled_back","reasons":["ERROR_RATE_WORSE"],"error":{"reasonCodes":["ERROR_RATE_WORSE"],"message":"worse"}}}"#;
    let Asked::Told(told) = heard(answer(200, body)) else {
        panic!();
    };
    assert_eq!(told.result.as_deref(), Some("rolled_back"));
    assert_eq!(told.reasons, [Reason::ErrorRateWorse]);
    assert_eq!(told.error.as_deref(), Some("worse"));
}

#[test]
fn a_cancel_is_taken_refused_or_unknown() {
    for body in [
        "",
        "whatever",
        "{}",
        r#"{"operationId":"w-1","status":"cancelled","toolId":"operation_cancel"}"#,
        r#"{"success":true,"metadata":{},"data":{"operationId":"w-1","status":"running"},"handle":{"operationId":"w-1"}}"#,
    ] {
        assert_eq!(
            cancelled(answer(202, body), &ours()),
            Ended::Taken,
            "{body}"
        );
    }
    for body in [
        "<!doctype html><title>Log in</title>",
        r#"{"success":false}"#,
        r#"{"error":"no"}"#,
        r#"{"operationId":"w-2"}"#,
        r#"{"success":true,"metadata":{},"data":{"operationId":"w-2"}}"#,
        r#"{"success":true,"metadata":{},"data":{"accepted":false}}"#,
    ] {
        let Ended::Unknown(t) = cancelled(answer(200, body), &ours()) else {
            panic!("{body}");
        };
        assert_eq!(t.reason, Reason::WorkflowAnswer, "{body}");
    }
    for status in [301, 400, 409] {
        assert!(matches!(
            cancelled(answer(status, ""), &ours()),
            Ended::Refused(_)
        ));
    }
    // What was taken a moment ago may be known a moment later.
    for status in [404, 429, 500, 503] {
        assert!(matches!(
            cancelled(answer(status, ""), &ours()),
            Ended::Unknown(_)
        ));
    }
}

//! What reports say of when they were made, whichever format they are in.

use gonogo_suite::{Attempt, Format, Limits, read};

fn began(format: Format, text: &str) -> Option<i64> {
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut source = text.as_bytes();
    read::read(format, &mut source, &Limits::default(), &mut attempts).began_ms
}

#[test]
fn the_last_moment_counts() {
    let jest = r#"{"numTotalTests":1,"startTime":1767225600000,"testResults":[{"name":"/x/a.js","status":"passed","startTime":1767225601000,"assertionResults":[{"title":"a","status":"passed"START}]}]}"#;
    let go = r#"{"Time":"2026-01-01T00:00:00Z","Action":"run","Package":"x","Test":"A"}
{"Time":"2026-01-01T00:00:01Z","Action":"pass","Package":"x","Test":"A","Elapsed":1}
{"Time":"2026-01-01T00:00:01Z","Action":"pass","Package":"x","Elapsed":1}
"#;
    let ctrf = r#"{"results":{"tool":{"name":"t"},"summary":{"tests":1,"passed":1,"failed":0,"pending":0,"skipped":0,"other":0,"start":1767225600000,"stop":1767225601000},"tests":[{"name":"a","status":"passed","duration":1START}]}}"#;
    let trx = r#"<TestRun><Results><UnitTestResult testId="1" testName="a" outcome="Passed" startTime="2026-01-01T01:00:00+01:00" endTime="2026-01-01T01:00:01+01:00"/></Results></TestRun>"#;
    let junit = |time: &str, own: &str| {
        format!(r#"<testsuite name="s"{time}><testcase name="a"{own}/></testsuite>"#)
    };
    let zero = 1_767_225_600_000;
    let (z, naive) = (
        r#" timestamp="2026-01-01T00:00:00Z""#,
        r#" timestamp="2026-01-01T00:00:00""#,
    );
    for (format, text, expected) in [
        (Format::Jest, jest.replace("START", ""), Some(zero + 1_000)),
        (
            Format::Jest,
            jest.replace("START", ",\"startAt\":1767225602000"),
            Some(zero + 2_000),
        ),
        (Format::Go, go.to_owned(), Some(zero)),
        (Format::Ctrf, ctrf.replace("START", ""), Some(zero)),
        (
            Format::Ctrf,
            ctrf.replace("START", ",\"start\":1767225605000"),
            Some(zero + 5_000),
        ),
        (Format::Trx, trx.to_owned(), Some(zero)),
        (Format::Junit, junit(z, ""), Some(zero)),
        (Format::Junit, junit("", z), Some(zero)),
        // Twelve hours behind UTC it is that time as late as it can be.
        (Format::Junit, junit(naive, ""), Some(zero + 12 * 3_600_000)),
        (Format::Junit, junit("", ""), None),
        (
            Format::Junit,
            junit(r#" timestamp="1970-01-01T00:00:00Z""#, ""),
            None,
        ),
        (Format::Tap, "1..1\nok 1 - a\n".to_owned(), None),
    ] {
        assert_eq!(began(format, &text), expected, "{format:?}: {text}");
    }
}

/// The first part, and the last moment at the earliest.
fn bounds(format: Format, text: &str) -> (Option<i64>, Option<i64>) {
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut source = text.as_bytes();
    let reading = read::read(format, &mut source, &Limits::default(), &mut attempts);
    (reading.oldest_ms, reading.ahead_ms)
}

#[test]
fn each_part_has_its_own_time() {
    const HOUR: i64 = 3_600_000;
    let zero = 1_767_225_600_000;
    let junit = |a: &str, b: &str, own: &str| {
        format!(
            r#"<testsuites><testsuite name="s" timestamp="{a}"><testcase name="a"{own}/></testsuite><testsuite name="t" timestamp="{b}"><testcase name="b"/></testsuite></testsuites>"#
        )
    };
    let (old, new, naive) = (
        "2026-01-01T00:00:00Z",
        "2026-01-01T05:00:00Z",
        "2026-01-01T00:00:00",
    );
    for (a, b) in [(old, new), (new, old)] {
        assert_eq!(
            bounds(Format::Junit, &junit(a, b, "")),
            (Some(zero), Some(zero + 5 * HOUR))
        );
    }
    assert_eq!(
        bounds(Format::Junit, &junit(naive, naive, "")),
        (Some(zero + 12 * HOUR), Some(zero - 14 * HOUR))
    );
    // A test may have been told another time by what it tests.
    assert_eq!(
        bounds(
            Format::Junit,
            &junit(new, new, r#" timestamp="2099-01-01T00:00:00Z""#)
        ),
        (Some(zero + 5 * HOUR), Some(zero + 5 * HOUR))
    );
    let jest = r#"{"numTotalTests":1,"startTime":1767225601000,"testResults":[{"name":"/x/a.js","status":"passed","startTime":1767225600000,"assertionResults":[{"title":"a","status":"passed","startAt":1767225605000}]}]}"#;
    assert_eq!(bounds(Format::Jest, jest), (Some(zero), Some(zero + 5_000)));
    let go = r#"{"Time":"2026-01-01T00:00:00Z","Action":"run","Package":"x","Test":"A"}
{"Time":"2026-01-01T00:00:01Z","Action":"pass","Package":"x","Test":"A","Elapsed":1}
{"Time":"2026-01-01T00:00:01Z","Action":"pass","Package":"x","Elapsed":1}
"#;
    assert_eq!(bounds(Format::Go, go), (None, Some(zero)));
    let ctrf = r#"{"results":{"tool":{"name":"t"},"summary":{"tests":1,"passed":1,"failed":0,"pending":0,"skipped":0,"other":0,"start":1767225600000,"stop":1767225601000},"tests":[{"name":"a","status":"passed","duration":1}]}}"#;
    assert_eq!(bounds(Format::Ctrf, ctrf), (Some(zero), Some(zero)));
}

/// Whether nothing speaks against the report, and whether it says that a time cannot be read.
fn odd(format: Format, text: &str) -> (bool, bool) {
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut source = text.as_bytes();
    let reading = read::read(format, &mut source, &Limits::default(), &mut attempts);
    let odd = |issue: &gonogo_suite::Issue| issue.kind == gonogo_suite::IssueKind::OddTime;
    (reading.is_whole(), reading.issues.iter().any(odd))
}

/// A report of another day must not pass because nobody can read its date.
#[test]
fn what_is_no_iso_time_tells_its_age_all_the_same() {
    let at = 1_606_071_469_000;
    let junit = |time: &str| {
        format!(r#"<testsuite name="s" timestamp="{time}"><testcase name="a"/></testsuite>"#)
    };
    for time in [
        "Sun, 22 Nov 2020 18:57:49 GMT",
        "Sun Nov 22 2020 18:57:49 GMT+0000 (Coordinated Universal Time)",
        "2020-11-22 18:57:49.0 +0000 UTC m=+0.1",
        "1606071469000",
        "1606071469.0",
    ] {
        assert_eq!(began(Format::Junit, &junit(time)), Some(at), "{time}");
        assert_eq!(odd(Format::Junit, &junit(time)), (true, false), "{time}");
        assert_eq!(bounds(Format::Junit, &junit(time)), (Some(at), Some(at)));
    }
    let ctrf = |start: &str| {
        format!(
            r#"{{"results":{{"tool":{{"name":"t"}},"summary":{{"tests":1,"passed":1,"failed":0,"pending":0,"skipped":0,"other":0,"start":{start},"stop":0}},"tests":[{{"name":"a","status":"passed","duration":1}}]}}}}"#
        )
    };
    for start in ["1606071469000", "1606071469", r#""2020-11-22T18:57:49Z""#] {
        assert_eq!(began(Format::Ctrf, &ctrf(start)), Some(at), "{start}");
    }
    let trx = |start: &str| {
        format!(
            r#"<TestRun><Results><UnitTestResult testId="1" testName="a" outcome="Passed" startTime="{start}"/></Results><ResultSummary outcome="Completed"/></TestRun>"#
        )
    };
    assert_eq!(
        began(Format::Trx, &trx("2020-11-22T18:57:49")),
        Some(at + 12 * 3_600_000)
    );
    // What nobody can read is told, and is no silence about when it was.
    let jest = |start: &str| {
        format!(
            r#"{{"numTotalTests":1,"startTime":{start},"testResults":[{{"name":"/x/a.js","status":"passed","assertionResults":[{{"title":"a","status":"passed"}}]}}]}}"#
        )
    };
    let go = |time: &str| {
        format!(
            "{{\"Time\":\"{time}\",\"Action\":\"run\",\"Package\":\"x\",\"Test\":\"A\"}}\n{{\"Action\":\"pass\",\"Package\":\"x\",\"Test\":\"A\"}}\n{{\"Action\":\"pass\",\"Package\":\"x\"}}\n"
        )
    };
    let of_case = |outer: &str| {
        format!(
            r#"<testsuite name="s"{outer}><testcase name="a" timestamp="gestern"/></testsuite>"#
        )
    };
    for (format, text) in [
        (Format::Junit, junit("11/12/2020 18:57:49")),
        (Format::Junit, junit("Invalid Date")),
        (Format::Junit, of_case("")),
        (Format::Trx, trx("11/12/2020")),
        (Format::Ctrf, ctrf(r#""today""#)),
        (Format::Jest, jest(r#""today""#)),
        (Format::Jest, jest("{}")),
        (Format::Go, go("gestern")),
    ] {
        assert_eq!(odd(format, &text), (false, true), "{text}");
    }
    // Nothing where a time may stand; and a test's own, which it may have been told, beside that of its suite.
    for (format, text) in [
        (Format::Junit, junit("")),
        (
            Format::Junit,
            of_case(r#" timestamp="2026-01-01T00:00:00Z""#),
        ),
        (Format::Ctrf, ctrf("null")),
        (Format::Jest, jest("null")),
        (Format::Go, go("2026-01-01T00:00:00Z")),
    ] {
        assert_eq!(odd(format, &text), (true, false), "{text}");
    }
}

//! Reports that say of themselves that they failed or are not whole: none of them reads as passed, in any format; and reports that only
//! use other words for the same do.

use gonogo_suite::Format;
use gonogo_suite::read::{Limits, read};

/// Whether nothing at all speaks against it.
fn is_pass(format: Format, text: &str) -> bool {
    let mut attempts: Vec<gonogo_suite::Attempt> = Vec::new();
    let reading = read(
        format,
        &mut text.as_bytes(),
        &Limits::default(),
        &mut attempts,
    );
    let bad = reading.seen.failed + reading.seen.errors;
    reading.is_whole() && bad == 0 && reading.seen.passed > 0
}

/// The names of what failed, and the kinds of what is wrong.
fn told(format: Format, text: &str) -> String {
    let mut attempts: Vec<gonogo_suite::Attempt> = Vec::new();
    let reading = read(
        format,
        &mut text.as_bytes(),
        &Limits::default(),
        &mut attempts,
    );
    let bad = attempts.iter().filter(|a| a.outcome.is_bad());
    let mut told: Vec<String> = bad
        .map(|a| format!("{} {}", a.outcome.word(), a.test.name))
        .collect();
    let issues = reading.issues.iter().filter(|i| i.kind.reason().is_some());
    told.extend(issues.map(|i| format!("{:?}", i.kind)));
    told.join(", ")
}

fn check(format: Format, good: &[String], bad: &[(String, &str)]) {
    for text in good {
        assert!(is_pass(format, text), "{text}\n{}", told(format, text));
    }
    for (text, expected) in bad {
        assert!(!is_pass(format, text), "it passes: {text}");
        assert_eq!(told(format, text), *expected, "{text}");
    }
}

#[test]
fn junit() {
    const A: &str = "<testcase classname=\"c\" name=\"a\"/>";
    let suite = |attributes: &str| format!("<testsuite name=\"s\" {attributes}>{A}</testsuite>");
    let case = |attributes: &str| {
        format!("<testsuite name=\"s\">{A}<testcase name=\"b\" {attributes}/></testsuite>")
    };
    let good = [
        suite(""),
        suite("failures=\"0\" errors=\"0\" aborted=\"0\" timeouts=\"0\" timedout=\"false\""),
        suite("failures=\"\""),
        suite("failures=\"false\" success=\"true\" result=\"Passed\""),
        suite("status=\"completed\""),
        format!(
            "<testsuites success=\"true\">{}</testsuites>\n\n",
            suite("")
        ),
        format!("noise before it\n{}<!-- a comment -->", suite("")),
        format!(
            "{}\n{}",
            suite(""),
            "<testsuite name=\"t\"><testcase name=\"z\"/></testsuite>"
        ),
        // GoogleTest, CTest, Jenkins, Bazel, ScalaTest, NUnit, PHPUnit.
        case("status=\"run\" result=\"completed\""),
        case("status=\"notrun\" result=\"suppressed\""),
        case("status=\"run\""),
        case("status=\"disabled\""),
        case("status=\"PASSED\""),
        case("status=\"skipped\" duration=\"1\" time=\"1\""),
        case("result=\"Passed\" executed=\"True\" success=\"True\""),
        case("assertions=\"3\" file=\"a.php\" line=\"7\""),
        case("timeout=\"30\""),
        // What is no outcome says nothing of one; how many passed is a count.
        case("state=\"passed\" verdict=\"ok\" passed=\"true\""),
        case("state=\"enabled\""),
        suite("state=\"completed\" outcome=\"passed\" passed=\"0\""),
    ];
    let bad = [
        (format!("{}garbage", suite("")), "Unparsable"),
        (format!("{}<failure/>", suite("")), "Unparsable"),
        (format!("{}<!-- c -->\n&amp;", suite("")), "Unparsable"),
        (suite("failures=\"abc\""), "CountMismatch"),
        (suite("failures=\"-1\""), "CountMismatch"),
        (suite("errors=\"NaN\""), "CountMismatch"),
        (suite("failures=\"true\""), "CountMismatch"),
        (suite("tests=\"99999999999999999999\""), "CountMismatch"),
        (suite("aborted=\"1\""), "error s"),
        (suite("aborted=\"true\""), "error s"),
        (suite("timeouts=\"3\""), "error s"),
        (suite("timedout=\"yes\""), "error s"),
        (suite("aborted=\"by hand\""), "error s"),
        (suite("success=\"false\""), "fail s"),
        (suite("passed=\"false\""), "fail s"),
        (suite("outcome=\"Aborted\""), "error s"),
        (suite("state=\"aborted\""), "error s"),
        (suite("verdict=\"failed\""), "fail s"),
        (suite("outcome=\"magnificent\""), "UnknownOutcome"),
        (case("state=\"failed\""), "fail b"),
        (case("verdict=\"failed\""), "fail b"),
        (case("passed=\"false\""), "fail b"),
        (case("verdict=\"magnificent\""), "unknown b, UnknownOutcome"),
        (suite("result=\"failed\""), "fail s"),
        (suite("status=\"incomplete\""), "error s"),
        (suite("status=\"magnificent\""), "UnknownOutcome"),
        (
            format!("<testsuites success=\"false\">{}</testsuites>", suite("")),
            "fail (suite)",
        ),
        (
            format!(
                "<testsuites result=\"failed\" name=\"all\">{}</testsuites>",
                suite("")
            ),
            "fail all",
        ),
        (case("status=\"incomplete\""), "error b"),
        (case("status=\"aborted\""), "error b"),
        (case("status=\"error\""), "error b"),
        (case("status=\"failed\""), "fail b"),
        (case("aborted=\"true\""), "error b"),
        (case("timedout=\"true\""), "error b"),
        (case("failures=\"-1\""), "CountMismatch"),
        (case("status=\"magnificent\""), "unknown b, UnknownOutcome"),
    ];
    check(Format::Junit, &good, &bad);
}

#[test]
fn jest_and_vitest() {
    let of = |head: &str, file: &str| {
        format!(
            "{{\"numTotalTests\":1,\"numPassedTests\":1{head},\"testResults\":[{{\"name\":\"a.js\",\"status\":\"passed\"{file},\
             \"assertionResults\":[{{\"title\":\"a\",\"ancestorTitles\":[],\"status\":\"passed\"}}]}}]}}"
        )
    };
    let good = [
        of(
            ",\"success\":true,\"numRuntimeErrorTestSuites\":0,\"numFailedTestSuites\":0",
            "",
        ),
        of(
            ",\"snapshot\":{\"failure\":false,\"unmatched\":0,\"unchecked\":2,\"filesRemovedList\":[]}",
            "",
        ),
        // yarn.
        format!("{}\r\n\u{2728}  Done in 1.24s.\n \n", of("", "")),
        of(
            ",\"unhandledErrors\":[],\"openHandles\":[]",
            ",\"testExecError\":null,\"message\":\"\"",
        ),
    ];
    let bad = [
        (
            format!("{}Segmentation fault (core dumped)\n", of("", "")),
            "Unparsable",
        ),
        (
            format!("{}\nDone in 1s.\nKilled\n", of("", "")),
            "Unparsable",
        ),
        (of(",\"success\":false", ""), "CountMismatch"),
        (of(",\"success\":\"false\"", ""), "CountMismatch"),
        (of(",\"wasInterrupted\":true", ""), "Incomplete"),
        (of(",\"numFailedTestSuites\":1", ""), "CountMismatch"),
        (of(",\"numRuntimeErrorTestSuites\":1", ""), "CountMismatch"),
        (
            of(
                ",\"success\":false,\"snapshot\":{\"failure\":true,\"unmatched\":0,\"unchecked\":1}",
                "",
            ),
            "fail (snapshots)",
        ),
        (
            of(",\"snapshot\":{\"unmatched\":2}", ""),
            "fail (snapshots)",
        ),
        (
            of(",\"snapshot\":{\"unmatched\":\"2\"}", ""),
            "fail (snapshots)",
        ),
        (
            of(",\"snapshot\":{\"failure\":\"true\",\"unmatched\":0}", ""),
            "fail (snapshots)",
        ),
        (
            of(",\"unhandledErrors\":[{\"message\":\"Error: x\"}]", ""),
            "error (run)",
        ),
        (
            of("", ",\"testExecError\":{\"message\":\"boom\"}"),
            "error (file)",
        ),
    ];
    check(Format::Jest, &good, &bad);
}

#[test]
fn ctrf() {
    let of = |summary: &str, more: &str| {
        format!(
            "{{\"reportFormat\":\"CTRF\",\"results\":{{\"tool\":{{\"name\":\"x\"}},\"summary\":{{\"tests\":1,\"passed\":1{summary}}},\
             \"tests\":[{{\"name\":\"a\",\"status\":\"passed\",\"duration\":1{more}}}]}}}}"
        )
    };
    let good = [
        of("", ""),
        of(",\"failed\":0,\"suites\":1", ",\"rawStatus\":\"passed\""),
        of(
            "",
            ",\"rawStatus\":\"expected\",\"retries\":0,\"flaky\":false",
        ),
        of(",\"other\":null", ",\"rawStatus\":\"call_passed\""),
    ];
    let bad = [
        (format!("{}Segmentation fault\n", of("", "")), "Unparsable"),
        (of("", ",\"rawStatus\":\"failed\""), "fail a"),
        (of("", ",\"rawStatus\":\"timedOut\""), "fail a"),
        (of(",\"failed\":1", ""), "CountMismatch"),
        (of(",\"failed\":\"1\"", ""), "CountMismatch"),
        (of(",\"failed\":-1", ""), "CountMismatch"),
        (of(",\"flaky\":1", ""), "CountMismatch"),
    ];
    check(Format::Ctrf, &good, &bad);
}

#[test]
fn trx() {
    let of = |summary: &str, behind: &str| {
        format!(
            "<TestRun><Results><UnitTestResult testName='a' outcome='Passed'/></Results>{summary}</TestRun>{behind}"
        )
    };
    let done = "<ResultSummary outcome='Completed'/>";
    let good = [
        of(done, ""),
        of(done, "\n"),
        of(
            "<ResultSummary outcome='Passed'><Counters total='1' passed='1' passedButRunAborted='0'/></ResultSummary>",
            "",
        ),
    ];
    let bad = [
        (of(done, "garbage"), "Unparsable"),
        (of(done, "<TestRun/>"), "Unparsable"),
        (of("<ResultSummary outcome='Error'/>", ""), "error (run)"),
        (
            of(
                "<ResultSummary outcome='Completed'><Counters total='1' failed='-1'/></ResultSummary>",
                "",
            ),
            "CountMismatch",
        ),
        (
            of(
                "<ResultSummary outcome='Completed'><Counters total='1' passedButRunAborted='1'/></ResultSummary>",
                "",
            ),
            "CountMismatch",
        ),
        (
            of(
                "<ResultSummary outcome='Completed'><RunInfos><RunInfo outcome='Error'><Text>died</Text></RunInfo></RunInfos></ResultSummary>",
                "",
            ),
            "error (run)",
        ),
    ];
    check(Format::Trx, &good, &bad);
}

#[test]
fn libtest_json() {
    let begin = "{\"type\":\"suite\",\"event\":\"started\",\"test_count\":1}\n";
    let test = "{\"type\":\"test\",\"event\":\"ok\",\"name\":\"a\"}\n";
    let end = |failed: &str, event: &str| {
        format!(
            "{{\"type\":\"suite\",\"event\":\"{event}\",\"passed\":1,\"failed\":{failed},\"ignored\":0,\"measured\":0}}\n"
        )
    };
    let good = [format!("{begin}{test}{}", end("0", "ok"))];
    let bad = [
        (test.to_owned(), "Incomplete"),
        (format!("{begin}{test}"), "Incomplete"),
        (
            format!(
                "{{\"type\":\"suite\",\"event\":\"started\"}}\n{test}{{\"type\":\"suite\",\"event\":\"ok\"}}\n"
            ),
            "Incomplete",
        ),
        (
            format!("{begin}{test}{}", end("\"1\"", "ok")),
            "CountMismatch",
        ),
        (
            format!("{begin}{test}{}", end("0", "failed")),
            "CountMismatch",
        ),
        (
            format!("{begin}{test}{}{test}", end("0", "ok")),
            "Incomplete, Collision",
        ),
    ];
    check(Format::LibtestJson, &good, &bad);
}

#[test]
fn go() {
    let test = "{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T\"}\n{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"T\"}\n";
    let end = "{\"Action\":\"pass\",\"Package\":\"p\",\"Elapsed\":1}\n";
    let good = [
        format!("{test}{end}"),
        format!("ok  \tq\t0.1s\n{test}{end}FAILURES: none\n"),
    ];
    let bad = [
        (format!("{test}{end}FAIL\tq\t0.123s\n"), "fail (package)"),
        (
            format!("FAIL\tq [setup failed]\n{test}{end}"),
            "fail (build)",
        ),
        (test.to_owned(), "Incomplete"),
        (
            format!("{test}{end}{{\"ImportPath\":\"q\",\"Action\":\"build-fail\"}}\n"),
            "fail (build), Incomplete",
        ),
    ];
    check(Format::Go, &good, &bad);
}

#[test]
fn tap() {
    let good = [
        "1..1\nok 1 - a\n".to_owned(),
        "1..2\nok 1 - a\nnot ok 2 - b # TODO later\n".to_owned(),
    ];
    let bad = [
        (
            "1..1\nok 1 - a\nBail out! no disk\n".to_owned(),
            "error (bail out), Incomplete",
        ),
        ("ok 1 - a\n".to_owned(), "Incomplete"),
        ("1..2\nok 1 - a\n".to_owned(), "CountMismatch"),
        (
            "1..0\nok 1 - a\n".to_owned(),
            "CountMismatch, CountMismatch",
        ),
        ("1..1\nok 1 - a\n# fail 1\n".to_owned(), "CountMismatch"),
    ];
    check(Format::Tap, &good, &bad);
}

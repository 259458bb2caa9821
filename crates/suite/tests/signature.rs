//! Signatures of failures as readers find them: two runs of one failure have one, two failures have two.

#[path = "reports/check.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod check;

use std::path::{Path, PathBuf};

use gonogo_suite::read::{self, detect};
use gonogo_suite::run::Tally;
use gonogo_suite::{Format, Limits, Row, Signature};
use regex::{Captures, Regex};

/// Lists the tests of a report as a run keeps them.
fn rows(format: Format, bytes: &[u8]) -> Vec<Row> {
    let mut tally = Tally::default();
    let mut source = bytes;
    read::read(format, &mut source, &Limits::default(), &mut tally);
    tally.into_rows("t", &[])
}

/// The signatures of what failed, in the order of the tests.
fn signatures(format: Format, bytes: &[u8]) -> Vec<Signature> {
    let rows = rows(format, bytes);
    rows.into_iter().filter_map(|row| row.signature).collect()
}

/// The one signature of a report with one failure.
fn one(format: Format, text: &str) -> Signature {
    let all = signatures(format, text.as_bytes());
    assert_eq!(all.len(), 1, "{text}");
    all.into_iter().next().expect("it is there")
}

fn files(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory of fixtures") {
        let path = entry.expect("a fixture").path();
        if path.is_dir() {
            files(&path, all);
        } else {
            all.push(path);
        }
    }
}

/// The report of another run of the same: at another time, in another directory, with other addresses, durations and lines.
fn another(text: &str) -> String {
    let replace = |text: String, pattern: &str, by: &dyn Fn(&Captures<'_>) -> String| {
        let pattern = Regex::new(pattern).expect("a pattern");
        pattern
            .replace_all(&text, |found: &Captures<'_>| by(found))
            .into_owned()
    };
    let text = replace(
        text.to_owned(),
        r"2026-11-\d\d([T ])\d\d:\d\d:\d\d",
        &|found| format!("2027-01-05{}03:04:05", &found[1]),
    );
    let text = replace(text, r"0x([0-9a-f]{6,})", &|found| {
        let other = |c: char| if c == 'f' { '1' } else { 'f' };
        format!("0x{}", found[1].chars().map(other).collect::<String>())
    });
    let text = replace(text, r#"(^|[\s"'(=:>])/(src|work|tmp)/"#, &|found| {
        format!("{}/builds/other/deep/{}/", &found[1], &found[2])
    });
    let text = replace(text, r"\(\d+\.\d+s\)", &|_| "(9.87s)".to_owned());
    replace(
        text,
        r"(\.(?:go|py|rs|js|ts|rb|php|java|c|cpp)):(\d+)",
        &|found| format!("{}:9{}", &found[1], &found[2]),
    )
}

#[test]
fn two_runs_of_one_failure_have_one_signature() {
    let mut all = Vec::new();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reports");
    files(Path::new(root), &mut all);
    all.sort();
    let (mut compared, mut changed) = (0, 0);
    for path in &all {
        let bytes = std::fs::read(path).unwrap();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(format) = detect(name, &bytes) else {
            continue;
        };
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        let other = another(&text);
        let (one, two) = (
            rows(format, text.as_bytes()),
            rows(format, other.as_bytes()),
        );
        assert_eq!(one.len(), two.len(), "{}", path.display());
        for (a, b) in one.iter().zip(&two) {
            assert_eq!(
                a.signature,
                b.signature,
                "{}: {}\n{:#?}\n{:#?}",
                path.display(),
                a.test,
                a.failure,
                b.failure
            );
            compared += usize::from(a.signature.is_some());
            changed += usize::from(a.failure != b.failure);
        }
    }
    // The other run is another one, and many failures are there.
    assert!(compared > 100 && changed > 40, "{compared} {changed}");
}

fn junit(body: &str) -> String {
    format!(
        "<testsuites><testsuite name=\"s\" tests=\"1\" failures=\"1\">{body}</testsuite></testsuites>"
    )
}

#[test]
fn failures_that_differ_in_their_text_alone_have_two() {
    let go = |said: &str| {
        format!(
            "<testcase classname=\"p\" name=\"TestA\" time=\"0\"><failure message=\"Failed\" type=\"\">=== RUN   TestA&#xA;    a_test.go:7: {said}&#xA;--- FAIL: TestA (0.00s)&#xA;</failure></testcase>"
        )
    };
    let playwright = |said: &str| {
        format!(
            "<testcase name=\"adds\" classname=\"a.spec.ts\" time=\"1\"><failure message=\"a.spec.ts:2:5 adds\" type=\"FAILURE\"><![CDATA[  a.spec.ts:2:5 › adds ─────\n\n    Error: {said}\n\n    > 2 | go()\n        | ^\n        at /w/a.spec.ts:2:9\n]]></failure></testcase>"
        )
    };
    let ctest = |said: &str| {
        format!(
            "<testcase name=\"fails\" classname=\"fails\" time=\"0\" status=\"fail\"><failure message=\"\"/><system-out>begin\n{said}\n</system-out></testcase>"
        )
    };
    let spring = |said: &str| {
        format!(
            "<testcase name=\"a\" classname=\"b\"><error type=\"java.lang.IllegalStateException\" message=\"Failed to load ApplicationContext\">java.lang.IllegalStateException: Failed to load ApplicationContext\n\tat o.s.X.a(X.java:1)\nCaused by: {said}\n\tat a.B.c(B.java:9)\n</error></testcase>"
        )
    };
    let dart = |said: &str| {
        format!(
            "<testcase classname=\"t\" name=\"a\"><failure message=\"1 failure, see stacktrace for details\">Failure:\nExpected: &lt;2&gt;\n  Actual: &lt;{said}&gt;\n</failure></testcase>"
        )
    };
    let catch = |said: &str| {
        format!(
            "<testcase classname=\"t\" name=\"a\"><failure message=\"x == 2\" type=\"REQUIRE\">\nFAILED:\n  REQUIRE( x == 2 )\nwith expansion:\n  {said} == 2\nat /src/t.cpp:12\n</failure></testcase>"
        )
    };
    let titled = |said: &str| {
        format!(
            "<testcase classname=\"t\" name=\"adds two\"><failure message=\"adds two\">{said}\n</failure></testcase>"
        )
    };
    type Write<'a> = &'a dyn Fn(&str) -> String;
    for write in [
        &go as Write<'_>,
        &playwright,
        &ctest,
        &spring,
        &dart,
        &catch,
        &titled,
    ] {
        let of = |said: &str| one(Format::Junit, &junit(&write(said)));
        assert_ne!(of("404"), of("503"), "{}", write("404"));
        assert_ne!(of("connection refused"), of("charged twice"));
        assert_eq!(of("port 41233 in use"), of("port 41999 in use"));
        assert!(!of("404").is_of_nothing());
    }
    let ctrf = |message: &str, trace: &str| {
        one(
            Format::Ctrf,
            &format!(
                "{{\"reportFormat\":\"CTRF\",\"results\":{{\"tool\":{{\"name\":\"x\"}},\"summary\":{{\"tests\":1,\"failed\":1}},\"tests\":[{{\"name\":\"a\",\"status\":\"failed\",\"message\":\"{message}\",\"trace\":\"{trace}\"}}]}}}}"
            ),
        )
    };
    assert_ne!(
        ctrf("Failed", "no disk\\n    at f (/a/b.js:1:2)"),
        ctrf("Failed", "no net\\n    at f (/a/b.js:1:2)")
    );
    assert_ne!(
        ctrf("toBe", "Error: toBe\\nExpected: 1\\nReceived: 2"),
        ctrf("toBe", "Error: toBe\\nExpected: 1\\nReceived: 3")
    );
    assert!(ctrf("Failed", "").is_of_nothing());
}

/// A stream of `go test -json` with one failed test that printed this.
fn go(test: &str, lines: &[&str]) -> String {
    let mut out = format!("{{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"{test}\"}}\n");
    for line in lines {
        let line = serde_json::to_string(&format!("{line}\n")).expect("a text");
        out.push_str(&format!(
            "{{\"Action\":\"output\",\"Package\":\"p\",\"Test\":\"{test}\",\"Output\":{line}}}\n"
        ));
    }
    out.push_str(&format!(
        "{{\"Action\":\"fail\",\"Package\":\"p\",\"Test\":\"{test}\",\"Elapsed\":0}}\n"
    ));
    out + "{\"Action\":\"fail\",\"Package\":\"p\",\"Elapsed\":0}\n"
}

#[test]
fn go_tells_what_a_test_failed_by() {
    let failure = |lines: &[&str]| {
        let rows = rows(Format::Go, go("T", lines).as_bytes());
        (
            rows[0].failure.clone().unwrap(),
            rows[0].signature.clone().unwrap(),
        )
    };
    let said = |text: &str| {
        failure(&[
            "=== RUN   T",
            "    p_test.go:5: starting the shop",
            &format!("    p_test.go:7: {text}"),
            "        second line",
            "--- FAIL: T (0.00s)",
        ])
    };
    let (one, hash) = said("charged twice");
    assert_eq!(one.message, "charged twice\nsecond line\nstarting the shop");
    assert_eq!(one.location.unwrap().line, Some(7));
    assert_ne!(hash, said("connection refused").1);
    let testify = |text: &str| {
        failure(&[
            "    p_test.go:7: ",
            "        \tError Trace:\t/w/p/p_test.go:7",
            &format!("        \tError:      \t{text}"),
            "        \tTest:       \tT",
            "--- FAIL: T (0.00s)",
        ])
    };
    assert_eq!(testify("Not equal: 1").0.message, "Not equal: 1");
    assert_ne!(testify("Not equal: 1").1, testify("Not equal: 2").1);
    let example = |got: &str| failure(&["--- FAIL: T (0.00s)", "got:", got, "want:", "4"]);
    assert_eq!(example("3").0.message, "got:\n3\nwant:\n4");
    assert_ne!(example("3").1, example("5").1);
    // Nothing is said.
    assert!(failure(&["--- FAIL: T (0.00s)"]).1.is_of_nothing());
}

#[test]
fn a_test_of_go_that_says_nothing_says_what_failed_below_it() {
    let stream = |said: &str| {
        let run = "{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T\"}\n";
        let below = go("T/a/b", &[&format!("    p_test.go:7: {said}")]);
        let (below, _) = below
            .rsplit_once("{\"Action\":\"fail\",\"Package\":\"p\",\"El")
            .unwrap();
        let own = go("T", &["--- FAIL: T (0.00s)"]);
        let own = own.split_once('\n').unwrap().1;
        let rows = rows(Format::Go, format!("{run}{below}{own}").as_bytes());
        let row = rows.into_iter().find(|row| row.test.name == "T").unwrap();
        (row.failure.unwrap().message, row.signature.unwrap())
    };
    assert_eq!(stream("no disk").0, "a/b: no disk");
    assert_ne!(stream("no disk").1, stream("charged twice").1);
}

#[test]
fn libtest_tells_what_the_tests_own_thread_said() {
    let text = |said: &str| {
        format!(
            "\nrunning 1 test\ntest a::bad ... FAILED\n\nfailures:\n\n---- a::bad stdout ----\n{said}\n\nfailures:\n    a::bad\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n"
        )
    };
    let of = |said: &str| {
        let rows = rows(Format::Libtest, text(said).as_bytes());
        (
            rows[0].failure.clone().unwrap().message,
            rows[0].signature.clone().unwrap(),
        )
    };
    let pretty = |status: u32| {
        of(&format!(
            "thread 'a::bad' (12) panicked at src/lib.rs:10:9:\nassertion failed: `(left == right)`\n\nDiff < left / right > :\n<    status: 200,\n>    status: {status},\n\n\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"
        ))
    };
    assert!(pretty(503).0.ends_with(">    status: 503,"));
    assert_ne!(pretty(503).1, pretty(404).1);
    let threads = |said: &str| {
        of(&format!(
            "thread 'worker' panicked at src/w.rs:1:1:\nlost\nthread 'a::bad' panicked at src/lib.rs:9:5:\n{said}"
        ))
    };
    assert_eq!(threads("charged twice").0, "charged twice");
    assert_ne!(threads("charged twice").1, threads("refused").1);
}

/// pytest cuts a message by its length, and the project's directory is a part of it.
#[test]
fn a_fixture_that_is_not_there_is_one_failure_in_any_directory() {
    let of = |name: &str| {
        let mut rows = rows(
            Format::Junit,
            &check::fixture(&format!("pytest-junit/{name}.xml")),
        );
        let row = rows.pop().expect("a test");
        (row.failure.expect("it failed").message, row.signature)
    };
    let (short, long) = (of("fixture-short"), of("fixture-long"));
    assert_eq!(short.0, "failed on setup with \"fixture 'nope' not found\"");
    assert_eq!(short, long);
    let text = String::from_utf8(check::fixture("pytest-junit/fixture-long.xml")).expect("text");
    let other = one(Format::Junit, &text.replace("'nope'", "'other'"));
    assert_ne!(Some(other), long.1);
}

#[test]
fn snapshots_of_insta_differ_by_what_changed() {
    let of = |now: u32, line: u32| {
        let log = format!(
            "\nrunning 1 test\ntest t ... FAILED\n\nfailures:\n\n---- t stdout ----\nSnapshot: t\nSource: src/lib.rs:{line}\n-old snapshot\n+new results\n\
             ────────────┬──────\n    0       │-status: 201\n          0 │+status: {now}\n────────────┴──────\n\nthread 't' (12) panicked at \
             /root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/insta-1.43.2/src/runtime.rs:679:13:\nsnapshot assertion for 't' failed in line {line}\n\
             note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n\n\nfailures:\n    t\n\n\
             test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
        );
        let mut tally = gonogo_suite::Tally::default();
        let mut source = log.as_bytes();
        let limits = gonogo_suite::Limits::default();
        gonogo_suite::read::read(
            gonogo_suite::Format::Libtest,
            &mut source,
            &limits,
            &mut tally,
        );
        tally.into_rows("unit", &[]).remove(0)
    };
    let one = of(200, 9);
    assert_eq!(one.signature, of(200, 12).signature);
    assert_ne!(one.signature, of(503, 9).signature);
    let place = one.failure.unwrap().location.unwrap();
    assert_eq!((place.file.as_str(), place.line), ("src/lib.rs", Some(9)));
}

//! Logs that `cargo test` printed, and its JSON lines.

#[path = "reports/check.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod check;

use gonogo_suite::Format;

/// Between two binaries nothing says whether a further one follows.
fn between(cut: &[u8]) -> bool {
    let text = String::from_utf8_lossy(cut);
    let results = text
        .lines()
        .filter(|l| l.starts_with("test result: "))
        .count();
    let begun = text.lines().filter(|l| l.starts_with("running ")).count();
    let headers = text
        .lines()
        .filter(|l| l.trim_start().starts_with("Running "))
        .count();
    results >= begun.max(headers) || begun == 0 && headers == 0
}

/// The same of its JSON.
fn between_json(cut: &[u8]) -> bool {
    let text = String::from_utf8_lossy(cut);
    text.lines()
        .last()
        .is_some_and(|l| l.contains("\"suite\"") && l.contains("exec_time"))
}

#[test]
fn text_mimic() {
    let bytes = check::fixture("libtest/mimic.txt");
    check::known(Format::Libtest, &bytes);
    assert!(check::read(Format::Libtest, &bytes).0.is_whole());
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
}

/// A line of a test's output is no structure, however long it is.
#[test]
fn a_test_may_print_a_long_line() {
    let long = "x".repeat(3 << 20);
    let text = format!(
        "running 2 tests (shuffle seed: 7)\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\n{long}\n\n\
         thread 'b' panicked at src/lib.rs:1:1:\nafter much\n\n\nfailures:\n    b\n\n\
         test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n"
    );
    let (reading, attempts) = check::read(Format::Libtest, text.as_bytes());
    assert!(reading.is_whole(), "{:?}", reading.issues);
    assert_eq!((reading.seen.passed, reading.seen.failed), (1, 1));
    assert!(
        attempts
            .iter()
            .any(|a| a.failures.iter().any(|f| f.message == "after much"))
    );
    let json = format!(
        "{{ \"type\": \"suite\", \"event\": \"started\", \"test_count\": 1 }}\n\
         {{ \"type\": \"test\", \"event\": \"started\", \"name\": \"b\" }}\n\
         {{ \"type\": \"test\", \"name\": \"b\", \"event\": \"failed\", \"stdout\": \"{long}\" }}\n\
         {{ \"type\": \"suite\", \"event\": \"failed\", \"passed\": 0, \"failed\": 1, \"ignored\": 0, \"measured\": 0, \"filtered_out\": 0, \"exec_time\": 0.1 }}\n"
    );
    let (reading, _) = check::read(Format::LibtestJson, json.as_bytes());
    assert!(reading.is_whole(), "{:?}", reading.issues);
    assert_eq!(reading.seen.failed, 1);
}

#[test]
fn text_all() {
    let bytes = check::fixture("libtest/all.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn text_nocapture() {
    let bytes = check::fixture("libtest/nocapture.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn text_quiet() {
    let bytes = check::fixture("libtest/quiet.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn text_abort() {
    let bytes = check::fixture("libtest/abort.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn text_abort_one() {
    let bytes = check::fixture("libtest/abort-one.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn text_compile() {
    let bytes = check::fixture("libtest/compile.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn text_green() {
    let bytes = check::fixture("libtest/green.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn text_green_colour() {
    let bytes = check::fixture("libtest/green-colour.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn json_all() {
    let bytes = check::fixture("libtest-json/all.jsonl");
    check::known(Format::LibtestJson, &bytes);
    insta::assert_snapshot!(check::table(Format::LibtestJson, &bytes));
    check::cuts(Format::LibtestJson, &bytes, between_json);
    check::noise(Format::LibtestJson, &bytes);
}

#[test]
fn json_abort() {
    let bytes = check::fixture("libtest-json/abort.jsonl");
    check::known(Format::LibtestJson, &bytes);
    insta::assert_snapshot!(check::table(Format::LibtestJson, &bytes));
    check::cuts(Format::LibtestJson, &bytes, between_json);
    check::noise(Format::LibtestJson, &bytes);
}

#[test]
fn json_of_nextest() {
    for name in ["plain", "plus", "green", "filtered"] {
        let bytes = check::fixture(&format!("nextest/{name}.jsonl"));
        check::known(Format::LibtestJson, &bytes);
        insta::assert_snapshot!(
            format!("nextest_{name}"),
            check::table(Format::LibtestJson, &bytes)
        );
        check::cuts(Format::LibtestJson, &bytes, between_json);
        check::noise(Format::LibtestJson, &bytes);
    }
}

#[test]
fn nextest_by_hand() {
    let block = |tests: &str, count: u64, passed: u64, ignored: u64| {
        format!(
            "{{\"type\":\"suite\",\"event\":\"started\",\"test_count\":{count}}}\n{tests}{{\"type\":\"suite\",\"event\":\"ok\",\"passed\":{passed},\"failed\":0,\"ignored\":{ignored},\"measured\":0,\"filtered_out\":0,\"exec_time\":0.1}}\n"
        )
    };
    let line = |event: &str, name: &str| {
        format!("{{\"type\":\"test\",\"event\":\"{event}\",\"name\":\"c::b${name}\"}}\n")
    };
    let both = |name: &str| line("started", name) + &line("ok", name);
    // Names of other harnesses may have numbers of their own.
    let numbered = block(&(both("case #1") + &both("case #2")), 2, 2, 0);
    // An ignored test has no end, and one that is lost has none either.
    let ignored = block(&(both("a") + &line("started", "b")), 2, 1, 1);
    let lost = block(&(both("a") + &line("started", "b")), 2, 1, 0);
    let lost_beside = block(
        &(both("a") + &line("started", "b") + &line("started", "c")),
        3,
        1,
        1,
    );
    let missing = block(&both("a"), 2, 1, 0);
    check::cases(
        Format::LibtestJson,
        &[
            (&numbered, &["pass case #1", "pass case #2"], &[]),
            (&ignored, &["pass a", "skip b"], &[]),
            (&lost, &["pass a", "error b"], &[]),
            (&lost_beside, &["pass a", "error b", "error c"], &[]),
            (&missing, &["pass a"], &["CountMismatch"]),
        ],
    );
}

#[test]
fn what_is_no_log_of_cargo_is_refused() {
    check::refusals(Format::Libtest);
    check::refusals(Format::LibtestJson);
}

#[test]
fn logs_by_hand() {
    let head = "     Running unittests src/lib.rs (target/debug/deps/a-0123456789abcdef)\n\n";
    let with = |body: &str| format!("{head}{body}");
    let one = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
    let none = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
    let bad = "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
    let died = "error: test failed, to rerun pass `--lib`\n\nCaused by:\n  process didn't exit successfully: `/src/a` (signal: 11, SIGSEGV: invalid memory reference)\n";
    check::cases(
        Format::Libtest,
        &[
            // Times before each line, and the end of lines of another system.
            (
                &format!(
                    "2024-05-01T10:11:12.1234567Z running 1 test\r\n2024-05-01T10:11:12.1234567Z test a ... ok\r\n2024-05-01T10:11:12.1234567Z \r\n2024-05-01T10:11:12.1234567Z {one}"
                ),
                &["pass a"],
                &[],
            ),
            // Another thread prints in the middle of a line.
            (
                &with(&format!(
                    "running 1 test\nnoise of anothertest a ... ok\n\n{one}"
                )),
                &["pass a"],
                &[],
            ),
            // It prints inside of the result, and another line is not what it looks like.
            (
                &with(&format!(
                    "running 1 test\n  5: test m::a ... alpha::oktests\ntest m::forged ... ok\n\n{one}"
                )),
                &["pass m::forged"],
                &["Incomplete"],
            ),
            // A word that nobody knows.
            (
                &with(&format!("running 1 test\ntest a ... maybe\n\n{one}")),
                &["error a"],
                &["CountMismatch"],
            ),
            // A failure of which the line is lost.
            (
                &with(&format!("running 1 test\n\nfailures:\n    a\n\n{bad}")),
                &["fail (failures without names)"],
                &["CountMismatch"],
            ),
            // Nothing ran.
            (
                &with(&format!("running 0 tests\n\n{none}")),
                &[],
                &["NoTests"],
            ),
            // It died; and what ran longer than a minute had not ended.
            (
                &with(&format!(
                    "running 3 tests\ntest a ... ok\ntest b has been running for over 60 seconds\n{died}"
                )),
                &["pass a", "error b", "error (process)"],
                &["Incomplete"],
            ),
            // Its stack overflowed: the thread has the test's name.
            (
                &with(&format!(
                    "running 2 tests\n\nthread 'deep' has overflowed its stack\nfatal runtime error: stack overflow\n{died}"
                )),
                &["error deep", "error (process)"],
                &["Incomplete"],
            ),
            // It died after all had passed.
            (
                &with(&format!("running 1 test\ntest a ... ok\n\n{one}\n{died}")),
                &["pass a", "error (process)"],
                &[],
            ),
            // A binary without tests of this kind.
            (head, &[], &["Incomplete", "NoTests"]),
            // Counts that do not agree.
            (
                &with(&format!("running 2 tests\ntest a ... ok\n\n{one}")),
                &["pass a"],
                &["Incomplete"],
            ),
            // The same name in two binaries that are told apart by nothing.
            (
                &format!(
                    "running 1 test\ntest a ... ok\n\n{one}\nrunning 1 test\ntest a ... ok\n\n{one}"
                ),
                &["pass a", "pass a"],
                &["Collision"],
            ),
            // The same binary a second time.
            (
                &format!(
                    "{}{}",
                    with(&format!("running 1 test\ntest a ... ok\n\n{one}")),
                    with(&format!("running 1 test\ntest a ... ok\n\n{one}"))
                ),
                &["pass a", "pass a #2"],
                &[],
            ),
            // A compiler that has nothing to say, and a benchmark.
            (
                "error: could not compile `a` (lib test) due to 1 previous error\n",
                &["fail (build of lib test)"],
                &[],
            ),
            (
                &with(
                    "running 1 test\ntest b ... bench:       1,234 ns/iter (+/- 5)\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 1 measured; 0 filtered out\n",
                ),
                &["pass b"],
                &[],
            ),
            (
                &with(
                    "test result: ok. 9 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n",
                ),
                &[],
                &["CountMismatch", "Incomplete", "NoTests"],
            ),
        ],
    );
}

#[test]
fn a_panic_of_old_and_of_new_versions_has_its_place() {
    for panic in [
        "thread 'a' panicked at 'no luck', src/lib.rs:3:5\nnote: run with `RUST_BACKTRACE=1`",
        "thread 'a' panicked at src/lib.rs:3:5:\nno luck\nnote: run with `RUST_BACKTRACE=1`",
        "\nthread 'a' (77) panicked at src/lib.rs:3:5:\nno luck\n",
    ] {
        let log = format!(
            "running 1 test\ntest a ... FAILED\n\nfailures:\n\n---- a stdout ----\n{panic}\n\n\nfailures:\n    a\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n"
        );
        let (reading, attempts) = check::read(Format::Libtest, log.as_bytes());
        assert!(reading.is_whole(), "{:?}", reading.issues);
        let failure = &attempts[0].failures[0];
        assert_eq!(failure.message, "no luck");
        let place = failure.location.as_ref().unwrap();
        assert_eq!((place.line, place.column), (Some(3), Some(5)));
    }
}

#[test]
fn streams_by_hand() {
    let begin = "{\"type\":\"suite\",\"event\":\"started\",\"test_count\":1}\n";
    let start = "{\"type\":\"test\",\"event\":\"started\",\"name\":\"a::b$c\"}\n";
    let end = "{\"type\":\"suite\",\"event\":\"ok\",\"passed\":1,\"failed\":0,\"ignored\":0,\"measured\":0}\n";
    check::cases(
        Format::LibtestJson,
        &[
            // nextest: a second attempt, and its additions.
            (
                &format!(
                    "{{\"type\":\"suite\",\"event\":\"started\",\"test_count\":1,\"nextest\":{{\"crate\":\"a\",\"test_binary\":\"b\",\"kind\":\"lib\"}}}}\n{start}{{\"type\":\"test\",\"event\":\"ok\",\"name\":\"a::b$c#2\",\"exec_time\":0.5}}\n{end}"
                ),
                &["fail c", "pass c #2"],
                &[],
            ),
            (
                &format!(
                    "{begin}{start}{{\"type\":\"test\",\"event\":\"ok\",\"name\":\"a::b$c\",\"exec_time\":\"0.5s\"}}\n{end}"
                ),
                &["pass c"],
                &[],
            ),
            (
                &format!(
                    "{begin}{start}{{\"type\":\"test\",\"event\":\"great\",\"name\":\"a::b$c\"}}\n{end}"
                ),
                &["unknown c"],
                &["UnknownOutcome", "CountMismatch"],
            ),
            (&format!("{begin}{end}"), &[], &["CountMismatch", "NoTests"]),
            (
                &format!("{begin}{start}{end}"),
                &["error c"],
                &["CountMismatch"],
            ),
            (
                &format!(
                    "{begin}{start}  process didn't exit successfully: `/src/a` (signal: 9, SIGKILL: kill)\n"
                ),
                &["error (process)", "error c"],
                &["Incomplete"],
            ),
        ],
    );
}

#[test]
fn what_is_beyond_the_bound_of_failures_does_not_hide_the_next_binary() {
    let mut log = String::from("running 40000 tests\n");
    for test in 0..40_000 {
        log.push_str(&format!("test t{test} ... FAILED\n"));
    }
    log.push_str("\nfailures:\n");
    for test in 0..40_000 {
        let said = "boom ".repeat(200);
        log.push_str(&format!(
            "\n---- t{test} stdout ----\nthread 't{test}' panicked at src/lib.rs:1:2:\n{said}\n"
        ));
    }
    log.push_str("\nfailures:\n");
    for test in 0..40_000 {
        log.push_str(&format!("    t{test}\n"));
    }
    log.push_str("\ntest result: FAILED. 0 passed; 40000 failed; 0 ignored; 0 measured; 0 filtered out\n\nrunning 1 test\ntest last ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n");
    let (reading, attempts) = check::read(Format::Libtest, log.as_bytes());
    assert!(reading.is_whole(), "{:?}", reading.issues);
    assert_eq!(reading.seen.failed, 40_000);
    assert_eq!(attempts.last().unwrap().test.name, "last");
}

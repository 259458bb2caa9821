//! The first failure of logs that real tools wrote (tests/first_failure: cargo 1.95, pytest 9.2, unittest of Python 3.11, go 1.26, gcc, make,
//! a shell, Jest 29, Vitest 3.2, node 20), and of others after what their tools document. Their tests print what looks like failures.

use std::io::BufReader;

use gonogo_suite::FailureKind;
use gonogo_suite::first_failure::{Found, Limits, Runner, Scan, Tally, scan};
use proptest::prelude::*;

fn of(text: &str) -> Scan {
    scan(&mut text.as_bytes(), &Limits::default()).expect("bytes can be read")
}

fn log(name: &str) -> Scan {
    let path = format!(
        "{}/tests/first_failure/{name}.log",
        env!("CARGO_MANIFEST_DIR")
    );
    of(&String::from_utf8_lossy(
        &std::fs::read(path).expect("the log is there"),
    ))
}

/// `rule | test | message's first line | place`.
fn short(found: Option<&Found>) -> String {
    let Some(found) = found else {
        return "nothing".into();
    };
    let failure = &found.failure;
    let place = failure.location.as_ref().map_or(String::new(), |l| {
        let file = l.file.rsplit('/').next().unwrap_or_default();
        format!("{file}:{}", l.line.unwrap_or(0))
    });
    let message = failure.message.lines().next().unwrap_or_default();
    format!(
        "{} | {} | {message} | {place}",
        found.rule,
        found.test.as_deref().unwrap_or("-")
    )
}

#[test]
fn logs_of_real_tools() {
    for (name, expected) in [
        (
            "cargo-test",
            "rust.panic.error | tests::returns_error | Error: ParseIntError { kind: InvalidDigit } | ",
        ),
        (
            "cargo-test-nocapture",
            "libtest.failed | tests::returns_error | the test tests::returns_error failed | ",
        ),
        ("cargo-test-green", "nothing"),
        (
            "cargo-build",
            "rustc.error | - | mismatched types | lib.rs:14",
        ),
        (
            "cargo-clippy",
            "clippy.error | - | unneeded `return` statement | lib.rs:14",
        ),
        (
            "cargo-fmt",
            "rustfmt.diff | - | Diff in /work/sample/rs/src/lib.rs:1: | lib.rs:1",
        ),
        (
            "rust-panic",
            "rust.panic | main | index out of bounds: the len is 0 but the index is 3 | p.rs:1",
        ),
        (
            "pytest-auto",
            "pytest.section | test_fails | AssertionError: not two | test_a.py:7",
        ),
        (
            "pytest-short",
            "pytest.section | test_fails | AssertionError: not two | test_a.py:7",
        ),
        (
            "pytest-line",
            "pytest.line | - | AssertionError: not two | test_a.py:7",
        ),
        (
            "pytest-native",
            "pytest.section | test_fails | AssertionError: not two | test_a.py:7",
        ),
        (
            "pytest-no",
            "pytest.summary | test_a.py::test_fails | AssertionError: not two | ",
        ),
        ("pytest-green", "nothing"),
        (
            "pytest-collect",
            "pytest.section | ERROR collecting c/test_c.py | ModuleNotFoundError: No module named 'nothere' | test_c.py:1",
        ),
        (
            "unittest",
            "unittest.section | test_err (test_u.T.test_err) | ValueError: bad value | test_u.py:7",
        ),
        (
            "python-traceback",
            "python.traceback | - | json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1) | broken.py:2",
        ),
        (
            "go-test",
            "go.fail | TestAdd/two_and_two | before | a_test.go:4",
        ),
        (
            "go-test-v",
            "go.fail | TestAdd/two_and_two | before | a_test.go:4",
        ),
        ("go-green", "nothing"),
        (
            "go-panic",
            "go.panic | TestPanic | assignment to entry in nil map [recovered, repanicked] | b_test.go:3",
        ),
        (
            "go-build",
            "go.build | - | undefined: undefinedThing | c.go:2",
        ),
        (
            "go-build-plain",
            "go.build | - | undefined: undefinedThing | c.go:2",
        ),
        (
            "make-gcc",
            "cc.error | - | expected expression before ‘;’ token | a.c:2",
        ),
        (
            "make-ld",
            "ld.error | - | a.c:(.text+0x5): undefined reference to `missing' | ",
        ),
        (
            "asan",
            "sanitizer.report | - | heap-buffer-overflow on address | b.c:2",
        ),
        ("segfault-script", "system.signal | - | r.sh: line 3: | "),
        (
            "jest",
            "jest.section | sums › adds two | expect(received).toBe(expected) // Object.is equality | a.test.js:3",
        ),
        (
            "vitest",
            "vitest.fail | b.test.mjs > sums > adds two | AssertionError: expected 4 to be 5 // Object.is equality | b.test.mjs:3",
        ),
        (
            "node-tap",
            "tap.not_ok | adds | Expected values to be strictly equal: | n.mjs:2",
        ),
    ] {
        let scan = log(name);
        let found = short(scan.first());
        let alike = expected
            .split(" | ")
            .zip(found.split(" | "))
            .all(|(e, f)| f.starts_with(e));
        assert!(
            alike && (expected == "nothing") == (found == "nothing"),
            "{name}: {found}"
        );
    }
}

#[test]
fn what_comes_first_has_kind_trace_and_line() {
    let scan = log("cargo-test");
    let second = log("pytest-short");
    let found = second.first().unwrap();
    assert_eq!(
        (found.line, found.failure.kind),
        (9, FailureKind::Assertion)
    );
    assert_eq!(
        found.failure.message,
        "AssertionError: not two\nassert 1 == 2"
    );
    assert!(found.failure.trace.contains("inner(1)") && !found.failure.trace.contains("panicked"));
    assert_eq!(
        scan.counts[&Runner::Rust].last,
        Tally {
            passed: 2,
            failed: 2,
            skipped: 0
        }
    );
    assert_eq!(
        second.counts[&Runner::Pytest].last,
        Tally {
            passed: 2,
            failed: 2,
            skipped: 0
        }
    );
    assert_eq!(
        log("unittest").counts[&Runner::Unittest].last,
        Tally {
            passed: 1,
            failed: 2,
            skipped: 0
        }
    );
    assert_eq!(
        log("vitest").counts[&Runner::Vitest].last,
        Tally {
            passed: 1,
            failed: 1,
            skipped: 0
        }
    );
    assert_eq!(
        log("jest").counts[&Runner::Jest].last,
        Tally {
            passed: 1,
            failed: 2,
            skipped: 0
        }
    );
    let clippy = log("cargo-clippy");
    assert_eq!(
        clippy.first().unwrap().failure.class,
        "clippy::needless_return"
    );
    assert_eq!(log("cargo-build").first().unwrap().failure.class, "E0308");
    let go = log("go-test-v");
    assert!(go.first().unwrap().failure.message.contains("got 4,"));
    assert!(go.counts.is_empty());
}

#[test]
fn logs_after_the_tools_documentation() {
    for (text, expected) in [
        (
            "[ERROR] Tests run: 2, Failures: 1, Errors: 0, Skipped: 0, Time elapsed: 0.05 s <<< FAILURE! -- in com.x.FooTest\n[ERROR] com.x.FooTest.bar -- Time elapsed: 0.01 s <<< FAILURE!\norg.opentest4j.AssertionFailedError: expected: <1> but was: <2>\n\tat org.junit.jupiter.api.AssertionUtils.fail(AssertionUtils.java:55)\n\tat com.x.FooTest.bar(FooTest.java:12)\n\n[ERROR] Tests run: 2, Failures: 1, Errors: 0, Skipped: 0\n",
            "surefire.test | com.x.FooTest.bar | org.opentest4j.AssertionFailedError: expected: <1> but was: <2> | FooTest.java:12",
        ),
        (
            "> Task :test FAILED\n\nFooTest > bar() FAILED\n    org.opentest4j.AssertionFailedError: expected: <1> but was: <2>\n        at FooTest.java:12\n\n2 tests completed, 1 failed\n",
            "gradle.test | FooTest > bar() | org.opentest4j.AssertionFailedError: expected: <1> but was: <2> | FooTest.java:12",
        ),
        (
            "[INFO] Compiling\n[ERROR] COMPILATION ERROR : \n[ERROR] /w/src/Foo.java:[12,5] cannot find symbol\n[ERROR] Failed to execute goal org.apache\n",
            "maven.compile | - | cannot find symbol | Foo.java:12",
        ),
        (
            "src/Foo.java:12: error: cannot find symbol\n    int x = y;\n1 error\n",
            "cc.error | - | cannot find symbol | Foo.java:12",
        ),
        (
            "src/a.ts(3,5): error TS2322: Type 'string' is not assignable to type 'number'.\n",
            "tsc.error | - | Type 'string' is not assignable to type 'number'. | a.ts:3",
        ),
        (
            "src/a.ts:3:5 - error TS2322: Type x\n\n3 let\n\nFound 1 error in src/a.ts:3\n",
            "tsc.error | - | Type x | a.ts:3",
        ),
        (
            "\n/w/src/a.js\n  1:1  warning  Unexpected console  no-console\n  3:5  error    'x' is defined but never used  no-unused-vars\n\n✖ 2 problems (1 error, 1 warning)\n",
            "eslint.error | - | 'x' is defined but never used | a.js:3",
        ),
        (
            "    Starting 2 tests across 1 binary\n        PASS [   0.004s] sample tests::a\n        FAIL [   0.005s] sample tests::b\n\n--- STDERR:              sample tests::b ---\nthread 'tests::b' panicked at src/lib.rs:10:9:\nassertion failed: x\n\n     Summary [   0.006s] 2 tests run: 1 passed, 1 failed, 0 skipped\n        FAIL [   0.005s] sample tests::b\nerror: test run failed\n",
            "rust.panic | tests::b | assertion failed: x | lib.rs:10",
        ),
        (
            "     SIGSEGV [   0.004s] sample tests::crash\n     Summary [   0.006s] 1 test run: 0 passed, 1 failed, 0 skipped\n",
            "nextest.signal | tests::crash | SIGSEGV",
        ),
        (
            "error: test failed, to rerun pass `--lib`\n\nCaused by:\n  process didn't exit successfully: `/t/x` (signal: 11, SIGSEGV: invalid memory reference)\n",
            "cargo.signal | - | signal: 11, SIGSEGV: invalid memory reference | ",
        ),
        (
            "---- t::old stdout ----\nfailures:\n\n---- t::old stdout ----\nthread 't::old' panicked at 'boom', src/a.rs:3:5\nnote: run\n\nfailures:\n    t::old\n\ntest t::old ... FAILED\ntest result: FAILED. 0 passed; 1 failed; 0 ignored\n",
            "rust.panic | t::old | boom | a.rs:3",
        ),
        (
            "[ RUN      ] A.Ok\na.cc:3: Failure\nmeant\n[       OK ] A.Ok (0 ms)\n[ RUN      ] A.B\na.cc:12: Failure\nExpected equality of these values:\n  1\n  2\n[  FAILED  ] A.B (0 ms)\n[  FAILED  ] 1 test, listed below:\n",
            "gtest.failure | A.B | Expected equality of these values: | a.cc:12",
        ),
        (
            "  1 passing (5ms)\n  1 failing\n\n  1) sums\n       adds:\n\n      AssertionError [ERR_ASSERTION]: 4 == 5\n      at Context.<anonymous> (test/a.js:3:5)\n",
            "mocha.section | sums",
        ),
        (
            "a.c: In function x\n/usr/bin/ld: /tmp/a.o: in function `main':\na.c:3: undefined reference to `f'\ncollect2: error: ld returned 1 exit status\n",
            "ld.error | - | a.c:3: undefined reference to `f' | a.c:3",
        ),
        (
            "x.cpp(12,5): error C2065: 'y': undeclared identifier [x.vcxproj]\n",
            "msvc.error | - | 'y': undeclared identifier [x.vcxproj] | x.cpp:12",
        ),
        (
            "building\ncc1plus: out of memory allocating 65536 bytes\nmake: *** [a.o] Error 1\n",
            "system.out_of_memory",
        ),
        (
            "java.lang.OutOfMemoryError: Java heap space\n",
            "system.out_of_memory",
        ),
        (
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n",
            "system.out_of_memory",
        ),
        (
            "tar: a: Cannot write: No space left on device\n",
            "system.disk_full",
        ),
        ("npm ERR! code ENOSPC\n", "system.disk_full"),
        ("step\nKilled\n", "system.signal"),
        (
            "make: *** [Makefile:3: all] Error 2\n",
            "make.error | - | [Makefile:3: all] Error 2",
        ),
        (
            "a.c:3:5: runtime error: signed integer overflow: 1 + 2\n",
            "sanitizer.undefined | - | signed integer overflow: 1 + 2 | a.c:3",
        ),
        (
            "INTERNALERROR> Traceback\nINTERNALERROR>   File x\nINTERNALERROR> ValueError: bad\n",
            "pytest.internal | - | ValueError: bad",
        ),
    ] {
        let found = short(of(text).first());
        assert!(found.starts_with(expected), "{text}\n{found}");
    }
}

#[test]
fn what_a_ci_system_puts_before_a_line_changes_nothing() {
    let path = format!("{}/tests/first_failure/", env!("CARGO_MANIFEST_DIR"));
    for name in [
        "cargo-test",
        "pytest-auto",
        "go-test",
        "jest",
        "vitest",
        "make-gcc",
    ] {
        let text = String::from_utf8_lossy(&std::fs::read(format!("{path}{name}.log")).unwrap())
            .into_owned();
        let plain = of(&text).first().cloned().unwrap();
        for dress in [
            |line: &str| format!("2026-01-02T03:04:05.1234567Z {line}"),
            |line: &str| format!("2026-01-02T03:04:05.123456Z 01O {line}"),
            |line: &str| format!("[2026-01-02T03:04:05.123Z] {line}"),
            |line: &str| format!("\u{1b}_bk;t=17000000\u{7}{line}"),
            |line: &str| format!("\u{1b}[0m{line}\u{1b}[K\r"),
            |line: &str| format!(" 10%\r 99%\r{line}"),
        ] {
            let dressed: String = text.lines().map(|l| dress(l) + "\n").collect();
            let found = of(&dressed).first().cloned();
            assert_eq!(
                found
                    .as_ref()
                    .map(|f| (f.line, &f.rule, &f.test, &f.failure.location)),
                Some((
                    plain.line,
                    &plain.rule,
                    &plain.test,
                    &plain.failure.location
                )),
                "{name}\n{dressed}"
            );
        }
    }
}

#[test]
fn words_are_no_failures() {
    for text in [
        "",
        "\n\n",
        "everything is fine\n",
        "test timeout_is_reported ... ok\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured\n",
        "INFO error: something happened, timed out, panicked at the disco\n",
        "error: a word of any program\n",
        "the process was Killed by somebody\n",
        "WARN disk: No space left on device, simulated\n1 passed in 0.01s\n",
        "a: No space left on device\n===== 3 passed in 0.10s =====\n",
        "Traceback (most recent call last):\n  File \"a.py\", line 3, in f\nValueError: handled\n3 passed in 0.01s\n",
        "Traceback (most recent call last):\n  File \"a.py\", line 3, in f\nValueError: handled\na\nb\nc\nd\ne\nf\ng\nh\ni\nj\n",
        "a.c:3:5: error: expected by the test\n100% tests\ntest result: ok. 1 passed; 0 failed;\n",
        "thread 'tests::x' panicked at src/a.rs:1:1:\nmeant\ntest tests::x - should panic ... ok\ntest result: ok. 1 passed; 0 failed; 0 ignored;\n",
        "  TRY 1 FAIL [   0.1s] a tests::b\n  TRY 2 PASS [   0.1s] a tests::b\n     Summary [   0.2s] 1 test run: 1 passed (1 flaky), 0 skipped\n",
        "not ok 1 - later # TODO not done\nok 2 - x\n# fail 0\n",
        "FAIL: a word\nERROR: a word\n",
        "● a bullet\n",
        "==== FAILURES ====\n",
        "--- FAIL: TestX (0.00s)\nok  \texample.com/x\t0.003s\n",
    ] {
        let found = of(text);
        assert_eq!(short(found.first()), "nothing", "{text}");
    }
}

#[test]
fn a_verdict_comes_before_a_mention() {
    let text = "a: No space left on device\nTraceback (most recent call last):\nValueError: x\n\
                =================================== FAILURES ===================================\n__________ test_x __________\n\
                E   AssertionError: y\na.py:3: AssertionError\n=========== 1 failed in 0.02s ===========\n";
    let scan = of(text);
    assert_eq!(scan.found.len(), 1);
    assert_eq!(scan.first().unwrap().rule, "pytest.section");
    // Two runners: the first of each, by line.
    let both = of(&format!(
        "src/lib.rs\nerror[E0308]: x\n --> src/lib.rs:1:2\n\nerror: could not compile `a` (lib)\n{text}"
    ));
    let rules: Vec<&str> = both.found.iter().map(|f| &*f.rule).collect();
    assert_eq!(rules, ["rustc.error", "pytest.section"]);
}

#[test]
fn a_log_of_any_size_is_bounded() {
    let long = "x".repeat(3000);
    let body: String = (0..3000)
        .map(|n| format!("E   AssertionError: {n} {long}\n"))
        .collect();
    let text = format!(
        "=== FAILURES ===\n___ test_x ___\n{body}=== 1 failed in 0.02s ===\n{}",
        "y".repeat(100_000)
    );
    let scan = of(&text);
    let failure = &scan.first().unwrap().failure;
    assert!(failure.message.len() <= 1024 && failure.trace.len() <= 4096 && failure.truncated);
    assert_eq!(
        (scan.cut_lines, scan.bytes, scan.lines),
        (1, text.len() as u64, 3004)
    );
}

proptest! {
    #[test]
    fn no_bytes_break_it_and_reads_of_any_size_agree(
        bytes in prop::collection::vec(any::<u8>(), 0..400), picks in prop::collection::vec((0usize..14, 0usize..60), 0..40), size in 1usize..50,
    ) {
        let names = ["cargo-test", "pytest-auto", "pytest-native", "go-test-v", "go-panic", "jest", "vitest", "unittest", "asan", "cargo-fmt", "make-gcc", "node-tap", "cargo-clippy", "cargo-test-nocapture"];
        let mut text = bytes;
        for (name, line) in picks {
            let path = format!("{}/tests/first_failure/{}.log", env!("CARGO_MANIFEST_DIR"), names[name]);
            let log = std::fs::read(path).unwrap();
            if let Some(line) = log.split(|b| *b == b'\n').nth(line) {
                text.extend_from_slice(line);
                text.push(b'\n');
            }
        }
        let whole = scan(&mut text.as_slice(), &Limits::default()).unwrap();
        let parts = scan(&mut BufReader::with_capacity(size, text.as_slice()), &Limits::default()).unwrap();
        prop_assert_eq!(&whole, &parts);
        for found in &whole.found {
            prop_assert!(found.line >= 1 && found.line <= whole.lines && !found.failure.message.is_empty() || found.header.is_empty());
        }
    }
}

//! The first failure of logs of linters, node, npm, shells, tools that fetch, RSpec, PHPUnit and CTest: real ones (tests/first_failure), and
//! what looks like theirs and is none.

use gonogo_suite::FailureKind;
use gonogo_suite::first_failure::{Found, Limits, Runner, Tally, scan};

fn first(text: &[u8]) -> Option<Found> {
    let scan = scan(&mut &*text, &Limits::default()).expect("bytes can be read");
    scan.first().cloned()
}

fn log(name: &str) -> Vec<u8> {
    let root = env!("CARGO_MANIFEST_DIR");
    std::fs::read(format!("{root}/tests/first_failure/{name}.log")).expect("the log is there")
}

/// `line rule | test | message's first line | place`.
fn short(found: Option<&Found>) -> String {
    let Some(found) = found else {
        return "nothing".into();
    };
    let failure = &found.failure;
    let place = failure.location.as_ref().map_or(String::new(), |l| {
        let line = l.line.map_or(String::new(), |line| format!(":{line}"));
        format!("{}{line}", l.file)
    });
    let message = failure.message.lines().next().unwrap_or_default();
    let test = found.test.as_deref().unwrap_or("-");
    format!(
        "{} {} | {test} | {message} | {place}",
        found.line, found.rule
    )
}

#[test]
fn runners_that_end_before_their_report() {
    for (name, expected) in [
        (
            "pytest-conftest",
            "1 pytest.conftest | - | ModuleNotFoundError: No module named 'nosuchmod' | conf/conftest.py:1",
        ),
        (
            "pytest-usage",
            "1 pytest.usage | - | unrecognized arguments: --nosuchopt | ",
        ),
        (
            "pytest-nofile",
            "3 pytest.usage | - | file or directory not found: ok/nope.py | ",
        ),
        (
            "pytest-plugin",
            "1 pytest.usage | - | Error importing plugin \"nosuchplugin\": No module named 'nosuchplugin' | ",
        ),
        (
            "pytest-segfault",
            "1 python.fatal | test_s | Fatal Python error: Segmentation fault in test_s | /src/py/seg/test_s.py:3",
        ),
        (
            "pytest-timeout-thread",
            "1 pytest.timeout | test_slow | pytest-timeout ended it: it took too long in test_slow | /src/py/tm/test_tm.py:5",
        ),
        (
            "mypy",
            "1 mypy.error | - | Incompatible types in assignment (expression has type \"str\", variable has type \"int\") | src/a.py:5",
        ),
        // What a test printed without ending its line.
        ("go-noeol", "1 go.fail | TestA | total is 3 | a_test.go:3"),
        ("go-noeol-v", "3 go.fail | TestA | total is 3 | a_test.go:3"),
    ] {
        assert_eq!(short(first(&log(name)).as_ref()), expected, "{name}");
    }
    // What only looks like it, and what a green run printed.
    for text in [
        "see `Fatal Python error: x` in the manual\n",
        "usage: tool [-h]\n\n  -h  help\n",
        "+++ Timeout table +++\n",
        "a note --- FAIL: of nothing\n",
        "ImportError while loading conftest '/x/conftest.py'.\nE   ImportError: x\n\n===== 3 passed in 0.01s =====\n",
    ] {
        assert_eq!(short(first(text.as_bytes()).as_ref()), "nothing", "{text}");
    }
    // A broken line of source stands before what is wrong with it.
    let broken = "ImportError while loading conftest '/x/conftest.py'.\nE     File \"/x/conftest.py\", line 1\nE       def (\nE           ^\nE   SyntaxError: invalid syntax\n";
    let found = first(broken.as_bytes()).expect("it is found");
    assert_eq!(found.failure.message, "SyntaxError: invalid syntax");
    assert_eq!(found.failure.kind, FailureKind::Compile);
}

#[test]
fn findings_of_checkers_are_no_errors_of_a_compiler() {
    let pyright = b"/src/a.py\n  /src/a.py:5:10 - error: Type \"str\" is not assignable to \"int\" (reportAssignmentType)\n1 error, 0 warnings\n";
    for text in [log("mypy"), log("ruff"), log("flake8"), pyright.to_vec()] {
        let found = first(&text).expect("it is found");
        let cause = gonogo_suite::cause::cause(&found.failure, &[]);
        assert_eq!(cause.word(), "lint_failure", "{found:#?}");
    }
    let found = first(&log("npm-missing")).expect("it is found");
    assert_ne!(
        gonogo_suite::cause::cause(&found.failure, &[]).word(),
        "lint_failure"
    );
}

#[test]
fn a_connection_that_failed_on_the_way_is_not_why() {
    let of = |text: &str| short(first(text.as_bytes()).as_ref());
    let refused = "curl: (7) Failed to connect to a.test port 443";
    for behind in [
        "FAILED: checksum differs",
        "Error: no column `id`",
        "x.tgz: FAILED",
    ] {
        assert_eq!(
            of(&format!("{refused}\nmirror 2\n{behind}\n")),
            "nothing",
            "{behind}"
        );
    }
    for behind in [
        "make: *** [Makefile:2: x] Error 7",
        "error: could not fetch x",
        "bye",
        "ERROR: 1 download failed",
    ] {
        let found = of(&format!("{refused}\n{behind}\n"));
        assert!(
            found.starts_with("1 system.network | - | curl: (7)"),
            "{behind}: {found}"
        );
    }
    let pip = "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError('<x object at 0x7f>: Failed to establish a new connection: [Errno 111] Connection refused')': /simple/zzz/\nERROR: Could not find a version that satisfies the requirement zzz (from versions: none)\nERROR: No matching distribution found for zzz\n";
    let found = first(pip.as_bytes()).expect("it is found");
    assert_eq!(
        gonogo_suite::cause::cause(&found.failure, &[]).word(),
        "network_io",
        "{found:#?}"
    );
}

#[test]
fn logs_of_real_tools() {
    for (name, expected) in [
        (
            "ruff",
            "2 ruff.rule | - | `os` imported but unused | src/a.py:1",
        ),
        (
            "ruff-concise",
            "1 lint.rule | - | `os` imported but unused | src/a.py:1",
        ),
        ("ruff-green", "nothing"),
        (
            "flake8",
            "1 lint.rule | - | 'os' imported but unused | ./src/a.py:1",
        ),
        // Its advice comes before the error.
        (
            "pylint",
            "4 pylint.message | - | Undefined variable 'foo' (undefined-variable) | src/a.py:6",
        ),
        (
            "go-vet",
            "1 go.vet | - | fmt.Printf format %d has arg \"x\" of wrong type string | g.go:5",
        ),
        (
            "node-throw",
            "6 node.uncaught | - | TypeError: boom timeout=5 | /src/node/boom.js:2",
        ),
        (
            "node-module",
            "5 node.uncaught | - | Error: Cannot find module '/src/node/nope.js' | ",
        ),
        ("node-reject", "5 node.uncaught | - | Error: late | "),
        (
            "node-syntax",
            "5 node.uncaught | - | SyntaxError: Unexpected token ';' | /src/node/syn.js:1",
        ),
        (
            "node-addr",
            "5 node.uncaught | - | Error: listen EADDRINUSE: address already in use :::36345 | /src/node/use.js:1",
        ),
        (
            "node-esm",
            "5 node.uncaught | - | Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'nopkg' imported from /src/node/e.mjs | ",
        ),
        ("node-handled", "nothing"),
        (
            "npm-missing",
            "1 npm.error | - | Missing script: \"biuld\" | ",
        ),
        (
            "npm-net",
            "1 npm.error | - | FetchError: request to http://127.0.0.1:9/left-pad failed, reason: connect ECONNREFUSED 127.0.0.1:9 | ",
        ),
        (
            "npm-notfound",
            "5 system.not_found | - | sh: 1: nosuchprogram: not found | ",
        ),
        (
            "sh-notfound",
            "1 system.not_found | - | sh: 1: foocmd: not found | ",
        ),
        (
            "bash-notfound",
            "1 system.not_found | - | x.sh: line 1: foocmd: command not found | ",
        ),
        (
            "bash-perm",
            "1 system.not_found | - | bash: line 1: ./np.sh: Permission denied | ",
        ),
        (
            "make-notfound",
            "2 system.not_found | - | make: foocmd: No such file or directory | ",
        ),
        (
            "curl-host",
            "3 system.network | - | curl: (6) Could not resolve host: nosuch.invalid | ",
        ),
        (
            "curl-conn",
            "1 system.network | - | curl: (7) Failed to connect to 127.0.0.1 port 9 after 0 ms: Couldn't connect to server | ",
        ),
        (
            "git-host",
            "1 system.network | - | fatal: unable to access 'https://nosuch.invalid/x/': Could not resolve host: nosuch.invalid | ",
        ),
        (
            "wget",
            "2 system.network | - | Connecting to 127.0.0.1:9... failed: Connection refused. | ",
        ),
        (
            "pip-net",
            "3 system.network | - | ERROR: Could not find a version that satisfies the requirement nosuch (from versions: none) | ",
        ),
        (
            "python-addr",
            "1 python.traceback | - | OSError: [Errno 98] Address already in use | ",
        ),
        (
            "assert-sh",
            "2 system.assertion | - | Assertion `x == 2' failed. | x.c:3",
        ),
        (
            "assert-make",
            "3 system.assertion | - | Assertion `x == 2' failed. | x.c:3",
        ),
        (
            "killed-bash",
            "1 system.signal | - | bash: line 1: 28536 Killed                  sh -c \"kill -9 \\$\\$\" | ",
        ),
        ("ctest", "5 ctest.test | beta | beta: Timeout | "),
        ("ctest-timeout", "5 ctest.test | beta | beta: Timeout | "),
        ("ctest-green", "nothing"),
        (
            "rspec",
            "5 rspec.failure | Cart sums | expect(2).to eq(3) | spec/cart_spec.rb:4",
        ),
        (
            "rspec-doc",
            "9 rspec.failure | Cart sums | expect(2).to eq(3) | spec/cart_spec.rb:4",
        ),
        ("rspec-green", "nothing"),
        (
            "phpunit",
            "9 phpunit.failure | CartTest::testThrows | RuntimeException: bad | /src/php/tests/CartTest.php:8",
        ),
        (
            "phpunit-fail",
            "9 phpunit.failure | CartTest::testSum | Failed asserting that 2 is identical to 3. | /src/php/tests/CartTest.php:6",
        ),
        ("phpunit-green", "nothing"),
    ] {
        assert_eq!(short(first(&log(name)).as_ref()), expected, "{name}");
    }
}

#[test]
fn lines_that_stand_alone() {
    for (text, expected) in [
        (
            "##[error]Process completed with exit code 137.\n",
            "1 system.signal",
        ),
        (
            "make: *** [Makefile:3: test] Error 137\n",
            "1 system.signal",
        ),
        ("The command exited with status 137\n", "1 system.signal"),
        (
            "npm ERR! code ELIFECYCLE\nnpm ERR! errno 3\nnpm ERR! s@1.0.0 t: `exit 3`\n",
            "1 npm.error",
        ),
        ("E: Unable to locate package nosuch\n", "1 system.network"),
        (
            "fatal: repository 'https://x/y/' not found\n",
            "1 system.network",
        ),
        (
            "listen tcp :8080: bind: address already in use\n",
            "1 system.address_in_use",
        ),
        ("sh: foo: not found\n", "1 system.not_found"),
        ("zsh: command not found: foo\n", "1 system.not_found"),
        (
            "a.out: x.cc:3: int f(int): Assertion `a' failed.\n",
            "1 system.assertion",
        ),
        (
            "Assertion failed: (x == 2), function main, file x.c, line 3.\n",
            "1 system.assertion",
        ),
        (
            "would reformat /app/a.py\nOh no!\n1 file would be reformatted.\n",
            "1 format.would_change",
        ),
        (
            "invalid-syntax: Expected an expression\n --> a.py:1:5\n",
            "2 ruff.rule",
        ),
        (
            "An error occurred while loading ./spec/a_spec.rb.\nFailure/Error: require 'x'\n\nLoadError:\n  cannot load such file\n# ./spec/a_spec.rb:1:in `require'\n0 examples, 0 failures, 1 error occurred outside of examples\n",
            "1 rspec.load",
        ),
    ] {
        let found = short(first(text.as_bytes()).as_ref());
        assert!(found.starts_with(expected), "{text}: {found}");
    }
}

#[test]
fn what_only_looks_like_theirs_is_none() {
    for text in [
        "curl: (6) Could not resolve host: x\nretrying\n=== 3 passed in 0.10s ===\n",
        "it says: sh: 1: foo: not found\n",
        "cat: x: No such file or directory\n",
        "we test that 'prog: x.c:3: main: Assertion `x' failed.' is told\n",
        "1) CartTest::testSum\n",
        "There was 1 failure:\n",
        "Failures:\n\n  1) a list\n",
        "Failures:\n\n  1) x\n     Failure/Error: y\n     # ./a.rb:3\n3 examples, 0 failures\n",
        "2/2 Test #2: beta .............................***Timeout   5.01 sec\n100% tests passed, 0 tests failed out of 1\n",
        "1/1 Test #1: alpha ............................***Skipped   0.00 sec\n",
        "exit code 1370\nit ended with 137 others\n",
        "/app/x.js:3\nvar a;\nnothing\n",
        "/app/x.js:3\n  throw e;\n  ^\n\nnot an error at all\n",
        "F401 is a rule of flake8\n",
        "src/a.py:1:1: note this\n",
        "x.go:3:1: expected\nok  \texample.com/x\t0.003s\n",
        "the port 8080 is the address already in use by others\n",
        "npm errors are told\n",
        "fatal: not what is meant\n",
    ] {
        assert_eq!(short(first(text.as_bytes()).as_ref()), "nothing", "{text}");
    }
}

#[test]
fn a_program_under_a_test_runner_does_not_come_before_its_verdict() {
    let mut text = log("node-throw");
    text.extend(b"=== FAILURES ===\n___ test_x ___\nE   AssertionError: y\na.py:3: AssertionError\n=== 1 failed in 0.02s ===\n");
    let scan = scan(&mut &*text, &Limits::default()).unwrap();
    let rules: Vec<&str> = scan.found.iter().map(|f| &*f.rule).collect();
    assert_eq!(rules, ["node.uncaught", "pytest.section"]);
}

#[test]
fn kinds_and_counts() {
    let kind = |name: &str| first(&log(name)).map(|f| f.failure.kind);
    assert_eq!(kind("ctest"), Some(FailureKind::Timeout));
    assert_eq!(kind("assert-sh"), Some(FailureKind::Assertion));
    assert_eq!(kind("rspec"), Some(FailureKind::Assertion));
    assert_eq!(kind("phpunit"), Some(FailureKind::Panic));
    assert_eq!(kind("node-syntax"), Some(FailureKind::Compile));
    let counts = |name: &str, runner| {
        let scan = scan(&mut &*log(name), &Limits::default()).unwrap();
        scan.counts.get(&runner).map(|c| c.total)
    };
    let of = |passed, failed| {
        Some(Tally {
            passed,
            failed,
            skipped: 0,
        })
    };
    assert_eq!(counts("ctest", Runner::Ctest), of(1, 2));
    assert_eq!(counts("rspec", Runner::Rspec), of(1, 2));
    assert_eq!(counts("phpunit", Runner::Phpunit), of(1, 2));
    assert_eq!(counts("phpunit-green", Runner::Phpunit), of(1, 0));
}

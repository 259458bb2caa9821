//! Which command comes of which declared one, runner by runner.

use gonogo_suite::replay::{Level, Sign};

use crate::cases::{Tree, line, of, row, tree};

#[test]
fn cargo_selects_by_package_and_binary() {
    let files = tree(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"crates/*\"]\nexclude = [\"crates/old\"]",
        ),
        (
            "crates/a/Cargo.toml",
            "[package]\nname = \"a\"\n[features]\nx = []\n[lib]\nname = \"a_lib\"\n",
        ),
        ("crates/a/src/lib.rs", ""),
        ("crates/a/src/main.rs", ""),
        ("crates/a/src/bin/my-tool.rs", ""),
        ("crates/a/tests/it.rs", ""),
        ("crates/a/tests/both.rs", ""),
        ("crates/a/benches/speed/main.rs", ""),
        (
            "crates/b/Cargo.toml",
            "[package]\nname = \"b\"\n[[test]]\nname = \"named\"\npath = \"checks/x.rs\"\n",
        ),
        ("crates/b/checks/x.rs", ""),
        ("crates/b/tests/both.rs", ""),
        ("crates/old/Cargo.toml", "[package]\nname = \"old\""),
        ("crates/old/tests/it.rs", ""),
    ]);
    let command = "cargo +nightly --locked test --workspace --release --features x,b/y --no-fail-fast -q some_filter -- --nocapture --skip slow --test-threads 3";
    let tail = "-- --nocapture --test-threads 3";
    for (suite, name, level, expected) in [
        (
            "a_lib (src/lib.rs)",
            "m::t",
            Level::Test,
            format!("-p a --lib {tail} --exact m::t"),
        ),
        (
            "a (src/main.rs)",
            "t",
            Level::Test,
            format!("-p a --bin a {tail} --exact t"),
        ),
        (
            "my_tool (src/bin/my-tool.rs)",
            "t",
            Level::Test,
            format!("-p a --bin my-tool {tail} --exact t"),
        ),
        (
            "it (tests/it.rs)",
            "größe::t",
            Level::Test,
            format!("-p a --test it {tail} --exact 'größe::t'"),
        ),
        (
            "speed (benches/speed/main.rs)",
            "t",
            Level::Test,
            format!("-p a --bench speed {tail} --exact t"),
        ),
        (
            "it",
            "-odd name",
            Level::Test,
            format!("-p a --test it {tail} --exact -- '-odd name'"),
        ),
        (
            "it (tests/it.rs)",
            "(process)",
            Level::Suite,
            format!("-p a --test it {tail}"),
        ),
        (
            "a_lib (doc-tests)",
            "crates/a/src/lib.rs - f (line 3)",
            Level::Suite,
            format!("-p a --doc {tail} f"),
        ),
    ] {
        let (is, shell) = line(&of(command, "libtest", &row(suite, "", name), &files));
        let start = "cargo +nightly --locked test --release --features x ";
        assert_eq!(
            (is, shell),
            (level, format!("{start}{expected}")),
            "{suite}"
        );
    }
    let named = line(&of(
        "cargo test --workspace",
        "libtest",
        &row("named (checks/x.rs)", "", "t"),
        &files,
    ));
    assert_eq!(
        named,
        (
            Level::Test,
            "cargo test -p b --test named -- --exact t".into()
        )
    );
    // Two packages have it, unless the command says which.
    let both = row("both (tests/both.rs)", "", "t");
    let up = of("cargo test --workspace", "libtest", &both, &files);
    assert_eq!(line(&up), (Level::Target, "cargo test --workspace".into()));
    assert!(
        up.target.why_this_level.contains("2 packages"),
        "{}",
        up.target.why_this_level
    );
    assert_eq!(
        line(&of("cargo test -p b", "libtest", &both, &files)).1,
        "cargo test -p b --test both -- --exact t"
    );
    assert_eq!(
        line(&of(
            "cargo test --workspace --exclude b",
            "libtest",
            &both,
            &files
        ))
        .1,
        "cargo test -p a --test both -- --exact t"
    );
    // No manifest, another crate, another wrapper.
    for (command, suite) in [
        ("cargo test", "gone (src/lib.rs)"),
        ("cargo xtask test", "a_lib (src/lib.rs)"),
        ("cargo test --no-run", "it (tests/it.rs)"),
    ] {
        let replays = of(command, "libtest", &row(suite, "", "t"), &files);
        assert_eq!(
            line(&replays),
            (Level::Target, command.to_owned()),
            "{}",
            replays.target.why_this_level
        );
    }
    assert_eq!(
        line(&of("cargo test", "libtest", &both, &Tree::new())).0,
        Level::Target
    );
}

#[test]
fn nextest_selects_by_expression() {
    let command = "cargo nextest run --workspace --profile ci -E not(slow) --partition hash:1/3 --no-fail-fast --retries 2 f -- --skip x";
    let (level, shell) = line(&of(
        command,
        "junit",
        &row("a::it", "a::it", r"m::t(1,2)\x"),
        &Tree::new(),
    ));
    assert_eq!(level, Level::Test);
    assert_eq!(
        shell,
        r"cargo nextest run --workspace --profile ci -E 'binary_id(=a::it) & test(=m::t(1\,2\)\\x)'"
    );
    let (_, shell) = line(&of(
        "cargo nextest run",
        "libtest-json",
        &row("a::it", "", "t"),
        &Tree::new(),
    ));
    assert_eq!(
        shell,
        "cargo nextest run -E 'package(=a) & binary(=it) & test(=t)'"
    );
    let replays = of(
        "cargo nextest run",
        "junit",
        &row("a::it", "", "t"),
        &Tree::new(),
    );
    assert!(
        replays
            .best()
            .proves_selection
            .nothing_ran
            .contains(&Sign::Exit(4))
    );
}

#[test]
fn other_runners_select_by_their_own_ways() {
    let python = tree(&[
        ("tests/test_a.py", ""),
        ("tests/a.b/test_c.py", ""),
        ("tox.ini", "[testenv]\ncommands = pytest {posargs}"),
        (
            "package.json",
            "{\"scripts\":{\"test\":\"jest\",\"sub\":\"jest src/x\",\"line\":\"jest && true\",\"v\":\"vitest\"}}",
        ),
        ("src/a.test.js", ""),
        ("pom.xml", "<modules><module>core</module></modules>"),
        ("core/src/test/java/p/AT.java", ""),
        ("t/x.t", ""),
        ("test/a.bats", ""),
    ]);
    for (command, format, row, level, expected) in [
        (
            "python3.11 -u -m pytest -q -x tests",
            "junit",
            row("pytest", "tests.test_a.TestA.TestB", "test_b[x::y.z]"),
            Level::Test,
            "python3.11 -u -m pytest 'tests/test_a.py::TestA::TestB::test_b[x::y.z]'",
        ),
        (
            "uv run pytest -n auto --cov=src --splits 3 --group 1",
            "junit",
            row("pytest", "tests.a.b.test_c", "t"),
            Level::Test,
            "uv run pytest tests/a.b/test_c.py::t",
        ),
        (
            "pytest --pyargs pkg",
            "junit",
            row("pytest", "tests.test_a", "t"),
            Level::Target,
            "pytest --pyargs pkg",
        ),
        (
            "tox run -e py -- -k x",
            "pytest-log",
            row("tests/test_a.py", "", "t"),
            Level::Test,
            "tox run -e py -- tests/test_a.py::t",
        ),
        (
            "pytest",
            "pytest-log",
            row("tests/gone.py", "", "t"),
            Level::Target,
            "pytest",
        ),
        (
            "python -m unittest discover",
            "junit",
            row("m.T", "pkg.m.T", "test_a"),
            Level::Test,
            "python -m unittest pkg.m.T.test_a",
        ),
        (
            "python -m unittest -v discover -s tests",
            "junit",
            row("m.T", "m.T", "test_a"),
            Level::Target,
            "python -m unittest -v discover -s tests",
        ),
        (
            "npm test -- --ci --shard=1/2",
            "jest",
            row("/work/p/src/a.test.js", "a > b", "c (1)"),
            Level::Test,
            r"npm test -- --ci '--testNamePattern=^ ?a(?: >)? b c \(1\)$' --runTestsByPath src/a.test.js",
        ),
        (
            "yarn test",
            "jest",
            row("/elsewhere/src/a.test.js", "", "c"),
            Level::Test,
            "yarn test '--testNamePattern=^ ?c$' --runTestsByPath src/a.test.js",
        ),
        (
            "npm run sub",
            "jest",
            row("src/a.test.js", "", "c"),
            Level::Target,
            "npm run sub",
        ),
        (
            "npm run line",
            "jest",
            row("src/a.test.js", "", "c"),
            Level::Target,
            "npm run line",
        ),
        (
            "npm run v -- --reporter=json",
            "jest",
            row("src/a.test.js", "", "c"),
            Level::Test,
            "npm run v -- --run --reporter=json '--testNamePattern=^ ?c$' src/a.test.js",
        ),
        (
            "npx vitest run",
            "jest",
            row("src/a.test.js", "", "␠␠a␉b c␠"),
            Level::Test,
            r"npx vitest run '--testNamePattern=^ ?[\s␠][\s␠]a[\t␉]b c[\s␠]$' src/a.test.js",
        ),
        (
            "npx jest -t x",
            "junit",
            row("d", "d it", "d it"),
            Level::Test,
            "npx jest '--testNamePattern=^ ?d it$'",
        ),
        (
            "pnpm exec vitest watch",
            "junit",
            row("src/a.test.js", "src/a.test.js", "d > it"),
            Level::Test,
            "pnpm exec vitest run '--testNamePattern=^ ?d(?: >)? it$' src/a.test.js",
        ),
        (
            "go test -json -race -tags=x -run Foo -count=3 -coverprofile c.out ./... -args -v",
            "go",
            row("example.com/m/a", "", "TestX/a_b/c|d"),
            Level::Test,
            r"go test -json -race -tags=x -count=1 '-run=^TestX$/^a_b$/^c\|d$' example.com/m/a -args -v",
        ),
        (
            "gotestsum --junitfile out.xml --rerun-fails --packages=./... -- -race",
            "junit",
            row("example.com/m/a", "example.com/m/a", "TestX"),
            Level::Test,
            "gotestsum --junitfile out.xml -- -race -count=1 '-run=^TestX$' example.com/m/a",
        ),
        (
            "go test -json ./...",
            "go",
            row("example.com/m", "", "(build)"),
            Level::Suite,
            "go test -json -count=1 example.com/m",
        ),
        (
            "go test -json ./...",
            "go",
            row("example.com/m", "", "BenchmarkX"),
            Level::Test,
            "go test -json -count=1 '-run=^$' '-bench=^BenchmarkX$' example.com/m",
        ),
        (
            "mvn -q verify",
            "junit",
            row("p.AT", "p.AT", "adds()"),
            Level::Test,
            "mvn verify -pl core -am -Dsurefire.failIfNoSpecifiedTests=false '-Dtest=p.AT#adds'",
        ),
        (
            "./mvnw test",
            "junit",
            row("p.AT", "p.AT", "adds(int)[1]"),
            Level::Suite,
            "./mvnw test -pl core -am -Dsurefire.failIfNoSpecifiedTests=false '-Dtest=p.AT#adds'",
        ),
        (
            "./gradlew clean test --continue",
            "junit",
            row("p.AT", "p.AT", "adds()"),
            Level::Test,
            "./gradlew test --tests p.AT.adds --rerun-tasks",
        ),
        (
            "dotnet test -c Release --logger trx",
            "trx",
            row("", "N.C", "Adds"),
            Level::Test,
            "dotnet test -c Release --logger trx --filter FullyQualifiedName=N.C.Adds",
        ),
        (
            "dotnet test",
            "trx",
            row("", "N.C", "Adds(a: 1)"),
            Level::Suite,
            "dotnet test --filter FullyQualifiedName=N.C.Adds",
        ),
        (
            "bats --tap test/a.bats",
            "tap",
            row("", "", "adds [1]"),
            Level::Test,
            r"bats --tap --filter '^adds \[1\]$' test/a.bats",
        ),
        (
            "prove -v t",
            "tap",
            row("t/x.t", "", "adds"),
            Level::Suite,
            "prove -v t/x.t",
        ),
        (
            "make test",
            "junit",
            row("s", "c", "t"),
            Level::Target,
            "make test",
        ),
        (
            "bash -c pytest",
            "junit",
            row("s", "c", "t"),
            Level::Target,
            "bash -c pytest",
        ),
    ] {
        let replays = of(command, format, &row, &python);
        let found = line(&replays);
        assert_eq!(
            found,
            (level, expected.to_owned()),
            "{command}: {}",
            replays.best().why_this_level
        );
        // Whatever it is, the target is there as well, and as it was declared.
        assert_eq!(replays.target.argv.join(" "), command);
    }
}

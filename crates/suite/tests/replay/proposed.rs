//! Which commands are proposed: with reports where a runner can give some, once each, and none that waits.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use gonogo_suite::propose::propose;

use crate::cases::tree;

/// The commands that are proposed for these files, each with its directory, format and variables.
fn proposed(files: &[(&str, &str)]) -> Vec<String> {
    let mut told = Vec::new();
    for target in propose(&tree(files)).targets {
        let env: Vec<String> = target
            .env
            .iter()
            .map(|(n, v)| format!("{n}={v} "))
            .collect();
        told.push(format!(
            "{} {} {}{}",
            target.dir,
            target.format,
            env.join(""),
            target.command.join(" ")
        ));
    }
    told
}

#[test]
fn runners_of_javascript_are_proposed_with_their_reports_and_never_wait() {
    let mocha = "--reporter xunit --reporter-option output=.gonogo/reports/mocha.xml";
    let vitest = "--reporter=default --reporter=json --outputFile.json=.gonogo/reports/vitest.json";
    for (script, expected) in [
        (
            "mocha --exit -R dot",
            format!(". junit CI=1 npx --no-install mocha --exit {mocha}"),
        ),
        (
            "NODE_ENV=test mocha",
            format!(". junit CI=1 NODE_ENV=test npx --no-install mocha {mocha}"),
        ),
        (
            "node --test test/",
            ". tap CI=1 node --test --test-reporter=tap test/".to_owned(),
        ),
        (
            "vitest --watch --config v.ts",
            format!(". jest CI=1 npx --no-install vitest run --config v.ts {vitest}"),
        ),
        (
            "jest --watch --coverage",
            ". jest CI=1 npx --no-install jest --coverage --ci --json".to_owned(),
        ),
        ("tsc && mocha", ". command CI=1 npm test".to_owned()),
        ("./run-tests.sh", ". command CI=1 npm test".to_owned()),
    ] {
        let package = format!("{{\"scripts\":{{\"test\":\"{script}\"}}}}");
        assert_eq!(
            proposed(&[("package.json", &package)]),
            [expected],
            "{script}"
        );
    }
}

#[test]
fn tests_of_workspaces_are_proposed_once() {
    let script = |line: &str| format!("{{\"scripts\":{{\"test\":\"{line}\"}}}}");
    let of = |root: &str, member: &str| {
        proposed(&[
            ("package.json", &script(root)),
            ("packages/a/package.json", &script(member)),
        ])
    };
    let dirs = |told: Vec<String>| -> Vec<String> {
        told.iter()
            .map(|t| t.split(' ').next().unwrap().to_owned())
            .collect()
    };
    for root in [
        "npm test --workspaces",
        "npm run test -ws --if-present",
        "pnpm -r test",
        "turbo run test",
    ] {
        assert_eq!(dirs(of(root, "vitest")), ["packages/a"], "{root}");
    }
    // What looks at everything below looks at the members too; what looks at a part may not.
    assert_eq!(dirs(of("vitest run", "vitest")), ["."]);
    assert_eq!(
        dirs(of("jest --config unit.js", "jest")),
        [".", "packages/a"]
    );
    assert_eq!(dirs(of("vitest run", "mocha")), [".", "packages/a"]);
    // Without a member that has such a script there is nothing below to propose.
    let alone = proposed(&[("package.json", &script("npm test --workspaces"))]);
    assert_eq!(alone, [". command CI=1 npm test"]);
}

#[test]
fn unittest_begins_where_its_tests_are() {
    let test = "import unittest";
    for (files, expected) in [
        (
            &[("setup.py", ""), ("tests/test_a.py", test)][..],
            "unittest discover -s tests",
        ),
        (
            &[
                ("setup.py", ""),
                ("tests/__init__.py", ""),
                ("tests/test_a.py", test),
            ],
            "unittest discover",
        ),
        (
            &[("setup.py", ""), ("test/a_test.py", test)],
            "unittest discover -s test -p *_test.py",
        ),
        (
            &[("setup.py", ""), ("test_a.py", test)],
            "unittest discover",
        ),
    ] {
        assert_eq!(
            proposed(files),
            [format!(". command python3 -m {expected}")]
        );
    }
    let files = [
        ("setup.py", ""),
        ("requirements.txt", "unittest-xml-reporting"),
        ("tests/test_a.py", test),
    ];
    assert_eq!(
        proposed(&files),
        [". junit python3 -m xmlrunner discover -s tests -o .gonogo/reports/unittest"]
    );
}

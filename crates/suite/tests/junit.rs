//! JUnit reports that real tools wrote, and what goes wrong with them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Write as _;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use gonogo_suite::read::{Format, Limits, Parse, Reading, read};
use gonogo_suite::{Attempt, IssueKind, Outcome};
use proptest::prelude::*;

const DIRECTORIES: [&str; 25] = [
    "pytest-junit",
    "surefire",
    "vitest-junit",
    "jest-junit",
    "gotestsum",
    "junit-go-junit-report",
    "junit-ctest",
    "junit-unittest",
    "junit-robot",
    "junit-mocha",
    "nextest",
    "junit-node",
    "junit-playwright",
    "junit-boost",
    "junit-catch2",
    "junit-doctest",
    "junit-gtest",
    "junit-nose2",
    "junit-behave",
    "junit-cmocka",
    "junit-phpunit",
    "surefire-junit4",
    "junit-ginkgo",
    "junit-newman",
    "junit-avocado",
];

fn reports() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports");
    let mut all = Vec::new();
    for directory in DIRECTORIES {
        for entry in std::fs::read_dir(root.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "xml") && !path.ends_with("pom.xml") {
                let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
                all.push((format!("{directory}-{stem}"), path));
            }
        }
    }
    all.sort();
    assert!(all.len() >= 18, "{}", all.len());
    all
}

fn parsed_with(bytes: &[u8], chunk: usize, limits: &Limits) -> (Reading, Vec<Attempt>) {
    let mut attempts = Vec::new();
    let mut source = BufReader::with_capacity(chunk, bytes);
    let reading = read(Format::Junit, &mut source, limits, &mut attempts);
    (reading, attempts)
}

fn parsed(bytes: &[u8]) -> (Reading, Vec<Attempt>) {
    parsed_with(bytes, 8192, &Limits::default())
}

fn shown(reading: &Reading, attempts: &[Attempt]) -> String {
    let seen = reading.seen;
    let mut out = format!(
        "{:?}: {} attempts, {} passed, {} failed, {} errors, {} skipped; declared {:?}\n",
        reading.parse,
        seen.attempts,
        seen.passed,
        seen.failed,
        seen.errors,
        seen.skipped,
        reading.declared
    );
    for issue in &reading.issues {
        writeln!(out, "issue {:?}: {}", issue.kind, issue.text).unwrap();
    }
    for a in attempts {
        write!(out, "{:?} #{} {}", a.outcome, a.number, a.test).unwrap();
        if !a.raw.is_empty() {
            write!(out, " raw={}", a.raw).unwrap();
        }
        if let Some(file) = &a.file {
            write!(out, " file={file}").unwrap();
        }
        if let Some(skipped) = &a.skipped {
            write!(out, " skipped={skipped:?}").unwrap();
        }
        if !a.output.is_empty() {
            write!(out, " output={}B", a.output.len()).unwrap();
        }
        out.push('\n');
        for f in &a.failures {
            writeln!(
                out,
                "    {:?} {} {:?} trace={}B",
                f.kind,
                f.class,
                f.message.lines().next().unwrap_or(""),
                f.trace.len()
            )
            .unwrap();
        }
    }
    out
}

#[test]
fn reports_of_real_tools() {
    for (name, path) in reports() {
        let bytes = std::fs::read(&path).unwrap();
        let (reading, attempts) = parsed(&bytes);
        assert_eq!(reading.bytes, bytes.len() as u64, "{name}");
        for attempt in &attempts {
            let (from, to) = (attempt.place.from as usize, attempt.place.to as usize);
            assert!(
                bytes[from..to].starts_with(b"<"),
                "{name}: {}",
                attempt.test
            );
            assert!(bytes[from..to].ends_with(b">"), "{name}: {}", attempt.test);
        }
        insta::assert_snapshot!(name, shown(&reading, &attempts));
    }
}

/// What stands before a cut: never more passes than the whole has of the same name, and always an issue.
#[test]
fn reports_that_end_too_early() {
    for (name, path) in reports() {
        let bytes = std::fs::read(&path).unwrap();
        let (whole, all) = parsed(&bytes);
        let end = bytes.trim_ascii_end().len();
        let step = if bytes.len() > 3000 { 3 } else { 1 };
        for cut in (0..end).step_by(step) {
            let (reading, some) = parsed(&bytes[..cut]);
            assert!(!reading.is_whole(), "{name} at {cut}");
            assert_ne!(reading.parse, Parse::Whole, "{name} at {cut}");
            assert!(reading.seen.passed <= whole.seen.passed, "{name} at {cut}");
            for attempt in some.iter().filter(|a| a.outcome.is_green()) {
                let is_there = all
                    .iter()
                    .any(|a| a.test == attempt.test && a.outcome == attempt.outcome);
                assert!(is_there, "{name} at {cut}: {}", attempt.test);
            }
        }
    }
}

/// The same report in other encodings, chunks and windows says the same.
#[test]
fn encodings_and_chunks_do_not_matter() {
    for (name, path) in reports() {
        let text = std::fs::read_to_string(&path).unwrap();
        let (_, expected) = parsed(text.as_bytes());
        let outcomes = |attempts: &[Attempt]| -> Vec<_> {
            attempts
                .iter()
                .map(|a| {
                    (
                        a.test.clone(),
                        a.outcome,
                        a.failures.clone(),
                        a.output.clone(),
                    )
                })
                .collect()
        };
        for chunk in [1, 3, 100] {
            let limits = Limits {
                token: 1,
                ..Limits::default()
            };
            let (_, attempts) = parsed_with(text.as_bytes(), chunk, &limits);
            assert_eq!(attempts, expected, "{name} in chunks of {chunk}");
            let (_, attempts) = parsed_with(text.as_bytes(), chunk, &Limits::default());
            assert_eq!(attempts, expected, "{name} in chunks of {chunk}");
        }
        let marked = format!("\u{feff}{text}");
        let (_, attempts) = parsed(marked.as_bytes());
        assert_eq!(
            outcomes(&attempts),
            outcomes(&expected),
            "{name} with a mark"
        );
        for big in [false, true] {
            let wide: Vec<u8> = marked
                .encode_utf16()
                .flat_map(|u| {
                    if big {
                        u.to_be_bytes()
                    } else {
                        u.to_le_bytes()
                    }
                })
                .collect();
            let (reading, attempts) = parsed_with(&wide, 7, &Limits::default());
            assert_eq!(outcomes(&attempts), outcomes(&expected), "{name} in UTF-16");
            assert_eq!(reading.bytes, wide.len() as u64);
            for a in &attempts {
                let (from, to) = (a.place.from as usize, a.place.to as usize);
                let end = if big { b"\0>" } else { b">\0" };
                assert!(wide[from..to].ends_with(end), "{name}: {:?}", a.place);
            }
        }
    }
}

/// One report in a line: what its tests came to, and the issues that must be told (all of those that count).
fn traps() -> Vec<(&'static str, &'static str, &'static str)> {
    vec![
        ("<testcase name='a'/>", "pass a", ""),
        (
            "<testsuite tests='1'><testcase name='a'/></testsuite>",
            "pass a",
            "",
        ),
        (
            "<x><y><testsuite><testcase name='a'/></testsuite></y></x>",
            "pass a",
            "",
        ),
        (
            "<j:testsuites xmlns:j='u'><j:testsuite><j:testcase name='a'><j:failure/></j:testcase></j:testsuite></j:testsuites>",
            "fail a",
            "",
        ),
        (
            "<TestSuite><TestCase Name='a'><Failure/></TestCase></TestSuite>",
            "fail a",
            "",
        ),
        // The worst child, wherever it stands.
        (
            "<testsuite><testcase name='a'><failure/><skipped/></testcase></testsuite>",
            "fail a",
            "",
        ),
        (
            "<testsuite><testcase name='a'><skipped/><failure/></testcase></testsuite>",
            "fail a",
            "",
        ),
        (
            "<testsuite><testcase name='a'><skipped><failure/></skipped></testcase></testsuite>",
            "fail a",
            "",
        ),
        (
            "<testsuite><testcase name='a'><error/><failure/></testcase></testsuite>",
            "fail a",
            "",
        ),
        (
            "<testsuite><testcase name='a'><properties><failure/></properties></testcase></testsuite>",
            "fail a",
            "",
        ),
        // Attributes.
        (
            "<testsuite><testcase name='a' status='failed'/></testsuite>",
            "fail a",
            "",
        ),
        (
            "<testsuite><testcase name='a' status='passed'><failure/></testcase></testsuite>",
            "fail a",
            "",
        ),
        (
            "<testsuite><testcase name='a' status='passed' status='failed'/></testsuite>",
            "fail a",
            "",
        ),
        (
            "<testsuite><testcase name='a' status='failed' status='passed'/></testsuite>",
            "fail a",
            "",
        ),
        (
            "<testsuite><testcase name='a' status='run' result='completed'/></testsuite>",
            "pass a",
            "",
        ),
        (
            "<testsuite><testcase name='a' status='notrun' result='suppressed'/></testsuite>",
            "skip a",
            "",
        ),
        (
            "<testsuite><testcase name='a' result='error'/></testsuite>",
            "error a",
            "",
        ),
        (
            "<testsuite><testcase name='a' status='wobbly'/></testsuite>",
            "unknown a",
            "UnknownOutcome",
        ),
        (
            "<testsuite><testcase name='a' success='false'/></testsuite>",
            "fail a",
            "",
        ),
        (
            "<testsuite><testcase name='a' executed='false'/></testsuite>",
            "skip a",
            "",
        ),
        (
            "<testsuite><testcase name='a'><fatal/></testcase></testsuite>",
            "unknown a",
            "UnknownOutcome",
        ),
        (
            "<testsuite><testcase name='a'><fatal/><failure/></testcase></testsuite>",
            "fail a",
            "UnknownOutcome",
        ),
        (
            "<testsuite><testcase name='a'><v:extra xmlns:v='u'/></testcase></testsuite>",
            "pass a",
            "",
        ),
        // The suite itself.
        (
            "<testsuite name='s'><error message='no database'/><testcase name='a'/></testsuite>",
            "error s; pass a",
            "",
        ),
        (
            "<testsuite name='s'><testcase name='a'/><failure/></testsuite>",
            "pass a; fail s",
            "",
        ),
        (
            "<testsuite name='s' result='failed'><testcase name='a'/></testsuite>",
            "pass a; fail s",
            "",
        ),
        (
            "<testsuites><testsuite name='s' errors='1' tests='0'><error/></testsuite></testsuites>",
            "error s",
            "",
        ),
        // Nested, and alone.
        (
            "<testsuite name='o' tests='2'><testsuite name='i' tests='2'><testcase name='a'/><testcase name='b'/></testsuite></testsuite>",
            "pass a; pass b",
            "",
        ),
        (
            "<testcase name='a'><testcase name='b'><failure/></testcase></testcase>",
            "fail b; pass a",
            "",
        ),
        // Counts.
        (
            "<testsuites tests='5' failures='2'/>",
            "",
            "CountMismatch NoTests",
        ),
        (
            "<testsuite tests='2'><testcase name='a'/></testsuite>",
            "pass a",
            "CountMismatch",
        ),
        (
            "<testsuite tests='1' failures='1'><testcase name='a'/></testsuite>",
            "pass a",
            "CountMismatch",
        ),
        (
            "<testsuite tests='1' errors='1' failures='0'><testcase name='a'/></testsuite>",
            "pass a",
            "CountMismatch",
        ),
        (
            "<testsuite tests='1' skipped='1'><testcase name='a'/></testsuite>",
            "pass a",
            "CountMismatch",
        ),
        (
            "<testsuite tests='1' failures='0' errors='0'><testcase name='a'><failure/></testcase></testsuite>",
            "fail a",
            "CountMismatch",
        ),
        (
            "<testsuites tests='0'><testsuite><testcase name='a'/></testsuite></testsuites>",
            "pass a",
            "CountMismatch",
        ),
        (
            "<testsuites tests='3'><testsuite tests='1'><testcase name='a'/></testsuite></testsuites>",
            "pass a",
            "CountMismatch",
        ),
        (
            "<testsuite tests='many'><testcase name='a'/></testsuite>",
            "pass a",
            "CountMismatch",
        ),
        ("<testsuites/>", "", "NoTests"),
        (
            "<testsuite name='s'><properties/></testsuite>",
            "",
            "NoTests",
        ),
        // Names.
        (
            "<testsuite><testcase name='a'/><testcase name='a'/></testsuite>",
            "pass a; pass a",
            "Collision",
        ),
        (
            "<testsuite><testcase name='a'/><testcase name='a'><failure/></testcase></testsuite>",
            "pass a; fail a",
            "Collision",
        ),
        (
            "<testsuite><testcase name='a' timestamp='2024-01-01T00:00:00Z' time='1'><failure/></testcase><testcase name='a' timestamp='2024-01-01T00:00:02Z' time='1'/></testsuite>",
            "fail a; pass a #2",
            "",
        ),
        (
            "<testsuite><testcase name='a' timestamp='2024-01-01T00:00:00Z' time='3'/><testcase name='a' timestamp='2024-01-01T00:00:02Z' time='1'/></testsuite>",
            "pass a; pass a",
            "Collision",
        ),
        (
            "<r><testsuite name='s'><testcase name='a'/></testsuite><testsuite name='t'><testcase name='a'/></testsuite></r>",
            "pass a; pass a",
            "",
        ),
        (
            "<testsuite><testcase/></testsuite>",
            "unknown (unnamed)",
            "Incomplete",
        ),
        // Attempts.
        (
            "<testsuite><testcase name='a'><flakyFailure/><flakyError/></testcase></testsuite>",
            "fail a; error a #2; pass a #3",
            "",
        ),
        (
            "<testsuite><testcase name='a'><failure/><rerunFailure/><rerunError/></testcase></testsuite>",
            "fail a; fail a #2; error a #3",
            "",
        ),
        (
            "<testsuite><testcase name='a'><rerunFailure/></testcase></testsuite>",
            "fail a; fail a #2",
            "",
        ),
        // Texts that look like more.
        (
            "<testsuite><testcase name='a'><system-out><![CDATA[<failure/></testcase>]]></system-out></testcase></testsuite>",
            "pass a",
            "",
        ),
        (
            "<testsuite><!-- <testcase name='b'/> --><testcase name='a'/></testsuite>",
            "pass a",
            "",
        ),
        (
            "<testsuite><testcase name='a&#10;&lt;b&gt;&quot;'/></testsuite>",
            "pass a␊<b>\"",
            "",
        ),
        (
            "<testsuite><testcase name='a'><failure>x < y && z</failure></testcase><testcase name='b'/></testsuite>",
            "fail a; pass b",
            "Unparsable",
        ),
        // Document types.
        (
            "<!DOCTYPE testsuite><testsuite><testcase name='a'/></testsuite>",
            "pass a",
            "",
        ),
        (
            "<!DOCTYPE t [<!ENTITY a 'x'><!ENTITY b '&a;&a;'>]><testsuite><testcase name='&b;'/></testsuite>",
            "pass &b;",
            "Unparsable",
        ),
        // Broken.
        (
            "<testsuite><testcase name='a'></testsuite>",
            "unknown a",
            "Unparsable",
        ),
        (
            "<testsuite><testcase name='a'/></testsuit></testsuite>",
            "pass a",
            "Unparsable",
        ),
        ("<testsuite><testcase name='a'/>", "pass a", "Truncated"),
        ("<testsuite><testcase name='a'>", "unknown a", "Truncated"),
        (
            "<testsuite><testcase name='a'><failure>",
            "fail a",
            "Truncated",
        ),
        (
            "<testsuite><testcase name=a/><testcase name='b'/></testsuite>",
            "unknown (unnamed); pass b",
            "Unparsable Incomplete",
        ),
        (
            "<testsuite><testcase name='a'/></testsuite><?xml version='1.0'?><testsuite><testcase name='b'/></testsuite>",
            "pass a; pass b",
            "",
        ),
        (
            "<testsuite><testcase name='a'/><?xml version='1.0'?><testsuite><testcase name='b'/></testsuite>",
            "pass a; pass b",
            "Truncated",
        ),
        (
            "building...\n<testsuite><testcase name='a'/></testsuite>\n",
            "pass a",
            "",
        ),
        (
            "<testsuite><testcase name='a'/></testsuite>\ndone",
            "pass a",
            "Unparsable",
        ),
        // Nothing of the kind.
        ("", "", "Unparsable"),
        (" \n", "", "Unparsable"),
        ("{\"tests\": []}", "", "Unparsable"),
        (
            "<!doctype html><html><body><testcase name='a'/></body></html>",
            "",
            "Unparsable",
        ),
        ("<html><testcase name='a'/></html>", "", "Unparsable"),
        ("<Error><Code>AccessDenied</Code></Error>", "", "Unparsable"),
        ("<TestRun><Results/></TestRun>", "", "Unparsable"),
        ("ok 1 - a\nnot ok 2 - b\n", "", "Unparsable"),
    ]
}

fn short(attempts: &[Attempt]) -> String {
    let one = |a: &Attempt| {
        let number = if a.number > 1 {
            format!(" #{}", a.number)
        } else {
            String::new()
        };
        format!("{} {}{number}", a.outcome.word(), a.test.name)
    };
    attempts.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn kinds(reading: &Reading) -> String {
    let mut kinds: Vec<String> = reading
        .issues
        .iter()
        .filter(|i| i.kind != IssueKind::OddValue)
        .map(|i| format!("{:?}", i.kind))
        .collect();
    kinds.dedup();
    kinds.join(" ")
}

#[test]
fn traps_of_the_dialects() {
    let mut wrong = Vec::new();
    for (text, tests, issues) in traps() {
        let (reading, attempts) = parsed(text.as_bytes());
        let found = (short(&attempts), kinds(&reading));
        if found != (tests.to_owned(), issues.to_owned()) {
            wrong.push(format!("{text}\n  {found:?}\n  {:?}", reading.issues));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn encodings_that_are_declared() {
    let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><testsuite><testcase name='gr\xfc\xdfe'/></testsuite>";
    let (reading, attempts) = parsed(latin);
    assert_eq!(
        (short(&attempts).as_str(), reading.is_whole()),
        ("pass grüße", true)
    );
    assert_eq!(
        attempts[0].place.to as usize,
        latin.len() - "</testsuite>".len()
    );
    let windows = b"<?xml version='1.0' encoding='windows-1252'?><testcase name='\x80'/>";
    assert_eq!(short(&parsed(windows).1), "pass €");
    // Said by programs that write UTF-8 all the same.
    let wide = "<?xml version='1.0' encoding='utf-16'?><testcase name='ü'/>";
    assert_eq!(short(&parsed(wide.as_bytes()).1), "pass ü");
    let other = b"<?xml version='1.0' encoding='Shift_JIS'?><testcase name='a'/>";
    let (reading, attempts) = parsed(other);
    assert_eq!(
        (short(&attempts).as_str(), kinds(&reading).as_str()),
        ("pass a", "Unparsable")
    );
    let broken =
        b"<testsuite><testcase name='a\xff\xfe\x00'><failure>\xc3</failure></testcase></testsuite>";
    let (reading, attempts) = parsed(broken);
    assert_eq!(short(&attempts), "fail a??");
    assert!(reading.issues.iter().any(|i| i.kind == IssueKind::OddValue));
}

#[test]
fn limits_hold_and_are_told() {
    let deep = format!(
        "{}<testcase name='a'/>{}",
        "<testsuite>".repeat(100_000),
        "</testsuite>".repeat(100_000)
    );
    let (reading, attempts) = parsed(deep.as_bytes());
    assert!(attempts.is_empty());
    assert!(kinds(&reading).contains("Limit"), "{:?}", reading.issues);

    let many: String = (0..1000).map(|n| format!(" a{n}='x'")).collect();
    let (reading, attempts) =
        parsed(format!("<testcase name='a'{many} status='failed'/>").as_bytes());
    assert_eq!(short(&attempts), "pass a");
    assert_eq!(kinds(&reading), "Limit");

    // A message longer than any tag may be: the failure stays one.
    let long = "x".repeat(3 << 20);
    let text = format!(
        "<testsuite><testcase name='a'><failure message='{long}' type='T'>t</failure></testcase><testcase name='b'/></testsuite>"
    );
    let (reading, attempts) = parsed(text.as_bytes());
    assert_eq!(
        (short(&attempts).as_str(), kinds(&reading).as_str()),
        ("fail a; pass b", "Limit")
    );
    let failure = &attempts[0].failures[0];
    assert!(failure.truncated && failure.message.len() == 1024 && failure.trace == "t");
    // A test of which the tag is cut may have said that it failed.
    let text = format!(
        "<testsuite><testcase name='a' x='{long}' status='failed'/><testcase name='b'/></testsuite>"
    );
    let (reading, attempts) = parsed(text.as_bytes());
    assert_eq!(
        (short(&attempts).as_str(), kinds(&reading).as_str()),
        ("unknown a; pass b", "Limit")
    );

    // Long texts are no issue: their beginning, or their end, is kept.
    for (open, close) in [("", ""), ("<![CDATA[", "]]>")] {
        let text = format!(
            "<testcase name='a'><system-out>{open}{long}end{close}</system-out><failure>begin{open}{long}{close}</failure></testcase>"
        );
        let (reading, attempts) = parsed(text.as_bytes());
        assert!(reading.is_whole(), "{:?}", reading.issues);
        let a = &attempts[0];
        assert!(a.output.ends_with("xend") && a.output.len() == 4096);
        let f = &a.failures[0];
        assert!(f.trace.starts_with("beginx") && f.trace.len() == 4096 && f.truncated);
        // Cut in the middle of it.
        let (reading, attempts) = parsed(&text.as_bytes()[..2 << 20]);
        assert_eq!(
            (short(&attempts).as_str(), kinds(&reading).as_str()),
            ("unknown a", "Truncated")
        );
    }
    let comment = format!("<testsuite><!-- {long} --><testcase name='a'/><?p {long}?></testsuite>");
    assert!(parsed(comment.as_bytes()).0.is_whole());

    let failures = "<failure message='m'/>".repeat(1000);
    let (_, attempts) = parsed(format!("<testcase name='a'>{failures}</testcase>").as_bytes());
    assert_eq!(attempts[0].failures.len(), 16);
    let reruns = "<rerunFailure/>".repeat(1000);
    let (_, attempts) =
        parsed(format!("<testcase name='a'><failure/>{reruns}</testcase>").as_bytes());
    assert_eq!(attempts.len(), 1001);

    let few = Limits {
        attempts: 2,
        ..Limits::default()
    };
    let text =
        "<testsuite><testcase name='a'/><testcase name='b'/><testcase name='c'/></testsuite>";
    let (reading, attempts) = parsed_with(text.as_bytes(), 99, &few);
    assert_eq!(short(&attempts), "pass a; pass b");
    assert!(kinds(&reading).contains("Limit"));
}

#[test]
fn a_thousand_odd_times_hide_nothing() {
    let cases: String = (0..1000)
        .map(|n| format!("<testcase name='t{n}' time='TIME' timestamp='TIMESTAMP'/>"))
        .collect();
    let of = |tests: u32| {
        let head = format!("<testsuite tests='{tests}' timestamp='2026-01-01T00:00:00Z'>");
        parsed(format!("{head}{cases}</testsuite>").as_bytes()).0
    };
    let reading = of(1000);
    assert!(reading.is_whole(), "{:?}", reading.issues);
    assert_eq!(reading.seen.passed, 1000);
    assert!(!of(1001).is_whole());
}

#[test]
fn strange_markup_takes_no_time() {
    for part in [
        "<",
        "< ",
        "<!",
        "<?",
        "<a ",
        "</",
        "&",
        "&a",
        "<!x>",
        "<a b='",
        "<![CDATA[",
        "<!--",
        "]]>",
        "<testcase>",
        "</testcase>",
        "<failure>",
    ] {
        let text = format!("<testsuite>{}", part.repeat((4 << 20) / part.len()));
        let (reading, _) = parsed(text.as_bytes());
        assert!(!reading.is_whole(), "{part}");
        assert_eq!(reading.seen.passed, 0, "{part}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Changed at random: no panic, nothing hangs on the size of chunks or windows, and nothing is green that an untouched
    /// failure was said of.
    #[test]
    fn damaged_reports(which in 0usize..18, seed in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..8), chunk in 1usize..300) {
        let (_, path) = &reports()[which];
        let mut bytes = std::fs::read(path).unwrap();
        for (at, b, what) in &seed {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = *b,
                1 => { bytes.remove(at); }
                2 => bytes.insert(at, b"<>&'\"/!?- ]["[usize::from(*b) % 12]),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let (one, first) = parsed_with(&bytes, chunk, &Limits::default());
        let (two, second) = parsed(&bytes);
        prop_assert_eq!(&first, &second);
        prop_assert_eq!(one, two);
        let count = second.iter().filter(|a| a.outcome == Outcome::Unknown).count();
        prop_assert!(count <= second.len());
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let (reading, attempts) = parsed(&bytes);
        prop_assert!(!reading.is_whole());
        prop_assert!(attempts.is_empty());
    }

    #[test]
    fn any_markup(parts in prop::collection::vec(prop::sample::select(vec![
        "<testsuite>", "</testsuite>", "<testcase name='a'>", "</testcase>", "<failure>", "</failure>", "<skipped/>", "<error>",
        "</error>", "<system-out>", "</system-out>", "<![CDATA[", "]]>", "<!--", "-->", "<rerunFailure>", "</rerunFailure>",
        "<flakyError/>", "text", "&amp;", "&", "<", "<?xml?>", "<!DOCTYPE a>", "<x>", "</x>", "\u{feff}", "'", "\"",
    ]), 0..40), chunk in 1usize..20) {
        let text: String = parts.concat();
        let (one, first) = parsed_with(text.as_bytes(), chunk, &Limits::default());
        let (two, second) = parsed(text.as_bytes());
        prop_assert_eq!(first, second);
        prop_assert_eq!(one, two);
    }
}

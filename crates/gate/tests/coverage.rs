//! Coverage reports that real tools wrote, and such as nobody should believe.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use gonogo_core::Reason;
use gonogo_gate::coverage::{
    Error, Format, Globs, Measured, Modules, Paths, WHOLE, code_lines, detect, measure, read,
};
use gonogo_gate::inputs::{Covered, Part};

fn fixture(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/tests/fixtures/coverage/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(path).unwrap()
}

fn part(part: Option<Part>) -> Option<(u64, u64)> {
    part.map(|p| (p.covered, p.total))
}

fn parts(covered: Covered) -> [Option<(u64, u64)>; 3] {
    [
        part(covered.lines),
        part(covered.functions),
        part(covered.branches),
    ]
}

fn globs(include: &[&str], exclude: &[&str]) -> Globs {
    let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
    Globs {
        include: owned(include),
        exclude: owned(exclude),
    }
}

fn sum(bytes: &[u8], module: Globs, listing: &[(&str, u64)]) -> Measured {
    let report = read(bytes, None).unwrap();
    let modules = Modules::new(&BTreeMap::from([("m".to_owned(), module)])).unwrap();
    let listing = listing.iter().map(|(p, n)| ((*p).to_owned(), *n)).collect();
    let paths = Paths {
        strip: vec!["/srv/shop".into(), "example.com/shop".into()],
        bases: Vec::new(),
    };
    measure(&report, &modules, &listing, &paths)
}

#[test]
fn what_real_tools_wrote_is_what_they_say() {
    for (file, format, whole) in [
        (
            "coveragepy.lcov",
            Format::Lcov,
            [Some((15, 20)), Some((4, 5)), Some((4, 8))],
        ),
        (
            "coveragepy.xml",
            Format::Cobertura,
            [Some((15, 20)), None, Some((4, 8))],
        ),
        (
            "coveragepy.json",
            Format::CoveragePy,
            [Some((15, 20)), Some((4, 5)), Some((4, 8))],
        ),
        ("go.cover", Format::Go, [Some((5, 9)), None, None]),
        (
            "gcovr.lcov",
            Format::Lcov,
            [Some((9, 12)), Some((2, 3)), Some((3, 6))],
        ),
        (
            "gcovr.xml",
            Format::Cobertura,
            [Some((9, 12)), Some((2, 3)), Some((3, 6))],
        ),
        (
            "c8.lcov",
            Format::Lcov,
            [Some((9, 11)), Some((1, 2)), Some((3, 4))],
        ),
        (
            "c8.xml",
            Format::Cobertura,
            [Some((9, 11)), Some((1, 2)), Some((3, 4))],
        ),
        (
            "llvm-cov.json",
            Format::LlvmCov,
            [Some((12, 17)), Some((2, 3)), Some((4, 8))],
        ),
        (
            "llvm-cov.lcov",
            Format::Lcov,
            [Some((12, 17)), Some((2, 3)), Some((4, 8))],
        ),
    ] {
        let bytes = fixture(file);
        assert_eq!(detect(&bytes), Some(format), "{file}");
        let report = read(&bytes, None).unwrap();
        assert_eq!(report.notes, [], "{file}");
        let measured = sum(&bytes, globs(&["**"], &[]), &[]);
        assert_eq!(parts(measured.coverage.modules[WHOLE]), whole, "{file}");
        assert_eq!(
            measured.coverage.modules["m"], measured.coverage.modules[WHOLE],
            "{file}"
        );
    }
    let at = read(&fixture("gcovr.xml"), None).unwrap().at.unwrap();
    assert!(at.to_string().starts_with("2026-11-22"), "{at}");
}

#[test]
fn no_prefix_of_a_report_is_better_than_the_whole() {
    for file in [
        "coveragepy.xml",
        "coveragepy.json",
        "gcovr.xml",
        "llvm-cov.json",
    ] {
        let bytes = fixture(file);
        let end = bytes.trim_ascii_end().len();
        for cut in (1..end).step_by(7) {
            assert!(read(&bytes[..cut], None).is_err(), "{file} at {cut}");
        }
    }
    for file in ["coveragepy.lcov", "gcovr.lcov", "c8.lcov", "go.cover"] {
        let bytes = fixture(file);
        for cut in 1..bytes.len() {
            if let Ok(report) = read(&bytes[..cut], None) {
                // Only where a record, or a line of Go's, has its end.
                let text = String::from_utf8_lossy(&bytes[..cut]);
                let is_end = text.trim_end().ends_with("end_of_record") || text.ends_with('\n');
                assert!(is_end, "{file} at {cut}: {:?}", report.files().count());
            }
        }
    }
    let bytes = fixture("gcovr.lcov");
    let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n');
    let cut = &bytes[..=ends.map(|(at, _)| at).nth(8).unwrap()];
    assert!(matches!(read(cut, None), Err(Error::Truncated(..))));
    assert_eq!(
        read(cut, None).unwrap_err().reason(),
        Reason::EvidenceTruncated
    );
}

#[test]
fn a_file_that_vanished_makes_its_module_worse() {
    let bytes = fixture("coveragepy.lcov");
    let tree = [
        ("shop/__init__.py", 0),
        ("shop/price.py", 12),
        ("shop/store.py", 9),
    ];
    let whole = sum(&bytes, globs(&["shop/**"], &[]), &tree);
    assert_eq!(parts(whole.coverage.modules["m"])[0], Some((15, 20)));
    assert!(
        whole.absent.is_empty() && whole.notes.is_empty(),
        "{whole:?}"
    );

    // The worse file is gone from the report.
    let text = String::from_utf8(bytes).unwrap();
    let from = text.find("SF:shop/price.py").unwrap();
    let to = text.find("SF:shop/store.py").unwrap();
    let less = format!("{}{}", &text[..from], &text[to..]);
    let cut = sum(less.as_bytes(), globs(&["shop/**"], &[]), &tree);
    assert_eq!(cut.absent["m"], ["shop/price.py"]);
    assert_eq!(cut.absent[WHOLE], ["shop/price.py"]);
    for module in ["m", WHOLE] {
        let [lines, functions, branches] = parts(cut.coverage.modules[module]);
        assert_eq!(lines, Some((8, 21)), "{module}");
        assert_eq!((functions, branches), (None, None), "{module}");
    }
    assert!(cut.notes.iter().any(|n| n.text.contains("shop/price.py")));
    // A file that nobody must measure is said so.
    let excluded = sum(
        less.as_bytes(),
        globs(&["shop/**"], &["shop/price.py"]),
        &tree,
    );
    assert_eq!(parts(excluded.coverage.modules["m"])[0], Some((8, 9)));
}

#[test]
fn files_of_elsewhere_do_not_count() {
    let text = "SF:/usr/include/big.h\nDA:1,1\nDA:2,1\nend_of_record\nSF:/srv/shop/a.c\nDA:1,0\nend_of_record\n";
    let found = sum(text.as_bytes(), globs(&["*.c"], &[]), &[("a.c", 1)]);
    assert_eq!(found.foreign, ["/usr/include/big.h"]);
    assert_eq!(parts(found.coverage.modules[WHOLE])[0], Some((0, 1)));
    // Nothing of the tree: no module, and no whole.
    let found = sum(text.as_bytes(), globs(&["*.c"], &[]), &[("b.c", 3)]);
    assert!(found.coverage.modules.is_empty(), "{found:?}");
    // A module that has no file is told.
    let found = sum(text.as_bytes(), globs(&["*.rs"], &[]), &[("a.c", 1)]);
    assert!(!found.coverage.modules.contains_key("m"));
    assert!(
        found
            .notes
            .iter()
            .any(|n| n.reason == Reason::PolicyUndefined)
    );
}

#[test]
fn records_of_one_file_are_merged_by_line() {
    let once = "SF:a.c\nDA:1,1\nDA:2,0\nDA:3,0\nend_of_record\n";
    let again = "SF:a.c\nDA:1,0\nDA:2,4\nDA:3,0\nend_of_record\n";
    let found = sum(
        format!("{once}{again}{once}").as_bytes(),
        globs(&["*"], &[]),
        &[("a.c", 3)],
    );
    assert_eq!(parts(found.coverage.modules["m"])[0], Some((2, 3)));
    // Two names of one file are one file.
    let two = format!(
        "{once}{}",
        again.replace("SF:a.c", "SF:/srv/shop/./x/../a.c")
    );
    let found = sum(two.as_bytes(), globs(&["*"], &[]), &[("a.c", 3)]);
    assert_eq!(parts(found.coverage.modules["m"])[0], Some((2, 3)));
    let go = "mode: set\nm/a.go:1.1,2.2 3 0\nmode: set\nm/a.go:1.1,2.2 3 1\nm/a.go:3.1,4.2 1 0\n";
    let found = sum(go.as_bytes(), globs(&["**"], &[]), &[]);
    assert_eq!(parts(found.coverage.modules["m"])[0], Some((3, 4)));
}

#[test]
fn a_report_that_contradicts_itself_counts_as_its_worse_half() {
    // Lines that were not covered are cut out; the totals still know of them.
    let text = "SF:a.c\nDA:1,1\nDA:2,1\nLF:10\nLH:2\nend_of_record\n";
    let found = sum(text.as_bytes(), globs(&["*"], &[]), &[]);
    assert_eq!(parts(found.coverage.modules["m"])[0], Some((2, 10)));
    assert_eq!(found.notes[0].reason, Reason::EvidenceCountMismatch);
    let text = "SF:a.c\nDA:1,1\nDA:2,1\nLF:2\nLH:1\nend_of_record\n";
    let found = sum(text.as_bytes(), globs(&["*"], &[]), &[]);
    assert_eq!(parts(found.coverage.modules["m"])[0], Some((1, 2)));
    let xml = r#"<coverage lines-valid="10" lines-covered="1"><packages><package><classes><class filename="a.c"><lines><line number="1" hits="1"/></lines></class></classes></package></packages></coverage>"#;
    let found = sum(xml.as_bytes(), globs(&["*"], &[]), &[]);
    assert_eq!(parts(found.coverage.modules[WHOLE])[0], Some((1, 10)));
    assert_eq!(found.notes[0].reason, Reason::EvidenceCountMismatch);
}

/// How many contradictions are told.
fn contradictions(found: &Measured) -> usize {
    let is_one = |reason| reason == Reason::EvidenceCountMismatch;
    found.notes.iter().filter(|n| is_one(n.reason)).count()
}

/// A class of Cobertura's of one file with these hits, from line 1 on.
fn class(file: &str, attributes: &str, hits: &[u8], inner: &str) -> String {
    let lines: String = (1..)
        .zip(hits)
        .map(|(n, hits)| format!(r#"<line number="{n}" hits="{hits}"{inner}/>"#))
        .collect();
    format!(r#"<class name="c" filename="{file}"{attributes}><lines>{lines}</lines></class>"#)
}

#[test]
fn a_cobertura_report_that_contradicts_itself_counts_as_its_worse_half() {
    let report = |root: &str, classes: &str| {
        format!(
            "<coverage{root}><packages><package><classes>{classes}</classes></package></packages></coverage>"
        )
    };
    let (a, b) = (class("a.c", "", &[1; 4], ""), class("b.c", "", &[1; 4], ""));
    let both = format!("{a}{b}");
    let method = r#"<class filename="a.c"><methods><method name="m"><lines><line number="1" hits="0"/></lines></method></methods><lines><line number="1" hits="1"/><line number="2" hits="1"/></lines></class>"#;
    let branches = |said: &str| {
        let inner = format!(r#" branch="true" condition-coverage="{said}""#);
        class("a.c", "", &[1, 1], &inner)
    };
    for (root, classes, which, expected) in [
        ("", both.clone(), 0, (8, 8)),
        (
            r#" line-rate="1" lines-covered="8" lines-valid="8""#,
            both.clone(),
            0,
            (8, 8),
        ),
        // What is declared of the whole is so of a module that is the whole.
        (
            r#" lines-covered="1" lines-valid="80""#,
            both.clone(),
            0,
            (1, 80),
        ),
        (r#" line-rate="0.5""#, both.clone(), 0, (4, 8)),
        (
            r#" line-rate="0.5" lines-covered="1" lines-valid="8""#,
            both.clone(),
            0,
            (1, 8),
        ),
        // Rounded, it is no contradiction.
        (
            "",
            class("a.c", r#" line-rate="0.66""#, &[1, 1, 0], ""),
            0,
            (2, 3),
        ),
        (
            r#" line-rate="0.67""#,
            class("a.c", r#" line-rate="0.6667""#, &[1, 1, 0], ""),
            0,
            (2, 3),
        ),
        ("", class("a.c", r#" line-rate="NaN""#, &[1], ""), 0, (1, 1)),
        (
            "",
            class("a.c", r#" line-rate="0""#, &[1; 4], "") + &b,
            0,
            (4, 8),
        ),
        // Classes of one file are parts of it.
        (
            "",
            class("a.c", r#" line-rate="0""#, &[1; 4], "")
                + &class("a.c", r#" line-rate="0""#, &[1; 8], "")
                    .replace("number=\"", "number=\"1"),
            0,
            (0, 12),
        ),
        (
            "",
            class("a.c", "", &[1; 4], "") + &class("a.c", "", &[0; 4], ""),
            0,
            (0, 4),
        ),
        (
            "",
            class("a.c", "", &[0; 4], "") + &class("a.c", "", &[1; 4], ""),
            0,
            (0, 4),
        ),
        ("", method.to_owned(), 0, (1, 2)),
        // With a count of its own, that of a method stands at its line: that it is there ran, and it did not.
        (
            "",
            method.replace("<method ", "<method hits=\"0\" "),
            0,
            (2, 2),
        ),
        ("", branches("100% (2/2)"), 2, (4, 4)),
        ("", branches("67% (2/3)"), 2, (4, 6)),
        ("", branches("0% (2/2)"), 2, (0, 4)),
        ("", branches("50% (2/2)"), 2, (2, 4)),
        ("", branches("100% (1/2)"), 2, (2, 4)),
    ] {
        let text = report(root, &classes);
        let found = sum(text.as_bytes(), globs(&["*"], &[]), &[]);
        for module in ["m", WHOLE] {
            let shown = parts(found.coverage.modules[module]);
            assert_eq!(shown[which], Some(expected), "{module}: {text}");
        }
    }
    // A module that is a part of it has its own figures.
    let text = report(r#" lines-covered="1" lines-valid="80""#, &both);
    let found = sum(text.as_bytes(), globs(&["a.c"], &[]), &[]);
    assert_eq!(parts(found.coverage.modules["m"])[0], Some((4, 4)));
}

#[test]
fn a_coverage_py_report_that_contradicts_itself_counts_as_its_worse_half() {
    let report = |own: &str, totals: &str| {
        format!(
            r#"{{"meta":{{"timestamp":"2026-11-22T15:00:00.123456"}},"files":{{"a.py":{{"executed_lines":[1,2,3,4],"missing_lines":[],"summary":{{"covered_lines":4,"num_statements":4{own}}}}}}},"totals":{{"covered_lines":4,"num_statements":4{totals}}}}}"#
        )
    };
    for (own, totals, expected) in [
        ("", "", (4, 4)),
        (r#","percent_covered":100.0,"missing_lines":0"#, "", (4, 4)),
        (r#","percent_covered":25.0"#, "", (1, 4)),
        (r#","missing_lines":36"#, "", (4, 40)),
        ("", r#","percent_covered":50"#, (2, 4)),
        ("", r#","missing_lines":4"#, (4, 8)),
    ] {
        let text = report(own, totals);
        let found = sum(text.as_bytes(), globs(&["*"], &[]), &[]);
        assert_eq!(
            parts(found.coverage.modules["m"])[0],
            Some(expected),
            "{own} {totals}"
        );
        let told = contradictions(&found) > 0;
        assert_eq!(told, expected != (4, 4), "{own} {totals}");
    }
    // Half of what it measures together is no contradiction to all of the lines.
    let text = r#"{"files":{"a.py":{"executed_lines":[1,2],"missing_lines":[],"executed_branches":[[1,2]],"missing_branches":[[1,3]],"summary":{"covered_lines":2,"num_statements":2,"num_branches":2,"covered_branches":1,"missing_branches":1,"percent_covered":75.0}}}}"#;
    let found = sum(text.as_bytes(), globs(&["*"], &[]), &[]);
    let shown = parts(found.coverage.modules["m"]);
    assert_eq!((shown[0], shown[2]), (Some((2, 2)), Some((1, 2))));
    // Its time has no zone.
    let (early, late) = read(report("", "").as_bytes(), None).unwrap().made.unwrap();
    assert_eq!(
        (early.to_string(), late.to_string()),
        (
            "2026-11-22T01:00:00.123Z".to_owned(),
            "2026-11-23T03:00:00.123Z".to_owned()
        )
    );
}

#[test]
fn an_llvm_report_that_contradicts_itself_counts_as_its_worse_half() {
    let report = |covered: u64, total: u64, segments: &str| {
        format!(
            r#"{{"type":"llvm.coverage.json.export","version":"2.0.1","data":[{{"files":[{{"filename":"a.rs","segments":[{segments}],"summary":{{"lines":{{"count":{total},"covered":{covered}}},"functions":{{"count":1,"covered":1}}}}}}]}}]}}"#
        )
    };
    let lines = |text: &str| {
        let found = sum(text.as_bytes(), globs(&["*"], &[]), &[]);
        (
            parts(found.coverage.modules["m"])[0],
            contradictions(&found),
        )
    };
    let never = "[1,1,0,true,true,false],[4,4,0,false,false,false]";
    let always = never.replacen(",0,", ",7,", 1);
    assert_eq!(lines(&report(4, 4, &always)), (Some((4, 4)), 0));
    assert_eq!(lines(&report(4, 4, never)), (Some((0, 4)), 1));
    // One line counts in two functions.
    assert_eq!(lines(&report(5, 5, &always)), (Some((5, 5)), 0));
    assert_eq!(lines(&report(4, 4, "")), (Some((4, 4)), 0));
    assert_eq!(lines(&report(0, 0, never)), (Some((0, 4)), 1));
    // What no file measures is not measured, whatever is said of the whole.
    let totals =
        r#"],"totals":{"lines":{"count":8,"covered":8},"functions":{"count":1,"covered":1}}}]}"#;
    let text = report(0, 0, "").replace("]}]}", totals);
    assert_ne!(text, report(0, 0, ""));
    let found = sum(text.as_bytes(), globs(&["*"], &[]), &[]);
    for module in ["m", WHOLE] {
        assert_eq!(parts(found.coverage.modules[module])[0], None, "{module}");
    }

    let lengths = BTreeMap::from([("a.rs".to_owned(), 4)]);
    let beyond = |text: String| {
        let report = read(text.as_bytes(), None).unwrap();
        gonogo_gate::coverage::beyond(&report, &lengths, &Paths::default())
    };
    assert_eq!(beyond(report(8, 8, &always)), None);
    assert!(beyond(report(1000, 1000, "")).is_some());
    assert!(beyond(report(4, 4, &always.replace("[4,", "[9,"))).is_some());
}

#[test]
fn what_is_no_report_gives_an_error_and_never_a_number() {
    let line = |hits: &str| {
        format!(
            r#"<coverage><class filename="a"><lines><line number="1" hits="{hits}"/></lines></class></coverage>"#
        )
    };
    for bytes in [
        String::new(),
        "   \n".into(),
        "<html><body>502</body></html>".into(),
        "{}".into(),
        "mode: set\n".into(),
        "TN:\n".into(),
        "SF:\nend_of_record\n".into(),
        "SF:a\nDA:1,NaN\nend_of_record\n".into(),
        "SF:a\nDA:1,inf\nend_of_record\n".into(),
        "SF:a\nDA:x,1\nend_of_record\n".into(),
        "SF:a\nnonsense\nend_of_record\n".into(),
        "SF:a\nDA:1,1\nSF:b\nend_of_record\n".into(),
        "DA:1,1\nend_of_record\n".into(),
        "mode: maybe\na.go:1.1,2.2 1 1\n".into(),
        "mode: set\na.go:1.1,2.2 1 -1\n".into(),
        "mode: set\na.go:1.1,2.2 1 1".into(),
        "mode: set\na.go:1.1,2.2 1 1\na.go:1.1,2.2 2 1\n".into(),
        line("NaN"),
        line("many"),
        "<coverage/>".into(),
        "<coverage></coverage><coverage/>".into(),
        r#"<!DOCTYPE coverage [<!ENTITY a "b">]><coverage><class filename="&a;"/></coverage>"#.into(),
        r#"<coverage><class filename="&a;"/></coverage>"#.into(),
        r#"<coverage><line number="1" hits="1"/></coverage>"#.into(),
        format!("<coverage>{}", "<a>".repeat(100_000)),
        r#"{"type":"llvm.coverage.json.export","version":"2.0.1","data":[]}"#.into(),
        r#"{"type":"llvm.coverage.json.export","version":"9.0","data":[]}"#.into(),
        r#"{"type":"llvm.coverage.json.export","version":"2.0.1","data":[{"files":[{"filename":"a","summary":{"lines":{"count":1,"covered":2},"functions":{"count":1,"covered":1}}}]}]}"#.into(),
        r#"{"files":{"a":{"executed_lines":[1],"missing_lines":[1],"summary":{"covered_lines":1,"num_statements":1}}}}"#.into(),
        r#"{"files":{"a":{"executed_lines":[],"missing_lines":[1],"summary":{"covered_lines":0,"num_statements":1}},"a":{"executed_lines":[1],"missing_lines":[],"summary":{"covered_lines":1,"num_statements":1}}}}"#.into(),
        r#"{"executed_lines":1e999}"#.into(),
    ] {
        let shown: String = bytes.chars().take(120).collect();
        assert!(read(bytes.as_bytes(), None).is_err(), "{shown}");
    }
    for format in Format::ALL {
        assert!(read(b"\xff\xfe\x00", Some(format)).is_err());
        assert!(read(b"", Some(format)).is_err());
    }
}

#[test]
fn nothing_to_measure_is_absent() {
    let text = "SF:a.py\nLF:0\nLH:0\nend_of_record\nSF:b.py\nDA:1,1\nend_of_record\n";
    let report = read(text.as_bytes(), None).unwrap();
    let files: BTreeMap<_, _> = report.files().collect();
    assert_eq!(files["a.py"], Covered::default());
    let found = sum(text.as_bytes(), globs(&["a.py"], &[]), &[]);
    assert_eq!(found.coverage.modules["m"], Covered::default());
}

#[test]
fn modules_that_mean_nothing_are_refused() {
    for (name, globs) in [
        ("m", globs(&[], &["a"])),
        ("m", globs(&["a["], &[])),
        ("*", globs(&["a"], &[])),
        (" ", globs(&["a"], &[])),
    ] {
        assert!(Modules::new(&BTreeMap::from([(name.to_owned(), globs)])).is_err());
    }
}

#[test]
fn lines_of_code_are_about_what_a_tool_measures() {
    let rust = "//! Doc.\n\npub mod a;\nmod b;\nuse std::{\n    fmt,\n};\n";
    assert!(code_lines(rust) <= 1);
    assert_eq!(
        code_lines("fn main() {\n    /* a\n b */\n    run();\n}\n"),
        2
    );
    assert_eq!(code_lines("mod a { fn b() { run() } }\n"), 1);
    assert_eq!(code_lines(""), 0);
}

proptest::proptest! {
    #[test]
    fn any_bytes_end_in_a_report_or_an_error(bytes: Vec<u8>, pick in 0..Format::ALL.len()) {
        if let Ok(report) = read(&bytes, Some(Format::ALL[pick])) {
            for (_, covered) in report.files() {
                for part in [covered.lines, covered.functions, covered.branches].into_iter().flatten() {
                    proptest::prop_assert!(part.total > 0 && part.covered <= part.total);
                }
            }
        }
    }

    #[test]
    fn a_changed_report_ends_in_a_report_or_an_error(at in 0_usize..3000, byte: u8, pick in 0_usize..5) {
        let file = ["gcovr.lcov", "gcovr.xml", "llvm-cov.json", "go.cover", "coveragepy.json"][pick];
        let mut bytes = fixture(file);
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(report) = read(&bytes, None) {
            let modules = Modules::default();
            let found = measure(&report, &modules, &BTreeMap::new(), &Paths::default());
            for covered in found.coverage.modules.values() {
                proptest::prop_assert!(covered.lines.is_none_or(|l| l.total > 0 && l.covered <= l.total));
            }
        }
    }
}

#[test]
fn a_report_of_other_files_is_told_by_lines_that_they_do_not_have() {
    let lengths = std::collections::BTreeMap::from([("src/a.c".to_owned(), 5)]);
    let told = |name: &str, line: u64| {
        let text = format!("SF:{name}\nDA:1,1\nDA:{line},1\nend_of_record\n");
        let report = read(text.as_bytes(), None).unwrap();
        gonogo_gate::coverage::beyond(&report, &lengths, &Paths::default())
    };
    // The one behind the last is that of the end.
    assert_eq!(told("src/a.c", 6), None);
    assert_eq!(told("/usr/include/big.h", 7_000), None);
    for name in ["src/a.c", "./src/x/../a.c", "src\\a.c"] {
        let why = told(name, 7).unwrap();
        assert!(why.contains("line 7 of `src/a.c`, which has 5"), "{why}");
    }
}

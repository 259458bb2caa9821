//! The search held against a naive one: every text at every place, whatever is around it, however the log is cut.

use gonogo_suite::runbook::{Entry, Limits, Matcher, Matches, Pattern, Runbook, Severity, read};
use proptest::prelude::*;

fn entry(n: usize, patterns: Vec<Pattern>) -> Entry {
    Entry {
        id: format!("e{n}"),
        title: "t".into(),
        means: "m".into(),
        severity: Severity::Two,
        cause: None,
        patterns,
        signatures: Vec::new(),
        artifacts: Vec::new(),
        replay: Vec::new(),
        remediation: "r".into(),
        links: Vec::new(),
        owner: String::new(),
        line: 1,
    }
}

fn matcher(patterns: &[Pattern]) -> Matcher {
    let entries = patterns.iter().enumerate();
    let entries = entries.map(|(n, p)| entry(n, vec![p.clone()])).collect();
    Matcher::new(Runbook { entries }).expect("patterns of a test are good")
}

/// Entry, number of lines, first line, last line; by entry.
type Told = Vec<(String, u64, u64, u64)>;

fn told(matches: &Matches) -> Told {
    let one =
        |m: &gonogo_suite::runbook::Match| (m.entry.clone(), m.hits, m.first.line, m.last.line);
    let mut told: Told = matches.entries.iter().map(one).collect();
    told.sort();
    told
}

fn has(line: &str, text: &str, ignore_case: bool) -> bool {
    if ignore_case {
        line.to_ascii_lowercase()
            .contains(&text.to_ascii_lowercase())
    } else {
        line.contains(text)
    }
}

fn naively(patterns: &[Pattern], log: &str) -> Told {
    let mut all: Told = Vec::new();
    for (n, pattern) in patterns.iter().enumerate() {
        let regex = pattern.regex.as_ref().map(|text| {
            regex::RegexBuilder::new(text)
                .case_insensitive(pattern.ignore_case)
                .build()
                .expect("expressions of a test are good")
        });
        let is = |piece: &str| {
            pattern
                .all
                .iter()
                .all(|t| has(piece, t, pattern.ignore_case))
                && (pattern.any.is_empty()
                    || pattern
                        .any
                        .iter()
                        .any(|t| has(piece, t, pattern.ignore_case)))
                && regex.as_ref().is_none_or(|r| r.is_match(piece))
        };
        let lines: Vec<u64> = log
            .split('\n')
            .enumerate()
            .filter(|(_, line)| line.split('\r').any(is))
            .map(|(at, _)| at as u64 + 1)
            .collect();
        if let (Some(first), Some(last)) = (lines.first(), lines.last()) {
            all.push((format!("e{n}"), lines.len() as u64, *first, *last));
        }
    }
    all.sort();
    all
}

/// Texts of few letters, so that they stand in each other and overlap.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[abAB]{1,6}",
        "[abA ]{4,12}",
        "[abAB]{9,30}",
        "[ab@`]{5,16}"
    ]
    .prop_filter("not of spaces alone", |t| !t.trim().is_empty())
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let lists = (
        prop::collection::vec(text(), 0..3),
        prop::collection::vec(text(), 0..4),
        prop::option::weighted(0.3, "(\\^)?[ab]{1,4}[ab]\\+[abA]{3,5}(\\$|\\.b|[ab]\\?)"),
        proptest::bool::ANY,
    );
    lists
        .prop_map(|(all, any, regex, ignore_case)| Pattern {
            all,
            any,
            regex: regex.map(|r| r.replace('\\', "")),
            ignore_case,
            line: 1,
        })
        .prop_filter("asks for something", |p| {
            !(p.all.is_empty() && p.any.is_empty() && p.regex.is_none())
        })
}

/// A log with pieces of the texts in it.
fn log(patterns: Vec<Pattern>) -> impl Strategy<Value = (Vec<Pattern>, String)> {
    let texts: Vec<String> = patterns
        .iter()
        .flat_map(|p| p.all.iter().chain(&p.any).cloned())
        .collect();
    let known = if texts.is_empty() {
        vec!["ab".to_owned()]
    } else {
        texts
    };
    let part = prop_oneof![
        3 => "[abAB@` ]{0,20}",
        3 => prop::sample::select(known),
        2 => Just("\n".to_owned()),
        1 => Just("\r\n".to_owned()),
        1 => Just("\r".to_owned()),
    ];
    prop::collection::vec(part, 0..40).prop_map(move |parts| (patterns.clone(), parts.concat()))
}

/// Terminal sequences put between bytes must change nothing.
fn coloured(log: &str, every: usize) -> String {
    let mut out = String::new();
    for (n, c) in log.chars().enumerate() {
        if n % every == every - 1 {
            out.push_str(["\u{1b}[1;31m", "\u{1b}[0m", "\u{1b}]0;ab\u{7}"][n % 3]);
        }
        out.push(c);
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_tells_what_a_naive_search_tells(
        (patterns, log) in prop::collection::vec(pattern(), 1..12).prop_flat_map(log),
        cut in 1_usize..40,
        every in 1_usize..9,
    ) {
        let matcher = matcher(&patterns);
        let expected = naively(&patterns, &log);
        let whole = matcher.matches(log.as_bytes());
        prop_assert_eq!(told(&whole), expected.clone());
        let mut search = matcher.search(Limits::default());
        for piece in log.as_bytes().chunks(cut) {
            search.feed(piece);
        }
        prop_assert_eq!(&search.finish(), &whole);
        for found in &whole.entries {
            let before = &log.as_bytes()[..found.first.offset as usize];
            let lines = before.iter().filter(|b| **b == b'\n').count() as u64;
            prop_assert_eq!(lines + 1, found.first.line);
        }
        let coloured = matcher.matches(coloured(&log, every).as_bytes());
        prop_assert_eq!(told(&coloured), expected);
    }

    /// Long lines are looked at in windows; where they are does not hang on how the log was fed.
    #[test]
    fn windows_do_not_hang_on_how_it_is_fed(
        (patterns, log) in prop::collection::vec(pattern(), 1..8).prop_flat_map(log),
        cut in 1_usize..60,
        window in 16_usize..80,
    ) {
        let matcher = matcher(&patterns);
        let limits = Limits { window, ..Limits::default() };
        let mut at_once = matcher.search(limits);
        at_once.feed(log.as_bytes());
        let at_once = at_once.finish();
        let mut pieces = matcher.search(limits);
        for piece in log.as_bytes().chunks(cut) {
            pieces.feed(piece);
        }
        prop_assert_eq!(&pieces.finish(), &at_once);
        // A single text is found wherever it is.
        for (n, pattern) in patterns.iter().enumerate() {
            let single = pattern.all.is_empty() && pattern.any.len() == 1 && pattern.regex.is_none();
            let there = log.split(['\n', '\r']).any(|l| has(l, pattern.any.first().map_or("", |t| t), pattern.ignore_case));
            if single {
                let id = format!("e{n}");
                prop_assert_eq!(at_once.entries.iter().any(|m| m.entry == id), there);
            }
        }
    }
}

#[test]
fn thousands_of_texts_are_each_found() {
    let texts: Vec<String> = (0..3_000)
        .map(|n| match n % 4 {
            0 => format!("q{n}"),
            1 => format!("svc{n}:x"),
            2 => format!("connection to broker {n} was lost"),
            _ => format!("{n} of the leases expired early"),
        })
        .collect();
    let patterns: Vec<Pattern> = texts.iter().map(|text| any_text(text)).collect();
    let matcher = matcher(&patterns);
    let log: String = texts
        .iter()
        .enumerate()
        .map(|(n, text)| format!("{}{text}{}\n", " ".repeat(n % 7), "x".repeat(n % 5)))
        .collect();
    let found = matcher.matches(log.as_bytes());
    assert_eq!(found.entries.len(), texts.len());
    assert_eq!(found.lines, 3_000);
    for m in &found.entries {
        let n: u64 = m.entry[1..].parse().unwrap();
        assert!(m.first.line <= n + 1 && m.last.line > n, "{m:?}");
    }
}

#[test]
fn a_log_larger_than_memory_for_it_is_matched_over_its_borders() {
    let matcher = matcher(&[any_text("no space left on device"), any_text("ENOSPC")]);
    let line = "2026-03-01T10:00:00Z INFO all is well here, and nothing is wrong\n";
    let mut log = line.repeat(20_000);
    for at in [131_060_usize, 131_072, 262_140, 1_000_000] {
        let begin = log[..at].rfind('\n').unwrap() + 1;
        log.insert_str(begin, "write: no space left on device, ENOSPC\r\n");
    }
    let found = read(&matcher, &mut log.as_bytes(), Limits::default()).unwrap();
    assert_eq!(
        told(&found),
        naively(
            &[any_text("no space left on device"), any_text("ENOSPC")],
            &log
        )
    );
    assert_eq!(found.entries[0].hits, 4);
    assert_eq!(found.lines, 20_004);
    assert_eq!(found.bytes, log.len() as u64);
}

fn any_text(text: &str) -> Pattern {
    Pattern {
        any: vec![text.into()],
        ..Pattern::default()
    }
}

#[test]
fn a_line_without_an_end_takes_no_more_memory_than_its_windows_and_hides_nothing() {
    let matcher = matcher(&[any_text("deadlock detected")]);
    let mut search = matcher.search(Limits::default());
    for n in 0..400 {
        search.feed(&[b'x'; 10_000]);
        if n == 300 {
            search.feed(b"deadlock detected");
        }
    }
    let found = search.finish();
    assert_eq!(found.entries[0].first.offset, 3_010_000);
    assert_eq!((found.entries[0].hits, found.lines), (1, 1));
    assert!(found.entries[0].first.text.len() < 400);
    assert!(found.entries[0].first.text.contains("deadlock detected"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a file has, it is a runbook that can be used, or its faults are told.
    #[test]
    fn no_file_and_no_log_is_too_odd(
        at in 0_usize..gonogo_suite::runbook::BUILT_IN.len(),
        length in 0_usize..60,
        instead in prop_oneof!["[\\PC]{0,12}", "[\"'\\[\\]{}=\\\\().*+?|^$\n]{0,6}", "(match|any|regex) = \\[?.{0,9}"],
        log in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let text = gonogo_suite::runbook::BUILT_IN;
        let cut = |at: usize| (0..=at.min(text.len())).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0);
        let text = format!("{}{instead}{}", &text[..cut(at)], &text[cut(at + length)..]);
        match Runbook::parse(&text) {
            Ok(runbook) => {
                let _ = gonogo_suite::runbook::lint(&runbook, &gonogo_suite::runbook::Existing::default());
                if let Ok(matcher) = Matcher::new(runbook) {
                    prop_assert_eq!(matcher.matches(&log).bytes, log.len() as u64);
                }
            }
            Err(faults) => {
                prop_assert!(!faults.0.is_empty());
                prop_assert!(faults.0.iter().all(|f| f.line >= 1 && !f.text.is_empty()));
            }
        }
    }
}

/// Thousands of texts that only their last bytes tell apart, and a log that is full of what they share: no quadratic work.
#[test]
fn texts_that_share_all_their_grams_are_found_too() {
    let texts: Vec<String> = (0..2_000).map(|n| format!("aaaaaaaa{n:03x}")).collect();
    let patterns: Vec<Pattern> = texts.iter().map(|text| any_text(text)).collect();
    let matcher = matcher(&patterns);
    let line = format!("{}\n", "a".repeat(120));
    let log = format!(
        "{}xaaaaaaaaaaa1f\n{}aaaaaaaa7cf\n",
        line.repeat(20_000),
        line.repeat(3)
    );
    let found = matcher.matches(log.as_bytes());
    assert_eq!(
        told(&found),
        naively(&patterns[..100], &log)
            .into_iter()
            .chain([("e1999".into(), 1, 20_005, 20_005)])
            .collect::<Told>()
    );
}

#[test]
fn a_packed_log_is_told_as_that_and_was_not_looked_at() {
    let runbook = Runbook::parse(gonogo_suite::runbook::BUILT_IN).unwrap();
    let matcher = Matcher::new(runbook).unwrap();
    let tar = [&[b'a'; 257][..], b"ustar\0", &[0; 249]].concat();
    let packed: [(&[u8], &str); 11] = [
        (b"\x1f\x8b\x08\x08abc", "zcat"),
        (b"\x1f\x9dabc", "zcat"),
        (b"PK\x03\x04abc", "unzip -p"),
        (b"PK\x05\x06abc", "unzip -p"),
        (b"BZh91AY&SYabc", "bzcat"),
        (b"BZh9\x17\x72\x45\x38\x50\x90", "bzcat"),
        (b"\xfd7zXZ\0abc", "xzcat"),
        (b"\x28\xb5\x2f\xfdabc", "zstdcat"),
        (b"\x50\x2a\x4d\x18\0\0\0\0", "zstdcat"),
        (b"\x04\x22\x4d\x18abc", "lz4 -dc"),
        (&tar, "tar -xOf"),
    ];
    for (bytes, unpack) in packed {
        let found = matcher.matches(bytes);
        assert!(!found.whole, "{unpack}");
        assert_eq!(found.issues.len(), 1, "{:?}", found.issues);
        assert!(
            found.issues[0].contains(&format!("`{unpack} FILE | gonogo runbook match -`")),
            "{:?}",
            found.issues
        );
    }
    assert!(matcher.matches(b"BZh9 is no text of a log").whole);
}

//! A run in a terminal, as Markdown, as HTML and for GitHub and GitLab.

#[path = "report/run.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod run;

use gonogo_core::{Reason, Verdict};
use gonogo_suite::diff::{Diff, diff};
use gonogo_suite::report::markdown::Room;
use gonogo_suite::report::terminal::{Style, Tone};
use gonogo_suite::report::{
    Advice, Bounds, Gate, GateRow, Outline, Report, github, gitlab, html, markdown, terminal,
};
use gonogo_suite::run::{Class, End, Problem};
use gonogo_suite::{
    Failure, Format, Location, Row, Signature, Summary, TestId, TestVerdict, cause,
};
use run::{Target, from_fixture, from_rows, replay, row, summary};

fn target<'t>(name: &'t str, class: Class, code: i32, owner: Option<&'t str>) -> Target<'t> {
    Target {
        name,
        class,
        end: End::Exited { code },
        ms: 83_500,
        owner,
    }
}

/// A run of what real tools wrote, beside a baseline in which less failed.
fn real() -> (Summary, Vec<Row>, Diff) {
    let unit = target("unit", Class::Unit, 101, Some("core-team"));
    let py = target("client", Class::Recorded, 1, None);
    let web = target("web", Class::E2e, 1, Some("@shop/web"));
    let (unit, mut rows) = from_fixture(&unit, Format::Libtest, "libtest/all.txt");
    let (py, more) = from_fixture(&py, Format::Junit, "pytest-junit/xunit1.xml");
    rows.extend(more);
    let (web, more) = from_fixture(&web, Format::Jest, "jest/all.json");
    rows.extend(more);
    let entries = |rows: &[Row]| {
        let entries = rows.iter().map(|row| (row.test.clone(), row.entry()));
        entries.collect::<Vec<_>>()
    };
    let mut base = entries(&rows);
    for (n, (_, entry)) in base.iter_mut().enumerate() {
        if n % 3 == 0 {
            entry.verdict = TestVerdict::Passed;
            entry.signature = None;
        }
    }
    base.push((
        TestId::new("gone", "", "test"),
        row("x", TestId::default(), TestVerdict::Passed, "").entry(),
    ));
    let diff = diff(&base, &entries(&rows));
    let mut summary = summary(vec![unit, py, web]);
    summary.diff_from = Some("r-0".into());
    (summary, rows, diff)
}

fn advice(row: &Row) -> Vec<Advice> {
    let is_assertion = matches!(row.cause, Some(cause::Cause::AssertionFailure));
    let one = Advice {
        id: "SUITE-3".into(),
        text: "Compare expected with actual; replay the one test.".into(),
    };
    is_assertion.then_some(one).into_iter().collect()
}

fn gate() -> Gate {
    Gate {
        verdict: Verdict::Fail,
        reasons: vec!["TEST_FAILED".into(), "FLAKY_BLOCKING".into()],
        rows: vec![
            GateRow {
                id: "suite.unit".into(),
                verdict: Verdict::Fail,
                detail: "4 tests failed".into(),
                command: Some("make unit".into()),
            },
            GateRow {
                id: "suite.fresh".into(),
                verdict: Verdict::Pass,
                detail: "12 minutes old".into(),
                command: None,
            },
        ],
    }
}

/// Shows the meaning of what is painted.
fn tagged(tone: Tone, text: &str) -> String {
    format!("«{tone:?} {text}»")
}

#[test]
fn a_real_run_in_every_form() {
    let (summary, rows, diff) = real();
    let gate = gate();
    let next = ["make test".to_owned()];
    let report = Report {
        diff: Some(&diff),
        gate: Some(&gate),
        replay: &replay,
        advice: &advice,
        next: &next,
        ..Report::of(&summary)
    };
    let outline = Outline::of(report, rows, &Bounds::default());
    insta::assert_snapshot!("terminal", terminal::render(&outline, &Style::default()));
    let narrow = Style {
        width: 50,
        groups: 2,
        tests: 1,
        paint: &tagged,
    };
    insta::assert_snapshot!("terminal_narrow", terminal::render(&outline, &narrow));
    insta::assert_snapshot!("markdown", markdown::render(&outline, Room::Comment));
    insta::assert_snapshot!("github", github::commands(&outline));
    insta::assert_snapshot!("metrics", gitlab::metrics(&outline));
    let page = html::render(&outline);
    assert_eq!(page, html::render(&outline), "the same run, the same bytes");
    show("real", &page);
}

#[test]
fn a_green_run_and_a_run_of_nothing() {
    let (result, rows) = from_fixture(
        &target("unit", Class::Unit, 0, None),
        Format::Libtest,
        "libtest/green.txt",
    );
    let green = summary(vec![result]);
    let green = Outline::of(Report::of(&green), rows, &Bounds::default());
    assert!(green.is_green());
    let empty = summary(Vec::new());
    let empty = Outline::of(Report::of(&empty), Vec::new(), &Bounds::default());
    assert!(!empty.is_green());
    assert_eq!(empty.shown(), Verdict::Invalid);
    for (name, outline) in [("green", &green), ("empty", &empty)] {
        let text = terminal::render(outline, &Style::default());
        insta::assert_snapshot!(format!("{name}_terminal"), text);
        let text = markdown::render(outline, Room::StepSummary);
        insta::assert_snapshot!(format!("{name}_markdown"), text);
        show(name, &html::render(outline));
    }
    assert_eq!(github::annotations(&green), []);
    assert_eq!(github::annotations(&empty).len(), 1);
}

/// Texts that would break a terminal, a page or a comment.
const HOSTILE: &[&str] = &[
    "</script><script>alert(1)</script>",
    "</pre></details></article><img src=x onerror=alert(1)>",
    "\u{1b}[2J\u{1b}]0;x\u{7} \u{9b}31m \u{8}\u{8}",
    "a\u{202e}gnp.exe \u{2066}b\u{200b}c\u{e0041}",
    "```\n# heading\n@everyone [x](javascript:alert(1))\n~~~",
    "a | b \\| c \\",
    "::error::x\r\n::stop-commands::y",
    "{{ template }} ${var} %s %0A",
    "\" onmouseover=\"alert(1) ' `",
    "\u{0}\u{fffe}\u{d7ff}",
    "'; rm -rf / #\nrm -rf ~",
    "<!-- --> ]]> &lt;script&gt;",
    "--><details><summary>",
    "$(reboot)\n\n---\n\n- list",
];

fn hostile_rows() -> Vec<Row> {
    let mut rows: Vec<Row> = HOSTILE
        .iter()
        .map(|text| {
            let test = TestId {
                suite: (*text).into(),
                class: (*text).into(),
                name: (*text).into(),
            };
            let mut row = row("unit", test, TestVerdict::Failed, text);
            row.owner = Some((*text).into());
            row.output = format!("{text}\n{text}");
            row.file = Some((*text).into());
            if let Some(failure) = &mut row.failure {
                failure.trace = format!("{text}\n  at {text}");
                failure.class = (*text).into();
            }
            row.signature = row.failure.as_ref().map(Signature::of);
            row
        })
        .collect();
    let long = "x<".repeat(5_000);
    rows.push(row(
        "unit",
        TestId::new("", "", "long"),
        TestVerdict::Errored,
        &long,
    ));
    rows.sort_by(|a, b| a.test.cmp(&b.test));
    rows
}

fn hostile() -> (Summary, Vec<Row>) {
    let rows = hostile_rows();
    let owner = HOSTILE[0];
    let mut summary = summary(vec![from_rows(
        &target("unit", Class::Unit, 1, Some(owner)),
        &rows,
    )]);
    summary.project = HOSTILE[1].into();
    summary.profile = HOSTILE[4].into();
    summary.run_id = HOSTILE[8].into();
    summary.source.branch = Some(HOSTILE[3].into());
    summary.diff_from = Some(HOSTILE[5].into());
    for text in HOSTILE {
        let problem = Problem::new(Reason::RunIncomplete, *text);
        summary.problems.push(problem);
    }
    summary.count();
    (summary, rows)
}

fn hostile_advice(_: &Row) -> Vec<Advice> {
    let of = |text: &&str| Advice {
        id: (*text).into(),
        text: (*text).into(),
    };
    HOSTILE.iter().take(3).map(of).collect()
}

fn with_hostile(check: impl Fn(&Outline<'_>)) {
    let (summary, rows) = hostile();
    let next: Vec<String> = HOSTILE.iter().map(|t| (*t).to_owned()).collect();
    let gate = Gate {
        verdict: Verdict::Invalid,
        reasons: next.clone(),
        rows: HOSTILE
            .iter()
            .map(|text| GateRow {
                id: (*text).into(),
                verdict: Verdict::Fail,
                detail: (*text).into(),
                command: Some((*text).into()),
            })
            .collect(),
    };
    let entries: Vec<_> = rows.iter().map(|r| (r.test.clone(), r.entry())).collect();
    let base = [(TestId::new("a", "", "b"), entries[0].1.clone())];
    let diff = diff(&base, &entries);
    let report = Report {
        diff: Some(&diff),
        gate: Some(&gate),
        replay: &replay,
        advice: &hostile_advice,
        next: &next,
        ..Report::of(&summary)
    };
    check(&Outline::of(report, rows, &Bounds::default()));
}

#[test]
fn a_hostile_run_in_a_terminal_is_only_text() {
    with_hostile(|outline| {
        for width in [0, 40, 80, 200] {
            let style = Style {
                width,
                groups: 99,
                tests: 99,
                paint: &|tone, text| match tone {
                    Tone::Command => format!("§{text}"),
                    _ => text.to_owned(),
                },
            };
            let text = terminal::render(outline, &style);
            assert!(
                !text.chars().any(|c| c.is_control() && c != '\n'),
                "{text:?}"
            );
            assert!(!text.contains(['\u{202e}', '\u{200b}', '\u{2066}', '\u{e0041}']));
            for line in text.lines().filter(|line| !line.contains('§')) {
                // A command is never cut; all else fits.
                let columns = line.chars().count();
                assert!(columns <= width.max(40), "{columns}: {line}");
            }
        }
    });
}

#[test]
fn a_hostile_run_as_markdown_has_no_markup_of_its_own() {
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
    with_hostile(|outline| {
        let text = markdown::render(outline, Room::StepSummary);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
        let ours = ["<details><summary>", "</summary>", "</details>"];
        let (mut depth, mut in_block) = (0_i32, false);
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Html(html) | Event::InlineHtml(html) => {
                    let mut rest = html.trim().to_owned();
                    depth += rest.matches("<details>").count() as i32;
                    depth -= rest.matches("</details>").count() as i32;
                    for part in ours {
                        rest = rest.replace(part, "");
                    }
                    assert!(!rest.contains(['<', '>']), "{html}");
                }
                Event::Start(Tag::Link { .. } | Tag::Image { .. }) => panic!("{event:?}"),
                Event::Start(Tag::CodeBlock(_)) => in_block = true,
                Event::End(TagEnd::CodeBlock) => in_block = false,
                // What people wrote stands in code.
                Event::Text(plain) if !in_block => {
                    let words = [
                        "everyone", "alert", "error::", "rm -rf", "template", "reboot",
                    ];
                    assert!(!words.iter().any(|word| plain.contains(word)), "{plain}");
                }
                _ => {}
            }
        }
        assert_eq!(depth, 0);
        // Each row of a table has as many cells as its head.
        let tables = text.lines().filter(|l| l.starts_with("| "));
        for line in tables {
            let cells = line.replace("\\|", "").matches('|').count();
            assert!([4, 5, 9].contains(&cells), "{line}");
        }
    });
}

#[test]
fn a_hostile_run_as_html_is_only_text() {
    with_hostile(|outline| {
        let page = html::render(outline);
        show("hostile", &page);
        assert_eq!(page.matches("<script").count(), 1, "ours");
        assert_eq!(page.matches("</script").count(), 1);
        assert_eq!(page.matches("<style").count(), 1);
        assert!(!page.contains("<img"));
        assert!(!page.chars().any(|c| c.is_control() && c != '\n'));
        assert!(!page.contains(['\u{202e}', '\u{200b}', '\u{2066}', '\u{e0041}']));
        assert!(!page.contains(" style="), "the policy forbids it");
        let tags = |name: &str| {
            let (open, close) = (format!("<{name}"), format!("</{name}>"));
            (page.matches(&open).count(), page.matches(&close).count())
        };
        for name in [
            "details", "article", "pre>", "ul", "li ", "table", "bdi>", "code>",
        ] {
            let name = name.trim_end();
            let (open, close) = tags(name.trim_end_matches('>'));
            assert!(
                open >= close && (open == close || name == "pre" || name == "li"),
                "{name}: {open} {close}"
            );
        }
        // A command with a line feed, or with characters that cannot be seen, has no button.
        for part in page.split("<div class=\"replay\">").skip(1) {
            let part = part.split("</div>").next().unwrap();
            let is_odd = part.contains("\\n") || part.contains("\\x") || part.contains("\\u{");
            assert!(!(is_odd && part.contains("<button")), "{part}");
        }
    });
}

#[test]
fn a_hostile_run_gives_one_line_an_annotation() {
    with_hostile(|outline| {
        let text = github::commands(outline);
        let all = github::annotations(outline);
        assert_eq!(text.lines().count(), all.len());
        assert!(all.len() <= 2 * github::SHOWN);
        for line in text.lines() {
            assert!(
                line.starts_with("::error ") || line.starts_with("::warning "),
                "{line}"
            );
            assert!(!line.contains('\r'));
        }
        let last = all.iter().rfind(|a| a.is_error).unwrap();
        assert!(last.title.contains("more"), "{}", last.title);
    });
}

#[test]
fn markdown_is_cut_between_blocks_and_says_so() {
    let rows: Vec<Row> = (0..900)
        .map(|n| {
            let letters: String = format!("{n:04}")
                .bytes()
                .map(|b| char::from(b - b'0' + b'a'))
                .collect();
            let message = format!("different {letters} ``` {}", "日本".repeat(60));
            row(
                "unit",
                TestId::new("s", "", &format!("t{n}")),
                TestVerdict::Failed,
                &message,
            )
        })
        .collect();
    let summary = summary(vec![from_rows(
        &target("unit", Class::Unit, 1, None),
        &rows,
    )]);
    let report = Report {
        replay: &replay,
        ..Report::of(&summary)
    };
    let outline = Outline::of(report, rows, &Bounds::default());
    assert_eq!(outline.groups.len(), 900);
    let comment = markdown::render(&outline, Room::Comment);
    let chars = comment.chars().count();
    assert!((60_000..=65_535).contains(&chars), "{chars}");
    assert!(comment.trim_end().ends_with("among the run's artifacts._"));
    assert_eq!(
        comment.matches("\n````").count() % 2,
        0,
        "no fence is left open"
    );
    for most in [0, 300, 1_000, 5_000] {
        assert!(markdown::render(&outline, Room::Bytes(most)).len() <= most);
    }
    let all = markdown::render(&outline, Room::StepSummary);
    assert!(all.len() <= 1 << 20 && !all.contains("_Cut:"));
}

#[test]
fn more_groups_than_are_shown_are_counted() {
    let rows: Vec<Row> = ('a'..='z')
        .flat_map(|a| ('a'..='e').map(move |b| (a, b)))
        .map(|(a, b)| {
            let test = TestId::new("s", "", &format!("{a}{b}"));
            row("unit", test, TestVerdict::Failed, &format!("reason {a}"))
        })
        .collect();
    let summary = summary(vec![from_rows(
        &target("unit", Class::Unit, 1, None),
        &rows,
    )]);
    let bounds = Bounds {
        groups: 20,
        items: 30,
        of_group: 3,
        text: 100,
        slowest: 2,
    };
    let outline = Outline::of(Report::of(&summary), rows, &bounds);
    assert_eq!((outline.groups.len(), outline.ungrouped), (20, 30));
    assert_eq!(outline.bad(), 130);
    assert!(
        outline
            .groups
            .iter()
            .all(|g| g.count == 5 && !g.items.is_empty())
    );
    assert!(outline.groups.iter().map(|g| g.items.len()).sum::<usize>() <= 50);
    assert_eq!(outline.slowest.len(), 2);
    let text = terminal::render(&outline, &Style::default());
    assert!(text.contains("130 tests in 20 groups"), "{text}");
    assert!(text.contains("… and 10 more groups of 50 tests"), "{text}");
    // Rows that were not given are not forgotten.
    let outline = Outline::of(Report::of(&summary), Vec::new(), &bounds);
    assert_eq!((outline.bad(), outline.untold), (130, 130));
    let text = terminal::render(&outline, &Style::default());
    assert!(
        text.contains("130") && !text.contains("Nothing failed"),
        "{text}"
    );
    assert!(html::render(&outline).contains("there is no row of them"));
}

/// 300 failures in 12 groups, of 100,000 tests; and 500 in 500 groups with everything that a row can hold.
#[test]
fn a_large_run_stays_small() {
    let words = [
        "connection refused",
        "expected 200, got 503",
        "deadline exceeded",
        "index out of bounds",
        "assertion `left == right` failed",
        "no such file",
        "permission denied",
        "broken pipe",
        "unexpected end of input",
        "value is not sorted",
        "lock is poisoned",
        "checksum differs",
    ];
    let of = |failing: usize, groups: usize, is_full: bool| {
        let mut rows: Vec<Row> = Vec::new();
        for n in 0..100_000_usize {
            let test = TestId::new(
                &format!("crate_{}", n % 40),
                "module",
                &format!("case_{n:06}"),
            );
            if n >= failing {
                rows.push(row("unit", test, TestVerdict::Passed, ""));
                continue;
            }
            let group = n % groups;
            let letters = format!(
                "{}{}",
                char::from(b'a' + (group / 26) as u8),
                char::from(b'a' + (group % 26) as u8)
            );
            let verdict = if n % 29 == 0 {
                TestVerdict::Flaky
            } else {
                TestVerdict::Failed
            };
            let message = match is_full {
                true => format!("{letters} {}", "\"<&>'".repeat(200)),
                false => words[group % 12].to_owned(),
            };
            let mut one = row("unit", test, verdict, &message);
            if let Some(failure) = &mut one.failure {
                failure.trace = match is_full {
                    true => "\"<&>'".repeat(800),
                    false => "   at shop::cart::total (src/cart.rs:42)\n   at main".into(),
                };
                failure.location = Some(Location {
                    file: "src/cart.rs".into(),
                    line: Some(42),
                    column: None,
                });
            }
            one.owner = Some(format!("team-{}", n % 3));
            one.output = "line of output <x>\n".repeat(if is_full { 220 } else { 3 });
            rows.push(one);
        }
        let result = from_rows(&target("unit", Class::Unit, 1, None), &rows);
        (summary(vec![result]), rows)
    };
    for (name, failing, groups, is_full) in [("many", 300, 12, false), ("full", 500, 500, true)] {
        let (summary, rows) = of(failing, groups, is_full);
        let entries: Vec<_> = rows.iter().map(|r| (r.test.clone(), r.entry())).collect();
        let mut base = entries.clone();
        base[3].1.verdict = TestVerdict::Passed;
        let diff = diff(&base, &entries);
        let report = Report {
            diff: Some(&diff),
            replay: &replay,
            advice: &advice,
            ..Report::of(&summary)
        };
        let outline = Outline::of(report, rows, &Bounds::default());
        assert_eq!(
            (outline.groups.len(), outline.bad()),
            (groups, failing as u64)
        );
        let page = html::render(&outline);
        assert!(page.len() < 3_000_000, "{}", page.len());
        let articles = page.matches("<article").count();
        assert_eq!(articles, groups, "{name}: every group is there");
        show(name, &page);
    }
}

/// Every text at its longest, and of characters that escaping makes longest.
#[test]
fn no_run_makes_a_page_too_large() {
    let wide = |n: usize, length: usize| format!("{n:04}{}", "\u{e0041}\"".repeat(length));
    let rows: Vec<Row> = (0..150)
        .map(|n| {
            let letters: String = n.to_string().bytes().map(|b| char::from(b + 49)).collect();
            let test = TestId {
                suite: wide(n, 100).into(),
                class: wide(n, 100).into(),
                name: wide(n, 2_000),
            };
            let message = format!("{letters} {}", wide(n, 2_000));
            let mut one = row("unit", test, TestVerdict::Failed, &message);
            one.owner = Some(wide(n, 100));
            one.file = Some(wide(n, 400));
            one.output = wide(n, 5_000);
            one
        })
        .collect();
    let mut summary = summary(vec![from_rows(
        &target("unit", Class::Unit, 1, None),
        &rows,
    )]);
    let problems = (0..600).map(|n| Problem::new(Reason::RunIncomplete, wide(n, 1_000)));
    summary.problems = problems.collect();
    summary.count();
    let entries: Vec<_> = rows.iter().map(|r| (r.test.clone(), r.entry())).collect();
    let diff = diff(
        &[(TestId::new("a", "", "b"), entries[0].1.clone())],
        &entries,
    );
    let obligation = |n| GateRow {
        id: wide(n, 200),
        verdict: Verdict::Fail,
        detail: wide(n, 900),
        command: Some(wide(n, 9_000)),
    };
    let gate = Gate {
        verdict: Verdict::Fail,
        reasons: (0..200).map(|n| wide(n, 90)).collect(),
        rows: (0..700).map(obligation).collect(),
    };
    let report = Report {
        diff: Some(&diff),
        gate: Some(&gate),
        replay: &replay,
        ..Report::of(&summary)
    };
    let outline = Outline::of(report, rows, &Bounds::default());
    let page = html::render(&outline);
    assert!(page.len() <= html::MOST, "{}", page.len());
    assert!(
        page.contains("did not fit into this page"),
        "and it says so"
    );
    assert!(page.matches("<article").count() > 5);
    let text = markdown::render(&outline, Room::Comment);
    assert!(text.chars().count() <= 65_535);
    let commands = github::commands(&outline);
    assert!(commands.len() < 200_000, "{}", commands.len());
}

#[test]
fn three_failures_on_a_page() {
    let mut rows = vec![
        row(
            "unit",
            TestId::new("cart", "", "adds"),
            TestVerdict::Passed,
            "",
        ),
        row(
            "unit",
            TestId::new("cart", "totals", "rounds_half_up"),
            TestVerdict::Failed,
            "assertion `left == right` failed\n  left: 10.005\n right: 10.01",
        ),
        row(
            "web",
            TestId::new("checkout.spec.ts", "pay", "shows a receipt"),
            TestVerdict::Flaky,
            "Timed out 5000 ms waiting for #receipt",
        ),
        row(
            "web",
            TestId::new("checkout.spec.ts", "pay", "refuses an expired card"),
            TestVerdict::Missing,
            "",
        ),
    ];
    rows[1].output = "opening cart\nadding 3 items\nthread 'main' panicked".into();
    if let Some(failure) = &mut rows[1].failure {
        failure.trace =
            "   0: cart::totals::rounds_half_up\n             at src/totals.rs:88".into();
        failure.location = Some(Location {
            file: "src/totals.rs".into(),
            line: Some(88),
            column: Some(5),
        });
    }
    let results = vec![
        from_rows(
            &target("unit", Class::Unit, 1, Some("core-team")),
            &rows[..2],
        ),
        from_rows(&target("web", Class::E2e, 1, Some("web-team")), &rows[2..]),
    ];
    let summary = summary(results);
    let gate = gate();
    let report = Report {
        gate: Some(&gate),
        replay: &replay,
        advice: &advice,
        ..Report::of(&summary)
    };
    let outline = Outline::of(report, rows, &Bounds::default());
    assert_eq!(outline.groups.len(), 3);
    let page = html::render(&outline);
    assert_eq!(page.matches("<article").count(), 3);
    show("three", &page);
}

#[test]
fn findings_of_lint_keep_their_fingerprints() {
    let output = |line: u32| {
        format!(
            "    Checking shop v0.1.0\nerror: unused variable: `x`\n  --> src/a.rs:{line}:9\n   |\nerror: unused variable: `x`\n  --> src/a.rs:{}:9\n\
             web/b.py:3:1: E501 line too long\nnote: see http://x:80/y\n/abs/c.rs:1:1: error: x\n",
            line + 10
        )
    };
    let of = |line: u32| {
        let mut one = row(
            "clippy",
            TestId::new("", "", "clippy"),
            TestVerdict::Failed,
            "exit code 101",
        );
        one.output = output(line);
        let mut plain = row(
            "fmt",
            TestId::new("", "", "fmt"),
            TestVerdict::Errored,
            "cannot start",
        );
        plain.failure = Some(Failure {
            message: "cannot start".into(),
            ..Failure::default()
        });
        let results = vec![
            from_rows(
                &target("clippy", Class::Lint, 101, None),
                std::slice::from_ref(&one),
            ),
            from_rows(
                &target("fmt", Class::Lint, 1, None),
                std::slice::from_ref(&plain),
            ),
        ];
        let summary = summary(results);
        let outline = Outline::of(Report::of(&summary), [one, plain], &Bounds::default());
        gitlab::findings(&outline)
    };
    let (first, moved) = (of(5), of(50));
    let places: Vec<(&str, u32, &str)> = first
        .iter()
        .map(|f| (f.location.path.as_str(), f.location.lines.begin, f.severity))
        .collect();
    assert_eq!(
        places,
        [
            ("src/a.rs", 5, "major"),
            ("src/a.rs", 15, "major"),
            ("web/b.py", 3, "major"),
            ("gonogo.toml", 1, "critical"),
        ]
    );
    let prints = |all: &[gitlab::Finding]| {
        let mut prints: Vec<String> = all.iter().map(|f| f.fingerprint.clone()).collect();
        prints.sort();
        prints.dedup();
        prints
    };
    assert_eq!(prints(&first).len(), 4, "no two are one");
    assert_eq!(prints(&first), prints(&moved), "lines may move");
}

/// Writes a page where somebody wants to look at it: `REPORT_PAGES` names a directory.
fn show(name: &str, page: &str) {
    if let Ok(dir) = std::env::var("REPORT_PAGES") {
        std::fs::write(format!("{dir}/{name}.html"), page).expect("the directory is there");
    }
}

//! Runs in which no test failed and that are no pass: each form says so.

#[path = "report/run.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod run;

use gonogo_core::{Reason, Verdict};
use gonogo_suite::report::markdown::Room;
use gonogo_suite::report::terminal::Style;
use gonogo_suite::report::{
    Bounds, Flaky, Outline, Report, ctrf, github, gitlab, html, junit, markdown, terminal,
};
use gonogo_suite::run::{Class, End, Problem};
use gonogo_suite::{Row, Summary, TestId, TestVerdict};
use run::{Target, from_rows, row, summary};

fn target(end: End, rows: &[Row]) -> gonogo_suite::run::TargetResult {
    let target = Target {
        name: "unit",
        class: Class::Unit,
        end,
        ms: 1_500,
        owner: None,
    };
    from_rows(&target, rows)
}

fn passed(n: u32) -> Vec<Row> {
    let one = |n| {
        let test = TestId::new("s", "", &format!("t{n}"));
        row("unit", test, TestVerdict::Passed, "")
    };
    (0..n).map(one).collect()
}

/// Each with what its forms must name.
fn runs() -> Vec<(Summary, Vec<Row>, Reason)> {
    let exited = |code| End::Exited { code };
    let of = |end: End, n: u32, reason| {
        let rows = passed(n);
        (summary(vec![target(end, &rows)]), rows, reason)
    };
    let mut all = vec![
        of(exited(1), 4, Reason::ExitCodeConflict),
        of(exited(0), 0, Reason::ZeroTests),
        of(End::Signalled { signal: 11 }, 4, Reason::RunIncomplete),
        of(End::TimedOut { after_ms: 9_000 }, 4, Reason::RunIncomplete),
    ];
    // What is wrong with the run as a whole, and with none of its targets.
    for reason in [
        Reason::TreeChanged,
        Reason::PreflightFailed,
        Reason::RecordingStale,
    ] {
        let (mut summary, rows, _) = of(exited(0), 4, reason);
        summary
            .problems
            .push(Problem::new(reason, "as somebody saw"));
        summary.count();
        all.push((summary, rows, reason));
    }
    all
}

fn number(metrics: &str, line: &str) -> u64 {
    let found = metrics.lines().find_map(|l| l.strip_prefix(line));
    let text = found.unwrap_or_else(|| panic!("no `{line}` in\n{metrics}"));
    text.trim()
        .parse()
        .unwrap_or_else(|e| panic!("{line}: {e}"))
}

#[test]
fn no_form_is_spotless() {
    let mut seen = std::collections::BTreeSet::new();
    for (summary, rows, reason) in runs() {
        let code = reason.code();
        let report = Report::of(&summary);
        assert_eq!(summary.tests.bad(), 0, "{code}: no test failed");
        let verdict = report.verdict();
        assert!(verdict >= Verdict::Hold, "{code}: {verdict}");
        seen.insert(verdict);
        let outline = Outline::of(report, rows.clone(), &Bounds::default());

        let quality = gitlab::findings(&outline);
        assert!(
            quality
                .iter()
                .any(|f| f.description.starts_with(code) && f.severity != "minor"),
            "{quality:?}"
        );
        let annotations = github::annotations(&outline);
        assert!(
            annotations.iter().any(|a| a.title.starts_with(code)),
            "{annotations:?}"
        );
        for text in [
            terminal::render(&outline, &Style::default()),
            markdown::render(&outline, Room::StepSummary),
            markdown::render(&outline, Room::Comment),
            html::render(&outline),
            gitlab::metrics(&outline),
        ] {
            // Markdown may escape what joins the words.
            let plain = text.replace('\\', "");
            assert!(plain.contains(code), "{code}\n{text}");
            assert!(!plain.contains("Nothing failed"), "{code}\n{text}");
        }

        let metrics = gitlab::metrics(&outline);
        let of = |v: Verdict| number(&metrics, &format!("gonogo_suite_status{{status=\"{v}\"}}"));
        assert_eq!(of(verdict), 1, "{metrics}");
        assert_eq!(of(Verdict::Pass), 0, "{metrics}");
        let count = format!("gonogo_suite_problems{{verdict=\"{verdict}\"}}");
        assert!(number(&metrics, &count) > 0, "{metrics}");
        let of_target = "gonogo_suite_target_status{target=\"unit\",status=\"pass\"}";
        let is_good = number(&metrics, of_target) == 1;
        assert_eq!(is_good, !summary.problems.is_empty(), "{metrics}");

        let mut xml = Vec::new();
        let written = junit::write(&mut xml, &report, rows.clone(), Flaky::Fail).unwrap();
        assert!(written.errors > 0, "{code}");
        assert!(String::from_utf8(xml).unwrap().contains(code));
        let mut json = Vec::new();
        ctrf::write(&mut json, &report, rows, Flaky::Pass).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let failed = json["results"]["summary"]["failed"].as_u64();
        assert!(failed > Some(0), "{json}");
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        [Verdict::Hold, Verdict::Fail, Verdict::Invalid],
        "each kind is among them"
    );
}

#[test]
fn a_green_run_is_spotless() {
    let rows = passed(4);
    let summary = summary(vec![target(End::Exited { code: 0 }, &rows)]);
    let outline = Outline::of(Report::of(&summary), rows, &Bounds::default());
    assert_eq!(gitlab::findings(&outline), []);
    let metrics = gitlab::metrics(&outline);
    for (line, n) in [
        ("gonogo_suite_status{status=\"pass\"}", 1),
        ("gonogo_suite_status{status=\"invalid\"}", 0),
        ("gonogo_suite_problems{verdict=\"invalid\"}", 0),
        (
            "gonogo_suite_target_status{target=\"unit\",status=\"pass\"}",
            1,
        ),
        ("gonogo_suite_tests{verdict=\"passed\"}", 4),
    ] {
        assert_eq!(number(&metrics, line), n, "{metrics}");
    }
}

#[test]
fn rows_that_are_worse_than_their_summary_make_no_clean_figures() {
    let rows = passed(4);
    let summary = summary(vec![target(End::Exited { code: 0 }, &rows)]);
    let failed = row("unit", TestId::new("s", "", "t0"), TestVerdict::Failed, "x");
    let outline = Outline::of(Report::of(&summary), vec![failed], &Bounds::default());
    let metrics = gitlab::metrics(&outline);
    let line = "gonogo_suite_status{status=\"fail\"}";
    assert_eq!(number(&metrics, line), 1, "{metrics}");
}

#[test]
fn more_findings_than_are_written_are_told() {
    let rows = passed(1);
    let mut summary = summary(vec![target(End::Exited { code: 0 }, &rows)]);
    for n in 0..gitlab::FINDINGS + 10 {
        let letters: String = n.to_string().bytes().map(|b| char::from(b + 49)).collect();
        let problem = Problem::new(Reason::RunIncomplete, letters);
        summary.problems.push(problem);
    }
    summary.count();
    let outline = Outline::of(Report::of(&summary), rows, &Bounds::default());
    let found = gitlab::findings(&outline);
    assert_eq!(found.len(), gitlab::FINDINGS);
    let last = found.last().unwrap();
    assert!(last.description.contains("more findings"), "{last:?}");
}

//! A child that attacks its readers: nothing that it prints becomes markup, moves a cursor, or turns a line around.

use gonogo_dryrun::backlog::{Backlog, Source};
use gonogo_dryrun::review::{Review, ReviewInputs, html, markdown};
use gonogo_dryrun::wrap_up::{Options, WrapUp};
use proptest::prelude::*;

use crate::reading::{checked, markup};
use crate::runs::{HOSTILE, ORDINARY, at, troubled};

/// Characters that no text for people may hold, but for our own line feeds and isolates.
fn hidden(text: &str) -> Vec<char> {
    text.chars()
        .filter(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2067}' | '\u{feff}'))
        .collect()
}

/// Inputs in which people, too, say what the child says.
fn inputs(texts: &[&str]) -> ReviewInputs {
    let text = |i: usize| texts[i % texts.len()].to_owned();
    let mut inputs = ReviewInputs::at(at(73.0));
    inputs.run_label = Some(text(0));
    inputs.attendees = texts.iter().map(|text| (*text).to_owned()).collect();
    inputs.notes = texts.iter().map(|text| (*text).to_owned()).collect();
    inputs.objectives = vec!["x=pass:y".parse().unwrap(); texts.len()];
    for (i, objective) in inputs.objectives.iter_mut().enumerate() {
        objective.name = text(i);
        objective.note = Some(text(i + 1));
    }
    inputs
}

/// What all Markdown of a run that prints such texts has for headings and tables, and nothing else.
fn compare(texts: &[&str]) {
    let tame: Vec<&str> = (0..texts.len())
        .map(|i| ORDINARY[i % ORDINARY.len()])
        .collect();
    let pages = |texts: &[&str]| {
        let read = crate::read(troubled(texts));
        let sources = texts
            .iter()
            .take(2)
            .map(|text| Source {
                label: (*text).to_owned(),
                read: read.clone(),
                rules: Vec::new(),
            })
            .collect::<Vec<_>>();
        let mut options = Options::at(at(73.0));
        options.notes = texts.iter().map(|text| (*text).to_owned()).collect();
        [
            markdown::render(&Review::of(&troubled(texts), inputs(texts))),
            WrapUp::of(&read, options).markdown(),
            Backlog::of(&sources, at(73.0)).markdown(),
        ]
    };
    for (hostile, tame) in pages(texts).iter().zip(pages(&tame)) {
        let (found, expected) = (markup(hostile), markup(&tame));
        assert!(
            !expected.headings.is_empty() && expected.links.is_empty(),
            "{expected:?}"
        );
        assert_eq!(found, expected, "{hostile}");
        let hidden: Vec<char> = hidden(hostile)
            .into_iter()
            .filter(|c| *c != '\u{2066}')
            .collect();
        assert!(hidden.is_empty(), "{hidden:?}");
        // Isolates are ours, and balanced on each line.
        for line in hostile.lines() {
            let count = |mark: char| line.matches(mark).count();
            assert_eq!(count('\u{2068}'), count('\u{2069}'), "{line}");
        }
    }
}

#[test]
fn markdown_of_hostile_text_has_no_markup_but_ours() {
    compare(HOSTILE);
    for text in HOSTILE {
        compare(&[text]);
    }
}

#[test]
fn html_of_hostile_text_has_no_markup_but_ours() {
    let page = html::render(&Review::of(&troubled(HOSTILE), inputs(HOSTILE)));
    let shown = checked(&page);
    assert!(shown.contains("&lt;script&gt;"), "it is shown");
    assert!(shown.contains("\\x1b[2J"), "it is shown");
    assert!(hidden(&page).is_empty(), "{:?}", hidden(&page));
    assert!(
        !page.contains("<script"),
        "no page of a review has a script"
    );
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
}

#[test]
fn pages_of_ordinary_runs_are_well_formed() {
    for (_, review) in crate::reviews() {
        checked(&html::render(&review));
    }
}

#[test]
fn a_spreadsheet_computes_nothing() {
    let read = crate::read(troubled(&[
        "=HYPERLINK(\"http://evil.example\",\"x\")",
        "+1+1",
        "@SUM(1)",
        "\t=1",
        "-2",
        "a,\"b\"\r\n=c",
    ]));
    let csv = Backlog::of(
        &[Source {
            label: "=run".to_owned(),
            read,
            rules: Vec::new(),
        }],
        at(73.0),
    )
    .csv();
    for line in csv.split("\r\n").skip(1).filter(|line| !line.is_empty()) {
        let mut quoted = false;
        let mut begins = true;
        let mut cells = 1;
        for c in line.chars() {
            if begins && c != '"' {
                assert!(!matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r'), "{line}");
                begins = false;
            }
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => {
                    cells += 1;
                    begins = true;
                }
                _ => {}
            }
        }
        assert_eq!(cells, 8, "{line}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_markup(text in "[`\\\\|<>\\[\\]()#*_~!&@:=$.w \\n\\r\\ta1é\u{202e}\u{5d0}/-]{1,40}", more in any::<String>()) {
        compare(&[&text, &more]);
        checked(&html::render(&Review::of(&troubled(&[&text, &more]), inputs(&[&text, &more]))));
    }
}

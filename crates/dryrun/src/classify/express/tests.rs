//! Whatever takes the lane is found as it is found without it.

use super::super::{Classifier, Finding, Line, Sink};
use super::*;
use crate::{Moment, Stream};

/// Everything that a sink is told.
#[derive(Default, Debug, PartialEq)]
struct Told {
    lines: Vec<String>,
    findings: Vec<Finding>,
}

impl Sink for Told {
    const LINES: bool = true;

    fn line(&mut self, line: &Line<'_>) {
        let text = |raw: Option<&[u8]>| raw.map(|raw| String::from_utf8_lossy(raw).into_owned());
        let fields = line.fields.as_ref().map(|fields| {
            (
                text(fields.timestamp),
                text(fields.message),
                text(fields.event),
                fields.odd,
            )
        });
        self.lines.push(format!(
            "{} {:?} {} {:?} {} {} {fields:?}",
            line.number,
            line.level,
            line.level_word,
            text(Some(line.bytes)),
            line.beyond,
            line.ended
        ));
    }

    fn finding(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}

/// Reads lines; without the lane, if that is wanted. Returns what was told and how many lines took the lane.
fn read(lines: &[String], lane: bool) -> (Told, String, usize) {
    let mut classifier = Classifier::new(Stream::Stdout, &crate::testing::lines()).unwrap();
    let mut told = Told::default();
    let at = Moment::default();
    let mut taken = 0;
    for line in lines {
        if !lane {
            classifier.moulds = Moulds::default();
        }
        let before: u32 = classifier.moulds.fits;
        classifier.feed(at, format!("{line}\n").as_bytes(), &mut told);
        taken += usize::from(classifier.moulds.fits != before);
    }
    classifier.finish(at, &mut told);
    (told, format!("{:?}", classifier.counts()), taken)
}

fn agree(lines: &[String]) -> usize {
    let (with, with_counts, taken) = read(lines, true);
    let (without, without_counts, none) = read(lines, false);
    assert_eq!(none, 0);
    for (a, b) in with.lines.iter().zip(&without.lines) {
        assert_eq!(a, b);
    }
    assert_eq!(with, without);
    assert_eq!(with_counts, without_counts);
    taken
}

#[test]
fn records_of_one_kind_take_the_lane_and_are_read_alike() {
    let beat = |n: usize| {
        format!(
            r#"{{"timestamp":"2026-03-01T00:{:02}:{:02}.{:03}Z","level":"info","event":"heartbeat","message":"heartbeat #{n}","seq":{n},"ok":true,"venue":"{}"}}"#,
            n / 60_000 % 60,
            n / 1000 % 60,
            n % 1000,
            ["XETR", "XPAR"][n % 2]
        )
    };
    let lines: Vec<String> = (0..5000).map(|n| beat(n * 7)).collect();
    assert!(agree(&lines) > 4900);
}

#[test]
fn what_only_looks_like_a_record_before_it_does_not_fit() {
    let good = r#"{"ts":1,"level":"info","msg":"beat 1","x":"a"}"#;
    let other = r#"{"ts":2,"level":"info","msg":"beat 22","x":"b"}"#;
    for odd in [
        r#"{"ts":3,"level":"error","msg":"beat 3","x":"a"}"#,
        r#"{"ts":3,"level":"info","msg":"beat Traceback (most recent call last):","x":"a"}"#,
        r#"{"ts":3,"level":"info","msg":"Traceback (most recent call last):","x":"a"}"#,
        r#"{"ts":3,"level":"info","msg":"beat panic: x","x":"a"}"#,
        r#"{"ts":3,"level":"info","msg":"beat \n","x":"a"}"#,
        r#"{"ts":3,"level":"info","msg":"beat ä","x":"a"}"#,
        r#"{"ts":03,"level":"info","msg":"beat 3","x":"a"}"#,
        r#"{"ts":3.,"level":"info","msg":"beat 3","x":"a"}"#,
        r#"{"ts":null,"level":"info","msg":"beat 3","x":"a"}"#,
        r#"{"ts":"3","level":"info","msg":"beat 3","x":"a"}"#,
        r#"{"ts":3,"level":"info","msg":7,"x":"a"}"#,
        r#"{"ts":3,"level":"info","msg":"beat 3","x":"a"},"#,
        r#"{"ts":3,"level":"info","msg":"beat 3","x":"a","level":"error"}"#,
        r#"{"ts":3,"level":"info","msg":"beat 3","x":"a"}{"level":"error"}"#,
        r#"{"ts":3,"level":"info","msg":"beat 3","x":"a""#,
        r#"{"ts":3,"level":"info","msg":"beat 3,"x":"a"}"#,
    ] {
        for place in 0..6 {
            let mut lines: Vec<String> = (0..6).map(|i| [good, other][i % 2].to_owned()).collect();
            lines.insert(place, odd.to_owned());
            agree(&lines);
        }
    }
}

#[test]
fn a_word_may_begin_in_what_is_the_same() {
    // `Trace` is the same in all of them; `Traceback` is not.
    let mut lines: Vec<String> = ["x", "y", "z", "w"]
        .map(|end| format!(r#"{{"level":"info","msg":"Trace{end}"}}"#))
        .to_vec();
    let taken = agree(&lines);
    assert!(taken >= 1, "{taken}");
    lines.push(r#"{"level":"info","msg":"Traceback (most recent call last):"}"#.to_owned());
    lines.push(r#"{"level":"info","msg":"  File \"x.py\", line 1, in f"}"#.to_owned());
    lines.push(r#"{"level":"info","msg":"ValueError: x"}"#.to_owned());
    let (told, ..) = read(&lines, true);
    assert_eq!(told.findings.len(), 1, "{told:?}");
    agree(&lines);
}

#[test]
fn traces_between_records_are_found() {
    let mut lines = Vec::new();
    for n in 0..300 {
        lines.push(format!(r#"{{"level":"info","msg":"beat {n}","n":{n}}}"#));
        if n % 50 == 20 {
            lines.push("Traceback (most recent call last):".to_owned());
            lines.push(r#"  File "/srv/app.py", line 3, in f"#.to_owned());
            lines.push(format!("ValueError: {n}"));
        }
        if n % 70 == 3 {
            lines.push(r#"{"level":"warn","msg":"slow","n":1}"#.to_owned());
            lines.push(r#"{"level":"debug","msg":"fine","n":2}"#.to_owned());
        }
    }
    agree(&lines);
}

proptest::proptest! {
    #[test]
    fn any_lines_are_read_alike(
        lines in proptest::collection::vec("\\{\"(ts|time)\":(\"2026-0[1-3]-01T00:00:0[0-9]Z\"|-?[0-9.]{1,4}|null),\"level\":\"(info|info|info|debug|warn|30)\",\"(msg|message)\":(\"(beat |Trace|panic)[a-z\\\\\"é#: 0-9]{0,6}\"|7),\"x\":(\"[ab]{0,2}\"|true|0|[0-9]{2})\\}?[x ]?", 0..60),
    ) {
        agree(&lines);
    }
}

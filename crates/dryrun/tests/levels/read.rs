//! Reads logs however they are cut, and says the worst that is found in them: alone, ended, and among lines that are well.

use std::fmt::Write as _;

use gonogo_dryrun::classify::{Classifier, Counts, Finding, Line, Sink};
use gonogo_dryrun::spec::{Lines, NumericLevels, StderrPolicy};
use gonogo_dryrun::{Moment, Status, Stream};

#[derive(Default)]
struct Found(Vec<Finding>);

impl Sink for Found {
    const LINES: bool = true;

    fn line(&mut self, _: &Line<'_>) {}

    fn finding(&mut self, finding: Finding) {
        self.0.push(finding);
    }
}

pub(crate) fn read(bytes: &[u8], portion: usize) -> (Vec<Finding>, Counts) {
    let rules = Lines {
        monitor: true,
        stderr: StderrPolicy::Error,
        allow: Vec::new(),
        numeric: NumericLevels::Auto,
        source_field: None,
    };
    let mut found = Found::default();
    let mut classifier = Classifier::new(Stream::Stdout, &rules).unwrap();
    for portion in bytes.chunks(portion) {
        classifier.feed(Moment::default(), portion, &mut found);
    }
    classifier.finish(Moment::default(), &mut found);
    (found.0, classifier.take_counts())
}

/// The worst that is found in a log, however it is cut.
pub(crate) fn worst(bytes: &[u8]) -> Status {
    let (whole, counts) = read(bytes, usize::MAX);
    for portion in [1, 7, 64] {
        assert_eq!(
            (&whole, &counts),
            (&read(bytes, portion).0, &read(bytes, portion).1),
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
    // What is wrong with a log counts by its level, too.
    whole
        .iter()
        .map(|finding| finding.severity)
        .max()
        .unwrap_or_default()
}

pub(crate) fn all(logs: &[(&str, Status)]) {
    let mut wrong = String::new();
    for (log, expected) in logs {
        // Alone, and among lines that are well.
        let among = format!(
            "all is well\n{{\"level\":\"info\",\"msg\":\"fine\"}}\n{log}\n{{\"level\":\"info\",\"msg\":\"fine\"}}\nall is well\n"
        );
        for (how, bytes) in [
            ("alone", log.as_bytes()),
            ("ended", format!("{log}\r\n").as_bytes()),
            ("among", among.as_bytes()),
        ] {
            let found = worst(bytes);
            if found != *expected {
                let _ = writeln!(wrong, "{how}, wanted {expected}, found {found}: {log}");
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

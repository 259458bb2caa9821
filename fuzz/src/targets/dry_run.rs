//! What a dry run reads: its child's lines, its own files, evidence, and logs in any packing.

use gonogo_core::Timestamp;
use gonogo_dryrun::audit::captured::RunFiles;
use gonogo_dryrun::audit::{self, Format, LogFile, LogRules, ReadAt};
use gonogo_dryrun::classify::{Classifier, Counts, Finding, LINE_LIMIT, Line, Sink};
use gonogo_dryrun::evidence::{self, DiaryRules, Input, PerformanceRules};
use gonogo_dryrun::index::{HEADER_BYTES, RECORD_BYTES, Reader};
use gonogo_dryrun::journal::Entry;
use gonogo_dryrun::judge::{self, Judgement};
use gonogo_dryrun::spec::{Gaps, Lines, NumericLevels, RunSpec, StderrPolicy};
use gonogo_dryrun::{Moment, Status, Stream};

use super::Run;
use crate::seeds::dry_run;
use crate::world::World;

/// Everything that a classifier tells.
#[derive(Debug, Default, PartialEq)]
struct Told {
    lines: Vec<(u64, Vec<u8>, String)>,
    findings: Vec<Finding>,
}

impl Sink for Told {
    const LINES: bool = true;

    fn line(&mut self, line: &Line<'_>) {
        self.lines.push((
            line.number,
            line.bytes.to_vec(),
            line.level_word.to_string(),
        ));
    }

    fn finding(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}

fn lines() -> Lines {
    Lines {
        monitor: true,
        stderr: StderrPolicy::Error,
        allow: Vec::new(),
        numeric: NumericLevels::Auto,
        source_field: Some("pod".to_owned()),
    }
}

/// Reads the bytes in portions of those sizes, in turns.
fn read(bytes: &[u8], portions: &[u8]) -> (Told, Counts) {
    let mut told = Told::default();
    let mut reader = Classifier::new(Stream::Stderr, &lines()).expect("no patterns");
    let mut sizes = portions.iter().cycle();
    let mut rest = bytes;
    while !rest.is_empty() {
        let size = sizes
            .next()
            .map_or(rest.len(), |size| usize::from(*size) + 1);
        let (portion, after) = rest.split_at(size.min(rest.len()));
        reader.feed(Moment::default(), portion, &mut told);
        rest = after;
    }
    reader.finish(Moment::default(), &mut told);
    let counts = reader.take_counts();
    (told, counts)
}

/// What is found does not depend on how the bytes came.
pub(super) fn classify(_: World) -> Run {
    Box::new(|data| {
        let Some((count, rest)) = data.split_first() else {
            return;
        };
        let (portions, bytes) = rest.split_at(usize::from(*count % 8).min(rest.len()));
        let whole = read(bytes, &[]);
        assert_eq!(whole, read(bytes, portions), "portions {portions:?}");
        assert_eq!(whole, read(bytes, &[0]), "byte by byte");
        let fed: u64 = whole.1.bytes;
        assert_eq!(fed, bytes.len() as u64);
        assert!(
            whole
                .0
                .lines
                .iter()
                .all(|line| line.1.len() <= 2 * LINE_LIMIT)
        );
        for (number, line) in whole.0.lines.iter().enumerate() {
            assert_eq!(line.0, number as u64 + 1);
        }
        let keys = whole.0.findings.iter().map(|finding| &finding.key);
        assert!(keys.clone().all(|key| key.starts_with("v1:")));
    })
}

/// Each record is printed back to its bytes.
pub(super) fn index(_: World) -> Run {
    Box::new(|data| {
        let Ok(mut reader) = Reader::new(data) else {
            return;
        };
        assert_eq!(reader.header().encode()[..], data[..HEADER_BYTES]);
        loop {
            let at = usize::try_from(reader.position()).expect("small");
            match reader.read() {
                Ok(Some(record)) => {
                    assert_eq!(record.encode()[..], data[at..at + RECORD_BYTES]);
                }
                Ok(None) => {
                    let cut = reader.cut().map_or(0, |cut| cut.bytes);
                    assert_eq!(at as u64 + cut, data.len() as u64);
                    break;
                }
                Err(_) => {
                    assert!(
                        matches!(reader.read(), Ok(None)),
                        "after an error is nothing"
                    );
                    break;
                }
            }
        }
    })
}

/// The files of a run of which only the journals are there.
struct Journals<'a>(&'a [u8]);

impl RunFiles for Journals<'_> {
    fn open(&self, name: &str) -> std::io::Result<Option<Box<dyn ReadAt>>> {
        Ok(match name {
            "keeper.jsonl" | "pump.jsonl" => Some(Box::new(self.0.to_vec())),
            _ => None,
        })
    }
}

/// What is read as an entry is written as one that reads the same; a run without bytes never passes.
pub(super) fn journal(_: World) -> Run {
    let spec: RunSpec = serde_json::from_value(dry_run::spec()).expect("a specification");
    let how = Judgement {
        evaluated_at: Timestamp::from_millis(1_795_260_000_000),
        threads: 1,
    };
    Box::new(move |data| {
        for line in data.split(|byte| *byte == b'\n') {
            let Ok(entry) = serde_json::from_slice::<Entry>(line) else {
                continue;
            };
            let text = serde_json::to_vec(&entry).expect("an entry is JSON");
            let again: Entry = serde_json::from_slice(&text).expect("its own text");
            assert_eq!(again, entry);
        }
        let report = judge::judge(&spec, &Journals(data), &how);
        let text = judge::to_bytes(&report);
        assert_eq!(
            text,
            judge::to_bytes(&judge::judge(&spec, &Journals(data), &how))
        );
        assert_ne!(report.status, Status::Pass);
    })
}

/// As of the journals.
pub(super) fn run(_: World) -> Run {
    Box::new(|data| {
        let Ok(spec) = serde_json::from_slice::<RunSpec>(data) else {
            return;
        };
        let text = serde_json::to_vec(&spec).expect("a specification is JSON");
        let again: RunSpec = serde_json::from_slice(&text).expect("its own text");
        assert_eq!(again, spec);
        // Patterns that are none are refused, not run.
        let _ = Classifier::new(Stream::Stdout, &spec.lines);
    })
}

/// Evidence that is there is judged, whatever it is.
pub(super) fn diary(_: World) -> Run {
    Box::new(|data| {
        let input = |path| Input {
            path,
            source: Some(Box::new(data)),
        };
        let judged = evidence::diary(input("d"), &DiaryRules::default()).expect("it is there");
        let again = evidence::diary(input("d"), &DiaryRules::default());
        assert_eq!(Some(judged), again);
    })
}

/// As of a diary.
pub(super) fn performance(_: World) -> Run {
    Box::new(|data| {
        let input = |path| Input {
            path,
            source: Some(Box::new(data)),
        };
        let rules = PerformanceRules {
            minimum_sharpe: Some(1.0),
            ..PerformanceRules::default()
        };
        assert!(evidence::performance(input("p"), &rules).is_some());
    })
}

/// A log in any packing: one thread finds what two find, and what cannot be unpacked is told.
pub(super) fn log(_: World) -> Run {
    let rules = LogRules {
        lines: lines(),
        gaps: Gaps {
            warn_seconds: 60.0,
            fail_seconds: 300.0,
            startup_seconds: 0.0,
            live_seconds: None,
            live_severity: Status::Warn,
        },
        heartbeat: None,
        format: Format::Auto,
        judged_at: None,
    };
    Box::new(move |data| {
        let bytes = data.to_vec();
        let source: &dyn ReadAt = &bytes;
        let audit = |threads| {
            let file = LogFile {
                name: "log".to_owned(),
                source,
            };
            let found = audit::logs(&[file], &rules, threads, None).expect("no patterns");
            serde_json::to_string(&found).expect("an audit is JSON")
        };
        assert_eq!(audit(1), audit(2));
    })
}

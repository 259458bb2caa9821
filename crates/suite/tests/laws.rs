//! What holds of every reader, over the reports of the fixtures, whole, cut and garbled.

#[path = "reports/laws.rs"]
mod laws;

use std::path::{Path, PathBuf};

use gonogo_suite::read::{self, detect};
use gonogo_suite::{Attempt, Format, Limits, Reading};

use self::laws::{check, check_cuts};

/// Ways to garble each report.
const WAYS: u64 = 40;

/// Bytes of a report that is cut at every place; a longer one is cut at some.
const SHORT: usize = 3 << 10;

/// Pieces that mean something in one format or another.
const PIECES: [&str; 24] = [
    "\n",
    "<",
    "</testcase>",
    "<testcase name=\"a\">",
    "<failure>",
    "</testsuite>",
    "<![CDATA[",
    "]]>",
    "&lt",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\\",
    "ok",
    "not ok 1\n",
    "1..3\n",
    "FAILED",
    "\"status\":\"failed\"",
    "\"Action\":\"fail\"",
    "\u{feff}",
    "\0",
];

#[test]
fn reports_whole_cut_and_garbled_obey_the_laws() {
    let mut files = Vec::new();
    list(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reports")),
        &mut files,
    );
    files.sort();
    let mut formats = Vec::new();
    for path in &files {
        let bytes = std::fs::read(path).unwrap();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(format) = detect(name, &bytes) else {
            continue;
        };
        formats.push(format);
        check(format, &bytes);
        if bytes.len() <= SHORT {
            check_cuts(format, &bytes);
        }
        let bytes = &bytes[..bytes.len().min(16 << 10)];
        let mut draw = Draw(bytes.len() as u64 + 1);
        for _ in 0..WAYS {
            check(format, &garbled(bytes, &mut draw));
        }
    }
    for format in [
        Format::Junit,
        Format::Trx,
        Format::Libtest,
        Format::LibtestJson,
        Format::Go,
        Format::PytestLog,
        Format::Jest,
        Format::Ctrf,
        Format::Tap,
    ] {
        assert!(formats.contains(&format), "no fixture is {format:?}");
        check(format, b"");
    }
}

fn garbled(bytes: &[u8], draw: &mut Draw) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=draw.below(3) {
        let at = draw.below(out.len());
        match draw.below(5) {
            0 => out.truncate(at),
            1 => {
                let to = (at + draw.below(200)).min(out.len());
                out.drain(at..to);
            }
            2 => {
                let piece = PIECES[draw.below(PIECES.len() - 1)];
                out.splice(at..at, piece.bytes());
            }
            3 => {
                let to = (at + draw.below(400)).min(out.len());
                let again = out[at..to].to_vec();
                let place = draw.below(out.len());
                out.splice(place..place, again);
            }
            _ => {
                if let Some(byte) = out.get_mut(at) {
                    *byte ^= 1 << draw.below(7);
                }
            }
        }
    }
    out
}

fn list(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory of fixtures") {
        let path = entry.expect("a fixture").path();
        if path.is_dir() {
            list(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// Numbers, the same each time (Marsaglia's xorshift).
struct Draw(u64);

impl Draw {
    /// From 0 to `most`, which may be drawn.
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % (most + 1)
    }
}

#[test]
fn a_tap_point_of_the_highest_number_is_no_panic() {
    check(
        Format::Tap,
        format!("ok {0} - a\nok - b\n1..{0}\n", u64::MAX).as_bytes(),
    );
}

fn read(format: Format, text: &str) -> Reading {
    let mut found: Vec<Attempt> = Vec::new();
    let mut source = text.as_bytes();
    read::read(format, &mut source, &Limits::default(), &mut found)
}

/// pytest-rerunfailures: only the last run says how it ended.
#[test]
fn a_pass_that_the_report_takes_back_later_is_not_believed_before() {
    let before = r#"<testsuites><testsuite name="pytest" tests="1" failures="1" errors="0" skipped="0">
<testcase classname="t" name="a" time="0.1"/>
"#;
    let after = r#"<testcase classname="t" name="a" time="0.1"><failure message="no">x</failure></testcase>
</testsuite></testsuites>"#;
    let both = format!("{before}{after}");
    let whole = read(Format::Junit, &both);
    assert!(whole.is_whole(), "{:?}", whole.issues);
    assert_eq!((whole.seen.passed, whole.seen.failed), (0, 2));
    for text in [before, &both[..before.len() + 20]] {
        let cut = read(Format::Junit, text);
        assert!(!cut.is_whole());
        assert_eq!(cut.seen.passed, 0, "{:?}", cut.issues);
    }
    check_cuts(Format::Junit, both.as_bytes());
}

/// What a binary's end says against its lines is a contradiction, and before that end nothing is believed.
#[test]
fn a_pass_that_is_listed_as_a_failure_is_not_believed() {
    let before = "running 1 test\ntest a ... ok\n";
    let after = "\nfailures:\n\nfailures:\n    a\n\n\
        test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
    let both = format!("{before}{after}");
    for text in [before, &both] {
        assert!(!read(Format::Libtest, text).is_whole(), "{text}");
    }
    check_cuts(Format::Libtest, both.as_bytes());
}

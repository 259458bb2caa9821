//! What holds of every reader, over the reports of the fixtures, whole, cut and garbled.

#[path = "reports/laws.rs"]
mod laws;

use std::path::{Path, PathBuf};

use gonogo_suite::Format;
use gonogo_suite::read::detect;

use self::laws::check;

/// Ways to garble each report.
const WAYS: u64 = 40;

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
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
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

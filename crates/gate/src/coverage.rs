//! Coverage reports of any tool into the parts that a gate compares with its floors.
//!
//! [`read()`] takes lcov, Cobertura, llvm-cov, Go or coverage.py bytes and gives a [`Report`] by file; [`measure()`] sums it up by the modules
//! that the project declares, beside a listing of its tree. Invariants: what is not measured is absent and never 0 of 0; records of one
//! file are merged by line, so that nothing counts twice; where a report contradicts its own totals, the worse figure counts and that is
//! told; a file that is in the tree and not in the report makes its module worse, never better.

mod cobertura;
mod go;
mod lcov;
mod llvm;
mod modules;
mod python;
mod tally;

pub use modules::{
    Globs, Measured, ModuleError, Modules, Paths, WHOLE, beyond, code_lines, measure,
};
pub use tally::Report;

use gonogo_core::Reason;
use serde::{Deserialize, Serialize};

/// Most bytes of a report.
pub const LARGEST: usize = 256 << 20;

/// Most bytes of a file's name in a report.
const NAME: usize = 4_096;

/// Report formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// lcov's trace files (`geninfo(1)`).
    Lcov,
    /// Cobertura's XML (coverage-04.dtd).
    Cobertura,
    /// `llvm-cov export`, with or without its details.
    LlvmCov,
    /// `go test -coverprofile`. What counts as a line is a statement, as in `go tool cover -func`.
    Go,
    /// `coverage json` of coverage.py.
    CoveragePy,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Lcov,
        Self::Cobertura,
        Self::LlvmCov,
        Self::Go,
        Self::CoveragePy,
    ];

    /// The word in files and messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lcov => "lcov",
            Self::Cobertura => "cobertura",
            Self::LlvmCov => "llvm-cov",
            Self::Go => "go",
            Self::CoveragePy => "coverage-py",
        }
    }
}

/// Why a report gives nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is too large.
    #[error("the coverage report has more than {LARGEST} bytes; split it by module")]
    TooLarge,
    /// No format that is known.
    #[error(
        "this is no coverage report that can be read: expected lcov, Cobertura XML, llvm-cov JSON, a Go cover profile or coverage.py JSON"
    )]
    Unknown,
    /// It ends before its end.
    #[error("the {0} report ends before its end: {1}; write it again")]
    Truncated(&'static str, String),
    /// It says something that the format does not have.
    #[error("the {0} report cannot be read: {1}")]
    Malformed(&'static str, String),
    /// It has no file.
    #[error("the {0} report is about no file; check what the tool was told to measure")]
    Empty(&'static str),
}

impl Error {
    /// The reason that a gate gives.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Truncated(..) => Reason::EvidenceTruncated,
            Self::Empty(_) => Reason::EvidenceMissing,
            Self::TooLarge | Self::Unknown | Self::Malformed(..) => Reason::EvidenceUnparsable,
        }
    }
}

/// Says which format bytes have, by their beginning.
pub fn detect(bytes: &[u8]) -> Option<Format> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let head = &bytes[..bytes.len().min(64 << 10)];
    let head = String::from_utf8_lossy(head);
    let head = head.trim_start();
    if head.starts_with('<') {
        return head.contains("<coverage").then_some(Format::Cobertura);
    }
    if head.starts_with('{') {
        // The type stands behind the data where keys are sorted, megabytes later.
        let has = |word: &[u8]| memchr::memmem::find(bytes, word).is_some();
        if has(b"llvm.coverage.json.export") {
            return Some(Format::LlvmCov);
        }
        let is_python = has(b"\"executed_lines\"") || has(b"\"num_statements\"");
        return is_python.then_some(Format::CoveragePy);
    }
    if head.starts_with("mode: ") {
        return Some(Format::Go);
    }
    let is_lcov = head
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .is_some_and(|line| line.starts_with("TN:") || line.starts_with("SF:"));
    is_lcov.then_some(Format::Lcov)
}

/// Reads a report. Without a format it is told by the content.
///
/// # Errors
/// [`Error`]: a report that cannot be read whole gives nothing.
pub fn read(bytes: &[u8], format: Option<Format>) -> Result<Report, Error> {
    if bytes.len() > LARGEST {
        return Err(Error::TooLarge);
    }
    let format = match format {
        Some(format) => format,
        None => detect(bytes).ok_or(Error::Unknown)?,
    };
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let text = format!("it is not UTF-8 from byte {} on", e.valid_up_to());
        Error::Malformed(format.word(), text)
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let report = match format {
        Format::Lcov => lcov::read(text),
        Format::Cobertura => cobertura::read(text),
        Format::LlvmCov => llvm::read(text),
        Format::Go => go::read(text),
        Format::CoveragePy => python::read(text),
    }?;
    if report.is_empty() {
        return Err(Error::Empty(format.word()));
    }
    Ok(report)
}

/// A file's name as it can be kept, or why not.
fn name<'a>(format: Format, text: &'a str, at: &str) -> Result<&'a str, Error> {
    let bad = |why: &str| Error::Malformed(format.word(), format!("{at}: {why}"));
    if text.trim().is_empty() {
        return Err(bad("a file without a name"));
    }
    if text.len() > NAME || text.chars().any(char::is_control) {
        return Err(bad("a file's name is too long or has control characters"));
    }
    Ok(text)
}

//! `llvm-cov export`: the summaries of its files, beside their segments where it has them.
//!
//! A summary counts by function and segments by file, so the two differ a little (`CoverageSummaryInfo.cpp`); where the summary says much
//! more than the segments show, these count.

use gonogo_core::Reason;
use serde::Deserialize;

mod segments;

use segments::Segment;

use super::tally::{Parts, Report, Tally, capped};
use super::{Error, Format, name};
use crate::inputs::Part;

const FORMAT: Format = Format::LlvmCov;

/// By how much the two ways of counting may differ.
const APART: f64 = 0.1;

#[derive(Deserialize)]
struct Export {
    #[serde(rename = "type")]
    kind: String,
    version: String,
    data: Vec<Data>,
}

#[derive(Deserialize)]
struct Data {
    files: Vec<File>,
    totals: Option<Summary>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    summary: Summary,
    #[serde(default)]
    segments: Vec<Segment>,
}

#[derive(Deserialize)]
struct Summary {
    lines: Count,
    functions: Count,
    // Older than 12: there are none.
    branches: Option<Count>,
}

#[derive(Deserialize)]
struct Count {
    count: u64,
    covered: u64,
}

impl Summary {
    fn parts(&self) -> Result<Parts, &'static str> {
        let part = |count: Option<&Count>| match count {
            Some(c) if c.covered > c.count => Err("more is covered than there is"),
            Some(c) => Ok(Part {
                covered: c.covered,
                total: c.count,
            }),
            None => Ok(Part {
                covered: 0,
                total: 0,
            }),
        };
        Ok([
            part(Some(&self.lines))?,
            part(Some(&self.functions))?,
            part(self.branches.as_ref())?,
        ])
    }
}

/// Reads an export.
pub(super) fn read(text: &str) -> Result<Report, Error> {
    let malformed = |why: String| Error::Malformed(FORMAT.word(), why);
    let export: Export = serde_json::from_str(text).map_err(|e| super::python::json(FORMAT, &e))?;
    if export.kind != "llvm.coverage.json.export" || !matches!(major(&export.version), Some(2 | 3))
    {
        let text = format!("type `{}` version `{}`", export.kind, export.version);
        return Err(malformed(format!("{text} is not known")));
    }
    let mut report = Report::new(FORMAT);
    let mut declared: Option<Parts> = None;
    for data in export.data {
        for file in data.files {
            let name = name(FORMAT, &file.filename, "a file")?;
            let parts = file.summary.parts();
            let mut parts = parts.map_err(|why| malformed(format!("`{name}`: {why}")))?;
            let shown = segments::lines(&file.segments);
            let share = shown.covered as f64 / shown.total.max(1) as f64;
            let is_less = parts[0].total == 0 || capped(parts[0], share + APART).is_some();
            if shown.total > 0 && is_less {
                let text = format!(
                    "`{name}` declares {} of {} lines and its segments show {} of {}",
                    parts[0].covered, parts[0].total, shown.covered, shown.total
                );
                report.note(Reason::EvidenceCountMismatch, text);
                parts[0] = shown;
            }
            let tally = Tally {
                fixed: Some(parts),
                last: file.segments.iter().map(|s| s.line).max().unwrap_or(0),
                ..Tally::default()
            };
            report.take(name, tally);
        }
        if let Some(totals) = data.totals {
            let parts = totals.parts().map_err(|why| malformed(why.to_owned()))?;
            let mut sum = declared.unwrap_or(
                [Part {
                    covered: 0,
                    total: 0,
                }; 3],
            );
            super::tally::add(&mut sum, parts);
            declared = Some(sum);
        }
    }
    report.declared = declared;
    report.reconcile_whole();
    Ok(report)
}

fn major(version: &str) -> Option<u64> {
    version.split('.').next()?.parse().ok()
}

//! `coverage json` of coverage.py, formats 2 and 3.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use gonogo_core::Timestamp;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, de::DeserializeOwned};

use super::tally::{Parts, Report, Tally, capped};
use super::{Error, Format, name};
use crate::inputs::Part;

const FORMAT: Format = Format::CoveragePy;

#[derive(Deserialize)]
struct Json {
    #[serde(deserialize_with = "unique")]
    files: BTreeMap<String, File>,
    totals: Option<Summary>,
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    timestamp: Option<String>,
}

#[derive(Deserialize)]
struct File {
    executed_lines: Vec<u64>,
    missing_lines: Vec<u64>,
    #[serde(default)]
    executed_branches: Vec<(i64, i64)>,
    #[serde(default)]
    missing_branches: Vec<(i64, i64)>,
    #[serde(default, deserialize_with = "unique")]
    functions: BTreeMap<String, Function>,
    summary: Summary,
}

#[derive(Deserialize)]
struct Function {
    executed_lines: Vec<u64>,
    missing_lines: Vec<u64>,
}

#[derive(Deserialize)]
struct Summary {
    covered_lines: u64,
    num_statements: u64,
    num_branches: Option<u64>,
    covered_branches: Option<u64>,
    missing_lines: Option<u64>,
    missing_branches: Option<u64>,
    percent_covered: Option<f64>,
}

impl Summary {
    fn parts(&self) -> Parts {
        let part = |covered: u64, missing: Option<u64>, total: u64| Part {
            covered,
            total: total.max(covered.saturating_add(missing.unwrap_or(0))),
        };
        let branches = self.covered_branches.unwrap_or(0);
        [
            part(self.covered_lines, self.missing_lines, self.num_statements),
            Part {
                covered: 0,
                total: 0,
            },
            part(
                branches,
                self.missing_branches,
                self.num_branches.unwrap_or(0),
            ),
        ]
    }

    /// The share of lines and branches together that it declares, if these are more.
    fn less_than(&self, lines: Part, branches: Part) -> Option<f64> {
        let share = self.percent_covered? / 100.0;
        let both = Part {
            covered: lines.covered.saturating_add(branches.covered),
            total: lines.total.saturating_add(branches.total),
        };
        capped(both, share).map(|_| share)
    }
}

/// Why JSON cannot be read.
pub(super) fn json(format: Format, error: &serde_json::Error) -> Error {
    if error.is_eof() {
        Error::Truncated(format.word(), error.to_string())
    } else {
        Error::Malformed(format.word(), error.to_string())
    }
}

/// A map in which no key stands twice.
fn unique<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    from: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    struct Unique<T>(PhantomData<T>);
    impl<'de, T: DeserializeOwned> Visitor<'de> for Unique<T> {
        type Value = BTreeMap<String, T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = BTreeMap::new();
            while let Some((key, value)) = map.next_entry::<String, T>()? {
                if found.contains_key(&key) {
                    let key: String = key.chars().take(80).collect();
                    return Err(A::Error::custom(format!("`{key}` stands twice")));
                }
                found.insert(key, value);
            }
            Ok(found)
        }
    }
    from.deserialize_map(Unique(PhantomData))
}

/// When that was at the earliest and at the latest: it is the time of a machine, and has no zone.
fn made(text: &str) -> Option<(Timestamp, Timestamp)> {
    const HOUR: i64 = 3_600_000;
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some((at, at));
    }
    let at = format!("{text}Z").parse::<Timestamp>().ok()?.as_millis();
    let between = (at.saturating_sub(14 * HOUR), at.saturating_add(12 * HOUR));
    Some((
        Timestamp::from_millis(between.0),
        Timestamp::from_millis(between.1),
    ))
}

/// Reads a report.
pub(super) fn read(text: &str) -> Result<Report, Error> {
    let read: Json = serde_json::from_str(text).map_err(|e| json(FORMAT, &e))?;
    let mut report = Report::new(FORMAT);
    for (file, found) in read.files {
        let file = name(FORMAT, &file, "a file")?;
        let mut tally = Tally::default();
        for (lines, ran) in [(&found.missing_lines, false), (&found.executed_lines, true)] {
            for line in lines {
                if tally.lines.insert(*line, ran).is_some() {
                    let text = format!("`{file}`: line {line} stands twice");
                    return Err(Error::Malformed(FORMAT.word(), text));
                }
            }
        }
        for (pairs, taken) in [
            (&found.missing_branches, false),
            (&found.executed_branches, true),
        ] {
            for (from, to) in pairs {
                tally.branch(from.unsigned_abs(), 0, &to.to_string(), taken);
            }
        }
        for (name, function) in found.functions {
            let is_measured =
                !function.executed_lines.is_empty() || !function.missing_lines.is_empty();
            // The nameless one is what stands outside of functions.
            if !name.is_empty() && is_measured {
                tally.function(0, &name, !function.executed_lines.is_empty());
            }
        }
        let parts = found.summary.parts();
        for which in [0, 2] {
            report.reconcile(file, &mut tally, which, parts[which]);
        }
        let shown = tally.shown();
        if let Some(share) = found.summary.less_than(shown[0], shown[2]) {
            for which in [0, 2] {
                report.cap(file, &mut tally, which, share);
            }
        }
        report.take(file, tally);
    }
    report.declared = read.totals.as_ref().map(Summary::parts);
    if let (Some(totals), Some(declared)) = (&read.totals, &mut report.declared)
        && let Some(share) = totals.less_than(declared[0], declared[2])
    {
        for part in declared {
            *part = capped(*part, share).unwrap_or(*part);
        }
    }
    report.made = read.meta.and_then(|meta| made(&meta.timestamp?));
    report.reconcile_whole();
    Ok(report)
}

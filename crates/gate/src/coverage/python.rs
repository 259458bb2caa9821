//! `coverage json` of coverage.py, formats 2 and 3.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, de::DeserializeOwned};

use super::tally::{Parts, Report, Tally};
use super::{Error, Format, name};
use crate::inputs::Part;

const FORMAT: Format = Format::CoveragePy;

#[derive(Deserialize)]
struct Json {
    #[serde(deserialize_with = "unique")]
    files: BTreeMap<String, File>,
    totals: Option<Summary>,
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
}

impl Summary {
    fn parts(&self) -> Parts {
        [
            Part {
                covered: self.covered_lines,
                total: self.num_statements,
            },
            Part {
                covered: 0,
                total: 0,
            },
            Part {
                covered: self.covered_branches.unwrap_or(0),
                total: self.num_branches.unwrap_or(0),
            },
        ]
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
        report.take(file, tally);
    }
    report.declared = read.totals.as_ref().map(Summary::parts);
    report.reconcile_whole();
    Ok(report)
}

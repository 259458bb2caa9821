//! lcov's trace files: `SF` to `end_of_record`, as geninfo(1), gcovr, coverage.py, istanbul and llvm-cov write them.

use std::collections::BTreeMap;

use super::tally::{Report, Tally};
use super::{Error, Format, name};
use crate::inputs::Part;

const FORMAT: Format = Format::Lcov;

/// A record that is open.
#[derive(Default)]
struct Record {
    file: String,
    tally: Tally,
    /// Lines of functions, by name, and whether they ran.
    functions: BTreeMap<String, (Option<u64>, bool)>,
    /// Lines of functions by their index (`FNL`, `FNA` of lcov 2).
    indexed: BTreeMap<u64, u64>,
    /// Found and hit, as declared.
    found: [Option<u64>; 3],
    hit: [Option<u64>; 3],
}

/// Reads a trace file.
pub(super) fn read(text: &str) -> Result<Report, Error> {
    let mut report = Report::new(FORMAT);
    let mut open: Option<Record> = None;
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        let bad = |why: &str| Error::Malformed(FORMAT.word(), format!("line {}: {why}", n + 1));
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "end_of_record" {
            let record = open
                .take()
                .ok_or_else(|| bad("a record ends that is not open"))?;
            close(&mut report, record);
            continue;
        }
        let (key, value) = line
            .split_once(':')
            .ok_or_else(|| bad("expected KEY:value"))?;
        if !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(bad("expected KEY:value"));
        }
        match (key, &mut open) {
            ("TN", None) => {}
            ("SF", None) => {
                let file = name(FORMAT, value, &format!("line {}", n + 1))?.to_owned();
                open = Some(Record {
                    file,
                    ..Record::default()
                });
            }
            ("SF", Some(_)) => {
                let text = format!("line {}: a file begins within another", n + 1);
                return Err(Error::Truncated(FORMAT.word(), text));
            }
            (_, Some(record)) => entry(record, key, value).map_err(bad)?,
            (_, None) => return Err(bad("it belongs to no file")),
        }
    }
    if let Some(record) = open {
        let text = format!("the record of `{}` is open", record.file);
        return Err(Error::Truncated(FORMAT.word(), text));
    }
    Ok(report)
}

fn number(text: &str) -> Result<u64, &'static str> {
    text.trim().parse().map_err(|_| "expected a whole number")
}

/// How often something ran: `-` where its line never did. Some compilers write negative counts, which say nothing.
fn count(text: &str) -> Result<bool, &'static str> {
    let text = text.trim();
    if text == "-" {
        return Ok(false);
    }
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() => Ok(n > 0.0),
        _ => Err("expected a count"),
    }
}

fn entry(record: &mut Record, key: &str, value: &str) -> Result<(), &'static str> {
    let two = |what: &'static str| value.split_once(',').ok_or(what);
    match key {
        "DA" => {
            let (line, rest) = two("expected DA:line,count")?;
            let hits = rest.split(',').next().unwrap_or_default();
            record.tally.line(number(line)?, count(hits)?);
        }
        "FN" => {
            let (line, rest) = two("expected FN:line,name")?;
            // From lcov 1.16 on, a last line may stand between.
            let name = match rest.split_once(',') {
                Some((end, name)) if !end.is_empty() && end.bytes().all(|b| b.is_ascii_digit()) => {
                    name
                }
                _ => rest,
            };
            let line = number(line)?;
            record.functions.entry(name.to_owned()).or_default().0 = Some(line);
        }
        "FNDA" => {
            let (hits, name) = two("expected FNDA:count,name")?;
            let ran = count(hits)?;
            record.functions.entry(name.to_owned()).or_default().1 |= ran;
        }
        "FNL" => {
            let (index, rest) = two("expected FNL:index,line")?;
            let line = rest.split(',').next().unwrap_or_default();
            record.indexed.insert(number(index)?, number(line)?);
        }
        "FNA" => {
            let (index, rest) = two("expected FNA:index,count,name")?;
            let (hits, name) = rest
                .split_once(',')
                .ok_or("expected FNA:index,count,name")?;
            let line = record.indexed.get(&number(index)?).copied();
            let known = record.functions.entry(name.to_owned()).or_default();
            *known = (line, known.1 | count(hits)?);
        }
        "BRDA" => {
            let what = "expected BRDA:line,block,branch,taken";
            let (line, rest) = value.split_once(',').ok_or(what)?;
            let (block, rest) = rest.split_once(',').ok_or(what)?;
            // The name of a branch may have commas.
            let (branch, taken) = rest.rsplit_once(',').ok_or(what)?;
            // `e` marks branches of exceptions.
            let block = block.trim_start_matches('e');
            record
                .tally
                .branch(number(line)?, number(block)?, branch, count(taken)?);
        }
        "LF" => record.found[0] = Some(number(value)?),
        "LH" => record.hit[0] = Some(number(value)?),
        "FNF" => record.found[1] = Some(number(value)?),
        "FNH" => record.hit[1] = Some(number(value)?),
        "BRF" => record.found[2] = Some(number(value)?),
        "BRH" => record.hit[2] = Some(number(value)?),
        _ => {}
    }
    Ok(())
}

fn close(report: &mut Report, mut record: Record) {
    let names = record.functions.len() as u64;
    // Instances of one generic function stand on one line under many names, and are one where the report counts them as one.
    let by_name = record.found[1].is_none_or(|found| found == names);
    for (name, (line, ran)) in std::mem::take(&mut record.functions) {
        let (line, name) = match line {
            Some(line) if !by_name => (line, ""),
            Some(line) => (line, name.as_str()),
            None => (0, name.as_str()),
        };
        record.tally.function(line, name, ran);
    }
    for which in 0..3 {
        if let Some(total) = record.found[which] {
            let shown = record.tally.shown()[which];
            let declared = Part {
                covered: record.hit[which].unwrap_or(shown.covered),
                total,
            };
            report.reconcile(&record.file, &mut record.tally, which, declared);
        }
    }
    report.take(&record.file, record.tally);
}

//! `go test -coverprofile`: `name.go:line.column,line.column statements count`.

use std::collections::BTreeMap;

use super::tally::{Report, Tally};
use super::{Error, Format, name};
use crate::inputs::Part;

const FORMAT: Format = Format::Go;

/// Where a block begins and ends, in lines and columns.
type Block = [u64; 4];

/// Statements of a block, and whether it ran.
type Blocks = BTreeMap<Block, (u64, bool)>;

/// Reads a profile, or several one behind the other.
pub(super) fn read(text: &str) -> Result<Report, Error> {
    if !text.ends_with('\n') {
        let text = "its last line has no end".to_owned();
        return Err(Error::Truncated(FORMAT.word(), text));
    }
    let mut files: BTreeMap<&str, Blocks> = BTreeMap::new();
    let mut is_begun = false;
    for (n, line) in text.lines().enumerate() {
        let at = format!("line {}", n + 1);
        let bad = |why: &str| Error::Malformed(FORMAT.word(), format!("{at}: {why}"));
        let line = line.trim_end();
        if let Some(mode) = line.strip_prefix("mode: ") {
            if !matches!(mode, "set" | "count" | "atomic") {
                return Err(bad("the mode is not known"));
            }
            is_begun = true;
            continue;
        }
        if line.is_empty() {
            continue;
        }
        if !is_begun {
            return Err(bad("expected `mode: set`, `count` or `atomic`"));
        }
        let (file, block, statements, ran) =
            entry(line).ok_or_else(|| bad("expected name.go:line.column,line.column n count"))?;
        name(FORMAT, file, &at)?;
        let known = files
            .entry(file)
            .or_default()
            .entry(block)
            .or_insert((statements, false));
        if known.0 != statements {
            return Err(bad("one block has two numbers of statements"));
        }
        known.1 |= ran;
    }
    let mut report = Report::new(FORMAT);
    for (file, blocks) in files {
        let sum = |ran: bool| -> u64 {
            let counted = blocks.values().filter(|(_, did)| *did || !ran);
            counted.fold(0, |sum, (n, _)| sum.saturating_add(*n))
        };
        let lines = Part {
            covered: sum(true),
            total: sum(false),
        };
        let none = Part {
            covered: 0,
            total: 0,
        };
        let tally = Tally {
            fixed: Some([lines, none, none]),
            ..Tally::default()
        };
        report.take(file, tally);
    }
    Ok(report)
}

fn entry(line: &str) -> Option<(&str, Block, u64, bool)> {
    let (rest, count) = line.rsplit_once(' ')?;
    let (rest, statements) = rest.rsplit_once(' ')?;
    let (file, block) = rest.rsplit_once(':')?;
    let (from, to) = block.split_once(',')?;
    let place = |text: &str| {
        let (line, column) = text.split_once('.')?;
        Some((line.parse::<u64>().ok()?, column.parse::<u64>().ok()?))
    };
    let ((a, b), (c, d)) = (place(from)?, place(to)?);
    let statements = statements.parse().ok().filter(|n| *n <= 1 << 32)?;
    Some((
        file,
        [a, b, c, d],
        statements,
        count.parse::<u64>().ok()? > 0,
    ))
}

//! Tables, JSON, and the table in the documentation.
//!
//! Full runs are kept in the target directory, one file a bench. The documentation's table is made from those files, so that
//! a bench can be taken again by itself; rows whose run is not kept here stay as they are, and what was never measured is
//! shown as that.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::machine::Machine;
use super::{Bench, Met, Row, workshop};
use crate::run::root;

const BEGIN: &str = "<!-- figures: begin; written by `cargo xtask bench --write-docs` -->";
const END: &str = "<!-- figures: end -->";
const HEAD: [&str; 5] = ["What", "Bar", "Measured", "Peer", "Met"];

/// What one bench gave.
pub(super) struct Section {
    pub(super) bench: &'static str,
    pub(super) rows: Vec<Row>,
    /// What it printed.
    pub(super) raw: Value,
}

/// The table for a terminal.
pub(super) fn table(quick: bool, sections: &[Section]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(sections.iter().flat_map(|s| &s.rows).map(cells));
    let width = |column: usize| {
        let widths = lines.iter().map(|cells| cells[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths = [0, 1, 2, 3, 4].map(width);
    let mut out = String::new();
    for cells in &lines {
        let padded: Vec<String> = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        out.push_str(padded.join(" | ").trim_end());
        out.push('\n');
    }
    if quick {
        out.push_str(
            "A quick run: fewer runs than the bars are about. These figures are no evidence.\n",
        );
    }
    out
}

fn cells(row: &Row) -> [String; 5] {
    let met = match row.met {
        Met::Yes => "yes",
        Met::No => "NO",
        Met::Skipped => "not measured",
    };
    [&row.what, &row.bar, &row.measured, &row.peer, met].map(str::to_owned)
}

/// All of a run.
pub(super) fn json(machine: &Machine, quick: bool, sections: &[Section]) -> Value {
    let section = |s: &Section| {
        let rows: Vec<Value> = s
            .rows
            .iter()
            .map(|r| {
                let met = match r.met {
                    Met::Yes => json!(true),
                    Met::No => json!(false),
                    Met::Skipped => Value::Null,
                };
                json!({"what": r.what, "bar": r.bar, "measured": r.measured, "peer": r.peer, "met": met})
            })
            .collect();
        json!({"bench": s.bench, "rows": rows, "raw": s.raw})
    };
    let benches: Vec<Value> = sections.iter().map(section).collect();
    json!({"schema": "gonogo.bench.v1", "quick": quick, "machine": machine.json(), "benches": benches})
}

fn kept(bench: &str) -> Result<PathBuf> {
    Ok(workshop("results")?.join(format!("{bench}.json")))
}

/// Keeps a full run for the documentation.
pub(super) fn keep(document: &Value) -> Result<()> {
    for section in document["benches"].as_array().into_iter().flatten() {
        let name = section["bench"].as_str().unwrap_or_default();
        let path = kept(name)?;
        let text = format!(
            "{:#}\n",
            json!({"machine": document["machine"], "bench": section})
        );
        std::fs::write(&path, text)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

/// Writes the kept figures between the markers of the documentation.
pub(super) fn write_docs(benches: &[Bench]) -> Result<()> {
    let mut figures = Vec::new();
    for bench in benches {
        let text = std::fs::read_to_string(kept(bench.name)?).unwrap_or_default();
        figures.push((bench, serde_json::from_str(&text).unwrap_or(Value::Null)));
    }
    let path = root().join("docs/benchmarks.md");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let text = replace(&text, &markdown(&figures, &written(&text)))?;
    std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

/// `text` with `figures` between its markers.
fn replace(text: &str, figures: &str) -> Result<String> {
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let (before, after) = parts.with_context(|| {
        format!("docs/benchmarks.md has lost its markers; put back `{BEGIN}` and `{END}`")
    })?;
    Ok(format!("{before}{BEGIN}\n{figures}{END}{after}"))
}

/// The rows of the documentation as they are, by bench: where they were taken, and what stands behind the bench's name. They
/// stay where no newer run is kept.
fn written(text: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let block = text
        .split_once(BEGIN)
        .and_then(|(_, rest)| rest.split_once(END))
        .map_or("", |(block, _)| block);
    let machine = |number: &str| {
        let mark = format!("({number}) ");
        block.lines().find_map(|line| line.strip_prefix(&mark))
    };
    let mut all: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for line in block.lines() {
        let row = line.strip_prefix("| `").and_then(|rest| {
            let (bench, rest) = rest.split_once("` (")?;
            let (number, rest) = rest.split_once(") | ")?;
            Some((bench, machine(number)?, rest))
        });
        if let Some((bench, on, rest)) = row {
            let rows = all.entry(bench.to_owned()).or_default();
            rows.push((on.to_owned(), rest.to_owned()));
        }
    }
    all
}

fn markdown(
    figures: &[(&Bench, Value)],
    before: &BTreeMap<String, Vec<(String, String)>>,
) -> String {
    let mut out = format!(
        "| Bench | {} |\n|---|---|---|---|---|---|\n",
        HEAD.join(" | ")
    );
    let mut machines: Vec<String> = Vec::new();
    let number = |machines: &mut Vec<String>, on: &str| {
        let known = machines.iter().position(|m| m == on);
        known.unwrap_or_else(|| {
            machines.push(on.to_owned());
            machines.len() - 1
        }) + 1
    };
    for (bench, document) in figures {
        let rows = document.pointer("/bench/rows").and_then(Value::as_array);
        let Some(rows) = rows else {
            if let Some(rows) = before.get(bench.name) {
                for (on, rest) in rows {
                    let at = number(&mut machines, on);
                    let _ = writeln!(out, "| `{}` ({at}) | {rest}", bench.name);
                }
                continue;
            }
            for (what, bar) in bench.bars {
                line(
                    &mut out,
                    &format!("`{}`", bench.name),
                    [what, bar, "not measured yet", "—", "not measured"],
                );
            }
            continue;
        };
        let on = document
            .pointer("/machine/line")
            .and_then(Value::as_str)
            .unwrap_or("an unknown machine");
        let at = number(&mut machines, on);
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or("—").to_owned();
        for row in rows {
            let met = match row["met"].as_bool() {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "not measured",
            };
            let [what, bar, measured, peer] =
                ["what", "bar", "measured", "peer"].map(|n| text(row, n));
            line(
                &mut out,
                &format!("`{}` ({at})", bench.name),
                [&what, &bar, &measured, &peer, met],
            );
        }
    }
    out.push('\n');
    for (i, machine) in machines.iter().enumerate() {
        let _ = writeln!(out, "({}) {machine}", i + 1);
        out.push('\n');
    }
    out
}

fn line(out: &mut String, bench: &str, cells: [&str; 5]) {
    let cells = cells.map(|c| c.replace('|', "\\|").replace('\n', " "));
    let _ = writeln!(out, "| {bench} | {} |", cells.join(" | "));
}

/// Fails unless every bar was measured and met.
pub(super) fn verdict(sections: &[Section]) -> Result<()> {
    let named = |met: Met| -> Vec<String> {
        let rows = sections
            .iter()
            .flat_map(|s| s.rows.iter().map(move |r| (s.bench, r)));
        rows.filter(|(_, r)| r.met == met)
            .map(|(bench, r)| format!("{bench}: {}", r.what))
            .collect()
    };
    let (missed, skipped) = (named(Met::No), named(Met::Skipped));
    if missed.is_empty() && skipped.is_empty() {
        return Ok(());
    }
    let mut text = String::new();
    for (title, rows) in [("bars not met", missed), ("not measured", skipped)] {
        if !rows.is_empty() {
            let _ = write!(text, "\n{title}:\n  {}", rows.join("\n  "));
        }
    }
    bail!("{}", text.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(met: Met) -> Section {
        let row = Row {
            met,
            ..Row::new("w | x", "b", "m".into(), true)
        };
        Section {
            bench: "sim",
            rows: vec![row],
            raw: Value::Null,
        }
    }

    #[test]
    fn only_met_bars_are_a_success() {
        assert!(verdict(&[section(Met::Yes)]).is_ok());
        let text = verdict(&[section(Met::No), section(Met::Skipped)])
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("bars not met:\n  sim: w | x")
                && text.contains("not measured:\n  sim: w | x"),
            "{text}"
        );
        assert!(verdict(&[section(Met::Skipped)]).is_err());
    }

    #[test]
    fn a_quick_table_says_so() {
        assert!(table(true, &[section(Met::Yes)]).contains("quick run"));
        assert!(!table(false, &[section(Met::Yes)]).contains("quick run"));
    }

    #[test]
    fn figures_go_between_the_markers_again_and_again() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let once = replace(&text, "new\n").unwrap();
        assert_eq!(once, format!("a\n{BEGIN}\nnew\n{END}\nb\n"));
        assert_eq!(replace(&once, "new\n").unwrap(), once);
        assert!(replace("nothing", "new").is_err());
    }

    #[test]
    fn what_was_never_measured_is_shown_as_that() {
        let [bench, ..] = &super::super::BENCHES;
        let none = BTreeMap::new();
        let text = markdown(&[(bench, Value::Null)], &none);
        assert!(
            text.contains("not measured yet") && !text.contains("yes |"),
            "{text}"
        );
        let kept = json!({"machine": {"line": "m"}, "bench": {"rows": [{"what": "a|b", "bar": "c", "measured": "d", "peer": "e", "met": false}]}});
        let text = markdown(&[(bench, kept.clone())], &none);
        assert!(
            text.contains("a\\|b | c | d | e | **no** |") && text.contains("(1) m"),
            "{text}"
        );
        // Where no run is kept, the row and the place where it was taken stay.
        let [_, other, ..] = &super::super::BENCHES;
        let page = format!("{BEGIN}\n{text}{END}\n");
        let known = written(&page);
        assert_eq!(markdown(&[(bench, Value::Null)], &known), text);
        let newer = json!({"machine": {"line": "n"}, "bench": {"rows": kept["bench"]["rows"]}});
        let both = markdown(&[(other, newer), (bench, Value::Null)], &known);
        assert!(
            both.contains(&format!("| `{}` (1) | a", other.name)),
            "{both}"
        );
        assert!(
            both.contains(&format!("| `{}` (2) | a", bench.name)),
            "{both}"
        );
        assert!(both.contains("(1) n") && both.contains("(2) m"), "{both}");
    }
}

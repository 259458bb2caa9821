//! Suites and gates in figures: readers, and what works on what they read.
//!
//! The sections are a table; each measures one part and stands in a file of its own. Invariant: a section that cannot be measured
//! takes no other one with it.

mod readers;

use anyhow::Result;
use serde_json::{Map, Value};

use super::{Bench, Measured, Row, Settings};

pub(super) const SUITE: Bench = Bench {
    name: "suite",
    bars: &[("suites and gates", "every section")],
    run: suite,
};

/// A part that is measured by itself.
struct Section {
    name: &'static str,
    /// What it measures and the bar, for the line that says that it could not.
    bars: &'static [(&'static str, &'static str)],
    run: fn(&Settings) -> Result<Measured>,
}

static SECTIONS: &[Section] = &[readers::READERS];

fn suite(settings: &Settings) -> Result<Measured> {
    let (mut all, mut raw) = (Vec::new(), Map::new());
    for section in SECTIONS {
        println!("   {}", section.name);
        match (section.run)(settings) {
            Ok(measured) => {
                all.extend(measured.rows);
                raw.insert(section.name.to_owned(), measured.raw);
            }
            Err(e) => {
                let why = format!("{e:#}");
                let skip = |(what, bar): &(&str, &str)| Row::skipped(what, bar, &why);
                all.extend(section.bars.iter().map(skip));
                raw.insert(section.name.to_owned(), Value::Null);
            }
        }
    }
    Ok(Measured {
        rows: all,
        raw: raw.into(),
    })
}

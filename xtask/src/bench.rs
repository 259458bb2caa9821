//! Figures, as measured, beside their peers: `cargo xtask bench [NAME…] [--out FILE] [--quick] [--write-docs]`, or
//! `--write-docs-kept`, which measures nothing.
//!
//! Each bench is a program of this workspace (an example, mostly) that measures and prints; here they are built, run, held
//! against their bars, and shown. Invariants: a figure comes from a run, never from text; what could not be measured says
//! why and is never green; a quick run is marked as one and never gets into the documentation.

mod doors;
mod dry_run;
mod figures;
mod ledger;
mod machine;
mod peers;
mod programs;
mod proxy;
mod report;
mod startup;
mod suite;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run::root;
use machine::Machine;

/// Whether a bar was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    Yes,
    No,
    /// Not measured; [`Row::measured`] says why.
    Skipped,
}

/// One line of the table.
#[derive(Debug, Clone)]
struct Row {
    what: String,
    bar: String,
    measured: String,
    /// What the peer measured, or a dash.
    peer: String,
    met: Met,
}

impl Row {
    fn new(what: &str, bar: &str, measured: String, met: bool) -> Self {
        Self {
            what: what.into(),
            bar: bar.into(),
            measured,
            peer: "—".into(),
            met: if met { Met::Yes } else { Met::No },
        }
    }

    fn skipped(what: &str, bar: &str, why: &str) -> Self {
        Self {
            measured: format!("skipped: {}", why.replace('\n', " ")),
            met: Met::Skipped,
            ..Self::new(what, bar, String::new(), false)
        }
    }

    fn beside(self, peer: String) -> Self {
        Self { peer, ..self }
    }
}

/// What a bench gave: its lines, and all that it printed.
struct Measured {
    rows: Vec<Row>,
    raw: Value,
}

/// A bench.
struct Bench {
    name: &'static str,
    /// What it measures and the bar, for the line that says that it could not.
    bars: &'static [(&'static str, &'static str)],
    run: fn(&Settings) -> Result<Measured>,
}

impl Bench {
    /// Whether it is called so, or is one of the family of that name.
    fn answers_to(&self, name: &str) -> bool {
        let inner = self.name.strip_prefix(name);
        inner.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

/// How to run.
struct Settings {
    /// Fewer runs.
    quick: bool,
}

impl Settings {
    /// `full` runs, or `quick` ones.
    fn runs(&self, full: u32, quick: u32) -> u32 {
        if self.quick { quick } else { full }
    }
}

static BENCHES: [Bench; 16] = [
    programs::FAULT,
    programs::STATS,
    proxy::PROXY,
    programs::SIM,
    programs::ENGINE,
    programs::KILL,
    ledger::LEDGER,
    ledger::VERIFY,
    dry_run::DRY_RUN,
    doors::DOORS,
    suite::readers::READERS,
    suite::runbook::RUNBOOK,
    suite::cluster::SUITE_CLUSTER,
    suite::gate::SUITE_GATE,
    suite::perf::SUITE_PERF,
    startup::STARTUP,
];

/// Runs the benches named in `args`, or all; see the module's text for the options.
///
/// # Errors
/// A bench that does not exist; a bar that was not met; a bench that could not be measured.
pub fn bench(args: &[&str]) -> Result<()> {
    if args == ["--write-docs-kept"] {
        return report::write_docs(&BENCHES);
    }
    let wanted = Wanted::parse(args)?;
    let settings = Settings {
        quick: wanted.quick,
    };
    let mut machine = Machine::here()?;
    println!("{machine}");
    if machine.is_busy() {
        println!(
            "The machine is busy: figures of time say little. Take them again when it is quiet."
        );
    }
    let mut results = Vec::new();
    for bench in &wanted.benches {
        println!("── {}", bench.name);
        let began = now();
        let Measured { rows, raw } = (bench.run)(&settings).unwrap_or_else(|e| {
            let why = format!("{e:#}");
            let skip = |(what, bar): &(&str, &str)| Row::skipped(what, bar, &why);
            Measured {
                rows: bench.bars.iter().map(skip).collect(),
                raw: Value::Null,
            }
        });
        println!("   {:.0} s", began.elapsed().as_secs_f64());
        results.push(report::Section {
            bench: bench.name,
            rows,
            raw,
        });
    }
    // A bench may have fetched its peer.
    machine.look_for_peers();
    let document = report::json(&machine, wanted.quick, &results);
    print!("\n{machine}\n\n{}", report::table(wanted.quick, &results));
    if let Some(out) = &wanted.out {
        std::fs::write(out, format!("{document:#}\n"))
            .with_context(|| format!("{} cannot be written", out.display()))?;
    }
    if !wanted.quick {
        report::keep(&document)?;
    }
    if wanted.write_docs {
        report::write_docs(&BENCHES)?;
    }
    report::verdict(&results)
}

/// What the command line asks for.
struct Wanted {
    benches: Vec<&'static Bench>,
    out: Option<PathBuf>,
    quick: bool,
    write_docs: bool,
}

impl Wanted {
    fn parse(args: &[&str]) -> Result<Self> {
        let (mut benches, mut out, mut quick, mut write_docs) = (Vec::new(), None, false, false);
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            match *arg {
                "--quick" => quick = true,
                "--write-docs" => write_docs = true,
                "--out" => out = Some(PathBuf::from(rest.next().context("--out needs a FILE")?)),
                name => {
                    let names: Vec<&str> = BENCHES.iter().map(|b| b.name).collect();
                    let before = benches.len();
                    benches.extend(BENCHES.iter().filter(|bench| bench.answers_to(name)));
                    if benches.len() == before {
                        bail!(
                            "no bench or option is called `{name}`. Benches: {}; `suite` is all of `suite-…`. \
                             Options: --out FILE, --quick, --write-docs; --write-docs-kept alone",
                            names.join(", ")
                        );
                    }
                }
            }
        }
        if quick && write_docs {
            bail!("--write-docs wants full runs; leave --quick out");
        }
        if benches.is_empty() {
            benches = BENCHES.iter().collect();
        }
        Ok(Self {
            benches,
            out,
            quick,
            write_docs,
        })
    }
}

/// Where benches keep what they need.
fn workshop(name: &str) -> Result<PathBuf> {
    let path = target().join("bench").join(name);
    std::fs::create_dir_all(&path).with_context(|| format!("{} cannot be made", path.display()))?;
    Ok(path)
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    let set = std::env::var_os("CARGO_TARGET_DIR");
    root().join(set.map_or_else(|| "target".into(), PathBuf::from))
}

/// The one place that reads a clock.
#[expect(
    clippy::disallowed_methods,
    reason = "a chore measures time, and nothing here is replayed"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_all_of_its_name_and_no_other() {
        let names = |args: &[&str]| -> Vec<&str> {
            let wanted = Wanted::parse(args).unwrap();
            wanted.benches.iter().map(|bench| bench.name).collect()
        };
        assert_eq!(names(&["sim"]), ["sim"]);
        assert_eq!(names(&["suite-gate", "verify"]), ["suite-gate", "verify"]);
        let all = names(&["suite"]);
        assert!(all.len() == 5 && all.iter().all(|name| name.starts_with("suite-")));
        assert_eq!(names(&[]).len(), BENCHES.len());
        for wrong in ["suit", "suite-", "dry-ru", ""] {
            assert!(Wanted::parse(&[wrong]).is_err(), "{wrong}");
        }
    }
}

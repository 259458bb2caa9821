//! The ledger's figures: appending, checking, surviving, verifying. The programs are examples of `gonogo-store` and
//! `gonogo-ledger`.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::figures::{grouped, last_json, number};
use super::programs::example;
use super::{Bench, Measured, Row, Settings};

pub(super) const LEDGER: Bench = Bench {
    name: "ledger",
    bars: &[
        (
            "durable appends of 1 KiB records by 16 writers",
            "≥ 3,000 a second, p99 < 120 ms",
        ),
        ("the same by one writer", "p99 < 10 ms"),
        ("fsck of 1,000,000 records, signatures included", "< 30 s"),
        ("verify a packet of 10,000 records", "≤ 3 × sha256sum"),
        (
            "acknowledged records lost over 10,000 simulated power failures and failed syncs",
            "0",
        ),
        (
            "acknowledged records lost over 200 SIGKILLs under load",
            "0",
        ),
        (
            "changed packets accepted: every bit of a small one, 10,000 random changes of a large one",
            "0",
        ),
        (
            "resident memory while a packet of 1 GB is written and verified",
            "≤ 128 MB",
        ),
    ],
    run: ledger,
};

pub(super) const VERIFY: Bench = Bench {
    name: "verify",
    bars: &[("verify a packet of 1,000 records", "< 1 s")],
    run: verify,
};

fn bar(n: usize) -> (&'static str, &'static str) {
    LEDGER.bars[n]
}

fn ledger(settings: &Settings) -> Result<Measured> {
    let store = |args: &[&str]| last_json(&example("gonogo-store", "ledger_bench", args)?);
    let append = store(&["append", &settings.runs(4_000, 400).to_string()])?;
    let fsck = store(&["fsck", &settings.runs(1_000_000, 20_000).to_string()])?;
    let crash = store(&["crash", &settings.runs(10_000, 300).to_string()])?;
    let kill = store(&["kill", &settings.runs(200, 10).to_string()])?;
    let records = settings.runs(10_000, 1_000).to_string();
    let verified = example("gonogo-ledger", "verify_bench", &[&records, "9"])?;
    let bits = example("gonogo-ledger", "verify_bench", &["bits"])?;
    let changes = settings.runs(10_000, 500).to_string();
    let changed = example("gonogo-ledger", "verify_bench", &["mutate", &changes, "1"])?;
    let blob = example("gonogo-store", "packet_bench", &["blob"])?;
    let many = settings.runs(200_000, 2_000).to_string();
    let many = example("gonogo-store", "packet_bench", &["records", &many])?;
    let rows = vec![
        appends(0, &append, "/sixteen", |rate, p99| {
            rate >= 3_000.0 && p99 < 120.0
        })?,
        appends(1, &append, "/one", |_, p99| p99 < 10.0)?,
        whole(&fsck)?,
        beside_sha256sum(&verified)?,
        survived(&crash)?,
        killed(&kill)?,
        refused(&bits, &changed)?,
        memory(&blob, &many)?,
    ];
    let raw = json!({
        "append": append, "fsck": fsck, "crash": crash, "kill": kill, "verify": verified.trim(),
        "bits": bits.trim(), "changed": changed.trim(), "blob": blob.trim(), "records": many.trim(),
    });
    Ok(Measured { rows, raw })
}

fn appends(n: usize, raw: &Value, at: &str, met: impl Fn(f64, f64) -> bool) -> Result<Row> {
    let of = |name: &str| number(raw, &format!("{at}/{name}"));
    let (rate, p50, p99) = (of("rate")?, of("p50")?, of("p99")?);
    let text = format!(
        "{} a second; p50 {p50:.1} ms, p99 {p99:.1} ms",
        grouped(rate.round())
    );
    let (what, bar) = bar(n);
    Ok(Row::new(what, bar, text, met(rate, p99)))
}

fn whole(raw: &Value) -> Result<Row> {
    let (records, seconds) = (number(raw, "/records")?, number(raw, "/fsck_s")?);
    let text = format!(
        "{seconds:.1} s for {} records, {} bytes, {} tiles; index built again in {:.1} s; at most {:.0} MB",
        grouped(records),
        grouped(number(raw, "/bytes")?),
        grouped(number(raw, "/tiles")?),
        number(raw, "/reindex_s")?,
        number(raw, "/peak_kb")? / 1024.0,
    );
    let (what, bar) = bar(2);
    Ok(Row::new(what, bar, text, seconds < 30.0))
}

/// The number between two texts.
fn between(text: &str, before: &str, after: &str) -> Result<f64> {
    let found = text
        .split_once(before)
        .and_then(|(_, rest)| rest.split_once(after))
        .and_then(|(number, _)| number.trim().parse().ok());
    found.with_context(|| format!("no number between `{before}` and `{after}` in: {text}"))
}

fn beside_sha256sum(text: &str) -> Result<Row> {
    let (ours, theirs) = (
        between(text, "verified in ", " ms")?,
        between(text, "sha256sum ", " ms")?,
    );
    let bytes = between(text, "records, ", " bytes")?;
    let (what, bar) = bar(3);
    let measured = format!(
        "{:.2} × ({ours:.0} ms for {} bytes; medians of 9)",
        ours / theirs,
        grouped(bytes)
    );
    let row = Row::new(what, bar, measured, ours <= 3.0 * theirs);
    Ok(row.beside(format!("sha256sum of the same file: {theirs:.0} ms")))
}

fn survived(raw: &Value) -> Result<Row> {
    let (lost, points) = (number(raw, "/lost")?, number(raw, "/points")?);
    let text = format!(
        "{lost:.0} lost; {} points, {} promises checked in {:.0} s",
        grouped(points),
        grouped(number(raw, "/promises")?),
        number(raw, "/seconds")?
    );
    let (what, bar) = bar(4);
    Ok(Row::new(what, bar, text, lost == 0.0))
}

fn killed(raw: &Value) -> Result<Row> {
    let lost = number(raw, "/lost")?;
    let text = format!(
        "{lost:.0} lost of {} after {} kills",
        grouped(number(raw, "/acknowledged")?),
        grouped(number(raw, "/kills")?)
    );
    let (what, bar) = bar(5);
    Ok(Row::new(what, bar, text, lost == 0.0))
}

fn refused(bits: &str, changed: &str) -> Result<Row> {
    // Both programs end with a failure if anything is accepted, and then print nothing of this.
    let all = bits.contains("all refused") && changed.contains("all refused");
    let flipped = bits.split(' ').next().unwrap_or_default();
    let changes = changed.split(' ').next().unwrap_or_default();
    let (what, bar) = bar(6);
    let text = format!("0 accepted of {flipped} flipped bits and {changes} changes");
    Ok(Row::new(what, bar, text, all))
}

fn memory(blob: &str, many: &str) -> Result<Row> {
    let peak = |text: &str, before: &str| -> Result<f64> {
        let line = text
            .lines()
            .find(|l| l.starts_with(before))
            .with_context(|| format!("no line `{before}` in: {text}"))?;
        Ok(between(line, "; ", " kB")? / 1000.0)
    };
    let [wrote, read] = [peak(blob, "wrote")?, peak(blob, "verified")?];
    let [wrote_many, read_many] = [peak(many, "wrote")?, peak(many, "verified")?];
    let worst = [wrote, read, wrote_many, read_many]
        .into_iter()
        .fold(0.0, f64::max);
    let (what, bar) = bar(7);
    let text = format!(
        "one blob: {wrote:.0} and {read:.0} MB; records only: {wrote_many:.0} and {read_many:.0} MB"
    );
    Ok(Row::new(what, bar, text, worst <= 128.0))
}

fn verify(settings: &Settings) -> Result<Measured> {
    let runs = settings.runs(21, 5).to_string();
    let text = example("gonogo-ledger", "verify_bench", &["1000", &runs])?;
    let (ours, theirs) = (
        between(&text, "verified in ", " ms")?,
        between(&text, "sha256sum ", " ms")?,
    );
    let (what, bar) = VERIFY.bars[0];
    let row = Row::new(
        what,
        bar,
        format!("{ours:.0} ms (median of {runs})"),
        ours < 1_000.0,
    );
    Ok(Measured {
        rows: vec![row.beside(format!("sha256sum of the same file: {theirs:.1} ms"))],
        raw: json!({"verify": text.trim()}),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "10000 records, 56000000 bytes: verified in 344.5 ms, sha256sum 140.0 ms, 2.46 times as long, 34.4 us a record (medians of 9)\n";

    #[test]
    fn the_line_of_the_verifier_is_read_and_held_against_its_bar() {
        let row = beside_sha256sum(LINE).unwrap();
        assert!(row.measured.starts_with("2.46 ×"), "{}", row.measured);
        assert_eq!(row.met, super::super::Met::Yes);
        let slow = LINE.replace("344.5", "500.0");
        assert_eq!(beside_sha256sum(&slow).unwrap().met, super::super::Met::No);
        assert!(beside_sha256sum("nothing").is_err());
    }

    #[test]
    fn more_memory_than_the_bar_is_told() {
        let text = |kb: u64| {
            format!(
                "made 1 records; 1 kB at most\nwrote 5 bytes in 1.0s; {kb} kB at most\nverified in 1.0s; 6000 kB at most\n"
            )
        };
        assert_eq!(
            memory(&text(9_000), &text(9_000)).unwrap().met,
            super::super::Met::Yes
        );
        assert_eq!(
            memory(&text(9_000), &text(200_000)).unwrap().met,
            super::super::Met::No
        );
        assert!(memory("", "").is_err());
    }
}

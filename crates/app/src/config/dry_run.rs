//! `[dry_run]`: what the file says of dry runs. Flags lie above it, defaults below; both are laid on in [`crate::dry_run`].

use std::collections::BTreeMap;

use gonogo_core::{Share, Span, Timestamp};
use serde::Serialize;

use super::keys::DRY_RUN;
use super::reader::{Found, Table};

/// What the file says; absent where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "each field is the key of that name, which the key table explains"
)]
pub struct DryRunFile {
    pub command: Option<Vec<String>>,
    pub artifacts: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub metadata: BTreeMap<String, String>,
    pub output_root: Option<String>,
    pub audit_cache: Option<String>,
    pub duration: Option<Span>,
    pub required_duration: Option<Span>,
    pub duration_tolerance: Option<Span>,
    pub minimum_uptime: Option<Share>,
    pub allow_warnings: Option<bool>,
    pub minimum_sharpe: Option<f64>,
    pub grace_interrupt: Option<Span>,
    pub grace_terminate: Option<Span>,
    pub drain: Option<Span>,
    pub compression: Option<&'static str>,
    pub views: Option<bool>,
    pub rotate_every: Option<Span>,
    pub rotate_size: Option<u64>,
    pub member_size: Option<u64>,
    pub ballast: Option<u64>,
    pub progress_every: Option<Span>,
    pub startup_grace: Option<Span>,
    pub gap_warn: Option<Span>,
    pub gap_fail: Option<Span>,
    pub gap_live: Option<Span>,
    pub gap_live_severity: Option<&'static str>,
    pub heartbeat: Option<HeartbeatFile>,
    pub monitor: Option<bool>,
    pub stderr: Option<&'static str>,
    pub numeric_levels: Option<&'static str>,
    pub source_field: Option<String>,
    pub allow: Vec<AllowFile>,
    pub diary: EvidenceFile,
    pub performance: EvidenceFile,
    pub evidence: Vec<EvidenceFile>,
    pub evidence_every: Option<Span>,
    pub evidence_grace: Option<Span>,
    pub resources: ResourcesFile,
    pub explained: BTreeMap<String, String>,
}

/// `heartbeat = { … }`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct HeartbeatFile {
    pub period: Span,
    pub tolerance: Option<f64>,
    pub event: Option<String>,
}

/// `[[dry_run.allow]]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct AllowFile {
    pub name: String,
    pub pattern: String,
    pub owner: String,
    pub expires: Timestamp,
    pub reason: String,
}

/// `[dry_run.diary]`, `[dry_run.performance]`, `[[dry_run.evidence]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct EvidenceFile {
    pub name: String,
    pub path: Option<String>,
    pub format: Option<&'static str>,
    pub required: Option<bool>,
    pub stale_warn: Option<Span>,
    pub stale_fail: Option<Span>,
    pub time_pointer: Option<String>,
    pub min_entries: Option<u64>,
    pub min_entries_per_day: Option<u64>,
    pub thresholds: Vec<ThresholdFile>,
}

/// `thresholds = [{ … }]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct ThresholdFile {
    pub pointer: String,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub equals: Option<String>,
    pub severity: Option<&'static str>,
}

/// `[dry_run.resources]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct ResourcesFile {
    pub enabled: Option<bool>,
    pub every: Option<Span>,
    pub max_cpu_percent: Option<f64>,
    pub max_memory_mb: Option<f64>,
    pub max_memory_percent: Option<f64>,
    pub severity: Option<&'static str>,
    pub sustained: Option<Span>,
}

const SEVERITIES: &[&str] = &["warn", "fail"];
const MIB: u64 = 1 << 20;

/// Reads the section; everything empty if the file has none.
pub(super) fn read(root: &Table<'_, '_>) -> DryRunFile {
    root.table("dry_run", &DRY_RUN)
        .map(|table| read_table(&table))
        .unwrap_or_default()
}

fn read_table(t: &Table<'_, '_>) -> DryRunFile {
    let positive = |name: &str| {
        let found: Option<Found<Span>> = t.parsed(name, "a duration");
        if let Some(f) = found.as_ref().filter(|f| f.value == Span::ZERO) {
            f.refuse(t.faults, "must be longer than nothing");
        }
        found.map(|f| f.value)
    };
    let command = t.texts("command").map(|command| {
        if command.value.is_empty() {
            command.refuse(t.faults, "needs at least a program");
        }
        command.value.into_iter().map(|a| a.value).collect()
    });
    let member_size = t.size("member_size");
    if let Some(m) = member_size.as_ref()
        && !(MIB..=4 * MIB).contains(&m.value)
    {
        m.refuse(t.faults, "expected 1MiB to 4MiB");
    }
    let rotate_size = t.size("rotate_size");
    if let Some(m) = rotate_size.as_ref()
        && m.value < 4096
    {
        m.refuse(t.faults, "expected at least 4KiB");
    }
    let (gap_warn, gap_fail) = (positive("gap_warn"), positive("gap_fail"));
    ordered(t, "gap_warn", gap_warn, "gap_fail", gap_fail);
    DryRunFile {
        command,
        artifacts: t
            .texts("artifacts")
            .map(|all| all.value.into_iter().map(|a| a.value).collect())
            .unwrap_or_default(),
        env: map(t, "env"),
        metadata: map(t, "metadata"),
        output_root: path(t, "output_root"),
        audit_cache: path(t, "audit_cache"),
        duration: positive("duration"),
        required_duration: positive("required_duration"),
        duration_tolerance: span(t, "duration_tolerance"),
        minimum_uptime: t.parsed("minimum_uptime", "a share").map(|f| f.value),
        allow_warnings: flag(t, "allow_warnings"),
        minimum_sharpe: number(t, "minimum_sharpe"),
        grace_interrupt: span(t, "grace_interrupt"),
        grace_terminate: span(t, "grace_terminate"),
        drain: span(t, "drain"),
        compression: choice(t, "compression", &["none", "gzip", "zstd"]),
        views: flag(t, "views"),
        rotate_every: positive("rotate_every"),
        rotate_size: rotate_size.map(|f| f.value),
        member_size: member_size.map(|f| f.value),
        ballast: t.size("ballast").map(|f| f.value),
        progress_every: positive("progress_every"),
        startup_grace: span(t, "startup_grace"),
        gap_warn,
        gap_fail,
        gap_live: positive("gap_live"),
        gap_live_severity: choice(t, "gap_live_severity", SEVERITIES),
        heartbeat: t
            .table("heartbeat", t.section_of("heartbeat"))
            .map(|h| heartbeat(&h)),
        monitor: flag(t, "monitor"),
        stderr: choice(t, "stderr", &["error", "warn", "info"]),
        numeric_levels: choice(
            t,
            "numeric_levels",
            &["auto", "pino", "python", "syslog", "log4j"],
        ),
        source_field: t.text("source_field").map(|f| f.value),
        allow: list(t, "allow", allow),
        diary: one(t, "diary"),
        performance: one(t, "performance"),
        evidence: evidence_list(t),
        evidence_every: positive("evidence_every"),
        evidence_grace: span(t, "evidence_grace"),
        resources: t
            .table("resources", t.section_of("resources"))
            .map(|r| resources(&r))
            .unwrap_or_default(),
        explained: map(t, "explained"),
    }
}

fn heartbeat(t: &Table<'_, '_>) -> HeartbeatFile {
    t.require("period");
    let period: Option<Found<Span>> = t.parsed("period", "a duration");
    if let Some(f) = period.as_ref().filter(|f| f.value == Span::ZERO) {
        f.refuse(t.faults, "must be longer than nothing");
    }
    let tolerance = t.number("tolerance");
    if let Some(f) = tolerance.as_ref().filter(|f| f.value < 1.0) {
        f.refuse(t.faults, "must be at least 1");
    }
    HeartbeatFile {
        period: period.map_or(Span::ZERO, |f| f.value),
        tolerance: tolerance.map(|f| f.value),
        event: t.text("event").map(|f| f.value),
    }
}

fn allow(t: &Table<'_, '_>) -> Option<AllowFile> {
    let needed = ["name", "pattern", "owner", "expires"];
    // Each that is absent is said, not only the first.
    if needed.iter().filter(|name| !t.require(name)).count() > 0 {
        return None;
    }
    let filled = |name: &str| {
        let text = t.text(name)?;
        if text.value.trim().is_empty() {
            text.refuse(t.faults, "must not be empty");
        }
        Some(text.value)
    };
    let (name, owner) = (filled("name"), filled("owner"));
    let pattern = t.text("pattern")?;
    match regex::Regex::new(&pattern.value) {
        Err(e) => pattern.refuse(t.faults, format!("is no regular expression: {e}")),
        Ok(regex) if regex.is_match("") => {
            pattern.refuse(t.faults, "matches the empty text, and so every line");
        }
        Ok(_) => {}
    }
    let expires: Found<Timestamp> = t.parsed("expires", "a time")?;
    Some(AllowFile {
        name: name?,
        pattern: pattern.value,
        owner: owner?,
        expires: expires.value,
        reason: t.text("reason").map(|f| f.value).unwrap_or_default(),
    })
}

fn one(t: &Table<'_, '_>, name: &str) -> EvidenceFile {
    let Some(table) = t.table(name, t.section_of(name)) else {
        return EvidenceFile::default();
    };
    EvidenceFile {
        name: name.to_owned(),
        min_entries_per_day: (name == "diary")
            .then(|| table.count("min_entries_per_day").map(|f| f.value))
            .flatten(),
        ..common(&table)
    }
}

fn common(t: &Table<'_, '_>) -> EvidenceFile {
    let (warn, fail) = (span(t, "stale_warn"), span(t, "stale_fail"));
    ordered(t, "stale_warn", warn, "stale_fail", fail);
    EvidenceFile {
        path: path(t, "path"),
        required: flag(t, "required"),
        stale_warn: warn,
        stale_fail: fail,
        ..EvidenceFile::default()
    }
}

fn evidence_list(t: &Table<'_, '_>) -> Vec<EvidenceFile> {
    let mut names: Vec<String> = vec!["diary".into(), "performance".into()];
    list(t, "evidence", |table| {
        let there = ["name", "path", "format"].map(|name| table.require(name));
        if there.contains(&false) {
            return None;
        }
        let name = table.text("name")?;
        super::name::check(table.faults, "the evidence's name", &name);
        if names.contains(&name.value) {
            name.refuse(table.faults, format!("`{}` is taken", name.value));
        }
        names.push(name.value.clone());
        Some(EvidenceFile {
            name: name.value,
            format: choice(table, "format", &["json", "jsonl", "text"]),
            time_pointer: pointer(table, "time_pointer"),
            min_entries: table.count("min_entries").map(|f| f.value),
            thresholds: list(table, "thresholds", threshold),
            ..common(table)
        })
    })
}

fn threshold(t: &Table<'_, '_>) -> Option<ThresholdFile> {
    t.require("pointer");
    let pointer = pointer(t, "pointer")?;
    let (min, max) = (number(t, "min"), number(t, "max"));
    let equals = t.text("equals").map(|f| f.value);
    if min.is_none() && max.is_none() && equals.is_none() {
        let hints = vec!["give `min`, `max` or `equals`".into()];
        t.faults.add(
            gonogo_core::Reason::ConfigValue,
            &t.span,
            &t.key,
            "demands nothing",
            hints,
        );
    }
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        let text = format!("`min` {min} is above `max` {max}");
        t.faults.add(
            gonogo_core::Reason::ConfigValue,
            &t.span,
            &t.key,
            text,
            vec![],
        );
    }
    Some(ThresholdFile {
        pointer,
        min,
        max,
        equals,
        severity: choice(t, "severity", SEVERITIES),
    })
}

fn resources(t: &Table<'_, '_>) -> ResourcesFile {
    let every: Option<Found<Span>> = t.parsed("every", "a duration");
    if let Some(f) = every.as_ref().filter(|f| f.value == Span::ZERO) {
        f.refuse(
            t.faults,
            "must be longer than nothing; `enabled = false` switches them off",
        );
    }
    ResourcesFile {
        enabled: flag(t, "enabled"),
        every: every.map(|f| f.value),
        max_cpu_percent: number(t, "max_cpu_percent"),
        max_memory_mb: number(t, "max_memory_mb"),
        max_memory_percent: number(t, "max_memory_percent"),
        severity: choice(t, "severity", SEVERITIES),
        sustained: span(t, "sustained"),
    }
}

fn list<T>(
    t: &Table<'_, '_>,
    name: &str,
    mut read: impl FnMut(&Table<'_, '_>) -> Option<T>,
) -> Vec<T> {
    t.tables(name, t.section_of(name))
        .map(|tables| tables.value.iter().filter_map(&mut read).collect())
        .unwrap_or_default()
}

fn ordered(t: &Table<'_, '_>, low: &str, warn: Option<Span>, high: &str, fail: Option<Span>) {
    if let (Some(warn), Some(fail)) = (warn, fail)
        && warn > fail
    {
        let text = format!("`{low}` {warn} is longer than `{high}` {fail}");
        t.faults.add(
            gonogo_core::Reason::ConfigValue,
            &t.place(low),
            &t.path(low),
            text,
            vec![],
        );
    }
}

fn pointer(t: &Table<'_, '_>, name: &str) -> Option<String> {
    let text = t.text(name)?;
    if !text.value.is_empty() && !text.value.starts_with('/') {
        text.refuse(t.faults, "a JSON pointer begins with `/`");
    }
    Some(text.value)
}

fn path(t: &Table<'_, '_>, name: &str) -> Option<String> {
    let text = t.text(name)?;
    if text.value.is_empty() {
        text.refuse(t.faults, "expected a path");
    }
    Some(text.value)
}

fn map(t: &Table<'_, '_>, name: &str) -> BTreeMap<String, String> {
    let pairs = t.text_map(name).unwrap_or_default();
    pairs.into_iter().map(|(k, v)| (k, v.value)).collect()
}

fn span(t: &Table<'_, '_>, name: &str) -> Option<Span> {
    t.parsed(name, "a duration").map(|f| f.value)
}

fn flag(t: &Table<'_, '_>, name: &str) -> Option<bool> {
    t.flag(name).map(|f| f.value)
}

fn number(t: &Table<'_, '_>, name: &str) -> Option<f64> {
    t.number(name).map(|f| f.value)
}

fn choice(t: &Table<'_, '_>, name: &str, words: &[&'static str]) -> Option<&'static str> {
    t.choice(name, words).map(|f| f.value)
}
